"""Segments made by hand, and read by a reader that is slow and plain."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from purposebind.ledger.records import (
    FORMAT,
    HEADER_BYTES,
    RECORD_BYTES,
    UNKNOWN,
    Kind,
    head,
    head_check,
    name_records,
    record,
    record_check,
)

CREATED = 1_000_000
"""When segments made here begin, in ns of the monotonic clock."""
WALL = 1_700_000_000_000_000_000

FIELD = {"is": "field", "field": "Account.phone"}
ACTIVITY: dict[str, Any] = {
    "is": "activity",
    "purposes": ["security"],
    "entered": ["security"],
    "site": "app.py:1 in login",
    "handovers": [],
    "break_glass": None,
}
DENIAL: dict[str, Any] = {
    "is": "denial",
    "field": "Account.phone",
    "purposes": ["ads"],
    "reason": "not allowed",
    "site": None,
    "enforced": True,
    "allowed": ["security"],
}


def header(segment: str = "a" * 32, **changes: Any) -> bytes:
    told = {
        "format": FORMAT,
        "segment": segment,
        "writer": "b" * 32,
        "pid": 1,
        "host": "host",
        "service": "",
        "key": "0" * 16,
        "wall": WALL,
        "monotonic": CREATED,
        **changes,
    }
    return json.dumps(told).encode().ljust(HEADER_BYTES - 1) + b"\n"


def person(number: int) -> bytes:
    return UNKNOWN if number < 0 else hashlib.blake2b(b"%d" % number, digest_size=16).digest()


def read(who: int = 1, number: int = 0, activity: int = 7) -> bytes:
    return head(Kind.READ, number, 1, activity) + 2 * person(who)


def denial(mono: int, who: int = 1, number: int = 2, activity: int = 7) -> bytes:
    return record(Kind.DENIAL, person(who) + struct.pack("<Q", mono), number, activity=activity)


def opened(mono: int, number: int = 1, activity: int = 7, around: int = 0, trace: int = 0, flags: int = 0) -> bytes:
    body = struct.pack("<QQ", mono, around) + trace.to_bytes(16, "big")
    return record(Kind.OPEN, body, number, activity=activity, flags=flags)


def closed(mono: int, activity: int = 7) -> bytes:
    return record(Kind.CLOSE, struct.pack("<Q", mono), activity=activity)


def mark(mono: int, wall: int = 0) -> bytes:
    return record(Kind.MARK, struct.pack("<QQ", mono, wall))


def lost(reads: int, mono: int) -> bytes:
    return record(Kind.LOST, struct.pack("<QQ", reads, mono))


def name(number: int, what: dict[str, Any]) -> list[bytes]:
    return name_records(number, json.dumps(what, sort_keys=True, separators=(",", ":")).encode())


def names() -> list[bytes]:
    """The records of three names: 0 is a field's, 1 an activity's, 2 a denial's."""
    return [*name(0, FIELD), *name(1, ACTIVITY), *name(2, DENIAL)]


def segment(records: list[bytes], path: Path, size: int = 0, **changes: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    first = header(path.stem if len(path.stem) == 32 else "a" * 32, **changes)
    path.write_bytes((first + b"".join(records)).ljust(size, b"\0"))
    return path


@dataclass
class Slow:
    """What a segment holds by the letter of `records`, one record after the other."""

    reads: list[tuple[int, int, bytes, int, int]] = field(default_factory=list)
    others: dict[int, list[bytes]] = field(default_factory=dict)
    records: int = 0
    bad: set[int] = field(default_factory=set)
    names: dict[int, Any] = field(default_factory=dict)
    latest: int = CREATED


def _is_whole(data: bytes) -> bool:
    kind, flags, check, number, count, activity = struct.unpack("<BBHHHQ", data[:16])
    if kind == Kind.READ:
        halves = data[16:32] == data[32:48] != bytes(16)
        return halves and check == head_check(kind, flags, number, count, activity)
    return check == record_check(data[:2] + b"\0\0" + data[4:])


def _mono(data: bytes) -> int:
    place = {Kind.DENIAL: 32, Kind.LOST: 24}.get(Kind(data[0]), 16)
    found: int = struct.unpack_from("<Q", data, place)[0]
    return found


def slowly(path: Path) -> Slow:
    """Read a segment."""
    data = path.read_bytes()[HEADER_BYTES:]
    data = data.rstrip(b"\0") + bytes(len(data) - len(data.rstrip(b"\0")))
    used = len(data.rstrip(b"\0"))
    result = Slow()
    parts: dict[int, dict[int, bytes]] = {}
    lengths: dict[int, int] = {}
    whole: list[tuple[int, bytes]] = []
    for at in range(0, used, RECORD_BYTES):
        one = data[at : at + RECORD_BYTES]
        if one == bytes(RECORD_BYTES):
            continue
        if len(one) < RECORD_BYTES or one[0] not in list(Kind) or not _is_whole(one):
            result.bad.add(HEADER_BYTES + at)
            continue
        result.records += 1
        whole.append((HEADER_BYTES + at, one))
        if one[0] == Kind.NAME:
            number, part, length = struct.unpack("<HHQ", one[4:16])
            lengths.setdefault(number, length)
            parts.setdefault(number, {}).setdefault(part, one[16:])
    for number, found in parts.items():
        wanted = -(-lengths[number] // 32)
        if all(part in found for part in range(wanted)):
            text = b"".join(found[part] for part in range(wanted))[: lengths[number]]
            result.names[number] = json.loads(text)
        else:
            first = next(at for at, one in whole if one[0] == Kind.NAME and struct.unpack("<H", one[4:6])[0] == number)
            result.bad.add(first)
    now = CREATED
    wanted_names = {Kind.READ: "field", Kind.DENIAL: "denial", Kind.OPEN: "activity"}
    for place, (at, one) in enumerate(whole):
        kind = Kind(one[0])
        number = struct.unpack("<H", one[4:6])[0]
        if kind not in (Kind.READ, Kind.NAME):
            result.latest = now = max(now, _mono(one))
        if kind in wanted_names and result.names.get(number, {}).get("is") != wanted_names[kind]:
            result.bad.add(at)
        elif kind == Kind.READ:
            after = (o for _, o in whole[place:] if o[0] not in (Kind.READ, Kind.NAME, Kind.OPEN))
            until = max(now, next((_mono(o) for o in after), now))
            result.reads.append((number, struct.unpack("<Q", one[8:16])[0], one[16:32], now, until))
        else:
            result.others.setdefault(kind, []).append(one)
    return result
