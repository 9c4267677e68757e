"""Descriptors that stand on a model's class, in front of its tagged fields and of what is derived from them.

What this module keeps:

- **R1** Reading the attribute is a read, of absence too; so is what a cached property remembers.
- **R8** What a cached property read decides who may read what it remembers.
- **R12** The guards raise `PurposeViolation`, never an `AttributeError`, for what is there and may not be read.

A data descriptor taxes its own attribute and no other. One class is made for each field, so that `__get__` is a plain
function with the name in a closure: the fastest road there is in pure Python.
"""

from __future__ import annotations

import warnings
from functools import cached_property
from time import time as now
from typing import Any, ClassVar

from pydantic_core import MISSING

from . import config
from .enforcement import Binding, admit
from .joining import derived
from .retaining import deadline_of
from .scope import current_frame, noting
from .sealed import Sealed, open_box, seal
from .subjects import BoxedSubject, Subject, part_of, resolved

__all__ = ["DerivedProperty", "FieldGuard", "bound", "field_guard", "is_open", "subject_of"]


class FieldGuard:
    """Stands before a tagged field. Made by `field_guard`."""

    __slots__ = ("binding", "deprecation", "name")

    roads: ClassVar[tuple[Any, Any]]
    """How its attribute is read while no ledger is on, and while one is."""

    def __init__(self, name: str, binding: Binding, deprecation: str | None) -> None:
        self.name = name
        self.binding = binding
        self.deprecation = deprecation

    def __set__(self, model: Any, value: object) -> None:
        # Reached by object.__setattr__ alone: pydantic's __setattr__ comes first.
        subject = Subject.ITSELF if self.name == model.__purpose_subject__ else subject_of(model)
        until = deadline_of(model, self.binding.policy)
        model.__dict__[self.name] = value if is_open(model) else bound(value, self.binding, subject, until)

    def __delete__(self, model: Any) -> None:
        try:
            del model.__dict__[self.name]
        except KeyError:
            raise AttributeError(self.name) from None

    def __reduce__(self) -> tuple[Any, ...]:
        return field_guard, (self.name, self.binding, self.deprecation)

    def read(self, model: Any) -> Any:
        """Return what the field holds, after asking; the road that is always right."""
        if model is None:
            # Not the descriptor: pydantic would take it for the field's default in every subclass.
            raise AttributeError(self.name)
        if self.deprecation is not None:
            warnings.warn(self.deprecation, DeprecationWarning, stacklevel=3)
        try:
            kind = type(model.__dict__[self.name])  # not the value: a refusal's traceback shows our locals (R7)
        except KeyError:
            raise AttributeError(self.name) from None  # and pydantic's __getattr__ words it
        if kind is not Sealed and not is_open(model):  # absence, or put there behind our back
            admit(self.binding, resolved(subject_of(model), None), deadline_of(model, self.binding.policy))
        return open_box(model.__dict__[self.name])


