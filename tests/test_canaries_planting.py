"""Planting: what a model's fields take, a canary in each tagged one, and what cannot be made up is said."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, Generic, Literal, Optional, TypeVar
from uuid import UUID

import pytest
from purposes import ADVERTISING, SECURITY, TWO_FACTOR
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    FutureDate,
    HttpUrl,
    PastDate,
    SecretStr,
    Strict,
    model_validator,
)
from typing_extensions import TypedDict

from purposebind import AllowedFor, PurposeModel, PurposeRootModel, Sealed, SubjectId, purpose_scope
from purposebind.integrations.canaries import Canaries, CanaryError
from purposebind.integrations.canaries.patterns import matching

TAG = AllowedFor(SECURITY)
T = TypeVar("T")


class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    handle: str
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]
    email: Annotated[EmailStr | None, TAG] = None


class Colour(Enum):
    RED = "red"


class Address(PurposeModel):
    street: Annotated[str, TAG]
    country: str = "SE"


def _digits_only(value: str) -> str:
    if not value.isdigit():
        raise ValueError("digits only")
    return value


def planted(annotation: Any, name: str = "value", **options: Any) -> tuple[Any, Canaries]:
    """The value of one tagged field of this type, and the canaries."""
    model: Any = type("Holder", (PurposeModel,), {"__annotations__": {name: Annotated[annotation, TAG]}, **options})
    canaries = Canaries()
    with purpose_scope(SECURITY):
        return getattr(canaries.plant(model), name), canaries


def test_every_tagged_field_holds_one_of_its_own() -> None:
    """A field left at its default would leak unseen; and a value in two fields could not be told where it came from."""
    canaries = Canaries()
    one, two = canaries.plant(Account), canaries.plant(Account)
    with purpose_scope(TWO_FACTOR):
        held = [one.phone, two.phone, one.email, two.email]
    assert held == canaries.of("Account.phone") + canaries.of("Account.email")
    assert len(set(held)) == 4
    assert one.id != two.id
    assert [canary.field for canary in canaries.planted] == ["Account.phone", "Account.email"] * 2
    assert canaries.not_watched == []


def test_telephone_numbers_and_addresses_are_nobodys() -> None:
    """A test that sends something would send it to somebody."""
    canaries = Canaries()
    for _ in range(50):
        canaries.plant(Account)
    for phone in canaries.of("Account.phone"):
        assert re.fullmatch(r"\+1[2-9]\d\d55501\d\d", phone)
    for email in canaries.of("Account.email"):
        assert email.endswith("@example.com")


def test_numbers_are_not_planted_twice() -> None:
    """Two people's numbers would be one, and the wrong field would be blamed."""
    canaries = Canaries()
    for _ in range(400):
        canaries.plant(Account)
    assert len(set(canaries.of("Account.phone"))) == 400


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (str, str),
        (Annotated[str, Field(max_length=12)], str),
        (Annotated[str, Field(max_length=8)], str),
        (Annotated[str, Field(min_length=40)], str),
        (Annotated[str, Field(pattern=r"^\+?[1-9]\d{7,14}$")], str),
        (Annotated[str, Field(pattern=r"^\d{12}$")], str),
        (Annotated[str, Field(pattern=r"^[A-Z]{2}\d{6}[A-Z]$")], str),
        (Annotated[str, Field(pattern=r"^\d{6}-\d{4}$", max_length=11)], str),
        (Annotated[str, Field(pattern="^(19|20)?[0-9]{10}$")], str),
        (Annotated[str, AfterValidator(_digits_only)], str),
        (EmailStr, str),
        (HttpUrl, HttpUrl),
        (SecretStr, SecretStr),
        (bytes, bytes),
        (int, int),
        (Annotated[int, Field(gt=0, le=10**12)], int),
        (Annotated[int, Field(lt=0)], int),
        (Annotated[int, Field(multiple_of=5)], int),
        (Annotated[int, Strict()], int),
        (float, float),
        (Decimal, Decimal),
        (Annotated[Decimal, Field(max_digits=12, decimal_places=2)], Decimal),
        (date, date),
        (PastDate, date),
        (FutureDate, date),
        (Annotated[date, Strict()], date),
        (datetime, datetime),
        (UUID, UUID),
        (IPv6Address, IPv6Address),
        (Optional[str], str),  # noqa: UP045
        (str | int, str),
        (list[str], list),
        (set[str], set),
        (tuple[str, ...], tuple),
        (tuple[str, str], tuple),
        (dict[str, str], dict),
        (list[list[str]], list),
        (Any, str),
    ],
    ids=lambda one: re.sub(r" at 0x[0-9a-f]+", "", str(one)),  # the same in each process
)
def test_what_a_type_takes_is_made(annotation: Any, kind: type) -> None:
    """A field that cannot be planted is a leak that no test looks for."""
    value, canaries = planted(annotation)
    assert isinstance(value, kind)
    assert canaries.not_watched == []
    for canary in canaries.planted:
        assert canary.field == "Holder.value"
    assert canaries.planted
    shown = value.get_secret_value() if isinstance(value, SecretStr) else value
    assert canaries.search(shown)


