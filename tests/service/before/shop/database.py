"""The shop's database."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from . import settings

engine = create_engine(settings.DATABASE)


@contextmanager
def transaction() -> Iterator[Session]:
    """A session whose changes are kept if the block ends well."""
    with Session(engine) as session, session.begin():
        yield session
