"""What is left of an event: its shape, its code, its texts without the values that models hold.

What this module keeps:

- **R7** No variable's value stays, in whatever part of an event there are frames. Code that read a value holds it in
  plain text, and nothing tells it from others.
- What came in with a request does not stay either: it is what tagged fields are validated from.
- What is only there for people to look through (``extra``, contexts of one's own, the data of breadcrumbs, the
  arguments of log messages) is withheld; what events are found and grouped by is scrubbed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from purposebind.redaction import WITHHELD

from .reach import Place, place

__all__ = ["STRUCTURE", "Cleaning", "cleaned", "withheld", "withheld_values"]

STRUCTURE: Final = frozenset(
    (
        "dist", "environment", "event_id", "level", "modules", "op", "parent_span_id", "platform", "release", "sdk",
        "span_id", "start_timestamp", "status", "timestamp", "trace_id", "type",
    )
)  # fmt: skip
"""Keys of Sentry's own, whose values it has to be able to read."""

_HARMLESS: Final = frozenset(("None", "True", "False"))
_OF_THE_SDK: Final = frozenset(
    (
        "app", "browser", "cloud_resource", "culture", "device", "flags", "gpu", "os", "otel", "profile", "purposebind",
        "runtime", "trace",
    )
)  # fmt: skip
"""Contexts that tell of machine and program."""
_OF_A_CRUMB: Final = frozenset(
    ("http.method", "http.request.method", "http.response.status_code", "method", "status_code")
)
_OF_A_SPAN: Final = frozenset(
    ("db.params", "db.query.parameters", "http.fragment", "http.query", "http.request.body.data", "url.fragment",
     "url.query")
)  # fmt: skip
"""Data of a span that is withheld."""
_PLAIN_HEADERS: Final = frozenset(
    (
        "accept", "accept-encoding", "accept-language", "cache-control", "connection", "content-encoding",
        "content-length", "content-type", "host", "traceparent", "transfer-encoding", "upgrade", "user-agent",
        "x-request-id",
    )
)  # fmt: skip
"""Headers that tell of the connection; any other may be whatever the caller knows of a person."""
_BETWEEN: Final = "\0"
_MARKER: Final = re.compile(r"<sealed: [^<>]*>")

_Bag: TypeAlias = "Mapping[Any, Any]"


def withheld(value: Any) -> Any:
    """Return `value` where it is None or a truth value, also as text, or else a marker."""
    if value is None or isinstance(value, bool) or (isinstance(value, str) and value in _HARMLESS):
        return value
    return WITHHELD


def withheld_values(bag: Any, keep: frozenset[str] = frozenset()) -> Any:
    """Return `bag` with the values withheld of all keys but those to `keep`."""
    if not isinstance(bag, Mapping):
        return withheld(bag)
    return {key: value if key in keep else withheld(value) for key, value in bag.items()}


def cleaned(event: _Bag, scrub: Callable[[str], str], kinds: Mapping[Place, Mapping[str, str]]) -> dict[str, Any]:
    """Return an event, cleaned. All its texts are scrubbed at once: there may be very many values to look for.

    Args:
        event: The event; it is not changed.
        scrub: Returns a text without the values that models hold.
        kinds: The types of variables, by the place of their frame.
    """
    texts: dict[str, str] = {}
    Cleaning(lambda text: texts.setdefault(text, text), kinds).event(event)
    scrubbed = scrub(_BETWEEN.join(texts)).split(_BETWEEN)
    if len(scrubbed) == len(texts):
        texts = dict(zip(texts, scrubbed, strict=True))
    else:  # it stands in a text, or in a value
        texts = {text: scrub(text) for text in texts}
    return Cleaning(texts.__getitem__, kinds).event(event)


