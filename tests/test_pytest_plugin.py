"""The pytest plugin, in suites of its own: the marker, isolation, captures, and suites that want nothing of it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["pytester"]

SHOP = """
from typing import Annotated
from purposebind import AllowedFor, Purpose, PurposeModel, active_purposes, configure, purpose_scope

SECURITY = Purpose("security", "Keep accounts safe")
TWO_FACTOR = SECURITY.child("two_factor", "Send a login code")
ADVERTISING = Purpose("advertising", "Choose and measure ads")

class Account(PurposeModel):
    phone: Annotated[str, AllowedFor(SECURITY)]
    interests: Annotated[str, AllowedFor(ADVERTISING)] = "boats"

account = Account(phone="+12025550100")
"""
PLUGIN = ("-p", "purposebind.integrations.pytest", "-p", "no:purposebind")


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a suite, in this process, and returns its outcomes and its result."""
    pytester.makepyfile(shop=SHOP)
    pytester.syspathinsert()
    for name in ("CI", "BUILD_NUMBER"):  # pytest prints each failure twice in full where it finds one of them
        monkeypatch.delenv(name, raising=False)

    def run(tests: str, *options: str, **files: str) -> Any:
        pytester.makepyfile(test_it="import pytest\nfrom shop import *\n" + textwrap.dedent(tests), **files)
        return pytester.runpytest_inprocess(
            *PLUGIN, "-p", "no:cacheprovider", "-W", "error", "--strict-markers", *options
        )

    return run


# --- The marker ------------------------------------------------------------------------------------------------------


def test_a_marked_test_runs_in_its_scope(suite: Any) -> None:
    """Every test of code that reads would have to open scopes by hand; or a mark would do nothing, unnoticed."""
    suite(
        """
        @pytest.mark.purpose(TWO_FACTOR)
        def test_function():
            assert active_purposes() == {TWO_FACTOR}
            assert account.phone

        @pytest.mark.purpose(SECURITY, ADVERTISING)
        def test_two():
            assert active_purposes() == {SECURITY, ADVERTISING}

        def test_unmarked():
            assert not active_purposes()

        @pytest.mark.parametrize("purpose", [pytest.param(SECURITY, marks=pytest.mark.purpose(SECURITY)), None])
        def test_parameters(purpose):
            assert active_purposes() == ({purpose} if purpose else set())

        class TestClass:
            @pytest.mark.purpose(SECURITY)
            def test_method(self):
                assert active_purposes() == {SECURITY}

            @classmethod
            @pytest.mark.purpose(SECURITY)
            def test_classmethod(cls):
                assert active_purposes() == {SECURITY}

            @staticmethod
            @pytest.mark.purpose(SECURITY)
            def test_staticmethod():
                assert active_purposes() == {SECURITY}
        """
    ).assert_outcomes(passed=8)


def test_marks_of_classes_and_modules_are_entered_first(suite: Any) -> None:
    """A test's own mark would widen, or replace, what its class says it is for (R4)."""
    suite(
        """
        pytestmark = pytest.mark.purpose(SECURITY)

        def test_module():
            assert active_purposes() == {SECURITY}

        @pytest.mark.purpose(TWO_FACTOR)
        def test_narrower():
            assert active_purposes() == {TWO_FACTOR}

        @pytest.mark.purpose(ADVERTISING)
        class TestBoth:
            def test_both(self):
                assert active_purposes() == {SECURITY, ADVERTISING}
        """
    ).assert_outcomes(passed=3)


def test_fixtures_are_not_the_tests_block(suite: Any) -> None:
    """A fixture's reads would be allowed by whichever test asks for it, and a leak in set-up never be found (R5)."""
    suite(
        """
        seen = []

        @pytest.fixture
        def plain():
            seen.append(active_purposes())
            yield active_purposes()
            seen.append(active_purposes())

        @pytest.fixture
        @purpose_scope(ADVERTISING)
        def own():
            yield active_purposes()

        @pytest.mark.purpose(SECURITY)
        def test_fixtures(plain, own, request):
            assert plain == set()
            assert own == {ADVERTISING}
            assert active_purposes() == {SECURITY}

        def test_afterwards():
            assert seen == [set(), set()]
            assert not active_purposes()
        """
    ).assert_outcomes(passed=2)


def test_what_is_wrong_with_a_mark_is_said_before_anything_runs(suite: Any) -> None:
    """A name instead of a purpose would run the test in no scope, or fail with a traceback of the plugin's."""
    result = suite(
        """
        @pytest.fixture
        def expensive():
            print("was set up")

        @pytest.mark.purpose("security")
        def test_name(expensive): ...

        @pytest.mark.purpose
        def test_nothing(): ...

        @pytest.mark.purpose(purpose=SECURITY)
        def test_keyword(): ...
        """,
        "-rA",
    )
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines_random(
        [
            "*test_name: @pytest.mark.purpose names 'security', which is no Purpose. Name the object: *",
            "*test_nothing: @pytest.mark.purpose names no purpose: what is this test for?*",
            "*test_keyword: @pytest.mark.purpose names purpose=, and it takes purposes alone*",
        ]
    )
    result.stdout.no_fnmatch_line("*was set up*")
    result.stdout.no_fnmatch_line("*integrations/pytest.py*")


