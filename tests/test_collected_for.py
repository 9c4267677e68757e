"""What a value was collected for: it stays bound to that, wherever it goes."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Annotated, Any

import cloudpickle  # type: ignore[import-untyped]
import pytest
from cryptography.fernet import Fernet
from pydantic import BaseModel, ConfigDict, TypeAdapter, field_validator

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    PolicyError,
    Purpose,
    PurposeError,
    PurposeModel,
    PurposeRootModel,
    PurposeViolation,
    Sealed,
    SubjectId,
    active_purposes,
    carry,
    collected_for,
    configure,
    purpose_scope,
)
from purposebind.break_glass import break_glass
from purposebind.frames import DEAD
from purposebind.holding import boxed, boxer
from purposebind.ledger import Ledger
from purposebind.moving import pack, unpack
from purposebind.policy import Policy
from purposebind.receiving import received
from purposebind.scope import OUTSIDE, current_frame

LOGIN = Purpose("collected_login", "Send login codes")
SMS = LOGIN.child("sms", "By text message")
OFFERS = Purpose("collected_offers", "Write about offers")
BILLS = Purpose("collected_bills", "Write bills")


class Contact(PurposeModel):
    id: Annotated[int, SubjectId] = 1
    phone: Annotated[str, AllowedFor(LOGIN, OFFERS, BILLS)]
    email: Annotated[str | None, AllowedFor(OFFERS, BILLS)] = None


class Checked(PurposeModel):
    model_config = ConfigDict(validate_assignment=True)

    phone: Annotated[str, AllowedFor(LOGIN, OFFERS)]
    email: Annotated[str, AllowedFor(LOGIN, OFFERS)] = "e"


class Rechecked(PurposeModel):
    model_config = ConfigDict(revalidate_instances="always")

    phone: Annotated[str, AllowedFor(LOGIN, OFFERS)]


def policy(model: Any, name: str = "phone") -> Policy:
    box = model.__dict__[name]
    assert type(box) is Sealed
    return box.policy


FOR_LOGIN = Policy([LOGIN])


@pytest.fixture
def given_for_login() -> Contact:
    with collected_for(LOGIN):
        return Contact(phone="+46 70 1", email="a@example.com")


# --- The story -------------------------------------------------------------------------------------------------------


def test_a_number_given_for_login_is_not_for_offers(given_for_login: Contact) -> None:
    on_a_form = Contact(phone="+46 70 1")
    with purpose_scope(OFFERS):
        assert on_a_form.phone == "+46 70 1"
        with pytest.raises(PurposeViolation) as caught:
            given_for_login.phone
    text = str(caught.value)
    assert caught.value.collected == (LOGIN,)
    assert caught.value.allowed == (LOGIN,)
    assert "  allowed for  collected_login\n  collected    for collected_login\n" in text
    assert "ask the data subject: what was collected for collected_login stays bound to that" in text
    assert "change the tag" not in text
    with purpose_scope(LOGIN):
        assert given_for_login.phone == "+46 70 1"
    assert str(pickle.loads(pickle.dumps(caught.value))) == text


def test_what_the_tag_does_not_allow_is_for_nothing(given_for_login: Contact) -> None:
    for purpose in (LOGIN, OFFERS):
        with purpose_scope(purpose), pytest.raises(PurposeViolation) as caught:
            given_for_login.email
    assert "nothing: it was collected for what its tag does not allow" in str(caught.value)


def test_several_purposes_each_count() -> None:
    with collected_for(LOGIN, BILLS):
        contact = Contact(phone="1")
    assert policy(contact) is Policy([LOGIN, BILLS])


def test_a_narrower_purpose_narrows_further() -> None:
    with collected_for(SMS):
        assert policy(Contact(phone="1")) is Policy([SMS])


def test_a_block_inside_another_is_as_narrow_as_both() -> None:
    with collected_for(LOGIN, OFFERS):
        with collected_for(OFFERS, BILLS):
            assert policy(Contact(phone="1")) is Policy([OFFERS])
        assert policy(Contact(phone="1")) is Policy([LOGIN, OFFERS])
    assert policy(Contact(phone="1")) is Policy([LOGIN, OFFERS, BILLS])


def test_consent_and_never_stay() -> None:
    class Person(PurposeModel):
        phone: Annotated[str, AllowedFor(LOGIN, with_consent=[OFFERS], never=[SMS])]

    with collected_for(OFFERS, LOGIN):
        assert policy(Person(phone="1")) is Policy([LOGIN, OFFERS], [SMS], [OFFERS])
    with collected_for(OFFERS):
        assert policy(Person(phone="1")) is Policy([OFFERS], [SMS], [OFFERS])


def test_that_it_says_the_same_as_the_tag_is_kept() -> None:
    """Or a tag that is widened later would open what was collected before."""

    class Narrow(PurposeModel):
        phone: Annotated[str, AllowedFor(LOGIN)]

    class Wider(PurposeModel):
        phone: Annotated[str, AllowedFor(LOGIN, OFFERS)]

    with collected_for(LOGIN):
        narrow = Narrow(phone="1")
    assert narrow.__dict__["phone"]._purposebind_binding.collected is FOR_LOGIN
    assert policy(Wider(phone=narrow.__dict__["phone"])) is FOR_LOGIN


# --- Every way in ----------------------------------------------------------------------------------------------------


def _restored(values: dict[str, Any]) -> Contact:
    """An instance made of plain values, as a pickle of pydantic's would make it."""
    contact = Contact.__new__(Contact)
    slots = {"__pydantic_fields_set__": set[str](), "__pydantic_extra__": None, "__pydantic_private__": None}
    contact.__setstate__({"__dict__": values, **slots})
    return contact


