"""The chain: each line holds the hash of the one before, so that none can be changed, removed or moved unnoticed.

What this module keeps:

- A line is added whole or not at all. What a process that was killed wrote of a line is cut off before the next one is
  added; until then `verify` names it.
- Lines are added by one process at a time, under the chain's lock.
- A line that was damaged stops nobody from adding more: what comes after it is worth as much as before.

What it cannot show by itself: whoever can write the file can rewrite all of it, or cut off its end together with the
files that the end tells of. An `Anchor`, kept where they cannot write, shows that too.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final, NamedTuple

from .checking import Checking, Digest
from .errors import LedgerError
from .extent import read_at
from .folder import Folder, sync_folder
from .key import Key
from .links import FIRST, parse_line, write_line

__all__ = ["Anchor", "Chain", "Gap", "Problem", "Verdict", "verify"]

_STEP: Final = 1 << 16
_BLOCK: Final = 1 << 20


class Anchor(NamedTuple):
    """Stands for a line of the chain, and so for all lines up to it. Written as ``n:hash``.

    Attributes:
        n: The line's number, from 0; -1 for a chain without lines.
        hash: The line's hash.

    Example:
        >>> Anchor.parse("-1:" + 64 * "0") == Anchor(-1, 64 * "0")
        True
    """

    n: int
    hash: str

    @classmethod
    def parse(cls, text: str) -> Anchor:
        """Return the anchor that was written as `text`.

        Raises:
            LedgerError: It is none.
        """
        found = re.match(r"(-1|[0-9]{1,18}):([0-9a-f]{64})\Z", text.strip())
        if found is None:
            raise LedgerError(f"An anchor is a number, a colon and 64 hexadecimal digits, this is none: {text[:100]!r}")
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.n}:{self.hash}"


class Chain:
    """The chain of a ledger.

    Args:
        folder: The ledger's folder.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield what each line tells, first to last; a last line that is not finished is none.

        Raises:
            LedgerError: A line is not as it was written, or the file cannot be read.
        """
        for number, line in self._lines():
            if not line.endswith(b"\n"):
                return
            try:
                yield parse_line(line[:-1])
            except LedgerError as error:
                raise LedgerError(f"Line {number} of {self.folder.chain} {error}") from None

    def head(self) -> Anchor:
        """Return the anchor of the last line: send it where nobody who can write the ledger can change it.

        Raises:
            LedgerError: The file cannot be read.
        """
        try:
            descriptor = os.open(self.folder.chain, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return Anchor(-1, FIRST)
        except OSError as error:
            raise self._failed("read", error) from None
        try:
            return _head(descriptor, _whole_lines(descriptor))
        except OSError as error:
            raise self._failed("read", error) from None
        finally:
            os.close(descriptor)

    def append(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Add a line, and return all that it tells. It has reached the disk then.

        Args:
            entry: What it tells; ``n``, ``prev`` and ``hash`` are added, and ``at`` where it is missing.

        Raises:
            LedgerError: It cannot be written, or is not what such a line tells; the chain is as it was before.
        """
        with self.folder.locked():
            try:
                descriptor = os.open(self.folder.chain, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise self._failed("written", error) from None
            try:
                size = _whole_lines(descriptor)
                if size < os.fstat(descriptor).st_size:
                    os.ftruncate(descriptor, size)
                head = _head(descriptor, size)
                whole = {"at": _now(), **entry, "n": head.n + 1, "prev": head.hash}
                line = write_line(whole)
                told = parse_line(line[:-1])
                if not size:
                    sync_folder(self.folder.path)  # it may have been made just now
                _write(descriptor, line, size)
                return told
            except OSError as error:
                raise self._failed("written", error) from None
            finally:
                os.close(descriptor)

    def knows(self, segment: str) -> bool:
        """Return whether there is a line of a segment.

        Raises:
            LedgerError: The file cannot be read.
        """
        wanted = f'"segment":"{segment}"'.encode()
        try:
            with open(self.folder.chain, "rb") as file:
                size, before = _whole_lines(file.fileno()), b""
                for start in range(0, size, _BLOCK):
                    block = before + read_at(file.fileno(), start, min(_BLOCK, size - start))
                    if wanted in block:
                        return True
                    before = block[-len(wanted) :]
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self._failed("read", error) from None
        return False

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        try:
            with open(self.folder.chain, "rb") as file:
                yield from enumerate(file, 1)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._failed("read", error) from None

    def _failed(self, what: str, error: OSError) -> LedgerError:
        return LedgerError(f"The ledger's chain cannot be {what}: {error.strerror}: {self.folder.chain}")


class Problem(NamedTuple):
    """Something that is not as it was written.

    Attributes:
        place: A file of the ledger, or a line of its chain.
        what: What is wrong, in words that go on from the place.
    """

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place} {self.what}"


