"""A batch: the rows of some segments as Parquet files, which any engine reads where they lie.

========================= ============================================================================================
``p=0`` to ``p=15``       reads and denials, by the highest 4 bits of the person; those of unknown people are in
                          ``p=0``. ``what`` UBIGINT (a name), ``activity`` UBIGINT (0: none), ``subject_hi`` and
                          ``subject_lo`` UBIGINT (both NULL: unknown), ``times`` UBIGINT, ``first`` and ``last``
                          TIMESTAMP (UTC): they happened between these two
``names.parquet``         ``what``, and what it stands for: ``decision``, ``field``, ``purposes``, ``site`` (of the
                          activity, for a denial that of the read), ``reason``, ``allowed``, ``break_glass`` (the
                          reason), ``by``, ``handovers``
``activities.parquet``    a row for each activity and segment; ``ended`` is NULL where its end is not in this segment,
                          ``name`` is the same where all from ``purposes`` to ``by`` is
``lost.parquet``          reads that could not be recorded: ``segment``, ``at``, ``reads``
``damage.parquet``        what was dropped of a segment: ``segment``, ``place``, ``what``, ``records``
========================= ============================================================================================

A row stands for all reads of one person in one activity by one name in one stretch between two times that were told,
so that what happened before a moment is counted exactly. DuckDB would write 128-bit numbers as doubles, silently: so a
person is two columns.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .engine import HANDOVERS, Engine, load, quoted
from .tables import ACTIVITIES, NEVER, READS, ActivityName, Name, SegmentRows

try:
    import numpy as np
except ImportError:
    from .errors import LedgerError

    raise LedgerError("Asking a ledger needs numpy: pip install 'purposebind[ledger]'") from None

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BATCH_RECORDS", "PARTITIONS", "Batch"]

PARTITIONS: Final = 16
BATCH_RECORDS: Final = 1 << 22
"""How many records a batch is made of at most, unless one segment has more: about 0.3 GiB of memory."""

_NAMES: Final = {
    "what": "UBIGINT",
    "decision": "VARCHAR",
    "field": "VARCHAR",
    "purposes": "VARCHAR[]",
    "site": "VARCHAR",
    "reason": "VARCHAR",
    "allowed": "VARCHAR[]",
    "break_glass": "VARCHAR",
    "by": "VARCHAR",
    "handovers": HANDOVERS,
}
_ACTIVITY_NAMES: Final = {
    "name": "UBIGINT",
    "purposes": "VARCHAR[]",
    "entered": "VARCHAR[]",
    "site": "VARCHAR",
    "handovers": HANDOVERS,
    "break_glass": "VARCHAR",
    "by": "VARCHAR",
}
_SEGMENTS: Final = {
    "number": "UINTEGER",
    "segment": "VARCHAR",
    "pid": "INTEGER",
    "host": "VARCHAR",
    "service": "VARCHAR",
}
_READS_SQL: Final = """
    SELECT what, activity, CASE WHEN known THEN hi END AS subject_hi, CASE WHEN known THEN lo END AS subject_lo,
        count(*)::UBIGINT AS times, make_timestamp(min("first")) AS "first", make_timestamp("last") AS "last"
    FROM arriving GROUP BY what, activity, known, hi, lo, "last"
"""
_ACTIVITIES_SQL: Final = f"""
    SELECT a.activity, s.segment, n.purposes, n.entered, n.site, n.handovers,
        CASE WHEN a.trace_hi <> 0 OR a.trace_lo <> 0 THEN printf('%016x%016x', a.trace_hi, a.trace_lo) END AS trace,
        a.around, make_timestamp(a.started) AS started,
        CASE WHEN a.ended <> {NEVER} THEN make_timestamp(a.ended) END AS ended,
        a.continued, n.break_glass, n."by", s.pid, s.host, s.service, a.name
    FROM arriving a JOIN activity_names n USING (name) JOIN segments s USING (number)
