"""What a ledger adds to a read: once the person's hash is known, and the first time.

Rounds as in `timing`: the same accounts are read without a ledger, for the first time with one, and again with it, back
to back, and each round gives a ratio and a difference. In each round the people are new. Run it from the root::

    python -m tests.benchmarks.ledger_reads
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this checkout is measured, whatever is installed
sys.path.insert(0, str(Path(__file__).resolve().parent))

from figures import PURPOSE, IdentifiedAccount, record

from purposebind import configure, purpose_scope
from purposebind.ledger import Key, Ledger

__all__ = ["MOST_FIRST", "MOST_RATIO", "PEOPLE", "measure"]

PEOPLE = 2_000
"""How many people are read in a round: few enough for the recorder to remember them all."""
ROUNDS = 300
MOST_RATIO = 3.0
"""A recorded read takes at most so many times as long as one that is not recorded."""
MOST_FIRST = 1e-6
"""The first read of a person takes at most so many seconds more than the next."""


def measure(rounds: int = ROUNDS) -> dict[str, float]:
    """Return the medians over `rounds`: seconds for a read of each kind, the ratio and the difference."""
    taken: dict[str, list[float]] = {"unrecorded": [], "first": [], "known": [], "ratio": [], "first_more": []}
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger", key=Key(bytes(32))) as ledger:
        for number in range(-3, rounds):  # the first three warm up
            made = [IdentifiedAccount(**record(i)) for i in range((number + 4) * PEOPLE, (number + 5) * PEOPLE)]
            gc.collect()
            with purpose_scope(PURPOSE):
                unrecorded = _read(made)
                empty = _loop(made)
            with configure(ledger=ledger), purpose_scope(PURPOSE):
                _read([IdentifiedAccount(**record(0))])  # opens the activity
                first = _read(made)
                known = _read(made)
            if number < 0:
                continue
            for name, seconds in (("unrecorded", unrecorded), ("first", first), ("known", known)):
                taken[name].append((seconds - empty) / PEOPLE)
            taken["ratio"].append((known - empty) / (unrecorded - empty))
            taken["first_more"].append((first - known) / PEOPLE)
    return {name: statistics.median(values) for name, values in taken.items()}


def _read(accounts: Sequence[Any]) -> float:
    start = perf_counter()
    for account in accounts:
        account.phone
    return perf_counter() - start


def _loop(accounts: Sequence[Any]) -> float:
    start = perf_counter()
    for _ in accounts:
        pass
    return perf_counter() - start


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = measure(asked.rounds)
    if asked.json:
        print(json.dumps(found))
        return
    print(f"a read that is not recorded    {found['unrecorded'] * 1e9:8.0f} ns")
    print(f"a recorded read, person known  {found['known'] * 1e9:8.0f} ns")
    print(f"  ratio                        {found['ratio']:8.2f}    at most {MOST_RATIO:.2f}")
    print(f"the first read of a person     {found['first'] * 1e9:8.0f} ns")
    print(f"  more than the next           {found['first_more'] * 1e9:8.0f} ns at most {MOST_FIRST * 1e9:.0f} ns")


if __name__ == "__main__":
    main()
