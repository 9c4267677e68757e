"""`PurposeSQLModel` as a pydantic model: built, validated, taken over, dumped and compared, without a database."""

from __future__ import annotations

import copy
import pickle
import traceback
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR
from pydantic import BaseModel, TypeAdapter, ValidationError, field_validator, model_validator
from pydantic_core import PydanticSerializationError
from sqlalchemy import Column, ForeignKey, String
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel
from sqlmodel._compat import SQLModelConfig

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    PolicyError,
    PurposeModel,
    PurposeViolation,
    Sealed,
    SubjectId,
    configure,
    purpose_scope,
)
from purposebind.integrations.sqlalchemy import SealedType, policy_of
from purposebind.integrations.sqlmodel import PurposeSQLModel

OTHER = "+15550199732"


class Base(PurposeSQLModel, registry=registry()): ...


class AccountBase(Base):
    handle: str = Field(index=True)
    phone: Annotated[str, AllowedFor(TWO_FACTOR)] = Field(max_length=20)
    email: Annotated[str | None, AllowedFor(SECURITY)] = None


class Account(AccountBase, table=True):
    id: Annotated[int | None, SubjectId] = Field(default=None, primary_key=True)
    note: Annotated[str, AllowedFor(SECURITY)] = Field(default="", sa_column=Column("remark", String(30)))


class AccountCreate(AccountBase): ...


class AccountPublic(AccountBase):
    id: int


class AccountUpdate(Base):
    handle: str | None = None
    phone: Annotated[str | None, AllowedFor(TWO_FACTOR)] = None


class Strict(Base, table=True):
    model_config = SQLModelConfig(validate_assignment=True)

    id: int | None = Field(default=None, primary_key=True)
    age: int
    phone: Annotated[str, AllowedFor(TWO_FACTOR)] = Field(max_length=20)
    pin: Annotated[str, AllowedFor(SECURITY)] = "0000"

    @field_validator("phone")
    @classmethod
    def plain(cls, value: str) -> str:
        return "+" + value.lstrip("+")


def an_account(**values: Any) -> Account:
    return Account(**{"id": 7, "handle": "ada", "phone": SECRET, **values})


def holds(model: Any, name: str) -> Any:
    """What is in a box of a model's, for whoever may read it."""
    with purpose_scope(TWO_FACTOR):
        return getattr(model, name)


def assert_sealed(model: Any) -> None:
    assert type(vars(model)["phone"]) is Sealed
    assert SECRET not in f"{model!r} {model} {vars(model)} {list(vars(model).items())}"


BUILT = {
    "table": lambda: an_account(),
    "data": lambda: AccountCreate(handle="ada", phone=SECRET),
    "table validated": lambda: Account.model_validate({"handle": "ada", "phone": SECRET}),
    "data validated": lambda: AccountCreate.model_validate({"handle": "ada", "phone": SECRET}),
    "table of data": lambda: Account.model_validate(AccountCreate(handle="ada", phone=SECRET)),
    "data of table": lambda: AccountPublic.model_validate(an_account()),
    "table of table": lambda: Account.model_validate(an_account()),
    "table from JSON": lambda: Account.model_validate_json(f'{{"handle": "ada", "phone": "{SECRET}"}}'),
    "data from JSON": lambda: AccountCreate.model_validate_json(f'{{"handle": "ada", "phone": "{SECRET}"}}'),
    "adapter of table": lambda: TypeAdapter(Account).validate_python({"handle": "ada", "phone": SECRET}),
    "adapter of data": lambda: TypeAdapter(AccountCreate).validate_python({"handle": "ada", "phone": SECRET}),
    "with update": lambda: Account.model_validate({"handle": "ada", "phone": "x"}, update={"phone": SECRET}),
    "data with update": lambda: AccountCreate.model_validate({"handle": "ada"}, update={"phone": SECRET}),
    "source with update": lambda: Account.model_validate(AccountUpdate(handle="ada"), update={"phone": SECRET}),
    "object": lambda: Account.model_validate(SimpleNamespace(handle="ada", phone=SECRET)),
    "object with update": lambda: Account.model_validate(SimpleNamespace(handle="ada"), update={"phone": SECRET}),
    "object with update to data": lambda: AccountCreate.model_validate(
        SimpleNamespace(handle="ada"), update={"phone": SECRET}
    ),
    "updated": lambda: an_account(phone=OTHER).sqlmodel_update({"phone": SECRET}),
    "updated by a model": lambda: an_account(phone=OTHER).sqlmodel_update(AccountUpdate(handle="a", phone=SECRET)),
    "constructed": lambda: Account.model_construct(handle="ada", phone=SECRET),
    "copied": lambda: AccountCreate(handle="ada", phone=SECRET).model_copy(update={"email": "a@example.com"}),
    "table copied": lambda: copy.copy(an_account()),
    "box": lambda: an_account(phone=Sealed.of(SECRET, AllowedFor(TWO_FACTOR))),
    "dict of boxes": lambda: Account.model_validate(
        {"handle": "ada", "phone": Sealed.of(SECRET, AllowedFor(TWO_FACTOR))}
    ),
}


