"""A dump of a tagged model is the dump of the same model without tags, whichever road it takes (R1, R10, R12).

Three kinds of dump stand behind one call: a *scalar* is handed over by a plain function, a *container* of scalars by a
wrap function, and a model with anything else under a tag is written out from a view of it, the *exact* road. Before
pydantic 2.13 every model takes the exact one.

Pydantic writes out what a function hands over a little differently. A tagged model differs from the plain one in the
same way and in no other: where their dumps differ, it is held against the plain model with a serializer that does
nothing but pass its value on. `KNOWN` says which differences there are.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from dumps import (
    ARGUMENTS,
    CONFIGS,
    DAY,
    FEW,
    FIELDS,
    HOME,
    ONLY_EXACT,
    TAG,
    Address,
    Unwritable,
    differs,
    kind_of,
    models,
    outcome,
    thing,
    value_of,
    writers,
)
from purposes import ADVERTISING, TWO_FACTOR
from pydantic import (
    BaseModel,
    Field,
    RootModel,
    TypeAdapter,
    computed_field,
    field_serializer,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticSerializationError

from purposebind import (
    NoActivePurpose,
    PurposeModel,
    PurposeRootModel,
    PurposeViolation,
    configure,
    purpose_scope,
)

NOT_A_NUMBER = "by mode='json' pydantic leaves nan and inf as they are, but not in what a function handed over"
SAME_KEYS = "keys that are the same in JSON are written once, since what a wrap serializer hands over is a dict"
ITERATORS = "an iterator is wrapped once more on its way through a function"
KNOWN = {
    "float, nan": NOT_A_NUMBER,  # before pydantic 2.13
    "optional float, inf": NOT_A_NUMBER,  # before pydantic 2.13
    "list of floats": NOT_A_NUMBER,
    "dict, inf": NOT_A_NUMBER,
    "TypedDict": NOT_A_NUMBER,
    "NamedTuple": NOT_A_NUMBER,
    "dict with keys 1 and '1'": SAME_KEYS,
    "iterable": ITERATORS,
}
"""Where a dump that succeeds differs, and why. An error may always say that it went through a function."""


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("field", FIELDS)
def test_dumps_are_pydantics(field: str, config: str) -> None:
    """A tag would change what a service answers: a key, a number, what is left out, or whether it answers at all."""
    kind, annotation, _ = FIELDS[field]
    pair = models(annotation, CONFIGS[config])
    if config == "default":  # use_enum_values puts a serializer on an enum
        assert kind_of(pair[0]) == ("exact" if ONLY_EXACT else kind)
    differ = [
        arguments
        for arguments in (ARGUMENTS if config == "default" else FEW)
        for write in writers(arguments)
        if differs(write, lambda model: model(f=value_of(field)), pair)
    ]
    assert field in KNOWN or differ == []
    if config == "default" and kind_of(pair[0]) != "scalar" and not ONLY_EXACT:
        assert differ or field not in KNOWN, "this is not true any more, and should be taken out"


# What a class has beside the type of its tagged field.
CLASSES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "field_serializer": lambda: models(list[str], doubled=field_serializer("f")(lambda self, value: value * 2)),
    "field_serializer, wrap": lambda: models(
        list[str], doubled=field_serializer("f", mode="wrap")(lambda self, value, write: write(value * 2))
    ),
    "model_serializer": lambda: models(list[str], all=model_serializer(lambda self: {"all": self.f})),
    "model_serializer, wrap": lambda: models(
        list[str], all=model_serializer(mode="wrap")(lambda self, write: {**write(self), "more": self.f})
    ),
    "json_encoders": lambda: models(list[str], {"json_encoders": {str: str.upper}}),
    "exclude_if": lambda: models(Annotated[list[str], Field(exclude_if=lambda value: value == ["a", "b"])]),
    "exclude_if, which does not hold": lambda: models(Annotated[list[str], Field(exclude_if=lambda value: not value)]),
    "excluded": lambda: models(Annotated[list[str], Field(exclude=True)]),
    "computed field": lambda: models(list[str], all=computed_field(property(first))),
    "extra": lambda: models(list[str], {"extra": "allow"}),
}
FAST_CLASSES = {"excluded", "computed field", "extra"}


def first(self: Any) -> str:
    return str(self.f[0])


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.filterwarnings("ignore:`json_encoders` is deprecated")
def test_dumps_of_classes_are_pydantics(name: str) -> None:
    """A serializer of the user's would be left out, run twice, or be given what is sealed (R10)."""
    pair = CLASSES[name]()
    assert kind_of(pair[0]) == ("container" if name in FAST_CLASSES and not ONLY_EXACT else "exact")
    for arguments in ARGUMENTS:
        for write in writers(arguments):
            assert not differs(write, lambda model: model(f=["a", "b"]), pair), arguments


