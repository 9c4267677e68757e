"""Celery's broker in a folder, where a message is there whole or not at all.

The one that Kombu has writes a message into its place bit by bit, and a worker that looks in between ends with an
error.
A process that has this folder on its path gets the other one: Python imports `sitecustomize` as it starts.
"""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

from kombu.transport.filesystem import Channel
from kombu.utils.json import dumps

__all__ = ["install"]


def _put(self: Any, queue: str, payload: Any, **kwargs: Any) -> None:
    place = Path(self.data_folder_out, f"{round(monotonic() * 1000)}_{uuid4()}.{queue}.msg")
    part = place.with_name(f"{place.name}.part")
    part.write_text(dumps(payload), encoding="utf-8")
    part.rename(place)


def install() -> None:
    """Have messages written whole in this process."""
    Channel._put = _put
