"""What an object shows of itself, as pieces of bytes: text, attributes, items, and what hangs on an exception.

What this module keeps: looking is no read. What is sealed stays sealed, and is no leak; everything beside it is looked
at, such as a private attribute to which a validator copied a value (R10).
"""

from __future__ import annotations

import enum
import logging
import types
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel

from purposebind import Sealed

from .canary import Canary
from .files import unpacked

__all__ = ["pieces", "record_pieces"]

_DEEPEST: Final = 12
_MOST: Final = 50_000
"""How many objects are looked at, below one that is handed over."""
_MOST_OF_A_RECORD: Final = 1_000
"""The same for a log record, while the code under test waits: an exception in it may lead to the whole service."""
_SILENT = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, type, Sealed, Canary)
_BODIES = ("content", "body", "data")
_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({})))


def pieces(thing: Any, place: str, *, frames: bool = False) -> Iterator[tuple[str, int, bytes]]:
    """Yield what `thing` shows.

    Args:
        thing: Bytes, text, a response, an exception, a log record, a collection, a model, or any other object.
        place: What it is called in the report.
        frames: Whether the variables of an exception's frames count, as for a service that sends them to a tracker.
    """
    if isinstance(thing, (Iterator, AsyncIterator)):
        raise TypeError(f"A {type(thing).__name__} would be used up by looking: hand over what you read of it")
    if isinstance(thing, (types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.CoroutineType)):
        raise TypeError(f"{thing.__qualname__} shows nothing by itself: hand over what it returns")
    for where, data in _Looking(_MOST, frames).at(thing, place, 0):
        yield where, 0, data
        for inner in unpacked(data):
            yield f"{where}, unpacked", 0, inner


def record_pieces(record: logging.LogRecord) -> Iterator[tuple[str, bytes]]:
    """Yield what a log record shows: its message, its ``extra``, and the exception that it reports."""
    place = f"log {record.name} {record.levelname}, {record.filename}:{record.lineno}"
    looking = _Looking(_MOST_OF_A_RECORD)
    message = _said(record.getMessage) or _said(lambda: f"{record.msg} {record.args}")
    yield f"{place}, message", message
    extra = {name: value for name, value in vars(record).items() if name not in _OF_EVERY_RECORD}
    extra.pop("message", None)
    extra.pop("asctime", None)
    yield from looking.at(extra, f"{place}, extra", 0)
    if isinstance(record.args, Mapping):  # a named argument may not be in the message, and goes to JSON all the same
        yield from looking.at(record.args, f"{place}, args", 0)
    if record.exc_info and record.exc_info[1] is not None:
        yield from looking.at(record.exc_info[1], f"{place}, exception", 0)
    if record.stack_info:
        yield f"{place}, stack", record.stack_info.encode("utf-8", "surrogatepass")


