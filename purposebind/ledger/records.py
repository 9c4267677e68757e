"""The records of a segment: what they look like in the file, and how a whole one is told from a broken one.

A segment is a header of `HEADER_BYTES`, and then records of `RECORD_BYTES` each, in the order in which their places
were taken. A record is a head of 16 bytes and a body of 32, all little-endian:

====== ======= =============================================================================================
offset type    head
====== ======= =============================================================================================
0      u8      kind, one of `Kind`; 0 in a place that was taken or kept and never written
1      u8      flags, one of `Flag`
2      u16     check of the head, and for every kind but `Kind.READ` of the body too: `head_check`, `record_check`
4      u16     number of the name that the record refers to, counted from 0 in each segment
6      u16     how often: 1 for a read; for `Kind.NAME` the part's place among the parts
8      u64     the activity; 0 where there was none
====== ======= =============================================================================================

A read is written on the hottest path there is, so both of its halves are made in advance and each proves itself: the
head by its check, the body by holding the person's 16 bytes twice. Every other kind has one check over all of it. A
place is never used twice: what is not whole was being written when the process was killed or the power failed.

=============== ====================================================================================================
kind            body
=============== ====================================================================================================
`Kind.READ`     the person, twice; 32 bytes of 0xff where the person is unknown. Number: a field's name
`Kind.DENIAL`   the person once (16 x 0xff where unknown), monotonic ns u64, 0 u64. Number: a denial's name
`Kind.OPEN`     monotonic ns u64 of the entry, id of the activity around it u64 (0: none), trace id 16 bytes (zero:
                none). Number: an activity's name
`Kind.CLOSE`    monotonic ns u64, 24 zero bytes. Number: 0
`Kind.MARK`     monotonic ns u64, wall clock ns u64, 16 zero bytes. Number: 0
`Kind.LOST`     how many reads could not be recorded u64, monotonic ns u64, 16 zero bytes. Number: 0
`Kind.NAME`     32 bytes of a name's JSON text. Number: the name's; count: which part, from 0; activity: the length of
                the whole text in bytes. The parts of a name need not stand together, nor before its first use
=============== ====================================================================================================

A name is a JSON object with a key ``"is"``:

- ``{"is": "field", "field": "Account.phone"}``
- ``{"is": "activity", "purposes": [...], "entered": [...], "site": "file:line in function", "handovers": [{"left": ...,
  "entered": ..., "reason": ...}], "break_glass": null | {"reason": ..., "by": ...}}``; ``purposes`` is the active set
- ``{"is": "denial", "field": ..., "purposes": [...], "reason": ..., "site": ... | null, "enforced": true | false,
  "allowed": [...]}``

The header is one line of JSON, padded with spaces to its length with a line feed as the last byte. Its keys: ``format``
(`FORMAT`), ``segment`` (its id, 32 hexadecimal digits), ``writer`` (the id of the process's writer, the same), ``pid``,
``host``, ``service``, ``key`` (`key.Key.id`: by which key persons were hashed), ``wall`` and ``monotonic`` (ns, read
together at creation). Times inside are the header's wall clock plus the monotonic time since: a clock that is set back
disturbs nothing.

A read has no time of its own. It happened between the last record with a monotonic time before it and the next one
after it. Two `Kind.MARK` are written at every interval in which something was recorded: the first tells until when that
was, and the second is made to tell a later time at every interval in which nothing was. It is the one record that is
written to twice.
"""

from __future__ import annotations

import struct
import time
import zlib
from enum import IntEnum, IntFlag
from typing import Final

__all__ = [
    "FORMAT",
    "HEADER_BYTES",
    "NAME_PART_BYTES",
    "RECORD_BYTES",
    "UNKNOWN",
    "Flag",
    "Kind",
    "head",
    "head_check",
    "mark",
    "name_records",
    "record",
    "record_check",
]

FORMAT: Final = "purposebind ledger segment 1"
HEADER_BYTES: Final = 4096
RECORD_BYTES: Final = 48
NAME_PART_BYTES: Final = 32
UNKNOWN: Final = b"\xff" * 16
"""Stands for a person who is not known."""

_HEAD = struct.Struct("<BBHHHQ")
_TIMES = struct.Struct("<QQ")


class Kind(IntEnum):
    """What a record tells."""

    READ = 1
    DENIAL = 2
    OPEN = 3
    CLOSE = 4
    MARK = 5
    LOST = 6
    NAME = 7


class Flag(IntFlag):
    """What else there is to say of a record."""

    NONE = 0
    CONTINUED = 1
    """An `Kind.OPEN` of an activity that was opened in another segment, whose first reads are there."""


def head(kind: Kind, number: int, count: int, activity: int, flags: int = 0) -> bytes:
    """Return the head of a `Kind.READ`, with its check."""
    return _HEAD.pack(kind, flags, head_check(kind, flags, number, count, activity), number, count, activity)


def head_check(kind: int, flags: int, number: int, count: int, activity: int) -> int:
    """Return the check of a head: its 16-bit words, the check's own left out, folded by exclusive or, and never 0."""
    folded = (kind | flags << 8) ^ number ^ count ^ activity ^ activity >> 16 ^ activity >> 32 ^ activity >> 48
    return (folded & 0xFFFF) ^ 0xA55A or 0xA55A


def record(kind: Kind, body: bytes, number: int = 0, count: int = 1, activity: int = 0, flags: int = 0) -> bytes:
    """Return a whole record of any kind but `Kind.READ`; `body` is filled up with zeros."""
    body = body.ljust(RECORD_BYTES - _HEAD.size, b"\0")
    bare = _HEAD.pack(kind, flags, 0, number, count, activity) + body
    return _HEAD.pack(kind, flags, record_check(bare), number, count, activity) + body


def mark() -> bytes:
    """Return a record that tells what time it is."""
    return record(Kind.MARK, _TIMES.pack(time.monotonic_ns(), time.time_ns()))


def record_check(bare: bytes) -> int:
    """Return the check of a record whose check is 0: the CRC-32 of it, folded to 16 bits, and never 0."""
    crc = zlib.crc32(bare)
    return (crc ^ crc >> 16) & 0xFFFF or 0xA55A


def name_records(number: int, text: bytes) -> list[bytes]:
    """Return the records that hold the JSON `text` of a name."""
    parts = [text[at : at + NAME_PART_BYTES] for at in range(0, len(text), NAME_PART_BYTES)]
    return [record(Kind.NAME, part, number, place, len(text)) for place, part in enumerate(parts)]
