"""Consent: asked for at each read that hangs on it, of whoever keeps it, and never taken for granted."""

from __future__ import annotations

import asyncio
import copy
import gc
import multiprocessing
import pickle
import threading
import uuid
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import ConfigDict, TypeAdapter
from pydantic_core import PydanticSerializationError

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    PolicyError,
    Purpose,
    PurposeModel,
    PurposeViolation,
    Sealed,
    SubjectId,
    active_purposes,
    carry,
    configure,
    purpose_scope,
    requires_purpose,
)
from purposebind import answers as answers_module
from purposebind import consent as consent_module
from purposebind.break_glass import break_glass
from purposebind.consent import Choice, InMemoryConsents, in_force
from purposebind.errors import Reason
from purposebind.expiring import let_go_at
from purposebind.ledger import Ledger
from purposebind.policy import Policy, decide
from purposebind.using import Use, use

CARE = Purpose("consent_care", "Answer a patient's questions")
RECALL = CARE.child("recall", "Ask how the treatment went")
OFFERS = Purpose("consent_offers", "Write about offers")
WEEKLY = OFFERS.child("weekly", "Once a week")
RESEARCH = Purpose("consent_research", "Study treatments")


class Patient(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(CARE, with_consent=[OFFERS, RESEARCH])]
    email: Annotated[str, AllowedFor(CARE, OFFERS)]


def patient(number: int = 1) -> Patient:
    return Patient(id=number, phone=f"+46 70 {number}", email=f"{number}@example.com")


class Asked:
    """A store that notes what it is asked."""

    def __init__(self, *consenting: object) -> None:
        self.calls: list[tuple[list[Any], Purpose]] = []
        self.who: set[object] = set(consenting)
        self.error: BaseException | None = None

    def consenting(self, subjects: Sequence[Any], purpose: Purpose, /) -> Collection[Any]:
        self.calls.append((list(subjects), purpose))
        if self.error is not None:
            raise self.error
        return [one for one in subjects if one in self.who]


@pytest.fixture
def store() -> Iterator[Asked]:
    store = Asked(1)
    with configure(consent=store):
        yield store


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that answers are measured by, for a test to set. Nothing is let go by the system's."""
    now = [1000.0]
    monkeypatch.setattr(answers_module, "_clock", lambda: now[0])
    monkeypatch.setattr(answers_module, "let_go_at", lambda due, what: False)
    return now


# --- What a tag says -------------------------------------------------------------------------------------------------


def test_consent_makes_a_policy_conditional() -> None:
    policy = AllowedFor(CARE, with_consent=[OFFERS]).policy
    assert policy.allowed == {CARE, OFFERS}
    assert policy.consent == {OFFERS}
    assert policy.unconditional == {CARE}
    assert policy.conditional
    assert str(policy) == "consent_care, with consent consent_offers"
    assert not AllowedFor(CARE).policy.conditional


def test_a_narrower_purpose_may_need_consent_where_the_wider_needs_none() -> None:
    policy = AllowedFor(CARE, with_consent=[RECALL]).policy
    assert decide(policy, frozenset([CARE])).consent == ()
    assert decide(policy, frozenset([RECALL])).consent == (RECALL,)
    assert policy.unconditional == {CARE}


def test_consent_alone_is_enough_for_a_tag() -> None:
    assert repr(AllowedFor(with_consent=[OFFERS])) == "AllowedFor(with_consent=[consent_offers])"
    assert str(AllowedFor(with_consent=[OFFERS]).policy) == "with consent consent_offers"


@pytest.mark.parametrize(
    ("allowed", "never", "asked", "message"),
    [
        ((RECALL,), [], [CARE], "consent_care.recall is allowed, and allowed with consent alone, at once"),
        ((CARE,), [], [CARE], "consent_care is allowed, and allowed with consent alone, at once"),
        ((CARE,), [OFFERS], [WEEKLY], "consent_offers.weekly is allowed and never allowed at once"),
    ],
)
def test_a_tag_that_contradicts_itself_is_refused(
    allowed: tuple[Purpose, ...], never: list[Purpose], asked: list[Purpose], message: str
) -> None:
    with pytest.raises(PolicyError, match=message):
        AllowedFor(*allowed, never=never, with_consent=asked)


def test_consent_takes_a_list() -> None:
    with pytest.raises(
        TypeError, match=r"with_consent= takes a list of purposes, such as with_consent=\[ADVERTISING\]"
    ):
        AllowedFor(CARE, with_consent=OFFERS)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="got the string 'offers'"):
        AllowedFor(CARE, with_consent=["offers"])  # type: ignore[list-item]


def test_never_goes_before_consent() -> None:
    policy = AllowedFor(CARE, with_consent=[OFFERS], never=[WEEKLY]).policy
    assert decide(policy, frozenset([WEEKLY])).reason is Reason.NEVER
    assert decide(policy, frozenset([OFFERS])).consent == (OFFERS,)


