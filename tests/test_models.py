"""What pydantic's users do, with tagged fields: in the allowed scope it works as it does on a BaseModel (R10)."""

from __future__ import annotations

import copy
import datetime
import functools
import json
import pickle
import traceback
import types
from collections.abc import Iterator
from typing import Annotated, Any, Generic, Literal, Optional, TypeVar, Union

import pydantic
import pytest
from purposes import RECOVERY, SECRET, TWO_FACTOR
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    TypeAdapter,
    ValidationError,
    computed_field,
    create_model,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.functional_validators import ValidateAs
from pydantic_core import MISSING, PydanticSerializationError
from typing_extensions import TypeAliasType

from purposebind import AllowedFor, NoActivePurpose, PurposeModel, PurposeRootModel, Sealed, configure, purpose_scope

T = TypeVar("T")
TAG = AllowedFor(TWO_FACTOR)
Phone = Annotated[str, TAG]
PhoneAlias = TypeAliasType("PhoneAlias", Annotated[str, TAG])
GenericAlias = TypeAliasType("GenericAlias", Annotated[Optional[T], TAG], type_params=(T,))  # noqa: UP045
Words = TypeAliasType("Words", list[str])


class Point(BaseModel):
    x: int
    y: int = 0


class Later(PurposeModel):
    phone: Annotated[Unknown, TAG]  # noqa: F821


class Node(PurposeModel):
    phone: Phone
    next: Optional[Node] = None  # noqa: UP045
    children: list[Node] = []  # noqa: RUF012


class Cat(PurposeModel):
    kind: Literal["cat"]
    phone: Phone


class Dog(PurposeModel):
    kind: Literal["dog"]
    phone: Phone


@pytest.fixture
def allowed() -> Iterator[None]:
    with purpose_scope(TWO_FACTOR).across_yields():
        yield


def pair(annotation: Any, *metadata: Any, config: Any = None, default: Any = ...) -> tuple[Any, Any]:
    """The same model twice: tagged on PurposeModel, and untagged on BaseModel."""
    fields = {
        "handle": (str, "ada"),
        "value": (Annotated[(annotation, *metadata)] if metadata else annotation, default),
    }
    tagged = {**fields, "value": (Annotated[(annotation, *metadata, TAG)], default)}  # type: ignore[misc]
    config = config or ConfigDict()
    bases = type("TaggedBase", (PurposeModel,), {"model_config": config, "__module__": __name__}), None
    plain_base = type("PlainBase", (BaseModel,), {"model_config": config, "__module__": __name__})
    return (
        create_model("Thing", __base__=bases[0], **tagged),
        create_model("Thing", __base__=plain_base, **fields),
    )


