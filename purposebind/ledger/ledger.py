"""`Ledger`: one name for a ledger, or those of a fleet: to record into, to ask, to check and to keep in order.

What records needs the standard library alone. What the questions need is imported when the first one is asked.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from .defaults import INTERVAL, SEGMENT_BYTES, SEGMENT_SECONDS
from .errors import LedgerError
from .folder import Folder
from .key import Key
from .recorder import Recorder

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .chain import Anchor, Verdict
    from .compaction import Compacted
    from .filters import Filters
    from .questions import Questions
    from .results import (
        Activity,
        Affected,
        Bucket,
        Cell,
        DamageFound,
        DenialUse,
        Emergency,
        HandoverUse,
        LostReads,
        SiteUse,
        Use,
    )
    from .retention import Dropped

__all__ = ["Ledger"]


class Ledger:
    """A ledger in a folder, or several that are asked as one.

    All questions take the same filters, by name: ``field="Account.phone"``, or ``"Account"`` for the whole model;
    ``purpose=`` a `Purpose` or its name, which stands for its descendants too; ``decision=`` a word or several;
    ``since=`` and ``until=``, aware times, of which the second is not included; ``site=`` a place in the code, such as
    ``"app/login.py:88"`` or ``"login.py"``. A read counts at the next moment that its process told after it, within
    the writer's interval.

    Args:
        folders: The folders. One that is recorded into is made where it is not there.
        key: The key by which people are hashed, or its file; without it the environment's, or the one beside the
            folder. Recording makes one where there is none; questions never do.
        segment_bytes: The size of a segment that is written.
        interval: Seconds between two writes to the disk: what a power failure can lose.
        segment_seconds: After so many seconds a segment in which something was read is closed, and in the chain, though
            it is not full.
        service: What the process calls itself in the ledger.

    Raises:
        TypeError: No folder is given, or `key` is neither a key nor a path.

    Example:
        >>> import tempfile
        >>> from purposebind import configure
        >>> with tempfile.TemporaryDirectory() as folder, Ledger(f"{folder}/ledger") as ledger:
        ...     with configure(ledger=ledger):
        ...         pass
        ...     ledger.verify().ok
        True
    """

    def __init__(
        self,
        *folders: str | os.PathLike[str],
        key: Key | str | os.PathLike[str] | None = None,
        segment_bytes: int = SEGMENT_BYTES,
        interval: float = INTERVAL,
        segment_seconds: float = SEGMENT_SECONDS,
        service: str = "",
    ) -> None:
        if not folders:
            raise TypeError("Ledger() takes the ledger's folder: Ledger('a/folder')")
        if key is not None and not isinstance(key, (Key, str, os.PathLike)):
            raise TypeError(f"Ledger(key=) takes a Key or the path of its file, not {type(key).__name__}")
        self._folders = [Folder(folder) for folder in folders]
        self._given_key = key if isinstance(key, Key) or key is None else Path(key)
        self._segment_bytes = segment_bytes
        self._interval = interval
        self._segment_seconds = segment_seconds
        self._service = service
        self._lock = threading.Lock()
        self._recorder: Recorder | None = None
        self._asked: Questions | None = None

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where the ledger is."""
        return tuple(folder.path for folder in self._folders)

    def each(self) -> list[Ledger]:
        """Return a `Ledger` for each of the folders."""
        return [Ledger(folder, key=self._given_key) for folder in self.folders]

    # --- Recording ---------------------------------------------------------------------------------------------------

    def recorder(self) -> Recorder:
        """Return what records into the ledger, the same one each time until it is closed.

        Raises:
            LedgerError: There are several folders, or the folder or the key cannot be made.
        """
        folder = self._one("is recorded into")
        with self._lock:
            if self._recorder is None or self._recorder.closed:
                self._recorder = Recorder(
                    folder,
                    self._key(create=True),
                    segment_bytes=self._segment_bytes,
                    interval=self._interval,
                    segment_seconds=self._segment_seconds,
                    service=self._service,
                )
            return self._recorder

    def close(self) -> None:
        """Close the segment that this process writes, and remove what questions made on the way."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close()
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    # --- Questions: each raises LedgerError where the ledger cannot be read, or people not be counted -----------------

    def affected(self, **filters: Unpack[Filters]) -> Affected:
        """Return how many people's data was read, or asked for."""
        return self._questions.affected(**filters)

    def matrix(self, **filters: Unpack[Filters]) -> list[Cell]:
        """Return what was decided for each field and purpose."""
        return self._questions.matrix(**filters)

    def sites(self, **filters: Unpack[Filters]) -> list[SiteUse]:
        """Return the places in the code, most reads first."""
        return self._questions.sites(**filters)

    def denials(self, **filters: Unpack[Filters]) -> list[DenialUse]:
        """Return what was refused, or observed, by the place of the read."""
        return self._questions.denials(**filters)

    def timeline(self, bucket: str = "day", **filters: Unpack[Filters]) -> list[Bucket]:
        """Return what was decided in each ``"hour"``, ``"day"``, ``"week"`` or ``"month"`` of UTC."""
        return self._questions.timeline(bucket, **filters)

    def handovers(self, **filters: Unpack[Filters]) -> list[HandoverUse]:
        """Return the handovers by which activities came, and what was read after them."""
        return self._questions.handovers(**filters)

    def subject(self, value: object, **filters: Unpack[Filters]) -> list[Use]:
        """Return who read the data of the person whose `SubjectId` is `value`, for what, and when.

        Raises:
            LedgerError: The key is not there, or not the one that people were hashed by.
        """
        return self._questions.subject(value, self._key(), **filters)

    def activities(
        self, *, handed_over: bool = False, limit: int | None = None, **filters: Unpack[Filters]
    ) -> list[Activity]:
        """Return the activities, the last one first.

        Args:
            handed_over: Only those that came by a handover.
            limit: How many at most.
            filters: As for all questions; an activity counts at the moment when it started.
        """
        return self._questions.activities(handed_over=handed_over, limit=limit, **filters)

    def break_glass(self, **filters: Unpack[Filters]) -> list[Emergency]:
        """Return the emergencies, with all that was read in them."""
        return self._questions.break_glass(**filters)

    def lost(self) -> LostReads:
        """Return how many reads were let through and could not be recorded."""
        return self._questions.lost()

    def damage(self) -> list[DamageFound]:
        """Return what is broken in segments, and is part of no answer."""
        return self._questions.damage()

    def fields(self) -> list[str]:
        """Return the fields that were read or asked for, by name."""
        return sorted({name.field for name in self._questions.names()})

    def purposes(self) -> list[str]:
        """Return the purposes for which something was read or asked for, by name."""
        return sorted({purpose for name in self._questions.names() for purpose in name.purposes})

    def places(self) -> list[str]:
        """Return the places in the code where something was read or asked for: those of scopes, and of denied reads."""
        return sorted({name.site for name in self._questions.names() if name.site is not None})

    # --- The ledger itself -------------------------------------------------------------------------------------------

    def verify(self, anchor: Anchor | str | None = None) -> Verdict:
        """Hold the ledger against its chain, and name the first place that was altered, removed, moved or cut off.

        Args:
            anchor: A head that was kept elsewhere: the chain must still have it.

        Raises:
            LedgerError: There is no ledger, or there are several; it cannot be read, or `anchor` is none.
        """
        from .chain import Anchor, verify

        self._one("has a chain")
        if isinstance(anchor, str):
            anchor = Anchor.parse(anchor)
        return verify(self._existing()[0], anchor, self._key_if_there())

    def head(self) -> Anchor:
        """Return the anchor of the chain's last line: send it where nobody who can write the ledger can change it.

        Raises:
            LedgerError: There is no ledger, or there are several.
        """
        from .chain import Chain

        self._one("has a head")
        return Chain(self._existing()[0]).head()

    def compact(
        self, *, keep_segments: bool = False, watch: Callable[[int, int], object] = lambda done, of: None
    ) -> Compacted | None:
        """Turn closed segments into what questions run on faster, while others record; None: there was nothing to do.

        Args:
            keep_segments: Keep the segments too.
            watch: Told how many segments are done, and how many there are.

        Raises:
            LedgerError: There is no ledger, there are several, or it cannot be written.
        """
        from .compaction import compact

        self._one("is compacted")
        return compact(self._existing()[0], keep_segments=keep_segments, watch=watch)

    def drop_before(self, moment: datetime, *, by: str, reason: str) -> Dropped:
        """Remove what lies before a moment as a whole; the chain says who did that and why, signed with the key.

        Args:
            moment: An aware time. What happened then or later stays.
            by: Who removes it.
            reason: Why.

        Raises:
            LedgerError: There is no ledger or no key, there are several folders, or something is missing.
        """
        from .closing import close_abandoned
        from .retention import drop_before

        self._one("is shortened")
        folder = self._existing()[0]
        close_abandoned(folder)  # what a process left behind that was killed has its time too
        return drop_before(folder, moment, by, reason, self._key())

    # --- Within ------------------------------------------------------------------------------------------------------

    @property
    def _questions(self) -> Questions:
        from .questions import Questions

        with self._lock:
            if self._asked is None:
                self._asked = Questions(self._folders)
            return self._asked

    def _one(self, what: str) -> Folder:
        if len(self._folders) > 1:
            raise LedgerError(
                f"Only a ledger of one folder {what}, and these are {len(self._folders)}: take each() by itself"
            )
        return self._folders[0]

    def _existing(self) -> list[Folder]:
        for folder in self._folders:
            folder.require()
        return self._folders

    def _key(self, *, create: bool = False) -> Key:
        if isinstance(self._given_key, Key):
            return self._given_key
        if self._given_key is not None:
            return Key.load(self._given_key, create=create, environment=False)
        beside = [folder.key for folder in self._folders]
        return Key.load(next((path for path in beside if path.exists()), beside[0]), create=create)

    def _key_if_there(self) -> Key | None:
        if self._given_key is not None:
            return self._key()
        with suppress(LedgerError):
            return self._key()
        return None

    def __repr__(self) -> str:
        return f"Ledger({', '.join(repr(str(folder)) for folder in self.folders)})"
