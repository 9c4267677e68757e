"""How long a value may be read: from the time of its collection on, and not a moment longer."""

from __future__ import annotations

import contextvars
import copy
import pickle
from datetime import date, datetime, timedelta, timezone
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter

from purposebind import (
    AllowedFor,
    CollectedAt,
    NoActivePurpose,
    PolicyError,
    Purpose,
    PurposeModel,
    PurposeViolation,
    Sealed,
    SubjectId,
    configure,
    purpose_scope,
)
from purposebind import conditions as conditions_module
from purposebind import guards as guards_module
from purposebind import sealed as sealed_module
from purposebind.consent import InMemoryConsents
from purposebind.errors import Reason
from purposebind.policy import Policy, duration
from purposebind.using import Use, use

REPAIR = Purpose("retention_repair", "Mend what was sent in")
OFFERS = Purpose("retention_offers", "Write about offers")
DAYS = timedelta(days=90)
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Order(PurposeModel):
    id: Annotated[int, SubjectId] = 1
    phone: Annotated[str | None, AllowedFor(REPAIR, retain=DAYS)]
    email: Annotated[str, AllowedFor(REPAIR)] = "e"
    collected_at: Annotated[datetime, CollectedAt] = START


class Rechecked(Order):
    model_config = ConfigDict(revalidate_instances="always")


class Now:
    """The time that retention is measured by."""

    def __init__(self) -> None:
        self.at = START

    def time(self) -> float:
        return self.at.timestamp()


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> Now:
    clock = Now()
    monkeypatch.setattr(conditions_module, "time", clock)
    monkeypatch.setattr(sealed_module, "time", clock)
    monkeypatch.setattr(guards_module, "now", clock.time)
    return clock


def test_it_may_be_read_until_then(now: Now) -> None:
    order = Order(phone="1")
    with purpose_scope(REPAIR):
        now.at = START + DAYS - timedelta(seconds=1)
        assert order.phone == "1"
        now.at = START + DAYS
        with pytest.raises(PurposeViolation) as caught:
            order.phone
        assert order.email == "e"
    assert caught.value.reason is Reason.RETENTION_OVER
    text = str(caught.value)
    assert "because      it was retained for 90 days from its collection, which are over" in text
    assert "erase what is kept for too long" in text


@pytest.mark.parametrize(
    "read",
    [
        lambda order: order.phone,
        lambda order: order.model_dump(),
        lambda order: order.model_dump_json(),
        lambda order: pickle.dumps(order),
        lambda order: order == copy.copy(order),
        lambda order: dict(order),
        lambda order: order.__dict__["phone"].open(),
        lambda order: order.__dict__["phone"].map(len),
    ],
)
def test_every_road_asks(read: Any, now: Now) -> None:
    order = Order(phone="1")
    with purpose_scope(REPAIR):
        read(order)
        now.at = START + DAYS
        with pytest.raises(PurposeViolation, match="which are over"):
            read(order)


@pytest.mark.parametrize(
    ("collected", "last"),
    [
        (START, START + DAYS),
        (START.replace(tzinfo=None), START + DAYS),
        (START.astimezone(timezone(timedelta(hours=5))), START + DAYS),
        (datetime(1, 1, 1), datetime(1, 1, 1, tzinfo=timezone.utc) + DAYS),
    ],
)
def test_times_of_each_kind(collected: datetime, last: datetime, now: Now) -> None:
    order = Order(phone="1", collected_at=collected)
    with purpose_scope(REPAIR):
        now.at = last - timedelta(seconds=1)
        assert order.phone == "1"
        now.at = last
        with pytest.raises(PurposeViolation, match="which are over"):
            order.phone


def test_a_date_counts_from_its_beginning(now: Now) -> None:
    class Dated(PurposeModel):
        phone: Annotated[str, AllowedFor(REPAIR, retain=timedelta(days=1))]
        on: Annotated[date, CollectedAt]

    dated = Dated(phone="1", on=START.date())
    with purpose_scope(REPAIR):
        now.at = START + timedelta(hours=23)
        assert dated.phone == "1"
        now.at = START + timedelta(hours=24)
        with pytest.raises(PurposeViolation, match="retained for 1 day from"):
            dated.phone


@pytest.mark.parametrize("unknown", [None, "2026-01-01", 0])
def test_a_time_that_is_not_known_is_no_time(unknown: object) -> None:
    class Loose(PurposeModel):
        phone: Annotated[str, AllowedFor(REPAIR, retain=DAYS)]
        at: Annotated[Any, CollectedAt] = None

    with purpose_scope(REPAIR):
        with pytest.raises(PurposeViolation, match="when it was collected is not known here"):
            Loose(phone="1", at=unknown).phone
        with pytest.raises(PurposeViolation, match="when it was collected is not known here"):
            Loose.model_construct(phone="1").phone


def test_a_latest_time_of_all(now: Now) -> None:
    order = Order(phone="1", collected_at=datetime.max.replace(tzinfo=timezone.utc))
    with purpose_scope(REPAIR):
        assert order.phone == "1"


