"""The answers of a ledger, as plain data.

What they have in common:

- People are counted exactly, and each once. A person who is not known is not among them: reads of such are counted in
  ``unknown_reads``, and are part of ``reads`` too.
- `reads` counts how often a value was asked for. Whether it was handed out says the decision: ``"allowed"``,
  ``"observed"`` (not allowed, and let through) and ``"break_glass"`` were, ``"denied"`` was not.
- Times are aware, in UTC. That of a read is the next time its process told, within the writer's interval (a second).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = [
    "Activity",
    "Affected",
    "Bucket",
    "Cell",
    "DamageFound",
    "DenialUse",
    "Emergency",
    "Handover",
    "HandoverUse",
    "LostReads",
    "SiteUse",
    "Use",
]


@dataclass(frozen=True)
class Affected:
    """How many people, and how many reads.

    Attributes:
        people: How many different people, known ones.
        reads: How many reads, of known people and of others.
        unknown_reads: How many of these reads were of a person who is not known.
        first: When the first one happened; None where there is none.
        last: When the last one happened.
    """

    people: int = 0
    reads: int = 0
    unknown_reads: int = 0
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True)
class Cell:
    """A field for a purpose, and what was decided.

    Attributes:
        field: Such as ``"Account.phone"``.
        purpose: One of the active purposes; reads for several are in the cell of each. None where there was none.
        decision: ``"allowed"``, ``"denied"``, ``"observed"`` or ``"break_glass"``.
        people: How many different people, known ones.
        reads: How many reads, of known people and of others.
        unknown_reads: How many of these reads were of a person who is not known.
    """

    field: str
    purpose: str | None
    decision: str
    people: int
    reads: int
    unknown_reads: int


@dataclass(frozen=True)
class SiteUse:
    """A place in the code, and what it read of one field for one set of purposes.

    Attributes:
        site: Of what was allowed the place of the scope, of a denial that of the read; None where it is not known.
        field: Such as ``"Account.phone"``.
        purposes: The active set.
        decision: As in `Cell`.
        people: How many different people, known ones.
        reads: How many reads, of known people and of others.
        unknown_reads: How many of these reads were of a person who is not known.
        first: When the first one happened.
        last: When the last one happened.
    """

    site: str | None
    field: str
    purposes: tuple[str, ...]
    decision: str
    people: int
    reads: int
    unknown_reads: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class DenialUse:
    """A read that its tag does not allow, at one place in the code.

    Attributes:
        site: The place of the read; None where it is not known.
        field: Such as ``"Account.phone"``.
        purposes: The active set.
        reason: Why it is not allowed.
        enforced: Whether it was refused; else it was let through, and only observed.
        people: How many different people, known ones.
        times: How often, of known people and of others.
        unknown: How many of these times the person is not known.
        first: When it happened first.
        last: When it happened last.
    """

    site: str | None
    field: str
    purposes: tuple[str, ...]
    reason: str
    enforced: bool
    people: int
    times: int
    unknown: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Use:
    """What was read of one person in one activity.

    Attributes:
        field: Such as ``"Account.phone"``.
        purposes: The active set.
        decision: As in `Cell`.
        site: As in `SiteUse`.
        times: How often.
        first: When first.
        last: When last.
        trace: The id of the OpenTelemetry trace that was active, 32 hexadecimal digits; None where there was none.
        activity: The activity's number; 0 where there was none.
    """

    field: str
    purposes: tuple[str, ...]
    decision: str
    site: str | None
    times: int
    first: datetime
    last: datetime
    trace: str | None
    activity: int


@dataclass(frozen=True)
class Handover:
    """A handover by which an activity came into its purpose.

    Attributes:
        left: The purpose that was left.
        entered: The purpose that was entered.
        reason: Why that is declared to be right.
    """

    left: str
    entered: str
    reason: str


@dataclass(frozen=True)
class HandoverUse:
    """A handover at one place in the code, and what was read after it.

    Attributes:
        left: The purpose that was left.
        entered: The purpose that was entered.
        reason: Why that is declared to be right.
        site: The place of the scope that was entered.
        activities: How many activities came by it.
        people: How many different people's data they were given, known ones.
        reads: How many reads, of known people and of others; denied ones are not among them.
        first: When the first of the activities started.
        last: When the last of the activities started.
    """

    left: str
    entered: str
    reason: str
    site: str
    activities: int
    people: int
    reads: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Bucket:
    """A stretch of time, and one decision.

    Attributes:
        start: When it starts, in UTC; a week starts on Monday.
        decision: As in `Cell`.
        people: How many different people, known ones.
        reads: How many reads, of known people and of others.
    """

    start: datetime
    decision: str
    people: int
    reads: int


@dataclass(frozen=True)
class Emergency:
    """A block of break-glass, with all that happened inside it.

    Attributes:
        reason: Why it was opened.
        by: Who opened it.
        site: The place in the code.
        started: When it was opened.
        ended: When it was left; None where it is open, or its end is not known.
        people: How many different people's data were read, known ones.
        reads: How many reads, of known people and of others.
        fields: The fields that were read.
    """

    reason: str
    by: str
    site: str
    started: datetime
    ended: datetime | None
    people: int
    reads: int
    fields: tuple[str, ...]


@dataclass(frozen=True)
class LostReads:
    """Reads that were let through and could not be recorded, which only happens with ``on_ledger_failure="continue"``.

    Attributes:
        reads: How many.
        first: When that was told first; None where there are none.
        last: When that was told last.
    """

    reads: int = 0
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True)
class DamageFound:
    """Records one after the other in a segment that are not whole, and were dropped.

    Attributes:
        segment: The segment's id.
        place: The offset of the first in the segment's file, in bytes.
        what: What is wrong.
        records: How many places are damaged in this way.
    """

    segment: str
    place: int
    what: str
    records: int = 1


@dataclass(frozen=True)
class Activity:
    """An activity: one entry of a scope.

    Attributes:
        activity: Its number.
        purposes: The active set in it.
        entered: The purposes that were entered with it.
        site: The place of the scope.
        handovers: The handovers by which it came.
        trace: The id of the OpenTelemetry trace, 32 hexadecimal digits; None where there was none.
        around: The number of the activity around it; 0 where there is none.
        started: When it was entered.
        ended: When it was left; None where it is open, or its end is not known.
        break_glass: The reason of the emergency that it is in; None where it is in none.
        by: Who opened that.
        pid: The number of the process.
        host: The machine.
        service: What the process calls itself; "" where it does not.
        people: How many different people's data it asked for, known ones.
        reads: How many reads, of known people and of others, denied ones too.
        unknown_reads: How many of these reads were of a person who is not known.
    """

    activity: int
    purposes: tuple[str, ...]
    entered: tuple[str, ...]
    site: str
    handovers: tuple[Handover, ...] = ()
    trace: str | None = None
    around: int = 0
    started: datetime | None = None
    ended: datetime | None = None
    break_glass: str | None = None
    by: str | None = None
    pid: int = 0
    host: str = ""
    service: str = ""
    people: int = 0
    reads: int = 0
    unknown_reads: int = 0