class _Looking:
    """One walk through an object and what hangs on it, each once."""

    def __init__(self, most: int, frames: bool = False) -> None:
        self._most = most
        self._frames = frames
        self._seen: dict[int, Any] = {}  # kept, so that an id stays its own

    def at(self, thing: Any, place: str, depth: int) -> Iterator[tuple[str, bytes]]:
        if thing is None or isinstance(thing, (bool, *_SILENT)) or depth > _DEEPEST or len(self._seen) > self._most:
            return
        if isinstance(thing, str):
            yield place, thing.encode("utf-8", "surrogatepass")
            return
        if isinstance(thing, (bytes, bytearray)):
            yield place, bytes(thing)
            return
        if isinstance(thing, (int, float, Decimal, complex, date, datetime, time, UUID, PurePath)):
            yield place, f"{thing}\0{thing!r}".encode("utf-8", "surrogatepass")
            return
        if id(thing) in self._seen or getattr(type(thing), "_holds_canaries", False):
            return
        self._seen[id(thing)] = thing
        if isinstance(thing, BaseException):
            yield from self._exception(thing, place, depth)
        elif isinstance(thing, logging.LogRecord):
            yield from record_pieces(thing)
        elif isinstance(thing, memoryview):
            yield place, thing.tobytes()
        elif isinstance(thing, Mapping):
            for key, value in list(thing.items()):
                yield from self.at(key, f"{place}, a key", depth + 1)
                yield from self.at(value, f"{place}[{key!r}]" if isinstance(key, (str, int)) else place, depth + 1)
        elif isinstance(thing, (list, tuple, set, frozenset, deque)):
            for number, value in enumerate(list(thing)):
                yield from self.at(value, f"{place}[{number}]", depth + 1)
        elif isinstance(thing, enum.Enum):
            yield from self.at(thing.value, place, depth + 1)
        elif _looks_like_response(thing):
            yield from self._response(thing, place, depth)
        else:
            yield from self._attributes(thing, place, depth)
            yield f"{place}, repr", _said(lambda: repr(thing))

    def _attributes(self, thing: Any, place: str, depth: int) -> Iterator[tuple[str, bytes]]:
        for name, value in list(getattr(thing, "__dict__", {}).items()):
            yield from self.at(value, f"{place}.{name}", depth + 1)
        for kind in type(thing).__mro__:
            slots = kind.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if not isinstance(kind.__dict__.get(name), types.MemberDescriptorType):
                    continue  # a private name, which is mangled, or one that something else stands before
                try:
                    value = kind.__dict__[name].__get__(thing, kind)
                except AttributeError:
                    continue
                if name == "__pydantic_private__" or name == "__pydantic_extra__":
                    for inner, item in (value or {}).items():
                        yield from self.at(item, f"{place}.{inner}", depth + 1)
                elif name not in ("__dict__", "__weakref__"):
                    yield from self.at(value, f"{place}.{name}", depth + 1)

    def _response(self, thing: Any, place: str, depth: int) -> Iterator[tuple[str, bytes]]:
        headers = thing.headers
        for name, value in headers.multi_items() if hasattr(headers, "multi_items") else headers.items():
            yield f"{place}, header {name}", _bytes(name) + b": " + _bytes(value)
        for earlier in getattr(thing, "history", None) or ():
            yield from self.at(earlier, f"{place}, before the redirect", depth + 1)
        for name in _BODIES:
            body = getattr(thing, name, None)
            if isinstance(body, (bytes, bytearray, memoryview, str)):
                yield f"{place}, body", body.encode() if isinstance(body, str) else bytes(body)
                return
        raise TypeError(
            f"The body of {type(thing).__name__} cannot be searched: hand over the bytes that you read of it"
        )

    def _exception(self, error: BaseException, place: str, depth: int) -> Iterator[tuple[str, bytes]]:
        at = f"{place}, {type(error).__name__}" if not place.endswith(type(error).__name__) else place
        said = _said(lambda: str(error))
        yield f"{at}, message", said
        for number, argument in enumerate(error.args):
            if not said or _said(partial(str, argument)) not in said:
                yield from self.at(argument, f"{at}, args[{number}]", depth + 1)
        for number, note in enumerate(getattr(error, "__notes__", ()) or ()):
            yield from self.at(note, f"{at}, note {number}", depth + 1)
        attributes = {name: value for name, value in vars(error).items() if name != "__notes__"}
        for name, value in attributes.items():
            yield from self.at(value, f"{at}, {name}", depth + 1)
        lines = getattr(error, "errors", None)
        if callable(lines):  # a ValidationError of pydantic
            try:
                yield from self.at(lines(), f"{at}, errors()", depth + 1)
            except Exception:
                yield f"{at}, errors()", b""
        members = getattr(error, "exceptions", None)
        for number, inner in enumerate(members if isinstance(members, (list, tuple)) else ()):
            yield from self.at(inner, f"{at}, member {number}", depth + 1)
        yield f"{at}, repr", _said(lambda: repr(error))
        yield from self.at(error.__cause__, f"{at}, cause", depth + 1)
        yield from self.at(error.__context__, f"{at}, context", depth + 1)
        if self._frames and error.__traceback__ is not None:
            step = error.__traceback__.tb_next  # the first is the frame that caught it: the test's own
            while step is not None:
                code = step.tb_frame.f_code
                for name, value in list(step.tb_frame.f_locals.items()):
                    yield from self.at(value, f"{at}, variable {name} of {code.co_name}()", depth + 1)
                step = step.tb_next


def _looks_like_response(thing: Any) -> bool:
    if isinstance(thing, BaseModel) or any(kind.__module__ == "unittest.mock" for kind in type(thing).__mro__):
        return False  # asking the one for an attribute could be a read, and the other has every attribute there is
    try:
        return callable(getattr(thing.headers, "items", None)) and (
            hasattr(thing, "status_code") or hasattr(thing, "status")
        )
    except Exception:
        return False


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


def _said(say: Callable[[], Any]) -> bytes:
    try:
        return str(say()).encode("utf-8", "surrogatepass")
    except Exception:  # somebody's __str__, or a message that does not suit its arguments
        return b""
