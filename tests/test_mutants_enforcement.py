"""What mutation testing found unproved in `purposebind.enforcement`; see docs/mutation.md."""

from __future__ import annotations

import contextvars
import dataclasses
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from purposes import ADVERTISING, SECRET, TWO_FACTOR

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    Purpose,
    PurposeError,
    PurposeViolation,
    Sealed,
    configure,
    enforcement,
    purpose_scope,
    recording,
)
from purposebind.break_glass import break_glass
from purposebind.enforcement import Binding, admit
from purposebind.errors import Reason
from purposebind.frames import Frame
from purposebind.policy import decide
from purposebind.recording import private_subject
from purposebind.scope import current_frame, noting


def box(value: str = SECRET) -> Sealed[str]:
    return Sealed.of(value, AllowedFor(TWO_FACTOR))


def read() -> Any:
    reads: list[Any] = []
    with configure(on_read=reads.append), purpose_scope(TWO_FACTOR):
        box().open()
    (only,) = reads
    return only


def denial() -> Any:
    told: list[Any] = []
    with configure(on_violation=told.append), pytest.raises(NoActivePurpose):
        box().open()
    (only,) = told
    return only


@pytest.mark.parametrize("record", [lambda: Binding("Account.phone", box().policy), denial, read])
def test_records_cannot_be_changed(record: Any) -> None:
    """A hook could change what the hooks after it, and the ledger, are told of a read; a tag could be widened (R8)."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        record().field = "Account.other"


def test_a_denial_shows_neither_subject_nor_error() -> None:
    """A hook that logs its denial would log whose data was read (R6)."""
    shown = repr(denial())
    assert "Sealed" in shown
    assert "subject" not in shown
    assert "violation" not in shown


def test_the_site_is_the_nearest_frame_outside_the_library() -> None:
    """The error would point at the caller of the code that reads, where an integration asks without a frame between."""
    with pytest.raises(NoActivePurpose) as caught:
        admit(Binding("Account.phone", box().policy))
    assert caught.value.site is not None
    assert caught.value.site.function.endswith("test_the_site_is_the_nearest_frame_outside_the_library")


def test_the_sizes_of_digests_and_their_key() -> None:
    """Two people would count as one in a report of those affected, or a digest could be tried out and undone (R7)."""
    assert len(private_subject(box()).removeprefix("sealed:")) * 4 == 128
    assert len(recording._DIGEST_KEY) * 8 >= 256


def test_bindings_are_told_apart_by_identity() -> None:
    """A field of one model would be taken for that of another, of the same name, wherever bindings are looked up."""
    policy = box().policy
    first, second = Binding("Account.phone", policy), Binding("Account.phone", policy)
    assert first != second
    assert len({first, second}) == 2


def test_a_recorded_read_shows_field_and_purposes_alone() -> None:
    """A log of reads would show whose data was read, and the scopes' internals (R6)."""
    shown = repr(read())
    assert "Sealed" in shown
    assert "subject" not in shown
    assert "frame" not in shown


def test_a_refused_read_is_not_recorded_as_let_through() -> None:
    """In observe mode the record of processing would count the same access as rightful and as a violation (R11)."""
    reads: list[Any] = []
    told: list[Any] = []
    with configure(mode="observe", on_read=reads.append, on_violation=told.append), purpose_scope(ADVERTISING):
        assert box().open() == SECRET
    assert len(told) == 1
    assert reads == []


def test_a_recorder_set_in_an_open_scope_sees_the_next_read() -> None:
    """Reads that were granted before a recorder was set would stay unrecorded until the process ends."""
    reads: list[Any] = []
    with purpose_scope(TWO_FACTOR):
        box().open()
        with configure(on_read=reads.append):
            box().open()
    assert len(reads) == 1


def test_a_grant_is_remembered() -> None:
    """Each read of an allowed field would be decided anew, at several times the cost."""
    with purpose_scope(TWO_FACTOR):
        box().open()
        assert box().policy in current_frame().granted


def test_no_grant_is_remembered_while_reads_are_recorded() -> None:
    """The second read of a field would go unrecorded."""
    reads: list[Any] = []
    with configure(on_read=reads.append), purpose_scope(TWO_FACTOR):
        box().open()
        box().open()
    assert len(reads) == 2


def test_a_read_is_noted_although_others_were_granted() -> None:
    """A computed field would fail, or come out untagged, after an unrelated read in the same scope (R8)."""
    other = Sealed.of("Ada", AllowedFor(TWO_FACTOR, ADVERTISING))
    with purpose_scope(TWO_FACTOR):
        other.open()
        with noting() as noted:
            assert box().open() == SECRET
        assert [binding.policy for binding, _, _ in noted] == [box().policy]


def test_the_first_read_of_a_scope_may_be_a_noted_one() -> None:
    """A computed field would fail where nothing had been read before in the same scope (R8)."""
    with purpose_scope(TWO_FACTOR), noting() as noted:
        assert box().open() == SECRET
    assert [binding.policy for binding, _, _ in noted] == [box().policy]


