"""Compaction changes no answer: not when it is done, not while it is done, not when it is killed over it."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Annotated, Any

import duckdb
import pytest
import segments
from interrupted import failing, in_a_process, killed
from ledger_model import KEY, PEOPLE, START, Model

from purposebind import AllowedFor, Purpose, PurposeModel, SubjectId, configure, purpose_scope
from purposebind.ledger import Ledger, batch, compaction
from purposebind.ledger.chain import Chain, verify
from purposebind.ledger.closing import close_abandoned, close_segment
from purposebind.ledger.compaction import compact
from purposebind.ledger.errors import LedgerError
from purposebind.ledger.folder import Folder
from purposebind.ledger.questions import Questions
from purposebind.ledger.records import HEADER_BYTES
from purposebind.ledger.retention import drop_before


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """Three segments, two of which are closed."""
    made = Model(Folder(tmp_path / "ledger"), Random(11))
    made.segment(25)
    made.segment(25)
    close_abandoned(made.folder)
    made.segment(25)
    return made


def answers(folder: Folder) -> list[Any]:
    with Questions([folder]) as asked:
        return [asked.affected(), asked.matrix(), asked.activities(), asked.lost(), asked.subject(1, KEY)]


def counts(folder: Folder) -> list[Any]:
    with Questions([folder]) as asked:
        return [asked.affected(), asked.subject(1, KEY)]


def left_over(folder: Folder) -> list[str]:
    return sorted(os.listdir(folder.tmp))


def test_no_answer_changes(model: Model) -> None:
    """Who was told a number yesterday would hear another one today."""
    before = answers(model.folder)
    assert before[0].reads == len(model.events)
    done = compact(model.folder)
    assert done is not None
    assert (len(done.batches), done.segments) == (1, 3)
    assert answers(model.folder) == before
    assert verify(model.folder).ok
    assert not os.listdir(model.folder.closed)
    assert not left_over(model.folder)


def test_there_may_be_nothing_to_do(tmp_path: Path, model: Model) -> None:
    """A job that runs at night would fail where nothing happened by day."""
    (tmp_path / "empty").mkdir()
    assert compact(Folder(tmp_path / "empty")) is None
    compact(model.folder)
    assert compact(model.folder) is None


def test_segments_may_be_kept(model: Model) -> None:
    """They would be counted beside the batch that was made of them."""
    before = answers(model.folder)
    compact(model.folder, keep_segments=True)
    assert len(os.listdir(model.folder.closed)) == 3
    assert answers(model.folder) == before
    assert compact(model.folder, keep_segments=True) is None
    assert len(os.listdir(model.folder.closed)) == 3
    assert compact(model.folder) is None
    assert not os.listdir(model.folder.closed)
    assert answers(model.folder) == before
    assert verify(model.folder).ok


def test_memory_is_bounded_by_several_batches(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that records all day would need more memory for its compaction than the machine has."""
    monkeypatch.setattr(compaction, "BATCH_RECORDS", 1)
    before = answers(model.folder)
    told: list[tuple[int, int]] = []
    done = compact(model.folder, watch=lambda done, of: told.append((done, of)))
    assert done is not None
    assert len(set(done.batches)) == 3
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert done.records == sum(entry["records"] for entry in Chain(model.folder).entries() if entry["is"] == "segment")
    assert answers(model.folder) == before


def test_another_engine_reads_the_batch_where_it_lies(model: Model) -> None:
    """A fleet's ledgers could be asked by nothing but this library; and a person's number would be a rounded one."""
    compact(model.folder)
    reads = f"'{model.folder.parquet}/*/p=*/*.parquet'"
    with duckdb.connect() as engine:
        shape = {name: kind for name, kind, *_ in engine.execute(f"DESCRIBE FROM {reads}").fetchall()}
        assert shape == {
            "what": "UBIGINT",
            "activity": "UBIGINT",
            "subject_hi": "UBIGINT",
            "subject_lo": "UBIGINT",
            "times": "UBIGINT",
            "first": "TIMESTAMP",
            "last": "TIMESTAMP",
            "p": "BIGINT",
        }
        people = engine.execute(f"SELECT DISTINCT subject_hi, subject_lo, p FROM {reads}").fetchall()
        known = {(hi, lo) for hi, lo, _ in people if hi is not None}
        hashed = [KEY.person(one) for one in PEOPLE]
        assert known == {(int.from_bytes(one[:8], "big"), int.from_bytes(one[8:], "big")) for one in hashed}
        assert all(p == (hi or 0) >> 60 for hi, _, p in people)
        rows = engine.execute(
            f"SELECT sum(times) FROM {reads} JOIN '{model.folder.parquet}/*/names.parquet' USING (what) "
            "WHERE decision = 'denied' AND field = 'Account.phone'"
        ).fetchall()
    wanted = [one for one in model.events if (one.decision, one.field) == ("denied", "Account.phone")]
    assert rows == [(len(wanted),)]


