"""Compaction: closed segments become batches of Parquet, on which questions run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .folder import Folder

__all__ = ["Compacted", "compact"]


@dataclass(frozen=True)
class Compacted:
    """What a compaction did.

    Attributes:
        batches: The ids of the batches that it made.
        segments: How many segments it made them of.
        records: How many records these hold.
    """

    batches: tuple[str, ...]
    segments: int
    records: int


def compact(
    folder: Folder, *, keep_segments: bool = False, watch: Callable[[int, int], object] = lambda done, of: None
) -> Compacted | None:
    """Make batches of all closed segments that are in none.

    Args:
        folder: The ledger's folder.
        keep_segments: Leave the segments where they are; they are not needed any more.
        watch: Told how many segments are done and how many there are, before the first batch and after each.

    Returns:
        What was done; None where there was nothing to do.

    Raises:
        LedgerError: The ledger cannot be read or written. What was compacted until then stays compacted.
    """
    raise NotImplementedError
