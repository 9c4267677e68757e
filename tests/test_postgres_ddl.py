"""The roles and their grants, in a real server: what each role may do is what the library would let through."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from postgres_tables import Base, Database, made
from purposes import ADVERTISING, RECOVERY, SECRET, SECURITY, TWO_FACTOR
from real_parts import need
from sqlalchemy import Column, Integer, MetaData, String, Table, text

from purposebind import AllowedFor, PolicyError, Purpose
from purposebind.integrations.postgres import ddl
from purposebind.integrations.postgres.naming import Names
from purposebind.integrations.sqlalchemy import SealedType

need("initdb")
Refused = psycopg.errors.InsufficientPrivilege


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with made() as database:
        yield database


@pytest.fixture
def fresh() -> Iterator[Database]:
    with made() as database:
        yield database


# --- What a role may select ------------------------------------------------------------------------------------------

_SETS = [(), (SECURITY,), (TWO_FACTOR,), (RECOVERY,), (ADVERTISING,), (ADVERTISING, SECURITY)]
_MAY = {
    "phone": {(TWO_FACTOR,)},
    "email": {(SECURITY,), (TWO_FACTOR,)},
    "handle": set(_SETS),
}


@pytest.mark.parametrize(("column", "purposes"), list(itertools.product(_MAY, _SETS)))
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT {} FROM account",
        "SELECT 1 FROM account WHERE {} IS NOT NULL",
        "SELECT sha256({}::bytea) FROM account",
        "SELECT count(*) FROM account GROUP BY {}",
        "UPDATE account SET handle = {}",
        "DELETE FROM account WHERE {} = 'x'",
        "INSERT INTO account (id, handle, phone, email) VALUES (2, '', '', '') RETURNING {}",
        "COPY account ({}) TO STDOUT",
    ],
)
def test_a_role_may_select_what_its_purposes_may_read(
    database: Database, column: str, purposes: tuple[Purpose, ...], statement: str
) -> None:
    """R2, R3: the server would hand out what the library refuses, or refuse what the library lets through."""
    sql = statement.format(column)
    if purposes in _MAY[column]:
        if not sql.startswith("COPY"):
            database.rows(sql, database.role(*purposes))
    else:
        with pytest.raises(Refused):
            database.rows(sql, database.role(*purposes))


@pytest.mark.parametrize("what", ["*", "account", "row_to_json(account)", "account.*", "a", "to_jsonb(a.*)"])
def test_whole_rows_are_all_columns(database: Database, what: str) -> None:
    """R2: a star, or a row as JSON, holds the phone number as well as its name does."""
    table = "account a" if what.startswith(("a", "to_")) and what not in ("account", "account.*") else "account"
    for role in (database.role(), database.role(SECURITY), database.role(ADVERTISING)):
        with pytest.raises(Refused):
            database.rows(f"SELECT {what} FROM {table}", role)
    assert SECRET in str(database.rows(f"SELECT {what} FROM {table}", f"{database.prefix}/loader"))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO account (handle, phone, email) VALUES ('b', 'x', 'y') RETURNING id",
        "UPDATE account SET phone = 'x' WHERE id = 1",
        "DELETE FROM account WHERE id = 1",
        "INSERT INTO visit (account_id) VALUES (1) RETURNING id",
        "SELECT id, ctid FROM visit",
        "SELECT count(*) FROM account",
        "INSERT INTO account VALUES (1, 'b', 'x', 'y') ON CONFLICT (id) DO UPDATE SET handle = excluded.handle",
    ],
)
def test_writing_is_not_reading(database: Database, statement: str) -> None:
    """R1: a sign-up in no scope, or an import for advertising, could not be stored."""
    for role in (database.role(), database.role(ADVERTISING), f"{database.prefix}/loader"):
        database.rows(statement, role)


def test_an_upsert_of_a_tagged_column_needs_the_loader(database: Database) -> None:
    """The page says so: PostgreSQL takes ``excluded.phone`` for a reading of the column."""
    sql = (
        "INSERT INTO account (id, handle, phone, email) VALUES (1, '', 'x', '') "
        "ON CONFLICT (id) DO UPDATE SET phone = excluded.phone"
    )
    database.rows(sql, f"{database.prefix}/loader")
    with pytest.raises(Refused):
        database.rows(sql, database.role(SECURITY))


def test_a_conflict_target_is_read(database: Database) -> None:
    """R1: whether a number is in the table could be found out by inserting it."""
    sql = "INSERT INTO account (handle, phone, email) VALUES ('', '', 'ada@example.com') ON CONFLICT (email) DO NOTHING"
    with pytest.raises(Refused):
        database.rows(sql, database.role(ADVERTISING))
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        database.rows(sql.partition(" ON")[0], database.role(ADVERTISING))
    assert "ada@example.com" not in str(caught.value)


def test_statistics_do_not_show_values(database: Database) -> None:
    """R1: the server keeps the most common values of each column, for all to see who may see the column."""
    database.run("ANALYZE account")
    sql = "SELECT attname FROM pg_stats WHERE tablename = 'account' AND attname IN ('phone', 'email')"
    assert database.rows(sql, database.role(ADVERTISING)) == []


def test_a_login_has_no_rights_until_it_takes_a_role(database: Database) -> None:
    """R3: a connection that nobody put under a role would read everything that any of the roles may."""
    for sql in ("SELECT handle FROM account", "SELECT phone FROM account", "SELECT * FROM visit", "DELETE FROM visit"):
        with pytest.raises(Refused):
            database.rows(sql, user=database.login)
    assert database.rows("SELECT phone FROM account", database.role(TWO_FACTOR), database.login) == [(SECRET,)]


# --- Again -----------------------------------------------------------------------------------------------------------


def _acls(database: Database) -> object:
    sql = (
        "SELECT relname::text, ARRAY(SELECT unnest(relacl)::text ORDER BY 1), (SELECT array_agg(x ORDER BY x) FROM "
        "(SELECT attname::text || unnest(attacl)::text x FROM pg_attribute WHERE attrelid = c.oid) y) "
        "FROM pg_class c WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
    )
    return database.rows(sql)


def test_applied_again_it_changes_nothing(fresh: Database) -> None:
    """A migration that runs twice, on two machines, would fail the second deployment."""
    before = _acls(fresh)
    fresh.apply([(ADVERTISING, SECURITY)])
    assert _acls(fresh) == before


def test_a_migration_can_hold_it(fresh: Database) -> None:
    """Alembic's `op.execute` makes a `text()` of it; a colon or a percent sign in it would become a parameter."""
    before = _acls(fresh)
    engine = fresh.engine()
    with engine.begin() as connection:
        connection.execute(text(ddl(fresh.metadata, [(ADVERTISING, SECURITY)], prefix=fresh.prefix)))
    engine.dispose()
    assert _acls(fresh) == before


