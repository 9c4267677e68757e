"""The chain: whatever is changed, removed, moved or cut off afterwards is named, the first place first."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import segments as make
from hypothesis import given, settings
from hypothesis import strategies as st
from interrupted import failing, in_a_process

from purposebind.ledger.chain import Anchor, Chain, Verdict, verify
from purposebind.ledger.closing import close_segment
from purposebind.ledger.errors import LedgerError
from purposebind.ledger.folder import Folder
from purposebind.ledger.key import Key
from purposebind.ledger.links import link_of, write_line
from purposebind.ledger.retention import drop_before

KEY = Key(bytes(range(32)))
IDS = [digit * 32 for digit in "123456789"]
DAY = 86_400_000_000_000
FIRST_DAY = datetime(2026, 1, 1, tzinfo=timezone.utc)


def close_one(folder: Folder, identifier: str, day: int = 0, reads: int = 3) -> None:
    """Have a segment closed that lies in a day of January 2026, from 0."""
    wall = int(FIRST_DAY.timestamp()) * 10**9 + day * DAY
    records = [*make.names(), *map(make.read, range(reads)), make.mark(make.CREATED + 3600 * 10**9)]
    close_segment(folder, make.segment(records, folder.open / f"{identifier}.seg", 9999, wall=wall))


def compact_some(folder: Folder, batch: str, segments: list[str], *, keep: bool = False) -> None:
    """Do what compaction does to the chain and the folder, with files that hold nothing of use."""
    told = {}
    for name in ("names.parquet", "p=0/a.parquet", "p=15/b.parquet"):
        path = folder.parquet / batch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = f"{batch} {name}".encode() * 50
        path.write_bytes(data)
        told[f"parquet/{batch}/{name}"] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    Chain(folder).append({"is": "compaction", "batch": batch, "segments": segments, "files": told})
    for identifier in [] if keep else segments:
        (folder.closed / f"{identifier}.seg").unlink()


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Nine lines: 1-3 segments, 4 makes a batch of the first two, 5 and 6 segments, 7 drops the batch and segment 3,
    8 makes a batch of the segment of line 5, 9 a segment."""
    folder = Folder(tmp_path_factory.mktemp("chain") / "ledger")
    folder.make()
    for day, identifier in enumerate(IDS[:3]):
        close_one(folder, identifier, day)
    compact_some(folder, "first", IDS[:2])
    close_one(folder, IDS[3], 10)
    close_one(folder, IDS[4], 11)
    drop_before(folder, datetime(2026, 1, 9, tzinfo=timezone.utc), "dpo", "kept for a week", KEY)
    compact_some(folder, "second", [IDS[3]])
    close_one(folder, IDS[5], 12)
    make.segment([*make.names(), make.read()], folder.open / f"{IDS[6]}.seg", 9999)
    return folder


@pytest.fixture
def ledger(example: Folder, tmp_path: Path) -> Folder:
    return Folder(shutil.copytree(example.path, tmp_path / "ledger"))


def _places(verdict: Verdict) -> list[str]:
    return [problem.place for problem in verdict.problems]


def _first(folder: Folder, anchor: Anchor | None = None, key: Key | None = KEY) -> str:
    verdict = verify(folder, anchor, key)
    assert not verdict.ok
    return str(verdict.problems[0])


def _lines(folder: Folder) -> list[bytes]:
    return folder.chain.read_bytes().splitlines(keepends=True)


