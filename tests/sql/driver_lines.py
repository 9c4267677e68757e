# ruff: noqa: E501  # a line to a statement, so that this can be read as a table
"""Roads past SQLAlchemy's own statements: drivers, DDL, reflection, and classes that know nothing of tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from purposes import ADVERTISING, TWO_FACTOR
from sqlalchemy import (
    DDL,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    func,
    insert,
    inspect,
    lambda_stmt,
    select,
    text,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from purposebind import AllowedFor

from .lines import ANY, BOTH, LITE, PG, Line, Lines, Run, Verdict, lines, loaded, ran, rows, step
from .models import Account, Base, Customer, Note, plain

__all__ = ["DRIVER"]

A = Account
T: Any = Account.__table__
_HANDLES, _PHONES = ["ada", "bob"], ["+1555", "+1777"]


_READ = Table(
    "plain",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("words", String(50), default=lambda context: context.connection.scalar(select(func.max(T.c.phone)))),
)
"""A table of somebody's, with a default that reads."""
_KEYED = Table(
    "plain",
    MetaData(),
    Column("id", Integer, primary_key=True, default=select(func.max(func.length(T.c.phone)) + 20).scalar_subquery()),
    Column("words", String(50)),
)
_ASKED = Table(
    "plain",
    MetaData(),
    Column(
        "id",
        Integer,
        primary_key=True,
        default=func.coalesce(select(func.max(func.length(T.c.phone))).scalar_subquery(), 0) + 20,
    ),
    Column("words", String(50)),
    implicit_returning=False,
)
"""Its key is asked for before the row is written, in the context of the INSERT."""
_COPYING = Table(
    "plain",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("words", String(50), default=select(func.max(T.c.phone)).scalar_subquery()),
)


class _Untagged(DeclarativeBase):
    """A base of somebody's who never heard of tags."""


class Copied(_Untagged):
    """The same table, without its tags."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    handle: Mapped[str] = mapped_column(String(50))
    phone: Mapped[str] = mapped_column(String(50))


class Wider(DeclarativeBase):
    """A base with tags, of which no guard was told."""


class Sold(Wider):
    """The same table, for everything that its author could think of."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    handle: Mapped[str] = mapped_column(String(50))
    phone: Mapped[Annotated[str, AllowedFor(TWO_FACTOR, ADVERTISING)]] = mapped_column(String(50))


class Harmless(_Untagged):
    """The same table, of which it knows what is harmless."""

    __tablename__ = "account"
    __table_args__ = {"extend_existing": True}  # noqa: RUF012
    metadata = MetaData()

    id: Mapped[int] = mapped_column(primary_key=True)
    handle: Mapped[str] = mapped_column(String(50))


def cursor(run: Callable[[Any], Any], **options: Any) -> Run:
    """Run something on a cursor of the driver's."""

    def running(s: Session) -> Any:
        made = s.connection().connection.cursor(**options)
        try:
            return run(made)
        finally:
            made.close()

    return running


def dbapi(run: Callable[[Any], Any]) -> Run:
    """Run something on the driver's connection."""
    return lambda s: run(s.connection().connection.driver_connection)


def read(sql: str | bytes, *parameters: Any) -> Callable[[Any], Any]:
    """Run a text on a cursor or a connection of a driver's, and fetch what it gives."""

    def running(made: Any) -> Any:
        return [row[0] for row in (made.execute(sql, *parameters) or made).fetchall()]

    return running


def wrote(sql: str, *parameters: Any) -> Callable[[Any], Any]:
    """Run a text on a cursor or a connection of a driver's."""

    def running(made: Any) -> None:
        made.execute(sql, *parameters)

    return running


def copied_out(sql: str) -> Callable[[Any], Any]:
    def running(made: Any) -> list[str]:
        with made.copy(sql) as copy:
            return [row[-1] for row in copy.rows()]

    return running


def copied_in(sql: str, *values: Any) -> Callable[[Any], Any]:
    def running(made: Any) -> int:
        with made.copy(sql) as copy:
            copy.write_row(values)
        return int(made.rowcount)

    return running


def _reflected(s: Session) -> Any:
    return Table("account", MetaData(), autoload_with=s.connection())


