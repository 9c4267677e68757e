"""The decision (R2, R3) and the joining and narrowing of policies (R8), by example and against an oracle."""

from __future__ import annotations

import copy
import pickle
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purposebind import AllowedFor, PolicyError, Purpose
from purposebind.errors import Reason
from purposebind.policy import Decision, Policy, decide

A = Purpose("pol_a", "A")
AB = A.child("b", "A.B")
ABC = AB.child("c", "A.B.C")
ABD = AB.child("d", "A.B.D")
AE = A.child("e", "A.E")
F = Purpose("pol_f", "F")
FG = F.child("g", "F.G")
H = Purpose("pol_h", "H")
TREE = [A, AB, ABC, ABD, AE, F, FG, H]

sets = st.frozensets(st.sampled_from(TREE), max_size=4)
scopes = st.frozensets(st.sampled_from(TREE), min_size=1, max_size=4)
policies = st.builds(Policy, sets, sets)


def at_or_below(purpose: Purpose, other: Purpose) -> bool:
    """The oracle works on names alone, so that it shares nothing with the code."""
    return purpose.name == other.name or purpose.name.startswith(other.name + ".")


def permits(allowed: frozenset[Purpose], never: frozenset[Purpose], purpose: Purpose) -> bool:
    """R2 for one purpose, word by word."""
    covered = any(at_or_below(purpose, p) for p in allowed)
    refused = any(at_or_below(purpose, p) for p in never)
    return covered and not refused


def permitted(policy: Policy) -> set[Purpose]:
    return {p for p in TREE if permits(policy.allowed, policy.never, p)}


class TestDecide:
    @pytest.mark.parametrize(
        ("allowed", "never", "active", "expected"),
        [
            ([A], [], [A], Decision(True)),
            ([A], [], [AB], Decision(True)),
            ([A], [], [ABC, AE], Decision(True)),
            ([A, F], [], [ABC, FG], Decision(True)),
            ([AB], [], [A], Decision(False, Reason.NOT_ALLOWED, (A,))),
            ([AB], [], [AE], Decision(False, Reason.NOT_ALLOWED, (AE,))),
            ([A], [], [A, F], Decision(False, Reason.NOT_ALLOWED, (F,))),
            ([A], [], [H, F, A], Decision(False, Reason.NOT_ALLOWED, (F, H))),
            ([A], [AB], [A], Decision(True)),
            ([A], [AB], [AE], Decision(True)),
            ([A], [AB], [AB], Decision(False, Reason.NEVER, (AB,))),
            ([A], [AB], [ABC], Decision(False, Reason.NEVER, (ABC,))),
            ([A], [AB], [A, ABC], Decision(False, Reason.NEVER, (ABC,))),
            ([A], [AB], [ABC, F], Decision(False, Reason.NEVER, (ABC,))),
            ([A], [F], [A, FG], Decision(False, Reason.NEVER, (FG,))),
            ([A], [F], [A, H], Decision(False, Reason.NOT_ALLOWED, (H,))),
            ([], [], [A], Decision(False, Reason.NOT_ALLOWED, (A,))),
            ([A], [], [], Decision(False, Reason.NO_SCOPE)),
            ([A], [A], [], Decision(False, Reason.NO_SCOPE)),
            ([], [], [], Decision(False, Reason.NO_SCOPE)),
        ],
    )
    def test_examples(
        self, allowed: list[Purpose], never: list[Purpose], active: list[Purpose], expected: Decision
    ) -> None:
        """A read would pass that R2 or R3 refuses, or be refused for a reason that misleads."""
        assert decide(Policy(allowed, never), frozenset(active)) == expected

    @given(policies, scopes)
    def test_it_is_the_conjunction_over_the_active_purposes(self, policy: Policy, active: frozenset[Purpose]) -> None:
        """One allowed purpose among several would open the value for the others (R2)."""
        decision = decide(policy, active)
        assert decision.allowed is all(decide(policy, frozenset([p])).allowed for p in active)
        assert decision.allowed is all(permits(policy.allowed, policy.never, p) for p in active)

    @given(sets, sets, scopes)
    def test_normal_form_changes_no_decision(
        self, allowed: frozenset[Purpose], never: frozenset[Purpose], active: frozenset[Purpose]
    ) -> None:
        """A tag would mean something else than what was written in it (R2)."""
        assert decide(Policy(allowed, never), active).allowed is all(permits(allowed, never, p) for p in active)

    @given(policies, scopes)
    def test_reason_and_culprits(self, policy: Policy, active: frozenset[Purpose]) -> None:
        """The message would blame a purpose that is covered, or hide that a tag says never."""
        decision = decide(policy, active)
        refused = tuple(sorted(p for p in active if any(at_or_below(p, n) for n in policy.never)))
        uncovered = tuple(sorted(p for p in active if not any(at_or_below(p, a) for a in policy.allowed)))
        if refused:
            assert (decision.reason, decision.culprits) == (Reason.NEVER, refused)
        elif uncovered:
            assert (decision.reason, decision.culprits) == (Reason.NOT_ALLOWED, uncovered)
        else:
            assert (decision.reason, decision.culprits) == (None, ())

    @given(policies)
    def test_no_scope_no_read(self, policy: Policy) -> None:
        """A script without a scope would read everything: all() of nothing is true (R3)."""
        assert decide(policy, frozenset()) == Decision(False, Reason.NO_SCOPE)

    @given(policies, scopes, scopes)
    def test_more_active_purposes_never_open_more(
        self, policy: Policy, active: frozenset[Purpose], more: frozenset[Purpose]
    ) -> None:
        """Opening a second scope inside the first would gain something (R2, the confused deputy)."""
        if decide(policy, active | more).allowed:
            assert decide(policy, active).allowed

    @given(policies, scopes)
    def test_it_is_pure(self, policy: Policy, active: frozenset[Purpose]) -> None:
        """The second read would be decided otherwise than the first."""
        assert decide(policy, active) == decide(policy, active) == decide(policy, frozenset(list(active)))


