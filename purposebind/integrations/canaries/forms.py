"""The forms in which a canary may surface: as it is, encoded, escaped, reversed, or as a digest of it.

A digest counts: it is how people are matched between companies, by the hash of their normalised address or number.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, quote_plus
from uuid import UUID

from .canary import SHORTEST, Canary

__all__ = ["BETWEEN_DIGITS", "Form", "forms"]

_DIGESTS: Final = ("md5", "sha1", "sha256", "sha512")
BETWEEN_DIGITS: Final = b" \t\r\n().-/\xc2\xa0"
"""What people write between the digits of a telephone number."""

_BETWEEN: Final = b"[%b]{0,3}" % re.escape(BETWEEN_DIGITS)


@dataclass(frozen=True)
class Form:
    """One form of a canary.

    Attributes:
        name: What the form is, for the report.
        needle: The bytes to look for; lower-cased where `folded`.
        folded: Whether upper and lower case are one.
        pattern: What has to match too, where `needle` was found: searching for it everywhere would take long.
        spaced: Whether `needle` is looked for with all that people write between digits taken out.
    """

    name: str
    needle: bytes
    folded: bool = False
    pattern: re.Pattern[bytes] | None = None
    spaced: bool = False


def forms(canary: Canary) -> list[Form]:
    """Return the forms of `canary`, the plainest first."""
    found: dict[tuple[bytes, bool], Form] = {}
    for form in _forms(canary):
        found.setdefault((form.needle, form.folded or form.spaced), form)
    return list(found.values())


def _forms(canary: Canary) -> Iterator[Form]:
    if canary.kind == "number":
        yield from _number(canary.value)
    elif canary.kind == "phone":
        yield _alone("plain", canary.value)
        yield _digits("digits", canary.core)
        yield _digits("reversed", canary.core[::-1])
    else:
        yield Form("plain", canary.value.encode())
    if canary.kind in ("text", "email"):
        yield from _texts(canary.core or canary.value, "plain")
    elif canary.kind == "phone":
        yield from _encoded(canary.core)
    elif canary.kind == "date":
        for each in dict.fromkeys((canary.value, *canary.texts)):
            yield _alone("plain" if each == canary.value else "written otherwise", each)
        yield from _encoded(canary.texts[0] if canary.texts else canary.value)
    elif canary.kind == "number":
        yield from _encoded(canary.value)
    elif canary.kind == "uuid":
        yield from _texts(canary.value, "plain")
        yield from _texts(canary.value.replace("-", ""), "without hyphens")
        raw = UUID(canary.value).bytes
        yield Form("raw bytes", raw)
        yield from (Form("base64", each) for each in _base64(raw))
    for name in _DIGESTS:
        for each in _normalised(canary):
            digest = hashlib.new(name, each.encode(), usedforsecurity=False).digest()
            yield Form(f"{name} digest", digest.hex().encode(), True)
            yield Form(f"{name} digest, base64", base64.b64encode(digest).rstrip(b"="))
            yield Form(f"{name} digest, base64", base64.urlsafe_b64encode(digest).rstrip(b"="))


def _number(value: str) -> Iterator[Form]:
    digits = value.lstrip("-")
    whole, point, rest = digits.partition(".")
    written = {digits: "plain", digits[::-1]: "reversed"}
    for thousands in (",", ".", " ", "_", "'", "\u00a0", "\u202f"):
        grouped = f"{int(whole):,}".replace(",", thousands)
        for mark in (".", ",") if point else ("",):
            written.setdefault(f"{grouped}{mark}{rest}", "grouped")
            written.setdefault(f"{whole}{mark}{rest}", "plain")
    if point:
        written.setdefault((whole + rest).lstrip("0"), "without the point")
    for each, name in written.items():
        yield _alone(name, each)


def _alone(name: str, written: str) -> Form:
    """A form that is none inside a longer number."""
    pattern = re.compile(rb"(?<!\d)%b(?!\d)" % re.escape(written.encode()), re.IGNORECASE)
    return Form(name, written.encode().lower(), True, pattern)


def _digits(name: str, digits: str) -> Form:
    return Form(name, digits.encode(), pattern=re.compile(_BETWEEN.join(map(str.encode, digits))), spaced=True)


def _texts(value: str, name: str) -> Iterator[Form]:
    data = value.encode()
    yield Form(name, data)
    yield Form("in another case", data.lower(), True)
    yield Form("URL-encoded", quote(value, safe="").encode().lower(), True)
    yield Form("URL-encoded", quote_plus(value, safe="").encode().lower(), True)
    yield Form("JSON-escaped", json.dumps(value)[1:-1].encode().lower(), True)
    yield Form("JSON-escaped", json.dumps(value, ensure_ascii=False)[1:-1].encode().lower(), True)
    yield Form("HTML-escaped", html.escape(value).encode().lower(), True)
    yield Form("escaped", ascii(value)[1:-1].encode().lower(), True)
    yield Form("quoted-printable", quopri.encodestring(data, quotetabs=True).replace(b"=\n", b"").lower(), True)
    for each in (value, value.lower(), value.upper()):
        yield from _encoded(each)


def _encoded(value: str) -> Iterator[Form]:
    data = value.encode()
    yield Form("reversed", value[::-1].encode().lower(), True)
    yield Form("hex", data.hex().encode(), True)
    yield from (Form("base64", each) for each in _base64(data))
    yield Form("UTF-16", value.encode("utf-16-le").lower(), True)
    yield Form("UTF-16", value.encode("utf-16-be").lower(), True)


def _base64(data: bytes) -> Iterator[bytes]:
    """The characters that depend on `data` alone, whatever stands around it and wherever it begins."""
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + data)
        first = -(-shift * 8 // 6)
        last = (shift + len(data)) * 8 // 6
        part = encoded[first:last]
        if len(part) >= SHORTEST:
            yield part
            yield part.translate(bytes.maketrans(b"+/", b"-_"))


def _normalised(canary: Canary) -> list[str]:
    """What is hashed in practice: as it is, trimmed and lower-cased, and a number in its three usual forms."""
    found = [canary.value, canary.value.strip().lower(), canary.value.upper()]
    if canary.kind == "phone":
        found += [canary.core, f"1{canary.core}", f"+1{canary.core}", f"001{canary.core}"]
    if canary.kind == "email":
        name, _, host = canary.value.lower().partition("@")
        found += [f"{name.replace('.', '')}@{host}", name]
    if canary.kind == "uuid":
        found.append(canary.value.replace("-", ""))
    if canary.kind == "date":
        found += canary.texts
    return list(dict.fromkeys(found))
