"""What a statement does with tagged columns: the clauses, whole rows, what is not known."""

from __future__ import annotations

import logging

import pytest
import sqlglot
from purposes import ADVERTISING, SECRET
from sql.relations import catalog

from purposebind.integrations.sql import Catalog, Relation, TaggedColumn, Verdict, weigh
from purposebind.policy import Policy

CATALOGS = {"postgresql": catalog("postgresql"), "sqlite": catalog("sqlite")}
BOTH = ("postgresql", "sqlite")


def uses(sql: str, dialect: str = "postgresql") -> dict[str, str]:
    verdict = weigh(sql, CATALOGS[dialect])
    assert verdict.problem is None, verdict.problem
    return {f"{use.column.table}.{use.column.name}": use.clause for use in verdict.uses}


CLAUSES = [
    ("SELECT phone FROM account", "the select list"),
    ("SELECT upper(a.phone) FROM account AS a", "the select list"),
    ("SELECT count(phone) FROM account", "the select list"),
    ("SELECT id FROM account WHERE phone = 'x'", "WHERE"),
    ("SELECT id FROM account WHERE id IN (SELECT id FROM account WHERE phone LIKE 'x%')", "WHERE"),
    ("SELECT a.id FROM account a JOIN device d ON a.phone = d.model", "ON"),
    ("SELECT a.id FROM account a JOIN contacts c ON c.id = a.id AND a.phone IS NULL", "ON"),
    ("SELECT count(*) FROM account GROUP BY phone", "GROUP BY"),
    ("SELECT handle FROM account GROUP BY handle HAVING max(phone) > 'x'", "HAVING"),
    ("SELECT handle FROM account ORDER BY length(phone)", "ORDER BY"),
    ("SELECT row_number() OVER (ORDER BY phone) FROM account", "OVER"),
    ("SELECT count(*) OVER w FROM account WINDOW w AS (PARTITION BY phone)", "WINDOW"),
    ("SELECT id FROM account LIMIT (SELECT length(phone) FROM account)", "the select list"),
    ("WITH c AS (SELECT id FROM account WHERE phone > 'x') SELECT id FROM c", "WHERE"),
    ("SELECT t.id FROM (SELECT id FROM account WHERE phone > 'x') AS t", "WHERE"),
    ("SELECT id FROM note WHERE EXISTS (SELECT 1 FROM account WHERE phone = body)", "WHERE"),
    ("UPDATE account SET bio = 'x' WHERE phone = 'y'", "WHERE"),
    ("UPDATE account SET phone = upper(phone)", "SET"),
    ("DELETE FROM account WHERE phone = 'y'", "WHERE"),
    ("INSERT INTO account (id, phone) VALUES (1, 'x') RETURNING phone", "RETURNING"),
    ("INSERT INTO account (id, phone) VALUES (1, 'x') ON CONFLICT (phone) DO NOTHING", "ON CONFLICT"),
    ("EXPLAIN SELECT id FROM account WHERE phone = 'x'", "WHERE"),
]


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize(("sql", "clause"), CLAUSES)
def test_a_mention_in_any_clause_is_a_use(sql: str, clause: str, dialect: str) -> None:
    """Phone numbers would be compared, sorted or counted for advertising, because they are not in the select list."""
    found = uses(sql, dialect)
    assert found.pop("account.phone") == clause
    assert found == {}


