"""Signing in: a password, then a code by phone."""

import logging

from fastapi import APIRouter, Depends, HTTPException

from purposebind import purpose_scope
from purposebind.integrations.fastapi import for_purpose

from . import accounts, outbox, passwords
from .models import Account, Code, SignIn
from .purposes import TWO_FACTOR

log = logging.getLogger(__name__)
router = APIRouter(prefix="/login", dependencies=[Depends(for_purpose(TWO_FACTOR))])


@purpose_scope(TWO_FACTOR)
def send_code(account: Account) -> None:
    code = accounts.new_secret("code", account)
    outbox.sms(account.phone, f"Your code is {code}")
    log.info("code sent to %s", account)


@router.post("")
def login(sign_in: SignIn) -> dict[str, str]:
    account = accounts.by_handle(sign_in.handle)
    if not passwords.matches(sign_in.password, account.password):
        raise HTTPException(401, "wrong password")
    send_code(account)
    return {"next": "code"}


@router.post("/code")
def code(answer: Code) -> dict[str, str]:
    account = accounts.by_id(accounts.use_secret("code", answer.code))
    if account.handle != answer.handle:
        raise HTTPException(401, "this code is not yours")
    return {"session": accounts.new_secret("session", account)}
