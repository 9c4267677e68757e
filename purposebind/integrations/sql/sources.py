"""What a query reads from: relations, other queries, functions; and which tagged columns each of their columns shows.

What this module keeps: what a source shows under another name is still the tagged column it came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from sqlglot import exp

from .catalog import Relation, TaggedColumn

__all__ = ["EXCLUDED", "NOTHING", "CommonTable", "Flows", "Output", "Scope", "Shown", "Source", "renamed"]

Flows = frozenset[TaggedColumn]
NOTHING: Final[Flows] = frozenset()
EXCLUDED: Final = "excluded"
"""What an ON CONFLICT calls the row that was not inserted."""


@dataclass(frozen=True)
class Output:
    """A column that a query gives.

    Attributes:
        name: In lower case; empty where it has none.
        flows: The tagged columns whose values reach it.
        facts: Those that it tells something about, in a view: what a comparison or a count gives.
        bare: Whether a tagged column stands there as it is.
    """

    name: str
    flows: Flows
    facts: Flows = NOTHING
    bare: bool = True

    @property
    def tells(self) -> Flows:
        """What it says anything about."""
        return self.flows | self.facts


@dataclass(frozen=True)
class Shown:
    """What a view shows.

    Attributes:
        columns: Its columns.
        rows: The tagged columns that decide which rows there are.
        touches: The tables with tagged columns behind it.
        problems: Why it cannot be read.
        unknown: Relations in it that are not known.
    """

    columns: tuple[Output, ...] = ()
    rows: Flows = NOTHING
    touches: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass
class Source:
    """One entry of a FROM.

    Attributes:
        alias: The name under which its columns are reached.
        outputs: Its columns.
        relations: The relations it is, where it is one.
        query: The query it is, where it is one.
        open: Whether it may have further columns, which show `everything`.
        everything: What all of it shows.
        system: Whether it has the columns that every table has.
        renamed: Whether a list of aliases hides its own names.
    """

    alias: str
    outputs: list[Output] = field(default_factory=list[Output])
    relations: tuple[Relation, ...] = ()
    query: exp.Expr | None = None
    open: bool = False
    system: bool = False
    renamed: bool = False
    extra: Flows = NOTHING

    @property
    def everything(self) -> Flows:
        return self.extra.union(*(one.flows for one in self.outputs))

    @property
    def tells(self) -> Flows:
        """What all of it says anything about."""
        return self.extra.union(*(one.tells for one in self.outputs))

    def has(self, name: str) -> bool:
        return any(one.name == name for one in self.outputs)

    def told(self, name: str) -> Flows:
        return NOTHING.union(*(one.tells for one in self.outputs if one.name == name))

    def flows(self, name: str) -> Flows:
        return NOTHING.union(*(one.flows for one in self.outputs if one.name == name))


@dataclass
class CommonTable:
    """An entry of a WITH, read when it is first named.

    Attributes:
        node: The entry.
        around: The entries that its own query may name.
        scope: The scope that its query stands in.
        recursive: Whether it may name itself.
        outputs: What it gives, once it is known; what is known of it, while it is read.
        reading: Whether it is being read.
        named_itself: Whether it did.
    """

    node: exp.Expr
    around: dict[str, CommonTable]
    scope: Scope | None
    recursive: bool
    outputs: list[Output] | None = None
    reading: bool = False
    named_itself: bool = False


@dataclass
class Scope:
    """The names that can be reached from one place: those of its own sources, then those around it."""

    node: exp.Expr
    parent: Scope | None
    tables: dict[str, CommonTable]
    sources: list[Source] = field(default_factory=list[Source])
    aliases: dict[str, list[exp.Expr]] = field(default_factory=dict[str, list[exp.Expr]])

    def chain(self) -> Iterator[Scope]:
        """Yield this scope, and those around it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def shown(self) -> list[Source]:
        """Return the sources that a star means."""
        return [one for one in self.sources if not (one.alias == EXCLUDED and isinstance(self.node, exp.Insert))]

    def named(self, alias: str) -> list[Source]:
        """Return the nearest sources that are reached under a name."""
        for scope in self.chain():
            found = [one for one in scope.sources if one.alias == alias]
            if found:
                return found
        return []


def renamed(outputs: list[Output], columns: list[str]) -> list[Output]:
    """Return columns under the names of a list of aliases."""
    return [replace(one, name=columns[i] if i < len(columns) else one.name) for i, one in enumerate(outputs)]
