"""The command line: ``purposebind demo`` and its kind. Needs the extra ``cli``.

The console script is there without the extra too; then it says what to install.
"""

from __future__ import annotations

import sys

__all__ = ["main"]

_FROM_THE_EXTRA = {"rich", "typer"}


def main() -> None:
    """Run the command line with the arguments of the process, and exit.

    Raises:
        SystemExit: Always; with code 2 and the command to install where the extra is missing.
    """
    try:
        from .app import app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _FROM_THE_EXTRA:
            raise
        print(
            f"The purposebind command needs {error.name}, which is not installed. Install it with:\n\n"
            "    pip install 'purposebind[cli]'",
            file=sys.stderr,
        )
        raise SystemExit(2) from None
    app(prog_name="purposebind")
