"""Roads that read a fact about the value: its equality, order, hash, truth or length."""

from __future__ import annotations

import collections
import copy
import functools
import itertools
import operator
import unittest
import unittest.mock
from collections.abc import Callable
from typing import Any

from purposes import SECRET
from pydantic import BaseModel

from .subjects import AnyHolder, FrozenAccount, Holder, Optioned, as_, root, twin


def by_value_pattern(subject: Any) -> Any:
    match subject:
        case BaseModel(phone="+15550199731"):
            return True
    return False


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
