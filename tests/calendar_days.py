"""A wall clock that is set, for the examples on pages that tell of months."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from unittest.mock import patch

__all__ = ["clock_at"]


@contextmanager
def clock_at(moment: str) -> Iterator[None]:
    """Have the wall clock say, at the start of the block, that it is `moment`: ISO 8601, with its zone."""
    wall = int(datetime.fromisoformat(moment).timestamp()) * 1_000_000_000
    started = time.monotonic_ns()
    with patch("time.time_ns", lambda: wall + time.monotonic_ns() - started):
        yield
