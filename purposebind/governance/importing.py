"""Packages, imported whole: tags are what Python makes of the code, not what its text looks like.

Modules called ``__main__`` are left out, since they run something.

What this module keeps:

- **R9** A module that does not import is an error, and never left out: an answer with holes would be taken for one
  without.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from types import ModuleType

from .lock import LockError

__all__ = ["imported", "is_in"]


def imported(*packages: str) -> list[ModuleType]:
    """Import `packages`, with the modules inside them, and return these, each once.

    Raises:
        LockError: One of them cannot be imported.

    Example:
        >>> [module.__name__ for module in imported("purposebind.demo.accounts")]
        ['purposebind.demo.accounts']
    """
    found = {module.__name__: module for package in packages for module in _imported(package)}
    return list(found.values())


def is_in(module: str, packages: Iterable[str]) -> bool:
    """Return whether a module is one of `packages`, or inside one."""
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


def _imported(package: str) -> Iterator[ModuleType]:
    try:
        module = importlib.import_module(package)
    except (Exception, SystemExit) as error:
        where = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise LockError(
            f"{package} cannot be imported ({type(error).__name__}: {error}{where}). Run the command where your "
            "service can be imported, in its environment and folder; an answer without a module would miss its tags."
        ) from None
    yield module
    for found in pkgutil.iter_modules(getattr(module, "__path__", ()), f"{module.__name__}."):
        if not found.name.endswith(".__main__"):
            yield from _imported(found.name)
