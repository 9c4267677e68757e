"""Ways by which a widening could pass the check: each is told, and what changes nothing is not."""

# ruff: noqa: E501  # the tables of cases read best a line each

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_lock import Shop

from purposebind.governance import Lock, Tag, compare
from purposebind.governance.adoption.replaying import tags_by_label
from purposebind.governance.boxes import numbered
from purposebind.governance.lock import Model

HEAD: Final = """\
import typing as t
from dataclasses import dataclass
from functools import partial
from pydantic import BaseModel, TypeAdapter
import purposebind
import purposebind.break_glass as emergency
from purposebind import AllowedFor, PurposeModel, Sealed, configure, requires_purpose
from .purposes import ADVERTISING, ORDERS, SECURITY
A = t.Annotated
"""
TAG: Final = "A[str, AllowedFor(SECURITY)]"
BOX: Final = "A[Sealed[str], AllowedFor(SECURITY{more})]"

# What is written before and after, and what is said of it.
HOLES: Final[dict[str, tuple[str, str, str]]] = {
    "renamed": (f"class M(PurposeModel):\n    phone: {TAG}\n    b: {TAG}\n", f"class M(PurposeModel):\n    telephone: A[str, AllowedFor(SECURITY, ADVERTISING)]\n    b: {TAG}\n", "M.telephone: a new field (advertising, security), and phone is gone (was security): is it the same?"),
    "renamed_bare": (f"class M(PurposeModel):\n    phone: {TAG}\n    b: {TAG}\n", f"class M(PurposeModel):\n    telephone: str\n    b: {TAG}\n", "M.telephone: a new field without a tag, and phone is gone (was security): is it the same?"),
    "all_lost": (f"class M(PurposeModel):\n    phone: {TAG}\n", "class M(PurposeModel):\n    phone: str\n", "M.phone: has no tag any more (was security)"),
    "plain": (f"class M(PurposeModel):\n    phone: {TAG}\n", "class M(BaseModel):\n    phone: str\n", "M.phone: has no tag any more (was security)"),
    "split": (f"class M(PurposeModel):\n    one: {TAG}\n    two: {TAG}\n", f"class N(PurposeModel):\n    one: {TAG}\nclass O(PurposeModel):\n    two: A[str, AllowedFor(SECURITY, ADVERTISING)]\n", "O.two: +advertising (was security)"),
    "same_name": (f"class M(PurposeModel):\n    phone: {TAG}\nN = M\nclass M(PurposeModel):\n    phone: {TAG}\n", f"class M(PurposeModel):\n    phone: A[str, AllowedFor(SECURITY, ADVERTISING)]\nN = M\nclass M(PurposeModel):\n    phone: {TAG}\n", "M.phone: +advertising (was security)"),
    **{
        f"box_{name}": (f"{start}    phone: {BOX.format(more='')}\n", f"{start}    phone: {BOX.format(more=', ADVERTISING')}\n", "M.phone: +advertising (was security)")
        for name, start in (("model", "class M(BaseModel):\n"), ("ours", "class M(PurposeModel):\n"), ("dataclass", "@dataclass\nclass M:\n"), ("typed", "class M(t.TypedDict):\n"), ("tuple", "class M(t.NamedTuple):\n"))
    },
    "box_inside": (f"class M(BaseModel):\n    phones: dict[str, list[{BOX.format(more='')}] | None]\n", f"class M(BaseModel):\n    phones: dict[str, list[{BOX.format(more=', ADVERTISING')}] | None]\n", "M.phones: +advertising (was security)"),
    "box_alias": (f"Phone = {BOX.format(more='')}\n", f"Phone = {BOX.format(more=', ADVERTISING')}\n", "box_alias.Phone: +advertising (was security)"),
    "box_adapter": (f"adapter = TypeAdapter(list[{BOX.format(more='')}])\n", f"adapter = TypeAdapter(list[{BOX.format(more=', ADVERTISING')}])\n", "box_adapter.adapter: +advertising (was security)"),
    "gate_called": ("def rows(): ...\nrows = requires_purpose(SECURITY)(rows)\n", "def rows(): ...\n", "rows(): asks for no purpose any more, or is gone (was security)"),
    "gate_lambda": ("rows = requires_purpose(SECURITY)(lambda: 1)\n", "rows = requires_purpose(SECURITY, ADVERTISING)(lambda: 1)\n", "rows(): +advertising (was security)"),
    "gate_made": ("def gate(): return requires_purpose(SECURITY)\n@gate()\ndef f(): ...\n", "def gate(): return requires_purpose(SECURITY, ADVERTISING)\n@gate()\ndef f(): ...\n", "gate.<locals>.<gate>(): +advertising (was security)"),
    "gate_imported": ("def f():\n    from purposebind import requires_purpose as asks\n    @asks(SECURITY)\n    def g(): ...\n", "def f():\n    from purposebind import requires_purpose as asks\n    @asks(ADVERTISING)\n    def g(): ...\n", "f.<locals>.g(): +advertising (was security)"),
    "gate_stacked": ("@requires_purpose(SECURITY)\n@requires_purpose(SECURITY, ADVERTISING)\ndef f(): ...\n", "@requires_purpose(SECURITY, ADVERTISING)\ndef f(): ...\n", "f(): +advertising (was security)"),
    "gate_twice": ("if t.TYPE_CHECKING:\n    @requires_purpose(SECURITY)\n    def f(): ...\nelse:\n    @requires_purpose(SECURITY)\n    def f(): ...\n", "if t.TYPE_CHECKING:\n    @requires_purpose(SECURITY)\n    def f(): ...\nelse:\n    @requires_purpose(SECURITY, ADVERTISING)\n    def f(): ...\n", "f(): +advertising (was security)"),
    "gate_child": ("@requires_purpose(SECURITY.child('gate', 'A gate'))\ndef f(): ...\n", "@requires_purpose(SECURITY.child('gate', 'A gate').parent)\ndef f(): ...\n", "f(): +security (was security.gate)"),
    "glass_imported": ("def f(): ...\n", "def f():\n    from purposebind.break_glass import break_glass as smash\n    smash('x', by='y')\n", "f(): opens break_glass once (was nowhere)"),
    "glass_partial": ("def f(): ...\n", "def f():\n    return partial(emergency.break_glass, 'x', by='y')\n", "f(): opens break_glass once (was nowhere)"),
    "glass_getattr": ("def f(): ...\n", "def f():\n    return getattr(emergency, 'break_glass')\n", "f(): opens break_glass once (was nowhere)"),
    "glass_class": ("def f(): ...\n", "class Night(emergency.break_glass): ...\n", "Night(): opens break_glass once (was nowhere)"),
    "handover": ("def f(): ...\n", "def f():\n    ORDERS.may_hand_over_to(ADVERTISING, reason='Sell')\n", "orders -> advertising: a new handover, because: Sell"),
    "handover_later": ("def f(a, b): ...\n", "def f(a, b):\n    a.may_hand_over_to(b, reason='Sell')\n", "f(): declares a handover when it runs once (was nowhere)"),
    "observe_class": (f"class M(PurposeModel):\n    phone: {TAG}\n", f"class M(PurposeModel, purpose_mode='observe'):\n    phone: {TAG}\n", "M: only observes: what its tags refuse is let through"),
    "observe_base": (f"class B(PurposeModel): ...\nclass M(B):\n    phone: {TAG}\n", f"class B(PurposeModel, purpose_mode='observe'): ...\nclass M(B):\n    phone: {TAG}\n", "M: only observes: what its tags refuse is let through"),
    "observe_all": ("def f(): ...\n", "def f():\n    configure(mode='observe')\n", "f(): may turn to observe mode once (was nowhere)"),
    "observe_some": ("def f(): ...\n", "def f():\n    purposebind.configure(unscoped='observe')\n", "f(): may turn to observe mode once (was nowhere)"),
    "observe_perhaps": ("def f(x): ...\n", "def f(x):\n    configure(mode=x, **x)\n", "f(): may turn to observe mode once (was nowhere)"),
}  # fmt: skip
SAME: Final[dict[str, tuple[str, str]]] = {
    "tag": ("class M(PurposeModel):\n    phone: A[str, AllowedFor(SECURITY, ADVERTISING)]\n    b: str\n", "class M(PurposeModel):\n    b: str\n    phone: A[str, AllowedFor(ADVERTISING, SECURITY)]\n"),
    "two": (f"class M(PurposeModel):\n    phone: {TAG}\nN = M\nclass M(PurposeModel):\n    phone: A[str, AllowedFor(ADVERTISING)]\n", f"class M(PurposeModel):\n    phone: A[str, AllowedFor(ADVERTISING)]\nN = M\nclass M(PurposeModel):\n    phone: {TAG}\n"),
    "gate": ("@requires_purpose(SECURITY, ADVERTISING)\ndef f(): ...\ndef g(): ...\n", "def g(): ...\n@requires_purpose(ADVERTISING, SECURITY)\ndef f(): ...\n"),
    "enforce": ("def f(): ...\n", "def f():\n    configure(mode='enforce')\n    return isinstance(f, emergency.break_glass), isinstance(f, requires_purpose)\n"),
    "dropped": ("", f"def f():\n    class M(PurposeModel):\n        phone: {TAG}\n"),
}  # fmt: skip


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """What the check says of all of them at once."""
    shop = Shop(tmp_path_factory.mktemp("holes"))
    for name, (before, _, _) in HOLES.items():
        shop.write(name, HEAD + before)
    locked = shop.run("lock", "shop")
    assert locked.returncode == 0, locked.stderr
    for name, (_, after, _) in HOLES.items():
        shop.write(name, HEAD + after)
    return shop.run("check")