POSTGRESQL_CLAUSES = [
    ("SELECT DISTINCT ON (phone) handle FROM account", "DISTINCT"),
    ("SELECT string_agg(handle, ',' ORDER BY phone) FROM account", "the select list"),
    ("SELECT percentile_disc(1) WITHIN GROUP (ORDER BY phone) FROM account", "the select list"),
    ("SELECT t.p FROM note n, LATERAL (SELECT phone AS p FROM account WHERE id = n.id) t", "the select list"),
    ("DELETE FROM note USING account a WHERE a.phone = body", "WHERE"),
    ("DELETE FROM note USING account a JOIN device d ON a.phone = d.model WHERE true", "ON"),
    ("MERGE INTO account a USING note n ON a.phone = n.body WHEN MATCHED THEN DELETE", "ON"),
    ("MERGE INTO account a USING note n ON a.id = n.id WHEN MATCHED AND a.phone = n.body THEN DELETE", "WHEN"),
    ("COPY account (id, phone) TO STDOUT", "COPY"),
    ("COPY (SELECT phone FROM account) TO STDOUT WITH (FORMAT csv)", "the select list"),
    ("DECLARE c NO SCROLL CURSOR WITH HOLD FOR SELECT phone FROM account", "the select list"),
    ("WITH account AS (SELECT 1 AS id, 'x' AS phone) UPDATE account SET bio = 'x' WHERE phone = 'y'", "WHERE"),
    ("SELECT 1 FROM note n JOIN ((account a JOIN device d ON a.phone = d.model) JOIN loud c ON true) ON true", "ON"),
    (
        "WITH RECURSIVE a AS (SELECT 1 AS n) SEARCH DEPTH FIRST BY phone SET o SELECT id FROM account",
        "the statement's text",
    ),
]


@pytest.mark.parametrize(("sql", "clause"), POSTGRESQL_CLAUSES)
def test_a_mention_in_a_clause_of_postgresql_is_a_use(sql: str, clause: str) -> None:
    """The same, by a clause that one database has and the other has not."""
    assert uses(sql)["account.phone"] == clause


WHOLE_ROWS = [
    "SELECT * FROM account",
    "SELECT a.* FROM account a",
    "SELECT a FROM account a",
    "SELECT account FROM account",
    "SELECT a::text FROM account a",
    "SELECT row_to_json(a) FROM account a",
    "SELECT jsonb_build_object('a', account.*) FROM account",
    "SELECT count(a) FROM account a",
    "SELECT ROW(a.*) FROM account a",
    "SELECT (a).id FROM account a",
    "SELECT id(a) FROM account a",
    "SELECT id FROM account a WHERE a IS NULL",
    "SELECT 1 FROM account a JOIN note n ON (a, n) IS NOT NULL",
    "SELECT z FROM account AS a (x, y, z)",
    "TABLE account",
    "SELECT t FROM (SELECT * FROM account) AS t",
    "INSERT INTO account (id) VALUES (1) RETURNING *",
    "COPY account TO STDOUT",
    "SELECT id FROM account NATURAL JOIN (SELECT * FROM account) AS b",
]


@pytest.mark.parametrize("sql", WHOLE_ROWS)
def test_a_whole_row_is_a_use_of_every_tagged_column(sql: str) -> None:
    """A star, or an alias in the place of a column, would hand out what no name in the statement tells of."""
    assert uses(sql).keys() == {"account.phone", "account.email", "account.score"}


@pytest.mark.parametrize("dialect", BOTH)
def test_using_and_natural_compare_columns_that_they_do_not_show(dialect: str) -> None:
    """Two tables would be matched by phone number, which is what an audience is made of."""
    matched = {"account.phone": "USING", "audience.phone": "USING"}
    assert uses("SELECT 1 FROM account JOIN audience USING (phone)", dialect) == matched
    natural = uses("SELECT 1 FROM account NATURAL JOIN audience", dialect)
    assert natural == dict.fromkeys(matched, "NATURAL JOIN")
    if dialect == "sqlite":  # takes a literal for a name here
        assert uses("SELECT 1 FROM account JOIN audience USING ('phone')", dialect) == matched


