"""Taking the plaintext of sealed values out of text that leaves the process: an error report, a log record.

What this module keeps:

- **R1** What is compared here is never told: text comes back with the marker in place of the value, in every scope.
- **R6** What takes the value's place is what its representation shows.

It finds what sealed values within reach hold, and no copy of a value that no box within reach holds: it is a net under
an error report, and no proof.
"""

from __future__ import annotations

import datetime
import decimal
import types
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from .redaction import leaves
from .sealed import Sealed

__all__ = ["Scrubber"]

_SHORTEST = 4
"""How many characters a value has at least to be looked for: a shorter one stands in any text by chance."""
_DEEPEST = 6
_MOST = 100_000
_ATOMS = frozenset((str, bytes, int, float, bool, complex, type(None)))
_AS_TEXT = (int, float, decimal.Decimal, uuid.UUID, datetime.date, datetime.datetime)


class Scrubber:
    """Replaces the plaintext that sealed values hold.

    Args:
        objects: Where sealed values are looked for: models, boxes, and what holds them.

    Example:
        >>> from purposebind import AllowedFor, Purpose, Sealed
        >>> box = Sealed.of("+46 70 123 45 67", AllowedFor(Purpose("pickup", "Say when to come")))
        >>> Scrubber([box]).scrub("cannot dial +46 70 123 45 67")
        'cannot dial <sealed: pickup>'
    """

    __slots__ = ("_marks",)

    def __init__(self, objects: Iterable[Any]) -> None:
        marks: dict[str, str] = {}
        for box in _boxes(objects):
            for text in _texts(box._purposebind_value):
                if len(text) >= _SHORTEST:
                    marks.setdefault(text, f"<sealed: {box.policy}>")
        self._marks = sorted(marks.items(), key=lambda mark: -len(mark[0]))  # a value inside another one comes later

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._marks)

    def __repr__(self) -> str:
        return f"<Scrubber of {len(self._marks)} values>"

    def scrub(self, text: str) -> str:
        """Return `text` with the marker of its policy in place of each value."""
        for value, mark in self._marks:
            if value in text:
                text = text.replace(value, mark)
        return text


def _texts(value: Any) -> list[str]:
    """The texts that a value may stand in text as."""
    found: list[str] = []
    try:
        for leaf in leaves(value):
            found += _written(leaf)
    except Exception:  # somebody's mapping, that fails when it is listed
        return found
    return found


def _written(leaf: Any) -> Iterator[str]:
    """The ways in which a value stands in text."""
    if isinstance(leaf, bool) or leaf is None:
        return
    if isinstance(leaf, str):
        yield leaf
        escaped = repr(leaf)[1:-1]
        if escaped != leaf:
            yield escaped
    elif isinstance(leaf, (bytes, bytearray)):
        yield bytes(leaf).decode("utf-8", "replace")
        yield repr(bytes(leaf))[2:-1]
    elif isinstance(leaf, _AS_TEXT):
        yield str(leaf)
        yield repr(leaf)


def _boxes(objects: Iterable[Any]) -> Iterator[Sealed[Any]]:
    """The boxes in `objects`, the nearest first: of too much to look through, what is far is left out."""
    todo = deque((one, 0) for one in objects)
    seen: set[int] = set()
    while todo and len(seen) < _MOST:
        value, depth = todo.popleft()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if type(value) is Sealed:
            yield value
            value = value._purposebind_value
        if depth < _DEEPEST:
            try:
                inside = [(item, depth + 1) for item in _inside(value)[:_MOST] if type(item) not in _ATOMS]
            except Exception:  # somebody's mapping, that fails when it is listed: there is more to look through
                continue
            todo.extendleft(
                one for one in inside if issubclass(type(one[0]), (Sealed, BaseModel))
            )  # what is looked for
            todo.extend(one for one in inside if not issubclass(type(one[0]), (Sealed, BaseModel)))


def _inside(value: Any) -> list[Any]:
    """What a value holds."""
    if isinstance(value, BaseModel):
        return list(value.__dict__.values())
    if isinstance(value, Mapping):
        return [item for pair in list(value.items()) for item in pair]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    if isinstance(value, (type, types.ModuleType)):
        return []
    own = getattr(value, "__dict__", None)
    return list(own.values()) if isinstance(own, dict) else []
