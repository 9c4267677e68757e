"""What `SQLAlchemyConsents` is made of: its engine, its table, and a person as text.

What this module keeps:

- **R7** Who is asked about stands in no log and in no error: neither as a parameter nor in what a server says of a row.
- A person's text is no other person's.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
)
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from purposebind import PolicyError

from .failing import clean

__all__ = ["engine_of", "hidden", "made_table", "sqlite_in_time", "text_of", "text_or_none", "unquoted"]


def hidden(engine: Engine) -> Engine:
    """An engine like this one, that logs neither parameters nor rows (R7)."""
    made: Any = engine.execution_options()
    made.hide_parameters = True
    made._should_log_debug = lambda: False  # each row, with echo="debug"
    return made  # type: ignore[no-any-return]


def engine_of(engine: Any) -> Engine:
    bound = engine.kw.get("bind") if isinstance(engine, sessionmaker) else engine
    if not isinstance(bound, Engine):
        raise PolicyError(
            f"SQLAlchemyConsents takes an Engine, or a sessionmaker with one, not {type(bound).__name__}. A service "
            "with an async engine makes another for it: create_engine(url)."
        )
    if bound.dialect.name not in ("sqlite", "postgresql"):
        raise PolicyError(f"SQLAlchemyConsents keeps consents in SQLite or PostgreSQL, not in {bound.dialect.name}.")
    if isinstance(bound.pool, (StaticPool, SingletonThreadPool)):
        raise PolicyError(
            "SQLAlchemyConsents needs a connection of its own, and the pool of this engine has one that everybody "
            "shares (a SQLite database in memory). Use a file, or purposebind.consent.InMemoryConsents."
        )
    return bound


def made_table(metadata: MetaData, name: str, schema: str | None) -> Table:
    known = metadata.tables.get(f"{schema}.{name}" if schema else name)
    if known is not None:
        return known
    return Table(
        name,
        metadata,
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
        Column("subject", String, nullable=False),
        Column("purpose", String, nullable=False),
        Column("given", Boolean, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("wording", String, nullable=False),
        Index(f"ix_{name}_subject", "subject", "purpose", "id", "given"),
        schema=schema,
        sqlite_autoincrement=True,  # a number is not given twice, though old choices may be erased
    )


def text_of(subject: Any) -> str:
    """A person's `SubjectId` as text, from which no other person's is made: 17 is not ``"17"``."""
    if isinstance(subject, int) and not isinstance(subject, bool) and abs(subject) < _HUGE:
        return f"int:{int(subject)}"
    if isinstance(subject, str) and "\0" not in subject and subject.encode(errors="replace").decode() == subject:
        return f"str:{str.__str__(subject)}"  # not as a member of an enum writes itself
    if isinstance(subject, UUID):
        return f"uuid:{subject}"
    raise TypeError(
        f"The SubjectId of a choice is an int, a str without NUL or a UUID, not a {type(subject).__name__}."
    )


_HUGE = 10**1000
"""Longer numbers are nobody's, and Python writes none of some thousand digits."""


def text_or_none(subject: Any) -> str | None:
    try:
        return text_of(subject)
    except TypeError:
        return None


@contextlib.contextmanager
def sqlite_in_time(connection: Connection, milliseconds: int) -> Generator[None]:
    """Have SQLite wait for no lock, and work on no statement, for longer than that."""
    driver: Any = connection.connection.dbapi_connection
    before = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {milliseconds}")
    until = time.monotonic() + milliseconds / 1000
    driver.set_progress_handler(lambda: time.monotonic() > until, 10_000)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {before}")


@contextlib.contextmanager
def unquoted() -> Generator[None]:
    """Have an error of SQLAlchemy's show no parameters: they are people (R7)."""
    try:
        yield
    except StatementError as error:
        error.hide_parameters, error.params = True, None
        if error.statement is not None and error.orig is not None:  # PostgreSQL's DETAIL quotes the row
            kind, text = type(error.orig), clean(error.orig)
            error.args = (f"({kind.__module__}.{kind.__qualname__}) {text}",)
        raise
