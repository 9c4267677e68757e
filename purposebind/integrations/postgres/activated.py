"""Which sets of purposes code activates, as far as its text shows: each scope, and each inside another.

It reads modules, and resolves names where the module itself has them. What a function called inside a scope opens is
not to be seen in a text: such a set is named by hand, and the error at run time says how.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextvars import Context
from types import ModuleType
from typing import Any

from purposebind import Purpose, active_purposes, purpose_scope
from purposebind.governance.source import tree_of, value_of

__all__ = ["sets_in"]


def sets_in(module: ModuleType) -> set[frozenset[Purpose]]:
    """Return the sets of several purposes that the scopes written in `module` lead to (R4)."""
    tree = tree_of(module)
    if tree is None:
        return set()
    found = {Context().run(_entered, purposes) for purposes in _scopes(tree, (), vars(module))}
    return {purposes for purposes in found if len(purposes) > 1}


def _entered(purposes: tuple[Purpose, ...]) -> frozenset[Purpose]:
    with purpose_scope(*purposes):
        return active_purposes()


def _scopes(node: ast.AST, around: tuple[Purpose, ...], names: dict[str, Any]) -> Iterator[tuple[Purpose, ...]]:
    if isinstance(node, (ast.With, ast.AsyncWith)):
        for item in node.items:
            around += _opened(item.context_expr, names)
            if around:
                yield around
        parts: list[ast.AST] = [*node.body]
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        around = ()  # it runs where it is called
        for decorator in node.decorator_list:  # the uppermost is the outermost
            around += _opened(decorator, names)
        if around:
            yield around
        parts = [*node.body]
    else:
        opened = _opened(node, names)
        if opened:
            yield opened
        parts = [*ast.iter_child_nodes(node)]
    for part in parts:
        yield from _scopes(part, around, names)


def _opened(node: ast.AST, names: dict[str, Any]) -> tuple[Purpose, ...]:
    """The purposes of a scope that is made here, or that has a name."""
    if isinstance(node, ast.Call):
        made = value_of(node.func, names)
        if made is purpose_scope:
            purposes = [value_of(argument, names) for argument in node.args]
            return tuple(purposes) if all(isinstance(purpose, Purpose) for purpose in purposes) else ()
        if isinstance(node.func, ast.Attribute) and node.func.attr == "across_yields":
            return _opened(node.func.value, names)
        return ()
    scope = value_of(node, names)
    return scope.purposes if isinstance(scope, purpose_scope) else ()
