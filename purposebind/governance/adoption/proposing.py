"""Which tags are proposed: by what a ledger saw of a field, by what is beside it, or none that anybody could know.

What this module keeps:

- **R8** A proposal for a field that has a tag allows more than it did, and is called a widening. It is never mixed with
  tags for fields that have none.
- A proposal is what the code does, or what other fields say. What people were told is for a person to know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from purposebind import Purpose
from purposebind.errors import UNRECOGNIZED
from purposebind.policy import Policy, decide

from .fields import Field
from .suspecting import PLACEHOLDER, Suspect, is_placeholder

if TYPE_CHECKING:
    from purposebind.ledger.counting import NameRow

    from .asking import Asked

__all__ = ["Proposal", "Use", "propose", "uses_in"]

_MOST_SITES: Final = 3


@dataclass(frozen=True)
class Use:
    """What a ledger saw of a field for one purpose.

    Attributes:
        purpose: The purpose; empty where the code stated none.
        people: How many different people, known ones.
        reads: How many reads.
        sites: The places in the code, in order.
    """

    purpose: str
    people: int
    reads: int
    sites: tuple[str, ...] = ()

    def __str__(self) -> str:
        people = "1 person" if self.people == 1 else f"{self.people:,} people"
        counted = people if self.people else "1 read" if self.reads == 1 else f"{self.reads:,} reads"
        return f"{self.purpose or 'no purpose'} ({counted})"


@dataclass(frozen=True)
class Proposal:
    """A tag that is proposed.

    Attributes:
        kind: ``"tag"`` for a field that has none, ``"undecided"`` for one of which nothing is known, ``"widening"``
            for one whose tag would allow more.
        field: The field.
        policy: What the tag would allow; None where nothing is known.
        reason: Why the field looks personal; empty for a widening.
        source: What the proposal goes by, in words.
        added: What a widening adds.
        unknown: Purposes that the ledger names and the code does not declare: they are left out.
        seen: What the ledger saw.
    """

    kind: Literal["tag", "undecided", "widening"]
    field: Field
    policy: Policy | None
    reason: str
    source: str
    added: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    seen: tuple[Use, ...] = ()


def uses_in(asked: Asked, fields: Iterable[Field]) -> dict[str, list[Use]]:
    """Return what a ledger saw being let through of fields, by their labels; what was refused is not among it.

    Reads of an object of a subclass are reads of the field that it inherits. Emergencies are left out.
    """
    from purposebind.ledger.report.words import visible  # what stands in a ledger was written by others

    of: dict[str, set[str]] = {}
    for field in fields:
        for label in field.labels:
            of.setdefault(label, set()).add(field.label)

    def groups(name: NameRow) -> list[tuple[str, str]]:
        if name.decision not in ("allowed", "observed"):
            return []
        purposes = sorted(set(name.purposes)) or [""]
        return [(label, visible(purpose)) for label in of.get(name.field, ()) for purpose in purposes]

    sites: dict[tuple[str, str], set[str]] = {}
    for name in asked.names():
        for group in groups(name):
            sites.setdefault(group, set()).update([visible(name.site)] if name.site else [])
    found: dict[str, list[Use]] = {}
    for (label, purpose), one in sorted(asked.counted(groups).items()):
        places = tuple(sorted(sites[label, purpose]))[:_MOST_SITES]
        found.setdefault(label, []).append(Use(purpose, one.people, one.reads, places))
    return found


def propose(
    suspects: Iterable[Suspect], fields: Sequence[Field], uses: Mapping[str, Sequence[Use]] | None = None
) -> list[Proposal]:
    """Return a proposal for each suspect, and one for each field that was used for more than its tag allows.

    Args:
        suspects: The fields that look personal and have no tag.
        fields: All fields.
        uses: What a ledger saw.
    """
    known = {purpose.name: purpose for purpose in Purpose.declared() if purpose.name not in (PLACEHOLDER, UNRECOGNIZED)}
    seen = uses or {}
    found = [_tag(suspect, fields, seen.get(suspect.field.label, ()), known) for suspect in suspects]
    for one in fields:
        if one.policy is not None and not is_placeholder(one.policy):
            found += _widening(one, seen.get(one.label, ()), known)
    return sorted(found, key=lambda one: (one.field.module, one.field.line, one.field.label))


def _tag(suspect: Suspect, fields: Sequence[Field], seen: Sequence[Use], known: Mapping[str, Purpose]) -> Proposal:
    field, reason = suspect.field, suspect.reason
    named = {use.purpose for use in seen} - {""}
    unknown = tuple(sorted(named - known.keys()))
    tagged = [one for one in fields if one.policy is not None and not is_placeholder(one.policy)]
    by_name = [one for one in tagged if one.name == field.name and _is_for(one, field)]
    namesakes = [one for one in by_name if one.label == field.label]
    used = [known[name] for name in sorted(named & known.keys())]
    if used and not namesakes:  # the ledger cannot tell it from one of the same label, whose tag says more than uses
        told = f"the ledger saw it used for {', '.join(map(str, seen))}"
        return Proposal("tag", field, Policy(used), reason, told, unknown=unknown, seen=tuple(seen))
    for others in (namesakes, by_name, [one for one in tagged if one.owner is field.owner]):
        joined = _joined(others)
        if joined is not None:
            names = ", ".join(dict.fromkeys(_called(one, field) for one in others))
            return Proposal("tag", field, joined, reason, f"as {names}", unknown=unknown, seen=tuple(seen))
    told = "nothing is known of its use"
    if seen:
        told = f"the ledger saw it used for {', '.join(map(str, seen))}"
    return Proposal("undecided", field, None, reason, told, unknown=unknown, seen=tuple(seen))


def _is_for(one: Field, field: Field) -> bool:
    """Whether a tag could be taken over: a time to retain needs a field that says when a record was collected."""
    return one.policy is not None and (one.policy.retain is None or one.owner is field.owner)


def _called(one: Field, field: Field) -> str:
    if one.owner is field.owner:
        return f"{one.name} beside it"
    return f"{one.label} in {one.module}" if one.label == field.label else one.label


def _joined(fields: Collection[Field]) -> Policy | None:
    """What all of them allow; None where that is nothing."""
    policy: Policy | None = None
    for one in fields:
        if one.policy is not None:
            policy = one.policy if policy is None else policy.join(one.policy)
    return policy if policy is not None and policy.allowed else None


def _widening(field: Field, seen: Sequence[Use], known: Mapping[str, Purpose]) -> list[Proposal]:
    policy = field.policy
    assert policy is not None
    more = [use for use in seen if use.purpose in known and not decide(policy, frozenset([known[use.purpose]])).allowed]
    unknown = tuple(sorted({use.purpose for use in seen} - known.keys() - {""}))
    ruled_out = [use for use in more if not _may_allow(policy, known[use.purpose])]
    possible = [use for use in more if use not in ruled_out]
    if not possible:
        return []
    wider = Policy(
        policy.allowed | {known[use.purpose] for use in possible}, policy.never, policy.consent, policy.retain
    )
    told = f"the ledger saw it used for {', '.join(map(str, possible))}, which its tag does not allow"
    added = tuple(use.purpose for use in possible)
    return [Proposal("widening", field, wider, "", told, added=added, unknown=unknown, seen=tuple(seen))]


def _may_allow(policy: Policy, purpose: Purpose) -> bool:
    """Whether a tag could allow a purpose: what its ``never=`` rules out was decided already."""
    return not any(refused.includes(purpose) or purpose.includes(refused) for refused in policy.never)
