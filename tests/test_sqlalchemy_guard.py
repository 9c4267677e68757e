"""The guard of an engine: what it takes and refuses, and what errors and echo say. See `test_sql_statements` too."""

from __future__ import annotations

import asyncio
import logging
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from postgres_server import running
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR
from pydantic import Field
from real_parts import need
from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    composite,
    mapped_column,
    relationship,
    selectinload,
)
from sqlalchemy.pool import StaticPool
from sqlalchemy_tables import Account, Base, audience, dispose, engine, fill, in_memory

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    PolicyError,
    PurposeModel,
    PurposeViolation,
    Sealed,
    SubjectId,
    carry,
    configure,
    purpose_scope,
)
from purposebind.enforcement import Denial, Read
from purposebind.integrations.sqlalchemy import SealedType, guard, to_model


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    dispose()


@pytest.fixture
def guarded() -> Engine:
    made = engine()
    with Session(made) as session:
        fill(session)
        session.commit()
    return made


@pytest.fixture(scope="module")
def server() -> str:
    need("initdb")
    dsn = running().new_database()
    name = dsn.rpartition("dbname=")[2]
    return f"///{name}?host={running().folder}&user=postgres"


# --- A statement is a use --------------------------------------------------------------------------------------------


def test_a_use_is_refused_before_the_database_sees_it(guarded: Engine) -> None:
    """R1: the audience would be matched by the database, and nobody would have read an attribute."""
    seen: list[str] = []
    with guarded.connect() as connection:
        connection.connection.driver_connection.set_trace_callback(seen.append)  # type: ignore[union-attr]
        with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation) as caught:
            connection.execute(select(Account.handle).where(Account.phone.in_([SECRET])))
        assert [one for one in seen if "phone" in one] == []
    assert caught.value.field == "Account.phone"
    assert caught.value.where == "WHERE of a SQL statement"
    assert SECRET not in str(caught.value)
    assert "read in      WHERE of a SQL statement" in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).where == caught.value.where


def test_uses_are_recorded_and_denials_told(guarded: Engine) -> None:
    """R11: what a statement used could not be counted."""
    reads: list[Read] = []
    denials: list[Denial] = []
    configure(on_read=[reads.append], on_violation=[denials.append])
    query = select(func.count()).where(Account.email.is_not(None), Account.phone != "")
    with Session(guarded) as session:
        for _ in range(2):
            with purpose_scope(TWO_FACTOR):
                session.scalar(query)
        with pytest.raises(NoActivePurpose):
            session.scalar(query)
    assert sorted(read.field for read in reads) == ["Account.email", "Account.email", "Account.phone", "Account.phone"]
    assert len(denials) == 1


def test_what_cannot_be_weighed_is_refused_in_any_scope(guarded: Engine) -> None:
    """R9: a statement that nobody understands would run, because nobody understood it."""
    with guarded.connect() as connection, purpose_scope(TWO_FACTOR):
        with pytest.raises(PolicyError, match="unheard_of") as caught:
            connection.execute(text("SELECT * FROM unheard_of WHERE x = '+1555'"))
        assert "+1555" not in str(caught.value)
        with pytest.raises(PolicyError):
            connection.execute(text("SELECT strange(handle) FROM account"))


def test_in_observe_mode_it_runs_and_is_told(guarded: Engine) -> None:
    """R11: a service that tries it out would break on the first statement that cannot be weighed."""
    denials: list[Denial] = []
    configure(mode="observe", on_violation=[denials.append])
    with guarded.connect() as connection:
        connection.connection.driver_connection.create_function("strange", 1, str.upper)  # type: ignore[union-attr]
        assert connection.scalar(text("SELECT strange(handle) FROM account")) == "ADA"
        assert connection.scalar(text("SELECT phone FROM account")) == SECRET
    assert "A SQL statement" in {denial.field for denial in denials}
    assert "Account.phone" in {denial.field for denial in denials}


