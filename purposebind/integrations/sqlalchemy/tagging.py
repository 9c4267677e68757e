"""From the tags of a mapped class to its columns and attributes.

What this module keeps:

- **R1** The column of a tagged attribute is sealed by its type, and the attribute is guarded: whatever declarative
  style, mixin or inheritance brought it there.
- **R8** Of several tags for one attribute, one may only narrow what another says.
- **R9** What could not be sealed is refused where it is declared: keys that SQLAlchemy itself has to read, types that
  watch their values, composites that copy them.
"""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, event
from sqlalchemy.orm import ColumnProperty, InstrumentedAttribute, Mapper
from sqlalchemy.types import TypeEngine
from typing_extensions import TypeAliasType

from purposebind import AllowedFor, PolicyError, SubjectId
from purposebind.policy import Policy

from .attributes import GuardedAttribute, show_sealed, watch_instances
from .loading import seal_loading
from .sealed_type import SealedType, policy_of

__all__ = ["UNREAD", "label_of", "listen"]

UNREAD = "purposebind_unread"
"""In a column's ``info``: the text of an annotation that could not be read when its class was made."""

_SUBJECT = "purposebind_subject"


# --- Annotations -----------------------------------------------------------------------------------------------------


def _metadata(annotation: Any, owner: type[Any]) -> Iterator[Any]:
    """Yield what stands in ``Annotated`` anywhere in an annotation.

    Raises:
        NameError: It is a text, and names what is not there.
    """
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        module = sys.modules.get(owner.__module__)
        names = dict(vars(module)) if module else {}
        annotation = eval(annotation, names, dict(vars(owner)))  # as SQLAlchemy does
        yield from _metadata(annotation, owner)
        return
    if isinstance(annotation, TypeAliasType) or type(annotation).__name__ == "TypeAliasType":
        yield from _metadata(annotation.__value__, owner)
        return
    yield from getattr(annotation, "__metadata__", ())
    if hasattr(annotation, "__supertype__"):
        yield from _metadata(annotation.__supertype__, owner)
    for part in typing.get_args(annotation):
        if (
            not isinstance(part, AllowedFor)
            and part is not annotation
            and typing.get_origin(annotation) is not typing.Literal
        ):
            yield from _metadata(part, owner)
        if typing.get_origin(annotation) is typing.Annotated:
            break


def _declared(cls: type[Any], key: str, column: Any) -> list[Any]:
    """What the annotations of an attribute say, those of base classes and mixins too."""
    found: list[Any] = []
    for owner in cls.__mro__:
        annotation = vars(owner).get("__annotations__", {}).get(key)
        if annotation is None:
            continue
        try:
            found += _metadata(annotation, owner)
        except Exception:
            if "AllowedFor" in str(annotation):
                raise PolicyError(
                    f"The tag of {owner.__name__}.{key} cannot be read: its annotation names something that is not "
                    "there while the program runs. Import it outside of `if TYPE_CHECKING:`, and define it in the "
                    "module."
                ) from None
            column.info[UNREAD] = f"{owner.__module__}.{owner.__qualname__}.{key}"
    return found


def label_of(cls: type[Any], key: str) -> str:
    """The name of a mapped attribute in errors."""
    return f"{cls.__name__}.{key}"


# --- Attributes ------------------------------------------------------------------------------------------------------


def _constructed(mapper: Mapper[Any], cls: type[Any]) -> None:
    for prop in mapper.iterate_properties:
        _instrumented(cls, prop.key, mapper.class_manager.get(prop.key))

    made = vars(cls).get("__repr__")
    if made is not None and dataclasses.is_dataclass(cls) and getattr(made, "__wrapped__", None) is not None:
        tagged = [prop for prop in mapper.iterate_properties if isinstance(prop, ColumnProperty)]
        show_sealed(cls, frozenset(prop.key for prop in tagged if policy_of(prop.columns[0]) is not None))


def _instrumented(cls: type[Any], key: str, attribute: Any) -> None:
    if type(attribute) is not InstrumentedAttribute:
        return
    prop = getattr(attribute.comparator, "prop", None)
    if not isinstance(prop, ColumnProperty):
        return
    column: Any = prop.columns[0]
    if isinstance(column, Column):
        said = _declared(cls, key, column)
        if any(one is SubjectId for one in said):
            column.info[_SUBJECT] = True
        policy = _policy(cls, key, [one.policy for one in said if isinstance(one, AllowedFor)], policy_of(column))
        if policy is not None:
            _seal(cls, key, column, policy, prop.parent)
    if policy_of(column) is not None:
        attribute.__class__ = GuardedAttribute
        seal_loading(prop)


