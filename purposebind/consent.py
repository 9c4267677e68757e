"""Consent: what data subjects said about purposes, and who keeps it.

The library asks a `ConsentStore` whether a person consents, whenever a tag says ``with_consent=``. Yours, where consent
is kept already; `InMemoryConsents` in tests and small programs; or
`purposebind.integrations.sqlalchemy.SQLAlchemyConsents` in a database.

What counts is the person's last word: a consent to a purpose covers its descendants; a withdrawal takes back what was
given before, for the purpose and all below it; and what was refused for a narrower purpose is not given back by a
consent to a wider one. Consent is meant as in GDPR articles 4(11) and 7.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any, Protocol

from .purpose import Purpose

__all__ = ["Choice", "ConsentStore", "InMemoryConsents", "changed", "in_force", "on_change"]


class ConsentStore(Protocol):
    """What `configure` takes for ``consent=``: who consents, for many people at once."""

    def consenting(self, subjects: Sequence[Any], purpose: Purpose, /) -> Collection[Any]:
        """Return those of `subjects` who consent to `purpose` now.

        Whatever it raises denies: nobody is taken to consent whose word cannot be had. A store that learns of a change
        in this process calls `purposebind.consent.changed`, so that the next read asks again.

        Args:
            subjects: The values of `SubjectId` fields, each once.
            purpose: A purpose that is active; one that includes it may have been consented to.
        """
        ...


@dataclass(frozen=True)
class Choice:
    """What a person said about a purpose.

    Attributes:
        purpose: The purpose's name.
        given: Whether consent was given; else it was withdrawn, or refused.
        at: When, in UTC.
        wording: The version of the words that the person was shown; empty where none were.
        number: Orders choices: a later one has a higher number.
    """

    purpose: str
    given: bool
    at: datetime
    wording: str = ""
    number: int = 0


def in_force(choices: Mapping[str, Choice], purpose: Purpose) -> bool:
    """Return whether a person consents to `purpose`, by the last choice for it and for each purpose that includes it.

    Args:
        choices: The person's last choices, by the names of the purposes.
        purpose: What is asked for.

    Example:
        >>> news = Purpose("news", "Tell what is new")
        >>> weekly = news.child("weekly", "Once a week")
        >>> now = datetime.now(timezone.utc)
        >>> in_force({"news": Choice("news", True, now)}, weekly)
        True
        >>> in_force({"news": Choice("news", True, now), "news.weekly": Choice("news.weekly", False, now)}, weekly)
        False
    """
    nearest: Choice | None = None
    for name in _line(purpose):
        choice = choices.get(name)
        if choice is None:
            continue
        if nearest is None:
            nearest = choice
        if not choice.given and choice.number >= nearest.number:
            return False
    return nearest is not None and nearest.given


@lru_cache(maxsize=1024)
def _line(purpose: Purpose) -> tuple[str, ...]:
    """The names of a purpose and of those that include it, the narrowest first."""
    return tuple(one.name for one in sorted(purpose.ancestors, key=lambda one: len(one.ancestors), reverse=True))


class InMemoryConsents:
    """A `ConsentStore` that lives with the process: for tests, examples, and programs that load consent at their start.

    Example:
        >>> surveys = Purpose("customer_surveys", "Ask customers how it was")
        >>> consents = InMemoryConsents()
        >>> _ = consents.give(17, surveys, wording="2026-03")
        >>> consents.consenting([17, 18], surveys)
        {17}
        >>> _ = consents.withdraw(17, surveys)
        >>> consents.consenting([17, 18], surveys), [choice.given for choice in consents.history(17)]
        (set(), [True, False])
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._history: dict[Any, list[Choice]] = {}
        self._last: dict[Any, dict[str, Choice]] = {}

    def give(self, subject: Any, purpose: Purpose, *, wording: str) -> Choice:
        """Record that a person consents to `purpose` and its descendants.

        Args:
            subject: The value of the `SubjectId` field.
            purpose: What for.
            wording: The version of the words that the person was shown, such as ``"2026-03"``.
        """
        return self._record(subject, purpose, True, wording)

    def withdraw(self, subject: Any, purpose: Purpose, *, wording: str = "") -> Choice:
        """Record that a person does not consent to `purpose` and its descendants, any more or at all."""
        return self._record(subject, purpose, False, wording)

    def history(self, subject: Any) -> list[Choice]:
        """Return all that a person said, the oldest first."""
        with self._lock:
            return list(self._history.get(subject, ()))

    def consenting(self, subjects: Iterable[Any], purpose: Purpose, /) -> set[Any]:
        """Return those of `subjects` who consent to `purpose` now."""
        with self._lock:
            return {one for one in subjects if one in self._last and in_force(self._last[one], purpose)}

    def _record(self, subject: Any, purpose: Purpose, given: bool, wording: str) -> Choice:
        with self._lock:
            choice = Choice(purpose.name, given, datetime.now(timezone.utc), wording, next(self._numbers))
            self._history.setdefault(subject, []).append(choice)
            self._last.setdefault(subject, {})[purpose.name] = choice
        changed()
        return choice


_listeners: list[Callable[[], None]] = []


def changed() -> None:
    """Have every read from now on ask the store again: somebody's consent has changed in this process."""
    for listener in _listeners:
        listener()


def on_change(listener: Callable[[], None]) -> None:
    """Have `listener` called after each change."""
    _listeners.append(listener)