def _rewritten(folder: Folder, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Change lines as somebody would who knows how the chain is made: all numbers and hashes after it are right."""
    entries = [json.loads(line) for line in _lines(folder)]
    change(entries)
    before, lines = "0" * 64, []
    for number, entry in enumerate(entries):
        lines.append(write_line({**entry, "n": number, "prev": before}))
        before = json.loads(lines[-1])["hash"]
    folder.chain.write_bytes(b"".join(lines))


# --- What is as it was written ---------------------------------------------------------------------------------------


def test_a_ledger_that_nobody_touched_is_whole(ledger: Folder) -> None:
    """An alarm that rings without a reason is turned off."""
    verdict = verify(ledger, Chain(ledger).head(), KEY)
    assert (verdict.problems, verdict.ok) == ([], True)
    assert verdict.head == Chain(ledger).head()
    assert (verdict.head.n, verdict.segments, verdict.open) == (8, 6, 1)
    (gap,) = verdict.gaps
    assert (gap.by, gap.reason, gap.segments, gap.batches, gap.signed) == ("dpo", "kept for a week", 1, 1, True)
    assert gap.before == "2026-01-09T00:00:00.000000+00:00"


def test_every_line_is_an_anchor_for_all_lines_up_to_it(ledger: Folder) -> None:
    """An anchor that was printed last year would be of no use."""
    for entry in Chain(ledger).entries():
        anchor = Anchor(entry["n"], entry["hash"])
        assert verify(ledger, Anchor.parse(f" {anchor}\n")).ok
    assert verify(ledger, Anchor(-1, "0" * 64)).ok


def test_without_the_key_the_signature_is_said_to_be_unchecked(ledger: Folder) -> None:
    """A reader would take a gap for signed off that anybody could have written."""
    verdict = verify(ledger)
    assert verdict.ok
    assert [gap.signed for gap in verdict.gaps] == [None]


def test_an_empty_ledger_is_whole(tmp_path: Path) -> None:
    """The first command that a newcomer tries would fail."""
    folder = Folder(tmp_path / "ledger")
    folder.make()
    verdict = verify(folder)
    assert (verdict.ok, verdict.head, verdict.segments, verdict.open) == (True, Anchor(-1, "0" * 64), 0, 0)
    assert Chain(folder).head() == verdict.head
    assert list(Chain(folder).entries()) == []


def test_no_ledger_is_said_to_be_none(tmp_path: Path) -> None:
    """A wrong path would be verified, and found in order."""
    with pytest.raises(LedgerError, match="There is no ledger at"):
        verify(Folder(tmp_path / "ledger"))


def test_a_copy_that_is_read_only_can_be_verified(ledger: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """An auditor who is given a copy on a disc could not look at it."""
    (ledger.closed / f"{IDS[5]}.seg").unlink()
    ledger.lock.unlink()
    opened = os.open

    def read_only(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY | os.O_CREAT):
            raise OSError(errno.EROFS, "Read-only file system")
        return opened(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", read_only)
    assert _first(ledger) == f"closed/{IDS[5]}.seg is missing"


@pytest.mark.parametrize("text", ["", "1", "x:" + "0" * 64, "1:" + "0" * 63, "-2:" + "0" * 64, "1:" + "g" * 64])
def test_what_is_no_anchor_is_refused(text: str) -> None:
    """A line that was copied without its end would be compared, and an alarm raised."""
    with pytest.raises(LedgerError, match="this is none"):
        Anchor.parse(text)


# --- Lines -----------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_one_changed_byte_of_the_chain_is_found_in_its_line(example: Folder, data: st.DataObject) -> None:
    """A line could be changed in a way that nobody sees, or another be blamed."""
    whole = example.chain.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    new = data.draw(st.integers(0, 255).filter(lambda value: value != whole[at]))
    with _copy(example) as folder:
        folder.chain.write_bytes(whole[:at] + bytes([new]) + whole[at + 1 :])
        assert _places(verify(folder, key=KEY))[0] == f"chain.jsonl line {whole[:at].count(10) + 1}"


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_bytes_that_were_cut_out_or_put_in_are_found_in_their_line(example: Folder, data: st.DataObject) -> None:
    """The same, for what makes the file shorter or longer."""
    whole = example.chain.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    many = data.draw(st.integers(0, 900))
    put = data.draw(st.binary(max_size=9))
    changed = whole[:at] + put + whole[at + many :]
    if changed == whole:
        return
    with _copy(example) as folder:
        folder.chain.write_bytes(changed)
        line = whole[: _same(whole, changed)].count(10) + 1
        assert _places(verify(folder, Chain(example).head(), KEY))[0] == f"chain.jsonl line {line}"


def _same(one: Sequence[object], other: Sequence[object]) -> int:
    """How long the common beginning of two sequences is."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def test_an_old_line_in_the_place_of_the_last_one_is_named(example: Folder) -> None:
    """Whoever cut off the last line, and put another there, would have verify point at a line that is as it was."""
    lines = _lines(example)
    with _copy(example) as folder:
        folder.chain.write_bytes(b"".join([*lines[:-1], lines[0]]))
        places = _places(verify(folder, Chain(example).head(), KEY))
    assert places[0] == f"chain.jsonl line {len(lines)}"
    assert "chain.jsonl line 2" not in places


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_lines_that_were_removed_moved_or_copied_are_found(example: Folder, data: st.DataObject) -> None:
    """A day could be taken out of the ledger, or put where it was not."""
    lines = _lines(example)
    changed = list(lines)
    for _ in range(data.draw(st.integers(1, 3))):
        how = data.draw(st.sampled_from(["remove", "swap", "copy"]))
        at = data.draw(st.integers(0, len(changed) - 1))
        to = data.draw(st.integers(0, len(changed) - 1))
        if how == "remove":
            changed.pop(at)
        elif how == "swap":
            changed[at], changed[to] = changed[to], changed[at]
        else:
            changed.insert(to, changed[at])
        if not changed:
            break
    if changed == lines:
        return
    with _copy(example) as folder:
        folder.chain.write_bytes(b"".join(changed))
        verdict = verify(folder, Chain(example).head(), KEY)
        assert _places(verdict)[0] == f"chain.jsonl line {_same(lines, changed) + 1}"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda lines: lines.pop(2),
            "3 does not follow the line before it: 1 missing, from number 2 on",
        ),
        (
            lambda lines: lines.pop(0),
            "1 does not follow the line before it: 1 missing, from number 0 on",
        ),
        (lambda lines: lines.insert(3, lines.pop(2)), "3 is in the wrong place: line 4 belongs here"),
        (lambda lines: lines.insert(4, lines[1]), "5 is there twice: line 2 has number 1 too"),
        (
            lambda lines: lines.insert(4, b"{}\n"),
            "5 was altered: it does not say which line it follows",
        ),
        (lambda lines: lines.insert(4, b"\n"), "5 was altered: it is not JSON"),
        (
            lambda lines: lines.__setitem__(4, lines[4].replace(b'":', b'": ', 1)),
            "5 was altered: it is not as the ledger writes lines",
        ),
        (
            lambda lines: lines.__setitem__(4, lines[4].replace(b'"records":', b'"records":1')),
            "5 was altered: its hash is not that of its content",
        ),
        (
            lambda lines: lines.__setitem__(-1, lines[-1][:-1]),
            "9 is not finished: a process was killed while it wrote it, or its end was cut off",
        ),
        (
            lambda lines: lines.append(lines[-1][:40]),
            "10 is not finished: a process was killed while it wrote it, or its end was cut off",
        ),
    ],
)
def test_what_is_wrong_with_a_line_is_said(
    ledger: Folder, change: Callable[[list[bytes]], object], problem: str
) -> None:
    """The engineer on call would know where, and not what to look for."""
    problem = f"chain.jsonl line {problem}"
    lines = _lines(ledger)
    change(lines)
    ledger.chain.write_bytes(b"".join(lines))
    assert _first(ledger) == problem


