"""Ledgers for the tests of shipping: with batches as compaction leaves them, and their content known beforehand."""

from __future__ import annotations

import hashlib
import itertools
import random
import secrets
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from purposebind.ledger.chain import Chain
from purposebind.ledger.folder import Folder

__all__ = ["ODD", "START", "Ledger", "Row"]

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
ODD = "q\"u'o\\te, \n\t{}\N{SNOWMAN}, NULL, \\N"
"""Text with all that CSV, arrays and JSON have to quote."""
_KEY = "00112233aabbccdd"
_engine = duckdb.connect()


class Row(NamedTuple):
    """A row of reads: who (None: unknown), what for and how often."""

    person: bytes | None
    field: str
    purposes: tuple[str, ...]
    decision: str
    times: int
    first: datetime
    last: datetime


class Ledger:
    """A ledger whose batches are made by hand.

    Attributes:
        batches: The rows of each batch, by its id.
        odd: What stands wherever a ledger holds free text.
        without_names: Whether a batch is made without the names of its rows.
    """

    def __init__(self, path: Path, key: str = _KEY) -> None:
        self.path = path
        self.folder = Folder(path)
        self.folder.make()
        self.chain = Chain(self.folder)
        self.key = key
        self.odd = ODD
        self.without_names = False
        self.batches: dict[str, list[Row]] = {}
        self._activities = itertools.count(1 << 61)

    def batch(self, rows: int = 40, seed: int = 0, people: int = 30, segment: str | None = None) -> str:
        """Add a batch of one segment, and return its id."""
        random_ = random.Random(seed)
        content = [_row(random_, people) for _ in range(rows)]
        segment = segment or secrets.token_hex(16)
        place = self._place()
        self._write(place, content, segment)
        return self._finish(place, segment, content)

    def large_batch(self, rows: int) -> str:
        """Add a batch of so many reads of as many people, and return its id."""
        place = self._place()
        name = (1, "allowed", "Account.phone", ["ads"], None, None, None, None, None, None)
        _parquet(place / "names.parquet", _NAMES, [name])
        (place / "p=0").mkdir()
        _engine.execute(
            "COPY (SELECT 1::UBIGINT AS what, 1::UBIGINT AS activity, hash(i) AS subject_hi, i::UBIGINT AS "
            "subject_lo, 1::UBIGINT AS times, TIMESTAMP '2026-01-01' AS first, TIMESTAMP '2026-01-01' AS last "
            f"FROM range({rows}) AS t(i)) TO '{place}/p=0/0.parquet' (FORMAT parquet)"
        )
        return self._finish(place, secrets.token_hex(16), [])

    def _place(self) -> Path:
        place = self.folder.parquet / secrets.token_hex(8)
        place.mkdir()
        return place

    def _finish(self, place: Path, segment: str, content: list[Row]) -> str:
        told = {"bytes": 4096, "sha256": "0" * 64, "records": 1, "wall": 1, "until": 2, "writer": "", "key": self.key}
        self.chain.append({"is": "segment", "segment": segment, **told})
        batch = {"batch": place.name, "segments": [segment], "files": self._files(place)}
        self.chain.append({"is": "compaction", **batch})
        self.batches[place.name] = content
        return place.name

    def drop(self, batch: str) -> None:
        """Drop a batch, as retention does."""
        why = {"before": START.isoformat(), "by": "Ada", "reason": "kept long enough"}
        signed = {"key": self.key, "signature": "0" * 64}
        self.chain.append({"is": "dropped", "batches": [batch], "segments": [], **why, **signed})
        for file in (self.folder.parquet / batch).rglob("*.parquet"):
            file.unlink()

    def _files(self, place: Path) -> dict[str, Any]:
        return {
            str(path.relative_to(self.path)): {
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "bytes": path.stat().st_size,
            }
            for path in place.rglob("*.parquet")
        }

    def _write(self, place: Path, content: list[Row], segment: str) -> None:
        names: dict[int, Any] = {}
        activities: list[Any] = []
        reads: dict[int, list[Any]] = {}
        handovers = [{"left": "login", "entered": "ads", "reason": self.odd}]
        for row in content:
            reason = self.odd if row.decision == "denied" else None
            name = (row.decision, row.field, row.purposes, "app.py:7 in f", reason)
            what = int.from_bytes(hashlib.blake2b(repr(name).encode(), digest_size=8).digest(), "big")
            allowed = [self.odd, ""] if row.decision == "denied" else None
            names[what] = (what, row.decision, row.field, list(row.purposes), *name[3:], allowed, "", None, handovers)
            activity = next(self._activities)
            activities.append(
                (
                    activity,
                    segment,
                    list(row.purposes),
                    [],
                    self.odd,
                    handovers,
                    secrets.token_hex(16),
                    0,
                    row.first,
                    None,
                    *_ALIKE,
                )
            )
            hi, lo = _halves(row.person)
            reads.setdefault((hi or 0) >> 60, []).append((what, activity, hi, lo, row.times, row.first, row.last))
        for top, rows in reads.items():
            (place / f"p={top}").mkdir()
            _parquet(place / f"p={top}" / "0.parquet", _READS, rows)
        _parquet(place / "names.parquet", _NAMES, [] if self.without_names else list(names.values()))
        _parquet(place / "activities.parquet", _ACTIVITIES, activities)
        _parquet(place / "lost.parquet", 'segment VARCHAR, "at" TIMESTAMP, reads UBIGINT', [(segment, START, 3)])
        _parquet(place / "damage.parquet", _DAMAGE, [(segment, 4096, self.odd, 7)])


