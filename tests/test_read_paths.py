"""Every road to a tagged value, in every situation (R1, R6, R7, R11, R12).

The table has a line for each road: its name, and a function that takes a fresh subject. The kinds of road:

- *reads* let the value out, or a fact about it. They raise in a disallowed scope and in none, and work in an allowed
  one and in observe mode, where the hook is called;
- *moves* work in every scope and never show the value;
- *representations* never raise, never reveal, and are no reads: the hook is not called;
- *refused* roads raise an error of Python's own in every scope, as for any object that is no string.

Roads that start at somebody else's entry point (`WRAPPED`) may raise that library's error around the denial.
"""

from __future__ import annotations

import ast
import asyncio
import collections
import contextvars
import copy
import copyreg
import csv
import dataclasses
import datetime
import decimal
import enum
import functools
import inspect
import io
import itertools
import json
import logging
import logging.handlers
import operator
import os
import pickle
import pprint
import pydoc
import queue
import re
import reprlib
import sqlite3
import string
import struct
import sys
import textwrap
import traceback
import types
import unittest
import unittest.mock
import urllib.parse
import uuid
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from multiprocessing.reduction import ForkingPickler
from typing import Annotated, Any, Generic, Literal, Optional, TypeVar, Union

import cloudpickle
import pydantic
import pydantic.dataclasses
import pydantic_core
import pytest
import rich
import rich.console
import rich.pretty
import rich.traceback
from fastapi.encoders import jsonable_encoder
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR
from pydantic import BaseModel, ConfigDict, RootModel, SerializeAsAny, TypeAdapter, ValidationError, computed_field
from typing_extensions import TypedDict

import purposebind
from purposebind import (
    AllowedFor,
    NoActivePurpose,
    PurposeModel,
    PurposeRootModel,
    PurposeViolation,
    Sealed,
    SubjectId,
    configure,
    purpose_scope,
)

T = TypeVar("T")
OWN_FILES = os.path.dirname(os.path.abspath(purposebind.__file__))


# --- The subjects -----------------------------------------------------------------------------------------------------


class Account(PurposeModel):
    """Scalars only: dumped by the fast road."""

    id: Annotated[int, SubjectId]
    handle: str
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]


class ListAccount(Account):
    """A tagged list: dumped by the exact road."""

    codes: Annotated[Optional[list[str]], AllowedFor(TWO_FACTOR)] = None  # noqa: UP045


class FrozenAccount(Account):
    model_config = ConfigDict(frozen=True)


class SubAccount(Account):
    note: str = "n"


class Contact(PurposeModel):
    id: int
    handle: str
    phone: Annotated[str, AllowedFor(SECURITY)]


class NarrowContact(Contact):
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]


class Dated(PurposeModel, Generic[T]):
    id: int
    handle: str
    phone: Annotated[T, AllowedFor(TWO_FACTOR)]


class Checked(Account):
    model_config = ConfigDict(validate_assignment=True)


class OpenEnded(Account):
    model_config = ConfigDict(extra="allow")


class Aliased(PurposeModel):
    model_config = ConfigDict(populate_by_name=True)
    id: int
    handle: str
    phone: Annotated[str, AllowedFor(TWO_FACTOR), pydantic.Field(alias="phoneNumber")]


FACTS = {"id": 7, "handle": "ada", "phone": SECRET}


def account() -> Any:
    return Account(**FACTS)


def changed(change: Callable[[Any], object]) -> Callable[[], Any]:
    def make() -> Any:
        subject = Account(**{**FACTS, "phone": "none yet"})
        change(subject)
        return subject

    return make


def restored() -> Any:
    subject = Account.__new__(Account)
    state = account().__getstate__()
    subject.__setstate__({**state, "__dict__": dict(FACTS)})
    return subject


def unpickled() -> Any:
    with purpose_scope(TWO_FACTOR):
        return pickle.loads(pickle.dumps(account()))


# The value came in by validation, by a road around it, or into another kind of class.
ORIGINS: dict[str, Callable[[], Any]] = {
    "validated": account,
    "validated from JSON": lambda: Account.model_validate_json(json.dumps(FACTS)),
    "validated by an adapter": lambda: TypeAdapter(list[Account]).validate_python([FACTS])[0],
    "with a tagged list": lambda: ListAccount(**FACTS),
    "subclass": lambda: SubAccount(**FACTS),
    "frozen": lambda: FrozenAccount(**FACTS),
    "narrower subclass": lambda: NarrowContact(**FACTS),
    "generic": lambda: DatedText(**FACTS),
    "validate_assignment": lambda: Checked(**FACTS),
    "extra allowed": lambda: OpenEnded(**FACTS, colour="red"),
    "alias": lambda: Aliased(**FACTS),
    "model_construct": lambda: Account.model_construct(**FACTS),
    "model_copy update": lambda: account().model_copy(update={"phone": SECRET}),
    "assigned": changed(lambda a: setattr(a, "phone", SECRET)),
    "object.__setattr__": changed(lambda a: object.__setattr__(a, "phone", SECRET)),
    "__setstate__ with raw values": restored,
    "initialised again": changed(lambda a: a.__init__(**FACTS)),
    "unpickled": unpickled,
}
# The value stands raw in `__dict__`, put there behind the library's back: `vars` shows it, no other road may.
RAW: dict[str, Callable[[], Any]] = {
    "raw in __dict__": changed(lambda a: a.__dict__.__setitem__("phone", SECRET)),
    "raw by vars().update": changed(lambda a: vars(a).update(phone=SECRET)),
    "raw by a new __dict__": changed(lambda a: setattr(a, "__dict__", dict(FACTS))),
}


class Plain(BaseModel):
    handle: str
    phone: str


class PlainHolder(BaseModel):
    account: Account


class BaseHolder(BaseModel):
    item: BaseModel


class AnyHolder(BaseModel):
    item: Any


class AsAnyHolder(BaseModel):
    item: SerializeAsAny[BaseModel]


class HandleOnly(PurposeModel):
    handle: str


class HandleHolder(BaseModel):
    item: HandleOnly


