"""What was sent from another process narrows what the work may read, and never widens it."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    PolicyError,
    Purpose,
    PurposeError,
    PurposeModel,
    PurposeViolation,
    active_purposes,
    carry,
    configure,
    purpose_scope,
    scope,
)
from purposebind.break_glass import break_glass
from purposebind.errors import Reason
from purposebind.ledger import Ledger
from purposebind.policy import decide
from purposebind.receiving import UNRECOGNIZED, names_to_send, received
from purposebind.scope import noting

ORDERS = Purpose("receiving_orders", "Take the order")
SHIPPING = Purpose("receiving_shipping", "Bring the parcel")
PARCELS = SHIPPING.child("parcels", "Bring the parcel to the door")
ADS = Purpose("receiving_ads", "Choose ads")
TREE = [ORDERS, SHIPPING, PARCELS, ADS]
ORDERS.may_hand_over_to(SHIPPING, reason="A parcel needs an address")


class Customer(PurposeModel):
    address: Annotated[str, AllowedFor(SHIPPING)]
    name: Annotated[str, AllowedFor(ADS, SHIPPING, ORDERS)]


@pytest.fixture
def customer() -> Customer:
    return Customer(address="1 Main Street", name="Ada")


def test_what_is_received_grants_nothing(customer: Customer) -> None:
    """Whoever can write a header could read everything."""
    with received([SHIPPING.name], origin="the message of task parcels.send"):
        assert active_purposes() == frozenset()
        with pytest.raises(NoActivePurpose) as caught:
            _ = customer.address
    assert caught.value.reason is Reason.NO_SCOPE
    assert caught.value.sites == ()
    assert "received with the message of task parcels.send under receiving_shipping" in str(caught.value)
    assert "it has to state a purpose of its own" in str(caught.value)


def test_it_grants_nothing_after_the_same_purposes_were_granted_elsewhere(customer: Customer) -> None:
    """A grant that is remembered for a set of purposes would be found by work that only received them."""
    for _ in range(2):
        with purpose_scope(SHIPPING):
            assert customer.address
        with received([SHIPPING.name], origin="a message"), pytest.raises(NoActivePurpose):
            _ = customer.address
        with received([SHIPPING.name], origin="a message"), purpose_scope(SHIPPING):
            assert customer.address


def test_a_scope_inside_stands_on_it(customer: Customer) -> None:
    """An audience export could have a worker read the addresses for it."""
    with received([ADS.name], origin="a message"), purpose_scope(SHIPPING):
        assert active_purposes() == {ADS, SHIPPING}
        assert customer.name
        with pytest.raises(PurposeViolation, match="receiving_ads is not covered"):
            _ = customer.address


def test_a_handover_is_taken_as_in_one_process(customer: Customer) -> None:
    """The worker that rightly ships what was ordered would be refused, and messages be sent without their purposes."""
    with received([ORDERS.name], origin="a message"), purpose_scope(PARCELS):
        assert active_purposes() == {PARCELS}
        assert customer.address


@given(st.lists(st.sampled_from(TREE), max_size=3), st.lists(st.sampled_from(TREE), min_size=1, max_size=3), st.data())
def test_nothing_that_is_received_widens(sent: list[Purpose], stated: list[Purpose], data: Any) -> None:
    """By some order of purposes a header would open what the code alone does not."""
    allowed = frozenset(data.draw(st.sets(st.sampled_from(TREE), min_size=1)))
    never = frozenset(data.draw(st.sets(st.sampled_from(TREE), max_size=1)))
    try:
        policy = AllowedFor(*allowed, never=never).policy
    except PolicyError:
        return
    with purpose_scope(*stated):
        alone = decide(policy, active_purposes()).allowed
    with received([p.name for p in sent], origin="a message"), purpose_scope(*stated):
        inside = decide(policy, active_purposes()).allowed
        together = active_purposes()
    assert alone or not inside
    if sent:
        with purpose_scope(*sent), purpose_scope(*stated):
            assert active_purposes() == together or len(set(sent)) > 1  # entered one by one, members refine each other


def test_an_unknown_purpose_denies_everything(customer: Customer, caplog: pytest.LogCaptureFixture) -> None:
    """A sender with a newer version of the code would be taken for one that stated nothing."""
    with received(["receiving_new", SHIPPING.name], origin="the message of task t"), purpose_scope(SHIPPING):
        assert active_purposes() == {UNRECOGNIZED, SHIPPING}
        with pytest.raises(PurposeViolation, match="unrecognized") as caught:
            _ = customer.address
    assert "declare, in this process too" in str(caught.value)
    assert "may_hand_over_to" not in str(caught.value)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "the message of task t: sent under 1 purposes" in record.getMessage()
    assert "'receiving_new'" in record.getMessage()


def test_a_flood_of_unknown_names_is_logged_in_one_short_line(caplog: pytest.LogCaptureFixture) -> None:
    """A header could fill the disk, or write lines into the log that nobody wrote."""
    declared = len(Purpose.declared())
    with received([f"{n}\n" + "x" * 5000 for n in range(1000)], origin="a request"):
        assert names_to_send() == (UNRECOGNIZED.name,)
    (record,) = caplog.records
    assert len(record.getMessage()) < 500
    assert "\n" not in record.getMessage()
    assert len(Purpose.declared()) == declared


def test_nothing_can_be_handed_over_by_what_is_unknown() -> None:
    """One line, written to silence an error, would open every field to every sender."""
    with pytest.raises(PolicyError, match="Declare the purpose that is meant"):
        UNRECOGNIZED.may_hand_over_to(SHIPPING, reason="So that it works")


def test_what_is_handed_on_is_narrowed_too() -> None:
    """Two hops would wash off what one hop keeps."""
    assert names_to_send() == ()
    with received([ADS.name], origin="a message"):
        assert names_to_send() == (ADS.name,)
        with purpose_scope(PARCELS):
            assert names_to_send() == (ADS.name, PARCELS.name)
    with purpose_scope(PARCELS, ADS):
        assert names_to_send() == (ADS.name, PARCELS.name)


def test_nothing_received_narrows_nothing(customer: Customer) -> None:
    """Work that was sent from no scope would be refused what it rightly states."""
    with received([], origin="a message"):
        assert active_purposes() == frozenset()
        with purpose_scope(SHIPPING):
            assert customer.address
    with purpose_scope(SHIPPING), received([], origin="a message"):
        assert customer.address


def test_received_inside_a_scope_stands_on_both(customer: Customer) -> None:
    """Work that runs in its sender's process would read more, or less, than in another one."""
    with purpose_scope(ADS), received([ORDERS.name], origin="an eager task"):
        assert names_to_send() == (ADS.name, ORDERS.name)
        with pytest.raises(NoActivePurpose):
            _ = customer.name
        with purpose_scope(SHIPPING):
            assert active_purposes() == {ADS, SHIPPING}


