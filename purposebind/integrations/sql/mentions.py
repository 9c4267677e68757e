"""Which mentions of tagged columns in a tree are uses, and in which clause they stand.

What this module keeps (R1): every mention is a use, but for those proven to be none: the target of a write, and what
`moving` found to stay sealed. Names are only counted as accounted for where this module knows what they do there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlglot import exp

from .catalog import TaggedColumn
from .scoping import REGISTER, Reading
from .sources import EXCLUDED, NOTHING, Flows, Scope, Source
from .tree import children, lowered

__all__ = ["Mentions"]

_CLAUSES: Final[Mapping[str, str]] = {
    "from_": "FROM",
    "joins": "JOIN",
    "on": "ON",
    "where": "WHERE",
    "group": "GROUP BY",
    "having": "HAVING",
    "order": "ORDER BY",
    "limit": "LIMIT",
    "offset": "OFFSET",
    "distinct": "DISTINCT",
    "windows": "WINDOW",
    "locks": "FOR UPDATE",
    "conflict": "ON CONFLICT",
    "returning": "RETURNING",
    "whens": "WHEN",
    "using": "USING",
}
_TELLING: Final = ("OR IGNORE", "OR REPLACE")
_NAMING: Final = (exp.Table, exp.TableAlias, exp.Alias, exp.Schema, exp.Window, exp.Collate, exp.ColumnDef, exp.Column)
_STATEMENTS: Final = (
    exp.Select,
    exp.SetOperation,
    exp.Subquery,
    exp.Join,
    exp.Delete,
    exp.Merge,
    exp.Insert,
    exp.Update,
)


class Mentions:
    """The mentions of tagged columns.

    Args:
        reading: What the names of the tree mean.
        sealed: The columns that are no use where they stand, by identity.
        compared: The clause to name for a column, by identity.
        leave_out: Parts that are not looked at, by identity.

    Attributes:
        uses: The tagged columns that are read, with the clause where first.
        moves: Whether a sealed column holds something tagged.
        names: How often each name is accounted for.
        calls: How often what looks like a call of a function is known to be something else.
        writes: The parts that write, with their scopes.
        problems: What cannot be weighed.
    """

    def __init__(
        self,
        reading: Reading,
        sealed: Collection[int] = (),
        compared: Mapping[int, str] | None = None,
        leave_out: Collection[int] = (),
    ) -> None:
        self._reading = reading
        self._sealed = sealed
        self._compared = compared or {}
        self._leave_out = leave_out
        self.uses: dict[TaggedColumn, str] = {}
        self.moves = False
        self.names: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.writes: list[tuple[Any, Scope]] = []
        self.problems: list[str] = []

    def walk(self, root: Any, scope: Scope, clause: str) -> None:
        """Look at a part of the tree and all below it."""
        waiting: list[tuple[Any, Scope, str]] = [(root, scope, clause)]
        while waiting:
            node, around, clause = waiting.pop()
            if id(node) in self._leave_out:
                continue
            around = self._reading.scopes.get(id(node), around)
            waiting += reversed(self._look(node, around, clause))

    def unlike(self, conflict: str) -> None:
        """Note what UPDATE OR IGNORE tells: whether somebody else has the value."""
        for node, scope in self.writes:
            if conflict in _TELLING and isinstance(node, exp.Update):
                for one in node.expressions:
                    self._written([one.this] if isinstance(one, exp.EQ) else [], scope, conflict)

    def _written(self, columns: list[Any], scope: Scope, clause: str) -> None:
        """Whether a row is alike is told of any column, where no target names one."""
        names = {lowered(one) for column in columns for one in (column.find_all(exp.Identifier))}
        for source in scope.sources[:1]:
            told = (one.tells for one in source.outputs if one.name in names or not columns)
            self.use(NOTHING.union(*told), clause)

    def use(self, flows: Flows, clause: str) -> None:
        """Note a use."""
        for column in sorted(flows, key=lambda one: (one.table, one.name)) if len(flows) > 1 else flows:
            self.uses.setdefault(column, clause)

    def _look(self, node: Any, scope: Scope, clause: str) -> list[tuple[Any, Scope, str]]:
        """Note what a node mentions, and return what is to be looked at below it."""
        if isinstance(node, exp.Column):
            self._column(node, scope, clause)
            return []
        if isinstance(node, exp.Star):
            if not isinstance(node.parent, exp.Count):
                told = NOTHING.union(*(one.tells for one in scope.shown()))
                if id(node) in self._sealed:
                    self.moves = self.moves or bool(told)
                else:
                    self.use(told, clause)
        elif isinstance(node, exp.Identifier):
            if isinstance(node.parent, _NAMING):
                self.names[node.name.lower()] += 1
            return []
        elif isinstance(node, exp.DataType):
            named = node.args.get("kind")  # a type of the database's own may be called as a column is
            for part in (str(getattr(named, "name", named) or "")).split("."):
                self.names[part.strip('"').lower()] += 1
        elif isinstance(node, exp.Join):
            self._join(node, scope)
        elif isinstance(node, exp.Dot):
            self._field(node, scope)
        elif isinstance(node, exp.Anonymous):
            self._function(node, scope)
        elif isinstance(node, exp.In) and node.args.get("field") and self._reading.catalog.dialect == "sqlite":
            self.problems.append("it holds IN with the name of a table. Write IN (SELECT ...)")
        elif isinstance(node, exp.OnConflict):
            return self._conflict(node, scope)
        elif isinstance(node, (exp.Insert, exp.Update, exp.Delete, exp.Merge)):
            return self._write(node, scope)
        elif isinstance(node, exp.TableAlias) and node.args.get("columns"):
            self.calls[lowered(node.this)] += 1
        elif isinstance(node, exp.Command):
            self.problems.append("it holds a part that cannot be read. Write it in a plainer way")
        elif isinstance(node, exp.Window):
            return [
                (child, scope, clause if key == "this" or clause == "WINDOW" else "OVER")
                for key, child in children(node)
            ]
        elif isinstance(node, exp.Values):
            clause = "VALUES" if isinstance(node.parent, exp.Insert) else "the select list"
        return self._below(node, scope, clause)

    def _below(self, node: Any, scope: Scope, clause: str) -> list[tuple[Any, Scope, str]]:
        if not isinstance(node, _STATEMENTS):
            return [(child, scope, clause) for _, child in children(node)]
        own = "the select list" if isinstance(node, exp.Select) else clause
        return [
            (child, scope, own if key == "expressions" else _CLAUSES.get(key, clause)) for key, child in children(node)
        ]

    def _column(self, node: exp.Column, scope: Scope, clause: str) -> None:
        for key in ("this", "table", "db", "catalog"):
            part = node.args.get(key)
            if isinstance(part, exp.Identifier):
                self.names[part.name.lower()] += 1
        if isinstance(node.this, exp.Star):
            named = scope.named(lowered(node.args.get("table")))
            self.use(NOTHING.union(*(one.tells for one in named)), clause)
            if not named:
                self.problems.append("it holds a star of something that its FROM does not name. Name the columns")
            return
        tells, known, _ = self._reading.column(node, scope, tells=True)
        if not known and node.this.args.get("quoted") is False and node.sql().lower() == "default":
            return  # SET phone = DEFAULT: a word that no column has for a name, but in quotes
        if not known:
            identifier = node.this
            # SQLite takes what it does not know for a value where it stands in double quotes.
            plain = isinstance(identifier, exp.Identifier) and not identifier.args.get("quoted")
            name = f"the column {identifier.name}" if plain else "a column, in double quotes,"
            self.problems.append(f"it names {name} that is not known. {REGISTER}; a value goes in single quotes")
        elif tells and id(node) in self._sealed:
            self.moves = True
        else:
            self.use(tells, self._compared.get(id(node), clause))

    def _field(self, node: exp.Dot, scope: Scope) -> None:
        """``(a).phone``, where `a` is a row: the database reads all of it."""
        inner, field = node.this, node.expression
        while isinstance(inner, exp.Paren):
            inner = inner.this
        if isinstance(inner, exp.Column) and isinstance(field, exp.Identifier):
            self.names[field.name.lower()] += bool(self._reading.column(inner, scope)[2])

    def _function(self, node: exp.Anonymous, scope: Scope) -> None:
        """``phone(a)``, where `a` is a row, is no call, but reads all of it."""
        if len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Column):
            _, _, whole = self._reading.column(node.expressions[0], scope)
            if whole and all(one.has(lowered(node.this)) for one in whole):
                self.calls[lowered(node.this)] += 1
                self.names[lowered(node.this)] += 1

    def _join(self, node: exp.Join, scope: Scope) -> None:
        """USING and NATURAL compare columns without a mention of each."""
        using = node.args.get("using") or ()
        natural = lowered(node.args.get("method")) == "natural"
        for one in using:
            if isinstance(one, exp.Literal):
                natural = True  # a name in SQLite's single quotes
            elif isinstance(one, exp.Identifier):
                self._compare(one.name.lower(), scope.sources, "USING")
            elif isinstance(one, exp.Column):
                self._compare(lowered(one.this), scope.sources, "USING")
        if natural:
            clause = "USING" if using else "NATURAL JOIN"
            open_ = any(source.open for source in scope.sources)
            counted = Counter(name for source in scope.sources for name in {one.name for one in source.outputs})
            for name, often in counted.items():
                if often > 1 or open_:
                    self._compare(name, scope.sources, clause, count=False)

    def _compare(self, name: str, sources: list[Source], clause: str, count: bool = True) -> None:
        self.names[name] += count
        flows = NOTHING.union(*(one.told(name) | (one.extra if one.open else NOTHING) for one in sources))
        self.use(flows, clause)

    def _conflict(self, node: exp.OnConflict, scope: Scope) -> list[tuple[Any, Scope, str]]:
        below: list[tuple[Any, Scope, str]] = []
        for key, child in children(node):
            if key == "constraint":
                target = scope.sources[0] if scope.sources else None
                if target is not None and lowered(child) != f"{target.relations[0].name}_pkey".lower():
                    self.use(target.tells, "ON CONFLICT")  # which columns it compares is not to be seen here
                self.names[lowered(child)] += 1
            elif key == "expressions":
                below += self._assignment(child, scope)
            else:
                below.append((child, scope, "ON CONFLICT"))
        return below

    def _write(self, node: Any, scope: Scope) -> list[tuple[Any, Scope, str]]:
        self.writes.append((node, scope))
        if isinstance(node, exp.Insert):
            conflict = node.args.get("conflict")
            clause = f"OR {node.args.get('alternative') or ''}".upper()
            if clause in _TELLING or (
                conflict and not conflict.args.get("conflict_keys") and not conflict.args.get("constraint")
            ):
                listed = list(node.this.expressions) if isinstance(node.this, exp.Schema) else []
                self._written(listed, scope, "ON CONFLICT" if conflict else clause)
        if isinstance(node.this, exp.Schema):  # INSERT INTO account (id, phone)
            table = node.this.this
            self.calls[lowered(table.args.get("alias")) or lowered(table)] += 1
        below: list[tuple[Any, Scope, str]] = []
        for key, child in children(node):
            if key == "expressions":
                below += self._assignment(child, scope)
            elif key == "this" and isinstance(child, exp.Tuple):  # MERGE ... INSERT (id, phone)
                self._targets(child)
            else:
                clause = "VALUES" if key == "expression" else "FROM" if key == "this" else _CLAUSES.get(key, "FROM")
                below.append((child, scope, clause))
        return below

    def _assignment(self, node: Any, scope: Scope) -> list[tuple[Any, Scope, str]]:
        """``SET phone = ...``: what stands on the left is written."""
        if not isinstance(node, exp.EQ) or not self._targets(node.this):
            return [(node, scope, "SET")]
        value = node.expression
        excluded = isinstance(value, exp.Column) and lowered(value.args.get("table")) == EXCLUDED
        if excluded and isinstance(node.this, exp.Column) and lowered(value.this) == lowered(node.this.this):
            self.names[lowered(value.this)] += 1  # the new value, written where it was meant to go
            return []
        return [(value, scope, "SET")]

    def _targets(self, node: Any) -> bool:
        parts = (
            node.expressions if isinstance(node, exp.Tuple) else [node.this if isinstance(node, exp.Paren) else node]
        )
        if not all(isinstance(one, exp.Column) and not isinstance(one.this, exp.Star) for one in parts):
            return False
        for one in parts:
            self.names.update(part.name.lower() for part in one.parts)
        return True
