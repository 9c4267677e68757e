"""Scopes: for which purposes the code that runs now is running.

What this module keeps:

- **R4** Entering Q inside an active set S: (a) members of S that are ancestors of Q, or Q itself, are refined away;
  (b) members that declared a handover covering Q are left, and the handover is recorded; (c) every other member stays.
  `purpose_scope(P, Q)` is `purpose_scope(P)` with `purpose_scope(Q)` inside.
- **R5** A scope lives in its own block and nowhere else.

How R5 is kept: each entry makes a `Frame`, and the one ContextVar holds the innermost. A context may be copied to a task,
a thread or a callback, and the frame with it; but when the block is left the frame dies for all of them, by losing what
it has granted. Leaving works on frames, not on tokens, so that leaving out of order resurrects nothing. A dead frame grants
nothing, although an ancestor may be alive; a scope entered inside it stands on the nearest living ancestor.

Each distinct set of active purposes is one `ActiveSet`, which remembers what was granted under it. That memory is what
makes an allowed read cheap; it holds no more than `decide` would say again.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from contextvars import ContextVar
from types import CodeType, FrameType, TracebackType
from typing import Any, Final, TypeVar

from . import config
from .callables import wrap
from .errors import PolicyError, PurposeError
from .purpose import Handover, Purpose, _on_handover, require_purposes
from .sites import Site

__all__ = [
    "OUTSIDE",
    "ActiveSet",
    "Entry",
    "Frame",
    "active_purposes",
    "carry",
    "current_frame",
    "enter",
    "entered",
    "forget_grants",
    "noting",
    "open_frames",
    "purpose_scope",
    "taken_handovers",
]

_F = TypeVar("_F", bound="Callable[..., Any] | staticmethod[..., Any] | classmethod[Any, ..., Any] | property")


class _Nothing(frozenset[Any]):
    """Grants of a frame that has none; one object for each reason."""


class ActiveSet:
    """A set of active purposes, interned.

    Attributes:
        purposes: The purposes.
        granted: The policies that `decide` allowed under them, while nobody records reads.
        entries: What entering further purposes leads to (R4).
    """

    __slots__ = ("entries", "granted", "purposes")

    def __init__(self, purposes: frozenset[Purpose]) -> None:
        self.purposes = purposes
        self.granted: set[Any] = set()
        self.entries: dict[tuple[Purpose, ...], Entry] = {}


class Entry:
    """The outcome of entering `purposes` somewhere: the active set it leads to, and the handovers it took."""

    __slots__ = ("active", "handovers", "purposes")

    def __init__(self, purposes: tuple[Purpose, ...], active: ActiveSet, handovers: tuple[Handover, ...] = ()) -> None:
        self.purposes = purposes
        self.active = active
        self.handovers = handovers


class Frame:
    """One entry of a scope, alive while its block is open.

    Attributes:
        parent: The frame inside which this one was entered; None for `OUTSIDE` alone.
        entry: What entering led to.
        granted: What may be read without asking again. `_DEAD` once the block was left.
        owner: The object whose block this is.
        notes: Where the policies of what is read are noted, or None; inherited by the frames inside.
        carried: Frames that `carry` made of this one, and that die with it.
    """

    __slots__ = ("carried", "code", "entry", "granted", "notes", "offset", "owner", "parent")

    def __init__(self, parent: Frame | None, entry: Entry, owner: object, code: CodeType, offset: int) -> None:
        self.parent = parent
        self.entry = entry
        self.owner = owner
        self.code = code
        self.offset = offset
        self.carried: list[Frame] | None = None
        if parent is None or parent.notes is None:
            self.notes: set[Any] | None = None
            self.granted: Any = entry.active.granted
        else:  # inside `noting` every read must be seen, so nothing is granted in advance
            self.notes = parent.notes
            self.granted = _UNCACHED

    @property
    def alive(self) -> bool:
        """Whether the block is open."""
        return self.granted is not _DEAD

    @property
    def active(self) -> frozenset[Purpose]:
        """The active purposes; none once the block was left."""
        return self.entry.active.purposes if self.granted is not _DEAD else frozenset()

    @property
    def site(self) -> Site:
        """Where the scope was entered."""
        return Site(self.code, self.offset)


_DEAD: Final = _Nothing()
_UNCACHED: Final = _Nothing()
_NOWHERE: Final = ActiveSet(frozenset())
_active_sets: dict[frozenset[Purpose], ActiveSet] = {frozenset(): _NOWHERE}
_open: set[Frame] = set()

OUTSIDE: Final = Frame(None, Entry((), _NOWHERE), None, (lambda: None).__code__, -1)
"""Where no scope was opened."""
OUTSIDE.granted = _UNCACHED

_frame: ContextVar[Frame] = ContextVar("purposebind_frame", default=OUTSIDE)
current_frame = _frame.get

_CO_GENERATOR = 0x20
_CO_ITERABLE_COROUTINE = 0x100
_CO_ASYNC_GENERATOR = 0x200
_SUSPENDS = _CO_GENERATOR | _CO_ASYNC_GENERATOR
_CONTEXTLIB = contextlib.ExitStack.enter_context.__code__.co_filename


def active_purposes() -> frozenset[Purpose]:
    """Return the purposes active here; none outside any scope.

    Example:
        >>> delivery = Purpose("delivery", "Bring the parcel")
        >>> with purpose_scope(delivery):
        ...     active_purposes()
        frozenset({Purpose('delivery')})
    """
    return _frame.get().active


def enter(active: ActiveSet, purposes: tuple[Purpose, ...]) -> Entry:
    """Return what entering `purposes`, one inside the other, leads to from `active` (R4)."""
    entry = active.entries.get(purposes)
    if entry is None:
        members, handovers = active.purposes, []
        for purpose in purposes:
            staying = {purpose}
            for member in sorted(members):
                if member in purpose.ancestors:  # R4 (a): refined away
                    continue
                handover = member.handover_to(purpose)
                if handover is None:  # R4 (c): stays
                    staying.add(member)
                else:  # R4 (b): left
                    handovers.append(handover)
            members = frozenset(staying)
        entry = active.entries.setdefault(purposes, Entry(purposes, _active_set(members), tuple(handovers)))
    return entry


def _active_set(purposes: frozenset[Purpose]) -> ActiveSet:
    return _active_sets.get(purposes) or _active_sets.setdefault(purposes, ActiveSet(purposes))


def _standing(frame: Frame) -> ActiveSet:
    """The active set on which a scope entered inside `frame` stands: its own, or its nearest living ancestor's (R5)."""
    while frame.granted is _DEAD and frame.parent is not None:
        frame = frame.parent
    return frame.entry.active


