"""Reading segments: every whole record comes back, and what does not is named."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import segments as make
from hypothesis import given, settings
from hypothesis import strategies as st

from purposebind.ledger import columns, reading
from purposebind.ledger.errors import LedgerError
from purposebind.ledger.reading import Damage, SegmentData, read_segment
from purposebind.ledger.records import HEADER_BYTES, RECORD_BYTES, Flag, Kind, head, record

TIMES = st.integers(0, 1 << 40)
RECORDS = st.one_of(
    st.builds(make.read, st.integers(-1, 5), st.sampled_from([0, 0, 0, 3]), st.integers(0, 2**64 - 1)),
    st.builds(make.denial, TIMES, st.integers(-1, 5), st.sampled_from([2, 0])),
    st.builds(make.opened, TIMES, st.just(1), st.integers(0, 2**64 - 1), TIMES, st.integers(0, 2**128 - 1)),
    st.builds(make.closed, TIMES, st.integers(0, 2**64 - 1)),
    st.builds(make.mark, TIMES, TIMES),
    st.builds(make.lost, st.integers(0, 9), TIMES),
    st.just(bytes(RECORD_BYTES)),
)


def _people(reads: np.ndarray) -> list[bytes]:
    return [struct.pack(">QQ", hi, lo) for hi, lo in zip(reads["hi"].tolist(), reads["lo"].tolist(), strict=True)]


def _agree(found: SegmentData, path: Path) -> None:
    """Hold the fast reader to the slow one."""
    wanted = make.slowly(path)
    columns_found = [found.reads[key].tolist() for key in ("number", "activity")]
    times = [found.reads[key].tolist() for key in ("mono", "until")]
    assert list(zip(*columns_found, _people(found.reads), *times, strict=True)) == wanted.reads
    assert found.reads["known"].tolist() == [who != b"\xff" * 16 for _, _, who, _, _ in wanted.reads]
    assert found.names == wanted.names
    assert found.records == wanted.records
    assert {d.offset + i * RECORD_BYTES for d in found.damage for i in range(d.records)} == wanted.bad
    for kind, rows in (
        (Kind.DENIAL, found.denials),
        (Kind.OPEN, found.opens),
        (Kind.CLOSE, found.closes),
        (Kind.LOST, found.lost),
    ):
        assert [row.tolist() for row in rows] == [_row(kind, one) for one in wanted.others.get(kind, [])]


def _row(kind: Kind, one: bytes) -> tuple[object, ...]:
    number, _, activity = struct.unpack("<HHQ", one[4:16])
    first, second, third = struct.unpack("<QQQ", one[16:40])
    if kind is Kind.DENIAL:
        hi, lo = struct.unpack(">QQ", one[16:32])
        return number, activity, hi, lo, one[16:32] != b"\xff" * 16, third
    if kind is Kind.OPEN:
        return number, activity, first, second, *struct.unpack(">QQ", one[32:]), bool(one[1] & 1)
    return (activity, first) if kind is Kind.CLOSE else (first, second)


@pytest.fixture(params=[1 << 16, 3], ids=["one piece", "pieces of three records"])
def _pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_CHUNK", request.param)


# --- What a whole segment tells --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_pieces")
def test_every_kind_of_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """An auditor would be shown another person, activity or time than was recorded."""
    path = make.segment(
        [
            *make.names(),
            make.opened(2_000_000, activity=9, around=8, trace=(3 << 64) + 4, flags=Flag.CONTINUED),
            make.read(1, activity=9),
            make.read(-1, activity=9),
            make.denial(2_500_000, 2, activity=9),
            make.closed(3_000_000, activity=9),
            make.lost(5, 3_100_000),
        ],
        tmp_path / f"{'c' * 32}.seg",
    )
    data = read_segment(path)
    assert data.header["segment"] == "c" * 32
    assert data.names == {0: make.FIELD, 1: make.ACTIVITY, 2: make.DENIAL}
    assert data.opens.tolist() == [(1, 9, 2_000_000, 8, 3, 4, True)]
    assert data.reads[["number", "activity", "known", "mono", "until"]].tolist() == [
        (0, 9, True, 2_000_000, 2_500_000),
        (0, 9, False, 2_000_000, 2_500_000),
    ]
    assert _people(data.reads) == [make.person(1), make.person(-1)]
    assert data.denials[["number", "activity", "known", "mono"]].tolist() == [(2, 9, True, 2_500_000)]
    assert _people(data.denials) == [make.person(2)]
    assert data.closes.tolist() == [(9, 3_000_000)]
    assert data.lost.tolist() == [(5, 3_100_000)]
    assert data.damage == []
    assert data.wall(2_000_000) == make.WALL + 1_000_000
    assert data.wall(data.reads["mono"]).tolist() == [make.WALL + 1_000_000] * 2


def test_an_activity_that_began_before_its_segment_has_its_own_time(tmp_path: Path) -> None:
    """Its start would lie five centuries in the future."""
    data = read_segment(make.segment([*make.names(), make.opened(CREATED_BEFORE)], tmp_path / "s.seg"))
    assert data.wall(data.opens["mono"]).tolist() == [make.WALL + CREATED_BEFORE - make.CREATED]


CREATED_BEFORE = 5


def test_half_of_an_unknown_person_is_a_person(tmp_path: Path) -> None:
    """Somebody whose hash begins or ends like that of nobody would be counted as unknown."""
    halves = [b"\xff" * 8 + b"\1" * 8, b"\1" * 8 + b"\xff" * 8]
    reads = [make.read()[:16] + 2 * half for half in halves]
    data = read_segment(make.segment([*make.names(), *reads], tmp_path / "s.seg"))
    assert data.reads["known"].tolist() == [True, True]
    assert _people(data.reads) == halves


@pytest.mark.usefixtures("_pieces")
def test_a_read_in_a_scope_that_was_opened_long_ago_did_not_happen_long_ago(tmp_path: Path) -> None:
    """`since=` and `until=` would put it into the hour in which the scope was opened."""
    records = [*make.names(), make.mark(9_000_000), make.opened(2_000_000), make.read(), make.mark(9_500_000)]
    data = read_segment(make.segment(records, tmp_path / "s.seg"))
    assert data.reads[["mono", "until"]].tolist() == [(9_000_000, 9_500_000)]


@pytest.mark.usefixtures("_pieces")
def test_a_clock_that_was_set_back_moves_no_record(tmp_path: Path) -> None:
    """Reads would be found in a time in which they did not happen, or in none."""
    marks = [make.mark(2_000_000, make.WALL), make.mark(3_000_000, make.WALL - 10**15), make.mark(4_000_000, 0)]
    records = [*make.names(), make.read(), marks[0], make.read(), marks[1], make.read(), marks[2], make.read()]
    data = read_segment(make.segment(records, tmp_path / "s.seg"))
    assert data.reads["mono"].tolist() == [make.CREATED, 2_000_000, 3_000_000, 4_000_000]
    assert data.reads["until"].tolist() == [2_000_000, 3_000_000, 4_000_000, 4_000_000]
    assert (np.diff(data.wall(data.reads["mono"])) == 1_000_000).all()


@settings(max_examples=150, deadline=None)
@given(records=st.lists(RECORDS, max_size=40), chunk=st.sampled_from([1, 2, 7, 1 << 16]), spare=st.integers(0, 300))
def test_reading_fast_is_reading_by_the_letter(records: list[bytes], chunk: int, spare: int) -> None:
    """The vectorised reader would disagree with the format that is written down."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_CHUNK", chunk)
        records = [*make.names(), *records]
        size = HEADER_BYTES + RECORD_BYTES * len(records) + spare
        path = make.segment(records, Path(folder) / f"{'a' * 32}.seg", size)
        _agree(read_segment(path), path)
        assert read_segment(path).header["segment"] == "a" * 32


