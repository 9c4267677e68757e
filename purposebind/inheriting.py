"""Whose data the parts of a record are: a nested model without a `SubjectId` of its own holds its parent's person's.

Handed down when the parent is sealed, to every model and box inside it that knows no person. A part that was already
another person's is shared, and from then on nobody's: a count may leave a person unknown, and never name the wrong one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from .joining import same_person, until_of
from .retaining import deadline_of
from .sealed import Sealed, seal
from .subjects import Subject, part_of

__all__ = ["hand_down", "identify", "retain_anew"]

_PLAIN = frozenset((str, int, float, bool, bytes, type(None)))
_set = object.__setattr__


def hand_down(value: Any, subject: Any) -> None:
    """Tell the models and boxes in `value`, a part of the record of `subject`, whose data they hold.

    Args:
        value: What a field holds: a model, a container, a box, or anything else.
        subject: The person, as a box's slot has it.
    """
    if subject is None:
        return
    todo: list[Any] = [value]
    seen: dict[int, Any] = {}  # models may refer to one another in a circle
    while todo:
        part = todo.pop()
        if type(part) is Sealed:
            part._purposebind_subject = _told(part._purposebind_subject, subject)
            part = part._purposebind_value
            if type(part) in _PLAIN:
                continue
        cls: Any = type(part)
        kind = _kind(cls)
        if kind is None or id(part) in seen:
            continue
        seen[id(part)] = part
        if kind == "ours":
            if part.__purpose_subject__ is not None:
                continue
            # For what is put into it, or computed of it, later.
            _set(part, "_purposebind_person", _told(part_of(part), subject))
        inside = part if kind == "several" else part.values() if kind == "mapping" else part.__dict__.values()
        todo += [item for item in inside if type(item) not in _PLAIN]


@lru_cache(maxsize=1024)
def _kind(cls: Any) -> str | None:
    """How to look into instances of `cls`; None where there is nothing to look into."""
    if issubclass(cls, BaseModel):
        return "ours" if hasattr(cls, "__purpose_model__") else "model"
    if issubclass(cls, Mapping):
        return "mapping"
    return "several" if issubclass(cls, (list, tuple, set, frozenset, deque)) else None


def identify(values: dict[str, Any], own: Iterable[str], reaching: Iterable[str], subject: Any) -> None:
    """Have the record with `values` be that of `subject`, which it was not before.

    Args:
        values: The ``__dict__`` of a model.
        own: The names of what is this person's whoever it was thought to be.
        reaching: The names of what may hold parts that are others' too.
        subject: The person, as a box's slot has it.
    """
    for name in own:
        box = values[name]
        if type(box) is Sealed:  # a new one: copies of the model, which are the other person's, hold the old one
            values[name] = seal(box._purposebind_value, box._purposebind_binding, subject, until_of(box))
    for name in reaching:
        hand_down(values.get(name), subject)


def retain_anew(model: Any, bindings: Mapping[str, Any]) -> None:
    """Have the retention of what `model` holds be counted from its time of collection, which was set anew."""
    for name, binding in bindings.items():
        box = model.__dict__.get(name)
        if type(box) is Sealed and binding.policy.retain is not None:  # a new box: copies of the model hold the old one
            plain, until = box._purposebind_value, deadline_of(model, box._purposebind_binding.policy)
            model.__dict__[name] = seal(plain, box._purposebind_binding, box._purposebind_subject, until)


def _told(known: Any, subject: Any) -> Any:
    """What a part says of its person, now that it turns out to be part of the record of `subject`."""
    if known is None:
        return subject
    return known if isinstance(known, Subject) or same_person(known, subject) else Subject.SHARED