def test_what_is_derived_of_two_needs_the_consent_of_both() -> None:
    joined = AllowedFor(CARE, with_consent=[OFFERS]).policy.join(
        AllowedFor(OFFERS, CARE, with_consent=[RESEARCH]).policy
    )
    assert joined is Policy([CARE, OFFERS], consent=[OFFERS])
    deeper = AllowedFor(CARE).policy.join(AllowedFor(with_consent=[RECALL]).policy)
    assert deeper is Policy([RECALL], consent=[RECALL])


def test_dropping_the_consent_widens() -> None:
    before, after = AllowedFor(CARE, with_consent=[OFFERS]).policy, AllowedFor(CARE, OFFERS).policy
    assert after.widens(before) == (OFFERS,)
    assert before.widens(after) == ()
    assert after.allows_more_than(before)
    assert AllowedFor(CARE, WEEKLY).policy.widens(before) == (WEEKLY,)
    assert (
        AllowedFor(CARE, with_consent=[OFFERS]).policy.widens(AllowedFor(CARE, OFFERS, with_consent=[WEEKLY]).policy)
        == ()
    )
    assert AllowedFor(OFFERS, with_consent=[WEEKLY]).policy.widens(AllowedFor(with_consent=[OFFERS]).policy) == (
        OFFERS,
    )


def test_a_subclass_may_not_drop_the_consent() -> None:
    with pytest.raises(
        PolicyError, match=r"phone widens the tag it inherits: \+consent_offers \(was consent_care, with"
    ):

        class Open(Patient):
            phone: Annotated[str, AllowedFor(CARE, OFFERS)]


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda tag: pickle.loads(pickle.dumps(tag))])
def test_a_tag_with_consent_is_moved_as_it_is(way: Any) -> None:
    tag = AllowedFor(CARE, with_consent=[RECALL, OFFERS], never=[WEEKLY], retain=timedelta(days=3))
    assert way(tag).policy is tag.policy
    assert way(tag.policy) is tag.policy
    assert (
        eval(  # what it shows is what it was written as
            repr(tag)
            .replace("consent_care.recall", "RECALL")
            .replace("consent_offers.weekly", "WEEKLY")
            .replace("consent_offers", "OFFERS")
            .replace("consent_care", "CARE"),
            {**globals(), "datetime": __import__("datetime")},
        )
        == tag
    )


def test_the_json_schema_says_what_needs_consent() -> None:
    described = Patient.model_json_schema()["properties"]["phone"]
    assert described["x-purposes"] == ["consent_care", "consent_offers", "consent_research"]
    assert described["x-purposes-with-consent"] == ["consent_offers", "consent_research"]


# --- Reading ---------------------------------------------------------------------------------------------------------


def test_a_read_needs_the_persons_own_consent(store: Asked) -> None:
    ada, bob = patient(1), patient(2)
    with purpose_scope(OFFERS):
        assert ada.phone == "+46 70 1"
        with pytest.raises(PurposeViolation) as caught:
            bob.phone
    assert caught.value.reason is Reason.NO_CONSENT
    assert caught.value.culprits == (OFFERS,)
    assert caught.value.consent == (OFFERS, RESEARCH)


def test_the_refusal_says_what_to_do_and_not_whose_data_it_is(store: Asked) -> None:
    with purpose_scope(OFFERS), pytest.raises(PurposeViolation) as caught:
        patient(987654).phone
    text = str(caught.value)
    assert "Patient.phone may not be read for consent_offers." in text
    assert "  allowed for  consent_care\n  on consent   consent_offers, consent_research\n" in text
    assert "  because      the data subject does not consent to consent_offers\n" in text
    assert "consenting(subjects, purpose) tells who they are" in text
    assert "987654" not in text
    assert "987654" not in repr(vars(caught.value))
    restored = pickle.loads(pickle.dumps(caught.value))
    assert str(restored) == text


def test_where_the_tag_allows_it_nobody_is_asked(store: Asked) -> None:
    with purpose_scope(CARE):
        assert patient(2).phone == "+46 70 2"
    with purpose_scope(OFFERS):
        assert patient(2).email == "2@example.com"
    assert store.calls == []


def test_outside_a_scope_consent_helps_nobody(store: Asked) -> None:
    with pytest.raises(NoActivePurpose):
        patient(1).phone
    assert store.calls == []


def test_each_active_purpose_needs_consent(store: Asked) -> None:
    asked: list[Purpose] = []

    def consenting(subjects: Sequence[Any], purpose: Purpose) -> Collection[Any]:
        asked.append(purpose)
        return subjects if purpose is OFFERS else []

    store.consenting = consenting  # type: ignore[method-assign]
    with (
        purpose_scope(OFFERS, RESEARCH),
        pytest.raises(PurposeViolation, match="does not consent to consent_offers, con"),
    ):
        patient(1).phone
    assert set(asked) == {OFFERS, RESEARCH}
    store.consenting = lambda subjects, purpose: subjects  # type: ignore[method-assign]
    with purpose_scope(OFFERS, RESEARCH):
        assert patient(1).phone == "+46 70 1"


