"""How a purpose is written in a module: the name that it has there, or can be imported by.

What this module keeps:

- What is written works where it stands: the name is bound above the line, and an import leads to no circle.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

from purposebind import Purpose
from purposebind.governance.source import tree_of

__all__ = ["Speller", "Spelling", "binds", "imported_as", "imports_of"]


@dataclass(frozen=True)
class Spelling:
    """How something is written.

    Attributes:
        text: The expression.
        module: The module to import its first name from; empty where the name is there.
        name: That name.
        alias: The name that it is to be imported as; empty for its own.
    """

    text: str
    module: str = ""
    name: str = ""
    alias: str = ""


class Speller:
    """Knows the names of purposes in the modules of some packages.

    Args:
        modules: The modules.
    """

    def __init__(self, modules: Sequence[ModuleType]) -> None:
        self._modules = {module.__name__: module for module in modules}
        self._homes: dict[int, list[tuple[str, str]]] = {}
        for module in (*modules, *_others(self._modules)):
            for path, purpose in _purposes(module):
                self._homes.setdefault(id(purpose), []).append((module.__name__, path))

    def spelled(self, purpose: Purpose, module: ModuleType, line: int) -> Spelling | None:
        """Return how to write a purpose in a module above some line; None where there is no way."""
        homes = self._homes.get(id(purpose), [])
        for name, path in homes:
            if name == module.__name__ and binds(module, path.partition(".")[0], line):
                return Spelling(path)
        for name, path in sorted(homes, key=lambda home: self._rank(home, module)):
            first = path.partition(".")[0]
            declares = name not in self._modules or binds(self._modules[name], first, sys.maxsize)
            if name != module.__name__ and declares and not self._leads_back(name, module.__name__):
                return imported_as(first, name, module, path)
        return None

    def _rank(self, home: tuple[str, str], module: ModuleType) -> tuple[Any, ...]:
        name, path = home
        own = self._modules.get(name)
        declared = own is not None and binds(own, path.partition(".")[0], sys.maxsize, imports=False)
        return (own is None, not declared, "." in path, name.count("."), name, path)

    def _leads_back(self, start: str, to: str) -> bool:
        """Whether importing a module imports another one, which would still be at its beginning then."""
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            name = waiting.pop()
            if name == to:
                return True
            if name in seen or name not in self._modules:
                continue
            seen.add(name)
            waiting += imports_of(self._modules[name])
        return False


def imported_as(name: str, module: str, into: ModuleType, text: str = "") -> Spelling:
    """Return how to write what is imported, under another name where a module has its name for something else."""
    same = name not in vars(into) or vars(into)[name] is getattr(sys.modules[module], name, None)
    text = text or name
    alias = "" if same else f"_{name}"
    return Spelling(text if same else f"{alias}{text[len(name) :]}", module, name, alias)


def binds(module: ModuleType, name: str, line: int, *, imports: bool = True) -> bool:
    """Return whether a module binds a name above some line, by an assignment, or an import, at its top level."""
    return any(found == name and at < line and (imports or not imported) for found, at, imported in _bound(module))


@cache
def _bound(module: ModuleType) -> tuple[tuple[str, int, bool], ...]:
    tree = tree_of(module)
    return tuple(_bindings(tree.body, module)) if tree is not None else ()


def _bindings(statements: Iterable[ast.stmt], module: ModuleType) -> Iterator[tuple[str, int, bool]]:
    for node in statements:
        if isinstance(node, ast.Assign):
            names = [n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)]
            yield from ((name, node.end_lineno or node.lineno, False) for name in names)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.end_lineno or node.lineno, False
        elif isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.end_lineno or node.lineno, False
        elif isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            source = sys.modules.get(_absolute(node, module))
            yield from ((name, node.end_lineno or node.lineno, True) for name in vars(source or module))
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], node.end_lineno or node.lineno, True


@cache
def imports_of(module: ModuleType) -> tuple[str, ...]:
    """Return the modules that one imports when it is imported, and the packages around them."""
    tree = tree_of(module)
    found: set[str] = set()
    for node in _running(tree) if tree is not None else ():
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(node, module)
            found.add(source)
            found.update(f"{source}.{alias.name}" for alias in node.names)
    around = {name.rpartition(".")[0] for name in found}
    own = {module.__name__, *_around(module.__name__)}  # begun already, whoever imports it
    return tuple(sorted({one for name in (*found, *around) for one in (name, *_around(name))} - own))


def _around(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when a module is imported: not the bodies of functions, nor what is there for type checkers."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from _running(child)


def _absolute(node: ast.ImportFrom, module: ModuleType) -> str:
    if not node.level:
        return node.module or ""
    parts = module.__name__.split(".")
    if not hasattr(module, "__path__"):
        parts = parts[:-1]
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _others(own: Mapping[str, ModuleType]) -> list[ModuleType]:
    """Modules of other packages, in which purposes may be declared."""
    return [
        module
        for name, module in sorted(sys.modules.items())
        if name not in own and type(module) is ModuleType and name != "__main__" and module.__name__ == name
    ]


def _purposes(module: ModuleType) -> Iterator[tuple[str, Purpose]]:
    """The purposes that have names in a module. What stands for another object is not asked what that is."""
    for name, value in sorted(vars(module).items()):
        if issubclass(type(value), Purpose) and name.isidentifier() and not name.startswith("__"):
            yield name, value
        elif issubclass(type(value), type) and value.__module__ == module.__name__:
            for inner, one in vars(value).items():
                if issubclass(type(one), Purpose) and inner.isidentifier():
                    yield f"{name}.{inner}", one
