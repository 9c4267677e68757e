"""What is derived from boxes: whose data it is, what it may be used for, and until when.

What this module keeps:

- **R8** What comes of several boxes is as narrow as each of them, and belongs to a person where all agree.
"""

from __future__ import annotations

import functools
from typing import Any

from . import config
from .enforcement import Binding
from .policy import Policy
from .recording import identity
from .subjects import Subject, resolved

__all__ = ["derived", "joined", "owner", "same_person", "sooner", "until_of"]


def joined(boxes: tuple[Any, ...], onto: Binding | None = None) -> tuple[Binding, Any, float | None]:
    """Return the binding of what is derived from `boxes`, whose data it is where all agree, and until when.

    Args:
        boxes: The boxes, one or more.
        onto: What it is bound to as well.
    """
    bindings: list[Binding] = [box._purposebind_binding for box in boxes]
    if onto is not None:
        bindings.append(onto)
    policy = functools.reduce(Policy.join, [binding.policy for binding in bindings])
    said = [binding.collected for binding in bindings if binding.collected is not None]
    collected = functools.reduce(Policy.join, said) if said else None
    until = functools.reduce(sooner, map(until_of, boxes))
    people = [(box._purposebind_subject, box) for box in boxes]
    subject, *others = [one if one is Subject.SHARED else resolved(one, box) for one, box in people]
    if not others:
        if onto is not None and onto.collected_for(collected).policy is policy:
            return onto.collected_for(collected), subject, until
        for binding in reversed(bindings):  # one that is as narrow already names it best
            if binding.policy is policy and binding.collected is collected:
                return binding, subject, until
    elif not all(same_person(subject, other) for other in others):
        subject = Subject.SHARED if all(one is not None for one in (subject, *others)) else None
    names = dict.fromkeys(binding.field for binding in bindings)
    modes: set[config.Mode | None] = {binding.mode for binding in bindings}
    mode, *differing = modes
    made = Binding(" + ".join(names), policy, None if differing else mode, collected=collected)
    return made, subject, until


def derived(label: str, read: list[tuple[Binding, Any, float | None]]) -> tuple[Binding, Any, float | None]:
    """Return the same of what was made of reads, one or more: what was read, whose data it is, and until when."""
    policy = functools.reduce(Policy.join, [binding.policy for binding, _, _ in read])
    said = [binding.collected for binding, _, _ in read if binding.collected is not None]
    collected = functools.reduce(Policy.join, said) if said else None
    (_, person, _), *others = read
    if not all(same_person(person, other) for _, other, _ in others):
        person = Subject.SHARED if all(one is not None for _, one, _ in read) else None
    return Binding(label, policy, collected=collected), person, functools.reduce(sooner, [one[2] for one in read])


def owner(policy: Policy, known: Any, subject: Any) -> Any:
    """Return whose data a box holds that is moved into the record of `subject`, as a box's slot has it.

    It is that person's, and is counted as hers. Where reading hangs on consent, nobody can give it for another: then
    what was somebody else's is nobody's.

    Args:
        policy: The policy of the box.
        known: Whose it was, or None.
        subject: Whose record it is put into, or None.
    """
    if subject is None or known is None or not policy.consent:
        return known if subject is None else subject
    return subject if same_person(identity(known), identity(subject)) else Subject.SHARED


def same_person(one: Any, other: Any) -> bool:
    """Whether two subjects are one. A tagged subject is told by its box alone: comparing values would be a read."""
    if one is other:
        return not isinstance(one, Subject)
    return type(one) is type(other) and bool(one == other)


def until_of(box: Any) -> float | None:
    """Return when the retention of what is in a box is over, in seconds since 1970; None where there is none."""
    if box._purposebind_binding.policy.retain is None:  # nearly always; and an empty slot costs an exception
        return None
    until: float | None = getattr(box, "_purposebind_until", None)
    return until


def sooner(one: float | None, other: float | None) -> float | None:
    """Return the earlier of two times; None is never."""
    times = [time for time in (one, other) if time is not None]
    return min(times, default=None)
