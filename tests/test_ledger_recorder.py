"""What the recorder writes of what happens: activities, reads and denials, each once, and no personal data.

How it is kept when a process is killed or forked, and when the disk fails, is in test_ledger_kills, test_ledger_forks
and test_ledger_faults; whose data nested models hold, in test_ledger_people.
"""

from __future__ import annotations

import asyncio
import contextvars
import copy
import gc
import json
import pickle
import signal
import threading
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import pytest
from ledger_rows import KEY, Rows, rows
from purposes import ADVERTISING, RECOVERY, SECURITY, TWO_FACTOR
from pydantic import ConfigDict, TypeAdapter, computed_field, field_serializer
from read_paths.boxes import BOX_READS, BOXES
from read_paths.elsewhere import WRAPPED
from read_paths.facts import READ_FACTS
from read_paths.moves import MOVES
from read_paths.reads import READS
from read_paths.representations import REPRESENTATIONS
from read_paths.subjects import ORIGINS

from purposebind import (
    AllowedFor,
    Purpose,
    PurposeModel,
    PurposeViolation,
    Sealed,
    SubjectId,
    carry,
    configure,
    purpose_scope,
    requires_purpose,
)
from purposebind.ledger.folder import Folder
from purposebind.ledger.key import Key
from purposebind.ledger.people import _AT_MOST, People
from purposebind.ledger.recorder import Recorder

HANDED = Purpose("parcel_handling", "Sort parcels")
_ = HANDED.may_hand_over_to(SECURITY, reason="A parcel was opened")


class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(SECURITY)] = "+1"
    mail: Annotated[str, AllowedFor(SECURITY)] = "a@b"
    codes: Annotated[tuple[str, ...], AllowedFor(SECURITY)] = ()

    @cached_property
    def card(self) -> str:
        return f"{self.phone} {self.mail}"


class Nobody(PurposeModel):
    phone: Annotated[str, AllowedFor(SECURITY)] = "+2"


