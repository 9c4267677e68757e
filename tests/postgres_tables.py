"""Tables with tags, in a database of their own, with an owner and a login that may take the roles."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
from postgres_server import running
from purposes import ADVERTISING, RECOVERY, SECRET, SECURITY, TWO_FACTOR
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, create_engine, text
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import NullPool

from purposebind import AllowedFor
from purposebind.integrations.postgres import ddl
from purposebind.integrations.sqlalchemy import SealedType

__all__ = ["ROLE", "Account", "Base", "Database", "below", "made", "raw", "role"]

# `current_user` says which role is in force, and no table is needed for it.
ROLE = text("SELECT current_user")

_numbers = itertools.count(1)


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    handle: Mapped[str]
    phone: Mapped[str] = mapped_column(SealedType(String(), AllowedFor(TWO_FACTOR)))
    email: Mapped[str] = mapped_column(SealedType(String(), AllowedFor(SECURITY, never=[RECOVERY])), unique=True)


Table("visit", Base.metadata, Column("id", Integer, primary_key=True), Column("account_id", ForeignKey("account.id")))


@dataclass
class Database:
    """One database: names of roles are unique to it, for roles belong to the server."""

    dsn: str
    prefix: str
    login: str
    metadata: MetaData = field(default_factory=lambda: Base.metadata)

    @property
    def name(self) -> str:
        return self.dsn.rpartition("dbname=")[2]

    def url(self, user: str, driver: str = "psycopg") -> URL:
        made = make_url(f"postgresql+{driver}:///{self.name}")
        return made.set(username=user, query={"host": str(running().folder)})

    def engine(self, user: str = "postgres", **options: Any) -> Engine:
        if "poolclass" not in options and user == "postgres":
            options["poolclass"] = NullPool
        return create_engine(self.url(user), **options)

    def async_engine(self, driver: str, **options: Any) -> AsyncEngine:
        return create_async_engine(self.url(self.login, driver), **options)

    def run(self, sql: str, user: str = "postgres") -> None:
        with psycopg.connect(running().dsn(self.name, user), autocommit=True) as connection:
            connection.execute(sql.encode())

    def rows(self, sql: str, role: str | None = None, user: str = "postgres") -> list[Any]:
        """What a statement returns under a role; `psycopg.errors.InsufficientPrivilege` where the server refuses it."""
        with psycopg.connect(running().dsn(self.name, user)) as connection:
            if role is not None:
                connection.execute(psycopg.sql.SQL("SET ROLE {}").format(psycopg.sql.Identifier(role)))
            cursor = connection.execute(sql.encode())
            rows = cursor.fetchall() if cursor.description else []
            connection.rollback()
            return rows

    def role(self, *purposes: Any) -> str:
        from purposebind.integrations.postgres.naming import Names

        return Names(self.prefix).of(purposes)

    def apply(self, sets: Any = (), **options: Any) -> None:
        self.run(ddl(self.metadata, sets, prefix=self.prefix, logins=[self.login], **options))


@contextlib.contextmanager
def made(metadata: MetaData | None = None) -> Iterator[Database]:
    """Make a database with the tables, one account in them, the roles, and a login."""
    number = f"{os.getpid()}_{next(_numbers)}"
    database = Database(running().new_database(), f"pb{number}", f"app{number}", metadata or Base.metadata)
    engine = database.engine()
    database.metadata.create_all(engine)
    if metadata is None:
        with engine.begin() as connection:
            values = {"phone": SECRET}
            connection.execute(text("INSERT INTO account VALUES (1, 'ada', :phone, 'ada@example.com')"), values)
            connection.execute(text("SELECT setval('account_id_seq', 10)"))
    engine.dispose()
    database.run(f"CREATE ROLE {database.login} LOGIN")
    database.apply([(ADVERTISING, SECURITY)])
    yield database


def role(connection: Any) -> str:
    return str(connection.execute(ROLE).scalar_one())


def raw(connection: Connection) -> str:
    """The role in force, asked of the server itself."""
    return below(connection, "SELECT current_user")


def below(connection: Connection, statement: str) -> str:
    """What a statement returns that is run on the connection below the guard, where nothing but the server refuses."""
    dbapi: Any = connection.connection.dbapi_connection
    result = dbapi.pgconn.exec_(statement.encode())
    if result.status != psycopg.pq.ExecStatus.TUPLES_OK:
        raise psycopg.errors.lookup(result.error_field(psycopg.pq.DiagnosticField.SQLSTATE).decode())
    return str(result.get_value(0, 0).decode())
