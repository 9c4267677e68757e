"""What names are bound to, in a module, a class or a function, as the source says it.

Nothing is evaluated here: a name has the statements that bind it. A name bound in a way that says nothing (a loop, a
parameter) is bound to `OPAQUE`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Union

if TYPE_CHECKING:
    from .sources import Source

__all__ = ["OPAQUE", "Binding", "Definition", "Imported", "Namespace", "Opaque", "absolute", "module_namespace"]

Definition = Union[ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef]  # noqa: UP007  # it is evaluated, on 3.10 too


class Opaque:
    """A binding of which nothing can be told."""


OPAQUE: Final = Opaque()


@dataclass(frozen=True)
class Imported:
    """What an import binds a name to: a module, or a name in one."""

    module: str
    name: str | None = None


Binding = Union[ast.expr, Definition, Imported, Opaque]  # noqa: UP007  # as above


@dataclass
class Namespace:
    """The names of one module, class or function.

    Attributes:
        source: The module.
        node: The module's, class's or function's node.
        around: The namespace around it, or None.
        names: The bindings of each name, in order.
        starred: The modules of which everything is imported.
    """

    source: Source
    node: ast.AST
    around: Namespace | None = None
    names: dict[str, list[Binding]] = field(default_factory=dict)
    starred: list[str] = field(default_factory=list)

    @property
    def is_class(self) -> bool:
        """Whether this is a class's, which functions inside of it do not see."""
        return isinstance(self.node, ast.ClassDef)

    @property
    def path(self) -> list[str]:
        """The names of the classes and functions around, outermost first."""
        if self.around is None:
            return []
        return [*self.around.path, getattr(self.node, "name", "?")]

    def inner(self, node: ast.AST) -> Namespace:
        """Return the namespace of a class or function that is defined in this one."""
        known: dict[int, Namespace] = self.source.memo.setdefault("namespaces", {})
        found = known.get(id(node))
        if found is None:
            found = known[id(node)] = Namespace(self.source, node, self)
            if not isinstance(node, ast.ClassDef):
                for argument in _arguments(node):
                    found.bind(argument, OPAQUE)
            if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                found.take(node.body)
                found.take_back(ast.Nonlocal)
        return found

    def bind(self, name: str, binding: Binding) -> None:
        """Take note of one binding of `name`."""
        self.names.setdefault(name, []).append(binding)

    def take(self, body: Iterable[ast.stmt]) -> None:
        """Take note of what the statements of `body` bind here."""
        for statement in body:
            self._take(statement)

    def take_back(self, kind: type[ast.Global | ast.Nonlocal]) -> None:
        """Take note of the names that functions inside bind here."""
        if not self.source.mentions("global " if kind is ast.Global else "nonlocal "):
            return
        for node in ast.walk(self.node):
            if isinstance(node, kind):
                for name in node.names:
                    self.bind(name, OPAQUE)

    def _take(self, node: ast.AST) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self.bind(node.name, node)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._assign(target, node.value)
            self._walruses(node.value)
        elif isinstance(node, ast.AnnAssign):
            if isinstance(node.target, ast.Name) and node.value is not None:
                self.bind(node.target.id, node.value)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                self.bind(alias.asname or top, Imported(alias.name if alias.asname else top))
        elif isinstance(node, ast.ImportFrom):
            self._import_from(node)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            for name in node.names:
                self.bind(name, OPAQUE)
        elif type(node).__name__ == "TypeAlias":  # `type Phone = ...`, new in Python 3.12
            self.bind(node.name.id, node.value)  # type: ignore[attr-defined]
        elif isinstance(node, ast.ExceptHandler) and node.name:
            self.bind(node.name, OPAQUE)
            self.take(node.body)
        elif isinstance(node, (ast.stmt, ast.ExceptHandler, ast.withitem, ast.match_case, ast.pattern)):
            self._opaque_targets(node)
            for child in ast.iter_child_nodes(node):
                self._take(child)
        elif isinstance(node, ast.expr):
            self._walruses(node)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.bind(target.id, value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            values: list[ast.expr] = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
            if len(values) == len(target.elts) and not any(isinstance(v, ast.Starred) for v in (*values, *target.elts)):
                for one, its in zip(target.elts, values, strict=True):
                    self._assign(one, its)
            else:
                self.bind_targets(target)

    def _opaque_targets(self, node: ast.AST) -> None:
        if isinstance(node, (ast.For, ast.AsyncFor, ast.AugAssign)):
            self.bind_targets(node.target)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            self.bind_targets(node.optional_vars)
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                self.bind_targets(target)
        elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
            self.bind(node.name, OPAQUE)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            self.bind(node.rest, OPAQUE)

    def bind_targets(self, target: ast.AST) -> None:
        """Take note of what is bound in a way that says nothing."""
        for node in ast.walk(target):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                self.bind(node.id, OPAQUE)

    def _walruses(self, node: ast.AST) -> None:
        for inside in ast.walk(node):
            if isinstance(inside, ast.NamedExpr) and isinstance(inside.target, ast.Name):
                self.bind(inside.target.id, inside.value)

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = absolute(self.source, node)
        for alias in node.names:
            if alias.name == "*":
                self.starred.append(module)
            else:
                self.bind(alias.asname or alias.name, Imported(module, alias.name))


def absolute(source: Source, node: ast.ImportFrom) -> str:
    """Return the full name of the module that a ``from`` import in `source` names."""
    module = node.module or ""
    if not node.level:
        return module
    parts = source.name.split(".")
    up = node.level - 1 if source.is_package else node.level
    base = ".".join(parts[: len(parts) - up])
    return f"{base}.{module}" if module else base


def module_namespace(source: Source) -> Namespace:
    """Return the namespace of a whole module."""
    namespace = Namespace(source, source.tree)
    namespace.take(source.tree.body)
    namespace.take_back(ast.Global)
    return namespace


def _arguments(node: ast.AST) -> Iterator[str]:
    arguments = getattr(node, "args", None)
    if isinstance(arguments, ast.arguments):
        for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            yield one.arg
        for rest in (arguments.vararg, arguments.kwarg):
            if rest is not None:
                yield rest.arg
    for parameter in getattr(node, "type_params", ()):
        yield parameter.name