class Recorded:
    """A recorder into a folder of its own; what `configure` takes for ``ledger=``."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.made = Recorder(Folder(folder), KEY, **{"segment_bytes": 1 << 20, "interval": 3600, **options})

    def recorder(self) -> Recorder:
        return self.made

    def rows(self) -> Rows:
        found = rows(self.folder)
        assert found.damage == []
        return found


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Recorded]:
    recorded = Recorded(tmp_path / "ledger")
    with configure(ledger=recorded):
        yield recorded
    recorded.made.close()


# --- Activities -------------------------------------------------------------------------------------------------------


def test_an_activity_is_one_entry_of_a_scope(ledger: Recorded) -> None:
    """Nobody could be told for what, where and when data was read."""
    with purpose_scope(TWO_FACTOR):
        Account(id=1).phone
    with purpose_scope(TWO_FACTOR):
        Account(id=2).phone
        Account(id=2).phone
    found = ledger.rows()
    first, second = sorted(found.opens, key=lambda one: one.started)
    assert first.id != second.id
    assert (first.purposes, first.entered) == (["security.two_factor"], ["security.two_factor"])
    assert (first.handovers, first.break_glass, first.trace, first.around) == ([], None, 0, 0)
    assert first.site.startswith(f"{__file__}:")
    assert "test_an_activity_is_one_entry_of_a_scope" in first.site
    assert first.site != second.site
    assert first.started <= found.ended[first.id][0] <= second.started <= found.ended[second.id][0]
    assert Counter(read.activity for read in found.reads) == {first.id: 1, second.id: 2}


def test_a_scope_that_reads_nothing_leaves_nothing(ledger: Recorded) -> None:
    """The ledger would tell of every request, and what was read would be hard to find in it."""
    with purpose_scope(SECURITY):
        Account(id=1)
    assert ledger.rows().opens == []


def test_a_scope_that_came_by_a_handover_says_so(ledger: Recorded) -> None:
    """Data collected for one purpose would be used for another, and nobody could say by what agreement."""
    with purpose_scope(HANDED), purpose_scope(RECOVERY):
        Account(id=1).phone
    (activity,) = ledger.rows().opens
    assert activity.purposes == ["security.recovery"]
    told = {"left": "parcel_handling", "entered": "security.recovery", "reason": "A parcel was opened"}
    assert activity.handovers in ([told], [{**told, "entered": "security"}])


def test_nested_scopes_say_what_is_around_them(ledger: Recorded) -> None:
    """It could not be told of which request a lookup was part."""
    with purpose_scope(SECURITY):
        Account(id=1).phone
        with purpose_scope(TWO_FACTOR):
            Account(id=2).phone
    by_person = {read.person: ledger.rows().activities[read.activity] for read in ledger.rows().reads}
    outer, inner = by_person[KEY.person(1)], by_person[KEY.person(2)]
    assert inner.around == outer.id
    assert outer.around == 0


def test_the_trace_that_is_active_is_noted(ledger: Recorded) -> None:
    """A read that looks wrong could not be traced to the request that it was part of."""
    from opentelemetry.sdk.trace import TracerProvider

    tracer = TracerProvider().get_tracer("tests")
    with tracer.start_as_current_span("request") as span, purpose_scope(SECURITY):
        Account(id=1).phone
    with purpose_scope(SECURITY):
        Account(id=2).phone
    by_person = {read.person: ledger.rows().activities[read.activity] for read in ledger.rows().reads}
    assert by_person[KEY.person(1)].trace == span.get_span_context().trace_id != 0
    assert by_person[KEY.person(2)].trace == 0


def test_generators_coroutines_and_carried_functions_record_where_they_run(ledger: Recorded) -> None:
    """What runs in steps, or elsewhere, would be missing, or be told of the wrong scope."""

    @purpose_scope(SECURITY)
    def generator() -> Iterator[str]:
        yield Account(id=1).phone
        yield Account(id=2).phone

    @purpose_scope(SECURITY)
    async def coroutine() -> str:
        await asyncio.sleep(0)
        return Account(id=3).phone

    assert list(generator()) == ["+1", "+1"]
    assert asyncio.run(coroutine()) == "+1"
    with ThreadPoolExecutor(1) as executor, purpose_scope(TWO_FACTOR):
        executor.submit(carry(lambda: Account(id=4).phone)).result()
    found = ledger.rows()
    assert found.of(1, 2, 3, 4) == {("Account.phone", subject): 1 for subject in (1, 2, 3, 4)}
    by_person = {read.person: found.activities[read.activity] for read in found.reads}
    assert by_person[KEY.person(1)].id != by_person[KEY.person(2)].id, "each step enters the scope"
    assert by_person[KEY.person(1)].purposes == by_person[KEY.person(3)].purposes == ["security"]
    assert by_person[KEY.person(4)].purposes == ["security.two_factor"]
    assert all(len(found.ended[activity.id]) == 1 for activity in found.opens)


def test_a_carried_function_inside_a_derived_value_is_no_activity_without_purposes(ledger: Recorded) -> None:
    """What a cached property reads in another thread would be recorded as read for nothing at all."""

    class Fetched(Account):
        @cached_property
        def fetched(self) -> str:
            with ThreadPoolExecutor(1) as executor:
                return executor.submit(carry(lambda: self.phone)).result()

    with purpose_scope(SECURITY):
        assert Fetched(id=1).fetched == "+1"
    found = ledger.rows()
    assert found.of(1) == {("Fetched.phone", 1): 1}
    assert {tuple(found.activities[read.activity].purposes) for read in found.reads} == {("security",)}


def test_a_scope_that_is_left_grants_nothing_wherever_its_segment_filled_up(tmp_path: Path) -> None:
    """A task that outlived its scope would go on reading: the end was not heard of where a segment ended just there."""
    for places in range(30, 46):
        recorded = Recorded(tmp_path / str(places), segment_bytes=4096 + 48 * places)
        account = Account(id=1)
        with configure(ledger=recorded):
            for _ in range(40):
                with purpose_scope(SECURITY):
                    account.phone
                    account.phone
                    context = contextvars.copy_context()
                with pytest.raises(PurposeViolation):
                    context.run(getattr, account, "phone")
        recorded.made.close()
        found = recorded.rows()
        assert len(found.activities) == 40
        assert all(len(found.ended[one]) == 1 for one in found.activities), "an activity has no end, or two"
        assert Counter(one.continued for one in found.opens)[False] == 40
        assert found.of(1) == {("Account.phone", 1): 80}
        assert found.segments > 1


def test_a_scope_left_in_another_thread_while_a_read_is_under_way(ledger: Recorded) -> None:
    """The thread that reads would keep the scope alive for itself."""
    account, reading, left = Account(id=1), threading.Event(), threading.Event()
    recorder = ledger.made
    shortcut = recorder.shortcut

    def slow(frame: Any) -> Any:
        made = shortcut(frame)
        reading.set()
        assert left.wait(30)
        return made

    with ThreadPoolExecutor(1) as executor:
        with purpose_scope(SECURITY):
            context = contextvars.copy_context()
            recorder.shortcut = slow  # type: ignore[method-assign]
            first = executor.submit(context.run, lambda: account.phone)
            assert reading.wait(30)
        left.set()
        assert first.result() == "+1"  # it was let through while the scope was open
        recorder.shortcut = shortcut  # type: ignore[method-assign]
        with pytest.raises(PurposeViolation):
            executor.submit(context.run, lambda: account.phone).result()
    found = ledger.rows()
    assert found.of(1) == {("Account.phone", 1): 1}
    assert [len(found.ended[activity.id]) for activity in found.opens] == [1]


# --- Reads and denials ------------------------------------------------------------------------------------------------


def test_each_read_is_recorded_by_field_and_person(ledger: Recorded) -> None:
    """Which data of whom was read, and how often, would be a guess."""
    one, two, nobody = Account(id=1), Account(id=2), Nobody()
    with purpose_scope(SECURITY):
        for _ in range(3):
            one.phone, one.mail, two.phone, nobody.phone
    assert ledger.rows().of(1, 2) == {
        ("Account.phone", 1): 3,
        ("Account.mail", 1): 3,
        ("Account.phone", 2): 3,
        ("Nobody.phone", None): 3,
    }


@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_each_denial_is_a_record_of_its_own(mode: Any, ledger: Recorded) -> None:
    """An attempt, or what observe mode let through, would leave no trace."""
    account = Account(id=1)
    seen: list[Any] = []
    with configure(mode=mode, on_violation=seen.append):
        for scope in (purpose_scope(ADVERTISING), None):
            try:
                if scope is None:
                    account.phone
                else:
                    with scope:
                        account.phone
            except PurposeViolation:
                assert mode == "enforce"
    found = ledger.rows()
    assert found.reads == []
    denied, unscoped = sorted(found.denials, key=lambda denial: not denial.activity)
    for told, hook in zip((denied, unscoped), seen, strict=True):
        assert told.field == hook.field == "Account.phone"
        assert told.person == KEY.person(1)
        assert told.enforced == hook.enforced == (mode == "enforce")
        assert told.site == str(hook.site)
        assert told.allowed == ["security"]
    assert (denied.purposes, denied.reason) == (["advertising"], "not allowed")
    assert found.activities[denied.activity].purposes == ["advertising"]
    assert (unscoped.purposes, unscoped.reason, unscoped.activity) == ([], "no scope", 0)


def test_a_denial_inside_a_derived_value_is_of_the_scope_around_it(ledger: Recorded) -> None:
    """It would be told as an activity in the library's own code, which nobody can look up."""
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        Account(id=1).card
    found = ledger.rows()
    (denial,) = found.denials
    assert found.activities[denial.activity].site.startswith(__file__)
    assert found.activities[denial.activity].entered == ["advertising"]