def test_it_ends_with_its_block(customer: Customer) -> None:
    """The worker's next task would be narrowed by, or run under, what came with the last one."""
    before = received([ADS.name], origin="a message")
    with before:
        with pytest.raises(PurposeError, match="open already"):
            before.__enter__()
        with received([ORDERS.name], origin="another message"):
            pass
        assert names_to_send() == (ADS.name,)
    assert names_to_send() == ()
    with purpose_scope(SHIPPING):
        assert active_purposes() == {SHIPPING}
    with pytest.raises(PurposeError, match="not open"):
        before.__exit__(None, None, None)


def test_carried_to_a_thread_it_grants_nothing_either(customer: Customer) -> None:
    """`carry` would turn what was received into what was stated."""
    seen: list[Any] = []

    def read() -> None:
        try:
            seen.append(customer.address)
        except PurposeViolation as violation:
            seen.append(type(violation))

    with received([SHIPPING.name], origin="a message"):
        carried = carry(read)
        thread = threading.Thread(target=carried)
        thread.start()
        thread.join()
        carried()
        with purpose_scope(SHIPPING):
            carried()
    assert seen == [NoActivePurpose, NoActivePurpose, "1 Main Street"]


def test_work_of_ours_inside_it_grants_nothing(customer: Customer) -> None:
    """A cached property, which is computed in a frame of its own, would read what its owner may not."""
    with (
        received([SHIPPING.name], origin="a message"),
        noting(),
        pytest.raises(NoActivePurpose, match="received with"),
    ):
        _ = customer.address


def test_observing_lets_it_through_and_says_so(customer: Customer) -> None:
    """R11: what would be refused could not be counted before it is enforced."""
    denials: list[Any] = []
    with configure(mode="observe", on_violation=denials.append), received([SHIPPING.name], origin="a message"):
        assert customer.address
    assert [(one.field, one.active, one.enforced) for one in denials] == [("Customer.address", frozenset(), False)]


