"""A change, and what one tag allows that another does not.

What this module keeps:

- **R8** What widens is told apart from what narrows by the rule that holds for tags in code: a purpose covers itself
  and its descendants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

from .lock import Tag

__all__ = ["Change", "Kind", "allows_more", "compare_tags", "widened"]

Kind = Literal["widening", "narrowing", "other"]


@dataclass(frozen=True)
class Change:
    """One difference between two locks.

    Attributes:
        kind: ``"widening"``: personal data may be used for more than before. ``"narrowing"``: for less. ``"other"``.
        subject: What changed, such as ``"Account.phone"``.
        where: Where it is declared: a module, or empty.
        text: How, in words.
    """

    kind: Kind
    subject: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}"


def widened(old: Tag, new: Tag) -> list[str]:
    """Return the purposes that `new` permits and `old` did not, or not without consent (as `Policy.widens` has it)."""
    added = {purpose for purpose in new.allowed if not _covered(purpose, old.allowed)}
    for stricter, own in ((old.never, new.never), (old.consent, (*new.consent, *new.never))):
        for one, allowed in product(stricter, new.allowed):
            overlap = _deeper(one, allowed)
            if overlap is not None and not _covered(overlap, own):
                added.add(overlap)
    return sorted(added)


def _covered(purpose: str, by: Iterable[str]) -> bool:
    return any(purpose == one or purpose.startswith(f"{one}.") for one in by)


def _deeper(one: str, other: str) -> str | None:
    if _covered(one, (other,)):
        return one
    return other if _covered(other, (one,)) else None


def allows_more(old: Tag, new: Tag) -> bool:
    """Return whether `new` lets something be read that `old` did not."""
    return bool(widened(old, new)) or _longer(new, old)


def compare_tags(subject: str, where: str, old: Tag, new: Tag) -> Iterator[Change]:
    """Yield what changed from one tag to another, of something that is declared somewhere."""
    more = [f"{one} without consent" if _asked(one, old) else f"+{one}" for one in widened(old, new)]
    less = [f"{one} with consent alone" if _asked(one, new) else f"-{one}" for one in widened(new, old)]
    if _longer(new, old):
        more.append(f"for {new.retain}" if new.retain else "for any time")
    if _longer(old, new):
        less.append(f"for {new.retain} alone")
    if more:
        yield Change("widening", subject, where, f"{', '.join(more)} (was {old})")
    if less:
        yield Change("narrowing", subject, where, f"{', '.join(less)} (now {new})")


def _asked(purpose: str, tag: Tag) -> bool:
    """Whether a tag allows a purpose with consent."""
    return _covered(purpose, tag.consent) and _covered(purpose, tag.allowed) and not _covered(purpose, tag.never)


def _longer(one: Tag, other: Tag) -> bool:
    return other.time is not None and (one.time is None or one.time > other.time)
