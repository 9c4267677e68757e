"""Shipping ledgers to PostgreSQL: what arrives is what the ledgers hold, once, and nothing else is shipped."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
import threading
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from postgres_server import Server, running
from shipping_example import START, Ledger, Row

from purposebind.ledger.errors import LedgerError
from purposebind.ledger.shipping import ship
from purposebind.ledger.shipping.database import connect, migrate, migrations


@pytest.fixture(scope="module")
def server() -> Server:
    return running()


@pytest.fixture
def dsn(server: Server) -> str:
    return server.new_database()


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger")


def ask(dsn: str, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(query, parameters).fetchall()


def affected(dsn: str, **filters: Any) -> tuple[Any, ...]:
    named = ", ".join(f"{name} => %s" for name in filters)
    (row,) = ask(dsn, f"SELECT * FROM purposebind.affected({named})", *filters.values())
    return row


def truth(rows: list[Row]) -> tuple[Any, ...]:
    """What affected() has to answer about these rows."""
    return (
        len({row.person for row in rows} - {None}),
        sum(row.times for row in rows),
        sum(row.times for row in rows if row.person is None),
        min((row.last for row in rows), default=None),
        max((row.last for row in rows), default=None),
    )


def everything(*ledgers: Ledger) -> list[Row]:
    return [row for ledger in ledgers for batch in ledger.batches.values() for row in batch]


# --- What arrives ----------------------------------------------------------------------------------------------------


def test_every_row_arrives_as_it_is(ledger: Ledger, dsn: str) -> None:
    """A value changed on its way, a cut microsecond or a number made negative, and the answers differ by place."""
    ledger.batch(rows=200)
    ship(ledger.path, dsn)
    with duckdb.connect() as engine:
        for table, key in (("reads", "activity"), ("activities", "activity"), ("names", "what"), ("damage", "place")):
            file = f"{ledger.folder.parquet}/*/{'p=*/*' if table == 'reads' else table}.parquet"
            engine.execute(f"SELECT * FROM read_parquet('{file}', hive_partitioning = false)")
            columns = [column[0] for column in engine.description]
            held = [dict(zip(columns, row, strict=True)) for row in engine.fetchall()]
            for row in held:
                if table == "reads":
                    hi, lo = row.pop("subject_hi"), row.pop("subject_lo")
                    row["person"] = None if hi is None else f"{hi:016x}{lo:016x}"
                if table in {"reads", "names"}:
                    row["what"] -= (row["what"] >> 63) << 64
            columns = list(held[0])
            chosen = ", ".join(f'"{name}"' for name in columns)
            arrived = [
                dict(zip(columns, row, strict=True)) for row in ask(dsn, f"SELECT {chosen} FROM purposebind.{table}")
            ]
            for row in arrived:
                for name, value in row.items():
                    if isinstance(value, datetime):
                        row[name] = value.replace(tzinfo=None)
                if table == "reads" and row["person"] is not None:
                    row["person"] = row["person"].hex
            assert sorted(arrived, key=lambda row: row[key]) == sorted(held, key=lambda row: row[key])
    assert ask(dsn, "SELECT at, reads FROM purposebind.lost") == [(START, 3)]
    assert any(row[0] < 0 for row in ask(dsn, "SELECT what FROM purposebind.names")), "numbers above 2**63 were tried"


def test_text_that_postgres_cannot_hold_does_not_stop_a_ledger(ledger: Ledger, dsn: str) -> None:
    """One NUL in the reason of a break-glass would otherwise keep its batch, and all after it, from arriving."""
    ledger.odd = "a\0b"
    ledger.batch()
    ship(ledger.path, dsn)
    assert ("a\ufffdb",) in ask(dsn, "SELECT DISTINCT site FROM purposebind.activities")
    assert ("a\ufffdb",) in ask(dsn, "SELECT DISTINCT handovers -> 0 ->> 'reason' FROM purposebind.names")


def test_people_are_counted_exactly_across_a_fleet(tmp_path: Path, dsn: str) -> None:
    """A person read on three machines would count three times, or a person read on one of them not at all."""
    ledgers = [Ledger(tmp_path / name) for name in ("one", "two", "three")]
    for place, each in enumerate(ledgers):
        for batch in range(3):
            each.batch(rows=150, seed=3 * place + batch, people=60)
        ship(each.path, dsn)
    rows = everything(*ledgers)
    assert affected(dsn) == truth(rows)
    since, until = START + timedelta(days=3), START + timedelta(days=6)
    for filters, chosen in (
        ({"field": "Account.phone"}, [row for row in rows if row.field == "Account.phone"]),
        ({"field": "Account"}, [row for row in rows if row.field.startswith("Account.")]),
        ({"purpose": "login"}, [row for row in rows if {"login", "login.code"} & {*row.purposes}]),
        ({"purpose": "login.code", "decision": "denied"},
         [row for row in rows if "login.code" in row.purposes and row.decision == "denied"]),
        ({"since": since}, [row for row in rows if row.last >= since]),
        ({"since": since, "until": until}, [row for row in rows if since <= row.last < until]),
        ({"decision": "denied,observed"}, [row for row in rows if row.decision in {"denied", "observed"}]),
        ({"site": "app.py:7 in f"}, rows),
        ({"site": "app.py:7"}, rows),
        ({"site": "pp.py"}, []),
        ({"site": "elsewhere"}, []),
    ):  # fmt: skip
        assert affected(dsn, **filters) == truth(chosen), filters
    cells = defaultdict(list)
    for row in rows:
        for purpose in row.purposes or [None]:
            cells[row.field, purpose, row.decision].append(row)
    matrix = ask(
        dsn, "SELECT field, purpose, decision, people, reads, unknown_reads, first, last FROM purposebind.matrix"
    )
    assert {row[:3]: row[3:] for row in matrix} == {cell: truth(chosen) for cell, chosen in cells.items()}


def test_people_hashed_by_different_keys_are_not_added_up(tmp_path: Path, dsn: str) -> None:
    """The same person under two keys would count as two, and nobody would see it in the number."""
    ledgers = [Ledger(tmp_path / "one"), Ledger(tmp_path / "two", key="ffeeddccbbaa9988")]
    for each in ledgers:
        each.batch()
        ship(each.path, dsn)
    with pytest.raises(psycopg.errors.RaiseException, match="ffeeddccbbaa9988"):
        affected(dsn)
    assert affected(dsn, key="ffeeddccbbaa9988") == truth(everything(ledgers[1]))


# --- Exactly once ----------------------------------------------------------------------------------------------------


def test_shipping_again_ships_what_is_new(ledger: Ledger, dsn: str) -> None:
    """Whoever runs it from a timer would count everything once more each time."""
    first = ledger.batch(seed=1)
    assert ship(ledger.path, dsn).batches == (first,)
    assert ship(ledger.path, dsn).batches == ()
    second = ledger.batch(seed=2)
    done = ship(ledger.path, dsn)
    assert (done.batches, done.already, done.rows) == ((second,), 1, 40)
    assert affected(dsn) == truth(everything(ledger))


def test_a_copy_of_a_ledger_is_the_same_ledger(ledger: Ledger, dsn: str, tmp_path: Path) -> None:
    """A ledger shipped from its machine and from the place that it is copied to would count twice."""
    ledger.batch()
    ship(ledger.path, dsn)
    shutil.copytree(ledger.path, tmp_path / "copy")
    assert ship(tmp_path / "copy", dsn).already == 1
    assert affected(dsn) == truth(everything(ledger))


def test_a_segment_in_two_batches_is_refused(ledger: Ledger, dsn: str, tmp_path: Path) -> None:
    """After a restore from a backup, segments are packed once more: their reads would count twice."""
    ledger.batch()
    ship(ledger.path, dsn)
    (segments,) = ask(dsn, "SELECT array_agg(segment) FROM purposebind.segments")
    other = Ledger(tmp_path / "other")
    other.batch(rows=41, segment=segments[0][0])
    with pytest.raises(LedgerError, match="shipped before"):
        ship(other.path, dsn)
    assert affected(dsn) == truth(everything(ledger))


def test_two_shippers_at_once_ship_once(tmp_path: Path, dsn: str) -> None:
    """A timer that fires while the run before is still at work would ship the same batches beside it."""
    ledgers = [Ledger(tmp_path / name) for name in ("one", "two")]
    for place, each in enumerate(ledgers):
        for batch in range(6):
            each.batch(rows=300, seed=6 * place + batch)
    done = []
    start = threading.Barrier(6)

    def run(path: Path) -> None:
        start.wait()
        done.append(ship(path, dsn))

    threads = [threading.Thread(target=run, args=(each.path,)) for each in ledgers for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(batch for each in done for batch in each.batches) == sorted(
        batch for each in ledgers for batch in each.batches
    )
    assert affected(dsn) == truth(everything(*ledgers))
    assert ask(dsn, "SELECT count(*) FROM purposebind.reads") == [(12 * 300,)]


# --- Retention -------------------------------------------------------------------------------------------------------


def test_dropped_batches_disturb_nothing(ledger: Ledger, dsn: str) -> None:
    """Retention runs on its own: what it took away must neither stop the shipper nor be missed in what arrived."""
    kept, gone, never = (ledger.batch(seed=seed) for seed in range(3))
    ledger.drop(never)
    assert ship(ledger.path, dsn).batches == (kept, gone)
    ledger.drop(gone)
    late = ledger.batch(seed=9)
    done = ship(ledger.path, dsn)
    assert (done.batches, done.already, done.dropped, done.removed) == ((late,), 1, 2, ())
    rows = [row for batch in (kept, gone, late) for row in ledger.batches[batch]]
    assert affected(dsn) == truth(rows), "the database keeps what it has until it is told otherwise"


def test_retention_is_followed_where_asked_for(ledger: Ledger, dsn: str) -> None:
    """What the law wants forgotten would live on in the copy, or come back from it with the next run."""
    kept, gone = ledger.batch(seed=1), ledger.batch(seed=2)
    ship(ledger.path, dsn)
    ledger.drop(gone)
    assert ship(ledger.path, dsn, follow_retention=True).removed == (gone,)
    assert ship(ledger.path, dsn, follow_retention=True).removed == ()
    assert affected(dsn) == truth(ledger.batches[kept])
    assert ask(dsn, "SELECT count(*) FROM purposebind.activities") == [(40,)]
    assert ask(dsn, "SELECT count(*) FROM purposebind.shipped") == [(2,)]


def test_a_batch_dropped_while_it_is_read_is_no_error(
    ledger: Ledger, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retention at the wrong moment would leave a batch half-shipped, or stop all that come after it."""
    from purposebind.ledger.shipping import delivery

    first, second = ledger.batch(seed=1), ledger.batch(seed=2)
    claim = delivery._claim

    def drop_and_claim(*arguments: Any) -> Any:
        if first in ledger.batches:
            ledger.drop(first)
            del ledger.batches[first]
        return claim(*arguments)

    monkeypatch.setattr(delivery, "_claim", drop_and_claim)
    done = ship(ledger.path, dsn)
    assert (done.batches, done.dropped) == ((second,), 1)
    assert affected(dsn) == truth(everything(ledger))


