"""Texts that suit a pattern, for the simple patterns that fields are declared with.

Classes of characters, repeats, groups without alternatives: codes, postcodes, numbers of passports. What is more
than that is left to whoever plants, who can give the value by name.
"""

from __future__ import annotations

import re
import secrets
import string
from typing import Final

__all__ = ["matching"]

_CLASSES: Final = {"d": string.digits, "w": string.ascii_letters + string.digits, "s": " "}
_PRINTABLE: Final = string.ascii_letters + string.digits
_REPEAT: Final = re.compile(r"\{(\d+)(?:(,)(\d*))?\}|([*+?])")
_LONG: Final = 12


class _Group(str):
    """The inside of a group, where otherwise the characters to choose from are."""

    __slots__ = ()


def matching(pattern: str, longest: int | None = None) -> str | None:
    """Return a random text that the whole of `pattern` matches, or None where it is beyond this module.

    Example:
        >>> len(matching(r"^[A-Z]{2}\\d{6}$"))
        8
    """
    made = _sequence(pattern.removeprefix("^").removesuffix("$"), longest)
    return made if made is not None and re.fullmatch(pattern.removeprefix("^").removesuffix("$"), made) else None


def _sequence(pattern: str, longest: int | None) -> str | None:
    result, place = "", 0
    while place < len(pattern):
        step = _atom(pattern, place)
        if step is None:
            return None
        atom, place = step
        repeat = _REPEAT.match(pattern, place)
        times = 1
        if repeat is not None:
            place = repeat.end()
            room = _LONG if longest is None else max(1, longest - len(result))
            times = _times(repeat, room)
        for _ in range(times):
            part = _sequence(atom, longest) if isinstance(atom, _Group) else secrets.choice(atom)
            if part is None:
                return None
            result += part
    return result


def _times(repeat: re.Match[str], room: int) -> int:
    least, comma, most, sign = repeat.groups()
    if sign:
        return 1 if sign == "?" else min(_LONG, room)
    if not comma:
        return int(least)
    return max(int(least), min(int(most) if most else int(least) + _LONG, max(_LONG, int(least)), room))


def _atom(pattern: str, place: int) -> tuple[str, int] | None:
    """The characters of which one stands at `place`, or a group's inside; and where it ends."""
    sign = pattern[place]
    if sign == "\\":
        following = pattern[place + 1 : place + 2]
        if following in _CLASSES:
            return _CLASSES[following], place + 2
        return (following, place + 2) if following and not following.isalnum() else None
    if sign == "[":
        return _set(pattern, place)
    if sign == "(":
        end = _closing(pattern, place)
        inside = pattern[place + 1 : end].removeprefix("?:")
        return None if end < 0 or "|" in inside or inside.startswith("?") else (_Group(inside), end + 1)
    if sign == ".":
        return _PRINTABLE, place + 1
    return None if sign in "|^$)]*+?{" else (sign, place + 1)


def _set(pattern: str, place: int) -> tuple[str, int] | None:
    end = pattern.find("]", place + 2)
    inside = pattern[place + 1 : end]
    if end < 0 or "[" in inside:
        return None
    negated, inside = inside.startswith("^"), inside.removeprefix("^")
    characters, at = "", 0
    while at < len(inside):
        if inside[at] == "\\":
            characters += _CLASSES.get(inside[at + 1 : at + 2], inside[at + 1 : at + 2])
            at += 2
        elif inside[at + 1 : at + 2] == "-" and at + 2 < len(inside):
            characters += "".join(map(chr, range(ord(inside[at]), ord(inside[at + 2]) + 1)))
            at += 3
        else:
            characters += inside[at]
            at += 1
    if negated:
        characters = "".join(set(_PRINTABLE) - set(characters))
    plain = "".join(c for c in characters if c in _PRINTABLE)
    return (plain or characters, end + 1) if characters else None


def _closing(pattern: str, place: int) -> int:
    depth = 0
    for at in range(place, len(pattern)):
        if pattern[at] in "()" and pattern[at - 1 : at] != "\\":
            depth += 1 if pattern[at] == "(" else -1
            if depth == 0:
                return at
    return -1
