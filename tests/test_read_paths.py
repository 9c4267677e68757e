"""Every road to a tagged value, in every situation (R1, R6, R7, R11, R12).

The table, in the modules of tests/read_paths, has a line for each road: its name, and a function that takes a fresh
subject. The kinds of road:

- *reads* let the value out, or a fact about it. They raise in a disallowed scope and in none, and work in an allowed
  one and in observe mode, where the hook is called;
- *moves* work in every scope and never show the value;
- *representations* never raise, never reveal, and are no reads: the hook is not called;
- *refused* roads raise an error of Python's own in every scope, as for any object that is no string.

Roads that start at somebody else's entry point (`WRAPPED`) may raise that library's error around the denial.
"""

from __future__ import annotations

import collections
import functools
import operator
import os
import sqlite3
import struct
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pydantic_core
import pytest
from dumps import ONLY_EXACT, kind_of
from purposes import ADVERTISING, SECRET, TWO_FACTOR
from pydantic import BaseModel, ValidationError
from read_paths.boxes import BOX_FACTS, BOX_MOVES, BOX_READS, BOX_REFUSED, BOX_REPRESENTATIONS, BOXES
from read_paths.elsewhere import WRAPPED
from read_paths.errors import ERRORS
from read_paths.facts import READ_FACTS
from read_paths.moves import MOVES
from read_paths.reads import READS
from read_paths.representations import REPRESENTATIONS
from read_paths.subjects import ORIGINS, RAW

import purposebind
from purposebind import NoActivePurpose, PurposeViolation, configure, purpose_scope

OWN_FILES = os.path.dirname(os.path.abspath(purposebind.__file__))


# --- The situations ---------------------------------------------------------------------------------------------------

DENIED = {"disallowed": PurposeViolation, "no scope": NoActivePurpose}
SITUATIONS = ["disallowed", "no scope", "allowed", "observe"]


@contextmanager
def situation(name: str) -> Iterator[list[Any]]:
    """Yield the list of denials that hooks were told of."""
    denials: list[Any] = []
    with configure(mode="observe" if name == "observe" else "enforce", on_violation=denials.append):
        if name == "no scope":
            yield denials
        else:
            with purpose_scope(TWO_FACTOR if name == "allowed" else ADVERTISING):
                yield denials


def everything(value: Any, seen: set[int] | None = None) -> str:
    """The text of `value` and of all that it holds, however it represents itself."""
    seen = set() if seen is None else seen
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        return value.decode("latin-1")
    if id(value) in seen or isinstance(value, (type, types.ModuleType, types.FunctionType)):
        return ""
    seen.add(id(value))
    parts = [repr(value), str(value)]
    if isinstance(value, dict):
        parts += [everything(item, seen) for pair in value.items() for item in pair]
    elif isinstance(value, (list, tuple, set, frozenset, collections.deque)):
        parts += [everything(item, seen) for item in value]
    if hasattr(value, "__dict__"):
        parts.append(everything(vars(value), seen))
    return "\n".join(parts)


def safe_repr(value: Any) -> str:
    """As `traceback` shows locals: something half made may have no repr yet."""
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(error).__name__}>"


def leaks(error: BaseException | None) -> str:
    """Where `error`, what is chained to it and the locals of our own frames hold the secret; "" if nowhere."""
    seen: set[int] = set()
    found = []
    todo = [error]
    while todo:
        error = todo.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        todo += [error.__cause__, error.__context__]
        parts: dict[str, Any] = {"str": str(error), "repr": repr(error), "__dict__": vars(error), "args": error.args}
        if isinstance(error, ValidationError):
            inputs = [line["input"] for line in error.errors()]
            parts["errors()"] = [line | {"input": None} for line in error.errors()]
            parts["inputs"] = [repr(item) if isinstance(item, BaseModel) else item for item in inputs]
            with suppress(ValueError):  # the input is the model itself, and json() would read it
                parts["json()"] = error.json()
        for frame, line in traceback.walk_tb(error.__traceback__):
            code = frame.f_code
            if code.co_filename.startswith(OWN_FILES):
                ours = [
                    safe_repr(local) for name, local in frame.f_locals.items() if name != "other"
                ]  # the caller's own
                parts[f"{os.path.basename(code.co_filename)}:{line} {code.co_name}"] = ours
        found += [f"{type(error).__name__} {name}" for name, part in parts.items() if SECRET in everything(part)]
    return "; ".join(found)


