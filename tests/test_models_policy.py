"""What a tag may say and where it may stand: R8, R9, the JSON schema, and moving a value from one model to another."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated, Any, ClassVar, Generic, Optional, TypeVar, Union

import pydantic
import pytest
from purposes import ADVERTISING, RECOVERY, SECRET, SECURITY, TWO_FACTOR
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, TypeAdapter, create_model
from typing_extensions import TypedDict

from purposebind import (
    AllowedFor,
    PolicyError,
    PurposeModel,
    PurposeRootModel,
    PurposeViolation,
    Sealed,
    SubjectId,
    purpose_scope,
)

T = TypeVar("T")
TAG = AllowedFor(TWO_FACTOR)
Phone = Annotated[str, TAG]


# --- R9: a tag that protects nothing ----------------------------------------------------------------------------------


def on_a_base_model() -> Any:
    class Thing(BaseModel):
        phone: Phone

    return Thing


def on_an_optional_of_a_base_model() -> Any:
    class Thing(BaseModel):
        phone: Optional[Phone] = None  # noqa: UP045

    return Thing


def on_a_dataclass() -> Any:
    @pydantic.dataclasses.dataclass
    class Thing:
        phone: Phone

    return Thing


def on_a_standard_dataclass() -> Any:
    @dataclasses.dataclass
    class Thing:
        phone: Phone

    return TypeAdapter(Thing)


def on_a_typed_dict() -> Any:
    class Thing(TypedDict):
        phone: Phone

    return TypeAdapter(Thing)


def on_an_argument() -> Any:
    @pydantic.validate_call
    def call(phone: Phone) -> None:
        pass

    return call


def in_a_dataclass_of_a_purpose_model() -> Any:
    @dataclasses.dataclass
    class Inner:
        phone: Phone

    class Thing(PurposeModel):
        inner: Inner

    return Thing


def on_a_class_var() -> Any:
    class Thing(PurposeModel):
        phone: ClassVar[Phone] = "x"

    return Thing


def on_a_private_attribute() -> Any:
    class Thing(PurposeModel):
        _phone: Phone = PrivateAttr("x")

    return Thing


def on_a_computed_field() -> Any:
    class Thing(PurposeModel):
        @pydantic.computed_field
        def phone(self) -> Phone:
            return SECRET

    return Thing


def on_extra_values() -> Any:
    class Thing(PurposeModel):
        model_config = ConfigDict(extra="allow")
        __pydantic_extra__: dict[str, Phone]

    return Thing


def field_of(annotation: Any) -> Any:
    return lambda: create_model("Thing", __base__=PurposeModel, phones=(annotation, ...))


OPEN: dict[str, Any] = {
    "BaseModel": on_a_base_model,
    "Optional on a BaseModel": on_an_optional_of_a_base_model,
    "RootModel": lambda: pydantic.RootModel[Phone],
    "pydantic dataclass": on_a_dataclass,
    "dataclass": on_a_standard_dataclass,
    "TypedDict": on_a_typed_dict,
    "TypeAdapter": lambda: TypeAdapter(Phone),
    "TypeAdapter of a list": lambda: TypeAdapter(list[Phone]),
    "validate_call": on_an_argument,
    "dataclass in a PurposeModel": in_a_dataclass_of_a_purpose_model,
    "ClassVar": on_a_class_var,
    "private attribute": on_a_private_attribute,
    "computed field": on_a_computed_field,
    "extra values": on_extra_values,
    "list item": field_of(list[Phone]),
    "list item, optional": field_of(list[Optional[Phone]]),  # noqa: UP045
    "dict value": field_of(dict[str, Phone]),
    "dict key": field_of(dict[Phone, str]),
    "set item": field_of(set[Phone]),
    "tuple item": field_of(tuple[int, Phone]),
    "nested list": field_of(Annotated[list[list[Phone]], Field(min_length=1)]),
    "union with a list": field_of(Union[str, list[Phone]]),  # noqa: UP007
}


@pytest.mark.parametrize("place", OPEN)
def test_a_tag_that_protects_nothing_is_refused(place: str) -> None:
    """Somebody would believe a field protected that is open (R9)."""
    with pytest.raises(PolicyError) as caught:
        OPEN[place]()
    message = str(caught.value)
    assert "PurposeModel" in message
    assert "Sealed" in message, "the second way out is not named"


@pytest.mark.parametrize(
    "annotation",
    [
        Optional[Phone],  # noqa: UP045
        Union[Phone, None],  # noqa: UP007
        Annotated[Optional[str], TAG],  # noqa: UP045
        Annotated[Phone, Field(min_length=1)],
        Annotated[list[str], TAG],
        list[Annotated[Sealed[str], TAG]],
        dict[str, Annotated[Sealed[str], TAG]],
        Annotated[Sealed[str], TAG],
    ],
    ids=str,
)
def test_a_tag_that_protects_is_taken_wherever_it_is_written(annotation: Any) -> None:
    """A tag under Optional or in metadata would be overlooked, and the field be open (R9)."""
    cls = create_model("Thing", __base__=PurposeModel, phone=(annotation, ...))
    given: Any = [SECRET] if "list" in str(annotation) else {"k": SECRET} if "dict" in str(annotation) else SECRET
    thing = cls(phone=given)
    assert SECRET not in repr(thing) + repr(vars(thing))
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        thing.model_dump()
    with purpose_scope(TWO_FACTOR):
        assert thing.model_dump() == {"phone": given}


def test_half_sealed_unions_are_refused() -> None:
    """``Sealed[str] | int`` under one tag would leave the number open (R9)."""
    with pytest.raises(PolicyError, match="Seal both"):
        field_of(Annotated[Union[Sealed[str], int], TAG])()  # noqa: UP007


def test_sealed_without_a_tag_is_refused() -> None:
    """A box without a policy would open for everybody, or nobody (R9)."""
    with pytest.raises(PolicyError, match="AllowedFor"):
        field_of(Sealed[str])()
    with pytest.raises(PolicyError, match="AllowedFor"):
        TypeAdapter(Sealed[str])


# --- Bad input --------------------------------------------------------------------------------------------------------


def test_tags_with_mistakes() -> None:
    """A typing mistake in a tag would be found in production, by whom it does not protect."""
    with pytest.raises(PolicyError, match="no purpose"):
        AllowedFor()
    with pytest.raises(PolicyError, match="contradicts itself"):
        AllowedFor(TWO_FACTOR, never=[SECURITY])
    with pytest.raises(PolicyError, match="contradicts itself"):
        AllowedFor(TWO_FACTOR, never=[TWO_FACTOR])
    with pytest.raises(TypeError, match=r"Purpose\.find\('security'\)"):
        AllowedFor("security")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="list"):
        AllowedFor(SECURITY, never=TWO_FACTOR)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        AllowedFor(SECURITY, never=["advertising"])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        AllowedFor(None)  # type: ignore[arg-type]


def test_the_tag_class_in_place_of_a_tag_is_refused() -> None:
    """``Annotated[str, AllowedFor]``, with the arguments forgotten, would protect nothing (R9)."""
    with pytest.raises((PolicyError, TypeError)):
        field_of(Annotated[str, AllowedFor])()


def test_two_subjects_are_refused() -> None:
    """Nobody could say whose data was read."""
    with pytest.raises(PolicyError, match="one"):

        class Thing(PurposeModel):
            a: Annotated[int, SubjectId]
            b: Annotated[int, SubjectId()]


def test_a_second_subject_in_a_subclass_is_refused() -> None:
    """A subclass would count other people than its base (R9)."""

    class Base(PurposeModel):
        a: Annotated[int, SubjectId]
        phone: Phone

    with pytest.raises(PolicyError, match="SubjectId"):

        class Thing(Base):
            b: Annotated[int, SubjectId]


@pytest.mark.parametrize("word", ["Observe", "off", "", True, 1])
def test_purpose_mode_takes_two_words(word: Any) -> None:
    """A mode that is misspelt would silently enforce, or silently not."""
    with pytest.raises(ValueError, match="enforce"):
        type("Thing", (PurposeModel,), {"__annotations__": {}}, purpose_mode=word)


def test_a_tag_is_immutable_and_equal_to_its_like() -> None:
    """A tag could be widened after review."""
    with pytest.raises(AttributeError):
        TAG.policy = None  # type: ignore[assignment,misc]
    assert AllowedFor(TWO_FACTOR) == TAG
    assert hash(AllowedFor(TWO_FACTOR)) == hash(TAG)
    assert AllowedFor(SECURITY) != TAG
    assert repr(AllowedFor(SECURITY, never=[RECOVERY])) == "AllowedFor(security, never=[security.recovery])"


# --- R8: inheritance --------------------------------------------------------------------------------------------------


class Base(PurposeModel):
    phone: Annotated[str, AllowedFor(SECURITY)]


@pytest.mark.parametrize(
    "annotation",
    [str, Optional[str], Annotated[str, Field(max_length=20)], Any, Annotated[str, AllowedFor(SECURITY)]],  # noqa: UP045
    ids=str,
)
def test_a_field_redeclared_keeps_its_tag(annotation: Any) -> None:
    """Redeclaring a field, for a longer text say, would take its protection away (R8)."""
    cls = create_model("Thing", __base__=Base, phone=(annotation, ...))
    thing = cls(phone=SECRET)
    assert SECRET not in repr(vars(thing))
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        thing.phone
    with purpose_scope(RECOVERY):
        assert thing.phone == SECRET


def test_narrowing() -> None:
    """A subclass could not be stricter than its base, or would not be."""

    class Thing(Base):
        phone: Annotated[str, AllowedFor(TWO_FACTOR)]

    class Refusing(Base):
        phone: Annotated[str, AllowedFor(SECURITY, never=[RECOVERY])]

    for cls in (Thing, Refusing):
        with purpose_scope(TWO_FACTOR):
            assert cls(phone=SECRET).phone == SECRET
        with purpose_scope(RECOVERY), pytest.raises(PurposeViolation):
            cls(phone=SECRET).phone
    with purpose_scope(RECOVERY):
        assert Base(phone=SECRET).phone == SECRET


@pytest.mark.parametrize(
    "tag",
    [AllowedFor(ADVERTISING), AllowedFor(SECURITY, ADVERTISING), AllowedFor(TWO_FACTOR, ADVERTISING)],
    ids=repr,
)
@pytest.mark.parametrize("levels", [1, 2])
def test_widening_is_refused(tag: AllowedFor, levels: int) -> None:
    """A subclass in the advertising team's package would open the field for advertising (R8)."""
    base = Base if levels == 1 else create_model("Middle", __base__=Base, phone=(str, ...))
    with pytest.raises(PolicyError, match="advertising") as caught:
        create_model("Thing", __base__=base, phone=(Annotated[str, tag], ...))
    assert "narrow" in str(caught.value)
    assert "owns it" in str(caught.value)


