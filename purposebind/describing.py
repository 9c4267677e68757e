"""What types declare: the tags that are reachable from an annotation.

For whoever has to know before anything is read: a router that asks which routes handle tagged data, a report, a review.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pydantic import BaseModel
from typing_extensions import TypeAliasType, get_type_hints, is_typeddict

from .errors import PolicyError
from .policy import Policy
from .sealed import Sealed
from .tags import AllowedFor

__all__ = ["declared_tags", "field_tags"]


def declared_tags(*annotations: Any) -> dict[str, Policy]:
    """Return every tag that is reachable from `annotations`, by the field's name as errors show it.

    It goes through unions, containers, aliases, models, dataclasses and typed dictionaries, and what they refer to.
    A `Sealed` that stands by itself is named ``"Sealed"``.

    Args:
        annotations: Types, as an annotation or a type alias has them.

    Raises:
        PolicyError: A model or class refers to one that is not defined yet: what it declares is not known.

    Example:
        >>> from typing import Annotated
        >>> from purposebind import AllowedFor, Purpose, PurposeModel
        >>> class Guest(PurposeModel):
        ...     allergies: Annotated[str, AllowedFor(Purpose("catering", "Cook for the guests"))]
        >>> declared_tags(list[Guest] | None)
        {'Guest.allergies': <Policy catering>}
    """
    found: dict[str, Policy] = {}
    caller = sys._getframe(1)
    walk = _Walk(lambda: {**caller.f_globals, **caller.f_locals})
    for annotation in annotations:
        for label, policy in walk.declared(annotation, "Sealed"):
            known = found.get(label)
            found[label] = policy if known is None else known.join(policy)
    return found


def field_tags(model: Any) -> dict[str, Policy]:
    """Return the tags of a model's own fields, by the fields' names; nothing for what is no `PurposeModel`."""
    boundary = getattr(model, "__purpose_boundary__", None)
    if boundary is None:
        return {}
    return {name: binding.policy for name, binding in boundary.bindings.items()}


class _Walk:
    """Goes through types, each class once.

    Args:
        names: Returns the names that a class which is not finished may refer to, beside its module's.
    """

    def __init__(self, names: Callable[[], dict[str, Any]]) -> None:
        self._names = names
        self._seen: set[int] = set()

    def declared(self, annotation: Any, label: str) -> Iterator[tuple[str, Policy]]:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            inner, *metadata = typing.get_args(annotation)
            yield from _of_box(inner, metadata, label)
            yield from self.declared(inner, label)
        elif isinstance(annotation, TypeAliasType) or type(annotation).__name__ == "TypeAliasType":
            if self._is_new(annotation):
                yield from self.declared(annotation.__value__, label)
        elif hasattr(annotation, "__supertype__"):
            yield from self.declared(annotation.__supertype__, label)
        else:
            for part in typing.get_args(annotation):
                yield from self.declared(part, label)
            kind = origin or annotation
            if isinstance(kind, type) and kind is not BaseModel and self._is_new(kind):
                yield from self._of_model(kind) if issubclass(kind, BaseModel) else self._of_class(kind)

    def _is_new(self, of: Any) -> bool:
        known = id(of) in self._seen
        self._seen.add(id(of))
        return not known

    def _of_model(self, model: Any) -> Iterator[tuple[str, Policy]]:
        if not model.__pydantic_complete__ and not model.model_rebuild(
            raise_errors=False, _types_namespace=self._names()
        ):
            raise PolicyError(_unfinished(model))
        boundary = getattr(model, "__purpose_boundary__", None)
        if boundary is not None:
            yield from ((binding.field, binding.policy) for binding in boundary.bindings.values())
        for name, field in model.__pydantic_fields__.items():
            label = f"{model.__name__}.{name}"
            yield from _of_box(field.annotation, field.metadata, label)
            yield from self.declared(field.annotation, label)
        for name, computed in model.__pydantic_computed_fields__.items():
            yield from self.declared(computed.return_type, f"{model.__name__}.{name}")

    def _of_class(self, kind: Any) -> Iterator[tuple[str, Policy]]:
        if not is_typeddict(kind) and not hasattr(kind, "__dataclass_fields__"):
            return
        try:
            hints = get_type_hints(kind, localns=self._names(), include_extras=True)
        except NameError:
            raise PolicyError(_unfinished(kind)) from None
        for name, annotation in hints.items():
            yield from self.declared(annotation, f"{kind.__name__}.{name}")


def _of_box(annotation: Any, metadata: Iterable[Any], label: str) -> Iterator[tuple[str, Policy]]:
    if annotation is Sealed or typing.get_origin(annotation) is Sealed:
        yield from ((label, item.policy) for item in metadata if isinstance(item, AllowedFor))


def _unfinished(kind: Any) -> str:
    return (
        f"What {kind.__module__}.{kind.__qualname__} declares is not known: it refers to a class that is not defined "
        "yet. Define that first, or import it."
    )