def test_one_purpose_that_needs_none_and_one_that_does(store: Asked) -> None:
    with purpose_scope(CARE, OFFERS):
        assert patient(1).phone == "+46 70 1"
        with pytest.raises(PurposeViolation, match="does not consent"):
            patient(2).phone


def test_without_a_store_nobody_consents() -> None:
    with purpose_scope(OFFERS), pytest.raises(PurposeViolation, match="no consent store is configured"):
        patient(1).phone


def test_a_person_who_is_not_known_does_not_consent(store: Asked) -> None:
    class Nobody(PurposeModel):
        phone: Annotated[str, AllowedFor(with_consent=[OFFERS])]

    with purpose_scope(OFFERS):
        with pytest.raises(PurposeViolation, match="whose data it is is not known here"):
            Nobody(phone="1").phone
        with pytest.raises(PurposeViolation, match="whose data it is is not known here"):
            Sealed.of("1", AllowedFor(with_consent=[OFFERS])).open()
    assert store.calls == []


def test_what_is_joined_of_two_people_is_nobodys(store: Asked) -> None:
    store.who = {1, 2}
    with purpose_scope(OFFERS):
        boxes = [patient(number).__dict__["phone"] for number in (1, 2)]
        with pytest.raises(PurposeViolation, match="whose data it is is not known here"):
            Sealed.join(lambda one, other: one + other, *boxes).open()


def test_consent_follows_what_is_derived(store: Asked) -> None:
    with purpose_scope(CARE):
        boxes = [patient(number).__dict__["phone"].map(len) for number in (1, 2)]
    with purpose_scope(OFFERS):
        assert boxes[0].open() == 8
        with pytest.raises(PurposeViolation, match="does not consent"):
            boxes[1].open()


@pytest.mark.parametrize(
    "read",
    [
        lambda patient: patient.phone,
        lambda patient: patient.model_dump(),
        lambda patient: patient.model_dump_json(),
        lambda patient: pickle.dumps(patient),
        lambda patient: patient == copy.copy(patient),
        lambda patient: dict(patient),
        lambda patient: patient.__dict__["phone"] == "x",
        lambda patient: hash(patient.__dict__["phone"]),
        lambda patient: f"{patient.__dict__['phone'].open()}",
    ],
)
def test_every_road_asks(read: Any, store: Asked) -> None:
    with purpose_scope(OFFERS):
        read(patient(1))
        with pytest.raises(PurposeViolation) as caught:
            read(patient(2))
    assert caught.value.reason is Reason.NO_CONSENT


def test_an_adapter_asks_too(store: Asked) -> None:
    adapter = TypeAdapter(Patient)
    with purpose_scope(OFFERS):
        assert b"+46 70 1" in adapter.dump_json(patient(1))
        with pytest.raises(PydanticSerializationError) as caught:
            adapter.dump_json(patient(2))
    assert "+46 70 2" not in str(caught.value)


def test_absence_needs_consent_too(store: Asked) -> None:
    class Maybe(PurposeModel):
        id: Annotated[int, SubjectId]
        phone: Annotated[str | None, AllowedFor(with_consent=[OFFERS])] = None

    with purpose_scope(OFFERS):
        assert Maybe(id=1).phone is None
        with pytest.raises(PurposeViolation, match="does not consent"):
            Maybe(id=2).phone


def test_a_tagged_subject_is_asked_about_by_its_value(store: Asked) -> None:
    class Secret(PurposeModel):
        id: Annotated[str, SubjectId, AllowedFor(CARE)]
        phone: Annotated[str, AllowedFor(with_consent=[OFFERS])]

    store.who = {"ada"}
    with purpose_scope(OFFERS, subjects=["ada", "bob"]):
        assert Secret(id="ada", phone="1").phone == "1"
        with pytest.raises(PurposeViolation, match="does not consent"):
            Secret(id="bob", phone="2").phone


def test_a_part_of_a_record_is_the_same_persons(store: Asked) -> None:
    class Contact(PurposeModel):
        phone: Annotated[str, AllowedFor(with_consent=[OFFERS])]

    class Owner(PurposeModel):
        id: Annotated[int, SubjectId]
        contact: Contact

    with purpose_scope(OFFERS):
        assert Owner(id=1, contact=Contact(phone="1")).contact.phone == "1"
        with pytest.raises(PurposeViolation, match="does not consent"):
            Owner(id=2, contact=Contact(phone="2")).contact.phone


def test_a_gate_and_a_statement_are_nobodys(store: Asked) -> None:
    policy = AllowedFor(CARE, with_consent=[OFFERS]).policy
    with purpose_scope(OFFERS), pytest.raises(PurposeViolation, match="whose data it is is not known here"):
        use([Use("Patient.phone", policy, "WHERE of a SQL statement")])
    with purpose_scope(CARE):
        use([Use("Patient.phone", policy, "WHERE of a SQL statement")])

    @requires_purpose(OFFERS)
    def rows() -> int:
        return 1

    with purpose_scope(OFFERS):
        assert rows() == 1


