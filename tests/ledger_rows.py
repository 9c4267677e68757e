"""What a ledger's segments hold, told one record at a time: what the tests compare with what was handed out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from purposebind.ledger import Key
from purposebind.ledger.folder import Folder
from purposebind.ledger.reading import SegmentData, read_segment

KEY = Key(bytes(32))
"""The key of every ledger that a test makes without saying by which."""


@dataclass(frozen=True)
class Activity:
    id: int
    purposes: list[str]
    entered: list[str]
    site: str
    handovers: list[dict[str, str]]
    break_glass: dict[str, str] | None
    trace: int
    around: int
    started: int
    continued: bool
    pid: int
    writer: str


@dataclass(frozen=True)
class Read:
    field: str
    person: bytes | None
    activity: int
    pid: int


@dataclass(frozen=True)
class Denial:
    field: str
    person: bytes | None
    activity: int
    purposes: list[str]
    reason: str
    site: str | None
    enforced: bool
    allowed: list[str]


@dataclass
class Rows:
    """All records of a ledger.

    Attributes:
        ended: When each activity ended, in ns of the monotonic clock, as often as that was told.
    """

    reads: list[Read] = field(default_factory=list)
    denials: list[Denial] = field(default_factory=list)
    opens: list[Activity] = field(default_factory=list)
    ended: dict[int, list[int]] = field(default_factory=dict)
    lost: int = 0
    damage: list[Any] = field(default_factory=list)
    segments: int = 0
    writers: dict[str, int] = field(default_factory=dict)

    @property
    def activities(self) -> dict[int, Activity]:
        """The first that was told of each."""
        found: dict[int, Activity] = {}
        for one in sorted(self.opens, key=lambda one: one.continued):
            found.setdefault(one.id, one)
        return found

    def of(self, *subjects: Any, key: Key = KEY) -> Counter[tuple[str, Any]]:
        """How often each field was read of each of `subjects`; of None where the person is unknown."""
        names: dict[bytes | None, Any] = {key.person(subject): subject for subject in subjects}
        names[None] = None
        return Counter((read.field, names.get(read.person, "somebody else")) for read in self.reads)


def rows(folder: Path | str) -> Rows:
    """Return what the segments in `folder` hold, the closed ones and the open ones."""
    found, places = Rows(), Folder(folder)
    for path in sorted([*places.closed.glob("*.seg"), *places.open.glob("*.seg")]):
        data = read_segment(path)
        assert data.header["segment"] not in found.writers
        found.segments += 1
        found.writers[data.header["segment"]] = data.header["pid"]
        found.damage += data.damage
        _take(found, data)
    return found


def _take(found: Rows, data: SegmentData) -> None:
    names, pid = data.names, data.header["pid"]
    for row in data.opens:
        name = names[int(row["number"])]
        found.opens.append(
            Activity(
                id=int(row["activity"]),
                trace=int(row["trace_hi"]) << 64 | int(row["trace_lo"]),
                around=int(row["around"]),
                started=int(row["mono"]),
                continued=bool(row["continued"]),
                pid=pid,
                writer=data.header["writer"],
                **{key: value for key, value in name.items() if key != "is"},
            )
        )
    numbers = data.reads["number"].tolist()
    activities = data.reads["activity"].tolist()
    for number, activity, person in zip(numbers, activities, _people(data.reads), strict=True):
        found.reads.append(Read(names[number]["field"], person, activity, pid))
    for row, person in zip(data.denials, _people(data.denials), strict=True):
        name = names[int(row["number"])]
        told = {key: value for key, value in name.items() if key != "is"}
        found.denials.append(Denial(person=person, activity=int(row["activity"]), **told))
    for row in data.closes:
        found.ended.setdefault(int(row["activity"]), []).append(int(row["mono"]))
    found.lost += sum(data.lost["reads"].tolist())


def _people(records: Any) -> Iterable[bytes | None]:
    for hi, lo, known in zip(records["hi"].tolist(), records["lo"].tolist(), records["known"].tolist(), strict=True):
        yield (hi << 64 | lo).to_bytes(16, "big") if known else None
