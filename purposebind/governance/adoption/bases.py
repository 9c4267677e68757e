"""The bases of classes that get another one: whether Python can still put all of them into an order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["broken_by", "with_base"]


def with_base(cls: Any, base: Any, replaces: Any) -> tuple[Any, ...]:
    """Return the bases of a class with another one: in the place of one that it has, or at the end."""
    bases: tuple[Any, ...] = cls.__bases__
    return tuple(base if one is replaces else one for one in bases) if replaces in bases else (*bases, base)


def broken_by(changed: Mapping[Any, tuple[Any, ...]]) -> str:
    """Return the name of a class that could not be made if classes had other bases; empty where all could.

    Args:
        changed: The bases of the classes that are changed.

    Example:
        >>> class Base: ...
        >>> class Model: ...
        >>> class Child(Model, Base): ...
        >>> broken_by({Base: (Model,)})
        'Child'
    """
    made: dict[Any, Any] = {object: object}

    def like(cls: Any) -> Any:
        if cls not in made:
            made[cls] = type(cls.__name__, tuple(like(base) for base in changed.get(cls, cls.__bases__)), {})
        return made[cls]

    waiting, seen = list(changed), set[Any]()
    while waiting:
        cls = waiting.pop()
        if cls in seen:
            continue
        seen.add(cls)
        waiting += cls.__subclasses__()
        try:
            like(cls)
        except TypeError:
            return str(cls.__name__)
    return ""
