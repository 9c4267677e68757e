"""What the reading of a statement comes to."""

from __future__ import annotations

from dataclasses import dataclass

from purposebind.policy import Policy

from .catalog import TaggedColumn

__all__ = ["Copy", "Use", "Verdict"]


@dataclass(frozen=True)
class Use:
    """A tagged column that a statement reads.

    Attributes:
        column: Which.
        clause: Where first, in words, such as ``"WHERE"`` or ``"the select list"``.
    """

    column: TaggedColumn
    clause: str


@dataclass(frozen=True)
class Copy:
    """A tagged column that a statement writes where its policy would no longer hold.

    Attributes:
        source: The column that is copied.
        target: Where to, such as ``"audience.phone"``.
        target_policy: The policy of the target, or None where it has no tag.
    """

    source: TaggedColumn
    target: str
    target_policy: Policy | None


@dataclass(frozen=True)
class Verdict:
    """What a statement does with tagged columns.

    Attributes:
        uses: The tagged columns that it reads, each once.
        copies: Those that it copies into something with a wider policy, or with none.
        parted: What it parts that belongs together, in words: a value, and what it was collected for; or None.
        problem: Why it cannot be weighed, in words that hold no value of it, and the way out; or None.
        unknown: The relations that it names and the catalog does not know.
        moves: Whether a column comes back sealed.
        touches: The tables with tagged columns that it reads or writes, directly or by a view.
    """

    uses: tuple[Use, ...] = ()
    copies: tuple[Copy, ...] = ()
    problem: str | None = None
    unknown: tuple[str, ...] = ()
    moves: bool = False
    touches: frozenset[str] = frozenset()
    parted: str | None = None
