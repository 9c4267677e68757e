"""Ledgers drawn at random, written record by record, with a list beside them of what is in them.

The answers to questions are counted from that list, one entry after the other, by code that knows nothing of files.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any

from segments import header, name

from purposebind.ledger.folder import Folder
from purposebind.ledger.key import Key
from purposebind.ledger.records import HEADER_BYTES, RECORD_BYTES, UNKNOWN, Flag, Kind, head, record

__all__ = ["FIELDS", "KEY", "PEOPLE", "START", "Event", "Model", "damage_at_random"]

KEY = Key(bytes(range(32)))
START = datetime(2026, 3, 1, tzinfo=timezone.utc)
_CREATED = 10**18
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

FIELDS = ("Account.phone", "Account.email", "Accounting.phone", "Order.items.price")
PEOPLE = range(7)
_HANDOVERS = (
    {"left": "orders", "entered": "billing", "reason": "An order is charged"},
    {"left": "support", "entered": "billing", "reason": "An agent may charge"},
)


@dataclass(frozen=True)
class Place:
    """What activities of one place in the code have in common."""

    purposes: tuple[str, ...]
    site: str
    handovers: tuple[dict[str, str], ...] = ()
    emergency: tuple[str, str] | None = None

    def told(self) -> dict[str, Any]:
        by = None if self.emergency is None else dict(zip(("reason", "by"), self.emergency, strict=True))
        return {
            "is": "activity",
            "purposes": list(self.purposes),
            "entered": list(self.purposes[-1:]),
            "site": self.site,
            "handovers": list(self.handovers),
            "break_glass": by,
        }


PLACES = (
    Place(("security.two_factor",), "/srv/app/login.py:88 in send_code"),
    Place(("ads", "orders"), "/srv/app/ads.py:3 in match"),
    Place(("billing",), "/srv/app/invoice.py:12 in invoice", _HANDOVERS[:1]),
    Place(("billing",), "/srv/app/invoice.py:40 in again", _HANDOVERS),
    Place((), "/srv/ops/restore.py:4 in restore", (), ("INC-1: restore", "Grace")),
    Place(("security",), "/srv/ops/inside.py:9 in step", (), ("INC-1: restore", "Grace")),
)
DENIALS = (
    ("Account.phone", ("ads",), "not allowed", "/srv/app/ads.py:7 in match", True),
    ("Account.phone", ("ads",), "not allowed", "/srv/app/ads.py:7 in match", False),
    ("Account.email", (), "no scope", None, True),
    ("Order.items.price", ("ads", "security"), "never allowed", "/srv/app/ads.py:9 in <lambda>", False),
)


@dataclass(frozen=True)
class Event:
    """A read or denial: whose (None: unknown), of what, when it counts."""

    person: int | None
    field: str
    purposes: tuple[str, ...]
    decision: str
    site: str | None
    reason: str | None
    activity: int
    when: datetime


@dataclass
class _Running:
    """An activity."""

    number: int
    place: Place
    around: int
    trace: int
    started: datetime
    ended: datetime | None = None


@dataclass
class Model:
    """A ledger, and what is in it.

    Attributes:
        folder: The ledger's.
        chance: Draws.
        events: What was read and denied, in all segments.
        activities: By their numbers.
        lost: How many reads were lost, and when that was told.
        damaged: How many records were damaged.
    """

    folder: Folder
    chance: Random
    events: list[Event] = field(default_factory=list)
    activities: dict[int, _Running] = field(default_factory=dict)
    lost: list[tuple[datetime, int]] = field(default_factory=list)
    damaged: int = 0
    segments: int = 0
    _running: list[_Running] = field(default_factory=list)
    _seconds: int = 0

    def segment(self, steps: int, damage: bool = False, tail: int = 0) -> Path:
        """Write a segment that no process writes to any more, in ``open``."""
        self.folder.make()
        self.segments += 1
        segment = _Segment(self, damage)
        self._running = [one for one in self._running if self.chance.random() < 0.5]
        for _ in range(steps):
            segment.step()
        path = self.folder.open / f"{self.segments:032x}.seg"
        first = header(path.stem, key=KEY.id, wall=_ns(segment.start), monotonic=_CREATED)
        path.write_bytes(first + b"".join(segment.records) + bytes(tail))
        self.events += segment.settled()
        return path

    # --- The answers -------------------------------------------------------------------------------------------------

    def people(self, events: Iterable[Event]) -> int:
        return len({one.person for one in events if one.person is not None})

    def unknown(self, events: Iterable[Event]) -> int:
        return sum(one.person is None for one in events)

    def groups(self, events: Iterable[Event], key: Callable[[Event], Iterable[Any]]) -> dict[Any, list[Event]]:
        found: dict[Any, list[Event]] = {}
        for one in events:
            for group in key(one):
                found.setdefault(group, []).append(one)
        return found


class _Segment:
    """A segment that is being drawn. Each activity has its entry in each segment that tells of it."""

    def __init__(self, model: Model, damage: bool) -> None:
        self._model = model
        self._chance = model.chance
        self._damage = damage
        self.start = START + timedelta(seconds=model._seconds)
        self._now = self.start
        self._told = self.start
        self._opened: set[int] = set()
        self._names: dict[str, int] = {}
        self.records: list[bytes] = []
        self._waiting: list[Event] = []
        self._done: list[Event] = []

    def step(self) -> None:
        what = self._chance.random()
        running = self._model._running
        if what < 0.15 or not running:
            self._enter()
        elif what < 0.75:
            self._read(self._chance.choice(running))
        elif what < 0.85:
            self._deny(self._chance.choice([None, *running]))
        elif what < 0.9:
            self._leave(self._chance.choice(running))
        elif what < 0.98:
            self._later()
            self.records.append(record(Kind.MARK, self._mono() + bytes(8)))
            self._settle()
        else:
            self._later()
            many = self._chance.randrange(1, 5)
            self.records.append(record(Kind.LOST, struct.pack("<Q", many) + self._mono()))
            self._model.lost.append((self._now, many))
            self._settle()

    def settled(self) -> list[Event]:
        """All events: those after which no time is told happened at the one told before them."""
        return self._done + self._waiting

    def _enter(self) -> None:
        self._later()
        around = self._chance.choice([0, *(one.number for one in self._model._running)])
        number = self._chance.getrandbits(62) + 1
        place = self._chance.choice(PLACES)
        one = _Running(number, place, around, self._chance.choice([0, self._chance.getrandbits(128)]), self._now)
        self._model.activities[number] = one
        self._model._running.append(one)
        self._open(one)

    def _open(self, one: _Running) -> None:
        if one.number not in self._opened:
            number = self._number(one.place.told())
            flags = Flag.NONE if one.started == self._now else Flag.CONTINUED
            body = self._mono(one.started) + struct.pack("<Q", one.around) + one.trace.to_bytes(16, "big")
            self.records.append(record(Kind.OPEN, body, number, activity=one.number, flags=flags))
            self._opened.add(one.number)
            self._told = max(self._told, one.started)

    def _read(self, one: _Running) -> None:
        self._open(one)
        of = self._chance.choice(FIELDS)
        number = self._number({"is": "field", "field": of})
        for _ in range(self._chance.randrange(1, 4)):
            person = self._chance.choice([None, *PEOPLE])
            whole = head(Kind.READ, number, 1, one.number) + 2 * _hashed(person)
            if self._damage and self._chance.random() < 0.1:
                self._model.damaged += 1
                self.records.append(whole[:20] + bytes([whole[20] ^ 1]) + whole[21:])
                continue
            self.records.append(whole)
            decision = "allowed" if one.place.emergency is None else "break_glass"
            event = (person, of, one.place.purposes, decision, one.place.site, None, one.number, self._told)
            self._waiting.append(Event(*event))

    def _deny(self, one: _Running | None) -> None:
        self._later()
        of, purposes, reason, site, enforced = self._chance.choice(DENIALS)
        if one is not None:
            self._open(one)
        told = {"is": "denial", "field": of, "purposes": list(purposes), "reason": reason, "site": site}
        number = self._number({**told, "enforced": enforced, "allowed": ["security"]})
        person = self._chance.choice([None, *PEOPLE])
        activity = 0 if one is None else one.number
        self.records.append(record(Kind.DENIAL, _hashed(person) + self._mono(), number, activity=activity))
        decision = "denied" if enforced else "observed"
        self._settle()
        self._done.append(Event(person, of, purposes, decision, site, reason, activity, self._now))

    def _leave(self, one: _Running) -> None:
        self._later()
        self._open(one)
        self.records.append(record(Kind.CLOSE, self._mono(), activity=one.number))
        one.ended = self._now
        self._model._running.remove(one)
        self._settle()

    def _settle(self) -> None:
        self._told = self._now
        self._done += [replace(one, when=self._now) for one in self._waiting]
        self._waiting.clear()

    def _later(self) -> None:
        self._model._seconds += self._chance.choice([1, 60, 3600, 86_400])
        self._now = START + timedelta(seconds=self._model._seconds)

    def _mono(self, when: datetime | None = None) -> bytes:
        passed = _CREATED + _ns(when or self._now) - _ns(self.start)
        return struct.pack("<Q", max(0, passed))

    def _number(self, what: dict[str, Any]) -> int:
        text = repr(what)
        if text not in self._names:
            self._names[text] = len(self._names)
            self.records += name(self._names[text], what)
        return self._names[text]


def damage_at_random(path: Path, chance: Random) -> None:
    """Overwrite some bytes of a segment behind its header with others."""
    size = os.stat(path).st_size - HEADER_BYTES
    with open(path, "r+b") as file:
        for _ in range(chance.randrange(1, 8)):
            file.seek(HEADER_BYTES + chance.randrange(max(1, size)))
            file.write(bytes(chance.getrandbits(8) for _ in range(chance.randrange(1, RECORD_BYTES))))


def _hashed(person: int | None) -> bytes:
    return UNKNOWN if person is None else KEY.person(person)


def _ns(when: datetime) -> int:
    since = when - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000
