"""Policies: which purposes a value may be used for, and the decision whether a read is covered. All of it pure.

What this module keeps:

- **R2** A read needs each active purpose to be covered by the policy's `allowed`, and none to be covered by its
  `never`. A purpose covers itself and its descendants, never its ancestors.
- **R3** No active purpose, no read.
- **R8** Policies narrow: `Policy.join` allows only what every source allows, `Policy.widens` says what a redeclaration
  would add.

Because purposes form a tree, two policies meet in one: of two comparable purposes the deeper is what both allow. So a
policy is always the same few sets and a time, in a normal form, and there is one object for each.

What a policy allows may hang on the person (her consent) and on the time (how long it is retained). `decide` says so;
it knows neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from typing import Any, ClassVar, NoReturn

from .errors import Reason
from .purpose import Purpose

__all__ = ["Decision", "Policy", "decide", "duration"]


class Policy:
    """What a value may be used for, in normal form and interned: equal policies are one object.

    Attributes:
        allowed: The purposes allowed, with or without consent, none of them below another or below one in `never`.
            Empty: nobody may read.
        never: The purposes refused, none of them below another.
        consent: The purposes for which the data subject has to consent, too. Each is, or is below, one of `allowed`.
        retain: How long after its collection a value may be read, or None for as long as it is there.
        conditional: Whether the purposes alone do not decide, and each read has to be asked for.
    """

    __slots__ = ("allowed", "conditional", "consent", "never", "retain")

    allowed: frozenset[Purpose]
    never: frozenset[Purpose]
    consent: frozenset[Purpose]
    retain: timedelta | None
    conditional: bool

    _interned: ClassVar[dict[tuple[object, ...], Policy]] = {}

    def __new__(
        cls,
        allowed: Iterable[Purpose],
        never: Iterable[Purpose] = (),
        consent: Iterable[Purpose] = (),
        retain: timedelta | None = None,
    ) -> Policy:
        refused = _outermost(never)
        kept = _outermost(p for p in allowed if not _covered(p, refused))
        asked = _outermost(p for p in _meets(consent, kept) if not _covered(p, refused))
        key = (kept, refused, asked, retain)
        known = cls._interned.get(key)
        if known is not None:
            return known
        self = super().__new__(cls)
        facts = {"allowed": kept, "never": refused, "consent": asked, "retain": retain}
        for name, fact in {**facts, "conditional": bool(asked) or retain is not None}.items():
            object.__setattr__(self, name, fact)
        return cls._interned.setdefault(key, self)

    def join(self, other: Policy) -> Policy:
        """Return the policy that allows what both allow (R8).

        Example:
            >>> safety = Purpose("safety", "Keep people safe")
            >>> Policy([safety]).join(Policy([safety.child("recall", "Recall a product")]))
            <Policy safety.recall>
        """
        if self is other:
            return self
        times = [one for one in (self.retain, other.retain) if one is not None]
        return Policy(
            _meets(self.allowed, other.allowed),
            self.never | other.never,
            self.consent | other.consent,
            min(times, default=None),
        )

    def widens(self, base: Policy) -> tuple[Purpose, ...]:
        """Return the purposes that this policy would permit and `base` does not; none means it narrows (R8).

        A purpose for which `base` asks the data subject, and this does not, is one of them.
        """
        added = [p for p in self.allowed if not _covered(p, base.allowed)]
        for stricter, own in ((base.never, self.never), (base.consent, self.consent | self.never)):
            added += [overlap for overlap in _meets(stricter, self.allowed) if not _covered(overlap, own)]
        return tuple(sorted(set(added)))

    def allows_more_than(self, base: Policy) -> bool:
        """Return whether this policy would permit what `base` does not: another purpose, or a longer time (R8)."""
        longer = base.retain is not None and (self.retain is None or self.retain > base.retain)
        return longer or bool(self.widens(base))

    @property
    def unconditional(self) -> frozenset[Purpose]:
        """Those of `allowed` that need no consent of anybody's."""
        return frozenset(p for p in self.allowed if not _covered(p, self.consent))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"A policy cannot be changed: {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"A policy cannot be changed: {name}")

    def __str__(self) -> str:
        parts = [", ".join(_names(self.unconditional)) or ("" if self.consent else "nothing")]
        if self.consent:
            parts.append(f"with consent {', '.join(_names(self.consent))}")
        if self.never:
            parts.append(f"never {', '.join(_names(self.never))}")
        if self.retain is not None:
            parts.append(f"for {duration(self.retain)}")
        return ", ".join(part for part in parts if part)

    def __repr__(self) -> str:
        return f"<Policy {self}>"

    def __copy__(self) -> Policy:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Policy:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        sets = (self.allowed, self.never, self.consent)
        return Policy, (*(tuple(sorted(one)) for one in sets), self.retain)


@dataclass(frozen=True)
class Decision:
    """The outcome of `decide`.

    Attributes:
        allowed: Whether the read is covered.
        reason: Why not, or None.
        culprits: The active purposes that are not covered, ordered by name.
        consent: The active purposes for which it is covered only if the data subject consents, ordered by name.
        detail: What more is known of why not, in words.
    """

    allowed: bool
    reason: Reason | None = None
    culprits: tuple[Purpose, ...] = ()
    consent: tuple[Purpose, ...] = ()
    detail: str = ""


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
        >>> decide(Policy([care], consent=[care]), frozenset([care])).consent
        (Purpose('care'),)
    """
    if not active:  # R3
        return _NO_SCOPE
    refused = tuple(sorted(p for p in active if _covered(p, policy.never)))
    if refused:  # R2, never=
        return Decision(False, Reason.NEVER, refused)
    uncovered = tuple(sorted(p for p in active if not _covered(p, policy.allowed)))
    if uncovered:  # R2, every active purpose
        return Decision(False, Reason.NOT_ALLOWED, uncovered)
    if policy.consent:
        return Decision(True, consent=tuple(sorted(p for p in active if _covered(p, policy.consent))))
    return _ALLOWED


def duration(time: timedelta) -> str:
    """Return a length of time in words.

    Example:
        >>> duration(timedelta(days=90)), duration(timedelta(hours=36))
        ('90 days', '1 day, 12:00:00')
    """
    return str(time) if time.seconds or time.microseconds else f"{time.days} day{'' if time.days == 1 else 's'}"


def _names(purposes: Iterable[Purpose]) -> list[str]:
    return sorted(purpose.name for purpose in purposes)


def _covered(purpose: Purpose, by: frozenset[Purpose]) -> bool:
    return bool(by) and not by.isdisjoint(purpose.ancestors)


def _outermost(purposes: Iterable[Purpose]) -> frozenset[Purpose]:
    every = frozenset(purposes)
    return frozenset(p for p in every if p.parent is None or not _covered(p.parent, every))


def _meets(some: Iterable[Purpose], others: Iterable[Purpose]) -> list[Purpose]:
    """What both sets cover: of each two comparable purposes the deeper."""
    deeper = (_deeper(a, b) for a, b in product(some, others))
    return [purpose for purpose in deeper if purpose is not None]


def _deeper(one: Purpose, other: Purpose) -> Purpose | None:
    if one in other.ancestors:
        return other
    return one if other in one.ancestors else None
