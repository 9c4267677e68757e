"""Statements of everyday services, weighed by their text: what passes, and what is no way round."""

from __future__ import annotations

import pytest
from purposes import ADVERTISING, TWO_FACTOR
from sql.relations import catalog

from purposebind.integrations.sql import Catalog, Relation, TaggedColumn, weigh
from purposebind.policy import Policy

CATALOGS = {"postgresql": catalog("postgresql"), "sqlite": catalog("sqlite")}
BOTH = ("postgresql", "sqlite")
NARROW, WIDE = Policy([TWO_FACTOR]), Policy([TWO_FACTOR, ADVERTISING])


def _tagged(name: str, policy: Policy) -> TaggedColumn:
    return TaggedColumn("person", name, f"Person.{name}", policy)


PEOPLE = Relation(
    "person",
    ("id", "phone", "phone_key", "shown"),
    {"phone": _tagged("phone", NARROW), "phone_key": _tagged("phone_key", NARROW), "shown": _tagged("shown", WIDE)},
)

EVERYDAY_POSTGRESQL = r"""
SELECT 1 AS ok
SHOW transaction_read_only
SELECT now() - pg_last_xact_replay_timestamp(), pg_is_in_recovery(), pg_current_wal_lsn()
SELECT pg_blocking_pids(pid), pg_terminate_backend(pid) FROM pg_locks
SET LOCAL enable_seqscan = off
SET LOCAL max_parallel_workers_per_gather = 0
SET LOCAL app.current_tenant = '7'
SELECT current_setting('app.tenant', true)
DISCARD TEMP
CLOSE ALL
RESET ALL
SELECT pg_try_advisory_xact_lock_shared(hashtext('x'))
SELECT hstore('a', bio) -> 'a' FROM account
SELECT id FROM account WHERE (handle, id) > ($1, $2) ORDER BY handle, id LIMIT 20
SELECT id FROM account FOR NO KEY UPDATE OF account SKIP LOCKED
WITH picked AS (SELECT id FROM note LIMIT 1 FOR UPDATE) UPDATE note SET body = 'y' FROM picked WHERE note.id = picked.id
INSERT INTO account (id, handle, phone) SELECT * FROM unnest($1::int[], $2::text[], $3::text[])
INSERT INTO account (id, phone) SELECT id, phone FROM jsonb_to_recordset($1::jsonb) AS x(id int, phone text)
INSERT INTO account (id, handle, phone) VALUES ($1, $2, $3) ON CONFLICT (handle) DO UPDATE SET phone = excluded.phone
UPDATE account SET phone = v.phone FROM (VALUES ($1, $2)) AS v(id, phone) WHERE account.id = v.id
SELECT a.id, n.body FROM account a LEFT JOIN LATERAL (SELECT body FROM note WHERE note.id = a.id LIMIT 1) n ON true
SELECT DISTINCT ON (bio) id, bio FROM account ORDER BY bio, id DESC
SELECT bio::jsonb @> '{}' AND bio::jsonb ? 'x', bio::jsonb #>> '{a,b}' FROM account
SELECT setval(pg_get_serial_sequence('account', 'id'), coalesce(max(id), 1)) FROM account
ALTER TABLE account ALTER COLUMN phone TYPE varchar(20) USING phone::varchar(20)
ALTER TABLE account ADD COLUMN level int DEFAULT 0 NOT NULL
CREATE INDEX CONCURRENTLY ix ON account (lower(phone))
""".strip().splitlines()

EVERYDAY_SQLITE = r"""
PRAGMA foreign_keys=ON
PRAGMA legacy_alter_table=ON
PRAGMA analysis_limit=400
BEGIN IMMEDIATE
INSERT INTO note (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body RETURNING id
REPLACE INTO note (id, body) VALUES (?, ?)
UPDATE account SET phone = ?, email = NULL WHERE id = ? AND handle = ?
SELECT json_extract(bio, '$.a'), bio ->> 'a' FROM account
SELECT j.value FROM note, json_each(note.body) AS j
SELECT m.name, p.name FROM sqlite_master m, pragma_table_info(m.name) p
""".strip().splitlines()


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [(one, "postgresql") for one in EVERYDAY_POSTGRESQL] + [(one, "sqlite") for one in EVERYDAY_SQLITE],
)
def test_what_services_run_every_day_passes(sql: str, dialect: str) -> None:
    """A service would stop at a health check, a queue or a migration, and its guard would be taken off."""
    verdict = weigh(sql, CATALOGS[dialect])
    assert (verdict.problem, verdict.uses, verdict.copies) == (None, (), ())