def test_a_subject_that_cannot_be_looked_up_does_not_consent(store: Asked) -> None:
    class Odd(PurposeModel):
        id: Annotated[list[int], SubjectId]
        phone: Annotated[str, AllowedFor(with_consent=[OFFERS])]

    with purpose_scope(OFFERS), pytest.raises(PurposeViolation, match="a list as SubjectId cannot be looked up"):
        Odd(id=[1], phone="1").phone


# --- Modes, hooks, emergencies ---------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_observe_mode_lets_it_through_and_tells(store: Asked) -> None:
    told: list[Any] = []
    with configure(mode="observe", on_violation=told.append), purpose_scope(OFFERS):
        assert patient(2).phone == "+46 70 2"
        assert patient(1).phone == "+46 70 1"
    assert [(denial.reason, denial.subject) for denial in told] == [(Reason.NO_CONSENT, 2)]


def test_hooks_are_told_of_each_read(store: Asked) -> None:
    ada, reads = patient(1), []
    with configure(on_read=lambda read: reads.append(read.subject)), purpose_scope(OFFERS, subjects=[1]):
        assert ada.phone
        assert ada.phone
    assert reads == [1, 1]
    with purpose_scope(OFFERS, subjects=[1]):
        assert ada.phone
        assert ada.phone
        with configure(on_read=lambda read: reads.append(read.subject)):
            assert ada.phone
    assert reads == [1, 1, 1]


