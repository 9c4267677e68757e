"""How long a value may be read: from what a model's `CollectedAt` field says, for what its tags retain.

What is not known is no time at all: where the field holds no date, what is retained may not be read.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from typing import Any

from .policy import Policy

__all__ = ["deadline_of", "retained_until"]


def retained_until(collected: Any, policy: Policy) -> float | None:
    """Return when the retention of a value is over, in seconds since 1970.

    Args:
        collected: When it was collected: a `datetime`, for UTC if it has no time zone, or a `date`.
        policy: What it may be used for.

    Returns:
        The time; None where nothing is retained, or where it is not known.
    """
    if policy.retain is None:
        return None
    try:
        if isinstance(collected, datetime):
            start = collected if collected.utcoffset() is not None else collected.replace(tzinfo=timezone.utc)
        elif isinstance(collected, date):
            start = datetime.combine(collected, time(), timezone.utc)
        else:
            return None
        until: float = (start - _EPOCH) / _SECOND + policy.retain / _SECOND
    except (ValueError, TypeError, OverflowError):  # a subclass that is no time at all, such as pandas.NaT
        return None
    return until if until == until else None  # nan is later than nothing


def deadline_of(model: Any, policy: Policy) -> float | None:
    """Return when the retention of what `model` holds under `policy` is over, as `retained_until` does."""
    return None if policy.retain is None else retained_until(model.__dict__.get(model.__purpose_collected__), policy)


_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
