"""From the fields of a table model to its columns: the metaclass.

What this module keeps:

- **R1** The column of a tagged field is sealed by its type, whatever made the column: the field's annotation,
  ``sa_type=``, or a whole ``sa_column=``. Its attribute is guarded.
- **R9** What would be half a table model, sealed as a model or as an entity alone, is refused: one made by hand, a
  sealed column of a field without a tag, a tag on a key.
- **R10** The attribute of a table model that is being built gives what it holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from sqlalchemy import event
from sqlalchemy.orm import Mapper
from sqlmodel import Field
from sqlmodel.main import SQLModelMetaclass
from typing_extensions import dataclass_transform

from purposebind import PolicyError
from purposebind.describing import field_tags
from purposebind.entities import collected_field, guard_fields, is_field_guard, is_open, mode_of, subject_field
from purposebind.holding import binding, settle
from purposebind.integrations.sqlalchemy import SealedType, policy_of
from purposebind.integrations.sqlalchemy.attributes import GuardedAttribute

__all__ = ["TableMetaclass", "is_mapped", "is_table"]


@dataclass_transform(kw_only_default=True, field_specifiers=(Field,))
class TableMetaclass(SQLModelMetaclass):
    """SQLModel's metaclass, with the columns of tagged fields sealed, and `PurposeModel`'s class keyword."""

    def __new__(mcs, name: str, bases: tuple[type[Any], ...], class_dict: dict[str, Any], **kwargs: Any) -> Any:
        # SQLModel hands on to pydantic what pydantic knows, and drops other keywords.
        class_dict = {**class_dict, "__purpose_keyword__": kwargs.pop("purpose_mode", None)}
        if kwargs.get("table") and "__init__" not in class_dict:
            inherited = next((vars(base)["__init__"] for base in _order(bases) if "__init__" in vars(base)), None)
            if getattr(inherited, "__pydantic_base_init__", False):
                class_dict["__init__"] = _built_by(inherited)
        cls = super().__new__(mcs, name, bases, class_dict, **kwargs)
        if any(is_table(base) for base in bases if isinstance(base, SQLModelMetaclass)):
            guard_fields(cls)  # SQLModel leaves columns as its attributes, and maps it to no table
        elif is_table(cls):
            _seal_columns(cls)
        _spell_out(cls)
        return cls

    def __init__(cls, name: str, bases: tuple[type[Any], ...], class_dict: dict[str, Any], **kwargs: Any) -> None:
        kwargs.pop("purpose_mode", None)
        super().__init__(name, bases, class_dict, **kwargs)

    def __setattr__(cls, name: str, value: Any) -> None:
        if is_field_guard(value) and is_mapped(cls):
            return  # SQLAlchemy's own attribute stands there, guarded: a schema that is built again does not replace it
        super().__setattr__(name, value)


def is_table(cls: Any) -> bool:
    """Return whether `cls` is a table model, as SQLModel tells it."""
    return bool(cls.model_config.get("table"))


def is_mapped(cls: Any) -> bool:
    """Return whether SQLAlchemy has mapped `cls` itself."""
    return "__mapper__" in vars(cls)


def _order(bases: tuple[type[Any], ...]) -> list[type[Any]]:
    return [cls for base in bases for cls in base.__mro__]


def _built_by(inherited: Any) -> Callable[..., None]:
    """`inherited`, as an ``__init__`` that pydantic calls wherever a table model is validated as part of something.

    SQLAlchemy makes an instance what it is there, so pydantic may not go round it, as it does with its own.
    """

    def __init__(__pydantic_self__: Any, **data: Any) -> None:  # a field may be called self
        __tracebackhide__ = True
        try:
            inherited(__pydantic_self__, **data)
        finally:
            del data  # a traceback shows the locals of this function (R7)

    return __init__


def _seal_columns(cls: Any) -> None:
    """Seal the columns of the tagged fields by their type, before they are those of a table."""
    tags = field_tags(cls)
    for name in cls.model_fields:
        column = vars(cls).get(name)
        if column is None:
            continue
        label = f"{cls.__name__}.{name}"
        if name not in tags:
            if policy_of(column) is not None:
                raise PolicyError(
                    f"The column of {label} is sealed, and the field has no tag, so that the model would not know. Tag "
                    "the field: Annotated[..., AllowedFor(...)]."
                )
            continue
        if column.primary_key or column.foreign_keys:
            raise PolicyError(
                f"{label} is a {'primary' if column.primary_key else 'foreign'} key and has a tag. SQLAlchemy reads "
                "keys to know one entity from another: give the table a key that says nothing of a person, and tag a "
                "column beside it."
            )
        if policy_of(column) is None:
            column.type = SealedType(column.type, tags[name])


def _spell_out(cls: Any) -> None:
    """Put what pydantic found out in place of annotations that are texts, for SQLAlchemy's side to find tags in.

    Pydantic knows the names in the function that a class stands in, and the other does not.
    """
    annotations = vars(cls).get("__annotations__", {})
    for name, annotation in list(annotations.items()):
        info = cls.model_fields.get(name)
        if isinstance(annotation, str) and info is not None and info._complete and info.metadata:
            parts: Any = (info.annotation, *info.metadata)
            annotations[name] = Annotated[parts]


class _ModelAttribute(GuardedAttribute):
    """Stands before a tagged attribute of a table model."""

    __slots__ = ()
    inherit_cache = True

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is not None and is_open(instance):
            return super(GuardedAttribute, self).__get__(instance, owner)
        return super().__get__(instance, owner)


def _attributed(mapper: Any, cls: Any) -> None:
    tags = field_tags(cls)
    if not tags:
        return
    if not isinstance(cls, TableMetaclass):
        raise PolicyError(
            f"{cls.__name__} is a table model made of PurposeModel and another base by hand, so that the columns of "
            f"its tagged fields ({', '.join(tags)}) would stay open. Inherit from "
            "purposebind.integrations.sqlmodel.PurposeSQLModel instead of both."
        )
    bindings: dict[str, Any] = {}
    for name in tags:
        attribute: Any = mapper.class_manager.get(name)
        if type(attribute) is GuardedAttribute:
            prop: Any = attribute.comparator.prop
            attribute.__class__ = _ModelAttribute
            kind: Any = prop.columns[0].type
            # Not the model's own binding: what was loaded is told apart from what was assigned.
            bindings[name] = kind.binding = binding(f"{cls.__name__}.{name}", kind.policy, mode_of(cls))
    subject, collected = subject_field(cls), collected_field(cls)
    if subject is not None or collected is not None:
        _tell_loaded(cls, bindings, subject, collected)


def _tell_loaded(cls: Any, bindings: dict[str, Any], subject: str | None, collected: str | None) -> None:
    """Have what is loaded know at once whose it is, and since when: a model is not only read through its attributes."""

    def loaded(state: Any, context: Any) -> None:
        settle(state.dict, bindings, subject, collected)

    event.listen(cls, "load", loaded, raw=True)


event.listen(Mapper, "after_mapper_constructed", _attributed)
