"""`CollectedFor`: the column that says what the tagged column beside it was collected for, row by row.

What this module keeps:

- **R8** A purpose that is not declared in this process allows nothing here, and what cannot be read as purposes is
  none: what a row says can only narrow.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Dialect, String
from sqlalchemy.types import TypeDecorator

from purposebind import PolicyError, Purpose
from purposebind.policy import Policy
from purposebind.purpose import is_purpose_name

from .sealed_type import NOTHING

__all__ = ["CollectedFor", "names_of", "purposes_in"]

_logger = logging.getLogger("purposebind")


class CollectedFor(TypeDecorator[Any]):
    """The type of a column that says what another column of its table was collected for.

    The library writes it, from what `collected_for` said where the value was sealed, and reads it with the value. To
    your code it is a tuple of the purposes' names, or None where nobody said. In the database it is text: the names,
    with spaces between.

    Args:
        column: The tagged attribute of the same class, or in a table of Core's the key of the column.

    Example:
        >>> from sqlalchemy import Column, Integer, MetaData, String, Table
        >>> from purposebind import AllowedFor
        >>> from purposebind.integrations.sqlalchemy import SealedType
        >>> rental = Purpose("rental", "Rent out bicycles")
        >>> rider = Table(
        ...     "rider",
        ...     MetaData(),
        ...     Column("id", Integer, primary_key=True),
        ...     Column("phone", SealedType(String, AllowedFor(rental))),
        ...     Column("phone_collected_for", CollectedFor("phone")),
        ... )
    """

    impl = String
    cache_ok = True

    def __init__(self, column: str = "") -> None:
        if not isinstance(column, str) or not column:
            raise PolicyError('CollectedFor("phone") takes the name of the attribute whose values it speaks of.')
        super().__init__()
        self.column = column

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else " ".join(names_of(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return tuple(value.split()) if isinstance(value, str) else value

    def __repr__(self) -> str:
        return f"CollectedFor({self.column!r})"


def names_of(value: Any) -> tuple[str, ...]:
    """Return the names of purposes, in order.

    Args:
        value: Purposes, or their names; or a `Policy` that allows them.

    Raises:
        PolicyError: It is something else.
    """
    given: Iterable[Any] = value.allowed if isinstance(value, Policy) else value
    names = [one.name if isinstance(one, Purpose) else one for one in ([] if isinstance(given, str) else given)]
    if isinstance(given, str) or not all(isinstance(one, str) and is_purpose_name(one) for one in names):
        raise PolicyError('A CollectedFor column takes purposes, or their names: ["security.two_factor"].')
    return tuple(sorted(names))


def purposes_in(value: Any) -> Policy | None:
    """Return what a row says that its value was collected for; None where it says nothing.

    Args:
        value: What the column holds, as its type gives it or as text.
    """
    if value is None:
        return None
    try:
        known = _read.get(value)
    except TypeError:  # nothing that such a column holds
        return NOTHING
    if known is not None:
        return known
    names: Any = value.split() if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)):
        return NOTHING
    declared = {purpose.name: purpose for purpose in Purpose.declared()}
    policy = Policy([declared[name] for name in names if name in declared])
    strange = [name for name in names if name not in declared]
    if strange:  # not kept: it may be declared later
        _tell(strange)
    elif len(_read) < _AT_MOST:
        _read[value] = policy
    return policy


_AT_MOST = 4096
_read: dict[Any, Policy] = {}
_told: set[str] = set()


def _tell(names: list[Any]) -> None:
    """Say once for each purpose that it is not known here; what is no name is not quoted (R7)."""
    for name in names:
        label = name if isinstance(name, str) and is_purpose_name(name) else "something that is no purpose's name"
        if label not in _told and len(_told) < _AT_MOST:
            _told.add(label)
            _logger.warning(
                "what was collected for %s may not be read here for that: no such purpose is declared in this process",
                label,
            )
