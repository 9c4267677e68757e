"""Engines for the tests of everyday code: guarded or not, on empty databases of both kinds."""

from __future__ import annotations

from typing import Any

from postgres_server import running
from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.pool import StaticPool

from purposebind.integrations.sqlalchemy import guard

__all__ = ["closed", "made"]

_made: list[Engine] = []


def made(dialect: str, *metadata: MetaData, guarded: bool = True, **options: Any) -> Engine:
    """An engine on an empty database."""
    registered = {name: options.pop(name) for name in ("relations", "functions") if name in options}
    if dialect == "sqlite":
        options.setdefault("connect_args", {"check_same_thread": False})
        engine = create_engine("sqlite://", poolclass=StaticPool, **options)
    else:
        dsn = options.pop("dsn", None) or running().new_database()
        engine = create_engine("postgresql+psycopg:///?" + dsn.replace(" ", "&"), **options)
    _made.append(engine)
    return guard(engine, *metadata, **registered) if guarded else engine


def closed() -> None:
    """Close what was made here."""
    while _made:
        _made.pop().dispose()
