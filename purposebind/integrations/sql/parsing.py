"""Tokens made into sqlglot's tree, and the functions in them.

What this module keeps (R7): the parser sees marks in the place of values, its messages and its log, which quote the
statement, reach nobody.
"""

from __future__ import annotations

import logging
from collections import Counter
from contextvars import ContextVar
from typing import Any, Final

from sqlglot import ErrorLevel, exp
from sqlglot.dialects.dialect import Dialect as Grammar

from .catalog import Catalog
from .known import FUNCTIONS, PRAGMAS, SYNTAX
from .lexing import Kind, Token, Unreadable, render

__all__ = ["calls", "parse"]

_GRAMMARS: Final = {"postgresql": Grammar.get_or_raise("postgres"), "sqlite": Grammar.get_or_raise("sqlite")}
_ROOTS: Final = (
    exp.Select,
    exp.SetOperation,
    exp.Subquery,
    exp.Values,
    exp.Insert,
    exp.Update,
    exp.Delete,
    exp.Merge,
)

_quiet: ContextVar[bool] = ContextVar("purposebind_sql_quiet", default=False)


def _silenced(record: logging.LogRecord) -> bool:
    return not _quiet.get()


logging.getLogger("sqlglot").addFilter(_silenced)


def parse(tokens: list[Token], catalog: Catalog) -> Any:
    """Return the tree of one query or write.

    Raises:
        Unreadable: The parser does not know it.
        RecursionError: It is nested too deep.
    """
    text = render(tokens, catalog.dialect)
    token = _quiet.set(True)
    try:
        trees: list[Any] = list(_GRAMMARS[catalog.dialect].parse(text, error_level=ErrorLevel.IMMEDIATE))
    except RecursionError:
        raise
    except Exception:  # whatever a parser stumbles over is not read, so it does not pass
        trees = []
    finally:
        _quiet.reset(token)
    if len(trees) == 1 and isinstance(trees[0], _ROOTS):
        return trees[0]
    raise Unreadable("it cannot be read. Is it valid, and in this database's own dialect? Write it in a plainer way")


def calls(tokens: list[Token], catalog: Catalog) -> Counter[str]:
    """Count the names that stand before a parenthesis, and are no function that is known to be harmless."""
    known = FUNCTIONS[catalog.dialect]
    found: Counter[str] = Counter()
    for index in range(1, len(tokens)):
        token = tokens[index - 1]
        if tokens[index].text != "(" or tokens[index].kind is not Kind.OPERATOR or not token.is_name:
            continue
        name = token.text
        if index > 2 and tokens[index - 2].text == "." and tokens[index - 3].is_name:
            schema = tokens[index - 3].text
            if f"{schema}.{name}" not in catalog.functions and not (schema == "pg_catalog" and name in known):
                found[name] += 1
        elif not (
            (name in SYNTAX and token.kind is Kind.WORD)
            or name in known
            or name in catalog.functions
            or (name.startswith("pragma_") and name[7:] in PRAGMAS and catalog.dialect == "sqlite")
            or (name == "operator" and tokens[index + 1 : index + 2] and tokens[index + 1].text == "pg_catalog")
        ):
            found[name] += 1
    return found
