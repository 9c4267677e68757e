"""The subjects: models of which each has a tagged ``phone``, how its value came in, and what may hold them."""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import pickle
import warnings
from collections.abc import Callable
from typing import Annotated, Any, Generic, Optional, TypeVar, Union

import pydantic
from purposes import SECRET, SECURITY, TWO_FACTOR
from pydantic import BaseModel, ConfigDict, RootModel, SerializeAsAny, TypeAdapter, computed_field, field_serializer
from typing_extensions import TypedDict

from purposebind import AllowedFor, PurposeModel, PurposeRootModel, SubjectId, purpose_scope

T = TypeVar("T")


class Plain(BaseModel):
    handle: str
    phone: str


class Account(PurposeModel):
    """Scalars only: each is handed over by a plain function."""

    id: Annotated[int, SubjectId]
    handle: str
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]


class ListAccount(Account):
    """A phone that may be a list: a wrap function hands it over, here as everywhere."""

    phone: Annotated[Union[str, list[str]], AllowedFor(TWO_FACTOR)]  # noqa: UP007
    codes: Annotated[Optional[list[str]], AllowedFor(TWO_FACTOR)] = None  # noqa: UP045


class DialledAccount(Account):
    """A serializer of the user's on the tagged field: the exact road."""

    @field_serializer("phone")
    def _dialled(self, phone: str) -> str:
        return "tel:" + phone


class HomeAccount(Account):
    """A model under a tag: the exact road. It is not written out itself, so that a dump may be free of the value."""

    home: Annotated[Plain, AllowedFor(TWO_FACTOR), pydantic.Field(exclude=True)]


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
    "with a field serializer": lambda: DialledAccount(**FACTS),
    "with a tagged model": lambda: HomeAccount(**FACTS, home=Plain(handle="ada", phone=SECRET)),
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
