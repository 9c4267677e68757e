"""A roll-out, from a code base without tags to enforcement: what to tag, what would break, how far it is.

What this package keeps:

- Nothing of it changes code, or a policy. It proposes, and people review.
- **R7** It tells of fields, places and numbers; never a value.

`fields_of` reads packages, `suspects` says which fields look personal, `propose` which tags, `patch_of` a patch of
them; `replay` holds what a ledger recorded against a policy; `coverage_of` says how far the roll-out is.
"""

from __future__ import annotations

from .covering import Coverage, Share, coverage_of
from .fields import Field, fields_of
from .patching import Patch, patch_of
from .proposing import Proposal, propose
from .replaying import Replay, Replayed, replay
from .suspecting import Suspect, suspects

__all__ = [
    "Coverage",
    "Field",
    "Patch",
    "Proposal",
    "Replay",
    "Replayed",
    "Share",
    "Suspect",
    "coverage_of",
    "fields_of",
    "patch_of",
    "propose",
    "replay",
    "suspects",
]
