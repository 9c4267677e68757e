"""Roads that well-meaning code takes with a driver: errors and logs that quote, many tasks on one pool, odd cursors."""

from __future__ import annotations

import asyncio
import io
import logging
import random
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from postgres_tables import Account, Base, Database, made
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR
from real_parts import need
from sqlalchemy import select, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from purposebind import PolicyError, Purpose, PurposeViolation, purpose_scope
from purposebind.integrations.postgres import assume_roles
from purposebind.integrations.sqlalchemy import guard

need("initdb")

_SCOPES = (None, TWO_FACTOR, SECURITY, ADVERTISING)
_KINDS = ("column", "entity", "raw", "where", "stream", "plain")


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with made() as database:
        yield database


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    engine = guard(database.engine(poolclass=QueuePool), Base.metadata)
    yield engine
    engine.dispose()


@asynccontextmanager
async def connected(database: Database, driver: str, user: str = "postgres") -> AsyncGenerator[AsyncEngine]:
    engine = guard(create_async_engine(database.url(user, driver), pool_size=3, max_overflow=1), Base.metadata)
    yield engine
    await engine.dispose()


def told(error: BaseException) -> str:
    """All that a log or a report of errors might take from an error and those behind it."""
    found = []
    while error is not None:
        diag = getattr(error, "diag", None)
        fields = [getattr(diag, name) for name in dir(diag) if not name.startswith("_")] if diag is not None else []
        found += [repr(error), str(error), repr(vars(error)), repr(fields), repr(getattr(error, "args", ()))]
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return "\n".join(found)


# --- Errors and logs -------------------------------------------------------------------------------------------------

_COLUMNS = "account (id, handle, phone, email)"
_FAILING = {
    "unique": f"INSERT INTO {_COLUMNS} VALUES (2, 'x', '{SECRET}', 'ada@example.com')",
    "not null": f"INSERT INTO {_COLUMNS} VALUES (2, NULL, '{SECRET}', 'x')",
    "cast": f"UPDATE account SET id = '{SECRET}x'::text::int",
}


@pytest.mark.parametrize("case", _FAILING)
def test_an_error_of_a_raw_statement_quotes_nothing(engine: Engine, case: str) -> None:
    """R7: the server's DETAIL has the whole row in it, and a job that loads data logs each error it meets."""
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        with pytest.raises(psycopg.Error) as caught:
            raw.execute(_FAILING[case])
        assert SECRET not in told(caught.value)
        assert "ada@example.com" not in told(caught.value)
        assert caught.value.sqlstate, "which kind of error it is can still be told"


def test_an_error_of_a_bulk_load_quotes_nothing(engine: Engine) -> None:
    """R7: of a bad line in a file the server's CONTEXT shows the line."""
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        with (
            pytest.raises(psycopg.Error) as caught,
            raw.cursor() as cursor,
            cursor.copy(f"COPY {_COLUMNS} FROM STDIN") as copy,
        ):
            copy.write(f"2{SECRET}x\tx\t{SECRET}\tx\n")
        assert SECRET not in told(caught.value)


_LATER = f"INSERT INTO later VALUES (1, '{SECRET}'), (2, '{SECRET}')"
_CHECKING = {
    "COMMIT": _LATER,
    "SET CONSTRAINTS ALL IMMEDIATE": _LATER,
    "CREATE UNIQUE INDEX ON visit (account_id)": f"INSERT INTO visit VALUES (1, 1), (2, 1); {_LATER}",
    "ALTER TABLE account ALTER COLUMN phone TYPE integer USING phone::bigint::integer": "SELECT 1",
}


