"""Policy that people review: what the code declares, written down, and what changed since.

Reading and writing a lock needs the extra ``governance``.

What this package keeps:

- **R8** A tag that allows more than it did, a handover or an emergency that was not there, a field that lost its tag:
  each is told apart from what narrows, so that a person sees it before it ships.

`gather` reads packages, `Lock` is what they declare as a text that can be read in a diff, and `compare` says what one
lock allows that another does not.
"""

from __future__ import annotations

from .changes import Change
from .comparing import compare
from .gathering import gather
from .lock import Lock, LockError, Tag

__all__ = ["Change", "Lock", "LockError", "Tag", "compare", "gather"]
