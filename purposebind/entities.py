"""Models that are entities of another library at once, which makes them, fills them and watches what is set.

What this module keeps:

- **R1** Such a model is sealed from the moment it exists, whoever made it; comparing what has no tag is no read of what
  has one.
- **R7** An error of an assignment that pydantic validates leaves here cleaned.
- **R8** A value that was taken over, or assigned, is as narrow as it was.
- **R10** While it is built, validators and ``model_post_init`` see plain values.

For the integrations with such libraries, and for your own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from . import config, guards
from .boundary import Boundary
from .collecting import put_guards
from .holding import unsealed
from .sealed import Sealed

__all__ = [
    "assigned",
    "born_sealed",
    "close",
    "collected_field",
    "differ_openly",
    "guard_fields",
    "is_field_guard",
    "is_open",
    "kept_narrow",
    "mode_of",
    "open_up",
    "subject_field",
]

is_open = guards.is_open


def born_sealed(model: Any) -> None:
    """Have `model`, which is made and holds nothing yet, be sealed: what fills it puts in boxes."""
    if model.__purpose_boundary__ is not None:
        type(model)._purposebind_values.__set__(model, model.__dict__)


def open_up(model: Any) -> None:
    """Have `model`, which is about to be built, hold plain values until it is closed. Nobody else may have it yet."""
    if not is_open(model):
        type(model)._purposebind_values.__delete__(model)


def close(model: Any) -> None:
    """Seal `model`, which is built."""
    boundary: Boundary | None = model.__purpose_boundary__
    if boundary is not None:
        boundary.seal(model)


def kept_narrow(model: Any, boxes: Mapping[str, Any]) -> None:
    """Have what a sealed `model` holds be as narrow as the boxes that it was taken from, and of the same people.

    Args:
        model: The model.
        boxes: The boxes, by the names of the fields.
    """
    boundary: Boundary | None = model.__purpose_boundary__
    if boundary is not None:
        boundary.narrow(model, boxes)
        for name in boundary.bindings.keys() & boxes.keys():
            box, own = boxes[name], model.__dict__.get(name)
            if type(own) is Sealed and type(box) is Sealed and own._purposebind_subject is None:
                own._purposebind_subject = box._purposebind_subject


def assigned(model: Any, name: str, value: Any, apart: str) -> dict[str, Any]:
    """Return what the fields of a sealed `model` are to hold after an assignment that pydantic validates.

    The model is left as it is. Only what changes is returned, sealed where it is tagged.

    Args:
        model: A model whose class has ``validate_assignment``.
        name: The field.
        value: What is assigned, maybe in a box.
        apart: The key in the model's ``__dict__`` under which the other library keeps what is its own.

    Raises:
        ValidationError: The value is not valid; without values.
    """
    boundary: Boundary = model.__purpose_boundary__
    view = boundary.opened(model)
    view.__dict__.pop(apart, None)
    before = dict(view.__dict__)
    given, now = {**model.__dict__, name: value}, {}
    try:
        BaseModel.__setattr__(view, name, unsealed(value))
        now = {key: unsealed(value) for key, value in view.__dict__.items()}  # the wrap around the model seals it
        changed = {key for key in now if key not in before or now[key] is not before[key]}
    except ValidationError as error:
        recover = boundary.recovery(error, model)
    else:
        boundary.seal(view)
        boundary.narrow(view, given, renewed=name == collected_field(type(model)))
        return {key: view.__dict__[key] for key in (*(changed - {name}), name)}
    finally:
        del value, given, before, now, view  # a traceback shows the locals of this function (R7)
    recover(_not_again)
    raise AssertionError  # not reached: a model is no mapping with boxes in it


def _not_again(value: Any) -> None:
    raise AssertionError


def differ_openly(model: Any, other: Any) -> bool:
    """Return whether two models of one class differ in a field without a tag, so that none with one is needed."""
    boundary: Boundary | None = model.__purpose_boundary__
    if boundary is None or type(model) is not type(other):
        return False
    mine, theirs = model.__dict__, other.__dict__
    names = type(model).__pydantic_fields__.keys() - boundary.bindings.keys() - boundary.reaching
    return any(name in mine and name in theirs and mine[name] != theirs[name] for name in names)


def guard_fields(cls: Any) -> None:
    """Put a guard before each tagged field of `cls` again, where another library has put something else."""
    boundary: Boundary | None = cls.__purpose_boundary__
    if boundary is not None:
        put_guards(cls, boundary)


def is_field_guard(attribute: Any) -> bool:
    """Return whether an attribute of a model's class is what stands before one of its tagged fields."""
    return isinstance(attribute, guards.FieldGuard)


def mode_of(cls: Any) -> config.Mode | None:
    """Return the mode that a model's class was given, or None where the configured one holds."""
    mode: config.Mode | None = cls.__purpose_mode__
    return mode


def subject_field(cls: Any) -> str | None:
    """Return the name of the field of a model's class that is marked `SubjectId`, or None."""
    name: str | None = cls.__purpose_subject__
    return name


def collected_field(cls: Any) -> str | None:
    """Return the name of the field of a model's class that is marked `CollectedAt`, or None."""
    name: str | None = cls.__purpose_collected__
    return name