def test_relations_and_functions_of_ones_own_are_registered() -> None:
    """A team with a table outside of its metadata could not use the guard at all."""
    own = guard(
        create_engine("sqlite://", poolclass=StaticPool), Base.metadata, relations=["town"], functions=["initials"]
    )
    with own.connect() as connection:
        raw: Any = connection.connection.driver_connection
        raw.create_function("initials", 1, lambda name: name[:1])
        connection.execute(text("CREATE TABLE town (name TEXT)"))
        connection.execute(text("INSERT INTO town VALUES ('Ystad')"))
        assert connection.scalar(text("SELECT initials(name) FROM town")) == "Y"
    own.dispose()


def test_a_view_is_followed_also_when_it_is_changed(tmp_path: Path) -> None:
    """R1: a view would show phones to whoever may not read them, and a new definition would not be noticed."""
    url = f"sqlite:///{tmp_path / 'v.db'}"
    owner = create_engine(url)
    Base.metadata.create_all(owner)
    made = guard(create_engine(url), Base.metadata)
    with owner.begin() as connection:
        connection.execute(text("CREATE VIEW shown AS SELECT handle AS x FROM account"))
    with made.begin() as connection:
        assert connection.scalars(text("SELECT x FROM shown")).all() == []
        connection.execute(text("DROP VIEW shown"))
    with owner.begin() as connection:
        connection.execute(text("CREATE VIEW shown AS SELECT phone AS x FROM account"))
    with made.connect() as connection, pytest.raises(NoActivePurpose, match=r"Account\.phone"):
        connection.scalars(text("SELECT x FROM shown"))
    owner.dispose()
    made.dispose()


def test_a_table_defined_later_is_known(guarded: Engine) -> None:
    """Modules that are imported late would be refused."""
    later = Table("later", Base.metadata, Column("id", Integer, primary_key=True), Column("n", Integer))
    try:
        later.create(guarded)
        with guarded.begin() as connection:
            connection.execute(insert(later).values(n=1))
            assert connection.scalar(select(later.c.n)) == 1
    finally:
        Base.metadata.remove(later)


def test_threads_have_scopes_of_their_own(guarded: Engine) -> None:
    """R5: a thread of a pool would read under somebody else's purpose."""
    caught: list[BaseException | None] = []

    def work() -> None:
        try:
            with guarded.connect() as connection:
                connection.scalars(select(Account.phone)).all()
            caught.append(None)
        except NoActivePurpose as error:
            caught.append(error)

    with purpose_scope(TWO_FACTOR):
        for target in (work, carry(work)):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert isinstance(caught[0], NoActivePurpose)
    assert caught[1] is None


# --- Copies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        insert(audience).from_select(["phone"], select(Account.phone)),
        update(Account).values(handle=Account.phone),
        update(Account).values(email=Account.phone),
        text("INSERT INTO audience (phone) SELECT phone FROM account"),
        text("CREATE TABLE copied AS SELECT * FROM account"),
    ],
)
def test_a_copy_into_something_wider_is_refused_in_any_scope(guarded: Engine, statement: Any) -> None:
    """R8: in 2019 phones were copied to where ads could match them."""
    for scope in (TWO_FACTOR, ADVERTISING):
        with guarded.connect() as connection, purpose_scope(scope), pytest.raises((PolicyError, PurposeViolation)):
            connection.execute(statement)
    with guarded.connect() as connection, purpose_scope(TWO_FACTOR), pytest.raises(PolicyError):
        connection.execute(statement)


def test_a_copy_as_narrow_as_its_source_is_a_use(guarded: Engine) -> None:
    """R8: nothing could be moved in the database at all."""
    statement = update(Account).values(phone=Account.email)
    with guarded.begin() as connection:
        with purpose_scope(SECURITY):
            connection.execute(statement)
        with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
            connection.execute(statement)


