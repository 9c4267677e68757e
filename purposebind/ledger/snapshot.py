"""The files that a question is answered from: the batches, and temporary ones of the segments that are in none.

What this module keeps:

- Together they hold every record once. Writers, compactions and retention may go on while they are made: where a
  segment was moved, or went into a batch, in between, it is looked at again.
- The temporary ones are readable by their owner alone, and are removed at the end.
- What did not change between two questions is not read again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from .batch import BATCH_RECORDS, PARTITIONS, Batch
from .chain import Anchor, Chain
from .contents import (
    Contents,
    SegmentFile,
    segment_files,
    segment_rows,
    take_contents,
)
from .engine import Engine, EngineError, start_engine
from .errors import LedgerError
from .extent import written_end
from .folder import Folder

__all__ = ["Snapshot", "View"]

_MEMORY: Final = "1GB"
_TRIES: Final = 50
_PAUSE: Final = 0.01
_TABLES: Final = ("names", "activities", "lost", "damage")


@dataclass
class View:
    """The files to ask.

    Attributes:
        reads: Those of each partition.
        tables: Those of each other table.
        keys: A folder for the id of each key by which people were hashed.
    """

    reads: list[list[str]] = field(default_factory=lambda: [[] for _ in range(PARTITIONS)])
    tables: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in _TABLES})
    keys: dict[str, Path] = field(default_factory=dict)

    def add(self, files: Iterable[str]) -> None:
        """Take files of a batch, by their paths."""
        for file in files:
            *_, place, name = file.split("/")
            if place.startswith("p="):
                self.reads[int(place[2:])].append(file)
            else:
                self.tables[name.removesuffix(".parquet")].append(file)


class Snapshot:
    """Makes views of ledgers.

    Args:
        folders: The ledgers' folders.

    Attributes:
        engine: What the files are asked with.

    Raises:
        LedgerError: There is no ledger at one of them.
    """

    def __init__(self, folders: Sequence[Folder]) -> None:
        for folder in folders:
            folder.require()
        self._root = Path(tempfile.mkdtemp(prefix="purposebind-"))
        self._remove = weakref.finalize(self, _remove, self._root, os.getpid())
        self.engine = start_engine(self._root / "spill", _MEMORY)
        self._ledgers = [_Ledger(folder, self._root / str(n), self.engine) for n, folder in enumerate(folders)]

    def view(self) -> View:
        """Return the files that hold all that is in the ledgers now.

        Raises:
            LedgerError: A ledger cannot be read, or nothing can be written to the folder for temporary files.
        """
        view = View()
        for ledger in self._ledgers:
            try:
                ledger.add_to(view)
            except OSError as error:
                raise LedgerError(f"The ledger cannot be asked: {error.strerror}: {error.filename}") from None
            except EngineError as error:
                raise LedgerError(f"The ledger cannot be asked: {' '.join(str(error).split())}") from None
        return view

    def close(self) -> None:
        """Remove what was made."""
        self.engine.close()
        self._remove()


def _remove(root: Path, process: int) -> None:
    if os.getpid() == process:  # and not a child that was forked
        shutil.rmtree(root, ignore_errors=True)


@dataclass(frozen=True)
class _Made:
    """A temporary batch: of which segments, its files, by which keys people were hashed, whether all was whole.

    For segments that are being written also how far they were.
    """

    segments: frozenset[str]
    files: tuple[str, ...]
    keys: frozenset[str]
    whole: bool
    ends: tuple[tuple[str, int], ...] = ()


class _Ledger:
    """One ledger of a snapshot."""

    def __init__(self, folder: Folder, place: Path, engine: Engine) -> None:
        self._folder = folder
        self._place = place
        self._engine = engine
        self._count = 0
        self._known: tuple[Anchor, Contents] | None = None
        self._closed: list[_Made] = []
        self._open: list[_Made] = []
        place.mkdir(mode=0o700)
        # A path may hold what the engine takes for a pattern. This one does not.
        (place / "ledger").symlink_to(os.path.abspath(folder.path))

    def add_to(self, view: View) -> None:
        for attempt in range(_TRIES):
            contents = self._contents()
            # In this order: a segment that is moved meanwhile is in both, and not in neither.
            being_written = segment_files(self._folder.open)
            closed = segment_files(self._folder.closed)
            try:
                self._make_closed({s: f for s, f in closed.items() if s not in contents.settled})
                left = {s: f for s, f in being_written.items() if s not in closed and s not in contents.settled}
                self._make_open(left)
            except FileNotFoundError:
                pass
            else:
                if self._contents() == contents:
                    break
            time.sleep(_PAUSE * attempt)
        else:
            raise LedgerError(f"The ledger at {self._folder.path} changes too fast to be read: try again")
        for files in contents.batches.values():
            view.add(str(self._place / "ledger" / file) for file in files)
        keys = set(contents.keys)
        for made in (*self._closed, *self._open):
            view.add(made.files)
            keys |= made.keys
        for key in keys:
            view.keys.setdefault(key, self._folder.path)

    def _contents(self) -> Contents:
        head = Chain(self._folder).head()
        if self._known is None or self._known[0] != head:
            self._known = (head, take_contents(self._folder))
        return self._known[1]

    def _make_closed(self, wanted: dict[str, SegmentFile]) -> None:
        """Closed segments do not change: only new ones are read."""
        for made in self._closed:
            if not made.segments <= wanted.keys():
                self._discard(made)
        self._closed = [made for made in self._closed if made.segments <= wanted.keys()]
        known = {segment for made in self._closed for segment in made.segments}
        self._closed += self._made(file for segment, file in wanted.items() if segment not in known)

    def _make_open(self, wanted: dict[str, SegmentFile]) -> None:
        ends = tuple((segment, _end(file.path)) for segment, file in wanted.items())
        if self._open and all(made.ends == ends and made.whole for made in self._open):
            return  # what is not whole may be a record that its writer has not finished
        for made in self._open:
            self._discard(made)
        self._open = []
        self._open = [replace(made, ends=ends) for made in self._made(wanted.values())]

    def _made(self, files: Iterable[SegmentFile]) -> list[_Made]:
        found: list[_Made] = []
        waiting: list[SegmentFile] = []
        records = 0
        for file in files:
            if waiting and records + file.records > BATCH_RECORDS:
                found.append(self._make(waiting))
                waiting, records = [], 0
            waiting.append(file)
            records += file.records
        if waiting:
            found.append(self._make(waiting))
        return found

    def _make(self, files: list[SegmentFile]) -> _Made:
        batch = Batch(self._engine)
        keys = set()
        whole = True
        for file in files:
            rows = segment_rows(file)
            whole = whole and not isinstance(rows, str) and not rows.damage
            if isinstance(rows, str):
                batch.unreadable(file.segment, rows)
            else:
                batch.add(rows)
                keys.add(str(rows.header["key"]))
        self._count += 1
        written = batch.write(self._place / str(self._count))
        return _Made(frozenset(file.segment for file in files), tuple(map(str, written)), frozenset(keys), whole)

    def _discard(self, made: _Made) -> None:
        for file in made.files:
            os.unlink(file)


def _end(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return written_end(descriptor)
    finally:
        os.close(descriptor)
