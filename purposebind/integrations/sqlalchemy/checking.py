"""The statements of one engine: what each of them uses, worked out once and asked for at each run.

What this module keeps:

- **R1** A statement is a use of every tagged column that it reads.
- **R8** A tagged column that is copied where its policy would not hold is refused, whatever the purpose.
- **R9** A statement that cannot be weighed is refused.
- **R7** What is told of a statement are the names of fields and clauses.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from purposebind.integrations.sql import Catalog, Copy, Relation, Verdict, weigh
from purposebind.integrations.sql import Use as SqlUse
from purposebind.using import Use, refuse, use

from .cataloging import Run, declared, joined, look
from .moving import Moved

__all__ = ["Checker", "Prepared"]

_AT_MOST: Final = 4096
_CHANGES: Final = re.compile(r"\b(CREATE|ALTER|DROP|ATTACH|DETACH|IMPORT)\b", re.IGNORECASE)
_CHANGES_NOTHING: Final = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE)\b[^;]*\Z", re.IGNORECASE)
"""A statement in which such a word is the name of a column, or a part of a value."""
_WAY_OUT: Final = (
    "Ways out:\n"
    "  - write it in a form that can be weighed, or with SQLAlchemy's select(), insert() and so on;\n"
    "  - a table or function of your own that the guard does not know: name it where the engine is guarded, "
    "guard(engine, metadata, relations=[...], functions=[...])."
)


@dataclass(frozen=True)
class Prepared:
    """What a statement comes to.

    Attributes:
        uses: What it uses.
        refusal: Why it is refused whatever the purpose, or None.
        moves: Whether it brings tagged columns back sealed.
        touches: The tagged tables that it reads or writes.
        unweighed: Whether it could not be weighed, so that it may touch anything.
    """

    uses: tuple[Use, ...]
    refusal: str | None
    moves: bool
    touches: frozenset[str]
    unweighed: bool


class Checker:
    """Weighs the statements of one engine.

    Args:
        dialect: Its database.
        known: The tables with their tags.
        relations: Tables without tags that are in no metadata, by name.
        functions: Functions that read no table by themselves, by name.
    """

    def __init__(
        self,
        dialect: Literal["postgresql", "sqlite"],
        known: Callable[[], list[Relation]],
        relations: Iterable[str] = (),
        functions: Iterable[str] = (),
    ) -> None:
        self._dialect: Final = dialect
        self._known_now: Final = known
        self._wanted: Final = tuple(relations)
        self._functions: Final = tuple(functions)
        self._seen: list[Relation] = []
        self._looked = False
        self._lock: Final = threading.Lock()
        self._catalog: Catalog | None = None
        self._declared = declared()
        self._prepared: dict[tuple[str, Moved, bool], Prepared] = {}

    def check(self, statement: str, moved: Moved = (), composed: bool = False, run: Run | None = None) -> Prepared:
        """Let a statement pass, or refuse it.

        Args:
            statement: Its final text.
            moved: The places of its result that come back sealed, each with the policy that it is sealed under.
            composed: Whether its inner queries select entities.
            run: Runs a query of ours on the connection, where one can be run now.

        Raises:
            PurposeViolation: It uses a column whose tag does not cover the active purposes.
            PolicyError: It cannot be weighed, or copies a column where its policy would not hold.
        """
        if self._declared != declared():
            self._redeclared()
        prepared = self._prepared.get((statement, moved, composed))
        if prepared is None:
            prepared = self._prepare(statement, moved, composed, run)
        if prepared.refusal is not None:
            refuse("A SQL statement", prepared.refusal)
        if prepared.uses:
            use(prepared.uses)
        return prepared

    def looked(self, run: Run) -> None:
        """Look at the database once, before anything is run there."""
        if not self._looked:
            self.look(run)

    def look(self, run: Run) -> None:
        """Look at the database, for its views and for what `relations` names."""
        names = [one.name for one in self._known_now()]
        seen = look(self._dialect, run, names, self._wanted)
        with self._lock:
            self._seen, self._looked, self._catalog = seen, True, None
            self._prepared = {}

    def changed(self) -> None:
        """Forget what is known of the database: a statement changed it."""
        with self._lock:
            self._looked, self._catalog, self._prepared = False, None, {}

    def _redeclared(self) -> None:
        """Forget what was worked out: a column was declared since, or tagged."""
        with self._lock:
            self._declared, self._catalog, self._prepared = declared(), None, {}

    def _prepare(self, statement: str, moved: Moved, composed: bool, run: Run | None) -> Prepared:
        if run is not None:
            self.looked(run)
        verdict = weigh(statement, self._current(), dict(moved), composed=composed)
        if verdict.unknown and run is not None:  # made since, by somebody else
            self.look(run)
            verdict = weigh(statement, self._current(), dict(moved), composed=composed)
        prepared = _prepared(verdict)
        if verdict.problem is None:  # what cannot be weighed now may be the next time
            with self._lock:
                if len(self._prepared) >= _AT_MOST:
                    self._prepared = {}
                self._prepared[statement, moved, composed] = prepared
        if _CHANGES.search(statement) and not _CHANGES_NOTHING.match(statement):
            self.changed()
        return prepared

    def _current(self) -> Catalog:
        catalog = self._catalog
        if catalog is None:
            catalog = self._catalog = joined(
                self._dialect, self._known_now(), self._seen, self._functions, self._wanted
            )
        return catalog


def _prepared(verdict: Verdict) -> Prepared:
    refusal = None
    if verdict.problem is not None:
        refusal = f"A SQL statement was not run, because what it uses cannot be told: {verdict.problem}.\n{_WAY_OUT}"
    elif verdict.parted is not None:
        refusal = (
            f"A SQL statement was not run: {verdict.parted}.\nWays out:\n  - set the attribute of an entity, and let "
            "its session write both;\n  - or set both, in one statement, in the table itself."
        )
    elif verdict.copies:
        refusal = _copied(verdict.copies[0])
    uses = tuple(Use(one.column.field, one.column.policy, _where(one)) for one in verdict.uses)
    return Prepared(uses, refusal, verdict.moves, verdict.touches, verdict.problem is not None)


def _where(use: SqlUse) -> str:
    where = f"{use.clause} of a SQL statement"
    if not use.column.policy.allowed and use.column.varies:
        return f"{where}, which cannot ask each row what it was collected for: load entities, and read their attributes"
    if use.column.policy.consent:
        return f"{where}, which can ask no data subject: load entities, and read their attributes"
    if use.column.varies:
        return f"{where}, which cannot ask each row when it was collected: load entities, and read their attributes"
    return where


def _copied(copy: Copy) -> str:
    if copy.source.varies:
        return (
            f"{copy.source.field} may not be copied into {copy.target} by a SQL statement: each of its rows says for "
            "itself what it was collected for, or when, and that would not go along.\n"
            "Ways out:\n  - load entities, and set the attribute of the others to what these hold;\n"
            "  - or write the copy by code that reads it, in a scope that its tag covers."
        )
    allowed = f"is allowed for {copy.target_policy}" if copy.target_policy is not None else "has no tag"
    return (
        f"{copy.source.field} may not be copied into {copy.target} by a SQL statement: it is allowed for "
        f"{copy.source.policy}, and the copy {allowed}, which is more.\n"
        f"Ways out:\n  - tag the column it is copied into, as narrow as {copy.source.field} or narrower;\n"
        f"  - write the copy by code that reads it, in a scope that its tag covers."
    )