"""
_LARGEST_PID: Final = (1 << 31) - 1


class Batch:
    """Gathers the rows of segments, and writes them.

    Args:
        engine: What writes them.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads: list[list[NDArray[np.void]]] = [[] for _ in range(PARTITIONS)]
        self._names: dict[int, Name] = {}
        self._activities: list[tuple[int, NDArray[np.void]]] = []
        self._activity_names: dict[int, ActivityName] = {}
        self._segments: list[tuple[int, str, int, str, str]] = []
        self._lost: list[tuple[str, int, int]] = []
        self._damage: list[tuple[str, int, str, int]] = []

    def add(self, rows: SegmentRows) -> None:
        """Take the rows of a segment."""
        reads = rows.reads
        top = np.where(reads["known"], reads["hi"] >> np.uint64(60), np.uint64(0)).astype(np.uint8)
        ordered = reads[np.argsort(top, kind="stable")]
        ends = np.cumsum(np.bincount(top, minlength=PARTITIONS))
        for place, part in zip(self._reads, np.split(ordered, ends[:-1]), strict=True):
            if len(part):
                place.append(part)
        self._names.update(rows.names)
        self._activity_names.update(rows.activity_names)
        header = rows.header
        number = len(self._segments)
        pid = min(int(header["pid"]), _LARGEST_PID)
        self._segments.append((number, rows.segment, pid, _plain(header["host"]), _plain(header["service"])))
        if len(rows.activities):
            self._activities.append((number, rows.activities))
        self._lost += [(rows.segment, at, many) for at, many in rows.lost]
        self._damage += [(rows.segment, *one) for one in rows.damage]

    def unreadable(self, segment: str, what: str) -> None:
        """Take note of a segment of which nothing can be read."""
        self._damage.append((segment, 0, what, 0))

    def write(self, place: Path) -> list[Path]:
        """Write all into the folder `place`, which is made, and return the files. They need not have reached the disk.

        Raises:
            OSError: It cannot be written.
            engine.EngineError: It cannot be written.
        """
        os.mkdir(place, 0o700)
        files = []
        for number, parts in enumerate(self._reads):
            if parts:
                os.mkdir(place / f"p={number}", 0o700)
                files.append(place / f"p={number}" / "0.parquet")
                self._copy(_READS_SQL, files[-1], _columns(parts, READS))
                parts.clear()
        for table, columns, rows in (
            ("names", _NAMES, [(what, *name) for what, name in self._names.items()]),
            ("activity_names", _ACTIVITY_NAMES, [(number, *name) for number, name in self._activity_names.items()]),
            ("segments", _SEGMENTS, self._segments),
            ("lost", {"segment": "VARCHAR", "at": "BIGINT", "reads": "UBIGINT"}, self._lost),
            (
                "damage",
                {"segment": "VARCHAR", "place": "UBIGINT", "what": "VARCHAR", "records": "UBIGINT"},
                self._damage,
            ),
        ):
            load(self._engine, table, columns, rows)
        activities = _columns([part for _, part in self._activities], ACTIVITIES)
        activities["number"] = np.concatenate(
            [np.full(len(part), number, np.uint32) for number, part in self._activities] or [np.empty(0, np.uint32)]
        )
        for query, name, arriving in (
            ("SELECT * FROM names", "names", None),
            (_ACTIVITIES_SQL, "activities", activities),
            ('SELECT segment, make_timestamp("at") AS "at", reads FROM lost', "lost", None),
            ("SELECT * FROM damage", "damage", None),
        ):
            files.append(place / f"{name}.parquet")
            self._copy(query, files[-1], arriving)
        return files

    def _copy(self, query: str, file: Path, arriving: dict[str, Any] | None) -> None:
        if arriving is not None:
            self._engine.register("arriving", arriving)
        try:
            self._engine.execute(f"COPY ({query}) TO {quoted(file)} (FORMAT parquet, USE_TMP_FILE false)")
        finally:
            if arriving is not None:
                self._engine.unregister("arriving")


def _columns(parts: Iterable[NDArray[np.void]], kind: np.dtype[np.void]) -> dict[str, Any]:
    """The columns of parts, each in one piece."""
    found = list(parts)
    assert kind.names is not None
    return {
        name: np.concatenate([part[name] for part in found]) if found else np.empty(0, kind[name])
        for name in kind.names
    }


def _plain(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
