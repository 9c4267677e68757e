"""The record as rows, one for each purpose and field: what tables and spreadsheets hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from purposebind.policy import duration

from .record import Activity, Line, Record, owner

__all__ = ["COLUMNS", "SHORT", "allowed", "rows", "status"]

COLUMNS: Final = (
    "purpose",
    "meaning",
    "dpv",
    "fideslang",
    "iab_tcf",
    "legal_basis",
    "field",
    "where",
    "data_subjects",
    "data_category",
    "allowed",
    "kept_for",
    "recipients",
    "handed_over_to",
    "transfers",
    "status",
    "reads",
    "people",
    "reads_of_unknown_people",
    "observed_reads",
    "observed_people",
    "break_glass_reads",
    "break_glass_people",
    "denied_reads",
    "denied_people",
    "first",
    "last",
)
"""All columns."""
SHORT: Final = (
    "purpose",
    "field",
    "allowed",
    "kept_for",
    "status",
    "reads",
    "people",
    "observed_reads",
    "break_glass_reads",
    "denied_reads",
    "first",
    "last",
)
"""Those that a person reads first."""


def rows(record: Record) -> Iterator[dict[str, Any]]:
    """Yield the rows; a purpose for which nothing may be read has one, without a field."""
    for activity in record.activities:
        of_purpose = _of_activity(activity)
        for line in activity.lines:
            yield {**dict.fromkeys(COLUMNS), **of_purpose, **_of_line(line, activity, record)}
        if not activity.lines:
            yield {**dict.fromkeys(COLUMNS), **of_purpose, "status": "nothing may be read for it"}


def allowed(line: Line) -> str:
    """Return whether the tag allows the purpose, in words."""
    if line.permitted is None:
        return "not declared here"
    return "no" if not line.permitted else "with consent" if line.consent else "yes"


def status(line: Line) -> str | None:
    """Return what became of a field for a purpose, in words; None where no ledger was asked."""
    usage = line.usage
    if usage is None:
        return None
    if usage.observed.reads:
        return "used, and not allowed"
    if usage.allowed.reads:
        return "used"
    if usage.emergency.reads:
        return "used in emergencies alone"
    return "refused" if usage.denied.reads else "never used"


def _of_activity(activity: Activity) -> dict[str, Any]:
    called = activity.purpose.identifiers if activity.purpose is not None else None
    return {
        "purpose": activity.name or None,
        "meaning": activity.purpose.description if activity.purpose is not None else None,
        "dpv": ", ".join(called.dpv) if called is not None else None,
        "fideslang": ", ".join(called.fides) if called is not None else None,
        "iab_tcf": ", ".join(map(str, called.iab)) if called is not None else None,
        "recipients": _listed(activity.told.recipients),
        "transfers": _listed(activity.told.transfers),
        "handed_over_to": ", ".join(target for target, _ in activity.handovers),
    }


def _of_line(line: Line, activity: Activity, record: Record) -> dict[str, Any]:
    found: dict[str, Any] = {
        "field": line.field,
        "where": line.where,
        "data_subjects": record.filled.data_subjects.get(owner(line.field)),
        "data_category": record.filled.data_categories.get(line.field),
        "legal_basis": ("consent" if line.consent else activity.told.legal_basis) if line.permitted else None,
        "allowed": allowed(line),
        "kept_for": duration(line.retain) if line.retain is not None else activity.told.time_limits,
        "status": status(line),
    }
    usage = line.usage
    if usage is not None:
        counts = (usage.allowed, usage.observed, usage.emergency, usage.denied)
        found |= {
            "reads": usage.allowed.reads,
            "people": usage.allowed.people,
            "reads_of_unknown_people": sum(count.unknown for count in counts[:3]),
            "observed_reads": usage.observed.reads,
            "observed_people": usage.observed.people,
            "break_glass_reads": usage.emergency.reads,
            "break_glass_people": usage.emergency.people,
            "denied_reads": usage.denied.reads,
            "denied_people": usage.denied.people,
            "first": usage.first,
            "last": usage.last,
        }
    return found


def _listed(given: tuple[str, ...] | None) -> str | None:
    return None if given is None else "; ".join(given) or "none"
