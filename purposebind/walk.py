"""Walking core schemas: what is inside, what stands for the whole value, and through references.

pydantic documents core schemas as dicts by type; the keys under which schemas hold schemas are listed here, and nowhere
else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from pydantic_core import CoreSchema

from .tags import MARK, WRAP

__all__ = ["TRANSPARENT", "Resolve", "inside", "layers", "marked", "name_choices", "reaches_sealed", "walk"]

Resolve: TypeAlias = Callable[[CoreSchema], CoreSchema]
"""Looks up the definition that a reference stands for."""

TRANSPARENT = frozenset(
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


def inside(schema: Any, *, stop_at_model: bool = False) -> Any:
    """The fields of a model's schema, or a root model's root, under the model's validators."""
    while schema["type"] != "model":
        schema = schema["schema"]
    if stop_at_model or schema.get("root_model"):
        return schema if stop_at_model else schema["schema"]
    schema = schema["schema"]
    while schema["type"] != "model-fields":
        schema = schema["schema"]
    return schema


def walk(schema: Any, resolve: Resolve, *, into_models: bool, seen: set[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield every schema inside `schema`, itself included, through references."""
    seen = set() if seen is None else seen
    if isinstance(schema, (list, tuple)):
        for item in schema:
            yield from walk(item, resolve, into_models=into_models, seen=seen)
        return
    if not isinstance(schema, dict):
        return
    if not isinstance(schema.get("type"), str):  # fields or choices by name
        for item in schema.values():
            yield from walk(item, resolve, into_models=into_models, seen=seen)
        return
    yield schema
    if schema["type"] == "definition-ref":
        if schema["schema_ref"] not in seen:
            seen.add(schema["schema_ref"])
            found = _resolved(schema, resolve)
            if found is not None:
                yield from walk(found, resolve, into_models=into_models, seen=seen)
    elif into_models or schema["type"] != "model":
        for key in _CHILDREN:
            if key in schema:
                yield from walk(schema[key], resolve, into_models=into_models, seen=seen)


def _resolved(schema: Any, resolve: Resolve) -> Any:
    try:
        return resolve(schema)
    except LookupError:  # being made, or not defined yet
        return None


def marked(schema: Any, resolve: Resolve, depth: int = 32) -> Iterator[dict[str, Any]]:
    """Yield the marked schemas that stand for the whole value of a field."""
    if MARK in schema.get("metadata", ()):
        yield schema
    if schema["type"] not in TRANSPARENT or depth == 0:
        return
    for child in layers(schema, resolve):
        yield from marked(child, resolve, depth - 1)


def layers(schema: Any, resolve: Resolve) -> Iterator[Any]:
    """Yield the schemas directly inside a transparent one, each of which may stand for the whole value."""
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


def reaches_sealed(field: Any, resolve: Resolve) -> bool:
    """Return whether a value of `field` may hold something sealed."""
    return any(WRAP in schema.get("metadata", ()) for schema in walk(field, resolve, into_models=True))


def name_choices(field: Any, resolve: Resolve, own: tuple[str | None, str]) -> None:
    """Have errors in a union of models name the model, as they do without the wrap around it.

    Args:
        field: The field's schema.
        resolve: As elsewhere.
        own: The reference and the name of the model that the field belongs to, which is still being made.
    """
    for schema in walk(field, resolve, into_models=False):
        if schema["type"] == "union":
            schema["choices"] = [_named(choice, resolve, own) for choice in schema["choices"]]


def _named(choice: Any, resolve: Resolve, own: tuple[str | None, str]) -> Any:
    if isinstance(choice, tuple):
        return choice
    if choice["type"] == "definition-ref" and choice["schema_ref"] == own[0]:
        return choice, own[1]
    model = _resolved(choice, resolve) if choice["type"] == "definition-ref" else choice
    if model is None or WRAP not in model.get("metadata", ()):
        return choice
    while model["type"] != "model" and "schema" in model:
        model = model["schema"]
    return (choice, model["cls"].__name__) if model["type"] == "model" else choice
