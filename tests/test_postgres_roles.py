"""`assume_roles`: the role of the active purposes is in force for each statement, and ends with its transaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from postgres_tables import Base, Database, made, raw, role
from purposes import ADVERTISING, RECOVERY, SECURITY, TWO_FACTOR
from real_parts import need
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from purposebind import PolicyError, configure, purpose_scope
from purposebind.integrations.postgres import assume_roles
from purposebind.integrations.postgres.naming import Names
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


# --- Which role ------------------------------------------------------------------------------------------------------


def test_each_statement_runs_under_the_purposes_active_then(engine: Engine, database: Database) -> None:
    """R2, R4: a scope opened inside a transaction would still have the rights of the one before it."""
    with engine.begin() as connection:
        assert role(connection) == database.role()
        with purpose_scope(SECURITY):
            assert role(connection) == database.role(SECURITY)
            with purpose_scope(TWO_FACTOR):
                assert role(connection) == database.role(TWO_FACTOR)
            assert role(connection) == database.role(SECURITY)
        assert role(connection) == database.role()
        with purpose_scope(ADVERTISING):
            assert role(connection) == database.role(ADVERTISING)
            with purpose_scope(SECURITY):
                assert role(connection) == database.role(ADVERTISING, SECURITY)


def test_no_role_is_left_in_the_pool(engine: Engine, database: Database) -> None:
    """R5: the next request, on the same connection, would start with the rights of the last."""
    for end in ("commit", "rollback", "close"):
        with purpose_scope(TWO_FACTOR), engine.connect() as connection:
            assert role(connection) == database.role(TWO_FACTOR)
            getattr(connection, end)()
        with engine.connect() as connection:
            assert raw(connection) == database.login


def test_no_role_is_left_after_an_error(engine: Engine, database: Database) -> None:
    """R5: an exception in the middle of a request is when nobody tidies up."""
    with pytest.raises(ZeroDivisionError), purpose_scope(TWO_FACTOR), engine.begin() as connection:
        assert role(connection) == database.role(TWO_FACTOR)
        raise ZeroDivisionError
    with pytest.raises(DBAPIError), purpose_scope(TWO_FACTOR), engine.begin() as connection:
        connection.execute(text("SELECT id / 0 FROM account"))
    with engine.connect() as connection:
        assert raw(connection) == database.login
        assert role(connection) == database.role()


def test_a_rolled_back_savepoint_takes_the_role_with_it(engine: Engine, database: Database) -> None:
    """R2: the server goes back to the role before the savepoint, and the engine would go on with what it remembers."""
    with engine.begin() as connection:
        with purpose_scope(TWO_FACTOR):
            role(connection)
        with purpose_scope(ADVERTISING):
            savepoint = connection.begin_nested()
            assert role(connection) == database.role(ADVERTISING)
            savepoint.rollback()
            assert raw(connection) == database.role(TWO_FACTOR)
            assert role(connection) == database.role(ADVERTISING)
            connection.execute(text("SAVEPOINT by_hand"))
            with purpose_scope(SECURITY):
                role(connection)
            connection.execute(text("ROLLBACK TO SAVEPOINT by_hand"))
            assert role(connection) == database.role(ADVERTISING)


def test_a_savepoint_after_an_error(engine: Engine, database: Database) -> None:
    """R2: the usual way to go on after a duplicate key has to go on under the right role."""
    with purpose_scope(SECURITY), engine.begin() as connection:
        with pytest.raises(DBAPIError), connection.begin_nested():
            connection.execute(text("INSERT INTO visit (id, account_id) VALUES (1, 999)"))
        assert role(connection) == database.role(SECURITY)


def test_autocommit_leaves_no_role_either(engine: Engine, database: Database) -> None:
    """R5: without a transaction a role lasts as long as the connection, and that is for ever in a pool."""
    for _ in range(2):
        with engine.connect() as plain:
            connection = plain.execution_options(isolation_level="AUTOCOMMIT")
            with purpose_scope(TWO_FACTOR):
                assert role(connection) == database.role(TWO_FACTOR)
            with purpose_scope(ADVERTISING):
                assert role(connection) == database.role(ADVERTISING)
                with pytest.raises(DBAPIError):
                    connection.execute(text("SELECT id / 0 FROM account"))
                assert role(connection) == database.role(ADVERTISING)
        with engine.connect() as connection:
            assert raw(connection) == database.login


def test_a_connection_that_is_thrown_away_is_no_trouble(engine: Engine, database: Database) -> None:
    """A server that restarts would leave the service with errors about roles instead of one about the connection."""
    with purpose_scope(TWO_FACTOR), engine.connect() as connection:
        role(connection)
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        database.rows(f"SELECT pg_terminate_backend({pid}, 5000)")
        with pytest.raises(DBAPIError) as caught:
            role(connection)
        assert caught.value.connection_invalidated
    with purpose_scope(TWO_FACTOR), engine.connect() as connection:
        assert role(connection) == database.role(TWO_FACTOR)


def test_a_server_that_was_restarted_is_an_error_of_sqlalchemys(database: Database) -> None:
    """After a restart each connection of the pool would fail once, in a request, with an error nobody catches."""
    engine = assume_roles(guard(database.engine(database.login), Base.metadata), Base.metadata, prefix=database.prefix)
    with engine.connect() as one, engine.connect() as other:
        pids = [connection.execute(text("SELECT pg_backend_pid()")).scalar_one() for connection in (one, other)]
    for pid in pids:
        database.rows(f"SELECT pg_terminate_backend({pid}, 5000)")
    with engine.connect() as connection:
        with pytest.raises(DBAPIError) as caught:
            role(connection)
        assert caught.value.connection_invalidated
    with engine.connect() as one, engine.connect() as other:
        assert role(one) == role(other) == database.role()
    engine.dispose()


def test_a_failed_transaction_stays_an_error_of_sqlalchemys(engine: Engine, database: Database) -> None:
    """Code that goes on after an error catches SQLAlchemy's; one of the driver's would end the request."""
    with purpose_scope(SECURITY), engine.connect() as connection:
        for statement in ("SELECT id / 0 FROM account", "SELECT 1"):
            with pytest.raises(DBAPIError):
                connection.execute(text(statement))
        connection.rollback()
        assert role(connection) == database.role(SECURITY)


def test_a_connection_that_leaves_autocommit_keeps_no_role(engine: Engine, database: Database) -> None:
    """R5: a role of the whole session would be there again after the next rollback."""
    with purpose_scope(TWO_FACTOR), engine.connect() as plain:
        connection = plain.execution_options(isolation_level="AUTOCOMMIT")
        assert role(connection) == database.role(TWO_FACTOR)
        connection.commit()
        connection = connection.execution_options(isolation_level="READ COMMITTED")
        assert role(connection) == database.role(TWO_FACTOR)
    with engine.connect() as connection:
        assert raw(connection) == database.login
        connection.rollback()
        assert raw(connection) == database.login


def test_the_role_is_taken_once(engine: Engine) -> None:
    """A round trip to the server before each of a thousand statements would be felt by every user."""
    cursors = 0
    with purpose_scope(SECURITY), engine.begin() as connection:
        role(connection)
        pooled: Any = connection.connection
        make = pooled.cursor

        def counting(*args: Any, **options: Any) -> Any:
            nonlocal cursors
            cursors += 1
            return make(*args, **options)

        pooled.cursor = counting
        for _ in range(5):
            role(connection)
        del pooled.cursor
    assert cursors == 5


# --- Sets without a role ---------------------------------------------------------------------------------------------


def test_a_set_without_a_role_is_refused_with_the_command(engine: Engine) -> None:
    """R2: it would run under some other role's rights, or fail with words that help nobody."""
    both = purpose_scope(TWO_FACTOR, SECURITY)
    with both, engine.connect() as connection, pytest.raises(PolicyError) as caught:
        role(connection)
    assert "purposebind postgres ddl MODULE:metadata --set 'security,security.two_factor'" in str(caught.value)
    with engine.connect() as connection:  # and the connection is as good as before
        assert role(connection).endswith("/none")


