"""The functions that ``sentry_sdk.init`` takes.

What this module keeps:

- **R1** Nothing here reads a tagged value to decide what to do: what models hold is found without a read, and replaced.
- An event that cannot be cleaned is sent with no more than the kinds of its exceptions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from purposebind import Purpose, PurposeViolation, active_purposes

from .cleaning import STRUCTURE, Cleaning, cleaned, withheld
from .reach import exceptions, kinds, near, scrubbing

if TYPE_CHECKING:
    from sentry_sdk.types import Breadcrumb, BreadcrumbHint, Event, Hint, Log

__all__ = ["before_breadcrumb", "before_send", "before_send_log", "before_send_transaction"]

_PURPOSES: Final = "purposebind.purposes"
_ARGUMENT: Final = "sentry.message.parameter."


def before_send(event: Event, hint: Hint | None) -> Event | None:
    """Return `event` without what its frames held, and with the purposes that the code ran for.

    These are the tag ``purposebind.purposes`` and, where a violation is among the exceptions, the context
    ``purposebind``. An exception is often sent after its scope has ended: then they are those of the violation, or
    none.

    Args:
        event: The event. It is not changed.
        hint: What Sentry gives with it; where it is missing, texts are not scrubbed of exceptions' values.

    Example:
        >>> frame = {"function": "dial", "vars": {"phone": "'+15550100'", "again": "False"}}
        >>> event = {"exception": {"values": [{"type": "OSError", "stacktrace": {"frames": [frame]}}]}}
        >>> before_send(event, {})["exception"]["values"][0]["stacktrace"]["frames"][0]["vars"]
        {'phone': '<withheld>', 'again': 'False'}
    """
    given = hint or {}
    whole = cast("dict[str, Any]", event)
    try:
        return cast("Event", _with_purposes(cleaned(whole, scrubbing(given), kinds(given)), given))
    except Exception as error:
        return cast("Event", _least(whole, given, error))


def before_send_transaction(event: Event, hint: Hint | None) -> Event | None:
    """Return a transaction, cleaned as `before_send` does."""
    return before_send(event, hint)


def before_send_log(log: Log, hint: Hint | None) -> Log | None:
    """Return a log of Sentry's without its message's arguments, and with the active purposes as an attribute.

    The message itself is sent as it was logged.

    Example:
        >>> before_send_log({"body": "sent", "attributes": {"sentry.message.parameter.0": "+15550100"}}, {})
        {'body': 'sent', 'attributes': {'sentry.message.parameter.0': '<withheld>', 'purposebind.purposes': ''}}
    """
    attributes = {
        key: withheld(value) if key.startswith(_ARGUMENT) else value
        for key, value in (log.get("attributes") or {}).items()
    }
    return cast("Log", {**log, "attributes": {**attributes, _PURPOSES: _joined(active_purposes())}})


def before_breadcrumb(crumb: Breadcrumb, hint: BreadcrumbHint | None) -> Breadcrumb | None:
    """Return a breadcrumb without its data, and its message without the values of models in the function that made it.

    `before_send` cleans them too; but then that function may be long over, and its models out of reach.

    Example:
        >>> before_breadcrumb({"message": "sent", "data": {"to": "+15550100"}}, {})
        {'message': 'sent', 'data': {'to': '<withheld>'}}
    """
    try:
        return Cleaning(near(hint or {}), {}).crumb(crumb)
    except Exception:
        return {key: value for key, value in crumb.items() if key in STRUCTURE}


def _with_purposes(event: dict[str, Any], hint: Mapping[str, Any]) -> dict[str, Any]:
    violation = next((error for error in exceptions(hint) if isinstance(error, PurposeViolation)), None)
    purposes = _joined(violation.active if violation is not None else active_purposes())
    tags = event.get("tags") or {}
    if isinstance(tags, Mapping):
        event["tags"] = {**tags, _PURPOSES: purposes or "none"}
    else:
        event["tags"] = [*tags, [_PURPOSES, purposes or "none"]]
    if violation is not None:
        event["contexts"] = {
            **(event.get("contexts") or {}),
            "purposebind": {
                "field": violation.field,
                "purposes": purposes,
                "allowed": _joined(violation.allowed),
                "reason": violation.reason.value,
                "site": str(violation.site or ""),
            },
        }
    return event


def _joined(purposes: Iterable[Purpose]) -> str:
    return ",".join(sorted(purpose.name for purpose in purposes))


def _least(event: Mapping[str, Any], hint: Mapping[str, Any], error: Exception) -> dict[str, Any]:
    """What can be sent of an event whatever it holds."""
    kept = {key: event[key] for key in STRUCTURE if key in event}
    raised = type((hint.get("exc_info") or (None, None))[1] or "a message").__qualname__
    return {**kept, "message": f"{raised} (withheld: cleaning the event failed with {type(error).__qualname__})"}