def test_dumps_of_root_models_are_pydantics() -> None:
    """A root would be dumped with its box around it."""
    tagged = PurposeRootModel[Annotated[list[str], TAG]](["a", "b"])
    plain = RootModel[list[str]](["a", "b"])
    with purpose_scope(TWO_FACTOR):
        for arguments in [*FEW, {"exclude": {0}}, {"include": {0}}]:
            for write in writers(arguments):
                assert write(tagged) == write(plain)


KINDS: dict[str, tuple[Any, Any]] = {
    "scalar": (str, "a"),
    "container": (list[str], ["a", "b"]),
    "exact": (list[Address], [HOME]),
}


@pytest.mark.parametrize("given", ["nothing", "the default", "another"])
@pytest.mark.parametrize("kind", KINDS)
def test_defaults_are_left_out_as_by_pydantic(kind: str, given: str) -> None:
    """A default would be written out where defaults are not wanted, or a value lost that is none."""
    annotation, value = KINDS[kind]
    tagged = thing(PurposeModel, (Annotated[annotation, TAG], value))
    plain = thing(BaseModel, (annotation, value))
    values = {"nothing": {}, "the default": {"f": value}, "another": {"f": value * 2}}[given]
    for arguments in ARGUMENTS:
        for write in writers(arguments):
            assert not differs(write, lambda model: model(**values), (tagged, plain)), arguments


@pytest.mark.parametrize("field", FIELDS)
def test_schemas_are_pydantics(field: str) -> None:
    """A client made from the schema would expect another type, or another default, than is sent."""
    for default in (..., value_of(field)):
        tagged = thing(PurposeModel, (Annotated[FIELDS[field][1], TAG], default))
        plain = thing(BaseModel, (FIELDS[field][1], default))
        for mode in ("validation", "serialization"):
            assert outcome(described, tagged, mode) == outcome(described, plain, mode), mode


def described(model: Any, mode: Any) -> dict[str, Any]:
    schema: dict[str, Any] = model.model_json_schema(mode=mode)
    schema["properties"]["f"].pop("x-purposes", None)
    return schema


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_dumped_while_it_is_validated(kind: str) -> None:
    """A validator that looks at its model as a whole would be refused what it was given (R10)."""
    annotation, value = KINDS[kind]
    seen = []

    def look(self: Any) -> Any:
        seen.append([write(self) for write in writers({})])
        return self

    for model in models(annotation, look=model_validator(mode="after")(look)):
        model(f=value)
    assert seen[0] == seen[1]


# --- What is refused, and what is not read ----------------------------------------------------------------------------


def by_adapter(model: Any) -> bytes:
    return TypeAdapter(list[type(model)]).dump_json([model])


@pytest.mark.parametrize("field", [field for field, (_, _, value) in FIELDS.items() if value is not None])
def test_dumps_are_refused(field: str) -> None:
    """Data given for two-factor would reach advertising, by the type of its field (R1, R12)."""
    tagged, _ = models(FIELDS[field][1])
    subject = tagged(f=value_of(field))
    for arguments in FEW:
        for write in writers(arguments):
            with pytest.raises(NoActivePurpose):
                write(subject)
            with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
                write(subject)
    with purpose_scope(ADVERTISING), pytest.raises(PydanticSerializationError, match="may not be read"):
        by_adapter(subject)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "arguments",
    [
        {"exclude": {"f"}},
        {"exclude": {"f": True}},
        {"include": {"handle"}},
        {"include": {"handle"}, "serialize_as_any": True},
        {"exclude_unset": True},
    ],
    ids=repr,
)
def test_what_is_left_out_is_not_read(kind: str, arguments: dict[str, Any]) -> None:
    """A record would say that data was used which was not, or a harmless dump would be refused (R1)."""
    annotation, value = KINDS[kind]
    tagged = thing(PurposeModel, (Annotated[annotation, TAG], value))
    subject = tagged(handle="ada") if "exclude_unset" in arguments else tagged(f=value, handle="ada")
    reads: list[Any] = []
    denials: list[Any] = []
    with configure(on_read=reads.append, on_violation=denials.append):
        for purpose in (TWO_FACTOR, ADVERTISING):
            for write in writers(arguments):
                with purpose_scope(purpose):
                    assert write(subject) in ({"handle": "ada"}, '{"handle":"ada"}')
    assert reads == denials == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_that_is_never_written_is_not_read(kind: str) -> None:
    """The same, for a field that its class leaves out (R1)."""
    annotation, value = KINDS[kind]
    subject = thing(PurposeModel, (Annotated[annotation, TAG, Field(exclude=True)], value))()
    reads: list[Any] = []
    with configure(on_read=reads.append), purpose_scope(ADVERTISING):
        assert [write(subject) for write in writers({})] == ['{"handle":"ada"}', *[{"handle": "ada"}] * 2]
    assert reads == []


