"""A model's own entry points: ``__init__`` and the ``model_validate`` family.

They use a validator without the wrap around the model, which is faster, and exact where a wrap is not (union locations,
strict JSON). Sealing and the cleaning of errors (R7) happen here instead, by what the wrap does it with too:
`Boundary.sealed` and `Boundary.recovery`.
"""

from __future__ import annotations

from typing import Any, NoReturn

from pydantic import PydanticUserError, ValidationError
from pydantic.version import version_short
from pydantic_core import SchemaValidator

from .pending import pending_violation
from .recovering import Raise
from .roads import plain_schema

__all__ = ["NOT_SELF", "incoming", "own_validator", "recovery", "refuse_alias_use", "sealed"]

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
        plain = plain_schema(cls) if isinstance(wrapped, SchemaValidator) else None
        boundary.validator = wrapped if plain is None else _plain_validator(plain)
        boundary.direct = boundary.validator.validate_python
    return boundary.validator or cls.__pydantic_validator__


def incoming(cls: Any, value: Any) -> Any:
    """Return `value` as the class's validator may look into it."""
    boundary = cls.__purpose_boundary__
    return value if boundary is None or type(value) is dict else boundary.incoming(value)


def sealed(cls: Any, result: Any, value: Any) -> Any:
    """Return `result`, what the validation of `value` came to, sealed."""
    boundary = cls.__purpose_boundary__
    return result if boundary is None else boundary.sealed(result, value)


def recovery(cls: Any, error: ValidationError, value: Any, is_json: bool = False) -> Any:
    """Return what to do about `error`, as `Boundary.recovery` does; for an untagged class too."""
    boundary = cls.__purpose_boundary__
    if boundary is not None:
        return boundary.recovery(error, value, is_json)
    return Raise(pending_violation(error) or error)


def _plain_validator(schema: Any) -> SchemaValidator:
    layer = schema["schema"] if schema["type"] == "definitions" else schema
    while layer["type"] != "model":
        layer = layer["schema"]
    return SchemaValidator(schema, layer.get("config"))
