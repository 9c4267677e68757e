"""What an expression names: followed through imports, aliases, class attributes and re-exports, across the modules.

What cannot be followed is None, and whoever asked takes it for unknown.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Union

from .namespaces import Binding, Definition, Imported, Namespace, Opaque
from .sources import Sources

__all__ = ["LIBRARY", "Defined", "Entity", "Library", "Module", "Names", "Outside", "Value"]

LIBRARY: Final = frozenset(
    (
        "AllowedFor",
        "Purpose",
        "PurposeModel",
        "PurposeRootModel",
        "Sealed",
        "SubjectId",
        "break_glass",
        "collected_for",
        "noting",
        "purpose_scope",
        "requires_purpose",
    )
)
"""The names of this library that the check knows, whichever of its modules they are imported from."""

_PACKAGE: Final = "purposebind"
_DEEP: Final = 40
"""How many steps from a name to what it names are followed; more is a circle."""


@dataclass(frozen=True)
class Library:
    """One of `LIBRARY`, or an attribute of it, such as ``Purpose.find``."""

    name: str


@dataclass(frozen=True)
class Module:
    """A module of the build."""

    name: str


@dataclass(frozen=True)
class Outside:
    """Something of the standard library, or of a package without Python source in the build, by its dotted name."""

    name: str


@dataclass(frozen=True, eq=False)
class Defined:
    """A class or function, and the namespace that it is defined in."""

    node: Definition
    namespace: Namespace

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Defined) and self.node is other.node

    __hash__ = None  # type: ignore[assignment]  # nobody keeps them


@dataclass(frozen=True, eq=False)
class Value:
    """An expression that a name is bound to, and the namespace that it stands in."""

    node: ast.expr
    namespace: Namespace

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and self.node is other.node

    __hash__ = None  # type: ignore[assignment]  # as above


Entity = Union[Library, Module, Outside, Defined, Value]  # noqa: UP007  # it is evaluated, on 3.10 too


class Names:
    """Follows names through the sources of a build."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources

    def entity(self, node: ast.expr, namespace: Namespace, deep: int = 0) -> Entity | None:
        """Return what `node`, which stands in `namespace`, names; a `Value` of itself where it is no name."""
        if deep > _DEEP:
            return None
        if isinstance(node, ast.NamedExpr):
            node = node.value
        if isinstance(node, ast.Name):
            return self._named(node.id, namespace, deep + 1)
        if isinstance(node, ast.Attribute):
            of = self.entity(node.value, namespace, deep + 1)
            return None if of is None else self._member(of, node.attr, deep + 1)
        return Value(node, namespace)

    def called(self, node: ast.Call, namespace: Namespace) -> Entity | None:
        """Return what a call calls."""
        return self.entity(node.func, namespace)

    def text(self, node: ast.expr, namespace: Namespace) -> str | None:
        """Return the string that `node` is, or names."""
        found = self.entity(node, namespace)
        if isinstance(found, Value) and isinstance(found.node, ast.Constant) and isinstance(found.node.value, str):
            return found.node.value
        return None

    def _named(self, name: str, namespace: Namespace, deep: int) -> Entity | None:
        place: Namespace | None = namespace
        while place is not None:
            if name in place.names and (place is namespace or not place.is_class):
                return self._one(place.names[name], place, deep)
            if place.around is None:
                return self._starred(name, place, deep)
            place = place.around
        return None

    def _starred(self, name: str, module: Namespace, deep: int) -> Entity | None:
        for other in () if name.startswith("_") else module.starred:
            if not self._is_known(other):
                return None  # it may be of there
            found = self._of_module(other, name, deep + 1)
            if found is not None:
                return found
        return Outside(f"builtins.{name}") if hasattr(builtins, name) else None

    def _one(self, bindings: Sequence[Binding], namespace: Namespace, deep: int) -> Entity | None:
        """What a name is that is bound by all of `bindings`: one thing, or it cannot be told."""
        if all(isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)) for one in bindings):
            bindings = bindings[-1:]  # overloads, a property and its setter
        found = [self._bound(one, namespace, deep) for one in bindings]
        first = found[0]
        return first if all(one is not None and one == first for one in found) else None

    def _bound(self, binding: Binding, namespace: Namespace, deep: int) -> Entity | None:
        if isinstance(binding, Opaque):
            return None
        if isinstance(binding, Imported):
            if binding.name is None:
                return self._module(binding.module)
            return self._of_module(binding.module, binding.name, deep)
        if isinstance(binding, ast.expr):
            return self.entity(binding, namespace, deep + 1)
        return Defined(binding, namespace)

    def _module(self, name: str) -> Entity:
        return Module(name) if self._is_known(name) else Outside(name)

    def _is_known(self, name: str) -> bool:
        return self.sources.get(name) is not None

    def _of_module(self, module: str, name: str, deep: int) -> Entity | None:
        """What `name` is in `module`."""
        if deep > _DEEP:
            return None
        ours = module == _PACKAGE or module.startswith(f"{_PACKAGE}.")
        if ours and name in LIBRARY:
            return Library(name)
        source = self.sources.get(module)
        if source is not None:
            namespace = source.namespace
            if name in namespace.names:
                if namespace.names[name] == [Imported(module, name)]:  # `from . import submodule`
                    return self._module(f"{module}.{name}")
                return self._one(namespace.names[name], namespace, deep + 1)
            if self._is_known(f"{module}.{name}"):
                return Module(f"{module}.{name}")
            found = self._starred(name, namespace, deep + 1) if namespace.starred else None
            return None if found == Outside(f"builtins.{name}") else found
        if self._is_known(f"{module}.{name}"):  # of a namespace package
            return Module(f"{module}.{name}")
        return Outside(f"{module}.{name}")

    def _member(self, of: Entity, name: str, deep: int) -> Entity | None:
        if deep > _DEEP:
            return None
        if isinstance(of, Module):
            return self._of_module(of.name, name, deep)
        if isinstance(of, Library):
            return Library(f"{of.name}.{name}")
        if isinstance(of, Outside):
            dotted = f"{of.name}.{name}"
            return Module(dotted) if self._is_known(dotted) else Outside(dotted)
        if isinstance(of, Defined) and isinstance(of.node, ast.ClassDef):
            inside = of.namespace.inner(of.node)
            if name in inside.names:
                return self._one(inside.names[name], inside, deep)
            for base in of.node.bases:
                parent = self.entity(base, of.namespace, deep + 1)
                found = None if parent is None or isinstance(parent, Outside) else self._member(parent, name, deep + 1)
                if found is not None:
                    return found
        return None
