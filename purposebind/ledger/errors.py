"""The errors of the ledger. Like all errors of the library, they hold no personal data."""

from __future__ import annotations

from purposebind import PurposeError

__all__ = ["LedgerError"]


class LedgerError(PurposeError):
    """A ledger cannot be written, read or believed; the message says which, where, and what to do."""
