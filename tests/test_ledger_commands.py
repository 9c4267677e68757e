"""`purposebind ledger`: what each command prints, in its three forms, and what it exits with.

What they print is kept in ``ledger_answers/``. After a change that is meant, write it anew, and read the difference::

    PURPOSEBIND_WRITE_ANSWERS=1 pytest tests/test_ledger_commands.py
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from report_example import KEY, Script, write_hostile
from segments import lost, names, read, segment
from typer.testing import CliRunner, Result

import purposebind
from purposebind.cli.app import app
from purposebind.ledger import Ledger
from purposebind.ledger.closing import close_abandoned
from purposebind.ledger.folder import Folder
from purposebind.ledger.key import KEY_VARIABLE

ANSWERS = Path(__file__).parent / "ledger_answers"
START = datetime(2026, 3, 2, 6, tzinfo=timezone.utc)

QUESTIONS = {
    "affected": "affected",
    "affected-filtered": "affected --field Account --purpose security --decision allowed --since 2026-03-02Z",
    "matrix": "matrix",
    "sites": "sites",
    "denials": "denials",
    "handovers": "handovers",
    "break-glass": "break-glass",
    "timeline": "timeline --bucket day",
    "activities": "activities --limit 3",
    "subject": "subject 1",
    "subject-nobody": "subject 99",
}
UPKEEP = {
    "verify": "verify",
    "head": "head",
    "compact": "compact",
    "verify-compacted": "verify",
    "compact-again": "compact",
    "drop": "compact --drop-before 2027-01-01T00:00+02:00 --by 'Ada Lovelace' --reason 'kept for three years'",
    "verify-dropped": "verify",
}
FORMS = {"": [], "--json": ["--json"], "--csv": ["--csv"]}


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (KEY_VARIABLE, "PURPOSEBIND_LEDGER"):
        monkeypatch.delenv(variable, raising=False)


def write_ledger(path: Path) -> None:
    Folder(path).make()
    script = Script(path, START, 1)
    script.work(START, ["security.two_factor"], "/srv/login.py:88 in send_code", {"Account.phone": [1, 2, 2, None]})
    handover = {"left": "orders", "entered": "billing", "reason": "An order is charged to the customer"}
    reads: dict[str, list[int | None]] = {"Order.iban": [1, 3], "Order.address": [3]}
    later = START + timedelta(hours=5)
    script.work(later, ["billing", "orders"], "/srv/invoice.py:12 in invoice", reads, handovers=[handover])
    match = "/srv/audience.py:41 in match_audience"
    tomorrow = START + timedelta(days=1)
    script.deny(tomorrow, ["advertising"], "Account.phone", match, [1, 2, 3], enforced=False)
    script.deny(tomorrow, [], "Account.email", None, [4], reason="no scope")
    emergency = {"reason": "INC-1234: restore login", "by": "Grace Hopper"}
    script.work(tomorrow, [], "/srv/ops.py:4 in restore", {"Account.phone": [1]}, emergency=emergency, ended=False)
    script.put()
    close_abandoned(Folder(path))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shop") / "ledger"
    write_ledger(path)
    write_key(path)
    return path


def write_key(ledger: Path) -> Path:
    path = Folder(ledger).key
    path.write_text(bytes(range(32)).hex())
    path.chmod(0o600)
    return path


def run(command: str, *paths: Path, width: int = 130, text: str | None = None, **environment: str) -> Result:
    arguments = ["ledger", *shlex.split(command)]
    for path in paths:
        arguments += ["--ledger", str(path)]
    return CliRunner().invoke(app, arguments, input=text, env={"COLUMNS": str(width), **environment})


def told(command: str, path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a command prints, without what differs from run to run."""
    monkeypatch.chdir(path.parent)
    done = run(f"{command} {form}", Path(path.name))
    assert done.exit_code == 0, done.output
    text = re.sub(r"\b[0-9a-f]{64}\b", "HASH", done.output)
    text = re.sub(r"\b(?!0{20})[0-9a-f]{32}\b", "0123456789abcdef" * 2, text)
    text = re.sub(r"20\d\d-\d\d-\d\dT[\d:]+\.\d+[Z+:0-9]*", "NOW", text)
    lines = [f"$ purposebind ledger {command} {form}", *text.splitlines()]
    return "".join(line.rstrip() + "\n" for line in lines)


def hold_against(name: str, found: str) -> None:
    file = ANSWERS / f"{name}.txt"
    if os.environ.get("PURPOSEBIND_WRITE_ANSWERS"):
        file.write_text(found, encoding="utf-8")
    assert found == file.read_text(encoding="utf-8")


# --- What is printed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_question_is_answered_in_three_forms(name: str, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that reads the answer breaks when a column is renamed, and a person when it is not to be read."""
    hold_against(name, "\n".join(told(QUESTIONS[name], shop, form, monkeypatch) for form in FORMS))


