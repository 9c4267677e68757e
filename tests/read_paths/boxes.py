"""The same kinds of road for a box by itself."""

from __future__ import annotations

import ast
import asyncio
import copy
import copyreg
import dataclasses
import functools
import inspect
import io
import itertools
import json
import operator
import os
import pickle
import pprint
import pydoc
import re
import reprlib
import sqlite3
import string
import struct
import sys
import types
import unittest
import urllib.parse
import weakref
from collections.abc import Callable
from contextlib import closing
from typing import Annotated, Any

import cloudpickle
import rich
import rich.console
import rich.pretty
from purposes import SECRET, SECURITY, TWO_FACTOR
from pydantic import TypeAdapter

from purposebind import AllowedFor, Sealed, purpose_scope

from .moves import queued
from .representations import drawn, logged, printed, written_csv
from .subjects import AnyHolder, Holder, account


def made() -> Any:
    return Sealed.of(SECRET, AllowedFor(TWO_FACTOR))


def mapped() -> Any:
    with purpose_scope(TWO_FACTOR):
        return made().map(lambda text: text + "")


def joined() -> Any:
    with purpose_scope(TWO_FACTOR):
        return Sealed.join(lambda one, two: one, made(), Sealed.of("x", AllowedFor(SECURITY)))


def unpickled_box() -> Any:
    with purpose_scope(TWO_FACTOR):
        return pickle.loads(pickle.dumps(made()))


BOXES: dict[str, Callable[[], Any]] = {
    "Sealed.of": made,
    "in a model": lambda: account().__dict__["phone"],
    "map": mapped,
    "join": joined,
    "deepcopy": lambda: copy.deepcopy(made()),
    "unpickled": unpickled_box,
    "adapter": lambda: TypeAdapter(Annotated[Sealed[str], AllowedFor(TWO_FACTOR)]).validate_python(SECRET),
}

BOX_READS: dict[str, Callable[[Any], Any]] = {
    "open": lambda b: b.open(),
    "methodcaller": lambda b: operator.methodcaller("open")(b),
    "iter": lambda b: "".join(iter(b)),
    "list": lambda b: "".join(list(b)),
    "star": lambda b: "".join([*b]),
    "str.join": lambda b: "".join(b),
    "for": lambda b: "".join(c for c in b),
    "unpacking": lambda b: "".join(itertools.chain(*[b])),
    "dict.fromkeys": lambda b: "+1" + "".join(dict.fromkeys(b)) and "".join(map(str, b)),
    "list.extend": lambda b: "".join(extended(b)),
    "map": lambda b: reopened(b.map(str)),
    "join": lambda b: reopened(Sealed.join(lambda x: x, b)),
    **{f"pickle protocol {p}": lambda b, p=p: pickle.dumps(b, p) for p in range(pickle.HIGHEST_PROTOCOL + 1)},
    "pickle in a dict": lambda b: pickle.dumps({"k": b}),
    "cloudpickle": lambda b: cloudpickle.dumps(b),
    "__reduce__": lambda b: b.__reduce__(),
    "__reduce_ex__": lambda b: b.__reduce_ex__(4),
    "object.__reduce_ex__": lambda b: object.__reduce_ex__(b, 4),
    "copyreg.__reduce_ex__": lambda b: pickle.dumps(b, 1),
    "__getstate__": lambda b: b.__getstate__(),
    "its serializer": lambda b: type(b).__pydantic_serializer__.to_python(b),
}

BOX_FACTS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "== text": (lambda b: b == SECRET, True),
    "text ==": (lambda b: SECRET == b, True),  # noqa: SIM300
    "!= text": (lambda b: b != SECRET, False),
    "== box": (lambda b: b == made(), True),
    "== None": (lambda b: b == None, False),  # noqa: E711
    "in a list": (lambda b: b in [SECRET], True),
    "a list with it": (lambda b: SECRET in [b], True),
    "list.index": (lambda b: [SECRET].index(b), 0),
    "<": (lambda b: b < "z", True),
    "<=": (lambda b: b <= SECRET, True),
    ">": (lambda b: b > "z", False),
    ">=": (lambda b: b >= SECRET, True),
    "text <": (lambda b: "z" < b, False),  # noqa: SIM300
    "sorted": (lambda b: len(sorted([b, made()])), 2),
    "max": (lambda b: max(b, made()) == SECRET, True),
    "hash": (lambda b: hash(b) == hash(SECRET), True),
    "set": (lambda b: SECRET in {b}, True),
    "dict key": (lambda b: {SECRET: 1}.get(b), 1),
    "bool": (bool, True),
    "not": (lambda b: not b, False),
    "if": (lambda b: 1 if b else 0, 1),
    "and": (lambda b: b and 1, 1),
    "all": (lambda b: all([b]), True),
    "any": (lambda b: any([b]), True),
    "filter": (lambda b: len(list(filter(None, [b]))), 1),
    "len": (len, 12),
    "length_hint": (operator.length_hint, 12),
    "contains": (lambda b: "555" in b, True),
    "operator.contains": (lambda b: operator.contains(b, "555"), True),
    "zip length": (lambda b: len(list(zip(b, b, strict=True))), 12),
    "map(fact)": (lambda b: reopened(b.map(len)), 12),
    "value pattern": (lambda b: box_pattern(b), True),
    "str.startswith by map": (lambda b: reopened(b.map(lambda t: t.startswith("+1"))), True),
    "assertEqual": (lambda b: unittest.TestCase().assertEqual(b, SECRET), None),  # noqa: PT009
}


