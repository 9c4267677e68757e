"""Purposes and handovers: what people declare and review (R2, R4)."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import purposebind
from purposebind import AllowedFor, PolicyError, Purpose, purpose_scope, requires_purpose
from purposebind.purpose import Handover

ROOT = Purpose("purp_root", "Keep accounts safe")
CHILD = ROOT.child("two_factor", "Send a login code")
GRANDCHILD = CHILD.child("sms", "Send it by text message")
SIBLING = ROOT.child("alerts", "Warn about logins")
OTHER = Purpose("purp_other", "Choose and measure ads")

PACKAGE_ROOT = str(Path(purposebind.__file__).parents[1])


def run_elsewhere(code: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {PACKAGE_ROOT!r})\n" + textwrap.dedent(code)],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )


class TestDeclaring:
    def test_the_same_declaration_gives_the_same_object(self) -> None:
        """Two modules that declare one purpose would have two: data allowed for the one, refused for the other."""
        assert Purpose("purp_root", "Keep accounts safe") is ROOT
        assert ROOT.child("two_factor", "Send a login code") is CHILD
        assert Purpose("purp_root.two_factor", "Send a login code") is CHILD

    def test_another_description_is_refused(self) -> None:
        """Two teams would mean different things by one name, and each would read the other's data."""
        with pytest.raises(PolicyError, match=r"(?s)purp_root.*Keep accounts safe.*Sell ads"):
            Purpose("purp_root", "Sell ads")
        with pytest.raises(PolicyError, match="two_factor"):
            ROOT.child("two_factor", "Sell ads")
        assert Purpose.find("purp_root") is ROOT
        assert ROOT.description == "Keep accounts safe"

    @pytest.mark.parametrize(
        "name",
        [
            "",
            ".",
            "purp_a.",
            ".purp_a",
            "purp_root..x",
            "Purp",
            "purp_root.Two",
            "purp a",
            " purp",
            "purp ",
            "purp\n",
            "purp_root.x\n",
            "purp-a",
            "1purp",
            "_purp",
            "purp_root._x",
            "purp/x",
            "pürp",
            "purp٣",
            "purp\u200b",
        ],
    )
    def test_malformed_names_are_refused(self, name: str) -> None:
        """Two spellings of one purpose would be two purposes, told apart by a space that nobody sees."""
        before = Purpose.declared()
        with pytest.raises(PolicyError, match="name"):
            Purpose(name, "Something")
        assert Purpose.declared() == before

    @pytest.mark.parametrize("name", ["", "a.b", ".", "Two", "two factor", "two\n", "9", "_x"])
    def test_malformed_child_names_are_refused(self, name: str) -> None:
        """A dotted or empty child would hang the purpose somewhere else in the tree than its author thinks."""
        before = Purpose.declared()
        with pytest.raises(PolicyError):
            ROOT.child(name, "Something")
        assert Purpose.declared() == before

    @pytest.mark.parametrize("name", [None, 5, b"purp_bytes", True, ["purp"], OTHER], ids=repr)
    def test_a_name_is_a_string(self, name: object) -> None:
        """A purpose would be declared under what somebody's object happens to look like as text."""
        before = Purpose.declared()
        with pytest.raises(TypeError):
            Purpose(name, "Something")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            ROOT.child(name, "Something")  # type: ignore[arg-type]
        assert Purpose.declared() == before

    @pytest.mark.parametrize("description", ["", " ", "\n\t"])
    def test_a_purpose_needs_a_description(self, description: str) -> None:
        """Nobody could say later what the data subject was told."""
        with pytest.raises(PolicyError, match="description"):
            Purpose("purp_undescribed", description)
        with pytest.raises(PolicyError):
            Purpose.find("purp_undescribed")

    def test_a_description_is_a_string(self) -> None:
        """A missing description would be declared as the word None."""
        with pytest.raises(TypeError):
            Purpose("purp_undescribed", None)  # type: ignore[arg-type]

    def test_a_parent_must_be_declared_first(self) -> None:
        """A typo in the parent's name would make a second tree, that nothing includes."""
        with pytest.raises(PolicyError, match=r"purp_typo"):
            Purpose("purp_typo.child", "Something")
        with pytest.raises(PolicyError):
            Purpose.find("purp_typo.child")

    def test_parts_may_hold_digits_and_underscores(self) -> None:
        """Ordinary names would be refused."""
        assert Purpose("purp_2fa_v2", "Log in").child("sms_1", "By text").name == "purp_2fa_v2.sms_1"

    def test_parents(self) -> None:
        """Inclusion would be worked out from a wrong tree (R2)."""
        assert ROOT.parent is None
        assert GRANDCHILD.parent is CHILD
        assert GRANDCHILD.ancestors == {ROOT, CHILD, GRANDCHILD}
        assert ROOT.ancestors == {ROOT}

    def test_threads_that_declare_one_purpose_get_one_object(self) -> None:
        """Under a threaded server two requests would each have their own purpose, and refuse each other's data."""
        count = 16
        for attempt in range(25):
            barrier = threading.Barrier(count)

            def declare(attempt: int = attempt, barrier: threading.Barrier = barrier) -> Purpose:
                barrier.wait()
                return Purpose(f"purp_thread_{attempt}", "Same").child("part", "Same too")

            with ThreadPoolExecutor(count) as executor:
                found = {id(f.result()) for f in [executor.submit(declare) for _ in range(count)]}
            assert len(found) == 1
            assert Purpose.find(f"purp_thread_{attempt}.part").parent is Purpose.find(f"purp_thread_{attempt}")

    def test_threads_that_disagree_have_one_winner(self) -> None:
        """A purpose would mean two things, depending on which thread came first."""
        barrier = threading.Barrier(8)

        def declare(number: int) -> Purpose | None:
            barrier.wait()
            try:
                return Purpose("purp_contested", f"Meaning {number}")
            except PolicyError:
                return None

        with ThreadPoolExecutor(8) as executor:
            results = list(executor.map(declare, range(8)))
        assert [r for r in results if r is not None] == [Purpose.find("purp_contested")]


