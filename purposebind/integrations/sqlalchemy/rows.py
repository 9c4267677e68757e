"""What other columns of a row say of its tagged ones: what a value was collected for, when, and whose it is.

What this module keeps:

- **R8** What a box says beyond its column's tag is written with it, in the same statement, and read with it. A flush
  writes what the boxes say, whatever somebody put into the columns meanwhile.
- **R9** A column that speaks of one without a tag is refused where it is declared.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.orm import ColumnProperty, Mapper
from sqlalchemy.orm.attributes import flag_modified, get_attribute, set_attribute
from sqlalchemy.orm.base import NO_VALUE
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.elements import Cast, Grouping, Label, Null
from sqlalchemy.sql.selectable import TextualSelect

from purposebind import PolicyError, Sealed
from purposebind.holding import anothers, collection, deadline, expires, is_somebodys, renewed, unowned

from .collected_type import CollectedFor, names_of
from .sealed_type import ROUNDED, Row, SealedType, policy_of

__all__ = ["COLLECTED_AT", "SUBJECT", "companions", "in_utc", "link", "link_table", "one_row", "storing"]

COLLECTED_AT = "purposebind_collected_at"
"""In a column's ``info``: that it is marked `CollectedAt`."""
SUBJECT = "purposebind_subject"
"""In a column's ``info``: that it is marked `SubjectId`."""
_COMPANION = "purposebind_companion"
"""In a column's ``info``: the key of the one that says what it was collected for."""
_OWN = "purposebind_own"
"""In a column's ``info``: that its type is no other column's."""


def companions(mapper: Mapper[Any]) -> dict[str, str]:
    """Return the attributes of a mapped class that say what others were collected for, by the names of those.

    Raises:
        PolicyError: One speaks of no tagged column of its own table, or of one that another speaks of.
    """
    found: dict[str, str] = {}
    for prop in _columns(mapper).values():
        column: Any = prop.columns[0]
        if not isinstance(column.type, CollectedFor):
            continue
        of = _spoken_of(mapper, column.type.column)
        label = f"{mapper.class_.__name__}.{prop.key}"
        if of is None or policy_of(of.columns[0]) is None:
            raise PolicyError(
                f"{label} says what {column.type.column} was collected for, and {mapper.class_.__name__} has no tagged "
                "attribute of that name. CollectedFor takes the name of one that is tagged with AllowedFor."
            )
        if getattr(of.columns[0], "table", None) is not column.table:
            raise PolicyError(
                f"{label} says what {of.key} was collected for, from another table: the two could be written apart. "
                f"Put it into the table that holds {of.key}."
            )
        if of.key in found:
            raise PolicyError(f"{label} and {found[of.key]} both say what {of.key} was collected for. Keep one.")
        found[of.key] = prop.key
    return found


def _spoken_of(mapper: Mapper[Any], name: str) -> ColumnProperty[Any] | None:
    columns = _columns(mapper)
    return columns.get(name) or next((one for one in columns.values() if one.columns[0].key == name), None)


def _columns(mapper: Mapper[Any]) -> dict[str, ColumnProperty[Any]]:
    """The attributes of columns, without having the mapper configured."""
    return {prop.key: prop for prop in mapper.iterate_properties if isinstance(prop, ColumnProperty)}


def link(mapper: Mapper[Any]) -> None:
    """Have the types of a mapped class's tagged columns know the columns that say more of their rows.

    Raises:
        PolicyError: As for `companions`.
    """
    columns = _columns(mapper)
    for key, companion in companions(mapper).items():
        columns[key].columns[0].info[_COMPANION] = columns[companion].columns[0].key
    for prop in columns.values():
        column: Any = prop.columns[0]
        if isinstance(column, Column) and isinstance(column.table, Table) and isinstance(column.type, SealedType):
            if not column.info.get(_OWN):  # a type may be shared by several columns
                column.type, column.info[_OWN] = column.type.named(column.type.field), True
                column.type.row = Row()
            time = next((one.key for one in column.table.columns if _is_marked(one, COLLECTED_AT)), None)
            person = next((one.key for one in column.table.columns if _is_marked(one, SUBJECT)), None)
            if person is None and any(_is_marked(one.columns[0], SUBJECT) for one in columns.values()):
                person = ""
            # What another class that is mapped to the table has said stays said.
            column.type.row = Row(column.key, column.info.get(_COMPANION, column.type.row.companion), time, person)


def _is_marked(column: Any, mark: str) -> bool:
    return isinstance(column, Column) and bool(column.info.get(mark))


def link_table(table: Table) -> None:
    """Have the types of a table's tagged columns know the columns that say more of their rows, where no class does.

    Raises:
        PolicyError: A column says what one without a tag was collected for.
    """
    for column in table.columns:
        if not isinstance(column.type, CollectedFor):
            continue
        of = table.columns.get(column.type.column)
        linked = any(isinstance(one.type, SealedType) and one.type.row.companion == column.key for one in table.columns)
        if linked:
            continue
        if of is None or not isinstance(of.type, SealedType):
            raise PolicyError(
                f"{table.fullname}.{column.name} says what {column.type.column} was collected for, and the table has "
                "no tagged column of that name. CollectedFor takes the key of one whose type is a SealedType."
            )
        of.type = of.type.named(of.type.field)
        of.info[_COMPANION] = column.key
        of.type.row = Row(of.key, column.key, of.type.row.collected_at)


