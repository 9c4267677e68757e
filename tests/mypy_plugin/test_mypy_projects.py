"""The static check on this project's own code: every report is a read, or a tag, that is refused when the code runs."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .running import Mypy, prepare, versions

ROOT = Path(__file__).resolve().parent.parent.parent

each_mypy = pytest.mark.parametrize("mypy", versions(), ids=str)


def _ours(lines: list[str]) -> list[str]:
    return [line for line in lines if "[purpose-" in line or "INTERNAL" in line]


@each_mypy
def test_the_package_itself(mypy: Mypy, tmp_path: Path) -> None:
    """The replay of the incident reads on purpose for what is not allowed; a report of anything else is a false one."""
    prepare(tmp_path)
    found = _ours(mypy.run(tmp_path, "-p", "purposebind"))
    assert {re.sub(r"^.*/demo/audience.py:\d+: error: ", "", line) for line in found} == {
        f'"Account.{field}" is read for "{purpose}", and is allowed for security.two_factor  [purpose-violation]'
        for field in ("phone", "email")
        for purpose in ("advertising", "advertising.targeting")
    }


@pytest.mark.parametrize("state", ["before", "after"])
@each_mypy
def test_the_service_before_and_after(mypy: Mypy, state: str, tmp_path: Path) -> None:
    """Whoever adopts it in a service that states its purposes rightly would be told that it does not."""
    prepare(tmp_path, settings="check_untyped_defs = True")
    shutil.rmtree(tmp_path / "shop")
    shutil.copytree(ROOT / "tests" / "service" / state / "shop", tmp_path / "shop")
    assert _ours(mypy.run(tmp_path, "shop")) == []


@each_mypy
def test_the_typing_tests(mypy: Mypy, tmp_path: Path) -> None:
    """The code that shows what type checkers see has to pass with the plugin too, beside pydantic's."""
    prepare(tmp_path, ("pydantic.mypy", "purposebind.mypy"))
    shutil.copytree(ROOT / "tests" / "typing", tmp_path / "typed")
    assert _ours(mypy.run(tmp_path, "typed")) == []


def test_types_are_what_they_are_without_it(tmp_path: Path) -> None:
    """A plugin that is there to report must change nobody's types."""
    program = """\
from typing import Annotated
from typing_extensions import Annotated as A, NotRequired, TypedDict, assert_type
from purposebind import AllowedFor, Purpose, PurposeModel

class Row(TypedDict):
    plain: Annotated[int, 1]
    maybe: NotRequired[A[str, AllowedFor(Purpose("mypyt", "Something"))]]

class Person(PurposeModel):
    phone: Annotated[str, AllowedFor(Purpose("mypyt", "Something"))]

def use(row: Row, person: Person, of: Annotated["list[Annotated[int, 2]]", 3], *rest: Annotated[str, 4]) -> None:
    reveal_type(row)
    reveal_type(row["plain"])
    reveal_type(person.phone)
    reveal_type(of)
    reveal_type(rest)
    reveal_type(Purpose.find("mypyt"))
    reveal_type(Person)
"""
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    revealed = []
    for plugins in ((), ("purposebind.mypy",)):
        prepare(tmp_path, plugins)
        lines = versions()[0].run(tmp_path, f"--cache-dir=cache{len(plugins)}", "program.py")
        revealed.append([line for line in lines if "Revealed type" in line])
    assert revealed[0] == revealed[1]
    assert len(revealed[0]) == 7


def test_without_mypy_it_says_what_to_install(tmp_path: Path) -> None:
    """The configuration names a plugin, and the traceback would name a module of somebody else's."""
    (tmp_path / "mypy.py").write_text("raise ModuleNotFoundError('No module named mypy', name='mypy')\n")
    spec = importlib.util.find_spec("purposebind")
    assert spec is not None
    assert spec.origin is not None
    program = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(Path(spec.origin).parent.parent)!r}]\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}import purposebind.mypy"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: purposebind.mypy is a plugin of mypy, which is not installed here")
    assert last.endswith("pip install 'purposebind[mypy]'")


def test_importing_it_imports_nothing_else_of_the_library() -> None:
    """mypy would start slower by all of pydantic, in every run of everybody's."""
    program = "import sys, purposebind.mypy; purposebind.mypy.plugin('2.4'); print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
