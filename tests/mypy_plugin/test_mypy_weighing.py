"""The static check decides on names what the library decides on purposes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from purposebind import Purpose
from purposebind.mypy.weighing import Terms, entered, includes, uncovered
from purposebind.policy import Policy, decide
from purposebind.scope import active_set, enter

_ROOTS = [Purpose(f"mypyw_{name}", "A root") for name in "abc"]
_CHILDREN = [root.child(name, "A child") for root in _ROOTS for name in "xy"]
_GRANDCHILDREN = [child.child("deep", "A grandchild") for child in _CHILDREN[:3]]
_ALL = [*_ROOTS, *_CHILDREN, *_GRANDCHILDREN]
_ROOTS[0].may_hand_over_to(_ROOTS[1], reason="For this test")
_CHILDREN[3].may_hand_over_to(_CHILDREN[4], reason="For this test")
_GRANDCHILDREN[0].may_hand_over_to(_ROOTS[2], reason="For this test")

_some = st.lists(st.sampled_from(_ALL), max_size=4)
_policies = st.builds(Policy, _some, _some, _some)


def _terms(policy: Policy) -> Terms:
    sets = (policy.allowed, policy.never, policy.consent)
    return Terms(*(frozenset(purpose.name for purpose in one) for one in sets))


def _hands_over(one: str, other: str) -> bool:
    return Purpose.find(one).handover_to(Purpose.find(other)) is not None


@given(st.sampled_from(_ALL), st.sampled_from(_ALL))
def test_a_name_says_what_includes_it(one: Purpose, other: Purpose) -> None:
    """R2: a purpose would cover another by the letters of its name."""
    assert includes(one.name, other.name) == one.includes(other)


@given(_policies, _some.filter(bool))
def test_a_read_is_refused_for_the_same_purposes(policy: Policy, active: list[Purpose]) -> None:
    """R2: the editor would say one thing and the service another."""
    decision = decide(policy, frozenset(active))
    found = uncovered(_terms(policy), {purpose.name for purpose in active})
    assert found == [] if decision.allowed else found == [purpose.name for purpose in decision.culprits]


@given(_some)
def test_entering_leads_to_the_same_purposes(purposes: list[Purpose]) -> None:
    """R4: a handover that counts in the one and not in the other makes a false report, or misses a read."""
    standing, known = active_set(frozenset(), passing=True), frozenset[str]()
    for purpose in purposes:
        standing = enter(standing, purpose).active
        known = entered(known, purpose.name, _hands_over)
    assert known == {purpose.name for purpose in standing.purposes}


@given(_policies, _policies)
def test_joining_and_widening_are_the_same(one: Policy, other: Policy) -> None:
    """R8: a subclass would be refused at import after the check had passed it."""
    assert _terms(one).join(_terms(other)) == _terms(one.join(other))
    assert _terms(one).widens(_terms(other)) == [purpose.name for purpose in one.widens(other)]


@given(_policies)
def test_they_read_the_same(policy: Policy) -> None:
    """What the editor says of a tag is found in no error of the service's."""
    assert str(_terms(policy)) == str(policy)
