"""Mapped classes whose rows say what their values were collected for, and when; for the tests of databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from sqlalchemy import DateTime, ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from purposebind import AllowedFor, CollectedAt, Purpose, SubjectId
from purposebind.integrations.sqlalchemy import CollectedFor

__all__ = [
    "CODES",
    "KEPT",
    "LOGIN",
    "OFFERS",
    "Base",
    "Card",
    "Kept",
    "Letter",
    "Mail",
    "Person",
    "Phone",
    "Premium",
    "Reader",
]

LOGIN = Purpose("cdb_login", "Let people in")
CODES = LOGIN.child("codes", "Send a login code")
OFFERS = Purpose("cdb_offers", "Send offers")

Phone = Annotated[str, AllowedFor(LOGIN, OFFERS)]
Kept = Annotated[str, AllowedFor(LOGIN, retain=timedelta(days=90))]
Mail = Annotated[str, AllowedFor(LOGIN, with_consent=[OFFERS])]
KEPT = timedelta(days=90)


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"

    id: Mapped[Annotated[int, SubjectId]] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(default="person")
    handle: Mapped[str | None] = mapped_column(String(20), unique=True)
    phone: Mapped[Phone | None]
    phone_collected_for: Mapped[tuple[str, ...] | None] = mapped_column(CollectedFor("phone"))
    other: Mapped[Phone | None]
    cards: Mapped[list[Card]] = relationship(back_populates="person", order_by="Card.id")

    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}  # noqa: RUF012


class Premium(Person):
    """In a table of its own, joined."""

    __tablename__ = "premium"

    id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    fax: Mapped[Phone | None]
    fax_collected_for: Mapped[tuple[str, ...] | None] = mapped_column(CollectedFor("fax"), deferred=True)
    rank: Mapped[int | None]

    __mapper_args__ = {"polymorphic_identity": "premium"}  # noqa: RUF012


class Card(Base):
    __tablename__ = "card"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    number: Mapped[Phone | None]
    number_collected_for: Mapped[tuple[str, ...] | None] = mapped_column(CollectedFor("number"))
    person: Mapped[Person | None] = relationship(back_populates="cards")


class Letter(Base):
    """What is kept for a time only."""

    __tablename__ = "letter"

    id: Mapped[Annotated[int, SubjectId]] = mapped_column(primary_key=True)
    collected_at: Mapped[Annotated[datetime | None, CollectedAt]] = mapped_column(DateTime(timezone=True))
    address: Mapped[Kept | None]
    title: Mapped[str | None]


class Reader(Base):
    """Who may be written to with offers, if they say so."""

    __tablename__ = "reader"

    id: Mapped[Annotated[int, SubjectId]] = mapped_column(primary_key=True)
    mail: Mapped[Mail | None]
