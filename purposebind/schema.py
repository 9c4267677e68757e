"""From a class with tags to a core schema with a boundary.

What this module keeps:

- **R8** A subclass that redeclares a tagged field without a tag keeps the tag; a wider one is a `PolicyError`.
- **R9** A tag that stands where the field would stay open is a `PolicyError`.

Two roads out. The fast one: each tagged field carries a plain function serializer that asks and hands over; right where
the fields are scalars without serializers of the user's. The exact one: the whole model is serialized from a view of it;
right everywhere. One road in: a wrap around the model, after everything else of the model's has run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from pydantic import AliasChoices
from pydantic_core import CoreSchema, core_schema

from . import config, scope
from .annotations import buried, info_policies
from .boundary import Boundary
from .enforcement import Binding, admit
from .errors import PolicyError
from .guards import is_open, subject_of
from .policy import Policy
from .sealed import open_box
from .tags import MARK, WRAP, SubjectId

__all__ = ["Resolve", "bind", "plain_schema"]

Resolve = Callable[[CoreSchema], CoreSchema]
_SCALARS = frozenset(
    [
        "str",
        "int",
        "float",
        "bool",
        "bytes",
        "date",
        "time",
        "datetime",
        "timedelta",
        "decimal",
        "uuid",
        "url",
        "multi-host-url",
        "enum",
        "literal",
        "none",
        "complex",
    ]
)
_TRANSPARENT = frozenset(
    [
        "nullable",
        "default",
        "function-before",
        "function-after",
        "function-wrap",
        "lax-or-strict",
        "json-or-python",
        "chain",
        "union",
        "tagged-union",
        "definition-ref",
        "custom-error",
    ]
)
_CHILDREN = [
    "schema",
    "items_schema",
    "keys_schema",
    "values_schema",
    "choices",
    "extras_schema",
    "extras_keys_schema",
    "fields",
    "computed_fields",
    "return_schema",
    "lax_schema",
    "strict_schema",
    "json_schema",
    "python_schema",
    "steps",
    "arguments_schema",
    "var_args_schema",
    "var_kwargs_schema",
    "mode_schema",
    "cls_schema",
]


def bind(cls: Any, target: CoreSchema, resolve: Resolve) -> Boundary | None:
    """Give `cls` its boundary, and put the boundary into `target`, the definition of its schema.

    Returns:
        The boundary, or None where nothing in the class is tagged, and nothing it holds is.

    Raises:
        PolicyError: A tag stands where it protects nothing (R9), or widens an inherited one (R8).
    """
    inner = _inside(target)
    fields: dict[str, Any] = {"root": inner} if cls.__pydantic_root_model__ else inner["fields"]
    policies = {}
    for name, field in fields.items():
        policy = _field_policy(cls, name, field, resolve)
        if policy is not None:
            policies[name] = policy
    for key in ("extras_schema", "extras_keys_schema", "computed_fields"):
        for schema in _walk(inner.get(key), resolve, into_models=False):
            if MARK in schema.get("metadata", ()):
                raise PolicyError(buried(cls.__name__, "an extra or computed value"))
    bindings = {n: Binding(f"{cls.__name__}.{n}", p, cls.__purpose_mode__) for n, p in policies.items()}
    closed = {n for n, f in fields.items() if n in bindings or _reaches_sealed(f, resolve)}
    cls.__purpose_subject__ = _subject(cls)
    if not closed:
        return None
    boundary = Boundary(
        cls,
        bindings,
        subject=cls.__purpose_subject__,
        derived=frozenset(n for c in cls.__mro__ for n, a in vars(c).items() if isinstance(a, cached_property)),
        shown=frozenset(k for n in fields.keys() - closed for k in _keys(cls, n)),
        keys={key: name for name in closed for key in _keys(cls, name)},
    )
    exact = bool(bindings) and not _fast(cls, target, fields, bindings, resolve)
    for name, binding in bindings.items():
        holder = _inside(target, stop_at_model=True) if cls.__pydantic_root_model__ else fields[name]
        _announce(holder, binding.policy)
        if not exact:
            _serialize_field(fields[name], binding)
    _wrap(target, boundary, exact)
    return boundary


def plain_schema(cls: Any) -> CoreSchema:
    """Return the complete schema of `cls` without the wrap around the model itself.

    Raises:
        PolicyError: The wrap is gone: something replaced the schema that the class made for itself.
    """
    schema: Any = cls.__pydantic_core_schema__
    top = schema["schema"] if schema["type"] == "definitions" else schema
    if top["type"] == "definition-ref":
        top = next(d for d in schema["definitions"] if d["ref"] == top["schema_ref"])
    if WRAP not in top.get("metadata", ()):
        raise PolicyError(
            f"{cls.__name__} replaces the schema that PurposeModel made, and its tags with it. Override "
            "__get_pydantic_core_schema__ on the type of the field instead, or call super()."
        )
    plain: Any = top["schema"]
    return {**schema, "schema": plain} if schema["type"] == "definitions" else plain


def _inside(schema: Any, *, stop_at_model: bool = False) -> Any:
    """The fields of a model's schema, or a root model's root, under the model's validators."""
    while schema["type"] != "model":
        schema = schema["schema"]
    if stop_at_model or schema.get("root_model"):
        return schema if stop_at_model else schema["schema"]
    schema = schema["schema"]
    while schema["type"] != "model-fields":
        schema = schema["schema"]
    return schema


