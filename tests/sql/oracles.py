"""What the databases themselves say that a statement reads.

What this module keeps: nothing here comes from the analyser. SQLite tells its authorizer each column that it resolves,
while it compiles; PostgreSQL refuses a statement to a role that lacks a grant on a column that it needs. Nothing runs:
both are asked to EXPLAIN.

What they do not see, and the generator says instead: on SQLite the columns of USING and NATURAL, and of ``excluded``;
on PostgreSQL a CTE that nothing refers to. Both see the columns that a
view computes with as the view's, so `relations` says which they are.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Collection, Iterator
from typing import Any

import psycopg
from psycopg import errors

from .relations import DDL, POLICIES, TABLES, VIEWS

__all__ = ["Oracle", "postgresql_oracle", "sqlite_oracle"]

Oracle = Callable[[str, Collection[str]], "frozenset[str] | None"]
"""Takes a statement, and tagged columns that need not be asked about; returns the tagged columns that it reads, as far
as the database tells, or None where the database does not accept the statement."""

_VIEWS = {view.name: view for view in VIEWS}


@contextlib.contextmanager
def sqlite_oracle() -> Iterator[Oracle]:
    """Ask SQLite, through the authorizer of a connection."""
    seen: set[str] = set()

    def authorize(action: int, one: str | None, two: str | None, database: str | None, within: str | None) -> int:
        inside = (within or "").lower()  # as the statement writes it
        if action == sqlite3.SQLITE_READ and inside in _VIEWS:  # what a view computes with
            seen.update(_VIEWS[inside].rows)
        elif action == sqlite3.SQLITE_READ:
            relation, column = (one or "").lower(), (two or "").lower()
            view = _VIEWS.get(relation)
            if view is None:
                seen.add(f"{relation}.{column}")
            else:
                seen.update(view.rows)
                if column in view.shows:
                    seen.add(view.shows[column])
        return sqlite3.SQLITE_OK

    def ask(sql: str, known: Collection[str] = ()) -> frozenset[str] | None:
        seen.clear()
        try:
            connection.execute("EXPLAIN " + sql, _ANY).close()
        except (sqlite3.Error, sqlite3.Warning):
            return None
        return frozenset(seen & POLICIES.keys())

    with contextlib.closing(sqlite3.connect(":memory:", cached_statements=0)) as connection:
        for statement in DDL:
            connection.execute(statement)
        connection.set_authorizer(authorize)
        yield ask


class _Anything(dict[str, int]):
    def __missing__(self, key: str) -> int:
        return 1


_ANY = _Anything()


@contextlib.contextmanager
def postgresql_oracle(dsn: str) -> Iterator[Oracle]:
    """Ask a PostgreSQL server: a role for each tagged column that may read all but that, and one that may read none."""
    with contextlib.ExitStack() as stack:
        owner = stack.enter_context(contextlib.closing(psycopg.connect(dsn, autocommit=True)))
        database = owner.info.dbname
        for statement in DDL:
            owner.execute(statement.encode())
        roles: dict[str, psycopg.Connection[Any]] = {}
        for number, key in enumerate(["", *POLICIES]):
            role = f"{database}_without_{number}"
            owner.execute(f"CREATE ROLE {role}".encode())
            stack.callback(owner.execute, f"DROP OWNED BY {role}; DROP ROLE {role}".encode())
            for grant in _grants(role, POLICIES if not key else (key,)):
                owner.execute(grant.encode())
            roles[key] = stack.enter_context(contextlib.closing(psycopg.connect(dsn, autocommit=True)))
            roles[key].execute(f"SET ROLE {role}".encode())

        def refused(key: str, sql: str) -> bool:
            try:
                roles[key].execute(sql.encode())
            except errors.InsufficientPrivilege:
                return True
            return False

        def ask(sql: str, known: Collection[str] = ()) -> frozenset[str] | None:
            sql = "EXPLAIN " + sql
            try:
                if not refused("", sql):
                    return frozenset()
                return frozenset(key for key in POLICIES if key in known or refused(key, sql))
            except (psycopg.Error, UnicodeError):
                return None

        yield ask


def _grants(role: str, without: Collection[str]) -> Iterator[str]:
    yield f"GRANT USAGE, CREATE ON SCHEMA public TO {role}"
    for table in TABLES:
        open_ = [name for name in table.columns if f"{table.name}.{name}" not in without]
        yield f"GRANT INSERT, UPDATE, DELETE, TRUNCATE, SELECT ({', '.join(open_)}) ON {table.name} TO {role}"
    for view in VIEWS:
        open_ = [name for name in view.columns if view.shows.get(name) not in without]
        if not set(view.rows) & set(without):
            yield f"GRANT UPDATE, SELECT ({', '.join(open_)}) ON {view.name} TO {role}"  # FOR UPDATE needs both
