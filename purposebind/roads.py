"""The roads across the boundary, as pydantic's core schemas express them.

Two roads out. The fast one: each tagged field carries a function serializer that asks and hands over; right where the
fields are scalars, or containers of them, without serializers of the user's. The exact one: the whole model is
serialized from a view of it; right everywhere. One road in: a wrap around the model, after everything else of the
model's has run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from pydantic.version import VERSION
from pydantic_core import CoreSchema, core_schema

from . import scope
from .boundary import Boundary
from .enforcement import Binding
from .guards import bound, is_open, subject_of
from .policy import Policy
from .sealed import open_box
from .tags import WRAP, purposes_in_schema
from .walk import TRANSPARENT, Resolve, layers, walk

__all__ = ["announce", "fast_road_fits", "may_open", "plain_schema", "replaced_schema", "serialize_field", "wrap_model"]

_NO_MODEL: Any = object()
# Before 2.13 a duck-typed parent's serialize_as_any=True skips field serializers: the fast road would not be asked.
_SKIPS_FIELD_SERIALIZERS = tuple(int(part) for part in VERSION.split(".")[:2]) < (2, 13)
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
_CONTAINERS = frozenset(["list", "set", "frozenset", "tuple", "dict"])
_USERS = frozenset(["function-before", "function-wrap", "function-plain"])
_CLOSED = (_SCALARS - {"enum", "literal"}) | (TRANSPARENT - _USERS) | {"model-field", "model"}
"""Types of schemas that refuse a box without looking into it."""
_PARTS = ("items_schema", "keys_schema", "values_schema")


def fast_road_fits(cls: Any, target: Any, fields: Any, bindings: Mapping[str, Binding], resolve: Resolve) -> bool:
    """Return whether every tagged field is a scalar, or a container of scalars, without serializers of the user's."""
    if _SKIPS_FIELD_SERIALIZERS:
        return False
    layer = target
    while layer["type"] != "model-fields":
        if "serialization" in layer or layer.get("root_model"):
            return False
        layer = layer["schema"]
    if cls.model_config.get("json_encoders"):
        return False
    return not any("serialization_exclude_if" in fields[name] for name in bindings) and all(
        _scalar(schema, resolve) or _container(schema, resolve)
        for schema in (fields[name]["schema"] for name in bindings)
    )


def may_open(target: Any, fields: Any, names: Iterable[str], resolve: Resolve) -> bool:
    """Return whether validation may look into a box that it is given for one of the fields `names`.

    A validator of the user's may; and pydantic does, where it goes through what it is given, hashes it or compares it.
    """
    layer = target
    while layer["type"] != "model-fields":
        if layer["type"] in _USERS or layer.get("root_model"):
            return True
        layer = layer["schema"]
    parts = (part["type"] for name in names for part in walk(fields[name], resolve, into_models=False))
    return not _CLOSED.issuperset(parts)


def _scalar(schema: Any, resolve: Resolve) -> bool:
    return _made_of(schema, resolve, _SCALARS)


def _container(schema: Any, resolve: Resolve) -> bool:
    """Return whether `schema` holds scalars, or containers of them, and nothing that writes itself out in its own way.

    Bytes are left to the exact road, where what is wrong with them raises the error that pydantic's users know.
    """
    return _made_of(schema, resolve, _SCALARS - {"bytes"}, _CONTAINERS)


def _made_of(
    schema: Any, resolve: Resolve, leaves: frozenset[str], containers: frozenset[str] = frozenset(), depth: int = 32
) -> bool:
    """Return whether all that a value may be is in `leaves`, inside of `containers`, and nothing has a serializer."""
    if _has_serializer(schema):
        return False
    if schema["type"] in leaves:
        return True
    if schema["type"] in containers:
        inner = [part for key in _PARTS if key in schema for part in _several(schema[key])]
    else:
        inner = list(layers(schema, resolve)) if schema["type"] in TRANSPARENT else []
    return bool(inner) and depth > 0 and all(_made_of(part, resolve, leaves, containers, depth - 1) for part in inner)


def _several(schemas: Any) -> list[Any]:
    return schemas if isinstance(schemas, list) else [schemas]


def _has_serializer(schema: Any) -> bool:
    return str(schema.get("serialization", {}).get("type", "")).startswith("function")


def serialize_field(field: Any, binding: Binding, resolve: Resolve) -> None:
    """Put a serializer on a field that asks and hands over: the fast road."""
    while field["schema"]["type"] == "default":  # which must stay outside, for exclude_defaults
        field["schema"] = dict(field["schema"])
        field = field["schema"]
    own = field["schema"]

    def release(model: Any, value: Any = _NO_MODEL) -> Any:
        try:
            if value._purposebind_binding.policy in scope.current_frame().granted:
                return value._purposebind_value
        except AttributeError:
            if value is _NO_MODEL:  # a default on its way into a JSON schema
                value = model
            elif not is_open(model):  # put there behind our back
                value = bound(value, binding, subject_of(model))
        return open_box(value)

    def release_to(model: Any, value: Any, write: Any) -> Any:
        return write(release(model, value))

    road: core_schema.SerSchema
    if _scalar(own, resolve):
        road = core_schema.plain_serializer_function_ser_schema(release, is_field_serializer=True, return_schema=own)
    else:  # pydantic writes it out itself, and knows what of it is included and excluded
        road = core_schema.wrap_serializer_function_ser_schema(release_to, is_field_serializer=True)
    field["schema"] = {**own, "serialization": road}


def announce(holder: Any, policy: Policy) -> None:
    """Have the JSON schema of a tagged property say what it is for."""
    metadata = holder["metadata"] = dict(holder.get("metadata") or {})
    metadata["pydantic_js_annotation_functions"] = [
        *metadata.get("pydantic_js_annotation_functions", ()),
        purposes_in_schema(policy),
    ]


def wrap_model(target: Any, boundary: Boundary, exact: bool) -> None:
    """Put the boundary around the definition in place: recursive models refer to it, and it keeps its reference."""
    ref = target.get("ref")
    inner = {key: value for key, value in target.items() if key != "ref"}
    road = core_schema.wrap_serializer_function_ser_schema(boundary.serialize, info_arg=True) if exact else None
    target.clear()
    target.update(
        core_schema.no_info_wrap_validator_function(
            boundary.validate,
            cast("CoreSchema", inner),
            ref=ref,
            metadata={WRAP: True},
            serialization=road,
        )
    )


def replaced_schema(cls: Any) -> str:
    """Return what is wrong with a class that makes a schema of its own, and the ways out."""
    return (
        f"{cls.__name__} replaces the schema that PurposeModel makes, and its tags would protect nothing. Two ways "
        "out:\n"
        "  - return handler(source), or something around it, from its __get_pydantic_core_schema__;\n"
        "  - or override the method on the type of the field instead."
    )


def plain_schema(cls: Any) -> CoreSchema | None:
    """Return the complete schema of `cls` without the wrap around the model; None where something is around that."""
    schema: Any = cls.__pydantic_core_schema__
    top = schema["schema"] if schema["type"] == "definitions" else schema
    if top["type"] == "definition-ref":
        top = next(d for d in schema["definitions"] if d["ref"] == top["schema_ref"])
    if WRAP not in top.get("metadata", ()):
        return None
    plain: Any = top["schema"]
    return cast("CoreSchema", {**schema, "schema": plain}) if schema["type"] == "definitions" else plain
