"""One build of mypy's: its modules, what is known of them, and which reports hang on which modules.

Three things are kept right here, each where mypy would not:

- A report hangs on the purposes, tags and aliases of other modules. Each module's `facts` are a part of its interface,
  and a module whose reports hang on them says so.
- A handover may be declared in any module of the build, and take a report away. A module with a report that one could
  take away is therefore never taken from the cache; in the daemon mypy itself checks again what had errors.
- A worker process sees only the modules that it checks, and those they import. The process that began the build writes
  the handovers down, in mypy's cache, where the workers look.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mypy.nodes import GDEF, MypyFile, SymbolTableNode, TypeInfo, Var
from mypy.options import Options
from mypy.types import Instance, LiteralType

from .classes import Classes
from .facts import facts, imported
from .names import Names
from .reading import HANDS_OVER, Handovers
from .scopes import Scopes
from .sources import Source, Sources
from .walking import Place, tree_of

__all__ = ["Build"]

_SYMBOL: Final = "__purposebind__"
"""The name in a module's symbol table under which the daemon sees that its facts have changed."""


class Build:
    """What the plugin knows of a build."""

    def __init__(self, options: Options) -> None:
        shadowed = {os.path.abspath(path): shadow for path, shadow in options.shadow_file or ()}
        self.sources = Sources(shadowed)
        self.names = Names(self.sources)
        self.handovers = Handovers(self.names)
        self.scopes = Scopes(self.names, self.handovers)
        self.classes = Classes(self.names)
        self._in_daemon = options.fine_grained_incremental
        self._workers = bool(getattr(options, "num_workers", 0))
        self._began = False
        self._contested: set[str] = set()
        self._keeps = options.incremental and options.cache_dir != os.devnull
        version = ".".join(str(part) for part in options.python_version)
        self._note = Path(options.cache_dir) / version / "purposebind.json"

    # --- Modules -----------------------------------------------------------------------------------------------------

    def begin(self, modules: Mapping[str, MypyFile]) -> None:
        """Take the modules that are loaded, and look again at what may have changed."""
        self.sources.loaded = modules
        self.sources.renew()
        self.scopes.renew()
        self.handovers.renew()
        if not self._workers:
            return
        if self._began:
            self._write_note()
        else:
            self._read_note()

    def parsed(self, file: MypyFile) -> None:
        """Take note of a module that mypy has parsed."""
        self._began = True
        self.sources.know(file.fullname, file.path)
        self.sources.renew()
        self.scopes.renew()
        self.handovers.renew()
        if self._in_daemon:
            self._show(file)

    def kept(self, name: str, path: str, is_check: bool) -> Any:
        """Return what mypy keeps beside a module in its cache; None for nothing.

        Args:
            name: The module's name.
            path: Its file.
            is_check: Whether this is to be compared with what was kept.
        """
        if is_check:
            self._began = True
        self.sources.know(name, path)
        source = self.sources.read(name, path) if path.endswith(".py") and not _is_ours(name) else None
        known = None if source is None else facts(source)
        found = None if known is None else {"facts": known}
        if is_check:
            return {"again": "and again"} if self._keeps and self._sign(name).exists() else found
        if (
            self._keeps and name not in self._contested
        ):  # it may be yet: some versions of mypy write this before they check functions
            self._sign(name).unlink(missing_ok=True)
        return found

    def mentions(self, module: str, word: str) -> bool:
        """Return whether a module's text has `word` in it."""
        path = self.sources.path(module)
        source = None if path is None else self.sources.read(module, path)
        return source is not None and word in source.text

    def is_checked(self, module: str) -> bool:
        """Return whether the declarations of a module are looked at: not those of packages that know no tags."""
        path = self.sources.path(module)
        source = None if path is None else self.sources.read(module, path)
        return source is not None and source.may_declare

    # --- What hangs on what ------------------------------------------------------------------------------------------

    def asking(self) -> set[str]:
        """Begin to take note of the modules that are asked for, and return where they are noted."""
        self.sources.consulted = set()
        return self.sources.consulted

    def contest(self, module: str, place: Place) -> None:
        """Take note of a report in a module, which a handover declared later may take away."""
        if module not in self._contested and self.scopes.nests(place):
            self._contested.add(module)
            if self._keeps:
                self._sign(module).parent.mkdir(parents=True, exist_ok=True)
                self._sign(module).touch()

    def _sign(self, module: str) -> Path:
        """The file in mypy's cache that says: never take this module from the cache."""
        return self._note.parent / "purposebind" / module

    def depends(self, tree: MypyFile, references: set[str], consulted: set[str], target: str) -> None:
        """Have mypy know that what was just said of `target`, in the module of `tree`, hangs on other modules.

        Args:
            tree: The module.
            references: The modules that mypy knows it to refer to.
            consulted: Those that were asked for.
            target: What is to be checked again, in the daemon.
        """
        for module in consulted:
            if module == tree.fullname or _is_ours(module) or self.sources.path(module) is None:
                continue
            references.add(module)
            if self._in_daemon:
                tree.plugin_deps.setdefault(_trigger(module), set()).add(target)

    def _link(self, file: MypyFile, source: Source) -> None:
        """Have the daemon know what hangs on a module that it has just parsed, and on what that hangs.

        Of a function that it checks again, it takes no notice of what that newly hangs on. So each module passes on a
        change of those that it imports; and one with handovers says itself which functions they may matter to.
        """
        own = _trigger(file.fullname)
        for module in imported(source):
            if not _is_ours(module):
                file.plugin_deps.setdefault(_trigger(module), set()).add(own)
        if source.mentions(HANDS_OVER):
            nesting = self.sources.mentioning("purpose_scope")
            file.plugin_deps.setdefault(own, set()).update(
                target for one in nesting if not _is_ours(one.name) for target in self._nesting(one)
            )

    def _nesting(self, source: Source) -> set[str]:
        places = (place for _, _, place in tree_of(source).regions)
        return {place.target(source.name) for place in places if self.scopes.nests(place)}

    def _show(self, file: MypyFile) -> None:
        """Have the daemon see a change of a module's facts, as one of a variable's type."""
        source = None if _is_ours(file.fullname) else self.sources.get(file.fullname)
        if source is not None:
            self._link(file, source)
        symbol = getattr(self.sources.loaded.get("builtins"), "names", {}).get("str")
        if source is None or symbol is None or not isinstance(symbol.node, TypeInfo):
            return
        variable = Var(_SYMBOL, LiteralType(facts(source) or "", Instance(symbol.node, [])))
        variable._fullname = f"{file.fullname}.{_SYMBOL}"
        file.names[_SYMBOL] = SymbolTableNode(GDEF, variable, module_public=False, module_hidden=True)

    # --- Workers -----------------------------------------------------------------------------------------------------

    def _write_note(self) -> None:
        self._note.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=self._note.parent, delete=False, encoding="utf-8") as file:
            json.dump(self.handovers.all(), file)
        os.replace(file.name, self._note)

    def _read_note(self) -> None:
        try:
            self.handovers.told = [tuple(one) for one in json.loads(self._note.read_text(encoding="utf-8"))]
        except (OSError, ValueError):
            self.handovers.told = [("", None, None)]  # any purpose may be left for any other: nothing can be told


def _trigger(module: str) -> str:
    """What fires in the daemon where a module's facts have changed."""
    return f"<{module}.{_SYMBOL}>"


def _is_ours(module: str) -> bool:
    return (module == "purposebind" or module.startswith("purposebind.")) and not module.startswith("purposebind.demo")