def _names(found: list[Any]) -> list[str]:
    return sorted(one["name"] for one in found)


_ddl: Any = DDL
_PHONE = "SELECT phone FROM account ORDER BY id"
_ROWS = [{"id": 9, "handle": "z", "phone": "z"}, {"id": 10, "handle": "y", "phone": "y"}]
_NEW = {"i": 9, "h": "z", "p": "z"}
_USES: Lines = [
    ("a class without tags, a column", rows(select(Copied.phone).order_by(Copied.id)), _PHONES, BOTH),
    ("a class with a wider tag, a column", rows(select(Sold.phone).order_by(Sold.id)), _PHONES, BOTH),
    ("a default that reads", ran(insert(_READ).values(id=9)), None, BOTH),
    ("a key that is asked for first", ran(insert(_ASKED).values(words="x")), None, BOTH),
    ("many rows, returning a column", step(lambda s: sorted(s.connection().scalars(insert(T).returning(T.c.phone), _ROWS))), ["y", "z"], BOTH),
    ("many rows of the ORM, returning a column", step(lambda s: sorted(s.scalars(insert(A).returning(A.phone), _ROWS))), ["y", "z"], BOTH),
    ("a class without tags, its entities", loaded(select(Copied).order_by(Copied.id)), _HANDLES, BOTH),
    ("a class without tags, get", step(lambda s: s.get(Copied, 1).handle), "ada", BOTH),
    ("a reflected table", step(lambda s: list(s.scalars(select((t := _reflected(s)).c.phone).order_by(t.c.id)))), _PHONES, BOTH),
    ("a reflected table, whole", step(lambda s: [r.phone for r in s.execute(select(_reflected(s)).order_by(text("id")))]), _PHONES, BOTH),
    ("a table of one's own", rows(select(Table("account", MetaData(), Column("id", Integer), Column("phone", String)).c.phone).order_by(text("id"))), _PHONES, BOTH),
    ("a lambda", rows(lambda_stmt(lambda: select(A.phone).order_by(A.id))), _PHONES, BOTH),
    ("a lambda, extended", rows(lambda_stmt(lambda: select(A.handle)) + (lambda one: one.where(A.phone == "+1555"))), ["ada"], BOTH),
    ("scalars of a text", step(lambda s: list(s.scalars(text(_PHONE)))), _PHONES, BOTH),
    ("connection.scalar", step(lambda s: s.connection().scalar(text("SELECT max(phone) FROM account"))), "+1777", BOTH),
    ("a statement's text", step(lambda s: [r[0] for r in s.execute(text(str(select(T.c.phone).order_by(T.c.id))))]), _PHONES, BOTH),
    ("a frozen result", step(lambda s: [r[0] for r in s.execute(select(A.phone).order_by(A.id)).freeze()()]), _PHONES, BOTH),
    ("another session on the connection", step(lambda s: list(Session(bind=s.connection()).scalars(select(A.phone).order_by(A.id)))), _PHONES, BOTH),
    ("a cursor, twice", cursor(lambda c: [read(_PHONE)(c) for _ in "ab"]), [_PHONES, _PHONES], BOTH),
    ("a cursor, with parameters, SQLite", cursor(read("SELECT handle FROM account WHERE phone = ?", ("+1555",))), ["ada"], LITE),
    ("a cursor, by name, SQLite", cursor(read("SELECT handle FROM account WHERE phone = :p", {"p": "+1555"})), ["ada"], LITE),
    ("a cursor, by number, SQLite", cursor(read("SELECT handle FROM account WHERE phone = ?1", ("+1555",))), ["ada"], LITE),
    ("a cursor, with parameters, PostgreSQL", cursor(read("SELECT handle FROM account WHERE phone = %s", ("+1555",))), ["ada"], PG),
    ("a cursor, by name, PostgreSQL", cursor(read("SELECT handle FROM account WHERE phone = %(p)s", {"p": "+1555"})), ["ada"], PG),
    ("a cursor, executemany, SQLite", cursor(lambda c: c.executemany("UPDATE account SET state = 'x' WHERE phone = ?", [("+1555",)]).rowcount), 1, LITE),
    ("a cursor, executemany, PostgreSQL", cursor(lambda c: c.executemany("UPDATE account SET state = 'x' WHERE phone = %s", [("+1555",)])), None, PG),
    ("a cursor, bytes", cursor(read(_PHONE.encode())), _PHONES, PG),
    ("a cursor, prepared", cursor(lambda c: [r[0] for r in c.execute(_PHONE, prepare=True).fetchall()]), _PHONES, PG),
    ("a cursor of the server's", cursor(read(_PHONE), name="made"), _PHONES, PG),
    ("a cursor, streamed", cursor(lambda c: [r[0] for r in c.stream(_PHONE)]), _PHONES, PG),
    ("COPY out", cursor(copied_out("COPY account (phone) TO STDOUT")), _PHONES, PG),
    ("COPY out, whole", cursor(copied_out("COPY account TO STDOUT")), ["new", "new"], PG),
    ("COPY out, a query", cursor(copied_out("COPY (SELECT handle, phone FROM account ORDER BY id) TO STDOUT")), _PHONES, PG),
    ("COPY out, sorted", cursor(copied_out("COPY (SELECT handle FROM account ORDER BY phone DESC) TO STDOUT")), ["bob", "ada"], PG),
    ("COPY out, a match", cursor(copied_out("COPY (DELETE FROM device WHERE serial = 's1' RETURNING model) TO STDOUT")), ["pixel"], PG),
    ("the driver's connection", dbapi(read(_PHONE)), _PHONES, BOTH),
    ("DDL that reads", step(lambda s: s.execute(_ddl("UPDATE account SET state = 'x' WHERE phone = '+1555'"))), ANY, BOTH),
]  # fmt: skip

