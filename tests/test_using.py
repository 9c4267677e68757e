"""Uses that are no code's, values in holders that are no models, and the libraries that read for their callers."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR

from purposebind import (
    NoActivePurpose,
    PolicyError,
    PurposeViolation,
    Sealed,
    configure,
    purpose_scope,
    sites,
)
from purposebind.enforcement import Denial, Read
from purposebind.holding import (
    asked,
    binding,
    boxed,
    boxer,
    contents,
    is_somebodys,
    opened,
    settle,
    tell,
    unsealed,
)
from purposebind.policy import Policy
from purposebind.sites import outside_frame, pass_over
from purposebind.using import Use, enforcing, refuse, use

PHONE = Use("Account.phone", Policy([TWO_FACTOR]), "WHERE of a SQL statement")
EMAIL = Use("Account.email", Policy([SECURITY]), "the select list of a SQL statement")
BINDING = binding("Account.phone", Policy([TWO_FACTOR]))


def test_a_use_is_decided_as_a_read_is() -> None:
    """R2, R3: what the database works out would be let through for any purpose."""
    with purpose_scope(TWO_FACTOR):
        use([PHONE, EMAIL])
    with purpose_scope(SECURITY), pytest.raises(PurposeViolation) as caught:
        use([EMAIL, PHONE])
    assert (caught.value.field, caught.value.where) == ("Account.phone", "WHERE of a SQL statement")
    with pytest.raises(NoActivePurpose, match=r"read in +the select list of a SQL statement"):
        use([EMAIL, PHONE])
    told = (PHONE.field, PHONE.where, PHONE.policy)
    assert told == (
        "Account.phone",
        "WHERE of a SQL statement",
        Policy([TWO_FACTOR]),
    )


def test_a_use_is_recorded_and_a_denial_told() -> None:
    """R11: it could not be counted."""
    reads: list[Read] = []
    denials: list[Denial] = []
    configure(on_read=[reads.append], on_violation=[denials.append], mode="observe")
    with purpose_scope(TWO_FACTOR):
        use([PHONE])
    use([EMAIL])
    assert [read.field for read in reads][:1] == ["Account.phone"]
    assert [(denial.field, denial.enforced) for denial in denials] == [("Account.email", False)]


def test_what_cannot_be_weighed_is_refused_or_told() -> None:
    """R9, R11: in enforce mode it would run; in observe mode nobody would hear of it."""
    denials: list[Denial] = []
    configure(on_violation=[denials.append])
    with purpose_scope(TWO_FACTOR), pytest.raises(PolicyError, match="it cannot be read"):
        refuse("A SQL statement", "it cannot be read")
    configure(mode="observe", on_violation=[denials.append])
    with purpose_scope(TWO_FACTOR):
        refuse("A SQL statement", "it cannot be read")
    assert [(denial.field, denial.violation.where) for denial in denials] == [("A SQL statement", "it cannot be read")]


def test_whether_it_is_enforced_here() -> None:
    """R11: a server's roles would refuse what is only observed."""
    assert enforcing()
    configure(unscoped="observe")
    assert not enforcing()
    with purpose_scope(SECURITY):
        assert enforcing()
    configure(mode="observe")
    with purpose_scope(SECURITY):
        assert not enforcing()


def test_boxes_are_made_and_asked_for() -> None:
    """R1: what a library holds for its user would be open."""
    box = boxer(BINDING)(SECRET)
    assert boxer(BINDING)(None) is None
    converted = boxer(BINDING, str.lower)("ABC")
    assert SECRET not in repr(box)
    assert unsealed(box) == SECRET
    assert unsealed(SECRET) == SECRET
    assert contents(box) == (SECRET, BINDING)
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        opened(box)
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        asked(BINDING)
    with purpose_scope(TWO_FACTOR):
        asked(BINDING)
        assert (opened(box), opened(converted)) == (SECRET, "abc")


def test_a_box_that_moves_stays_as_narrow() -> None:
    """R8: a phone would be readable for all of security in its next place."""
    moved = boxed(boxer(BINDING)(SECRET), binding("Account.email", Policy([SECURITY])))
    assert moved.policy == Policy([TWO_FACTOR])
    assert boxed(None, BINDING) is None


def test_what_is_held_open_is_settled() -> None:
    """R1: what came round the library's seams would stay open."""
    values: dict[str, Any] = {"id": 7, "phone": SECRET, "email": None, "other": boxer(BINDING)("+1")}
    assert not is_somebodys(values["other"])
    settle(values, {"phone": BINDING, "email": BINDING, "other": BINDING, "gone": BINDING}, "id")
    assert type(values["phone"]) is Sealed
    assert values["email"] is None
    assert "gone" not in values
    reads: list[Read] = []
    configure(on_read=[reads.append])
    with purpose_scope(TWO_FACTOR):
        opened(values["phone"])
        opened(values["other"])
    assert [read.subject for read in reads] == [7, 7]


def test_a_subject_in_a_box_is_not_told_in_the_clear() -> None:
    """R1: whose data it is would itself be a leak."""
    person = boxer(BINDING)(SECRET)
    box = boxer(BINDING)("+1")
    settle({"id": person, "phone": box}, {"id": BINDING, "phone": BINDING}, "id")
    other = boxer(BINDING)("+2")
    tell(other, person)
    third = boxer(BINDING)("+3")
    tell(third, 5)
    alone = boxer(BINDING)("+4")
    tell(alone, alone)
    reads: list[Read] = []
    configure(on_read=[reads.append])
    with purpose_scope(TWO_FACTOR):
        for one in (person, box, other, third, alone):
            opened(one)
    said = [read.subject for read in reads]
    assert len(set(said[:3])) == 1
    assert said[3] == 5
    assert SECRET not in repr(said)


def test_a_library_that_reads_for_its_caller_is_passed_over(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody on call would be sent into a library."""
    folder = tmp_path / "their_library"
    folder.mkdir()
    (folder / "__init__.py").write_text("def call(function):\n    return function()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import their_library  # type: ignore[import-not-found]

    own = sys._getframe()

    def nearest() -> Any:
        return outside_frame(sys._getframe(1))

    assert their_library.call(nearest).f_code.co_filename == str(folder / "__init__.py")
    pass_over(str(folder))
    assert their_library.call(nearest) is own
    monkeypatch.setattr(sites, "_bridges", [*sites._bridges])
    pass_over(bridge=lambda: own)
    assert outside_frame(None) is own
