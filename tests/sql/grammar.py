"""A seeded grammar: random statements over the tagged schema, of either dialect, valid ones mostly.

What this module keeps: a statement says for itself what an oracle cannot see (`Statement.known`), and which constructs
it is made of, so that a run can show that it used them all. Most statements mention a tagged column once or not at all:
where everything is read, nothing can be missed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from purposebind.policy import Policy

from .expressions import Column, Expressions, Source
from .relations import POLICIES, TABLES, Dialect

__all__ = ["Grammar", "Statement"]

_EXEMPT = re.compile(r"\x01(.*?)\x02(int|text)\x03")


@dataclass(frozen=True)
class Statement:
    """A statement, and what the grammar knows of it.

    Attributes:
        sql: Its text.
        asked: The text to ask the oracles about: what is exempt from being a use is a constant there.
        moved: Output positions that come back in a box.
        known: Tagged columns that it reads, by its construction.
        constructs: What it is made of.
    """

    dialect: Dialect
    sql: str
    asked: str
    moved: dict[int, Policy] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    constructs: frozenset[str] = frozenset()


class Grammar(Expressions):
    """Writes one statement for each call of `statement`."""

    def __init__(self, dialect: Dialect, seed: int) -> None:
        super().__init__(dialect, random.Random(seed))
        self.moved: dict[int, Policy] = {}

    def statement(self) -> Statement:
        self.start()
        self.moved = {}
        kinds = [self.whole_select] * 8 + [
            self.moving,
            self.moving,
            self.insert,
            self.update,
            self.delete,
            self.defining,
        ]
        if self.pg:
            kinds += [self.merge, self.copying]
        asked = ""
        text = self.pick(kinds)()
        if isinstance(text, tuple):
            text, asked = text
        return Statement(
            self.dialect,
            _EXEMPT.sub(r"\1", text),
            _EXEMPT.sub(r"CAST(NULL AS \2)", asked or text),
            dict(self.moved),
            frozenset() if self.shadowed else frozenset(self.known),
            frozenset(self.used),
        )

    # --- Queries

    def whole_select(self) -> str:
        return self.with_ctes(lambda scope: self.query(2, scope)[0], top=True)

    def with_ctes(self, inner: object, top: bool = False) -> str:
        before = dict(self.ctes)
        heads = []
        recursive = False
        for _ in range(self.random.choice([0, 0, 1, 1, 2]) if top else 0):
            name = self.fresh()
            # It may hide a table from what the grammar thinks reads it: then only the oracle is asked.
            self.shadowed |= not name.startswith("t")
            if self.chance(0.25):
                recursive = True
                self.use("recursive CTE")
                column = self.pick(["n", "k", "phone"])
                source = self.pick(TABLES).name
                heads.append(
                    f"{name} ({column}) AS (SELECT {self.int_(1, [])} UNION ALL SELECT {name}.{column} + 1 FROM {name} "
                    f"WHERE {name}.{column} < (SELECT count(*) FROM {source}))"
                )
                self.ctes[name] = [Column(column, "int", "")]
                continue
            self.use("CTE")
            text, columns = self.query(1, [])
            if self.chance(0.3):
                self.use("CTE columns")
                columns = [Column(f"c{i}", c.kind, c.tag) for i, c in enumerate(columns)]
                heads.append(f"{name} ({', '.join(c.name for c in columns)}) AS ({text})")
            else:
                hint = self.pick(["", "", "", " MATERIALIZED", " NOT MATERIALIZED"])
                heads.append(f"{name} AS{hint} ({text})")
            self.ctes[name] = columns
        body = inner([])  # type: ignore[operator]
        self.ctes = before
        if not heads:
            return body
        return f"WITH {'RECURSIVE ' if recursive else ''}{', '.join(heads)} {body}"

    def query(
        self, depth: int, outer: Sequence[Source], kinds: Sequence[str] | None = None
    ) -> tuple[str, list[Column]]:
        """A SELECT, set operation, VALUES or TABLE, and the columns that come out."""
        if kinds is None:
            kinds = [self.pick(["int", "text"]) for _ in range(self.random.randint(1, 3))]
        if depth and self.chance(0.2):
            op = self.pick(["UNION", "UNION ALL", "INTERSECT", "EXCEPT"])
            self.use(op)
            left, columns = self.select(depth - 1, outer, kinds, bare=True)
            right, others = self.select(depth - 1, outer, kinds, bare=True)
            text = f"{left} {op} {right}"
            if self.chance(0.3):
                self.use("ORDER BY of a set operation")
                text += f" ORDER BY {self.pick(['1', columns[0].name])}"
            return text, [Column(a.name, a.kind, a.tag or b.tag) for a, b in zip(columns, others, strict=True)]
        if depth and self.chance(0.05):
            self.use("VALUES")
            row = ", ".join(self.expression(kind, 1, outer) for kind in kinds)
            return f"VALUES ({row})", [Column(f"column{i + 1}", kind, "") for i, kind in enumerate(kinds)]
        if self.pg and depth and self.chance(0.03) and not outer:
            self.use("TABLE")
            table = self.pick(TABLES)
            return f"TABLE {table.name}", [Column(n, k, self.tag(table.name, n)) for n, k in table.columns.items()]
        return self.select(depth, outer, kinds)

    def select(
        self, depth: int, outer: Sequence[Source], kinds: Sequence[str], bare: bool = False
    ) -> tuple[str, list[Column]]:
        froms, sources = self.from_(depth)
        scope = [*sources, *outer]
        head = "SELECT "
        grouped = self.chance(0.15)
        group: list[str] = []
        if grouped:
            self.use("GROUP BY")
            group = [self.reference(sources, kind) for kind in dict.fromkeys(kinds)]
            of = dict(zip(dict.fromkeys(kinds), group, strict=True))
            items = [(of[k] if self.chance(0.6) else self.aggregate(k, depth, scope), Column("", k, "")) for k in kinds]
        else:
            items = [self.item(scope, kind, depth) for kind in kinds]
            if self.chance(0.06) and not bare:
                self.use("star")
                star = self.pick(sources)
                return f"SELECT {self.pick([star.alias + '.', ''])}* FROM {froms}" + self.where(depth, scope), [
                    Column(c.name, c.kind, c.tag) for s in sources for c in s.columns
                ]
        texts, columns = [], []
        for text, column in items:
            name = column.name
            if not name or self.chance(0.35):
                self.use("alias")
                name = self.pick(["x", "y", "z", "label", "phone", "email", "id"]) if self.odd() else self.fresh("col")
                text = f"{text} {self.pick(['AS ', '' if self.pg else 'AS '])}{name}"
            texts.append(text)
            columns.append(Column(name, column.kind, column.tag))
        if not grouped and self.chance(0.1):
            self.use("DISTINCT")
            head += "DISTINCT "
            if self.pg and self.chance(0.5):
                self.use("DISTINCT ON")
                head += f"ON ({self.reference(scope)}) "
        text = head + ", ".join(texts) + " FROM " + froms + self.where(depth, scope)
        if grouped:
            wrap = self.pick(["{}", "ROLLUP ({})", "CUBE ({})", "GROUPING SETS (({}), ())"]) if self.pg else "{}"
            text += " GROUP BY " + wrap.format(", ".join(group))
            if self.chance(0.4):
                self.use("HAVING")
                text += f" HAVING {self.aggregate('int', depth, scope)} > 0"
        if not bare and not grouped and self.chance(0.08):
            self.use("WINDOW")
            text += f" WINDOW w AS (PARTITION BY {self.reference(scope)})"
        if not bare:
            text += self.tail(scope, columns, grouped or "DISTINCT" in head, depth)
        return text, columns

    def tail(self, scope: Sequence[Source], columns: Sequence[Column], strict: bool, depth: int) -> str:
        text = ""
        if self.chance(0.3):
            self.use("ORDER BY")
            form = self.pick(["1", columns[0].name, *([] if strict else ["column", "expression"] * 2)])
            if not strict and form == "column":
                form = self.reference(scope)
            by = self.int_(depth, scope) if form == "expression" else form
            text += f" ORDER BY {by}{self.pick(['', ' DESC', ' NULLS LAST'])}"
        if self.chance(0.15):
            self.use("LIMIT")
            queries = ["(SELECT count(*) FROM note)", "(SELECT max(score) FROM account)"]
            text += f" LIMIT {self.pick(['5', *queries] if self.rich() else ['5'])}"
            if self.chance(0.4):
                text += " OFFSET 1"
        if self.pg and not strict and self.chance(0.05):
            self.use("FOR UPDATE")
            text += self.pick([" FOR UPDATE", " FOR SHARE SKIP LOCKED"])
        return text

    # --- What an entity load looks like: positions that stay in their boxes

    def moving(self) -> str:
        self.use("moved")
        table = self.pick([t for t in TABLES if any(self.tag(t.name, c) for c in t.columns)])
        alias = self.pick([table.name, self.fresh()])
        name = self.pick([c for c in table.columns if self.tag(table.name, c)])
        kind, key = table.columns[name], f"{table.name}.{name}"
        source = Source(alias, [Column(n, k, self.tag(table.name, n)) for n, k in table.columns.items()])
        label = f"{table.name}_{name}"
        policy = POLICIES[key]
        self.moved = {1: policy}
        mark = f"\x01{alias}.{name}\x02{kind}\x03"
        of = table.name if alias == table.name else f"{table.name} AS {alias}"
        where = self.where(1, [source])
        form = self.pick(
            ["plain", "plain", "union all", "union", "distinct", "order", "group", "derived", "cte", "joined"]
        )
        self.use(f"moved, {form}")
        first = f"{alias}.id AS {table.name}_id"
        if form == "union all":
            branch = f"SELECT {first}, {mark} AS {label} FROM {of}"
            return f"{branch}{where} UNION ALL {branch}{self.where(1, [source])}"
        if form in ("union", "distinct", "order", "group"):
            self.known.add(key)
            branch = f"SELECT {first}, {mark} AS {label} FROM {of}"
            if form == "union":
                return f"{branch}{where} {self.pick(['UNION', 'INTERSECT', 'EXCEPT'])} {branch}"
            if form == "distinct":
                return branch.replace("SELECT", "SELECT DISTINCT", 1) + where
            by = self.pick(["2", label, f"{alias}.{name}"])
            return branch + where + (f" ORDER BY {by}" if form == "order" else f" GROUP BY {alias}.id, {by}")
        if form in ("derived", "cte"):
            inner = f"SELECT {first}, {mark} AS {label} FROM {of}{where}"
            outside = self.pick(["", "", f" WHERE {table.name}_id > 3", f" ORDER BY {table.name}_id"])
            if self.chance(0.3):
                self.known.add(key)
                outside = self.pick(
                    [f" WHERE anon.{label} IS NOT NULL", f" ORDER BY {label}", f" ORDER BY anon.{label}", " ORDER BY 2"]
                )
            items = f"anon.{table.name}_id, \x01anon.{label}\x02{kind}\x03"
            if form == "cte":
                return f"WITH anon AS ({inner} LIMIT 5) SELECT {items} FROM anon{outside}"
            return f"SELECT {items} FROM ({inner} LIMIT 5) AS anon{outside}"
        if form == "joined":
            more, other = self.from_part(1)
            if other.alias == alias:
                more, other = "note AS other", Source("other", [Column("id", "int"), Column("body", "text")], "note")
            on = self.bool_(1, [source, other])
            return f"SELECT {first}, {mark} AS {label} FROM {of} LEFT JOIN {more} ON {on}"
        tail = self.pick(["", " LIMIT 3", " ORDER BY " + alias + ".id"])
        return f"SELECT {first}, {mark} AS {label} FROM {of}{where}{tail}"

    # --- What changes data

    def target(self) -> tuple[object, Source]:
        table = self.pick(TABLES)
        alias = table.name if self.chance(0.6) else self.fresh()
        columns = [Column(n, k, self.tag(table.name, n)) for n, k in table.columns.items()]
        return table, Source(alias, columns, table.name)

    def insert(self) -> str | tuple[str, str]:
        self.use("INSERT")
        table = self.pick(TABLES)
        own = Source(table.name, [Column(n, k, self.tag(table.name, n)) for n, k in table.columns.items()])
        names = ["id", *self.random.sample([n for n in table.columns if n != "id"], self.random.randint(1, 2))]
        kinds = [table.columns[n] for n in names]
        text = f"INSERT INTO {table.name} ({', '.join(names)}) "
        if self.chance(0.45):
            self.use("INSERT FROM SELECT")
            body = self.select(1, [], kinds)[0]
            text += body if " WHERE " in body else f"SELECT * FROM ({body}) AS s WHERE 1 = 1"
        else:
            text += "VALUES (" + ", ".join(self.expression(k, 1, []) for k in kinds) + ")"
        asked = text
        if self.chance(0.5):
            self.use("ON CONFLICT")
            column = self.pick(table.unique)
            key = f"{table.name}.{column}"
            if key in POLICIES:
                self.known.add(key)
            clause = f" ON CONFLICT ({column}) DO "
            if self.chance(0.3):
                clause += "NOTHING"
                text, asked = text + clause, asked + clause
            else:
                name = self.pick([n for n in table.columns if n != "id"])
                excluded = f"excluded.{name}"
                where = f" WHERE {self.bool_(1, [own])}" if self.chance(0.4) else ""
                if self.chance(0.5):
                    self.use("SET x = excluded.x")
                    text += f"{clause}UPDATE SET {name} = {excluded}{where}"
                    asked += f"{clause}UPDATE SET {name} = NULL{where}"
                else:
                    self.use("ON CONFLICT expression")
                    value = f"coalesce({excluded}, {table.name}.{name})"
                    if self.chance(0.5):
                        value = self.expression(table.columns[name], 1, [own])
                    if "excluded" in value and f"{table.name}.{name}" in POLICIES:
                        self.known.add(f"{table.name}.{name}")
                    text += f"{clause}UPDATE SET {name} = {value}{where}"
                    asked += f"{clause}UPDATE SET {name} = {value}{where}"
        returning = self.returning([own])
        return text + returning, asked + returning

    def returning(self, scope: Sequence[Source]) -> str:
        if not self.chance(0.4):
            return ""
        self.use("RETURNING")
        if self.chance(0.15):
            self.use("RETURNING *")
            return " RETURNING *"
        return " RETURNING " + (self.reference(scope[:1]) if self.chance(0.5) else self.text_(1, scope[:1]))

    def update(self) -> str | tuple[str, str]:
        self.use("UPDATE")
        table, own = self.target()
        of = own.table if own.alias == own.table else f"{own.table} AS {own.alias}"
        name = self.pick([n for n in table.columns if n != "id"])  # type: ignore[attr-defined]
        scope, more = [own], ""
        if self.chance(0.4):
            self.use("UPDATE FROM")
            froms, sources = self.from_(1)
            scope, more = [own, *sources], f" FROM {froms}"
        value = self.expression(table.columns[name], 1, scope)  # type: ignore[attr-defined]
        sets = f"{name} = {value}"
        if self.chance(0.1):
            self.use("row SET")
            sets = f"({name}) = (SELECT {value})" if not self.pg else f"({name}, id) = (SELECT {value}, 1)"
        where, returning = self.where(1, scope), self.returning(scope)
        text = f"UPDATE {of} SET {sets}{more}{where}{returning}"
        if self.pg or len(scope) < 3:
            return text
        # SQLite makes SELECT * of a join here, and tells its authorizer of every column.
        shown = returning.replace(" RETURNING *", f", {own.alias}.*").replace(" RETURNING ", ", ")
        return text, f"SELECT {value}{shown} FROM {of},{more.removeprefix(' FROM')}{where}"

    def delete(self) -> str:
        self.use("DELETE")
        _, own = self.target()
        of = own.table if own.alias == own.table else f"{own.table} AS {own.alias}"
        scope, more = [own], ""
        if self.pg and self.chance(0.4):
            self.use("DELETE USING")
            froms, sources = self.from_(1)
            scope, more = [own, *sources], f" USING {froms}"
        return f"DELETE FROM {of}{more}{self.where(1, scope)}{self.returning(scope)}"

    def merge(self) -> str:
        self.use("MERGE")
        table, own = self.target()
        of = own.table if own.alias == own.table else f"{own.table} AS {own.alias}"
        text, columns = self.select(1, [], ["int", "text"], bare=True)
        source = Source("src", [Column(f"c{i}", c.kind, c.tag) for i, c in enumerate(columns)])
        names = ", ".join(c.name for c in source.columns)
        name = self.pick([n for n in table.columns if n != "id"])  # type: ignore[attr-defined]
        value = self.expression(table.columns[name], 1, [own, source])  # type: ignore[attr-defined]
        return (
            f"MERGE INTO {of} USING ({text}) AS src ({names}) ON {own.alias}.id = src.c0 "
            f"WHEN MATCHED AND {self.bool_(1, [own, source])} THEN UPDATE SET {name} = {value} "
            f"WHEN NOT MATCHED THEN INSERT (id) VALUES (src.c0)"
        )

    def copying(self) -> tuple[str, str]:
        self.use("COPY")
        if self.chance(0.5):
            text = self.query(1, [])[0]
            return f"COPY ({text}) TO STDOUT", text
        table = self.pick(TABLES)
        if self.chance(0.3):
            return f"COPY {table.name} TO STDOUT", f"SELECT * FROM {table.name}"
        names = ", ".join(self.random.sample(list(table.columns), 2))
        return f"COPY {table.name} ({names}) TO STDOUT", f"SELECT {names} FROM {table.name}"

    def defining(self) -> str | tuple[str, str]:
        text = self.query(1, [])[0]
        kind = self.pick(["view", "table", "explain", *(["cursor"] if self.pg else [])])
        self.use(f"a query in a statement: {kind}")
        if kind == "explain":
            return f"EXPLAIN {text}", text
        if kind == "cursor":
            return f"DECLARE c CURSOR FOR {text}", text
        return f"CREATE {kind.upper()} made_here AS {text}", text

    def where(self, depth: int, scope: Sequence[Source]) -> str:
        if not self.chance(0.6):
            return ""
        self.use("WHERE")
        return f" WHERE {self.bool_(depth, scope)}"
