"""`captured`, `assert_denied` and `isolated`: what they pass, what they fail, and what they say then."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

import pytest
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR
from pydantic import BaseModel, TypeAdapter
from pydantic_core import PydanticSerializationError

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    PurposeError,
    PurposeModel,
    PurposeViolation,
    Sealed,
    active_purposes,
    config,
    configure,
    purpose_scope,
)
from purposebind.errors import Reason
from purposebind.testing import assert_denied, captured, isolated


class Account(PurposeModel):
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]
    interests: Annotated[str, AllowedFor(ADVERTISING)] = "boats"


class Observed(PurposeModel, purpose_mode="observe"):
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]


class Plain(BaseModel):
    account: Account


account = Account(phone=SECRET)


def swallow(run: Callable[[], object]) -> None:
    with suppress(Exception):
        run()


# --- captured --------------------------------------------------------------------------------------------------------


def test_captured_filters() -> None:
    """A test could not ask about one field, and would count what another part of the service did."""
    with captured() as seen, purpose_scope(ADVERTISING):
        assert account.interests
        swallow(lambda: account.phone)
    swallow(lambda: account.phone)
    assert [d.field for d in seen.denials] == ["Account.phone"]
    assert [r.field for r in seen.reads] == ["Account.interests"]
    assert len(seen.of("Account.phone").denials) == 1
    assert seen.of("Account.phone").reads == []
    assert len(seen.of(purpose=ADVERTISING).reads) == len(seen.of(purpose=ADVERTISING).denials) == 1
    assert seen.of(purpose=SECURITY).denials == seen.of(purpose=SECURITY).reads == []
    assert len(seen.of(reason=Reason.NOT_ALLOWED).denials) == 1
    assert seen.of(reason=Reason.NOT_ALLOWED).reads == seen.of(reason=Reason.NO_SCOPE).denials == []
    assert repr(seen) == "<Captured: 1 denials, 1 reads>"
    assert SECRET not in repr(seen.denials)


def test_every_read_is_seen_and_none_afterwards() -> None:
    """A grant that was cached before would hide reads; one that is not cached after would slow the suite."""
    with purpose_scope(TWO_FACTOR):
        assert account.phone
        with captured() as seen:
            for _ in range(3):
                assert account.phone
        assert len(seen.reads) == 3
        assert account.phone
    assert len(seen.reads) == 3
    assert not config.current.sees_reads


def test_it_sees_whatever_the_code_under_test_configures() -> None:
    """A service that sets its hooks at start would blind the test, and "nothing was denied" would pass."""
    told: list[Any] = []
    with captured() as outer, captured() as seen:
        configure(on_violation=told.append, on_read=[])
        swallow(lambda: account.phone)
        with configure(mode="observe"):
            assert account.phone
        with purpose_scope(TWO_FACTOR):
            assert account.phone
    assert [denial.enforced for denial in seen.denials] == [True, False]
    assert len(seen.reads) == 1
    assert (outer.denials, outer.reads) == (seen.denials, seen.reads)
    assert told == seen.denials
    assert config.current.on_violation == (told.append,)
    assert config.current.on_read == ()


def test_a_configuration_that_outlives_it_does_not_bring_it_back() -> None:
    """What is put back later, by a block that began inside, would hold the capture for ever."""
    block: Any = None
    with captured() as seen:
        block = configure(mode="enforce")
    with block:
        pass
    swallow(lambda: account.phone)
    assert seen.denials == []
    assert config.current.on_violation == ()


def test_it_sees_other_threads() -> None:
    """A denial in a worker thread of the service would be missed."""
    with captured() as seen:
        thread = threading.Thread(target=swallow, args=(lambda: account.phone,))
        thread.start()
        thread.join()
    assert len(seen.denials) == 1


# --- assert_denied ---------------------------------------------------------------------------------------------------


def test_a_denial_that_comes_out_passes() -> None:
    """The plainest test of a purpose would fail."""
    with assert_denied("Account.phone", purpose=ADVERTISING, reason=Reason.NOT_ALLOWED) as denied:
        assert denied.violation is None
        with purpose_scope(ADVERTISING):
            account.phone
    assert isinstance(denied.violation, PurposeViolation)
    assert denied.violation.field == "Account.phone"
    assert len(denied.seen.denials) == 1
    with assert_denied(reason=Reason.NO_SCOPE):
        account.phone
    with assert_denied(purpose=ADVERTISING), purpose_scope(ADVERTISING.child("retargeting", "Show it again")):
        account.phone


def caused() -> None:
    try:
        account.phone
    except PurposeViolation as violation:
        raise LookupError("no phone") from violation


def in_context() -> None:
    try:
        account.phone
    except PurposeViolation:
        raise LookupError("no phone")  # noqa: B904


class Group(Exception):
    def __init__(self, *members: BaseException) -> None:
        self.exceptions = members


def grouped() -> None:
    try:
        account.phone
    except PurposeViolation as violation:
        raise Group(ValueError("another"), violation) from None


@pytest.mark.parametrize(
    "run",
    [caused, in_context, grouped, lambda: TypeAdapter(Plain).dump_json(Plain(account=account)), account.model_dump],
    ids=["caused", "in context", "grouped", "serializer", "dump"],
)
def test_a_denial_that_comes_out_wrapped_passes(run: Callable[[], Any]) -> None:
    """Where a library wraps what it catches, no denial could be asserted."""
    with assert_denied("Account.phone"):
        run()


def failing(run: Callable[[], Any], *args: Any, **options: Any) -> str:
    with pytest.raises(AssertionError) as caught, assert_denied(*args, **options):
        run()
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_a_denial_that_was_swallowed_fails() -> None:
    """The service goes on as if nothing had been, and the test passes."""
    text = failing(lambda: swallow(lambda: account.phone), "Account.phone")
    assert text.startswith("Account.phone was to be denied, and was not.\nThe denial did not come out of the block")
    assert re.search(r"Denied:\n  Account\.phone for no purpose \(no scope\) at .*test_testing_denials\.py:\d+", text)


def test_no_denial_fails_and_says_what_was_read() -> None:
    """A tag that is too wide would look as it should."""

    def run() -> None:
        with purpose_scope(TWO_FACTOR):
            assert account.phone

    text = failing(run, "Account.phone", purpose=ADVERTISING)
    assert text == (
        "Account.phone was to be denied for advertising, and was not.\nNothing was denied.\n"
        "Read, and rightly:\n  Account.phone for security.two_factor"
    )
    assert failing(lambda: None).endswith("Nothing was denied.\nNothing was read rightly.")


@pytest.mark.parametrize(
    "options",
    [{"field": "Account.interests"}, {"purpose": ADVERTISING}, {"reason": Reason.NEVER}],
    ids=["field", "purpose", "reason"],
)
def test_another_denial_fails(options: Any) -> None:
    """A test about one field would pass on the denial of another."""

    def run() -> None:
        with purpose_scope(SECURITY):
            account.phone

    text = failing(run, **options)
    assert "Denied:\n  Account.phone for security (not allowed) at " in text


def test_a_purpose_that_is_covered_is_not_the_denied_one() -> None:
    """A test that advertising is refused would pass where security is what was refused."""

    def run() -> None:
        with purpose_scope(TWO_FACTOR, ADVERTISING):
            account.phone

    failing(run, purpose=TWO_FACTOR)
    with assert_denied(purpose=ADVERTISING):
        run()


@pytest.mark.parametrize("model", [account, Observed(phone=SECRET)], ids=["configured", "by class"])
def test_an_observed_denial_fails_unless_asked_for(model: Any) -> None:
    """A suite that observes by mistake would stay green while every value is let out (R11)."""
    with configure(mode="observe"):
        text = failing(lambda: model.phone)
        assert "It was observed, not enforced, and the value was let through" in text
        assert ", observed) at" in text
        with assert_denied(observed=True) as denied:
            assert model.phone == SECRET
    assert denied.violation is not None
    assert isinstance(denied.violation, NoActivePurpose)


def test_an_enforced_denial_is_not_an_observed_one() -> None:
    """A test of a roll-out would pass where the service raises."""
    assert "It was enforced." in failing(lambda: account.phone, observed=True)


def test_other_errors_come_out_as_they_are() -> None:
    """A mistake in the test would be reported as a missing denial, without its traceback."""
    with pytest.raises(ZeroDivisionError), assert_denied():
        1 / 0

    def both() -> None:
        swallow(lambda: account.phone)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), assert_denied():
        both()
    with pytest.raises(KeyboardInterrupt), assert_denied():
        raise KeyboardInterrupt
    with pytest.raises(PydanticSerializationError), assert_denied():
        raise PydanticSerializationError("something else")


@pytest.mark.parametrize("options", [{"field": Account}, {"purpose": "advertising"}, {"reason": "no scope"}], ids=repr)
def test_what_could_never_match_is_refused(options: Any) -> None:
    """A string for a purpose would match nothing, and a test with `captured` would look at nothing."""
    with pytest.raises(TypeError), assert_denied(**options):
        account.phone
    with captured() as seen, pytest.raises(TypeError):
        seen.of(**options)


def test_the_configuration_is_as_before() -> None:
    """Every read after it would be told to a hook that nobody looks at."""
    before = config.current
    with assert_denied():
        account.phone
    failing(lambda: None)
    assert config.current == before


# --- isolated --------------------------------------------------------------------------------------------------------


def test_isolated_without_pytest() -> None:
    """Another test runner's tests would leave their configuration and scopes behind."""
    hook: list[Any] = []
    with purpose_scope(SECURITY), isolated():
        configure(mode="observe", on_violation=hook.append)
        with purpose_scope(ADVERTISING):
            pass
    assert config.current.mode == "enforce"
    with purpose_scope(SECURITY):
        with pytest.raises(PurposeError, match=r"A scope was left open: advertising, entered at .*"), isolated():
            purpose_scope(ADVERTISING).__enter__()
        assert active_purposes() == {SECURITY}
    with pytest.raises(ZeroDivisionError), isolated():  # the error on its way says more
        purpose_scope(ADVERTISING).__enter__()
        1 / 0
    assert not active_purposes()


def test_a_test_that_leaves_what_was_open_around_it_breaks_nothing_else() -> None:
    """Every test after it would be told that its scope is over, where none was open."""
    around = purpose_scope(SECURITY)
    around.__enter__()
    with pytest.raises(PurposeError, match=r"A scope was left open: advertising"), isolated():
        purpose_scope(ADVERTISING).__enter__()
        around.__exit__(None, None, None)
    assert active_purposes() == frozenset()
    with purpose_scope(TWO_FACTOR):
        assert active_purposes() == {TWO_FACTOR}
    with pytest.raises(NoActivePurpose) as caught:
        Sealed.of(SECRET, AllowedFor(TWO_FACTOR)).open()
    assert caught.value.reason is Reason.NO_SCOPE
