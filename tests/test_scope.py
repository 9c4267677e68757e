"""What a scope is while its block is open (R4), and that leaving it undoes exactly that."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import pytest

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    PolicyError,
    Purpose,
    PurposeError,
    PurposeViolation,
    Sealed,
    active_purposes,
    purpose_scope,
)
from purposebind.scope import taken_handovers

SECURITY = Purpose("scp_security", "Keep accounts safe")
TWO_FACTOR = SECURITY.child("two_factor", "Send a login code")
SMS = TWO_FACTOR.child("sms", "Send it by text message")
ALERTS = SECURITY.child("alerts", "Warn about logins")
ADS = Purpose("scp_ads", "Choose and measure ads")
ORDERS = Purpose("scp_orders", "Take the order")
GIFTS = ORDERS.child("gifts", "Wrap it")
SHIPPING = Purpose("scp_shipping", "Bring the parcel")
EXPRESS = SHIPPING.child("express", "Bring it today")
BOX = Sealed.of("+46 70 123 45 67", AllowedFor(TWO_FACTOR))
NOTHING: frozenset[Purpose] = frozenset()
HANDOVER = ORDERS.may_hand_over_to(SHIPPING, reason="A parcel needs an address")


class TestBlocks:
    def test_with(self) -> None:
        """Reads would be refused inside the block, or pass outside it (R3, R5)."""
        assert active_purposes() == NOTHING
        with purpose_scope(TWO_FACTOR):
            assert active_purposes() == {TWO_FACTOR}
            assert BOX.open() == "+46 70 123 45 67"
        assert active_purposes() == NOTHING
        with pytest.raises(NoActivePurpose):
            BOX.open()

    def test_async_with(self) -> None:
        """Reads would be refused in asynchronous code, or pass after its block (R3, R5)."""

        async def main() -> None:
            async with purpose_scope(TWO_FACTOR) as scope:
                assert isinstance(scope, purpose_scope)
                assert active_purposes() == {TWO_FACTOR}
                await asyncio.sleep(0)
                assert BOX.open() == "+46 70 123 45 67"
            assert active_purposes() == NOTHING
            with pytest.raises(NoActivePurpose):
                BOX.open()

        asyncio.run(main())

    def test_an_exception_passes_and_the_scope_is_left(self) -> None:
        """One failed request would leave its purpose to the next one on the thread (R5)."""
        error = KeyError("lost")
        with pytest.raises(KeyError) as caught, purpose_scope(TWO_FACTOR):
            raise error
        assert caught.value is error
        assert active_purposes() == NOTHING

        async def main() -> None:
            with pytest.raises(KeyError) as caught:
                async with purpose_scope(TWO_FACTOR):
                    raise error
            assert caught.value is error
            assert active_purposes() == NOTHING

        asyncio.run(main())

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
    def test_what_is_no_ordinary_exception_leaves_it_too(self, error: type[BaseException]) -> None:
        """A cancelled request would leave its purpose behind (R5)."""
        with pytest.raises(error), purpose_scope(TWO_FACTOR):
            raise error
        assert active_purposes() == NOTHING

    def test_it_may_be_used_again(self) -> None:
        """A scope kept at module level would work for the first request only."""
        scope = purpose_scope(TWO_FACTOR)
        for _ in range(3):
            with scope:
                assert active_purposes() == {TWO_FACTOR}
            assert active_purposes() == NOTHING

    def test_it_may_be_used_inside_itself(self) -> None:
        """A recursive function with a shared scope would lose it at the first return (R5)."""
        scope = purpose_scope(TWO_FACTOR)
        with scope:
            with scope:
                with scope:
                    assert active_purposes() == {TWO_FACTOR}
                assert BOX.open()
            assert active_purposes() == {TWO_FACTOR}
            assert BOX.open()
        assert active_purposes() == NOTHING

    def test_it_may_be_used_inside_itself_with_another_between(self) -> None:
        """The inner exit would take the wrong one of two entries of the same object (R5)."""
        scope, ads = purpose_scope(TWO_FACTOR), purpose_scope(ADS)
        with scope:
            with ads:
                with scope:
                    assert active_purposes() == {TWO_FACTOR, ADS}
                assert active_purposes() == {TWO_FACTOR, ADS}
            assert active_purposes() == {TWO_FACTOR}
        assert active_purposes() == NOTHING

    def test_threads_share_it(self) -> None:
        """One thread's exit would end another thread's block (R5)."""
        scope = purpose_scope(TWO_FACTOR)
        inside, first_left, checked = threading.Barrier(2), threading.Event(), []

        def first() -> None:
            with scope:
                inside.wait(10)
            first_left.set()

        def second() -> None:
            with scope:
                inside.wait(10)
                assert first_left.wait(10)
                checked.append((active_purposes(), BOX.open()))
            checked.append((active_purposes(), ""))

        with ThreadPoolExecutor(2) as executor:
            for future in [executor.submit(first), executor.submit(second)]:
                future.result(20)
        assert checked == [({TWO_FACTOR}, "+46 70 123 45 67"), (NOTHING, "")]

    def test_tasks_share_it(self) -> None:
        """One request's exit would end another request's block (R5)."""
        scope = purpose_scope(TWO_FACTOR)

        async def main() -> None:
            second_in, first_out = asyncio.Event(), asyncio.Event()

            async def first() -> None:
                with scope:
                    await second_in.wait()
                assert active_purposes() == NOTHING
                first_out.set()

            async def second() -> None:
                async with scope:
                    second_in.set()
                    await first_out.wait()
                    assert active_purposes() == {TWO_FACTOR}
                    assert BOX.open()
                assert active_purposes() == NOTHING

            await asyncio.gather(first(), second())

        asyncio.run(main())

    def test_what_is_returned_cannot_change_what_is_active(self) -> None:
        """A caller that edits the set it was given would widen its own scope."""
        with purpose_scope(ADS):
            active = active_purposes()
            assert isinstance(active, frozenset)
            active |= {TWO_FACTOR}
            assert active_purposes() == {ADS}

    def test_no_purpose_is_refused(self) -> None:
        """A scope for nothing would stay open for whatever was open before, and look as though it did something."""
        with pytest.raises(PolicyError, match="no purpose"):
            purpose_scope()

    def test_repr_says_what_it_is_for(self) -> None:
        """The messages that quote it would not help."""
        assert repr(purpose_scope(ADS, TWO_FACTOR)) == "purpose_scope(scp_ads, scp_security.two_factor)"


class TestEntering:
    """R4, clause by clause."""

    @pytest.mark.parametrize(
        ("entered", "expected"),
        [
            ([SECURITY, TWO_FACTOR], [TWO_FACTOR]),  # (a): the ancestor is refined away
            ([SECURITY, SMS], [SMS]),
            ([SECURITY, TWO_FACTOR, SMS], [SMS]),
            ([TWO_FACTOR, TWO_FACTOR], [TWO_FACTOR]),  # (a): Q itself
            ([TWO_FACTOR, SECURITY], [TWO_FACTOR, SECURITY]),  # (c): an ancestor entered inside widens nothing
            ([TWO_FACTOR, SECURITY, TWO_FACTOR], [TWO_FACTOR]),
            ([TWO_FACTOR, SECURITY, ALERTS], [TWO_FACTOR, ALERTS]),
            ([TWO_FACTOR, ALERTS], [TWO_FACTOR, ALERTS]),
            ([ADS, SECURITY], [ADS, SECURITY]),  # (c)
            ([ADS, SECURITY, TWO_FACTOR], [ADS, TWO_FACTOR]),
            ([SECURITY, ADS, TWO_FACTOR], [ADS, TWO_FACTOR]),
            ([ORDERS, SHIPPING], [SHIPPING]),  # (b)
            ([ORDERS, EXPRESS], [EXPRESS]),  # (b): reaches the target's descendants
            ([GIFTS, SHIPPING], [SHIPPING]),  # (b): inherited by the source's descendants
            ([GIFTS, EXPRESS], [EXPRESS]),
            ([SHIPPING, ORDERS], [SHIPPING, ORDERS]),  # one way only
            ([ADS, ORDERS, SHIPPING], [ADS, SHIPPING]),  # (b) and (c)
            ([ORDERS, SHIPPING, ORDERS], [SHIPPING, ORDERS]),
            ([ORDERS, SHIPPING, ORDERS, SHIPPING], [SHIPPING]),
            ([GIFTS, ORDERS, EXPRESS], [EXPRESS]),
        ],
    )
    def test_examples(self, entered: list[Purpose], expected: list[Purpose]) -> None:
        """Work would run for more, or for less, than R4 says: too many reads pass, or honest code is refused."""
        with contextlib.ExitStack() as stack:
            for purpose in entered:
                stack.enter_context(purpose_scope(purpose))
            assert active_purposes() == set(expected)
        with purpose_scope(*entered):
            assert active_purposes() == set(expected)
        assert active_purposes() == NOTHING

    def test_each_exit_brings_back_what_was_around(self) -> None:
        """After a helper returned, its caller would go on for the helper's purposes (R5)."""
        with purpose_scope(ADS):
            with purpose_scope(SECURITY):
                with purpose_scope(TWO_FACTOR):
                    assert active_purposes() == {ADS, TWO_FACTOR}
                assert active_purposes() == {ADS, SECURITY}
            assert active_purposes() == {ADS}
        with purpose_scope(ORDERS):
            with purpose_scope(SHIPPING):
                assert active_purposes() == {SHIPPING}
            assert active_purposes() == {ORDERS}

    @pytest.mark.parametrize(
        "purposes",
        list(permutations([SECURITY, TWO_FACTOR, ORDERS, EXPRESS], 3)),
        ids=lambda ps: "-".join(map(str, ps)),
    )
    def test_several_purposes_are_nesting(self, purposes: tuple[Purpose, ...]) -> None:
        """`purpose_scope(P, Q)` would open what nesting does not, or the handover would not be recorded (R4)."""
        one, two, three = purposes
        with purpose_scope(one), purpose_scope(two), purpose_scope(three):
            nested = active_purposes(), taken_handovers()
        with purpose_scope(*purposes):
            assert (active_purposes(), taken_handovers()) == nested
        with purpose_scope(ADS):
            with purpose_scope(one), purpose_scope(two, three):
                mixed = active_purposes(), taken_handovers()
            with purpose_scope(*purposes):
                assert (active_purposes(), taken_handovers()) == mixed
        assert mixed == (nested[0] | {ADS}, nested[1])

    def test_the_confused_deputy(self) -> None:
        """Advertising code would read a phone number by calling a helper that opens a security scope (R2, R4)."""

        def helper() -> str:
            with purpose_scope(TWO_FACTOR):
                return BOX.open()

        @purpose_scope(TWO_FACTOR)
        def decorated() -> str:
            return BOX.open()

        assert helper() == decorated() == "+46 70 123 45 67"
        for call in (helper, decorated):
            with purpose_scope(ADS), pytest.raises(PurposeViolation) as caught:
                call()
            assert caught.value.active == (ADS, TWO_FACTOR)
            assert caught.value.culprits == (ADS,)
        assert helper() == decorated() == "+46 70 123 45 67"

    def test_the_same_helper_under_a_broader_purpose(self) -> None:
        """Security code could not use its own helper for two-factor (R4 a)."""
        with purpose_scope(SECURITY):
            with pytest.raises(PurposeViolation):
                BOX.open()
            with purpose_scope(TWO_FACTOR):
                assert BOX.open()


