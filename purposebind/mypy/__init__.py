"""The static check: a mypy plugin that reports a read for a purpose that the tag does not cover, before anything runs.

Switch it on with ``plugins = ["purposebind.mypy"]``. It needs the extra ``mypy``. Nothing of the checked code is run:
purposes, tags and handovers are read from its source.

What this package keeps, as far as it can be seen in the code:

- **R2** Every purpose known to be active is covered by the tag, and none by its ``never=`` (``purpose-violation``).
- **R4** Entering refines away, follows handovers, and keeps the rest.
- **R8** A subclass narrows a tag, and never widens it (``purpose-widening``).
- **R9** A tag that protects nothing is refused (``purpose-policy``).

What it cannot tell it takes for right. A report is then a read that will be refused, whoever calls the code.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy.plugin import Plugin

__all__ = ["plugin"]

try:
    import mypy.plugin as _installed
except ModuleNotFoundError as missing:
    if missing.name is None or missing.name.partition(".")[0] != "mypy":
        raise
    raise ModuleNotFoundError(
        "purposebind.mypy is a plugin of mypy, which is not installed here: pip install 'purposebind[mypy]'",
        name=missing.name,
    ) from None

del _installed


def plugin(version: str) -> type[Plugin]:
    """Return the plugin; mypy calls this.

    Args:
        version: Of mypy.
    """
    from .hooks import PurposePlugin

    return PurposePlugin


def _version() -> str:
    """What mypy's cache is thrown away with: it looks at this file alone, and the check is in all of them."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


__version__ = _version()
