"""Tables that come, change and go on guarded engines: schemas, partitions, views, temporary and computed ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import postgres_tables
import pytest
from postgres_server import running
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR
from sqlalchemy import (
    Column,
    Computed,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    exists,
    insert,
    select,
    text,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    joinedload,
    mapped_column,
)
from sqlalchemy_services import closed, made
from sqlalchemy_tables import Account, Base, Device, audience

from purposebind import AllowedFor, NoActivePurpose, PolicyError, Purpose, PurposeViolation, Sealed, purpose_scope
from purposebind.integrations.postgres import assume_roles
from purposebind.integrations.sqlalchemy import SealedType, guard


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    closed()


def test_a_tag_that_comes_after_the_first_statements_counts() -> None:
    """Tables reflected at the start, and classes mapped to them later, would have tags that no statement asks for."""
    metadata = MetaData()
    engine = made("sqlite", metadata)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE person (id INTEGER PRIMARY KEY, phone TEXT)"))
        metadata.reflect(connection)
        connection.execute(text("SELECT phone FROM person"))

    class Late(DeclarativeBase):
        pass

    Late.metadata = metadata

    class Person(Late):
        __table__ = metadata.tables["person"]
        phone: Mapped[Annotated[str, AllowedFor(SECURITY)]]

    with engine.connect() as connection, purpose_scope(ADVERTISING):
        for statement in (text("SELECT phone FROM person"), text("SELECT phone  FROM person"), select(Person.phone)):
            with pytest.raises(PurposeViolation):
                connection.execute(statement)

    Table("other", metadata, Column("id", Integer, primary_key=True), Column("name", String))
    metadata.create_all(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM other")).all() == []
        metadata.tables["other"].append_column(Column("secret", SealedType(String, AllowedFor(SECURITY))))
        connection.execute(text("ALTER TABLE other ADD COLUMN secret VARCHAR"))
        with pytest.raises(NoActivePurpose):
            connection.execute(text("SELECT secret FROM other"))


def test_what_the_database_computes_of_a_tagged_column_is_tagged_too() -> None:
    """The hash of a phone number, which finds the person in any uploaded list, would be read by advertising."""
    metadata = MetaData()
    Table(
        "person",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("phone", SealedType(String, AllowedFor(TWO_FACTOR))),
        Column("phone_key", String, Computed("lower(phone)")),
    )
    with pytest.raises(PolicyError, match=r"person\.phone_key is computed from person\.phone.*Tag it as narrow"):
        made("sqlite", metadata)
    wider = SealedType(String, AllowedFor(TWO_FACTOR, ADVERTISING))
    Table("person", metadata, Column("phone_key", wider, Computed("lower(phone)")), extend_existing=True)
    with pytest.raises(PolicyError, match="allows more"):
        made("sqlite", metadata)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_computed_column_with_a_tag_works(dialect: str) -> None:
    """A number kept in one spelling, by the database, could not be had with a tag at all."""

    class Own(DeclarativeBase):
        pass

    class Person(Own):
        __tablename__ = "person"
        id: Mapped[int] = mapped_column(primary_key=True)
        phone: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]]
        plain: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]] = mapped_column(Computed("lower(phone)", persisted=True))

    engine = made(dialect, Own.metadata)
    Own.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Person(phone="+A"))
        session.flush()
        person = session.scalars(select(Person)).one()
        with purpose_scope(TWO_FACTOR):
            assert person.plain == "+a"
        with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
            session.scalars(select(Person.plain)).all()


def test_a_temporary_table_that_is_registered() -> None:
    """COPY into a staging table and an upsert from there, the usual bulk load, could not be had with a guard."""
    engine = made("postgresql", Base.metadata, relations=["staging"])
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        raw: Any = connection.connection.cursor()
        raw.execute("CREATE TEMP TABLE staging (handle text, phone text) ON COMMIT DROP")
        with raw.copy("COPY staging (handle, phone) FROM STDIN") as copy:
            copy.write_row(("ada", "+1"))
        raw.execute(
            "INSERT INTO account (handle, phone) SELECT handle, phone FROM staging "
            "ON CONFLICT (handle) DO UPDATE SET phone = excluded.phone"
        )
        connection.execute(text("SELECT s.handle FROM staging AS s JOIN account AS a ON a.handle = s.handle"))
        with pytest.raises(NoActivePurpose):
            raw.execute("SELECT phone FROM staging JOIN account USING (handle)")
        with purpose_scope(TWO_FACTOR), pytest.raises(PolicyError, match=r"may not be copied into \S*staging"):
            raw.execute("INSERT INTO staging (phone) SELECT phone FROM account")
        with purpose_scope(TWO_FACTOR), pytest.raises(PolicyError, match="may not be copied into"):
            raw.execute("INSERT INTO staging SELECT * FROM account")


def test_a_schema_for_each_tenant() -> None:
    """A service with a schema for each tenant could not be guarded; or, its tables registered, would have no tags."""
    engine = made("postgresql", Base.metadata, relations=["late.account"])
    with engine.begin() as connection:
        for tenant in ("one", "two"):
            connection.execute(text(f"CREATE SCHEMA {tenant}"))
            Base.metadata.create_all(connection.execution_options(schema_translate_map={None: tenant}))
        connection.execution_options(schema_translate_map={None: None})
    for tenant in ("one", "two"):
        with Session(engine.execution_options(schema_translate_map={None: tenant})) as session:
            session.add(Account(handle="ada", phone=SECRET, devices=[Device(serial="s")]))
            session.flush()
            session.expire_all()
            found = session.scalars(select(Account).options(joinedload(Account.devices))).unique().one()
            assert type(vars(found)["phone"]) is Sealed
            with purpose_scope(ADVERTISING):
                with pytest.raises(PurposeViolation):
                    session.scalars(select(Account.phone)).all()
                with pytest.raises(PurposeViolation):
                    session.execute(text(f"SELECT phone FROM {tenant}.account"))
                with pytest.raises(PurposeViolation):
                    session.execute(text("SELECT phone FROM late.account"))
            copied = insert(audience).from_select(["phone"], select(Account.phone))
            with purpose_scope(TWO_FACTOR), pytest.raises(PolicyError, match="may not be copied"):
                session.execute(copied)
            session.commit()


def test_a_partition_is_its_parent_by_another_name() -> None:
    """The phone numbers of last year's accounts would be read by the name of their partition."""
    metadata = MetaData()
    table = Table(
        "person",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("handle", String),
        Column("phone", SealedType(String, AllowedFor(TWO_FACTOR))),
    )
    dsn = running().new_database()
    with made("postgresql", guarded=False, dsn=dsn).begin() as connection:
        connection.execute(
            text("CREATE TABLE person (id int, handle text, phone text, PRIMARY KEY (id)) PARTITION BY RANGE (id)")
        )
        connection.execute(text("CREATE TABLE person_1 PARTITION OF person FOR VALUES FROM (1) TO (9)"))
    engine = made("postgresql", metadata, dsn=dsn, relations=["person_1"])
    with engine.begin() as connection:
        connection.execute(insert(table).values(id=1, handle="ada", phone=SECRET))
        assert connection.scalar(text("SELECT handle FROM person_1")) == "ada"
        with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
            connection.execute(text("SELECT phone FROM person_1"))


