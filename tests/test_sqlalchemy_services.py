"""Everyday code of services on guarded engines: what has to run without a word, and what is no way round."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from purposes import ADVERTISING, SECRET, TWO_FACTOR
from sqlalchemy import (
    Connection,
    Engine,
    MetaData,
    bindparam,
    delete,
    event,
    exists,
    func,
    insert,
    inspect,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import (
    Session,
    joinedload,
    selectinload,
    subqueryload,
    with_loader_criteria,
)
from sqlalchemy_services import closed, made
from sqlalchemy_tables import Account, Base, Device

from purposebind import NoActivePurpose, PurposeViolation, Sealed, purpose_scope


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    closed()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    filled = made(request.param, Base.metadata, pool_pre_ping=True)
    Base.metadata.create_all(filled)
    with Session(filled) as session:
        for number, name in enumerate(["ada", "bob", "eve"], 1):
            devices = [Device(serial=f"s{number}")]
            session.add(Account(handle=name, phone=f"{SECRET}{number}", email=f"{name}@x.example", devices=devices))
        session.commit()
    return filled


def upsert(engine: Engine, table: Any) -> Any:
    """The INSERT of a dialect that has ON CONFLICT."""
    return {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[engine.dialect.name](table)


# --- Reading pages ---------------------------------------------------------------------------------------------------


def test_pages_are_counted(engine: Engine) -> None:
    """No list of a service that uses a library for pages, or `Query.count()`, could be shown outside a scope."""
    page = select(Account).where(Account.id > 1)
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(page.subquery())) == 2
        assert session.scalar(select(func.count()).select_from(page.order_by(None).limit(1).subquery())) == 1
        assert session.query(Account).filter(Account.id > 1).count() == 2
        assert session.query(Account, Device).join(Device).count() == 3
        assert session.query(Account).join(Device).filter(Device.id == 1).count() == 1
        inner = page.subquery()
        assert session.scalar(select(func.count(inner.c.id))) == 2
        assert [one.handle for one in session.scalars(page.order_by(Account.id).offset(1).limit(5))] == ["eve"]


def test_that_a_row_is_there_is_no_fact_about_its_columns(engine: Engine) -> None:
    """Whether somebody has an account could not be asked in the way that SQLAlchemy's documentation shows."""
    with Session(engine) as session:
        assert session.scalar(select(exists().where(Account.handle == "ada")))
        assert session.scalar(select(select(Account).where(Account.handle == "ada").exists()))
        assert session.query(session.query(Account).filter_by(handle="ada").exists()).scalar()
        owns = select(Device).where(Device.account_id == Account.id).exists()
        assert len(session.scalars(select(Account).where(owns)).all()) == 3


COUNTED = [
    select(func.count()).select_from(select(Account.phone).subquery()),
    select(func.count()).select_from(select(Account).distinct().subquery()),
    select(func.count()).select_from(select(Account).where(Account.phone > "+").subquery()),
    select(func.count()).select_from(select(Account).order_by(Account.phone).subquery()),
    select(func.count(select(Account).subquery().c.phone)),
    select(func.count()).select_from(_inner := select(Account).subquery()).where(_inner.c.phone > "+"),
    select(func.count()).select_from(select(Account, func.upper(Account.phone)).subquery()),
    select(func.count()).select_from(select(Account).union(select(Account)).subquery()),
    select(func.count()).select_from(_all := select(Account).subquery()).group_by(_all.c.phone),
    select(select(Account.__table__).subquery()),
    select(exists().where(Account.phone > "+")),
    select(exists(select(Account).group_by(Account.id).having(func.max(Account.phone) > "+"))),
    select(exists(select(Account).join(Device, Device.serial == Account.phone))),
    select(exists(select(Account.phone))),
    select(exists(text("phone FROM account"))),
    text("SELECT count(*) FROM (SELECT id, phone FROM account) AS t"),
    text("SELECT EXISTS (SELECT * FROM account)"),
]


@pytest.mark.parametrize("statement", COUNTED, ids=str)
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_what_is_counted_by_a_tagged_column_is_a_use(engine: Engine, statement: Any) -> None:
    """How many people have which phone number would be told, since their rows are only counted."""
    with engine.connect() as connection, purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        connection.execute(statement)


