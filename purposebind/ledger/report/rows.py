"""The rows of the page's tables, from the ledger's answers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from .matrix import DECISIONS
from .page import DenialRow, EmergencyRow, HandoverRow, SiteRow, Sorted, UnknownRow
from .words import counted, listed, moment, number, place, visible

if TYPE_CHECKING:
    from purposebind.ledger.results import Cell, DamageFound, DenialUse, Emergency, HandoverUse, SiteUse

__all__ = ["denial", "dropped", "emergency", "handover", "site", "unknown"]

_REASONS = {
    "not allowed": "It was not collected for this purpose.",
    "never allowed": "The code says that it must never be read for this purpose.",
    "no scope": "The code did not say what it was for.",
    "scope closed": "The work that said what it was for was over.",
    "generator": "The code did not say what it was for: it ran on behalf of code that had said nothing.",
    "other thread": "The code did not say what it was for: a thread starts with no purpose.",
    "not recorded": "It was allowed, and the ledger could not record it.",
}


def site(use: SiteUse, purpose: str) -> SiteRow:
    """Return the row of a place in the code, under the cell for `purpose`."""
    others = [visible(name) for name in use.purposes if name != purpose]
    return SiteRow(
        DECISIONS[use.decision],
        place(use.site),
        listed(others),
        _number(use.people),
        _number(use.reads),
        _number(use.unknown_reads),
        _moment(use.first),
        _moment(use.last),
    )


def denial(use: DenialUse) -> DenialRow:
    """Return the row of a read that a tag does not allow."""
    return DenialRow(
        "refused" if use.enforced else "observed",
        place(use.site),
        visible(use.field),
        listed([visible(name) for name in use.purposes]),
        _REASONS.get(use.reason, visible(use.reason)),
        _number(use.people),
        _number(use.times),
        _number(use.unknown),
        _moment(use.first),
        _moment(use.last),
    )


def handover(use: HandoverUse) -> HandoverRow:
    """Return the row of a handover."""
    return HandoverRow(
        visible(use.left),
        visible(use.entered),
        visible(use.reason),
        place(use.site),
        _number(use.activities),
        _number(use.people),
        _number(use.reads),
        _moment(use.first),
        _moment(use.last),
    )


def emergency(use: Emergency) -> EmergencyRow:
    """Return the row of a time in which everything was open."""
    read = f"{counted(use.reads, 'read', 'reads')} of {counted(use.people, 'person', 'people')}."
    return EmergencyRow(
        visible(use.reason),
        visible(use.by),
        place(use.site),
        moment(use.started),
        moment(use.ended) if use.ended else "",
        read if use.reads else "Nothing was read.",
        tuple(visible(field) for field in use.fields),
    )


def dropped(records: DamageFound) -> tuple[str, str, str]:
    """Return the segment, the place and what is wrong, of records that are not whole."""
    many = f" ({counted(records.records, 'record', 'records')})" if records.records > 1 else ""
    return visible(records.segment), number(records.place), visible(records.what) + many


def unknown(cells: Iterable[Cell]) -> tuple[UnknownRow, ...]:
    """Return a row for each cell with reads of a person who is not known, most reads first."""
    found = sorted((c for c in cells if c.unknown_reads), key=lambda cell: (-cell.unknown_reads, cell.field))
    return tuple(
        UnknownRow(visible(c.field), DECISIONS[c.decision], visible(c.purpose or ""), _number(c.unknown_reads))
        for c in found
    )


def _number(value: int) -> Sorted:
    return Sorted(number(value), value)


def _moment(when: datetime | None) -> Sorted:
    return Sorted(moment(when), when.timestamp() if when else 0)
