"""For tests: of your own code, and of libraries that take models.

Nothing here needs pytest, except `unredacted`, which works under pytest only. The same as fixtures and a marker is
in `purposebind.integrations.pytest`.
"""

from .capturing import Captured, captured
from .denials import Denied, assert_denied
from .isolation import isolated
from .revealing import unredacted

__all__ = ["Captured", "Denied", "assert_denied", "captured", "isolated", "unredacted"]
