"""`break_glass`: for the night when a rule stands between an engineer and a service that is down.

It opens everything, for one block, and so it must be imported by this name: a search for it finds each place. What is
read in it is recorded like any other read, under the reason and the name that were given; without a ledger that works
it does not open.

- **R5** What it opens is open in its block and nowhere else; scopes entered inside it are inside the emergency too.

The idea of raw access by a separate import that a review can search for is Tink's ``secret_key_access``.
"""

from __future__ import annotations

import logging
import sys
from types import TracebackType

from . import config
from .entering import OpenOnce
from .errors import PurposeError
from .frames import Emergency, Entry, Frame
from .recording import described
from .scope import current_frame, leave, push, standing

__all__ = ["break_glass"]

_logger = logging.getLogger("purposebind")


class break_glass(OpenOnce):
    """Opens every tagged field for a block, on the record.

    Args:
        reason: Why: the number of the incident, and what has to be done. It is kept in the ledger; no personal data.
        by: Who opens it.

    Raises:
        TypeError: `reason` or `by` is no text.
        ValueError: One of them is empty.
        PurposeError: On entering, where no ledger is on or it cannot record this; or the block stands in a generator,
            or is open already.

    Example:
        >>> import tempfile
        >>> from purposebind import configure
        >>> from purposebind.ledger import Ledger
        >>> with tempfile.TemporaryDirectory() as folder, configure(ledger=Ledger(folder + "/ledger")):
        ...     with break_glass("INC-1234: restore login", by="Grace Hopper"):
        ...         pass
    """

    __slots__ = ("by", "reason")

    def __init__(self, reason: str, *, by: str) -> None:
        for name, text in (("reason", reason), ("by", by)):
            if not isinstance(text, str):
                raise TypeError(f"break_glass({name}=) takes a text, not {type(text).__name__}")
            if not text.strip():
                raise ValueError(f"break_glass() is on the record: {name} must not be empty")
        self.reason = reason
        self.by = by
        super().__init__()

    def __enter__(self) -> break_glass:
        place = self._place(sys._getframe(1))
        recorder = config.current.ledger
        if recorder is None:
            raise PurposeError(
                f"{self!r} opens nothing: no ledger is on to record what is read. Turn one on first: "
                "configure(ledger=Ledger('a/folder'))"
            )
        parent = current_frame()
        emergency = Emergency(self.reason, self.by)
        frame = Frame(parent, Entry((), standing(parent)), self, place.f_code, place.f_lasti)
        frame.watch(notes=parent.notes, emergency=emergency)
        problem = None
        try:
            recorder.opened(frame)
        except Exception as error:
            problem = described(error)
        if problem is not None:
            raise PurposeError(f"{self!r} opens nothing: the ledger cannot record it: {problem}")
        _logger.warning("break glass: %s, by %s, at %s: everything may be read, and is recorded", *self._told(frame))
        self._frame = frame
        push(frame)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        frame = self._over()
        assert frame.emergency is not None
        frame.emergency.open = False
        leave(frame)
        _logger.warning("break glass: %s, by %s, at %s: over", *self._told(frame))

    def _told(self, frame: Frame) -> tuple[object, ...]:
        return self.reason, self.by, frame.site

    def __repr__(self) -> str:
        return f"break_glass({self.reason!r}, by={self.by!r})"
