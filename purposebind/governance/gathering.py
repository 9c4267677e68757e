"""What packages declare: their models, tables, gates, handovers and emergencies.

The packages are imported, with all modules inside them: tags are what Python makes of the code, not what its text looks
like.

What this module keeps:

- **R9** What cannot be told is an error: a module that does not import, a class that is not finished, a gate whose
  purposes are worked out at run time. A lock with holes would let a widening through.
- Two of one name are both told.
"""

from __future__ import annotations

import ast
import gc
from collections import Counter
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from purposebind import Purpose, PurposeModel, configure, requires_purpose
from purposebind.describing import field_tags
from purposebind.errors import UNRECOGNIZED

from .boxes import boxes_of_class, boxes_of_model, boxes_of_module, is_plain, numbered
from .circles import refuse_circles
from .gating import gates
from .importing import imported, is_in
from .lock import Lock, LockError, Model, Tag
from .loosening import emergencies, late_handovers, observing
from .source import tree_of
from .tables import tables_of

__all__ = ["gather"]


def gather(*packages: str) -> Lock:
    """Import `packages`, with the modules inside them, and return what they declare.

    Purposes and handovers are those of the whole process: a package may use what another one declares.

    Raises:
        LockError: A module cannot be imported or a model is not finished; what a gate asks for cannot be told; or
            handovers lead in a circle.

    Example:
        >>> gather("purposebind.demo.accounts").models["purposebind.demo.accounts.Account"].tagged["email"]
        Tag(allowed=('security.two_factor',), never=(), consent=(), retain='')
    """
    collects = gc.isenabled()
    gc.disable()  # a class that nothing uses any more would be told by chance, until it is gone
    try:
        return _gathered(packages)
    finally:
        if collects:
            gc.enable()


def _gathered(packages: tuple[str, ...]) -> Lock:
    modules = imported(*packages)
    handovers = {(one.source.name, one.target.name): one.reason for one in Purpose.handovers()}
    found_gates: list[tuple[str, Tag]] = []
    opened, observed, late = Counter[str](), Counter[str](), Counter[str]()
    for module in modules:
        _require_source(module)
        name = module.__name__
        for gate, policy in gates(module):
            if policy is None:
                raise LockError(
                    f"What {name}.{gate}() asks for cannot be told from its text. Write the purposes into "
                    "requires_purpose(...), by names that the module has, where it is used."
                )
            found_gates.append((f"{name}:{gate}", Tag.of(policy)))
        opened.update(f"{name}:{one}" for one in emergencies(module))
        observed.update(f"{name}:{one}" for one in observing(module))
        for one, told in late_handovers(module):
            if told is None:
                late[f"{name}:{one}"] += 1
            else:
                handovers.setdefault(told[:2], told[2])
    refuse_circles(handovers)
    models, plain = _sorted_out((*_models(packages), *_of_classes(modules), *_of_modules(modules)))
    tables, plain_tables = _sorted_out(tables_of(modules, packages))
    observed.update(_observing(packages))
    return Lock(
        packages=tuple(sorted(set(packages))),
        purposes={one.name: one.description for one in Purpose.declared() if one.name != UNRECOGNIZED},
        models=models,
        tables=tables,
        gates=dict(numbered(found_gates)),
        handovers=handovers,
        break_glass=dict(opened),
        observing=dict(observed),
        late_handovers=dict(late),
        plain=plain | plain_tables,
    )


def _require_source(module: ModuleType) -> None:
    if tree_of(module) is not None:
        return
    from purposebind.break_glass import break_glass

    for name, value in vars(module).items():
        if value is requires_purpose or value is break_glass or value is configure:
            raise LockError(
                f"{module.__name__} uses {name}, and there is no source beside it to tell where. Run the command where "
                "the sources are."
            )


def _sorted_out(found: Iterable[tuple[str, Model]]) -> tuple[dict[str, Model], dict[str, tuple[str, ...]]]:
    """What has tags, and the names of what has none, which only counts where it had some."""
    tagged, plain = dict[str, Model](), dict[str, tuple[str, ...]]()
    listed = list(found)
    for key, model in numbered((key, model) for key, model in listed if model.tagged):
        tagged[key] = model
    for key, model in listed:
        if not model.tagged:
            plain[key] = tuple(sorted({*plain.get(key, ()), *model.untagged}))
    return tagged, plain


def _models(packages: tuple[str, ...]) -> Iterator[tuple[str, Model]]:
    for model in _below(BaseModel):
        if not is_in(model.__module__, packages):
            continue
        if not model.__pydantic_complete__ and not model.model_rebuild(raise_errors=False):
            if not issubclass(model, PurposeModel) and not _mentions_a_box(model):
                continue
            raise LockError(
                f"{model.__module__}.{model.__qualname__} is not finished: it refers to a class that is not defined. "
                "Import the module that defines it, or call model_rebuild() there."
            )
        tagged = boxes_of_model(model) | {name: Tag.of(policy) for name, policy in field_tags(model).items()}
        untagged = tuple(sorted(model.__pydantic_fields__.keys() - tagged.keys()))
        yield f"{model.__module__}.{model.__qualname__}", Model(tagged, untagged)


def _mentions_a_box(model: Any) -> bool:
    return any("Sealed" in str(one) for base in model.__mro__ for one in _annotations(base))


def _annotations(cls: Any) -> Iterable[Any]:
    return (vars(cls).get("__annotations__") or {}).values()


def _of_classes(modules: Iterable[ModuleType]) -> Iterator[tuple[str, Model]]:
    """The dataclasses and the like of modules, in which boxes may stand."""
    for module in modules:
        waiting, seen = list(vars(module).values()), set[int]()
        while waiting:
            one = waiting.pop(0)
            if not issubclass(type(one), type) or one.__module__ != module.__name__ or id(one) in seen:
                continue
            seen.add(id(one))
            waiting += vars(one).values()
            if is_plain(one):
                yield f"{one.__module__}.{one.__qualname__}", Model(*boxes_of_class(one))


def _of_modules(modules: Iterable[ModuleType]) -> Iterator[tuple[str, Model]]:
    """The aliases and adapters that modules give a name to."""
    for module in modules:
        tree = tree_of(module)
        named = [
            name.id
            for one in (ast.walk(tree) if tree is not None else ())
            if isinstance(one, (ast.Assign, ast.AnnAssign)) or type(one).__name__ == "TypeAlias"
            for name in ast.walk(one)
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
        ]
        tags = boxes_of_module(module, named)
        if tags:
            yield module.__name__, Model(tags)


def _observing(packages: tuple[str, ...]) -> Iterator[str]:
    for model in _below(PurposeModel):
        if is_in(model.__module__, packages) and getattr(model, "__purpose_mode__", None) == "observe":
            yield f"{model.__module__}.{model.__qualname__}"


def _below(cls: Any) -> Iterator[Any]:
    seen: set[Any] = set()
    waiting = [cls]
    while waiting:
        for one in waiting.pop(0).__subclasses__():
            if one not in seen:
                seen.add(one)
                waiting.append(one)
                yield one
