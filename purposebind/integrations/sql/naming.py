"""What a name in an expression means, and which tagged columns reach the expression's value.

What this module keeps: a name is looked up as the databases do: the nearest query first, then those around it. Where it
may mean several things, it means all of them.
"""

from __future__ import annotations

from typing import Any, Final

from sqlglot import exp

from .catalog import Catalog
from .known import BARE, COLUMNS
from .sources import NOTHING, CommonTable, Flows, Output, Scope, Source
from .tree import children, lowered

__all__ = ["QUERIES", "Naming"]

QUERIES: Final = (exp.Select, exp.SetOperation, exp.Subquery, exp.Values)
_FACTS: Final = (exp.Predicate, exp.Count, exp.Connector, exp.Not, exp.Is)


class Naming:
    """The meaning of names in expressions.

    Attributes:
        catalog: What the database holds.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._at_alias: set[int] = set()

    def build(self, node: Any, parent: Scope | None, tables: dict[str, CommonTable]) -> list[Output]:
        """Read a query, and return the columns that it gives."""
        raise NotImplementedError

    def flows(self, node: Any, scope: Scope) -> Flows:
        """Return the tagged columns whose values reach an expression's. A comparison or a count gives a fact alone."""
        found: Flows = NOTHING
        waiting: list[Any] = [node]
        while waiting:
            one = waiting.pop()
            if isinstance(one, exp.Column) and not isinstance(one.this, exp.Star):
                found |= self.column(one, scope)[0]
            elif isinstance(one, (exp.Star, exp.Column)):
                named = scope.named(lowered(one.args.get("table"))) if isinstance(one, exp.Column) else scope.sources
                found = found.union(*(source.everything for source in named))
            elif isinstance(one, exp.Exists) or (
                isinstance(one, _FACTS) and not isinstance(one, exp.SubqueryPredicate)
            ):
                continue
            elif isinstance(one, QUERIES):
                found = found.union(*(output.flows for output in self.build(one, scope, scope.tables)))
            elif isinstance(one, exp.If):
                waiting += [part for part in (one.args.get("true"), one.args.get("false")) if part]
            else:
                waiting += [child for _, child in children(one)]
        return found

    def column(self, node: exp.Column, scope: Scope, tells: bool = False) -> tuple[Flows, bool, list[Source]]:
        """Return what a column shows (or tells anything about), whether it is known, and what it names as a whole."""
        name, table = lowered(node.this), lowered(node.args.get("table"))
        if table:
            sources = scope.named(table)
            flows = NOTHING.union(*(self._of(one, name, tells) for one in sources))
            known = any(one.open or one.has(name) or (one.system and self._system(name)) for one in sources)
            return flows, known, []
        flows, known = NOTHING, False
        for at in scope.chain():
            has = [one for one in at.sources if one.has(name)]
            loose = [one for one in at.sources if one.open]
            whole = [one for one in at.sources if one.alias == name and not has]
            flows = flows.union(*(self._of(one, name, tells) for one in [*has, *loose]))
            for item in at.aliases.get(name, ()):
                if isinstance(item, exp.Column):
                    continue
                known = True
                if id(item) not in self._at_alias:
                    self._at_alias.add(id(item))
                    flows |= self.flows(item, at)
                    self._at_alias.discard(id(item))
            if whole:
                return flows.union(*(one.tells if tells else one.everything for one in whole)), True, whole
            known = known or bool(loose)
            if has:
                return flows, True, []
        return flows, known or self._system(name), []

    def _of(self, source: Source, name: str, tells: bool) -> Flows:
        return (source.told(name) if tells else source.flows(name)) | (source.extra if source.open else NOTHING)

    def _system(self, name: str) -> bool:
        return name in COLUMNS[self.catalog.dialect] or name in BARE
