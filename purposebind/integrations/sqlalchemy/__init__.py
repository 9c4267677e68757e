"""SQLAlchemy 2, sync and async, ORM and Core. Needs the extra ``sqlalchemy``.

What this package keeps:

- **R1** Entities are sealed at rest, as models are, and a statement is a use: a tagged column anywhere but in the
  loading of an entity needs the active purposes, before the statement reaches the database.
- **R8** A tagged column is not copied into one with a wider policy, in SQL or while sealed.

Importing this package makes tags on mapped classes count. `guard` makes an engine's statements uses; how a statement's
text is read is in `purposebind.integrations.sql`.
"""

from __future__ import annotations

from purposebind import PurposeError

try:
    import sqlalchemy
    import sqlglot
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in ("sqlalchemy", "sqlglot"):
        raise
    raise PurposeError(
        f"The SQLAlchemy integration needs {error.name}, which is not installed. Install it with: "
        "pip install 'purposebind[sqlalchemy]'"
    ) from None

from . import drivers
from .collected_type import CollectedFor
from .consents import SQLAlchemyConsents
from .guarding import guard, moves_entities
from .models import to_model
from .sealed_type import SealedType, policy_of
from .tagging import listen as _listen_to_mappers
from .unguarded import listen as _listen_to_engines

__all__ = [
    "CollectedFor",
    "SQLAlchemyConsents",
    "SealedType",
    "drivers",
    "guard",
    "moves_entities",
    "policy_of",
    "to_model",
]

_listen_to_mappers()
_listen_to_engines()

del sqlalchemy, sqlglot
