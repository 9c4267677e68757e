"""Text that programs and people read alike: what cannot be seen, or written as UTF-8, is written out."""

from __future__ import annotations

from typing import Any

from purposebind.ledger.report.words import visible

__all__ = ["sound"]


def sound(value: Any) -> Any:
    r"""Return a structure of plain data with each text in it made visible; lines stay lines.

    Example:
        >>> print(sound(["ads\u202egnp", {"count": 3}]))
        ['ads\\u202egnp', {'count': 3}]
    """
    if isinstance(value, str):
        return "\n".join(map(visible, value.splitlines()))
    if isinstance(value, dict):
        return {sound(key): sound(one) for key, one in value.items()}
    return [sound(one) for one in value] if isinstance(value, list) else value
