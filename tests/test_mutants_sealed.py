"""What mutation testing found unproved in `purposebind.sealed`; see docs/mutation.md."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    PurposeModel,
    PurposeViolation,
    Sealed,
    SubjectId,
    config,
    configure,
    purpose_scope,
)
from purposebind.config import Mode
from purposebind.enforcement import Binding
from purposebind.joining import same_person
from purposebind.scope import current_frame
from purposebind.sealed import seal
from purposebind.subjects import BoxedSubject, Subject


class Model(BaseModel):
    phone: Annotated[Sealed[str], AllowedFor(TWO_FACTOR)]


class Wide(BaseModel):
    phone: Annotated[Sealed[str], AllowedFor(SECURITY)]


@pytest.mark.parametrize("compare", [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge])
@pytest.mark.parametrize(("one", "other"), [("Ada", "Bo"), ("Bo", "Ada"), ("Ada", "Ada")])
def test_comparisons_say_what_the_values_say(compare: Callable[[Any, Any], bool], one: str, other: str) -> None:
    """Sorted or filtered boxes would come out in another order than their values."""
    tag = AllowedFor(TWO_FACTOR)
    other = "".join(list(other))  # equal to `one` or not, never the same object
    with purpose_scope(TWO_FACTOR):
        expected = compare(one, other)
        assert compare(Sealed.of(one, tag), Sealed.of(other, tag)) is expected
        assert compare(Sealed.of(one, tag), other) is expected


def test_a_value_put_there_without_validation_is_not_dumped_elsewhere() -> None:
    """``model_construct`` would open a road: what it stored bare, any code could dump (R1)."""
    model = Model.model_construct(phone=SECRET)  # type: ignore[arg-type]
    with pytest.raises(PydanticSerializationError, match=r"Model\.phone"):
        model.model_dump()
    with purpose_scope(ADVERTISING), pytest.raises(PydanticSerializationError, match=r"Model\.phone"):
        model.model_dump_json()
    with purpose_scope(TWO_FACTOR):
        assert model.model_dump() == {"phone": SECRET}


@pytest.mark.parametrize(
    ("box", "into", "named"),
    [
        (Sealed.of(SECRET, AllowedFor(TWO_FACTOR)), Model, "Model.phone"),
        (Sealed.of(SECRET, AllowedFor(TWO_FACTOR)), Wide, "Sealed"),
        (Sealed.of(SECRET, AllowedFor(SECURITY)), Model, "Model.phone"),
        (Sealed.of(SECRET, AllowedFor(ADVERTISING)), Model, "Sealed + Model.phone"),
    ],
)
def test_a_moved_box_is_named_for_the_tag_that_binds_it(box: Sealed[str], into: Any, named: str) -> None:
    """The error would name a field whose tag is not the one that refuses, and the wrong owner would be asked (R8)."""
    with pytest.raises(PurposeViolation) as caught:
        into(phone=box).phone.open()
    assert caught.value.field == named


def test_what_is_derived_is_named_for_each_source_once() -> None:
    """The error about a derived value would leave out a source, or list one twice (R8)."""
    one = Model(phone=SECRET).phone  # type: ignore[arg-type]
    two = Wide(phone=SECRET).phone  # type: ignore[arg-type]
    with purpose_scope(TWO_FACTOR):
        joined = Sealed.join(lambda *values: " ".join(values), one, two, one)
        mapped = one.map(str.upper)
    for box, named in ((joined, "Model.phone + Wide.phone"), (mapped, "Model.phone")):
        with pytest.raises(PurposeViolation) as caught:
            box.open()
        assert caught.value.field == named


@pytest.mark.parametrize(
    ("modes", "raises"),
    [
        (("observe", "observe"), False),
        (("observe", "enforce"), True),
        (("enforce", "observe"), True),
        (("observe", None), True),
        ((None, "observe"), True),
    ],
)
def test_derived_is_observed_where_every_source_is(modes: tuple[Mode | None, Mode | None], raises: bool) -> None:
    """One model rolled out in observe mode would open what is derived from it and from an enforced one (R8, R11)."""
    policy = AllowedFor(TWO_FACTOR).policy
    boxes = [seal(SECRET, Binding(f"Account.{number}", policy, mode)) for number, mode in enumerate(modes)]
    with purpose_scope(TWO_FACTOR):
        joined = Sealed.join(lambda one, two: one + two, *boxes)
    assert joined._purposebind_binding.mode == (None if raises else "observe")
    if raises:
        with pytest.raises(NoActivePurpose):
            joined.open()
    else:
        assert joined.open() == SECRET * 2


@pytest.mark.parametrize(("owner", "expected"), [(None, "Ada"), ("Bo", "Bo")])
def test_a_moved_box_keeps_whose_data_it_is(owner: str | None, expected: str) -> None:
    """A denial would be counted for nobody, or for the person a box came from and not the one it is kept for (R8)."""
    told: list[Any] = []
    policy = AllowedFor(TWO_FACTOR).policy
    moved = seal(seal(SECRET, Binding("Account.phone", policy), "Ada"), Binding("Order.phone", policy), owner)
    with configure(on_violation=told.append), pytest.raises(NoActivePurpose):
        moved.open()
    assert [denial.subject for denial in told] == [expected]


@pytest.mark.parametrize("show", [repr, str, format, "{}".format])
def test_only_a_revealing_test_suite_is_shown_the_value(show: Callable[[Any], str]) -> None:
    """A log line would hold the value, or a test suite that asked to be shown it would not see it (R6)."""
    box = Sealed.of(SECRET, AllowedFor(TWO_FACTOR))
    assert show(box) == f"<sealed: {TWO_FACTOR}>"
    config.install(config.Configuration(revealing=True))
    assert SECRET in show(box)


def test_a_box_makes_and_joins_boxes_as_the_class_does() -> None:
    """``type(box).of`` would work and ``box.of`` put the wrong value into a box."""
    tag = AllowedFor(TWO_FACTOR)
    box = Sealed.of("Ada", tag)
    with purpose_scope(TWO_FACTOR):
        assert box.of("Bo", tag).open() == "Bo"
        assert box.join(str.upper, box).open() == "ADA"


def test_boxes_of_one_person_stay_that_persons() -> None:
    """The person's id, equal but not the same object, would be lost, and the people affected counted too low (R8)."""

    class Login(PurposeModel):
        id: Annotated[str, SubjectId]
        phone: Annotated[str, AllowedFor(TWO_FACTOR)]

    def phone_of(person: str) -> Any:
        return vars(Login(id="".join(person), phone="+15550100"))["phone"]

    with purpose_scope(TWO_FACTOR):
        same = Sealed.join("{}{}".format, phone_of("person-1000"), phone_of("person-1000"))
        two = Sealed.join("{}{}".format, phone_of("person-1000"), phone_of("person-2000"))
    seen: list[Any] = []
    with configure(on_violation=lambda denial: seen.append(denial.subject)):
        for box in (same, two):
            with pytest.raises(NoActivePurpose):
                box.open()
    assert seen == ["person-1000", None]


