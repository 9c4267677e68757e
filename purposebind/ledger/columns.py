"""The records of a segment as columns of numbers.

A record is taken or dropped by itself. A read has no time of its own, and gets the two between which it happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .errors import LedgerError
from .name_parts import NameParts
from .records import HEADER_BYTES, RECORD_BYTES, Flag, Kind
from .wholeness import whole_reads, whole_records

try:
    import numpy as np
except ImportError:
    raise LedgerError("Reading a ledger needs numpy: pip install 'purposebind[ledger]'") from None

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CLOSES", "DENIALS", "LOST", "OPENS", "READS", "Columns", "Dropped", "Found"]

READS: Final = np.dtype(
    [("number", "u2"), ("activity", "u8"), ("hi", "u8"), ("lo", "u8"), ("known", "?"), ("mono", "u8"), ("until", "u8")]
)
DENIALS: Final = np.dtype(READS.descr[:-1])
OPENS: Final = np.dtype(
    [
        ("number", "u2"),
        ("activity", "u8"),
        ("mono", "u8"),
        ("around", "u8"),
        ("trace_hi", "u8"),
        ("trace_lo", "u8"),
        ("continued", "?"),
    ]
)
CLOSES: Final = np.dtype([("activity", "u8"), ("mono", "u8")])
LOST: Final = np.dtype([("reads", "u8"), ("mono", "u8")])


_TOLD: Final = 10_000
"""How many damaged stretches are told one by one; a file of noise has millions."""
_NOBODY: Final = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_8, _32, _48, _16_BITS = np.uint64(8), np.uint64(32), np.uint64(48), np.uint64(0xFFFF)
_KINDS: Final = frozenset(int(kind) for kind in Kind)
_TYPES: Final = {Kind.DENIAL: DENIALS, Kind.OPEN: OPENS, Kind.CLOSE: CLOSES, Kind.LOST: LOST}
_TIME_WORDS: Final = {Kind.DENIAL: 4, Kind.OPEN: 2, Kind.CLOSE: 2, Kind.MARK: 2, Kind.LOST: 3}
"""Which of the six 64-bit words of a record is its time."""


class Dropped(NamedTuple):
    """Places one after the other that are damaged in the same way: where the first is in the file, how, how many."""

    offset: int
    what: str
    records: int


class Found(NamedTuple):
    """What all pieces hold together."""

    names: dict[int, dict[str, Any]]
    reads: NDArray[np.void]
    denials: NDArray[np.void]
    opens: NDArray[np.void]
    closes: NDArray[np.void]
    lost: NDArray[np.void]
    damage: list[Dropped]


class Columns:
    """Grows as the pieces of a file come in.

    Args:
        places: How many records the pieces can have together.
        created: When the segment was made, in ns of the monotonic clock.

    Attributes:
        records: How many records are whole.
    """

    def __init__(self, places: int, created: int) -> None:
        # Reads are by far the most. The memory is the system's until it is written to.
        self._reads = np.empty(places, READS)
        self._places = np.empty(places, np.uint32)
        self._many = 0
        self._waiting = 0
        self._now = np.uint64(created)
        self._other: dict[Kind, list[NDArray[np.void]]] = {}
        self._other_places: dict[Kind, list[NDArray[np.integer[Any]]]] = {}
        self._names = NameParts()
        self.records = 0
        self._damage: list[Dropped] = []
        self._untold: list[Dropped] = []

    def take(self, data: bytes, offset: int) -> None:
        """Take the records of a piece that begins at an offset of the file."""
        octets = np.frombuffer(data, np.uint8).reshape(-1, RECORD_BYTES)
        words = np.frombuffer(data, "<u8").reshape(-1, RECORD_BYTES // 8)
        big = words.view(">u8")  # people and traces are numbers that begin with their highest byte
        kinds = octets[:, 0]
        empty = np.flatnonzero(kinds == 0)
        self._torn(empty[words[empty].any(axis=1)], offset)

        reads = np.flatnonzero(kinds == Kind.READ)
        whole = whole_reads(words[reads])
        self._torn(reads[~whole], offset)
        reads = reads[whole]

        others = np.flatnonzero(kinds > Kind.READ)
        whole = whole_records(octets[others])
        self._torn(others[~whole], offset)
        others = others[whole]
        for kind in np.unique(kinds[others]):
            rows = others[kinds[others] == kind]
            if kind in _KINDS:
                self.records += len(rows)
            else:
                self._damaged(offset + rows * RECORD_BYTES, f"is of a kind that this version does not know: {kind}")

        times, later = self._times(words, kinds, others)
        self._take_reads(reads, words, big, times, later, offset)
        for kind in (Kind.DENIAL, Kind.OPEN, Kind.CLOSE, Kind.LOST):
            rows = others[kinds[others] == kind]
            if len(rows):
                self._other.setdefault(kind, []).append(_columns_of(kind, words[rows], big[rows]))
                self._other_places.setdefault(kind, []).append((offset - HEADER_BYTES) // RECORD_BYTES + rows)
        for row in others[kinds[others] == Kind.NAME]:
            number, part = int(words[row, 0] >> _32 & _16_BITS), int(words[row, 0] >> _48)
            place = offset + int(row) * RECORD_BYTES
            self._names.add(number, part, int(words[row, 1]), octets[row, 16:].tobytes(), place)

    def _times(
        self, words: NDArray[np.uint64], kinds: NDArray[np.uint8], others: NDArray[np.intp]
    ) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
        """The times that records tell, 0 where they tell none; and which records were written at the time they tell."""
        times = np.zeros(len(words), np.uint64)
        for kind, word in _TIME_WORDS.items():
            rows = others[kinds[others] == kind]
            times[rows] = words[rows, word]
        # The time in an OPEN is that of the entry; it is written at the first read, which may be much later.
        later = others[(kinds[others] != Kind.NAME) & (kinds[others] != Kind.OPEN) & (kinds[others] <= Kind.NAME)]
        return times, later

    def _take_reads(
        self,
        rows: NDArray[np.intp],
        words: NDArray[np.uint64],
        big: NDArray[np.uint64],
        times: NDArray[np.uint64],
        later: NDArray[np.intp],
        offset: int,
    ) -> None:
        start, stop = self._many, self._many + len(rows)
        if len(later):  # ends the wait of reads that came in earlier
            self._reads["until"][self._waiting : start] = times[later[0]]
            self._waiting = start
        out = self._reads[start:stop]
        _people(out, words[rows], big[rows])
        so_far = np.maximum(np.maximum.accumulate(times), self._now) if len(times) else times
        out["mono"] = so_far[rows]
        self._now = so_far[-1] if len(so_far) else self._now
        following = np.searchsorted(later, rows)
        told = int(np.searchsorted(following, len(later)))
        out["until"][:told] = times[later[following[:told]]]
        if len(later):
            self._waiting = start + told
        self._places[start:stop] = (offset - HEADER_BYTES) // RECORD_BYTES + rows
        self._many = stop
        self.records += len(rows)

    def cut_off(self, offset: int) -> None:
        """Note that the file ends in the middle of a record."""
        self._damaged(np.array([offset]), "is cut off: the file ends in it")

    def done(self) -> Found:
        """Return it all; records whose names are missing are dropped here, for a name may stand behind them."""
        names, broken = self._names.whole()
        for offset, what in broken.items():
            self._damaged(np.array([offset]), what)
        reads = self._reads[: self._many]
        reads["until"][self._waiting :] = 0
        np.maximum(reads["until"], reads["mono"], out=reads["until"])
        return Found(
            names=names,
            reads=self._named(reads, self._places[: self._many], names, "field"),
            denials=self._named(*self._all(Kind.DENIAL), names, "denial"),
            opens=self._named(*self._all(Kind.OPEN), names, "activity"),
            closes=self._all(Kind.CLOSE)[0],
            lost=self._all(Kind.LOST)[0],
            damage=[*_joined(self._damage), *_summed(self._untold)],
        )

    def _all(self, kind: Kind) -> tuple[NDArray[np.void], NDArray[np.integer[Any]]]:
        if kind not in self._other:
            return np.empty(0, _TYPES[kind]), np.empty(0, np.int64)
        return np.concatenate(self._other[kind]), np.concatenate(self._other_places[kind])

    def _named(
        self, rows: NDArray[np.void], places: NDArray[np.integer[Any]], names: dict[int, dict[str, Any]], kind: str
    ) -> NDArray[np.void]:
        known = np.zeros(1 << 16, np.bool_)
        known[[number for number, name in names.items() if name["is"] == kind]] = True
        kept = known[rows["number"]]
        if kept.all():
            return rows
        for number in np.unique(rows["number"][~kept]):
            self._damaged(
                HEADER_BYTES + places[rows["number"] == number].astype(np.int64) * RECORD_BYTES,
                f"refers to name {number}, which is missing"
                if int(number) not in names
                else f"refers to name {number}, which is not that of a kind {kind!r}",
            )
        named: NDArray[np.void] = rows[kept]
        return named

    def _torn(self, rows: NDArray[np.intp], offset: int) -> None:
        self._damaged(offset + rows * RECORD_BYTES, "is not whole: its check does not hold")

    def _damaged(self, offsets: NDArray[np.int64], what: str) -> None:
        if not len(offsets):
            return
        firsts = np.flatnonzero(np.diff(offsets, prepend=offsets[0] - 1) != RECORD_BYTES)
        many = np.diff(firsts, append=len(offsets))
        room = max(0, _TOLD - len(self._damage))
        for first, count in zip(firsts[:room].tolist(), many[:room].tolist(), strict=True):
            self._damage.append(Dropped(int(offsets[first]), what, count))
        if len(firsts) > room:
            self._untold.append(Dropped(int(offsets[firsts[room]]), what, int(many[room:].sum())))


def _people(out: NDArray[np.void], words: NDArray[np.uint64], big: NDArray[np.uint64]) -> None:
    """Fill in what reads and denials have in common."""
    out["number"] = words[:, 0] >> _32 & _16_BITS
    out["activity"] = words[:, 1]
    out["hi"] = big[:, 2]
    out["lo"] = big[:, 3]
    out["known"] = (words[:, 2] != _NOBODY) | (words[:, 3] != _NOBODY)


def _columns_of(kind: Kind, words: NDArray[np.uint64], big: NDArray[np.uint64]) -> NDArray[np.void]:
    out = np.empty(len(words), _TYPES[kind])
    if kind is Kind.LOST:
        out["reads"] = words[:, 2]
    elif kind is Kind.DENIAL:
        _people(out, words, big)
    else:
        out["activity"] = words[:, 1]
    if kind is Kind.OPEN:
        out["number"] = words[:, 0] >> _32 & _16_BITS
        out["around"] = words[:, 3]
        out["trace_hi"] = big[:, 4]
        out["trace_lo"] = big[:, 5]
        out["continued"] = words[:, 0] >> _8 & np.uint64(Flag.CONTINUED) != 0
    out["mono"] = words[:, _TIME_WORDS[kind]]
    return out


def _joined(damage: list[Dropped]) -> list[Dropped]:
    joined: list[Dropped] = []
    for found in sorted(damage, key=lambda one: one.offset):
        last = joined[-1] if joined else None
        if last and last.what == found.what and last.offset + last.records * RECORD_BYTES == found.offset:
            joined[-1] = Dropped(last.offset, last.what, last.records + found.records)
        else:
            joined.append(found)
    return joined


def _summed(damage: list[Dropped]) -> list[Dropped]:
    if not damage:
        return []
    what = "and others after it are damaged, too many to tell one by one"
    return [Dropped(min(one.offset for one in damage), what, sum(one.records for one in damage))]