@pytest.mark.parametrize("name", HOLES)
def test_no_road_leads_round_the_check(told: subprocess.CompletedProcess[str], name: str) -> None:
    """R8: a widening would ship that nobody has seen."""
    assert told.returncode == 1, told.stderr
    widenings = told.stdout.partition("\n\n")[0].splitlines()
    assert widenings[0] == "Personal data may be used for more:"
    said = HOLES[name][2]
    places = (f"  (shop.{name})", "  (shop)", "")
    assert any(f"  {said}{place}" in widenings for place in places), told.stdout


def test_what_changes_nothing_is_not_told(tmp_path: Path) -> None:
    """A check that cries wolf is turned off."""
    shop = Shop(tmp_path)
    for name, (before, _) in SAME.items():
        shop.write(name, HEAD + before)
    assert shop.run("lock", "shop").returncode == 0
    written = (tmp_path / "purposes.lock").read_text()
    for name, (_, after) in SAME.items():
        shop.write(name, HEAD + after)
    done = shop.run("check")
    assert (done.returncode, done.stdout) == (0, "The code allows what purposes.lock says.\n"), done.stderr
    assert shop.run("lock", "shop").returncode == 0
    assert (tmp_path / "purposes.lock").read_text() == written


def test_a_package_that_is_left_out_is_told(tmp_path: Path) -> None:
    """R8: what nobody looks at any more would pass as unchanged."""
    shop = Shop(tmp_path)
    shop.write("other", "")
    assert shop.run("lock", "shop.models", "shop.tables").returncode == 0
    done = shop.run("check", "shop.models")
    assert done.returncode == 1
    assert "  shop.tables: is not looked at any more: what it declares is held to nothing\n" in done.stdout
    assert shop.run("check", "shop").returncode == 0


