"""The parts of the report before they are a page: words, the matrix, what packages declare, pictures."""

from __future__ import annotations

import itertools
import re
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from report_example import DECLARED, MADE, write_shop

from purposebind.ledger import Ledger, LedgerError
from purposebind.ledger.report import Declared, DeclaredField, build, declared_in, render, words
from purposebind.ledger.report.matrix import STATES, matrix
from purposebind.ledger.report.pictures import flow, strip

NOON = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)


# --- Words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Account.phone", "Account.phone"),
        ("<b>\"x\" & 'y'</b>", "<b>\"x\" & 'y'</b>"),  # escaping is the template's
        ("größer", "größer"),
        ("ads\u202egnp", "ads\\u202egnp"),
        ("a\x00b\x1b[31m", "a\\u0000b\\u001b[31m"),
        ("\ud800", "\\ud800"),
        ("\u200bzero\u2028width\ufeff", "\\u200bzero\\u2028width\\ufeff"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, shown: str) -> None:
    """A name that turns the direction of its neighbours could make "refused" read as something else."""
    assert words.visible(text) == shown
    words.visible(text).encode()


@pytest.mark.parametrize(
    ("site", "parts"),
    [
        ("/srv/app/ads.py:41 in match", ("/srv/app/", "ads.py:41", "match")),
        ("ads.py:41", ("", "ads.py:41", "")),
        (r"C:\app\ads.py:41 in Match.run", ("C:\\app\\", "ads.py:41", "Match.run")),
        ("<stdin>:1 in <module>", ("", "<stdin>:1", "<module>")),
        ("/srv/my in laws/ads.py:4 in f", ("/srv/my in laws/", "ads.py:4", "f")),
        ("no line", ("", "no line", "")),
        ("", ("", "place not known", "")),
        (None, ("", "place not known", "")),
    ],
)
def test_a_site_comes_in_parts(site: str | None, parts: tuple[str, str, str]) -> None:
    """A path that was cut wrongly would send the reader to a file that does not exist."""
    place = words.place(site)
    assert (place.folder, place.line, place.function) == parts
    assert not site or str(place) == site


