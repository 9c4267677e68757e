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
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Table, event
from sqlalchemy.orm import ColumnProperty, InstrumentedAttribute, Mapper, SynonymProperty
from sqlalchemy.orm.descriptor_props import ConcreteInheritedProperty
from sqlalchemy.sql.elements import Null
from sqlalchemy.types import TypeEngine

from purposebind import AllowedFor, CollectedAt, PolicyError, SubjectId
from purposebind.policy import Policy

from .annotating import declared, label_of, metadata, noted
from .attributes import ExpressedAttribute, GuardedAttribute, show_sealed, watch_instances
from .loading import derived_policy, evaluate_open, load_whole, seal_expressed, seal_loading
from .rows import COLLECTED_AT, SUBJECT, companions, link
from .sealed_type import SealedType, policy_of

__all__ = ["listen"]


def _constructed(mapper: Mapper[Any], cls: type[Any]) -> None:
    properties = [prop for prop in mapper.iterate_properties if isinstance(prop, ColumnProperty)]
    properties.sort(key=lambda prop: not _of_table(prop.columns[0]))  # expressions last: they are made of them
    expressed = False
    for prop in properties:
        if not expressed and not _of_table(prop.columns[0]):
            expressed = True
            link(mapper)
        _instrumented(cls, prop.key, mapper.class_manager.get(prop.key))
    if not expressed:
        link(mapper)
    shown = _generated_repr(cls)
    if shown is not None:
        show_sealed(cls, shown, frozenset(prop.key for prop in properties if policy_of(prop.columns[0]) is not None))


def _of_table(column: Any) -> bool:
    return isinstance(column, Column) and (column.table is None or isinstance(column.table, Table))


def _generated_repr(cls: Any) -> list[str] | None:
    """The attributes in the representation that a class was given by dataclasses or attrs, or None."""
    made = vars(cls).get("__repr__")
    if dataclasses.is_dataclass(cls) and getattr(made, "__wrapped__", None) is not None:
        return [field.name for field in dataclasses.fields(cls) if field.repr]
    if getattr(getattr(made, "__code__", None), "co_filename", "").startswith("<attrs generated"):
        return [field.name for field in vars(cls)["__attrs_attrs__"] if field.repr]
    return None


def _instrumented(cls: type[Any], key: str, attribute: Any) -> None:
    if type(attribute) is not InstrumentedAttribute:
        return
    prop = getattr(attribute.comparator, "prop", None)
    if not isinstance(prop, ColumnProperty):
        return
    column: Any = prop.columns[0]
    said = declared(cls, key, column)
    if isinstance(column, Column) and any(one is SubjectId for one in said):
        column.info[SUBJECT] = True
    if isinstance(column, Column) and any(one is CollectedAt for one in said):
        column.info[COLLECTED_AT] = True
    of_table = _of_table(column)
    known = policy_of(column) if of_table else derived_policy(column)  # else of an expression, or of a subquery
    policy = _policy(cls, key, [one.policy for one in said if isinstance(one, AllowedFor)], known)
    if ("query_expression", True) in (prop.strategy_key or ()):
        attribute.__class__ = ExpressedAttribute
        seal_expressed(prop, policy)
        if policy is not None and not isinstance(getattr(column, "element", column), Null):
            column.type = SealedType(column.type, policy, label_of(cls, key))
        return
    if policy is not None and of_table:
        _seal(cls, key, column, policy, prop.parent)
    elif policy is not None and policy is not policy_of(column):
        column.type = SealedType(column.type, policy, label_of(cls, key))
    if policy_of(column) is not None:
        attribute.__class__ = GuardedAttribute
        seal_loading(prop)


