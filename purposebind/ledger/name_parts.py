"""The names of a segment, put together from their parts, which stand anywhere and may be missing."""

from __future__ import annotations

import json
from typing import Any, Final

from .records import NAME_PART_BYTES

__all__ = ["NameParts"]

_STRINGS: Final = ("field", "site", "reason")
_LISTS: Final = ("purposes", "entered", "handovers", "allowed")


class NameParts:
    """Gathers the parts of names; those of which all parts came are in `whole`."""

    def __init__(self) -> None:
        self._parts: dict[int, dict[int, bytes]] = {}
        self._lengths: dict[int, int] = {}
        self._first: dict[int, int] = {}

    def add(self, number: int, part: int, length: int, data: bytes, offset: int) -> None:
        """Take a part: its place among the parts, the whole name's length in bytes, and where in the file it stands."""
        self._first.setdefault(number, offset)
        self._lengths.setdefault(number, length)
        self._parts.setdefault(number, {}).setdefault(part, data)

    def whole(self) -> tuple[dict[int, dict[str, Any]], dict[int, str]]:
        """Return the names, and for each number whose name cannot be put together the offset and what is wrong."""
        names: dict[int, dict[str, Any]] = {}
        broken: dict[int, str] = {}
        for number, parts in self._parts.items():
            length = self._lengths[number]
            wanted = -(-length // NAME_PART_BYTES)
            missing = wanted - sum(part < wanted for part in parts)
            if missing:
                broken[self._first[number]] = (
                    f"name {number} is incomplete: {missing} of its {wanted} parts are missing"
                )
                continue
            name = _parsed(b"".join(parts[part] for part in range(wanted))[:length])
            if name is None:
                broken[self._first[number]] = f"name {number} is not one: its parts do not make a name together"
            else:
                names[number] = name
        return names, broken


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        name = json.loads(text)
    except ValueError:
        return None
    if not isinstance(name, dict) or name.get("is") not in ("field", "activity", "denial"):
        return None
    for key in _STRINGS:
        if key in name and not isinstance(name[key], (str, type(None))):
            return None
    for key in _LISTS:
        if key in name and not isinstance(name[key], list):
            return None
    return name
