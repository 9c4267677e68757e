"""R7 where an error is not the tagged field's own, and R9 where a class makes its own schema."""

from __future__ import annotations

import traceback
from typing import Annotated, Any

import pytest
from purposes import SECRET, TWO_FACTOR
from pydantic import TypeAdapter, ValidationError, field_validator
from pydantic_core import core_schema

from purposebind import AllowedFor, NoActivePurpose, PolicyError, PurposeModel, purpose_scope

TAG = AllowedFor(TWO_FACTOR)


class Mismatch(PurposeModel, validate_assignment=True):
    phone: Annotated[str, TAG]
    handle: str = "ada"

    @field_validator("handle")
    @classmethod
    def _check(cls, handle: str, info: Any) -> str:
        if handle == "quoting":
            raise ValueError(f"no match for {info.data['phone']}")
        if handle == "broken":
            raise RuntimeError("the validator itself is broken")
        return handle


def test_an_untagged_fields_validator_may_not_quote_a_tagged_one() -> None:
    """A validator that compares two fields would write the tagged one into the log (R7)."""
    facts = {"phone": SECRET, "handle": "quoting"}
    for validate in (
        lambda: Mismatch(**facts),
        lambda: Mismatch.model_validate(facts),
        lambda: Mismatch.model_validate_json(f'{{"phone": "{SECRET}", "handle": "quoting"}}'),
        lambda: setattr(Mismatch(phone=SECRET), "handle", "quoting"),
    ):
        with pytest.raises(ValidationError) as caught:
            validate()
        assert SECRET not in str(caught.value) + caught.value.json() + repr(caught.value.errors())
        assert caught.value.errors()[0]["loc"] == ("handle",)


def test_an_untagged_fields_own_message_stays() -> None:
    """An error that quotes nothing would be withheld, and nobody could mend the input."""
    with pytest.raises(ValidationError, match="Input should be a valid string") as caught:
        Mismatch(phone=SECRET, handle=7)  # type: ignore[arg-type]
    assert caught.value.errors()[0]["input"] == 7


def test_the_keys_of_a_tagged_mapping_are_its_data() -> None:
    """Shares by e-mail address would show the address as the place of an error (R7)."""

    class Shares(PurposeModel):
        by_email: Annotated[dict[str, int], TAG]

    with pytest.raises(ValidationError) as caught:
        Shares(by_email={"ada@example.com": "all"})  # type: ignore[dict-item]
    assert caught.value.errors()[0]["loc"] == ("by_email", "<withheld>")
    assert "ada@example.com" not in str(caught.value) + caught.value.json()


def test_our_frames_hold_no_input_whatever_a_validator_raises() -> None:
    """A broken validator's traceback with locals would show the input in frames of the library (R7)."""
    with pytest.raises(RuntimeError) as caught:
        Mismatch.model_validate({"phone": SECRET, "handle": "broken"})
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    ours = [frame for frame in frames if "/purposebind/" in frame.filename.replace("\\", "/")]
    assert ours
    assert SECRET not in "".join(str(frame.locals) for frame in ours)


def test_a_class_with_a_schema_hook_of_its_own_is_protected() -> None:
    """Overriding the hook without super() would leave the tags without effect, and nobody would know (R9)."""

    class Overriding(PurposeModel):
        phone: Annotated[str, TAG]

        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            return handler(source)

    class Around(PurposeModel):
        phone: Annotated[str, TAG]

        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            return core_schema.no_info_after_validator_function(lambda model: model, handler(source))

    class Calling(PurposeModel):
        phone: Annotated[str, TAG]

        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            return super().__get_pydantic_core_schema__(source, handler)

    class Heir(Overriding):
        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            return handler(source)

    for cls in (Overriding, Around, Calling, Heir):
        for model in (
            cls(phone=SECRET),
            cls.model_validate({"phone": SECRET}),
            TypeAdapter(cls).validate_python({"phone": SECRET}),
        ):
            assert SECRET not in repr(model) + repr(vars(model))
            with pytest.raises(NoActivePurpose):
                _ = model.phone
            with pytest.raises(NoActivePurpose):
                model.model_dump()
            with purpose_scope(TWO_FACTOR):
                assert model.phone == model.model_dump()["phone"] == SECRET


def test_a_class_that_replaces_the_schema_is_refused() -> None:
    """A schema without the model would leave the tags without effect (R9)."""
    with pytest.raises(PolicyError, match="Two ways out"):

        class Replacing(PurposeModel):
            phone: Annotated[str, TAG]

            @classmethod
            def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
                return core_schema.any_schema()