def _kill(frame: Frame) -> None:
    frame.granted = _DEAD
    _open.discard(frame)
    if frame.carried:
        for copy in frame.carried:
            _kill(copy)


def _leave(frame: Frame) -> bool:
    """Let `frame` die, and take it out of the chain here. Returns whether it was in this context's chain (R5)."""
    _kill(frame)
    node = _frame.get()
    if node is frame:
        _frame.set(frame.parent or OUTSIDE)
        return True
    while node.parent is not None:
        if node.parent is frame:  # left out of order: what was entered inside it stays, on what was around it
            node.parent = frame.parent
            return True
        node = node.parent
    return False


class purpose_scope:
    """Runs a block, or a function, for `purposes`.

    Use it as ``with``, as ``async with``, or as a decorator of a function, coroutine function, generator, async generator,
    method, classmethod, staticmethod, property, partial or other callable. A decorated generator enters the scope at each
    step and leaves it at each yield. The object may be used again, inside itself, and by several threads.

    Args:
        purposes: What the block is for. Several mean one inside the other.

    Raises:
        PolicyError: No purpose is given.
        TypeError: A string or something else is given where a `Purpose` is meant.
        PurposeError: On entering, where the block stands in a generator that would leave it open at a yield; on leaving,
            where the scope is not open, or was opened in another context.

    Example:
        >>> parcels = Purpose("parcels", "Bring the parcel")
        >>> @purpose_scope(parcels)
        ... def label():
        ...     return active_purposes()
        >>> label(), active_purposes()
        (frozenset({Purpose('parcels')}), frozenset())
    """

    __slots__ = ("_held", "purposes")

    def __init__(self, *purposes: Purpose) -> None:
        if not purposes:
            raise PolicyError("purpose_scope() names no purpose: what is this block for?")
        self.purposes = require_purposes(purposes)
        self._held = False

    def across_yields(self) -> purpose_scope:
        """Return the same scope for the ``with`` of a generator that a framework drives as a context manager.

        ``contextlib``'s decorators are recognised without it. Use it where another framework does their work, such as a
        pytest fixture: its consumer, up to the generator's end, then runs in the scope, and that is what you mean.

        Example:
            >>> def fixture():
            ...     with purpose_scope(Purpose("checks", "Test the service")).across_yields():
            ...         yield
        """
        scope = purpose_scope(*self.purposes)
        scope._held = True
        return scope

    def __enter__(self) -> purpose_scope:
        return self._enter(sys._getframe(1))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        frame = _frame.get()
        if frame.owner is self and frame.parent is not None and not frame.carried and frame.granted is not _DEAD:
            frame.granted = _DEAD
            _open.discard(frame)
            _frame.set(frame.parent)
        else:
            self._leave_elsewhere(raising=kind is None)

    async def __aenter__(self) -> purpose_scope:
        return self._enter(sys._getframe(1))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, tb)

    def __call__(self, function: _F) -> _F:
        return wrap(function, self._step)

    def __repr__(self) -> str:
        return f"purpose_scope({', '.join(p.name for p in self.purposes)})"

    def _enter(self, caller: FrameType) -> purpose_scope:
        code = caller.f_code
        if code.co_flags & _SUSPENDS or code.co_filename == _CONTEXTLIB:
            caller = _with_statement(caller, self)
            code = caller.f_code
        parent = _frame.get()
        active = parent.entry.active if parent.granted is not _DEAD else _standing(parent)
        frame = Frame(parent, active.entries.get(self.purposes) or enter(active, self.purposes), self, code, caller.f_lasti)
        _open.add(frame)
        _frame.set(frame)
        return self

    def _step(self, code: CodeType) -> _Step:
        parent = _frame.get()
        return _Step(Frame(parent, enter(_standing(parent), self.purposes), None, code, -1))

    def _leave_elsewhere(self, *, raising: bool) -> None:
        node: Frame | None = _frame.get()
        while node is not None:  # left out of order, in this context
            if node.owner is self and node.granted is not _DEAD:
                _leave(node)
                return
            node = node.parent
        opened = [frame for frame in _open.copy() if frame.owner is self]
        for frame in opened:  # which of them was left cannot be known: none may outlive its block
            _kill(frame)
        if not raising:  # the error on its way says more than ours would
            return
        if opened:
            raise PurposeError(
                f"{self!r}, entered at {opened[0].site}, was closed in another context than it was opened in: in "
                "another task, or by a framework that runs each half of a generator somewhere else. It is closed now, but "
                "what ran in between was not in it. Open and close a scope in one function, or decorate the function."
            )
        raise PurposeError(f"{self!r} is not open here: it was closed already, or never entered.")


