"""``purposebind ledger ship``: what was recorded on this machine, into the database where a fleet is asked.

Needs the extra ``ship``.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from purposebind import PurposeError

from .answers import Form, Row, console, show, visible
from .ledger_options import AsCsv, AsJson, LedgerPaths, answered, fail, form_of, note

if TYPE_CHECKING:
    from purposebind.ledger import Ledger

__all__ = ["ship"]

_VARIABLE: Final = "PURPOSEBIND_LEDGER_DSN"


def ship(
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="DSN",
            envvar=_VARIABLE,
            show_default=False,
            help="The PostgreSQL database: postgresql://user@host/database. A password belongs into the variable, "
            "PGPASSWORD or ~/.pgpass, and not onto the command line.",
        ),
    ] = None,
    ledger: LedgerPaths = None,
    compact: Annotated[
        bool,
        typer.Option("--compact/--no-compact", help="Compact the ledger before: what is not compacted stays here."),
    ] = True,
    follow_retention: Annotated[
        bool,
        typer.Option("--follow-retention", help="Also remove from the database what was dropped from the ledger."),
    ] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Ship what is new to a PostgreSQL database, exactly once.

    It may be run at any time, by a timer, twice at once, and again after any crash. The database's tables are made
    where they are not there yet.

    Exits with 0 where all is shipped, and with 2 where something is not; what was shipped until then stays.
    """
    form = form_of(as_json, as_csv)
    if not to:
        fail(f"Where to? Give the database with --to, or set {_VARIABLE}.")
    failures: list[str] = []
    rows: list[Row] = []
    with answered(ledger, None) as opened, _bar() as bar:
        from purposebind.ledger.shipping import has_password

        if to != os.environ.get(_VARIABLE) and has_password(to):
            note(f"The password in --to can be read by all users of this machine while this runs: set {_VARIABLE}.")
        for one in opened.each():
            try:
                rows.append(_ship_one(one, to, compact, follow_retention, form, bar))
            except PurposeError as error:
                failures.append(str(error))  # the other ledgers are shipped all the same
    if rows:
        show(list(rows[0]), rows, form)
    if failures:
        for failure in failures[:-1]:
            note(failure)
        fail(failures[-1])


def _ship_one(one: Ledger, to: str, compact: bool, follow_retention: bool, form: Form, bar: Progress) -> Row:
    from purposebind.ledger.shipping import ship

    path = str(one.folders[0])
    task = bar.add_task(visible(path), total=None)
    if compact:
        one.compact()
    done = ship(
        path,
        to,
        follow_retention=follow_retention,
        watch=lambda batches, of: bar.update(task, completed=batches, total=of),
    )
    told: dict[str, Any] = asdict(done)
    told["id"] = told["ledger"]
    told["ledger"] = path
    if form == "table":  # people want to know how many, programs which
        del told["id"]
        told |= {"batches": len(done.batches), "removed": len(done.removed)}
    return told


def _bar() -> Progress:
    out = console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=out, transient=True, disable=not out.is_terminal)
