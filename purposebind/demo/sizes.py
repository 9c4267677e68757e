"""How large the replay is, where nobody says."""

from __future__ import annotations

from typing import Final

__all__ = ["DEFAULT_ACCOUNTS", "DEFAULT_SEED"]

DEFAULT_ACCOUNTS: Final = 50_000
DEFAULT_SEED: Final = 2019