def test_a_line_with_a_right_hash_that_was_put_in_the_place_of_another_is_found(ledger: Folder) -> None:
    """Whoever can compute a hash could change a line."""
    lines = _lines(ledger)
    entry = json.loads(lines[4])
    lines[4] = write_line({**{k: v for k, v in entry.items() if k != "hash"}, "records": 1})
    ledger.chain.write_bytes(b"".join(lines))
    assert _first(ledger) == "chain.jsonl line 5 was replaced by another line: line 6 does not follow it"


def test_a_chain_that_was_rewritten_from_a_line_on_is_found_by_an_anchor(ledger: Folder) -> None:
    """Whoever can write the whole file could change everything. Without an anchor they can, as the docs say."""
    anchors = [Anchor(entry["n"], entry["hash"]) for entry in Chain(ledger).entries()]
    _rewritten(ledger, lambda entries: entries[4].update(records=1))
    assert verify(ledger, key=KEY).ok
    for anchor in anchors[:4]:
        assert verify(ledger, anchor, KEY).ok
    for anchor in anchors[4:]:
        problem = f"chain.jsonl line {anchor.n + 1} is not what the anchor {anchor} was taken of"
        assert _first(ledger, anchor).startswith(problem)


def test_an_end_that_was_cut_off_with_its_files_is_found_by_an_anchor(ledger: Folder) -> None:
    """The last days could be taken away, and nothing would show it."""
    head = Chain(ledger).head()
    ledger.chain.write_bytes(b"".join(_lines(ledger)[:-1]))
    (ledger.closed / f"{IDS[5]}.seg").unlink()
    assert verify(ledger, key=KEY).ok
    assert _first(ledger, head) == (
        f"chain.jsonl line 9 is missing: the chain ends before it, and the anchor {head} was taken of line 9"
    )


