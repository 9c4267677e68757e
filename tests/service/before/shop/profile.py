"""What customers see of themselves, and of others."""

from fastapi import APIRouter

from . import accounts
from .models import Account, NewPhone

router = APIRouter(prefix="/profile")


@router.get("", response_model=Account, response_model_exclude={"password"})
def mine(account: accounts.SignedIn) -> Account:
    return account


@router.put("/phone", response_model=Account, response_model_exclude={"password"})
def change(new: NewPhone, account: accounts.SignedIn) -> Account:
    accounts.change_phone(account, new)
    return accounts.by_id(account.id)


@router.get("/{handle}", response_model=Account, response_model_include={"id", "handle", "city"})
def of_others(handle: str) -> Account:
    return accounts.by_handle(handle)
