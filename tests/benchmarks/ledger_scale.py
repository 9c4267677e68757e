"""How long an exact answer about 140 million people takes, and how much memory: the regulator's figure of 2019.

    python -m tests.benchmarks.ledger_scale [--people N] [--folder FOLDER] [--json]

Each person is read once, and one in fifty again in a later segment, half of these for another purpose. The segments
are real ones, but made by numpy, a few million records at a time; they are compacted by the library, and removed at the
end.
What the answers have to be follows from N alone. Each question is asked by a process of its own, which tells how much
memory it had at most; where an answer is wrong, or the limits are not kept, the exit code is 1.

Takes 0.1 GiB of memory for each million people in a segment, and 40 bytes a person on the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from time import perf_counter
from typing import Any, Final

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # this checkout is measured, whatever is installed

__all__ = ["LIMITS", "MOST_MEMORY", "REGULATOR", "main"]

REGULATOR: Final = 140_000_000
LIMITS: Final = {"affected": 30.0, "window": 30.0, "matrix": 60.0}
"""Seconds that each question may take on two cores, for 140 million people; fewer people have no other limits."""
MOST_MEMORY: Final = 2 << 30

FIELDS: Final = ("Account.phone", "Account.email")
WORK: Final = (("security.two_factor",), ("advertising",), ("advertising", "orders"), ("billing",))
"""The active purposes of each kind of activity."""
_KINDS: Final = len(FIELDS) * len(WORK)
_SEGMENT_PEOPLE: Final = 4_000_000
_ACTIVITY_READS: Final = 1_000
_CYCLE: Final = 200
"""What is read of a person depends on their number modulo this alone."""
_AGAIN: Final = (0, 50, 100, 150)
_START: Final = datetime(2019, 1, 1, tzinfo=timezone.utc)
_STEP: Final = timedelta(hours=1)
"""Between two segments."""
_WINDOW_FIELD: Final = "Account.phone"
_WINDOW_PURPOSE: Final = "advertising"


# --- What is read, and so what the answers have to be ----------------------------------------------------------------


def _kinds_of(residue: int) -> tuple[int, int | None]:
    """What is read of people with that number modulo `_CYCLE`: the kind of the first read, and that of the second."""
    kind = residue % _KINDS
    if residue not in _AGAIN:
        return kind, None
    return kind, kind if residue in _AGAIN[::2] else (kind + len(FIELDS)) % _KINDS


def _field(kind: int) -> str:
    return FIELDS[kind % len(FIELDS)]


def _purposes(kind: int) -> tuple[str, ...]:
    return WORK[kind // len(FIELDS)]


def _many(residue: int, start: int, stop: int) -> int:
    """How many numbers from `start` up to `stop` have that residue."""
    return (stop - residue + _CYCLE - 1) // _CYCLE - (start - residue + _CYCLE - 1) // _CYCLE


def _chunks(people: int) -> list[tuple[int, int]]:
    """The numbers of the people that are first read in each segment."""
    size = min(_SEGMENT_PEOPLE, -(-people // 8))
    return [(start, min(people, start + size)) for start in range(0, people, size)]


def _truth(question: str, people: int) -> Any:
    chunks = _chunks(people)
    again = chunks[-1][0]  # people of the last segment are not read again
    if question == "affected":
        reads = people + sum(_many(residue, 0, again) for residue in _AGAIN)
        return {"people": people, "reads": reads}
    if question == "matrix":
        cells: dict[str, list[int]] = {}
        for residue in range(_CYCLE):
            first, second = _kinds_of(residue)
            both = {first} if second is None else {first, second}
            for part, kinds in (((0, again), both), ((again, people), {first})):
                found = _many(residue, *part)
                twice = found if second is not None and part[1] == again else 0
                for cell in {f"{_field(kind)} {purpose}" for kind in kinds for purpose in _purposes(kind)}:
                    cells.setdefault(cell, [0, 0])[0] += found
                for kind, many in ((first, found), (second or 0, twice)):
                    for purpose in _purposes(kind):
                        cells.setdefault(f"{_field(kind)} {purpose}", [0, 0])[1] += many
        return {cell: found for cell, found in sorted(cells.items()) if found[1]}
    middle = len(chunks) // 2
    since = chunks[middle][0]
    before = chunks[middle - 1][0] if middle else since  # who was read before, and again in the window
    wanted = {k for k in range(_KINDS) if _field(k) == _WINDOW_FIELD and _WINDOW_PURPOSE in _purposes(k)}
    count = 0
    for residue in range(_CYCLE):
        first, second = _kinds_of(residue)
        if second in wanted:
            count += _many(residue, before, since)
        if first in wanted:
            count += _many(residue, since, people)
        elif second in wanted:
            count += _many(residue, since, max(since, again))
    return {"people": count}


# --- Writing ---------------------------------------------------------------------------------------------------------


def write(folder: Path, people: int) -> dict[str, float]:
    """Write the ledger, compacted; return how many seconds that took, by part."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from purposebind.ledger.compaction import compact
    from purposebind.ledger.folder import Folder

    place = Folder(folder)
    place.make()
    seconds = {"writing": 0.0, "compacting": 0.0}
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    from rich.console import Console

    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(f"{people:,} people", total=people)
        before = (0, 0)
        for number, (start, stop) in enumerate(_chunks(people)):
            began = perf_counter()
            _write_segment(place.open / f"{number:032x}.seg", number, (start, stop), before)
            written = perf_counter()
            compact(place)
            seconds["writing"] += written - began
            seconds["compacting"] += perf_counter() - written
            before = (start, stop)
            progress.update(task, completed=stop)
    return seconds


