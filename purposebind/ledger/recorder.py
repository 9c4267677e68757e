"""The recorder: what a service writes into its ledger while it runs.

What this module keeps:

- A value handed out is a read recorded: what records returns once the record is in the segment, and raises where it
  cannot be.
- No personal data: a person becomes a keyed hash here, and nothing else of a read comes here but names.
- Many threads, one segment; a process that was forked writes to a segment of its own.

The hot path is what `Recorder.shortcut` returns: two lookups, a place, and one copy of 48 bytes. Everything else
happens once for each entry of a scope and field, or once for each segment.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import secrets
import struct
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from . import processes, pulse
from .defaults import INTERVAL, SEGMENT_BYTES, SEGMENT_SECONDS
from .entries import Activity, Ending, activity_frame, activity_number
from .errors import LedgerError
from .folder import Folder
from .key import Key
from .missed import Missed
from .naming import denial_name, field_name, trace_id
from .people import People
from .records import UNKNOWN, Flag, Kind, head, mark, record
from .retiring import Retiring
from .segment import Full, Segment

__all__ = ["Recorder"]

_logger = logging.getLogger("purposebind")

_HEADS: Final = 1 << 10
"""How many fields' heads are remembered for one activity; those of derived values can be without number."""
_HALF_AND_TIME = struct.Struct("<16sQ")
_TIME_AND_TRACE = struct.Struct("<QQ16s")
_TIME = struct.Struct("<Q")
_TWO = struct.Struct("<QQ")


