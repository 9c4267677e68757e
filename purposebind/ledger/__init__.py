"""The ledger: whose data was read, for what, by which code. Needs the extra ``ledger`` for its questions.

What records needs nothing but the core: a service installs the extra only where it asks.
"""

from .errors import LedgerError
from .key import Key
from .ledger import Ledger
from .results import (
    Activity,
    Affected,
    Bucket,
    Cell,
    DamageFound,
    DenialUse,
    Emergency,
    Handover,
    HandoverUse,
    LostReads,
    SiteUse,
    Use,
)

__all__ = [
    "Activity",
    "Affected",
    "Bucket",
    "Cell",
    "DamageFound",
    "DenialUse",
    "Emergency",
    "Handover",
    "HandoverUse",
    "Key",
    "Ledger",
    "LedgerError",
    "LostReads",
    "SiteUse",
    "Use",
]
