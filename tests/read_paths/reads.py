"""Roads that read: the value itself comes out, in whatever form."""

from __future__ import annotations

import collections
import copy
import functools
import inspect
import itertools
import json
import operator
import pickle
import sqlite3
import string
import textwrap
import unittest.mock
import urllib.parse
from collections.abc import Callable
from contextlib import closing
from multiprocessing.reduction import ForkingPickler
from typing import Any

import cloudpickle

from .representations import logged, written_csv
from .subjects import (
    Account,
    Aliased,
    AnyHolder,
    Checked,
    Computed,
    Contact,
    Dated,
    Derived,
    FrozenAccount,
    Holder,
    Optioned,
    Plain,
    SubAccount,
    as_,
    quiet,
    root,
)


def by_class_pattern(subject: Any) -> Any:
    match subject:
        case Account(phone=phone) | Contact(phone=phone) | Dated(phone=phone) | Aliased(phone=phone):
            return phone
    return "no match"


def members(subject: Any) -> Any:
    return quiet(lambda: [value for name, value in inspect.getmembers(subject) if name == "phone"])


def unpacked(subject: Any) -> Any:
    _, _, (_, phone), *_ = subject
    return phone


def bound_sql(subject: Any) -> Any:
    with closing(sqlite3.connect(":memory:")) as connection:
        return connection.execute("SELECT ?", (subject.phone,)).fetchall()


