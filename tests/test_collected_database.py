"""What a value was collected for, in the database: written with the value, and never wider when it comes back."""

from __future__ import annotations

import copy
import logging
import pickle
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

import pytest
from collected_tables import CODES, LOGIN, OFFERS, Base, Card, Kept, Mail, Person, Phone, Premium
from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    delete,
    func,
    insert,
    literal,
    null,
    select,
    text,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.engine import Engine
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.declarative import ConcreteBase
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    Session,
    aliased,
    column_property,
    contains_eager,
    defer,
    joinedload,
    load_only,
    make_transient,
    mapped_column,
    query_expression,
    raiseload,
    registry,
    selectin_polymorphic,
    selectinload,
    subqueryload,
    undefer,
    with_expression,
    with_polymorphic,
)
from sqlalchemy_tables import dispose, in_memory

from purposebind import (
    AllowedFor,
    CollectedAt,
    PolicyError,
    Purpose,
    PurposeModel,
    PurposeViolation,
    Sealed,
    SubjectId,
    collected_for,
    configure,
    purpose_scope,
)
from purposebind.consent import InMemoryConsents
from purposebind.integrations.sqlalchemy import CollectedFor, SealedType, guard, to_model


@pytest.fixture
def engine() -> Iterator[Engine]:
    yield in_memory(Base.metadata)
    dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        fill(session)
        session.expunge_all()
        yield session


def fill(session: Session) -> None:
    """Ada gave her numbers for login codes, Bob his for whatever the tag allows."""
    with collected_for(CODES):
        session.add(Premium(id=1, handle="ada", phone="+1", fax="+2", cards=[Card(id=1, number="4")]))
    session.add(Person(id=2, handle="bob", phone="+3", other="+5"))
    session.commit()


def reads(entity: Any, name: str, purpose: Purpose) -> bool:
    """Whether an attribute may be read for a purpose."""
    with purpose_scope(purpose):
        try:
            getattr(entity, name)
        except PurposeViolation:
            return False
    return True


def stored(session: Session, column: str = "phone_collected_for", of: str = "person") -> list[Any]:
    return list(session.execute(text(f"SELECT {column} FROM {of} ORDER BY id")).scalars())


# --- There and back --------------------------------------------------------------------------------------------------


def test_a_row_says_what_its_value_was_collected_for(session: Session) -> None:
    """The column's tag allows offers. The number that was given for a login code does not become one for that by being
    stored."""
    ada, bob = session.get_one(Person, 1), session.get_one(Person, 2)
    assert stored(session) == ["cdb_login.codes", None]
    assert ada.phone_collected_for == ("cdb_login.codes",)
    assert [reads(ada, "phone", one) for one in (CODES, LOGIN, OFFERS)] == [True, False, False]
    assert [reads(bob, "phone", one) for one in (CODES, LOGIN, OFFERS)] == [True, True, True]
    assert repr(vars(ada)["phone"]) == "<sealed: cdb_login.codes>"


LOADS: dict[str, Callable[[Session], Any]] = {
    "get": lambda s: s.get(Person, 1),
    "a base class": lambda s: s.scalars(select(Person).where(Person.id == 1)).one(),
    "a subclass": lambda s: s.scalars(select(Premium)).one(),
    "the value alone": lambda s: s.scalars(select(Premium).options(load_only(Premium.phone, Premium.fax))).one(),
    "another column alone": lambda s: s.scalars(select(Person).options(load_only(Person.handle)).limit(1)).one(),
    "the companion deferred": lambda s: s.scalars(
        select(Person).where(Person.id == 1).options(defer(Person.phone_collected_for))
    ).one(),
    "the companion never": lambda s: s.scalars(
        select(Person).where(Person.id == 1).options(defer(Person.phone_collected_for, raiseload=True))
    ).one(),
    "undeferred": lambda s: s.scalars(select(Premium).options(undefer(Premium.fax))).one(),
    "an alias": lambda s: s.scalars(select(alias := aliased(Premium)).where(alias.id == 1)).one(),
    "a flat alias": lambda s: s.scalars(select(aliased(Premium, flat=True))).one(),
    "with_polymorphic": lambda s: s.scalars(select(with_polymorphic(Person, "*")).limit(1)).one(),
    "selectin_polymorphic": lambda s: s.scalars(
        select(Person).options(selectin_polymorphic(Person, [Premium])).limit(1)
    ).one(),
    "limited, with joined loading": lambda s: (
        s.scalars(select(Person).options(joinedload(Person.cards)).order_by(Person.id).limit(1)).unique().one()
    ),
    "joined loading of a card's": lambda s: s.scalars(select(Card).options(joinedload(Card.person))).one().person,
    "selectin loading of a card's": lambda s: s.scalars(select(Card).options(selectinload(Card.person))).one().person,
    "subquery loading of a card's": lambda s: s.scalars(select(Card).options(subqueryload(Card.person))).one().person,
    "lazy loading of a card's": lambda s: s.scalars(select(Card)).one().person,
    "contains_eager": lambda s: (
        s.scalars(
            select(Card).join(Card.person).options(contains_eager(Card.person).load_only(Person.phone), raiseload("*"))
        )
        .one()
        .person
    ),
    "a text": lambda s: s.scalars(
        select(Person).from_statement(text("SELECT id, kind, handle FROM person WHERE id = 1"))
    ).one(),
    "a subquery": lambda s: s.scalars(select(aliased(Person, select(Person).where(Person.id == 1).subquery()))).one(),
    "a part of a subquery": lambda s: s.scalars(
        select(narrow := aliased(Person, select(Person.id, Person.kind, Person.handle).subquery()))
        .options(load_only(narrow.handle))
        .where(narrow.id == 1)
    ).one(),
    "a union": lambda s: s.scalars(
        select(Person).from_statement(
            select(Person).where(Person.id == 1).union_all(select(Person).where(Person.id == 7))
        )
    ).one(),
    "a returning": lambda s: s.scalars(
        update(Person).where(Person.id == 1).values(handle="x").returning(Person),
        execution_options={"populate_existing": True},
    ).one(),
    "yield_per": lambda s: next(
        iter(s.scalars(select(Person).order_by(Person.id), execution_options={"yield_per": 1}))
    ),
    "populate_existing": lambda s: (
        s.get_one(Person, 1),
        s.scalars(select(Person).limit(1), execution_options={"populate_existing": True}).one(),
    )[1],
    "a query": lambda s: s.query(Person).filter_by(id=1).one(),
    "merged without loading": lambda s: s.merge(detached(s), load=False),
    "merged": lambda s: s.merge(detached(s)),
    "expired": lambda s: expired(s, None),
    "the value expired": lambda s: expired(s, ["phone"]),
    "the companion expired": lambda s: expired(s, ["phone_collected_for"]),
    "the subclass's expired": lambda s: expired(s, ["fax", "phone"]),
    "refreshed": lambda s: refreshed(s, None),
    "the value refreshed": lambda s: refreshed(s, ["phone"]),
    "the companion refreshed": lambda s: refreshed(s, ["phone_collected_for"]),
    "unpickled": lambda s: s.merge(pickle.loads(pickle.dumps(s.get(Premium, 1)))),
    "unpickled, and not merged": lambda s: added(s, pickle.loads(pickle.dumps(detached(s)))),
    "copied": lambda s: copy.copy(s.get(Premium, 1)),
    "copied deeply": lambda s: copy.deepcopy(s.get(Premium, 1)),
    "expunged": lambda s: detached(s),
}


