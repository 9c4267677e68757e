"""The entries of scopes in which something was recorded: the activities, as their recorder knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .naming import activity_name

if TYPE_CHECKING:
    from .recorder import Recorder
    from .segment import Segment

__all__ = ["Activity", "Ending", "activity_frame", "activity_number"]

_NAMED: Final = 1 << 12
"""How many entries' names are found without making them, in one segment."""


class Activity:
    """What is known of an activity.

    Attributes:
        id: Its number, in this process and those forked from it.
        told: Whether a segment was told that it began.
        emergency: The emergency that it is part of, or None.
    """

    __slots__ = ("emergency", "id", "told")

    def __init__(self, number: int, frame: Any) -> None:
        self.id = number
        self.told = False
        self.emergency = None
        if frame.emergency is not None and (frame.emergency.open or not frame.alive):  # left since it was read there
            self.emergency = frame.emergency


class Ending:
    """Dies with the entry of a scope, and has its end recorded."""

    __slots__ = ("_frame", "_recorder")

    def __init__(self, recorder: Recorder, frame: Any) -> None:
        self._recorder = recorder
        self._frame = frame

    def die(self) -> None:
        self._recorder.ended(self._frame)


def activity_frame(frame: Any) -> Any:
    """Return the entry of a scope to which `frame` belongs: itself, unless the library made it to note what is read."""
    while not frame.entry.purposes:
        around = frame.parent
        if (
            around is None
            or frame.entry.active is not around.entry.active
            or _in_force(frame.emergency) is not _in_force(around.emergency)
        ):
            break
        frame = around
    return frame


def activity_number(segment: Segment, frame: Any, emergency: Any) -> int:
    """Return the number of an activity's name; what the name is made of is looked up before it is made.

    Raises:
        Full: There is no place for it in the segment.
    """
    if emergency is not None:
        return segment.number(activity_name(frame, emergency))
    made_of = (id(frame.entry), id(frame.code), frame.offset)  # hashing a code object costs more than the rest
    known = segment.activities.get(made_of)
    if known is None:
        number = segment.number(activity_name(frame, None))
        if len(segment.activities) >= _NAMED:
            segment.activities.clear()
        segment.activities[made_of] = known = (number, frame.entry, frame.code)  # kept, so that ids stay theirs
    return known[0]


def _in_force(emergency: Any) -> Any:
    return emergency if emergency is not None and emergency.open else None