_FREE: Lines = [
    ("a class that knows what is harmless", loaded(select(Harmless).order_by(Harmless.id)), _HANDLES, BOTH),
    ("a class without tags, a harmless column", rows(select(Copied.handle).order_by(Copied.id)), _HANDLES, BOTH),
    ("a class without tags, that writes", ran(update(Copied).where(Copied.id == 1).values(phone="z")), None, BOTH),
    ("a reflected table, a harmless column", step(lambda s: list(s.scalars(select((t := _reflected(s)).c.handle).order_by(t.c.id)))), _HANDLES, BOTH),
    ("a lambda of entities", loaded(lambda_stmt(lambda: select(A).order_by(A.id))), _HANDLES, BOTH),
    ("reflection, tables", step(lambda s: {"account", "plain"} <= set(inspect(s.connection()).get_table_names())), True, BOTH),
    ("reflection, columns", step(lambda s: _names(inspect(s.connection()).get_columns("plain"))), ["id", "n", "words"], BOTH),
    ("reflection, tagged columns", step(lambda s: "phone" in _names(inspect(s.connection()).get_columns("account"))), True, BOTH),
    ("reflection, views", step(lambda s: "contacts" in inspect(s.connection()).get_view_names()), True, BOTH),
    ("reflection, a view's text", step(lambda s: "email" in inspect(s.connection()).get_view_definition("contacts")), True, BOTH),
    ("reflection, keys", step(lambda s: inspect(s.connection()).get_foreign_keys("device")[0]["referred_table"]), "account", BOTH),
    ("reflection, indexes", step(lambda s: inspect(s.connection()).get_indexes("note")), [], BOTH),
    ("reflection, constraints", step(lambda s: len(inspect(s.connection()).get_unique_constraints("account"))), 2, BOTH),
    ("reflection, all of it", step(lambda s: "audience" in _everything(s)), True, BOTH),
    ("create_all, of what is there", step(lambda s: Base.metadata.create_all(s.connection())), None, BOTH),
    ("has_table", step(lambda s: inspect(s.connection()).has_table("nowhere")), False, BOTH),
    ("a table that is made and filled", step(lambda s: _made(s)), ["x"], BOTH),
    ("a cursor, executemany of new rows, SQLite", cursor(lambda c: c.executemany("INSERT INTO account (id, handle, phone) VALUES (:i, :h, :p)", [_NEW]).rowcount), 1, LITE),
    ("a cursor, executemany of new rows, PostgreSQL", cursor(lambda c: c.executemany("INSERT INTO account (id, handle, phone) VALUES (%(i)s, %(h)s, %(p)s)", [_NEW])), None, PG),
    ("a cursor of the server's, of what is harmless", cursor(read("SELECT handle FROM account ORDER BY id"), name="made"), _HANDLES, PG),
    ("COPY out, harmless columns", cursor(copied_out("COPY account (handle) TO STDOUT")), _HANDLES, PG),
    ("COPY out, a harmless query", cursor(copied_out("COPY (SELECT handle FROM account ORDER BY id) TO STDOUT")), _HANDLES, PG),
    ("COPY in", cursor(copied_in("COPY account (id, handle, phone) FROM STDIN", 9, "z", "z")), 1, PG),
    ("the driver's connection, harmless", dbapi(read("SELECT handle FROM account ORDER BY id")), _HANDLES, BOTH),
    ("many rows, returning keys", step(lambda s: sorted(s.connection().scalars(insert(T).returning(T.c.id), _ROWS))), [9, 10], BOTH),
    ("many rows, by key", step(lambda s: s.connection().execute(update(T).where(T.c.id == bindparam("i")).values(phone=bindparam("p")), [{"i": 1, "p": "z"}, {"i": 2, "p": "y"}]).rowcount), 2, BOTH),
    ("a flush that brings a tagged default back", step(lambda s: _given(s)), "<sealed: security>", BOTH),
    ("a savepoint", step(lambda s: _nested(s)), 1, BOTH),
]  # fmt: skip


