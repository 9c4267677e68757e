"""``purposebind inventory``: the record of processing activities. Needs the extra ``governance``.

With a ledger it needs the extra ``ledger`` too. Exits with 0 where the record was written, and with 2 otherwise.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from purposebind import PurposeError

from .answers import Form, show
from .ledger_options import KeyFile, LedgerPaths, answered, fail, note
from .writing import replace, tell, unwritten

if TYPE_CHECKING:
    from purposebind.governance.inventory import Filled, Record

__all__ = ["inventory"]

_FORMS: Final = ("table", "markdown", "csv", "jsonld", "fides")
_DOING: Final = "Asking the ledger"


def inventory(
    package: Annotated[
        list[str], typer.Argument(metavar="PACKAGE...", help="Packages with models. They are imported.")
    ],
    ledger: LedgerPaths = None,
    key: KeyFile = None,
    form: Annotated[
        str, typer.Option("--form", metavar="FORM", help="How to write it: table, markdown, csv, jsonld or fides.")
    ] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Where to write it.  [default: standard output]")
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record", metavar="FILE", help="A TOML file with what the code cannot tell, such as the controller."
        ),
    ] = None,
) -> None:
    """Write the record of processing activities (GDPR article 30) from the tags that are enforced.

    With --ledger it also tells what really happened: for each purpose and field how many reads, of how many people,
    what was refused, and when.

    What neither the code nor the file of --record says is marked as to be filled in.
    """
    if form not in _FORMS:
        fail(f"--form {form}: there are {', '.join(_FORMS)}.")
    made = _made(package, ledger, key, record)
    if output is None:
        _print(made, form)
    else:
        try:
            replace(output, _written(made, form))
        except OSError as error:
            fail(f"{output} cannot be written: {error.strerror}")
        tell(f"{output}: {len(made.activities)} purposes, {len(_fields(made))} tagged fields, columns and functions.")
    for remark in made.remarks:
        note(remark)


def _print(made: Record, form: str) -> None:
    try:
        if form == "table":
            _show_here(made)
        else:
            tell(_written(made, form), end="")
    except UnicodeEncodeError as error:
        fail(f"Standard output is {error.encoding}, and the record is not. Write it to a file, with --output.")


def _show_here(made: Record) -> None:
    try:
        _show(made, "table")
        sys.stdout.flush()
    except UnicodeEncodeError:
        raise
    except (OSError, SystemExit) as error:  # rich exits where nobody reads any more
        unwritten(error)


def _made(packages: list[str], ledger: list[Path] | None, key: Path | None, record: Path | None) -> Record:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does: the service's package is often in the folder it is run from
    try:
        from purposebind.governance.inventory import inventory

        told, name = _told(record), str(record)
        if not ledger:
            return inventory(*packages, filled=told, filled_name=name)
        with answered(ledger, key, _DOING) as opened:
            return inventory(*packages, ledger=opened, filled=told, filled_name=name)
    except PurposeError as error:
        fail(str(error))


def _told(path: Path | None) -> Filled | None:
    from purposebind.governance.inventory import filled

    if path is None:
        return None
    try:
        return filled(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        fail(f"There is no {path}. Leave --record out to see what has to be filled in.")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path} cannot be read: {error}")


def _written(made: Record, form: str) -> str:
    from purposebind.governance.inventory import FORMS

    if form in FORMS:
        try:
            return FORMS[form](made)
        except PurposeError as error:
            fail(str(error))
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        _show(made, "csv" if form == "csv" else "table")
    return out.getvalue()


def _show(made: Record, form: Form) -> None:
    from purposebind.governance.inventory.rows import COLUMNS, SHORT, rows

    show(COLUMNS if form == "csv" else SHORT, list(rows(made)), form, nothing="The code declares no purpose.")


def _fields(made: Record) -> set[tuple[str, str]]:
    return {(line.where, line.field) for activity in made.activities for line in activity.data}
