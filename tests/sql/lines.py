"""What a line of the table is: a statement, its verdict, and the rows that it returns where it may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from purposes import ADVERTISING, TWO_FACTOR
from sqlalchemy import text
from sqlalchemy.orm import Session

from purposebind import Purpose

__all__ = [
    "ANY",
    "BOTH",
    "LITE",
    "PG",
    "Line",
    "Lines",
    "Verdict",
    "lines",
    "loaded",
    "models",
    "ran",
    "raw",
    "rows",
    "step",
]

LITE, PG = ("sqlite",), ("postgresql",)
BOTH = LITE + PG

ANY = object()
"""Rows that are not compared."""


class Verdict(Enum):
    """What becomes of a statement in a disallowed, an allowed and no scope."""

    FREE = ("passes", "passes", "passes")
    USE = ("PurposeViolation", "passes", "NoActivePurpose")
    COPY = ("copies", "copies", "copies")
    """It copies a tagged column into one with a wider policy."""
    REFUSED = ("cannot be told", "cannot be told", "cannot be told")
    """What it uses cannot be told."""


@dataclass(frozen=True)
class Line:
    """A statement.

    Attributes:
        name: What it is called.
        run: How to run it. What it gives back is compared in every scope where it passes.
        rows: What comes back, or `ANY`.
        verdict: What becomes of it in each scope.
        dialects: The databases that it is for.
        allowed: A purpose that all its tagged columns are for.
        disallowed: One that none of them is for.
    """

    name: str
    run: Callable[[Session], Any]
    rows: Any
    verdict: Verdict
    dialects: tuple[str, ...] = BOTH
    allowed: Purpose = TWO_FACTOR
    disallowed: Purpose = ADVERTISING


Run = Callable[[Session], Any]
Lines = list[tuple[str, Run, Any, tuple[str, ...]]]


def lines(verdict: Verdict, table: Lines) -> list[Line]:
    """The lines of a table whose verdict is one."""
    return [Line(name, run, back, verdict, where) for name, run, back, where in table]


def rows(statement: Any) -> Run:
    """Run a statement, and give back the first column of each row."""
    return lambda s: [row[0] for row in s.execute(statement)]


def ran(statement: Any, *parameters: Any) -> Run:
    """Run a statement, and give back nothing."""

    def run(s: Session) -> None:
        s.execute(statement, *parameters)

    return run


def loaded(statement: Any, name: Callable[[Any], Any] = lambda entity: entity.handle) -> Run:
    """Load entities, and give back what is not tagged of each."""
    return lambda s: [name(entity) for entity in s.scalars(statement).unique()]


def models(account: Any) -> list[str]:
    return [device.model for device in account.devices]


def step(run: Callable[[Any], Any]) -> Run:
    """What is run as it stands, on a session whose answers are taken as they come."""
    return run


def raw(
    verdict: Verdict, sql: str, rows: Any = None, dialects: tuple[str, ...] = BOTH, **purposes: Purpose
) -> list[Line]:
    """A text, by each road that a text can take: ``text()``, ``exec_driver_sql`` and a cursor of the driver."""

    def by_text(session: Session) -> Any:
        return _listed(session.execute(text(sql.replace(":", r"\:"))))

    def by_driver(session: Session) -> Any:
        return _listed(session.connection().exec_driver_sql(sql))

    def by_cursor(session: Session) -> Any:
        made = session.connection().connection.cursor()
        try:
            made.execute(sql)
            return [tuple(row) for row in made.fetchall()] if made.description else []
        finally:
            made.close()

    back = [] if rows is None else rows
    roads = {"text": by_text, "driver": by_driver, "cursor": by_cursor}
    return [Line(f"{name}: {sql}", road, back, verdict, dialects, **purposes) for name, road in roads.items()]


def _listed(result: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in result] if result.returns_rows else []
