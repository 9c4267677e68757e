"""Orders. An expensive one is confirmed with a code by phone."""

from fastapi import APIRouter, Depends, HTTPException

from purposebind.integrations.fastapi import for_purpose

from . import accounts, login, tasks
from .database import transaction
from .models import Account, NewOrder, Order
from .purposes import ORDERS

EXPENSIVE = 500_00

router = APIRouter(prefix="/orders", dependencies=[Depends(for_purpose(ORDERS))])


@router.post("", status_code=201)
def order(new: NewOrder, account: accounts.SignedIn) -> Order:
    if new.cents >= EXPENSIVE:
        confirm(account, new.code)
    made = save(new, account)
    tasks.send_receipt.delay(made)
    return made


@router.get("")
def mine(account: accounts.SignedIn) -> list[Order]:
    with transaction() as database:
        rows = database.execute("SELECT * FROM orders WHERE account_id = ? ORDER BY id", (account.id,))
        return [Order(**row) for row in rows]


def confirm(account: Account, code: str | None) -> None:
    if code is None:
        login.send_code(account)
        raise HTTPException(428, "repeat the order with the code that was sent to you")
    if accounts.use_secret("code", code) != account.id:
        raise HTTPException(401, "this code is not yours")


def save(new: NewOrder, account: Account) -> Order:
    insert = "INSERT INTO orders (account_id, item, cents, email, address) VALUES (?, ?, ?, ?, ?) RETURNING *"
    with transaction() as database:
        values = (account.id, new.item, new.cents, account.email, new.address)
        return Order(**database.execute(insert, values).fetchone())
