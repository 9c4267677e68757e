"""Errors that teach, without the value, and that nothing can mistake for "absent" (R7, R12)."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy
import functools
import linecache
import multiprocessing
import pickle
import re
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Annotated, Any

import pytest

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    PolicyError,
    Purpose,
    PurposeError,
    PurposeModel,
    PurposeViolation,
    Sealed,
    carry,
    configure,
    purpose_scope,
)
from purposebind.errors import Reason
from purposebind.sites import Site, caller

SECURITY = Purpose("err_security", "Keep accounts safe")
TWO_FACTOR = SECURITY.child("two_factor", "Send a login code")
SURVEY = SECURITY.child("survey", "Ask how we do")
ADS = Purpose("err_ads", "Choose and measure ads")
STATS = Purpose("err_stats", "Count visitors")
SECRET = "+46 70 987 65 43"


class Account(PurposeModel):
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]
    email: Annotated[str, AllowedFor(SECURITY, never=[SURVEY])]
    ident: Annotated[str, AllowedFor(STATS)] = "x"


account = Account(phone=SECRET, email=SECRET)


def violation(read: Callable[[], object]) -> PurposeViolation:
    with pytest.raises(PurposeViolation) as caught:
        read()
    return caught.value


def shown(error: PurposeViolation) -> str:
    """The message with paths, lines and functions taken out."""
    return re.sub(r"\S+:\d+ in \S+?(?=[),]|$)", "PLACE", str(error), flags=re.MULTILINE)


def source(site: Site | None) -> str:
    assert site is not None
    assert site.file == __file__
    return linecache.getline(site.file, site.line).strip()


def read_phone() -> str:
    return account.phone


def read_phone_in_generator() -> Iterator[str]:
    yield account.phone


OWNER = "  - change the tag on Account.phone, together with whoever owns the data."


class TestMessages:
    """Each is what a developer sees first; without its advice he opens whatever scope makes the error go away."""

    def test_not_allowed(self) -> None:
        """The message would not say what to do about a wrong purpose."""
        with purpose_scope(ADS):
            error = violation(read_phone)
        assert shown(error) == "\n".join(
            [
                "Account.phone may not be read for err_ads.",
                "  read at      PLACE",
                "  allowed for  err_security.two_factor",
                "  active       err_ads (entered at PLACE)",
                "  because      err_ads is not covered by what it is allowed for",
                "Ways out:",
                "  - do this read outside err_ads, in a scope of its own:",
                "      with purpose_scope(Purpose.find('err_security.two_factor')): ...",
                "  - if err_ads work rightly becomes err_security.two_factor work here, declare the handover:",
                "      Purpose.find('err_ads').may_hand_over_to(Purpose.find('err_security.two_factor'), reason=...)",
                OWNER,
            ]
        )

    def test_several_active(self) -> None:
        """Of two active purposes the message would show one, or blame the one that is covered."""
        with purpose_scope(TWO_FACTOR), purpose_scope(ADS), purpose_scope(STATS):
            error = violation(read_phone)
        lines = shown(error).splitlines()
        assert lines[0] == "Account.phone may not be read for err_ads, err_security.two_factor, err_stats."
        assert lines[3:7] == [
            "  active       err_security.two_factor (entered at PLACE)",
            "               err_ads (entered at PLACE)",
            "               err_stats (entered at PLACE)",
            "  because      err_ads, err_stats are not covered by what it is allowed for",
        ]
        assert error.culprits == (ADS, STATS)

    def test_never(self) -> None:
        """The message would say "not covered" where somebody wrote never, or advise a handover that cannot help."""
        with purpose_scope(SURVEY):
            error = violation(lambda: account.email)
        assert shown(error) == "\n".join(
            [
                "Account.email may not be read for err_security.survey.",
                "  read at      PLACE",
                "  allowed for  err_security, never err_security.survey",
                "  active       err_security.survey (entered at PLACE)",
                "  because      the tag says never for err_security.survey",
                "Ways out:",
                "  - do this read outside err_security.survey, in a scope of its own:",
                "      with purpose_scope(Purpose.find('err_security')): ...",
                "  - change the tag on Account.email, together with whoever owns the data.",
            ]
        )

    def test_too_broad(self) -> None:
        """Security code would be told to declare a handover to its own two-factor, where a narrower scope does it."""
        with purpose_scope(SECURITY):
            error = violation(read_phone)
            assert "may_hand_over_to" not in str(error)
            assert "outside err_security" not in str(error)
            assert "with purpose_scope(Purpose.find('err_security.two_factor'))" in str(error)
            with purpose_scope(TWO_FACTOR):
                assert read_phone() == SECRET

    def test_a_handover_for_each_culprit(self) -> None:
        """The advised handover would be declared, and the read refused again for the next purpose."""
        with purpose_scope(ADS, STATS):
            text = str(violation(read_phone))
        assert "Purpose.find('err_ads').may_hand_over_to" in text
        assert "Purpose.find('err_stats').may_hand_over_to" in text

    def test_no_scope(self) -> None:
        """A script without a scope would not learn that it needs one (R3)."""
        assert shown(violation(read_phone)) == "\n".join(
            [
                "Account.phone may not be read: no purpose is active here.",
                "  read at      PLACE",
                "  allowed for  err_security.two_factor",
                "  because      no scope was opened",
                "Ways out:",
                "  - open a scope here: with purpose_scope(Purpose.find('err_security.two_factor')): ...",
                OWNER,
            ]
        )

    def test_scope_closed(self) -> None:
        """A background task would not learn that its block is over (R5)."""
        with purpose_scope(TWO_FACTOR):
            context = contextvars.copy_context()
        error = violation(lambda: context.run(read_phone))
        assert isinstance(error, NoActivePurpose)
        assert shown(error) == "\n".join(
            [
                "Account.phone may not be read: no purpose is active here.",
                "  read at      PLACE",
                "  allowed for  err_security.two_factor",
                (
                    "  because      the scope of err_security.two_factor, entered at PLACE, is over: this code "
                    "outlived its block (a task, thread, callback or generator made inside it)"
                ),
                "Ways out:",
                (
                    "  - read before the block is left, or state the purpose of this work: with "
                    "purpose_scope(Purpose.find('err_security.two_factor')): ..."
                ),
                OWNER,
            ]
        )

    def test_generator(self) -> None:
        """Somebody who consumes a generator after its block would search for the scope in the wrong place (R5)."""
        with purpose_scope(TWO_FACTOR):
            made = read_phone_in_generator()
        error = violation(lambda: next(made))
        assert shown(error) == "\n".join(
            [
                "Account.phone may not be read: no purpose is active here.",
                "  read at      PLACE",
                "  allowed for  err_security.two_factor",
                (
                    "  because      read_phone_in_generator() is a generator: it runs in the scope of whoever drives "
                    "it, not in the one where it was made, and its driver is in none"
                ),
                "Ways out:",
                (
                    "  - decorate the generator, so that each of its steps is in scope: "
                    "@purpose_scope(Purpose.find('err_security.two_factor'))"
                ),
                "  - or open a scope here: with purpose_scope(Purpose.find('err_security.two_factor')): ...",
                OWNER,
            ]
        )

    def test_other_thread(self) -> None:
        """Somebody who hands work to a thread would not learn of carry (R5)."""
        caught: list[PurposeViolation] = []
        with purpose_scope(TWO_FACTOR):
            thread = threading.Thread(target=lambda: caught.append(violation(read_phone)), name="worker")
            thread.start()
            thread.join(10)
        assert shown(caught[0]) == "\n".join(
            [
                "Account.phone may not be read: no purpose is active here.",
                "  read at      PLACE",
                "  allowed for  err_security.two_factor",
                (
                    "  because      the thread 'worker' is in no scope, and a thread starts with none (open elsewhere: "
                    "err_security.two_factor)"
                ),
                "Ways out:",
                "  - take the scope along to this thread: executor.submit(carry(fn), ...)",
                "  - or open a scope here: with purpose_scope(Purpose.find('err_security.two_factor')): ...",
                OWNER,
            ]
        )

    def test_nothing_in_common(self) -> None:
        """A derived value that nobody may read would get the advice to open a scope, for which there is none (R8)."""
        one, two = Sealed.of(1, AllowedFor(TWO_FACTOR)), Sealed.of(2, AllowedFor(ADS))
        with configure(mode="observe"), purpose_scope(TWO_FACTOR):
            joined = Sealed.join(lambda a, b: a + b, one, two)
        error = violation(joined.open)
        assert error.allowed == ()
        assert "its sources have no purpose in common" in str(error)
        assert "purpose_scope" not in str(error)
        with purpose_scope(TWO_FACTOR):
            error = violation(joined.open)
        assert "purpose_scope" not in str(error)
        assert "its sources have no purpose in common" in str(error)

    @pytest.mark.parametrize("reason", list(Reason))
    @pytest.mark.parametrize("kind", [PurposeViolation, NoActivePurpose])
    @pytest.mark.parametrize("allowed", [(), (TWO_FACTOR,)])
    def test_text_never_fails(self, kind: type[PurposeViolation], reason: Reason, allowed: tuple[Purpose, ...]) -> None:
        """Logging a violation that somebody made by hand, in a test or a subclass, would raise another error."""
        error = kind(field="Account.phone", reason=reason, allowed=allowed)
        assert "Account.phone" in str(error)
        assert repr(error).startswith(kind.__name__)


class TestAttributes:
    def test_not_allowed(self) -> None:
        """A handler that reports violations would have to parse the message."""
        with purpose_scope(TWO_FACTOR), purpose_scope(ADS):
            error = violation(read_phone)
        assert type(error) is PurposeViolation
        assert error.field == "Account.phone"
        assert error.allowed == (TWO_FACTOR,)
        assert error.never == ()
        assert error.active == (ADS, TWO_FACTOR)
        assert error.culprits == (ADS,)
        assert error.reason is Reason.NOT_ALLOWED
        assert [purpose for purpose, _ in error.sites] == [TWO_FACTOR, ADS]
        assert {source(site) for _, site in error.sites} == {"with purpose_scope(TWO_FACTOR), purpose_scope(ADS):"}
        assert source(error.site) == "return account.phone"

    def test_never(self) -> None:
        """As above, for never."""
        with purpose_scope(SURVEY):
            error = violation(lambda: account.email)
        assert (error.reason, error.allowed, error.never) == (Reason.NEVER, (SECURITY,), (SURVEY,))
        assert error.culprits == error.active == (SURVEY,)

    @pytest.mark.parametrize("reason", [Reason.NO_SCOPE, Reason.SCOPE_CLOSED, Reason.GENERATOR, Reason.OTHER_THREAD])
    def test_no_active_purpose(self, reason: Reason) -> None:
        """A lost scope would not say how it was lost."""
        if reason is Reason.NO_SCOPE:
            error = violation(read_phone)
        elif reason is Reason.SCOPE_CLOSED:
            with purpose_scope(TWO_FACTOR):
                context = contextvars.copy_context()
            error = violation(lambda: context.run(read_phone))
        elif reason is Reason.GENERATOR:
            error = violation(lambda: next(read_phone_in_generator()))
        else:
            with purpose_scope(ADS), ThreadPoolExecutor(1) as executor:
                error = executor.submit(violation, read_phone).result(10)
        assert type(error) is NoActivePurpose
        assert error.reason is reason
        assert error.active == error.sites == error.culprits == ()
        assert error.allowed == (TWO_FACTOR,)

    def test_an_async_generator_is_a_generator(self) -> None:
        """As above, for an async generator."""

        async def rows() -> AsyncIterator[str]:
            yield account.phone

        async def main() -> None:
            with pytest.raises(NoActivePurpose) as caught:
                await rows().__anext__()
            assert caught.value.reason is Reason.GENERATOR

        asyncio.run(main())

    def test_a_thread_with_nothing_open_anywhere_has_no_scope(self) -> None:
        """A worker of a service without scopes would be told to carry what is not there."""
        with ThreadPoolExecutor(1) as executor:
            error = executor.submit(violation, read_phone).result(10)
        assert error.reason is Reason.NO_SCOPE

    def test_the_value_is_nowhere(self) -> None:
        """The error would carry the phone number into the log (R7)."""
        errors = [violation(read_phone)]
        with purpose_scope(ADS):
            errors.append(violation(read_phone))
        for error in errors:
            everything = [str(error), repr(error), repr(vars(error)), repr(error.args)]
            everything += traceback.format_exception(type(error), error, error.__traceback__)
            assert SECRET not in "".join(everything)
            assert SECRET.encode() not in pickle.dumps(error)


def this_line() -> int:
    return sys._getframe(1).f_lineno


class TestSites:
    """Where each scope was entered, to the line: else the developer searches the wrong place."""

    def sites(self, read: Callable[[], object] = read_phone) -> list[tuple[Purpose, str, int]]:
        return [(purpose, site.file, site.line) for purpose, site in violation(read).sites]

    def test_with(self) -> None:
        """The line of a with would be that of another statement."""
        with purpose_scope(ADS):
            line = this_line() - 1
            assert self.sites() == [(ADS, __file__, line)]
            with purpose_scope(STATS):
                assert self.sites() == [(ADS, __file__, line), (STATS, __file__, this_line() - 1)]

    def test_with_over_several_lines(self) -> None:
        """As above, where the statement is long."""
        first = this_line()
        with purpose_scope(
            ADS,
            STATS,
        ):
            last = this_line() - 1
            for _, file, line in self.sites():
                assert file == __file__
                assert first < line <= last

    def test_async_with(self) -> None:
        """The line would be one inside the library or asyncio."""

        async def main() -> None:
            async with purpose_scope(ADS):
                line = this_line() - 1
                await asyncio.sleep(0)
                assert self.sites() == [(ADS, __file__, line)]

        asyncio.run(main())

    def test_exit_stack(self) -> None:
        """The line would be one inside contextlib."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(purpose_scope(ADS))
            assert self.sites() == [(ADS, __file__, this_line() - 1)]

        async def main() -> None:
            async with contextlib.AsyncExitStack() as stack:
                await stack.enter_async_context(purpose_scope(ADS))
                assert self.sites() == [(ADS, __file__, this_line() - 1)]

        asyncio.run(main())

    def test_contextmanager(self) -> None:
        """The line would be one inside contextlib."""

        @contextlib.contextmanager
        def within() -> Iterator[int]:
            with purpose_scope(ADS):
                yield this_line() - 1

        with within() as line:
            assert self.sites() == [(ADS, __file__, line)]

    def test_decorators(self) -> None:
        """A decorated function would be shown as a line in the library."""
        line = this_line() + 2

        @purpose_scope(ADS)
        def function() -> Any:
            return self.sites()

        assert function() == [(ADS, __file__, line)]
        line = this_line() + 2

        @purpose_scope(ADS)
        async def coroutine() -> Any:
            return self.sites()

        assert asyncio.run(coroutine()) == [(ADS, __file__, line)]
        line = this_line() + 2

        @purpose_scope(ADS)
        def generator() -> Iterator[Any]:
            yield self.sites()

        assert next(generator()) == [(ADS, __file__, line)]
        for wrapped in (functools.partial(self.sites, read_phone), self.sites):
            ((_, file, _),) = purpose_scope(ADS)(wrapped)()
            assert file == __file__

    def test_cached_functions_and_builtins(self) -> None:
        """What has no code of its own would be shown as a line in the library."""

        @purpose_scope(ADS)
        @functools.lru_cache
        def cached() -> Any:
            return self.sites()

        ((_, file, _),) = cached()
        assert file == __file__
        seen: list[Any] = []
        purpose_scope(ADS)(sorted)([1], key=lambda n: seen.extend(self.sites()) or n)
        assert [file for _, file, _ in seen] == [__file__]

    def test_carry(self) -> None:
        """A worker's scope would be shown as a line in the library."""
        with purpose_scope(ADS), ThreadPoolExecutor(1) as executor:
            line = this_line() - 1
            assert executor.submit(carry(self.sites)).result(10) == [(ADS, __file__, line)]

    def test_a_scope_left_out_of_order_keeps_its_place(self) -> None:
        """A purpose would be active, and the message not say where it comes from."""
        one, two = purpose_scope(ADS), purpose_scope(STATS)
        one.__enter__()
        two.__enter__()
        try:
            one.__exit__(None, None, None)
            assert [purpose for purpose, _, _ in self.sites()] == [ADS, STATS]
        finally:
            two.__exit__(None, None, None)

    def test_entered_again(self) -> None:
        """Two lines for one purpose, or the outer one though the inner one counts."""
        with purpose_scope(ADS):
            with purpose_scope(ADS):
                line = this_line() - 1
                assert self.sites() == [(ADS, __file__, line)]
            assert self.sites() == [(ADS, __file__, line - 1)]

    def test_the_read_itself(self) -> None:
        """The message would point at the library, at pydantic, or at the definition of the model."""
        for read in (
            lambda: account.phone,
            lambda: account.model_dump(),
            lambda: account == account.model_copy(),
            lambda: getattr(account, "phone", None),
        ):
            site = violation(read).site
            assert source(site).startswith("lambda:")

    def test_site(self) -> None:
        """A place would not be comparable, or not survive a trip to another process."""
        site, line = caller(0), this_line()
        assert (site.file, site.line) == (__file__, line)
        assert re.fullmatch(r".*test_errors\.py:\d+ in \S*test_site", str(site))
        assert str(site) in repr(site)
        restored = pickle.loads(pickle.dumps(site))
        assert restored == site
        assert hash(restored) == hash(site)
        assert str(restored) == str(site)
        assert pickle.loads(pickle.dumps(restored)) == site
        assert site != caller(0)
        assert site != str(site)


