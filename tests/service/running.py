"""The shop as it runs: uvicorn on a socket, a Celery worker in a process of its own, and a folder with all they write.

The broker is a folder too, so that nothing has to be installed, and so that a test can read every message there was;
with `broker=` it is a real one.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, TypeVar

import httpx
from celery import Celery
from sqlalchemy import create_engine
from sqlalchemy import text as sql

__all__ = ["PEOPLE", "STAFF", "Service", "until"]

PEOPLE = 40
STAFF = {"token": "for-staff-only"}
PATIENCE = 60.0
"""Seconds until something that should have happened is taken not to."""

_BROKER = Path(__file__).parent / "broker"
_FOLDERS = "filesystem://"

_Found = TypeVar("_Found")


def until(look: Callable[[], _Found | None], what: str) -> _Found:
    """Return what `look` finds, as soon as it finds something."""
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)  # what another process does raises no event in this one
    return found


class Service:
    """The shop in `tree`, running in `folder` while the block lasts.

    Args:
        tree: The folder that the package `shop` is in.
        folder: Where its data are, and its logs; used again, the data are those of before.
        broker: The URL of a broker and of its results; without one they are folders.
        pool: Celery's pool, and whatever else its command line takes.
        database: The URL of a database with people in it; without one it is a file in `folder`, and filled.
        owner: The same, for who may look at all of it.
    """

    def __init__(
        self,
        tree: Path,
        folder: Path,
        broker: str | None = None,
        pool: Sequence[str] = ("solo",),
        database: str | None = None,
        owner: str | None = None,
    ) -> None:
        self.folder = folder
        self._database, self._owners = database, owner or database
        self._pool = pool
        self._processes: list[subprocess.Popen[bytes]] = []
        self._logs: list[IO[bytes]] = []
        folder.mkdir(exist_ok=True)
        self._queue = Path(
            tempfile.mkdtemp(prefix="queue-", dir=folder)
        )  # its own: an older worker may not be gone yet
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PURPOSEBIND_", "SHOP_"))},
            "PYTHONPATH": os.pathsep.join(
                filter(
                    None,
                    [str(tree.resolve()), *([str(_BROKER)] if broker is None else ()), os.environ.get("PYTHONPATH")],
                )
            ),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SHOP_FOLDER": str(folder),
            "SHOP_KEYS": self._key(),
            **(_folders(self._queue) if broker is None else {"SHOP_BROKER": broker}),
            **({} if database is None else {"SHOP_DATABASE": database}),
        }

    def _key(self) -> str:
        file = self.folder / "shop.key"
        if not file.exists():
            file.write_bytes(urlsafe_b64encode(secrets.token_bytes(32)))
        return file.read_text()

    def __enter__(self) -> Service:
        if self._database is None and not (self.folder / "shop.db").exists():
            self.run("shop.seed", str(PEOPLE))
        listening = socket.create_server(("127.0.0.1", 0))
        with listening:
            port = listening.getsockname()[1]
            self._start("web", ["uvicorn", "shop.main:app", "--fd", str(listening.fileno())], listening.fileno())
        celery = [
            "celery",
            "-A",
            "shop.worker",
            "worker",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
        self._start("worker", [*celery, "--loglevel", "INFO", "--pool", *self._pool])
        self._before = self.rows("SELECT COALESCE(MAX(id), 0) FROM outbox")[0][0]
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, trust_env=False)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.http.close()
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        self._wake()
        if error is not None:
            sys.stdout.write(self.logs())
        for process in self._processes:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for log in self._logs:
            log.close()
        self._processes, self._logs = [], []

    def _wake(self) -> None:
        """Send the worker something: where its broker is a folder it looks up every few seconds only."""
        if "SHOP_BROKER_OPTIONS" in self._environment:
            with Celery(broker=_FOLDERS, set_as_current=False) as sender:
                sender.conf.broker_transport_options = json.loads(self._environment["SHOP_BROKER_OPTIONS"])
                sender.control.shutdown()

    def run(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a module of the shop to its end."""
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(
            command, env=self._environment, cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def _start(self, name: str, arguments: list[str], *descriptors: int) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        self._logs.append(log)
        command = [sys.executable, "-m", *arguments]
        started = subprocess.Popen(
            command,
            env=self._environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=descriptors,
        )
        self._processes.append(started)

    # --- What it wrote -----------------------------------------------------------------------------------------------

    def rows(self, query: str, **values: object) -> list[tuple[object, ...]]:
        """Return what the database says, asked as its owner."""
        engine = create_engine(self._owners or f"sqlite:///{self.folder / 'shop.db'}?timeout=30")
        try:
            with engine.connect() as connection:
                return [tuple(row) for row in connection.execute(sql(query), values)]
        finally:
            engine.dispose()

    def sent(self, kind: str, recipient: str, text: str = "") -> str:
        """Return the last message to `recipient` with `text` in it since the start, waiting for it."""
        query = (
            "SELECT text FROM outbox WHERE id > :before AND kind = :kind AND recipient = :recipient "
            "AND text LIKE '%' || :text || '%' ORDER BY id DESC"
        )
        values = {"before": self._before, "kind": kind, "recipient": recipient, "text": text}
        found = until(lambda: self.rows(query, **values), f"{kind} to {recipient}: {self.logs()}")
        return str(found[0][0])

    def logs(self) -> str:
        """Return what both processes logged."""
        return "".join(path.read_text(encoding="utf-8", errors="replace") for path in sorted(self.folder.glob("*.log")))

    def messages(self) -> list[str]:
        """Return all messages and results that the broker has had, as they lay there."""
        return [path.read_text(encoding="utf-8") for path in self._queue.glob("*/*")]


def _folders(queue: Path) -> dict[str, str]:
    for name in ("waiting", "done", "control", "results"):
        (queue / name).mkdir()
    options = {
        "data_folder_in": str(queue / "waiting"),
        "data_folder_out": str(queue / "waiting"),
        "control_folder": str(queue / "control"),
        "processed_folder": str(queue / "done"),
        "store_processed": True,
        "polling_interval": 0.02,
    }
    return {
        "SHOP_BROKER": _FOLDERS,
        "SHOP_BROKER_OPTIONS": json.dumps(options),
        "SHOP_RESULTS": f"file://{queue / 'results'}",
    }
