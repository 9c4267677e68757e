"""DuckDB, as the ledger uses it: with a bound on its memory, and without a look at the network."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from .errors import LedgerError

try:
    import duckdb
except ImportError:
    raise LedgerError("Asking a ledger needs duckdb: pip install 'purposebind[ledger]'") from None

__all__ = ["HANDOVERS", "Engine", "EngineError", "listed", "load", "quoted", "start_engine"]

Engine = duckdb.DuckDBPyConnection
EngineError = duckdb.Error

_MOST_THREADS: Final = 4
"""Each needs memory of its own: on a machine with many cores the limit would not do for all of them."""

HANDOVERS: Final = 'STRUCT("left" VARCHAR, entered VARCHAR, reason VARCHAR)[]'
"""The type of a list of handovers."""


def start_engine(spill: Path, memory: str) -> Engine:
    """Return a new engine.

    Args:
        spill: A folder for what does not fit into memory.
        memory: How much there may be, such as ``"1GB"``.
    """
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "temp_directory": str(spill),
        "threads": min(_MOST_THREADS, os.cpu_count() or 1),
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
    }
    engine = duckdb.connect(config=settings)
    engine.execute("SET enable_progress_bar = false")  # it would be printed between what a command prints
    return engine


def quoted(path: Path | str) -> str:
    """Return a path as SQL text.

    Example:
        >>> quoted("it's")
        "'it''s'"
    """
    return "'" + str(path).replace("'", "''") + "'"


def listed(paths: Iterable[Path | str]) -> str:
    """Return what a query can read the rows of Parquet files from; they must be at least one."""
    return f"read_parquet([{', '.join(map(quoted, paths))}], hive_partitioning = false)"


def load(engine: Engine, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
    """Make a temporary table of rows.

    Args:
        engine: Where.
        table: Its name.
        columns: The type of each column.
        rows: With a value for each column, as JSON knows them.
    """
    shape = json.dumps([{name: _shape(kind) for name, kind in columns.items()}])
    text = json.dumps([dict(zip(columns, row, strict=True)) for row in rows])
    typed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({typed})")
    if rows:
        engine.execute(f"INSERT INTO {table} SELECT r.* FROM (SELECT unnest(from_json(?, ?)) AS r)", [text, shape])


def _shape(kind: str) -> Any:
    if kind == HANDOVERS:
        return [{"left": "VARCHAR", "entered": "VARCHAR", "reason": "VARCHAR"}]
    return [kind[:-2]] if kind.endswith("[]") else kind
