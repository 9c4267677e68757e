"""The ways to write a record that are no table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from .fides import to_fides
from .jsonld import to_jsonld
from .markdown import to_markdown
from .record import Record

__all__ = ["FORMS"]

FORMS: Final[Mapping[str, Callable[[Record], str]]] = {
    "markdown": to_markdown,
    "jsonld": to_jsonld,
    "fides": to_fides,
}
"""The ways, by their names."""
