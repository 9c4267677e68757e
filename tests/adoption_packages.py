"""Packages written for the tests of a roll-out's commands, in a folder of their own, and the command run there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["PURPOSES", "Workspace"]

PURPOSES = """\
from purposebind import Purpose

SECURITY = Purpose("security", "Keep accounts safe")
TWO_FACTOR = SECURITY.child("two_factor", "Send a login code")
ADVERTISING = Purpose("advertising", "Choose and measure ads")
ORDERS = Purpose("orders", "Take the order")
"""
_COMMAND = "from purposebind.cli import main; main()"


class Workspace:
    """A folder with a package called shop.

    Args:
        folder: The folder.
        modules: The texts of its modules, by their names.
    """

    def __init__(self, folder: Path, **modules: str) -> None:
        self.folder = folder
        self.package = folder / "shop"
        self.package.mkdir(parents=True)
        self.write("__init__", "")
        self.write("purposes", PURPOSES)
        for name, text in modules.items():
            self.write(name, text)

    def write(self, module: str, text: str) -> None:
        """Write a module of the package."""
        (self.package / f"{module}.py").write_bytes(text.encode())

    def read(self, module: str) -> str:
        """Return the text of a module."""
        return (self.package / f"{module}.py").read_bytes().decode()

    def change(self, module: str, old: str, new: str) -> None:
        """Put something in the place of a part of a module."""
        assert old in self.read(module)
        self.write(module, self.read(module).replace(old, new))

    def files(self) -> dict[str, bytes]:
        """Return what the folder holds, but for ledgers and what Python leaves behind."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts and "ledger" not in path.parts
        }

    def run(self, *arguments: str, code: str = _COMMAND) -> subprocess.CompletedProcess[str]:
        """Run the command, as a user does in the folder."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PURPOSEBIND_")}
        environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )

    def python(self, code: str) -> str:
        """Run a program in the folder, and return what it prints."""
        done = self.run(code=f"import sys; sys.path.insert(0, '.')\n{code}")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def git(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run git in the folder."""
        return subprocess.run(["git", *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
