"""Searching bytes for canaries.

Nothing is decoded: a canary is looked for as the bytes that each of its forms comes to, so that what surrounds it, and
whether that is text at all, does not matter. Line ends are taken out for a second look, because encodings wrap lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from .canary import Canary
from .forms import BETWEEN_DIGITS, Form, forms
from .report import Surfaced

__all__ = ["LONGEST_FORM", "Searcher"]

LONGEST_FORM: Final = 4096
"""How many bytes two parts of one file overlap: no form is longer."""

_WRAPPED: Final = re.compile(rb"=?\r?\n[ \t]?")
_AROUND: Final = 32
_REPR: Final = ", repr"


class Searcher:
    """Knows the forms of canaries, and finds them.

    Args:
        canaries: What to look for.
    """

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._forms = [(canary, forms(canary)) for canary in canaries]

    def __bool__(self) -> bool:
        return bool(self._forms)

    def found(self, pieces: Iterable[tuple[str, int, bytes]]) -> Iterator[Surfaced]:
        """Yield each canary once for each place that it is in, in the plainest form.

        Args:
            pieces: Each as a place, how many bytes into that place it begins, and the bytes.
        """
        known: set[tuple[Canary, str]] = set()
        for place, start, data in pieces:
            if not data:
                continue
            views = [_Views(data)]
            if b"\n" in data:
                views.append(_Views(_WRAPPED.sub(b"", data)))
            for canary, its_forms in self._forms:
                if (canary, place) in known or (place.endswith(_REPR) and _told(canary, place, known)):
                    continue
                hit = _first(its_forms, views)
                if hit is not None:
                    known.add((canary, place))
                    form, offset, excerpt = hit
                    at = None if offset is None else start + offset
                    yield Surfaced(canary.field, canary.value, form.name, place, at, excerpt)


def _told(canary: Canary, place: str, known: set[tuple[Canary, str]]) -> bool:
    """Whether a representation shows no more than what was found in the object's own parts."""
    return any(each is canary and where.startswith(place.removesuffix(_REPR)) for each, where in known)


class _Views:
    """The same bytes as they are, in lower case, and without what people write between digits."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.lower = data.lower()
        self.bare = data.translate(None, BETWEEN_DIGITS)

    def at(self, form: Form) -> tuple[int, int]:
        """Where `form` is, and how long; -1 if it is not there."""
        offset = (self.bare if form.spaced else self.lower if form.folded else self.data).find(form.needle)
        if offset < 0 or form.pattern is None:
            return offset, len(form.needle)
        match = form.pattern.search(self.data)
        return (match.start(), match.end() - match.start()) if match else (-1, 0)


def _first(its_forms: list[Form], views: list[_Views]) -> tuple[Form, int | None, str] | None:
    for number, view in enumerate(views):
        for form in its_forms:
            offset, length = view.at(form)
            if offset >= 0:
                return form, None if number else offset, _excerpt(view.data, offset, length)
    return None


def _excerpt(data: bytes, offset: int, length: int) -> str:
    part = data[max(0, offset - _AROUND) : offset + length + _AROUND]
    return repr(part.decode("utf-8", "backslashreplace"))
