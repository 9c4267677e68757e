"""When a read was: known to the interval, whatever the process did before, and however it ended."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import pytest

from purposebind import AllowedFor, Purpose, PurposeModel, SubjectId, configure, purpose_scope
from purposebind.ledger import Key, Ledger
from purposebind.ledger.folder import Folder
from purposebind.ledger.reading import SegmentData, read_segment

PARCELS = Purpose("ledger_times", "Bring the parcel")
NEVER = 3600.0


class Customer(PurposeModel):
    id: Annotated[int, SubjectId]
    address: Annotated[str, AllowedFor(PARCELS)]


ADA = Customer(id=1, address="12 St James's Square")


def ledger_in(path: Path, segment_seconds: float = NEVER) -> Ledger:
    """Its pulse beats when a test says so."""
    return Ledger(path / "ledger", key=Key(bytes(32)), interval=NEVER, segment_seconds=segment_seconds)


def beat(ledger: Ledger) -> int:
    recorder = ledger.recorder()
    assert recorder.pulse is not None
    recorder.pulse.beat(recorder)
    return time.monotonic_ns()


def segments(ledger: Ledger, state: str) -> list[SegmentData]:
    folder: Path = getattr(Folder(ledger.folders[0]), state)
    return [read_segment(path) for path in sorted(folder.glob("*.seg"))]


@pytest.mark.parametrize("idle", [1, 5])
def test_a_read_after_an_idle_time_is_not_dated_to_its_beginning(tmp_path: Path, idle: int) -> None:
    """A process that is killed has no later mark: its last reads would be dated to when it last did something."""
    with ledger_in(tmp_path) as ledger, configure(ledger=ledger):
        with purpose_scope(PARCELS):
            ADA.address
            first = beat(ledger)
            for _ in range(idle):
                before = time.monotonic_ns()
                beat(ledger)
            ADA.address
            (found,) = segments(ledger, "open")  # as it would be found if the process were killed now
        earlier, later = found.reads
        assert earlier["until"] <= first, "what was read before the idle time is not dated to its end"
        assert later["mono"] >= before
        assert found.damage == []


def test_a_process_that_is_idle_from_the_start_tells_the_time_too(tmp_path: Path) -> None:
    """The first read of a service that waited for a day would be dated to its start."""
    with ledger_in(tmp_path) as ledger, configure(ledger=ledger):
        beat(ledger)
        before = time.monotonic_ns()
        beat(ledger)
        with purpose_scope(PARCELS):
            ADA.address
            (found,) = segments(ledger, "open")
    assert found.reads[0]["mono"] >= before


def test_an_idle_process_fills_no_disk(tmp_path: Path) -> None:
    """A mark for each second in which nothing happens would fill a segment in some days."""
    with ledger_in(tmp_path) as ledger, configure(ledger=ledger):
        with purpose_scope(PARCELS):
            ADA.address
        beat(ledger)
        before = segments(ledger, "open")[0].records
        for _ in range(20):
            beat(ledger)
        assert segments(ledger, "open")[0].records == before


def test_the_last_reads_before_the_end_are_dated(tmp_path: Path) -> None:
    """A service that is stopped within an interval would leave reads of which the time is not known."""
    with ledger_in(tmp_path) as ledger, configure(ledger=ledger), purpose_scope(PARCELS):
        ADA.address
        read = time.monotonic_ns()
    (found,) = segments(ledger, "closed")
    assert found.reads[0]["until"] >= read


def test_a_segment_is_closed_after_a_time_though_it_is_not_full(tmp_path: Path) -> None:
    """What is not in the chain can be taken out unnoticed: in a quiet service that would be all of it, for weeks."""
    with ledger_in(tmp_path, segment_seconds=0.0) as ledger, configure(ledger=ledger):
        beat(ledger)
        assert segments(ledger, "closed") == [], "nothing was read, nothing is closed"
        with purpose_scope(PARCELS):
            ADA.address
            beat(ledger)
            assert [len(found.reads) for found in segments(ledger, "closed")] == [1]
            assert (ledger.verify().segments, ledger.head().n) == (1, 0)
            ADA.address
            assert [len(found.reads) for found in segments(ledger, "open")] == [1]
            assert segments(ledger, "open")[0].opens["continued"].all(), "it is the same activity"
        affected = ledger.affected()
    assert (affected.people, affected.reads) == (1, 2)
