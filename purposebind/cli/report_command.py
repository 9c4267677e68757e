"""``purposebind report``: the page about a ledger, in a file. Needs the extra ``ledger``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from .ledger_options import KeyFile, LedgerPaths, SinceOption, UntilOption, answered, fail, moment_of
from .progress import progress_bar
from .writing import replace

if TYPE_CHECKING:
    from purposebind.ledger.report import Declared
    from purposebind.ledger.report.page import Finding

__all__ = ["report"]

_STYLES = {"bad": "bold red", "warn": "yellow", "good": "green"}
_MARKS = {"bad": "BAD ", "warn": "NOTE", "good": "OK  "}


def report(
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the page; an older one is replaced.")],
    ledger: LedgerPaths = None,
    package: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PKG",
            help="A package or module with your models: it is imported, so that the page can tell what is declared "
            "and never read. May be given several times.",
        ),
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    anchor: Annotated[
        str | None, typer.Option(metavar="N:HASH", help="A head of the chain that was kept elsewhere.")
    ] = None,
    key: KeyFile = None,
) -> None:
    """Write one page that tells whose data was read, for what, and by which code.

    It needs no network, can be sent as it is, and holds no personal data: people are counted, not named.

    Exits with 0 where the page was written, also where it has bad news, and with 2 otherwise.
    """
    with answered(ledger, key) as opened:
        from purposebind.ledger.report import build, render

        span = {"since": moment_of(since, "--since"), "until": moment_of(until, "--until")}
        declared = _declared(package or [])
        with progress_bar(Console(stderr=True)) as watch:
            made = build(opened, declared, **span, anchor=anchor, watch=watch)
        try:
            replace(out, render(made))
        except OSError as error:
            fail(f"{out} cannot be written: {error.strerror}")
    _tell(made.findings, out)


def _declared(packages: list[str]) -> Declared | None:
    from purposebind.ledger.report import declared_in

    if not packages:
        return None
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does: the service's package is often in the folder it is run from
    return declared_in(*packages)


def _tell(findings: tuple[Finding, ...], out: Path) -> None:
    console = Console(soft_wrap=True)
    for finding in findings:
        console.print(
            Text.assemble((f"{_MARKS[finding.level]} ", _STYLES[finding.level]), finding.text), highlight=False
        )
    console.print(Text(f"The page is in {out}"), highlight=False)
