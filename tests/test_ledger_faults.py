"""The disk is full, read-only, broken or gone: reads are refused as what they are, or let through and counted.

- **R12** What cannot be recorded is refused by `NotRecorded`, a `PurposeViolation`, by every road.
"""

from __future__ import annotations

import copy
import errno
import json
import logging
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi.encoders import jsonable_encoder
from ledger_rows import KEY, Rows, rows
from purposes import ADVERTISING, SECURITY, TWO_FACTOR
from read_paths.reads import READS
from read_paths.subjects import ORIGINS

from purposebind import (
    AllowedFor,
    PurposeModel,
    PurposeViolation,
    Sealed,
    SubjectId,
    configure,
    purpose_scope,
    requires_purpose,
)
from purposebind import recording as core_recording
from purposebind.errors import NotRecorded, Reason
from purposebind.ledger import LedgerError
from purposebind.ledger import segment as segments
from purposebind.ledger.closing import close_abandoned
from purposebind.ledger.folder import Folder
from purposebind.ledger.recorder import Recorder

PLACES = 64


class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(SECURITY)] = "+1"
    codes: Annotated[tuple[str, ...], AllowedFor(SECURITY)] = ()

    @cached_property
    def dialled(self) -> str:
        return "tel:" + self.phone


class Recorded:
    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.options = {"segment_bytes": 4096 + 48 * PLACES, "interval": 3600, **options}
        self.made = Recorder(Folder(folder), KEY, **self.options)

    def recorder(self) -> Recorder:
        return self.made

    def fill(self) -> None:
        """Have the next read need a new segment."""
        segment = self.made.segment
        assert segment is not None
        segment.finish()

    def rows(self) -> Rows:
        return rows(self.folder)


@pytest.fixture(autouse=True)
def _nothing_warned_about() -> Iterator[None]:
    core_recording._warned.clear()
    yield
    core_recording._warned.clear()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Recorded]:
    recorded = Recorded(tmp_path / "ledger")
    with configure(ledger=recorded):
        yield recorded
    recorded.made.close()


