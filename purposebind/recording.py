"""The last step before a value is let out, while a ledger is on: the read is recorded, or refused.

A value handed out is a read recorded. What cannot be recorded is not handed out, unless the configuration says that the
service goes on without; then what is missing is counted.

- **R7** Why it cannot be recorded is told in words that hold no value.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import sys
from typing import TYPE_CHECKING, Any, Final

from . import config
from .errors import NotRecorded, PurposeError, Reason
from .pending import refuse
from .sites import Site, outside_frame

if TYPE_CHECKING:
    from .enforcement import Binding, Denial
    from .frames import Frame

__all__ = ["described", "identity", "private_subject", "record_denial", "record_read"]

_logger = logging.getLogger("purposebind")
_DIGEST_KEY: Final = secrets.token_bytes()
_warned: set[str] = set()


def record_read(recorder: config.Recorder, binding: Binding, subject: Any, frame: Frame) -> None:
    """Have a read recorded that was let through.

    Raises:
        NotRecorded: It cannot be recorded.
    """
    try:
        recorder.read(binding, identity(subject), frame)
        _warned.clear()  # it works: what comes next is news
        return
    except Exception as error:
        problem = described(error)
    _missed(recorder, binding.field, frame, problem)


def record_denial(recorder: config.Recorder, denial: Denial, subject: Any, frame: Frame) -> None:
    """Have a denial recorded. One that is enforced stands, whether it can be recorded or not.

    Raises:
        NotRecorded: It is only observed, and cannot be recorded.
    """
    try:
        recorder.denied(denial, identity(subject), frame)
        return
    except Exception as error:
        problem = described(error)
    if denial.enforced:
        _logger.error("the ledger could not record that %s was refused: %s", denial.field, problem)
    else:
        _missed(recorder, denial.field, frame, problem)


def private_subject(subject: Any) -> Any:
    """Return `subject`, or for one that is sealed itself a digest by which people can be told apart and not found."""
    try:
        return _digest(subject._purposebind_value)
    except AttributeError:
        return subject


def _digest(value: Any) -> str:
    return "sealed:" + hashlib.blake2b(repr(value).encode(), key=_DIGEST_KEY, digest_size=16).hexdigest()


def identity(subject: Any) -> Any:
    """Return the person, for who may know: a recorder that keeps a keyed hash, the consent store."""
    return getattr(subject, "_purposebind_value", subject)


def described(error: Exception) -> str:
    """Return why something cannot be recorded, in words that hold no value."""
    # What others say may quote what they were given, and that is a person (R7).
    return str(error) if isinstance(error, (PurposeError, OSError)) and str(error) else type(error).__name__


def _missed(recorder: config.Recorder, field: str, frame: Frame, problem: str) -> None:
    if config.current.on_ledger_failure == "continue" and not frame.in_emergency:
        recorder.missed()
        if problem not in _warned:
            _warned.add(problem)
            _logger.error("%s was read and not recorded, and nothing is until the ledger works: %s", field, problem)
        return
    reader = outside_frame(sys._getframe())
    facts: dict[str, Any] = {
        "field": field,
        "reason": Reason.NOT_RECORDED,
        "active": tuple(sorted(frame.active)),
        "site": Site(reader.f_code, reader.f_lasti) if reader is not None else None,
        "detail": problem,
    }
    refuse(NotRecorded(**facts), facts)
