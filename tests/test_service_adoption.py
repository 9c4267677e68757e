"""The page that adopts purposebind in a service, taken at its word: its steps are taken, and the shop runs after each.

One folder goes through all of it, as one installation would: its database, its logs and its ledger go on from one step
to the next.
"""

from __future__ import annotations

import doctest
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import httpx
import pytest
from service import page
from service.running import Service
from service.visits import a_day, phone_of

from purposebind.ledger import Ledger

_COMMAND = re.compile(r"^\$ (.+)\n", re.MULTILINE)
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_NAMES = ["ada1", "bob2", "cleo3", "dan4", "eve5", "finn6"]
SHOWN = [value for n, name in enumerate(_NAMES, 1) for value in (phone_of(n), f"{name}@example.com")]
"""Contacts that go through the shop on each day."""


@dataclass
class Step:
    """The installation at the end of a day: a copy of its folder, and what became of the match and the export.

    `messages` are those of that day alone, logs and ledger those of all days until then.
    """

    folder: Path
    began: datetime
    outcome: tuple[httpx.Response, str]
    messages: list[str]

    @property
    def ended(self) -> tuple[int, str]:
        return self.outcome[0].status_code, self.outcome[1]

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        with Ledger(self.folder / "ledger") as asked:
            yield asked

    def cells(self, decision: str) -> dict[tuple[str, str | None], tuple[int, int, int]]:
        """What was decided in this step: people, reads, and reads of unknown people, by field and purpose."""
        with self.ledger() as ledger:
            found = ledger.matrix(decision=decision, since=self.began)
        return {(cell.field, cell.purpose): (cell.people, cell.reads, cell.unknown_reads) for cell in found}


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Step]:
    folder = tmp_path_factory.mktemp("adoption")
    taken = {}
    for number in (1, 3, 5, 6):
        tree = page.built(number, folder / "srv")
        with Service(tree, folder / "data") as service:
            service.http.get("/ads/cities")  # it is up, and no process of the step before is left
            began = datetime.now(timezone.utc)
            outcome = a_day(service)
            messages = service.messages()
        shutil.copytree(folder / "data", folder / str(number))
        taken[number] = Step(folder / str(number), began, outcome, messages)
    return taken


# --- The page and the trees ------------------------------------------------------------------------------------------


def test_the_pages_diffs_lead_from_before_to_after(tmp_path: Path) -> None:
    """Whoever copies the page hunk by hunk has to end with what was tested, not with something like it."""
    assert page.files(page.built(8, tmp_path)) == page.files(page.AFTER)


def test_the_page_says_how_many_lines_it_takes() -> None:
    """The number by which a team decides whether to begin; it has to be the real one."""
    count, before, after = page.changed_lines(), page.files(page.BEFORE), page.files(page.AFTER)
    new = len(after) - len(before)
    same = sum(before.get(name) == text for name, text in after.items())
    assert new == 1
    assert (
        f"adds {count['+']} lines and removes {count['-']}, in {len(after) - same} of {len(after)} files: "
        f"one file is new, and {same} are not touched."
    ) in " ".join(page.PAGE.read_text(encoding="utf-8").split())


def _ran(command: str, step: Step) -> str:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PURPOSEBIND_")},
        "PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)]),
        "COLUMNS": "110",
        "NO_COLOR": "1",
        "DEPLOYED": step.began.isoformat(),
    }
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env=environment,
        cwd=step.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize(("section", "step", "commands"), [(3, 3, 1), (4, 3, 2), (5, 5, 2), (6, 6, 2), (7, 6, 5)])
def test_the_page_prints_what_is_printed(section: int, step: int, commands: int, steps: dict[int, Step]) -> None:
    """A reader who sees other numbers than the page shows looks for a mistake that is not theirs."""
    ran = 0
    for block in page.blocks("console", section):
        found = list(_COMMAND.finditer(block))
        ends = [*(command.start() for command in found[1:]), len(block)]
        for command, end in zip(found, ends, strict=True):
            wanted, printed = block[command.end() : end], _ran(command[1], steps[step])
            assert doctest.OutputChecker().check_output(wanted.rstrip() + "\n", printed.rstrip() + "\n", _FLAGS), (
                f"$ {command[1]}\nshould print:\n{wanted}\nand printed:\n{printed}"
            )
            ran += 1
    assert ran == commands, "a block that is not found is a block that is not tested"


# --- The steps -------------------------------------------------------------------------------------------------------


