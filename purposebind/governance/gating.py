"""Who asks for a purpose: what is under `requires_purpose`, as the text of a module shows it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from purposebind import Purpose, requires_purpose
from purposebind.policy import Policy

from .source import Place, places, value_of

__all__ = ["gates"]


def gates(module: ModuleType) -> Iterator[tuple[str, Policy | None]]:
    """Yield what is under `requires_purpose` in a module, by qualified names: functions, and gates that are kept.

    Each comes with what is asked there, or with None where the text does not show it. One under several gates is under
    all of them.
    """
    for place in places(module):
        node = place.node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            asked = [_asked(one, place.names) for one in node.decorator_list]
            policies = [one for one in asked if isinstance(one, Policy)]
            if "untold" in asked:
                yield _named(place, node.name), None
            elif policies:
                joined = policies[0]
                for one in policies[1:]:
                    joined = joined.join(one)
                yield _named(place, node.name), joined
        elif isinstance(node, ast.Call) and not _is_decorator(place) and _is_gate(node.func, place.names):
            made = _gate(node, place.names)
            yield _named(place, _target(place)), made.policy if made is not None else None
        elif isinstance(node, (ast.Name, ast.Attribute)) and _is_handed_on(place):
            yield place.around or "<module>", None


def _asked(decorator: ast.expr, names: Mapping[str, Any]) -> Policy | str | None:
    if isinstance(decorator, ast.Call) and _is_gate(decorator.func, names):
        made = _gate(decorator, names)
        return made.policy if made is not None else "untold"
    found = value_of(decorator, names)
    return found.policy if issubclass(type(found), requires_purpose) else None


def _is_gate(node: ast.expr, names: Mapping[str, Any]) -> bool:
    return value_of(node, names) is requires_purpose


def _gate(call: ast.Call, names: Mapping[str, Any]) -> requires_purpose | None:
    never: list[Any] = []
    for keyword in call.keywords:
        if keyword.arg != "never" or not isinstance(keyword.value, (ast.List, ast.Tuple, ast.Set)):
            return None
        never = [value_of(one, names) for one in keyword.value.elts]
    allowed = [value_of(one, names) for one in call.args]
    if not allowed or not all(issubclass(type(one), Purpose) for one in (*allowed, *never)):
        return None
    return requires_purpose(*allowed, never=never)


def _is_decorator(place: Place) -> bool:
    return any(one is place.node for one in getattr(place.parent, "decorator_list", ()))


def _is_handed_on(place: Place) -> bool:
    """Whether `requires_purpose` itself is given to something that may call it where nobody sees."""
    node = place.node
    if not isinstance(node, (ast.Name, ast.Attribute)) or not isinstance(node.ctx, ast.Load):
        return False
    if not _is_gate(node, place.names) or place.is_compared:
        return False
    parent = place.parent
    called = isinstance(parent, ast.Call) and parent.func is node
    known_by_name = isinstance(parent, (ast.Assign, ast.AnnAssign)) and not place.runs_later
    return not called and not known_by_name


def _target(place: Place) -> str:
    """What a call of `requires_purpose` is for: the function that it is applied to, or the name that it is kept by."""
    parents = place.parents
    applied = parents[0]
    if isinstance(applied, ast.Call) and applied.func is place.node:
        if applied.args and isinstance(applied.args[0], (ast.Name, ast.Attribute)):
            return ast.unparse(applied.args[0])
        parents = parents[1:]
    kept = parents[0] if parents else None
    if isinstance(kept, ast.Assign) and len(kept.targets) == 1:
        kept = kept.targets[0]
    elif isinstance(kept, ast.AnnAssign):
        kept = kept.target
    return ast.unparse(kept) if isinstance(kept, (ast.Name, ast.Attribute)) else "<gate>"


def _named(place: Place, name: str) -> str:
    around = place.around
    if not around:
        return name
    inside = next((one for one in place.parents if hasattr(one, "decorator_list")), None)
    return f"{around}.{name}" if isinstance(inside, ast.ClassDef) else f"{around}.<locals>.{name}"