def test_absence_is_retained_no_longer(now: Now) -> None:
    order = Order(phone=None)
    with purpose_scope(REPAIR):
        assert order.phone is None
        now.at = START + DAYS
        with pytest.raises(PurposeViolation, match="which are over"):
            order.phone


def test_a_new_time_counts_from_the_next_read_on(now: Now) -> None:
    order = Order(phone="1")
    shared = copy.copy(order)
    now.at = START + DAYS
    order.collected_at = now.at
    with purpose_scope(REPAIR):
        assert order.phone == "1"
        with pytest.raises(PurposeViolation, match="which are over"):
            shared.phone  # the other record's time is as it was
        assert shared.model_copy(update={"collected_at": now.at}).phone == "1"
        order.collected_at = START
        with pytest.raises(PurposeViolation, match="which are over"):
            order.phone


def test_a_new_time_counts_where_assignment_is_validated(now: Now) -> None:
    class Checked(Order):
        model_config = ConfigDict(validate_assignment=True)

    order = Checked(phone="1")
    now.at = START + DAYS
    with purpose_scope(REPAIR):
        order.email = "other"
        with pytest.raises(PurposeViolation, match="which are over"):
            order.phone
        order.collected_at = now.at
        assert order.phone == "1"


def test_a_new_value_is_as_old_as_the_record(now: Now) -> None:
    order = Order(phone="1")
    now.at = START + DAYS
    order.phone = "2"
    with purpose_scope(REPAIR), pytest.raises(PurposeViolation, match="which are over"):
        order.phone


@pytest.mark.parametrize(
    "way",
    [
        copy.copy,
        copy.deepcopy,
        lambda order: order.model_copy(),
        lambda order: pickle.loads(pickle.dumps(order)),
        lambda order: Order.model_validate(order.__dict__),
        lambda order: Order(phone=order.__dict__["phone"], collected_at=START + DAYS),
        lambda order: Rechecked.model_validate(Rechecked(phone=order.__dict__["phone"])),
    ],
)
def test_it_goes_wherever_the_value_goes(way: Any, now: Now) -> None:
    with purpose_scope(REPAIR):
        gone = way(Order(phone="1"))
        assert gone.phone == "1"
        now.at = START + DAYS
        with pytest.raises(PurposeViolation, match="which are over"):
            gone.phone


def test_what_is_derived_is_retained_as_long_as_the_first_that_goes(now: Now) -> None:
    class Short(PurposeModel):
        id: Annotated[int, SubjectId] = 1
        phone: Annotated[str, AllowedFor(REPAIR, retain=timedelta(days=30))]
        at: Annotated[datetime, CollectedAt]

    short = Short(phone="2", at=START + timedelta(days=50))  # until day 80
    with purpose_scope(REPAIR):
        now.at = START + timedelta(days=50)
        joined = Sealed.join(lambda a, b: a + b, Order(phone="1").__dict__["phone"], short.__dict__["phone"])
        now.at = START + timedelta(days=79)
        assert joined.open() == "12"
        now.at = START + timedelta(days=80)
        with pytest.raises(PurposeViolation, match="which are over"):
            joined.open()


def test_a_box_in_a_field_that_retains_shorter_goes_sooner(now: Now) -> None:
    class Short(PurposeModel):
        phone: Annotated[str, AllowedFor(REPAIR, retain=timedelta(days=30))]
        at: Annotated[datetime, CollectedAt]

    moved = Short(phone=Order(phone="1").__dict__["phone"], at=START)
    with purpose_scope(REPAIR):
        now.at = START + timedelta(days=30)
        with pytest.raises(PurposeViolation, match="which are over"):
            moved.phone


def test_a_box_made_by_hand_is_collected_when_it_is_made(now: Now) -> None:
    box = Sealed.of("1", AllowedFor(REPAIR, retain=DAYS))
    with purpose_scope(REPAIR):
        now.at = START + DAYS - timedelta(seconds=1)
        assert box.open() == "1"
        now.at = START + DAYS
        with pytest.raises(PurposeViolation, match="which are over"):
            copy.deepcopy(box).open()


def test_with_consent_both_count(now: Now) -> None:
    class Both(PurposeModel):
        id: Annotated[int, SubjectId] = 1
        phone: Annotated[str, AllowedFor(with_consent=[OFFERS], retain=DAYS)]
        at: Annotated[datetime, CollectedAt] = START

    consents = InMemoryConsents()
    consents.give(1, OFFERS, wording="1")
    both = Both(phone="1")
    with configure(consent=consents), purpose_scope(OFFERS, subjects=[1]):
        assert both.phone == "1"
        assert both.phone == "1"
        now.at = START + DAYS
        with pytest.raises(PurposeViolation, match="which are over"):
            both.phone
        now.at = START
        consents.withdraw(1, OFFERS)
        with pytest.raises(PurposeViolation, match="does not consent"):
            both.phone


