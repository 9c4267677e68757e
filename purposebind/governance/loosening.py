"""What opens more than the tags say, as the text of a module shows it: emergencies, observing, handovers made later."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from purposebind import Purpose, configure

from .source import Place, places, value_of

__all__ = ["emergencies", "late_handovers", "observing"]

_EMERGENCY = "break_glass"


def emergencies(module: ModuleType) -> Iterator[str]:
    """Yield the qualified name of the function around each use of `break_glass` in a module."""
    from purposebind.break_glass import break_glass

    for place in places(module):
        node = place.node
        found: Any = None
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
            found = value_of(node, place.names)
        opens = issubclass(type(found), type) and issubclass(found, break_glass)
        if (opens or _is_named(node)) and not _is_looked_into(place) and not place.is_compared:
            yield place.around or "<module>"


def observing(module: ModuleType) -> Iterator[str]:
    """Yield the qualified name of the function around each use of `configure` that may stop enforcing."""
    for place in places(module):
        node = place.node
        if not isinstance(node, (ast.Name, ast.Attribute)) or not isinstance(node.ctx, ast.Load):
            continue
        if value_of(node, place.names) is not configure or place.is_compared:
            continue
        parent = place.parent
        if isinstance(parent, ast.Call) and parent.func is node:
            if any(_may_observe(one) for one in parent.keywords):
                yield place.around or "<module>"
        elif not isinstance(parent, (ast.Assign, ast.AnnAssign)) or place.runs_later:  # another name is known by it
            yield place.around or "<module>"


def late_handovers(module: ModuleType) -> Iterator[tuple[str, tuple[str, str, str] | None]]:
    """Yield the handovers that functions of a module declare, by the qualified name of the function.

    Each comes with the names of its purposes and its reason, or with None where the text does not show these.
    """
    for place in places(module):
        node = place.node
        if not isinstance(node, ast.Attribute) or node.attr != "may_hand_over_to" or not place.runs_later:
            continue
        call = place.parent
        if not isinstance(call, ast.Call) or call.func is not node:
            yield place.around, None
            continue
        source: Any = value_of(node.value, place.names)
        target: Any = value_of(call.args[0], place.names) if call.args else None
        reasons = [one.value for one in call.keywords if one.arg == "reason"]
        if issubclass(type(source), Purpose) and issubclass(type(target), Purpose):
            reason = reasons[0].value if reasons and isinstance(reasons[0], ast.Constant) else "(told when it runs)"
            yield place.around, (source.name, target.name, str(reason))
        else:
            yield place.around, None


def _may_observe(keyword: ast.keyword) -> bool:
    if keyword.arg is None:
        return True
    value = keyword.value
    return keyword.arg in ("mode", "unscoped") and not (isinstance(value, ast.Constant) and value.value == "enforce")


def _is_named(node: ast.AST) -> bool:
    """Whether it is called by its name where the module has another, or is looked up by it."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        return any(isinstance(one, ast.Constant) and one.value == _EMERGENCY for one in node.args)
    if isinstance(node, ast.Name):
        return node.id == _EMERGENCY and isinstance(node.ctx, ast.Load)
    return isinstance(node, ast.Attribute) and node.attr == _EMERGENCY


def _is_looked_into(place: Place) -> bool:
    """Whether it is the module of that name, from which something is taken."""
    return isinstance(place.parent, ast.Attribute) and place.parent.attr == _EMERGENCY
