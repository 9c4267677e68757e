"""The `canaries` fixture: each channel by leaking on purpose, in suites of its own, and each absence."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

pytest_plugins = ["pytester"]

SHOP = """
import logging, os, sys, warnings
from typing import Annotated
from purposebind import AllowedFor, Purpose, PurposeModel, purpose_scope

SECURITY = Purpose("security", "Keep accounts safe")

class Account(PurposeModel):
    phone: Annotated[str, AllowedFor(SECURITY)]

def leaked(account, how):
    with purpose_scope(SECURITY):
        how(account.phone)
"""
PLUGIN = ("-p", "purposebind.integrations.pytest", "-p", "no:purposebind", "-p", "no:cacheprovider")


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a suite in this process and returns its result."""
    pytester.makepyfile(shop=SHOP)
    pytester.syspathinsert()
    for name in ("CI", "BUILD_NUMBER"):  # pytest prints each failure twice in full where it finds one of them
        monkeypatch.delenv(name, raising=False)

    def run(tests: str, *options: str) -> Any:
        pytester.makepyfile(test_it="import pytest\nfrom shop import *\n" + textwrap.dedent(tests))
        return pytester.runpytest_inprocess(*PLUGIN, "-W", "default", *options)

    return run


LEAKS = {
    "log": ("lambda v: logging.getLogger('shop').warning('to %s', v)", "log shop WARNING, test_it.py:*, message"),
    "print": ("print", "stdout"),
    "stderr": ("lambda v: print(v, file=sys.stderr)", "stderr"),
    "descriptor": ("lambda v: os.write(1, v.encode())", "stdout"),
    "warning": ("lambda v: warnings.warn('slow: ' + v)", "warning UserWarning, test_it.py:*"),
    "file": ("lambda v: (tmp_path / 'out.csv').write_text('a' + v)", "file out.csv"),
    "hash": (
        "lambda v: (tmp_path / 'out.csv').write_text(__import__('hashlib').sha256(v.encode()).hexdigest())",
        "file out.csv",
    ),
}


@pytest.mark.parametrize("channel", LEAKS)
def test_a_leak_fails_the_test_and_names_the_place(suite: Any, channel: str) -> None:
    """A value would reach logs, output or files, and the suite stay green."""
    how, place = LEAKS[channel]
    result = suite(
        f"""
        def test_leaks(canaries, tmp_path):
            leaked(canaries.plant(Account), {how})

        def test_does_not(canaries, tmp_path):
            print(canaries.plant(Account))
        """
    )
    result.assert_outcomes(failed=1, passed=1, warnings=1 if channel == "warning" else 0)
    result.stdout.fnmatch_lines(
        ["*FAILURES*", "*test_leaks*", "A leak canary surfaced *", f"  Account.phone (+1??????????), *, in {place}*"]
    )


def test_without_a_leak_nothing_fails(suite: Any) -> None:
    """A suite would have to allow what is no leak."""
    suite(
        """
        import threading

        def test_clean(canaries, tmp_path, caplog, capsys):
            account = canaries.plant(Account)
            logging.getLogger().warning("to %s", account)
            print(account, canaries.planted[0].field)
            (tmp_path / "out").write_text(repr(account))
            with pytest.raises(Exception, match="may not be read"):
                account.phone
            leaked(account, lambda v: None)
            assert "sealed" in capsys.readouterr().out

        def test_nothing_planted(canaries):
            print("+12025550100")
        """
    ).assert_outcomes(passed=2)


@pytest.mark.parametrize("capture", ["capsys", "capfd", "capsysbinary", "capfdbinary"])
def test_output_that_the_test_captures_itself(suite: Any, capture: str) -> None:
    """A test that looks at its output would hide it from the search, or the search take it from the test."""
    result = suite(
        f"""
        def test_read(canaries, {capture}):
            leaked(canaries.plant(Account), print)
            assert {capture}.readouterr().out.strip()

        def test_unread({capture}, canaries):
            leaked(canaries.plant(Account), print)

        @pytest.fixture
        def looks_afterwards({capture}):
            yield
            assert {capture}.readouterr().out.strip() in ("kept", b"kept")

        def test_kept(looks_afterwards, canaries, {capture}):
            canaries.plant(Account)
            print("kept")
        """
    )
    result.assert_outcomes(failed=2, passed=1)
    assert len([line for line in result.outlines if line.startswith("  Account.phone") and "stdout" in line]) == 2


