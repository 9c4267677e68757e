"""Whose data is recorded: that of the `SubjectId`, whenever it is set, and in nested models that of the parent.

A count may leave a person unknown, and never names the wrong one.
"""

from __future__ import annotations

import copy
import pickle
from collections import deque
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Optional

import pytest
from ledger_rows import KEY, rows
from purposes import ADVERTISING, SECURITY
from pydantic import BaseModel, ConfigDict

from purposebind import AllowedFor, PurposeModel, PurposeViolation, Sealed, SubjectId, configure, purpose_scope
from purposebind.ledger import Ledger

TAG = AllowedFor(SECURITY)


class Street(PurposeModel):
    name: Annotated[str, TAG]


class Address(PurposeModel):
    town: Annotated[str, TAG] = "town"
    floor: Annotated[Optional[int], TAG] = None  # noqa: UP045
    street: Street = Street(name="street")

    @cached_property
    def label(self) -> str:
        return self.town + "!"


class Wrapped(BaseModel):
    address: Address


class Friend(PurposeModel):
    id: Annotated[int, SubjectId]
    town: Annotated[str, TAG] = "town"


class Account(PurposeModel):
    id: Annotated[Optional[int], SubjectId] = None  # noqa: UP045
    phone: Annotated[str, TAG] = "+1"
    home: Optional[Address] = None  # noqa: UP045
    others: list[Address] = []  # noqa: RUF012
    last: deque[Address] = deque()  # noqa: RUF012
    named: dict[str, Address] = {}  # noqa: RUF012
    pair: Optional[tuple[Address, Friend]] = None  # noqa: UP045
    wrapped: Optional[Wrapped] = None  # noqa: UP045
    hidden: Annotated[list[Address], TAG] = []  # noqa: RUF012
    boxed: Annotated[Optional[Sealed[str]], TAG] = None  # noqa: UP045

    @cached_property
    def dialled(self) -> str:
        return "tel:" + self.phone


class Validating(Account):
    model_config = ConfigDict(validate_assignment=True)


class Card(PurposeModel):
    number: Annotated[str, SubjectId, TAG]
    phone: Annotated[str, TAG] = "+1"
    home: Optional[Address] = None  # noqa: UP045


class Holder(PurposeModel):
    """Nothing of its own is tagged."""

    id: Annotated[int, SubjectId]
    home: Address


class Node(PurposeModel):
    value: Annotated[str, TAG]
    next: Optional[Node] = None  # noqa: UP045


class Root(PurposeModel):
    id: Annotated[int, SubjectId]
    node: Optional[Node] = None  # noqa: UP045


@pytest.fixture
def whose(tmp_path: Path) -> Iterator[Callable[..., set[Any]]]:
    """Returns whose data calling a function reads: the ids 1 to 9 or texts, None where nobody knows."""
    folder = tmp_path / "ledger"
    people = {KEY.person(subject): subject for subject in (*range(1, 10), "card-1", "card-2")}
    with Ledger(folder, key=KEY, segment_bytes=1 << 16) as ledger, configure(ledger=ledger):

        def read(function: Callable[[], object]) -> set[Any]:
            before = len(rows(folder).reads)
            with purpose_scope(SECURITY):
                function()
            found = rows(folder).reads[before:]
            assert found, "nothing was recorded"
            return {None if one.person is None else people[one.person] for one in found}

        yield read


Whose = Callable[..., set[Any]]

