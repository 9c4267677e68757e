"""The purposes that are known to be active at a place in the code.

What this module keeps:

- **R4** What one function enters, by its decorators and its ``with`` statements, is entered one inside the other.
- Whoever calls the function may be in a scope of its own, of which nothing is known; so the purposes known here are
  some of those that are active. Where one of them is not covered, the read is refused whatever the others are.
- What may enter a scope, and cannot be resolved, may leave those that are known. After it nothing is.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from .names import Defined, Entity, Library, Names, Outside, Value
from .namespaces import Namespace
from .reading import Handovers, purpose
from .walking import Enters, Function, Later, Place
from .weighing import entered

__all__ = ["Known", "Scopes", "TypeOf"]

TypeOf = Callable[[ast.expr], "str | None"]
"""Tells the full name of the class of an expression, as far as mypy knows it."""

_NOT_TOLD: Final = frozenset(
    (
        "_AsyncGeneratorContextManager",
        "_GeneratorContextManager",
        "AbstractAsyncContextManager",
        "AbstractContextManager",
        "AsyncExitStack",
        "ContextManager",
        "AsyncContextManager",
        "ExitStack",
        "object",
    )
)
"""Context managers of the standard library that may hold a scope."""

_VALIDATING: Final = frozenset(
    (
        "field_serializer",
        "field_validator",
        "model_serializer",
        "model_validator",
        "root_validator",
        "serializer",
        "validator",
    )
)
"""pydantic's decorators of functions that see plain values (R10)."""

_ENTERING: Final = frozenset(("__aenter__", "__enter__", "enter_async_context", "enter_context"))
_DEEP: Final = 3
"""How many calls deep a context manager's own code is looked through for a scope."""

_NEUTRAL: Final = frozenset(("noting", "collected_for", "AllowedFor", "Purpose"))


class _Opens(IntEnum):
    """What a context manager or decorator enters, as far as can be told."""

    NOTHING = 0
    SCOPE = 1
    """A scope, it may be."""
    ANYTHING = 2
    """A scope, or an emergency in which every read is let through, it may be."""


@dataclass(frozen=True)
class Known:
    """What is known of the scope at a place.

    Attributes:
        active: Purposes that are active, whoever calls.
        scoped: Whether the code states a purpose around the place, or something that may be one.
        everything: Whether every read is let through, or may be (`break_glass`).
        plain: The name of the model that a validator or serializer sees plain (R10), or None.
    """

    active: frozenset[str] = frozenset()
    scoped: bool = False
    everything: bool = False
    plain: str | None = None

    def after(self, opened: _Opens) -> Known:
        """Return what is known inside of what may enter something."""
        if opened is _Opens.NOTHING:
            return self
        return Known(frozenset(), True, self.everything or opened is _Opens.ANYTHING, self.plain)


