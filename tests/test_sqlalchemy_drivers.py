"""What a guarded engine's connections run is checked, also where SQLAlchemy does not see it: sqlite3 and psycopg."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy
from postgres_server import running
from real_parts import need
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, event, insert, select, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import StaticPool

from purposebind import PolicyError
from purposebind.integrations.sqlalchemy import drivers
from purposebind.sites import outside_frame

READ = "SELECT phone FROM account"
WRITE = "INSERT INTO account (phone) VALUES ('2')"
METADATA = MetaData()
ACCOUNT = Table("account", METADATA, Column("id", Integer, primary_key=True), Column("phone", String))

# SQLAlchemy 2.0 tells nobody that a listener failed; the cursor that it had is then in nobody's hands.
TOLD = not sqlalchemy.__version__.startswith("2.0.")


class Refused(Exception):
    pass


class Guard:
    """Stands for the guard: notes what it is asked about above the drivers and by them, and refuses some of it."""

    depth = 1

    def __init__(self, engine: Engine) -> None:
        self.above: list[str] = []
        self.raw: list[str] = []
        self.refuses = "(?!)"
        drivers.watch(engine, self.check)
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)
        event.listen(engine, "handle_error", self._failed)

    def check(self, connection: Any, statement: str) -> None:
        assert connection is None
        place = outside_frame(sys._getframe(self.depth))
        assert place is not None
        assert Path(place.f_code.co_filename).name.startswith("test_sqlalchemy_drivers"), place  # the reader's code
        self.raw.append(statement)
        if re.search(self.refuses, statement):
            raise Refused

    def _before(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        self.above.append(statement)
        if re.search(self.refuses, statement):
            raise Refused
        drivers.passed(connection, cursor, statement)

    def _after(self, connection: Connection, cursor: Any, *_: Any) -> None:
        drivers.finished(connection, cursor)

    def _failed(self, context: Any) -> None:
        if context.connection is not None and context.execution_context is not None:
            drivers.finished(context.connection, context.execution_context.cursor)

    def forget(self) -> None:
        self.above.clear()
        self.raw.clear()


def url_of(dsn: str, driver: str = "psycopg") -> str:
    parts = dict(part.split("=") for part in dsn.split())
    return f"postgresql+{driver}://{parts['user']}@/{parts['dbname']}?host={parts['host']}"


@pytest.fixture(params=["sqlite", "psycopg"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "psycopg":
        need("initdb")
        url = url_of(running().new_database())
    else:
        url = f"sqlite:///{tmp_path / 'accounts.db'}"
    engine = create_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def guard(engine: Engine) -> Guard:
    guard = Guard(engine)
    filled(engine)
    guard.forget()
    return guard


def filled(engine: Engine) -> None:
    with engine.begin() as connection:
        METADATA.create_all(connection)
        connection.execute(insert(ACCOUNT).values(phone="1"))


def phones(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(select(ACCOUNT.c.phone).order_by(ACCOUNT.c.id)))


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[tuple[Engine, Guard]]:
    engine = create_engine(f"sqlite:///{tmp_path / 'accounts.db'}")
    guard = Guard(engine)
    filled(engine)
    guard.forget()
    yield engine, guard
    engine.dispose()


@pytest.fixture
def psycopg_(tmp_path: Path) -> Iterator[tuple[Engine, Guard]]:
    need("initdb")
    engine = create_engine(url_of(running().new_database()))
    guard = Guard(engine)
    filled(engine)
    guard.forget()
    yield engine, guard
    engine.dispose()


def test_what_sqlalchemy_runs_is_checked_once(engine: Engine, guard: Guard) -> None:
    """Each query would be weighed, and recorded, twice; or loading entities would be refused as raw SQL."""
    with engine.begin() as connection:
        connection.execute(insert(ACCOUNT), [{"id": -n, "phone": str(n)} for n in range(2, 5)])
        connection.execute(insert(ACCOUNT).returning(ACCOUNT.c.id), [{"phone": str(n)} for n in range(5, 2500)])
        assert len(connection.execute(text(READ)).all()) == 2499
        connection.exec_driver_sql(WRITE)
        with connection.begin_nested():
            streamed = select(ACCOUNT.c.phone).execution_options(yield_per=10)
            assert len(list(connection.scalars(streamed))) == 2500
    assert len([statement for statement in guard.above if statement.startswith("INSERT")]) > 3  # batches
    assert guard.raw == []


RAW: dict[str, Callable[[Any], Any]] = {
    "cursor": lambda raw: raw.cursor().execute(READ),
    "connection": lambda raw: raw.driver_connection.execute(READ),
    "dbapi_connection": lambda raw: raw.dbapi_connection.cursor().execute(READ),
}


@pytest.mark.parametrize("road", RAW)
def test_a_raw_cursor_is_checked(engine: Engine, guard: Guard, road: str) -> None:
    """Whoever reaches for the driver would read a phone number for any purpose."""
    raw = engine.raw_connection()
    assert RAW[road](raw).fetchall() == [("1",)]
    assert (guard.raw, guard.above) == ([READ], [])
    guard.refuses = "phone"
    with pytest.raises(Refused):
        RAW[road](raw)
    raw.close()


def test_a_refused_write_is_not_run(engine: Engine, guard: Guard) -> None:
    """The check would come when the database has done it already."""
    guard.refuses = "^INSERT"
    raw = engine.raw_connection()
    for write in (
        lambda: raw.cursor().execute(WRITE),
        lambda: raw.cursor().executemany(WRITE, [()]),
        lambda: raw.driver_connection.execute(WRITE),
    ):
        with pytest.raises(Refused):
            write()
    raw.commit()
    raw.close()
    assert guard.raw == [WRITE] * 3
    with engine.connect() as connection, pytest.raises(Refused):
        connection.exec_driver_sql(WRITE)
    assert phones(engine) == ["1"]


def test_a_pass_is_for_one_cursor_one_text_and_one_time(engine: Engine, guard: Guard) -> None:
    """A statement that somebody runs while another one is under way would slip through on its pass."""

    def sneaking(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if statement == READ:
            inner = connection.connection.cursor()
            inner.execute(READ)  # the very text, by another cursor
            inner.execute("SELECT 2")
            cursor.execute("SELECT 3")  # the very cursor, by another text

    event.listen(engine, "before_cursor_execute", sneaking)
    with engine.connect() as connection:
        result = connection.exec_driver_sql(READ)
        assert guard.raw == [READ, "SELECT 2", "SELECT 3"]
        guard.forget()
        result.cursor.execute(READ)  # the cursor, the text, and again
        assert guard.raw == [READ]


def test_a_statement_of_the_librarys_own_passes_without_a_connection(engine: Engine, guard: Guard) -> None:
    """Taking a role for a purpose, which is refused to all others, could not be done on a cursor."""
    raw = engine.raw_connection()
    cursor = raw.cursor()
    drivers.passed(None, cursor, "SELECT 1")
    cursor.execute("SELECT 1")
    drivers.finished(None, cursor)
    drivers.finished(None, None)
    raw.close()
    assert guard.raw == []


def test_a_pass_that_was_not_used_is_taken_back(engine: Engine, guard: Guard) -> None:
    """A statement that failed on the way would leave its pass for whoever runs the text later."""
    kept = []

    def failing(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement == READ:
            kept.append(cursor)
            raise LookupError

    event.listen(engine, "before_cursor_execute", failing)
    with engine.connect() as connection:
        with pytest.raises(LookupError):
            connection.exec_driver_sql(READ)
        connection.rollback()
        with pytest.raises(Exception, match="missing"):
            connection.exec_driver_sql("SELECT * FROM missing")
        connection.rollback()
        guard.refuses = "phone"
        raw = connection.connection.cursor()
        with pytest.raises(Refused):
            raw.execute(READ)
        if TOLD:
            with pytest.raises((Refused, sqlite3.ProgrammingError)):
                kept[0].execute(READ)
    assert guard.raw[0] == READ


def test_a_text_that_a_listener_changed_is_checked(engine: Engine, guard: Guard) -> None:
    """A listener that rewrites statements would have something else run than what was checked."""

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def rewriting(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> Any:
        return statement.replace("SELECT 1", READ), parameters

    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    assert (guard.above, guard.raw) == (["SELECT 1"], [READ])


def test_connecting_and_isolation_levels_are_the_dialects_own(engine: Engine) -> None:
    """An engine could not connect at all where its dialect's own questions are refused."""
    guard = Guard(engine)
    guard.refuses = ""
    with engine.connect() as connection:
        assert connection.get_isolation_level()
        connection.execution_options(isolation_level="AUTOCOMMIT").commit()
    pinging = create_engine(engine.url, pool_pre_ping=True, isolation_level="SERIALIZABLE")
    refusing = Guard(pinging)
    refusing.refuses = ""
    for _ in range(2):
        pinging.connect().close()
    pinging.dispose()
    assert guard.raw == guard.above == refusing.raw == []


