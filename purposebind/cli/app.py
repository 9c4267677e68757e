"""The application: its subcommands, each of which has a module of its own, and ``--version``."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from . import (
    adoption_commands,
    demo_command,
    inventory_command,
    ledger_commands,
    lock_commands,
    postgres_commands,
    report_command,
    ship_command,
)

__all__ = ["app"]

# Tracebacks show no variables: they might hold somebody's data (R6).
app = typer.Typer(
    name="purposebind",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    rich_markup_mode=None,
)
app.command("demo")(demo_command.demo)
app.command("report")(report_command.report)
app.command("lock")(lock_commands.lock)
app.command("check")(lock_commands.check)
app.command("diff")(lock_commands.diff)
app.command("inventory")(inventory_command.inventory)
app.command("suggest")(adoption_commands.suggest)
app.command("simulate")(adoption_commands.simulate)
app.command("coverage")(adoption_commands.coverage)
app.add_typer(ledger_commands.group)
app.add_typer(postgres_commands.group)
ledger_commands.group.command("ship")(ship_command.ship)


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        typer.echo(f"purposebind {version('purposebind')}")
    except PackageNotFoundError:  # run from a source tree that was not installed
        typer.echo("purposebind, not installed")
    raise typer.Exit


@app.callback()
def _purposebind(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Binds personal data to the purposes it was collected for, and keeps it bound while a service runs."""