def test_moments_are_in_utc() -> None:
    """A report read in another country would tell of another day."""
    late = datetime(2026, 3, 2, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert words.moment(late) == "3 Mar 2026 04:30"
    assert words.day(late) == "3 Mar 2026"
    assert words.moment(NOON.replace(tzinfo=None)) == "2 Mar 2026 12:00"
    assert words.moment(None) == "\N{EN DASH}"


def test_lists_are_read_as_sentences() -> None:
    """A privacy officer reads words, not Python."""
    assert [words.listed(list("abc"[:n])) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert words.counted(1, "person", "people") == "1 person"
    assert words.counted(0, "person", "people") == "0 people"


# --- The matrix ------------------------------------------------------------------------------------------------------


def cell(field: str, purpose: str | None, decision: str = "allowed", people: int = 1, unknown: int = 0) -> Any:
    return SimpleNamespace(
        field=field, purpose=purpose, decision=decision, people=people, reads=people + unknown, unknown_reads=unknown
    )


def states(seen: list[Any], *tags: DeclaredField) -> dict[tuple[str, str], list[str]]:
    """The states of each cell that has any."""
    _, rows = matrix(seen, Declared(("shop",), tags, {}) if tags else None, frozenset())
    return {(c.field, c.purpose): [m.state for m in c.marks] for row in rows for c in row.cells if c.marks}


@pytest.mark.parametrize(
    ("seen", "tag", "expected"),
    [
        ([], DeclaredField("A.x", ("care",)), {("A.x", "care"): ["unused"]}),
        ([cell("A.x", "care")], DeclaredField("A.x", ("care",)), {("A.x", "care"): ["used"]}),
        (  # R2: a tag covers what is below it
            [cell("A.x", "care.urgent")],
            DeclaredField("A.x", ("care",)),
            {("A.x", "care"): ["parts"], ("A.x", "care.urgent"): ["used"]},
        ),
        (  # and nothing whose name only begins alike
            [cell("A.x", "careless")],
            DeclaredField("A.x", ("care",)),
            {("A.x", "care"): ["unused"], ("A.x", "careless"): ["outdated"]},
        ),
        (
            [cell("A.x", "care.urgent", "denied")],
            DeclaredField("A.x", ("care",), never=("care.urgent",)),
            {("A.x", "care"): ["parts"], ("A.x", "care.urgent"): ["refused", "ruled_out"]},
        ),
        (
            [cell("A.x", "ads", "observed"), cell("A.x", "ads", "denied"), cell("A.x", "ads", "break_glass")],
            DeclaredField("A.x", ("care",)),
            {("A.x", "ads"): ["observed", "emergency", "refused"], ("A.x", "care"): ["unused"]},
        ),
        (  # refused, although declared: its other purpose was not
            [cell("A.x", "care", "denied")],
            DeclaredField("A.x", ("care",)),
            {("A.x", "care"): ["refused", "unused"]},
        ),
        (
            [cell("A.x", "care"), cell("B.y", "care.urgent")],
            DeclaredField("A.x", ("care",)),
            {("A.x", "care"): ["used"], ("A.x", "care.urgent"): ["included"], ("B.y", "care.urgent"): ["used"]},
        ),
        (
            [cell("A.x", None, "denied"), cell("A.x", "", "denied")],
            DeclaredField("A.x", ("care",)),
            {("A.x", ""): ["refused", "refused"], ("A.x", "care"): ["unused"]},
        ),
    ],
)
def test_a_cell_says_what_was_declared_and_what_happened(
    seen: list[Any], tag: DeclaredField, expected: dict[tuple[str, str], list[str]]
) -> None:
    """A cell that took a wrong purpose for a declared one would acquit the code (R2)."""
    assert states(seen, tag) == expected


def test_without_declarations_nothing_is_said_of_them() -> None:
    """ "Not declared today" would be an accusation that nothing supports."""
    assert states([cell("A.x", "care")]) == {("A.x", "care"): ["used"]}
    assert states([cell("B.y", "ads")], DeclaredField("A.x", ("care",)))["B.y", "ads"] == ["used"]


def test_the_matrix_is_whole() -> None:
    """A row with a cell too few would put a number under the wrong purpose."""
    seen = [cell("B.y", "ads", "denied"), cell("A.x", "care"), cell("A.x", "")]
    columns, rows = matrix(seen, None, frozenset([("A.x", "care")]))
    assert [column.name for column in columns] == ["ads", "care", ""]
    assert [row.field for row in rows] == ["A.x", "B.y"]
    assert [[c.purpose for c in row.cells] for row in rows] == [["ads", "care", ""]] * 2
    assert [c.id for row in rows for c in row.cells if c.has_sites] == ["1-2"]
    assert len({c.id for row in rows for c in row.cells}) == 6


def test_every_state_is_told_by_its_shape_and_its_word() -> None:
    """Two states told apart by colour alone are one state to a twelfth of all men."""
    assert len({state.shape for state in STATES.values()}) == len(STATES)
    assert len({state.label for state in STATES.values()}) == len(STATES)


# --- What packages declare -------------------------------------------------------------------------------------------

MODELS = """
from typing import Annotated
from purposebind import AllowedFor, Purpose, PurposeModel, SubjectId
CARE = Purpose("report_care", "Treat the patient")
URGENT = CARE.child("urgent", "Treat them when they cannot be asked")
class Patient(PurposeModel):
    number: Annotated[int, SubjectId]
    diagnosis: Annotated[str | None, AllowedFor(CARE, never=[URGENT])] = None
    parent: "Guardian | None" = None
class Guardian(PurposeModel):
    name: str
"""


def test_a_package_is_read_with_all_its_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model in a submodule that nobody imported would be missing, and its fields not "never read" but unheard of."""
    package = tmp_path / "clinic"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "deep" / "__init__.py").write_text("")
    (package / "deep" / "models.py").write_text(MODELS)
    (package / "half.py").write_text("from purposebind import PurposeModel\nclass Half(PurposeModel):\n  x: 'Nowhere'")
    (package / "broken.py").write_text("import clinic_needs_this_to_be_installed")
    (package / "script.py").write_text("raise SystemExit(3)")
    (package / "__main__.py").write_text("raise AssertionError('this must not be run')")
    (tmp_path / "clinic_other.py").write_text(MODELS.replace("Patient", "Stranger"))
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    try:
        declared_in("clinic_other")
        declared = declared_in("clinic")
    finally:
        for name in set(sys.modules) - before:
            del sys.modules[name]
    assert declared.packages == ("clinic",)
    assert declared.fields == (DeclaredField("Patient.diagnosis", ("report_care",), ("report_care.urgent",)),)
    assert declared.purposes["report_care.urgent"] == "Treat them when they cannot be asked"
    assert declared.failed == (("clinic.broken", "ModuleNotFoundError"), ("clinic.script", "SystemExit"), HALF)


HALF = ("clinic.half.Half", "refers to a class that is not defined")


def test_models_of_one_name_are_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger knows a field by its model's name: what either of the two allows was allowed."""
    (tmp_path / "twin_a.py").write_text(MODELS.replace('"urgent"', '"urgent_a"'))
    (tmp_path / "twin_b.py").write_text(
        MODELS.replace(", never=[URGENT]", "").replace("AllowedFor(CARE", "AllowedFor(URGENT")
    )
    monkeypatch.syspath_prepend(tmp_path)
    (field,) = declared_in("twin_a", "twin_b").fields
    assert field.allowed == ("report_care", "report_care.urgent")
    assert field.never == ("report_care.urgent_a",)


def test_a_package_that_is_not_there_is_named() -> None:
    """A traceback tells an auditor nothing."""
    with pytest.raises(LedgerError, match="no_such_package cannot be imported"):
        declared_in("no_such_package")


# --- Pictures --------------------------------------------------------------------------------------------------------


def test_one_person_is_seen_beside_a_million() -> None:
    """The one read that should not have been must not vanish for being one."""
    hour = timedelta(hours=1)
    counts = [(NOON, 1_000_000, 1_000_000), (NOON + hour, 1, 1), (NOON + 2 * hour, 0, 5)]
    drawn = strip("used", counts, (NOON, NOON + 1000 * hour), hour, words.moment)
    assert [bar.height for bar in drawn.bars] == [56, 4, 4]
    assert [bar.x for bar in drawn.bars] == [0, 1, 2]
    assert all(bar.width >= 2 and bar.x + bar.width <= 1000 for bar in drawn.bars)
    assert drawn.bars[2].words == "2 Mar 2026 14:00: 0 people, 5 reads"
    assert "1,000,006 reads in all" in drawn.words


def handover(left: str, entered: str, activities: int) -> Any:
    return SimpleNamespace(left=left, entered=entered, activities=activities)


def test_bands_lie_beside_one_another() -> None:
    """Bands drawn over one another look like fewer."""
    drawn = flow([handover("a", "b", 30), handover("a", "c", 10), handover("d", "b", 10), handover("a", "b", 10)])
    assert drawn is not None
    assert [end.name for end in drawn.left] == ["a", "d"]
    assert [(end.name, end.words) for end in drawn.entered] == [("b", "50 activities"), ("c", "10 activities")]
    assert next(band.words for band in drawn.bands) == "a to b: 40 activities"
    for side in (drawn.left, drawn.entered):
        assert all(one.top + one.height < other.top for one, other in itertools.pairwise(side))
        assert side[-1].top + side[-1].height <= drawn.height
    thickness = sum(band.thickness for band in drawn.bands if band.words.startswith("a "))
    assert thickness == pytest.approx(drawn.left[0].height)


def test_a_picture_of_everything_is_a_picture_of_nothing() -> None:
    """Hundreds of bands cannot be followed; the table below has them all."""
    drawn = flow(handover(f"left{n}", "right", n + 1) for n in range(100))
    assert drawn is not None
    assert (len(drawn.bands), drawn.left_out) == (12, 88)
    assert drawn.left[0].name == "left99"
    assert flow([]) is None


# --- The page as a file ----------------------------------------------------------------------------------------------


def test_compaction_changes_nothing_in_it(tmp_path: Path) -> None:
    """Two reports about one time that differ are none."""
    write_shop(tmp_path / "ledger", customers=300)
    done: list[float] = []
    with Ledger(tmp_path / "ledger") as ledger:
        before = build(ledger, DECLARED, made=MADE, watch=lambda doing, part: done.append(part))
    with Ledger(tmp_path / "ledger") as ledger:
        ledger.compact()
        after = build(ledger, DECLARED, made=MADE)
    assert replace(after, chains=()) == replace(before, chains=())
    assert [chain.ok for chain in (*before.chains, *after.chains)] == [True, True]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, 1)


def test_the_policy_allows_the_least(tmp_path: Path) -> None:
    """One "unsafe-inline" and the hashes mean nothing."""
    write_shop(tmp_path / "ledger", months=0)
    with Ledger(tmp_path / "ledger") as ledger:
        html = render(build(ledger))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    directives = dict(part.strip().split(" ", 1) for part in unescape(policy[1]).split(";"))
    assert directives["default-src"] == directives["base-uri"] == directives["form-action"] == "'none'"
    for directive in ("style-src", "script-src"):
        assert re.fullmatch(r"'sha256-[\w+/]{43}='", directives[directive])
    assert len(directives) == 5
    assert (
        html.index("Content-Security-Policy") < html.index("<title>") < html.index("<style>") < html.index("<script>")
    )
    assert not re.search(r"https?://(?!www\.w3\.org)", html)