def _given(s: Session) -> str:
    customer = Customer(card="c9")
    s.add(customer)
    s.flush()
    if "code" not in vars(customer):
        s.refresh(customer)
    return repr(vars(customer)["code"])


def _everything(s: Session) -> set[str]:
    found = MetaData()
    found.reflect(s.connection(), views=True)
    return set(found.tables)


_new = Table("nameless", MetaData(), Column("id", Integer, primary_key=True), Column("word", String(5)))


def _made(s: Session) -> list[str]:
    """A table made by hand is known by its name, as it would be in a migration, once it is in a guarded metadata."""
    table = Table("made", Base.metadata, Column("id", Integer, primary_key=True), Column("word", String(5)))
    try:
        table.create(s.connection())
        s.execute(insert(table).values(id=1, word="x"))
        return list(s.scalars(select(table.c.word)))
    finally:
        Base.metadata.remove(table)


def _nested(s: Session) -> int | None:
    with s.begin_nested():
        s.add(Note(account_id=1, body="x"))
    return s.scalar(select(func.count()).where(Note.body == "x"))


_COPIES: Lines = [
    ("a class with a wider tag, its entities", loaded(select(Sold).order_by(Sold.id)), None, BOTH),
    ("a class with a wider tag, get", step(lambda s: s.get(Sold, 1)), None, BOTH),
    ("a key that copies", ran(insert(_KEYED).values(words="x")), None, BOTH),
    ("a default that copies", ran(insert(_COPYING).values(id=9)), None, BOTH),
    ("a class without tags that copies", ran(update(Copied).values(handle=Copied.phone).execution_options(synchronize_session=False)), None, BOTH),
    ("a reflected table that is copied", step(lambda s: s.execute(insert(plain).from_select(["id", "words"], select((t := _reflected(s)).c.id + 10, t.c.phone)))), None, BOTH),
    ("DDL that copies", step(lambda s: s.execute(_ddl("CREATE TABLE made AS SELECT phone FROM account"))), None, BOTH),
]  # fmt: skip

_REFUSED: Lines = [
    ("a table that nobody registered", step(lambda s: s.execute(select(_new))), None, BOTH),
    ("a script", dbapi(lambda c: c.executescript("ATTACH DATABASE 'x' AS y; SELECT phone FROM account")), None, LITE),
    ("COPY to a program", cursor(copied_out("COPY account (handle) TO PROGRAM 'cat'")), None, PG),
    ("COPY to a file", cursor(wrote("COPY account (handle) TO '/tmp/x'")), None, PG),
]  # fmt: skip

DRIVER: list[Line] = [
    *lines(Verdict.USE, _USES),
    *lines(Verdict.FREE, _FREE),
    *lines(Verdict.COPY, _COPIES),
    *lines(Verdict.REFUSED, _REFUSED),
]
