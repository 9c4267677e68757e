"""A violation in whatever it was wrapped in on its way out of an endpoint.

What this module keeps:

- **R12** A denial stays a denial: in an exception group, in what was raised from it or while it was handled, and in
  pydantic's and FastAPI's own errors, of which only the text is left.

``raise X from None`` is how code says that X is no denial any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fastapi.exceptions import ResponseValidationError
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from purposebind import PurposeViolation
from purposebind.errors import chained

__all__ = ["violation_in"]


def violation_in(error: BaseException) -> str | None:
    """Return what the violation in `error` says, to whoever keeps the service; None where there is none in it."""
    return next((said for said in map(_said, chained(error)) if said is not None), None)


def _said(error: BaseException) -> str | None:
    if isinstance(error, PurposeViolation):
        return str(error)
    if isinstance(error, PydanticSerializationError):
        return _told(str(error))
    if isinstance(error, ValidationError):
        return _told_by(error.errors(include_url=False, include_input=False))
    if isinstance(error, ResponseValidationError):
        return _told_by(error.errors())
    return None


def _told_by(lines: Any) -> str | None:
    """What the lines of a validation error tell: an attribute that ``from_attributes`` asked for was refused."""
    for line in lines:
        if line.get("type") == "get_attribute_error":
            said = _told(str((line.get("ctx") or {}).get("error", "")))
            if said is not None:
                return said
    return None


def _told(text: str) -> str | None:
    """The words of a violation in the text of an error that pydantic made of it: its class's name, and itself."""
    found = re.search(rf"(?:^|: )(?:{'|'.join(_names(PurposeViolation))}): ", text)
    return text[found.end() :] if found is not None else None


def _names(kind: type) -> Iterator[str]:
    yield re.escape(kind.__name__)
    below: type
    for below in kind.__subclasses__():
        yield from _names(below)
