"""Errors of the database, without the values they quote.

What this module keeps:

- **R7** What a server or driver says of a statement that touches tagged columns is kept as far as it names things
  (constraints, columns, types), and left out where it quotes: PostgreSQL's DETAIL, what it says of bad input, and
  parameters.
- **R12** A denial leaves as a denial, and not as an error of SQLAlchemy's.
"""

from __future__ import annotations

import contextlib
import copy
from typing import Any

from sqlalchemy.exc import StatementError

from purposebind import PolicyError, PurposeError, Sealed

from .sealed_type import NotOfItsType

__all__ = ["clean", "cleaned"]

_DRIVERS = ("aiosqlite", "asyncpg", "psycopg", "psycopg_binary", "psycopg_c", "sqlalchemy")
_NAMES_ONLY = ("08", "23", "25", "28", "3D", "40", "53", "54", "55", "57", "58")
"""Classes of SQLSTATE whose main message names things and quotes no value."""


def cleaned(failure: Any, quotes: bool) -> BaseException | None:
    """Take the values out of an error, in place; or return the error to raise in its stead.

    Args:
        failure: SQLAlchemy's context of the error.
        quotes: Whether the statement may have touched tagged columns.
    """
    original = failure.original_exception
    if isinstance(original, PurposeError):
        return copy.copy(original) if failure.sqlalchemy_exception is not None else None
    if failure.execution_context is not None and _holds_box(failure.parameters):  # else they are as they were given
        return PolicyError(
            "A sealed value was given to a SQL statement as a parameter for something that has no tag. Write it into a "
            "tagged column, or open it where its tag allows."
        )
    if not quotes or failure.connection is None:  # who could not connect has said nothing yet
        return None
    text = clean(original)
    wrapped = failure.sqlalchemy_exception
    if isinstance(wrapped, StatementError):
        wrapped.args = (f"({type(original).__module__}.{type(original).__qualname__}) {text}",)
        wrapped.params = None
        if wrapped.orig is not None and wrapped.orig is not original:
            _clean(wrapped.orig, text)
    return None


def clean(error: BaseException) -> str:
    """Take the values out of a driver's error and those it was made of, in place; return what is left of its text."""
    text = _kept(error)
    for one in _chain(error):
        _clean(one, text)
    return text


def _holds_box(parameters: Any) -> bool:
    if isinstance(parameters, dict):
        parameters = parameters.values()
    elif not isinstance(parameters, (list, tuple)):
        return type(parameters) is Sealed
    return any(_holds_box(one) for one in parameters)


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found and len(found) < 10:
        found.append(error)
        error = error.__cause__ or _within(error.__context__)
    return found


def _within(context: BaseException | None) -> BaseException | None:
    """An error that a driver met on its way; not one that the caller was dealing with when the statement failed."""
    trace = None if context is None else context.__traceback__
    caught = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))
    return context if trace is None or caught.partition(".")[0] in _DRIVERS else None


def _state(error: Any) -> str | None:
    for name in ("sqlstate", "pgcode"):
        state = getattr(error, name, None)
        if isinstance(state, str):
            return state
    return None


def _kept(error: Any) -> str:
    """What of an error's text quotes no value."""
    if isinstance(error, NotOfItsType):
        return str(error)
    state = next((state for one in _chain(error) if (state := _state(one))), None)
    if state is not None:
        first = _first_line(error)
        if state[:2] in _NAMES_ONLY or (state[:2] == "42" and state != "42601"):
            return first
        return f"SQLSTATE {state}; what the server says is left out, since it may quote a tagged value"
    code = getattr(error, "sqlite_errorname", None)
    if code is not None or type(error).__module__ == "sqlite3":
        return str(error)  # SQLite names columns, and quotes what stands in a statement's text alone
    return f"{type(error).__name__}; what the driver says is left out, since it may quote a tagged value"


def _first_line(error: Any) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


_TELLING = ("detail", "hint", "internal_query", "query", "context", "where", "position", "as_dict")


def _clean(error: Any, text: str) -> None:
    error.args = (text,)
    info = getattr(error, "_info", None)  # psycopg
    if info is not None:
        diag = error.diag
        kept = ("severity", "sqlstate", "schema_name", "table_name", "column_name", "datatype_name", "constraint_name")
        error._info = _info_of(diag, kept, text)
    for name in _TELLING:  # asyncpg
        if isinstance(getattr(error, name, None), str):
            with contextlib.suppress(AttributeError):
                setattr(error, name, None)
    if isinstance(getattr(error, "message", None), str):
        error.message = text


def _info_of(diag: Any, kept: tuple[str, ...], text: str) -> dict[int, bytes | None]:
    from psycopg.pq import DiagnosticField

    info: dict[int, bytes | None] = {int(field): None for field in DiagnosticField}
    for name in kept:
        value = getattr(diag, name, None)
        if value is not None:
            info[int(DiagnosticField[name.upper()])] = value.encode()
    info[int(DiagnosticField.MESSAGE_PRIMARY)] = text.encode()
    return info
