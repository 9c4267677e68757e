"""One walk over a module's tree: where scopes are entered, functions begin and tags stand, and what is no read.

Nothing is resolved here. A `Place` is what code is inside of, lexically: a chain of steps, the innermost first.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Union

from .namespaces import Namespace
from .sources import Source

__all__ = ["Enters", "Function", "Later", "Place", "Position", "Step", "Tree", "calls_of", "tree_of"]

Position = tuple[int, int]
"""A line, from 1, and a column, from 0."""

_EAGER: Final = frozenset(
    ("all", "any", "bytearray", "bytes", "dict", "frozenset", "list", "max", "min", "set", "sorted", "sum", "tuple")
)
"""Functions that use up what they are given before they return, and call their ``key=`` meanwhile."""

_EAGER_METHODS: Final = frozenset(("extend", "fsum", "join", "sort", "update", "writelines"))
"""Methods, and functions of modules, that do."""


@dataclass(frozen=True, eq=False)
class Function:
    """The body of a function: what runs around it is its caller's business."""

    node: ast.FunctionDef | ast.AsyncFunctionDef
    namespace: Namespace


@dataclass(frozen=True, eq=False)
class Enters:
    """One item of a ``with`` statement."""

    node: ast.expr
    namespace: Namespace


@dataclass(frozen=True)
class Later:
    """A lambda's body, or a generator expression that somebody else may use up."""


Step = Union[Function, Enters, Later]  # noqa: UP007  # it is evaluated, on 3.10 too


@dataclass(frozen=True, eq=False)
class Place:
    """What a piece of code is inside of: a step, and the place around it; the module itself has neither."""

    step: Step | None = None
    around: Place | None = None

    def steps(self) -> list[Step]:
        """Return the steps around, outermost first."""
        found: list[Step] = []
        place: Place | None = self
        while place is not None and place.step is not None:
            found.append(place.step)
            place = place.around
        return found[::-1]

    def target(self, module: str) -> str:
        """Return what mypy checks as a whole and this is a part of: the outermost function, or the module."""
        functions = [step for step in self.steps() if isinstance(step, Function)]
        return ".".join((module, *functions[0].namespace.path, functions[0].node.name)) if functions else module


@dataclass
class Tree:
    """What the walk found.

    Attributes:
        regions: Where each place begins and ends; one that is inside another comes after it.
        classes: Class definitions, and the namespaces they stand in.
        calls: Calls by the last part of the name that is called, and the namespaces they stand in.
        attributes: Attributes by where they are.
        methods: Attributes by their names that are not called on the spot, and the namespaces they stand in.
        dropped: Those that are set or deleted, and no read.
        opened: Those whose ``.open()`` is called.
    """

    regions: list[tuple[Position, Position, Place]] = field(default_factory=list)
    classes: list[tuple[ast.ClassDef, Namespace]] = field(default_factory=list)
    calls: dict[str, list[tuple[ast.Call, Namespace]]] = field(default_factory=dict)
    attributes: dict[tuple[Position, Position], ast.Attribute] = field(default_factory=dict)
    methods: dict[str, list[tuple[ast.Attribute, Namespace]]] = field(default_factory=dict)
    dropped: set[ast.Attribute] = field(default_factory=set)
    opened: set[ast.Attribute] = field(default_factory=set)

    def place(self, at: Position) -> Place:
        """Return the innermost place around a position."""
        found = Place()
        for start, end, place in self.regions:
            if start <= at < end:
                found = place
        return found


def tree_of(source: Source) -> Tree:
    """Return what the walk over a module found; it is made once."""
    found: Tree | None = source.memo.get("tree")
    if found is None:
        source.memo["tree"] = Tree()  # that of a module too deep to be walked
        walk = _Walk()
        walk.all(source.tree.body, Place(), source.namespace)
        found = source.memo["tree"] = walk.tree
    return found


def calls_of(source: Source, name: str) -> list[tuple[ast.Call, Namespace]]:
    """Return the calls in a module of what is called by `name`, or by a dotted name that ends in it."""
    return tree_of(source).calls.get(name, [])


