"""What a type says of a field: that it is an e-mail address or a phone number, and what sort of values it holds.

Types are known by the names of their classes and modules: none of the libraries that they are from is imported for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import types
import typing
from collections.abc import Iterator
from datetime import date, datetime, time
from enum import Enum
from typing import Any, Final

from pydantic import BaseModel

from purposebind import Sealed

from .words import Category

__all__ = ["category_of", "is_sealed", "names_in", "nests", "telling_type"]

_TELLING: Final = {
    ("pydantic.networks", "EmailStr"): "an e-mail address",
    ("pydantic.networks", "NameEmail"): "somebody's name and e-mail address",
    ("pydantic.networks", "IPvAnyAddress"): "an IP address",
    ("ipaddress", "IPv4Address"): "an IP address",
    ("ipaddress", "IPv6Address"): "an IP address",
    ("pydantic.types", "PaymentCardNumber"): "a payment card's number",
    ("pydantic_extra_types.phone_numbers", "PhoneNumber"): "a phone number",
    ("pydantic_extra_types.phone_numbers", "PhoneNumberValidator"): "a phone number",
    ("pydantic_extra_types.payment", "PaymentCardNumber"): "a payment card's number",
    ("pydantic_extra_types.mac_address", "MacAddress"): "a device's identifier",
    ("pydantic_extra_types.coordinate", "Latitude"): "where somebody is",
    ("pydantic_extra_types.coordinate", "Longitude"): "where somebody is",
    ("pydantic_extra_types.coordinate", "Coordinate"): "where somebody is",
    ("phonenumbers.phonenumber", "PhoneNumber"): "a phone number",
}


def telling_type(annotation: Any, metadata: tuple[Any, ...] = ()) -> tuple[str, str] | None:
    """Return the name of a type in an annotation that tells of personal data, and what of; None where there is none.

    Example:
        >>> from pydantic import EmailStr
        >>> telling_type(list[EmailStr] | None)
        ('EmailStr', 'an e-mail address')
    """
    for part in (*_parts(annotation), *metadata):
        kind = part if isinstance(part, type) else type(part)
        what = _TELLING.get((kind.__module__, kind.__name__))
        if what is not None:
            return kind.__name__, what
    return None


def names_in(annotation: Any) -> Iterator[str]:
    """Yield the names of types that have one of their own: ``NewType("Phone", str)``, ``type Phone = str``."""
    for part in _parts(annotation):
        if _is_named(part):
            yield part.__name__


def nests(annotation: Any) -> bool:
    """Return whether an annotation holds a model or dataclass, whose own fields are looked at instead."""
    return any(
        isinstance(part, type) and (issubclass(part, BaseModel) or dataclasses.is_dataclass(part))
        for part in _parts(annotation)
    )


def is_sealed(annotation: Any) -> bool:
    """Return whether values of a field are in a `Sealed`."""
    return any(part is Sealed for part in _parts(annotation))


def category_of(annotation: Any) -> Category:
    """Return what sort of values an annotation stands for.

    Example:
        >>> category_of(bool | None), category_of(list[str]), category_of(int)
        ('flag', 'text', 'number')
    """
    parts = [part for part in _parts(annotation) if not _is_named(part) and part is not types.NoneType]
    if any(part is typing.Literal for part in parts):
        return "choice"
    kinds = [part for part in parts if isinstance(part, type)]
    for category, of in _CATEGORIES:
        if kinds and all(issubclass(kind, of) for kind in kinds):
            return category
    return "text"


_CATEGORIES: Final[tuple[tuple[Category, tuple[type, ...]], ...]] = (
    ("flag", (bool,)),
    ("choice", (Enum,)),
    ("date", (date, datetime, time)),
    ("number", (int, float, complex)),
)


def _is_named(part: Any) -> bool:
    return hasattr(part, "__supertype__") or type(part).__name__ == "TypeAliasType"


def _parts(annotation: Any, inside: tuple[Any, ...] = ()) -> Iterator[Any]:
    """What an annotation is made of: classes, named types, and what stands in `Annotated`."""
    origin = typing.get_origin(annotation)
    if any(annotation is one for one in inside):  # JSON is made of JSON
        return
    inside = (*inside, annotation)
    if origin is typing.Annotated:
        inner, *metadata = typing.get_args(annotation)
        yield from _parts(inner, inside)
        yield from (type(one) if not isinstance(one, type) else one for one in metadata if _tells(one))
    elif origin is typing.Literal:
        yield typing.Literal
    elif _is_named(annotation):
        yield annotation
        with contextlib.suppress(NameError):  # of what a lazy alias names and is not there
            yield from _parts(getattr(annotation, "__supertype__", None) or annotation.__value__, inside)
    elif origin is not None:
        if isinstance(origin, type) and origin is not types.UnionType and origin not in _CONTAINERS:
            yield origin
        if _is_named(origin):
            yield from _parts(origin, inside)
        for part in typing.get_args(annotation):
            yield from _parts(part, inside)
    elif annotation is None:
        yield types.NoneType
    elif isinstance(annotation, type):
        yield annotation


_CONTAINERS: Final = (list, tuple, set, frozenset, dict, type)


def _tells(metadata: Any) -> bool:
    kind = metadata if isinstance(metadata, type) else type(metadata)
    return (kind.__module__, kind.__name__) in _TELLING