class _Step:
    """One run, or one step, of a wrapped callable: its frame is entered, and left with the step."""

    __slots__ = ("_frame",)

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def __enter__(self) -> None:
        _open.add(self._frame)
        _frame.set(self._frame)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        _leave(self._frame)


def carry(function: _F) -> _F:
    """Take the scope in force here along with `function`, to wherever it is called: another thread, executor or callback.

    There it runs in this scope for as long as this scope's block is open, and not longer; called inside another scope it
    runs under both (R5). Where no scope is in force, `function` is returned as it is.

    Args:
        function: Any callable that `purpose_scope` can decorate. Async functions and generators are carried too.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> letters = Purpose("letters", "Print letters")
        >>> with ThreadPoolExecutor() as executor, purpose_scope(letters):
        ...     executor.submit(carry(active_purposes)).result()
        frozenset({Purpose('letters')})
    """
    origin = _frame.get()
    if origin is OUTSIDE:
        return function

    def step(code: CodeType) -> _Step:
        here = _frame.get()
        both = _active_set(_standing(here).purposes | origin.entry.active.purposes)
        frame = Frame(here, Entry(origin.entry.purposes, both), origin, origin.code, origin.offset)
        if origin.notes is not None:
            frame.notes, frame.granted = origin.notes, _UNCACHED
        return _CarriedStep(frame)

    return wrap(function, step)


class _CarriedStep(_Step):
    """A step whose frame dies with the frame it was carried from, if that comes first."""

    __slots__ = ()

    def __enter__(self) -> None:
        super().__enter__()
        origin = self._frame.owner
        assert isinstance(origin, Frame)
        if origin.carried is None:
            origin.carried = []
        origin.carried.append(self._frame)
        if not origin.alive:  # after the append: a block left in between has either seen the frame or is seen here
            _kill(self._frame)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        super().__exit__(kind, error, tb)
        origin = self._frame.owner
        assert isinstance(origin, Frame)
        if origin.carried and self._frame in origin.carried:
            origin.carried.remove(self._frame)


