"""``purposebind ledger verify``, ``head`` and ``compact``: is it as it was written, and is it in order?"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from .answers import Row, console, show, visible
from .ledger_options import AsCsv, AsJson, KeyFile, LedgerPaths, answered, fail, form_of, moment_of

if TYPE_CHECKING:
    from purposebind.ledger.chain import Gap, Verdict

__all__ = ["compact", "head", "verify"]

_GOOD, _BAD = "green", "bold red"
_SIGNED = {True: "The signature holds.", False: "The signature is wrong.", None: "The signature was not checked."}


def verify(
    anchor: Annotated[
        str | None, typer.Option(metavar="N:HASH", help="A head that was kept elsewhere: the chain must still have it.")
    ] = None,
    ledger: LedgerPaths = None,
    key: KeyFile = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Find out whether anything was altered, removed, moved or cut off, and where first.

    Without an anchor, whoever can write the ledger can have rewritten all of it, or cut off its end.

    Exits with 0 where all is as it was written, with 1 where it is not, and with 2 where that cannot be told.
    """
    form = form_of(as_json, as_csv)
    with answered(ledger, key, "Checking the chain") as opened:
        if anchor is not None and len(opened.folders) > 1:
            fail("An anchor is that of one ledger: give one --ledger with it")
        verdicts = [(str(one.folders[0]), one.verify(anchor)) for one in opened.each()]
    if form == "table":
        for path, verdict in verdicts:
            _tell(path, verdict, anchor, console())
    else:
        last = ["place", "what"] if form == "csv" else ["problems", "gaps"]
        rows = [row for path, verdict in verdicts for row in _rows(path, verdict, by_problem=form == "csv")]
        show(["ledger", "ok", "head", "segments", "open", *last], rows, form)
    if not all(verdict.ok for _, verdict in verdicts):
        raise typer.Exit(1)


def _rows(path: str, verdict: Verdict, *, by_problem: bool) -> list[Row]:
    about: dict[str, Any] = {
        "ledger": path,
        "ok": verdict.ok,
        "head": str(verdict.head),
        "segments": verdict.segments,
        "open": verdict.open,
    }
    problems = [problem._asdict() for problem in verdict.problems]
    if by_problem:
        return [{**about, **problem} for problem in problems or [{"place": None, "what": None}]]
    return [{**about, "problems": problems, "gaps": [gap._asdict() for gap in verdict.gaps]}]


def _tell(path: str, verdict: Verdict, anchor: str | None, out: Console) -> None:
    def line(mark: str, text: str, style: str = "") -> None:
        out.print(Text.assemble((f"{mark:<5}", style), visible(text)), soft_wrap=True)

    if verdict.ok:
        many = "segment is as it was" if verdict.segments == 1 else "segments are as they were"
        so_far = f"{verdict.segments:,} closed {many} written"
        line("OK", f"{path}: {so_far}", _GOOD)
    else:
        line("BAD", f"{path}: {verdict.problems[0]}", _BAD)
    for problem in verdict.problems[1:]:
        line("", str(problem))
    for gap in verdict.gaps:
        line("", _gap(gap))
    if verdict.open:
        line("", f"{verdict.open:,} still open: the chain says nothing of what is written now")
    if anchor is None:
        line("", "no anchor was given: that the end was not cut off, or all of it rewritten, cannot be told")
    line("head", str(verdict.head))


def _gap(gap: Gap) -> str:
    return f"before {gap.before} all was removed, on {gap.at} by {gap.by}: {gap.reason}. {_SIGNED[gap.signed]}"


def head(ledger: LedgerPaths = None, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """Print the head of the chain: an anchor, to be kept where nobody who can write the ledger can change it."""
    form = form_of(as_json, as_csv)
    with answered(ledger, None, "Reading the chain") as opened:
        rows: list[Row] = [{"ledger": str(one.folders[0]), "head": str(one.head())} for one in opened.each()]
    if form == "table" and len(rows) == 1:
        print(rows[0]["head"])
    else:
        show(["ledger", "head"], rows, form)


def compact(
    drop_before: Annotated[
        str | None,
        typer.Option(
            "--drop-before",
            metavar="TIME",
            help="Remove for ever what lies before, as a whole. An ISO time with its zone. Needs the key.",
        ),
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who removes it.")] = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why.")] = None,
    keep_segments: Annotated[
        bool, typer.Option("--keep-segments", help="Keep the segments that went into a batch.")
    ] = False,
    ledger: LedgerPaths = None,
    key: KeyFile = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Turn what was written into Parquet, on which questions run faster; services may go on writing.

    With --drop-before, the chain says who removed what, and why, and stays whole.
    """
    form = form_of(as_json, as_csv)
    moment = moment_of(drop_before, "--drop-before")
    if moment is None and (by is not None or reason is not None):
        fail("--by and --reason go with --drop-before: who removes a part of the ledger, and why")
    if moment is not None and not (by and by.strip() and reason and reason.strip()):
        fail("Who removes a part of the ledger signs for it: give --by and --reason")
    rows: list[Row] = []
    with answered(ledger, key) as opened, _bar() as bar:
        for one in opened.each():
            path = str(one.folders[0])
            # First, for a batch holds what lies before and what does not, and is only dropped as a whole.
            dropped = one.drop_before(moment, by=by or "", reason=reason or "") if moment else None
            watch = partial(_watch, bar, bar.add_task(visible(path), total=None))
            made = one.compact(keep_segments=keep_segments, watch=watch)
            rows.append(
                {
                    "ledger": path,
                    "batches": list(made.batches) if made else [],
                    "segments": made.segments if made else 0,
                    "records": made.records if made else 0,
                    "dropped_segments": dropped.segments if dropped else [],
                    "dropped_batches": dropped.batches if dropped else [],
                }
            )
    show(list(rows[0]), rows, form)


def _watch(bar: Progress, task: TaskID, done: int, of: int) -> None:
    bar.update(task, completed=done, total=of)


def _bar() -> Progress:
    out = console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=out, transient=True, disable=not out.is_terminal)