def test_dropping_never_is_refused() -> None:
    """A refusal could be dropped by redeclaring (R8)."""

    class Refusing(PurposeModel):
        phone: Annotated[str, AllowedFor(SECURITY, never=[RECOVERY])]

    with pytest.raises(PolicyError, match="recovery"):

        class Thing(Refusing):
            phone: Annotated[str, AllowedFor(SECURITY)]


def test_a_tag_is_inherited_from_either_base() -> None:
    """With two bases the tag of the second would be lost (R8)."""

    class Open(PurposeModel):
        phone: str

    class Both(Open, Base):
        pass

    class Strict(PurposeModel):
        phone: Annotated[str, AllowedFor(TWO_FACTOR)]

    class Meet(Base, Strict):
        phone: str

    assert SECRET not in repr(vars(Both(phone=SECRET)))
    with purpose_scope(RECOVERY), pytest.raises(PurposeViolation):
        Meet(phone=SECRET).phone
    with purpose_scope(TWO_FACTOR):
        assert Meet(phone=SECRET).phone == SECRET


def test_an_instance_of_the_base_is_not_changed_by_a_subclass() -> None:
    """A model made before a subclass narrows the field would change under its users."""
    before = Base(phone=SECRET)

    class Thing(Base):
        phone: Annotated[str, AllowedFor(TWO_FACTOR)]

    with purpose_scope(RECOVERY):
        assert before.phone == Base(phone=SECRET).phone == SECRET


