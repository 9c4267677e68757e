"""The audience match as an ad platform runs it, and as it ran in 2019: nothing in this code knows of two-factor login.

It goes in two steps, each for a purpose of its own, and so the two harms can be told apart afterwards. Everybody in
the campaign's countries is looked up: for that, phone and e-mail are read for `ADVERTISING`. Who is found on the list
is put into the advertiser's audience: for that, they are read for `TARGETING`, and the match leaves the platform as an
ad.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from purposebind import purpose_scope

from .accounts import ADVERTISING, TARGETING, Account
from .contacts import digests

__all__ = ["AudienceRow", "add_to_audience", "match_audience"]


class AudienceRow(NamedTuple):
    """One line of an audience.

    Attributes:
        account: The id of a member.
        entry: The entry of the advertiser's list by which the member was found.
    """

    account: int
    entry: str


@purpose_scope(ADVERTISING)
def match_audience(accounts: Iterable[Account], uploaded: AbstractSet[str]) -> list[AudienceRow]:
    """Return the audience: a row for each entry of the list that belongs to one of the accounts.

    Args:
        accounts: Those to look up.
        uploaded: The advertiser's list, as digests.
    """
    found = [account for account in accounts if not uploaded.isdisjoint(digests(account.phone, account.email))]
    return [row for account in found for row in add_to_audience(account, uploaded)]


@purpose_scope(TARGETING)
def add_to_audience(account: Account, uploaded: AbstractSet[str]) -> list[AudienceRow]:
    """Return the rows of one member."""
    return [AudienceRow(account.id, entry) for entry in digests(account.phone, account.email) if entry in uploaded]
