"""The pytest plugin: a marker, fixtures, and nothing left behind by one test for the next. Needs the extra ``pytest``.

What this module keeps:

- **R5** A marked test runs in its scope from its first line to its last. Its fixtures do not: their code is not the
  test's block, and states its own purpose.
- What a test configures ends with it, and a scope that it leaves open is an error of that test.
- A suite that uses none of this runs as without it: the plugin looks at marked tests, and at those that ask for its
  fixtures. Nothing of the library is imported before something uses it.

pytest loads it where purposebind is installed; ``-p no:purposebind`` turns it off.

PYTEST_DONT_REWRITE: no assert is in here, and a suite that runs pytest inside pytest would be warned about it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

try:
    import pytest
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "pytest":
        raise
    from purposebind import PurposeError

    raise PurposeError(
        "The pytest plugin needs pytest, which is not installed. Install it with: pip install 'purposebind[pytest]'"
    ) from None

if TYPE_CHECKING:
    from purposebind import Purpose, purpose_scope
    from purposebind.integrations.canaries import Canaries, Surfaced, Watch
    from purposebind.testing import Captured

__all__ = [
    "canaries",
    "purposes_captured",
    "pytest_configure",
    "pytest_runtest_call",
    "pytest_runtest_setup",
]

_MARKER = "purpose"
_LEAKS = "leak canaries"
_CAPTURING = ("capsys", "capfd", "capsysbinary", "capfdbinary", "capteesys")

_scopes: pytest.StashKey[purpose_scope] = pytest.StashKey()
_watched: pytest.StashKey[_Watched] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, for ``--strict-markers`` and ``--markers``."""
    config.addinivalue_line(
        "markers", f"{_MARKER}(purpose, ...): run the test, but not its fixtures, in purpose_scope(purpose, ...)"
    )


@pytest.fixture(autouse=True)  # a fixture, so that what wider ones configure is there before, and stays
def _purposebind_isolated() -> Iterator[None]:
    """Undo what the test configures; fail it if it leaves a scope open."""
    if _is_used():
        from purposebind.testing import isolated

        with _failing_if_left_open(), isolated():
            yield
        return
    yield
    if _is_used():  # the test itself imported it
        from purposebind.testing import isolated

        with _failing_if_left_open(), isolated(since_import=True):
            pass


@pytest.fixture
def purposes_captured() -> Iterator[Captured]:
    """What is denied and read during the test: ``.denials``, ``.reads``, and ``.of("Account.phone")``."""
    from purposebind.testing import captured

    with captured() as seen:
        yield seen


@pytest.fixture
def canaries(request: pytest.FixtureRequest) -> Iterator[Canaries]:
    """Leak canaries: planted in tagged fields, they fail the test that shows them in logs, output, warnings, files."""
    watched = _Watched(request)
    request.node.stash[_watched] = watched
    watched.watch.start()
    try:
        yield watched.canaries
    finally:
        watched.watch.stop()
        del request.node.stash[_watched]
    watched.take_output()
    report = watched.report()
    if report:
        pytest.fail(report, pytrace=False)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Refuse a mark that states no purpose, before fixtures are made for the test."""
    marks = list(item.iter_markers(_MARKER))
    if marks:
        from purposebind import purpose_scope

        item.stash[_scopes] = purpose_scope(*_purposes(item, marks))
    result = yield
    watched = item.stash.get(_watched, None)
    if watched is not None:
        watched.take_output()
    return result


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Run a marked test in its scope, and look for what surfaced. Innermost, so that output is still being captured."""
    scope, watched = item.stash.get(_scopes, None), item.stash.get(_watched, None)
    if scope is None and watched is None:
        return (yield)
    try:
        with _in_scope(item, scope):
            result = yield
    except BaseException as error:
        if watched is not None:  # it has failed already, and what surfaced is told beside it
            watched.watch.add("the test's exception", error)
            watched.take_output()
            report = watched.report()
            if report:
                item.add_report_section("call", _LEAKS, report)
        raise
    if watched is not None:
        watched.take_output()
        report = watched.report()
        if report:
            pytest.fail(report, pytrace=False)
    return result


def _is_used() -> bool:
    """Whether anything in this process has used the library."""
    return "purposebind.config" in sys.modules