class Scopes:
    """Works out what is known at a place."""

    def __init__(self, names: Names, handovers: Handovers) -> None:
        self._names = names
        self._handovers = handovers
        self._known_to_open: dict[ast.AST, _Opens] = {}

    def renew(self) -> None:
        """Look again, when next asked, at what context managers and decorators do."""
        self._known_to_open.clear()

    def at(self, place: Place, type_of: TypeOf) -> Known:
        """Return what is known at `place`.

        Args:
            place: Where.
            type_of: Asked for the classes of context managers that cannot be told from the source.
        """
        known = Known()
        for step in place.steps():
            if isinstance(step, Function):
                known = self._in_function(step, known)
            elif isinstance(step, Enters):
                known = self._inside(step.node, step.namespace, known, type_of)
            elif isinstance(step, Later):
                known = Known(frozenset(), known.scoped, False, known.plain)
        return known

    def nests(self, place: Place) -> bool:
        """Return whether purposes may be entered one inside the other at `place`, so that handovers matter."""
        entering = 0
        for step in place.steps():
            if isinstance(step, Function):
                entering = 0
                nodes = [(node, step.namespace) for node in step.node.decorator_list]
            else:
                nodes = [(step.node, step.namespace)] if isinstance(step, Enters) else []
            for node, namespace in nodes:
                made = self._made(node, namespace)
                if isinstance(made, tuple):
                    entering += len(made[0].args) + sum(isinstance(one, ast.Starred) for one in made[0].args)
        return entering > 1

    def _in_function(self, step: Function, around: Known) -> Known:
        """What is known in a function's body, of what its decorators say."""
        known = Known(scoped=around.scoped, plain=self._plain(step) or around.plain)
        for node in step.node.decorator_list:  # the first is the outermost
            made = self._made(node, step.namespace)
            if isinstance(made, tuple):
                known = self._entering(*made, known)
            elif made == Library("requires_purpose"):
                known = replace(known, scoped=True)
            else:
                known = known.after(self._decorator_opens(node, step.namespace))
        return known.after(self._opened_by_hand(step))

    def _inside(self, node: ast.expr, namespace: Namespace, known: Known, type_of: TypeOf) -> Known:
        """What is known inside of one item of a ``with`` statement."""
        made = self._made(node, namespace)
        if isinstance(made, tuple):
            return self._entering(*made, known)
        if made == Library("break_glass"):
            return known.after(_Opens.ANYTHING)
        if isinstance(made, Library):
            return known if made.name in _NEUTRAL else known.after(_Opens.SCOPE)
        if isinstance(made, Outside):
            return known.after(_Opens.ANYTHING) if made.name.rpartition(".")[2] in _NOT_TOLD else known
        if isinstance(made, Defined):
            return known.after(self._opens(made))
        return known.after(self._class_opens(type_of(node)))

    def _made(self, node: ast.expr, namespace: Namespace) -> tuple[ast.Call, Namespace] | Entity | None:
        """What a context manager, or a decorator, is made by: the call of `purpose_scope`, or what else is called."""
        found = self._names.entity(node, namespace)
        if not isinstance(found, Value):
            return None
        if not isinstance(found.node, ast.Call):
            return None
        call, place = found.node, found.namespace
        if isinstance(call.func, ast.Attribute) and call.func.attr == "across_yields":
            return self._made(call.func.value, place)
        called = self._names.called(call, place)
        return (call, place) if called == Library("purpose_scope") else called

    def _entering(self, call: ast.Call, namespace: Namespace, known: Known) -> Known:
        """What is known after the scope that `call` makes is entered, each of its purposes inside the one before."""
        for node in call.args:
            name = None if isinstance(node, ast.Starred) else purpose(self._names, node, namespace)
            if name is None:
                known = known.after(_Opens.SCOPE)
            else:
                active = entered(known.active, name, self._handovers.between)
                known = Known(active, True, known.everything, known.plain)
        return known

    def _opened_by_hand(self, step: Function) -> _Opens:
        """What a function enters without a ``with`` statement, somewhere in it."""
        inside = step.namespace.inner(step.node)
        worst = _Opens.NOTHING
        for node in ast.walk(step.node) if step.namespace.source.mentions(*_ENTERING) else ():
            if not isinstance(node, ast.Call) or not _enters_by_hand(node.func):
                continue
            assert isinstance(node.func, ast.Attribute)
            what = node.func.value if node.func.attr.startswith("_") else node.args[0] if node.args else None
            known = Known(everything=False)
            entered = known if what is None else self._inside(what, inside, known, lambda _: None)
            worst = max(worst, _Opens.ANYTHING if entered.everything else _Opens(entered != known))
        return worst

    def _decorator_opens(self, node: ast.expr, namespace: Namespace) -> _Opens:
        """What a decorator may run the function in."""
        if isinstance(node, ast.Call):
            node = node.func
        found = self._names.entity(node, namespace)
        if isinstance(found, Defined):
            return self._opens(found)
        if isinstance(found, (Outside, Library)):
            return _Opens.NOTHING
        return _Opens.ANYTHING if isinstance(node, ast.Name) or isinstance(found, Value) else _Opens.NOTHING

    def _opens(self, found: Defined, deep: int = 0) -> _Opens:
        """What a function or class of the build's enters, as a context manager or decorator, as far as can be told."""
        module = found.namespace.source
        if module.name.startswith("purposebind.") and not module.name.startswith("purposebind.demo"):
            return _Opens.NOTHING if module.name.startswith("purposebind.testing") else _Opens.SCOPE
        if deep > _DEEP:
            return _Opens.ANYTHING
        if found.node not in self._known_to_open:
            opens = self._looked_through(found, deep)
            if deep:
                return opens  # what is called from deeper in is looked through less deeply
            self._known_to_open[found.node] = opens
        return self._known_to_open[found.node]

    def _looked_through(self, found: Defined, deep: int) -> _Opens:
        module = found.namespace.source
        told = module.mentions("purposebind")  # else what cannot be resolved is taken for something else
        worst = _Opens.NOTHING
        for base in found.node.bases if isinstance(found.node, ast.ClassDef) else ():
            parent = self._names.entity(base, found.namespace)
            if isinstance(parent, Defined):
                worst = max(worst, self._opens(parent, deep + 1))
            elif parent is None and told:
                return _Opens.ANYTHING
        inside = found.namespace.inner(found.node)
        for node in ast.walk(found.node):
            if worst is _Opens.ANYTHING:
                break
            if not isinstance(node, ast.Call):
                continue
            called = self._names.called(node, inside)
            if called == Library("purpose_scope"):
                worst = max(worst, _Opens.SCOPE)
            elif called == Library("break_glass"):
                worst = _Opens.ANYTHING
            elif isinstance(called, Defined) and called != found:
                worst = max(worst, self._opens(called, deep + 1))
            elif told and (_enters_by_hand(node.func) or (called is None and isinstance(node.func, ast.Name))):
                worst = _Opens.ANYTHING
        return worst

    def _class_opens(self, type_name: str | None) -> _Opens:
        """What context managers of a class may enter."""
        module, _, name = (type_name or "").rpartition(".")
        if not module or name in _NOT_TOLD:
            return _Opens.ANYTHING
        if module.startswith("purposebind"):
            return _Opens.ANYTHING if name == "break_glass" else _Opens.SCOPE
        while module:
            source = self._names.sources.get(module)
            if source is not None:
                return _Opens.ANYTHING if source.mentions("purposebind") and not source.is_installed else _Opens.NOTHING
            module = module.rpartition(".")[0]
        return _Opens.NOTHING

    def _plain(self, step: Function) -> str | None:
        """The first parameter of a validator, serializer or ``model_post_init`` of a model."""
        if not step.namespace.is_class:
            return None
        arguments = (*step.node.args.posonlyargs, *step.node.args.args)
        if not arguments:
            return None
        for node in step.node.decorator_list:
            found = self._names.entity(node.func if isinstance(node, ast.Call) else node, step.namespace)
            name = found.name.rpartition(".")[2] if isinstance(found, Outside) else ""
            if isinstance(found, Defined) and found.namespace.source.name.startswith("pydantic."):
                name = found.node.name
            if name in _VALIDATING:
                return arguments[0].arg
        return arguments[0].arg if step.node.name == "model_post_init" else None


def _enters_by_hand(called: ast.expr) -> bool:
    return isinstance(called, ast.Attribute) and called.attr in _ENTERING
