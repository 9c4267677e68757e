"""The rows that questions run on, made from the records of a segment.

What this module keeps:

- Each whole read and each denial is in one row, as it was recorded: whose, of what, in which activity, when.
- What a row is about is told once, as a `Name`, whose number is a hash of its content: the same in every segment.
- A read happened between two times that its process told; the row has both. The later one is within the writer's
  interval, and is what questions go by. The earlier one can be long before, where nothing else happened.
- Text in names is text: what cannot be written as UTF-8 is written out.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .errors import LedgerError
from .reading import SegmentData

try:
    import numpy as np
except ImportError:
    raise LedgerError("Asking a ledger needs numpy: pip install 'purposebind[ledger]'") from None

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ACTIVITIES", "NEVER", "READS", "ActivityName", "Name", "SegmentRows", "rows_of"]

READS: Final = np.dtype(
    [("what", "u8"), ("activity", "u8"), ("hi", "u8"), ("lo", "u8"), ("known", "?"), ("first", "i8"), ("last", "i8")]
)
"""Times in microseconds since 1970."""
ACTIVITIES: Final = np.dtype(
    [
        ("activity", "u8"),
        ("name", "u8"),
        ("trace_hi", "u8"),
        ("trace_lo", "u8"),
        ("around", "u8"),
        ("started", "i8"),
        ("ended", "i8"),
        ("continued", "?"),
    ]
)
NEVER: Final = -1
"""Stands for the end of an activity that has none."""

_LAST_TIME: Final = 253_402_300_799_999_999
"""The last microsecond of the year 9999: no calendar goes further."""


class Name(NamedTuple):
    """What was read or denied, why, and where: all that rows have in common."""

    decision: str
    field: str
    purposes: list[str]
    site: str | None
    reason: str | None
    allowed: list[str] | None
    break_glass: str | None
    by: str | None
    handovers: list[dict[str, str]]


class ActivityName(NamedTuple):
    """What activities have in common."""

    purposes: list[str]
    entered: list[str]
    site: str
    handovers: list[dict[str, str]]
    break_glass: str | None
    by: str | None


class SegmentRows(NamedTuple):
    """What is made of a segment.

    Attributes:
        segment: Its id.
        header: What its header says.
        reads: Of the type `READS`: reads and denials.
        names: By their numbers, the column ``what``.
        activities: Of the type `ACTIVITIES`, one for each activity.
        activity_names: By their numbers, the column ``name``.
        lost: When that was told, in microseconds since 1970, and how many reads.
        damage: Where, what, and how many records.
    """

    segment: str
    header: dict[str, Any]
    reads: NDArray[np.void]
    names: dict[int, Name]
    activities: NDArray[np.void]
    activity_names: dict[int, ActivityName]
    lost: list[tuple[int, int]]
    damage: list[tuple[int, str, int]]


def rows_of(segment: str, data: SegmentData) -> SegmentRows:
    """Return the rows that a segment makes.

    Args:
        segment: The segment's id.
        data: What it holds.
    """
    opens = _once_each(data.opens)
    made = _Names(data, opens)
    reads = np.empty(len(data.reads) + len(data.denials), READS)
    unnamed = made.fill(reads[: len(data.reads)], data.reads)
    unnamed += made.fill(reads[len(data.reads) :], data.denials)
    reads["first"][: len(data.reads)] = _times(data, data.reads["mono"])
    reads["last"][: len(data.reads)] = _times(data, data.reads["until"])
    for column in ("first", "last"):
        reads[column][len(data.reads) :] = _times(data, data.denials["mono"])
    damage = [(one.offset, one.what, one.records) for one in data.damage]
    if unnamed:
        what = f"is not there: the entry of an activity; for what and where its {unnamed} reads were, is not known"
        damage.append((0, what, 0))
    activities, activity_names = _activities(data, opens)
    return SegmentRows(
        segment=segment,
        header=data.header,
        reads=reads,
        names=made.names,
        activities=activities,
        activity_names=activity_names,
        lost=[
            (int(at), int(many)) for at, many in zip(_times(data, data.lost["mono"]), data.lost["reads"], strict=True)
        ],
        damage=damage,
    )


class _Names:
    """Names the rows of a segment."""

    def __init__(self, data: SegmentData, opens: NDArray[np.void]) -> None:
        self.names: dict[int, Name] = {}
        self._told = data.names
        self._activities = np.ascontiguousarray(opens["activity"])
        self._numbers = opens["number"].astype(np.int64)
        self._whats: dict[tuple[int, int], int] = {}

    def fill(self, out: NDArray[np.void], records: NDArray[np.void]) -> int:
        """Fill in what reads and denials have in common, and return how many are of an activity that is not told."""
        for column in ("activity", "hi", "lo", "known"):
            out[column] = records[column]
        if not len(records):
            return 0
        # Reads of one field in one activity mostly stand together: only where that changes is a name looked up.
        number, activity = records["number"], records["activity"]
        changes = np.flatnonzero((number[1:] != number[:-1]) | (activity[1:] != activity[:-1])) + 1
        starts = np.concatenate(([0], changes))
        many = np.diff(np.concatenate((starts, [len(records)])))
        around = self._entered(activity[starts])
        pairs, place = np.unique(number[starts].astype(np.int64) << 32 | (around + 1), return_inverse=True)
        whats = np.array([self._what(int(pair) >> 32, (int(pair) & 0xFFFF_FFFF) - 1) for pair in pairs], np.uint64)
        out["what"] = np.repeat(whats[place.reshape(-1)], many)
        return int(many[(around < 0) & (activity[starts] != 0)].sum())

    def _entered(self, activities: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The numbers of the activities' names; -1 where there is none."""
        if not len(self._activities):
            return np.full(len(activities), -1, np.int64)
        place = np.minimum(np.searchsorted(self._activities, activities), len(self._activities) - 1)
        return np.where(self._activities[place] == activities, self._numbers[place], -1)

    def _what(self, number: int, around: int) -> int:
        name = _name(self._told[number], _activity_name(self._told[around] if around >= 0 else {}))
        what = _number_of(name)
        self.names[what] = name
        return what


