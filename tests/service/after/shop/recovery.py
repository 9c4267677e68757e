"""A forgotten password: a link by mail."""

from fastapi import APIRouter, BackgroundTasks, Depends

from purposebind import purpose_scope
from purposebind.integrations.fastapi import for_purpose

from . import accounts, outbox
from .models import Account, NewPassword
from .purposes import RECOVERY

router = APIRouter(prefix="/recovery", dependencies=[Depends(for_purpose(RECOVERY))])


@purpose_scope(RECOVERY)
def mail_link(account: Account) -> None:
    secret = accounts.new_secret("recovery", account)
    outbox.mail(account.email, f"Choose a new password: /recovery/{secret}")


@router.post("/{handle}", status_code=202)
def recover(handle: str, background: BackgroundTasks) -> dict[str, str]:
    background.add_task(mail_link, accounts.by_handle(handle))
    return {"next": "mail"}


@router.post("")
def new_password(new: NewPassword) -> dict[str, str]:
    accounts.change_password(accounts.use_secret("recovery", new.secret), new)
    return {"next": "login"}
