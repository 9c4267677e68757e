"""What mutation testing found unproved in `purposebind.scope`; see docs/mutation.md."""

from __future__ import annotations

from typing import Any

from purposebind import AllowedFor, Purpose, Sealed, active_purposes, configure, purpose_scope
from purposebind.scope import DEAD, OUTSIDE, Entry, Frame, current_frame, leave

REPAIRS = Purpose("mut_repairs", "Mend what was sent in")
BOX = Sealed.of("+46 70 123 45 67", AllowedFor(REPAIRS))


def test_a_decorated_function_shares_what_was_granted() -> None:
    """Each read in a decorated function would be decided anew, at several times the cost."""

    @purpose_scope(REPAIRS)
    def read() -> Any:
        BOX.open()
        return current_frame().granted

    assert BOX.policy in read()


def test_a_frame_of_another_context_is_closed_and_nothing_else() -> None:
    """Closing a scope that was opened in another context would pass for closing one here (R5)."""
    with purpose_scope(REPAIRS):
        here = current_frame()
        elsewhere = Frame(OUTSIDE, Entry((REPAIRS,), here.entry.active), None, here.code, -1)
        assert leave(elsewhere) is False
        assert elsewhere.granted is DEAD
        assert current_frame() is here
        assert active_purposes() == {REPAIRS}
    assert active_purposes() == frozenset()


def test_what_was_granted_is_forgotten_when_the_configuration_changes() -> None:
    """Reads that were granted before a recorder was set would stay unrecorded until the process ends."""
    reads: list[Any] = []
    with purpose_scope(REPAIRS):
        BOX.open()
        with configure(on_read=reads.append):
            BOX.open()
    assert [read.field for read in reads] == ["Sealed"]
