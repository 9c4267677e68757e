"""The rows of a batch on their way from Parquet to PostgreSQL: DuckDB writes them as text, COPY takes them.

What this module keeps:

- No row passes through Python: DuckDB writes into a pipe, and what comes out of it goes to the database in pieces.
  Memory does not grow with the batch.
- A table arrives whole or not at all: where DuckDB fails half-way the COPY is broken off, and the rows that arrived are
  counted against those in the files.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import closing
from typing import Final

from purposebind.ledger.errors import LedgerError

from .batches import Batch
from .database import Connection

try:
    import duckdb
except ModuleNotFoundError:
    raise LedgerError(
        "Shipping a ledger needs duckdb, which is not installed. Install it with: pip install 'purposebind[ship]'"
    ) from None

__all__ = ["TABLES", "Source"]

_PIECE: Final = 1 << 18
_MEMORY: Final = "512MB"
_CSV: Final = "FORMAT csv, HEADER false, USE_TMP_FILE false"


def _signed(column: str) -> str:
    """The same 64 bits as a signed number: PostgreSQL has no other."""
    return (
        f"(CASE WHEN {column} >= 9223372036854775808 THEN {column}::HUGEINT - 18446744073709551616 "
        f"ELSE {column}::HUGEINT END)::BIGINT"
    )


def _text(column: str) -> str:
    """A text without the one character that PostgreSQL cannot hold."""
    return f"replace({column}, chr(0), chr(65533))"


def _array(column: str) -> str:
    """A list of texts as PostgreSQL writes an array."""
    quoted = rf"""'"' || replace(replace({_text("item")}, '\', '\\'), '"', '\"') || '"'"""
    return f"'{{' || array_to_string(list_transform({column}, lambda item: {quoted}), ',') || '}}'"


def _json(column: str) -> str:
    """A list of structs as JSON, without the character that PostgreSQL cannot hold in it either."""
    return rf"replace(to_json({column})::VARCHAR, '\u0000', '\ufffd')"


def _person() -> str:
    return "CASE WHEN subject_hi IS NOT NULL THEN printf('%016x%016x', subject_hi, subject_lo) END"


_PLAIN: Final = ("shipped", "times", "first", "last", "started", "ended", "continued", "pid", "at", "reads", "records")
_NAMED: Final = ("site", "reason", "break_glass", "by", "host", "service", "segment", "trace", "decision", "field")
_COLUMNS: Final = {
    **{name: f'"{name}"' for name in _PLAIN},
    **{name: _text(f'"{name}"') for name in _NAMED},
    **{name: _array(f'"{name}"') for name in ("purposes", "entered", "allowed")},
    **{name: _signed(f'"{name}"') for name in ("what", "activity", "around", "place")},
    "handovers": _json('"handovers"'),
    "person": _person(),
}

_ACTIVITIES: Final = (
    "activity segment purposes entered site handovers trace around started ended continued break_glass by pid host "
    "service"
)
TABLES: Final = {
    "reads": ("p=*/*.parquet", "what activity person times first last"),
    "activities": (
        "activities.parquet",
        _ACTIVITIES,
    ),
    "lost": ("lost.parquet", "segment at reads"),
    "damage": ("damage.parquet", "segment place what records"),
    "names": ("names.parquet", "what decision field purposes site reason allowed break_glass by handovers"),
}
"""The files of each table in a batch, and their columns; all but the names come with the number of the batch."""
_OTHERWISE: Final = {("damage", "what"): _text('"what"')}  # there a text, elsewhere the number of a name


class Source:
    """Where the rows of batches are read from; to be used in a ``with`` block."""

    def __init__(self) -> None:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": _MEMORY,
            "preserve_insertion_order": False,
        }
        self._engine = duckdb.connect(config=settings)

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def rows(self, batch: Batch, table: str) -> int:
        """Return how many rows the files of a table say that they have."""
        files = _files(batch, table)
        return self._number(f"SELECT count(*) FROM {files}") if files else 0

    def unnamed(self, batch: Batch) -> int:
        """Return how many rows of the reads are about something that the batch has no name for."""
        reads, names = _files(batch, "reads"), _files(batch, "names")
        if not reads or not names:
            return self.rows(batch, "reads")
        return self._number(f"SELECT count(*) FROM {reads} AS r ANTI JOIN {names} AS n USING (what)")

    def copy(self, connection: Connection, batch: Batch, table: str, into: str, number: int | None = None) -> int:
        """Copy a table of a batch, and return how many rows it has.

        Args:
            connection: In a transaction.
            table: One of `TABLES`.
            into: The table in the database.
            number: The number of the batch, put before the other columns; None for a table that has none.

        Raises:
            LedgerError: The files cannot be read, or not all of their rows arrived.
        """
        files = _files(batch, table)
        if not files:
            return 0
        columns = TABLES[table][1].split()
        chosen = [_OTHERWISE.get((table, name)) or _COLUMNS[name] for name in columns]
        if number is not None:
            columns, chosen = ["shipped", *columns], [str(number), *chosen]
        named = ", ".join(f'"{name}"' for name in columns)
        statement = f"COPY {into} ({named}) FROM STDIN (FORMAT csv)"
        with connection.cursor() as cursor:
            pieces = self._pieces(f"SELECT {', '.join(chosen)} FROM {files}")
            with closing(pieces), cursor.copy(statement.encode()) as copy:
                for piece in pieces:
                    copy.write(piece)
            arrived = cursor.rowcount
        if arrived != (wanted := self.rows(batch, table)):
            raise LedgerError(f"{arrived} rows of {table} arrived of the {wanted} in the batch {batch.id}")
        return arrived

    def _pieces(self, query: str) -> Generator[bytes, None, None]:
        """The answer to a query as CSV, in pieces.

        Raises:
            LedgerError: It could not be written to its end.
        """
        out, into = os.pipe()
        failed: list[str] = []

        def write() -> None:
            try:
                self._engine.execute(f"COPY ({query}) TO '/dev/fd/{into}' ({_CSV})")
            except BaseException as error:
                failed.append(_one_line(error))
            finally:
                os.close(into)

        writer = threading.Thread(target=write, name="purposebind ledger ship", daemon=True)
        writer.start()
        try:
            while piece := os.read(out, _PIECE):
                yield piece
        finally:
            os.close(out)  # a writer that is not done yet finds its pipe broken, and ends
            writer.join()
        if failed:
            raise LedgerError(f"The batch cannot be read: {failed[0]}")

    def _number(self, query: str) -> int:
        try:
            row = self._engine.execute(query).fetchone()
        except duckdb.Error as error:
            raise LedgerError(f"The batch cannot be read: {_one_line(error)}") from None
        assert row is not None
        return int(row[0])


def _files(batch: Batch, table: str) -> str:
    """The files of a table, as what a query can be made from; empty where there are none.

    They are those that the chain names: one that is removed meanwhile is an error, and not a file less.
    """
    found = sorted(path for path in batch.paths if path.relative_to(batch.place).match(TABLES[table][0]))
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in found)
    return f"read_parquet([{listed}], hive_partitioning = false)" if found else ""


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