class Rooted(RootModel[Any]):
    pass


class TypedHolder(TypedDict):
    item: Any


@dataclasses.dataclass
class Holder:
    item: Any


class Computed(Account):
    @computed_field
    def dial(self) -> str:
        return "tel:" + self.phone


class Derived(Account):
    @functools.cached_property
    def dial(self) -> str:
        return "tel:" + self.phone


class Number(PurposeRootModel[Annotated[str, AllowedFor(TWO_FACTOR)]]):
    pass


class Optioned(PurposeModel):
    handle: str
    phone: Annotated[Optional[str], AllowedFor(TWO_FACTOR)] = None  # noqa: UP045


DatedText = Dated[str]


def as_(cls: Any, subject: Any) -> Any:
    """Move the phone of `subject` into a `cls`: not a read."""
    copied = copy.copy(subject)
    fields = {"id": 7, "handle": "ada", "phone": copied.__dict__["phone"]}
    return cls(**{name: value for name, value in fields.items() if name in cls.model_fields})


def twin(subject: Any) -> Any:
    """An equal one with a box of its own: the same box is equal to itself without being opened."""
    return copy.deepcopy(subject)


def root(subject: Any) -> Any:
    return Number(copy.copy(subject).__dict__["phone"])


def quiet(call: Callable[[], Any]) -> Any:
    """Call what pydantic has deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return call()


def by_class_pattern(subject: Any) -> Any:
    match subject:
        case Account(phone=phone) | Contact(phone=phone) | Dated(phone=phone) | Aliased(phone=phone):
            return phone
    return "no match"


def by_value_pattern(subject: Any) -> Any:
    match subject:
        case BaseModel(phone="+15550199731"):
            return True
    return False


def members(subject: Any) -> Any:
    return quiet(lambda: [value for name, value in inspect.getmembers(subject) if name == "phone"])


def unpacked(subject: Any) -> Any:
    _, _, (_, phone), *_ = subject
    return phone


def written_csv(row: Callable[[Any], list[Any]]) -> Callable[[Any], str]:
    def write(subject: Any) -> str:
        out = io.StringIO()
        csv.writer(out).writerow(row(subject))
        return out.getvalue()

    return write


def bound_sql(subject: Any) -> Any:
    with closing(sqlite3.connect(":memory:")) as connection:
        return connection.execute("SELECT ?", (subject.phone,)).fetchall()


# --- Reads ------------------------------------------------------------------------------------------------------------

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
    "json.dumps of dict()": lambda a: json.dumps(dict(a)),
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


class AttributesAllowed(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    handle: str
    phone: str


def holding(holder: Any) -> Any:
    """A dump of the holder that a denial leaves as pydantic's error."""
    return holder.model_dump()


# Newer versions of pydantic can be told to dump an instance by its own class.
POLYMORPHIC: dict[str, Any] = (
    {"polymorphic_serialization": True}
    if "polymorphic_serialization" in inspect.signature(BaseModel.model_dump).parameters
    else {"serialize_as_any": True}
)

