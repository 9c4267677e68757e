"""SQLAlchemy's cursors for async drivers: what was checked above them holds below them, while they execute.

Such a cursor makes the driver's own as it runs a statement, or has none: for asyncpg it prepares the statement on the
connection, or finds it prepared. So what was let through is noted for SQLAlchemy's cursor, and cleared on the driver's
connection for as long as that cursor executes, when nobody else's code runs in its context.
"""

from __future__ import annotations

from typing import Any

from .watching import Watching, clearing

__all__ = ["adapts", "expect", "forget"]

# For the classes it keeps: it is never asked, the connections below are.
_adapters = Watching(lambda _connection, _statement: None)

# By the cursor's id, for it takes no weak reference. One that died with its pass unused does no harm: only a cursor
# that `expect` has seen looks here, and `expect` has written its entry anew.
_passes: dict[int, str] = {}


def adapts(cursor: Any) -> bool:
    """Tell whether it is a cursor of SQLAlchemy's, around an async driver's."""
    return type(cursor).__module__.startswith("sqlalchemy.")


def expect(cursor: Any, statement: str) -> None:
    """Let this cursor of SQLAlchemy's run this text once."""
    _adapters.turn(cursor, _cursor)
    _passes[id(cursor)] = statement


def forget(cursor: Any) -> None:
    """Take back what `expect` allowed."""
    _passes.pop(id(cursor), None)


def _cursor(_watching: Watching, base: Any) -> Any:
    class Cursor(base):  # type: ignore[misc]
        __slots__ = ()

        def execute(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
            if not _used(self, operation):
                return super().execute(operation, *args, **kwargs)
            with clearing(_connection_of(self), operation):
                return super().execute(operation, *args, **kwargs)

        def executemany(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
            if not _used(self, operation):
                return super().executemany(operation, *args, **kwargs)
            with clearing(_connection_of(self), operation):
                return super().executemany(operation, *args, **kwargs)

    return Cursor


def _used(cursor: Any, statement: Any) -> bool:
    if _passes.get(id(cursor)) != statement:
        return False
    del _passes[id(cursor)]
    return True


def _connection_of(cursor: Any) -> Any:
    connection = getattr(cursor, "_connection", None)
    return cursor._cursor.connection if connection is None else connection  # psycopg's, in SQLAlchemy 2.0