TYPES: dict[str, tuple[Any, Any]] = {
    "str": (str, "x"),
    "int": (int, "7"),
    "bool": (bool, True),
    "bytes": (bytes, b"x"),
    "float": (float, 1.5),
    "date": (datetime.date, "2020-01-02"),
    "datetime": (datetime.datetime, "2020-01-02T03:04:05Z"),
    "optional, given": (Optional[str], "x"),  # noqa: UP045
    "optional, absent": (Optional[str], None),  # noqa: UP045
    "union": (Union[int, str], "x"),  # noqa: UP007
    "literal": (Literal["x"], "x"),
    "email": (pydantic.EmailStr, "ada@example.com"),
    "url": (pydantic.HttpUrl, "https://example.com/"),
    "secret": (pydantic.SecretStr, "x"),
    "list": (list[int], ["1", 2]),
    "set": (set[int], {1}),
    "frozenset": (frozenset[str], ["x"]),
    "tuple": (tuple[int, str], (1, "x")),
    "dict": (dict[str, int], {"x": "1"}),
    "any": (Any, {"x": [1]}),
    "nested model": (Point, {"x": 1}),
    "list of models": (list[Point], [{"x": 1}, {"x": 2, "y": 3}]),
    "dict of models": (dict[str, Point], {"k": {"x": 1}}),
    "alias type": (Words, ["x"]),
    "json": (pydantic.Json[list[int]], "[1]"),
}


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("kind", TYPES)
def test_every_type_is_validated_and_dumped_as_by_pydantic(kind: str) -> None:
    """A tag would change what a field accepts, holds or writes."""
    annotation, given = TYPES[kind]
    tagged, plain = pair(annotation)
    ours, theirs = tagged(value=given), plain(value=given)
    assert ours.value == theirs.value
    assert type(ours.value) is type(theirs.value)
    assert dict(ours) == dict(theirs)
    for options in (
        {},
        {"mode": "json"},
        {"exclude_none": True},
        {"exclude_defaults": True},
        {"exclude_unset": True},
        {"include": {"value"}},
        {"exclude": {"value"}},
        {"exclude": {"handle"}},
        {"round_trip": True},
    ):
        assert ours.model_dump(**options) == theirs.model_dump(**options), options
        options.pop("mode", None)
        assert ours.model_dump_json(**options) == theirs.model_dump_json(**options), options
    assert ours == tagged(value=given)
    assert ours.model_fields_set == theirs.model_fields_set
    assert pickle.loads(pickle.dumps(copy.deepcopy(ours).value)) == theirs.value


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("kind", ["list of models", "dict of models", "nested model", "dict", "list"])
def test_nested_include_and_exclude(kind: str) -> None:
    """A tagged container would ignore what is to be left out of it, and show it."""
    annotation, given = TYPES[kind]
    tagged, plain = pair(annotation)
    ours, theirs = tagged(value=given), plain(value=given)
    for part in ({"__all__": {"x"}}, {"k": {"x"}}, {"x"}, {0}, {"x": True}, {0: {"y"}}):
        for options in ({"include": {"value": part}}, {"exclude": {"value": part}}):
            try:
                expected = theirs.model_dump(**options)
            except TypeError:
                continue
            assert ours.model_dump(**options) == expected, options
            assert ours.model_dump_json(**options) == theirs.model_dump_json(**options), options


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("default", ["x", None], ids=repr)
def test_defaults(default: Any) -> None:
    """A default would be missing, open, or written where defaults are left out."""
    tagged, plain = pair(Optional[str], default=default)  # noqa: UP045
    ours, theirs = tagged(), plain()
    assert ours.value == default
    assert ours.model_dump(exclude_defaults=True) == theirs.model_dump(exclude_defaults=True) == {}
    assert ours.model_dump(exclude_unset=True) == {}
    assert ours.model_dump() == theirs.model_dump()
    assert tagged(value="y").model_dump(exclude_defaults=True) == {"value": "y"}


def test_a_default_is_sealed() -> None:
    """Everybody's default would stay open, and a factory's value with it (R1)."""

    class Thing(PurposeModel):
        one: Phone = SECRET
        two: Annotated[str, TAG, Field(default_factory=lambda: SECRET)]
        three: Annotated[str, TAG, Field(default_factory=lambda data: data["two"] + "!")]

    thing = Thing()
    assert SECRET not in repr(vars(thing))
    for name in ("one", "two", "three"):
        with pytest.raises(NoActivePurpose):
            getattr(thing, name)
    with purpose_scope(TWO_FACTOR):
        assert thing.model_dump() == {"one": SECRET, "two": SECRET, "three": SECRET + "!"}