def detached(session: Session) -> Any:
    entity = session.get_one(Premium, 1)
    assert not reads(entity, "fax", OFFERS), "it is loaded now"
    session.expunge(entity)
    return entity


def added(session: Session, entity: Any) -> Any:
    session.add(entity)
    return entity


def expired(session: Session, names: list[str] | None) -> Any:
    entity = session.get_one(Premium, 1)
    assert not reads(entity, "fax", OFFERS)
    session.expire(entity, names)
    return entity


def refreshed(session: Session, names: list[str] | None) -> Any:
    entity = session.get_one(Premium, 1)
    session.refresh(entity, names)
    return entity


@pytest.mark.parametrize("way", LOADS)
def test_however_it_is_loaded_it_is_no_wider(session: Session, way: str) -> None:
    """A road on which the row's own word stays behind gives back the whole tag: ads by a query with load_only."""
    entity = LOADS[way](session)
    assert not reads(entity, "phone", OFFERS)
    assert not reads(entity, "phone", LOGIN)
    assert reads(entity, "phone", CODES)
    if isinstance(entity, Premium):
        assert not reads(entity, "fax", OFFERS)
        assert reads(entity, "fax", CODES)


def mixed(*columns: Any) -> Any:
    """A query of Ada's number, with another row's word, or none."""
    other = aliased(Person)
    chosen = columns or (Person.id, Person.kind, Person.phone, other.phone_collected_for)
    return select(*chosen).select_from(Person).join(other, other.id == 2).where(Person.id == 1)


def no_word() -> Any:
    return mixed(Person.id, Person.kind, Person.phone, null().label("phone_collected_for"))


WRITTEN = "SELECT a.id, a.kind, a.phone, b.phone_collected_for FROM person a, person b WHERE a.id = 1 AND b.id = 2"
PLACES = (Person.id, Person.kind, Person.phone, Person.phone_collected_for)

MIXED: dict[str, Callable[[], Any]] = {
    "a subquery": lambda: select(aliased(Person, mixed().subquery())),
    "a subquery of a subquery": lambda: select(aliased(Person, select(mixed().subquery()).subquery())),
    "a WITH": lambda: select(aliased(Person, mixed().cte())),
    "a union": lambda: select(aliased(Person, mixed().union_all(mixed()).subquery())),
    "no word": lambda: select(aliased(Person, no_word().subquery())),
    "no word, by name": lambda: select(aliased(Person, no_word().subquery(), adapt_on_names=True)),
    "a statement": lambda: select(Person).from_statement(mixed()),
    "a text": lambda: select(Person).from_statement(text(WRITTEN).columns(*PLACES)),
    "a text in a subquery": lambda: select(aliased(Person, text(WRITTEN).columns(*PLACES).subquery())),
}


@pytest.mark.parametrize("way", MIXED)
def test_the_word_of_another_row_is_none(session: Session, way: str) -> None:
    """R8: a join of a table with itself may give my number with your word beside it."""
    with purpose_scope(CODES):
        try:
            person = session.scalars(MIXED[way]()).first()
        except PurposeViolation:
            return  # the text is a use
    assert not reads(person, "phone", OFFERS)
    assert not reads(person, "phone", LOGIN)


def test_words_in_a_union_are_those_of_their_rows(session: Session) -> None:
    """Each part of a union takes both from one row, so both may be taken from it."""
    rows = [select(*PLACES).where(Person.id == number) for number in (1, 2)]
    people = session.scalars(select(aliased(Person, rows[0].union_all(rows[1]).subquery()))).all()
    assert [[reads(one, "phone", purpose) for purpose in (CODES, OFFERS)] for one in people] == [
        [True, False],
        [True, True],
    ]


def test_no_way_of_loading_multiplies_rows(session: Session) -> None:
    """A companion that is taken from another FROM would join every person with every other."""
    few = aliased(Person, select(Person.id, Person.kind, Person.phone).where(Person.id > 0).subquery())
    found = session.scalars(select(few).options(load_only(few.phone))).all()
    assert len(found) == 2
    assert not reads(found[0], "phone", OFFERS)


