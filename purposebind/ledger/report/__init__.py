"""The report: one page that tells a privacy officer whose data was read, for what, and by which code.

`build` asks a ledger every question and gives plain data, `render` writes that down as HTML. The page needs no network,
runs no script but its own, and says everything without it.

Example:
    >>> import tempfile
    >>> from purposebind.ledger import Ledger
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = render(build(Ledger(folder)))
    >>> "Nothing was read" in page
    True
"""

from .build import Watch, build
from .declared import Declared, DeclaredField, declared_in
from .page import Report
from .render import render

__all__ = ["Declared", "DeclaredField", "Report", "Watch", "build", "declared_in", "render"]
