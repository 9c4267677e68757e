"""What other modules' reports hang on in a module: its purposes, tags, aliases and handovers, as one number.

mypy checks a module again where the interface of another has changed; to mypy, these are no part of it. So the number
is made a part: of the module's configuration in the cache, and of its names in the daemon.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from hashlib import sha256

from .namespaces import absolute
from .reading import HANDS_OVER
from .sources import Source
from .walking import calls_of

__all__ = ["facts", "imported"]

_ALIAS = re.compile(r"^\s*\w+\s*(?::[^=\n]*)?=\s*[A-Za-z_][\w.]*\s*(?:#.*)?$", re.MULTILINE)


def facts(source: Source) -> str | None:
    """Return a number for what others may read in a module, or None where there is nothing."""
    known: str | None = source.memo.get("facts", "")
    if known == "":
        known = source.memo["facts"] = _facts(source)
    return known


def imported(source: Source) -> set[str]:
    """Return the modules that a module imports, anywhere in it, or takes a name from."""
    found: set[str] = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = absolute(source, node)
            found.add(module)
            found.update(f"{module}.{alias.name}" for alias in node.names)
    return found


def _facts(source: Source) -> str | None:
    if source.is_installed and not source.mentions("purposebind"):
        return None
    if source.mentions("urpose", "AllowedFor"):
        parts = [ast.dump(node) for node in _outside_functions(source.tree.body)]
        parts += [ast.dump(call) for call, _ in calls_of(source, HANDS_OVER)]
    else:
        parts = [found[0].strip() for found in _ALIAS.finditer(source.text)]
    return sha256("\n".join(parts).encode()).hexdigest()[:16] if parts else None


def _outside_functions(body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield ast.Constant(node.name)
            yield from (*node.bases, *node.keywords, *node.decorator_list)
            yield from _outside_functions(node.body)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if _is_for_with(node):
                yield node
        elif isinstance(node, (ast.If, ast.For, ast.While, ast.Try, ast.With)):
            for name in ("body", "orelse", "finalbody"):
                yield from _outside_functions(getattr(node, name, ()))
            for handler in getattr(node, "handlers", ()):
                yield from _outside_functions(handler.body)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom)) or _is_alias(node):
            yield node


def _is_for_with(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether others may use a function as a context manager or a decorator, which may enter a scope."""
    inside = any(isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)) for one in node.body)
    return inside or any("contextmanager" in ast.dump(one) for one in node.decorator_list)


def _is_alias(node: ast.AST) -> bool:
    return type(node).__name__ == "TypeAlias"
