"""A validation error of a request, without what was sent.

What this module keeps:

- **R7** Where a route takes tagged data in some part of a request (its body, its query), no error about that part
  echoes an input: not of a model beside the tagged one in a union, not of a plain one around it, not the body that
  FastAPI hands to handlers, and not a message that quotes any of it.

The models clean their own errors already. What is added here is what stands around them in a route.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from purposebind.redaction import WITHHELD, leaves, redacted

__all__ = ["withheld"]


def withheld(error: Any, parts: frozenset[str], query: Iterable[Any] = ()) -> Any:
    """Return a request's validation error without the inputs of `parts`.

    Args:
        error: A `RequestValidationError` or its websocket counterpart.
        parts: The parts of the request that no error may echo, as locations name them.
        query: The values of the query, which no message may quote.
    """
    if not parts:
        return error
    body = getattr(error, "body", None)
    whole = [leaf for sent in (body, *query) for leaf in leaves(sent) if leaf != WITHHELD]
    lines = [_line(line, whole) if _part(line) in parts else line for line in error.errors()]
    if isinstance(error, WebSocketRequestValidationError):
        clean: Any = WebSocketRequestValidationError(lines)
    else:
        clean = RequestValidationError(lines, body=None if body is None else WITHHELD)
    for name, value in vars(error).items():  # where it was, as FastAPI notes it from some version on
        if name.startswith("endpoint_"):
            setattr(clean, name, value)
    return clean


def _part(line: Mapping[str, Any]) -> Any:
    return line["loc"][0] if line["loc"] else "body"


def _line(line: dict[str, Any], whole: list[Any]) -> dict[str, Any]:
    details = InitErrorDetails(type=line["type"], loc=tuple(line["loc"]), input=line.get("input"))
    if line.get("ctx"):
        details["ctx"] = line["ctx"]
    try:
        error = ValidationError.from_exception_data("request", [details])
    except (KeyError, TypeError, ValueError):  # a kind that is not pydantic's own
        details["type"] = PydanticCustomError(line["type"], line["msg"].replace("{", "{{").replace("}", "}}"))
        details.pop("ctx", None)
        error = ValidationError.from_exception_data("request", [details])
    own = line.get("input")
    secrets = [*whole, *(leaf for leaf in leaves(own) if leaf != WITHHELD)]
    clean: Any = redacted(error, shows_input=lambda _: False, secrets=lambda _: (), whole=lambda: secrets)
    (shown,) = clean.errors(include_url=False)
    return {**shown, "input": None if own is None else WITHHELD}
