"""structlog: the active purposes stand in every event, and tracebacks do without the values of variables.

Tagged fields need nothing here: models and `Sealed` boxes in an event render as ``<sealed: ...>`` with every renderer.
What was read from them is an ordinary value, and renders as one.

These are plain functions, and import nothing of structlog's. The extra ``structlog`` installs a version that they are
tested with.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from purposebind import active_purposes
from purposebind.redaction import WITHHELD

__all__ = ["add_purposes", "withhold_locals"]


def add_purposes(logger: Any, method_name: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put ``purposes`` into the event: the names of the active purposes in order, an empty list for none.

    A record of standard logging that went through `purposebind.integrations.logging.PurposeFilter`, and that a
    `ProcessorFormatter` renders, keeps those it was logged under.

    Example:
        >>> from purposebind import Purpose, purpose_scope
        >>> with purpose_scope(Purpose("fitting", "Find the right size")):
        ...     add_purposes(None, "info", {"event": "measured"})
        {'event': 'measured', 'purposes': ['fitting']}
    """
    record = event_dict.get("_record")
    on_record = getattr(record, "purposes", None) if isinstance(record, logging.LogRecord) else None
    if isinstance(on_record, str):
        event_dict["purposes"] = [] if on_record == "-" else on_record.split(",")
    else:
        event_dict["purposes"] = sorted(purpose.name for purpose in active_purposes())
    return event_dict


def withhold_locals(logger: Any, method_name: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take the values of variables out of structured tracebacks: for after ``dict_tracebacks``.

    That, and any other `ExceptionDictTransformer` with ``show_locals=True``, shows what a function had read, in plain
    text. The variables' names stay.

    Example:
        >>> frame = {"name": "dial", "locals": {"phone": "'+15550100'"}}
        >>> withhold_locals(None, "error", {"exception": [{"frames": [frame]}]})
        {'exception': [{'frames': [{'name': 'dial', 'locals': {'phone': '<withheld>'}}]}]}
    """
    if "exception" in event_dict:
        event_dict["exception"] = _without_locals(event_dict["exception"])
    return event_dict


def _without_locals(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: dict.fromkeys(item, WITHHELD) if key == "locals" and isinstance(item, dict) else _without_locals(item)
            for key, item in value.items()
        }
    return [_without_locals(item) for item in value] if isinstance(value, list) else value
