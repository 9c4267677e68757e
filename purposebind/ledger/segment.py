"""A segment: one file of records, written through memory by one process.

What this module keeps:

- A record is whole in the file's pages before its writer goes on, so that a process killed at any moment loses none
  whose value was handed out.
- The file is allocated in full before the first record: a sparse one would kill the process with SIGBUS when the disk
  is full.
- Taking a place and writing to it is one call into C, which no thread, signal or destructor can split; so threads share
  a segment without a lock, none overwrites another's record, and none leaves a gap. (This needs CPython with its lock.)
"""

from __future__ import annotations

import errno
import itertools
import json
import mmap
import os
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from .errors import LedgerError
from .folder import Folder, sync_folder, try_lock
from .records import FORMAT, HEADER_BYTES, RECORD_BYTES, Kind, name_records

__all__ = ["NAMES", "Full", "Segment"]

NAMES: Final = 1 << 16
"""How many names a segment can hold."""


class Full(Exception):
    """A segment has no place left."""


class Segment:
    """A segment that this process writes.

    Args:
        folder: The ledger's folder.
        size: How many bytes to allocate; at least room for the header and one record.
        writer: The id of this process's writer.
        key: The id of the key by which people are hashed.
        service: What the process calls itself.

    Attributes:
        id: Its id, 32 hexadecimal digits.
        path: The file.
        pid: The process that made it, and alone writes to it.
        write: Writes a whole record to the next place. Raises ValueError where there is none left.
        heads: For each entry of a scope, the heads of its reads by field.
        numbers: The number of each name, by its JSON text.
        activities: The numbers of activities' names, by what these are made of.

    Raises:
        LedgerError: The file cannot be made: the folder is read-only, the disk is full.
    """

    descriptor = -1  # until it is made

    def __init__(self, folder: Folder, size: int, writer: str, key: str, service: str) -> None:
        self.id = secrets.token_hex(16)
        self.path = folder.open / f"{self.id}.seg"
        self.pid = os.getpid()
        places = max(1, (size - HEADER_BYTES) // RECORD_BYTES)
        self._end = HEADER_BYTES + places * RECORD_BYTES
        self.heads: dict[Any, dict[Any, bytes]] = {}
        self.numbers: dict[str, int] = {}
        self._next_number = itertools.count().__next__
        self.activities: dict[Any, tuple[int, Any, Any]] = {}
        header = {
            "format": FORMAT,
            "segment": self.id,
            "writer": writer,
            "pid": self.pid,
            "host": socket.gethostname(),
            "service": service,
            "key": key,
            "wall": time.time_ns(),
            "monotonic": time.monotonic_ns(),
        }
        line = json.dumps(header).encode().ljust(HEADER_BYTES - 1)
        if len(line) >= HEADER_BYTES:
            raise LedgerError(f"The name of the service is too long for a ledger: {len(service)} characters")
        try:
            self.descriptor, self._memory = self._made(line + b"\n")
        except OSError as error:
            raise LedgerError(f"The ledger cannot be written: {error.strerror}: {folder.open}") from None
        self.write: Callable[[bytes], int] = self._memory.write

    def _made(self, header: bytes) -> tuple[int, mmap.mmap]:
        fresh = self.path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            try_lock(descriptor)  # held until the process is gone: nobody else closes the segment before
            _allocate(descriptor, self._end)
            memory = mmap.mmap(descriptor, self._end)
            memory.write(header)
            os.fsync(descriptor)
            if os.getpid() != self.pid:  # forked by a signal handler: the file is the parent's
                raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
            os.rename(fresh, self.path)
            sync_folder(self.path.parent)
        except BaseException:
            os.close(descriptor)
            if os.getpid() == self.pid:
                fresh.unlink(missing_ok=True)
            raise
        return descriptor, memory

    def put(self, whole: bytes) -> None:
        """Write a whole record.

        Raises:
            Full: There is no place left.
        """
        try:
            self.write(whole)
        except ValueError:
            raise Full from None

    def number(self, text: str) -> int:
        """Return the number of the name whose JSON is `text`; a new name is written first, whole.

        Raises:
            Full: There is no place for it, or no number.
        """
        number = self.numbers.get(text)
        if number is None:
            number = self._next_number()
            if number >= NAMES:
                raise Full
            self.put(b"".join(name_records(number, text.encode())))
            self.numbers[text] = number  # now: a destructor that runs in between, and reads, writes the name once more
        return number

    def sync(self) -> None:
        """Have everything that was written reach the disk.

        Raises:
            OSError: It cannot.
        """
        os.fsync(self.descriptor)

    @property
    def filled(self) -> int:
        """The offset of the next place.

        Raises:
            ValueError: The segment was released.
        """
        return self._memory.tell()

    def renew_mark(self, mark: bytes) -> None:
        """Have the last record tell a later time, where it is a `Kind.MARK`: an idle process fills no disk.

        Raises:
            ValueError: The segment was released.
        """
        place = self._memory.tell() - RECORD_BYTES
        if place >= HEADER_BYTES and self._memory[place] == Kind.MARK:
            self._memory[place : place + RECORD_BYTES] = mark

    def finish(self) -> None:
        """Have no more written: from here on there is no place left."""
        with suppress(ValueError):  # it was released
            self._memory.seek(self._end)

    def pause(self) -> int:
        """Have nothing written for a while, and return where to go on."""
        at = self._memory.tell()
        self._memory.seek(self._end)
        while at < self._end and self._memory[at]:  # another thread was faster
            at += RECORD_BYTES
        return at

    def resume(self, at: int) -> None:
        """Go on writing after a pause."""
        self._memory.seek(at)

    def release(self) -> None:
        """Let go of the file: after a fork, in the child; and once it is closed. Nothing is written any more."""
        self._memory.close()
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        # A recorder that nobody closed is gone: let others close its segment. Who can still write to it has a
        # descriptor, and so the lock, by the mapping.
        if self.descriptor >= 0:
            os.close(self.descriptor)


def _allocate(descriptor: int, size: int) -> None:
    """Give the file all its blocks, so that writing to its pages cannot fail for want of space."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    zeros = bytes(1 << 20)
    for start in range(0, size, len(zeros)):
        written = os.pwrite(descriptor, zeros[: size - start], start)
        if written < min(len(zeros), size - start):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
