"""The reference of the command line, held against the commands: what `--help` says, and what they exit with."""

from __future__ import annotations

import inspect
import re
import runpy
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from purposebind.cli import app as application

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = runpy.run_path(str(ROOT / "docs" / "reference" / "commands.py"))
COMMANDS = {one.name: one for one in SCRIPT["commands"]()}
PAGE = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")


def section(name: str) -> str:
    """What the page says about one command."""
    found = re.search(rf"^#+ {re.escape(name)}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"{name} is not on the page"
    return found[1]


def help_of(words: list[str]) -> str:
    done = CliRunner().invoke(application.app, [*words, "--help"], prog_name="purposebind", env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.output


def commands_by_help(words: list[str]) -> list[list[str]]:
    """Each command and group, as somebody finds them who asks for help and follows it."""
    listed = help_of(words).partition("Commands:\n")[2]
    return [
        words,
        *(one for name in re.findall(r"^  (\S+)", listed, re.MULTILINE) for one in commands_by_help([*words, name])),
    ]


def test_the_page_has_what_help_leads_to() -> None:
    """A command that is on no page is used by nobody, and changed without anybody being told."""
    found = [" ".join(["purposebind", *words]) for words in commands_by_help([])]
    assert sorted(found) == sorted(COMMANDS)
    assert len(found) > 20
    for name in found[1:]:
        assert section(name)


@pytest.mark.parametrize("name", [name for name, one in COMMANDS.items() if not one.is_group])
def test_each_option_of_help_is_in_the_section(name: str) -> None:
    """Whoever reads the page before installing anything would miss the option that they need."""
    words = name.split()[1:]
    usage, _, told = help_of(words).partition("Options:\n")
    for flag in set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", told, re.MULTILINE)) - {"--help"}:
        assert f"`{flag}" in section(name), flag
    arguments = re.search(r"^  (?!-)(\S+) ", usage.partition("Arguments:\n")[2], re.MULTILINE)
    if arguments is not None:
        assert arguments[1].strip("[].*") in section(name)


@pytest.mark.parametrize("name", [name for name, one in COMMANDS.items() if not one.is_group])
def test_a_command_that_exits_with_1_says_so(name: str) -> None:
    """A pipeline that holds 1 for a crash would throw the answer away, or let what was found pass."""
    function = inspect.unwrap(COMMANDS[name].made.callback)
    says_so = "- `1`: " in section(name)
    assert says_so or "Exit(1" not in inspect.getsource(function)
    assert not says_so or "Exit(1" in inspect.getsource(sys.modules[function.__module__])


@pytest.mark.parametrize("name", [name for name in COMMANDS if " " in name])
def test_a_command_is_described_and_needs_an_extra_that_there_is(name: str) -> None:
    """A command without a text is a name to guess at, and an extra with a wrong name installs nothing."""
    assert COMMANDS[name].made.help
    declared = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    if COMMANDS[name].extra:
        assert re.search(rf"^{COMMANDS[name].extra} = \[", declared, re.MULTILINE)


# --- How an application is written out -------------------------------------------------------------------------------


def page_of(function: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """The page about an application with one command beside another, `other`."""
    made = typer.Typer(name="purposebind", rich_markup_mode=None)
    made.command("one")(function)
    made.command("other")(lambda: None)
    monkeypatch.setattr(application, "app", made)
    page: str = SCRIPT["reference"](ROOT)
    return page.partition("## purposebind one\n")[2].partition("## purposebind other")[0]


def test_what_a_command_takes_is_told_as_it_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag with a value that it does not take, or a default that is none, is copied and fails."""

    def command(
        first: Annotated[str, typer.Argument(help="What to take.")],
        more: Annotated[list[Path] | None, typer.Argument(help="More of them.")] = None,
        size: Annotated[int, typer.Option("--size", "-s", help="How many | how <much>.")] = 0,
        loud: Annotated[bool, typer.Option("--loud/--quiet", help="Say more.")] = False,
        fast: Annotated[bool, typer.Option("--fast", help="Do less. Exit with 3 where it is too much: or so.")] = False,
        place: Annotated[Path | None, typer.Option(envvar=["SITE_PLACE", "SITE_SPOT"], help="Where.")] = None,
        needed: Annotated[str, typer.Option(..., metavar="WORD", help="A word.  [default: none, really]")] = "",
        secret: Annotated[bool, typer.Option(hidden=True, help="Not for you.")] = False,
    ) -> None:
        """Do it.

        Exits with 0 where it
        went well, with 1 where it did not (see 1.5), and with 2 otherwise. More of it.

        - a list
        - of two
        """

    assert page_of(command, monkeypatch) == (
        """
```text
purposebind one [OPTIONS] FIRST [MORE...]
```

Do it.

More of it.

- a list
- of two

- `FIRST`: What to take.
- `MORE...`: More of them.
- `--size SIZE`: How many \\| how &lt;much>. Default: `0`.
- `--loud/--quiet`: Say more. Default: `--quiet`.
- `--fast`: Do less. Exit with 3 where it is too much: or so.
- `--place PLACE`: Where. The variable `SITE_PLACE` or `SITE_SPOT` stands in for it.
- `--needed WORD`: A word. Default: none, really.

**Exit status**

- `0`: it went well
- `1`: it did not (see 1.5)
- `2`: otherwise
- `3`: with `--fast`, where it is too much

"""
    )


def test_a_command_without_a_text_is_on_the_page_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page could not be made while somebody writes a command, and would say so by a traceback."""
    assert "purposebind one" in page_of(lambda: None, monkeypatch)
