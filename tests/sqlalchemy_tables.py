"""Mapped classes with tags, and guarded engines on which they are, for the tests of the integration with SQLAlchemy."""

from __future__ import annotations

from typing import Annotated, Any

from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, create_engine
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.pool import StaticPool

from purposebind import AllowedFor, SubjectId
from purposebind.integrations.sqlalchemy import SealedType, guard

__all__ = ["Account", "Base", "Device", "async_engine", "audience", "dispose", "engine", "fill", "in_memory"]


class Base(DeclarativeBase):
    metadata = MetaData()


class Account(Base):
    __tablename__ = "account"

    id: Mapped[Annotated[int, SubjectId]] = mapped_column(primary_key=True)
    handle: Mapped[str] = mapped_column(String(50), unique=True)
    phone: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]] = mapped_column(String(50), unique=True)
    email: Mapped[Annotated[str | None, AllowedFor(SECURITY)]] = mapped_column(String(50), default=None)
    devices: Mapped[list[Device]] = relationship(back_populates="account", order_by="Device.id")


class Device(Base):
    __tablename__ = "device"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    serial: Mapped[Annotated[str, AllowedFor(SECURITY)]] = mapped_column(String(50))
    account: Mapped[Account] = relationship(back_populates="devices")


audience = Table(
    "audience",
    Base.metadata,
    Column("id", Integer, primary_key=True),
    Column("phone", SealedType(String(50), AllowedFor(ADVERTISING))),
)


def engine(**options: Any) -> Engine:
    """A guarded engine on a SQLite database in memory, with the tables."""
    return in_memory(Base.metadata, **options)


def in_memory(metadata: MetaData, **options: Any) -> Engine:
    """A guarded engine on a SQLite database in memory, with the tables of `metadata`; `dispose` closes it."""
    options["connect_args"] = {"check_same_thread": False}
    made = guard(create_engine("sqlite://", poolclass=StaticPool, **options), metadata)
    _made.append(made)
    metadata.create_all(made)
    return made


def dispose() -> None:
    """Close what was made here."""
    while _made:
        _made.pop().dispose()


_made: list[Engine] = []


def async_engine(url: str) -> AsyncEngine:
    """A guarded engine on an async driver."""
    return guard(create_async_engine(url), Base.metadata)


def fill(session: Any) -> None:
    """Add an account with a device, whose phone is the secret."""
    session.add(Account(id=1, handle="ada", phone=SECRET, email="ada@x.example", devices=[Device(id=1, serial="s1")]))