def test_derived_values_are_recorded_as_what_they_are(ledger: Recorded) -> None:
    """What is computed of a phone number would be read again and again without a record."""
    account = Account(id=1)
    with purpose_scope(SECURITY):
        account.card, account.card
        box = vars(account)["phone"]
        longer = box.map(lambda phone: phone + "9")
        longer.open()
        both = Sealed.join(lambda a, b: a + b, box, vars(Account(id=2))["phone"])
        both.open()
    assert ledger.rows().of(1, 2) == {
        ("Account.phone", 1): 1 + 1 + 1 + 1,  # the card, map, what map made, join
        ("Account.mail", 1): 1,
        ("Account.card", 1): 1,
        ("Account.phone", 2): 1,
        ("Account.phone", None): 1,  # what join made is of two people
    }


class Exact(Account):
    @field_serializer("phone")
    def _written(self, phone: str) -> str:
        return phone


class Computing(Account):
    model_config = ConfigDict(revalidate_instances="always")

    @computed_field
    def dialled(self) -> str:
        return self.phone


def dumped(account: Account) -> None:
    account.model_dump()
    account.model_dump_json()
    TypeAdapter(list[type(account)]).dump_python([account])  # type: ignore[misc]
    account.model_dump(include={"phone"})
    account.model_dump(exclude={"phone", "codes", "dialled"})
    pickle.dumps(account)
    assert account == type(account)(id=1)


