"""The documentation: its examples run and print what the page says, its links lead somewhere, its reference is current.

Purposes are declared for a whole process, and pages may declare the same one in other words. So each document, and each
module with examples in its docstrings, runs in a process of its own: `python test_docs.py FILE` is that process.
"""

from __future__ import annotations

import doctest
import importlib.util
import re
import runpy
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Document, Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.doctest import DocTestParser
from sybil.parsers.markdown import PythonCodeBlockParser

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WITH_EXAMPLES = [
    ROOT / "README.md",
    ROOT / "docs" / "tutorial.md",
    *sorted((ROOT / "docs" / "explanation").glob("*.md")),
]

_FLAGS = doctest.ELLIPSIS
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _package() -> Path:
    spec = importlib.util.find_spec("purposebind")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


PACKAGE = _package()
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]


def _name(path: Path) -> str:
    base = PACKAGE.parent if path.is_relative_to(PACKAGE) else ROOT
    return path.relative_to(base).as_posix()


def _examples(path: Path) -> Document:
    """The document with its examples, to be run in a module of its own, as its reader would."""
    if path.suffix == ".py":
        sybil = Sybil([DocTestParser(_FLAGS)], document_types={".py": PythonDocStringDocument})
        return sybil.parse(path)
    document = Sybil([PythonCodeBlockParser(doctest_optionflags=_FLAGS)]).parse(path)
    module = types.ModuleType(path.stem.replace("-", "_"))
    sys.modules[module.__name__] = module
    document.namespace = module.__dict__
    return document


def _run(path: Path) -> int:
    """Run the examples of `path`, and return how many there were."""
    count = 0
    for example in _examples(path):
        example.evaluate()
        count += 1
    return count


# --- Examples --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*WITH_EXAMPLES, *MODULES], ids=_name)
def test_examples(path: Path) -> None:
    """An example that does not run, or prints something else, costs every reader who tries it an hour."""
    command = [sys.executable, "-W", "error", __file__, str(path)]
    done = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rpartition("examples: ")[2].strip() != "0", "the page has no example that runs"


# --- Links -----------------------------------------------------------------------------------------------------------


def _links(page: Path) -> Iterator[str]:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in _LINK.findall(text):
        if "://" not in target and not target.startswith("mailto:"):
            yield target


def _anchors(page: Path) -> set[str]:
    """The anchors that a page's headings have where the repository is shown."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    """A link to a page that was moved or never written leaves the reader with an error instead of an answer."""
    for link in _links(page):
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), f"{_name(page)} links to {link}, which does not exist"
        assert not anchor or anchor in _anchors(target), f"{_name(page)} links to {link}: there is no such heading"


# --- The reference and the README ------------------------------------------------------------------------------------


def test_reference_is_up_to_date() -> None:
    """A reference that was not generated again describes functions that are no longer there."""
    generate = runpy.run_path(str(REFERENCE / "generate.py"))
    committed = (REFERENCE / "api.md").read_text(encoding="utf-8")
    assert committed == generate["reference"](PACKAGE), "run docs/reference/generate.py and commit what it writes"


def test_readme_has_exactly_two_commands() -> None:
    """A newcomer copies two lines, one for the replay and one for the tests; a third would be a step to get wrong."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [body.strip() for language, body in _FENCE.findall(readme) if language in {"sh", "bash", "console"}]
    assert len(commands) == 2
    replay, tests = commands
    assert "\n" not in replay + tests, "each is one line"
    assert replay.endswith("purposebind demo")
    assert "pytest" in tests
    assert all("python3 -m venv" in command for command in commands), "a system-managed Python refuses to install"


if __name__ == "__main__":
    sys.stdout.write(f"examples: {_run(Path(sys.argv[1]))}\n")
