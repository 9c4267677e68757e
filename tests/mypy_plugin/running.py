"""Runs mypy, of whichever version and with whichever plugins, as a command, in parallel and as the daemon."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .cases import FOLDER

OURS = "purposebind.mypy"
PYDANTICS = "pydantic.mypy"

_LINE = re.compile(r"^(\S+?):(\d+): (error|note): (.*)$")
_ENOUGH = 600


@dataclass(frozen=True)
class Mypy:
    """One installed version of mypy.

    Attributes:
        version: Its version.
        folder: The folder it was installed in with ``pip install --target``, or None for that of this Python.
    """

    version: str
    folder: str | None = None

    def environment(self) -> dict[str, str]:
        """Return the environment to run it in: with the package under test, and no setting of the user's."""
        spec = importlib.util.find_spec("purposebind")
        assert spec is not None
        assert spec.origin is not None
        package = Path(spec.origin).parent.parent
        paths = [self.folder, None if "site-packages" in package.parts else str(package)]
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("MYPY", "PURPOSEBIND_"))},
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "PURPOSEBIND_MYPY_RAISES": "1",
        }

    def run(self, folder: Path, *arguments: str) -> list[str]:
        """Run mypy in `folder`, and return what it reports."""
        return reported(self.printed(folder, "mypy", "--show-traceback", *arguments))

    def printed(self, folder: Path, module: str, *arguments: str) -> str:
        """Run a module of mypy in `folder`, and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=_ENOUGH,
        )
        assert done.returncode in (0, 1), done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def __str__(self) -> str:
        return f"mypy {self.version}"


def reported(text: str) -> list[str]:
    """Return the errors and notes in what mypy printed."""
    return [line for line in text.splitlines() if _LINE.match(line)]


def differing(found: list[str], wanted: list[str]) -> list[str]:
    """Return what was reported and is not wanted, and what was not reported and is."""
    return [
        *(f"not wanted: {line}" for line in sorted(found) if line not in wanted),
        *(f"missing: {line}" for line in sorted(wanted) if line not in found),
    ]


def versions() -> list[Mypy]:
    """Return the versions to test: this Python's, and those in the folders that ``PURPOSEBIND_MYPYS`` names."""
    folders = [None, *filter(None, os.environ.get("PURPOSEBIND_MYPYS", "").split(os.pathsep))]
    return [Mypy(_version(folder), folder) for folder in folders]


def _version(folder: str | None) -> str:
    path = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-c", "from mypy.version import __version__; print(__version__)"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def prepare(folder: Path, plugins: tuple[str, ...] = (OURS,), settings: str = "") -> None:
    """Make `folder` a project with what all cases share, checked by `plugins` in this order."""
    shutil.copytree(FOLDER / "shop", folder / "shop", dirs_exist_ok=True)
    (folder / "mypy.ini").write_text(
        f"[mypy]\nplugins = {', '.join(plugins)}\nstrict = True\npretty = False\n{settings}\n", encoding="utf-8"
    )


class Daemon:
    """Runs mypy's daemon for a folder."""

    def __init__(self, mypy: Mypy, folder: Path) -> None:
        self.folder = folder
        self._mypy = mypy

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *error: object) -> None:
        self._mypy.printed(self.folder, "mypy.dmypy", "kill")

    def check(self, *packages: str) -> list[str]:
        """Return what the daemon reports now."""
        return reported(self._mypy.printed(self.folder, "mypy.dmypy", "run", "--", *packages))
