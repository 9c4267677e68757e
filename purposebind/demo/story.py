"""The story, told by running it: six chapters on one database, and what came of each."""

from __future__ import annotations

import logging
import tempfile
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from purposebind import PurposeViolation, configure

from .accounts import ADVERTISING, TARGETING, Account
from .afterwards import ask, recorded
from .audience import AudienceRow, match_audience
from .contacts import COUNTRIES
from .incident import Incident, ReadGroup
from .population import CAMPAIGN, Population, invent
from .promises import Promises, keep_promises
from .road import Evidence, Outcome, attempt
from .roads import left_out, roads
from .signin import Gateway, queue_logins, send_login_codes
from .sizes import DEFAULT_ACCOUNTS, DEFAULT_SEED
from .store import Store, open_store

__all__ = ["COUNTED", "Replay", "Watch", "replay"]


Watch: TypeAlias = Callable[[str, float], object]
"""Told what is being done, and how much of the whole is done, from 0 to 1."""

COUNTED = {
    "people": "people with an account",
    "read": "people whose phone or e-mail address was read for advertising: everybody in the campaign's countries",
    "affected": "people among them who were matched to the advertiser's list by it, and put into the audience",
}
"""What each number counts."""

_LOGINS = 1_000
_REPORTED_EVERY = 500


@dataclass(frozen=True)
class Replay:
    """What happened.

    Attributes:
        people: How many people have an account.
        list_entries: How many entries the advertiser's list has.
        logins: How many people logged in.
        login_codes: How many codes sign-in could send them.
        first_read: ``"refused"`` where the plain audience match was refused at its first read.
        error: What its developer saw, or "" where it was not refused.
        roads: The outcome of each other road, by name.
        left_out: Which roads could not be tried, as SQLAlchemy is not installed, and how to get them; or "".
        promises: What came of phones that were given for login, and of those that were given on a marketing form.
        violations: How many reads the hook was told of when the match ran in observe mode.
        read: How many people's phone or e-mail address was read for advertising, counted by the hook alone.
        read_truth: The same from the seed: everybody in the campaign's countries.
        affected: How many of them were matched to the advertiser's list and put into the audience, counted by the hook
            alone.
        affected_truth: The same from the seed: those of `read_truth` who are on the list.
        same_people: Whether the hook's two counts and the seed's name the same people, and not only as many.
        entries_matched: How many entries of the list were found; not a count of people.
        groups: What was read, for what, by which line of code, and of how many people.
        ledger: The folder of the ledger that all of it was recorded in.
        ledger_read: The same count as `read`, by the ledger, asked when all else was gone.
        ledger_affected: The same count as `affected`, by the ledger.
        ledger_intact: Whether the ledger's chain holds, and no read in it names nobody.
        report: The file with the ledger's report.
        command: Asks the ledger again.
        warnings: What the library logged of the reads that it let through.
        seed: What the people were made from.
        seconds: How long it took.
    """

    people: int
    list_entries: int
    logins: int
    login_codes: int
    first_read: Outcome
    error: str
    roads: dict[str, Outcome]
    left_out: str
    promises: Promises
    violations: int
    read: int
    read_truth: int
    affected: int
    affected_truth: int
    same_people: bool
    entries_matched: int
    groups: list[ReadGroup]
    ledger: str
    ledger_read: int
    ledger_affected: int
    ledger_intact: bool
    report: str
    command: str
    warnings: list[str] = field(repr=False)
    seed: int
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether what is allowed worked, all else was refused, and the count is exact."""
        return (
            self.login_codes == self.logins
            and self.first_read == "refused"
            and set(self.roads.values()) == {"refused"}
            and self.promises.kept
            and self.affected == self.affected_truth
            and self.read == self.read_truth
            and self.same_people
            and self.ledger_read == self.read_truth
            and self.ledger_affected == self.affected_truth
            and self.ledger_intact
        )

    def as_json(self) -> dict[str, Any]:
        """Return it all as one object of JSON types."""
        return {**asdict(self), "passed": self.passed, "counted": COUNTED}


def replay(
    accounts: int = DEFAULT_ACCOUNTS,
    *,
    seed: int = DEFAULT_SEED,
    folder: Path | None = None,
    watch: Watch = lambda doing, done: None,
) -> Replay:
    """Run the story, and return what happened. The configuration is the same afterwards as before.

    Args:
        accounts: How many people have an account, from 1; the list has three entries for every five of them.
        seed: What to make the people from.
        folder: Where to leave the ledger and its report; a new temporary folder, which stays, where it is None.
        watch: Told of the progress.

    Raises:
        ValueError: `accounts` is less than 1.

    Example:
        >>> outcome = replay(100)
        >>> outcome.passed, outcome.people, outcome.affected == outcome.affected_truth
        (True, 100, True)
    """
    started = time.perf_counter()
    watch(f"Inventing {accounts:,} people and an advertiser's list", 0.0)
    population = invent(accounts, seed)
    place = Path(tempfile.mkdtemp(prefix="purposebind-demo-")) if folder is None else folder
    with _captured_log() as warnings, recorded(place), open_store() as store:
        watch("Writing the database", 0.25)
        store.fill(population)
        uploaded = store.uploaded()

        watch("Logging in", 0.35)
        login_codes, queued = _log_in(store)
        watch("Matching the audience", 0.4)
        first_read, error = _match(store, uploaded)
        watch("Trying the other roads", 0.4)
        evidence = Evidence(store, uploaded, queued)
        with configure(mode="enforce", unscoped="enforce", on_violation=()):
            outcomes: dict[str, Outcome] = {road.name: attempt(road, evidence) for road in roads()}
            watch("Keeping promises", 0.42)
            promises = keep_promises(islice(population.people, _LOGINS))

        doing = "Matching the audience as in 2019"
        incident, audience = _match_as_in_2019(
            _reported(
                store.accounts(CAMPAIGN), len(population.looked_up), lambda part: watch(doing, 0.45 + part * 0.45)
            ),
            uploaded,
        )
    watch("Asking the ledger", 0.9)
    answer = ask(place)
    watch("Asking the ledger", 1.0)
    return Replay(
        people=len(population.people),
        list_entries=len(population.listed),
        logins=min(accounts, _LOGINS),
        login_codes=login_codes,
        first_read=first_read,
        error=error,
        roads=outcomes,
        left_out=left_out(),
        promises=promises,
        violations=incident.violations,
        read=len(incident.people(ADVERTISING)),
        read_truth=len(population.looked_up),
        affected=len(incident.people(TARGETING)),
        affected_truth=len(population.affected),
        same_people=_same_people(incident, population),
        entries_matched=len({row.entry for row in audience}),
        groups=incident.groups(),
        ledger=answer.ledger,
        ledger_read=answer.read,
        ledger_affected=answer.affected,
        ledger_intact=answer.intact and answer.unknown_reads == 0,
        report=answer.report,
        command=answer.command,
        warnings=[message for message in warnings if message.startswith("observed")],
        seed=seed,
        seconds=round(time.perf_counter() - started, 3),
    )


def _log_in(store: Store) -> tuple[int, tuple[bytes, ...]]:
    """Chapter 1: what the data was given for. Returns the count of codes sent, and sign-in's own queue."""
    gateway = Gateway()
    with configure(mode="enforce", unscoped="enforce", on_violation=()):
        try:
            send_login_codes(islice(store.accounts(tuple(COUNTRIES)), _LOGINS), gateway)
            queued = queue_logins(islice(store.accounts(CAMPAIGN), _LOGINS))
        except PurposeViolation:  # then the library forbids too much, and the codes that are missing say so
            queued = []
    return gateway.delivered, tuple(queued)