def full(descriptor: int, start: int, size: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def full_disk() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(segments.os, "posix_fallocate", full)
        yield


# --- Denied -----------------------------------------------------------------------------------------------------------


def test_a_full_disk_refuses_reads_in_words_that_help(ledger: Recorded) -> None:
    """The engineer on call would look for a wrong purpose, and the disk stay full."""
    account = Account(id=1)
    with purpose_scope(SECURITY):
        account.phone
        ledger.fill()
        with full_disk(), pytest.raises(NotRecorded) as caught:
            account.phone
        error = caught.value
        assert isinstance(error, PurposeViolation)
        assert (error.field, error.reason, error.active) == ("Account.phone", Reason.NOT_RECORDED, (SECURITY,))
        assert re.sub(r":\d+ in", ":LINE in", str(error)) == (
            "Account.phone may not be read: the ledger cannot record the read.\n"
            f"  read at      {__file__}:LINE in {error.site.function if error.site else ''}\n"
            f"  because      The ledger cannot be written: No space left on device: {ledger.folder}/open\n"
            "Ways out:\n"
            "  - mend the ledger: reads go through again as soon as it can be written;\n"
            "  - or let reads through unrecorded, counted and warned about: "
            'configure(on_ledger_failure="continue").'
        )
        assert error.__context__ is None
        assert pickle.loads(pickle.dumps(error)).reason is Reason.NOT_RECORDED
        assert account.phone == "+1", "it does not recover by itself"
    assert ledger.rows().of(1) == {("Account.phone", 1): 2}
    assert ledger.rows().lost == 0


ROADS: dict[str, Callable[[Account], Any]] = {
    "attribute": lambda a: a.phone,
    "hasattr": lambda a: hasattr(a, "phone"),
    "getattr with a default": lambda a: getattr(a, "phone", None),
    "model_dump": lambda a: a.model_dump(),
    "model_dump with options": lambda a: a.model_dump(mode="json", exclude={"id"}),
    "model_dump_json": lambda a: a.model_dump_json(),
    "pickle": pickle.dumps,
    "==": lambda a: a == Account(id=1),
    "dict()": dict,
    "a derived value": lambda a: a.dialled,
    "a box": lambda a: vars(a)["phone"].open(),
    "map": lambda a: vars(a)["phone"].map(len),
    "join": lambda a: Sealed.join(lambda *_: 0, vars(a)["phone"], vars(a)["codes"]),
    "jsonable_encoder": jsonable_encoder,
    "json.dumps default=jsonable_encoder": lambda a: json.dumps(a, default=jsonable_encoder),
    "requires_purpose": lambda a: requires_purpose(SECURITY)(lambda: 1)(),
    "a match": lambda a: [value for value in [a] if isinstance(value, Account) and value.phone],
}


@pytest.mark.parametrize("road", ROADS)
def test_every_road_refuses_as_what_it_is(road: str, ledger: Recorded) -> None:
    """A service would answer with half a record, or with an error of pydantic's that nobody can catch (R12)."""
    account = Account(id=1)
    for prepared in (False, True):
        with purpose_scope(SECURITY):
            if prepared:
                account.phone, account.codes
            ledger.fill()
            with full_disk(), pytest.raises(NotRecorded) as caught:
                ROADS[road](account)
            assert type(caught.value) is NotRecorded
            ROADS[road](account)  # and the disk works


@pytest.mark.parametrize("origin", ["validated", "with a tagged list", "with a field serializer"])
def test_no_read_of_any_kind_gets_past_a_full_disk(origin: str, ledger: Recorded) -> None:
    """By some road a value would be handed out and not be in the ledger."""
    through = []
    for name, road in READS.items():
        subject = ORIGINS[origin]()
        with purpose_scope(TWO_FACTOR):
            subject.phone
            ledger.fill()
            with full_disk():
                try:
                    road(subject)
                    through.append(name)
                except NotRecorded:
                    pass
    assert through == []


@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_a_denial_stands_where_it_cannot_be_recorded(
    mode: Any, ledger: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk would open what a wrong purpose closes; what is only observed would be let out unrecorded."""
    ledger.fill()
    with configure(mode=mode), full_disk(), purpose_scope(ADVERTISING), pytest.raises(PurposeViolation) as caught:
        Account(id=1).phone
    assert (type(caught.value) is NotRecorded) == (mode == "observe")
    assert ("could not record that Account.phone was refused" in caplog.text) == (mode == "enforce")


CHILD = """
import json, os, resource, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from typing import Annotated
from purposebind import AllowedFor, Purpose, PurposeModel, SubjectId, configure, purpose_scope
from purposebind.errors import NotRecorded
from purposebind.ledger import Key, Ledger, LedgerError

HELP = Purpose("help", "Answer a question")
class Person(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(HELP)] = "p"

outcome = []
def read(number):
    try:
        Person(id=number).phone
        outcome.append("read")
    except NotRecorded as refused:
        outcome.append(refused.detail)

ledger = Ledger(sys.argv[2], key=Key(bytes(32)), segment_bytes=1 << 20, interval=3600)
exec(sys.argv[3])
sys.stdout.write(json.dumps(outcome))
"""


def child(folder: Path, code: str) -> list[str]:
    root = str(Path(core_recording.__file__).parents[1])
    command = [sys.executable, "-c", CHILD, root, str(folder), code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outcome: list[str] = json.loads(done.stdout)
    return outcome


def test_a_file_may_not_grow_any_more(tmp_path: Path) -> None:
    """A quota would kill the process with SIGXFSZ or SIGBUS, instead of refusing reads until there is room."""
    code = """
with configure(ledger=ledger), purpose_scope(HELP):
    read(1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, limits[1]))
    read(2)
    ledger.recorder().segment.finish()
    read(3)
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    read(4)
ledger.close()
"""
    assert child(tmp_path / "ledger", code) == [
        "read",
        "read",
        f"The ledger cannot be written: File too large: {tmp_path}/ledger/open",
        "read",
    ]
    assert rows(tmp_path / "ledger").of(1, 2, 3, 4) == {("Person.phone", n): 1 for n in (1, 2, 4)}


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    """A sparse file would be written to until the process dies of SIGBUS."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system may be mounted here; the full disk is made up in the other tests")
    try:
        code = """
filler = Path(sys.argv[2]).parent / "filler"
with configure(ledger=ledger), purpose_scope(HELP):
    read(1)
    filler.write_bytes(bytes(300 << 10))
    read(2)
    ledger.recorder().segment.finish()
    read(3)
    filler.unlink()
    ledger.recorder().pulse.beat(ledger.recorder())
    read(4)
ledger.close()
"""
        outcome = child(disk / "ledger", code)
        assert outcome[:2] == ["read", "read"]
        assert "No space left on device" in outcome[2]
        assert outcome[3] == "read"
        assert rows(disk / "ledger").of(1, 2, 4) == {("Person.phone", n): 1 for n in (1, 2, 4)}
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    """A service whose folder got the wrong owner would run for weeks without a record."""
    code = """
folder, root = Path(sys.argv[2]) / "open", os.getuid() == 0
with configure(ledger=ledger), purpose_scope(HELP):
    read(1)
    ledger.recorder().segment.finish()
    folder.chmod(0o500)
    if root:
        os.seteuid(65534)  # whom nothing here belongs to; root may write anywhere
    read(2)
    try:
        configure(ledger=Ledger(sys.argv[2], key=Key(bytes(32))))
    except LedgerError as error:
        outcome.append(str(error))
    if root:
        os.seteuid(0)
    folder.chmod(0o700)
    read(3)
ledger.close()
"""
    first, refused, told, last = child(tmp_path / "ledger", code)
    assert (first, last) == ("read", "read")
    assert "Permission denied" in refused
    assert "Permission denied" in told
    assert str(tmp_path) in told
    assert rows(tmp_path / "ledger").of(1, 3) == {("Person.phone", n): 1 for n in (1, 3)}


