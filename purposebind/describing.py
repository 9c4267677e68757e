"""What types declare: the tags that are reachable from an annotation.

For whoever has to know before anything is read: a router that asks which routes handle tagged data, a report, a review.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from typing_extensions import TypeAliasType, get_type_hints, is_typeddict

from .policy import Policy
from .sealed import Sealed
from .tags import AllowedFor

__all__ = ["declared_tags", "field_tags"]


def declared_tags(*annotations: Any) -> dict[str, Policy]:
    """Return every tag that is reachable from `annotations`, by the field's name as errors show it.

    It goes through unions, containers, aliases, models, dataclasses and typed dictionaries, and what they refer to.
    A `Sealed` that stands by itself is named ``"Sealed"``. What cannot be resolved yet declares nothing.

    Args:
        annotations: Types, as an annotation or a type alias has them.

    Example:
        >>> from typing import Annotated
        >>> from purposebind import AllowedFor, Purpose, PurposeModel
        >>> class Guest(PurposeModel):
        ...     allergies: Annotated[str, AllowedFor(Purpose("catering", "Cook for the guests"))]
        >>> declared_tags(list[Guest] | None)
        {'Guest.allergies': <Policy catering>}
    """
    found: dict[str, Policy] = {}
    seen: set[int] = set()
    for annotation in annotations:
        for label, policy in _declared(annotation, "Sealed", seen):
            known = found.get(label)
            found[label] = policy if known is None else known.join(policy)
    return found


def field_tags(model: Any) -> dict[str, Policy]:
    """Return the tags of a model's own fields, by the fields' names; nothing for what is no `PurposeModel`."""
    boundary = getattr(model, "__purpose_boundary__", None)
    if boundary is None:
        return {}
    return {name: binding.policy for name, binding in boundary.bindings.items()}


def _declared(annotation: Any, label: str, seen: set[int]) -> Iterator[tuple[str, Policy]]:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        inner, *metadata = typing.get_args(annotation)
        if _is_box(inner):
            yield from ((label, item.policy) for item in metadata if isinstance(item, AllowedFor))
        yield from _declared(inner, label, seen)
    elif isinstance(annotation, TypeAliasType) or type(annotation).__name__ == "TypeAliasType":
        if id(annotation) not in seen:
            seen.add(id(annotation))
            yield from _declared(annotation.__value__, label, seen)
    elif hasattr(annotation, "__supertype__"):
        yield from _declared(annotation.__supertype__, label, seen)
    else:
        for part in typing.get_args(annotation):
            yield from _declared(part, label, seen)
        kind = origin or annotation
        if isinstance(kind, type) and id(kind) not in seen:
            seen.add(id(kind))
            yield from _of_class(kind, seen)


def _of_class(kind: Any, seen: set[int]) -> Iterator[tuple[str, Policy]]:
    if kind is BaseModel:
        return
    if issubclass(kind, BaseModel):
        if not kind.__pydantic_complete__:
            kind.model_rebuild(raise_errors=False)
        boundary = getattr(kind, "__purpose_boundary__", None)
        if boundary is not None:
            yield from ((binding.field, binding.policy) for binding in boundary.bindings.values())
        for name, field in kind.__pydantic_fields__.items():
            label = f"{kind.__name__}.{name}"
            if _is_box(field.annotation):
                yield from ((label, item.policy) for item in field.metadata if isinstance(item, AllowedFor))
            yield from _declared(field.annotation, label, seen)
        for name, computed in kind.__pydantic_computed_fields__.items():
            yield from _declared(computed.return_type, f"{kind.__name__}.{name}", seen)
    elif is_typeddict(kind) or hasattr(kind, "__dataclass_fields__"):
        try:
            hints = get_type_hints(kind, include_extras=True)
        except NameError:  # not defined yet
            return
        for name, annotation in hints.items():
            yield from _declared(annotation, f"{kind.__name__}.{name}", seen)


def _is_box(annotation: Any) -> bool:
    return annotation is Sealed or typing.get_origin(annotation) is Sealed
