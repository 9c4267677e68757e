"""The shop's database: one SQLite file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from . import settings

SCHEMA = """
CREATE TABLE IF NOT EXISTS account (
    id INTEGER PRIMARY KEY, handle TEXT UNIQUE NOT NULL, city TEXT NOT NULL, name TEXT NOT NULL,
    phone TEXT NOT NULL, email TEXT NOT NULL, password TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS secret (kind TEXT NOT NULL, secret TEXT NOT NULL, account INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, item TEXT NOT NULL, cents INTEGER NOT NULL,
    email TEXT NOT NULL, address TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS outbox (kind TEXT NOT NULL, recipient TEXT NOT NULL, text TEXT NOT NULL);
"""


@contextmanager
def transaction() -> Iterator[sqlite3.Connection]:
    """A connection whose changes are kept if the block ends well."""
    with closing(sqlite3.connect(settings.FOLDER / "shop.db", timeout=30)) as connection, connection:
        connection.row_factory = sqlite3.Row
        yield connection
