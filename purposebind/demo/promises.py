"""One phone, two promises: given for two-factor login by everybody, and by some on a marketing form as well.

Here the tag cannot tell: the field may hold either, so it allows both purposes. What each value was collected for does.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from purposebind import AllowedFor, PurposeModel, PurposeViolation, SubjectId, collected_for, purpose_scope

from .accounts import ADVERTISING, TWO_FACTOR
from .population import Person

__all__ = ["Contact", "Promises", "keep_promises"]

_ON_A_FORM = 3
"""Every third person filled in the form as well."""


class Contact(PurposeModel):
    """A phone that somebody gave, for whatever they were told."""

    account: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(TWO_FACTOR, ADVERTISING)]


@dataclass(frozen=True)
class Promises:
    """What came of an audience match that looks at all contacts alike.

    Attributes:
        for_login: How many phones were given for two-factor login.
        refused: How many reads of them were refused.
        on_a_form: How many phones were given on the marketing form.
        read: How many of these were read.
    """

    for_login: int
    refused: int
    on_a_form: int
    read: int

    @property
    def kept(self) -> bool:
        """Whether each was used for what it was given for, and for nothing else."""
        return self.refused == self.for_login and self.read == self.on_a_form


@collected_for(TWO_FACTOR)
def _set_up_login(account: int, phone: str) -> Contact:
    return Contact(account=account, phone=phone)


@collected_for(ADVERTISING)
def _fill_in_form(account: int, phone: str) -> Contact:
    return Contact(account=account, phone=phone)


def keep_promises(people: Iterable[Person]) -> Promises:
    """Have people give their phones, and match all of them to an audience; what may be read is read."""
    phones = [(person.id, person.phone) for person in people if person.phone is not None]
    for_login = [_set_up_login(*given) for given in phones]
    on_a_form = [_fill_in_form(*given) for given in phones[::_ON_A_FORM]]
    refused, _ = _matched(for_login)
    _, read = _matched(on_a_form)
    return Promises(len(for_login), refused, len(on_a_form), read)


@purpose_scope(ADVERTISING)
def _matched(contacts: Iterable[Contact]) -> tuple[int, int]:
    """Look at copies of contacts, as a job that works on an export would: how many were refused, how many read."""
    refused = read = 0
    for contact in copy.deepcopy(list(contacts)):
        try:
            contact.phone  # noqa: B018
            read += 1
        except PurposeViolation:
            refused += 1
    return refused, read