FREE = [
    "SELECT handle FROM account WHERE id > 3 ORDER BY handle",
    "SELECT count(*) FROM account",
    "SELECT 'phone' FROM account",
    "SELECT handle /* phone */ FROM account -- phone",
    "SELECT phone FROM note AS account (id, phone, body)",
    "SELECT bio AS phone FROM account",
    "SELECT t.n FROM (SELECT count(*) AS n FROM account) AS t",
    "SELECT t.count FROM (SELECT count(*) FROM account) AS t WHERE t.count > 3",
    "WITH account AS (SELECT id, body AS phone FROM note) SELECT phone FROM account",
    "SELECT device.phone FROM account JOIN device ON device.account_id = account.id",
    "INSERT INTO account (id, phone) VALUES ($1, $2), ($3, $4)",
    "INSERT INTO account (id, phone) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET phone = excluded.phone",
    "INSERT INTO account (id, phone) VALUES (1, 'x') ON CONFLICT ON CONSTRAINT account_pkey DO NOTHING",
    "UPDATE account SET phone = 'x', email = $1 WHERE id = 3",
    "UPDATE account SET phone = n.body FROM note n WHERE n.id = account.id",
    "UPDATE account SET (phone, email) = ('x', 'y')",
    "MERGE INTO account a USING note n ON a.id = n.id WHEN MATCHED THEN UPDATE SET phone = n.body",
    "MERGE INTO account a USING note n ON a.id = n.id WHEN NOT MATCHED THEN INSERT (id, phone) VALUES (n.id, n.body)",
    "DELETE FROM account WHERE id = 3",
    "SELECT extract(year FROM now()), now() AT TIME ZONE 'utc' + interval '1 day'",
    "SELECT id FROM account WHERE (id, handle) IN ((1, 'x'), (2, 'y')) AND id = ANY (ARRAY[1, 2]::int[])",
    "SELECT q.handle FROM (account a JOIN note n ON n.account_id = a.id) AS q",
    "SELECT a.id FROM ((account a JOIN device d ON d.account_id = a.id) JOIN note n ON n.account_id = a.id)",
    "SELECT relname FROM pg_catalog.pg_class WHERE pg_catalog.pg_table_is_visible(oid)",
    "SELECT column_name FROM information_schema.columns",
]


@pytest.mark.parametrize("sql", FREE)
def test_what_reads_nothing_tagged_is_no_use(sql: str) -> None:
    """Honest statements would be refused, until people open scopes just to be left alone."""
    verdict = weigh(sql, CATALOGS["postgresql"])
    assert (verdict.problem, verdict.uses, verdict.copies) == (None, (), ())


def test_a_conflict_target_by_the_name_of_a_constraint_may_be_any_column() -> None:
    """Whether somebody's number is known would be asked through a constraint, whose name tells nothing."""
    sql = "INSERT INTO account (id) VALUES (1) ON CONFLICT ON CONSTRAINT account_phone_key DO NOTHING"
    assert uses(sql)["account.phone"] == "ON CONFLICT"


REFUSED = {
    "SELECT secret FROM elsewhere": "the relation elsewhere",
    "SELECT nowhere FROM account": "the column nowhere",
    "SELECT other.phone FROM account": "the column phone",
    "SELECT made_up(handle) FROM account": "the function made_up",
    "SELECT public.lower(handle) FROM account": "the function lower",
    "SELECT query_to_xml('SELECT phone FROM account', true, false, '')": "the function query_to_xml",
    "SELECT most_common_vals FROM pg_stats": "pg_stats",
    "SELECT query FROM pg_stat_activity": "pg_stat_activity",
    "SELECT handle INTO copy_of FROM account": "SELECT ... INTO",
    "SELECT handle FROM": "cannot be read",
    "SELECT 'open": "not closed",
    "SELECT " + "(" * 250 + "1" + ")" * 250: "too deep",
    "SELECT handle FROM account WHERE " + "NOT " * 3000 + "true": "too deep",
}


@pytest.mark.parametrize("sql", REFUSED)
def test_what_is_not_known_is_a_problem(sql: str) -> None:
    """A function, a table or a dialect that nobody thought of would be a way round."""
    problem = weigh(sql, CATALOGS["postgresql"]).problem
    assert problem is not None
    assert REFUSED[sql] in problem


def test_unknown_relations_are_listed_to_be_looked_up() -> None:
    """Tables that are in the database and not in the mapping could not be used at all."""
    verdict = weigh(
        "SELECT 1 FROM Elsewhere e JOIN crm.People p ON e.id = p.id JOIN account ON true", CATALOGS["postgresql"]
    )
    assert verdict.unknown == ("elsewhere", "crm.people")