def test_a_chain_that_is_gone_is_found(ledger: Folder) -> None:
    """Removing the evidence would be a way to remove what it shows."""
    ledger.chain.unlink()
    assert _places(verify(ledger)) == [f"closed/{IDS[i]}.seg" for i in (4, 5)] + ["parquet/second"]


def test_a_line_from_the_future_is_told_apart_from_a_forged_one(ledger: Folder) -> None:
    """Someone would look for an attacker instead of updating."""
    _rewritten(ledger, lambda entries: entries[5].update({"is": "merged"}))
    assert _first(ledger) == "chain.jsonl line 6 is of a kind that this version does not know: 'merged'"


@pytest.mark.parametrize(
    ("line", "change", "problem"),
    [
        (1, {"segment": "../../etc"}, "line 1 was not written by a ledger: it is wrong at 'segment'"),
        (1, {"bytes": True}, "line 1 was not written by a ledger: it is wrong at 'bytes'"),
        (4, {"files": {"a": 1}}, "line 4 was not written by a ledger: it is wrong at 'files'"),
        (7, {"batches": [".."]}, "line 7 was not written by a ledger: it is wrong at 'batches'"),
        (2, {"segment": IDS[0]}, f"line 2 tells of segment {IDS[0]}, of which line 1 told already"),
        (8, {"batch": "first"}, "line 8 tells of batch first, of which line 4 told already"),
        (8, {"segments": [IDS[2]]}, f"line 8 makes a batch of segment {IDS[2]}, which was dropped before"),
        (8, {"segments": [IDS[8]]}, f"line 8 makes a batch of segment {IDS[8]}, of which no line tells before it"),
        (8, {"segments": [IDS[0], IDS[3]]}, f"line 8 makes a batch of segment {IDS[0]}, which was dropped before"),
        (4, {"segments": IDS[:1] * 2}, f"line 4 makes a batch of segment {IDS[0]}, which is in batch first"),
        (7, {"batches": ["none"]}, "line 7 drops batch none, of which no line tells before it"),
    ],
)
def test_a_chain_that_tells_nonsense_is_found(ledger: Folder, line: int, change: dict[str, Any], problem: str) -> None:
    """Whoever can compute hashes could have a batch answer twice, or for a segment that never was."""
    _rewritten(ledger, lambda entries: entries[line - 1].update(change))
    assert f"chain.jsonl {problem}" in map(str, verify(ledger).problems)


def test_a_batch_may_not_claim_a_file_outside_of_it(ledger: Folder) -> None:
    """A forged line would have any file of the system hashed, and its hash told."""
    outside = {"bytes": 1, "sha256": "0" * 64}
    _rewritten(ledger, lambda entries: entries[7]["files"].update({"parquet/second/../../x": outside}))
    assert _first(ledger) == "chain.jsonl line 8 tells of a file that is not its batch's: parquet/second/../../x"


