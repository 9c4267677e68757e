"""What mutation testing found unproved in `purposebind.scope`; see docs/mutation.md."""

from __future__ import annotations

import contextvars
import time
from pathlib import Path
from typing import Any

import pytest
from purposes import TWO_FACTOR

from purposebind import AllowedFor, NoActivePurpose, Purpose, Sealed, active_purposes, configure, purpose_scope
from purposebind.frames import DEAD, Emergency, Entry, Frame
from purposebind.ledger import Ledger
from purposebind.scope import OUTSIDE, current_frame, leave, noting, push

REPAIRS = Purpose("mut_repairs", "Mend what was sent in")
BOX = Sealed.of("+46 70 123 45 67", AllowedFor(REPAIRS))


def test_a_decorated_function_shares_what_was_granted() -> None:
    """Each read in a decorated function would be decided anew, at several times the cost."""

    @purpose_scope(REPAIRS)
    def read() -> Any:
        BOX.open()
        return current_frame().granted

    assert BOX.policy in read()


def test_leaving_takes_away_the_frame_that_is_left_and_no_other() -> None:
    """A scope closed in another context would take one of this context with it, or would outlive its block (R5)."""
    with purpose_scope(REPAIRS):
        here = current_frame()
        elsewhere = Frame(OUTSIDE, Entry((REPAIRS,), here.entry.active), None, here.code, -1)
        leave(elsewhere)
        assert elsewhere.granted is DEAD
        assert current_frame() is here
        assert active_purposes() == {REPAIRS}
        inside = Frame(here, Entry((REPAIRS,), here.entry.active), None, here.code, -1)
        innermost = Frame(inside, Entry((REPAIRS,), here.entry.active), None, here.code, -1)
        push(inside)
        push(innermost)
        leave(inside)
        assert current_frame() is innermost
        assert innermost.parent is here
        leave(innermost)
        assert current_frame() is here
    assert active_purposes() == frozenset()


def test_what_was_granted_is_forgotten_when_the_configuration_changes() -> None:
    """Reads that were granted before a recorder was set would stay unrecorded until the process ends."""
    reads: list[Any] = []
    with purpose_scope(REPAIRS):
        BOX.open()
        with configure(on_read=reads.append):
            BOX.open()
    assert [read.field for read in reads] == ["Sealed"]


def test_reads_are_noted_in_the_scope_around() -> None:
    """A computed field would be refused what its caller may read, or come out untagged (R8)."""
    with purpose_scope(REPAIRS), noting() as noted:
        BOX.open()
    assert [binding.policy for binding, _, _ in noted] == [BOX.policy]


def test_reads_of_a_decorated_function_are_noted() -> None:
    """A computed field that calls a decorated function would come out untagged (R8)."""
    with noting() as noted:
        purpose_scope(REPAIRS)(BOX.open)()
    assert [binding.policy for binding, _, _ in noted] == [BOX.policy]


def test_noting_opens_no_closed_scope() -> None:
    """A callback left behind by a closed block would read through a computed field what it may not read itself (R5)."""
    with purpose_scope(REPAIRS):
        context = contextvars.copy_context()

    def read() -> None:
        with noting():
            BOX.open()

    with pytest.raises(NoActivePurpose):
        context.run(read)


@pytest.mark.parametrize("own", [None, Emergency("INC-2: find out why", "Ada Lovelace")])
def test_an_emergency_is_handed_on_to_the_scopes_inside_it_and_replaces_none(own: Emergency | None) -> None:
    """A decorated function that is called to save the service would be refused, or recorded under another's reason."""
    around = Emergency("INC-1: restore login", "Grace Hopper")

    def run() -> Emergency | None:
        outer = Frame(OUTSIDE, OUTSIDE.entry, None, OUTSIDE.code, OUTSIDE.offset)
        outer.watch(notes=None, emergency=around)
        push(outer)
        inner = Frame(outer, OUTSIDE.entry, None, OUTSIDE.code, OUTSIDE.offset)
        if own is not None:
            inner.watch(notes=None, emergency=own)
        push(inner)
        try:
            return current_frame().emergency
        finally:
            leave(inner)
            leave(outer)

    assert contextvars.copy_context().run(run) is (own or around)


def test_a_frame_knows_when_it_was_entered_while_a_ledger_is_on_and_only_then(tmp_path: Path) -> None:
    """An activity would begin at no time, or entering a scope pay for a clock that nobody looks at."""
    with purpose_scope(TWO_FACTOR):
        assert current_frame().started == 0
    with configure(ledger=Ledger(tmp_path / "ledger")):
        before = time.monotonic_ns()
        with purpose_scope(TWO_FACTOR):
            assert before <= current_frame().started <= time.monotonic_ns()
    with purpose_scope(TWO_FACTOR):
        assert current_frame().started == 0
        assert not current_frame().watched


def test_a_grant_is_remembered_while_nobody_records() -> None:
    """Each read would be decided anew, at several times the cost."""
    box = Sealed.of("+46701234567", AllowedFor(TWO_FACTOR))
    with purpose_scope(TWO_FACTOR):
        box.open()
        assert box.policy in current_frame().granted


def test_an_open_scope_records_where_the_configuration_says(tmp_path: Path) -> None:
    """A long task would go on recording into the ledger that was taken away, and the new one not know of it."""
    box = Sealed.of("+46701234567", AllowedFor(TWO_FACTOR))
    one, other = Ledger(tmp_path / "one"), Ledger(tmp_path / "other")
    with configure(ledger=one), purpose_scope(TWO_FACTOR):
        for _ in range(2):
            box.open()
        with configure(ledger=other):
            box.open()
        box.open()
    assert (one.affected().reads, other.affected().reads) == (3, 1)
