"""The questions that a ledger answers, over one folder or those of a fleet."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from typing_extensions import Unpack

from .filters import Filters
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

__all__ = ["Questions"]


class Questions:
    """Asks the ledgers in some folders. What it made on the way is removed by `close`, or at the end of a ``with``.

    Args:
        folders: The ledgers' folders.

    Raises:
        LedgerError: There is no ledger at one of them, or an extra is missing. Every question raises it where a ledger
            cannot be read, where a filter makes no sense, and where people would have to be counted by several keys.
    """

    def __init__(self, folders: Sequence[Folder]) -> None:
        raise NotImplementedError

    def affected(self, **filters: Unpack[Filters]) -> Affected:
        """Return how many people are concerned."""
        raise NotImplementedError

    def matrix(self, **filters: Unpack[Filters]) -> list[Cell]:
        """Return what was decided for each field and purpose, by field, purpose and decision."""
        raise NotImplementedError

    def sites(self, **filters: Unpack[Filters]) -> list[SiteUse]:
        """Return the places in the code, most reads first."""
        raise NotImplementedError

    def denials(self, **filters: Unpack[Filters]) -> list[DenialUse]:
        """Return what was denied or observed, by place in the code, most times first."""
        raise NotImplementedError

    def timeline(self, bucket: str = "day", **filters: Unpack[Filters]) -> list[Bucket]:
        """Return what was decided in each ``"hour"``, ``"day"``, ``"week"`` or ``"month"`` of UTC, by time."""
        raise NotImplementedError

    def handovers(self, **filters: Unpack[Filters]) -> list[HandoverUse]:
        """Return the handovers by which activities came, most activities first.

        `purpose`, `site`, `since` and `until` choose activities, `field` and `decision` what was read in them.
        """
        raise NotImplementedError

    def subject(self, value: object, key: Key, **filters: Unpack[Filters]) -> list[Use]:
        """Return what was read of the person whose `SubjectId` is `value`, by time.

        Raises:
            LedgerError: The people were hashed by another key.
        """
        raise NotImplementedError

    def activities(
        self, *, handed_over: bool = False, limit: int | None = None, **filters: Unpack[Filters]
    ) -> list[Activity]:
        """Return the activities, the last one first.

        Args:
            handed_over: Only those that came by a handover.
            limit: How many at most.
            filters: `field`, `decision`: only those with such a read; `since`, `until`: those that started then.
        """
        raise NotImplementedError

    def break_glass(self, **filters: Unpack[Filters]) -> list[Emergency]:
        """Return the emergencies, by time; `since` and `until` choose those that started then."""
        raise NotImplementedError

    def lost(self) -> LostReads:
        """Return how many reads were let through and could not be recorded."""
        raise NotImplementedError

    def damage(self) -> list[DamageFound]:
        """Return what was dropped of segments, by segment and place."""
        raise NotImplementedError

    def close(self) -> None:
        """Remove what was made on the way. It may be asked again afterwards."""
        raise NotImplementedError

    def __enter__(self) -> Questions:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
