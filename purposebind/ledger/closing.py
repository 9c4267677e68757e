"""Closing a segment: it is cut to what was written, put into the chain, and moved to the closed ones.

What this module keeps:

- Killed at any step, or told by the system that a step failed, it leaves a segment that can be read, and that is closed
  exactly once when this is done again: cut and on the disk first, then in the chain, then moved.
- A segment whose writer is alive is closed by nobody else. Who writes holds the lock on the file; a process that is
  gone holds none.
- What was written is kept, damaged or not. Only a file in which nothing was ever written is removed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import time
from array import array
from itertools import compress, count
from pathlib import Path
from typing import Any, Final, NamedTuple

from .chain import Chain
from .errors import LedgerError
from .extent import parse_header, read_at, written_end
from .folder import Folder, sync_folder, try_lock
from .links import IDENTIFIER
from .records import HEADER_BYTES, RECORD_BYTES, Kind, record_check

__all__ = ["close_abandoned", "close_segment"]

_logger = logging.getLogger("purposebind")

_STEP: Final = RECORD_BYTES << 14
_TIMES: Final = [
    (bytes(kind in kinds for kind in range(256)), word)
    for kinds, word in (((Kind.OPEN, Kind.CLOSE, Kind.MARK), 2), ((Kind.LOST,), 3), ((Kind.DENIAL,), 4))
]
"""Which kinds of records tell a time, and in which of their 64-bit words."""
_UNFINISHED_AGE: Final = 3600
"""Seconds after which an empty file that was to become a segment belongs to nobody."""


def close_segment(folder: Folder, path: Path, descriptor: int | None = None) -> bool:
    """Close a segment. One that is closed already is left as it is, one that was half closed is closed to the end.

    Args:
        folder: The ledger's folder.
        path: The segment's file, in the folder's ``open``.
        descriptor: Of the file, open for writing and locked; without it the file is opened and locked here.

    Returns:
        Whether it is closed now; if not, nothing was ever written to it, and it was removed.

    Raises:
        LedgerError: A step failed, or somebody writes to the segment; it stays as it is, and can be read.
    """
    try:
        with folder.locked():
            if descriptor is not None:
                return _close(folder, path, descriptor)
            try:
                opened = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                return _is_closed(folder, path)
            try:
                if not try_lock(opened):
                    raise LedgerError(f"The segment {path} cannot be closed: a process is writing to it")
                return _close(folder, path, opened)
            finally:
                os.close(opened)
    except OSError as error:
        raise LedgerError(f"The segment {path} cannot be closed: {error.strerror}") from None


def close_abandoned(folder: Folder) -> list[str]:
    """Close the segments whose writers are gone, and return their ids.

    One that cannot be closed is told to the log, and left.

    Args:
        folder: The ledger's folder.

    Raises:
        LedgerError: The folder cannot be read.
    """
    try:
        names = sorted(os.listdir(folder.open))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LedgerError(f"The ledger cannot be read: {error.strerror}: {folder.open}") from None
    closed = []
    for name in names:
        path = folder.open / name
        try:
            if path.suffix == ".new":
                _remove_unfinished(path)
            elif path.suffix == ".seg" and _close_if_abandoned(folder, path):
                closed.append(path.stem)
        except FileNotFoundError:
            continue  # somebody else was faster
        except OSError as error:
            _logger.error("the ledger's segment %s cannot be closed: %s", path, error.strerror)
        except LedgerError as error:
            _logger.error("%s", error)
    return closed


def _close_if_abandoned(folder: Folder, path: Path) -> bool:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return try_lock(descriptor) and close_segment(folder, path, descriptor)
    finally:
        os.close(descriptor)


def _remove_unfinished(path: Path) -> None:
    """Remove what a process was killed over when it began to make a segment."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        about = os.fstat(descriptor)
        # Who makes a segment locks the file before giving it a size. An empty one may be locked in the next moment.
        if try_lock(descriptor) if about.st_size else time.time() - about.st_mtime > _UNFINISHED_AGE:
            os.unlink(path)
    finally:
        os.close(descriptor)


