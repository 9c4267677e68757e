"""What is retained for a time, in the database: counted from when its row says that it was collected."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Annotated, Any

import pytest
from collected_tables import KEPT, LOGIN, Base, Kept, Letter
from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, defer, load_only, mapped_column, registry
from sqlalchemy.types import Date
from sqlalchemy_tables import dispose, in_memory

from purposebind import (
    AllowedFor,
    CollectedAt,
    PolicyError,
    PurposeModel,
    PurposeViolation,
    Sealed,
    SubjectId,
    purpose_scope,
)
from purposebind.errors import Reason
from purposebind.integrations.sqlalchemy import SealedType, to_model

NOW = datetime.now(timezone.utc)
LONG_AGO = NOW - KEPT - timedelta(days=1)
SOON = timedelta(hours=2)


@pytest.fixture
def engine() -> Iterator[Engine]:
    yield in_memory(Base.metadata)
    dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        session.add_all([Letter(id=1, address="1 Road", collected_at=NOW), Letter(id=2, address="2 Road")])
        session.add(Letter(id=3, address="3 Road", collected_at=LONG_AGO, title="old"))
        session.commit()
        session.expunge_all()
        yield session


def reads(entity: Any, name: str = "address") -> bool:
    """Whether an attribute may be read; where not, because of the time."""
    with purpose_scope(LOGIN):
        try:
            getattr(entity, name)
        except PurposeViolation as refused:
            if refused.reason is not Reason.RETENTION_OVER:
                raise
            return False
    return True


def test_what_is_over_is_not_read(session: Session) -> None:
    """Ninety days means ninety days, for rows that nobody has erased yet."""
    assert [reads(session.get_one(Letter, number)) for number in (1, 2, 3)] == [True, False, False]
    made = Letter(address="new", collected_at=NOW)
    assert reads(made)
    assert not reads(Letter(address="new")), "when it was collected is not known"
    assert not reads(Letter(address="new", collected_at=LONG_AGO))


@pytest.mark.parametrize(
    "options",
    [
        [load_only(Letter.address)],
        [defer(Letter.collected_at)],
        [defer(Letter.address)],
        [load_only(Letter.title)],
    ],
)
def test_a_time_that_was_not_loaded_is_loaded(session: Session, options: list[Any]) -> None:
    """Else a query with load_only would be refused for what is fresh, or give what is over."""
    letters = session.scalars(select(Letter).options(*options).order_by(Letter.id)).all()
    assert [reads(letter) for letter in letters] == [True, False, False]
    session.expire(letters[0], ["collected_at"])
    session.expire(letters[2], ["address"])
    assert [reads(letter) for letter in letters] == [True, False, False]


def test_absence_is_over_too(session: Session) -> None:
    """Whether somebody had an address is a fact about them."""
    session.execute(update(Letter).values(address=None))
    session.expire_all()
    assert [reads(session.get_one(Letter, number)) for number in (1, 2, 3)] == [True, False, False]


def test_another_time_of_collection_renews(session: Session) -> None:
    """Who gives her address again has it kept from then on; setting the old time back ends it."""
    old = session.get_one(Letter, 3)
    assert not reads(old)
    box = vars(old)["address"]
    old.collected_at = NOW
    assert reads(old)
    with purpose_scope(LOGIN), pytest.raises(PurposeViolation):
        box.open()
    session.commit()
    assert reads(old)
    old.collected_at = LONG_AGO
    assert not reads(old)
    session.rollback()
    assert reads(old)
    session.execute(update(Letter).where(Letter.id == 3).values(collected_at=LONG_AGO))
    session.expire_all()
    assert not reads(old)


def test_a_time_that_is_set_elsewhere_counts_once_it_is_known(session: Session) -> None:
    """By an UPDATE that SQLAlchemy works out in Python, or by somebody else, and the entity is refreshed."""
    fresh = session.get_one(Letter, 1)
    assert reads(fresh)
    session.execute(
        update(Letter).where(Letter.id == 1).values(collected_at=LONG_AGO),
        execution_options={"synchronize_session": "evaluate"},
    )
    assert not reads(fresh)
    session.execute(update(Letter.__table__).where(Letter.id == 1).values(collected_at=NOW))
    session.refresh(fresh, ["collected_at"])
    assert reads(fresh)
    session.execute(update(Letter.__table__).where(Letter.id == 1).values(collected_at=LONG_AGO))
    session.refresh(fresh, ["collected_at"])
    assert not reads(fresh)
    old = session.get_one(Letter, 3)
    assert not reads(old)
    with session.no_autoflush:
        fresh.address = vars(old)["address"]
        session.execute(update(Letter.__table__).where(Letter.id == 1).values(collected_at=NOW))
        session.refresh(fresh, ["collected_at"])
    assert not reads(fresh), "what was moved there is as old as it was"


def test_order_does_not_matter_for_a_new_row() -> None:
    """Keyword arguments are set one by one."""
    assert reads(Letter(address="x", collected_at=NOW))
    assert reads(Letter(collected_at=NOW, address="x"))
    assert not reads(Letter(collected_at=LONG_AGO, address="x"))
    assert not reads(Letter(address="x", collected_at=LONG_AGO))


def test_a_moved_value_does_not_start_anew(session: Session) -> None:
    """R8: into a row that says a later time it is not written: it would be kept for longer than the tag allows."""
    old, fresh = session.get_one(Letter, 3), session.get_one(Letter, 1)
    assert not reads(old)
    assert reads(fresh)
    fresh.address = vars(old)["address"]
    assert not reads(fresh)
    with pytest.raises(PolicyError, match="collected earlier than its collected_at says") as refused:
        session.commit()
    assert "3 Road" not in str(refused.value)
    session.rollback()
    old, fresh = session.get_one(Letter, 3), session.get_one(Letter, 1)
    assert not reads(old)
    for made in (
        Letter(id=9, collected_at=NOW, address=vars(old)["address"]),
        Letter(id=9, address=vars(old)["address"], collected_at=NOW),
        Letter(id=9, address=vars(old)["address"]),
    ):
        assert not reads(made)
        session.add(made)
        with pytest.raises(PolicyError):
            session.flush()
        session.rollback()
        old = session.get_one(Letter, 3)
        assert not reads(old)
    session.add(Letter(id=9, collected_at=LONG_AGO, address=vars(old)["address"]))
    session.commit()
    assert not reads(session.get_one(Letter, 9))


@pytest.mark.parametrize("time", [NOW, func.now()])
def test_a_later_time_does_not_renew_what_was_moved(session: Session, time: Any) -> None:
    """R8: an old address that is put into a row, and the row's time set to now, is as old as it was; in either order.
    What is set anew, in plain, is as new as the time."""
    for first in ("address", "collected_at"):
        old, fresh = session.get_one(Letter, 3), session.get_one(Letter, 1)
        assert not reads(old)
        assert reads(fresh)
        said = {"address": vars(old)["address"], "collected_at": time}
        for name in sorted(said, key=lambda one: one != first):
            setattr(fresh, name, said[name])
        with pytest.raises(PolicyError, match="collected earlier"):
            session.flush()
        session.rollback()
    old = session.get_one(Letter, 3)
    old.address, old.collected_at = "new", time
    session.commit()
    assert reads(old)


def test_a_failed_flush_makes_nothing_longer(session: Session) -> None:
    """A box that a flush has dealt with and that was not written is as narrow as before."""
    made = Letter(id=1, collected_at=LONG_AGO, address="x")
    assert not reads(made)
    session.add(made)
    with pytest.raises(Exception, match="UNIQUE"):
        session.flush()
    session.rollback()
    assert not reads(made)
    fresh = Letter(id=1, collected_at=NOW, address="x")
    session.add(fresh)
    with pytest.raises(Exception, match="UNIQUE"):
        session.flush()
    assert reads(fresh)


def test_a_statement_cannot_ask_each_row(session: Session) -> None:
    """A WHERE on what is retained would match what is over; erasing by the time is no use of it."""
    for use in (select(Letter).where(Letter.address == "3 Road"), select(Letter.address)):
        with purpose_scope(LOGIN), pytest.raises(PurposeViolation, match="load entities, and read their attributes"):
            session.execute(use).all()
    copy = insert(Letter).from_select(
        ["id", "address", "collected_at"], select(Letter.id + 5, Letter.address, func.now())
    )
    with purpose_scope(LOGIN), pytest.raises(PolicyError, match="would not go along"):
        session.execute(copy)
    erased = session.execute(delete(Letter).where(Letter.collected_at < NOW - KEPT))
    assert getattr(erased, "rowcount", None) == 1


def test_bulk_writes_need_the_time_of_a_moved_value(session: Session) -> None:
    """R8: Core and bulk statements write a box where its row says when it was collected."""
    fresh, old = session.get_one(Letter, 1), session.get_one(Letter, 3)
    assert reads(fresh)
    assert not reads(old)
    good, bad = vars(fresh)["address"], vars(old)["address"]
    for row in (
        {"address": good},
        {"address": bad, "collected_at": NOW},
        {"address": bad, "collected_at": None},
        {"address": good, "collected_at": NOW + timedelta(minutes=1)},
    ):
        with pytest.raises(PolicyError):
            session.execute(insert(Letter).values(id=11, **row))
        with pytest.raises(PolicyError):
            session.execute(insert(Letter), [{"id": 11, **row}])
        with pytest.raises(PolicyError):
            session.execute(update(Letter).where(Letter.id == 2).values(**row))
    session.execute(insert(Letter).values(id=11, address=good, collected_at=NOW))
    session.execute(insert(Letter), [{"id": 12, "address": bad, "collected_at": LONG_AGO}])
    assert [reads(session.get_one(Letter, number)) for number in (11, 12)] == [True, False]


def test_a_clock_on_the_other_side_of_the_world_is_no_longer_time(session: Session) -> None:
    """A database that keeps no zone keeps what the clock shows: thirteen hours more, if that is taken for UTC."""
    ahead = timezone(timedelta(hours=13))
    at = (NOW - KEPT - SOON).astimezone(ahead)
    session.add(Letter(id=21, address="x", collected_at=at))
    session.commit()
    assert not reads(session.get_one(Letter, 21))
    behind = timezone(-timedelta(hours=11))
    session.add(Letter(id=22, address="x", collected_at=(NOW - KEPT + SOON).astimezone(behind)))
    session.commit()
    assert reads(session.get_one(Letter, 22))


class Own(DeclarativeBase):
    pass


class Early(Own):
    __tablename__ = "early"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(default="early")
    on: Mapped[Annotated[datetime, CollectedAt]] = mapped_column(server_default=func.now())
    note: Mapped[Kept | None]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "early"}  # noqa: RUF012


class Late(Early):
    """Its value is in another table than the time."""

    __tablename__ = "late"

    id: Mapped[int] = mapped_column(ForeignKey("early.id"), primary_key=True)
    more: Mapped[Kept | None]
    __mapper_args__ = {"polymorphic_identity": "late"}  # noqa: RUF012


class Day(Own):
    __tablename__ = "day"

    id: Mapped[int] = mapped_column(primary_key=True)
    on: Mapped[Annotated[date, CollectedAt]] = mapped_column(Date, default=lambda: NOW.date(), deferred=True)
    note: Mapped[Kept | None]


def test_a_time_that_the_database_says_counts() -> None:
    """A default of the server's, or of Python's, is known once the row is written."""
    engine = in_memory(Own.metadata)
    with Session(engine) as session:
        early, late, day = Early(id=1, note="x"), Late(id=2, note="x", more="y"), Day(id=1, note="x")
        assert not reads(early, "note")
        session.add_all([early, late, day])
        session.flush()
        for entity, name in ((early, "note"), (late, "note"), (late, "more"), (day, "note")):
            assert reads(entity, name)
        session.commit()
        session.expunge_all()
        for entity, name in ((session.get(Late, 2), "more"), (session.get(Day, 1), "note")):
            assert reads(entity, name)
        late = session.get_one(Late, 2)
        late.on = LONG_AGO
        assert not reads(late, "more")
        session.commit()
        session.expunge_all()
        late = session.scalars(select(Late).options(load_only(Late.more))).one()
        assert not reads(late, "more")
        late.on = func.now()
        assert not reads(late, "more"), "it is the database's to say"
        session.commit()
        assert reads(late, "more")
        late.more = "z"
        session.commit()
        assert reads(session.get_one(Late, 2), "more")
    dispose()


def test_a_time_is_mapped_or_the_tag_is_refused() -> None:
    """R9: ninety days from a day that nobody says would be for ever, or never."""
    with pytest.raises(PolicyError, match="does not say from when on"):

        class Never(DeclarativeBase):
            pass

        class Timeless(Never):
            __tablename__ = "timeless"
            id: Mapped[int] = mapped_column(primary_key=True)
            address: Mapped[Kept]

        Timeless(id=1)
    Never.registry.dispose()  # or what was refused would fail whoever configures mappers after this test

    with pytest.raises(PolicyError, match="as CollectedAt: one"):

        class Other(DeclarativeBase):
            pass

        class Twice(Other):
            __tablename__ = "twice"
            id: Mapped[int] = mapped_column(primary_key=True)
            one: Mapped[Annotated[datetime, CollectedAt]]
            two: Mapped[Annotated[datetime, CollectedAt]]
            address: Mapped[Kept]

        Twice(id=1)
    Other.registry.dispose()

    with pytest.raises(PolicyError, match="would widen"):

        class Third(DeclarativeBase):
            pass

        class Mixin:
            address: Mapped[Kept]

        class Longer(Mixin, Third):
            __tablename__ = "longer"
            id: Mapped[int] = mapped_column(primary_key=True)
            at: Mapped[Annotated[datetime, CollectedAt]]
            address: Mapped[Annotated[str, AllowedFor(LOGIN, retain=timedelta(days=91))]]


def test_an_imperative_mapping_says_it_by_its_class() -> None:
    """The annotations of the class count, however it is mapped."""
    metadata = MetaData()
    kind = SealedType(String, AllowedFor(LOGIN, retain=KEPT))
    table = Table(
        "t", metadata, Column("id", Integer, primary_key=True), Column("note", kind), Column("taken", DateTime)
    )

    class Plain:
        when: Annotated[datetime, CollectedAt]

        def __init__(self, **given: Any) -> None:
            for name, value in given.items():
                setattr(self, name, value)

    registry().map_imperatively(Plain, table, properties={"when": table.c.taken})
    engine = in_memory(metadata)
    with Session(engine) as session:
        session.add_all([Plain(id=1, note="x", when=NOW), Plain(id=2, note="x", when=LONG_AGO)])
        session.commit()
        assert [reads(session.get(Plain, number), "note") for number in (1, 2)] == [True, False]
    dispose()


class Sent(PurposeModel):
    id: Annotated[int, SubjectId]
    collected_at: Annotated[datetime | None, CollectedAt] = None
    address: Annotated[str | None, AllowedFor(LOGIN, retain=KEPT)]


class Bare(PurposeModel):
    address: Annotated[str | None, AllowedFor(LOGIN, retain=timedelta(days=400))]
    at: Annotated[datetime, CollectedAt] = NOW


def test_a_model_made_of_an_entity_is_kept_for_no_longer(session: Session) -> None:
    """R8: neither by a model's longer retention nor by its later time."""
    fresh, old = (to_model(session.get_one(Letter, number), Sent) for number in (1, 3))
    assert reads(fresh)
    assert not reads(old)
    assert not reads(to_model(session.get_one(Letter, 3), Bare))
    assert not reads(to_model(session.scalars(select(Letter).options(load_only(Letter.title))).all()[2], Bare))
    made = Letter(id=31, collected_at=NOW, address=vars(old)["address"])
    assert not reads(made)
    session.add(made)
    with pytest.raises(PolicyError):
        session.flush()
    session.rollback()
    session.add(Letter(id=31, collected_at=old.collected_at, address=vars(old)["address"]))
    session.add(Letter(id=32, collected_at=fresh.collected_at, address=vars(fresh)["address"]))
    session.commit()
    assert [reads(session.get_one(Letter, number)) for number in (31, 32)] == [False, True]


def test_merged_and_pickled_it_ends_when_it_did(session: Session) -> None:
    """What leaves the session and comes back starts nothing anew."""
    old = session.get_one(Letter, 3)
    assert not reads(old)
    session.expunge(old)
    merged = session.merge(old)
    assert not reads(merged)
    session.commit()
    assert not reads(merged)
    again = pickle.loads(pickle.dumps(merged))
    session.expunge_all()
    session.add(again)
    assert not reads(again)


def test_a_box_by_itself_is_not_written_without_its_time(session: Session) -> None:
    """`Sealed.of` is collected now; a row that says an earlier time may have it, one that says a later may not."""
    box = Sealed.of("x", AllowedFor(LOGIN, retain=KEPT))
    session.add(Letter(id=41, address=box, collected_at=NOW - SOON))
    session.flush()
    session.add(Letter(id=42, address=box, collected_at=NOW + timedelta(days=1)))
    with pytest.raises(PolicyError):
        session.flush()
