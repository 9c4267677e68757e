"""Frames: the entries of scopes, and the sets of active purposes that they lead to.

- **R5** A frame dies with its block, for every context that it was copied to, by losing what it has granted; what was
  made of it dies with it.

Each distinct set of active purposes is one `ActiveSet`, which remembers what was granted under it. That memory is what
makes an allowed read cheap; it holds no more than `decide` would say again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import TYPE_CHECKING, Any, Final, Protocol

from . import config
from .purpose import Handover, Purpose
from .sites import Site

if TYPE_CHECKING:
    from .answers import Answers
    from .policy import Policy

__all__ = [
    "COLLECTING",
    "DEAD",
    "UNCACHED",
    "ActiveSet",
    "Dependent",
    "Emergency",
    "Entry",
    "Frame",
    "note_closed",
    "note_open",
    "open_frames",
]


class _Nothing(frozenset[Any]):
    """Grants of a frame that has none; one object for each reason."""


class _Forgetful(set[Any]):
    """Grants of an active set that nobody can tell when to forget what was granted: none is remembered."""

    def add(self, item: Any, /) -> None:
        pass


class ActiveSet:
    """A set of active purposes, interned where the code alone decides which there are.

    Attributes:
        purposes: The purposes. Whatever is entered stands on them (R4).
        stated: The same, for reading; none where they were received with the work, and it states none of its own.
        origin: Where they were received with, in words; empty where they were stated.
        granted: The policies that `decide` allowed under them, while nobody records reads.
        timed: Those that it allowed for as long as what is read is retained, and no consent is asked for.
        decided: The same, whether or not somebody does: a recorded read passes `admit`, and is not decided again.
        entries: What entering further purposes leads to (R4).
    """

    __slots__ = ("decided", "entries", "granted", "origin", "purposes", "stated", "timed")

    def __init__(self, purposes: frozenset[Purpose], origin: str = "", passing: bool = False) -> None:
        self.purposes = purposes
        self.stated = frozenset[Purpose]() if origin else purposes
        self.origin = origin
        self.granted: set[Any] = _Forgetful() if passing else set()
        self.timed: set[Any] = set() if not passing else _Forgetful()
        self.decided: set[Any] = set()
        self.entries: dict[Purpose | tuple[Purpose, ...], Entry] = {}


class Entry:
    """The outcome of entering `purposes` somewhere: the active set it leads to, and the handovers it took."""

    __slots__ = ("active", "handovers", "purposes")

    def __init__(self, purposes: tuple[Purpose, ...], active: ActiveSet, handovers: tuple[Handover, ...] = ()) -> None:
        self.purposes = purposes
        self.active = active
        self.handovers = handovers


@dataclass(eq=False)
class Emergency:
    """A `break_glass` block: why it opens everything, who opened it, and whether it is open (R5)."""

    reason: str
    by: str
    open: bool = True


class Dependent(Protocol):
    """What dies with a frame."""

    def die(self) -> object: ...


class Frame:
    """One entry of a scope, alive while its block is open.

    Attributes:
        parent: The frame inside which this one was entered; None for `OUTSIDE` alone.
        entry: What entering led to.
        granted: What may be read without asking again. `DEAD` once the block was left.
        owner: The object whose block this is.
        answers: What is known of people's consent here, or None where nobody was asked for yet.
        collected: What the values sealed here are collected for, or None; inherited by the frames inside.
        notes: Where what is read is noted, with whose it is and until when, or None; inherited by the frames inside.
        emergency: What opens everything here, or None; inherited by the frames inside.
        watched: Whether each read is to be seen, for one of the last two reasons.
        hereditary: Whether frames inside inherit something.
        dependents: What dies with this frame: frames that `carry` made of it, and what a recorder wants told.
        record: Called with a box, returns whether it has recorded that it is read, which it does only for what was let
            through here before. None unless a ledger is on.
        started: When it was entered, in ns of the monotonic clock; 0 unless a ledger was on.
    """

    # Class attributes for what few frames have: making a frame is the cost of entering a scope.
    answers: Answers | None = None
    collected: Policy | None = None
    dependents: list[Dependent] | None = None
    emergency: Emergency | None = None
    notes: list[Any] | None = None
    started: int = 0
    watched: bool = False
    hereditary: bool = False
    places: tuple[tuple[Purpose, Site], ...] = ()  # where frames were entered that were left out of order

    def __init__(self, parent: Frame | None, entry: Entry, owner: object, code: CodeType, offset: int) -> None:
        self.parent = parent
        self.entry = entry
        self.owner = owner
        self.code = code
        self.offset = offset
        self.granted: Any = entry.active.granted
        self.record: Callable[[Any], bool] | None = None
        if _clock is not None:
            self.started = _clock()

    def watch(self, *, notes: list[Any] | None, emergency: Emergency | None) -> None:
        """Have every read in this frame seen: noted in `notes`, or let through by `emergency`. Nothing is granted."""
        self.notes = notes
        self.emergency = emergency
        self.watched = self.hereditary = True
        if self.granted is not DEAD:
            self.granted = UNCACHED

    def collect(self, collected: Policy) -> None:
        """Have what is sealed in this frame be collected for `collected`, and for what it was already."""
        self.collected = collected if self.collected is None else self.collected.join(collected)
        self.hereditary = True
        if not COLLECTING:
            COLLECTING.append(True)

    def inherit(self, around: Frame) -> None:
        """Take over what the frame around hands down, where this one has none of its own."""
        if around.watched:
            self.watch(
                notes=around.notes if self.notes is None else self.notes,
                emergency=around.emergency if self.emergency is None else self.emergency,
            )
        if around.collected is not None:
            self.collect(around.collected)

    def at_end(self, dependent: Dependent) -> None:
        """Have `dependent` die when the block is left; at once where it was left already."""
        if self.dependents is None:
            self.dependents = []
        self.dependents.append(dependent)
        if not self.alive:  # after the append: a block left in between has either seen it or is seen here
            dependent.die()

    def die(self) -> None:
        """Die, and all that depends on this frame: nothing is granted in it any more, in whatever context (R5)."""
        self.granted = DEAD
        self.record = None
        _open.discard(self)
        for dependent in list(self.dependents or ()):
            dependent.die()

    def around(self) -> Iterator[Frame]:
        """Yield this frame and those around it, innermost first."""
        frame: Frame | None = self
        while frame is not None:
            yield frame
            frame = frame.parent

    @property
    def alive(self) -> bool:
        """Whether the block is open."""
        return self.granted is not DEAD

    @property
    def active(self) -> frozenset[Purpose]:
        """The active purposes; none once the block was left."""
        return self.entry.active.stated if self.granted is not DEAD else frozenset()

    @property
    def in_emergency(self) -> bool:
        """Whether everything is open here, and every read recorded."""
        return self.emergency is not None and self.emergency.open and self.alive

    @property
    def site(self) -> Site:
        """Where the scope was entered."""
        return Site(self.code, self.offset)


COLLECTING: Final[list[bool]] = []
"""Empty until something is collected for a purpose: whoever seals looks here before it looks for a frame."""
DEAD: Final = _Nothing()
UNCACHED: Final = _Nothing()
_open: set[Frame] = set()
_clock: Callable[[], int] | None = None

note_open = _open.add
note_closed = _open.discard


def open_frames() -> list[Frame]:
    """Return the frames that are open anywhere in the process."""
    return list(_open.copy())


def _configured() -> None:
    global _clock
    _clock = time.monotonic_ns if config.current.ledger is not None else None
    for frame in open_frames():
        frame.record = None


config.on_change(_configured)