def test_a_listener_on_a_new_connection_is_checked(engine: Engine) -> None:
    """What runs on each new connection would be the one place that nobody checks."""

    @event.listens_for(engine, "connect")
    def listening(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.cursor().execute("SELECT 7")

    guard = Guard(engine)
    engine.connect().close()
    assert guard.raw == ["SELECT 7"]


def test_the_newer_check_is_asked(engine: Engine, guard: Guard) -> None:
    """An engine guarded twice would go on by the tags it was first guarded with."""
    newer: list[str] = []
    drivers.watch(engine, lambda _connection, statement: newer.append(statement))
    raw = engine.raw_connection()
    raw.cursor().execute(READ)
    raw.close()
    assert (guard.raw, newer) == ([], [READ])


def test_a_connection_older_than_the_guard_is_refused(engine: Engine) -> None:
    """A service that connects first and guards second would keep its unguarded connections in the pool."""
    engine.connect().close()
    Guard(engine)
    with pytest.raises(PolicyError, match=r"before the engine was guarded.*dispose"):
        engine.connect()
    engine.dispose()
    engine.connect().close()


def test_another_driver_is_refused() -> None:
    """An engine whose raw cursors nobody checks would count as guarded."""
    engine = create_engine("postgresql+pg8000://", module=_pg8000())
    with pytest.raises(PolicyError, match=r"Use one of: sqlite\+pysqlite, .*postgresql\+asyncpg"):
        drivers.watch(engine, lambda _connection, _statement: None)


def _pg8000() -> Any:
    module = ModuleType("pg8000")
    module.__dict__.update(paramstyle="format", __version__="1.31.2", Error=Exception)
    return module


# --- sqlite3


def test_sqlite_shortcuts_and_scripts_are_checked(sqlite: tuple[Engine, Guard]) -> None:
    """sqlite3's own shortcuts would go round the cursor that checks."""
    engine, guard = sqlite
    raw = engine.raw_connection()
    raw.driver_connection.execute(READ)
    raw.driver_connection.executemany(WRITE, [()])
    raw.driver_connection.executescript(READ + "; SELECT 1")
    raw.cursor().executescript("SELECT 2")
    with raw.driver_connection as connection:
        connection.cursor(sqlite3.Cursor).execute("SELECT 3")
        connection.cursor(factory=type("Own", (sqlite3.Cursor,), {})).execute("SELECT 4")
        connection.cursor(lambda c: type("Own", (sqlite3.Cursor,), {})(c)).execute("SELECT 5")
    texts = [READ, WRITE, READ + "; SELECT 1", "SELECT 2", "SELECT 3", "SELECT 4", "SELECT 5"]
    assert guard.raw == texts
    guard.refuses = "SELECT"
    with pytest.raises(Refused):
        raw.driver_connection.executescript("DELETE FROM account; SELECT 1")
    with pytest.raises(PolicyError, match="cannot be watched"):
        raw.driver_connection.cursor(lambda c: sqlite3.Cursor(c))
    assert isinstance(raw.driver_connection, sqlite3.Connection)
    raw.close()


@pytest.mark.parametrize("road", ["blobopen", "iterdump", "backup", "serialize"])
def test_sqlite_roads_without_a_statement_are_refused(sqlite: tuple[Engine, Guard], road: str) -> None:
    """A dump, or a blob opened by its column, would show every phone number without a statement to check."""
    raw = sqlite[0].raw_connection()
    arguments = {"blobopen": ("account", "phone", 1), "backup": (None,)}.get(road, ())
    with pytest.raises(PolicyError, match=rf"{road}\(\) .* cannot be checked"):
        getattr(raw.driver_connection, road)(*arguments)
    raw.close()


def test_a_function_that_sqlite_calls_is_checked(sqlite: tuple[Engine, Guard]) -> None:
    """What a user's SQL function runs on the same connection would go by the pass of the statement that called it."""
    engine, guard = sqlite
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        driver.create_function("phones", 0, lambda: driver.execute(READ).fetchone()[0])
        assert connection.exec_driver_sql("SELECT phones()").scalar() == "1"
        assert (guard.above, guard.raw) == (["SELECT phones()"], [READ])


def test_a_connection_class_of_the_users_keeps_working(tmp_path: Path) -> None:
    """A service with a connection class of its own would lose it, or its statements would go unchecked."""

    class Cursor(sqlite3.Cursor):
        pass

    class Own(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

    engine = create_engine(f"sqlite:///{tmp_path / 'own.db'}", connect_args={"factory": Own})
    guard = Guard(engine)
    raw = engine.raw_connection()
    cursor = raw.cursor()
    cursor.execute("SELECT 1")
    assert isinstance(raw.driver_connection, Own)
    assert isinstance(cursor, Cursor)
    assert guard.raw == ["SELECT 1"]
    raw.close()
    engine.dispose()


def test_a_creator_is_told_what_to_return(tmp_path: Path) -> None:
    """A connection that somebody makes for the engine by hand would be the unwatched one."""
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(tmp_path / "a.db"))
    Guard(engine)
    with pytest.raises(PolicyError, match=r"sqlite3\.Connection, .*factory= .* an empty class is enough"):
        engine.connect()

    class Own(sqlite3.Connection):
        pass

    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(":memory:", factory=Own), poolclass=StaticPool)
    guard = Guard(engine)
    raw = engine.raw_connection()
    raw.cursor().execute("SELECT 1")
    assert guard.raw == ["SELECT 1"]
    raw.close()
    engine.dispose()


