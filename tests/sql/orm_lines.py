# ruff: noqa: E501  # a line to a statement, so that this can be read as a table
"""Statements of the ORM and of Core that use tagged columns, or copy them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    String,
    and_,
    bindparam,
    case,
    cast,
    column,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
    table,
    text,
    tuple_,
    union,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import (
    Bundle,
    aliased,
    contains_eager,
    joinedload,
    selectinload,
    with_expression,
    with_loader_criteria,
    with_polymorphic,
)
from sqlalchemy.sql.expression import ColumnElement

from .lines import BOTH, LITE, PG, Line, Lines, Verdict, lines, loaded, models, ran, rows, step
from .models import Account, Device, Employee, Measured, Note, Subject, audience, plain

__all__ = ["ORM"]

A, D = Account, Device
T: Any = Account.__table__
B = aliased(Account)
_HANDLES, _PHONES = ["ada", "bob"], ["+1555", "+1777"]


class _Hidden(ColumnElement[str]):
    """A construct of somebody's, whose SQL no visitor sees."""

    inherit_cache = True
    type = String()


@compiles(_Hidden)
def _hidden(element: _Hidden, compiler: Any, **options: Any) -> str:
    return "account.phone"


def _distinct_on(one: Any) -> Any:
    made: Any = getattr(postgresql, "distinct_on", None)  # from SQLAlchemy 2.1 on, which warns of the other
    return select(A).ext(made(one)) if made is not None else select(A).distinct(one)


_ORDERED = select(A).order_by(A.id)
_MODELS = [["pixel"], ["iphone"]]
_X = select(A.phone.label("x")).cte("x")
_R = select(A.id.label("n"), A.phone.label("p")).where(A.id == 1).cte("r", recursive=True)
_R = _R.union_all(select(_R.c.n + 1, _R.c.p).where(_R.c.n < 2))
_S = select(A.id, A.phone.label("hidden")).subquery()
_LAT = select(A.phone.label("p")).where(A.id == D.account_id).lateral()

