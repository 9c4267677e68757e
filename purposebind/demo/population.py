"""The people of the replay and the advertiser's list, made from a seed, with the truth to count against.

What makes counting hard in life is here on purpose. One person may stand on the list twice, by e-mail and by phone; one
phone may be shared by a household, so that one entry concerns several people; most entries belong to people without an
account; and some people on the list live where the campaign does not run. So neither the entries nor the matches are a
count of people.

The truth is known from how the list was put together, person by person. No hash is compared to get it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from .contacts import COUNTRIES, EmailBook, PhoneBook, digest

__all__ = ["CAMPAIGN", "Person", "Population", "invent"]

CAMPAIGN = ("AU", "GB", "IE", "US")
"""The countries in which the advertiser's campaign runs; the audience match looks at nobody else."""

_ENTRIES_PER_ACCOUNT = 0.6
_CUSTOMERS_PER_ACCOUNT = 0.24
_SHARE_A_PHONE = 0.03
_GIVE_PHONE_ONLY, _GIVE_EMAIL_ONLY = 0.25, 0.30


@dataclass(frozen=True)
class Person:
    """An invented person, who has one account and gave a phone, an e-mail address or both for two-factor login.

    Attributes:
        id: From 1, without gaps.
        handle: The public name.
        country: Two letters.
        phone: In E.164 form, or None.
        email: As typed, or None.
        phone_owner: The id of the first person with this phone: another one in a household that shares it.
    """

    id: int
    handle: str
    country: str
    phone: str | None = field(repr=False)
    email: str | None = field(repr=False)
    phone_owner: int | None


@dataclass(frozen=True)
class Population:
    """The people, the advertiser's list, and what is true of the two.

    Attributes:
        people: Everybody with an account.
        listed: The list's entries: digests, in no order.
        looked_up: The ids of the people in the campaign's countries: those a match has to look up.
        affected: The ids of those among them who are on the list, by whatever contact: those a match would find.
    """

    people: tuple[Person, ...] = field(repr=False)
    listed: tuple[str, ...] = field(repr=False)
    looked_up: frozenset[int] = field(repr=False)
    affected: frozenset[int] = field(repr=False)


def invent(accounts: int, seed: int) -> Population:
    """Return `accounts` people and a list of three entries for every five of them; the same for the same `seed`.

    The first person lives in the campaign's countries, gave both contacts and is on the list, so that one account is
    enough to tell the story.

    Args:
        accounts: How many people, from 1.
        seed: Any integer.

    Example:
        >>> one = invent(1, seed=7)
        >>> len(one.people), len(one.listed), one.affected == {1}
        (1, 1, True)
    """
    if accounts < 1:
        raise ValueError(f"accounts= is a count from 1 up, not {accounts}")
    rng = Random(seed)
    emails, phones = EmailBook(rng), PhoneBook(rng)
    people = tuple(_people(accounts, rng, emails, phones))
    size = max(1, round(accounts * _ENTRIES_PER_ACCOUNT))
    entries, listed_emails, listed_phones = _customers(people, size, rng)
    while len(entries) < size:  # the advertiser's other customers, who have no account
        _, email = emails.new()
        entries[digest(_phone_for_half(phones, rng) or email)] = None
    listed = list(entries)
    rng.shuffle(listed)
    looked_up = [person for person in people if person.country in CAMPAIGN]
    return Population(
        people=people,
        listed=tuple(listed),
        looked_up=frozenset(person.id for person in looked_up),
        affected=frozenset(p.id for p in looked_up if p.id in listed_emails or p.phone_owner in listed_phones),
    )


def _people(accounts: int, rng: Random, emails: EmailBook, phones: PhoneBook) -> Iterator[Person]:
    latest_with_phone: dict[str, Person] = {}
    countries, shares = list(COUNTRIES), list(COUNTRIES.values())
    for number in range(1, accounts + 1):
        first = number == 1
        country = CAMPAIGN[0] if first else rng.choices(countries, shares)[0]
        handle, address = emails.new()
        gave = 1.0 if first else rng.random()
        phone, owner, email = None, None, None
        if not _GIVE_PHONE_ONLY <= gave < _GIVE_PHONE_ONLY + _GIVE_EMAIL_ONLY:
            neighbour = latest_with_phone.get(country)
            if neighbour is not None and rng.random() < _SHARE_A_PHONE:
                phone, owner = neighbour.phone, neighbour.phone_owner
            else:
                phone = phones.new(country)
                owner = number if phone is not None else None
        if gave >= _GIVE_PHONE_ONLY or phone is None:  # a country may have run out of numbers
            email = address
        person = Person(number, handle, country, phone, email, owner)
        if phone is not None:
            latest_with_phone[country] = person
        yield person


def _customers(people: tuple[Person, ...], size: int, rng: Random) -> tuple[dict[str, None], set[int], set[int | None]]:
    """Put people with accounts on the list: by e-mail, phone or both. Returns the entries, and who is listed how."""
    entries: dict[str, None] = {}
    listed_emails: set[int] = set()
    listed_phones: set[int | None] = set()
    wanted = max(1, round(len(people) * _CUSTOMERS_PER_ACCOUNT))
    for person in (people[0], *rng.sample(people[1:], wanted - 1)):
        known_by = {"email", "phone"} if person is people[0] else rng.choice(({"email"}, {"phone"}, {"email", "phone"}))
        if person.email is not None and ("email" in known_by or person.phone is None) and len(entries) < size:
            entries[digest(person.email)] = None
            listed_emails.add(person.id)
        if person.phone is not None and ("phone" in known_by or person.email is None) and len(entries) < size:
            entries[digest(person.phone)] = None
            listed_phones.add(person.phone_owner)
    return entries, listed_emails, listed_phones


def _phone_for_half(phones: PhoneBook, rng: Random) -> str | None:
    return phones.new(rng.choice(list(COUNTRIES))) if rng.random() < 0.5 else None
