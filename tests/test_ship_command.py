"""`purposebind ledger ship`: what it prints, what it exits with, and that no password is shown."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import psycopg
import pytest
from postgres_server import Server, running
from purposes import SECRET, TWO_FACTOR

from purposebind import AllowedFor, PurposeModel, SubjectId, configure, purpose_scope
from purposebind.ledger import Ledger

PROGRAM = "from purposebind.cli import main; main()"


class Person(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]


@pytest.fixture(scope="module")
def server() -> Server:
    return running()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "ledger"
    read(folder, 3)
    return folder


def read(folder: Path, people: int) -> None:
    with Ledger(folder) as ledger, configure(ledger=ledger), purpose_scope(TWO_FACTOR):
        for number in range(people):
            assert Person(id=number, phone=SECRET).phone == SECRET


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, "ledger", "ship", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", **environment}
    )


def people(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row: Any = connection.execute("SELECT people FROM purposebind.affected()").fetchone()
    return int(row[0])


def test_what_was_recorded_is_shipped(folder: Path, server: Server) -> None:
    """The one command of a timer has to do all of it: what is not compacted yet would stay behind without a word."""
    dsn = server.new_database()
    done = run("--ledger", folder, "--json", PURPOSEBIND_LEDGER_DSN=dsn)
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)
    assert (told["ledger"], len(told["batches"]), told["already"], told["rows"]) == (str(folder), 1, 0, 3)
    assert people(dsn) == 3
    read(folder, 5)
    again = run("--to", dsn, PURPOSEBIND_LEDGER=str(folder), COLUMNS="200")
    assert again.returncode == 0, again.stderr
    header, cells = again.stdout.splitlines()
    assert header.split() == ["ledger", "batches", "already", "dropped", "removed", "rows"]
    assert cells.split() == [str(folder), "1", "1", "0", "0", "5"]
    assert people(dsn) == 5


def test_without_compacting_it_ships_what_is_compacted(folder: Path, server: Server) -> None:
    """A machine that is to be left alone by day would be compacted by its shipper."""
    dsn = server.new_database()
    done = run("--ledger", folder, "--to", dsn, "--no-compact", "--json")
    assert json.loads(done.stdout)[0]["batches"] == []
    assert list((folder / "closed").iterdir()), "the segment is where it was"


def test_one_ledger_that_fails_does_not_stop_the_others(folder: Path, tmp_path: Path, server: Server) -> None:
    """One damaged ledger in a fleet would keep all that are named after it from arriving."""
    dsn = server.new_database()
    other = tmp_path / "other"
    read(other, 2)
    (folder / "chain.jsonl").write_bytes(b"{}\n" + (folder / "chain.jsonl").read_bytes())
    done = run("--ledger", folder, "--ledger", other, "--to", dsn, "--json")
    assert done.returncode == 2
    assert [told["ledger"] for told in json.loads(done.stdout)] == [str(other)]
    assert "chain.jsonl" in done.stderr
    assert people(dsn) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "PURPOSEBIND_LEDGER_DSN"),
        (["--to", "host=/nowhere"], "cannot be reached"),
        (["--to", "postgresql://u:hunter2/@db"], "no connection string"),
    ],
)
def test_what_goes_wrong_is_one_line(folder: Path, arguments: list[str], said: str) -> None:
    """A traceback in the mail of a timer is read by nobody, and may hold what nobody should read."""
    done = run("--ledger", folder, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "hunter2" not in done.stderr


def test_a_password_is_never_printed(folder: Path, server: Server) -> None:
    """What a timer prints is kept, mailed and read by many."""
    database = server.dsn("postgres", "shipper")
    own = f"{database} password=hunter2-wrong"
    for done in (
        run("--ledger", folder, PURPOSEBIND_LEDGER_DSN=own),
        run("--ledger", folder, "--to", own),
        run("--help", PURPOSEBIND_LEDGER_DSN=own),
    ):
        assert "hunter2" not in done.stdout + done.stderr


def test_a_password_on_the_command_line_is_warned_about(folder: Path, server: Server) -> None:
    """Everybody on the machine can read it there, and nothing says so."""
    own = f"{server.new_database()} password=hunter2"
    assert "PURPOSEBIND_LEDGER_DSN" in run("--ledger", folder, "--to", own).stderr
    assert run("--ledger", folder, PURPOSEBIND_LEDGER_DSN=own).stderr == ""