def test_a_sealed_parameter_does_not_widen(guarded: Engine) -> None:
    """R8: a box would be opened by writing it where anybody may read."""
    box = Sealed.of(SECRET, AllowedFor(TWO_FACTOR))
    with guarded.begin() as connection:
        with pytest.raises(PolicyError, match=r"audience\.phone"):
            connection.execute(insert(audience).values(phone=box))
        with pytest.raises(PolicyError, match="no tag"):
            connection.execute(insert(Account).values(handle=box, phone="+1"))
        connection.execute(insert(Account).values(handle="bob", phone=Sealed.of("+7", AllowedFor(SECURITY))))


# --- Engines ---------------------------------------------------------------------------------------------------------


def test_an_engine_is_guarded_once_with_metadata_before_it_connects(tmp_path: Path) -> None:
    """R9: an engine would look guarded, and be open."""
    with pytest.raises(PolicyError, match="metadata"):
        guard(create_engine("sqlite://"))
    twice = guard(create_engine("sqlite://"), Base.metadata)
    with pytest.raises(PolicyError, match="already"):
        guard(twice, Base.metadata)
    late = create_engine(f"sqlite:///{tmp_path / 'late.db'}")
    with late.connect():
        pass
    guard(late, Base.metadata)
    with pytest.raises(PolicyError, match="before"):
        late.connect()
    late.dispose()


def test_other_databases_and_drivers_are_refused() -> None:
    """R9: SQL would be read by the rules of another database."""
    for name, driver in (("mysql", "pymysql"), ("postgresql", "psycopg2")):
        other = create_engine("sqlite://")
        other.dialect.name, other.dialect.driver = name, driver
        with pytest.raises(PolicyError, match=f"An engine of {name}.* cannot be guarded"):
            guard(other, Base.metadata)


def test_without_a_guard_nothing_tagged_is_loaded(tmp_path: Path) -> None:
    """R9: tags would look like protection, while every statement runs."""
    open_ = create_engine(f"sqlite:///{tmp_path / 'open.db'}")
    Base.metadata.create_all(open_)
    with Session(open_) as session:
        fill(session)
        session.commit()
        for query in (
            select(Account), select(Account.phone), select(audience), select(func.lower(Account.phone)),
            select(Account.handle).where(Account.phone == "x"), select(Account.id).order_by(Account.phone),
            insert(Account).from_select(["handle"], select(func.lower(Account.phone))),
            update(Account).values(handle="x").where(Account.phone == "x"),
        ):  # fmt: skip
            with pytest.raises(PolicyError, match="no guard"):
                session.execute(query)
        session.execute(update(Account).values(phone="+1").where(Account.handle == "x"))
        assert session.scalar(select(Account.handle)) == "ada"
    open_.dispose()


# --- Declarations that protect nothing -------------------------------------------------------------------------------


def _own() -> Any:
    class Own(DeclarativeBase):
        pass

    _owns.append(Own)
    return Own


_owns: list[Any] = []


def _configure() -> None:
    _owns[-1].registry.configure()


def _primary_key() -> None:
    class Keyed(_own()):
        __tablename__ = "keyed"
        phone: Mapped[Annotated[str, AllowedFor(SECURITY)]] = mapped_column(primary_key=True)


def _foreign_key() -> None:
    own = _own()

    class Parent(own):
        __tablename__ = "parent"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Child(own):
        __tablename__ = "child"
        id: Mapped[int] = mapped_column(primary_key=True)
        parent_id: Mapped[Annotated[int, AllowedFor(SECURITY)]] = mapped_column(ForeignKey("parent.id"))
        parent = relationship(Parent)

    _configure()


def _mutable() -> None:
    class Watched(_own()):
        __tablename__ = "watched"
        id: Mapped[int] = mapped_column(primary_key=True)
        data: Mapped[Annotated[Any, AllowedFor(SECURITY)]] = mapped_column(MutableDict.as_mutable(JSON()))


def _mutable_core() -> None:
    class Watched(_own()):
        __tablename__ = "watched"
        id: Mapped[int] = mapped_column(primary_key=True)
        data: Mapped[Any] = mapped_column(SealedType(MutableDict.as_mutable(JSON()), AllowedFor(SECURITY)))

    _configure()


