"""The record of processing activities of GDPR article 30(1), from the tags that are enforced and from a ledger.

One purpose is one processing activity. What may be read for it is what `decide` lets pass, with the tags as they are;
what was read for it, the ledger knows. Both stand side by side, so that what is declared and never used shows, and so
does what was used and is not declared.

What this module keeps:

- **R2** A field is among an activity's data where each read of it for that purpose alone would be allowed, or would be
  with the data subject's consent.
- Nothing is made up: what neither the code, the ledger nor a person says is missing, and shown as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from purposebind import Purpose
from purposebind.errors import UNRECOGNIZED
from purposebind.governance.gathering import gather
from purposebind.governance.importing import imported
from purposebind.policy import decide

from .declaring import DeclaredField, declared_fields
from .filling import Filled, PurposeTold
from .happening import Happened, Usage, happened_in
from .vocabularies import unknown_terms

if TYPE_CHECKING:
    from purposebind.ledger import Ledger

__all__ = ["Activity", "Line", "Record", "inventory", "owner"]

_NOTHING: Final = PurposeTold()
_SEALED: Final = (
    "Tagged fields are sealed in memory. A read for a purpose that the tag does not allow is refused, by whatever road "
    "the value could take."
)


@dataclass(frozen=True)
class Line:
    """A field in a processing activity.

    Attributes:
        field: What the ledger calls it.
        where: The module or table; empty where the packages do not declare it.
        permitted: Whether its tag allows the purpose; None where the packages do not declare it.
        consent: Whether the data subject has to consent to the purpose.
        retain: How long after its collection it may be read, or None.
        observing: Whether its class only observes, so that nothing is refused.
        usage: What happened; None where no ledger was asked.
    """

    field: str
    where: str = ""
    permitted: bool | None = None
    consent: bool = False
    retain: timedelta | None = None
    observing: bool = False
    usage: Usage | None = None


@dataclass(frozen=True)
class Activity:
    """The processing for one purpose.

    Attributes:
        name: The purpose's name; empty for what was read without one.
        purpose: The purpose; None where the code declares none by that name.
        lines: The fields, in order: what may be read for it, and what was.
        handovers: The purposes that its work may become work for, and why; those of its ancestors too.
        told: What people say of it.
        used: Whether anything was ever read for it; None where no ledger was asked.
    """

    name: str
    purpose: Purpose | None
    lines: tuple[Line, ...]
    handovers: tuple[tuple[str, str], ...] = ()
    told: PurposeTold = _NOTHING
    used: bool | None = None

    @property
    def data(self) -> tuple[Line, ...]:
        """The fields that may be read for it."""
        return tuple(line for line in self.lines if line.permitted)

    @property
    def astray(self) -> tuple[Line, ...]:
        """The fields that are not known to be allowed for it, and were read or asked for."""
        return tuple(line for line in self.lines if not line.permitted)

    def models(self) -> list[str]:
        """The models and classes that hold its data."""
        return sorted({owner(line.field) for line in self.data} - {""})


@dataclass(frozen=True)
class Record:
    """The record.

    Attributes:
        packages: The packages that it is of.
        filled: What people wrote down.
        activities: The processing activities, by purpose.
        happened: What the ledger holds, or None where none was asked.
        gates: The functions that ask for a purpose before they run.
        emergencies: How often each function opens `break_glass`, by module and name.
        remarks: What a reader has to know: what could not be looked into, words that no vocabulary has.
    """

    packages: tuple[str, ...]
    filled: Filled
    activities: tuple[Activity, ...]
    happened: Happened | None = None
    gates: tuple[str, ...] = ()
    emergencies: tuple[tuple[str, int], ...] = ()
    remarks: tuple[str, ...] = ()

    def observing(self) -> list[str]:
        """The models whose tags are not enforced, since they only observe."""
        return sorted({owner(line.field) for one in self.activities for line in one.lines if line.observing})

    def measures(self) -> list[str]:
        """The security measures, in words: what this library does, and what people wrote down."""
        found = [_SEALED]
        if self.observing():
            found.append(f"These only observe, and refuse nothing: {', '.join(self.observing())}.")
        lines = [line for one in self.activities for line in one.data]
        if any(line.consent for line in lines):
            found.append("Where a tag asks for the data subject's consent, each read is refused without it.")
        if any(line.retain is not None for line in lines):
            found.append("Where a tag says for how long, each read is refused when that is over.")
        if self.gates:
            found.append(f"Functions that ask for a purpose before they run: {', '.join(self.gates)}.")
        if self.happened is not None:
            found.append(
                "Each read and each refusal is recorded in a ledger, people as keyed hashes, before a value is let out."
            )
        if self.emergencies:
            opened = ", ".join(
                f"{name} ({'once' if times == 1 else f'{times} times'})" for name, times in self.emergencies
            )
            found.append(f"Emergencies, in which everything may be read and is recorded, can be opened in: {opened}.")
        return [*found, *self.filled.security_measures]


def inventory(
    *packages: str, ledger: Ledger | None = None, filled: Filled | None = None, filled_name: str = "the file"
) -> Record:
    """Import `packages`, with the modules inside them, and return the record of what they process.

    Purposes and handovers are those of the whole process: a package may use what another one declares.

    Args:
        packages: The names of packages or modules.
        ledger: What is asked what really happened.
        filled: What people wrote down.
        filled_name: What errors call the file that it stands in.

    Raises:
        LockError: A module cannot be imported, a model is not finished, or something else that a lock refuses.
        LedgerError: The ledger cannot be read.
        InventoryError: `filled` names something that the code does not have.

    Example:
        >>> record = inventory("purposebind.demo.accounts")
        >>> [(one.name, one.models()) for one in record.activities if one.data]
        [('security.two_factor', ['Account', 'LookupKey'])]
    """
    lock = gather(*packages)
    fields, problems = declared_fields(imported(*packages), packages)
    purposes = [one for one in Purpose.declared() if one.name != UNRECOGNIZED]
    told = filled or Filled()
    told.require_known(
        filled_name,
        (one.name for one in purposes),
        (field.owner for field in fields if field.owner),
        (field.name for field in fields),
    )
    happened = happened_in(ledger) if ledger is not None else None
    found = [_of_purpose(one, fields, happened, told.purposes.get(one.name)) for one in purposes]
    if happened is not None:
        found += _of_others(happened, {one.name for one in purposes}, fields)
    return Record(
        packages=tuple(sorted(set(packages))),
        filled=told,
        activities=tuple(sorted(found, key=lambda one: (not one.name, one.name))),
        happened=happened,
        gates=tuple(sorted(f"{field.where}:{field.name}" for field in fields if not field.owner)),
        emergencies=tuple(sorted(lock.break_glass.items())),
        remarks=(*problems, *unknown_terms(purposes), *(_doubts(happened, fields) if happened is not None else ())),
    )


def owner(field: str) -> str:
    """Return the model or class that a field is of; nothing for a function that asks for a purpose."""
    return "" if field.endswith("()") else field.rpartition(".")[0]


def _doubts(happened: Happened, fields: Iterable[DeclaredField]) -> Iterator[str]:
    """What keeps the ledger's numbers from being those of the fields."""
    yield from happened.shortfalls
    places: dict[str, list[str]] = {}
    for field in fields:
        places.setdefault(field.name, []).append(field.where)
    for name, several in sorted(places.items()):
        if len(several) > 1:
            yield f"{name} is in {' and '.join(several)}: a ledger tells them as one, and each row counts all of them."


