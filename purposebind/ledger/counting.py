"""Counting people: exactly, each once, in bounded memory.

What this module keeps:

- People are counted one partition after the other: nobody is in two. A partition that is too large is counted in parts
  in the same way, so memory does not grow with the ledger.
- People are the same only where they were hashed by one key: by several they are not counted at all.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final, TypeVar

from .engine import Engine, listed, load, quoted
from .errors import LedgerError
from .filters import Chosen
from .snapshot import View

__all__ = ["Asking", "Counted", "Joined", "NameRow", "aware"]

_PASS_ROWS: Final = 10_000_000
"""How many rows are counted together: some 0.5 GiB where all are of different people."""
_FEW_ROWS: Final = 1_000_000
"""How many rows are few enough for counting several partitions together."""
_MOST_PASSES: Final = 256
_SPLIT_BITS: Final = 52
"""The lowest of the bits by which a partition is split; the highest 4 of the 64 are the partition."""

_Group = TypeVar("_Group", bound=Hashable)


@dataclass(frozen=True)
class NameRow:
    """What rows are about, as it stands in ``names.parquet``."""

    what: int
    decision: str
    field: str
    purposes: tuple[str, ...]
    site: str | None
    reason: str | None


@dataclass(frozen=True)
class Counted:
    """How many people and reads, and when."""

    people: int
    reads: int
    unknown: int
    first: datetime
    last: datetime


class Asking:
    """Asks the files of a view.

    Args:
        engine: Reads them.
        view: The files.
    """

    def __init__(self, engine: Engine, view: View) -> None:
        self.engine = engine
        self.view = view

    def names(self) -> list[NameRow]:
        """Return what there are rows about."""
        files = self.view.tables["names"]
        if not files:
            return []
        rows = self.rows(
            f"SELECT DISTINCT ON (what) what, decision, field, purposes, site, reason FROM {listed(files)}"
        )
        return [NameRow(what, decision, field, tuple(p), *rest) for what, decision, field, p, *rest in rows]

    def rows(self, query: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows that answer a query."""
        return self.engine.execute(query, list(values)).fetchall()

    def require_one_key(self) -> None:
        """Check that people can be counted.

        Raises:
            LedgerError: They were hashed by several keys.
        """
        if len(self.view.keys) > 1:
            told = ", ".join(f"{key} in {place}" for key, place in sorted(self.view.keys.items()))
            raise LedgerError(
                f"People cannot be counted across keys, for nobody can tell who is the same person: {told}. Ask "
                "ledgers of one key by themselves"
            )

    def count_names(
        self, chosen: Chosen, group: Callable[[NameRow], Iterable[_Group]], *, bucket: str | None = None
    ) -> dict[tuple[_Group, datetime | None], Counted]:
        """Count the people in each group of names.

        Args:
            chosen: What is asked for.
            group: The groups that the reads of a name are in.
            bucket: Count each ``"hour"``, ``"day"``, ``"week"`` or ``"month"`` by itself.

        Returns:
            What was counted, by the group and the start of the time; None where all times are counted together.
        """
        numbers: dict[_Group, int] = {}
        pairs = []
        names = self.names()
        for name in names:
            if chosen.takes(name.decision, name.field, name.purposes, name.site):
                pairs += [(name.what, numbers.setdefault(one, len(numbers))) for one in group(name)]
        if not pairs:
            return {}
        everything = len(numbers) == 1 and len(pairs) == len(names)
        self.group_whats(pairs)
        joined = Joined("0" if everything else "g.grp", "" if everything else "JOIN grouped g ON g.what = r.what")
        groups = list(numbers)
        counted = self.count(joined, chosen, bucket=bucket)
        return {(groups[number], start): one for number, start, one in counted}

    def group_whats(self, pairs: list[tuple[int, int]]) -> None:
        """Make the table ``grouped``: which names are in which groups."""
        load(self.engine, "grouped", {"what": "UBIGINT", "grp": "UINTEGER"}, pairs)

    def count(
        self, joined: Joined, chosen: Chosen, *, bucket: str | None = None
    ) -> list[tuple[int, datetime | None, Counted]]:
        """Count the people in each group of rows, and return it with the group's number and the start of the time."""
        self.count_into_table(joined, chosen, bucket=bucket)
        return [
            (number, aware(start), Counted(people, reads, unknown, _moment(first), _moment(last)))
            for number, start, people, reads, unknown, first, last in self.rows("SELECT * FROM counted")
        ]

    def count_into_table(self, joined: Joined, chosen: Chosen, *, bucket: str | None = None) -> None:
        """Count the people in each group of rows, into the table ``counted``."""
        when = "NULL::TIMESTAMP" if bucket is None else f"""date_trunc('{bucket}', r."last")"""
        where = self.window(chosen)
        self.engine.execute(
            "CREATE OR REPLACE TEMP TABLE totals (grp UBIGINT, start TIMESTAMP, reads HUGEINT, unknown HUGEINT, "
            '"first" TIMESTAMP, "last" TIMESTAMP)'
        )
        self.engine.execute("CREATE OR REPLACE TEMP TABLE parts (grp UBIGINT, start TIMESTAMP, people UBIGINT)")
        files = [file for part in self.view.reads for file in part]
        # Those of unknown people are in the first partition: who is known need not be looked at to count reads.
        for some, unknown, condition in (
            (files, "0", "true"),
            (self.view.reads[0], "sum(times)", "r.subject_hi IS NULL"),
        ):
            if some:
                reads = "0" if unknown != "0" else "sum(times)"
                told = f'{reads} AS reads, {unknown} AS unknown, min(r."last") AS "first", max(r."last") AS "last"'
                rows = f"FROM {listed(some)} r"
                if joined.by_activity:
                    query = (
                        f"SELECT {joined.group} AS grp, {when} AS start, {told} {rows} {joined.join} "
                        f"WHERE {where} AND {condition} GROUP BY ALL"
                    )
                else:  # there are few names: what is told of each is added up first, and joined then
                    query = (
                        f'SELECT {joined.group} AS grp, r.start, sum(r.reads), sum(r.unknown), min(r."first"), '
                        f'max(r."last") FROM (SELECT r.what, {when} AS start, {told} {rows} '
                        f"WHERE {where} AND {condition} GROUP BY ALL) r {joined.join} GROUP BY ALL"
                    )
                self.engine.execute(f"INSERT INTO totals {query} HAVING count(*) > 0")
        for part, condition in self._passes(files):
            self.engine.execute(
                f"""INSERT INTO parts SELECT grp, start, count(*) FROM (
                    SELECT DISTINCT {joined.group} AS grp, {when} AS start, r.subject_hi, r.subject_lo
                    FROM {listed(part)} r {joined.join}
                    WHERE r.subject_hi IS NOT NULL AND {where} AND {condition}
                ) GROUP BY ALL"""
            )
        self.engine.execute(
            """CREATE OR REPLACE TEMP TABLE counted AS
            SELECT t.grp, t.start, coalesce(p.people, 0)::UBIGINT AS people, t.reads, t.unknown, t."first", t."last"
            FROM (SELECT grp, start, sum(reads) AS reads, sum(unknown) AS unknown, min("first") AS "first",
                max("last") AS "last" FROM totals GROUP BY ALL) t
            LEFT JOIN (SELECT grp, start, sum(people) AS people FROM parts GROUP BY ALL) p
            ON p.grp = t.grp AND p.start IS NOT DISTINCT FROM t.start"""
        )

    @staticmethod
    def window(chosen: Chosen) -> str:
        """Return the SQL condition for the time of rows, named ``r``, that are asked for."""
        conditions = ["true"]
        if chosen.since is not None:
            conditions.append(f'r."last" >= make_timestamp({chosen.since})')
        if chosen.until is not None:
            conditions.append(f'r."last" < make_timestamp({chosen.until})')
        return " AND ".join(conditions)

    def _passes(self, files: list[str]) -> Iterator[tuple[list[str], str]]:
        """The files that are counted together, and a condition for the rows in them that are.

        Small partitions are counted together, and a large one in parts.
        """
        if not files:
            return
        sizes = dict(
            self.rows(f"SELECT file_name, num_rows FROM parquet_file_metadata([{', '.join(map(quoted, files))}])")
        )
        waiting: list[str] = []
        rows = 0
        for part in filter(None, self.view.reads):
            more = sum(sizes[file] for file in part)
            if waiting and rows + more > _FEW_ROWS:
                yield waiting, "true"
                waiting, rows = [], 0
            if more <= _PASS_ROWS:
                waiting += part
                rows += more
                continue
            passes = 2
            while more > passes * _PASS_ROWS and passes < _MOST_PASSES:
                passes *= 2
            for one in range(passes):
                yield part, f"(r.subject_hi >> {_SPLIT_BITS}) & {passes - 1} = {one}"
        if waiting:
            yield waiting, "true"


@dataclass(frozen=True)
class Joined:
    """How rows, named ``r``, come to their groups.

    Attributes:
        group: The SQL expression for the number of the group.
        join: What has to be joined for it.
        by_activity: Whether it depends on their activity, and not on their name alone.
    """

    group: str
    join: str
    by_activity: bool = False


def aware(moment: datetime | None) -> datetime | None:
    """Return a time of the engine, which is in UTC, as one that says so."""
    return None if moment is None else moment.replace(tzinfo=timezone.utc)


def _moment(moment: datetime) -> datetime:
    return moment.replace(tzinfo=timezone.utc)
