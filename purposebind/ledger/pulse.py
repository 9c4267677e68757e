"""What a recorder does beside the reads: once an interval it has everything reach the disk and says what time it is.

A thread of its own, so that no read waits for the disk.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from typing import TYPE_CHECKING

from .closing import close_segment
from .errors import LedgerError
from .records import mark

if TYPE_CHECKING:
    from .recorder import Recorder
    from .segment import Segment

__all__ = ["Pulse", "close_retired"]

_logger = logging.getLogger("purposebind")
_told: set[str] = set()


class Pulse(threading.Thread):
    """The thread of one recorder, in one process."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(name="purposebind ledger", daemon=True)
        self._recorder = weakref.ref(recorder)
        self._interval = recorder.interval
        self._stopped = threading.Event()
        self._segment = ""
        self._filled = 0
        self._since = 0.0

    def run(self) -> None:
        """Beat until the recorder is closed, or gone."""
        while not self._stopped.wait(self._interval):
            recorder = self._recorder()
            if recorder is None:
                return
            self.beat(recorder)
            del recorder

    def beat(self, recorder: Recorder) -> None:
        """Mark the time where something was recorded since, have it all reach the disk, close what is retired."""
        segment = recorder.segment
        if segment is not None:
            try:
                self._sync(recorder, segment)
            except OSError as error:
                recorder.give_up(segment)
                _logger.error("the ledger's segment %s does not reach the disk: %s", segment.path, error)
            except ValueError:  # released since, by a fork in the child or by its recorder
                pass
        close_retired(recorder)

    def _sync(self, recorder: Recorder, segment: Segment) -> None:
        if segment.id != self._segment:
            self._segment, self._filled, self._since = segment.id, 0, time.monotonic()
        if segment.numbers and time.monotonic() - self._since > recorder.segment_seconds:
            recorder.mark(segment)
            segment.sync()
            recorder.give_up(segment)
        elif segment.filled > self._filled:
            recorder.mark(segment)
            self._filled = segment.filled
            segment.sync()
        else:  # nothing was recorded: of the next read it will be known that it was later than now
            segment.renew_mark(mark())

    def stop(self) -> None:
        """Stop, and wait until it has."""
        self._stopped.set()
        if self is not threading.current_thread():
            self.join()


def close_retired(recorder: Recorder) -> None:
    """Close the segments that are written no more, and put them into the chain.

    What cannot be closed now stays as it is, readable, for the next time or for whoever closes abandoned segments.
    """
    for _ in range(len(recorder.retiring)):
        segment = recorder.retiring.take()
        if segment is None:
            return
        segment.finish()
        try:
            close_segment(recorder.folder, segment.path, segment.descriptor)
        except (OSError, LedgerError) as error:
            if segment.id not in _told:
                _told.add(segment.id)
                _logger.error(
                    "the ledger's segment %s cannot be closed; its records are there: %s", segment.path, error
                )
            recorder.retiring.add(segment)
        else:
            segment.release()
        recorder.retiring.done(segment)
