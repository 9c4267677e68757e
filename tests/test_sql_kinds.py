"""The kinds of statement that are known, and where they copy tagged columns to."""

from __future__ import annotations

import pytest
from sql.relations import catalog

from purposebind.integrations.sql import Verdict, weigh

CATALOGS = {"postgresql": catalog("postgresql"), "sqlite": catalog("sqlite")}


def weighed(sql: str, dialect: str = "postgresql") -> Verdict:
    return weigh(sql, CATALOGS[dialect])


POSTGRESQL = """
BEGIN ISOLATION LEVEL SERIALIZABLE
START TRANSACTION READ ONLY
COMMIT
ROLLBACK TO SAVEPOINT a
SAVEPOINT sa_savepoint_1
RELEASE SAVEPOINT sa_savepoint_1
PREPARE TRANSACTION 'x'
COMMIT PREPARED 'x'
SET TRANSACTION READ ONLY
SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY
SET statement_timeout = 5000
SET LOCAL app.tenant = '3'
SET TIME ZONE 'UTC'
SET CONSTRAINTS ALL DEFERRED
RESET ALL
SHOW server_version
TRUNCATE account
LOCK TABLE account IN SHARE MODE
ANALYZE account
VACUUM (ANALYZE) account
COMMENT ON COLUMN account.phone IS 'x'
GRANT SELECT (phone) ON account TO x
REVOKE ALL ON account FROM x
LISTEN x
NOTIFY x, 'y'
UNLISTEN *
FETCH FORWARD 10 FROM c
MOVE 10 IN c
CLOSE c
DELETE FROM account WHERE CURRENT OF c
INSERT INTO account OVERRIDING SYSTEM VALUE VALUES ($1)
INSERT INTO account DEFAULT VALUES
COPY account (id, phone) FROM STDIN
COPY account (id, handle) TO STDOUT
CREATE TABLE account (id SERIAL NOT NULL, phone VARCHAR(50) DEFAULT 'x' NOT NULL, PRIMARY KEY (id), UNIQUE (phone))
CREATE TABLE more (id INTEGER REFERENCES account (id), CHECK (id > 0))
CREATE TEMPORARY TABLE more AS SELECT id, handle FROM account
CREATE VIEW more AS SELECT id, handle FROM account WITH LOCAL CHECK OPTION
CREATE UNIQUE INDEX x ON account (lower(phone)) WHERE phone IS NOT NULL
DROP INDEX CONCURRENTLY x
DROP TABLE IF EXISTS account CASCADE
DROP VIEW more
ALTER TABLE account ADD COLUMN more text DEFAULT 'x'
ALTER TABLE account ADD CONSTRAINT u UNIQUE (phone)
ALTER TABLE account DROP COLUMN phone
ALTER TABLE account RENAME COLUMN bio TO about
ALTER TABLE account RENAME CONSTRAINT phone TO u
CREATE ROLE x
ALTER ROLE x LOGIN
CREATE TYPE mood AS ENUM ('x')
CREATE SEQUENCE s OWNED BY account.id
CREATE SCHEMA crm
CREATE EXTENSION IF NOT EXISTS pgcrypto
EXPLAIN ANALYZE VERBOSE SELECT handle FROM account
EXPLAIN (ANALYZE, FORMAT json) DELETE FROM account WHERE id = 3
""".strip().splitlines()

SQLITE = """
BEGIN IMMEDIATE
REPLACE INTO account (id, bio) VALUES (?, ?)
INSERT OR IGNORE INTO account (id, bio) VALUES (?1, :bio)
INSERT OR FAIL INTO account (id, phone) VALUES (?1, :phone)
UPDATE OR REPLACE account SET bio = @bio WHERE id = $id
UPDATE OR ABORT account SET phone = @phone WHERE id = $id
WITH x AS (SELECT 1 AS id) REPLACE INTO account (id) SELECT id FROM x
WITH x (n) AS (SELECT 1) VALUES (2)
DELETE FROM account WHERE id = 3
PRAGMA foreign_keys = ON
PRAGMA main.table_info("account")
SELECT name FROM pragma_table_info('account')
SELECT sql FROM sqlite_master
SELECT account.rowid, _rowid_ FROM account NOT INDEXED
SELECT id AS 'phone' FROM account LIMIT 1, 2
SELECT json_each.value FROM account, json_each(account.bio)
VACUUM
REINDEX
EXPLAIN QUERY PLAN SELECT handle FROM account
""".strip().splitlines()


@pytest.mark.parametrize(
    ("sql", "dialect"), [(sql, "postgresql") for sql in POSTGRESQL] + [(sql, "sqlite") for sql in SQLITE]
)
def test_a_kind_that_gives_no_value_passes(sql: str, dialect: str) -> None:
    """Migrations, transactions and housekeeping would be refused."""
    verdict = weighed(sql, dialect)
    assert (verdict.problem, verdict.uses, verdict.copies) == (None, (), ())


