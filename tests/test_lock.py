"""`purposebind lock`, `check` and `diff`: a widening is seen by a person before it ships."""

# ruff: noqa: E501  # the tables of cases read best a line each

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purposebind import Purpose
from purposebind.governance import Lock, LockError, Tag, compare
from purposebind.governance.changes import widened
from purposebind.governance.lock import Model
from purposebind.policy import Policy

PURPOSES = """\
from purposebind import Purpose

SECURITY = Purpose("security", "Keep accounts safe")
TWO_FACTOR = SECURITY.child("two_factor", "Send a login code")
ADVERTISING = Purpose("advertising", "Choose and measure ads")
ORDERS = Purpose("orders", "Take the order")
ORDERS.may_hand_over_to(SECURITY, reason="An expensive order needs a code")
"""
MODELS = """\
from typing import Annotated
from purposebind import AllowedFor, PurposeModel, SubjectId, requires_purpose
from purposebind.break_glass import break_glass
from .purposes import ADVERTISING, SECURITY, TWO_FACTOR

class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    handle: str
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]
    email: Annotated[str, AllowedFor(SECURITY, never=[TWO_FACTOR])]

@requires_purpose(SECURITY)
def rows() -> list[str]:
    return []

class Store:
    @requires_purpose(TWO_FACTOR)
    def phones(self) -> list[str]:
        with break_glass("INC-1", by="night"):
            return []
"""
TABLES = """\
from typing import Annotated
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
import purposebind.integrations.sqlalchemy
from purposebind import AllowedFor
from .purposes import TWO_FACTOR

class Base(DeclarativeBase): ...

class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    phone: Mapped[Annotated[str, AllowedFor(TWO_FACTOR)]]
"""
LOCK = """\
# What this code may use personal data for. Written by `purposebind lock`: do not edit, change the tags.
# A reviewer reads each added purpose, handover and emergency here as a change of the policy.

version = 1
packages = [
    "shop",
]
handovers = [
    { from = "orders", to = "security", reason = "An expensive order needs a code" },
]

[purposes]
advertising = "Choose and measure ads"
orders = "Take the order"
security = "Keep accounts safe"
"security.two_factor" = "Send a login code"

[models."shop.models.Account"]
untagged = [
    "handle",
    "id",
]

[models."shop.models.Account".tagged.email]
allowed = [
    "security",
]
never = [
    "security.two_factor",
]

[models."shop.models.Account".tagged.phone]
allowed = [
    "security.two_factor",
]

[tables.person]
untagged = [
    "id",
]

[tables.person.tagged.phone]
allowed = [
    "security.two_factor",
]

[gates."shop.models:Store.phones"]
allowed = [
    "security.two_factor",
]

[gates."shop.models:rows"]
allowed = [
    "security",
]

[break_glass]
"shop.models:Store.phones" = 1
"""


