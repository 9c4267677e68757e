"""The purposes that a message was sent under: by their names, in a header of it.

What this module keeps:

- **R4** What a message was sent under goes with everything that follows from it: the retry, the links, the rest of the
  chain, the chord's body, the errbacks. Those are published by a worker, some by its main process, where nothing is
  known any more of who sent the first; so each carries the names itself, from the beginning.
- What stands in the header and is no list of names is taken for an unknown purpose, under which nothing may be read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from purposebind.receiving import UNRECOGNIZED

__all__ = ["HEADER", "in_headers", "sent_under", "stamped"]

HEADER: Final = "purposebind_purposes"

_FOLLOWERS: Final = ("link", "link_error", "chord", "chain")
_PARTS: Final = {"group": ("tasks",), "chain": ("tasks",), "chord": ("header", "body")}


def in_headers(headers: Any) -> tuple[str, ...]:
    """Return the names in the headers of a message or of a signature."""
    names = headers.get(HEADER) if isinstance(headers, dict) else None
    if names is None:
        return ()
    if isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names):
        return tuple(names)
    return (UNRECOGNIZED.name,)


def sent_under(request: Any) -> tuple[str, ...]:
    """Return the names that the message of a task's request was sent under."""
    facts: dict[str, Any] = getattr(request, "__dict__", {})
    options = facts.get("options")  # of a chord's body that never ran: it stands for a request
    inside = options.get("headers") if isinstance(options, dict) else None
    return tuple(sorted({*in_headers(facts), *in_headers(facts.get("headers")), *in_headers(inside)}))


def stamped(signature: Any, names: Iterable[str]) -> Any:
    """Return a copy of a signature, or of several, that carries `names` too, and so does all that follows from it."""
    if isinstance(signature, (list, tuple)):
        return [stamped(item, names) for item in signature]
    if not isinstance(signature, dict):
        return signature
    options = dict(signature.get("options") or {})
    headers = dict(options.get("headers") or {})
    headers[HEADER] = sorted({*in_headers(headers), *names})
    options["headers"] = headers
    for name in _FOLLOWERS:
        if options.get(name):
            options[name] = stamped(options[name], names)
    arguments = dict(signature.get("kwargs") or {})
    for name in _PARTS.get(signature.get("subtask_type") or "", ()):
        if arguments.get(name):
            arguments[name] = stamped(arguments[name], names)
    return {**signature, "options": options, "kwargs": arguments}
