"""Enforce and observe (R11), and whom a denial is told to."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from purposes import ADVERTISING, SECRET, TWO_FACTOR

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    PurposeModel,
    PurposeViolation,
    Sealed,
    SubjectId,
    config,
    configure,
    purpose_scope,
    requires_purpose,
)
from purposebind.errors import Reason


class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]


class Watched(Account, purpose_mode="observe"):
    pass


class Strict(Watched, purpose_mode="enforce"):
    pass


def account(cls: Any = Account) -> Any:
    return cls(id=7, phone=SECRET)


@pytest.fixture
def denials() -> list[Any]:
    told: list[Any] = []
    configure(on_violation=told.append)
    return told


# --- Modes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "unscoped", "wrong_raises", "missing_raises"),
    [
        ("enforce", "enforce", True, True),
        ("enforce", "observe", True, False),
        ("observe", "enforce", False, False),
        ("observe", "observe", False, False),
    ],
)
def test_modes(mode: Any, unscoped: Any, wrong_raises: bool, missing_raises: bool, denials: list[Any]) -> None:
    """A roll-out would stop the service it was to watch, or watch where it was to stop (R11)."""
    configure(mode=mode, unscoped=unscoped)
    for purpose, raises, kind in (
        (ADVERTISING, wrong_raises, PurposeViolation),
        (None, missing_raises, NoActivePurpose),
    ):
        with purpose_scope(purpose) if purpose else configure():
            for road in (lambda: account().phone, lambda: account().model_dump(), lambda: account() == account()):
                denials.clear()
                if raises:
                    with pytest.raises(PurposeViolation) as caught:
                        road()
                    assert type(caught.value) is kind
                else:
                    road()
                assert denials
                assert {denial.enforced for denial in denials} == {raises}
                assert {type(denial.violation) for denial in denials} == {kind}


def test_enforce_is_the_default() -> None:
    """A service that configures nothing would only watch."""
    assert (config.Configuration().mode, config.Configuration().unscoped) == ("enforce", "enforce")
    with pytest.raises(NoActivePurpose):
        account().phone


def test_what_is_not_named_stays() -> None:
    """Registering a hook would turn enforcement back on, or off."""
    configure(mode="observe")
    configure(unscoped="enforce")
    configure(on_violation=print)
    assert config.current.mode == "observe"
    assert config.current.on_violation == (print,)


def test_configure_is_undone_by_its_block() -> None:
    """A test that observes would leave the whole process observing."""
    with configure(mode="observe"):
        assert account().phone == SECRET
    with pytest.raises(NoActivePurpose):
        account().phone
    with pytest.raises(ZeroDivisionError), configure(mode="observe"):
        1 / 0
    assert config.current.mode == "enforce"


def test_a_grant_given_while_observing_is_not_kept() -> None:
    """What was let through in observe mode would be let through for ever (R11)."""
    with purpose_scope(ADVERTISING):
        with configure(mode="observe"):
            assert account().phone == SECRET
        with pytest.raises(PurposeViolation):
            account().phone


@pytest.mark.parametrize("word", ["Observe", "off", "warn", "", None, True, 1, b"observe"])
@pytest.mark.parametrize("name", ["mode", "unscoped"])
def test_another_word_is_refused_and_changes_nothing(name: str, word: Any) -> None:
    """A misspelt mode would silently be the other one."""
    with pytest.raises(ValueError, match=f'{name}= is "enforce" or "observe"'):
        configure(on_violation=print, **{name: word})
    assert config.current == config.Configuration()


def test_hooks_are_callables() -> None:
    """A hook that cannot be called would be found out at the first violation."""
    for wrong in ("print", [print, 1], 3, None):
        with pytest.raises(TypeError):
            configure(on_violation=wrong)  # type: ignore[arg-type]
    assert config.current == config.Configuration()


def test_one_model_at_a_time(denials: list[Any]) -> None:
    """Rolling out one model would roll out, or back, another."""
    with purpose_scope(ADVERTISING):
        assert account(Watched).phone == SECRET
        for cls in (Account, Strict):
            with pytest.raises(PurposeViolation):
                account(cls).phone
    assert [denial.enforced for denial in denials] == [False, True, True]
    configure(mode="observe")
    with purpose_scope(ADVERTISING):
        assert account(Account).phone == SECRET
        with pytest.raises(PurposeViolation):
            account(Strict).phone


ROADS: dict[str, Callable[[Any], Any]] = {
    "attribute": lambda a: a.phone,
    "dump": lambda a: a.model_dump(),
    "dump_json": lambda a: a.model_dump_json(),
    "==": lambda a: a == account(type(a)),
    "dict": dict,
    "box": lambda a: vars(a)["phone"].open(),
}


@pytest.mark.parametrize("road", ROADS)
def test_a_models_mode_holds_for_every_road(road: str) -> None:
    """A model rolled out in observe mode would still stop its service by one road (R11)."""
    with purpose_scope(ADVERTISING):
        ROADS[road](account(Watched))
        with pytest.raises(PurposeViolation):
            ROADS[road](account(Strict))


def test_a_subclass_inherits_the_mode() -> None:
    """A subclass of a model that is watched would enforce, unasked."""

    class Sub(Watched):
        note: str = ""

    with purpose_scope(ADVERTISING):
        assert account(Sub).phone == SECRET


def test_an_enforcing_model_stays_so_where_no_scope_is_only_observed() -> None:
    """``purpose_mode="enforce"`` would be softened by the roll-out of the rest."""
    configure(unscoped="observe")
    with pytest.raises(NoActivePurpose):
        account(Strict).phone


# --- Warnings ---------------------------------------------------------------------------------------------------------


def read_here(subject: Any) -> Any:
    return subject.phone


def read_there(subject: Any) -> Any:
    return subject.phone


def test_observe_warns_once_for_each_place(caplog: pytest.LogCaptureFixture, denials: list[Any]) -> None:
    """A service would drown in warnings, or not be told of a second place (R11)."""
    configure(mode="observe")
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            with purpose_scope(ADVERTISING):
                read_here(account())
                read_there(account())
            read_here(account())
    warnings = [record for record in caplog.records if record.name == "purposebind"]
    assert [record.levelname for record in warnings] == ["WARNING"] * 3
    assert len(denials) == 9, "the hook is called every time"
    text = caplog.text
    assert "Account.phone" in text
    assert "read_here" in text
    assert "read_there" in text
    assert SECRET not in text


def test_enforce_does_not_warn(caplog: pytest.LogCaptureFixture) -> None:
    """Each error would be logged besides being raised."""
    with caplog.at_level(logging.DEBUG), pytest.raises(NoActivePurpose):
        account().phone
    assert caplog.records == []


def test_each_field_warns(caplog: pytest.LogCaptureFixture) -> None:
    """A second field read on the same line would go unnoticed."""

    class Two(PurposeModel):
        phone: Annotated[str, AllowedFor(TWO_FACTOR)]
        email: Annotated[str, AllowedFor(TWO_FACTOR)]

    configure(mode="observe")
    (lambda two: (two.phone, two.email))(Two(phone="1", email="2"))
    assert [record.getMessage().count("Two.phone may") for record in caplog.records] == [1, 0]
    assert len(caplog.records) == 2


# --- Hooks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["enforce", "observe"])
@pytest.mark.parametrize(
    "problem",
    [Exception("boom"), SystemExit(3), GeneratorExit(), RecursionError(), PurposeViolation],
)
def test_a_hook_that_raises_changes_nothing(problem: Any, mode: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A broken ledger would hide the denial, or end the program (point 6)."""
    if problem is PurposeViolation:
        problem = PurposeViolation(field="Other.field", reason=Reason.NEVER)
    told: list[Any] = []

    def broken(denial: Any) -> None:
        raise problem

    configure(mode=mode, on_violation=[broken, told.append])
    with purpose_scope(ADVERTISING):
        if mode == "enforce":
            with pytest.raises(PurposeViolation) as caught:
                account().phone
            assert caught.value.field == "Account.phone"
            assert caught.value.__context__ is None
        else:
            assert account().phone == SECRET
    assert len(told) == 1, "the hook after the broken one was not called"
    assert "hook failed" in caplog.text
    assert SECRET not in caplog.text


