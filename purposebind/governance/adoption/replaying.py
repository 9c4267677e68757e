"""A ledger, replayed against a policy that is only proposed: what would be refused, at which place, of how many people.

What this module keeps:

- **R2** A read is covered as in code: each active purpose by what is allowed, and none by ``never=``. The rule is that
  of names, for the policy that is asked about need not be the one of this process.
- **R4** A handover that the proposal has not is not taken: what was read after it would be read under both purposes.
- People are counted exactly, each once at a place, and each once in the whole.
- What cannot be told is told as such: a field that the proposal does not know is neither refused nor allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from purposebind.governance.lock import Lock, Tag

if TYPE_CHECKING:
    from purposebind.ledger.counting import NameRow

    from .asking import Asked

__all__ = ["OUTCOMES", "Outcome", "Replay", "Replayed", "outcome_of", "replay", "tags_by_label"]

Outcome = Literal["refused", "consent", "passes", "unknown", "same"]
"""What becomes of a read under the proposal: it is refused, or needs the person's consent, and did not before; it is
allowed, and was not; nobody can tell; or nothing changes."""
_NUMBER: Final = re.compile(r" \(\d+\)$")
OUTCOMES: Final[tuple[Outcome, ...]] = ("refused", "consent", "passes", "unknown")


@dataclass(frozen=True)
class Replayed:
    """Reads of one field, at one place, for one set of purposes.

    Attributes:
        outcome: What becomes of them.
        site: The place in the code; None where it is not known.
        field: Such as ``"Account.phone"``.
        purposes: The active purposes, under the proposal.
        decision: What was decided when they happened: ``"allowed"``, ``"observed"`` or ``"denied"``.
        why: Why, in words.
        people: How many different people, known ones.
        reads: How many reads, of known people and of others.
        unknown_reads: How many of these were of a person who is not known.
    """

    outcome: Outcome
    site: str | None
    field: str
    purposes: tuple[str, ...]
    decision: str
    why: str
    people: int
    reads: int
    unknown_reads: int


@dataclass(frozen=True)
class Replay:
    """A ledger, replayed.

    Attributes:
        rows: What changes, and what cannot be told: the most people first.
        sites: How many people are concerned at each place, by the outcome and the place.
        people: How many people each outcome concerns.
        reads: How many reads were replayed; emergencies are not among them.
        retained: The fields that may be read for some time alone, and were read: a ledger does not know when what was
            read had been collected.
        nested: How many activities came by a handover that the proposal has not. What was read in scopes inside theirs
            is replayed without the purpose that they would have stayed in.
    """

    rows: tuple[Replayed, ...]
    sites: Mapping[tuple[Outcome, str | None], int]
    people: Mapping[Outcome, int]
    reads: int
    retained: tuple[str, ...] = ()
    nested: int = 0


@dataclass(frozen=True)
class _Judged:
    outcome: Outcome
    site: str | None
    field: str
    purposes: tuple[str, ...]
    decision: str
    why: str


@dataclass(frozen=True)
class _At:
    outcome: Outcome
    site: str | None


def replay(
    asked: Asked,
    lock: Lock,
    names: Mapping[str, Sequence[str]] | None = None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Replay:
    """Replay what a ledger recorded against the policy of a lock.

    Args:
        asked: The ledger.
        lock: The policy.
        names: What columns, with their tables, the fields of entities are, by what the ledger calls them.
        since: An aware time: only what happened then or later.
        until: An aware time: only what happened before.
    """
    tags = tags_by_label(lock, names or {})
    taken = asked.handed_over()

    def groups(name: NameRow) -> list[_Judged | _At | Outcome | None]:
        if name.decision == "break_glass":
            return []
        purposes = _active(name.purposes, taken.get(name.what, ()), lock)
        outcome, why = outcome_of(name.decision, purposes, tags.get(name.field))
        row = _Judged(outcome, name.site, name.field, purposes, name.decision, why)
        return [row, _At(outcome, name.site), outcome, None]

    retained = {label for label, found in tags.items() if any(tag is not None and tag.retain for tag in found)}
    read = {name.field for name in asked.names()}
    rows: list[Replayed] = []
    sites: dict[tuple[Outcome, str | None], int] = {}
    people: dict[Outcome, int] = dict.fromkeys(OUTCOMES, 0)
    reads = 0
    for key, one in asked.counted(groups, since=since, until=until).items():
        if key is None:
            reads = one.reads
        elif isinstance(key, str):
            people[key] = one.people
        elif key.outcome == "same":
            continue
        elif isinstance(key, _At):
            sites[key.outcome, key.site] = one.people
        else:
            rows.append(Replayed(**vars(key), people=one.people, reads=one.reads, unknown_reads=one.unknown))
    nested = sum(
        one.activities
        for one in asked.handovers(since=since, until=until)
        if not _has_handover(lock, one.left, one.entered)
    )
    return Replay(
        tuple(sorted(rows, key=_most_people_first)), sites, people, reads, tuple(sorted(retained & read)), nested
    )


def outcome_of(decision: str, purposes: Sequence[str], tags: Sequence[Tag | None] | None) -> tuple[Outcome, str]:
    """Return what becomes of a read, and why.

    Args:
        decision: What was decided when it happened.
        purposes: The active purposes.
        tags: What the proposal says of the field, or of all fields of that name; None for one without a tag. None or
            nothing where it does not know the field.

    Example:
        >>> outcome_of("allowed", ["advertising"], [Tag(("security",))])
        ('refused', 'advertising is not allowed')
    """
    if not tags:
        return "unknown", "the lock knows no such field"
    verdicts = [_verdict(purposes, tag) for tag in tags]
    order: tuple[Outcome, ...] = ("refused", "consent", "passes")
    outcome, why = min(verdicts, key=lambda one: order.index(one[0]))  # of several of one name, the strictest
    if len({one for one, _ in verdicts}) > 1:
        why += "; several fields have this name, and it is so for one of them"
    if decision == "denied" and outcome != "passes":
        return ("same", "") if outcome == "refused" else (outcome, why)
    if decision == "allowed" and outcome == "passes":
        return "same", ""
    return outcome, why


def tags_by_label(lock: Lock, names: Mapping[str, Sequence[str]]) -> dict[str, list[Tag | None]]:
    """Return what a lock says of fields, by what the ledger calls them.

    Args:
        lock: The lock.
        names: What columns, with their tables, the fields of entities are.
    """
    found: dict[str, list[Tag | None]] = {}
    columns: dict[str, list[Tag | None]] = {}
    for key, model in lock.models.items():
        for name in (*model.tagged, *model.untagged):
            _add(found, f"{_unnumbered(key.rpartition('.')[2])}.{_unnumbered(name)}", model.tagged.get(name))
    for key, table in lock.tables.items():
        for name in (*table.tagged, *table.untagged):
            place, tag = f"{_unnumbered(key)}.{name}", table.tagged.get(name)
            columns.setdefault(place, []).append(tag)
            _add(found, place, tag)
    for label, places in names.items():
        for place in places:
            for tag in columns.get(place, ()):
                _add(found, label, tag)
    for key, gate in lock.gates.items():
        _add(found, f"{_unnumbered(key.partition(':')[2])}()", gate)
    return found


def _unnumbered(name: str) -> str:
    """A name without the number that a lock gives to the second of it, and to further ones."""
    return _NUMBER.sub("", name)


def _add(found: dict[str, list[Tag | None]], label: str, tag: Tag | None) -> None:
    known = found.setdefault(label, [])
    if tag not in known:
        known.append(tag)


def _verdict(purposes: Sequence[str], tag: Tag | None) -> tuple[Outcome, str]:
    if tag is None:
        return "passes", "it has no tag any more"
    if not purposes:
        return "refused", "no purpose is stated"
    never = [one for one in purposes if _covered(one, tag.never)]
    if never:
        return "refused", f"{', '.join(never)} is never allowed"
    refused = [one for one in purposes if not _covered(one, tag.allowed)]
    if refused:
        return "refused", f"{', '.join(refused)} is not allowed"
    asking = [one for one in purposes if _covered(one, tag.consent)]
    if asking:
        return "consent", f"{', '.join(asking)} needs the person's consent"
    return "passes", f"the lock says {tag}"


def _covered(purpose: str, by: Iterable[str]) -> bool:
    return any(purpose == one or purpose.startswith(f"{one}.") for one in by)


def _active(purposes: Sequence[str], taken: Iterable[tuple[str, str]], lock: Lock) -> tuple[str, ...]:
    """The active purposes, with those that were left by a handover which the proposal has not."""
    staying = {
        left
        for left, entered in taken
        if not _has_handover(lock, left, entered) and not any(_covered(one, [left]) for one in purposes)
    }
    return tuple(sorted({*purposes, *staying}))


def _has_handover(lock: Lock, left: str, entered: str) -> bool:
    return any(_covered(left, [source]) and _covered(entered, [target]) for source, target in lock.handovers)


def _most_people_first(row: Replayed) -> tuple[object, ...]:
    return (
        OUTCOMES.index(row.outcome),
        -row.people,
        -row.reads,
        row.site or "",
        row.field,
        row.purposes,
        row.decision,
        row.why,
    )