# --- Files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [f"closed/{IDS[4]}.seg", f"closed/{IDS[5]}.seg", "parquet/second/p=15/b.parquet", "parquet/second/names.parquet"],
)
@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: os.truncate(path, 10), "was cut off: 10 of its "),
        (lambda path: path.write_bytes(path.read_bytes() + b"\0"), "was altered: it has "),
        (
            lambda path: path.write_bytes(b"\xff" + path.read_bytes()[1:]),
            "was altered: its hash is not",
        ),
        (lambda path: path.symlink_to(path.rename(path.with_suffix(".x"))), "cannot be read: "),
    ],
    ids=["gone", "cut", "longer", "changed", "linked"],
)
def test_a_file_that_is_not_what_it_was_is_named(
    ledger: Folder, place: str, change: Callable[[Path], object], what: str
) -> None:
    """What an answer is computed from could be exchanged under it."""
    change(ledger.path / place)
    assert _first(ledger).startswith(f"{place} {what}")


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_changed_bit_of_any_file_is_found(example: Folder, data: st.DataObject) -> None:
    """One person could be exchanged for another."""
    paths = sorted(
        path for place in ("closed", "parquet") for path in (example.path / place).rglob("*") if path.is_file()
    )
    place = str(data.draw(st.sampled_from(paths)).relative_to(example.path))
    with _copy(example) as folder:
        content = bytearray((folder.path / place).read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        (folder.path / place).write_bytes(content)
        assert _places(verify(folder)) == [place]


def test_files_that_changed_places_are_both_named(ledger: Folder) -> None:
    """A day's reads could be shown as another's."""
    one, other = (ledger.closed / f"{IDS[i]}.seg" for i in (4, 5))
    for path, content in ((one, other.read_bytes()), (other, one.read_bytes())):
        path.write_bytes(content)
    assert _places(verify(ledger)) == [f"closed/{IDS[4]}.seg", f"closed/{IDS[5]}.seg"]


@pytest.mark.parametrize(
    "place", ["closed/x.seg", f"closed/{IDS[8]}.seg", "parquet/third/a.parquet", "parquet/second/p=1/a.parquet"]
)
def test_a_file_that_nobody_put_there_is_named(ledger: Folder, place: str) -> None:
    """Reads that never happened could be put into the ledger."""
    (ledger.path / place).parent.mkdir(exist_ok=True)
    (ledger.path / place).write_bytes(b"x")
    (named,) = _places(verify(ledger))
    assert place.startswith(named)


def test_the_first_place_comes_first(ledger: Folder) -> None:
    """Whoever has to find out what happened would begin at the wrong day."""
    altered = [f"closed/{IDS[4]}.seg", "parquet/second/names.parquet", f"closed/{IDS[5]}.seg"]
    for place in altered:
        (ledger.path / place).write_bytes(b"x")
    (ledger.closed / "x.seg").touch()
    assert _places(verify(ledger)) == [*altered, "closed/x.seg"]
    lines = _lines(ledger)
    lines[6] = lines[6].replace(b"week", b"year")
    ledger.chain.write_bytes(b"".join(lines))
    assert _places(verify(ledger))[:2] == [altered[0], "chain.jsonl line 7"]
    # A file that is gone may have been dropped or compacted by the line that is damaged.
    (ledger.path / altered[0]).unlink()
    assert _places(verify(ledger))[0] == "chain.jsonl line 7"


def test_a_segment_that_was_compacted_may_be_kept_and_is_then_checked(ledger: Folder) -> None:
    """`keep_segments` would make every ledger look forged, or leave files that nobody guards."""
    close_one(ledger, IDS[7])
    compact_some(ledger, "third", [IDS[7]], keep=True)
    assert verify(ledger).ok
    (ledger.closed / f"{IDS[7]}.seg").write_bytes(b"x")
    assert _places(verify(ledger)) == [f"closed/{IDS[7]}.seg"]


def test_a_segment_on_its_way_to_the_closed_ones_is_no_problem(ledger: Folder) -> None:
    """A process killed at the last step would raise an alarm; what it left is whole."""
    path = ledger.closed / f"{IDS[5]}.seg"
    path.rename(ledger.open / path.name)
    verdict = verify(ledger)
    assert (verdict.problems, verdict.open) == ([], 1)
    (ledger.open / path.name).write_bytes(b"x")
    assert _places(verify(ledger)) == [f"open/{path.name}"]


# --- Gaps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"reason": "other"}, "line 7 drops what was recorded, and is not signed by who has the key"),
        ({"signature": ""}, "line 7 drops what was recorded, and is not signed by who has the key"),
        ({"segments": IDS[2:5]}, "line 7 drops what was recorded, and is not signed by who has the key"),
        ({"at": "2020-01-01T00:00:00+00:00"}, "line 7 drops what was recorded, and is not signed by who has the key"),
        ({"key": "1" * 16}, f"line 7 was signed by another key: {'1' * 16}, and the one given is {KEY.id}"),
    ],
)
def test_a_gap_that_was_not_signed_by_the_key_is_a_break(ledger: Folder, change: dict[str, Any], problem: str) -> None:
    """Whoever can write the files could remove a day, and sign for it with any name."""
    _rewritten(ledger, lambda entries: entries[6].update(change))
    verdict = verify(ledger, key=KEY)
    assert f"chain.jsonl {problem}" in map(str, verdict.problems)
    assert [gap.signed for gap in verdict.gaps] == [False]