def test_registered_functions_pass() -> None:
    """A service's own harmless functions would be refused, with no way to say that they are harmless."""
    relations = CATALOGS["postgresql"].relations
    known = Catalog("postgresql", relations, ["initials", "crm.score"])
    assert weigh("SELECT initials(handle), crm.score(id) FROM account", known).problem is None
    assert weigh("SELECT score2(id), score(id) FROM account", known).problem is not None
    assert weigh("SELECT initials(phone) FROM account", known).uses


def test_schemas_are_told_apart() -> None:
    """A table of the same name in another schema would be taken for the tagged one, or the tagged one for it."""
    column = TaggedColumn("crm.people", "phone", "People.phone", Policy([ADVERTISING]))
    known = Catalog(
        "postgresql", [Relation("people", ("id", "phone"), {"phone": column}, "crm"), Relation("people", ("phone",))]
    )
    assert weigh("SELECT phone FROM public.people", known).uses == ()
    assert weigh("SELECT phone FROM crm.people", known).uses
    assert weigh("SELECT phone FROM people", known).uses, "the search path decides, which is not to be seen here"
    assert weigh("SELECT 1 FROM crm.people", known).touches == {"crm.people"}


def test_the_tables_touched_are_named() -> None:
    """The database's own guard would be set up for the wrong tables."""
    assert weigh("SELECT handle FROM account, note", CATALOGS["sqlite"]).touches == {"account"}
    assert weigh("INSERT INTO audience (id) SELECT id FROM note", CATALOGS["sqlite"]).touches == {"audience"}
    assert weigh("TRUNCATE device", CATALOGS["postgresql"]).touches == {"device"}


@pytest.mark.parametrize("dialect", BOTH)
def test_statements_in_one_text_are_weighed_together(dialect: str) -> None:
    """The second statement of a text would run unseen."""
    assert uses("SELECT 1; SELECT phone FROM account;", dialect) == {"account.phone": "the select list"}
    assert weigh("SELECT handle FROM account; SELECT made_up()", CATALOGS[dialect]).problem is not None
    assert weigh(" ; -- nothing", CATALOGS[dialect]) == Verdict()


WITH_A_SECRET = [
    f"SELECT '{SECRET}' FROM elsewhere",
    f"SELECT id FROM account WHERE phone = '{SECRET}' AND made_up('{SECRET}')",
    f'SELECT id FROM account WHERE handle = "{SECRET}"',
    f"SELECT id FROM account WHERE '{SECRET}",
    f"SELECT id FROM FROM account WHERE phone = '{SECRET}'",
    f"FROB '{SECRET}'",
    f"'{SECRET}'",
    f"SELECT {SECRET}",
    f"SET ROLE '{SECRET}'",
    f"CREATE VIEW '{SECRET}'",
    f"PRAGMA key = '{SECRET}'",
]


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize("sql", WITH_A_SECRET)
def test_no_value_is_in_a_problem_or_a_log(
    sql: str, dialect: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A refusal would put the number that was looked for into the log."""
    with caplog.at_level(logging.DEBUG):
        assert SECRET.lstrip("+") not in repr(weigh(sql, CATALOGS[dialect]))
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_the_parser_logs_for_others_as_before(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever uses the parser for something else would miss its warnings."""
    weigh("SELECT 1", CATALOGS["sqlite"])
    sqlglot.parse_one("REPLACE INTO x VALUES (1)", read="sqlite")
    assert len(caplog.records) == 1


def test_long_texts_are_read() -> None:
    """A bulk insert would be refused for its length."""
    rows = ", ".join(f"(${2 * i + 1}, ${2 * i + 2})" for i in range(5000))
    assert weigh(f"INSERT INTO account (id, phone) VALUES {rows}", CATALOGS["postgresql"]) == Verdict(
        touches=frozenset({"account"})
    )
    many = ", ".join("?" * 20000)
    assert uses(f"SELECT id FROM account WHERE phone IN ({many})", "sqlite") == {"account.phone": "WHERE"}
    either = " OR ".join(f"id = {i}" for i in range(500))
    assert uses(f"SELECT phone FROM account WHERE {either}", "sqlite") == {"account.phone": "the select list"}
