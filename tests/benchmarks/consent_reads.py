"""What a read under consent costs in a scope that was told whose data will be read, against a read without consent.

    python -m tests.benchmarks.consent_reads [--subjects 100000] [--turns 15]

Every person is read once in a turn, as a loop over them does. The two kinds of read take turns, and an empty loop over
the same people is taken off both; the ratio is the median of the turns' ratios. How long the store takes,
once for everybody, is told apart, as a share of the reads without consent; so is a read of a retained field.
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

LIMIT = 2.0

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
    subjects: Annotated[int, typer.Option(help="How many people.")] = 100_000,
    turns: Annotated[int, typer.Option(help="How often each kind of read has its turn.")] = 15,
) -> None:
    """Measure reads under consent against reads without."""
    now = datetime.now(timezone.utc)
    people = [
        Person(id=number, plain="+46 70 1", asked="+46 70 1", retained="+46 70 1", at=now) for number in range(subjects)
    ]
    memory = InMemoryConsents()
    for number in range(subjects):
        memory.give(number, OFFERS, wording="1")
    plain, asked, retained, first = [], [], [], []
    with configure(consent=memory, consent_max_age=timedelta(hours=1)):
        for _ in range(turns):
            with purpose_scope(OFFERS, subjects=range(subjects)):
                first.append(_timed(lambda: people[0].asked))
                empty = _timed(lambda: _nothing(people))
                plain.append(_timed(lambda: _plain(people)) - empty)
                asked.append(_timed(lambda: _asked(people)) - empty)
                retained.append(_timed(lambda: _retained(people)) - empty)
    ratio = _ratio(asked, plain)
    print("| What | Cost | Against | At most | Within |\n|---|---|---|---|---|")
    print(
        f"| a read under consent, of {subjects:,} people one after the other | {ratio:.2f} | a read without consent "
        f"({statistics.median(plain) / subjects * 1e9:.0f} ns) | {LIMIT} | {'yes' if ratio <= LIMIT else '**no**'} |"
    )
    print(f"| a read of a field that is retained for a time | {_ratio(retained, plain):.2f} | the same | - | - |")
    print(
        f"| asking for all of them, once: in memory | {_ratio(first, plain):.2f} | all reads without consent | - | - |"
    )
    print(f"| the same: SQLite | {_sqlite(subjects) / statistics.median(plain):.2f} | the same | - | - |")
    if ratio > LIMIT:
        raise typer.Exit(1)


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