class TestImmutability:
    @pytest.mark.parametrize("name", ["name", "description", "parent", "ancestors", "new", "__class__", "__doc__"])
    def test_nothing_can_be_set_or_deleted(self, name: str) -> None:
        """Code could widen a purpose for the whole process with one assignment."""
        kept = (ROOT.name, ROOT.description, ROOT.parent, ROOT.ancestors, type(ROOT))
        with pytest.raises(AttributeError):
            setattr(ROOT, name, OTHER)
        with pytest.raises(AttributeError):
            delattr(ROOT, name)
        assert (ROOT.name, ROOT.description, ROOT.parent, ROOT.ancestors, type(ROOT)) == kept

    def test_no_other_road_changes_one(self) -> None:
        """Calling it again, adding to its ancestors or writing into its attributes would move it in the tree."""
        kept = (ROOT.name, ROOT.description, ROOT.parent, ROOT.ancestors)
        assert not hasattr(ROOT, "__dict__")
        assert isinstance(ROOT.ancestors, frozenset)
        with pytest.raises((TypeError, AttributeError)):
            ROOT.__init__("purp_changed", "Changed")  # type: ignore[misc]
            assert (ROOT.name, ROOT.description, ROOT.parent, ROOT.ancestors) == kept
            raise TypeError("calling __init__ again changed nothing, which is as good")
        with pytest.raises((TypeError, AttributeError)):
            ROOT.__setstate__((None, {"name": "purp_changed"}))  # type: ignore[attr-defined]
        assert (ROOT.name, ROOT.description, ROOT.parent, ROOT.ancestors) == kept

    def test_the_list_of_purposes_is_a_copy(self) -> None:
        """A caller could edit the registry."""
        declared = Purpose.declared()
        assert isinstance(declared, tuple)
        assert list(declared) == sorted(declared)
        assert {ROOT, CHILD, GRANDCHILD, SIBLING, OTHER} <= set(declared)


