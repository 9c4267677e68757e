"""The static check says what it should, line by line, on each mypy, in each order of plugins, and however it is run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .cases import Case, cases
from .running import OURS, PYDANTICS, Daemon, Mypy, differing, prepare, versions

FILES = ["reads", "scopes", "handovers", "tags", "names", "unknown", "declarations", "broken", "attacks"]
FILES += ["newer"] if sys.version_info >= (3, 12) else []
ORDERS = {"alone": (OURS,), "first": (OURS, PYDANTICS), "last": (PYDANTICS, OURS)}
CHANGES = cases("changes")
UNSCOPED = "enable_error_code = purpose-unscoped"

each_mypy = pytest.mark.parametrize("mypy", versions(), ids=str)
each_change = pytest.mark.parametrize("case", CHANGES, ids=lambda case: case.name)


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy keeps of the packages that every case imports, from one test to the next."""
    return tmp_path_factory.mktemp("caches")


def _write(folder: Path, several: list[Case]) -> tuple[list[str], list[str]]:
    """Write cases into `folder`, and return their packages and what is to be reported."""
    for case in several:
        case.write(folder)
    return [case.name for case in several], [line for case in several for line in case.expected()]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("order", ORDERS)
@each_mypy
def test_cases(mypy: Mypy, order: str, name: str, tmp_path: Path, caches: Path) -> None:
    """A read that is missed reaches users; a false report has people switch the plugin off."""
    prepare(tmp_path, ORDERS[order])
    packages, wanted = _write(tmp_path, cases(name))
    found = mypy.run(tmp_path, f"--cache-dir={caches / str(mypy) / order}", *packages)
    assert differing(found, wanted) == []


@each_mypy
def test_reads_without_a_scope_are_noted_where_asked_for(mypy: Mypy, tmp_path: Path, caches: Path) -> None:
    """Notes that nobody asked for would drown the errors; those asked for are the list of what is left to do."""
    prepare(tmp_path, settings=UNSCOPED)
    packages, wanted = _write(tmp_path, cases("unscoped"))
    found = mypy.run(tmp_path, f"--cache-dir={caches / str(mypy) / 'unscoped'}", *packages)
    assert differing(found, wanted) == []
    prepare(tmp_path)
    found = mypy.run(tmp_path, f"--cache-dir={caches / str(mypy) / 'alone'}", *packages)
    assert differing(found, [line for line in wanted if ": error: " in line]) == []


@each_mypy
def test_a_second_run_says_the_same(mypy: Mypy, tmp_path: Path, caches: Path) -> None:
    """What is reported only once is gone from the CI that keeps its cache."""
    prepare(tmp_path)
    packages, wanted = _write(tmp_path, [*cases("reads"), *cases("handovers"), *cases("declarations")])
    for _ in range(2):
        found = mypy.run(tmp_path, f"--cache-dir={caches / str(mypy) / 'alone'}", *packages)
        assert differing(found, wanted) == []


@each_mypy
def test_in_parallel_it_says_the_same(mypy: Mypy, tmp_path: Path) -> None:
    """Each process sees a part of the project; handovers are declared in another."""
    prepare(tmp_path)
    packages, wanted = _write(tmp_path, [case for name in FILES for case in cases(name)])
    for _ in range(2):
        found = mypy.run(tmp_path, "--num-workers=2", *packages)
        assert differing(found, wanted) == []


@each_change
@each_mypy
def test_after_a_change_it_says_what_a_clean_run_says(mypy: Mypy, case: Case, tmp_path: Path, caches: Path) -> None:
    """A report that stays, or does not come, until somebody deletes the cache is worse than none."""
    prepare(tmp_path)
    for step in range(len(case.steps)):
        case.write(tmp_path, step)
        found = mypy.run(tmp_path, f"--cache-dir={caches / str(mypy) / 'changes'}", case.name)
        assert differing(found, case.expected(step)) == [], f"in step {step + 1}"


@pytest.fixture(scope="module", params=versions(), ids=str)
def daemon(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that watches the cases of all changes."""
    mypy: Mypy = request.param
    folder = tmp_path_factory.mktemp("daemon")
    prepare(folder)
    with Daemon(mypy, folder) as running:
        yield running


def test_the_daemon_says_the_same_after_each_change(daemon: Daemon) -> None:
    """In an editor the reports are the daemon's."""
    steps = max(len(case.steps) for case in CHANGES)
    for step in range(steps):
        for case in CHANGES:
            case.write(daemon.folder, step)
        found = daemon.check(*(case.name for case in CHANGES))
        wanted = [line for case in CHANGES for line in case.expected(step)]
        assert differing(found, wanted) == [], f"in step {step + 1}"
