"""`purposebind suggest`: what looks personal and has no tag, and a patch that a person can review and apply."""

# ruff: noqa: E501  # the tables of cases read best a line each

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from adoption_packages import Workspace

from purposebind.governance.adoption.words import Category, meaning_of

MODELS = '''\
"""What the shop knows of people."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from ipaddress import IPv4Address
from typing import Annotated, Generic, NewType, TypeVar

from pydantic import BaseModel, EmailStr, Field, SecretStr
from pydantic_extra_types.phone_numbers import PhoneNumber
from purposebind import AllowedFor, PurposeModel, SubjectId

from .purposes import ADVERTISING, SECURITY, TWO_FACTOR

T = TypeVar("T")
Mobile = NewType("Mobile", str)


class Gender(Enum):
    A = "a"


class Address(BaseModel):
    street: str
    country: str


class Customer(BaseModel):
    id: int
    name: str
    contact: EmailStr | None = None
    call: list[PhoneNumber] = []
    reach: Mobile = Mobile("")
    text: str = Field("", alias="phoneNumber")
    seen_from: IPv4Address | None = None
    born: date | None = None
    birthday: date | None = None
    gender: Gender = Gender.A
    address: Address | None = None
    token: SecretStr = SecretStr("")
    filename: str = ""
    hostname: str = ""
    email_template: str = ""
    email_verified: bool = False
    email_sent_at: datetime | None = None
    phone_count: int = 0
    is_pregnant: bool = False


class Loyal(Customer):
    since: date


class Product(BaseModel):
    name: str
    page: int


class Page(BaseModel, Generic[T]):
    owner_email: str
    items: list[T]


Customers = Page[Customer]


class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    handle: str
    mobile: str
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]


@dataclass
class Row:
    last_name: str
    total: int
'''
SUGGESTED = """\
Fields that look personal and carry no tag:
  Account.mobile  (shop.models:70)
    a phone number: it is called mobile
    proposed: security.two_factor: as phone beside it

Fields that look personal, and of which no use is known:
  Address.street  (shop.models:24)
    a postal address: it is called street
  Customer.name  (shop.models:30)
    about a person, in a model called Customer: it is called name
  Customer.contact  (shop.models:31)
    an e-mail address: its type is EmailStr
  Customer.call  (shop.models:32)
    a phone number: its type is PhoneNumber
  Customer.reach  (shop.models:33)
    a phone number: its type is called Mobile
  Customer.text  (shop.models:34)
    a phone number: it is called phone, as phoneNumber
  Customer.seen_from  (shop.models:35)
    an IP address: its type is IPv4Address
  Customer.birthday  (shop.models:37)
    a date of birth or age: it is called birthday
  Customer.gender  (shop.models:38)
    sex, nationality or family: it is called gender
  Customer.is_pregnant  (shop.models:47)
    data of a special category (GDPR art. 9): it is called pregnant
  Page.owner_email  (shop.models:60)
    an e-mail address: it is called email
  Row.last_name  (shop.models:76)
    somebody's name: it is called last name

Nothing in these says whose data it is. Mark that with SubjectId, or a ledger counts no people:
  Address, Customer, Page, Row
"""


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "w", models=MODELS)


def test_what_looks_personal_is_told_with_its_reason(shop: Workspace) -> None:
    """A list without reasons would be taken on trust or not at all; one with every filename in it would not be read."""
    before = shop.files()
    done = shop.run("suggest", "shop")
    assert (done.returncode, done.stdout, done.stderr) == (0, SUGGESTED, "")
    assert shop.files() == before


def test_it_is_told_as_markdown_and_json(shop: Workspace) -> None:
    """A pull request would show what only a program reads, or the other way round."""
    shop.write(
        "models",
        MODELS[MODELS.index("from typing") :].partition("class Gender")[0]
        + MODELS[MODELS.index("class Account") :].partition("@dataclass")[0],
    )
    done = shop.run("suggest", "shop", "--form", "markdown")
    assert done.returncode == 0
    assert done.stdout == (
        "### Fields that look personal and carry no tag\n\n"
        "| Field | Where | Why | Proposal |\n|---|---|---|---|\n"
        "| `Account.mobile` | `shop.models:16` | a phone number: it is called mobile "
        "| proposed: security.two_factor: as phone beside it |\n"
    )
    done = shop.run("suggest", "shop", "--form", "json")
    assert json.loads(done.stdout) == {
        "proposals": [
            {
                "kind": "tag",
                "field": "Account.mobile",
                "module": "shop.models",
                "line": 16,
                "reason": "a phone number: it is called mobile",
                "allowed": ["security.two_factor"],
                "tag": "security.two_factor",
                "was": None,
                "added": [],
                "source": "as phone beside it",
                "undeclared": [],
                "seen": [],
            }
        ],
        "without_subject": [],
    }


