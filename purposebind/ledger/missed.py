"""Counting the reads that were let through and could not be recorded.

Exactly, whoever counts at the same moment: another thread, or a signal handler or destructor in the middle of counting.
Taking something out of a deque, or putting it in, is one step; adding to a number is not.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import Final

__all__ = ["Missed"]

_AT_MOST: Final = 1 << 10
"""How many counts are kept apart before they are summed up."""


class Missed:
    """How many reads were missed and not told of yet.

    Example:
        >>> missed = Missed()
        >>> missed.add(), missed.add(), missed.take(), missed.take()
        (None, None, 2, 0)
    """

    def __init__(self) -> None:
        self._counts: deque[int] = deque()

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, count: int = 1) -> None:
        """Count `count` more."""
        self._counts.append(count)
        if len(self._counts) > _AT_MOST:
            self._counts.append(self.take())

    def take(self) -> int:
        """Return how many there are; whoever takes them tells of them, or adds them again."""
        taken = 0
        with suppress(IndexError):
            while True:
                taken += self._counts.popleft()
        return taken