# --- What is damaged -------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damage_takes_what_it_hits_and_nothing_else(data: st.DataObject) -> None:
    """One flipped bit would cost the records around it."""
    records = [*make.names(), *data.draw(st.lists(RECORDS, min_size=1, max_size=25))]
    whole = bytearray(b"".join(records))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        many = data.draw(st.integers(1, 70))
        how = data.draw(st.sampled_from(["flip", "zero", "noise"]))
        if how == "flip":
            whole[at] ^= 1 << data.draw(st.integers(0, 7))
        elif how == "zero":
            whole[at : at + many] = bytes(len(whole[at : at + many]))
        else:
            whole[at : at + many] = data.draw(st.binary(min_size=len(whole[at : at + many]), max_size=many))[
                : len(whole[at : at + many])
            ]
    cut = data.draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))))
    with tempfile.TemporaryDirectory() as folder:
        path = make.segment([bytes(whole[:cut])], Path(folder) / "s.seg")
        found = read_segment(path)
        _agree(found, path)
        untouched = sum(
            one == bytes(whole[:cut])[i * RECORD_BYTES : (i + 1) * RECORD_BYTES] and one[0] in list(Kind)
            for i, one in enumerate(records)
        )
        assert found.records >= untouched


HALVES = [
    pytest.param(one, written, id=f"{Kind(one[0]).name} {written}")
    for one in (make.read(), make.denial(5_000_000), make.opened(5_000_000), make.lost(3, 5_000_000))
    for written in range(1, len(one.rstrip(b"\0")))
]