# Roads that start at somebody else's entry point.
WRAPPED: dict[str, Callable[[Any], Any]] = {
    "pydantic_core.to_json": lambda a: pydantic_core.to_json(a),
    "pydantic_core.to_json in a list": lambda a: pydantic_core.to_json([a]),
    "pydantic_core.to_json serialize_unknown": lambda a: pydantic_core.to_json(a, serialize_unknown=True),
    "pydantic_core.to_jsonable_python": lambda a: pydantic_core.to_jsonable_python(a),
    "to_jsonable_python in a dict": lambda a: pydantic_core.to_jsonable_python({"a": a}),
    "to_jsonable_python fallback": lambda a: pydantic_core.to_jsonable_python(a, fallback=str),
    "to_jsonable_python of vars": lambda a: pydantic_core.to_jsonable_python(vars(copy.copy(a))),
    "to_json of a box": lambda a: pydantic_core.to_json(vars(copy.copy(a))["phone"]),
    "json.dumps default=to_jsonable_python": lambda a: json.dumps(a, default=pydantic_core.to_jsonable_python),
    "TypeAdapter dump_python": lambda a: TypeAdapter(type(a)).dump_python(a),
    "TypeAdapter dump_json": lambda a: TypeAdapter(type(a)).dump_json(a),
    "TypeAdapter dump_python mode=json": lambda a: TypeAdapter(type(a)).dump_python(a, mode="json"),
    "TypeAdapter(Any) dump_python": lambda a: TypeAdapter(Any).dump_python(a),
    "TypeAdapter(Any) dump_json": lambda a: TypeAdapter(Any).dump_json(a),
    "TypeAdapter(Any) of a box": lambda a: TypeAdapter(Any).dump_python(vars(copy.copy(a))["phone"]),
    "TypeAdapter(Any) of vars": lambda a: TypeAdapter(Any).dump_json(vars(copy.copy(a))),
    "TypeAdapter(BaseModel) as any": lambda a: TypeAdapter(BaseModel).dump_python(a, serialize_as_any=True),
    "TypeAdapter(list)": lambda a: TypeAdapter(list[type(a)]).dump_python([a]),
    "TypeAdapter(list) dump_json": lambda a: TypeAdapter(list[type(a)]).dump_json([a]),
    "TypeAdapter(dict)": lambda a: TypeAdapter(dict[str, type(a)]).dump_python({"k": a}),
    "TypeAdapter(tuple)": lambda a: TypeAdapter(tuple[type(a), ...]).dump_json((a,)),
    "TypeAdapter(Union)": lambda a: TypeAdapter(Union[Plain, type(a)]).dump_python(a),  # noqa: UP007
    "TypeAdapter(Union) dump_json": lambda a: TypeAdapter(Union[int, type(a)]).dump_json(a),  # noqa: UP007
    "TypeAdapter(Optional)": lambda a: TypeAdapter(Optional[type(a)]).dump_json(a),  # noqa: UP045
    "TypeAdapter of a dataclass": lambda a: TypeAdapter(Holder).dump_python(Holder(a)),
    "TypeAdapter of a dataclass dump_json": lambda a: TypeAdapter(Holder).dump_json(Holder(a)),
    "TypeAdapter of a TypedDict": lambda a: TypeAdapter(TypedHolder).dump_python({"item": a}),
    "TypeAdapter of a TypedDict dump_json": lambda a: TypeAdapter(TypedHolder).dump_json({"item": a}),
    "plain parent model_dump": lambda a: PlainHolder(account=as_(Account, a)).model_dump(),
    "plain parent model_dump_json": lambda a: PlainHolder(account=as_(Account, a)).model_dump_json(),
    "plain parent of a subclass instance": lambda a: PlainHolder(account=as_(SubAccount, a)).model_dump(),
    "plain parent as any": lambda a: PlainHolder(account=as_(SubAccount, a)).model_dump(serialize_as_any=True),
    "Any parent model_dump": lambda a: AnyHolder(item=a).model_dump(),
    "Any parent model_dump_json": lambda a: AnyHolder(item=a).model_dump_json(),
    "Any parent of a list": lambda a: AnyHolder(item=[a]).model_dump(),
    "Any parent of a box": lambda a: AnyHolder(item=vars(copy.copy(a))["phone"]).model_dump(),
    "Any parent of a box dump_json": lambda a: AnyHolder(item=vars(copy.copy(a))["phone"]).model_dump_json(),
    "BaseModel parent as any": lambda a: BaseHolder(item=a).model_dump(serialize_as_any=True),
    "BaseModel parent as any dump_json": lambda a: BaseHolder(item=a).model_dump_json(serialize_as_any=True),
    "SerializeAsAny parent": lambda a: AsAnyHolder(item=a).model_dump(),
    "SerializeAsAny parent dump_json": lambda a: AsAnyHolder(item=a).model_dump_json(),
    "duck-typed parent as any": lambda a: HandleHolder.model_construct(item=a).model_dump(
        serialize_as_any=True,
        warnings=False,
    ),
    "polymorphic parent": lambda a: BaseHolder(item=a).model_dump(**POLYMORPHIC),
    "polymorphic parent dump_json": lambda a: BaseHolder(item=a).model_dump_json(**POLYMORPHIC),
    "RootModel[Any] parent": lambda a: Rooted(a).model_dump(),
    "RootModel[Any] parent dump_json": lambda a: Rooted([a]).model_dump_json(),
    "RootModel[list] parent": lambda a: RootModel[list[Account]]([as_(Account, a)]).model_dump(),
    "plain parent in jsonable_encoder": lambda a: jsonable_encoder(AnyHolder(item=a)),
    "jsonable_encoder": lambda a: jsonable_encoder(a),
    "jsonable_encoder of a list": lambda a: jsonable_encoder([a]),
    "jsonable_encoder of a dataclass": lambda a: jsonable_encoder(Holder(a)),
    "jsonable_encoder include": lambda a: jsonable_encoder(a, include={"phone"}),
    "jsonable_encoder of dict()": lambda a: jsonable_encoder(dict(a)),
    "the class's own serializer": lambda a: type(a).__pydantic_serializer__.to_python(a),
    "the class's own serializer to JSON": lambda a: type(a).__pydantic_serializer__.to_json(a),
    "a serializer of BaseModel's": lambda a: BaseModel.model_dump(a),
    "a serializer of BaseModel's to JSON": lambda a: BaseModel.model_dump_json(a),
    "plain parent iterated and dumped": lambda a: [v.model_dump() for _, v in AnyHolder(item=a)],
    "plain parent's deprecated dict()": lambda a: quiet(lambda: AnyHolder(item=a).dict()),
    "plain parent's deprecated json()": lambda a: quiet(lambda: AnyHolder(item=a).json()),
    "plain parent's pickle": lambda a: pickle.dumps(AnyHolder(item=a)),
    "from_attributes": lambda a: AttributesAllowed.model_validate(a).phone,
    "from_attributes as an argument": lambda a: Plain.model_validate(a, from_attributes=True).phone,
    "from_attributes by an adapter": lambda a: TypeAdapter(AttributesAllowed).validate_python(a).phone,
    "from_attributes into a PurposeModel": lambda a: opened(Optioned.model_validate(a, from_attributes=True)),
}


def opened(subject: Any) -> Any:
    with purpose_scope(TWO_FACTOR) if not purposebind.active_purposes() else nullcontext():
        return subject.phone


def cached(subject: Any) -> Any:
    @functools.lru_cache
    def lookup(key: Any) -> bool:
        return True

    return lookup(as_(FrozenAccount, subject))


def counted(subject: Any) -> Any:
    frozen = as_(FrozenAccount, subject)
    return collections.Counter([frozen, twin(frozen)])[frozen]


def removed(subject: Any) -> Any:
    crowd = [twin(subject)]
    crowd.remove(subject)
    return len(crowd)


def asserted(subject: Any) -> Any:
    unittest.TestCase().assertEqual(subject, twin(subject))  # noqa: PT009
    return True


