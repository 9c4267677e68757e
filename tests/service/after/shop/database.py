"""The shop's database."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from purposebind.integrations.postgres import assume_roles
from purposebind.integrations.sqlalchemy import guard

from . import settings
from .tables import Base

engine = guard(create_engine(settings.DATABASE), Base.metadata)
if engine.dialect.name == "postgresql":
    assume_roles(engine, Base.metadata, prefix="shop")


@contextmanager
def transaction() -> Iterator[Session]:
    """A session whose changes are kept if the block ends well."""
    with Session(engine) as session, session.begin():
        yield session
