"""The lock, where a tag hangs on consent and on time, and where a class was moved."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_lock import Shop

from purposebind import Purpose
from purposebind.governance import Lock, LockError, Tag, compare
from purposebind.governance.changes import widened
from purposebind.governance.lock import Model
from purposebind.policy import Policy

MODELS = """\
from datetime import datetime, timedelta
from typing import Annotated
from purposebind import AllowedFor, CollectedAt, PurposeModel
from .purposes import ADVERTISING, SECURITY

class Customer(PurposeModel):
    phone: Annotated[str, AllowedFor(SECURITY, with_consent=[ADVERTISING], retain=timedelta(days=90))]
    at: Annotated[datetime, CollectedAt]
"""
PHONE = """\
[models."shop.customers.Customer".tagged.phone]
allowed = [
    "advertising",
    "security",
]
with_consent = [
    "advertising",
]
retain = "90 days"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.write("customers", MODELS)
    assert shop.run("lock", "shop").returncode == 0
    return shop


def test_consent_and_time_are_in_the_lock(shop: Shop) -> None:
    text = (shop.folder / "purposes.lock").read_text()
    assert PHONE in text
    tag = Lock.parse(text).models["shop.customers.Customer"].tagged["phone"]
    assert str(tag) == "security, with consent advertising, for 90 days"
    assert tag.time == timedelta(days=90)
    assert shop.run("check").returncode == 0


@pytest.mark.parametrize(
    ("old", "new", "said", "code"),
    [
        (
            "AllowedFor(SECURITY, with_consent=[ADVERTISING], retain",
            "AllowedFor(SECURITY, ADVERTISING, retain",
            "Customer.phone: advertising without consent (was security, with consent advertising, for 90 days)",
            1,
        ),
        ("days=90", "days=91", "Customer.phone: for 91 days (was security, with consent advertising, for 90 days)", 1),
        (
            ", retain=timedelta(days=90)",
            "",
            "Customer.phone: for any time (was security, with consent advertising, fo",
            1,
        ),
        (
            "days=90",
            "hours=36",
            "Customer.phone: for 1 day, 12:00:00 alone (now security, with consent advertising, ",
            0,
        ),
        (", with_consent=[ADVERTISING]", "", "Customer.phone: -advertising (now security, for 90 days)", 0),
        (
            "AllowedFor(SECURITY, with_consent=[ADVERTISING]",
            "AllowedFor(with_consent=[SECURITY, ADVERTISING]",
            "Customer.phone: security with consent alone (now with consent advertising, security, for 90 days)",
            0,
        ),
        (
            "class Customer",
            "class Buyer",
            "Buyer.phone: the model is moved, and was shop.customers.Customer (security, with consent advertising, for",
            0,
        ),
    ],
)
def test_each_change_is_told(shop: Shop, old: str, new: str, said: str, code: int) -> None:
    shop.change("customers", old, new)
    done = shop.run("check")
    assert said in done.stdout
    assert done.returncode == code
    assert ("may be used for more" in done.stdout) == bool(code)


def test_a_class_that_moves_and_widens_is_not_taken_for_a_new_one(shop: Shop) -> None:
    """A new name would hide what the old one was held to."""
    widened = MODELS.replace("AllowedFor(SECURITY, with_consent=[ADVERTISING]", "AllowedFor(SECURITY, ADVERTISING")
    shop.write("elsewhere", widened)
    (shop.package / "customers.py").unlink()
    done = shop.run("check")
    assert done.returncode == 1
    assert (
        "Customer.phone: advertising without consent (was security, with consent advertising, for 90 days)"
        in done.stdout
    )


COLUMN = "    phone_collected_for: Mapped[tuple[str, ...] | None] = mapped_column(CollectedFor('phone'))\n"


def test_a_table_that_forgets_what_was_collected_widens(shop: Shop) -> None:
    shop.change(
        "tables",
        "import purposebind.integrations.sqlalchemy",
        "from purposebind.integrations.sqlalchemy import CollectedFor",
    )
    assert shop.run("lock", "shop").returncode == 0
    (shop.package / "tables.py").write_text((shop.package / "tables.py").read_text() + COLUMN)
    done = shop.run("check")
    assert "person.phone_collected_for: what values were collected for is kept now" in done.stdout
    assert done.returncode == 0
    assert shop.run("lock", "shop").returncode == 0
    assert 'collected = [\n    "phone_collected_for",\n]' in (shop.folder / "purposes.lock").read_text()
    assert shop.run("check").returncode == 0
    shop.change("tables", COLUMN, "")
    done = shop.run("check")
    assert "person.phone_collected_for: what values were collected for is kept no more" in done.stdout
    assert done.returncode == 1


# --- The rule itself -------------------------------------------------------------------------------------------------


ROOT = Purpose("lockconditions", "Of these tests")
A, B = ROOT.child("a", "Of these tests"), ROOT.child("b", "Of these tests")
TREE = [ROOT, A, B, A.child("x", "Of these tests"), Purpose("lockconditionsother", "Of these tests")]
policies = st.builds(
    Policy,
    *[st.lists(st.sampled_from(TREE), unique=True)] * 3,
    st.none() | st.timedeltas(timedelta(microseconds=1), timedelta(days=9999)),
)


@given(policies, policies)
def test_names_widen_as_policies_do(old: Policy, new: Policy) -> None:
    before, after = Tag.of(old), Tag.of(new)
    assert widened(before, after) == [purpose.name for purpose in new.widens(old)]
    names = {one.name: one.description for one in TREE}
    changes = compare(*(Lock(("x",), names, gates={"x:f": tag}) for tag in (before, after)))
    assert any(change.kind == "widening" for change in changes) == new.allows_more_than(old)
    assert any(change.kind == "narrowing" for change in changes) == old.allows_more_than(new)


@given(policies)
def test_a_tag_is_read_as_it_was_written_and_says_what_the_policy_says(policy: Policy) -> None:
    tag = Tag.of(policy)
    lock = Lock(("x",), {one.name: one.description for one in TREE}, {"x.M": Model({"f": tag})})
    assert Lock.parse(str(lock)) == lock
    assert tag.time == policy.retain
    assert str(tag) == str(policy)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("with_consent", "with_consents"),
        lambda text: text.replace('retain = "90 days"', 'retain = "a while"'),
        lambda text: text.replace('retain = "90 days"', "retain = 90"),
        lambda text: text.replace('[models."', '[model."'),
        lambda text: text.replace("untagged", "untaged"),
    ],
)
def test_what_is_not_known_is_not_passed_over(shop: Shop, change: Callable[[str], str]) -> None:
    """What a lock says and nobody reads would be taken for less than it says."""
    text = (shop.folder / "purposes.lock").read_text()
    with pytest.raises(LockError, match="is not as purposebind lock writes it"):
        Lock.parse(change(text))
    with pytest.raises(
        LockError, match=r"names 'marketing' for shop\.customers\.Customer\.phone, which is not among its purposes"
    ):
        Lock.parse(text.replace('with_consent = [\n    "advertising"', 'with_consent = [\n    "marketing"'))
