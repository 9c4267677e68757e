"""What a question is asked about: a field, a purpose, a decision, a stretch of time, a place in the code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Final, TypedDict

from purposebind import Purpose

from .errors import LedgerError

__all__ = ["DECISIONS", "Chosen", "Filters", "chosen", "microseconds"]

DECISIONS: Final = ("allowed", "observed", "break_glass", "denied")
"""What becomes of a read. With all but the last, the value is handed out."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FUNCTION: Final = re.compile(r" in [^/\\]*\Z")
_LINE: Final = re.compile(r":\d+\Z")


class Filters(TypedDict, total=False):
    """What a question can be narrowed to; what is left out, or None, is not narrowed.

    Attributes:
        field: A field, ``"Account.phone"``, or a model, ``"Account"``, for all its fields.
        purpose: A purpose or its name: what was read with it, or a descendant of it, among the active purposes.
        decision: One of `DECISIONS`, or several.
        since: An aware time: what happened then or later.
        until: An aware time: what happened before.
        site: A place in the code as the ledger tells it, or the end of its path, with the line or without:
            ``"app/login.py:88"``, ``"login.py"``.
    """

    field: str | None
    purpose: Purpose | str | None
    decision: str | Iterable[str] | None
    since: datetime | None
    until: datetime | None
    site: str | None


@dataclass(frozen=True)
class Chosen:
    """Filters that make sense.

    Attributes:
        field: The field or model.
        purpose: The purpose's name.
        decisions: The decisions.
        since: Microseconds since 1970, or None.
        until: Microseconds since 1970, or None.
        site: The place in the code.
    """

    field: str | None = None
    purpose: str | None = None
    decisions: frozenset[str] = frozenset(DECISIONS)
    since: int | None = None
    until: int | None = None
    site: str | None = None

    def takes(self, decision: str, field: str, purposes: Iterable[str], site: str | None) -> bool:
        """Return whether a read is asked for, whatever its time."""
        return (
            decision in self.decisions
            and self.takes_field(field)
            and (self.purpose is None or any(self.takes_purpose(name) for name in purposes))
            and self.takes_site(site)
        )

    def narrowed(self, decisions: Iterable[str]) -> Chosen:
        """Return the same for those of its decisions that are among these."""
        return replace(self, decisions=self.decisions.intersection(decisions))

    def takes_field(self, field: str) -> bool:
        """Return whether a field is asked for."""
        return self.field is None or field == self.field or field.startswith(f"{self.field}.")

    def takes_purpose(self, purpose: str) -> bool:
        """Return whether a purpose is asked for."""
        return self.purpose is None or purpose == self.purpose or purpose.startswith(f"{self.purpose}.")

    def takes_site(self, site: str | None) -> bool:
        """Return whether a place in the code is asked for.

        Example:
            >>> site = "/srv/app/login.py:88 in send_code"
            >>> [Chosen(site=s).takes_site(site) for s in (site, "login.py", "app/login.py:88", "in.py", "login.py:8")]
            [True, True, True, False, False]
        """
        if self.site is None or site == self.site:
            return True
        if site is None:
            return False
        line = _FUNCTION.sub("", site)
        return any(
            place == self.site or place.replace("\\", "/").endswith(f"/{self.site}")
            for place in (line, _LINE.sub("", line))
        )


def chosen(filters: Filters) -> Chosen:
    """Return filters that were checked.

    Raises:
        LedgerError: A decision is none, a time is not aware, or nothing can lie between the two times.
        TypeError: There is no such filter.
    """
    for name in filters:
        if name not in Filters.__annotations__:  # it would be left out, and the answer be about more than was asked
            raise TypeError(f"There is no filter {name}=: there are {', '.join(Filters.__annotations__)}")
    decisions = filters.get("decision")
    if decisions is None:
        decisions = DECISIONS
    elif isinstance(decisions, str):
        decisions = (decisions,)
    wanted = frozenset(decisions)
    unknown = wanted.difference(DECISIONS)
    if unknown or not wanted:
        told = ", ".join(repr(one) for one in sorted(map(str, unknown))) or "nothing"
        raise LedgerError(f"A decision is one of {', '.join(DECISIONS)}, and not {told}")
    since, until = (_moment(name, filters.get(name)) for name in ("since", "until"))
    if since is not None and until is not None and since >= until:
        raise LedgerError(f"Nothing lies between {filters.get('since')} and {filters.get('until')}")
    purpose = filters.get("purpose")
    return Chosen(
        field=filters.get("field"),
        purpose=purpose.name if isinstance(purpose, Purpose) else purpose,
        decisions=wanted,
        since=since,
        until=until,
        site=filters.get("site"),
    )


def microseconds(moment: datetime) -> int:
    """Return the microseconds from 1970 to an aware time."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _moment(name: str, moment: object) -> int | None:
    if moment is None:
        return None
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise LedgerError(f"{name}= takes a datetime with a time zone, and not {moment!r}")
    return microseconds(moment)