def _plaintext(folder: Path) -> set[str]:
    """Where contacts lie about in an installation, besides its database."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "shop.db":
            content = path.read_bytes()
            body = b64decode(json.loads(content)["body"]) if path.suffix == ".msg" else b""
            if any(value.encode() in content + body for value in SHOWN):
                found.add(path.parent.name if path.suffix == ".msg" else path.name)
    return found


def test_1_without_it_contacts_lie_in_the_log_and_in_the_broker(steps: dict[int, Step]) -> None:
    """If the shop before leaked nothing, that it leaks nothing afterwards would show nothing."""
    before = steps[1]
    assert before.ended == (200, "SUCCESS")
    assert before.outcome[0].json() == {"matched": 7}
    assert _plaintext(before.folder) == {"web.log", "done"}
    assert any("argsrepr" in message and "dan4@example.com" in message for message in before.messages)
    assert len((before.folder / "audience-adco.csv").read_text(encoding="utf-8").splitlines()) == 40
    assert not (before.folder / "ledger").exists()


def test_3_observing_changes_nothing_and_records_everything(steps: dict[int, Step]) -> None:
    """A first deployment that breaks something is the last one; one that misses a read gives false comfort."""
    observing = steps[3]
    assert observing.ended == (200, "SUCCESS")
    assert observing.cells("observed") == {
        ("Account.email", None): (40, 45, 0),  # the export 40, a link, two orders, two profiles
        ("Account.name", None): (2, 2, 0),
        ("Account.password", None): (5, 5, 0),
        ("Account.phone", None): (40, 49, 1),  # the export 40, five codes, one for the piano, two profiles, the match
        ("NewOrder.address", None): (0, 2, 2),
        ("NewPassword.password", None): (0, 1, 1),
        ("Order.address", None): (2, 8, 0),  # two orders answered, two queued, two received, and two in a list
        ("Order.email", None): (2, 8, 0),
        ("SignIn.password", None): (0, 5, 5),
    }
    assert observing.cells("allowed") == observing.cells("denied") == {}


def test_4_the_export_is_found_by_its_place_and_its_people(steps: dict[int, Step]) -> None:
    """This is the question that the whole adoption is about: which code reads the phone numbers, and whose?"""
    with steps[3].ledger() as ledger:
        denials = ledger.denials(field="Account.phone")
        mine = ledger.subject(17)
    assert [(use.people, use.times, use.unknown) for use in denials] == [(40, 40, 0), (5, 6, 0), (2, 2, 0), (0, 1, 1)]
    assert not any(use.enforced for use in denials)
    places = [use.site or "" for use in denials]
    assert places[0].endswith("shop/audience.py:23 in by_model")
    assert places[1].endswith("shop/login.py:16 in send_code")
    assert places[3].endswith("shop/accounts.py:39 in phones")
    assert {use.field: use.times for use in mine} == {"Account.email": 1, "Account.phone": 1}


def test_5_with_purposes_stated_the_misuse_alone_is_left(steps: dict[int, Step]) -> None:
    """Work that is left without a purpose here is refused on the next day, in front of customers."""
    stated = steps[5]
    assert stated.ended == (200, "SUCCESS")
    assert stated.cells("observed") == {
        ("Account.email", "advertising"): (40, 40, 0),
        ("Account.phone", "advertising"): (40, 41, 1),
    }
    allowed = stated.cells("allowed")
    assert allowed["Account.phone", "security.two_factor"] == (5, 6, 0)
    assert allowed["Account.email", "security.recovery"] == (1, 1, 0)
    assert allowed["Account.email", "orders"] == (2, 2, 0)
    assert allowed["Account.phone", "own_data"] == (2, 4, 0)  # by the view that is shown, and where it is written out
    assert {purpose for _, purpose in allowed} == {"own_data", "orders", "security.two_factor", "security.recovery"}
    with stated.ledger() as ledger:
        handed = ledger.handovers()
    assert [(use.left, use.entered, use.activities, use.people) for use in handed] == [
        ("orders", "security.two_factor", 1, 1)
    ]


def test_5_orders_lie_encrypted_in_the_broker(steps: dict[int, Step]) -> None:
    """Whoever can look into the queue would read addresses there, whatever the fields are tagged with."""
    for number in (5, 6):
        messages = [json.loads(message) for message in steps[number].messages if '"body"' in message]
        receipts = [message for message in messages if message["headers"]["task"] == "shop.tasks.send_receipt"]
        assert len(receipts) == 2
        for message in receipts:
            whole = json.dumps(message) + b64decode(message["body"]).decode("latin-1")
            assert "@example.com" not in whole
            assert "Street" not in whole
            assert "email=<sealed: orders, own_data>" in message["headers"]["argsrepr"]


def test_6_the_export_is_refused_and_everything_else_goes_on(steps: dict[int, Step]) -> None:
    """An enforcement that lets the export through is none, and one that stops login is turned off within the hour."""
    enforced = steps[6]
    assert enforced.ended == (403, "FAILURE")  # and a_day itself asserts the rest
    assert enforced.cells("observed") == {}
    assert enforced.cells("denied") == {
        ("Account.phone", "advertising"): (1, 2, 1),  # at the first person, and the query of the match
    }
    allowed = enforced.cells("allowed")
    assert allowed["Account.phone", "security.two_factor"] == (5, 6, 0)
    file = enforced.folder / "audience-adco.csv"
    assert file.stat().st_mtime_ns == (steps[5].folder / "audience-adco.csv").stat().st_mtime_ns, "it was written"


def test_6_a_refusal_tells_nothing(steps: dict[int, Step]) -> None:
    """A 403 with a field's name, a path or a value tells a stranger what there is to look for."""
    refused = steps[6].outcome[0]
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert not re.search(r"phone|shop|advertising|555|\.py", refused.text)