@pytest.mark.parametrize(
    "make",
    [
        lambda: Contact(phone="1"),
        lambda: Contact.model_validate({"phone": "1"}),
        lambda: Contact.model_validate_json('{"phone": "1"}'),
        lambda: Contact.model_validate_strings({"phone": "1"}),
        lambda: Contact.model_construct(id=1, phone="1"),
        lambda: TypeAdapter(list[Contact]).validate_python([{"phone": "1"}])[0],
        lambda: TypeAdapter(Contact).validate_json('{"phone": "1"}'),
        lambda: _restored({"id": 1, "phone": "1"}),
    ],
)
def test_every_way_in_narrows(make: Any) -> None:
    with collected_for(LOGIN):
        made = make()
    assert policy(made) is FOR_LOGIN


def test_assignment_narrows_what_is_assigned_alone() -> None:
    for kind in (Contact, Checked):
        contact: Any = kind(phone="1", email="e")
        before = policy(contact, "email")
        with collected_for(LOGIN):
            contact.phone = "2"
        assert policy(contact) is FOR_LOGIN
        assert policy(contact, "email") is before
        contact.phone = "3"
        assert policy(contact) is not FOR_LOGIN  # it was given anew


def test_an_update_narrows_what_is_new_alone() -> None:
    contact = Contact(phone="1", email="e")
    with collected_for(LOGIN):
        copied = contact.model_copy(update={"phone": "2"})
    assert policy(copied) is FOR_LOGIN
    assert policy(copied, "email") is policy(contact, "email")
    assert policy(contact) is Policy([LOGIN, OFFERS, BILLS])


def test_a_box_made_by_hand_is_narrowed() -> None:
    tag = AllowedFor(LOGIN, OFFERS)
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[Sealed[str], tag])
    with collected_for(LOGIN):
        assert Sealed.of("1", tag).policy is FOR_LOGIN
        assert adapter.validate_python("1").policy is FOR_LOGIN
        assert boxed("1", Contact(phone="1").__dict__["phone"]._purposebind_binding).policy is FOR_LOGIN
    assert adapter.validate_python("1").policy is tag.policy


def test_what_comes_from_a_database_is_not_collected_now() -> None:
    binding = Contact(phone="1").__dict__["phone"]._purposebind_binding
    with collected_for(LOGIN):
        assert boxer(binding)("1").policy is binding.policy


def test_nested_roots_and_unions_are_narrowed() -> None:
    class Phone(PurposeRootModel[Annotated[str, AllowedFor(LOGIN, OFFERS)]]):
        pass

    class Holder(BaseModel):
        contacts: list[Contact | Phone]

    with collected_for(LOGIN):
        holder = Holder.model_validate({"contacts": [{"phone": "1"}, "2"]})
    assert policy(holder.contacts[0]) is FOR_LOGIN
    assert policy(holder.contacts[1], "root") is FOR_LOGIN


