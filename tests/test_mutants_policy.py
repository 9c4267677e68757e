"""What mutation testing found unproved in `purposebind.policy`; see docs/mutation.md."""

from __future__ import annotations

import dataclasses

import pytest

from purposebind import Purpose
from purposebind.policy import Policy, decide

CARE = Purpose("mut_care", "Treat the patient")


@pytest.mark.parametrize("active", [frozenset({CARE}), frozenset()])
def test_a_decision_cannot_be_changed(active: frozenset[Purpose]) -> None:
    """The decisions to allow and that no scope is open are shared: changed once, they would hold for all reads (R2)."""
    decision = decide(Policy([CARE]), active)
    with pytest.raises(dataclasses.FrozenInstanceError):
        decision.allowed = not decision.allowed  # type: ignore[misc]


def test_what_either_source_refuses_the_derived_value_refuses() -> None:
    """A value made of two fields could be read for what one of them is never to be read for (R8)."""
    training, billing = CARE.child("training", "Teach with cases"), CARE.child("billing", "Charge for treatment")
    joined = Policy([CARE], [training]).join(Policy([CARE], [billing]))
    assert joined.never == {training, billing}
    assert not decide(joined, frozenset({training})).allowed
    assert not decide(joined, frozenset({billing})).allowed
