"""`assume_roles` on async engines, where events run in a greenlet: the same role, for the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from postgres_tables import Account, Base, Database, made
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR
from real_parts import need
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from purposebind import NoActivePurpose, PolicyError, purpose_scope
from purposebind.integrations.postgres import assume_roles
from purposebind.integrations.sqlalchemy import guard

need("initdb")

ROLE = text("SELECT current_user")


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with made() as database:
        yield database


async def raw(connection: AsyncConnection) -> str:
    """The role in force, asked by a method of the driver's own."""
    pooled = await connection.get_raw_connection()
    driver: Any = pooled.driver_connection
    if hasattr(driver, "fetchval"):
        return str(await driver.fetchval("SELECT current_user"))
    cursor = await driver.execute("SELECT current_user")
    return str((await cursor.fetchone())[0])


@asynccontextmanager
async def connected(database: Database, driver: str) -> AsyncIterator[AsyncEngine]:
    """An engine of one connection, so that what one use of it leaves is what the next finds."""
    engine = guard(database.async_engine(driver, pool_size=1, max_overflow=0), Base.metadata)
    assert assume_roles(engine, Base.metadata, prefix=database.prefix) is engine
    try:
        yield engine
    finally:
        await engine.dispose()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
@pytest.mark.parametrize("isolation", [None, "AUTOCOMMIT"])
def test_each_statement_runs_under_the_purposes_active_then(
    database: Database, isolation: str | None, driver: str
) -> None:
    """R2, R5: an async service would run everything as its login, or keep the last request's role."""

    async def main() -> None:
        async with connected(database, driver) as engine:
            for _ in range(2):
                async with engine.connect() as plain:
                    options: dict[str, Any] = {"isolation_level": isolation} if isolation else {}
                    connection = await plain.execution_options(**options)
                    with purpose_scope(TWO_FACTOR):
                        assert (await connection.execute(ROLE)).scalar_one() == database.role(TWO_FACTOR)
                        phones = await connection.execute(text("SELECT phone FROM account WHERE id = 1"))
                        assert phones.scalar_one() == SECRET
                    with purpose_scope(ADVERTISING):
                        assert (await connection.execute(ROLE)).scalar_one() == database.role(ADVERTISING)
                        assert await raw(connection) == database.role(ADVERTISING)
                async with engine.connect() as plain:
                    assert await raw(plain) == database.login

    asyncio.run(main())


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_entities_are_loaded_in_any_scope(database: Database, driver: str) -> None:
    """R1: moving sealed values is no read, and a service that could not load an account could do nothing."""

    async def main() -> None:
        async with connected(database, driver) as engine, AsyncSession(engine) as session:
            with purpose_scope(ADVERTISING):
                account = await session.get_one(Account, 1)
                assert account.handle == "ada"
                assert await raw(await session.connection()) == database.role(ADVERTISING)
            async for one in await session.stream_scalars(select(Account).execution_options(yield_per=1)):
                assert one.handle == "ada"
            with pytest.raises(NoActivePurpose):
                account.phone

    asyncio.run(main())


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_a_role_that_was_dropped_is_said_to_be_missing(driver: str) -> None:
    """A role that was there a minute ago would end in an error of the driver's about a parameter."""

    async def main() -> None:
        with made() as other:
            async with connected(other, driver) as engine:
                with purpose_scope(SECURITY):
                    async with engine.connect() as connection:
                        await connection.execute(ROLE)
                    name = other.role(SECURITY)
                    other.run(f'DROP OWNED BY "{name}"; DROP ROLE "{name}"')
                    async with engine.connect() as connection:
                        with pytest.raises(PolicyError, match="has no role"):
                            await connection.execute(ROLE)

    asyncio.run(main())


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_a_server_that_was_restarted_is_an_error_of_sqlalchemys(database: Database, driver: str) -> None:
    """After a restart a request would fail with an error that nobody catches, and the next one too."""

    async def main() -> None:
        async with connected(database, driver) as engine:
            async with engine.connect() as connection:
                pid = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            database.rows(f"SELECT pg_terminate_backend({pid}, 5000)")
            async with engine.connect() as connection:
                with pytest.raises(DBAPIError) as caught:
                    await connection.execute(ROLE)
                assert caught.value.connection_invalidated
            async with engine.connect() as connection:
                assert (await connection.execute(ROLE)).scalar_one() == database.role()

    asyncio.run(main())


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_a_task_that_is_cancelled_leaves_no_role(database: Database, driver: str) -> None:
    """R5: clients hang up all day; the next request would have the connection with the rights of the last."""

    async def main() -> None:
        async with connected(database, driver) as engine:
            started = asyncio.Event()

            async def work() -> None:
                with purpose_scope(TWO_FACTOR):
                    async with engine.connect() as connection:
                        await connection.execute(ROLE)
                        started.set()
                        await asyncio.Event().wait()

            task = asyncio.create_task(work())
            await started.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with engine.connect() as connection:
                assert await raw(connection) == database.login

    asyncio.run(main())
