"""`check`: a database that is not as the tags say, and what goes round its grants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from postgres_tables import Base, Database, made
from purposes import ADVERTISING, SECURITY, TWO_FACTOR
from real_parts import need
from sqlalchemy import Column, Integer, MetaData, String, Table

from purposebind import AllowedFor
from purposebind.integrations.postgres import Finding, check, ddl
from purposebind.integrations.sqlalchemy import SealedType

need("initdb")


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with made() as database:
        yield database


def found(database: Database, user: str = "postgres", **options: Any) -> list[Finding]:
    """What is found; logins of other tests' databases, and what they are, are not ours to judge."""
    engine = database.engine(user)
    options.setdefault("sets", [(ADVERTISING, SECURITY)])
    with engine.connect() as connection:
        findings = check(connection, database.metadata, prefix=database.prefix, **options)
    engine.dispose()
    return findings


def test_what_the_ddl_made_is_as_the_tags_say(database: Database) -> None:
    """A check that always finds something is one that nobody reads."""
    assert found(database) == []
    assert found(database, database.login) == [], "any login may ask"


# Each with what is done to a database, what undoes it, and what has to be found: kind, subject, part of the detail.
_DRIFT = {
    "a grant of a tagged column": (
        'GRANT SELECT (phone) ON account TO "{none}"',
        'REVOKE SELECT (phone) ON account FROM "{none}"',
        ("grant", "{none}", "may select public.account.phone"),
    ),
    "a grant of the whole table": (
        'GRANT SELECT ON account TO "{ads}"',
        'REVOKE SELECT ON account FROM "{ads}"; {ddl}',
        ("grant", "{ads}", "may select public.account.email"),
    ),
    "a grant that was taken away": (
        'REVOKE SELECT (phone) ON account FROM "{code}"',
        'GRANT SELECT (phone) ON account TO "{code}"',
        ("grant", "{code}", "may not select public.account.phone, and should"),
    ),
    "a grant of writing that was taken away": (
        'REVOKE UPDATE ON account FROM "{none}"',
        'GRANT UPDATE ON account TO "{none}"',
        ("grant", "{none}", "has no UPDATE"),
    ),
    "a trigger of one's own": (
        'GRANT TRIGGER ON account TO "{ads}"',
        'REVOKE TRIGGER ON account FROM "{ads}"',
        ("grant", "{ads}", "has TRIGGER"),
    ),
    "a grant to everybody": (
        "GRANT SELECT (email) ON account TO PUBLIC",
        "REVOKE SELECT (email) ON account FROM PUBLIC",
        ("public", "public.account.email", "PUBLIC, which is every login, has SELECT"),
    ),
    "a role that is a member of another": (
        'GRANT pg_read_all_data TO "{ads}"',
        'REVOKE pg_read_all_data FROM "{ads}"',
        ("role", "{ads}", "is a member of pg_read_all_data"),
    ),
    "a role that can log in": (
        'ALTER ROLE "{ads}" LOGIN',
        'ALTER ROLE "{ads}" NOLOGIN',
        ("role", "{ads}", "has LOGIN"),
    ),
    "a role that bypasses row security": (
        'ALTER ROLE "{ads}" BYPASSRLS',
        'ALTER ROLE "{ads}" NOBYPASSRLS',
        ("role", "{ads}", "has BYPASSRLS"),
    ),
    "a role of a set that is no longer asked for": (
        'CREATE ROLE "{prefix}:old+older"; GRANT SELECT ON account TO "{prefix}:old+older"',
        'DROP OWNED BY "{prefix}:old+older"; DROP ROLE "{prefix}:old+older"',
        ("role", "{prefix}:old+older", "is a role that the tags do not ask for"),
    ),
    "a login that owns the table": (
        "ALTER TABLE account OWNER TO {login}",
        "ALTER TABLE account OWNER TO postgres; {ddl}",
        ("login", "{login}", "owns public.account"),
    ),
    "a login that inherits": (
        "ALTER ROLE {login} INHERIT",
        "ALTER ROLE {login} NOINHERIT",
        ("login", "{login}", "may select email, phone of public.account without taking a role"),
    ),
    "a login with a grant": (
        "GRANT SELECT (phone) ON account TO {login}",
        "REVOKE SELECT (phone) ON account FROM {login}",
        ("login", "{login}", "may select phone of public.account"),
    ),
    "a login that is a superuser": (
        "ALTER ROLE {login} SUPERUSER",
        "ALTER ROLE {login} NOSUPERUSER",
        ("login", "{login}", "is a superuser"),
    ),
    "a login that makes roles": (
        "ALTER ROLE {login} CREATEROLE",
        "ALTER ROLE {login} NOCREATEROLE",
        ("login", "{login}", "has CREATEROLE"),
    ),
    "a login that reads the files": (
        "GRANT pg_read_server_files TO {login}",
        "REVOKE pg_read_server_files FROM {login}",
        ("login", "{login}", "is a member of pg_read_server_files"),
    ),
    "a login that replicates": (
        "ALTER ROLE {login} REPLICATION",
        "ALTER ROLE {login} NOREPLICATION",
        ("login", "{login}", "may replicate"),
    ),
    "a role set at login": (
        'ALTER ROLE {login} SET role = "{prefix}/loader"',
        "ALTER ROLE {login} RESET role",
        ("setting", "{login}", "has a role set for it"),
    ),
    "a view": (
        'CREATE VIEW v AS SELECT phone FROM account; GRANT SELECT ON v TO "{ads}"',
        "DROP VIEW v",
        ("view", "public.v", "reads, with its owner's rights, public.account.phone"),
    ),
    "a view of whole rows": (
        "CREATE VIEW v AS SELECT row_to_json(a) FROM account a WHERE id > 0; GRANT SELECT ON v TO PUBLIC",
        "DROP VIEW v",
        ("view", "public.v", "public.account.phone, and may be selected from by PUBLIC"),
    ),
    "a view that only filters": (
        '''CREATE VIEW v WITH (security_barrier) AS SELECT id FROM account WHERE phone LIKE '+1%';
        GRANT SELECT ON v TO "{ads}"''',
        "DROP VIEW v",
        ("view", "public.v", "public.account.phone"),
    ),
    "a view with a subquery": (
        '''CREATE VIEW v AS SELECT id FROM visit WHERE EXISTS (SELECT FROM account WHERE email = 'x');
        GRANT SELECT ON v TO "{ads}"''',
        "DROP VIEW v",
        ("view", "public.v", "public.account.email"),
    ),
    "a view over a view": (
        '''CREATE VIEW v AS SELECT phone AS p FROM account; CREATE VIEW w AS SELECT p FROM v;
        GRANT SELECT (p) ON w TO "{ads}"''',
        "DROP VIEW v CASCADE",
        ("view", "public.w", "public.account.phone"),
    ),
    "a view over a view with the caller's rights": (
        '''CREATE VIEW v AS SELECT phone AS p FROM account;
        CREATE VIEW w WITH (security_invoker) AS SELECT p FROM v; GRANT SELECT ON v, w TO "{ads}"''',
        "DROP VIEW v CASCADE",
        ("view", "public.v", "public.account.phone"),
    ),
    "a materialized view": (
        'CREATE MATERIALIZED VIEW v AS SELECT phone FROM account; GRANT SELECT ON v TO "{none}"',
        "DROP MATERIALIZED VIEW v",
        ("materialized view", "public.v", "keeps a copy of public.account.phone"),
    ),
    "a function with its owner's rights": (
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT phone FROM account'",
        "DROP FUNCTION f()",
        ("function", "public.f", "is SECURITY DEFINER, runs as postgres"),
    ),
    "a trigger": (
        """CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER t AFTER INSERT ON account FOR EACH ROW EXECUTE FUNCTION f()""",
        "DROP FUNCTION f() CASCADE",
        ("trigger", "public.account.t", "is given whole rows"),
    ),
    "a rule": (
        "CREATE RULE r AS ON INSERT TO account DO ALSO INSERT INTO visit (id) VALUES (NEW.id)",
        "DROP RULE r ON account",
        ("rule", "public.account.r", "is a rule"),
    ),
    "a copy of the table": (
        'CREATE TABLE backup AS SELECT * FROM account; GRANT SELECT ON backup TO "{ads}"',
        "DROP TABLE backup",
        ("table", "public.backup", "is no table of the metadata, has a column email"),
    ),
    "an heir": (
        'CREATE TABLE heir () INHERITS (account); GRANT SELECT ON heir TO "{none}"',
        "DROP TABLE heir",
        ("partition or heir", "public.heir", "may be selected from by"),
    ),
    "a foreign table": (
        '''CREATE FOREIGN DATA WRAPPER d; CREATE SERVER s FOREIGN DATA WRAPPER d;
        CREATE FOREIGN TABLE far (phone text) SERVER s; GRANT SELECT ON far TO "{ads}"''',
        "DROP FOREIGN DATA WRAPPER d CASCADE",
        ("foreign table", "public.far", "has a column phone"),
    ),
    "a generated column": (
        "ALTER TABLE account ADD COLUMN handle_too text GENERATED ALWAYS AS (upper(phone)) STORED",
        "ALTER TABLE account DROP COLUMN handle_too",
        ("generated column", "public.account.handle_too", "is computed from phone"),
    ),
    "a publication": (
        "CREATE PUBLICATION everything_{login} FOR TABLE account",
        "DROP PUBLICATION everything_{login}",
        ("publication", "everything_{login}", "sends email, phone"),
    ),
    "default privileges": (
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
        "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC",
        ("default privileges", "postgres", "grants SELECT on each new table"),
    ),
    "a column that is gone": (
        "ALTER TABLE account RENAME COLUMN handle TO name",
        "ALTER TABLE account RENAME COLUMN name TO handle",
        ("table", "public.account", "has no column handle"),
    ),
    "a table that is gone": (
        "ALTER TABLE visit RENAME TO visits",
        "ALTER TABLE visits RENAME TO visit",
        ("table", "public.visit", "is not in this database"),
    ),
}


