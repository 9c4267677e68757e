"""What a name says of a field: words that stand for personal data, in a few languages, and words that say otherwise.

A name is taken apart into words, so that ``filename`` and ``hostname`` are no names of people, ``email_template`` is no
address, and ``emailVerified`` neither. The table is meant to be read: each finding can be explained by one line of it.
It finds what is usual, and overlooks what is not; what it finds by mistake is accepted by name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Category", "Meaning", "meaning_of", "words_of"]

Category = Literal["text", "number", "date", "flag", "choice"]
"""What sort of values a field holds."""

_TEXT: Final[frozenset[Category]] = frozenset({"text"})
_NUMBERED: Final[frozenset[Category]] = frozenset({"text", "number"})
_ANY: Final[frozenset[Category]] = frozenset({"text", "number", "date", "flag", "choice"})


@dataclass(frozen=True)
class Meaning:
    """What a name stands for.

    Attributes:
        what: In words, such as ``"a phone number"``.
        words: The words of the name that say so.
    """

    what: str
    words: str


@dataclass(frozen=True)
class _Rule:
    what: str
    phrases: tuple[tuple[str, ...], ...]
    holds: frozenset[Category]


def _rule(what: str, phrases: str, holds: frozenset[Category] = _TEXT) -> _Rule:
    return _Rule(what, tuple(tuple(phrase.split()) for phrase in phrases.split(", ")), holds)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# The first rule that fits is the one that is told: "email address" comes before "address".
_RULES: Final = (
    _rule("an e-mail address", "email, e mail, mail, correo, courriel"),
    _rule(
        "an IP address",
        "ip, ip address, ipaddress, ipv4, ipv6, remote addr, remote address",
    ),
    _rule(
        "a device's identifier",
        "mac address, device id, imei, imsi, idfa, gaid, advertising id, user agent, useragent, "
        "device fingerprint, browser fingerprint",
        _NUMBERED,
    ),
    _rule(
        "a phone number",
        "phone, telephone, tel, mobile, cellphone, cell phone, cell number, msisdn, fax, whatsapp, "
        "telefon, telefonnummer, handynummer, rufnummer, telefono, movil",
        _NUMBERED,
    ),
    _rule(
        "an online identifier",
        "username, user name, nickname, nick name, screen name, benutzername",
    ),
    _rule(
        "somebody's name",
        "first name, last name, given name, family name, full name, middle name, maiden name, surname, forename, "
        "firstname, lastname, fullname, givenname, familyname, "
        "vorname, nachname, prenom, nom, apellido, apellidos, cognome, achternaam, voornaam",
    ),
    _rule(
        "a date of birth or age",
        "birth, birthday, birthdate, dateofbirth, dob, age, yob, "
        "geburtsdatum, geburtstag, naissance, nacimiento, nascita, geboortedatum",
        frozenset({"text", "number", "date"}),
    ),
    _rule(
        "an official number of a person",
        "ssn, social security, passport, national id, identity card, id card, tax id, taxid, tin, nino, "
        "driver license, drivers license, driver licence, driving licence, license plate, number plate, "
        "personalausweis, steuernummer, steuerid, dni, nie, nif, bsn, pesel, personnummer, codice fiscale, "
        "cpf, aadhaar",
        _NUMBERED,
    ),
    _rule(
        "a bank account or card",
        "iban, bank account, account number, sort code, card number, cardnumber, credit card, debit card, cvv, cvc, "
        "kontonummer",
        _NUMBERED,
    ),
    _rule(
        "a postal address",
        "address, street, house number, postcode, postal code, zip, zip code, zipcode, "
        "adresse, anschrift, strasse, plz, direccion, indirizzo, calle",
        _NUMBERED,
    ),
    _rule(
        "where somebody is",
        "latitude, longitude, lat, lng, lon, gps, geolocation, geo location, coordinates, home location, last location",
        _NUMBERED,
    ),
    _rule("a secret of a person", "password, passwd, passphrase, passwort, security answer, security question"),
    _rule("what somebody earns", "salary, income, wage, gehalt, salaire, sueldo, stipendio", _NUMBERED),
    _rule(
        "data of a special category (GDPR art. 9)",
        "diagnosis, disease, medical, medication, allergy, allergies, disability, pregnant, blood type, blood group, "
        "health record, health condition, health insurance, religion, ethnicity, ethnic, political, party membership, "
        "union membership, sexual, sexuality, biometric, genome, genetic, krankheit, diagnose, religiosa",
        _ANY,
    ),
    _rule(
        "sex, nationality or family",
        "gender, sex, nationality, citizenship, marital, spouse, geschlecht, staatsangehoerigkeit",
        frozenset({"text", "choice"}),
    ),
)

# In a model of people these are about a person; anywhere else they are not.
_OF_PEOPLE: Final = _Rule(
    "about a person",
    (("name",), ("display", "name"), ("photo",), ("portrait",), ("picture",), ("avatar",), ("location",), ("nom",)),
    _TEXT,
)
_PEOPLE: Final = _set(
    "account user customer client person people contact member patient employee applicant candidate student teacher "
    "guest visitor subscriber recipient sender passenger driver tenant citizen donor voter buyer seller owner holder "
    "author profile lead insured beneficiary kunde benutzer mitarbeiter"
)

# A word after the phrase that makes it something about the thing, and not the thing itself.
_NOT_AFTER: Final = _set(
    "at backend by check class code config count country domain enabled endpoint field format host id ids kind label "
    "language length limit match max min mode on optional owner page parser pattern port prefix provider queue regex "
    "required schema sent server service settings size status subject template title total type url valid validator "
    "verified version confirmed body opt range pool mask algorithm"
)
# A word before it that makes it a machine's, or somebody's who is no data subject.
_NOT_BEFORE: Final = _set(
    "admin api base bind contract database db file host listen memory noreply redis server smtp sql support web "
    "webhook max min cache session"
)
_PART: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name, in lower case and without accents or digits.

    Example:
        >>> words_of("homePhoneNumber2"), words_of("e_mail"), words_of("hostname")
        (('home', 'phone', 'number'), ('e', 'mail'), ('hostname',))
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return tuple(part.lower() for part in _PART.findall(plain) if not part.isdigit())


def meaning_of(name: str, category: Category, model: str = "") -> Meaning | None:
    """Return what a field's name stands for, or None where it says nothing of a person.

    Args:
        name: The field's name, or its alias.
        category: What it holds.
        model: The name of its model: a ``name`` is somebody's in a ``Customer``, and not in a ``Product``.

    Example:
        >>> meaning_of("mobile_number", "text")
        Meaning(what='a phone number', words='mobile')
        >>> meaning_of("email_verified", "text"), meaning_of("name", "text", "Product")
        (None, None)
    """
    words = words_of(name)
    for rule in _RULES:
        for phrase in _found(rule, words, category):
            return Meaning(rule.what, " ".join(phrase))
    of_person = not _PEOPLE.isdisjoint(_singular(word) for word in words_of(model))
    for phrase in _found(_OF_PEOPLE, words, category):
        person = next((word for word in words if _singular(word) in _PEOPLE), "")
        if person and words.index(person) < words.index(phrase[0]):
            return Meaning(f"{_OF_PEOPLE.what}: a {_singular(person)}", " ".join(phrase))
        if of_person:
            return Meaning(f"{_OF_PEOPLE.what}, in a model called {model}", " ".join(phrase))
    return None


def _found(rule: _Rule, words: tuple[str, ...], category: Category) -> Iterator[tuple[str, ...]]:
    if category not in rule.holds:
        return
    for phrase in sorted(rule.phrases, key=len, reverse=True):
        for start in range(len(words) - len(phrase) + 1):
            end = start + len(phrase)
            if _same(words[start:end], phrase) and _says_it(words[:start], words[end:]):
                yield phrase


def _same(words: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    return words == phrase or (*words[:-1], _singular(words[-1])) == phrase


def _says_it(before: Iterable[str], after: Iterable[str]) -> bool:
    return _NOT_BEFORE.isdisjoint(before) and _NOT_AFTER.isdisjoint(after)


def _singular(word: str) -> str:
    if word.endswith("sses"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
