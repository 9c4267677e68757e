"""What a database holds, as far as statements on it are concerned: relations, their columns, and the tags on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from purposebind.policy import Policy

__all__ = ["Catalog", "Dialect", "Relation", "TaggedColumn"]

Dialect = Literal["postgresql", "sqlite"]

_DEFAULT_SCHEMAS: Final = {"postgresql": frozenset({"public"}), "sqlite": frozenset({"main", "temp"})}


@dataclass(frozen=True)
class TaggedColumn:
    """A column under a policy.

    Attributes:
        table: Its table, such as ``"account"`` or ``"crm.account"``.
        name: Its name in the database.
        field: Its name in errors, such as ``"Account.phone"``.
        policy: What any of its values may be used for, whatever its row says.
        varies: Whether other columns of its row say more of each value, which do not go along where it is copied.
        beside: The names of these columns, where they are known.
    """

    table: str
    name: str
    field: str
    policy: Policy
    varies: bool = False
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Relation:
    """A table or a view.

    Attributes:
        name: Its name in the database.
        columns: The names of its columns, in their order.
        tagged: Its tagged columns, by their names.
        schema: Its schema, or None where it is the database's usual one.
        definition: A view's SELECT.
        listed: Whether `columns` are all that it has; a table that is known by its name alone may have any.
        companions: By the names of columns that say what others were collected for, the names of these.
        twin: Whether it is a mapped table over again in another schema, a tenant's. Where a name may mean both,
            it means the mapped one, which has the same tags.
    """

    name: str
    columns: tuple[str, ...]
    tagged: Mapping[str, TaggedColumn] = field(default_factory=dict[str, TaggedColumn])
    schema: str | None = None
    definition: str | None = None
    listed: bool = True
    twin: bool = False
    companions: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def label(self) -> str:
        """The relation's name as messages show it."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


class Catalog:
    """The relations that statements may name, and the functions known to be harmless besides the usual ones.

    It does not change once it is made.

    Args:
        dialect: ``"postgresql"`` or ``"sqlite"``.
        relations: Tables and views.
        functions: Names of functions that read no table by themselves, such as ``"crm.initials"``.
    """

    def __init__(self, dialect: Dialect, relations: Iterable[Relation], functions: Iterable[str] = ()) -> None:
        if dialect not in _DEFAULT_SCHEMAS:
            raise ValueError(f"No such dialect: {dialect!r}. There are postgresql and sqlite.")
        self.dialect: Final[Dialect] = dialect
        self.relations: Final = tuple(relations)
        self.functions: Final = frozenset(name.lower() for name in functions)
        by_name: dict[str, list[Relation]] = {}
        for relation in self.relations:
            by_name.setdefault(relation.name.lower(), []).append(relation)
        self._by_name: Final = by_name
        self._views: Final[dict[int, object]] = {}

    def find(self, name: str, schema: str | None = None) -> list[Relation]:
        """Return the relations that a name may mean: without a schema, those of any schema.

        Args:
            name: As it stands in the statement.
            schema: What it is qualified with.
        """
        found = self._by_name.get(name.lower(), [])
        if schema is not None:
            wanted = schema.lower()
            usual = wanted in _DEFAULT_SCHEMAS[self.dialect]
            found = [one for one in found if (one.schema.lower() == wanted if one.schema else usual)]
        return [one for one in found if not one.twin] or list(found)

    def tables_with_tags(self) -> Iterator[Relation]:
        """Yield the relations that hold tagged columns themselves."""
        return (one for one in self.relations if one.tagged)

    @property
    def views(self) -> dict[int, object]:
        """What `views` has read of this catalog's views, by the relation's identity."""
        return self._views