@pytest.mark.parametrize(
    ("sql", "way_out"),
    [("SET search_path TO tenant", "schema_translate_map"), ("DISCARD ALL", "RESET ALL and DISCARD TEMP")],
)
def test_what_is_refused_says_what_to_do(sql: str, way_out: str) -> None:
    """Somebody who follows a recipe would not learn how to have the same on a guarded engine."""
    assert way_out in str(weigh(sql, CATALOGS["postgresql"]).problem)


DROPPED = [
    "SELECT count(*) FROM (SELECT a.id AS a_id, a.phone AS a_phone FROM account AS a WHERE a.id > 1) AS t",
    "SELECT count(t.id) FROM (SELECT id, phone FROM account LIMIT 3) AS t WHERE t.id > 1",
    "SELECT count(*) FROM (SELECT id, phone FROM account UNION ALL SELECT id, phone FROM device) AS t",
    "SELECT t.id FROM (SELECT id, phone AS p FROM account) AS t JOIN note ON note.id = t.id",
    "SELECT EXISTS (SELECT id, phone FROM account WHERE id = 1)",
    "SELECT id FROM note WHERE EXISTS (SELECT * FROM account WHERE account.id = note.id)",
]

KEPT = [
    "SELECT count(t.phone) FROM (SELECT id, phone FROM account) AS t",
    "SELECT count(*) FROM (SELECT DISTINCT id, phone FROM account) AS t",
    "SELECT count(*) FROM (SELECT id, phone FROM account UNION SELECT id, phone FROM device) AS t",
    "SELECT count(*) FROM (SELECT id, upper(phone) AS p FROM account) AS t",
    "SELECT count(*) FROM (SELECT id, phone FROM account ORDER BY phone LIMIT 3) AS t",
    "SELECT count(*) FROM (SELECT id, phone FROM account ORDER BY 2 LIMIT 3) AS t",
    "SELECT count(*) FROM (SELECT id, phone FROM account) AS t WHERE t.phone > 'x'",
    "SELECT count(*) FROM (SELECT id, phone FROM account) AS t GROUP BY phone",
    "SELECT * FROM (SELECT id, phone FROM account) AS t",
    "SELECT t.* FROM (SELECT id, phone FROM account) AS t",
    "SELECT note.id, t.* FROM note, (SELECT id, phone FROM account) AS t",
    "SELECT t.id FROM (SELECT id, phone FROM account) AS t NATURAL JOIN audience",
    "SELECT t.id FROM (SELECT id, phone FROM account) AS t JOIN audience USING (phone)",
    "SELECT count(*) FROM (SELECT phone FROM account) AS t WHERE EXISTS (SELECT 1 FROM note WHERE body = phone)",
    "SELECT count(*) FROM (SELECT phone FROM account) AS t WHERE 'x' IN (SELECT t.phone FROM note)",
    "SELECT EXISTS (SELECT id FROM account WHERE phone = 'x')",
    "SELECT EXISTS (SELECT id FROM account GROUP BY id HAVING max(phone) > 'x')",
    "SELECT EXISTS (SELECT 1 FROM account NATURAL JOIN audience)",
    "SELECT id FROM note WHERE (SELECT phone FROM account LIMIT 1) IS NULL",
    "SELECT id FROM note WHERE body IN (SELECT phone FROM account)",
]


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize("sql", DROPPED)
def test_what_an_inner_query_gives_and_nobody_names_moves(sql: str, dialect: str) -> None:
    """A page of entities could not be counted; or a text that somebody wrote would not be read as strictly as it is."""
    verdict = weigh(sql, CATALOGS[dialect], composed=True)
    assert (verdict.problem, verdict.uses, verdict.moves) == (None, (), True)
    assert weigh(sql, CATALOGS[dialect]).uses


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize("sql", KEPT)
def test_what_an_inner_query_gives_and_somebody_uses_is_a_use(sql: str, dialect: str) -> None:
    """Phones would be counted, compared or handed out through an inner query, since counting rows passes."""
    verdict = weigh(sql, CATALOGS[dialect], composed=True)
    assert any(use.column.name == "phone" for use in verdict.uses), verdict


