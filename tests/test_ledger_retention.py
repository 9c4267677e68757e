"""Retention: what is dropped is gone, all of it and nothing else, and the chain says who did it."""

from __future__ import annotations

import contextlib
import errno
import os
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest
import segments as make
from interrupted import failing, in_a_process, killed
from test_ledger_chain import FIRST_DAY, IDS, KEY, close_one, compact_some

from purposebind.ledger.chain import Chain, verify
from purposebind.ledger.errors import LedgerError
from purposebind.ledger.folder import Folder
from purposebind.ledger.key import Key
from purposebind.ledger.reading import read_segment
from purposebind.ledger.retention import Dropped, drop_before


def _ledger(path: Path) -> Folder:
    """A batch of the days 0 and 1, a batch of the days 2 and 9, and the segments of the days 3, 4 and 10."""
    folder = Folder(path)
    folder.make()
    for identifier, day in zip(IDS, (0, 1, 2, 9, 3, 4, 10), strict=False):
        close_one(folder, identifier, day)
    compact_some(folder, "early", IDS[:2])
    compact_some(folder, "mixed", IDS[2:4])
    return folder


def _files(folder: Folder) -> set[str]:
    found = (path for path in folder.path.rglob("*") if path.is_file())
    return {str(path.relative_to(folder.path)) for path in found} - {"chain.jsonl", "chain.lock"}


KEPT = {
    f"closed/{IDS[6]}.seg",
    "parquet/mixed/names.parquet",
    "parquet/mixed/p=0/a.parquet",
    "parquet/mixed/p=15/b.parquet",
}


def _drop(folder: Folder, moment: datetime = FIRST_DAY + timedelta(days=5)) -> Dropped:
    return drop_before(folder, moment, "dpo", "kept for a week", KEY)


def _is_done(folder: Folder) -> None:
    assert _files(folder) == KEPT
    verdict = verify(folder, Chain(folder).head(), KEY)
    assert verdict.problems == []
    assert [(gap.signed, gap.segments, gap.batches) for gap in verdict.gaps] == [(True, 2, 1)]


def test_what_lies_before_the_moment_is_gone_and_signed_for(tmp_path: Path) -> None:
    """Data that had to be deleted would stay, or an auditor would find a hole that nobody answers for."""
    folder = _ledger(tmp_path / "ledger")
    head = Chain(folder).head()
    assert _drop(folder) == Dropped([IDS[4], IDS[5]], ["early"])
    _is_done(folder)
    assert verify(folder, head, KEY).ok
    (gap,) = verify(folder).gaps
    assert gap.before == "2026-01-06T00:00:00.000000+00:00"
    assert (gap.by, gap.reason, gap.signed) == ("dpo", "kept for a week", None)


def test_dropping_again_drops_nothing_and_says_nothing(tmp_path: Path) -> None:
    """Each night's run would add a line for nothing."""
    folder = _ledger(tmp_path / "ledger")
    _drop(folder)
    head = Chain(folder).head()
    assert _drop(folder) == Dropped([], [])
    assert Chain(folder).head() == head
    _is_done(folder)


@pytest.mark.parametrize("moment", [FIRST_DAY - timedelta(days=1), datetime(1, 1, 1, tzinfo=timezone.utc)])
def test_nothing_lies_before_the_first_record(tmp_path: Path, moment: datetime) -> None:
    """A wrong year would cost the ledger."""
    folder = _ledger(tmp_path / "ledger")
    before = _files(folder)
    assert _drop(folder, moment) == Dropped([], [])
    assert _files(folder) == before


def test_everything_lies_before_the_end_of_time(tmp_path: Path) -> None:
    """Who gives up a ledger could not do so in order."""
    folder = _ledger(tmp_path / "ledger")
    assert _drop(folder, datetime(9999, 12, 31, tzinfo=timezone.utc)) == Dropped(IDS[4:7], ["early", "mixed"])
    assert _files(folder) == set()
    assert verify(folder, key=KEY).ok


def test_the_moment_itself_is_kept(tmp_path: Path) -> None:
    """A read at midnight belongs to the day that is kept."""
    folder = Folder(tmp_path / "ledger")
    folder.make()
    close_one(folder, IDS[0])
    (entry,) = Chain(folder).entries()
    last = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=entry["until"] // 1000)
    assert entry["until"] % 1000 == 0
    assert _drop(folder, last) == Dropped([], [])
    elsewhere = (last + timedelta(microseconds=1)).astimezone(timezone(timedelta(hours=-11)))
    assert _drop(folder, elsewhere) == Dropped([IDS[0]], [])
    assert verify(folder, key=KEY).ok


def test_a_segment_is_dropped_with_its_batch_and_not_before(tmp_path: Path) -> None:
    """The raw segments that somebody kept would tell what had to be forgotten."""
    folder = Folder(tmp_path / "ledger")
    folder.make()
    close_one(folder, IDS[0], 0)
    close_one(folder, IDS[1], 8)
    compact_some(folder, "mixed", IDS[:2], keep=True)
    assert _drop(folder) == Dropped([], [])
    assert _drop(folder, FIRST_DAY + timedelta(days=20)) == Dropped([], ["mixed"])
    assert _files(folder) == set()
    assert verify(folder, key=KEY).ok


