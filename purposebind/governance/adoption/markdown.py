"""Tables of Markdown, for a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["code", "table"]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with these heads; what is in a cell stays in it."""
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(map(_words, row))} |" for row in rows]
    return "\n".join(lines)


def code(text: str) -> str:
    """Return text as code."""
    return f"`{text.replace('`', chr(39))}`" if text else ""


def _words(text: str) -> str:
    """Text that stays in its cell."""
    return " ".join(text.replace("|", "\\|").split())
