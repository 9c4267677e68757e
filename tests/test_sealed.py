"""`Sealed`: a box to be used anywhere, with one way in for each purpose (R1, R8)."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import pydantic
import pytest
from purposes import ADVERTISING, RECOVERY, SECRET, SECURITY, TWO_FACTOR
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError
from typing_extensions import TypedDict

from purposebind import AllowedFor, NoActivePurpose, PurposeModel, PurposeViolation, Sealed, configure, purpose_scope
from purposebind.policy import Policy

BoxedPhone = Annotated[Sealed[str], AllowedFor(TWO_FACTOR)]


class Model(BaseModel):
    phone: BoxedPhone


class Tagged(PurposeModel):
    phone: BoxedPhone


@pydantic.dataclasses.dataclass
class PydanticDataclass:
    phone: BoxedPhone


@dataclasses.dataclass
class Dataclass:
    phone: BoxedPhone


class Dict(TypedDict):
    phone: BoxedPhone


class Tuple(NamedTuple):
    phone: BoxedPhone


CONTAINERS: dict[str, Callable[[Any], Any]] = {
    "model": lambda given: Model(phone=given).phone,
    "model from JSON": lambda given: Model.model_validate_json(f'{{"phone": "{SECRET}"}}').phone,
    "PurposeModel": lambda given: Tagged(phone=given).phone,
    "pydantic dataclass": lambda given: PydanticDataclass(phone=given).phone,
    "dataclass": lambda given: TypeAdapter(Dataclass).validate_python({"phone": given}).phone,
    "TypedDict": lambda given: TypeAdapter(Dict).validate_python({"phone": given})["phone"],
    "NamedTuple": lambda given: TypeAdapter(Tuple).validate_python((given,)).phone,
    "adapter": lambda given: TypeAdapter(BoxedPhone).validate_python(given),
    "list": lambda given: TypeAdapter(list[BoxedPhone]).validate_python([given])[0],
    "optional": lambda given: TypeAdapter(BoxedPhone | None).validate_python(given),
    "dict": lambda given: TypeAdapter(dict[str, BoxedPhone]).validate_python({"k": given})["k"],
}


def box(value: Any = SECRET, *purposes: Any) -> Any:
    return Sealed.of(value, AllowedFor(*(purposes or (TWO_FACTOR,))))


@pytest.mark.parametrize("given", [SECRET, box()], ids=["plain", "boxed"])
@pytest.mark.parametrize("container", CONTAINERS)
def test_a_box_in_any_container(container: str, given: Any) -> None:
    """A box in a dataclass or TypedDict would be no box, or one that never opens."""
    sealed = CONTAINERS[container](given)
    assert type(sealed) is Sealed
    assert SECRET not in repr(sealed)
    with pytest.raises(NoActivePurpose):
        sealed.open()
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        sealed.open()
    with purpose_scope(TWO_FACTOR):
        assert sealed.open() == SECRET


@pytest.mark.parametrize("adapter", [Model, Tagged, PydanticDataclass, Dataclass, Dict], ids=lambda c: c.__name__)
def test_a_dump_of_a_box_is_a_read(adapter: Any) -> None:
    """A dump would write what the box keeps (R1), or fail where it may be read."""
    adapter = TypeAdapter(adapter)
    thing = adapter.validate_python({"phone": SECRET})
    for dump in (adapter.dump_python, adapter.dump_json):
        with purpose_scope(ADVERTISING), pytest.raises((PurposeViolation, PydanticSerializationError)) as caught:
            dump(thing)
        assert "may not be read" in str(caught.value)
        assert SECRET not in str(caught.value)
        with purpose_scope(TWO_FACTOR):
            assert SECRET in str(dump(thing))


def test_a_box_validates_what_goes_in() -> None:
    """A box would hold what its type does not allow."""
    adapter = TypeAdapter(Annotated[Sealed[int], AllowedFor(TWO_FACTOR)])
    with purpose_scope(TWO_FACTOR):
        assert adapter.validate_python("7").open() == 7
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(SECRET + "x")
    assert SECRET not in str(caught.value) + repr(caught.value.errors()) + caught.value.json()
    assert caught.value.errors()[0]["type"] == "int_parsing"


def test_of_takes_a_tag() -> None:
    """A purpose given in place of a tag would make a box that nothing opens, or everything."""
    for wrong in (TWO_FACTOR, "security", None, AllowedFor):
        with pytest.raises(TypeError, match="AllowedFor"):
            Sealed.of(SECRET, wrong)  # type: ignore[arg-type]


def test_of_a_box_joins() -> None:
    """Boxing a box again, with a wider tag, would open it (R8)."""
    again = Sealed.of(box(SECRET, TWO_FACTOR), AllowedFor(SECURITY, ADVERTISING))
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        again.open()
    with purpose_scope(RECOVERY), pytest.raises(PurposeViolation):
        again.open()
    with purpose_scope(TWO_FACTOR):
        assert again.open() == SECRET


def test_there_is_no_other_way_in() -> None:
    """A second public name would be a way round the first (point 5: open, map, join, policy; of makes one)."""
    public = {name for name in dir(box()) if not name.startswith("_")}
    assert public == {"open", "map", "join", "policy", "of"}
    assert not hasattr(box(), "__dict__")
    with pytest.raises(AttributeError):
        box().value
    with pytest.raises(AttributeError):
        box().policy = None
    with pytest.raises(AttributeError):
        box().anything = 1


def test_a_box_without_contents_is_not_made_by_hand() -> None:
    """``Sealed("x")`` or ``Sealed()`` would be a box without a policy, and break where it is shown (R6, R9)."""
    with pytest.raises(TypeError):
        Sealed(SECRET)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        repr(Sealed())


def test_a_subclass_is_refused() -> None:
    """A subclass of Sealed would be taken for no box by what looks for boxes, and stay open."""
    with pytest.raises(TypeError):
        type("Mine", (Sealed,), {})


def test_policy_is_no_read() -> None:
    """Asking what a box is for would need to be for it."""
    denials: list[Any] = []
    with configure(on_violation=denials.append):
        assert box(SECRET, TWO_FACTOR).policy is Policy([TWO_FACTOR])
    assert denials == []


def test_map_reads_and_keeps_the_policy() -> None:
    """What is made of a number would be readable where the number is not (R8)."""
    with pytest.raises(NoActivePurpose):
        box().map(len)
    called: list[str] = []
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        box().map(called.append)
    assert called == [], "the function saw the value before the read was allowed"
    with purpose_scope(TWO_FACTOR):
        last = box().map(lambda phone: phone[-4:])
        assert last.open() == SECRET[-4:]
    assert last.policy is box().policy
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        last.open()


def test_map_to_a_box_does_not_nest_or_widen() -> None:
    """A function that returns a box would give a box in a box, with the outer policy alone (R8)."""
    with purpose_scope(TWO_FACTOR):
        inner = box(SECRET, SECURITY).map(lambda _: box("x", TWO_FACTOR))
        assert inner.open() == "x"
    with purpose_scope(RECOVERY), pytest.raises(PurposeViolation):
        inner.open()


def test_join_allows_what_every_source_allows() -> None:
    """Two pieces of data put together would be readable for the wider of both (R8)."""
    with purpose_scope(TWO_FACTOR):
        both = Sealed.join("{}{}".format, box("a", SECURITY), box("b", TWO_FACTOR, ADVERTISING))
        assert both.open() == "ab"
    assert both.policy is Policy([TWO_FACTOR])
    for purpose in (RECOVERY, ADVERTISING):
        with purpose_scope(purpose), pytest.raises(PurposeViolation):
            both.open()


def test_join_asks_for_every_box_before_it_opens_one() -> None:
    """The function would see one value though another is refused."""
    called: list[Any] = []
    with purpose_scope(SECURITY), pytest.raises(PurposeViolation):
        Sealed.join(lambda *values: called.append(values), box("a", SECURITY), box("b", TWO_FACTOR))
    assert called == []


def test_join_of_nothing_in_common() -> None:
    """A join that nobody may read would be readable, or its error would not say why (R8)."""
    boxes = box("a", SECURITY), box("b", ADVERTISING)
    with configure(mode="observe"), purpose_scope(SECURITY):
        both = Sealed.join("{}{}".format, *boxes)
    assert both.policy.allowed == frozenset()
    with purpose_scope(SECURITY), pytest.raises(PurposeViolation, match="nothing"):
        both.open()


@pytest.mark.parametrize("boxes", [(), ("x",), (box(), "x")], ids=["none", "text", "box and text"])
def test_join_takes_boxes(boxes: Any) -> None:
    """A join of nothing would have no policy."""
    with purpose_scope(TWO_FACTOR), pytest.raises(TypeError, match="Sealed"):
        Sealed.join(print, *boxes)


def test_an_error_in_a_mapped_function_is_its_own() -> None:
    """A bug in the function would look like a denial."""
    with purpose_scope(TWO_FACTOR), pytest.raises(ZeroDivisionError):
        box().map(lambda _: 1 / 0)


def test_absence_in_a_box() -> None:
    """Whether there is a number would be told by how its box looks (R1)."""
    empty = box(None)
    assert repr(empty) == repr(box())
    with pytest.raises(NoActivePurpose):
        bool(empty)
    with purpose_scope(TWO_FACTOR):
        assert empty.open() is None
        assert not empty


def test_a_box_names_its_field() -> None:
    """A denial would not say which field it is about."""
    for sealed, name in ((Model(phone=SECRET).phone, "Model.phone"), (box(), "Sealed")):
        with pytest.raises(NoActivePurpose) as caught:
            sealed.open()
        assert caught.value.field == name


def test_boxes_compare_only_where_both_are_open() -> None:
    """A list of uploaded numbers could be matched against a box by someone who may read only one side (R1)."""
    one, two = box(SECRET, SECURITY), box(SECRET, TWO_FACTOR)
    with purpose_scope(SECURITY):
        for compare in (lambda: one == two, lambda: two == one, lambda: one < two, lambda: one in [two]):
            with pytest.raises(PurposeViolation):
                compare()
    with purpose_scope(TWO_FACTOR):
        assert one == two
        assert {one: 1}[two] == 1


def test_signatures_do_not_hide() -> None:
    """Help and completion would show the machinery in place of the box."""
    assert list(inspect.signature(Sealed.open).parameters) == ["self"]
    assert Sealed.__doc__
    assert Sealed.open.__doc__
