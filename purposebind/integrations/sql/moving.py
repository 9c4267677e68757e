"""Which mentions of tagged columns stay sealed: those that an entity is loaded with.

What this module keeps (R1): moving a value while it stays sealed is no read. A column that stands bare where its value
comes back sealed moves; it moves on through derived tables, WITH and UNION ALL that pass it on bare. So does one
that goes nowhere. Whatever compares, sorts or computes on the way is a use.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from sqlglot import exp

from .scoping import Reading
from .sources import EXCLUDED, Scope, Source
from .tree import children, lowered

__all__ = ["Moving"]

_WRITES: Final = (exp.Insert, exp.Update, exp.Delete, exp.Merge)


class Moving:
    """The columns of a tree that move.

    Args:
        root: The tree.
        reading: What its names mean.
        positions: Those of its output that come back sealed.

    Attributes:
        sealed: The columns that are no use where they stand, by identity.
        compared: Those that would be, but for a clause, with that clause.
        moved: The positions of the output that stay sealed.
        bare: The positions of the output where nothing but a tagged column stands, all the way down.
    """

    def __init__(self, root: Any, reading: Reading, positions: Collection[int]) -> None:
        self._reading = reading
        self.moved: set[int] = set()
        self.sealed: set[int] = set()
        self.compared: dict[int, str] = {}
        self.bare: set[int] = set()
        for position in positions:
            before = len(self.sealed)
            if self._pass(root, position, ""):
                self.bare.add(position)
            if len(self.sealed) > before:
                self.moved.add(position)

    def drop(self, root: Any) -> None:
        """Pass on what derived tables of a query give and nobody names, and what EXISTS is given."""
        scope = self._reading.scopes.get(id(root))
        for source in scope.sources if scope is not None and isinstance(root, exp.Select) else ():
            if isinstance(source.query, exp.Subquery) and not source.open and not source.renamed:
                named = _named(root, source.query)
                if named is None or source.alias in named:
                    continue
                for position, one in enumerate(source.outputs):
                    if one.name and one.name not in named:
                        self._pass(source.query, position, "")
        for exists in root.find_all(exp.Exists):
            if isinstance(exists.this, exp.Select):
                for position, item in enumerate(exists.this.expressions):
                    self._pass(exists.this, position, "")
                    if isinstance(item, exp.Star):
                        self.sealed.add(id(item))

    def _pass(self, node: Any, position: int, clause: str) -> bool:
        """Follow an output of a query to what it comes from."""
        if isinstance(node, exp.CTE):
            if id(node) in self._reading.recursive:
                return False
            return self._pass(node.this, position, clause)
        clause = clause or _comparing(node, position)
        if isinstance(node, exp.Subquery):
            return self._pass(node.this, position, clause)
        if isinstance(node, exp.SetOperation):
            if not isinstance(node, exp.Union) or node.args.get("distinct"):
                clause = clause or type(node).__name__.upper()
            left = self._pass(node.this, position, clause)
            return self._pass(node.expression, position, clause) and left
        if isinstance(node, exp.Select):
            items = node.expressions
        elif isinstance(node, _WRITES) and node.args.get("returning"):
            items = node.args["returning"].expressions
        else:
            return False
        if position >= len(items) or any(item.is_star for item in items):  # a star shifts those after it
            return False
        item = items[position].unalias()
        scope = self._reading.scopes.get(id(node))
        if not isinstance(item, exp.Column) or scope is None:
            return False
        return self._item(item, scope, clause)

    def _item(self, item: exp.Column, scope: Scope, clause: str) -> bool:
        name = lowered(item.this)
        source = _only(name, lowered(item.args.get("table")), scope)
        if source is None or not source.has(name):
            return False
        places = [i for i, one in enumerate(source.outputs) if one.name == name]
        if len(places) != 1 or not source.outputs[places[0]].bare:
            return False
        if clause:
            self.compared[id(item)] = clause
        else:
            self.sealed.add(id(item))
        if source.query is None:
            return not clause
        return self._pass(source.query, places[0], clause) and not clause


def _only(name: str, table: str, scope: Scope) -> Source | None:
    """The one source of a query's own that a column belongs to, if there is one."""
    at = [one for one in scope.sources if not (one.alias == EXCLUDED and isinstance(scope.node, exp.Insert))]
    found = [one for one in at if (one.alias == table if table else one.has(name))]
    if len(found) != 1 or found[0].open or (not table and any(one.open for one in at)):
        return None
    return found[0]


def _named(root: Any, but: Any) -> set[str] | None:
    """Return the names in a query outside of one of its parts; None where it names more than it shows."""
    found: set[str] = set()
    waiting: list[Any] = [root]
    while waiting:
        node = waiting.pop()
        if node is but:
            continue
        if isinstance(node, exp.Join) and (node.args.get("using") or node.args.get("method")):
            return None
        if isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count):
            return None
        if isinstance(node, exp.Identifier):
            found.add(node.name.lower())
        qualifier = "table" if isinstance(node, exp.Column) else ""  # which alone says nothing of a column
        waiting += [child for key, child in children(node) if key != qualifier]
    return found


def _comparing(node: Any, position: int) -> str:
    """The clause of a query that compares the values at a position of its output by the position's number."""
    if not isinstance(node, exp.Expr):
        return ""
    if isinstance(node, exp.Select) and node.args.get("distinct"):
        return "DISTINCT"
    for key, clause in (("group", "GROUP BY"), ("order", "ORDER BY")):
        part = node.args.get(key)
        for _, one in children(part) if part is not None else ():
            # A number that is too long to be kept stands for any.
            numbers = {int(each.name) for each in one.find_all(exp.Literal) if each.name.isdigit()}
            if not one.find(exp.Column) and any(each == position + 1 or each >= 1000 for each in numbers):
                return clause
    return ""
