"""What goes round column grants: what reads a tagged column with the rights of somebody else, or keeps a copy of it.

What this module keeps:

- Which columns a view reads is taken from the rights that the server itself checks for it, kept in its rule. So a
  whole row, a star or a column in a WHERE counts, where PostgreSQL's record of dependencies is blind to whole rows.
- Views and functions of others are held against the role that may use them: only where that role may not read the
  column itself is it a finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from .copies import copies_of
from .finding import Finding
from .rights import Rights, Role, TableRights

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["roads_round"]

# A rule's tree holds, for each relation that it uses, the columns that must be selectable: PostgreSQL 16 and later
# apart from the relation, before that beside it. Bits count from the first system column.
_SINCE_16: Final = re.compile(r"\{RTEPERMISSIONINFO :relid (\d+) [^{}]*?:selectedCols \(b([ \d]*)\)")
_BEFORE: Final = re.compile(r":rtekind 0 :relid (\d+) .*?:selectedCols \(b([ \d]*)\)", re.DOTALL)
_FIRST_SYSTEM: Final = -7
_INVOKER: Final = re.compile(r"security_invoker=(true|on|1|yes)", re.IGNORECASE)

_Columns = dict[int, set[str]]
"""Tagged columns, by their table's oid."""


def roads_round(
    connection: Connection, rights: Rights, tables: Mapping[int, TableRights], roles: list[Role]
) -> Iterator[Finding]:
    """Yield what goes round the column grants."""
    yield from _views(connection, rights, tables, roles)
    yield from _functions(connection, tables, roles)
    yield from copies_of(connection, tables, roles)


def _views(
    connection: Connection, rights: Rights, tables: Mapping[int, TableRights], roles: list[Role]
) -> Iterator[Finding]:
    rows = connection.execute(
        text(
            "SELECT c.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind, "
            "COALESCE(c.reloptions::text, '') AS options, r.ev_action::text AS tree "
            "FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class "
            "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relkind IN ('v', 'm') AND r.ev_type = '1' AND n.nspname NOT IN "
            "('pg_catalog', 'information_schema')"
        )
    ).mappings()
    views = rows.all()
    numbers = {oid: _numbers(connection, oid, table) for oid, table in tables.items()}
    selected = {view["oid"]: dict(_selected(view["tree"])) for view in views}
    reads: dict[int, _Columns] = {}
    changed = True
    while changed:  # a view over a view reads what that one reads
        changed = False
        for view in views:
            columns = reads.setdefault(view["oid"], {})
            before = sum(map(len, columns.values()))
            for relation, bits in selected[view["oid"]].items():
                for table, names in _tagged(relation, bits, numbers, reads):
                    columns.setdefault(table, set()).update(names)
            changed = changed or sum(map(len, columns.values())) != before
    for view in views:
        if view["kind"] == "v" and _INVOKER.search(view["options"]):
            continue  # the server asks for the rights of whoever uses it
        told = f"{view['schema']}.{view['name']}"
        declared = tables.get(view["oid"])
        for table, names in reads[view["oid"]].items():
            for name in sorted(names):
                if declared is not None and _as_narrow(declared, tables[table], name):
                    continue
                yield from _readers(connection, view["oid"], told, view["kind"], tables[table], name, roles)


def _selected(tree: str) -> Iterator[tuple[int, set[int]]]:
    found: dict[int, set[int]] = {}
    pattern = _SINCE_16 if "RTEPERMISSIONINFO" in tree else _BEFORE
    for relation, bits in pattern.findall(tree):
        found.setdefault(int(relation), set()).update(int(bit) + _FIRST_SYSTEM for bit in bits.split())
    yield from found.items()


def _numbers(connection: Connection, oid: int, table: TableRights) -> dict[int, str]:
    sql = text(
        "SELECT attnum, attname::text AS attname FROM pg_catalog.pg_attribute "
        "WHERE attrelid = :oid AND attname = ANY(:names)"
    )
    rows = connection.execute(sql, {"oid": oid, "names": list(table.tags)})
    return {row.attnum: row.attname for row in rows}


