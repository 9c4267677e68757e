"""The tables that packages declare, tagged or not."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from .importing import is_in
from .lock import Model, Tag

__all__ = ["tables_of"]


def tables_of(modules: Iterable[ModuleType], packages: tuple[str, ...]) -> Iterator[tuple[str, Model]]:
    """Yield the tables of the metadata that modules and their classes hold, by their names in the database.

    Args:
        modules: The modules of the packages.
        packages: The packages: classes that they map in functions count too.
    """
    if "sqlalchemy" not in sys.modules:
        return
    for metadata in {id(one): one for one in _held(modules, packages)}.values():
        for table in metadata.tables.values():
            tagged, collected = _told(table.columns, sys.modules.get("purposebind.integrations.sqlalchemy"))
            untagged = sorted({column.name for column in table.columns} - tagged.keys())
            yield table.fullname, Model(tagged, tuple(untagged), tuple(sorted(collected)))


def _told(columns: Iterable[Any], integration: Any) -> tuple[dict[str, Tag], list[str]]:
    """The tags of columns, and the names of those that keep what others were collected for."""
    if integration is None:
        return {}, []
    found = {column.name: integration.policy_of(column) for column in columns}
    tagged = {name: Tag.of(policy) for name, policy in found.items() if policy is not None}
    return tagged, [one.name for one in columns if isinstance(one.type, integration.CollectedFor)]


def _held(modules: Iterable[ModuleType], packages: tuple[str, ...]) -> Iterator[Any]:
    from sqlalchemy import MetaData

    waiting: list[Any] = [value for module in modules for value in list(vars(module).values())]
    waiting += _mapped(packages)
    seen: set[int] = set()
    while waiting:
        value = waiting.pop(0)
        if id(value) in seen:
            continue
        seen.add(id(value))
        if issubclass(type(value), type):
            if is_in(value.__module__, packages):
                waiting += vars(value).values()
            value = getattr(value, "metadata", None)
        elif type(value).__module__.startswith("sqlalchemy."):  # a table, or a registry
            value = getattr(value, "metadata", value)
        if issubclass(type(value), MetaData):
            yield value


def _mapped(packages: tuple[str, ...]) -> Iterator[Any]:
    """The mapped classes of packages, wherever they were made."""
    orm = sys.modules.get("sqlalchemy.orm")
    waiting: list[Any] = [
        getattr(orm, name) for name in ("DeclarativeBase", "DeclarativeBaseNoMeta") if orm is not None
    ]
    while waiting:
        for one in waiting.pop().__subclasses__():
            waiting.append(one)
            if is_in(one.__module__, packages):
                yield one