@pytest.mark.parametrize(
    ("content", "readable"),
    [
        ("cdb_login.codes cdb_offers", [True, False, True]),
        ("cdb_login", [True, True, False]),
        ("", [False, False, False]),
        ("gone.since", [False, False, False]),
        ("gone.since cdb_offers", [False, False, True]),
        ('{"phone": ["cdb_offers"]}', [False, False, False]),
        ("CDB_OFFERS", [False, False, False]),
        (None, [True, True, True]),
    ],
)
def test_what_a_row_says_can_only_narrow(
    session: Session, content: str | None, readable: list[bool], caplog: pytest.LogCaptureFixture
) -> None:
    """A purpose that this process does not know, or a text that somebody wrote there, may open nothing."""
    other = in_other_ways(session, content)
    with caplog.at_level(logging.WARNING):
        assert [reads(other, "phone", one) for one in (CODES, LOGIN, OFFERS)] == readable
    assert "+1" not in caplog.text


def in_other_ways(session: Session, content: Any) -> Person:
    """The person, after somebody has written `content` beside the value, as text."""
    session.execute(
        update(Person.__table__)
        .where(Person.id == 1)
        .values(phone="+1", phone_collected_for=bindparam("said", type_=String)),
        {"said": content},
    )
    return session.get_one(Person, 1, populate_existing=True)


def test_an_unknown_purpose_stays_in_the_database(session: Session) -> None:
    """Another release of the service declares it: what this one does to the row must not take it away."""
    person = in_other_ways(session, "gone.since")
    person.handle = "new"
    session.commit()
    assert stored(session)[0] == "gone.since"
    assert person.phone_collected_for == ("gone.since",)


# --- Writing ---------------------------------------------------------------------------------------------------------


def test_a_new_value_says_anew_what_it_was_collected_for(session: Session) -> None:
    """Of a value that nobody narrowed, the word for the one before it must not be left; nor of a narrow one none."""
    ada, bob = session.get_one(Person, 1), session.get_one(Person, 2)
    ada.phone = "+9"
    with collected_for(OFFERS):
        bob.phone = "+8"
    session.commit()
    assert stored(session) == [None, "cdb_offers"]
    assert reads(ada, "phone", LOGIN)
    assert not reads(bob, "phone", LOGIN)


def test_the_same_value_collected_again_says_so(session: Session) -> None:
    """A flush that compares values alone would find nothing to write, and keep the narrower word, or the wider."""
    ada, bob = session.get_one(Person, 1), session.get_one(Person, 2)
    assert not reads(ada, "phone", OFFERS)
    ada.phone = "+1"
    with collected_for(CODES):
        bob.phone = "+3"
    session.commit()
    assert stored(session) == [None, "cdb_login.codes"]


def test_nobody_else_writes_the_word(session: Session) -> None:
    """R8: setting the companion is not asking the data subject."""
    ada = session.get_one(Person, 1)
    ada.phone_collected_for = None
    session.commit()
    ada.phone_collected_for = ("cdb_offers",)
    ada.handle = "x"
    session.commit()
    made = Person(id=5, phone_collected_for=None)
    with collected_for(CODES):
        made.phone = "+7"
    made.phone_collected_for = ("cdb_offers",)
    session.add(made)
    session.commit()
    assert stored(session) == ["cdb_login.codes", None, "cdb_login.codes"]


def test_a_moved_value_takes_its_word_along(session: Session) -> None:
    """R8: from one entity to another, a value collected for a login code stays one."""
    ada, bob = session.get_one(Person, 1), session.get_one(Person, 2)
    session.refresh(ada)
    bob.phone = vars(ada)["phone"]
    session.commit()
    assert stored(session) == ["cdb_login.codes", "cdb_login.codes"]
    assert not reads(bob, "phone", OFFERS)


def test_a_copied_row_takes_its_word_along(session: Session) -> None:
    """`make_transient` and a new key make a second row of an entity."""
    ada = session.scalars(select(Person).where(Person.id == 1)).one()
    assert reads(ada, "phone", CODES)
    session.expunge(ada)
    make_transient(ada)
    ada.id, ada.handle, ada.phone_collected_for = 9, None, None
    session.add(ada)
    session.commit()
    assert stored(session)[-1] == "cdb_login.codes"


def test_it_goes_nowhere_where_its_word_is_not_kept(session: Session) -> None:
    """R8: a column without a companion would give it back for all that the tag allows."""
    bob = session.get_one(Person, 2)
    with collected_for(CODES):
        bob.other = "+1"
    with pytest.raises(PolicyError, match=r"(?s)for cdb_login.codes.*CollectedFor\('other'\)") as refused:
        session.commit()
    assert "+1" not in str(refused.value)


def test_a_tag_that_says_the_same_today_is_no_word(session: Session) -> None:
    """A tag that is widened next year would open what was collected before."""
    bob = session.get_one(Person, 2)
    with collected_for(LOGIN, OFFERS):
        bob.phone = "+1"
        session.commit()
        assert stored(session) == ["cdb_login.codes", "cdb_login cdb_offers"]
        bob.other = "+1"
    with pytest.raises(PolicyError, match="would not say so"):
        session.commit()


def test_a_block_around_a_flush_narrows_nothing(session: Session) -> None:
    """What is flushed in a block was collected elsewhere, and so was what is loaded there."""
    with collected_for(CODES):
        bob = session.get_one(Person, 2)
        bob.handle = "x"
        session.flush()
        session.refresh(bob)
    assert reads(bob, "phone", OFFERS)
    session.commit()
    assert stored(session) == ["cdb_login.codes", None]