def test_coroutines_under_anyio(suite: Any) -> None:
    """A coroutine runs in a task of its own, where a scope around the call is not seen."""
    suite(
        """
        import anyio

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.fixture
        async def client():
            yield active_purposes()

        @pytest.mark.anyio
        @pytest.mark.purpose(SECURITY)
        async def test_coroutine(client):
            assert client == set()
            assert active_purposes() == {SECURITY}
            await anyio.sleep(0)
            assert account.phone

        @pytest.mark.anyio
        async def test_unmarked():
            assert not active_purposes()
        """
    ).assert_outcomes(passed=2)


def test_unittest_classes(suite: Any) -> None:
    """Half of many suites are TestCases; their marks would do nothing."""
    suite(
        """
        import unittest

        @pytest.mark.purpose(SECURITY)
        class Case(unittest.TestCase):
            def setUp(self):
                self.before = active_purposes()

            def test_it(self):
                assert not self.before
                assert active_purposes() == {SECURITY}

        class Async(unittest.IsolatedAsyncioTestCase):
            @pytest.mark.purpose(SECURITY)
            async def test_it(self):
                assert active_purposes() == {SECURITY}

            async def test_unmarked(self):
                assert not active_purposes()
        """
    ).assert_outcomes(passed=3)


def test_hypothesis_examples_are_each_in_scope(suite: Any) -> None:
    """A marked property would run its examples in no scope, or hypothesis refuse the plugin's fixture."""
    suite(
        """
        from hypothesis import given, settings, strategies as st

        @pytest.mark.purpose(SECURITY)
        @settings(max_examples=5, database=None)
        @given(st.integers())
        def test_property(number):
            assert active_purposes() == {SECURITY}

        class TestClass:
            @pytest.mark.purpose(SECURITY)
            @settings(max_examples=5, database=None)
            @given(st.integers())
            def test_property(self, number):
                assert active_purposes() == {SECURITY}
        """
    ).assert_outcomes(passed=2)


def test_a_scope_ends_where_a_test_fails_or_skips(suite: Any) -> None:
    """The tests after a failing one would run in its scope, and pass."""
    suite(
        """
        @pytest.mark.purpose(SECURITY)
        def test_fails():
            assert 0

        @pytest.mark.purpose(SECURITY)
        def test_skips():
            pytest.skip("not here")

        @pytest.mark.purpose(SECURITY)
        @pytest.mark.xfail(strict=True)
        def test_expected():
            account.interests

        def test_afterwards():
            assert not active_purposes()
        """
    ).assert_outcomes(failed=1, skipped=1, xfailed=1, passed=1)


# --- Isolation -------------------------------------------------------------------------------------------------------


def test_what_a_test_configures_ends_with_it(suite: Any) -> None:
    """A test that observes would leave everything open for the tests after it, and they would pass."""
    suite(
        """
        from purposebind import config

        hooks = []

        def test_observes():
            configure(mode="observe", on_violation=hooks.append)
            assert account.phone

        def test_enforces():
            assert config.current.mode == "enforce"
            assert config.current.on_violation == ()
            with pytest.raises(Exception, match="may not be read"):
                account.phone

        def test_fails():
            configure(mode="observe")
            assert 0

        def test_enforces_still():
            assert config.current.mode == "enforce"
        """
    ).assert_outcomes(passed=3, failed=1)


def test_what_wider_fixtures_configure_stays(suite: Any) -> None:
    """A suite that observes as a whole, for a roll-out, would do so for its first test only."""
    suite(
        """
        from purposebind import config

        @pytest.fixture(scope="session", autouse=True)
        def whole_suite():
            with configure(mode="observe"):
                yield

        @pytest.fixture(scope="module")
        def module():
            with configure(unscoped="observe"):
                yield

        @pytest.fixture
        def own():
            configure(mode="enforce")

        def test_first():
            assert config.current.mode == "observe"

        def test_own(own, module):
            assert config.current.mode == "enforce"

        def test_last():
            assert (config.current.mode, config.current.unscoped) == ("observe", "observe")
        """
    ).assert_outcomes(passed=3)


def test_an_observed_denial_is_warned_about_in_each_test(suite: Any) -> None:
    """It is warned about once in a process; a test that looks for the warning would depend on the order of tests."""
    suite(
        """
        @pytest.mark.parametrize("again", [1, 2])
        def test_warns(again, caplog):
            configure(mode="observe")
            for _ in range(3):
                account.phone
            assert caplog.text.count("observed, not enforced") == 1
        """
    ).assert_outcomes(passed=2)


