"""From a class with tags to a class with a boundary.

What this module keeps:

- **R8** A subclass that redeclares a tagged field without a tag keeps the tag; a wider one is a `PolicyError`.
- **R9** A tag that stands where the field would stay open is a `PolicyError`.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from pydantic import AliasChoices
from pydantic_core import CoreSchema

from .annotations import buried, info_policies
from .boundary import Boundary
from .enforcement import Binding
from .errors import PolicyError
from .policy import Policy, duration
from .roads import announce, fast_road_fits, may_open, serialize_field, wrap_model
from .tags import MARK, CollectedAt, SubjectId, field_tag
from .walk import Resolve, inside, marked, name_choices, reaches_sealed, walk

__all__ = ["bind", "bind_early", "declares_tags"]


def bind(cls: Any, target: CoreSchema, resolve: Resolve) -> Boundary | None:
    """Give `cls` its boundary, and put the boundary into `target`, the definition of its schema.

    Returns:
        The boundary, or None where nothing in the class is tagged, and nothing it holds is.

    Raises:
        PolicyError: A tag stands where it protects nothing (R9), or widens an inherited one (R8).
    """
    inner = inside(target)
    fields: dict[str, Any] = {"root": inner} if cls.__pydantic_root_model__ else inner["fields"]
    policies = {}
    for name, field in fields.items():
        policy = _field_policy(cls, name, field, resolve)
        if policy is not None:
            policies[name] = policy
    for key in ("extras_schema", "extras_keys_schema", "computed_fields"):
        for schema in walk(inner.get(key), resolve, into_models=False):
            if MARK in schema.get("metadata", ()):
                raise PolicyError(buried(cls.__name__, "an extra or computed value"))
    reaching = {n for n, f in fields.items() if reaches_sealed(f, resolve)}
    keyed = {n for n in policies if any(part["type"] == "dict" for part in walk(fields[n], resolve, into_models=True))}
    boundary = _boundary(cls, policies, reaching, frozenset(keyed))
    if boundary is None:
        return None
    bindings = boundary.bindings
    boundary.opening = may_open(target, fields, set(boundary.keys.values()) & fields.keys(), resolve)
    for field in fields.values():
        name_choices(field, resolve, own=(target.get("ref"), cls.__name__))
    exact = bool(bindings) and not fast_road_fits(cls, target, fields, bindings, resolve)
    for name, binding in bindings.items():
        holder = inside(target, stop_at_model=True) if cls.__pydantic_root_model__ else fields[name]
        announce(holder, binding.policy)
        if not exact:
            serialize_field(fields[name], binding, resolve)
    wrap_model(target, boundary, exact)
    for name in bindings.keys() & cls.__pydantic_fields__.keys():
        info = cls.__pydantic_fields__[name]
        info.metadata = [field_tag(item) for item in info.metadata]
        info.annotation = _with_field_tags(info.annotation)
    return boundary


def _with_field_tags(annotation: Any) -> Any:
    """`annotation` with the field's own tags in place of those in it, where a union hides them from the metadata."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        union: Any = typing.Union
        return union[tuple(_with_field_tags(part) for part in parts)]
    if origin is typing.Annotated:
        annotation = _with_field_tags(parts[0])
        for item in parts[1:]:
            annotation = typing.Annotated[annotation, field_tag(item)]
    return annotation


def bind_early(cls: Any) -> Boundary | None:
    """Give a class whose schema is not built yet the boundary that its annotations tell of, for instances made already.

    Raises:
        PolicyError: As for `bind`.
    """
    return _boundary(cls, _declared(cls), set())


def declares_tags(cls: Any) -> bool:
    """Return whether a class has tagged fields as far as its annotations, and those it inherits, tell."""
    return bool(_declared(cls))


def _declared(cls: Any) -> dict[str, Policy]:
    policies = {}
    for name, info in cls.__pydantic_fields__.items():
        policy = _narrowest(cls, name, info_policies(info, f"{cls.__name__}.{name}"))
        if policy is not None:
            policies[name] = policy
    return policies


def _boundary(
    cls: Any, policies: dict[str, Policy], reaching: set[str], keyed: frozenset[str] = frozenset()
) -> Boundary | None:
    """The boundary of a class, or None where nothing in it is tagged and nothing it holds is."""
    cls.__purpose_subject__ = _marked(cls, SubjectId, "identifies the person")
    cls.__purpose_collected__ = _marked(cls, CollectedAt, "says when the record was collected")
    _check_retention(cls, policies)
    owner = getattr(cls, "__purpose_name__", cls.__name__)
    bindings = {n: Binding(f"{owner}.{n}", p, cls.__purpose_mode__) for n, p in policies.items()}
    closed = bindings.keys() | reaching
    if not closed:
        return None
    return Boundary(
        cls,
        bindings,
        subject=cls.__purpose_subject__,
        derived=frozenset(n for c in cls.__mro__ for n, a in vars(c).items() if isinstance(a, cached_property)),
        shown=frozenset(k for n in cls.__pydantic_fields__.keys() - closed for k in _keys(cls, n)),
        keys={key: name for name in closed for key in _keys(cls, name)},
        keyed=keyed,
        reaching=frozenset(reaching),
        collected=cls.__purpose_collected__,
    )


