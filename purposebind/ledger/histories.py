"""The questions about activities: whose data was read in which, by what handover, in what emergency.

An activity has a row in each segment that tells of it. What is told of it is the same in all of them, but for its end.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from .counting import Asking, Joined, NameRow, aware
from .engine import listed, load
from .errors import LedgerError
from .filters import DECISIONS, Chosen, microseconds
from .results import Activity, Emergency, Handover, HandoverUse, Use

__all__ = ["emergencies", "handovers", "listed_activities", "uses"]

_BY_ACTIVITY = "JOIN acts a ON a.activity = r.activity"
_BY_NAME = "JOIN grouped g ON g.what = r.what"


def uses(asking: Asking, chosen: Chosen, person: bytes, key: str) -> list[Use]:
    """Return what was read of a person, by time.

    Args:
        asking: Asks.
        chosen: What is asked for.
        person: 16 bytes.
        key: The id of the key by which they were made of the person.

    Raises:
        LedgerError: People in the ledger were hashed by another key.
    """
    others = sorted(asking.view.keys.keys() - {key})
    if others:
        raise LedgerError(
            f"This is not the key by which people were hashed: it is {key}, and {asking.view.keys[others[0]]} was "
            f"written with {others[0]}"
        )
    high, low = int.from_bytes(person[:8], "big"), int.from_bytes(person[8:], "big")
    files = asking.view.reads[high >> 60]
    names = {name.what: name for name in asking.names() if _takes(chosen, name)}
    if not files or not names:
        return []
    rows = asking.rows(
        f"""SELECT what, activity, sum(times), min("last"), max("last") FROM {listed(files)} r
        WHERE subject_hi = ? AND subject_lo = ? AND {asking.window(chosen)} GROUP BY ALL""",
        (high, low),
    )
    rows = [row for row in rows if row[0] in names]
    load(asking.engine, "acts", {"activity": "UBIGINT"}, [(one,) for one in sorted({row[1] for row in rows})])
    traces: dict[int, str | None] = {}
    if asking.view.tables["activities"]:
        query = f"SELECT activity, max(trace) FROM {_activities(asking)} JOIN acts USING (activity) GROUP BY ALL"
        traces = dict(asking.rows(query))
    found = [
        Use(name.field, name.purposes, name.decision, name.site, times, first, last, traces.get(activity), activity)
        for what, activity, times, first, last in rows
        for name, first, last in [(names[what], _told(first), _told(last))]
    ]
    return sorted(found, key=_by_time)


def handovers(asking: Asking, chosen: Chosen) -> list[HandoverUse]:
    """Return the handovers, most activities first."""
    groups: dict[tuple[str, str, str, str], int] = {}
    pairs: list[tuple[int, int]] = []
    for name, purposes, site, told, _, _ in _names(asking):
        if told and _takes_activity(chosen, purposes, site):
            of_name = {(one["left"], one["entered"], one["reason"], site) for one in told}
            pairs += [(name, groups.setdefault(one, len(groups))) for one in of_name]
    if not pairs:
        return []
    _choose(asking, chosen, pairs)
    activities = asking.rows(
        "SELECT grp, count(DISTINCT activity), min(started), max(started) FROM acts GROUP BY grp ORDER BY grp"
    )
    read = _read_in(asking, chosen)
    keys = list(groups)
    found = []
    for number, many, first, last in activities:
        left, entered, reason, site = keys[number]
        people, reads = read.get(number, (0, 0))
        found.append(HandoverUse(left, entered, reason, site, many, people, reads, _told(first), _told(last)))
    return sorted(found, key=lambda use: (-use.activities, use.left, use.entered, use.site, use.reason))


def emergencies(asking: Asking, chosen: Chosen) -> list[Emergency]:
    """Return the emergencies, by time. An activity inside one belongs to it."""
    names = {row[0]: row for row in _names(asking) if row[4] is not None}
    if not names:
        return []
    load(asking.engine, "chosen_names", {"name": "UBIGINT"}, [(name,) for name in names])
    rows = asking.rows(
        f"""SELECT activity, min(name), max(around), min(started), max(ended)
        FROM {_activities(asking)} JOIN chosen_names USING (name) GROUP BY activity ORDER BY min(started), activity"""
    )
    of = {activity: (names[name], around) for activity, name, around, _, _ in rows}
    outermost = {activity: _outermost(activity, of) for activity in of}
    numbers: dict[int, int] = {}
    opened: list[Emergency] = []
    for activity, name, _, started, ended in rows:
        site = names[name][2]
        if outermost[activity] == activity and _starts(chosen, started) and chosen.takes_site(site):
            numbers[activity] = len(opened)
            reason, by = names[name][4:]
            opened.append(Emergency(reason, by or "", site, _told(started), aware(ended), 0, 0, ()))
    inside = [(one, numbers[outer]) for one, outer in outermost.items() if outer in numbers]
    load(asking.engine, "acts", {"activity": "UBIGINT", "grp": "UINTEGER"}, inside)
    everything = Chosen(field=chosen.field).narrowed(("allowed", "observed", "break_glass"))
    read = _read_in(asking, everything)
    fields = _fields_in(asking)
    found = []
    for number, one in enumerate(opened):
        people, reads = read.get(number, (0, 0))
        found.append(replace(one, people=people, reads=reads, fields=tuple(sorted(fields.get(number, ())))))
    return found


def listed_activities(asking: Asking, chosen: Chosen, handed_over: bool, limit: int | None) -> list[Activity]:
    """Return activities, the last one first."""
    pairs = [
        (name, 0)
        for name, purposes, site, told, _, _ in _names(asking)
        if (told or not handed_over) and _takes_activity(chosen, purposes, site)
    ]
    if not pairs:
        return []
    _choose(asking, chosen, pairs)
    by_reads = chosen.field is not None or chosen.decisions != frozenset(DECISIONS)
    cut = "" if limit is None else f"LIMIT {limit}"
    if not by_reads:  # what is not shown need not be counted
        asking.engine.execute(
            f"CREATE OR REPLACE TEMP TABLE acts AS SELECT * FROM acts ORDER BY started DESC, activity DESC {cut}"
        )
    asking.group_whats([(name.what, 0) for name in asking.names() if _takes_read(chosen, name)])
    asking.count_into_table(Joined("r.activity", f"{_BY_NAME} {_BY_ACTIVITY}", by_activity=True), Chosen())
    kind = "" if by_reads else "LEFT"
    asking.engine.execute(
        f"""CREATE OR REPLACE TEMP TABLE shown AS SELECT a.activity, a.started, a.ended,
            coalesce(c.people, 0) AS people, coalesce(c.reads, 0) AS reads, coalesce(c.unknown, 0) AS unknown
        FROM acts a {kind} JOIN counted c ON c.grp = a.activity ORDER BY a.started DESC, a.activity DESC {cut}"""
    )
    rows = asking.rows(
        f"""SELECT DISTINCT ON (s.activity) s.activity, d.purposes, d.entered, d.site, d.handovers, d.trace, d.around,
            s.started, s.ended, d.break_glass, d."by", d.pid, d.host, d.service, s.people, s.reads, s.unknown
        FROM shown s JOIN {_activities(asking)} d USING (activity) ORDER BY s.activity, d.continued"""
    )
    return [_activity(row) for row in sorted(rows, key=lambda row: (row[7], row[0]), reverse=True)]


def _activity(row: tuple[Any, ...]) -> Activity:
    activity, purposes, entered, site, told, trace, around, started, ended, *rest = row
    came = tuple(Handover(**one) for one in told)
    return Activity(
        activity, tuple(purposes), tuple(entered), site, came, trace, around, aware(started), aware(ended), *rest
    )


def _activities(asking: Asking) -> str:
    return listed(asking.view.tables["activities"])


def _names(asking: Asking) -> list[tuple[Any, ...]]:
    """What activities there are: name, purposes, site, handovers, break_glass, by."""
    if not asking.view.tables["activities"]:
        return []
    return asking.rows(
        f"""SELECT DISTINCT ON (name) name, purposes, site, handovers, break_glass, "by" FROM {_activities(asking)}"""
    )


def _choose(asking: Asking, chosen: Chosen, pairs: list[tuple[int, int]]) -> None:
    """Make the table ``acts``: the activities that are asked for, in their groups."""
    load(asking.engine, "chosen_names", {"name": "UBIGINT", "grp": "UINTEGER"}, pairs)
    window = ["true"]
    if chosen.since is not None:
        window.append(f"min(started) >= make_timestamp({chosen.since})")
    if chosen.until is not None:
        window.append(f"min(started) < make_timestamp({chosen.until})")
    asking.engine.execute(
        f"""CREATE OR REPLACE TEMP TABLE acts AS SELECT activity, grp, min(started) AS started, max(ended) AS ended
        FROM {_activities(asking)} JOIN chosen_names USING (name) GROUP BY activity, grp
        HAVING {" AND ".join(window)}"""
    )


def _read_in(asking: Asking, chosen: Chosen) -> dict[int, tuple[int, int]]:
    """Count the people and reads in the groups of activities."""
    asking.group_whats([(name.what, 0) for name in asking.names() if _takes_read(chosen, name)])
    counted = asking.count(Joined("a.grp", f"{_BY_NAME} {_BY_ACTIVITY}", by_activity=True), Chosen())
    return {number: (one.people, one.reads) for number, _, one in counted}


def _fields_in(asking: Asking) -> dict[int, set[str]]:
    """The fields that were read in the groups of activities, of the names in the table ``grouped``."""
    names = {name.what: name.field for name in asking.names()}
    files = [file for part in asking.view.reads for file in part]
    found: dict[int, set[str]] = {}
    if files:
        query = f"SELECT DISTINCT a.grp, r.what FROM {listed(files)} r {_BY_NAME} {_BY_ACTIVITY}"
        for number, what in asking.rows(query):
            found.setdefault(number, set()).add(names[what])
    return found


def _outermost(activity: int, of: dict[int, tuple[tuple[Any, ...], int]]) -> int:
    """The activity that opened the emergency in which one is."""
    seen = {activity}
    while True:
        name, around = of[activity]
        if around not in of or around in seen or of[around][0][4:] != name[4:]:
            return activity
        activity = around
        seen.add(activity)


def _takes(chosen: Chosen, name: NameRow) -> bool:
    return chosen.takes(name.decision, name.field, name.purposes, name.site)


def _takes_read(chosen: Chosen, name: NameRow) -> bool:
    return name.decision in chosen.decisions and chosen.takes_field(name.field)


def _takes_activity(chosen: Chosen, purposes: list[str], site: str) -> bool:
    return chosen.takes_site(site) and (
        chosen.purpose is None or any(chosen.takes_purpose(purpose) for purpose in purposes)
    )


def _starts(chosen: Chosen, started: datetime) -> bool:
    moment = microseconds(_told(started))
    return (chosen.since is None or moment >= chosen.since) and (chosen.until is None or moment < chosen.until)


def _told(moment: datetime) -> datetime:
    told = aware(moment)
    assert told is not None
    return told


def _by_time(use: Use) -> tuple[Any, ...]:
    """By all that tells uses apart: the engine returns them in any order, and an answer has the same one each time."""
    return (use.first, use.last, use.activity, use.field, use.decision, use.site or "", use.purposes, use.times)
