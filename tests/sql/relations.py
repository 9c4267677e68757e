"""The tagged schema that the fuzzer queries, as both databases and the analyser know it.

Names are chosen to be confused: ``phone`` is tagged in two tables and not in a third, and views rename what they show.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from purposebind.integrations.sql import Catalog, Relation, TaggedColumn
from purposebind.policy import Policy

if (_HERE := str(Path(__file__).parents[1])) not in sys.path:  # as a command: pytest has put it there
    sys.path.append(_HERE)

from purposes import ADVERTISING, RECOVERY, SECURITY, TWO_FACTOR

__all__ = ["DDL", "POLICIES", "TABLES", "VIEWS", "Dialect", "Table", "View", "catalog"]

Dialect = Literal["sqlite", "postgresql"]

POLICIES = {
    "account.phone": Policy([TWO_FACTOR]),
    "account.email": Policy([SECURITY]),
    "account.score": Policy([RECOVERY]),
    "device.serial": Policy([SECURITY], never=[RECOVERY]),
    "audience.phone": Policy([ADVERTISING]),
}
"""The tagged columns, and what each is allowed for."""


@dataclass(frozen=True)
class Table:
    """A table: its columns and their types, and which of them are unique."""

    name: str
    columns: dict[str, str]
    unique: tuple[str, ...] = ("id",)


@dataclass(frozen=True)
class View:
    """A view: its SELECT, the types of its columns, the tagged ones that each shows, and those its rows depend on."""

    name: str
    definition: str
    columns: dict[str, str]
    shows: dict[str, str] = field(default_factory=dict)
    rows: tuple[str, ...] = ()


TABLES = (
    Table(
        "account",
        {"id": "int", "handle": "text", "phone": "text", "email": "text", "score": "int", "bio": "text"},
        ("id", "handle", "phone", "email"),
    ),
    Table("device", {"id": "int", "account_id": "int", "phone": "text", "serial": "text", "model": "text"}),
    Table("audience", {"id": "int", "phone": "text", "weight": "int"}),
    Table("note", {"id": "int", "account_id": "int", "body": "text"}),
)

VIEWS = (
    View("handles", "SELECT id, handle FROM account", {"id": "int", "handle": "text"}),
    View(
        "contacts",
        "SELECT id, handle AS name, email AS contact FROM account",
        {"id": "int", "name": "text", "contact": "text"},
        shows={"contact": "account.email"},
    ),
    View(
        "reachable",
        "SELECT id, handle FROM account WHERE phone IS NOT NULL",
        {"id": "int", "handle": "text"},
        rows=("account.phone",),
    ),
    View(
        "loud",
        "SELECT id, upper(phone) AS shout FROM account",
        {"id": "int", "shout": "text"},
        shows={"shout": "account.phone"},
    ),
    View(
        "nested",
        "SELECT name, contact FROM contacts",
        {"name": "text", "contact": "text"},
        shows={"contact": "account.email"},
    ),
)

_TYPES = {"int": "INTEGER", "text": "TEXT"}


def _ddl() -> list[str]:
    made = []
    for table in TABLES:
        columns = [
            f"{name} {_TYPES[kind]}" + (" PRIMARY KEY" if name == "id" else " UNIQUE" if name in table.unique else "")
            for name, kind in table.columns.items()
        ]
        made.append(f"CREATE TABLE {table.name} ({', '.join(columns)})")
    return [*made, *(f"CREATE VIEW {view.name} AS {view.definition}" for view in VIEWS)]


DDL = _ddl()
"""What makes the schema, in either database."""


def catalog(dialect: Dialect) -> Catalog:
    """Return the schema as the analyser is told of it: the views by their text alone."""
    tagged: dict[str, dict[str, TaggedColumn]] = {}
    for key, policy in POLICIES.items():
        table, name = key.split(".")
        tagged.setdefault(table, {})[name] = TaggedColumn(table, name, f"{table.title()}.{name}", policy)
    relations = [Relation(t.name, tuple(t.columns), tagged.get(t.name, {})) for t in TABLES]
    relations += [Relation(v.name, tuple(v.columns), {}, definition=v.definition) for v in VIEWS]
    return Catalog(dialect, relations)