def fail_in_process(scoped: bool) -> None:
    if scoped:
        with purpose_scope(ADS):
            account.phone
    account.phone


class TestPickles:
    def errors(self) -> list[PurposeViolation]:
        with purpose_scope(TWO_FACTOR, ADS):
            error = violation(read_phone)
        with purpose_scope(SURVEY):
            other = violation(lambda: account.email)
        return [error, other, violation(read_phone), violation(lambda: next(read_phone_in_generator()))]

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_everything_survives(self, protocol: int) -> None:
        """A violation in a worker process would arrive without what it says."""
        for error in self.errors():
            restored = pickle.loads(pickle.dumps(error, protocol))
            assert type(restored) is type(error)
            assert str(restored) == str(error)
            assert vars(restored) == vars(error)
            assert restored.args == error.args

    def test_copies(self) -> None:
        """A task queue that copies exceptions would lose what they say."""
        for error in self.errors():
            for made in (copy.copy(error), copy.deepcopy(error)):
                assert type(made) is type(error)
                assert str(made) == str(error)

    def test_what_others_added_survives(self) -> None:
        """A tracing library that sets an attribute on exceptions would make them break the process pool."""
        error = violation(read_phone)
        error.trace_id = 7  # type: ignore[attr-defined]
        restored = pickle.loads(pickle.dumps(error))
        assert restored.trace_id == 7
        assert str(restored) == str(error)

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="notes are new in Python 3.11")
    def test_notes(self) -> None:
        """A note added on the way would be lost, or break the unpickling."""
        error = violation(read_phone)
        error.add_note("while sending the code")
        restored = pickle.loads(pickle.dumps(error))
        assert restored.__notes__ == ["while sending the code"]

    def test_through_a_process_pool(self) -> None:
        """A violation in a worker process would break the pool instead of reaching the caller."""
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
            with pytest.raises(PurposeViolation) as caught:
                executor.submit(fail_in_process, True).result(60)
            assert caught.value.active == (ADS,)
            assert source(caught.value.sites[0][1]) == "with purpose_scope(ADS):"
            assert source(caught.value.site) == "account.phone"
            with pytest.raises(NoActivePurpose) as unscoped:
                executor.submit(fail_in_process, False).result(60)
            assert unscoped.value.reason is Reason.NO_SCOPE


