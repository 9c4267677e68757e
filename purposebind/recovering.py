"""What to do about a validation error, once it is handled no more: nothing is to be chained to what is raised (R7).

Both are objects, called with the validator: neither a frame of theirs nor their repr shows the values they hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from pydantic import ValidationError

from .sealed import Sealed

__all__ = ["Again", "Raise"]


class Raise:
    """The recovery that raises: an error that was cleaned, or a denial."""

    __slots__ = ("_problem",)

    def __init__(self, problem: Exception) -> None:
        self._problem = problem

    def __call__(self, validate: Callable[[Any], Any]) -> NoReturn:
        raise self._problem


class Again:
    """The recovery that validates again what came in boxes. An object: its frame and its repr show no values (R7)."""

    __slots__ = ("_boundary", "_boxes", "_plain")

    def __init__(self, boundary: Any, plain: Any, boxes: Mapping[str, Sealed[Any]]) -> None:
        self._boundary = boundary
        self._plain = plain
        self._boxes = boxes

    def __call__(self, validate: Callable[[Any], Any]) -> Any:
        boundary = self._boundary
        try:
            result = boundary.sealed(validate(self._plain), self._plain)
        except ValidationError as error:
            recovery = boundary.recovery(error, self._plain)
        else:
            for key, box in self._boxes.items():  # one after the other: several keys may stand for one field
                boundary.narrow(result, {boundary.keys[key]: box})
            return result
        return recovery(validate)
