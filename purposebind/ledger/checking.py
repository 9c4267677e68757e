"""Holds the chain against itself, and what lies in the folder against the chain.

The lines are taken one after the other. Each must be as it was written, have the next number, and hold the hash of the
one before; where that is not so the place is named, and the rest is held against what follows it. Then each file that a
line tells of must be there and unchanged, unless a later line says that it was compacted or dropped; and no file may be
there of which no line tells.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, NamedTuple

from .errors import LedgerError
from .folder import Folder
from .key import Key
from .links import FIRST, parse_line, signed_part

__all__ = ["Checking", "Digest", "digest_of"]

_STEP: Final = 1 << 20
_NO_LINE: Final = 1 << 62
_STILL_THERE: Final = "was dropped, and is still there: dropping it was interrupted"


class Digest(NamedTuple):
    """How long a file is, and its SHA-256."""

    size: int
    sha256: str


class Checking:
    """One check of a ledger.

    Args:
        folder: The ledger's folder.
        anchor: The number and hash of a line that has to be there.
        key: Checks the signatures.
        digests: Of files that were hashed before, and did not change since.

    Attributes:
        problems: Line of the chain, place, and what is wrong there; in order.
        head: The number and the link of the last line.
        segments: The segments that were closed: line, length and hash of the file, latest time.
        open: How many segments no line tells of yet.
        gaps: Line, and whether the signature holds (None: not checked).
    """

    def __init__(
        self,
        folder: Folder,
        anchor: tuple[int, str] | None,
        key: Key | None,
        digests: dict[tuple[int, ...], Digest],
    ) -> None:
        self.problems: list[tuple[int, str, str]] = []
        self.head = (-1, FIRST)
        self.segments: dict[str, tuple[int, Digest, int]] = {}
        self.open = 0
        self.gaps: list[tuple[dict[str, Any], bool | None]] = []
        self._folder = folder
        self._key = key
        self._digests = digests
        self._batches: dict[str, tuple[int, dict[str, Digest], list[str]]] = {}
        self._compacted: dict[str, str] = {}
        self._dropped: set[str] = set()
        self._stands: dict[int, int] | None = None
        self._first_broken = _NO_LINE
        self._check_lines(anchor)
        self._check_segments()
        self._check_batches()
        self.problems.sort(key=lambda problem: problem[0])

    def _problem(self, line: int, what: str, place: str = "") -> None:
        self.problems.append((line, place or f"chain.jsonl line {line}", what))

    def _broken(self, line: int, what: str) -> None:
        """A line is damaged or gone: what it told of others is not known."""
        self._first_broken = min(line, self._first_broken)
        self._problem(line, what)

    def _missing(self, line: int, place: str) -> None:
        if self._first_broken == _NO_LINE:
            self._problem(line, "is missing", place)
        else:
            told = f"is missing, unless line {self._first_broken} or one after it told where it went"
            self._problem(max(line, self._first_broken), told, place)

    # --- The lines ---------------------------------------------------------------------------------------------------

    def _check_lines(self, anchor: tuple[int, str] | None) -> None:
        anchored = anchor is None or anchor == (-1, FIRST)
        last = 0
        for line, entry in self._lines():
            last = line
            anchored = anchored or (entry["n"], entry["hash"]) == anchor
            if entry["is"] == "segment":
                self._take_segment(line, entry)
            elif entry["is"] == "compaction":
                self._take_compaction(line, entry)
            else:
                self._take_dropped(line, entry)
        if anchor is not None and not anchored:
            text = f"{anchor[0]}:{anchor[1]}"
            last = max(last, self.head[0] + 1)  # a line from elsewhere may be the last one, and one may be damaged
            if anchor[0] >= last:
                what = f"is missing: the chain ends before it, and the anchor {text} was taken of line {anchor[0] + 1}"
                self._broken(last + 1, what)
            else:
                what = f"is not what the anchor {text} was taken of: the chain was cut or rewritten here or before"
                self._broken(anchor[0] + 1, what)

    def _lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The lines that are as they were written, in the order in which they stand."""
        due: int = 0
        before: str | None = FIRST
        for line, raw in _raw_lines(self._folder.chain):
            if not raw.endswith(b"\n"):
                self._broken(line, "is not finished: a process was killed while it wrote it, or its end was cut off")
                return
            try:
                entry = parse_line(raw[:-1])
            except LedgerError as error:
                self._broken(line, str(error))
                self.head = (line - 1, hashlib.sha256(raw[:-1]).hexdigest())
                due, before = due + 1, None
                continue
            if entry["n"] != due:
                self._broken(line, self._misplaced(line, entry["n"], due))
            elif before is not None and entry["prev"] != before:
                if line == 1:
                    self._broken(line, "follows a line that is not there")
                else:
                    self._broken(line - 1, f"was replaced by another line: line {line} does not follow it")
            self.head = due, before = entry["n"], entry["hash"]
            due += 1
            yield line, entry

    def _misplaced(self, line: int, number: int, due: int) -> str:
        if self._stands is None:
            self._stands = {}
            for other, raw in _raw_lines(self._folder.chain):
                with suppress(LedgerError):
                    self._stands.setdefault(parse_line(raw[:-1])["n"], other)
        stands = self._stands
        if stands.get(number, line) < line:
            return f"is there twice: line {stands[number]} has number {number} too"
        if due in stands:
            return f"is in the wrong place: line {stands[due]} belongs here"
        if number > due:
            return f"does not follow the line before it: {number - due} missing, from number {due} on"
        return f"is in the wrong place: it has number {number}, and {due} is due"

    def _take_segment(self, line: int, entry: dict[str, Any]) -> None:
        segment = entry["segment"]
        if segment in self.segments:
            self._problem(line, f"tells of segment {segment}, of which line {self.segments[segment][0]} told already")
            return
        self.segments[segment] = (line, Digest(entry["bytes"], entry["sha256"]), entry["until"])

    def _take_compaction(self, line: int, entry: dict[str, Any]) -> None:
        batch = entry["batch"]
        if batch in self._batches:
            self._problem(line, f"tells of batch {batch}, of which line {self._batches[batch][0]} told already")
            return
        files = {path: Digest(told["bytes"], told["sha256"]) for path, told in entry["files"].items()}
        self._batches[batch] = (line, files, entry["segments"])
        for path in files:
            if not path.startswith(f"parquet/{batch}/") or ".." in path.split("/"):
                self._problem(line, f"tells of a file that is not its batch's: {path}")
        for segment in entry["segments"]:
            if segment not in self.segments:
                self._problem(line, f"makes a batch of segment {segment}, of which no line tells before it")
            elif segment in self._dropped:
                self._problem(line, f"makes a batch of segment {segment}, which was dropped before")
            elif segment in self._compacted:
                self._problem(line, f"makes a batch of segment {segment}, which is in batch {self._compacted[segment]}")
            else:
                self._compacted[segment] = batch

    def _take_dropped(self, line: int, entry: dict[str, Any]) -> None:
        signed: bool | None = None
        if self._key is not None and entry["key"] != self._key.id:
            self._problem(line, f"was signed by another key: {entry['key']}, and the one given is {self._key.id}")
            signed = False
        elif self._key is not None:
            signed = self._key.sign(signed_part(entry)) == entry["signature"]
            if not signed:
                self._problem(line, "drops what was recorded, and is not signed by who has the key")
        self.gaps.append((entry, signed))
        before = _nanoseconds(entry["before"])
        if before is None:
            self._problem(line, f"drops what lay before a moment that is none: {entry['before']}")
        whole = {segment for batch in entry["batches"] for segment in self._batches.get(batch, (0, {}, []))[2]}
        for kind, ids, known in (
            ("batch", entry["batches"], self._batches),
            ("segment", entry["segments"], self.segments),
        ):
            for identifier in ids:
                if identifier not in known:
                    self._problem(line, f"drops {kind} {identifier}, of which no line tells before it")
        for segment in sorted(whole.union(entry["segments"])):
            until = self.segments[segment][2] if segment in self.segments else 0
            if before is not None and until >= before:
                self._problem(line, f"drops segment {segment}, which does not lie before {entry['before']}")
        self._dropped.update(entry["segments"], entry["batches"], whole)

    # --- The files ---------------------------------------------------------------------------------------------------

    def _check_segments(self) -> None:
        closed = _names(self._folder.closed)
        waiting = _names(self._folder.open)
        for segment, (line, wanted, _) in self.segments.items():
            name = f"{segment}.seg"
            where = next((place for place, names in (("closed", closed), ("open", waiting)) if name in names), None)
            if name in closed and name in waiting:
                self._problem(line, "is there, and so is the closed segment of that name", f"open/{name}")
            if segment in self._dropped:
                if where:
                    self._problem(
                        line, "was dropped, and is still there: dropping it was interrupted", f"{where}/{name}"
                    )
            elif where:
                self._check_file(line, f"{where}/{name}", wanted)
            elif segment not in self._compacted:
                self._missing(line, f"closed/{name}")
        known = {f"{segment}.seg" for segment in self.segments}
        for name in sorted(closed - known):
            self._problem(_NO_LINE, "is there, and no line of the chain tells of it", f"closed/{name}")
        self.open = sum(name.endswith(".seg") for name in waiting - known)

    def _check_batches(self) -> None:
        root = self._folder.path
        for batch, (line, files, _) in self._batches.items():
            there = _files_below(root, self._folder.parquet / batch)
            if batch in self._dropped:
                if there:
                    self._problem(line, _STILL_THERE, f"parquet/{batch}")
                continue
            for path, wanted in sorted(files.items()):
                if path in there:
                    self._check_file(line, path, wanted)
                else:
                    self._missing(line, path)
            for path in sorted(there - set(files)):
                self._problem(line, "is there, and the chain does not tell of it", path)
        for name in sorted(_names(self._folder.parquet) - set(self._batches)):
            what = "is there, and no line of the chain tells of it: a compaction was killed, or somebody put it there"
            self._problem(_NO_LINE, what, f"parquet/{name}")

    def _check_file(self, line: int, path: str, wanted: Digest) -> None:
        try:
            found = self._digest(self._folder.path / path)
        except FileNotFoundError:
            self._missing(line, path)
        except OSError as error:
            self._problem(line, f"cannot be read: {error.strerror}", path)
        else:
            if found.size < wanted.size:
                self._problem(line, f"was cut off: {found.size} of its {wanted.size} bytes are there", path)
            elif found.size > wanted.size:
                self._problem(line, f"was altered: it has {found.size} bytes, and had {wanted.size}", path)
            elif found != wanted:
                self._problem(line, "was altered: its hash is not the one in the chain", path)

    def _digest(self, path: Path) -> Digest:
        about = os.lstat(path)
        what = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
        if what not in self._digests:
            self._digests[what] = digest_of(path)
        return self._digests[what]


def digest_of(path: Path) -> Digest:
    """Return the digest of a file, and of nothing that a link leads to.

    Raises:
        OSError: It cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        hasher, size = hashlib.sha256(), 0
        while piece := os.read(descriptor, _STEP):
            hasher.update(piece)
            size += len(piece)
    finally:
        os.close(descriptor)
    return Digest(size, hasher.hexdigest())


def _raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with open(path, "rb") as file:
            yield from enumerate(file, 1)
    except FileNotFoundError:
        return
    except OSError as error:
        raise LedgerError(f"The ledger's chain cannot be read: {error.strerror}: {path}") from None


def _names(path: Path) -> set[str]:
    try:
        return set(os.listdir(path))
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise LedgerError(f"The ledger cannot be read: {error.strerror}: {path}") from None


def _files_below(root: Path, path: Path) -> set[str]:
    found: set[str] = set()
    for folder, _, names in os.walk(path):
        found.update(os.path.relpath(os.path.join(folder, name), root) for name in names)
    return found


def _nanoseconds(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000
