"""Nothing that was handed out is missing from the ledger, whenever its process was killed.

Hundreds of processes are killed with SIGKILL: while they read, while they make a segment, and while they close one.
What each told over a pipe, after it had the value, is compared with what the segments hold.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ledger_killed
import pytest
from ledger_rows import KEY, Rows, rows

from purposebind.ledger import Ledger
from purposebind.ledger.closing import close_abandoned
from purposebind.ledger.folder import Folder

SCRIPT = Path(ledger_killed.__file__)
THREAD = 100  # ids of people of one thread begin at a multiple of this


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a place: a killed process leaves the same there, and each fsync costs nothing."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as made:
        yield Path(made) / "ledger"


def run(folder: Path, seed: int, rounds: int) -> dict[str, Any]:
    command = [sys.executable, str(SCRIPT), str(folder), str(seed), str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def held(found: Rows, subjects: range) -> Counter[tuple[int, str]]:
    """How often each field of each person is in the ledger."""
    names = {KEY.person(subject): subject for subject in subjects}
    assert all(read.person in names for read in found.reads), "the ledger holds somebody who was never read"
    return Counter((names[read.person], read.field) for read in found.reads if read.person is not None)


def check(told: Counter[tuple[int, str]], kept: Counter[tuple[int, str]]) -> None:
    """Everything told is kept, and at most one read more for each thread: its value was not out yet."""
    assert told - kept == Counter(), "a value was handed out, and its read is lost"
    more: Counter[int] = Counter()
    for (subject, _), count in (kept - told).items():
        more[subject // THREAD] += count
    assert max(more.values(), default=0) <= 1, "reads are in the ledger that never happened"


def check_whole(found: Rows, killed: int) -> None:
    opened = {activity.id for activity in found.opens}
    assert {read.activity for read in found.reads} <= opened, "of a read it is not known for what it was"
    assert len(found.damage) <= killed
    assert found.lost == 0


@pytest.mark.parametrize("seed", range(3))
def test_what_was_handed_out_is_in_the_ledger_whenever_its_process_was_killed(folder: Path, seed: int) -> None:
    """A service that is killed, as services are, would lose reads, and whose data was read could not be said."""
    rounds = 13
    killed = rounds * ledger_killed.AT_ONCE
    outcome = run(folder, seed, rounds)
    told = Counter({(subject, ledger_killed.FIELDS[field]): n for subject, field, n in outcome["told"]})
    own = Counter({(subject, ledger_killed.FIELDS[field]): n for subject, field, n in outcome["own"]})
    assert own.total() == killed, "somebody forgot to read, or to be killed"

    found = rows(folder)
    kept = held(found, range((killed + 1) * 10_000))
    check(told, Counter({key: n for key, n in kept.items() if key[0] >= 10_000}))
    assert Counter({key: n for key, n in kept.items() if key[0] < 10_000}) == own, "the parent's own reads"
    check_whole(found, killed)

    close_abandoned(Folder(folder))
    assert list((folder / "open").glob("*.seg")) == []
    assert sorted(rows(folder).reads, key=repr) == sorted(found.reads, key=repr), "closing changed what is told"
    verdict = Ledger(folder, key=KEY).verify()
    assert verdict.ok, verdict.problems


def test_eight_services_are_killed_while_they_write_to_one_folder(folder: Path) -> None:
    """Processes that have nothing in common but the folder would overwrite, close or drop one another's records."""
    told: Counter[tuple[int, str]] = Counter()
    numbers = range(1, ledger_killed.AT_ONCE + 1)
    command = [sys.executable, str(SCRIPT), str(folder)]
    processes = [subprocess.Popen([*command, str(n), "alone"], stdout=subprocess.PIPE, bufsize=0) for n in numbers]
    for number, process in zip(numbers, processes, strict=True):
        assert process.stdout is not None
        data = b""
        while len(data) < 5 * 100 * number:
            data += process.stdout.read(4096)
        process.send_signal(signal.SIGKILL)
        data += process.stdout.read()
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
        for at in range(0, len(data), 5):
            told[int.from_bytes(data[at : at + 4], "little"), ledger_killed.FIELDS[data[at + 4]]] += 1
    found = rows(folder)
    check(told, held(found, range((len(numbers) + 1) * 10_000)))
    check_whole(found, len(numbers))
    close_abandoned(Folder(folder))
    verdict = Ledger(folder, key=KEY).verify()
    assert verdict.ok, verdict.problems
    assert list((folder / "open").glob("*.seg")) == []
