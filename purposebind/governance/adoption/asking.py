"""What a ledger is asked here: who used which field for what, in groups that are made up by whoever asks.

What this module keeps:

- People are counted exactly and each once in a group, however many of its rows they are in.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from typing_extensions import Self

from purposebind.ledger.counting import Asking, Counted, NameRow
from purposebind.ledger.engine import listed
from purposebind.ledger.filters import chosen
from purposebind.ledger.folder import Folder
from purposebind.ledger.questions import Questions

__all__ = ["Asked"]

_Group = TypeVar("_Group", bound=Hashable)


class Asked(Questions):
    """Asks the ledgers in some folders.

    Args:
        folders: Where they are.

    Raises:
        LedgerError: There is no ledger at one of them, or an extra is missing.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        super().__init__([Folder(folder) for folder in folders])

    def __enter__(self) -> Self:
        return self

    def counted(
        self,
        groups: Callable[[NameRow], Iterable[_Group]],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> dict[_Group, Counted]:
        """Count the people and reads in groups.

        Args:
            groups: The groups that what a row is about is in: none, one or several.
            since: An aware time: only what happened then or later.
            until: An aware time: only what happened before.
        """
        wanted = chosen({"since": since, "until": until})
        found = self._counted(lambda asking: asking.count_names(wanted, groups))
        return {group: one for (group, _), one in found.items()}

    def handed_over(self) -> dict[int, tuple[tuple[str, str], ...]]:
        """Return the handovers by which what rows are about came, by its number: the purposes left and entered."""

        def answer(asking: Asking) -> dict[int, tuple[tuple[str, str], ...]]:
            files = asking.view.tables["names"]
            if not files:
                return {}
            rows = asking.rows(f"SELECT DISTINCT ON (what) what, handovers FROM {listed(files)}")
            return {what: tuple((one["left"], one["entered"]) for one in told) for what, told in rows if told}

        return self._ask(answer)
