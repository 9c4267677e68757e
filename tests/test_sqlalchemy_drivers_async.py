"""What a guarded async engine's connections run is checked, in the caller's context: aiosqlite, psycopg, asyncpg."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from postgres_server import running
from real_parts import need
from sqlalchemy import event, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from test_sqlalchemy_drivers import ACCOUNT, METADATA, READ, TOLD, WRITE, Guard, Refused, url_of

from purposebind import PolicyError
from purposebind.integrations.sqlalchemy import drivers

DRIVERS = ("aiosqlite", "psycopg", "asyncpg")
SCOPE: ContextVar[str] = ContextVar("scope", default="none")


class Noting(Guard):
    """Notes the caller's context too, as a guard that asks for the active purposes does."""

    depth = 2

    def check(self, connection: Any, statement: str) -> None:
        self.scopes.append(SCOPE.get())
        super().check(connection, statement)

    def __init__(self, engine: AsyncEngine) -> None:
        self.scopes: list[str] = []
        super().__init__(engine.sync_engine)

    def forget(self) -> None:
        super().forget()
        self.scopes.clear()


@contextlib.asynccontextmanager
async def guarded(driver: str, tmp_path: Path, **options: Any) -> AsyncIterator[tuple[AsyncEngine, Noting]]:
    if driver == "aiosqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'accounts.db'}"
    else:
        need("initdb")
        url = url_of(running().new_database(), driver)
    engine = create_async_engine(url, **options)
    guard = Noting(engine)
    async with engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
        await connection.execute(insert(ACCOUNT).values(phone="1"))
    guard.forget()
    try:
        yield engine, guard
    finally:
        await engine.dispose()


@contextlib.asynccontextmanager
async def raw_connection(engine: AsyncEngine) -> AsyncIterator[Any]:
    async with engine.connect() as connection:
        yield (await connection.get_raw_connection()).driver_connection


