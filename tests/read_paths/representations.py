"""Roads that represent a model, or leave the value out: no reads, and nothing is revealed."""

from __future__ import annotations

import copy
import csv
import inspect
import io
import json
import logging
import logging.handlers
import pickle
import pprint
import pydoc
import queue
import reprlib
import string
import textwrap
import traceback
import unittest.mock
import urllib.parse
import warnings
from collections.abc import Callable
from typing import Any

import rich
import rich.console
import rich.pretty
import rich.traceback
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel, TypeAdapter

from .subjects import Account, AnyHolder, Computed, HandleHolder, Holder, PlainHolder, as_, quiet, root


def written_csv(row: Callable[[Any], list[Any]]) -> Callable[[Any], str]:
    def write(subject: Any) -> str:
        out = io.StringIO()
        csv.writer(out).writerow(row(subject))
        return out.getvalue()

    return write


FORMAT = "%(message)s %(account)s"


def logged(message: str, *arguments: Any, **extra: Any) -> str:
    """What a handler writes of a record."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter(FORMAT if "account" in extra else "%(message)s"))
    record = logging.LogRecord("test", logging.INFO, "f.py", 1, message, arguments, None)
    record.__dict__.update(extra)
    handler.emit(record)
    return out.getvalue()


def logged_exception(subject: Any) -> str:
    out = io.StringIO()
    logger = logging.Logger("test")  # noqa: LOG001
    logger.addHandler(logging.StreamHandler(out))
    try:
        raise ValueError(subject)
    except ValueError:
        logger.exception("failed for %r", subject)
    return out.getvalue()


def logged_json(default: Any) -> Callable[[Any], str]:
    def write(subject: Any) -> str:
        record = logging.LogRecord("test", logging.INFO, "f.py", 1, "%s", (subject,), None)
        record.__dict__["extra"] = {"account": subject}
        return json.dumps(vars(record), default=default)

    return write


def queued_record(subject: Any) -> Any:
    record = logging.LogRecord("test", logging.INFO, "f.py", 1, "%s", (subject,), None)
    prepared = logging.handlers.QueueHandler(queue.Queue()).prepare(record)
    return pickle.dumps(vars(prepared))


def socket_record(subject: Any) -> Any:
    record = logging.LogRecord("test", logging.INFO, "f.py", 1, "%s", (subject,), None)
    return logging.handlers.SocketHandler("localhost", 9).makePickle(record)


def failing(subject: Any) -> BaseException:
    box = copy.copy(subject).__dict__["phone"]
    view = vars(copy.copy(subject))
    try:
        raise RuntimeError("boom")
    except RuntimeError as error:
        assert box is not None
        assert view
        return error


def traceback_with_locals(subject: Any) -> str:
    return "".join(traceback.TracebackException.from_exception(failing(subject), capture_locals=True).format())


def drawn(*things: Any) -> str:
    console = rich.console.Console(file=io.StringIO(), width=200)
    console.print(*things)
    return console.file.getvalue()  # type: ignore[attr-defined]


def rich_traceback(subject: Any) -> str:
    error = failing(subject)
    return drawn(rich.traceback.Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True))


def printed(subject: Any) -> str:
    out = io.StringIO()
    print(subject, [subject], file=out)
    return out.getvalue()


def dict_rows(subject: Any) -> str:
    out = io.StringIO()
    csv.DictWriter(out, list(vars(subject)), extrasaction="ignore").writerow(vars(subject))
    return out.getvalue()


def warned(subject: Any) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn(f"bad account {subject}", stacklevel=1)
    return str(caught[0].message)


def assertion_message(subject: Any) -> str:
    try:
        assert subject is None, subject
    except AssertionError as error:
        return str(error) + repr(error)
    return ""


REPRESENTATIONS: dict[str, Callable[[Any], Any]] = {
    "repr": repr,
    "str": str,
    "ascii": ascii,
    "format": format,
    "f-string": lambda a: f"{a}",
    "f-string !r": lambda a: f"{a!r}",
    "f-string =": lambda a: f"{a=}",
    "%s": lambda a: "%s" % a,  # noqa: UP031
    "%r": lambda a: "%r" % a,  # noqa: UP031
    "str.format": lambda a: "{}".format(a),  # noqa: UP032
    "string.Template of the model": lambda a: string.Template("$a").substitute(a=a),
    "print": printed,
    "__repr_args__": lambda a: [(name, repr(value)) for name, value in a.__repr_args__()],
    "__repr_str__": lambda a: a.__repr_str__(", "),
    "__pretty__": lambda a: [str(part) for part in a.__pretty__(repr) if part],
    "__rich_repr__": lambda a: repr(list(a.__rich_repr__())),
    "__repr_name__": lambda a: a.__repr_name__(),
    "pprint": lambda a: pprint.pformat(a),
    "pprint in a list": lambda a: pprint.pformat([a] * 3, width=20),
    "pprint of vars()": lambda a: pprint.pformat(vars(a)),
    "reprlib": lambda a: reprlib.repr([a]),
    "textwrap": lambda a: textwrap.shorten(str(a), 500),
    "rich print": lambda a: drawn(a),
    "rich print of a list": lambda a: drawn([a, {"k": a}]),
    "rich print of vars()": lambda a: drawn(vars(a)),
    "rich pretty": lambda a: rich.pretty.pretty_repr(a),
    "rich pretty expanded": lambda a: rich.pretty.pretty_repr([a], expand_all=True, max_width=10),
    "rich traceback with locals": rich_traceback,
    "logging %s": lambda a: logged("%s", a),
    "logging %r": lambda a: logged("%r", a),
    "logging extra": lambda a: logged("m", account=a),
    "logging of vars()": lambda a: logged("%(phone)s", dict(vars(a))),
    "logging of an exception": logged_exception,
    "logging as JSON, default=str": logged_json(str),
    "logging as JSON, default=repr": logged_json(repr),
    "logging QueueHandler": queued_record,
    "logging SocketHandler": socket_record,
    "traceback with locals": traceback_with_locals,
    "exception argument": lambda a: repr(KeyError(a)) + str(ValueError(a)),
    "assertion message": assertion_message,
    "warning": warned,
    "json.dumps default=str": lambda a: json.dumps([a], default=str),
    "json.dumps of vars() default=str": lambda a: json.dumps(vars(a), default=str),
    "str.format of vars()": lambda a: "{phone}".format(**vars(a)),
    "percent formatting of vars()": lambda a: "%(phone)s %(phone)r" % vars(a),  # noqa: UP031
    "string.Template of vars()": lambda a: string.Template("$phone").substitute(vars(a)),
    "csv of vars()": written_csv(lambda a: list(vars(a).values())),
    "csv.DictWriter of vars()": dict_rows,
    "urlencode of vars()": lambda a: urllib.parse.unquote(urllib.parse.urlencode(vars(a))),
    "repr of a plain parent": lambda a: repr(AnyHolder(item=a)) + str(AnyHolder(item=[a])),
    "repr of a dataclass": lambda a: repr(Holder(a)),
    "repr of a root model": lambda a: repr(root(a)) + str(root(a)),
    "repr of a computed field": lambda a: repr(as_(Computed, a)) + str(as_(Computed, a)),
    "repr of a mock call": lambda a: repr(unittest.mock.call(a)),
    "repr of __getstate__": lambda a: repr(a.__getstate__()),
    "dir": lambda a: quiet(lambda: dir(a)),
    "pydoc": lambda a: pydoc.render_doc(a),
    "inspect.getattr_static": lambda a: repr(inspect.getattr_static(a, "phone")),
    "model_fields_set": lambda a: a.model_fields_set,
    "model_extra": lambda a: a.model_extra,
    "model_json_schema": lambda a: type(a).model_json_schema(),
    "== None": lambda a: (a == None, a == 5, a == "x"),  # noqa: E711
    "== mock.ANY": lambda a: a == unittest.mock.ANY,
    "isinstance": lambda a: isinstance(a, BaseModel),
    "class pattern without the field": lambda a: matches_handle(a),
    "untagged attribute": lambda a: (a.handle, a.id, hasattr(a, "handle")),
    "model_dump excluding": lambda a: a.model_dump(exclude={"phone"}),
    "model_dump excluding, as a dict": lambda a: a.model_dump(exclude={"phone": True}),
    "model_dump excluding, as any": lambda a: a.model_dump(exclude={"phone"}, serialize_as_any=True),
    "model_dump including another": lambda a: a.model_dump(include={"handle"}),
    "model_dump_json excluding": lambda a: a.model_dump_json(exclude={"phone"}),
    "model_dump_json including another": lambda a: a.model_dump_json(include={"handle"}),
    "deprecated dict() excluding": lambda a: quiet(lambda: a.dict(exclude={"phone"})),
    "jsonable_encoder excluding": lambda a: jsonable_encoder(a, exclude={"phone"}),
    "adapter excluding": lambda a: TypeAdapter(list[type(a)]).dump_python([a], exclude={"__all__": {"phone"}}),
    "adapter excluding to JSON": lambda a: TypeAdapter(type(a)).dump_json(a, exclude={"phone"}),
    "plain parent excluding": lambda a: PlainHolder(account=as_(Account, a)).model_dump(exclude={"account": {"phone"}}),
    "plain parent including another": lambda a: PlainHolder(account=as_(Account, a)).model_dump_json(
        include={"account": {"handle"}},
    ),
    "duck-typed parent": lambda a: HandleHolder.model_construct(item=a).model_dump(warnings=False),
    "TypeAdapter(BaseModel)": lambda a: TypeAdapter(BaseModel).dump_python(a),
}


def matches_handle(subject: Any) -> Any:
    match subject:
        case BaseModel(handle=handle):
            return handle
    return None
