"""The record as Markdown, in the order of GDPR article 30(1).

What this module keeps:

- What somebody wrote is text: it starts no heading, closes no table cell and is no markup.
- What nobody has said is marked as to be filled in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import Final

from purposebind.identifiers import DPV_NAMESPACE
from purposebind.ledger.report.words import visible
from purposebind.policy import duration

from .filling import Party
from .record import Activity, Line, Record
from .rows import allowed, status

__all__ = ["to_markdown"]

_OPEN: Final = "_to be filled in_"
_MARKUP: Final = re.compile(r"([\\`*_\[\]<>|#~&!$]|^[-+=])")
_NUMBERED: Final = re.compile(r"^(\d+)([.)])")


def to_markdown(record: Record) -> str:
    """Return the record as Markdown."""
    sources = "the tags that the code enforces" + (", and a ledger of what really happened" if record.happened else "")
    parts = [
        "# Record of processing activities",
        f"Of {_code(record.packages)}, under GDPR article 30(1). Made by `purposebind inventory` from {sources}.",
        _table(("", ""), _responsible(record)),
        _span(record),
        "## Purposes",
        _table(("Purpose", "What it is for", "Data", *(("So far",) if record.happened else ())), _summary(record)),
        *(part for activity in record.activities for part in _activity(activity, record)),
        "## Security measures",
        "\n".join(f"- {_text(measure)}" for measure in record.measures()),
    ]
    if record.remarks:
        parts += ["## To be checked", "\n".join(f"- {_text(remark)}" for remark in record.remarks)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _responsible(record: Record) -> Iterator[tuple[str, str]]:
    filled = record.filled
    yield "Controller", _party(filled.controller)
    for one in filled.joint_controllers:
        yield "Joint controller", _party(one)
    if filled.representative is not None:
        yield "Representative", _party(filled.representative)
    yield "Data protection officer", _party(filled.data_protection_officer)


def _party(party: Party | None) -> str:
    if party is None:
        return _OPEN
    return f"{_text(party.name)}, {_text(party.contact) if party.contact is not None else f'contact {_OPEN}'}"


def _span(record: Record) -> str:
    happened = record.happened
    if happened is None:
        return ""
    if happened.first is None:
        return "The ledger holds no read and no refusal."
    return f"The ledger tells of {_moment(happened.first)} to {_moment(happened.last)} (UTC)."


def _summary(record: Record) -> Iterator[list[str]]:
    for activity in record.activities:
        fields = len(activity.data)
        cells = [
            _name(activity),
            _meaning(activity),
            f"{fields} field{'' if fields == 1 else 's'}" if fields else "none",
        ]
        if any(line.usage is not None and line.usage.observed.reads for line in activity.astray):
            cells.append("used for data that is not allowed for it")
        elif activity.used is not None:
            refused = any(line.usage is not None and line.usage.denied.reads for line in activity.lines)
            cells.append("used" if activity.used else "refused" if refused else "never used")
        yield cells


def _activity(activity: Activity, record: Record) -> Iterator[str]:
    yield f"### {_name(activity)}"
    yield _meaning(activity)
    yield "\n".join(f"- {title}: {text}" for title, text in _facts(activity, record))
    if activity.data:
        yield "Personal data:"
        yield _lines(activity.data, record)
    if activity.astray:
        yield "Read or asked for without being allowed for it:"
        yield _lines(activity.astray, record)


def _facts(activity: Activity, record: Record) -> Iterator[tuple[str, str]]:
    purpose, told = activity.purpose, activity.told
    if purpose is None:
        return
    if purpose.parent is not None:
        yield "Part of", _code([purpose.parent.name])
    called = purpose.identifiers
    if called.dpv:
        yield "Data Privacy Vocabulary", ", ".join(map(_dpv, called.dpv))
    if called.fides:
        yield "fideslang", ", ".join(f"`{use}`" for use in called.fides)
    if called.iab:
        yield "IAB TCF purposes", ", ".join(map(str, called.iab))
    if not activity.data:
        yield "Personal data", "none, no tag allows it"
        return
    yield "Legal basis", _basis(activity)
    subjects = record.filled.data_subjects
    yield (
        "Data subjects",
        "; ".join(
            _text(subjects[one]) if one in subjects else f"{_OPEN} (of {_code([one])})" for one in activity.models()
        )
        or _OPEN,
    )
    yield "Recipients", _each(told.recipients)
    for target, reason in activity.handovers:
        yield f"Goes on as work for {_code([target])}", _text(reason)
    yield "Transfers to third countries", _each(told.transfers)
    unlimited = [line.field for line in activity.data if line.retain is None]
    if told.time_limits is not None:
        yield "Time limits for erasure", _text(told.time_limits)
    elif unlimited:
        yield "Time limits for erasure", f"{_OPEN} (of {_code(unlimited)})"


def _basis(activity: Activity) -> str:
    asked = [line.field for line in activity.data if line.consent]
    others = [line.field for line in activity.data if not line.consent]
    parts = [f"consent (for {_code(asked)})" if others else "consent"] if asked else []
    if others:
        parts.append((activity.told.legal_basis or _OPEN) + (f" (for {_code(others)})" if asked else ""))
    return "; ".join(parts)


def _lines(lines: Iterable[Line], record: Record) -> str:
    heads = ["Field", "Where", *(["Category"] if record.filled.data_categories else []), "Allowed", "May be read for"]
    if record.happened is not None:
        heads += ["So far", "Reads", "People", "Let through", "In emergencies", "Refused", "First", "Last"]
    return _table(heads, (_line(line, record) for line in lines))


def _line(line: Line, record: Record) -> list[str]:
    categories = record.filled.data_categories
    cells = [_code([line.field]), _code([line.where]) if line.where else ""]
    if categories:
        cells.append(_text(categories[line.field]) if line.field in categories else _OPEN if line.permitted else "")
    cells += [allowed(line), duration(line.retain) if line.retain is not None else ""]
    usage = line.usage
    if usage is not None:
        counts = (usage.allowed.reads, usage.allowed.people)
        others = (usage.observed.reads, usage.emergency.reads, usage.denied.reads)
        cells += [status(line) or "", *(f"{count:,}" for count in (*counts, *others))]
        cells += [_moment(usage.first), _moment(usage.last)]
    return cells


def _dpv(term: str) -> str:
    return f"<{term}>" if ":" in term else f"[{term}]({DPV_NAMESPACE}{term})"


def _name(activity: Activity) -> str:
    return _code([activity.name]) if activity.name else "No purpose"


def _meaning(activity: Activity) -> str:
    if activity.purpose is not None:
        return _text(activity.purpose.description)
    if not activity.name:
        return "What was read in emergencies, or let through outside of any scope."
    return "A purpose of the ledger that the code does not declare (any more)."


def _each(given: tuple[str, ...] | None) -> str:
    return _OPEN if given is None else "; ".join(map(_text, given)) or "none"


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M")


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    listed = [list(heads), *map(list, rows)]
    lines = [f"| {' | '.join(row)} |".replace("|  |", "| |") for row in listed]
    return "\n".join([lines[0], f"|{'---|' * len(listed[0])}", *lines[1:]])


def _code(texts: Iterable[str]) -> str:
    return ", ".join(f"`{_one_line(text).replace('`', chr(39)).replace('|', chr(92) + '|')}`" for text in texts)


def _text(text: str) -> str:
    return _NUMBERED.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", _one_line(text)))


def _one_line(text: str) -> str:
    return visible(" ".join(text.split()))
