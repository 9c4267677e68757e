"""What a road is: a whole match by another way than the plain one, and whether the library refuses it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from purposebind import PurposeViolation, purpose_scope

from .accounts import ADVERTISING
from .contacts import digests
from .store import Store

__all__ = ["Evidence", "Outcome", "Road", "Way", "attempt"]

Outcome: TypeAlias = Literal["refused", "open"]


@dataclass(frozen=True)
class Evidence:
    """What the advertising code has at hand.

    Attributes:
        store: The service's queries.
        uploaded: The advertiser's list.
        queued: Messages of the sign-in service to its own worker, pickled where that was allowed.
    """

    store: Store
    uploaded: frozenset[str] = field(repr=False)
    queued: tuple[bytes, ...] = field(repr=False)

    def lists(self, *contacts: str | None) -> bool:
        """Return whether one of the contacts is on the list."""
        return not self.uploaded.isdisjoint(digests(*contacts))


Way: TypeAlias = Callable[[Evidence], Generator[int, None, None]]
"""Yields the ids of the accounts it finds on the list."""


@dataclass(frozen=True)
class Road:
    """A road to the same data. It is refused where every way along it is.

    Attributes:
        name: One word.
        description: What the developer does.
        ways: The ways along it.
    """

    name: str
    description: str
    ways: tuple[Way, ...]


def attempt(road: Road, evidence: Evidence) -> Outcome:
    """Go along `road` for advertising, as far as to the first person found.

    Returns:
        ``"refused"`` where each way raised `PurposeViolation` before it gave an answer. ``"open"`` otherwise: where one
        found somebody, found nobody, or failed in another way.
    """
    return "refused" if all(_is_refused(way, evidence) for way in road.ways) else "open"


def _is_refused(way: Way, evidence: Evidence) -> bool:
    try:
        with purpose_scope(ADVERTISING), closing(way(evidence)) as found:
            next(found, None)
    except PurposeViolation:
        return True
    except Exception:
        return False
    return False
