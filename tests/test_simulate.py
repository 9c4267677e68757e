"""`purposebind simulate`: a ledger replayed against a proposed lock, held against every read counted by hand."""

# ruff: noqa: E501  # the tables of cases read best a line each

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from adoption_packages import PURPOSES, Workspace
from hypothesis import given, settings
from hypothesis import strategies as st
from report_example import KEY, START, Script
from typer.testing import CliRunner, Result

from purposebind import Purpose
from purposebind.cli.app import app
from purposebind.governance import Lock, Tag
from purposebind.governance.adoption.replaying import outcome_of
from purposebind.governance.lock import Model
from purposebind.ledger.closing import close_abandoned
from purposebind.ledger.folder import Folder
from purposebind.policy import Policy, decide

ADS, CODE, SHIP = "/srv/audience.py:41 in match", "/srv/login.py:88 in send_code", "/srv/parcels.py:7 in label"
NEEDED = "security, security.two_factor, advertising, orders, shipping, unrecognized"


def lock(**models: dict[str, Tag | None]) -> Lock:
    """A lock of a shop with these models; a field with None has no tag."""
    return Lock(
        ("shop",),
        dict.fromkeys(NEEDED.split(", "), "Of these tests"),
        models={
            f"shop.models.{name}": Model(
                {field: tag for field, tag in fields.items() if tag is not None},
                tuple(sorted(field for field, tag in fields.items() if tag is None)),
            )
            for name, fields in models.items()
        },
    )


