"""`break_glass`: everything is open in its block and nowhere else, and each read is on the record.

- **R5** What it opens is open in its block and nowhere else.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import logging
import os
import pickle
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any

import pytest
from ledger_rows import KEY, Rows, rows
from purposes import ADVERTISING, SECURITY, TWO_FACTOR

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    PurposeError,
    PurposeModel,
    PurposeViolation,
    SubjectId,
    carry,
    configure,
    purpose_scope,
    requires_purpose,
)
from purposebind.break_glass import break_glass
from purposebind.errors import NotRecorded, Reason
from purposebind.ledger import segment as segments
from purposebind.ledger.folder import Folder
from purposebind.ledger.recorder import Recorder

REASON, BY = "INC-1234: restore login", "Grace Hopper"
TOLD = {"reason": REASON, "by": BY}


class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(TWO_FACTOR)] = "+1"
    health: Annotated[str, AllowedFor(SECURITY, never=[TWO_FACTOR])] = "well"


class Recorded:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = Recorder(Folder(folder), KEY, segment_bytes=1 << 16, interval=3600)

    def recorder(self) -> Recorder:
        return self.made

    def rows(self) -> Rows:
        return rows(self.folder)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Recorded]:
    recorded = Recorded(tmp_path / "ledger")
    with configure(ledger=recorded):
        yield recorded
    recorded.made.close()


def emergency() -> break_glass:
    return break_glass(REASON, by=BY)


def under(found: Rows) -> dict[tuple[str, bytes | None], list[Any]]:
    """For each field and person, under what emergency each of the reads was."""
    told: dict[tuple[str, bytes | None], list[Any]] = {}
    for read in found.reads:
        told.setdefault((read.field, read.person), []).append(found.activities[read.activity].break_glass)
    return told


# --- What it opens ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("around", [None, ADVERTISING, TWO_FACTOR])
def test_it_opens_everything_and_each_read_is_recorded(around: Any, ledger: Recorded) -> None:
    """The service would stay down, or nobody could say afterwards what was looked at."""
    account = Account(id=1)
    with ExitStack() as stack:
        if around is not None:
            stack.enter_context(purpose_scope(around))
        with emergency():
            for _ in range(3):
                assert (account.phone, account.health) == ("+1", "well")
            assert account.model_dump() == {"id": 1, "phone": "+1", "health": "well"}
            assert requires_purpose(SECURITY)(lambda: 1)() == 1
            assert account == Account(id=1)
            pickle.dumps(account)
    found = ledger.rows()
    assert found.denials == []
    counts = {key: len(told) for key, told in under(found).items() if key[1] is not None}
    assert counts == {("Account.phone", KEY.person(1)): 7, ("Account.health", KEY.person(1)): 7}
    assert all(one == TOLD for told in under(found).values() for one in told)
    (activity,) = {read.activity for read in found.reads}
    assert found.activities[activity].purposes == ([] if around is None else [around.name])
    assert found.activities[activity].site.startswith(f"{__file__}:")
    assert len(found.ended[activity]) == 1


def test_it_is_recorded_although_nothing_was_read(ledger: Recorded) -> None:
    """Somebody could open everything, look around, and leave no trace."""
    with emergency():
        pass
    (activity,) = ledger.rows().opens
    assert activity.break_glass == TOLD
    assert len(ledger.rows().ended[activity.id]) == 1


def test_nothing_is_open_before_or_after(ledger: Recorded) -> None:
    """An emergency would never be over."""
    account = Account(id=1)
    for _ in range(2):
        with pytest.raises(NoActivePurpose):
            account.phone
        with emergency():
            account.phone
    with pytest.raises(NoActivePurpose):
        account.phone
    with purpose_scope(ADVERTISING):
        with emergency():
            account.phone
        with pytest.raises(PurposeViolation):
            account.phone


def test_a_scope_inside_is_in_the_emergency_too(ledger: Recorded) -> None:
    """The login that has to be restored enters scopes of its own, and would be refused in the middle."""
    account = Account(id=1)

    @purpose_scope(ADVERTISING)
    def decorated() -> str:
        return account.phone

    with emergency():
        with purpose_scope(ADVERTISING):
            account.phone
            with purpose_scope(TWO_FACTOR):
                account.health
        decorated()
    told = under(ledger.rows())
    assert told["Account.phone", KEY.person(1)] == [TOLD, TOLD]
    assert told["Account.health", KEY.person(1)] == [TOLD]
    outside = {activity.id for activity in ledger.rows().opens if activity.around == 0}
    assert len(outside) == 1, "the scopes inside do not say what is around them"


def test_an_emergency_inside_an_emergency(ledger: Recorded) -> None:
    """The second reason would be lost, or the end of the inner block be the end of both."""
    account = Account(id=1)
    with emergency():
        with break_glass("INC-2", by="Ada"):
            account.phone
        account.health
    told = under(ledger.rows())
    assert told["Account.phone", KEY.person(1)] == [{"reason": "INC-2", "by": "Ada"}]
    assert told["Account.health", KEY.person(1)] == [TOLD]


def test_an_exception_in_the_block_ends_it(ledger: Recorded) -> None:
    """The repair that fails would leave everything open."""
    with pytest.raises(RuntimeError, match="failed"), emergency():
        raise RuntimeError("failed")
    with pytest.raises(NoActivePurpose):
        Account(id=1).phone


# --- And nowhere else -------------------------------------------------------------------------------------------------


def test_a_thread_is_outside_unless_it_is_carried(ledger: Recorded) -> None:
    """Everything that runs at the same time would be open."""
    account = Account(id=1)
    with ThreadPoolExecutor(1) as executor:
        with emergency():
            with pytest.raises(NoActivePurpose):
                executor.submit(lambda: account.phone).result()
            assert executor.submit(carry(lambda: account.phone)).result() == "+1"
            carried = carry(lambda: account.phone)
        with pytest.raises(NoActivePurpose):
            executor.submit(carried).result()
    assert under(ledger.rows()) == {("Account.phone", KEY.person(1)): [TOLD]}


def test_a_carried_function_that_is_running_when_it_ends(ledger: Recorded) -> None:
    """A job that was started in the emergency would go on reading everything for hours."""
    account = Account(id=1)
    started, over = threading.Event(), threading.Event()

    def job() -> list[str]:
        outcome = [account.phone]
        started.set()
        assert over.wait(30)
        for scope in (None, purpose_scope(ADVERTISING), purpose_scope(TWO_FACTOR)):
            try:
                if scope is None:
                    outcome.append(account.health)
                else:
                    with scope:
                        outcome.append(account.phone)
            except PurposeViolation:
                outcome.append("refused")
        return outcome

    with ThreadPoolExecutor(1) as executor:
        with emergency():
            running = executor.submit(carry(job))
            assert started.wait(30)
        over.set()
        assert running.result() == ["+1", "refused", "refused", "+1"]
    assert under(ledger.rows()) == {("Account.phone", KEY.person(1)): [TOLD, None]}


def test_a_task_that_outlives_it_is_outside(ledger: Recorded) -> None:
    """A task made in the emergency would keep it open for itself."""
    account = Account(id=1)

    async def main() -> None:
        over = asyncio.Event()

        async def task() -> str:
            inside = account.phone
            await over.wait()
            with pytest.raises(NoActivePurpose, match="the break_glass block, entered at") as refused:
                account.health
            assert refused.value.reason is Reason.SCOPE_CLOSED
            return inside

        async with emergency():
            running = asyncio.create_task(task())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        over.set()
        assert await running == "+1"
        other = contextvars.copy_context()
        with pytest.raises(NoActivePurpose):
            other.run(lambda: account.phone)

    asyncio.run(main())


def test_a_scope_that_outlives_it_keeps_its_own_purposes_alone(ledger: Recorded) -> None:
    """What is read afterwards would be let through by an emergency that is over, or counted as read in it."""
    account = Account(id=1)
    glass, scope = emergency(), purpose_scope(TWO_FACTOR)
    glass.__enter__()
    scope.__enter__()
    assert (account.phone, account.health) == ("+1", "well")
    glass.__exit__(None, None, None)
    assert account.phone == "+1"
    with pytest.raises(PurposeViolation):
        account.health
    with configure(on_ledger_failure="continue"):  # as for any other scope
        segment = ledger.made.segment
        assert segment is not None
        segment.finish()
        with full_disk():
            assert account.phone == "+1"
    scope.__exit__(None, None, None)
    found = ledger.rows()
    assert under(found)["Account.phone", KEY.person(1)] == [TOLD, None]
    assert under(found)["Account.health", KEY.person(1)] == [TOLD]
    (denial,) = found.denials
    assert found.activities[denial.activity].break_glass is None


def test_left_in_another_context_it_is_closed_everywhere(ledger: Recorded) -> None:
    """A framework that leaves the block in another task would leave everything open in this one."""
    account, glass = Account(id=1), emergency()
    glass.__enter__()
    contextvars.Context().run(glass.__exit__, None, None, None)
    with pytest.raises(NoActivePurpose):
        account.phone


# --- It needs a ledger that works -------------------------------------------------------------------------------------


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def full_disk() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(segments.os, "posix_fallocate", full)
        yield


def test_without_a_ledger_it_does_not_open() -> None:
    """Everything could be read, by anybody, and nobody would ever know."""
    with pytest.raises(PurposeError, match="no ledger is on") as caught, emergency():
        pytest.fail("it opened")
    assert "configure(ledger=Ledger('a/folder'))" in str(caught.value)
    assert not isinstance(caught.value, PurposeViolation)


@pytest.mark.parametrize("on_failure", ["deny", "continue"])
@pytest.mark.parametrize("how", ["full", "closed"])
def test_with_a_ledger_that_fails_it_does_not_open(how: str, on_failure: Any, ledger: Recorded) -> None:
    """An attacker would fill the disk first."""
    segment = ledger.made.segment
    assert segment is not None
    if how == "full":
        segment.finish()
    else:
        ledger.made.close()
    words = "No space left on device" if how == "full" else "was closed"
    with configure(on_ledger_failure=on_failure), ExitStack() as stack:
        if how == "full":
            stack.enter_context(full_disk())
        with pytest.raises(PurposeError, match=words) as caught, emergency():
            pytest.fail("it opened")
    assert caught.value.__context__ is None
    with pytest.raises(NoActivePurpose):
        Account(id=1).phone


@pytest.mark.parametrize("on_failure", ["deny", "continue"])
def test_a_ledger_that_fails_later_refuses_each_read(on_failure: Any, ledger: Recorded) -> None:
    """Under "continue", the emergency would be the one thing that is not on the record."""
    account = Account(id=1)
    with configure(on_ledger_failure=on_failure), emergency():
        account.phone
        segment = ledger.made.segment
        assert segment is not None
        segment.finish()
        with full_disk():
            for scope in (None, purpose_scope(TWO_FACTOR)):
                with ExitStack() as stack:
                    if scope is not None:
                        stack.enter_context(scope)
                    with pytest.raises(NotRecorded):
                        account.phone
        account.phone
    assert under(ledger.rows()) == {("Account.phone", KEY.person(1)): [TOLD, TOLD]}
    assert ledger.rows().lost == 0


def test_a_ledger_that_is_turned_off_inside_closes_it(ledger: Recorded) -> None:
    """Whoever turns the ledger off would read everything unrecorded."""
    account = Account(id=1)
    with emergency():
        account.phone
        with configure(ledger=None):
            with pytest.raises(PurposeViolation):
                account.phone
            with purpose_scope(TWO_FACTOR):
                assert account.phone == "+1"  # allowed anyway, and nobody asked for a ledger any more
                with pytest.raises(PurposeViolation):
                    account.health
        account.phone
    assert under(ledger.rows()) == {("Account.phone", KEY.person(1)): [TOLD, TOLD]}


def test_another_ledger_inside_is_told_of_the_emergency(ledger: Recorded, tmp_path: Path) -> None:
    """In the second ledger, what was read would look like reads for no purpose at all."""
    other = Recorded(tmp_path / "other")
    with emergency(), configure(ledger=other):
        Account(id=1).phone
    other.made.close()
    assert under(other.rows()) == {("Account.phone", KEY.person(1)): [TOLD]}


def test_the_emergency_is_named_in_each_segment(ledger: Recorded) -> None:
    """After a segment was full, the reads of the emergency would look like any others."""
    account = Account(id=1)
    with emergency():
        for _ in range(3):
            account.phone
            segment = ledger.made.segment
            assert segment is not None
            segment.finish()
    found = ledger.rows()
    assert under(found) == {("Account.phone", KEY.person(1)): [TOLD] * 3}
    (activity,) = found.activities
    assert len(found.ended[activity]) == 1
    assert found.segments == 4


# --- It is said -------------------------------------------------------------------------------------------------------


def test_opening_and_closing_are_logged(ledger: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever watches the logs would not hear of it."""
    with caplog.at_level(logging.WARNING, "purposebind"), emergency():
        Account(id=1).phone
    opened, over = caplog.records
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    for record, words in ((opened, "everything may be read, and is recorded"), (over, "over")):
        told = record.getMessage()
        assert told.startswith(f"break glass: {REASON}, by {BY}, at {__file__}:")
        assert told.endswith(words)
    assert "+1" not in caplog.text


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((1,), {"by": "x"}, TypeError, "reason"),
        (("x",), {"by": None}, TypeError, "by"),
        (("",), {"by": "x"}, ValueError, "reason must not be empty"),
        (("x",), {"by": " \n"}, ValueError, "by must not be empty"),
        (("x", "y"), {}, TypeError, "positional"),
        (("x",), {}, TypeError, "'by'"),
    ],
)
def test_who_and_why_have_to_be_said(arguments: Any, options: Any, error: Any, words: str) -> None:
    """The record would say that something happened, and neither why nor by whom."""
    with pytest.raises(error, match=words):
        break_glass(*arguments, **options)