def _field_policy(cls: Any, name: str, field: Any, resolve: Resolve) -> Policy | None:
    """The policy of a field: what its tags say, in its annotation or in its schema, joined; or inherited."""
    label = f"{cls.__name__}.{name}"
    schema = field["schema"] if field["type"] == "model-field" else field
    places = list(marked(schema, resolve))
    legitimate = {id(place) for place in places}
    policies = [place["metadata"][MARK] for place in places]
    for place in walk(schema, resolve, into_models=False):
        if MARK in place.get("metadata", ()) and id(place) not in legitimate:
            raise PolicyError(buried(label, "a part of it"))
    for place in places:
        if "ref" not in place:  # a definition serves others too
            del place["metadata"][MARK]
            if not place["metadata"]:
                del place["metadata"]
    info = cls.__pydantic_fields__.get(name)
    policies += [] if info is None else info_policies(info, label)
    return _narrowest(cls, name, policies)


def _narrowest(cls: Any, name: str, policies: list[Policy]) -> Policy | None:
    """What a field's own policies and the inherited one come to (R8)."""
    label = f"{cls.__name__}.{name}"
    own = _join(policies)
    inherited = _join(list(_inherited(cls, name)))
    if own is None or inherited is None:
        return own or inherited
    wider = [f"+{p.name}" for p in own.widens(inherited)]
    if own.retain is not None and inherited.retain is not None and own.retain > inherited.retain:
        wider.append(f"for {duration(own.retain)}")
    if wider:
        raise PolicyError(
            f"{label} widens the tag it inherits: {', '.join(wider)} (was {inherited}). A "
            "subclass may narrow a tag, never widen it: drop the new tag, or change the inherited one with whoever "
            "owns it."
        )
    return own.join(inherited)


def _inherited(cls: Any, name: str) -> Iterator[Policy]:
    for base in cls.__mro__[1:]:
        boundary = base.__dict__.get("__purpose_boundary__")
        if boundary is not None:
            if name in boundary.bindings:
                yield boundary.bindings[name].policy
        elif getattr(base, "__purpose_model__", False) and name in base.__dict__.get("__pydantic_fields__", {}):
            yield from info_policies(base.__pydantic_fields__[name], f"{base.__name__}.{name}")


def _join(policies: list[Policy]) -> Policy | None:
    if not policies:
        return None
    joined = policies[0]
    for policy in policies[1:]:
        joined = joined.join(policy)
    return joined


def _marked(cls: Any, mark: Any, what_it_does: str) -> str | None:
    """The name of the field with a mark, or None."""
    names = [
        name
        for name, info in cls.__pydantic_fields__.items()
        if any(item is mark or isinstance(item, mark) for item in info.metadata)
    ]
    if len(names) > 1:
        raise PolicyError(
            f"{cls.__name__} has two {mark.__name__} fields, {names[0]} and {names[1]}: keep the one that "
            f"{what_it_does}."
        )
    return names[0] if names else None


def _check_retention(cls: Any, policies: dict[str, Policy]) -> None:
    """Refuse a retention that nothing begins (R9), and a time of collection that nobody may read."""
    collected = cls.__purpose_collected__
    retained = [name for name, policy in policies.items() if policy.retain is not None]
    if retained and collected is None:
        raise PolicyError(
            f"{cls.__name__}.{retained[0]} is retained from its collection on, and the model does not say when that "
            "was: mark a field that does, such as collected_at: Annotated[datetime, CollectedAt]."
        )
    if collected in policies:
        raise PolicyError(
            f"{cls.__name__}.{collected} says when the record was collected, and whatever reads the others asks for "
            "it: take its tag away."
        )


def _keys(cls: Any, name: str) -> Iterator[str]:
    yield name
    info = cls.__pydantic_fields__.get(name)
    if info is None:
        return
    aliases = (
        info.validation_alias.choices if isinstance(info.validation_alias, AliasChoices) else [info.validation_alias]
    )
    for alias in (info.alias, *aliases):
        first = alias if isinstance(alias, str) else getattr(alias, "path", [None])[0]
        if isinstance(first, str):
            yield first
