"""Scopes: for which purposes the code that runs now is running.

What this module keeps:

- **R4** Entering Q inside an active set S: (a) members of S that are ancestors of Q, or Q itself, are refined away;
  (b) members that declared a handover covering Q are left, and the handover is recorded; (c) every other member stays.
  `purpose_scope(P, Q)` is `purpose_scope(P)` with `purpose_scope(Q)` inside.
- **R5** A scope lives in its own block and nowhere else.

How R5 is kept: each entry makes a `Frame`, and the one ContextVar holds the innermost. A context may be copied to a
task, a thread or a callback, and the frame with it; but when the block is left the frame dies for all of them, by
losing what it has granted. Leaving works on frames, not on tokens, so that leaving out of order resurrects nothing. A
dead frame grants nothing, although an ancestor may be alive; a scope entered inside it stands on the nearest living
ancestor.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from types import TracebackType
from typing import Any, Final

from . import config
from .frames import DEAD, UNCACHED, ActiveSet, Entry, Frame, note_open
from .purpose import Handover, Purpose, _on_handover
from .sites import WHOLE_FUNCTION, Site

__all__ = [
    "OUTSIDE",
    "Step",
    "active_purposes",
    "active_set",
    "both",
    "current_frame",
    "enter",
    "entered",
    "forget_grants",
    "handovers_of",
    "leave",
    "noting",
    "push",
    "set_frame",
    "standing",
    "taken_handovers",
]


_NOWHERE: Final = ActiveSet(frozenset())
_active_sets: dict[frozenset[Purpose], ActiveSet] = {frozenset(): _NOWHERE}

OUTSIDE: Final = Frame(None, Entry((), _NOWHERE), None, (lambda: None).__code__, WHOLE_FUNCTION)
"""Where no scope was opened."""
OUTSIDE.granted = UNCACHED

_frame: ContextVar[Frame] = ContextVar("purposebind_frame", default=OUTSIDE)

# Bound once: the compiler calls a method of an imported name the slow way.
current_frame = _frame.get

if sys.version_info >= (3, 12):
    set_frame: Callable[[Frame], object] = _frame.set
else:

    def set_frame(frame: Frame) -> object:
        """Make `frame` the innermost of this context.

        Until 3.12 the garbage collector may run while a context is changed, and finalise a decorated generator, which
        changes it too: what the interpreter was reading is then freed, and from there on the context answers anything
        (https://github.com/python/cpython/issues/148891). A copy keeps it.
        """
        kept = copy_context()
        changed = _frame.set(frame)
        del kept
        return changed


def active_purposes() -> frozenset[Purpose]:
    """Return the purposes active here; none outside any scope.

    Example:
        >>> from purposebind import Purpose, purpose_scope
        >>> delivery = Purpose("delivery", "Bring the parcel")
        >>> with purpose_scope(delivery):
        ...     active_purposes()
        frozenset({Purpose('delivery')})
    """
    return _frame.get().active


def enter(active: ActiveSet, entered: Purpose | tuple[Purpose, ...]) -> Entry:
    """Return what entering a purpose, or several one inside the other, leads to from `active` (R4)."""
    entry = active.entries.get(entered)
    if entry is None:
        purposes = (entered,) if isinstance(entered, Purpose) else entered
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
        entered_set = active_set(members, not _is_interned(active))
        entry = active.entries.setdefault(entered, Entry(purposes, entered_set, tuple(handovers)))
    return entry


def active_set(purposes: frozenset[Purpose], passing: bool) -> ActiveSet:
    """Return the one `ActiveSet` of `purposes`.

    Args:
        purposes: The purposes.
        passing: They were received, in part, and so are not for the code to decide: a set that is not there already
            is made, and not kept. Whoever writes headers could else fill the memory with sets.
    """
    known = _active_sets.get(purposes)
    if known is None:
        known = ActiveSet(purposes, passing=True) if passing else _active_sets.setdefault(purposes, ActiveSet(purposes))
    return known


def both(one: ActiveSet, other: ActiveSet) -> ActiveSet:
    """Return the set of what runs under both (R5). What states nothing on either side states nothing together."""
    purposes = one.purposes | other.purposes
    if one.stated or other.stated or not purposes:
        return active_set(purposes, not (_is_interned(one) and _is_interned(other)))
    return ActiveSet(purposes, one.origin or other.origin)


def _is_interned(active: ActiveSet) -> bool:
    return _active_sets.get(active.purposes) is active


def standing(frame: Frame) -> ActiveSet:
    """Return the set on which a scope entered inside `frame` stands: its own, or its nearest living ancestor's (R5)."""
    living = frame
    while living.granted is DEAD and living.parent is not None:
        living = living.parent
    if frame is not living:
        frame.parent = living  # so that work that reschedules itself from scope to scope does not grow a chain
    return living.entry.active


def push(frame: Frame) -> None:
    """Enter `frame`: from here on it is the innermost of this context."""
    around = frame.parent
    if around is not None and around.hereditary:
        frame.inherit(around)
    note_open(frame)
    set_frame(frame)


def leave(frame: Frame) -> None:
    """Let `frame` die, and take it out of this context's chain, if it is there (R5)."""
    frame.die()
    node = _frame.get()
    if node is frame:
        set_frame(frame.parent or OUTSIDE)
        return
    while node.parent is not None:
        if node.parent is frame:  # left out of order: what was entered inside it stays, on what was around it
            node.parent = frame.parent
            node.entry = Entry(node.entry.purposes, node.entry.active, frame.entry.handovers + node.entry.handovers)
            node.places = (*frame.places, *((p, frame.site) for p in frame.entry.purposes), *node.places)
            return
        node = node.parent


class Step:
    """One run, or one step, of a wrapped callable: its frame is entered, and left with the step."""

    __slots__ = ("frame",)

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def __enter__(self) -> None:
        push(self.frame)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        leave(self.frame)


class noting:
    """Runs a block in the scope around it, and collects what is read there, of whom, and until when it may be (R8).

    Example:
        >>> with noting() as read:
        ...     pass
        >>> read
        []
    """

    __slots__ = ("_step",)

    def __enter__(self) -> list[Any]:
        parent = _frame.get()
        frame = Frame(parent, Entry((), parent.entry.active), None, OUTSIDE.code, WHOLE_FUNCTION)
        notes: list[Any] = []
        frame.watch(notes=notes, emergency=parent.emergency)
        if parent.granted is DEAD:
            frame.granted = DEAD
        self._step = Step(frame)
        self._step.__enter__()
        return notes

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._step.__exit__(kind, error, tb)


def entered(frame: Frame) -> list[tuple[Purpose, Site]]:
    """Return where each purpose active in `frame` was entered, outermost first."""
    places: dict[Purpose, Site] = {}
    for link in reversed(list(frame.around())):
        places.update(link.places)
        if isinstance(link.owner, Frame):
            places.update(entered(link.owner))
        places.update((purpose, link.site) for purpose in link.entry.purposes)
    return [(purpose, site) for purpose, site in places.items() if purpose in frame.active]


def taken_handovers() -> tuple[Handover, ...]:
    """Return the handovers by which the scopes in force here were entered, outermost first (R4).

    Example:
        >>> from purposebind import Purpose, purpose_scope
        >>> triage = Purpose("triage", "Sort the requests")
        >>> repair = Purpose("repair", "Mend what was sent in")
        >>> _ = triage.may_hand_over_to(repair, reason="The customer asked for a repair")
        >>> with purpose_scope(triage), purpose_scope(repair):
        ...     [handover.reason for handover in taken_handovers()]
        ['The customer asked for a repair']
    """
    return handovers_of(_frame.get())


def handovers_of(frame: Frame) -> tuple[Handover, ...]:
    """Return the handovers by which `frame` and the living frames around it were entered, outermost first."""
    living = [link for link in frame.around() if link.alive]
    return tuple(dict.fromkeys(handover for link in reversed(living) for handover in link.entry.handovers))


def forget_grants() -> None:
    """Forget what was granted: from here on each read is decided, and seen, anew."""
    for active in list(_active_sets.values()):
        active.granted.clear()
        active.timed.clear()


def _forget_entries() -> None:
    for active in list(_active_sets.values()):
        active.entries.clear()


config.on_change(forget_grants)
_on_handover.append(_forget_entries)
