"""Plain words: how the report writes numbers, moments, places in the code, and names that others chose.

Names come from code and people the reader does not know. A name may hold characters that show nothing, or that turn the
direction of the text around them so that it reads as something else; here they are shown as what they are.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timezone

__all__ = ["Place", "counted", "day", "listed", "moment", "number", "place", "visible"]

_SITE = re.compile(r"(?P<folder>.*[/\\])?(?P<line>[^/\\]+?:\d+)(?P<function> in .+)?", re.DOTALL)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # strftime's change
_MEANS_NOTHING_TO_THE_EYE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@dataclass(frozen=True)
class Place:
    """A place in the code, in the parts by which it is read.

    Attributes:
        folder: With the separator at its end; "" where there is none.
        line: File and line, such as ``"audience.py:41"``.
        function: Such as ``"match_audience"``; "" where it is not known.
    """

    folder: str
    line: str
    function: str

    def __str__(self) -> str:
        return self.folder + self.line + (f" in {self.function}" if self.function else "")


def visible(text: str) -> str:
    r"""Return `text` with every character that cannot be seen written out.

    Example:
        >>> print(visible("ads\u202egnp"), visible("two\nlines"))
        ads\u202egnp two\u000alines
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_written_out(c) if unicodedata.category(c) in _MEANS_NOTHING_TO_THE_EYE else c for c in text)


def _written_out(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def place(site: str | None) -> Place:
    """Return the parts of a site as the ledger writes it.

    Example:
        >>> place("/srv/app/audience.py:41 in match_audience")
        Place(folder='/srv/app/', line='audience.py:41', function='match_audience')
    """
    if not site:
        return Place("", "place not known", "")
    text = visible(site)
    parts = _SITE.fullmatch(text)
    if parts is None:
        return Place("", text, "")
    return Place(parts["folder"] or "", parts["line"], (parts["function"] or "").removeprefix(" in "))


def number(value: int) -> str:
    """Return a number as it is read: ``1,204``."""
    return f"{value:,}"


def counted(value: int, one: str, many: str) -> str:
    """Return a number with its noun.

    Example:
        >>> counted(1, "person", "people"), counted(1204, "person", "people")
        ('1 person', '1,204 people')
    """
    return f"{value:,} {one if value == 1 else many}"


def listed(words: list[str]) -> str:
    """Return the words as a list in a sentence.

    Example:
        >>> listed(["a", "b", "c"])
        'a, b and c'
    """
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1] if words else "") if part)


def moment(when: datetime | None) -> str:
    """Return a moment to the minute, in UTC; a dash where there is none."""
    return "\N{EN DASH}" if when is None else f"{day(when)} {_utc(when):%H:%M}"


def day(when: datetime) -> str:
    """Return the day of a moment, in UTC."""
    when = _utc(when)
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}"


def _utc(when: datetime) -> datetime:
    return when.replace(tzinfo=timezone.utc) if when.tzinfo is None else when.astimezone(timezone.utc)