class noting:
    """Runs a block in the scope around it, and collects the policies of what is read there (R8).

    Example:
        >>> with noting() as policies:
        ...     pass
        >>> policies
        set()
    """

    __slots__ = ("_step",)

    def __enter__(self) -> set[Any]:
        parent = _frame.get()
        frame = Frame(parent, Entry((), parent.entry.active), None, OUTSIDE.code, -1)
        frame.notes = set()
        frame.granted = _UNCACHED if parent.granted is not _DEAD else _DEAD
        self._step = _Step(frame)
        self._step.__enter__()
        return frame.notes

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._step.__exit__(kind, error, tb)


def entered(frame: Frame) -> list[tuple[Purpose, Site]]:
    """Return where each purpose active in `frame` was entered, outermost first."""
    places: dict[Purpose, Site] = {}
    chain = []
    node: Frame | None = frame
    while node is not None:
        chain.append(node)
        node = node.parent
    for node in reversed(chain):
        if isinstance(node.owner, Frame):
            places.update(entered(node.owner))
        places.update((purpose, node.site) for purpose in node.entry.purposes)
    return [(purpose, site) for purpose, site in places.items() if purpose in frame.entry.active.purposes]


def taken_handovers() -> tuple[Handover, ...]:
    """Return the handovers by which the scopes in force here were entered, outermost first (R4).

    Example:
        >>> triage = Purpose("triage", "Sort the requests")
        >>> repair = Purpose("repair", "Mend what was sent in")
        >>> _ = triage.may_hand_over_to(repair, reason="The customer asked for a repair")
        >>> with purpose_scope(triage), purpose_scope(repair):
        ...     [handover.reason for handover in taken_handovers()]
        ['The customer asked for a repair']
    """
    taken: list[Handover] = []
    node: Frame | None = _frame.get()
    while node is not None:
        taken[:0] = node.entry.handovers if node.alive else ()
        node = node.parent
    return tuple(taken)


def open_frames() -> list[Frame]:
    """Return the frames that are open anywhere in the process."""
    return list(_open.copy())


def _with_statement(caller: FrameType, scope: purpose_scope) -> FrameType:
    """Return the frame whose ``with`` enters `scope`, having made sure that it is not a generator's.

    A generator's ``with`` stays open at a yield, and its consumer would run in the scope without having asked (R5). Under
    contextlib's decorators that is the point; the frame that uses the context manager then counts instead.
    """
    place: FrameType | None = caller
    while place is not None and place.f_code.co_filename == _CONTEXTLIB:  # ExitStack.enter_context
        place = place.f_back
    statement = place or caller
    while place is not None and not scope._held:
        flags = place.f_code.co_flags
        if place.f_code.co_filename != _CONTEXTLIB and flags & _SUSPENDS and not flags & _CO_ITERABLE_COROUTINE:
            driver = place.f_back
            if driver is None or driver.f_code.co_filename != _CONTEXTLIB:
                raise PurposeError(
                    f"{scope!r} is entered by a with statement in the generator {place.f_code.co_name}() "
                    f"({Site(place.f_code, place.f_lasti)}). At each yield the block would stay open, and whoever "
                    "consumes the generator would run in it.\n"
                    "Did you forget the @contextmanager (or @asynccontextmanager) decorator? Otherwise:\n"
                    f"  - decorate the generator: @{scope!r} enters at each step and leaves at each yield;\n"
                    "  - or close the block before the yield;\n"
                    "  - or, where a framework drives this generator as a context manager (a pytest fixture), say so: "
                    f"with {scope!r}.across_yields(): ..."
                )
            place = driver
        elif place.f_code.co_filename == _CONTEXTLIB:
            place = place.f_back
        else:
            break
    return statement


def forget_grants() -> None:
    """Forget what was granted: from here on each read is decided, and seen, anew."""
    for active in list(_active_sets.values()):
        active.granted.clear()


def _forget_entries() -> None:
    for active in list(_active_sets.values()):
        active.entries.clear()


config.on_change(forget_grants)
_on_handover.append(_forget_entries)
