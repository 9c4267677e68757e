"""The service's database: an SQLite file in a temporary folder, deleted when the replay ends."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from purposebind import requires_purpose

from .accounts import TWO_FACTOR, Account, LookupKey
from .contacts import digests
from .population import Population

__all__ = ["Store", "open_store"]

_SCHEMA = """
    CREATE TABLE account (
        id INTEGER PRIMARY KEY, handle TEXT NOT NULL, country TEXT NOT NULL, phone TEXT, email TEXT
    );
    CREATE TABLE lookup_key (account INTEGER NOT NULL REFERENCES account, digest TEXT NOT NULL);
    CREATE TABLE upload (digest TEXT PRIMARY KEY) WITHOUT ROWID;
"""


_ROWS_AT_ONCE = 1_000


class Store:
    """The queries of the service.

    Rows become models where a query can make them so; then the tags travel with the data. The one query that returns
    bare rows says what it may be called for.

    Attributes:
        path: The database's file, for whoever opens it by themselves.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path

    def fill(self, population: Population) -> None:
        """Write the people as they sign up, and the list as the advertiser uploads it."""
        people = population.people
        with self._connection as transaction:
            transaction.executemany(
                "INSERT INTO account VALUES (?, ?, ?, ?, ?)",
                ((p.id, p.handle, p.country, p.phone, p.email) for p in people),
            )
            transaction.executemany(
                "INSERT INTO lookup_key VALUES (?, ?)",
                ((p.id, key) for p in people for key in digests(p.phone, p.email)),
            )
            transaction.executemany("INSERT INTO upload VALUES (?)", ((entry,) for entry in population.listed))

    def accounts(self, countries: Sequence[str]) -> Iterator[Account]:
        """Yield the accounts of some countries, ordered by id. Building a model is not a read of it (R10)."""
        query = f"SELECT id, handle, country, phone, email FROM account WHERE {_in(countries)} ORDER BY id"
        for number, handle, country, phone, email in self._rows(query, countries):
            yield Account(id=number, handle=handle, country=country, phone=phone, email=email)

    def lookup_keys(self, countries: Sequence[str]) -> Iterator[LookupKey]:
        """Yield the lookup keys of the accounts of some countries."""
        query = f"""
            SELECT account, digest FROM lookup_key JOIN account ON account.id = account
            WHERE {_in(countries)} ORDER BY account
        """
        for account, key in self._rows(query, countries):
            yield LookupKey(account=account, digest=key)

    @requires_purpose(TWO_FACTOR)
    def contact_rows(self, countries: Sequence[str]) -> list[tuple[int, str | None, str | None]]:
        """Return (id, phone, e-mail) as bare rows, which carry no tags: only for work that may read both."""
        return list(self._rows(f"SELECT id, phone, email FROM account WHERE {_in(countries)} ORDER BY id", countries))

    def uploaded(self) -> frozenset[str]:
        """Return the entries of the advertiser's list."""
        return frozenset(entry for (entry,) in self._rows("SELECT digest FROM upload"))

    def _rows(self, query: str, arguments: Sequence[str] = ()) -> Iterator[tuple[Any, ...]]:
        cursor = self._connection.execute(query, arguments)
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):  # nobody is kept waiting, and no cursor outlives the connection
            yield from rows


def _in(countries: Sequence[str]) -> str:
    return f"country IN ({', '.join('?' * len(countries))})"


@contextmanager
def open_store() -> Generator[Store, None, None]:
    """Make an empty store, and delete it at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="purposebind-demo-") as folder:
        path = Path(folder) / "service.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(_SCHEMA)
            yield Store(connection, path)
