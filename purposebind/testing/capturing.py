"""`captured`: what is denied and read while a block is open.

What this module keeps: a capture sees everything, whatever the code under test configures. A test that finds nothing
must not have looked at nothing.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from purposebind import config
from purposebind.enforcement import Denial, Read
from purposebind.errors import PurposeViolation, Reason
from purposebind.purpose import Purpose, require_purposes

__all__ = ["Captured", "captured", "check", "matches"]


class Captured:
    """What was denied and read, in the order it happened.

    Attributes:
        denials: Each `Denial`, enforced or observed.
        reads: Each `Read` that was let through. In observe mode what is let through in spite of its tag is a denial
            with ``enforced=False``, and no read.
    """

    def __init__(self, denials: list[Denial] | None = None, reads: list[Read] | None = None) -> None:
        self.denials: list[Denial] = [] if denials is None else denials
        self.reads: list[Read] = [] if reads is None else reads

    def of(self, field: str | None = None, *, purpose: Purpose | None = None, reason: Reason | None = None) -> Captured:
        """Return what is about `field`, and happened while `purpose`, or one below it, was active.

        Args:
            field: Such as ``"Account.phone"``; any, if it is left out.
            purpose: A denial counts where this is one of those that are not covered.
            reason: Why it was denied; leaves no reads.
        """
        check(field, purpose, reason)
        return Captured(
            [denial for denial in self.denials if matches(denial.violation, field, purpose, reason)],
            [
                read
                for read in self.reads
                if reason is None
                and field in (None, read.field)
                and (purpose is None or any(purpose.includes(active) for active in read.active))
            ],
        )

    def __repr__(self) -> str:
        return f"<Captured: {len(self.denials)} denials, {len(self.reads)} reads>"


class _Tells:
    """A hook that fills a list for as long as its block is open."""

    __slots__ = ("into", "open")

    def __init__(self, into: list[Any]) -> None:
        self.into = into
        self.open = True

    def __call__(self, event: Any) -> None:
        if self.open:
            self.into.append(event)


_told: Final[list[tuple[_Tells, _Tells]]] = []


def _keep_telling() -> None:
    """Have every open `captured` among the hooks, and no closed one, whatever was configured in the meantime.

    Code under test that sets hooks of its own would otherwise end the capture, and a test that nothing was denied would
    pass without having looked.
    """
    current = config.current
    denials = _with(current.on_violation, [pair[0] for pair in _told])
    reads = _with(current.on_read, [pair[1] for pair in _told])
    if denials != current.on_violation or reads != current.on_read:
        config.install(replace(current, on_violation=denials, on_read=reads))


def _with(hooks: tuple[Any, ...], wanted: list[_Tells]) -> tuple[Any, ...]:
    kept = tuple(hook for hook in hooks if not isinstance(hook, _Tells) or hook.open)
    return kept + tuple(hook for hook in wanted if not any(hook is known for known in kept))


config.on_change(_keep_telling)


@contextmanager
def captured() -> Generator[Captured, None, None]:
    """Collect what is denied and read in the whole process while the block is open, beside what other hooks are told.

    It stays whatever is configured inside, and leaves the configuration as it finds it but for itself.

    Example:
        >>> from purposebind import AllowedFor, Purpose, Sealed, purpose_scope
        >>> guarantee = Purpose("guarantee", "Honour the guarantee")
        >>> with captured() as seen, purpose_scope(guarantee):
        ...     Sealed.of("+15550100", AllowedFor(guarantee)).open()
        '+15550100'
        >>> [read.field for read in seen.reads], seen.denials
        (['Sealed'], [])
    """
    seen = Captured()
    pair = (_Tells(seen.denials), _Tells(seen.reads))
    _told.append(pair)
    _keep_telling()
    try:
        yield seen
    finally:
        for hook in pair:
            hook.open = False
        _told.remove(pair)
        _keep_telling()


def check(field: object, purpose: object, reason: object) -> None:
    """Refuse what names no field, purpose or reason: a filter that matches nothing would look like a finding."""
    if field is not None and not isinstance(field, str):
        raise TypeError(f'field= is a name such as "Account.phone", not {field!r}')
    if purpose is not None:
        require_purposes((purpose,))
    if reason is not None and not isinstance(reason, Reason):
        raise TypeError(f"reason= is a purposebind.errors.Reason, such as Reason.NO_SCOPE, not {reason!r}")


def matches(violation: PurposeViolation, field: str | None, purpose: Purpose | None, reason: Reason | None) -> bool:
    """Whether `violation` is about `field` and `reason`, and `purpose`, or one below it, is not covered."""
    return (
        field in (None, violation.field)
        and reason in (None, violation.reason)
        and (purpose is None or any(purpose.includes(culprit) for culprit in violation.culprits))
    )
