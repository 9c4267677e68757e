"""What type checkers see of models and tags. Checked by mypy and pyright, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Generic, Optional, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, computed_field
from typing_extensions import assert_type

from purposebind import AllowedFor, Purpose, PurposeModel, Sealed, SubjectId, active_purposes

T = TypeVar("T")

SECURITY = Purpose("security", "Keep accounts safe")
TWO_FACTOR = SECURITY.child("two_factor", "Send a login code")
ADVERTISING = Purpose("advertising", "Choose and measure ads")

assert_type(TWO_FACTOR, Purpose)
assert_type(Purpose.find("security"), Purpose)
assert_type(SECURITY.includes(TWO_FACTOR), bool)
assert_type(SECURITY.name, str)
assert_type(sorted([SECURITY, ADVERTISING]), list[Purpose])
assert_type(active_purposes(), frozenset[Purpose])


class Address(PurposeModel):
    street: Annotated[str, AllowedFor(SECURITY)]


class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    handle: str
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]
    email: Annotated[Optional[str], AllowedFor(SECURITY, never=[ADVERTISING])] = None  # noqa: UP045  # the older spelling too
    devices: Annotated[list[str], AllowedFor(SECURITY)] = Field(default_factory=list)
    address: Address | None = None
    token: Annotated[Sealed[str], AllowedFor(TWO_FACTOR)]

    @cached_property
    def area(self) -> str:
        return self.phone[:3]

    @computed_field
    def digits(self) -> int:
        return len(self.phone)


class Observed(PurposeModel, purpose_mode="observe"):
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]


class Page(PurposeModel, Generic[T]):
    item: Annotated[T, AllowedFor(SECURITY)]


class Plain(BaseModel):
    code: Annotated[Sealed[str], AllowedFor(TWO_FACTOR)]


def tagged_fields_have_their_own_type(account: Account, page: Page[int], plain: Plain) -> None:
    assert_type(account.id, int)
    assert_type(account.handle, str)
    assert_type(account.phone, str)
    assert_type(account.email, Optional[str])  # noqa: UP045
    assert_type(account.devices, list[str])
    assert_type(account.address, Optional[Address])  # noqa: UP045
    assert_type(account.token, Sealed[str])
    assert_type(account.area, str)
    assert_type(page.item, int)
    assert_type(plain.code, Sealed[str])
    account.phone = "+15550100"


def models_are_made_as_pydantic_makes_them() -> None:
    assert_type(Address(street="1 Main Street"), Address)
    assert_type(Address.model_validate({}), Address)
    assert_type(Address.model_validate_json("{}"), Address)
    assert_type(Address.model_construct(street=""), Address)
    assert_type(Address(street="").model_copy(update={"street": ""}), Address)
    assert_type(Address(street="").model_dump_json(), str)
    assert_type(TypeAdapter(list[Address]).validate_python([]), list[Address])


def mistakes(account: Account) -> None:
    Address(street=1)  # type: ignore[arg-type]
    Address()  # type: ignore[call-arg]
    account.phone = 1  # type: ignore[assignment]
    account.fax  # type: ignore[attr-defined]
    AllowedFor("security")  # type: ignore[arg-type]
    AllowedFor(SECURITY, never=["advertising"])  # type: ignore[list-item]
    Purpose("security")  # type: ignore[call-arg]
    SECURITY.includes("security.two_factor")  # type: ignore[arg-type]
    SECURITY.may_hand_over_to(ADVERTISING)  # type: ignore[call-arg]