class TestNormalForm:
    @given(sets, sets)
    def test_it_is_normal(self, allowed: frozenset[Purpose], never: frozenset[Purpose]) -> None:
        """Equal policies would have many forms, and comparing two of them by identity would be wrong (R8)."""
        policy = Policy(allowed, never)
        for one, other in combinations(policy.allowed, 2):
            assert not at_or_below(one, other)
            assert not at_or_below(other, one)
        for one, other in combinations(policy.never, 2):
            assert not at_or_below(one, other)
            assert not at_or_below(other, one)
        assert not any(at_or_below(p, n) for p in policy.allowed for n in policy.never)
        assert policy.allowed <= allowed
        assert policy.never <= never

    @given(policies)
    def test_it_is_idempotent_and_interned(self, policy: Policy) -> None:
        """Two equal policies would be two objects: grants for one would not count for the other."""
        assert Policy(policy.allowed, policy.never) is policy
        assert Policy(sorted(policy.allowed, reverse=True), list(policy.never)) is policy
        assert copy.copy(policy) is policy
        assert copy.deepcopy(policy) is policy
        assert pickle.loads(pickle.dumps(policy)) is policy

    @given(sets, sets, sets, sets)
    def test_what_is_written_otherwise_and_means_the_same_is_one_object(
        self, allowed: frozenset[Purpose], never: frozenset[Purpose], more: frozenset[Purpose], less: frozenset[Purpose]
    ) -> None:
        """AllowedFor(A) and AllowedFor(A, A_CHILD) would be told apart by R8."""
        redundant = frozenset(p for p in more if any(at_or_below(p, a) for a in allowed))
        refused = frozenset(p for p in less if any(at_or_below(p, n) for n in never))
        assert Policy(allowed | redundant, never | refused) is Policy(allowed, never)

    def test_it_cannot_be_changed(self) -> None:
        """Code could widen every field with the same tag by one assignment: the object is shared."""
        policy = Policy([A], [AB])
        for name in ("allowed", "never", "new"):
            with pytest.raises(AttributeError):
                setattr(policy, name, frozenset([F]))
            with pytest.raises(AttributeError):
                delattr(policy, name)
        assert (policy.allowed, policy.never) == ({A}, {AB})
        assert not hasattr(policy, "__dict__")

    def test_text(self) -> None:
        """The sealed marker in a log would not say what the field is for (R6)."""
        assert str(Policy([F, AB])) == "pol_a.b, pol_f"
        assert str(Policy([A], [AE, AB])) == "pol_a, never pol_a.b, pol_a.e"
        assert str(Policy([])) == "nothing"
        assert repr(Policy([A])) == "<Policy pol_a>"


class TestJoin:
    @given(policies, policies, scopes)
    def test_it_allows_exactly_what_both_allow(self, one: Policy, other: Policy, active: frozenset[Purpose]) -> None:
        """A value derived from two fields would be open where one is not, or closed where both are open (R8)."""
        both = decide(one, active).allowed and decide(other, active).allowed
        assert decide(one.join(other), active).allowed is both

    @given(policies, policies)
    def test_commutative(self, one: Policy, other: Policy) -> None:
        """What a value may be used for would depend on the order of arguments (R8)."""
        assert one.join(other) is other.join(one)

    @given(policies, policies, policies)
    def test_associative(self, one: Policy, other: Policy, third: Policy) -> None:
        """What a value may be used for would depend on the order it was computed in (R8)."""
        assert one.join(other).join(third) is one.join(other.join(third))

    @given(policies)
    def test_idempotent(self, one: Policy) -> None:
        """A value joined with itself would be narrower than itself (R8)."""
        assert one.join(one) is one

    def test_nothing_in_common(self) -> None:
        """A value made from two fields that share no purpose would be readable somewhere (R8)."""
        joined = Policy([A]).join(Policy([F]))
        assert joined.allowed == frozenset()
        assert not decide(joined, frozenset([A])).allowed
        assert not decide(joined, frozenset([F])).allowed