@pytest.mark.parametrize("before", ["2026-01-02T00:00:00+00:00", "2026-01-09", "soon"])
def test_a_gap_is_not_wider_than_it_says(ledger: Folder, before: str) -> None:
    """A line that says "all of 2019" could hide what was removed of 2020."""
    _rewritten(ledger, lambda entries: entries[6].update(before=before))
    found = [str(problem) for problem in verify(ledger).problems]
    if before[:10] == "2026-01-02":
        assert found == [
            f"chain.jsonl line 7 drops segment {IDS[i]}, which does not lie before {before}" for i in (1, 2)
        ]
    else:
        assert found == [f"chain.jsonl line 7 drops what lay before a moment that is none: {before}"]


# --- Adding ----------------------------------------------------------------------------------------------------------


def _add(folder: Folder, batch: str = "b") -> None:
    Chain(folder).append({"is": "compaction", "batch": batch, "segments": [], "files": {}})


@pytest.mark.parametrize("torn", [b"{", b'{"at":"2026', b"\0\0\0\0", b"x" * 200_000])
@pytest.mark.parametrize("before", [0, 2])
def test_what_a_killed_process_wrote_of_a_line_is_cut_off(tmp_path: Path, torn: bytes, before: int) -> None:
    """The next line would be glued to it, and both be lost."""
    folder = Folder(tmp_path)
    folder.make()
    for number in range(before):
        _add(folder, f"b{number}")
    head = Chain(folder).head()
    with open(folder.chain, "ab") as file:
        file.write(torn)
    assert Chain(folder).head() == head
    assert len(list(Chain(folder).entries())) == before
    assert _first(folder).startswith(f"chain.jsonl line {before + 1} is not finished")
    _add(folder, "after")
    assert [entry["n"] for entry in Chain(folder).entries()] == list(range(before + 1))
    shutil.rmtree(folder.parquet)
    assert all("chain" not in place for place in _places(verify(folder)))