def test_a_ledger_is_kept_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command says of a chain, a batch and a gap is what an auditor reads first."""
    paths = {form: tmp_path / (form.strip("-") or "table") / "ledger" for form in FORMS}
    for path in paths.values():
        write_ledger(path)
        write_key(path)
    for name, command in UPKEEP.items():
        parts = [told(command, path, form, monkeypatch) for form, path in paths.items()]
        hold_against(name, "\n".join(parts))
    for path in paths.values():
        assert Ledger(path).affected().people == 0


def test_json_holds_every_answer_whole(shop: Path) -> None:
    """A number of 62 bits would be rounded by whoever reads JSON with a browser or a spreadsheet."""
    (asked,) = Ledger(shop).activities(limit=1)
    (found,) = json.loads(run("activities --limit 1 --json", shop).stdout)
    assert found["activity"] == str(asked.activity)
    assert found["started"] == "2026-03-03T06:00:00Z"
    assert found["ended"] is None
    (handover,) = json.loads(run("activities --handed-over --json", shop).stdout)[0]["handovers"]
    assert handover["reason"] == "An order is charged to the customer"


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("name", QUESTIONS)
def test_a_terminal_of_any_width_shows_all_of_it(name: str, width: int, shop: Path) -> None:
    """On a telephone, in the middle of the night, a number that is cut off is a wrong number."""
    done = run(QUESTIONS[name], shop, width=width)
    assert done.exit_code == 0, done.output
    assert max(map(len, done.stdout.splitlines())) <= width
    assert "…" not in done.stdout
    shown = "".join(done.stdout.split())
    wanted = {"sites": ["match_audience", "2026-03-0306:00:00"], "subject": ["4294967299"], "matrix": ["break_glass"]}
    assert all(text in shown for text in wanted.get(name, []))


def test_what_is_not_whole_is_said(tmp_path: Path) -> None:
    """A count that is too low would be given to a regulator as the truth."""
    path = tmp_path / "ledger"
    torn = read(2)[:-1] + b"\0"
    segment([*names(), read(1), torn, lost(12, 2_000_000)], path / "open" / f"{1:032x}.seg")
    done = run("affected --json", path)
    assert json.loads(done.stdout)["people"] == 1
    assert "12 reads were let through and could not be recorded" in done.stderr
    assert "1 record is broken" in done.stderr


def test_the_person_s_number_may_come_on_the_standard_input(shop: Path) -> None:
    """What stands on a command line can be seen by every user of the machine."""
    assert run("subject -", shop, text="1\n").stdout == run("subject 1", shop).stdout


# --- What others wrote -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "ledger"
    write_hostile(path)
    write_key(path)
    script = Script(path, START, 2)
    for number, text in enumerate(("=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "[bold red]x[/]", "[/]", ":warning:")):
        handover = {"left": text, "entered": text, "reason": text}
        script.work(START, [text], text, {text: [number]}, handovers=[handover])
        script.deny(START, [text], text, text, [number], reason=text)
    script.put()
    return path


ASKING = ["matrix", "sites", "denials", "handovers", "break-glass", "activities", "subject 1", "verify", "head"]


@pytest.mark.parametrize("command", ASKING)
@pytest.mark.parametrize("form", FORMS)
def test_text_in_a_ledger_does_nothing_to_who_reads_it(command: str, form: str, hostile: Path) -> None:
    """A purpose could clear the screen, and a site run a program from a spreadsheet."""
    done = run(f"{command} {form}", hostile)
    assert done.exit_code == 0, done.output
    assert done.output.replace("\n", "").isprintable()
    assert "\u202e" not in done.output
    if form == "--json":
        json.loads(done.stdout)
    if form == "--csv":
        rows = list(csv.reader(io.StringIO(done.stdout)))
        assert {len(row) for row in rows} == {len(rows[0])}
        assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_markup_is_text(hostile: Path) -> None:
    """Part of a purpose's name would be missing, and two purposes look like one."""
    done = run("matrix", hostile, width=400)
    assert "[bold red]x[/]" in done.stdout
    assert ":warning:" in done.stdout
    assert "'=cmd|" in run("matrix --csv", hostile).stdout


# --- What goes wrong -------------------------------------------------------------------------------------------------

BAD = {
    "affected --field Acount.phone": r"No field in the ledger is called Acount\.phone; near to it: Account\.phone",
    "affected --field Unheard": r"No field in the ledger is called Unheard",
    "matrix --purpose advertizing": r"No purpose in the ledger is called advertizing; near to it: advertising",
    "affected --site nowhere.py": r"No place in the ledger is like nowhere\.py",
    "affected --decision maybe": r"A decision is one of allowed, .*, and not 'maybe'",
    "affected --since 2026-03-01": r"--since 2026-03-01 could be anywhere .* --since 2026-03-01T00:00Z",
    "affected --until 2026-03-01T10:00": r"--until 2026-03-01T10:00 could be anywhere .* 2026-03-01T10:00Z",
    "affected --since yesterday": r"--since takes an ISO time with its zone, .* and not 'yesterday'",
    "affected --since 2026-03-02Z --until 2026-03-01Z": r"Nothing lies between",
    "affected --json --csv": r"give one of --json and --csv",
    "timeline --bucket year": r"A timeline goes by hour, day, week, month, and not by 'year'",
    "verify --anchor yesterday": r"An anchor is a number, a colon and 64 hexadecimal digits",
    "compact --drop-before 2026-03-01": r"--drop-before 2026-03-01 could be anywhere",
    "compact --drop-before 2026-03-01Z --by Ada": r"give --by and --reason",
    "compact --by Ada": r"--by and --reason go with --drop-before",
    "subject 1 --key /nowhere/key": r"There is no key at /nowhere/key",
}