# Reads of a fact about the value: the road, and the fact.
READ_FACTS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "hasattr": (lambda a: hasattr(a, "phone"), True),
    "value pattern": (by_value_pattern, True),
    "== a twin": (lambda a: a == twin(a), True),
    "!= a twin": (lambda a: a != twin(a), False),
    "== another number": (lambda a: a == a.model_copy(update={"phone": "x"}), False),
    "operator.eq": (lambda a: operator.eq(a, twin(a)), True),
    "BaseModel.__eq__": (lambda a: BaseModel.__eq__(a, twin(a)), True),
    "in a list": (lambda a: a in [twin(a)], True),
    "in a tuple": (lambda a: a in (twin(a),), True),
    "list.index": (lambda a: [twin(a)].index(a), 0),
    "list.count": (lambda a: [twin(a)].count(a), 1),
    "list.remove": (removed, 0),
    "deque.count": (lambda a: collections.deque([twin(a)]).count(a), 1),
    "operator.countOf": (lambda a: operator.countOf([twin(a)], a), 1),
    "list == list": (lambda a: [a] == [twin(a)], True),
    "dict == dict": (lambda a: {"k": a} == {"k": twin(a)}, True),
    "vars() == vars()": (lambda a: vars(copy.copy(a)) == vars(copy.deepcopy(a)), True),
    "dataclass == dataclass": (lambda a: Holder(a) == Holder(twin(a)), True),
    "plain parent == plain parent": (lambda a: AnyHolder(item=a) == AnyHolder(item=twin(a)), True),
    "mock.call == mock.call": (lambda a: unittest.mock.call(a) == unittest.mock.call(twin(a)), True),
    "assertEqual": (asserted, True),
    "root model ==": (lambda a: root(a) == root(a), True),
    "hash": (lambda a: hash(as_(FrozenAccount, a)) == hash(as_(FrozenAccount, a)), True),
    "set membership": (lambda a: as_(FrozenAccount, a) in {as_(FrozenAccount, a)}, True),
    "set of two": (lambda a: len({as_(FrozenAccount, a), as_(FrozenAccount, a)}), 1),
    "dict key": (lambda a: {as_(FrozenAccount, a): 1}[as_(FrozenAccount, a)], 1),
    "lru_cache": (cached, True),
    "collections.Counter": (counted, 2),
    "sorted with a key": (lambda a: len(sorted([a, a], key=lambda x: x.phone)), 2),
    "sorted with attrgetter": (lambda a: len(sorted([a, a], key=operator.attrgetter("phone"))), 2),
    "max with a key": (lambda a: max([a, a], key=operator.attrgetter("phone")) is a, True),
    "itertools.groupby": (lambda a: len(list(itertools.groupby([a, a], operator.attrgetter("phone")))), 1),
    "attribute == text": (lambda a: a.phone == SECRET, True),
    "attribute in a set": (lambda a: a.phone in {SECRET}, True),
    "len of the attribute": (lambda a: len(a.phone), 12),
    "bool of the attribute": (lambda a: bool(a.phone), True),
    "absence through the attribute": (lambda a: Optioned(handle=a.handle).phone is None, True),
    "getattr of absence with default": (lambda a: getattr(Optioned(handle="a"), "phone", 1) is None, True),
}

# --- Moves ------------------------------------------------------------------------------------------------------------


def queued(subject: Any) -> Any:
    line: queue.Queue[Any] = queue.Queue()
    line.put(subject)
    return line.get()


def awaited(subject: Any) -> Any:
    async def main() -> Any:
        line: asyncio.Queue[Any] = asyncio.Queue()
        await line.put(subject)
        return await line.get()

    return asyncio.run(main())


def in_context(subject: Any) -> Any:
    variable: contextvars.ContextVar[Any] = contextvars.ContextVar("v")
    context = contextvars.Context()
    context.run(variable.set, subject)
    return context[variable]


def validated_again(subject: Any) -> Any:
    return type(subject).model_validate(subject)


def assigned_box(subject: Any) -> Any:
    target = Optioned(handle="b")
    target.phone = copy.copy(subject).__dict__["phone"]
    return target


MOVES: dict[str, Callable[[Any], Any]] = {
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "__copy__": lambda a: a.__copy__(),
    "__deepcopy__": lambda a: a.__deepcopy__(),
    "deepcopy in a list": lambda a: copy.deepcopy([a, {"k": a}]),
    "model_copy": lambda a: a.model_copy(),
    "model_copy deep": lambda a: a.model_copy(deep=True),
    "model_copy update": lambda a: a.model_copy(update={"handle": "b"}),
    "__replace__": lambda a: a.__replace__(handle="b"),
    "deprecated copy()": lambda a: quiet(lambda: a.copy()),
    "deprecated copy(update)": lambda a: quiet(lambda: a.copy(update={"handle": "b"})),
    "deprecated copy(exclude)": lambda a: quiet(lambda: a.copy(exclude={"handle"})),
    "deprecated copy(deep)": lambda a: quiet(lambda: a.copy(deep=True)),
    "list and tuple": lambda a: [a, (a,)],
    "queue.Queue": queued,
    "asyncio.Queue": awaited,
    "ContextVar": in_context,
    "functools.partial": lambda a: functools.partial(print, a).args,
    "types.SimpleNamespace": lambda a: types.SimpleNamespace(item=a),
    "vars()": vars,
    "__dict__": lambda a: a.__dict__,
    "__dict__ values": lambda a: list(a.__dict__.values()),
    "dict(vars())": lambda a: dict(vars(a)),
    "vars() into ChainMap": lambda a: collections.ChainMap(vars(a)),
    "vars() into SimpleNamespace": lambda a: types.SimpleNamespace(**vars(a)),
    "vars() into itemgetter": lambda a: operator.itemgetter("phone")(vars(a)),
    "vars() into the constructor": lambda a: Account(**{k: v for k, v in vars(a).items() if k in FACTS}),
    "vars() into model_validate": lambda a: Account.model_validate(dict(vars(a))),
    "vars() into model_construct": lambda a: Account.model_construct(**vars(a)),
    "vars() into model_copy": lambda a: a.model_copy(update=dict(vars(a))),
    "vars() into an adapter": lambda a: TypeAdapter(list[Account]).validate_python([dict(vars(a))]),
    "vars() into deprecated parse_obj": lambda a: quiet(lambda: Account.parse_obj(dict(vars(a)))),
    "vars() into deprecated construct": lambda a: quiet(lambda: Account.construct(**vars(a))),
    "assignment of the box": assigned_box,
    "Other(phone=box)": lambda a: as_(Optioned, a),
    "root of the box": root,
    "model_validate of the instance": validated_again,
    "model_validate from_attributes of the instance": lambda a: type(a).model_validate(a, from_attributes=True),
    "adapter of the instance": lambda a: TypeAdapter(type(a)).validate_python(a),
    "adapter of a union": lambda a: TypeAdapter(Union[int, type(a)]).validate_python(a),  # noqa: UP007
    "plain parent": lambda a: PlainHolder(account=as_(Account, a)),
    "plain parent's copy": lambda a: copy.deepcopy(PlainHolder(account=as_(Account, a))),
    "Any parent": lambda a: AnyHolder(item=a),
    "Any parent's vars": lambda a: vars(AnyHolder(item=a)),
    "Any parent iterated": lambda a: dict(AnyHolder(item=a)),
    "Any parent of the box": lambda a: AnyHolder(item=copy.copy(a).__dict__["phone"]),
    "dataclass": Holder,
    "dataclasses.asdict": lambda a: dataclasses.asdict(Holder(a)),
    "dataclasses.astuple": lambda a: dataclasses.astuple(Holder([a])),
    "dataclasses.replace": lambda a: dataclasses.replace(Holder(a)),
    "__getstate__": lambda a: a.__getstate__(),
    "__reduce__": lambda a: a.__reduce__(),
    "__reduce_ex__": lambda a: a.__reduce_ex__(4),
    "weakref": lambda a: weakref.ref(a)(),
    "deprecated _iter over __dict__": lambda a: quiet(lambda: list(a._iter())),
    "model_construct over the instance": lambda a: Optioned.model_construct(handle=a),
    "in a generator": lambda a: list(iter([a])),
    "unused cached_property": lambda a: as_(Derived, a),
}