# --- Writing ---------------------------------------------------------------------------------------------------------


def test_bulk_loads_and_upserts(engine: Engine) -> None:
    """An import of people, or a job that brings them up to date, would have to be given a purpose that it has not."""
    values = {"id": 1, "handle": "ada", "phone": "+81"}
    with Session(engine) as session:
        new = [{"handle": f"n{number}", "phone": f"+{number}"} for number in range(30)]
        returned = session.scalars(insert(Account).returning(Account), new).all()
        assert len(returned) == 30
        assert type(vars(returned[0])["phone"]) is Sealed
        session.execute(update(Account), [{"id": 1, "phone": "+91"}, {"id": 2, "phone": "+92"}])
        session.execute(update(Account).where(Account.handle == "eve").values(phone="+93"))
        session.bulk_insert_mappings(Device, [{"account_id": 1, "serial": "x"}])
        by_key = upsert(engine, Account).values(values)
        by_key = by_key.on_conflict_do_update(index_elements=[Account.id], set_={"phone": by_key.excluded.phone})
        changed = session.scalars(by_key.returning(Account), execution_options={"populate_existing": True}).one()
        assert type(vars(changed)["phone"]) is Sealed
        session.execute(upsert(engine, Account).values(values).on_conflict_do_nothing(index_elements=["handle"]))
        table: Any = Account.__table__
        core = table.update().where(Account.id == bindparam("key")).values(phone=bindparam("new"))
        session.connection().execute(core, [{"key": 1, "new": "+73"}, {"key": 2, "new": "+74"}])
        with purpose_scope(TWO_FACTOR):
            kept = session.scalars(select(Account.phone).where(Account.id < 3).order_by(Account.id))
            assert kept.all() == ["+73", "+74"]


def test_a_transaction_around_a_test_is_rolled_back(engine: Engine) -> None:
    """The usual fixture of a test suite, a transaction around each test, would not work on a guarded engine."""
    if engine.dialect.name == "sqlite":  # as SQLAlchemy's documentation has it, for savepoints

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.connection.driver_connection.isolation_level = None  # type: ignore[union-attr]
            connection.exec_driver_sql("BEGIN")

    with engine.connect() as connection:
        around = connection.begin()
        with Session(bind=connection, join_transaction_mode="create_savepoint") as session:
            session.add(Account(handle="new", phone="+1"))
            session.commit()
            with pytest.raises(Exception, match=r"IntegrityError|UNIQUE|unique"), session.begin_nested():
                session.add(Account(handle="new", phone="+2"))
                session.flush()
            assert len(session.scalars(select(Account)).all()) == 4
        around.rollback()
    with Session(engine) as session:
        assert session.query(Account).count() == 3


def test_soft_deletion_and_eager_loads(engine: Engine) -> None:
    """Loading related entities would be called a read, and a service could show nothing outside a scope."""
    present = with_loader_criteria(Account, lambda cls: cls.handle != "gone", include_aliases=True)
    for how in (joinedload, selectinload, subqueryload):
        with Session(engine) as session:
            listed = select(Account).options(present, how(Account.devices)).order_by(Account.id).limit(2)
            found = session.scalars(listed).unique().all()
            assert [len(one.devices) for one in found] == [1, 1]
            assert type(vars(found[0].devices[0])["serial"]) is Sealed


