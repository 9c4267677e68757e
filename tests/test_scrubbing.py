"""What sealed values hold is taken out of text that leaves the process."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import Field

from purposebind import AllowedFor, Purpose, PurposeModel, Sealed, configure
from purposebind.scrubbing import Scrubber

CALLS = Purpose("scrubbing_calls", "Call back")
MARK = "<sealed: scrubbing_calls>"


class Caller(PurposeModel):
    name: str
    phone: Annotated[str, AllowedFor(CALLS)]
    pin: Annotated[int, AllowedFor(CALLS)] = 0
    notes: Annotated[dict[str, list[str]], AllowedFor(CALLS)] = Field(default={})
    friend: Caller | None = None


def caller(**more: Any) -> Caller:
    return Caller(name="Adelaide", phone="+46701234567", **more)


class Holder:
    def __init__(self, held: Any) -> None:
        self.held = held


@pytest.mark.parametrize(
    "holding",
    [
        caller(),
        [caller()],
        {"one": (caller(),)},
        {1: {2: [3, caller()]}},
        caller().model_copy(),
        Caller(name="Eve", phone="+1", friend=caller()),
        Sealed.of("+46701234567", AllowedFor(CALLS)),
        Holder([caller()]),
    ],
)
def test_a_value_is_found_in_whatever_holds_it(holding: Any) -> None:
    """The number would stand in the error report, under the line that redacts the model."""
    told = Scrubber([holding]).scrub("dial +46701234567 for Adelaide: +46701234567!")
    assert told == f"dial {MARK} for Adelaide: {MARK}!"


def test_nothing_is_read_and_nothing_is_told() -> None:
    """An error report would count as a read, or be refused in the middle of the night."""
    told: list[Any] = []
    with configure(on_read=told.append, on_violation=told.append):
        scrubber = Scrubber([caller()])
        assert scrubber
        assert "+4670" not in repr(scrubber)
        assert not Scrubber([1, "text", None, {}])
    assert told == []


def test_values_of_every_kind_are_found_as_they_are_written() -> None:
    """A number or an id would be left in, for it is no text."""
    held = [
        Sealed.of(value, AllowedFor(CALLS))
        for value in (12345, Decimal("98.7654"), UUID(int=7), b"secret-key", "two\nlines", {"keyed": ["inside it"]})
    ]
    scrubber = Scrubber(held)
    for text in ("12345", "98.7654", str(UUID(int=7)), "secret-key", "two\nlines", r"two\nlines", "keyed", "inside it"):
        assert scrubber.scrub(f"<{text}>") == f"<{MARK}>"


def test_what_is_short_is_left_where_it_stands_by_chance() -> None:
    """Every 1 in a traceback would be taken for somebody's pin, and nobody could read it."""
    assert Scrubber([caller(pin=1)]).scrub("line 1") == "line 1"


def test_a_value_inside_another_is_replaced_as_a_whole() -> None:
    """What is left of the longer one would tell it."""
    boxes = [Sealed.of(value, AllowedFor(CALLS)) for value in ("Ada Lovelace", "Ada Lovelace, London")]
    assert Scrubber(boxes).scrub("to Ada Lovelace, London") == f"to {MARK}"


def test_what_refers_to_itself_comes_to_an_end() -> None:
    """An error report would take the process down with it."""
    circle: list[Any] = [caller()]
    circle.append(circle)
    holder = Holder(circle)
    circle.append(holder)
    assert Scrubber([holder]).scrub("+46701234567") == MARK


class Failing(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("not now")


def test_what_cannot_be_looked_into_hides_nothing_else() -> None:
    """One odd object in a frame would send the report as it is, or not at all."""
    assert Scrubber([Failing(a=1), [Failing(), caller()], sys]).scrub("+46701234567") == MARK


def test_what_is_near_is_found_whatever_there_is_far_away() -> None:
    """A server keeps much in its outermost frames, and the model of the failed request would not be looked at."""
    much = {"cache": [[n] for n in range(300_000)]}
    assert Scrubber([caller(), much]).scrub("+46701234567") == MARK
    assert Scrubber([much, Holder(caller())]).scrub("+46701234567") == MARK