def check_read(
    call: Callable[[], Any],
    where: str,
    denials: list[Any],
    *,
    wrapped: bool,
    shown: Callable[[Any], bool],
) -> None:
    if where not in DENIED:
        assert shown(call()), "an allowed read does not yield what it should"
        assert bool(denials) == (where == "observe")
        return
    error: BaseException
    try:
        result = call()
    except (PurposeViolation, pydantic_core.PydanticSerializationError, ValidationError) as raised:
        error = raised
    else:
        pytest.fail(f"the road is open: {type(result).__name__}", pytrace=False)
    assert denials, "the hook was not told"
    if isinstance(error, PurposeViolation) or not wrapped:
        assert type(error) is DENIED[where]
    else:
        assert "may not be read" in str(error)
    assert leaks(error) == ""


def reveals(result: Any) -> bool:
    return SECRET in everything(result)


# --- The table --------------------------------------------------------------------------------------------------------


def table(roads: Any, origins: Any, *, skip: Callable[[str, str], bool] = lambda road, origin: False) -> Any:
    """Parametrise by road, origin and situation."""
    cases = [
        pytest.param(road, origin, where, id=f"{road}-{origin}-{where}")
        for road in roads
        for origin in origins
        for where in SITUATIONS
        if not skip(road, origin)
    ]
    return pytest.mark.parametrize(("road", "origin", "where"), cases)


TABLE = ("validated", "with a tagged list", "with a field serializer")
"""The origins that the whole table is run for, line by line: one for each kind of dump there is."""


def test_the_table_is_run_for_each_kind_of_dump() -> None:
    """One of them could be open, and every test would pass on the others (R1)."""
    kinds = [kind_of(type(ORIGINS[origin]()), "phone") for origin in (*TABLE, "with a tagged model")]
    assert kinds == (["exact"] * 4 if ONLY_EXACT else ["scalar", "container", "exact", "exact"])


@table(READS, TABLE)
def test_reads(road: str, origin: str, where: str) -> None:
    """Data given for two-factor would reach advertising by this road (R1)."""
    check_road("read", road, origin, where)


@table(WRAPPED, TABLE)
def test_reads_from_elsewhere(road: str, origin: str, where: str) -> None:
    """Data would leak through a library that takes models, or its error would hold the data (R1, R7, R12)."""
    check_road("wrapped", road, origin, where)


@table(READ_FACTS, TABLE)
def test_facts(road: str, origin: str, where: str) -> None:
    """An audience could be matched without ever seeing a number: by equality, hash or order (R1)."""
    check_road("fact", road, origin, where)


@table(MOVES, TABLE)
def test_moves(road: str, origin: str, where: str) -> None:
    """Passing an account on would fail, or would open it (R1)."""
    check_road("move", road, origin, where)


@table(REPRESENTATIONS, TABLE)
def test_representations(road: str, origin: str, where: str) -> None:
    """A log, an error page or a debugger would show the data, or the program would stop because somebody logs (R6)."""
    check_road("representation", road, origin, where)


KINDS: dict[str, Any] = {
    "read": READS,
    "wrapped": WRAPPED,
    "fact": READ_FACTS,
    "move": MOVES,
    "representation": REPRESENTATIONS,
}


