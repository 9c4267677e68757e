"""Which batches a ledger has to ship, by its chain; and whether their files are what the chain says.

What this module keeps:

- A batch is one that the chain knows: what lies in ``parquet`` and is not in the chain is not finished.
- What was altered is not shipped.
- A ledger is known by the hash of the first line of its chain: a copy of it elsewhere is the same ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from purposebind.ledger.chain import Chain
from purposebind.ledger.errors import LedgerError
from purposebind.ledger.folder import Folder

__all__ = ["Batch", "Inventory", "take_inventory"]

_PIECE = 1 << 20


@dataclass(frozen=True)
class Batch:
    """A batch of a ledger.

    Attributes:
        id: Its id.
        root: The ledger's folder.
        segments: The segments it was made of.
        keys: The ids of the keys by which their people were hashed.
        n: The number of its line in the chain.
        hash: The hash of that line.
        files: The sha256 and the bytes of each of its files, by path in the ledger's folder.
    """

    id: str
    root: Path
    segments: tuple[str, ...]
    keys: tuple[str, ...]
    n: int
    hash: str
    files: dict[str, tuple[str, int]]

    @property
    def place(self) -> Path:
        """Its folder."""
        return self.root / "parquet" / self.id

    @property
    def paths(self) -> list[Path]:
        """Where its files are."""
        return [self.root / name for name in self.files]

    def altered(self) -> str | None:
        """Return the name of a file that is not what the chain says, or is missing; None if there is none."""
        for name, (sha256, size) in self.files.items():
            try:
                if (self.root / name).stat().st_size != size or _sha256(self.root / name) != sha256:
                    return name
            except FileNotFoundError:
                return name
        return None


@dataclass(frozen=True)
class Inventory:
    """What a chain says there is to ship.

    Attributes:
        ledger: The ledger's id; empty where the chain is.
        batches: The batches, in the order in which they were made; without those that retention dropped.
        dropped: The ids of the batches that retention dropped.
        hashes: The hash of each line of the chain.
    """

    ledger: str
    batches: tuple[Batch, ...]
    dropped: tuple[str, ...]
    hashes: tuple[str, ...]

    @property
    def head(self) -> tuple[int, str]:
        """The number and the hash of the last line."""
        return len(self.hashes) - 1, self.hashes[-1]


def take_inventory(folder: Folder) -> Inventory:
    """Read a ledger's chain.

    Raises:
        LedgerError: There is no ledger at this place, or its chain is broken.
    """
    if not folder.path.is_dir():
        raise LedgerError(f"There is no ledger at {folder.path}")
    entries = list(_checked(folder))
    dropped = {str(batch) for entry in entries if entry["is"] == "dropped" for batch in entry["batches"]}
    keys = {str(entry["segment"]): str(entry["key"]) for entry in entries if entry["is"] == "segment"}
    batches = [_batch(folder, entry, keys) for entry in entries if entry["is"] == "compaction"]
    return Inventory(
        ledger=entries[0]["hash"] if entries else "",
        batches=tuple(batch for batch in batches if batch.id not in dropped),
        dropped=tuple(batch.id for batch in batches if batch.id in dropped),
        hashes=tuple(entry["hash"] for entry in entries),
    )


def _checked(folder: Folder) -> Iterator[dict[str, Any]]:
    """The lines of the chain, each of which has to continue the one before."""
    before = "0" * 64
    for n, entry in enumerate(Chain(folder).entries()):
        if entry.get("n") != n or entry.get("prev") != before:
            raise LedgerError(f"The chain of {folder.path} is broken at line {n}: run `purposebind ledger verify`")
        before = entry["hash"]
        yield entry


def _batch(folder: Folder, entry: dict[str, Any], keys: dict[str, str]) -> Batch:
    segments = tuple(str(segment) for segment in entry["segments"])
    return Batch(
        id=str(entry["batch"]),
        root=folder.path,
        segments=segments,
        keys=tuple(sorted({keys.get(segment, "") for segment in segments} - {""})),
        n=int(entry["n"]),
        hash=str(entry["hash"]),
        files={str(name): (str(file["sha256"]), int(file["bytes"])) for name, file in entry["files"].items()},
    )


def _sha256(path: Path) -> str:
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            hasher.update(piece)
    return hasher.hexdigest()