class TestHashAndOrder:
    def test_hash_and_equality(self) -> None:
        """A purpose could not be found again in a set or a dict, and policies would never match."""
        assert {ROOT: 1}[Purpose.find("purp_root")] == 1
        assert Purpose("purp_root", "Keep accounts safe") == ROOT
        assert ROOT != CHILD
        assert ROOT != "purp_root"
        assert hash(ROOT) == hash(Purpose.find("purp_root"))
        assert len({ROOT, CHILD, ROOT}) == 2

    def test_order_is_that_of_the_dotted_name(self) -> None:
        """Messages and records would list purposes in another order at every run."""
        shuffled = [OTHER, GRANDCHILD, SIBLING, ROOT, CHILD]
        assert [p.name for p in sorted(shuffled)] == sorted(p.name for p in shuffled)
        assert ROOT < CHILD
        assert ROOT <= CHILD
        assert Purpose.find("purp_root") >= ROOT
        assert CHILD > ROOT
        assert CHILD >= ROOT
        assert not Purpose.find("purp_root") > ROOT
        assert not CHILD < ROOT
        assert not ROOT > CHILD
        assert not ROOT >= CHILD
        assert not CHILD <= ROOT

    @pytest.mark.parametrize(
        "compare", [lambda a, b: a < b, lambda a, b: a <= b, lambda a, b: a > b, lambda a, b: a >= b]
    )
    def test_order_with_anything_else_is_a_type_error(self, compare: Callable[[object, object], bool]) -> None:
        """A name would pass for a purpose wherever two are compared."""
        with pytest.raises(TypeError):
            compare(ROOT, "purp_root")

    def test_text(self) -> None:
        """Logs would show an address instead of the purpose."""
        assert str(CHILD) == "purp_root.two_factor"
        assert repr(CHILD) == "Purpose('purp_root.two_factor')"
        assert f"{CHILD}" == "purp_root.two_factor"


class TestIncludes:
    @pytest.mark.parametrize(
        ("one", "other", "expected"),
        [
            (ROOT, ROOT, True),
            (ROOT, CHILD, True),
            (ROOT, GRANDCHILD, True),
            (CHILD, GRANDCHILD, True),
            (CHILD, ROOT, False),
            (GRANDCHILD, ROOT, False),
            (CHILD, SIBLING, False),
            (ROOT, OTHER, False),
            (OTHER, ROOT, False),
        ],
    )
    def test_a_purpose_includes_itself_and_its_descendants(self, one: Purpose, other: Purpose, expected: bool) -> None:
        """Data would be open for the whole of security because it was given for two-factor (R2)."""
        assert one.includes(other) is expected

    def test_a_common_prefix_is_not_inclusion(self) -> None:
        """`ads` would include `ads_free`: inclusion is a matter of parts, not of letters (R2)."""
        longer = Purpose("purp_other_plan", "Sell a plan without ads")
        assert not OTHER.includes(longer)


class TestFind:
    def test_find(self) -> None:
        """A purpose named in configuration could not be had."""
        assert Purpose.find("purp_root.two_factor") is CHILD

    def test_an_unknown_name_is_refused_and_the_nearest_suggested(self) -> None:
        """A typo would cost an afternoon."""
        with pytest.raises(PolicyError, match=r"purp_root\.two_facter.*'purp_root\.two_factor'"):
            Purpose.find("purp_root.two_facter")

    def test_nothing_near_suggests_nothing(self) -> None:
        """The suggestion would be a wild guess, and somebody would take it."""
        with pytest.raises(PolicyError) as caught:
            Purpose.find("zzzzzzzzzzzzzzzzzzzzzzzz")
        assert "mean" not in str(caught.value)


def hand_over(purpose: object) -> None:
    OTHER.may_hand_over_to(purpose, reason="Something")  # type: ignore[arg-type]


def call_requires(purpose: object) -> None:
    requires_purpose(purpose)


TAKERS: list[Callable[[object], object]] = [
    lambda p: AllowedFor(p),  # type: ignore[arg-type]
    lambda p: AllowedFor(ROOT, p),  # type: ignore[arg-type]
    lambda p: AllowedFor(ROOT, never=[p]),  # type: ignore[list-item]
    lambda p: purpose_scope(p),  # type: ignore[arg-type]
    lambda p: purpose_scope(ROOT, p),  # type: ignore[arg-type]
    call_requires,
    lambda p: ROOT.includes(p),  # type: ignore[arg-type]
    hand_over,
    lambda p: ROOT.handover_to(p),  # type: ignore[arg-type]
]
TAKER_IDS = [
    "AllowedFor",
    "AllowedFor second",
    "never",
    "purpose_scope",
    "purpose_scope second",
    "requires_purpose",
    "includes",
    "may_hand_over_to",
    "handover_to",
]