def _composite() -> None:
    class Pair:
        def __init__(self, a: str, b: str) -> None:
            self.a, self.b = a, b

    class Paired(_own()):
        __tablename__ = "paired"
        id: Mapped[int] = mapped_column(primary_key=True)
        a: Mapped[Annotated[str, AllowedFor(SECURITY)]]
        b: Mapped[str]
        pair = composite(Pair, "a", "b")

    _configure()


def _discriminator() -> None:
    class Kinds(_own()):
        __tablename__ = "kinds"
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[Annotated[str, AllowedFor(SECURITY)]]
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "k"}  # noqa: RUF012

    _configure()


def _two_subjects() -> None:
    class Two(_own()):
        __tablename__ = "two"
        id: Mapped[Annotated[int, SubjectId]] = mapped_column(primary_key=True)
        other: Mapped[Annotated[int, SubjectId]]

    _configure()


def _widened() -> None:
    class Mixin:
        phone: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]]

    class Wide(Mixin, _own()):
        __tablename__ = "wide"
        id: Mapped[int] = mapped_column(primary_key=True)
        phone: Mapped[Annotated[str, AllowedFor(SECURITY)]]


def _no_tag() -> None:
    SealedType(String, SECURITY)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (_primary_key, r"Keyed\.phone is a primary key"),
        (_foreign_key, r"Child\.parent_id"),
        (_mutable, r"Watched\.data.*mutable"),
        (_mutable_core, r"Watched\.data.*mutable"),
        (_composite, r"Paired\.pair is a composite"),
        (_discriminator, r"Kinds\.kind"),
        (_two_subjects, "SubjectId"),
        (_widened, r"Wide\.phone.*widen"),
        (_no_tag, "takes a column's type and a tag"),
    ],
)
def test_what_could_not_be_sealed_is_refused(declare: Callable[[], None], says: str) -> None:
    """R8, R9: a declaration would look like protection and give none, or break later and elsewhere."""
    try:
        with pytest.raises(PolicyError, match=says):
            declare()
    finally:
        while _owns:  # a mapper that failed would fail those of other tests
            _owns.pop().registry.dispose()


# --- Errors and echo -------------------------------------------------------------------------------------------------


def _told(error: BaseException) -> str:
    parts: list[str] = ["".join(traceback.format_exception(error))]
    seen: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            parts += [str(one), repr(one), repr(one.args), repr(getattr(one, "params", "")), repr(vars(one))]
            waiting += [one.__cause__, one.__context__, getattr(one, "orig", None)]
            diag = getattr(one, "diag", None)
            parts += [repr(getattr(diag, name)) for name in dir(diag) if not name.startswith("_")] if diag else []
            for name in ("detail", "message", "hint", "query", "where", "context"):
                parts.append(repr(getattr(one, name, "")))
    return "\n".join(parts)


def _errors(made: Engine) -> Iterator[BaseException]:
    """Each statement breaks, and its error could quote the secret."""
    with Session(made) as session:
        session.add(Account(handle="ada", phone=SECRET))
        session.commit()
    for breaks in (
        insert(Account).values(handle="other", phone=SECRET),
        insert(Account).values([{"handle": "a", "phone": SECRET}, {"handle": "b", "phone": SECRET}]),
        text("INSERT INTO account (handle, phone) VALUES ('x', :phone)").bindparams(phone=SECRET),
        update(Account).values(phone=None),
        insert(Account).values(handle=None, phone=SECRET + "1"),
    ):
        with made.connect() as connection:
            try:
                connection.execute(breaks)
            except DBAPIError as error:
                yield error
            else:
                raise AssertionError(breaks)
    with Session(made) as session:
        session.add(Account(handle="other", phone=SECRET))
        try:
            session.commit()
        except IntegrityError as error:
            yield error