def test_validators_see_plain_values() -> None:
    """A validator written for pydantic would find a box, or a denial, where the value was (R10)."""
    seen: dict[str, Any] = {}
    before = BeforeValidator(lambda value: seen.setdefault("before", value))
    factory = Field(default_factory=lambda data: seen.setdefault("factory", data["phone"]), validate_default=True)

    class Thing(PurposeModel):
        handle: str
        phone: Annotated[str, TAG, before]
        copied: Annotated[str, TAG, factory]
        _note: str = PrivateAttr("")

        @field_validator("phone")
        @classmethod
        def _field(cls, value: str) -> str:
            seen["field"] = value
            return value.strip()

        @field_validator("copied")
        @classmethod
        def _sibling(cls, value: str, info: pydantic.ValidationInfo) -> str:
            seen["info"] = info.data["phone"]
            return value

        @model_validator(mode="before")
        @classmethod
        def _before(cls, data: Any) -> Any:
            seen["model before"] = data["phone"]
            return data

        @model_validator(mode="wrap")
        @classmethod
        def _wrap(cls, data: Any, handler: Any) -> Any:
            made = handler(data)
            seen["model wrap"] = made.phone
            return made

        @model_validator(mode="after")
        def _after(self) -> Any:
            seen["model after"] = self.phone
            seen["dict in a validator"] = dict(self)["phone"]
            self.phone = self.phone + "!"
            return self

        def model_post_init(self, context: Any) -> None:
            seen["post init"] = self.phone

    for build in (
        lambda: Thing(handle="a", phone=SECRET),
        lambda: Thing.model_validate({"handle": "a", "phone": SECRET}),
        lambda: Thing.model_validate_json(json.dumps({"handle": "a", "phone": SECRET})),
        lambda: TypeAdapter(list[Thing]).validate_python([{"handle": "a", "phone": SECRET}])[0],
    ):
        seen.clear()
        thing = build()
        assert set(seen) == {
            *("before", "factory", "field", "info", "model before", "model wrap", "model after", "post init"),
            "dict in a validator",
        }
        assert {key: SECRET in value for key, value in seen.items()} == dict.fromkeys(seen, True)
        with pytest.raises(NoActivePurpose):
            thing.phone
        with purpose_scope(TWO_FACTOR):
            assert thing.phone == SECRET + "!"


@pytest.mark.usefixtures("allowed")
def test_serializers_see_plain_values() -> None:
    """A serializer written for pydantic would be handed a box (R10)."""

    class Thing(PurposeModel):
        one: Annotated[str, TAG, PlainSerializer(lambda v: v[-2:])]
        two: Phone
        three: Annotated[str, TAG]

        @field_serializer("two")
        def _two(self, value: str, info: pydantic.FieldSerializationInfo) -> str:
            return self.three + value[-2:]

        @field_serializer("three", mode="wrap", when_used="json")
        def _three(self, value: str, handler: Any) -> str:
            return handler(value) + "?"

    thing = Thing(one="abc", two="def", three="ghi")
    assert thing.model_dump() == {"one": "bc", "two": "ghief", "three": "ghi"}
    assert json.loads(thing.model_dump_json()) == {"one": "bc", "two": "ghief", "three": "ghi?"}


def test_a_model_serializer_sees_plain_values_and_is_a_read() -> None:
    """A model serializer would be handed boxes, or would be a way round (R1, R10)."""

    class Thing(PurposeModel):
        phone: Phone

        @model_serializer
        def _all(self) -> dict[str, str]:
            return {"tel": self.phone[-2:]}

    class Wrapped(PurposeModel):
        phone: Phone

        @model_serializer(mode="wrap")
        def _all(self, handler: Any) -> dict[str, str]:
            return {**handler(self), "tel": self.phone[-2:]}

    for cls, expected in ((Thing, {"tel": "31"}), (Wrapped, {"phone": SECRET, "tel": "31"})):
        thing = cls(phone=SECRET)
        with pytest.raises(NoActivePurpose):
            thing.model_dump()
        with pytest.raises(NoActivePurpose):
            thing.model_dump_json()
        with purpose_scope(TWO_FACTOR):
            assert thing.model_dump() == expected
            assert json.loads(thing.model_dump_json()) == expected


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("how", ["Dated[tagged]", "tagged parameter", "tag inside"])
def test_generic_models(how: str) -> None:
    """A model made by parametrisation would be open, or refuse what its argument accepts (R9)."""

    class Box(PurposeModel, Generic[T]):
        value: T

    class TaggedBox(PurposeModel, Generic[T]):
        value: Annotated[T, TAG]

    cls: Any = {"Dated[tagged]": Box[Phone], "tagged parameter": TaggedBox[str], "tag inside": TaggedBox[Phone]}[how]
    thing = cls(value=SECRET)
    assert type(vars(thing)["value"]) is Sealed
    assert thing.value == SECRET
    assert thing.model_dump() == {"value": SECRET}
    assert cls.model_validate_json(thing.model_dump_json()) == thing