@pytest.mark.parametrize("keep", [False, True])
def test_killed_at_any_step_nothing_is_lost_or_doubled(model: Model, tmp_path: Path, keep: bool) -> None:
    """A machine that goes down at night would leave people counted twice, or not at all."""
    before = counts(model.folder)
    at, every = 0, 1 if not keep else 5
    while True:
        place = Folder(tmp_path / f"at-{at}")
        shutil.copytree(model.folder.path, place.path)
        if not killed(lambda place=place: compact(place, keep_segments=keep), at):
            break
        assert counts(place) == before, at
        compact(place)
        assert counts(place) == before, at
        verdict = verify(place)
        assert verdict.ok, (at, verdict.problems)
        assert not left_over(place)
        assert not os.listdir(place.closed)
        shutil.rmtree(place.path)
        at += every
    assert at > 30


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_step_that_fails_is_an_error_and_no_loss(model: Model, tmp_path: Path, error: int) -> None:
    """A full disk would end in a traceback, or in a batch that is half there."""
    before = counts(model.folder)
    said: list[str] = []
    for at in range(0, 1000, 11):
        place = Folder(tmp_path / f"at-{at}")
        shutil.copytree(model.folder.path, place.path)
        with failing(at, error) as steps:
            try:
                compact(place)
            except LedgerError as problem:
                said.append(str(problem))
        assert counts(place) == before, at
        compact(place)
        assert counts(place) == before, at
        assert verify(place).ok
        shutil.rmtree(place.path)
        if steps.done <= at:
            break
    assert len(said) > 3
    assert all(os.strerror(error) in one for one in said)


def test_two_at_once_compact_each_segment_once(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines that share a folder would make two batches of one segment."""
    monkeypatch.setattr(compaction, "BATCH_RECORDS", 1)
    before = answers(model.folder)
    for process in [in_a_process(lambda: compact(model.folder)) for _ in range(3)]:
        assert os.waitpid(process, 0)[1] == 0
    made = [segment for e in Chain(model.folder).entries() if e["is"] == "compaction" for segment in e["segments"]]
    assert sorted(made) == sorted(set(made))
    assert len(made) == 3
    assert answers(model.folder) == before
    assert verify(model.folder).ok


def test_what_is_asked_meanwhile_has_everything_once(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that is made while the night's compaction runs would show other numbers than the next one."""
    monkeypatch.setattr(compaction, "BATCH_RECORDS", 1)
    for _ in range(6):
        model.segment(15)
    close_abandoned(model.folder)
    problems: list[BaseException] = []

    def run() -> None:
        try:
            compact(model.folder)
        except BaseException as problem:
            problems.append(problem)

    with Questions([model.folder]) as asked:
        before = asked.affected()
        assert before.reads == len(model.events)
        thread = threading.Thread(target=run)
        thread.start()
        times = 0
        while thread.is_alive() or not times:
            assert asked.affected() == before
            times += 1
        thread.join()
        assert asked.affected() == before
    assert not problems


TWO_FACTOR = Purpose("compaction_test", "Send a login code")


class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]