class _Walk:
    def __init__(self) -> None:
        self.tree = Tree()

    def all(self, nodes: Iterable[ast.AST | None], place: Place, namespace: Namespace) -> None:
        for node in nodes:
            if node is not None:
                self.one(node, place, namespace)

    def one(self, node: ast.AST, place: Place, namespace: Namespace) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self._function(node, place, namespace)
        elif isinstance(node, ast.ClassDef):
            self.tree.classes.append((node, namespace))
            self.all((*node.decorator_list, *node.bases, *node.keywords), place, namespace)
            self.all(node.body, place, namespace.inner(node))
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            self._with(node, place, namespace)
        elif isinstance(node, ast.Lambda):
            self._later(node.body, place, namespace.inner(node))
            self.one(node.args, place, namespace)
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            self._comprehension(node, place, namespace)
        else:
            if isinstance(node, ast.Attribute):
                self._attribute(node)
                self.tree.methods.setdefault(node.attr, []).append((node, namespace))
            elif isinstance(node, ast.Call):
                self._call(node, place, namespace)
                return
            elif isinstance(node, (ast.For, ast.AsyncFor, ast.Starred, ast.Compare)):
                self._used_up(node, place, namespace)
                return
            self.all(ast.iter_child_nodes(node), place, namespace)
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Attribute):
                self.tree.dropped.discard(node.target)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, place: Place, namespace: Namespace) -> None:
        self.all((*node.decorator_list, node.args, node.returns), place, namespace)
        inside = Place(Function(node, namespace), place)
        self._region(node.body, inside)
        self.all(node.body, inside, namespace.inner(node))

    def _with(self, node: ast.With | ast.AsyncWith, place: Place, namespace: Namespace) -> None:
        for item in node.items:
            self.tree.regions.append((_start(item.context_expr), _end(item.context_expr), place))
            self.one(item.context_expr, place, namespace)
            place = Place(Enters(item.context_expr, namespace), place)
            if item.optional_vars is not None:
                self.one(item.optional_vars, place, namespace)
        self._region(node.body, place)
        self.all(node.body, place, namespace)

    def _later(self, body: ast.expr, place: Place, namespace: Namespace) -> None:
        later = Place(Later(), place)
        self.tree.regions.append((_start(body), _end(body), later))
        self.one(body, later, namespace)

    def _comprehension(
        self,
        node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp,
        place: Place,
        namespace: Namespace,
        at_once: bool = False,
    ) -> None:
        first = node.generators[0].iter
        inside = namespace.inner(node)
        for comprehension in node.generators:
            inside.bind_targets(comprehension.target)
        if isinstance(node, ast.GeneratorExp) and not at_once:
            later = Place(Later(), place)
            self.tree.regions.append((_start(node), _end(node), later))
            self.tree.regions.append((_start(first), _end(first), place))  # that is evaluated where it stands
        else:
            later = place
        self.one(first, place, namespace)
        for comprehension in node.generators:
            rest = comprehension.ifs if comprehension.iter is first else [comprehension.iter, *comprehension.ifs]
            self.all((comprehension.target, *rest), later, inside)
        self.all((node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,), later, inside)

    def _call(self, node: ast.Call, place: Place, namespace: Namespace) -> None:
        name = _last_name(node.func)
        self.tree.calls.setdefault(name, []).append((node, namespace))
        if name == "open" and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Attribute):
            self.tree.opened.add(node.func.value)
        at_once = name in (_EAGER if isinstance(node.func, ast.Name) else _EAGER_METHODS)
        if isinstance(node.func, ast.Attribute):
            self._attribute(node.func)
            self.one(node.func.value, place, namespace)
        else:
            self.one(node.func, place, namespace)
        for argument in node.args:
            self._argument(argument, at_once, place, namespace)
        for keyword in node.keywords:
            if at_once and keyword.arg == "key" and isinstance(keyword.value, ast.Lambda):
                self.one(keyword.value.args, place, namespace)
                self.one(keyword.value.body, place, namespace.inner(keyword.value))
            else:
                self.one(keyword.value, place, namespace)

    def _argument(self, node: ast.expr, at_once: bool, place: Place, namespace: Namespace) -> None:
        if isinstance(node, ast.GeneratorExp):
            self._comprehension(node, place, namespace, at_once)
        else:
            self.one(node, place, namespace)

    def _used_up(
        self, node: ast.For | ast.AsyncFor | ast.Starred | ast.Compare, place: Place, namespace: Namespace
    ) -> None:
        """What goes through a generator expression here and now: a loop, an unpacking, ``in``."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.GeneratorExp):
                self._comprehension(child, place, namespace, at_once=True)
            else:
                self.one(child, place, namespace)

    def _attribute(self, node: ast.Attribute) -> None:
        self.tree.attributes[_start(node), _end(node)] = node
        if not isinstance(node.ctx, ast.Load):
            self.tree.dropped.add(node)

    def _region(self, body: list[ast.stmt], place: Place) -> None:
        self.tree.regions.append((_first(body), _end(body[-1]), place))


def _start(node: ast.AST) -> Position:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _end(node: ast.AST) -> Position:
    return getattr(node, "end_lineno", None) or 0, getattr(node, "end_col_offset", None) or 0


def _first(body: list[ast.stmt]) -> Position:
    """Where the body begins: at the decorators of what it begins with."""
    decorators: Iterator[ast.expr] = iter(getattr(body[0], "decorator_list", ()))
    return min(_start(body[0]), *(_start(one) for one in decorators), (1 << 30, 0))


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
