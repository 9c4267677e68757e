"""Segments that are written no more and not closed yet: each costs a mapping and a descriptor until it is."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .segment import Segment

__all__ = ["Retiring"]

_AT_MOST: Final = 32
"""How many may wait: a process has not many descriptors."""


class Retiring:
    """The segments of one recorder that wait to be closed, and those that are being closed."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._waiting: deque[Segment] = deque()
        self._taken: list[Segment] = []

    def add(self, segment: Segment) -> None:
        """Have a segment wait. Where too many do, the oldest is let go of.

        That is on the disk, whole, and is closed like that of a process that was killed.
        """
        self._waiting.append(segment)
        if len(self._waiting) > _AT_MOST:
            oldest = self.take()
            if oldest is not None:
                oldest.finish()
                with suppress(OSError):
                    oldest.sync()
                oldest.release()
                self.done(oldest)

    def take(self) -> Segment | None:
        """Return the oldest that waits, to be closed by the caller alone; None where there is none."""
        with self._lock:
            if not self._waiting:
                return None
            segment = self._waiting[0]
            self._taken.append(segment)  # first: at a fork, each is in one of the two
            self._waiting.popleft()
            return segment

    def done(self, segment: Segment) -> None:
        """Forget a segment that was taken."""
        self._taken.remove(segment)

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Segment]:
        return iter([*self._waiting, *self._taken])
