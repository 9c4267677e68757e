"""Logins that see tagged data without taking a role: owners, superusers, members who inherit, readers of files.

A login that may take every role is no finding. It is how a service with one login works; see the documentation for what
such a login can still do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from .finding import Finding
from .naming import quoted
from .rights import Rights, Role, TableRights

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["logins", "logins_round"]

_BOOTSTRAP: Final = 10  # the superuser that every server has
_POWERS: Final = {
    "pg_read_all_data": "may select from every table",
    "pg_read_server_files": "reads the server's files, the tables' among them",
    "pg_write_server_files": "writes the server's files",
    "pg_execute_server_program": "runs programs on the server",
    "pg_read_all_stats": "sees what other sessions are running, values and all",
}


def logins_round(connection: Connection, rights: Rights, tables: Mapping[int, TableRights]) -> Iterator[Finding]:
    """Yield the logins that need no role to see tagged data."""
    logins = connection.execute(
        text(
            "SELECT oid::bigint AS oid, rolname::text AS name, rolsuper, rolcreaterole, rolreplication, rolbypassrls "
            "FROM pg_catalog.pg_roles WHERE rolcanlogin ORDER BY rolname"
        )
    ).mappings()
    for login in logins.all():
        name = login["name"]
        if rights.names.has(name):
            continue  # found already: none of ours may log in
        if login["rolsuper"]:
            if login["oid"] != _BOOTSTRAP:
                yield Finding("login", name, "is a superuser, for whom there are no grants.", _way(name))
            continue
        if login["rolreplication"]:
            yield Finding("login", name, "may replicate the whole server, grants or not.", _way(name))
        if login["rolcreaterole"] and _version(connection) < 160000:
            yield Finding("login", name, "has CREATEROLE, and may make itself a member of any role.", _way(name))
        yield from _powers(connection, name)
        yield from _reads(connection, tables, name)
    yield from _settings(connection, rights)


def logins(connection: Connection, rights: Rights, tables: Mapping[int, TableRights]) -> list[Role]:
    """Return the logins that are no superusers, with the tagged columns that each may select as it is."""
    names = connection.execute(
        text("SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolcanlogin AND NOT rolsuper ORDER BY rolname")
    )
    sql = text(
        "SELECT attname::text FROM pg_catalog.pg_attribute WHERE attrelid = :oid AND attname = ANY(:tagged) "
        "AND NOT attisdropped AND pg_catalog.has_column_privilege(CAST(:login AS name), attrelid, attnum, 'SELECT')"
    )
    found: list[Role] = []
    for name in [name for name in names.scalars() if not rights.names.has(name)]:
        selects: set[str] = set()
        for oid, table in tables.items():
            values = {"oid": oid, "tagged": list(table.tags), "login": name}
            selects.update(f"{table}.{column}" for column in connection.execute(sql, values).scalars())
        found.append(Role(name, frozenset(), frozenset(selects)))
    return found


def _way(name: str) -> str:
    return f"No service logs in as {quoted(name)}; if that is so, accept it by its name."


def _version(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_catalog.current_setting('server_version_num')")).scalar_one())


def _powers(connection: Connection, name: str) -> Iterator[Finding]:
    sql = text(
        "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname = ANY(:powers) "
        "AND pg_catalog.pg_has_role(CAST(:name AS name), oid, 'MEMBER')"
    )
    for power in connection.execute(sql, {"powers": list(_POWERS), "name": name}).scalars():
        remedy = f"REVOKE {quoted(power)} FROM {quoted(name)};"
        yield Finding("login", name, f"is a member of {power}: it {_POWERS[power]}.", remedy)


def _reads(connection: Connection, tables: Mapping[int, TableRights], name: str) -> Iterator[Finding]:
    sql = text(
        "SELECT a.attname::text AS name, pg_catalog.pg_has_role(CAST(:login AS name), c.relowner, 'USAGE') AS owns, "
        "pg_catalog.pg_has_role(CAST(:login AS name), c.relowner, 'MEMBER') AS may_own, "
        "pg_catalog.has_column_privilege(CAST(:login AS name), c.oid, a.attnum, 'SELECT') AS reads "
        "FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid "
        "WHERE c.oid = :oid AND a.attname = ANY(:tagged) AND NOT a.attisdropped"
    )
    for oid, table in tables.items():
        rows = connection.execute(sql, {"login": name, "oid": oid, "tagged": list(table.tags)}).mappings().all()
        if any(row["owns"] for row in rows):
            yield Finding("login", name, f"owns {table}, and an owner needs no grant.", _way(name))
        elif any(row["may_own"] for row in rows):
            yield Finding("login", name, f"may become the owner of {table}, who needs no grant.", _way(name))
        else:
            columns = ", ".join(sorted(row["name"] for row in rows if row["reads"]))
            if columns:
                detail = f"may select {columns} of {table} without taking a role: by a grant, or because it inherits."
                remedy = f"ALTER ROLE {quoted(name)} NOINHERIT; or revoke the grant."
                yield Finding("login", name, detail, remedy)


def _settings(connection: Connection, rights: Rights) -> Iterator[Finding]:
    sql = text(
        "SELECT COALESCE(r.rolname::text, d.datname::text, 'all') FROM pg_catalog.pg_db_role_setting s "
        "LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole LEFT JOIN pg_catalog.pg_database d "
        "ON d.oid = s.setdatabase "
        "WHERE EXISTS (SELECT FROM pg_catalog.unnest(s.setconfig) AS one WHERE pg_catalog.starts_with(one, 'role='))"
    )
    for name in connection.execute(sql).scalars():
        detail = "has a role set for it at every login, before any purpose is stated."
        yield Finding("setting", name, detail, f"ALTER ROLE {quoted(name)} RESET role; or the same for the database.")
