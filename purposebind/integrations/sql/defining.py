"""Statements that change the schema.

What this module keeps: an index or a constraint on a tagged column gives nobody its values. What computes from them,
keeps them where the policy is wider (R8), or gives a tagged column another name, under which the catalog would not know
it, is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from .catalog import Catalog, Relation
from .kind import Admitted, Harmless, Query, Refused, name_at, touched, word, words
from .lexing import Kind, Token

__all__ = ["altered", "created"]

_BEFORE: Final = frozenset(
    {"or", "replace", "temp", "temporary", "unlogged", "global", "local", "unique", "recursive", "materialized"}
)
_FREE: Final = frozenset({"role", "user", "group", "type", "domain", "sequence", "schema", "extension"})
_COMPUTING: Final = frozenset({"as", "using", "default", "generated"})
_VERBS: Final = frozenset({"add", "alter", "column", "if", "not", "exists"})
_LATER: Final = frozenset({"if", "not", "exists", "only", "concurrently"})


def created(tokens: list[Token], catalog: Catalog, admit: Callable[[list[Token]], Admitted]) -> Admitted:
    """Say what a CREATE is.

    Args:
        tokens: The statement.
        catalog: What the database holds.
        admit: Says what the query in it is.
    """
    index = 1
    while word(tokens, index) in _BEFORE:
        index += 1
    before, kind = {one.text for one in tokens[1:index]}, word(tokens, index)
    if kind == "index":
        return Harmless(touched(tokens, catalog))
    if kind in _FREE:
        return _inner(tokens, index) or Harmless()
    if kind not in ("table", "view") or "recursive" in before:
        return Refused(f"CREATE {kind.upper()} is not known" if kind else "it creates something that is not known")
    index += 1
    while word(tokens, index) in _LATER:
        index += 1
    named, end = name_at(tokens, index)
    if not named:
        return Refused(f"CREATE {kind.upper()} is known with a name only")
    start = _query_in(tokens, end)
    if start is None:
        if kind == "view":
            return Refused("it creates a view without a query")
        return _table(tokens, end, named, catalog)
    inner = admit(_without_tail(tokens[start:]))
    if not isinstance(inner, Query):
        return inner if isinstance(inner, Refused) else Refused("it keeps the outcome of something that is no query")
    schema = named[-3].text if len(named) > 2 else None
    return Query(inner.tokens, plain=False, makes=(named[-1].text, schema))


def altered(tokens: list[Token], catalog: Catalog) -> Admitted:
    """Say what an ALTER is."""
    kind = word(tokens, 1)
    if kind == "schema" and any(one.kind is Kind.WORD and one.text == "rename" for one in tokens):
        return Refused(
            "it gives the tables of a schema another name. Do it with the mapping, by an engine without guard"
        )
    if kind in _FREE or kind == "index" or (kind == "default" and word(tokens, 2) == "privileges"):
        return _inner(tokens, 1) or Harmless()
    if kind != "table":
        return Refused(f"ALTER {kind.upper()} is not known" if kind else "it alters something that is not known")
    index = 2
    while word(tokens, index) in _LATER:
        index += 1
    named, end = name_at(tokens, index)
    if not named:
        return Refused("ALTER TABLE is known with a name only")
    relations = [one for one in _relations(named, catalog) if one.tagged]
    tagged = {name.lower() for one in relations for name in one.tagged}
    spoken = {name.lower() for one in relations for name in one.companions}
    rest = tokens[end:]
    if word(rest, 0) != "add" and any(one.is_name and one.text in spoken for one in rest):
        return Refused(
            "it changes a column that says what another was collected for. Do it with the mapping, by an engine "
            "without guard"
        )
    if relations and any(one in ("attach", "detach", "inherit") for one in words(rest, 0, 2)):
        return Refused("it gives a table with tagged columns another name to be read under. Map that table too")
    if word(rest, 0) == "set" and word(rest, 1) == "schema" and relations:
        return Refused("it moves a table with tagged columns. Map the table there first")
    if word(rest, 0) == "rename" and word(rest, 1) not in ("constraint",):
        column, _ = name_at(rest, 2 if word(rest, 1) == "column" else 1)
        if (word(rest, 1) == "to" and relations) or (column and column[-1].text in tagged):
            return Refused(
                "it gives a tagged table or column another name. Do it with the mapping, by an engine without guard"
            )
    if _computes(rest, relations):
        return Refused("it computes from a tagged column and keeps the outcome")
    return Harmless(frozenset(one.label for one in relations))


def _table(tokens: list[Token], end: int, named: list[Token], catalog: Catalog) -> Admitted:
    others = touched(tokens[end:], catalog)
    for index in range(end, len(tokens)):
        if others and (word(tokens, index) == "inherits" or words(tokens, index, 2) == ("partition", "of")):
            return Refused("it gives a table with tagged columns another name to be read under. Map that table too")
    if _computes(tokens[end:], _relations(named, catalog)):
        return Refused("it computes from a tagged column and keeps the outcome")
    return Harmless(frozenset(one.label for one in _relations(named, catalog) if one.tagged) | others)


def _inner(tokens: list[Token], index: int) -> Refused | None:
    """``CREATE SCHEMA x CREATE VIEW ...`` and ``ALTER ROLE x SET role = ...`` hold a statement of their own."""
    for one in tokens[index + 1 :]:
        if (
            one.kind is Kind.WORD
            and one.text in ("create", "set", "as")
            and word(tokens, index) in ("schema", "role", "user")
        ):
            return Refused("it holds another statement. Run them one by one")
    return None


def _relations(named: list[Token], catalog: Catalog) -> list[Relation]:
    return catalog.find(named[-1].text, named[-3].text if len(named) > 2 else None)


def _query_in(tokens: list[Token], index: int) -> int | None:
    """Where the query after a top-level AS starts."""
    depth = 0
    for at in range(index, len(tokens)):
        token = tokens[at]
        if token.kind is Kind.OPERATOR:
            depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and word(tokens, at) == "as":
            return at + 1
    return None


def _without_tail(tokens: list[Token]) -> list[Token]:
    """Leave out WITH NO DATA and WITH CHECK OPTION."""
    for count in (4, 3, 2):
        tail = words(tokens, -count, count)
        if tail[0] == "with" and (tail[-1] == "data" or tail[-2:] == ("check", "option")):
            return tokens[:-count]
    return tokens


def _computes(tokens: list[Token], relations: list[Relation]) -> bool:
    """Whether a value is made of a tagged column, after AS, USING or DEFAULT, for a column with a wider policy."""
    for relation in relations:
        policies = {name.lower(): column.policy for name, column in relation.tagged.items()}
        for part in _definitions(tokens):
            sources = [policies[one.text] for one in _made(part) if one.is_name and one.text in policies]
            names = (one.text for one in part if one.is_name and one.text not in _VERBS)
            target = policies.get(next(names, ""))
            if any(target is None or target.allows_more_than(source) for source in sources):
                return True
    return False


def _definitions(tokens: list[Token]) -> Iterator[list[Token]]:
    """Yield the parts that commas divide: of what stands in parentheses, where it starts with one."""
    inside = 1 if tokens and tokens[0].text == "(" else 0
    depth, part = 0, list[Token]()
    for token in tokens:
        if token.kind is Kind.OPERATOR:
            depth += (token.text == "(") - (token.text == ")")
        if token.kind is Kind.OPERATOR and token.text == "," and depth == inside:
            yield part
            part = []
        else:
            part.append(token)
    yield part


def _made(tokens: list[Token]) -> Iterator[Token]:
    for index, token in enumerate(tokens):
        if token.kind is not Kind.WORD or token.text not in _COMPUTING:
            continue
        depth = 0
        for one in tokens[index + 1 :]:
            if one.kind is Kind.OPERATOR:
                depth += (one.text == "(") - (one.text == ")")
                if depth < 0 or (depth == 0 and one.text == ","):
                    break
            yield one
