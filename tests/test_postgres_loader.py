"""What the server lets through and what it refuses: entities under the loader's role, all else under the purposes'."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from postgres_tables import Account, Base, Database, below, made, raw, role
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR
from real_parts import need
from sqlalchemy import select, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, defer

from purposebind import PolicyError, purpose_scope
from purposebind.integrations.postgres import assume_roles
from purposebind.integrations.sqlalchemy import guard

need("initdb")


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with made() as database:
        yield database


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    """One connection, so that a test sees what the test before it on the same connection left."""
    engine = database.engine(database.login, pool_size=1, max_overflow=0)
    guard(engine, Base.metadata)
    assume_roles(engine, Base.metadata, prefix=database.prefix)
    yield engine
    engine.dispose()


# --- The loader ------------------------------------------------------------------------------------------------------


def test_entities_are_loaded_in_any_scope(engine: Engine, database: Database) -> None:
    """R1: moving sealed values is no read, and a service that could not load an account could do nothing."""
    with purpose_scope(ADVERTISING), Session(engine) as session:
        account = session.get(Account, 1)
        assert account is not None
        assert account.handle == "ada"
        assert raw(session.connection()) == database.role(ADVERTISING), "the loader's rights last for one statement"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            below(session.connection(), "SELECT phone FROM account")


def test_entities_are_written_in_no_scope(engine: Engine, database: Database) -> None:
    """R1: a sign-up reads nothing."""
    with Session(engine) as session:
        session.add(Account(handle="grace", phone="+1555", email="grace@example.com"))
        session.flush()
        assert raw(session.connection()) == database.role()


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "AUTOCOMMIT"])
def test_the_loader_does_not_stay_after_an_error(engine: Engine, database: Database, isolation: Any) -> None:
    """R5: a load that failed would leave a connection that may read everything."""
    with engine.connect() as plain, purpose_scope(ADVERTISING):
        connection = plain.execution_options(isolation_level=isolation)
        with Session(connection) as session, pytest.raises(DBAPIError):
            session.scalars(select(Account).where(Account.id / 0 == 1)).all()
        connection.rollback()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            below(connection, "SELECT phone FROM account")
    with engine.connect() as connection:
        assert raw(connection) == database.login


def test_entities_are_loaded_through_a_cursor_of_the_servers(engine: Engine, database: Database) -> None:
    """R1: who walks a large table a thousand rows at a time would be refused in the middle of it."""
    with Session(engine) as session, purpose_scope(ADVERTISING):
        loaded = session.scalars(select(Account).execution_options(yield_per=1))
        first = next(loaded)
        assert first.handle
        assert raw(session.connection()) == database.role(ADVERTISING)
        assert all(account.handle for account in loaded)


def test_an_entity_that_is_looked_for_by_a_tagged_column(engine: Engine) -> None:
    """R2: the page says what a statement may do that loads and reads; and in two statements it goes."""
    both = select(Account).where(Account.email == "ada@example.com")
    with purpose_scope(SECURITY), Session(engine) as session:
        with pytest.raises(DBAPIError, match="permission denied"):
            session.scalars(both).all()
        session.rollback()
        assert session.scalars(both.options(defer(Account.phone))).one().handle == "ada"
        session.expunge_all()
        account = session.get_one(Account, session.scalars(both.with_only_columns(Account.id)).one())
        assert account.email == "ada@example.com"
    with purpose_scope(TWO_FACTOR), Session(engine) as session:  # which may read all that is loaded
        assert session.scalars(both).one().phone == SECRET


def test_a_login_without_the_loader_loads_what_its_purposes_may_read(database: Database) -> None:
    """R2: a login of its own for advertising has to be able to run, and to be refused by the server."""
    login = f"{database.login}_ads"
    database.run(f'CREATE ROLE {login} LOGIN NOINHERIT; GRANT "{database.role(ADVERTISING)}" TO {login}')
    engine = database.engine(login)
    guard(engine, Base.metadata)
    assume_roles(engine, Base.metadata, prefix=database.prefix)
    with purpose_scope(ADVERTISING), engine.connect() as connection:
        assert role(connection) == database.role(ADVERTISING)
        assert connection.execute(text("SELECT handle FROM account WHERE id = 1")).scalar_one() == "ada"
    with purpose_scope(ADVERTISING), Session(engine) as session, pytest.raises(DBAPIError, match="permission denied"):
        session.get(Account, 1)
    with purpose_scope(TWO_FACTOR), engine.connect() as connection, pytest.raises(PolicyError, match="no role"):
        role(connection)
    engine.dispose()


# --- Refused by the server -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("purposes", [(), (ADVERTISING,), (SECURITY,)])
def test_a_raw_connection_is_refused_by_the_server(engine: Engine, purposes: Any) -> None:
    """R2, R3: the misuse was most likely somebody's own query, on a connection of the driver's."""

    def attempt() -> None:
        with engine.connect() as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):  # as the login
                below(connection, "SELECT phone FROM account")
            connection.connection.rollback()
            role(connection)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):  # under the role
                below(connection, "SELECT phone FROM account")

    if purposes:
        with purpose_scope(*purposes):
            attempt()
    else:
        attempt()


@pytest.mark.parametrize(
    "statement",
    [
        'SET ROLE "{}/loader"',
        "RESET ROLE",
        'SET LOCAL ROLE "{}/loader"',
        "SET SESSION AUTHORIZATION DEFAULT",
        "SELECT set_config('role', '{}/loader', true)",
        "SET role TO '{}/loader'",
    ],
)
def test_a_role_is_not_taken_by_hand(engine: Engine, database: Database, statement: str) -> None:
    """R2: the page says that the guard refuses it: a role taken by hand is there for whatever comes after it."""
    sql = statement.format(database.prefix)
    with purpose_scope(TWO_FACTOR), engine.connect() as connection:
        with pytest.raises(PolicyError):
            connection.execute(text(sql))
        with pytest.raises(PolicyError):
            connection.connection.cursor().execute(sql)


def test_what_is_allowed_is_let_through(engine: Engine) -> None:
    """R2: a server that refuses a login code is one that gets switched off."""
    with purpose_scope(TWO_FACTOR), engine.connect() as connection:
        assert connection.execute(text("SELECT phone FROM account WHERE id = 1")).scalar_one() == SECRET


def test_a_cursor_of_the_drivers_has_the_role_of_the_transaction(engine: Engine) -> None:
    """R2: the page says how to COPY for a purpose; a COPY that is allowed and yet refused would have no way out."""
    export = "COPY (SELECT phone FROM account WHERE id = 1) TO STDOUT"
    with purpose_scope(TWO_FACTOR), engine.connect() as connection:
        cursor: Any = connection.connection.cursor()
        with pytest.raises(psycopg.errors.InsufficientPrivilege), cursor.copy(export) as copied:
            list(copied)
        connection.connection.rollback()
        connection.execute(text("SELECT 1"))
        with cursor.copy(export) as copied:
            assert b"".join(map(bytes, copied)) == f"{SECRET}\n".encode()