def test_a_hook_may_be_interrupted() -> None:
    """Ctrl-C in a slow hook would be swallowed."""

    def interrupted(denial: Any) -> None:
        raise KeyboardInterrupt

    configure(on_violation=interrupted)
    with pytest.raises(KeyboardInterrupt):
        account().phone


@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_a_hook_that_reads_is_refused_and_does_not_recur(mode: Any) -> None:
    """A hook that logs the account would call itself until the stack is full."""
    seen: list[Any] = []

    def nosy(denial: Any) -> None:
        seen.append("called")
        try:
            seen.append(account().phone)
        except PurposeViolation:
            seen.append("refused")

    configure(mode=mode, on_violation=nosy)
    with purpose_scope(ADVERTISING):
        if mode == "enforce":
            with pytest.raises(PurposeViolation):
                account().phone
        else:
            account().phone
    assert seen == ["called", "refused" if mode == "enforce" else SECRET]


def test_a_hook_that_opens_a_scope_gains_the_program_nothing() -> None:
    """What a hook enters would still be in force when it is done (R5)."""

    def entering(denial: Any) -> None:
        with purpose_scope(TWO_FACTOR):
            account()

    configure(on_violation=entering)
    with pytest.raises(NoActivePurpose):
        account().phone
    with pytest.raises(NoActivePurpose):
        account().phone


def test_hooks_of_two_threads() -> None:
    """While one thread is in a hook, the denials of another would go untold."""
    told: list[Any] = []
    entered, go = threading.Event(), threading.Event()

    def slow(denial: Any) -> None:
        told.append(denial)
        if len(told) == 1:
            entered.set()
            go.wait(5)

    configure(mode="observe", on_violation=slow)
    thread = threading.Thread(target=lambda: account().phone)
    thread.start()
    assert entered.wait(5)
    account().phone
    go.set()
    thread.join()
    assert len(told) == 2


