"""What a tag costs: measures it, prints the table, and makes docs/benchmarks.md.

    python -m tests.benchmarks.run [--quick] [--only NAME]... [--write docs/benchmarks.md]

A command that a person runs; never a test, because a busy machine would fail it. The method is in `timing`, what is
measured in `figures`.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this checkout is measured, whatever is installed
sys.path.insert(0, str(Path(__file__).resolve().parent))

import consent_reads
import ledger_reads
import typer
from figures import FIGURES
from ledger_page import section
from memory import bytes_per_instance
from page import page, table
from timing import rounds_in_worker, summary

_LIBRARY = Path(__file__).resolve().parents[2] / "purposebind"
_FULL = (5, 1.6)
"""How many processes measure, and for how many seconds each measures a figure."""
_QUICK = (2, 0.4)
_BUSY = 0.9
"""Processes that had less of a core than this were interrupted inside many rounds."""


def main(
    quick: Annotated[bool, typer.Option("--quick", help="Look for half a minute instead of three.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Measure this figure; may be repeated.")
    ] = None,
    write: Annotated[Path | None, typer.Option(help="Write the page there. Takes a full run on CPython 3.13.")] = None,
) -> None:
    """Measure what a tag costs, as ratios to plain pydantic and to SecretStr."""
    known = [figure.name for figure in FIGURES]
    unknown = sorted(set(only or ()) - set(known))
    if unknown:
        raise typer.BadParameter(f"no figure is called {', '.join(unknown)}. There are: {', '.join(known)}")
    python = platform.python_implementation(), *platform.python_version_tuple()[:2]
    if write is not None and (quick or only or python != ("CPython", "3", "13")):
        raise typer.BadParameter("--write takes a run of every figure, not a quick one, on CPython 3.13")

    processes, seconds = _QUICK if quick else _FULL
    figures = [figure for figure in FIGURES if not only or figure.name in only]
    sources, measured = _sources(), []
    before = os.times()
    for number in range(1, processes + 1):
        print(f"process {number} of {processes}, about {len(figures) * seconds:.0f} s", file=sys.stderr)
        measured.append(rounds_in_worker([figure.name for figure in figures], seconds))
    results = [summary(figure, [rounds[figure.name] for rounds in measured]) for figure in figures]

    share = _share(before, os.times())
    if share < _BUSY:
        print(f"The machine was busy: the processes had {share:.0%} of a core. Measure again.", file=sys.stderr)
    changed = _sources() != sources
    weights = bytes_per_instance()
    print(table(results))
    print("\nBytes per instance: " + ", ".join(f"{variant} {weight}" for variant, weight in weights.items()))
    if changed:
        print("The library was changed during the run: the processes did not measure the same.", file=sys.stderr)
        raise typer.Exit(1)
    if write is not None:
        print("the ledger's reads, and reads under consent", file=sys.stderr)
        sections = section(ledger_reads.measure()), consent_reads.table(consent_reads.measure())
        write.write_text(page(results, weights, processes, share, *sections), encoding="utf-8")


def _share(before: os.times_result, after: os.times_result) -> float:
    """How much of a core the processes had between the two."""
    user, system = after.children_user - before.children_user, after.children_system - before.children_system
    return (user + system) / (after.elapsed - before.elapsed)


def _sources() -> dict[Path, bytes]:
    """The library as it stands; each process imports it anew."""
    return {path: path.read_bytes() for path in _LIBRARY.rglob("*.py")}


if __name__ == "__main__":
    typer.run(main)
