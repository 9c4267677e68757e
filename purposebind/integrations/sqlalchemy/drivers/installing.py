"""`watch`: puts the watch over an engine's connections; `passed` and `finished` say what was checked above it."""

from __future__ import annotations

import functools
import os.path
from importlib import import_module
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import event

from purposebind import PolicyError
from purposebind.sites import pass_over

from . import adapters, aiosqlite, asyncpg, psycopg, pysqlite
from .watching import Check, Watching, by_itself, passes

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Dialect, Engine

__all__ = ["finished", "passed", "watch"]

_DRIVERS: dict[str, Any] = {
    "sqlite+pysqlite": pysqlite,
    "sqlite+aiosqlite": aiosqlite,
    "postgresql+psycopg": psycopg,
    "postgresql+asyncpg": asyncpg,
}

# The dialect's methods that send statements of its own and take no text from anybody. What they send does not pass
# SQLAlchemy's events either.
_DIALECTS_OWN = ("initialize", "do_ping", "get_isolation_level", "set_isolation_level")

_watched: WeakKeyDictionary[Dialect, Watching] = WeakKeyDictionary()


def watch(engine: Engine, check: Check) -> None:
    """Have `check` asked about each statement that a connection of this engine runs.

    Call it before the engine connects first: connections that it has by then are refused. Called again for the same
    engine, the newer `check` is asked from then on.

    Args:
        engine: The engine. Of an async engine, its ``sync_engine``.
        check: Called with None and the statement as the driver would get it, before it does; whatever it raises goes
            to the caller, and the statement does not run. It is not called for what `passed` let through.

    Raises:
        PolicyError: The engine's driver is none that can be watched.

    Example:
        >>> from sqlalchemy import create_engine
        >>> seen = []
        >>> engine = create_engine("sqlite://")
        >>> watch(engine, lambda connection, statement: seen.append(statement))
        >>> raw = engine.raw_connection()
        >>> raw.cursor().execute("SELECT 1").fetchall(), seen
        ([(1,)], ['SELECT 1'])
        >>> raw.close()
        >>> engine.dispose()
    """
    dialect = engine.dialect
    if dialect in _watched:
        _watched[dialect].check = check
        return
    driver = _DRIVERS.get(f"{dialect.name}+{dialect.driver}")
    if driver is None:
        raise PolicyError(
            f"An engine of {dialect.name}+{dialect.driver} cannot be guarded: nothing would check the statements of"
            f" its raw cursors. Use one of: {', '.join(_DRIVERS)}."
        )
    watching = _watched[dialect] = Watching(check)
    if driver is pysqlite:
        # Not by the event do_connect: a listener that connects by itself ends its round.
        setattr(dialect, "connect", pysqlite.connecting(dialect))  # noqa: B010
    else:
        _read_through(dialect.driver)
    for name in _DIALECTS_OWN:
        setattr(dialect, name, by_itself(getattr(dialect, name)))

    def adopt(dbapi_connection: Any, _record: Any) -> None:
        try:
            driver.adopt(watching, dialect, dialect.get_driver_connection(dbapi_connection))
        except BaseException:
            dialect.do_close(dbapi_connection)
            raise

    def verify(dbapi_connection: Any, _record: Any, _proxy: Any) -> None:
        if not watching.made(type(dialect.get_driver_connection(dbapi_connection))):
            raise PolicyError(
                "A connection of this engine was made before the engine was guarded, so its statements would go"
                " unchecked. Guard the engine before its first connection, or call its dispose() afterwards."
            )

    # First, so that whatever another listener runs on a new connection is checked.
    event.listen(engine, "connect", adopt, insert=True)
    event.listen(engine, "checkout", verify, insert=True)


@functools.cache
def _read_through(package: str) -> None:
    """Have the site of a read be where the driver was called: its shortcuts call its own cursors."""
    pass_over(os.path.dirname(str(import_module(package).__file__)))


def passed(connection: Connection | None, cursor: Any, statement: str) -> None:
    """Let the next execution of exactly this text by this cursor through, once: it has been checked.

    To be called from ``before_cursor_execute``, after the check; `finished` takes back what was not used. Whoever runs
    a statement of the library's own on a cursor calls both around it.

    Args:
        connection: SQLAlchemy's connection, or None where there is none at hand.
        cursor: The cursor, as the event gives it, or one of SQLAlchemy's connection to the driver.
        statement: The text that was checked.
    """
    if adapters.adapts(cursor):
        adapters.expect(cursor, statement)
    else:
        passes[cursor] = statement


def finished(connection: Connection | None, cursor: Any) -> None:
    """Take back what `passed` allowed this cursor; to be called when the statement has run, or failed.

    Args:
        connection: SQLAlchemy's connection, or None where there is none at hand.
        cursor: The cursor, or None where none was made.
    """
    if cursor is None:
        return
    if adapters.adapts(cursor):
        adapters.forget(cursor)
    else:
        passes.pop(cursor, None)