@pytest.mark.parametrize("built", BUILT.values(), ids=BUILT)
def test_a_model_is_sealed_whoever_made_it(built: Any) -> None:
    """R1, R6: an account made by one of SQLModel's own roads would show its phone in the next log line."""
    model = built()
    assert_sealed(model)
    with pytest.raises(NoActivePurpose):
        _ = model.phone
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        _ = model.phone
    assert holds(model, "phone") == SECRET
    assert model.model_fields_set >= {"handle", "phone"}


READS = {
    "dump": lambda model: model.model_dump(),
    "JSON": lambda model: model.model_dump_json(),
    "iteration": dict,
    "pickle": pickle.dumps,
    "equality": lambda model: model == type(model)(id=7, handle="ada", phone=OTHER),
    "absence": lambda model: model.email,
    "hasattr": lambda model: hasattr(model, "phone"),
    "into a plain model": lambda model: Plain.model_validate(model),
    "adapter": lambda model: TypeAdapter(type(model)).dump_python(model),
}


class Plain(SQLModel):
    handle: str
    phone: str


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("cls", [Account, AccountPublic])
def test_what_makes_a_value_reachable_asks(cls: Any, read: Any) -> None:
    """R1, R12: a phone would leave by the one road that nobody had thought of."""
    model = cls(id=7, handle="ada", phone=SECRET)
    with pytest.raises(
        (NoActivePurpose, ValidationError, PydanticSerializationError), match=r"NoActivePurpose|may not be"
    ) as caught:
        read(model)
    assert SECRET not in str(caught.value)
    with purpose_scope(TWO_FACTOR):
        read(model)


def test_what_moves_a_value_does_not_ask() -> None:
    """R1: a service would open scopes only to hand accounts on, and the ledger would count reads that were none."""
    account = an_account()
    for moved in (copy.copy(account), copy.deepcopy(account), account.model_copy(), account.model_copy(deep=True)):
        assert_sealed(moved)
    account.sqlmodel_update(AccountUpdate(phone=OTHER), exclude_unset=True)
    assert (account.handle, holds(account, "phone")) == ("ada", OTHER)
    taken = AccountPublic.model_validate(account, update={"handle": "eve"})
    assert (taken.handle, holds(taken, "phone")) == ("eve", OTHER)
    account.phone = SECRET
    assert_sealed(account)
    account.email = None
    assert vars(account)["email"] is None


def test_an_account_is_told_from_another_without_a_read() -> None:
    """SQLAlchemy looks for an entity in a list by ==: taking one account out of a team would be refused."""
    ada, bob = an_account(), an_account(id=8)
    assert ada != bob
    assert [bob, ada].index(ada) == 1
    assert ada == ada
    assert ada != object()


def test_what_is_taken_over_stays_as_narrow() -> None:
    """R8: a phone given for two-factor security would widen on its way into the table."""

    class Narrow(Base):
        handle: str = "ada"
        phone: Annotated[str, AllowedFor(TWO_FACTOR)]

    class Wide(Base, table=True):
        id: int | None = Field(default=None, primary_key=True)
        handle: str
        phone: Annotated[str, AllowedFor(SECURITY, ADVERTISING)]

    for wide in (
        Wide.model_validate(Narrow(phone=SECRET)),
        Wide(handle="ada", phone="").sqlmodel_update(Narrow(phone=SECRET)),
        Wide.model_validate(vars(Narrow(phone=SECRET))),
    ):
        with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
            _ = wide.phone
        assert holds(wide, "phone") == SECRET


def test_taking_over_into_a_field_without_a_tag_is_a_read() -> None:
    """R1: a response model that forgot the tag would be the way to an open phone."""

    class Open(Base):
        handle: str
        phone: str

    for source in (an_account(), AccountCreate(handle="ada", phone=SECRET)):
        with pytest.raises(NoActivePurpose):
            Open.model_validate(source)
        with purpose_scope(TWO_FACTOR):
            assert Open.model_validate(source).phone == SECRET


