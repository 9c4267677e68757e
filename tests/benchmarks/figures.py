"""What is measured: the models, and for each figure the statement that is timed on each of them.

The models have four fields, two of which hold personal data: strings, the cheapest thing there is to validate and to
write out, so that what stands beside them on a ratio's other side is as fast as pydantic gets.
"""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, SecretStr, TypeAdapter, field_serializer

from purposebind import AllowedFor, Purpose, PurposeModel, SubjectId, configure, purpose_scope
from purposebind.ledger import Key, Ledger

__all__ = [
    "ACCOUNTS",
    "ALLOWED",
    "FIGURES",
    "LIST_LENGTH",
    "PURPOSE",
    "Figure",
    "IdentifiedAccount",
    "Models",
    "Variant",
    "active",
    "record",
    "recorded",
]

LIST_LENGTH = 2_000
PURPOSE = Purpose("benchmark", "Find out what a tag costs")
ALLOWED = frozenset([PURPOSE])

active: ContextVar[frozenset[Purpose]] = ContextVar("active", default=frozenset())


class PlainAccount(BaseModel):
    id: int
    handle: str
    phone: str
    email: str


class TaggedAccount(PurposeModel):
    id: int
    handle: str
    phone: Annotated[str, AllowedFor(PURPOSE)]
    email: Annotated[str, AllowedFor(PURPOSE)]


class SecretAccount(BaseModel):
    id: int
    handle: str
    phone: SecretStr
    email: SecretStr


class HandWrittenAccount(BaseModel):
    """What a team would write for one attribute without a library: the fair baseline of an allowed read."""

    id: int
    handle: str
    stored_phone: str
    stored_email: str

    @property
    def phone(self) -> str:
        if not active.get() <= ALLOWED:  # sets, as scopes nest
            raise PermissionError("phone")
        return self.stored_phone


class BareScope:
    """The least that a scope can be: it sets a ContextVar and resets it."""

    def __enter__(self) -> None:
        self.token = active.set(ALLOWED)

    def __exit__(self, *error: object) -> None:
        active.reset(self.token)


class IdentifiedAccount(TaggedAccount):
    """For the ledger: whose data it is, is known."""

    id: Annotated[int, SubjectId]


# More than a scalar under a tag: a field with a serializer of the user's takes the exact road, and a list the fast one.


class PlainMasked(PlainAccount):
    @field_serializer("phone")
    def last_digits(self, phone: str) -> str:
        return phone[-4:]


class TaggedMasked(TaggedAccount):
    @field_serializer("phone")
    def last_digits(self, phone: str) -> str:
        return phone[-4:]


class SecretMasked(SecretAccount):
    @field_serializer("phone")
    def last_digits(self, phone: SecretStr) -> str:
        return phone.get_secret_value()[-4:]


class PlainPhones(BaseModel):
    id: int
    handle: str
    phones: list[str]
    email: str


class TaggedPhones(PurposeModel):
    id: int
    handle: str
    phones: Annotated[list[str], AllowedFor(PURPOSE)]
    email: Annotated[str, AllowedFor(PURPOSE)]


class SecretPhones(BaseModel):
    id: int
    handle: str
    phones: list[SecretStr]
    email: SecretStr


def record(number: int) -> dict[str, Any]:
    """The input of account `number`; no two share a string."""
    return {
        "id": number,
        "handle": f"ada{number}",
        "phone": f"+4670{number:07d}",
        "email": f"ada{number}@example.com",
    }


def _phones_record(number: int) -> dict[str, Any]:
    account = record(number)
    return {**account, "phones": [account.pop("phone"), f"+4673{number:07d}"]}


class Models(NamedTuple):
    """The same model three times, and a function that makes the input of one instance."""

    plain: type[BaseModel]
    tagged: type[BaseModel]
    secret: type[BaseModel]
    record: Callable[[int], dict[str, Any]]


ACCOUNTS = Models(PlainAccount, TaggedAccount, SecretAccount, record)
_MASKED = Models(PlainMasked, TaggedMasked, SecretMasked, record)
_PHONES = Models(PlainPhones, TaggedPhones, SecretPhones, _phones_record)


