"""Sign-in: the work for which people gave their phones and e-mail addresses, and which may read them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable

from purposebind import purpose_scope

from .accounts import TWO_FACTOR, Account
from .contacts import digests

__all__ = ["Gateway", "contact_digests", "queue_logins", "send_login_codes"]


class Gateway:
    """Stands for the provider that delivers text messages and e-mails. It keeps a count, and nothing it was given.

    Attributes:
        delivered: How many messages went out.
    """

    def __init__(self) -> None:
        self.delivered = 0

    def __call__(self, to: str, text: str) -> None:
        if not (to.startswith("+") and to[1:].isdigit()) and "@" not in to:
            raise ValueError("a message needs a phone number or an e-mail address to go to")
        self.delivered += 1


@purpose_scope(TWO_FACTOR)
def send_login_codes(accounts: Iterable[Account], deliver: Callable[[str, str], None]) -> None:
    """Send each account a code, to its phone where it has one."""
    for account in accounts:
        to = account.phone or account.email
        if to is not None:
            deliver(to, f"Your login code is {account.id * 7919 % 1_000_000:06}")


@purpose_scope(TWO_FACTOR)
def queue_logins(accounts: Iterable[Account]) -> list[bytes]:
    """Return the accounts as messages for the worker that sends the codes: pickles, which hold the plain values."""
    return [pickle.dumps(account) for account in accounts]


@purpose_scope(TWO_FACTOR)
def contact_digests(account: Account) -> list[str]:
    """Return the digests by which sign-in finds the account again.

    It opens its scope itself, to be convenient to call. A caller with another purpose gains nothing by that (R4).
    """
    return digests(account.phone, account.email)
