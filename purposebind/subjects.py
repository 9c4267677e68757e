"""Whose data a box holds, where that cannot be said by the plain value of a `SubjectId`.

What this module keeps:

- **R1** A tagged `SubjectId` is sealed like any tagged field: what stands for the person in other boxes compares by the
  box that it stands for, and never by what is in it.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

__all__ = ["BoxedSubject", "Subject", "part_of", "resolved"]


class BoxedSubject:
    """A person whose `SubjectId` is in a box."""

    __slots__ = ("_purposebind_box",)

    def __init__(self, box: Any) -> None:
        self._purposebind_box = box

    @property
    def _purposebind_value(self) -> Any:
        return self._purposebind_box._purposebind_value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BoxedSubject) and other._purposebind_box is self._purposebind_box

    def __hash__(self) -> int:
        return id(self._purposebind_box)

    def __repr__(self) -> str:
        return repr(self._purposebind_box)

    def __reduce__(self) -> tuple[Any, ...]:
        return BoxedSubject, (self._purposebind_box,)


class Subject(Enum):
    """What a box says of its person instead of naming them."""

    ITSELF = "itself"
    """The box holds the `SubjectId`."""
    SHARED = "shared"
    """The box is part of several people's records: reading it says of none of them which."""


def resolved(subject: Any, box: Any) -> Any:
    """Return whose data is in `box`, of which its slot says `subject`; None where that is not known."""
    if subject is Subject.ITSELF:
        return BoxedSubject(box)
    return None if subject is Subject.SHARED else subject


def part_of(model: Any) -> Any:
    """Return of whose record `model` is a part, as a box's slot has it, or None."""
    try:  # by the slot itself: getattr would go through pydantic's __getattr__
        return type(model)._purposebind_person.__get__(model)
    except AttributeError:
        return None