# --- What is not shipped ---------------------------------------------------------------------------------------------


def test_an_unfinished_batch_is_not_shipped(ledger: Ledger, dsn: str) -> None:
    """A compaction that is killed between its last two steps begins anew, and its reads would count twice."""
    ledger.batch()
    shutil.copytree(next(ledger.folder.parquet.iterdir()), ledger.folder.parquet / "unfinished")
    assert len(ship(ledger.path, dsn).batches) == 1


@pytest.mark.parametrize("how", ["changed", "longer", "missing", "truncated"])
def test_an_altered_batch_is_not_shipped(ledger: Ledger, dsn: str, how: str) -> None:
    """What somebody changed in the files would be laundered by the database, where no hash shows it."""
    whole = ledger.batch(seed=1)
    batch = ledger.batch(seed=2)
    file = next((ledger.folder.parquet / batch).rglob("p=*/*.parquet"))
    data = file.read_bytes()
    changed = bytes([data[0] ^ 1]) + data[1:]
    file.unlink()
    if how != "missing":
        file.write_bytes({"changed": changed, "longer": data + b"\0", "truncated": data[:-1]}[how])
    with pytest.raises(LedgerError, match=rf"{file.name} is not what the chain says"):
        ship(ledger.path, dsn)
    assert ask(dsn, "SELECT batch FROM purposebind.shipped") == [(whole,)]


