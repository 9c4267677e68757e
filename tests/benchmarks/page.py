"""The page: from what was measured to Markdown."""

from __future__ import annotations

import os
import platform
import re
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path

import pydantic
import pydantic_core
import pyperf  # type: ignore[import-untyped]
from ledger_scale import REGULATOR
from timing import Quartiles, Result

__all__ = ["page", "table"]

_PAGE = """\
<!-- Made by tests/benchmarks/run.py, the words too. Run it again rather than edit this. -->
# Benchmarks

## Who measures, and what favours whom

The authors of purposebind measure purposebind here: they chose the models, the baselines and the limits. Run it on
your own models before you rely on it. The source is short:
[what is measured](../tests/benchmarks/figures.py), [how](../tests/benchmarks/timing.py).

What favours purposebind:

- The same purposes are asked for again and again. A scope remembers what it allowed, and the first read of each policy
  under each set of purposes, which has to decide, is not in these figures.
- Nobody records reads, but where the figure says so. With a ledger on, every read is recorded before its value is
  handed out.
- Refused reads are not measured. They build a message, and take far longer.
- No two records of a list share a string, as real ones do not. The same record 2,000 times stays in the processor's
  cache, and gave ratios about 5% higher.
- The hand-written property guards one attribute and nothing else: a dump, a comparison, a pickle or a log line of that
  model gives the phone number away. It is the least that anyone could write, and the only baseline that checks at all.

What favours the baselines:

- The fields are an integer and three short strings, without constraints. Nothing is cheaper to validate and to write
  out, so the added cost, which does not depend on the type, weighs most here. Half of the fields are tagged.
- `SecretStr` asks nobody. Where purposebind checks a purpose and hands over the number, `SecretStr` writes asterisks,
  or hands over itself: the statement is the same, the result is not.
{build}
## The machine

| | |
|---|---|
{machine}

## How it is measured

The unit is a ratio, because the speed of a shared machine can halve for seconds at a time. In one round the
baseline, the tagged model, the model with `SecretStr` and an empty loop are timed back to back, about a millisecond
each (longer only where a single statement is), in an order that turns from round to round. The empty loop's time is
subtracted. Each round gives one ratio. The table has their median, and in brackets their quartiles, over
{rounds} rounds a figure in {processes} processes, each with its own hash seed and memory layout. The
processes had {share:.0%} of a core; the less they have, the wider the quartiles.

The garbage collector runs as it does in production. A median leaves out a cost that falls on few rounds, such as a
full collection; the ratio of the total times, which does not, is at most {totals} away from the median here.

## Results

{verdict}

"Within" compares the median with the limit; "not in every process" is added where the processes' medians fall on both
sides of it. A ratio is to the baseline in the same row, whose time is there to give the order of magnitude. "Faster"
and "slower" say how the tagged model did against the one with `SecretStr` in at least three rounds of four, by a
ratio taken in each round.

{table}

### Where `SecretStr` is faster

{secret}

## Memory

Bytes allocated for one instance, by tracemalloc, without the values of the fields, which all three share:

| Plain pydantic | Tagged | `SecretStr` |
|---|---|---|
| {plain_bytes} | {tagged_bytes} ({tagged_weight:.2f}x) | {secret_bytes} ({secret_weight:.2f}x) |

A tagged value is in a box: an object that points to the value, to what it is bound to, and to whose data it is. What it
points to is shared, or was there before. The instance itself has one slot more.

## Consent and time

[The script](../tests/benchmarks/consent_reads.py) reads each of many people once, in a scope that was
told whose data will be read. An empty loop over the same people is taken off.

{consent}

{ledger}
## Why it costs what it costs

Plain pydantic does nearly all of its work in Rust, and purposebind is written in Python. What it adds is therefore
counted in calls from the one into the other.

- **An allowed read** is one call of a Python function, as with the hand-written property: a descriptor on the class
  takes the box from the instance, and looks whether the innermost scope has allowed this policy before. The rest of
  the difference is the box and the dictionary it lies in.
- **An untagged read** meets nothing of the library: descriptors stand before tagged fields alone, and there is no
  `__getattribute__`.
- **Validation** runs as pydantic's does, and comes back once to seal the instance: a box for each tagged value, put in
  its place in the instance's dictionary, and nothing for the others. The model's own entry points are Python functions,
  since they have to clean a validation error of its values before it leaves. Inside a list or a parent the way back is
  a validator in Python around each model. `SecretStr` is also made by a call into Python for each value.
- **A dump** calls one Python function for each tagged field, which asks as a read does and hands the value over. That
  serves models whose tagged fields are scalars, or containers of scalars, without serializers of the user's. A
  container is gone through twice: the function has pydantic write it out, and pydantic then writes out what came of it.
- **The exact road** serves the other models, such as those with a `field_serializer`, or with models under a tag. A
  serializer that comes from elsewhere must see plain values, so the whole model is written out from a view: another
  instance, with a copy of the dictionary in which the fields that are to be written out are opened, one question for
  each. In a list that happens to every item, while pydantic goes through it in one call: these are the largest ratios
  here.
- **A read under consent** looks into a set of those who consent, which is taken away before it is too old. **A read of
  what is retained** looks at the clock.
- **A recorded read** asks a function that the ledger left with the scope: it looks up the first half of a record by
  field and the second by person, puts them together, and writes them to a file that is mapped into memory, in one call
  into C.
- **A copy** is pydantic's, which is Python, with a pass over the tagged fields after it.
- **A scope** that only set a variable could not tell where it was entered, nor end for a task that outlived its block.
  Entering one makes a frame that knows the line of code, looks up what these purposes lead to from the active ones, and
  is entered among the open ones; leaving it takes away what it granted.
  The baseline is slower outside any other scope, where resetting the variable removes it from the context.

## How to run it

In an environment with the extra `dev`, from the root of a clone:

```sh
python -m tests.benchmarks.run                                # measures, and prints the table
python -m tests.benchmarks.run --quick                        # the same in half a minute, less exact
python -m tests.benchmarks.run --only read --only dump        # some of the figures, by the names in the table
python -m tests.benchmarks.run --write docs/benchmarks.md     # makes this page, on CPython 3.13
python -m tests.benchmarks.consent_reads                      # reads under consent, and of what is retained
python -m tests.benchmarks.ledger_reads                       # what the ledger adds to a read
python -m tests.benchmarks.ledger_scale                       # {regulator}; takes 15 GB and a quarter of an hour
```

It is a command for people, and no test: a machine that is busy must not fail a build.
"""