def test_a_view_is_mapped_with_tags(tmp_path: Path) -> None:
    """Entities of a view could not be loaded; or its tags would say more than those of the table behind it."""

    class Own(DeclarativeBase):
        pass

    tag = SealedType(String, AllowedFor(TWO_FACTOR))
    Table("person", Own.metadata, Column("id", Integer, primary_key=True), Column("phone", tag))

    class Called(Own):
        __tablename__ = "called"
        id: Mapped[int] = mapped_column(primary_key=True)
        number: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]]

    class Shown(Own):
        __tablename__ = "shown"
        id: Mapped[int] = mapped_column(primary_key=True)
        number: Mapped[str] = mapped_column(SealedType(String, AllowedFor(TWO_FACTOR, ADVERTISING)))

    url = f"sqlite:///{tmp_path / 'views.db'}"
    unguarded = create_engine(url)
    with unguarded.begin() as connection:
        connection.execute(text("CREATE TABLE person (id INTEGER PRIMARY KEY, phone VARCHAR)"))
        connection.execute(text("INSERT INTO person VALUES (1, '+1')"))
        for name in ("called", "shown"):
            connection.execute(text(f"CREATE VIEW {name} AS SELECT id, phone AS number FROM person"))
    unguarded.dispose()
    engine = guard(create_engine(url), Own.metadata)
    with Session(engine) as session:
        assert type(vars(session.scalars(select(Called)).one())["number"]) is Sealed
        with purpose_scope(TWO_FACTOR):
            assert session.scalars(select(Called.number)).all() == ["+1"]
        with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
            session.scalars(select(Shown.number)).all()
        with purpose_scope(ADVERTISING), pytest.raises(PolicyError, match="may not be copied"):
            session.scalars(select(Shown)).all()
    engine.dispose()


