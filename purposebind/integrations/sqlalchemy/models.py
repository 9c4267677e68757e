"""`to_model`: from an entity or a row to a `PurposeModel`, sealed all the way.

What this module keeps:

- **R1** Moving is not a read: what is sealed in the entity is sealed in the model.
- **R8** It stays as narrow as both say, and does not go into a field without a tag.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy import inspect
from sqlalchemy.engine import Row
from sqlalchemy.orm import InstanceState

from purposebind import PolicyError, PurposeModel, Sealed
from purposebind.describing import field_tags

from .attributes import held

__all__ = ["parts", "to_model"]

M = TypeVar("M", bound=PurposeModel)


def to_model(row: Any, model: type[M]) -> M:
    """Return an entity, or a row, as a `PurposeModel` that holds it sealed. It is not a read.

    Fields are taken by their names; what the model's field is called in the database does not matter, nor do aliases.
    Related entities become nested models where the model has such fields.

    Args:
        row: An entity, a row of a result, or a mapping.
        model: The model's class.

    Raises:
        PolicyError: A tagged column would go into a field without a tag.
        ValidationError: What the row holds is not valid for the model; without values.
    """
    return model.model_validate(_taken(row, model), by_name=True)


def _taken(row: Any, model: type[BaseModel]) -> dict[str, Any]:
    tags = field_tags(model)
    taken: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        found, value = _value(row, name)
        if not found:
            continue
        if type(value) is Sealed and name not in tags and not _takes_boxes(field.annotation, field.metadata):
            raise PolicyError(
                f"{type(row).__name__}.{name} may not go into {model.__name__}.{name}: it is allowed for "
                f"{value.policy}, and the field has no tag. Tag the field: {name}: Annotated[..., AllowedFor(...)]."
            )
        taken[name] = _nested(value, field.annotation)
    return taken


def _value(row: Any, name: str) -> tuple[bool, Any]:
    if isinstance(row, Row):
        row = row._mapping
    if isinstance(row, Mapping):
        return name in row, row.get(name)
    state = inspect(row, raiseerr=False)
    if isinstance(state, InstanceState) and name in state.mapper.attrs and name in state.manager:
        return True, held(row, name)
    if isinstance(row, BaseModel):
        return name in row.__dict__, row.__dict__.get(name)
    return hasattr(row, name), getattr(row, name, None)


def _takes_boxes(annotation: Any, metadata: Iterable[Any]) -> bool:
    return any(one is Sealed or typing.get_origin(one) is Sealed for one in parts(annotation))


def parts(annotation: Any) -> Iterable[Any]:
    """Yield an annotation, and all that stands in it."""
    yield annotation
    for part in typing.get_args(annotation):
        yield from parts(part)


def _nested(value: Any, annotation: Any) -> Any:
    """`value` with related entities as what a nested model of `annotation` is validated from."""
    models = [one for one in parts(annotation) if isinstance(one, type) and issubclass(one, BaseModel)]
    if not models or isinstance(value, (Sealed, str, bytes, BaseModel)) or value is None:
        return value
    if isinstance(value, Mapping):
        return {key: _nested(one, annotation) for key, one in value.items()}
    if isinstance(value, Iterable):
        return [_nested(one, annotation) for one in value]
    if isinstance(inspect(value, raiseerr=False), InstanceState):
        return _taken(value, models[0])
    return value
