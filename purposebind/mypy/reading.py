"""Purposes, tags and handovers, as the source writes them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .names import Defined, Library, Names, Value
from .namespaces import Namespace
from .sources import Source
from .walking import calls_of, tree_of
from .weighing import OPEN, Terms, includes

__all__ = ["HANDS_OVER", "Handover", "Handovers", "contradiction", "purpose", "terms"]

HANDS_OVER = "may_hand_over_to"
"""The method that declares a handover."""

Handover = tuple[str, "str | None", "str | None"]
"""A module, and the purposes that it lets be left and entered; None stands for one that cannot be told."""

_Placed = tuple[ast.expr, Namespace]


def purpose(names: Names, node: ast.expr, namespace: Namespace) -> str | None:
    """Return the name of the purpose that `node` is, or None where that cannot be told."""
    found = names.entity(node, namespace)
    if not isinstance(found, Value) or not isinstance(found.node, ast.Call):
        return None
    call, place = found.node, found.namespace
    given = _argument(call, 0, "name")
    name = None if given is None else names.text(given, place)
    if name is None:
        return None
    if isinstance(call.func, ast.Attribute) and call.func.attr == "child":
        parent = purpose(names, call.func.value, place)
        return None if parent is None else f"{parent}.{name}"
    return name if names.called(call, place) in (Library("Purpose"), Library("Purpose.find")) else None


def terms(names: Names, node: ast.expr, namespace: Namespace) -> Terms | None:
    """Return what the tag says that `node` is.

    Returns:
        None where it is no tag; `OPEN` where that cannot be told.
    """
    found = names.entity(node, namespace)
    if found is None:
        return OPEN
    if not isinstance(found, Value) or not isinstance(found.node, ast.Call):
        return None
    call, place = found.node, found.namespace
    called = names.called(call, place)
    if called == Library("AllowedFor"):
        return _said(names, call, place)
    if isinstance(called, Defined) and not isinstance(called.node, ast.ClassDef):
        return OPEN if called.namespace.source.mentions("AllowedFor") else None
    return OPEN if called is None else None


def _said(names: Names, call: ast.Call, namespace: Namespace) -> Terms:
    whole = True
    parts: dict[str, list[str]] = {"": [], "never": [], "with_consent": []}
    given: list[tuple[str, list[_Placed] | None]] = [("", [(node, namespace) for node in call.args])]
    given += [(one.arg or "**", _items(names, one.value, namespace)) for one in call.keywords if one.arg != "retain"]
    for kind, nodes in given:
        if nodes is None or kind not in parts:
            whole = False
            continue
        for node, place in nodes:
            name = None if isinstance(node, ast.Starred) else purpose(names, node, place)
            if name is None:
                whole = False
            else:
                parts[kind].append(name)
    asked = frozenset(parts["with_consent"])
    return Terms(frozenset(parts[""]) | asked, frozenset(parts["never"]), asked, whole)


def contradiction(names: Names, call: ast.Call, namespace: Namespace) -> str | None:
    """Return what is wrong with an ``AllowedFor(...)`` whatever it stands on, or None."""
    if not call.args and not call.keywords:
        return "AllowedFor() names no purpose: nobody could ever read the field"
    allowed = [purpose(names, node, namespace) for node in call.args]
    for keyword in call.keywords:
        for node, place in _items(names, keyword.value, namespace) or ():
            refused = purpose(names, node, place)
            what = {"never": "never allowed", "with_consent": "allowed with consent alone"}.get(keyword.arg or "")
            for name in allowed:
                if what and refused and name and includes(refused, name):
                    return f'AllowedFor contradicts itself: "{name}" is allowed, and {what}, at once'
    return None


def _items(names: Names, node: ast.expr, namespace: Namespace) -> list[_Placed] | None:
    found = names.entity(node, namespace)
    if isinstance(found, Value) and isinstance(found.node, (ast.List, ast.Tuple, ast.Set)):
        return [(item, found.namespace) for item in found.node.elts]
    return None


def _argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    if any(isinstance(one, ast.Starred) for one in call.args[: position + 1]):
        return None
    if position < len(call.args):
        return call.args[position]
    return next((one.value for one in call.keywords if one.arg == name), None)


class Handovers:
    """The handovers that the modules of a build declare (R4)."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._found: list[Handover] | None = None
        self.told: list[Handover] | None = None
        """Those of the whole build, where this process sees only a part of it."""

    def renew(self) -> None:
        """Look again, when next asked."""
        self._found = None

    def between(self, one: str, other: str) -> bool:
        """Return whether work for `one` may go on as work for `other`, or that cannot be told."""
        leads = False
        for module, source, target in self.all() if self.told is None else self.told:
            if (source is None or includes(source, one)) and (target is None or includes(target, other)):
                self._names.sources.consulted.add(module)
                leads = True
        return leads

    def all(self) -> list[Handover]:
        """Return the handovers of all modules that are known here."""
        if self._found is None:
            sources = self._names.sources.mentioning(f".{HANDS_OVER}")
            self._found = [handover for source in sources for handover in self._in(source)]
        return self._found

    def _in(self, module: Source) -> Iterator[Handover]:
        for call, namespace in calls_of(module, HANDS_OVER):
            if isinstance(call.func, ast.Attribute):
                source, at = call.func.value, 0
                if self._names.entity(source, namespace) == Library("Purpose"):  # Purpose.may_hand_over_to(ONE, OTHER)
                    source, at = _argument(call, 0, "self") or source, 1
                yield from self._one(module, source, _argument(call, at, "other"), namespace)
        for method, namespace in tree_of(module).methods.get(HANDS_OVER, ()):  # kept, and called elsewhere
            yield from self._one(module, method.value, None, namespace)

    def _one(
        self, module: Source, source: ast.expr, target: ast.expr | None, namespace: Namespace
    ) -> Iterator[Handover]:
        left = purpose(self._names, source, namespace)
        entered = None if target is None else purpose(self._names, target, namespace)
        # In a function it may never run, and with which purposes cannot be told: where both are known, it counts.
        if (left and entered) or (namespace.around is None and self._may_be_purpose(source, namespace)):
            yield module.name, left, entered

    def _may_be_purpose(self, node: ast.expr, namespace: Namespace) -> bool:
        found = self._names.entity(node, namespace)
        if not isinstance(found, Value):
            return found in (None, Library("Purpose"))
        if not isinstance(found.node, ast.Call):
            return not isinstance(found.node, ast.Constant)
        call = found.node
        if isinstance(call.func, ast.Attribute) and call.func.attr == "child":
            return self._may_be_purpose(call.func.value, found.namespace)
        called = self._names.called(call, found.namespace)
        return not (isinstance(called, Defined) and isinstance(called.node, ast.ClassDef))
