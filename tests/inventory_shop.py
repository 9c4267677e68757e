"""A shop that never was: its package, four months of its ledger, and what its people wrote down."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

__all__ = ["RECORD", "Shop", "masked"]

PURPOSES = """\
from purposebind import Purpose

SECURITY = Purpose(
    "security", "Keep accounts safe", dpv="EnforceSecurity", fides="essential.service.security", iab="special 1"
)
TWO_FACTOR = SECURITY.child("two_factor", "Send a login code")
ADVERTISING = Purpose(
    "advertising", "Choose & measure *ads*", dpv="dpv:Advertising", fides="marketing.advertising", iab=(4, 3)
)
ORDERS = Purpose("orders", "Take the order")
SHIPPING = Purpose("shipping", "Bring the parcel", dpv=["DeliveryOfGoods", "https://shop.example/words#Parcels"])
SURVEYS = Purpose("surveys", "Ask what customers think", fides=["analytics", "shop.surveys"])
ORDERS.may_hand_over_to(SHIPPING, reason="A parcel needs an address")
"""
MODELS = """\
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel

from purposebind import AllowedFor, CollectedAt, PurposeModel, Sealed, SubjectId, requires_purpose
from purposebind.break_glass import break_glass

from .purposes import ADVERTISING, ORDERS, SECURITY, SHIPPING, TWO_FACTOR

class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    since: Annotated[datetime, CollectedAt]
    handle: str
    phone: Annotated[str, AllowedFor(TWO_FACTOR, retain=timedelta(days=90))]
    email: Annotated[str, AllowedFor(SECURITY, with_consent=[ADVERTISING])]

class Order(PurposeModel):
    customer: Annotated[int, SubjectId]
    address: Annotated[str, AllowedFor(ORDERS, SHIPPING)]
    iban: Annotated[str, AllowedFor(ORDERS)]

class Trial(PurposeModel, purpose_mode="observe"):
    coupon: Annotated[str, AllowedFor(ORDERS)]

class Letter(BaseModel):
    body: Annotated[Sealed[str], AllowedFor(SHIPPING)]

@requires_purpose(SECURITY)
def rows() -> list[str]:
    return []

def restore(accounts):
    with break_glass("INC-1", by="Grace"):
        return [account.email for account in accounts]
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
MONTHS = """\
from contextlib import suppress
from datetime import datetime, timezone

from calendar_days import clock_at
from purposebind import PurposeViolation, configure, purpose_scope
from purposebind.ledger import Ledger
from shop.models import *
from shop.purposes import *

WHEN = datetime.now(timezone.utc)
accounts = [Account(id=n, since=WHEN, handle="h", phone=f"+1{n}", email=f"{n}@x") for n in range(5)]
orders = [Order(customer=n, address="a", iban="i") for n in range(3)]
ledger = Ledger("ledger")

def on(moment, work, **more):
    with clock_at(moment), configure(ledger=ledger, **more):
        work()
        ledger.close()

def login():
    with purpose_scope(TWO_FACTOR):
        for account in accounts[:4]:
            account.phone, account.phone
        rows()

def order():
    with purpose_scope(ORDERS):
        for one in orders:
            one.iban
        with purpose_scope(SHIPPING):
            for one in orders[:2]:
                one.address

def match():
    with purpose_scope(ADVERTISING):
        for account in accounts:
            with suppress(PurposeViolation):
                account.phone

def lost():
    with purpose_scope(Purpose("rumours", "Nobody declares this in the package")), suppress(PurposeViolation):
        orders[0].iban

on("2026-03-02T09:00+00:00", login)
on("2026-03-09T20:00+00:00", match, mode="observe")
on("2026-04-01T08:00+00:00", order)
on("2026-05-20T20:00+00:00", match)
on("2026-05-21T20:00+00:00", lost)
on("2026-06-20T20:00+00:00", lambda: restore(accounts[:1]))
on("2026-05-25T09:00+00:00", login)
"""
RECORD = """\
security_measures = ["Backups are encrypted"]

[controller]
name = "Shop | Ltd"
contact = "1 Main Street, Dublin"

[data_protection_officer]
name = "Ada <Officer>"
contact = "dpo@shop.example"

[[joint_controllers]]
name = "=Partner"

[representative]
name = "Rep & Sons"
contact = "Brussels"

[data_subjects]
Account = "Our customers"
Order = "customer"

[data_categories]
"Account.phone" = "user.contact.phone_number"
"Account.email" = "how to reach them"

[purposes.advertising]
recipients = ["Ad platform Inc."]
transfers = ["United States: adequacy decision"]

[purposes.orders]
legal_basis = "contract"
recipients = []
transfers = []
time_limits = "ten years, by tax law"
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
        (folder / "record.toml").write_text(RECORD)

    def write(self, module: str, text: str) -> None:
        (self.package / f"{module}.py").write_text(text)

    def change(self, module: str, old: str, new: str) -> None:
        text = (self.package / f"{module}.py").read_text()
        assert old in text
        self.write(module, text.replace(old, new))

    def python(self, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = [*sys.path, str(Path(__file__).parent)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PURPOSEBIND_")}
        environment |= {"PYTHONPATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "220"}
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.python("from purposebind.cli import main; main()", "inventory", *arguments)

    def record_months(self) -> None:
        """Have the shop run from March to June, with a ledger."""
        done = self.python(MONTHS)
        assert done.returncode == 0, done.stderr


def masked(text: str) -> str:
    """The text with the seconds of its moments taken out: a slow machine needs some between two reads."""
    return re.sub(r"(?<=\d\d:\d\d):\d\d(\.\d+)?(?=[Z+]|\b)", ":..", text)
