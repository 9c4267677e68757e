"""Random statements, weighed by the analyser and by the databases: ``python -m tests.sql.fuzz --statements 100000``.

What this module keeps: a column that an oracle saw read, or that the grammar knows to be read, has to be a use of the
verdict; a verdict with a problem is refused in any scope, so it misses nothing. A statement that the database does not
accept is no evidence, and is counted as such. The opposite, a use where nothing was read, is counted too.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from purposebind.integrations.sql import weigh

from .disguises import disguised
from .grammar import Grammar
from .oracles import Oracle, postgresql_oracle, sqlite_oracle
from .relations import Dialect, catalog

__all__ = ["Miss", "Report", "run"]


@dataclass(frozen=True)
class Miss:
    """A statement that reads tagged columns, of which the verdict says nothing."""

    seed: int
    sql: str
    columns: frozenset[str]
    moved: tuple[int, ...]


@dataclass
class Report:
    """What a run found.

    Attributes:
        written: How many statements were written.
        accepted: How many of them the database accepted.
        silent: How many of these read nothing that is tagged, as far as the oracle and the grammar know.
        strict: How many of the silent ones the verdict calls uses all the same.
        refused: How many accepted ones the verdict refuses in any scope.
        read: How many accepted ones read something, and the verdict says so, column by column.
        problems: What the verdict said of those refused, and how often.
        examples: A statement for each of these problems.
        stricter: A few of the strict ones.
        constructs: How often each construct was in an accepted statement.
    """

    dialect: Dialect
    written: int = 0
    accepted: int = 0
    silent: int = 0
    strict: int = 0
    refused: int = 0
    read: int = 0
    misses: list[Miss] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    stricter: list[str] = field(default_factory=list)
    constructs: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        silent = max(self.silent, 1)
        return (
            f"{self.dialect}: {self.written} written, {self.accepted} accepted, {self.read} read and said so, "
            f"{len(self.misses)} missed; {self.silent} read nothing tagged, of which {self.strict} "
            f"({self.strict / silent:.1%}) are called uses; {self.refused} refused in any scope; "
            f"{len(self.constructs)} constructs"
        )


def run(dialect: Dialect, oracle: Oracle, statements: int, seed: int = 0) -> Report:
    """Weigh `statements` statements, the first of them made from `seed`, and hold each against `oracle`."""
    known = catalog(dialect)
    report = Report(dialect)
    for number in range(seed, seed + statements):
        statement = Grammar(dialect, number).statement()
        sql, asked = statement.sql, statement.asked
        if sql == asked and number % 2:
            sql = asked = disguised(sql, dialect, number)
        report.written += 1
        verdict = weigh(sql, known, statement.moved)
        used = {f"{use.column.table}.{use.column.name}" for use in verdict.uses}
        seen = oracle(asked, used)
        if seen is None:
            continue
        read = seen | statement.known
        report.accepted += 1
        report.constructs.update(statement.constructs)
        if verdict.problem is not None:
            report.refused += 1
            report.problems[verdict.problem] += 1
            report.examples.setdefault(verdict.problem, sql)
        elif read - used:
            report.misses.append(Miss(number, sql, frozenset(read - used), tuple(statement.moved)))
        elif read:
            report.read += 1
        if not read:
            report.silent += 1
            if used and verdict.problem is None:
                report.strict += 1
                report.stricter = [*report.stricter[-19:], sql]
    return report


@contextlib.contextmanager
def _oracle(dialect: Dialect) -> Iterator[Oracle]:
    if dialect == "sqlite":
        with sqlite_oracle() as oracle:
            yield oracle
        return
    from postgres_server import running

    with postgresql_oracle(running().new_database()) as oracle:
        yield oracle


def main() -> int:
    """Run it, for people: what was missed, and the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.sql.fuzz", description=main.__doc__)
    parser.add_argument("--statements", type=int, default=10_000, help="how many, for each dialect")
    parser.add_argument("--seed", type=int, default=1_000_000, help="the first seed; each statement has its own")
    parser.add_argument("--dialect", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--show", action="store_true", help="show problems and strict verdicts too")
    chosen = parser.parse_args()
    missed = 0
    for dialect in chosen.dialect or ["sqlite", "postgresql"]:
        with _oracle(dialect) as oracle:
            report = run(dialect, oracle, chosen.statements, chosen.seed)
        lines = [
            f"missed {', '.join(sorted(m.columns))} (seed {m.seed}, moved {m.moved}): {m.sql}" for m in report.misses
        ]
        if chosen.show:
            lines += [
                f"{n} times: {problem}\n    {report.examples[problem]}"
                for problem, n in report.problems.most_common(20)
            ]
            lines += [f"strict: {sql}" for sql in report.stricter]
        sys.stdout.write("\n".join([*lines, str(report)]) + "\n")
        missed += len(report.misses)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