def test_what_was_looked_at_is_told_no_more(shop: Workspace) -> None:
    """A finding that cannot be put aside has people stop reading the list."""
    done = shop.run("suggest", "shop", "--accept", "Account.mobile", "--accept", "Nobody.home")
    assert "Account.mobile" not in done.stdout
    assert "Customer.name" in done.stdout
    assert done.stderr == "--accept Nobody.home: there is no such field. Take it away.\n"


NAMES: list[tuple[str, Category, str | None]] = [
    ("phone", "text", "a phone number"),
    ("homePhoneNumber2", "text", "a phone number"),
    ("phone", "number", "a phone number"),
    ("phone", "flag", None),
    ("Téléphone", "text", "a phone number"),
    ("emails", "text", "an e-mail address"),
    ("e_mail", "text", "an e-mail address"),
    ("emailAddress", "text", "an e-mail address"),
    ("email_template", "text", None),
    ("email_subject", "text", None),
    ("smtp_email", "text", None),
    ("email_id", "text", None),
    ("phone_owner", "text", None),
    ("ip_address", "text", "an IP address"),
    ("server_ip", "text", None),
    ("ip_range", "text", None),
    ("address_line_1", "text", "a postal address"),
    ("addresses", "text", "a postal address"),
    ("contract_address", "text", None),
    ("zip_code", "text", "a postal address"),
    ("zipfile", "text", None),
    ("IBAN", "text", "a bank account or card"),
    ("cardNumber", "text", "a bank account or card"),
    ("card", "text", None),
    ("vorname", "text", "somebody's name"),
    ("apellidos", "text", "somebody's name"),
    ("nomination", "text", None),
    ("name", "text", None),
    ("customer_name", "text", "about a person: a customer"),
    ("product_name", "text", None),
    ("username", "text", "an online identifier"),
    ("filename", "text", None),
    ("hostname", "text", None),
    ("user_id", "text", None),
    ("device_id", "text", "a device's identifier"),
    ("national_id", "number", "an official number of a person"),
    ("age", "number", "a date of birth or age"),
    ("max_age", "number", None),
    ("page", "number", None),
    ("message", "text", None),
    ("date_of_birth", "date", "a date of birth or age"),
    ("created_at", "date", None),
    ("password", "text", "a secret of a person"),
    ("db_password", "text", None),
    ("is_pregnant", "flag", "data of a special category (GDPR art. 9)"),
    ("health_check", "text", None),
    ("", "text", None),
    ("___", "text", None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "category", "what"), NAMES)
def test_a_name_says_what_its_words_say(name: str, category: Category, what: str | None) -> None:
    """A list that names each hostname is not read; one that overlooks the phone numbers is worse."""
    found = meaning_of(name, category)
    assert (None if found is None else found.what) == what


# --- The patch -------------------------------------------------------------------------------------------------------

VALIDATED = """
from shop.models import Account, Address, Customer, Loyal, Page, Product
sent = {"name": "Ada", "contact": "ada@example.org", "call": ["+14155552671"], "phoneNumber": "2", "birthday": "1990-01-01"}
made = [
    Customer.model_validate({"id": 1, **sent}), Loyal.model_validate({"id": 1, "since": "2020-01-01", **sent}),
    Product(name="lamp", page=1), Page[int].model_validate({"owner_email": "x@example.org", "items": ["1"]}),
    Account.model_validate({"id": "1", "handle": "ada", "mobile": "1", "phone": "2"}),
]
from purposebind import configure
with configure(mode="observe"):
    for one in made:
        print(type(one).__name__, one.model_dump_json(by_alias=True))
for bad in ({"id": "x"}, {"id": 1, "name": 5}):
    try:
        Customer.model_validate(bad)
    except ValueError as error:
        print([line["loc"] for line in error.errors()])
"""


@pytest.mark.parametrize("tool", ["git apply", "patch -p1"])
def test_the_patched_package_imports_and_validates_as_before(shop: Workspace, tool: str) -> None:
    """A patch that breaks the service is the last one that anybody applies."""
    before = shop.python(VALIDATED)
    done = shop.run("suggest", "shop", "--patch", "tags.patch")
    assert done.returncode == 0, done.stderr
    assert "tags for 12 fields" in done.stderr
    assert "Row.last_name: a tag in a dataclass protects nothing" in done.stdout
    command = [*tool.split(), *(["--input"] if tool.startswith("patch") else []), "tags.patch"]
    applied = subprocess.run(command, cwd=shop.folder, capture_output=True, text=True, check=False)
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert shop.python(VALIDATED) == before
    told = shop.python(
        "from shop import models\n"
        "from purposebind.describing import field_tags\n"
        "for name in ('Account', 'Address', 'Customer', 'Loyal', 'Page', 'Product'):\n"
        "    print(name, {field: str(tag) for field, tag in sorted(field_tags(getattr(models, name)).items())})"
    )
    customers = ["birthday", "call", "contact", "gender", "is_pregnant", "name", "reach", "seen_from", "text"]
    unreviewed = dict.fromkeys(customers, "unreviewed")
    assert told == (
        "Account {'mobile': 'security.two_factor', 'phone': 'security.two_factor'}\n"
        "Address {'street': 'unreviewed'}\n"
        f"Customer {unreviewed}\nLoyal {unreviewed}\n"
        "Page {'owner_email': 'unreviewed'}\nProduct {}\n"
    )
    # What is tagged with no decision is still to be decided, and is not patched again.
    again = shop.run("suggest", "shop", "--patch", "again.patch")
    assert "its tag says unreviewed, which is no decision" in again.stdout
    assert "There is nothing to patch: again.patch was not written." in again.stderr
    assert not (shop.folder / "again.patch").exists()