def test_applied_after_a_tag_narrowed_it_takes_away(fresh: Database) -> None:
    """R8: the tag would say one thing from now on, and the server another for ever."""
    role = fresh.role(TWO_FACTOR)
    assert fresh.rows("SELECT phone FROM account", role)
    fresh.run(f'GRANT SELECT, TRUNCATE ON account TO "{role}", PUBLIC; GRANT SELECT (phone) ON account TO PUBLIC')
    narrowed = MetaData()
    Table(
        "account",
        narrowed,
        Column("id", Integer, primary_key=True),
        Column("handle", String),
        Column("phone", SealedType(String(), AllowedFor(RECOVERY))),
        Column("email", SealedType(String(), AllowedFor(RECOVERY))),
    )
    fresh.run(ddl(narrowed, prefix=fresh.prefix))
    for gone in ("phone", "email"):
        with pytest.raises(Refused):
            fresh.rows(f"SELECT {gone} FROM account", role)
        with pytest.raises(Refused):
            fresh.rows(f"SELECT {gone} FROM account", fresh.role())
    assert fresh.rows("SELECT phone FROM account", fresh.role(RECOVERY)) == [(SECRET,)]
    with pytest.raises(Refused):
        fresh.rows("TRUNCATE account", role)


def test_a_set_that_is_no_longer_asked_for_has_no_rights(fresh: Database) -> None:
    """R8: roles of long ago would add up, and nobody would look at them."""
    fresh.apply([(SECURITY, TWO_FACTOR)])
    role = fresh.role(SECURITY, TWO_FACTOR)
    assert fresh.rows("SELECT email FROM account", role)
    fresh.apply()
    for sql in ("SELECT email FROM account", "SELECT id FROM account", "INSERT INTO visit VALUES (1, 1)"):
        with pytest.raises(Refused):
            fresh.rows(sql, role)


