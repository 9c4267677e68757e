"""`unredacted`: values in representations, for other people's test suites and for nothing else."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

from purposebind import config
from purposebind.errors import PurposeError

__all__ = ["unredacted"]

_logger = logging.getLogger("purposebind")


@contextmanager
def unredacted() -> Generator[None, None, None]:
    """Show values in representations and validation errors, and leave ``x-purposes`` out of JSON schemas.

    For running somebody else's test suite with tagged models: such a suite compares reprs (R6), the inputs of errors
    (R7) and whole JSON schemas. Everything else stays as it is, denials above all. It works under pytest only, and
    logs that it is on.

    Raises:
        PurposeError: pytest is not running.

    Example:
        >>> with unredacted():
        ...     pass
    """
    if "PYTEST_VERSION" not in os.environ or "pytest" not in sys.modules:
        raise PurposeError(
            "unredacted() shows personal data; it works while pytest (8.2 or newer) runs, and nowhere else."
        )
    _logger.warning("unredacted: representations and validation errors show the values of tagged fields")
    before = config.current.revealing
    config.install(replace(config.current, revealing=True))
    try:
        yield
    finally:
        config.install(replace(config.current, revealing=before))
