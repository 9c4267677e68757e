"""Roads that end in a validation error, of a value that must not be in it."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import types
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Literal, Optional, Union

import pydantic
import pydantic.dataclasses
import pydantic_core
from purposes import SECRET, TWO_FACTOR
from pydantic import BaseModel, ConfigDict, TypeAdapter

from purposebind import AllowedFor, PurposeModel, PurposeRootModel, Sealed

from .boxes import made
from .subjects import FACTS, Account, FrozenAccount, Plain, PlainHolder, TypedHolder, account, quiet


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