def test_generic_origin_moves_into_its_parametrisation() -> None:
    """An instance of ``Box[Any]`` given where ``Box[str]`` is wanted would arrive open, or be refused (R1)."""

    class Box(PurposeModel, Generic[T]):
        value: Annotated[T, TAG]

    class Holder(BaseModel):
        box: Box[str]

    holder = Holder(box=Box[Any](value=SECRET))
    assert SECRET not in repr(vars(holder.box))
    with purpose_scope(TWO_FACTOR):
        assert holder.box.value == SECRET


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    "annotation",
    [PhoneAlias, GenericAlias[str], Annotated[Optional[PhoneAlias], Field()]],  # noqa: UP045
    ids=str,
)
def test_type_aliases(annotation: Any) -> None:
    """A tag in a type alias would be overlooked, and the field stay open (R9)."""
    cls = create_model("Aliased", __base__=PurposeModel, phone=(annotation, ...))
    thing = cls(phone=SECRET)
    assert type(vars(thing)["phone"]) is Sealed
    assert thing.model_dump() == {"phone": SECRET}  # type: ignore[attr-defined]


def test_forward_references_are_sealed_once_resolved() -> None:
    """A model finished later would be finished without its guards (R1)."""
    Later.model_rebuild(_types_namespace={"Unknown": str, "TAG": TAG, "Annotated": Annotated})
    later = Later(phone=SECRET)
    with pytest.raises(NoActivePurpose):
        later.phone
    with purpose_scope(TWO_FACTOR):
        assert later.phone == SECRET


def test_recursive_models_are_sealed_at_every_depth() -> None:
    """The inner nodes of a tree would stay open (R1)."""
    data = {
        "phone": SECRET,
        "next": {"phone": SECRET},
        "children": [{"phone": SECRET, "children": [{"phone": SECRET}]}],
    }
    for node in (Node(**data), Node.model_validate_json(json.dumps(data))):
        inner = [node, node.next, node.children[0], node.children[0].children[0]]
        for one in inner:
            assert SECRET not in repr(vars(one))
            with pytest.raises(NoActivePurpose):
                one.phone  # type: ignore[union-attr]
        with pytest.raises(NoActivePurpose):
            node.model_dump(exclude={"phone": True, "next": True, "children": {0: {"phone"}}})
        with purpose_scope(TWO_FACTOR):
            assert Node(**node.model_dump()) == node
            assert node.model_dump(exclude_unset=True) == data


@pytest.mark.usefixtures("allowed")
def test_discriminated_unions() -> None:
    """A union would no longer find its member, or leave it open."""
    pets = TypeAdapter(list[Annotated[Union[Cat, Dog], Field(discriminator="kind")]])  # noqa: UP007
    data = [{"kind": "cat", "phone": SECRET}, {"kind": "dog", "phone": "2"}]
    cat, dog = pets.validate_python(data)
    assert (type(cat), type(dog)) == (Cat, Dog)
    assert pets.dump_python([cat, dog]) == data
    assert pets.validate_json(pets.dump_json([cat, dog])) == [cat, dog]
    with pytest.raises(ValidationError, match="union_tag_invalid"):
        pets.validate_python([{"kind": "cow", "phone": SECRET}])


@pytest.mark.usefixtures("allowed")
def test_aliases() -> None:
    """A field known by another name outside would not be found, or be dumped under the wrong one."""

    class Thing(PurposeModel):
        model_config = ConfigDict(populate_by_name=True)
        one: Annotated[str, TAG, Field(alias="uno")]
        two: Annotated[str, TAG, Field(validation_alias=AliasChoices("due", "zwei"), serialization_alias="deux")]
        three: Annotated[str, TAG, Field(validation_alias=AliasPath("more", 0))]

    thing = Thing.model_validate({"uno": "1", "zwei": "2", "more": ["3"]})
    assert thing.model_dump() == {"one": "1", "two": "2", "three": "3"}
    assert thing.model_dump(by_alias=True) == {"uno": "1", "deux": "2", "three": "3"}
    assert Thing(one="1", two="2", three="3") == thing


