"""What the text of a module shows that its objects do not: who asks for a purpose, and who opens an emergency.

Names are resolved where the module itself has them, and no code of the module's runs for it. What cannot be resolved
is told as such, and never taken for nothing.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from purposebind import Purpose, requires_purpose

__all__ = ["emergencies", "gates", "tree_of", "value_of"]


def tree_of(module: ModuleType) -> ast.Module | None:
    """Return the syntax tree of a module, or None where there is no source beside it."""
    try:
        return ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError):
        return None


def value_of(node: ast.AST, names: dict[str, Any]) -> Any:
    """Return what an expression stands for, as far as names and namespaces tell; None where they do not."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = value_of(node.value, names)
        # A property would run code of the user's: only what lies in a namespace is looked at.
        if isinstance(owner, (ModuleType, type)):
            return vars(owner).get(node.attr)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "find":
        owner, name = value_of(node.func.value, names), node.args[0] if node.args else None
        if owner is Purpose and isinstance(name, ast.Constant) and isinstance(name.value, str):
            return next((p for p in Purpose.declared() if p.name == name.value), None)
    return None


def gates(module: ModuleType) -> Iterator[tuple[str, requires_purpose | None]]:
    """Yield the functions of a module under `requires_purpose`, by their qualified names.

    Each comes with its gate, or with None where the text does not show which purposes it asks for.
    """
    names = vars(module)
    for qualname, node in _functions(tree_of(module)):
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and value_of(decorator.func, names) is requires_purpose:
                yield qualname, _gate(decorator, names)
            elif isinstance(made := value_of(decorator, names), requires_purpose):
                yield qualname, made


def _gate(call: ast.Call, names: dict[str, Any]) -> requires_purpose | None:
    never: list[Any] = []
    for keyword in call.keywords:
        if keyword.arg != "never" or not isinstance(keyword.value, (ast.List, ast.Tuple, ast.Set)):
            return None
        never = [value_of(one, names) for one in keyword.value.elts]
    allowed = [value_of(one, names) for one in call.args]
    if not allowed or not all(isinstance(one, Purpose) for one in (*allowed, *never)):
        return None
    return requires_purpose(*allowed, never=never)


def emergencies(module: ModuleType) -> Iterator[str]:
    """Yield the qualified name of the function around each call of `break_glass` in a module."""
    tree = tree_of(module)
    if tree is None:
        return
    from purposebind.break_glass import break_glass

    names = vars(module)
    inside = dict(_calls(tree, "<module>"))
    for call, qualname in inside.items():
        if value_of(call.func, names) is break_glass or _is_named(call.func):
            yield qualname


def _is_named(node: ast.expr) -> bool:
    """Whether it is called by its name where the module has another, in a function that imports it."""
    return (node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")) == "break_glass"


def _functions(tree: ast.AST | None, around: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.iter_child_nodes(tree) if tree is not None else ():
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"{around}{node.name}", node
            yield from _functions(node, f"{around}{node.name}.<locals>.")
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{around}{node.name}.")
        else:
            yield from _functions(node, around)


def _calls(node: ast.AST, around: str) -> Iterator[tuple[ast.Call, str]]:
    for child in ast.iter_child_nodes(node):
        inner = around
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inner = child.name if around == "<module>" else f"{around}.{child.name}"
        if isinstance(child, ast.Call):
            yield child, around
        yield from _calls(child, inner)