def test_one_object_is_for_one_block_at_a_time(ledger: Recorded) -> None:
    """The inner exit would close the outer block, or the outer one never be closed."""
    glass = emergency()
    with glass, pytest.raises(PurposeError, match="open already"), glass:
        pass
    with glass:
        Account(id=1).phone
    with pytest.raises(PurposeError, match="is not open"):
        glass.__exit__(None, None, None)
    with pytest.raises(NoActivePurpose):
        Account(id=1).phone


def test_it_is_refused_in_a_generator(ledger: Recorded) -> None:
    """At a yield the block would stay open, and whoever consumes the generator would read everything."""

    def generator() -> Iterator[int]:
        with emergency():
            yield 1

    async def async_generator() -> AsyncIterator[int]:
        async with emergency():
            yield 1

    async def consume() -> None:
        async for _ in async_generator():
            pytest.fail("it opened")

    with pytest.raises(PurposeError, match="generator") as caught:
        next(generator())
    assert "close the block before the yield" in str(caught.value)
    with pytest.raises(PurposeError, match="generator"):
        asyncio.run(consume())
    with pytest.raises(NoActivePurpose):
        Account(id=1).phone


def test_it_works_in_a_context_manager_and_says_where_that_is_used(ledger: Recorded) -> None:
    """A company's own wrapper, which also pages somebody, could not be written."""

    @contextmanager
    def paged() -> Iterator[None]:
        with emergency():
            yield

    @asynccontextmanager
    async def paged_async() -> AsyncIterator[None]:
        async with emergency():
            yield

    async def main() -> None:
        async with paged_async():
            Account(id=2).phone

    with paged():
        Account(id=1).phone
    asyncio.run(main())
    assert under(ledger.rows()) == {("Account.phone", KEY.person(n)): [TOLD] for n in (1, 2)}
    with pytest.raises(NoActivePurpose):
        Account(id=1).phone


def test_an_attempt_that_fails_leaves_the_scope_around_as_it_was(ledger: Recorded) -> None:
    """A refused emergency would close the scope that the code was in."""
    account = Account(id=1)
    with purpose_scope(TWO_FACTOR):
        account.phone
        segment = ledger.made.segment
        assert segment is not None
        segment.finish()
        with full_disk(), pytest.raises(PurposeError):
            emergency().__enter__()
        account.phone
        with pytest.raises(PurposeViolation):
            account.health
    assert under(ledger.rows()) == {("Account.phone", KEY.person(1)): [None, None]}


def test_why_it_opens_nothing_is_told_without_what_others_say() -> None:
    """An exception of somebody else's may quote what it was given, and the message is logged (R7)."""

    class Broken:
        def recorder(self) -> Any:
            return self

        def opened(self, frame: Any) -> None:
            raise RuntimeError("+15550100")

    with (
        configure(ledger=Broken()),  # type: ignore[arg-type]
        pytest.raises(PurposeError, match="RuntimeError") as refused,
        break_glass("INC-1: restore login", by="Grace Hopper"),
    ):
        pass
    assert "+15550100" not in str(refused.value)
