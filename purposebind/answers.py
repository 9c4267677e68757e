"""What the consent store said, for as long as it may be relied on.

What this module keeps:

- A withdrawal counts from the next read on in this process, and in every other once an answer is as old as the
  configuration allows (`consent_max_age`). The age is counted from before the store was asked.
- A batch of people is asked about at once. A store that fails is not asked again for each of them: its failure is
  remembered like an answer, and denies.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final
from weakref import WeakSet

from . import config, consent
from .expiring import let_go_at
from .frames import ActiveSet, Frame
from .policy import Policy
from .purpose import Purpose

__all__ = ["Answers", "Batch", "StoreFailed", "consents"]

_AT_MOST: Final = 10_000
"""How many people a batch remembers beside those that it was made for."""
_AHEAD: Final = 1_000
"""How many of a batch are asked about at once when answers have become too old: the rest may be done with."""

_clock = time.monotonic
_lock = threading.RLock()
_live: WeakSet[Answers | Batch] = WeakSet()
_changes = 0


class StoreFailed(Exception):
    """Whether somebody consents cannot be told; why, in words that hold no value."""


class Batch:
    """Some people, and what the store said of them.

    Args:
        subjects: The values of their `SubjectId` fields, in the order in which they will be read.

    Attributes:
        until: Until when what was said may be relied on, in seconds of the monotonic clock.
    """

    __slots__ = ("__weakref__", "_failures", "_order", "_places", "_said", "_wholly", "until")

    def __init__(self, subjects: Iterable[Any] = ()) -> None:
        self._order = [one for one in dict.fromkeys(subjects) if one is not None]  # nobody: a box may know no person
        self._places = {subject: place for place, subject in enumerate(self._order)}
        self._wholly: set[Purpose] = set()  # those for which everybody was asked about once
        with _lock:
            self.forget()
            _live.add(self)

    def forget(self) -> None:
        """Forget what was said."""
        self.until = 0.0
        self._said: dict[Purpose, tuple[set[Any], set[Any]]] = {}  # those asked about, and those who consent
        self._failures: dict[Purpose, str] = {}

    def consenting(self, purpose: Purpose, subject: Any) -> set[Any]:
        """Return those who are known to consent to `purpose`, having made sure that `subject` was asked about.

        Raises:
            StoreFailed: The store could not say, now or a moment ago.
        """
        age = config.current.consent_max_age.total_seconds()
        now = _clock()
        if now >= self.until:
            with _lock:
                self.forget()
                self.until = now + age
        asked, yes = self._said.get(purpose, ((), set[Any]()))
        if subject in asked:
            return yes
        if purpose in self._failures:
            raise StoreFailed(self._failures[purpose])
        return self._ask(purpose, self._with(subject, purpose) if age else [subject], self.until)

    def keeps(self, purpose: Purpose, people: set[Any]) -> bool:
        """Whether `people`, which it said consent to `purpose`, are what it says still."""
        return self._said.get(purpose, (None, None))[1] is people

    @property
    def many(self) -> bool:
        """Whether it was made for people, and not only for whoever comes."""
        return bool(self._order)

    def prefetch(self, purposes: Iterable[Purpose]) -> None:
        """Ask the store about everybody, for each of `purposes`. Where it fails, reads are denied."""
        for purpose in purposes if self._order else ():
            try:
                self.consenting(purpose, self._order[0])
            except StoreFailed:
                continue

    def _with(self, subject: Any, purpose: Purpose) -> list[Any]:
        """The people to ask about when it comes to `subject`."""
        place = self._places.get(subject)
        if place is None:
            return [subject]
        if purpose in self._wholly:
            return self._order[place : place + _AHEAD]
        self._wholly.add(purpose)
        return self._order

    def _ask(self, purpose: Purpose, subjects: list[Any], until: float) -> set[Any]:
        changes = _changes
        try:
            store = config.current.consent
            if store is None:
                raise StoreFailed("no consent store is configured: configure(consent=...)")
            said = _people(store.consenting(subjects, purpose), subjects)
        except Exception as error:
            told = error if isinstance(error, StoreFailed) else f"the consent store failed: {_problem(error)}"
            problem = str(told)
        else:
            with _lock:
                if changes != _changes or self.until != until:  # good for this read, and not to be kept: somebody
                    return said  # changed her mind meanwhile, or others have asked since, and know better
                asked, yes = self._said.setdefault(purpose, (set(), set()))
                if len(asked) > len(self._order) + _AT_MOST:
                    asked, yes = self._said[purpose] = set(), set()
                asked.update(subjects)
                yes.update(said)
                return yes
        with _lock:
            if changes == _changes and self.until == until:
                self._failures[purpose] = problem
        raise StoreFailed(problem)


def _people(answer: Any, subjects: list[Any]) -> set[Any]:
    """Those of `subjects` whom a store named."""
    if isinstance(answer, (str, bytes, Mapping)):
        raise StoreFailed(
            f"the consent store answered with a {type(answer).__name__}, and not with the people who consent"
        )
    said = set(answer)
    if any(type(one) is bool for one in said) and not any(type(one) is bool for one in subjects):  # True == 1
        raise StoreFailed("the consent store answered with yes and no, and not with the people who consent")
    return said.intersection(subjects)


def _problem(error: Exception) -> str:
    """Why a store failed. What it says itself may name the person it was asked about (R7)."""
    number = error.errno if isinstance(error, OSError) else None
    return f"{type(error).__name__}, {os.strerror(number)}" if isinstance(number, int) else type(error).__name__


class Answers:
    """What is known of a batch under one set of active purposes.

    Attributes:
        granted: What a frame grants in which this holds: it is alive, and nobody watches what is read in it.
        people: By policy, those who consent to all that it asks for here: whoever is among them may be read without
            asking. Nobody, while somebody is told of each read, and as soon as the answers are too old.
    """

    __slots__ = ("__weakref__", "_until", "active", "batch", "granted", "people")

    def __init__(self, active: ActiveSet, batch: Batch) -> None:
        self.active = active
        self.granted = active.granted
        self.batch = batch
        with _lock:
            self.forget()
            _live.add(self)

    def forget(self) -> None:
        """Forget who consents."""
        self._until = 0.0
        self.people: dict[Policy, set[Any]] = {}

    def let_go(self) -> None:
        """Forget who consents: it is known for too long."""
        with _lock:
            self.forget()

    def consents(self, subject: Any, purposes: tuple[Purpose, ...], policy: Policy) -> bool:
        """Return whether `subject` consents to all of `purposes`, which `policy` asks for.

        Raises:
            StoreFailed: The store could not say.
        """
        changes = _changes
        sets = [self.batch.consenting(purpose, subject) for purpose in purposes]
        given = all(subject in one for one in sets)
        with _lock:
            told = config.current.sees_reads or policy.retain is not None  # what is retained is asked for each time
            kept = changes == _changes and all(map(self.batch.keeps, purposes, sets))
            if kept and not told and self._keeps():
                known = self.people.get(policy)
                if known is None:
                    self.people[policy] = sets[0] if len(sets) == 1 else set.intersection(*sets)
                elif given:
                    known.add(subject)
        return given

    def _keeps(self) -> bool:
        """Whether what the batch says now will be let go in time. Asked while nothing changes."""
        until = self.batch.until
        if self._until != until:
            self.forget()
            half = config.current.consent_max_age.total_seconds() / 2
            if not self.batch.many or not let_go_at(until - half, self):
                return False
            self._until = until
        return True


def consents(frame: Frame, subject: Any, purposes: tuple[Purpose, ...], policy: Policy) -> bool:
    """Return whether a person consents to all of `purposes`.

    Args:
        frame: The scope of the read.
        subject: The value of the `SubjectId`.
        purposes: What is asked for: active purposes.
        policy: Which policy asks.

    Raises:
        StoreFailed: Whether she does cannot be told.
    """
    try:
        hash(subject)
    except TypeError:
        raise StoreFailed(f"a {type(subject).__name__} as SubjectId cannot be looked up") from None
    answers = frame.answers
    if answers is None:
        nearest = next((one.answers for one in frame.around() if one.answers is not None), None)
        active = frame.entry.active
        if nearest is not None and nearest.active is active:
            answers = nearest
        else:
            answers = Answers(active, Batch() if nearest is None else nearest.batch)
        frame.answers = answers
    return answers.consents(subject, purposes, policy)


def _forget() -> None:
    global _changes
    with _lock:
        _changes += 1
        for one in list(_live):
            one.forget()


def _forked() -> None:
    global _lock
    _lock = threading.RLock()  # another thread, which is not here, may have held it
    for one in list(_live):
        one.forget()


consent.on_change(_forget)
config.on_change(_forget)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