@pytest.mark.parametrize(
    "annotation",
    [
        bool,
        Colour,
        Literal["a", "b"],
        Annotated[int, Field(ge=0, le=150)],
        Annotated[str, Field(max_length=4)],
        IPv4Address,
        timedelta,
    ],
    ids=str,
)
def test_what_chance_would_find_is_not_looked_for_and_said(annotation: Any) -> None:
    """Every test would fail where an age of 30 occurs in a log; or a field would be believed to be looked for."""
    value, canaries = planted(annotation)
    assert value is not None
    assert canaries.planted == []
    assert canaries.not_watched == ["Holder.value"]


def test_nested_models_boxes_and_aliases() -> None:
    """What is tagged further inside would be left at its default, and leak unseen."""

    class Order(PurposeModel):
        note: Annotated[str, TAG] = Field("", alias="theNote")
        address: Address
        more: list[Address] = Field(default_factory=list)
        by_name: dict[str, Address] = Field(default_factory=dict)
        maybe: Address | None = None
        boxed: list[Annotated[Sealed[str], TAG]] = Field(default_factory=list)
        whole: Annotated[dict[str, list[str]], AllowedFor(ADVERTISING)] = Field(default_factory=dict)

    canaries = Canaries()
    order = canaries.plant(Order)
    fields = [canary.field for canary in canaries.planted]
    assert fields == [
        "Order.note",
        *["Address.street"] * 4,
        "Order.boxed",
        "Order.whole",
    ]
    with purpose_scope(SECURITY):
        held = [order.note, order.address.street, order.more[0].street, order.by_name["key"].street]
        assert order.maybe is not None
        held += [order.maybe.street, order.boxed[0].open()]
    assert held == [canary.value for canary in canaries.planted][:-1]


def test_a_model_that_holds_itself_ends() -> None:
    """Planting would never end."""

    class Person(PurposeModel):
        name: Annotated[str, TAG]
        parent: Person | None = None
        children: Annotated[list[Person], Field(default_factory=list)]

    Person.model_rebuild(_types_namespace={"Person": Person})
    canaries = Canaries()
    person = canaries.plant(Person)
    assert person.parent is None
    assert [canary.field for canary in canaries.planted] == ["Person.name"]


def test_a_model_of_a_tests_own_function_is_planted() -> None:
    """Its annotations name what only that function knows, and pydantic would ask for a rebuild."""

    class Local(PurposeModel):
        phone: Annotated[Later, TAG]

    Later = str
    canaries = Canaries()
    canaries.plant(Local)
    assert canaries.payload(Local)
    assert len(canaries.planted) == 2


def test_an_inherited_tag_counts() -> None:
    """A subclass's field, tagged where it was declared first, would not be planted (R8)."""

    class Base(PurposeModel):
        phone: Annotated[str, TAG] = ""

    class Child(Base):
        phone: str = ""

    canaries = Canaries()
    canaries.plant(Child)
    assert [canary.field for canary in canaries.planted] == ["Child.phone"]


def test_other_kinds_of_types_are_planted() -> None:
    """Boxes outside a PurposeModel, and root and generic models, would have no canaries."""

    class Entry(TypedDict):
        phone: Annotated[Sealed[str], TAG]

    class Plain(BaseModel):
        phone: Annotated[Sealed[str], TAG]

    class Phones(PurposeRootModel[Annotated[list[str], TAG]]):
        pass

    class Box(PurposeModel, Generic[T]):
        content: Annotated[T, TAG]

    for kind in (Entry, Plain, Phones, Box[int], Box[str]):
        canaries = Canaries()
        canaries.plant(kind)
        assert len(canaries.planted) == 1, kind
        assert canaries.not_watched == []


def test_given_values_are_looked_for_too() -> None:
    """Who gives a value by name would not learn that it leaked."""
    canaries = Canaries()
    account = canaries.plant(Account, phone="0046-70-1234567", id=7, handle="a handle that is not tagged")
    assert account.id == 7
    assert canaries.of("Account.phone") == ["0046-70-1234567"]
    assert canaries.search("call 0046-70-1234567")
    assert not canaries.search("a handle that is not tagged")
    canaries.plant(Account, phone="112")
    assert canaries.not_watched == ["Account.phone"]