def test_writers_go_on_while_segments_are_compacted(tmp_path: Path) -> None:
    """A service would have to be stopped for it; or its reads would be missing."""
    folder = Folder(tmp_path / "ledger")
    writers, reads = 2, 4000
    ready, go = os.pipe()

    def write(first: int) -> None:
        os.read(ready, 1)
        small = HEADER_BYTES + 48 * 200
        with Ledger(folder.path, segment_bytes=small, interval=0.02) as ledger, configure(ledger=ledger):
            for number in range(first, first + reads):
                account = Account(id=number, phone="1")
                with purpose_scope(TWO_FACTOR):
                    assert account.phone == "1"

    with Ledger(folder.path) as ledger:
        ledger.recorder().close()  # makes the key, and the folder
    processes = [in_a_process(lambda first=first: write(first)) for first in (0, reads // 2)]
    os.write(go, b"x" * writers)
    seen, ended = [0], 0
    with Questions([folder]) as asked:
        while ended < writers:
            compact(folder)
            seen.append(asked.affected().reads)
            for process in list(processes):
                if os.waitpid(process, os.WNOHANG)[0]:
                    processes.remove(process)
                    ended += 1
        compact(folder)
        assert asked.affected().reads == writers * reads
        assert asked.affected().people == reads + reads // 2
    assert seen == sorted(seen)
    assert verify(folder).ok
    os.close(ready)
    os.close(go)


def test_what_retention_drops_meanwhile_stays_dropped(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody signed to have removed would be back, in a batch that the chain cannot explain."""
    close_abandoned(model.folder)
    until = [entry["until"] for entry in Chain(model.folder).entries()]
    moment = START + timedelta(microseconds=(until[0] // 1000) - int(START.timestamp()) * 1_000_000 + 1)
    write = batch.Batch.write
    dropped = []

    def written(self: Any, place: Path) -> list[Path]:
        files = write(self, place)
        if not dropped:
            dropped.append(drop_before(model.folder, moment, "a test", "it is old", KEY))
        return files

    monkeypatch.setattr(batch.Batch, "write", written)
    done = compact(model.folder)
    assert len(dropped[0].segments) == 1
    assert done is not None
    assert done.segments == 2
    verdict = verify(model.folder, key=KEY)
    assert verdict.ok, verdict.problems
    assert not left_over(model.folder)


def test_a_segment_that_cannot_be_read_stays_and_is_told(model: Model) -> None:
    """The only trace of what was destroyed would be removed by a nightly job."""
    path = next(path for path in sorted(model.folder.closed.iterdir()))
    with open(path, "r+b") as file:
        file.write(b"\xff" * 100)
    assert compact(model.folder) is not None
    assert [one.name for one in model.folder.closed.iterdir()] == [path.name]
    with Questions([model.folder]) as asked:
        (told,) = asked.damage()
        assert told.segment == path.stem
        assert "header" in told.what
    assert compact(model.folder) is None


def test_what_a_killed_compaction_left_is_removed_and_nothing_else(model: Model) -> None:
    """The disk would fill up with half-made batches; or somebody else's work in progress would vanish."""
    model.folder.make()
    (model.folder.tmp / "compacting-x").mkdir()
    (model.folder.tmp / "dropped-y").mkdir()
    (model.folder.parquet / "unknown").mkdir()
    (model.folder.parquet / "unknown" / "names.parquet").write_bytes(b"PAR1")
    compact(model.folder)
    assert left_over(model.folder) == ["dropped-y"]
    assert len(os.listdir(model.folder.parquet)) == 1


def test_it_needs_a_ledger(tmp_path: Path) -> None:
    """A mistyped path would make a new, empty ledger there, and report success."""
    with pytest.raises(LedgerError, match="There is no ledger at"):
        compact(Folder(tmp_path / "nowhere"))
    (tmp_path / "something.txt").write_text("else")
    with pytest.raises(LedgerError, match="holds something else"):
        compact(Folder(tmp_path))


def test_a_folder_that_cannot_be_written_is_one_line(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """The night's job would leave a traceback instead of a reason."""

    def refuse(*_: Any, **__: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", "x")

    monkeypatch.setattr(compaction.os, "open", refuse)
    with pytest.raises(LedgerError, match="cannot be compacted: Permission denied"):
        compact(model.folder)


def test_what_was_altered_is_not_laundered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The batch would carry a fresh hash: whoever altered a segment would only have to wait for the next compaction."""
    folder = Folder(tmp_path / "ledger")
    folder.make()
    whole, altered = (f"{letter}" * 32 for letter in "ab")
    for name in (whole, altered):
        records = [*segments.names(), segments.opened(2_000_000), segments.read(1)]
        assert close_segment(folder, segments.segment(records, folder.open / f"{name}.seg"))
    place = folder.closed / f"{altered}.seg"
    place.write_bytes(place.read_bytes().replace(segments.person(1), segments.person(2)))

    made = compact(folder)
    assert made is not None
    assert made.segments == 1, "the whole one is compacted all the same"
    assert place.exists()
    assert str(place) in caplog.text
    verdict = verify(folder)
    assert not verdict.ok
    assert altered in str(verdict.problems)
    assert compact(folder) is None
