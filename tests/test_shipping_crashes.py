"""Shipping when things break: shippers killed at every step, servers that crash, connections cut at the commit.

Whatever happens, one more run brings all of it, once.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cutting_proxy import Proxy
from postgres_server import Server, running
from shipping_example import Ledger

from purposebind.ledger.errors import LedgerError
from purposebind.ledger.shipping import ship

STEPS = 40
"""How many of the steps are tried in one run, chosen anew each time; the message of a failure names the step."""
LARGE = 150_000


@pytest.fixture(scope="module")
def server() -> Server:
    return running()


@pytest.fixture
def dsn(server: Server) -> str:
    return server.new_database()


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger")


def ask(dsn: str, query: str) -> tuple[Any, ...]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        (row,) = connection.execute(query.encode()).fetchall()
        return row


def holds(dsn: str) -> tuple[Any, ...]:
    """How many people, reads, rows and batches are in the database; and that no row belongs to no batch."""
    (strays,) = ask(
        dsn, "SELECT count(*) FROM purposebind.reads WHERE shipped NOT IN (SELECT id FROM purposebind.shipped)"
    )
    assert strays == 0
    return (
        *ask(dsn, "SELECT people, reads FROM purposebind.affected()"),
        *ask(dsn, "SELECT count(*) FROM purposebind.reads"),
        *ask(dsn, "SELECT count(*) FROM purposebind.shipped"),
        *ask(dsn, "SELECT count(*) FROM purposebind.activities"),
    )


def of(ledger: Ledger) -> tuple[int, int, int, int, int]:
    rows = [row for batch in ledger.batches.values() for row in batch]
    people = len({row.person for row in rows} - {None})
    return people, sum(row.times for row in rows), len(rows), len(ledger.batches), len(rows)


class Killed:
    """The process that forks shippers which are killed at a step."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, str(Path(__file__).with_name("shipping_killed.py")), str(path)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Killed:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def ship(self, step: int, dsn: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{step} {dsn}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


def test_a_shipper_killed_at_any_step_leaves_nothing_half_done(ledger: Ledger, server: Server) -> None:
    """A machine that dies at night would leave reads that count twice, or that no run ever brings."""
    for seed in range(2):
        ledger.batch(rows=12, seed=seed)
    with Killed(ledger.path) as killed:
        worth = [int(step) for step in killed.ship(0, server.new_database()).split()]
        assert len(worth) > 100, "the steps were not seen"
        half_done = set()
        for step in random.sample(worth, min(STEPS, len(worth))):
            dsn = server.new_database()
            assert killed.ship(step, dsn) == "killed", step
            here = ask(dsn, "SELECT to_regclass('purposebind.shipped') IS NOT NULL")[0]
            half_done.add(holds(dsn)[3] if here else None)
            ship(ledger.path, dsn)
            assert holds(dsn) == of(ledger), step
    assert half_done >= {0, 1}, "they were killed too early or too late to show anything"


def test_shippers_killed_one_after_the_other_get_there(ledger: Ledger, server: Server, dsn: str) -> None:
    """A service that is restarted again and again would never get any further, or ship it each time."""
    for seed in range(4):
        ledger.batch(rows=12, seed=seed)
    with Killed(ledger.path) as killed:
        worth = [int(step) for step in killed.ship(0, server.new_database()).split()]
        assert worth
        for step in random.sample(worth, 10):
            killed.ship(step, dsn)
            ledger.batch(rows=12, seed=step)
    ship(ledger.path, dsn)
    assert holds(dsn) == of(ledger)


def _copying(server: Server) -> bool:
    with server.connect("postgres") as connection:
        row = connection.execute("SELECT sum(tuples_processed) FROM pg_stat_progress_copy").fetchone()
    return bool(row and row[0])


def _wait_until_copying(server: Server) -> None:
    until = time.monotonic() + 60
    while not _copying(server):
        assert time.monotonic() < until, "no COPY was seen"
        time.sleep(0.01)