def test_a_listener_that_connects_by_itself_gets_the_factory(tmp_path: Path) -> None:
    """A listener that makes the connection, as for short-lived passwords, could not be used with a guarded engine."""
    engine = create_engine(f"sqlite:///{tmp_path / 'a.db'}")

    @event.listens_for(engine, "do_connect")
    def connecting(dialect: Any, _record: Any, cargs: Any, cparams: Any) -> Any:
        return dialect.connect(*cargs, **cparams)

    guard = Guard(engine)
    raw = engine.raw_connection()
    raw.cursor().execute("SELECT 1")
    assert guard.raw == ["SELECT 1"]
    raw.close()
    engine.dispose()


def test_what_is_no_text_is_refused(sqlite: tuple[Engine, Guard]) -> None:
    """A statement in a form that cannot be read would be run unread; the message would show it."""
    raw = sqlite[0].raw_connection()
    with pytest.raises(PolicyError, match="is a bytes, whose text cannot be read") as caught:
        raw.cursor().execute(READ.encode())
    assert "phone" not in str(caught.value)
    raw.close()


# --- psycopg


def test_psycopg_statements_are_read_in_every_form(psycopg_: tuple[Engine, Guard]) -> None:
    """A statement composed, or given as bytes, would pass as something else than its text."""
    from psycopg.sql import SQL, Identifier

    engine, guard = psycopg_
    raw = engine.raw_connection()
    connection = raw.driver_connection
    connection.execute(READ.encode())
    connection.execute(SQL("SELECT {} FROM account WHERE id = %s").format(Identifier("phone")), [1], prepare=True)
    composed = 'SELECT "phone" FROM account WHERE id = %s'
    assert guard.raw == [READ, composed]
    guard.refuses = "phone"
    for form in (READ.encode(), SQL("SELECT {} FROM account").format(Identifier("phone"))):
        with pytest.raises(Refused):
            connection.execute(form)
    with pytest.raises(PolicyError, match="cannot be read"):
        connection.execute(b"SELECT '\xff'")
    raw.close()