def test_folders_without_init_are_looked_into(tmp_path: Path) -> None:
    """R9: a model in a namespace package would be in no lock; and a script there is not run."""
    shop = Shop(tmp_path)
    inner = shop.package / "inner" / "deep"
    inner.mkdir(parents=True)
    (inner / "models.py").write_text(f"from shop.holes import *\nclass M(PurposeModel):\n    phone: {TAG}\n")
    (inner / "script.py").write_text("1 / 0\n")
    shop.write("holes", HEAD)
    assert shop.run("lock", "shop").returncode == 0  # what does not name the library, and nobody imports, is left alone
    assert "inner.deep" not in (tmp_path / "purposes.lock").read_text()
    (inner / "models.py").write_text(
        f"# purposebind\nfrom shop.holes import *\nclass M(PurposeModel):\n    phone: {TAG}\n"
    )
    assert shop.run("lock", "shop").returncode == 0
    assert '[models."shop.inner.deep.models.M".tagged.phone]' in (tmp_path / "purposes.lock").read_text()
    (inner / "script.py").write_text("import purposebind\n1 / 0\n")
    done = shop.run("lock", "shop")
    assert done.returncode == 2
    assert "shop.inner.deep.script cannot be imported (ZeroDivisionError" in done.stderr


def test_what_a_module_does_while_it_is_imported_is_no_answer(tmp_path: Path) -> None:
    """JSON that begins with a greeting is none; and what a test module raises to be skipped is no widening."""
    shop = Shop(tmp_path)
    shop.write("loud", "print('hello')\n")
    shop.locked()
    done = shop.run("check", "--form", "json")
    assert (done.returncode, done.stdout) == (0, "[]\n")
    assert "hello" in done.stderr
    shop.write("loud", "import pytest\npytest.skip('no', allow_module_level=True)\n")
    done = shop.run("check")
    assert done.returncode == 2
    assert "shop.loud cannot be imported (Skipped" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "ask = partial(requires_purpose, SECURITY)\n",
        "asks = [requires_purpose]\n",
        "def f():\n    return requires_purpose\n",
    ],
)
def test_a_gate_that_is_handed_on_cannot_be_told(tmp_path: Path, text: str) -> None:
    shop = Shop(tmp_path)
    shop.write("holes", HEAD + text)
    done = shop.run("lock", "shop")
    assert done.returncode == 2
    assert "asks for cannot be told from its text" in done.stderr.replace("\n", " ")


