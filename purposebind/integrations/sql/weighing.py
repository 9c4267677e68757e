"""The verdict on a statement, put together.

What this module keeps (R1): a name of a tagged column in the text that the tree does not account for is a use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from purposebind.policy import Policy

from .accounting import lost, uncalled
from .catalog import Catalog, TaggedColumn
from .copying import apart, copied, kept
from .kind import Harmless, Query, Refused
from .kinds import admit
from .lexing import Token, Unreadable, folded, lex, statements
from .mentions import Mentions
from .moving import Moving
from .parsing import calls, parse
from .scoping import Reading
from .sources import Output, Scope
from .verdict import Copy, Use, Verdict
from .views import view_in

__all__ = ["weigh"]


def weigh(sql: str, catalog: Catalog, moved: Collection[int] = (), *, composed: bool = False) -> Verdict:
    """Say what a statement does with tagged columns. Pure.

    Args:
        sql: The final text, in the dialect of the catalog.
        catalog: What the database holds.
        moved: The positions, from 0, of the outermost select list or RETURNING whose values come back sealed; with
            the policies that they are sealed under, where it is a mapping.
        composed: Whether its inner queries select entities. What they give and nobody names is no use then: rows that
            are counted, or found to exist. In a text that somebody wrote, each mention is one.

    Example:
        >>> from purposebind.integrations.sql import Catalog, Relation, weigh
        >>> weigh("SELECT body FROM note", Catalog("sqlite", [Relation("note", ("id", "body"))])).uses
        ()
    """
    try:
        parts = statements(lex(sql, catalog.dialect))
        alone = len(parts) == 1
        found = [_weigh(part, catalog, moved if alone else (), composed and alone) for part in parts]
    except Unreadable as error:
        return Verdict(problem=str(error))
    except RecursionError:
        return Verdict(problem="it is nested too deep. Write it in several statements")
    return found[0] if len(found) == 1 else _joined(found)


def _weigh(tokens: list[Token], catalog: Catalog, moved: Collection[int], composed: bool) -> Verdict:
    admitted = admit(tokens, catalog)
    if isinstance(admitted, Refused):
        return Verdict(problem=admitted.problem)
    if isinstance(admitted, Harmless):
        return Verdict(touches=admitted.touches)
    return _query(admitted, catalog, moved if admitted.plain else (), composed and admitted.plain)


def _query(query: Query, catalog: Catalog, moved: Collection[int], composed: bool) -> Verdict:
    tokens = folded(query.tokens, catalog.dialect)
    root = parse(tokens, catalog)
    reading = Reading(catalog, lambda relation: view_in(catalog, relation))
    outputs = reading.build(root, None, {})
    moving = Moving(root, reading, _alike(outputs, moved))
    if composed:
        moving.drop(root)
    mentions = Mentions(reading, moving.sealed, moving.compared)
    scope = reading.scopes.get(id(root)) or Scope(root, None, {})
    mentions.walk(root, scope, "the select list")
    mentions.unlike(query.conflict)
    touches: set[str] = {relation.label for relation in reading.relations.values() if relation.tagged}
    for relation, shown in reading.views:
        mentions.use(shown.rows, f"the view {relation.label}")
        touches |= shown.touches
    lost(tokens, reading, mentions)
    copies = list(copied(mentions.writes, reading))
    copies += _relabelled(outputs, moved, moving.moved)
    if query.makes is not None:
        copies += kept(outputs, *query.makes, catalog)
    problems = [*reading.problems, *mentions.problems, *uncalled(calls(tokens, catalog), mentions)]
    return Verdict(
        tuple(Use(column, query.clause or clause) for column, clause in mentions.uses.items()),
        tuple(dict.fromkeys(copies)),
        problems[0] if problems else None,
        tuple(dict.fromkeys(reading.unknown)),
        mentions.moves,
        frozenset(touches),
        next(apart(mentions.writes, reading), None),
    )


def _alike(outputs: Sequence[Output], moved: Collection[int]) -> Collection[int]:
    """Leave out the positions where columns of several policies meet, and nobody says which it is to be."""
    if isinstance(moved, Mapping):
        return moved
    return [i for i in moved if i < len(outputs) and len({column.policy for column in outputs[i].flows}) < 2]


def _relabelled(outputs: Sequence[Output], moved: Collection[int], sealed: Collection[int]) -> Iterator[Copy]:
    """Yield the columns that come back sealed under a wider policy than their own."""
    if isinstance(moved, Mapping):
        for position in sorted(sealed):
            policy: Policy = moved[position]
            for column in outputs[position].flows:
                if policy.allows_more_than(column.policy):
                    yield Copy(column, f"column {position + 1} of the result", policy)


def _joined(verdicts: list[Verdict]) -> Verdict:
    uses: dict[TaggedColumn, Use] = {}
    copies: dict[Copy, None] = {}
    for one in verdicts:
        for use in one.uses:
            uses.setdefault(use.column, use)
        copies.update(dict.fromkeys(one.copies))
    return Verdict(
        tuple(uses.values()),
        tuple(copies),
        next((one.problem for one in verdicts if one.problem), None),
        tuple(dict.fromkeys(name for one in verdicts for name in one.unknown)),
        touches=frozenset().union(*(one.touches for one in verdicts)),
        parted=next((one.parted for one in verdicts if one.parted), None),
    )
