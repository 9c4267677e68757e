"""Roads that well-meaning code takes round the roles: the driver's transactions, traced statements, logins' views."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from postgres_tables import Account, Base, Database, made, raw, role
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR
from real_parts import need
from sqlalchemy import event, insert, select, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from purposebind import purpose_scope
from purposebind.cli.postgres_commands import group
from purposebind.integrations.postgres import Finding, assume_roles, check
from purposebind.integrations.sqlalchemy import guard

need("initdb")

PHONES = select(Account.phone)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with made() as database:
        yield database


@pytest.fixture
def fresh() -> Iterator[Database]:
    with made() as database:
        yield database


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    engine = guard(database.engine(database.login, pool_size=1, max_overflow=0), Base.metadata)
    yield assume_roles(engine, Base.metadata, prefix=database.prefix)
    engine.dispose()


# --- The driver's own transactions -----------------------------------------------------------------------------------


def _committed(connection: Connection) -> None:
    connection.connection.commit()


def _committed_and_begun(connection: Connection) -> None:
    dbapi: Any = connection.connection.driver_connection
    dbapi.commit()
    dbapi.execute("SELECT 1")


def _in_text(connection: Connection) -> None:
    dbapi: Any = connection.connection.driver_connection
    dbapi.execute("ROLLBACK")


def _block(connection: Connection) -> None:
    dbapi: Any = connection.connection.driver_connection
    dbapi.rollback()
    with dbapi.transaction():
        connection.execute(text("SELECT 1"))


def _savepoint(connection: Connection) -> None:
    dbapi: Any = connection.connection.driver_connection
    with purpose_scope(ADVERTISING):
        connection.execute(text("SELECT 1"))
    with pytest.raises(LookupError), dbapi.transaction():
        with purpose_scope(TWO_FACTOR):
            connection.execute(PHONES)
        raise LookupError


@pytest.mark.parametrize("end", [_committed, _committed_and_begun, _in_text, _block, _savepoint])
def test_a_transaction_that_ended_below_takes_its_role_along(engine: Engine, database: Database, end: Any) -> None:
    """R5: after a bulk load that commits by itself, all else would be refused, or run under the role of before."""
    with engine.connect() as connection, purpose_scope(TWO_FACTOR):
        connection.execute(PHONES)
        end(connection)
        assert connection.scalars(PHONES).all() == [SECRET]
        assert raw(connection) == database.role(TWO_FACTOR)


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_prepared_transaction_can_be_ended(engine: Engine, database: Database, end: str) -> None:
    """Two-phase commit would not work at all: a prepared transaction is ended by the role that prepared it, or not."""
    with engine.connect() as connection:
        transaction = connection.begin_twophase()
        account = {"handle": "x", "phone": end, "email": f"{end}@example.com"}
        connection.execute(insert(Account).values(account))
        transaction.prepare()
        with purpose_scope(TWO_FACTOR):
            getattr(transaction, end)()
        assert connection.recover_twophase() == []
        assert role(connection) == database.role()
    assert len(database.rows(f"SELECT id FROM account WHERE phone = '{end}'")) == (end == "commit")


# --- Traced statements -----------------------------------------------------------------------------------------------


def test_the_loader_does_not_stay_after_a_statement_that_is_read_less_easily(
    engine: Engine, database: Database
) -> None:
    """R5: a comment in front, or a semicolon in a literal, would leave the loader's rights to whoever comes next."""
    for told in ("/* GET /accounts; */ {}", "{} /* nightly; job */"):

        def traced(connection: Any, cursor: Any, statement: str, values: Any, *_: Any, told: str = told) -> Any:
            return told.format(statement) if "FROM account" in statement else statement, values

        event.listen(engine, "before_cursor_execute", traced, retval=True)
        with Session(engine) as session:
            assert session.scalars(select(Account).where(Account.handle != "a;b")).all()
            assert raw(session.connection()) == database.role()
        event.remove(engine, "before_cursor_execute", traced)


def test_a_rollback_with_a_comment_needs_no_role(engine: Engine, database: Database) -> None:
    """A transaction that failed could not be ended by a traced statement, for it takes no role any more."""
    with engine.connect() as connection:
        with pytest.raises(DBAPIError):
            connection.execute(text("SELECT 1 / 0"))
        connection.exec_driver_sql("/* traced */ ROLLBACK")
        assert role(connection) == database.role()


def test_a_detached_connection_goes_on(engine: Engine, database: Database) -> None:
    """A job that takes a connection out of the pool for good would find it useless."""
    connection = engine.connect()
    connection.detach()
    with purpose_scope(TWO_FACTOR):
        assert role(connection) == database.role(TWO_FACTOR)
    connection.close()


# --- What `check` says of logins -------------------------------------------------------------------------------------


def _found(database: Database) -> set[Finding]:
    engine = database.engine()
    with engine.connect() as connection:
        found = check(connection, Base.metadata, [(ADVERTISING, SECURITY)], prefix=database.prefix)
    engine.dispose()
    return set(found)


_TO_A_LOGIN = {
    "view": "CREATE VIEW v AS SELECT phone FROM account; GRANT SELECT ON v TO {login}",
    "materialized view": "CREATE MATERIALIZED VIEW v AS SELECT phone AS p FROM account; GRANT SELECT ON v TO {login}",
    "table": "CREATE TABLE backup AS SELECT * FROM account; GRANT SELECT ON backup TO {login}",
    "partition or heir": "CREATE TABLE heir () INHERITS (account); GRANT SELECT ON heir TO {login}",
    "default privileges": "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {login}",
    "function": "CREATE FUNCTION f() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT phone FROM account'; "
    "REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC; GRANT EXECUTE ON FUNCTION f() TO {login}",
    "login": "GRANT pg_read_all_data TO {login}",
}


@pytest.mark.parametrize("kind", _TO_A_LOGIN)
def test_what_a_login_is_given_is_found(fresh: Database, kind: str) -> None:
    """The service's login, or a dashboard's, would see tagged data with no role, and the nightly check be green."""
    assert _found(fresh) == set()
    fresh.run(_TO_A_LOGIN[kind].format(login=fresh.login))
    found = _found(fresh)
    fresh.run(f"REVOKE pg_read_all_data FROM {fresh.login}")  # which holds for the whole server
    assert {one.kind for one in found} == {kind}
    assert all(fresh.login in (one.subject if kind == "login" else one.detail) for one in found)


def test_an_owner_is_found_once(fresh: Database) -> None:
    """Each view and each partition would be told of besides, for an owner who may read all of it anyway."""
    owner = f"{fresh.login}_owner"
    fresh.run(
        f"CREATE ROLE {owner} LOGIN; ALTER TABLE account OWNER TO {owner}; "
        f"CREATE VIEW v AS SELECT phone FROM account; ALTER VIEW v OWNER TO {owner}; "
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT INSERT ON TABLES TO {fresh.login}"
    )
    assert {(one.kind, one.subject) for one in _found(fresh)} == {("login", owner)}


# --- The command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["postgresql://u:p@ss:{0}@h/db", "postgresql://u:{0}@h:{0}/db", "u:{0}@h/db"])
def test_an_address_that_cannot_be_read_is_not_shown(url: str) -> None:
    """R7: a password with an @ or a : in it would be in the log of the nightly job, in the traceback of an error."""
    outcome = CliRunner().invoke(group, ["check", "postgres_example:Base", "--url", url.format("hunter2")])
    assert outcome.exit_code == 2
    assert "hunter2" not in outcome.output
    assert "%40" in outcome.output
