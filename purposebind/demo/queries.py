"""The same match as a query: the roads that lead through the database. Needs the extra ``sqlalchemy``.

The misuse of 2019 was most likely a query and not an attribute. A query has no account in its hands that could refuse:
what it asks for is in its text, and some of these bring nothing back but ids.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from typing import Any

from sqlalchemy import bindparam, exists, select, text
from sqlalchemy.orm import Session

from .population import CAMPAIGN
from .road import Evidence, Road
from .tables import Account, lookup_key, open_engine, upload

__all__ = ["QUERY_ROADS"]

_CONTACTS = "SELECT id, phone, email FROM account WHERE country IN"
_MATCHED = """
    SELECT DISTINCT account.id FROM account
    JOIN lookup_key ON lookup_key.account = account.id JOIN upload ON upload.digest = lookup_key.digest
    WHERE account.country IN
"""
_MARKS = f"({', '.join('?' * len(CAMPAIGN))})"


def _listed(rows: Iterable[Any], evidence: Evidence) -> Generator[int, None, None]:
    for number, phone, email in rows:
        if evidence.lists(phone, email):
            yield number


# --- ORM -------------------------------------------------------------------------------------------------------------


def _entities(evidence: Evidence) -> Generator[int, None, None]:
    query = select(Account).where(Account.country.in_(CAMPAIGN)).execution_options(yield_per=1_000)
    with open_engine(evidence.store.path) as engine, Session(engine) as session:
        for account in session.scalars(query):
            if evidence.lists(account.phone, account.email):
                yield account.id


def _attributes(evidence: Evidence) -> Generator[int, None, None]:
    query = select(Account.id, Account.phone, Account.email).where(Account.country.in_(CAMPAIGN))
    with open_engine(evidence.store.path) as engine, Session(engine) as session:
        yield from _listed(session.execute(query), evidence)


def _joined_to_the_list(evidence: Evidence) -> Generator[int, None, None]:
    query = (
        select(Account)
        .join(lookup_key, lookup_key.c.account == Account.id)
        .join(upload, upload.c.digest == lookup_key.c.digest)
        .where(Account.country.in_(CAMPAIGN))
    )
    with open_engine(evidence.store.path) as engine, Session(engine) as session:
        for account in session.scalars(query).unique():
            yield account.id


# --- Core ------------------------------------------------------------------------------------------------------------


def _columns(evidence: Evidence) -> Generator[int, None, None]:
    account = Account.__table__.c
    query = select(account.id, account.phone, account.email).where(account.country.in_(CAMPAIGN))
    with open_engine(evidence.store.path) as engine, engine.connect() as connection:
        yield from _listed(connection.execute(query), evidence)


def _exists(evidence: Evidence) -> Generator[int, None, None]:
    account = Account.__table__.c
    on_the_list = exists().where(lookup_key.c.account == account.id, lookup_key.c.digest == upload.c.digest)
    query = select(account.id).where(account.country.in_(CAMPAIGN), on_the_list)
    with open_engine(evidence.store.path) as engine, engine.connect() as connection:
        yield from connection.scalars(query)


# --- Text ------------------------------------------------------------------------------------------------------------


def _text(evidence: Evidence) -> Generator[int, None, None]:
    query = text(f"{_CONTACTS} :campaign").bindparams(bindparam("campaign", CAMPAIGN, expanding=True))
    with open_engine(evidence.store.path) as engine, engine.connect() as connection:
        yield from _listed(connection.execute(query), evidence)


def _text_of_the_driver(evidence: Evidence) -> Generator[int, None, None]:
    with open_engine(evidence.store.path) as engine, engine.connect() as connection:
        yield from connection.exec_driver_sql(f"{_MATCHED} {_MARKS}", CAMPAIGN).scalars()


# --- Cursor ----------------------------------------------------------------------------------------------------------


def _cursor(evidence: Evidence) -> Generator[int, None, None]:
    with open_engine(evidence.store.path) as engine, closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        cursor.execute(f"{_CONTACTS} {_MARKS}", CAMPAIGN)
        yield from _listed(cursor.fetchall(), evidence)


def _cursor_of_a_connection(evidence: Evidence) -> Generator[int, None, None]:
    with open_engine(evidence.store.path) as engine, engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        for (number,) in driver.execute(f"{_MATCHED} {_MARKS}", CAMPAIGN).fetchall():
            yield number


QUERY_ROADS = (
    Road(
        "orm",
        "read entities; query their attributes; join them to the list",
        (_entities, _attributes, _joined_to_the_list),
    ),
    Road("core", "select() the columns; ask EXISTS, and get ids alone", (_columns, _exists)),
    Road("text", "write the query as text(), or for the driver", (_text, _text_of_the_driver)),
    Road("cursor", "take a cursor of the driver, under SQLAlchemy", (_cursor, _cursor_of_a_connection)),
)
"""The roads through SQLAlchemy: `NAMES_OF_QUERY_ROADS`, in that order."""
