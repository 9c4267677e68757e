"""What the code declares: which fields may be read for which purposes, whether or not anybody ever has.

The ledger knows what happened. What was declared and never used is known to the code alone, so the packages that hold
the models are imported.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from purposebind import Purpose, PurposeModel
from purposebind.ledger.errors import LedgerError

__all__ = ["Declared", "DeclaredField", "declared_in"]


@dataclass(frozen=True)
class DeclaredField:
    """A tagged field.

    Attributes:
        field: Such as ``"Account.phone"``.
        allowed: The names of the purposes that its tag allows, in order.
        never: The names of those that it rules out, in order.
    """

    field: str
    allowed: tuple[str, ...]
    never: tuple[str, ...] = ()


@dataclass(frozen=True)
class Declared:
    """What some packages declare.

    Attributes:
        packages: Their names.
        fields: Their tagged fields, ordered by name.
        purposes: What each purpose means, by its name.
        failed: The modules of theirs that could not be imported, and models that are not finished; and why.
    """

    packages: tuple[str, ...]
    fields: tuple[DeclaredField, ...]
    purposes: dict[str, str]
    failed: tuple[tuple[str, str], ...] = ()


def declared_in(*packages: str) -> Declared:
    """Import `packages`, with the modules inside them, and return what their models declare.

    Modules named ``__main__`` are left out: they run something.

    Raises:
        LedgerError: One of the packages cannot be imported.

    Example:
        >>> declared_in("purposebind.demo.accounts").fields[0]
        DeclaredField(field='Account.email', allowed=('security.two_factor',), never=())
    """
    failed: list[tuple[str, str]] = []
    for package in packages:
        try:
            module = importlib.import_module(package)
        except (Exception, SystemExit) as error:
            raise LedgerError(
                f"{package} cannot be imported ({type(error).__name__}: {error}). Run the command where your service "
                "can be imported, in its environment and folder."
            ) from None
        failed += _import_inside(module)
    found: dict[str, DeclaredField] = {}
    for model in _models(PurposeModel):
        if not any(f"{model.__module__}.".startswith(f"{name}.") for name in packages):
            continue
        if not model.__pydantic_complete__ and not model.model_rebuild(raise_errors=False):
            failed.append((f"{model.__module__}.{model.__qualname__}", "refers to a class that is not defined"))
        for field in _fields(model):
            found[field.field] = _both(found.get(field.field, field), field)
    purposes = {purpose.name: purpose.description for purpose in Purpose.declared()}
    return Declared(packages, tuple(found[name] for name in sorted(found)), purposes, tuple(failed))


def _both(one: DeclaredField, other: DeclaredField) -> DeclaredField:
    """What two models of one name declare: the ledger, too, knows a field by the model's name."""
    allowed, never = ({*one.allowed, *other.allowed}, {*one.never, *other.never})
    return DeclaredField(one.field, tuple(sorted(allowed)), tuple(sorted(never)))


def _import_inside(module: Any) -> Iterator[tuple[str, str]]:
    for found in pkgutil.iter_modules(getattr(module, "__path__", ()), f"{module.__name__}."):
        if found.name.endswith(".__main__"):
            continue
        try:
            inner = importlib.import_module(found.name)
        except (Exception, SystemExit) as error:  # a script without a guard may even exit
            yield found.name, type(error).__name__
        else:
            yield from _import_inside(inner)


def _models(base: Any) -> Iterator[Any]:
    for model in base.__subclasses__():
        yield model
        yield from _models(model)


def _fields(model: Any) -> Iterator[DeclaredField]:
    boundary = model.__purpose_boundary__
    for binding in boundary.bindings.values() if boundary is not None and boundary.cls is model else ():
        allowed, never = (
            tuple(sorted(p.name for p in part)) for part in (binding.policy.allowed, binding.policy.never)
        )
        yield DeclaredField(binding.field, allowed, never)
