"""What code declares, as a record of processing needs it: each tagged field with its whole policy.

A lock has the same tags by their names. Here are the policies that are enforced, so that what stands in the record is
what `decide` says.

What this module keeps:

- Fields are called what the ledger calls them, so that both can be held against each other.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from pydantic import BaseModel
from typing_extensions import is_typeddict

from purposebind import PolicyError
from purposebind.describing import declared_tags
from purposebind.governance.gating import gates
from purposebind.governance.importing import is_in
from purposebind.policy import Policy

__all__ = ["DeclaredField", "declared_fields"]


@dataclass(frozen=True)
class DeclaredField:
    """Something that is read under a tag.

    Attributes:
        name: What the ledger calls it: ``"Account.phone"``; of a function that asks for a purpose, ``"rows()"``.
        where: The module; of a column whose class is in none of them, the table.
        policy: What it may be used for.
        observing: Whether its class only observes, whatever is configured.
    """

    name: str
    where: str
    policy: Policy
    observing: bool = False

    @property
    def owner(self) -> str:
        """The model or class that it is a field of; of a function, nothing."""
        return "" if self.name.endswith("()") else self.name.rpartition(".")[0]


def declared_fields(modules: Iterable[ModuleType], packages: Iterable[str]) -> tuple[list[DeclaredField], list[str]]:
    """Return what is tagged in some modules, in order; and what could not be looked into, in words.

    Args:
        modules: The modules, imported.
        packages: The packages that they are of.
    """
    listed, named = list(modules), tuple(packages)
    found: dict[tuple[str, str], DeclaredField] = {}
    problems: list[str] = []

    def add(field: DeclaredField) -> None:
        known = found.get((field.name, field.where))
        policy = field.policy if known is None else known.policy.join(field.policy)  # a view is as narrow as its model
        observing = field.observing or (known is not None and known.observing)
        found[field.name, field.where] = dataclasses.replace(field, policy=policy, observing=observing)

    for cls in _classes(listed, named):
        try:
            for field in _of_class(cls):
                add(field)
        except PolicyError as error:
            problems.append(str(error))
        except Exception as error:  # an annotation may raise whatever it likes; models of ours were looked into before
            problems.append(f"{cls.__module__}.{cls.__qualname__} cannot be looked into ({type(error).__name__}).")
    of_classes = {name for name, _ in found}
    for field in _of_tables(listed):
        if field.name not in of_classes:  # a table model has said so already
            add(field)
    for module in listed:
        for qualname, gate in gates(module):
            if gate is not None:
                add(DeclaredField(f"{qualname}()", module.__name__, gate))
    return [found[key] for key in sorted(found)], sorted(set(problems))


def _classes(modules: Iterable[ModuleType], packages: tuple[str, ...]) -> Iterator[Any]:
    for model in dict.fromkeys(_below(BaseModel)):
        if is_in(model.__module__, packages) and not _is_a_base_alone(model, packages):
            yield model
    for module in modules:
        for value in vars(module).values():
            if _is_plain(value) and value.__module__ == module.__name__:
                yield value


def _is_a_base_alone(model: Any, packages: tuple[str, ...]) -> bool:
    """Whether pydantic made the class on the way to one of the user's, as `PurposeRootModel[str]` among its bases."""
    origin = model.__pydantic_generic_metadata__["origin"]
    return origin is not None and not is_in(origin.__module__, packages) and bool(model.__subclasses__())


def _is_plain(value: Any) -> bool:
    """Whether it is a dataclass or a typed dictionary, in which a `Sealed` may stand."""
    if not isinstance(value, type) or issubclass(value, BaseModel):
        return False
    return dataclasses.is_dataclass(value) or is_typeddict(value)


def _of_class(cls: Any) -> Iterator[DeclaredField]:
    owner = getattr(cls, "__purpose_name__", cls.__name__)  # a view's fields go by the names of its model's
    observing = getattr(cls, "__purpose_mode__", None) == "observe"
    for label, policy in declared_tags(cls).items():
        if label.rpartition(".")[0] in (owner, cls.__name__):  # others are of the classes that it refers to
            yield DeclaredField(label, cls.__module__, policy, observing)


def _of_tables(modules: Iterable[ModuleType]) -> Iterator[DeclaredField]:
    """The tagged columns of metadata that the modules hold, where they use the integration with SQLAlchemy."""
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
            for column in table.columns:
                policy = integration.policy_of(column)
                if policy is not None:
                    name = getattr(column.type, "field", "") or f"{table.fullname}.{column.name}"
                    yield DeclaredField(name, f"table {table.fullname}", policy)


def _below(cls: Any) -> Iterator[Any]:
    for one in cls.__subclasses__():
        yield one
        yield from _below(one)
