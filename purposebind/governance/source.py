"""The text of modules: their syntax trees, and what the expressions in them stand for.

Names are resolved where the module itself has them, or where the function around them imports them, and no code of the
module's runs for it. What cannot be resolved is told as such, and never taken for nothing.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

from purposebind import Purpose

__all__ = ["Place", "is_function", "places", "tree_of", "value_of"]


@dataclass(frozen=True)
class Place:
    """An expression or statement, and what is around it.

    Attributes:
        node: What stands there.
        parents: The nodes around it, the nearest first.
        around: The qualified name of the function or class around it; empty for the module.
        names: What names stand for there.
    """

    node: ast.AST
    parents: tuple[ast.AST, ...]
    around: str
    names: Mapping[str, Any]

    @property
    def parent(self) -> ast.AST:
        """The node around it."""
        return self.parents[0]

    @property
    def runs_later(self) -> bool:
        """Whether it is in a function, and not run by the import of its module."""
        return any(is_function(one) or isinstance(one, ast.Lambda) for one in self.parents)

    @property
    def is_compared(self) -> bool:
        """Whether it is there for being told apart from others, or as a type, and nothing is done with it."""
        parent = self.parent
        return isinstance(parent, ast.Compare) or (
            isinstance(parent, ast.Call)
            and isinstance(parent.func, ast.Name)
            and parent.func.id in ("isinstance", "issubclass")
        )


def tree_of(module: ModuleType) -> ast.Module | None:
    """Return the syntax tree of a module, or None where there is no source beside it."""
    try:
        return ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError):
        return None


def value_of(node: ast.AST, names: Mapping[str, Any]) -> Any:
    """Return what an expression stands for, as far as names and namespaces tell; None where they do not."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = value_of(node.value, names)
        # A property would run code of the user's: only what lies in a namespace is looked at.
        if isinstance(owner, (ModuleType, type)):
            return vars(owner).get(node.attr)
        return owner.parent if isinstance(owner, Purpose) and node.attr == "parent" else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("find", "child"):
        owner, name = value_of(node.func.value, names), node.args[0] if node.args else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            if owner is Purpose and node.func.attr == "find":
                return _purpose(name.value)
            if isinstance(owner, Purpose) and node.func.attr == "child":
                return _purpose(f"{owner.name}.{name.value}")
    return None


@lru_cache(maxsize=1)  # several ask about one module, and then about the next
def places(module: ModuleType) -> tuple[Place, ...]:
    """Return what stands in a module, from its top to its end; nothing where there is no source beside it."""
    tree = tree_of(module)
    return () if tree is None else tuple(_inside(tree, (), "", vars(module), module))


def is_function(node: ast.AST) -> bool:
    """Return whether a node is the definition of a function."""
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))


def _inside(
    node: ast.AST, parents: tuple[ast.AST, ...], around: str, names: Mapping[str, Any], module: ModuleType
) -> Iterator[Place]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        around = _under(around, node.name, parents)
        names = {**names, **found} if (found := _imported(node, module)) else names
    elif isinstance(node, ast.ClassDef):
        around = _under(around, node.name, parents)
        names = {**names, **held} if (held := _namespace(around, module)) else names
    for child in ast.iter_child_nodes(node):
        yield Place(child, (node, *parents), around, names)
        yield from _inside(child, (node, *parents), around, names, module)


def _under(around: str, name: str, parents: tuple[ast.AST, ...]) -> str:
    nearest = next((one for one in parents if is_function(one) or isinstance(one, ast.ClassDef)), None)
    if nearest is None:
        return name
    return f"{around}.<locals>.{name}" if is_function(nearest) else f"{around}.{name}"


def _namespace(qualname: str, module: ModuleType) -> Mapping[str, Any]:
    """What a class holds, where it can be reached from its module."""
    found: Any = module
    for part in qualname.split("."):
        found = vars(found).get(part) if issubclass(type(found), (ModuleType, type)) else None
    return vars(found) if issubclass(type(found), type) and found.__module__ == module.__name__ else {}


def _imported(function: ast.AST, module: ModuleType) -> dict[str, Any]:
    """What a function imports, by the names that it has there."""
    found: dict[str, Any] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Import):
            for one in node.names:
                found[one.asname or one.name.partition(".")[0]] = sys.modules.get(
                    one.name if one.asname else one.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            source = _source(node, module)
            held = vars(sys.modules[source]) if source in sys.modules else {}
            for one in node.names:
                inner = held.get(one.name, sys.modules.get(f"{source}.{one.name}"))
                found |= dict(held) if one.name == "*" else {one.asname or one.name: inner}
    return found


def _source(node: ast.ImportFrom, module: ModuleType) -> str:
    package = module.__name__ if hasattr(module, "__path__") else module.__name__.rpartition(".")[0]
    try:
        return importlib.util.resolve_name("." * node.level + (node.module or ""), package)
    except ImportError:
        return ""


def _purpose(name: str) -> Purpose | None:
    return next((one for one in Purpose.declared() if one.name == name), None)
