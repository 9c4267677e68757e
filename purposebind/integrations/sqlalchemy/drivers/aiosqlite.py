"""aiosqlite: it runs SQL in a thread without the caller's context, so the check comes before the hand-over.

What it hands over it also logs, with its parameters, so those are hidden in what it hands over (R7).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from purposebind import PolicyError

from .watching import Watching, refuse_road

__all__ = ["adopt"]


def adopt(watching: Watching, _dialect: Any, connection: Any) -> None:
    """Watch a connection of aiosqlite."""
    import aiosqlite

    if not issubclass(type(connection), aiosqlite.Connection):
        raise PolicyError(
            f"A creator made a connection of the class {type(connection).__module__}.{type(connection).__qualname__}"
            " for a guarded engine of sqlite+aiosqlite, and it cannot be watched. Leave connecting to SQLAlchemy, or"
            " have async_creator= return what aiosqlite.connect() returns."
        )
    watching.turn(connection, _connection)


class _Quiet:
    """A call whose representation, which is logged, does not show what it is called with."""

    def __init__(self, fn: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self._call = (fn, args, kwargs)

    def __call__(self) -> Any:
        fn, args, kwargs = self._call
        return fn(*args, **kwargs)

    def __repr__(self) -> str:
        return f"{getattr(self._call[0], '__qualname__', self._call[0])}(...)"


def _connection(watching: Watching, base: Any) -> Any:
    from aiosqlite.context import contextmanager

    # aiosqlite's shortcuts run on the sqlite3 connection inside, never by way of these methods: each asks once.
    class Connection(base):  # type: ignore[misc]
        async def _execute(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
            return await super()._execute(_Quiet(fn, args, kwargs))

        @contextmanager
        async def cursor(self) -> Any:
            return watching.turn(await super().cursor(), _cursor)

        @contextmanager
        async def execute(self, sql: Any, *args: Any, **kwargs: Any) -> Any:
            watching.weigh(sql)
            return watching.turn(await super().execute(sql, *args, **kwargs), _cursor)

        @contextmanager
        async def executemany(self, sql: Any, *args: Any, **kwargs: Any) -> Any:
            watching.weigh(sql)
            return watching.turn(await super().executemany(sql, *args, **kwargs), _cursor)

        @contextmanager
        async def executescript(self, sql_script: Any) -> Any:
            watching.weigh(sql_script)
            return watching.turn(await super().executescript(sql_script), _cursor)

        @contextmanager
        async def execute_insert(self, sql: Any, *args: Any, **kwargs: Any) -> Any:
            watching.weigh(sql)
            return await super().execute_insert(sql, *args, **kwargs)

        @contextmanager
        async def execute_fetchall(self, sql: Any, *args: Any, **kwargs: Any) -> Any:
            watching.weigh(sql)
            return await super().execute_fetchall(sql, *args, **kwargs)

        def iterdump(self, *_args: Any, **_kwargs: Any) -> Any:
            refuse_road("iterdump()", "writes out all tables")

        async def backup(self, *_args: Any, **_kwargs: Any) -> Any:
            refuse_road("backup()", "copies the whole database")

    return Connection


def _cursor(watching: Watching, base: Any) -> Any:
    class Cursor(base):  # type: ignore[misc]
        async def execute(self, sql: Any, *args: Any, **kwargs: Any) -> Any:
            watching.let_on(self._conn, sql)
            return await super().execute(sql, *args, **kwargs)

        async def executemany(self, sql: Any, *args: Any, **kwargs: Any) -> Any:
            watching.let_on(self._conn, sql)
            return await super().executemany(sql, *args, **kwargs)

        async def executescript(self, sql_script: Any) -> Any:
            watching.let_on(self._conn, sql_script)
            return await super().executescript(sql_script)

        @property
        def connection(self) -> Any:
            raise PolicyError(
                "The sqlite3 connection inside a guarded engine's aiosqlite connection was asked for: its statements"
                " would go unchecked. Run them on the aiosqlite connection or on a cursor of it."
            )

    return Cursor