class Cleaning:
    """Cleans one event.

    Args:
        scrub: Returns a text without the values that models hold.
        kinds: The types of variables, by the place of their frame.
    """

    def __init__(self, scrub: Callable[[str], str], kinds: Mapping[Place, Mapping[str, str]]) -> None:
        self._scrub = scrub
        self._kinds = kinds

    def event(self, event: _Bag) -> dict[str, Any]:
        """Return an event, cleaned."""
        parts: dict[str, Callable[[Any], Any]] = {
            "breadcrumbs": lambda crumbs: self._each(crumbs, self.crumb),
            "contexts": self._contexts,
            "extra": lambda bag: withheld_values(self._keys(bag)),
            "logentry": self._logentry,
            "request": self._request,
            "spans": lambda spans: self._each(spans, self._span),
            "tags": self.texts,
            "user": self.texts,
        }
        return {
            key: value if key in STRUCTURE else parts.get(key, self.known)(value)
            for key, value in event.items()
            if key != "_meta"  # it names what was in what is gone
        }

    def crumb(self, crumb: _Bag) -> dict[str, Any]:
        """Return a breadcrumb, cleaned."""
        return {
            key: withheld_values(self._keys(value), _OF_A_CRUMB) if key == "data" else self.known(value, key)
            for key, value in crumb.items()
        }

    def known(self, value: Any, key: str = "") -> Any:
        """Return a part whose form is Sentry's own, with its texts scrubbed and its variables withheld."""
        if key in STRUCTURE:
            return value
        if key == "frames" and isinstance(value, list):
            return [self._frame(frame) for frame in value]
        if key == "vars":
            return withheld_values(value)
        if isinstance(value, Mapping):
            return {name: self.known(item, name) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.known(item) for item in value]
        return self._scrub(value) if isinstance(value, str) else value

    def texts(self, value: Any) -> Any:
        """Return a part that may hold anything, with its texts scrubbed, and numbers that are a value."""
        if isinstance(value, Mapping):
            return {self.texts(key): self.texts(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.texts(item) for item in value]
        if isinstance(value, str):
            return self._scrub(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            text = self._scrub(str(value))
            return text if _MARKER.fullmatch(text) else value
        return value

    def _frame(self, frame: Any) -> Any:
        if not isinstance(frame, Mapping):
            return frame
        cleaned = {key: self.known(item, key) for key, item in frame.items()}
        if isinstance(frame.get("vars"), Mapping):
            where = place(frame.get("abs_path") or "", frame.get("function") or "", frame.get("lineno") or 0)
            kinds = self._kinds.get(where, {})
            cleaned["vars"] = {
                name: kinds.get(name, WITHHELD) if withheld(value) == WITHHELD else value
                for name, value in frame["vars"].items()
            }
        return cleaned

    def _contexts(self, contexts: Any) -> Any:
        if not isinstance(contexts, Mapping):
            return withheld(contexts)
        return {
            name: self._span(bag) if name in _OF_THE_SDK else withheld_values(self._keys(bag))
            for name, bag in contexts.items()
        }

    def _span(self, span: Any) -> Any:
        if not isinstance(span, Mapping) or not isinstance(span.get("data"), Mapping):
            return self.known(span)
        data = {key: withheld(item) if key in _OF_A_SPAN else self.texts(item) for key, item in span["data"].items()}
        return {**self.known(span), "data": {key: _without_query(key, item) for key, item in data.items()}}

    def _logentry(self, entry: Any) -> Any:
        if not isinstance(entry, Mapping):
            return self.texts(entry)
        return {key: self._arguments(item) if key == "params" else self.texts(item) for key, item in entry.items()}

    def _arguments(self, arguments: Any) -> Any:
        return [withheld(item) for item in arguments] if isinstance(arguments, list) else withheld_values(arguments)

    def _request(self, request: Any) -> Any:
        if not isinstance(request, Mapping):
            return withheld(request)
        cleaned: dict[Any, Any] = {}
        for key, value in request.items():
            if key in ("env", "method", "url"):
                cleaned[key] = _without_query(key, self.texts(value))
            elif key == "headers" and isinstance(value, Mapping):
                cleaned[key] = {
                    self.texts(name): self.texts(item) if str(name).lower() in _PLAIN_HEADERS else withheld(item)
                    for name, item in value.items()
                }
            else:
                cleaned[key] = withheld(value)
        return cleaned

    def _keys(self, bag: Any) -> Any:
        return {self.texts(key): value for key, value in bag.items()} if isinstance(bag, Mapping) else bag

    def _each(self, part: Any, clean: Callable[[Any], Any]) -> Any:
        """A list, or what Sentry wraps one in."""
        if isinstance(part, Mapping):
            return {key: self._each(item, clean) if key == "values" else self.known(item) for key, item in part.items()}
        return [clean(item) for item in part] if isinstance(part, list) else withheld(part)


def _without_query(key: Any, value: Any) -> Any:
    return (
        re.split("[?#]", value, maxsplit=1)[0]
        if key in ("url", "url.full", "http.url") and isinstance(value, str)
        else value
    )