def test_a_damaged_line_stops_nobody_from_adding_more(ledger: Folder) -> None:
    """One flipped bit would keep all services from closing segments."""
    for line in (4, 9):
        lines = _lines(ledger)
        lines[line - 1] = lines[line - 1].replace(b'"at":"2', b'"at":"1', 1)
        ledger.chain.write_bytes(b"".join(lines))
    close_one(ledger, IDS[7])
    close_one(ledger, IDS[8])
    assert _places(verify(ledger)).count("chain.jsonl line 4") == 1
    assert [p for p in _places(verify(ledger)) if p.startswith("chain")] == [
        "chain.jsonl line 4",
        "chain.jsonl line 7",
        "chain.jsonl line 9",
    ]
    with pytest.raises(LedgerError, match=r"Line 4 of .*chain.jsonl was altered: its hash is not that of its content"):
        list(Chain(ledger).entries())


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("short", [False, True])
def test_a_line_that_cannot_be_written_leaves_the_chain_as_it_was(ledger: Folder, error: int, short: bool) -> None:
    """A disk that is full for a moment would break the chain for ever."""
    before = ledger.chain.read_bytes()
    at = 0
    while True:
        with failing(at, error, short=short) as steps:
            try:
                _add(ledger, f"b{at}")
            except LedgerError as caught:
                failed = str(caught)
            else:
                break
        assert os.strerror(error) in failed or os.strerror(errno.ENOSPC) in failed
        assert ledger.chain.read_bytes() == before
        at += 1
    assert at == steps.done >= 5
    assert Chain(ledger).head().n == 9


def test_what_is_no_line_is_not_added(ledger: Folder) -> None:
    """A bug in what adds would make a chain that cannot be verified any more."""
    before = ledger.chain.read_bytes()
    with pytest.raises(LedgerError, match="it is wrong at 'files'"):
        Chain(ledger).append({"is": "compaction", "batch": "b", "segments": []})
    assert ledger.chain.read_bytes() == before


def test_many_processes_and_threads_add_to_one_chain(tmp_path: Path) -> None:
    """Two lines with the same number, or half of one in the other."""
    folder = Folder(tmp_path / "ledger")
    folder.make()

    def add_some(who: str) -> None:
        def add() -> None:
            for number in range(10):
                _add(folder, f"{who}-{threading.get_ident()}-{number}")

        threads = [threading.Thread(target=add) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    processes = [in_a_process(lambda: add_some(str(os.getpid()))) for _ in range(4)]
    assert [os.waitpid(process, 0)[1] for process in processes] == [0] * 4
    assert [entry["n"] for entry in Chain(folder).entries()] == list(range(120))
    assert verify(folder).ok


def test_it_can_be_verified_while_others_close_compact_and_drop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An alarm would ring because a file was moved between two looks."""
    caplog.set_level(logging.CRITICAL)
    folder = Folder(tmp_path / "ledger")
    folder.make()

    def work() -> None:
        for number in range(120):
            close_one(folder, f"{number:032x}", number % 20)
            if number % 5 == 4:
                with folder.locked():
                    compact_some(folder, f"b{number}", [f"{one:032x}" for one in range(number - 4, number + 1)])
            if number % 30 == 29:
                drop_before(folder, datetime(2026, 1, 30, tzinfo=timezone.utc), "dpo", "test", KEY)

    process = in_a_process(work)
    looks = 0
    while os.waitpid(process, os.WNOHANG)[0] == 0:
        assert verify(folder, key=KEY).problems == []
        looks += 1
    assert looks > 3
    assert verify(folder, key=KEY).segments == 120


def test_the_wall_clock_may_be_set_back(tmp_path: Path) -> None:
    """A ledger would be called forged twice a year."""
    folder = Folder(tmp_path / "ledger")
    folder.make()
    for year in ("2026", "2019", "2030"):
        Chain(folder).append(
            {"is": "compaction", "at": f"{year}-01-01T00:00:00+00:00", "batch": year, "segments": [], "files": {}}
        )
    assert verify(folder).ok


def test_the_hash_of_a_line_is_what_the_documentation_says(ledger: Folder) -> None:
    """Nobody could check a chain by other means than this library."""
    before = "0" * 64
    for line in _lines(ledger):
        entry = json.loads(line)
        told = entry.pop("hash")
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
        assert told == hashlib.sha256(text.encode()).hexdigest() == link_of(entry)
        assert entry["prev"] == before
        before = told


@contextmanager
def _copy(folder: Folder) -> Iterator[Folder]:
    with tempfile.TemporaryDirectory() as place:
        yield Folder(shutil.copytree(folder.path, Path(place) / "ledger"))
