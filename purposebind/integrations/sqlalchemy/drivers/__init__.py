"""The drivers: each statement that a cursor of a guarded engine's connection runs is checked, whoever made the cursor.

What this package keeps:

- **R1** A statement is a use also where SQLAlchemy does not see it: a raw cursor, a driver's own shortcut, COPY, a
  server-side cursor, a prepared statement. The check comes before the driver gets the statement, in the caller's own
  context, also where the SQL then runs in another thread.
- **R1** Roads that read without a statement (a blob opened by its column, a dump, a copy of the whole database) are
  refused: there is nothing to check.
- **R7** What a server says of a raw statement that touches tagged columns is kept as far as it names things, and left
  out where it quotes; and aiosqlite's log shows no parameters.
- A connection that cannot be watched is refused when it is checked out of the pool.

How: when the pool gets a connection, whoever made it, its class is changed to a subclass of its class whose methods
check first; the cursors, prepared statements and transactions that come out of it likewise. A class of the user's own
keeps working, for it is the one that is subclassed. Statements that the dialect or the driver writes by itself, such as
BEGIN, or the questions asked of a new connection, are let through.

What remains outside:

- A method of a driver's class called past the object: ``sqlite3.Cursor.execute(cursor, sql)``, ``super(...)``.
- ``sqlite3.Cursor(connection)``, made by hand instead of by ``connection.cursor()``: a class written in C has no place
  for a check. (The like in psycopg is refused.) What code written in C does with a sqlite3 connection.
- The sqlite3 connection inside one of aiosqlite (``connection._conn``), which is private. (``cursor.connection``, which
  is not, is refused.)
- With SQLAlchemy 2.0, the cursor of a statement that a listener stopped after it was checked: SQLAlchemy tells nobody,
  so the pass stays with that cursor, for that text, once.
- psycopg's layer below its cursors: ``connection.pgconn``, ``connection.wait()``, ``cursor._query``, and its questions
  about types, which are checked as anybody's are.
- asyncpg's layer below its connection: ``connection._protocol``, ``connection._execute()``.
- Rows already fetched, or still to be fetched from a statement that has run: the statement is the use. A portal, or a
  cursor that was declared, is read on.
- What the database does by itself: triggers, functions written in its languages, callbacks given to
  ``create_function`` or ``set_trace_callback``, logs, listeners.
- Reading the file of the database itself, and connections that this engine did not make.
"""

from __future__ import annotations

from .installing import finished, passed, watch
from .watching import Check, turns

__all__ = ["Check", "finished", "passed", "turns", "watch"]
