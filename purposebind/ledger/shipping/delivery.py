"""Shipping a ledger: each batch in one transaction, exactly once.

What this module keeps:

- A batch is in the database whole, or not at all. Its row in ``shipped`` is written in the transaction that brings its
  rows, so that a shipper killed at any moment leaves nothing half-done, and the next one goes on where it was.
- Two shippers of one ledger do not ship a batch twice: the second waits at the row in ``shipped`` until the first has
  ended, and then ships it or not.
- A segment is in the database once, even where a restored backup has packed it into another batch.
- Each shipping leaves the end of the chain in the database. The next one finds it in the chain, or refuses: a chain
  that was cut or rewritten in between is no continuation of what is there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from purposebind.ledger.errors import LedgerError
from purposebind.ledger.folder import Folder

from .batches import Batch, Inventory, take_inventory
from .copying import Source
from .database import Connection, connect, migrate

__all__ = ["Shipped", "ship"]


@dataclass(frozen=True)
class Shipped:
    """What `ship` did.

    Attributes:
        ledger: The ledger's id: the hash of the first line of its chain; empty where it has none.
        batches: The ids of the batches that were shipped now.
        already: How many were there already.
        dropped: How many retention had dropped from the ledger before they were shipped, or after.
        removed: The ids of the batches whose rows were removed from the database now.
        rows: How many rows of reads were shipped now.
    """

    ledger: str
    batches: tuple[str, ...] = ()
    already: int = 0
    dropped: int = 0
    removed: tuple[str, ...] = ()
    rows: int = 0


def ship(
    ledger: str | os.PathLike[str],
    dsn: str,
    *,
    follow_retention: bool = False,
    watch: Callable[[int, int], object] = lambda done, of: None,
) -> Shipped:
    """Ship the compacted batches of a ledger to a PostgreSQL database. It may be run again at any time.

    Args:
        ledger: The ledger's folder.
        dsn: The connection string of the database; the tables are made where they are not there yet.
        follow_retention: Also remove from the database what retention dropped from the ledger.
        watch: Called with how many batches are done and how many there are, before the first and after each.

    Returns:
        What was done.

    Raises:
        LedgerError: The ledger or the database cannot be read or written, a batch was altered, or the chain is not the
            one that was shipped before. What was shipped until then stays, once.
    """
    folder = Folder(ledger)
    take_inventory(folder)  # a mistyped folder is told before anything is done to the database
    with connect(dsn) as connection, Source() as source:
        migrate(connection)
        inventory = _continued(connection, folder)
        shipped: list[str] = []
        rows = dropped = 0
        for done, batch in enumerate(inventory.batches):
            watch(done, len(inventory.batches))
            if _is_there(connection, inventory, batch):
                continue
            try:
                arrived = _ship_batch(connection, source, inventory, batch)
            except LedgerError:
                if batch.id not in take_inventory(folder).dropped:
                    raise
                dropped += 1  # by somebody else, while it was read
                continue
            if arrived is not None:
                shipped.append(batch.id)
                rows += arrived
        watch(len(inventory.batches), len(inventory.batches))
        _leave_head(connection, inventory)
        removed = _remove_dropped(connection, inventory) if follow_retention else ()
    return Shipped(
        ledger=inventory.ledger,
        batches=tuple(shipped),
        already=len(inventory.batches) - len(shipped) - dropped,
        dropped=len(inventory.dropped) + dropped,
        removed=removed,
        rows=rows,
    )


def _continued(connection: Connection, folder: Folder) -> Inventory:
    """The inventory of a ledger whose chain continues what the database has seen of it."""
    ledger = take_inventory(folder).ledger
    seen = connection.execute(
        "SELECT n, hash FROM (SELECT n, hash FROM purposebind.heads WHERE ledger = %s UNION ALL "
        "SELECT chain_n, chain_hash FROM purposebind.shipped WHERE ledger = %s) AS seen ORDER BY n DESC LIMIT 1",
        (ledger, ledger),
    ).fetchone()
    inventory = take_inventory(folder)  # after what was seen: a chain that others add to meanwhile is only longer
    if seen is not None:
        n, hash_ = int(str(seen[0])), seen[1]
        if n >= len(inventory.hashes) or inventory.hashes[n] != hash_:
            raise LedgerError(
                f"The chain of {folder.path} was cut or rewritten since it was last shipped: {n}:{hash_}, which the "
                "database has seen, is not in it. Nothing was shipped. Ask `purposebind ledger verify` with this as "
                "--anchor; and where an older backup was restored, keep this folder as it is and begin another"
            )
    return inventory


def _is_there(connection: Connection, inventory: Inventory, batch: Batch) -> bool:
    row = connection.execute(
        "SELECT 1 FROM purposebind.shipped WHERE ledger = %s AND batch = %s", (inventory.ledger, batch.id)
    ).fetchone()
    return row is not None


def _ship_batch(connection: Connection, source: Source, inventory: Inventory, batch: Batch) -> int | None:
    """Ship a batch in one transaction, and return its rows of reads; None where another shipper was first."""
    altered = batch.altered()
    if altered is not None:
        raise LedgerError(
            f"{altered} is not what the chain says, so the batch {batch.id} is not shipped: run "
            "`purposebind ledger verify`"
        )
    if source.unnamed(batch):
        raise LedgerError(f"The batch {batch.id} holds reads without their names: it is not shipped")
    with connection.transaction():
        number = _claim(connection, inventory, batch, source.rows(batch, "reads"))
        if number is None:
            return None
        arrived = source.copy(connection, batch, "reads", "purposebind.reads", number)
        for table in ("activities", "lost", "damage"):
            source.copy(connection, batch, table, f"purposebind.{table}", number)
        # At the end: two batches with the same new name wait for each other from here on, and not for the reads.
        _copy_names(connection, source, batch)
    return arrived


def _claim(connection: Connection, inventory: Inventory, batch: Batch, rows: int) -> int | None:
    """Write the row of a batch, and return its number; None if it is there. Waits for whoever is at it."""
    row = connection.execute(
        "INSERT INTO purposebind.shipped (ledger, batch, keys, chain_n, chain_hash, rows) "
        "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (ledger, batch) DO NOTHING RETURNING id",
        (inventory.ledger, batch.id, list(batch.keys), batch.n, batch.hash, rows),
    ).fetchone()
    if row is None:
        return None
    number = int(str(row[0]))
    connection.execute(
        "INSERT INTO purposebind.segments (segment, shipped) SELECT segment, %s FROM unnest(%s::text[]) AS segment "
        "ORDER BY segment ON CONFLICT (segment) DO NOTHING",
        (number, list(batch.segments)),
    )
    taken = connection.execute(
        "SELECT s.segment, b.batch, b.ledger FROM purposebind.segments s JOIN purposebind.shipped b "
        "ON b.id = s.shipped WHERE s.segment = ANY(%s) AND s.shipped <> %s LIMIT 1",
        (list(batch.segments), number),
    ).fetchone()
    if taken is not None:
        raise LedgerError(
            f"The segment {taken[0]} of the batch {batch.id} was shipped before, in the batch {taken[1]} of the ledger "
            f"{taken[2]}: its reads would count twice. Was a backup restored, or a segment copied to another folder?"
        )
    return number


def _copy_names(connection: Connection, source: Source, batch: Batch) -> None:
    """Add the names that the dictionary does not have. Always in one order, else two shippers wait for each other."""
    connection.execute("CREATE TEMPORARY TABLE arriving (LIKE purposebind.names) ON COMMIT DROP")
    source.copy(connection, batch, "names", "pg_temp.arriving")
    connection.execute(
        "INSERT INTO purposebind.names SELECT * FROM pg_temp.arriving ORDER BY what ON CONFLICT (what) DO NOTHING"
    )
    other = connection.execute(
        "SELECT a.what FROM pg_temp.arriving a JOIN purposebind.names n USING (what) WHERE (a.*) IS DISTINCT FROM (n.*)"
    ).fetchone()
    if other is not None:
        raise LedgerError(f"The name {other[0]} of the batch {batch.id} means something else in the database")


def _leave_head(connection: Connection, inventory: Inventory) -> None:
    if inventory.hashes:
        connection.execute(
            "INSERT INTO purposebind.heads (ledger, n, hash) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (inventory.ledger, *inventory.head),
        )


def _remove_dropped(connection: Connection, inventory: Inventory) -> tuple[str, ...]:
    """Remove the rows of the batches that retention dropped; what says that they were shipped stays."""
    with connection.transaction():
        gone = connection.execute(
            "INSERT INTO purposebind.dropped (shipped) SELECT id FROM purposebind.shipped WHERE ledger = %s AND "
            "batch = ANY(%s) ORDER BY id ON CONFLICT DO NOTHING "
            "RETURNING shipped, (SELECT batch FROM purposebind.shipped WHERE id = dropped.shipped)",
            (inventory.ledger, list(inventory.dropped)),
        ).fetchall()
        numbers = [int(str(number)) for number, _ in gone]
        for table in ("reads", "activities", "lost", "damage") if numbers else ():
            connection.execute(f"DELETE FROM purposebind.{table} WHERE shipped = ANY(%s)".encode(), (numbers,))
    return tuple(str(batch) for _, batch in gone)
