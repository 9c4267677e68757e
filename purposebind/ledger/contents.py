"""What a ledger consists of at a moment: the batches that its chain knows, and the segments that are in none.

What this module keeps:

- A segment is answered from a batch, or from its own file, and never from both: the chain says which.
- A batch that the chain does not know is not there: it belongs to a compaction that has not come to its end.
- A segment of which nothing can be read is told, and stops nobody.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .chain import Chain
from .errors import LedgerError
from .extent import parse_header, read_at
from .folder import Folder
from .reading import read_segment
from .records import HEADER_BYTES, RECORD_BYTES
from .tables import SegmentRows, rows_of

__all__ = ["Contents", "SegmentFile", "segment_files", "segment_rows", "take_contents"]


@dataclass(frozen=True)
class Contents:
    """What the chain says.

    Attributes:
        batches: The paths of the files of each batch in the ledger's folder, by the batch's id.
        compacted: The segments that are in these batches.
        dropped: The segments that retention removed, by themselves or with their batch.
        dropped_batches: The batches that it removed.
        keys: The ids of the keys by which people in these batches were hashed.
    """

    batches: dict[str, tuple[str, ...]]
    compacted: frozenset[str]
    dropped: frozenset[str]
    dropped_batches: frozenset[str]
    keys: frozenset[str]

    @property
    def settled(self) -> frozenset[str]:
        """The segments that are not answered from their own files."""
        return self.compacted | self.dropped


@dataclass(frozen=True)
class SegmentFile:
    """The file of a segment.

    Attributes:
        segment: The segment's id.
        path: Where it is.
    """

    segment: str
    path: Path

    @property
    def records(self) -> int:
        """How many records there is room for.

        Raises:
            FileNotFoundError: It is not there any more.
        """
        return max(0, os.stat(self.path).st_size - HEADER_BYTES) // RECORD_BYTES


def take_contents(folder: Folder) -> Contents:
    """Return what the chain says.

    Raises:
        LedgerError: It is damaged, or cannot be read.
    """
    batches: dict[str, tuple[str, ...]] = {}
    parts: dict[str, list[str]] = {}
    keys: dict[str, str] = {}
    gone: set[str] = set()
    gone_batches: set[str] = set()
    try:
        for entry in Chain(folder).entries():
            if entry["is"] == "segment":
                keys[entry["segment"]] = entry["key"]
            elif entry["is"] == "compaction":
                batch = entry["batch"]
                batches[batch] = tuple(_inside(batch, path) for path in entry["files"])
                parts[batch] = entry["segments"]
            else:
                gone.update(entry["segments"])
                for batch in entry["batches"]:
                    gone_batches.add(batch)
                    gone.update(parts.pop(batch, ()))
                    batches.pop(batch, None)
    except LedgerError as error:
        raise LedgerError(f"{error}. What it told cannot be counted on: run `purposebind ledger verify`") from None
    compacted = frozenset(segment for segments in parts.values() for segment in segments)
    return Contents(
        batches=batches,
        compacted=compacted,
        dropped=frozenset(gone),
        dropped_batches=frozenset(gone_batches),
        keys=frozenset(keys[segment] for segment in compacted if keys.get(segment)),
    )


def segment_files(place: Path) -> dict[str, SegmentFile]:
    """Return the segments in a folder, by their ids.

    Raises:
        LedgerError: It cannot be read.
    """
    try:
        names = sorted(os.listdir(place))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise LedgerError(f"The ledger cannot be read: {error.strerror}: {place}") from None
    return {name[:-4]: SegmentFile(name[:-4], place / name) for name in names if name.endswith(".seg")}


def segment_rows(file: SegmentFile) -> SegmentRows | str:
    """Return the rows that a segment makes; or, where its header is damaged and nothing can be read, what is wrong.

    Raises:
        LedgerError: The file cannot be read.
        FileNotFoundError: It is not there any more.
    """
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            parse_header(read_at(descriptor, 0, HEADER_BYTES))
        finally:
            os.close(descriptor)
    except LedgerError as error:
        return f"cannot be read, like all of its segment: {error}"
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LedgerError(f"The segment {file.path} cannot be read: {error.strerror}") from None
    return rows_of(file.segment, read_segment(file.path))


def _inside(batch: str, path: str) -> str:
    """The path of a file that is inside its batch."""
    if not path.startswith(f"parquet/{batch}/") or ".." in path.split("/"):
        raise LedgerError(f"The chain tells of a file that is not its batch's: {path}")
    return path
