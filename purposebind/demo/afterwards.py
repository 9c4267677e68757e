"""What can be asked afterwards: the ledger that the match of 2019 left behind, and nothing else.

The service is gone by now, and so are its accounts, the advertiser's list and the hook. A folder is left.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from purposebind import configure
from purposebind.ledger import Ledger
from purposebind.ledger.report import build, declared_in, render

from .accounts import ADVERTISING, TARGETING

__all__ = ["Answer", "ask", "recorded"]


@dataclass(frozen=True)
class Answer:
    """What the ledger answers.

    Attributes:
        ledger: The ledger's folder.
        report: The report's file.
        read: How many people's data was read for advertising.
        affected: How many of them were put into an audience.
        unknown_reads: How many reads named nobody. While this is not 0, the people are a lower bound.
        intact: Whether its chain holds.
        command: Asks again.
    """

    ledger: str
    report: str
    read: int
    affected: int
    unknown_reads: int
    intact: bool
    command: str


@contextmanager
def recorded(folder: Path) -> Generator[None, None, None]:
    """Have what happens in the block recorded in a ledger in `folder`."""
    with Ledger(folder / "ledger", service="demo") as ledger, configure(ledger=ledger):
        yield


def ask(folder: Path) -> Answer:
    """Ask the ledger in `folder` who was affected, and write its report."""
    place, page = folder / "ledger", folder / "report.html"
    with Ledger(place) as ledger:
        read = ledger.affected(purpose=ADVERTISING, decision="observed")
        affected = ledger.affected(purpose=TARGETING, decision="observed")
        page.write_text(render(build(ledger, declared_in("purposebind.demo.accounts"))), encoding="utf-8")
        intact = ledger.verify().ok
    return Answer(
        ledger=str(place),
        report=str(page),
        read=read.people,
        affected=affected.people,
        unknown_reads=read.unknown_reads,
        intact=intact,
        command=f"purposebind ledger affected --ledger {place} --purpose {TARGETING.name} --decision observed",
    )
