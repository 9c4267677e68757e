"""A service with tagged tables, for what the commands find in its text."""

from __future__ import annotations

import postgres_tables
from purposes import ADVERTISING, RECOVERY, SECURITY

from purposebind import Purpose, purpose_scope

metadata = postgres_tables.Base.metadata
Base = postgres_tables.Base
COMBINED = purpose_scope(RECOVERY, ADVERTISING)


@purpose_scope(SECURITY)
@purpose_scope(ADVERTISING)
def decorated() -> None: ...


def nested() -> None:
    with purpose_scope(ADVERTISING):
        for _ in range(3):
            with purpose_scope(Purpose.find("security.two_factor")):
                pass

        def elsewhere() -> None:
            with purpose_scope(RECOVERY):
                pass


def refined() -> None:
    with purpose_scope(SECURITY), purpose_scope(RECOVERY):
        pass


async def unknown(purpose: Purpose) -> None:
    async with purpose_scope(SECURITY, purpose):
        pass