class TestDenialsLookLikeDenials:
    """R12."""

    def test_the_tree(self) -> None:
        """`except PurposeError` would miss some, or `except ValueError` swallow a denial."""
        assert issubclass(NoActivePurpose, PurposeViolation)
        assert issubclass(PurposeViolation, PurposeError)
        assert issubclass(PolicyError, PurposeError)
        assert not issubclass(PolicyError, PurposeViolation)
        assert issubclass(PurposeError, Exception)
        for kind in (PurposeError, PurposeViolation, NoActivePurpose, PolicyError):
            for other in (AttributeError, LookupError, ValueError, TypeError, StopIteration, RuntimeError, OSError):
                assert not issubclass(kind, other)

    def test_hasattr_and_getattr(self) -> None:
        """A denied field would look absent, and code take the other branch."""
        with pytest.raises(NoActivePurpose):
            hasattr(account, "phone")
        with pytest.raises(NoActivePurpose):
            getattr(account, "phone", "default")
        with purpose_scope(ADS):
            with pytest.raises(PurposeViolation):
                hasattr(account, "phone")
            with pytest.raises(PurposeViolation):
                getattr(account, "phone", None)
        assert not hasattr(account, "fax")

    def test_match(self) -> None:
        """A denied field would fall through to the next case."""
        for scope in (contextlib.nullcontext(), purpose_scope(ADS)):
            with scope, pytest.raises(PurposeViolation):
                match account:
                    case Account(phone="x"):
                        pytest.fail("matched")
                    case _:
                        pytest.fail("a denial was taken for a mismatch")

    def test_suppressing_lookups(self) -> None:
        """Code that tries one attribute, key or value after the other would swallow a denial."""
        with pytest.raises(NoActivePurpose), contextlib.suppress(AttributeError, LookupError, ValueError, TypeError):
            account.phone

    def test_nothing_is_chained(self) -> None:
        """The traceback would show an inner error that says less, or more than it should (R7)."""
        error = violation(read_phone)
        assert error.__cause__ is None
        assert error.__context__ is None
