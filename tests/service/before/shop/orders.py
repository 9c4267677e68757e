"""Orders. An expensive one is confirmed with a code by phone."""

from fastapi import APIRouter, HTTPException
from sqlalchemy import select

from . import accounts, login, tables, tasks
from .database import transaction
from .models import Account, NewOrder, Order

EXPENSIVE = 500_00

router = APIRouter(prefix="/orders")


@router.post("", status_code=201)
def order(new: NewOrder, account: accounts.SignedIn) -> Order:
    if new.cents >= EXPENSIVE:
        confirm(account, new.code)
    made = save(new, account)
    tasks.send_receipt.delay(made.model_dump(mode="json"))
    return made


@router.get("")
def mine(account: accounts.SignedIn) -> list[Order]:
    with transaction() as database:
        theirs = select(tables.Order).where(tables.Order.account_id == account.id).order_by(tables.Order.id)
        return [Order.model_validate(found) for found in database.scalars(theirs)]


def confirm(account: Account, code: str | None) -> None:
    if code is None:
        login.send_code(account)
        raise HTTPException(428, "repeat the order with the code that was sent to you")
    if accounts.use_secret("code", code) != account.id:
        raise HTTPException(401, "this code is not yours")


def save(new: NewOrder, account: Account) -> Order:
    with transaction() as database:
        made = tables.Order(
            account_id=account.id, item=new.item, cents=new.cents, email=account.email, address=new.address
        )
        database.add(made)
        database.flush()
        return Order.model_validate(made)
