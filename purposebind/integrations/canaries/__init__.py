"""Leak canaries: values that are planted in tagged fields, and looked for wherever they should not be.

The enforcement of the core ends where a value was let out rightly. What becomes of it then, in a log line, a response,
an exception or a file, is what these find in tests. No pytest is needed; `purposebind.integrations.pytest` has a
fixture.
"""

from .canary import Canary, CanaryError
from .flock import Canaries, CanarySurfaced
from .report import Surfaced, report
from .watching import Watch

__all__ = ["Canaries", "Canary", "CanaryError", "CanarySurfaced", "Surfaced", "Watch", "report"]
