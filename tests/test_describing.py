"""What types declare is found wherever it is inside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, NewType, TypeVar, Union

import pytest
from pydantic import BaseModel, Field, computed_field
from typing_extensions import TypeAliasType, TypedDict

from purposebind import AllowedFor, PolicyError, Purpose, PurposeModel, PurposeRootModel, Sealed
from purposebind.describing import declared_tags, field_tags

FITTING = Purpose("describing_fitting", "Choose the right size")
T = TypeVar("T")


class Buyer(PurposeModel):
    handle: str
    size: Annotated[int, AllowedFor(FITTING)]
    friends: list[Buyer] = Field(default=[])


class Basket(BaseModel):
    of: Buyer | None = None


class Page(BaseModel, Generic[T]):
    items: list[T]


@dataclass
class Row:
    buyer: Buyer


class Columns(TypedDict):
    size: Annotated[Sealed[int], AllowedFor(FITTING)]


class Noted(BaseModel):
    size: Annotated[Sealed[int], AllowedFor(FITTING)]


class Sizes(PurposeRootModel[Annotated[list[int], AllowedFor(FITTING)]]):
    pass


class Shown(PurposeModel):
    @computed_field  # type: ignore[prop-decorator]
    @property
    def buyer(self) -> Buyer | None:
        return None


class Narrower(Buyer):
    pass


BuyerId = NewType("BuyerId", Buyer)  # type: ignore[valid-newtype]
Buyers = TypeAliasType("Buyers", list[Buyer])
Nested = TypeAliasType("Nested", Union[Buyer, "list[Nested]"])  # type: ignore[misc]


@pytest.mark.parametrize(
    "annotation",
    [
        Buyer,
        Basket,
        Union[str, Buyer, None],  # noqa: UP007
        Buyer | None,
        dict[str, tuple[Buyer, ...]],
        Sequence[Basket],
        Annotated[list[Buyer], "more"],
        Page[Buyer],
        Row,
        list[Row],
        Buyers,
        Nested,
        BuyerId,
        Shown,
    ],
)
def test_a_tag_is_found_wherever_it_is(annotation: Any) -> None:
    """A route that handles tagged data would be taken for one that does not."""
    assert declared_tags(annotation) == {"Buyer.size": AllowedFor(FITTING).policy}


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (Noted, "Noted.size"),
        (Columns, "Columns.size"),
        (Annotated[Sealed[int], AllowedFor(FITTING)], "Sealed"),
        (list[Annotated[Sealed[int], AllowedFor(FITTING)]], "Sealed"),
        (Sizes, "Sizes.root"),
        (Narrower, "Narrower.size"),
    ],
)
def test_each_kind_of_tag_is_found(annotation: Any, name: str) -> None:
    """A box in a plain model, or a root model, would be overlooked."""
    assert AllowedFor(FITTING).policy is declared_tags(annotation)[name]


@pytest.mark.parametrize("annotation", [int, None, Any, list[int], BaseModel, PurposeModel, "Buyer", T, ...])
def test_what_declares_nothing_declares_nothing(annotation: Any) -> None:
    """A route without personal data would be asked for a purpose."""
    assert declared_tags(annotation) == {}


def test_the_tags_of_a_models_own_fields_are_told_by_their_names() -> None:
    """Whoever plants, reviews or shows fields would need the library's inside."""
    assert field_tags(Buyer) == {"size": AllowedFor(FITTING).policy}
    assert field_tags(Basket) == {}
    assert field_tags(int) == {}
    assert declared_tags(Buyer, Noted).keys() == {"Buyer.size", "Noted.size"}


def test_what_is_not_finished_is_not_taken_for_untagged() -> None:
    """A route would start without a purpose, for its model was defined below it."""

    class Later(PurposeModel):
        other: "Undefined"  # type: ignore[name-defined]  # noqa: F821, UP037

    @dataclass
    class LaterRow:
        other: "Undefined"  # type: ignore[name-defined]  # noqa: F821, UP037

    for kind in (Later, list[LaterRow]):
        with pytest.raises(PolicyError, match=r"What test_describing\..*Later.* declares is not known"):
            declared_tags(kind)