REFUSED = """
DO $$ BEGIN PERFORM 1; END $$
CALL something()
EXECUTE something
PREPARE x AS SELECT phone FROM account
EXPLAIN EXECUTE x
CREATE TABLE more AS EXECUTE x
CREATE FUNCTION f() RETURNS text AS 'SELECT phone FROM account' LANGUAGE sql
CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'
CREATE TRIGGER t BEFORE INSERT ON account EXECUTE FUNCTION f()
CREATE RULE r AS ON SELECT TO note DO INSTEAD SELECT phone FROM account
CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION f()
CREATE RECURSIVE VIEW v (a) AS SELECT 1
CREATE FOREIGN TABLE x (a int) SERVER y
CREATE SCHEMA crm CREATE VIEW v AS SELECT phone FROM account
REFRESH MATERIALIZED VIEW v
IMPORT FOREIGN SCHEMA x FROM SERVER y INTO z
SET ROLE postgres
SET "role" TO postgres
SET LOCAL role = 'x'
SET SESSION ROLE x
SET SESSION AUTHORIZATION x
SET search_path TO evil
SET standard_conforming_strings = off
RESET ROLE
RESET search_path
DISCARD ALL
ALTER ROLE x SET search_path = evil
ALTER SYSTEM SET work_mem = 1
ALTER VIEW contacts RENAME COLUMN contact TO x
ALTER SCHEMA public RENAME TO other
ALTER TABLE account RENAME TO other
ALTER TABLE ONLY account RENAME COLUMN phone TO other
ALTER TABLE account RENAME "phone" TO other
ALTER TABLE account SET SCHEMA other
ALTER TABLE account ATTACH PARTITION other FOR VALUES IN (1)
ALTER TABLE account ALTER COLUMN bio TYPE text USING upper(phone)
ALTER TABLE account ADD COLUMN hash text GENERATED ALWAYS AS (md5(phone)) STORED
CREATE TABLE account (id int, phone text, hash text GENERATED ALWAYS AS (md5(phone)) STORED)
CREATE TABLE other PARTITION OF account FOR VALUES IN (1)
CREATE TABLE other () INHERITS (account)
COPY account TO '/tmp/x'
COPY account FROM PROGRAM 'x'
COPY account (id) FROM STDIN WHERE phone = 'x'
COPY (SELECT phone FROM account) TO PROGRAM 'x'
DECLARE c CURSOR FOR EXECUTE x
LOAD 'x'
SELECT pg_read_file('x')
SELECT set_config('role', 'x', false)
SELECT dblink('x', 'SELECT phone FROM account')
12
""".strip().splitlines()

REFUSED_SQLITE = """
ATTACH DATABASE 'x' AS y
DETACH y
VACUUM INTO 'x'
PRAGMA writable_schema = 1
PRAGMA temp_store_directory = 'x'
CREATE VIRTUAL TABLE x USING fts5(y)
CREATE TRIGGER t AFTER INSERT ON account BEGIN SELECT phone FROM account; END
SELECT load_extension('x')
SELECT readfile('x')
SELECT 'x' IN handles
SELECT * FROM sqlite_stat4
SELECT * FROM pragma_secret('x')
""".strip().splitlines()


@pytest.mark.parametrize(
    ("sql", "dialect"), [(sql, "postgresql") for sql in REFUSED] + [(sql, "sqlite") for sql in REFUSED_SQLITE]
)
def test_a_kind_that_could_hide_a_read_does_not_pass(sql: str, dialect: str) -> None:
    """A text within a text, another name, a file or somebody else's rights would be a way round."""
    assert weighed(sql, dialect).problem