def page(
    results: list[Result], weights: Mapping[str, int], processes: int, share: float, ledger: str, consent: str
) -> str:
    """Return docs/benchmarks.md.

    Args:
        results: What was measured, one for each figure.
        weights: Bytes of an instance, by variant.
        processes: How many processes measured.
        share: How much of a core they had.
        ledger: The section about the ledger.
        consent: The table of reads under consent.
    """
    rounds = sorted(result.rounds for result in results)
    return _PAGE.format(
        build=_build(),
        machine="\n".join(f"| {what} | {value} |" for what, value in _machine()),
        rounds=f"{rounds[0]} to {rounds[-1]:,}",
        processes=processes,
        share=share,
        ledger=ledger,
        consent=consent,
        regulator=f"{REGULATOR:,} people",
        totals=f"{max(abs(r.ratio_of_totals / r.ratio.median - 1) for r in results):.0%}",
        verdict=_verdict(results),
        table=table(results),
        secret=_secret(results),
        plain_bytes=weights["baseline"],
        tagged_bytes=weights["tagged"],
        secret_bytes=weights["secret"],
        tagged_weight=weights["tagged"] / weights["baseline"],
        secret_weight=weights["secret"] / weights["baseline"],
    )


def table(results: Iterable[Result]) -> str:
    """Return the results as a table in Markdown."""
    lines = [
        "| Figure | `--only` | Baseline | Ratio | Limit | Within | `SecretStr` ratio | Against `SecretStr` |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        figure = result.figure
        within = "yes" if result.within else "**no**"
        if result.close:
            within += ", not in every process" if result.within else ", yes in some processes"
        cells = [
            figure.title,
            f"`{figure.name}`",
            f"{figure.against}, {_duration(result.seconds['baseline'])}",
            _ratio(result.ratio),
            f"{figure.limit:.2f}",
            within,
            _ratio(result.secret) if result.secret else "-",
            _against_secret(result),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _ratio(ratio: Quartiles) -> str:
    return f"{ratio.median:.2f} [{ratio.low:.2f}-{ratio.high:.2f}]"


def _against_secret(result: Result) -> str:
    if result.to_secret is None:
        return "-"
    word = "faster" if result.faster_than_secret else "slower" if result.slower_than_secret else "no clear difference"
    return f"{word} ({result.to_secret.median:.2f})"


def _duration(seconds: float) -> str:
    for unit, size in (("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def _verdict(results: list[Result]) -> str:
    over = [result for result in results if not result.within]
    said = f"{len(results) - len(over)} of {len(results)} figures are within the limits that the project set itself."
    if not over:
        return said
    return (
        said
        + " Over them:\n\n"
        + "\n".join(
            f"- {result.figure.title}: {_over(result)}, at most {result.figure.limit:.2f} was wanted" for result in over
        )
    )


def _over(result: Result) -> str:
    """The ratio, as exactly as it takes to see that it is over the limit."""
    median = result.ratio.median
    return f"{median:.2f}" if round(median, 2) > result.figure.limit else f"{median:.4f}"


def _secret(results: list[Result]) -> str:
    slower = [result for result in results if result.slower_than_secret]
    unclear = [r for r in results if r.to_secret is not None and not r.slower_than_secret and not r.faster_than_secret]
    parts = []
    if slower:
        parts.append(
            "The tagged model takes longer than the same model with `SecretStr` fields for:\n\n"
            + "\n".join(f"- {r.figure.title}: {r.to_secret.median:.2f} times as long" for r in slower if r.to_secret)
        )
    else:
        parts.append("Nowhere among these figures.")
    if unclear:
        parts.append("There is no clear difference for: " + ", ".join(r.figure.title for r in unclear) + ".")
    return "\n\n".join(parts)


def _build() -> str:
    if _optimised():
        return ""
    return """
One thing favours neither, and changes every ratio: this Python was configured without `--enable-optimizations`, and
what is written in Python runs slower in it than in the builds that most people install, while pydantic's Rust does not.
"""


def _optimised() -> bool:
    return "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS") or "")


def _machine() -> list[tuple[str, str]]:
    model, virtual = _processor()
    python = f"{platform.python_implementation()} {platform.python_version()}"
    optimised = "with" if _optimised() else "without"
    return [
        ("Processor", model + (", in a virtual machine" if virtual else "")),
        ("Cores", str(os.cpu_count())),
        ("System", f"{platform.system()} {platform.machine()}"),
        ("Python", f"{python}, {platform.python_compiler()}, {optimised} `--enable-optimizations`"),
        ("pydantic", f"{pydantic.VERSION}, pydantic-core {pydantic_core.__version__}"),
        ("purposebind", f"{_version()}, pure Python"),
        ("Clock", f"`perf_counter` of pyperf {pyperf.__version__}"),
    ]


def _processor() -> tuple[str, bool]:
    """The model of the processor, and whether it is known to be a virtual one."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine(), False
    facts = dict(line.replace("\t", "").split(": ", 1) for line in lines if ": " in line)
    return facts.get("model name", platform.machine()), "hypervisor" in facts.get("flags", "").split()


def _version() -> str:
    """The version of the checkout, which need not be the one installed."""
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    found = re.search(r'^version = "(.+)"$', project.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else "of this checkout"