@pytest.mark.parametrize("case", _DRIFT)
def test_it_is_found(database: Database, case: str) -> None:
    """The server would hand out what the tags refuse, and the tags would look as if they held."""
    names = {
        "prefix": database.prefix,
        "login": database.login,
        "none": database.role(),
        "ads": database.role(ADVERTISING),
        "code": database.role(TWO_FACTOR),
    }

    def told(text: str) -> str:
        again = ddl(Base.metadata, [(ADVERTISING, SECURITY)], prefix=database.prefix) if "{ddl}" in text else ""
        return text.format(**names, ddl=again)

    done, undone, (kind, subject, detail) = _DRIFT[case]
    database.run(told(done))
    try:
        findings = found(database)
        wanted = [
            one for one in findings if (one.kind, one.subject) == (kind, told(subject)) and told(detail) in one.detail
        ]
        assert wanted, findings
        assert wanted[0].remedy
        assert told(subject) not in {one.subject for one in found(database, accept=[told(subject)])}
    finally:
        database.run(told(undone))
    assert found(database) == []


@pytest.mark.parametrize(
    "sql",
    [
        'CREATE VIEW v AS SELECT id, handle FROM account; GRANT SELECT ON v TO "{ads}"',
        'CREATE VIEW v WITH (security_invoker = true) AS SELECT phone FROM account; GRANT SELECT ON v TO "{ads}"',
        'CREATE VIEW v AS SELECT phone FROM account; GRANT SELECT ON v TO "{code}"',
        "CREATE VIEW v AS SELECT phone FROM account",
    ],
)
def test_a_view_that_shows_nothing_more_is_no_finding(database: Database, sql: str) -> None:
    """A view is how columns are left out: one that does that well would have to be accepted by hand."""
    database.run(sql.format(ads=database.role(ADVERTISING), code=database.role(TWO_FACTOR)))
    try:
        assert found(database) == []
    finally:
        database.run("DROP VIEW v")


def test_a_role_that_is_missing(database: Database) -> None:
    """The service would be refused at the first statement of the new purpose, at night."""
    (finding,) = found(database, sets=[(ADVERTISING, SECURITY), (SECURITY, TWO_FACTOR)])
    assert (finding.kind, finding.subject) == ("role", database.role(SECURITY, TWO_FACTOR))
    assert "does not exist" in finding.detail


def test_a_view_in_the_metadata_with_a_tag_of_its_own_is_no_finding() -> None:
    """A mapped view has column grants like a table; it would be found although it is as narrow."""
    metadata = MetaData()
    tag = AllowedFor(TWO_FACTOR)
    table = Table("person", metadata, Column("id", Integer, primary_key=True), Column("p", SealedType(String(), tag)))
    with made(metadata) as database:
        database.run("CREATE VIEW contact AS SELECT id, p FROM person")
        for column, clean in ((Column("p", SealedType(String(), tag)), True), (Column("p", String()), False)):
            both = MetaData()
            table.to_metadata(both)
            Table("contact", both, Column("id", Integer), column)
            database.run(ddl(both, [(ADVERTISING, SECURITY)], prefix=database.prefix))
            database.metadata = both
            assert (found(database) == []) is clean
