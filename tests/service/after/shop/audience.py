"""The audience of an export: hashes of phone numbers and addresses. Whoever wrote it next wrote it faster."""

import hashlib
from collections.abc import Callable
from contextlib import closing

from sqlalchemy import select, text

from . import accounts
from .database import engine, transaction
from .tables import Account, Base

Audience = list[tuple[str, str]]


def hashed(contact: str) -> str:
    return hashlib.sha256(contact.encode()).hexdigest()


def by_model() -> Audience:
    rows = []
    for account in accounts.everybody():
        phone = hashed(account.phone)
        email = hashed(account.email)
        rows.append((phone, email))
    return rows


def by_entity() -> Audience:
    with transaction() as database:
        found = database.scalars(select(Account).order_by(Account.id))
        return [(hashed(account.phone), hashed(account.email)) for account in found]


def by_orm() -> Audience:
    with transaction() as database:
        found = database.execute(select(Account.phone, Account.email).order_by(Account.id))
        return [(hashed(phone), hashed(email)) for phone, email in found]


def by_core() -> Audience:
    account = Base.metadata.tables["account"].c
    with engine.connect() as connection:
        found = connection.execute(select(account.phone, account.email).order_by(account.id))
        return [(hashed(phone), hashed(email)) for phone, email in found]


def by_text() -> Audience:
    with engine.connect() as connection:
        found = connection.execute(text("SELECT phone, email FROM account ORDER BY id"))
        return [(hashed(phone), hashed(email)) for phone, email in found]


def by_cursor() -> Audience:
    with closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT phone, email FROM account ORDER BY id")
        return [(hashed(phone), hashed(email)) for phone, email in cursor.fetchall()]


WAYS: dict[str, Callable[[], Audience]] = {
    "model": by_model,
    "entity": by_entity,
    "orm": by_orm,
    "core": by_core,
    "text": by_text,
    "cursor": by_cursor,
}