def test_a_read_that_was_let_through_before_is_still_told_of(now: Now) -> None:
    """The road without a question is for those whom nobody watches, in a block that is open."""
    order, told = Order(phone="1"), []
    with purpose_scope(REPAIR):
        assert order.phone == order.phone == "1"
        with configure(on_read=lambda read: told.append(read.field)):
            assert order.phone == order.phone == "1"
        context = contextvars.copy_context()
    assert told == ["Order.phone"] * 2
    with pytest.raises(NoActivePurpose):
        context.run(lambda: order.phone)
    with purpose_scope(OFFERS), pytest.raises(PurposeViolation, match="not covered"):
        order.phone


def test_a_statement_cannot_ask() -> None:
    policy = AllowedFor(REPAIR, retain=DAYS).policy
    with purpose_scope(REPAIR), pytest.raises(PurposeViolation, match="when it was collected is not known here"):
        use([Use("Order.phone", policy, "WHERE of a SQL statement")])


# --- Declaring -------------------------------------------------------------------------------------------------------


def test_a_retention_that_nothing_begins_is_refused() -> None:
    with pytest.raises(PolicyError, match="phone is retained from its collection on, and the model does not say when"):

        class Timeless(PurposeModel):
            phone: Annotated[str, AllowedFor(REPAIR, retain=DAYS)]


def test_a_model_says_once_when_it_was_collected() -> None:
    with pytest.raises(PolicyError, match="has two CollectedAt fields, one and two: keep the one that says when"):

        class Twice(PurposeModel):
            phone: Annotated[str, AllowedFor(REPAIR, retain=DAYS)]
            one: Annotated[datetime, CollectedAt]
            two: Annotated[datetime, CollectedAt]


def test_the_time_itself_has_no_tag() -> None:
    with pytest.raises(PolicyError, match="says when the record was collected, and whatever reads the others asks for"):

        class Tagged(PurposeModel):
            phone: Annotated[str, AllowedFor(REPAIR, retain=DAYS)]
            at: Annotated[datetime, CollectedAt, AllowedFor(REPAIR)]


def test_a_box_in_an_annotation_cannot_be_retained() -> None:
    with pytest.raises(PolicyError, match="retain= on a Sealed in an annotation would begin anew at each validation"):
        TypeAdapter(Annotated[Sealed[str], AllowedFor(REPAIR, retain=DAYS)])
    with pytest.raises(PolicyError, match="retain= on a Sealed in an annotation"):

        class Boxed(BaseModel):
            phone: Annotated[Sealed[str], AllowedFor(REPAIR, retain=DAYS)]


@pytest.mark.parametrize("retain", [timedelta(), timedelta(days=-1)])
def test_no_time_at_all_is_refused(retain: timedelta) -> None:
    with pytest.raises(PolicyError, match="retain= is no time at all"):
        AllowedFor(REPAIR, retain=retain)


def test_a_time_is_a_timedelta() -> None:
    with pytest.raises(TypeError, match=r"retain= takes a timedelta, such as timedelta\(days=90\), not int"):
        AllowedFor(REPAIR, retain=90)  # type: ignore[arg-type]


def test_a_subclass_may_shorten_and_not_lengthen() -> None:
    class Shorter(Order):
        phone: Annotated[str | None, AllowedFor(REPAIR, retain=timedelta(days=1))]

    class Silent(Order):
        phone: Annotated[str | None, AllowedFor(REPAIR)]

    policies = [kind(phone="1").__dict__["phone"].policy for kind in (Shorter, Silent)]
    assert [policy.retain for policy in policies] == [timedelta(days=1), DAYS]
    with pytest.raises(
        PolicyError, match=r"phone widens the tag it inherits: for 91 days \(was retention_repair, for 90"
    ):

        class Longer(Order):
            phone: Annotated[str | None, AllowedFor(REPAIR, retain=timedelta(days=91))]


def test_the_shorter_time_counts_for_both() -> None:
    long, short = (AllowedFor(REPAIR, retain=timedelta(days=days)).policy for days in (90, 30))
    assert long.join(short) is short
    assert long.join(AllowedFor(REPAIR).policy) is long
    assert long.allows_more_than(short)
    assert AllowedFor(REPAIR).policy.allows_more_than(short)
    assert not short.allows_more_than(long)
    assert not short.allows_more_than(AllowedFor(REPAIR).policy)
    assert long is Policy([REPAIR], retain=DAYS)
    assert duration(timedelta(days=2, hours=3)) == "2 days, 3:00:00"


def test_representations_say_it() -> None:
    order = Order(phone="1")
    assert "phone=<sealed: retention_repair, for 90 days>" in repr(order)
    assert repr(AllowedFor(REPAIR, retain=DAYS)) == "AllowedFor(retention_repair, retain=datetime.timedelta(days=90))"
    assert Order.model_json_schema()["properties"]["phone"]["x-retained-for-seconds"] == 90 * 24 * 3600