def field_guard(name: str, binding: Binding, deprecation: str | None = None) -> FieldGuard:
    """Return a guard for the field `name`."""

    def get(self: FieldGuard, model: Any, owner: type | None = None) -> Any:
        try:
            box = model._purposebind_values[name]
            if box._purposebind_binding.policy in current_frame().granted:
                return box._purposebind_value
        except (AttributeError, KeyError):
            box = None  # a refusal's traceback shows the locals of this function (R7)
        return self.read(model)

    def get_asked(self: FieldGuard, model: Any, owner: type | None = None) -> Any:
        try:
            box = model._purposebind_values[name]
            policy, frame = box._purposebind_binding.policy, current_frame()
            answers = frame.answers
            if (
                answers is not None
                and box._purposebind_subject in answers.people.get(policy, ())
                and frame.granted is answers.granted
            ):
                return box._purposebind_value
            if policy in frame.granted:
                return box._purposebind_value
        except (AttributeError, KeyError, TypeError):  # TypeError: a subject that cannot be looked up
            box = None  # a refusal's traceback shows the locals of this function (R7)
        return self.read(model)

    def get_retained(self: FieldGuard, model: Any, owner: type | None = None) -> Any:
        try:
            box = model._purposebind_values[name]
            frame = current_frame()
            active = frame.entry.active
            if (
                box._purposebind_binding.policy in active.timed
                and frame.granted is active.granted
                and now() < box._purposebind_until
            ):
                return box._purposebind_value
        except (AttributeError, KeyError, TypeError):
            box = None  # a refusal's traceback shows the locals of this function (R7)
        return self.read(model)

    def get_recorded(self: FieldGuard, model: Any, owner: type | None = None) -> Any:
        try:
            box = model._purposebind_values[name]
            if current_frame().record(box):  # type: ignore[misc]
                return box._purposebind_value
        except (AttributeError, KeyError, TypeError):  # TypeError: None, where nothing was recorded yet
            box = None  # a refusal's traceback shows the locals of this function (R7)
        return self.read(model)

    def get_deprecated(self: FieldGuard, model: Any, owner: type | None = None) -> Any:
        return self.read(model)

    direct = get if not binding.policy.conditional else get_asked if binding.policy.retain is None else get_retained
    roads = (direct, get_recorded) if deprecation is None else (get_deprecated, get_deprecated)
    kind = type("FieldGuard", (FieldGuard,), {"__slots__": (), "roads": roads})
    _take_road(kind)
    guard: FieldGuard = kind(name, binding, deprecation)
    return guard


def _take_road(kind: type[FieldGuard]) -> None:
    """Have the guards of a class read as the configuration asks: a choice made here costs nothing at each read."""
    direct, recorded = kind.roads
    kind.__get__ = direct if config.current.ledger is None else recorded  # type: ignore[attr-defined]


def _configured() -> None:
    for kind in FieldGuard.__subclasses__():
        _take_road(kind)


config.on_change(_configured)


def is_open(model: Any) -> bool:
    """Whether `model` holds plain values rightly: it is being validated, or is a view made for a serializer (R10)."""
    try:
        model._purposebind_values  # noqa: B018
    except AttributeError:
        return True
    return False


class DerivedProperty(cached_property[Any]):
    """A cached property that remembers sealed what it made of tagged fields (R8).

    It is computed where every read passes the choke point, notes the policies of what was read, and boxes the result
    with their join. Unlike `functools.cached_property` it is a data descriptor: what it remembers is read through it.
    """

    def __init__(self, original: cached_property[Any]) -> None:
        super().__init__(original.func)
        self.attrname = original.attrname
        self.__doc__ = original.__doc__

    def __get__(self, model: Any, owner: type | None = None) -> Any:
        if model is None:
            return self
        name, values = self.attrname, model.__dict__
        label = f"{type(model).__name__}.{name}"
        if name in values:
            value: Any = values[name]  # a box is ours to open, or what the property itself made
            return open_box(value) if type(value) is Sealed and value._purposebind_binding.field == label else value
        with noting() as read:
            value = self.func(model)
        if read and type(value) is not Sealed:
            values[name] = seal(value, *derived(label, read))
        else:
            values[name] = value
        return value

    def __set__(self, model: Any, value: Any) -> None:
        model.__dict__[self.attrname] = value

    def __delete__(self, model: Any) -> None:
        try:
            del model.__dict__[self.attrname]
        except KeyError:
            raise AttributeError(self.attrname) from None


def subject_of(model: Any) -> Any:
    """Return whose data `model` holds, as a box's slot has it, or None."""
    name = model.__purpose_subject__
    if name is None:
        return part_of(model)
    subject = model.__dict__.get(name)
    return BoxedSubject(subject) if type(subject) is Sealed else subject


def bound(value: Any, binding: Binding, subject: Any, until: float | None = None) -> Any:
    """Return `value` as a tagged field stores it: absence bare, a box as narrow as it was (R8), and all else boxed."""
    if value is None or value is MISSING:
        return value
    if type(value) is not Sealed:  # it is collected here
        binding = binding.collected_for(current_frame().collected)
    return seal(value, binding, subject, until)