@pytest.mark.parametrize("command", BAD)
def test_bad_use_is_told_in_one_line(command: str, shop: Path) -> None:
    """A traceback says nothing to who has a regulator on the telephone."""
    done = run(command, shop)
    assert done.exit_code == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert re.search(BAD[command], line), line


def test_no_ledger_is_no_answer(tmp_path: Path) -> None:
    """A mistyped path would say that nobody was affected."""
    for command in (*ASKING, "affected", "timeline", "compact"):
        for path in (tmp_path / "missing", Path(__file__).parent, Path(__file__)):
            done = run(command, path)
            assert done.exit_code == 2
            assert re.fullmatch(r"(There is no ledger at|The ledger cannot be read).*\n", done.stderr), done.stderr
    done = run("affected")
    assert done.exit_code == 2
    assert done.stderr == "Which ledger? Give its folder with --ledger, or set PURPOSEBIND_LEDGER.\n"
    assert list(tmp_path.iterdir()) == []


def test_another_key_finds_nobody_and_says_so(shop: Path, tmp_path: Path) -> None:
    """ "Nothing was read of you" would be wrong."""
    key = tmp_path / "key"
    key.write_text("ab" * 32)
    key.chmod(0o600)
    done = run(f"subject 1 --key {key}", shop)
    assert done.exit_code == 2
    assert "not the key by which people were hashed" in done.stderr
    done = run("subject 1", shop, **{KEY_VARIABLE: "ab" * 32})
    assert done.exit_code == 2
    key.chmod(0o644)
    assert "Others may read the ledger key" in run(f"subject 1 --key {key}", shop).stderr


def test_what_was_altered_is_named_and_the_exit_code_is_1(tmp_path: Path) -> None:
    """A nightly check looks at nothing but the exit code."""
    path = tmp_path / "ledger"
    write_ledger(path)
    head = run("head", path).stdout.strip()
    assert run(f"verify --anchor {head}", path).exit_code == 0
    (closed,) = (path / "closed").iterdir()
    content = bytearray(closed.read_bytes())
    content[5000] ^= 1
    closed.write_bytes(content)
    for form, start in (("", f"BAD  {path}: closed/"), ("--json", "["), ("--csv", "ledger,ok,head")):
        done = run(f"verify {form}", path)
        assert done.exit_code == 1
        assert done.stdout.startswith(start)
        assert closed.name in done.stdout
    (row,) = csv.DictReader(io.StringIO(run("verify --csv", path).stdout))
    assert (row["ok"], row["place"]) == ("false", f"closed/{closed.name}")
    (path / "chain.jsonl").unlink()
    done = run(f"verify --anchor {head}", path)
    assert done.exit_code == 1
    assert "chain.jsonl line 1 is missing" in done.stdout


def test_a_fleet_is_asked_at_once(shop: Path, tmp_path: Path) -> None:
    """Each machine's people would have to be added up by hand, and be counted twice."""
    other = tmp_path / "other's ledger"
    Folder(other).make()
    script = Script(other, START, 3)
    script.work(START, ["billing"], "/srv/invoice.py:12 in invoice", {"Order.iban": [3, 5]})
    script.put()
    assert json.loads(run("affected --json", shop, other).stdout)["people"] == 5
    environment = os.pathsep.join((str(shop), str(other)))
    assert json.loads(run("affected --json", PURPOSEBIND_LEDGER=environment).stdout)["people"] == 5
    heads = run("head", shop, other)
    assert heads.exit_code == 0
    assert run("verify", shop, other).stdout.count("OK ") == 2
    done = run(f"verify --anchor 0:{64 * '0'}", shop, other)
    assert done.exit_code == 2
    assert done.stderr == "An anchor is that of one ledger: give one --ledger with it\n"
    foreign = tmp_path / "foreign"
    segment([*names(), read(1)], foreign / "open" / f"{4:032x}.seg")
    done = run("affected", shop, foreign)
    assert done.exit_code == 2
    assert "People cannot be counted across keys" in done.stderr
    assert KEY.id in done.stderr


def test_without_the_extra_it_says_what_to_install(shop: Path) -> None:
    """The command is there with the extra `cli` alone."""
    program = (
        "import sys; sys.modules.update(duckdb=None, numpy=None)\n"
        "from purposebind.cli import main\n"
        f"sys.argv = ['purposebind', 'ledger', 'affected', '--ledger', {str(shop)!r}]; main()"
    )
    package = Path(purposebind.__file__).parents[1]
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "pip install 'purposebind[ledger]'" in line