def _match(store: Store, uploaded: frozenset[str]) -> tuple[Outcome, str]:
    """Chapter 2: the audience match, by a developer who reads the attribute. Returns the outcome and the error."""
    incident = Incident()
    with configure(mode="enforce", unscoped="enforce", on_violation=incident):
        try:
            match_audience(store.accounts(CAMPAIGN), uploaded)
        except PurposeViolation as violation:
            error = "".join(traceback.format_exception_only(type(violation), violation)).rstrip()
            return ("refused" if incident.violations == 1 else "open"), error
    return "open", ""


def _match_as_in_2019(accounts: Iterable[Account], uploaded: frozenset[str]) -> tuple[Incident, list[AudienceRow]]:
    """Chapter 5: the same match where nothing stops it. Returns what the hook was told, and what the match found."""
    incident = Incident()
    with configure(mode="observe", unscoped="observe", on_violation=incident):
        try:
            return incident, match_audience(accounts, uploaded)
        except PurposeViolation:  # then observe mode does more than observe, and the people that are missing say so
            return incident, []


def _same_people(incident: Incident, population: Population) -> bool:
    return (
        incident.unattributed == 0
        and incident.people(ADVERTISING) == population.looked_up
        and incident.people(TARGETING) == population.affected
    )


def _reported(accounts: Iterable[Account], total: int, report: Callable[[float], object]) -> Iterator[Account]:
    for number, account in enumerate(accounts):
        if number % _REPORTED_EVERY == 0:
            report(number / total)
        yield account
    report(1.0)


class _Collector(logging.Handler):
    def __init__(self, messages: list[str]) -> None:
        super().__init__()
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(record.getMessage())


@contextmanager
def _captured_log() -> Generator[list[str], None, None]:
    """Collect what the library logs in the block, instead of letting it run into the progress bar."""
    logger = logging.getLogger("purposebind")
    messages: list[str] = []
    collector = _Collector(messages)
    handlers, propagate = logger.handlers[:], logger.propagate
    logger.handlers[:], logger.propagate = [collector], False
    try:
        yield messages
    finally:
        logger.handlers[:], logger.propagate = handlers, propagate