def test_errors_of_sqlite_hold_no_value(tmp_path: Path) -> None:
    """R7: the phone of somebody who signs up twice would be in the log of errors."""
    made = guard(create_engine(f"sqlite:///{tmp_path / 'e.db'}"), Base.metadata)
    Base.metadata.create_all(made)
    errors = list(_errors(made))
    made.dispose()
    for error in errors:
        assert SECRET not in _told(error)
        assert "account" in str(error)


@pytest.mark.parametrize("driver", ["psycopg"])
def test_errors_of_postgresql_hold_no_value(server: str, driver: str) -> None:
    """R7: PostgreSQL's DETAIL quotes the row."""
    made = guard(create_engine(f"postgresql+{driver}:{server}"), Base.metadata)
    Base.metadata.drop_all(made)
    Base.metadata.create_all(made)
    errors = list(_errors(made))
    with made.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(
            text("INSERT INTO account (id, handle, phone) VALUES (CAST(:p AS INTEGER), 'x', 'y')"), {"p": SECRET + "x"}
        )
    made.dispose()
    for error in [*errors, caught.value]:
        assert SECRET not in _told(error)
        assert "Key (" not in _told(error)
    assert any("account_phone_key" in str(error) for error in errors)  # what to mend is still said
    unique: Any = next(error for error in errors if "account_phone_key" in str(error))
    assert unique.orig.diag.constraint_name == "account_phone_key"
    assert unique.orig.sqlstate == "23505"


def test_errors_of_asyncpg_hold_no_value(server: str) -> None:
    """R7: asyncpg hangs the DETAIL below SQLAlchemy's error."""

    async def break_() -> list[BaseException]:
        made = guard(create_async_engine(f"postgresql+asyncpg:{server}"), Base.metadata)
        async with made.begin() as connection:
            await connection.run_sync(Base.metadata.drop_all)
            await connection.run_sync(Base.metadata.create_all)
        errors: list[BaseException] = []
        for _ in range(2):
            try:
                async with AsyncSession(made) as session:
                    session.add(Account(handle="ada", phone=SECRET))
                    await session.commit()
            except IntegrityError as error:
                errors.append(error)
        await made.dispose()
        return errors

    (error,) = asyncio.run(break_())
    assert SECRET not in _told(error)
    assert "account_" in str(error)


def test_a_value_that_its_type_refuses_is_not_quoted(guarded: Engine) -> None:
    """R7: a converter's message quotes what it was given."""
    table = Table(
        "n", MetaData(), Column("id", Integer, primary_key=True), Column("d", SealedType(JSON(), AllowedFor(SECURITY)))
    )
    made = in_memory(table.metadata)
    with made.connect() as connection, pytest.raises(StatementError) as caught:
        connection.execute(insert(table).values(d={SECRET: {SECRET}}))
    assert SECRET not in _told(caught.value)


def test_echo_shows_no_parameter(caplog: pytest.LogCaptureFixture) -> None:
    """R7: an engine that echoes would write phones into the log."""
    made = engine(echo="debug").execution_options(logging_token="shop")
    with caplog.at_level(logging.DEBUG, "sqlalchemy"), Session(made) as session:
        fill(session)
        session.commit()
        session.scalars(select(Account)).all()
        with purpose_scope(TWO_FACTOR):
            session.scalars(select(Account.phone).where(Account.phone == SECRET)).all()
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert "INSERT INTO account" in said
    assert SECRET not in said


# --- Async -----------------------------------------------------------------------------------------------------------


