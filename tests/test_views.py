"""`visible_to`: a model of just what a purpose may see."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model, field_serializer, model_serializer
from pydantic.alias_generators import to_camel

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    PolicyError,
    Purpose,
    PurposeModel,
    SubjectId,
    configure,
    purpose_scope,
)

CARE = Purpose("views_care", "Care for the patient")
NURSING = CARE.child("nursing", "Nurse the patient")
BILLS = Purpose("views_bills", "Send the bill")


class Visit(PurposeModel):
    day: str
    diagnosis: Annotated[str, AllowedFor(CARE)]


class Patient(PurposeModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    id: Annotated[int, SubjectId]
    full_name: str
    home_address: Annotated[str, AllowedFor(BILLS, CARE)] = Field(description="Where the bill goes")
    allergies: Annotated[list[str], AllowedFor(CARE, never=[NURSING])] = Field(default=[])
    visits: list[Visit] = Field(default=[])
    guardian: Patient | None = None

    @field_serializer("full_name", "allergies")
    def _upper(self, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value


def patient(**more: Any) -> Patient:
    visits = [Visit(day="Monday", diagnosis="flu")]
    return Patient(id=1, full_name="Ada", home_address="1 Main Street", allergies=["nuts"], visits=visits, **more)


def test_it_has_the_fields_that_the_purpose_may_see() -> None:
    """A response would hold what its reader may not, or leave out what they may."""
    assert list(Patient.visible_to(BILLS).model_fields) == ["id", "full_name", "home_address", "visits", "guardian"]
    assert "allergies" in Patient.visible_to(CARE).model_fields
    assert "allergies" not in Patient.visible_to(NURSING).model_fields
    assert "home_address" not in Patient.visible_to(NURSING, Purpose("views_ads", "Choose ads")).model_fields


def test_what_is_inside_is_viewed_too() -> None:
    """The diagnosis would reach the bill by way of the visit; or by the guardian's."""
    view = Patient.visible_to(BILLS)
    inner = view.model_fields["visits"].annotation.__args__[0]  # type: ignore[union-attr]
    assert list(inner.model_fields) == ["day"]
    sick = patient(guardian=patient())
    with purpose_scope(BILLS):
        told = view.model_validate(sick).model_dump(by_alias=True)
    visits = [{"day": "Monday"}]
    own = {"id": 1, "fullName": "ADA", "homeAddress": "1 Main Street", "visits": visits}
    assert told == {**own, "guardian": {**own, "guardian": None}}


def test_it_reads_nothing_that_it_does_not_show() -> None:
    """An address would be counted as read by a page that does not show it; or the page be refused for it."""
    fields: list[str] = []
    with configure(on_read=lambda read: fields.append(read.field)), purpose_scope(BILLS):
        TypeAdapter(list[Patient.visible_to(BILLS)]).validate_python([patient()], from_attributes=True)  # type: ignore[misc]
    assert fields == ["Patient.home_address"]


def test_making_one_allows_nothing() -> None:
    """A view for a purpose would be a way to read without stating it."""
    view = Patient.visible_to(BILLS)
    with pytest.raises(NoActivePurpose):
        view.model_validate(patient())
    with purpose_scope(BILLS):
        seen = view.model_validate(patient())
    with pytest.raises(NoActivePurpose):
        _ = seen.home_address  # type: ignore[attr-defined]
    with pytest.raises(NoActivePurpose):
        seen.model_dump_json()
    assert "1 Main" not in repr(seen)


def test_its_fields_go_by_the_models_names() -> None:
    """Who asks the ledger for Patient.home_address would not be told of what was read of its views."""
    fields: list[str] = []
    view = Patient.visible_to(BILLS)
    with configure(on_read=lambda read: fields.append(read.field)), purpose_scope(BILLS):
        view.model_validate(patient()).model_dump()
    assert fields == ["Patient.home_address", "Patient.home_address"]
    with pytest.raises(NoActivePurpose, match=r"Patient\.home_address may not be read"):
        _ = view.model_construct(home_address="1 Main Street").home_address  # type: ignore[attr-defined]


def test_it_is_a_model_like_any_other() -> None:
    """A framework's pages would show two models of one name, or none of what the fields mean."""
    view = Patient.visible_to(BILLS)
    assert view is Patient.visible_to(BILLS)
    assert view is not Patient.visible_to(CARE)
    assert (view.__name__, view.__module__) == ("PatientForViewsBills", __name__)
    assert Patient.visible_to(NURSING, BILLS).__name__ == "PatientForViewsBillsViewsCareNursing"
    schema = view.model_json_schema()
    assert schema["$defs"]["PatientForViewsBills"]["properties"]["homeAddress"] == {
        "title": "Homeaddress",
        "type": "string",
        "description": "Where the bill goes",
        "x-purposes": [BILLS.name, CARE.name],
    }
    assert issubclass(view, PurposeModel)


class Own(PurposeModel):
    value: Annotated[str, AllowedFor(CARE)]

    @model_serializer
    def _show(self) -> dict[str, Any]:
        return {"value": self.value}


class Holds(PurposeModel):
    plain: dict[str, BaseModel | None] = Field(default={})
    own: Own | None = None


def test_a_model_that_shows_itself_is_not_viewed() -> None:
    """Its serializer would read what the view left out, or fail at the first request."""
    with pytest.raises(PolicyError, match=r"Own says by a model_serializer how it is shown.*views_bills by hand"):
        Own.visible_to(BILLS)
    with pytest.raises(PolicyError, match="Own says"):
        Holds.visible_to(BILLS)


def test_what_makes_no_sense_is_refused() -> None:
    """A view for nobody would show what anybody may see, which is not what was meant."""
    with pytest.raises(PolicyError, match=r"Patient.visible_to\(\) names no purpose"):
        Patient.visible_to()
    with pytest.raises(TypeError, match="A purpose is a Purpose object"):
        Patient.visible_to("views_bills")  # type: ignore[arg-type]


def _tree(field: str) -> type[PurposeModel]:
    class Node(PurposeModel):
        inner: Node | None = None
        value: Annotated[str, AllowedFor(CARE)] = "x"

    return create_model(field, __base__=PurposeModel, node=(Node, ...))


def test_models_of_one_name_are_not_taken_for_one_another() -> None:
    """A view would hold the fields of a stranger that happens to be called the same."""
    for tree in (_tree("One"), _tree("Other")):
        node = tree.visible_to(BILLS).model_fields["node"].annotation
        assert node is not None
        assert node.model_fields["inner"].annotation == node | None
