"""A nested model without a `SubjectId` of its own holds its parent's person's data.

Handed down when the parent is sealed, to every box inside it that knows no person. A part that was already another
person's is shared, and from then on nobody's: a count may leave a person unknown, and never name the wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from .sealed import Sealed, same_person
from .subjects import Subject

__all__ = ["hand_down"]

_CONTAINERS = (list, tuple, set, frozenset)


def hand_down(value: Any, subject: Any) -> None:
    """Tell the boxes in `value`, a part of the record of `subject`, whose data they hold.

    Args:
        value: What a field holds: a model, a container, a box, or anything else.
        subject: The person, as a box's slot has it.
    """
    if subject is None:
        return
    for part in _parts(value):
        if type(part) is Sealed:
            known = part._purposebind_subject
            if known is None:
                part._purposebind_subject = subject
            elif not isinstance(known, Subject) and not same_person(known, subject):
                part._purposebind_subject = Subject.SHARED
            hand_down(part._purposebind_value, subject)
        else:
            hand_down(part, subject)


def _parts(value: Any) -> list[Any]:
    if type(value) is Sealed:
        return [value]
    if isinstance(value, BaseModel):
        has_its_own = getattr(type(value), "__purpose_subject__", None) is not None
        return [] if has_its_own else [v for v in value.__dict__.values() if _may_hold(v)]
    if isinstance(value, _CONTAINERS):
        return [v for v in value if _may_hold(v)]
    if isinstance(value, Mapping):
        return [v for v in value.values() if _may_hold(v)]
    return []


def _may_hold(value: Any) -> bool:
    return type(value) is Sealed or isinstance(value, (BaseModel, Mapping, *_CONTAINERS))
