"""Who states a purpose: routes, tasks and functions, as the running program and the text of its modules show it.

What this module keeps:

- A purpose that is stated is found where it is written: in a decorator, a ``with`` block, a dependency, an option of a
  task. What a function called in there does is its own.
- No code of the user's runs for it but what importing the modules runs.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

from typing_extensions import get_type_hints

from purposebind import PolicyError, purpose_scope, requires_purpose
from purposebind.describing import declared_tags
from purposebind.governance.source import tree_of, value_of

__all__ = ["Definition", "Function", "definitions", "functions_of", "named", "place_of", "routes_of", "tasks_of"]

Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Function:
    """A function, route or task.

    Attributes:
        name: What it is called: ``"GET /login"`` or ``"shop.ads.match"``.
        where: Its place in the code.
        states: Whether it states a purpose.
        concerned: Whether it has to do with tagged data, or states a purpose.
        function: The qualified name of the function that is behind a route or task; empty for what is one.
        uses: The qualified names of other functions that run for it: a route's dependencies.
        untold: Whether its types cannot be told.
    """

    name: str
    where: str
    states: bool
    concerned: bool = True
    function: str = ""
    uses: tuple[str, ...] = ()
    untold: bool = False


# --- Routes and tasks ------------------------------------------------------------------------------------------------


def routes_of(modules: Iterable[ModuleType], apps: Iterable[Any]) -> list[Function]:
    """Return the routes of the applications that modules hold, and of others.

    One that is mounted in another is served there, and its routes are told once.
    """
    if "starlette.applications" not in sys.modules:
        return []
    from starlette.applications import Starlette

    try:
        from purposebind.integrations.fastapi.routes import mounted_apps, operations
    except ImportError:  # Starlette alone, whose routes state purposes by a middleware or not at all
        return []
    found: dict[str, Function] = {}
    held = list(_held(modules, apps, Starlette))
    mounted = {id(inner) for app in held for inner in mounted_apps(app)}
    for app in held:
        for one in operations(app) if id(app) not in mounted else ():
            endpoint = getattr(one.route, "endpoint", None)
            name, where = place_of(endpoint)
            if where.startswith(("fastapi.", "starlette.")):
                continue
            told = f"{'/'.join(one.methods)} {one.path}"
            uses = tuple(place_of(call)[0] for call in _calls(getattr(one, "_dependant", None)))
            states = bool(one.stated) or _is_stated(endpoint)
            found.setdefault(told, Function(told, where, states, function=name, uses=uses))
    return list(found.values())


def _calls(dependant: Any) -> Iterator[Any]:
    """What FastAPI calls for a route."""
    if dependant is not None:
        if dependant.call is not None:
            yield dependant.call
        for part in dependant.dependencies:
            yield from _calls(part)


def tasks_of(modules: Iterable[ModuleType], apps: Iterable[Any]) -> list[Function]:
    """Return the tasks of the Celery applications that modules hold, and of others."""
    if "celery.app.base" not in sys.modules:
        return []
    from celery import Celery  # type: ignore[import-untyped]

    found: dict[str, Function] = {}
    for app in _held(modules, apps, Celery):
        try:
            tasks = sorted(app.tasks.items())
        except Exception as error:  # of its configuration, which is read with the first look at its tasks
            raise PolicyError(
                f"The tasks of the Celery application {app.main or 'without a name'!r} cannot be told "
                f"({type(error).__name__}: {error}). Run the command where a worker starts."
            ) from None
        for name, task in tasks:
            if not name.startswith("celery."):
                body = getattr(task, "__wrapped__", None) or task.run
                at, where = place_of(body)
                states = bool(getattr(task, "purposes", None)) or _is_stated(body)
                found.setdefault(name, Function(name, where, states, function=at))
    return list(found.values())


def _held(modules: Iterable[ModuleType], apps: Iterable[Any], kind: type) -> Iterator[Any]:
    seen: set[int] = set()
    for value in (*apps, *(value for module in modules for value in list(vars(module).values()))):
        if issubclass(type(value), kind) and id(value) not in seen:  # a proxy is not asked what it stands for
            seen.add(id(value))
            yield value


def place_of(function: Any) -> tuple[str, str]:
    """Return the qualified name of a function, with its module's, and its place."""
    inner = inspect.unwrap(getattr(function, "__func__", function))
    name = getattr(inner, "__qualname__", type(inner).__qualname__)
    module = getattr(inner, "__module__", None) or type(inner).__module__
    code = getattr(inner, "__code__", None)
    return f"{module}.{name}", f"{module}:{code.co_firstlineno}" if code is not None else str(module)


