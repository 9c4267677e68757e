"""The questions that a ledger answers, over one folder or those of a fleet.

What this module keeps:

- Every answer is about all that was recorded up to the question, compacted or not, each record once.
- Counts of people are exact, or refused.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, TypeVar

from typing_extensions import Unpack

from . import histories
from .counting import Asking, NameRow, aware
from .engine import EngineError, listed
from .errors import LedgerError
from .filters import DECISIONS, Filters, chosen
from .folder import Folder
from .key import Key
from .results import (
    Activity,
    Affected,
    Bucket,
    Cell,
    DamageFound,
    DenialUse,
    Emergency,
    HandoverUse,
    LostReads,
    SiteUse,
    Use,
)
from .snapshot import Snapshot

__all__ = ["BUCKETS", "Questions"]

BUCKETS: Final = ("hour", "day", "week", "month")
"""The stretches of time that `Questions.timeline` knows."""
_TRIES: Final = 10

_Answer = TypeVar("_Answer")


class Questions:
    """Asks the ledgers in some folders. What it made on the way is removed by `close`, or at the end of a ``with``.

    Args:
        folders: The ledgers' folders.

    Raises:
        LedgerError: There is no ledger at one of them, or an extra is missing. Every question raises it where a ledger
            cannot be read, where a filter makes no sense, and where people would have to be counted by several keys.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as empty, Questions([Folder(empty)]) as questions:
        ...     questions.affected(field="Account.phone").people
        0
    """

    def __init__(self, folders: Sequence[Folder]) -> None:
        self._folders = list(folders)
        self._snapshot: Snapshot | None = None
        self._lock = threading.Lock()
        self._snapshot = Snapshot(self._folders)

    def affected(self, **filters: Unpack[Filters]) -> Affected:
        """Return how many people are concerned."""
        wanted = chosen(filters)
        found = self._counted(lambda asking: asking.count_names(wanted, lambda name: [None]))
        one = found.get((None, None))
        return Affected(one.people, one.reads, one.unknown, one.first, one.last) if one else Affected()

    def matrix(self, **filters: Unpack[Filters]) -> list[Cell]:
        """Return what was decided for each field and purpose, by field, purpose and decision."""
        wanted = chosen(filters)

        def cells(name: NameRow) -> list[tuple[str, str | None, str]]:
            purposes: list[str | None] = [one for one in sorted(set(name.purposes)) if wanted.takes_purpose(one)]
            return [(name.field, purpose, name.decision) for purpose in purposes or [None]]

        found = self._counted(lambda asking: asking.count_names(wanted, cells))
        rows = [
            Cell(field, purpose, decision, one.people, one.reads, one.unknown)
            for ((field, purpose, decision), _), one in found.items()
        ]
        return sorted(rows, key=lambda row: (row.field, row.purpose or "", DECISIONS.index(row.decision)))

    def sites(self, **filters: Unpack[Filters]) -> list[SiteUse]:
        """Return the places in the code, most reads first."""
        wanted = chosen(filters)
        found = self._counted(
            lambda asking: asking.count_names(wanted, lambda n: [(n.site, n.field, n.purposes, n.decision)])
        )
        rows = [
            SiteUse(*group, one.people, one.reads, one.unknown, one.first, one.last)
            for (group, _), one in found.items()
        ]
        return sorted(rows, key=lambda row: (-row.reads, row.site or "", row.field, row.purposes, row.decision))

    def denials(self, **filters: Unpack[Filters]) -> list[DenialUse]:
        """Return what was denied or observed, by place in the code, most times first."""
        wanted = chosen(filters).narrowed(("denied", "observed"))
        found = self._counted(
            lambda asking: asking.count_names(
                wanted, lambda n: [(n.site, n.field, n.purposes, n.reason or "", n.decision == "denied")]
            )
        )
        rows = [
            DenialUse(*group, one.people, one.reads, one.unknown, one.first, one.last)
            for (group, _), one in found.items()
        ]
        return sorted(rows, key=_most_times_first)

    def timeline(self, bucket: str = "day", **filters: Unpack[Filters]) -> list[Bucket]:
        """Return what was decided in each ``"hour"``, ``"day"``, ``"week"`` or ``"month"`` of UTC, by time."""
        if bucket not in BUCKETS:
            raise LedgerError(f"A timeline goes by {', '.join(BUCKETS)}, and not by {bucket!r}")
        wanted = chosen(filters)
        found = self._counted(lambda asking: asking.count_names(wanted, lambda name: [name.decision], bucket=bucket))
        rows = [
            Bucket(start, decision, one.people, one.reads)
            for (decision, start), one in found.items()
            if start is not None
        ]
        return sorted(rows, key=lambda row: (row.start, DECISIONS.index(row.decision)))

    def handovers(self, **filters: Unpack[Filters]) -> list[HandoverUse]:
        """Return the handovers by which activities came, most activities first.

        `purpose`, `site`, `since` and `until` choose activities, `field` and `decision` what was read in them.
        """
        wanted = chosen(filters)
        if filters.get("decision") is None:
            wanted = wanted.narrowed(("allowed", "observed", "break_glass"))
        return self._counted(lambda asking: histories.handovers(asking, wanted))

    def subject(self, value: object, key: Key, **filters: Unpack[Filters]) -> list[Use]:
        """Return what was read of the person whose `SubjectId` is `value`, by time.

        Raises:
            LedgerError: The people were hashed by another key.
        """
        wanted = chosen(filters)
        person = key.person(value)
        return self._ask(lambda asking: histories.uses(asking, wanted, person, key.id))

    def activities(
        self, *, handed_over: bool = False, limit: int | None = None, **filters: Unpack[Filters]
    ) -> list[Activity]:
        """Return the activities, the last one first.

        Args:
            handed_over: Only those that came by a handover.
            limit: How many at most.
            filters: `purpose`, `site`, `since` and `until` choose activities, these by when they started; `field` and
                `decision` those in which something like that was read.
        """
        if limit is not None and limit < 0:
            raise LedgerError(f"There cannot be {limit} activities")
        wanted = chosen(filters)
        return self._counted(lambda asking: histories.listed_activities(asking, wanted, handed_over, limit))

    def break_glass(self, **filters: Unpack[Filters]) -> list[Emergency]:
        """Return the emergencies, by time; `since`, `until` and `site` choose those that were opened then and there.

        `field` chooses what was read in them.
        """
        wanted = chosen(filters)
        return self._counted(lambda asking: histories.emergencies(asking, wanted))

    def lost(self) -> LostReads:
        """Return how many reads were let through and could not be recorded."""

        def answer(asking: Asking) -> LostReads:
            files = asking.view.tables["lost"]
            if not files:
                return LostReads()
            reads, first, last = asking.rows(f'SELECT sum(reads), min("at"), max("at") FROM {listed(files)}')[0]
            return LostReads(reads or 0, aware(first), aware(last))

        return self._ask(answer)

    def damage(self) -> list[DamageFound]:
        """Return what was dropped of segments, by segment and place."""

        def answer(asking: Asking) -> list[DamageFound]:
            files = asking.view.tables["damage"]
            query = "SELECT segment, place, what, records FROM {} ORDER BY segment, place, what"
            return [DamageFound(*row) for row in asking.rows(query.format(listed(files)))] if files else []

        return self._ask(answer)

    def names(self) -> list[NameRow]:
        """Return what there are reads and denials about: fields, purposes, places in the code."""
        return self._ask(lambda asking: asking.names())

    def close(self) -> None:
        """Remove what was made on the way. It may be asked again afterwards."""
        with self._lock:
            snapshot, self._snapshot = self._snapshot, None
            if snapshot is not None:
                snapshot.close()

    def __enter__(self) -> Questions:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _counted(self, answer: Callable[[Asking], _Answer]) -> _Answer:
        def with_one_key(asking: Asking) -> _Answer:
            asking.require_one_key()
            return answer(asking)

        return self._ask(with_one_key)

    def _ask(self, answer: Callable[[Asking], _Answer]) -> _Answer:
        with self._lock:
            if self._snapshot is None:
                self._snapshot = Snapshot(self._folders)
            problem = ""
            for _ in range(_TRIES):
                view = self._snapshot.view()
                try:
                    return answer(Asking(self._snapshot.engine, view))
                except EngineError as error:
                    problem = " ".join(str(error).split())
                    if self._snapshot.view() == view:
                        break
                    # Retention has removed a batch meanwhile.
            raise LedgerError(f"The ledger cannot be asked: {problem}")


def _most_times_first(row: DenialUse) -> tuple[Any, ...]:
    """By all that tells rows apart: the engine returns them in any order, and an answer has the same one each time."""
    return (-row.times, row.site or "", row.field, row.purposes, row.reason, not row.enforced)
