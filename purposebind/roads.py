"""The roads across the boundary, as pydantic's core schemas express them.

Two roads out. The fast one: each tagged field carries a plain function serializer that asks and hands over; right where
the fields are scalars without serializers of the user's. The exact one: the whole model is serialized from a view of
it; right everywhere. One road in: a wrap around the model, after everything else of the model's has run.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from .walk import TRANSPARENT, Resolve, layers

__all__ = ["announce", "fast_road_fits", "plain_schema", "replaced_schema", "serialize_field", "wrap_model"]

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


def fast_road_fits(cls: Any, target: Any, fields: Any, bindings: Mapping[str, Binding], resolve: Resolve) -> bool:
    """Return whether every tagged field is a scalar without serializers of the user's."""
    if _SKIPS_FIELD_SERIALIZERS:
        return False
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
    inner = list(layers(schema, resolve)) if schema["type"] in TRANSPARENT and depth else []
    return bool(inner) and all(_scalar(layer, resolve, depth - 1) for layer in inner)


def serialize_field(field: Any, binding: Binding) -> None:
    """Put a serializer on a scalar field that asks and hands over: the fast road."""
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

    field["schema"] = {
        **own,
        "serialization": core_schema.plain_serializer_function_ser_schema(
            release, is_field_serializer=True, return_schema=own
        ),
    }


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
