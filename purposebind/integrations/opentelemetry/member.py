"""The baggage member that purposes travel in, and how it is read where anybody may have written it.

What this module keeps:

- Nothing that is written there widens: a sender who leaves it out is narrowed by nothing, so whatever a member says can
  only ask for less. All that stands in a header counts, in every copy of the member and of the header.
- What cannot be understood is not passed over. It may be a purpose that was cut short or spoilt on its way, so it
  counts as one that nobody knows, and for that nothing may be read.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_plus

from purposebind.purpose import is_purpose_name
from purposebind.receiving import UNRECOGNIZED

__all__ = ["HEADER", "MEMBER", "is_member", "names_in", "names_in_headers", "written"]

MEMBER: Final = "purposebind.purposes"
"""The baggage member."""
HEADER: Final = "baggage"

_logger = logging.getLogger("purposebind")

# It stands in no purpose's name, and is encoded by no propagator: whoever decodes a comma on the way and does not
# encode it again would have made two members of one.
_BETWEEN: Final = "~"
_ENDS: Final = re.compile(r"[~,]")
_LONGEST: Final = 4096
"""How many bytes a member may have: propagators drop a longer one."""


def is_member(key: object) -> bool:
    """Return whether `key` names the member, however it is written."""
    return str(key).strip().casefold() == MEMBER


def names_in(values: Iterable[object]) -> frozenset[str]:
    """Return the purposes' names in values of the member, as they stand in baggage; "" where a value has none."""
    found: set[str] = set()
    for value in values:
        found |= {piece.strip() for piece in _ENDS.split(str(value))} - {""} or {""}
    return frozenset(found)


def names_in_headers(headers: Iterable[str]) -> frozenset[str]:
    """Return the purposes' names in ``baggage`` headers, whatever else is in them and however long they are."""
    return names_in(value for header in headers for value in _values(header))


def _values(header: str) -> Iterable[str]:
    for entry in header.split(","):
        key, _, rest = entry.partition("=")
        key = key.partition(";")[0]
        if is_member(unquote_plus(key)):
            yield unquote_plus(rest.partition(";")[0])  # what follows are the member's properties


def written(names: Iterable[str]) -> str:
    """Return the member's value for `names`. What is no name, or does not fit, goes as a purpose that nobody knows."""
    value = _BETWEEN.join(sorted({name if is_purpose_name(name) else UNRECOGNIZED.name for name in names}))
    if len(MEMBER) + len("=") + len(value) > _LONGEST:
        _logger.warning(
            "baggage: the names of the purposes in force are too long to send, so the receiver may read nothing"
        )
        return UNRECOGNIZED.name
    return value
