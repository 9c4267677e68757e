"""Small facts about the parser's trees.

What this module keeps: no part of a tree is out of reach of who walks it (R1).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from .catalog import Dialect

__all__ = ["children", "joined", "lowered", "own_name", "parts_of_from"]


def lowered(node: Any) -> str:
    """The name that an identifier, or what stands in its place, holds."""
    name = node.name if isinstance(node, exp.Expr) else str(node or "")
    return str(name).lower()


def own_name(item: Any, dialect: Dialect) -> str:
    """The name that an item of a select list gives to its column, or nothing."""
    if isinstance(item, exp.Alias):
        return lowered(item.args.get("alias"))
    if isinstance(item, exp.Column):
        return lowered(item.this)
    if dialect == "sqlite":  # there it is the text of the expression
        return lowered(item.args.get("alias"))
    while isinstance(item, (exp.Paren, exp.Cast, exp.Window, exp.Filter, exp.WithinGroup, exp.Collate)):
        item = item.this
    if isinstance(item, exp.Dot):
        return own_name(item.expression, dialect) if isinstance(item.expression, exp.Func) else lowered(item.expression)
    if isinstance(item, exp.Column):
        return lowered(item.this)
    if isinstance(item, exp.Anonymous):
        return lowered(item.this)
    if isinstance(item, exp.Func):
        return item.sql_name().lower()
    return lowered(item.args.get("alias"))


def joined(node: Any) -> bool:
    """Whether parentheses hold a join, not a query."""
    if not isinstance(node, exp.Subquery):
        return False
    inner = node.this
    return isinstance(inner, exp.Table) or bool(
        isinstance(inner, exp.Subquery) and (inner.args.get("joins") or joined(inner))
    )


def parts_of_from(node: exp.Select) -> Iterator[Any]:
    """Yield what stands in a FROM, and in the joins after it."""
    clause = node.args.get("from_")
    if clause is not None:
        yield clause.this
    yield from (join.this for join in node.args.get("joins") or ())
    yield from node.args.get("laterals") or ()


def children(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a node that are nodes, each with the name of its place."""
    if not isinstance(node, exp.Expr):
        return
    for key, value in node.args.items():
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, exp.Expr):
                yield key, one
