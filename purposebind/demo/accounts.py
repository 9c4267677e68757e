"""What the replayed service declares: its purposes, and the models whose fields are tagged with them.

This is all that a service has to write. The other modules of the demo are written as any service would write them,
by people who do not think of privacy while they write.
"""

from __future__ import annotations

from typing import Annotated

from purposebind import AllowedFor, Purpose, PurposeModel, SubjectId

__all__ = ["ADVERTISING", "SECURITY", "TARGETING", "TWO_FACTOR", "Account", "LookupKey"]

SECURITY = Purpose("security", "Keep accounts safe")
TWO_FACTOR = SECURITY.child("two_factor", "Send a login code")
ADVERTISING = Purpose("advertising", "Choose and measure ads")
TARGETING = ADVERTISING.child("targeting", "Put people into an advertiser's audience")


class Account(PurposeModel):
    """An account. Its phone and e-mail address were asked for with the words "to keep your account safe".

    Example:
        >>> Account(id=1, handle="ada_1", country="IE", phone="+353209112345")
        Account(id=1, handle='ada_1', country='IE', phone=<sealed: security.two_factor>, email=None)
    """

    id: Annotated[int, SubjectId]
    handle: str
    country: str
    phone: Annotated[str | None, AllowedFor(TWO_FACTOR)] = None
    email: Annotated[str | None, AllowedFor(TWO_FACTOR)] = None


class LookupKey(PurposeModel):
    """The digest by which sign-in finds an account: made from a phone or an e-mail address, and as personal."""

    account: Annotated[int, SubjectId]
    digest: Annotated[str, AllowedFor(TWO_FACTOR)]
