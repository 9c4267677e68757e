"""The ledger's part of the page: what it adds to a read, and how long an answer about very many people takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ledger_reads import MOST_FIRST, MOST_RATIO, PEOPLE
from ledger_scale import LIMITS, MOST_MEMORY

__all__ = ["SCALE", "section"]

SCALE = Path(__file__).with_name("ledger_scale.json")
"""What `ledger_scale` printed with ``--json``, the last time that somebody ran it in full."""

_SECTION = """\
## The ledger

### A recorded read

[The script](../tests/benchmarks/ledger_reads.py) reads the same {people:,} accounts without a ledger, for the first
time with one, and again with it, in rounds as above; the people of each round are new.

| | Seconds | Limit | Within |
|---|---|---|---|
| a read that is not recorded | {unrecorded:.0f} ns | | |
| a recorded read of a person whose hash is known | {known:.0f} ns, {ratio:.2f}x | {most_ratio:.2f}x | {within_ratio} |
| the first read of a person | {first:.0f} ns, {more:.0f} ns more | {most_more:.0f} ns more | {within_more} |

The first read of a person hashes the `SubjectId`. The hashes of 16,384 people are remembered, at most about 8 MiB,
however many people an activity reads: reads go to the segment as they happen, and nothing of them stays in memory.

### {many:,} people

[The script](../tests/benchmarks/ledger_scale.py) has a ledger in which each of {many:,} people was read at least once,
the number of people whom the regulator found affected, and asks it. Each question is a process of its own.

| | Seconds | Memory at most | Limits | Exact | Within |
|---|---|---|---|---|---|
{questions}

On {cores} cores. The ledger was compacted in {compacting:.0f} s, and takes {size:.1f} GiB on the disk. `affected`
counts everybody, `window` those whose phone was read for advertising in the second half of the time, `matrix` the
people for each field and purpose.
"""


def section(reads: Mapping[str, float]) -> str:
    """Return the section.

    Args:
        reads: What `ledger_reads.measure` found.
    """
    scale: dict[str, Any] = json.loads(SCALE.read_text(encoding="utf-8"))
    return _SECTION.format(
        people=PEOPLE,
        unrecorded=reads["unrecorded"] * 1e9,
        known=reads["known"] * 1e9,
        ratio=reads["ratio"],
        most_ratio=MOST_RATIO,
        within_ratio=_yes(reads["ratio"] <= MOST_RATIO),
        first=reads["first"] * 1e9,
        more=reads["first_more"] * 1e9,
        most_more=MOST_FIRST * 1e9,
        within_more=_yes(reads["first_more"] <= MOST_FIRST),
        many=scale["people"],
        questions="\n".join(_question(name, found) for name, found in scale["questions"].items()),
        cores=scale["cores"],
        compacting=scale["compacting"],
        size=scale["bytes"] / 2**30,
    )


def _question(name: str, found: Mapping[str, Any]) -> str:
    limits = f"{LIMITS[name]:.0f} s, {MOST_MEMORY / 2**30:.0f} GiB"
    memory = f"{found['memory'] / 2**30:.2f} GiB"
    verdicts = f"{_yes(found['exact'])} | {_yes(found['within'])}"
    return f"| `{name}` | {found['seconds']:.1f} | {memory} | {limits} | {verdicts} |"


def _yes(true: bool) -> str:
    return "yes" if true else "**no**"