_HANDOVERS = 'STRUCT("left" VARCHAR, entered VARCHAR, reason VARCHAR)[]'
_READS = (
    "what UBIGINT, activity UBIGINT, subject_hi UBIGINT, subject_lo UBIGINT, times UBIGINT, first TIMESTAMP, "
    "last TIMESTAMP"
)
_NAMES = (
    "what UBIGINT, decision VARCHAR, field VARCHAR, purposes VARCHAR[], site VARCHAR, reason VARCHAR, "
    f'allowed VARCHAR[], break_glass VARCHAR, "by" VARCHAR, handovers {_HANDOVERS}'
)
_ACTIVITIES = (
    f"activity UBIGINT, segment VARCHAR, purposes VARCHAR[], entered VARCHAR[], site VARCHAR, handovers {_HANDOVERS}, "
    "trace VARCHAR, around UBIGINT, started TIMESTAMP, ended TIMESTAMP, continued BOOLEAN, break_glass VARCHAR, "
    '"by" VARCHAR, pid INTEGER, host VARCHAR, service VARCHAR'
)


_DAMAGE = "segment VARCHAR, place UBIGINT, what VARCHAR, records UBIGINT"
_ALIKE = (False, None, None, 7, "host", "service")


def _row(random_: random.Random, people: int) -> Row:
    number = random_.randrange(people)
    person = hashlib.blake2b(str(number).encode(), digest_size=16).digest() if number else None
    first = START + timedelta(microseconds=random_.randrange(10**12))
    field = random_.choice(["Account.phone", "Account.email", "Accounting.phone"])
    purposes = random_.choice([("ads",), ("ads", "login.code"), ("login",), ()])
    decision = random_.choice(["allowed", "denied", "observed", "break_glass"])
    return Row(person, field, purposes, decision, random_.randrange(1, 5), first, first + timedelta(seconds=1))


def _halves(person: bytes | None) -> tuple[int | None, int | None]:
    if person is None:
        return None, None
    return int.from_bytes(person[:8], "big"), int.from_bytes(person[8:], "big")


def _parquet(path: Path, columns: str, rows: list[Any]) -> None:
    _engine.execute(f"CREATE OR REPLACE TABLE t ({columns})")
    if rows:
        places = ", ".join([f"({', '.join('?' * len(rows[0]))})"] * len(rows))
        _engine.execute(f"INSERT INTO t VALUES {places}", [value for row in rows for value in _naive(row)])
    _engine.execute(f"COPY t TO '{path}' (FORMAT parquet)")


def _naive(row: tuple[Any, ...]) -> list[Any]:
    return [value.replace(tzinfo=None) if isinstance(value, datetime) else value for value in row]
