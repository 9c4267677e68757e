"""Answers are exact: each is held against a count over a list, whatever is compacted, closed, open or damaged."""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from ledger_model import FIELDS, KEY, PEOPLE, START, Event, Model, damage_at_random
from segments import ACTIVITY, CREATED, DENIAL, closed, denial, mark, name, names, opened, read, segment

from purposebind import Purpose
from purposebind.ledger import counting
from purposebind.ledger.chain import verify
from purposebind.ledger.closing import close_abandoned
from purposebind.ledger.compaction import compact
from purposebind.ledger.counting import Asking
from purposebind.ledger.errors import LedgerError
from purposebind.ledger.folder import Folder
from purposebind.ledger.key import Key
from purposebind.ledger.questions import Questions
from purposebind.ledger.results import Activity, Affected, Emergency, Handover, LostReads
from purposebind.ledger.retention import drop_before

# A ledger is made anew for each try: to shrink one takes many minutes, and tells little more than its seed.
WITHOUT_SHRINKING = settings(
    max_examples=15, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate), report_multiple_bugs=False
)
HANDED_OUT = ("allowed", "observed", "break_glass")


# --- The same by counting --------------------------------------------------------------------------------------------


def takes(filters: dict[str, Any], event: Event) -> bool:
    """Whether an event is asked for, said as plainly as it can be."""

    def below(name: str, of: str | None) -> bool:
        return of is None or name == of or name.startswith(of + ".")

    since, until = filters.get("since"), filters.get("until")
    decision = filters.get("decision")
    wanted = (decision,) if isinstance(decision, str) else decision
    return (
        below(event.field, filters.get("field"))
        and (filters.get("purpose") is None or any(below(p, filters["purpose"]) for p in event.purposes))
        and (wanted is None or event.decision in wanted)
        and (since is None or event.when >= since)
        and (until is None or event.when < until)
        and (filters.get("site") is None or filters["site"] in (event.site or ""))
    )


def span(events: list[Event]) -> tuple[datetime, datetime]:
    return min(one.when for one in events), max(one.when for one in events)


def check(model: Model, asked: Questions, filters: dict[str, Any]) -> None:
    """Hold every answer against the list."""
    chosen = [one for one in model.events if takes(filters, one)]
    times = span(chosen) if chosen else (None, None)
    assert asked.affected(**filters) == Affected(model.people(chosen), len(chosen), model.unknown(chosen), *times)

    def below(name: str) -> bool:
        of = filters.get("purpose")
        return of is None or name == of or name.startswith(of + ".")

    cells = model.groups(
        chosen,
        lambda one: [(one.field, p, one.decision) for p in [p for p in one.purposes if below(p)] or [None]],
    )
    found = asked.matrix(**filters)
    assert {(c.field, c.purpose, c.decision): (c.people, c.reads, c.unknown_reads) for c in found} == {
        key: (model.people(of), len(of), model.unknown(of)) for key, of in cells.items()
    }
    assert len(found) == len(cells)

    by_site = model.groups(chosen, lambda one: [(one.site, one.field, one.purposes, one.decision)])
    assert {
        (u.site, u.field, u.purposes, u.decision): (u.people, u.reads, u.unknown_reads, u.first, u.last)
        for u in asked.sites(**filters)
    } == {key: (model.people(of), len(of), model.unknown(of), *span(of)) for key, of in by_site.items()}

    denied = [one for one in chosen if one.decision in ("denied", "observed")]
    by_denial = model.groups(
        denied, lambda one: [(one.site, one.field, one.purposes, one.reason, one.decision == "denied")]
    )
    assert {
        (d.site, d.field, d.purposes, d.reason, d.enforced): (d.people, d.times, d.unknown, d.first, d.last)
        for d in asked.denials(**filters)
    } == {key: (model.people(of), len(of), model.unknown(of), *span(of)) for key, of in by_denial.items()}

    for bucket, start in (
        ("hour", lambda when: when.replace(minute=0, second=0)),
        ("day", lambda when: when.replace(hour=0, minute=0, second=0)),
        ("week", lambda when: (when - timedelta(days=when.weekday())).replace(hour=0, minute=0, second=0)),
        ("month", lambda when: when.replace(day=1, hour=0, minute=0, second=0)),
    ):
        by_time = model.groups(chosen, lambda one, start=start: [(start(one.when), one.decision)])
        assert {(b.start, b.decision): (b.people, b.reads) for b in asked.timeline(bucket, **filters)} == {
            key: (model.people(of), len(of)) for key, of in by_time.items()
        }


