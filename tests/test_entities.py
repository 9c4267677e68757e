"""What the core offers for models that another library makes and fills: open while built, sealed before and after."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR
from pydantic import ConfigDict, ValidationError, field_validator

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    PurposeModel,
    PurposeViolation,
    Sealed,
    SubjectId,
    entities,
    purpose_scope,
)
from purposebind.sealed import seal


class Account(PurposeModel):
    model_config = ConfigDict(validate_assignment=True)

    id: Annotated[int, SubjectId] = 0
    handle: str = ""
    phone: Annotated[str, AllowedFor(TWO_FACTOR)] = ""
    email: Annotated[str | None, AllowedFor(SECURITY, ADVERTISING)] = None

    @field_validator("phone")
    @classmethod
    def plain(cls, value: str) -> str:
        return value.strip()


class Untagged(PurposeModel):
    handle: str = ""


def made() -> Any:
    """An account as another library makes it: without its ``__init__``."""
    account = Account.__new__(Account)
    for slot in ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"):
        object.__setattr__(account, slot, set() if slot == "__pydantic_fields_set__" else None)
    return account


def test_what_is_born_sealed_is_asked_for() -> None:
    """R1: an entity that is filled from the database would count as one that is validated just now, and be open."""
    account = made()
    assert entities.is_open(account)
    entities.born_sealed(account)
    assert not entities.is_open(account)
    vars(account).update(id=7, handle="ada", email=None, phone=SECRET)
    for read in (lambda: account.phone, lambda: account.email, account.model_dump):
        with pytest.raises(NoActivePurpose):
            read()
    with purpose_scope(TWO_FACTOR):
        assert account.model_dump(include={"phone"}) == {"phone": SECRET}


def test_what_is_opened_up_is_plain_until_it_is_closed() -> None:
    """R10: what builds an account would be given boxes; afterwards it would stay open."""
    account = made()
    entities.open_up(account)
    entities.born_sealed(account)
    entities.open_up(account)
    vars(account).update(id=7, handle="ada", email=None, phone=SECRET)
    assert account.phone == SECRET
    entities.close(account)
    assert type(vars(account)["phone"]) is Sealed
    with pytest.raises(NoActivePurpose):
        _ = account.phone


def test_a_model_without_tags_is_left_alone() -> None:
    """A table without personal data would break for being next to one that has some."""
    model = Untagged(handle="ada")
    entities.born_sealed(model)
    entities.open_up(model)
    entities.close(model)
    entities.kept_narrow(model, {})
    entities.guard_fields(Untagged)
    assert not entities.differ_openly(model, Untagged(handle="bob"))
    assert model.handle == "ada"


def test_what_was_taken_over_is_as_narrow_and_whose_it_was() -> None:
    """R8: an address given for security would be open to advertising, and nobody could say whose it was."""
    account = Account(email="a@x.example", phone=SECRET)
    box = seal("a@x.example", vars(Account(phone=""))["phone"]._purposebind_binding, 7)
    entities.kept_narrow(account, {"email": box, "phone": None, "handle": "ada"})
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        _ = account.email
    with purpose_scope(TWO_FACTOR):
        assert account.email == "a@x.example"


def test_an_assignment_is_validated_apart() -> None:
    """R1, R7: the other library would be told of a value that nobody validated, or that is open."""
    account = Account(id=7, handle="ada", phone="+1", email="a@x.example")
    vars(account)["_theirs"] = object()
    before = dict(vars(account))
    changed = entities.assigned(account, "phone", f" {SECRET} ", "_theirs")
    assert changed.keys() == {"phone"}
    assert type(changed["phone"]) is Sealed
    with purpose_scope(TWO_FACTOR):
        assert changed["phone"].open() == SECRET
    assert vars(account) == before
    assert entities.assigned(account, "handle", "eve", "_theirs") == {"handle": "eve"}
    with pytest.raises(ValidationError) as caught:
        entities.assigned(account, "phone", [SECRET], "_theirs")
    assert SECRET not in f"{caught.value} {caught.value.errors()}"


def test_an_assigned_box_stays_as_narrow() -> None:
    """R8: a phone put into a wider field would widen."""
    account = Account(phone=SECRET)
    changed = entities.assigned(account, "email", vars(account)["phone"], "_theirs")
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        changed["email"].open()
    with purpose_scope(TWO_FACTOR):
        assert changed["email"].open() == SECRET


def test_two_are_told_apart_by_what_has_no_tag() -> None:
    """R1: to find one in a list the others would have to be read, or be told apart by their phones."""
    ada = Account(id=7, phone=SECRET)
    assert entities.differ_openly(ada, Account(id=8, phone=SECRET))
    assert not entities.differ_openly(ada, Account(id=7, phone="+1"))
    assert not entities.differ_openly(ada, Untagged())


def test_guards_are_told_from_other_attributes_and_put_back() -> None:
    """R1: a library that replaces a class's attributes would replace the guards, and not be found out."""

    class Mine(Account): ...

    Mine.phone = "their attribute"
    assert not entities.is_field_guard(vars(Mine)["phone"])
    entities.guard_fields(Mine)
    assert entities.is_field_guard(vars(Mine)["phone"])
    with pytest.raises(NoActivePurpose):
        _ = Mine(phone=SECRET).phone


def test_a_class_tells_its_mode_and_its_subject() -> None:
    """R11: an entity of a class that observes would be refused where the model is not."""

    class Watched(Account, purpose_mode="observe"): ...

    assert (entities.mode_of(Account), entities.mode_of(Watched)) == (None, "observe")
    assert (entities.subject_field(Account), entities.subject_field(Untagged)) == ("id", None)
