"""Shipping: the batches of many ledgers, in one PostgreSQL. Needs the extra ``ship``."""

from __future__ import annotations

from .database import has_password
from .delivery import Shipped, ship

__all__ = ["Shipped", "has_password", "ship"]
