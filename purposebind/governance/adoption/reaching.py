"""Which functions run for the purpose of a caller, as far as the text of modules shows.

It goes by names: a function uses another where it names it. Where a name cannot be resolved, as that of a method, it
stands for every function that is called so. What is reached by mistake is one finding less; what states nothing is told
at run time, when it reads.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

from purposebind.governance.source import tree_of

from .stating import definitions, named, place_of

__all__ = ["reached_from"]


def reached_from(names: Iterable[str], modules: Iterable[ModuleType]) -> set[str]:
    """Return the functions that some functions use, and those that these use, with themselves.

    Args:
        names: Their qualified names, with their modules'.
        modules: The modules whose functions are looked at.
    """
    uses: dict[str, set[str]] = {}
    called: dict[str, set[str]] = {}
    found = [(module, *one) for module in modules for one in definitions(tree_of(module))]
    for module, qualname, _ in found:
        called.setdefault(qualname.rpartition(".")[2], set()).add(f"{module.__name__}.{qualname}")
    for module, qualname, node in found:
        uses.setdefault(f"{module.__name__}.{qualname}", set()).update(_used(node, vars(module), called))
    reached: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += uses.get(name, ())
    return reached


def _used(function: ast.AST, names: dict[str, Any], called: Mapping[str, set[str]]) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
            value = named(node, names)
            if value is None:
                yield from called.get(node.id if isinstance(node, ast.Name) else node.attr, ())
            elif callable(value):
                yield place_of(value)[0]
