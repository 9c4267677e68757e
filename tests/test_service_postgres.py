"""The adopted shop on PostgreSQL: the server refuses what the guard refuses, and what never passes the guard."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
from pathlib import Path

import psycopg
import pytest
from postgres_server import running
from psycopg.errors import InsufficientPrivilege
from real_parts import need
from service import page
from service.running import PEOPLE, Service
from service.visits import a_day, export

INITDB = need("initdb")
QUERIES = ("orm", "core", "text", "cursor")

_COMMAND = re.compile(r"^\$ (.+)\n", re.MULTILINE)
_WAYS = """
from shop import audience
for name, way in audience.WAYS.items():
    try:
        print(name, len(way()))
    except Exception as error:
        print(name, getattr(getattr(error, "orig", error), "sqlstate", type(error).__name__))
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("postgres"))


class Shop:
    """A database as the page leaves it: filled by the shop before, and with the roles of the shop after."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dsn = running().new_database()
        self.name = psycopg.conninfo.conninfo_to_dict(self.dsn)["dbname"]
        with psycopg.connect(self.dsn, autocommit=True) as owner:
            if owner.execute("SELECT FROM pg_roles WHERE rolname = 'shop'").fetchone() is None:
                owner.execute("CREATE ROLE shop LOGIN")
        self.before().run("shop.seed", str(PEOPLE))
        self.said = self._took_the_pages_steps()

    def url(self, user: str, role: str = "") -> str:
        options = f"&options=-c%20role%3D{role.replace(':', '%3A')}" if role else ""
        return f"postgresql+psycopg://{user}@/{self.name}?host={running().folder}{options}"

    def connect(self, role: str) -> psycopg.Connection[tuple[object, ...]]:
        connection = psycopg.connect(running().dsn(str(self.name), "shop"), autocommit=True)
        connection.execute(psycopg.sql.SQL("SET ROLE {}").format(psycopg.sql.Identifier(role)))
        return connection

    def before(self, role: str = "") -> Service:
        return Service(page.BEFORE, self.folder / "before", database=self.url("shop" if role else "postgres", role))

    def after(self) -> Service:
        return Service(page.AFTER, self.folder / "after", database=self.url("shop"), owner=self.url("postgres"))

    def _took_the_pages_steps(self) -> list[tuple[str, str, str]]:
        """Run the page's commands; returns each with what the page says it prints, and what it printed."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PURPOSEBIND_", "PG"))},
            "PATH": os.pathsep.join(
                [sysconfig.get_path("scripts"), str(INITDB.resolve().parent), os.environ.get("PATH", os.defpath)]
            ),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(page.AFTER), os.environ.get("PYTHONPATH")])),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PGHOST": str(running().folder),
            "PGDATABASE": str(self.name),
            "SHOP_KEYS": "",
        }
        said = []
        for block in page.blocks("console", 8):
            found = list(_COMMAND.finditer(block))
            ends = [*(command.start() for command in found[1:]), len(block)]
            for command, end in zip(found, ends, strict=True):
                done = subprocess.run(
                    ["/bin/sh", "-c", command[1]],
                    env=environment,
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                )
                said.append((command[1], block[command.end() : end].strip(), done.stdout.strip()))
        return said


def test_the_page_prints_what_is_printed(shop: Shop) -> None:
    """Roles that are not made as the page says would be found missing by the first customer."""
    assert len(shop.said) == 4
    for command, wanted, printed in shop.said:
        assert printed.split() == wanted.split(), command


def test_a_day_in_the_shop_under_its_roles(shop: Shop) -> None:
    """A grant that is missing would stop login, or orders, in a database where everything looks right."""
    with shop.after() as service:
        matched, exported = a_day(service)
        assert (matched.status_code, exported) == (403, "FAILURE")
        assert {export(service, way) for way in ("entity", *QUERIES)} == {"FAILURE"}


def test_a_connection_of_its_own_is_refused_by_the_server(shop: Shop) -> None:
    """A script that takes the library out of its way still has to ask a server that knows the tags."""
    with shop.connect("shop:advertising") as connection:
        for column in ("phone", "email", "name", "password", "sha256(phone::bytea)", "*"):
            with pytest.raises(InsufficientPrivilege):
                connection.execute(f"SELECT {column} FROM account".encode())
        with pytest.raises(InsufficientPrivilege):
            connection.execute("SELECT id FROM account WHERE phone LIKE '+1555%'")
        with pytest.raises(InsufficientPrivilege):
            connection.execute("COPY (SELECT phone FROM account) TO STDOUT")
        assert connection.execute("SELECT count(DISTINCT city) FROM account").fetchone() == (3,)
    with shop.connect("shop:security.two_factor") as connection:
        assert len(connection.execute("SELECT phone FROM account").fetchall()) == PEOPLE
        with pytest.raises(InsufficientPrivilege):
            connection.execute("SELECT email FROM account")


def test_the_shop_before_is_refused_its_audience_by_the_server(shop: Shop) -> None:
    """Code that was never adopted, with an engine without a guard, is what goes on running beside the code that was."""
    refused = InsufficientPrivilege.sqlstate
    for role, outcome in (("shop:advertising", refused), ("shop/none", refused), ("shop/loader", str(PEOPLE))):
        before = shop.before(role)
        (before.folder / "ways.py").write_text(_WAYS, encoding="utf-8")
        found = dict(line.split() for line in before.run("ways").stdout.splitlines())
        assert found == dict.fromkeys(("model", "entity", *QUERIES), outcome), role
