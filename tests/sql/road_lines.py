# ruff: noqa: E501  # a line to a statement, so that this can be read as a table
"""More roads of SQLAlchemy's: texts that use nothing, that copy, and that cannot be weighed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    String,
    bindparam,
    column,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    null,
    select,
    table,
    text,
    type_coerce,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import (
    Bundle,
    Session,
    aliased,
    contains_eager,
    defaultload,
    defer,
    joinedload,
    load_only,
    undefer,
    undefer_group,
    with_expression,
    with_parent,
    with_polymorphic,
)

from .lines import ANY, BOTH, LITE, PG, Line, Lines, Run, Verdict, lines, loaded, models, ran, rows, step
from .models import Account, Customer, Device, Employee, Measured, Note, Subject, plain

__all__ = ["ROADS"]

A, D = Account, Device
T: Any = Account.__table__
B = aliased(A)
_HANDLES, _PHONES = ["ada", "bob"], ["+1555", "+1777"]
_ORDERED = select(A).order_by(A.id)
_SEALED: Any = T.c.phone.type


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
_SAMPLE = aliased(A, T.tablesample(func.bernoulli(text("100")), name="sample"))
_Z = {"id": 9, "handle": "z", "phone": "z"}
_ONE = {"id": 1, "handle": "ada", "phone": "+1555"}
_POLY: Any = with_polymorphic(Subject, [Employee, Customer], flat=True)


def _refreshed(*names: str, **options: Any) -> Run:
    def run(s: Session) -> Any:
        account: Any = s.get(A, 1)
        s.refresh(account, names or None, **options)
        return account.handle

    return run


def _merged(s: Session) -> str:
    with Session(bind=s.connection()) as other:
        found: Any = other.get(A, 1)
        other.expunge_all()
    return str(s.merge(found, load=False).handle)


_AGAIN = union_all(select(A).where(A.id == 1), select(A).where(A.id == 2))

_FREE: Lines = [
    ("an entity of a windowed subquery", step(lambda s: sorted(a.handle for a in s.scalars(select(aliased(A, select(A, func.row_number().over(order_by=A.id).label("r")).subquery()))))), _HANDLES, BOTH),
    ("columns of a result", step(lambda s: [h for (h,) in s.execute(select(A, A.handle).order_by(A.id)).columns(1)]), _HANDLES, BOTH),
    ("nothing but one deferred", loaded(_ORDERED.options(defer("*"), undefer(A.handle))), _HANDLES, BOTH),
    ("an update that asks another table", step(lambda s: sorted(s.scalars(update(A).where(A.id.in_(select(D.account_id))).values(state="y").returning(A.handle)))), _HANDLES, BOTH),
    ("an entity of a subquery that renames", loaded(select(aliased(A, select(A.id, A.handle, A.phone.label("email"), A.state).subquery()))), _HANDLES, BOTH),
    ("a label like a clause", rows(select(A.handle.label('x", phone AS "y')).order_by(A.id)), _HANDLES, BOTH),
    ("an entity of a CTE", loaded(select(_OF_X).order_by(_OF_X.id)), _HANDLES, BOTH),
    ("an entity of union_all", handles(lambda s: s.scalars(select(aliased(A, _AGAIN.subquery())))), _HANDLES, BOTH),
    ("an entity of a limited subquery", loaded(select(aliased(A, select(A).order_by(A.id).limit(1).subquery()))), ["ada"], BOTH),
    ("two of one class", step(lambda s: [(a.handle, b.handle) for a, b in s.execute(select(A, B).join(B, B.id == A.id).order_by(A.id))]), [("ada", "ada"), ("bob", "bob")], BOTH),
    ("a sealed with_expression", step(lambda s: [repr(vars(a)["extra"]) for a in s.scalars(_ORDERED.options(with_expression(A.extra, A.phone)))]), ["<sealed: security.two_factor>"] * 2, BOTH),
    ("a bundle of what is untagged", step(lambda s: [b.handle for (b,) in s.execute(select(Bundle("b", A.id, A.handle)).order_by(A.id))]), _HANDLES, BOTH),
    ("a type_coerce of nothing tagged", rows(select(type_coerce(A.handle, String)).order_by(A.id)), _HANDLES, BOTH),
    ("a sealed type on nothing tagged", step(lambda s: [repr(r[0]) for r in s.connection().execute(select(type_coerce(T.c.handle, _SEALED)).order_by(T.c.id))]), ANY, BOTH),
    ("group by a key", rows(select(func.count()).select_from(D).group_by(D.account_id)), [1, 1], BOTH),
    ("order by random", step(lambda s: sorted(a.handle for a in s.scalars(select(A).order_by(func.random())))), _HANDLES, BOTH),
    ("order by a position", loaded(select(A).order_by(text("1"))), _HANDLES, BOTH),
    ("tuple of keys", loaded(select(A).where(A.id.in_([1, 2])).order_by(A.id)), _HANDLES, BOTH),
    ("with_parent", step(lambda s: [d.model for d in s.scalars(select(D).where(with_parent(s.get(A, 1), A.devices)))]), ["pixel"], BOTH),
    ("contains", step(lambda s: [a.handle for a in s.scalars(select(A).where(A.devices.contains(s.get(D, 1))))]), ["ada"], BOTH),
    ("any", loaded(select(A).where(A.devices.any()).order_by(A.id)), _HANDLES, BOTH),
    ("load_only through a loader", loaded(_ORDERED.options(defaultload(A.devices).load_only(D.serial)), models), [["pixel"], ["iphone"]], BOTH),
    ("joinedload, load_only", loaded(_ORDERED.options(joinedload(A.devices).load_only(D.serial, D.model)), models), [["pixel"], ["iphone"]], BOTH),
    ("joinedload of a limit, sorted", loaded(_ORDERED.limit(2).options(joinedload(A.devices)), models), [["pixel"], ["iphone"]], BOTH),
    ("contains_eager of an alias", loaded(_ORDERED.join(A.devices.of_type(d := aliased(D))).options(contains_eager(A.devices.of_type(d))), models), [["pixel"], ["iphone"]], BOTH),
    ("joinedload there and back", loaded(_ORDERED.options(joinedload(A.devices).joinedload(D.account)), models), [["pixel"], ["iphone"]], BOTH),
    ("the collection that is sorted, not loaded", loaded(_ORDERED.options(load_only(A.handle))), _HANDLES, BOTH),
    ("undefer_group", loaded(_ORDERED.options(undefer_group("none"))), _HANDLES, BOTH),
    ("a polymorphic alias, flat", loaded(select(_POLY).order_by(_POLY.id), lambda e: e.kind), ["employee", "customer"], BOTH),
    ("a polymorphic attribute, lazily", step(lambda s: [e.id for e in s.scalars(select(Subject)) if isinstance(e, Employee) and "salary" not in vars(e)]), [1], BOTH),
    ("a polymorphic identity", step(lambda s: s.get(Subject, 2).kind), "customer", BOTH),
    ("a sample of entities", loaded(select(_SAMPLE).order_by(_SAMPLE.id)), _HANDLES, PG),
    ("ONLY of entities", loaded(_ORDERED.with_hint(A, "ONLY", "postgresql")), _HANDLES, PG),
    ("for update of, skip locked", loaded(_ORDERED.with_for_update(of=A, skip_locked=True)), _HANDLES, BOTH),
    ("for share", loaded(_ORDERED.with_for_update(read=True)), _HANDLES, BOTH),
    ("lateral of keys", rows(select(D.model).join(lat := select(A.id).where(A.id == D.account_id).lateral(), lat.c.id == D.account_id).order_by(D.id)), ["pixel", "iphone"], PG),
    ("rowid", rows(select(literal_column("rowid")).select_from(A).order_by(A.id)), [1, 2], LITE),
    ("refresh of one attribute", _refreshed("phone"), "ada", BOTH),
    ("refresh for update", _refreshed(with_for_update=True), "ada", BOTH),
    ("merge without loading", _merged, "ada", BOTH),
    ("get of what is there", step(lambda s: (s.get(A, 1), s.get(A, 1, populate_existing=True))[1].handle), "ada", BOTH),
    ("get of nothing", step(lambda s: s.get(A, 9)), None, BOTH),
    ("entities without a cache", cached(None, loaded(_ORDERED)), _HANDLES, BOTH),
    ("entities with a cache of one's own", cached({}, loaded(_ORDERED)), _HANDLES, BOTH),
    ("the column, refused, and then entities", step(lambda s: (s.scalars(select(A.handle)).all(), [a.handle for a in s.scalars(_ORDERED)])[1]), _HANDLES, BOTH),
    ("query, get", step(lambda s: s.get(A, 2).handle), "bob", BOTH),
    ("query, filter_by", handles(lambda s: s.query(A).filter_by(handle="ada")), ["ada"], BOTH),
    ("query, first", step(lambda s: s.query(A).order_by(A.id).first().handle), "ada", BOTH),
    ("query, limit and offset", handles(lambda s: s.query(A).order_by(A.id).limit(1).offset(1)), ["bob"], BOTH),
    ("query, join", handles(lambda s: s.query(A).join(A.devices).filter(D.model == "pixel")), ["ada"], BOTH),
    ("query, options", handles(lambda s: s.query(A).options(joinedload(A.devices), load_only(A.handle))), _HANDLES, BOTH),
    ("query, yield_per", handles(lambda s: s.query(A).yield_per(1)), _HANDLES, BOTH),
    ("query, union_all", handles(lambda s: s.query(A).filter(A.id == 1).union_all(s.query(A).filter(A.id == 2))), _HANDLES, BOTH),
    ("query, count", step(lambda s: s.query(A).count()), 2, BOTH),
    ("count of a subquery", rows(select(func.count()).select_from(_SUB)), [2], BOTH),
    ("a key of an entity's subquery", rows(select(_SUB.c.id).order_by(_SUB.c.id)), [1, 2], BOTH),
    ("exists of an entity", rows(select(exists(select(A).where(A.id == 1)))), [True], BOTH),
    ("exists of an entity that belongs to it", loaded(select(A).where(exists(select(D).where(D.account_id == A.id))).order_by(A.id)), _HANDLES, BOTH),
    ("exists of rows", rows(select(exists().where(A.id == 1))), [True], BOTH),
    ("query, count of keys", step(lambda s: s.query(A.id).count()), 2, BOTH),
    ("query, exists of an entity", step(lambda s: s.query(s.query(A).filter(A.id == 1).exists()).scalar()), True, BOTH),
    ("query, update of keys", step(lambda s: s.query(A).filter(A.id == 1).update({"phone": "z"})), 1, BOTH),
    ("query, delete of keys", step(lambda s: s.query(D).filter(D.id == 1).delete()), 1, BOTH),
    ("update, fetched", ran(update(A).where(A.id == 1).values(phone="z").execution_options(synchronize_session="fetch")), None, BOTH),
    ("update of what is loaded, by key", step(lambda s: (s.scalars(_ORDERED).all(), s.execute(update(A).where(A.id == 1).values(phone="z")))[1].rowcount), 1, BOTH),
    ("update to a function of a parameter", ran(update(T).where(T.c.id == 1).values(phone=func.upper("z"))), None, BOTH),
    ("update to NULL", ran(update(T).where(T.c.id == 1).values(email=null())), None, BOTH),
    ("update to a bindparam", step(lambda s: s.execute(update(T).where(T.c.id == bindparam("i")).values(phone=bindparam("p")), {"i": 1, "p": "z"}).rowcount), 1, BOTH),
    ("insert of a literal", ran(insert(T).values(id=9, handle="z", phone=literal("z"))), None, BOTH),
    ("insert returning entities", step(lambda s: [a.handle for a in s.scalars(insert(A).values(_Z).returning(A))]), ["z"], BOTH),
    ("insert returning entities, sorted", step(lambda s: [a.handle for a in s.scalars(insert(A).returning(A, sort_by_parameter_order=True), [_Z, {"id": 10, "handle": "y", "phone": "y"}])]), ["z", "y"], BOTH),
    ("insert returning keys", step(lambda s: list(s.scalars(insert(A).returning(A.id), [_Z]))), [9], BOTH),
    ("upsert returning entities, SQLite", handles(lambda s: s.scalars((i := sqlite.insert(A).values(_ONE)).on_conflict_do_update(index_elements=["id"], set_={"phone": i.excluded.phone}).returning(A))), ["ada"], LITE),
    ("upsert returning entities, PostgreSQL", handles(lambda s: s.scalars((i := postgresql.insert(A).values(_ONE)).on_conflict_do_update(index_elements=["id"], set_={"phone": i.excluded.phone}).returning(A))), ["ada"], PG),
    ("delete returning entities", step(lambda s: [d.model for d in s.scalars(delete(D).where(D.id == 1).returning(D))]), ["pixel"], BOTH),
    ("insert from select of what is untagged", ran(insert(plain).from_select(["id", "words"], select(A.id + 10, A.handle))), None, BOTH),
    ("bulk_save_objects, returning keys", step(lambda s: s.bulk_save_objects([A(handle="z", phone="z")], return_defaults=True)), None, BOTH),
    ("bulk_insert_mappings, returning keys", step(lambda s: s.bulk_insert_mappings(A, [{"handle": "z", "phone": "z"}], return_defaults=True)), None, BOTH),
    ("a measured entity, without the measure", loaded(select(Measured).options(load_only(Measured.handle)).order_by(Measured.id)), _HANDLES, BOTH),
    ("an entity from a text with its columns", loaded(select(A).from_statement(text("SELECT id, handle, phone FROM account ORDER BY id").columns(A.id, A.handle, A.phone))), _HANDLES, BOTH),
    ("notes of one", loaded(select(Note).where(Note.account_id == 1), lambda n: n.body), ["n1"], BOTH),
]  # fmt: skip

_COPIES: Lines = [
    # A value that is moved while sealed takes its own tag along, or it is a copy.
    ("with_expression under a wider tag", loaded(_ORDERED.options(with_expression(A.extra, type_coerce(A.phone, A.email.type)))), None, BOTH),
    ("an entity of a text that renames", loaded(select(A).from_statement(text("SELECT id, handle, phone AS email FROM account ORDER BY id").columns(A.id, A.handle, A.email))), None, BOTH),
    ("a literal column under a wider tag", loaded(_ORDERED.options(with_expression(A.extra, literal_column("account.phone", A.email.type)))), None, BOTH),
    ("insert of a text", ran(insert(plain).values(id=9, words=text("(SELECT max(phone) FROM account)"))), None, BOTH),
    ("insert of a literal column", ran(insert(plain).values(id=9, words=literal_column("(SELECT max(phone) FROM account)"))), None, BOTH),
    ("insert from a text", ran(insert(plain).from_select(["id", "words"], text("SELECT id + 10 AS id, phone AS words FROM account").columns(column("id"), column("words")))), None, BOTH),
    ("insert from a CTE", ran(insert(plain).from_select(["id", "words"], select(_X.c.n + 10, _X.c.x))), None, BOTH),
    ("insert from a union", ran(insert(plain).from_select(["id", "words"], union_all(select(A.id + 10, A.handle), select(A.id + 20, A.phone)))), None, BOTH),
    ("insert from a claim", ran(insert(plain).from_select(["id", "words"], select(A.id + 10, type_coerce(A.phone, String)))), None, BOTH),
    ("query, update of another column", step(lambda s: s.query(A).update({A.state: A.phone}, synchronize_session=False)), None, BOTH),
    ("update in bulk, to an expression", step(lambda s: s.execute(update(A).where(A.id == 1).values(state=func.substr(A.phone, 1, 3)).execution_options(synchronize_session=False))), None, BOTH),
    ("upsert to another column, SQLite", ran((_i := sqlite.insert(T).values(_ONE)).on_conflict_do_update(index_elements=["id"], set_={"bio": _i.excluded.phone})), None, LITE),
    ("upsert to another column, PostgreSQL", ran((_j := postgresql.insert(T).values(_ONE)).on_conflict_do_update(index_elements=["id"], set_={"bio": T.c.phone})), None, PG),
    ("update of an operator", ran(update(plain).values(words=T.c.phone.op("||")("")).where(plain.c.id == T.c.id)), None, BOTH),
    ("a flush to another column", step(lambda s: _to_another(s)), None, BOTH),
]  # fmt: skip


def _to_another(s: Session) -> None:
    account: Any = s.get(A, 1)
    account.state = T.c.phone
    s.flush()


_REFUSED: Lines = [
    ("a function that is not known", rows(select(func.my_own(A.handle))), None, BOTH),
    ("a table that is not known", rows(select(column("x")).select_from(table("nowhere"))), None, BOTH),
    ("a column that is not known", rows(select(literal_column("nothing")).select_from(A)), None, BOTH),
    ("a schema that is not known", rows(select(column("x")).select_from(table("account", schema="other"))), None, BOTH),
    ("a file", rows(select(func.pg_read_file("x"))), None, PG),
    ("a query in a string", rows(select(func.query_to_xml("SELECT phone FROM account", True, False, ""))), None, PG),
    ("another server", rows(select(column("x")).select_from(func.dblink("x", "SELECT phone FROM account").alias("x"))), None, PG),
]  # fmt: skip

ROADS: list[Line] = [
    *lines(Verdict.FREE, _FREE),
    *lines(Verdict.COPY, _COPIES),
    *lines(Verdict.REFUSED, _REFUSED),
]