def test_a_role_that_is_made_meanwhile_is_taken() -> None:
    """Who follows the advice of the error would have to restart each process of the service as well."""
    with made() as other:
        engine = assume_roles(guard(other.engine(other.login), Base.metadata), Base.metadata, prefix=other.prefix)
        with purpose_scope(TWO_FACTOR, SECURITY), engine.connect() as connection:
            with pytest.raises(PolicyError, match="has no role"):
                role(connection)
            connection.rollback()
            other.apply([(SECURITY, TWO_FACTOR)])
            assert role(connection) == other.role(SECURITY, TWO_FACTOR)
        engine.dispose()


def test_a_set_that_may_read_nothing_needs_no_role(engine: Engine, database: Database) -> None:
    """R2: a helper that states its own purpose would stop each caller for whom nobody thought of a role."""
    with purpose_scope(ADVERTISING), purpose_scope(RECOVERY), engine.connect() as connection:
        assert role(connection) == database.role()


def test_a_role_that_was_dropped_is_said_to_be_missing(database: Database) -> None:
    """A role that was there a minute ago would end in an error of the driver's about a parameter."""
    with made() as other:
        engine = assume_roles(guard(other.engine(other.login), Base.metadata), Base.metadata, prefix=other.prefix)
        with purpose_scope(SECURITY), engine.connect() as connection:
            role(connection)
        name = other.role(SECURITY)
        other.run(f'DROP OWNED BY "{name}"; DROP ROLE "{name}"')
        gone = pytest.raises(PolicyError, match="has no role")
        with purpose_scope(SECURITY), engine.connect() as connection, gone:
            role(connection)
        engine.dispose()


def test_observed_is_not_refused(engine: Engine, database: Database) -> None:
    """R11: observe mode would break a service that it is there to look at."""
    with configure(mode="observe"), purpose_scope(ADVERTISING), engine.connect() as connection:
        assert role(connection) == f"{database.prefix}/loader"
    with configure(unscoped="observe"), engine.connect() as connection:
        assert role(connection) == f"{database.prefix}/loader"
        with purpose_scope(ADVERTISING):
            assert role(connection) == database.role(ADVERTISING)


# --- Engines ---------------------------------------------------------------------------------------------------------


def test_an_engine_is_postgresqls_and_given_roles_once(database: Database) -> None:
    """R9: roles on SQLite protect nothing, without a guard no entity is loaded, and two listeners fight about roles."""
    sqlite = create_engine("sqlite://")
    with pytest.raises(PolicyError, match="Roles are PostgreSQL's"):
        assume_roles(sqlite, Base.metadata)
    engine = database.engine(database.login)
    with pytest.raises(PolicyError, match="not guarded"):
        assume_roles(engine, Base.metadata, prefix=database.prefix)
    assert assume_roles(guard(engine, Base.metadata), Base.metadata, prefix=database.prefix) is engine
    with pytest.raises(PolicyError, match="assumes roles already"):
        assume_roles(engine, Base.metadata, prefix=database.prefix)
    engine.dispose()


def test_names_of_roles_are_those_of_the_ddl(database: Database) -> None:
    """The engine would look for roles that nobody made."""
    assert Names(database.prefix).loader in {row[0] for row in database.rows("SELECT rolname::text FROM pg_roles")}