REACHED: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "an attribute": (lambda: Account(id=1, home=Address()), lambda a: a.home.town),
    "two levels down": (lambda: Account(id=1, home=Address()), lambda a: a.home.street.name),
    "a list": (lambda: Account(id=1, others=[Address(), Address()]), lambda a: [x.town for x in a.others]),
    "a deque": (lambda: Account(id=1, last=[Address()]), lambda a: a.last[0].town),
    "a dict": (lambda: Account(id=1, named={"x": Address()}), lambda a: a.named["x"].town),
    "a tuple": (lambda: Account(id=1, pair=(Address(), Friend(id=1))), lambda a: a.pair[0].town),
    "a plain model": (lambda: Account(id=1, wrapped={"address": {}}), lambda a: a.wrapped.address.town),
    "a tagged container": (lambda: Account(id=1, hidden=[Address()]), lambda a: a.hidden[0].town),
    "a box": (lambda: Account(id=1, boxed="x"), lambda a: a.boxed.open()),
    "a parent with no tags": (lambda: Holder(id=1, home=Address()), lambda a: a.home.town),
    "plain input": (lambda: Account.model_validate({"id": 1, "home": {}}), lambda a: a.home.town),
    "JSON": (lambda: Account.model_validate_json('{"id": 1, "home": {}}'), lambda a: a.home.town),
    "model_construct": (lambda: Account.model_construct(id=1, home=Address()), lambda a: a.home.town),
    "model_copy": (lambda: Account(id=1, home=Address()).model_copy(), lambda a: a.home.town),
    "a deep copy": (lambda: copy.deepcopy(Account(id=1, home=Address())), lambda a: a.home.town),
    "model_copy with an update": (
        lambda: Account(id=1).model_copy(update={"home": Address()}),
        lambda a: a.home.town,
    ),
    "absence": (lambda: Account(id=1, home=Address()), lambda a: a.home.floor),
    "a derived value": (lambda: Account(id=1, home=Address()), lambda a: (a.home.label, a.home.label)),
    "a dump": (lambda: Account(id=1, home=Address(), others=[Address()]), lambda a: a.model_dump()),
    "a dump of the part": (lambda: Account(id=1, home=Address()), lambda a: a.home.model_dump_json()),
    "==": (lambda: Account(id=1, home=Address()), lambda a: a.home == a.home.model_copy()),
}


@pytest.mark.parametrize("how", REACHED)
def test_a_nested_model_is_its_parents_persons(how: str, whose: Whose) -> None:
    """Most of a person's data would be recorded as nobody's, and their history would not show it."""
    make, read = REACHED[how]
    account = make()
    assert whose(lambda: read(account)) == {1}


def test_pickling_keeps_the_person(whose: Whose) -> None:
    """A queue between two services would make everybody's data nobody's."""
    account = Account(id=1, home=Address())
    data: list[bytes] = []
    assert whose(lambda: data.append(pickle.dumps(account))) == {1}
    assert whose(lambda: pickle.loads(data[0]).home.street.name) == {1}


def test_a_part_with_a_subject_of_its_own_keeps_it(whose: Whose) -> None:
    """A friend's data would be recorded as read of the person whose list they are on."""
    account = Account(id=1, pair=(Address(), Friend(id=2)))
    assert account.pair is not None
    assert whose(lambda: account.pair[1].town) == {2}


def test_what_is_assigned_to_a_part_is_the_parents_persons(whose: Whose) -> None:
    """A corrected address would be nobody's."""
    account = Account(id=1, home=Address())
    assert account.home is not None
    account.home.town = "other"
    account.home.street = Street(name="new")
    assert whose(lambda: account.home.town) == {1}
    assert whose(lambda: account.home.street.name) == {1}


def test_a_part_that_is_assigned_is_the_parents_persons(whose: Whose) -> None:
    """An address that is added later would be nobody's."""
    for kind in (Account, Validating):
        account = kind(id=1)
        account.home = Address()
        account.others = [Address()]
        assert whose(lambda account=account: (account.home.town, account.others[0].street.name)) == {1}


@pytest.mark.parametrize("second", [2, None])
def test_what_two_share_is_nobodys(second: int | None, whose: Whose) -> None:
    """Of two people who share an address, one would be told of each read, and maybe not the one whose it was."""
    shared = Address()
    one, two = Account(id=1, home=shared), Account(id=2, others=[shared])
    assert whose(lambda: (one.home.town, two.others[0].street.name)) == {None}
    shared.town = "assigned afterwards"
    assert whose(lambda: one.home.town) == {None}
    assert whose(lambda: (shared.label, shared.label)) == {None}
    two.id = second
    assert whose(lambda: two.others[0].town) == {None}
    assert whose(lambda: (one.phone,)) == {1}
    assert whose(lambda: pickle.loads(pickle.dumps(one)).home.town) == {None, 1}, "1: the pickle reads the phone too"