def test_nothing_but_the_tags_is_changed(shop: Workspace) -> None:
    """A reviewer would have to look for the tags among lines that were only formatted."""
    shop.run("suggest", "shop", "--patch", "tags.patch")
    text = (shop.folder / "tags.patch").read_text()
    assert sorted(
        line[1:] for line in text.splitlines() if line.startswith("-") and not line.startswith("---")
    ) == sorted(
        [
            *(
                f"class {name}:"
                for name in ("Address(BaseModel)", "Customer(BaseModel)", "Page(BaseModel, Generic[T])")
            ),
            *(
                "    street: str",
                "    name: str",
                "    contact: EmailStr | None = None",
                "    call: list[PhoneNumber] = []",
            ),
            *('    reach: Mobile = Mobile("")', '    text: str = Field("", alias="phoneNumber")'),
            *("    seen_from: IPv4Address | None = None", "    birthday: date | None = None"),
            *(
                "    gender: Gender = Gender.A",
                "    is_pregnant: bool = False",
                "    owner_email: str",
                "    mobile: str",
            ),
            "from purposebind import AllowedFor, PurposeModel, SubjectId",
        ]
    )
    assert text == shop_patch(shop)


def shop_patch(shop: Workspace) -> str:
    """The patch of the same package, made by another process in another folder."""
    other = Workspace(shop.folder.parent / "other", models=MODELS)
    other.run("suggest", "shop", "--patch", "tags.patch")
    return (other.folder / "tags.patch").read_text()


PATCH = """\
--- a/shop/models.py
+++ b/shop/models.py
@@ -1,9 +1,15 @@
 from __future__ import annotations
 from pydantic import BaseModel
+from purposebind import AllowedFor, Purpose, PurposeModel
+from typing import Annotated
+
+# Of fields that nobody has decided on. No code is run for this: each read of one is a violation.
+UNREVIEWED = Purpose("unreviewed", "Not decided: nobody has said yet what people were told")
.
 LIMIT = 3
.
-class Person(BaseModel):
+class Person(PurposeModel):
     # how to reach them
-    phone: str = ""  # with the country
+    # TODO: what was this collected for?
+    phone: Annotated[str, AllowedFor(UNREVIEWED)] = ""  # with the country
     age_group: int
"""


def test_the_patch_reads_as_a_person_would_write_it(shop: Workspace) -> None:
    """What is not read is not reviewed."""
    shop.write(
        "models",
        "from __future__ import annotations\nfrom pydantic import BaseModel\n\nLIMIT = 3\n\nclass Person(BaseModel):\n"
        '    # how to reach them\n    phone: str = ""  # with the country\n    age_group: int\n',
    )
    shop.run("suggest", "shop", "--accept", "Person.age_group", "--patch", "tags.patch")
    assert (shop.folder / "tags.patch").read_text() == PATCH.replace("\n.\n", "\n \n")


