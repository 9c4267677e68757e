"""Roads on which a model moves and stays sealed: no reads."""

from __future__ import annotations

import asyncio
import collections
import contextvars
import copy
import dataclasses
import functools
import operator
import queue
import types
import weakref
from collections.abc import Callable
from typing import Any, Union

from pydantic import TypeAdapter

from .subjects import FACTS, Account, AnyHolder, Derived, Holder, Optioned, PlainHolder, as_, quiet, root


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
