"""asyncpg: connections, prepared statements and cursors that ask.

A prepared statement is asked about when it is prepared, and each time it is run: the scope may be another by then.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from purposebind import PolicyError
from purposebind.integrations.sqlalchemy.failing import clean

from .watching import Watching, itself, turned

__all__ = ["adopt"]

_TRANSACTIONS_OWN = ("start", "commit", "rollback", "__aenter__", "__aexit__")
_CONNECTIONS_OWN = ("add_listener", "remove_listener", "reset")


def adopt(watching: Watching, _dialect: Any, connection: Any) -> None:
    """Watch a connection of asyncpg."""
    import asyncpg  # type: ignore[import-untyped]

    # Not isinstance: asyncpg has it hold for the proxies of its pool, too.
    if asyncpg.Connection not in type(connection).__mro__:
        raise PolicyError(
            f"A creator made a connection of the class {type(connection).__module__}.{type(connection).__qualname__}"
            " for a guarded engine of postgresql+asyncpg, and it cannot be watched. Leave connecting to SQLAlchemy, or"
            " have async_creator= return what asyncpg.connect() returns, not a connection of asyncpg's pool."
        )
    watching.turn(connection, _connection)


@contextmanager
def _cleaning(quotes: bool | None) -> Generator[None]:
    """Take the values out of an error of the driver's, where it may quote tagged ones."""
    try:
        yield
    except Exception as error:
        if quotes and type(error).__module__.startswith("asyncpg."):  # not those of what a COPY reads from
            clean(error)
        raise


def _asked(watching: Watching, connection: Any, statement: Any) -> bool | None:
    asked = watching.let_on(connection, statement)
    if asked is not None:
        turned(connection)
    return asked


def _by_itself(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def run(*args: Any, **kwargs: Any) -> Any:
        with _cleaning(True), itself():  # a constraint may be checked at the end of a transaction
            return await method(*args, **kwargs)

    return run


def _not_by_itself(method: Callable[..., Any]) -> Callable[..., Any]:
    async def run(*args: Any, **kwargs: Any) -> Any:
        with itself(False):
            return await method(*args, **kwargs)

    return run


def _own(base: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: _by_itself(getattr(base, name)) for name in names if hasattr(base, name)}


def _connection(watching: Watching, base: Any) -> Any:
    class Connection(base):  # type: ignore[misc]
        __slots__ = ()

        async def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            with _cleaning(_asked(watching, self, query)):
                return await super().execute(query, *args, **kwargs)

        async def executemany(self, command: Any, *args: Any, **kwargs: Any) -> Any:
            with _cleaning(_asked(watching, self, command)):
                return await super().executemany(command, *args, **kwargs)

        async def fetch(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            with _cleaning(_asked(watching, self, query)):
                return await super().fetch(query, *args, **kwargs)

        async def fetchval(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            with _cleaning(_asked(watching, self, query)):
                return await super().fetchval(query, *args, **kwargs)

        async def fetchrow(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            with _cleaning(_asked(watching, self, query)):
                return await super().fetchrow(query, *args, **kwargs)

        async def fetchmany(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            with _cleaning(_asked(watching, self, query)):
                return await super().fetchmany(query, *args, **kwargs)

        async def prepare(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            with _cleaning(_asked(watching, self, query)):
                return watching.turn(await super().prepare(query, *args, **kwargs), _prepared)

        def cursor(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            return watching.turn(super().cursor(query, *args, **kwargs), _cursors)

        def transaction(self, *args: Any, **kwargs: Any) -> Any:
            return watching.turn(super().transaction(*args, **kwargs), _transaction)

        # The text that the driver writes says what is read or written; its options do not matter here.
        async def copy_from_query(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            quotes = watching.weigh(query)
            output = kwargs.get("output")
            if callable(output) and not hasattr(output, "write") and not isinstance(output, os.PathLike):
                kwargs["output"] = _not_by_itself(output)
            with _cleaning(quotes), itself():  # the driver asks the database to write the arguments into the text
                return await super().copy_from_query(query, *args, **kwargs)

        async def copy_from_table(self, table_name: Any, **kwargs: Any) -> Any:
            with _cleaning(watching.weigh(f"COPY {_table(table_name, kwargs)} TO STDOUT")):
                return await super().copy_from_table(table_name, **kwargs)

        async def copy_to_table(self, table_name: Any, **kwargs: Any) -> Any:
            with _cleaning(watching.weigh(f"COPY {_table(table_name, kwargs)} FROM STDIN{_condition(kwargs)}")):
                return await super().copy_to_table(table_name, **kwargs)

        async def copy_records_to_table(self, table_name: Any, **kwargs: Any) -> Any:
            with _cleaning(watching.weigh(f"COPY {_table(table_name, kwargs)} FROM STDIN{_condition(kwargs)}")):
                return await super().copy_records_to_table(table_name, **kwargs)

    for name, method in _own(base, _CONNECTIONS_OWN).items():
        setattr(Connection, name, method)
    return Connection


def _table(name: str, options: dict[str, Any]) -> str:
    schema, columns = options.get("schema_name"), options.get("columns")
    if columns is not None:
        columns = options["columns"] = list(columns)  # the driver reads them after us
    table = f"{_quoted(schema)}.{_quoted(name)}" if schema else _quoted(name)
    return f"{table} ({', '.join(_quoted(column) for column in columns)})" if columns else table


def _condition(options: dict[str, Any]) -> str:
    where = options.get("where")
    return f" WHERE {where}" if where else ""


def _quoted(identifier: str) -> str:
    doubled = identifier.replace('"', '""')
    return f'"{doubled}"'


def _transaction(_watching: Watching, base: Any) -> Any:
    return type(base)(base.__name__, (base,), {"__slots__": (), **_own(base, _TRANSACTIONS_OWN)})


def _prepared(watching: Watching, base: Any) -> Any:
    class PreparedStatement(base):  # type: ignore[misc]
        __slots__ = ()

        # explain() is no road of its own: the driver has the connection fetch it.
        async def fetch(self, *args: Any, **kwargs: Any) -> Any:
            with _cleaning(_asked(watching, self._connection, self._query)):
                return await super().fetch(*args, **kwargs)

        async def fetchval(self, *args: Any, **kwargs: Any) -> Any:
            with _cleaning(_asked(watching, self._connection, self._query)):
                return await super().fetchval(*args, **kwargs)

        async def fetchrow(self, *args: Any, **kwargs: Any) -> Any:
            with _cleaning(_asked(watching, self._connection, self._query)):
                return await super().fetchrow(*args, **kwargs)

        async def fetchmany(self, *args: Any, **kwargs: Any) -> Any:
            with _cleaning(_asked(watching, self._connection, self._query)):
                return await super().fetchmany(*args, **kwargs)

        async def executemany(self, *args: Any, **kwargs: Any) -> Any:
            with _cleaning(_asked(watching, self._connection, self._query)):
                return await super().executemany(*args, **kwargs)

        def cursor(self, *args: Any, **kwargs: Any) -> Any:
            return watching.turn(super().cursor(*args, **kwargs), _cursors)

    return PreparedStatement


def _cursors(watching: Watching, base: Any) -> Any:
    class CursorFactory(base):  # type: ignore[misc]
        __slots__ = ()

        # Asked when it is opened, for it may have been made in another scope.
        def __aiter__(self) -> Any:
            watching.let_on(self._connection, self._query)
            return super().__aiter__()

        def __await__(self) -> Any:
            watching.let_on(self._connection, self._query)
            return super().__await__()

    return CursorFactory
