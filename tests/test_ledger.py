"""`Ledger`: recording with the core alone, one recorder, the key, several folders, and what is no ledger."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated

import pytest
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR
from segments import names, read, segment

import purposebind
from purposebind import AllowedFor, PurposeModel, PurposeViolation, SubjectId, configure, purpose_scope
from purposebind.break_glass import break_glass
from purposebind.ledger import Key, Ledger, LedgerError
from purposebind.ledger.chain import Anchor
from purposebind.ledger.key import KEY_VARIABLE


class Person(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]


def use(ledger: Ledger, *people: int) -> None:
    with configure(ledger=ledger), purpose_scope(TWO_FACTOR):
        for number in people:
            assert Person(id=number, phone=SECRET).phone


@pytest.fixture(autouse=True)
def _no_key_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


# --- Recording -------------------------------------------------------------------------------------------------------

CORE_ALONE = """
import sys
for name in ("duckdb", "jinja2", "numpy", "psycopg", "rich", "typer"):
    sys.modules[name] = None
from typing import Annotated
from purposebind import AllowedFor, Purpose, PurposeModel, SubjectId, configure, purpose_scope
from purposebind.ledger import Ledger, LedgerError
LOGIN = Purpose("login", "Send a login code")
class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(LOGIN)]
with Ledger(sys.argv[1]) as ledger:
    with configure(ledger=ledger), purpose_scope(LOGIN):
        Account(id=1, phone="1").phone
    ledger.close()
    assert ledger.verify().ok
    assert ledger.head().n == 0
    try:
        ledger.affected()
    except LedgerError as error:
        print(error)
"""


def test_recording_and_checking_need_the_core_alone(tmp_path: Path) -> None:
    """A service would have to carry a database engine along, only to write down what it reads."""
    command = [sys.executable, "-c", CORE_ALONE, str(tmp_path / "ledger")]
    package = Path(purposebind.__file__).parents[1]
    done = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "pip install 'purposebind[ledger]'" in done.stdout
    assert Ledger(tmp_path / "ledger").affected().people == 1


def test_all_that_records_into_a_ledger_shares_one_segment(tmp_path: Path) -> None:
    """Each `configure` would otherwise leave a segment behind."""
    with Ledger(tmp_path / "ledger", service="shop") as ledger:
        assert ledger.recorder() is ledger.recorder()
        use(ledger, 1)
        use(ledger, 2)
        assert len(list((tmp_path / "ledger" / "open").iterdir())) == 1
        assert [activity.service for activity in ledger.activities()] == ["shop", "shop"]


def test_the_segment_s_size_is_that_which_was_asked_for(tmp_path: Path) -> None:
    """A machine with little room on its disk could not hold a ledger."""
    with Ledger(tmp_path / "ledger", segment_bytes=1 << 16) as ledger:
        use(ledger, 1)
        (open_segment,) = (tmp_path / "ledger" / "open").iterdir()
        assert open_segment.stat().st_size <= 1 << 16


def test_it_answers_while_it_is_written_and_after_it_was_closed(tmp_path: Path) -> None:
    """Who asks a service that runs would see what was closed, and miss the last hour."""
    with Ledger(tmp_path / "ledger") as ledger:
        use(ledger, 1, 2)
        assert ledger.affected().people == 2
        use(ledger, 2, 3)
        assert ledger.affected().people == 3
        ledger.close()
        assert ledger.affected().people == 3
        assert (ledger.verify().segments, ledger.verify().open) == (1, 0)
        use(ledger, 4)  # goes on, in a new segment
        assert ledger.affected().people == 4
    assert Ledger(tmp_path / "ledger").verify().segments == 2


def test_every_question_is_there(tmp_path: Path) -> None:
    """A question that only the files can be asked would be asked of them, wrongly."""
    now = datetime.now(timezone.utc)
    with Ledger(tmp_path / "ledger") as ledger:
        use(ledger, 7)
        with configure(ledger=ledger):
            with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
                Person(id=8, phone=SECRET).phone
            with break_glass("INC-1: restore", by="Grace"):
                assert Person(id=9, phone=SECRET).phone
        asked = {"field": "Person.phone", "since": now - timedelta(minutes=1), "until": now + timedelta(minutes=1)}
        assert ledger.affected(**asked).people == 3
        assert ledger.affected(purpose=SECURITY, **asked).people == 1
        assert {cell.decision for cell in ledger.matrix(**asked)} == {"allowed", "denied", "break_glass"}
        assert [use.people for use in ledger.sites(decision="allowed", **asked)] == [1]
        assert [use.times for use in ledger.denials(**asked)] == [1]
        assert sum(bucket.people for bucket in ledger.timeline("month", **asked)) == 3
        assert ledger.handovers(**asked) == []
        assert [use.times for use in ledger.subject(7, **asked)] == [1]
        assert ledger.subject("7") == ledger.subject(7)
        assert ledger.subject(10) == []
        assert len(ledger.activities(limit=2)) == 2
        assert ledger.activities(handed_over=True) == []
        assert [one.by for one in ledger.break_glass()] == ["Grace"]
        assert ledger.lost().reads == 0
        assert ledger.damage() == []
        assert ledger.fields() == ["Person.phone"]
        assert ledger.purposes() == ["advertising", "security.two_factor"]
        with pytest.raises(TypeError, match="no filter model="):
            ledger.affected(model="Person")  # type: ignore[call-arg]


# --- The key ---------------------------------------------------------------------------------------------------------


def test_recording_makes_the_key_and_asking_never_does(tmp_path: Path) -> None:
    """A person would be looked up by a key that was made a moment ago, and told that nobody read their data."""
    with Ledger(tmp_path / "ledger", key=Key(bytes(32))) as ledger:
        use(ledger, 1)
    with pytest.raises(LedgerError, match="There is no key"):
        Ledger(tmp_path / "ledger").subject(1)
    with pytest.raises(LedgerError, match="There is no key"):
        Ledger(tmp_path / "ledger", key=tmp_path / "other").drop_before(datetime.now(timezone.utc), by="A", reason="B")
    assert [path.name for path in tmp_path.iterdir()] == ["ledger"]
    with Ledger(tmp_path / "second", key=str(tmp_path / "second's")) as ledger:
        use(ledger, 1)
    assert (tmp_path / "second's").is_file()
    assert not (tmp_path / "second.key").exists()


def test_another_key_is_told_from_a_person_who_is_not_there(tmp_path: Path) -> None:
    """ "Nothing was read of you" would be a wrong answer, and nobody would notice."""
    with Ledger(tmp_path / "ledger") as ledger:
        use(ledger, 1)
    with pytest.raises(LedgerError, match="not the key by which people were hashed"):
        Ledger(tmp_path / "ledger", key=Key(bytes(32))).subject(1)


def test_a_signature_is_checked_where_the_key_is_there(tmp_path: Path) -> None:
    """Anybody could sign off that a part of the ledger is gone."""
    with Ledger(tmp_path / "ledger") as ledger:
        use(ledger, 1)
    ledger = Ledger(tmp_path / "ledger")
    assert ledger.drop_before(datetime(2020, 1, 1, tzinfo=timezone.utc), by="A", reason="old").segments == []
    later = datetime.now(timezone.utc) + timedelta(minutes=1)
    assert len(ledger.drop_before(later, by="Ada", reason="kept for three years").segments) == 1
    assert ledger.affected().people == 0
    assert [(gap.by, gap.signed) for gap in ledger.verify().gaps] == [("Ada", True)]
    (tmp_path / "ledger.key").unlink()
    verdict = ledger.verify()
    assert verdict.ok
    assert [gap.signed for gap in verdict.gaps] == [None]


def test_what_a_killed_process_left_behind_is_dropped_with_the_rest(tmp_path: Path) -> None:
    """Whoever was killed would keep people's data for ever."""
    path = tmp_path / "ledger" / "open" / f"{1:032x}.seg"
    segment([*names(), read(1)], path)
    ledger = Ledger(tmp_path / "ledger", key=Key(bytes(32)))
    dropped = ledger.drop_before(datetime.now(timezone.utc), by="Ada", reason="kept for three years")
    assert dropped.segments == [path.stem]