@pytest.mark.usefixtures("allowed")
def test_extra_allow() -> None:
    """What a model takes along besides its fields would be lost."""

    class Thing(PurposeModel):
        model_config = ConfigDict(extra="allow")
        phone: Phone

    thing = Thing(phone=SECRET, colour="red")  # type: ignore[call-arg]
    assert thing.model_extra == {"colour": "red"}
    assert dict(thing) == thing.model_dump() == {"phone": SECRET, "colour": "red"}
    thing.size = 3
    assert copy.deepcopy(thing) == thing
    assert thing.model_copy(update={"colour": "blue"}).colour == "blue"


@pytest.mark.usefixtures("allowed")
def test_a_root_model() -> None:
    """A root that is tagged would be open, or no longer a root."""
    Number = PurposeRootModel[Phone]
    number = Number(SECRET)
    assert number.root == SECRET
    assert number.model_dump() == SECRET
    assert json.loads(number.model_dump_json()) == SECRET
    assert Number.model_validate(SECRET) == number
    assert SECRET not in repr(number)

    class Numbers(PurposeRootModel[Annotated[list[str], TAG]]):
        pass

    numbers = Numbers([SECRET])
    assert numbers.root == [SECRET]
    assert numbers.model_dump() == [SECRET]
    assert pickle.loads(pickle.dumps(numbers.root)) == [SECRET]


def test_missing_is_stored_bare() -> None:
    """A field that is absent would be dumped, or its absence be told to whoever asks (R1)."""

    class Thing(PurposeModel):
        phone: Annotated[Union[str, MISSING], TAG] = MISSING  # type: ignore[valid-type]  # noqa: UP007

    thing = Thing()
    assert thing.model_dump() == {}
    with pytest.raises(NoActivePurpose):
        thing.phone
    with purpose_scope(TWO_FACTOR):
        assert thing.phone is MISSING
        assert Thing(phone=SECRET).model_dump() == {"phone": SECRET}


def test_validate_as() -> None:
    """A model made from another type would not be sealed (R1)."""

    class Form(BaseModel):
        tel: str

    class Thing(PurposeModel):
        phone: Phone

    made = Annotated[Thing, ValidateAs(Form, lambda form: Thing(phone=form.tel))]
    thing = TypeAdapter(made).validate_python({"tel": SECRET})
    assert SECRET not in repr(vars(thing))
    with purpose_scope(TWO_FACTOR):
        assert thing.phone == SECRET


@pytest.mark.parametrize("defer", [True, False])
def test_defer_build(defer: bool) -> None:
    """A class whose schema is made at first use would be used before it has guards (R1)."""

    class Thing(PurposeModel):
        model_config = ConfigDict(defer_build=defer)
        phone: Phone

    for thing in (Thing.model_construct(phone=SECRET), Thing(phone=SECRET), Thing.model_validate({"phone": SECRET})):
        with pytest.raises(NoActivePurpose):
            thing.phone
        with pytest.raises(NoActivePurpose):
            thing.model_dump()
        assert SECRET not in repr(thing) + repr(vars(thing))


def test_deprecated_fields_warn_and_are_guarded() -> None:
    """Marking a field as deprecated would take its guard away (R1)."""

    class Thing(PurposeModel):
        phone: Annotated[str, TAG, Field(deprecated="use email")]

    thing = Thing(phone=SECRET)
    with pytest.warns(DeprecationWarning, match="use email"), pytest.raises(NoActivePurpose):
        thing.phone
    with pytest.warns(DeprecationWarning, match="use email"), purpose_scope(TWO_FACTOR):
        assert thing.phone == SECRET


