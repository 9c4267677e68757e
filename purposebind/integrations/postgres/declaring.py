"""`ddl`: the roles and their grants, as SQL that can be read, reviewed and applied again.

What this module keeps:

- **R8** Applied again after the tags narrowed, it takes away what is no longer granted: of each table everything is
  revoked first, from our roles and from PUBLIC, and of a role that the tags no longer ask for everything stays revoked.
- It makes what is missing and drops nothing. In one transaction nobody sees a state between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from purposebind import Purpose

from .naming import block, literal, quoted
from .rights import Rights, TableRights, rights_of

if TYPE_CHECKING:
    from sqlalchemy import MetaData

__all__ = ["ddl"]


def ddl(
    metadata: MetaData | Iterable[MetaData],
    sets: Iterable[Iterable[Purpose]] = (),
    *,
    prefix: str = "purposebind",
    schema: str = "public",
    logins: Iterable[str] = (),
) -> str:
    """Return SQL that makes the roles and grants each what its purposes allow.

    Apply it in one transaction, as the owner of the tables with CREATEROLE, or as a superuser. It has no BEGIN and
    COMMIT of its own, so that a migration can hold it: ``op.execute(ddl(Base.metadata))``.

    Args:
        metadata: One, or several. Tags are found on the tables' columns.
        sets: Sets of purposes that are active together, beside each declared purpose alone.
        prefix: What the roles' names begin with. Roles belong to the whole server: a prefix for each service.
        schema: The schema of tables that name none.
        logins: Existing logins that shall be allowed to take every one of the roles.

    Raises:
        PolicyError: No column has a tag, or the prefix is no plain name.

    Example:
        >>> from sqlalchemy import Column, Integer, MetaData, String, Table
        >>> from purposebind import AllowedFor
        >>> from purposebind.integrations.sqlalchemy import SealedType
        >>> billing = Purpose("billing", "Write invoices")
        >>> metadata = MetaData()
        >>> iban = Column("iban", SealedType(String(), AllowedFor(billing)))
        >>> invoice = Table("invoice", metadata, Column("id", Integer, primary_key=True), iban)
        >>> [line for line in ddl(metadata, prefix="shop").splitlines() if line.startswith('GRANT SELECT ("id")')]
        ['GRANT SELECT ("id") ON TABLE "public"."invoice" TO "shop/none";']
    """
    rights = rights_of(metadata, sets, prefix=prefix, schema=schema)
    return "\n\n".join(_statements(rights, tuple(logins))) + "\n"


def _statements(rights: Rights, logins: tuple[str, ...]) -> Iterator[str]:
    yield "-- Written by `purposebind postgres ddl` from the tags. Do not edit: change the tags and write it anew."
    yield _make_roles(rights)
    yield _clear_others(rights)
    everyone = ", ".join(quoted(role.name) for role in rights.roles)
    for name in rights.schemas:
        yield f"GRANT USAGE ON SCHEMA {quoted(name)} TO {everyone};"
    for table in rights.tables:
        yield _grants(rights, table, everyone)
    yield _sequences(rights)
    for login in logins:
        yield _admit(rights, login)


def _make_roles(rights: Rights) -> str:
    lines = ["-- The roles. None of them can log in, and none inherits from another."]
    names = ", ".join(literal(role.name) for role in rights.roles)
    lines.append(
        block(
            "DECLARE role text;\n"
            "BEGIN\n"
            f"  FOREACH role IN ARRAY ARRAY[{names}] LOOP\n"
            "    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role) THEN\n"
            "      EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN NOINHERIT', role);\n"
            "    END IF;\n"
            "  END LOOP;\n"
            "END"
        )
    )
    lines += [f"COMMENT ON ROLE {quoted(role.name)} IS {literal(f'purposebind: {role}')};" for role in rights.roles]
    return "\n".join(lines)


def _clear_others(rights: Rights) -> str:
    names = ", ".join(literal(role.name) for role in rights.roles)
    schemas = ", ".join(literal(name) for name in rights.schemas)
    return (
        "-- What the tags no longer ask for: the role stays, for it may serve another database, with no rights here.\n"
        + block(
            "DECLARE role text; place text;\n"
            "BEGIN\n"
            "  FOR role IN SELECT rolname FROM pg_catalog.pg_roles\n"
            f"    WHERE pg_catalog.starts_with(rolname::text, {literal(rights.names.prefix + ':')})\n"
            f"      AND rolname <> ALL (ARRAY[{names}]) LOOP\n"
            f"    FOREACH place IN ARRAY ARRAY[{schemas}] LOOP\n"
            "      EXECUTE pg_catalog.format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM %I', place, role);\n"
            "      EXECUTE pg_catalog.format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA %I FROM %I', place, role);\n"
            "      EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA %I FROM %I', place, role);\n"
            "    END LOOP;\n"
            "  END LOOP;\n"
            "END"
        )
    )


def _grants(rights: Rights, table: TableRights, everyone: str) -> str:
    target = quoted(table.schema, table.name)
    lines = [
        f"-- {_comment(str(table))}",
        f"REVOKE ALL ON TABLE {target} FROM PUBLIC, {everyone};",
        f"GRANT INSERT, UPDATE, DELETE ON TABLE {target} TO {everyone};",
    ]
    readers: dict[tuple[str, ...], list[str]] = {}
    for role in rights.roles:
        readers.setdefault(table.readable(role), []).append(quoted(role.name))
    for columns, roles in sorted(readers.items()):
        # The loader too has the columns that the tags know: what is added to the table later is nobody's until then.
        what = f" ({', '.join(map(quoted, columns))})" if table.tags else ""
        if columns:
            lines.append(f"GRANT SELECT{what} ON TABLE {target} TO {', '.join(roles)};")
    return "\n".join(lines)


def _sequences(rights: Rights) -> str:
    everyone = ", ".join(quoted(role.name) for role in rights.roles)
    named = sorted({sequence for table in rights.tables for sequence in table.sequences})
    lines = [f"GRANT USAGE ON SEQUENCE {quoted(*sequence)} TO {everyone};" for sequence in named]
    tables = ", ".join(literal(quoted(table.schema, table.name)) for table in rights.tables)
    names = ", ".join(literal(role.name) for role in rights.roles)
    lines.append(
        block(
            "DECLARE sequence regclass; role text;\n"
            "BEGIN\n"
            "  FOR sequence IN\n"
            "    SELECT used.oid FROM pg_catalog.pg_class used JOIN pg_catalog.pg_depend link\n"
            "      ON link.classid = 'pg_catalog.pg_class'::regclass AND link.objid = used.oid AND link.deptype = 'a'\n"
            f"    WHERE used.relkind = 'S' AND link.refobjid = ANY (ARRAY[{tables}]::regclass[])\n"
            "    UNION SELECT used.oid FROM pg_catalog.pg_class used JOIN pg_catalog.pg_depend link\n"
            "      ON link.refobjid = used.oid AND link.classid = 'pg_catalog.pg_attrdef'::regclass\n"
            "      JOIN pg_catalog.pg_attrdef made ON made.oid = link.objid\n"
            f"    WHERE used.relkind = 'S' AND made.adrelid = ANY (ARRAY[{tables}]::regclass[])\n"
            "  LOOP\n"
            f"    FOREACH role IN ARRAY ARRAY[{names}] LOOP\n"
            "      EXECUTE pg_catalog.format('GRANT USAGE ON SEQUENCE %s TO %I', sequence, role);\n"
            "    END LOOP;\n"
            "  END LOOP;\n"
            "END"
        )
    )
    return "-- Sequences that a column of the tables draws its values from.\n" + "\n".join(lines)


def _admit(rights: Rights, login: str) -> str:
    """Let a login take the roles, and have none of their rights before it does."""
    names = ", ".join(literal(role.name) for role in rights.roles)
    return f"-- {_comment(login)} may take each role, and has none of their rights until it does.\n" + block(
        "DECLARE role text;\n"
        "BEGIN\n"
        "  IF pg_catalog.current_setting('server_version_num')::int < 160000 THEN\n"
        f"    EXECUTE pg_catalog.format('ALTER ROLE %I NOINHERIT', {literal(login)});\n"
        "  END IF;\n"
        f"  FOREACH role IN ARRAY ARRAY[{names}] LOOP\n"
        "    IF pg_catalog.current_setting('server_version_num')::int < 160000 THEN\n"
        f"      EXECUTE pg_catalog.format('GRANT %I TO %I', role, {literal(login)});\n"
        "    ELSE\n"
        f"      EXECUTE pg_catalog.format('GRANT %I TO %I WITH INHERIT FALSE, SET TRUE', role, {literal(login)});\n"
        "    END IF;\n"
        "  END LOOP;\n"
        "END"
    )


def _comment(name: str) -> str:
    return " ".join(name.split())  # a name with a line's end in it would end the comment
