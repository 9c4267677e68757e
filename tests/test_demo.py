"""The replay: that the story it tells is true, that it counts exactly, and that it would notice a broken library."""

from __future__ import annotations

import io
import json
import logging
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import create_model
from rich.console import Console
from typer.testing import CliRunner

import purposebind
from purposebind import NoActivePurpose, PurposeViolation, configure, purpose_scope
from purposebind.cli.app import app
from purposebind.demo import Replay, accounts, queries, render, replay, road, roads, signin, sizes, store, story, tables
from purposebind.demo.accounts import ADVERTISING, SECURITY, TARGETING, TWO_FACTOR, Account
from purposebind.demo.contacts import EmailBook, PhoneBook, digests
from purposebind.demo.incident import Incident
from purposebind.demo.population import CAMPAIGN, Population, invent
from purposebind.demo.promises import Promises
from purposebind.integrations.sqlalchemy import checking

PHONE = "+353209112345"
WITHOUT_SQLALCHEMY = dict.fromkeys(["dump", "sql", "equality", "pickle", "deputy"], "refused")
ALL_REFUSED = {**WITHOUT_SQLALCHEMY, **dict.fromkeys(["orm", "core", "text", "cursor"], "refused")}
ADA = Account(id=1, handle="ada", country="IE", phone=PHONE)
COMMAND = "from purposebind.cli import main; main()"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The replay leaves its ledger where temporary files go, and stays there for its user to ask."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def run(*arguments: str, program: str = COMMAND) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, with the package that is tested here."""
    environment = {**os.environ, "PYTHONPATH": str(Path(purposebind.__file__).parents[1]), "COLUMNS": "100"}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def run_here(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Run ``purposebind demo --json`` in this process, where a test may have broken something."""
    done = CliRunner().invoke(app, ["demo", "--json", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, json.loads(done.stdout)


def on_the_list(population: Population) -> set[int]:
    """Who is on the list, by comparing each contact with the entries: another way than the seed's to the same truth."""
    entries = set(population.listed)
    return {p.id for p in population.people if not entries.isdisjoint(digests(p.phone, p.email))}


@pytest.mark.parametrize(("people", "seed"), [(1, 2019), (2, 0), (7, 1), (60, 2), (61, 3), (1000, 2019)])
def test_the_story_holds_for_any_number_of_people(people: int, seed: int) -> None:
    """With one account, or an odd number of them, a chapter would have nobody to tell of and claim success."""
    outcome = replay(people, seed=seed)
    population = invent(people, seed)
    assert outcome.passed
    assert outcome.people == outcome.logins == outcome.login_codes == people
    assert outcome.first_read == "refused"
    assert outcome.roads == ALL_REFUSED
    assert outcome.read == outcome.read_truth == sum(p.country in CAMPAIGN for p in population.people)
    assert outcome.affected == outcome.affected_truth == len(on_the_list(population) & population.looked_up) >= 1


def test_the_counts_are_told_apart() -> None:
    """Were the affected everybody, or as many as the entries, any counting at all would come out right."""
    progress: list[float] = []
    outcome = replay(1000, watch=lambda doing, done: progress.append(done))
    assert progress == sorted(progress)
    assert (progress[0], round(progress[-1], 6)) == (0, 1)
    assert len({outcome.people, outcome.list_entries, outcome.read, outcome.affected, outcome.entries_matched}) == 5
    assert outcome.violations == 2 * (outcome.read + outcome.affected)  # two contacts, in each of the two steps
    assert [(group.field, group.purposes, group.people) for group in outcome.groups] == [
        ("Account.email", ("advertising",), outcome.read),
        ("Account.phone", ("advertising",), outcome.read),
        ("Account.email", ("advertising.targeting",), outcome.affected),
        ("Account.phone", ("advertising.targeting",), outcome.affected),
    ]
    assert all("audience.py:" in group.site for group in outcome.groups)


def test_the_configuration_is_restored() -> None:
    """A service that ran the replay would otherwise go on in observe mode, with everything open."""
    logger = logging.getLogger("purposebind")
    before = (logger.handlers[:], logger.propagate)
    told: list[object] = []
    with configure(mode="enforce", unscoped="enforce", on_violation=told.append):
        assert replay(3).passed
        assert told == []
        with pytest.raises(NoActivePurpose):
            ADA.phone
        assert len(told) == 1
    assert (logger.handlers, logger.propagate) == before


@pytest.mark.parametrize("way", [way for road in roads.roads() for way in road.ways])
def test_each_way_really_is_the_match(way: road.Way) -> None:
    """A road that fails for a mistake of its own would be taken for one that the library closed (R1, R4, R11)."""
    population = invent(60, seed=3)
    with store.open_store() as opened:
        opened.fill(population)
        queued = tuple(signin.queue_logins(opened.accounts(CAMPAIGN)))
        with configure(mode="observe"), purpose_scope(ADVERTISING):
            found = set(way(road.Evidence(opened, opened.uploaded(), queued)))
    assert found == population.affected


def test_sign_in_works_for_those_it_was_written_for() -> None:
    """A function that nobody can call would be refused for the wrong reason (R4)."""
    assert signin.contact_digests(ADA) == digests(PHONE)
    with purpose_scope(SECURITY):
        assert signin.contact_digests(ADA) == digests(PHONE)
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        signin.contact_digests(ADA)
    with pytest.raises(ValueError, match="to go to"):  # and a code has to have somewhere to go
        signin.Gateway()("<sealed: security.two_factor>", "code")


SOMEBODY, NOBODY, FAILING, REFUSED, REFUSED_LATE = (
    lambda evidence: (number for number in [1]),
    lambda evidence: (number for number in list[int]()),
    lambda evidence: (number.phone for number in [1]),  # type: ignore[attr-defined]
    lambda evidence: (len(ADA.phone or "") for _ in [1]),
    lambda evidence: (number or len(ADA.phone or "") for number in [1, 0]),
)


@pytest.mark.parametrize("ways", [[REFUSED, SOMEBODY], [SOMEBODY, REFUSED], [REFUSED_LATE], [NOBODY], [FAILING]])
def test_refused_means_a_violation_on_every_way(ways: list[Any]) -> None:
    """An AttributeError, or an empty answer, counted as a refusal would hide an open road (R12)."""
    with store.open_store() as opened:
        evidence = road.Evidence(opened, frozenset(), ())
        assert road.attempt(road.Road("refused", "", (REFUSED, REFUSED)), evidence) == "refused"
        assert road.attempt(road.Road("open", "", tuple(ways)), evidence) == "open"


# What an account would be if the tags did nothing.
OpenAccount = create_model("OpenAccount", id=int, handle=str, country=str, phone=(Any, None), email=(Any, None))


def test_tags_that_do_nothing_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """If everything were open, the demo has to say so, and not to congratulate itself."""
    monkeypatch.setattr(store, "Account", OpenAccount)
    code, said = run_here("--accounts", "60")
    assert (code, said["passed"], said["first_read"]) == (1, False, "open")
    open_ones = ("dump", "sql", "pickle", "deputy")  # equality takes LookupKey, and the queries the tables
    assert said["roads"] == {**ALL_REFUSED, **dict.fromkeys(open_ones, "open")}
    assert said["affected"] == 0 < said["affected_truth"]
    text = shown(replay(7))
    for words in ("Not refused", "open", "WRONG", "0 people were counted", "This is not what has to happen"):
        assert words in text


@pytest.mark.parametrize(
    ("road", "model", "method", "leaking"),
    [
        ("dump", Account, "model_dump", lambda self: {"id": self.id, "phone": PHONE, "email": None}),
        ("equality", accounts.LookupKey, "__eq__", lambda self, other: True),
        ("pickle", Account, "__reduce_ex__", lambda self, protocol: (dict, ((("id", self.id),),))),
    ],
)
def test_one_open_road_is_noticed(
    road: str, model: type, method: str, leaking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One open road out of nine is all it takes, and has to fail the replay."""
    monkeypatch.setattr(model, method, leaking)
    code, said = run_here("--accounts", "7")
    assert code == 1
    assert said["roads"] == {**ALL_REFUSED, road: "open"}
    assert said["affected"] == said["affected_truth"]


def test_statements_that_are_not_asked_for_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that lets queries pass, when entities alone refuse, would leave the road of 2019 open (R1)."""
    monkeypatch.setattr(checking, "use", lambda uses: None)
    code, said = run_here("--accounts", "7")
    assert code == 1
    assert said["roads"] == {**ALL_REFUSED, **dict.fromkeys(roads.NAMES_OF_QUERY_ROADS, "open")}
    assert said["affected"] == said["affected_truth"]


def test_an_entity_that_hands_out_what_it_holds_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way along a road counts: queries that are refused would hide an entity that is not."""
    monkeypatch.setattr(tables.Account, "phone", property(lambda self: PHONE))
    monkeypatch.setattr(tables.Account, "email", property(lambda self: None))
    with store.open_store() as opened:
        opened.fill(invent(7, 1))
        evidence = road.Evidence(opened, frozenset(digests(PHONE)), ())
        found = {way.__name__: road.attempt(road.Road("", "", (way,)), evidence) for way in queries.QUERY_ROADS[0].ways}
    assert found["_entities"] == "open"


def test_a_handover_opens_the_deputy_and_is_noticed() -> None:
    """A real hole, made as users can make one: advertising may leave for two-factor, and the road is open (R4)."""
    hole = (
        "from purposebind.demo.accounts import ADVERTISING, TWO_FACTOR\n"
        "ADVERTISING.may_hand_over_to(TWO_FACTOR, reason='A hole made by a test')\n"
    )
    done = run("demo", "--accounts", "7", "--json", program=hole + COMMAND)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["roads"] == {**ALL_REFUSED, "deputy": "open"}


def seen(subject: object, *active: Any, field: str = "Account.phone", site: str = "ads.py:1") -> Any:
    return SimpleNamespace(field=field, active=frozenset(active), subject=subject, site=site)


class BrokenIncident(Incident):
    """Told of the first person by another id, by none, or not at all."""

    first_person: list[object]

    def __call__(self, denial: Any) -> None:
        for subject in self.first_person if denial.subject == 1 else [denial.subject]:
            super().__call__(seen(subject, *denial.active, field=denial.field, site=denial.site))


@pytest.mark.parametrize("first_person", [[], [-1], [1, -1], [1, None]])
def test_a_miscount_is_noticed(first_person: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    """A count that is off by one, or right by luck, is no exact count."""
    monkeypatch.setattr(BrokenIncident, "first_person", first_person, raising=False)
    monkeypatch.setattr(story, "Incident", BrokenIncident)
    code, said = run_here("--accounts", "7")
    assert (code, said["same_people"]) == (1, False)


def test_a_library_that_refuses_too_much_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusing everything closes every road; but nobody can log in, and observing (R11) counts one person."""
    with monkeypatch.context() as patch:
        patch.setattr(story, "send_login_codes", purpose_scope(ADVERTISING)(signin.send_login_codes))
        code, said = run_here("--accounts", "7")
        assert (code, said["login_codes"]) == (1, 0)
    monkeypatch.setattr(
        story, "configure", lambda *, mode, unscoped, on_violation: configure(on_violation=on_violation)
    )
    code, said = run_here("--accounts", "7")
    assert (code, said["affected"]) == (1, 0)


@pytest.mark.parametrize("people", [1, 2, 3, 10, 2000, sizes.DEFAULT_ACCOUNTS])
def test_the_seeded_truth_is_true(people: int) -> None:
    """The hook's count is compared with the seed's truth: were that wrong, equality would prove nothing."""
    for seed in range(20 if people < 100 else 1):
        population = invent(people, seed)
        assert 1 in population.affected == on_the_list(population) & population.looked_up
        assert population.looked_up == {person.id for person in population.people if person.country in CAMPAIGN}
        assert len(population.listed) == len(set(population.listed)) == max(1, round(people * 3 / 5))
    assert invent(people, seed) == population
    assert people < 10 or invent(people, seed + 1) != population


def test_counting_is_hard_on_purpose() -> None:
    """Without people listed twice, shared phones and listed people elsewhere, a count of matches would do."""
    population = invent(2000, 1)
    entries = set(population.listed)
    assert any(entries.issuperset(digests(p.phone, p.email)) for p in population.people if p.phone and p.email)
    assert any(p.id in population.affected for p in population.people if p.phone_owner not in {None, p.id})
    assert on_the_list(population) - population.looked_up
    assert {(p.phone is None, p.email is None) for p in population.people} == {(0, 0), (1, 0), (0, 1)}


def test_contacts_are_given_once_and_reach_nobody() -> None:
    """A contact given twice would make one person of two; one from real ranges and domains would be somebody's."""
    phones, emails = PhoneBook(Random(1)), EmailBook(Random(1))
    numbers = [phones.new("DE") for _ in range(5001)]
    assert numbers.pop() is None  # the range is used up
    assert len(set(numbers)) == 5000
    assert all(number is not None and number.startswith("+49") for number in numbers)
    addresses = [emails.new()[1].strip().lower() for _ in range(3000)]
    assert len(set(addresses)) == 3000
    assert all(address.endswith(".example") and address.count("@") == 1 for address in addresses)


def test_people_are_counted_once_and_by_purpose() -> None:
    """Counting reads instead of people, or one purpose for another, gives a number that means nothing."""
    incident = Incident()
    for field in ("Account.phone", "Account.email"):
        incident(seen(1, ADVERTISING, field=field))
    for subject, *active in ((2, ADVERTISING), (2, TARGETING), (3, SECURITY, TARGETING), (4, SECURITY), (None,)):
        incident(seen(subject, *active, site="b.py:2"))
    assert (incident.violations, incident.unattributed) == (7, 1)
    assert incident.people(ADVERTISING) == {1, 2, 3}
    assert incident.people(TARGETING) == {2, 3}
    assert incident.people(TWO_FACTOR) == set()


def shown(outcome: Replay) -> str:
    console = Console(file=(file := io.StringIO()), width=120)
    render.show(outcome, console)
    return file.getvalue()


def test_what_is_shown_tells_the_story() -> None:
    """The reader has to find the error whole, each road, what is counted, and the count."""
    outcome = replay(1000)
    text = shown(outcome)
    assert outcome.error in text
    for fact in ("PurposeViolation", "Account.phone", "advertising", "security.two_factor", "audience.py:", "Ways out"):
        assert fact in outcome.error
    count = f"Exactly {outcome.affected:,} people were affected."
    for words in (*ALL_REFUSED, count, "read for advertising", "advertiser's list", f"{outcome.read:,}", "exact"):
        assert words in text
    assert "WRONG" not in text
    assert "BAD" not in text


def test_nothing_shown_is_personal() -> None:
    """The demo of a privacy library must not put people's data on the screen, or into a log that keeps its output."""
    population, outcome = invent(200, sizes.DEFAULT_SEED), replay(200)
    said = (
        shown(outcome) + json.dumps(outcome.as_json()) + repr(outcome) + repr(population) + repr(population.people[0])
    )
    for person in population.people:
        for word in (person.phone, person.email, *digests(person.phone, person.email)):
            assert word is None or word.strip() not in said


def test_json_is_one_object_and_nothing_else() -> None:
    """A script that reads the output would choke on a progress bar, a warning or a table."""
    done = run("demo", "--fast", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert (said["people"], said["list_entries"], said["seed"], said["passed"]) == (2000, 1200, 2019, True)
    assert said["roads"] == ALL_REFUSED
    assert said["left_out"] == ""
    assert 0 < said["affected"] == said["affected_truth"] < said["read"] == said["read_truth"] < said["people"]
    assert len(said["warnings"]) == len(said["groups"]) == 4
    assert set(said["counted"]) == {"people", "read", "affected"}
    assert said["seconds"] > 0


def test_the_ledger_is_left_for_whoever_asks_afterwards(tmp_path: Path) -> None:
    """The number on the screen could be the hook's; what counts is what is still known when the service is gone."""
    done = run("demo", "--fast", "--json", "--folder", str(tmp_path / "kept"))
    said = json.loads(done.stdout)
    assert (done.returncode, said["ledger_affected"], said["ledger_read"]) == (0, said["affected"], said["read"])
    assert Path(said["ledger"]) == tmp_path / "kept" / "ledger"
    assert "<html" in Path(said["report"]).read_text(encoding="utf-8")
    again = run(*shlex.split(said["command"])[1:], "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["people"] == said["affected_truth"] > 0
    taken = run("demo", "--fast", "--folder", str(tmp_path / "kept"))
    assert (taken.returncode, "a ledger" in taken.stderr) == (2, True)


@pytest.mark.parametrize(("refused", "read"), [(1, 1), (2, 0), (0, 1)])
def test_a_promise_that_is_not_kept_fails_the_replay(monkeypatch: pytest.MonkeyPatch, refused: int, read: int) -> None:
    """A phone given for login alone that reaches the match, or one from the form that does not."""
    assert replay(5).promises == Promises(for_login=4, refused=4, on_a_form=2, read=2)
    monkeypatch.setattr(story, "keep_promises", lambda people: Promises(2, refused, 1, read))
    broken = replay(5)
    assert not broken.passed
    console = Console(record=True, width=200, file=io.StringIO())
    render.show(broken, console)
    said = console.export_text()
    assert ("BAD Of 2 given for two-factor login" in said) == (refused != 2)
    assert ("BAD Of 1 given on the form" in said) == (read != 1)


def test_a_ledger_that_counts_wrong_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The replay would call a count exact that is not."""
    real = story.ask
    monkeypatch.setattr(story, "ask", lambda folder: replace(real(folder), affected=real(folder).affected + 1))
    code, said = run_here("--accounts", "200")
    assert (code, said["passed"], said["affected"] == said["affected_truth"]) == (1, False, True)


def test_no_file_that_is_left_is_personal(tmp_path: Path) -> None:
    """The ledger of a breach would be one more breach."""
    population, outcome = invent(200, sizes.DEFAULT_SEED), replay(200, folder=tmp_path)
    assert outcome.passed
    left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for person in population.people:
        for word in (person.phone, person.email, person.handle):
            assert word is None or word.encode() not in left


@pytest.mark.parametrize("missing", ["duckdb", "jinja2", "numpy"])
def test_without_the_ledgers_extra_it_says_what_to_install(missing: str) -> None:
    """After ten seconds of story its user would get a traceback instead of the end."""
    done = run("demo", program=f"import sys; sys.modules[{missing!r}] = None\n{COMMAND}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'purposebind[ledger]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("missing", ["sqlalchemy", "sqlglot"])
def test_without_sqlalchemy_its_roads_are_left_out_and_it_says_so(missing: str) -> None:
    """Failing for want of an extra, it shows nothing; silent of it, it would claim roads that it never tried."""
    program = f"import sys; sys.modules[{missing!r}] = None\n{COMMAND}"
    done = run("demo", "--accounts", "7", "--json", program=program)
    said = json.loads(done.stdout)
    assert (done.returncode, said["passed"], said["roads"]) == (0, True, WITHOUT_SQLALCHEMY)
    assert said["affected"] == said["affected_truth"]
    shown = run("demo", "--accounts", "7", program=program)
    assert (shown.returncode, shown.stderr.strip()) == (0, "")
    assert [line for line in shown.stdout.splitlines() if "pip install" in line] == [said["left_out"]]
    for words in (*roads.NAMES_OF_QUERY_ROADS, missing, "pip install 'purposebind[ledger,sqlalchemy]'"):
        assert words in said["left_out"]


def test_the_names_of_the_roads_that_may_be_left_out() -> None:
    """The line that says what is left out is read where nobody can look it up."""
    assert tuple(road.name for road in queries.QUERY_ROADS) == roads.NAMES_OF_QUERY_ROADS
    assert tuple(road.name for road in roads.roads()) == tuple(ALL_REFUSED)


def test_text_without_a_terminal_is_plain() -> None:
    """Output kept in a file would be full of control characters."""
    done = run("demo", "--accounts", "7")
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert "\x1b" not in done.stdout
    for words in ("PurposeViolation", "also logs a warning", "affected."):
        assert words in done.stdout


def test_the_options() -> None:
    """Whoever names a number wants that number; a traceback is no answer to a mistyped one."""
    code, said = run_here("--fast", "--accounts", "3", "--seed", "4")
    assert (code, said["people"], said["seed"]) == (0, 3, 4)
    assert CliRunner().invoke(app, ["demo", "--accounts", "0"]).exit_code == 2
    assert CliRunner().invoke(app, ["--version"]).output.startswith("purposebind")
    assert "demo" in CliRunner().invoke(app, []).output


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_it_says_what_to_install(missing: str) -> None:
    """The script is installed without the extra too, and would greet its user with a traceback."""
    done = run("demo", program=f"import sys; sys.modules[{missing!r}] = None\n{COMMAND}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'purposebind[cli]'" in done.stderr
    assert "Traceback" not in done.stderr
    story_alone = "from purposebind.demo import replay; sys.exit(not replay(7).passed)"
    assert run(program=f"import sys; sys.modules[{missing!r}] = None\n{story_alone}").returncode == 0


def test_another_missing_module_is_not_disguised() -> None:
    """Installing the extra would not help, and the advice would send the user in circles."""
    done = run("demo", program=f"import sys; sys.modules['sqlite3'] = None\n{COMMAND}")
    assert done.returncode == 1
    assert "sqlite3" in done.stderr
    assert "pip install" not in done.stderr
