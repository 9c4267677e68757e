"""Tags of boxes: a `Sealed` may stand in any class, and keeps a tag of its own there."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from pydantic import BaseModel, TypeAdapter
from typing_extensions import TypeAliasType, get_type_hints, is_typeddict

from purposebind import AllowedFor, Sealed

from .lock import LockError, Tag

__all__ = ["boxes_of_class", "boxes_of_model", "boxes_of_module", "is_plain", "numbered"]


def boxes_of_model(model: Any) -> dict[str, Tag]:
    """Return the tags of boxes in a pydantic model's fields, by the fields' names."""
    return dict(
        numbered(
            (name, tag)
            for name, info in model.__pydantic_fields__.items()
            for tag in (*_of_box(info.annotation, info.metadata), *_boxes(info.annotation))
        )
    )


def boxes_of_class(cls: Any) -> tuple[dict[str, Tag], tuple[str, ...]]:
    """Return the tags of boxes in a dataclass, typed dictionary or named tuple; and the names of its other fields.

    Raises:
        LockError: It has a box, and refers to a class that is not defined.
    """
    raw: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        raw |= vars(base).get("__annotations__") or {}
    try:
        raw = get_type_hints(cls, include_extras=True)
    except Exception as error:  # an annotation may raise whatever it likes
        if any("Sealed" in str(one) for one in raw.values()):
            raise LockError(
                f"{cls.__module__}.{cls.__qualname__} has a Sealed, and its fields cannot be told "
                f"({type(error).__name__}: {error}). Import what they refer to where the program runs."
            ) from None
    tags = dict(numbered((name, tag) for name, annotation in raw.items() for tag in _boxes(annotation)))
    return tags, tuple(sorted(raw.keys() - tags.keys()))


def boxes_of_module(module: ModuleType, names: Iterable[str]) -> dict[str, Tag]:
    """Return the tags of boxes in the aliases and adapters that a module has by some names."""
    found = [
        (name, tag)
        for name in sorted(set(names))
        if name in vars(module)
        for value in (vars(module)[name],)
        for tag in _boxes(value._type if type(value) is TypeAdapter else value)
    ]
    return dict(numbered(found))


def is_plain(value: Any) -> bool:
    """Return whether it is a class, other than a model, in which a box may stand."""
    if not issubclass(type(value), type) or issubclass(value, BaseModel):
        return False
    return (
        dataclasses.is_dataclass(value)
        or is_typeddict(value)
        or (issubclass(value, tuple) and "_fields" in vars(value))
    )


def numbered(found: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield what has a name of its own, and number what shares one: by what it says, not by where it stands.

    None is left out where two say the same: what allows more then would take the place of the other.

    Example:
        >>> list(numbered([("a", "y"), ("b", "z"), ("a", "x")]))
        [('a', 'x'), ('a (2)', 'y'), ('b', 'z')]
    """
    groups: dict[str, list[Any]] = {}
    for name, one in found:
        groups.setdefault(name, []).append(one)
    for name, several in groups.items():
        for number, one in enumerate(sorted(several, key=repr), 1):
            yield (name if number == 1 else f"{name} ({number})"), one


def _boxes(annotation: Any, inside: tuple[Any, ...] = ()) -> Iterator[Tag]:
    """The tags in an annotation, without those of the classes that it refers to.

    Args:
        annotation: The annotation.
        inside: The aliases that it is a part of: one may refer to itself.
    """
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        inner, *metadata = typing.get_args(annotation)
        yield from _of_box(inner, metadata)
        yield from _boxes(inner, inside)
        return
    for alias in (annotation, origin):
        is_alias = isinstance(alias, TypeAliasType) or type(alias).__name__ == "TypeAliasType"
        if is_alias and not any(one is alias for one in inside):
            yield from _boxes(alias.__value__, (*inside, alias))
    if type(annotation).__name__ == "NewType":
        yield from _boxes(annotation.__supertype__, inside)
    for part in typing.get_args(annotation):
        yield from _boxes(part, inside)


def _of_box(annotation: Any, metadata: Iterable[Any]) -> Iterator[Tag]:
    if annotation is Sealed or typing.get_origin(annotation) is Sealed:
        yield from (Tag.of(one.policy) for one in metadata if isinstance(one, AllowedFor))
