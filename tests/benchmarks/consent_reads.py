"""What a read under consent costs in a scope that was told whose data will be read, against a read without consent.

    python -m tests.benchmarks.consent_reads [--subjects 100000] [--turns 15]

Every person is read once in a turn, as a loop over them does. The kinds of read take turns, and an empty loop over the
same people is taken off each; a ratio is the median of the turns' ratios. How long the store takes to say who consents,
once for everybody, is told as a share of all reads without consent.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this checkout is measured, whatever is installed

import sqlalchemy
import typer

from purposebind import AllowedFor, CollectedAt, Purpose, PurposeModel, SubjectId, configure, purpose_scope
from purposebind.consent import InMemoryConsents
from purposebind.integrations.sqlalchemy import SQLAlchemyConsents

__all__ = ["LIMIT", "PEOPLE", "TURNS", "measure", "table"]

LIMIT = 2.0
PEOPLE = 100_000
TURNS = 15

SERVICE = Purpose("service", "Do what was asked for")
OFFERS = Purpose("offers", "Write about offers")


class Person(PurposeModel):
    """A person of whom one field hangs on nothing, one on consent, and one on time."""

    id: Annotated[int, SubjectId]
    plain: Annotated[str, AllowedFor(SERVICE, OFFERS)]
    asked: Annotated[str, AllowedFor(SERVICE, with_consent=[OFFERS])]
    retained: Annotated[str, AllowedFor(OFFERS, retain=timedelta(days=90))]
    at: Annotated[datetime, CollectedAt]


def main(
    subjects: Annotated[int, typer.Option(help="How many people.")] = PEOPLE,
    turns: Annotated[int, typer.Option(help="How often each kind of read has its turn.")] = TURNS,
) -> None:
    """Measure reads under consent against reads without."""
    found = measure(subjects, turns)
    print(table(found))
    if found["asked"] > LIMIT:
        raise typer.Exit(1)


def measure(subjects: int = PEOPLE, turns: int = TURNS) -> dict[str, float]:
    """Return the ratios, and under ``"plain"`` the seconds of a read without consent."""
    now, phone = datetime.now(timezone.utc), "+46 70 1"
    people = [Person(id=number, plain=phone, asked=phone, retained=phone, at=now) for number in range(subjects)]
    memory = InMemoryConsents()
    for number in range(subjects):
        memory.give(number, OFFERS, wording="1")
    kinds: dict[str, list[float]] = {"plain": [], "asked": [], "retained": [], "memory": []}
    with configure(consent=memory, consent_max_age=timedelta(hours=1)):
        for _ in range(turns):
            with purpose_scope(OFFERS, subjects=range(subjects)):
                kinds["memory"].append(_timed(lambda: people[0].asked))
                empty = _timed(lambda: _nothing(people))
                for name, loop in (("plain", _plain), ("asked", _asked), ("retained", _retained)):
                    kinds[name].append(_timed(lambda loop=loop: loop(people)) - empty)  # type: ignore[misc]
    plain = statistics.median(kinds["plain"])
    ratios = {name: _ratio(kinds[name], kinds["plain"]) for name in ("asked", "retained", "memory")}
    return {**ratios, "plain": plain / subjects, "sqlite": _sqlite(subjects) / plain, "subjects": subjects}


def table(found: dict[str, float]) -> str:
    """Return what `measure` found as Markdown."""
    verdict = "yes" if found["asked"] <= LIMIT else "**no**"
    rows = [
        ("a read under consent", "a read without consent", f"{found['asked']:.2f}x", f"{LIMIT:.2f}x", verdict),
        ("a read of a field that is retained for a time", "the same", f"{found['retained']:.2f}x", "", ""),
        ("asking a store in memory about all, once", "all reads without consent", f"{found['memory']:.1f}x", "", ""),
        ("asking SQLite about all, once", "the same", f"{found['sqlite']:.1f}x", "", ""),
    ]
    lines = [f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows]
    heading = f"| {found['subjects']:,.0f} people | Against | Ratio | Limit | Within |\n|---|---|---|---|---|"
    return "\n".join([heading, *lines])


def _sqlite(subjects: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        engine = sqlalchemy.create_engine(f"sqlite:///{folder}/consents.db")
        store = SQLAlchemyConsents(engine, timeout=timedelta(minutes=1))
        store.create_table()
        with engine.begin() as connection:
            for number in range(subjects):
                store.give(number, OFFERS, wording="1", connection=connection)
        taken = [_timed(lambda: store.consenting(range(subjects), OFFERS)) for _ in range(3)]
        engine.dispose()
    return min(taken)


def _ratio(some: Sequence[float], others: Sequence[float]) -> float:
    return statistics.median(one / other for one, other in zip(some, others, strict=True))


def _timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _nothing(people: list[Person]) -> None:
    for person in people:
        person


def _plain(people: list[Person]) -> None:
    for person in people:
        person.plain


def _asked(people: list[Person]) -> None:
    for person in people:
        person.asked


def _retained(people: list[Person]) -> None:
    for person in people:
        person.retained


if __name__ == "__main__":
    typer.run(main)