def _policy(cls: type[Any], key: str, tags: list[Policy], known: Policy | None) -> Policy | None:
    policy = known
    for tag in reversed(tags):  # the outermost base class first
        if policy is not None and tag.allows_more_than(policy):
            added = ", ".join(purpose.name for purpose in tag.widens(policy)) or "time"
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
    if "__mapper__" not in vars(cls):
        return  # its definition was refused, and is still about
    _check_annotations(mapper, cls)
    tagged: dict[str, Any] = {
        prop.key: prop.columns[0].type for prop in mapper.column_attrs if policy_of(prop.columns[0]) is not None
    }
    subjects, times = _marked(mapper, SUBJECT), _marked(mapper, COLLECTED_AT)
    for relationship in mapper.relationships:
        _check_keys(cls, relationship)
    if len(subjects) > 1:
        raise PolicyError(f"{cls.__name__} marks {' and '.join(subjects)} as SubjectId: one row is one person's.")
    for key in times:
        if len(times) > 1 or key in tagged:
            raise PolicyError(
                f"{cls.__name__} marks {' and '.join(times)} as CollectedAt: one, without a tag, says when."
            )
    if not tagged:
        return
    link(mapper)
    for key, kind in tagged.items():
        if kind.policy.retain is not None and not times:
            raise PolicyError(
                f"{label_of(cls, key)} is retained for a time, and {cls.__name__} does not say from when on. Mark the "
                "column that does: collected_at: Mapped[Annotated[datetime, CollectedAt]]."
            )
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
    load_whole(mapper)
    bindings = {key: kind.binding for key, kind in tagged.items()}
    watch_instances(cls, bindings, subjects[0] if subjects else None, times[0] if times else None, companions(mapper))


def _marked(mapper: Mapper[Any], mark: str) -> list[str]:
    return [
        prop.key
        for prop in mapper.column_attrs
        if isinstance(prop.columns[0], Column) and prop.columns[0].info.get(mark)
    ]


def _check_annotations(mapper: Mapper[Any], cls: Any) -> None:
    """Refuse tags on what is no column: a plain attribute, a synonym of a column without one (R9)."""
    if hasattr(cls, "__purpose_model__"):
        return  # what its fields are was checked with its model
    for owner in cls.__mro__:
        for key, annotation in vars(owner).get("__annotations__", {}).items():
            prop: Any = mapper.attrs.get(key)
            prop = mapper.attrs.get(prop.name) if isinstance(prop, SynonymProperty) else prop
            if isinstance(prop, (ColumnProperty, ConcreteInheritedProperty)) and key == prop.key:
                continue
            try:
                said = any(isinstance(one, AllowedFor) for one in metadata(annotation, owner))
            except Exception:
                said = False  # it names what is not there while the program runs: an entity, mostly
            if said and policy_of(getattr(prop, "columns", [None])[0]) is None:
                raise PolicyError(
                    f"{label_of(cls, key)} has a tag and is no column, so that the tag would protect nothing. Tag the "
                    "column that holds the value, or use Sealed."
                )


def _check_keys(cls: Any, relationship: Any) -> None:
    """Refuse a dictionary of entities by a tagged attribute, whose keys would be open."""
    collection = relationship.collection_class
    keyed: Any = getattr(collection() if callable(collection) else None, "keyfunc", None)
    columns = list(keyed._cols(relationship.mapper)) if hasattr(keyed, "_cols") else []
    if hasattr(keyed, "attr_name") and keyed.attr_name in relationship.mapper.attrs:
        columns += getattr(relationship.mapper.attrs[keyed.attr_name], "columns", ())
    if any(policy_of(column) is not None for column in columns):
        raise PolicyError(
            f"{label_of(cls, relationship.key)} is a dictionary by a tagged attribute, whose keys would be open. Use a "
            "list, or a key without a tag."
        )


def _read_by_mapper(mapper: Mapper[Any]) -> Iterator[Any]:
    yield from mapper.primary_key
    if mapper.version_id_col is not None:
        yield mapper.version_id_col
    if mapper.polymorphic_on is not None:
        yield mapper.polymorphic_on
    for relationship in mapper.relationships:
        yield from relationship.local_columns
        yield from relationship.remote_side


def _attached(column: Any, table: Any) -> None:
    """A column takes the place of a tagged one, reflected from the database, say: it keeps the tag (R8)."""
    before = table.columns.get(column.key) if isinstance(table, Table) else None
    if before is not None and isinstance(before.type, SealedType) and policy_of(column) is None:
        column.type = SealedType(column.type, before.type.policy, before.type.field)


def listen() -> None:
    """Have tags count on every class that is mapped from now on."""
    evaluate_open()
    event.listen(Column, "before_parent_attach", _attached)
    event.listen(Mapper, "instrument_class", noted)
    event.listen(Mapper, "after_mapper_constructed", _constructed)
    event.listen(object, "attribute_instrument", _instrumented, propagate=True)  # for what is added to a class later
    event.listen(Mapper, "mapper_configured", _configured)
