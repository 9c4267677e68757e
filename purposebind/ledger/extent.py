"""How far a segment was written, and what its header says: what reading it and closing it both have to know."""

from __future__ import annotations

import json
import os
import re
from typing import Any, Final

from .errors import LedgerError
from .records import FORMAT, HEADER_BYTES, RECORD_BYTES

__all__ = ["parse_header", "read_at", "written_end"]

_STEP: Final = 1 << 20
_ID: Final = re.compile(r"[0-9a-f]{32}\Z")
_TYPES: Final[dict[str, type]] = {
    "format": str,
    "segment": str,
    "writer": str,
    "pid": int,
    "host": str,
    "service": str,
    "key": str,
    "wall": int,
    "monotonic": int,
}


def read_at(descriptor: int, start: int, size: int) -> bytes:
    """Return the bytes of a file from an offset on; fewer only where the file ends."""
    data = os.pread(descriptor, size, start)
    if len(data) == size or not data:
        return data
    pieces = [data]
    while data and (size := size - len(data)):
        start += len(data)
        data = os.pread(descriptor, size, start)
        pieces.append(data)
    return b"".join(pieces)


def written_end(descriptor: int) -> int:
    """Return where the last record ends that has a byte other than zero; the header's end where there is none.

    A record that is cut off by the end of the file ends there.
    """
    size = os.fstat(descriptor).st_size
    stop = size
    while stop > HEADER_BYTES:
        start = max(HEADER_BYTES, stop - _STEP)
        used = len(read_at(descriptor, start, stop - start).rstrip(b"\0"))
        if used:
            records = -(-(start + used - HEADER_BYTES) // RECORD_BYTES)
            return min(size, HEADER_BYTES + records * RECORD_BYTES)
        stop = start
    return min(size, HEADER_BYTES)


def parse_header(data: bytes) -> dict[str, Any]:
    """Return what a segment's header says.

    Args:
        data: The first `HEADER_BYTES` of the file.

    Raises:
        LedgerError: It is not a header; the message says why, and does not say of which file.
    """
    if len(data) < HEADER_BYTES:
        raise LedgerError(f"its header is cut off after {len(data)} bytes")
    if not data.strip(b"\0"):
        raise LedgerError("its header was never written")
    try:
        header = json.loads(data)
    except ValueError:  # not JSON, or not UTF-8
        header = None
    if not isinstance(header, dict) or not data.endswith(b"\n"):
        raise LedgerError("its header is damaged")
    if header.get("format") != FORMAT:
        raise LedgerError(f"its format is {header.get('format')!r}, this version knows {FORMAT!r}")
    for name, kind in _TYPES.items():
        value = header.get(name)
        if type(value) is not kind or (isinstance(value, int) and not 0 <= value < 1 << 63):
            raise LedgerError(f"its header is damaged at {name!r}")
    if not _ID.match(header["segment"]):
        raise LedgerError("its header is damaged at 'segment'")
    return header