_USES: Lines = [
    ("select a column", rows(select(A.phone).order_by(A.id)), _PHONES, BOTH),
    ("select a Core column", rows(select(T.c.phone).order_by(T.c.id)), _PHONES, BOTH),
    ("session.query of a column", step(lambda s: [r[0] for r in s.query(A.phone).order_by(A.id)]), _PHONES, BOTH),
    ("a label", rows(select(A.phone.label("x")).order_by(A.id)), _PHONES, BOTH),
    ("a Core table, whole", rows(select(T.c.handle, T.c.phone).order_by(T.c.id)), _HANDLES, BOTH),
    ("a bundle", step(lambda s: [b.phone for (b,) in s.execute(select(Bundle("b", A.phone)).order_by(A.id))]), _PHONES, BOTH),
    ("an aliased column", rows(select(B.phone).order_by(B.id)), _PHONES, BOTH),
    ("where", rows(select(A.handle).where(A.phone == "+1555")), ["ada"], BOTH),
    ("filter_by", step(lambda s: [a.handle for a in s.query(A).filter_by(phone="+1555")]), ["ada"], BOTH),
    ("an entity by where", loaded(select(A).where(A.phone.in_(["+1777"]))), ["bob"], BOTH),
    ("where is null", rows(select(A.handle).where(A.email.is_(None))), [], BOTH),
    ("where like", rows(select(A.handle).where(A.phone.startswith("+15"))), ["ada"], BOTH),
    ("where between", rows(select(A.handle).where(A.phone.between("+1", "+16"))), ["ada"], BOTH),
    ("where tuple", rows(select(A.handle).where(tuple_(A.phone, A.id).in_([("+1555", 1)]))), ["ada"], BOTH),
    ("a bindparam", step(lambda s: list(s.scalars(select(A.handle).where(A.phone == bindparam("p")), {"p": "+1555"}))), ["ada"], BOTH),
    ("order by", loaded(select(A).order_by(A.phone.desc())), ["bob", "ada"], BOTH),
    ("order by a label", rows(select(A.phone.label("q")).order_by("q")), _PHONES, BOTH),
    ("group by", rows(select(func.count()).select_from(A).group_by(A.phone)), [1, 1], BOTH),
    ("having", rows(select(func.count()).select_from(A).having(func.max(A.phone) > "+")), [2], BOTH),
    ("distinct", rows(select(A.phone).distinct().order_by(A.phone)), _PHONES, BOTH),
    ("distinct on", loaded(_distinct_on(A.phone).order_by(A.phone)), _HANDLES, PG),
    ("union", rows(union(select(A.phone), select(A.phone)).order_by("phone")), _PHONES, BOTH),
    ("union all", rows(union_all(select(A.phone), select(A.phone).where(A.id == 9)).order_by("phone")), _PHONES, BOTH),
    ("upper", rows(select(func.upper(A.phone)).order_by(A.id)), _PHONES, BOTH),
    ("count", rows(select(func.count(A.phone))), [2], BOTH),
    ("count distinct", rows(select(func.count(A.phone.distinct()))), [2], BOTH),
    ("filter of an aggregate", rows(select(func.count(A.id).filter(A.phone > "+16"))), [1], BOTH),
    ("concatenation", rows(select(A.phone + "x").order_by(A.id)), ["+1555x", "+1777x"], BOTH),
    ("cast", rows(select(cast(A.phone, String)).order_by(A.id)), _PHONES, BOTH),
    ("case", rows(select(case((A.phone > "+16", 1), else_=0)).order_by(A.id)), [0, 1], BOTH),
    ("a window", rows(select(func.row_number().over(order_by=A.phone)).order_by(A.id)), [1, 2], BOTH),
    ("a partition", rows(select(func.count().over(partition_by=A.phone)).select_from(A)), [1, 1], BOTH),
    ("a CTE", rows(select(_X.c.x).order_by(_X.c.x)), _PHONES, BOTH),
    ("a recursive CTE", rows(select(_R.c.n).order_by(_R.c.n)), [1, 2], BOTH),
    ("a subquery", rows(select(_S.c.hidden).order_by(_S.c.id)), _PHONES, BOTH),
    ("where of a subquery", rows(select(_S.c.id).where(_S.c.hidden == "+1555")), [1], BOTH),
    ("a scalar subquery", rows(select(select(A.phone).where(A.id == 1).scalar_subquery())), ["+1555"], BOTH),
    ("lateral", rows(select(_LAT.c.p).select_from(D).join(_LAT, text("true")).order_by(D.id)), _PHONES, PG),
    ("in a subquery", rows(select(A.handle).where(A.phone.in_(select(B.phone).where(B.id == 1)))), ["ada"], BOTH),
    ("exists", rows(select(D.model).where(exists().where(A.id == D.account_id, A.phone == "+1555"))), ["pixel"], BOTH),
    ("has", loaded(select(D).where(D.account.has(A.phone == "+1555")), lambda d: d.model), ["pixel"], BOTH),
    ("any of a collection", loaded(select(A).where(A.devices.any(D.serial == "s1"))), ["ada"], BOTH),
    ("an association proxy", loaded(select(A).where(A.serials.contains("s1"))), ["ada"], BOTH),
    ("an association proxy, ==", loaded(select(A).where(A.serials == "s2")), ["bob"], BOTH),
    ("a join's ON", rows(select(A.handle).join(B, A.phone == B.phone).order_by(A.id)), _HANDLES, BOTH),
    ("an outer join's ON", rows(select(D.model).outerjoin(A, A.phone == D.serial).order_by(D.id)), ["pixel", "iphone"], BOTH),
    ("and_ in of_type", loaded(select(A).join(A.devices.and_(D.serial == "s1"))), ["ada"], BOTH),
    ("a hybrid", rows(select(A.area).order_by(A.id)), ["+1", "+1"], BOTH),
    ("where of a hybrid", loaded(select(A).where(A.area == "+1").order_by(A.id)), _HANDLES, BOTH),
    ("a column_property", rows(select(Measured.phone_length).order_by(Measured.id)), [5, 5], BOTH),
    ("an entity with a column_property", loaded(select(Measured).order_by(Measured.id)), _HANDLES, BOTH),
    ("with_expression", loaded(_ORDERED.options(with_expression(A.extra, func.upper(A.phone)))), _HANDLES, BOTH),
    # It comes back sealed, as a column of the entity does: to have it is free, to read it is a use.
    ("with_expression, bare", step(lambda s: [a.extra for a in s.scalars(_ORDERED.options(with_expression(A.extra, A.phone)))]), _PHONES, BOTH),
    ("with_loader_criteria", loaded(_ORDERED.options(with_loader_criteria(A, A.phone == "+1555"))), ["ada"], BOTH),
    ("criteria of a loader", loaded(_ORDERED.options(joinedload(A.devices.and_(D.serial == "s1"))), models), [["pixel"], []], BOTH),
    ("criteria of selectinload", loaded(_ORDERED.options(selectinload(A.devices.and_(D.serial == "s1"))), models), [["pixel"], []], BOTH),
    ("contains_eager with a tagged ON", loaded(select(A).join(D, and_(D.account_id == A.id, D.serial == "s1")).options(contains_eager(A.devices)), models), [["pixel"]], BOTH),
    ("text in where", rows(select(A.handle).where(text("account.phone = '+1555'"))), ["ada"], BOTH),
    ("text in order_by", rows(select(A.handle).order_by(text("phone desc"))), ["bob", "ada"], BOTH),
    ("literal_column", rows(select(literal_column("phone")).select_from(A).order_by(A.id)), _PHONES, BOTH),
    ("a lightweight table", rows(select(column("phone")).select_from(table("account")).order_by(column("id"))), _PHONES, BOTH),
    ("a prefix", rows(select(A.handle).prefix_with("phone,").order_by(A.id)), _HANDLES, BOTH),
    ("a suffix", rows(select(A.handle).suffix_with("ORDER BY phone DESC")), ["bob", "ada"], BOTH),
    (".op()", rows(select(A.handle).where(A.handle.op("< phone AND handle =")("ada"))), [], BOTH),
    ("bool_op", rows(select(A.handle).where(A.id.bool_op("= 1 AND phone <> 'x' AND 1 =")(1))), ["ada"], BOTH),
    ("@compiles", rows(select(_Hidden()).select_from(A).order_by(A.id)), _PHONES, BOTH),
    ("text columns", rows(text("SELECT phone FROM account ORDER BY id").columns(A.phone)), _PHONES, BOTH),
    ("update where", ran(update(A).where(A.phone == "+1555").values(state="x")), None, BOTH),
    ("update of itself", ran(update(A).values(phone=A.phone + "0").execution_options(synchronize_session=False)), None, BOTH),
    ("update to a narrower policy", ran(update(A).values(phone=A.email).execution_options(synchronize_session=False)), None, BOTH),
    ("update returning", rows(update(T).values(state="x").returning(T.c.phone)), _PHONES, BOTH),
    ("update from", ran(update(T).values(state="x").where(T.c.phone == D.serial)), None, BOTH),
    ("delete where", ran(delete(Note).where(Note.account_id.in_(select(A.id).where(A.phone == "+1555")))), None, BOTH),
    ("delete returning", rows(delete(D).where(D.id == 1).returning(D.serial)), ["s1"], BOTH),
    ("insert returning", rows(insert(T).values(id=9, handle="z", phone="z").returning(T.c.phone)), ["z"], BOTH),
    ("insert from select", ran(insert(T).from_select(["id", "handle", "phone"], select(A.id + 10, A.handle + "x", A.phone + "x"))), None, BOTH),
    ("on conflict, SQLite", ran(sqlite.insert(T).values(id=9, handle="z", phone="z").on_conflict_do_nothing(index_elements=[T.c.phone])), None, LITE),
    ("on conflict, PostgreSQL", ran(postgresql.insert(T).values(id=9, handle="z", phone="z").on_conflict_do_nothing(index_elements=["phone"])), None, PG),
    ("on conflict where", ran(postgresql.insert(T).values(id=1, handle="z", phone="z").on_conflict_do_update(index_elements=["id"], set_={"state": "x"}, where=T.c.phone == "z")), None, PG),
    ("polymorphic where", loaded(select(Employee).where(Employee.salary > 5), lambda e: e.kind), ["employee"], BOTH),
    ("a column of a subclass", rows(select(Employee.salary)), [10], BOTH),
    ("with_polymorphic where", loaded(select(w := with_polymorphic(Subject, "*")).where(w.Employee.salary > 5), lambda e: e.kind), ["employee"], BOTH),
    ("attribute of an entity", step(lambda s: [a.phone for a in s.scalars(_ORDERED)]), _PHONES, BOTH),
    ("attribute through a proxy", step(lambda s: [list(a.serials) for a in s.scalars(_ORDERED)]), [["s1"], ["s2"]], BOTH),
    ("hybrid of an entity", step(lambda s: [a.area for a in s.scalars(_ORDERED)]), ["+1", "+1"], BOTH),
]  # fmt: skip

_COPIES: Lines = [
    ("insert from select, other policy", ran(insert(audience).from_select(["id", "phone"], select(A.id + 10, A.phone))), None, BOTH),
    ("insert from select, untagged", ran(insert(plain).from_select(["id", "words"], select(A.id + 10, A.phone))), None, BOTH),
    ("insert from select of a function", ran(insert(plain).from_select(["id", "n"], select(A.id + 10, func.length(A.phone)))), None, BOTH),
    ("update, untagged", ran(update(T).values(bio=T.c.phone)), None, BOTH),
    ("update from, untagged", ran(update(plain).values(words=A.phone).where(A.id == plain.c.id)), None, BOTH),
    ("update to a subquery", ran(update(plain).values(words=select(A.phone).where(A.id == 1).scalar_subquery())), None, BOTH),
    ("insert of a subquery", ran(insert(plain).values(id=9, words=select(A.phone).where(A.id == 1).scalar_subquery())), None, BOTH),
    ("ORM update to a wider policy", ran(update(A).values(email=A.phone).execution_options(synchronize_session=False)), None, BOTH),
]  # fmt: skip

ORM: list[Line] = [*lines(Verdict.USE, _USES), *lines(Verdict.COPY, _COPIES)]