def test_values_that_move_are_not_collected_again() -> None:
    contact = Contact(phone="1")
    whole = policy(contact)
    rechecked = Rechecked(phone="1")
    with collected_for(LOGIN):
        assert policy(contact) is whole
        assert policy(copy.copy(contact)) is whole
        assert policy(copy.deepcopy(contact)) is whole
        assert policy(contact.model_copy()) is whole
        assert policy(Contact(phone=contact.__dict__["phone"])) is whole
        assert policy(Contact.model_validate(contact)) is whole
        assert policy(Rechecked.model_validate(rechecked)) is Policy([LOGIN, OFFERS])


# --- For its whole life ----------------------------------------------------------------------------------------------


def _moved(contact: Contact) -> Any:
    key = Fernet(Fernet.generate_key())
    return unpack(pack(contact, key.encrypt), key.decrypt)


def _assigned_elsewhere(contact: Contact) -> Any:
    contact.email = "b@example.com"
    return contact


def _checked(contact: Contact) -> Any:
    checked = Checked(phone=contact.__dict__["phone"])
    checked.email = "b@example.com"
    return checked


@pytest.mark.parametrize(
    "way",
    [
        copy.copy,
        copy.deepcopy,
        lambda contact: contact.model_copy(),
        lambda contact: contact.model_copy(deep=True),
        lambda contact: contact.model_copy(update={"email": "b"}),
        lambda contact: pickle.loads(pickle.dumps(contact)),
        lambda contact: cloudpickle.loads(cloudpickle.dumps(contact)),
        lambda contact: Contact(phone=contact.__dict__["phone"]),
        lambda contact: Contact.model_validate({"phone": contact.__dict__["phone"]}),
        lambda contact: Rechecked.model_validate(Rechecked(phone=contact.__dict__["phone"])),
        lambda contact: Rechecked.model_validate(copy.copy(Rechecked(phone=contact.__dict__["phone"]))),
        _moved,
        _assigned_elsewhere,
        _checked,
    ],
)
def test_it_stays_narrow_wherever_it_goes(way: Any, given_for_login: Contact) -> None:
    with purpose_scope(LOGIN), configure(mode="observe"):
        gone = way(given_for_login)
    assert policy(gone) is FOR_LOGIN
    assert gone.__dict__["phone"]._purposebind_binding.collected is FOR_LOGIN


def test_what_is_derived_stays_narrow(given_for_login: Contact) -> None:
    whole = Contact(phone="2")
    boxes = [one.__dict__["phone"] for one in (given_for_login, whole)]
    with purpose_scope(LOGIN):
        assert boxes[0].map(len).policy is FOR_LOGIN
        assert Sealed.join(lambda one, other: one + other, *boxes).policy is FOR_LOGIN

    class Derived(Contact):
        @cached_property
        def digits(self) -> int:
            return len(self.phone)

    with collected_for(LOGIN):
        derived = Derived(phone="123")
    with purpose_scope(LOGIN):
        assert derived.digits == 3
    with purpose_scope(OFFERS), pytest.raises(PurposeViolation):
        derived.digits


def test_sealing_again_keeps_the_box(given_for_login: Contact) -> None:
    box = given_for_login.__dict__["phone"]
    with purpose_scope(LOGIN), configure(mode="observe"):
        given_for_login.model_dump()
        pickle.dumps(given_for_login)
        dict(given_for_login)
    assert given_for_login.__dict__["phone"] is box


def test_bindings_are_made_once() -> None:
    made = []
    for _ in range(3):
        with collected_for(LOGIN):
            made.append(Contact(phone="1").__dict__["phone"]._purposebind_binding)
    assert made[0] is made[1] is made[2]
    unpickled = pickle.loads(pickle.dumps(made[0]))
    assert (unpickled.field, unpickled.policy, unpickled.collected) == ("Contact.phone", FOR_LOGIN, FOR_LOGIN)
    assert unpickled.of is None


def test_the_subject_and_the_ledger_stay(given_for_login: Contact, tmp_path: Any) -> None:
    with Ledger(tmp_path / "ledger") as ledger:
        with configure(ledger=ledger), purpose_scope(LOGIN):
            assert given_for_login.phone
            with collected_for(LOGIN):
                assert given_for_login.phone
                assert Contact(phone="1", id=2).phone
        assert ledger.affected(field="Contact.phone").people == 2
        assert [cell.reads for cell in ledger.matrix()] == [3]
        assert len(ledger.activities()) == 1  # the block is no activity of its own