@pytest.mark.parametrize("take", TAKERS, ids=TAKER_IDS)
class TestOnlyPurposesAreAccepted:
    def test_a_string_is_a_type_error_that_suggests(self, take: Callable[[object], object]) -> None:
        """A misspelt string would be a purpose that nobody declared, and protect nothing."""
        with pytest.raises(TypeError, match=r"purp_root\.two_factor"):
            take("purp_root.two_facter")

    def test_a_string_far_from_every_name_suggests_nothing(self, take: Callable[[object], object]) -> None:
        """The suggestion would be a wild guess."""
        with pytest.raises(TypeError) as caught:
            take("zzzzzzzzzzzzzzzzzzzzzzzz")
        assert "find" not in str(caught.value)

    @pytest.mark.parametrize("thing", [None, 3, b"purp_root", Purpose, ["purp_root"], {ROOT}], ids=repr)
    def test_anything_else_is_a_type_error(self, take: Callable[[object], object], thing: object) -> None:
        """A forgotten star, as in purpose_scope([A, B]), would pass silently."""
        with pytest.raises(TypeError):
            take(thing)


def test_never_is_a_list_and_a_purpose_alone_says_so() -> None:
    """`never=ADS` would fail somewhere deep with "not iterable", or iterate a string by letters."""
    with pytest.raises(TypeError, match="never"):
        AllowedFor(ROOT, never=OTHER)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="never"):
        AllowedFor(ROOT, never="purp_other")  # type: ignore[arg-type]


class TestHandovers:
    def test_what_is_declared(self) -> None:
        """A reviewer could not see what was declared, by whom, and why (R4)."""
        orders = Purpose("purp_ho_orders", "Take the order")
        shipping = Purpose("purp_ho_shipping", "Bring the parcel")
        handover = orders.may_hand_over_to(shipping, reason="A parcel needs an address")
        assert isinstance(handover, Handover)
        assert (handover.source, handover.target) == (orders, shipping)
        assert handover.reason == "A parcel needs an address"
        assert handover.site.file == __file__
        assert handover.site.line == line_of_reason("A parcel needs an address")

    def test_it_is_inherited_on_both_sides_and_nowhere_else(self) -> None:
        """A handover declared for one purpose would let its ancestors out too, or reach the target's ancestors (R4)."""
        root = Purpose("purp_ho_a", "A")
        source = root.child("b", "B")
        below = source.child("c", "C")
        beside = root.child("d", "D")
        there = Purpose("purp_ho_x", "X")
        target = there.child("y", "Y")
        under = target.child("z", "Z")
        aside = there.child("w", "W")
        handover = source.may_hand_over_to(target, reason="Because")
        for one in (source, below):
            for other in (target, under):
                assert one.handover_to(other) is handover
        for one in (root, source, below, beside, there, target, under, aside):
            for other in (root, source, below, beside, there, target, under, aside):
                if not (one in (source, below) and other in (target, under)):
                    assert one.handover_to(other) is None

    def test_the_nearest_one_is_returned(self) -> None:
        """The record would show the reason of a general handover where a specific one was reviewed."""
        root = Purpose("purp_hn_a", "A")
        below = root.child("b", "B")
        there = Purpose("purp_hn_x", "X")
        under = there.child("y", "Y")
        general = root.may_hand_over_to(there, reason="In general")
        assert below.handover_to(under) is general
        to_child = root.may_hand_over_to(under, reason="To the child")
        assert below.handover_to(under) is to_child
        from_child = below.may_hand_over_to(there, reason="From the child")
        assert below.handover_to(under) is from_child  # nearest to the source first
        exact = below.may_hand_over_to(under, reason="Exact")
        assert below.handover_to(under) is exact
        assert root.handover_to(there) is general

    @pytest.mark.parametrize("reason", ["", "  ", "\n", None, 5])
    def test_a_reason_is_needed(self, reason: object) -> None:
        """A way out of a purpose would stand in the code with nobody knowing why."""
        one, other = Purpose("purp_hr_a", "A"), Purpose("purp_hr_b", "B")
        with pytest.raises(PolicyError, match="reason"):
            one.may_hand_over_to(other, reason=reason)  # type: ignore[arg-type]
        assert one.handover_to(other) is None

    def test_leaving_the_reason_out_is_refused(self) -> None:
        """A way out of a purpose would stand in the code with nobody knowing why."""
        one, other = Purpose("purp_hr_a", "A"), Purpose("purp_hr_b", "B")
        with pytest.raises((PolicyError, TypeError), match="reason"):
            one.may_hand_over_to(other)  # type: ignore[call-arg]
        assert one.handover_to(other) is None

    def test_declaring_again(self) -> None:
        """A second, different reason would silently replace the one that was reviewed."""
        one, other = Purpose("purp_hd_a", "A"), Purpose("purp_hd_b", "B")
        first = one.may_hand_over_to(other, reason="First")
        assert one.may_hand_over_to(other, reason="First") is first
        with pytest.raises(PolicyError, match="First"):
            one.may_hand_over_to(other, reason="Second")
        assert one.handover_to(other) is first

    def test_it_goes_one_way(self) -> None:
        """Shipping could read orders' data because orders may go on to shipping (R4)."""
        one, other = Purpose("purp_hw_a", "A"), Purpose("purp_hw_b", "B")
        one.may_hand_over_to(other, reason="Because")
        assert other.handover_to(one) is None

    def test_it_cannot_be_changed(self) -> None:
        """A reviewed handover would be redirected by an assignment."""
        one, other = Purpose("purp_hi_a", "A"), Purpose("purp_hi_b", "B")
        handover = one.may_hand_over_to(other, reason="Because")
        for name in ("source", "target", "reason", "site"):
            with pytest.raises(AttributeError):
                setattr(handover, name, ROOT)
        assert one.handover_to(other) is handover
        assert handover.target is other


