"""`assert_denied`: a denial that happened, and that nobody turned into an answer on its way (R12)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from purposebind.enforcement import Denial
from purposebind.errors import PurposeViolation, Reason, chained
from purposebind.purpose import Purpose

from .capturing import Captured, captured, check, matches

__all__ = ["Denied", "assert_denied"]


class Denied:
    """What `assert_denied` returns: the context manager, and what it found.

    Attributes:
        violation: The violation that came out of the block, or would have; None until the block is left.
        seen: What was denied and read inside.
    """

    def __init__(self, field: str | None, purpose: Purpose | None, reason: Reason | None, observed: bool) -> None:
        self.violation: PurposeViolation | None = None
        self.seen = Captured()
        self._wanted = (field, purpose, reason)
        self._observed = observed
        self._capture: AbstractContextManager[Captured] = captured()

    def __enter__(self) -> Denied:
        self.seen = self._capture.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        __tracebackhide__ = True  # pytest then points at the with statement
        self._capture.__exit__(None, None, None)
        if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
            return False
        field, purpose, reason = self._wanted
        denials = self.seen.of(field, purpose=purpose, reason=reason).denials
        came_out = [] if error is None else list(_violations(error, denials))
        matching = [violation for violation in came_out if matches(violation, field, purpose, reason)]
        if self._observed and error is None:
            matching = [denial.violation for denial in denials if not denial.enforced]
        if matching and self._observed == (error is None):
            self.violation = matching[0]
            return True
        if error is not None and not came_out:
            return False
        raise AssertionError(_instead(self._words(), self.seen, denials, came_out)) from error

    def _words(self) -> str:
        field, purpose, reason = self._wanted
        words = [field or "a read", "was to be", "observed as denied" if self._observed else "denied"]
        words += [f"for {purpose.name}"] if purpose is not None else []
        words += [f"because of {reason}"] if reason is not None else []
        return " ".join(words)


def assert_denied(
    field: str | None = None,
    *,
    purpose: Purpose | None = None,
    reason: Reason | None = None,
    observed: bool = False,
) -> Denied:
    """Pass if a read is denied inside, and the denial comes out of the block; fail, and say what happened, if not.

    A denial that is caught on its way, and turned into an answer as if nothing had been, is none. One that comes out in
    an exception raised from it, or in a group, is one. Where a framework answers the denial, look at `captured`.

    Args:
        field: What is denied, such as ``"Account.phone"``; anything, if it is left out.
        purpose: A purpose that is not covered; one below it serves too.
        reason: Why it is denied.
        observed: Expect the denial to be observed, and the value to be let through (R11).

    Raises:
        AssertionError: On leaving: it was not denied, or something else was, or the denial was caught or only observed.
        TypeError: An argument could match nothing.

    Example:
        >>> from purposebind import AllowedFor, Purpose, Sealed, purpose_scope
        >>> guarantee = Purpose("guarantee", "Honour the guarantee")
        >>> resale = Purpose("resale", "Sell what we know")
        >>> box = Sealed.of("+15550100", AllowedFor(guarantee))
        >>> with assert_denied(purpose=resale), purpose_scope(resale):
        ...     box.open()
    """
    check(field, purpose, reason)
    return Denied(field, purpose, reason, observed)


def _violations(error: BaseException, denials: list[Denial]) -> Iterator[PurposeViolation]:
    """Yield the violations that `error` is, or was raised from, or holds, or quotes as serializers do (R12)."""
    for found in chained(error, past=lambda one: not isinstance(one, PurposeViolation)):
        if isinstance(found, PurposeViolation):
            yield found
        else:
            text = str(found)
            yield from (denial.violation for denial in denials if str(denial.violation).partition("\n")[0] in text)


def _instead(wanted: str, seen: Captured, denials: list[Denial], came_out: list[PurposeViolation]) -> str:
    lines = [f"{wanted}, and was not."]
    enforced = [denial for denial in denials if denial.enforced]
    if enforced and not came_out:
        lines.append(
            "The denial did not come out of the block: something caught it. If it is answered there rightly, look at "
            "what was denied with captured() instead of assert_denied()."
        )
    elif denials and not enforced:
        lines.append(
            "It was observed, not enforced, and the value was let through: the mode is 'observe', by configure() or "
            "by purpose_mode= of the model. Where that is meant: assert_denied(..., observed=True)."
        )
    elif denials and came_out:
        lines.append("It was enforced. Where that is meant, leave observed=True away.")
    others = [_told_of(denial.violation, denial.enforced) for denial in seen.denials]
    others += [
        _told_of(violation, True)
        for violation in came_out
        if not any(_told_of(violation, True) == line for line in others)
    ]
    reads = dict.fromkeys(f"  {read.field} for {_names(read.active)}" for read in seen.reads)
    lines += ["Denied:", *dict.fromkeys(others)] if others else ["Nothing was denied."]
    lines += ["Read, and rightly:", *reads] if reads else ["Nothing was read rightly."]
    return "\n".join(lines)


def _told_of(violation: PurposeViolation, enforced: bool) -> str:
    how = "" if enforced else ", observed"
    return f"  {violation.field} for {_names(violation.active)} ({violation.reason.value}{how}) at {violation.site}"


def _names(purposes: Any) -> str:
    return ", ".join(sorted(purpose.name for purpose in purposes)) or "no purpose"
