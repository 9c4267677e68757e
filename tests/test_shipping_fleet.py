"""A fleet that really records, ships and is asked: the database answers as the ledgers themselves do."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sysconfig
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import psycopg
import pytest
from postgres_server import Server, running
from purposes import ADVERTISING, RECOVERY, SECURITY, TWO_FACTOR

from purposebind import AllowedFor, PurposeModel, SubjectId, configure, purpose_scope
from purposebind.break_glass import break_glass
from purposebind.ledger import Key, Ledger
from purposebind.ledger.shipping import ship


class Contact(PurposeModel):
    id: Annotated[int | None, SubjectId]
    phone: Annotated[str, AllowedFor(SECURITY)]
    email: Annotated[str, AllowedFor(TWO_FACTOR, ADVERTISING)]


@pytest.fixture(scope="module")
def server() -> Server:
    return running()


def record(ledger: Ledger, seed: int) -> None:
    """Read this and that, of people of whom other machines read too."""
    random_ = random.Random(seed)
    contacts = [Contact(id=number or None, phone="1", email="2") for number in range(40)]
    with configure(ledger=ledger, mode="observe"):
        for _ in range(30):
            with purpose_scope(*random_.sample([SECURITY, TWO_FACTOR, RECOVERY, ADVERTISING], random_.randint(1, 2))):
                for contact in random_.choices(contacts, k=5):
                    assert (contact.phone, contact.email) == ("1", "2")
        assert random_.choice(contacts).phone == "1"
        with break_glass(f"INC-{seed}: look", by="Ada"):
            assert random_.choice(contacts).email == "2"


def filters(ledger: Ledger) -> list[dict[str, Any]]:
    everything = ledger.affected()
    assert everything.first is not None
    assert everything.last is not None
    middle = everything.first + (everything.last - everything.first) / 2
    sites = [use.site for use in ledger.sites()][:2]
    return [
        {},
        {"field": "Contact"},
        {"field": "Contact.email", "decision": "observed"},
        {"purpose": "security"},
        {"purpose": "security.recovery", "decision": "allowed"},
        {"since": middle},
        {"until": middle},
        {"since": everything.first, "until": everything.last + timedelta(microseconds=1)},
        {"decision": "break_glass"},
        *({"site": site} for site in sites if site),
        {"site": Path(__file__).name},
        {"site": Path(__file__).name[1:]},
    ]


def test_the_database_answers_as_the_ledgers_do(tmp_path: Path, server: Server) -> None:
    """Two numbers of people affected, from two places, are worth less than none."""
    key = Key(bytes(range(32)))
    dsn = server.new_database()
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for number, folder in enumerate(folders):
        for turn in range(2):  # two batches for each
            with Ledger(folder, key=key, interval=0.01) as ledger:
                record(ledger, 2 * number + turn)
            with Ledger(folder) as ledger:
                assert ledger.compact() is not None
        assert len(ship(folder, dsn).batches) == 2
        assert ship(folder, dsn).batches == ()
    with Ledger(*folders, key=key) as ledger, psycopg.connect(dsn, autocommit=True) as connection:
        for chosen in filters(ledger):
            named = ", ".join(f"{name} => %s" for name in chosen)
            row = connection.execute(f"SELECT * FROM purposebind.affected({named})", [*chosen.values()]).fetchone()
            own = ledger.affected(**chosen)
            assert row == (own.people, own.reads, own.unknown_reads, own.first, own.last), chosen
        rows = connection.execute(
            "SELECT field, purpose, decision, people, reads, unknown_reads FROM purposebind.matrix"
        )
        assert {*rows.fetchall()} == {
            (cell.field, cell.purpose, cell.decision, cell.people, cell.reads, cell.unknown_reads)
            for cell in ledger.matrix()
        }
        heads = [(str(each.head().n), each.head().hash) for each in ledger.each()]
        kept = connection.execute(
            "SELECT DISTINCT ON (ledger) n::text, hash FROM purposebind.heads ORDER BY ledger, n DESC"
        )
        assert sorted(kept.fetchall()) == sorted(heads)
        for each, (n, hash_) in zip(ledger.each(), heads, strict=True):
            assert each.verify(anchor=f"{n}:{hash_}").ok
        (person,) = connection.execute(
            "SELECT person FROM purposebind.reads WHERE person = %s", [key.person(7).hex()]
        ).fetchmany(1)
        assert person[0].bytes == key.person(7)


# --- The page about fleets -------------------------------------------------------------------------------------------

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "run-the-ledger-in-a-fleet.md"
BLOCKS = re.findall(r"^```(sh|sql)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_page_about_fleets_works(tmp_path: Path, server: Server) -> None:
    """A command that does not run, or a query about a column that was renamed, is found by whoever has an incident."""
    dsn = server.new_database()
    key = Key(bytes(range(32)))
    for number in (1, 2):
        with Ledger(tmp_path / f"web-{number}", key=key) as ledger:
            record(ledger, number)
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PURPOSEBIND_LEDGER_DSN": dsn}
    ran = {"sh": 0, "sql": 0}
    for language, text in BLOCKS:
        ran[language] += 1
        if language == "sh":
            done = subprocess.run(
                ["/bin/sh", "-c", text], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
        else:
            with psycopg.connect(dsn) as connection:
                connection.execute(text.encode())
    assert ran == {"sh": 2, "sql": 5}