def extended(box: Any) -> list[str]:
    target: list[str] = []
    target.extend(box)
    return target


def reopened(box: Any) -> Any:
    return box.open()


def box_pattern(box: Any) -> bool:
    match box:
        case "+15550199731":
            return True
    return False


BOX_MOVES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "deepcopy in a list": lambda b: copy.deepcopy([b]),
    "list": lambda b: [b],
    "is": lambda b: [b is None, [b][0]],
    "identity in a list": lambda b: b in [b],
    "vars of a namespace": lambda b: vars(types.SimpleNamespace(b=b)),
    "dataclass": Holder,
    "asdict": lambda b: dataclasses.asdict(Holder(b)),
    "Any parent": lambda b: AnyHolder(item=b),
    "adapter": lambda b: TypeAdapter(Annotated[Sealed[str], AllowedFor(TWO_FACTOR)]).validate_python(b),
    "partial": lambda b: functools.partial(print, b),
    "queue": queued,
    "id": lambda b: id(b) and b,
}

BOX_REPRESENTATIONS: dict[str, Callable[[Any], Any]] = {
    "repr": repr,
    "str": str,
    "ascii": ascii,
    "format": format,
    "format with a spec": lambda b: f"{b:>40}",
    "f-string": lambda b: f"{b} {b!r} {b=}",
    "%s": lambda b: "%s %r" % (b, b),  # noqa: UP031
    "str.format": lambda b: "{0} {0!r} {0:x}".format(b),  # noqa: UP032
    "string.Template": lambda b: string.Template("$b").substitute(b=b),
    "print": printed,
    "pprint": pprint.pformat,
    "reprlib": reprlib.repr,
    "rich": lambda b: drawn(b, [b]),
    "rich pretty": rich.pretty.pretty_repr,
    "logging": lambda b: logged("%s %r", b, b),
    "csv": written_csv(lambda b: [b]),
    "urlencode": lambda b: urllib.parse.urlencode({"b": b}),
    "json default=str": lambda b: json.dumps(b, default=str),
    "dir": dir,
    "inspect.getmembers": lambda b: inspect.getmembers(b),
    "rich.inspect": lambda b: inspected(b),
    "hasattr": lambda b: (hasattr(b, "upper"), hasattr(b, "policy"), hasattr(b, "__dict__")),
    "getattr with default": lambda b: getattr(b, "value", "absent"),
    "policy": lambda b: b.policy,
    "slots": lambda b: slots_of(b),
    "copyreg slots": lambda b: slot_names(b),
    "type name": lambda b: type(b).__name__,
    "pydoc": lambda b: pydoc.render_doc(b),
    "sizeof": sys.getsizeof,
    "callable": callable,
    "exception argument": lambda b: repr(ValueError(b)) + str(KeyError(b)),
    "is None": lambda b: b is None,
    "typing": lambda b: isinstance(b, Sealed),
}

BOX_REFUSED: dict[str, Callable[[Any], Any]] = {
    "concatenation": lambda b: "tel:" + b,
    "concatenation from the left": lambda b: b + "",
    "str.join of boxes": lambda b: "".join([b]),
    "in a string": lambda b: b in SECRET,
    "startswith": lambda b: SECRET.startswith(b),
    "str method": lambda b: b.strip(),
    "int": int,
    "float": float,
    "%d": lambda b: "%d" % b,  # noqa: UP031
    "index": lambda b: b[0],
    "slice": lambda b: b[1:],
    "reversed": lambda b: list(reversed(b)),
    "file name": lambda b: open(b),  # noqa: SIM115
    "os.fspath": os.fspath,
    "json": json.dumps,
    "re": lambda b: re.match(".*", b),
    "struct": lambda b: struct.pack("s", b),
    "sqlite3": lambda b: refused_sql(b),
    "memoryview": memoryview,
    "str with an encoding": lambda b: str(b, "utf-8"),
    "urlquote": lambda b: urllib.parse.quote(b),
    "await": lambda b: asyncio.run(awaiting(b)),
    "call": lambda b: b(),
    "assignment": lambda b: setattr(b, "value", 1),
    "ast.literal_eval": ast.literal_eval,
    "eval": lambda b: eval(b),
    "weakref": weakref.ref,
    "vars": vars,
    "unary": lambda b: -b,
    "divmod": lambda b: divmod(b, 1),
    "sum": lambda b: sum([b]),
    "str.__str__": str.__str__,
    "str.encode": str.encode,
}


def refused_sql(box: Any) -> Any:
    with closing(sqlite3.connect(":memory:")) as connection:
        return connection.execute("SELECT ?", (box,))


def slots_of(thing: Any) -> list[Any]:
    return [getattr(thing, slot) for cls in type(thing).__mro__ for slot in vars(cls).get("__slots__", ())]


def slot_names(thing: Any) -> list[Any]:
    return [getattr(thing, slot) for slot in copyreg._slotnames(type(thing))]  # type: ignore[attr-defined]


def inspected(thing: Any) -> str:
    console = rich.console.Console(file=io.StringIO(), width=200)
    rich.inspect(thing, console=console, all=True)
    return console.file.getvalue()  # type: ignore[attr-defined]


async def awaiting(box: Any) -> Any:
    return await box