@contextmanager
def _failing_if_left_open() -> Generator[None, None, None]:
    from purposebind import PurposeError

    left = None
    try:
        yield
    except PurposeError as error:
        left = str(error)
    if left is not None:
        pytest.fail(left, pytrace=False)


def _purposes(item: pytest.Item, marks: list[pytest.Mark]) -> list[Purpose]:
    """The purposes of a test's marks, the widest mark first: a class's, then the test's own inside it (R4)."""
    from purposebind import Purpose

    purposes: list[Purpose] = []
    for mark in reversed(marks):
        wrong = [each for each in mark.args if not isinstance(each, Purpose)]
        if wrong or mark.kwargs or not mark.args:
            what = (
                f"{wrong[0]!r}, which is no Purpose. Name the object: @pytest.mark.purpose(SECURITY), or "
                "Purpose.find(...) for its name"
                if wrong
                else f"{next(iter(mark.kwargs))}=, and it takes purposes alone"
                if mark.kwargs
                else "no purpose: what is this test for?"
            )
            pytest.fail(f"{item.nodeid}: @pytest.mark.purpose names {what}.", pytrace=False)
        purposes += mark.args
    return purposes


@contextmanager
def _in_scope(item: pytest.Item, scope: purpose_scope | None) -> Generator[None, None, None]:
    """Have the test's function decorated with `scope` while it is run.

    Not the call of it: a coroutine may run in another context than its caller, and its block is its own.
    """
    if scope is None or not isinstance(item, pytest.Function):
        yield
        return
    hypothesis = getattr(item.obj, "hypothesis", None)
    with pytest.MonkeyPatch.context() as patch:
        if hypothesis is not None and hasattr(hypothesis, "inner_test"):  # each example is a block of its own
            patch.setattr(hypothesis, "inner_test", scope(hypothesis.inner_test))
        else:
            decorated = scope(item.obj)
            patch.setattr(item, "obj", decorated)
            if inspect.iscoroutinefunction(decorated) and _is_unittest(item):  # which runs it by its name
                patch.setattr(item.instance, item.name, decorated, raising=False)
        yield


def _is_unittest(item: pytest.Function) -> bool:
    return item.cls is not None and hasattr(item.cls, "assertEqual") and hasattr(item.cls, "run")


class _Watched:
    """A test that has canaries: what it shows of itself, and what of that was told already."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        from purposebind.integrations.canaries import Canaries, Watch  # only where a test asks for it

        self.canaries: Canaries = Canaries()
        self.watch: Watch = Watch()
        self._item: Any = request.node
        self._told: set[Surfaced] = set()
        if "tmp_path" in request.fixturenames:
            self.canaries.folders.append(request.getfixturevalue("tmp_path"))
        self._warned = request.getfixturevalue("recwarn") if "recwarn" in request.fixturenames else ()
        self._capturing = [request.getfixturevalue(name) for name in _CAPTURING if name in request.fixturenames]
        for fixture in self._capturing:
            fixture.readouterr = self._listening(fixture.readouterr)

    def take_output(self) -> None:
        """Take what was written since the last time, and leave it to whoever else wants it."""
        for fixture in self._capturing:
            _write_back(fixture.readouterr())
        manager = self._item.config.pluginmanager.getplugin("capturemanager")
        if manager is not None and manager.is_globally_capturing():
            for name, written in zip(("stdout", "stderr"), manager.read_global_capture(), strict=True):
                self.watch.add(name, written)
                self._item.add_report_section("call", name, written)

    def report(self) -> str:
        """Return what surfaced that was not told yet, as text."""
        from purposebind.integrations.canaries import report

        for warning in self._warned:
            self.watch.add(f"warning {warning.category.__name__}", str(warning.message))
        found = self.canaries.among(self.watch.taken(self.canaries.folders))
        new = [each for each in found if each not in self._told]
        self._told.update(new)
        return report(new)

    def _listening(self, read: Any) -> Any:
        def readouterr() -> Any:
            written = read()
            self.watch.add("stdout", written.out)
            self.watch.add("stderr", written.err)
            return written

        return readouterr


def _write_back(written: Any) -> None:
    for text, stream in ((written.out, sys.stdout), (written.err, sys.stderr)):
        if isinstance(text, bytes):
            stream.buffer.write(text)
        else:
            stream.write(text)
        stream.flush()