def check_histories(model: Model, asked: Questions) -> None:
    """Hold the answers about persons and activities against the list."""
    for person in PEOPLE:
        theirs = model.groups(
            (one for one in model.events if one.person == person),
            lambda one: [(one.field, one.purposes, one.decision, one.site, one.reason, one.activity)],
        )
        wanted = [(*key[:4], len(of), *span(of), trace(model, key[5]), key[5]) for key, of in theirs.items()]
        found = [
            (u.field, u.purposes, u.decision, u.site, u.times, u.first, u.last, u.trace, u.activity)
            for u in asked.subject(person, KEY)
        ]
        assert sorted(found, key=repr) == sorted(wanted, key=repr)
        assert [one[5] for one in found] == sorted(one[5] for one in found)

    handed = model.groups(
        model.activities.values(),
        lambda one: [(*h.values(), one.place.site) for h in one.place.handovers],
    )
    uses = {}
    for key, of in handed.items():
        numbers = {one.number for one in of}
        read = [one for one in model.events if one.activity in numbers and one.decision in HANDED_OUT]
        started = [one.started for one in of]
        uses[key] = (len(of), model.people(read), len(read), min(started), max(started))
    assert {
        (h.left, h.entered, h.reason, h.site): (h.activities, h.people, h.reads, h.first, h.last)
        for h in asked.handovers()
    } == uses

    found_activities = asked.activities()
    assert {one.activity: one for one in found_activities} == {
        number: activity(model, number) for number in model.activities
    }
    started = [one.started for one in found_activities if one.started]
    assert started == sorted(started, reverse=True)
    assert asked.break_glass() == sorted(emergencies(model), key=lambda one: one.started)


def trace(model: Model, activity: int) -> str | None:
    one = model.activities.get(activity)
    return f"{one.trace:032x}" if one and one.trace else None


def activity(model: Model, number: int) -> Activity:
    one = model.activities[number]
    read = [event for event in model.events if event.activity == number]
    reason, by = one.place.emergency or (None, None)
    return Activity(
        activity=number,
        purposes=one.place.purposes,
        entered=one.place.purposes[-1:],
        site=one.place.site,
        handovers=tuple(Handover(**told) for told in one.place.handovers),
        trace=trace(model, number),
        around=one.around,
        started=one.started,
        ended=one.ended,
        break_glass=reason,
        by=by,
        pid=1,
        host="host",
        service="",
        people=model.people(read),
        reads=len(read),
        unknown_reads=model.unknown(read),
    )


def emergencies(model: Model) -> Iterator[Emergency]:
    def outermost(number: int) -> int:
        around = model.activities.get(model.activities[number].around)
        return outermost(around.number) if around and around.place.emergency else number

    inside: dict[int, set[int]] = {}
    for number, one in model.activities.items():
        if one.place.emergency:
            inside.setdefault(outermost(number), set()).add(number)
    for outer, numbers in inside.items():
        one = model.activities[outer]
        read = [e for e in model.events if e.activity in numbers and e.decision in HANDED_OUT]
        assert one.place.emergency is not None
        yield Emergency(
            *one.place.emergency,
            one.place.site,
            one.started,
            one.ended,
            model.people(read),
            len(read),
            tuple(sorted({e.field for e in read})),
        )


FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "field": st.sampled_from([*FIELDS, "Account", "Order", "Order.items", "Nothing"]),
        "purpose": st.sampled_from(["security", "security.two_factor", "ads", "orders", "none"]),
        "decision": st.sampled_from(["allowed", "denied", "observed", "break_glass", HANDED_OUT]),
        "since": st.integers(0, 40).map(lambda days: START + timedelta(days=days)),
        "until": st.integers(41, 90).map(lambda days: START + timedelta(days=days)),
        "site": st.sampled_from(["login.py", "app/ads.py:7", "/srv/app/invoice.py:12 in invoice", "step.py"]),
    },
)


@WITHOUT_SHRINKING
@given(
    seed=st.integers(0, 1 << 32),
    places=st.lists(st.sampled_from(["parquet", "closed", "open"]), min_size=1, max_size=5),
    damage=st.booleans(),
    filters=st.lists(FILTERS, min_size=1, max_size=3),
)
def test_each_answer_is_exact(seed: int, places: list[str], damage: bool, filters: list[dict[str, Any]]) -> None:
    """The count that goes to a regulator would be wrong."""
    with tempfile.TemporaryDirectory() as place:
        model = Model(Folder(Path(place) / "ledger"), Random(seed))
        model.folder.make()
        with Questions([model.folder]) as asked:
            for where in places:
                model.segment(model.chance.randrange(60), damage, tail=model.chance.choice([0, 48 * 100]))
                if where != "open":
                    close_abandoned(model.folder)
                if where == "parquet":
                    compact(model.folder, keep_segments=model.chance.random() < 0.3)
                assert asked.affected().reads == len(model.events)
            for one in filters:
                check(model, asked, one)
            check_histories(model, asked)
            lost = [when for when, _ in model.lost]
            told = LostReads(sum(many for _, many in model.lost), min(lost, default=None), max(lost, default=None))
            assert asked.lost() == told
            assert sum(one.records for one in asked.damage()) == model.damaged


@WITHOUT_SHRINKING
@given(seed=st.integers(0, 1 << 32))
def test_whatever_was_overwritten_the_rest_is_counted_as_before_when_it_is_compacted(seed: int) -> None:
    """A damaged ledger would answer differently once it is compacted, and the segments are gone by then."""
    with tempfile.TemporaryDirectory() as place:
        model = Model(Folder(Path(place) / "ledger"), Random(seed))
        for _ in range(2):
            damage_at_random(model.segment(60), model.chance)
        with Questions([model.folder]) as asked:
            before = everything(asked)
            assert before["affected"].reads <= len(model.events)
            compact(model.folder)
            assert everything(asked) == before


def everything(asked: Questions) -> dict[str, Any]:
    return {
        "affected": asked.affected(),
        "matrix": asked.matrix(),
        "sites": asked.sites(),
        "denials": asked.denials(),
        "timeline": asked.timeline("hour"),
        "handovers": asked.handovers(),
        "activities": asked.activities(),
        "break_glass": asked.break_glass(),
        "lost": asked.lost(),
        "damage": asked.damage(),
        "subject": [asked.subject(person, KEY) for person in PEOPLE],
    }


# --- What else an auditor would trip over ----------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """A ledger with a part in Parquet, one closed and one that was being written."""
    made = Model(Folder(tmp_path / "ledger"), Random(7))
    for place in ("parquet", "closed", "open"):
        made.segment(80)
        if place != "open":
            close_abandoned(made.folder)
        if place == "parquet":
            compact(made.folder)
    return made


@pytest.fixture
def asked(model: Model) -> Iterator[Questions]:
    with Questions([model.folder]) as questions:
        yield questions


