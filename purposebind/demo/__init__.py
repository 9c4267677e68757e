"""The replay: what happened in 2019, on invented people, with the library in place.

A service holds phones and e-mail addresses that people gave for two-factor login. Its sign-in reads them, and works.
Its advertising platform wants to match them to an advertiser's list, and is refused: at the first read, and by five
other roads. At last the same match runs in observe mode, as it went then; and how many people it affected is counted
exactly.

`replay` runs the story and returns what happened; ``purposebind demo`` shows it (extra ``cli``). Apart from
`purposebind.demo.render` it needs nothing but the core.
"""

from __future__ import annotations

from .story import Replay, replay

__all__ = ["Replay", "replay"]
