"""What a database holds, as the guard knows it: from the tables' metadata, and from the database for its views.

What this module keeps:

- **R9** What is in no metadata is not known to be harmless. Views are read from the database, with what they show;
  tables without tags are known once somebody says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, Literal
from weakref import WeakSet

from sqlalchemy import Column, MetaData, Table, event
from sqlalchemy.orm import Mapper

from purposebind import PolicyError
from purposebind.integrations.sql import Catalog, Relation, TaggedColumn

from .annotating import UNREAD
from .rows import link_table
from .sealed_type import SealedType

__all__ = ["Run", "declared", "harmless", "joined", "look", "tables"]

Run = Callable[[str], Iterable[Any]]
"""Runs a query of ours on a connection, and returns its rows."""

_KNOWN: Final = frozenset({"alembic_version"})
_guarded: Final[WeakSet[MetaData]] = WeakSet()
_ours: Final[WeakSet[Table]] = WeakSet()
_declared = 0


def declared() -> int:
    """Return how often a column was added to metadata of a guarded engine, or a class mapped."""
    return _declared


def _count(*_: object) -> None:
    global _declared
    _declared += 1


def harmless(table: Table) -> None:
    """Have every guard know a table without tags, whose metadata it may not have been given."""
    _ours.add(table)
    _count()


def _attached(column: Column[Any], table: Any) -> None:
    if isinstance(table, Table) and table.metadata in _guarded:
        _count()


event.listen(Column, "after_parent_attach", _attached)
event.listen(Mapper, "after_mapper_constructed", _count)  # which may tag the columns of a table that was there


def tables(metadata: Iterable[MetaData]) -> list[Relation]:
    """Return the tables of metadata, with their tags.

    Raises:
        PolicyError: A column's annotation could not be read, so that whether it has a tag is not known; or the database
            computes it from a tagged column, and its own tag allows more.
    """
    found: list[Relation] = []
    for one in metadata:
        _guarded.add(one)
        for table in one.tables.values():
            link_table(table)
            tagged: dict[str, TaggedColumn] = {}
            for column in table.columns:
                if isinstance(column.type, SealedType):
                    tagged[column.name] = _tagged(table.fullname, column, column.type)
                elif UNREAD in column.info:
                    raise PolicyError(
                        f"Whether {column.info[UNREAD]} has a tag is not known: its annotation names something that is "
                        "not there while the program runs. Import it outside of `if TYPE_CHECKING:`."
                    )
            _computed(table, tagged)
            names = tuple(column.name for column in table.columns)
            spoken = dict(_companions(table))
            found.append(Relation(table.name, names, tagged, schema=table.schema, companions=spoken))
    known = {(one.schema, one.name) for one in found}
    ours = {(one.schema, one.name): one for one in _ours}
    found += [
        Relation(name, tuple(column.name for column in ours[schema, name].columns), schema=schema)
        for schema, name in ours.keys() - known
    ]
    return found


def _companions(table: Table) -> Iterator[tuple[str, str]]:
    """Yield the columns that say what others were collected for, by their names, with these."""
    for column in table.columns:
        if isinstance(column.type, SealedType) and column.type.row.companion is not None:
            yield table.columns[column.type.row.companion].name, column.name


def _computed(table: Table, tagged: Mapping[str, TaggedColumn]) -> None:
    """Refuse a column that the database makes of a tagged one, and that has no tag as narrow (R8)."""
    for column in table.columns:
        names = set(_NAME.findall(str(column.computed.sqltext).lower())) if column.computed is not None else set[str]()
        own = tagged.get(column.name)
        for source in tagged.values():
            if source.name.lower() in names and (own is None or own.policy.allows_more_than(source.policy)):
                raise PolicyError(
                    f"{table.fullname}.{column.name} is computed from {source.field}, which is allowed for "
                    f"{source.policy}, and {'allows more' if own else 'has no tag'}. Tag it as narrow."
                )


_NAME: Final = re.compile(r"\w+")


def _tagged(table: str, column: Column[Any], kind: SealedType) -> TaggedColumn:
    if not kind.field:
        kind = column.type = kind.named(f"{table}.{column.name}")
    return TaggedColumn(table, column.name, kind.field, kind.certain, kind.varies, _beside(column))


def _beside(column: Column[Any]) -> tuple[str, ...]:
    """The names of the columns that say more of a value of `column`."""
    kind: Any = column.type
    row, columns = kind.row, column.table.columns
    keys = (row.companion, row.collected_at if kind.policy.retain is not None else None)
    return tuple(columns[key].name.lower() for key in keys if key is not None)


def look(
    dialect: Literal["postgresql", "sqlite"], run: Run, known: Iterable[str], wanted: Iterable[str] = ()
) -> list[Relation]:
    """Return the views of a database, tables without tags that are known by name alone, and those named as known ones.

    Args:
        dialect: Which database.
        run: Runs a query there.
        known: Names of tables in metadata.
        wanted: Names of tables, with their schema where that is not the usual one.
    """
    names = frozenset(name.lower() for name in wanted) | _KNOWN
    return _SEEN[dialect](run, names, frozenset(name.lower() for name in known))


def _sqlite(run: Run, wanted: frozenset[str], known: frozenset[str]) -> list[Relation]:
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


def _postgresql(run: Run, wanted: frozenset[str], known: frozenset[str]) -> list[Relation]:
    found: dict[str, dict[str, Any]] = {}
    for number, schema, usual, name, kind, column, text, parent in run(
        "SELECT c.oid::int8, n.nspname::text, n.nspname = current_schema(), c.relname::text, c.relkind::text, "
        "a.attname::text, CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END, "
        "(SELECT p.relname::text FROM pg_inherits i "
        "JOIN pg_class p ON p.oid = coalesce(pg_partition_root(c.oid), i.inhparent) "
        "WHERE i.inhrelid = c.oid LIMIT 1) "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        "WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') "
        "AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') "
        "ORDER BY c.oid, a.attnum"
    ):
        plain = kind not in ("v", "m")
        below = parent if plain and (parent or "").lower() in known else None
        if plain and not below and not {name.lower(), f"{schema}.{name}".lower()} & (wanted | known):
            continue
        entry = found.setdefault(
            str(number),
            {"name": name, "schema": None if usual else schema, "columns": [], "text": text, "below": below},
        )
        entry["columns"].append(column)
        if below:  # a partition has its parent's rows, and their tags
            entry["text"] = f"SELECT {', '.join(map(_quoted, entry['columns']))} FROM {_quoted(below)}"
    return [
        Relation(
            one["name"],
            tuple(one["columns"]),
            schema=one["schema"],
            definition=one["text"],
            twin=one["below"] is not None,
        )
        for one in found.values()
    ]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


_SEEN: Final[Mapping[str, Callable[[Run, frozenset[str], frozenset[str]], list[Relation]]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
}


def joined(
    dialect: Literal["postgresql", "sqlite"],
    known: list[Relation],
    seen: list[Relation],
    functions: Iterable[str],
    wanted: Iterable[str] = (),
) -> Catalog:
    """Return the catalog of what is known by tags and what was seen; what both have is what the tags say.

    A table of another schema with the name and the columns of a mapped one is known: it is a tenant's. One with the
    name of a tagged one has its tags, whatever else it has. A view that is mapped has its own tags and those behind it.

    Args:
        dialect: Which database.
        known: The tables of metadata.
        seen: What was seen in the database.
        functions: Functions that read no table, by name.
        wanted: Names of tables that are in no metadata, whether they were seen or not.
    """
    asked = frozenset(name.lower() for name in wanted) | _KNOWN
    taken = {(one.schema, one.name.lower()) for one in known}
    views = {(one.schema, one.name.lower()): one for one in seen if one.definition is not None and not one.twin}
    mapped = [(one, views.get((one.schema, one.name.lower()))) for one in known]
    known = [
        one if view is None else replace(view, tagged=one.tagged, companions=one.companions) for one, view in mapped
    ]
    others = list(_others(known, seen, taken, asked))
    taken |= {(one.schema, one.name.lower()) for one in others}
    there = {name for _, name in taken} | {f"{schema}.{name}" for schema, name in taken}
    for label in sorted(asked - there):  # made later, such as a temporary table
        schema, _, name = label.rpartition(".")
        others.append(_twin(Relation(name, (), schema=schema or None, listed=False), known))
    return Catalog(dialect, [*known, *others], functions)


def _others(
    known: list[Relation], seen: list[Relation], taken: set[tuple[str | None, str]], asked: frozenset[str]
) -> Iterator[Relation]:
    mapped = {(one.name.lower(), frozenset(map(str.lower, one.columns))) for one in known}
    for one in seen:
        name = one.name.lower()
        if (one.schema, name) in taken:
            continue
        if one.definition is not None and not one.twin:
            yield one
        else:
            like = (name, frozenset(map(str.lower, one.columns))) in mapped
            if like or one.twin or {name, f"{one.schema}.{name}"} & asked:
                yield _twin(one, known)


def _twin(one: Relation, known: list[Relation]) -> Relation:
    alike = [other for other in known if other.name.lower() == one.name.lower()]
    tagged = {name: column for other in alike for name, column in other.tagged.items()}
    spoken = {name: column for other in alike for name, column in other.companions.items()}
    return replace(one, tagged=tagged, companions=spoken, twin=True) if alike else one
