"""A value that validation made of one that was sealed before: it stays as narrow as that was.

What this module keeps:

- **R8** Policy, collection, retention and person go over from the box that a value came in to the new one.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

from .enforcement import Binding
from .joining import joined, owner, sooner, until_of
from .sealed import Sealed, seal

__all__ = ["narrowed"]

R = TypeVar("R")


def narrowed(box: Sealed[R], source: Sealed[Any], binding: Binding, renewed: bool = False) -> Sealed[R]:
    """Return `box`, which validation made of what is in `source`, as narrow as both (R8).

    Args:
        box: The new box.
        source: The box that it was made of.
        binding: What the field of the new box is bound to. What `source` was collected for, and not the block around
            the validation, says what the same value was collected for.
        renewed: The retention of `source` does not count: the time of collection was set anew.
    """
    value, person, until = box._purposebind_value, box._purposebind_subject, until_of(box)
    if person is None:
        person = source._purposebind_subject
    known, own = source._purposebind_binding, box._purposebind_binding
    if value is source._purposebind_value:
        same = known is binding or known.of is binding
        kept = not renewed and sooner(until, until_of(source)) == until_of(source)
        if same and kept and source._purposebind_subject is person:
            return cast("Sealed[R]", source)
    if _equal(value, source._purposebind_value):
        own = binding
    bound, of, earlier = joined((source,), own)
    person = owner(bound.policy, of, person)
    return seal(value, bound, person, until if renewed else sooner(earlier, until))


def _equal(one: Any, other: Any) -> bool:
    try:
        return one is other or (type(one) is type(other) and bool(one == other))
    except Exception:  # numpy's arrays, and what others do
        return False