# Texts in which a tag is put, and what the class's tags are then.
FORMS: dict[str, str] = {
    "windows": "from pydantic import BaseModel\r\n\r\nclass P(BaseModel):\r\n    phone: str\r\n",
    "no_end": "from pydantic import BaseModel\nclass P(BaseModel):\n    phone: str",
    "one_line": "from pydantic import BaseModel\nclass P(BaseModel): phone: str",
    "tabs": "from pydantic import BaseModel\nclass P(BaseModel):\n\tphone: str\n\tage: int = 1\n",
    "semicolons": "from pydantic import BaseModel\nclass P(BaseModel):\n    x: int = 1; phone: str; y: int = 2\n",
    "module": "import pydantic\nclass P(pydantic.BaseModel):\n    phone: str\n",
    "renamed": "from pydantic import BaseModel as Base\nclass P(Base):\n    phone: str\n",
    "text": "from pydantic import BaseModel\nclass P(BaseModel):\n    phone: 'str'\n",
    "future": "from __future__ import annotations\nfrom pydantic import BaseModel\nclass P(BaseModel):\n    phone: str | None = None\n",
    "annotated": "from typing import Annotated\nfrom pydantic import BaseModel, Field\nclass P(BaseModel):\n    phone: Annotated[str, Field(max_length=9)] = ''\n",
    "lines": "import typing as t\nfrom pydantic import BaseModel, Field\nclass P(BaseModel):\n    phone: t.Annotated[\n        str,\n        Field(max_length=9),\n    ]\n",
    "extensions": "from typing_extensions import Annotated\nfrom pydantic import BaseModel\nclass P(BaseModel):\n    phone: Annotated[str, 'x']\n",
    "taken": "from pydantic import BaseModel\nAnnotated = AllowedFor = PurposeModel = UNREVIEWED = Purpose = 1\nclass P(BaseModel):\n    phone: str\n",
    "bases": "from pydantic import BaseModel\nclass B(BaseModel):\n    x: int = 1\nclass P(\n    B,\n):\n    phone: str\n",
    "keywords": "from pydantic import BaseModel\nclass P(BaseModel, frozen=True):\n    phone: str\n",
    "inherited": "from pydantic import BaseModel\nclass B(BaseModel):\n    email: str\nclass P(B):\n    phone: str\n",
    "checking": "from typing import TYPE_CHECKING\nfrom pydantic import BaseModel\nif TYPE_CHECKING:\n    from typing import Annotated\n    from purposebind import AllowedFor, PurposeModel\nclass P(BaseModel):\n    phone: str\n",
    "condition": "import sys\nfrom pydantic import BaseModel\nif sys.version_info > (3,):\n    class P(BaseModel):\n        phone: str\nimport os\n",
    "below": "from pydantic import BaseModel\nclass P(BaseModel):\n    phone: str\nfrom . import purposes\nfrom purposebind import AllowedFor, PurposeModel\n",
    "unicode": "from pydantic import BaseModel\n# \u2028 \x0c \u00e9\nclass P(BaseModel):\n    phone: str = '\u2028'\n",
    "generic": "from typing import Generic, TypeVar\nfrom pydantic import BaseModel\nT = TypeVar('T')\nclass B(BaseModel):\n    x: int = 1\nclass P(B, Generic[T]):\n    phone: str\n",
    "configured": "from pydantic import BaseModel, ConfigDict, field_validator\nclass P(BaseModel):\n    model_config = ConfigDict(extra='forbid')\n    phone: str\n    @field_validator('phone')\n    @classmethod\n    def check(cls, value: str) -> str:\n        return value\n",
}  # fmt: skip


def test_however_it_is_written_the_patch_fits(tmp_path: Path) -> None:
    """One model among hundreds that cannot be patched, and the patch is thrown away whole."""
    shop = Workspace(tmp_path / "a b", **FORMS)
    (shop.folder / "the source").mkdir()  # and the folder's name has a space
    shop.package.rename(shop.folder / "the source" / "shop")
    shop.package = shop.folder / "the source" / "shop"
    found = "import sys; sys.path.insert(0, 'the source'); "
    done = shop.run("suggest", "shop", "--patch", "tags.patch", code=f"{found}from purposebind.cli import main; main()")
    assert done.returncode == 0, done.stderr
    assert "Not in the patch" not in done.stdout
    assert shop.git("init", "--quiet").returncode == 0
    applied = shop.git("apply", "tags.patch")
    assert applied.returncode == 0, applied.stderr
    told = shop.python(
        f"{found}from importlib import import_module\n"
        f"for form in {list(FORMS)}:\n"
        "    P = import_module(f'shop.{form}').P\n"
        "    print(form, repr(P.model_validate({'phone': '1', 'email': '2'} if 'email' in P.model_fields else {'phone': '1'})))\n"
    )
    for form, line in zip(FORMS, told.splitlines(), strict=True):
        assert line.startswith(f"{form} P("), line
        assert "phone=<sealed: unreviewed>" in line
    assert shop.read("windows").replace("\r\n", "").count("\n") == 0
    assert not shop.read("no_end").endswith("\n")


TABLES = """\
from typing import Optional
from sqlalchemy import ForeignKey, Column, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlmodel import Field, SQLModel

class Base(DeclarativeBase): ...

class Person(Base):
    __tablename__ = "person"
    email: Mapped[str] = mapped_column(primary_key=True)
    phone: Mapped[Optional[str]]
    iban: Mapped[str | None]
    ssn: Mapped["str"] = mapped_column("social")
    surname = Column(String)

class Employee(Person):
    salary: Mapped[int | None]

class Member(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    phone: str = Field(max_length=20)
"""