def test_validators_see_plain_values() -> None:
    seen = []

    class Watching(PurposeModel):
        phone: Annotated[str, AllowedFor(LOGIN, OFFERS)]

        @field_validator("phone")
        @classmethod
        def look(cls, value: str) -> str:
            seen.append(value)
            return value + "!"

    with collected_for(LOGIN):
        watching = Watching(phone="1")
    assert seen == ["1"]
    assert policy(watching) is FOR_LOGIN


# --- The block -------------------------------------------------------------------------------------------------------


def test_it_opens_no_scope() -> None:
    with collected_for(LOGIN):
        assert active_purposes() == frozenset()
        with pytest.raises(NoActivePurpose):
            Contact(phone="1").phone


def test_inside_a_scope_everything_is_read_as_before() -> None:
    contact = Contact(phone="1")
    with purpose_scope(OFFERS), collected_for(LOGIN):
        assert active_purposes() == {OFFERS}
        assert contact.phone == "1"
        with purpose_scope(BILLS):
            assert active_purposes() == {OFFERS, BILLS}
            assert policy(Contact(phone="1")) is FOR_LOGIN
        with pytest.raises(PurposeViolation):
            Contact(phone="2").phone


def test_it_is_a_decorator_of_each_kind_of_callable() -> None:
    @collected_for(LOGIN)
    def made() -> Contact:
        return Contact(phone="1")

    @collected_for(LOGIN)
    async def made_later() -> Contact:
        await asyncio.sleep(0)
        return Contact(phone="1")

    @collected_for(LOGIN)
    def several() -> Iterator[Contact]:
        yield Contact(phone="1")
        yield Contact(phone="2")

    assert policy(made()) is FOR_LOGIN
    assert policy(asyncio.run(made_later())) is FOR_LOGIN
    steps = several()
    assert policy(next(steps)) is FOR_LOGIN
    assert policy(Contact(phone="3")) is not FOR_LOGIN  # between the steps
    assert policy(next(steps)) is FOR_LOGIN


def test_async_with_is_the_same() -> None:
    async def main() -> None:
        async with collected_for(LOGIN):
            assert policy(Contact(phone="1")) is FOR_LOGIN
            assert policy(await asyncio.create_task(_made())) is FOR_LOGIN
        assert policy(Contact(phone="1")) is not FOR_LOGIN

    asyncio.run(main())


async def _made() -> Contact:
    return Contact(phone="1")


def test_tasks_that_it_started_stay_narrow_when_it_is_over() -> None:
    async def main() -> None:
        over = asyncio.Event()

        async def outlives() -> tuple[Contact, bool]:
            await over.wait()
            return Contact(phone="1"), current_frame().granted is DEAD

        with purpose_scope(LOGIN):
            with collected_for(LOGIN):
                task = asyncio.create_task(outlives())
                await asyncio.sleep(0)
            over.set()
            made, dead = await task
        assert policy(made) is FOR_LOGIN
        assert dead

    asyncio.run(main())


def test_a_thread_starts_without_and_carries_it_along() -> None:
    with ThreadPoolExecutor(1) as executor, collected_for(LOGIN):
        assert policy(executor.submit(Contact, phone="1").result()) is not FOR_LOGIN
        assert policy(executor.submit(carry(lambda: Contact(phone="1"))).result()) is FOR_LOGIN
        with collected_for(LOGIN, OFFERS):
            pass

    def narrows_further() -> Contact:
        with collected_for(OFFERS, BILLS):
            return carried()

    with collected_for(LOGIN, OFFERS):
        carried = carry(lambda: Contact(phone="1"))
        assert policy(narrows_further()) is Policy([OFFERS])


def test_work_received_from_elsewhere_is_narrowed_inside() -> None:
    with received(["collected_offers"], origin="a message"), collected_for(LOGIN):
        made = Contact(phone="1")
        assert policy(made) is FOR_LOGIN
        with pytest.raises(NoActivePurpose):
            made.phone
        with purpose_scope(LOGIN), pytest.raises(PurposeViolation):
            made.phone