def write(folder: Path, told: Lock) -> None:
    (folder / "proposed.lock").write_text(str(told))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("PURPOSEBIND_LEDGER", "PURPOSEBIND_LEDGER_KEY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ledger(folder: Path, script: Callable[[Script], object]) -> None:
    """Write a ledger into a folder."""
    path = folder / "ledger"
    Folder(path).make()
    made = Script(path, START, 1)
    script(made)
    made.put()
    close_abandoned(Folder(path))
    Folder(path).key.write_text(bytes(range(32)).hex())
    Folder(path).key.chmod(0o600)
    assert KEY.id


def run(*arguments: str) -> Result:
    return CliRunner().invoke(
        app, ["simulate", "--lock", "proposed.lock", "--ledger", "ledger", *arguments], env={"COLUMNS": "200"}
    )


def shop_reads(script: Script) -> None:
    script.work(START, ["security.two_factor"], CODE, {"Account.phone": [1, 2, 2, None], "Account.email": [2, 3]})
    script.work(START, ["orders"], SHIP, {"Account.email": [4], "Account.address": [4, 5], "Old.field": [9]})
    script.deny(START, ["advertising"], "Account.phone", ADS, [1, 2, 3, 4, 5], enforced=False)
    script.deny(START, ["advertising"], "Account.email", ADS, [5, 6], enforced=False)
    script.deny(START, [], "Account.phone", None, [7], reason="no scope", enforced=False)
    script.deny(START, ["orders"], "Account.phone", SHIP, [8])
    emergency = {"reason": "INC-1", "by": "night"}
    script.work(START, ["advertising"], "/srv/ops.py:1 in fix", {"Account.phone": [1]}, emergency=emergency)


PROPOSED = lock(
    Account={
        "phone": Tag(("security", "orders")),
        "email": Tag(("security", "advertising"), never=("security.two_factor",)),
        "address": Tag(("shipping",)),
    }
)
TOLD = """\
Would be refused, 6 people in all:
  /srv/audience.py:41 in match: 5 people
    Account.phone for advertising, observed today: advertising is not allowed (5 people, 5 reads)
  /srv/login.py:88 in send_code: 2 people
    Account.email for security.two_factor, allowed today: security.two_factor is never allowed (2 people, 2 reads)
  /srv/parcels.py:7 in label: 2 people
    Account.address for orders, allowed today: orders is not allowed (2 people, 2 reads)
    Account.email for orders, allowed today: orders is not allowed (1 person, 1 read)
  (not known): 1 person
    Account.phone for no purpose, observed today: no purpose is stated (1 person, 1 read)

Would be allowed, and was not, 3 people in all:
  /srv/audience.py:41 in match: 2 people
    Account.email for advertising, observed today: the lock says security, advertising, never security.two_factor (2 people, 2 reads)
  /srv/parcels.py:7 in label: 1 person
    Account.phone for orders, refused today: the lock says security, orders (1 person, 1 read)

Cannot be told, 1 person in all:
  /srv/parcels.py:7 in label: 1 person
    Old.field for orders, allowed today: the lock knows no such field (1 person, 1 read)

19 reads were replayed.
"""


def test_what_would_break_is_told_by_place_with_the_people(folder: Path) -> None:
    """A policy is enforced, and at night an export fails: nobody had seen that it reads what is not allowed any more."""
    ledger(folder, shop_reads)
    write(folder, PROPOSED)
    before = sorted(path.name for path in folder.iterdir())
    done = run()
    assert (done.exit_code, done.stdout) == (0, TOLD)
    assert sorted(path.name for path in folder.iterdir()) == before
    assert run("--fail-on-break").exit_code == 1
    assert run("--until", "2020-01-01Z").exit_code == 2


def test_it_is_told_as_markdown_and_json(folder: Path) -> None:
    """A pull request would show what only a program reads, or the other way round."""
    ledger(
        folder, lambda script: script.deny(START, ["advertising"], "Account.phone", ADS, [1, 2, None], enforced=False)
    )
    write(folder, PROPOSED)
    done = run("--form", "markdown")
    assert done.stdout == (
        "### Would be refused: 2 people\n\n"
        "| Place | Field | Purposes | Today | Why | People | Reads |\n|---|---|---|---|---|---|---|\n"
        "| `/srv/audience.py:41 in match` | `Account.phone` | advertising | observed | advertising is not allowed | 2 | 3 |\n"
    )
    assert json.loads(run("--form", "json").stdout) == {
        "reads": 3,
        "people": {"refused": 2, "consent": 0, "passes": 0, "unknown": 0},
        "sites": [{"outcome": "refused", "site": ADS, "people": 2}],
        "rows": [
            {
                "outcome": "refused",
                "site": ADS,
                "field": "Account.phone",
                "purposes": ["advertising"],
                "decision": "observed",
                "why": "advertising is not allowed",
                "people": 2,
                "reads": 3,
                "unknown_reads": 1,
            }
        ],
        "retained": [],
        "nested_in_handovers": 0,
    }


def test_where_nothing_changes_it_says_so(folder: Path) -> None:
    """An empty answer could be one that nobody worked out."""
    ledger(folder, lambda script: script.work(START, ["security"], CODE, {"Account.phone": [1]}))
    write(folder, PROPOSED)
    done = run("--fail-on-break")
    assert (done.exit_code, done.stdout) == (0, "1 read was replayed, and nothing changes for any.\n")
    assert run("--form", "markdown").stdout == "Nothing changes for what the ledger recorded.\n"


def test_a_handover_that_is_gone_is_not_taken(folder: Path) -> None:
    """R4: without it the work stays in the purpose that it came from, which the field does not allow."""
    told = {"left": "orders", "entered": "security.two_factor", "reason": "An expensive order needs a code"}
    ledger(
        folder,
        lambda script: script.work(START, ["security.two_factor"], CODE, {"Account.phone": [1, 2]}, handovers=[told]),
    )
    proposed = lock(Account={"phone": Tag(("security",))})
    write(folder, proposed)
    done = run()
    assert done.stdout == (
        "Would be refused, 2 people in all:\n"
        f"  {CODE}: 2 people\n"
        "    Account.phone for orders, security.two_factor, allowed today: orders is not allowed (2 people, 2 reads)\n"
        "\n2 reads were replayed.\n"
        "\n1 activity came by a handover that the lock has not. What was read in scopes inside of them was replayed as "
        "if it had.\n"
    )
    # Declared for an ancestor of what is entered, it covers that (R4).
    kept = Lock(proposed.packages, proposed.purposes, proposed.models, handovers={("orders", "security"): "Why"})
    write(folder, kept)
    assert "nothing changes" in run().stdout


def test_two_models_of_one_name_are_not_told_apart(folder: Path) -> None:
    """The ledger knows a field by its model's name. Of two the stricter counts, or a read that breaks would be missed."""
    ledger(folder, lambda script: script.work(START, ["orders"], SHIP, {"Account.phone": [1]}))
    both = lock(Account={"phone": Tag(("orders",))})
    models = {**both.models, "shop.other.Account": Model({"phone": Tag(("security",))})}
    write(folder, Lock(both.packages, both.purposes, models))
    assert "orders is not allowed; several fields have this name, and it is so for one of them" in run().stdout


def test_what_cannot_be_replayed_is_said(folder: Path) -> None:
    """ "Nothing changes" would be read as: for nobody."""
    ledger(folder, lambda script: script.work(START, ["security"], CODE, {"Account.phone": [1]}))
    write(
        folder,
        lock(Account={"phone": Tag(("security",), retain="90 days"), "email": Tag(("security",), retain="1 day")}),
    )
    said = (
        "How long data is retained was not replayed, for a ledger does not know when it was collected: Account.phone.\n"
    )
    assert run().stdout == f"1 read was replayed, and nothing changes for any.\n\n{said}"
    assert run("--form", "markdown").stdout == f"Nothing changes for what the ledger recorded.\n\n{said}"


def test_a_gate_and_a_field_that_lost_its_tag_are_replayed(folder: Path) -> None:
    """Rows of a driver are counted at the function that hands them out, and that is in the lock too."""

    def script(made: Script) -> None:
        made.work(START, ["orders"], SHIP, {"rows()": [None], "Store.phones()": [None]})
        made.deny(START, ["orders"], "Account.handle", SHIP, [1])

    ledger(folder, script)
    proposed = lock(Account={"handle": None})
    gates = {"shop.models:rows": Tag(("orders",)), "shop.models:Store.phones": Tag(("security",))}
    write(folder, Lock(proposed.packages, proposed.purposes, proposed.models, gates=gates))
    assert run().stdout == (
        f"Would be refused, 0 people in all:\n  {SHIP}: 0 people\n"
        "    Store.phones() for orders, allowed today: orders is not allowed (0 people, 1 read, and 1 of unknown people)\n\n"
        f"Would be allowed, and was not, 1 person in all:\n  {SHIP}: 1 person\n"
        "    Account.handle for orders, refused today: it has no tag any more (1 person, 1 read)\n\n"
        "3 reads were replayed.\n"
    )


def test_what_others_wrote_into_a_ledger_moves_no_cursor(folder: Path) -> None:
    """A terminal that was taken over shows whatever the ledger's writer wants."""
    bad = "\x1b[31m\nWould pass\u202e|`x`"

    def script(made: Script) -> None:
        made.work(START, [bad], f"/srv/{bad}.py:1 in {bad}", {"Account.phone": [1], f"Model.{bad}": [1]})

    ledger(folder, script)
    write(folder, PROPOSED)
    for form in ("text", "markdown", "json"):
        done = run("--form", form)
        assert done.exit_code == 0
        assert not {"\x1b", "\u202e"} & set(done.stdout)
        assert "\nWould pass" not in done.stdout


# --- Against a count by hand -----------------------------------------------------------------------------------------

FIELDS = ["Account.phone", "Account.email", "Letter.address"]
SETS = [("security",), ("security.two_factor",), ("advertising",), ("orders", "security"), ("unrecognized",), ()]
TAGS = [
    Tag(("security",)),
    Tag(("security.two_factor", "advertising")),
    Tag(("security", "orders"), never=("security.two_factor",)),
    Tag(("advertising", "security"), consent=("advertising", "security.two_factor")),
    None,
]
Event = tuple[str, int, int, int, str, "int | None"]
events = st.lists(
    st.tuples(
        st.sampled_from(["allowed", "observed", "denied"]),
        st.integers(0, len(FIELDS) - 1),
        st.integers(0, len(SETS) - 1),
        st.integers(0, 2),
        st.just(""),
        st.one_of(st.none(), st.integers(0, 6)),
    ),
    min_size=1,
    max_size=40,
)
tags = st.tuples(*[st.sampled_from(TAGS)] * len(FIELDS))


def _policy(tag: Tag) -> Policy:
    return Policy(*([_purpose(name) for name in part] for part in (tag.allowed, tag.never, tag.consent)))


def _purpose(name: str) -> Purpose:
    made: Purpose | None = None
    for part in f"simulate_{name}".split("."):
        made = Purpose(part, "Of these tests") if made is None else made.child(part, "Of these tests")
    assert made is not None
    return made


def _by_hand(found: list[Event], chosen: tuple[Tag | None, ...]) -> Iterator[tuple[tuple[Any, ...], int | None]]:
    """The outcome of each read that changes, as the library itself decides it."""
    for decision, field, purposes, site, _, person in found:
        tag = chosen[field]
        decided = None if tag is None else decide(_policy(tag), frozenset(map(_purpose, SETS[purposes])))
        allowed = decided is None or decided.allowed
        if decided is not None and decided.allowed and decided.consent:
            yield ("consent", site, FIELDS[field], SETS[purposes], decision), person
        elif allowed and decision != "allowed":
            yield ("passes", site, FIELDS[field], SETS[purposes], decision), person
        elif not allowed and decision != "denied":
            yield ("refused", site, FIELDS[field], SETS[purposes], decision), person


@settings(max_examples=25, deadline=None)
@given(events, tags)
def test_every_read_is_counted_as_by_hand(
    tmp_path_factory: pytest.TempPathFactory, found: list[Event], chosen: tuple[Tag | None, ...]
) -> None:
    """R2: somebody who is counted twice, or at the wrong place, or not at all, makes the whole answer worth nothing."""
    folder = tmp_path_factory.mktemp("hand")

    def script(made: Script) -> None:
        for decision, field, purposes, site, _, person in found:
            place = f"/srv/place.py:{site} in f"
            if decision == "allowed":
                made.work(START, list(SETS[purposes]), place, {FIELDS[field]: [person]})
            else:
                made.deny(START, list(SETS[purposes]), FIELDS[field], place, [person], enforced=decision == "denied")

    ledger(folder, script)
    models: dict[str, dict[str, Tag | None]] = {}
    for name, tag in zip(FIELDS, chosen, strict=True):
        model, _, field = name.partition(".")
        models.setdefault(model, {})[field] = tag
    write(folder, lock(**models))
    arguments = ["--lock", str(folder / "proposed.lock"), "--ledger", str(folder / "ledger"), "--form", "json"]
    done = CliRunner().invoke(app, ["simulate", *arguments])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)

    rows: dict[tuple[Any, ...], list[int | None]] = {}
    for row, person in _by_hand(found, chosen):
        rows.setdefault(row, []).append(person)
    assert {
        (one["outcome"], one["site"], one["field"], tuple(one["purposes"]), one["decision"]): (
            one["people"],
            one["reads"],
            one["unknown_reads"],
        )
        for one in told["rows"]
    } == {
        (outcome, f"/srv/place.py:{site} in f", *rest): (len(set(people) - {None}), len(people), people.count(None))
        for (outcome, site, *rest), people in rows.items()
    }
    at: dict[tuple[str, str], set[int | None]] = {}
    whole: dict[str, set[int | None]] = {"refused": set(), "passes": set(), "consent": set()}
    for (outcome, site, *_), people in rows.items():
        at.setdefault((outcome, f"/srv/place.py:{site} in f"), set()).update(people)
        whole[outcome].update(people)
    assert {(one["outcome"], one["site"]): one["people"] for one in told["sites"]} == {
        key: len(people - {None}) for key, people in at.items()
    }
    assert told["people"] == {"unknown": 0, **{key: len(people - {None}) for key, people in whole.items()}}
    assert told["reads"] == len(found)


