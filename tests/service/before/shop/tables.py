"""What the database holds."""

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """What all tables have in common."""


class Account(Base):
    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    handle: Mapped[str] = mapped_column(unique=True)
    city: Mapped[str]
    name: Mapped[str]
    phone: Mapped[str]
    email: Mapped[str]
    password: Mapped[str]


class Secret(Base):
    __tablename__ = "secret"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    secret: Mapped[str]
    account_id: Mapped[int]


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int]
    item: Mapped[str]
    cents: Mapped[int]
    email: Mapped[str]
    address: Mapped[str]


class Message(Base):
    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    recipient: Mapped[str]
    text: Mapped[str]