# --- Representations --------------------------------------------------------------------------------------------------

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


# --- Boxes ------------------------------------------------------------------------------------------------------------


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


# --- The situations ---------------------------------------------------------------------------------------------------

DENIED = {"disallowed": PurposeViolation, "no scope": NoActivePurpose}
SITUATIONS = ["disallowed", "no scope", "allowed", "observe"]


@contextmanager
def situation(name: str) -> Iterator[list[Any]]:
    """Yield the list of denials that hooks were told of."""
    denials: list[Any] = []
    with configure(mode="observe" if name == "observe" else "enforce", on_violation=denials.append):
        if name == "no scope":
            yield denials
        else:
            with purpose_scope(TWO_FACTOR if name == "allowed" else ADVERTISING):
                yield denials


def everything(value: Any, seen: set[int] | None = None) -> str:
    """The text of `value` and of all that it holds, however it represents itself."""
    seen = set() if seen is None else seen
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        return value.decode("latin-1")
    if id(value) in seen or isinstance(value, (type, types.ModuleType, types.FunctionType)):
        return ""
    seen.add(id(value))
    parts = [repr(value), str(value)]
    if isinstance(value, dict):
        parts += [everything(item, seen) for pair in value.items() for item in pair]
    elif isinstance(value, (list, tuple, set, frozenset, collections.deque)):
        parts += [everything(item, seen) for item in value]
    if hasattr(value, "__dict__"):
        parts.append(everything(vars(value), seen))
    return "\n".join(parts)


def safe_repr(value: Any) -> str:
    """As `traceback` shows locals: something half made may have no repr yet."""
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(error).__name__}>"


def leaks(error: BaseException | None) -> str:
    """Where `error`, what is chained to it and the locals of our own frames hold the secret; "" if nowhere."""
    seen: set[int] = set()
    found = []
    todo = [error]
    while todo:
        error = todo.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        todo += [error.__cause__, error.__context__]
        parts: dict[str, Any] = {"str": str(error), "repr": repr(error), "__dict__": vars(error), "args": error.args}
        if isinstance(error, ValidationError):
            inputs = [line["input"] for line in error.errors()]
            parts["errors()"] = [line | {"input": None} for line in error.errors()]
            parts["inputs"] = [repr(item) if isinstance(item, BaseModel) else item for item in inputs]
            with suppress(ValueError):  # the input is the model itself, and json() would read it
                parts["json()"] = error.json()
        for frame, line in traceback.walk_tb(error.__traceback__):
            code = frame.f_code
            if code.co_filename.startswith(OWN_FILES):
                ours = [
                    safe_repr(local) for name, local in frame.f_locals.items() if name != "other"
                ]  # the caller's own
                parts[f"{os.path.basename(code.co_filename)}:{line} {code.co_name}"] = ours
        found += [f"{type(error).__name__} {name}" for name, part in parts.items() if SECRET in everything(part)]
    return "; ".join(found)


def check_read(
    call: Callable[[], Any],
    where: str,
    denials: list[Any],
    *,
    wrapped: bool,
    shown: Callable[[Any], bool],
) -> None:
    if where not in DENIED:
        assert shown(call()), "an allowed read does not yield what it should"
        assert bool(denials) == (where == "observe")
        return
    error: BaseException
    try:
        result = call()
    except (PurposeViolation, pydantic_core.PydanticSerializationError, ValidationError) as raised:
        error = raised
    else:
        pytest.fail(f"the road is open: {type(result).__name__}", pytrace=False)
    assert denials, "the hook was not told"
    if isinstance(error, PurposeViolation) or not wrapped:
        assert type(error) is DENIED[where]
    else:
        assert "may not be read" in str(error)
    assert leaks(error) == ""


def reveals(result: Any) -> bool:
    return SECRET in everything(result)


def table(roads: Any, origins: Any, *, skip: Callable[[str, str], bool] = lambda road, origin: False) -> Any:
    """Parametrise by road, origin and situation."""
    cases = [
        pytest.param(road, origin, where, id=f"{road}-{origin}-{where}")
        for road in roads
        for origin in origins
        for where in SITUATIONS
        if not skip(road, origin)
    ]
    return pytest.mark.parametrize(("road", "origin", "where"), cases)


TABLE = ("validated", "with a tagged list")
"""The origins that the whole table is run for, line by line: one for each road that a dump can take inside."""


@table(READS, TABLE)
def test_reads(road: str, origin: str, where: str) -> None:
    """Data given for two-factor would reach advertising by this road (R1)."""
    check_road("read", road, origin, where)


@table(WRAPPED, TABLE)
def test_reads_from_elsewhere(road: str, origin: str, where: str) -> None:
    """Data would leak through a library that takes models, or its error would hold the data (R1, R7, R12)."""
    check_road("wrapped", road, origin, where)


