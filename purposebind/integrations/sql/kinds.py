"""The kinds of statement that are known, told by their first words.

What this module keeps (R1): this is a list of what is allowed. A kind that is not on it does not pass, nor does a known
one with a part that could read what no name in it shows: another text, a file, a program, somebody else's rights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from .catalog import Catalog
from .defining import altered, created
from .kind import Admitted, Harmless, Query, Refused, name_at, touched, word, words
from .known import PRAGMAS, SETTINGS
from .lexing import Kind, Token

__all__ = ["admit"]

_QUERIES: Final = frozenset({"select", "with", "values", "table", "insert", "update", "delete", "merge", "replace"})
_FREE: Final = frozenset(
    {
        "begin",
        "start",
        "commit",
        "rollback",
        "end",
        "abort",
        "savepoint",
        "release",
        "show",
        "truncate",
        "comment",
        "analyze",
        "reindex",
        "lock",
        "listen",
        "notify",
        "unlisten",
        "fetch",
        "move",
        "close",
        "grant",
        "revoke",
        "checkpoint",
        "deallocate",
        "cluster",
    }
)
_ROLES: Final = frozenset({"role", "session_authorization", "search_path"})


@dataclass(frozen=True)
class _At:
    """A statement that is being admitted."""

    tokens: list[Token]
    catalog: Catalog


def admit(tokens: list[Token], catalog: Catalog) -> Admitted:
    """Say what kind of statement this is, and whether it is known."""
    first = word(tokens, 0)
    if first in _QUERIES or (tokens and tokens[0].text == "("):
        conflict = f"OR {word(tokens, 2).upper()}" if words(tokens, 0, 2) == ("update", "or") else ""
        return Query(_plain(tokens), conflict=conflict)
    if first in _FREE:
        return Harmless(touched(tokens, catalog))
    known = _KINDS.get(first)
    if known is not None:
        return known(_At(tokens, catalog))
    return Refused(
        f"a statement that starts with {first.upper()} is not known"
        if first
        else "it starts with no word that is known"
    )


def _plain(tokens: list[Token]) -> list[Token]:
    """Leave out what says nothing about columns and the parser does not know."""
    if word(tokens, 0) == "with":
        at = _after_with(tokens)
        if word(tokens, at) != "values":
            return tokens[:at] + _plain(tokens[at:])
        opened, closed = Token(Kind.OPERATOR, "("), Token(Kind.OPERATOR, ")")
        head = [_word("select"), Token(Kind.OPERATOR, "*"), _word("from"), opened]
        return [*tokens[:at], *head, *tokens[at:], closed, _word("as"), _word("v")]
    if word(tokens, 0) == "replace" and word(tokens, 1) == "into":  # SQLite's INSERT OR REPLACE
        return [_word("insert"), _word("or"), *tokens]
    if word(tokens, 0) == "update" and word(tokens, 1) == "or":  # SQLite's UPDATE OR IGNORE
        return [tokens[0], *tokens[3:]]
    if word(tokens, 0) == "insert":
        for index in range(2, min(len(tokens), 60)):
            if words(tokens, index) in (("overriding", "system", "value"), ("overriding", "user", "value")):
                return tokens[:index] + tokens[index + 3 :]
    if words(tokens, -4) == ("where", "current", "of"):
        return tokens[:-4]
    return tokens


def _after_with(tokens: list[Token]) -> int:
    """Where the statement that a WITH belongs to starts."""
    depth = 0
    for index, token in enumerate(tokens):
        if token.kind is Kind.OPERATOR:
            depth += (token.text == "(") - (token.text == ")")
        if index and depth == 0 and word(tokens, index) in _QUERIES:
            return index
    return len(tokens)


def _explain(at: _At) -> Admitted:
    index = 1
    if index < len(at.tokens) and at.tokens[index].text == "(":
        while index < len(at.tokens) and at.tokens[index].text != ")":
            index += 1
        index += 1
    while word(at.tokens, index) in ("analyze", "verbose", "query", "plan"):
        index += 1
    inner = admit(at.tokens[index:], at.catalog)
    return replace(inner, plain=False) if isinstance(inner, Query) else inner


def _declare(at: _At) -> Admitted:
    for index in range(2, min(len(at.tokens), 12)):
        if word(at.tokens, index) == "for":
            inner = admit(at.tokens[index + 1 :], at.catalog)
            if isinstance(inner, Query) and word(at.tokens, index + 1) not in ("insert", "update", "delete", "merge"):
                return replace(inner, plain=False)
            return (
                inner if isinstance(inner, Refused) else Refused("it declares a cursor for something that is no query")
            )
    return Refused("it declares a cursor in a way that is not known")


def _copy(at: _At) -> Admitted:
    tokens = at.tokens
    if len(tokens) > 1 and tokens[1].text == "(":
        end = _closing(tokens, 1)
        if words(tokens, end + 1, 2) == ("to", "stdout"):
            inner = admit(tokens[2:end], at.catalog)
            return (
                replace(inner, plain=False)
                if isinstance(inner, Query)
                else Refused("it copies something that is no query")
            )
        return Refused("COPY of a query is known TO STDOUT only")
    named, end = name_at(tokens, 1)
    columns: list[Token] = []
    if end < len(tokens) and tokens[end].text == "(":
        close = _closing(tokens, end)
        columns, end = tokens[end + 1 : close], close + 1
    way, other = word(tokens, end), word(tokens, end + 1)
    if not named or other not in ("stdin", "stdout") or way not in ("from", "to"):
        return Refused("COPY is known FROM STDIN and TO STDOUT only: files and programs are out of sight")
    if way == "to":
        every = columns or [Token(Kind.OPERATOR, "*")]
        return Query([_word("select"), *every, _word("from"), *named], plain=False, clause="COPY")
    if any(one.kind is Kind.WORD and one.text == "where" for one in tokens[end:]):
        return Refused("it holds COPY ... WHERE. Copy into a table of its own, and INSERT from there")
    listed = [Token(Kind.OPERATOR, "("), *columns, Token(Kind.OPERATOR, ")")] if columns else []
    return Query([_word("insert"), _word("into"), *named, *listed, _word("default"), _word("values")], plain=False)


def _set(at: _At) -> Admitted:
    tokens = at.tokens
    index = 1
    if word(tokens, index) in ("session", "local") and word(tokens, index + 1) not in (
        "authorization",
        "characteristics",
    ):
        index += 1
    first = word(tokens, index)
    after = tokens[index + 1].text if index + 1 < len(tokens) else ""
    if first == "session" and after == "characteristics":
        return Harmless()
    if word(tokens, 0) == "reset" and first == "all":
        return Harmless()
    if after == "." and first not in _ROLES:  # a setting that only somebody's own code reads
        return Harmless()
    if first.startswith("enable_") and word(tokens, 0) in ("set", "reset"):  # which plans are thought of
        return Harmless()
    if first == "search_path" and word(tokens, 0) == "set":
        return Refused(
            "it sets where names are looked for, which the guard would not see. Say it where the engine connects, "
            "connect_args={'options': '-csearch_path=...'}, or for a tenant by schema_translate_map"
        )
    if first in SETTINGS and first != "standard_conforming_strings" and first not in _ROLES:
        return Harmless()
    return Refused("it sets something that changes what a name means, whose rights count, or is not known")


def _pragma(at: _At) -> Admitted:
    index = 3 if len(at.tokens) > 2 and at.tokens[2].text == "." else 1
    if word(at.tokens, index) in PRAGMAS:
        return Harmless()
    return Refused("it holds a PRAGMA that is not known")


def _vacuum(at: _At) -> Admitted:
    if any(one.kind is Kind.WORD and one.text == "into" for one in at.tokens):
        return Refused("VACUUM INTO writes every value to a file")
    return Harmless(touched(at.tokens, at.catalog))


def _prepare(at: _At) -> Admitted:
    if word(at.tokens, 1) == "transaction":
        return Harmless()
    return Refused("it prepares a statement that is run later under a name. Run the statement itself")


def _discard(at: _At) -> Admitted:
    if word(at.tokens, 1) in ("temp", "temporary", "plans", "sequences"):
        return Harmless()
    return Refused("DISCARD ALL gives back the rights of the login. Use RESET ALL and DISCARD TEMP")


def _refresh(at: _At) -> Admitted:
    """Who names a materialized view is weighed by its definition, as with any other view."""
    index = 4 if word(at.tokens, 3) == "concurrently" else 3
    named, _ = name_at(at.tokens, index)
    found = at.catalog.find(named[-1].text, named[-3].text if len(named) > 2 else None) if named else []
    if found and all(one.definition is not None for one in found):
        return Harmless()
    return Refused("it refreshes a materialized view that is not known")


def _drop(at: _At) -> Admitted:
    if word(at.tokens, 1) in (
        "table",
        "index",
        "view",
        "role",
        "user",
        "group",
        "type",
        "domain",
        "sequence",
        "schema",
        "extension",
        "materialized",
        "owned",
    ):
        return Harmless(touched(at.tokens, at.catalog))
    return Refused("DROP of this is not known")


def _word(text: str) -> Token:
    return Token(Kind.WORD, text, text)


def _closing(tokens: list[Token], index: int) -> int:
    """Where the parenthesis at `index` is closed."""
    depth = 0
    for at in range(index, len(tokens)):
        if tokens[at].kind is Kind.OPERATOR:
            depth += (tokens[at].text == "(") - (tokens[at].text == ")")
        if depth == 0:
            return at
    return len(tokens)


def _create(at: _At) -> Admitted:
    return created(at.tokens, at.catalog, lambda tokens: admit(tokens, at.catalog))


def _alter(at: _At) -> Admitted:
    return altered(at.tokens, at.catalog)


_KINDS: Final[dict[str, Callable[[_At], Admitted]]] = {
    "explain": _explain,
    "declare": _declare,
    "copy": _copy,
    "set": _set,
    "reset": _set,
    "pragma": _pragma,
    "vacuum": _vacuum,
    "prepare": _prepare,
    "drop": _drop,
    "discard": _discard,
    "refresh": _refresh,
    "create": _create,
    "alter": _alter,
}
