"""The report from a ledger: asks it every question, and has the answers worded for people who do not read code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeVar

from purposebind.ledger.errors import LedgerError

from . import rows
from .declared import Declared
from .findings import figures, findings
from .matrix import DECISIONS, STATES, matrix
from .page import Chain, Completeness, FieldRow, Report, SiteGroup
from .pictures import Strip, flow, strip
from .words import counted, day, moment, visible

if TYPE_CHECKING:
    from purposebind.ledger.chain import Gap
    from purposebind.ledger.ledger import Ledger
    from purposebind.ledger.results import Affected, Bucket, SiteUse

__all__ = ["Watch", "build"]

_Row = TypeVar("_Row")

Watch = Callable[[str, float], object]
"""Told what is being asked, and how much of the whole is done, from 0 to 1."""

_HANDED_OUT = ("allowed", "observed", "break_glass")
_MOST_ROWS = 500
"""Of a table: a page of a million rows opens nowhere. The command line tells them all."""
_MOST_SITES = 40
"""Of the places behind one cell."""
_MOST_PROBLEMS = 20
"""Of the chain: the first is the one that matters."""

_BUCKETS = [
    ("hour", timedelta(hours=1), timedelta(days=4), "an hour"),
    ("day", timedelta(days=1), timedelta(days=200), "a day"),
    ("week", timedelta(weeks=1), timedelta(days=1400), "a week"),
    ("month", timedelta(days=30), timedelta.max, "a month"),
]
"""How long a bar is, by how long the whole is."""


def build(
    ledger: Ledger,
    declared: Declared | None = None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    anchor: str | None = None,
    made: datetime | None = None,
    watch: Watch = lambda doing, done: None,
) -> Report:
    """Return the report of `ledger`.

    Args:
        ledger: What to report on.
        declared: What the code declares, from `declared_in`; None where that is not known.
        since: An aware time: only what happened then or later.
        until: An aware time: only what happened before.
        anchor: A head of the chain that was kept elsewhere, such as ``"41:9f2c..."``.
        made: What to give as the time of making; now where it is None.
        watch: Told of the progress.

    Raises:
        LedgerError: The ledger cannot be read, or people cannot be counted across its folders.
    """
    watch("Checking the chain", 0.0)
    if anchor is not None and len(ledger.folders) > 1:
        raise LedgerError("An anchor is that of one ledger, and several are given")
    chains = tuple(_chain(one, anchor) for one in ledger.each())
    completeness = _completeness(ledger)
    watch("Counting people", 0.1)
    affected = {state: ledger.affected(decision=word, since=since, until=until) for word, state in DECISIONS.items()}
    affected["read"] = ledger.affected(decision=_HANDED_OUT, since=since, until=until)
    watch("Counting people by field and purpose", 0.3)
    cells = ledger.matrix(since=since, until=until)
    watch("Finding the code", 0.5)
    sites = ledger.sites(since=since, until=until)
    denials = ledger.denials(since=since, until=until)
    handovers = ledger.handovers(since=since, until=until)
    emergencies = ledger.break_glass(since=since, until=until)
    watch("Drawing the timeline", 0.8)
    first, last = _period(affected.values())
    kind, step, _, bucket = next(b for b in _BUCKETS if (last - first if first and last else timedelta()) <= b[2])
    strips, axis = _timeline(ledger.timeline(kind, since=since, until=until), step) if first else ((), ())

    behind = _behind(sites)
    columns, fields = matrix(cells, declared, frozenset(behind))
    left_out: dict[str, int] = {}

    def most(name: str, found: Sequence[_Row]) -> tuple[_Row, ...]:
        left_out[name] = max(0, len(found) - _MOST_ROWS)
        return tuple(found[:_MOST_ROWS])

    report = Report(
        ledgers=tuple(visible(str(folder)) for folder in ledger.folders),
        made=f"{moment(made or datetime.now(timezone.utc))} UTC",
        period=" to ".join(dict.fromkeys((day(first), day(last)))) if first and last else "nothing was read",
        asked=" ".join([f"from {moment(since)}"] * bool(since) + [f"until {moment(until)}"] * bool(until)),
        packages=tuple(map(visible, declared.packages)) if declared else None,
        failed=tuple((visible(name), visible(why)) for name, why in declared.failed) if declared else (),
        findings=findings(affected, len(emergencies), completeness, chains),
        figures=figures(affected, len(emergencies), chains),
        columns=columns,
        fields=fields,
        sites=_groups(behind, fields),
        strips=strips,
        axis=axis,
        bucket=bucket,
        denials=tuple(map(rows.denial, most("denials", denials))),
        flow=flow(handovers),
        handovers=tuple(map(rows.handover, most("handovers", handovers))),
        emergencies=tuple(map(rows.emergency, most("emergencies", emergencies))),
        unknown=rows.unknown(cells),
        completeness=replace(completeness, damage=most("damage", completeness.damage)),
        chains=chains,
        left_out=left_out,
    )
    watch("Done", 1.0)
    return report


def _behind(sites: Iterable[SiteUse]) -> dict[tuple[str, str], list[SiteUse]]:
    """The places behind each field and purpose; work for several purposes is behind each of them."""
    behind: dict[tuple[str, str], list[SiteUse]] = defaultdict(list)
    for use in sites:
        for purpose in use.purposes or ("",):
            behind[use.field, purpose].append(use)
    return behind


def _groups(behind: dict[tuple[str, str], list[SiteUse]], fields: Iterable[FieldRow]) -> tuple[SiteGroup, ...]:
    """The places, in the order of the matrix: the gravest first, and then the most people."""
    shown = {(visible(field), visible(purpose)): (purpose, uses) for (field, purpose), uses in behind.items()}
    gravity = {state: place for place, state in enumerate(STATES)}
    groups = []
    for cell in (cell for row in fields for cell in row.cells if cell.has_sites):
        purpose, uses = shown[cell.field, cell.purpose]
        found = sorted((rows.site(use, purpose) for use in uses), key=lambda r: (gravity[r.state], -r.people.key))
        left_out = max(0, len(found) - _MOST_SITES)
        groups.append(SiteGroup(cell.id, cell.field, cell.purpose, tuple(found[:_MOST_SITES]), left_out))
    return tuple(groups)


def _period(affected: Iterable[Affected]) -> tuple[datetime | None, datetime | None]:
    moments = [when for one in affected for when in (one.first, one.last) if when is not None]
    return (min(moments), max(moments)) if moments else (None, None)


def _timeline(buckets: Sequence[Bucket], step: timedelta) -> tuple[tuple[Strip, ...], tuple[str, ...]]:
    """The strips, in the order of the decisions, and what to write below them."""
    by_state: dict[str, list[tuple[datetime, int, int]]] = defaultdict(list)
    for bucket in buckets:
        by_state[DECISIONS[bucket.decision]].append((bucket.start, bucket.people, bucket.reads))
    starts = [bucket.start for bucket in buckets]
    if not starts:
        return (), ()
    span = (min(starts), max(starts) + step)
    when = moment if step < timedelta(days=1) else day
    strips = tuple(strip(state, by_state[state], span, step, when) for state in DECISIONS.values() if state in by_state)
    middle = min(starts) + (max(starts) - min(starts)) / 2
    return strips, tuple(dict.fromkeys(map(when, (min(starts), middle, max(starts)))))


def _completeness(ledger: Ledger) -> Completeness:
    lost, damage = ledger.lost(), ledger.damage()
    between = f", between {moment(lost.first)} and {moment(lost.last)}" if lost.first and lost.last else ""
    broken = sum(dropped.records for dropped in damage)
    return Completeness(
        counted(lost.reads, "read", "reads") if lost.reads else "",
        between,
        counted(broken, "broken record was", "broken records were") if broken else "",
        tuple(map(rows.dropped, damage)),
    )


def _chain(ledger: Ledger, anchor: str | None) -> Chain:
    """The chain of one folder."""
    verdict = ledger.verify(anchor)
    problems = [visible(str(problem)) for problem in verdict.problems]
    checked = f"{counted(verdict.segments, 'finished part was', 'finished parts were')} checked"
    still = f"; {counted(verdict.open, 'part is', 'parts are')} not finished, and not in the chain yet"
    return Chain(
        visible(str(ledger.folders[0])),
        verdict.ok,
        problems[0] if problems else "",
        tuple(problems[1:_MOST_PROBLEMS]),
        str(verdict.head),
        anchor is not None,
        checked + (still if verdict.open else "") + ".",
        tuple(map(_gap, verdict.gaps)),
    )


def _gap(gap: Gap) -> str:
    signed = {None: "The signature was not checked.", True: "The signature holds.", False: "The signature is wrong."}
    return visible(f"Everything before {gap.before}, on {gap.at} by {gap.by}: {gap.reason}. {signed[gap.signed]}")
