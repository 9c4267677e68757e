"""What the commands about a ledger have in common: their options, and what becomes of an error."""

from __future__ import annotations

import difflib
import re
from collections.abc import Generator, Iterable
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer
from rich.text import Text

from purposebind import PurposeError

from .answers import Form, console, visible

if TYPE_CHECKING:
    from purposebind.ledger import Ledger
    from purposebind.ledger.filters import Filters

__all__ = [
    "AsCsv",
    "AsJson",
    "DecisionOption",
    "FieldOption",
    "KeyFile",
    "LedgerPaths",
    "PurposeOption",
    "SinceOption",
    "SiteOption",
    "UntilOption",
    "answered",
    "fail",
    "filters_of",
    "form_of",
    "moment_of",
    "note",
    "require_known",
]

_TIMES: Final = "An ISO time with its zone, such as 2019-05-01T00:00Z."

LedgerPaths = Annotated[
    list[Path] | None,
    typer.Option(
        "--ledger",
        metavar="PATH",
        envvar="PURPOSEBIND_LEDGER",
        help="A ledger's folder. May be given several times, for the ledgers of a fleet.",
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="The file with the ledger's key.  [default: what PURPOSEBIND_LEDGER_KEY holds, or PATH.key]",
    ),
]
FieldOption = Annotated[
    str | None,
    typer.Option("--field", metavar="FIELD", help="A field, such as Account.phone, or a whole model: Account."),
]
PurposeOption = Annotated[
    str | None, typer.Option("--purpose", metavar="PURPOSE", help="A purpose; its descendants are included.")
]
DecisionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--decision", metavar="WORD", help="allowed, observed, break_glass or denied. May be given several times."
    ),
]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help=f"What happened then or later. {_TIMES}")
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="TIME", help="What happened before.")]
SiteOption = Annotated[
    str | None,
    typer.Option("--site", metavar="PLACE", help="A place in the code, such as app/login.py, or app/login.py:88."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV, and nothing else.")]

_DATE: Final = re.compile(r"(\d{4}-\d\d-\d\d)([Zz]|[+-]\d\d:\d\d)?\Z")
_ZONE: Final = re.compile(r"[Zz]\Z")


def fail(message: str) -> NoReturn:
    """Tell the user in one line why there is no answer, and exit with 2."""
    console(stderr=True).print(Text(visible(message), style="red"), soft_wrap=True)
    raise typer.Exit(2)


def note(message: str) -> None:
    """Tell the user something beside the answer."""
    console(stderr=True).print(Text(visible(message), style="yellow"), soft_wrap=True)


def form_of(as_json: bool, as_csv: bool) -> Form:
    """Return how the answer is to be printed."""
    if as_json and as_csv:
        fail("The answer is printed as JSON or as CSV: give one of --json and --csv.")
    return "json" if as_json else "csv" if as_csv else "table"


def moment_of(text: str | None, option: str) -> datetime | None:
    """Return the time that was given for an option."""
    if text is None:
        return None
    date = _DATE.match(text.strip())
    whole = f"{date[1]}T00:00{date[2] or ''}" if date else text.strip()
    try:
        moment = datetime.fromisoformat(_ZONE.sub("+00:00", whole))
    except ValueError:
        fail(f"{option} takes an ISO time with its zone, such as 2019-05-01T00:00Z, and not {text!r}")
    if moment.utcoffset() is None:
        fail(f"{option} {text} could be anywhere in two days: add the zone, for UTC {option} {whole}Z")
    return moment


def filters_of(
    field: str | None,
    purpose: str | None,
    decision: list[str] | None,
    since: str | None,
    until: str | None,
    site: str | None,
) -> Filters:
    """Return what was asked for."""
    return {
        "field": field,
        "purpose": purpose,
        "decision": decision or None,
        "since": moment_of(since, "--since"),
        "until": moment_of(until, "--until"),
        "site": site,
    }


@contextmanager
def answered(ledger: list[Path] | None, key: Path | None, doing: str | None = None) -> Generator[Ledger, None, None]:
    """Open the ledger that was named, show what is done in the block, and tell each error in it in one line."""
    if not ledger:
        fail("Which ledger? Give its folder with --ledger, or set PURPOSEBIND_LEDGER.")
    from purposebind.ledger import Ledger

    try:
        with console(stderr=True).status(doing) if doing else nullcontext(), Ledger(*ledger, key=key) as opened:
            yield opened
    except ModuleNotFoundError as error:
        fail(f"This needs {error.name}, which is not installed: pip install 'purposebind[ledger]'")
    except PurposeError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))


def require_known(opened: Ledger, filters: Filters) -> None:
    """Tell the user where a filter is a name that the ledger has never heard: "0 people" would be a wrong answer."""
    from purposebind.ledger.filters import chosen

    wanted = chosen(filters)
    fields, purposes = opened.fields(), opened.purposes()
    if wanted.field is not None and not any(map(wanted.takes_field, fields)):
        _unknown("field", wanted.field, {*fields, *(field.rpartition(".")[0] for field in fields)})
    if wanted.purpose is not None and not any(map(wanted.takes_purpose, purposes)):
        _unknown("purpose", wanted.purpose, purposes)
    if wanted.site is not None and not any(map(wanted.takes_site, opened.places())):
        fail(f"No place in the ledger is like {wanted.site}: give its file, with the line or without")


def _unknown(kind: str, name: str, known: Iterable[str]) -> NoReturn:
    near = difflib.get_close_matches(name, sorted(filter(None, known)), cutoff=0.5)
    hint = f"; near to it: {', '.join(near)}" if near else ""
    fail(f"No {kind} in the ledger is called {name}{hint}")