@pytest.mark.parametrize(("one", "written"), HALVES)
def test_a_record_that_was_half_written_is_dropped_and_named(tmp_path: Path, one: bytes, written: int) -> None:
    """A read of a person who does not exist would be counted, or a half one taken for a whole."""
    records = [*make.names(), make.read(2), one[:written].ljust(RECORD_BYTES, b"\0"), make.read(3)]
    data = read_segment(make.segment(records, tmp_path / "s.seg"))
    assert _people(data.reads) == [make.person(2), make.person(3)]
    place = HEADER_BYTES + RECORD_BYTES * (len(make.names()) + 1)
    assert data.damage == [Damage(place, "is not whole: its check does not hold")]


def test_a_hole_is_no_damage(tmp_path: Path) -> None:
    """Every process that was killed would leave a ledger that looks broken."""
    records = [*make.names(), make.read(1), bytes(5 * RECORD_BYTES), make.read(2), bytes(100)]
    data = read_segment(make.segment(records, tmp_path / "s.seg"))
    assert len(data.reads) == 2
    assert data.damage == []


def test_a_record_whose_name_is_incomplete_is_named_and_the_others_stay(tmp_path: Path) -> None:
    """A read would be counted for a field that nobody can name."""
    parts = make.name(5, {"is": "field", "field": "x" * 100})
    records = [*make.names(), *parts[:-1], make.read(1, number=5), make.read(2), make.read(3, number=9)]
    data = read_segment(make.segment(records, tmp_path / "s.seg"))
    assert _people(data.reads) == [make.person(2)]
    assert [one.what for one in data.damage] == [
        f"name 5 is incomplete: 1 of its {len(parts)} parts are missing",
        "refers to name 5, which is missing",
        "refers to name 9, which is missing",
    ]


def test_a_record_that_refers_to_the_name_of_something_else_is_damage(tmp_path: Path) -> None:
    """A crash in the question, for the name has no field."""
    data = read_segment(make.segment([*make.names(), make.read(number=1), make.opened(5, 0)], tmp_path / "s.seg"))
    assert (len(data.reads), len(data.opens)) == (0, 0)
    assert [one.what for one in data.damage] == [
        "refers to name 1, which is not that of a kind 'field'",
        "refers to name 0, which is not that of a kind 'activity'",
    ]


def test_the_parts_of_a_name_may_stand_anywhere(tmp_path: Path) -> None:
    """Threads write at the same time: reads would be dropped for the order in which they came."""
    parts = [
        part
        for one in zip(
            make.name(0, make.FIELD | {"x": "y" * 99}), make.name(3, make.FIELD | {"x": "z" * 99}), strict=True
        )
        for part in one
    ]
    data = read_segment(make.segment([make.read(1), *parts[::-1], make.read(1, number=3)], tmp_path / "s.seg"))
    assert (len(data.reads), data.damage) == (2, [])


def test_a_kind_from_the_future_is_told_apart_from_damage(tmp_path: Path) -> None:
    """Someone would look for a broken disk instead of updating."""
    newer = record(9, b"x")  # type: ignore[arg-type]
    data = read_segment(make.segment([*make.names(), newer, newer, make.read()], tmp_path / "s.seg"))
    place = HEADER_BYTES + RECORD_BYTES * len(make.names())
    assert data.damage == [Damage(place, "is of a kind that this version does not know: 9", 2)]
    assert len(data.reads) == 1


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "its header is cut off after 0 bytes"),
        (make.header()[:100], "its header is cut off after 100 bytes"),
        (bytes(HEADER_BYTES), "its header was never written"),
        (b"\xff" + make.header()[1:], "its header is damaged"),
        (make.header()[:-1] + b" ", "its header is damaged"),
        (make.header(format="purposebind ledger segment 2"), "its format is 'purposebind ledger segment 2'"),
        (make.header(wall="now"), "its header is damaged at 'wall'"),
        (make.header(wall=True), "its header is damaged at 'wall'"),
        (make.header(monotonic=-1), "its header is damaged at 'monotonic'"),
        (make.header("../../etc/passwd"), "its header is damaged at 'segment'"),
        (json.dumps([1]).encode().ljust(HEADER_BYTES - 1) + b"\n", "its header is damaged"),
    ],
)
def test_a_segment_without_a_header_is_refused_by_name(tmp_path: Path, data: bytes, why: str) -> None:
    """The engineer on call would not know which of a thousand files it is."""
    path = tmp_path / "s.seg"
    path.write_bytes(data + make.read() if len(data) == HEADER_BYTES else data)
    with pytest.raises(LedgerError) as caught:
        read_segment(path)
    assert str(caught.value).startswith(f"The segment {path} cannot be read: {why}")


def test_a_segment_that_is_gone_can_be_told_from_one_that_is_broken(tmp_path: Path) -> None:
    """A question that runs while segments are closed could not go and look where they are now."""
    with pytest.raises(FileNotFoundError):
        read_segment(tmp_path / "s.seg")