async def refused(road: Callable[[], Awaitable[Any]]) -> None:
    with pytest.raises(Refused):
        await road()


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_sqlalchemy_runs_is_checked_once(driver: str, tmp_path: Path) -> None:
    """Each query would be weighed, and recorded, twice; or loading entities would be refused as raw SQL."""

    async def main() -> None:
        async with guarded(driver, tmp_path, isolation_level="SERIALIZABLE", pool_pre_ping=True) as (engine, guard):
            for _ in range(2):  # the second time, statements are found prepared
                async with engine.begin() as connection:
                    await connection.execute(insert(ACCOUNT), [{"phone": str(n)} for n in range(2, 5)])
                    returning = insert(ACCOUNT).returning(ACCOUNT.c.id)
                    await connection.execute(returning, [{"phone": str(n)} for n in range(5, 2500)])
                    await connection.execute(text(READ))
                    await connection.exec_driver_sql(WRITE)
                    async with connection.begin_nested():
                        rows = await connection.stream_scalars(select(ACCOUNT.c.phone))
                        assert len([row async for row in rows]) >= 2500
            assert len([statement for statement in guard.above if statement.startswith("INSERT")]) > 6  # batches
            assert guard.raw == []

    asyncio.run(main())


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_raw_statement_is_checked_in_the_callers_context(driver: str, tmp_path: Path) -> None:
    """A statement that runs in another thread would be checked without the caller's scope, and refused or let by."""

    async def main() -> None:
        async with guarded(driver, tmp_path) as (engine, guard):
            SCOPE.set("advertising")
            async with engine.connect() as connection:

                def adapted(sync_connection: Any) -> list[Any]:
                    cursor = sync_connection.connection.cursor()
                    cursor.execute(READ)
                    return list(cursor.fetchall())

                assert [tuple(row) for row in await connection.run_sync(adapted)] == [("1",)]
                raw = await connection.get_raw_connection()
                fetch = "fetch" if driver == "asyncpg" else "execute"
                await getattr(raw.driver_connection, fetch)(READ)
                assert guard.raw == [READ] * (3 if driver == "asyncpg" else 2)  # prepared, run, run
                assert set(guard.scopes) == {"advertising"}
                guard.refuses = "phone"
                await refused(lambda: connection.run_sync(adapted))
                await refused(lambda: getattr(raw.driver_connection, fetch)(READ))
                await refused(lambda: connection.execute(text(WRITE)))
            guard.refuses = "(?!)"
            async with engine.connect() as connection:
                assert (await connection.scalars(select(ACCOUNT.c.phone))).all() == ["1"]

    asyncio.run(main())


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_pass_is_for_one_cursor_one_text_and_one_time(driver: str, tmp_path: Path) -> None:
    """A statement that somebody runs while another one is under way would slip through on its pass."""

    async def main() -> None:
        async with guarded(driver, tmp_path) as (engine, guard):
            kept: list[Any] = []

            def sneaking(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
                if statement == READ and not kept:
                    kept.append(cursor)
                    connection.connection.cursor().execute(READ)
                    cursor.execute("SELECT 3")
                    connection.exec_driver_sql("SELECT 4")  # which passes on its own

            event.listen(engine.sync_engine, "before_cursor_execute", sneaking)
            async with engine.connect() as connection:
                await connection.exec_driver_sql(READ)
                assert list(dict.fromkeys(guard.raw)) == [READ, "SELECT 3"]
                assert guard.above == [READ, "SELECT 4"]
                guard.refuses = "phone"

                def own(_connection: Any) -> None:
                    cursor = _connection.connection.cursor()
                    drivers.passed(None, cursor, READ)
                    cursor.execute(READ)
                    drivers.finished(None, cursor)
                    cursor.close()
                    drivers.finished(None, cursor)

                await connection.run_sync(own)

                def again(_connection: Any) -> None:
                    fresh = _connection.connection.cursor()
                    fresh.execute(READ)

                await refused(lambda: connection.run_sync(again))

            def failing(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
                if statement == READ:
                    kept[0] = cursor
                    raise LookupError

            guard.refuses = "(?!)"
            event.listen(engine.sync_engine, "before_cursor_execute", failing)
            async with engine.connect() as connection:
                with pytest.raises(LookupError):
                    await connection.exec_driver_sql(READ)
                guard.refuses = "phone"
                await connection.rollback()

                def reused(_connection: Any) -> None:
                    kept[0].execute(READ)

                if TOLD:
                    await refused(lambda: connection.run_sync(reused))

    asyncio.run(main())


@pytest.mark.parametrize("driver", DRIVERS)
def test_connecting_is_the_dialects_own(driver: str, tmp_path: Path) -> None:
    """An engine could not connect at all where its dialect's own questions are refused."""

    async def main() -> None:
        async with guarded(driver, tmp_path) as (engine, _):
            fresh = create_async_engine(engine.url, pool_pre_ping=True, isolation_level="SERIALIZABLE")
            guard = Noting(fresh)
            guard.refuses = ""
            for _ in range(2):
                async with fresh.connect() as connection:
                    assert await connection.get_raw_connection()
            await fresh.dispose()
            assert guard.raw == []

    asyncio.run(main())


def test_aiosqlite_roads(tmp_path: Path) -> None:
    """aiosqlite's shortcuts would go round the cursor that checks, and a dump would show every phone number."""

    async def main() -> None:
        async with guarded("aiosqlite", tmp_path) as (engine, guard), raw_connection(engine) as connection:
            async with connection.execute(READ) as cursor:
                assert await cursor.fetchall() == [("1",)]
            async with connection.cursor() as cursor:
                await cursor.execute(READ)
                await cursor.executemany(WRITE, [()])
                await cursor.executescript("SELECT 1")
                with pytest.raises(PolicyError, match="would go unchecked"):
                    cursor.connection.execute(READ)
            assert await connection.execute_fetchall(READ, ())
            await connection.execute_insert(WRITE)
            await connection.executemany(WRITE, [()])
            await connection.executescript("SELECT 2")
            await connection.rollback()
            assert guard.raw == [READ, READ, WRITE, "SELECT 1", READ, WRITE, WRITE, "SELECT 2"]
            guard.refuses = ""
            for name in ("execute", "execute_fetchall", "execute_insert", "executescript"):
                await refused(lambda name=name: getattr(connection, name)(WRITE))  # type: ignore[misc]
            await refused(lambda: connection.executemany(WRITE, [()]))
            with pytest.raises(PolicyError, match="iterdump"):
                connection.iterdump()
            with pytest.raises(PolicyError, match="backup"):
                await connection.backup(None)

    asyncio.run(main())


def test_psycopg_async_roads(tmp_path: Path) -> None:
    """COPY and the cursors for large results are how a whole table leaves; each would go unchecked."""
    out, into = "COPY account (phone) TO STDOUT", "COPY account (id, phone) FROM STDIN"

    async def main() -> None:
        import psycopg

        async with guarded("psycopg", tmp_path) as (engine, guard), raw_connection(engine) as connection:
            assert isinstance(connection, psycopg.AsyncConnection)
            cursor = connection.cursor()
            async with cursor.copy(out) as copy:
                assert [bytes(part) async for part in copy] == [b"1\n"]
            async with cursor.copy(into) as copy:
                await copy.write_row((7, "7"))
            stream = cursor.stream(READ)
            assert guard.raw == [out, into]
            assert len([row async for row in stream]) == 2
            async with connection.cursor("named") as named:
                await named.execute(READ)
                assert len(await named.fetchall()) == 2
            await cursor.executemany("SELECT %s", [(1,)], returning=True)
            assert guard.raw == [out, into, READ, READ, "SELECT %s"]
            assert await psycopg.types.TypeInfo.fetch(connection, "text")
            assert await connection.tpc_recover() == []
            with pytest.raises(PolicyError, match="made by hand"):
                await psycopg.AsyncCursor(connection).execute(READ)
            assert len(guard.raw) == 5
            await connection.rollback()
            guard.refuses = ""
            named = connection.cursor("named")
            for road in (
                lambda: cursor.copy(out).__aenter__(),
                lambda: cursor.copy(into).__aenter__(),
                lambda: cursor.stream(READ).__anext__(),
                lambda: named.execute(READ),
                lambda: connection.execute(READ.encode()),
            ):
                await refused(road)
            await named.close()

    asyncio.run(main())


def test_asyncpg_roads(tmp_path: Path) -> None:
    """asyncpg's many ways to run a statement would each be a way round the check."""
    out, into = 'COPY "public"."account" ("id", "phone") TO STDOUT', 'COPY "account" ("id", "phone") FROM STDIN'
    one = READ + " WHERE id = $1"

    async def main() -> None:
        async with guarded("asyncpg", tmp_path) as (engine, guard), raw_connection(engine) as connection:
            named: dict[str, Any] = {"columns": ["id", "phone"]}
            roads: dict[str, tuple[str, Callable[[], Awaitable[Any]]]] = {
                "execute": (READ, lambda: connection.execute(READ)),
                "execute with arguments": (one, lambda: connection.execute(one, 1)),
                "executemany": (one, lambda: connection.executemany(one, [(1,)])),
                "fetch": (READ, lambda: connection.fetch(READ)),
                "fetchval": (one, lambda: connection.fetchval(one, 1)),
                "fetchrow": (READ, lambda: connection.fetchrow(READ)),
                "fetchmany": (one, lambda: connection.fetchmany(one, [(1,)])),
                "prepare": (READ, lambda: connection.prepare(READ)),
                "cursor": (READ, lambda: connection.cursor(READ)),
                "copy_from_query": (one, lambda: connection.copy_from_query(one, 1, output=io.BytesIO())),
                "copy_from_table": (
                    out,
                    lambda: connection.copy_from_table(
                        "account", schema_name="public", columns=iter(["id", "phone"]), output=io.BytesIO()
                    ),
                ),
                "copy_to_table": (
                    into,
                    lambda: connection.copy_to_table("account", source=io.BytesIO(b"7\t7\n"), **named),
                ),
                "copy_records_to_table": (
                    into + " WHERE phone = '8'",
                    lambda: connection.copy_records_to_table(
                        "account", records=[(8, "8"), (9, "9")], where="phone = '8'", **named
                    ),
                ),
            }
            other = await engine.connect()
            beside = (await other.get_raw_connection()).driver_connection

            async def writing(_data: bytes) -> None:
                await beside.fetch("SELECT 5")

            await connection.copy_from_query(READ, output=writing)
            assert guard.raw == [READ, "SELECT 5"]
            guard.forget()
            await other.close()
            async with connection.transaction(isolation="repeatable_read"), connection.transaction():
                for name, (statement, road) in roads.items():
                    await road()
                    assert guard.raw == [statement], name
                    guard.forget()
                assert [row["phone"] async for row in connection.cursor(READ + " ORDER BY id")] == ["1", "7", "8"]
                assert guard.raw == [READ + " ORDER BY id"]
                await connection.execute("DELETE FROM account WHERE id > 1")
                guard.refuses = ""
                for _, road in roads.values():
                    await refused(road)
                with pytest.raises(Refused):
                    async for _ in connection.cursor(READ):
                        pass
                guard.refuses = "(?!)"
                assert await connection.fetchval("SELECT count(*) FROM account") == 1
            guard.forget()
            guard.refuses = ""
            await connection.add_listener("news", print)
            await connection.remove_listener("news", print)
            await connection.reset()
            assert guard.raw == []

    asyncio.run(main())


def test_asyncpg_prepared_statements_are_checked_when_run(tmp_path: Path) -> None:
    """A statement prepared in one scope would be run in any other."""
    one = READ + " WHERE id = $1"

    async def main() -> None:
        async with guarded("asyncpg", tmp_path) as (engine, guard), raw_connection(engine) as connection:
            statement = await connection.prepare(one)
            async with connection.transaction():
                guard.forget()
                roads: list[Callable[[], Awaitable[Any]]] = [
                    lambda: statement.fetch(1),
                    lambda: statement.fetchval(1),
                    lambda: statement.fetchrow(1),
                    lambda: statement.fetchmany([(1,)]),
                    lambda: statement.executemany([(1,)]),
                    lambda: statement.cursor(1),
                ]
                for road in roads:
                    await road()
                    assert guard.raw == [one]
                    guard.forget()
                with contextlib.suppress(TypeError):  # of SQLAlchemy's codec for JSON
                    await statement.explain(1)
                assert guard.raw == ["EXPLAIN (FORMAT JSON, VERBOSE) " + one]
                guard.refuses = ""
                for road in [*roads, lambda: statement.explain(1)]:
                    await refused(road)

    asyncio.run(main())


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_async_creators_are_watched(driver: str, tmp_path: Path) -> None:
    """A connection that somebody makes for the engine by hand would be the unwatched one."""

    async def main() -> None:
        import asyncpg
        import psycopg

        need("initdb")
        dsn = running().new_database()
        parts = dict(part.split("=") for part in dsn.split())
        pool = None

        class Own(asyncpg.Connection):  # type: ignore[misc]
            pass

        async def creator() -> Any:
            if driver == "psycopg":
                return await psycopg.AsyncConnection.connect(dsn)
            return await asyncpg.connect(
                host=parts["host"], user=parts["user"], database=parts["dbname"], connection_class=Own
            )

        engine = create_async_engine(f"postgresql+{driver}://", async_creator=creator)
        guard = Noting(engine)
        async with engine.connect() as connection:
            await connection.exec_driver_sql("SELECT 0")
            raw = await connection.get_raw_connection()
            await raw.driver_connection.execute("SELECT 1")
            assert driver == "psycopg" or isinstance(raw.driver_connection, Own)
        assert (guard.above, guard.raw) == (["SELECT 0"], ["SELECT 1"])
        await engine.dispose()
        if driver == "psycopg":
            return
        pool = await asyncpg.create_pool(
            host=parts["host"], user=parts["user"], database=parts["dbname"], min_size=1, max_size=1
        )
        engine = create_async_engine("postgresql+asyncpg://", async_creator=pool.acquire)
        Noting(engine)
        with pytest.raises(PolicyError, match=r"not a connection of asyncpg's pool"):
            await engine.connect()
        pool.terminate()
        await engine.dispose()

    asyncio.run(main())