@pytest.mark.parametrize(
    ("purposes", "outcome"),
    [
        (["advertising"], "consent"),
        (["advertising.mail"], "consent"),
        (["security"], "same"),
        (["advertising", "security"], "consent"),
        (["advertising", "orders"], "refused"),
        ([], "refused"),
    ],
)
def test_what_needs_consent_is_told_apart(purposes: list[str], outcome: str) -> None:
    """A read that some people allow neither breaks nor passes: whose it was decides."""
    tag = Tag(("advertising", "security"), consent=("advertising",))
    assert outcome_of("allowed", purposes, [tag])[0] == outcome


# --- The real road ---------------------------------------------------------------------------------------------------

MODELS = """\
from typing import Annotated
from purposebind import AllowedFor, PurposeModel, SubjectId, requires_purpose
from .purposes import ADVERTISING, ORDERS, SECURITY, TWO_FACTOR

ORDERS.may_hand_over_to(SECURITY, reason="An expensive order needs a code")

class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(SECURITY)]
    email: Annotated[str, AllowedFor(SECURITY, ORDERS)]

@requires_purpose(ORDERS)
def rows() -> list[str]:
    return []
"""
TABLES = """\
from typing import Annotated
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
import purposebind.integrations.sqlalchemy
from purposebind import AllowedFor, SubjectId
from .purposes import ORDERS

class Base(DeclarativeBase): ...

class Person(Base):
    __tablename__ = "people"
    id: Mapped[Annotated[int, SubjectId]] = mapped_column(primary_key=True)
    address: Mapped[Annotated[str, AllowedFor(ORDERS)]] = mapped_column("addr")
"""
READS = """
from purposebind import configure, purpose_scope
from purposebind.ledger import Ledger
from shop.models import Account, rows
from shop.tables import Person
from shop.purposes import *

def codes(people):
    with purpose_scope(TWO_FACTOR):
        for one in people: one.phone

def ads(people):
    with purpose_scope(ADVERTISING):
        for one in people: one.phone, one.email

def ship(people):
    with purpose_scope(ORDERS):
        rows()
        for one in people: one.email
        Person(id=7, address="12 Sea Road").address
        codes(people[:1])

people = [Account(id=n, phone="+1", email="e") for n in range(5)]
with Ledger("ledger") as ledger, configure(mode="observe", ledger=ledger):
    codes(people[:3]); ads(people); ship(people[2:])
"""


