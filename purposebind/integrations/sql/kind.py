"""What a statement is admitted as, and how its first words are read."""

from __future__ import annotations

from dataclasses import dataclass

from .catalog import Catalog
from .lexing import Kind, Token

__all__ = ["Admitted", "Harmless", "Query", "Refused", "name_at", "touched", "word", "words"]


@dataclass(frozen=True)
class Query:
    """A query or a write, to be read as such.

    Attributes:
        tokens: Its own tokens.
        plain: Whether it is the whole statement, so that its values may come back sealed.
        clause: The clause to name for every use in it, where that is not its own.
        conflict: What an UPDATE does with rows that it would make alike, in words, where it says.
        makes: The table or view that keeps what it gives, with its schema.
    """

    tokens: list[Token]
    plain: bool = True
    clause: str = ""
    conflict: str = ""
    makes: tuple[str, str | None] | None = None


@dataclass(frozen=True)
class Harmless:
    """A statement that gives no value and no fact about one.

    Attributes:
        touches: The tables with tagged columns that it names.
    """

    touches: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Refused:
    """A statement of a kind that is not known.

    Attributes:
        problem: Why.
    """

    problem: str


Admitted = Query | Harmless | Refused


def word(tokens: list[Token], index: int) -> str:
    """Return the word at a place, in lower case, or nothing."""
    if 0 <= index < len(tokens) and tokens[index].kind is Kind.WORD:
        return tokens[index].text
    return ""


def words(tokens: list[Token], start: int, count: int = 3) -> tuple[str, ...]:
    """Return the words from a place on, which is counted from the end if it is negative."""
    start = len(tokens) + start if start < 0 else start
    return tuple(word(tokens, index) for index in range(start, start + count))


def name_at(tokens: list[Token], index: int) -> tuple[list[Token], int]:
    """Return the tokens of a name, qualified or not, and where it ends."""
    start = index
    while index < len(tokens) and tokens[index].is_name:
        index += 1
        if index < len(tokens) and tokens[index].text == ".":
            index += 1
        else:
            break
    return tokens[start:index], index


def touched(tokens: list[Token], catalog: Catalog) -> frozenset[str]:
    """Return the tables with tagged columns that a statement names."""
    names = {one.text for one in tokens if one.is_name}
    return frozenset(one.label for one in catalog.tables_with_tags() if one.name.lower() in names)