@pytest.mark.parametrize(
    "sql",
    ["SELECT count(t) FROM (SELECT id, phone FROM account) AS t", "SELECT phone(t) FROM (SELECT phone FROM account) t"],
)
def test_a_whole_row_names_all_of_it(sql: str) -> None:
    """PostgreSQL would hand out the phone by the name of the inner query alone."""
    assert weigh(sql, CATALOGS["postgresql"], composed=True).uses


def test_what_is_computed_stays_under_the_same_tag() -> None:
    """A number kept in one spelling could not be had; or its hash would be kept where advertising may read it."""
    known = Catalog("postgresql", [PEOPLE])
    for made in ("phone_key", "phone"):
        assert weigh(f"ALTER TABLE person ALTER COLUMN {made} TYPE text USING lower(phone)", known).problem is None
    key = "CREATE TABLE person (id int, phone text, {} text GENERATED ALWAYS AS (lower(phone)) STORED, n int)"
    assert weigh(key.format("phone_key"), known).problem is None
    for other in ("shown", "id", "new"):
        assert "computes from a tagged column" in str(weigh(key.format(other), known).problem)
        alter = (
            f"ALTER TABLE person ADD phone_key text, ADD COLUMN {other} text GENERATED ALWAYS AS (md5(phone)) STORED"
        )
        assert "computes from a tagged column" in str(weigh(alter, known).problem)


def test_a_materialized_view_that_is_known_is_refreshed() -> None:
    """The figures of a nightly job would never be brought up to date."""
    seen = Relation("heads", ("n",), definition="SELECT count(*) AS n FROM person")
    known = Catalog("postgresql", [PEOPLE, seen])
    assert weigh("REFRESH MATERIALIZED VIEW CONCURRENTLY heads", known).problem is None
    assert weigh("REFRESH MATERIALIZED VIEW public.heads WITH NO DATA", known).problem is None
    assert weigh("REFRESH MATERIALIZED VIEW other", known).problem is not None
    assert weigh("REFRESH MATERIALIZED VIEW person", known).problem is not None


def test_a_table_known_by_its_name_alone_may_have_any_column() -> None:
    """A temporary table that a job makes later could not be registered; or phones could be copied into it."""
    known = Catalog("postgresql", [PEOPLE, Relation("staging", (), listed=False)])
    for sql in ("SELECT a, phone FROM staging", "COPY staging (id, phone) FROM STDIN", "SELECT * FROM staging"):
        assert weigh(sql, known).problem is None
        assert weigh(sql, known).uses == ()
    assert weigh("INSERT INTO person (id, phone) SELECT id, phone FROM staging", known).copies == ()
    assert weigh("SELECT phone FROM staging, person", known).uses
    assert weigh("SELECT s.id FROM staging s NATURAL JOIN person", known).uses
    for sql in ("INSERT INTO staging SELECT id, phone FROM person", "UPDATE staging SET a = phone FROM person"):
        assert weigh(sql, known).copies


def test_a_twin_is_named_by_its_schema_alone() -> None:
    """With a schema for each tenant no entity could be loaded, since its table's name would mean several tables."""
    twin = Relation("person", PEOPLE.columns, PEOPLE.tagged, schema="tenant", twin=True)
    known = Catalog("postgresql", [PEOPLE, twin])
    for table in ("person", "tenant.person"):
        assert weigh(f"SELECT p.id, p.phone FROM {table} AS p", known, (1,)).uses == ()
        assert weigh(f"SELECT p.id, p.phone FROM {table} AS p", known).uses
