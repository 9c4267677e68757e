"""What may suit a field, by its JSON schema: candidates, to be tried one after the other."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterator
from typing import Any, Final
from uuid import uuid4

from .canary import SHORTEST, Canary, Candidate, token
from .patterns import matching
from .values import day, email, fitting, fraction, moment, number, phone, text

__all__ = ["candidates"]


def candidates(schema: Any, label: str, name: str) -> Iterator[Candidate]:
    """Yield what may suit a JSON schema without parts, the likeliest first.

    Args:
        schema: What the value has to be.
        label: The field, as reports show it.
        name: The field's own name, which tells a telephone number from other text.
    """
    if "const" in schema:
        yield Candidate(schema["const"])
    elif "enum" in schema:
        yield from (Candidate(each) for each in schema["enum"])
    else:
        kind = schema.get("type")
        if kind == "string":
            yield from _strings(schema, label, name)
        elif kind == "integer":
            low, high = _bounds(schema)
            yield from (number(label, low, high, int(schema.get("multipleOf", 1))) for _ in range(3))
        elif kind == "number":
            yield from _fractions(schema, label)
        elif kind == "boolean":
            yield from (Candidate(each) for each in (True, False))
        elif kind == "null":
            yield Candidate(None)
        else:  # Any, or something that describes itself no further
            yield from fitting(label, name, 0, None)


def _bounds(schema: Any) -> tuple[int | None, int | None]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + 1
    if "exclusiveMaximum" in schema:
        high = schema["exclusiveMaximum"] - 1
    return (None if low is None else int(low)), (None if high is None else int(high))


def _fractions(schema: Any, label: str) -> Iterator[Candidate]:
    low, high = _bounds(schema)
    if low is None and high is None:
        for places, whole in ((2, 7), (4, 6), (2, 6), (0, 9), (2, 4), (1, 3), (2, 1)):
            yield fraction(label, places, whole)
    yield number(label, low, high)
    if low is not None and high is not None:
        yield Candidate((low + high) / 2)


def _strings(schema: Any, label: str, name: str) -> Iterator[Candidate]:
    form, longest = schema.get("format"), schema.get("maxLength")
    if form == "email":
        yield email(label, longest)
    elif form == "date":
        for first, years in ((1927, 20), (1955, 40), (2150, 40)):
            yield day(label, first, years)
    elif form == "date-time":
        for aware in (True, False):
            for first, years in ((1927, 20), (1975, 40), (2150, 40)):
                yield moment(label, first, years, aware=aware)
    elif form == "uuid":
        value = str(uuid4())
        yield Candidate(value, Canary(label, value, "uuid"))
    elif form in ("uri", "url", "uri-reference", "multi-host-uri"):
        yield text(label, token(), "https://example.com/canary-{}")
    elif form == "phone":
        yield phone(label)
        yield phone(label, "tel:+1{}")
    elif form == "ipv6":
        value = "2001:db8:" + ":".join(f"{secrets.randbelow(0xEFFF) + 0x1000:x}" for _ in range(6))
        yield Candidate(value, Canary(label, value))
    elif form in _FIXED:
        yield Candidate(_FIXED[form])
    elif form in ("base64", "base64url"):
        core = token(18)
        yield Candidate(base64.b64encode(core.encode()).decode(), Canary(label, core, "text", core))
    else:
        shortest, pattern = schema.get("minLength", 0), schema.get("pattern")
        for each in fitting(label, name, shortest, longest):
            if shortest <= len(each.value) <= (longest or len(each.value)) and _suits(pattern, each.value):
                yield each
        for _ in range(3):
            made = matching(pattern, longest) if pattern else None
            if made is not None and len(made) >= shortest and _suits(pattern, made):
                yield Candidate(made, Canary(label, made) if len(made) >= SHORTEST else None)


_FIXED: Final = {
    "ipv4": "203.0.113.7",
    "ipvanyaddress": "203.0.113.7",
    "time": "04:05:06",
    "duration": "PT1H",
    "path": "canary",
    "file-path": "canary",
    "directory-path": "canary",
    "ipv4network": "203.0.113.0/24",
    "ipv6network": "2001:db8::/32",
}


def _suits(pattern: str | None, value: str) -> bool:
    if pattern is None:
        return True
    try:
        return re.search(pattern, value) is not None
    except re.error:  # Rust's syntax is not Python's: pydantic will say
        return True
