"""The service's tables as SQLAlchemy knows them, with the same tags as the models. Needs the extra ``sqlalchemy``.

Parts of a service that came later, or were written by other people, often have tables of their own for the data that is
there already: these are for the advertising code that would rather write a query than ask for models.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from sqlalchemy import Column, Engine, Integer, String, Table, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from purposebind import AllowedFor, SubjectId
from purposebind.integrations.sqlalchemy import SealedType, guard

from .accounts import TWO_FACTOR

__all__ = ["Account", "Base", "lookup_key", "open_engine", "upload"]


class Base(DeclarativeBase):
    """What the tables have in common."""


class Account(Base):
    """An account, as an entity."""

    __tablename__ = "account"

    id: Mapped[Annotated[int, SubjectId]] = mapped_column(primary_key=True)
    handle: Mapped[str]
    country: Mapped[str]
    phone: Mapped[Annotated[str | None, AllowedFor(TWO_FACTOR)]]
    email: Mapped[Annotated[str | None, AllowedFor(TWO_FACTOR)]]


lookup_key = Table(
    "lookup_key",
    Base.metadata,
    Column("account", Integer, nullable=False),
    Column("digest", SealedType(String, AllowedFor(TWO_FACTOR), "LookupKey.digest"), nullable=False),
)

upload = Table("upload", Base.metadata, Column("digest", String, primary_key=True))


@contextmanager
def open_engine(path: Path) -> Generator[Engine, None, None]:
    """Open the service's database as a service does that uses SQLAlchemy, and close it at the end of the block.

    Args:
        path: The file.
    """
    engine = guard(create_engine(f"sqlite:///{path}"), Base.metadata)
    try:
        yield engine
    finally:
        engine.dispose()
