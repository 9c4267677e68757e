"""A process that records is forked: parent and child both go on, and neither touches what the other writes."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import ledger_forked
import pytest
from ledger_rows import KEY, Rows, rows

from purposebind.ledger import Ledger


def run(function: str, folder: Path) -> tuple[Rows, str]:
    command = [sys.executable, ledger_forked.__file__, str(folder), function]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", done.stderr
    found = rows(folder)
    assert found.damage == []
    assert {read.activity for read in found.reads} <= found.activities.keys()
    verdict = Ledger(folder, key=KEY).verify()
    assert verdict.ok, verdict.problems
    return found, done.stdout


def read_by(found: Rows, pid: int, subjects: Iterable[int]) -> Counter[int]:
    names = {KEY.person(subject): subject for subject in subjects}
    return Counter(names[read.person] for read in found.reads if read.pid == pid and read.person in names)


def reader_of(found: Rows, subject: int) -> int:
    """The process that read of somebody whom only one did read of."""
    (pid,) = {read.pid for read in found.reads if read.person == KEY.person(subject)}
    return pid


def test_parent_and_child_go_on_in_turns_and_neither_overwrites_the_other(tmp_path: Path) -> None:
    """Both would write to the same place of one segment, and half of the reads would be gone."""
    found, _ = run("both_go_on", tmp_path / "ledger")
    parent = reader_of(found, 0)
    (child,) = {read.pid for read in found.reads} - {parent}
    everybody = range(1000)
    assert read_by(found, parent, everybody) == Counter([*range(10), *range(100, 150)])
    assert read_by(found, child, everybody) == Counter(range(200, 250))
    assert len({activity.writer for activity in found.opens}) == 2, "both call themselves by one name"


def test_a_scope_that_was_entered_before_the_fork_is_one_activity_in_both(tmp_path: Path) -> None:
    """A worker's reads would belong to no activity, or to one that nobody entered."""
    found, _ = run("nested", tmp_path / "ledger")
    by_person = {read.person: found.activities[read.activity] for read in found.reads}
    outer = by_person[KEY.person(1)]
    assert by_person[KEY.person(2)].id == by_person[KEY.person(4)].id == outer.id
    assert [one.continued for one in found.opens if one.id == outer.id and one.pid != outer.pid] == [True]
    inner = by_person[KEY.person(3)]
    assert inner.purposes == ["help.call"]
    assert inner.around == outer.id
    assert inner.pid != outer.pid
    assert len(found.ended[outer.id]) == 2, "both left it"
    assert len(found.ended[inner.id]) == 1


def test_a_fork_while_other_threads_record(tmp_path: Path) -> None:
    """A lock that a thread held would be held for ever in the child, or a record half written be written twice."""
    found, told = run("while_others_record", tmp_path / "ledger")
    parent = reader_of(found, 1000)
    for thread, count in enumerate(map(int, told.split()), 1):
        assert read_by(found, parent, range(thread * 1000, thread * 1000 + 500)).total() == count
    assert read_by(found, parent, range(1000)) == Counter()
    children = {read.pid for read in found.reads} - {parent}
    assert len(children) == 8
    for child in children:
        (first, *_) = found_in = sorted(read_by(found, child, range(1000)))
        assert found_in == list(range(first, first + 100))


def test_what_another_librarys_hook_reads_in_the_child_overwrites_nothing(tmp_path: Path) -> None:
    """It runs before the ledger knows of the fork: its read would be written over the parent's next one."""
    found, _ = run("early_hook", tmp_path / "ledger")
    parent = reader_of(found, 0)
    (child,) = {read.pid for read in found.reads} - {parent}
    everybody = range(1000)
    assert read_by(found, parent, everybody) == Counter([0, 777, *range(1, 21)])
    assert read_by(found, child, everybody) == Counter([777, 21])


def test_a_fork_in_a_signal_handler_in_the_middle_of_making_a_segment(tmp_path: Path) -> None:
    """The child would write to a segment of the parent's, or wait for a lock that its parent holds."""
    found, _ = run("from_a_signal_handler", tmp_path / "ledger")
    parent = reader_of(found, 10_000)
    (child,) = {read.pid for read in found.reads} - {parent}
    assert read_by(found, child, range(10)) == Counter([1, 2])
    assert read_by(found, parent, range(10)) == Counter([1])
    last = read_by(found, parent, range(10_000, 12_000))
    assert last == Counter(range(10_000, 10_000 + len(last))), "a read of the parent's is lost"


@pytest.mark.parametrize("how", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing(how: str, tmp_path: Path) -> None:
    """Workers end without saying goodbye: what they recorded would be lost, or be taken for the parent's."""
    found, _ = run(how, tmp_path / "ledger")
    everybody = range(1000)
    parent = reader_of(found, 0)
    assert read_by(found, parent, everybody) == Counter(range(10))
    workers = {read.pid for read in found.reads} - {parent}
    assert len(workers) == 4
    told = [sorted(read_by(found, worker, everybody)) for worker in workers]
    assert sorted(told) == [list(range(first, first + 10)) for first in (100, 200, 300, 400)]
