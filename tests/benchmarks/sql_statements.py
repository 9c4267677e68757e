"""What a guard costs a database: ratios to the same without tags, in one run.

    python -m tests.benchmarks.sql_statements [--seconds 20]

The query loads 1,000 entities of eight columns, three of which are tagged, by the ORM, from SQLite in memory: a
database that takes longer would only make the ratio smaller. Both engines take turns, so that what slows the machine
down slows both; the ratio is the median of the turns' ratios. The other rows are the check of a statement by itself:
one that was weighed before, and the first of a text.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this checkout is measured, whatever is installed
sys.path.insert(0, str(Path(__file__).resolve().parent))

import typer
from figures import PURPOSE
from sqlalchemy import Engine, create_engine, event, insert, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from purposebind import AllowedFor, SubjectId, purpose_scope
from purposebind.integrations.sqlalchemy import guard
from purposebind.integrations.sqlalchemy.cataloging import tables
from purposebind.integrations.sqlalchemy.checking import Checker
from purposebind.integrations.sqlalchemy.guarding import _Guard

LOAD, CACHED, FIRST = 1.25, 5e-6, 3e-3
"""What was wanted: a ratio, and seconds."""
_ROWS = 1_000
_TEXTS = (
    """SELECT a.id, a.handle, count(o.id) AS orders FROM {0} a LEFT JOIN orders o ON o.account_id = a.id
    WHERE a.phone IN (:p1, :p2, :p3) AND a.created > :since GROUP BY a.id, a.handle HAVING count(o.id) > {1}
    ORDER BY orders DESC LIMIT 50""",
    """WITH recent AS (SELECT account_id, max(id) AS last FROM orders GROUP BY account_id) SELECT a.handle, r.last
    FROM {0} a JOIN recent r ON r.account_id = a.id WHERE a.email LIKE :pattern OR a.id = {1}""",
    "UPDATE {0} SET handle = :handle, street = :street WHERE id = {1}",
    "INSERT INTO {0} (handle, phone, email, street, city, created, visits) VALUES (:h, :p, :e, :s, :c, :t, {1})",
)


class _Plain(DeclarativeBase):
    pass


class _Tagged(DeclarativeBase):
    pass


class PlainAccount(_Plain):
    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    handle: Mapped[str]
    phone: Mapped[str]
    email: Mapped[str]
    street: Mapped[str]
    city: Mapped[str]
    created: Mapped[str]
    visits: Mapped[int]


class Order(_Tagged):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int]


class TaggedAccount(_Tagged):
    __tablename__ = "account"

    id: Mapped[Annotated[int, SubjectId]] = mapped_column(primary_key=True)
    handle: Mapped[str]
    phone: Mapped[Annotated[str, AllowedFor(PURPOSE)]]
    email: Mapped[Annotated[str, AllowedFor(PURPOSE)]]
    street: Mapped[Annotated[str, AllowedFor(PURPOSE)]]
    city: Mapped[str]
    created: Mapped[str]
    visits: Mapped[int]


def main(seconds: Annotated[float, typer.Option(help="How long to measure the query.")] = 20) -> None:
    """Measure a guarded engine against the same without tags."""
    load, base = _load(seconds)
    cached, first = _checks()
    added = _added()
    rows = [
        (
            f"ORM query of {_ROWS:,} entities, 3 of 8 columns tagged",
            f"{load:.2f} times {base * 1e3:.1f} ms",
            f"{LOAD}",
            load <= LOAD,
        ),
        ("check of a statement weighed before", f"{cached * 1e6:.2f} µs", f"{CACHED * 1e6:.0f} µs", cached <= CACHED),
        (
            "the same, with all else that the guard does for a statement",
            f"{added * 1e6:.2f} µs",
            f"{CACHED * 1e6:.0f} µs",
            added <= CACHED,
        ),
        ("first check of a text", f"{first * 1e3:.2f} ms", f"{FIRST * 1e3:.0f} ms", first <= FIRST),
    ]
    print("| | | Limit | Within |\n|---|---|---|---|")
    for name, figure, limit, within in rows:
        print(f"| {name} | {figure} | {limit} | {'yes' if within else '**no**'} |")
    if not all(row[3] for row in rows):
        raise typer.Exit(1)


def _load(seconds: float) -> tuple[float, float]:
    """Return how many times as long the tagged query takes, and the seconds of the other."""
    plain = create_engine("sqlite://")
    tagged = guard(create_engine("sqlite://"), _Tagged.metadata)
    calls = [_filled(plain, _Plain, PlainAccount), _filled(tagged, _Tagged, TaggedAccount)]
    turns: list[tuple[float, float]] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(turns) < 20:
        one, other = (_timed(call) for call in calls)
        turns.append((other / one, one))
    plain.dispose()
    tagged.dispose()
    return statistics.median(ratio for ratio, _ in turns), statistics.median(base for _, base in turns)


def _filled(engine: Engine, base: Any, kind: Any) -> Callable[[], object]:
    base.metadata.create_all(engine)
    names = [column.name for column in kind.__table__.columns if column.name not in ("id", "visits")]
    with Session(engine) as session:
        session.execute(
            insert(kind), [{**dict.fromkeys(names, f"value {n}"), "id": n, "visits": n} for n in range(_ROWS)]
        )
        session.commit()

    def load() -> object:
        with Session(engine) as session:
            return session.scalars(select(kind)).all()

    load()
    return load


def _checks() -> tuple[float, float]:
    """Return the seconds of a check of a statement weighed before, and of the first one of a text."""
    checker = Checker("sqlite", lambda: tables([_Tagged.metadata]))
    known = "SELECT account.id, account.handle, account.phone FROM account WHERE account.id = ?"
    moved = ((2, AllowedFor(PURPOSE).policy),)
    many = 20_000
    with purpose_scope(PURPOSE):
        checker.check(known, moved)
        rounds = [_timed(lambda: [checker.check(known, moved) for _ in range(many)]) / many for _ in range(7)]
        first = [
            _timed(lambda text=text, number=number: checker.check(text.format("account", number)))  # type: ignore[misc]
            for number in range(50)
            for text in _TEXTS
        ]
    return statistics.median(rounds), statistics.median(first)


def _added() -> float:
    """Return the seconds of all that a guard does before and after a statement that it has weighed before."""
    guarded = guard(create_engine("sqlite://"), _Tagged.metadata)
    seen: list[Any] = []
    event.listen(guarded, "before_cursor_execute", lambda *given: seen.append(given))
    watch = _Guard(Checker("sqlite", lambda: tables([_Tagged.metadata])))
    many = 5_000
    with guarded.connect() as connection:
        connection.execute(text("SELECT 1"))
        given = seen[-1]

        def check() -> None:
            for _ in range(many):
                watch.before(*given)
                watch.after(*given)

        rounds = [_timed(check) / many for _ in range(15)]
    guarded.dispose()
    return statistics.median(rounds)


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    typer.run(main)