def _field_policy(cls: Any, name: str, field: Any, resolve: Resolve) -> Policy | None:
    """The policy of a field: what its tags say, in its annotation or in its schema, joined; or inherited."""
    label = f"{cls.__name__}.{name}"
    schema = field["schema"] if field["type"] == "model-field" else field
    marked = list(_marked(schema, resolve))
    legitimate = {id(place) for place in marked}
    policies = [place["metadata"][MARK] for place in marked]
    for place in _walk(schema, resolve, into_models=False):
        if MARK in place.get("metadata", ()) and id(place) not in legitimate:
            raise PolicyError(buried(label, "a part of it"))
    for place in marked:
        if "ref" not in place:  # a definition serves others too
            del place["metadata"][MARK]
            if not place["metadata"]:
                del place["metadata"]
    info = cls.__pydantic_fields__.get(name)
    policies += [] if info is None else info_policies(info, label)
    own = _join(policies)
    inherited = _join(list(_inherited(cls, name)))
    if own is None or inherited is None:
        return own or inherited
    wider = own.widens(inherited)
    if wider:
        raise PolicyError(
            f"{label} widens the tag it inherits: {', '.join(f'+{p.name}' for p in wider)} (was {inherited}). A subclass "
            "may narrow a tag, never widen it: drop the new tag, or change the inherited one with whoever owns it."
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


def _subject(cls: Any) -> str | None:
    names = [
        name
        for name, info in cls.__pydantic_fields__.items()
        if any(item is SubjectId or isinstance(item, SubjectId) for item in info.metadata)
    ]
    if len(names) > 1:
        raise PolicyError(
            f"{cls.__name__} has two SubjectId fields, {names[0]} and {names[1]}: keep the one that identifies the person."
        )
    return names[0] if names else None


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


def _walk(
    schema: Any, resolve: Resolve, *, into_models: bool, seen: set[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield every schema inside `schema`, itself included, through references."""
    seen = set() if seen is None else seen
    if isinstance(schema, (list, tuple)):
        for item in schema:
            yield from _walk(item, resolve, into_models=into_models, seen=seen)
        return
    if not isinstance(schema, dict):
        return
    if not isinstance(schema.get("type"), str):  # fields or choices by name
        for item in schema.values():
            yield from _walk(item, resolve, into_models=into_models, seen=seen)
        return
    yield schema
    if schema["type"] == "definition-ref":
        if schema["schema_ref"] not in seen:
            seen.add(schema["schema_ref"])
            found = _resolved(schema, resolve)
            if found is not None:
                yield from _walk(found, resolve, into_models=into_models, seen=seen)
    elif into_models or schema["type"] != "model":
        for key in _CHILDREN:
            if key in schema:
                yield from _walk(schema[key], resolve, into_models=into_models, seen=seen)


def _resolved(schema: Any, resolve: Resolve) -> Any:
    try:
        return resolve(schema)
    except LookupError:  # being made, or not defined yet
        return None


def _marked(schema: Any, resolve: Resolve, depth: int = 32) -> Iterator[dict[str, Any]]:
    """Yield the marked schemas that stand for the whole value of a field."""
    if MARK in schema.get("metadata", ()):
        yield schema
    if schema["type"] not in _TRANSPARENT or depth == 0:
        return
    for child in _layers(schema, resolve):
        yield from _marked(child, resolve, depth - 1)


def _layers(schema: Any, resolve: Resolve) -> Iterator[Any]:
    if schema["type"] == "definition-ref":
        found = _resolved(schema, resolve)
        if found is not None and found["type"] != "model":
            yield found
    for key in ("schema", "lax_schema", "strict_schema", "json_schema", "python_schema"):
        if key in schema:
            yield schema[key]
    several = [*schema.get("steps", ()), *_choices(schema.get("choices", ()))]
    yield from (item[0] if isinstance(item, tuple) else item for item in several)


def _choices(choices: Any) -> Any:
    return choices.values() if isinstance(choices, Mapping) else choices


def _reaches_sealed(field: Any, resolve: Resolve) -> bool:
    return any(WRAP in schema.get("metadata", ()) for schema in _walk(field, resolve, into_models=True))


def _fast(cls: Any, target: Any, fields: Any, bindings: Mapping[str, Binding], resolve: Resolve) -> bool:
    layer = target
    while layer["type"] != "model-fields":
        if "serialization" in layer or layer.get("root_model"):
            return False
        layer = layer["schema"]
    if cls.model_config.get("json_encoders"):
        return False
    return all(
        "serialization_exclude_if" not in fields[name] and _scalar(fields[name]["schema"], resolve) for name in bindings
    )


def _scalar(schema: Any, resolve: Resolve, depth: int = 32) -> bool:
    if str(schema.get("serialization", {}).get("type", "")).startswith("function"):
        return False
    if schema["type"] in _SCALARS:
        return True
    layers = list(_layers(schema, resolve)) if schema["type"] in _TRANSPARENT and depth else []
    return bool(layers) and all(_scalar(layer, resolve, depth - 1) for layer in layers)


def _serialize_field(field: Any, binding: Binding) -> None:
    """Put a serializer on a scalar field that asks and hands over: the fast road."""
    while field["schema"]["type"] == "default":  # which must stay outside, for exclude_defaults
        field["schema"] = dict(field["schema"])
        field = field["schema"]
    own = field["schema"]

    def release(model: Any, value: Any) -> Any:
        try:
            contents = value._purposebind_contents
            if contents[1] in scope.current_frame().granted:
                return contents[0]
            del contents  # a refusal's traceback shows the locals of this function (R7)
        except AttributeError:
            if value is not None and not is_open(model):  # put there behind our back
                admit(binding, subject_of(model))
        return open_box(value)

    field["schema"] = {
        **own,
        "serialization": core_schema.plain_serializer_function_ser_schema(
            release, is_field_serializer=True, return_schema=own
        ),
    }


def _announce(holder: Any, policy: Policy) -> None:
    """Have the JSON schema of a tagged property say what it is for."""

    def with_purposes(schema: CoreSchema, handler: Any) -> Any:
        described = handler(schema)
        if config.current.revealing:
            return described
        purposes = {"x-purposes": [p.name for p in sorted(policy.allowed)]}
        if policy.never:
            purposes["x-purposes-never"] = [p.name for p in sorted(policy.never)]
        return {**described, **purposes}

    metadata = holder["metadata"] = dict(holder.get("metadata") or {})
    metadata["pydantic_js_functions"] = [*metadata.get("pydantic_js_functions", ()), with_purposes]


def _wrap(target: Any, boundary: Boundary, exact: bool) -> None:
    """Put the boundary around the definition in place: recursive models refer to it, and it keeps its reference."""
    ref = target.get("ref")
    inner = {key: value for key, value in target.items() if key != "ref"}
    road = (
        core_schema.wrap_serializer_function_ser_schema(boundary.serialize, info_arg=True, schema=inner)
        if exact
        else None
    )
    target.clear()
    target.update(
        core_schema.no_info_wrap_validator_function(
            boundary.validate,
            inner,
            ref=ref,
            metadata={WRAP: True},
            serialization=road,
        )
    )
