"""Changes as a reviewer reads them: text, Markdown for a pull request, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Final

from .changes import Change, Kind

__all__ = ["FORMS"]

_TITLES: Final[Mapping[Kind, str]] = {
    "widening": "Personal data may be used for more",
    "narrowing": "Personal data may be used for less",
    "other": "Also changed",
}


def _text(changes: Sequence[Change]) -> str:
    return "\n\n".join(
        "\n".join([f"{title}:", *(f"  {one}{f'  ({one.where})' if one.where else ''}" for one in found)])
        for title, found in _grouped(changes)
    )


def _markdown(changes: Sequence[Change]) -> str:
    parts: list[str] = []
    for title, found in _grouped(changes):
        rows = [f"| {_cell(one.subject)} | {_words(one.text)} | {_cell(one.where)} |" for one in found]
        parts.append("\n".join([f"### {title}", "", "| What | Change | Where |", "|---|---|---|", *rows]))
    return "\n\n".join(parts) or "The policy is as it was."


def _json(changes: Sequence[Change]) -> str:
    return json.dumps([asdict(one) for one in changes], indent=2)


FORMS: Final[Mapping[str, Callable[[Sequence[Change]], str]]] = {"text": _text, "markdown": _markdown, "json": _json}
"""How changes are told, by the name of the form."""


def _grouped(changes: Iterable[Change]) -> list[tuple[str, list[Change]]]:
    listed = list(changes)
    groups = [(title, [one for one in listed if one.kind == kind]) for kind, title in _TITLES.items()]
    return [(title, found) for title, found in groups if found]


def _cell(text: str) -> str:
    return f"`{_words(text)}`" if text else ""


def _words(text: str) -> str:
    """Text that stays in its cell."""
    return " ".join(text.replace("|", "\\|").split())