@pytest.mark.parametrize("kind", [Account, Exact, Computing])
def test_a_dump_records_each_field_that_it_writes_out(kind: type[Account], ledger: Recorded) -> None:
    """An export of everything would be recorded as nothing, or what was excluded from it as read."""
    told: Counter[Any] = Counter()
    with (
        configure(ledger=None, on_read=lambda read: told.update([(read.field, read.subject)])),
        purpose_scope(SECURITY),
    ):
        dumped(kind(id=1))
    with purpose_scope(SECURITY):
        dumped(kind(id=1))
    found = ledger.rows().of(1)
    assert found == told
    if kind is Account:
        # 3 of all, one of each kind, a pickle, and both sides of ==
        assert found == {("Account.phone", 1): 7, ("Account.mail", 1): 7, ("Account.codes", 1): 6}


def test_requires_purpose_records_calls_of_nobody_known(ledger: Recorded) -> None:
    """Rows that carry no tags would be fetched without a record."""

    @requires_purpose(SECURITY)
    def fetch() -> int:
        return 1

    with purpose_scope(SECURITY):
        fetch(), fetch()
    (name,) = {field for field, _ in ledger.rows().of()}
    assert name.endswith("fetch()")
    assert ledger.rows().of() == {(name, None): 2}


ROADS: dict[str, Any] = {
    **READS,
    **{name: road[0] for name, road in READ_FACTS.items()},
    **{f"elsewhere: {name}": road for name, road in WRAPPED.items()},
    **{f"move: {name}": road for name, road in MOVES.items()},
    **{f"shown: {name}": road for name, road in REPRESENTATIONS.items()},
}


@pytest.mark.parametrize("origin", ["validated", "with a tagged list", "with a field serializer", "unpickled"])
def test_every_road_records_exactly_the_reads_that_it_hands_out(origin: str, tmp_path: Path) -> None:
    """By some road, values would get out unrecorded, or be recorded although nothing was read."""
    cases = [(name, warm) for name in ROADS for warm in (False, True)]  # by the first read's way, and by the short one
    told: list[Counter[tuple[str, Any]]] = []
    recorded = Recorded(tmp_path / "ledger", segment_bytes=1 << 22)
    mark = Mark(id=0)
    for name, warm in cases:
        subject, reads = ORIGINS[origin](), list[Any]()
        with configure(on_read=reads.append), purpose_scope(TWO_FACTOR):
            ROADS[name](subject)
        told.append(Counter((read.field, _who(read.subject)) for read in reads))
        subject = ORIGINS[origin]()
        with configure(ledger=recorded), purpose_scope(TWO_FACTOR):
            if warm:
                subject.phone
            mark.here
            ROADS[name](subject)
            mark.here
    recorded.made.close()

    groups: list[Counter[tuple[str, Any]]] = [Counter()]
    for read in recorded.rows().reads:
        if read.field == "Mark.here":
            groups.append(Counter())
        else:
            groups[-1][read.field, read.person] += 1
    wrong = [
        f"{name}, {'warm' if warm else 'first'}: {got} for {wanted}"
        for (name, warm), got, wanted in zip(cases, groups[1::2], told, strict=True)
        if got != wanted
    ]
    assert wrong == [], "\n".join(wrong)
    assert sum(count.total() for count in told) > 300


class Mark(Account):
    here: Annotated[str, AllowedFor(SECURITY)] = "."


def _who(subject: Any) -> bytes | None:
    return None if subject is None else KEY.person(subject)


@pytest.mark.parametrize("origin", BOXES)
def test_every_way_into_a_box_records_the_read(origin: str, ledger: Recorded) -> None:
    """A box that is passed on would be opened without a record."""
    for name, road in BOX_READS.items():
        count = len(ledger.rows().reads)
        box = BOXES[origin]()
        with purpose_scope(TWO_FACTOR):
            road(box)
        assert len(ledger.rows().reads) > count, name