def test_generic_parameters_join_with_the_tag() -> None:
    """A parameter that is stricter than the field would be as open as the field (R8)."""

    class Box(PurposeModel, Generic[T]):
        value: Annotated[T, AllowedFor(SECURITY)]

    box = Box[Annotated[str, AllowedFor(TWO_FACTOR)]](value=SECRET)
    with purpose_scope(RECOVERY), pytest.raises(PurposeViolation):
        box.value
    with purpose_scope(TWO_FACTOR):
        assert box.value == SECRET


# --- Moving between models (R8) ---------------------------------------------------------------------------------------


class Wide(PurposeModel):
    phone: Annotated[str, AllowedFor(SECURITY, ADVERTISING)]


class Narrow(PurposeModel):
    phone: Annotated[str, AllowedFor(SECURITY)]


class Untagged(PurposeModel):
    phone: str


class Boxed(BaseModel):
    phone: Annotated[Sealed[str], AllowedFor(SECURITY, ADVERTISING)]


MOVES: dict[str, Any] = {
    "constructor": lambda box: Wide(phone=box),
    "model_validate": lambda box: Wide.model_validate({"phone": box}),
    "adapter": lambda box: TypeAdapter(list[Wide]).validate_python([{"phone": box}])[0],
    "plain parent": lambda box: create_model("P", item=(Wide, ...))(item={"phone": box}).item,  # type: ignore[attr-defined]
    "model_construct": lambda box: Wide.model_construct(phone=box),
    "model_copy": lambda box: Wide(phone="x").model_copy(update={"phone": box}),
    "assignment": lambda box: assigned(Wide(phone="x"), box),
    "validated assignment": lambda box: assigned(
        create_model("V", __base__=type("C", (Wide,), {"model_config": ConfigDict(validate_assignment=True)}))(
            phone="x",
        ),
        box,
    ),
    "__replace__": lambda box: Wide(phone="x").__replace__(phone=box),
    "root": lambda box: PurposeRootModel[Annotated[str, AllowedFor(SECURITY, ADVERTISING)]](box),
    "sealed field": lambda box: Boxed(phone=box),
}


