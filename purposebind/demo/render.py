"""The replay on a terminal: a progress bar while it runs, and the six chapters after it. Needs the extra ``cli``.

Nothing here prints a name, a phone number or an e-mail address, although all of them are invented.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from .population import CAMPAIGN
from .roads import roads
from .story import COUNTED, Replay

__all__ = ["show"]

_GOOD, _BAD = "bold green", "bold red"


class _Verbatim(Text):
    """Text whose lines are left as they are, so that they can be copied."""


def show(replay: Replay, console: Console) -> None:
    """Print what happened, chapter by chapter, and whether it is what has to happen."""
    for part in (
        *_people(replay),
        *_signin(replay),
        *_refused(replay),
        *_roads(replay),
        *_promises(replay),
        *_as_in_2019(replay),
        *_afterwards(replay),
    ):
        console.print(part, highlight=False, soft_wrap=isinstance(part, _Verbatim))
    console.print()
    console.print(_verdict(replay))


def _people(replay: Replay) -> Iterator[RenderableType]:
    yield Text(
        f"{replay.people:,} invented people gave a phone or an e-mail address for two-factor login. An advertiser "
        f"uploads a hashed list of its customers, {replay.list_entries:,} entries, and wants to show them ads."
    )


def _signin(replay: Replay) -> Iterator[RenderableType]:
    yield _chapter(1, "What the data was given for")
    sent = f"{replay.login_codes:,} codes for {replay.logins:,} logins"
    yield _mark(replay.login_codes == replay.logins, f"Sign-in reads the phone or e-mail address and sends {sent}.")


def _refused(replay: Replay) -> Iterator[RenderableType]:
    yield _chapter(2, "The audience match")
    if replay.error:
        yield _mark(replay.first_read == "refused", "Refused at the first read. This is what its developer sees:")
        yield _Verbatim(replay.error, style="red")
    else:
        yield _mark(False, "Not refused: phones and e-mail addresses were matched to the advertiser's list.")


def _roads(replay: Replay) -> Iterator[RenderableType]:
    yield _chapter(3, "The same match by other roads")
    table = _table("Road", "What the developer does", "Outcome")
    for road in roads():
        outcome = replay.roads[road.name]
        table.add_row(road.name, road.description, Text(outcome, style=_GOOD if outcome == "refused" else _BAD))
    yield table
    if replay.left_out:
        yield _Verbatim(replay.left_out)


def _promises(replay: Replay) -> Iterator[RenderableType]:
    yield _chapter(4, "One phone, two promises")
    promises = replay.promises
    yield Text(
        "A field that holds phones from the login page and from a marketing form has to allow both purposes. What each "
        "phone was collected for goes with it, through every copy."
    )
    yield _mark(
        promises.refused == promises.for_login,
        f"Of {promises.for_login:,} given for two-factor login, {promises.refused:,} are refused to the match.",
    )
    yield _mark(
        promises.read == promises.on_a_form,
        f"Of {promises.on_a_form:,} given on the form, {promises.read:,} are read.",
    )


def _as_in_2019(replay: Replay) -> Iterator[RenderableType]:
    yield _chapter(5, "The match in observe mode, as it went in 2019")
    yield Text(
        f"Nothing is refused now. The library tells its on_violation hook of {replay.violations:,} reads, and the hook "
        "alone counts the people: it knows neither the accounts nor the list, nor what the match found."
    )
    if replay.warnings:
        first = replay.warnings[0].splitlines()[:4]
        yield Text(
            f"It also logs a warning, once for each field, purpose and line of code: {len(replay.warnings)} in all. "
            "The first begins:"
        )
        yield _Verbatim("\n".join(f"  {line}" for line in first), style="dim")
    code = _table("Read", "For", "By", "People", numbers=1)
    for group in replay.groups:
        code.add_row(group.field, ", ".join(group.purposes), _short(group.site), f"{group.people:,}")
    code.caption = "Asking for a phone or an e-mail address is a read, also where the account has none."
    yield code
    counts = _table("", "What is counted", "By the hook", "True", "", numbers=3)
    counts.add_row("people", COUNTED["people"], "", f"{replay.people:,}", "")
    counts.add_row("read", f"{COUNTED['read']} ({', '.join(CAMPAIGN)})", *_compared(replay.read, replay.read_truth))
    counts.add_row("affected", COUNTED["affected"], *_compared(replay.affected, replay.affected_truth))
    yield counts
    yield Text(
        f"The match found {replay.entries_matched:,} entries of the list. That is no count of people: some are on it "
        "by phone and by e-mail address, and some share a phone."
    )


def _afterwards(replay: Replay) -> Iterator[RenderableType]:
    yield _chapter(6, "Asked afterwards")
    yield Text(
        "The service, its accounts and the list are gone. What is left is the ledger, which recorded every read before "
        "its value was handed out, and holds no name, number or address. It answers:"
    )
    counts = _table("", "What is counted", "By the ledger", "True", "", numbers=3)
    counts.add_row("read", COUNTED["read"], *_compared(replay.ledger_read, replay.read_truth))
    counts.add_row("affected", COUNTED["affected"], *_compared(replay.ledger_affected, replay.affected_truth))
    yield counts
    yield _mark(replay.ledger_intact, "Its chain holds: nothing in it was changed, removed or added since.")
    yield Text("Ask again:")
    yield _Verbatim(f"  {replay.command}")
    yield Text("The report, for whoever answers for the data:")
    yield _Verbatim(f"  {replay.report}")


def _verdict(replay: Replay) -> RenderableType:
    if replay.affected == replay.affected_truth and replay.same_people:
        people = "person was" if replay.affected == 1 else "people were"
        count = Text(f"Exactly {replay.affected:,} {people} affected.", style="bold")
    else:
        wrong = f"{replay.affected:,} people were counted, and {replay.affected_truth:,} affected: not the same people."
        count = Text(wrong, style=_BAD)
    if replay.passed:
        end = Text(f"Every road was refused, and every person counted ({replay.seconds:.1f} s).", style=_GOOD)
    else:
        end = Text(f"This is not what has to happen ({replay.seconds:.1f} s): see what is red above.", style=_BAD)
    return Group(count, end)


def _chapter(number: int, title: str) -> Text:
    return Text(f"\n{number}. {title}", style="bold underline")


def _table(*titles: str, numbers: int = 0) -> Table:
    """A table whose last columns, as many as `numbers`, stand to the right. Nothing in it is cut off."""
    words = len(titles) - numbers
    return Table(
        *(Column(title, overflow="fold") for title in titles[:words]),
        *(Column(title, overflow="fold", justify="right") for title in titles[words:]),
    )


def _mark(good: bool, words: str) -> Text:
    return Text.assemble(("OK  " if good else "BAD ", _GOOD if good else _BAD), words)


def _short(site: str) -> str:
    """The last two parts of a site's path, with the line and the function."""
    return "/".join(site.replace("\\", "/").split("/")[-2:])


def _compared(counted: int, true: int) -> tuple[str, str, Text]:
    same = counted == true
    return f"{counted:,}", f"{true:,}", Text("exact" if same else "WRONG", style=_GOOD if same else _BAD)
