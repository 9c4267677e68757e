"""Validation errors without the values they are about.

What this module keeps:

- **R7** A `ValidationError` of a tagged field never holds the value: not as input, not in its context, not in a
  message that quotes it, and not in an exception chained behind it. What is left tells where and what kind: location,
  type, and every message that does not quote.

A message quotes a value when it shares a run of its letters and digits: three where one is a digit, four otherwise, or
the whole of a shorter value. That withholds a little too much, and a person's data beats a prettier error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast, get_args

from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError
from pydantic_core.core_schema import ErrorType

from . import config

__all__ = ["WITHHELD", "leaves", "redacted"]

WITHHELD: Final = "<withheld>"
_MESSAGE: Final = "Input is not valid (the message is withheld: it may quote the value)"
_KNOWN: Final = frozenset(get_args(ErrorType))
_RAISED: Final = {"value_error": ValueError, "assertion_error": AssertionError}
_FROM_INPUT: Final = frozenset(("error", "tag", "reason"))


def redacted(
    error: ValidationError,
    *,
    shows_input: Callable[[Mapping[str, Any]], bool],
    secrets: Callable[[Mapping[str, Any]], Iterable[Any]],
    whole: Callable[[], Iterable[Any]] = tuple,
    place: Callable[[tuple[int | str, ...]], tuple[int | str, ...]] = tuple,
    from_json: bool = False,
    hide_input: bool = False,
) -> ValidationError:
    """Return `error` without the values; the caller raises it where nothing is chained to it.

    Args:
        error: What pydantic raised.
        shows_input: Says of a line of ``error.errors()`` whether its input may stay: it is no tagged field's.
        secrets: Returns the values that no message may quote, of a line whose input may not be shown.
        whole: Returns the values of the whole input that no message may quote, whatever field it is about.
        place: Returns what may be shown of an error's location.
        from_json: Whether the input was JSON text.
        hide_input: The model's ``hide_input_in_errors``.
    """
    if config.current.revealing:
        return error
    lines = cast("list[dict[str, Any]]", error.errors(include_url=False))
    grams = _grams(whole())
    for line in lines:
        if not shows_input(line):
            grams |= _grams(secrets(line))
    return ValidationError.from_exception_data(
        error.title,
        [_line(line, shows_input, grams, place) for line in lines],
        input_type="json" if from_json else "python",
        hide_input=hide_input,
    )


def leaves(value: Any, depth: int = 8) -> Iterable[Any]:
    """Yield the scalars inside `value`: of mappings (keys too), sequences, sets and objects with a ``__dict__``."""
    if isinstance(value, (str, bytes, bytearray, int, float)) or value is None or depth == 0:
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield from leaves(item, depth - 1)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from leaves(item, depth - 1)
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        yield from leaves(vars(value), depth - 1)
    else:
        yield value


def _line(
    line: dict[str, Any],
    shows_input: Callable[[Mapping[str, Any]], bool],
    grams: set[str],
    place: Callable[[tuple[int | str, ...]], tuple[int | str, ...]],
) -> InitErrorDetails:
    kind, context = line["type"], dict(line.get("ctx") or {})
    text: str = line["msg"]
    if kind in _RAISED:
        text = str(context.get("error", ""))
        context["error"] = _RAISED[kind](text)  # a new one: the old has arguments, a traceback and its frames
    may_quote = kind not in _KNOWN or not _FROM_INPUT.isdisjoint(context)
    if may_quote and _quotes(text, grams):
        described: Any = PydanticCustomError(kind, cast("Any", _MESSAGE))
    elif kind in _KNOWN:
        described = kind
    else:
        template = line["msg"].replace("{", "{{").replace("}", "}}") if not context else line["msg"]
        safe = {key: item for key, item in context.items() if not _quotes(str(item), grams)}
        described = PydanticCustomError(kind, template, safe or None)
    details = InitErrorDetails(
        type=described, loc=place(line["loc"]), input=line["input"] if shows_input(line) else WITHHELD
    )
    if described is kind and context:
        details["ctx"] = context
    return details


def _normal(value: object) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, (bytes, bytearray)) else str(value)
    return re.sub(r"[\W_]+", "", text).casefold()


def _grams(values: Iterable[Any]) -> set[str]:
    found: set[str] = set()
    for value in values:
        if value is None or isinstance(value, bool):
            continue
        text = _normal(value)
        if 0 < len(text) < 4:
            found.add(text)
        for start in range(len(text) - 2):
            if any(character.isdigit() for character in text[start : start + 3]):
                found.add(text[start : start + 3])
            elif start + 4 <= len(text):
                found.add(text[start : start + 4])
    return found


def _quotes(text: str, grams: set[str]) -> bool:
    if not grams:
        return False
    normal = _normal(text)
    return any(gram in normal for gram in grams)
