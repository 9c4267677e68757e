"""`Canaries`: plants, searches, and says what surfaced."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from .canary import Canary, CanaryError
from .files import files
from .pieces import pieces
from .planting import Planted, complete, given_canaries, plant
from .report import Surfaced, report
from .searching import Searcher
from .watching import Watch

__all__ = ["Canaries", "CanarySurfaced"]

_T = TypeVar("_T")


class CanarySurfaced(AssertionError):
    """Canaries surfaced where no tagged value should be.

    Attributes:
        found: Each `Surfaced`.
    """

    def __init__(self, found: list[Surfaced]) -> None:
        super().__init__(report(found))
        self.found = found


class Canaries:
    """Values that occur nowhere else, in tagged fields, and where they have got to.

    Attributes:
        planted: Each `Canary`.
        not_watched: The tagged fields whose values chance would find: an age, a flag, a choice. They are not looked
            for.
        folders: Folders that `watching` searches when it ends.

    Example:
        >>> from typing import Annotated
        >>> from purposebind import AllowedFor, Purpose, PurposeModel
        >>> class Voter(PurposeModel):
        ...     phone: Annotated[str, AllowedFor(Purpose("reminders", "Remind of the day"))]
        >>> canaries = Canaries()
        >>> voter = canaries.plant(Voter)
        >>> canaries.search(f"a log line about {voter!r}")
        []
        >>> canaries.search("a log line about " + canaries.of("Voter.phone")[0])[0].form
        'plain'
    """

    _holds_canaries: ClassVar = True

    def __init__(self) -> None:
        self.planted: list[Canary] = []
        self.not_watched: list[str] = []
        self.folders: list[Path] = []
        self._allowed: list[tuple[str, str]] = []

    def plant(self, kind: type[_T], /, **given: Any) -> _T:
        """Return a value of `kind`, with a canary in each of its tagged fields, optional ones too.

        Fields without a tag are filled where they are required. Nested models, lists and mappings get one item.

        Args:
            kind: A model, or another type that pydantic validates.
            given: Fields that are not to be made up, by their names. If one is tagged it is looked for as well.

        Raises:
            CanaryError: A field cannot be made up, and the text says which; or none is tagged.
        """
        complete(kind)
        value: _T = self._noted(kind, plant(kind, given)).value
        return value

    def payload(self, kind: Any, /, **given: Any) -> Any:
        """Return what a client would send for `kind`: as JSON has it, by alias, with the same canaries as `plant`."""
        complete(kind)
        return self._noted(kind, plant(kind, given)).sent

    def _noted(self, kind: Any, made: Planted) -> Planted:
        if not made.canaries and not made.not_watched:
            raise CanaryError(f"{getattr(kind, '__name__', kind)} has no tagged field: nothing was planted in it.")
        self.planted += made.canaries
        self.not_watched += made.not_watched
        return made

    def watch(self, value: _T, field: str) -> _T:
        """Look for a value of your own too, and return it.

        Args:
            value: Text, bytes, a number, or a collection of these; eight characters at least.
            field: What the report calls it.

        Raises:
            CanaryError: Chance would find it.
        """
        found = list(given_canaries(value, field))
        if not found:
            raise CanaryError(
                f"{field}: a {type(value).__name__} this short cannot be looked for: chance would find it"
            )
        self.planted += found
        return value

    def of(self, field: str) -> list[str]:
        """Return the values that were planted in `field`, as text, in order."""
        return [canary.value for canary in self.planted if canary.field == field]

    def allow(self, field: str | None = None, *, place: str | None = None) -> None:
        """Let canaries surface where they rightly do, such as in the message that is sent to the person.

        Args:
            field: Of which field; ``*`` stands for anything, and so does leaving it out.
            place: Where, as the report says it: ``"file outbox/*"``, ``"log shop.sms *"``, ``"response, body"``.

        Raises:
            TypeError: Neither is given.
        """
        if field is None and place is None:
            raise TypeError("allow() takes a field, a place, or both: without either nothing would be found any more")
        self._allowed.append((field or "*", place or "*"))

    def search(self, *things: Any, place: str | None = None, frames: bool = False) -> list[Surfaced]:
        """Return the canaries that `things` show, but for those allowed there.

        Args:
            things: Text, bytes, responses of httpx, requests, Starlette and the like, exceptions, log records, paths of
                files and folders, collections, models, any objects. What is sealed is not opened.
            place: What the report calls it; by default the type's name.
            frames: Whether variables in the frames of an exception's traceback count, but for those of the frame that
                caught it.

        Raises:
            CanaryError: None was planted, or a file cannot be read.
            TypeError: It cannot be searched without using it up.
        """
        if not self.planted:
            raise CanaryError("No canary was planted: there is nothing to look for.")
        found: list[Surfaced] = []
        for thing in things:
            name = place or type(thing).__name__
            if isinstance(thing, Path):
                _exists(thing)
                found += self.among(files(thing))
            else:
                found += self.among(pieces(thing, name, frames=frames))
        return found

    def check(self, *things: Any, place: str | None = None, frames: bool = False) -> None:
        """Fail if `things` show a canary; as `search`.

        Raises:
            CanarySurfaced: Which, and where.
        """
        found = self.search(*things, place=place, frames=frames)
        if found:
            raise CanarySurfaced(found)

    def among(self, found: Iterable[tuple[str, int, bytes]]) -> list[Surfaced]:
        """Return the canaries in pieces that were collected, but for those allowed there."""
        return [
            each
            for each in Searcher(dict.fromkeys(self.planted)).found(found)
            if not any(fnmatchcase(each.field, field) and fnmatchcase(each.place, at) for field, at in self._allowed)
        ]

    @contextmanager
    def watching(self, *folders: Path) -> Generator[Watch, None, None]:
        """Watch log records and warnings while the block runs, and search them, and `folders`, at its end.

        Raises:
            CanarySurfaced: Which, and where. Not where the block ends with an error of its own.
            CanaryError: A folder does not exist when the block ends, or a file in it cannot be read.
        """
        watch = Watch()
        watch.start()
        try:
            yield watch
        finally:
            watch.stop()
        for folder in (*folders, *self.folders):
            _exists(folder)
        found = self.among(watch.taken([*folders, *self.folders]))
        if found:
            raise CanarySurfaced(found)


def _exists(path: Path) -> None:
    if not path.exists():
        raise CanaryError(f"{path} does not exist: there is nothing to search.")
