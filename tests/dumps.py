"""The same model twice, with a tag and without, and whether their dumps differ: what tests/test_roads.py is about."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import functools
import inspect
import ipaddress
import math
import re
import uuid
import warnings
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import pydantic
import pydantic_core
from purposes import TWO_FACTOR
from pydantic import (
    BaseModel,
    ByteSize,
    ConfigDict,
    EmailStr,
    Field,
    HttpUrl,
    Json,
    PlainSerializer,
    SecretStr,
    WrapSerializer,
    computed_field,
    create_model,
    field_serializer,
    model_serializer,
)
from typing_extensions import TypedDict

from purposebind import AllowedFor, PurposeModel, purpose_scope
from purposebind.walk import inside

TAG = AllowedFor(TWO_FACTOR)
ONLY_EXACT = tuple(int(part) for part in pydantic.VERSION.split(".")[:2]) < (2, 13)
"""Whether this is a pydantic with which every model takes the exact road."""


# --- Field types ------------------------------------------------------------------------------------------------------


class Address(BaseModel):
    street: str = Field(serialization_alias="Street")
    number: int = 3
    hidden: int = Field(default=1, exclude=True)

    @computed_field
    def line(self) -> str:
        return f"{self.street} {self.number}"

    @field_serializer("number")
    def _number(self, number: int) -> str:
        return f"No. {number}"


class Flat(Address):
    floor: int = 5


class Kind(enum.Enum):
    HOME = "home"
    WORK = 2


class Reading(TypedDict):
    raw: bytes
    value: float


@dataclasses.dataclass
class Measured:
    raw: bytes
    took: datetime.timedelta


class Spot(NamedTuple):
    floor: int
    height: float


class Unwritable:
    """Of no type that pydantic knows how to write."""

    def __repr__(self) -> str:
        return "Unwritable()"


HOME = Address(street="Elm St")
DAY = datetime.datetime(2020, 1, 2, 3, 4, 5)

FIELDS: dict[str, tuple[str, Any, Any]] = {
    "str": ("scalar", str, "a"),
    "int or str": ("scalar", int | str, "a"),
    "float, nan": ("scalar", float, math.nan),
    "optional float, inf": ("scalar", float | None, math.inf),
    "absent": ("scalar", str | None, None),
    "bool": ("scalar", bool, True),
    "complex": ("scalar", complex, 1j),
    "bytes": ("scalar", bytes, b"ab"),
    "bytes, not UTF-8": ("scalar", bytes, b"\xff"),
    "datetime": ("scalar", datetime.datetime, DAY),
    "timedelta": ("scalar", datetime.timedelta, datetime.timedelta(days=1)),
    "Decimal": ("scalar", decimal.Decimal, "1.10"),
    "enum": ("scalar", Kind, Kind.WORK),
    "literal": ("scalar", Literal["a", 2], 2),
    "e-mail address": ("scalar", EmailStr, "ada@example.com"),
    "core URL": ("scalar", pydantic_core.Url, "https://example.com"),
    "list of int or str": ("container", list[int | str], [1, "a"]),
    "list of floats": ("container", list[float], [math.nan, math.inf, -0.0, 1e22]),
    "list of optional int": ("container", list[int | None], [None, 1]),
    "list of enums": ("container", list[Kind], [Kind.HOME, Kind.WORK]),
    "list of UUIDs": ("container", list[uuid.UUID], [uuid.UUID(int=5)]),
    "list of timedeltas": ("container", list[datetime.timedelta], [datetime.timedelta(seconds=5.5)]),
    "optional list": ("container", list[str] | None, ["a"]),
    "optional list, absent": ("container", list[str] | None, None),
    "list or int": ("container", list[int] | int, [1]),
    "list or str, a str": ("container", str | list[str], "a"),
    "set": ("container", set[int], {1, 2}),
    "frozenset": ("container", frozenset[str], frozenset({"a"})),
    "tuple of any length": ("container", tuple[int, ...], (1, 2)),
    "tuple": ("container", tuple[int, str], (1, "a")),
    "dict": ("container", dict[str, int], {"z": 1, "a": 2}),
    "dict, inf": ("container", dict[str, float], {"a": math.inf}),
    "dict with int keys": ("container", dict[int, str], {1: "a", 2: "b"}),
    "dict with float keys": ("container", dict[float, int], {math.inf: 1, 1.5: 2}),
    "dict with enum keys": ("container", dict[Kind, int], {Kind.HOME: 1}),
    "dict with date keys": ("container", dict[datetime.date, decimal.Decimal], {DAY.date(): decimal.Decimal("1.10")}),
    "dict with timedelta keys": ("container", dict[datetime.timedelta, int], {datetime.timedelta(days=1): 1}),
    "dict with keys 1 and '1'": ("container", dict[int | str, int], {1: 1, "1": 2}),
    "nested containers": ("container", list[dict[str, set[int]]], [{"k": {1}}, {}]),
    "dict of str or list": ("container", dict[str, str | list[str]], {"k": ["a"], "l": "b"}),
    "defaultdict": ("exact", defaultdict[str, int], {"k": 1}),
    "deque": ("exact", deque[int], deque([1])),
    "sequence": ("exact", Sequence[int], (1, 2)),
    "iterable": ("exact", Iterable[int], lambda: iter([1, 2])),
    "URL": ("exact", HttpUrl, "https://example.com"),  # which pydantic writes by a function of its own
    "ByteSize": ("exact", ByteSize, "1kb"),
    "list of bytes": ("exact", list[bytes], [b"ab", b"\xff\x00"]),
    "dict with bytes keys": ("exact", dict[bytes, int], {b"\xfe": 1}),
    "JSON": ("exact", Json[list[int]], "[1]"),
    "secret": ("exact", list[SecretStr], ["abc"]),
    "IP address": ("exact", list[ipaddress.IPv4Address], ["1.1.1.1"]),
    "pattern": ("exact", list[re.Pattern[str]], [re.compile("a")]),
    "model": ("exact", Address, HOME),
    "model, a subclass's": ("exact", Address, Flat(street="q")),
    "list of models": ("exact", list[Address], [HOME]),
    "dict of lists of models": ("exact", dict[str, list[Address]], {"k": [HOME, Flat(street="q")]}),
    "TypedDict": ("exact", Reading, {"raw": b"x", "value": math.nan}),
    "dataclass": ("exact", Measured, Measured(b"x", datetime.timedelta(days=1))),
    "NamedTuple": ("exact", Spot, Spot(1, math.inf)),
    "anything": ("exact", Any, {"a": math.nan, (1, 2): 3}),
    "anything, unwritable": ("exact", Any, Unwritable()),
    "list of anything": ("exact", list[Any], [1, b"x", HOME]),
    "dict of anything": ("exact", dict[str, Any], {"z": 1, "a": {1, 2}}),
    "plain serializer": ("exact", Annotated[str, PlainSerializer(lambda value: value * 2)], "a"),
    "wrap serializer": ("exact", Annotated[str, WrapSerializer(lambda value, write: write(value) * 2)], "a"),
    "serializer of the items": ("exact", list[Annotated[str, PlainSerializer(lambda value: value * 2)]], ["a"]),
}
"""By the name of a type: the kind of dump that serves it, its annotation, and a value, or what makes one each time."""


def value_of(field: str) -> Any:
    """A value for a field of this type."""
    value = FIELDS[field][2]
    return value() if callable(value) else value


# --- What a dump is asked for ----------------------------------------------------------------------------------------

CONFIGS: dict[str, ConfigDict] = {
    "default": {},
    "one": {
        "ser_json_inf_nan": "constants",
        "ser_json_bytes": "base64",
        "ser_json_timedelta": "float",
        "use_enum_values": True,
    },
    "another": {
        "ser_json_inf_nan": "strings",
        "ser_json_bytes": "hex",
        "ser_json_temporal": "seconds",
        "serialize_by_alias": True,
    },
}

FEW: list[dict[str, Any]] = [{}, {"round_trip": True}, {"serialize_as_any": True}]
ARGUMENTS: list[dict[str, Any]] = [
    arguments
    for arguments in [
        *FEW,
        {"by_alias": True},
        {"exclude_none": True},
        {"exclude_defaults": True},
        {"exclude_unset": True},
        {"exclude_computed_fields": True},
        {"include": {"f"}},
        {"include": {"f": {0}}},
        {"include": {"f": {"k": {0: {"number"}}}}},
        {"exclude": {"f": True}},
        {"exclude": {"f": {0}}},
        {"exclude": {"f": {"__all__": {"number"}}}},
        {"exclude": {"f": {"number", "k"}}},
        {"fallback": repr},
        {"warnings": False},
        {"warnings": "error"},
        {"polymorphic_serialization": True},
        {"indent": 2},
        {"ensure_ascii": True},
    ]
    if arguments.keys() <= inspect.signature(BaseModel.model_dump_json).parameters.keys()
]
"""What this version of pydantic knows of it."""
JSON_ONLY = {"indent", "ensure_ascii"}


def writers(arguments: dict[str, Any]) -> Iterator[Callable[[Any], Any]]:
    """The ways to dump a model with `arguments`."""
    yield lambda model: model.model_dump_json(**arguments)
    if not arguments.keys() & JSON_ONLY:
        yield lambda model: model.model_dump(**arguments)
        yield lambda model: model.model_dump(mode="json", **arguments)


# --- The two models ---------------------------------------------------------------------------------------------------


def thing(base: Any, field: Any, config: ConfigDict | None = None, **others: Any) -> Any:
    """A model on `base` with `field` as its ``f``, and one untagged field."""
    base = type("Base", (base,), {"model_config": config or {}, "__module__": __name__})
    fields = {"f": field, "handle": (str, "ada")}
    return create_model("Thing", __base__=base, __validators__=others, **fields)


def models(annotation: Any, config: ConfigDict | None = None, **others: Any) -> tuple[Any, Any]:
    """The same model twice: with a tag, and without."""
    alias = Field(serialization_alias="F")
    return (
        thing(PurposeModel, (Annotated[annotation, TAG, alias], ...), config, **others),
        thing(BaseModel, (Annotated[annotation, alias], ...), config, **others),
    )


def pass_on_field(self: Any, value: Any, write: Any) -> Any:
    return write(value)


def pass_on_model(self: Any, write: Any) -> Any:
    return write(self)


@functools.cache
def passing_on(plain: Any, kind: str) -> Any:
    """A plain model with the function that a dump of this kind goes through, if pydantic's users wrote it."""
    decorated: Any = (
        field_serializer("f", mode="wrap")(pass_on_field)
        if kind == "container"
        else model_serializer(mode="wrap")(pass_on_model)
    )
    return create_model("Thing", __base__=plain, __validators__={"pass_on": decorated})