class Gap(NamedTuple):
    """What was removed from the ledger, and signed off.

    Attributes:
        at: When, by the wall clock.
        before: The moment before which all of it lay.
        by: Who removed it.
        reason: Why.
        segments: How many segments had not been compacted.
        batches: How many batches.
        signed: Whether the signature is that of who has the key; None where no key was given.
    """

    at: str
    before: str
    by: str
    reason: str
    segments: int
    batches: int
    signed: bool | None


@dataclass(frozen=True)
class Verdict:
    """Whether a ledger is as it was written.

    Attributes:
        problems: What is not, the first place first; what follows from it after it.
        head: The anchor of the last line.
        segments: How many segments the chain tells of.
        open: How many segments it tells nothing of yet: nobody can say whether they were altered.
        gaps: What was removed and signed off.
    """

    problems: list[Problem]
    head: Anchor
    segments: int
    open: int
    gaps: list[Gap]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(folder: Folder, anchor: Anchor | None = None, key: Key | None = None) -> Verdict:
    """Hold a ledger against its chain, and name the first place that was altered, removed, moved or cut off.

    Every file is read. Writers and compaction may go on meanwhile.

    Args:
        folder: The ledger's folder.
        anchor: Of a line that must still be there.
        key: Checks who signed what was dropped.

    Raises:
        LedgerError: There is no ledger there, or it cannot be read.
    """
    if not folder.path.is_dir():
        raise LedgerError(f"There is no ledger at {folder.path}")
    digests: dict[tuple[int, ...], Digest] = {}
    found = Checking(folder, anchor, key, digests)
    if found.problems:
        # A file may have been moved between two looks. Nothing moves under the lock, and what was hashed need not be
        # again. Where there can be no lock, on a copy that is read-only, nothing moves anyway.
        with ExitStack() as held:
            with suppress(LedgerError):
                held.enter_context(folder.locked())
            found = Checking(folder, anchor, key, digests)
    return Verdict(
        problems=[Problem(place, what) for _, place, what in found.problems],
        head=Anchor(*found.head),
        segments=len(found.segments),
        open=found.open,
        gaps=[_gap(entry, signed) for entry, signed in found.gaps],
    )


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def _write(descriptor: int, line: bytes, size: int) -> None:
    try:
        written = os.write(descriptor, line)
        if written < len(line):
            raise OSError(28, "No space left on device")
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def _last_feed(descriptor: int, stop: int) -> int:
    """Return where the last line feed before an offset is, or -1."""
    while stop > 0:
        start = max(0, stop - _STEP)
        found = read_at(descriptor, start, stop - start).rfind(b"\n")
        if found >= 0:
            return start + found
        stop = start
    return -1


def _whole_lines(descriptor: int) -> int:
    """Return how many bytes of the file are lines that are finished."""
    return _last_feed(descriptor, os.fstat(descriptor).st_size) + 1


def _head(descriptor: int, size: int) -> Anchor:
    if not size:
        return Anchor(-1, FIRST)
    start = _last_feed(descriptor, size - 1) + 1
    line = read_at(descriptor, start, size - 1 - start)
    try:
        entry = parse_line(line)
    except LedgerError:
        with open(descriptor, "rb", closefd=False) as file:
            file.seek(0)
            number = sum(piece.count(b"\n") for piece in iter(lambda: file.read(_STEP), b"")) - 1
        return Anchor(number, hashlib.sha256(line).hexdigest())
    return Anchor(entry["n"], entry["hash"])


def _gap(entry: dict[str, Any], signed: bool | None) -> Gap:
    told = (entry["at"], entry["before"], entry["by"], entry["reason"])
    return Gap(*told, len(entry["segments"]), len(entry["batches"]), signed)
