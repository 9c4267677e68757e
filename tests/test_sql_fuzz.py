"""Random statements, held against SQLite's authorizer and a PostgreSQL role with column grants.

`python -m tests.sql.fuzz --statements 100000` is the same for as long as one likes.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from postgres_server import running
from real_parts import need
from sql.fuzz import Report, run
from sql.oracles import postgresql_oracle, sqlite_oracle

ORDINARY = {
    "CTE", "CTE columns", "recursive CTE", "UNION", "UNION ALL", "INTERSECT", "EXCEPT", "ORDER BY of a set operation",
    "VALUES", "GROUP BY", "HAVING", "star", "alias", "DISTINCT", "WINDOW", "window function", "ORDER BY", "LIMIT",
    "WHERE", "JOIN", "ON", "NATURAL", "USING", "view", "subquery in FROM", "scalar subquery", "aggregate", "FILTER",
    "function", "condition", "odd literal", "schema", "schema.table.column", "INSERT", "INSERT FROM SELECT",
    "ON CONFLICT", "SET x = excluded.x", "ON CONFLICT expression", "RETURNING", "RETURNING *", "UPDATE", "UPDATE FROM",
    "DELETE", "row SET", "an alias that is a name of the schema", "moved", "moved, plain", "moved, union all",
    "moved, union", "moved, distinct", "moved, order", "moved, group", "moved, derived", "moved, cte", "moved, joined",
    "a query in a statement: view", "a query in a statement: table", "a query in a statement: explain",
}  # fmt: skip
POSTGRESQL = {
    "TABLE", "DISTINCT ON", "FOR UPDATE", "DELETE USING", "MERGE", "COPY", "a query in a statement: cursor",
    "alias list", "function in FROM", "ONLY", "LATERAL", "(alias).column", "column(alias)", "whole row",
}  # fmt: skip


@pytest.fixture(scope="module")
def lite() -> Iterator[Report]:
    with sqlite_oracle() as oracle:
        yield run("sqlite", oracle, 2000)


@pytest.fixture(scope="module")
def server() -> Iterator[Report]:
    need("initdb")
    with postgresql_oracle(running().new_database()) as oracle:
        yield run("postgresql", oracle, 2000)


@pytest.fixture(params=["lite", "server"])
def report(request: pytest.FixtureRequest) -> Report:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Report)
    return found


def test_the_database_reads_no_tagged_column_that_the_verdict_leaves_out(report: Report) -> None:
    """A query would read phone numbers for advertising, because it is written in a way nobody thought of."""
    assert report.misses == [], str(report)


def test_the_statements_are_evidence(report: Report) -> None:
    """Nothing would be missed, because nothing was asked: the database took the statements for nonsense."""
    assert report.accepted > 0.85 * report.written, str(report)
    assert report.silent > 0.3 * report.accepted, str(report)
    assert report.accepted - report.silent > 0.15 * report.accepted, str(report)


def test_every_construct_is_in_a_statement_that_counts(report: Report) -> None:
    """A clause that the generator stopped to write would be held against nothing."""
    wanted = ORDINARY | (POSTGRESQL if report.dialect == "postgresql" else set())
    assert wanted - report.constructs.keys() == set()


def test_few_statements_are_called_uses_or_refused_for_nothing(report: Report) -> None:
    """Honest queries would be refused so often that people open scopes just to be left alone."""
    assert report.strict < STRICT * report.silent, str(report)
    assert report.refused < REFUSED * report.accepted, str(report)


STRICT, REFUSED = 0.15, 0.02