def assigned(thing: Any, box: Any) -> Any:
    thing.phone = box
    return thing


def read(thing: Any) -> Any:
    value = thing.root if isinstance(thing, PurposeRootModel) else thing.phone
    return value.open() if type(value) is Sealed else value


@pytest.mark.parametrize("road", MOVES)
def test_a_box_stays_as_narrow_as_it_was(road: str) -> None:
    """Copying an account into the advertising team's model would open it for advertising (R8)."""
    with purpose_scope(ADVERTISING):
        moved = MOVES[road](vars(Narrow(phone=SECRET))["phone"])
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        read(moved)
    with purpose_scope(SECURITY):
        assert read(moved) == SECRET


def test_a_box_moved_into_a_narrower_field_is_narrow() -> None:
    """A field's own tag would not hold for what was moved into it (R8)."""
    moved = Narrow(phone=vars(Wide(phone=SECRET))["phone"])
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        moved.phone
    with purpose_scope(SECURITY):
        assert moved.phone == SECRET


def test_a_box_is_not_taken_for_an_untagged_text() -> None:
    """Moving a box into an untagged field would open it (R1)."""
    box = vars(Narrow(phone=SECRET))["phone"]
    with purpose_scope(ADVERTISING):
        with pytest.raises(pydantic.ValidationError) as caught:
            Untagged(phone=box)
        with pytest.raises(pydantic.ValidationError):
            create_model("P", phone=(str, ...))(phone=box)
    assert SECRET not in str(caught.value) + repr(caught.value.errors()) + caught.value.title


def test_a_moved_box_is_validated() -> None:
    """A box would carry a value past the checks of the model it moves into."""
    cls = create_model("Short", __base__=PurposeModel, phone=(Annotated[str, TAG, Field(max_length=3)], ...))
    with pytest.raises(pydantic.ValidationError, match="string_too_long"):
        cls(phone=vars(Narrow(phone=SECRET))["phone"])


# --- JSON schema ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_json_schema_names_the_purposes(mode: Any) -> None:
    """An API's documentation would not say what its fields are for, or be broken by the tag."""

    class Inner(PurposeModel):
        code: Annotated[int, AllowedFor(SECURITY, never=[RECOVERY])]

    class Thing(PurposeModel):
        handle: str
        phone: Annotated[str, TAG, Field(max_length=20, description="E.164")]
        maybe: Annotated[Optional[str], AllowedFor(SECURITY, ADVERTISING)] = None  # noqa: UP045
        codes: Annotated[list[int], TAG] = []  # noqa: RUF012
        inner: Inner

    schema = Thing.model_json_schema(mode=mode)
    assert schema["properties"]["phone"] == {
        "description": "E.164",
        "maxLength": 20,
        "title": "Phone",
        "type": "string",
        "x-purposes": ["security.two_factor"],
    }
    assert schema["properties"]["maybe"]["x-purposes"] == ["advertising", "security"]
    assert schema["properties"]["codes"]["x-purposes"] == ["security.two_factor"]
    assert "x-purposes" not in schema["properties"]["handle"]
    assert schema["$defs"]["Inner"]["properties"]["code"]["x-purposes-never"] == ["security.recovery"]
    assert schema["required"] == ["handle", "phone", "inner"]
    json.dumps(schema)


def test_json_schema_of_a_box_and_a_root() -> None:
    """A box or a root would lose its type, or its purposes, in an API's documentation."""
    assert TypeAdapter(Annotated[Sealed[str], TAG]).json_schema()["type"] == "string"
    assert Boxed.model_json_schema()["properties"]["phone"].get("x-purposes") == ["advertising", "security"]
    assert PurposeRootModel[Phone].model_json_schema()["x-purposes"] == ["security.two_factor"]
    assert TypeAdapter(list[Narrow]).json_schema()["$defs"]["Narrow"]["properties"]["phone"]["x-purposes"] == [
        "security",
    ]
