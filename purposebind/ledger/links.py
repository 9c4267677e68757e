"""The lines of the chain: how one is written, and how it is told whether one is as it was written.

A line is an object of JSON in its one canonical form, with a line feed. What it tells of stands in these keys:

======================= ==============================================================================================
``n``                   the line's number, from 0
``prev``                the ``hash`` of the line before; 64 zeros in the first
``hash``                SHA-256 of the line's canonical JSON without this key, 64 hexadecimal digits
``at``                  when it was added, by the wall clock: UTC, ISO 8601
``is``                  ``segment``, ``compaction`` or ``dropped``
``is`` = ``segment``    a segment was closed. ``segment``: its id; ``bytes`` and ``sha256`` of its file; ``records``:
                        how many places in it are not empty; ``writer``, ``key`` and ``wall`` of its header (empty and
                        0 where that is damaged); ``until``: the latest time told in it, ns of its wall clock
``is`` = ``compaction`` segments were made into a batch. ``batch``: its id; ``segments``: theirs; ``files``: for each
                        file's path in the ledger, ``bytes`` and ``sha256``
``is`` = ``dropped``    what lay before a moment was removed. ``before``: the moment, UTC, ISO 8601; ``segments`` and
                        ``batches``: the ids of what was removed; ``by`` and ``reason``; ``key``: the id of the key, and
                        ``signature``: `Key.sign` of the canonical JSON without ``signature``, ``prev``, ``hash``, ``n``
======================= ==============================================================================================
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from .errors import LedgerError

__all__ = ["FIRST", "IDENTIFIER", "canonical", "link_of", "parse_line", "signed_part", "write_line"]

FIRST: Final = "0" * 64
"""What the first line follows."""
IDENTIFIER: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,127}\Z")
"""The id of a segment or batch: it is a part of a path, and of none but its own."""

_HASH: Final = re.compile(r"[0-9a-f]{64}\Z")


def canonical(entry: Mapping[str, Any]) -> bytes:
    """Return the one way of writing an entry: keys sorted, no spaces, ASCII.

    Example:
        >>> canonical({"b": 1, "a": "\\u00e4"})
        b'{"a":"\\\\u00e4","b":1}'
    """
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def link_of(entry: Mapping[str, Any]) -> str:
    """Return the hash of an entry, which the next one holds."""
    return hashlib.sha256(canonical({key: value for key, value in entry.items() if key != "hash"})).hexdigest()


def signed_part(entry: Mapping[str, Any]) -> bytes:
    """Return what the signature of a ``dropped`` line is of."""
    return canonical({key: value for key, value in entry.items() if key not in ("signature", "prev", "hash", "n")})


def write_line(entry: Mapping[str, Any]) -> bytes:
    """Return the line of an entry that has everything but its hash."""
    return canonical({**entry, "hash": link_of(entry)}) + b"\n"


def parse_line(line: bytes) -> dict[str, Any]:
    """Return the entry that a line tells of, whatever line it follows.

    Args:
        line: Without its line feed.

    Raises:
        LedgerError: It is not as it was written; the message says what is wrong, and does not say in which line.
    """
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        raise LedgerError("was altered: it is not JSON") from None
    if not isinstance(entry, dict) or type(entry.get("n")) is not int or not _hash(entry.get("prev")):
        raise LedgerError("was altered: it does not say which line it follows")
    try:
        bare = canonical({key: value for key, value in entry.items() if key != "hash"})
    except ValueError:  # a number that is none
        bare = b""
    link = hashlib.sha256(bare).hexdigest()
    if entry.get("hash") != link:
        raise LedgerError("was altered: its hash is not that of its content")
    if line.replace(f'"hash":"{link}",'.encode(), b"", 1) != bare:
        raise LedgerError("was altered: it is not as the ledger writes lines")
    expected = _SHAPES.get(str(entry.get("is")))
    if expected is None:
        raise LedgerError(f"is of a kind that this version does not know: {entry.get('is')!r}")
    for key, is_right in expected.items():
        if key not in entry or not is_right(entry[key]):
            raise LedgerError(f"was not written by a ledger: it is wrong at {key!r}")
    return entry


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return type(value) is int


def _identifier(value: Any) -> bool:
    return isinstance(value, str) and IDENTIFIER.match(value) is not None


def _identifiers(value: Any) -> bool:
    return isinstance(value, list) and all(map(_identifier, value))


def _hash(value: Any) -> bool:
    return isinstance(value, str) and _HASH.match(value) is not None


def _files(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(told, dict) and _hash(told.get("sha256")) and _number(told.get("bytes")) for told in value.values()
    )


_SHAPES: Final = {
    "segment": {
        "segment": _identifier,
        "bytes": _number,
        "sha256": _hash,
        "records": _number,
        "writer": _text,
        "key": _text,
        "wall": _number,
        "until": _number,
    },
    "compaction": {"batch": _identifier, "segments": _identifiers, "files": _files},
    "dropped": {
        "before": _text,
        "segments": _identifiers,
        "batches": _identifiers,
        "by": _text,
        "reason": _text,
        "key": _text,
        "signature": _text,
    },
}
