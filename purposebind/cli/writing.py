"""What commands write: files, and answers on standard output."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from .ledger_options import fail

__all__ = ["replace", "tell", "unwritten"]


def tell(text: str, *, end: str = "\n") -> None:
    """Print an answer, whole; an exit of 1 says something about the answer, and is not what no room looks like.

    Raises:
        Exit: With code 2, where standard output takes it not.
    """
    try:
        print(text, end=end, flush=True)
    except UnicodeEncodeError:
        raise
    except OSError as error:
        unwritten(error)


def unwritten(error: BaseException) -> NoReturn:
    """Exit with 2, since standard output does not take the answer."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries again when it ends
    reason = getattr(error, "strerror", None) or os.strerror(errno.EPIPE)
    fail(f"The answer cannot be written to standard output: {reason}")


def replace(path: Path, text: str) -> None:
    """Write a file under its name in one step: whoever opens it sees the old one or the new one, whole.

    Raises:
        OSError: It cannot be written. What was there before still is.
    """
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):  # a device is no file that another takes the place of
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.write_text(text, encoding="utf-8", newline="\n")
        return
    if path.is_symlink():
        path = path.resolve()
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(name, 0o666 & ~_umask())  # as if it had been opened, and not for its writer alone
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