def test_tables_are_tagged_where_sqlalchemy_looks(tmp_path: Path) -> None:
    """A tag in another part of the annotation would protect nothing, or change which column may be null."""
    shop = Workspace(tmp_path / "w", tables=TABLES)
    nullable = (
        "from shop.tables import Base, SQLModel\n"
        "print({c.name: c.nullable for t in (*Base.metadata.tables.values(), SQLModel.metadata.tables['member']) for c in t.columns})"
    )
    before = shop.python(nullable)
    done = shop.run("suggest", "shop", "--patch", "tags.patch")
    assert done.returncode == 0, done.stderr
    assert "Person.email: it is a key, which SQLAlchemy has to read" in done.stdout
    assert "Person.surname: its annotation is not written as this command can change it" in done.stdout
    assert done.stdout.count("Employee.") == 1, "its parent's columns are told once"
    assert shop.git("apply", "tags.patch").returncode == 0
    assert shop.python(nullable) == before
    told = shop.python(
        "from shop.tables import Base, SQLModel\nfrom purposebind.integrations.sqlalchemy import policy_of\n"
        "print({c.name: str(policy_of(c)) for t in (*Base.metadata.tables.values(), SQLModel.metadata.tables['member']) for c in t.columns})"
    )
    tagged = (
        "'phone': 'unreviewed', 'iban': 'unreviewed', 'social': 'unreviewed', 'surname': 'None', 'salary': 'unreviewed'"
    )
    assert told == f"{{'email': 'None', {tagged}, 'id': 'None'}}\n"


# --- What proposals go by --------------------------------------------------------------------------------------------

NEIGHBOURS = """\
from datetime import timedelta
from typing import Annotated
from pydantic import BaseModel
from purposebind import AllowedFor, PurposeModel
from .purposes import {names}

class Account(PurposeModel):
    phone: Annotated[str, AllowedFor(SECURITY, never=[TWO_FACTOR])]
    email: Annotated[str, AllowedFor(ORDERS, with_consent=[ADVERTISING])]

class NewPhone(BaseModel):
    phone: str

class Letter(PurposeModel):
    address: Annotated[str, AllowedFor(ORDERS, SECURITY)]
    street: Annotated[str, AllowedFor(SECURITY)]
    zip: str
    email: str
"""


def test_a_tag_is_taken_over_from_what_is_alike(tmp_path: Path) -> None:
    """A person decides faster on a line than on an empty field; but what is proposed may allow no more than its source."""
    shop = Workspace(tmp_path / "w", models=NEIGHBOURS.format(names="ADVERTISING, ORDERS, SECURITY, TWO_FACTOR"))
    done = shop.run("suggest", "shop", "--patch", "tags.patch")
    assert "proposed: security, never security.two_factor: as Account.phone" in done.stdout
    assert "proposed: security: as address beside it, street beside it" in done.stdout
    assert "proposed: orders, with consent advertising: as Account.email" in done.stdout
    assert shop.git("apply", "tags.patch").returncode == 0
    text = shop.read("models")
    assert "    phone: Annotated[str, AllowedFor(SECURITY, never=[TWO_FACTOR])]\n\nclass Letter" in text
    assert "    zip: Annotated[str, AllowedFor(SECURITY)]\n" in text
    assert "    email: Annotated[str, AllowedFor(ORDERS, with_consent=[ADVERTISING])]\n" in text
    assert shop.run("suggest", "shop").stdout == "No field looks personal and carries no tag.\n"


def test_a_purpose_is_imported_by_no_circle(tmp_path: Path) -> None:
    """The patched package would not import: the module of the purposes is at its beginning, and has none of them."""
    shop = Workspace(
        tmp_path / "w",
        models="from pydantic import BaseModel\nclass NewPhone(BaseModel):\n    phone: str\n",
        accounts="from typing import Annotated\nfrom purposebind import AllowedFor, PurposeModel\nfrom .purposes import TWO_FACTOR\n"
        "class Account(PurposeModel):\n    phone: Annotated[str, AllowedFor(TWO_FACTOR)]\n",
    )
    shop.run("suggest", "shop", "--patch", "fits.patch")
    assert "+from shop.purposes import TWO_FACTOR\n" in (shop.folder / "fits.patch").read_text()
    shop.write("purposes", "from . import models\n" + shop.read("purposes"))
    done = shop.run("suggest", "shop", "--patch", "tags.patch")
    assert done.returncode == 0, done.stderr
    assert "NewPhone.phone: no name for security.two_factor can be imported there" in done.stdout
    assert not (shop.folder / "tags.patch").exists()
    # Where another module has the name, and leads to no circle, it is taken from there.
    shop.change("purposes", "from . import models\n", "")
    shop.write("purposes", shop.read("purposes").replace("from purposebind", "import shop.late\nfrom purposebind"))
    shop.write("late", "import shop.models\n")
    shop.write("names", "class Why:\n    from shop.base import CODE\n")
    shop.write(
        "base",
        'from purposebind import Purpose\nCODE = Purpose("security", "Keep accounts safe").child("two_factor", "Send a login code")\n',
    )
    shop.run("suggest", "shop", "--patch", "tags.patch")
    assert shop.git("apply", "tags.patch").returncode == 0
    assert "from shop.base import CODE\n" in shop.read("models")
    assert "security.two_factor" in shop.python(
        "import shop.purposes, shop.models\nprint(repr(shop.models.NewPhone(phone='1')))"
    )


