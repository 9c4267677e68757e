"""Packages, imported whole: tags are what Python makes of the code, not what its text looks like.

Modules called ``__main__`` are left out, since they run something. In folders without an ``__init__.py`` are scripts as
often as modules: of these, the ones that name this library are imported, and others count where something imports them.

What this module keeps:

- **R9** A module that does not import is an error, and never left out: an answer with holes would be taken for one
  without.
- What modules print while they are imported is no part of an answer.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
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
    with contextlib.redirect_stdout(sys.stderr):
        found = {module.__name__: module for package in packages for module in _imported(package)}
    for name, module in sorted(sys.modules.items()):  # what they import of themselves in another way
        if is_in(name, packages) and type(module) is ModuleType and not name.endswith("__main__"):
            found.setdefault(module.__name__, module)
    return list(found.values())


def is_in(module: str, packages: Iterable[str]) -> bool:
    """Return whether a module is one of `packages`, or inside one."""
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


def _imported(package: str) -> Iterator[ModuleType]:
    try:
        module = importlib.import_module(package)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module of tests may stop with an exception that is no Exception
        where = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise LockError(
            f"{package} cannot be imported ({type(error).__name__}: {error}{where}). Run the command where your "
            "service can be imported, in its environment and folder; an answer without a module would miss its tags."
        ) from None
    yield module
    folders = list(getattr(module, "__path__", ()))
    for found in pkgutil.iter_modules(folders, f"{module.__name__}."):
        if not found.name.endswith(".__main__"):
            yield from _imported(found.name)
    for folder in folders:
        for name in _without_init(Path(folder), module.__name__):
            yield from _imported(name)


def _without_init(folder: Path, package: str) -> Iterator[str]:
    """The modules in folders without an ``__init__.py``, as far as they have to do with tags."""
    if not folder.is_dir():
        return
    for inner in sorted(folder.iterdir()):
        if not inner.is_dir() or not inner.name.isidentifier() or (inner / "__init__.py").exists():
            continue
        name = f"{package}.{inner.name}"
        for file in sorted(inner.glob("*.py")):
            if file.stem.isidentifier() and file.stem != "__main__" and _names_us(file):
                yield f"{name}.{file.stem}"
        for below in sorted(inner.iterdir()):
            is_package = below.name.isidentifier() and (below / "__init__.py").exists()
            if is_package and any(map(_names_us, below.rglob("*.py"))):
                yield f"{name}.{below.name}"
        yield from _without_init(inner, name)


def _names_us(file: Path) -> bool:
    try:
        return b"purposebind" in file.read_bytes()
    except OSError:
        return True
