"""What the static check reports is what is refused when the code runs, and the other way round."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from purposebind import configure
from purposebind.ledger import Ledger

from .programs import Program
from .running import Mypy, prepare, versions

_SEEDS = range(8)


@pytest.mark.parametrize("mypy", versions(), ids=str)
def test_reports_are_denials(mypy: Mypy, tmp_path: Path) -> None:
    """A report of a read that is let through is a false one, and a denial without a report was missed."""
    prepare(tmp_path)
    programs = {f"program{seed}.py": Program(seed, functions=30) for seed in _SEEDS}
    for name, program in programs.items():
        (tmp_path / name).write_text(program.text, encoding="utf-8")
    reported: dict[str, set[int]] = {name: set() for name in programs}
    for found in mypy.run(tmp_path, *programs):
        name, line, rest = found.split(":", 2)
        assert rest.endswith("[purpose-violation]"), found
        reported[name].add(int(line))
    with Ledger(tmp_path / "ledger") as ledger:  # an emergency is recorded, or it is none
        configure(ledger=ledger)
        denied = {name: _denied(program, name) for name, program in programs.items()}
        configure(ledger=None)
    assert reported == denied
    for name, program in programs.items():
        assert program.reads - reported[name], "some reads are let through, or nothing is shown"


def _denied(program: Program, name: str) -> set[int]:
    names: dict[str, Any] = {"__name__": name.removesuffix(".py")}
    exec(compile(program.text, name, "exec", dont_inherit=True), names)
    with redirect_stdout(io.StringIO()):
        for function in names["functions"]:
            function()
    denied: set[int] = names["denied"]
    assert denied
    return denied
