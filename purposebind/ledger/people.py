"""Whose reads were recorded a moment ago: their hashes, so that a person who is read again costs no hashing."""

from __future__ import annotations

from typing import Any, Final

from .key import Key
from .records import UNKNOWN

__all__ = ["People"]

_AT_MOST: Final = 1 << 14
"""How many are remembered: at most about 8 MiB, however many people an activity reads."""
_LONGEST: Final = 128
"""The longest text of a person who is remembered, in bytes."""


class People:
    """The second halves of `Kind.READ` records, by subject.

    Args:
        key: By which people are hashed.

    Attributes:
        known: Returns the half of a subject, or None where it is not remembered.
        remember: Returns the half of a subject, and remembers it. Raises TypeError where the subject is neither a whole
            number nor a text: others may be equal to one another and not be the same person, and a box that stands for
            a tagged one would have to be read.
    """

    def __init__(self, key: Key) -> None:
        halves: dict[Any, bytes] = {None: UNKNOWN + UNKNOWN}
        blank, most, longest = key.blank, _AT_MOST, _LONGEST

        def remember(subject: Any) -> bytes:
            if type(subject) is int:
                text = str(subject).encode()
            elif type(subject) is str:
                text = subject.encode("utf-8", "surrogatepass")
            else:
                raise TypeError
            hasher = blank()
            hasher.update(text)
            person = hasher.digest()
            half: bytes = person + person
            if len(halves) >= most:
                halves.clear()
                halves[None] = UNKNOWN + UNKNOWN
            if len(text) <= longest:
                halves[subject] = half
            return half

        self.known = halves.get
        self.remember = remember
