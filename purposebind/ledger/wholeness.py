"""Which records of a piece of a segment are whole: the checks of `records`, for many records at once."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from .errors import LedgerError
from .records import RECORD_BYTES

try:
    import numpy as np
except ImportError:
    raise LedgerError("Reading a ledger needs numpy: pip install 'purposebind[ledger]'") from None

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["whole_reads", "whole_records"]

_NEVER_ZERO: Final = np.uint64(0xA55A)
_LOW: Final = np.uint64(0xFFFF)
_CHECK: Final = slice(2, 4)


def whole_reads(words: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which reads are whole.

    A body of nothing but zeros is none: the process was killed between the record's halves.

    Args:
        words: The records, six 64-bit words each.
    """
    first, activity = words[:, 0], words[:, 1]
    folded = first ^ first >> np.uint64(32) ^ first >> np.uint64(48)
    folded = folded ^ activity ^ activity >> np.uint64(16) ^ activity >> np.uint64(32) ^ activity >> np.uint64(48)
    wanted = folded & _LOW ^ _NEVER_ZERO
    wanted[wanted == 0] = _NEVER_ZERO
    high, low = words[:, 2], words[:, 3]
    whole: NDArray[np.bool_] = first >> np.uint64(16) & _LOW == wanted
    whole &= high == words[:, 4]
    whole &= low == words[:, 5]
    whole &= (high | low) != 0
    return whole


def whole_records(data: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which records of the other kinds are whole.

    Args:
        data: The records, 48 bytes each.
    """
    found = np.full(len(data), _OF_ZEROS, np.uint16)
    columns = np.ascontiguousarray(data.T)
    for place in range(RECORD_BYTES):
        if not _CHECK.start <= place < _CHECK.stop:
            found ^= _TABLES[place][columns[place]]
    found[found == 0] = _NEVER_ZERO
    told = columns[_CHECK.start].astype(np.uint16) | columns[_CHECK.stop - 1].astype(np.uint16) << np.uint16(8)
    whole: NDArray[np.bool_] = told == found
    return whole


def _folded(bare: bytes) -> int:
    crc = zlib.crc32(bare)
    return (crc ^ crc >> 16) & 0xFFFF


# A CRC is linear: that of a record is that of 48 zero bytes, changed by each byte in a way that depends on its place
# alone. So one table for each place does the work, and no loop over records is needed.
_OF_ZEROS: Final = _folded(bytes(RECORD_BYTES))


def _table(place: int) -> NDArray[np.uint16]:
    bare = bytearray(RECORD_BYTES)
    table = np.zeros(256, np.uint16)
    for value in range(256):
        bare[place] = value
        table[value] = _folded(bytes(bare)) ^ _OF_ZEROS
    return table


_TABLES: Final = [_table(place) for place in range(RECORD_BYTES)]