def test_two_sessions_at_once_do_not_part_a_value_and_its_word(tmp_path: Any) -> None:
    """One clears the word with a value of its own; the other, which saw the word there, must not leave it out."""
    engine = guard(create_engine(f"sqlite:///{tmp_path}/two.db"), Base.metadata)
    Base.metadata.create_all(engine)
    with Session(engine) as session, collected_for(CODES):
        session.add(Person(id=1, phone="+1"))
        session.commit()
    with Session(engine, expire_on_commit=False) as one, Session(engine, expire_on_commit=False) as other:
        mine, theirs = one.get_one(Person, 1), other.get_one(Person, 1)
        one.commit()
        other.commit()  # neither holds a transaction, both hold what they saw
        mine.phone = "+2"
        one.commit()
        with collected_for(CODES):
            theirs.phone = "+3"
        other.commit()
        assert stored(one) == ["cdb_login.codes"]
        one.commit()
        assert not reads(one.get_one(Person, 1, populate_existing=True), "phone", OFFERS)
    engine.dispose()


# --- Statements ------------------------------------------------------------------------------------------------------

USES: dict[str, Callable[[], Any]] = {
    "select": lambda: select(Person.phone),
    "select, as Core": lambda: select(Person.__table__),
    "where": lambda: select(Person).where(Person.phone == "+1"),
    "order by": lambda: select(Person).order_by(Person.phone),
    "count": lambda: select(func.count(Person.phone)),
    "distinct": lambda: select(Person).distinct(),
    "delete": lambda: delete(Person).where(Person.phone == "+1"),
    "update": lambda: update(Person).where(Person.phone.like("+%")).values(handle="x"),
    "returning": lambda: insert(Person).values(id=77, phone="+1").returning(Person.phone),
    "exists": lambda: select(Card).where(Card.person.has(phone="+1")),
    "text": lambda: text("SELECT phone FROM person"),
    "all in a text": lambda: text("SELECT * FROM person"),
}


@pytest.mark.parametrize("way", USES)
def test_a_statement_uses_it_for_nothing(session: Session, way: str) -> None:
    """A WHERE cannot ask each row what it was collected for, and would match those who gave their number for codes."""
    for purpose in (CODES, LOGIN, OFFERS):
        with purpose_scope(purpose), pytest.raises(PurposeViolation) as refused:
            session.execute(USES[way]()).all()
        assert "load entities, and read their attributes" in str(refused.value)
        assert "+1" not in str(refused.value)


WRITES: dict[str, Callable[[Any], Any]] = {
    "insert": lambda box: insert(Person).values(id=8, phone=box),
    "insert into the table": lambda box: insert(Person.__table__).values(id=8, phone=box),
    "insert of several": lambda box: insert(Person).values([{"id": 8, "phone": "+1"}, {"id": 9, "phone": box}]),
    "insert of several, one with its word": lambda box: insert(Person).values(
        [
            {"id": 8, "phone": "+1", "phone_collected_for": ["cdb_login.codes"]},
            {"id": 9, "phone": box, "phone_collected_for": None},
        ]
    ),
    "insert with another word": lambda box: insert(Person).values(id=8, phone=box, phone_collected_for=["cdb_offers"]),
    "insert with a wider word": lambda box: insert(Person).values(
        id=8, phone=box, phone_collected_for=["cdb_login.codes", "cdb_offers"]
    ),
    "update": lambda box: update(Person).where(Person.id == 2).values(phone=box),
    "update, the word taken away": lambda box: (
        update(Person).where(Person.id == 2).values(phone=box, phone_collected_for=None)
    ),
    "update with a parameter": lambda box: (
        update(Person).where(Person.id == 2).values(phone=bindparam("p", box, type_=Person.__table__.c.phone.type))
    ),
    "upsert": lambda box: (
        upsert(Person).values(id=2, handle="b").on_conflict_do_update(index_elements=["id"], set_={"phone": box})
    ),
    "from a select": lambda box: insert(Person).from_select(
        ["id", "phone"], select(literal(8), literal(box, type_=Person.__table__.c.phone.type))
    ),
    "an expression": lambda box: update(Person).values(phone=func.upper(literal(box, Person.__table__.c.phone.type))),
    "the word alone": lambda box: update(Person).values(phone_collected_for=None),
    "the word alone, wider": lambda box: update(Person).values(phone_collected_for=["cdb_offers"]),
    "the word in a text": lambda box: text("UPDATE person SET phone_collected_for = NULL WHERE id = 1"),
    "the word in a conflict": lambda box: text(
        "INSERT INTO person (id, kind) VALUES (1, 'p') ON CONFLICT (id) DO UPDATE SET phone_collected_for = NULL"
    ),
    "the value into another column": lambda box: update(Person).values(other=Person.phone),
    "the value into itself": lambda box: update(Person).values(phone=Person.phone, phone_collected_for=None),
    "the value into another row": lambda box: insert(Card).from_select(
        ["id", "number"], select(Person.id + 10, Person.phone)
    ),
    "the value into a row with its word": lambda box: insert(Card).from_select(
        ["id", "number", "number_collected_for"], select(Person.id + 10, Person.phone, Person.phone_collected_for)
    ),
    "the value of an excluded row": lambda box: text(
        "INSERT INTO person (id, kind, phone) VALUES (1, 'p', '+1') "
        "ON CONFLICT (id) DO UPDATE SET phone = excluded.phone"
    ),
    "a table of all": lambda box: text("CREATE TABLE copied AS SELECT * FROM person"),
    "a view of all": lambda box: text("CREATE VIEW shown AS SELECT id, phone FROM person"),
    "the word's column gone": lambda box: text("ALTER TABLE person DROP COLUMN phone_collected_for"),
    "the word's column renamed": lambda box: text("ALTER TABLE person RENAME phone_collected_for TO nothing"),
}


@pytest.mark.parametrize("way", WRITES)
def test_a_statement_does_not_part_a_value_and_its_word(session: Session, way: str) -> None:
    """R8: whatever writes the one without the other gives the next reader the whole tag."""
    ada = session.get_one(Person, 1)
    assert reads(ada, "phone", CODES)
    with purpose_scope(CODES), pytest.raises((PolicyError, PurposeViolation)) as refused:
        session.execute(WRITES[way](vars(ada)["phone"]))
    assert "+1" not in str(refused.value)
    session.rollback()
    assert stored(session) == ["cdb_login.codes", None]
    assert reads(session.get_one(Person, 2), "phone", OFFERS)