def _tagged(
    relation: int, bits: set[int], numbers: Mapping[int, dict[int, str]], reads: Mapping[int, _Columns]
) -> Iterable[tuple[int, set[str]]]:
    if relation in reads and bits:  # a view: which of its columns stands for which is not followed
        yield from list(reads[relation].items())
    if relation in numbers:
        whole = 0 in bits
        names = {name for number, name in numbers[relation].items() if whole or number in bits}
        if names:
            yield relation, names


def _as_narrow(view: TableRights, table: TableRights, column: str) -> bool:
    """Whether a view of the metadata has a tag of its own that is as narrow: its columns have their own grants."""
    return any(not policy.allows_more_than(table.tags[column]) for policy in view.tags.values())


def _readers(
    connection: Connection, oid: int, told: str, kind: str, table: TableRights, column: str, roles: list[Role]
) -> Iterator[Finding]:
    word = "materialized view" if kind == "m" else "view"
    why = "keeps a copy of" if kind == "m" else "reads, with its owner's rights,"
    remedy = (
        "Revoke SELECT on it, or leave the column out."
        if kind == "m"
        else "ALTER VIEW ... SET (security_invoker = true), which PostgreSQL has since 15; or revoke SELECT on it."
    )
    using = [role.name for role in roles if not table.reads(role, column) and _may_use(connection, oid, role.name)]
    sql = text(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a WHERE c.oid = :oid "
        "AND a.grantee = 0 AND a.privilege_type = 'SELECT')"
    )
    if connection.execute(sql, {"oid": oid}).scalar_one():
        using = ["PUBLIC"]
    if using:
        detail = f"{why} {table}.{column}, and may be selected from by {', '.join(using)}."
        yield Finding(word, told, detail, remedy)


def _may_use(connection: Connection, oid: int, role: str) -> bool:
    sql = text("SELECT pg_catalog.has_any_column_privilege(CAST(:role AS name), CAST(:oid AS oid), 'SELECT')")
    return bool(connection.execute(sql, {"role": role, "oid": oid}).scalar_one())


def _functions(connection: Connection, tables: Mapping[int, TableRights], roles: list[Role]) -> Iterator[Finding]:
    """Functions that run with the rights of their owner, who may read what the role that calls them may not."""
    rows = connection.execute(
        text(
            "SELECT p.oid::bigint AS oid, n.nspname::text || '.' || p.proname::text AS told, o.rolname::text AS owner "
            "FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace "
            "JOIN pg_catalog.pg_roles o ON o.oid = p.proowner "
            "WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
        )
    ).mappings()
    may_call = text("SELECT pg_catalog.has_function_privilege(CAST(:role AS name), CAST(:oid AS oid), 'EXECUTE')")
    may_read = text(
        "SELECT pg_catalog.has_column_privilege(CAST(:owner AS name), CAST(:oid AS oid), :column, 'SELECT')"
    )
    for row in rows.all():
        for oid, table in tables.items():
            present = set(_numbers(connection, oid, table).values())
            seen = [
                column
                for column in table.tags
                if column in present
                and connection.execute(may_read, {"owner": row["owner"], "oid": oid, "column": column}).scalar_one()
            ]
            callers = [
                role.name
                for role in roles
                if any(not table.reads(role, column) for column in seen)
                and connection.execute(may_call, {"role": role.name, "oid": row["oid"]}).scalar_one()
            ]
            if callers:
                detail = (
                    f"is SECURITY DEFINER, runs as {row['owner']} who may select {', '.join(seen)} of {table}, and may "
                    f"be called by {', '.join(callers)}."
                )
                remedy = "Revoke EXECUTE on it FROM PUBLIC and the roles, or accept it when you have read it."
                yield Finding("function", row["told"], detail, remedy)