def test_real_reads_are_replayed_against_an_edited_lock(tmp_path: Path) -> None:
    """The commands of a roll-out have to fit together: a lock that is written, changed by hand, and tried."""
    shop = Workspace(tmp_path / "w", models=MODELS, tables=TABLES)
    shop.python(READS)
    assert shop.run("lock", "shop").returncode == 0
    done = shop.run("simulate", "--lock", "purposes.lock", "--ledger", "ledger")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "Would be refused, 5 people in all:\n"
        "  <string>:15 in ads: 5 people\n"
        "    Account.email for advertising, observed today: advertising is not allowed (5 people, 5 reads)\n"
        "    Account.phone for advertising, observed today: advertising is not allowed (5 people, 5 reads)\n"
        "\n19 reads were replayed.\n"
    )
    text = (shop.folder / "purposes.lock").read_text()
    begin = text.index("[tables.people.tagged.addr]")
    text = text[:begin] + text[begin:].replace('"orders"', '"security"', 1)
    begin = text.index('[gates."shop.models:rows"]')
    text = text[:begin] + text[begin:].replace('"orders"', '"advertising"', 1)
    begin = text.index(".tagged.email]")
    text = text[:begin] + text[begin:].replace('    "orders",\n', "", 1)
    handovers = (
        'handovers = [\n    { from = "orders", to = "security", reason = "An expensive order needs a code" },\n]\n'
    )
    assert handovers in text
    (shop.folder / "proposed.lock").write_text(text.replace(handovers, ""))
    done = shop.run("simulate", "--lock", "proposed.lock", "--ledger", "ledger", "--fail-on-break")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        "Would be refused, 6 people in all:\n"
        "  <string>:15 in ads: 5 people\n"
        "    Account.email for advertising, observed today: advertising is not allowed (5 people, 5 reads)\n"
        "    Account.phone for advertising, observed today: advertising is not allowed (5 people, 5 reads)\n"
        "  <string>:18 in ship: 4 people\n"
        "    Account.email for orders, allowed today: orders is not allowed (3 people, 3 reads)\n"
        "    Person.address for orders, allowed today: orders is not allowed (1 person, 1 read)\n"
        "    rows() for orders, allowed today: orders is not allowed (0 people, 1 read, and 1 of unknown people)\n"
        "  <string>:10 in codes: 1 person\n"
        "    Account.phone for orders, security.two_factor, allowed today: orders is not allowed (1 person, 1 read)\n"
        "\n19 reads were replayed.\n"
        "\n1 activity came by a handover that the lock has not. What was read in scopes inside of them was replayed as "
        "if it had.\n"
    )


