"""Tags as a field's annotation holds them.

What this module keeps:

- **R9** A tag that is buried where the field would stay open is refused.

pydantic keeps the outermost ``Annotated`` of a field as its metadata; in an ``Optional``, a type alias or a
``NewType`` the tag stays in the annotation, and is looked for there.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any, Union

from pydantic.fields import FieldInfo
from typing_extensions import TypeAliasType

from .errors import PolicyError
from .policy import Policy
from .sealed import Sealed
from .tags import AllowedFor

__all__ = ["buried", "info_policies"]


def info_policies(info: FieldInfo, label: str) -> list[Policy]:
    """Return the policies of the tags in a field's annotation, wherever pydantic keeps them.

    Raises:
        PolicyError: One stands where the field would stay open (R9).
    """
    if _boxed(info.annotation, label):
        return []
    found = [item.policy for item in info.metadata if isinstance(item, AllowedFor)]
    for tag, is_buried in _tags(info.annotation, set()):
        if is_buried:
            raise PolicyError(buried(label, f"{tag!r}, inside {info.annotation}"))
        found.append(tag.policy)
    return found


def _tags(annotation: Any, seen: set[int], is_buried: bool = False) -> Iterator[tuple[AllowedFor, bool]]:
    if id(annotation) in seen:
        return
    seen = seen | {id(annotation)}
    if isinstance(annotation, TypeAliasType) or type(annotation).__name__ == "TypeAliasType":
        try:
            yield from _tags(annotation.__value__, seen, is_buried)
        except NameError:  # not defined yet: the schema will show the mark
            return
    elif hasattr(annotation, "__supertype__"):
        yield from _tags(annotation.__supertype__, seen, is_buried)
    elif (origin := typing.get_origin(annotation)) is typing.Annotated:
        inner, *metadata = typing.get_args(annotation)
        if not _boxed(inner, "the field"):
            yield from ((item, is_buried) for item in metadata if isinstance(item, AllowedFor))
            yield from _tags(inner, seen, is_buried)
    elif origin is Union or origin is types.UnionType:
        for argument in typing.get_args(annotation):
            yield from _tags(argument, seen, is_buried)
    elif origin is not None and origin is not typing.Literal and origin is not Sealed:
        if not isinstance(origin, type):  # a generic alias
            yield from _tags(origin, seen, is_buried)
        for argument in typing.get_args(annotation):
            yield from _tags(argument, seen, True)


def _boxed(annotation: Any, label: str) -> bool:
    """Whether the values of `annotation` are boxes, so that the tag around it is theirs and not the field's."""
    origin = typing.get_origin(annotation)
    if annotation is Sealed or origin is Sealed:
        return True
    if origin is typing.Annotated:
        return _boxed(typing.get_args(annotation)[0], label)
    arguments = [a for a in typing.get_args(annotation) if a is not type(None)] if origin is not typing.Literal else []
    boxed = [_boxed(argument, label) for argument in arguments]
    if (origin is Union or origin is types.UnionType) and any(boxed) and not all(boxed):
        raise PolicyError(f"{label} is a Sealed or something open: the tag would protect only the one. Seal both.")
    return any(boxed)


def buried(label: str, what: str) -> str:
    """Return what is wrong with a tag on `what`, and the two ways out."""
    return (
        f"{label}: a tag on {what} would leave the field itself open. Two ways out:\n"
        "  - tag the whole field of the PurposeModel: Annotated[list[str], AllowedFor(...)];\n"
        "  - or seal the parts: list[Annotated[Sealed[str], AllowedFor(...)]]."
    )