class Variant(NamedTuple):
    """A statement, a function that makes the local variables it is timed with, and what is in force meanwhile."""

    statement: str
    variables: Callable[[], Mapping[str, object]]
    around: Callable[[], AbstractContextManager[object]] = nullcontext


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        name: What ``--only`` calls it.
        title: What the page calls it.
        against: The baseline, in words.
        limit: The most that the ratio to the baseline should be.
        baseline: What is timed of the baseline.
        tagged: What is timed of a model with tags.
        secret: What is timed of the same model with `SecretStr` fields, where there is such a thing.
        in_scope: Whether it is timed inside a scope of `PURPOSE`.
        unrolled: How often the statement stands in the loop. More than once where it takes hardly longer than the loop.
    """

    name: str
    title: str
    against: str
    limit: float
    baseline: Variant
    tagged: Variant
    secret: Variant | None = None
    in_scope: bool = True
    unrolled: int = 1


_Variables = Callable[[type[BaseModel], Callable[[int], dict[str, Any]]], Mapping[str, object]]


def _an_instance(model: type[BaseModel], make: Callable[[int], dict[str, Any]]) -> Mapping[str, object]:
    return {"account": model.model_validate(make(1))}


def _an_input(model: type[BaseModel], make: Callable[[int], dict[str, Any]]) -> Mapping[str, object]:
    data = make(1)
    return {"Account": model, "data": data, "text": PlainAccount(**data).model_dump_json()}


def _list_input(model: type[BaseModel], make: Callable[[int], dict[str, Any]]) -> Mapping[str, object]:
    many: TypeAdapter[Any] = TypeAdapter(list[model])  # type: ignore[valid-type]
    return {"adapter": many, "records": [make(number) for number in range(LIST_LENGTH)]}


def _a_list(model: type[BaseModel], make: Callable[[int], dict[str, Any]]) -> Mapping[str, object]:
    made = _list_input(model, make)
    adapter: Any = made["adapter"]
    return {"adapter": adapter, "accounts": adapter.validate_python(made["records"])}


def _compared(
    name: str,
    title: str,
    limit: float,
    statement: str,
    variables: _Variables,
    models: Models = ACCOUNTS,
    against: str = "plain pydantic",
    unrolled: int = 1,
) -> Figure:
    """The same statement on the same model three times."""

    def of(model: type[BaseModel]) -> Variant:
        return Variant(statement, lambda: variables(model, models.record))

    return Figure(
        name, title, against, limit, of(models.plain), of(models.tagged), of(models.secret), unrolled=unrolled
    )


def _dumps(name: str, what: str, models: Models) -> list[Figure]:
    against = f"plain pydantic, {what}"
    dump, list_dump = 2.4, 7.0
    return [
        _compared(f"{name}-dump", f"`model_dump`, {what}", dump, "account.model_dump()", _an_instance, models, against),
        _compared(
            f"{name}-dump-json",
            f"`model_dump_json`, {what}",
            dump,
            "account.model_dump_json()",
            _an_instance,
            models,
            against,
        ),
        _compared(
            f"{name}-list-dump",
            f"list of 2,000, `dump_python`, {what}",
            list_dump,
            "adapter.dump_python(accounts)",
            _a_list,
            models,
            against,
        ),
        _compared(
            f"{name}-list-dump-json",
            f"list of 2,000, `dump_json`, {what}",
            list_dump,
            "adapter.dump_json(accounts)",
            _a_list,
            models,
            against,
        ),
    ]


def _hand_written() -> Mapping[str, object]:
    data = record(1)
    return {
        "account": HandWrittenAccount(
            id=1, handle=data["handle"], stored_phone=data["phone"], stored_email=data["email"]
        )
    }


def _scope(name: str, title: str, in_scope: bool) -> Figure:
    return Figure(
        name,
        title,
        "a class that sets and resets a ContextVar",
        3.1,
        baseline=Variant("with scope: pass", lambda: {"scope": BareScope()}),
        tagged=Variant("with scope: pass", lambda: {"scope": purpose_scope(PURPOSE)}),
        in_scope=in_scope,
    )


@contextmanager
def recorded() -> Iterator[None]:
    """Have a ledger on; the same one each time."""
    ledger = _ledgers[0] if _ledgers else _a_ledger()
    with configure(ledger=ledger):
        yield


def _a_ledger() -> Ledger:
    folder = tempfile.TemporaryDirectory()
    ledger = Ledger(Path(folder.name) / "ledger", key=Key(bytes(32)))
    _folders.append(folder)
    atexit.register(ledger.close)  # while the folder is there
    _ledgers.append(ledger)
    return ledger


_folders: list[tempfile.TemporaryDirectory[str]] = []
_ledgers: list[Ledger] = []

FIGURES = [
    Figure(
        "read",
        "allowed read of a tagged field",
        "a hand-written property that checks a ContextVar",
        1.25,
        baseline=Variant("account.phone", _hand_written),
        tagged=Variant("account.phone", lambda: _an_instance(TaggedAccount, record)),
        secret=Variant("account.phone.get_secret_value()", lambda: _an_instance(SecretAccount, record)),
        unrolled=10,
    ),
    Figure(
        "recorded-read",
        "allowed read that a ledger records, the person's hash known",
        "the same read without a ledger",
        3.0,
        baseline=Variant("account.phone", lambda: _an_instance(IdentifiedAccount, record)),
        tagged=Variant("account.phone", lambda: _an_instance(IdentifiedAccount, record), recorded),
        unrolled=10,
    ),
    _compared("untagged-read", "read of an untagged field", 1.05, "account.handle", _an_instance, unrolled=20),
    _compared("validate", "`Account(**data)`", 1.75, "Account(**data)", _an_input),
    _compared("model-validate", "`model_validate(data)`", 1.75, "Account.model_validate(data)", _an_input),
    _compared("from-json", "`model_validate_json(text)`", 2.0, "Account.model_validate_json(text)", _an_input),
    _compared(
        "list-validate", "list of 2,000, `validate_python`", 2.5, "adapter.validate_python(records)", _list_input
    ),
    _compared("dump", "`model_dump`", 1.5, "account.model_dump()", _an_instance),
    _compared("dump-json", "`model_dump_json`", 1.5, "account.model_dump_json()", _an_instance),
    _compared("list-dump", "list of 2,000, `dump_python`", 2.0, "adapter.dump_python(accounts)", _a_list),
    _compared("list-dump-json", "list of 2,000, `dump_json`", 2.1, "adapter.dump_json(accounts)", _a_list),
    _compared("copy", "`model_copy`", 1.8, "account.model_copy()", _an_instance),
    _scope("scope", "a scope, entered and left", in_scope=False),
    _scope("nested-scope", "a scope inside another, entered and left", in_scope=True),
    *_dumps("serializer", "a field with a `field_serializer`", _MASKED),
    *_dumps("container", "a field that is a list", _PHONES),
]
