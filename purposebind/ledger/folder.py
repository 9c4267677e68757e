"""A ledger on disk: one folder, which many processes write to at once.

::

    FOLDER/
      open/SEGMENT.seg      being written; its writer holds an exclusive flock(2) on the file as long as it lives
      closed/SEGMENT.seg    written to the end, cut to its length, and in the chain
      chain.jsonl           the hash chain: a line of JSON for each closed segment, compaction and dropped time
      chain.lock            held (flock) by whoever adds to the chain or moves a segment
      parquet/BATCH/p=N/*.parquet
                            what questions run on, made of closed segments; partitioned by the top bits of the person
      parquet/BATCH/*.parquet
                            the activities and names of that batch
      tmp/                  half-made batches; whatever is found there belongs to a process that was killed
    FOLDER.key              the key, unless another place was given: beside the folder, not in it

A file appears under its final name by a rename, complete. A segment goes from ``open`` to ``closed`` under the chain's
lock, after its line was added to the chain; one found in ``open`` with a line in the chain has still to be moved.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from .errors import LedgerError

__all__ = ["Folder", "sync_folder", "try_lock"]


class Folder:
    """The places in a ledger's folder.

    Args:
        path: The folder; made on first use.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.open = self.path / "open"
        self.closed = self.path / "closed"
        self.parquet = self.path / "parquet"
        self.tmp = self.path / "tmp"
        self.chain = self.path / "chain.jsonl"
        self.lock = self.path / "chain.lock"

    @property
    def key(self) -> Path:
        """Where the key is if no other place was given."""
        return self.path.with_name(self.path.name + ".key")

    def make(self) -> None:
        """Make the folder, readable by its owner alone, where it is not there yet.

        Raises:
            LedgerError: It cannot be made.
        """
        try:
            for place in (self.path, self.open, self.closed, self.parquet, self.tmp):
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(f"The ledger's folder cannot be made: {error.strerror}: {error.filename}") from None

    def require(self) -> None:
        """Check that there is a ledger here; an empty folder is one that nothing was written to yet.

        Raises:
            LedgerError: There is none.
        """
        try:
            there = set(os.listdir(self.path))
        except FileNotFoundError:
            raise LedgerError(f"There is no ledger at {self.path}") from None
        except OSError as error:
            raise LedgerError(f"The ledger cannot be read: {error.strerror}: {self.path}") from None
        # Any other folder would be found to be in order.
        if there and not there.intersection((self.open.name, self.closed.name, self.chain.name)):
            raise LedgerError(f"There is no ledger at {self.path}: the folder holds something else")

    @contextmanager
    def locked(self) -> Generator[None, None, None]:
        """Hold the chain's lock; waits for whoever has it. A thread that has it already goes on.

        Raises:
            LedgerError: The lock file cannot be opened.
        """
        whose = (threading.get_ident(), os.path.realpath(self.path))
        if whose in _held:
            yield
            return
        try:
            descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerError(f"The ledger cannot be locked: {error.strerror}: {self.lock}") from None
        _held[whose] = descriptor
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            if _held.pop(whose, None) is not None:
                # Closing alone does not release it where a process was forked meanwhile: that has the descriptor too.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
                os.close(descriptor)

    def __repr__(self) -> str:
        return f"<Folder {self.path}>"


def try_lock(descriptor: int) -> bool:
    """Take the exclusive lock on an open file, and return whether it was free."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


_held: dict[tuple[int, str], int] = {}
"""The descriptors of the locks that this process holds or waits for, by thread and folder."""


def _forked() -> None:
    """In the child: the locks are the parent's, and must not outlive it here."""
    for descriptor in _held.values():
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forked)


def sync_folder(path: str | os.PathLike[str]) -> None:
    """Have the names in a folder reach the disk.

    Raises:
        OSError: They cannot.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
