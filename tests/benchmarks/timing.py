"""How it is measured: in rounds so short that the machine's speed does not change inside one.

On a shared machine the speed shifts by half for seconds at a time. Two timings taken one after the other cannot be
divided by each other there; two taken within a few milliseconds can. So each round times every variant once, back to
back, in an order that turns from round to round, and an empty loop with them, whose time is subtracted; each round
gives one ratio, and the ratios' median over rounds and processes is the figure. The garbage collector runs as it does
in production.

Run as a program this is one worker: it measures the figures named on its command line, and prints the rounds as JSON.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this checkout is measured, whatever is installed

import pyperf  # type: ignore[import-untyped]
from figures import ALLOWED, FIGURES, PURPOSE, Figure, Variant, active

from purposebind import purpose_scope

__all__ = ["Quartiles", "Result", "measure", "rounds_in_worker", "summary"]

_CHUNK = 0.001
"""How long one timing of the baseline takes, in seconds; longer only where the statement is."""
_WARM_UP = 3
_FEWEST_ROUNDS = 8

Rounds = dict[str, list[float]]
"""Seconds for one statement, net of the loop, by variant; one item for each round."""


class Quartiles(NamedTuple):
    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Quartiles:
        return cls(*statistics.quantiles(values, n=4, method="inclusive"))


@dataclass(frozen=True)
class Result:
    """What came of a figure.

    Attributes:
        figure: The figure.
        rounds: How many rounds there were, in all processes.
        seconds: Median seconds for one statement, by variant.
        ratio: Tagged to baseline.
        ratio_of_totals: The same of the sums over all rounds, rare collections of garbage included.
        by_process: The median ratio in each process.
        secret: `SecretStr` to baseline.
        to_secret: Tagged to `SecretStr`.
    """

    figure: Figure
    rounds: int
    seconds: Mapping[str, float]
    ratio: Quartiles
    ratio_of_totals: float
    by_process: list[float]
    secret: Quartiles | None
    to_secret: Quartiles | None

    @property
    def within(self) -> bool:
        return self.ratio.median <= self.figure.limit

    @property
    def close(self) -> bool:
        """Whether the processes disagree about the limit."""
        return min(self.by_process) <= self.figure.limit < max(self.by_process)

    @property
    def slower_than_secret(self) -> bool:
        """Whether three rounds of four were slower than with `SecretStr`."""
        return self.to_secret is not None and self.to_secret.low > 1

    @property
    def faster_than_secret(self) -> bool:
        """Whether three rounds of four were faster than with `SecretStr`."""
        return self.to_secret is not None and self.to_secret.high < 1


def _timer(variant: Variant, unrolled: int) -> Callable[[int], float]:
    """Return a function that runs a statement that many times, and returns the seconds it took, loop included."""
    variables = dict(variant.variables())
    lines = [
        f"def timed(rounds, clock, {', '.join(variables)}):",
        "    start = clock()",
        "    for _ in rounds:",
        *[f"        {variant.statement}"] * unrolled,
        "    return clock() - start",
    ]
    namespace: dict[str, Any] = {}
    exec("\n".join(lines), namespace)
    timed = namespace["timed"]

    def run(loops: int) -> float:
        with variant.around():
            timed(repeat(None, 1), pyperf.perf_counter, **variables)
            seconds: float = timed(repeat(None, loops), pyperf.perf_counter, **variables)
        return seconds

    return run


@contextmanager
def _conditions(figure: Figure) -> Iterator[None]:
    """Both ContextVars hold the purpose, or neither does."""
    if not figure.in_scope:
        yield
        return
    token = active.set(ALLOWED)
    try:
        with purpose_scope(PURPOSE):
            yield
    finally:
        active.reset(token)


def measure(figure: Figure, seconds: float) -> Rounds:
    """Time `figure` for about that long."""
    variants = {"empty": Variant("pass", dict), "baseline": figure.baseline, "tagged": figure.tagged}
    if figure.secret is not None:
        variants["secret"] = figure.secret
    rounds: Rounds = {name: [] for name in variants if name != "empty"}
    with _conditions(figure):
        timers = {
            name: _timer(variant, 1 if name == "empty" else figure.unrolled) for name, variant in variants.items()
        }
        loops = 1
        while timers["baseline"](loops) < _CHUNK:
            loops *= 2
        gc.collect()
        order = list(timers)
        end, done = pyperf.perf_counter() + seconds, -_WARM_UP
        while done < _FEWEST_ROUNDS or pyperf.perf_counter() < end:
            taken = {name: timers[name](loops) for name in order}
            order = order[1:] + order[:1] if done % 2 else order[::-1]
            done += 1
            if done > 0:
                for name, times in rounds.items():
                    times.append(max(taken[name] - taken["empty"], 1e-12) / (loops * figure.unrolled))
    return rounds


def rounds_in_worker(names: list[str], seconds: float) -> dict[str, Rounds]:
    """Measure the figures `names` in a process of its own, each for `seconds`."""
    command = [sys.executable, str(Path(__file__).resolve()), str(seconds), *names]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    measured: dict[str, Rounds] = json.loads(done.stdout)
    return measured


def summary(figure: Figure, processes: list[Rounds]) -> Result:
    """Put together what the processes measured."""

    def ratios(above: str, below: str, rounds: Rounds) -> list[float]:
        return [a / b for a, b in zip(rounds[above], rounds[below], strict=True)]

    def pooled(above: str, below: str) -> list[float]:
        return [ratio for rounds in processes for ratio in ratios(above, below, rounds)]

    def all_times(variant: str) -> list[float]:
        return [time for rounds in processes for time in rounds[variant]]

    has_secret = figure.secret is not None
    return Result(
        figure,
        len(all_times("baseline")),
        {variant: statistics.median(all_times(variant)) for variant in processes[0]},
        Quartiles.of(pooled("tagged", "baseline")),
        sum(all_times("tagged")) / sum(all_times("baseline")),
        [statistics.median(ratios("tagged", "baseline", rounds)) for rounds in processes],
        Quartiles.of(pooled("secret", "baseline")) if has_secret else None,
        Quartiles.of(pooled("tagged", "secret")) if has_secret else None,
    )


if __name__ == "__main__":
    wanted = sys.argv[2:]
    print(json.dumps({f.name: measure(f, float(sys.argv[1])) for f in FIGURES if f.name in wanted}))