def test_a_statement_may_write_both(session: Session) -> None:
    """Bulk writes are possible where each row says all that its value does."""
    ada = session.get_one(Person, 1)
    assert reads(ada, "phone", CODES)
    box = vars(ada)["phone"]
    said = {"phone": box, "phone_collected_for": ["cdb_login.codes"]}
    session.execute(insert(Person), [{"id": 11, **said}, {"id": 12, "phone": "+1", "phone_collected_for": [OFFERS]}])
    session.execute(insert(Person.__table__).values([{"id": 13, **said}, {"id": 14, **said}]))
    session.execute(update(Person), [{"id": 2, **said}])
    session.execute(upsert(Person).values(id=1, kind="p", **said).on_conflict_do_nothing(index_elements=["id"]))
    written = upsert(Person).values(id=2, kind="person", **said)
    both = {"phone": written.excluded.phone, "phone_collected_for": written.excluded.phone_collected_for}
    session.execute(written.on_conflict_do_update(index_elements=["id"], set_=both))
    session.commit()
    assert stored(session) == ["cdb_login.codes"] * 3 + ["cdb_offers"] + ["cdb_login.codes"] * 2
    session.bulk_insert_mappings(Person, [{"id": 15, **said}])
    with pytest.raises(PolicyError):
        session.bulk_save_objects([Person(id=16, phone=box)])


def test_a_plain_value_written_in_a_block_needs_its_word_too(session: Session) -> None:
    """`collected_for` around a Core insert seals nothing: without the word the row would be open for the whole tag."""
    with collected_for(CODES):
        for statement in (insert(Person).values(id=8, phone="+1"), update(Person).values(phone="+1")):
            with pytest.raises(PolicyError, match=r"collected for cdb_login.codes") as refused:
                session.execute(statement)
            assert "+1" not in str(refused.value)
        session.execute(insert(Person).values(id=8, phone="+1", phone_collected_for=[CODES]))
        session.execute(insert(Person).values(id=9, handle="nothing tagged"))
        session.execute(insert(Person).values(id=10, phone=None))
    assert stored(session) == ["cdb_login.codes", None, "cdb_login.codes", None, None]


NUMBER = "+7"

EXPRESSIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "update": lambda word: update(Person).where(Person.id == 2).values(phone=func.upper(NUMBER), **word),
    "a literal": lambda word: update(Person).where(Person.id == 2).values(phone=literal(NUMBER), **word),
    "a subquery": lambda word: (
        update(Person).where(Person.id == 2).values(phone=select(literal(NUMBER)).scalar_subquery(), **word)
    ),
    "insert": lambda word: insert(Person).values(id=8, kind="person", phone=func.upper(NUMBER), **word),
    "insert of several": lambda word: insert(Person).values(
        [
            {"id": 7, "kind": "person", "phone": NUMBER, "phone_collected_for": [CODES]},
            {"id": 8, "kind": "person", "phone": func.upper(NUMBER), "phone_collected_for": None, **word},
        ]
    ),
    "from a select": lambda word: insert(Person).from_select(
        ["id", "kind", "phone", *word],
        select(
            literal(8),
            literal("person"),
            literal(NUMBER),
            *(literal(one, Person.__table__.c.phone_collected_for.type) for one in word.values()),
        ),
    ),
    "upsert": lambda word: (
        upsert(Person)
        .values(id=2, kind="person", phone="+6", phone_collected_for=[CODES])
        .on_conflict_do_update(index_elements=["id"], set_={"phone": literal(NUMBER), **word})
    ),
}


@pytest.mark.parametrize("way", EXPRESSIONS)
def test_what_an_expression_writes_in_a_block_needs_its_word_too(session: Session, way: str) -> None:
    """`func.upper("+7")` is collected here as "+7" is: without its word the row would be open for the whole tag."""
    for word in ({}, {"phone_collected_for": [OFFERS]}, {"phone_collected_for": [CODES, OFFERS]}):
        with collected_for(CODES), pytest.raises(PolicyError, match=r"collected for cdb_login.codes") as refused:
            session.execute(EXPRESSIONS[way](word))
        assert NUMBER not in str(refused.value)
    with collected_for(CODES):
        session.execute(EXPRESSIONS[way]({"phone_collected_for": [CODES]}))
        session.execute(update(Person).where(Person.id == 1).values(phone=null(), handle=func.upper("nothing tagged")))
        written = upsert(Person).values(id=2, kind="person", phone=NUMBER, phone_collected_for=[CODES])
        both = {"phone": written.excluded.phone, "phone_collected_for": written.excluded.phone_collected_for}
        session.execute(written.on_conflict_do_update(index_elements=["id"], set_=both))
    assert set(stored(session)) == {"cdb_login.codes"}


def test_an_attribute_is_not_set_to_an_expression_in_a_block(session: Session) -> None:
    """A flush would find nothing that says what for."""
    bob = session.get_one(Person, 2)
    with collected_for(CODES), pytest.raises(PolicyError, match="expression of SQL") as refused:
        bob.phone = func.upper(NUMBER)
    assert NUMBER not in str(refused.value)
    with collected_for(CODES):
        bob.phone = null()
    session.commit()
    bob.phone = func.upper(NUMBER)
    session.commit()
    assert reads(bob, "phone", OFFERS)


def test_a_write_inside_a_query_is_no_way_round_a_block(session: Session) -> None:
    """PostgreSQL's INSERT in a WITH again: which of its parameters goes where is not looked at."""
    inner = insert(Person).values(id=9, phone=NUMBER).returning(Person.id).cte("inner")
    compiled: Any = select(inner.c.id).compile(session.get_bind())
    assert NUMBER in compiled.construct_params().values()
    with collected_for(CODES), pytest.raises(PolicyError, match=r"collected for cdb_login.codes"):
        compiled.construct_params()