@pytest.mark.parametrize("gone", ["open", "ledger"])
def test_a_folder_that_goes_away_and_comes_back(gone: str, ledger: Recorded) -> None:
    """A volume that is mounted late, or lost for a moment, would need the service restarted."""
    account = Account(id=1)
    place = ledger.folder / "open" if gone == "open" else ledger.folder
    away = place.with_name("away")
    with purpose_scope(SECURITY):
        account.phone
        ledger.fill()
        place.rename(away)
        place.write_text("a file in its place")
        with pytest.raises(NotRecorded, match="Not a directory"):
            account.phone
        place.unlink()
        away.rename(place)
        account.phone
    assert ledger.rows().of(1) == {("Account.phone", 1): 2}


def test_configure_refuses_a_ledger_that_cannot_be_written(tmp_path: Path) -> None:
    """The service would start, and refuse the first read hours later; or what was in force before would be gone."""
    (tmp_path / "file").touch()
    from purposebind import config
    from purposebind.ledger import Ledger

    before = config.current
    with pytest.raises(LedgerError, match="cannot be made"):
        configure(ledger=Ledger(tmp_path / "file", key=KEY))
    with full_disk(), pytest.raises(LedgerError, match="No space left"):
        configure(ledger=Ledger(tmp_path / "ledger", key=KEY))
    assert config.current is before


def test_a_ledger_that_was_closed_refuses(ledger: Recorded) -> None:
    """What is read while a service stops would be recorded nowhere."""
    account = Account(id=1)
    with purpose_scope(SECURITY):
        account.phone
        ledger.made.close()
        ledger.made.close()
        for _ in range(2):
            with pytest.raises(NotRecorded, match="The ledger was closed"):
                account.phone
    assert ledger.rows().of(1) == {("Account.phone", 1): 1}


# --- The disk does not take what it was given -------------------------------------------------------------------------


