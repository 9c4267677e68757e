"""``purposebind ledger``: a command for each question, and those that check a ledger and keep it in order.

Needs the extra ``ledger``. Each prints a table, or JSON or CSV, and exits with 2 where there is no answer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from . import ledger_upkeep, ship_command
from .answers import Form, Row, show
from .ledger_options import (
    AsCsv,
    AsJson,
    DecisionOption,
    FieldOption,
    KeyFile,
    LedgerPaths,
    PurposeOption,
    SinceOption,
    SiteOption,
    UntilOption,
    answered,
    filters_of,
    form_of,
    note,
    require_known,
)

if TYPE_CHECKING:
    from purposebind.ledger import Ledger
    from purposebind.ledger.filters import Filters

__all__ = ["group"]

group = typer.Typer(name="ledger", no_args_is_help=True, rich_markup_mode=None)
"""The commands; other modules add theirs."""

_ASKING: Final = "Asking the ledger"
_NOTHING: Final = "Nothing in the ledger is like that."


@group.callback()
def _ledger() -> None:
    """Whose data was read, for what, by which code: ask a ledger, check it, and keep it in order."""


# --- Questions -------------------------------------------------------------------------------------------------------

_Ask = Callable[["Ledger", "Filters"], Sequence[Any]]


def _question(name: str, row: str, *, one: bool = False) -> Callable[[_Ask], _Ask]:
    """Make a command of a question that has nothing but filters; `row` names the class of its answers."""

    def register(ask: _Ask) -> _Ask:
        def command(
            ledger: LedgerPaths = None,
            key: KeyFile = None,
            field: FieldOption = None,
            purpose: PurposeOption = None,
            decision: DecisionOption = None,
            since: SinceOption = None,
            until: UntilOption = None,
            site: SiteOption = None,
            as_json: AsJson = False,
            as_csv: AsCsv = False,
        ) -> None:
            filters = filters_of(field, purpose, decision, since, until, site)
            _ask(ask, filters, row, ledger, key, form_of(as_json, as_csv), one)

        command.__doc__ = ask.__doc__
        group.command(name)(command)
        return ask

    return register


def _ask(
    ask: _Ask, filters: Filters, row: str, paths: list[Path] | None, key: Path | None, form: Form, one: bool = False
) -> None:
    with answered(paths, key, _ASKING) as opened:
        answers = ask(opened, filters)
        if not answers or (one and not answers[0].reads):
            require_known(opened, filters)
        notes = _incomplete(opened)
    for text in notes:
        note(text)
    from purposebind.ledger import results

    columns = [field.name for field in fields(getattr(results, row))]
    show(columns, [_row(answer) for answer in answers], form, one=one, nothing=_NOTHING)


def _row(answer: Any) -> Row:
    """The cells of an answer; a list of objects is one of dicts."""

    def plain(value: Any) -> Any:
        if isinstance(value, tuple) and any(hasattr(item, "__dataclass_fields__") for item in value):
            return [vars(item) for item in value]
        return value

    return {name: plain(value) for name, value in vars(answer).items()}


def _incomplete(opened: Ledger) -> list[str]:
    """What keeps the numbers from being the whole truth."""
    lost, broken = opened.lost().reads, sum(found.records for found in opened.damage())
    notes = []
    if lost:
        what = "1 read was" if lost == 1 else f"{lost:,} reads were"
        notes.append(f"The numbers are too low: {what} let through and could not be recorded.")
    if broken:
        what = "1 record is" if broken == 1 else f"{broken:,} records are"
        notes.append(f"The numbers may be too low: {what} broken, and part of no answer.")
    return notes


@_question("affected", "Affected", one=True)
def _affected(opened: Ledger, filters: Filters) -> list[Any]:
    """Count the people: how many, exactly, and each once.

    Without --decision, reads that were refused count too.
    """
    return [opened.affected(**filters)]


@_question("matrix", "Cell")
def _matrix(opened: Ledger, filters: Filters) -> list[Any]:
    """Count the people for each field, purpose and decision.

    A read for several purposes at once counts for each of them.
    """
    return opened.matrix(**filters)


@_question("sites", "SiteUse")
def _sites(opened: Ledger, filters: Filters) -> list[Any]:
    """List the places in the code, and what they read."""
    return opened.sites(**filters)


@_question("denials", "DenialUse")
def _denials(opened: Ledger, filters: Filters) -> list[Any]:
    """List what was refused, or observed and let through, by the place in the code."""
    return opened.denials(**filters)


@_question("handovers", "HandoverUse")
def _handovers(opened: Ledger, filters: Filters) -> list[Any]:
    """List the handovers by which work came into its purpose, and what was read after them."""
    return opened.handovers(**filters)


@_question("break-glass", "Emergency")
def _break_glass(opened: Ledger, filters: Filters) -> list[Any]:
    """List the emergencies in which everything was open, and what was read in them."""
    return opened.break_glass(**filters)


@group.command("timeline")
def _timeline(
    bucket: Annotated[str, typer.Option(metavar="WORD", help="hour, day, week or month, of UTC.")] = "day",
    ledger: LedgerPaths = None,
    key: KeyFile = None,
    field: FieldOption = None,
    purpose: PurposeOption = None,
    decision: DecisionOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    site: SiteOption = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Count the people in each hour, day, week or month."""
    filters = filters_of(field, purpose, decision, since, until, site)
    form = form_of(as_json, as_csv)
    _ask(lambda opened, filters: opened.timeline(bucket, **filters), filters, "Bucket", ledger, key, form)


@group.command("activities")
def _activities(
    handed_over: Annotated[bool, typer.Option("--handed-over", help="Only those that came by a handover.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the last N.")] = None,
    ledger: LedgerPaths = None,
    key: KeyFile = None,
    field: FieldOption = None,
    purpose: PurposeOption = None,
    decision: DecisionOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    site: SiteOption = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List the activities, the last one first: each is one entry of a scope."""
    filters = filters_of(field, purpose, decision, since, until, site)
    form = form_of(as_json, as_csv)

    def ask(opened: Ledger, filters: Filters) -> Sequence[Any]:
        return opened.activities(handed_over=handed_over, limit=limit, **filters)

    _ask(ask, filters, "Activity", ledger, key, form)


@group.command("subject")
def _subject(
    subject: Annotated[
        str, typer.Argument(metavar="ID", help="The value of the SubjectId; - reads it from the input.")
    ],
    ledger: LedgerPaths = None,
    key: KeyFile = None,
    field: FieldOption = None,
    purpose: PurposeOption = None,
    decision: DecisionOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    site: SiteOption = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Answer a person: who read my data, for what, and when? Needs the ledger's key.

    An ID on the command line can be seen by other users of the machine while this runs; `-` is not.
    """
    filters = filters_of(field, purpose, decision, since, until, site)
    form = form_of(as_json, as_csv)
    if subject == "-":
        subject = sys.stdin.readline().rstrip("\r\n")
    _ask(lambda opened, filters: opened.subject(subject, **filters), filters, "Use", ledger, key, form)


# --- The ledger itself -----------------------------------------------------------------------------------------------

group.command("verify")(ledger_upkeep.verify)
group.command("head")(ledger_upkeep.head)
group.command("compact")(ledger_upkeep.compact)
group.command("ship")(ship_command.ship)
