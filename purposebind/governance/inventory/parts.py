"""An activity in parts, one for each legal basis: what other vocabularies know as one process or declaration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from .filling import Basis
from .record import Activity, Line

__all__ = ["Part", "limits", "parts"]


@dataclass(frozen=True)
class Part:
    """The data of an activity that is processed on one legal basis.

    Attributes:
        activity: The activity.
        consent: Whether the tags ask for consent.
        basis: The legal basis; None where nobody has said.
        lines: The fields.
    """

    activity: Activity
    consent: bool
    basis: Basis | None
    lines: tuple[Line, ...]

    @property
    def name(self) -> str:
        """What it is called, such as ``"advertising"`` or ``"advertising with consent"``."""
        return f"{self.activity.name} with consent" if self.consent else self.activity.name


def parts(activity: Activity) -> Iterator[Part]:
    """Yield the parts of an activity; none where nothing may be read for it."""
    for consent in (False, True):
        lines = tuple(line for line in activity.data if line.consent is consent)
        if lines:
            yield Part(activity, consent, "consent" if consent else activity.told.legal_basis, lines)


def limits(part: Part) -> dict[timedelta, list[Line]]:
    """Return the fields that may be read for a time, by the time."""
    found: dict[timedelta, list[Line]] = {}
    for line in part.lines:
        if line.retain is not None:
            found.setdefault(line.retain, []).append(line)
    return dict(sorted(found.items()))
