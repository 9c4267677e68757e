"""Accounts in the database."""

import secrets
from typing import Annotated

from fastapi import Depends, Header, HTTPException

from .database import transaction
from .models import Account, NewPassword, NewPhone
from .passwords import hashed


def by_handle(handle: str) -> Account:
    with transaction() as database:
        row = database.execute("SELECT * FROM account WHERE handle = ?", (handle,)).fetchone()
    if row is None:
        raise HTTPException(404, "nobody is called that")
    return Account(**row)


def by_id(number: int) -> Account:
    with transaction() as database:
        row = database.execute("SELECT * FROM account WHERE id = ?", (number,)).fetchone()
    return Account(**row)


def everybody() -> list[Account]:
    with transaction() as database:
        return [Account(**row) for row in database.execute("SELECT * FROM account ORDER BY id")]


def phones() -> list[tuple[int, str]]:
    with transaction() as database:
        return [tuple(row) for row in database.execute("SELECT id, phone FROM account")]


def change_phone(account: Account, new: NewPhone) -> None:
    with transaction() as database:
        database.execute("UPDATE account SET phone = ? WHERE id = ?", (new.phone, account.id))


def change_password(number: int, new: NewPassword) -> None:
    with transaction() as database:
        database.execute("UPDATE account SET password = ? WHERE id = ?", (hashed(new.password), number))


def new_secret(kind: str, account: Account) -> str:
    """Make a secret that its holder can use once (a session's: as often as they like)."""
    secret = f"{secrets.randbelow(10**6):06}" if kind == "code" else secrets.token_urlsafe()
    with transaction() as database:
        database.execute("INSERT INTO secret VALUES (?, ?, ?)", (kind, secret, account.id))
    return secret


def use_secret(kind: str, secret: str) -> int:
    """Return the id of the account that `secret` is for."""
    with transaction() as database:
        row = database.execute("SELECT account FROM secret WHERE kind = ? AND secret = ?", (kind, secret)).fetchone()
        if row is None:
            raise HTTPException(401, f"this {kind} is not valid")
        if kind != "session":
            database.execute("DELETE FROM secret WHERE kind = ? AND secret = ?", (kind, secret))
    return row["account"]


def signed_in(session: Annotated[str, Header()]) -> Account:
    return by_id(use_secret("session", session))


SignedIn = Annotated[Account, Depends(signed_in)]
