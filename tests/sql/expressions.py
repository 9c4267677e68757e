"""The grammar's expressions and FROM clauses, with the columns that each source offers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .relations import POLICIES, TABLES, VIEWS, Dialect

__all__ = ["Column", "Expressions", "Source"]

T = TypeVar("T")


@dataclass(frozen=True)
class Column:
    """A column that a query may name: its type, and whether something tagged is in it."""

    name: str
    kind: str
    tag: str = ""


@dataclass(frozen=True)
class Source:
    """What stands in a FROM clause: the name it goes by, its columns, and its table where it is one."""

    alias: str
    columns: Sequence[Column]
    table: str = ""


class Expressions:
    """Writes expressions of a type over a scope."""

    def __init__(self, dialect: Dialect, random_: random.Random) -> None:
        self.dialect = dialect
        self.pg = dialect == "postgresql"
        self.random = random_
        self.start()

    def start(self) -> None:
        self.used: set[str] = set()
        self.known: set[str] = set()
        self.ctes: dict[str, list[Column]] = {}
        self.rate = self.random.choice([0.0, 0.03, 0.03, 0.08, 0.08, 0.4])
        self.count = 0
        self.shadowed = False

    def pick(self, options: Sequence[T]) -> T:
        return self.random.choice(options)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def odd(self) -> bool:
        """Whether to use a name that means something else too."""
        return self.chance(0.12)

    def rich(self) -> bool:
        return self.random.random() < self.rate

    def use(self, construct: str) -> None:
        self.used.add(construct)

    def fresh(self, stem: str = "t") -> str:
        if self.odd():
            self.use("an alias that is a name of the schema")
            return self.pick(["phone", "email", "account", "device", "contacts", "note", "score"])
        self.count += 1
        return f"{stem}{self.count}"

    def tag(self, relation: str, column: str) -> str:
        for view in VIEWS:
            if view.name == relation:
                return view.shows.get(column, "")
        key = f"{relation}.{column}"
        return key if key in POLICIES else ""

    # --- FROM

    def relation(self) -> tuple[str, list[Column]]:
        if self.ctes and self.chance(0.5):
            name = self.pick(list(self.ctes))
            return name, self.ctes[name]
        found: Any = self.pick(TABLES) if self.chance(0.75) else self.pick(VIEWS)
        if found in VIEWS:
            self.use("view")
            if found.rows and not self.rich():
                found = TABLES[0]
        return found.name, [Column(n, k, self.tag(found.name, n)) for n, k in found.columns.items()]

    def source(self, depth: int) -> Source:
        return self.from_part(depth)[1]

    def from_part(self, depth: int) -> tuple[str, Source]:
        if depth and self.chance(0.2):
            self.use("subquery in FROM")
            text, columns = self.query(depth - 1, [])  # type: ignore[attr-defined]
            alias = self.fresh()
            if self.pg and self.chance(0.3):
                self.use("alias list")
                columns = [Column(f"a{i}", c.kind, c.tag) for i, c in enumerate(columns)]
                return f"({text}) AS {alias} ({', '.join(c.name for c in columns)})", Source(alias, columns)
            return f"({text}) AS {alias}", Source(alias, columns)
        if self.pg and self.chance(0.04):
            self.use("function in FROM")
            return "generate_series(1, 3) AS g (n)", Source("g", [Column("n", "int")])
        name, columns = self.relation()
        shown = name
        if name not in self.ctes:
            if self.chance(0.08):
                self.use("schema")
                shown = ("public." if self.pg else "main.") + name
            if self.pg and self.chance(0.04) and any(t.name == name for t in TABLES):
                self.use("ONLY")
                shown = f"ONLY {shown}"
        table = "" if name in self.ctes else name
        if self.chance(0.5):
            alias = self.fresh()
            if self.pg and self.rich() and name not in self.ctes:
                self.use("alias list")
                columns = [Column(f"b{i}", c.kind, c.tag) for i, c in enumerate(columns)]
                return f"{shown} AS {alias} ({', '.join(c.name for c in columns)})", Source(alias, columns)
            return f"{shown} {self.pick(['AS ', ''])}{alias}", Source(alias, columns, table)
        return shown, Source(name, columns, table)

    def from_(self, depth: int) -> tuple[str, list[Source]]:
        text, first = self.from_part(depth)
        sources = [first]
        while len(sources) < 3 and self.chance(0.3):
            other, source = self.from_part(depth)
            if source.alias in {s.alias for s in sources}:
                continue
            shared = [c.name for c in source.columns if c.name in {d.name for s in sources for d in s.columns}]
            if len(sources) == 1 and shared and self.chance(0.1) and (self.rich() or self.rich() or self.chance(0.2)):
                natural = self.chance(0.4)
                named = shared if natural else [self.pick(shared)]
                self.use("NATURAL" if natural else "USING")
                for s in (s for s in (first, source) if s.table):
                    self.known |= {c.tag for c in s.columns if c.name in named and c.tag}
                text += f" NATURAL JOIN {other}" if natural else f" JOIN {other} USING ({named[0]})"
                sources.append(source)
                break
            sources.append(source)
            join = self.pick([", ", " CROSS JOIN ", " JOIN ", " LEFT JOIN ", " JOIN "])
            self.use("JOIN")
            if self.pg and self.chance(0.1):
                self.use("LATERAL")
                alias = self.fresh("lat")
                inner, columns = self.query(0, sources, ["text"])  # type: ignore[attr-defined]
                text += f" CROSS JOIN {other} CROSS JOIN LATERAL ({inner}) AS {alias}"
                sources.append(Source(alias, columns))
                break
            text += join + other
            if join.endswith(" JOIN ") and "CROSS" not in join:
                self.use("ON")
                text += f" ON {self.bool_(depth, sources)}"
            if join == ", ":
                break
        return text, sources

    # --- Expressions

    def reference(self, scope: Sequence[Source], kind: str = "") -> str:
        """A column, tagged as often as this statement says, in one of the ways to name it."""
        options = [(s, c) for s in scope for c in s.columns if not kind or c.kind == kind]
        tagged, plain = [o for o in options if o[1].tag], [o for o in options if not o[1].tag]
        chosen = tagged if tagged and (self.rich() or not plain) else plain
        if not chosen:
            return self.literal(kind or "int")
        source, column = self.pick(chosen)
        names = [c.name for s in scope for c in s.columns]
        if names.count(column.name) == 1 and column.name not in {s.alias for s in scope} and self.chance(0.5):
            return column.name
        if self.pg and self.chance(0.04):
            self.use("(alias).column")
            return f"({source.alias}).{column.name}"
        if self.pg and self.chance(0.03) and source.table:
            self.use("column(alias)")
            return f"{column.name}({source.alias})"
        if source.table and source.alias == source.table and source.table not in self.ctes and self.chance(0.03):
            self.use("schema.table.column")
            return f"{'public' if self.pg else 'main'}.{source.alias}.{column.name}"
        return f"{source.alias}.{column.name}"

    def item(self, scope: Sequence[Source], kind: str, depth: int = 0) -> tuple[str, Column]:
        if self.chance(0.6):
            text = self.reference(scope, kind)
            bare = text.rsplit(".", 1)[-1]
            if bare.isidentifier():
                tags = [c.tag for s in scope for c in s.columns if c.name == bare and c.tag]
                return text, Column(bare, kind, tags[0] if tags else "")
            return text, Column("", kind, "maybe" if self.rate else "")
        return self.expression(kind, depth, scope), Column("", kind, "maybe" if self.rate else "")

    def literal(self, kind: str) -> str:
        if kind == "int":
            return self.pick(["1", "0", "42", "-7", "NULL::int" if self.pg else "NULL"])
        odd = [r"'\'", "'--'", "'/*'", "'it''s'", "'phone'", "'$$'", "'%'"]
        if self.pg:
            odd += [r"E'\''", "$$it's$$", "$q$--$q$", r"E'\\'", r"U&'\0041'"]
        if self.chance(0.3):
            self.use("odd literal")
        return self.pick(["'x'", "'y'", *odd])

    def expression(self, kind: str, depth: int, scope: Sequence[Source]) -> str:
        return self.int_(depth, scope) if kind == "int" else self.text_(depth, scope)

    def subquery(self, kind: str, depth: int, scope: Sequence[Source]) -> str:
        self.use("scalar subquery")
        return f"({self.select(depth - 1, scope, [kind], bare=True)[0]} LIMIT 1)"  # type: ignore[attr-defined]

    def int_(self, depth: int, scope: Sequence[Source]) -> str:
        one = self.reference(scope, "int")
        if depth <= 0 or self.chance(0.4):
            return one
        options = [
            lambda: f"{one} + {self.literal('int')}",
            lambda: f"length({self.text_(depth - 1, scope)})",
            lambda: f"coalesce({one}, {self.int_(depth - 1, scope)})",
            lambda: f"CASE WHEN {self.bool_(depth - 1, scope)} THEN {one} ELSE 0 END",
            lambda: f"abs({one})",
            lambda: self.subquery("int", depth, scope),
            lambda: self.window(scope),
        ]
        self.use("function")
        return self.pick(options)()

    def window(self, scope: Sequence[Source]) -> str:
        if not scope:
            return "1"
        self.use("window function")
        return f"count(*) OVER ({self.pick(['PARTITION BY', 'ORDER BY'])} {self.reference(scope)})"

    def text_(self, depth: int, scope: Sequence[Source]) -> str:
        one = self.reference(scope, "text")
        if depth <= 0 or self.chance(0.4):
            return one
        options = [
            lambda: f"upper({one})",
            lambda: f"{one} || {self.literal('text')}",
            lambda: f"substr({one}, 1, 2)",
            lambda: f"replace({self.text_(depth - 1, scope)}, 'a', 'b')",
            lambda: f"CAST({self.int_(depth - 1, scope)} AS TEXT)",
            lambda: f"CASE {one} WHEN {self.literal('text')} THEN 'p' ELSE {self.text_(depth - 1, scope)} END",
            lambda: f"nullif({one}, {self.literal('text')})",
            lambda: self.subquery("text", depth, scope),
            lambda: f"trim({one})",
        ]
        if self.pg:
            options += [
                lambda: f"md5({one})",
                lambda: f"({one})::text",
                lambda: self.whole_row(scope),
                lambda: f'{one} COLLATE "C"',
            ]
        else:
            options += [lambda: f"hex({one})", lambda: f"{one} COLLATE NOCASE", lambda: f"printf('%s', {one})"]
        self.use("function")
        return self.pick(options)()

    def whole_row(self, scope: Sequence[Source]) -> str:
        found = [s for s in scope if self.rich() or not any(c.tag for c in s.columns)]
        if not found:
            return "'none'"
        self.use("whole row")
        alias = self.pick(found).alias
        return self.pick(
            [
                f"{alias}::text",
                f"row_to_json({alias})::text",
                f"({alias}.*)::text",
                f"CAST(ROW({alias}.*) AS text)",
                f"to_jsonb({alias})::text",
            ]
        )

    def aggregate(self, kind: str, depth: int, scope: Sequence[Source]) -> str:
        self.use("aggregate")
        if kind == "text":
            return f"{self.pick(['max', 'min'])}({self.text_(min(depth, 1) - 1, scope)})"
        inner = self.reference(scope)
        text = self.pick(["count(*)", f"count({inner})", f"count(DISTINCT {inner})"])
        if self.chance(0.2):
            self.use("FILTER")
            text += f" FILTER (WHERE {self.bool_(0, scope)})"
        return text

    def bool_(self, depth: int, scope: Sequence[Source]) -> str:
        kind = self.pick(["int", "text"])
        one, other = self.reference(scope, kind), self.reference(scope, kind)
        if depth <= 0 or self.chance(0.4):
            return self.pick(
                [f"{one} = {self.literal(kind)}", f"{one} = {other}", f"{one} IS NOT NULL", f"{one} <> {other}"]
            )
        options = [
            lambda: f"{one} IN ({self.select(depth - 1, scope, [kind], bare=True)[0]})",  # type: ignore[attr-defined]
            lambda: f"EXISTS ({self.select(depth - 1, scope, [kind], bare=True)[0]})",  # type: ignore[attr-defined]
            lambda: f"({self.bool_(depth - 1, scope)} {self.pick(['AND', 'OR'])} {self.bool_(depth - 1, scope)})",
            lambda: f"NOT ({self.bool_(depth - 1, scope)})",
            lambda: f"{self.text_(depth - 1, scope)} LIKE '%a%'",
            lambda: f"{one} BETWEEN {self.literal(kind)} AND {other}",
            lambda: f"({one}, 1) = ({other}, 1)",
            lambda: f"{one} IN ({self.literal(kind)}, {other})",
        ]
        if self.pg:
            options += [lambda: f"{one} = ANY (ARRAY[{other}])", lambda: f"{one} IS DISTINCT FROM {other}"]
            options += [lambda: f"{one} = ANY ({self.select(depth - 1, scope, [kind], bare=True)[0]})"]  # type: ignore[attr-defined]
        else:
            options += [lambda: f"{one} IS {other}", lambda: f"{one} GLOB 'a*'" if kind == "text" else f"{one} == 1"]
        self.use("condition")
        return self.pick(options)()