class Recorder:
    """Records reads and denials into a ledger's folder. Made by `Ledger.recorder`.

    Args:
        folder: The folder; made where it is not there.
        key: By which people are hashed.
        segment_bytes: The size of a segment.
        interval: Seconds between two writes to the disk: what a power failure can lose.
        segment_seconds: After so many seconds a segment in which something was read is closed, though it is not full.
        service: What the process calls itself in the ledger.

    Raises:
        LedgerError: The folder cannot be written.
    """

    def __init__(
        self,
        folder: Folder,
        key: Key,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        interval: float = INTERVAL,
        segment_seconds: float = SEGMENT_SECONDS,
        service: str = "",
    ) -> None:
        self.folder = folder
        self.interval = interval
        self.segment_seconds = segment_seconds
        self.closed = False
        self._key = key
        self._segment_bytes = segment_bytes
        self._service = service
        self._people = People(key)
        self._held: tuple[Segment, int] | None = None
        self._segment: Segment | None
        self._start_process()
        folder.make()
        self._new_segment()
        processes.watch_over(self)

    def _start_process(self) -> None:
        """What belongs to one process, and is made anew after a fork."""
        self._lock = threading.RLock()
        self._segment = self._held = None
        self._writer = secrets.token_hex(16)
        self._next_activity = itertools.count(secrets.randbits(62) + 1).__next__
        self._activities: dict[Any, Activity] = {}
        self._missed = Missed()
        self.retiring = Retiring()
        self.pulse: pulse.Pulse | None = None

    def read(self, binding: Any, subject: Any, frame: Any) -> None:
        """Record a read: the first of a field in an activity or a segment, and what is rare; all others by `shortcut`.

        Args:
            binding: The field and its policy.
            subject: The value of the `SubjectId`, or None where the person is unknown.
            frame: The entry of a scope in which it is read.

        Raises:
            LedgerError: It cannot be recorded.
        """
        person = UNKNOWN if subject is None else self._key.person(subject)
        frame = activity_frame(frame)

        def write(segment: Segment) -> None:
            activity, heads = self._activity(segment, frame)
            key = (binding,) if binding.policy.conditional else binding  # the shortcut looks for bindings alone
            of_field = heads.get(key)
            if of_field is None:
                if len(heads) >= _HEADS:
                    heads.clear()
                of_field = head(Kind.READ, segment.number(field_name(binding.field)), 1, activity)
                heads[key] = of_field
            segment.put(of_field + person + person)

        self._somewhere(write)

    def shortcut(self, frame: Any) -> Callable[[Any], bool] | None:
        """Return what records a read that was let through before, for an entry of a scope in which one was recorded.

        Returns:
            A function of the box that is read, which returns whether it has recorded the read: where it has not, `read`
            is to be called. Or None.
        """
        segment = self._segment
        heads = None if segment is None else segment.heads.get(frame)
        if segment is None or heads is None:
            return None
        write, known, remember = segment.write, self._people.known, self._people.remember

        def record_read(box: Any) -> bool:
            try:
                head = heads[box._purposebind_binding]
                subject = box._purposebind_subject
                write(head + (known(subject) or remember(subject)))
            except (KeyError, TypeError, ValueError):  # not read here yet; a person that is no plain value; full
                return False
            return True

        return record_read

    def denied(self, denial: Any, subject: Any, frame: Any) -> None:
        """Record a denial, enforced or observed.

        Raises:
            LedgerError: It cannot be recorded.
        """
        text = denial_name(denial)
        person = UNKNOWN if subject is None else self._key.person(subject)
        frame = activity_frame(frame)

        def write(segment: Segment) -> None:
            activity = self._activity(segment, frame)[0] if frame.alive and frame.entry.active.purposes else 0
            body = _HALF_AND_TIME.pack(person, time.monotonic_ns())
            segment.put(record(Kind.DENIAL, body, segment.number(text), activity=activity))

        self._somewhere(write)

    def opened(self, frame: Any) -> None:
        """Record that an entry of a scope is open, whether or not anything will be read in it.

        Raises:
            LedgerError: It cannot be recorded.
        """
        self._somewhere(lambda segment: self._activity(segment, frame))

    def missed(self) -> None:
        """Count a read that was let through and could not be recorded; the count is written when that works again."""
        self._missed.add()

    def close(self) -> None:
        """Close the segment, and put it into the chain. Nothing can be recorded afterwards."""
        with self._lock:
            if self.closed:
                return
            if self._missed:
                with contextlib.suppress(LedgerError):
                    self._somewhere(self._tell_missed)
            self.closed = True
            segment, self._segment = self._segment, None
            if segment is not None:
                self.mark(segment)
                self.retiring.add(segment)
            beat, self.pulse = self.pulse, None
        if beat is not None and beat.is_alive():
            beat.stop()
        pulse.close_retired(self)
        untold = self._missed.take()
        if untold:
            _logger.error("%d reads were not recorded, nor is their number", untold)

    def mark(self, segment: Segment) -> None:
        """Write what time it is and what was missed, and a mark to be renewed while nothing is recorded."""
        try:
            segment.put(mark())
            self._tell_missed(segment)
            segment.put(mark())
        except Full:
            pass  # whoever needs a place next makes a new segment, whose header says what time it is

    @property
    def segment(self) -> Segment | None:
        """The segment that is being written; None where there is none at the moment."""
        return self._segment

    def give_up(self, segment: Segment) -> None:
        """Write no more to a segment that the disk does not take; the next read makes another."""
        with self._lock:
            if self._segment is segment:
                self._segment = None
                self.retiring.add(segment)

    def _somewhere(self, write: Any) -> None:
        """Have `write` write to the segment, or to a new one where there is none or it is full."""
        with self._lock:
            for _ in range(3):
                segment = self._new_segment() if self._segment is None else self._segment
                try:
                    write(segment)
                    return
                except Full:
                    if self._segment is segment:  # unless a signal handler or a destructor was here, and read
                        self._segment = None
                        self.retiring.add(segment)
            raise LedgerError(f"A segment of {self._segment_bytes} bytes is too small for what is to be recorded")

    def _new_segment(self) -> Segment:
        if self.closed:
            raise LedgerError("The ledger was closed: nothing can be recorded any more")
        process = os.getpid()
        try:
            segment = Segment(self.folder, self._segment_bytes, self._writer, self._key.id, self._service)
        except LedgerError:
            if os.getpid() == process:
                raise
            return self._new_segment()
        # What a signal handler or destructor may have done meanwhile: closed the ledger, recorded something, forked.
        if self.closed or self._segment is not None or os.getpid() != process:
            segment.release()
            return self._new_segment() if self._segment is None else self._segment
        self._segment = segment
        with contextlib.suppress(Full):
            self._tell_missed(segment)
        if self.pulse is None or not self.pulse.is_alive():
            self.pulse = pulse.Pulse(self)
            with contextlib.suppress(RuntimeError):  # the interpreter is ending, and starts no more threads
                self.pulse.start()
        return segment

    def _tell_missed(self, segment: Segment) -> None:
        missed = self._missed.take()
        if missed:
            try:
                segment.put(record(Kind.LOST, _TWO.pack(missed, time.monotonic_ns())))
            except Full:
                self._missed.add(missed)
                raise

    def _activity(self, segment: Segment, frame: Any) -> tuple[int, dict[Any, bytes]]:
        """Return the id of the activity that a frame is, having told `segment` of it, and the heads of its reads."""
        activity = self._activities.get(frame)
        if activity is not None and activity.emergency is not None and not activity.emergency.open and frame.alive:
            self.ended(frame)  # the block has outlived the emergency: from here on it is an activity like any other
            activity = None
        if activity is None:
            # First: whatever fails from here on and is tried again, nothing known here outlives the block (R5).
            frame.at_end(Ending(self, frame))
            activity = self._activities.setdefault(frame, Activity(self._next_activity(), frame))
        heads = segment.heads.get(frame)
        if heads is None:
            self._open(segment, frame, activity)
            heads = segment.heads.setdefault(frame, {})
        if not frame.alive:  # another thread has just left the block
            self.ended(frame)
        return activity.id, heads

    def _open(self, segment: Segment, frame: Any, activity: Activity) -> None:
        number = activity_number(segment, frame, activity.emergency)
        body = _TIME_AND_TRACE.pack(frame.started or time.monotonic_ns(), self._around(frame), trace_id())
        flags = Flag.CONTINUED if activity.told else Flag.NONE
        segment.put(record(Kind.OPEN, body, number, activity=activity.id, flags=flags))
        activity.told = True

    def _around(self, frame: Any) -> int:
        outer = frame.parent
        while outer is not None:
            if outer in self._activities:
                return self._activities[outer].id
            outer = outer.parent
        return 0

    def ended(self, frame: Any) -> None:
        """Record that the block of an activity was left."""

        frame.record = None  # before anything else: a signal handler may raise while we wait
        with self._lock:
            activity = self._activities.pop(frame, None)
            if activity is None:
                return

            def write(segment: Segment) -> None:
                if frame not in segment.heads:
                    self._open(segment, frame, activity)
                segment.put(record(Kind.CLOSE, _TIME.pack(time.monotonic_ns()), activity=activity.id))

            try:
                if self._segment is not None and activity.told and not self.closed:
                    self._somewhere(write)
            except LedgerError:
                pass  # nothing was read: an activity without an end is one whose end is not known
            finally:
                for segment in (self._segment, *self.retiring):
                    if segment is not None:
                        segment.heads.pop(frame, {}).clear()  # whatever still holds them records nothing more (R5)

    def hold(self) -> None:
        """Before a fork: wait until nobody is recording, and have nobody begin."""
        self._lock.acquire()
        segment = self._segment
        self._held = None if segment is None else (segment, segment.pause())

    def go_on(self) -> None:
        """In the parent, after a fork."""
        if self._held is not None and self._held[0] is self._segment:
            self._held[0].resume(self._held[1])
        self._held = None
        self._lock.release()

    def forked(self) -> None:
        """In the child: the parent goes on with its segment, and this process makes its own."""
        activities = self._activities
        for segment in (self._segment, *self.retiring):
            if segment is not None:
                segment.release()
        for frame in activities:
            frame.record = None  # it writes to the parent's segment
        self._start_process()
        self._activities = activities
