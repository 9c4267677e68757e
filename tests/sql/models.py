"""The tagged schema that the table of statements queries, declared as SQLAlchemy's users declare one."""

from __future__ import annotations

from typing import Annotated, Any

from purposes import ADVERTISING, SECURITY, TWO_FACTOR
from sqlalchemy import Column, Connection, ForeignKey, Integer, MetaData, String, Table, func, insert
from sqlalchemy import text as sql_text
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    column_property,
    deferred,
    mapped_column,
    query_expression,
    relationship,
    synonym,
)

from purposebind import AllowedFor
from purposebind.integrations.sqlalchemy import SealedType

__all__ = [
    "Account",
    "Base",
    "Customer",
    "Device",
    "Employee",
    "Measured",
    "Note",
    "Subject",
    "audience",
    "fill",
    "plain",
]


class Base(DeclarativeBase):
    metadata = MetaData()


class Account(Base):
    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    handle: Mapped[str] = mapped_column(String(50), unique=True)
    phone: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]] = mapped_column(String(50), unique=True)
    email: Mapped[Annotated[str | None, AllowedFor(SECURITY)]] = mapped_column(String(50))
    bio: Mapped[str | None] = deferred(mapped_column(String(50)))
    state: Mapped[str] = mapped_column(String(10), server_default="new")
    devices: Mapped[list[Device]] = relationship(back_populates="account", order_by="Device.id")
    by_serial: Mapped[list[Device]] = relationship(order_by="Device.serial", viewonly=True)
    number: Mapped[str] = synonym("phone")
    extra: Mapped[Any] = query_expression()
    serials: AssociationProxy[list[str]] = association_proxy("devices", "serial")
    models: AssociationProxy[list[str]] = association_proxy("devices", "model")

    @hybrid_property
    def area(self) -> str:
        return self.phone[:2]

    @area.inplace.expression
    @classmethod
    def _area(cls) -> Any:
        return func.substr(cls.phone, 1, 2)

    @hybrid_property
    def shown(self) -> str:
        return self.handle.upper()

    @shown.inplace.expression
    @classmethod
    def _shown(cls) -> Any:
        return func.upper(cls.handle)


class Device(Base):
    __tablename__ = "device"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    serial: Mapped[Annotated[str, AllowedFor(SECURITY)]] = mapped_column(String(50))
    model: Mapped[str] = mapped_column(String(50))
    account: Mapped[Account] = relationship(back_populates="devices")


class Measured(Base):
    """The same table again, with a property that the database computes of a tagged column."""

    __table__ = Table("account", Base.metadata, extend_existing=True)
    id: Mapped[int]
    handle: Mapped[str]
    phone_length: Mapped[int] = column_property(func.length(__table__.c.phone))
    shout: Mapped[str] = column_property(func.upper(__table__.c.phone), deferred=True)
    handle_length: Mapped[int] = column_property(func.length(__table__.c.handle))


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    body: Mapped[str] = mapped_column(String(50))


class Subject(Base):
    __tablename__ = "subject"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "subject"}  # noqa: RUF012


class Employee(Subject):
    __tablename__ = "employee"

    id: Mapped[int] = mapped_column(ForeignKey("subject.id"), primary_key=True)
    salary: Mapped[Annotated[int, AllowedFor(SECURITY)]]
    __mapper_args__ = {"polymorphic_identity": "employee"}  # noqa: RUF012


class Customer(Subject):
    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(ForeignKey("subject.id"), primary_key=True)
    card: Mapped[Annotated[str, AllowedFor(SECURITY)]] = mapped_column(String(50))
    code: Mapped[Annotated[str, AllowedFor(SECURITY)]] = mapped_column(String(50), server_default="given")
    __mapper_args__ = {"polymorphic_identity": "customer"}  # noqa: RUF012


audience = Table(
    "audience",
    Base.metadata,
    Column("id", Integer, primary_key=True),
    Column("phone", SealedType(String(50), AllowedFor(ADVERTISING))),
)
plain = Table(
    "plain", Base.metadata, Column("id", Integer, primary_key=True), Column("words", String(50)), Column("n", Integer)
)


VIEWS = (
    "CREATE VIEW handles AS SELECT id, handle FROM account",
    "CREATE VIEW contacts AS SELECT id, handle AS name, email AS contact FROM account",
    "CREATE VIEW reachable AS SELECT id, handle FROM account WHERE phone IS NOT NULL",
)


def fill(connection: Connection) -> None:
    """Make the schema on an engine that is not guarded, and two of everything."""
    Base.metadata.create_all(connection)
    for view in VIEWS:
        connection.execute(sql_text(view))
    rows: dict[Any, list[dict[str, Any]]] = {
        Account.__table__: [
            {"id": 1, "handle": "ada", "phone": "+1555", "email": "ada@x", "bio": "one"},
            {"id": 2, "handle": "bob", "phone": "+1777", "email": "bob@x", "bio": "two"},
        ],
        Device.__table__: [
            {"id": 1, "account_id": 1, "serial": "s1", "model": "pixel"},
            {"id": 2, "account_id": 2, "serial": "s2", "model": "iphone"},
        ],
        Note.__table__: [{"id": 1, "account_id": 1, "body": "n1"}, {"id": 2, "account_id": 2, "body": "n2"}],
        Subject.__table__: [{"id": 1, "kind": "employee"}, {"id": 2, "kind": "customer"}],
        Employee.__table__: [{"id": 1, "salary": 10}],
        Customer.__table__: [{"id": 2, "card": "c1"}],
        audience: [{"id": 1, "phone": "+1555"}],
        plain: [{"id": 1, "words": "p", "n": 5}],
    }
    for table, values in rows.items():
        connection.execute(insert(table), values)
        if connection.dialect.name == "postgresql":  # it does not count the keys that it was given
            connection.execute(sql_text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), 100)"))