# --- Several folders -------------------------------------------------------------------------------------------------


def test_a_person_in_two_ledgers_is_one_person(tmp_path: Path) -> None:
    """A fleet would count each of its users once a machine."""
    key = Key(bytes(32))
    for name, people in (("a", (1, 2, 3)), ("b", (3, 4))):
        with Ledger(tmp_path / name, key=key) as ledger:
            use(ledger, *people)
    both = Ledger(tmp_path / "a", tmp_path / "b", key=key)
    assert (both.affected().people, both.affected().reads) == (4, 5)
    assert len(both.subject(3)) == 2
    assert [one.affected().people for one in both.each()] == [3, 2]
    assert both.folders == (tmp_path / "a", tmp_path / "b")
    assert repr(both) == f"Ledger({str(tmp_path / 'a')!r}, {str(tmp_path / 'b')!r})"


def test_people_are_not_counted_across_keys(tmp_path: Path) -> None:
    """A person would be two, and the count wrong without anything to show for it."""
    for name in ("a", "b"):
        with Ledger(tmp_path / name) as ledger:
            use(ledger, 1)
    both = Ledger(tmp_path / "a", tmp_path / "b")
    for ask in (both.affected, both.matrix, both.sites, both.denials, both.timeline, both.handovers, both.activities):
        with pytest.raises(LedgerError, match="key"):
            ask()
    assert both.lost().reads == 0


def test_what_concerns_one_chain_is_not_asked_of_two(tmp_path: Path) -> None:
    """Which of them would be written to, or would the anchor be of?"""
    both = Ledger(tmp_path / "a", tmp_path / "b")
    for act in (
        both.recorder,
        both.verify,
        both.head,
        both.compact,
        lambda: both.drop_before(datetime.now(timezone.utc), by="A", reason="B"),
    ):
        with pytest.raises(LedgerError, match=r"each\(\)"):
            act()
    assert list(tmp_path.iterdir()) == []


# --- What is no ledger -----------------------------------------------------------------------------------------------


def test_a_folder_that_is_no_ledger_is_not_in_order(tmp_path: Path) -> None:
    """A mistyped path would say that nobody was affected, and that nothing was altered."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "beach.jpg").touch()
    for name in ("photos", "missing"):
        ledger = Ledger(tmp_path / name)
        for ask in (ledger.affected, ledger.verify, ledger.head, ledger.compact):
            with pytest.raises(LedgerError, match="There is no ledger at"):
                ask()
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_the_arguments_are_checked() -> None:
    """A key that is none would be noticed at the first read, in the middle of the night."""
    with pytest.raises(TypeError, match="takes the ledger's folder"):
        Ledger()
    with pytest.raises(TypeError, match="takes a Key or the path"):
        Ledger("a", key=bytes(32))  # type: ignore[arg-type]


def test_an_anchor_is_taken_as_it_is_or_as_text(tmp_path: Path) -> None:
    """It comes from a mailbox, as text."""
    with Ledger(tmp_path / "ledger") as ledger:
        use(ledger, 1)
    head = ledger.head()
    assert ledger.verify(str(head)).ok
    assert ledger.verify(head).ok
    assert not ledger.verify(Anchor(0, 64 * "1")).ok
    with pytest.raises(LedgerError, match="An anchor is a number"):
        ledger.verify("yesterday's")