# --- Bad input -------------------------------------------------------------------------------------------------------

WHOLE = str(PROPOSED)
CIRCLE = Lock(
    ("shop",),
    {"a": "x", "b": "y"},
    handovers=dict.fromkeys(itertools.permutations(("a", "b")), "Why"),
)
BAD: list[tuple[str | None, tuple[str, ...], str]] = [
    (None, (), "There is no proposed.lock. Write it with: purposebind lock PACKAGE"),
    ("<<<<<<< HEAD\n", (), "proposed.lock is not TOML"),
    ("version = 99\n", (), "proposed.lock is of version 99"),
    ("x = 1\n", (), "proposed.lock is no lock of purposebind"),
    (WHOLE.replace('shipping = "Of these tests"\n', ""), (), "names 'shipping' for shop.models.Account.address"),
    (str(CIRCLE), (), "Handovers lead in a circle: a -> b -> a"),
    (WHOLE, ("nowhere_at_all",), "nowhere_at_all cannot be imported"),
    (WHOLE, ("--form", "xml"), "--form xml: there are text, markdown, json."),
    (WHOLE, ("--since", "yesterday"), "--since takes an ISO time"),
    (WHOLE, ("--since", "2099-01-01Z"), "nothing can be replayed, and nothing is known to break"),
    (WHOLE, ("--ledger", "none"), "There is no ledger at none"),
]


@pytest.mark.parametrize(("text", "arguments", "said"), BAD, ids=[said for _, _, said in BAD])
def test_bad_input_is_told_with_the_way_out(
    folder: Path, text: str | None, arguments: tuple[str, ...], said: str
) -> None:
    """ "Nothing breaks" would be the worst answer to a question that was not understood."""
    ledger(folder, shop_reads)
    if text is not None:
        (folder / "proposed.lock").write_text(text)
    before = sorted(path.name for path in folder.iterdir())
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert said in done.stderr.replace("\n", " ")
    assert done.stdout == ""
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_package_that_does_not_import_is_told(tmp_path: Path) -> None:
    """A lock with tables has its packages imported: one that fails would leave its columns out."""
    shop = Workspace(tmp_path / "w", models=MODELS, tables=TABLES)
    shop.python(READS)
    assert shop.run("lock", "shop").returncode == 0
    shop.write("broken", "def x(:\n")
    done = shop.run("simulate", "--ledger", "ledger")
    assert done.returncode == 2
    assert "shop.broken cannot be imported (SyntaxError" in done.stderr
    assert "Traceback" not in done.stderr
    assert PURPOSES in shop.read("purposes")
