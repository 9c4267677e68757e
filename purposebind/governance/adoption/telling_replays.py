"""How a replay is told: text for people, Markdown for a pull request, JSON for programs.

What this module keeps:

- What stands in a ledger was written by others. On a terminal it moves no cursor, and in a table it stays in its cell.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from .markdown import code, table
from .replaying import OUTCOMES, Outcome, Replay, Replayed

__all__ = ["REPLAYS"]

_OUTCOMES: Final[Mapping[Outcome, str]] = {
    "refused": "Would be refused",
    "consent": "Would need the person's consent",
    "passes": "Would be allowed, and was not",
    "unknown": "Cannot be told",
}


def _replayed(replay: Replay) -> str:
    from purposebind.ledger.report.words import visible

    parts: list[str] = []
    for outcome, title in _OUTCOMES.items():
        rows = [row for row in replay.rows if row.outcome == outcome]
        lines: list[str] = []
        for site in _sites(replay, outcome):
            lines.append(f"  {visible(site or '(not known)')}: {_people(replay.sites[outcome, site])}")
            lines += [f"    {visible(_read(row))}" for row in rows if row.site == site]
        if lines:
            parts.append("\n".join([f"{title}, {_people(replay.people[outcome])} in all:", *lines]))
    replayed = "1 read was" if replay.reads == 1 else f"{replay.reads:,} reads were"
    parts.append(f"{replayed} replayed." if parts else f"{replayed} replayed, and nothing changes for any.")
    parts += _not_replayed(replay)
    return "\n\n".join(parts)


def _not_replayed(replay: Replay) -> Iterable[str]:
    """What the answer is not about."""
    from purposebind.ledger.report.words import visible

    if replay.retained:
        fields = visible(", ".join(replay.retained))
        yield f"How long data is retained was not replayed, for a ledger does not know when it was collected: {fields}."
    if replay.nested:
        came = "1 activity" if replay.nested == 1 else f"{replay.nested:,} activities"
        yield (
            f"{came} came by a handover that the lock has not. What was read in scopes inside of them was replayed as "
            "if it had."
        )


def _sites(replay: Replay, outcome: Outcome) -> list[str | None]:
    """The places, those first that concern the most people."""
    found = [site for of, site in replay.sites if of == outcome]
    return sorted(found, key=lambda site: (-replay.sites[outcome, site], site or ""))


def _read(row: Replayed) -> str:
    unknown = f", and {row.unknown_reads:,} of unknown people" if row.unknown_reads else ""
    reads = "1 read" if row.reads == 1 else f"{row.reads:,} reads"
    purposes = ", ".join(row.purposes) or "no purpose"
    return f"{row.field} for {purposes}, {_DECIDED[row.decision]}: {row.why} ({_people(row.people)}, {reads}{unknown})"


_DECIDED: Final = {"allowed": "allowed today", "observed": "observed today", "denied": "refused today"}


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number:,} people"


def _replayed_markdown(replay: Replay) -> str:
    from purposebind.ledger.report.words import visible

    parts: list[str] = []
    for outcome, title in _OUTCOMES.items():
        rows = [
            [
                code(visible(row.site or "(not known)")),
                code(visible(row.field)),
                visible(", ".join(row.purposes) or "no purpose"),
                row.decision,
                visible(row.why),
                f"{row.people:,}",
                f"{row.reads:,}",
            ]
            for row in replay.rows
            if row.outcome == outcome
        ]
        if rows:
            listed = table(["Place", "Field", "Purposes", "Today", "Why", "People", "Reads"], rows)
            parts.append(f"### {title}: {_people(replay.people[outcome])}\n\n{listed}")
    return "\n\n".join([*(parts or ["Nothing changes for what the ledger recorded."]), *_not_replayed(replay)])


def _replayed_json(replay: Replay) -> str:
    told = {
        "reads": replay.reads,
        "people": {outcome: replay.people[outcome] for outcome in OUTCOMES},
        "sites": [
            {"outcome": outcome, "site": site, "people": replay.sites[outcome, site]}
            for outcome in OUTCOMES
            for site in _sites(replay, outcome)
        ],
        "rows": [{**vars(row), "purposes": list(row.purposes)} for row in replay.rows],
        "retained": list(replay.retained),
        "nested_in_handovers": replay.nested,
    }
    return json.dumps(told, indent=2)


REPLAYS: Final[Mapping[str, Callable[[Replay], str]]] = {
    "text": _replayed,
    "markdown": _replayed_markdown,
    "json": _replayed_json,
}
"""How a replay is told, by the name of the form."""