def test_a_scope_left_open_is_that_tests_error_and_closed(suite: Any) -> None:
    """Every test after it would run in its scope, and be allowed what it is not."""
    result = suite(
        """
        def test_leaves_it_open():
            purpose_scope(SECURITY).__enter__()
            purpose_scope(ADVERTISING).__enter__()

        def test_afterwards():
            assert not active_purposes()

        @pytest.fixture(scope="module")
        def wide():
            with purpose_scope(TWO_FACTOR).across_yields():
                yield

        @pytest.fixture
        def narrow(wide):
            with purpose_scope(ADVERTISING).across_yields():
                yield

        def test_meant(narrow):
            assert active_purposes() == {TWO_FACTOR, ADVERTISING}

        def test_still_in_the_wide_one(wide):
            assert active_purposes() == {TWO_FACTOR}
        """,
        "-rA",
    )
    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines(
        ["A scope was left open: advertising, entered at *test_it.py:* in test_leaves_it_open; security, entered at *"]
    )


# --- Captures --------------------------------------------------------------------------------------------------------


def test_the_capture_has_denials_and_reads(suite: Any) -> None:
    """What a framework answered, and so never raised in the test, could not be asserted."""
    suite(
        """
        from purposebind import config

        def test_capture(purposes_captured):
            try:
                account.phone
            except Exception:
                pass
            with purpose_scope(TWO_FACTOR):
                account.phone
                account.phone
            assert [denial.field for denial in purposes_captured.denials] == ["Account.phone"]
            assert [read.field for read in purposes_captured.of("Account.phone", purpose=SECURITY).reads] == [
                "Account.phone"
            ] * 2

        def test_it_is_undone():
            assert config.current.on_read == config.current.on_violation == ()
        """
    ).assert_outcomes(passed=2)


# --- Suites that want nothing of it -----------------------------------------------------------------------------------


def test_a_suite_without_purposes_runs_as_before(pytester: pytest.Pytester) -> None:
    """Everybody who installs the library would pay for it, in warnings, fixtures or time."""
    pytester.makeini(
        "[pytest]\nfilterwarnings = error\nxfail_strict = true\naddopts = --strict-markers --strict-config\n"
    )
    pytester.makepyfile(
        """
        import sys

        def test_it(request):
            assert "purposebind.integrations.canaries" not in sys.modules
            assert [name for name in request.fixturenames if "purpose" in name] == ["_purposebind_isolated"]

        class TestIt:
            def test_method(self): ...
        """
    )
    pytester.runpytest_subprocess(*PLUGIN, "--doctest-modules").assert_outcomes(passed=2)


def test_the_marker_is_listed_and_fixtures_described(pytester: pytest.Pytester) -> None:
    """Nobody would find them; and `--strict-markers` would refuse the marker."""
    result = pytester.runpytest_inprocess(*PLUGIN, "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.purpose(purpose, ...): run the test, but not its fixtures, *"])
    result = pytester.runpytest_inprocess(*PLUGIN, "--fixtures")
    result.stdout.fnmatch_lines_random(["canaries*", "purposes_captured*"])
    result.stdout.no_fnmatch_line("_purposebind*")


def test_with_xdist(suite: Any) -> None:
    """Workers would not know the marker, or would run a test outside its scope."""
    suite(
        """
        @pytest.mark.purpose(SECURITY)
        @pytest.mark.parametrize("number", range(4))
        def test_marked(number):
            assert active_purposes() == {SECURITY}
        """,
        "-p",
        "no:benchmark",
        "-n",
        "2",
    ).assert_outcomes(passed=4)


def test_importing_the_plugin_imports_nothing_more_than_the_core() -> None:
    """Every pytest run where the library is installed would start later."""
    program = (
        "import sys, pytest, purposebind; before = set(sys.modules); import purposebind.integrations.pytest; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    added = done.stdout.split()
    assert all(name.startswith(("purposebind.testing", "purposebind.integrations")) for name in added), added
    assert len(added) <= 8


def test_a_suite_that_does_not_use_the_library_does_not_import_it(tmp_path: Path) -> None:
    """Every pytest run where it is installed would start later, and one that replaces parts of pydantic not at all."""
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_nothing_is_there():\n"
        "    ours = {name for name in sys.modules if name.startswith('purposebind')}\n"
        "    assert ours == {'purposebind', 'purposebind.integrations', 'purposebind.integrations.pytest'}\n"
        "    assert 'pydantic' not in sys.modules\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", *PLUGIN, "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_what_a_test_does_that_imports_the_library_itself_ends_with_it(tmp_path: Path) -> None:
    """The first test to import it would leave every later one observing, or in its scope."""
    (tmp_path / "test_it.py").write_text(
        "def test_first():\n"
        "    from purposebind import Purpose, configure, purpose_scope\n"
        "    configure(mode='observe')\n"
        "    purpose_scope(Purpose('first', 'First')).__enter__()\n"
        "def test_second():\n"
        "    from purposebind import active_purposes, config\n"
        "    assert config.current.mode == 'enforce'\n"
        "    assert not active_purposes()\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", *PLUGIN, "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "A scope was left open: first" in done.stdout
    assert "2 passed, 1 error" in done.stdout, done.stdout + done.stderr


def test_without_pytest_the_extra_is_named() -> None:
    """The developer would read that a module is missing, and not what to install."""
    program = "import sys; sys.modules['pytest'] = None; import purposebind.integrations.pytest"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "pip install 'purposebind[pytest]'" in done.stderr
