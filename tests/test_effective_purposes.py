"""What a value may be used for never grows: by no collecting, consenting, mapping, copying, pickling, storing, loading.

A machine does these in any order. Beside each value that it has, it keeps what the value may be used for, as sets of
names: worked out here, by rules that fit on a page, and without the library. After each step every value is tried for
every purpose, and what may be read has to be what the sets say.
"""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass, replace
from typing import Annotated, Any

from cryptography.fernet import Fernet
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from sqlalchemy import insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy_tables import in_memory

from purposebind import (
    AllowedFor,
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
from purposebind.integrations.sqlalchemy import CollectedFor, to_model
from purposebind.moving import pack, unpack

CARE = Purpose("eff_care", "Answer questions")
CODES = CARE.child("codes", "Send a code")
BILLS = Purpose("eff_bills", "Write bills")
OFFERS = Purpose("eff_offers", "Send offers")
PURPOSES = (CARE, CODES, BILLS, OFFERS)
PEOPLE = (1, 2)

_FERNET = Fernet(Fernet.generate_key())


def covered(*purposes: Purpose) -> frozenset[str]:
    """The names of what purposes cover."""
    return frozenset(one.name for one in PURPOSES if any(wider.includes(one) for wider in purposes))


ON_CONSENT = covered(OFFERS)
WIDE = covered(CARE, BILLS, OFFERS)
NARROW = covered(CARE, OFFERS)


class Wide(PurposeModel):
    person: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(CARE, BILLS, with_consent=[OFFERS])]


class Narrow(PurposeModel):
    person: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(CARE, with_consent=[OFFERS])]


class Base(DeclarativeBase):
    pass


class Kept(Base):
    """A table whose rows say what they were collected for."""

    __tablename__ = "kept"
    id: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[Annotated[int, SubjectId]]
    phone: Mapped[Annotated[str, AllowedFor(CARE, BILLS, with_consent=[OFFERS])]]
    phone_for: Mapped[tuple[str, ...] | None] = mapped_column(CollectedFor("phone"))


class Plain(Base):
    """A table whose rows say nothing."""

    __tablename__ = "plain"
    id: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[Annotated[int, SubjectId]]
    phone: Mapped[Annotated[str, AllowedFor(CARE, BILLS, with_consent=[OFFERS])]]


TABLES: tuple[Any, ...] = (Kept, Plain)
MODELS: tuple[tuple[Any, frozenset[str]], ...] = ((Wide, WIDE), (Narrow, NARROW))


@dataclass(frozen=True, eq=False)
class Known:
    """A box, and what is known of it here.

    Attributes:
        box: The box.
        limit: What it may be used for at the most.
        collected: What it was collected for; None where nobody said.
        person: Whose it is; None where it is several people's, or nobody can say.
    """

    box: Any
    limit: frozenset[str]
    collected: frozenset[str] | None
    person: int | None


