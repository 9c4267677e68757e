"""What one object holds sealed, for another to take over.

What this module keeps:

- **R1** Looking for a box, and moving it into a tagged field, is not a read. Into a field without a tag it is one.
- **R7** Nothing is opened while something may still be refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import inspect
from sqlalchemy.orm import InstanceState

from purposebind import Sealed
from purposebind.describing import field_tags
from purposebind.holding import unsealed
from purposebind.integrations.sqlalchemy.attributes import held as held_by
from purposebind.integrations.sqlalchemy.models import parts

__all__ = ["ABSENT", "held", "is_source", "taken"]

ABSENT: Final[Any] = object()


def is_source(source: Any) -> bool:
    """Return whether `source` may hold boxes under its attributes' names: a model of ours, or an entity."""
    return hasattr(type(source), "__purpose_model__") or _is_entity(source)


def held(source: Any, name: str) -> Any:
    """Return what `source` holds under `name`, sealed as it is, or `ABSENT`. It is not a read.

    What an entity has not loaded, or has expired, is loaded.
    """
    if _is_entity(source) and name in inspect(source).mapper.column_attrs:
        return held_by(source, name)  # by SQLAlchemy's own road, below the guard
    return getattr(source, "__dict__", {}).get(name, ABSENT)


def taken(cls: Any, source: Any, update: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a model of `cls` is validated from to be as `source` is, and the boxes that it came in.

    Args:
        cls: A model's class.
        source: A model of ours, or an entity.
        update: What to take instead, by the names of the fields.

    Raises:
        PurposeViolation: A value would go into a field without a tag, and may not be read here.
    """
    found: dict[str, Any] = {}
    tags = field_tags(cls)
    for name, info in cls.model_fields.items():
        alias = info.validation_alias if isinstance(info.validation_alias, str) else name
        value = ABSENT
        for key in dict.fromkeys((name, alias)):
            if value is ABSENT:
                value = _value(source, key, update, sealed=name in tags)
        if value is not ABSENT:
            by_name = cls.model_config.get("populate_by_name") or cls.model_config.get("validate_by_name")
            found[name if by_name else alias] = _nested(value, info.annotation)
    names = {info.validation_alias: name for name, info in cls.model_fields.items() if info.validation_alias}
    boxes = {names.get(key, key): value for key, value in found.items() if type(value) is Sealed}
    return {key: unsealed(value) if names.get(key, key) in tags else value for key, value in found.items()}, boxes


def _value(source: Any, name: str, update: Mapping[str, Any], *, sealed: bool) -> Any:
    if name in update:
        return update[name]
    value = held(source, name) if sealed else ABSENT
    return getattr(source, name, ABSENT) if value is ABSENT else value


def _is_entity(source: Any) -> bool:
    return isinstance(inspect(source, raiseerr=False), InstanceState)


def _nested(value: Any, annotation: Any) -> Any:
    """`value` with related entities as the model that `annotation` wants, which takes over what they hold in turn."""
    if isinstance(value, list):
        return [_nested(one, annotation) for one in value]
    if not is_source(value):
        return value
    models = [one for one in parts(annotation) if isinstance(one, type) and issubclass(one, BaseModel)]
    if len(models) != 1 or isinstance(value, models[0]) or not hasattr(models[0], "sqlmodel_update"):
        return value
    return models[0].model_validate(value)