def test_a_column_that_the_tags_do_not_know_is_nobodys(fresh: Database) -> None:
    """R9: a column added by hand next to tagged ones would be open to every purpose."""
    fresh.run("ALTER TABLE account ADD COLUMN birthday text")
    fresh.apply()
    for role in (fresh.role(), fresh.role(SECURITY), f"{fresh.prefix}/loader"):
        with pytest.raises(Refused):
            fresh.rows("SELECT birthday FROM account", role)


def test_a_partition_is_no_way_round(fresh: Database) -> None:
    """R2: what a role may not select from the table it could select from the table's parts."""
    fresh.run("CREATE TABLE account_old () INHERITS (account)")
    fresh.apply()
    with pytest.raises(Refused):
        fresh.rows("SELECT phone FROM account_old", fresh.role(TWO_FACTOR))
    with pytest.raises(Refused):
        fresh.rows("SELECT tableoid::regclass, phone FROM account", fresh.role(SECURITY))


# --- Names -----------------------------------------------------------------------------------------------------------

_NASTY = [
    'a"; DROP TABLE visit; --',
    "$purposebind$",
    "o'hara",
    "per%cent",
    "back\\slash",
    "select",
    "Ünï",
    ":bind",
    "a\nb",
]


def test_any_name_is_a_name() -> None:
    """An identifier with a quote in it would end the statement, and begin one of its own."""
    metadata = MetaData()
    for number, name in enumerate(_NASTY):
        Table(
            name,
            metadata,
            Column(f"id{name}", Integer, primary_key=True),
            Column(name, SealedType(String(), AllowedFor(TWO_FACTOR))),
            Column("plain", Integer),
            schema=None if number % 2 else "public",
        )
    with made(metadata) as database:
        for name in _NASTY:
            table = '"' + name.replace('"', '""') + '"'
            assert database.rows(f"SELECT {table} FROM {table}", database.role(TWO_FACTOR)) == []
            assert database.rows(f"INSERT INTO {table} ({table}) VALUES ('x')", database.role()) == []
            with pytest.raises(Refused):
                database.rows(f"SELECT {table} FROM {table}", database.role(SECURITY))


_PURPOSES = [
    Purpose(f"{stem}{n}", "A test") for stem in ("ddl_p", "a_long_name_that_fills_half_of_it_") for n in range(6)
]
_SOME = st.frozensets(st.sampled_from(_PURPOSES))


@given(_SOME, _SOME)
def test_two_sets_never_share_a_role(one: frozenset[Purpose], other: frozenset[Purpose]) -> None:
    """R2: PostgreSQL cuts names at 63 bytes; two sets cut to one name would have the rights of both."""
    names = Names("shop")
    assert (names.of(one) == names.of(other)) == (one == other)
    assert len(names.of(one).encode()) <= 63
    assert names.has(names.of(one))
    assert not Names("sho").has(names.of(one))


@pytest.mark.parametrize("prefix", ["", "Shop", "1shop", 'a"b', "a b", "pg/", "x" * 31, "shop\n"])
def test_a_prefix_is_a_plain_name(prefix: str) -> None:
    """A prefix with a quote, or one that is cut, would make other roles than the engine takes."""
    with pytest.raises(PolicyError, match="is no prefix for roles"):
        Names(prefix)


def test_tables_without_tags_get_no_roles() -> None:
    """R9: a module that was not imported would give grants that open everything."""
    with pytest.raises(PolicyError, match="No column of this metadata has a tag"):
        ddl(MetaData())


def test_the_sql_is_the_same_each_time() -> None:
    """What is reviewed in a diff would change with the hash seed."""
    assert ddl(Base.metadata, [(SECURITY, ADVERTISING)]) == ddl(Base.metadata, [(ADVERTISING, SECURITY)])
