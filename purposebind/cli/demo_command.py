"""``purposebind demo``: the replay on a terminal, or as JSON for whoever checks it. Needs the extra ``ledger``."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from purposebind.demo.sizes import DEFAULT_ACCOUNTS, DEFAULT_SEED

from .progress import progress_bar

__all__ = ["demo"]

_FAST_ACCOUNTS = 2_000
_FROM_THE_LEDGER_EXTRA = ("duckdb", "jinja2", "numpy")


def demo(
    accounts: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help=f"People with an account.  [default: {DEFAULT_ACCOUNTS}]"),
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help=f"Take {_FAST_ACCOUNTS} accounts.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")] = False,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where to leave the ledger and its report.  [default: a temporary folder]"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Make other people.")] = DEFAULT_SEED,
) -> None:
    """Replay 2019: match an advertiser's list to phones and e-mails that were given for two-factor login.

    Sign-in reads them and works. The audience match is refused, at the first read and by every other road. Then it runs
    in observe mode, as it went in 2019, and the people affected are counted exactly: by a hook while it runs, and by
    the ledger afterwards.

    Exits with 0 where every road was refused and the count is exact, and with 1 otherwise. All people are invented.
    """
    for name in _FROM_THE_LEDGER_EXTRA:
        try:
            import_module(name)
        except ModuleNotFoundError:
            typer.echo(f"The replay needs {name}, which is not installed: pip install 'purposebind[ledger]'", err=True)
            raise typer.Exit(2) from None
    if folder is not None and (folder / "ledger").exists():
        raise typer.BadParameter(f"there is a ledger in {folder} already: name another folder", param_hint="--folder")
    if accounts is None:
        accounts = _FAST_ACCOUNTS if fast else DEFAULT_ACCOUNTS
    from purposebind.demo import render, story

    with progress_bar(Console(stderr=True, quiet=as_json)) as watch:
        outcome = story.replay(accounts, seed=seed, folder=folder, watch=watch)
    if as_json:
        typer.echo(json.dumps(outcome.as_json(), indent=2))
    else:
        render.show(outcome, Console())
    if not outcome.passed:
        raise typer.Exit(1)