@table(READ_FACTS, TABLE)
def test_facts(road: str, origin: str, where: str) -> None:
    """An audience could be matched without ever seeing a number: by equality, hash or order (R1)."""
    check_road("fact", road, origin, where)


@table(MOVES, TABLE)
def test_moves(road: str, origin: str, where: str) -> None:
    """Passing an account on would fail, or would open it (R1)."""
    check_road("move", road, origin, where)


@table(REPRESENTATIONS, TABLE)
def test_representations(road: str, origin: str, where: str) -> None:
    """A log, an error page or a debugger would show the data, or the program would stop because somebody logs (R6)."""
    check_road("representation", road, origin, where)


KINDS: dict[str, Any] = {
    "read": READS,
    "wrapped": WRAPPED,
    "fact": READ_FACTS,
    "move": MOVES,
    "representation": REPRESENTATIONS,
}


def check_road(kind: str, road: str, origin: str, where: str) -> None:
    subject = {**ORIGINS, **RAW}[origin]()
    call = KINDS[kind][road]
    shown = reveals
    if kind == "fact":
        call, expected = call
        shown = functools.partial(operator.eq, expected)
    with situation(where) as denials:
        if kind in ("read", "wrapped", "fact"):
            check_read(lambda: call(subject), where, denials, wrapped=kind == "wrapped", shown=shown)
            return
        result = call(subject)
        assert denials == [], "this is no read, and was recorded as one"
        shown_text = everything(result) if origin not in RAW else repr(result)
    assert SECRET not in shown_text, "the value shows"


@pytest.mark.parametrize("where", SITUATIONS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("origin", [*(name for name in ORIGINS if name not in TABLE), *RAW])
def test_every_road_from_elsewhere(origin: str, kind: str, where: str) -> None:
    """A value would get out because of how it got in: by assignment, from JSON, unpickled, behind our back (R1)."""
    failed = []
    for road in KINDS[kind]:
        if origin in RAW and kind in ("move", "representation") and ("vars()" in road or "__dict__" in road):
            continue  # it was put there raw, and that is what is there
        try:
            check_road(kind, road, origin, where)
        except (Exception, pytest.fail.Exception) as error:
            failed.append(f"{road}: {type(error).__name__}: {str(error).splitlines()[0]}")
    assert failed == [], "\n".join(["", *map(repr, failed)])


@table(BOX_READS, BOXES)
def test_box_reads(road: str, origin: str, where: str) -> None:
    """What is kept in a box would get out of it (R1)."""
    box = BOXES[origin]()
    with situation(where) as denials:
        check_read(lambda: BOX_READS[road](box), where, denials, wrapped=road == "its serializer", shown=reveals)


@table(BOX_FACTS, BOXES)
def test_box_facts(road: str, origin: str, where: str) -> None:
    """A box would answer questions about what is in it (R1)."""
    box = BOXES[origin]()
    call, expected = BOX_FACTS[road]
    with situation(where) as denials:
        check_read(lambda: call(box), where, denials, wrapped=False, shown=lambda result: result == expected)


@table(BOX_MOVES, BOXES)
def test_box_moves(road: str, origin: str, where: str) -> None:
    """A box could not be passed on, or passing it on would open it (R1)."""
    box = BOXES[origin]()
    with situation(where) as denials:
        moved = BOX_MOVES[road](box)
        assert denials == []
    assert not reveals(moved)


@table(BOX_REPRESENTATIONS, BOXES)
def test_box_representations(road: str, origin: str, where: str) -> None:
    """A log or a debugger would show what is in the box (R6)."""
    box = BOXES[origin]()
    with situation(where) as denials:
        shown = BOX_REPRESENTATIONS[road](box)
        assert denials == []
    assert not reveals(shown)


@table(BOX_REFUSED, BOXES)
def test_boxes_are_no_strings(road: str, origin: str, where: str) -> None:
    """A box that half behaves as the value would let it out by accident, or put it in an error (R1, R7)."""
    box = BOXES[origin]()
    with situation(where) as denials:
        with pytest.raises((TypeError, AttributeError, ValueError, sqlite3.Error, struct.error)) as caught:
            BOX_REFUSED[road](box)
        assert denials == []
    assert leaks(caught.value) == ""


# --- Validation errors ------------------------------------------------------------------------------------------------


def refuses(message: str) -> Any:
    """A validator that quotes what it refuses."""

    def check(value: Any) -> Any:
        raise ValueError(message.format(value))

    return pydantic.AfterValidator(check)


def asserts(value: Any) -> Any:
    assert value == "", f"{value} is not empty"
    return value


def raises_custom(value: Any) -> Any:
    raise pydantic_core.PydanticCustomError("no_good", "{who} is no good", {"who": value})


def raises_chained(value: Any) -> Any:
    try:
        {}[value]
    except KeyError as error:
        raise ValueError("not in the table") from error


class Kind(enum.Enum):
    HOME = "home"


def tagged(annotation: Any, *metadata: Any) -> Any:
    """A model with one tagged field, ``phone``, of this annotation."""
    phone = Annotated[(annotation, AllowedFor(TWO_FACTOR), *metadata)]  # type: ignore[misc]
    return pydantic.create_model("Tagged", __base__=PurposeModel, phone=(phone, ...))


class Short(PurposeModel):
    handle: str
    phone: Annotated[str, AllowedFor(TWO_FACTOR), pydantic.Field(max_length=5)]


class ShortChecked(Short):
    model_config = ConfigDict(validate_assignment=True)


class ShortHidden(Short):
    model_config = ConfigDict(hide_input_in_errors=True)


class ShortStrict(PurposeModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    phone: Annotated[int, AllowedFor(TWO_FACTOR)]


class ShortFields(PurposeModel):
    handle: str
    phone: Annotated[str, AllowedFor(TWO_FACTOR), pydantic.Field(frozen=True)]


class ShortAfter(PurposeModel):
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]

    @pydantic.model_validator(mode="after")
    def _check(self) -> Any:
        raise ValueError(f"{self.phone} is blocked")


class ShortBefore(PurposeModel):
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]

    @pydantic.model_validator(mode="before")
    @classmethod
    def _check(cls, data: Any) -> Any:
        raise ValueError(f"{data} is blocked")


