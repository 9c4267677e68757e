"""A model's own entry points: ``__init__`` and the ``model_validate`` family.

They use a validator without the wrap around the model, which is faster, and exact where a wrap is not (union locations,
strict JSON). Sealing and the cleaning of errors (R7) happen here instead, by the same `Boundary.collect`.
"""

from __future__ import annotations

from typing import Any, NoReturn

from pydantic import PydanticUserError, ValidationError
from pydantic.version import version_short
from pydantic_core import SchemaValidator

from .enforcement import pending_violation
from .roads import plain_schema

__all__ = ["NOT_SELF", "own_validator", "refuse_alias_use", "validate"]

NOT_SELF = (
    "A custom validator is returning a value other than `self`.\n"
    "Returning anything other than `self` from a top level model validator isn't supported when validating via "
    "`__init__`.\n"
    f"See the `model_validator` docs (https://pydantic.dev/docs/validation/{version_short()}/concepts/validators/"
    "#model-validators) for more details."
)


def refuse_alias_use() -> NoReturn:
    """Refuse what pydantic refuses, in its words."""
    raise PydanticUserError(
        "At least one of `by_alias` or `by_name` must be set to True.", code="validate-by-alias-and-name-false"
    )


def own_validator(cls: Any) -> Any:
    """Return the validator of the class's own entry points: without the wrap, where it has one."""
    boundary = cls.__purpose_boundary__
    if boundary is None or boundary.cls is not cls:
        return cls.__pydantic_validator__
    if boundary.validator is None and cls.__pydantic_complete__:
        wrapped = cls.__pydantic_validator__
        # Not a SchemaValidator where a plugin of pydantic's watches: it is to see what is sealed and cleaned already.
        boundary.validator = _plain_validator(cls) if isinstance(wrapped, SchemaValidator) else wrapped
    return boundary.validator or cls.__pydantic_validator__


def validate(cls: Any, validate_plain: Any, value: Any, options: dict[str, Any], from_json: bool = False) -> Any:
    """Run `validate_plain` for an entry point of `cls`, through its boundary where it has one."""
    boundary = cls.__purpose_boundary__
    try:
        if boundary is not None and boundary.cls is cls:
            return boundary.collect(validate_plain, value, options, from_json)
        try:
            return validate_plain(value, **options)
        except ValidationError as error:
            denial = pending_violation(error)
            if denial is None:
                raise
        raise denial
    finally:
        del value, options  # a traceback shows the locals of this function (R7)


def _plain_validator(cls: Any) -> SchemaValidator:
    schema = plain_schema(cls)
    layer: Any = schema["schema"] if schema["type"] == "definitions" else schema
    while layer["type"] != "model":
        layer = layer["schema"]
    return SchemaValidator(schema, layer.get("config"))
