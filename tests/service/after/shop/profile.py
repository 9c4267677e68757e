"""What customers see of themselves, and of others."""

from fastapi import APIRouter

from purposebind.integrations.fastapi import for_purpose

from . import accounts
from .models import Account, NewPhone
from .purposes import MEMBERS, OWN_DATA

router = APIRouter(prefix="/profile")


@router.get("", response_model=Account.visible_to(OWN_DATA))
@for_purpose(OWN_DATA)
def mine(account: accounts.SignedIn) -> Account:
    return account


@router.put("/phone", response_model=Account.visible_to(OWN_DATA))
@for_purpose(OWN_DATA)
def change(new: NewPhone, account: accounts.SignedIn) -> Account:
    accounts.change_phone(account, new)
    return accounts.by_id(account.id)


@router.get("/{handle}", response_model=Account.visible_to(MEMBERS))
@for_purpose(MEMBERS)
def of_others(handle: str) -> Account:
    return accounts.by_handle(handle)
