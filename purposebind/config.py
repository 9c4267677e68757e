"""How the library behaves: enforce or observe, and whom it tells (R11).

The configuration is one immutable record for the whole process. `configure` replaces it at once, for every thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from .consent import ConsentStore
    from .enforcement import Binding, Denial, Read
    from .frames import Frame

__all__ = [
    "Configuration",
    "Configured",
    "Ledger",
    "Mode",
    "OnLedgerFailure",
    "ReadHook",
    "Recorder",
    "ViolationHook",
    "check_mode",
    "configure",
    "current",
    "install",
    "on_change",
]

Mode: TypeAlias = Literal["enforce", "observe"]
OnLedgerFailure: TypeAlias = Literal["deny", "continue"]
ViolationHook: TypeAlias = "Callable[[Denial], object]"


class ReadHook(Protocol):
    """What is told of every read that is let through. While one is set, no grant is cached."""

    def __call__(self, read: Read, /) -> object: ...


class Recorder(Protocol):
    """What a ledger records with. A value is let out once `read`, or `denied` in observe mode, has returned.

    Whatever one of these raises counts as a failure to record.
    """

    def read(self, binding: Binding, subject: Any, frame: Frame, /) -> object:
        """Record that a field of the person `subject` (None: unknown) was read in the scope entry `frame`."""

    def shortcut(self, frame: Frame, /) -> Callable[[Any], bool] | None:
        """Return what records further reads in `frame`, of the bindings that `read` has recorded there; or None.

        It is called with the box that is read, and returns whether it has recorded that. The box's subject may be a
        value that tells nobody's name; that it leaves to `read`. So it does a binding whose policy is ``conditional``:
        each read of it has to be asked for.
        """

    def denied(self, denial: Denial, subject: Any, frame: Frame, /) -> object:
        """Record a denial, enforced or observed. `subject` is the person, where the denial may hold but a digest."""

    def opened(self, frame: Frame, /) -> object:
        """Record that the scope entry `frame` is open, before anything is read in it."""

    def missed(self) -> object:
        """Count a read that was let through and could not be recorded."""


class Ledger(Protocol):
    """What `configure` takes for ``ledger=``."""

    def recorder(self) -> Recorder:
        """Return what records into the ledger, the same one each time."""
        ...


@dataclass(frozen=True)
class Configuration:
    """The configuration in force.

    Attributes:
        mode: What a violation does: ``"enforce"`` raises it, ``"observe"`` records it and lets the read through.
        unscoped: The same for a read with no active purpose; only ``"observe"`` differs from `mode`.
        on_violation: Called with each `Denial`, enforced or observed.
        on_read: Called with each `Read` that was let through.
        ledger: What records every read and denial, or None.
        on_ledger_failure: What becomes of a read that cannot be recorded: ``"deny"`` refuses it.
        consent: What is asked whether data subjects consent, or None.
        consent_max_age: How old its answers may be.
        revealing: Representations and validation errors show values; for test suites of others only.
    """

    mode: Mode = "enforce"
    unscoped: Mode = "enforce"
    on_violation: tuple[ViolationHook, ...] = ()
    on_read: tuple[ReadHook, ...] = ()
    ledger: Recorder | None = None
    on_ledger_failure: OnLedgerFailure = "deny"
    consent: ConsentStore | None = None
    consent_max_age: timedelta = timedelta(seconds=1)
    revealing: bool = False

    @property
    def sees_reads(self) -> bool:
        """Whether somebody has to be told of each read, so that no grant may be cached."""
        return bool(self.on_read) or self.ledger is not None


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
    on_read: ReadHook | Iterable[ReadHook] | _Unset = _UNSET,
    ledger: Ledger | _Unset | None = _UNSET,
    on_ledger_failure: OnLedgerFailure | _Unset = _UNSET,
    consent: ConsentStore | _Unset | None = _UNSET,
    consent_max_age: timedelta | _Unset = _UNSET,
) -> Configured:
    """Change how the library behaves, for the whole process; what is not named stays as it is.

    Args:
        mode: ``"enforce"`` (the default) raises violations; ``"observe"`` records and warns about them instead (R11).
        unscoped: ``"observe"`` lets reads with no active purpose through, as the middle step of a roll-out, while a
            wrong purpose still raises; ``"enforce"`` is the default.
        on_violation: One hook or several, each called with a `Denial`. An exception in a hook is logged and neither
            hides the denial nor stops the program.
        on_read: One hook or several, each called with a `Read` before the value is let out. An exception in one refuses
            the read.
        ledger: A `purposebind.ledger.Ledger` that records every read before the value is let out, and every denial; or
            None for none.
        on_ledger_failure: ``"deny"`` (the default) refuses a read that the ledger cannot record; ``"continue"`` lets it
            through, counts it and warns.
        consent: A `purposebind.consent.ConsentStore`, which is asked where a tag says ``with_consent=``; or None.
            Without one nobody consents.
        consent_max_age: How old its answers may be when they are relied on, one second if nothing is said: a withdrawal
            in another process counts after that time at the latest. One in this process counts at once.

    Returns:
        An object that undoes the change when used as a context manager.

    Raises:
        ValueError: `mode`, `unscoped` or `on_ledger_failure` is another word; `consent_max_age` is less than no time.
        TypeError: A hook cannot be called, or `ledger` or `consent` is something else.
        LedgerError: The ledger cannot be written.

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
    if not isinstance(ledger, _Unset):
        changes["ledger"] = _recorder(ledger)
    if not isinstance(on_ledger_failure, _Unset):
        if on_ledger_failure not in ("deny", "continue"):
            raise ValueError(f'on_ledger_failure= is "deny" or "continue", not {on_ledger_failure!r}')
        changes["on_ledger_failure"] = on_ledger_failure
    if not isinstance(consent, _Unset):
        if consent is not None and not callable(getattr(consent, "consenting", None)):
            raise TypeError(f"consent= takes a ConsentStore, which has consenting(); {type(consent).__name__} has not")
        changes["consent"] = consent
    if not isinstance(consent_max_age, _Unset):
        if not isinstance(consent_max_age, timedelta):
            raise TypeError(f"consent_max_age= takes a timedelta, not {type(consent_max_age).__name__}")
        if consent_max_age < timedelta():
            raise ValueError("consent_max_age= is less than no time")
        changes["consent_max_age"] = consent_max_age
    before = current
    install(replace(before, **changes))
    return Configured(before)


def _recorder(ledger: Any) -> Recorder | None:
    if ledger is not None and not callable(getattr(ledger, "recorder", None)):
        raise TypeError(f"ledger= takes a purposebind.ledger.Ledger, not {type(ledger).__name__}: Ledger('a/folder')")
    recorder: Recorder | None = None if ledger is None else ledger.recorder()
    return recorder


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
