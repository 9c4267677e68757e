"""The modules of a build and their source text, read anew where a file has changed.

mypy strips tags from types and keeps no trees of modules that it takes from its cache; the text is always there.
"""

from __future__ import annotations

import ast
import os
import tokenize
import warnings
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from .namespaces import Namespace, module_namespace

__all__ = ["Source", "Sources"]

_Signature = tuple[int, int]


class Source:
    """One module's text and tree.

    Attributes:
        name: The module's name.
        path: Its file.
        text: Its text, empty where it cannot be read.
    """

    def __init__(self, name: str, path: str, text: str) -> None:
        self.name = name
        self.path = path
        self.text = text
        self.memo: dict[str, Any] = {}

    def mentions(self, *words: str) -> bool:
        """Return whether the text has one of `words` in it."""
        return any(word in self.text for word in words)

    @property
    def is_installed(self) -> bool:
        """Whether the module is of an installed package, which knows purposes only if it imports this library."""
        return "site-packages" in self.path or "dist-packages" in self.path

    @property
    def may_declare(self) -> bool:
        """Whether its classes may have tags: not this library's own, nor those of packages without a word of it."""
        if self.name == "purposebind" or self.name.startswith("purposebind."):
            return self.name.startswith("purposebind.demo")
        return not self.is_installed or "purposebind" in self.text

    @property
    def is_package(self) -> bool:
        """Whether the module is a package's ``__init__``."""
        return os.path.basename(self.path).partition(".")[0] == "__init__"

    @cached_property
    def tree(self) -> ast.Module:
        """The tree; an empty one where this Python cannot parse the text."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(self.text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ast.Module(body=[], type_ignores=[])

    @cached_property
    def namespace(self) -> Namespace:
        """What the module's names are bound to."""
        return module_namespace(self)


class Sources:
    """Every module of the build that has a Python file, by name."""

    def __init__(self, shadowed: Mapping[str, str]) -> None:
        """Args:
        shadowed: Files that are read instead of others, by the others' paths.
        """
        self._shadowed = shadowed
        self._known: dict[str, str] = {}
        self._read: dict[str, tuple[_Signature, Source]] = {}
        self._fresh: set[str] = set()
        self.loaded: Mapping[str, Any] = {}
        self.consulted: set[str] = set()
        """The names of the modules asked for since this was emptied: what the answer depends on."""

    def know(self, name: str, path: str | None) -> None:
        """Take note of a module of the build."""
        if path and path.endswith(".py"):
            self._known[name] = path

    def renew(self) -> None:
        """Look, when next asked, whether files have changed."""
        self._fresh.clear()

    def path(self, name: str) -> str | None:
        """Return the file of a module, or None where it is no Python file of this build."""
        tree = self.loaded.get(name)
        if tree is not None:
            path: str = getattr(tree, "path", "") or ""
            return path if path.endswith(".py") else None
        return self._known.get(name)

    def names(self) -> list[str]:
        """Return the names of all modules known to be in the build."""
        return sorted({*self._known, *self.loaded})

    def get(self, name: str) -> Source | None:
        """Return a module's source, or None where the build has no Python file for it."""
        path = self.path(name)
        self.consulted.add(name)
        return None if path is None else self.read(name, path)

    def read(self, name: str, path: str) -> Source | None:
        """Return the source of a module whose file is `path`; None where it cannot be read."""
        known = self._read.get(name)
        if known is not None and name in self._fresh and known[1].path == path:
            return known[1]
        actual = self._shadowed.get(os.path.abspath(path), path)
        try:
            status = os.stat(actual)
        except OSError:
            self._read.pop(name, None)
            return None
        signature = (status.st_mtime_ns, status.st_size)
        self._fresh.add(name)
        if known is not None and known[0] == signature and known[1].path == path:
            return known[1]
        source = Source(name, path, _text(actual))
        self._read[name] = (signature, source)
        return source

    def mentioning(self, word: str) -> Iterator[Source]:
        """Yield the sources that have `word` in them."""
        for name in self.names():
            path = self.path(name)
            source = None if path is None else self.read(name, path)
            if source is not None and word in source.text:
                yield source


def _text(path: str) -> str:
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (OSError, SyntaxError, UnicodeDecodeError, LookupError):
        return ""
