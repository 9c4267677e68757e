"""What each role may select, worked out from the tags and nothing else.

What this module keeps:

- **R2**, **R3** The verdict is the library's own: `decide` is asked for each column and each set of purposes.
- The server asks no data subject, and no row when it was collected, or what for. So what is allowed on such a condition
  is nobody's to select but the loader's.
- A table is one of the metadata's; what no tag is known of in a table with tags is open to nobody by this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from purposebind import PolicyError, Purpose
from purposebind.errors import UNRECOGNIZED
from purposebind.purpose import require_purposes

from .naming import Names

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from purposebind.policy import Policy

__all__ = ["Rights", "Role", "TableRights", "rights_of"]


@dataclass(frozen=True)
class Role:
    """A role: its name, and the purposes that it stands for; None for the loader, which moves everything sealed.

    `check` holds logins, which stand for no purpose, to the same. `selects` are the tagged columns that one may select
    as it is, which is told of elsewhere.
    """

    name: str
    purposes: frozenset[Purpose] | None
    selects: frozenset[str] = frozenset()

    def __str__(self) -> str:
        if self.purposes is None:
            return "loading entities, sealed"
        return ", ".join(sorted(purpose.name for purpose in self.purposes)) or "no purpose"


@dataclass(frozen=True)
class TableRights:
    """A table of the metadata, its columns in order, and the policies of those that are tagged."""

    schema: str
    name: str
    columns: tuple[str, ...]
    tags: Mapping[str, Policy]
    sequences: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    def readable(self, role: Role) -> tuple[str, ...]:
        """Return the columns that `role` may select."""
        return tuple(column for column in self.columns if self.reads(role, column))

    def reads(self, role: Role, column: str) -> bool:
        """Return whether `role` may select `column`."""
        policy = self.tags.get(column)
        if policy is None or role.purposes is None or f"{self}.{column}" in role.selects:
            return True
        return _allowed(policy, role.purposes)


@dataclass(frozen=True)
class Rights:
    """All tables and all roles, ordered by name."""

    names: Names
    tables: tuple[TableRights, ...]
    roles: tuple[Role, ...]

    @property
    def schemas(self) -> tuple[str, ...]:
        """The schemas that the tables are in."""
        return tuple(sorted({table.schema for table in self.tables}))

    def reads_nothing(self, purposes: frozenset[Purpose]) -> bool:
        """Return whether no tagged column may be read for `purposes`: then "no purpose" is the same to the server."""
        policies = {policy for table in self.tables for policy in table.tags.values()}
        return not any(_allowed(policy, purposes) for policy in policies)


def rights_of(
    metadata: MetaData | Iterable[MetaData],
    sets: Iterable[Iterable[Purpose]] = (),
    *,
    prefix: str = "purposebind",
    schema: str = "public",
) -> Rights:
    """Work out what each role may select.

    Args:
        metadata: The tables; tags are found on their columns.
        sets: Sets of several purposes that are active together. Each declared purpose alone has a role anyway.
        prefix: What the roles' names begin with.
        schema: The schema of tables that name none.

    Raises:
        PolicyError: No table has a tag, or a prefix or set is none.
    """
    names = Names(prefix)
    tables = {(table.schema, table.name): table for table in _tables(metadata, schema)}
    if not any(table.tags for table in tables.values()):
        raise PolicyError(
            "No column of this metadata has a tag, so there is nothing to write grants for. Import the modules that "
            "define the tables, and tag a column with AllowedFor(...)."
        )
    wanted = {frozenset(require_purposes(tuple(purposes))) for purposes in sets}
    wanted |= {frozenset([purpose]) for purpose in Purpose.declared() if purpose.name != UNRECOGNIZED}
    roles = [Role(names.none, frozenset()), Role(names.loader, None)]
    roles += [Role(names.of(purposes), purposes) for purposes in wanted if purposes]
    roles.sort(key=lambda role: role.name)
    assert len({role.name for role in roles}) == len(roles)
    return Rights(names, tuple(tables[key] for key in sorted(tables)), tuple(roles))


def _tables(metadata: MetaData | Iterable[MetaData], default: str) -> Iterable[TableRights]:
    from sqlalchemy import MetaData, Sequence
    from sqlalchemy.orm import configure_mappers

    configure_mappers()  # a tag in a Mapped annotation is on its column from then on
    for one in [metadata] if isinstance(metadata, MetaData) else metadata:
        for table in one.tables.values():
            policies = {column.name: _certain(column) for column in table.columns}
            made = [column.default for column in table.columns if isinstance(column.default, Sequence)]
            yield TableRights(
                table.schema or default,
                table.name,
                tuple(policies),
                {name: policy for name, policy in policies.items() if policy is not None},
                tuple((sequence.schema or table.schema or default, sequence.name) for sequence in made),
            )


def _allowed(policy: Policy, purposes: frozenset[Purpose]) -> bool:
    from purposebind.policy import decide

    decision = decide(policy, purposes)
    return decision.allowed and not decision.consent and policy.retain is None


def _certain(column: Any) -> Policy | None:
    """What each value of a column may be used for, whatever its row says."""
    from purposebind.integrations.sqlalchemy import SealedType

    return column.type.certain if isinstance(column.type, SealedType) else None
