"""Counting people from violations alone: the answer that could not be given in 2019.

An `Incident` is an ``on_violation`` hook. It is told of each read that its tag does not cover, with the data subject,
the purposes and the line of code, and it knows nothing else: not the accounts, not the list, not what the match found.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

from purposebind import Purpose

__all__ = ["Incident", "ReadGroup", "SeenDenial"]


class SeenDenial(Protocol):
    """What an incident looks at in a denial."""

    @property
    def field(self) -> str: ...
    @property
    def active(self) -> frozenset[Purpose]: ...
    @property
    def subject(self) -> Hashable: ...
    @property
    def site(self) -> object: ...


@dataclass(frozen=True)
class ReadGroup:
    """Reads of one field, for the same purposes, by one line of code.

    Attributes:
        field: Such as ``"Account.phone"``.
        purposes: The names of the active purposes, in order.
        site: The line.
        people: How many data subjects the reads concerned.
    """

    field: str
    purposes: tuple[str, ...]
    site: str
    people: int


class Incident:
    """Collects violations, and says how many people they concern.

    Attributes:
        violations: How many there were.
        unattributed: How many of them named no data subject. While this is not 0, the people are a lower bound.
    """

    def __init__(self) -> None:
        self.violations = 0
        self.unattributed = 0
        self._subjects: dict[tuple[str, frozenset[Purpose], object], set[Hashable]] = {}

    def __call__(self, denial: SeenDenial) -> None:
        self.violations += 1
        subjects = self._subjects.setdefault((denial.field, denial.active, denial.site), set())
        if denial.subject is None:
            self.unattributed += 1
        else:
            subjects.add(denial.subject)

    def people(self, purpose: Purpose) -> frozenset[Hashable]:
        """Return the data subjects, each once, whose data was read for `purpose` or one that it includes."""
        groups = (
            subjects
            for (_, active, _), subjects in self._subjects.items()
            if any(purpose.includes(member) for member in active)
        )
        return frozenset[Hashable]().union(*groups)

    def groups(self) -> list[ReadGroup]:
        """Return what was read, for what, and by which code; the largest first."""
        groups = [
            ReadGroup(field, tuple(sorted(purpose.name for purpose in active)), str(site), len(subjects))
            for (field, active, site), subjects in self._subjects.items()
        ]
        return sorted(groups, key=lambda group: (-group.people, group.purposes, group.field, group.site))
