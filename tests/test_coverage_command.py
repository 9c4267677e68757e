"""`purposebind coverage`: how far a roll-out is, with a threshold for CI."""

# ruff: noqa: E501  # the tables of cases read best a line each

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from adoption_packages import Workspace
from hypothesis import given
from hypothesis import strategies as st

from purposebind.governance.adoption.covering import Coverage, Share, tenths

MODELS = """\
from typing import Annotated
from pydantic import BaseModel
from purposebind import AllowedFor, Purpose, PurposeModel, Sealed, SubjectId
from .purposes import ORDERS, SECURITY, TWO_FACTOR

UNREVIEWED = Purpose("unreviewed", "Not decided")

class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    handle: str
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]
    email: Annotated[str, AllowedFor(UNREVIEWED)]

    def shown(self) -> str:
        return self.handle

class Special(Account):
    pass

class Order(BaseModel):
    item: str
    address: str
    iban: Annotated[Sealed[str], AllowedFor(ORDERS)]
"""
WORK = """\
from __future__ import annotations
from typing import TYPE_CHECKING
from purposebind import purpose_scope, requires_purpose
from .models import Account
from .purposes import ORDERS, SECURITY

if TYPE_CHECKING:
    from decimal import Decimal

sending = purpose_scope(SECURITY)

@purpose_scope(SECURITY)
def send(account: Account) -> None:
    code(account)

def code(account: Account) -> str:
    return formatted(account)

def formatted(account: Account) -> str:
    return account.handle

@sending
def named(account: Account) -> None: ...

def block(account: Account) -> None:
    with purpose_scope(ORDERS):
        pass

def later(account: Account) -> None:
    def inside():
        with purpose_scope(ORDERS):
            pass
    inside()

@requires_purpose(SECURITY)
def rows() -> list[str]:
    return []

def listed() -> list[Account]:
    return []

def nothing(number: int) -> int:
    return number

def money(account: Account, price: Decimal) -> None: ...

class Proxy:
    @property
    def __class__(self):
        raise RuntimeError("working outside of a request")

current = Proxy()

def proxied() -> None:
    current.user.name

class Store:
    @classmethod
    async def all(cls) -> dict[str, Account | None]:
        return {}

    @staticmethod
    @purpose_scope(ORDERS)
    def one(account: Account) -> None: ...

    @property
    def first(self) -> Account: ...
"""
WEB = """\
from fastapi import APIRouter, Depends, FastAPI
from purposebind import purpose_scope
from purposebind.integrations.fastapi import for_purpose
from .models import Account
from .purposes import ORDERS, SECURITY

def current() -> Account: ...

router = APIRouter(prefix="/orders", dependencies=[Depends(for_purpose(ORDERS))])

@router.get("")
def orders(account: Account = Depends(current)) -> list[str]:
    return []

app = FastAPI()
app.include_router(router)

@app.get("/health")
def health() -> str:
    return "well"

@app.post("/login")
@for_purpose(SECURITY)
async def login() -> str:
    return ""

@app.get("/me")
def me() -> Account: ...

@app.get("/scoped")
@purpose_scope(SECURITY)
def scoped() -> str:
    return ""

@app.websocket("/ws")
async def ws(socket) -> None: ...

inner = FastAPI()

@inner.get("/deep")
def deep() -> str:
    return ""

app.mount("/inner", inner)
"""
TASKS = """\
from celery import Celery
from purposebind import purpose_scope
from purposebind.integrations.celery import install
from .purposes import ORDERS

celery = Celery("shop", broker="memory://", set_as_current=False)
install(celery, keys=[])

@celery.task(purposes=(ORDERS,))
def receipt() -> None: ...

@celery.task
def export() -> None: ...

@celery.task
@purpose_scope(ORDERS)
def inside() -> None: ...
"""
TOLD = """\
fields      50.0 %  2 of 4 with a tag, of those that have one or look personal
routes      42.8 %  3 of 7 with a purpose, of all
tasks       66.6 %  2 of 3 with a purpose, of all
functions   66.6 %  8 of 12 with a purpose, their own or a caller's, of those with tagged data in their types

Fields without a tag:
  Account.email  (shop.models:12)
  Order.address  (shop.models:22)

Routes without a purpose:
  GET /health  (shop.web:18)
  GET /inner/deep  (shop.web:40)
  GET /me  (shop.web:27)
  WEBSOCKET /ws  (shop.web:35)

Tasks without a purpose:
  shop.tasks.export  (shop.tasks:12)

Functions without a purpose, their own or a caller's:
  shop.work.Store.all  (shop.work:59)
  shop.work.Store.first  (shop.work:67)
  shop.work.later  (shop.work:29)
  shop.work.listed  (shop.work:39)

Their types cannot be told:
  shop.work.money
"""


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "w", models=MODELS, work=WORK, web=WEB, tasks=TASKS)


