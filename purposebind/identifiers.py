"""Identifiers: what a purpose is called in vocabularies that others know.

A purpose has a name and a meaning of its own. Beside them it may carry the words of the W3C Data Privacy Vocabulary
(DPV), of fideslang, and of IAB Europe's Transparency and Consent Framework (TCF). Nothing is decided by them: they are
for records that others read, such as the record of processing activities of GDPR article 30.

What this module keeps:

- What is written in one of several ways is kept in one, in order and once, so that equal identifiers are equal.
- The shape is checked where a purpose is declared. Whether a vocabulary has the word is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from .errors import PolicyError

__all__ = ["DPV_NAMESPACE", "Identifiers", "identifiers"]

DPV_NAMESPACE: Final = "https://w3id.org/dpv#"
"""Where the terms of DPV are that have no extension's name before them."""

_DPV_TERM: Final = re.compile(r"[A-Z][A-Za-z0-9]*")
_IRI: Final = re.compile(r"https?://[^\s\x00-\x20\x7f<>\"{}|\\^`]+")
_DATA_USE: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_SPECIAL: Final = re.compile(r"special ([1-9])")
_TCF_PURPOSES: Final = 11
_TCF_SPECIAL_PURPOSES: Final = 3

_One = TypeVar("_One")


@dataclass(frozen=True)
class Identifiers:
    """What a purpose is called by others; each in order, and empty where it has no such name.

    Attributes:
        dpv: Terms of the Data Privacy Vocabulary: names such as ``"Advertising"``, and whole IRIs of its extensions or
            of other vocabularies.
        fides: Data uses of fideslang, such as ``"marketing.advertising"``.
        iab: Purposes of the TCF by their numbers, 1 to 11, and its special purposes as ``"special 1"`` to
            ``"special 3"``.
    """

    dpv: tuple[str, ...] = ()
    fides: tuple[str, ...] = ()
    iab: tuple[int | str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.dpv or self.fides or self.iab)

    def __str__(self) -> str:
        groups = (("DPV", self.dpv), ("fideslang", self.fides), ("IAB TCF", self.iab))
        return "; ".join(f"{name} {', '.join(map(str, found))}" for name, found in groups if found) or "none"


def identifiers(dpv: object = (), fides: object = (), iab: object = (), *, of: str) -> Identifiers:
    """Return the identifiers in their normal form.

    Args:
        dpv: A term or several.
        fides: A data use or several.
        iab: A purpose of the TCF or several.
        of: The purpose's name, for errors.

    Raises:
        PolicyError: One is not written as such a thing is.
        TypeError: One is neither a string nor, for `iab`, a whole number.

    Example:
        >>> identifiers("dpv:Advertising", "marketing.advertising", (4, 3, "special 2"), of="ads")
        Identifiers(dpv=('Advertising',), fides=('marketing.advertising',), iab=(3, 4, 'special 2'))
    """
    return Identifiers(
        _each(dpv, "dpv", of, _dpv),
        _each(fides, "fides", of, _fides),
        _each(iab, "iab", of, _iab),
    )


_WAYS: Final = {
    "dpv": "a term of the Data Privacy Vocabulary, such as 'Advertising' or 'dpv:Advertising', or a whole IRI that "
    "begins with https://",
    "fides": "a data use of fideslang, such as 'marketing.advertising'",
    "iab": f"a purpose of the TCF, 1 to {_TCF_PURPOSES}, or a special purpose, 'special 1' to "
    f"'special {_TCF_SPECIAL_PURPOSES}'",
}


def _each(given: object, keyword: str, of: str, normal: Callable[[Any, str], _One]) -> tuple[_One, ...]:
    if given is None or isinstance(given, (bytes, dict)):
        raise TypeError(f"Purpose {of!r}: {keyword}= takes {_WAYS[keyword]}, or several; got {type(given).__name__}.")
    several: list[object] = [given] if isinstance(given, (str, int)) or not isinstance(given, Iterable) else list(given)
    return tuple(sorted({normal(one, of) for one in several}, key=lambda one: (isinstance(one, str), one)))


def _dpv(given: Any, of: str) -> str:
    term = _text(given, "dpv", of).removeprefix(DPV_NAMESPACE).removeprefix("dpv:")
    if not _DPV_TERM.fullmatch(term) and not (_IRI.fullmatch(term) and term.isprintable()):
        raise _wrong(of, "dpv", given, _WAYS["dpv"])
    return term


def _fides(given: Any, of: str) -> str:
    use = _text(given, "fides", of)
    if not _DATA_USE.fullmatch(use):
        raise _wrong(of, "fides", given, _WAYS["fides"])
    return use


def _iab(given: Any, of: str) -> int | str:
    if isinstance(given, bool) or not isinstance(given, (int, str)):
        raise TypeError(f"Purpose {of!r}: iab= takes {_WAYS['iab']}, or several; got {type(given).__name__}.")
    if isinstance(given, str):
        special = _SPECIAL.fullmatch(given)
        fits = special is not None and int(special[1]) <= _TCF_SPECIAL_PURPOSES
    else:
        fits = 1 <= given <= _TCF_PURPOSES
    if not fits:
        raise _wrong(of, "iab", given, _WAYS["iab"])
    return str.__str__(given) if isinstance(given, str) else int(given)


def _text(given: object, keyword: str, of: str) -> str:
    if not isinstance(given, str):
        raise TypeError(f"Purpose {of!r}: {keyword}= takes {_WAYS[keyword]}, or several; got {type(given).__name__}.")
    return str.__str__(given)  # of an enumeration's member, its value


def _wrong(of: str, keyword: str, given: object, way: str) -> PolicyError:
    return PolicyError(f"Purpose {of!r}: {keyword}={given!r} is not {way}.")