def test_validators_and_post_init_see_plain_values() -> None:
    """R10: a validator that strips spaces would be given a box, and a service would have to be rewritten."""
    seen: list[Any] = []

    class Watched(Base, table=True):
        id: int | None = Field(default=None, primary_key=True)
        phone: Annotated[str, AllowedFor(TWO_FACTOR)]
        fax: Annotated[str | None, AllowedFor(TWO_FACTOR)] = None

        @field_validator("phone", mode="before")
        @classmethod
        def stripped(cls, value: str) -> str:
            seen.append(("before", value))
            return value.strip()

        @model_validator(mode="after")
        def looked_at(self) -> Watched:
            seen.append(("after", self.phone, self.fax))
            return self

        def model_post_init(self, context: Any) -> None:
            seen.append(("post", self.phone, self.fax))

    model = Watched(phone=SECRET)
    assert seen == [("post", SECRET, None)]
    assert_sealed(model)
    seen.clear()
    for given in ({"phone": f" {SECRET} "}, AccountCreate(handle="ada", phone=f" {SECRET} ")):
        model = Watched.model_validate(given)
        assert [("before", f" {SECRET} "), ("after", SECRET, None)] == [one for one in seen if one[0] != "post"]
        assert holds(model, "phone") == SECRET
        seen.clear()


def test_a_table_model_is_not_validated_where_sqlmodel_does_not() -> None:
    """SQLModel builds a table model of what it is given: code that relies on it would break."""
    account = an_account(handle=7, phone=5)
    assert vars(account)["handle"] == 7
    assert holds(account, "phone") == 5
    nothing: Any = Account
    assert nothing().model_fields_set == set()


def test_errors_hold_no_value() -> None:
    """R7: what somebody mistyped would be in the log, and in the error page's listing of local variables."""
    long = SECRET * 3
    for validate in (
        lambda: Account.model_validate({"handle": "ada", "phone": long}),
        lambda: Account.model_validate({"phone": SECRET}),
        lambda: Account.model_validate(AccountUpdate(phone=SECRET)),
        lambda: Account.model_validate({"handle": "ada"}, update={"phone": long}),
        lambda: Account.model_validate(SimpleNamespace(handle="ada", phone=long)),
        lambda: AccountCreate.model_validate(SimpleNamespace(handle="ada"), update={"phone": long}),
        lambda: AccountCreate(handle="ada", phone=long),
        lambda: Strict(age=3, phone="").__setattr__("phone", long),
        lambda: Strict(age=3, phone=SECRET).__setattr__("age", "x"),
        lambda: Strict(age=3, phone=SECRET).__setattr__("phone", 5),
    ):
        with pytest.raises(ValidationError) as caught:
            validate()
        shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        frames = [frame for frame in shown.stack if not frame.filename.endswith("test_sqlmodel_models.py")]
        assert (
            SECRET not in f"{caught.value} {caught.value.errors()} {caught.value.json()} {[f.locals for f in frames]}"
        )


def test_assignment_is_validated_where_the_model_says_so() -> None:
    """A table model that validates assignments would hold what its validator never saw, or hold it open."""
    model = Strict(age=3, phone="15550199731")
    assert_sealed(model)
    assert holds(model, "phone") == SECRET
    model.phone = "15550199732"
    assert holds(model, "phone") == OTHER
    model.age = "4"  # type: ignore[assignment]
    assert model.age == 4
    model.phone = Sealed.of("15550199731", AllowedFor(TWO_FACTOR))  # type: ignore[assignment]
    assert_sealed(model)
    assert holds(model, "phone") == SECRET
    model.pin = Sealed.of("1", AllowedFor(TWO_FACTOR))  # type: ignore[assignment]
    with purpose_scope(SECURITY), pytest.raises(PurposeViolation):
        _ = model.pin
    assert holds(model, "pin") == "1"
    assert_sealed(Strict.model_validate({"age": 3, "phone": "15550199731"}))


def test_columns_are_sealed_whatever_made_them() -> None:
    """R1: a column given with sa_column= would come out of the database open."""
    columns = Account.__table__.c  # type: ignore[attr-defined]
    assert isinstance(columns.phone.type, SealedType)
    assert columns.phone.type.impl_instance.length == 20  # type: ignore[attr-defined]
    assert {policy_of(columns[name]) for name in ("phone", "email", "remark")} == {
        AllowedFor(TWO_FACTOR).policy,
        AllowedFor(SECURITY).policy,
    }
    assert policy_of(columns.handle) is None
    assert columns.email.nullable
    assert not columns.phone.nullable