class Shop:
    """A package in a folder of its own, and the command run there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = folder / "shop"
        self.package.mkdir()
        self.write("__init__", "")
        self.write("purposes", PURPOSES)
        self.write("models", MODELS)
        self.write("tables", TABLES)

    def write(self, module: str, text: str) -> None:
        (self.package / f"{module}.py").write_text(text)

    def change(self, module: str, old: str, new: str) -> None:
        text = (self.package / f"{module}.py").read_text()
        assert old in text
        self.write(module, text.replace(old, new))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        code = "from purposebind.cli import main; main()"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )

    def locked(self) -> None:
        (self.folder / "purposes.lock").write_text(LOCK)  # what `lock` writes: the first test holds it to that


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_the_command_line_declares_nothing_itself() -> None:
    """A service that calls a purpose as an example of ours does could not be locked, reported on or granted roles."""
    code = "import purposebind.cli.app, purposebind; print(purposebind.Purpose.declared())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("()\n", "")


def test_the_lock_is_what_the_code_declares(shop: Shop) -> None:
    """A reviewer would read a file that leaves something out."""
    done = shop.run("lock", "shop")
    assert (done.returncode, done.stdout) == (0, "purposes.lock: 3 tagged fields and columns, 4 purposes.\n")
    assert (shop.folder / "purposes.lock").read_text() == LOCK
    assert sorted(path.name for path in shop.folder.iterdir() if path.name != "__pycache__") == [
        "purposes.lock",
        "shop",
    ]
    again = shop.run("check")
    assert (again.returncode, again.stdout) == (0, "The code allows what purposes.lock says.\n")


WIDENINGS: list[tuple[Callable[[Shop], None], str]] = [
    (
        lambda shop: shop.change("models", "AllowedFor(TWO_FACTOR)]", "AllowedFor(TWO_FACTOR, ADVERTISING)]"),
        "Account.phone: +advertising (was security.two_factor)  (shop.models)",
    ),
    (
        lambda shop: shop.change("models", "AllowedFor(TWO_FACTOR)]", "AllowedFor(SECURITY)]"),
        "Account.phone: +security (was security.two_factor)  (shop.models)",
    ),
    (
        lambda shop: shop.change("models", ", never=[TWO_FACTOR]", ""),
        "Account.email: +security.two_factor (was security, never security.two_factor)  (shop.models)",
    ),
    (
        lambda shop: shop.change("models", "phone: Annotated[str, AllowedFor(TWO_FACTOR)]", "phone: str"),
        "Account.phone: has no tag any more (was security.two_factor)  (shop.models)",
    ),
    (
        lambda shop: shop.change("tables", "AllowedFor(TWO_FACTOR)", "AllowedFor(TWO_FACTOR.parent)"),
        "person.phone: +security (was security.two_factor)",
    ),
    (
        lambda shop: shop.change("models", "@requires_purpose(SECURITY)", "@requires_purpose(SECURITY, ADVERTISING)"),
        "rows(): +advertising (was security)  (shop.models)",
    ),
    (
        lambda shop: shop.change("models", "@requires_purpose(SECURITY)\n", ""),
        "rows(): asks for no purpose any more, or is gone (was security)  (shop.models)",
    ),
    (
        lambda shop: shop.change(
            "models", "    return []\n\nclass", "    with break_glass('x', by='y'):\n        return []\n\nclass"
        ),
        "rows(): opens break_glass once (was nowhere)  (shop.models)",
    ),
    (
        lambda shop: shop.write(
            "more", "from .purposes import *\nADVERTISING.may_hand_over_to(ORDERS, reason='Sell')\n"
        ),
        "advertising -> orders: a new handover, because: Sell",
    ),
    (
        lambda shop: shop.change("purposes", "Send a login code", "Send whatever we like"),
        "security.two_factor: means something else: 'Send whatever we like' (was 'Send a login code')",
    ),
]


@pytest.mark.parametrize(("change", "said"), WIDENINGS, ids=[said.split("  ")[0] for _, said in WIDENINGS])
def test_a_widening_fails_the_check_and_says_what_it_is(shop: Shop, change: Callable[[Shop], None], said: str) -> None:
    """R8: one added word makes a security phone an advertising phone, and nobody sees it."""
    shop.locked()
    change(shop)
    done = shop.run("check")
    assert done.returncode == 1
    assert f"Personal data may be used for more:\n  {said}\n" in done.stdout
    assert "Have whoever answers for the data read this" in done.stderr


NARROWINGS: list[tuple[Callable[[Shop], None], str]] = [
    (
        lambda shop: shop.change("models", "AllowedFor(SECURITY, never", "AllowedFor(SECURITY.child('x', 'y'), never"),
        "Account.email: -security (now security.x, never security.two_factor)",
    ),
    (lambda shop: shop.change("models", "handle: str", "handle: Annotated[str, AllowedFor(SECURITY)]"), "Account.handle: has a tag now (security)"),
    (lambda shop: shop.change("purposes", "ORDERS.may_hand_over_to", "(lambda *a, **b: None)"), "orders -> security: the handover is gone"),
    (lambda shop: shop.change("models", "with break_glass(\"INC-1\", by=\"night\"):", "if True:"), "Store.phones(): opens break_glass nowhere (was once)"),
    (lambda shop: shop.change("models", "    email:", "    birthday: str\n    email:"), "Account.birthday: a new field without a tag, beside tagged ones"),
    (lambda shop: shop.change("models", "    email: Annotated[str, AllowedFor(SECURITY, never=[TWO_FACTOR])]\n", ""), "Account.email: the field is gone"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), NARROWINGS, ids=[said for _, said in NARROWINGS])
def test_what_narrows_or_is_new_is_told_and_passes(shop: Shop, change: Callable[[Shop], None], said: str) -> None:
    """CI that fails for whatever changes is turned off."""
    shop.locked()
    change(shop)
    done = shop.run("check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert said in done.stdout
    assert "may be used for more" not in done.stdout


def test_a_difference_is_told_as_text_markdown_and_json(shop: Shop) -> None:
    """A pull request would show a person what only a program reads, or the other way round."""
    shop.locked()
    (shop.folder / "purposes.lock").rename(shop.folder / "old.lock")
    shop.change("models", "AllowedFor(TWO_FACTOR)]", "AllowedFor(TWO_FACTOR, ADVERTISING)]")
    assert shop.run("lock", "shop").returncode == 0
    assert shop.run("diff", "old.lock", "old.lock").stdout == "Both allow the same.\n"
    assert shop.run("diff", "old.lock", "purposes.lock").stdout == (
        "Personal data may be used for more:\n  Account.phone: +advertising (was security.two_factor)  (shop.models)\n"
    )
    assert shop.run("diff", "old.lock", "purposes.lock", "--form", "markdown").stdout == (
        "### Personal data may be used for more\n\n| What | Change | Where |\n|---|---|---|\n"
        "| `Account.phone` | +advertising (was security.two_factor) | `shop.models` |\n"
    )
    done = shop.run("diff", "purposes.lock", "old.lock", "--form", "json")
    assert (done.returncode, json.loads(done.stdout)) == (
        0,
        [
            {
                "kind": "narrowing",
                "subject": "Account.phone",
                "where": "shop.models",
                "text": "-advertising (now security.two_factor)",
            }
        ],
    )


BAD: list[tuple[Callable[[Shop], None], tuple[str, ...], str]] = [
    (lambda shop: None, ("lock", "no_such_package"), "no_such_package cannot be imported (ModuleNotFoundError"),
    (lambda shop: shop.write("broken", "def x(:\n"), ("lock", "shop"), "shop.broken cannot be imported (SyntaxError"),
    (lambda shop: shop.write("broken", "1 / 0\n"), ("lock", "shop"), "shop.broken cannot be imported (ZeroDivisionError"),
    (
        lambda shop: shop.write("broken", "from .purposes import *\nSECURITY.may_hand_over_to(ORDERS, reason='Back')\n"),
        ("lock", "shop"),
        "Handovers lead in a circle: orders -> security -> orders",
    ),
    (
        lambda shop: shop.write("broken", "from .models import *\nasked = [SECURITY]\n@requires_purpose(*asked)\ndef f(): ...\n"),
        ("lock", "shop"),
        "What shop.broken.f() asks for cannot be told",
    ),
    (
        lambda shop: shop.write("broken", "from .models import *\nclass Late(PurposeModel):\n    x: 'Missing'\n"),
        ("lock", "shop"),
        "shop.broken.Late is not finished",
    ),
    (lambda shop: None, ("check",), "There is no purposes.lock. Write it with: purposebind lock PACKAGE"),
    (lambda shop: (shop.folder / "purposes.lock").write_text("<<<<<<< HEAD\n"), ("check",), "purposes.lock is not TOML"),
    (lambda shop: (shop.folder / "purposes.lock").write_text("x = 1\n"), ("check",), "purposes.lock is no lock of purposebind"),
    (lambda shop: (shop.folder / "purposes.lock").write_text("version = 99\n"), ("check",), "purposes.lock is of version 99"),
    (lambda shop: (shop.folder / "purposes.lock").write_text("version = 1\n"), ("check",), "is not as purposebind lock writes it"),
    (
        lambda shop: (shop.folder / "purposes.lock").write_text(LOCK.replace('"security.two_factor" = "Send a login code"\n', "")),
        ("check",),
        "names 'security.two_factor' for ",
    ),
    (lambda shop: (shop.folder / "purposes.lock").write_text(LOCK), ("check", "--form", "xml"), "--form xml: there are text, markdown, json."),
    (lambda shop: None, ("lock", "shop", "--lock", "no/such/folder/x.lock"), "cannot be written: No such file"),
]  # fmt: skip


@pytest.mark.parametrize(("break_", "arguments", "said"), BAD, ids=[said for _, _, said in BAD])
def test_bad_input_is_told_with_the_way_out(
    shop: Shop, break_: Callable[[Shop], Any], arguments: tuple[str, ...], said: str
) -> None:
    """A check that breaks for another reason would be taken for one that found nothing, or for a widening."""
    break_(shop)
    before = {path.name for path in shop.folder.iterdir()}
    done = shop.run(*arguments)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert {path.name for path in shop.folder.iterdir()} - {"__pycache__"} == before - {"__pycache__"}


# --- The rule itself -------------------------------------------------------------------------------------------------


ROOT = Purpose("lockroot", "Of these tests")
A, B = ROOT.child("a", "Of these tests"), ROOT.child("b", "Of these tests")
TREE = [ROOT, A, B, A.child("x", "Of these tests"), Purpose("lockother", "Of these tests")]
sets = st.lists(st.sampled_from(TREE), unique=True)


@given(sets, sets, sets, sets)
def test_names_widen_as_policies_do(allowed: Any, never: Any, new_allowed: Any, new_never: Any) -> None:
    """R8: the check would let pass, or refuse, what a subclass in code may not, or may."""
    old, new = Policy(allowed, never), Policy(new_allowed, new_never)
    assert widened(Tag.of(old), Tag.of(new)) == [purpose.name for purpose in new.widens(old)]


names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8)


@given(st.dictionaries(names, st.integers(1, 5)), st.dictionaries(names, names), names)
def test_a_lock_is_read_as_it_was_written(opened: dict[str, int], meanings: dict[str, str], name: str) -> None:
    """A lock that changes by being read would show a widening that nobody made, or hide one."""
    purposes = {"ads": "Advertise", **meanings}
    tag = Tag(("ads",), ("ads",))
    lock = Lock(
        ("shop",), purposes, {name: Model({name: tag}, (name + "x",))}, {}, {name: tag}, {("ads", "ads"): name}, opened
    )
    assert Lock.parse(str(lock)) == lock
    assert compare(lock, Lock.parse(str(lock))) == []


def test_a_lock_that_is_no_text_of_ours_is_refused() -> None:
    """A number where a name should be would be taken for something."""
    with pytest.raises(LockError, match="Write it anew"):
        Lock.parse("version = 1\npackages = [1]\n")