def test_reads_without_a_name_are_not_shipped(ledger: Ledger, dsn: str) -> None:
    """They would be in no answer, and nobody would miss them."""
    ledger.without_names = True
    ledger.batch()
    with pytest.raises(LedgerError, match="without their names"):
        ship(ledger.path, dsn)


def test_a_chain_that_was_cut_is_noticed(ledger: Ledger, dsn: str) -> None:
    """Whoever cuts the chain after an incident would have the database go on as if nothing had been there."""
    ledger.batch(seed=1)
    before = ledger.folder.chain.read_text()
    ledger.batch(seed=2)
    ship(ledger.path, dsn)
    ((n, hash_),) = ask(dsn, "SELECT n, hash FROM purposebind.heads")
    ledger.folder.chain.write_text(before)
    with pytest.raises(LedgerError, match=f"cut or rewritten.*{n}:{hash_}"):
        ship(ledger.path, dsn)
    ledger.batch(seed=3)
    with pytest.raises(LedgerError, match="cut or rewritten"):
        ship(ledger.path, dsn)


def test_a_broken_chain_is_not_shipped(ledger: Ledger, dsn: str) -> None:
    """A line taken out of the middle hides a batch."""
    ledger.batch(seed=1)
    ledger.batch(seed=2)
    lines = ledger.folder.chain.read_text().splitlines(keepends=True)
    ledger.folder.chain.write_text("".join([lines[0], *lines[2:]]))
    with pytest.raises(LedgerError, match="broken"):
        ship(ledger.path, dsn)