def test_no_engine_without_a_guard_writes_it(tmp_path: Any) -> None:
    """R9: there nobody sees to it that the word is written."""
    engine = create_engine(f"sqlite:///{tmp_path}/bare.db")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        with collected_for(CODES):
            session.add(Person(id=1, phone="+1"))
        with pytest.raises(StatementError, match="Guard the engine"):
            session.flush()
        session.rollback()
        session.add(Person(id=1, phone="+1", handle="ada"))
        session.commit()
        for statement in (
            update(Person).values(phone_collected_for=None),
            update(Person.__table__).values(phone_collected_for=null()),
            update(Person).ordered_values((Person.handle, "x"), (Person.phone_collected_for, None)),
        ):
            with pytest.raises(PolicyError, match="no guard"):
                session.execute(statement)
        with pytest.raises(PolicyError, match="no guard"):
            session.execute(update(Person), [{"id": 1, "phone_collected_for": None}])
        session.execute(update(Person).values(phone="+2", phone_collected_for=None))
        session.execute(update(Person).values(handle="x"))
        session.execute(update(Person), [{"id": 1, "handle": "y"}])
    engine.dispose()


def test_an_update_that_is_worked_out_in_python_opens_nothing(session: Session) -> None:
    """SQLAlchemy puts the new value into the entity. The row still says what the old one was collected for."""
    ada = session.get_one(Person, 1)
    assert not reads(ada, "phone", OFFERS)
    for way in ("evaluate", "fetch", "auto"):
        changing = update(Person).where(Person.id == 1).values(phone="+9")
        session.execute(changing, execution_options={"synchronize_session": way})
        assert not reads(ada, "phone", OFFERS)
    session.execute(update(Person).values(phone="+9", phone_collected_for=[OFFERS]))
    assert reads(ada, "phone", OFFERS)
    assert ada.phone_collected_for == ("cdb_offers",)


def test_a_write_inside_a_query_is_a_write(session: Session) -> None:
    """PostgreSQL's INSERT in a WITH. What is compiled for it is looked at here; SQLite runs none."""
    ada = session.get_one(Person, 1)
    assert reads(ada, "phone", CODES)
    inner = insert(Person).values(id=9, phone=vars(ada)["phone"]).returning(Person.id).cte("inner")
    statement = select(inner.c.id)
    compiled: Any = statement.compile(session.get_bind())
    processors = compiled._bind_processors
    box = vars(ada)["phone"]
    with purpose_scope(CODES), pytest.raises(PolicyError, match="collected for"):
        [processors[name](box) for name, value in compiled.construct_params().items() if value is box]


# --- Views and derived attributes ------------------------------------------------------------------------------------


def test_what_is_made_of_it_is_for_nothing(tmp_path: Any) -> None:
    """An expression, or a view, has no row that says what its value was collected for."""

    class Own(DeclarativeBase):
        pass

    class Source(Own):
        __tablename__ = "source"
        id: Mapped[int] = mapped_column(primary_key=True)
        phone: Mapped[Annotated[str | None, AllowedFor(LOGIN)]]
        said: Mapped[tuple[str, ...] | None] = mapped_column(CollectedFor("phone"))

    Source.again = column_property(Source.__table__.c.phone)
    Source.lower = column_property(func.lower(Source.__table__.c.phone), deferred=True)

    class Shown(Own):
        __tablename__ = "shown"
        id: Mapped[int] = mapped_column(primary_key=True)
        phone: Mapped[Annotated[str | None, AllowedFor(LOGIN)]]

    class Narrow(Own):
        __table__ = select(Source.__table__.c.id, Source.__table__.c.phone).subquery()
        __mapper_args__ = {"primary_key": [__table__.c.id]}  # noqa: RUF012

    url = f"sqlite:///{tmp_path}/view.db"
    plain = create_engine(url)
    Source.__table__.create(plain)
    with plain.begin() as connection:
        connection.execute(text("INSERT INTO source VALUES (1, '+1', 'cdb_login.codes')"))
        connection.execute(text("CREATE VIEW shown AS SELECT id, phone FROM source"))
    plain.dispose()
    engine = guard(create_engine(url), Own.metadata)
    with Session(engine) as session:
        source = session.get_one(Source, 1)
        assert [reads(source, "again", one) for one in (CODES, LOGIN)] == [True, False]
        with purpose_scope(CODES), pytest.raises(PurposeViolation):
            source.lower
        with purpose_scope(CODES), pytest.raises((PolicyError, PurposeViolation)):
            session.get(Shown, 1)
        assert not reads(session.scalars(select(Narrow)).one(), "phone", CODES)
    engine.dispose()


def test_an_expression_of_another_row_is_for_nothing_that_a_row_decides() -> None:
    """Another person's number, loaded into my entity, would be asked for by my word, my time and my consent."""

    class Own(DeclarativeBase):
        pass

    class Caller(Own):
        __tablename__ = "caller"
        id: Mapped[Annotated[int, SubjectId]] = mapped_column(primary_key=True)
        phone: Mapped[Phone | None]
        said: Mapped[tuple[str, ...] | None] = mapped_column(CollectedFor("phone"))
        mail: Mapped[Mail | None]
        address: Mapped[Kept | None]
        at: Mapped[Annotated[datetime, CollectedAt]] = mapped_column(DateTime(timezone=True))
        one: Mapped[str | None] = query_expression()
        two: Mapped[str | None] = query_expression()
        three: Mapped[str | None] = query_expression()

    consents = InMemoryConsents()
    configure(consent=consents)
    consents.give(1, OFFERS, wording="1")
    engine, now = in_memory(Own.metadata), datetime.now(timezone.utc)
    with Session(engine) as session:
        other = Caller(id=2, mail="m", address="a", at=now - timedelta(days=99))
        with collected_for(CODES):
            other.phone = "+1"
        session.add_all([other, Caller(id=1, mail="m", at=now)])
        session.commit()
        session.expunge_all()
        theirs = aliased(Caller)
        chosen = zip((Caller.one, Caller.two, Caller.three), (theirs.phone, theirs.mail, theirs.address), strict=True)
        query = select(Caller).join(theirs, theirs.id == 2).where(Caller.id == 1)
        mine = session.scalars(query.options(*(with_expression(*pair) for pair in chosen))).one()
        assert reads(mine, "mail", OFFERS)
        assert [reads(mine, name, OFFERS) for name in ("one", "two", "three")] == [False] * 3
        assert [reads(mine, name, CODES) for name in ("one", "two", "three")] == [False, True, False]
    dispose()


