"""Policies: which purposes a value may be used for, and the decision whether a read is covered. All of it pure.

What this module keeps:

- **R2** A read needs each active purpose to be covered by the policy's `allowed`, and none to be covered by its
  `never`. A purpose covers itself and its descendants, never its ancestors.
- **R3** No active purpose, no read.
- **R8** Policies narrow: `Policy.join` allows only what every source allows, `Policy.widens` says what a redeclaration
  would add.

Because purposes form a tree, two policies meet in one: of two comparable purposes the deeper is what both allow. So a
policy is always one pair (`allowed`, `never`), in a normal form, and there is one object for each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar, NoReturn

from .errors import Reason
from .purpose import Purpose

__all__ = ["Decision", "Policy", "decide"]


class Policy:
    """What a value may be used for, in normal form and interned: equal policies are one object.

    Attributes:
        allowed: The purposes allowed, none of them below another or below one in `never`. Empty: nobody may read.
        never: The purposes refused, none of them below another.
    """

    __slots__ = ("allowed", "never")

    allowed: frozenset[Purpose]
    never: frozenset[Purpose]

    _interned: ClassVar[dict[tuple[frozenset[Purpose], frozenset[Purpose]], Policy]] = {}

    def __new__(cls, allowed: Iterable[Purpose], never: Iterable[Purpose] = ()) -> Policy:
        refused = _outermost(never)
        kept = _outermost(p for p in allowed if not _covered(p, refused))
        known = cls._interned.get((kept, refused))
        if known is not None:
            return known
        self = super().__new__(cls)
        object.__setattr__(self, "allowed", kept)
        object.__setattr__(self, "never", refused)
        return cls._interned.setdefault((kept, refused), self)

    def join(self, other: Policy) -> Policy:
        """Return the policy that allows what both allow (R8).

        Example:
            >>> safety = Purpose("safety", "Keep people safe")
            >>> Policy([safety]).join(Policy([safety.child("recall", "Recall a product")]))
            <Policy safety.recall>
        """
        if self is other:
            return self
        meets = (_deeper(a, b) for a, b in product(self.allowed, other.allowed))
        return Policy((m for m in meets if m is not None), self.never | other.never)

    def widens(self, base: Policy) -> tuple[Purpose, ...]:
        """Return the purposes that this policy would permit and `base` does not; none means it narrows (R8)."""
        added = [p for p in self.allowed if not _covered(p, base.allowed)]
        for refused, own in product(base.never, self.allowed):
            overlap = _deeper(refused, own)
            if overlap is not None and not _covered(overlap, self.never):
                added.append(overlap)
        return tuple(sorted(set(added)))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"A policy cannot be changed: {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"A policy cannot be changed: {name}")

    def __str__(self) -> str:
        words = ", ".join(p.name for p in sorted(self.allowed)) or "nothing"
        if self.never:
            words += f", never {', '.join(p.name for p in sorted(self.never))}"
        return words

    def __repr__(self) -> str:
        return f"<Policy {self}>"

    def __copy__(self) -> Policy:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Policy:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Policy, (tuple(sorted(self.allowed)), tuple(sorted(self.never)))


@dataclass(frozen=True)
class Decision:
    """The outcome of `decide`.

    Attributes:
        allowed: Whether the read is covered.
        reason: Why not, or None.
        culprits: The active purposes that are not covered, ordered by name.
    """

    allowed: bool
    reason: Reason | None = None
    culprits: tuple[Purpose, ...] = ()


_ALLOWED = Decision(True)
_NO_SCOPE = Decision(False, Reason.NO_SCOPE)


def decide(policy: Policy, active: frozenset[Purpose]) -> Decision:
    """Decide whether a value under `policy` may be read while `active` are the active purposes.

    Pure: the same arguments give the same answer, and nothing is remembered.

    Example:
        >>> care = Purpose("care", "Treat the patient")
        >>> decide(Policy([care]), frozenset([care])).allowed
        True
        >>> decide(Policy([care]), frozenset()).reason
        <Reason.NO_SCOPE: 'no scope'>
    """
    if not active:  # R3
        return _NO_SCOPE
    refused = tuple(sorted(p for p in active if _touches(p, policy.never)))
    if refused:  # R2, never=
        return Decision(False, Reason.NEVER, refused)
    uncovered = tuple(sorted(p for p in active if not _covered(p, policy.allowed)))
    if uncovered:  # R2, every active purpose
        return Decision(False, Reason.NOT_ALLOWED, uncovered)
    return _ALLOWED


def _covered(purpose: Purpose, by: frozenset[Purpose]) -> bool:
    return not by.isdisjoint(purpose.ancestors)


def _touches(purpose: Purpose, refused: frozenset[Purpose]) -> bool:
    return bool(refused) and _covered(purpose, refused)


def _outermost(purposes: Iterable[Purpose]) -> frozenset[Purpose]:
    every = frozenset(purposes)
    return frozenset(p for p in every if p.parent is None or not _covered(p.parent, every))


def _deeper(one: Purpose, other: Purpose) -> Purpose | None:
    if one in other.ancestors:
        return other
    return one if other in one.ancestors else None
