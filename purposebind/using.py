"""Uses that are no code's: a statement reads columns in the database, and what it reads with never comes here.

What this module keeps:

- **R1** A fact about a value is a read, wherever it is worked out. A statement that compares, sorts or counts by a
  tagged column is refused like an attribute that is read.
- **R7** What a use is told by is a field's name and a clause's, never the statement.
- **R9** What cannot be weighed is refused: it may use anything.

For the integrations with databases, and for your own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from . import config
from .enforcement import Binding, admit
from .errors import PolicyError
from .policy import Policy
from .purpose import Purpose
from .scope import current_frame

__all__ = ["Use", "enforcing", "refuse", "use"]


class Use:
    """A field that is used, and where: made once for each statement, and asked for at each run.

    Args:
        field: The field's name as errors show it, such as ``"Account.phone"``.
        policy: What it may be used for.
        where: What uses it, in words: ``"WHERE of a SQL statement"``.
        mode: The mode of its model, or None for the configured one.
    """

    __slots__ = ("_binding",)

    def __init__(self, field: str, policy: Policy, where: str, mode: config.Mode | None = None) -> None:
        self._binding = Binding(field, policy, mode, where)

    @property
    def field(self) -> str:
        return self._binding.field

    @property
    def where(self) -> str:
        return self._binding.where

    @property
    def policy(self) -> Policy:
        return self._binding.policy


def use(uses: Iterable[Use]) -> None:
    """Let each of `uses` pass, or refuse it.

    Raises:
        PurposeViolation: A field's tag does not cover the active purposes, or no purpose is active.

    Example:
        >>> from purposebind import AllowedFor, NoActivePurpose, Purpose
        >>> tag = AllowedFor(Purpose("billing", "Write invoices"))
        >>> try:
        ...     use([Use("Account.iban", tag.policy, "WHERE of a SQL statement")])
        ... except NoActivePurpose as violation:
        ...     violation.where
        'WHERE of a SQL statement'
    """
    for one in uses:
        admit(one._binding)


def enforcing() -> bool:
    """Whether a read that is not covered would be raised here, and not observed, or let through by break-glass."""
    current, frame = config.current, current_frame()
    if current.mode == "observe" or (current.unscoped == "observe" and not frame.active):
        return False
    return not (frame.in_emergency and current.ledger is not None)


def refuse(what: str, problem: str) -> None:
    """Refuse what cannot be weighed, whatever the purpose. In observe mode it is told of as a denial, and passes (R11).

    Args:
        what: What it is, such as ``"A SQL statement"``: the field of the denial.
        problem: The whole text of the error: what happened and the ways out.

    Raises:
        PolicyError: In enforce mode.
    """
    if config.current.mode == "enforce":
        _raise(problem)
    admit(Binding(what, _NOBODY, where=problem))


_NOBODY = Policy(frozenset[Purpose]())


def _raise(problem: str) -> NoReturn:
    raise PolicyError(problem)
