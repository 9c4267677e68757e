"""What is within reach of an event: the exceptions it is about, the frames they went through, what these hold.

The event itself has text alone. Sentry's hint has the exceptions, and through these the models whose values the text
may quote.
"""

from __future__ import annotations

import os.path
import sys
from collections.abc import Callable, Iterator, Mapping
from types import FrameType, FunctionType, ModuleType, TracebackType
from typing import Any, TypeAlias

from purposebind import PurposeModel, Sealed
from purposebind.errors import chained
from purposebind.scrubbing import Scrubber

__all__ = ["Place", "exceptions", "kinds", "near", "place", "scrubbing"]

Place: TypeAlias = "tuple[str, str, int]"
"""Where a frame is: its file, its function, its line."""

_OURS = __name__.rpartition(".")[0]
_HOLD = (PurposeModel, Sealed, dict, list, set, tuple)
_HOLD_NONE = (FunctionType, ModuleType, type)
_BETWEEN = frozenset(("logging", "sentry_sdk"))
"""Packages whose frames stand between the code that an event is about and its hook."""


def exceptions(hint: Mapping[str, Any]) -> list[BaseException]:
    """Return the exceptions that an event is about, with those they come from and those they group."""
    record = hint.get("log_record")
    given = [(info or (None, None))[1] for info in (hint.get("exc_info"), getattr(record, "exc_info", None))]
    roots = [error for error in given if isinstance(error, BaseException)]
    found = {id(error): error for root in roots for error in chained(root, suppressed=True)}
    return list(found.values())


def place(file: str, function: str, line: int) -> Place:
    """Return where a frame is, as Sentry writes it."""
    return os.path.abspath(file) if file else "", function, line


def kinds(hint: Mapping[str, Any]) -> dict[Place, dict[str, str]]:
    """Return the name of the type of each variable, by the place of its frame."""
    found: dict[Place, dict[str, str]] = {}
    for frame, line in _frames(hint):
        code = frame.f_code
        types = {name: f"<{type(value).__qualname__}>" for name, value in dict(frame.f_locals).items()}
        found.setdefault(place(code.co_filename, code.co_name, line), {}).update(types)
    return found


def near(hint: Mapping[str, Any]) -> Callable[[str], str]:
    """Return what replaces values that models hold in the variables of the function that calls, and quickly."""
    frame, _ = next(_calling())
    held = [value for value in dict(frame.f_locals).values() if issubclass(type(value), _HOLD)]
    return _replacing([*held, getattr(hint.get("log_record"), "args", None)])


def scrubbing(hint: Mapping[str, Any]) -> Callable[[str], str]:
    """Return what replaces the values that models within reach of an event hold, in any text."""
    variables = (value for frame, _ in _frames(hint) for value in dict(frame.f_locals).values())
    objects: list[Any] = [value for value in variables if not issubclass(type(value), _HOLD_NONE)]
    for error in exceptions(hint):
        objects += [error.args, vars(error)]
    objects.append(vars(hint["log_record"]) if "log_record" in hint else None)
    return _replacing(objects)


def _replacing(objects: list[Any]) -> Callable[[str], str]:
    scrubber = Scrubber(objects)
    return scrubber.scrub if scrubber else str


def _frames(hint: Mapping[str, Any]) -> Iterator[tuple[FrameType, int]]:
    """The frames that called for the event, and those that the exceptions went through, with the line of each."""
    yield from _calling()
    for error in exceptions(hint):
        step: TracebackType | None = error.__traceback__
        while step is not None:
            yield step.tb_frame, step.tb_lineno
            step = step.tb_next


def _calling() -> Iterator[tuple[FrameType, int]]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if not module.startswith(_OURS) and module.partition(".")[0] not in _BETWEEN:
            yield frame, frame.f_lineno
        frame = frame.f_back