def test_6_no_contact_lies_about_any_more(steps: dict[int, Step], tmp_path: Path) -> None:
    """A contact in a log, a message, a result or the ledger is one that no tag protects any more."""
    old, new = steps[3].folder, tmp_path / "since"
    shutil.copytree(steps[6].folder, new)
    for queue in old.glob("queue-*"):  # until orders travelled sealed
        shutil.rmtree(new / queue.name)
    for name in ("web.log", "worker.log"):
        log = new / name
        log.write_bytes(log.read_bytes().removeprefix((steps[1].folder / name).read_bytes()))
    assert _plaintext(new) == set()


def test_6_a_route_that_states_no_purpose_fails_the_start(tmp_path: Path) -> None:
    """The route that is added next month would be found by the first customer, as a 403."""
    tree = tmp_path / "srv"
    shutil.copytree(page.AFTER, tree)
    orders = tree / "shop" / "orders.py"
    stating = ", dependencies=[Depends(for_purpose(ORDERS))]"
    text = orders.read_text(encoding="utf-8")
    assert text.count(stating) == 1
    orders.write_text(text.replace(stating, ""), encoding="utf-8")

    failed = _start(tree, tmp_path)
    assert failed.returncode != 0
    last = failed.stderr[failed.stderr.rindex("PolicyError") :]
    assert "POST /orders" in last
    assert "GET /orders" in last
    assert "/profile" not in last

    shutil.copytree(page.AFTER, tree, dirs_exist_ok=True)
    assert _start(tree, tmp_path).returncode == 0


def _start(tree: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Start the web application as a server does, with its lifespan, and end it."""
    code = (
        "import asyncio\n"
        "from shop.main import app\n"
        "async def start():\n"
        "    async with app.router.lifespan_context(app): pass\n"
        "asyncio.run(start())\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(tree), os.environ.get("PYTHONPATH")])),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SHOP_FOLDER": str(folder),
        "SHOP_KEYS": "A" * 43 + "=",
    }
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_7_who_was_affected_is_counted_once_and_exactly(steps: dict[int, Step]) -> None:
    """The answer that the company of 2019 could not give."""
    with steps[6].ledger() as ledger:
        by_purpose = ledger.affected(purpose="advertising", decision="observed")
        by_place = ledger.affected(field="Account", site="shop/audience.py", decision="observed")
        refused = ledger.affected(field="Account", decision="denied")
        bare = ledger.affected(field="Account", site="shop/accounts.py", decision="observed")
        mine = Counter((use.field, use.decision) for use in ledger.subject(17))
        assert not ledger.damage()
        assert ledger.lost().reads == 0
        assert ledger.verify().ok
    assert (by_purpose.people, by_purpose.reads, by_purpose.unknown_reads) == (40, 81, 1)
    assert (by_place.people, by_place.reads, by_place.unknown_reads) == (40, 160, 0)
    assert (refused.people, refused.reads, refused.unknown_reads) == (1, 2, 1)
    assert (bare.people, bare.reads, bare.unknown_reads) == (0, 2, 2)
    assert mine == {("Account.phone", "observed"): 2, ("Account.email", "observed"): 2}
