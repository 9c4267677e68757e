"""``purposebind postgres``: SQL that applies as it is printed, findings with an exit code, and mistakes in words."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import postgres_example
import pytest
from postgres_tables import Database, made
from purposes import ADVERTISING, RECOVERY, SECURITY, TWO_FACTOR
from real_parts import need
from typer.testing import CliRunner, Result

from purposebind.cli.app import app
from purposebind.integrations.postgres.activated import sets_in

need("initdb")


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with made() as database:
        yield database


# --- Sets in the text ------------------------------------------------------------------------------------------------


def test_sets_are_found_in_the_text_of_a_module() -> None:
    """R4: a scope inside another would have no role, and be refused when it is first run."""
    assert sets_in(postgres_example) == {
        frozenset([RECOVERY, ADVERTISING]),
        frozenset([SECURITY, ADVERTISING]),
        frozenset([ADVERTISING, TWO_FACTOR]),
    }


# --- Commands --------------------------------------------------------------------------------------------------------


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["postgres", *arguments])


def test_the_command_prints_sql_that_applies(database: Database) -> None:
    """What a newcomer pipes into psql has to go through as it is."""
    done = run("ddl", "postgres_example:metadata", "--prefix", database.prefix, "--login", database.login)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("BEGIN;\n")
    assert done.stdout.endswith("COMMIT;\n")
    database.run(done.stdout)
    checked = run("check", "postgres_example:Base", "--prefix", database.prefix, "--url", str(database.url("postgres")))
    assert (checked.exit_code, checked.stdout) == (0, "The database is as the tags say.\n"), checked.output


def test_the_check_exits_with_one_where_it_finds_something(database: Database) -> None:
    """A pipeline would go on with a database that is open."""
    sets = ("--set", "security,security.two_factor")
    where = ("postgres_example:metadata", "--prefix", database.prefix, "--url", str(database.url("postgres")))
    done = run("check", *where, *sets, "--json")
    assert done.exit_code == 1, done.output
    assert database.role(SECURITY, TWO_FACTOR) in {one["subject"] for one in json.loads(done.stdout)}
    assert run("check", *where, *sets, "--accept", database.role(SECURITY, TWO_FACTOR)).exit_code == 0
    assert "does not exist" in run("check", *where, *sets).stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["ddl", "postgres_example"], "Which tables?"),
        (["ddl", "postgres_example:nothing"], "is no MetaData"),
        (["ddl", "no_such_module:metadata"], "There is no module no_such_module"),
        (["ddl", "postgres_example:metadata", "--set", "security,advertizing"], "Did you mean 'advertising'?"),
        (["ddl", "postgres_example:metadata", "--prefix", "A b"], "is no prefix for roles"),
        (["check", "postgres_example:metadata"], "Which database?"),
        (["check", "postgres_example:metadata", "--url", "sqlite://"], "of no PostgreSQL database"),
        (["check", "postgres_example:metadata", "--url", "nonsense"], "The database gives no answer"),
        (
            ["check", "postgres_example:metadata", "--url", "postgresql:///x?host=/nowhere"],
            "The database gives no answer",
        ),
    ],
)
def test_there_is_no_answer(arguments: list[str], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake on the command line would end in a traceback, or in an empty answer that looks like a good one."""
    monkeypatch.delenv("PURPOSEBIND_POSTGRES_URL", raising=False)
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert told in done.stderr


def test_what_is_missing_is_said_with_the_command(tmp_path: Path) -> None:
    """`pip install purposebind` has none of this; a bare ModuleNotFoundError says not what to install."""
    code = "import sys; sys.modules['sqlalchemy'] = None\nimport purposebind.integrations.postgres"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'purposebind[postgres]'" in done.stderr