def kind_of(tagged: Any, name: str = "f") -> str:
    """The kind of dump that serves a field of a class: "scalar", "container" or "exact"."""
    schema = tagged.__pydantic_core_schema__
    if "serialization" in schema:
        return "exact"
    field = inside(schema)["fields"][name]["schema"]
    while field["type"] == "default":
        field = field["schema"]
    return {"function-plain": "scalar", "function-wrap": "container"}[field["serialization"]["type"]]


# --- What came of it --------------------------------------------------------------------------------------------------


def outcome(call: Callable[..., Any], *arguments: Any) -> tuple[bool, str]:
    """Whether a call failed, and all that can be seen of what came of it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            failed, text = False, repr(call(*arguments))
        except Exception as error:
            failed, text = True, f"{type(error).__name__}: {error}"
    text = "\n".join([text, *sorted(str(warning.message) for warning in caught)])
    return failed, re.sub(r"calling function `\w+`", "calling function", text)


def differs(write: Callable[[Any], Any], make: Callable[[Any], Any], pair: tuple[Any, Any]) -> bool:
    """Return whether the dumps of two models differ, though neither fails.

    Where they do, or where one fails with another error, it must be as a function of pydantic's users would have it.
    """
    tagged, plain = pair
    kind = kind_of(tagged)
    with purpose_scope(TWO_FACTOR):
        ours = outcome(lambda: write(make(tagged)))
    theirs = outcome(lambda: write(make(plain)))
    if ours == theirs:
        return False
    assert kind != "scalar", (ours, theirs)
    assert ours == outcome(lambda: write(make(passing_on(plain, kind)))), theirs
    return not theirs[0]