@pytest.mark.parametrize("arguments", [{}, {"exclude": {"f": {0}}}, {"include": {"f": {1}}}], ids=repr)
@pytest.mark.parametrize("kind", KINDS)
def test_a_part_is_a_read_of_the_whole(kind: str, arguments: dict[str, Any]) -> None:
    """Leaving out one phone number of two would leave no record of the other, or two of it (R1)."""
    annotation, value = KINDS[kind]
    subject = models(annotation)[0](f=value)
    for write in writers(arguments):
        reads: list[Any] = []
        with configure(on_read=reads.append), purpose_scope(TWO_FACTOR):
            write(subject)
        assert [read.field for read in reads] == ["Thing.f"]


@pytest.mark.parametrize("field", FIELDS)
def test_what_was_put_there_raw_is_dumped_and_refused_all_the_same(field: str) -> None:
    """Data poked into ``__dict__`` would be open to every purpose, or lost to its own (R1)."""
    pair = models(FIELDS[field][1])

    def raw(model: Any) -> Any:
        subject = model(f=value_of(field))
        with purpose_scope(TWO_FACTOR):
            subject.__dict__["f"] = subject.f
        return subject

    for write in (*writers({}), by_adapter):
        assert not differs(write, raw, pair) or field in KNOWN
        if value_of(field) is not None:
            subject = raw(pair[0])
            refusal = PydanticSerializationError if write is by_adapter else PurposeViolation
            with purpose_scope(ADVERTISING), pytest.raises(refusal, match="may not be read"):
                write(subject)


# --- What goes wrong --------------------------------------------------------------------------------------------------


class Zone(datetime.tzinfo):
    """One that has a mistake in it."""

    asked = 0

    def utcoffset(self, when: Any) -> Any:
        Zone.asked += 1
        return self.offset  # type: ignore[attr-defined]


def missing_attribute(value: Any) -> Any:
    return value.nothing


def missing_key(value: Any) -> Any:
    return {}[value]


WRONG: dict[str, tuple[Any, Any]] = {
    "scalar": (uuid.UUID, Unwritable()),
    "list": (list[uuid.UUID], Unwritable()),
    "list item": (list[uuid.UUID], [Unwritable()]),
    "str in a list": (list[uuid.UUID], ["a"]),
    "dict value": (dict[str, int], {"k": Unwritable()}),
    "dict key": (dict[str, int], {Unwritable(): 1}),
    "optional": (list[str] | None, Unwritable()),
    "exact": (list[Address], [Unwritable()]),
}


@pytest.mark.parametrize("fallback", [None, repr, missing_attribute, missing_key])
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_not_of_its_type_fails_or_falls_back_as_in_pydantic(wrong: str, fallback: Any) -> None:
    """A mistake in the data would come out as another one, or not at all."""
    annotation, value = WRONG[wrong]
    pair = models(annotation)
    arguments = {} if fallback is None else {"fallback": fallback}
    for write in writers(arguments):
        assert not differs(write, lambda model: model.model_construct(f=value), pair)


@pytest.mark.parametrize("annotation", [datetime.datetime, list[datetime.datetime], list[datetime.datetime | Address]])
def test_an_attribute_error_while_writing_is_not_taken_for_a_missing_box(annotation: Any) -> None:
    """A mistake in a type of the user's would be hidden, and the value asked for or written twice (R12)."""
    pair = models(annotation)
    when = DAY.replace(tzinfo=Zone())
    value = when if annotation is datetime.datetime else [when]
    for write in writers({}):
        assert not differs(write, lambda model: model.model_construct(f=value), pair)
    asked = []
    reads: list[Any] = []
    for model in pair:
        Zone.asked = 0
        with configure(on_read=reads.append), purpose_scope(TWO_FACTOR), pytest.raises(Exception, match="no attribute"):
            model.model_construct(f=value).model_dump_json()
        asked.append(Zone.asked)
    assert asked[0] == asked[1]
    assert len(reads) == 1