class TestHandovers:
    def test_the_handover_taken_is_recorded(self) -> None:
        """Nobody could tell later that work left its purpose, nor by whose leave (R4 b)."""
        assert taken_handovers() == ()
        with purpose_scope(ORDERS):
            assert taken_handovers() == ()
            with purpose_scope(EXPRESS):
                assert taken_handovers() == (HANDOVER,)
                with purpose_scope(ADS):
                    assert taken_handovers() == (HANDOVER,)
            assert taken_handovers() == ()
        with purpose_scope(SHIPPING):
            assert taken_handovers() == ()

    def test_outermost_first(self) -> None:
        """The record would tell the steps in the wrong order (R4 b)."""
        one, two, three = (Purpose(f"scp_chain_{n}", "Step") for n in (1, 2, 3))
        first = one.may_hand_over_to(two, reason="One to two")
        second = two.may_hand_over_to(three, reason="Two to three")
        with purpose_scope(one), purpose_scope(two), purpose_scope(three):
            assert taken_handovers() == (first, second)
        with purpose_scope(one, two, three):
            assert taken_handovers() == (first, second)
            assert active_purposes() == {three}

    def test_handovers_do_not_chain_by_themselves(self) -> None:
        """Orders may go to shipping, shipping to returns: orders could jump to returns, which nobody reviewed (R4)."""
        one, two, three = (Purpose(f"scp_jump_{n}", "Step") for n in (1, 2, 3))
        one.may_hand_over_to(two, reason="One to two")
        two.may_hand_over_to(three, reason="Two to three")
        with purpose_scope(one), purpose_scope(three):
            assert active_purposes() == {one, three}
            assert taken_handovers() == ()

    def test_several_members_leave_at_once(self) -> None:
        """Only the first of two declared handovers would be taken, or recorded (R4 b)."""
        one, two, target = (Purpose(f"scp_two_{n}", "Step") for n in ("a", "b", "c"))
        first = one.may_hand_over_to(target, reason="A to C")
        second = two.may_hand_over_to(target, reason="B to C")
        with purpose_scope(ADS, one, two), purpose_scope(target):
            assert active_purposes() == {ADS, target}
            assert set(taken_handovers()) == {first, second}

    def test_refining_is_no_handover(self) -> None:
        """A handover would be recorded where the purpose was only made narrower (R4 a before b)."""
        root = Purpose("scp_refine", "Root")
        child = root.child("child", "Child")
        root.may_hand_over_to(child, reason="Needless")
        with purpose_scope(root), purpose_scope(child):
            assert active_purposes() == {child}
            assert taken_handovers() == ()

    def test_up_the_tree_by_handover(self) -> None:
        """A child's purpose that may go on as its parent's would have to stay, though somebody declared it (R4 b)."""
        root = Purpose("scp_up", "Root")
        child = root.child("child", "Child")
        handover = child.may_hand_over_to(root, reason="Widened with consent")
        with purpose_scope(child), purpose_scope(root):
            assert active_purposes() == {root}
            assert taken_handovers() == (handover,)

    def test_declared_after_the_first_entry(self) -> None:
        """A module imported late would declare its handover in vain, because entries are remembered (R4 b)."""
        one, other = Purpose("scp_late_a", "A"), Purpose("scp_late_b", "B")
        outer, inner = purpose_scope(one), purpose_scope(other)
        both = purpose_scope(one, other)
        with outer, inner:
            assert active_purposes() == {one, other}
        with both:
            assert active_purposes() == {one, other}
        with outer:
            with inner:
                handover = one.may_hand_over_to(other, reason="Declared late")
                assert active_purposes() == {one, other}  # what stands was decided on entering
                assert taken_handovers() == ()
            with inner:
                assert active_purposes() == {other}
                assert taken_handovers() == (handover,)
        with both:
            assert active_purposes() == {other}

    def test_declared_for_an_ancestor_after_the_first_entry(self) -> None:
        """As above, for a handover that is inherited (R4 b)."""
        one = Purpose("scp_lateroot_a", "A")
        below = one.child("child", "Child")
        other = Purpose("scp_lateroot_b", "B")
        under = other.child("child", "Child")
        with purpose_scope(below), purpose_scope(under):
            assert active_purposes() == {below, under}
        one.may_hand_over_to(other, reason="Declared late")
        with purpose_scope(below), purpose_scope(under):
            assert active_purposes() == {under}

    def test_it_opens_what_the_target_may_read(self) -> None:
        """A declared handover would be taken and still the read be refused, or pass without it (R2, R4)."""
        address = Sealed.of("1 Main Street", AllowedFor(SHIPPING))
        with purpose_scope(ORDERS), purpose_scope(SHIPPING):
            assert address.open() == "1 Main Street"
        with purpose_scope(ADS), purpose_scope(SHIPPING), pytest.raises(PurposeViolation):
            address.open()


class TestAcrossYields:
    def test_it_is_the_same_scope(self) -> None:
        """A fixture's scope would be for other purposes than it says."""
        scope = purpose_scope(ADS, TWO_FACTOR)
        held = scope.across_yields()
        assert held.purposes == scope.purposes
        with held:
            assert active_purposes() == {ADS, TWO_FACTOR}
        assert active_purposes() == NOTHING

    def test_the_original_stays_strict(self) -> None:
        """Saying "I mean it" once would switch the check off for every other user of a shared scope (R5)."""
        scope = purpose_scope(TWO_FACTOR)
        scope.across_yields()

        def generator():
            with scope:
                yield

        with pytest.raises(PurposeError, match="contextmanager"):
            next(generator())


def test_the_scopes_attributes_do_not_change_what_is_active() -> None:
    """Setting `scope.purposes` inside the block would widen it."""
    scope = purpose_scope(ADS)
    with scope:
        with contextlib.suppress(AttributeError):
            scope.purposes = (TWO_FACTOR,)
        assert active_purposes() == {ADS}
        with pytest.raises(PurposeViolation):
            BOX.open()