class ShortWrap(PurposeModel):
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]

    @pydantic.model_validator(mode="wrap")
    @classmethod
    def _check(cls, data: Any, handler: Any) -> Any:
        handler(data)
        raise ValueError(f"{data} is blocked")


class ShortAlias(PurposeModel):
    handle: str
    phone: Annotated[str, AllowedFor(TWO_FACTOR), pydantic.Field(validation_alias="phoneNumber", max_length=5)]


class ShortPath(PurposeModel):
    handle: Annotated[str, pydantic.Field(validation_alias=pydantic.AliasPath("contact", "handle"))]
    phone: Annotated[
        str,
        AllowedFor(TWO_FACTOR),
        pydantic.Field(validation_alias=pydantic.AliasPath("contact", "phone")),
    ]


class Cat(PurposeModel):
    kind: Literal["cat"]
    phone: Annotated[str, AllowedFor(TWO_FACTOR), pydantic.Field(max_length=5)]


class Dog(PurposeModel):
    kind: Literal["dog"]
    phone: Annotated[str, AllowedFor(TWO_FACTOR), pydantic.Field(max_length=5)]


Pet = Annotated[Union[Cat, Dog], pydantic.Field(discriminator="kind")]  # noqa: UP007


class Order(PurposeModel):
    account: Short
    note: str


class PlainOrder(BaseModel):
    account: Short


class Tree(PurposeModel):
    phone: Annotated[str, AllowedFor(TWO_FACTOR), pydantic.Field(max_length=12)]
    children: list[Tree] = []  # noqa: RUF012
    handle: str


class ShortBox(BaseModel):
    phone: Annotated[Sealed[Annotated[str, pydantic.Field(max_length=5)]], AllowedFor(TWO_FACTOR)]


class ShortRoot(PurposeRootModel[Annotated[str, AllowedFor(TWO_FACTOR), pydantic.Field(max_length=5)]]):
    pass


@pydantic.dataclasses.dataclass
class ShortHolder:
    account: Short


@pydantic.validate_call
def takes_account(account: Short) -> None:
    """Takes what it is given."""


BAD = {"handle": "ada", "phone": SECRET}
BAD_JSON = json.dumps(BAD)
SPACED = " ".join(SECRET)