# --- Functions -------------------------------------------------------------------------------------------------------


def functions_of(modules: Iterable[ModuleType]) -> list[Function]:
    """Return the functions and methods that modules declare; those of models collect data, and are left out."""
    found: list[Function] = []
    for module in modules:
        for qualname, node in definitions(tree_of(module)):
            owner = _object(module, qualname.rpartition(".")[0]) if "." in qualname else module
            if "<locals>" in qualname or _is_model(owner):
                continue
            states = _states(node, vars(module))
            carries = None if states else _carries(_object(module, qualname))
            found.append(
                Function(
                    f"{module.__name__}.{qualname}",
                    f"{module.__name__}:{node.lineno}",
                    states,
                    states or bool(carries),
                    untold=not states and carries is None,
                )
            )
    return found


def _is_stated(function: Any) -> bool:
    """Whether the text of a function states a purpose."""
    inner = inspect.unwrap(getattr(function, "__func__", function))
    module = sys.modules.get(getattr(inner, "__module__", None) or "")
    qualname = getattr(inner, "__qualname__", "")
    return module is not None and _stated_in(module).get(qualname, False)


@cache
def _stated_in(module: ModuleType) -> dict[str, bool]:
    return {name: _states(node, vars(module)) for name, node in definitions(tree_of(module))}


def definitions(tree: ast.AST | None, around: str = "") -> Iterator[tuple[str, Definition]]:
    """Yield the functions in a syntax tree, by their qualified names."""
    for node in ast.iter_child_nodes(tree) if tree is not None else ():
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"{around}{node.name}", node
            yield from definitions(node, f"{around}{node.name}.<locals>.")
        elif isinstance(node, ast.ClassDef):
            yield from definitions(node, f"{around}{node.name}.")
        else:
            yield from definitions(node, around)


def _states(function: Definition, names: dict[str, Any]) -> bool:
    waiting: list[ast.AST] = [*function.body]
    if any(_is_purpose(one, names) for one in function.decorator_list):
        return True
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            continue  # it runs where it is called
        if isinstance(node, (ast.With, ast.AsyncWith)) and any(
            _is_purpose(item.context_expr, names, gates=False) for item in node.items
        ):
            return True
        waiting += ast.iter_child_nodes(node)
    return False


def _is_purpose(node: ast.AST, names: dict[str, Any], *, gates: bool = True) -> bool:
    """Whether an expression is a scope, or a gate, or has such a name."""
    kinds: list[Any] = [purpose_scope, *([requires_purpose] if gates else [])]
    stating: Any = sys.modules.get("purposebind.integrations.fastapi.stating")
    if stating is not None:
        kinds.append(stating.for_purpose)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr == "across_yields":
            return _is_purpose(node.func.value, names, gates=gates)
        made = named(node.func, names)
        return made is not None and any(made is kind for kind in kinds)
    return issubclass(type(named(node, names)), tuple(kinds))


def named(node: ast.AST, names: dict[str, Any]) -> Any:
    """Return what an expression stands for, or None where that is not known: a proxy may refuse to say what it is."""
    try:
        return value_of(node, names)
    except Exception:
        return None


def _object(module: ModuleType, qualname: str) -> Any:
    found: Any = module
    for part in qualname.split("."):
        found = vars(found).get(part) if issubclass(type(found), (ModuleType, type)) else None
    return found


def _is_model(owner: Any) -> bool:
    return issubclass(type(owner), type) and (hasattr(owner, "__pydantic_fields__") or "__mapper__" in vars(owner))


def _carries(function: Any) -> bool | None:
    """Whether the types of a function's parameters and result carry tags; None where they cannot be told."""
    for part in ("__func__", "fget", "func"):
        function = getattr(function, part, None) or function
    inner = inspect.unwrap(function) if callable(function) else None
    if not isinstance(inner, FunctionType):
        return False
    try:
        hints = get_type_hints(inner, include_extras=True)
        return bool(declared_tags(*hints.values()))
    except (PolicyError, NameError, AttributeError, TypeError, SyntaxError):
        return None
