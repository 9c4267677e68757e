"""What really happened: a ledger's reads and denials, by purpose and field.

What this module keeps:

- Counts are the ledger's own, and exact; a read for several purposes at once is in the row of each.
- What keeps the numbers from being the whole truth is said beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from purposebind.ledger import Ledger

__all__ = ["Count", "Happened", "Usage", "happened_in"]


@dataclass(frozen=True)
class Count:
    """How often, and of how many people.

    Attributes:
        reads: How often, of known people and of others.
        people: How many different people, known ones.
        unknown: How many of the reads were of a person who is not known.
    """

    reads: int = 0
    people: int = 0
    unknown: int = 0


@dataclass(frozen=True)
class Usage:
    """What became of a field for a purpose.

    Attributes:
        allowed: Reads that its tag allowed.
        observed: Reads that it did not allow, and that were let through.
        emergency: Reads in a block of break-glass.
        denied: Reads that were refused.
        first: When the value was handed out first; None where it never was.
        last: When the value was handed out last.
    """

    allowed: Count = Count()
    observed: Count = Count()
    emergency: Count = Count()
    denied: Count = Count()
    first: datetime | None = None
    last: datetime | None = None

    @property
    def handed_out(self) -> bool:
        """Whether the value was handed out at all."""
        return bool(self.allowed.reads or self.observed.reads or self.emergency.reads)


@dataclass(frozen=True)
class Happened:
    """What a ledger holds.

    Attributes:
        usages: By purpose and field; the purpose is None where there was none.
        first: When the first read or denial happened; None where there is none.
        last: When the last one happened.
        shortfalls: What keeps the numbers from being the whole truth, in words.
    """

    usages: Mapping[tuple[str | None, str], Usage]
    first: datetime | None
    last: datetime | None
    shortfalls: tuple[str, ...] = ()


_WORDS = {"allowed": "allowed", "observed": "observed", "break_glass": "emergency", "denied": "denied"}


def happened_in(ledger: Ledger) -> Happened:
    """Ask a ledger.

    Raises:
        LedgerError: It cannot be read, or people would have to be counted by several keys.
    """
    counts: dict[tuple[str | None, str], dict[str, Count]] = {}
    for cell in ledger.matrix():
        of = counts.setdefault((cell.purpose, cell.field), {})
        of[_WORDS[cell.decision]] = Count(cell.reads, cell.people, cell.unknown_reads)
    spans: dict[tuple[str | None, str], tuple[datetime, datetime]] = {}
    whole: tuple[datetime, datetime] | None = None
    for use in ledger.sites():
        span = (use.first, use.last)
        whole = _around(whole, span)
        if use.decision != "denied":
            for purpose in use.purposes or (None,):
                spans[purpose, use.field] = _around(spans.get((purpose, use.field)), span)
    usages = {}
    for key in sorted(counts, key=lambda key: (key[0] or "", key[1])):
        first, last = spans.get(key, (None, None))
        usages[key] = Usage(**counts[key], first=first, last=last)
    first, last = whole or (None, None)
    return Happened(usages, first, last, tuple(_shortfalls(ledger)))


def _around(one: tuple[datetime, datetime] | None, other: tuple[datetime, datetime]) -> tuple[datetime, datetime]:
    return other if one is None else (min(one[0], other[0]), max(one[1], other[1]))


def _shortfalls(ledger: Ledger) -> list[str]:
    lost, broken = ledger.lost().reads, sum(found.records for found in ledger.damage())
    found = []
    if lost:
        found.append(f"The counts are too low: {lost:,} reads were let through and could not be recorded.")
    if broken:
        found.append(f"The counts may be too low: {broken:,} records of the ledger are broken.")
    return found
