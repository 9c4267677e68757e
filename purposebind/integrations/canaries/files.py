"""Files as pieces of bytes: by parts, unpacked where they are packed, and their names.

A database file is read as bytes, which finds what it holds as text. What a file holds encrypted, or compressed in a way
that is not known here, is not found.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from .canary import CanaryError
from .searching import LONGEST_FORM

__all__ = ["files", "unpacked"]

_PART: Final = 1 << 23
_PACKED: Final[tuple[tuple[bytes, Any], ...]] = ((b"\x1f\x8b", gzip), (b"BZh", bz2), (b"\xfd7zXZ\x00", lzma))
_BROKEN: Final = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, NotImplementedError)


def files(path: Path, base: Path | None = None) -> Iterator[tuple[str, int, bytes]]:
    """Yield the pieces of the file `path`, or of all files below the folder; links are not followed.

    Args:
        path: A file or a folder.
        base: What the files' names are told relative to; by default the folder.

    Raises:
        CanaryError: A file cannot be read.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return  # removed since it was listed
    if stat.S_ISDIR(mode):
        for folder, folders, names in os.walk(path):
            folders.sort()
            for name in sorted(names):
                yield from files(Path(folder, name), base or path)
            for name in folders:
                yield f"the name of folder {Path(folder, name).relative_to(base or path)}", 0, os.fsencode(name)
    elif stat.S_ISREG(mode):
        shown = path.relative_to(base) if base is not None else path.name
        yield f"the name of file {shown}", 0, os.fsencode(path.name)
        try:
            yield from _contents(path, f"file {shown}")
        except FileNotFoundError:
            return
        except OSError as error:
            raise CanaryError(f"{path} cannot be searched for canaries: {error.strerror}") from None
    elif stat.S_ISLNK(mode):
        shown = path.relative_to(base) if base is not None else path.name
        yield f"the name of file {shown}", 0, os.fsencode(path.name) + b"\0" + os.fsencode(os.readlink(path))


def unpacked(data: bytes) -> Iterator[bytes]:
    """Yield what `data` is packed of, if it is packed."""
    for magic, module in _PACKED:
        if data.startswith(magic):
            try:
                yield module.decompress(data)
            except _BROKEN:
                return


def _contents(path: Path, place: str) -> Iterator[tuple[str, int, bytes]]:
    with path.open("rb") as file:
        start = file.read(8)
        file.seek(0)
        yield from _parts(file, place)
    for magic, module in _PACKED:
        if start.startswith(magic):
            try:
                with module.open(path, "rb") as inner:
                    yield from _parts(inner, f"{place}, unpacked")
            except _BROKEN:  # cut short, or not what it looks like: what could be read was searched
                return
    if start.startswith(b"PK"):
        try:
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    with archive.open(member) as inner:
                        yield from _parts(inner, f"{place}, member {member.filename}")
        except _BROKEN:
            return


def _parts(file: Any, place: str) -> Iterator[tuple[str, int, bytes]]:
    start, kept = 0, b""
    while part := file.read(_PART):
        data = kept + part
        yield place, start, data
        kept = data[-LONGEST_FORM:]
        start += len(data) - len(kept)
