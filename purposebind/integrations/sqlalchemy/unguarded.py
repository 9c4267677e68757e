"""Engines that nobody guarded: a second one, for a replica, say. Statements that use tagged columns there are refused.

What this module keeps:

- **R9** A tag on a column protects on every engine of the process, or says that it does not. No statement is weighed
  here: one of SQLAlchemy's with a tagged column in it, which does not only write, is refused with the way out. So is
  one that changes what a value was collected for. What a text says is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.sql import ClauseElement, visitors

from purposebind import PolicyError
from purposebind.using import enforcing

from .collected_type import CollectedFor
from .sealed_type import GUARDED, SealedType

__all__ = ["listen"]

_AT_MOST: Final = 4096
_harmless: set[str] = set()
"""Texts of statements without a tagged column."""


def _before(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
    if getattr(connection.dialect, GUARDED, False) or statement in _harmless:
        return
    compiled = getattr(context, "compiled", None)
    used = None if compiled is None else _used(compiled.statement)
    parted = None if compiled is None or used is not None else _parted(compiled)
    if parted is not None and enforcing():
        raise PolicyError(
            f"A SQL statement changes what {parted} was collected for, on an engine that has no guard. Set the "
            "attribute of an entity, and let its session write both, on a guarded engine."
        )
    if used is None and parted is None:
        if compiled is not None:
            if len(_harmless) >= _AT_MOST:
                _harmless.clear()
            _harmless.add(statement)
    elif used is not None and enforcing():
        raise PolicyError(
            f"A SQL statement that uses {used.binding.field} runs on an engine that has no guard, so that nobody "
            "weighs what it is for. Guard the engine where it is made: "
            "purposebind.integrations.sqlalchemy.guard(engine, metadata)."
        )


def _used(statement: Any) -> SealedType | None:
    """The type of the first tagged column that a statement uses, or None."""
    for part in _parts(statement):
        for element in visitors.iterate(part):
            if element.__visit_name__ == "column" and isinstance(getattr(element, "type", None), SealedType):
                kind: SealedType = element.type  # type: ignore[attr-defined]
                return kind
    return None


def _parted(compiled: Any) -> str | None:
    """The tagged column whose companion an UPDATE sets without it, or None."""
    statement = compiled.statement
    if not getattr(statement, "is_update", False):
        return None
    given = [*(statement._values or ()), *(key for key, _ in getattr(statement, "_ordered_values", None) or ())]
    keys = {getattr(key, "key", key) for key in (*given, *(compiled.column_keys or ()))}
    for column in getattr(statement.table, "columns", ()):
        if isinstance(column.type, CollectedFor) and column.key in keys:
            of = (one for one in statement.table.columns if isinstance(one.type, SealedType))
            if not any(one.key in keys and one.type.row.companion == column.key for one in of):
                return column.type.column
    return None


def _parts(statement: Any) -> Iterator[ClauseElement]:
    """What of a statement reads: all of it, but the columns that are set."""
    if not getattr(statement, "is_dml", False):
        if isinstance(statement, ClauseElement):
            yield statement
        return
    yield from getattr(statement, "_where_criteria", ())
    yield from (one for one in statement._returning if isinstance(one, ClauseElement))
    values = list((statement._values or {}).values()) if hasattr(statement, "_values") else []
    values += [value for _, value in getattr(statement, "_ordered_values", None) or ()]
    values.append(getattr(statement, "select", None))
    yield from (value for value in values if isinstance(value, ClauseElement))


def listen() -> None:
    """Have statements refused on every engine that has no guard."""
    event.listen(Engine, "before_cursor_execute", _before)