READS = """\
from typing import Annotated
from purposebind import AllowedFor, Purpose, PurposeModel, SubjectId
from .purposes import ADVERTISING, SECURITY, TWO_FACTOR

UNREVIEWED = Purpose("unreviewed", "Not decided: nobody has said yet what people were told")

class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(UNREVIEWED)]
    email: Annotated[str, AllowedFor(TWO_FACTOR)]
    name: Annotated[str, AllowedFor(SECURITY, never=[ADVERTISING])]
"""
USES = """
from purposebind import configure, purpose_scope, Purpose
from purposebind.ledger import Ledger
from shop.models import Account
from shop.purposes import *

GONE = Purpose("gone", "Of another version of the shop")
people = [Account(id=n, phone="+1", email="e", name="n") for n in range(1, 8)]
with Ledger("ledger") as ledger, configure(mode="observe", ledger=ledger):
    with purpose_scope(TWO_FACTOR):
        for one in people[:3]:
            one.phone, one.email, one.phone
    with purpose_scope(ADVERTISING):
        for one in people:
            one.phone, one.email, one.name
    with purpose_scope(GONE):
        people[0].email, people[0].phone
    people[6].phone
"""


def test_the_ledger_says_what_a_field_was_used_for(tmp_path: Path) -> None:
    """R8: a tag made of what code does would make a misuse the policy, unless it shows how many people and where."""
    shop = Workspace(tmp_path / "w", models=READS)
    shop.python(USES)
    done = shop.run("suggest", "shop", "--ledger", "ledger", "--patch", "tags.patch")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "Fields that look personal and carry no tag:\n"
        "  Account.phone  (shop.models:9)\n"
        "    its tag says unreviewed, which is no decision\n"
        "    proposed: advertising, security.two_factor: the ledger saw it used for no purpose (1 person), "
        "advertising (7 people), gone (1 person), security.two_factor (3 people)\n"
        "      no purpose (1 person): <string>:19 in <module>\n"
        "      advertising (7 people): <string>:16 in <module>\n"
        "      gone (1 person): <string>:18 in <module>\n"
        "      security.two_factor (3 people): <string>:13 in <module>\n"
        "    left out, for the code declares no such purpose: gone\n"
        "\n"
        "Fields that were used for more than their tags allow: tagging that is a widening:\n"
        "  Account.email  (shop.models:10)\n"
        "    WIDENING by advertising (was security.two_factor): the ledger saw it used for advertising (7 people), "
        "which its tag does not allow\n"
        "      advertising (7 people): <string>:16 in <module>\n"
        "      gone (1 person): <string>:18 in <module>\n"
        "      security.two_factor (3 people): <string>:11 in <module>\n"
        "    left out, for the code declares no such purpose: gone\n"
    )  # of what never= rules out nothing is proposed: that was decided
    patch = (shop.folder / "tags.patch").read_text()
    assert "+    phone: Annotated[str, AllowedFor(ADVERTISING, TWO_FACTOR)]\n" in patch
    assert "# Suggested: the ledger saw it used for no purpose (1 person), advertising (7 people), gone" in patch
    assert "email" not in "".join(line for line in patch.splitlines() if line.startswith("+"))
    shop.run("suggest", "shop", "--ledger", "ledger", "--patch", "wide.patch", "--widen")
    wide = (shop.folder / "wide.patch").read_text()
    assert "+    # WIDENING by advertising: the ledger saw it used for advertising (7 people)" in wide
    assert "+    email: Annotated[str, AllowedFor(ADVERTISING, TWO_FACTOR)]\n" in wide
    assert shop.git("apply", "wide.patch").returncode == 0
    told = shop.python(
        "from purposebind.describing import field_tags\nfrom shop.models import Account\nprint({k: str(v) for k, v in field_tags(Account).items()})"
    )
    both = "'advertising, security.two_factor'"
    assert told == f"{{'phone': {both}, 'email': {both}, 'name': 'security, never advertising'}}\n"


# --- Bad input -------------------------------------------------------------------------------------------------------