ERRORS: dict[str, Callable[[], Any]] = {
    "constructor": lambda: Short(**BAD),
    "model_validate": lambda: Short.model_validate(BAD),
    "model_validate_json": lambda: Short.model_validate_json(BAD_JSON),
    "model_validate_json of bytes": lambda: Short.model_validate_json(BAD_JSON.encode()),
    "model_validate_strings": lambda: Short.model_validate_strings(BAD),
    "deprecated parse_obj": lambda: quiet(lambda: Short.parse_obj(BAD)),
    "deprecated parse_raw": lambda: quiet(lambda: Short.parse_raw(BAD_JSON)),
    "hide_input_in_errors": lambda: ShortHidden(**BAD),
    "missing sibling": lambda: Account(phone=SECRET),
    "missing sibling from JSON": lambda: Account.model_validate_json(json.dumps({"phone": SECRET})),
    "missing sibling, in an adapter": lambda: TypeAdapter(list[Account]).validate_python([{"phone": SECRET}]),
    "missing sibling, in an adapter from JSON": lambda: TypeAdapter(Account).validate_json(
        json.dumps({"phone": SECRET}),
    ),
    "missing sibling, in a plain parent": lambda: PlainHolder(account={"phone": SECRET}),
    "missing sibling, from attributes": lambda: Account.model_validate(
        types.SimpleNamespace(phone=SECRET),
        from_attributes=True,
    ),
    "missing sibling of the account in a PurposeModel": lambda: Order(account={"handle": "a", "phone": SECRET}),
    "wrong sibling": lambda: Account(**{**FACTS, "id": "seven"}),
    "extra forbidden": lambda: ShortStrict.model_validate({"phone": SECRET, "more": 2}),
    "not a dict": lambda: Account.model_validate(SECRET),
    "a list": lambda: Account.model_validate([SECRET]),
    "an adapter's not a dict": lambda: TypeAdapter(Account).validate_python(SECRET),
    "malformed JSON": lambda: Account.model_validate_json(BAD_JSON[:-1]),
    "JSON of another type": lambda: Account.model_validate_json(json.dumps([SECRET])),
    "strict": lambda: ShortStrict(phone=SECRET),
    "strict from JSON": lambda: ShortStrict.model_validate_json(json.dumps({"phone": SECRET})),
    "int": lambda: tagged(int)(phone=SECRET + "x"),
    "float": lambda: tagged(float)(phone=SECRET + "x"),
    "bool": lambda: tagged(bool)(phone=SECRET),
    "date": lambda: tagged(datetime.date)(phone=SECRET),
    "datetime": lambda: tagged(datetime.datetime)(phone=SECRET + "x"),
    "uuid": lambda: tagged(uuid.UUID)(phone=SECRET),
    "decimal": lambda: tagged(decimal.Decimal)(phone=SECRET + "x"),
    "url": lambda: tagged(pydantic.HttpUrl)(phone=SECRET),
    "email": lambda: tagged(pydantic.EmailStr)(phone=SECRET),
    "enum": lambda: tagged(Kind)(phone=SECRET),
    "literal": lambda: tagged(Literal["home"])(phone=SECRET),
    "pattern": lambda: tagged(str, pydantic.Field(pattern="^x"))(phone=SECRET),
    "secret str": lambda: tagged(pydantic.SecretStr, pydantic.Field(max_length=2))(phone=SECRET),
    "dict for a str": lambda: tagged(str)(phone={"x": SECRET}),
    "list item": lambda: tagged(list[int])(phone=[1, SECRET + "x"]),
    "dict value": lambda: tagged(dict[str, int])(phone={"x": SECRET + "x"}),
    "dict key": lambda: tagged(dict[str, int])(phone={SECRET: "x"}),
    "dict key itself": lambda: tagged(dict[int, int])(phone={SECRET + "x": 1}),
    "set item": lambda: tagged(set[int])(phone={SECRET + "x"}),
    "tuple": lambda: tagged(tuple[int, int])(phone=(1, SECRET + "x")),
    "nested plain model": lambda: tagged(PlainOrder)(phone={"account": BAD}),
    "nested plain model's own field": lambda: tagged(Plain)(phone={"phone": SECRET}),
    "TypedDict": lambda: tagged(TypedHolder)(phone={"other": SECRET}),
    "JSON in a string": lambda: tagged(pydantic.Json[int])(phone=json.dumps(SECRET + "x")),
    "optional": lambda: tagged(Optional[int])(phone=SECRET + "x"),  # noqa: UP045
    "union": lambda: tagged(Union[int, float])(phone=SECRET + "x"),  # noqa: UP007
    "tagged union's tag": lambda: tagged(Pet)(phone={"kind": SECRET}),
    "message quotes": lambda: tagged(str, refuses("{} is blocked"))(phone=SECRET),
    "message quotes the repr": lambda: tagged(str, refuses("{!r} is blocked"))(phone=SECRET),
    "message quotes, from JSON": lambda: tagged(str, refuses("{} is blocked")).model_validate_json(BAD_JSON),
    "message quotes, in an adapter": lambda: TypeAdapter(tagged(str, refuses("{}"))).validate_python(BAD),
    "assertion quotes": lambda: tagged(str, pydantic.AfterValidator(asserts))(phone=SECRET),
    "PydanticCustomError quotes": lambda: tagged(str, pydantic.AfterValidator(raises_custom))(phone=SECRET),
    "a chained error quotes": lambda: tagged(str, pydantic.AfterValidator(raises_chained))(phone=SECRET),
    "before validator quotes": lambda: tagged(str, pydantic.BeforeValidator(raises_custom))(phone=SECRET),
    "model validator quotes": lambda: ShortAfter(phone=SECRET),
    "model validator quotes, in an adapter": lambda: TypeAdapter(ShortAfter).validate_python({"phone": SECRET}),
    "model before validator quotes": lambda: ShortBefore(phone=SECRET),
    "model wrap validator quotes": lambda: ShortWrap(phone=SECRET),
    "alias": lambda: ShortAlias(handle="a", phoneNumber=SECRET),
    "alias, missing sibling": lambda: ShortAlias(phoneNumber=SECRET),
    "alias path, missing sibling": lambda: ShortPath(contact={"phone": SECRET}),
    "alias path, wrong sibling": lambda: ShortPath(contact={"phone": SECRET, "handle": 1}),
    "alias path, wrong container": lambda: ShortPath(contact=SECRET),
    "adapter": lambda: TypeAdapter(Short).validate_python(BAD),
    "adapter from JSON": lambda: TypeAdapter(Short).validate_json(BAD_JSON),
    "adapter of a list": lambda: TypeAdapter(list[Short]).validate_python([BAD]),
    "adapter of a dict": lambda: TypeAdapter(dict[str, Short]).validate_json(json.dumps({"k": BAD})),
    "adapter of an optional": lambda: TypeAdapter(Optional[Short]).validate_python(BAD),  # noqa: UP045
    "discriminated union": lambda: TypeAdapter(Pet).validate_python({"kind": "cat", "phone": SECRET}),
    "discriminated union from JSON": lambda: TypeAdapter(Pet).validate_json(
        json.dumps({"kind": "dog", "phone": SECRET}),
    ),
    "plain parent": lambda: PlainOrder(account=BAD),
    "plain parent from JSON": lambda: PlainOrder.model_validate_json(json.dumps({"account": BAD})),
    "parent": lambda: Order(account=BAD, note="n"),
    "parent's other field": lambda: Order(account={"handle": "a", "phone": SECRET[:5]}, note=1),
    "parent given a string": lambda: Order(account=SECRET, note="n"),
    "recursive": lambda: Tree(phone="1", handle="a", children=[{"phone": SECRET, "handle": 1, "children": []}]),
    "recursive, missing sibling": lambda: Tree(phone="1", handle="a", children=[{"phone": SECRET}]),
    "dataclass": lambda: ShortHolder(account=BAD),
    "validate_call": lambda: takes_account(BAD),
    "validate_assignment": lambda: setattr(ShortChecked(handle="a", phone="1"), "phone", SECRET),
    "validate_assignment of a sibling": lambda: setattr(ShortChecked(handle="a", phone="1"), "handle", 1),
    "frozen model": lambda: setattr(FrozenAccount(**FACTS), "phone", SECRET),
    "frozen model, deleted": lambda: delattr(FrozenAccount(**FACTS), "phone"),
    "frozen field": lambda: setattr(ShortFields(handle="a", phone=SECRET), "phone", SECRET + "1"),
    "box in a plain model": lambda: ShortBox(phone=SECRET),
    "box in a plain model from JSON": lambda: ShortBox.model_validate_json(BAD_JSON),
    "box moved where it does not fit": lambda: Short(handle="a", phone=made()),
    "box moved into a narrow box": lambda: ShortBox(phone=made()),
    "account moved where it does not fit": lambda: Short(**{k: v for k, v in vars(account()).items() if k in BAD}),
    "root model": lambda: ShortRoot(SECRET),
    "root model from JSON": lambda: ShortRoot.model_validate_json(json.dumps(SECRET)),
}


@pytest.mark.parametrize("where", SITUATIONS)
@pytest.mark.parametrize("road", ERRORS)
def test_validation_errors(road: str, where: str) -> None:
    """An error page, a log or a client would be shown the number that somebody mistyped (R7)."""
    with situation(where) as denials:
        with pytest.raises(ValidationError) as caught:
            ERRORS[road]()
        assert denials == []
        assert leaks(caught.value) == ""
        assert caught.value.errors(), "nothing is said of what is wrong"


def test_the_table_is_long_enough() -> None:
    """Roads that were taken out would not be missed."""
    assert len({*READS, *WRAPPED, *READ_FACTS, *MOVES, *REPRESENTATIONS}) >= 120
