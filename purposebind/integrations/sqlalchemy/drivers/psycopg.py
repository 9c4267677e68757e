"""psycopg, sync and async: the connection gives out cursors that ask, of whatever class they are.

Cursors take their statements as text, as bytes, or composed; what is asked about is the text that goes to the server,
with its placeholders. A server-side cursor asks about the query, not about the DECLARE around it.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from typing import Any

from purposebind import PolicyError
from purposebind.integrations.sqlalchemy.failing import clean

from .watching import Watching, itself, turned

__all__ = ["adopt"]


def adopt(watching: Watching, dialect: Any, connection: Any) -> None:
    """Watch a connection of psycopg, sync or async as the dialect is."""
    import psycopg

    expected: type = psycopg.AsyncConnection if dialect.is_async else psycopg.Connection
    if not issubclass(type(connection), expected):
        raise PolicyError(
            f"A creator made a connection of the class {type(connection).__module__}.{type(connection).__qualname__}"
            " for a guarded engine of postgresql+psycopg, and it cannot be watched. Leave connecting to SQLAlchemy, or"
            f" have the creator return a psycopg.{expected.__name__} or one of a class that inherits from it."
        )
    watching.turn(connection, _async_connection if dialect.is_async else _sync_connection)


def _connection(watching: Watching, base: Any, making: Any) -> Any:
    class Connection(base):  # type: ignore[misc]
        _purposebind_asked = False
        _purposebind_quotes = False  # whether an error of what runs now may quote a tagged value

        def cursor(self, *args: Any, **kwargs: Any) -> Any:
            return watching.turn(super().cursor(*args, **kwargs), making)

        def _start_query(self) -> Any:
            # psycopg documents `ClientCursor(connection)`: such a cursor reaches the server through here all the same.
            if not self._purposebind_asked and not _looking_up_a_type():
                raise PolicyError(
                    "A cursor of a guarded engine's connection was made by hand, so its statements would go unchecked."
                    " Make it with connection.cursor(); connection.cursor_factory says of which class."
                )
            self._purposebind_asked = False
            return (yield from super()._start_query())

        def _exec_command(self, *args: Any, **kwargs: Any) -> Any:
            # The driver's own BEGIN, COMMIT, SAVEPOINT and the like. A constraint may be checked at the end only.
            turned(self)
            try:
                return (yield from super()._exec_command(*args, **kwargs))
            except Exception as error:
                clean(error)
                raise

    return Connection


def _looking_up_a_type() -> bool:
    """Tell whether psycopg asks about a type, for which it makes a cursor by hand itself, with a text of its own."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") != "psycopg._typeinfo":
        frame = frame.f_back  # type: ignore[assignment]
    return frame is not None


def _sync_connection(watching: Watching, base: Any) -> Any:
    import psycopg

    class Connection(_connection(watching, base, _sync_cursor)):  # type: ignore[misc]
        def wait(self, *args: Any, **kwargs: Any) -> Any:
            # All that is sent to the server is waited for here: statements, rows of a COPY, fetches.
            try:
                return super().wait(*args, **kwargs)
            except psycopg.Error as error:
                if self._purposebind_quotes:
                    clean(error)
                raise

        def tpc_recover(self) -> Any:
            with itself():
                return super().tpc_recover()

    return Connection


def _async_connection(watching: Watching, base: Any) -> Any:
    import psycopg

    class Connection(_connection(watching, base, _async_cursor)):  # type: ignore[misc]
        async def wait(self, *args: Any, **kwargs: Any) -> Any:
            try:
                return await super().wait(*args, **kwargs)
            except psycopg.Error as error:
                if self._purposebind_quotes:
                    clean(error)
                raise

        async def tpc_recover(self) -> Any:
            with itself():
                return await super().tpc_recover()

    return Connection


def _text(cursor: Any, query: Any) -> Any:
    """What the server would get, as text; anything else is left as it is, and refused."""
    from psycopg.sql import Composable

    if isinstance(query, Composable):
        return query.as_string(cursor)
    if isinstance(query, bytes):
        try:
            return query.decode(cursor.connection.info.encoding)
        except UnicodeDecodeError:
            pass
    return query


def _let(watching: Watching, cursor: Any, query: Any) -> None:
    _runs(cursor._conn, watching.let(cursor, _text(cursor, query)))


def _let_on(watching: Watching, cursor: Any, query: Any) -> None:
    _runs(cursor._conn, watching.let_on(cursor._conn, _text(cursor, query)))


def _runs(connection: Any, asked: bool | None) -> None:
    connection._purposebind_quotes = bool(asked)
    if asked is not None:
        turned(connection)


class _Copying:
    """psycopg's COPY, asked about when its block is entered, which is when it runs."""

    def __init__(self, ask: Callable[[], None], copying: Any) -> None:
        self._ask = ask
        self._copying = copying

    def __enter__(self) -> Any:
        self._ask()
        return self._copying.__enter__()

    def __exit__(self, *raised: object) -> Any:
        return self._copying.__exit__(*raised)


class _AsyncCopying:
    """The like in an async connection."""

    def __init__(self, ask: Callable[[], None], copying: Any) -> None:
        self._ask = ask
        self._copying = copying

    async def __aenter__(self) -> Any:
        self._ask()
        return await self._copying.__aenter__()

    async def __aexit__(self, *raised: object) -> Any:
        return await self._copying.__aexit__(*raised)


def _cursor(base: Any) -> Any:
    class Cursor(base):  # type: ignore[misc]
        __slots__ = ()

        def _start_query(self, *args: Any, **kwargs: Any) -> Any:
            # Nothing else can run between this and the connection's own method: a generator yields first in there.
            self._conn._purposebind_asked = True
            try:
                return (yield from super()._start_query(*args, **kwargs))
            except BaseException:
                self._conn._purposebind_asked = False  # closed, or of another error: the next cursor has not asked
                raise

    return Cursor


def _sync_cursor(watching: Watching, base: Any) -> Any:
    class Cursor(_cursor(base)):  # type: ignore[misc]
        __slots__ = ()

        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            _let(watching, self, query)
            return super().execute(query, *args, **kwargs)

        def executemany(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            _let(watching, self, query)
            return super().executemany(query, *args, **kwargs)

        def stream(self, query: Any, *args: Any, **kwargs: Any) -> Generator[Any]:
            # Asked when the first row is, for that is when the statement runs.
            _let(watching, self, query)
            yield from super().stream(query, *args, **kwargs)

        def copy(self, statement: Any, *args: Any, **kwargs: Any) -> Any:
            copying = super().copy(statement, *args, **kwargs)
            return _Copying(lambda: _let(watching, self, statement), copying)

    return Cursor


def _async_cursor(watching: Watching, base: Any) -> Any:
    class Cursor(_cursor(base)):  # type: ignore[misc]
        __slots__ = ()

        async def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            _let_on(watching, self, query)
            return await super().execute(query, *args, **kwargs)

        async def executemany(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            _let_on(watching, self, query)
            return await super().executemany(query, *args, **kwargs)

        async def stream(self, query: Any, *args: Any, **kwargs: Any) -> AsyncGenerator[Any]:
            _let_on(watching, self, query)
            async with aclosing(super().stream(query, *args, **kwargs)) as rows:
                async for row in rows:
                    yield row

        def copy(self, statement: Any, *args: Any, **kwargs: Any) -> Any:
            copying = super().copy(statement, *args, **kwargs)
            return _AsyncCopying(lambda: _let_on(watching, self, statement), copying)

    return Cursor
