"""What a text holds more of than its tree.

What this module keeps (R1): a name of a tagged column in the text that the tree does not account for is a use, and a
name before a parenthesis that it does not account for is the call of a function.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from .catalog import TaggedColumn
from .lexing import Token
from .mentions import Mentions
from .scoping import Reading

__all__ = ["lost", "uncalled"]


def lost(tokens: Iterable[Token], reading: Reading, mentions: Mentions) -> None:
    """Make a use of each name of a tagged column that the text holds more often than the tree accounts for."""
    names: dict[str, set[TaggedColumn]] = {}
    for source in reading.table_sources.values():
        for one in source.outputs:
            if one.tells:
                names.setdefault(one.name, set()).update(one.tells)
                for column in one.tells:
                    names.setdefault(column.name.lower(), set()).add(column)
    if not names:
        return
    for name, often in Counter(token.text for token in tokens if token.is_name and token.text in names).items():
        if often > mentions.names[name]:
            mentions.use(frozenset(names[name]), "the statement's text")


def uncalled(found: Counter[str], mentions: Mentions) -> Iterator[str]:
    """Yield a problem for each function that is not known."""
    for name, often in found.items():
        if often > mentions.calls[name]:
            yield f"it calls the function {name}, which is not known. Register it with the guard if it reads no table"