def test_validate_assignment() -> None:
    """Assigning would skip the check, leave the value open, or lose which fields were set."""

    class Thing(PurposeModel):
        model_config = ConfigDict(validate_assignment=True)
        handle: str = "a"
        phone: Annotated[str, TAG, Field(max_length=20)] = "none"
        _note: str = PrivateAttr("kept")

        @model_validator(mode="after")
        def _check(self) -> Any:
            if self.phone == self.handle:
                raise ValueError("the same")
            return self

    thing = Thing()
    thing.phone = SECRET
    assert thing.model_fields_set == {"phone"}
    assert thing._note == "kept"
    assert SECRET not in repr(vars(thing))
    with pytest.raises(ValidationError, match="string_too_long"):
        thing.phone = SECRET * 2
    with pytest.raises(ValidationError, match="the same"):
        thing.handle = SECRET
    thing.handle = "b"
    with pytest.raises(NoActivePurpose):
        thing.phone
    with purpose_scope(TWO_FACTOR):
        assert thing.model_dump() == {"handle": "b", "phone": SECRET}


@pytest.mark.parametrize("when", ["never", "always", "subclass-instances"])
def test_revalidate_instances(when: Any) -> None:
    """A model that is validated again would be read, be opened, or come out empty (R1)."""

    class Thing(PurposeModel):
        model_config = ConfigDict(revalidate_instances=when)
        phone: Phone

    class SubThing(Thing):
        more: int = 1

    class Holder(BaseModel):
        thing: Thing

    for thing in (Thing(phone=SECRET), SubThing(phone=SECRET)):
        for moved in (Holder(thing=thing).thing, Thing.model_validate(thing)):
            assert SECRET not in repr(vars(moved))
            with pytest.raises(NoActivePurpose):
                moved.phone
            with purpose_scope(TWO_FACTOR):
                assert moved.phone == SECRET
            assert (moved is thing) == (when == "never" or (when == "subclass-instances" and type(thing) is Thing))


def test_private_attributes_are_the_named_escape() -> None:
    """What validators put into a private attribute is plain: if that changed, the threat model would be wrong (R10)."""

    class Thing(PurposeModel):
        phone: Phone
        _copy: str = PrivateAttr("")

        def model_post_init(self, context: Any) -> None:
            self._copy = self.phone

    assert Thing(phone=SECRET)._copy == SECRET


def test_computed_fields_and_cached_properties() -> None:
    """Something derived from a number would be readable where the number is not (R8)."""

    class Thing(PurposeModel):
        handle: str = "ada"
        phone: Phone

        @computed_field
        @functools.cached_property
        def last(self) -> str:
            return self.phone[-4:]

        @functools.cached_property
        def shout(self) -> str:
            return self.handle.upper()

    thing = Thing(phone=SECRET)
    assert thing.shout == "ADA"
    with purpose_scope(TWO_FACTOR):
        assert thing.last == SECRET[-4:]
        assert thing.model_dump()["last"] == SECRET[-4:]
    with pytest.raises(NoActivePurpose):
        thing.last
    with pytest.raises(NoActivePurpose):
        thing.model_dump(include={"last"})
    with pytest.raises(PydanticSerializationError, match="may not be read"):
        TypeAdapter(Any).dump_python(vars(thing)["last"])
    assert SECRET[-4:] not in repr(thing) + repr(vars(thing))
    assert thing.shout == "ADA"


def test_a_cached_property_computed_by_a_validator_is_not_remembered_open() -> None:
    """A validator that touches a cached property would leave its value open for everybody (R8, R10)."""

    class Thing(PurposeModel):
        phone: Phone

        @functools.cached_property
        def last(self) -> str:
            return self.phone[-4:]

        @model_validator(mode="after")
        def _check(self) -> Any:
            assert self.last
            return self

    thing = Thing(phone=SECRET)
    assert SECRET[-4:] not in repr(vars(thing))
    with pytest.raises(NoActivePurpose):
        thing.last
    with purpose_scope(TWO_FACTOR):
        assert thing.last == SECRET[-4:]