def _close(folder: Folder, path: Path, descriptor: int) -> bool:
    if not _is_file(path, descriptor):
        return _is_closed(folder, path)
    if IDENTIFIER.match(path.stem) is None:
        raise LedgerError(f"The segment {path} cannot be closed: its name is not the id of a segment")
    target = folder.closed / path.name
    if target.exists():
        raise LedgerError(
            f"The segment {path} cannot be closed: there is a closed one of that name, remove one of them"
        )
    chain = Chain(folder)
    if not chain.knows(path.stem):
        end = written_end(descriptor)
        header = read_at(descriptor, 0, HEADER_BYTES)
        if end <= HEADER_BYTES and not header.strip(b"\0"):
            os.unlink(path)
            sync_folder(folder.open)
            return False
        told = _header(path, header)
        if end < os.fstat(descriptor).st_size:
            os.ftruncate(descriptor, end)
        os.fsync(descriptor)
        chain.append({"is": "segment", "segment": path.stem, **_described(descriptor, told)})
    folder.closed.mkdir(mode=0o700, exist_ok=True)  # a backup may have left out what was empty
    os.rename(path, target)
    sync_folder(folder.closed)
    sync_folder(folder.open)
    return True


def _is_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _is_closed(folder: Folder, path: Path) -> bool:
    """Of a segment that is not open any more: whether the chain tells of it."""
    return Chain(folder).knows(path.stem)


def _header(path: Path, data: bytes) -> dict[str, Any] | None:
    """What the header says, or None where it is damaged: its records are kept all the same."""
    try:
        header = parse_header(data)
    except LedgerError as error:
        _logger.error("the ledger's segment %s is closed as it is: %s", path, error)
        return None
    if header["segment"] != path.stem:
        raise LedgerError(f"The segment {path} cannot be closed: it is a copy of segment {header['segment']}")
    return header


class _Content(NamedTuple):
    size: int
    sha256: str
    records: int
    latest: int


def _described(descriptor: int, header: dict[str, Any] | None) -> dict[str, Any]:
    content = _content(descriptor)
    told = {"bytes": content.size, "sha256": content.sha256, "records": content.records}
    if header is None:
        # When its records were written cannot be told any more: not later than now.
        return {**told, "writer": "", "key": "", "wall": 0, "until": time.time_ns()}
    until = header["wall"] + max(0, content.latest - header["monotonic"])
    return {**told, "writer": header["writer"], "key": header["key"], "wall": header["wall"], "until": until}


def _content(descriptor: int) -> _Content:
    data = read_at(descriptor, 0, HEADER_BYTES)
    hasher, size = hashlib.sha256(data), len(data)
    records = latest = 0
    while data := read_at(descriptor, size, _STEP):
        hasher.update(data)
        size += len(data)
        kinds = data[::RECORD_BYTES]
        records += len(kinds) - kinds.count(0)
        latest = _latest(data, kinds, latest)
    return _Content(size, hasher.hexdigest(), records, latest)


def _latest(data: bytes, kinds: bytes, latest: int) -> int:
    """The latest time that a whole record tells, or `latest` where that is later.

    There may be a third of a million of them, in a process that has other things to do: so whole columns at once.
    """
    words = array("Q", data[: len(data) // RECORD_BYTES * RECORD_BYTES])
    if sys.byteorder == "big":
        words.byteswap()
    for of_kinds, word in _TIMES:
        chosen = kinds.translate(of_kinds)
        told = zip(compress(words[word :: RECORD_BYTES // 8], chosen), compress(count(), chosen), strict=False)
        for moment, place in sorted((one for one in told if one[0] > latest), reverse=True):
            if _is_whole(data[place * RECORD_BYTES : (place + 1) * RECORD_BYTES]):
                latest = moment
                break
    return latest


def _is_whole(data: bytes) -> bool:
    return record_check(data[:2] + b"\0\0" + data[4:]) == int.from_bytes(data[2:4], "little")
