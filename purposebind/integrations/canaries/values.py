"""Values that are made up: well-formed, nobody's, and each of them once.

Addresses are at ``example.com`` (RFC 2606), and telephone numbers are those that the North American plan keeps for
fiction, so that a test that does send something sends it to nobody.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Final

from .canary import SHORTEST, Canary, Candidate, token

__all__ = ["day", "email", "fitting", "fraction", "moment", "number", "phone", "text"]

# fmt: off
_AREA_CODES: Final = (
    201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228,
    229, 231, 234, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302,
    303, 304, 305, 307, 308, 309, 310, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 323, 325, 330,
    331, 334, 336, 337, 339, 347, 351, 352, 360, 361, 386, 401, 402, 404, 405, 406, 407, 408, 409, 410,
    412, 413, 414, 415,
)
# fmt: on
"""Area codes in whose exchange 555 the numbers 0100 to 0199 are nobody's, by the North American plan."""

_given: set[str] = set()
"""The telephone numbers that were planted already: there are few enough for chance to choose one twice."""


def text(label: str, core: str, template: str = "{}") -> Candidate:
    """Return a text that contains `core`."""
    value = template.format(core)
    if len(value) < SHORTEST:
        return Candidate(value)
    return Candidate(value, Canary(label, value, "text", core if len(core) >= SHORTEST else ""))


def email(label: str, longest: int | None = None) -> Candidate:
    """Return an address at ``example.com``, which is nobody's (RFC 2606)."""
    core = token(12 if longest is None or longest >= 31 else max(SHORTEST, longest - len("@example.com")))
    value = f"canary.{core}@example.com" if longest is None or longest >= 31 else f"{core}@example.com"
    return Candidate(value, Canary(label, value, "email", core))


def phone(label: str, template: str = "+1{}") -> Candidate:
    """Return a number of the plan's fictitious ones: +1, an area code, 555-01xx."""
    if len(_given) > len(_AREA_CODES) * 90:
        _given.clear()
    national = ""
    while not national or national in _given:
        national = f"{secrets.choice(_AREA_CODES)}55501{secrets.randbelow(100):02}"
    _given.add(national)
    return Candidate(template.format(national), Canary(label, template.format(national), "phone", national))


def number(label: str, low: int | None, high: int | None, step: int = 1) -> Candidate:
    """Return a whole number between `low` and `high`, of nine digits where they allow it."""
    least = max(low, 100_000_000) if low is not None else 100_000_000
    most = min(high, 2_147_483_647) if high is not None else 2_147_483_647
    if low is not None and low > most:
        most = high if high is not None else low + 2_000_000_000
    if most < least:  # smaller ones than nine digits, or below nought: what there is room for
        most = high if high is not None else -1
        least = max(low if low is not None else most - 2_000_000_000, most - 2_000_000_000)
    least = -(-least // step) * step
    value = least + secrets.randbelow(max(1, (most - least) // step + 1)) * step
    room = (most - least) // step
    watched = room >= 10_000_000 and len(str(abs(value))) >= SHORTEST
    return Candidate(value, Canary(label, str(value), "number") if watched else None)


def fraction(label: str, places: int, whole: int) -> Candidate:
    """Return a decimal number as text, with `places` after the point and at most `whole` before it."""
    before = secrets.randbelow(9 * 10 ** (whole - 1)) + 10 ** (whole - 1) if whole else 0
    after = secrets.randbelow(9 * 10 ** (places - 1)) + 10 ** (places - 1) if places else 0
    if places and after % 10 == 0:
        after += 1 + secrets.randbelow(9)  # a nought at the end would get lost
    value = f"{before}.{after:0{places}}" if places else str(before)
    watched = whole + places >= SHORTEST
    return Candidate(value, Canary(label, value, "number") if watched else None)


def day(label: str, first: int, years: int) -> Candidate:
    """Return a day in the `years` from `first` on."""
    value = date(first, 1, 1) + timedelta(days=secrets.randbelow(365 * years))
    return Candidate(value.isoformat(), Canary(label, value.isoformat(), "date", "", _days(value)))


def moment(label: str, first: int, years: int, *, aware: bool = True) -> Candidate:
    """Return a moment in the `years` from `first` on, to the microsecond."""
    value = datetime(first, 1, 1, tzinfo=timezone.utc if aware else None) + timedelta(
        days=secrets.randbelow(365 * years),
        seconds=secrets.randbelow(86_400),
        microseconds=100_001 + secrets.randbelow(899_998),
    )
    epoch = int(value.replace(tzinfo=timezone.utc).timestamp())
    texts = (*_days(value.date()), value.strftime("%H:%M:%S.%f"), str(epoch))
    return Candidate(value.isoformat(), Canary(label, value.isoformat(), "date", "", texts))


def _days(value: date) -> tuple[str, ...]:
    month = value.strftime("%B")
    return (
        value.isoformat(),
        *(value.strftime(form) for form in ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%Y%m%d")),
        f"{value.day}.{value.month}.{value.year}",
        f"{value.day}/{value.month}/{value.year}",
        f"{value.month}/{value.day}/{value.year}",
        f"({value.year}, {value.month}, {value.day}",
        *(f"{value.day} {name} {value.year}" for name in (month, month[:3])),
        *(f"{name} {value.day}, {value.year}" for name in (month, month[:3])),
    )


def fitting(label: str, name: str, shortest: int, longest: int | None) -> Iterator[Candidate]:
    """Yield texts for a field called `name`, the likeliest first, of `shortest` to `longest` characters.

    A field that is called a phone gets a number, for instance; what a field's own rules refuse is followed by others.
    """
    hint = name.lower()
    if any(part in hint for part in ("phone", "mobile", "msisdn", "tel", "fax", "sms")):
        yield phone(label)
    if "mail" in hint:
        yield email(label, longest)
    room = 19 if longest is None else longest
    if room >= 19:
        yield text(label, token(max(12, shortest - len("canary-"))), "canary-{}")
    size = min(max(12, shortest), room)
    yield text(label, token(size))
    yield text(label, token(size, digits=False))
    yield text(label, token(size, digits=False).capitalize())
    yield text(label, token(size).upper())
    yield text(label, str(secrets.randbelow(9 * 10 ** (size - 1)) + 10 ** (size - 1)) if size else "")
    for template in ("+1{}", "{}", "001{}", "1{}"):
        yield phone(label, template)
    national = phone(label).value[2:]
    for template in ("{}-{}-{}", "({}) {}-{}", "+1 {} {} {}", "+1-{}-{}-{}"):
        value = template.format(national[:3], national[3:6], national[6:])
        yield Candidate(value, Canary(label, value, "phone", national))
    yield email(label, longest)
    yield day(label, 1927, 20)
    yield text(label, token(), "https://example.com/{}")
    if longest is not None and longest < SHORTEST:
        for each in (
            token(longest),
            token(longest, digits=False),
            "".join(secrets.choice("0123456789") for _ in range(longest)),
        ):
            yield Candidate(each)
