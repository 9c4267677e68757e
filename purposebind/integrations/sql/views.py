"""What views show: their definitions, read once for each catalog.

What this module keeps (R1): a view hides no tagged column. What its rows depend on is used by whoever names the view;
what a column of it is made of, by whoever names that column.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from sqlglot import exp

from .accounting import lost, uncalled
from .catalog import Catalog, Relation
from .kind import Query
from .kinds import admit
from .lexing import Unreadable, folded, lex, statements
from .mentions import Mentions
from .moving import Moving
from .parsing import calls, parse
from .scoping import Reading
from .sources import NOTHING, Flows, Output, Scope, Shown
from .tree import lowered

__all__ = ["view_in"]

_CIRCLE: Final = Shown(problems=("it names a view that is made of itself. Name the tables",))


def view_in(catalog: Catalog, relation: Relation, around: frozenset[int] = frozenset()) -> Shown:
    """Return what a view of a catalog shows.

    Args:
        catalog: The catalog.
        relation: The view.
        around: The views that are being read, by identity.
    """
    known = catalog.views.get(id(relation))
    if isinstance(known, Shown):
        return known
    if id(relation) in around:
        return _CIRCLE
    try:
        shown = _read(catalog, relation, around | {id(relation)})
    except Unreadable as error:
        shown = _refused(relation, str(error))
    if not shown.problems:  # which may be for want of stack, or for want of another relation
        catalog.views[id(relation)] = shown
    return shown


def _refused(relation: Relation, reason: str) -> Shown:
    return Shown(problems=(f"it names the view {relation.label}, whose definition cannot be weighed: {reason}",))


def _read(catalog: Catalog, relation: Relation, around: frozenset[int]) -> Shown:
    parts = statements(lex(relation.definition or "", catalog.dialect))
    admitted = admit(parts[0], catalog) if len(parts) == 1 else None
    if not isinstance(admitted, Query):
        return _refused(relation, "it is no SELECT. Map the view with its columns tagged")
    tokens = folded(admitted.tokens, catalog.dialect)
    root = parse(tokens, catalog)
    reading = Reading(catalog, lambda inner: view_in(catalog, inner, around))
    outputs = reading.build(root, None, {})
    scope = reading.scopes.get(id(root)) or Scope(root, None, {})
    moving = Moving(root, reading, range(len(outputs)))
    items = _items(root, reading)
    rest = Mentions(reading, moving.sealed, leave_out=[id(one) for one in _left_out(root, len(items))])
    rest.walk(root, scope, "")
    names, counted = Counter(rest.names), Counter(rest.calls)
    columns: list[Output] = []
    problems = [*reading.problems, *rest.problems]
    for position, one in enumerate(outputs):
        told: Flows = NOTHING
        bare = position in moving.bare
        for item, query in items[position] if len(items) == len(outputs) else ():
            if isinstance(item, Output):  # from a star
                told |= item.tells
                bare = item.bare and query.query is None
                continue
            inside = Mentions(reading)
            inside.walk(item, reading.scopes.get(id(query), scope), "")
            names.update(inside.names)
            counted.update(inside.calls)
            problems += inside.problems
            told |= frozenset(inside.uses)
        columns.append(Output(one.name, one.flows, told - one.flows, bare))
    rest.names, rest.calls = names, counted
    lost(tokens, reading, rest)
    problems += uncalled(calls(tokens, catalog), rest)
    rows = frozenset(rest.uses).union(*(shown.rows for _, shown in reading.views))
    touches = {one.label for one in reading.relations.values() if one.tagged}
    return Shown(
        tuple(columns),
        rows,
        frozenset(touches).union(*(shown.touches for _, shown in reading.views)),
        _refused(relation, problems[0]).problems if problems else (),
        tuple(reading.unknown),
    )


def _items(root: Any, reading: Reading) -> list[list[tuple[Any, Any]]]:
    """Return the items that make each column of a query, with the queries they stand in; none where it compares them.

    For a star: the columns that it gives, with their sources.
    """
    if isinstance(root, exp.Subquery):
        return _items(root.this, reading)
    if isinstance(root, exp.Union) and not root.args.get("distinct"):
        left, right = _items(root.this, reading), _items(root.expression, reading)
        return [one + other for one, other in zip(left, right, strict=True)] if len(left) == len(right) else []
    if not isinstance(root, exp.Select) or root.args.get("distinct"):
        return []
    found: list[list[tuple[Any, Any]]] = []
    scope = reading.scopes[id(root)]
    for item in root.expressions:
        if not item.is_star:
            found.append([(item, root)])
            continue
        table = lowered(item.args.get("table")) if isinstance(item, exp.Column) else ""
        for source in scope.named(table) if table else scope.shown():
            found += [[(one, source)] for one in source.outputs]
    return found


def _left_out(root: Any, columns: int) -> list[Any]:
    """Return the items that `_items` speaks of."""
    if not columns:
        return []
    if isinstance(root, (exp.Subquery, exp.Union)):
        return _left_out(root.this, columns) + _left_out(root.args.get("expression"), columns)
    return list(root.expressions) if isinstance(root, exp.Select) else []