def test_absence_and_denials_in_what_two_share_name_nobody(whose: Whose) -> None:
    """A marker of the library's own would be hashed as if it were a person."""
    shared = Address()
    _ = Account(id=1, home=shared), Account(id=2, home=shared)
    assert whose(lambda: shared.floor) == {None}
    denials: list[Any] = []
    with configure(on_violation=denials.append), purpose_scope(ADVERTISING):
        for name in ("town", "floor"):
            with pytest.raises(PurposeViolation):
                getattr(shared, name)
    assert [denial.subject for denial in denials] == [None, None]


@pytest.mark.parametrize("kind", [Account, Validating])
def test_an_id_that_is_assigned_later_names_the_person(kind: type[Account], whose: Whose) -> None:
    """Records whose id the database gives would be nobody's for ever."""
    account = kind(phone="+1", home=Address(), boxed="x")
    assert account.home is not None
    assert whose(lambda: (account.phone, account.dialled, account.dialled, account.home.town)) == {None}
    account.id = 1
    assert whose(lambda: (account.phone, account.dialled)) == {1}
    assert whose(lambda: (account.home.town, account.boxed.open())) == {1}
    assert whose(lambda: account.model_dump()) == {1}


@pytest.mark.parametrize("kind", [Account, Validating])
def test_an_id_that_changes_names_the_new_person_and_never_the_old(kind: type[Account], whose: Whose) -> None:
    """An object that is used again for the next person would have their reads recorded as the last one's."""
    account = kind(id=1, home=Address())
    assert whose(lambda: (account.phone, account.dialled, account.dialled)) == {1}
    account.id = 2
    assert whose(lambda: (account.phone, account.dialled)) == {2}
    assert whose(lambda: account.home.town) == {None}, "it was another's part before"
    account.id = None
    assert whose(lambda: account.phone) == {None}


def test_a_copy_for_another_person_is_theirs_and_leaves_the_first_alone(whose: Whose) -> None:
    """An account made from a template would be recorded as the template's."""
    first = Account(id=1)
    second = first.model_copy(update={"id": 2})
    deep = first.model_copy(update={"id": 3}, deep=True)
    third = first.model_copy()
    third.id = 4
    assert [whose(lambda one=one: one.phone) for one in (first, second, deep, third)] == [{1}, {2}, {3}, {4}]


def test_a_tagged_subject_names_the_person_in_copies_too(whose: Whose) -> None:
    """A person whose number is personal data itself would be lost with each copy."""
    card = Card(number="card-1", home=Address())
    for one in (card, card.model_copy(), copy.deepcopy(card), card.model_copy(deep=True)):
        assert whose(lambda one=one: (one.number, one.phone, one.home.town, one.home.street.name)) == {"card-1"}
    card.number = "card-2"
    assert whose(lambda: (card.number, card.phone)) == {"card-2"}
    assert whose(lambda: card.home.town) == {None}
    assert whose(lambda: card.model_copy(update={"number": "card-1"}).phone) == {"card-1"}


def test_models_that_refer_to_one_another_in_a_circle(whose: Whose) -> None:
    """An assignment would end in a RecursionError."""
    one = Node(value="1", next=Node(value="2"))
    assert one.next is not None
    one.next.next = one
    root = Root(id=1)
    root.node = one
    assert whose(lambda: (one.value, one.next.value)) == {1}


def test_a_long_chain_of_models(whose: Whose) -> None:
    """A deep record would end in a RecursionError."""
    last = first = Node(value="0")
    for number in range(3000):
        last.next = Node.model_construct(value=str(number))
        last = last.next
    root = Root(id=1)
    root.node = first
    assert whose(lambda: last.value) == {1}
