"""sqlite3: connections and cursors that ask before they run a statement.

The driver's own classes are written in C, and an instance of one cannot be changed; one of any subclass can. So the
engine is made to connect with a subclass, unless the user named one.
"""

from __future__ import annotations

import functools
from types import FunctionType
from typing import Any

from purposebind import PolicyError

from .watching import Watching, refuse_road

__all__ = ["adopt", "connecting"]


def connecting(dialect: Any) -> Any:
    """Return the dialect's ``connect``, by which connections are of a class that can be changed."""
    connect, plain = dialect.connect, dialect.dbapi.Connection

    @functools.wraps(connect)
    def changeable(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("factory", plain) is plain:
            kwargs["factory"] = _changeable(plain)
        return connect(*args, **kwargs)

    return changeable


@functools.cache
def _changeable(plain: Any) -> Any:
    return type(plain.__name__, (plain,), {"__module__": plain.__module__})


def adopt(watching: Watching, dialect: Any, connection: Any) -> None:
    """Watch a connection of sqlite3, or of a module like it."""
    plain = dialect.dbapi.Connection
    if type(connection) is plain or not issubclass(type(connection), plain):
        raise PolicyError(
            f"A guarded engine was given a connection of the class {type(connection).__module__}."
            f"{type(connection).__qualname__}, by a creator or a listener; such a connection cannot be watched. Leave"
            " connecting to SQLAlchemy (connect_args= gives the driver arguments), or give sqlite3.connect() a factory="
            " of your own that inherits from sqlite3.Connection; an empty class is enough."
        )
    watching.cursor_class = dialect.dbapi.Cursor
    watching.turn(connection, _connection)


def _connection(watching: Watching, base: Any) -> Any:
    plain_cursor = watching.cursor_class

    class Connection(base):  # type: ignore[misc]
        def cursor(self, *factories: Any, **factory: Any) -> Any:
            asked = factories[0] if factories else factory.get("factory", plain_cursor)
            if asked is plain_cursor:
                # A user's own connection class may have a cursor class of its own.
                cursor = super().cursor() if isinstance(base.cursor, FunctionType) else None
                if cursor is None or type(cursor) is plain_cursor:
                    cursor = super().cursor(watching.subclass(plain_cursor, _cursor))
                return watching.turn(cursor, _cursor)
            if isinstance(asked, type):
                return super().cursor(watching.subclass(asked, _cursor))
            return watching.turn(super().cursor(asked), _cursor)

        # The driver's own shortcuts make a cursor below Python's sight in some versions.
        def execute(self, *args: Any) -> Any:
            return self.cursor().execute(*args)

        def executemany(self, *args: Any) -> Any:
            return self.cursor().executemany(*args)

        def executescript(self, *args: Any) -> Any:
            return self.cursor().executescript(*args)

        def blobopen(self, *_args: Any, **_kwargs: Any) -> Any:
            refuse_road("blobopen()", "opens one column of a row")

        def iterdump(self, *_args: Any, **_kwargs: Any) -> Any:
            refuse_road("iterdump()", "writes out all tables")

        def backup(self, *_args: Any, **_kwargs: Any) -> Any:
            refuse_road("backup()", "copies the whole database")

        def serialize(self, *_args: Any, **_kwargs: Any) -> Any:
            refuse_road("serialize()", "returns the whole database")

    return Connection


def _cursor(watching: Watching, base: Any) -> Any:
    class Cursor(base):  # type: ignore[misc]
        def execute(self, sql: Any, *args: Any) -> Any:
            watching.let(self, sql)
            return super().execute(sql, *args)

        def executemany(self, sql: Any, *args: Any) -> Any:
            watching.let(self, sql)
            return super().executemany(sql, *args)

        def executescript(self, sql: Any, *args: Any) -> Any:
            watching.let(self, sql)
            return super().executescript(sql, *args)

    return Cursor