# --- Mapping ---------------------------------------------------------------------------------------------------------


def test_other_ways_to_map_it() -> None:
    """Dataclasses, imperative mapping, single-table inheritance, a mixin: each is to keep the word."""
    made = registry()

    class Data(MappedAsDataclass, DeclarativeBase):
        pass

    class Of(Data):
        __tablename__ = "of"
        id: Mapped[int] = mapped_column(primary_key=True)
        phone: Mapped[Annotated[str, AllowedFor(LOGIN)]] = mapped_column("tel")
        said: Mapped[tuple[str, ...] | None] = mapped_column(CollectedFor("phone"), default=None, init=False)

    class Mixin(MappedAsDataclass, init=False):
        phone: Mapped[Annotated[str | None, AllowedFor(LOGIN)]]
        said: Mapped[tuple[str, ...] | None] = mapped_column(CollectedFor("phone"))

    class Single(Mixin, Data, init=False):
        __tablename__ = "single"
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "a"}  # noqa: RUF012

    class Sub(Single, init=False):
        mail: Mapped[Annotated[str | None, AllowedFor(LOGIN)]] = mapped_column(use_existing_column=True)
        mail_for: Mapped[tuple[str, ...] | None] = mapped_column(CollectedFor("mail"), use_existing_column=True)
        __mapper_args__ = {"polymorphic_identity": "b"}  # noqa: RUF012

    table = Table(
        "plain",
        Data.metadata,
        Column("id", Integer, primary_key=True),
        Column("tel", SealedType(String, AllowedFor(LOGIN)), key="number"),
        Column("tel_for", CollectedFor("number"), key="said"),
    )

    class Plain:
        def __init__(self, **given: Any) -> None:
            for name, value in given.items():
                setattr(self, name, value)

    made.map_imperatively(Plain, table, properties={"phone": table.c.number, "word": table.c.said})
    engine = in_memory(Data.metadata)
    with Session(engine) as session:
        with collected_for(CODES):
            session.add_all([Of(id=1, phone="+1"), Single(id=1, phone="+1"), Sub(id=2, phone="+1", mail="m")])
            session.add(Plain(id=1, phone="+1"))
        session.commit()
        for entity, name in (
            (session.get(Of, 1), "phone"),
            (session.get(Single, 1), "phone"),
            (session.get(Sub, 2), "mail"),
            (session.get(Single, 2), "phone"),
            (session.get(Plain, 1), "phone"),
        ):
            assert [reads(entity, name, one) for one in (CODES, LOGIN)] == [True, False]
        assert stored(session, "tel_for", "plain") == ["cdb_login.codes"]
    dispose()


def test_tables_of_their_own_in_one_hierarchy() -> None:
    """A union of them has a column for the word, also for those whose rows say none."""

    class Own(DeclarativeBase):
        pass

    class Worded(ConcreteBase, Own):
        __tablename__ = "worded"
        id: Mapped[int] = mapped_column(primary_key=True)
        phone: Mapped[Phone | None]
        said: Mapped[tuple[str, ...] | None] = mapped_column(CollectedFor("phone"))
        __mapper_args__ = {"polymorphic_identity": "worded", "concrete": True}  # noqa: RUF012

    class Too(Worded):
        __tablename__ = "too"
        id: Mapped[int] = mapped_column(primary_key=True)
        phone: Mapped[Phone | None]
        said: Mapped[tuple[str, ...] | None] = mapped_column(CollectedFor("phone"))
        __mapper_args__ = {"polymorphic_identity": "too", "concrete": True}  # noqa: RUF012

    class Silent(Worded):
        __tablename__ = "silent"
        id: Mapped[int] = mapped_column(primary_key=True)
        phone: Mapped[Phone | None]
        __mapper_args__ = {"polymorphic_identity": "silent", "concrete": True}  # noqa: RUF012

    engine = in_memory(Own.metadata)
    with Session(engine) as session:
        with collected_for(CODES):
            session.add_all([Worded(id=1, phone="+1"), Too(id=2, phone="+1")])
        session.add(Silent(id=3, phone="+1"))
        session.commit()
        session.expunge_all()
        found = sorted(session.scalars(select(Worded)), key=lambda one: one.id)
        assert [type(one) for one in found] == [Worded, Too, Silent]
        assert [[reads(one, "phone", purpose) for purpose in (CODES, OFFERS)] for one in found] == [
            [True, False],
            [True, False],
            [True, True],
        ]
    dispose()


