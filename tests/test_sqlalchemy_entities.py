"""Entities are sealed at rest, as models are: on their way in, out, and to and fro."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR
from sqlalchemy import (
    JSON,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    Session,
    aliased,
    defer,
    mapped_column,
    registry,
    synonym,
    undefer,
    validates,
)
from sqlalchemy_tables import Account, Device, dispose, engine, fill, in_memory

from purposebind import AllowedFor, NoActivePurpose, PurposeViolation, Sealed, SubjectId, configure, purpose_scope
from purposebind.enforcement import Read
from purposebind.integrations.sqlalchemy import SealedType, policy_of


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    dispose()


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(engine()) as made:
        fill(made)
        made.commit()
        yield made


@pytest.fixture
def account(session: Session) -> Account:
    return session.scalars(select(Account)).one()


def held(entity: Any, name: str = "phone") -> Any:
    return vars(entity).get(name)


# --- Reading ---------------------------------------------------------------------------------------------------------


def test_reading_an_attribute_asks(account: Account) -> None:
    """R2, R3: advertising code would read the phone that login codes go to."""
    with purpose_scope(TWO_FACTOR):
        assert account.phone == SECRET
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        _ = account.phone
    with pytest.raises(NoActivePurpose, match=r"Account\.phone"):
        _ = account.phone
    assert account.handle == "ada"


def test_absence_is_asked_for_too(session: Session) -> None:
    """R1: whether somebody gave an address is a fact about them."""
    session.add(Account(id=2, handle="bob", phone="+1"))
    session.commit()
    bob = session.get_one(Account, 2)
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        _ = bob.email
    with purpose_scope(SECURITY):
        assert bob.email is None
    assert vars(session.get_one(Account, 2)).get("email") is None


READS: list[Callable[[Account], Any]] = [
    lambda a: getattr(a, "phone", None),
    lambda a: hasattr(a, "phone"),
    lambda a: inspect(a).attrs.phone.value,
    lambda a: a.phone == SECRET,
    lambda a: f"{a.phone}",
    lambda a: Account.phone.__get__(a, Account),
    lambda a: sorted([a, a], key=lambda one: one.phone),
    lambda a: {a.phone},
]


@pytest.mark.parametrize("read", READS)
def test_each_road_to_an_attribute_asks(account: Account, read: Callable[[Account], Any]) -> None:
    """R1, R12: a road that nobody thought of would lead round the question."""
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        read(account)
    with purpose_scope(TWO_FACTOR):
        read(account)


LOOKS: list[Callable[[Account], Any]] = [
    lambda a: repr(vars(a)),
    lambda a: repr(inspect(a).dict),
    lambda a: repr(inspect(a).attrs.phone.loaded_value),
    lambda a: repr(inspect(a).attrs.phone.history),
    lambda a: repr(inspect(a).committed_state),
    lambda a: repr(copy.copy(vars(a))),
    lambda a: str(list(vars(a).values())),
]


@pytest.mark.parametrize("look", LOOKS)
def test_what_an_entity_holds_is_sealed(account: Account, look: Callable[[Account], Any]) -> None:
    """R6: a debugger, or a log of what an entity holds, would print the phone."""
    with purpose_scope(SECURITY):
        account.phone = "+2"
    shown = look(account)
    assert SECRET not in shown
    assert "+2" not in shown


def test_the_site_is_the_caller(account: Account) -> None:
    """Somebody on call would be sent into SQLAlchemy instead of to the line that reads."""
    with pytest.raises(NoActivePurpose) as caught:
        _ = account.phone
    assert caught.value.site is not None
    assert caught.value.site.file == __file__
    with pytest.raises(NoActivePurpose) as caught:
        inspect(account).session.scalars(select(Account.phone)).all()  # type: ignore[union-attr]
    assert caught.value.site is not None
    assert caught.value.site.file == __file__


# --- Moving ----------------------------------------------------------------------------------------------------------


def test_moving_an_entity_is_no_read(session: Session) -> None:
    """R1: loading, flushing, merging, refreshing and expiring would need a purpose, and every handler a scope."""
    account = session.scalars(select(Account)).one()
    account.phone = "+2"
    session.flush()
    session.refresh(account)
    session.expire(account)
    _ = account.handle
    session.expunge(account)
    with Session(session.get_bind()) as other:
        merged = other.merge(account)
        assert type(held(merged)) is Sealed
        other.commit()
    session.add(account)
    session.commit()
    session.rollback()
    with purpose_scope(TWO_FACTOR):
        assert session.scalars(select(Account)).one().phone == "+2"


def test_a_sealed_value_moves_from_one_entity_to_another(session: Session, account: Account) -> None:
    """R1, R8: to copy a row would need a scope; and the copy would be open."""
    session.add(Account(id=2, handle="bob", phone="+1", email=held(account, "email")))
    session.commit()
    with purpose_scope(SECURITY):
        assert session.get_one(Account, 2).email == "ada@x.example"


def test_a_narrower_value_does_not_go_into_a_wider_column(session: Session, account: Account) -> None:
    """R8: a phone for login codes would be readable for all of security, once it was copied."""
    account.email = held(account)
    with purpose_scope(SECURITY), pytest.raises(PurposeViolation):
        _ = account.email
    with pytest.raises(Exception, match=r"may not be written into Account\.email"):
        session.flush()


def test_bulk_operations_are_no_reads(session: Session) -> None:
    """R1: an import would need a purpose."""
    session.execute(insert(Account), [{"handle": f"h{n}", "phone": f"+{n}"} for n in range(3)])
    session.bulk_insert_mappings(Account.__mapper__, [{"handle": "i", "phone": "+i"}])
    session.bulk_save_objects([Account(handle="j", phone="+j")])
    session.execute(update(Account), [{"id": 1, "phone": "+new"}])
    session.bulk_update_mappings(Account.__mapper__, [{"id": 1, "email": "new@x"}])
    session.commit()
    with purpose_scope(TWO_FACTOR):
        assert session.get_one(Account, 1).phone == "+new"
        assert {a.phone for a in session.scalars(select(Account))} >= {"+0", "+1", "+2", "+i", "+j"}


def test_an_update_in_the_database_leaves_no_open_value(session: Session, account: Account) -> None:
    """R6: SQLAlchemy writes the new value into entities that it has by itself, past every attribute."""
    assert type(held(account)) is Sealed
    session.execute(update(Account).where(Account.handle == "ada").values(phone="+3"))
    assert "+3" not in repr(vars(account))
    with purpose_scope(TWO_FACTOR):
        assert account.phone == "+3"


def test_returning_entities_keeps_them_sealed(session: Session) -> None:
    """R1: an insert that returns its entity would be a read, or return it open."""
    made = session.scalars(insert(Account).values(handle="bob", phone="+2").returning(Account)).one()
    assert type(held(made)) is Sealed
    with pytest.raises(NoActivePurpose):
        session.scalars(insert(Account).values(handle="cid", phone="+3").returning(Account.phone))
    with purpose_scope(TWO_FACTOR):
        assert session.scalars(insert(Account).values(handle="cid", phone="+3").returning(Account.phone)).one() == "+3"


@pytest.mark.parametrize(
    "query",
    [
        select(Account).options(defer(Account.phone)),
        select(Account).options(undefer("*")),
        select(aliased(Account)),
        select(aliased(Account, select(Account).where(Account.handle == "ada").subquery())),
        select(Account).join(Account.devices),
        select(Account).from_statement(
            text("SELECT id, handle, phone, email FROM account").columns(
                Account.id, Account.handle, Account.phone, Account.email
            )
        ),
    ],
)
def test_entities_are_sealed_however_they_are_loaded(session: Session, query: Any) -> None:
    """R1: an option, an alias or a text would give entities that are open."""
    session.expunge_all()
    loaded = session.scalars(query).first()
    with pytest.raises(NoActivePurpose):
        _ = loaded.phone
    assert type(held(loaded)) is Sealed
    with purpose_scope(TWO_FACTOR):
        assert loaded.phone == SECRET


IN_SCOPE: list[Any] = [
    select(Account.phone, Account),
    select(Account, Account.phone),
    select(Account).from_statement(text("SELECT * FROM account")),
    select(
        aliased(
            Account,
            select(
                Account.id, Account.handle, func.trim(Account.phone).cast(String).label("phone"), Account.email
            ).subquery(),
            adapt_on_names=True,
        )
    ),
]


@pytest.mark.parametrize("query", IN_SCOPE)
def test_entities_are_sealed_also_beside_what_is_read(session: Session, query: Any) -> None:
    """R1: an entity loaded in a scope would stay open after it."""
    session.expunge_all()
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        session.execute(query)
    with purpose_scope(TWO_FACTOR):
        row = session.execute(query).one()
    loaded = next(one for one in row if isinstance(one, Account))
    assert SECRET not in repr(vars(loaded))
    with pytest.raises(NoActivePurpose):
        _ = loaded.phone


def test_pickling_an_entity_is_no_read(session: Session, account: Account) -> None:
    """R1: a cache of entities would need a scope; or hold phones in the clear."""
    made = pickle.dumps(account)
    assert SECRET.encode() not in made
    session.expunge_all()
    back = session.merge(pickle.loads(made))
    with purpose_scope(TWO_FACTOR):
        assert back.phone == SECRET


def test_what_the_database_does_not_have_yet_is_pickled_as_a_model_is(session: Session, account: Account) -> None:
    """R1: pickled it would be lost, or in the clear."""
    account.phone = "+5"
    with pytest.raises(NoActivePurpose):
        pickle.dumps(account)
    with pytest.raises(NoActivePurpose):
        pickle.dumps(Account(handle="bob", phone="+6"))
    with purpose_scope(TWO_FACTOR):
        back = pickle.loads(pickle.dumps(account))
    with purpose_scope(TWO_FACTOR):
        assert back.phone == "+5"
    assert "+5" not in repr(vars(back))


# --- Setting ---------------------------------------------------------------------------------------------------------


def test_validators_see_plain_values() -> None:
    """R10: a validator of the mapping would check a box."""
    seen: list[Any] = []
    mapping = registry()

    @mapping.mapped
    class Checked:
        __tablename__ = "checked"
        id: Mapped[int] = mapped_column(primary_key=True)
        phone: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]]

        @validates("phone")
        def check(self, key: str, value: str) -> str:
            seen.append(value)
            return value.strip()

    one = Checked(phone=" +1 ")  # type: ignore[call-arg]
    assert seen == [" +1 "]
    assert "+1" not in repr(vars(one))
    with purpose_scope(TWO_FACTOR):
        assert one.phone == "+1"


def test_an_expression_of_sql_may_be_assigned(session: Session, account: Account) -> None:
    """It would be sealed as if it were a value, and written as nonsense."""
    account.phone = func.upper("+1a")  # type: ignore[assignment]
    session.commit()
    with purpose_scope(TWO_FACTOR):
        assert account.phone == "+1A"


def test_an_unchanged_value_is_not_written_again(session: Session, account: Account) -> None:
    """Each flush would write every phone it has merged."""
    with Session(session.get_bind()) as other:
        theirs = other.scalars(select(Account)).one()
        merged = session.merge(theirs)
    assert merged is account
    assert not session.is_modified(account)


# --- Whose it is -----------------------------------------------------------------------------------------------------


def subjects(work: Callable[[], Any]) -> list[Any]:
    seen: list[Read] = []
    configure(on_read=[seen.append])
    with purpose_scope(TWO_FACTOR):
        work()
    return [read.subject for read in seen]


def test_a_read_says_whose_data_it_is(session: Session, account: Account) -> None:
    """Who was affected could not be counted."""
    assert subjects(lambda: account.phone) == [1]
    bob = Account(handle="bob", phone="+1")
    session.add(bob)
    session.flush()
    assert subjects(lambda: bob.phone) == [bob.id]
    cid = Account(handle="cid", phone="+3")
    cid.id = 9
    assert subjects(lambda: cid.phone) == [9]
    assert subjects(lambda: bob.email) == [bob.id]


# --- Declaring -------------------------------------------------------------------------------------------------------


TAG = AllowedFor(TWO_FACTOR)
Phone = Annotated[str, TAG]


def test_tags_count_in_every_style_of_declaration() -> None:
    """R9: a style that the integration does not know would leave its columns open, without a word."""

    class Own(DeclarativeBase):
        type_annotation_map = {Phone: String(20)}  # noqa: RUF012

    class Mixin:
        mixed: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]]

    class Styled(Mixin, Own):
        __tablename__ = "styled"
        id: Mapped[int] = mapped_column(primary_key=True)
        mapped: Mapped[Phone]
        optional: Mapped[Phone | None]
        renamed: Mapped[Annotated[str, TAG]] = mapped_column("other_name")
        other = synonym("mapped")

    class Data(MappedAsDataclass, DeclarativeBase):
        pass

    class AsData(Data):
        __tablename__ = "as_data"
        id: Mapped[int] = mapped_column(primary_key=True, init=False)
        phone: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]]

    table = Table(
        "classic", MetaData(), Column("id", Integer, primary_key=True), Column("phone", SealedType(String, TAG))
    )

    class Classic:
        pass

    registry().map_imperatively(Classic, table)
    for column in (
        Styled.mapped, Styled.optional, Styled.renamed, Styled.mixed, AsData.phone, Classic.phone, table.c.phone,  # type: ignore[attr-defined]
    ):  # fmt: skip
        assert policy_of(column) is TAG.policy, column
    assert Styled.__table__.c.mapped.type.impl_instance.length == 20
    assert Styled.__table__.c.optional.nullable
    made: Any
    for made, names in (
        (
            Styled(mapped="+1", optional="+1", renamed="+1", mixed="+1"),
            ("mapped", "optional", "renamed", "mixed", "other"),
        ),
        (AsData(phone="+1"), ("phone",)),
    ):
        for name in names:
            with pytest.raises(NoActivePurpose):
                getattr(made, name)
        assert "+1" not in repr(vars(made))


def test_a_mapped_dataclass_shows_itself_sealed() -> None:
    """R6: its representation would read the phone, or raise in the middle of a log line."""

    class Data(MappedAsDataclass, DeclarativeBase):
        pass

    class Shown(Data):
        __tablename__ = "shown"
        id: Mapped[int] = mapped_column(primary_key=True, init=False)
        handle: Mapped[str]
        phone: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]]

    class Own(Data):
        __tablename__ = "own"
        id: Mapped[int] = mapped_column(primary_key=True, init=False)
        phone: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]]

        def __repr__(self) -> str:
            return "mine"

    assert repr(Shown(handle="ada", phone=SECRET)).endswith(
        "Shown(id=None, handle='ada', phone=<sealed: security.two_factor>)"
    )
    assert repr(Own(phone=SECRET)) == "mine"


def test_defaults_are_sealed_too() -> None:
    """R1: what a flush makes by itself is written into the entity past its attribute."""

    class Own(DeclarativeBase):
        pass

    class Defaulting(Own):
        __tablename__ = "defaulting"
        id: Mapped[int] = mapped_column(primary_key=True)
        made: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]] = mapped_column(default="secret-1")
        served: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]] = mapped_column(server_default="secret-2")
        changed: Mapped[Annotated[str | None, AllowedFor(TWO_FACTOR)]] = mapped_column(onupdate="secret-3")
        n: Mapped[int] = mapped_column(default=0)

    with Session(in_memory(Own.metadata)) as session:
        one = Defaulting()
        session.add(one)
        session.flush()
        assert "secret" not in repr(vars(one))
        one.n = 1
        session.flush()
        assert "secret" not in repr(vars(one))
        with purpose_scope(TWO_FACTOR):
            assert (one.made, one.served, one.changed) == ("secret-1", "secret-2", "secret-3")


def test_inherited_attributes_are_guarded() -> None:
    """R8: a subclass would read what its base may not."""

    class Own(DeclarativeBase):
        pass

    class Person(Own):
        __tablename__ = "person"
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]
        phone: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]]
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}  # noqa: RUF012

    class Employee(Person):
        __mapper_args__ = {"polymorphic_identity": "employee"}  # noqa: RUF012
        badge: Mapped[Annotated[str | None, AllowedFor(SECURITY)]]

    for name in ("phone", "badge"):
        one = Employee(phone="+1", badge="b1")
        with pytest.raises(NoActivePurpose):
            getattr(one, name)
    made = in_memory(Own.metadata)
    with Session(made) as session:
        session.add(Employee(id=1, phone="+1", badge="b1"))
        session.commit()
        loaded = session.scalars(select(Person)).one()
        assert type(loaded) is Employee
        with pytest.raises(NoActivePurpose):
            _ = loaded.badge
        with purpose_scope(TWO_FACTOR):
            assert (loaded.phone, loaded.badge) == ("+1", "b1")


@pytest.mark.parametrize(
    ("kind", "value"),
    [(JSON(), {"a": [1]}), (LargeBinary(), b"x"), (Integer(), 5), (String(5), "abc")],
)
def test_any_type_can_be_sealed(kind: Any, value: Any) -> None:
    """A column whose type converts would be written sealed, or come back unconverted."""
    table = Table(
        "t", MetaData(), Column("id", Integer, primary_key=True), Column("v", SealedType(kind, AllowedFor(SECURITY)))
    )
    with in_memory(table.metadata).begin() as connection:
        connection.execute(insert(table), [{"id": 1, "v": value}, {"id": 2, "v": None}])
        connection.execute(insert(table).values(id=3, v=Sealed.of(value, AllowedFor(SECURITY))))
        with purpose_scope(SECURITY):
            assert connection.scalars(select(table.c.v).order_by(table.c.id)).all() == [value, None, value]


def test_a_key_of_a_subject_that_is_tagged_itself() -> None:
    """A tagged SubjectId would be told to hooks in the clear."""

    class Own(DeclarativeBase):
        pass

    class Member(Own):
        __tablename__ = "member"
        id: Mapped[int] = mapped_column(primary_key=True)
        number: Mapped[Annotated[str, AllowedFor(SECURITY), SubjectId]]
        phone: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]]

    member = Member(number="12345", phone="+1")
    seen = subjects(lambda: (member.phone, member.number))
    assert len(set(seen)) == 1
    assert "12345" not in repr(seen)


def test_observing_reads_and_warns(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    """R11: to try it out in production would break production."""
    configure(mode="observe")
    with purpose_scope(ADVERTISING):
        assert account.phone == SECRET
        assert Session.object_session(account).scalars(select(Account.phone)).all() == [SECRET]  # type: ignore[union-attr]
    assert "Account.phone" in caplog.text
    assert SECRET not in caplog.text


def test_related_entities_are_sealed_too(account: Account) -> None:
    """R1: a lazy load would run outside of the guard."""
    device = account.devices[0]
    assert isinstance(device, Device)
    with pytest.raises(NoActivePurpose):
        _ = device.serial