# --- Reading ---------------------------------------------------------------------------------------------------------


def one_row(column: Any, companion: Any) -> bool:
    """Whether two columns of a query come from one row of one table: else the one says nothing of the other.

    A subquery may take the first from one table and the second from another, or from the same table over again.
    """
    column, companion = _bare(column), _bare(companion)
    if isinstance(column, Null):
        return True
    of, beside = getattr(column, "table", None), getattr(companion, "table", None)
    if isinstance(of, Table) and isinstance(companion, Null):  # in a union, of a table whose rows say nothing
        return isinstance(column.type, SealedType) and column.type.row.companion is None
    if of is None or beside is None or hash(of) != hash(beside):  # what is annotated has the hash of what it was
        return False
    if isinstance(of, Table):
        return True
    if isinstance(getattr(of, "element", None), TextualSelect):
        return False
    pairs = list(zip(column._proxies, companion._proxies, strict=False))
    return bool(pairs) and len(column._proxies) == len(companion._proxies) and all(one_row(*pair) for pair in pairs)


def _bare(column: Any) -> Any:
    """A column without its labels, or an absence without its type."""
    while isinstance(column, (Label, Grouping)) or (isinstance(column, Cast) and isinstance(column.clause, Null)):
        column = column.clause if isinstance(column, Cast) else column.element
    return column


# --- Writing ---------------------------------------------------------------------------------------------------------


def storing(
    state: Any, tagged: Iterable[str], kept: dict[str, str], collected: str | None, subject: str | None, *, new: bool
) -> None:
    """Have an entity that is about to be written say of its row what its boxes say.

    Args:
        state: The entity's state.
        tagged: The names of its tagged attributes.
        kept: The companions of those that have one.
        collected: The attribute marked `CollectedAt`, or None.
        subject: The attribute marked `SubjectId`, or None.
        new: Whether it is inserted.

    Raises:
        PolicyError: A value was collected earlier than the row says, or hangs on the consent of somebody else.
    """
    entity = state.obj()
    for key in tagged:
        written, box = _is_written(state, key, new), state.dict.get(key)
        if key in kept:
            _say(state, entity, kept[key], box if written else NO_VALUE)
        if written and collected is not None and type(box) is Sealed and expires(box) is not None:
            _time(state, entity, key, box, collected, new)
        if written and subject is not None and type(box) is Sealed and box.policy.consent and is_somebodys(box):
            _person(state, entity, key, subject, new)


def _is_written(state: Any, key: str, new: bool) -> bool:
    if new:
        return True
    if key not in state.committed_state or key not in state.dict:
        return False
    same = state.manager[key].impl.is_equal(state.dict[key], state.committed_state[key])
    return same is not True


def _say(state: Any, entity: Any, companion: str, box: Any) -> None:
    if box is NO_VALUE:  # the value stays as it is in the database, and so does what is said of it
        if companion in state.committed_state:
            before = state.committed_state.pop(companion)
            if before is NO_VALUE:
                state._expire_attributes(state.dict, [companion])
            else:
                state.dict[companion] = before
        return
    if isinstance(box, ClauseElement) or hasattr(box, "__clause_element__"):
        return
    said = collection(box) if type(box) is Sealed else None
    set_attribute(entity, companion, None if said is None else names_of(said))
    flag_modified(entity, companion)  # written with the value, whatever it was before: somebody else may change it now


def _time(state: Any, entity: Any, key: str, box: Any, collected: str, new: bool) -> None:
    """See to it that the row says no later time than the box, which says none itself until it is written."""
    time = state.dict.get(collected) if new else get_attribute(entity, collected)
    row, own = deadline(time, box.policy), expires(box)
    if row is None or own is None or own < row - ROUNDED:
        raise PolicyError(
            f"{type(entity).__name__}.{key} holds what was collected earlier than its {collected} says, or will say, "
            f"and would be kept for longer than its tag allows.\nWays out:\n  - set {collected} to when the value was "
            "collected, where it comes from;\n  - or collect the value anew, and set what was given then."
        )
    state.dict[key] = renewed(box, None)
    if not new:
        flag_modified(entity, collected)  # written with the value: somebody else may set it to a later time now


def _person(state: Any, entity: Any, key: str, subject: str, new: bool) -> None:
    """See to it that the row is that of whom the box knows, which is told anew once it is written."""
    person = state.dict.get(subject) if new else get_attribute(entity, subject)
    box = state.dict[key]
    if anothers(box, person):
        raise PolicyError(
            f"{type(entity).__name__}.{key} holds what is somebody else's than its {subject} says, or will say, and "
            "reading it hangs on consent: the wrong person would be asked.\nWays out:\n"
            f"  - set {subject} to whose the value is;\n  - or collect the value anew, of whose row it is."
        )
    state.dict[key] = unowned(box)


def in_utc(value: Any) -> Any:
    """Return a time with its zone in UTC: databases that keep no zones keep what the clock shows."""
    if isinstance(value, datetime) and value.tzinfo is not None and value.utcoffset():
        return value.astimezone(timezone.utc)
    return value
