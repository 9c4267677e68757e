"""`guard`: the statements of an engine are uses, weighed before they reach the database.

What this module keeps:

- **R1**, **R2**, **R3** The final text of each statement is weighed, whoever wrote it: the ORM, Core, a text, a
  cursor of the driver's.
- **R7** Neither echo nor an error shows parameters.
- **R9** An engine that is not fit to be guarded is refused where it is guarded.
"""

from __future__ import annotations

import functools
import os.path
import re
from collections.abc import Callable, Iterable
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import sqlalchemy
from sqlalchemy import event

from purposebind import PolicyError, PurposeError
from purposebind.sites import pass_over

from . import drivers
from .cataloging import tables
from .checking import Checker, Prepared
from .failing import cleaned
from .moving import moved_by, telling_compiler
from .sealed_type import GUARDED

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, MetaData
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["guard", "moves_entities"]

E = TypeVar("E", bound="Engine | AsyncEngine")

_PREPARED: Final = "_purposebind_prepared"
_CHECKED: Final = "_purposebind_checked"
_QUERY: Final = re.compile(r"[(\s]*(SELECT|INSERT|UPDATE|DELETE|WITH|VALUES|COPY)\b", re.IGNORECASE)


def guard(engine: E, *metadata: MetaData, relations: Iterable[str] = (), functions: Iterable[str] = ()) -> E:
    """Have each statement of `engine` be a use of the tagged columns that it reads, and return the engine.

    Call it once, where the engine is made, before it connects.

    Args:
        engine: An engine of SQLite or PostgreSQL, or an async one.
        metadata: All that describes tables of the database: ``Base.metadata``. Tables may be added to it later.
        relations: Tables without tags that are in no metadata, by name; with their schema where that is not the usual.
        functions: Functions of your own that read no table, by name.

    Raises:
        PolicyError: The engine is of another database or driver, has connected already or is guarded; or no metadata is
            given.

    Example:
        >>> from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, insert, select
        >>> from purposebind import AllowedFor, Purpose, purpose_scope
        >>> from purposebind.integrations.sqlalchemy import SealedType
        >>> delivery = Purpose("delivery", "Bring parcels")
        >>> metadata = MetaData()
        >>> address = Column("address", SealedType(String, AllowedFor(delivery)))
        >>> parcel = Table("parcel", metadata, Column("id", Integer, primary_key=True), address)
        >>> engine = guard(create_engine("sqlite://"), metadata)
        >>> metadata.create_all(engine)
        >>> with engine.begin() as connection:
        ...     _ = connection.execute(insert(parcel).values(address="12 Sea Road"))
        ...     with purpose_scope(delivery):
        ...         connection.scalars(select(parcel.c.address)).all()
        ['12 Sea Road']
    """
    sync: Any = getattr(engine, "sync_engine", engine)
    dialect = sync.dialect
    if dialect.name not in ("sqlite", "postgresql"):
        raise PolicyError(
            f"An engine of {dialect.name} cannot be guarded: its SQL is not read. There are sqlite and postgresql."
        )
    if not metadata:
        raise PolicyError("guard(engine, Base.metadata) takes the metadata that holds the tags: none is given.")
    if getattr(dialect, GUARDED, False):
        raise PolicyError("This engine is guarded already: guard it once, where it is made.")
    known = tuple(metadata)
    watch = _Guard(Checker(dialect.name, lambda: tables(known), relations, functions))
    tables(known)  # what is declared wrong is said here
    drivers.watch(sync, watch.driver)
    setattr(dialect, GUARDED, True)
    dialect.statement_compiler = telling_compiler(dialect.statement_compiler)
    sync.clear_compiled_cache()
    sync.hide_parameters = True
    _log_no_rows(sync)
    event.listen(sync, "set_engine_execution_options", _log_no_rows)  # a copy with options of its own
    event.listen(sync, "before_cursor_execute", watch.before)
    for name in ("do_execute", "do_execute_no_params", "do_executemany"):
        setattr(dialect, name, watch.last(getattr(dialect, name)))
    event.listen(sync, "after_cursor_execute", watch.after)
    event.listen(sync, "handle_error", watch.failed, retval=True)
    event.listen(sync.pool, "connect", watch.connected)
    return engine


