"""What mutation testing found unproved in `purposebind.purpose`; see docs/mutation.md."""

from __future__ import annotations

from typing import Any

import pytest

from purposebind import PolicyError, Purpose, active_purposes, purpose_scope
from purposebind.receiving import UNRECOGNIZED

ORDERS = Purpose("mut_orders", "Take the order")
SHIPPING = Purpose("mut_shipping", "Bring the parcel")
GIFTS = Purpose("mut_gifts", "Wrap it")


def test_the_reason_of_a_handover_is_named() -> None:
    """A reviewer who looks for ``reason=`` would miss the handovers whose reason was passed by position (R4)."""
    may_hand_over_to: Any = ORDERS.may_hand_over_to
    with pytest.raises(TypeError):
        may_hand_over_to(GIFTS, "Some are presents")
    assert ORDERS.handover_to(GIFTS) is None


def test_a_handover_is_the_same_when_its_reason_reads_the_same() -> None:
    """A module imported under two names, or reloaded, would fail to declare its handover again (R4)."""
    words = ["A parcel", "needs a ribbon"]
    first = GIFTS.may_hand_over_to(SHIPPING, reason=" ".join(words))
    assert GIFTS.may_hand_over_to(SHIPPING, reason=" ".join(words)) is first


@pytest.mark.parametrize("other", ["A birthday", "Zebras like stripes"])
def test_a_handover_has_one_reason(other: str) -> None:
    """A second reason would be dropped without a word, and a reviewer would read the first alone (R4)."""
    wrapping = Purpose("mut_wrapping", "Choose the paper")
    GIFTS.may_hand_over_to(wrapping, reason="Paper for the gift")
    with pytest.raises(PolicyError, match="for another reason: 'Paper for the gift'"):
        GIFTS.may_hand_over_to(wrapping, reason=other)


def test_a_handover_holds_from_its_declaration_on() -> None:
    """A scope entered once before the declaration would keep refusing the handover until the process ends (R4)."""
    picking = Purpose("mut_picking", "Fetch it from the shelf")
    packing = Purpose("mut_packing", "Put it into a box")
    with purpose_scope(picking), purpose_scope(packing):
        assert active_purposes() == {picking, packing}
    picking.may_hand_over_to(packing, reason="What was fetched is packed")
    with purpose_scope(picking), purpose_scope(packing):
        assert active_purposes() == {packing}


def test_a_purpose_is_not_before_or_after_itself() -> None:
    """Sorting and bisecting purposes by ``<=`` and ``>=`` would lose the ones that are equal."""
    assert ORDERS <= ORDERS
    assert ORDERS >= ORDERS
    assert not ORDERS < ORDERS
    assert not ORDERS > ORDERS


def test_only_what_is_unknown_cannot_hand_over() -> None:
    """Purposes that come late in the alphabet could not, or what is unknown could."""
    late = Purpose("unrecognized_parcels", "Find out whose they are")
    assert late.may_hand_over_to(ORDERS, reason="The order says whose").source is late
    unknown = Purpose("unrecognized", UNRECOGNIZED.description)
    with pytest.raises(PolicyError, match="nothing can be handed over by them"):
        unknown.may_hand_over_to(ORDERS, reason="So that it works")