ELSEWHERE = Sealed.of("person-1000", AllowedFor(ADVERTISING))  # a tagged subject, which may not be read in the tests


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("person-1000", "person-2000", False),
        ("person-2000", "person-1000", False),
        (1, True, False),
        (ELSEWHERE, ELSEWHERE, True),
        (ELSEWHERE, Sealed.of("person-1000", AllowedFor(ADVERTISING)), False),
        (ELSEWHERE, "person-1000", False),
        ("person-1000", ELSEWHERE, False),
        (None, "person-1000", False),
        ("person-1000", None, False),
    ],
)
def test_what_is_derived_from_two_people_is_nobodys(one: Any, other: Any, same: bool) -> None:
    """A denial would be counted for the wrong person, or a tagged id would be read to see whose data it is (R1)."""
    policy = AllowedFor(TWO_FACTOR).policy
    boxes = [seal(SECRET, Binding("Account.phone", policy), subject) for subject in (one, other)]
    with purpose_scope(TWO_FACTOR):
        joined = Sealed.join("{}{}".format, *boxes)
    nobody = None if one is None or other is None else Subject.SHARED
    assert joined._purposebind_subject == (boxes[0]._purposebind_subject if same else nobody)


class Person:
    """A subject that a copy of would be another one."""


def test_a_deep_copy_is_the_same_persons() -> None:
    """Whoever is read by way of a copy would be nobody, or somebody who is not there."""
    person = Person()
    binding = Binding("Account.phone", AllowedFor(TWO_FACTOR).policy)
    assert copy.deepcopy(seal(SECRET, binding, person))._purposebind_subject is person
    number = seal(7, binding)
    phone = seal(SECRET, binding, number)
    memo: dict[int, Any] = {}
    copied = copy.deepcopy(phone, memo)
    assert copied._purposebind_subject == BoxedSubject(copy.deepcopy(number, memo))
    assert copied._purposebind_subject != phone._purposebind_subject


@pytest.mark.parametrize("recorded", [True, False])
def test_what_the_scope_has_recorded_is_not_asked_for_again(recorded: bool) -> None:
    """A read would be counted twice, or let through without being recorded at all."""
    box = Sealed.of(SECRET, AllowedFor(ADVERTISING))
    with purpose_scope(TWO_FACTOR):
        current_frame().record = lambda asked: recorded
        if recorded:
            assert box.open() == SECRET
        else:
            with pytest.raises(PurposeViolation):
                box.open()


def test_what_several_people_share_is_no_persons() -> None:
    """A third family member's record would make the shared address somebody's again: the wrong one's."""
    assert not same_person(Subject.SHARED, Subject.SHARED)
    assert same_person("person-1000", "person-1000")