def _once_each(opens: NDArray[np.void]) -> NDArray[np.void]:
    """The entries, ordered by activity, the first one of each."""
    _, first = np.unique(opens["activity"], return_index=True)
    return opens[first]


def _activities(data: SegmentData, opens: NDArray[np.void]) -> tuple[NDArray[np.void], dict[int, ActivityName]]:
    names: dict[int, ActivityName] = {}
    numbers = np.zeros(1 << 16, np.uint64)
    for number in np.unique(opens["number"]):
        name = _activity_name(data.names[int(number)])
        numbers[number] = _number_of(name)
        names[int(numbers[number])] = name
    out = np.empty(len(opens), ACTIVITIES)
    for column in ("activity", "trace_hi", "trace_lo", "around", "continued"):
        out[column] = opens[column]
    out["name"] = numbers[opens["number"]]
    out["started"] = _times(data, opens["mono"])
    out["ended"] = NEVER
    closes = data.closes[np.argsort(data.closes["mono"], kind="stable")]
    if len(closes) and len(opens):
        place = np.minimum(np.searchsorted(out["activity"], closes["activity"]), len(out) - 1)
        known = out["activity"][place] == closes["activity"]
        out["ended"][place[known]] = _times(data, closes["mono"][known])  # of several the last
    return out, names


def _times(data: SegmentData, mono: NDArray[np.uint64]) -> NDArray[np.int64]:
    return np.clip(data.wall(mono) // 1000, 0, _LAST_TIME)


def _name(told: dict[str, Any], around: ActivityName) -> Name:
    """What a read or denial of this name in that activity is about."""
    field = _text(told.get("field"))
    rest = (around.break_glass, around.by, around.handovers)
    if told["is"] == "field":
        decision = "allowed" if around.break_glass is None else "break_glass"
        return Name(decision, field, around.purposes, around.site or None, None, None, *rest)
    decision = "denied" if told.get("enforced", True) else "observed"
    site = told.get("site")
    purposes, allowed = _texts(told.get("purposes")), _texts(told.get("allowed"))
    where = None if site is None else _text(site)
    return Name(decision, field, purposes, where, _text(told.get("reason")), allowed, *rest)


def _activity_name(told: dict[str, Any]) -> ActivityName:
    emergency = told.get("break_glass")
    if emergency is not None and not isinstance(emergency, dict):
        emergency = {"reason": emergency}
    return ActivityName(
        purposes=_texts(told.get("purposes")),
        entered=_texts(told.get("entered")),
        site=_text(told.get("site")),
        handovers=[
            {key: _text(one.get(key)) for key in ("left", "entered", "reason")}
            for one in told.get("handovers") or ()
            if isinstance(one, dict)
        ],
        break_glass=None if emergency is None else _text(emergency.get("reason")),
        by=None if emergency is None else _text(emergency.get("by")),
    )


def _text(value: Any) -> str:
    """Text that can be written as UTF-8."""
    return "" if value is None else str(value).encode("utf-8", "backslashreplace").decode()


def _texts(values: Any) -> list[str]:
    return [_text(value) for value in values or ()]


def _number_of(name: Name | ActivityName) -> int:
    text = json.dumps(name._asdict(), sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