def test_psycopg_copy_stream_and_server_cursors_are_checked(psycopg_: tuple[Engine, Guard]) -> None:
    """COPY and the cursors for large results are how a whole table leaves; each would go unchecked."""
    import psycopg

    engine, guard = psycopg_
    raw = engine.raw_connection()
    connection = raw.driver_connection
    out, into = "COPY account (phone) TO STDOUT", "COPY account (id, phone) FROM STDIN"
    cursor = connection.cursor()
    with cursor.copy(out) as copy:
        assert b"".join(bytes(part) for part in copy) == b"1\n"
    with cursor.copy(into) as copy:
        copy.write_row((7, "7"))
    rows = cursor.stream(READ + " ORDER BY id")
    assert guard.raw == [out, into]  # the statement runs, and is checked, when the first row is asked for
    assert list(rows) == [("1",), ("7",)]
    with connection.cursor("named") as named:
        assert isinstance(named, psycopg.ServerCursor)
        assert named.execute(READ).fetchone() == ("1",)
        named.scroll(0, "absolute")
        assert len(list(named)) == 2
    assert guard.raw == [out, into, READ + " ORDER BY id", READ]
    connection.commit()
    guard.refuses = "phone"
    named = connection.cursor("named")
    for refused in (
        lambda: cursor.copy(out).__enter__(),
        lambda: cursor.copy(into).__enter__(),
        lambda: next(cursor.stream(READ)),
        lambda: named.execute(READ),
        lambda: cursor.executemany("UPDATE account SET phone = %s", [("9",)]),
    ):
        with pytest.raises(Refused):
            refused()
    named.close()
    guard.refuses = "(?!)"
    raw.close()
    assert phones(engine) == ["1", "7"]


