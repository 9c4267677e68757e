"""Table models of SQLModel whose rows say what values were collected for, and when."""

import copy
import pickle
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

import pytest
from collected_tables import CODES, KEPT, LOGIN, OFFERS
from sqlalchemy import DateTime
from sqlalchemy.engine import Engine
from sqlalchemy.orm import defer, load_only, registry
from sqlalchemy_tables import dispose, in_memory
from sqlmodel import Field, Session, select

from purposebind import (
    AllowedFor,
    CollectedAt,
    PolicyError,
    Purpose,
    PurposeModel,
    PurposeViolation,
    SubjectId,
    collected_for,
    configure,
    purpose_scope,
)
from purposebind.consent import InMemoryConsents
from purposebind.integrations.sqlalchemy import CollectedFor, to_model
from purposebind.integrations.sqlmodel import PurposeSQLModel

NOW = datetime.now(timezone.utc)


class Base(PurposeSQLModel, registry=registry()): ...


class MemberBase(Base):
    phone: Annotated[str | None, AllowedFor(LOGIN, OFFERS)] = None
    mail: Annotated[str | None, AllowedFor(LOGIN, with_consent=[OFFERS])] = None
    address: Annotated[str | None, AllowedFor(LOGIN, retain=KEPT)] = None
    collected_at: Annotated[datetime | None, CollectedAt] = Field(default=None, sa_type=DateTime(timezone=True))  # type: ignore[call-overload]


class Member(MemberBase, table=True):
    id: Annotated[int | None, SubjectId] = Field(default=None, primary_key=True)
    phone_collected_for: tuple[str, ...] | None = Field(default=None, sa_type=CollectedFor("phone"))  # type: ignore[call-overload]


class MemberCreate(MemberBase): ...


class Shown(PurposeModel):
    id: Annotated[int | None, SubjectId]
    phone: Annotated[str | None, AllowedFor(LOGIN, OFFERS)]


@pytest.fixture
def engine() -> Iterator[Engine]:
    yield in_memory(Member.metadata)
    dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


def reads(model: Any, name: str, purpose: Purpose) -> bool:
    with purpose_scope(purpose):
        try:
            getattr(model, name)
        except PurposeViolation:
            return False
    return True


def test_what_is_collected_stays_bound_to_it(session: Session) -> None:
    """Made, validated, assigned, stored, loaded: the number for a login code is not one for offers."""
    with collected_for(CODES):
        sent = MemberCreate(phone="+1")
        made = Member(id=1, phone="+1")
        session.add_all([made, Member(id=2, phone="+2")])
        session.add(Member.model_validate({"id": 3, "phone": "+3"}))
    session.add(Member.model_validate(sent, update={"id": 4}))
    other = Member(id=5)
    with collected_for(CODES):
        other.phone = "+5"
    session.add(other)
    assert not reads(made, "phone", OFFERS)
    session.commit()
    session.expunge_all()
    members = session.exec(select(Member).order_by(Member.id)).all()  # type: ignore[arg-type]
    assert [reads(one, "phone", CODES) for one in members] == [True] * 5
    assert [reads(one, "phone", LOGIN) for one in members] == [False] * 5
    assert [one.phone_collected_for for one in members] == [("cdb_login.codes",)] * 5
    members[0].phone = "+9"
    session.commit()
    assert reads(session.get(Member, 1), "phone", OFFERS)


def test_however_it_is_loaded_it_is_no_wider(session: Session) -> None:
    """A dump, a copy or a pickle reads what the model holds, not its attributes."""
    with collected_for(CODES):
        session.add(Member(id=1, phone="+1"))
    session.commit()
    session.expunge_all()
    few: Any = load_only(Member.phone)  # type: ignore[arg-type]
    member = session.exec(select(Member).options(few)).one()
    for one in (member, copy.deepcopy(member), to_model(member, Shown), MemberCreate.model_validate(member)):
        assert [reads(one, "phone", each) for each in (CODES, OFFERS)] == [True, False]
        with purpose_scope(OFFERS), pytest.raises(PurposeViolation):
            one.model_dump(include={"phone"})
    with purpose_scope(CODES):
        again = pickle.loads(pickle.dumps(member))
    session.expunge_all()
    session.add(again)
    assert not reads(again, "phone", OFFERS)
    assert reads(again, "phone", CODES)


def test_time_is_counted_from_what_the_row_says(session: Session) -> None:
    """What is retained is over by the table's own time, in dumps too, and begins anew with a new one."""
    old = NOW - KEPT - timedelta(hours=1)
    session.add(Member(id=1, address="x", collected_at=NOW))
    session.add(Member(id=2, address="x", collected_at=old))
    session.add(Member.model_validate({"id": 3, "address": "x", "collected_at": old}))
    session.add(Member(id=4, address="x"))
    session.commit()
    session.expunge_all()
    members = session.exec(select(Member).order_by(Member.id)).all()  # type: ignore[arg-type]
    assert [reads(one, "address", LOGIN) for one in members] == [True, False, False, False]
    with purpose_scope(LOGIN):
        assert members[0].model_dump(include={"address"}) == {"address": "x"}
        with pytest.raises(PurposeViolation):
            members[1].model_dump(include={"address"})
    members[1].collected_at = NOW
    assert reads(members[1], "address", LOGIN)
    session.commit()
    session.expunge_all()
    late: Any = defer(Member.collected_at)  # type: ignore[arg-type]
    members = session.exec(select(Member).options(late).order_by(Member.id)).all()  # type: ignore[arg-type]
    assert [reads(one, "address", LOGIN) for one in members] == [True, True, False, False]
    moved = Member.model_validate(session.get(Member, 3), update={"id": 9, "collected_at": NOW})
    assert not reads(moved, "address", LOGIN)
    session.add(moved)
    with pytest.raises(PolicyError, match="collected earlier"):
        session.flush()


def test_consent_is_the_rows_persons(session: Session) -> None:
    """Asked of whom the row is about, when it is read."""
    consents = InMemoryConsents()
    configure(consent=consents)
    session.add_all([Member(id=1, mail="a"), Member(id=2, mail="b")])
    session.commit()
    session.expunge_all()
    consents.give(1, OFFERS, wording="1")
    members = session.exec(select(Member).order_by(Member.id)).all()  # type: ignore[arg-type]
    assert [reads(one, "mail", OFFERS) for one in members] == [True, False]
    consents.withdraw(1, OFFERS)
    assert [reads(one, "mail", OFFERS) for one in members] == [False, False]
    assert [reads(one, "mail", LOGIN) for one in members] == [True, True]