def test_a_cached_property_of_a_nested_model_is_sealed_too() -> None:
    """A summary of another model's tagged field would be remembered open (R8)."""

    class Outer(PurposeModel):
        node: Node

        @functools.cached_property
        def tel(self) -> str:
            return self.node.phone

    outer = Outer(node=Node(phone=SECRET))
    with purpose_scope(TWO_FACTOR):
        assert outer.tel == SECRET
    with pytest.raises(NoActivePurpose):
        outer.tel


@pytest.mark.usefixtures("allowed")
def test_create_model_and_its_bases() -> None:
    """A model made at run time would be open (R1)."""
    made = create_model("Made", __base__=Node, note=(str, "n"), tel=(Phone, ...))
    thing = made(phone=SECRET, tel="2")
    assert {name for name, value in vars(thing).items() if type(value) is Sealed} == {"phone", "tel"}
    assert thing.model_dump(include={"phone", "tel", "note"}) == {"phone": SECRET, "tel": "2", "note": "n"}


def test_from_attributes() -> None:
    """A row of an ORM would be taken over open, or a sealed model be read without asking (R1, R12)."""

    class Thing(PurposeModel):
        model_config = ConfigDict(from_attributes=True)
        phone: Phone

    thing = Thing.model_validate(types.SimpleNamespace(phone=SECRET))
    assert SECRET not in repr(vars(thing))

    class Other(PurposeModel):
        model_config = ConfigDict(from_attributes=True)
        phone: Optional[str] = "not given"  # noqa: UP045

    with pytest.raises(NoActivePurpose):
        Other.model_validate(thing)
    with purpose_scope(TWO_FACTOR):
        assert Other.model_validate(thing).phone == SECRET


def test_frozen_models_stay_frozen() -> None:
    """A guard would make a frozen field writable."""

    class Thing(PurposeModel):
        model_config = ConfigDict(frozen=True)
        phone: Phone

    thing = Thing(phone=SECRET)
    with pytest.raises(ValidationError, match="frozen_instance"):
        thing.phone = "x"
    with purpose_scope(TWO_FACTOR):
        assert {thing: 1}[Thing(phone=SECRET)] == 1


def test_a_pickle_comes_back_sealed() -> None:
    """A queue of another process would hand the number to whoever unpickles it (R1)."""
    with purpose_scope(TWO_FACTOR):
        data = pickle.dumps(Node(phone=SECRET, children=[Node(phone="2")]))
    node = pickle.loads(data)
    assert SECRET not in repr(vars(node))
    for one in (node, node.children[0]):
        with pytest.raises(NoActivePurpose):
            one.phone
    with purpose_scope(TWO_FACTOR):
        assert node == Node(phone=SECRET, children=[Node(phone="2")])


def test_models_without_tags_are_left_alone() -> None:
    """A service that moves its base class first would see a difference before it tags anything."""

    class Thing(PurposeModel):
        phone: str

    class Plain(BaseModel):
        phone: str

    thing = Thing(phone=SECRET)
    assert repr(thing) == f"Thing(phone='{SECRET}')"
    assert vars(thing) == {"phone": SECRET}
    assert Thing.model_json_schema() == {**Plain.model_json_schema(), "title": "Thing"}
    with pytest.raises(ValidationError) as caught:
        Thing(phone=1)  # type: ignore[arg-type]
    assert caught.value.errors()[0]["input"] == 1


def test_errors_still_say_where_and_what() -> None:
    """Withholding the value would withhold what the client has to change."""

    class Thing(PurposeModel):
        handle: int
        phone: Annotated[str, TAG, Field(max_length=3)]
        codes: Annotated[list[int], TAG]

    with pytest.raises(ValidationError) as caught:
        Thing(handle="x", phone=SECRET, codes=[1, "y"])  # type: ignore[arg-type,list-item]
    lines = [(line["type"], line["loc"]) for line in caught.value.errors()]
    assert lines == [("int_parsing", ("handle",)), ("string_too_long", ("phone",)), ("int_parsing", ("codes", 1))]
    assert caught.value.errors()[0]["input"] == "x"
    assert caught.value.errors()[1]["ctx"] == {"max_length": 3}
    assert caught.value.title == "Thing"