READS: dict[str, Callable[[Any], Any]] = {
    # attributes
    "attribute": lambda a: a.phone,
    "getattr": lambda a: getattr(a, "phone"),  # noqa: B009
    "getattr with default": lambda a: getattr(a, "phone", "absent"),
    "object.__getattribute__": lambda a: object.__getattribute__(a, "phone"),
    "operator.attrgetter": lambda a: operator.attrgetter("phone")(a),
    "attrgetter of several": lambda a: operator.attrgetter("handle", "phone")(a),
    "attrgetter through a holder": lambda a: operator.attrgetter("item.phone")(Holder(a)),
    "the class's descriptor": lambda a: vars(guarded(a))["phone"].__get__(a, type(a)),
    "class pattern": by_class_pattern,
    "inspect.getmembers": members,
    "walk over model_fields": lambda a: {name: getattr(a, name) for name in type(a).model_fields},
    "functools.reduce getattr": lambda a: functools.reduce(getattr, ["item", "phone"], Holder(a)),
    "unittest.mock wraps": lambda a: unittest.mock.Mock(wraps=lambda: a.phone)(),
    "attribute of a frozen model": lambda a: as_(FrozenAccount, a).phone,
    "attribute of a subclass": lambda a: as_(SubAccount, a).phone,
    "attribute of an optional field": lambda a: as_(Optioned, a).phone,
    "attribute of a model in a plain model": lambda a: AnyHolder(item=a).item.phone,
    "attribute of a copy": lambda a: copy.copy(a).phone,
    "attribute of a deep copy": lambda a: copy.deepcopy(a).phone,
    "attribute of a model_copy": lambda a: a.model_copy().phone,
    "attribute of a model_copy with another field": lambda a: a.model_copy(update={"handle": "b"}).phone,
    "attribute of a replaced copy": lambda a: a.__replace__(handle="b").phone,
    "attribute of a deprecated copy": lambda a: quiet(lambda: a.copy()).phone,
    "attribute after another was assigned": lambda a: as_(Checked, a).model_copy(update={"handle": "b"}).phone,
    "root attribute": lambda a: root(a).root,
    # text
    "f-string of the attribute": lambda a: f"{a.phone}",
    "f-string with =": lambda a: f"{a.phone=}",
    "str.format attribute access": lambda a: "{0.phone}".format(a),  # noqa: UP030, UP032
    "str.format repr of attribute": lambda a: "{a.phone!r}".format(a=a),  # noqa: UP032
    "str.format item of a holder": lambda a: "{h.item.phone}".format(h=Holder(a)),  # noqa: UP032
    "string.Formatter": lambda a: string.Formatter().vformat("{a.phone}", (), {"a": a}),
    "percent formatting of dict()": lambda a: "%(phone)s" % dict(a),  # noqa: UP031
    "string.Template of dict()": lambda a: string.Template("$phone").substitute(dict(a)),
    "format_map of dict()": lambda a: "{phone}".format_map(dict(a)),
    "concatenation": lambda a: "tel:" + a.phone,
    "str.join over values": lambda a: ",".join(str(value) for _, value in a),
    "textwrap of the attribute": lambda a: textwrap.shorten(a.phone, 40),
    "csv of the attribute": written_csv(lambda a: [a.handle, a.phone]),
    "csv of dict().values()": written_csv(lambda a: list(dict(a).values())),
    "urlencode of dict()": lambda a: urllib.parse.unquote(urllib.parse.urlencode(dict(a))),
    "sqlite3 parameter": bound_sql,
    "logging the attribute": lambda a: logged("%s", a.phone),
    "logging dict()": lambda a: logged("%(phone)s", dict(a)),
    # iteration
    "dict()": dict,
    "list()": list,
    "tuple()": tuple,
    "unpacking": unpacked,
    "star": lambda a: [*a],
    "double star of dict()": lambda a: {**dict(a)},
    "for loop": lambda a: [value for _, value in a],
    "zip": lambda a: list(zip(a, range(9), strict=False)),
    "enumerate": lambda a: list(enumerate(a)),
    "itertools.chain": lambda a: list(itertools.chain(a, a)),
    "dict.update from the model": lambda a: updated(a),
    "collections.OrderedDict": lambda a: collections.OrderedDict(a),
    "iteration of a root's parent": lambda a: dict(root(a)),
    "map": lambda a: list(map(str, a)),
    "sorted": lambda a: sorted(a, key=lambda item: item[0]),
    "dict in a comprehension": lambda a: {k: v for k, v in a if k == "phone"},
    # dumps
    "model_dump": lambda a: a.model_dump(),
    "model_dump mode=json": lambda a: a.model_dump(mode="json"),
    "model_dump include": lambda a: a.model_dump(include={"phone"}),
    "model_dump include dict": lambda a: a.model_dump(include={"phone": True}),
    "model_dump exclude another": lambda a: a.model_dump(exclude={"handle"}),
    "model_dump exclude False": lambda a: a.model_dump(exclude={"phone": False}),
    "model_dump context": lambda a: a.model_dump(context={"who": "me"}),
    "model_dump by_alias": lambda a: a.model_dump(by_alias=True),
    "model_dump exclude_unset": lambda a: a.model_dump(exclude_unset=True),
    "model_dump exclude_defaults": lambda a: a.model_dump(exclude_defaults=True),
    "model_dump exclude_none": lambda a: a.model_dump(exclude_none=True),
    "model_dump round_trip": lambda a: a.model_dump(round_trip=True),
    "model_dump warnings=False": lambda a: a.model_dump(warnings=False),
    "model_dump warnings=error": lambda a: a.model_dump(warnings="error"),
    "model_dump fallback": lambda a: a.model_dump(fallback=str),
    "model_dump serialize_as_any": lambda a: a.model_dump(serialize_as_any=True),
    "model_dump_json": lambda a: a.model_dump_json(),
    "model_dump_json indent": lambda a: a.model_dump_json(indent=2),
    "model_dump_json include": lambda a: a.model_dump_json(include={"phone"}),
    "model_dump_json exclude another": lambda a: a.model_dump_json(exclude={"handle"}),
    "model_dump_json by_alias": lambda a: a.model_dump_json(by_alias=True),
    "model_dump_json exclude_unset": lambda a: a.model_dump_json(exclude_unset=True),
    "model_dump_json exclude_defaults": lambda a: a.model_dump_json(exclude_defaults=True),
    "model_dump_json exclude_none": lambda a: a.model_dump_json(exclude_none=True),
    "model_dump_json round_trip": lambda a: a.model_dump_json(round_trip=True),
    "model_dump_json warnings=False": lambda a: a.model_dump_json(warnings=False),
    "model_dump_json fallback": lambda a: a.model_dump_json(fallback=str),
    "model_dump_json serialize_as_any": lambda a: a.model_dump_json(serialize_as_any=True),
    "deprecated dict()": lambda a: quiet(lambda: a.dict()),
    "deprecated json()": lambda a: quiet(lambda: a.json()),
    "model_dump of a subclass": lambda a: as_(SubAccount, a).model_dump(),
    "model_dump of an optional field": lambda a: as_(Optioned, a).model_dump(),
    "model_dump_json of an optional field": lambda a: as_(Optioned, a).model_dump_json(),
    "model_dump of a root model": lambda a: root(a).model_dump(),
    "model_dump_json of a root model": lambda a: root(a).model_dump_json(),
    "computed field": lambda a: as_(Computed, a).dial,
    "model_dump of a computed field": lambda a: as_(Computed, a).model_dump(include={"dial"}),
    "model_dump_json of a computed field": lambda a: as_(Computed, a).model_dump_json(include={"dial"}),
    "cached_property": lambda a: as_(Derived, a).dial,
    "model_dump in json.dumps default": lambda a: json.dumps([a], default=lambda o: o.model_dump()),
    "json.dumps of dict()": lambda a: json.dumps(dict(a), default=str),
    # pickles
    **{f"pickle protocol {p}": lambda a, p=p: pickle.dumps(a, p) for p in range(pickle.HIGHEST_PROTOCOL + 1)},
    "pickle in pure Python": lambda a: pickle._dumps(a),  # type: ignore[attr-defined]
    "pickle in a list": lambda a: pickle.dumps([a]),
    "pickle of vars": lambda a: pickle.dumps(vars(copy.copy(a))),
    "pickle of __getstate__": lambda a: pickle.dumps(a.__getstate__()),
    "pickle of a root model": lambda a: pickle.dumps(root(a)),
    "cloudpickle": lambda a: cloudpickle.dumps(a),
    "multiprocessing's pickler": lambda a: bytes(ForkingPickler.dumps(a)),
    # models of the same fields
    "model_validate from_attributes": lambda a: Plain.model_validate({"handle": "a", "phone": a.phone}),
    "a plain model from dict()": lambda a: Plain(**{k: v for k, v in a if k in ("handle", "phone")}).phone,
}


def guarded(subject: Any) -> Any:
    return next(cls for cls in type(subject).__mro__ if hasattr(vars(cls).get("phone"), "__get__"))


def updated(subject: Any) -> dict[str, Any]:
    target: dict[str, Any] = {}
    target.update(subject)
    return target