def test_what_cannot_be_made_is_named_and_can_be_given() -> None:
    """The developer would see a traceback of pydantic's, and not which field to give."""

    class Card(PurposeModel):
        number: Annotated[str, TAG, AfterValidator(_luhn)]
        signed: Annotated[Callable[[], int], TAG]

    with pytest.raises(CanaryError, match=r"Card\.signed: no value can be made up.*plant\(Card, signed=\.\.\.\)"):
        Canaries().plant(Card)
    with pytest.raises(CanaryError, match=r"(?s)Card accepts.*number:"):
        Canaries().plant(Card, signed=int)
    canaries = Canaries()
    canaries.plant(Card, signed=int, number="4242424242424242")
    assert canaries.of("Card.number") == ["4242424242424242"]
    assert canaries.not_watched == ["Card.signed"]


def _luhn(value: str) -> str:
    if value != "4242424242424242":
        raise ValueError("no card")
    return value


def test_a_models_own_rule_that_refuses_is_told() -> None:
    """Planting would try for ever."""

    class Pair(PurposeModel):
        first: Annotated[str, TAG]
        second: Annotated[str, TAG]

        @model_validator(mode="after")
        def _same(self) -> Pair:
            if self.first != self.second:
                raise ValueError("they differ")
            return self

    with pytest.raises(CanaryError, match="they differ"):
        Canaries().plant(Pair)
    assert Canaries().plant(Pair, first="the same text", second="the same text")


def test_an_unknown_name_is_refused() -> None:
    """A misspelt field would be ignored, and the value that was meant for it lost."""
    with pytest.raises(CanaryError, match="Account has no field fone; it has id, handle, phone, email"):
        Canaries().plant(Account, fone="+15550100")


def test_a_model_without_tags_is_refused() -> None:
    """A test would look for nothing, and pass, where the tag is forgotten or another model was meant."""

    class Plain(BaseModel):
        phone: str

    for make in (Canaries().plant, Canaries().payload):
        with pytest.raises(CanaryError, match="Plain has no tagged field"):
            make(Plain)


def test_strict_models_are_planted() -> None:
    """A model with strict=True would refuse what was made for it."""

    class Strictly(PurposeModel):
        model_config = ConfigDict(strict=True)

        born: Annotated[date, TAG]
        token: Annotated[UUID, TAG]
        since: date

    canaries = Canaries()
    canaries.plant(Strictly)
    canaries.plant(Strictly, since=date(2020, 1, 1))
    assert len(canaries.planted) == 4


def test_a_payload_is_what_a_client_sends() -> None:
    """A request made with a planted model would need the model's own purposes to be read."""

    class SignUp(PurposeModel):
        phone: Annotated[str, TAG] = Field(alias="phoneNumber")
        born: Annotated[date, TAG]

    canaries = Canaries()
    sent = canaries.payload(SignUp)
    assert list(sent) == ["phoneNumber", "born"]
    assert [sent["phoneNumber"], sent["born"]] == [canary.value for canary in canaries.planted]
    assert isinstance(SignUp.model_validate(sent), SignUp)
    assert canaries.payload(SignUp, phoneNumber="+12025550100")["phoneNumber"] == "+12025550100"


def test_values_of_ones_own_are_watched() -> None:
    """A value that comes from elsewhere, such as a fixture file, could not be looked for."""
    canaries = Canaries()
    assert canaries.watch("a text of my own", "notes") == "a text of my own"
    assert canaries.watch(b"\xff\x00bytes-of-mine", "blob")
    assert canaries.watch(["one-of-many", 1234567890], "list")
    assert [canary.field for canary in canaries.planted] == ["notes", "blob", "list", "list"]
    assert canaries.search("a text of my own", "ONE-OF-MANY", 1234567890)
    for short in ("short", 42, True, None, 1.5, []):
        with pytest.raises(CanaryError, match="chance would find it"):
            canaries.watch(short, "x")


@pytest.mark.parametrize("pattern", [r"a|b", r"(?=x)", r"\bword\b", "[[:alpha:]]", "(", r"x{2}(?P<n>a)"])
def test_a_pattern_beyond_it_is_left_alone(pattern: str) -> None:
    """A wrong value would be planted, or planting would fail with an error about regular expressions."""
    assert matching(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    [r"^\d{10}$", r"[A-Z]{3}-\d{4,8}", r"(ab){2}\.[xyz]+", r"\w{2,}\s?\w*", "^[^abc]{5}$", r"\(\d{3}\) \d+", "é{3}"],
)
def test_simple_patterns_are_met(pattern: str) -> None:
    """A field with a pattern of its own could not be planted."""
    made = matching(pattern)
    assert made is not None
    assert re.search(pattern, made)


def test_moments_are_planted_with_their_time_zone() -> None:
    """A naive moment in a field that wants an aware one would be refused."""
    value, canaries = planted(datetime)
    assert value.tzinfo is not None
    assert canaries.search(f"seen at {value.astimezone(timezone.utc):%Y-%m-%d}")
