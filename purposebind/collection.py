"""`collected_for`: what a value was given for, which it stays bound to for its whole life.

The same phone number given for two-factor login and given on a marketing form are two promises. The tag says what a
field may ever be used for; this says what one value in it was collected for.

What this module keeps:

- **R8** A value sealed inside is as narrow as its tag and as this block, wherever it goes from there.
- **R5** The block grants nothing, and what runs on after it reads nothing in it. What such work seals is narrowed all
  the same: it was started by what was collected here.

Purpose limitation ties data to the purposes of their collection (GDPR article 5(1)(b)), not to those of their column.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, TracebackType
from typing import Any, TypeVar

from .callables import wrap
from .entering import OpenOnce, TiedStep
from .errors import PolicyError
from .frames import Entry, Frame
from .policy import Policy
from .purpose import Purpose, require_purposes
from .scope import current_frame
from .sites import WHOLE_FUNCTION

__all__ = ["collected_for"]

_F = TypeVar("_F", bound="Callable[..., Any] | staticmethod[..., Any] | classmethod[Any, ..., Any] | property")


class collected_for(OpenOnce):
    """Binds the values that are sealed in a block, or in a function, to what they are collected for.

    Each value may be used for what its tag allows and one of `purposes` covers, and for nothing else: for its whole
    life, through copies, pickles, tasks and `Sealed.map`, and in a database that keeps it. What is sealed already when
    it comes in is not narrowed: it was collected elsewhere. A block inside another narrows further. It opens no scope.

    Args:
        purposes: What the data subject was told that the data are for; each covers its descendants.

    Raises:
        PolicyError: No purpose is given.
        TypeError: A string or something else is given where a `Purpose` is meant.
        PurposeError: On entering, where the block stands in a generator, or is open already.

    Example:
        >>> from typing import Annotated
        >>> from purposebind import AllowedFor, Purpose, PurposeModel, collected_for
        >>> login, offers = Purpose("login_codes", "Send login codes"), Purpose("offers", "Send offers")
        >>> class Contact(PurposeModel):
        ...     phone: Annotated[str, AllowedFor(login, offers)]
        >>> with collected_for(login):
        ...     Contact(phone="+46 70 123 45 67")
        Contact(phone=<sealed: login_codes>)
    """

    __slots__ = ("_policy", "_step", "purposes")

    def __init__(self, *purposes: Purpose) -> None:
        if not purposes:
            raise PolicyError("collected_for() names no purpose: what was the data subject told it is for?")
        super().__init__()
        self.purposes = require_purposes(purposes)
        self._policy = Policy(purposes)

    def __enter__(self) -> collected_for:
        place = self._place(sys._getframe(1))
        self._step = step = self._made(place.f_code, place.f_lasti)
        self._frame = step.frame
        step.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._over()
        self._step.__exit__(kind, error, tb)

    def __call__(self, function: _F) -> _F:
        return wrap(function, lambda code: self._made(code, WHOLE_FUNCTION))

    def __repr__(self) -> str:
        return f"collected_for({', '.join(purpose.name for purpose in self.purposes)})"

    def _made(self, code: CodeType, offset: int) -> TiedStep:
        around = current_frame()
        frame = Frame(around, Entry((), around.entry.active), self, code, offset)
        frame.granted = around.granted  # what may be read is as it was
        frame.answers = around.answers
        frame.collect(self._policy)
        return TiedStep(frame, around)
