"""The documentation: its examples run and print what the page says, its links lead somewhere, its reference is current.

Purposes are declared for a whole process, and pages may declare the same one in other words. So each document, and each
module with examples in its docstrings, runs in a process of its own: `python test_docs.py FILE` is that process. It
runs in a temporary folder, which is where the files are that examples make.

In a document, ``python`` blocks run, and are compared with what the page says they print; so are the commands of
``console`` blocks, each a line that begins with ``$``. A ``python`` block that begins with a comment such as
``# /srv/shop/login.py`` runs under that name, so that places in the code read as they would in a service. What is
not to run stands behind ``<!-- skip: next -->``, or in a ``sh`` block.
"""

from __future__ import annotations

import atexit
import doctest
import importlib.util
import os
import re
import runpy
import subprocess
import sys
import sysconfig
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Document, Example, Sybil
from sybil.document import PythonDocStringDocument
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.doctest import DocTestParser
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WITH_EXAMPLES = [
    ROOT / "README.md",
    ROOT / "docs" / "tutorial.md",
    *sorted((ROOT / "docs" / "explanation").glob("*.md")),
    *sorted((ROOT / "docs" / "how-to").glob("*.md")),
]

_FLAGS = doctest.ELLIPSIS
_WIDTH = "110"
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (/\S+\.py)$", re.MULTILINE)
_COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n", re.MULTILINE)
_PROMPT = re.compile(r"^> +", re.MULTILINE)
_EXPORT = re.compile(r"export (\w+)=(\S+)$")


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


class _PythonBlocks(PythonCodeBlockParser):
    """Blocks of Python; one that begins with a file's name is code of that file."""

    def __init__(self) -> None:
        super().__init__(doctest_optionflags=_FLAGS)
        self._evaluate = PythonEvaluator()
        self.codeblock_parser = CodeBlockParser("python", self.evaluate)

    def evaluate(self, example: Example) -> None:
        named = _FILE.match(example.parsed)
        if named is None:
            self._evaluate(example)
        else:
            exec(compile(example.parsed, named[1], "exec", dont_inherit=True), example.namespace)


class _ConsoleBlocks(CodeBlockParser):
    """Blocks of commands; ``export`` and the last exit status are kept from one to the next."""

    language = "console"

    def __init__(self) -> None:
        super().__init__()
        scripts = sysconfig.get_path("scripts")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PURPOSEBIND_")},
            "PATH": os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)]),
            "COLUMNS": _WIDTH,
            "NO_COLOR": "1",
        }
        self._status = 0

    def evaluate(self, example: Example) -> str | None:
        commands = list(_COMMAND.finditer(example.parsed))
        assert commands, "a console block begins with a command: $ ..."
        assert commands[0].start() == 0, "a console block begins with a command: $ ..."
        ends = [*(command.start() for command in commands[1:]), len(example.parsed)]
        for command, end in zip(commands, ends, strict=True):
            wanted, found = example.parsed[command.end() : end], self._ran(command[1])
            flags = _FLAGS | doctest.NORMALIZE_WHITESPACE
            if not doctest.OutputChecker().check_output(wanted.rstrip() + "\n", found.rstrip() + "\n", flags):
                return f"$ {command[1]}\nshould print:\n{wanted}\nand printed:\n{found}"
        return None

    def _ran(self, command: str) -> str:
        export = _EXPORT.match(command)
        if export is not None:
            self._environment[export[1]] = export[2]
            return ""
        done = subprocess.run(
            ["/bin/sh", "-c", f"(exit {self._status})\n{_PROMPT.sub('', command)}"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self._status = done.returncode
        return done.stdout


def _examples(path: Path) -> Document:
    """The document with its examples, to be run in a module of its own, as its reader would."""
    if path.suffix == ".py":
        sybil = Sybil([DocTestParser(_FLAGS)], document_types={".py": PythonDocStringDocument})
        return sybil.parse(path)
    document = Sybil([_PythonBlocks(), _ConsoleBlocks(), SkipParser()]).parse(path)
    module = types.ModuleType("page_" + path.stem.replace("-", "_"))  # a page about a framework is not the framework
    sys.modules[module.__name__] = module
    document.namespace = module.__dict__
    return document


def _run(path: Path) -> int:
    """Run the examples of `path` in a folder of their own, and return how many there were."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)  # after the ledgers of the examples, which are closed at the end of the process
    os.chdir(folder.name)
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


@pytest.mark.parametrize(
    ("page", "script"),
    [
        ("api.md", "generate.py"),
        ("ledger.md", "generate.py"),
        ("integrations.md", "generate.py"),
        ("cli.md", "commands.py"),
    ],
)
def test_reference_is_up_to_date(page: str, script: str) -> None:
    """A reference that was not generated again describes functions that are no longer there."""
    generate = runpy.run_path(str(REFERENCE / script))
    committed = (REFERENCE / page).read_text(encoding="utf-8")
    assert committed == generate["PAGES"][page](PACKAGE), "run docs/reference/generate.py and commit what it writes"


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
    sys.stdout.write(f"examples: {_run(Path(sys.argv[1]).resolve())}\n")
