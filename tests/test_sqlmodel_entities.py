"""`PurposeSQLModel` as an entity: stored, loaded, queried and related, on guarded engines."""

import asyncio
import copy
import datetime
import enum
import pickle
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Optional

import pytest
from postgres_server import running
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR
from real_parts import need
from sqlalchemy import JSON, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import defer, registry, selectinload
from sqlalchemy.pool import StaticPool
from sqlalchemy_tables import dispose, in_memory
from sqlmodel import Field, Relationship, Session, delete, func, insert, select, update
from sqlmodel.ext.asyncio.session import AsyncSession
from test_sqlalchemy_drivers import url_of

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    PolicyError,
    PurposeModel,
    PurposeViolation,
    Sealed,
    SubjectId,
    configure,
    purpose_scope,
)
from purposebind.enforcement import Read
from purposebind.integrations.sqlalchemy import guard, to_model
from purposebind.integrations.sqlmodel import PurposeSQLModel


class Base(PurposeSQLModel, registry=registry()): ...


class Team(Base, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    accounts: list["Account"] = Relationship(back_populates="team")


class Plan(enum.Enum):
    FREE = "free"
    PAID = "paid"


class AccountBase(Base):
    handle: str = Field(index=True)
    phone: Annotated[str, AllowedFor(TWO_FACTOR)] = Field(max_length=20, unique=True)
    email: Annotated[str | None, AllowedFor(SECURITY)] = None


class Account(AccountBase, table=True):
    id: Annotated[int | None, SubjectId] = Field(default=None, primary_key=True)
    tier: Annotated[Plan, AllowedFor(SECURITY)] = Plan.FREE
    born: Annotated[Optional[datetime.date], AllowedFor(SECURITY)] = None  # noqa: UP045  # the older spelling too
    devices: Annotated[list[str], AllowedFor(SECURITY)] = Field(default_factory=list, sa_type=JSON)
    team_id: int | None = Field(default=None, foreign_key="team.id")
    team: Team | None = Relationship(back_populates="accounts")


class AccountCreate(AccountBase): ...


class AccountPublic(AccountBase):
    id: int


class AccountWithTeam(AccountPublic):
    team: Team | None = None


class TeamWithAccounts(Base):
    name: str
    accounts: list[AccountPublic] = Field(default_factory=list)


class Audience(Base, table=True):
    id: int | None = Field(default=None, primary_key=True)
    phone: Annotated[str, AllowedFor(SECURITY, ADVERTISING)]


class Exported(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    dispose()


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(in_memory(Base.metadata)) as made:
        account = Account.model_validate(AccountCreate(handle="ada", phone=SECRET, email="a@x.example"))
        account.team = Team(name="red")
        made.add(account)
        made.commit()
        yield made


@pytest.fixture
def account(session: Session) -> Account:
    return session.exec(select(Account)).one()


def held(entity: Any, name: str = "phone") -> Any:
    return vars(entity).get(name)


# --- Loading and storing ----------------------------------------------------------------------------------------------


def test_what_is_loaded_is_sealed(session: Session, account: Account) -> None:
    """R1, R6: every handler that loads an account would hold a phone that it has no purpose for."""
    for loaded in (
        account,
        session.get(Account, 1),
        session.exec(select(Account).where(Account.handle == "ada")).first(),
        session.exec(select(Team).options(selectinload(Team.accounts))).one().accounts[0],  # type: ignore[arg-type]
    ):
        assert loaded is not None
        assert type(held(loaded)) is Sealed
        assert SECRET not in f"{loaded!r} {vars(loaded)} {inspect(loaded).attrs.phone.history}"
        with pytest.raises(NoActivePurpose):
            _ = loaded.phone
        with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
            _ = loaded.phone
        with purpose_scope(TWO_FACTOR):
            assert loaded.phone == SECRET
        with purpose_scope(SECURITY):
            assert (loaded.tier, loaded.devices, loaded.born) == (Plan.FREE, [], None)


def test_storing_is_no_read(session: Session, account: Account) -> None:
    """R1: sign-up, refresh and merge would need a scope that says what they are not for."""
    account.phone = "+2"
    account.devices = ["watch"]
    session.add(account)
    session.commit()
    session.refresh(account)
    assert SECRET not in f"{vars(account)} {inspect(account).committed_state}"
    session.expire(account)
    _ = account.handle
    session.rollback()
    session.expunge_all()
    merged = session.merge(Account(id=1, handle="ada", phone="+3"))
    session.commit()
    with purpose_scope(SECURITY):
        assert merged.devices == []
    with purpose_scope(TWO_FACTOR):
        assert merged.phone == "+3"
    session.delete(merged)
    session.commit()
    assert session.exec(select(Account.id)).all() == []


def test_what_is_assigned_is_stored_even_if_it_is_the_same(session: Session, account: Account) -> None:
    """R1: whether an UPDATE is sent would tell whether the phone is the one that was tried."""
    before = inspect(account).modified
    account.phone = SECRET
    assert (before, inspect(account).modified) == (False, True)
    assert inspect(account).attrs.phone.history.has_changes()
    session.commit()
    with purpose_scope(TWO_FACTOR):
        assert account.phone == SECRET


READS: dict[str, Callable[[Account], Any]] = {
    "attribute": lambda account: account.phone,
    "absence": lambda account: account.born,
    "dump": lambda account: account.model_dump(),
    "JSON": lambda account: account.model_dump_json(),
    "iteration": dict,
    "pickle": pickle.dumps,
    "equality": lambda account: account == account.model_copy(),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_loaded_account_asks_on_every_road(account: Account, read: Any) -> None:
    """R1: an entity is a pydantic model too, and its second half would be open."""
    with pytest.raises(NoActivePurpose) as caught:
        read(account)
    assert caught.value.site is not None
    assert caught.value.site.file == __file__
    with purpose_scope(TWO_FACTOR):
        read(account)


def test_a_pickled_account_comes_back_sealed(session: Session, account: Account) -> None:
    """R1: what a worker is sent would be open there, or could not be put into a session."""
    with purpose_scope(TWO_FACTOR):
        pickled = pickle.dumps(account)
    session.expunge_all()
    again = pickle.loads(pickled)
    assert type(held(again)) is Sealed
    session.add(again)
    again.handle = "eve"
    session.commit()
    with purpose_scope(TWO_FACTOR):
        assert (again.handle, again.phone) == ("eve", SECRET)


def test_moving_between_models_is_no_read(account: Account) -> None:
    """R1: a handler that answers with a response model would need a scope to make it, and another to send it."""
    for moved in (
        AccountPublic.model_validate(account),
        AccountWithTeam.model_validate(account),
        to_model(account, Exported),
        to_model(account, AccountPublic),
        copy.copy(account),
        account.model_copy(),
    ):
        assert type(held(moved)) is Sealed
        with purpose_scope(TWO_FACTOR):
            assert moved.phone == SECRET
    team = TeamWithAccounts.model_validate(account.team)
    assert type(held(team.accounts[0])) is Sealed
    assert AccountWithTeam.model_validate(account).team is account.team


def test_an_expired_account_is_loaded_to_be_moved(session: Session, account: Account) -> None:
    """SQLModel's tutorial answers with what was committed just now: the response model would be empty."""
    session.commit()
    assert held(account) is None
    public = AccountPublic.model_validate(account)
    assert type(held(public)) is Sealed
    with session.no_autoflush:
        deferred = session.exec(select(Account).options(defer(Account.phone))).one()  # type: ignore[arg-type]
        with purpose_scope(TWO_FACTOR):
            assert deferred.phone == SECRET


def test_accounts_are_taken_out_of_a_team(session: Session, account: Account) -> None:
    """SQLAlchemy compares entities to find one in a list, and would be refused."""
    team = account.team
    assert team is not None
    team.accounts.append(Account(handle="bob", phone="+2"))
    session.commit()
    bob = team.accounts[1]
    team.accounts.remove(bob)
    session.commit()
    assert bob.team_id is None
    assert bob not in team.accounts


# --- Statements -------------------------------------------------------------------------------------------------------


STATEMENTS: dict[str, Callable[[Session], Any]] = {
    "select": lambda s: s.exec(select(Account.phone)).all(),
    "where": lambda s: s.exec(select(Account).where(Account.phone == SECRET)).all(),
    "order": lambda s: s.exec(select(Account).order_by(Account.phone)).all(),
    "function": lambda s: s.exec(select(func.length(Account.phone))).all(),
    "tuple": lambda s: s.exec(select(Account.id, Account.phone)).all(),
    "text": lambda s: s.execute(text("SELECT phone FROM account")).all(),
    "delete": lambda s: s.exec(delete(Account).where(Account.phone == "+9")),  # type: ignore[arg-type]
    "returning": lambda s: s.exec(update(Account).values(handle="eve").returning(Account.phone)).all(),  # type: ignore[call-overload]
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_a_statement_is_a_use(session: Session, statement: Any) -> None:
    """R1, R2: the audience would be matched in the database, without an attribute ever being read."""
    with pytest.raises(NoActivePurpose):
        statement(session)
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        statement(session)
    with purpose_scope(TWO_FACTOR):
        statement(session)


def test_writing_statements_are_no_use(session: Session, account: Account) -> None:
    """R1: to change a phone would need the purpose that it was given for."""
    session.exec(update(Account).values(phone="+2"))
    session.exec(insert(Account).values(handle="bob", phone="+3", tier=Plan.PAID, devices=[]))
    session.commit()
    with purpose_scope(TWO_FACTOR):
        assert account.phone == "+2"


def test_a_wider_column_takes_nothing_narrower(session: Session, account: Account) -> None:
    """R8: the phones of two-factor security would be copied into the table of the audience."""
    session.add(Audience.model_validate(to_model(account, AccountPublic)))
    with pytest.raises(PolicyError, match=r"AccountPublic\.phone.*may not be written into Audience\.phone"):
        session.flush()
    session.rollback()
    with purpose_scope(TWO_FACTOR), pytest.raises(PolicyError):
        session.exec(insert(Audience).from_select(["phone"], select(Account.phone)))


def test_an_error_of_the_database_quotes_no_phone(session: Session) -> None:
    """R7: the log would show whose number was registered twice."""
    session.add(Account(handle="eve", phone=SECRET))
    with pytest.raises(IntegrityError) as caught:
        session.commit()
    assert SECRET not in f"{caught.value} {caught.value.params}"


# --- Who, and how -----------------------------------------------------------------------------------------------------


def test_a_read_tells_whose_data_it_was(session: Session) -> None:
    """Whoever has to tell the people concerned would not know whom."""
    seen: list[Read] = []
    configure(on_read=seen.append)
    made = Account(handle="bob", phone="+2")
    session.add(made)
    session.flush()
    with purpose_scope(TWO_FACTOR):
        _ = made.phone
        made.model_dump(include={"phone"})
    session.expunge_all()
    for loaded in session.exec(select(Account).order_by(Account.id)).all():  # type: ignore[arg-type]
        with purpose_scope(TWO_FACTOR):
            loaded.model_dump(include={"phone"})
            _ = loaded.phone
    session.commit()
    with purpose_scope(SECURITY):
        _ = session.get_one(Account, 2).born
    moved = AccountPublic.model_validate(session.get(Account, 1))
    with purpose_scope(TWO_FACTOR):
        _ = moved.phone
    assert [one.subject for one in seen] == [2, 2, 1, 1, 2, 2, 2, 1]
    assert {one.field for one in seen} == {"Account.phone", "Account.born", "AccountPublic.phone"}


def test_a_model_that_observes_observes_what_was_loaded(caplog: pytest.LogCaptureFixture) -> None:
    """R11: a table that is only watched yet would begin to refuse as soon as it is loaded from the database."""

    class Observed(Base, table=True, purpose_mode="observe"):
        id: int | None = Field(default=None, primary_key=True)
        phone: Annotated[str, AllowedFor(TWO_FACTOR)]

    with Session(in_memory(Base.metadata)) as session:
        session.add(Observed(phone=SECRET))
        session.commit()
        assert session.exec(select(Observed)).one().phone == SECRET
    assert "Observed.phone may not be read" in caplog.text


async def _use(engine: Any) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session:
        account = Account.model_validate(AccountCreate(handle="ada", phone=SECRET))
        session.add(account)
        await session.commit()
        await session.refresh(account)
        assert type(held(account)) is Sealed
        with pytest.raises(NoActivePurpose):
            await session.exec(select(Account.phone))
        with purpose_scope(TWO_FACTOR):
            assert (await session.exec(select(Account.phone))).all() == [SECRET]
        loaded = (await session.exec(select(Account))).one()
        with pytest.raises(NoActivePurpose):
            _ = loaded.phone
        with purpose_scope(TWO_FACTOR):
            assert loaded.phone == SECRET
    await engine.dispose()


def test_an_async_session_is_held_to_the_same() -> None:
    """R1: a service that is async would be unprotected, or could not store an account."""
    asyncio.run(_use(guard(create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool), Base.metadata)))


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_an_async_session_on_postgresql_is_held_to_the_same(driver: str) -> None:
    """R1: what holds on SQLite would not where the service runs."""
    need("initdb")
    asyncio.run(_use(guard(create_async_engine(url_of(running().new_database(), driver)), Base.metadata)))


def test_an_engine_that_is_not_guarded_gives_nothing() -> None:
    """R9: a service that forgot the guard would have sealed accounts, and open queries."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Account(handle="ada", phone=SECRET))
        session.commit()
        with pytest.raises(PolicyError, match="guard"):
            session.exec(select(Account)).all()
    engine.dispose()
