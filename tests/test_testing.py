"""`purposebind.testing.unredacted`: for other people's test suites, and for nothing else."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Annotated, Any

import pytest
from purposes import ADVERTISING, SECRET, TWO_FACTOR
from pydantic import Field, TypeAdapter, ValidationError

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    PurposeError,
    PurposeModel,
    PurposeViolation,
    configure,
    purpose_scope,
)
from purposebind.testing import unredacted


class Account(PurposeModel):
    handle: str
    phone: Annotated[str, AllowedFor(TWO_FACTOR), Field(max_length=20)]


def account() -> Any:
    return Account(handle="ada", phone=SECRET)


def problem(make: Any = lambda: Account(handle="ada", phone=SECRET * 2)) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        make()
    return caught.value


def test_representations_show_values_and_stop() -> None:
    """A suite that compares reprs would fail; or values would go on showing after it (R6)."""
    subject = account()
    before = repr(subject)
    with unredacted():
        assert repr(subject) == f"Account(handle='ada', phone='{SECRET}')"
        assert SECRET in str(subject)
        assert repr(vars(subject)["phone"]) == repr(SECRET)
        assert f"{vars(subject)['phone']:>20}" == f"{SECRET:>20}"
    assert repr(subject) == before
    assert SECRET not in before


def test_validation_errors_show_inputs_and_stop() -> None:
    """A suite that compares the inputs of errors would fail; or they would go on showing (R7)."""
    with unredacted():
        assert problem().errors()[0]["input"] == SECRET * 2
        adapted = problem(lambda: TypeAdapter(list[Account]).validate_python([{"phone": SECRET}]))
        assert adapted.errors()[0]["input"] == {"phone": SECRET}
    assert SECRET not in repr(problem().errors())


def test_json_schemas_leave_purposes_out_and_stop() -> None:
    """A suite that compares whole schemas would fail; or an API's documentation would lose its purposes."""
    with unredacted():
        assert "x-purposes" not in repr(Account.model_json_schema())
    assert "x-purposes" in repr(Account.model_json_schema())


def test_denials_stay() -> None:
    """A test run would prove nothing: every read would be allowed."""
    told: list[Any] = []
    with unredacted(), configure(on_violation=told.append):
        with pytest.raises(NoActivePurpose):
            account().phone
        with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
            account().model_dump()
        with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
            assert account() == account()
    assert len(told) == 3


def test_it_says_that_it_is_on(caplog: pytest.LogCaptureFixture) -> None:
    """It would be left on unnoticed."""
    with caplog.at_level(logging.WARNING, "purposebind"), unredacted():
        pass
    assert "unredacted" in caplog.text
    assert caplog.records[0].name == "purposebind"


def test_it_ends_with_an_error_and_nests() -> None:
    """A failing test would leave it on for the tests after it."""
    subject = account()
    with pytest.raises(ZeroDivisionError), unredacted():
        1 / 0
    assert SECRET not in repr(subject)
    with unredacted():
        with unredacted():
            pass
        assert SECRET in repr(subject)
    assert SECRET not in repr(subject)


def test_it_keeps_what_was_configured_inside() -> None:
    """Configuring inside the block would be undone, or undo it."""
    with unredacted():
        configure(mode="observe")
        assert SECRET in repr(account())
        assert account().phone == SECRET
    assert account().phone == SECRET
    assert SECRET not in repr(account())


def test_it_works_under_pytest_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody would turn it on in production, "just to see"."""
    monkeypatch.delenv("PYTEST_VERSION")
    with pytest.raises(PurposeError, match="pytest"), unredacted():
        pass


def test_it_is_refused_in_a_program_of_its_own() -> None:
    """An environment variable alone would open every repr of a service."""
    program = """
import os
os.environ["PYTEST_VERSION"] = "9"
from purposebind.testing import unredacted
with unredacted():
    pass
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "pytest" in run.stderr
    assert "PurposeError" in run.stderr