class TestWidens:
    @given(policies, policies)
    def test_empty_exactly_where_it_narrows(self, one: Policy, base: Policy) -> None:
        """A subclass would open its parent's field, or a narrowing subclass be refused (R8)."""
        assert (one.widens(base) == ()) is (permitted(one) <= permitted(base))

    @given(policies, policies)
    def test_what_it_names_is_what_is_added(self, one: Policy, base: Policy) -> None:
        """The error would name a purpose that is not the trouble."""
        named = one.widens(base)
        assert list(named) == sorted(set(named))
        assert set(named) <= permitted(one) - permitted(base)

    @given(policies, policies)
    def test_a_join_never_widens(self, one: Policy, other: Policy) -> None:
        """Derived values would be refused as wider than their sources (R8)."""
        joined = one.join(other)
        assert joined.widens(one) == ()
        assert joined.widens(other) == ()

    def test_dropping_a_never_widens(self) -> None:
        """A subclass would silently drop its parent's `never=` (R8)."""
        assert Policy([A]).widens(Policy([A], [AB])) == (AB,)
        assert Policy([ABC]).widens(Policy([A], [AB])) == (ABC,)
        assert Policy([A], [AB]).widens(Policy([A])) == ()


class TestAllowedFor:
    def test_no_purpose(self) -> None:
        """A field would be closed to everyone because of a pair of empty brackets."""
        with pytest.raises(PolicyError, match="no purpose"):
            AllowedFor()
        with pytest.raises(PolicyError, match="no purpose"):
            AllowedFor(never=[A])

    @pytest.mark.parametrize(
        ("allowed", "never"), [([A], [A]), ([AB], [A]), ([ABC], [A]), ([A, F], [F]), ([A, AB], [AB])]
    )
    def test_contradictions(self, allowed: list[Purpose], never: list[Purpose]) -> None:
        """A tag would name a purpose that it can never be read for, and its author would believe otherwise."""
        with pytest.raises(PolicyError, match="contradict"):
            AllowedFor(*allowed, never=never)

    def test_never_below_and_beside_is_fine(self) -> None:
        """An exception to a purpose could not be written."""
        assert AllowedFor(A, never=[AB]).policy is Policy([A], [AB])
        assert AllowedFor(A, never=[F]).policy is Policy([A], [F])
        assert AllowedFor(A, never=iter([F])).policy is Policy([A], [F])

    def test_it_cannot_be_changed(self) -> None:
        """Code could change what a field is for, after the model is built."""
        tag = AllowedFor(A)
        with pytest.raises(AttributeError):
            tag.policy = Policy([F])
        with pytest.raises(AttributeError):
            del tag.policy
        with pytest.raises(AttributeError):
            tag.other = 1  # type: ignore[attr-defined]
        assert tag.policy is Policy([A])

    def test_equality_hash_and_text(self) -> None:
        """pydantic caches by Annotated metadata: two tags taken for equal would swap policies."""
        assert AllowedFor(A) == AllowedFor(A, AB)
        assert hash(AllowedFor(A)) == hash(AllowedFor(A, AB))
        assert AllowedFor(A) != AllowedFor(AB)
        assert AllowedFor(A) != AllowedFor(A, never=[AB])
        assert AllowedFor(A) != Policy([A])
        assert repr(AllowedFor(F, A)) == "AllowedFor(pol_a, pol_f)"
        assert repr(AllowedFor(A, never=[AE, AB])) == "AllowedFor(pol_a, never=[pol_a.b, pol_a.e])"

    @pytest.mark.parametrize("tag", [AllowedFor(A), AllowedFor(A, F, never=[AB, FG])], ids=repr)
    def test_copies_and_pickles(self, tag: AllowedFor) -> None:
        """A model sent to another process by value would lose its tags."""
        assert copy.copy(tag) == tag
        assert copy.deepcopy(tag) == tag
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(tag, protocol)) == tag

    @given(st.frozensets(st.sampled_from(TREE), min_size=1, max_size=4), sets, st.sampled_from(TREE))
    def test_it_permits_what_it_says(
        self, allowed: frozenset[Purpose], never: frozenset[Purpose], active: Purpose
    ) -> None:
        """A tag would mean something else than what is written in it (R2)."""
        contradicts = any(at_or_below(p, n) for p in allowed for n in never)
        try:
            tag = AllowedFor(*allowed, never=never)
        except PolicyError:
            assert contradicts
        else:
            assert not contradicts
            assert decide(tag.policy, frozenset([active])).allowed is permits(allowed, never, active)