def test_an_answer_that_nobody_takes_is_no_answer(tmp_path: Path) -> None:
    """An exit of 1 would be taken for a widening; and a device is not replaced by a file."""
    shop = Shop(tmp_path)
    shop.locked()
    code = "import os, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1)\nfrom purposebind.cli import main; main()"
    for arguments in (["check"], ["lock", "shop"], ["inventory", "shop"], ["coverage", "shop"], ["suggest", "shop"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2, (arguments, done.stderr)
        assert "cannot be written to standard output: Broken pipe" in done.stderr
        assert "Traceback" not in done.stderr
    done = shop.run("lock", "shop", "--lock", "/dev/stdout")
    assert done.stdout.startswith("# What this code may use personal data for.")
    assert Path("/dev/stdout").resolve() != Path("/dev/stdout")


def test_an_extra_that_is_missing_is_named(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    code = "import sys; sys.modules['tomli_w'] = None\nfrom purposebind.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "lock", "shop"], cwd=shop.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "pip install 'purposebind[governance]'" in done.stderr
    assert not (tmp_path / "purposes.lock").exists()


# --- The rules themselves --------------------------------------------------------------------------------------------

PURPOSES: Final = {name: name for name in ("a", "b", "c")}
tags = st.lists(st.sampled_from(["a", "b", "c"]), unique=True, min_size=1).map(lambda names: Tag(tuple(sorted(names))))


@given(st.lists(st.tuples(tags, tags), min_size=1, max_size=4))
def test_of_several_of_one_name_none_widens_unseen(pairs: list[tuple[Tag, Tag]]) -> None:
    """R8: numbers go by what tags say, and a wider one could take the place of another."""
    locks = [
        Lock(("x",), PURPOSES, gates=dict(numbered(("x:f", tags) for tags in side)))
        for side in zip(*pairs, strict=True)
    ]
    widens = any(not set(new.allowed) <= set(old.allowed) for old, new in pairs)
    told = any(change.kind == "widening" for change in compare(*locks))
    if sorted(pair[0] for pair in pairs) == sorted(pair[1] for pair in pairs):
        assert not told
    elif widens and not any(set(old.allowed) - set(new.allowed) for old, new in pairs):
        assert told


@given(
    st.dictionaries(st.sampled_from("pqrs"), tags, min_size=1),
    st.dictionaries(st.sampled_from("tuvw"), tags, min_size=1),
)
def test_a_model_whose_fields_are_all_renamed_widens_by_none_unseen(old: dict[str, Tag], new: dict[str, Tag]) -> None:
    """R8: where each new field allows more than each that is gone, it may be one of them."""
    locks = [Lock(("x",), PURPOSES, models={"x.M": Model(fields)}) for fields in (old, new)]
    kinds = {change.kind for change in compare(*locks)}
    more = all(set(one.allowed) - set(was.allowed) for one in new.values() for was in old.values())
    if more:
        assert "widening" in kinds
    if all(any(set(one.allowed) <= set(was.allowed) for was in old.values()) for one in new.values()) and len(new) == 1:
        assert "widening" not in kinds


def test_a_replay_knows_every_one_of_a_name() -> None:
    """A second model of a name would be a field that the lock does not know."""
    one, two = Tag(("a",)), Tag(("b",))
    models = {"x.M": Model({"f": one}), "x.M (2)": Model({"f": two, "f (2)": one})}
    found = tags_by_label(Lock(("x",), PURPOSES, models, gates={"x:g (2)": two}), {})
    assert (found["M.f"], found["g()"]) == ([one, two], [two])
