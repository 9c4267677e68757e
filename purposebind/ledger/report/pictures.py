"""The pictures: where each bar and band of them is. The template draws them, and tells the same in words.

In the timeline every kind of read has a strip of its own, with a scale of its own: one refused read shows beside a
million that were allowed, and no two things have to be told apart by colour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .words import counted, visible

if TYPE_CHECKING:
    from purposebind.ledger.results import HandoverUse

__all__ = ["Band", "Bar", "End", "Flow", "Strip", "flow", "strip"]

_STRIP_WIDTH = 1000.0
_STRIP_HEIGHT = 56.0
_LOWEST_BAR = 4.0  # one person is seen beside a million
_NARROWEST_BAR, _WIDEST_BAR = 2.0, 48.0

_BAND_FROM, _BAND_TO = 250.0, 510.0  # the names stand on both sides
_ROW = 56.0
_THICKEST = 40.0
_THINNEST = 2.5
_MOST_BANDS = 12


@dataclass(frozen=True)
class Bar:
    """A bar of a strip: its rectangle, and what it stands for."""

    x: float
    y: float
    width: float
    height: float
    when: str
    people: int
    reads: int

    @property
    def words(self) -> str:
        """The bar in words."""
        return f"{self.when}: {counted(self.people, 'person', 'people')}, {counted(self.reads, 'read', 'reads')}"


@dataclass(frozen=True)
class Strip:
    """The bars for one kind of read.

    Attributes:
        state: The kind, one of `matrix.STATES`.
        bars: Where there was something; in order.
        most: The largest number of people in one bar.
        words: The strip in a sentence.
    """

    state: str
    bars: tuple[Bar, ...]
    most: int
    words: str


def strip(
    state: str,
    counts: Iterable[tuple[datetime, int, int]],
    span: tuple[datetime, datetime],
    step: timedelta,
    when: Callable[[datetime], str],
) -> Strip:
    """Return the bars for one kind of read.

    Args:
        state: The kind.
        counts: The start of each bucket, its people and its reads; at least one.
        span: The start of the first bucket of all kinds, and the end of the last.
        step: How long a bucket is, or about so.
        when: What to call the bucket that starts then.
    """
    ordered = sorted(counts)
    most = max(people for _, people, _ in ordered)
    across = _STRIP_WIDTH / ((span[1] - span[0]) / timedelta(seconds=1))
    bars = []
    for start, people, reads in ordered:
        height = max(_LOWEST_BAR, _STRIP_HEIGHT * people / max(most, 1))
        width = min(max(_NARROWEST_BAR, step.total_seconds() * across * 0.86), _WIDEST_BAR)
        x = min((start - span[0]).total_seconds() * across, _STRIP_WIDTH - width)
        left, top, wide, high = (round(side, 2) for side in (x, _STRIP_HEIGHT - height, width, height))
        bars.append(Bar(left, top, wide, high, when(start), people, reads))
    highest = max(bars, key=lambda bar: (bar.people, bar.reads))
    total = counted(sum(bar.reads for bar in bars), "read", "reads")
    return Strip(state, tuple(bars), most, f"{total} in all; most people: {highest.words}.")


@dataclass(frozen=True)
class End:
    """A purpose at one side of a flow: its bar from `top` on, and how many activities it stands for, in words."""

    name: str
    top: float
    height: float
    words: str


@dataclass(frozen=True)
class Band:
    """A handover: the path along the middle of its band, the band's thickness, and what it says in words."""

    path: str
    thickness: float
    words: str


@dataclass(frozen=True)
class Flow:
    """Which purposes were left for which.

    Attributes:
        height: Of the picture; its width is 760, and the bands go from 250 to 510.
        left: The purposes left, from above.
        entered: The purposes entered instead.
        bands: The handovers.
        left_out: How many of the handovers are not drawn; those with the most activities are.
    """

    height: float
    left: tuple[End, ...]
    entered: tuple[End, ...]
    bands: tuple[Band, ...]
    left_out: int


def flow(handovers: Iterable[HandoverUse]) -> Flow | None:
    """Return the picture of the handovers, or None where there is none."""
    activities: dict[tuple[str, str], int] = defaultdict(int)
    for handover in handovers:
        activities[handover.left, handover.entered] += handover.activities
    if not activities:
        return None
    drawn = {pair: activities[pair] for pair in sorted(activities, key=lambda p: (-activities[p], p))[:_MOST_BANDS]}
    sides = [_totals((pair[side], count) for pair, count in drawn.items()) for side in (0, 1)]
    most = max(*sides[0].values(), *sides[1].values())
    thick = {pair: max(_THINNEST, _THICKEST * count / most) for pair, count in drawn.items()}
    height = _ROW * max(map(len, sides))
    left, entered = (
        _ends(totals, _totals((pair[i], thick[pair]) for pair in drawn), height) for i, totals in enumerate(sides)
    )
    bands = []
    free = [{name: end.top for name, end in side.items()} for side in (left, entered)]
    for pair, count in drawn.items():
        start, end = (free[side][pair[side]] + thick[pair] / 2 for side in (0, 1))
        for side in (0, 1):
            free[side][pair[side]] += thick[pair]
        words = f"{visible(pair[0])} to {visible(pair[1])}: {counted(count, 'activity', 'activities')}"
        bands.append(Band(_curve(start, end), round(thick[pair], 2), words))
    return Flow(height, tuple(left.values()), tuple(entered.values()), tuple(bands), len(activities) - len(drawn))


def _totals(counts: Iterable[tuple[str, float]]) -> dict[str, Any]:
    totals: dict[str, Any] = {}
    for name, count in counts:
        totals[name] = totals.get(name, 0) + count
    return totals


def _ends(totals: dict[str, int], heights: dict[str, float], height: float) -> dict[str, End]:
    """The ends at one side, with the room between them shared out."""
    gap = (height - sum(heights.values())) / len(heights)
    ends = {}
    at = gap / 2
    for name, total in totals.items():
        ends[name] = End(visible(name), round(at, 2), round(heights[name], 2), counted(total, "activity", "activities"))
        at += heights[name] + gap
    return ends


def _curve(start: float, end: float) -> str:
    bend = (_BAND_FROM + _BAND_TO) / 2
    return f"M{_BAND_FROM:g} {start:.2f}C{bend:g} {start:.2f} {bend:g} {end:.2f} {_BAND_TO:g} {end:.2f}"
