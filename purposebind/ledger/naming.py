"""The names that records refer to: fields, activities and denials, as the JSON texts that `records` describes.

They are made of names, places and reasons alone; nothing that a tagged field holds comes here.
"""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from typing import Any

__all__ = ["activity_name", "denial_name", "field_name", "trace_id"]

_NO_TRACE = bytes(16)


@lru_cache(maxsize=4096)
def field_name(field: str) -> str:
    """Return the name of a field.

    Example:
        >>> field_name("Account.phone")
        '{"field":"Account.phone","is":"field"}'
    """
    return _named("field", field=field)


def activity_name(frame: Any, emergency: Any) -> str:
    """Return the name of the activity that an entry of a scope is, in the emergency that it is part of or None."""
    return _named(
        "activity",
        purposes=sorted(p.name for p in frame.entry.active.purposes),
        entered=[p.name for p in frame.entry.purposes],
        site=str(frame.site),
        handovers=[_handover(handover) for handover in frame.entry.handovers],
        break_glass=None if emergency is None else {"reason": emergency.reason, "by": emergency.by},
    )


def denial_name(denial: Any) -> str:
    """Return the name of a denial, enforced or observed."""
    site = None if denial.site is None else str(denial.site)
    return _denial_name(denial.field, denial.active, denial.reason, site, denial.enforced, denial.allowed)


@lru_cache(maxsize=4096)
def _denial_name(field: str, active: Any, reason: Any, site: str | None, enforced: bool, allowed: Any) -> str:
    return _named(
        "denial",
        field=field,
        purposes=sorted(p.name for p in active),
        reason=reason.value,
        site=site,
        enforced=enforced,
        allowed=[p.name for p in allowed],
    )


def trace_id() -> bytes:
    """Return the id of the trace that OpenTelemetry has active here; it is asked only where something imported it."""
    tracing = sys.modules.get("opentelemetry.trace")
    if tracing is None:
        return _NO_TRACE
    trace: int = tracing.get_current_span().get_span_context().trace_id
    return trace.to_bytes(16, "big")


def _handover(handover: Any) -> dict[str, str]:
    return {"left": handover.source.name, "entered": handover.target.name, "reason": handover.reason}


def _named(kind: str, **what: Any) -> str:
    return json.dumps({"is": kind, **what}, sort_keys=True, separators=(",", ":"))
