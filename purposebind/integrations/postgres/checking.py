"""`check`: holds a database against the tags, and looks for what goes round the column grants. It changes nothing.

What this module keeps:

- The wanted state is the one that `ddl` writes, from the same `rights_of`.
- What a role may do is asked of the server, effective and not by reading one list: PUBLIC, ownership, inherited roles
  and ``pg_read_all_data`` are all in its answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from purposebind import Purpose

from .finding import Finding
from .going_round import roads_round
from .logins import logins, logins_round
from .naming import quoted
from .rights import Rights, Role, TableRights, rights_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, MetaData

__all__ = ["check"]

_AGAIN = "Apply what `purposebind postgres ddl` writes."
_MORE = ("TRUNCATE", "REFERENCES", "TRIGGER")


def check(
    connection: Connection,
    metadata: MetaData | Iterable[MetaData],
    sets: Iterable[Iterable[Purpose]] = (),
    *,
    prefix: str = "purposebind",
    schema: str = "public",
    accept: Iterable[str] = (),
) -> list[Finding]:
    """Return what is not as the tags say, and what goes round the column grants.

    Any login may ask: it reads PostgreSQL's catalog and no table of yours. Use an engine that is not guarded.

    Args:
        connection: A connection to the database.
        metadata: The tables, as for `ddl`.
        sets: As for `ddl`.
        prefix: As for `ddl`.
        schema: As for `ddl`.
        accept: Subjects of findings that somebody has looked at and that are left out, such as the owner's login.

    Raises:
        PolicyError: No column has a tag, or the prefix is no plain name.
    """
    rights = rights_of(metadata, sets, prefix=prefix, schema=schema)
    accepted = set(accept)
    found: set[Finding] = set()
    present = set(_scalars(connection, "SELECT rolname::text FROM pg_catalog.pg_roles"))
    found.update(_roles(connection, rights, present))
    roles = [role for role in rights.roles if role.name in present]
    tables = {oid: table for table in rights.tables if (oid := _oid(connection, table)) is not None}
    found.update(_absent(rights, {str(table) for table in tables.values()}))
    for oid, table in tables.items():
        found.update(_grants(connection, oid, table, roles))
        found.update(_public(connection, oid, table))
    found.update(_stale(connection, rights, tables))
    found.update(roads_round(connection, rights, tables, [*roles, *logins(connection, rights, tables)]))
    found.update(logins_round(connection, rights, tables))
    return sorted(one for one in found if one.subject not in accepted)


def _scalars(connection: Connection, sql: str, **values: Any) -> list[Any]:
    return list(connection.execute(text(sql), values).scalars())


def _oid(connection: Connection, table: TableRights) -> int | None:
    name = quoted(table.schema, table.name)
    oid: int | None
    (oid,) = _scalars(connection, "SELECT pg_catalog.to_regclass(:name)::oid::bigint", name=name)
    return oid


def _absent(rights: Rights, present: set[str]) -> Iterator[Finding]:
    for table in rights.tables:
        if str(table) not in present:
            yield Finding("table", str(table), "is not in this database.", "Run the migrations, or name its --schema.")


def _roles(connection: Connection, rights: Rights, present: set[str]) -> Iterator[Finding]:
    for role in rights.roles:
        if role.name not in present:
            yield Finding("role", role.name, f"does not exist ({role}): statements are refused.", _AGAIN)
    rows = connection.execute(
        text(
            "SELECT rolname::text AS name, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin, "
            "rolreplication FROM pg_catalog.pg_roles"
        )
    ).mappings()
    words = {
        "rolsuper": "SUPERUSER",
        "rolbypassrls": "BYPASSRLS",
        "rolcreaterole": "CREATEROLE",
        "rolcreatedb": "CREATEDB",
        "rolcanlogin": "LOGIN",
        "rolreplication": "REPLICATION",
    }
    for row in rows:
        if rights.names.has(row["name"]):
            for column, word in words.items():
                if row[column]:
                    remedy = f"ALTER ROLE {quoted(row['name'])} NO{word};"
                    yield Finding("role", row["name"], f"has {word}, which no role of ours needs.", remedy)
    members = connection.execute(
        text(
            "SELECT m.rolname::text, g.rolname::text FROM pg_catalog.pg_auth_members a "
            "JOIN pg_catalog.pg_roles m ON m.oid = a.member JOIN pg_catalog.pg_roles g ON g.oid = a.roleid"
        )
    )
    for member, group in members:
        if rights.names.has(member):
            detail = f"is a member of {group}, and may take on what that role may do."
            yield Finding("role", member, detail, f"REVOKE {quoted(group)} FROM {quoted(member)};")


def _grants(connection: Connection, oid: int, table: TableRights, roles: list[Role]) -> Iterator[Finding]:
    existing = set(_columns(connection, oid))
    target = quoted(table.schema, table.name)
    for column in sorted(set(table.columns) - existing):
        yield Finding("table", str(table), f"has no column {column}.", "Run the migrations.")
    for role in roles:
        may = set(
            _scalars(
                connection,
                "SELECT attname::text FROM pg_catalog.pg_attribute WHERE attrelid = :oid AND NOT attisdropped "
                "AND attnum <> 0 AND pg_catalog.has_column_privilege(:role, attrelid, attnum, 'SELECT')",
                oid=oid,
                role=role.name,
            )
        )
        wanted = set(table.readable(role)) & existing
        for column in sorted(wanted - may):
            yield Finding("grant", role.name, f"may not select {table}.{column}, and should.", _AGAIN)
        # A system column shows nothing of the others; a column that the tags do not know may be anything.
        unknown = existing - set(table.columns) if table.tags else set[str]()
        for column in sorted((may & existing & (set(table.tags) | unknown)) - wanted):
            detail = f"may select {table}.{column}, which the tags do not allow for {role}."
            yield Finding(
                "grant", role.name, detail, f"{_AGAIN} If that does not help, see who granted it: \\dp {target}"
            )
        for right, needed in (("INSERT", True), ("UPDATE", True), ("DELETE", True), *((r, False) for r in _MORE)):
            (has,) = _scalars(
                connection,
                "SELECT pg_catalog.has_table_privilege(:role, CAST(:oid AS oid), :right)",
                oid=oid,
                role=role.name,
                right=right,
            )
            if has != needed:
                detail = (
                    f"has no {right} on {table}."
                    if needed
                    else f"has {right} on {table}, which the tags do not ask for."
                )
                yield Finding("grant", role.name, detail, _AGAIN)


def _columns(connection: Connection, oid: int) -> list[str]:
    sql = "SELECT attname::text FROM pg_catalog.pg_attribute WHERE attrelid = :oid AND NOT attisdropped"
    return _scalars(connection, sql, oid=oid)


def _public(connection: Connection, oid: int, table: TableRights) -> Iterator[Finding]:
    rows = connection.execute(
        text(
            "SELECT NULL AS name, privilege_type FROM pg_catalog.pg_class, pg_catalog.aclexplode(relacl) "
            "WHERE pg_class.oid = :oid AND grantee = 0 UNION "
            "SELECT attname::text, privilege_type FROM pg_catalog.pg_attribute, pg_catalog.aclexplode(attacl) "
            "WHERE attrelid = :oid AND grantee = 0"
        ),
        {"oid": oid},
    )
    for column, right in rows if table.tags else ():
        what = f"{table}.{column}" if column else str(table)
        remedy = f"REVOKE ALL ON TABLE {quoted(table.schema, table.name)} FROM PUBLIC;"
        yield Finding("public", what, f"PUBLIC, which is every login, has {right} on it.", remedy)


def _stale(connection: Connection, rights: Rights, tables: dict[int, TableRights]) -> Iterator[Finding]:
    """Roles that the tags no longer ask for, and that may still select a tagged column."""
    known = {role.name for role in rights.roles}
    names = _scalars(connection, "SELECT rolname::text FROM pg_catalog.pg_roles")
    for name in names:
        if not rights.names.has(name) or name in known:
            continue
        for oid, table in tables.items():
            for column in table.tags:
                if _may_select(connection, name, oid, column):
                    detail = f"is a role that the tags do not ask for, and may select {table}.{column}."
                    yield Finding("role", name, detail, f"{_AGAIN} Or name its purposes with --set.")


def _may_select(connection: Connection, role: str, oid: int, column: str) -> bool:
    """Return whether a role may select a column, by whatever road of grants."""
    sql = (
        "SELECT pg_catalog.has_column_privilege(CAST(:role AS name), attrelid, attnum, 'SELECT') "
        "FROM pg_catalog.pg_attribute WHERE attrelid = :oid AND attname = :column AND NOT attisdropped"
    )
    return any(_scalars(connection, sql, role=role, oid=oid, column=column))
