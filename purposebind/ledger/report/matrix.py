"""The matrix of fields and purposes: what each cell says, from what the ledger saw and what the code declares.

A tag covers the purposes below the one that it names (rule R2). So a cell can be allowed without being declared, and
declared while only narrower purposes used it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .declared import Declared, DeclaredField
from .page import FieldRow, Mark, MatrixCell, PurposeColumn
from .words import visible

if TYPE_CHECKING:
    from purposebind.ledger.results import Cell

__all__ = ["DECISIONS", "STATES", "State", "matrix"]


@dataclass(frozen=True)
class State:
    """What a mark says.

    Attributes:
        label: In a cell.
        meaning: In the key to the marks.
        shape: The picture beside it: states are told apart by shape and word, never by colour alone.
        group: The filter that it belongs to.
    """

    label: str
    meaning: str
    shape: str
    group: str


STATES: Mapping[str, State] = {
    "observed": State(
        "Let through",
        "Read for a purpose that the field was not collected for. The system was set to report such reads, not to stop "
        "them.",
        "triangle",
        "observed",
    ),
    "emergency": State(
        "Break-glass",
        "Read in an emergency, in which everything was opened by hand, on the record.",
        "bolt",
        "emergency",
    ),
    "refused": State(
        "Refused", "Asked for, and not handed out: the field was not collected for it.", "stop", "refused"
    ),
    "outdated": State(
        "Read, not declared today",
        "Read rightly when it was read. Since then the code stopped declaring it.",
        "clock",
        "used",
    ),
    "used": State("Read", "Read for a purpose that the field was collected for.", "tick", "used"),
    "parts": State(
        "Declared, read only for a part",
        "Declared, and read only for narrower purposes that this one includes.",
        "half",
        "used",
    ),
    "unused": State("Declared, never read", "May be read for it, and never was.", "ring", "unused"),
    "included": State(
        "Allowed, never read", "Not declared by itself: a wider purpose that is declared includes it.", "dot", "unused"
    ),
    "ruled_out": State("Ruled out", "The code says that the field must never be read for it.", "cross", "unused"),
}
"""Every state of a mark, the gravest first."""

DECISIONS: Mapping[str, str] = {
    "allowed": "used",
    "observed": "observed",
    "denied": "refused",
    "break_glass": "emergency",
}
"""The state for each decision that the ledger knows."""

_ORDER = {state: place for place, state in enumerate(STATES)}


def matrix(
    seen: Iterable[Cell], declared: Declared | None, with_sites: frozenset[tuple[str, str]]
) -> tuple[tuple[PurposeColumn, ...], tuple[FieldRow, ...]]:
    """Return the columns and rows.

    Args:
        seen: What the ledger saw.
        declared: What the code declares, or None where it is not known.
        with_sites: The fields and purposes whose code is listed.
    """
    used: dict[tuple[str, str], list[Mark]] = defaultdict(list)
    for cell in seen:
        mark = Mark(DECISIONS[cell.decision], cell.people, cell.reads, cell.unknown_reads)
        used[cell.field, cell.purpose or ""].append(mark)
    tags = {tag.field: tag for tag in declared.fields} if declared else {}
    fields = sorted({field for field, _ in used} | tags.keys(), key=_by_model)
    purposes = {purpose for _, purpose in used} | {p for tag in tags.values() for p in (*tag.allowed, *tag.never)}
    order = sorted(purposes - {""}) + ([""] if "" in purposes else [])
    meanings = declared.purposes if declared else {}
    columns = tuple(PurposeColumn(visible(name), visible(meanings.get(name, ""))) for name in order)
    rows = []
    for number, field in enumerate(fields):
        tag = tags.get(field)
        used_for = {purpose for name, purpose in used if name == field}
        cells = tuple(
            MatrixCell(
                f"{number + 1}-{place + 1}",
                visible(field),
                visible(purpose),
                _marks(used.get((field, purpose), []), purpose, tag, used_for),
                (field, purpose) in with_sites,
            )
            for place, purpose in enumerate(order)
        )
        model, _, name = visible(field).rpartition(".")
        rows.append(FieldRow(model, name, visible(field), cells))
    return columns, tuple(rows)


def _marks(seen: list[Mark], purpose: str, tag: DeclaredField | None, used_for: set[str]) -> tuple[Mark, ...]:
    marks = list(seen)
    if tag is not None and purpose:
        allowed = next((p for p in tag.allowed if _includes(p, purpose)), None)
        refused = any(_includes(p, purpose) for p in tag.never)
        read = any(mark.state == "used" for mark in marks)
        if read and (refused or allowed is None):
            marks = [_outdated(mark) if mark.state == "used" else mark for mark in marks]
        elif refused and purpose in tag.never:
            marks.append(Mark("ruled_out"))
        elif allowed is not None and not refused and not read:
            marks.append(_never_read(purpose, allowed, used_for))
    return tuple(sorted(marks, key=lambda mark: _ORDER[mark.state]))


def _outdated(mark: Mark) -> Mark:
    return Mark("outdated", mark.people, mark.reads, mark.unknown)


def _never_read(purpose: str, allowed: str, used_for: set[str]) -> Mark:
    if purpose != allowed:
        return Mark("included", note=f"part of {visible(allowed)}")
    narrower = any(p != purpose and _includes(purpose, p) for p in used_for)
    return Mark("parts" if narrower else "unused")


def _includes(wider: str, purpose: str) -> bool:
    return purpose == wider or purpose.startswith(wider + ".")


def _by_model(field: str) -> tuple[str, str]:
    model, _, name = field.rpartition(".")
    return model, name
