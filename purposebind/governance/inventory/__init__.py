"""The record of processing activities of GDPR article 30, written from the tags that are enforced.

Reading what people wrote down needs the extra ``governance``, and so does YAML; a ledger needs the extra ``ledger``.

What this package keeps:

- **R2** What stands in the record as permitted is what a read would be decided by, and nothing else.

`inventory` makes the record, `filled` reads what people wrote down beside it, and `FORMS` has the ways to write it.
"""

from __future__ import annotations

from .filling import Filled, InventoryError, filled
from .forms import FORMS
from .record import Record, inventory

__all__ = ["FORMS", "Filled", "InventoryError", "Record", "filled", "inventory"]
