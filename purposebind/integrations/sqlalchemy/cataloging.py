"""What a database holds, as the guard knows it: from the tables' metadata, and from the database for its views.

What this module keeps:

- **R9** What is in no metadata is not known to be harmless. Views are read from the database, with what they show;
  tables without tags are known once somebody says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal

from sqlalchemy import Column, MetaData

from purposebind import PolicyError
from purposebind.integrations.sql import Catalog, Relation, TaggedColumn

from .sealed_type import SealedType
from .tagging import UNREAD

__all__ = ["Run", "joined", "look", "tables"]

Run = Callable[[str], Iterable[Any]]
"""Runs a query of ours on a connection, and returns its rows."""

_KNOWN: Final = frozenset({"alembic_version"})


def tables(metadata: Iterable[MetaData]) -> list[Relation]:
    """Return the tables of metadata, with their tags.

    Raises:
        PolicyError: A column's annotation could not be read, so that whether it has a tag is not known.
    """
    found: list[Relation] = []
    for one in metadata:
        for table in one.tables.values():
            tagged: dict[str, TaggedColumn] = {}
            for column in table.columns:
                if isinstance(column.type, SealedType):
                    tagged[column.name] = _tagged(table.fullname, column, column.type)
                elif UNREAD in column.info:
                    raise PolicyError(
                        f"Whether {column.info[UNREAD]} has a tag is not known: its annotation names something that is "
                        "not there while the program runs. Import it outside of `if TYPE_CHECKING:`."
                    )
            names = tuple(column.name for column in table.columns)
            found.append(Relation(table.name, names, tagged, schema=table.schema))
    return found


def _tagged(table: str, column: Column[Any], kind: SealedType) -> TaggedColumn:
    if not kind.field:
        kind = column.type = kind.named(f"{table}.{column.name}")
    return TaggedColumn(table, column.name, kind.field, kind.policy)


def look(dialect: Literal["postgresql", "sqlite"], run: Run, wanted: Iterable[str] = ()) -> list[Relation]:
    """Return the views of a database, and tables without tags that are known by name alone.

    Args:
        dialect: Which database.
        run: Runs a query there.
        wanted: Names of tables, with their schema where that is not the usual one.
    """
    names = frozenset(name.lower() for name in wanted) | _KNOWN
    return _SEEN[dialect](run, names)


def _sqlite(run: Run, wanted: frozenset[str]) -> list[Relation]:
    found: list[Relation] = []
    for schema, name, kind, text in run(
        "SELECT 'main', name, type, sql FROM sqlite_master WHERE type IN ('table', 'view') "
        "UNION ALL SELECT 'temp', name, type, sql FROM sqlite_temp_master WHERE type IN ('table', 'view')"
    ):
        if kind == "table" and name.lower() not in wanted:
            continue
        quoted = name.replace("'", "''")
        columns = [row[0] for row in run(f"SELECT name FROM pragma_table_xinfo('{quoted}')")]
        definition = _definition(text) if kind == "view" else None
        found.append(Relation(name, tuple(columns), schema=None if schema == "main" else schema, definition=definition))
    return found


_AS: Final = re.compile(r"\bAS\b", re.IGNORECASE)


def _definition(text: str) -> str:
    """A view's SELECT, out of its CREATE VIEW. Where it is not found, the text, which is no query and is refused."""
    match = _AS.search(text)
    return text[match.end() :].strip() if match else text


def _postgresql(run: Run, wanted: frozenset[str]) -> list[Relation]:
    found: dict[str, dict[str, Any]] = {}
    for number, schema, usual, name, kind, column, text in run(
        "SELECT c.oid::int8, n.nspname::text, n.nspname = current_schema(), c.relname::text, c.relkind::text, "
        "a.attname::text, CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        "WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') "
        "AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') "
        "ORDER BY c.oid, a.attnum"
    ):
        plain = kind not in ("v", "m")
        if plain and name.lower() not in wanted and f"{schema}.{name}".lower() not in wanted:
            continue
        entry = found.setdefault(
            str(number),
            {"name": name, "schema": None if usual else schema, "columns": [], "text": None if plain else text},
        )
        entry["columns"].append(column)
    return [
        Relation(one["name"], tuple(one["columns"]), schema=one["schema"], definition=one["text"])
        for one in found.values()
    ]


_SEEN: Final[Mapping[str, Callable[[Run, frozenset[str]], list[Relation]]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
}


def joined(
    dialect: Literal["postgresql", "sqlite"], known: list[Relation], seen: list[Relation], functions: Iterable[str]
) -> Catalog:
    """Return the catalog of what is known by tags and what was seen; what both have is what the tags say."""
    taken = {(one.schema, one.name.lower()) for one in known}
    others = [one for one in seen if (one.schema, one.name.lower()) not in taken or one.definition is not None]
    return Catalog(dialect, [*known, *others], functions)
