"""Which values move while they stay sealed, and what is behind views."""

from __future__ import annotations

import contextlib
import inspect
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from purposes import SECURITY, TWO_FACTOR
from sql.relations import catalog

from purposebind.integrations.sql import Catalog, Relation, Verdict, weigh
from purposebind.policy import Policy

CATALOGS = {"postgresql": catalog("postgresql"), "sqlite": catalog("sqlite")}
BOTH = ("postgresql", "sqlite")


def uses(sql: str, dialect: str = "postgresql", moved: tuple[int, ...] = ()) -> dict[str, str]:
    verdict = weigh(sql, CATALOGS[dialect], moved)
    assert verdict.problem is None, verdict.problem
    return {f"{use.column.table}.{use.column.name}": use.clause for use in verdict.uses}


MOVED = [
    "SELECT id, phone FROM account WHERE id = 3 ORDER BY id",
    "SELECT a.id AS a_id, a.phone AS a_phone FROM account AS a LEFT JOIN device ON device.account_id = a.id",
    "SELECT id, phone FROM account UNION ALL SELECT id, phone FROM account",
    "SELECT t.id, t.p FROM (SELECT id, phone AS p FROM account LIMIT 3) AS t",
    "WITH c (i, p) AS (SELECT id, phone FROM account) SELECT i, p FROM c",
    "SELECT id, contact FROM contacts",
    "SELECT id, phone FROM account FOR UPDATE",
    "INSERT INTO account (id) VALUES (1) RETURNING id, phone",
    "UPDATE account SET bio = 'x' RETURNING id, phone",
]


@pytest.mark.parametrize("sql", MOVED)
def test_a_column_that_comes_back_sealed_is_no_use(sql: str) -> None:
    """Loading an entity would need a purpose, before anybody looked at what was loaded."""
    verdict = weigh(sql, CATALOGS["postgresql"], (1,))
    assert (verdict.problem, verdict.uses, verdict.moves) == (None, (), True)
    assert weigh(sql, CATALOGS["postgresql"]).uses


COMPARED = [
    ("SELECT DISTINCT id, phone FROM account", "DISTINCT"),
    ("SELECT id, phone FROM account UNION SELECT id, phone FROM account", "UNION"),
    ("SELECT id, phone FROM account EXCEPT SELECT id, phone FROM account", "EXCEPT"),
    ("SELECT id, phone FROM account ORDER BY 2", "ORDER BY"),
    ("SELECT id, phone FROM account ORDER BY (2) DESC", "ORDER BY"),
    ("SELECT id, phone AS p FROM account ORDER BY p", "ORDER BY"),
    ("SELECT id, phone FROM account GROUP BY 1, 2", "GROUP BY"),
    ("SELECT id, phone FROM account WHERE phone = 'x'", "WHERE"),
    ("SELECT id, upper(phone) FROM account", "the select list"),
    ("SELECT id, (SELECT phone FROM account) FROM account", "the select list"),
    ("SELECT t.id, t.p FROM (SELECT DISTINCT id, phone AS p FROM account) AS t", "DISTINCT"),
    ("SELECT t.id, t.p FROM (SELECT id, upper(phone) AS p FROM account) AS t", "the select list"),
    ("SELECT t.id, t.p FROM (SELECT id, phone AS p FROM account) AS t WHERE t.p > 'x'", "WHERE"),
    ("SELECT id, shout FROM loud", "the select list"),
    ("SELECT a.*, a.phone FROM account a", "the select list"),
    ("EXPLAIN SELECT id, phone FROM account", "the select list"),
    ("SELECT id, phone FROM account; SELECT 1", "the select list"),
]


@pytest.mark.parametrize(("sql", "clause"), COMPARED)
def test_what_is_compared_or_computed_on_the_way_is_a_use(sql: str, clause: str) -> None:
    """A query that looks like the loading of an entity would sort people by their number."""
    assert uses(sql, moved=(1,))["account.phone"] == clause