def test_psycopg_cursors_of_any_class_are_checked(psycopg_: tuple[Engine, Guard]) -> None:
    """A cursor of another class than the usual one would read unchecked."""
    import psycopg

    engine, guard = psycopg_
    raw = engine.raw_connection()
    connection = raw.driver_connection
    for cls in (psycopg.ClientCursor, psycopg.RawCursor, type("Own", (psycopg.Cursor,), {})):
        connection.cursor_factory = cls
        cursor = connection.cursor()
        assert isinstance(cursor, cls)
        assert cursor.execute(READ).fetchall() == [("1",)]
    assert guard.raw == [READ] * 3
    with connection.pipeline():
        connection.execute(READ)
        cursor.execute(READ)
    assert guard.raw == [READ] * 5
    for cls in (psycopg.Cursor, psycopg.ClientCursor):
        with pytest.raises(PolicyError, match=r"made by hand.*connection\.cursor\(\)"):
            cls(connection).execute(READ)
    with connection.transaction():
        connection.execute("SELECT 1")
    assert psycopg.types.TypeInfo.fetch(connection, "text").name == "text"  # psycopg's own question
    connection.rollback()
    assert connection.tpc_recover() == []
    assert guard.raw == [*[READ] * 5, "SELECT 1"]
    raw.close()


def test_psycopg_creators_and_their_classes_are_watched() -> None:
    """A connection that somebody makes for the engine by hand would be the unwatched one."""
    import psycopg

    need("initdb")
    dsn = running().new_database()

    class Own(psycopg.Connection[Any]):
        pass

    engine = create_engine("postgresql+psycopg://", creator=lambda: Own.connect(dsn))
    guard = Guard(engine)
    raw = engine.raw_connection()
    assert isinstance(raw.driver_connection, Own)
    raw.cursor().execute("SELECT 1")
    assert guard.raw == ["SELECT 1"]
    raw.close()
    engine.dispose()


def test_a_server_side_result_of_sqlalchemy_is_checked_once(psycopg_: tuple[Engine, Guard]) -> None:
    """Streaming entities would be refused as raw SQL, for the driver wraps the text in a DECLARE."""
    engine, guard = psycopg_
    with engine.connect().execution_options(stream_results=True) as connection:
        assert connection.scalars(select(ACCOUNT.c.phone)).all() == ["1"]
    assert (len(guard.above), guard.raw) == (1, [])
