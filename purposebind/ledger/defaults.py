"""How a ledger is written where nobody says otherwise."""

from __future__ import annotations

from typing import Final

__all__ = ["INTERVAL", "SEGMENT_BYTES", "SEGMENT_SECONDS"]

SEGMENT_BYTES: Final = 16 << 20
"""The size of a segment: 349,440 records."""
INTERVAL: Final = 1.0
"""Seconds between two writes to the disk, and between two marks of time."""
SEGMENT_SECONDS: Final = 3600.0
"""Seconds until a segment is closed that is not full: what is in the chain by then cannot be taken out unnoticed."""
