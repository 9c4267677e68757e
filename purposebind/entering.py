"""`purpose_scope` and `carry`: how code states what it is for.

What this module keeps, on the frames of `purposebind.scope`:

- **R5** A block is entered and left in one context; what is left elsewhere is closed all the same, and said. A
  ``with`` in a generator, which would leave the scope open for the generator's consumer, is refused.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable
from types import CodeType, FrameType, TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import Self

from .answers import Answers, Batch
from .callables import wrap
from .errors import PolicyError, PurposeError
from .frames import DEAD, Entry, Frame, note_closed, note_open, open_frames
from .purpose import Purpose, require_purposes
from .scope import (
    OUTSIDE,
    Step,
    both,
    current_frame,
    enter,
    handovers_of,
    leave,
    set_frame,
    standing,
)
from .sites import WHOLE_FUNCTION, Site

__all__ = ["Block", "OpenOnce", "TiedStep", "carry", "purpose_scope", "with_statement"]

_F = TypeVar("_F", bound="Callable[..., Any] | staticmethod[..., Any] | classmethod[Any, ..., Any] | property")

_CO_GENERATOR = 0x20
_CO_ITERABLE_COROUTINE = 0x100
_CO_ASYNC_GENERATOR = 0x200
_SUSPENDS = _CO_GENERATOR | _CO_ASYNC_GENERATOR
_CONTEXTLIB = contextlib.ExitStack.enter_context.__code__.co_filename
_BETWEEN = frozenset((_CONTEXTLIB, __file__))
"""Files whose frames may stand between a scope and the ``with`` statement that enters it."""


class Block:
    """What ``with`` opens and ``async with`` does too: neither entering nor leaving waits for anything."""

    __slots__ = ()

    _held: bool = False
    """Whether a generator may be suspended inside of it."""

    if TYPE_CHECKING:

        def __enter__(self) -> Self: ...
        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
        ) -> None: ...

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, tb)


class OpenOnce(Block):
    """A `Block` that is open in one place at a time, and knows its frame."""

    __slots__ = ("_frame",)

    def __init__(self) -> None:
        self._frame: Frame | None = None

    def _place(self, caller: FrameType) -> FrameType:
        """Return the frame whose ``with`` enters this.

        Raises:
            PurposeError: It is open already, or the ``with`` stands in a generator.
        """
        if self._frame is not None:
            raise PurposeError(f"{self!r} is open already: make one for each block")
        return with_statement(caller, self)

    def _over(self) -> Frame:
        """Return the frame that is to be left.

        Raises:
            PurposeError: It is not open.
        """
        frame, self._frame = self._frame, None
        if frame is None:
            raise PurposeError(f"{self!r} is not open: it was closed already, or never entered.")
        return frame


class purpose_scope(Block):
    """Runs a block, or a function, for `purposes`.

    Use it as ``with``, as ``async with``, or as a decorator of a function, coroutine function, generator, async
    generator, method, classmethod, staticmethod, property, partial or other callable. A decorated generator enters
    the scope at each step and leaves it at each yield. The object may be used again, inside itself, and by several
    threads.

    Args:
        purposes: What the block is for. Several mean one inside the other.
        subjects: The data subjects whose data will be read, in that order: the values of their `SubjectId` fields. The
            consent store is asked about all of them at once, and not at each read: at the first read that hangs on
            consent, and with ``async with`` on entering, in a thread. For blocks alone.

    Raises:
        PolicyError: No purpose is given, or a function is decorated with `subjects`.
        TypeError: A string or something else is given where a `Purpose` is meant.
        PurposeError: On entering, where the block stands in a generator that would leave it open at a yield; on
            leaving, where the scope is not open, or was opened in another context.

    Example:
        >>> from purposebind import Purpose, active_purposes, purpose_scope
        >>> parcels = Purpose("parcels", "Bring the parcel")
        >>> @purpose_scope(parcels)
        ... def label():
        ...     return active_purposes()
        >>> label(), active_purposes()
        (frozenset({Purpose('parcels')}), frozenset())
    """

    __slots__ = ("_held", "_key", "_subjects", "purposes")

    def __init__(self, *purposes: Purpose, subjects: Iterable[Any] | None = None) -> None:
        if not purposes:
            raise PolicyError("purpose_scope() names no purpose: what is this block for?")
        if isinstance(subjects, (str, bytes)):
            raise TypeError(
                "purpose_scope(subjects=) takes the values of SubjectId fields, such as [17, 18], and no text"
            )
        self.purposes = require_purposes(purposes)
        self._key = self.purposes if len(purposes) > 1 else self.purposes[0]
        self._subjects = None if subjects is None else tuple(dict.fromkeys(subjects))
        self._held = False

    def across_yields(self) -> purpose_scope:
        """Return the same scope for the ``with`` of a generator that a framework drives as a context manager.

        ``contextlib``'s decorators are recognised without it. Use it where another framework does their work, such as a
        pytest fixture: its consumer, up to the generator's end, then runs in the scope, and that is what you mean.

        Example:
            >>> from purposebind import Purpose
            >>> def fixture():
            ...     with purpose_scope(Purpose("checks", "Test the service")).across_yields():
            ...         yield
        """
        scope = purpose_scope(*self.purposes, subjects=self._subjects)
        scope._held = True
        return scope

    def __enter__(self) -> purpose_scope:
        caller = sys._getframe(1)
        code = caller.f_code
        if code.co_flags & _SUSPENDS or code.co_filename in _BETWEEN:
            caller = with_statement(caller, self)
            code = caller.f_code
        parent = current_frame()
        active = parent.entry.active if parent.granted is not DEAD else standing(parent)
        entry = active.entries.get(self._key) or enter(active, self._key)
        frame = Frame(parent, entry, self, code, caller.f_lasti)
        if parent.hereditary:
            frame.inherit(parent)
        if self._subjects is not None:
            frame.answers = Answers(entry.active, Batch(self._subjects))
        note_open(frame)
        set_frame(frame)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        frame = current_frame()
        if frame.owner is self and frame.granted is not DEAD:
            frame.granted = DEAD
            note_closed(frame)
            set_frame(frame.parent or OUTSIDE)
            if frame.dependents:  # asked after the death: what is added in between sees it, or is seen here
                frame.die()
        else:
            self._leave_elsewhere(raising=kind is None)

    async def __aenter__(self) -> purpose_scope:
        scope = self.__enter__()
        answers = current_frame().answers
        if self._subjects is not None and answers is not None:
            try:
                await _elsewhere(lambda: answers.batch.prefetch(self.purposes))
            except BaseException:
                self.__exit__(None, None, None)
                raise
        return scope

    def __call__(self, function: _F) -> _F:
        if self._subjects is not None:
            raise PolicyError(
                "purpose_scope(subjects=) is for a with block: a decorated function has other people each time it is "
                "called. Open the block inside of it."
            )
        return wrap(function, self._step)

    def __repr__(self) -> str:
        return f"purpose_scope({', '.join(p.name for p in self.purposes)})"

    def _step(self, code: CodeType) -> Step:
        parent = current_frame()
        return Step(Frame(parent, enter(standing(parent), self._key), None, code, WHOLE_FUNCTION))

    def _leave_elsewhere(self, *, raising: bool) -> None:
        ours = [frame for frame in current_frame().around() if frame.owner is self]
        for frame in ours:
            if frame.alive:  # left out of order, in this context
                leave(frame)
                return
        if ours:  # dead: it was closed elsewhere, or by hand; nothing of it stays here
            leave(ours[0])
        opened = [frame for frame in open_frames() if frame.owner is self]
        for frame in opened:  # which of them was left cannot be known: none may outlive its block
            frame.die()
        if not raising:  # the error on its way says more than ours would
            return
        if opened:
            raise PurposeError(
                f"{self!r}, entered at {opened[0].site}, was closed in another context than it was opened in: in "
                "another task, or by a framework that runs each half of a generator somewhere else. It is closed now, "
                "but what ran in between was not in it. Open and close a scope in one function, or decorate the "
                "function."
            )
        raise PurposeError(f"{self!r} is not open here: it was closed already, or never entered.")


async def _elsewhere(work: Callable[[], object]) -> None:
    """Have `work` done in a thread, where an asyncio loop is running; or here."""
    asyncio = sys.modules.get("asyncio")
    try:
        assert asyncio is not None
        asyncio.get_running_loop()
    except (AssertionError, RuntimeError):
        work()
    else:
        await asyncio.to_thread(work)


def carry(function: _F) -> _F:
    """Take the scope in force here along with `function`, to another thread, executor or callback.

    There it runs in this scope for as long as this scope's block is open, and not longer; called inside another scope
    it runs under both (R5). Where no scope is in force, `function` is returned as it is.

    Args:
        function: Any callable that `purpose_scope` can decorate. Async functions and generators are carried too.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from purposebind import Purpose, active_purposes, carry, purpose_scope
        >>> letters = Purpose("letters", "Print letters")
        >>> with ThreadPoolExecutor() as executor, purpose_scope(letters):
        ...     executor.submit(carry(active_purposes)).result()
        frozenset({Purpose('letters')})
    """
    origin = current_frame()
    if origin is OUTSIDE:
        return function
    handovers = handovers_of(origin)

    def step(code: CodeType) -> Step:
        here = current_frame()
        active = both(standing(here), origin.entry.active)
        frame = Frame(here, Entry(origin.entry.purposes, active, handovers), origin, origin.code, origin.offset)
        if origin.hereditary:
            frame.inherit(origin)
        frame.answers = origin.answers
        return TiedStep(frame, origin)

    return wrap(function, step)


class TiedStep(Step):
    """A step whose frame dies with another one, if that dies first."""

    __slots__ = ("_origin",)

    def __init__(self, frame: Frame, origin: Frame) -> None:
        super().__init__(frame)
        self._origin = origin

    def __enter__(self) -> None:
        super().__enter__()
        self._origin.at_end(self.frame)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        super().__exit__(kind, error, tb)
        dependents = self._origin.dependents
        if dependents and self.frame in dependents:
            dependents.remove(self.frame)


def with_statement(caller: FrameType, scope: Block) -> FrameType:
    """Return the frame whose ``with`` enters `scope`, having made sure that it is not a generator's.

    A generator's ``with`` stays open at a yield, and its consumer would run in the scope without having asked (R5).
    Under contextlib's decorators that is the point; the frame that uses the context manager then counts instead.
    """
    place: FrameType | None = caller
    while place is not None and place.f_code.co_filename in _BETWEEN:  # ExitStack.enter_context, __aenter__
        place = place.f_back
    statement = place or caller
    while place is not None and not scope._held:
        flags = place.f_code.co_flags
        if place.f_code.co_filename != _CONTEXTLIB and flags & _SUSPENDS and not flags & _CO_ITERABLE_COROUTINE:
            driver = place.f_back
            if driver is None or driver.f_code.co_filename != _CONTEXTLIB:
                raise PurposeError(
                    f"{scope!r} is entered by a with statement in the generator {place.f_code.co_name}() "
                    f"({Site(place.f_code, place.f_lasti)}). At each yield the block would stay open, and whoever "
                    "consumes the generator would run in it.\n"
                    "Did you forget the @contextmanager (or @asynccontextmanager) decorator? Otherwise:\n"
                    f"{_ways_out(scope)}"
                )
            place = driver
        elif place.f_code.co_filename == _CONTEXTLIB:
            place = place.f_back
        else:
            break
    return statement


def _ways_out(scope: Block) -> str:
    if not isinstance(scope, purpose_scope):
        return "  - close the block before the yield."
    return (
        f"  - decorate the generator: @{scope!r} enters at each step and leaves at each yield;\n"
        "  - or close the block before the yield;\n"
        "  - or, where a framework drives this generator as a context manager (a pytest fixture), say so: "
        f"with {scope!r}.across_yields(): ..."
    )