def test_a_materialized_view_is_refreshed() -> None:
    """The job that refreshes figures each night would be refused; or what it keeps of phones be read by anybody."""
    dsn = running().new_database()
    with made("postgresql", guarded=False, dsn=dsn).begin() as connection:
        connection.execute(text("CREATE TABLE account (id int, handle text, phone text, email text)"))
        connection.execute(text("CREATE MATERIALIZED VIEW heads AS SELECT handle, phone FROM account"))
    engine = made("postgresql", Base.metadata, dsn=dsn)
    with engine.begin() as connection:
        connection.execute(text("REFRESH MATERIALIZED VIEW heads"))
        assert connection.execute(text("SELECT handle FROM heads")).all() == []
        with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
            connection.execute(text("SELECT phone FROM heads"))


def test_another_table_of_the_same_name_is_not_known() -> None:
    """A table that nobody has looked at for personal data would be read by anybody, for its name is a usual one."""
    metadata = MetaData()
    Table("note", metadata, Column("id", Integer, primary_key=True), Column("body", String))
    engine = made("postgresql", metadata)
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA crm"))
        connection.execute(text("CREATE TABLE crm.note (id int, body text, ssn text)"))
        with pytest.raises(PolicyError, match=r"crm\.note, which is not known"):
            connection.execute(text("SELECT ssn FROM crm.note"))


def test_a_partition_may_be_mapped_itself() -> None:
    """Entities of a partition, which has tags of its own, could not be loaded any more."""

    class Own(DeclarativeBase):
        pass

    class Person(Own):
        __tablename__ = "person"
        __table_args__ = ({"postgresql_partition_by": "RANGE (id)"},)
        id: Mapped[int] = mapped_column(primary_key=True)
        phone: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]]

    dsn = running().new_database()
    unguarded = made("postgresql", guarded=False, dsn=dsn)
    Own.metadata.create_all(unguarded)
    with unguarded.begin() as connection:
        connection.execute(text("CREATE TABLE person_1 PARTITION OF person FOR VALUES FROM (1) TO (9)"))

    class First(Own):
        __tablename__ = "person_1"
        id: Mapped[int] = mapped_column(primary_key=True)
        phone: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]]

    with Session(made("postgresql", Own.metadata, dsn=dsn)) as session:
        session.add(Person(id=1, phone=SECRET))
        session.flush()
        assert type(vars(session.scalars(select(First)).one())["phone"]) is Sealed
        with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
            session.scalars(select(First.phone)).all()


@pytest.mark.parametrize("purpose", [None, SECURITY])
def test_the_server_lets_entities_be_counted(purpose: Purpose | None) -> None:
    """Pages would be counted by the guard's leave, and be refused by the server where its roles are used."""
    table = postgres_tables.Account
    visit = postgres_tables.Base.metadata.tables["visit"]
    with postgres_tables.made() as database:
        engine = database.engine(database.login)
        guard(engine, postgres_tables.Base.metadata)
        assume_roles(engine, postgres_tables.Base.metadata, prefix=database.prefix)
        with purpose_scope(purpose) if purpose else nullcontext(), Session(engine) as session:
            assert session.query(table).count() > 0
            assert session.scalar(select(exists().where(table.handle == "ada")))
            session.execute(delete(visit).where(~exists().where(table.id == visit.c.account_id)))
        engine.dispose()
