"""Compaction: closed segments become batches of Parquet, on which questions run.

What this module keeps:

- A batch counts from its line in the chain on, and its segments count no more from there on: what is asked at any
  moment has everything once. Killed at any step, a compaction leaves that as it is; the next one clears up after it.
- Writers are not held up. A compaction waits for another one, and has the chain's lock for moments.
- Memory is bounded: a batch is made of some 4 million records, or of one segment. 0.6 GiB do for segments of the usual
  size.
- What cannot be read at all stays where it is; so does a segment that is not what the chain tells of it, since a batch
  of it would be as good as any other, and hide that it was altered.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .batch import BATCH_RECORDS, Batch
from .chain import Chain
from .checking import Digest, digest_of
from .closing import close_abandoned
from .contents import SegmentFile, segment_files, segment_rows, take_contents
from .engine import Engine, EngineError, start_engine
from .errors import LedgerError
from .folder import Folder, sync_folder

__all__ = ["Compacted", "compact"]

_logger = logging.getLogger("purposebind")

_MEMORY: Final = "256MB"
_MINE: Final = "compacting-"
"""How what this module makes in the ledger's ``tmp`` is called."""


@dataclass(frozen=True)
class Compacted:
    """What a compaction did.

    Attributes:
        batches: The ids of the batches that it made.
        segments: How many segments it made them of.
        records: How many records these hold.
    """

    batches: tuple[str, ...]
    segments: int
    records: int


def compact(
    folder: Folder, *, keep_segments: bool = False, watch: Callable[[int, int], object] = lambda done, of: None
) -> Compacted | None:
    """Make batches of all closed segments that are in none.

    Args:
        folder: The ledger's folder.
        keep_segments: Leave the segments where they are; they are not needed any more.
        watch: Told how many segments are done and how many there are, before the first batch and after each.

    Returns:
        What was done; None where there was nothing to do.

    Raises:
        LedgerError: The ledger cannot be read or written. What was compacted until then stays compacted.
    """
    folder.require()
    try:
        with _alone(folder):
            return _Compaction(folder, keep_segments, watch).run()
    except EngineError as error:
        raise LedgerError(f"The ledger cannot be compacted: {' '.join(str(error).split())}") from None
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise LedgerError(f"The ledger cannot be compacted: {error.strerror}{where}") from None


@contextmanager
def _alone(folder: Folder) -> Generator[None, None, None]:
    """Wait until no other compaction is at work, and keep others waiting."""
    descriptor = os.open(folder.path / "compaction.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


class _Compaction:
    """One run."""

    def __init__(self, folder: Folder, keep_segments: bool, watch: Callable[[int, int], object]) -> None:
        self._folder = folder
        self._keep = keep_segments
        self._watch = watch
        self._spill = folder.tmp / f"{_MINE}spill"
        self._batches: list[str] = []
        self._segments = 0
        self._records = 0
        self._told: dict[str, Digest] = {}

    def run(self) -> Compacted | None:
        self._folder.make()
        self._clear_up()
        close_abandoned(self._folder)
        settled = take_contents(self._folder).settled
        waiting = [file for segment, file in segment_files(self._folder.closed).items() if segment not in settled]
        if not waiting:
            return None
        self._told = {
            entry["segment"]: Digest(entry["bytes"], entry["sha256"])
            for entry in Chain(self._folder).entries()
            if entry["is"] == "segment"
        }
        engine = start_engine(self._spill, _MEMORY)
        try:
            self._watch(0, len(waiting))
            for files in _grouped(waiting):
                self._make(engine, files)
                self._watch(self._segments, len(waiting))
        finally:
            engine.close()
            shutil.rmtree(self._spill, ignore_errors=True)
        return Compacted(tuple(self._batches), self._segments, self._records) if self._batches else None

    def _clear_up(self) -> None:
        """Remove what a compaction left behind that was killed. No other one is at work."""
        for name in os.listdir(self._folder.tmp):
            if name.startswith(_MINE):
                shutil.rmtree(self._folder.tmp / name)
        with self._folder.locked():
            contents = take_contents(self._folder)
            for name in os.listdir(self._folder.parquet):
                if name not in contents.batches and name not in contents.dropped_batches:
                    shutil.rmtree(self._folder.parquet / name)
            if not self._keep:
                self._remove(contents.compacted)

    def _make(self, engine: Engine, files: list[SegmentFile]) -> None:
        while files:
            batch = Batch(engine)
            taken: dict[str, int] = {}
            for file in files:
                with suppress(FileNotFoundError):  # retention has dropped it meanwhile
                    if not self._is_as_told(file):
                        continue
                    rows = segment_rows(file)
                    if not isinstance(rows, str):
                        batch.add(rows)
                        taken[file.segment] = file.records
            if not taken or self._put(batch, taken):
                return
            settled = take_contents(self._folder).settled
            files = [file for file in files if file.segment not in settled]

    def _is_as_told(self, file: SegmentFile) -> bool:
        """Whether a segment is what its line in the chain tells: else a batch of it would hide that it was altered."""
        if digest_of(file.path) == self._told.get(file.segment):
            return True
        _logger.error("the segment %s is not what the chain tells of it: it is left as it is, see verify", file.path)
        return False

    def _put(self, batch: Batch, taken: dict[str, int]) -> bool:
        """Write a batch, and make it count; return whether it does, and not one of its segments was dropped."""
        name = secrets.token_hex(16)
        made = self._folder.tmp / f"{_MINE}{name}"
        written = {path: _seal(path) for path in batch.write(made)}
        for place in {path.parent for path in written} | {made}:
            sync_folder(place)
        told = {f"parquet/{name}/{path.relative_to(made).as_posix()}": about for path, about in written.items()}
        with self._folder.locked():
            if not take_contents(self._folder).settled.isdisjoint(taken):
                shutil.rmtree(made)
                return False
            os.rename(made, self._folder.parquet / name)
            sync_folder(self._folder.parquet)
            Chain(self._folder).append({"is": "compaction", "batch": name, "segments": list(taken), "files": told})
            if not self._keep:
                self._remove(frozenset(taken))
        self._batches.append(name)
        self._segments += len(taken)
        self._records += sum(taken.values())
        return True

    def _remove(self, segments: frozenset[str]) -> None:
        there = segment_files(self._folder.closed)
        found = [there[segment].path for segment in there.keys() & segments]
        for path in found:
            os.unlink(path)
        if found:
            sync_folder(self._folder.closed)


def _grouped(files: list[SegmentFile]) -> Iterator[list[SegmentFile]]:
    """Segments for one batch each."""
    group: list[SegmentFile] = []
    records = 0
    for file in files:
        if group and records + file.records > BATCH_RECORDS:
            yield group
            group, records = [], 0
        group.append(file)
        records += file.records
    if group:
        yield group


def _seal(path: Path) -> dict[str, str | int]:
    """Have a file reach the disk, and return its hash and size."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    digest = digest_of(path)
    return {"sha256": digest.sha256, "bytes": digest.size}