def _write_segment(path: Path, number: int, fresh: tuple[int, int], before: tuple[int, int]) -> None:
    from purposebind.ledger.records import FORMAT, HEADER_BYTES, Kind, name_records, record

    header = {
        "format": FORMAT,
        "segment": path.stem,
        "writer": "b" * 32,
        "pid": 1,
        "host": "benchmark",
        "service": "",
        "key": "0" * 16,
        "wall": int((_START + number * _STEP).timestamp()) * 10**9,
        "monotonic": 10**12,
    }
    names: list[dict[str, Any]] = [{"is": "field", "field": field} for field in FIELDS]
    for place, purposes in enumerate(WORK):
        about = {"purposes": purposes, "entered": purposes, "site": f"work.py:{place} in work"}
        names.append({"is": "activity", **about, "handovers": [], "break_glass": None})
    with open(path, "wb") as file:
        file.write(json.dumps(header).encode().ljust(HEADER_BYTES - 1) + b"\n")
        for place, name in enumerate(names):
            file.write(b"".join(name_records(place, json.dumps(name).encode())))
        for part in _reads(number, fresh, before):
            file.write(part)
        mark = (10**12 + 10**9).to_bytes(8, "little")
        file.write(record(Kind.MARK, mark + header["wall"].to_bytes(8, "little")))  # type: ignore[attr-defined]


