# ruff: noqa: E501  # a line to a statement, so that this can be read as a table
"""More roads of SQLAlchemy's: texts that pass every visitor, types that claim, the Query API, loading under another name."""

from __future__ import annotations

from typing import Any

from purposes import ADVERTISING, SECURITY, TWO_FACTOR
from sqlalchemy import (
    String,
    any_,
    cast,
    column,
    delete,
    exists,
    false,
    func,
    insert,
    intersect,
    literal_column,
    select,
    table,
    text,
    type_coerce,
    union,
    update,
    values,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import aggregate_order_by, array
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import (
    Bundle,
    Session,
    aliased,
    joinedload,
    load_only,
    selectinload,
    subqueryload,
    with_expression,
    with_loader_criteria,
    with_polymorphic,
)
from sqlalchemy.sql.expression import ColumnElement
from sqlalchemy.sql.functions import GenericFunction

from .lines import ANY, BOTH, LITE, PG, Line, Lines, Run, Verdict, lines, loaded, models, ran, rows, step
from .models import Account, Customer, Device, Employee, Measured, Subject, audience, plain

__all__ = ["ROAD_USES"]

A, D = Account, Device
T: Any = Account.__table__
B = aliased(A)
_HANDLES, _PHONES = ["ada", "bob"], ["+1555", "+1777"]
_ORDERED = select(A).order_by(A.id)
_SEALED: Any = T.c.phone.type


class _Loud(GenericFunction[Any]):
    """A function of somebody's that writes something else."""

    inherit_cache = True
    name = "loud"


@compiles(_Loud)
def _loud(element: Any, compiler: Any, **options: Any) -> str:
    return "(SELECT max(phone) FROM account)"


class _Claims(ColumnElement[str]):
    """A construct of somebody's that calls itself sealed."""

    inherit_cache = True
    type = _SEALED


@compiles(_Claims)
def _claims(element: Any, compiler: Any, **options: Any) -> str:
    return "upper(account.phone)"


def firsts(run: Run) -> Run:
    return lambda s: [row[0] for row in run(s)]


def cached(cache: dict[Any, Any] | None, run: Run) -> Run:
    def twice(s: Session) -> Any:
        s.connection().execution_options(compiled_cache=cache)
        run(s)
        return run(s)

    return twice


def handles(run: Run) -> Run:
    return lambda s: sorted(entity.handle for entity in run(s))


_X = select(A.id.label("n"), A.phone.label("x")).cte("x")
_SUB = select(A).subquery()
_OF_X: Any = aliased(A, select(A).cte("x"))
_TEXT = text("SELECT id, phone AS q FROM account").columns(column("id"), column("q", String)).subquery("t")
_SAMPLE = aliased(A, T.tablesample(func.bernoulli(text("100")), name="sample"))
_Z = {"id": 9, "handle": "z", "phone": "z"}
_ONE = {"id": 1, "handle": "ada", "phone": "+1555"}
_RECURSIVE = select(A.id.label("n")).where(A.phone == "+1555").cte("r", recursive=True)
_RECURSIVE = _RECURSIVE.union_all(select(_RECURSIVE.c.n + 1).where(_RECURSIVE.c.n < 2))
_UNNESTED = func.unnest(select(func.array_agg(A.phone)).scalar_subquery()).table_valued("v").render_derived()
_EACH = func.json_each(select(func.json_group_array(A.phone)).scalar_subquery()).table_valued("value")
_POLY: Any = with_polymorphic(Subject, [Employee, Customer], flat=True)


def _flushed(s: Session, value: Any) -> str:
    account = s.get(A, 1)
    assert account is not None
    account.phone = value
    s.flush()
    return account.handle


_USES: Lines = [
    # Texts that no visitor sees.
    ("a hint at the end", rows(select(A.handle).with_statement_hint("ORDER BY phone DESC")), ["bob", "ada"], BOTH),
    ("a prefix that says DISTINCT", loaded(_ORDERED.prefix_with("DISTINCT")), _HANDLES, BOTH),
    ("a suffix that says WHERE", rows(select(A.handle).select_from(A).suffix_with("WHERE phone = '+1555'")), ["ada"], BOTH),
    ("a suffix that says UNION", loaded(select(A).suffix_with("UNION SELECT 9, 'x', 'y', 'z', 'w' WHERE 1 = 0")), ANY, BOTH),
    ("a text in the select list", rows(select(text("phone")).select_from(A).order_by(A.id)), _PHONES, BOTH),
    ("a text with columns, in FROM", rows(select(_TEXT.c.q).order_by(_TEXT.c.id)), _PHONES, BOTH),
    ("a text in GROUP BY", rows(select(func.count()).select_from(A).group_by(text("phone"))), [1, 1], BOTH),
    ("a text in HAVING", rows(select(func.count()).select_from(A).having(text("max(phone) > '+'"))), [2], BOTH),
    ("a text in ON", rows(select(D.model).join(A, text("account.phone = '+1555' AND account.id = device.id"))), ["pixel"], BOTH),
    ("a position in ORDER BY", loaded(select(A).order_by(text("3 DESC"))), ["bob", "ada"], BOTH),
    ("a position in GROUP BY", rows(select(A.phone).group_by(text("1")).order_by(text("1"))), _PHONES, BOTH),
    ("a literal column in ORDER BY", loaded(select(A).order_by(literal_column("phone").desc())), ["bob", "ada"], BOTH),
    ("a literal column that is a query", rows(select(literal_column("(SELECT max(phone) FROM account)"))), ["+1777"], BOTH),
    ("a table by name, with a query in it", rows(select(literal_column("phone")).select_from(text("account ORDER BY id"))), _PHONES, BOTH),
    ("an operator with a query in it", rows(select(A.handle).where(A.id.op("= (SELECT min(id) FROM account WHERE phone = '+1777') AND 1 =")(1))), ["bob"], BOTH),
    ("a function compiled to something else", rows(select(func.loud())), ["+1777"], BOTH),
    # Types that claim to come back sealed.
    ("type_coerce to plain", rows(select(type_coerce(A.phone, String)).order_by(A.id)), _PHONES, BOTH),
    ("type_coerce to sealed", rows(select(type_coerce(func.upper(A.phone), _SEALED)).order_by(A.id)), _PHONES, BOTH),
    ("cast to sealed", rows(select(cast(A.phone, _SEALED)).order_by(A.id)), _PHONES, BOTH),
    ("a literal column of a sealed type", rows(select(literal_column("phone", _SEALED)).select_from(A).order_by(A.id)), _PHONES, BOTH),
    ("a column by name of a sealed type", rows(select(column("phone", _SEALED)).select_from(table("account")).order_by(column("id"))), _PHONES, BOTH),
    ("a function of a sealed type", rows(select(func.upper(A.phone, type_=_SEALED)).order_by(A.id)), _PHONES, BOTH),
    ("an operator of a sealed type", rows(select(A.phone.op("||", return_type=_SEALED)("x")).order_by(A.id)), ["+1555x", "+1777x"], BOTH),
    ("a construct that claims to be sealed", rows(select(_Claims()).select_from(A).order_by(A.id)), _PHONES, BOTH),
    ("with_expression that claims to be sealed", loaded(_ORDERED.options(with_expression(A.extra, type_coerce(func.upper(A.phone), _SEALED)))), _HANDLES, BOTH),
    ("a bundle with an entity's column", step(lambda s: [(b.handle, b.phone) for (b,) in s.execute(select(Bundle("b", A.handle, A.phone)).order_by(A.id))]), [("ada", "+1555"), ("bob", "+1777")], BOTH),
    ("an entity and its own column", step(lambda s: [(a.handle, p) for a, p in s.execute(select(A, A.phone).order_by(A.id))]), [("ada", "+1555"), ("bob", "+1777")], BOTH),
    ("a column and its own entity", step(lambda s: [(p, a.handle) for p, a in s.execute(select(A.phone, A).order_by(A.id))]), [("+1555", "ada"), ("+1777", "bob")], BOTH),
    ("a label beside its entity", step(lambda s: [p for _, p in s.execute(select(A, A.phone.label("phone")).order_by(A.id))]), _PHONES, BOTH),
    ("text columns of a sealed type", rows(text("SELECT phone FROM account ORDER BY id").columns(phone=_SEALED)), _PHONES, BOTH),
    ("values beside a column", rows(select(A.handle).join(v := values(column("p", String), name="v").data([("+1555",)]), v.c.p == A.phone)), ["ada"], PG),
    # Queries in queries.
    ("an alias of a CTE", rows(select(_X.alias("y").c.x).order_by("x")), _PHONES, BOTH),
    ("a recursive CTE that starts from it", rows(select(_RECURSIVE.c.n).order_by(_RECURSIVE.c.n)), [1, 2], BOTH),
    ("correlated, in the select list", rows(select(select(B.phone).where(B.id == A.id).correlate(A).scalar_subquery()).select_from(A).order_by(A.id)), _PHONES, BOTH),
    ("correlated, in WHERE", rows(select(D.model).where(select(A.phone).where(A.id == D.account_id).scalar_subquery() == "+1555")), ["pixel"], BOTH),
    ("in ORDER BY", loaded(select(D).order_by(select(A.phone).where(A.id == D.account_id).scalar_subquery().desc()), lambda d: d.model), ["iphone", "pixel"], BOTH),
    ("in IN of keys", loaded(select(A).where(A.id.in_(select(B.id).where(B.phone == "+1555")))), ["ada"], BOTH),
    ("exists of a column", rows(select(exists(select(A.phone).where(A.phone == "+1555")))), [True], BOTH),
    ("union of entities", step(lambda s: sorted(a.handle for a in s.scalars(select(A).from_statement(union(select(A), select(A)))))), _HANDLES, BOTH),
    ("an entity of a union", step(lambda s: sorted(a.handle for a in s.scalars(select(aliased(A, union(select(A), select(A)).subquery()))))), _HANDLES, BOTH),
    ("distinct of entities", loaded(select(A).distinct().order_by(A.id)), _HANDLES, BOTH),
    ("an entity of a subquery that sorts", loaded(select(aliased(A, select(A).order_by(A.phone.desc()).limit(1).subquery()))), ["bob"], BOTH),
    ("an entity of a subquery, filtered", loaded(select(b := aliased(A, _SUB)).where(b.phone == "+1555")), ["ada"], BOTH),
    ("a column of an entity's CTE", rows(select(_OF_X.phone).order_by(_OF_X.id)), _PHONES, BOTH),
    ("intersect of entities", loaded(select(A).from_statement(intersect(select(A), select(A)))), ANY, BOTH),
    ("group by an entity", loaded(select(A).group_by(*T.c).order_by(A.id)), _HANDLES, BOTH),
    ("distinct of a join", loaded(select(A).join(D).distinct().order_by(A.id)), _HANDLES, BOTH),
    ("a window beside an entity", step(lambda s: [n for _, n in s.execute(select(A, func.rank().over(order_by=A.phone)).order_by(A.id))]), [1, 2], BOTH),
    ("an entity of a windowed subquery, by it", loaded(select(aliased(A, select(A, func.row_number().over(order_by=A.phone).label("r")).subquery()))), ANY, BOTH),
    ("where false", rows(select(A.phone).where(false())), [], BOTH),
    ("limit 0", rows(select(A.phone).limit(0)), [], BOTH),
    ("limit by a query", rows(select(A.handle).order_by(A.id).limit(select(func.count()).where(A.phone == "+1555").scalar_subquery())), ["ada"], BOTH),
    ("coalesce", rows(select(func.coalesce(A.email, "none")).order_by(A.id)), ["ada@x", "bob@x"], BOTH),
    ("is distinct from", rows(select(A.handle).where(A.phone.is_distinct_from("+1555"))), ["bob"], BOTH),
    ("a slice of it", rows(select(func.substr(A.phone, 2, 1)).order_by(A.id)), ["1", "1"], BOTH),
    ("collate", rows(select(A.handle).order_by(A.phone.collate("C").desc())), ["bob", "ada"], PG),
    ("regexp", rows(select(A.handle).where(A.phone.regexp_match("15"))), ["ada"], PG),
    ("any_ of an array", rows(select(A.handle).where(A.phone == any_(array(["+1555"])))), ["ada"], PG),
    ("an array of it", rows(select(array([A.phone])).order_by(A.id)), [["+1555"], ["+1777"]], PG),
    ("array_agg", rows(select(func.array_agg(aggregate_order_by(A.phone, A.id)))), [_PHONES], PG),
    ("an aggregate ordered by it", rows(select(func.array_agg(aggregate_order_by(A.handle, A.phone.desc())))), [["bob", "ada"]], PG),
    ("string_agg", rows(select(func.string_agg(A.phone, ",").filter(A.id == 1))), ["+1555"], PG),
    ("percentile", rows(select(func.percentile_disc(0).within_group(A.phone))), ["+1555"], PG),
    ("json_build_object", rows(select(func.json_build_object("p", A.phone)).where(A.id == 1)), [{"p": "+1555"}], PG),
    ("a whole row, as JSON", rows(select(func.row_to_json(T.table_valued())).where(T.c.id == 3)), [], PG),
    ("a whole row, by text", rows(select(func.to_jsonb(text("account"))).select_from(A).where(A.id == 3)), [], PG),
    ("a whole row, as a column", rows(select(literal_column("account")).select_from(A).where(A.id == 3)), [], PG),
    ("unnest", rows(select(_UNNESTED.c.v).order_by(_UNNESTED.c.v)), _PHONES, PG),
    ("a sample", rows(select(_SAMPLE.phone).order_by(_SAMPLE.id)), _PHONES, PG),
    ("ONLY", rows(select(A.phone).with_hint(A, "ONLY", "postgresql").order_by(A.id)), _PHONES, PG),
    ("json_each", rows(select(_EACH.c.value).order_by(_EACH.c.value)), _PHONES, LITE),
    ("group_concat", rows(select(func.group_concat(A.phone)).where(A.id == 1)), ["+1555"], LITE),
    ("typeof", rows(select(func.typeof(A.phone)).where(A.id == 1)), ["text"], LITE),
    ("glob", rows(select(A.handle).where(A.phone.op("GLOB")("+15*"))), ["ada"], LITE),
    # Loading.
    ("a collection sorted by it, lazy", loaded(_ORDERED, lambda a: [d.model for d in a.by_serial]), [["pixel"], ["iphone"]], BOTH),
    ("a collection sorted by it, joined", loaded(_ORDERED.options(joinedload(A.by_serial)), lambda a: [d.model for d in a.by_serial]), [["pixel"], ["iphone"]], BOTH),
    ("a collection sorted by it, selectin", loaded(_ORDERED.options(selectinload(A.by_serial))), _HANDLES, BOTH),
    ("a collection sorted by it, subquery", loaded(_ORDERED.options(subqueryload(A.by_serial))), _HANDLES, BOTH),
    ("criteria of what is loaded lazily", loaded(_ORDERED.options(with_loader_criteria(D, D.serial == "s1")), models), [["pixel"], []], BOTH),
    ("criteria as a lambda", loaded(_ORDERED.options(with_loader_criteria(A, lambda cls: cls.phone == "+1555"))), ["ada"], BOTH),
    ("join and sort", loaded(select(A).join(A.devices).order_by(D.serial.desc())), ["bob", "ada"], BOTH),
    ("subqueryload of what is sorted", loaded(select(A).order_by(A.phone.desc()).limit(1).options(subqueryload(A.devices)), models), [["iphone"]], BOTH),
    ("joinedload of what is sorted", loaded(select(A).order_by(A.phone.desc()).limit(1).options(joinedload(A.devices)), models), [["iphone"]], BOTH),
    ("a polymorphic alias", loaded(select(_POLY).where(_POLY.Customer.card == "c1"), lambda e: e.kind), ["customer"], BOTH),
    ("a polymorphic column", rows(select(_POLY.Employee.salary).where(_POLY.id == 1)), [10], BOTH),
    ("for update of it, by column", loaded(select(A).where(A.phone == "+1555").with_for_update(of=A)), ["ada"], BOTH),
    ("a stream of a column", step(lambda s: [r[0] for r in s.execute(select(A.phone).order_by(A.id).execution_options(stream_results=True))]), _PHONES, BOTH),
    ("yield_per of a column", step(lambda s: list(s.scalars(select(A.phone).order_by(A.id).execution_options(yield_per=1)))), _PHONES, BOTH),
    ("a cache of one's own", cached({}, rows(select(A.phone).order_by(A.id))), _PHONES, BOTH),
    ("no cache", cached(None, rows(select(A.phone).order_by(A.id))), _PHONES, BOTH),
    ("twice, from the cache", step(lambda s: [list(s.scalars(select(A.phone).order_by(A.id))) for _ in "ab"]), [_PHONES, _PHONES], BOTH),
    ("entities, and then the column", step(lambda s: (s.scalars(_ORDERED).all(), list(s.scalars(select(A.phone).order_by(A.id))))[1]), _PHONES, BOTH),
    ("the same text by two roads", step(lambda s: (s.scalars(select(A)).all(), [r[2] for r in s.connection().execute(select(T.c.id, T.c.handle, T.c.phone, T.c.email, T.c.state).order_by(T.c.id))])[1]), _PHONES, BOTH),
    ("a Core row, by name", step(lambda s: [r.phone for r in s.connection().execute(select(T).order_by(T.c.id))]), _PHONES, BOTH),
    ("a Core row, by mapping", step(lambda s: [r["phone"] for r in s.connection().execute(select(T).order_by(T.c.id)).mappings()]), _PHONES, BOTH),
    ("a synonym", rows(select(A.number).order_by(A.id)), _PHONES, BOTH),
    ("where of a synonym", loaded(select(A).where(A.number == "+1555")), ["ada"], BOTH),
    ("a synonym of an entity", loaded(_ORDERED, lambda a: a.number), _PHONES, BOTH),
    ("a deferred column_property", loaded(select(Measured).options(load_only(Measured.handle)).order_by(Measured.id), lambda m: m.shout), _PHONES, BOTH),
    ("an entity of a subquery that computes", loaded(select(aliased(A, select(A.id, A.handle, func.upper(A.phone).label("phone"), A.email, A.state).subquery()))), _HANDLES, BOTH),
    ("an entity of a text", loaded(select(A).from_statement(text("SELECT id, handle, phone, email, state FROM account ORDER BY id"))), _HANDLES, BOTH),
    ("with_expression of a query", loaded(_ORDERED.options(with_expression(A.extra, select(func.max(B.phone)).scalar_subquery()))), _HANDLES, BOTH),
    ("a query for entities, run by Core", step(lambda s: [r.phone.open() for r in s.connection().execute(_ORDERED)]), _PHONES, BOTH),
    # The Query API.
    ("query, filter", handles(lambda s: s.query(A).filter(A.phone == "+1555")), ["ada"], BOTH),
    ("query, filter of a text", handles(lambda s: s.query(A).filter(text("phone = '+1555'"))), ["ada"], BOTH),
    ("query, order_by", handles(lambda s: s.query(A).order_by(A.phone)), _HANDLES, BOTH),
    ("query, group_by", firsts(lambda s: s.query(func.count(A.id)).group_by(A.phone)), [1, 1], BOTH),
    ("query, having", firsts(lambda s: s.query(func.count(A.id)).having(func.min(A.phone) > "+")), [2], BOTH),
    ("query, distinct", handles(lambda s: s.query(A).distinct()), _HANDLES, BOTH),
    ("query, union", handles(lambda s: s.query(A).union(s.query(A))), _HANDLES, BOTH),
    ("query, except_", handles(lambda s: s.query(A).except_(s.query(A).filter(A.id == 1))), ["bob"], BOTH),
    ("query, with_entities", firsts(lambda s: s.query(A).order_by(A.id).with_entities(A.phone)), _PHONES, BOTH),
    ("query, add_columns", step(lambda s: [p for _, p in s.query(A).add_columns(A.phone).order_by(A.id)]), _PHONES, BOTH),
    ("query, values", firsts(lambda s: s.query(A).order_by(A.id).values(A.phone)), _PHONES, BOTH),
    ("query, scalar", step(lambda s: s.query(A.phone).filter(A.id == 1).scalar()), "+1555", BOTH),
    ("query, count of a filter", step(lambda s: s.query(A.id).filter(A.phone == "+1555").count()), 1, BOTH),
    ("query, exists", step(lambda s: s.query(s.query(A).filter(A.phone == "+1555").exists()).scalar()), True, BOTH),
    ("query, join on", handles(lambda s: s.query(A).join(B, A.phone == B.phone)), _HANDLES, BOTH),
    ("query, a subquery", firsts(lambda s: s.query(s.query(A.phone).subquery().c.phone).order_by("phone")), _PHONES, BOTH),
    ("query, update", step(lambda s: s.query(A).filter(A.phone == "+1555").update({"state": "x"})), 1, BOTH),
    ("query, update, not synchronized", step(lambda s: s.query(A).filter(A.phone == "+1555").update({"state": "x"}, synchronize_session=False)), 1, BOTH),
    ("query, delete", step(lambda s: s.query(D).filter(D.serial == "s1").delete()), 1, BOTH),
    ("query, a text", firsts(lambda s: s.query(A.phone).from_statement(text("SELECT phone FROM account ORDER BY id"))), _PHONES, BOTH),
    # Writes.
    ("update by a fetched where", ran(update(A).where(A.phone == "+1555").values(state="x").execution_options(synchronize_session="fetch")), None, BOTH),
    ("update of what is loaded", step(lambda s: (s.scalars(_ORDERED).all(), s.execute(update(A).where(A.phone == "+1555").values(state="x")))[1].rowcount), 1, BOTH),
    ("delete of what is loaded", step(lambda s: (s.scalars(select(D)).all(), s.execute(delete(D).where(D.serial == "s1")))[1].rowcount), 1, BOTH),
    ("ORM update returning a column", rows(update(A).where(A.id == 1).values(state="x").returning(A.phone)), ["+1555"], BOTH),
    ("ORM insert returning a column", step(lambda s: list(s.scalars(insert(A).returning(A.phone), [_Z]))), ["z"], BOTH),
    ("ORM insert returning both", step(lambda s: [p for _, p in s.execute(insert(A).returning(A, A.phone), [_Z])]), ["z"], BOTH),
    ("ORM delete returning a column", rows(delete(D).where(D.id == 1).returning(D.serial)), ["s1"], BOTH),
    ("insert returning a function", rows(insert(T).values(_Z).returning(func.upper(T.c.phone))), ["Z"], BOTH),
    ("upsert by it, SQLite", ran(sqlite.insert(A).values(_Z).on_conflict_do_update(index_elements=[A.phone], set_={"state": "x"})), None, LITE),
    ("upsert by it, PostgreSQL", ran(postgresql.insert(A).values(_Z).on_conflict_do_update(constraint="account_phone_key", set_={"state": "x"})), None, PG),
    ("upsert with what is there, SQLite", ran(sqlite.insert(T).values(_ONE).on_conflict_do_update(index_elements=["id"], set_={"phone": T.c.phone + "x"})), None, LITE),
    ("upsert with what is there, PostgreSQL", ran(postgresql.insert(T).values(_ONE).on_conflict_do_update(index_elements=["id"], set_={"phone": T.c.phone + "x"})), None, PG),
    ("upsert returning a column, PostgreSQL", rows(postgresql.insert(T).values(_Z).on_conflict_do_nothing(index_elements=["id"]).returning(T.c.phone)), ["z"], PG),
    ("insert or ignore", ran(insert(T).prefix_with("OR IGNORE").values({**_Z, "phone": "+1555"})), None, LITE),
    ("update of a query", ran(update(T).where(T.c.id == 1).values(phone=select(func.max(B.phone) + "x").scalar_subquery())), None, BOTH),
    ("insert of a query", ran(insert(T).values(id=9, handle="z", phone=select(A.phone + "x").where(A.id == 1).scalar_subquery())), None, BOTH),
    ("insert of those that match", ran(insert(plain).from_select(["id", "words"], select(A.id + 10, A.handle).where(A.phone == "+1555"))), None, BOTH),
    ("set by a match", ran(update(plain).values(n=1).where(exists().where(A.id == plain.c.id, A.phone == "+1555"))), None, BOTH),
    ("delete by a match", ran(delete(plain).where(select(A.phone).where(A.id == plain.c.id).scalar_subquery() == "+1555")), None, BOTH),
    ("delete using", ran(delete(plain).where(plain.c.id == A.id, A.phone == "+1555")), None, PG),
    ("a value that is an expression", step(lambda s: _flushed(s, A.phone + "0")), "ada", BOTH),
    ("session.scalar", step(lambda s: s.scalar(select(func.max(A.phone)))), "+1777", BOTH),
]  # fmt: skip

# Each has a column that was asked for by itself, and that nobody reads. More than has to be is refused here, as a
# PostgreSQL role without a right to the column is refused it too. Way out: count the table, the keys, or entities.
_STRICT: Lines = [
    ("exists of a column without a clause", rows(select(exists(select(A.phone).where(A.id == 1)))), [True], BOTH),
    ("exists of a table's columns", rows(select(exists(select(A.__table__).where(A.id == 1)))), [True], BOTH),
    ("count of a subquery of columns", rows(select(func.count()).select_from(select(A.id, A.phone).subquery())), [2], BOTH),
]  # fmt: skip

ROAD_USES: list[Line] = [
    *lines(Verdict.USE, _USES),
    *lines(Verdict.USE, _STRICT),
    Line("of another purpose", rows(select(audience.c.phone)), ["+1555"], Verdict.USE, BOTH, ADVERTISING, TWO_FACTOR),
    Line("of the purpose above", rows(select(A.email).order_by(A.id)), ["ada@x", "bob@x"], Verdict.USE, BOTH, SECURITY),
]
