"""`assume_roles`: each statement of an engine runs under the role of the purposes that are active.

What this module keeps:

- **R2**, **R3** The role is asked for at each statement, so a scope inside a transaction counts, and so does its end.
- **R5** A role ends with its transaction: it is set LOCAL. Where there is no transaction, in autocommit, it is taken
  back before the connection is in the pool again, or the connection is thrown away.
- The loader's role is in force for one statement, which the guard has found to move entities sealed, and no longer.
- A set of purposes without a role is refused, unless no tagged column may be read for it anyway.
- **R9** An engine that is not guarded is refused: which statements move entities sealed, the guard knows.
- **R11** Where reads are observed and not refused, statements run under the loader's role.

What is known of the role in force is forgotten whenever something else may have changed it: at the ends of
transactions, at savepoints, after an error, after each statement that is no plain query, or not SQLAlchemy's.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from sqlalchemy import event

from purposebind import PolicyError, Purpose, active_purposes
from purposebind.integrations.sqlalchemy import drivers, moves_entities
from purposebind.integrations.sqlalchemy.sealed_type import GUARDED
from purposebind.using import enforcing

from .naming import quoted
from .rights import Rights, rights_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, MetaData
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["assume_roles"]

E = TypeVar("E", bound="Engine | AsyncEngine")

_ROLES: Final = "_purposebind_roles"
_IN_FORCE: Final = "purposebind_role"
_SINCE: Final = "purposebind_role_since"
_UNTIL_RESET: Final = "purposebind_role_of_session"
_BEFORE: Final = r"(?:\s|--[^\n]*\n|/\*(?:(?!/\*|\*/)[\s\S])*\*/)*"  # comments, which libraries that trace put there
_PLAIN: Final = re.compile(_BEFORE + r"[(\s]*(SELECT|INSERT|UPDATE|DELETE|WITH|VALUES)\b[^;]*;?\s*", re.IGNORECASE)
_CONTROL: Final = re.compile(
    _BEFORE + r"(BEGIN|START|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|PREPARE\s+TRANSACTION)\b[^;]*;?\s*",
    re.IGNORECASE,
)
_ENDS: Final = ("begin", "commit", "rollback", "commit_twophase", "rollback_twophase")
_SAVEPOINTS: Final = ("savepoint", "rollback_savepoint", "release_savepoint")

# What the server says of a role that is not there, or that the login may not take.
_NO_SUCH_ROLE: Final = ("22023", "42501", "42704")


def assume_roles(
    engine: E,
    metadata: MetaData | Iterable[MetaData],
    *,
    prefix: str = "purposebind",
    schema: str = "public",
) -> E:
    """Have each statement of `engine` run under the role of the purposes that are active, and return the engine.

    The roles are those that `purposebind postgres ddl` wrote. Guard the engine first, and call this once, before it
    connects.

    Args:
        engine: A guarded engine of PostgreSQL, or an async one. Its login may take the roles, and has no rights of its
            own.
        metadata: The tables, as for `ddl`.
        prefix: What the roles' names begin with.
        schema: The schema of tables that name none.

    Raises:
        PolicyError: The engine is none of PostgreSQL's, is not guarded or has roles already, or no column has a tag.

    Example:
        >>> from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine
        >>> from purposebind import AllowedFor, Purpose
        >>> from purposebind.integrations.sqlalchemy import SealedType, guard
        >>> delivery = Purpose("delivery", "Bring parcels")
        >>> metadata = MetaData()
        >>> address = Column("address", SealedType(String(), AllowedFor(delivery)))
        >>> parcel = Table("parcel", metadata, Column("id", Integer, primary_key=True), address)
        >>> engine = guard(create_engine("postgresql+psycopg://shop_app@db.example/shop"), metadata)
        >>> engine = assume_roles(engine, metadata, prefix="shop")
    """
    sync: Any = getattr(engine, "sync_engine", cast("Any", engine))
    if sync.dialect.name != "postgresql":
        raise PolicyError(f"Roles are PostgreSQL's: assume_roles takes no engine of {sync.dialect.name}.")
    if not getattr(sync.dialect, GUARDED, False):
        raise PolicyError(
            "This engine is not guarded, and the guard says which statements load entities. Guard it first: "
            "assume_roles(guard(engine, Base.metadata), Base.metadata)."
        )
    if getattr(sync.dialect, _ROLES, False):
        raise PolicyError("This engine assumes roles already: call assume_roles once, where the engine is made.")
    roles = _Roles(rights_of(metadata, prefix=prefix, schema=schema))
    setattr(sync.dialect, _ROLES, True)
    event.listen(sync, "before_cursor_execute", roles.before)
    event.listen(sync, "after_cursor_execute", roles.after)
    event.listen(sync, "handle_error", roles.failed)
    for name in (*_ENDS, *_SAVEPOINTS):
        event.listen(sync, name, roles.forget)
    event.listen(sync, "prepare_twophase", roles.prepare)
    event.listen(sync.pool, "reset", roles.reset)
    return engine


class _Roles:
    """What one engine knows of its roles."""

    def __init__(self, rights: Rights) -> None:
        self._rights = rights
        self._known: frozenset[str] | None = None

    def before(
        self, connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        # A transaction that failed takes nothing but its end; and no rights are needed for that.
        if _CONTROL.fullmatch(statement):
            return
        with _told(connection):
            self._take(connection, self._wanted(connection, context))

    def after(
        self, connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        if connection.info.get(_IN_FORCE) == self._rights.names.loader:
            self._take(connection, self._of_scope_or_none(connection))
        if not _PLAIN.fullmatch(statement):
            connection.info.pop(_IN_FORCE, None)  # ROLLBACK TO, SET and the like

    def failed(self, failure: Any) -> None:
        connection = failure.connection
        if connection is None or failure.is_disconnect or connection.closed or connection.invalidated:
            return
        in_force = connection.info.pop(_IN_FORCE, None)
        if in_force == self._rights.names.loader and _is_autocommit(connection):
            try:
                _run(connection, "RESET ROLE")  # in a transaction nothing runs any more until it is rolled back
            except Exception:
                connection.invalidate()  # the error that brought us here is the one to tell of

    def forget(self, connection: Connection, *_: Any) -> None:
        if not connection.invalidated:
            connection.info.pop(_IN_FORCE, None)

    def prepare(self, connection: Connection, xid: Any) -> None:
        """A transaction that is prepared belongs to the role in force, and whoever ends it later has to be the same."""
        with _told(connection):
            self._take(connection, None)

    def reset(self, dbapi_connection: Any, record: Any, state: Any) -> None:
        if record is None or not record.info:
            return
        taken = record.info.pop(_IN_FORCE, None)
        of_session = record.info.pop(_UNTIL_RESET, None)
        if not state.asyncio_safe:  # such a connection is closed, not kept
            return
        if (of_session or taken) and not state.transaction_was_reset:
            dbapi_connection.rollback()  # which ends what was set LOCAL; and one that failed takes no statement
        if of_session:
            cursor = dbapi_connection.cursor()
            try:
                with _passed(None, cursor, "RESET ROLE"):
                    cursor.execute("RESET ROLE")
            finally:
                cursor.close()
            dbapi_connection.commit()  # where it is no longer in autocommit, a later rollback would undo it

    # --- Which role --------------------------------------------------------------------------------------------------

    def _wanted(self, connection: Connection, context: Any) -> str:
        loader = self._rights.names.loader
        if (not enforcing() or moves_entities(context)) and self._has(connection, loader):
            return loader
        return self._of_scope(connection)

    def _of_scope(self, connection: Connection) -> str:
        active = active_purposes()
        names = self._rights.names
        role = names.of(active)
        if self._has(connection, role):
            return role
        if active and self._rights.reads_nothing(active) and self._has(connection, names.none):
            return names.none
        self._known = None  # it may have been made since we asked
        if self._has(connection, role):
            return role
        raise PolicyError(self._missing(active, role))

    def _of_scope_or_none(self, connection: Connection) -> str | None:
        """The role to go back to after the loader's; the login itself where there is none, and the next is refused."""
        try:
            return self._of_scope(connection)
        except PolicyError:
            return None

    def _has(self, connection: Connection, role: str) -> bool:
        known = self._known
        if known is None:
            known = self._known = frozenset(self._ask(connection))
        return role in known

    def _ask(self, connection: Connection) -> Iterable[str]:
        version = connection.dialect.server_version_info
        right = "SET" if version and version >= (16,) else "MEMBER"
        rows = _run(
            connection,
            "SELECT rolname::text FROM pg_catalog.pg_roles "
            f"WHERE pg_catalog.pg_has_role(session_user, oid, '{right}') "
            f"AND pg_catalog.starts_with(rolname::text, '{self._rights.names.prefix}')",
            fetch=True,
        )
        return [row[0] for row in rows]

    def _missing(self, active: frozenset[Purpose], role: str) -> str:
        names = ",".join(sorted(purpose.name for purpose in active))
        several = f" --set '{names}'" if len(active) > 1 else ""
        return (
            f"Nothing runs in the database for {names.replace(',', ', ') or 'no purpose'}: this login has no role "
            f"{quoted(role)} to take.\nWays out:\n"
            f"  - write the roles anew, and apply what is written: purposebind postgres ddl MODULE:metadata{several}\n"
            f"  - let the login take the role: GRANT {quoted(role)} TO the login, or --login with the command above."
        )

    # --- Taking it ---------------------------------------------------------------------------------------------------

    def _take(self, connection: Connection, role: str | None) -> None:
        info = connection.info
        dbapi: Any = connection.connection.dbapi_connection
        driver = connection.dialect.get_driver_connection(dbapi)
        # What was run below SQLAlchemy may have ended the transaction, or gone back to a savepoint.
        if role is not None and info.get(_IN_FORCE) == role and info[_SINCE] == drivers.turns(driver):
            return
        alone = _is_autocommit(connection)
        info.pop(_IN_FORCE, None)
        if alone:
            info[_UNTIL_RESET] = True
        name = quoted(role) if role is not None else "NONE"
        refused = False
        try:
            _run(connection, f"SET {'SESSION' if alone else 'LOCAL'} ROLE {name}")
        except connection.dialect.loaded_dbapi.Error as error:
            if getattr(error, "sqlstate", None) not in _NO_SUCH_ROLE:
                raise
            refused = True  # dropped, or taken from the login, since we asked
        if refused:
            self._known = None
            raise PolicyError(self._missing(active_purposes(), role or "none"))
        if role is not None:
            info[_IN_FORCE], info[_SINCE] = role, drivers.turns(driver)


@contextmanager
def _told(connection: Connection) -> Generator[None]:
    """Have SQLAlchemy hear of an error, for which it does not look out while listeners run.

    A server that was restarted, a cancelled task: the pool has to know, and the caller meets an error of SQLAlchemy's.
    """
    try:
        yield
    except PolicyError:
        raise
    except BaseException as error:
        connection._handle_dbapi_exception(error, "SET ROLE", None, None, None)


def _is_autocommit(connection: Connection) -> bool:
    dbapi: Any = connection.connection.dbapi_connection
    return bool(dbapi.autocommit)


def _run(connection: Connection, statement: str, fetch: bool = False) -> Any:
    cursor = connection.connection.cursor()
    try:
        with _passed(connection, cursor, statement):
            cursor.execute(statement)
            return cursor.fetchall() if fetch else None
    finally:
        cursor.close()


class _passed:
    """Tells the guard of the driver that a statement is ours: taking a role is what it refuses to all others."""

    def __init__(self, connection: Any, cursor: Any, statement: str) -> None:
        self._what = (connection, cursor, statement)

    def __enter__(self) -> None:
        drivers.passed(*self._what)

    def __exit__(self, *_: object) -> None:
        drivers.finished(*self._what[:2])
