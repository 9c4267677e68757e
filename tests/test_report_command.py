"""`purposebind report`: what it writes, and what it says where it cannot."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from report_example import write_hostile, write_shop
from typer.testing import CliRunner, Result

import purposebind
from purposebind.cli.app import app

MODELS = """
from typing import Annotated
from purposebind import AllowedFor, Purpose, PurposeModel
AGE = Purpose("age_check", "Keep minors from buying what they may not")
class Account(PurposeModel):
    birthday: Annotated[str, AllowedFor(AGE)]
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop") / "ledger"
    write_shop(folder, customers=300)
    return folder


def run(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, arguments)], env={"COLUMNS": "200", **environment})


def test_it_writes_one_page(shop: Path, tmp_path: Path) -> None:
    """Whoever is asked by a regulator needs the page, and whether its news is bad."""
    out = tmp_path / "report.html"
    out.write_text("the old one")
    umask = os.umask(0o027)
    try:
        done = run("--out", out, "--ledger", shop)
    finally:
        os.umask(umask)
    assert done.exit_code == 0, done.output
    page = out.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert "INC-1234: restore login" in page
    assert "cannot say what was" in " ".join(page.split())  # nobody named the packages
    assert "people was read for a purpose that it was not collected for." in done.stdout
    assert f"The page is in {out}" in done.stdout
    assert stat.S_IMODE(out.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [out]


def test_the_ledger_may_come_from_the_environment(shop: Path, tmp_path: Path) -> None:
    """A service knows its ledger by the environment; its reporter should too."""
    done = run("--out", tmp_path / "report.html", PURPOSEBIND_LEDGER=str(shop))
    assert done.exit_code == 0, done.output
    assert str(shop) in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_named_packages_are_imported(shop: Path, tmp_path: Path) -> None:
    """Without them nothing could be told of what is declared and never read."""
    (tmp_path / "shop_models.py").write_text(MODELS)
    program = "from purposebind.cli import main; main()"
    arguments = ["report", "--out", "report.html", "--ledger", str(shop), "--package", "shop_models"]
    environment = {**os.environ, "PYTHONPATH": str(Path(purposebind.__file__).parents[1])}
    command = [sys.executable, "-Pc" if sys.version_info >= (3, 11) else "-c", program, *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Declared, never read" in page
    assert "Keep minors from buying what they may not" in page
    assert "LookupKey" not in page  # a model of the demo's, which the command line itself imports


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--ledger", "nowhere"], "nowhere"),
        (["--ledger", "SHOP", "--package", "no.such_package"], "no.such_package cannot be imported"),
        (["--ledger", "SHOP", "--package", "bad[/b]name"], "bad[/b]name cannot be imported"),
        (["--ledger", "SHOP", "--anchor", "nonsense"], "anchor"),
        ([], "PURPOSEBIND_LEDGER"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    """A traceback is no answer, and a page that is half a page is a wrong one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PURPOSEBIND_LEDGER", raising=False)
    done = run("--out", "report.html", *(str(shop) if one == "SHOP" else one for one in arguments))
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(shop: Path, tmp_path: Path) -> None:
    """The page would be looked for, and not be there."""
    done = run("--out", tmp_path / "missing" / "report.html", "--ledger", shop)
    assert done.exit_code == 2
    assert "report.html cannot be written: No such file or directory" in done.output
    (tmp_path / "folder").mkdir()
    done = run("--out", tmp_path / "folder", "--ledger", shop)
    assert done.exit_code == 2
    assert "cannot be written" in done.output
    assert list(tmp_path.rglob("*.new")) == []


def test_hostile_names_do_not_reach_the_terminal(tmp_path: Path) -> None:
    """An escape sequence in a name could rewrite what the terminal shows."""
    write_hostile(tmp_path / "ledger")
    done = run("--out", tmp_path / "report.html", "--ledger", tmp_path / "ledger")
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.stdout
    page = (tmp_path / "report.html").read_bytes()
    assert b"\x1b" not in page
    assert b"<img" not in page
