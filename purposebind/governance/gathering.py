"""What packages declare: their models, tables, gates, handovers and emergencies.

The packages are imported, with all modules inside them: tags are what Python makes of the code, not what its text looks
like. Modules called ``__main__`` are left out, since they run something.

What this module keeps:

- **R9** What cannot be told is an error: a module that does not import, a class that is not finished, a gate whose
  purposes are worked out at run time. A lock with holes would let a widening through.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from purposebind import Purpose, PurposeModel
from purposebind.describing import field_tags
from purposebind.errors import UNRECOGNIZED

from .circles import refuse_circles
from .importing import imported, is_in
from .lock import Lock, LockError, Model, Tag
from .source import emergencies, gates

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
    modules = imported(*packages)
    refuse_circles((one.source.name, one.target.name) for one in Purpose.handovers())
    found_gates: dict[str, Tag] = {}
    opened: Counter[str] = Counter()
    for module in modules:
        for name, gate in gates(module):
            if gate is None:
                raise LockError(
                    f"What {module.__name__}.{name}() asks for cannot be told from its decorator. Write the purposes "
                    "into requires_purpose(...), by names that the module has."
                )
            found_gates[f"{module.__name__}:{name}"] = Tag.of(gate.policy)
        opened.update(f"{module.__name__}:{name}" for name in emergencies(module))
    return Lock(
        packages=tuple(sorted(set(packages))),
        purposes={one.name: one.description for one in Purpose.declared() if one.name != UNRECOGNIZED},
        models=dict(_models(packages)),
        tables=dict(_tables(modules)),
        gates=found_gates,
        handovers={(one.source.name, one.target.name): one.reason for one in Purpose.handovers()},
        break_glass=dict(opened),
    )


def _models(packages: tuple[str, ...]) -> Iterator[tuple[str, Model]]:
    for model in _below(PurposeModel):
        if not is_in(model.__module__, packages):
            continue
        if not model.__pydantic_complete__ and not model.model_rebuild(raise_errors=False):
            raise LockError(
                f"{model.__module__}.{model.__qualname__} is not finished: it refers to a class that is not defined. "
                "Import the module that defines it, or call model_rebuild() there."
            )
        tags = field_tags(model)
        if tags:
            tagged = {name: Tag.of(policy) for name, policy in tags.items()}
            untagged = tuple(sorted(model.model_fields.keys() - tags.keys()))
            yield f"{model.__module__}.{model.__qualname__}", Model(tagged, untagged)


def _tables(modules: Iterable[ModuleType]) -> Iterator[tuple[str, Model]]:
    """The tagged tables of metadata that the modules hold, where they use the integration with SQLAlchemy."""
    integration: Any = sys.modules.get("purposebind.integrations.sqlalchemy")
    if integration is None:
        return
    from sqlalchemy import MetaData

    held = {
        id(metadata): metadata
        for module in modules
        for value in vars(module).values()
        if isinstance(metadata := getattr(value, "metadata", value) if isinstance(value, type) else value, MetaData)
    }
    for metadata in held.values():
        for table in metadata.tables.values():
            policies = {column.name: integration.policy_of(column) for column in table.columns}
            tagged = {name: Tag.of(policy) for name, policy in policies.items() if policy is not None}
            keeping = (one.name for one in table.columns if isinstance(one.type, integration.CollectedFor))
            if tagged:
                untagged = tuple(sorted(policies.keys() - tagged.keys()))
                yield table.fullname, Model(tagged, untagged, tuple(sorted(keeping)))


def _below(cls: Any) -> Iterator[Any]:
    for one in cls.__subclasses__():
        yield one
        yield from _below(one)
