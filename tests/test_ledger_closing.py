"""Closing a segment: exactly once, whatever happens in between."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import signal
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import segments as make
from hypothesis import given, settings
from hypothesis import strategies as st
from interrupted import failing, in_a_process, killed

from purposebind.ledger import closing
from purposebind.ledger.chain import Chain, verify
from purposebind.ledger.closing import close_abandoned, close_segment
from purposebind.ledger.errors import LedgerError
from purposebind.ledger.folder import Folder
from purposebind.ledger.reading import read_segment
from purposebind.ledger.records import HEADER_BYTES, RECORD_BYTES

IDS = [digit * 32 for digit in "abcdef"]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "ledger")
    made.make()
    return made


def _written(folder: Folder, identifier: str = IDS[0], reads: int = 5, spare: int = 10_000) -> Path:
    """A segment as a process that was killed leaves it: allocated in full, and locked by nobody."""
    records = [*make.names(), make.opened(2_000_000), *map(make.read, range(reads)), make.mark(3_000_000)]
    size = HEADER_BYTES + RECORD_BYTES * len(records) + spare
    return make.segment(records, folder.open / f"{identifier}.seg", size)


def _lines(folder: Folder) -> list[str]:
    return [entry["segment"] for entry in Chain(folder).entries()]


def _closed_once(folder: Folder, identifier: str = IDS[0], reads: int = 5) -> None:
    assert _lines(folder).count(identifier) == 1
    assert not (folder.open / f"{identifier}.seg").exists()
    data = read_segment(folder.closed / f"{identifier}.seg")
    assert (len(data.reads), data.damage) == (reads, [])
    assert verify(folder).problems == []


# --- What closing does -----------------------------------------------------------------------------------------------


def test_a_closed_segment_is_cut_to_its_records_and_described_in_the_chain(folder: Folder) -> None:
    """A ledger would fill the disk with zeros, and nobody could say what a segment was like when it was closed."""
    path = _written(folder)
    records = (path.stat().st_size - 10_000 - HEADER_BYTES) // RECORD_BYTES
    assert close_segment(folder, path)
    data = (folder.closed / path.name).read_bytes()
    assert len(data) == HEADER_BYTES + RECORD_BYTES * records
    (entry,) = Chain(folder).entries()
    told = {key: value for key, value in entry.items() if key not in ("at", "hash")}
    assert told == {
        "n": 0,
        "prev": "0" * 64,
        "is": "segment",
        "segment": IDS[0],
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "records": records,
        "writer": "b" * 32,
        "key": "0" * 16,
        "wall": make.WALL,
        "until": make.WALL + 2_000_000,
    }
    _closed_once(folder)


def test_the_latest_time_in_a_segment_is_that_of_a_whole_record(folder: Folder) -> None:
    """A damaged time far in the future would keep a segment for ever; one that was missed would drop it too early."""
    torn = bytearray(make.mark(1 << 50))
    torn[20] ^= 1
    records = [make.lost(1, 9_000_000), bytes(torn), make.closed(8_000_000), make.opened(5), make.mark(1 << 50)[:40]]
    close_segment(folder, make.segment([*make.names(), *records], folder.open / f"{IDS[0]}.seg"))
    close_segment(folder, make.segment([make.denial(7_000_000)], folder.open / f"{IDS[1]}.seg"))
    close_segment(folder, make.segment([], folder.open / f"{IDS[2]}.seg", 9999))
    latest = [entry["until"] - make.WALL + make.CREATED for entry in Chain(folder).entries()]
    assert latest == [9_000_000, 7_000_000, make.CREATED]
    assert [entry["records"] for entry in Chain(folder).entries()] == [len(make.names()) + 5, 1, 0]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_segment_is_described_by_the_letter_of_its_format(data: st.DataObject) -> None:
    """Retention would drop what is too young, or keep for ever what a damaged record dates into the future."""
    times = st.integers(0, 1 << 40)
    makers = [make.mark, make.closed, make.opened, make.denial, partial(make.lost, 3), make.read]
    one = st.one_of(*[st.builds(maker, times) for maker in makers], st.just(bytes(RECORD_BYTES)))
    content = bytearray(b"".join(data.draw(st.lists(one, max_size=30))))
    for _ in range(data.draw(st.integers(0, 3)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(closing, "_STEP", RECORD_BYTES * data.draw(st.integers(1, 9)))
        folder = Folder(place)
        folder.make()
        path = make.segment([bytes(content)], folder.open / f"{IDS[0]}.seg", HEADER_BYTES + len(content) + 99)
        slow = make.slowly(path)
        close_segment(folder, path)
        (entry,) = Chain(folder).entries()
    assert entry["until"] == make.WALL + slow.latest - make.CREATED
    places = [bytes(content)[at : at + RECORD_BYTES] for at in range(0, len(content), RECORD_BYTES)]
    assert entry["records"] == sum(one[0] != 0 for one in places)
    used = len(bytes(content).rstrip(b"\0"))
    assert entry["bytes"] == HEADER_BYTES + -(-used // RECORD_BYTES) * RECORD_BYTES


def test_closing_twice_is_closing_once(folder: Folder) -> None:
    """A segment would stand in the chain twice, and a verifier would take the ledger for a forgery."""
    path = _written(folder)
    assert close_segment(folder, path)
    assert close_segment(folder, path)
    descriptor = os.open(folder.closed / path.name, os.O_RDWR)
    assert close_segment(folder, path, descriptor)
    os.close(descriptor)
    assert close_abandoned(folder) == []
    _closed_once(folder)


def test_a_segment_that_was_never_begun_is_removed(folder: Folder) -> None:
    """Processes that are killed when they start would leave files that nobody can read, for ever."""
    path = folder.open / f"{IDS[0]}.seg"
    path.write_bytes(bytes(50_000))
    (folder.open / f"{IDS[1]}.seg").write_bytes(b"")
    assert close_abandoned(folder) == []
    assert list(folder.open.iterdir()) == []
    assert _lines(folder) == []


def test_a_segment_without_a_header_is_kept_if_anything_was_written(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    """Records would be deleted because the disk lost the block before them."""
    before = time.time_ns()
    path = _written(folder)
    path.write_bytes(bytes(HEADER_BYTES) + path.read_bytes()[HEADER_BYTES:])
    assert close_abandoned(folder) == [IDS[0]]
    (entry,) = Chain(folder).entries()
    assert (entry["writer"], entry["key"], entry["wall"]) == ("", "", 0)
    assert before <= entry["until"] <= time.time_ns()
    assert "is closed as it is: its header was never written" in caplog.text
    assert verify(folder).ok


@pytest.mark.parametrize("size", [1, 100, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 7])
def test_a_segment_that_was_cut_is_closed_as_it_is(folder: Folder, size: int) -> None:
    """What a disk left of a segment would lie about unguarded."""
    path = _written(folder)
    os.truncate(path, size)
    assert close_abandoned(folder) == [IDS[0]]
    assert (folder.closed / path.name).stat().st_size == size
    assert verify(folder).ok


def test_the_copy_of_a_segment_is_not_closed(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    """A backup copied back under another name would count everybody in it twice."""
    path = _written(folder)
    (folder.open / f"{IDS[1]}.seg").write_bytes(path.read_bytes())
    assert close_abandoned(folder) == [IDS[0]]
    assert f"it is a copy of segment {IDS[0]}" in caplog.text
    path.write_bytes((folder.closed / path.name).read_bytes())
    assert close_abandoned(folder) == []
    assert "there is a closed one of that name" in caplog.text
    assert [problem.place for problem in verify(folder).problems] == [f"open/{path.name}"]


def test_a_file_with_a_name_of_its_own_is_left_alone(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    """What somebody put there would get into the chain under a name that is no id."""
    make.segment([], folder.open / "my copy.seg")
    (folder.open / "notes.txt").write_text("x")
    assert close_abandoned(folder) == []
    assert "its name is not the id of a segment" in caplog.text
    assert len(list(folder.open.iterdir())) == 2


def test_folders_that_a_backup_left_out_are_made(folder: Folder) -> None:
    """Git and some backups keep no empty folder: nothing could be closed in a ledger that was restored."""
    path = _written(folder)
    folder.closed.rmdir()
    assert close_segment(folder, path)
    _closed_once(folder)


# --- Who is alive ----------------------------------------------------------------------------------------------------


def _holding(path: Path) -> int:
    """A process that writes to a segment, and does not end."""
    ready, say = os.pipe()

    def hold() -> None:
        descriptor = os.open(path, os.O_RDWR)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(say, b"x")
        time.sleep(100)

    process = in_a_process(hold)
    os.read(ready, 1)
    os.close(ready)
    os.close(say)
    return process


def test_a_segment_whose_writer_is_alive_is_left_alone(folder: Folder) -> None:
    """Cutting the file under a writer kills it with SIGBUS."""
    path, other = _written(folder), _written(folder, IDS[1])
    process = _holding(path)
    try:
        before = path.read_bytes()
        assert close_abandoned(folder) == [other.stem]
        with pytest.raises(LedgerError, match="a process is writing to it"):
            close_segment(folder, path)
        assert path.read_bytes() == before
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    assert close_abandoned(folder) == [path.stem]
    assert close_abandoned(folder) == []
    _closed_once(folder)


def test_a_segment_in_the_making_is_left_alone(folder: Folder) -> None:
    """A service would not start because a compaction removed its segment just then."""
    made, locked, old = (folder.open / f"{identifier}.new" for identifier in IDS[:3])
    for path in (made, old):
        path.touch()
    os.utime(old, (0, 0))
    locked.write_bytes(bytes(9))
    process = _holding(locked)
    try:
        close_abandoned(folder)
        assert sorted(folder.open.iterdir()) == [made, locked]
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    close_abandoned(folder)
    assert list(folder.open.iterdir()) == [made]


def test_many_processes_close_the_same_segments_once(folder: Folder) -> None:
    """Two that clean up at once would put a segment into the chain twice, or one over the other's line."""
    identifiers = [f"{number:032x}" for number in range(30)]
    for identifier in identifiers:
        _written(folder, identifier)
    gate = folder.path.with_name("gate")

    def close() -> None:
        while not gate.exists():
            time.sleep(0.001)
        for path in sorted(folder.open.iterdir(), key=lambda _: os.urandom(4)):
            if os.urandom(1)[0] < 128:
                close_abandoned(folder)
            with contextlib.suppress(LedgerError):  # one that another process closes just now
                close_segment(folder, path)

    processes = [in_a_process(close) for _ in range(8)]
    gate.touch()
    assert [os.waitpid(process, 0)[1] for process in processes] == [0] * 8
    close_abandoned(folder)
    assert sorted(_lines(folder)) == identifiers
    assert verify(folder).problems == []