def _log_no_rows(engine: Any, options: Any = None) -> None:
    """Have ``echo="debug"`` leave out what comes back: it logs each row."""
    engine._should_log_debug = lambda: False


def moves_entities(context: Any) -> bool:
    """Whether the statement that is about to be executed brings tagged columns back sealed, and uses none.

    Args:
        context: Its execution context, as ``before_cursor_execute`` has it.
    """
    prepared: Prepared | None = getattr(context, _PREPARED, None)
    return prepared is not None and prepared.moves and not prepared.uses and prepared.refusal is None


class _Guard:
    """What one engine's events do."""

    def __init__(self, checker: Checker) -> None:
        self.checker = checker

    def before(
        self, connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        try:
            moved, composed = moved_by(context, statement)
            prepared = self.checker.check(statement, moved, composed, lambda query: _run(connection.connection, query))
        except PurposeError:
            cursor.close()  # SQLAlchemy 2.0 leaves it open, and one of the server's warns of that
            raise
        setattr(context, _PREPARED, prepared)
        setattr(context, _CHECKED, statement)
        drivers.passed(connection, cursor, statement)

    def last(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap what hands a statement to the driver: a listener after `before` may have put a comment to it."""

        @functools.wraps(execute)
        def run(cursor: Any, statement: str, *args: Any, **kwargs: Any) -> Any:
            context: Any = kwargs.get("context", args[-1] if args else None)
            if getattr(context, _CHECKED, statement) != statement:
                self.before(context.root_connection, cursor, statement, None, context, False)
            return execute(cursor, statement, *args, **kwargs)

        return run

    def after(
        self, connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        drivers.finished(connection, cursor)

    def driver(self, connection: Any, statement: str) -> bool:
        """A cursor of the driver's is about to run a statement that `before` did not see; tell whether errors quote."""
        return _may_quote(self.checker.check(statement), statement)

    def failed(self, failure: Any) -> BaseException | None:
        cursor = getattr(failure.execution_context, "cursor", None)
        if cursor is not None and failure.connection is not None:
            drivers.finished(failure.connection, cursor)
        prepared: Prepared | None = getattr(failure.execution_context, _PREPARED, None)
        return cleaned(failure, prepared is None or _may_quote(prepared, failure.statement or ""))

    def connected(self, dbapi_connection: Any, record: Any) -> None:
        self.checker.looked(lambda statement: _run(dbapi_connection, statement))
        dbapi_connection.rollback()  # a transaction left open could not be put into autocommit


def _may_quote(prepared: Prepared, statement: str) -> bool:
    """Whether an error of it may quote a tagged value. Definitions and COMMIT check rows they do not name."""
    return prepared.unweighed or bool(prepared.touches) or _QUERY.match(statement) is None


def _run(dbapi_connection: Any, statement: str) -> list[Any]:
    """Run a query of ours."""
    cursor = dbapi_connection.cursor()
    try:
        drivers.passed(None, cursor, statement)
        cursor.execute(statement)
        return list(cursor.fetchall())
    finally:
        drivers.finished(None, cursor)
        cursor.close()


def _beyond_greenlet() -> FrameType | None:
    """The frame that the current greenlet was started from: an async engine runs its statements in one."""
    try:
        from greenlet import getcurrent  # type: ignore[import-untyped,unused-ignore]
    except ModuleNotFoundError:
        return None
    parent = getcurrent().parent
    return getattr(parent, "gr_frame", None)


_HERE = os.path.dirname(os.path.abspath(__file__))
pass_over(os.path.dirname(sqlalchemy.__file__), "<sqlalchemy", os.path.dirname(_HERE), bridge=_beyond_greenlet)