def test_a_ledger_records_each_read_of_those_who_consent_alone(store: Asked, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    people = [patient(number) for number in (1, 2, 1, 2)]
    refused = 0
    with configure(ledger=ledger), purpose_scope(OFFERS, subjects=[1, 2]):
        for one in people:
            for _ in range(2):
                try:
                    one.phone
                except PurposeViolation:
                    refused += 1
    assert refused == 4
    ledger.close()
    with Ledger(tmp_path / "ledger") as again:
        assert again.affected(field="Patient.phone", decision="allowed").people == 1
        assert again.affected(field="Patient.phone", decision="denied").people == 1
        assert {cell.decision: cell.reads for cell in again.matrix()} == {"allowed": 4, "denied": 4}


def test_an_emergency_asks_nobody(store: Asked, tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger") as ledger, configure(ledger=ledger), purpose_scope(OFFERS):
        with break_glass("INC-1", by="Grace"):
            assert patient(2).phone == "+46 70 2"
        assert store.calls == []  # which may be what is down
        with pytest.raises(PurposeViolation, match="does not consent"):
            patient(2).phone


def test_a_cached_property_needs_the_consent_of_what_it_read(store: Asked) -> None:
    from functools import cached_property

    class Derived(Patient):
        @cached_property
        def digits(self) -> int:
            return len(self.phone)

    ada, bob = Derived(id=1, phone="123", email=""), Derived(id=2, phone="456", email="")
    with purpose_scope(CARE):
        assert (ada.digits, bob.digits) == (3, 3)
    with purpose_scope(OFFERS, subjects=[1, 2]):
        assert ada.phone
        assert ada.digits == 3
        with pytest.raises(PurposeViolation, match="does not consent"):
            bob.digits


# --- Batches ---------------------------------------------------------------------------------------------------------


def test_a_loop_over_many_asks_once(store: Asked) -> None:
    people = [patient(number) for number in range(1000)]
    store.who = set(range(0, 1000, 2))
    read = 0
    with purpose_scope(OFFERS, subjects=range(1000)):
        for one in people:
            try:
                one.phone
                read += 1
            except PurposeViolation:
                pass
    assert read == 500
    assert [len(subjects) for subjects, _ in store.calls] == [1000]


def test_a_block_in_which_nothing_is_read_asks_nothing(store: Asked) -> None:
    with purpose_scope(OFFERS, subjects=range(1000)):
        pass
    assert store.calls == []


def test_without_a_batch_a_person_is_asked_about_once_in_a_block(store: Asked) -> None:
    ada = patient(1)
    with purpose_scope(OFFERS):
        assert ada.phone
        assert ada.phone
    with purpose_scope(OFFERS):
        assert ada.phone
    assert store.calls == [([1], OFFERS), ([1], OFFERS)]


def test_somebody_who_is_not_in_the_batch_is_asked_about_alone(store: Asked) -> None:
    store.who = {1, 2, 3}
    with purpose_scope(OFFERS, subjects=[1, 2]):
        assert patient(1).phone
        assert patient(3).phone
        assert patient(3).phone
        with pytest.raises(PurposeViolation, match="does not consent"):
            patient(4).phone
    assert [subjects for subjects, _ in store.calls] == [[1, 2], [3], [4]]


def test_a_function_that_states_its_purpose_uses_the_batch_around_it(store: Asked) -> None:
    store.who = {1, 2}

    @purpose_scope(OFFERS)
    def send(to: Patient) -> str:
        return to.phone

    with purpose_scope(OFFERS, subjects=[1, 2]):
        assert [send(patient(number)) for number in (1, 2)] == ["+46 70 1", "+46 70 2"]
    assert [subjects for subjects, _ in store.calls] == [[1, 2]]


def test_a_narrower_purpose_inside_asks_anew(store: Asked) -> None:
    store.who = {1, 2}
    with purpose_scope(OFFERS, subjects=[1, 2]):
        assert patient(1).phone
        with purpose_scope(WEEKLY):
            assert patient(1).phone
            assert patient(2).phone
    assert store.calls == [([1, 2], OFFERS), ([1, 2], WEEKLY)]


def test_what_is_known_under_fewer_purposes_is_not_relied_on_under_more(store: Asked) -> None:
    store.consenting = lambda subjects, purpose: subjects if purpose is OFFERS else []  # type: ignore[method-assign]
    ada = patient(1)
    with purpose_scope(OFFERS, subjects=[1]):
        assert ada.phone
        with purpose_scope(RESEARCH), pytest.raises(PurposeViolation, match="does not consent to"):
            ada.phone
        assert ada.phone


def test_a_batch_is_no_text_and_no_decorator() -> None:
    with pytest.raises(TypeError, match="takes the values of SubjectId fields, such as"):
        purpose_scope(OFFERS, subjects="ada")
    with pytest.raises(PolicyError, match=r"subjects=\) is for a with block"):
        purpose_scope(OFFERS, subjects=[1])(lambda: None)


def test_a_scope_with_a_batch_may_be_used_again(store: Asked) -> None:
    scope = purpose_scope(OFFERS, subjects=iter([1, 1, 2]))
    for _ in range(2):
        with scope:
            assert patient(1).phone
    assert [subjects for subjects, _ in store.calls] == [[1, 2], [1, 2]]


def test_a_batch_of_a_dead_block_grants_nothing(store: Asked) -> None:
    ada = patient(1)

    async def main() -> None:
        over = asyncio.Event()

        async def outlives() -> str:
            await over.wait()
            return ada.phone

        with purpose_scope(OFFERS, subjects=[1]):
            assert ada.phone
            task = asyncio.create_task(outlives())
            await asyncio.sleep(0)
        over.set()
        with pytest.raises(NoActivePurpose):
            await task

    asyncio.run(main())


def test_async_with_asks_before_it_enters_and_in_a_thread(store: Asked) -> None:
    threads: list[int] = []

    def consenting(subjects: Sequence[Any], purpose: Purpose) -> Collection[Any]:
        threads.append(threading.get_ident())
        return subjects

    store.consenting = consenting  # type: ignore[method-assign]

    async def main() -> None:
        async with purpose_scope(OFFERS, subjects=[1, 2]):
            assert len(threads) == 1
            assert patient(1).phone
            assert patient(2).phone
        assert active_purposes() == frozenset()

    asyncio.run(main())
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


def test_async_with_that_is_cancelled_while_it_asks_leaves_no_scope_open(store: Asked) -> None:
    going, done = threading.Event(), threading.Event()

    def consenting(subjects: Sequence[Any], purpose: Purpose) -> Collection[Any]:
        going.set()
        done.wait(10)
        return subjects

    store.consenting = consenting  # type: ignore[method-assign]

    async def main() -> None:
        async def enters() -> None:
            async with purpose_scope(OFFERS, subjects=[1]):
                raise AssertionError

        task = asyncio.create_task(enters())
        await asyncio.to_thread(going.wait, 10)
        task.cancel()
        done.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert active_purposes() == frozenset()

    asyncio.run(main())


def test_a_thread_that_carries_the_scope_uses_its_batch(store: Asked) -> None:
    with purpose_scope(OFFERS, subjects=[1, 2]):
        assert patient(1).phone
        found: list[str] = []
        thread = threading.Thread(target=carry(lambda: found.append(patient(1).phone)))
        thread.start()
        thread.join()
    assert found == ["+46 70 1"]
    assert len(store.calls) == 1


# --- Withdrawal ------------------------------------------------------------------------------------------------------


def test_a_withdrawal_counts_from_the_next_read_on() -> None:
    consents = InMemoryConsents()
    consents.give(1, OFFERS, wording="1")
    ada = patient(1)
    with configure(consent=consents), purpose_scope(OFFERS, subjects=[1, 2]):
        assert ada.phone
        assert ada.phone
        consents.withdraw(1, OFFERS)
        with pytest.raises(PurposeViolation, match="does not consent"):
            ada.phone
        consents.give(1, OFFERS, wording="1")
        assert ada.phone


def test_a_withdrawal_in_another_thread_counts_too() -> None:
    consents = InMemoryConsents()
    consents.give(1, OFFERS, wording="1")
    ada = patient(1)
    with configure(consent=consents), purpose_scope(OFFERS, subjects=[1]):
        assert ada.phone
        thread = threading.Thread(target=consents.withdraw, args=(1, OFFERS))
        thread.start()
        thread.join()
        with pytest.raises(PurposeViolation, match="does not consent"):
            ada.phone


def test_a_withdrawal_while_the_store_is_asked_is_not_forgotten(store: Asked) -> None:
    ada = patient(1)

    def consenting(subjects: Sequence[Any], purpose: Purpose) -> Collection[Any]:
        answer = [one for one in subjects if one in store.who]
        if store.who:
            store.who.clear()  # withdrawn, after the answer was found and before it arrives
            consent_module.changed()
        return answer

    store.consenting = consenting  # type: ignore[method-assign]
    with purpose_scope(OFFERS, subjects=[1]):
        assert ada.phone  # this read began before
        with pytest.raises(PurposeViolation, match="does not consent"):
            ada.phone


def test_an_answer_is_relied_on_until_it_is_too_old(store: Asked, clock: list[float]) -> None:
    ada = patient(1)
    with configure(consent_max_age=timedelta(seconds=5)), purpose_scope(OFFERS):
        assert ada.phone
        store.who.clear()  # in another process, which cannot tell us
        clock[0] += 4.9
        assert ada.phone
        clock[0] += 0.2
        with pytest.raises(PurposeViolation, match="does not consent"):
            ada.phone
    assert len(store.calls) == 2


def test_the_age_counts_from_before_the_question(store: Asked, clock: list[float]) -> None:
    ada = patient(1)

    def consenting(subjects: Sequence[Any], purpose: Purpose) -> Collection[Any]:
        answer = [one for one in subjects if one in store.who]
        clock[0] += 4  # a slow store
        return answer

    store.consenting = consenting  # type: ignore[method-assign]
    with configure(consent_max_age=timedelta(seconds=5)), purpose_scope(OFFERS):
        assert ada.phone
        store.who.clear()
        clock[0] += 1.1
        with pytest.raises(PurposeViolation, match="does not consent"):
            ada.phone


def test_one_persons_answer_is_no_younger_than_the_batchs(store: Asked, clock: list[float]) -> None:
    store.who = {1, 2}
    with configure(consent_max_age=timedelta(seconds=5)), purpose_scope(OFFERS):
        assert patient(1).phone
        clock[0] += 4
        assert patient(2).phone
        store.who.clear()
        clock[0] += 1
        for number in (1, 2):
            with pytest.raises(PurposeViolation, match="does not consent"):
                patient(number).phone


def test_a_long_loop_asks_about_those_to_come(store: Asked, clock: list[float]) -> None:
    store.who = set(range(5000))
    with purpose_scope(OFFERS, subjects=range(5000)):
        assert patient(0).phone
        clock[0] += 1.5
        assert patient(10).phone
        assert patient(1009).phone
        assert patient(1010).phone
    assert [(len(subjects), subjects[0]) for subjects, _ in store.calls] == [(5000, 0), (1000, 10), (1000, 1010)]


def test_no_age_at_all_asks_at_each_read(store: Asked) -> None:
    ada = patient(1)
    with configure(consent_max_age=timedelta()), purpose_scope(OFFERS, subjects=[1, 2, 3]):
        assert ada.phone
        assert ada.phone
        store.who.clear()
        with pytest.raises(PurposeViolation, match="does not consent"):
            ada.phone
    assert [subjects for subjects, _ in store.calls] == [[1], [1], [1]]


def test_another_store_is_asked_at_once(store: Asked) -> None:
    ada = patient(1)
    with purpose_scope(OFFERS, subjects=[1]):
        assert ada.phone
        with configure(consent=Asked()), pytest.raises(PurposeViolation, match="does not consent"):
            ada.phone
        assert ada.phone


def test_what_may_be_read_without_asking_is_let_go_in_time(store: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """The road that looks at no clock: what it relies on is taken away by then."""
    due: list[tuple[float, Any]] = []
    monkeypatch.setattr(answers_module, "let_go_at", lambda at, what: due.append((at, what)) or True)
    now = [1000.0]
    monkeypatch.setattr(answers_module, "_clock", lambda: now[0])
    ada = patient(1)
    with purpose_scope(OFFERS, subjects=[1]):
        assert ada.phone
        ((at, answers),) = due
        assert at == pytest.approx(1000.5)  # half of the age: how long the switch to the thread takes does not count
        store.who.clear()
        assert ada.phone
        now[0] += 1
        answers.let_go()
        with pytest.raises(PurposeViolation, match="does not consent"):
            ada.phone
    assert len(store.calls) == 2


def test_what_is_due_is_let_go() -> None:
    gone = threading.Event()

    class Held:
        def let_go(self) -> None:
            gone.set()

    import time

    held = Held()
    assert let_go_at(time.monotonic() + 0.06, held)
    assert gone.wait(30)


def test_what_nobody_holds_is_not_kept_to_be_let_go() -> None:
    import time
    import weakref

    class Held:
        def let_go(self) -> None: ...

    held = Held()
    assert let_go_at(time.monotonic() + 1000, held)
    reference = weakref.ref(held)
    del held
    gc.collect()
    assert reference() is None


def test_what_is_due_soon_is_not_worth_it() -> None:
    import time

    assert not let_go_at(time.monotonic() + 0.01, object())  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_asks_for_itself(store: Asked) -> None:
    ada = patient(1)
    context = multiprocessing.get_context("fork")
    answer = context.SimpleQueue()

    def child() -> None:
        store.who.clear()
        try:
            ada.phone
            answer.put("read")
        except PurposeViolation as violation:
            answer.put(violation.reason.value)

    with purpose_scope(OFFERS, subjects=[1]):
        assert ada.phone
        process = context.Process(target=child)
        process.start()
        assert answer.get() == "no consent"
        process.join()


# --- Stores that fail ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TimeoutError("no answer for ada@example.com"), "TimeoutError"),
        (ConnectionRefusedError(111, "ada@example.com refused"), "ConnectionRefusedError, Connection refused"),
        (ValueError("ada@example.com"), "ValueError"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_a_store_that_fails_denies(store: Asked, error: Exception, told: str) -> None:
    store.error = error
    with purpose_scope(OFFERS), pytest.raises(PurposeViolation) as caught:
        patient(1).phone
    assert caught.value.reason is Reason.NO_CONSENT
    assert caught.value.detail == f"the consent store failed: {told}"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_failing_store_is_not_asked_for_each_of_a_batch(store: Asked, clock: list[float]) -> None:
    store.error = TimeoutError()
    with purpose_scope(OFFERS, subjects=range(100)):
        for number in range(100):
            with pytest.raises(PurposeViolation, match="the consent store failed"):
                patient(number).phone
        assert len(store.calls) == 1
        store.error = None
        clock[0] += 1
        assert patient(1).phone
    assert len(store.calls) == 2


def test_a_failing_store_leaves_alone_what_needs_no_consent(store: Asked) -> None:
    store.error = TimeoutError()
    with purpose_scope(CARE, subjects=[1]):
        assert patient(1).phone


@pytest.mark.parametrize("answer", [None, 5, True])
def test_an_answer_that_is_none_denies(store: Asked, answer: Any) -> None:
    store.consenting = lambda subjects, purpose: answer  # type: ignore[method-assign]
    with purpose_scope(OFFERS), pytest.raises(PurposeViolation, match="the consent store failed: TypeError"):
        patient(1).phone


def test_people_nobody_asked_about_are_not_taken_from_an_answer(store: Asked) -> None:
    store.consenting = lambda subjects, purpose: [1, 2, 3]  # type: ignore[method-assign]
    with purpose_scope(OFFERS, subjects=[1]):
        assert patient(1).phone
        store.consenting = lambda subjects, purpose: []  # type: ignore[method-assign]
        with pytest.raises(PurposeViolation, match="does not consent"):
            patient(2).phone


def test_an_interrupt_is_no_failure(store: Asked) -> None:
    store.error = KeyboardInterrupt()
    with purpose_scope(OFFERS), pytest.raises(KeyboardInterrupt):
        patient(1).phone


@pytest.mark.parametrize("wrong", ["a store", 5, [1]])
def test_only_a_store_is_configured(wrong: Any) -> None:
    with pytest.raises(TypeError, match="consent= takes a ConsentStore, which has consenting"):
        configure(consent=wrong)


def test_an_age_is_a_time() -> None:
    with pytest.raises(TypeError, match="consent_max_age= takes a timedelta, not int"):
        configure(consent_max_age=5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="less than no time"):
        configure(consent_max_age=timedelta(seconds=-1))


# --- What people said ------------------------------------------------------------------------------------------------


def said(*choices: tuple[Purpose, bool]) -> dict[str, Choice]:
    now = datetime.now(timezone.utc)
    return {p.name: Choice(p.name, given, now, number=number) for number, (p, given) in enumerate(choices)}


@pytest.mark.parametrize(
    ("choices", "weekly", "offers"),
    [
        ([], False, False),
        ([(OFFERS, True)], True, True),
        ([(WEEKLY, True)], True, False),
        ([(OFFERS, True), (WEEKLY, False)], False, True),
        ([(WEEKLY, True), (OFFERS, False)], False, False),
        ([(OFFERS, False), (WEEKLY, True)], True, False),
        ([(WEEKLY, False), (OFFERS, True)], False, True),
        ([(RESEARCH, True)], False, False),
    ],
)
def test_the_last_word_counts(choices: list[tuple[Purpose, bool]], weekly: bool, offers: bool) -> None:
    assert in_force(said(*choices), WEEKLY) is weekly
    assert in_force(said(*choices), OFFERS) is offers


def test_the_memory_keeps_a_history() -> None:
    consents = InMemoryConsents()
    before = datetime.now(timezone.utc)
    consents.give("ada", OFFERS, wording="2026-03")
    consents.withdraw("ada", OFFERS)
    consents.give("ada", OFFERS, wording="2026-05")
    history = consents.history("ada")
    assert [(c.purpose, c.given, c.wording) for c in history] == [
        ("consent_offers", True, "2026-03"),
        ("consent_offers", False, ""),
        ("consent_offers", True, "2026-05"),
    ]
    assert before <= history[0].at <= history[1].at <= history[2].at <= datetime.now(timezone.utc)
    assert history[0].number < history[1].number < history[2].number
    assert consents.history("bob") == []
    assert consents.consenting(["ada", "bob", uuid.uuid4()], OFFERS) == {"ada"}


# --- Whose consent ---------------------------------------------------------------------------------------------------


def test_consent_for_anothers_data_is_nobodys_to_give(store: Asked) -> None:
    """Moved into Ada's record, Bob's phone would open with her consent."""
    bob = patient(2).__dict__["phone"]
    ada = patient(1)
    moved = [Patient(id=1, phone=bob, email="e"), Patient.model_validate({"id": 1, "phone": bob, "email": "e"})]
    ada.phone = bob
    with purpose_scope(OFFERS):
        for one in (*moved, ada):
            with pytest.raises(PurposeViolation, match="whose data it is is not known here"):
                one.phone
    with purpose_scope(CARE):
        assert [one.phone for one in (*moved, ada)] == ["+46 70 2"] * 3
    again = Patient(id=2, phone=bob, email="e")
    store.who.add(2)
    with purpose_scope(OFFERS):
        assert again.phone == "+46 70 2"


def test_what_was_joined_of_two_people_stays_nobodys_in_a_record(store: Asked) -> None:
    store.who = {1, 2}
    with purpose_scope(CARE):
        both = Sealed.join(lambda one, other: one + other, *(patient(n).__dict__["phone"] for n in (1, 2)))
    with purpose_scope(OFFERS), pytest.raises(PurposeViolation, match="whose data it is is not known here"):
        Patient(id=1, phone=both, email="e").phone


def test_a_cached_property_of_anothers_record_needs_the_others_consent(store: Asked) -> None:
    from functools import cached_property

    class Friend(Patient):
        _friend: Any = None

        @cached_property
        def friends_phone(self) -> str:
            return str(self._friend.phone)

    ada = Friend(id=1, phone="1", email="e")
    ada._friend = patient(2)
    with purpose_scope(CARE):
        assert ada.friends_phone == "+46 70 2"
    with purpose_scope(OFFERS), pytest.raises(PurposeViolation, match="does not consent"):
        ada.friends_phone


def test_a_revalidated_part_keeps_its_person(store: Asked) -> None:
    class Part(PurposeModel):
        model_config = ConfigDict(revalidate_instances="always", validate_assignment=True)

        phone: Annotated[str, AllowedFor(with_consent=[OFFERS])]
        note: str = ""

    class Owner(PurposeModel):
        id: Annotated[int, SubjectId]
        part: Part

    owner, bobs = Owner(id=1, part=Part(phone="1")), Owner(id=2, part=Part(phone="2"))
    owner.part.note = "x"
    stolen = Owner(id=1, part=bobs.part)
    with purpose_scope(OFFERS):
        assert owner.part.phone == "1"
        with pytest.raises(PurposeViolation) as caught:
            stolen.part.phone
    assert caught.value.reason is Reason.NO_CONSENT


def test_nobody_in_a_batch_is_not_somebody(store: Asked) -> None:
    """A store of those who opted out says yes for whoever it does not know."""

    class Nobody(PurposeModel):
        phone: Annotated[str, AllowedFor(with_consent=[OFFERS])]

    store.consenting = lambda subjects, purpose: subjects  # type: ignore[method-assign]
    with purpose_scope(OFFERS, subjects=[None, 1]):
        assert Patient(id=1, phone="1", email="e").phone
        with pytest.raises(PurposeViolation, match="whose data it is is not known here"):
            Nobody(phone="1").phone


@pytest.mark.parametrize("answer", [{1: False, 2: True}, [False, True], "12"])
def test_an_answer_of_another_shape_denies(store: Asked, answer: Any) -> None:
    store.consenting = lambda subjects, purpose: answer  # type: ignore[method-assign]
    with purpose_scope(OFFERS), pytest.raises(PurposeViolation, match="the consent store answered with"):
        patient(1).phone


def test_a_slow_answer_does_not_outlive_a_newer_one(store: Asked, clock: list[float]) -> None:
    ada, asking = patient(1), threading.Event()
    answered = threading.Event()

    def consenting(subjects: Sequence[Any], purpose: Purpose) -> Collection[Any]:
        if threading.current_thread() is not threading.main_thread():
            asking.set()
            answered.wait(10)
            return subjects  # what was true when it was asked
        return []

    store.consenting = consenting  # type: ignore[method-assign]
    with purpose_scope(OFFERS, subjects=[1]):
        slow = threading.Thread(target=carry(lambda: ada.phone))
        slow.start()
        assert asking.wait(10)
        clock[0] += 2
        with pytest.raises(PurposeViolation, match="does not consent"):
            ada.phone
        answered.set()
        slow.join()
        with pytest.raises(PurposeViolation, match="does not consent"):
            ada.phone


def test_an_age_without_end_does_not_stop_what_lets_go() -> None:
    consents = InMemoryConsents()
    consents.give(1, OFFERS, wording="1")
    with configure(consent=consents, consent_max_age=timedelta.max), purpose_scope(OFFERS, subjects=[1]):
        assert patient(1).phone
    test_what_is_due_is_let_go()
