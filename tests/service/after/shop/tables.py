"""What the database holds."""

from typing import Annotated

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from purposebind import AllowedFor, SubjectId

from .purposes import ORDERS, OWN_DATA, RECOVERY, SECURITY, TWO_FACTOR


class Base(DeclarativeBase):
    """What all tables have in common."""


class Account(Base):
    __tablename__ = "account"

    id: Mapped[Annotated[int, SubjectId]] = mapped_column(primary_key=True)
    handle: Mapped[str] = mapped_column(unique=True)
    city: Mapped[str]
    name: Mapped[Annotated[str, AllowedFor(OWN_DATA)]]
    phone: Mapped[Annotated[str, AllowedFor(TWO_FACTOR, OWN_DATA)]]
    email: Mapped[Annotated[str, AllowedFor(RECOVERY, ORDERS, OWN_DATA)]]
    password: Mapped[Annotated[str, AllowedFor(SECURITY)]]


class Secret(Base):
    __tablename__ = "secret"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    secret: Mapped[str]
    account_id: Mapped[int]


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[Annotated[int, SubjectId]]
    item: Mapped[str]
    cents: Mapped[int]
    email: Mapped[Annotated[str, AllowedFor(ORDERS, OWN_DATA)]]
    address: Mapped[Annotated[str, AllowedFor(ORDERS, OWN_DATA)]]


class Message(Base):
    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    recipient: Mapped[str]
    text: Mapped[str]
