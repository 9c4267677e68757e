"""How answers are printed: as tables for people, as JSON and CSV for programs.

What this module keeps:

- What stands in a ledger was written by others. On a terminal it changes no colour and moves no cursor, markup in it is
  text, and in a spreadsheet it is no formula.
- Times are in UTC, in ISO 8601. Numbers of activities are text in JSON: they are larger than many readers' numbers.
- Where a table would not fit the terminal, each row becomes a few lines.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Final, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["Form", "Row", "console", "show", "visible"]

Form = Literal["table", "json", "csv"]
Row = Mapping[str, Any]
"""The cells by their columns: texts, numbers, times, truths, None, or lists of texts or of objects."""

_STYLES: Final = {"denied": "red", "observed": "yellow", "break_glass": "bold white on red"}
_HEADERS: Final = {
    "unknown_reads": "of unknown people",
    "unknown": "of unknown people",
    "first": "first (UTC)",
    "last": "last (UTC)",
    "started": "started (UTC)",
    "ended": "ended (UTC)",
    "start": "start (UTC)",
}
_MISSING: Final = {"purpose": "(none)", "purposes": "(none)", "site": "(not known)"}
_IDENTIFIERS: Final = frozenset({"activity", "around"})
_UNGROUPED: Final = _IDENTIFIERS | {"pid"}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_BETWEEN: Final = "  "
_PIPE_WIDTH: Final = 200
_NARROWEST: Final = {"site": 28}
_NARROWEST_TEXT: Final = 14


def show(columns: Sequence[str], rows: Sequence[Row], form: Form, *, one: bool = False, nothing: str = "") -> None:
    """Print rows on standard output.

    Args:
        columns: The names of the columns.
        rows: Each with all columns.
        form: How.
        one: There is always one row: JSON is an object instead of a list, a table its lines.
        nothing: What to tell people where there are no rows.
    """
    if form == "json":
        told = [{column: _json(column, row[column]) for column in columns} for row in rows]
        print(json.dumps(told[0] if one else told, indent=2))
    elif form == "csv":
        print(_csv(columns, rows), end="")
    elif not rows:
        console().print(Text(nothing))
    elif one:
        _print_lines(columns, rows, console())
    else:
        _print_table(columns, rows, console())


def console(*, stderr: bool = False) -> Console:
    """Return where people read."""
    made = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not made.is_terminal and not os.environ.get("COLUMNS"):
        made.width = _PIPE_WIDTH
    return made


def visible(text: str) -> str:
    """Return a text without characters that do something to a terminal."""
    from purposebind.ledger.report.words import visible

    return visible(text)


def _json(column: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, (list, tuple)):
        return [_json("", item) for item in value]
    if isinstance(value, Mapping):
        return {key: _json(key, item) for key, item in value.items()}
    return str(value) if column in _IDENTIFIERS else value


def _csv(columns: Sequence[str], rows: Iterable[Row]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_csv_cell(row[column]) for column in columns] for row in rows)
    return out.getvalue()


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, int):
        return str(value)
    text = visible(_plain(value))
    return f"'{text}" if text.startswith(_FORMULA) else text


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ("; " if any(isinstance(item, Mapping) for item in value) else " ").join(map(_plain, value))
    if isinstance(value, Mapping):  # a handover
        return f"{value['left']} -> {value['entered']} ({value['reason']})"
    return str(value)


def _iso(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def _cell(column: str, value: Any) -> Text:
    if value is None or value in ((), []):
        return Text(_MISSING.get(column, ""), style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, datetime):
        return Text(_iso(value.replace(microsecond=0)).replace("T", " ").rstrip("Z"))
    if isinstance(value, int):
        return Text(str(value) if column in _UNGROUPED else f"{value:,}")
    if isinstance(value, (list, tuple)):
        between = "\n" if any(isinstance(item, Mapping) for item in value) else ", "
        return Text(between.join(visible(_plain(item)) for item in value))
    return Text(visible(str(value)), style=_STYLES.get(value, "") if column == "decision" else "")


def _header(column: str) -> str:
    return _HEADERS.get(column, column.replace("_", " "))


def _print_table(columns: Sequence[str], rows: Sequence[Row], out: Console) -> None:
    # A column without a single value is no news, and leaves others room.
    shown = [c for c in columns if c in _MISSING or any(row[c] not in (None, "", (), []) for row in rows)]
    cells = [[_cell(column, row[column]) for column in shown] for row in rows]
    # What can be broken into lines, and how wide each column is at least.
    breaks = {c for c in shown if not any(isinstance(row[c], (int, datetime)) for row in rows)}
    wide, least = {}, {}
    for place, column in enumerate(shown):
        head = len(_header(column))
        wide[column] = max(head, *(line.cell_len for row in cells for line in row[place].split()))
        least[column] = min(wide[column], max(head, _NARROWEST.get(column, _NARROWEST_TEXT)))
    room = out.width - len(_BETWEEN) * len(shown)
    while sum(wide.values()) > room:
        widest = max(breaks, key=lambda column: wide[column] - least[column], default="")
        if not widest or wide[widest] <= least[widest]:
            _print_lines(shown, rows, out)
            return
        wide[widest] -= 1
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, len(_BETWEEN), 0, 0))
    for column in shown:
        right = any(type(row[column]) is int for row in rows)
        table.add_column(_header(column), width=wide[column], justify="right" if right else "left", overflow="fold")
    for row in cells:
        table.add_row(*row)
    out.print(table)


def _print_lines(columns: Sequence[str], rows: Iterable[Row], out: Console) -> None:
    for number, row in enumerate(rows):
        if number:
            out.print()
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for column in columns:
            table.add_row(_header(column), _cell(column, row[column]))
        out.print(table)