def test_what_is_being_written_is_never_dropped(tmp_path: Path) -> None:
    """A service would die of the file that is taken away under it."""
    folder = Folder(tmp_path / "ledger")
    folder.make()
    path = make.segment([*make.names(), make.read()], folder.open / f"{IDS[0]}.seg", 9999)
    assert _drop(folder, datetime(9999, 1, 1, tzinfo=timezone.utc)) == Dropped([], [])
    assert len(read_segment(path).reads) == 1


def test_a_segment_whose_last_step_of_closing_was_missed_is_dropped_where_it_is(tmp_path: Path) -> None:
    """Dropped data would stay in the folder of open segments."""
    folder = Folder(tmp_path / "ledger")
    folder.make()
    close_one(folder, IDS[0])
    path = folder.closed / f"{IDS[0]}.seg"
    path.rename(folder.open / path.name)
    assert _drop(folder) == Dropped([IDS[0]], [])
    assert _files(folder) == set()


@pytest.mark.parametrize(
    ("moment", "by", "reason", "why"),
    [
        (datetime(2026, 1, 1), "dpo", "x", "the time zone is missing"),
        (FIRST_DAY, " ", "x", "say who"),
        (FIRST_DAY, "dpo", "", "and why"),
    ],
)
def test_nobody_drops_anything_without_saying_who_and_why(
    tmp_path: Path, moment: datetime, by: str, reason: str, why: str
) -> None:
    """The gap would be signed off by nobody."""
    folder = _ledger(tmp_path / "ledger")
    before = _files(folder)
    with pytest.raises(LedgerError, match=why):
        drop_before(folder, moment, by, reason, KEY)
    assert _files(folder) == before


def test_a_damaged_chain_drops_nothing(tmp_path: Path) -> None:
    """Files would be deleted by what a forged line says of them."""
    folder = _ledger(tmp_path / "ledger")
    folder.chain.write_bytes(folder.chain.read_bytes().replace(b'"records":', b'"records":1', 1))
    before = _files(folder)
    with pytest.raises(LedgerError, match=r"Line 1 of .* was altered"):
        _drop(folder)
    assert _files(folder) == before


def test_a_gap_signed_with_another_key_does_not_pass(tmp_path: Path) -> None:
    """Anybody could sign."""
    folder = _ledger(tmp_path / "ledger")
    drop_before(folder, FIRST_DAY + timedelta(days=5), "dpo", "x", Key(bytes(32)))
    assert verify(folder).ok
    (problem,) = verify(folder, key=KEY).problems
    assert "was signed by another key" in problem.what


@pytest.mark.parametrize("in_the_middle", [False, True], ids=["between steps", "in the middle of a write"])
def test_killed_at_any_step_it_is_finished_by_the_next(tmp_path: Path, in_the_middle: bool) -> None:
    """Data would be gone that nobody signed for, or stay although somebody did, for ever."""
    at = 0
    while True:
        folder = _ledger(tmp_path / f"ledger{at}")
        all_files = _files(folder)
        was_killed = killed(partial(_drop, folder), at, in_the_middle=in_the_middle)
        signed = [entry for entry in _whole(folder) if entry["is"] == "dropped"]
        if not signed:
            assert _files(folder) == all_files
        assert _files(folder) >= KEPT
        places = {problem.place.partition("/")[0] for problem in verify(folder, key=KEY).problems}
        assert places <= {"closed", "parquet", "chain.jsonl line 10"}
        if not was_killed:
            break
        _drop(folder)
        _is_done(folder)
        at += 1
    _is_done(folder)
    assert at > 15


def _whole(folder: Folder) -> list[dict[str, object]]:
    return list(Chain(folder).entries())


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
@pytest.mark.parametrize("short", [False, True], ids=["fails", "short write"])
def test_failing_at_any_step_it_is_finished_by_the_next(tmp_path: Path, error: int, short: bool) -> None:
    """The same, where the disk is full or broken for a moment."""
    at = 0
    while True:
        folder = _ledger(tmp_path / f"ledger{at}")
        with failing(at, error, short=short) as steps, contextlib.suppress(LedgerError):
            _drop(folder)
        if steps.done <= at:
            break
        assert _files(folder) >= KEPT
        _drop(folder)
        _is_done(folder)
        at += 1
    _is_done(folder)
    assert at > 15


def test_two_processes_drop_the_same_once(tmp_path: Path) -> None:
    """Two nightly runs would sign for the same gap twice."""
    folder = _ledger(tmp_path / "ledger")
    processes = [in_a_process(lambda: _drop(folder)) for _ in range(6)]
    assert [os.waitpid(process, 0)[1] for process in processes] == [0] * 6
    _is_done(folder)
