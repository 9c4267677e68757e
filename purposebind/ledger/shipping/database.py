"""The database that ledgers are shipped to: the connection to it, and the tables there.

What this module keeps:

- No password is shown. What the driver says of a connection may quote parts of the connection string; it is cleaned of
  the password, or left out.
- The tables are ours and made by the numbered files in ``migrations``: each is applied once, in order, whoever comes
  first, and never changed afterwards. Where all of them are applied, no right to make tables is needed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator
from contextlib import contextmanager
from importlib.resources import files
from typing import Final, NamedTuple

from purposebind.ledger.errors import LedgerError

try:
    import psycopg
    from psycopg import conninfo
except ModuleNotFoundError as error:
    if error.name != "psycopg":
        raise
    raise LedgerError(
        "Shipping a ledger needs psycopg, which is not installed. Install it with: pip install 'purposebind[ship]'"
    ) from None

__all__ = ["Connection", "Migration", "connect", "has_password", "migrate", "migrations", "target", "told"]

Connection = psycopg.Connection[tuple[object, ...]]

_LOCK: Final = 0x70757270_6F736562  # "purposeb": the advisory lock that whoever makes the tables holds
_PATIENCE: Final = (("tcp_keepalives_idle", 30), ("tcp_keepalives_interval", 10), ("tcp_keepalives_count", 3))
"""Seconds, seconds and tries after which the server gives up a shipper whose machine is gone, and frees its batch."""
_CONNECT_SECONDS: Final = 30


class Migration(NamedTuple):
    """A step in the making of the tables: its number, counted from 1, its file's name and the SQL."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """Return the migrations, in order."""
    found = []
    for file in files("purposebind.ledger.shipping").joinpath("migrations").iterdir():
        matched = re.fullmatch(r"(\d{4})_\w+\.sql", file.name)
        if matched:
            found.append(Migration(int(matched[1]), file.name, file.read_text(encoding="utf-8")))
    return sorted(found)


@contextmanager
def connect(dsn: str) -> Generator[Connection, None, None]:
    """Connect to the database, for a block. What the database refuses in it is a `LedgerError`.

    Args:
        dsn: A connection string: ``postgresql://user@host/database`` or ``host=... dbname=...``. What it leaves out
            comes from the usual places: ``PGPASSWORD``, ``~/.pgpass``, ``PGSERVICE``.

    Raises:
        LedgerError: It is no connection string; the database is out of reach, or refuses what is asked of it.
    """
    parts = _parts(dsn)
    patience = None if "connect_timeout" in parts else _CONNECT_SECONDS
    try:
        connection = psycopg.connect(
            dsn,
            autocommit=True,
            prepare_threshold=None,  # a pool in between may give each transaction another server
            connect_timeout=patience,
            application_name=parts.get("application_name", "purposebind ledger ship"),
        )
    except (psycopg.Error, UnicodeError) as error:
        raise LedgerError(f"The database {target(dsn)} cannot be reached: {told(error, dsn)}") from None
    try:
        for name, value in _PATIENCE:
            connection.execute(f"SET {name} = {value}".encode())
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    except psycopg.OperationalError as error:
        raise LedgerError(
            f"The database {target(dsn)} went away: {told(error, dsn)}. What was shipped stays, once: ship again"
        ) from None
    except psycopg.Error as error:
        raise LedgerError(f"The database {target(dsn)} refused: {told(error, dsn)}") from None
    finally:
        connection.close()


def target(dsn: str) -> str:
    """Return what may be shown of a connection string: where it leads and as whom.

    Example:
        >>> target("postgresql://auditor:hunter2@db.example/ledger")
        'auditor@db.example/ledger'
    """
    parts = _parts(dsn)
    host = parts.get("host") or parts.get("hostaddr") or parts.get("service") or "localhost"
    port = f":{parts['port']}" if parts.get("port") else ""
    user = f"{parts['user']}@" if parts.get("user") else ""
    name = parts.get("dbname") or parts.get("user") or ""
    return f"{user}{host}{port}/{name}"


def has_password(dsn: str) -> bool:
    """Return whether a connection string holds a password."""
    return "password" in _parts(dsn)


def told(error: BaseException, dsn: str) -> str:
    """Return what the driver or the database said, in one line, without the password."""
    text = " ".join(str(error).split()) or type(error).__name__
    password = _parts(dsn).get("password")
    return text.replace(password, "***") if password else text


def _parts(dsn: str) -> dict[str, str]:
    """The parts of a connection string. An unescaped ``@``, ``:`` or ``/`` in a password makes them anything."""
    try:
        parts = {name: str(value) for name, value in conninfo.conninfo_to_dict(dsn).items() if value is not None}
    except (psycopg.Error, UnicodeError):
        parts = {"port": "?"}
    ports = parts.get("port", "")
    names = parts.get("dbname", "") + parts.get("host", "") + parts.get("user", "")
    if not re.fullmatch(r"[\d,]*", ports) or ("@" in names and "://" in dsn):
        raise LedgerError(
            "That is no connection string (and is not shown: it may hold a password). One looks like "
            "postgresql://user@host/database, where @, :, / and % in a password are written %40, %3A, %2F and %25"
        )
    return parts


def migrate(connection: Connection) -> list[str]:
    """Make the tables that are not there yet, and return the names of the migrations that were applied now.

    Raises:
        LedgerError: The tables were made by a newer version of the library, or by another one than they say.
    """
    wanted = migrations()
    if _missing(connection, wanted):
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            missing = _missing(connection, wanted)  # again: another shipper may have been at it
            if missing and missing[0].number == 1:
                connection.execute("CREATE SCHEMA IF NOT EXISTS purposebind")
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS purposebind.migrations (number integer PRIMARY KEY, "
                    "name text NOT NULL, sha256 text NOT NULL, at timestamptz NOT NULL DEFAULT now())"
                )
            for migration in missing:
                connection.execute(migration.sql.encode())
                connection.execute(
                    "INSERT INTO purposebind.migrations (number, name, sha256) VALUES (%s, %s, %s)",
                    (migration.number, migration.name, migration.sha256),
                )
            return [migration.name for migration in missing]
    return []


def _missing(connection: Connection, wanted: list[Migration]) -> list[Migration]:
    # Not to_regclass(): behind an advisory lock it answers from what this session remembers of the time before.
    there = connection.execute(
        "SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'purposebind' AND tablename = 'migrations'"
    ).fetchone()
    if there is None:
        return wanted
    rows = connection.execute("SELECT number, name, sha256 FROM purposebind.migrations ORDER BY number").fetchall()
    ours = {migration.number: migration for migration in wanted}
    for number, name, sha256 in rows:
        migration = ours.pop(int(str(number)), None)
        if migration is None:
            raise LedgerError(
                f"The database has {name}, which this version of purposebind does not know: install the version that "
                "the other shippers run"
            )
        if migration.sha256 != sha256:
            raise LedgerError(f"The database was made by another {name} than this version's: its tables may differ")
    return sorted(ours.values())
