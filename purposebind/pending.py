"""A refusal on its way out, kept so that a library underneath cannot turn it into something else.

What this module keeps:

- **R12** pydantic turns an exception in a serializer or an attribute into one of its own, of which only the text is
  left; the library's entry points find here what it was, and raise that.
"""

from __future__ import annotations

import threading
from typing import Any, NoReturn

from .errors import PurposeViolation

__all__ = ["pending_violation", "refuse"]

_here = threading.local()


def refuse(violation: PurposeViolation, facts: dict[str, Any]) -> NoReturn:
    """Raise `violation`, which was made of `facts`, and remember what it takes to make it anew.

    Raises:
        PurposeViolation: Always.
    """
    _here.pending = (type(violation), facts)
    try:
        raise violation
    finally:  # else the error, its traceback and this frame would hold one another, and the caller's values
        del violation


def pending_violation(wrapper: BaseException) -> PurposeViolation | None:
    """Return the violation that `wrapper`, an exception of a library underneath, hides; made anew, or None (R12)."""
    pending = getattr(_here, "pending", None)
    _here.pending = None
    if pending is None:
        return None
    kind, facts = pending
    violation: PurposeViolation = kind(**facts)
    return violation if violation._headline() in str(wrapper) else None