def test_what_is_covered_and_what_is_missing(shop: Workspace) -> None:
    """A percentage of which nobody knows what it is a share of is a number to be gamed."""
    before = shop.files()
    done = shop.run("coverage", "shop")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", TOLD)
    assert shop.files() == before


def test_it_is_told_as_markdown_and_json(shop: Workspace) -> None:
    """A dashboard that reads the text breaks with the first wording that is changed."""
    for name in ("work", "web"):
        (shop.package / f"{name}.py").unlink()
    assert shop.run("coverage", "shop", "--form", "markdown").stdout == (
        "| What | Share | With | Of |\n|---|---|---|---|\n"
        "| fields | 50.0 % | 2 | 4 |\n| routes | none | 0 | 0 |\n| tasks | 66.6 % | 2 | 3 |\n| functions | none | 0 | 0 |\n\n"
        "### Fields without a tag\n\n| What | Where |\n|---|---|\n"
        "| `Account.email` | `shop.models:12` |\n| `Order.address` | `shop.models:22` |\n\n"
        "### Tasks without a purpose\n\n| What | Where |\n|---|---|\n| `shop.tasks.export` | `shop.tasks:12` |\n"
    )
    nothing = {"covered": 0, "total": 0, "percent": None, "missing": []}
    assert json.loads(shop.run("coverage", "shop", "--form", "json").stdout) == {
        "fields": {
            "covered": 2,
            "total": 4,
            "percent": 50.0,
            "missing": [
                {"name": "Account.email", "where": "shop.models:12"},
                {"name": "Order.address", "where": "shop.models:22"},
            ],
        },
        "routes": nothing,
        "tasks": {
            "covered": 2,
            "total": 3,
            "percent": 66.6,
            "missing": [{"name": "shop.tasks.export", "where": "shop.tasks:12"}],
        },
        "functions": nothing,
        "untold": [],
    }


THRESHOLDS: list[tuple[list[str], int, str]] = [
    (["--min", "42"], 0, ""),
    (["--min", "50"], 1, "Below what was asked for: routes (at least 50 %)."),
    (["--min", "50", "--min", "routes=0"], 0, ""),
    (["--min", "routes=0", "--min", "50"], 0, ""),
    (["--min", "fields=50"], 0, ""),
    (["--min", "fields=50.1"], 1, "Below what was asked for: fields (at least 50.1 %)."),
    (["--min", "tasks=66.66%"], 0, ""),
    (["--min", "tasks=66.67"], 1, "Below what was asked for: tasks (at least 66.67 %)."),
    (["--min", "100", "--min", "functions=10"], 1, "Below what was asked for: fields (at least 100 %), routes (at least 100 %), tasks (at least 100 %)."),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "said"), THRESHOLDS, ids=[" ".join(one) for one, _, _ in THRESHOLDS])
def test_a_threshold_fails_what_is_below(shop: Workspace, arguments: list[str], code: int, said: str) -> None:
    """CI that passes what is below lets the roll-out slide back; one that rounds up never notices the last one."""
    done = shop.run("coverage", "shop", *arguments)
    assert (done.returncode, done.stdout) == (code, TOLD)
    assert done.stderr.strip() == said


