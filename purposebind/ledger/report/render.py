"""From the plain data to one page of HTML that needs nothing else, and may load nothing.

The page's style and script are the package's own and the only ones: the policy at its top names them by their hashes,
so that a browser runs no other, whatever the page says. Everything else on it is escaped by the template.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any

from purposebind.ledger.errors import LedgerError

from .matrix import STATES
from .page import Report
from .words import number

__all__ = ["render"]

_GROUPS = {
    "observed": "Let through",
    "refused": "Refused",
    "emergency": "Break-glass",
    "used": "Read",
    "unused": "Never read",
}

_LEVELS = {"bad": ("triangle", "Serious"), "warn": ("note", "Note"), "good": ("tick", "Good")}

_SECTIONS = {
    "glance": "At a glance",
    "matrix": "Fields and purposes",
    "timeline": "When",
    "code": "Code",
    "denials": "Refused",
    "handovers": "Handovers",
    "break-glass": "Break-glass",
    "unknown": "Unknown people",
    "complete": "Anything missing?",
    "chain": "Altered?",
    "about": "Limits",
}


def render(report: Report) -> str:
    """Return the page of `report`, as HTML.

    Raises:
        LedgerError: jinja2 is not installed.
    """
    template, style, script = _parts()
    marks = [mark.state for row in report.fields for cell in row.cells for mark in cell.marks]
    shown = {*marks, *(row.state for row in report.denials), *(strip.state for strip in report.strips)}
    groups = {STATES[state].group for state in marks}
    page: str = template.render(
        report=report,
        style=style,
        script=script,
        policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        states=STATES,
        shown_states=shown,
        groups={group: label for group, label in _GROUPS.items() if group in groups},
        levels=_LEVELS,
        sections=_SECTIONS.items(),
        described=[column for column in report.columns if column.description],
        version=_version(),
    )
    return page


@lru_cache(maxsize=1)
def _parts() -> tuple[Any, Any, Any]:
    """The template, the style and the script."""
    try:
        import jinja2
        from markupsafe import Markup
    except ModuleNotFoundError as error:
        raise LedgerError(
            f"The report needs {error.name}, which is not installed. Install it with:\n\n"
            "    pip install 'purposebind[ledger]'"
        ) from None
    folder = files("purposebind.ledger.report") / "template"
    texts = {part.name: part.read_text(encoding="utf-8") for part in folder.iterdir() if part.is_file()}
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(texts),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, group=_group)
    return environment.get_template("page.html.j2"), Markup(texts["page.css"]), Markup(texts["page.js"])


def _group(state: str) -> str:
    return STATES[state].group


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _version() -> str:
    try:
        return version("purposebind")
    except PackageNotFoundError:  # run from a source tree that was not installed
        return ""