def test_a_segment_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken disk would show as a traceback."""

    def broken(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    path = make.segment([make.read()], tmp_path / "s.seg")
    monkeypatch.setattr(os, "pread", broken)
    with pytest.raises(LedgerError, match=r"s\.seg cannot be read: Input/output error"):
        read_segment(path)


def test_short_reads_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a network file system the end of a segment would be missing, silently."""
    path = make.segment([*make.names(), *[make.read(i) for i in range(200)]], tmp_path / "s.seg")
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, at: pread(fd, min(size, 1000), at))
    assert len(read_segment(path).reads) == 200


def test_as_much_damage_as_is_told_one_by_one_is_not_summed_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is just damaged enough could not be read at all."""
    monkeypatch.setattr(columns, "_TOLD", 5)
    records = [*make.names(), *[make.read(), make.read()[:20].ljust(RECORD_BYTES, b"\0")] * 5]
    data = read_segment(make.segment(records, tmp_path / "s.seg"))
    assert [one.records for one in data.damage] == [1] * 5
    assert "too many" not in data.damage[-1].what


def test_a_file_of_noise_is_summed_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saying what is wrong with a broken file would take more memory than the machine has."""
    monkeypatch.setattr(columns, "_TOLD", 5)
    monkeypatch.setattr(reading, "_CHUNK", 7)
    bad = make.read()[:20].ljust(RECORD_BYTES, b"\0")
    records = [*make.names(), *[make.read(), bad, bad] * 20]
    data = read_segment(make.segment(records, tmp_path / "s.seg"))
    assert len(data.reads) == 20
    assert sum(one.records for one in data.damage) == 40
    assert len(data.damage) <= 6
    assert data.damage[-1].what == "and others after it are damaged, too many to tell one by one"
    offsets = [one.offset for one in data.damage]
    assert offsets == sorted(offsets)
    assert data.damage[0].offset == HEADER_BYTES + RECORD_BYTES * (len(make.names()) + 1)


# --- While it is written ---------------------------------------------------------------------------------------------

WRITER = """
import mmap, os, sys, time
path, header, records, one = sys.argv[1], *[bytes.fromhex(a) for a in sys.argv[2:]]
size = 4096 + 48 * 60_000
descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
os.posix_fallocate(descriptor, 0, size)
memory = mmap.mmap(descriptor, size)
start = header + records
memory[:len(start)] = start
print("ready", flush=True)
place = len(start)
while place + 48 <= size:
    memory[place : place + 16] = one[:16]
    memory[place + 16 : place + 48] = one[16:]
    place += 48
print("done", flush=True)
"""


def test_a_segment_that_is_being_written_is_read_without_a_gap(tmp_path: Path) -> None:
    """A record would be missing while a later one of the same thread is there, or be called damaged for a moment."""
    path = tmp_path / "open" / f"{'a' * 32}.seg"
    path.parent.mkdir()
    names = b"".join(make.names())
    arguments = [str(path), *(part.hex() for part in (make.header(), names, make.read()))]
    with subprocess.Popen([sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        seen: list[int] = []
        while writer.poll() is None:
            data = read_segment(path)
            assert data.damage == []
            seen.append(len(data.reads))
            used = path.read_bytes()[HEADER_BYTES + len(names) :]
            assert used[: seen[-1] * RECORD_BYTES] == make.read() * seen[-1]
    assert seen == sorted(seen)
    assert len(read_segment(path).reads) == (HEADER_BYTES + 48 * 60_000 - HEADER_BYTES - len(names)) // RECORD_BYTES


def test_a_segment_that_is_cut_while_it_is_read_kills_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing a segment in one process would end another with SIGBUS in the middle of its answer."""
    path = make.segment([*make.names(), *[make.read(i) for i in range(100)]], tmp_path / "s.seg", 1 << 20)
    monkeypatch.setattr(reading, "_CHUNK", 10)
    take = columns.Columns.take

    def cut_first(self: columns.Columns, data: bytes, offset: int) -> None:
        os.truncate(path, HEADER_BYTES + RECORD_BYTES * 50)
        take(self, data, offset)

    monkeypatch.setattr(columns.Columns, "take", cut_first)
    assert len(read_segment(path).reads) == 50 - len(make.names())


def test_heads_are_checked_for_every_activity(tmp_path: Path) -> None:
    """A check that happens to be zero, or has its high bits set, would drop good reads."""
    heads = [head(Kind.READ, 0, 1, activity) for activity in range(1 << 16)]
    path = make.segment([*make.names(), *[one + 2 * make.person(1) for one in heads]], tmp_path / "s.seg")
    data = read_segment(path)
    assert data.reads["activity"].tolist() == list(range(1 << 16))
