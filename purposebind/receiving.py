"""Purposes that come with work from another process: a message's, a request's. They narrow, and never widen.

What this module keeps:

- **R2**, **R3** What is received grants nothing. A read directly inside is refused as where no scope is: whoever can
  write a header could else write a grant.
- **R4** A scope that the work enters stands on what it was sent under, as it would have in the sender's process. So it
  is as narrow as the code says, or narrower.
- A purpose that this process does not know cannot be weighed, and no tag covers it: work sent under it reads nothing.

For the integrations with queues and servers, and for your own.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from types import TracebackType

from .entering import OpenOnce
from .errors import UNRECOGNIZED as UNRECOGNIZED_NAME
from .errors import PolicyError
from .frames import UNCACHED, ActiveSet, Entry, Frame
from .purpose import Purpose
from .scope import current_frame, leave, push, standing

__all__ = ["UNRECOGNIZED", "names_to_send", "received"]

UNRECOGNIZED = Purpose(
    UNRECOGNIZED_NAME, "Work was sent under a purpose that the process that received it does not know"
)
"""Stands for all purposes that a process received and does not know."""

_logger = logging.getLogger("purposebind")
_LONGEST = 80
"""How many characters of an unknown name are logged: it may be anybody's text."""


def names_to_send() -> tuple[str, ...]:
    """Return the names of the purposes to send along with work that is handed to another process, in order.

    They are those of the scope in force here, and inside `received` those that were received, so that what is handed
    on is narrowed too.

    Example:
        >>> from purposebind import Purpose, purpose_scope
        >>> with purpose_scope(Purpose("surveys", "Ask how it was")):
        ...     names_to_send()
        ('surveys',)
    """
    return tuple(sorted(purpose.name for purpose in current_frame().entry.active.purposes))


class received(OpenOnce):
    """Runs a block that does work which was sent from elsewhere, on top of the purposes that it was sent under.

    Nothing may be read in it for these purposes: the work states its own, and stands on both.

    Args:
        names: The purposes' names, as `names_to_send` gave them to the sender. None of them: nothing is narrowed.
        origin: What they came with, for whoever reads an error: "the message of task orders.confirm".

    Raises:
        TypeError: `names` is a single text, or `origin` is no text.
        PolicyError: `origin` is empty.
        PurposeError: The block stands in a generator, or is open already.

    Example:
        >>> from purposebind import Purpose, active_purposes, purpose_scope
        >>> newsletter, hosting = Purpose("newsletter", "Send the newsletter"), Purpose("hosting", "Run the servers")
        >>> with received(["newsletter"], origin="a message"):
        ...     with purpose_scope(hosting):
        ...         inside = sorted(active_purposes())
        ...     active_purposes(), inside
        (frozenset(), [Purpose('hosting'), Purpose('newsletter')])
    """

    __slots__ = ("names", "origin")

    def __init__(self, names: Iterable[str], *, origin: str) -> None:
        if isinstance(names, (str, bytes)):
            raise TypeError("received(names) takes several names, such as ['orders'], and not one text")
        if not isinstance(origin, str):
            raise TypeError(f"received(origin=) takes a text, not {type(origin).__name__}")
        if not origin.strip():
            raise PolicyError("received(origin=) is empty: what did the purposes come with?")
        super().__init__()
        self.names = tuple(names)
        self.origin = origin

    def __enter__(self) -> received:
        place = self._place(sys._getframe(1))
        parent = current_frame()
        around = standing(parent)
        purposes = frozenset(self._known())
        active = ActiveSet(purposes | around.purposes, self.origin) if purposes else around
        frame = Frame(parent, Entry(tuple(sorted(purposes)), active), self, place.f_code, place.f_lasti)
        if purposes:
            frame.granted = UNCACHED
        self._frame = frame
        push(frame)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        frame = self._over()
        here = list(current_frame().around())
        for inner in here[: here.index(frame)] if frame in here else ():
            leave(inner)  # entered by the work, and never left: what comes next is not in it
        leave(frame)

    def __repr__(self) -> str:
        return f"received({list(self.names)!r}, origin={self.origin!r})"

    def _known(self) -> set[Purpose]:
        known = [Purpose._declared.get(name, UNRECOGNIZED) for name in self.names]
        unknown = [name for name in self.names if name not in Purpose._declared]
        if unknown:
            shown = ", ".join(repr(name)[:_LONGEST] for name in unknown[:3])
            _logger.warning(
                "%s: sent under %d purposes that are not declared in this process, so nothing may be read: %s",
                self.origin,
                len(unknown),
                shown,
            )
        return set(known)
