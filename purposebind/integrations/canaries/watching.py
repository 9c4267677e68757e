"""Watching while code runs: log records and warnings as they come, and what else is added.

Records are taken where a logger has let them pass its level and filters, before any handler: so those of loggers that
do not propagate are seen, and what a filter of the logger took out is not.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from .files import files
from .pieces import pieces, record_pieces

__all__ = ["Watch"]


class Watch:
    """Collects what may hold a canary, from `start` to `stop`."""

    def __init__(self) -> None:
        self._pieces: list[tuple[str, int, bytes]] = []
        self._undo: list[Callable[[], None]] = []
        self._running = False

    def start(self) -> None:
        """Begin to see log records and warnings."""
        self._running = True
        call_handlers, show = logging.Logger.callHandlers, warnings.showwarning

        def called(logger: logging.Logger, record: logging.LogRecord) -> None:
            if self._running:
                self._seen(record_pieces(record))
            call_handlers(logger, record)

        def shown(message: Any, category: Any, filename: str, lineno: int, *more: Any, **named: Any) -> None:
            if self._running:
                self.add(f"warning {category.__name__}, {Path(filename).name}:{lineno}", str(message))
            show(message, category, filename, lineno, *more, **named)

        setattr(logging.Logger, "callHandlers", called)  # noqa: B010  # as Sentry's integration does
        warnings.showwarning = shown

        def undo() -> None:
            if logging.Logger.callHandlers is called:
                setattr(logging.Logger, "callHandlers", call_handlers)  # noqa: B010
            if warnings.showwarning is shown:
                warnings.showwarning = show

        self._undo.append(undo)

    def stop(self) -> None:
        """See nothing more."""
        self._running = False
        while self._undo:
            self._undo.pop()()

    def add(self, place: str, thing: Any) -> None:
        """Add `thing` to what is searched, as it is now."""
        self._pieces += pieces(thing, place)

    def taken(self, folders: Iterable[Path] = ()) -> Iterator[tuple[str, int, bytes]]:
        """Yield what was collected, and what is in the files of `folders` now."""
        yield from list(self._pieces)
        for folder in folders:
            yield from files(folder)

    def _seen(self, found: Iterable[tuple[str, bytes]]) -> None:
        try:
            self._pieces += [(place, 0, data) for place, data in found]
        except Exception as error:  # logging must not fail because it is watched
            self._pieces.append((f"log, which could not be looked at: {type(error).__name__}", 0, b""))