def test_a_place_without_a_ledger_is_told(tmp_path: Path, dsn: str) -> None:
    """A mistyped folder would look like a ledger in which nothing happened."""
    with pytest.raises(LedgerError, match="no ledger at"):
        ship(tmp_path / "mistyped", dsn)
    assert ask(dsn, "SELECT to_regclass('purposebind.shipped')") == [(None,)]


def test_an_empty_ledger_ships_nothing(ledger: Ledger, dsn: str) -> None:
    """The first run on a new machine would fail, and its timer be turned off."""
    assert ship(ledger.path, dsn).batches == ()
    assert affected(dsn) == (0, 0, 0, None, None)


# --- The tables ------------------------------------------------------------------------------------------------------


def test_migrations_are_applied_once_whoever_comes_first(dsn: str) -> None:
    """Two machines that start at once would make the tables twice, and one of them fail."""
    applied = []
    start = threading.Barrier(8)

    def run() -> None:
        with connect(dsn) as connection:
            start.wait()
            applied.extend(migrate(connection))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert applied == [migration.name for migration in migrations()]
    assert ask(dsn, "SELECT number, name FROM purposebind.migrations ORDER BY 1") == [
        (migration.number, migration.name) for migration in migrations()
    ]


def test_migrations_are_numbered_without_a_gap() -> None:
    """A missing number is a file that was left out of the package."""
    assert [migration.number for migration in migrations()] == list(range(1, len(migrations()) + 1))


