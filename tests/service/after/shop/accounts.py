"""Accounts in the database."""

import secrets
from typing import Annotated

from fastapi import Depends, Header, HTTPException
from sqlalchemy import select, update

from purposebind.integrations.sqlalchemy import to_model

from . import tables
from .database import transaction
from .models import Account, NewPassword, NewPhone
from .passwords import hashed


def by_handle(handle: str) -> Account:
    with transaction() as database:
        found = database.scalars(select(tables.Account).where(tables.Account.handle == handle)).one_or_none()
        if found is None:
            raise HTTPException(404, "nobody is called that")
        return to_model(found, Account)


def by_id(number: int) -> Account:
    with transaction() as database:
        found = database.get_one(tables.Account, number)
        return to_model(found, Account)


def everybody() -> list[Account]:
    with transaction() as database:
        found = database.scalars(select(tables.Account).order_by(tables.Account.id))
        return [to_model(each, Account) for each in found]


def phones() -> list[tuple[int, str]]:
    with transaction() as database:
        return [(number, phone) for number, phone in database.execute(select(tables.Account.id, tables.Account.phone))]


def change_phone(account: Account, new: NewPhone) -> None:
    with transaction() as database:
        database.get_one(tables.Account, account.id).phone = new.phone


def change_password(number: int, new: NewPassword) -> None:
    with transaction() as database:
        password = hashed(new.password)
        database.execute(update(tables.Account).where(tables.Account.id == number).values(password=password))


def new_secret(kind: str, account: Account) -> str:
    """Make a secret that its holder can use once (a session's: as often as they like)."""
    secret = f"{secrets.randbelow(10**6):06}" if kind == "code" else secrets.token_urlsafe()
    with transaction() as database:
        database.add(tables.Secret(kind=kind, secret=secret, account_id=account.id))
    return secret


def use_secret(kind: str, secret: str) -> int:
    """Return the id of the account that `secret` is for."""
    with transaction() as database:
        known = select(tables.Secret).where(tables.Secret.kind == kind, tables.Secret.secret == secret)
        found = database.scalars(known).first()
        if found is None:
            raise HTTPException(401, f"this {kind} is not valid")
        if kind != "session":
            database.delete(found)
        return found.account_id


def signed_in(session: Annotated[str, Header()]) -> Account:
    return by_id(use_secret("session", session))


SignedIn = Annotated[Account, Depends(signed_in)]
