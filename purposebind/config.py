"""How the library behaves: enforce or observe, and whom it tells (R11).

The configuration is one immutable record for the whole process. `configure` replaces it at once, for every thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from .enforcement import Denial, Read

__all__ = [
    "Configuration",
    "Configured",
    "Mode",
    "Recorder",
    "ViolationHook",
    "check_mode",
    "configure",
    "current",
    "install",
    "on_change",
]

Mode: TypeAlias = Literal["enforce", "observe"]
ViolationHook: TypeAlias = "Callable[[Denial], object]"


class Recorder(Protocol):
    """What is told of every read that is let through. While one is set, no grant is cached."""

    def __call__(self, read: Read, /) -> object: ...


@dataclass(frozen=True)
class Configuration:
    """The configuration in force.

    Attributes:
        mode: What a violation does: ``"enforce"`` raises it, ``"observe"`` records it and lets the read through.
        unscoped: The same for a read with no active purpose; only ``"observe"`` differs from `mode`.
        on_violation: Called with each `Denial`, enforced or observed.
        on_read: Called with each `Read` that was let through.
        revealing: Representations and validation errors show values; for test suites of others only.
    """

    mode: Mode = "enforce"
    unscoped: Mode = "enforce"
    on_violation: tuple[ViolationHook, ...] = ()
    on_read: tuple[Recorder, ...] = ()
    revealing: bool = False


class _Unset:
    def __repr__(self) -> str:
        return "unchanged"


_UNSET: Final = _Unset()
current = Configuration()
_listeners: list[Callable[[], None]] = []


class Configured:
    """What `configure` returns: leave it alone, or use it in a ``with`` block to have the change undone at its end."""

    __slots__ = ("_before",)

    def __init__(self, before: Configuration) -> None:
        self._before = before

    def __enter__(self) -> Configured:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        install(self._before)


def configure(
    *,
    mode: Mode | _Unset = _UNSET,
    unscoped: Mode | _Unset = _UNSET,
    on_violation: ViolationHook | Iterable[ViolationHook] | _Unset = _UNSET,
    on_read: Recorder | Iterable[Recorder] | _Unset = _UNSET,
) -> Configured:
    """Change how the library behaves, for the whole process; what is not named stays as it is.

    Args:
        mode: ``"enforce"`` (the default) raises violations; ``"observe"`` records and warns about them instead (R11).
        unscoped: ``"observe"`` lets reads with no active purpose through, as the middle step of a roll-out, while a
            wrong purpose still raises; ``"enforce"`` is the default.
        on_violation: One hook or several, each called with a `Denial`. An exception in a hook is logged and neither
            hides the denial nor stops the program.
        on_read: One recorder or several, each called with a `Read` before the value is let out. An exception in a
            recorder refuses the read.

    Returns:
        An object that undoes the change when used as a context manager.

    Raises:
        ValueError: `mode` or `unscoped` is another word.
        TypeError: A hook cannot be called.

    Example:
        >>> with configure(mode="observe"):
        ...     pass
    """
    changes: dict[str, Any] = {}
    if not isinstance(mode, _Unset):
        changes["mode"] = check_mode(mode, "mode")
    if not isinstance(unscoped, _Unset):
        changes["unscoped"] = check_mode(unscoped, "unscoped")
    if not isinstance(on_violation, _Unset):
        changes["on_violation"] = _callables(on_violation, "on_violation")
    if not isinstance(on_read, _Unset):
        changes["on_read"] = _callables(on_read, "on_read")
    before = current
    install(replace(before, **changes))
    return Configured(before)


def check_mode(word: object, name: str) -> Mode:
    """Return `word` if it is a mode.

    Raises:
        ValueError: It is another word or no word at all.
    """
    if word == "enforce":
        return "enforce"
    if word == "observe":
        return "observe"
    raise ValueError(f'{name}= is "enforce" or "observe", not {word!r}')


def install(configuration: Configuration) -> None:
    """Put `configuration` in force and tell whoever remembers what the one before allowed."""
    global current
    current = configuration
    for listener in _listeners:
        listener()


def on_change(listener: Callable[[], None]) -> None:
    """Have `listener` called after each change."""
    _listeners.append(listener)


def _callables(hooks: Any, name: str) -> tuple[Any, ...]:
    found = (hooks,) if callable(hooks) else tuple(hooks)
    for hook in found:
        if not callable(hook):
            raise TypeError(f"{name}= takes a callable or several; {type(hook).__name__} cannot be called")
    return found