@pytest.mark.parametrize("statement", _CHECKING)
def test_an_error_of_a_statement_that_names_no_row_quotes_nothing(database: Database, statement: str) -> None:
    """R7: a deferred constraint is checked by COMMIT, and a migration checks all rows there are; both quote one."""
    database.run("CREATE TABLE IF NOT EXISTS later (id int, phone text UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    engine = guard(database.engine(), Base.metadata, relations=["later"])
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        ways: list[Callable[[], object]] = [
            lambda: raw.execute(statement),
            lambda: connection.exec_driver_sql(statement),
        ]
        if statement == "COMMIT":
            ways += [raw.commit, connection.commit]
        for way in ways:
            connection.exec_driver_sql("SELECT 1")
            raw.execute(_CHECKING[statement])
            with pytest.raises((psycopg.Error, DBAPIError)) as caught:
                way()
            assert SECRET.lstrip("+") not in told(caught.value)
            assert "DETAIL" not in told(caught.value)
            connection.rollback()


def test_an_error_that_touches_no_tag_is_left_as_it_is(engine: Engine) -> None:
    """A developer could not find out what is wrong with a table that has nothing to hide."""
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        with pytest.raises(psycopg.Error) as caught:
            raw.execute("INSERT INTO visit (id, account_id) VALUES (1, 4711)")
        assert "4711" in str(caught.value)


def test_an_error_that_was_being_handled_keeps_its_words(engine: Engine) -> None:
    """Code that notes a failure in the database would find its own exception overwritten, if that fails as well."""
    with engine.connect() as connection:
        handled = LookupError("the parcel is lost")
        with pytest.raises(IntegrityError):
            try:
                raise handled
            except LookupError:
                connection.execute(text(_FAILING["unique"]))
        assert handled.args == ("the parcel is lost",)


def test_asyncpg_errors_of_raw_statements_quote_nothing(database: Database) -> None:
    """R7: the like for asyncpg, whose bulk loading is the reason to go below SQLAlchemy at all."""

    async def main() -> None:
        async with connected(database, "asyncpg") as engine, engine.connect() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            row = (2, "x", SECRET, "ada@example.com")
            columns = ["id", "handle", "phone", "email"]
            insert = f"INSERT INTO {_COLUMNS} VALUES ($1, $2, $3, $4)"
            source = f"x2,x,{SECRET},x\n".encode()
            ways: list[Callable[[], Any]] = [
                lambda: raw.copy_records_to_table("account", records=[row], columns=columns),
                lambda: raw.copy_to_table("account", source=io.BytesIO(source), columns=columns, format="csv"),
                lambda: raw.execute(insert, *row),
                lambda: raw.executemany(insert, [row]),
                lambda: raw.execute(insert, SECRET, *row[1:]),
                lambda: raw.fetch("SELECT handle FROM account WHERE id = $1::text::int", SECRET + "x"),
            ]
            for failing in ways:
                with pytest.raises(Exception) as caught:
                    await failing()
                assert SECRET not in told(caught.value), caught.value
                assert "ada@example.com" not in told(caught.value)

    asyncio.run(main())


def test_aiosqlite_logs_no_parameters(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """R7: aiosqlite logs each call with what it is called with, and DEBUG is what one turns on to look for an error."""

    async def main() -> None:
        engine = guard(create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}", echo="debug"), Base.metadata)
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with AsyncSession(engine) as session:
            session.add(Account(handle="ada", phone=SECRET, email="ada@example.com"))
            await session.commit()
            raw: Any = (await (await session.connection()).get_raw_connection()).driver_connection
            await raw.execute("UPDATE account SET phone = ?", (SECRET,))
        await engine.dispose()

    with caplog.at_level(logging.DEBUG):
        asyncio.run(main())
    assert any(record.name == "aiosqlite" for record in caplog.records)
    assert SECRET not in caplog.text


# --- Cursors ---------------------------------------------------------------------------------------------------------


def test_a_cursor_made_by_hand_finds_nothing_left_behind(engine: Engine) -> None:
    """R1: what was noted for a cursor that failed before it ran would let the next one through that never asked."""
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        closed = raw.cursor()
        closed.close()
        with pytest.raises(psycopg.InterfaceError):
            closed.execute("SELECT 1")
        with pytest.raises(PolicyError, match="made by hand"):
            psycopg.ClientCursor(raw).execute("SELECT phone FROM account")


# --- Many at once ----------------------------------------------------------------------------------------------------


def _judged(kind: str, purpose: Purpose | None, outcome: Any) -> str | None:
    """What is wrong with how an attempt went, or None."""
    allowed = kind == "plain" or purpose is TWO_FACTOR
    wanted = _WANTED.get(kind, outcome)  # what was to be cancelled may have ended before
    right = isinstance(outcome, PurposeViolation) != allowed and (not allowed or outcome == wanted)
    return None if right else f"{kind} for {purpose}: {outcome!r}"


_WANTED: dict[str, Any] = {
    "column": [SECRET],
    "entity": SECRET,
    "raw": [SECRET],
    "where": [1],
    "stream": [SECRET],
    "plain": ["ada"],
}


def _attempt(engine: Engine, kind: str) -> Any:
    with Session(engine) as session:
        if kind == "entity":
            return session.scalars(select(Account)).one().phone
        if kind == "raw":
            session.execute(text("SELECT 1"))
            cursor = session.connection().connection.cursor()
            cursor.execute("SELECT phone FROM account")
            return [row[0] for row in cursor.fetchall()]
        if kind == "where":
            return session.scalars(select(Account.id).where(Account.phone == SECRET)).all()
        column = Account.handle if kind == "plain" else Account.phone
        return session.scalars(select(column).execution_options(yield_per=1 if kind == "stream" else None)).all()


@pytest.mark.parametrize("roles", [False, True])
def test_threads_with_other_purposes_share_a_pool(database: Database, roles: bool) -> None:
    """R3, R5: one request would read with the scope, the pass or the role of another that had the connection before."""
    login = database.login if roles else "postgres"
    engine = guard(database.engine(login, poolclass=QueuePool, pool_size=2, max_overflow=1), Base.metadata)
    if roles:
        assume_roles(engine, Base.metadata, prefix=database.prefix)
    together = threading.Barrier(6)

    def work(seed: int) -> list[str | None]:
        chance = random.Random(seed)
        together.wait()
        found = []
        for _ in range(30):
            purpose, kind = chance.choice(_SCOPES), chance.choice(_KINDS)
            try:
                if purpose is None:
                    outcome = _attempt(engine, kind)
                else:
                    with purpose_scope(purpose):
                        outcome = _attempt(engine, kind)
            except Exception as error:
                outcome = error
            found.append(_judged(kind, purpose, outcome))
        return found

    with ThreadPoolExecutor(6) as threads:
        wrong = [one for found in threads.map(work, range(6)) for one in found if one is not None]
    engine.dispose()
    assert wrong == []


async def _attempt_async(engine: AsyncEngine, kind: str, patience: float) -> Any:
    async with AsyncSession(engine) as session:
        if kind == "cancelled":
            # Before Python 3.12 a pool's wait may swallow a cancellation: then it ends by itself, soon.
            waiting = session.execute(text("SELECT phone, pg_sleep(1) FROM account"))
            return await asyncio.wait_for(waiting, patience)
        if kind == "entity":
            return (await session.scalars(select(Account))).one().phone
        if kind == "raw":
            connection = await session.connection()
            await connection.execute(text("SELECT 1"))
            raw: Any = (await connection.get_raw_connection()).driver_connection
            if hasattr(raw, "fetchval"):
                return [await raw.fetchval("SELECT phone FROM account")]
            cursor = await raw.execute("SELECT phone FROM account")
            return [row[0] for row in await cursor.fetchall()]
        if kind == "where":
            return (await session.scalars(select(Account.id).where(Account.phone == SECRET))).all()
        column = Account.handle if kind == "plain" else Account.phone
        if kind == "stream":
            return [one async for one in await session.stream_scalars(select(column))]
        return (await session.scalars(select(column))).all()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
@pytest.mark.parametrize("roles", [False, True])
def test_tasks_with_other_purposes_share_a_pool(database: Database, driver: str, roles: bool) -> None:
    """R3, R5: a task that is cancelled in the middle of a statement would leave its pass or its role to the next."""

    async def work(engine: AsyncEngine, seed: int) -> list[str | None]:
        chance = random.Random(seed)
        found = []
        for _ in range(20):
            purpose, kind = chance.choice(_SCOPES), chance.choice((*_KINDS, "cancelled"))
            outcome: Any
            try:
                if purpose is None:
                    outcome = await _attempt_async(engine, kind, chance.random() / 50)
                else:
                    with purpose_scope(purpose):
                        outcome = await _attempt_async(engine, kind, chance.random() / 50)
            except Exception as error:
                outcome = error
            gave_up = kind == "cancelled" and isinstance(outcome, (TimeoutError, asyncio.TimeoutError))
            found.append(None if gave_up else _judged(kind, purpose, outcome))
        return found

    async def main() -> None:
        async with connected(database, driver, database.login if roles else "postgres") as engine:
            if roles:
                assume_roles(engine, Base.metadata, prefix=database.prefix)
            all_found = await asyncio.gather(*(work(engine, seed) for seed in range(6)))
            assert [one for found in all_found for one in found if one is not None] == []

    asyncio.run(main())