def test_stretches_of_time_that_meet_add_up(model: Model, asked: Questions) -> None:
    """Two reports about two months would count a read at midnight twice, or not at all."""
    moments = sorted({one.when for one in model.events})
    for moment in moments[:: max(1, len(moments) // 12)]:
        before, after = asked.affected(until=moment), asked.affected(since=moment)
        assert before.reads + after.reads == len(model.events)
        assert before.last is None or before.last < moment
        assert after.first is None or after.first >= moment


def test_times_may_be_given_in_any_time_zone(model: Model, asked: Questions) -> None:
    """An office in another country would get the count of another night."""
    moment = sorted(one.when for one in model.events)[len(model.events) // 2]
    elsewhere = moment.astimezone(timezone(timedelta(hours=-7, minutes=-30)))
    assert asked.affected(since=elsewhere) == asked.affected(since=moment)


def test_a_purpose_stands_for_its_descendants_and_for_nothing_else(model: Model, asked: Questions) -> None:
    """Advertising would be counted for what `ads` did, or `advert` for what `ads` did not."""
    security = Purpose("questions_security", "Keep accounts safe")
    assert asked.affected(purpose=security) == Affected()
    everywhere = asked.affected(purpose="security")
    assert everywhere.reads == sum(any(p.startswith("security") for p in one.purposes) for one in model.events)
    assert asked.affected(purpose="sec") == Affected()
    assert asked.affected(field="Account").reads == sum(one.field.startswith("Account.") for one in model.events)


def test_a_model_stands_for_its_fields_and_not_for_a_longer_name(asked: Questions) -> None:
    """`Account` would count what was read of `Accounting`."""
    fields = {cell.field for cell in asked.matrix(field="Account")}
    assert fields == {"Account.phone", "Account.email"}


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"decision": "refused"}, "A decision is one of allowed, observed, break_glass, denied, and not 'refused'"),
        ({"decision": ()}, "and not nothing"),
        ({"since": datetime(2026, 3, 1)}, "since= takes a datetime with a time zone"),
        ({"until": "2026-03-01"}, "until= takes a datetime with a time zone, and not '2026-03-01'"),
        ({"since": START, "until": START}, "Nothing lies between"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(asked: Questions, filters: dict[str, Any], said: str) -> None:
    """A mistyped word would answer "nobody", which somebody would write to a regulator."""
    with pytest.raises(LedgerError, match=said):
        asked.affected(**filters)


def test_a_timeline_knows_its_stretches(asked: Questions) -> None:
    """A mistyped word would reach the engine as it is."""
    with pytest.raises(LedgerError, match="hour, day, week, month, and not by 'days; DROP'"):
        asked.timeline("days; DROP")
    with pytest.raises(LedgerError, match="There cannot be -1 activities"):
        asked.activities(limit=-1)


def test_the_last_activities_come_first_and_what_is_asked_chooses_them(model: Model, asked: Questions) -> None:
    """Whoever looks for what happened last would be shown what happened first."""
    everything = asked.activities()
    assert asked.activities(limit=3) == everything[:3]
    assert asked.activities(limit=0) == []
    assert asked.activities(handed_over=True) == [one for one in everything if one.handovers]
    moment = everything[len(everything) // 2].started
    assert moment is not None
    assert [one.activity for one in asked.activities(since=moment)] == [
        one.activity for one in everything if one.started and one.started >= moment
    ]
    assert [one.activity for one in asked.activities(site="login.py")] == [
        one.activity for one in everything if "login.py" in one.site
    ]
    read = {one.activity for one in model.events if one.field == "Account.email" and one.decision == "observed"}
    some = asked.activities(field="Account.email", decision=("observed", "allowed"))
    assert all(one.reads for one in some)
    assert {one.activity for one in asked.activities(field="Account.email", decision="observed")} == read - {0}


def test_an_answer_has_the_same_order_each_time(tmp_path: Path) -> None:
    """Who asks twice would be shown a change where there is none: here all but one word of the denials is the same."""
    denials = {n: {**DENIAL, "enforced": n % 2 == 0, "reason": f"reason {n // 2}"} for n in range(2, 12)}
    told = [record for n, one in denials.items() for record in name(n, one)]
    folder = Folder(tmp_path / "ledger")
    told += [*name(1, ACTIVITY), opened(CREATED), *(denial(CREATED, 1, n) for n in denials)]
    segment(told, folder.open / "a.seg")
    wanted = [(f"reason {n // 2}", n % 2 == 0) for n in range(2, 12)]
    with Questions([folder]) as asked:
        for _ in range(20):
            assert [(one.reason, one.enforced) for one in asked.denials()] == wanted


def test_people_in_several_folders_are_counted_once(tmp_path: Path) -> None:
    """The fleet's number would be the sum over machines, in which everybody is counted many times."""
    models = [Model(Folder(tmp_path / f"ledger-{n}"), Random(n)) for n in range(3)]
    for one in models:
        one.segment(60)
    compact(models[0].folder)
    events = [event for one in models for event in one.events]
    with Questions([one.folder for one in models]) as asked:
        found = asked.affected()
    assert (found.people, found.reads) == (models[0].people(events), len(events))
    assert found.people < sum(one.people(one.events) for one in models)


def test_people_are_not_counted_across_keys(tmp_path: Path) -> None:
    """One person would be counted as two, and nobody would know."""
    for place, key in (("one", "1" * 16), ("two", "2" * 16)):
        folder = Folder(tmp_path / place)
        segment([*names(), opened(CREATED), read(1)], folder.open / f"{key * 2}.seg", key=key)
    with Questions([Folder(tmp_path / "one"), Folder(tmp_path / "two")]) as asked:
        for question in (asked.affected, asked.matrix, asked.sites, asked.timeline, asked.activities):
            with pytest.raises(LedgerError, match=f"across keys.*{'1' * 16} in .*one, {'2' * 16} in .*two"):
                question()
        assert asked.lost() == LostReads()
        assert asked.damage() == []
    with Questions([Folder(tmp_path / "one")]) as asked:
        assert asked.affected().people == 1


def test_a_person_is_looked_up_with_the_right_key_alone(asked: Questions) -> None:
    """ "Nobody read your data" would be the answer to whoever gives the wrong key."""
    with pytest.raises(LedgerError, match=f"not the key by which people were hashed.*{KEY.id}"):
        asked.subject(1, Key(bytes(32)))
    assert asked.subject("nobody", KEY) == []
    assert asked.subject("1", KEY) == asked.subject(1, KEY) != []


def test_the_same_questions_see_what_is_recorded_later(model: Model, asked: Questions) -> None:
    """A service that keeps its `Ledger` would answer with what it knew when it started."""
    for _ in range(3):
        before = asked.affected().reads
        path = model.segment(30)
        assert asked.affected().reads == len(model.events) > before
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 96 * 48 + 64])  # as it was a while ago: 64 is the header's rest of 48s
        fewer = asked.affected().reads
        path.write_bytes(whole)
        assert fewer < asked.affected().reads == len(model.events)
        assert verify(model.folder).ok


def test_a_batch_that_is_removed_while_it_is_read_is_no_error(
    model: Model, asked: Questions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report that is made while retention runs would fail, or count what was dropped."""
    compact(model.folder)
    rows = Asking.rows
    moment = START + timedelta(days=4000)

    def dropping(self: Asking, *query: Any) -> list[tuple[Any, ...]]:
        monkeypatch.setattr(Asking, "rows", rows)
        drop_before(model.folder, moment, "a test", "it is old", KEY)
        return self.rows(*query)

    monkeypatch.setattr(Asking, "rows", dropping)
    assert asked.affected() == Affected()


def test_a_batch_that_somebody_removed_is_an_error(model: Model, asked: Questions) -> None:
    """Fewer people would be affected as soon as somebody deletes a file."""
    next(model.folder.parquet.rglob("p=*/*.parquet")).unlink()
    with pytest.raises(LedgerError, match=r"The ledger cannot be asked: .*parquet"):
        asked.affected()


def test_a_chain_that_was_altered_is_not_counted_on(model: Model, asked: Questions) -> None:
    """What the chain said was in a batch might be counted twice, or left out."""
    lines = model.folder.chain.read_text().splitlines(keepends=True)
    model.folder.chain.write_text("".join(lines).replace('"is":"compaction"', '"is":"Compaction"'))
    with pytest.raises(LedgerError, match="purposebind ledger verify"):
        asked.affected()


def test_what_was_made_is_private_and_removed(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes of people would lie about where others can read them."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    with Questions([model.folder]) as asked:
        asked.affected()
        (made,) = (tmp_path / "temporary").iterdir()
        assert made.stat().st_mode & 0o077 == 0
    assert not made.exists()
    assert asked.affected().reads == len(model.events)  # and can be asked again
    del asked
    gc.collect()
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize("name", ["le[1]*d?ger", "it's", "a b;--", "{x}"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    """A ledger in a folder with a bracket in its name would be empty, or another one."""
    model = Model(Folder(tmp_path / name), Random(3))
    model.segment(30)
    compact(model.folder)
    model.segment(30)
    with Questions([model.folder]) as asked:
        assert asked.affected().reads == len(model.events)


def test_names_from_anywhere_come_back_as_they_are(tmp_path: Path) -> None:
    """A quote or a null in a site would break the question; half a character could not be written at all."""
    odd = 'it\'s "x" \\ ;-- \n\t {} \0 \N{SNOWMAN} \U0001f512'
    place = {**ACTIVITY, "site": odd, "purposes": [odd]}
    half = {"is": "field", "field": "Account.\ud800"}
    told = [*name(0, half), *name(1, place), opened(CREATED), read(1)]
    segment(told, tmp_path / "ledger" / "open" / f"{'a' * 32}.seg")
    with Questions([Folder(tmp_path / "ledger")]) as asked:
        (use,) = asked.sites()
        assert (use.site, use.purposes, use.field) == (odd, (odd,), "Account.\\ud800")
        assert asked.affected(purpose=odd, site=odd).reads == 1
        before = asked.sites()
        compact(Folder(tmp_path / "ledger"))
        assert asked.sites() == before


def test_reads_whose_entry_is_damaged_are_counted_all_the_same(tmp_path: Path) -> None:
    """Damage to one record would take all reads of an activity out of the count."""
    entry = opened(CREATED)
    told = [*names(), entry[:20] + b"\xff" + entry[21:], read(1), read(2), closed(CREATED + 10)]
    segment(told, tmp_path / "ledger" / "open" / f"{'a' * 32}.seg")
    with Questions([Folder(tmp_path / "ledger")]) as asked:
        assert (asked.affected().people, asked.affected().reads) == (2, 2)
        assert [one.purpose for one in asked.matrix()] == [None]
        first, torn = asked.damage()
        assert "its 2 reads" in first.what
        assert torn.records == 1


def test_times_that_no_calendar_knows_stop_no_question(tmp_path: Path) -> None:
    """One wrong clock would make a fleet's ledgers unreadable."""
    told = [*names(), opened(1 << 62), read(1), mark((1 << 63) + 5), closed(1 << 63)]
    segment(told, tmp_path / "ledger" / "open" / f"{'a' * 32}.seg")
    with Questions([Folder(tmp_path / "ledger")]) as asked:
        assert asked.affected().reads == 1
        assert len(asked.activities()) == 1


def test_a_large_partition_is_counted_in_parts(model: Model, asked: Questions, monkeypatch: pytest.MonkeyPatch) -> None:
    """More people than fit into memory could not be counted; or those in the gaps would be missed."""
    whole = [asked.affected(), asked.matrix(), asked.timeline("day")]
    monkeypatch.setattr(counting, "_PASS_ROWS", 2)
    monkeypatch.setattr(counting, "_FEW_ROWS", 5)
    assert [asked.affected(), asked.matrix(), asked.timeline("day")] == whole


BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == sys.argv[1]:
            raise ImportError(f"blocked: {name}")
sys.meta_path.insert(0, Blocked())
from purposebind.ledger.errors import LedgerError
from purposebind.ledger.folder import Folder
try:
    from purposebind.ledger.questions import Questions
except LedgerError as error:
    print(error)
"""


@pytest.mark.parametrize("library", ["duckdb", "numpy"])
def test_a_missing_extra_says_what_to_install(library: str) -> None:
    """Who installed the library alone would see a traceback from inside it."""
    done = subprocess.run([sys.executable, "-c", BLOCKED, library], capture_output=True, text=True, check=True)
    assert library in done.stdout
    assert "pip install 'purposebind[ledger]'" in done.stdout