def test_a_second_class_of_the_same_table_is_no_way_round() -> None:
    """Mapped without the companion, it would load the value as wide as the tag, and take the word from the first."""

    class Own(DeclarativeBase):
        pass

    class Whole(Own):
        __tablename__ = "whole"
        id: Mapped[int] = mapped_column(primary_key=True)
        phone: Mapped[Annotated[str | None, AllowedFor(LOGIN)]]
        said: Mapped[tuple[str, ...] | None] = mapped_column(CollectedFor("phone"))

    class Part(Own):
        __table__ = Whole.__table__
        __mapper_args__ = {"include_properties": ["id", "phone"]}  # noqa: RUF012

    engine = in_memory(Own.metadata)
    with Session(engine) as session:
        with collected_for(CODES):
            session.add(Whole(id=1, phone="+1"))
            session.commit()
            part = session.get_one(Part, 1)
        assert [reads(part, "phone", one) for one in (CODES, LOGIN)] == [True, False]
        part.phone = "+2"
        session.commit()
        assert not reads(session.get_one(Whole, 1), "phone", LOGIN)
        with collected_for(CODES):
            session.add(Part(id=2, phone="+3"))
        with pytest.raises(PolicyError):
            session.flush()
    dispose()


def test_a_companion_of_nothing_is_refused() -> None:
    """R9: a word about a column that is not tagged, or that is elsewhere, would keep nothing."""

    class Own(DeclarativeBase):
        pass

    with pytest.raises(PolicyError, match="takes the name"):
        CollectedFor("")
    with pytest.raises(PolicyError, match="no tagged attribute"):

        class Untagged(Own):
            __tablename__ = "untagged"
            id: Mapped[int] = mapped_column(primary_key=True)
            phone: Mapped[str]
            said: Mapped[tuple[str, ...] | None] = mapped_column(CollectedFor("phone"))

    with pytest.raises(PolicyError, match="both say"):

        class Twice(Own):
            __tablename__ = "twice"
            id: Mapped[int] = mapped_column(primary_key=True)
            phone: Mapped[Phone]
            said: Mapped[tuple[str, ...] | None] = mapped_column(CollectedFor("phone"))
            again: Mapped[tuple[str, ...] | None] = mapped_column(CollectedFor("phone"))

    class Above(Own):
        __tablename__ = "above"
        id: Mapped[int] = mapped_column(primary_key=True)
        phone: Mapped[Phone]

    with pytest.raises(PolicyError, match="from another table"):

        class Below(Above):
            __tablename__ = "below"
            id: Mapped[int] = mapped_column(ForeignKey("above.id"), primary_key=True)
            said: Mapped[tuple[str, ...] | None] = mapped_column(CollectedFor("phone"))

    metadata = MetaData()
    Table("t", metadata, Column("id", Integer), Column("said", CollectedFor("phone")))
    with pytest.raises(PolicyError, match="no tagged column"):
        in_memory(metadata)


def test_one_type_for_several_columns_is_none_of_them() -> None:
    """A type with a name of its own, shared: what is said of one column must not be said of the other."""

    class Own(DeclarativeBase):
        pass

    kind = SealedType(String, AllowedFor(LOGIN), "a number")

    class First(Own):
        __tablename__ = "first"
        id: Mapped[int] = mapped_column(primary_key=True)
        phone: Mapped[str | None] = mapped_column(kind)
        said: Mapped[tuple[str, ...] | None] = mapped_column(CollectedFor("phone"))
        other: Mapped[str | None] = mapped_column(kind)

    class Second(Own):
        __tablename__ = "second"
        id: Mapped[int] = mapped_column(primary_key=True)
        phone: Mapped[str | None] = mapped_column(kind)

    engine = in_memory(Own.metadata)
    with Session(engine) as session:
        with collected_for(CODES):
            session.add(First(id=1, phone="+1"))
        session.add_all([First(id=2, other="+2"), Second(id=1, phone="+3")])
        session.commit()
        session.expunge_all()
        assert not reads(session.get(First, 1), "phone", LOGIN)
        assert reads(session.get(First, 2), "other", LOGIN)
        assert reads(session.get(Second, 1), "phone", LOGIN)
        with purpose_scope(LOGIN):
            assert session.scalars(select(Second.phone)).all() == ["+3"]
            with pytest.raises(PurposeViolation):
                session.scalars(select(First.phone)).all()
    dispose()


def test_a_core_table_keeps_the_word_too() -> None:
    """Without any class, what is written with its word may be written, and what is not is refused."""
    metadata = MetaData()
    kind = SealedType(String, AllowedFor(LOGIN))  # one type for two columns, of which one has a companion
    table = Table(
        "t", metadata, Column("a", kind), Column("b", kind), Column("a_for", CollectedFor("a")), Column("id", Integer)
    )
    engine = in_memory(metadata)
    box = Sealed.of("+1", AllowedFor(LOGIN))
    with collected_for(CODES):
        narrow = Sealed.of("+1", AllowedFor(LOGIN))
    with engine.begin() as connection:
        connection.execute(insert(table).values(a=box, b=box))
        connection.execute(insert(table).values(a=narrow, a_for=["cdb_login.codes"]))
        for row in ({"a": narrow}, {"b": narrow, "a_for": ["cdb_login.codes"]}):
            with pytest.raises(PolicyError):
                connection.execute(insert(table).values(row))
        with purpose_scope(CODES):
            assert connection.execute(select(table.c.b)).scalars().all() == ["+1", None]
            with pytest.raises(PurposeViolation):
                connection.execute(select(table.c.a)).all()
    dispose()


# --- To models -------------------------------------------------------------------------------------------------------


class Contact(PurposeModel):
    id: int
    phone: Annotated[str, AllowedFor(LOGIN, OFFERS)]


def test_a_model_made_of_an_entity_is_as_narrow_and_back(session: Session) -> None:
    """R8: the word goes along to the model, and from there to another row."""
    contact = to_model(session.get_one(Person, 1), Contact)
    assert repr(contact) == "Contact(id=1, phone=<sealed: cdb_login.codes>)"
    contact = Contact.model_validate(contact.model_copy(deep=True))
    session.add(Card(id=5, number=vars(contact)["phone"]))
    session.commit()
    assert stored(session, "number_collected_for", "card") == ["cdb_login.codes", "cdb_login.codes"]
    session.expunge_all()
    assert [reads(session.get_one(Card, 5), "number", one) for one in (CODES, OFFERS)] == [True, False]