def test_a_shipper_killed_within_a_copy(ledger: Ledger, server: Server, dsn: str) -> None:
    """The rows that had arrived before it was killed would count, and count again."""
    ledger.large_batch(LARGE)
    program = "import sys; from purposebind.ledger.shipping import ship; ship(*sys.argv[1:])"
    for _ in range(3):
        shipper = subprocess.Popen([sys.executable, "-c", program, str(ledger.path), dsn])
        _wait_until_copying(server)
        time.sleep(random.uniform(0, 0.1))
        shipper.send_signal(signal.SIGKILL)
        shipper.wait()
    assert ship(ledger.path, dsn).rows == LARGE
    assert holds(dsn)[:4] == (LARGE, LARGE, LARGE, 1)


def test_a_server_that_crashes_within_a_copy(ledger: Ledger, server: Server, dsn: str) -> None:
    """After its restart the database would hold a part of a batch, or the shipper take it for done."""
    ledger.batch(seed=1)
    ship(ledger.path, dsn)
    ledger.large_batch(LARGE)
    for _ in range(3):
        said: list[str] = []

        def run(said: list[str] = said) -> None:
            try:
                ship(ledger.path, dsn)
            except LedgerError as error:
                said.append(str(error))

        shipper = threading.Thread(target=run)
        shipper.start()
        _wait_until_copying(server)
        server.stop("immediate")
        shipper.join()
        server.start()
        assert said
        assert "ship again" in said[0] or "cannot be reached" in said[0]
    assert ship(ledger.path, dsn).rows == LARGE
    people, reads, rows, batches, _ = of(ledger)
    assert holds(dsn)[:4] == (people + LARGE, reads + LARGE, rows + LARGE, batches)


def test_a_server_that_is_not_there(ledger: Ledger, server: Server, dsn: str) -> None:
    """A timer's run while the database is being restarted would end in a traceback, and not in one line."""
    ledger.batch()
    server.stop()
    try:
        with pytest.raises(LedgerError, match="cannot be reached"):
            ship(ledger.path, dsn)
    finally:
        server.start()
    assert len(ship(ledger.path, dsn).batches) == 1


@pytest.mark.parametrize("deliver", [True, False], ids=["answer lost", "commit lost"])
def test_a_connection_cut_at_the_commit(ledger: Ledger, server: Server, dsn: str, deliver: bool) -> None:
    """Nobody can know whether the commit was done. A shipper that guesses ships a batch twice, or never."""
    ledger.batch(seed=1)
    ship(ledger.path, dsn)
    ledger.batch(seed=2)
    with Proxy(server.folder, b"COMMIT\0", deliver=deliver) as proxy:
        with pytest.raises(LedgerError, match="ship again"):
            ship(ledger.path, dsn.replace(str(server.folder), proxy.host))
        assert proxy.cut == 1
    time.sleep(0.1)
    done = ship(ledger.path, dsn)
    assert len(done.batches) == (0 if deliver else 1)
    assert holds(dsn) == of(ledger)


def test_a_connection_cut_within_a_copy(ledger: Ledger, server: Server, dsn: str) -> None:
    """The rows before the cut would be taken for all of them."""
    ledger.batch(seed=1)
    with Proxy(server.folder, b"Account.phone", deliver=True) as proxy:
        with pytest.raises(LedgerError, match="ship again"):
            ship(ledger.path, dsn.replace(str(server.folder), proxy.host))
        assert proxy.cut == 1
    ship(ledger.path, dsn)
    assert holds(dsn) == of(ledger)


def test_a_server_that_refuses_rows_leaves_nothing(ledger: Ledger, dsn: str) -> None:
    """A full disk or a rule of the database in the middle of a batch would leave a part of it."""
    ledger.batch(seed=1)
    ship(ledger.path, dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ALTER TABLE purposebind.damage ADD CONSTRAINT full_up CHECK (place = 0) NOT VALID")
    before = holds(dsn)
    ledger.batch(seed=2)
    with pytest.raises(LedgerError, match=r"refused.*full_up"):
        ship(ledger.path, dsn)
    assert holds(dsn) == before
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ALTER TABLE purposebind.damage DROP CONSTRAINT full_up")
    ship(ledger.path, dsn)
    assert holds(dsn) == of(ledger)
