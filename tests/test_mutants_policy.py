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
