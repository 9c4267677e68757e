"""Where else the data of a tagged column is: other relations, generated columns, triggers, rules, publications.

Triggers and rules see whole rows, whoever wrote them. What they do with that is for somebody to read, and to accept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sqlalchemy import text

from .finding import Finding
from .naming import quoted
from .rights import Role, TableRights

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["copies_of"]


def copies_of(connection: Connection, tables: Mapping[int, TableRights], roles: list[Role]) -> Iterator[Finding]:
    """Yield where data of tagged columns is, or goes, beside their tables."""
    for oid, table in tables.items():
        if table.tags:
            yield from _generated(connection, oid, table)
            yield from _triggers(connection, oid, table)
            yield from _published(connection, oid, table)
    yield from _namesakes(connection, tables, roles)
    yield from _by_default(connection, roles)


def _generated(connection: Connection, oid: int, table: TableRights) -> Iterator[Finding]:
    """Columns that the server computes from a tagged one, and that the tags leave open to more."""
    sql = text(
        "SELECT made.attname::text AS made, source.attname::text AS source FROM pg_catalog.pg_attribute made "
        "JOIN pg_catalog.pg_attrdef d ON d.adrelid = made.attrelid AND d.adnum = made.attnum "
        "JOIN pg_catalog.pg_depend link ON link.refobjid = made.attrelid AND link.refobjsubid <> made.attnum AND ("
        "(link.classid = 'pg_catalog.pg_attrdef'::regclass AND link.objid = d.oid) OR "
        "(link.classid = 'pg_catalog.pg_class'::regclass AND link.objid = made.attrelid "
        "AND link.objsubid = made.attnum)) "
        "JOIN pg_catalog.pg_attribute source ON source.attrelid = link.refobjid AND source.attnum = link.refobjsubid "
        "WHERE made.attrelid = :oid AND made.attgenerated <> ''"
    )
    for made, source in connection.execute(sql, {"oid": oid}):
        policy = table.tags.get(source)
        own = table.tags.get(made)
        if policy is not None and (own is None or own.allows_more_than(policy)):
            detail = f"is computed from {source}, which is tagged more narrowly."
            yield Finding("generated column", f"{table}.{made}", detail, f"Tag it like {source}, and apply the DDL.")


def _triggers(connection: Connection, oid: int, table: TableRights) -> Iterator[Finding]:
    sql = text(
        "SELECT t.tgname::text, n.nspname::text || '.' || p.proname::text FROM pg_catalog.pg_trigger t "
        "JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace "
        "WHERE t.tgrelid = :oid AND NOT t.tgisinternal"
    )
    remedy = "Read it; if it copies no tagged column, accept it by its name."
    for name, function in connection.execute(sql, {"oid": oid}):
        detail = f"is a trigger: {function} is given whole rows, tagged columns too, in any role."
        yield Finding("trigger", f"{table}.{name}", detail, remedy)
    sql = text("SELECT rulename::text FROM pg_catalog.pg_rewrite WHERE ev_class = :oid AND ev_type <> '1'")
    for name in connection.execute(sql, {"oid": oid}).scalars():
        detail = "is a rule: what it writes elsewhere is written with its owner's rights."
        yield Finding("rule", f"{table}.{name}", detail, remedy)


def _published(connection: Connection, oid: int, table: TableRights) -> Iterator[Finding]:
    sql = text(
        "SELECT p.pubname::text, p.attnames::text[] FROM pg_catalog.pg_publication_tables p "
        "JOIN pg_catalog.pg_class c ON c.relname = p.tablename JOIN pg_catalog.pg_namespace n "
        "ON n.oid = c.relnamespace AND n.nspname = p.schemaname WHERE c.oid = :oid"
    )
    if _server(connection) < 150000:
        sql = text(str(sql).replace("p.attnames::text[]", "NULL"))
    for name, columns in connection.execute(sql, {"oid": oid}):
        sent = sorted(table.tags if columns is None else set(table.tags) & set(columns))
        if sent:
            detail = f"sends {', '.join(sent)} of {table} to its subscribers, where these grants do not hold."
            yield Finding(
                "publication", name, detail, "Publish a list of columns without them, or accept it by its name."
            )


def _server(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_catalog.current_setting('server_version_num')")).scalar_one())


def _namesakes(connection: Connection, tables: Mapping[int, TableRights], roles: list[Role]) -> Iterator[Finding]:
    """Relations that the metadata does not know, that a role may select from, with a column named like a tagged one.

    Partitions and heirs of a tagged table are such, and backups of it, and foreign tables that stand for it.
    """
    names = sorted({column for table in tables.values() for column in table.tags})
    sql = text(
        "SELECT c.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind, "
        "a.attname::text AS column FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        "WHERE c.relkind IN ('r', 'p', 'f') AND a.attname = ANY(:names) AND NOT c.oid = ANY(:known) "
        "AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_t%' "
    )
    parents = text(
        "WITH RECURSIVE up(oid) AS (SELECT CAST(:oid AS oid) UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i "
        "JOIN up ON i.inhrelid = up.oid) SELECT oid::bigint FROM up"
    )
    may = text("SELECT pg_catalog.has_column_privilege(CAST(:role AS name), CAST(:oid AS oid), :column, 'SELECT')")
    for row in connection.execute(sql, {"names": names, "known": list(tables)}).mappings().all():
        above = [oid for oid in connection.execute(parents, {"oid": row["oid"]}).scalars() if oid in tables]
        like = [tables[oid] for oid in above if row["column"] in tables[oid].tags]
        like = like or [table for table in tables.values() if row["column"] in table.tags]
        readers = [
            role.name
            for role in roles
            if not all(table.reads(role, row["column"]) for table in like)
            and connection.execute(may, {"role": role.name, "oid": row["oid"], "column": row["column"]}).scalar_one()
        ]
        if readers:
            kind = "foreign table" if row["kind"] == "f" else "partition or heir" if above else "table"
            detail = (
                f"is no table of the metadata, has a column {row['column']} as {like[0]} has, and may be selected from "
                f"by {', '.join(readers)}."
            )
            target = quoted(row["schema"], row["name"])
            remedy = f"REVOKE ALL ON TABLE {target} FROM PUBLIC and these roles."
            yield Finding(kind, f"{row['schema']}.{row['name']}", detail, remedy)


def _by_default(connection: Connection, roles: list[Role]) -> Iterator[Finding]:
    """Default privileges: the next table would be open as soon as it is made."""
    sql = text(
        "SELECT o.rolname::text, COALESCE(g.rolname::text, 'PUBLIC') FROM pg_catalog.pg_default_acl d "
        "JOIN pg_catalog.pg_roles o ON o.oid = d.defaclrole CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) a "
        "LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee "
        "WHERE d.defaclobjtype = 'r' AND a.privilege_type = 'SELECT'"
    )
    ours = {role.name for role in roles} | {"PUBLIC"}
    for owner, grantee in connection.execute(sql):
        if grantee in ours and grantee != owner:
            detail = f"grants SELECT on each new table of {owner} to {grantee}, whatever is in it."
            remedy = f"ALTER DEFAULT PRIVILEGES FOR ROLE {quoted(owner)} REVOKE SELECT ON TABLES FROM ... "
            yield Finding("default privileges", owner, detail, remedy.strip() + ";")