def test_what_was_looked_at_is_no_part_of_a_share(shop: Workspace) -> None:
    """100 percent that can never be reached is not asked for."""
    accepted = ["GET /health", "Order.address", "shop.tasks.export", "GET /gone", "Account.phone"]
    done = shop.run("coverage", "shop", *(part for one in accepted for part in ("--accept", one)))
    assert "fields      66.6 %  2 of 3 " in done.stdout
    assert "routes      50.0 %  3 of 6 " in done.stdout
    assert "tasks      100.0 %  2 of 2 " in done.stdout
    assert "  GET /health" not in done.stdout
    assert done.stderr == (
        "--accept Account.phone: nothing of that name is missing. Take it away.\n"
        "--accept GET /gone: nothing of that name is missing. Take it away.\n"
    )


def test_an_app_of_another_module_is_counted_too(shop: Workspace) -> None:
    """A service whose app is made in a start-up script would seem to have no routes at all."""
    shop.write("web", WEB.replace("app = FastAPI()", "def made():\n    return FastAPI()\n\napp = made()"))
    (shop.folder / "serve.py").write_text("from shop import web\nholder = type('Holder', (), {'app': web.app})\n")
    done = shop.run("coverage", "shop.models", "--app", "serve:holder.app")
    assert "routes      42.8 %  3 of 7 " in done.stdout
    assert "fields      50.0 %  2 of 4 " in done.stdout


def test_a_share_is_never_rounded_up() -> None:
    """99.96 percent shown as 100 hides the one that is missing."""
    share = Share("fields", 2499, (("Account.phone", "shop.models:1"),))
    assert share.percent is not None
    assert tenths(share.percent) == "99.9"
    assert Coverage((share,), (), ()).below({"fields": Fraction(100)}) == [share]


@given(st.integers(0, 400), st.integers(1, 400))
def test_tenths_are_what_is_left_when_the_rest_is_cut(covered: int, missing: int) -> None:
    """One digit more or less, and the number on the page is not the one that failed the build."""
    percent = Share("fields", covered, (("x", "y"),) * missing).percent
    assert percent is not None
    assert Fraction(tenths(percent)) <= percent < Fraction(tenths(percent)) + Fraction(1, 10)


BAD: list[tuple[Callable[[Workspace], object], tuple[str, ...], str]] = [
    (lambda shop: None, ("nowhere",), "nowhere cannot be imported (ModuleNotFoundError"),
    (lambda shop: shop.write("broken", "def x(:\n"), ("shop",), "shop.broken cannot be imported (SyntaxError"),
    (
        lambda shop: shop.write("broken", "from .purposes import *\nSECURITY.may_hand_over_to(ORDERS, reason='a')\nORDERS.may_hand_over_to(SECURITY, reason='b')\n"),
        ("shop",),
        "Handovers lead in a circle: orders -> security -> orders",
    ),
    (lambda shop: None, ("shop", "--form", "xml"), "--form xml: there are text, markdown, json."),
    (lambda shop: None, ("shop", "--min", "much"), "--min much: write a percentage, such as 80, or fields=100."),
    (lambda shop: None, ("shop", "--min", "nan"), "--min nan: write a percentage"),
    (lambda shop: None, ("shop", "--min", "1/0"), "--min 1/0: write a percentage"),
    (lambda shop: None, ("shop", "--min", "101"), "--min 101: a percentage is between 0 and 100."),
    (lambda shop: None, ("shop", "--min", "columns=80"), "--min columns=80: there are fields, routes, tasks, functions."),
    (lambda shop: None, ("shop.purposes", "--min", "80"), "There is nothing in shop.purposes to have a share of"),
    (lambda shop: None, ("shop", "--app", "shop.web"), "--app shop.web: write the module and the application's name"),
    (lambda shop: None, ("shop", "--app", "shop.web:gone"), "--app shop.web:gone is no application"),
    (lambda shop: None, ("shop", "--app", "gone.web:app"), "gone.web cannot be imported"),
]  # fmt: skip


@pytest.mark.parametrize(("break_", "arguments", "said"), BAD, ids=[said for _, _, said in BAD])
def test_bad_input_is_told_with_the_way_out(
    shop: Workspace, break_: Callable[[Workspace], object], arguments: tuple[str, ...], said: str
) -> None:
    """A build that fails for another reason would be taken for one below the threshold, or passed by."""
    break_(shop)
    done = shop.run("coverage", *arguments)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
