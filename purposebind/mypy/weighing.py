"""Policies and decisions on names: what `purposebind.policy` and `purposebind.scope` decide, without running anything.

A purpose's name says which purposes include it: ``security`` includes ``security.two_factor``. So names are enough.

What this module keeps: **R2** (`uncovered`), **R4** (`entered`) and **R8** (`Terms.join`, `Terms.widens`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from typing import Final

__all__ = ["OPEN", "Terms", "entered", "includes", "uncovered"]


def includes(purpose: str, other: str) -> bool:
    """Return whether `other` is `purpose` or a descendant of it."""
    return other == purpose or other.startswith(f"{purpose}.")


@dataclass(frozen=True)
class Terms:
    """What a tag says, by names.

    Attributes:
        allowed: The purposes allowed, with or without consent.
        never: The purposes refused.
        consent: Those for which the data subject has to consent, which is asked for at run time.
        whole: Whether every part of it could be told from the source.
    """

    allowed: frozenset[str]
    never: frozenset[str] = frozenset()
    consent: frozenset[str] = frozenset()
    whole: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "never", _outermost(self.never))
        object.__setattr__(self, "allowed", _outermost(p for p in self.allowed if not _covered(p, self.never)))
        asked = (p for p in _meets(self.consent, self.allowed) if not _covered(p, self.never))
        object.__setattr__(self, "consent", _outermost(asked))

    def join(self, other: Terms) -> Terms:
        """Return what both allow (R8)."""
        return Terms(
            frozenset(_meets(self.allowed, other.allowed)),
            self.never | other.never,
            self.consent | other.consent,
            self.whole and other.whole,
        )

    def widens(self, base: Terms) -> list[str]:
        """Return the purposes that this permits and `base` does not (R8)."""
        added = [p for p in self.allowed if not _covered(p, base.allowed)]
        for stricter, own in ((base.never, self.never), (base.consent, self.consent | self.never)):
            added += [overlap for overlap in _meets(stricter, self.allowed) if not _covered(overlap, own)]
        return sorted(set(added))

    def __str__(self) -> str:
        plain = sorted(p for p in self.allowed if not _covered(p, self.consent))
        parts = [", ".join(plain) or ("" if self.consent else "nothing")]
        if self.consent:
            parts.append(f"with consent {', '.join(sorted(self.consent))}")
        if self.never:
            parts.append(f"never {', '.join(sorted(self.never))}")
        return ", ".join(part for part in parts if part)


def uncovered(terms: Terms, active: Iterable[str]) -> list[str]:
    """Return the purposes of `active` for which a read is refused (R2), as far as `terms` could be told."""
    known = sorted(active)
    refused = [p for p in known if _covered(p, terms.never)]
    if refused or not terms.whole:
        return refused
    return [p for p in known if not _covered(p, terms.allowed)]


def entered(active: frozenset[str], purpose: str, hands_over: Callable[[str, str], bool]) -> frozenset[str]:
    """Return the purposes known to be active after `purpose` was entered from inside `active` (R4).

    Args:
        active: Those known before.
        purpose: The one that is entered.
        hands_over: Whether the first may be left for the second, or that cannot be told.
    """
    staying = {p for p in active if not includes(p, purpose) and not hands_over(p, purpose)}
    return frozenset((purpose, *staying))


def _covered(purpose: str, by: Iterable[str]) -> bool:
    return any(includes(p, purpose) for p in by)


def _outermost(purposes: Iterable[str]) -> frozenset[str]:
    every = frozenset(purposes)
    return frozenset(p for p in every if not any(p != q and includes(q, p) for q in every))


def _meets(one: Iterable[str], other: Iterable[str]) -> list[str]:
    deeper = (b if includes(a, b) else a if includes(b, a) else None for a, b in product(one, other))
    return [p for p in deeper if p is not None]


OPEN: Final = Terms(frozenset(), whole=False)
"""A tag of which nothing could be told."""