def test_output_of_set_up_and_tear_down(suite: Any) -> None:
    """What a fixture of the service prints is before, or after, the test."""
    result = suite(
        """
        @pytest.fixture
        def account(canaries):
            account = canaries.plant(Account)
            yield account

        @pytest.fixture
        def early(account):
            leaked(account, print)

        @pytest.fixture
        def late(account, tmp_path):
            yield
            leaked(account, print)
            leaked(account, logging.getLogger("late").error)
            leaked(account, (tmp_path / "late").write_text)

        def test_early(early): ...

        def test_late(late, tmp_path): ...
        """
    )
    result.assert_outcomes(failed=1, passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_late*", "Leak canaries, 3 times, surfaced*"])
    result.stdout.fnmatch_lines(["*FAILURES*", "*test_early*", "A leak canary surfaced*"])
    result.stdout.fnmatch_lines(["*Captured stdout*"])


def test_a_test_that_fails_anyway_tells_of_it_too(suite: Any) -> None:
    """The failure would hide the leak until it is mended, or the leak hide the failure."""
    result = suite(
        """
        def test_fails(canaries):
            leaked(canaries.plant(Account), print)
            assert 1 == 2

        def test_raises(canaries):
            def refuse(value):
                raise ConnectionError(f"no route to {value}")
            leaked(canaries.plant(Account), refuse)

        @pytest.mark.xfail(strict=True)
        def test_expected_to_leak(canaries):
            leaked(canaries.plant(Account), print)
        """
    )
    result.assert_outcomes(failed=2, xfailed=1)
    result.stdout.fnmatch_lines(
        ["E * assert 1 == 2", "*leak canaries call*", "  Account.phone (+1*), plain, in stdout*"]
    )
    result.stdout.fnmatch_lines(["  Account.phone (+1*), plain, in the test's exception, ConnectionError, message*"])


def test_what_is_allowed_passes(suite: Any) -> None:
    """The text message itself would fail the test that sends it."""
    suite(
        """
        def test_allowed(canaries, tmp_path):
            canaries.allow("Account.phone", place="file outbox*")
            canaries.allow(place="log shop.sms *")
            account = canaries.plant(Account)
            leaked(account, (tmp_path / "outbox").write_text)
            leaked(account, logging.getLogger("shop.sms").warning)

        def test_not_for_the_next(canaries):
            leaked(canaries.plant(Account), logging.getLogger("shop.sms").warning)
        """
    ).assert_outcomes(passed=1, failed=1)


def test_further_folders_and_recorded_warnings(suite: Any) -> None:
    """A folder of the whole session, and warnings that the test records itself, would be searched by nobody."""
    result = suite(
        """
        def test_folder(canaries, tmp_path_factory):
            folder = tmp_path_factory.mktemp("spool")
            canaries.folders.append(folder)
            leaked(canaries.plant(Account), (folder / "job").write_text)

        def test_recorded(canaries, recwarn):
            leaked(canaries.plant(Account), lambda v: warnings.warn(v))
            assert len(recwarn) == 1
        """
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*in file job*"])
    result.stdout.fnmatch_lines(["*in warning UserWarning*"])


def test_under_other_options(suite: Any) -> None:
    """With `-s`, `-p no:logging`, `--capture=sys` or warnings as errors the fixture itself would fail."""
    tests = """
        def test_log(canaries):
            leaked(canaries.plant(Account), logging.getLogger("shop").warning)

        def test_clean(canaries):
            canaries.plant(Account)
        """
    for options in (["-s"], ["-p", "no:logging"], ["--capture=sys"], ["--capture=tee-sys"], ["-W", "error"]):
        suite(tests, *options).assert_outcomes(failed=1, passed=1)


def test_a_service_in_a_test(suite: Any) -> None:
    """The parts work alone, and not as a service's test uses them."""
    result = suite(
        """
        import httpx
        from fastapi import FastAPI
        from fastapi.testclient import TestClient

        app = FastAPI()

        @app.get("/safe")
        def safe():
            return {"phone": str(app.state.account)}

        @app.get("/leaky")
        def leaky():
            with purpose_scope(SECURITY):
                return {"phone": app.state.account.phone}

        @pytest.fixture
        def client(canaries):
            app.state.account = canaries.plant(Account)
            with TestClient(app) as client:
                yield client

        @pytest.mark.parametrize("path", ["/safe", "/leaky"])
        def test_responses(path, client, canaries):
            canaries.check(client.get(path))
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*Account.phone (+1*), plain, in Response, body at byte 10*"])


def test_anyio_tests(suite: Any) -> None:
    """A coroutine's leaks would go unseen."""
    suite(
        """
        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.anyio
        async def test_leaks(canaries):
            leaked(canaries.plant(Account), print)

        @pytest.mark.anyio
        async def test_clean(canaries):
            print(canaries.plant(Account))
        """
    ).assert_outcomes(passed=1, failed=1)