def _reads(number: int, fresh: tuple[int, int], before: tuple[int, int]) -> Iterator[bytes]:
    """The activities of a segment, with their reads."""
    import numpy as np

    from purposebind.ledger.records import Kind, head, record

    first, second = (
        np.array([k if k is not None else _KINDS for k in kinds])
        for kinds in zip(*map(_kinds_of, range(_CYCLE)), strict=True)
    )
    new = np.arange(*fresh, dtype=np.uint64)
    old = np.arange(*before, dtype=np.uint64)
    old = old[np.isin(old % _CYCLE, _AGAIN)]
    activity = number << 32
    for kind in range(_KINDS):
        people = np.concatenate((new[first[new % _CYCLE] == kind], old[second[old % _CYCLE] == kind]))
        hi, lo = _mixed(people), _mixed(~people)
        for start in range(0, len(people), _ACTIVITY_READS):
            activity += 1
            now = (10**12).to_bytes(8, "little")
            stop = min(len(people), start + _ACTIVITY_READS)
            words = np.empty((stop - start, 6), np.uint64)
            words[:, :2] = np.frombuffer(head(Kind.READ, kind % len(FIELDS), 1, activity), "<u8")
            words[:, 2] = words[:, 4] = hi[start:stop].byteswap()
            words[:, 3] = words[:, 5] = lo[start:stop].byteswap()
            yield record(Kind.OPEN, now, len(FIELDS) + kind // len(FIELDS), activity=activity)
            yield words.tobytes()
            yield record(Kind.CLOSE, now, activity=activity)


def _mixed(numbers: Any) -> Any:
    """A number that looks like chance for each number, and never the same for two: the last steps of SplitMix64."""
    import numpy as np

    mixed = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ mixed >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ mixed >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return mixed ^ mixed >> np.uint64(31)


# --- Asking ----------------------------------------------------------------------------------------------------------


def ask(folder: Path, people: int, question: str) -> dict[str, Any]:
    """Ask a question, and return the answer, the seconds that it took, those of the processor, and the most memory."""
    from purposebind.ledger import Ledger

    began = perf_counter()
    answer: Any
    with Ledger(folder) as ledger:
        if question == "matrix":
            answer = {f"{cell.field} {cell.purpose}": [cell.people, cell.reads] for cell in ledger.matrix()}
        elif question == "affected":
            found = ledger.affected()
            answer = {"people": found.people, "reads": found.reads}
        else:
            since = _START + len(_chunks(people)) // 2 * _STEP
            answer = {"people": ledger.affected(since=since, field=_WINDOW_FIELD, purpose=_WINDOW_PURPOSE).people}
    seconds = perf_counter() - began
    used = os.times()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"answer": answer, "seconds": seconds, "processor": used.user + used.system, "memory": memory}


def _elsewhere(doing: str, folder: Path, people: int) -> dict[str, Any]:
    """Run a part in a process of its own: its memory is nobody else's."""
    command = [sys.executable, __file__, "--do", doing, "--people", str(people), "--folder", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(folder: Path, people: int) -> dict[str, Any]:
    """Write the ledger into a folder, and ask it; return all figures."""
    made = _elsewhere("write", folder, people)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    questions = {}
    for question, most in LIMITS.items():
        print(f"asking: {question}", file=sys.stderr)
        found = _elsewhere(question, folder, people)
        answer, truth = found.pop("answer"), _truth(question, people)
        found["exact"] = answer == truth
        found["within"] = found["seconds"] <= most and found["memory"] <= MOST_MEMORY
        if not found["exact"]:
            found["answer"], found["truth"] = answer, truth
        questions[question] = found
    return {"people": people, "cores": os.cpu_count(), "bytes": size, **made, "questions": questions}


def main() -> int:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=REGULATOR, metavar="N", help="[default: 140,000,000]")
    parser.add_argument("--folder", type=Path, help="an empty folder for the ledger [default: a temporary one]")
    parser.add_argument("--json", action="store_true", help="print JSON, and nothing else")
    parser.add_argument("--do", choices=["write", *LIMITS], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.people < 1:
        parser.error("--people takes a positive number")
    if options.do:
        print(
            json.dumps(
                write(options.folder, options.people)
                if options.do == "write"
                else ask(options.folder, options.people, options.do)
            )
        )
        return 0
    place = Path(tempfile.mkdtemp(prefix="purposebind-scale-", dir=options.folder))
    try:
        found = measure(place / "ledger", options.people)
    finally:
        shutil.rmtree(place)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        _tell(found)
    return 0 if all(one["exact"] and one["within"] for one in found["questions"].values()) else 1


def _tell(found: dict[str, Any]) -> None:
    print(f"{found['people']:,} people on {found['cores']} cores; {found['bytes'] / 2**30:.2f} GiB on the disk")
    print(f"written in {found['writing']:.0f} s, compacted in {found['compacting']:.0f} s")
    for name, one in found["questions"].items():
        said = "exact" if one["exact"] else f"WRONG: {one['answer']}, and not {one['truth']}"
        limit = "" if one["within"] else "; OVER THE LIMIT"
        took = f"{one['seconds']:6.1f} s ({one['processor']:.1f} s of a core)"
        print(f"{name:<9} {took:<30} {one['memory'] / 2**30:5.2f} GiB  {said}{limit}")


if __name__ == "__main__":
    sys.exit(main())