BAD: list[tuple[Callable[[Workspace], object], tuple[str, ...], str]] = [
    (lambda shop: None, ("nowhere",), "nowhere cannot be imported (ModuleNotFoundError"),
    (lambda shop: shop.write("broken", "def x(:\n"), ("shop",), "shop.broken cannot be imported (SyntaxError"),
    (lambda shop: shop.write("broken", "1 / 0\n"), ("shop",), "shop.broken cannot be imported (ZeroDivisionError"),
    (
        lambda shop: shop.write("broken", "from .purposes import *\nSECURITY.may_hand_over_to(ORDERS, reason='a')\nORDERS.may_hand_over_to(SECURITY, reason='b')\n"),
        ("shop",),
        "Handovers lead in a circle: orders -> security -> orders",
    ),
    (lambda shop: shop.write("broken", "from pydantic import BaseModel\nclass Late(BaseModel):\n    x: 'Missing'\n"), ("shop",), "shop.broken.Late is not finished"),
    (lambda shop: None, ("shop", "--form", "xml"), "--form xml: there are text, markdown, json."),
    (lambda shop: None, ("shop", "--widen"), "--widen is about the patch: say where to write it"),
    (lambda shop: None, ("shop", "--patch", "no/such/folder/x.patch"), "no/such/folder/x.patch cannot be written: No such file"),
    (lambda shop: (shop.folder / "x.patch").mkdir(), ("shop", "--patch", "x.patch"), "x.patch cannot be written"),
    (lambda shop: None, ("shop", "--ledger", "nowhere"), "There is no ledger at nowhere"),
]  # fmt: skip


@pytest.mark.parametrize(("break_", "arguments", "said"), BAD, ids=[said for _, _, said in BAD])
def test_bad_input_is_told_with_the_way_out(
    shop: Workspace, break_: Callable[[Workspace], object], arguments: tuple[str, ...], said: str
) -> None:
    """A list that was cut short would be taken for all there is."""
    break_(shop)
    before = shop.files()
    done = shop.run("suggest", *arguments)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert shop.files() == before


def test_without_its_library_a_patch_says_what_to_install(shop: Workspace) -> None:
    """A traceback says which import failed, and not what to do."""
    code = "import sys; sys.modules['libcst'] = None; from purposebind.cli import main; main()"
    assert shop.run("suggest", "shop", code=code).returncode == 0
    done = shop.run("suggest", "shop", "--patch", "x.patch", code=code)
    assert (done.returncode, done.stderr) == (
        2,
        "A patch needs libcst, which is not installed. Install it with: pip install 'purposebind[governance]'\n",
    )
    assert not (shop.folder / "x.patch").exists()


# --- Roads round ------------------------------------------------------------------------------------------------------

FAMILY = """\
from typing import Annotated, Generic, TypeVar
from pydantic import BaseModel, JsonValue, create_model
from purposebind import AllowedFor, PurposeModel
from .purposes import ADVERTISING, ORDERS, SECURITY, TWO_FACTOR

T = TypeVar("T")

class HasFax:
    fax: str

class Base(BaseModel):
    phone: str
    payload: JsonValue = None

class Again(Base):
    phone: str = ""

class Mixed(HasFax, BaseModel):
    x: int = 1

class Wide(PurposeModel, Base):
    phone: Annotated[str, AllowedFor(SECURITY, ADVERTISING)]

class Other(PurposeModel):
    phone: Annotated[str, AllowedFor(SECURITY)]

class Above(PurposeModel):
    email: Annotated[str, AllowedFor(SECURITY)]

class Below(Above):
    email: Annotated[str, AllowedFor(TWO_FACTOR)]

Made = create_model("Made", iban=(str, ...))

class Proxy:
    @property
    def __class__(self):
        raise RuntimeError("working outside of a request")

current = Proxy()
"""


def test_what_inherits_is_told_where_it_is_declared(tmp_path: Path) -> None:
    """R8: a patch with one tag for a class and a wider one below it would not import."""
    shop = Workspace(tmp_path / "w", models=FAMILY)
    done = shop.run("suggest", "shop", "--patch", "tags.patch")
    assert done.returncode == 0, done.stderr
    found = [line.split()[0] for line in done.stdout.splitlines() if "(shop.models" in line]
    assert sorted(found) == ["Base.phone", "Made.iban", "Mixed.fax"]
    left_out = done.stdout.partition("Not in the patch:\n")[2]
    assert left_out == (
        "  Made.iban: its class is not written at the top of a module\n"
        "  Mixed.fax: its class is not written at the top of a module\n"
        "  Base.phone: Wide, which inherits from its class, has a tag that allows more (advertising, security)\n"
    )
    shop.change("models", "AllowedFor(SECURITY, ADVERTISING)", "AllowedFor(TWO_FACTOR)")
    shop.write("more", "from .models import Base\nclass More(Base):\n    email: str\n")
    done = shop.run("suggest", "shop", "--patch", "tags.patch")
    order = "with PurposeModel as its base the bases of Wide have no order: name PurposeModel last there"
    assert f"  Base.phone: {order}\n" in done.stdout
    assert "More.email" not in done.stdout.partition("Not in the patch")[2]
    shop.change("models", "class Wide(PurposeModel, Base)", "class Wide(Base, PurposeModel)")
    assert shop.run("suggest", "shop", "--patch", "tags.patch").returncode == 0
    assert shop.git("apply", "tags.patch").returncode == 0
    told = shop.python(
        "from shop.models import Again\nprint(repr(Again(phone='1')))\nfrom shop.more import More\nprint(repr(More(phone='1', email='2')))"
    )
    assert told == (
        "Again(phone=<sealed: security.two_factor>, payload=None)\n"
        "More(phone=<sealed: security.two_factor>, payload=None, email=<sealed: security.two_factor>)\n"
    )