def _policy(cls: type[Any], key: str, tags: list[Policy], known: Policy | None) -> Policy | None:
    policy = known
    for tag in reversed(tags):  # the outermost base class first
        if policy is not None and tag.widens(policy):
            added = ", ".join(purpose.name for purpose in tag.widens(policy))
            raise PolicyError(
                f"{label_of(cls, key)} is tagged for {tag}, which would widen the tag it has already ({policy}) by "
                f"{added}. Narrow it, or change the other."
            )
        policy = tag if policy is None else policy.join(tag)
    return policy


def _seal(cls: Any, key: str, column: Column[Any], policy: Policy, mapper: Mapper[Any]) -> None:
    label = label_of(cls, key)
    if column.primary_key:
        raise PolicyError(
            f"{label} is a primary key and has a tag. SQLAlchemy reads keys to know one entity from another: give the "
            "table a key that says nothing of a person, and tag a column beside it."
        )
    kind = column.type
    if isinstance(kind, SealedType) and kind.policy is policy and kind.field:
        return
    inner = kind.impl_instance if isinstance(kind, SealedType) else kind
    watcher = _mutable(mapper, inner)
    if watcher:
        raise PolicyError(
            f"{label} has a tag and a type of {watcher}, which hands its value to whoever changes it in place. Use the "
            "plain type, and assign a new value."
        )
    column.type = SealedType(inner, policy, label)
    column.__dict__.pop("comparator", None)  # of the type it had


def _mutable(mapper: Mapper[Any], kind: Any) -> str | None:
    """The name of the extension that watches values of this type in place, or None.

    SQLAlchemy keeps no list: it is found among what listens to mappers, by the type that it waits for.
    """
    for listener in mapper.dispatch.mapper_configured:
        waiting: list[Any] = [listener]
        while waiting:  # SQLAlchemy wraps what listens to all mappers
            function = waiting.pop()
            of = str(getattr(function, "__module__", ""))
            for cell in getattr(function, "__closure__", None) or () if of.startswith("sqlalchemy.") else ():
                waited = cell.cell_contents
                if callable(waited) and not isinstance(waited, type):
                    waiting.append(waited)
                if of == _MUTABLE and (waited is kind or (isinstance(waited, type) and _is_of(kind, waited))):
                    return _MUTABLE
    return None


_MUTABLE = "sqlalchemy.ext.mutable"


def _is_of(kind: Any, waited: type[Any]) -> bool:
    return issubclass(waited, TypeEngine) and isinstance(kind, waited)


# --- Whole mappers ---------------------------------------------------------------------------------------------------


def _configured(mapper: Mapper[Any], cls: type[Any]) -> None:
    tagged: dict[str, Any] = {
        prop.key: prop.columns[0].type for prop in mapper.column_attrs if policy_of(prop.columns[0]) is not None
    }
    subjects = [
        prop.key
        for prop in mapper.column_attrs
        if isinstance(prop.columns[0], Column) and prop.columns[0].info.get(_SUBJECT)
    ]
    if len(subjects) > 1:
        raise PolicyError(f"{cls.__name__} marks {' and '.join(subjects)} as SubjectId: one row is one person's.")
    if not tagged:
        return
    for key, kind in tagged.items():
        watcher = _mutable(mapper, kind.impl_instance)
        if watcher:
            raise PolicyError(f"{label_of(cls, key)} has a tag and a type of {watcher}. Use the plain type.")
    for column in _read_by_mapper(mapper):
        if policy_of(column) is not None:
            raise PolicyError(
                f"{label_of(cls, str(column.key))} has a tag, and SQLAlchemy itself has to read it: as a key, a "
                "foreign key of a relationship, a version or a discriminator. Use a column without a tag for that."
            )
    for composite in mapper.composites:
        if any(policy_of(column) is not None for prop in composite.props for column in getattr(prop, "columns", ())):
            raise PolicyError(
                f"{label_of(cls, composite.key)} is a composite of tagged columns: it would keep their values open "
                "beside them. Make it a property that reads them."
            )
    watch_instances(cls, {key: kind.binding for key, kind in tagged.items()}, subjects[0] if subjects else None)


def _read_by_mapper(mapper: Mapper[Any]) -> Iterator[Any]:
    yield from mapper.primary_key
    if mapper.version_id_col is not None:
        yield mapper.version_id_col
    if mapper.polymorphic_on is not None:
        yield mapper.polymorphic_on
    for relationship in mapper.relationships:
        yield from relationship.local_columns
        yield from relationship.remote_side


def listen() -> None:
    """Have tags count on every class that is mapped from now on."""
    event.listen(Mapper, "after_mapper_constructed", _constructed)
    event.listen(object, "attribute_instrument", _instrumented, propagate=True)  # for what is added to a class later
    event.listen(Mapper, "mapper_configured", _configured)
