"""Retention: what lies before a moment is removed, and the chain says who removed it, and why.

What this module keeps:

- The line comes first, signed, and then the files go. Killed in between, it is finished when it is done again; until
  then `chain.verify` names what is still there.
- Only what lies before the moment as a whole is removed: a batch with one record that does not is kept.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any, NamedTuple

from .chain import Chain
from .errors import LedgerError
from .folder import Folder, sync_folder
from .key import Key
from .links import signed_part

__all__ = ["Dropped", "drop_before"]


class Dropped(NamedTuple):
    """What was removed.

    Attributes:
        segments: The ids of the segments that had not been compacted.
        batches: The ids of the batches.
    """

    segments: list[str]
    batches: list[str]


def drop_before(folder: Folder, moment: datetime, by: str, reason: str, key: Key) -> Dropped:
    """Remove closed segments and batches that lie before a moment as a whole.

    Args:
        folder: The ledger's folder.
        moment: With a time zone. What happened at this moment or after it stays.
        by: Who removes it.
        reason: Why.
        key: Signs for it.

    Raises:
        LedgerError: `moment` has no time zone, nobody or no reason is named, the chain is damaged, or a step failed.
    """
    if moment.utcoffset() is None:
        raise LedgerError(f"It cannot be told when {moment.isoformat()} is: the time zone is missing")
    if not by.strip() or not reason.strip():
        raise LedgerError("Who drops a part of the ledger signs for it: say who (by) and why (reason)")
    try:
        with folder.locked():
            known = _Known(Chain(folder))
            known.remove_dropped(folder)
            dropped = known.before(moment)
            if dropped.segments or dropped.batches:
                entry: dict[str, Any] = {
                    "is": "dropped",
                    "at": datetime.now(timezone.utc).isoformat(timespec="microseconds"),
                    "before": moment.astimezone(timezone.utc).isoformat(timespec="microseconds"),
                    "segments": dropped.segments,
                    "batches": dropped.batches,
                    "by": by,
                    "reason": reason,
                    "key": key.id,
                }
                known.take(Chain(folder).append({**entry, "signature": key.sign(signed_part(entry))}))
                known.remove_dropped(folder)
            return dropped
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise LedgerError(f"The ledger cannot drop what it was told to: {error.strerror}{where}") from None


class _Known:
    """What the chain tells of, without what was dropped."""

    def __init__(self, chain: Chain) -> None:
        self._until: dict[str, int] = {}
        self._batches: dict[str, list[str]] = {}
        self._compacted: set[str] = set()
        self._gone: set[str] = set()
        self._gone_batches: set[str] = set()
        for entry in chain.entries():
            self.take(entry)

    def take(self, entry: dict[str, Any]) -> None:
        """Take the next line of the chain."""
        if entry["is"] == "segment":
            self._until[entry["segment"]] = entry["until"]
        elif entry["is"] == "compaction":
            self._batches[entry["batch"]] = entry["segments"]
            self._compacted.update(entry["segments"])
        else:
            self._gone.update(entry["segments"])
            self._gone_batches.update(entry["batches"])
            for batch in entry["batches"]:
                self._gone.update(self._batches.get(batch, ()))

    def before(self, moment: datetime) -> Dropped:
        """What lies before a moment as a whole, and was not dropped yet."""
        since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
        limit = (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000
        batches = [
            batch
            for batch, segments in self._batches.items()
            if batch not in self._gone_batches and all(self._until.get(one, limit) < limit for one in segments)
        ]
        single = self._until.keys() - self._compacted - self._gone
        return Dropped([one for one in self._until if one in single and self._until[one] < limit], batches)

    def remove_dropped(self, folder: Folder) -> None:
        """Remove the files of all that was dropped, now or by a process that was killed over it."""
        _remove_segments(folder, self._gone)
        for batch in self._gone_batches:
            _remove_batch(folder, batch)
        for name in _names(folder.tmp):
            if name.startswith("dropped-"):
                shutil.rmtree(folder.tmp / name)


def _names(path: os.PathLike[str]) -> list[str]:
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return []


def _remove_segments(folder: Folder, segments: Iterable[str]) -> None:
    wanted = {f"{segment}.seg" for segment in segments}
    for place in (folder.closed, folder.open):
        there = wanted.intersection(_names(place))
        for name in there:
            os.unlink(place / name)
        if there:
            sync_folder(place)


def _remove_batch(folder: Folder, batch: str) -> None:
    """Remove a batch at one stroke: a question never sees half of one."""
    place = folder.parquet / batch
    if place.exists():
        folder.tmp.mkdir(mode=0o700, exist_ok=True)
        os.rename(place, folder.tmp / f"dropped-{batch}")
        sync_folder(folder.parquet)
