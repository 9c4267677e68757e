"""What each name in a query means, and which tagged columns reach each of the columns it gives.

What this module keeps: a name is looked up as the databases do, and where they differ, or it is not certain, it means
everything it may mean. What is not known is a problem. Parts of a tree that this module does not know are one too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from sqlglot import exp

from .catalog import Catalog, Relation
from .known import SYSTEM, is_system, shows_data
from .naming import QUERIES, Naming
from .sources import EXCLUDED, NOTHING, CommonTable, Output, Scope, Shown, Source, renamed
from .tree import children, joined, lowered, own_name, parts_of_from

__all__ = ["REGISTER", "Reading", "ViewOf"]

REGISTER: Final = "Map it, or register it with the guard"

ViewOf = Callable[[Relation], Shown]
"""What a view shows."""

_SELECT: Final = frozenset(
    {
        "expressions",
        "from_",
        "joins",
        "where",
        "group",
        "having",
        "order",
        "limit",
        "offset",
        "distinct",
        "with_",
        "windows",
        "locks",
        "laterals",
        "operation_modifiers",
        "kind",
    }
)
_TABLE: Final = frozenset(
    {"this", "db", "alias", "only", "sample", "joins", "indexed", "ordinality", "rows_from", "laterals"}
)
_ITEMS: Final = (exp.Insert, exp.Update, exp.Delete, exp.Merge)


class Reading(Naming):
    """A tree with the meaning of its names.

    Attributes:
        scopes: The scope of each query and write, by identity.
        relations: What the tree names, in the order found.
        problems: What cannot be weighed.
        unknown: Relations that are not known.
        views: The views that it names, with what each shows.
        recursive: The entries of a WITH that name themselves, by identity.
    """

    def __init__(self, catalog: Catalog, view_of: ViewOf) -> None:
        super().__init__(catalog)
        self.view_of = view_of
        self.scopes: dict[int, Scope] = {}
        self.relations: dict[int, Relation] = {}
        self.problems: list[str] = []
        self.unknown: list[str] = []
        self.views: list[tuple[Relation, Shown]] = []
        self.recursive: set[int] = set()
        self.table_sources: dict[int, Source] = {}
        self._outputs: dict[int, list[Output]] = {}

    def build(self, node: Any, parent: Scope | None, tables: dict[str, CommonTable]) -> list[Output]:
        """Read a query or a write, and return the columns that it gives."""
        known = self._outputs.get(id(node))
        if known is None:
            known = self._outputs[id(node)] = self._build(node, parent, tables)
        return known

    def _build(self, node: Any, parent: Scope | None, tables: dict[str, CommonTable]) -> list[Output]:
        scope = Scope(node, parent, self._with(node, parent, tables))
        self.scopes[id(node)] = scope
        if isinstance(node, exp.Select):
            return self._select(node, scope)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, scope)
        if isinstance(node, exp.Subquery):
            outputs = self.build(node.this, scope, scope.tables)
            scope.sources = [Source("", outputs)]
            self._nested(node, scope)
            return outputs
        if isinstance(node, exp.Values):
            self._nested(node, scope)
            return self._values(node, scope)
        if isinstance(node, _ITEMS):
            return self._write(node, scope)
        self.problems.append("it holds a kind of query that is not known. Write it as a SELECT")
        return []

    def _with(self, node: Any, parent: Scope | None, tables: dict[str, CommonTable]) -> dict[str, CommonTable]:
        clause = node.args.get("with_")
        if clause is None:
            return tables
        recursive = bool(clause.args.get("recursive")) or self.catalog.dialect == "sqlite"
        seen = dict(tables)
        everyone = dict(tables)
        entries: list[CommonTable] = []
        for one in clause.expressions:
            entry = CommonTable(one, everyone if recursive else dict(seen), parent, recursive)
            name = lowered(one.args.get("alias"))
            seen[name] = everyone[name] = entry
            entries.append(entry)
        for entry in entries:
            self.common(entry)
        return everyone

    def common(self, entry: CommonTable) -> list[Output]:
        """Read an entry of a WITH."""
        if entry.outputs is not None and not entry.reading:
            return entry.outputs
        if entry.reading:
            entry.named_itself = True
            if entry.outputs is None:
                self.problems.append("a WITH names itself before its first SELECT. Write it with UNION ALL")
            return entry.outputs or []
        entry.reading = True
        query: Any = entry.node.this
        columns = [lowered(one) for one in entry.node.args["alias"].args.get("columns") or ()]
        if entry.recursive and isinstance(query, exp.SetOperation):
            first = self.build(query.this, entry.scope, entry.around)
            every = NOTHING.union(*(one.flows for one in first))
            entry.outputs = renamed([Output(one.name, every) for one in first], columns)
        outputs = self.build(query, entry.scope, entry.around)
        if entry.named_itself:
            self.recursive.add(id(entry.node))
            every = NOTHING.union(*(one.flows for one in outputs))
            outputs = [Output(one.name, every) for one in outputs]
        entry.outputs, entry.reading = renamed(outputs, columns), False
        return entry.outputs

    def _select(self, node: exp.Select, scope: Scope) -> list[Output]:
        if strange := {key for key, value in node.args.items() if value} - _SELECT:
            kind = "SELECT ... INTO" if "into" in strange else "a clause of SELECT that is not known"
            self.problems.append(f"it holds {kind}. Write it without")
        for part in parts_of_from(node):
            self._source(part, scope)
        for item in node.expressions:
            if name := own_name(item, self.catalog.dialect):
                scope.aliases.setdefault(name, []).append(item)
        self._nested(node, scope)
        outputs: list[Output] = []
        for item in node.expressions:
            outputs += self._item(item, scope)
        return outputs

    def _item(self, item: exp.Expr, scope: Scope) -> Iterator[Output]:
        if isinstance(item, exp.Star):
            yield from (one for source in scope.shown() for one in source.outputs)
        elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
            named = scope.named(lowered(item.args.get("table")))
            yield from (one for source in named for one in source.outputs)
        else:
            yield Output(own_name(item, self.catalog.dialect), self.flows(item, scope))

    def _set_operation(self, node: exp.SetOperation, scope: Scope) -> list[Output]:
        left = self.build(node.this, scope.parent, scope.tables)
        right = self.build(node.expression, scope.parent, scope.tables)
        outputs = [
            Output(one.name, one.flows | (right[i].flows if i < len(right) else NOTHING)) for i, one in enumerate(left)
        ]
        scope.sources = [Source("", outputs)]
        self._nested(node, scope)
        return outputs

    def _values(self, node: exp.Values, scope: Scope) -> list[Output]:
        rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in node.expressions]
        width = max((len(row) for row in rows), default=0)
        return [
            Output(f"column{i + 1}", NOTHING.union(*(self.flows(row[i], scope) for row in rows if i < len(row))))
            for i in range(width)
        ]

    def _write(self, node: Any, scope: Scope) -> list[Output]:
        target = node.this.this if isinstance(node.this, exp.Schema) else node.this
        if not isinstance(target, exp.Table):
            self.problems.append("it writes to something that is not a table. Name the table")
            return []
        self._source(target, Scope(node, None, {}))  # no entry of a WITH is written to
        targets = [self.table_sources[id(target)]]
        scope.sources += targets
        if isinstance(node, exp.Insert):
            outer = scope.parent
            if node.expression is not None:
                self.build(node.expression, outer, scope.tables)
            scope.sources += [Source(EXCLUDED, one.outputs, system=True) for one in targets]
        for part in (node.args.get("from_"), node.args.get("using")):
            for one in part if isinstance(part, list) else [part]:
                if one:
                    inner = one.this if isinstance(one, exp.From) else one
                    self._source(inner, scope)
                    for join in (
                        inner.args.get("joins") or () if not isinstance(inner, (exp.Table, exp.Subquery)) else ()
                    ):
                        self._source(join.this, scope)
        self._nested(node, scope)
        returning = node.args.get("returning")
        outputs: list[Output] = []
        for item in returning.expressions if returning else ():
            outputs += self._item(item, scope)
        return outputs

    def _source(self, node: Any, scope: Scope) -> None:
        """Add what stands in a FROM."""
        alias = node.args.get("alias")
        name = lowered(alias.this) if alias is not None and alias.this else ""
        columns = [lowered(one) for one in alias.args.get("columns") or ()] if alias is not None else []
        if isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier):  # a function, or ROWS FROM
            source = Source(name or lowered(node.this), open=True, extra=self.flows(node, scope))
        elif isinstance(node, exp.Table):
            source = self._table(node, name, scope)
        elif joined(node):  # (a JOIN b) AS q
            inside = Scope(node, scope.parent, scope.tables)
            if name:
                self.scopes[id(node)] = inside
            self._source(node.this, inside if name else scope)
            if not name:
                self._joins(node, scope)
                return
            source = Source(name, [one for each in inside.sources for one in each.outputs], open=True)
        elif isinstance(node, exp.Lateral):
            inner = node.this
            if isinstance(inner, exp.Subquery):
                source = Source(name, self.build(inner, scope, scope.tables), query=inner)
            else:
                source = Source(name or lowered(inner), open=True, extra=self.flows(inner, scope))
        elif isinstance(node, (exp.Subquery, exp.Values, exp.SetOperation, exp.Select)):
            source = Source(name, self.build(node, scope, scope.tables), query=node)
        elif isinstance(node, (exp.Unnest, exp.Func)):
            source = Source(name or "unnest", open=True, extra=self.flows(node, scope))
        else:
            self.problems.append("it reads from something that is not known. Name a table, or write a SELECT")
            return
        if columns:
            source.renamed = True
            if source.relations:
                source.open, source.extra = True, source.everything
            elif not source.open:
                source.outputs = renamed(source.outputs, columns)
        self.table_sources[id(node)] = source
        scope.sources.append(source)
        self._joins(node, scope)

    def _joins(self, node: Any, scope: Scope) -> None:
        for join in node.args.get("joins") or () if isinstance(node, (exp.Table, exp.Subquery)) else ():
            self._source(join.this, scope)

    def _table(self, node: exp.Table, alias: str, scope: Scope) -> Source:
        if {key for key, value in node.args.items() if value} - _TABLE:
            self.problems.append("it holds a clause after a table that is not known. Write it without")
        name, schema = lowered(node.this), lowered(node.args.get("db")) or None
        entry = scope.tables.get(name) if schema is None else None
        if entry is not None:
            return Source(alias or name, list(self.common(entry)), query=entry.node)
        label = f"{schema}.{name}" if schema else name
        if shows_data(name):
            self.problems.append(f"{label} shows values of other tables, or statements that hold them. Ask without it")
            return Source(alias or name, open=True)
        found = self.catalog.find(name, schema)
        if not found:
            if not is_system(name, schema, self.catalog.dialect):
                self.unknown.append(label)
                self.problems.append(f"it names the relation {label}, which is not known. {REGISTER}")
            return Source(alias or name, [Output(one, NOTHING) for one in SYSTEM.get(name, ())], open=True)
        outputs: list[Output] = []
        for relation in found:
            self.relations[id(relation)] = relation
            outputs += self._relation(relation)
        open_ = not all(one.listed for one in found)
        return Source(alias or name, outputs, tuple(found), open=open_, system=True)

    def _relation(self, relation: Relation) -> list[Output]:
        columns: tuple[Output, ...] = ()
        if relation.definition is not None:
            shown = self.view_of(relation)
            self.views.append((relation, shown))
            self.problems += shown.problems
            self.unknown += shown.unknown
            columns = shown.columns
            if len(columns) != len(relation.columns):
                every, facts = (NOTHING.union(*(getattr(one, kind) for one in columns)) for kind in ("flows", "facts"))
                columns = tuple(Output("", every, facts, bare=False) for _ in relation.columns)
        tagged = {name.lower(): column for name, column in relation.tagged.items()}
        outputs: list[Output] = []
        for i, column in enumerate(relation.columns):
            one = replace(columns[i] if columns else Output("", NOTHING), name=column.lower())
            own = tagged.get(column.lower())
            outputs.append(replace(one, flows=one.flows | {own}) if own else one)
        listed = {one.name for one in outputs}
        return outputs + [Output(name, frozenset({own})) for name, own in tagged.items() if name not in listed]

    def _nested(self, node: exp.Expr, scope: Scope) -> None:
        """Read the queries that stand in expressions of a node."""
        waiting: list[Any] = [child for key, child in children(node) if key != "with_"]
        while waiting:
            one = waiting.pop()
            if id(one) in self.scopes:
                continue
            if isinstance(one, QUERIES) and not joined(one):
                self.build(one, scope, scope.tables)
            else:
                waiting += [child for _, child in children(one)]