async def _works(url: str) -> None:
    made = guard(create_async_engine(url), Base.metadata)
    async with made.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(made, expire_on_commit=False) as session:
        fill(session)
        await session.commit()
        account = (await session.scalars(select(Account).options(selectinload(Account.devices)))).one()
        with pytest.raises(NoActivePurpose):
            _ = account.phone
        with pytest.raises(NoActivePurpose) as caught:
            await session.scalars(select(Account.phone))
        assert caught.value.site is not None
        assert caught.value.site.file == __file__
        await session.rollback()

        async def ask(purpose: Any) -> Any:
            with purpose_scope(purpose):
                async with AsyncSession(made) as own:
                    await asyncio.sleep(0)
                    return (await own.scalars(select(Account.phone))).all()

        allowed, refused = await asyncio.gather(ask(TWO_FACTOR), ask(ADVERTISING), return_exceptions=True)
        assert allowed == [SECRET]
        assert isinstance(refused, PurposeViolation)
        with purpose_scope(TWO_FACTOR):
            async with made.connect() as connection:
                result = await connection.stream(select(Account.phone))
                assert [row[0] async for row in result] == [SECRET]
    await made.dispose()


def test_async_engines_ask_in_the_scope_of_the_task(tmp_path: Path) -> None:
    """R5: aiosqlite runs SQL in a thread that has no scope, or somebody else's."""
    asyncio.run(_works(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"))


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_async_engines_of_postgresql(server: str, driver: str) -> None:
    """R5: the same, on a server."""
    asyncio.run(_works(f"postgresql+{driver}:{server}"))


# --- Into models -----------------------------------------------------------------------------------------------------


class DeviceModel(PurposeModel):
    id: int
    serial: Annotated[str, AllowedFor(SECURITY)]


class AccountModel(PurposeModel):
    id: Annotated[int, SubjectId]
    handle: str
    phone: Annotated[str, AllowedFor(SECURITY)]
    email: Annotated[str | None, AllowedFor(SECURITY)]
    devices: list[DeviceModel] = Field(default_factory=list)


class Open(PurposeModel):
    handle: str
    phone: str


def test_an_entity_becomes_a_model_and_stays_sealed(guarded: Engine) -> None:
    """R1: to hand an account to the next layer would be a read, in every handler."""
    with Session(guarded) as session:
        model = to_model(session.scalars(select(Account)).one(), AccountModel)
    assert SECRET not in repr(model)
    assert model.handle == "ada"
    with purpose_scope(SECURITY):
        assert model.email == "ada@x.example"
        assert model.devices[0].serial == "s1"
        with pytest.raises(PurposeViolation):  # R8: as narrow as the column, though the field allows more
            _ = model.phone
    with purpose_scope(TWO_FACTOR):
        assert model.phone == SECRET


def test_a_tagged_column_does_not_go_into_an_open_field(guarded: Engine) -> None:
    """R8: the next layer would have the phone open."""
    with Session(guarded) as session, pytest.raises(PolicyError, match=r"Open\.phone.*no tag"):
        to_model(session.scalars(select(Account)).one(), Open)


def test_a_row_becomes_a_model(guarded: Engine) -> None:
    """A query of columns would need a mapping by hand."""
    with Session(guarded) as session, purpose_scope(TWO_FACTOR):
        row = session.execute(select(Account.id, Account.handle, Account.phone, Account.email)).one()
        model = to_model(row, AccountModel)
    assert SECRET not in repr(model)
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        _ = model.phone


def test_what_the_model_does_not_take_is_not_quoted(guarded: Engine) -> None:
    """R7: an entity that does not fit would be quoted in the error."""

    class Fussy(PurposeModel):
        handle: str
        phone: Annotated[int, AllowedFor(SECURITY)]
        missing: str

    with Session(guarded) as session:
        account = session.scalars(select(Account)).one()
        account.phone = SECRET + "x"
        with pytest.raises(ValueError, match="missing") as caught:
            to_model(account, Fussy)
    assert SECRET not in _told(caught.value)


def test_a_check_constraint_is_named(tmp_path: Path) -> None:
    """What to mend would not be said, for fear of what it quotes."""
    table = Table(
        "c",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("phone", SealedType(String, AllowedFor(SECURITY))),
        CheckConstraint("phone <> 'bad'", name="phone_is_good"),
    )
    made = in_memory(table.metadata)
    with made.connect() as connection, pytest.raises(IntegrityError, match="phone_is_good"):
        connection.execute(insert(table).values(phone="bad"))