def _of_purpose(
    purpose: Purpose, fields: Iterable[DeclaredField], happened: Happened | None, told: PurposeTold | None
) -> Activity:
    declared = []
    for field in fields:
        decision = decide(field.policy, frozenset((purpose,)))
        declared.append((field, decision.allowed, bool(decision.consent)))
    lines = list(_lines(purpose.name, declared, happened))
    ways = {one.target.name: one.reason for one in Purpose.handovers() if one.source.includes(purpose)}
    used = any(line.usage.handed_out for line in lines if line.usage) if happened is not None else None
    return Activity(purpose.name, purpose, tuple(lines), tuple(sorted(ways.items())), told or _NOTHING, used)


def _of_others(happened: Happened, known: set[str], fields: Iterable[DeclaredField]) -> Iterator[Activity]:
    """What was read for purposes that the code does not declare, or for none."""
    declared = [(field, False, False) for field in fields]
    for name in sorted({purpose or "" for purpose, _ in happened.usages} - known):
        lines = tuple(_lines(name, declared, happened))
        yield Activity(name, None, lines, used=any(line.usage.handed_out for line in lines if line.usage))


def _lines(
    purpose: str, declared: Iterable[tuple[DeclaredField, bool, bool]], happened: Happened | None
) -> Iterator[Line]:
    used = (
        {field: usage for (name, field), usage in happened.usages.items() if (name or "") == purpose}
        if happened
        else {}
    )
    lines = {}
    for field, permitted, consent in declared:
        if permitted or field.name in used:
            usage = used.get(field.name, Usage()) if happened is not None else None
            lines[field.name, field.where] = Line(
                field.name, field.where, permitted, consent, field.policy.retain, field.observing, usage
            )
    for name in used.keys() - {field for field, _ in lines}:
        lines[name, ""] = Line(name, usage=used[name])
    yield from (lines[key] for key in sorted(lines))
