"""Where a statement writes the values of tagged columns.

What this module keeps (R8): a value goes only where a policy holds that is no wider than its own. One whose row says
more of it, what it was collected for or when, goes nowhere else; and what its row says is set with it, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from sqlglot import exp

from .catalog import Catalog
from .scoping import Reading
from .sources import EXCLUDED, NOTHING, Flows, Output, Scope, Source
from .tree import lowered
from .verdict import Copy

__all__ = ["apart", "copied", "kept"]

_QUERIES: Final = (exp.Select, exp.SetOperation, exp.Subquery, exp.Values)


def kept(outputs: Sequence[Output], name: str, schema: str | None, catalog: Catalog) -> Iterator[Copy]:
    """Yield what a new table or view holds of tagged columns that it has no tag for.

    Args:
        outputs: The columns of its query.
        name: Its name.
        schema: What the name is qualified with.
        catalog: What is known of it, if it is to be known.
    """
    target = Source(name, relations=tuple(catalog.find(name, schema)))
    label = f"{schema}.{name}" if schema else name
    for number, one in enumerate(outputs, 1):
        yield from _into(target, label, one.name or f"column {number}", one.flows)


def copied(writes: Iterable[tuple[Any, Scope]], reading: Reading) -> Iterator[Copy]:
    """Yield the tagged columns that INSERT, UPDATE and MERGE copy into something with a wider policy, or with none."""
    target: Source | None = None
    for node, scope in writes:
        own = isinstance(node.this, (exp.Table, exp.Schema))
        if own:  # the writes within a MERGE go where the MERGE goes
            target = scope.sources[0] if scope.sources else None
        if target is None or isinstance(node, exp.Delete):
            continue
        if isinstance(node, exp.Insert):
            yield from _inserted(node, scope, target, reading)
            conflict = node.args.get("conflict")
            yield from _set(conflict.expressions if conflict else (), scope, target, reading)
        elif isinstance(node, exp.Update):
            yield from _set(node.expressions, scope, target, reading)


def apart(writes: Iterable[tuple[Any, Scope]], reading: Reading) -> Iterator[str]:
    """Yield why a write may not set what a column was collected for: it leaves the value as it is, or is a view's."""
    behind = {label for _, shown in reading.views for label in shown.touches}
    spoken = {one.label for one in reading.catalog.relations if one.companions}
    target: Source | None = None
    for node, scope in writes:
        if isinstance(node.this, (exp.Table, exp.Schema)):
            target = scope.sources[0] if scope.sources else None
        conflict = node.args.get("conflict") if isinstance(node, exp.Insert) else None
        assignments = conflict.expressions if conflict else node.expressions if isinstance(node, exp.Update) else ()
        if target is None or not assignments:
            continue
        if any(one.definition is not None for one in target.relations) and behind & spoken:
            yield f"it writes to {_label(target)}, a view of rows that say what they were collected for"
        names = {lowered(column) for one in assignments for column in _columns_set(one)}
        for relation in target.relations:
            for companion, column in relation.companions.items():
                if companion.lower() in names and column.lower() not in names:
                    yield (
                        f"it sets {relation.label}.{companion}, what {column} was collected for, and leaves {column} "
                        "as it is. What a value was collected for stays as it was said then"
                    )


def _columns_set(assignment: Any) -> list[Any]:
    if not isinstance(assignment, exp.EQ):
        return []
    left = assignment.this.this if isinstance(assignment.this, exp.Paren) else assignment.this
    return list(left.expressions) if isinstance(left, exp.Tuple) else [left.find(exp.Column) or left]


def _inserted(node: exp.Insert, scope: Scope, target: Source, reading: Reading) -> Iterator[Copy]:
    value = node.args.get("expression")
    if value is None:
        return
    listed: list[Any] = node.this.expressions if isinstance(node.this, (exp.Schema, exp.Tuple)) else []
    names = [lowered(one) for one in listed] or [
        name.lower() for relation in target.relations[:1] for name in relation.columns
    ]
    yield from _paired(names, _given(value, scope, reading), target)


def _takes_over(assignment: Any) -> bool:
    """Whether this is ``SET phone = excluded.phone``, in an ON CONFLICT."""
    if not isinstance(assignment, exp.EQ):
        return False
    left, right = assignment.this, assignment.expression
    return (
        isinstance(left, exp.Column)
        and isinstance(right, exp.Column)
        and lowered(right.args.get("table")) == EXCLUDED
        and lowered(left.this) == lowered(right.this)
    )


def _set(assignments: Sequence[Any], scope: Scope, target: Source, reading: Reading) -> Iterator[Copy]:
    taken = {lowered(one.this.this) for one in assignments if _takes_over(one)}
    for one in assignments:
        if not isinstance(one, exp.EQ):
            continue
        left = one.this.this if isinstance(one.this, exp.Paren) else one.this
        if isinstance(left, exp.Tuple):
            given = _given(one.expression, scope, reading)
            yield from _paired([lowered(each) for each in left.expressions], given, target)
        else:
            column, flows = left.find(exp.Column) or left, reading.flows(one.expression, scope)
            if _takes_over(one):  # with all that its row says of it, it takes the place of the other
                flows = frozenset(each for each in flows if not (each.beside and taken.issuperset(each.beside)))
            yield from _into(target, _label(target), lowered(column), flows)


def _given(value: Any, scope: Scope, reading: Reading) -> list[Flows]:
    """What a row's value shows, column by column."""
    if isinstance(value, _QUERIES):
        return [one.flows for one in reading.build(value, scope, scope.tables)]
    row = lowered(value.this) == "row" if isinstance(value, exp.Anonymous) else isinstance(value, exp.Tuple)
    if row:
        return [reading.flows(one, scope) for one in value.expressions]
    return [reading.flows(value, scope)]


def _paired(names: list[str], given: list[Flows], target: Source) -> Iterator[Copy]:
    if len(given) > len(names) or (given and len(given) < len(names) and any(given)):
        given = [NOTHING.union(*given)] * max(len(names), 1)  # which goes where is not certain
        names = names or ["a column"]
    for name, flows in zip(names, given, strict=False):
        yield from _into(target, _label(target), name, flows)


def _label(target: Source) -> str:
    """The name of what is written to, for messages."""
    return target.relations[0].label if target.relations else target.alias


def _into(target: Source, label: str, name: str, flows: Flows) -> Iterator[Copy]:
    policies = [
        column.policy
        for relation in target.relations
        for each, column in relation.tagged.items()
        if each.lower() == name
    ]
    for source in sorted(flows, key=lambda one: (one.table, one.name)):
        policy = policies[0] if policies else None
        if policy is None or source.varies or policy.allows_more_than(source.policy):
            yield Copy(source, f"{label}.{name}", policy)
