"""What a validation error of a model with tags may show.

What this module keeps:

- **R7** The input of a tagged field is in none of an error's forms, and neither is what quotes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from .redaction import WITHHELD, leaves, redacted

__all__ = ["Cleaner"]


class Cleaner:
    """Cleans the validation errors of one model class.

    Args:
        shown: The names and aliases of the fields whose input an error may show.
        keys: The name of the tagged field that each name and alias stands for.
        keyed: The tagged fields that hold mappings.
        hides_input: Whether the model asks pydantic to hide every input.
    """

    def __init__(
        self, shown: frozenset[str], keys: Mapping[str, str], keyed: frozenset[str], hides_input: bool
    ) -> None:
        self._shown = shown
        self._keys = keys
        self._keyed = keyed
        self._hides_input = hides_input

    def cleaned(self, error: ValidationError, value: Any, is_json: bool = False) -> ValidationError:
        """Return `error`, which the validation of `value` raised, without what it may not show."""
        return redacted(
            error,
            shows_input=self._shows_input,
            secrets=lambda line: self._secrets(line["input"]) if not line["loc"] else leaves(line["input"]),
            whole=lambda: self._secrets(_parsed(value) if is_json else value),
            place=self._place,
            from_json=is_json,
            hide_input=self._hides_input,
        )

    def _place(self, place: tuple[int | str, ...]) -> tuple[int | str, ...]:
        """The location of an error, without the keys of a tagged mapping: they are its data."""
        if len(place) < 2 or self._keys.get(str(place[0])) not in self._keyed:
            return place
        return (place[0], *(WITHHELD if isinstance(part, str) else part for part in place[1:]))

    def _shows_input(self, line: Mapping[str, Any]) -> bool:
        return bool(line["loc"]) and line["loc"][0] in self._shown and line["type"] != "missing"

    def _secrets(self, value: Any) -> Iterable[Any]:
        if isinstance(value, BaseModel):
            value = value.__dict__
        if isinstance(value, Mapping):
            value = [item for key, item in value.items() if key in self._keys]
        return leaves(value)


def _parsed(text: Any) -> Any:
    try:
        return from_json(text)
    except ValueError:  # then no validator has seen anything
        return None
