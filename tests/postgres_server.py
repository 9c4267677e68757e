"""A PostgreSQL server for tests: started from its binaries on a folder of its own, without a network."""

from __future__ import annotations

import atexit
import contextlib
import functools
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg
from real_parts import need

__all__ = ["Server", "running"]

_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "40",
    "max_prepared_transactions": "4",
    "shared_buffers": "64MB",
    "autovacuum": "off",
    "log_min_messages": "fatal",
    "fsync": "off",  # a server that crashes loses nothing by that, only a machine does; and recovery is quick
}


class Server:
    """A server, running once `start` was called. Its superuser is `postgres`; a role `shipper` needs its password."""

    PASSWORD = "hunter2-&@:/%"

    def __init__(self) -> None:
        self._bin = need("initdb").resolve().parent
        # Not pytest's tmp_path: its parents are closed to the user that the server runs as, and too long for a socket.
        self.folder = Path(tempfile.mkdtemp(prefix="pb-pg-", dir="/tmp"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            account = _somebody()
            self._as = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self._names = (f"ledger{n}" for n in itertools.count(1))
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        hba = self._data / "pg_hba.conf"
        hba.write_text("local all shipper scram-sha-256\nlocal all all trust\n")
        with open(self._data / "postgresql.conf", "a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in _SETTINGS.items())
            file.write(f"unix_socket_directories = '{self.folder}'\n")
        self.start()
        with self.connect("postgres") as connection:
            connection.execute(
                psycopg.sql.SQL("CREATE ROLE shipper LOGIN PASSWORD {}").format(psycopg.sql.Literal(self.PASSWORD))
            )

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *arguments: object) -> None:
        command = [self._bin / program, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder, **self._as)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-l", self.folder / "log", "-w", "-t", "120", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it; ``"immediate"`` is a crash: the next start recovers from the log."""
        self._run("pg_ctl", "-D", self._data, "-m", mode, "-w", "-t", "120", "stop")

    def remove(self) -> None:
        with contextlib.suppress(AssertionError):
            self.stop("immediate")
        shutil.rmtree(self.folder)

    def dsn(self, database: str, user: str = "postgres") -> str:
        return f"host={self.folder} user={user} dbname={database}"

    def connect(self, database: str) -> psycopg.Connection[Any]:
        return psycopg.connect(self.dsn(database), autocommit=True)

    def new_database(self) -> str:
        """Make an empty database, and return its DSN."""
        name = next(self._names)
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.dsn(name)


def _somebody() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise AssertionError("there is neither a user postgres nor a user nobody to run PostgreSQL as")


@functools.cache
def running() -> Server:
    """Return the one server of this run, started when the first test asks for it."""
    server = Server()
    atexit.register(server.remove)
    return server
