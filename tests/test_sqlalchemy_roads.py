"""Roads that well-meaning code takes with entities, from SQLAlchemy's documentation and what is built on it."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.exc import OperationalError, StatementError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    column_property,
    declared_attr,
    mapped_column,
    query_expression,
    registry,
    relationship,
    synonym,
    undefer,
    with_expression,
)
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.collections import attribute_keyed_dict, column_keyed_dict
from sqlalchemy_tables import dispose, in_memory

from purposebind import AllowedFor, NoActivePurpose, PolicyError, PurposeViolation, Sealed, SubjectId, purpose_scope
from purposebind.integrations.sqlalchemy import guard, policy_of


class Base(DeclarativeBase):
    metadata = MetaData()


class Member(Base):
    __tablename__ = "member"

    id: Mapped[Annotated[int, SubjectId]] = mapped_column(primary_key=True)
    handle: Mapped[str] = mapped_column(String(50))
    phone: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]] = mapped_column(String(50))
    email: Mapped[Annotated[str | None, AllowedFor(SECURITY)]]
    seen: Mapped[Annotated[dt.datetime | None, AllowedFor(SECURITY)]]
    active: Mapped[Annotated[bool, AllowedFor(SECURITY)]] = mapped_column(default=True)
    joined: Mapped[dt.date | None]
    shown: Mapped[str | None] = query_expression()
    five: Mapped[int] = query_expression(literal(5))
    lowered: Mapped[str] = column_property(func.lower(phone), deferred=True)
    digits: Mapped[int] = column_property(func.length(phone), deferred=True)
    upper: Mapped[str] = column_property(func.upper(handle))


class Summary(Base):
    __table__ = select(Member.id, Member.handle, func.length(Member.phone).label("digits")).subquery()
    __mapper_args__ = {"primary_key": [__table__.c.id]}  # noqa: RUF012
    if TYPE_CHECKING:
        handle: str
        digits: int


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    dispose()


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(in_memory(Base.metadata)) as made:
        seen = dt.datetime(2020, 1, 1)
        made.add(Member(id=1, handle="ada", phone=SECRET, email="ada@x.example", seen=seen))
        made.commit()
        yield made


@pytest.fixture
def member(session: Session) -> Member:
    return session.scalars(select(Member)).one()


# --- What is made of tagged columns ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lowered", "digits"])
def test_what_a_mapped_expression_makes_is_as_narrow(session: Session, name: str) -> None:
    """R8: a phone in lower case, loaded for a login code, would be there for advertising in the same session."""
    query = select(Member).options(undefer(getattr(Member, name)))
    with pytest.raises(NoActivePurpose):
        session.scalars(query).one()
    with purpose_scope(TWO_FACTOR):
        member = session.scalars(query).one()
        assert getattr(member, name) in (SECRET, len(SECRET))
    assert type(vars(member)[name]) is Sealed
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation, match=rf"Member\.{name}"):
        getattr(member, name)
    assert member.upper == "ADA"


@pytest.mark.parametrize("expression", [Member.phone, func.lower(Member.phone), Member.phone + "x"])
def test_what_a_query_puts_in_is_as_narrow(session: Session, expression: Any) -> None:
    """R8: with_expression() would give a box to who may read it, or the phone to who may not."""
    query = select(Member).options(with_expression(Member.shown, expression))
    with purpose_scope(TWO_FACTOR):
        member = session.scalars(query.execution_options(populate_existing=True)).one()
        assert SECRET in str(member.shown)
    assert SECRET not in repr(vars(member))
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation, match=r"Member\.shown"):
        _ = member.shown


def test_what_a_query_puts_in_of_other_columns_stays_open(session: Session) -> None:
    """A label made of names would need a purpose."""
    query = select(Member).options(with_expression(Member.shown, func.upper(Member.handle)))
    member = session.scalars(query.execution_options(populate_existing=True)).one()
    assert (member.shown, member.five) == ("ADA", 5)


def test_a_class_that_is_mapped_to_a_query_is_sealed(session: Session) -> None:
    """R8: how long a phone is would be open, because the class is of a query and not of a table."""
    with pytest.raises(NoActivePurpose):
        session.scalars(select(Summary)).one()
    with purpose_scope(TWO_FACTOR):
        summary = session.scalars(select(Summary)).one()
        assert summary.digits == len(SECRET)
    assert summary.handle == "ada"
    with pytest.raises(NoActivePurpose):
        _ = summary.digits


# --- Copies of entities ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_of_an_entity_keeps_what_it_holds(member: Member, copied: Callable[[Any], Any]) -> None:
    """R1: what was kept to compare with later would have lost the phone, and raise where it is read."""
    made = copied(member)
    assert type(vars(made)["phone"]) is Sealed
    with purpose_scope(TWO_FACTOR):
        assert made.phone == SECRET


def test_a_committed_value_is_sealed(member: Member) -> None:
    """R6: what was loaded by another query and put into the entity would be open in it."""
    set_committed_value(member, "phone", "+2")
    set_committed_value(member, "handle", "bob")
    assert "+2" not in repr(vars(member))
    assert member.handle == "bob"
    with purpose_scope(TWO_FACTOR):
        assert member.phone == "+2"


def test_a_generated_representation_shows_no_value_and_does_not_raise() -> None:
    """R6: an entity of attrs could not be logged."""
    attrs = pytest.importorskip("attrs")
    mapping = registry()

    @attrs.define(slots=False)
    class Guest:
        id: int
        phone: Annotated[str, AllowedFor(TWO_FACTOR)]
        note: str = attrs.field(default="x", repr=False)

    columns = Column("phone", String), Column("note", String)
    mapping.map_imperatively(Guest, Table("guest", mapping.metadata, Column("id", Integer, primary_key=True), *columns))
    guest: Any = Guest
    assert repr(guest(1, SECRET)).endswith("Guest(id=1, phone=<sealed: security.two_factor>)")


# --- Statements that SQLAlchemy works out in Python too --------------------------------------------------------------


@pytest.mark.parametrize("how", ["evaluate", "auto", "fetch"])
def test_an_update_changes_the_entities_that_the_database_changes(session: Session, how: str) -> None:
    """Entities in the session would be stale, or the update raise after the database has made it."""
    member = session.get_one(Member, 1)
    _ = member.handle
    with purpose_scope(TWO_FACTOR):
        for criterion, handle in ((Member.phone == SECRET, "bob"), (Member.active, "cid")):
            assert member.handle != handle
            changed = update(Member).where(criterion).values(handle=handle)
            session.execute(changed, execution_options={"synchronize_session": how})
            assert vars(member).get("handle", handle) == handle
        session.execute(
            update(Member).values(phone=Member.phone + "1", seen=Member.seen),
            execution_options={"synchronize_session": how},
        )
        assert member.phone == SECRET + "1"
    assert member.handle == "cid"
    assert SECRET not in repr(vars(member))


def test_a_value_beside_a_column_has_its_own_type(session: Session) -> None:
    """A number of days could not be compared with a date, once the date has a tag."""
    with purpose_scope(SECURITY):
        for one in (dt.timedelta(days=1), dt.timedelta(0)):
            session.execute(select(Member.id).where(Member.seen + one > dt.datetime(2019, 1, 1))).all()
        assert session.scalars(select(Member.id).where(Member.seen > dt.datetime(2019, 1, 1))).all() == [1]


# --- Boxes as parameters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        lambda box: select(literal(box, Member.phone.type)),
        lambda box: select(func.lower(literal(box, Member.phone.type))),
        lambda box: text("SELECT :it").bindparams(bindparam("it", box, type_=Member.phone.type)),
        lambda box: update(Member).values(handle=literal(box, Member.phone.type)),
        lambda box: insert(Member).values(handle=bindparam("it", box, type_=Member.phone.type), phone="+2"),
        lambda box: select(Member.id).where(Member.handle == literal(box, Member.phone.type)),
    ],
)
def test_a_box_that_is_taken_into_a_statement_is_read(session: Session, member: Member, statement: Any) -> None:
    """R1, R8: a box and the type of its column would give the phone back open, without a purpose."""
    made = statement(vars(member)["phone"])
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        session.execute(made)
    session.rollback()


def test_a_box_that_is_written_into_its_column_is_not(session: Session, member: Member) -> None:
    """R1: to copy rows in bulk would need a scope."""
    table: Any = Member.__table__
    box = vars(member)["phone"]
    session.execute(insert(table), [{"id": 2, "handle": "b", "phone": box, "active": True}])
    session.execute(insert(table).values(id=3, handle="c", phone=bindparam("it"), active=True), {"it": box})
    changed = update(table).where(table.c.id == bindparam("which")).values(phone=bindparam("it"))
    session.connection().execute(changed, [{"which": 2, "it": box}, {"which": 3, "it": box}])
    session.execute(update(Member).values({Member.phone: box}))
    with purpose_scope(TWO_FACTOR):
        assert set(session.scalars(select(Member.phone))) == {SECRET}


# --- Declarations ----------------------------------------------------------------------------------------------------


def test_a_tag_counts_wherever_sqlalchemy_takes_an_annotation() -> None:
    """R9: a mixin that returns its column, or an expression with a tag, would be open without a word."""

    class Own(DeclarativeBase):
        pass

    class Mixin:
        @declared_attr
        def phone(cls) -> Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]]:
            return mapped_column(String(20))

    class Guest(Mixin, Own):
        __tablename__ = "guest"
        id: Mapped[int] = mapped_column(primary_key=True)
        handle: Mapped[str] = mapped_column()
        loud: Mapped[Annotated[str, AllowedFor(SECURITY)]] = column_property(func.upper(handle))
        shown: Mapped[Annotated[str | None, AllowedFor(SECURITY)]] = query_expression()
        lower: Mapped[Annotated[str, AllowedFor(SECURITY)]] = query_expression(func.lower(handle))
        alias: Mapped[Annotated[str, AllowedFor(SECURITY)]] = synonym("loud")

        @declared_attr
        def email(cls) -> Mapped[Annotated[str, AllowedFor(SECURITY)]]:
            return mapped_column(String(20))

    with Session(in_memory(Own.metadata)) as session:
        session.add(Guest(handle="ada", phone=SECRET, email=SECRET))
        session.commit()
        guest = session.scalars(select(Guest).options(with_expression(Guest.shown, Guest.handle + "!"))).one()
        for name, value in {"phone": SECRET, "email": SECRET, "loud": "ADA", "shown": "ada!", "lower": "ada"}.items():
            assert type(vars(guest)[name]) is Sealed
            with pytest.raises(NoActivePurpose):
                getattr(guest, name)
            with purpose_scope(TWO_FACTOR):
                assert getattr(guest, name) == value


def _plain(own: Any) -> None:
    class Guest(own):  # type: ignore[misc]
        __tablename__ = "guest"
        __allow_unmapped__ = True
        id: Mapped[int] = mapped_column(primary_key=True)
        phone: Annotated[str, AllowedFor(TWO_FACTOR)] = ""

    Guest.registry.configure()


def _named(own: Any) -> None:
    class Guest(own):  # type: ignore[misc]
        __tablename__ = "guest"
        id: Mapped[int] = mapped_column(primary_key=True)
        handle: Mapped[str]
        phone: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]] = synonym("handle")

    Guest.registry.configure()


@pytest.mark.parametrize("declare", [_plain, _named])
def test_a_tag_on_what_is_no_column_is_refused(declare: Callable[[Any], None]) -> None:
    """R9: it would protect nothing, and look as if it did."""
    own: Any = type("Own", (DeclarativeBase,), {})
    with pytest.raises(PolicyError, match=r"Guest\.phone has a tag and is no column"):
        declare(own)


@pytest.mark.parametrize("by", ["attribute", "column"])
def test_a_dictionary_by_a_tagged_attribute_is_refused(by: str) -> None:
    """R9: its keys would be the serial numbers, open."""

    class Own(DeclarativeBase):
        pass

    class Thing(Own):
        __tablename__ = "thing"
        id: Mapped[int] = mapped_column(primary_key=True)
        owner_id: Mapped[int] = mapped_column(ForeignKey("owner.id"))
        serial: Mapped[Annotated[str, AllowedFor(SECURITY)]]

    keyed: Any = attribute_keyed_dict("serial") if by == "attribute" else column_keyed_dict(Thing.__table__.c.serial)  # type: ignore[arg-type]

    class Owner(Own):
        __tablename__ = "owner"
        id: Mapped[int] = mapped_column(primary_key=True)
        things = relationship(Thing, collection_class=keyed)

    with pytest.raises(PolicyError, match=r"Owner\.things is a dictionary by a tagged attribute"):
        Owner.registry.configure()


def test_a_table_that_is_reflected_again_keeps_its_tags() -> None:
    """R8: metadata that is filled up from the database would lose each tag, and every text be open."""
    metadata = MetaData()

    class Own(DeclarativeBase):
        pass

    Own.metadata = metadata

    class Guest(Own):
        __tablename__ = "guest"
        id: Mapped[int] = mapped_column(primary_key=True)
        phone: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]]

    engine = in_memory(Guest.metadata)
    metadata.reflect(engine, extend_existing=True)
    assert policy_of(metadata.tables["guest"].c.phone) is AllowedFor(TWO_FACTOR).policy
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE other (id INTEGER)"))
        with pytest.raises(NoActivePurpose):
            connection.execute(text("SELECT phone FROM guest"))


# --- Errors ----------------------------------------------------------------------------------------------------------


def test_what_cannot_be_converted_is_not_quoted(session: Session) -> None:
    """R7: a date that somebody else stored wrong would be in the error, and in its log."""
    session.execute(text("UPDATE member SET seen = :it"), {"it": f"x{SECRET}"})
    session.expire_all()
    with pytest.raises(ValueError, match=r"What is stored for Member\.seen is not of its type") as caught:
        session.scalars(select(Member)).one()
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_value_of_another_type_is_called_that(session: Session) -> None:
    """Somebody with a date as a text would be sent to look for a sealed value."""
    session.add(Member(handle="bob", phone="+2", seen="yesterday"))
    with pytest.raises(StatementError, match=r"The value for Member\.seen is none of its column's type"):
        session.flush()
    session.rollback()
    session.add(Member(handle="bob", phone="+2", joined="yesterday"))
    with pytest.raises(StatementError):
        session.flush()


def test_an_engine_that_cannot_connect_says_why() -> None:
    """On call nobody would know whether it is the host, the password or the database's name."""
    engine = guard(create_engine("postgresql+psycopg://nobody@/none?host=/nowhere-at-all"), Base.metadata)
    with pytest.raises(OperationalError, match="nowhere-at-all"):
        engine.connect()
