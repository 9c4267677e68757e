"""What was found: which canary, in which form, where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Surfaced", "report"]


@dataclass(frozen=True)
class Surfaced:
    """A canary, where it should not be.

    Attributes:
        field: The field that it was planted in.
        value: The planted value.
        form: The form it was found in, such as ``"plain"``, ``"base64"`` or ``"sha256 digest"``.
        place: Where, such as ``"log shop.sms INFO, sms.py:12, message"`` or ``"file export.csv"``.
        offset: How many bytes into the place; None where lines had to be joined to find it.
        excerpt: What stands around it.
    """

    field: str
    value: str
    form: str
    place: str
    offset: int | None = None
    excerpt: str = ""

    def __str__(self) -> str:
        at = "" if self.offset is None else f" at byte {self.offset}"
        return f"{self.field} ({self.value}), {self.form}, in {self.place}{at}: {self.excerpt}"


def report(found: Iterable[Surfaced]) -> str:
    """Return `found` as text, a line each; "" for none."""
    lines = [f"  {each}" for each in found]
    if not lines:
        return ""
    count = "A leak canary" if len(lines) == 1 else f"Leak canaries, {len(lines)} times,"
    return "\n".join((f"{count} surfaced where no tagged value should be:", *lines))