def test_a_value_does_not_come_back_under_a_wider_policy() -> None:
    """A number for login codes would come back in the box of a column that more may be done with."""
    sql = "SELECT id, phone FROM account UNION ALL SELECT id, email FROM account"
    assert uses(sql, moved=(1,)).keys() == {"account.phone", "account.email"}
    narrow = weigh(sql, CATALOGS["postgresql"], {1: Policy([TWO_FACTOR])})
    assert (narrow.uses, narrow.copies, narrow.moves) == ((), (), True)
    (copy,) = weigh(sql, CATALOGS["postgresql"], {1: Policy([SECURITY])}).copies
    assert (copy.source.field, copy.target) == ("Account.phone", "column 2 of the result")


@pytest.mark.parametrize("dialect", BOTH)
def test_views_are_followed(dialect: str) -> None:
    """A view would rename the number, and everybody could read it under that name."""
    assert uses("SELECT contact FROM contacts", dialect) == {"account.email": "the select list"}
    assert uses("SELECT name FROM nested WHERE contact > 'x'", dialect) == {"account.email": "WHERE"}
    assert uses("SELECT shout FROM loud", dialect) == {"account.phone": "the select list"}
    assert uses("SELECT handle FROM reachable", dialect) == {"account.phone": "the view reachable"}
    assert uses("SELECT name FROM nested JOIN handles ON true", dialect) == {}
    assert weigh("SELECT name FROM nested", CATALOGS[dialect]).touches == {"account"}


def made(*views: Relation, dialect: str = "postgresql") -> Catalog:
    known = CATALOGS[dialect]
    return Catalog(known.dialect, [*known.relations, *views])


def test_a_view_that_tells_a_fact_is_followed() -> None:
    """Whether somebody gave a number would be open to all, because the view shows no number."""
    view = Relation("facts", ("id", "has"), definition="SELECT id, phone IS NOT NULL AS has FROM account")
    assert [use.column.name for use in weigh("SELECT has FROM facts", made(view)).uses] == ["phone"]
    assert weigh("SELECT has FROM facts", made(view), (0,)).uses
    assert weigh("SELECT id FROM facts", made(view)).uses == ()


def test_a_view_of_a_star_is_followed_column_by_column() -> None:
    """Every use of such a view would be called a use of every number behind it, or of none."""
    view = Relation("copied", ("i", "h", "p", "e", "s", "b"), definition="CREATE VIEW copied AS SELECT * FROM account;")
    assert [use.column.name for use in weigh("SELECT p FROM copied", made(view)).uses] == ["phone"]
    assert weigh("SELECT i, b FROM copied", made(view)).uses == ()
    assert weigh("SELECT p FROM copied", made(view), (0,)).moves


def test_a_view_that_cannot_be_read_is_refused() -> None:
    """A view that the analyser gave up on would be taken for one without tagged columns."""
    for definition in (
        "SELECT made_up(id) AS x FROM account",
        "SELECT FROM WHERE",
        "DROP TABLE x",
        "SELECT x FROM circle",
    ):
        problem = weigh("SELECT x FROM circle", made(Relation("circle", ("x",), definition=definition))).problem
        assert problem is not None
        assert "circle" in problem
    hidden = weigh("SELECT x FROM v", made(Relation("v", ("x",), definition="SELECT x FROM crm.elsewhere")))
    assert hidden.unknown == ("crm.elsewhere",)


def test_views_are_read_by_many_threads_at_once() -> None:
    """Under load, a view that one thread is reading would be refused to another."""
    for _ in range(20):
        known = catalog("postgresql")
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: weigh("SELECT contact FROM nested", known), range(16)))  # noqa: B023
        assert {one.problem for one in found} == {None}


def test_a_statement_too_deep_for_this_stack_is_refused_and_not_remembered() -> None:
    """Far down in a framework's calls a view would be refused for good."""

    def down(left: int, known: Catalog) -> Verdict:
        return down(left - 1, known) if left else weigh("SELECT contact FROM nested", known)

    outcomes: list[str | None] = []
    spare = 10
    while None not in outcomes:
        known = catalog("sqlite")
        with contextlib.suppress(RecursionError):
            outcomes.append(down(sys.getrecursionlimit() - len(inspect.stack(0)) - spare, known).problem)
        assert weigh("SELECT contact FROM nested", known).problem is None
        spare += 2
    assert "it is nested too deep. Write it in several statements" in outcomes