def test_deleting_a_tagged_field() -> None:
    """Removing the data, which a person may ask for, would fail or need its purpose."""
    node = Node(phone=SECRET)
    del node.phone
    assert "phone" not in vars(node)
    with purpose_scope(TWO_FACTOR), pytest.raises(AttributeError):
        node.phone


def test_recorded_traceback_of_the_exact_road_holds_nothing() -> None:
    """Where one of two fields may be read, the refusal of the other would show it in the traceback's locals (R7)."""

    class Thing(PurposeModel):
        one: Annotated[list[str], AllowedFor(TWO_FACTOR)]
        two: Annotated[list[str], AllowedFor(RECOVERY)]

    thing = Thing(one=[SECRET], two=["x"])
    for road in (thing.model_dump, thing.model_dump_json, lambda: thing == copy.deepcopy(thing)):
        with purpose_scope(TWO_FACTOR), pytest.raises(Exception, match="may not be read") as caught:
            road()
        report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        assert SECRET not in "".join(report.format())


def test_excluded_fields_are_dumped_without_a_read() -> None:
    """A model whose tagged fields are never written out could not be written out at all."""

    class Thing(PurposeModel):
        handle: str = "ada"
        phone: Annotated[str, TAG, Field(exclude=True)]

    class WithList(Thing):
        codes: Annotated[list[str], TAG, Field(exclude=True)] = []  # noqa: RUF012

    told: list[Any] = []
    with configure(on_violation=told.append):
        for thing in (Thing(phone=SECRET), WithList(phone=SECRET, codes=[SECRET])):
            assert thing.model_dump() == thing.model_dump(serialize_as_any=True) == {"handle": "ada"}
            assert json.loads(thing.model_dump_json()) == {"handle": "ada"}
            assert TypeAdapter(list[type(thing)]).dump_python([thing]) == [{"handle": "ada"}]  # type: ignore[misc]
    assert told == []


@pytest.mark.parametrize("given", [SECRET, "+4670"])
def test_exclude_if_sees_the_value_and_is_a_read(given: str) -> None:
    """Whether a field is left out tells something about it (R1); and the condition would be handed a box (R10)."""

    class Thing(PurposeModel):
        phone: Annotated[str, TAG, Field(exclude_if=lambda value: value == SECRET)]

    thing = Thing(phone=given)
    with pytest.raises(NoActivePurpose):
        thing.model_dump()
    with purpose_scope(TWO_FACTOR):
        assert thing.model_dump() == ({} if given == SECRET else {"phone": given})


def test_a_cached_property_that_makes_a_box_keeps_it() -> None:
    """The first use would be given a box, the second what is in it."""

    class Thing(PurposeModel):
        phone: Phone

        @functools.cached_property
        def last(self) -> Sealed[str]:
            box: Sealed[str] = vars(self)["phone"]
            return box.map(lambda phone: phone[-4:])

    thing = Thing(phone=SECRET)
    with purpose_scope(TWO_FACTOR):
        first, second = thing.last, thing.last
    assert type(first) is type(second) is Sealed
    assert SECRET[-4:] not in repr(thing) + repr(vars(thing))


@pytest.mark.parametrize("lists", [False, True], ids=["scalars", "with a list"])
def test_a_serialization_warning_as_an_error_does_not_hold_the_value(lists: bool) -> None:
    """A value of the wrong type would be written into the error that pydantic raises about it (R7)."""

    class Thing(PurposeModel):
        pin: Annotated[int, TAG]

    class WithList(Thing):
        codes: Annotated[list[int], TAG] = []  # noqa: RUF012

    thing = (WithList if lists else Thing).model_construct(pin=SECRET)
    with purpose_scope(TWO_FACTOR), pytest.raises(PydanticSerializationError, match="serializer warnings") as refused:
        thing.model_dump(warnings="error")
    assert SECRET not in str(refused.value)


def test_half_made_models_have_a_repr() -> None:
    """A traceback with locals would fail while a model is being made (R6)."""
    for cls in (Node, PurposeRootModel[Phone], PurposeRootModel[str]):
        assert repr(cls.__new__(cls)).endswith(")")
