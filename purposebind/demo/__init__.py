"""The replay: what happened in 2019, on invented people, with the library in place.

A service holds phones and e-mail addresses that people gave for two-factor login. Its sign-in reads them, and works.
Its advertising platform wants to match them to an advertiser's list, and is refused: at the first read, and by every
other road. At last the same match runs in observe mode, as it went then; and how many people it affected is counted
exactly.

`replay` runs the story and returns what happened; ``purposebind demo`` shows it (extra ``cli``). What asks the ledger
needs the extra ``ledger``; the roads that are queries need ``sqlalchemy``, and are left out without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .story import Replay, replay

__all__ = ["Replay", "replay"]


def __getattr__(name: str) -> Any:
    """Import the story when it is asked for: it declares purposes, and the command line is no place for those."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import story

    value = globals()[name] = getattr(story, name)
    return value
