"""Reading a segment: all of its whole records, as columns, and what was dropped.

What this module keeps:

- A record is taken or dropped by itself: whatever stands around it, one that is whole is never lost, and one that is
  not is named with its place.
- A segment may be read while it is written: the answer holds what was there when the reading began. Its end is found
  first, and nothing behind it is looked at; else a record could be seen and the one before it not. The file is read and
  not mapped: closing a segment cuts it, and a mapped page that is cut away kills whoever touches it.
- Times are those of the monotonic clock: setting the wall clock moves no record.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, overload

from .columns import Columns
from .errors import LedgerError
from .extent import parse_header, read_at, written_end
from .records import HEADER_BYTES, RECORD_BYTES

try:
    import numpy as np
except ImportError:
    raise LedgerError("Reading a ledger needs numpy: pip install 'purposebind[ledger]'") from None

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Damage", "SegmentData", "read_segment"]

_CHUNK: Final = 1 << 16
"""How many records are looked at together: 3 MiB."""
_TRIES: Final = 3
_PAUSE: Final = 0.002
"""Seconds in which a record that is being written gets whole."""


@dataclass(frozen=True)
class Damage:
    """What was dropped of a segment.

    Attributes:
        offset: Where in the file it stands, in bytes.
        what: What is wrong with it, in words that go on from "the record".
        records: How many places one after the other are damaged in this way.
    """

    offset: int
    what: str
    records: int = 1


@dataclass(frozen=True)
class SegmentData:
    """What a segment holds. All columns are in the order of the records in the file.

    Attributes:
        header: What the header says.
        names: The names by their numbers.
        reads: Of the type `columns.READS`: number of the field's name, activity, the person as two big-endian 64-bit
            numbers, whether they are known, and between which two monotonic times it happened: `mono` is the latest
            one told before it (the segment's creation where there is none), `until` the next one told after it
            (`mono` where there is none: the process was killed).
        denials: Of the type `columns.DENIALS`; `mono` is the denial's own time.
        opens: Of the type `columns.OPENS`: the entries of scopes, with the activity around each and the trace's id.
        closes: Of the type `columns.CLOSES`.
        lost: Of the type `columns.LOST`: how many reads could not be recorded, and when that was told.
        records: How many records are whole.
        damage: What is not, in the order of the file.
    """

    header: dict[str, Any]
    names: dict[int, dict[str, Any]]
    reads: NDArray[np.void]
    denials: NDArray[np.void]
    opens: NDArray[np.void]
    closes: NDArray[np.void]
    lost: NDArray[np.void]
    records: int
    damage: list[Damage]

    @overload
    def wall(self, mono: int) -> int: ...
    @overload
    def wall(self, mono: NDArray[np.uint64]) -> NDArray[np.int64]: ...
    def wall(self, mono: int | NDArray[np.uint64]) -> int | NDArray[np.int64]:
        """Return the wall clock's time, in ns since 1970, at a time of the monotonic clock, or at many."""
        behind = int(self.header["wall"]) - int(self.header["monotonic"])
        if isinstance(mono, np.ndarray):
            times: NDArray[np.int64] = mono.astype(np.int64) + np.int64(behind)
            return times
        return int(mono) + behind


def read_segment(path: Path) -> SegmentData:
    """Return all whole records of a segment, be it closed, being written, or left behind by a process that was killed.

    Args:
        path: The file.

    Raises:
        LedgerError: The file cannot be read, or its header is damaged; the message names it.
        FileNotFoundError: It is not there any more: it was closed, or compacted.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            try:
                header = parse_header(read_at(descriptor, 0, HEADER_BYTES))
            except LedgerError as error:
                raise LedgerError(f"The segment {path} cannot be read: {error}") from None
            found = _read(descriptor, header)
            for _ in range(1, _TRIES):
                if not found.damage or path.parent.name != "open":
                    break
                # What looks damaged may be a record that is written just now.
                time.sleep(_PAUSE)
                before, found = found, _read(descriptor, header)
                if found.damage == before.damage:
                    break
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LedgerError(f"The segment {path} cannot be read: {error.strerror}") from None
    return found


def _read(descriptor: int, header: dict[str, Any]) -> SegmentData:
    end = written_end(descriptor)
    places = max(0, end - HEADER_BYTES) // RECORD_BYTES
    columns = Columns(places, int(header["monotonic"]))
    for first in range(0, places, _CHUNK):
        offset = HEADER_BYTES + first * RECORD_BYTES
        data = read_at(descriptor, offset, min(_CHUNK, places - first) * RECORD_BYTES)
        columns.take(data[: len(data) // RECORD_BYTES * RECORD_BYTES], offset)
    cut = HEADER_BYTES + places * RECORD_BYTES
    if cut < end:
        columns.cut_off(cut)
    found = columns.done()
    return SegmentData(
        header=header,
        names=found.names,
        reads=found.reads,
        denials=found.denials,
        opens=found.opens,
        closes=found.closes,
        lost=found.lost,
        records=columns.records,
        damage=[Damage(*one) for one in found.damage],
    )