def line_of_reason(text: str) -> int:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if f'reason="{text}"' in line)


class TestCopiesAndPickles:
    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    @pytest.mark.parametrize("purpose", [ROOT, CHILD, GRANDCHILD], ids=str)
    def test_pickle_keeps_identity(self, purpose: Purpose, protocol: int) -> None:
        """A policy that went through a queue would allow a purpose that is not the one in force (R2)."""
        assert pickle.loads(pickle.dumps(purpose, protocol)) is purpose
        assert pickle.loads(pickle.dumps([purpose, purpose], protocol)) == [purpose, purpose]

    def test_copies_are_the_same_object(self) -> None:
        """A deep-copied configuration would hold purposes that match nothing."""
        assert copy.copy(CHILD) is CHILD
        assert copy.deepcopy(CHILD) is CHILD
        assert copy.deepcopy({"a": [CHILD]}) == {"a": [CHILD]}

    def test_cloudpickle_keeps_identity(self) -> None:
        """Work sent to a cluster would run for a purpose that is a copy of its own."""
        cloudpickle = pytest.importorskip("cloudpickle")
        assert pickle.loads(cloudpickle.dumps(GRANDCHILD)) is GRANDCHILD
        assert pickle.loads(cloudpickle.dumps(lambda: GRANDCHILD))() is GRANDCHILD

    def test_a_pickle_declares_the_purpose_where_it_is_unknown(self) -> None:
        """A worker process that has not imported the declarations could not take the work."""
        result = run_elsewhere(
            """
            import pickle
            from purposebind import Purpose
            first, second = pickle.loads(sys.stdin.buffer.read())
            assert first is second is Purpose.find("purp_root.two_factor.sms")
            assert first.parent is Purpose.find("purp_root.two_factor")
            assert Purpose.find("purp_root").includes(first)
            assert Purpose("purp_root", "Keep accounts safe") is first.parent.parent
            print(first.description)
            """,
            pickle.dumps((GRANDCHILD, GRANDCHILD)),
        )
        assert result.returncode == 0, result.stderr.decode()
        assert result.stdout.decode().strip() == "Send it by text message"

    def test_a_pickle_is_refused_where_the_purpose_means_something_else(self) -> None:
        """Data collected for one meaning would be used for another because two services share a word."""
        result = run_elsewhere(
            """
            import pickle
            from purposebind import PolicyError, Purpose
            Purpose("purp_root", "Measure ads")
            try:
                pickle.loads(sys.stdin.buffer.read())
            except PolicyError as error:
                print(error)
            """,
            pickle.dumps(CHILD),
        )
        assert result.returncode == 0, result.stderr.decode()
        assert "Measure ads" in result.stdout.decode()
        assert "Keep accounts safe" in result.stdout.decode()