def broken(descriptor: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_disk_that_breaks_gets_a_new_segment_and_is_told_of(
    ledger: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """Reads would be let through for days, and the power failure that ends them take them all."""
    account, recorder = Account(id=1), ledger.made
    with purpose_scope(SECURITY):
        account.phone
        first = recorder.segment
        assert first is not None
        assert recorder.pulse is not None
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(os, "fsync", broken)
            recorder.pulse.beat(recorder)
            assert f"segment {first.path} does not reach the disk" in caplog.text
            assert "cannot be closed; its records are there" in caplog.text
            with pytest.raises(NotRecorded, match="Input/output error"):
                account.phone
        account.phone
        assert recorder.segment is not first
    recorder.pulse.beat(recorder)
    assert ledger.rows().of(1) == {("Account.phone", 1): 2}
    assert not first.path.exists(), "it is closed once that works"
    (activity,) = ledger.rows().activities
    assert len(ledger.rows().ended[activity]) == 1


def test_a_chain_that_cannot_be_locked_loses_no_read(ledger: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    """Where segments cannot be closed, reads would be refused or lost, or the process run out of descriptors."""
    account, recorder = Account(id=1), ledger.made
    lock = ledger.folder / "chain.lock"
    lock.mkdir()
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else None
    with purpose_scope(SECURITY):
        for _ in range(30 * PLACES):
            account.phone
            if recorder.pulse is not None and len(recorder.retiring) > 3:
                recorder.pulse.beat(recorder)
    assert caplog.text.count("cannot be closed; its records are there") > 0
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) < before + 100
    assert ledger.rows().of(1) == {("Account.phone", 1): 30 * PLACES}
    lock.rmdir()
    recorder.close()
    close_abandoned(Folder(ledger.folder))
    assert list((ledger.folder / "open").glob("*.seg")) == []
    assert ledger.rows().of(1) == {("Account.phone", 1): 30 * PLACES}


def test_more_segments_than_can_be_closed_run_no_process_out_of_descriptors(ledger: Recorded) -> None:
    """A burst of reads would be refused for too many open files."""
    account = Account(id=1)
    with purpose_scope(SECURITY):
        for _ in range(150 * PLACES):
            account.phone
    assert len(ledger.made.retiring) <= 32
    ledger.made.close()
    close_abandoned(Folder(ledger.folder))
    assert ledger.rows().of(1) == {("Account.phone", 1): 150 * PLACES}
    assert list((ledger.folder / "open").glob("*.seg")) == []


def test_a_recorder_that_nobody_closed_lets_go_of_its_segment(tmp_path: Path) -> None:
    """Each ledger that a long-lived process forgets would keep a descriptor and a lock for ever."""
    import gc

    recorded = Recorded(tmp_path / "ledger")
    with configure(ledger=recorded), purpose_scope(SECURITY):
        Account(id=1).phone
    beat = recorded.made.pulse
    assert beat is not None
    beat._stopped.set()
    del recorded
    gc.collect()
    beat.join()
    del beat
    gc.collect()
    assert len(close_abandoned(Folder(tmp_path / "ledger"))) == 1
    assert rows(tmp_path / "ledger").of(1) == {("Account.phone", 1): 1}


def test_a_thread_that_cannot_be_started_loses_no_read(ledger: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit of threads, or while the interpreter ends, reads would fail."""

    def refused(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    recorder = Recorder(Folder(ledger.folder), KEY, segment_bytes=4096 + 48 * PLACES)
    other = Recorded.__new__(Recorded)
    other.made, other.folder = recorder, ledger.folder
    with configure(ledger=other), purpose_scope(SECURITY):
        for _ in range(3 * PLACES):
            Account(id=2).phone
    recorder.close()
    assert ledger.rows().of(2) == {("Account.phone", 2): 3 * PLACES}


# --- Going on without -------------------------------------------------------------------------------------------------


def test_what_is_let_through_is_counted_exactly(ledger: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    """The answer "at least so many people" would not say how many reads it does not know of."""
    account = Account(id=1)
    with configure(on_ledger_failure="continue"), purpose_scope(SECURITY):
        account.phone
        for outage in range(2):
            ledger.fill()
            with full_disk():
                for _ in range(1500):
                    assert account.phone == "+1"
                account.model_dump()
            account.phone
            assert caplog.text.count("nothing is until the ledger works") == outage + 1, "once for each outage"
    assert "No space left on device" in caplog.text
    assert ledger.rows().of(1) == {("Account.phone", 1): 3}
    assert ledger.rows().lost == 2 * (1500 + 2)


def test_what_many_threads_miss_is_counted_exactly(ledger: Recorded) -> None:
    """Two threads that count at once would count one."""
    start = threading.Barrier(8)
    people = [Account(id=number) for number in range(8)]

    def work(number: int) -> None:
        start.wait()
        with purpose_scope(SECURITY):
            for _ in range(700):
                people[number].phone

    ledger.fill()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with configure(on_ledger_failure="continue"), full_disk(), ThreadPoolExecutor(8) as executor:
            list(executor.map(work, range(8)))
    finally:
        sys.setswitchinterval(interval)
    ledger.made.close()
    assert ledger.rows().lost == 8 * 700
    assert ledger.rows().reads == []


def test_what_a_signal_handler_misses_is_counted_too(ledger: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """A count that is interrupted would be written twice, or not at all."""
    from purposebind.ledger import recorder as recorders

    account = Account(id=1)
    real = recorders.record
    interrupted = []

    def record(kind: Any, *args: Any, **options: Any) -> bytes:
        if kind == recorders.Kind.LOST and not interrupted:
            interrupted.append(1)
            with full_disk():
                ledger.fill()
                signal.raise_signal(signal.SIGUSR1)
        return real(kind, *args, **options)

    def handle(*_: Any) -> None:
        account.phone

    before = signal.signal(signal.SIGUSR1, handle)
    monkeypatch.setattr(recorders, "record", record)
    try:
        with configure(on_ledger_failure="continue"), purpose_scope(SECURITY):
            ledger.fill()
            with full_disk():
                for _ in range(5):
                    account.phone
            account.phone
    finally:
        signal.signal(signal.SIGUSR1, before)
    ledger.made.close()
    assert interrupted
    assert ledger.rows().lost == 6
    assert ledger.rows().of(1) == {("Account.phone", 1): 1}


def test_the_number_is_told_at_the_end_where_nothing_else_is_recorded(
    ledger: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """A service that stops after an outage would take the number with it."""
    with configure(on_ledger_failure="continue"), purpose_scope(SECURITY):
        ledger.fill()
        with full_disk():
            Account(id=1).phone
    ledger.made.close()
    assert ledger.rows().lost == 1
    assert "nor is their number" not in caplog.text


def test_a_number_that_cannot_be_told_is_logged(ledger: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    """A service that stops during an outage would say nothing of what is missing."""
    with configure(on_ledger_failure="continue"), purpose_scope(SECURITY):
        ledger.fill()
        with full_disk():
            Account(id=1).phone
            ledger.made.close()
            Account(id=1).phone
    assert "1 reads were not recorded, nor is their number" in caplog.text
    assert ledger.rows().lost == 0


def test_an_observed_denial_that_is_let_through_is_counted(ledger: Recorded) -> None:
    """In observe mode, what was let through against the rules would be neither told nor counted."""
    with configure(mode="observe", on_ledger_failure="continue"), purpose_scope(ADVERTISING):
        ledger.fill()
        with full_disk():
            assert Account(id=1).phone == "+1"
        ledger.made.close()
    assert ledger.rows().lost == 1
    assert ledger.rows().denials == []


def test_the_outage_is_logged_at_error_level(ledger: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    """The warning would be filtered out with the noise."""
    with configure(on_ledger_failure="continue"), full_disk(), purpose_scope(SECURITY):
        ledger.fill()
        copy.copy(Account(id=1)).phone
    (record,) = [one for one in caplog.records if "was read and not recorded" in one.getMessage()]
    assert record.levelno == logging.ERROR
    assert record.name == "purposebind"