def test_an_emergency_reads_and_what_it_seals_is_narrowed(given_for_login: Contact, tmp_path: Any) -> None:
    with (
        Ledger(tmp_path / "ledger") as ledger,
        configure(ledger=ledger),
        break_glass("INC-2", by="Grace"),
        collected_for(OFFERS),
    ):
        assert given_for_login.phone == "+46 70 1"
        assert policy(Contact(phone="1")) is Policy([OFFERS])


def test_blocks_closed_out_of_order_leave_nothing_behind() -> None:
    outer, inner = collected_for(LOGIN, OFFERS), collected_for(OFFERS)
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    assert policy(Contact(phone="1")) is Policy([OFFERS])
    inner.__exit__(None, None, None)
    assert current_frame() is OUTSIDE
    assert policy(Contact(phone="1")) is Policy([LOGIN, OFFERS, BILLS])


def test_a_scope_that_is_closed_first_grants_nothing_any_more() -> None:
    contact = Contact(phone="1")
    scope, block = purpose_scope(LOGIN), collected_for(LOGIN)
    scope.__enter__()
    block.__enter__()
    assert contact.phone
    scope.__exit__(None, None, None)
    with pytest.raises(NoActivePurpose):
        contact.phone
    block.__exit__(None, None, None)
    assert current_frame() is OUTSIDE


def test_reading_after_the_block_says_which_block_is_over() -> None:
    contact = Contact(phone="1")

    async def main() -> None:
        over = asyncio.Event()

        async def outlives() -> str:
            await over.wait()
            return contact.phone

        with purpose_scope(LOGIN):
            with collected_for(LOGIN):
                task = asyncio.create_task(outlives())
                await asyncio.sleep(0)
            over.set()
            with pytest.raises(NoActivePurpose, match=r"the collected_for block, entered at .*, is over"):
                await task

    asyncio.run(main())


def test_a_block_in_a_loop_leaves_nothing_in_the_scope_around() -> None:
    with purpose_scope(LOGIN):
        for _ in range(10):
            with collected_for(LOGIN):
                Contact(phone="1")
        assert not current_frame().dependents
    gc.collect()
    assert not OUTSIDE.dependents


def test_it_cannot_be_open_twice_or_stand_in_a_generator() -> None:
    block = collected_for(LOGIN)
    with block, pytest.raises(PurposeError, match="is open already"):
        block.__enter__()
    with pytest.raises(PurposeError, match="is not open"):
        block.__exit__(None, None, None)
    with block:  # it may be used again
        assert policy(Contact(phone="1")) is FOR_LOGIN

    def generator() -> Iterator[int]:
        with collected_for(LOGIN):
            yield 1

    with pytest.raises(PurposeError, match="in the generator generator"):
        next(generator())


def test_it_names_a_purpose() -> None:
    with pytest.raises(PolicyError, match=r"collected_for\(\) names no purpose"):
        collected_for()
    with pytest.raises(TypeError, match="got the string 'collected_login'"):
        collected_for("collected_login")  # type: ignore[arg-type]
    assert repr(collected_for(LOGIN, OFFERS)) == "collected_for(collected_login, collected_offers)"


def test_threads_do_not_see_one_anothers() -> None:
    inside, seen = threading.Event(), threading.Event()
    found: list[Policy] = []

    def other() -> None:
        inside.wait(10)
        found.append(policy(Contact(phone="1")))
        seen.set()

    thread = threading.Thread(target=other)
    thread.start()
    with collected_for(LOGIN):
        inside.set()
        assert seen.wait(10)
    thread.join()
    assert found == [Policy([LOGIN, OFFERS, BILLS])]


def test_a_dead_watched_frame_is_not_revived_by_a_cached_property(tmp_path: Any) -> None:
    """A property computed after a break_glass block was left reads what the block's scope could, and no more."""

    class Derived(Contact):
        @cached_property
        def digits(self) -> int:
            return len(self.phone)

    derived = Derived(phone="123")

    async def main() -> None:
        over = asyncio.Event()

        async def outlives() -> int:
            await over.wait()
            return derived.digits

        with purpose_scope(LOGIN), break_glass("INC-3", by="Grace"):
            task = asyncio.create_task(outlives())
            await asyncio.sleep(0)
        over.set()
        with pytest.raises(NoActivePurpose):
            await task

    with Ledger(tmp_path / "ledger") as ledger, configure(ledger=ledger):
        asyncio.run(main())
