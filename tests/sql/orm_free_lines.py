# ruff: noqa: E501  # a line to a statement, so that this can be read as a table
"""Statements of the ORM and of Core that use nothing. Entities come back sealed; what is given back of them is untagged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import (
    Integer,
    column,
    delete,
    func,
    insert,
    select,
    text,
    union_all,
    update,
    values,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import (
    Session,
    aliased,
    contains_eager,
    defaultload,
    defer,
    immediateload,
    joinedload,
    lazyload,
    load_only,
    raiseload,
    selectin_polymorphic,
    selectinload,
    subqueryload,
    undefer,
    with_expression,
    with_loader_criteria,
    with_polymorphic,
)

from .lines import BOTH, LITE, PG, Line, Lines, Verdict, lines, loaded, models, ran, rows, step
from .models import Account, Customer, Device, Employee, Measured, Note, Subject, audience, plain

__all__ = ["ORM_FREE"]

A, D = Account, Device
T: Any = Account.__table__
B = aliased(Account)
_HANDLES, _PHONES = ["ada", "bob"], ["+1555", "+1777"]


_ORDERED = select(A).order_by(A.id)
_MODELS = [["pixel"], ["iphone"]]


def _get(s: Session) -> Any:
    found = s.get(A, 1)
    assert found is not None
    return found


def _refreshed(s: Session) -> str:
    account = _get(s)
    s.refresh(account)
    s.expire(account)
    return str(account.handle)


def _expired(s: Session) -> str:
    account = _get(s)
    s.expire(account, ["phone", "handle"])
    return str(account.handle)


def _merged(s: Session) -> str:
    return str(s.merge(A(id=1, handle="ada", phone="+1999")).handle)


def _flushed(s: Session) -> str:
    account = A(handle="new", phone="+1999", email=None)
    s.add(account)
    s.flush()
    return account.state


def _many(s: Session) -> int:
    made = [A(handle=f"h{n}", phone=f"p{n}") for n in range(5)]
    s.add_all(made)
    s.flush()
    return len({a.id for a in made})


def _written(s: Session) -> str:
    account = _get(s)
    account.phone = "+1999"
    s.flush()
    return str(account.handle)


def _deleted(s: Session) -> None:
    s.delete(s.get(D, 1))
    s.flush()


def _added_devices(s: Session) -> int:
    account = _get(s)
    account.devices.append(D(serial="s9", model="m9"))
    s.flush()
    return len(account.devices)


def _bulk(call: Callable[[Session], Any]) -> Callable[[Session], Any]:
    def run(s: Session) -> int:
        call(s)
        return s.scalar(select(func.count()).select_from(A)) or 0

    return run


def _entities(statement: Any) -> Callable[[Session], Any]:
    return loaded(statement.execution_options(populate_existing=True))


def _pages(s: Session) -> list[str]:
    return [a.handle for part in s.scalars(_ORDERED.execution_options(yield_per=1)).partitions() for a in part]


def _streamed(s: Session) -> list[str]:
    return [a.handle for a in s.scalars(_ORDERED.execution_options(stream_results=True))]


def _kinds(entities: Iterable[Any]) -> list[str]:
    return [entity.kind for entity in entities]


_ROW = {"id": 9, "handle": "z", "phone": "z"}
_CORE = {"id": 9, "phone": "z"}
_BY_ID = select(A).where(A.id == 1)

_FREE: Lines = [
    ("entities", loaded(_ORDERED), _HANDLES, BOTH),
    ("session.query", step(lambda s: [a.handle for a in s.query(A).order_by(A.id)]), _HANDLES, BOTH),
    ("session.get", step(lambda s: _get(s).handle), "ada", BOTH),
    ("session.get with options", step(lambda s: s.get(A, 1, options=[joinedload(A.devices)]).handle), "ada", BOTH),
    ("session.get for update", step(lambda s: s.get(A, 1, with_for_update=True).handle), "ada", BOTH),
    ("get_one", step(lambda s: s.get_one(A, 1).handle), "ada", BOTH),
    ("refresh and expire", _refreshed, "ada", BOTH),
    ("expired attributes", _expired, "ada", BOTH),
    ("merge", _merged, "ada", BOTH),
    ("flush with a server default", _flushed, "new", BOTH),
    ("flush of many", _many, 5, BOTH),
    ("flush of a new value", _written, "ada", BOTH),
    ("flush of a deletion", _deleted, None, BOTH),
    ("flush of a collection", _added_devices, 2, BOTH),
    ("lazy", loaded(_ORDERED, models), _MODELS, BOTH),
    ("lazyload", loaded(_ORDERED.options(lazyload(A.devices)), models), _MODELS, BOTH),
    ("joinedload", loaded(_ORDERED.options(joinedload(A.devices)), models), _MODELS, BOTH),
    ("joinedload, inner", loaded(_ORDERED.options(joinedload(A.devices, innerjoin=True)), models), _MODELS, BOTH),
    ("selectinload", loaded(_ORDERED.options(selectinload(A.devices)), models), _MODELS, BOTH),
    ("subqueryload", loaded(_ORDERED.options(subqueryload(A.devices)), models), _MODELS, BOTH),
    ("immediateload", loaded(_ORDERED.options(immediateload(A.devices)), models), _MODELS, BOTH),
    ("raiseload", loaded(_ORDERED.options(raiseload(A.devices))), _HANDLES, BOTH),
    ("noload or nothing", loaded(_ORDERED.options(defaultload(A.devices))), _HANDLES, BOTH),
    ("many to one, joined", loaded(select(D).order_by(D.id).options(joinedload(D.account)), lambda d: d.account.handle), _HANDLES, BOTH),
    ("many to one, selectin", loaded(select(D).order_by(D.id).options(selectinload(D.account)), lambda d: d.account.handle), _HANDLES, BOTH),
    ("there and back", loaded(_ORDERED.options(selectinload(A.devices).joinedload(D.account)), models), _MODELS, BOTH),
    ("limit and joinedload", loaded(_ORDERED.limit(1).options(joinedload(A.devices)), models), _MODELS[:1], BOTH),
    ("limit and subqueryload", loaded(_ORDERED.limit(1).options(subqueryload(A.devices)), models), _MODELS[:1], BOTH),
    ("offset", loaded(_ORDERED.limit(5).offset(1)), ["bob"], BOTH),
    ("contains_eager", loaded(_ORDERED.join(A.devices).options(contains_eager(A.devices)), models), _MODELS, BOTH),
    ("defer", loaded(_ORDERED.options(defer(A.phone))), _HANDLES, BOTH),
    ("undefer", loaded(_ORDERED.options(undefer(A.bio)), lambda a: a.bio), ["one", "two"], BOTH),
    ("a deferred column", loaded(_ORDERED, lambda a: a.bio), ["one", "two"], BOTH),
    ("load_only", loaded(_ORDERED.options(load_only(A.handle))), _HANDLES, BOTH),
    ("load_only of a tagged one", loaded(_ORDERED.options(load_only(A.phone, A.handle))), _HANDLES, BOTH),
    ("an aliased entity", loaded(select(B).order_by(B.id)), _HANDLES, BOTH),
    ("an entity of a subquery", step(lambda s: [a.handle for a in s.scalars(select(aliased(A, select(A).subquery())))]), _HANDLES, BOTH),
    ("two entities", step(lambda s: [(a.handle, d.model) for a, d in s.execute(select(A, D).join(A.devices).order_by(A.id))]), [("ada", "pixel"), ("bob", "iphone")], BOTH),
    ("an entity and a column", step(lambda s: [(a.id, h) for a, h in s.execute(select(A, A.handle).order_by(A.id))]), [(1, "ada"), (2, "bob")], BOTH),
    ("from_statement of text", loaded(select(A).from_statement(text("SELECT id, handle FROM account ORDER BY id"))), _HANDLES, BOTH),
    ("from_statement", loaded(select(A).from_statement(_ORDERED)), _HANDLES, BOTH),
    ("union all of entities", step(lambda s: sorted(a.handle for a in s.scalars(select(A).from_statement(union_all(_BY_ID, select(A).where(A.id == 2)))))), _HANDLES, BOTH),
    ("populate_existing", _entities(_ORDERED), _HANDLES, BOTH),
    ("yield_per", _pages, _HANDLES, BOTH),
    ("stream_results", _streamed, _HANDLES, BOTH),
    ("for update", loaded(_ORDERED.with_for_update()), _HANDLES, BOTH),
    ("exists of entities", step(lambda s: s.query(A).filter_by(handle="ada").exists() is not None), True, BOTH),
    ("count of a query", rows(select(func.count()).select_from(A)), [2], BOTH),
    ("polymorphic", step(lambda s: _kinds(s.scalars(select(Subject).order_by(Subject.id)))), ["employee", "customer"], BOTH),
    ("a subclass", step(lambda s: _kinds(s.scalars(select(Employee)))), ["employee"], BOTH),
    ("with_polymorphic", step(lambda s: _kinds(s.scalars(select(v := with_polymorphic(Subject, "*")).order_by(v.id)))), ["employee", "customer"], BOTH),
    ("selectin_polymorphic", step(lambda s: _kinds(s.scalars(select(Subject).order_by(Subject.id).options(selectin_polymorphic(Subject, [Employee, Customer]))))), ["employee", "customer"], BOTH),
    ("joined inheritance, flushed", step(lambda s: (s.add(Employee(id=7, salary=9)), s.flush())[1]), None, BOTH),
    ("an untagged hybrid", rows(select(A.shown).order_by(A.id)), ["ADA", "BOB"], BOTH),
    ("an untagged column_property", rows(select(Measured.handle_length)), [3, 3], BOTH),
    ("an untagged association proxy", loaded(select(A).where(A.models.contains("pixel"))), ["ada"], BOTH),
    ("untagged with_expression", step(lambda s: [a.extra for a in s.scalars(_ORDERED.options(with_expression(A.extra, func.upper(A.handle))))]), ["ADA", "BOB"], BOTH),
    ("untagged criteria", loaded(_ORDERED.options(with_loader_criteria(A, A.handle == "ada"))), ["ada"], BOTH),
    ("any, untagged", loaded(select(A).where(A.devices.any(D.model == "pixel"))), ["ada"], BOTH),
    ("columns", rows(select(A.handle).order_by(A.id)), _HANDLES, BOTH),
    ("join", rows(select(D.model).join(D.account).where(A.handle == "ada")), ["pixel"], BOTH),
    ("an untagged table", rows(select(plain.c.words)), ["p"], BOTH),
    ("an untagged entity", loaded(select(Note).order_by(Note.id), lambda n: n.body), ["n1", "n2"], BOTH),
    ("bulk insert of the ORM", _bulk(lambda s: s.execute(insert(A), [_ROW])), 3, BOTH),
    ("bulk insert returning entities", step(lambda s: [a.handle for a in s.scalars(insert(A).returning(A), [_ROW])]), ["z"], BOTH),
    ("bulk update by primary key", _bulk(lambda s: s.execute(update(A), [{"id": 1, "phone": "z"}])), 2, BOTH),
    ("bulk_save_objects", _bulk(lambda s: s.bulk_save_objects([A(handle="z", phone="z")])), 3, BOTH),
    ("bulk_insert_mappings", _bulk(lambda s: s.bulk_insert_mappings(A, [_ROW])), 3, BOTH),
    ("bulk_update_mappings", _bulk(lambda s: s.bulk_update_mappings(A, [{"id": 1, "phone": "z"}])), 2, BOTH),
    ("update of a tagged column", _bulk(lambda s: s.execute(update(A).where(A.id == 1).values(phone="z"))), 2, BOTH),
    ("update returning entities", loaded(update(A).where(A.id == 1).values(state="x").returning(A)), ["ada"], BOTH),
    ("Core insert", ran(insert(T).values(_ROW)), None, BOTH),
    ("Core insert of many", ran(insert(T), [_ROW, {**_ROW, "id": 10, "handle": "y", "phone": "y"}]), None, BOTH),
    ("Core insert of VALUES", ran(insert(audience).values([_CORE, {**_CORE, "id": 10}])), None, BOTH),
    ("insert on conflict, SQLite", ran((_i := sqlite.insert(T).values(_ROW)).on_conflict_do_update(index_elements=["id"], set_={"phone": _i.excluded.phone})), None, LITE),
    ("insert on conflict, PostgreSQL", ran((_j := postgresql.insert(T).values(_ROW)).on_conflict_do_update(index_elements=["id"], set_={"phone": _j.excluded.phone})), None, PG),
    ("delete", ran(delete(D).where(D.id == 1)), None, BOTH),
    ("values", rows(select(values(column("n", Integer), name="v").data([(1,), (2,)]))), [1, 2], PG),
]  # fmt: skip

ORM_FREE: list[Line] = lines(Verdict.FREE, _FREE)