def test_a_closed_scope_is_named_where_reads_are_noted() -> None:
    """The error of a computed field would name no scope: the reader could not find the block that had closed (R12)."""
    with purpose_scope(TWO_FACTOR):
        context = contextvars.copy_context()

    def noted_read() -> None:
        with noting():
            box().open()

    with pytest.raises(PurposeViolation, match=rf"the scope of {TWO_FACTOR.name}, entered at ") as caught:
        context.run(noted_read)
    assert caught.value.reason is Reason.SCOPE_CLOSED


def test_a_closed_scope_inside_noted_reads_is_named() -> None:
    """The error of a callback that a computed field left behind would say that no scope was ever opened (R12)."""
    with noting(), purpose_scope(TWO_FACTOR):
        context = contextvars.copy_context()
    with pytest.raises(PurposeViolation, match=rf"the scope of {TWO_FACTOR.name}, entered at ") as caught:
        context.run(box().open)
    assert caught.value.reason is Reason.SCOPE_CLOSED


class Recording:
    """A ledger that counts, and does `meanwhile` where another thread could: after a read, before its shortcut."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.reads: list[str] = []
        self.meanwhile = meanwhile

    def recorder(self) -> Any:
        return self

    def read(self, binding: Binding, subject: Any, frame: Frame) -> None:
        self.reads.append(binding.field)

    def shortcut(self, frame: Frame) -> Callable[[Any], bool]:
        self.meanwhile()
        return self.short

    def short(self, box: Any) -> bool:
        self.reads.append("by the shortcut")
        return True

    def opened(self, frame: Frame) -> None: ...

    def denied(self, denial: Any, subject: Any, frame: Frame) -> None:
        self.reads.append(f"denied {denial.field}")


def test_a_recorded_read_leaves_its_shortcut_with_the_scope() -> None:
    """Each read would be decided and recorded by the long road, at several times the cost."""
    ledger = Recording()
    with configure(ledger=ledger), purpose_scope(TWO_FACTOR):
        assert box().open() == SECRET
        assert current_frame().record == ledger.short
        assert box().open() == SECRET
    assert ledger.reads == ["Sealed", "by the shortcut"]


def test_a_scope_that_was_left_meanwhile_has_no_shortcut() -> None:
    """What was made in a block could be read after it, with no purpose at all (R5)."""
    scope = purpose_scope(TWO_FACTOR)
    with configure(ledger=Recording(lambda: current_frame().die())), suppress(PurposeError), scope:
        frame = current_frame()
        box().open()
        assert not frame.alive
        assert frame.record is None


def test_what_was_decided_is_not_decided_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each recorded read would cost what the first one costs."""
    asked: list[Any] = []

    def counted(policy: Any, active: Any) -> Any:
        asked.append(policy)
        return decide(policy, active)

    monkeypatch.setattr(enforcement, "decide", counted)
    reads: list[Any] = []
    anew = Purpose("mutants_anew", "Decided here for the first time")
    with configure(on_read=reads.append), purpose_scope(TWO_FACTOR.child("anew", "Of no other test"), anew):
        opened = Sealed.of(SECRET, AllowedFor(TWO_FACTOR, anew))
        assert [opened.open() for _ in range(3)] == [SECRET] * 3
    assert (len(reads), len(asked)) == (3, 1)


def test_what_was_configured_meanwhile_is_not_passed_over() -> None:
    """A hook that was set in another thread would never hear of reads in this scope, nor would another ledger."""
    told: list[Any] = []
    ledger = Recording(lambda: configure(on_read=told.append))
    with configure(ledger=ledger), purpose_scope(TWO_FACTOR):
        box().open()
        assert current_frame().record is None
        ledger.meanwhile = lambda: None
        box().open()
        assert current_frame().record is None, "with a hook there is no shortcut past it"
    assert [read.field for read in told] == ["Sealed"]
    assert ledger.reads == ["Sealed", "Sealed"]


def test_where_reads_are_noted_there_is_no_shortcut_past_the_notes() -> None:
    """A cached property would be boxed without the policies of what it was made of (R8)."""
    ledger = Recording()
    with configure(ledger=ledger), purpose_scope(TWO_FACTOR), noting() as noted:
        box().open()
        assert current_frame().record is None
    assert [binding.policy for binding, _, _ in noted] == [AllowedFor(TWO_FACTOR).policy]


def test_break_glass_lets_through_what_is_recorded_and_nothing_else() -> None:
    """Either the service could not be saved, or nobody could say what was read while it was."""
    ledger = Recording()
    with configure(ledger=ledger), break_glass("INC-1: restore login", by="Grace Hopper"):
        assert box().open() == SECRET
        with configure(ledger=None), pytest.raises(NoActivePurpose):
            box().open()
    assert ledger.reads == ["Sealed"]
    with configure(ledger=ledger), purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        box().open()
    assert ledger.reads == ["Sealed", "denied Sealed"]