def test_a_denial_says_everything_but_the_value(denials: list[Any]) -> None:
    """Whoever counts the people affected could not say who, what, for what and where (points 6 and 7)."""
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation) as caught:
        account().phone
    (denial,) = denials
    assert denial.field == "Account.phone"
    assert denial.allowed == (TWO_FACTOR,)
    assert denial.active == frozenset({ADVERTISING})
    assert denial.reason is Reason.NOT_ALLOWED
    assert denial.subject == 7
    assert denial.enforced is True
    assert denial.violation is caught.value
    assert denial.site.file == __file__
    assert denial.site == caught.value.site
    assert denial.site.function.endswith("test_a_denial_says_everything_but_the_value") or denial.site.line
    assert SECRET not in repr(denial) + repr(vars(denial))
    with pytest.raises(AttributeError):
        denial.field = "x"


@pytest.mark.parametrize("road", ROADS)
def test_every_road_names_field_and_subject(road: str, denials: list[Any]) -> None:
    """People whose data went out by a dump or a comparison would not be counted."""
    configure(mode="observe")
    with purpose_scope(ADVERTISING):
        ROADS[road](account())
    assert denials
    assert {denial.field for denial in denials} == {"Account.phone"}
    assert {denial.subject for denial in denials} == {7}
    assert {denial.site.file for denial in denials} == {__file__}


def test_a_tagged_subject_is_told_as_a_digest(denials: list[Any]) -> None:
    """The ledger would hold the e-mail address of everybody whose data was read (R7)."""

    class Member(PurposeModel):
        email: Annotated[str, SubjectId, AllowedFor(TWO_FACTOR)]
        phone: Annotated[str, AllowedFor(TWO_FACTOR)]

    configure(mode="observe")
    for email in ("ruth@example.com", "bob@example.com", "ruth@example.com"):
        Member(email=email, phone=SECRET).phone
    first, second, third = (denial.subject for denial in denials)
    assert first == third != second
    assert "ruth" not in str(first)  # which no hexadecimal digest spells by chance
    assert re.fullmatch(r"sealed:[0-9a-f]{32}", first)


def test_a_model_without_subject_and_a_function(denials: list[Any]) -> None:
    """A denial without a person would fail to be told."""

    class Thing(PurposeModel):
        phone: Annotated[str, AllowedFor(TWO_FACTOR)]

    @requires_purpose(TWO_FACTOR)
    def rows() -> list[str]:
        return [SECRET]

    configure(mode="observe")
    Thing(phone=SECRET).phone
    rows()
    Sealed.of(SECRET, AllowedFor(TWO_FACTOR)).open()
    assert [denial.subject for denial in denials] == [None, None, None]
    assert denials[0].field == "Thing.phone"
    assert denials[1].field.endswith("rows()")


def test_reads_are_recorded_each_time() -> None:
    """With a ledger on, a read that was allowed before would pass unseen."""
    reads: list[Any] = []
    with purpose_scope(TWO_FACTOR):
        subject = account()
        subject.phone
        with configure(on_read=reads.append):
            for road in ROADS.values():
                reads.clear()
                road(subject)
                assert {read.field for read in reads} == {"Account.phone"}
                assert {read.subject for read in reads} == {7}
                assert {read.active for read in reads} == {frozenset({TWO_FACTOR})}
        reads.clear()
        subject.phone
    assert reads == []


def test_a_recorder_that_fails_refuses_the_read() -> None:
    """Data would go out unrecorded while the ledger is down."""

    def down(read: Any) -> None:
        raise ConnectionError("the ledger is down")

    configure(on_read=down)
    with purpose_scope(TWO_FACTOR), pytest.raises(ConnectionError):
        account().phone


def test_each_read_is_told_once_by_every_road() -> None:
    """A field told twice for one dump would make the count of reads, and of denials, too high."""

    class Scalars(PurposeModel):
        phone: Annotated[str, AllowedFor(TWO_FACTOR)]
        email: Annotated[str, AllowedFor(TWO_FACTOR)]

    class Containers(Scalars):
        codes: Annotated[list[int], AllowedFor(TWO_FACTOR)]

    for model in (Scalars(phone="a", email="b"), Containers(phone="a", email="b", codes=[1])):
        fields = sorted(f"{type(model).__name__}.{name}" for name in type(model).model_fields)
        for road in (type(model).model_dump, type(model).model_dump_json, dict):
            reads: list[Any] = []
            with configure(on_read=reads.append), purpose_scope(TWO_FACTOR):
                road(model)
            assert sorted(read.field for read in reads) == fields
            denials: list[Any] = []
            with configure(mode="observe", on_violation=denials.append), purpose_scope(ADVERTISING):
                road(model)
            assert sorted(denial.field for denial in denials) == fields