def test_an_old_database_is_brought_up_to_date(dsn: str, ledger: Ledger) -> None:
    """Each new version would need a database administrator at the same time on every machine."""
    with connect(dsn) as connection:
        migrate(connection)
        connection.execute("DROP FUNCTION purposebind.affected")
        connection.execute("DROP FUNCTION purposebind.is_at")
        connection.execute("DROP VIEW purposebind.matrix")
        connection.execute("DELETE FROM purposebind.migrations WHERE number = 2")
    ledger.batch()
    ship(ledger.path, dsn)
    assert affected(dsn) == truth(everything(ledger))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("INSERT INTO purposebind.migrations VALUES (99, '0099_later.sql', '') RETURNING 1", "0099_later.sql"),
        ("UPDATE purposebind.migrations SET sha256 = '' WHERE number = 1 RETURNING 1", "another 0001_tables.sql"),
    ],
)
def test_tables_of_another_version_are_refused(ledger: Ledger, dsn: str, change: str, said: str) -> None:
    """An old shipper would write rows that the new tables read as something else."""
    ship(ledger.path, dsn)
    ask(dsn, change)
    ledger.batch()
    with pytest.raises(LedgerError, match=said):
        ship(ledger.path, dsn)


def test_a_shipper_needs_no_more_than_to_add(ledger: Ledger, server: Server, dsn: str) -> None:
    """A machine that was broken into could delete, with the rights to ship, what it had shipped before."""
    with connect(dsn) as connection:
        migrate(connection)
        connection.execute("GRANT USAGE ON SCHEMA purposebind TO shipper")
        connection.execute("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA purposebind TO shipper")
    ledger.batch()
    database = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    own = server.dsn(str(database), "shipper") + f" password='{server.PASSWORD}'"
    assert len(ship(ledger.path, own).batches) == 1
    with connect(own) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("DELETE FROM purposebind.reads")


# --- Passwords -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:PASS/word@localhost/db",
        "postgresql://u:1/PASSword@localhost/db",
        "postgresql://u:PASS@word@localhost/db",
        "postgresql://u:PASS:word@/db?host=/nowhere",
        "postgresql://u:PASSword%zz@localhost/db",
        "postgresql://u:PASSword@/db?host=/nowhere",
        "postgresql://u:PASSword@localhost:port/db",
        "host=/nowhere password=PASSword word",
        "host=/nowhere password=PASSword",
        "host=/nowhere password='PASSword",
        "PASSword",
    ],
)
def test_no_error_shows_a_password(ledger: Ledger, dsn: str) -> None:
    """Errors of a nightly job are mailed around, and kept in logs that more people read than may know it."""
    with pytest.raises(LedgerError) as caught:
        ship(ledger.path, dsn)
    shown = [
        caught.value,
        caught.value.__cause__,
        caught.value.__context__ if not caught.value.__suppress_context__ else 0,
    ]
    assert "PASS" not in repr([str(error) for error in shown])


def test_a_refused_password_is_said_and_not_shown(ledger: Ledger, server: Server) -> None:
    """Whoever mistyped it needs to be told that it was the password."""
    wrong = secrets.token_hex(8)
    with pytest.raises(LedgerError, match="password authentication failed") as caught:
        ship(ledger.path, server.dsn("postgres", "shipper") + f" password={wrong}")
    assert wrong not in str(caught.value)


@pytest.mark.parametrize("module", ["psycopg", "duckdb"])
def test_a_missing_extra_says_what_to_install(module: str) -> None:
    """Whoever reads `No module named psycopg` installs the one that needs a compiler."""
    program = f"import sys; sys.modules[{module!r}] = None; import purposebind.ledger.shipping"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "pip install 'purposebind[ship]'" in done.stderr.splitlines()[-1]