COPIES = {
    "INSERT INTO audience (id, phone) SELECT id, phone FROM account": [("account.phone", "audience.phone")],
    "INSERT INTO note (id, body) SELECT id, upper(phone) FROM account": [("account.phone", "note.body")],
    "INSERT INTO note SELECT id, id, phone FROM account": [("account.phone", "note.body")],
    "INSERT INTO note (id, body) SELECT id, phone || email FROM account": [
        ("account.email", "note.body"),
        ("account.phone", "note.body"),
    ],
    "INSERT INTO note (id, body) VALUES (1, (SELECT phone FROM account))": [("account.phone", "note.body")],
    "INSERT INTO note (id, body) SELECT id, contact FROM contacts": [("account.email", "note.body")],
    "INSERT INTO note (body) SELECT CASE WHEN id > 3 THEN phone END FROM account": [("account.phone", "note.body")],
    "WITH x AS (SELECT phone AS y FROM account) INSERT INTO note (id, body) SELECT 9, y FROM x": [
        ("account.phone", "note.body")
    ],
    "UPDATE account SET bio = phone": [("account.phone", "account.bio")],
    "UPDATE account SET email = phone": [("account.phone", "account.email")],
    "UPDATE note SET body = a.phone FROM account a WHERE a.id = note.id": [("account.phone", "note.body")],
    "UPDATE note SET body = (SELECT phone FROM account LIMIT 1)": [("account.phone", "note.body")],
    "UPDATE note SET (body, id) = (SELECT phone, id FROM account LIMIT 1)": [("account.phone", "note.body")],
    "INSERT INTO account (id, phone) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET bio = excluded.phone": [
        ("account.phone", "account.bio")
    ],
    "CREATE TABLE more AS SELECT id, phone AS p FROM account": [("account.phone", "more.p")],
    "CREATE VIEW crm.more AS SELECT phone FROM account": [("account.phone", "crm.more.phone")],
    "CREATE TABLE more AS SELECT 1, phone || 'x' FROM account": [("account.phone", "more.column 2")],
}


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
@pytest.mark.parametrize("sql", COPIES)
def test_a_copy_into_a_wider_policy_is_told(sql: str, dialect: str) -> None:
    """A number would be copied to where it may be read for anything, by a statement whose purpose was fine."""
    verdict = weighed(sql, dialect)
    assert verdict.problem is None
    assert [(f"{one.source.table}.{one.source.name}", one.target) for one in verdict.copies] == COPIES[sql]


UNTOLD = {
    "INSERT INTO account (id, phone) VALUES (1, 'x') ON CONFLICT DO NOTHING": "ON CONFLICT",
    "INSERT OR IGNORE INTO account (id, phone) VALUES (1, 'x')": "OR IGNORE",
    "INSERT OR REPLACE INTO account (id, phone) VALUES (1, 'x')": "OR REPLACE",
    "REPLACE INTO account (id, phone) VALUES (1, 'x')": "OR REPLACE",
    "UPDATE OR IGNORE account SET phone = 'x' WHERE id = 3": "OR IGNORE",
}


@pytest.mark.parametrize("sql", UNTOLD)
def test_a_write_that_tells_whether_a_value_is_there_is_a_use(sql: str) -> None:
    """A list of numbers would be held against the accounts, by trying to insert each and counting what went in."""
    verdict = weighed(sql, "sqlite")
    assert verdict.problem is None
    assert [(use.column.name, use.clause) for use in verdict.uses] == [("phone", UNTOLD[sql])]


POSTGRESQL_COPIES = [
    "MERGE INTO note n USING account a ON a.id = n.id WHEN MATCHED THEN UPDATE SET body = a.phone",
    "MERGE INTO note n USING account a ON a.id = n.id WHEN NOT MATCHED THEN INSERT (id, body) VALUES (a.id, a.phone)",
    "WITH d AS (DELETE FROM account RETURNING *) INSERT INTO note (body) SELECT phone FROM d",
    "WITH i AS (INSERT INTO note (body) SELECT phone FROM account RETURNING id) SELECT id FROM i",
    "INSERT INTO note (body) SELECT a::text FROM account a",
    "UPDATE note SET (id, body) = ROW(1, a.phone) FROM account a",
    "CREATE MATERIALIZED VIEW more AS SELECT phone FROM account WITH NO DATA",
]


@pytest.mark.parametrize("sql", POSTGRESQL_COPIES)
def test_a_copy_in_a_statement_of_postgresql_is_told(sql: str) -> None:
    """The same, by a statement that one database has and the other has not."""
    assert weighed(sql).copies


NO_COPIES = [
    "INSERT INTO account (id, phone) SELECT id + 10, phone || 'x' FROM account",
    "UPDATE account SET phone = email",
    "UPDATE account SET phone = upper(phone)",
    "INSERT INTO note (id, body) SELECT id, handle FROM account WHERE phone > 'x'",
    "UPDATE account SET score = length(bio) WHERE phone = 'x'",
    "UPDATE note SET account_id = (SELECT count(*) FROM account WHERE phone = 'x')",
    "CREATE TABLE more AS SELECT phone IS NULL AS missing FROM account",
    "CREATE VIEW more AS SELECT id FROM account WHERE phone > 'x'",
]


@pytest.mark.parametrize("sql", NO_COPIES)
def test_a_use_that_keeps_no_value_is_no_copy(sql: str) -> None:
    """What is allowed in a scope would be refused in any: a narrower column, a comparison, a count."""
    verdict = weighed(sql)
    assert verdict.uses
    assert (verdict.problem, verdict.copies) == (None, ())
