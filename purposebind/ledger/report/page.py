"""What is on the page, as plain data: everything worked out, nothing drawn yet.

The template writes these down and decides nothing; a test, or another template, reads the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from .pictures import Flow, Strip
from .words import Place

__all__ = [
    "Chain",
    "Completeness",
    "DenialRow",
    "EmergencyRow",
    "FieldRow",
    "Figure",
    "Finding",
    "HandoverRow",
    "Mark",
    "MatrixCell",
    "PurposeColumn",
    "Report",
    "SiteGroup",
    "SiteRow",
    "Sorted",
    "UnknownRow",
]


@dataclass(frozen=True)
class Finding:
    """A sentence that the reader must not miss.

    Attributes:
        level: ``"bad"``, ``"warn"`` or ``"good"``.
        text: The sentence.
        more: What it means, or what to do.
        target: The section that tells more.
    """

    level: str
    text: str
    more: str
    target: str


@dataclass(frozen=True)
class Figure:
    """A number at the top of the page.

    Attributes:
        state: By which it is coloured; one of those of `Mark`, or "".
        title: What is counted.
        value: The number.
        unit: What it is a number of.
        note: A line below it.
        target: The section that tells more.
    """

    state: str
    title: str
    value: str
    unit: str
    note: str
    target: str


@dataclass(frozen=True)
class PurposeColumn:
    """A purpose.

    Attributes:
        name: The name as it is shown; "" for no purpose at all.
        description: What it means, or "" where the code that says so is not known.
    """

    name: str
    description: str


@dataclass(frozen=True)
class Mark:
    """One thing to say of a field and a purpose.

    Attributes:
        state: One of the keys of `matrix.STATES`.
        people: How many were concerned, each once.
        reads: How often.
        unknown: How many of the reads were of a person who is not known.
        note: More words, or "".
    """

    state: str
    people: int = 0
    reads: int = 0
    unknown: int = 0
    note: str = ""


@dataclass(frozen=True)
class MatrixCell:
    """A field and a purpose.

    Attributes:
        id: Unique on the page.
        marks: What there is to say, the gravest first; empty where nothing is.
        has_sites: Whether the code behind it is listed, under ``"code-" + id``.
    """

    id: str
    field: str
    purpose: str
    marks: tuple[Mark, ...]
    has_sites: bool

    @property
    def people(self) -> int:
        """The largest number of people in it, to sort by."""
        return max((mark.people for mark in self.marks), default=0)


@dataclass(frozen=True)
class FieldRow:
    """A field: the model it belongs to, its own name, and its cells in the order of the columns."""

    model: str
    name: str
    field: str
    cells: tuple[MatrixCell, ...]


@dataclass(frozen=True)
class Sorted:
    """A number or moment as it is shown, and as it is sorted."""

    text: str
    key: float


@dataclass(frozen=True)
class SiteRow:
    """What one place in the code did with a field."""

    state: str
    place: Place
    together: str
    people: Sorted
    reads: Sorted
    unknown: Sorted
    first: Sorted
    last: Sorted


@dataclass(frozen=True)
class SiteGroup:
    """The code behind one cell; `left_out` rows are not shown."""

    cell: str
    field: str
    purpose: str
    rows: tuple[SiteRow, ...]
    left_out: int


@dataclass(frozen=True)
class DenialRow:
    """A read that the tag does not allow: refused, or let through."""

    state: str
    place: Place
    field: str
    purposes: str
    reason: str
    people: Sorted
    times: Sorted
    unknown: Sorted
    first: Sorted
    last: Sorted


@dataclass(frozen=True)
class HandoverRow:
    """A purpose left for another."""

    left: str
    entered: str
    reason: str
    place: Place
    activities: Sorted
    people: Sorted
    reads: Sorted
    first: Sorted
    last: Sorted


@dataclass(frozen=True)
class EmergencyRow:
    """A time in which everything was open; `ended` is "" while it still is, `read` says in words what was read."""

    reason: str
    by: str
    place: Place
    started: str
    ended: str
    read: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class UnknownRow:
    """Reads of a field where the record does not say whose it was."""

    field: str
    state: str
    purpose: str
    reads: Sorted


@dataclass(frozen=True)
class Completeness:
    """What the ledger could not record, or holds broken.

    Attributes:
        lost: How many reads were not recorded, in words; "" for none.
        lost_when: When, in words.
        broken: How many records are broken, in words; "" for none.
        damage: Segment, place and what, of each broken record.
    """

    lost: str
    lost_when: str
    broken: str
    damage: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Chain:
    """The state of a ledger's chain.

    Attributes:
        ledger: The folder.
        ok: Whether nothing was altered, as far as the chain can show.
        first: The first problem, or "".
        others: The problems after it.
        head: To keep elsewhere as an anchor, or "" where there is no chain yet.
        anchored: Whether it was checked against an anchor.
        checked: What was checked, in words.
        signed_off: What was dropped by retention, a line each.
    """

    ledger: str
    ok: bool
    first: str
    others: tuple[str, ...]
    head: str
    anchored: bool
    checked: str
    signed_off: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """The page.

    Attributes:
        ledgers: The folders it is made of.
        made: When it was made.
        period: From the first read to the last.
        asked: The time that was asked for, in words; "" for all.
        packages: Whose declarations are shown; None where none were asked for.
        failed: Modules of theirs that could not be imported, and why.
        left_out: How many rows of a table are not shown, by its name.
    """

    ledgers: tuple[str, ...]
    made: str
    period: str
    asked: str
    packages: tuple[str, ...] | None
    failed: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]
    figures: tuple[Figure, ...]
    columns: tuple[PurposeColumn, ...]
    fields: tuple[FieldRow, ...]
    sites: tuple[SiteGroup, ...]
    strips: tuple[Strip, ...]
    axis: tuple[str, ...]
    bucket: str
    denials: tuple[DenialRow, ...]
    flow: Flow | None
    handovers: tuple[HandoverRow, ...]
    emergencies: tuple[EmergencyRow, ...]
    unknown: tuple[UnknownRow, ...]
    completeness: Completeness
    chains: tuple[Chain, ...]
    left_out: dict[str, int]
