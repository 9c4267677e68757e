"""The parts that some tests need and pip does not install: a browser, a database server, a message broker.

A test module that needs one asks for it at its top, so that it is skipped as a whole, in one line, where there is none;
a single test may ask for it too:

    CHROMIUM = need("chromium")  # the path of the program
    REDIS = need("redis-server")
    INITDB = need("initdb")  # PostgreSQL's; `postgres` and `pg_ctl` are beside it, and `need` finds them too

The line says how to get it. Where PURPOSEBIND_REQUIRE_ALL=1 is set, as .ci/run does, it is a failure instead: what was
not tested must not look tested.

A browser run by root needs `--no-sandbox`. PostgreSQL refuses to run as root: start it as another user (the package
makes `postgres`), with `user=` of `subprocess.Popen`, on a folder that this user owns.
"""

from __future__ import annotations

import os
import re
import shutil
from glob import glob
from pathlib import Path

import pytest

__all__ = ["need"]

_NAMES = {"chromium": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")}
_PACKAGES = {"chromium": "chromium", "redis-server": "redis-server"}
_POSTGRESQL = "/usr/lib/postgresql/*/bin"  # where Debian and Ubuntu keep them, out of PATH


def need(program: str) -> Path:
    """Return the path of `program`; skip the module or test that asks, or fail it where everything is required."""
    for name in _NAMES.get(program, (program,)):
        found = shutil.which(name) or _in_postgresql(name)
        if found:
            return Path(found)
    package = _PACKAGES.get(program, "postgresql")
    how = f"no {program} on this machine: apt-get install -y --no-install-recommends {package}"
    if os.environ.get("PURPOSEBIND_REQUIRE_ALL") == "1":
        pytest.fail(how, pytrace=False)
    pytest.skip(how, allow_module_level=True)


def _in_postgresql(name: str) -> str | None:
    """The program of the newest PostgreSQL there is."""
    folders = sorted(glob(_POSTGRESQL), key=lambda folder: [int(n) for n in re.findall(r"\d+", folder)])
    return shutil.which(name, path=os.pathsep.join(reversed(folders))) if folders else None