# --- Around the statements -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["/*trace=0*/ {}", "{} /*trace=0*/", "/*a*/ {} /*b*/"])
def test_a_library_that_comments_statements(engine: Engine, form: str) -> None:
    """With tracing that writes its context into a comment, put there after the guard, no entity could be loaded."""

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def comment(
        connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> tuple[str, Any]:
        return form.format(statement), parameters

    with Session(engine) as session:
        assert len(session.scalars(select(Account)).all()) == 3
        session.add_all([Account(handle="new", phone="+1"), Account(handle="newer", phone="+2")])
        session.flush()
        with pytest.raises(NoActivePurpose):
            session.scalars(select(Account.phone)).all()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_listener_after_the_guard_cannot_change_what_is_read(engine: Engine) -> None:
    """A listener that rewrites statements, for tenants say, would bring a number by a text that nobody weighed."""

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def rewrite(
        connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> tuple[str, Any]:
        return statement.replace("account.handle", "account.phone"), parameters

    with Session(engine) as session, pytest.raises(NoActivePurpose):
        session.scalars(select(Account.handle)).all()


def test_reflection(engine: Engine) -> None:
    """A migration tool could not compare the tables, and a table that was reflected would be a way round its tags."""
    inspector = inspect(engine)
    assert {"account", "device", "audience"} <= set(inspector.get_table_names())
    for name in inspector.get_table_names():
        inspector.get_columns(name)
        inspector.get_indexes(name)
        inspector.get_unique_constraints(name)
        inspector.get_check_constraints(name)
    inspector.get_multi_foreign_keys()
    reflected = MetaData()
    reflected.reflect(engine, views=True)
    account = reflected.tables["account"]
    with engine.connect() as connection:
        assert len(connection.execute(select(account.c.id)).all()) == 3
        with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
            connection.execute(select(account.c.phone))


def test_pooled_connections(engine: Engine) -> None:
    """After a health check, a reset or a new pool, statements would be refused, or be weighed by nobody."""
    postgres = engine.dialect.name == "postgresql"
    if postgres:  # SQLite's database in memory would be gone
        engine.dispose()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
        if postgres:
            for statement in ("SET LOCAL statement_timeout = '5s'", "SET LOCAL enable_seqscan = off", "DISCARD TEMP"):
                connection.execute(text(statement))
            connection.execute(text("SELECT pg_is_in_recovery(), pg_last_xact_replay_timestamp()"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM"))
        with pytest.raises(NoActivePurpose):
            connection.execute(text("SELECT phone FROM account"))
    with Session(engine.execution_options(logging_token="replica")) as session:
        assert len(session.scalars(select(Account)).all()) == 3
        with pytest.raises(NoActivePurpose):
            session.scalars(select(Account.phone)).all()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_column_may_be_called_as_a_statement_is(engine: Engine) -> None:
    """Each statement on a table called `import` would have the whole database looked at again."""
    looked: list[str] = []
    with engine.connect() as connection:
        connection.connection.driver_connection.set_trace_callback(looked.append)  # type: ignore[union-attr]
        for _ in range(3):
            connection.execute(text('SELECT handle AS "import" FROM account'))
    assert len([one for one in looked if "account" in one]) == 3
    assert not [one for one in looked if "sqlite_master" in one]


def test_a_driver_cursor_beside_a_session(engine: Engine) -> None:
    """A helper that was written for the driver would be no use, or a way round."""
    mark = "?" if engine.dialect.name == "sqlite" else "%s"
    with closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        cursor.executemany(f"UPDATE account SET phone = {mark} WHERE id = {mark}", [("+1", 1), ("+2", 2)])
        cursor.execute(f"SELECT handle FROM account WHERE id = {mark}", (1,))
        assert cursor.fetchall() == [("ada",)]
        with pytest.raises(NoActivePurpose):
            cursor.execute(f"SELECT handle FROM account WHERE phone = {mark}", ("+1",))


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_rows_are_written_where_others_are(engine: Engine) -> None:
    """Rows that belong to nobody any more could not be cleared away, nor a row be added unless it is there."""
    orphan = ~exists().where(Account.id == Device.account_id)
    there = exists().where(Account.handle == "new")
    plain = {"synchronize_session": False}
    with Session(engine) as session:
        session.execute(update(Device).where(orphan).values(serial="x"), execution_options=plain)
        session.execute(delete(Device).where(orphan), execution_options=plain)
        row = select(literal("new"), literal("+81")).where(~there)
        session.execute(insert(Account).from_select(["handle", "phone"], row))
        session.execute(insert(Account).from_select(["handle", "phone"], row))
        assert session.query(Account).count() == 4
        told = exists().where(Account.phone == Device.serial)
        with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
            session.execute(delete(Device).where(told), execution_options=plain)