# --- No personal data -------------------------------------------------------------------------------------------------


class Card(PurposeModel):
    number: Annotated[str, SubjectId, AllowedFor(SECURITY)]
    phone: Annotated[str, AllowedFor(SECURITY)]

    @cached_property
    def both(self) -> str:
        return self.number + self.phone


class Unprintable:
    """A person whose text cannot be told: the error says what it was given."""

    def __str__(self) -> str:
        raise RuntimeError("PLANTED-unprintable")

    __repr__ = __str__


def test_no_file_of_the_ledger_holds_personal_data(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The ledger would be one more copy of what it watches over, kept for years."""
    recorded = Recorded(tmp_path / "ledger", interval=3600)
    with configure(ledger=recorded):
        card = Card(number="PLANTED-number", phone="PLANTED-phone")
        account = Account(id=987654321, phone="PLANTED-phone", codes=("PLANTED-code",))
        with purpose_scope(SECURITY):
            card.number, card.phone, card.both, repr(card), str(card)
            card.model_dump_json(), account.model_dump(), pickle.dumps(card), copy.deepcopy(card).phone
            vars(card)["phone"].map(str.lower).open()
            card.number = "PLANTED-other"
            card.number, card.phone
        for wrong in (purpose_scope(ADVERTISING), purpose_scope(HANDED)):
            for name in ("number", "phone", "both"):
                with wrong, pytest.raises(PurposeViolation):
                    getattr(card, name)
        with configure(mode="observe"):
            card.number, account.phone
        with purpose_scope(SECURITY), pytest.raises(PurposeViolation) as caught:
            Odd(id=Unprintable()).phone
        assert "PLANTED" not in str(caught.value)
        assert "RuntimeError" in str(caught.value)
    recorded.made.pulse.beat(recorded.made)  # type: ignore[union-attr]
    recorded.made.close()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 3
    for path in files:
        content = path.read_bytes()
        for planted in (b"PLANTED", b"987654321", *(p.encode("utf-16-le") for p in ("PLANTED", "987654321"))):
            assert planted not in content, f"{path.name} holds {planted!r}"
        assert (987654321).to_bytes(8, "little") not in content
        assert path.stat().st_mode & 0o077 == 0, f"others may read {path.name}"
    assert "PLANTED" not in caplog.text


class Odd(PurposeModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    id: Annotated[Any, SubjectId]
    phone: Annotated[str, AllowedFor(SECURITY)] = "+3"


def test_a_tagged_subject_that_is_assigned_stays_sealed() -> None:
    """The id that is personal data itself would stand in the clear in every denial that a hook is told of."""
    card, seen = Card(number="1", phone="+"), list[Any]()
    card.number = "PLANTED"
    with configure(on_violation=seen.append):
        for name in ("number", "phone"):
            with pytest.raises(PurposeViolation):
                getattr(card, name)
    assert "PLANTED" not in repr([denial.subject for denial in seen])
    assert seen[0].subject == seen[1].subject


# --- Kinds of people, and memory --------------------------------------------------------------------------------------


def _subjects() -> Iterator[Any]:
    import datetime
    import decimal
    import enum
    import uuid

    class Colour(enum.Enum):
        RED = "red"

    class Text(str, enum.Enum):
        A = "a-text"

    class Number(enum.IntEnum):
        SEVEN = 7

    yield from (0, 1, -5, 2**64, 2**200, True, "x", "", "7", "é", "\ud800", "x" * 5000, 1.0, 0.5, float("nan"))
    yield from (decimal.Decimal("12"), decimal.Decimal("1.50"), uuid.UUID(int=5), b"12", b"\xff", bytearray(b"12"))
    yield from (Colour.RED, Text.A, Number.SEVEN, datetime.date(2026, 1, 1), (1, "a"), frozenset([1]))
    yield from ([1, 2], {"a": 1})  # not hashable


@pytest.mark.parametrize("subject", list(_subjects()), ids=lambda subject: f"{type(subject).__name__} {subject!r}"[:40])
def test_a_person_of_any_kind_is_found_by_the_key_again(subject: Any, ledger: Recorded) -> None:
    """Of some people, nobody could say who read their data: what was asked for is not what was written."""
    odd = Odd(id=subject)
    with purpose_scope(SECURITY):
        for _ in range(3):
            odd.phone
    assert {read.person for read in ledger.rows().reads} == {KEY.person(subject)}
    assert len(ledger.rows().reads) == 3


def test_people_who_are_equal_are_one_and_others_are_not(ledger: Recorded) -> None:
    """One person would be counted as several, or several as one."""
    with purpose_scope(SECURITY):
        for subject in (1, 1.0, True, "1", 2, "2"):
            Odd(id=subject).phone
    assert len({read.person for read in ledger.rows().reads}) == 2


def test_a_tagged_subject_is_the_same_person_as_an_untagged_one(ledger: Recorded) -> None:
    """A person whose number is personal data itself could not be told who read it."""
    card = Card(number="n-1", phone="+")
    with purpose_scope(SECURITY):
        for _ in range(2):
            card.number, card.phone, copy.deepcopy(card).phone, pickle.loads(pickle.dumps(card)).phone
    assert {read.person for read in ledger.rows().reads} == {KEY.person("n-1")}


def test_the_memory_that_people_take_is_bounded(ledger: Recorded) -> None:
    """An export of ten million people would grow the process until it is killed."""
    people = People(KEY)
    tracemalloc.start()
    try:
        for number in range(4 * _AT_MOST):
            people.remember(f"person-{number:060d}")
        held, _ = tracemalloc.get_traced_memory()
        assert held < 8 << 20
        for number in range(100):
            people.remember(f"{number}" * 100_000)
        after, _ = tracemalloc.get_traced_memory()
        assert after < held + (1 << 20), "the longest texts are kept"
        account = Account(id=0)
        with purpose_scope(SECURITY):
            account.phone
            start, _ = tracemalloc.get_traced_memory()
            for number in range(3 * _AT_MOST):
                Account(id=number).phone
            end, _ = tracemalloc.get_traced_memory()
        assert end - start < 8 << 20, "an activity grows with the people it reads of"
    finally:
        tracemalloc.stop()


def test_the_memory_that_activities_take_is_given_back(ledger: Recorded) -> None:
    """A service would grow by each request that it ever served."""
    recorder = ledger.made
    with purpose_scope(SECURITY):
        for _ in range(5000):
            carry(lambda: Account(id=1).phone)()
    segment = recorder.segment
    assert segment is not None
    assert len(segment.activities) <= 1 << 12
    assert len(recorder._activities) == 0
    assert len(segment.heads) == 0


# --- Threads, signal handlers and destructors -------------------------------------------------------------------------


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    """Records of two threads would be written over one another, and neither could be read."""
    recorded = Recorded(tmp_path / "ledger", segment_bytes=1 << 14, interval=0.001)
    start = threading.Barrier(8)

    def work(thread: int) -> None:
        people = [Account(id=thread * 100 + number) for number in range(25)]
        start.wait()
        for _ in range(8):
            with purpose_scope(SECURITY):
                for person in people:
                    person.phone, person.mail

    with configure(ledger=recorded), ThreadPoolExecutor(8) as executor:
        list(executor.map(work, range(8)))
    recorded.made.close()
    found = recorded.rows()
    everybody = [thread * 100 + number for thread in range(8) for number in range(25)]
    expected = {(f"Account.{name}", one): 8 for one in everybody for name in ("phone", "mail")}
    assert found.of(*everybody) == expected
    assert found.segments > 8
    assert len(found.activities) == 64
    assert all(len(found.ended[one]) == 1 for one in found.activities)
    assert {read.activity for read in found.reads} == found.activities.keys()


INTERRUPTIBLE = ["posix_fallocate", "fsync", "rename"]


@pytest.mark.parametrize("step", [*INTERRUPTIBLE, "name", "open"])
def test_a_signal_handler_that_reads_in_the_middle_of_recording(
    step: str, ledger: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler that logs whom a request was about would deadlock, or leave a record that nothing can be made of."""
    from purposebind.ledger import recorder as recording
    from purposebind.ledger import segment as segments

    handled = Account(id=2)
    calls = [0]

    def interrupt(*_: Any) -> None:
        with purpose_scope(TWO_FACTOR):
            handled.mail
        handled_in_scope.append(copy_of.phone)

    copy_of, handled_in_scope = Account(id=3), list[str]()

    def interrupted(real: Any) -> Any:
        def stepped(*args: Any, **options: Any) -> Any:
            result = real(*args, **options)
            calls[0] += 1
            if calls[0] == 1:
                signal.raise_signal(signal.SIGUSR1)
            return result

        return stepped

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        if step == "name":
            monkeypatch.setattr(segments, "name_records", interrupted(segments.name_records))
        elif step == "open":
            monkeypatch.setattr(recording, "trace_id", interrupted(recording.trace_id))
        else:
            segment = ledger.made.segment
            assert segment is not None
            ledger.made.give_up(segment)  # so that the next read makes one
            monkeypatch.setattr(segments.os, step, interrupted(getattr(segments.os, step)))
        with purpose_scope(SECURITY):
            for _ in range(3):
                Account(id=1).phone
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert calls[0] >= 1
    assert handled_in_scope == ["+1"]
    ledger.made.close()
    found = ledger.rows()
    assert found.of(1, 2, 3) == {("Account.phone", 1): 3, ("Account.mail", 2): 1, ("Account.phone", 3): 1}
    assert {read.activity for read in found.reads} == found.activities.keys()
    assert all(len(found.ended[one]) == 1 for one in found.activities)


def test_a_destructor_that_reads_in_the_middle_of_recording(ledger: Recorded) -> None:
    """Objects that say goodbye by name would corrupt the ledger whenever the garbage is collected."""

    class Goodbye:
        def __init__(self, number: int) -> None:
            self.account = Account(id=number)
            self.itself = self  # only the garbage collector finds it

        def __del__(self) -> None:
            with purpose_scope(TWO_FACTOR):
                self.account.phone

    threshold = gc.get_threshold()
    gc.collect()
    gc.set_threshold(7, 1, 1)
    try:
        for number in range(100):
            Goodbye(number)
            with purpose_scope(SECURITY):
                Account(id=1000 + number).phone
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    found = ledger.rows()
    everybody = [*range(100), *range(1000, 1100)]
    assert found.of(*everybody) == {("Account.phone", one): 1 for one in everybody}
    assert {read.activity for read in found.reads} == found.activities.keys()


def test_a_signal_handler_that_raises_leaves_no_scope_open(ledger: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that timed out while it recorded its first read would leave its scope readable for ever."""
    from purposebind.ledger import recorder as recording

    def timeout(frame: Any, binding: Any = None) -> Any:
        raise TimeoutError

    account = Account(id=1)
    with purpose_scope(SECURITY):
        context = contextvars.copy_context()
        with monkeypatch.context() as patched:
            patched.setattr(recording, "trace_id", lambda: timeout(None))
            with pytest.raises(PurposeViolation):
                account.phone
        account.phone
        account.phone
    with pytest.raises(PurposeViolation):
        context.run(lambda: account.phone)
    assert ledger.made._activities == {}


def test_two_ledgers_and_none_in_turns(tmp_path: Path, ledger: Recorded) -> None:
    """Where the configuration changes inside a scope, reads would go on into the old ledger, or into none."""
    other = Recorded(tmp_path / "other")
    account = Account(id=1)
    with purpose_scope(SECURITY):
        account.phone
        with configure(ledger=other):
            account.phone, account.phone
            with configure(ledger=None):
                account.phone
            account.phone
        account.phone
    other.made.close()
    assert ledger.rows().of(1) == {("Account.phone", 1): 2}
    assert other.rows().of(1) == {("Account.phone", 1): 3}
    for found in (ledger.rows(), other.rows()):
        (activity,) = found.activities
        assert len(found.ended[activity]) == 1


def test_the_header_says_who_wrote(tmp_path: Path) -> None:
    """Of two services with one ledger, nobody could say which read."""
    recorded = Recorded(tmp_path / "ledger", service="billing é")
    segment = recorded.made.segment
    assert segment is not None
    header = json.loads(segment.path.read_bytes()[:4096])
    assert header["service"] == "billing é"
    assert header["key"] == Key(bytes(32)).id
    recorded.made.close()
