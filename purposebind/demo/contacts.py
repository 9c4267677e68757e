"""Invented contact details: e-mail addresses and phone numbers that look real and belong to nobody.

Phone numbers come from the ranges that national numbering plans keep free for film and fiction (in North America
555-01xx), and e-mail addresses from domains below ``.example``, which RFC 2606 keeps free. So even a copy of the demo's
database could not reach anybody.
"""

from __future__ import annotations

import hashlib
from random import Random

__all__ = ["COUNTRIES", "EmailBook", "PhoneBook", "digest", "digests"]

COUNTRIES = {"AU": 22, "DE": 10, "FR": 24, "GB": 20, "IE": 14, "US": 10}
"""Where the people live: country code to share, in percent."""

_US_AREAS = (
    "201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234 239 240 248 251 "
    "252 253 254 256 260 262 267 269 270 301 302 303 304 305 307 308 309 310 312 313 314 315 316 317 318 319 320 "
    "321 323 330 334 336 337 347 352"
)

# Each range is a prefix and the count of digits that follow it.
_RANGES: dict[str, list[tuple[str, int]]] = {
    "AU": [(f"+61{area}{block}", 4) for area in "2378" for block in ("5550", "7010")],
    "DE": [(f"+49{block}", 3) for block in ("3023125", "6990009", "4066969", "2214710", "8999998")],
    "FR": [(f"+33{block}", 4) for block in ("19900", "26191", "35301", "46571", "53649", "63998")],
    "GB": [
        *(
            (f"+44{city}4960", 3)
            for city in ("113", "114", "115", "116", "117", "118", "121", "131", "141", "151", "161")
        ),
        *((f"+44{block}", 3) for block in ("2079460", "1914980", "2896496", "2920180", "1632960", "7700900")),
    ],
    "IE": [("+3532091", 5)],
    "US": [(f"+1{area}55501", 2) for area in _US_AREAS.split()],
}

_FIRST_NAMES = (
    "ada aisha alex amara anna ben bruno carla chen chloe clara conor daan dana david diego ebba elif emil emma "
    "erik eva farah felix fiona freya georg grace hana hugo ines ivan jack jana james jonas julia kaja kofi laila "
    "lars lea leo lina liam lucia maja marco maria mei mia mikel milan mira nadia niamh nils noah nora olga omar "
    "oscar paula pedro petra priya rana rosa ruben sara selma sofia sven tara theo tomas uma vera viktor wanda "
    "yara yusuf zoe"
)
_LAST_NAMES = (
    "abbott ahmed andersen baker barros becker berg bianchi blanc bose brandt byrne campos carter chan clarke "
    "costa cruz dahl diallo dubois duffy eriksen evans faber fischer fontaine ford garcia gomez greco haas hansen "
    "hughes ito jansen jensen kaya keller kelly khan klein kovacs lambert lang larsen lopez lund maier marino "
    "martin meyer moreau moretti murphy nagy nguyen novak okafor olsen ortiz palmer patel petit price quinn ramos "
    "reid rossi roy ruiz sato schmidt silva singh smith steiner svensson takeda torres turner vega visser vogel "
    "walsh weber wood young zeller"
)
_DOMAINS = tuple(f"{name}.example" for name in ("postbox", "webmail", "mailhaus", "inbox", "courriel", "letterbox"))
_JOINTS = (".", "_", "")


class EmailBook:
    """Gives out e-mail addresses, each once, some of them written as people write them: in mixed case."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._first_names, self._last_names = _FIRST_NAMES.split(), _LAST_NAMES.split()
        self._given: set[str] = set()

    def new(self) -> tuple[str, str]:
        """Return a handle and an e-mail address that nobody has yet."""
        rng = self._rng
        while True:
            first, last = rng.choice(self._first_names), rng.choice(self._last_names)
            number = rng.choice(
                ("", str(rng.randrange(60, 100)), str(rng.randrange(1950, 2012)), str(rng.randrange(10**6)))
            )
            email = f"{first}{rng.choice(_JOINTS)}{last}{number}@{rng.choice(_DOMAINS)}"
            if email not in self._given:
                break
        self._given.add(email)
        handle = f"{first}_{len(self._given)}"
        if rng.random() < 0.1:
            email = f"{first.title()}{email[len(first) :]}"
        elif rng.random() < 0.02:
            email = f" {email.upper()}"
        return handle, email


class PhoneBook:
    """Gives out E.164 phone numbers, each once, in a seeded order within each country."""

    def __init__(self, rng: Random) -> None:
        self._used = dict.fromkeys(_RANGES, 0)
        # Steps of a prime that divides no range's size visit every number of a country before any comes back.
        self._start = {country: rng.randrange(10**6) for country in _RANGES}
        self._step = {country: rng.choice((7919, 15_485_863, 32_452_843)) for country in _RANGES}

    def new(self, country: str) -> str | None:
        """Return a phone number of `country` that nobody has yet, or None once its range is used up."""
        used = self._used[country]
        size = sum(10**digits for _, digits in _RANGES[country])
        if used >= size:
            return None
        self._used[country] = used + 1
        index = (self._start[country] + used * self._step[country]) % size
        for prefix, digits in _RANGES[country]:
            if index < 10**digits:
                return f"{prefix}{index:0{digits}}"
            index -= 10**digits
        raise AssertionError("the index lies within the country's size")


def digest(contact: str) -> str:
    """Return the form in which ad platforms take a contact: SHA-256, in hex, of it trimmed and in lower case.

    Args:
        contact: An e-mail address, or a phone number in E.164 form (which trimming and lower case leave as it is).

    Example:
        >>> digest(" Ada@Postbox.Example") == digest("ada@postbox.example")
        True
        >>> len(digest("+353209112345"))
        64
    """
    return hashlib.sha256(contact.strip().lower().encode()).hexdigest()


def digests(*contacts: str | None) -> list[str]:
    """Return the digest of each contact that is there."""
    return [digest(contact) for contact in contacts if contact is not None]
