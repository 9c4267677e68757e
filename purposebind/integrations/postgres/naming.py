"""What roles are called, and how names and texts are written in SQL.

What this module keeps:

- Two sets of purposes never share a name: purposes are joined by a character that none of them holds, and a name that
  PostgreSQL would cut at 63 bytes ends in a digest of the whole.
- Every name is quoted, so that a table called ``order`` or ``a"; --`` is a name and nothing else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

from purposebind import PolicyError, Purpose

__all__ = ["Names", "block", "literal", "quoted"]

_LONGEST: Final = 63
_DIGITS: Final = 20
_PREFIX: Final = re.compile(r"[a-z][a-z0-9_]{0,29}")


class Names:
    """The names of the roles of one service.

    Args:
        prefix: What each begins with. Roles belong to the whole server: two services on one need two prefixes.

    Raises:
        PolicyError: The prefix is no plain name of at most 30 characters.

    Example:
        >>> names = Names("shop")
        >>> names.none, names.loader
        ('shop/none', 'shop/loader')
        >>> names.of([Purpose("tax", "Pay the taxes"), Purpose("audit", "Be audited")])
        'shop:audit+tax'
    """

    def __init__(self, prefix: str) -> None:
        if not _PREFIX.fullmatch(prefix):
            raise PolicyError(
                f"{prefix!r} is no prefix for roles: write at most 30 of a-z, 0-9 and _, beginning with a letter."
            )
        self.prefix = prefix
        self.none = f"{prefix}/none"
        self.loader = f"{prefix}/loader"

    def of(self, purposes: Iterable[Purpose]) -> str:
        """Return the name of the role for exactly these purposes; for none, that of `none`."""
        names = sorted(purpose.name for purpose in purposes)
        if not names:
            return self.none
        whole = f"{self.prefix}:{'+'.join(names)}"
        if len(whole) <= _LONGEST:
            return whole
        digest = hashlib.sha256(whole.encode()).hexdigest()[:_DIGITS]
        return f"{whole[: _LONGEST - _DIGITS - 1]}~{digest}"

    def has(self, role: str) -> bool:
        """Return whether a role of this name would be one of ours."""
        return role in (self.none, self.loader) or role.startswith(f"{self.prefix}:")


def quoted(*parts: str | None) -> str:
    """Return a name, with what it is qualified by, as SQL has it.

    Example:
        >>> quoted("public", 'a"b')
        '"public"."a""b"'
    """
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts if part is not None)


def literal(text: str) -> str:
    """Return a text as SQL has it, whatever ``standard_conforming_strings`` says.

    Example:
        >>> literal("it's")
        "'it''s'"
    """
    told = text.replace("'", "''")
    return f"E'{told}'".replace("\\", "\\\\") if "\\" in told else f"'{told}'"


def block(body: str) -> str:
    """Return an anonymous block of PL/pgSQL."""
    tag, number = "$purposebind$", 0
    while tag in body:
        number += 1
        tag = f"$purposebind{number}$"
    return f"DO {tag}\n{body}\n{tag};"