def test_a_forked_process_does_not_keep_the_lock_of_the_chain(folder: Folder) -> None:
    """A worker forked while a segment is closed would stop all processes from closing any, as long as it lives."""
    path = _written(folder)
    with folder.locked():
        process = in_a_process(lambda: time.sleep(100))
    try:
        started = time.monotonic()
        closer = in_a_process(lambda: close_segment(folder, path))
        while os.waitpid(closer, os.WNOHANG)[0] == 0:
            assert time.monotonic() - started < 20
            time.sleep(0.01)
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    _closed_once(folder)


def test_a_thread_that_has_the_lock_may_close_segments(folder: Folder) -> None:
    """A compaction that closes what it finds would wait for itself."""
    path = _written(folder)
    with folder.locked(), Folder(folder.path).locked():
        close_segment(folder, path)
    _closed_once(folder)


# --- Interrupted at every step ---------------------------------------------------------------------------------------


def _close_with_descriptor(folder: Folder, path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        close_segment(folder, path, descriptor)
    finally:
        os.close(descriptor)


WAYS: dict[str, Callable[[Folder, Path], object]] = {
    "by path": close_segment,
    "by its writer": _close_with_descriptor,
    "abandoned": lambda folder, path: close_abandoned(folder),
}


@pytest.mark.parametrize("in_the_middle", [False, True], ids=["between steps", "in the middle of a write"])
@pytest.mark.parametrize("before", [0, 2], ids=["first line", "third line"])
@pytest.mark.parametrize("way", WAYS)
def test_killed_at_any_step_it_is_finished_by_the_next(
    tmp_path: Path, way: str, before: int, in_the_middle: bool
) -> None:
    """A segment would be lost, cut short, or in the chain twice, for ever."""
    at = 0
    while True:
        folder = Folder(tmp_path / f"ledger{at}")
        folder.make()
        for number in range(before):
            close_segment(folder, _written(folder, f"{number:032x}"))
        path = _written(folder)
        was_killed = killed(partial(WAYS[way], folder, path), at, in_the_middle=in_the_middle)
        where = [place for place in (folder.open, folder.closed) if (place / path.name).exists()]
        assert len(where) == 1
        assert len(read_segment(where[0] / path.name).reads) == 5
        verdict = verify(folder)
        assert [problem.place for problem in verdict.problems] in ([], [f"chain.jsonl line {before + 1}"])
        if not was_killed:
            break
        again = close_abandoned(folder)
        assert again == ([path.stem] if where[0] == folder.open else [])
        _closed_once(folder)
        assert len(_lines(folder)) == before + 1
        at += 1
    _closed_once(folder)
    assert at > 9


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
@pytest.mark.parametrize("short", [False, True], ids=["fails", "short write"])
@pytest.mark.parametrize("before", [0, 2], ids=["first line", "third line"])
@pytest.mark.parametrize("way", WAYS)
def test_failing_at_any_step_it_is_finished_by_the_next(
    tmp_path: Path, way: str, before: int, error: int, short: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that is full for a moment would cost a segment, or leave a line of the chain that is half there."""
    caplog.set_level(logging.CRITICAL)
    at = 0
    while True:
        folder = Folder(tmp_path / f"ledger{at}")
        folder.make()
        for number in range(before):
            close_segment(folder, _written(folder, f"{number:032x}"))
        path = _written(folder)
        # The first step of the second way is the test's own.
        with failing(at, error, short=short) as steps, contextlib.suppress(LedgerError, *[OSError] * (at == 0)):
            WAYS[way](folder, path)
        assert verify(folder).problems == []
        if steps.done <= at:
            break
        where = [place for place in (folder.open, folder.closed) if (place / path.name).exists()]
        assert len(where) == 1
        assert len(read_segment(where[0] / path.name).reads) == 5
        close_abandoned(folder)
        _closed_once(folder)
        assert len(_lines(folder)) == before + 1
        at += 1
    _closed_once(folder)
    assert at > 12