def test_reads_of_a_subclass_are_reads_of_the_field(tmp_path: Path) -> None:
    """R8: people whose class is a special one would be missing in the count that a tag is decided by."""
    shop = Workspace(
        tmp_path / "w",
        models=READS
        + "\nclass Special(Account):\n    pass\n\nclass Narrow(Account):\n    email: Annotated[str, AllowedFor(TWO_FACTOR)]\n",
    )
    uses = USES.replace(
        "for n in range(1, 8)]",
        "for n in range(1, 8)]\nfrom shop.models import Narrow, Special\npeople[4:] = [Special(**vars(one)) if n else Narrow(**vars(one)) for n, one in enumerate(people[4:])]",
    )
    shop.python(uses)
    done = shop.run("suggest", "shop", "--ledger", "ledger", "--patch", "tags.patch", "--widen")
    assert "      advertising (7 people): <string>" in done.stdout
    assert (
        "Account.email  (shop.models:10)\n    WIDENING by advertising (was security.two_factor): the ledger saw it used for advertising (6 people)"
        in done.stdout
    )
    assert "  Narrow.email: Account, which its class inherits from, allows less (security.two_factor)\n" in done.stdout


def test_what_others_wrote_into_a_ledger_gets_into_no_code(tmp_path: Path) -> None:
    """A purpose's name with a line break would be a line of the program, if the patch were applied."""
    shop = Workspace(tmp_path / "w", models=READS)
    bad = "x\\nimport os\\nclass Y:\\n    z = 1\\u2028\\x1b[31m"
    shop.python(
        "from report_example import KEY, START, Script\nfrom pathlib import Path\n"
        "from purposebind.ledger.folder import Folder\nfrom purposebind.ledger.closing import close_abandoned\n"
        "Folder(Path('ledger')).make()\nscript = Script(Path('ledger'), START, 1)\n"
        f"script.work(START, ['{bad}'], '{bad}', {{'Account.phone': [1], 'Account.email': [2]}})\n"
        f"script.work(START, ['security'], '{bad}', {{'Account.phone': [1]}})\n"
        "script.put(); close_abandoned(Folder(Path('ledger')))"
    )
    for form in ("text", "markdown", "json"):
        done = shop.run("suggest", "shop", "--ledger", "ledger", "--patch", "tags.patch", "--form", form)
        assert done.returncode == 0, done.stderr
        assert not {"\x1b", "\u2028"} & set(done.stdout)
        assert "\nimport os" not in done.stdout
    assert shop.git("apply", "tags.patch").returncode == 0
    assert shop.python("from shop import models\nprint(hasattr(models, 'os'), hasattr(models, 'Y'))") == "False False\n"


def test_the_patch_fits_in_a_folder_of_a_repository(tmp_path: Path) -> None:
    """In a repository of several services the patch would be taken for one of the whole, and do nothing."""
    shop = Workspace(
        tmp_path / "services" / "one", models="from pydantic import BaseModel\nclass P(BaseModel):\n    phone: str\n"
    )
    assert subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=False).returncode == 0
    assert shop.run("suggest", "shop", "--patch", "tags.patch").returncode == 0
    assert shop.git("apply", "tags.patch").returncode == 0
    assert "AllowedFor(UNREVIEWED)" in shop.read("models")


def test_a_name_that_stands_for_nothing_is_taken_all_the_same(tmp_path: Path) -> None:
    """The patch would call None, and the module import no more."""
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "models.py").write_text(
        "from pydantic import BaseModel\nAllowedFor = Annotated = None\nclass A(BaseModel):\n    phone: str\n"
        "    email: str\n"
    )
    command = "from purposebind.cli import main; main()"
    run = [sys.executable, "-c", command, "suggest", "shop", "--patch", "tags.patch"]
    assert subprocess.run(run, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    assert (tmp_path / "tags.patch").read_text().count("Annotated as _Annotated") == 1
    subprocess.run(["git", "apply", "tags.patch"], cwd=tmp_path, check=True)
    subprocess.run([sys.executable, "-c", "import shop.models"], cwd=tmp_path, check=True)