def check_road(kind: str, road: str, origin: str, where: str) -> None:
    subject = {**ORIGINS, **RAW}[origin]()
    call = KINDS[kind][road]
    shown = reveals
    if kind == "fact":
        call, expected = call
        shown = functools.partial(operator.eq, expected)
    with situation(where) as denials:
        if kind in ("read", "wrapped", "fact"):
            check_read(lambda: call(subject), where, denials, wrapped=kind == "wrapped", shown=shown)
            return
        result = call(subject)
        assert denials == [], "this is no read, and was recorded as one"
        shown_text = everything(result) if origin not in RAW else repr(result)
    assert SECRET not in shown_text, "the value shows"


@pytest.mark.parametrize("where", SITUATIONS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("origin", [*(name for name in ORIGINS if name not in TABLE), *RAW])
def test_every_road_from_elsewhere(origin: str, kind: str, where: str) -> None:
    """A value would get out because of how it got in: by assignment, from JSON, unpickled, behind our back (R1)."""
    failed = []
    for road in KINDS[kind]:
        if origin in RAW and kind in ("move", "representation") and ("vars()" in road or "__dict__" in road):
            continue  # it was put there raw, and that is what is there
        try:
            check_road(kind, road, origin, where)
        except (Exception, pytest.fail.Exception) as error:
            failed.append(f"{road}: {type(error).__name__}: {str(error).splitlines()[0]}")
    assert failed == [], "\n".join(["", *map(repr, failed)])


# --- Boxes, and validation errors ------------------------------------------------------------------------------------


@table(BOX_READS, BOXES)
def test_box_reads(road: str, origin: str, where: str) -> None:
    """What is kept in a box would get out of it (R1)."""
    box = BOXES[origin]()
    with situation(where) as denials:
        check_read(lambda: BOX_READS[road](box), where, denials, wrapped=road == "its serializer", shown=reveals)


@table(BOX_FACTS, BOXES)
def test_box_facts(road: str, origin: str, where: str) -> None:
    """A box would answer questions about what is in it (R1)."""
    box = BOXES[origin]()
    call, expected = BOX_FACTS[road]
    with situation(where) as denials:
        check_read(lambda: call(box), where, denials, wrapped=False, shown=lambda result: result == expected)


@table(BOX_MOVES, BOXES)
def test_box_moves(road: str, origin: str, where: str) -> None:
    """A box could not be passed on, or passing it on would open it (R1)."""
    box = BOXES[origin]()
    with situation(where) as denials:
        moved = BOX_MOVES[road](box)
        assert denials == []
    assert not reveals(moved)


@table(BOX_REPRESENTATIONS, BOXES)
def test_box_representations(road: str, origin: str, where: str) -> None:
    """A log or a debugger would show what is in the box (R6)."""
    box = BOXES[origin]()
    with situation(where) as denials:
        shown = BOX_REPRESENTATIONS[road](box)
        assert denials == []
    assert not reveals(shown)


@table(BOX_REFUSED, BOXES)
def test_boxes_are_no_strings(road: str, origin: str, where: str) -> None:
    """A box that half behaves as the value would let it out by accident, or put it in an error (R1, R7)."""
    box = BOXES[origin]()
    with situation(where) as denials:
        with pytest.raises((TypeError, AttributeError, ValueError, sqlite3.Error, struct.error)) as caught:
            BOX_REFUSED[road](box)
        assert denials == []
    assert leaks(caught.value) == ""


@pytest.mark.parametrize("where", SITUATIONS)
@pytest.mark.parametrize("road", ERRORS)
def test_validation_errors(road: str, where: str) -> None:
    """An error page, a log or a client would be shown the number that somebody mistyped (R7)."""
    with situation(where) as denials:
        with pytest.raises(ValidationError) as caught:
            ERRORS[road]()
        assert denials == []
        assert leaks(caught.value) == ""
        assert caught.value.errors(), "nothing is said of what is wrong"


def test_the_table_is_long_enough() -> None:
    """Roads that were taken out would not be missed."""
    assert len({*READS, *WRAPPED, *READ_FACTS, *MOVES, *REPRESENTATIONS}) >= 120
