"""The same match by other roads: what a developer may try, in good faith, when the attribute raises.

Each road is a whole match, written to succeed: with the library in observe mode it finds the very people that the plain
match finds (`tests/test_demo.py` holds it to that). So a road reported as refused was refused by the library, and not
by a mistake on the way.

The roads through SQLAlchemy are in `purposebind.demo.queries`, and are left out where it is not installed.
"""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Generator
from importlib import import_module

from .accounts import Account
from .population import CAMPAIGN
from .road import Evidence, Road
from .signin import contact_digests

__all__ = ["NAMES_OF_QUERY_ROADS", "ROADS", "left_out", "roads"]


def _dump(evidence: Evidence) -> Generator[int, None, None]:
    for account in evidence.store.accounts(CAMPAIGN):
        row = account.model_dump()
        if evidence.lists(row["phone"], row["email"]):
            yield row["id"]


def _bare_row(evidence: Evidence) -> Generator[int, None, None]:
    for number, phone, email in evidence.store.contact_rows(CAMPAIGN):
        if evidence.lists(phone, email):
            yield number


def _row_in_model(evidence: Evidence) -> Generator[int, None, None]:
    for account in evidence.store.accounts(CAMPAIGN):
        if evidence.lists(account.phone, account.email):
            yield account.id


def _equality(evidence: Evidence) -> Generator[int, None, None]:
    for key in evidence.store.lookup_keys(CAMPAIGN):
        for entry in evidence.uploaded:
            if key == key.model_copy(update={"digest": entry}):
                yield key.account
                break


def _bytes_of_pickle(evidence: Evidence) -> Generator[int, None, None]:
    for account in evidence.store.accounts(CAMPAIGN):
        message = pickle.dumps(account)
        if evidence.lists(*(word for _, word, _ in pickletools.genops(message) if isinstance(word, str))):
            yield account.id


def _pickle_from_queue(evidence: Evidence) -> Generator[int, None, None]:
    for message in evidence.queued:
        account: Account = pickle.loads(message)
        if evidence.lists(account.phone, account.email):
            yield account.id


def _deputy(evidence: Evidence) -> Generator[int, None, None]:
    for account in evidence.store.accounts(CAMPAIGN):
        if not evidence.uploaded.isdisjoint(contact_digests(account)):
            yield account.id


ROADS = (
    Road("dump", "model_dump() each account, match the dictionaries", (_dump,)),
    Road("sql", "fetch bare rows; load rows into the model and read it", (_bare_row, _row_in_model)),
    Road("equality", "compare each lookup key with each entry by ==", (_equality,)),
    Road("pickle", "search the bytes of a pickle; load one that sign-in made", (_bytes_of_pickle, _pickle_from_queue)),
    Road("deputy", "call sign-in's function, which opens a security scope itself", (_deputy,)),
)
"""The roads that need nothing but the core."""

NAMES_OF_QUERY_ROADS = ("orm", "core", "text", "cursor")
_FROM_THE_SQLALCHEMY_EXTRA = ("sqlalchemy", "sqlglot")


def left_out() -> str:
    """Return which roads are left out here, and how to get them, in one line; or "" where none is."""
    for name in _FROM_THE_SQLALCHEMY_EXTRA:
        try:
            import_module(name)
        except ModuleNotFoundError:
            names = ", ".join(NAMES_OF_QUERY_ROADS)
            return (
                f"Left out, for want of {name}: {names}. To try them too: pip install 'purposebind[ledger,sqlalchemy]'"
            )
    return ""


def roads() -> tuple[Road, ...]:
    """Return all roads that can be tried here."""
    if left_out():
        return ROADS
    from .queries import QUERY_ROADS

    return (*ROADS, *QUERY_ROADS)