def test_a_ledger_counts_what_is_read_inside(customer: Customer, tmp_path: Any) -> None:
    """A count would leave out all that workers do."""
    ledger = Ledger(tmp_path / "ledger")
    with configure(ledger=ledger), received([ORDERS.name], origin="a message"):
        for _ in range(2):
            with pytest.raises(NoActivePurpose):
                _ = customer.address
        with purpose_scope(SHIPPING):
            assert customer.address
        with break_glass("INC-7: wrong address", by="Grace"):
            assert customer.address
    cells = {(cell.field, cell.purpose, cell.decision, cell.reads) for cell in ledger.matrix()}
    assert cells == {
        ("Customer.address", None, "denied", 2),
        ("Customer.address", SHIPPING.name, "allowed", 1),
        ("Customer.address", ORDERS.name, "break_glass", 1),  # it was done for an order, in an emergency
    }


def test_what_makes_no_sense_is_refused() -> None:
    """One text would be taken for its letters, each an unknown purpose."""
    with pytest.raises(TypeError, match="not one text"):
        received("orders", origin="a message")
    with pytest.raises(TypeError, match="not int"):
        received([], origin=1)  # type: ignore[arg-type]
    with pytest.raises(PolicyError, match="what did the purposes come with"):
        received(["orders"], origin=" ")


def test_a_generator_cannot_leave_it_open() -> None:
    """Whoever drives the generator would run under what it received."""

    def steps() -> Any:
        with received([ADS.name], origin="a message"):
            yield

    with pytest.raises(PurposeError, match="generator steps"):
        next(steps())


async def _asynchronously() -> tuple[str, ...]:
    async with received([ADS.name], origin="a message"):
        return names_to_send()


def test_it_can_be_awaited() -> None:
    """A server's code is asynchronous."""
    assert asyncio.run(_asynchronously()) == (ADS.name,)
    assert repr(received([ADS.name], origin="a message")) == "received(['receiving_ads'], origin='a message')"


def test_headers_cannot_fill_the_memory(customer: Customer) -> None:
    """Each set of purposes that anybody writes into a header would be kept for good: there are 2 to the 30 of 30."""
    many = [Purpose(f"receiving_many_{n}", "One of many") for n in range(8)]
    kept = len(scope._active_sets)
    for chosen in range(1, 256):
        sent = [purpose.name for n, purpose in enumerate(many) if chosen >> n & 1]
        with received(sent, origin="a request"), purpose_scope(SHIPPING), purpose_scope(ADS):
            assert len(active_purposes()) == len(sent) + 2
            carry(active_purposes)()
    assert len(scope._active_sets) == kept


def test_what_was_granted_under_received_purposes_is_recorded_once_a_ledger_is_on(
    customer: Customer, tmp_path: Any
) -> None:
    """A long task would go on reading off the record."""
    ledger = Ledger(tmp_path / "ledger")
    nowhere_else = ORDERS.child("nowhere_else", "Of no other test, so that the set is not kept")
    with received([nowhere_else.name, ADS.name], origin="a message"), purpose_scope(SHIPPING.child("too", "This too")):
        assert customer.name
        with configure(ledger=ledger):
            assert customer.name
    assert ledger.affected().reads == 1


def test_what_is_carried_into_received_work_is_stated(customer: Customer) -> None:
    """A callback that states its purpose would be refused for where it is called."""
    many = Purpose("receiving_carried", "Of no other test")
    with purpose_scope(SHIPPING):
        carried = carry(lambda: (customer.name, active_purposes()))
        kept = len(scope._active_sets)
        with received([SHIPPING.name], origin="a message"):
            assert carried() == ("Ada", {SHIPPING})
        with received([many.name], origin="a message"):
            with purpose_scope(ADS):
                assert carry(active_purposes)() == {ADS, many, SHIPPING}
                with pytest.raises(PurposeViolation, match="receiving_carried is not covered"):
                    carried()
            with pytest.raises(PurposeViolation, match="receiving_carried is not covered"):
                carried()
    assert len(scope._active_sets) == kept


def test_a_scope_that_the_work_forgot_to_leave_ends_with_the_work(customer: Customer) -> None:
    """The worker's next task would run in it, and read what it never stated."""
    outer = purpose_scope(ADS)
    with outer, received([ORDERS.name], origin="a message"):
        purpose_scope(SHIPPING).__enter__()
        purpose_scope(PARCELS).__enter__()
        assert active_purposes() == {ADS, PARCELS}
    assert active_purposes() == frozenset()
    assert names_to_send() == ()
    with received([], origin="a message"):
        purpose_scope(SHIPPING).__enter__()
    assert active_purposes() == frozenset()
    with pytest.raises(NoActivePurpose):
        _ = customer.address
