"""What a canary is: a value of a tagged field that occurs nowhere else, and the texts by which it is known again.

What this module keeps: chance finds nothing. A value by which nothing could be told apart, an age or a flag, is no
canary, and `Canaries.not_watched` says so.
"""

from __future__ import annotations

import dataclasses
import secrets
from dataclasses import dataclass
from typing import Any, Final

from purposebind import PurposeError

__all__ = ["SHORTEST", "Canary", "CanaryError", "Candidate", "token"]

SHORTEST: Final = 8
"""How many characters a text needs to be looked for: 8 of the 31 that a token is made of are 40 bits."""

_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz"
_ALPHABET: Final = _LETTERS + "23456789"


class CanaryError(PurposeError):
    """A canary cannot be planted, or not looked for."""


@dataclass(frozen=True)
class Canary:
    """A planted value.

    Attributes:
        field: The field that it was planted in, such as ``"Account.phone"``.
        value: The value, as text.
        kind: ``"text"``, ``"email"``, ``"phone"``, ``"number"``, ``"date"`` or ``"uuid"``.
        core: The part that no other text shares, or "" where that is the value as a whole.
        texts: Other ways to write the value.
    """

    field: str
    value: str
    kind: str = "text"
    core: str = ""
    texts: tuple[str, ...] = dataclasses.field(default=(), repr=False)


@dataclass(frozen=True)
class Candidate:
    """A value that may suit a field: as JSON has it, and as the canary that it would become.

    Attributes:
        value: What is validated.
        canary: What is looked for, or None where chance would find it.
    """

    value: Any
    canary: Canary | None = None


def token(length: int = 12, *, digits: bool = True) -> str:
    """Return a random text of lower-case letters and digits, without those that are taken for one another."""
    alphabet = _ALPHABET if digits else _LETTERS
    return "".join(secrets.choice(alphabet) for _ in range(length))