def test_what_would_be_half_protected_is_refused_where_it_is_declared() -> None:
    """R9: a tag that protects nothing would be believed in."""
    with pytest.raises(PolicyError, match="would protect nothing"):

        class _A(SQLModel):
            phone: Annotated[str, AllowedFor(TWO_FACTOR)]

    with pytest.raises(PolicyError, match="would protect nothing"):

        class _B(SQLModel, registry=registry(), table=True):
            id: int = Field(primary_key=True)
            phone: Annotated[str, AllowedFor(TWO_FACTOR)]

    class Half(SQLModel, registry=registry()): ...

    with pytest.raises(PolicyError, match=r"by hand.*PurposeSQLModel instead of both"):

        class _C(PurposeModel, Half, table=True):
            id: int = Field(primary_key=True)
            phone: Annotated[str, AllowedFor(TWO_FACTOR)]

    with pytest.raises(PolicyError, match=r"_D.phone is a primary key"):

        class _D(Base, table=True):
            phone: Annotated[str, AllowedFor(TWO_FACTOR)] = Field(primary_key=True)

    with pytest.raises(PolicyError, match=r"_E.owner is a foreign key"):

        class _E(Base, table=True):
            id: int = Field(primary_key=True)
            owner: Annotated[int, AllowedFor(TWO_FACTOR)] = Field(foreign_key="account.id")

    with pytest.raises(PolicyError, match=r"_F.owner is a foreign key"):

        class _F(Base, table=True):
            id: int = Field(primary_key=True)
            owner: Annotated[int, AllowedFor(TWO_FACTOR)] = Field(sa_column=Column(ForeignKey("account.id")))

    with pytest.raises(PolicyError, match=r"_G.phone is sealed, and the field has no tag"):

        class _G(Base, table=True):
            id: int = Field(primary_key=True)
            phone: str = Field(sa_type=SealedType(String, AllowedFor(TWO_FACTOR)))

    with pytest.raises(PolicyError, match="widens the tag it inherits"):

        class _H(AccountBase, table=True):
            id: int = Field(primary_key=True)
            phone: Annotated[str, AllowedFor(SECURITY)]


def test_a_base_without_a_table_hands_its_tags_down() -> None:
    """R8: a column would be open where the tag stands on the base that all models share."""

    class Redeclared(AccountBase, table=True):
        id: int | None = Field(default=None, primary_key=True)
        phone: str

    model = Redeclared(handle="ada", phone=SECRET)
    assert_sealed(model)
    assert policy_of(Redeclared.__table__.c.phone) is AllowedFor(TWO_FACTOR).policy  # type: ignore[attr-defined]
    with pytest.raises(NoActivePurpose):
        _ = model.phone


def test_a_class_that_inherits_from_a_table_is_guarded() -> None:
    """R1: an account of a subclass, which SQLModel lets one make, would hand out its boxes or its values."""

    class Special(Account): ...

    special = Special(id=7, handle="ada", phone=SECRET)
    assert_sealed(special)
    with pytest.raises(NoActivePurpose):
        _ = special.phone
    assert holds(special, "phone") == SECRET


def test_a_schema_that_is_built_again_leaves_the_attributes_to_sqlalchemy() -> None:
    """After model_rebuild an entity would no longer be loaded, or be loaded and not be guarded."""
    Account.model_rebuild(force=True)
    assert Account.phone.property.columns[0].name == "phone"  # type: ignore[attr-defined]
    with pytest.raises(NoActivePurpose):
        _ = an_account().phone


def test_observing_models_observe(caplog: pytest.LogCaptureFixture) -> None:
    """R11: a service that only watches yet would fail, or would not be told."""

    class Observed(Base, table=True, purpose_mode="observe"):
        id: int | None = Field(default=None, primary_key=True)
        phone: Annotated[str, AllowedFor(TWO_FACTOR)]

    model = Observed(phone=SECRET)
    assert model.phone == SECRET
    assert "Observed.phone may not be read" in caplog.text
    account = an_account()
    configure(mode="observe")
    assert account.phone == SECRET
    assert "Account.phone may not be read" in caplog.text
    assert account.email is None
    assert "Account.email may not be read" in caplog.text


def test_the_schema_says_what_the_data_is_for() -> None:
    """Whoever reads the API's description would not learn that a field is bound."""
    assert Account.model_json_schema()["properties"]["phone"]["x-purposes"] == ["security.two_factor"]


def test_a_parent_of_pydantic_s_own_keeps_a_table_model_sealed() -> None:
    """R1: an envelope around an account would be the way round it."""

    class Envelope(BaseModel):
        account: Account

    for envelope in (
        Envelope(account=an_account()),
        Envelope.model_validate({"account": {"handle": "ada", "phone": SECRET}}),
    ):
        assert_sealed(envelope.account)
        with pytest.raises(NoActivePurpose):
            _ = envelope.account.phone