class Machine(RuleBasedStateMachine):
    values = Bundle("values")

    @initialize()
    def start(self) -> None:
        self.consents = InMemoryConsents()
        self.said: dict[int, bool] = {}
        self.live: list[Known] = []
        self.engine = in_memory(Base.metadata)
        configure(consent=self.consents)

    def teardown(self) -> None:
        self.engine.dispose()
        configure(consent=None)

    def keep(self, known: Known) -> Known:
        self.live.append(known)
        return known

    def effective(self, known: Known) -> frozenset[str]:
        consents = known.person is not None and self.said.get(known.person, False)
        return known.limit if consents else known.limit - ON_CONSENT

    # --- Collecting, and consenting ----------------------------------------------------------------------------------

    @rule(
        target=values, person=st.sampled_from(PEOPLE), blocks=st.lists(st.sets(st.sampled_from(PURPOSES), min_size=1))
    )
    def collect(self, person: int, blocks: list[set[Purpose]]) -> Known:
        limit, collected = WIDE, None
        for block in blocks:
            collected = covered(*block) if collected is None else collected & covered(*block)
            limit &= collected

        def inside(left: list[set[Purpose]]) -> Wide:
            if not left:
                return Wide(person=person, phone="+1")
            with collected_for(*left[0]):
                return inside(left[1:])

        return self.keep(Known(vars(inside(blocks))["phone"], limit, collected, person))

    @rule(person=st.sampled_from(PEOPLE), given=st.booleans())
    def say(self, person: int, given: bool) -> None:
        self.said[person] = given
        if given:
            self.consents.give(person, OFFERS, wording="1")
        else:
            self.consents.withdraw(person, OFFERS)

    # --- Moving ------------------------------------------------------------------------------------------------------

    @rule(target=values, known=values, deep=st.booleans())
    def copied(self, known: Known, deep: bool) -> Known:
        return self.keep(replace(known, box=copy.deepcopy(known.box) if deep else copy.copy(known.box)))

    @rule(target=values, known=values)
    def packed(self, known: Known) -> Known:
        return self.keep(replace(known, box=unpack(pack(known.box, _FERNET.encrypt), _FERNET.decrypt)))

    @rule(target=values, known=values, purpose=st.sampled_from(PURPOSES))
    def pickled(self, known: Known, purpose: Purpose) -> Any:
        with purpose_scope(purpose):
            try:
                made = pickle.loads(pickle.dumps(known.box))
            except PurposeViolation:
                assert purpose.name not in self.effective(known)
                return multiple()
        assert purpose.name in self.effective(known)
        return self.keep(replace(known, box=made))

    @rule(
        target=values,
        known=values,
        into=st.sampled_from(MODELS),
        person=st.sampled_from(PEOPLE),
        way=st.sampled_from(["init", "validate", "assign", "copy", "update", "construct"]),
        block=st.none() | st.sampled_from(PURPOSES),
    )
    def into_a_model(self, known: Known, into: Any, person: int, way: str, block: Purpose | None) -> Known:
        """Also within a block: what comes in sealed was collected elsewhere. In another's record it is nobody's."""
        model, tag = into

        def make() -> Any:
            if way == "init":
                return model(person=person, phone=known.box)
            if way == "validate":
                return model.model_validate(model.model_validate({"person": person, "phone": known.box}))
            if way == "construct":
                return model.model_construct(person=person, phone=known.box)
            made = model(person=person, phone="+2")
            if way == "update":
                return made.model_copy(update={"phone": known.box})
            made.phone = known.box
            return made.model_copy(deep=True) if way == "copy" else made

        if block is None:
            made = make()
        else:
            with collected_for(block):
                made = make()
        whose = person if known.person == person else None
        return self.keep(Known(vars(made)["phone"], known.limit & tag, known.collected, whose))

    # --- Deriving ----------------------------------------------------------------------------------------------------

    @rule(target=values, known=values, purpose=st.sampled_from(PURPOSES))
    def mapped(self, known: Known, purpose: Purpose) -> Any:
        with purpose_scope(purpose):
            try:
                made = known.box.map(str.upper)
            except PurposeViolation:
                assert purpose.name not in self.effective(known)
                return multiple()
        return self.keep(replace(known, box=made))

    @rule(target=values, one=values, other=values, purpose=st.sampled_from(PURPOSES))
    def joined(self, one: Known, other: Known, purpose: Purpose) -> Any:
        with purpose_scope(purpose):
            try:
                made = Sealed.join(lambda a, b: str(a) + str(b), one.box, other.box)
            except PurposeViolation:
                assert purpose.name not in self.effective(one) & self.effective(other)
                return multiple()
        said = [each.collected for each in (one, other) if each.collected is not None]
        collected = frozenset.intersection(*said) if said else None
        person = one.person if one.person == other.person else None
        return self.keep(Known(made, one.limit & other.limit, collected, person))

    # --- Storing, and loading ----------------------------------------------------------------------------------------

    @rule(
        target=values,
        known=values,
        table=st.sampled_from(TABLES),
        person=st.sampled_from(PEOPLE),
        way=st.sampled_from(["new", "changed", "core", "merged"]),
        model=st.booleans(),
    )
    def stored(self, known: Known, table: Any, person: int, way: str, model: bool) -> Any:
        """What the row says is all that is left of what the box said: it is enough, or nothing is written."""
        says = known.collected if table is Kept else None
        loaded = WIDE if says is None else WIDE & says
        try:
            key = self.write(known, table, person, way)
        except PolicyError:
            anothers = known.person != person and known.limit & ON_CONSENT
            assert not loaded <= known.limit or says != known.collected or anothers
            return multiple()
        assert known.person == person or not known.limit & ON_CONSENT, "somebody else's consent would open it"
        assert loaded <= known.limit, "it would come back wider"
        assert says == known.collected, "a tag that is widened later would open it"
        with Session(self.engine) as session:
            entity = session.scalars(select(table).where(table.id == key)).one()
            if model:
                box = vars(to_model(entity, Wide))["phone"]
            else:
                session.expire(entity, ["phone_for"] if table is Kept else None)
                session.refresh(entity, ["phone"])
                box = vars(to_model(entity, Wide))["phone"]
        return self.keep(Known(box, loaded, says, person))

    def write(self, known: Known, table: Any, person: int, way: str) -> int:
        with Session(self.engine) as session:
            if way == "core" and table is Kept:
                said = None if known.collected is None else sorted(known.collected)
                row = {"person": person, "phone": known.box, "phone_for": said}
                done: Any = session.execute(insert(table).values(row))
                key: int = done.inserted_primary_key[0]
                session.commit()
                return key
            entity = table(person=person, phone="+3" if way == "changed" else known.box)
            if way == "merged":
                entity = session.merge(entity)
            session.add(entity)
            if way == "changed":
                session.commit()
                entity.phone = known.box
            session.commit()
            found: int = entity.id
            return found

    @rule(known=consumes(values))
    def dropped(self, known: Known) -> None:
        self.live.remove(known)

    # --- What has to hold --------------------------------------------------------------------------------------------

    @invariant()
    def nothing_grows(self) -> None:
        for known in self.live[-8:]:
            for purpose in PURPOSES:
                with purpose_scope(purpose):
                    try:
                        known.box.open()
                    except PurposeViolation:
                        assert purpose.name not in self.effective(known), f"{purpose.name} was lost"
                    else:
                        assert purpose.name in self.effective(known), f"{purpose.name} was gained"


TestEffectivePurposes = Machine.TestCase
TestEffectivePurposes.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
