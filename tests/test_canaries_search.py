"""Searching: each form and each channel, by leaking on purpose; and that nothing is found where nothing leaked."""

from __future__ import annotations

import base64
import bz2
import codecs
import gzip
import hashlib
import html
import io
import json
import logging
import lzma
import os
import pickle
import quopri
import random
import sqlite3
import textwrap
import urllib.parse
import warnings
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import Mock
from uuid import UUID

import httpx
import pytest
from purposes import SECURITY, TWO_FACTOR
from pydantic import BaseModel, ConfigDict, EmailStr, PrivateAttr, TypeAdapter, ValidationError, model_validator

from purposebind import AllowedFor, PurposeModel, PurposeViolation, Sealed, purpose_scope
from purposebind.integrations.canaries import Canaries, CanaryError, CanarySurfaced
from purposebind.testing import captured

TAG = AllowedFor(SECURITY)


class Account(PurposeModel):
    handle: str
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]
    email: Annotated[EmailStr, TAG]
    born: Annotated[date, TAG]
    token: Annotated[UUID, TAG]
    number: Annotated[int, TAG]
    secret: Annotated[str, TAG]


FIELDS = [f"Account.{name}" for name in ("phone", "email", "born", "token", "number", "secret")]


@pytest.fixture
def flock() -> Canaries:
    canaries = Canaries()
    canaries.plant(Account, handle="ada")
    return canaries


def of(canaries: Canaries, name: str) -> str:
    return canaries.of(f"Account.{name}")[0]


def fields(found: list[Any]) -> list[str]:
    return [each.field for each in found]


# --- Forms -----------------------------------------------------------------------------------------------------------

FORMS: dict[str, Callable[[str], str | bytes]] = {
    "as it is": lambda v: v,
    "upper case": str.upper,
    "lower case": str.lower,
    "title case": str.title,
    "in a sentence": lambda v: f"sent to {v}.",
    "URL": lambda v: urllib.parse.urlencode({"to": v}),
    "JSON": lambda v: json.dumps({"to": v}),
    "JSON in JSON": lambda v: json.dumps(json.dumps([v])),
    "HTML": lambda v: html.escape(f"<a href='{v}'>"),
    "repr": lambda v: repr([v]),
    "base64": lambda v: base64.b64encode(v.encode()),
    "base64, one byte further": lambda v: base64.b64encode(b"x" + v.encode() + b"y"),
    "base64, two bytes further": lambda v: base64.b64encode(b"xx" + v.encode() + b"yyy"),
    "base64 of a document": lambda v: base64.b64encode(json.dumps({"a": 1, "to": v, "z": 2}).encode()),
    "base64 for URLs": lambda v: base64.urlsafe_b64encode(b"\xff\xfe" + v.encode() + b"\xff"),
    "base64, wrapped": lambda v: base64.encodebytes(b"x" * 50 + v.encode() + b"y" * 50),
    "base64, wrapped and indented": lambda v: textwrap.indent(base64.encodebytes(b"x" * 49 + v.encode()).decode(), " "),
    "hex": lambda v: v.encode().hex(),
    "hex, upper case": lambda v: v.encode().hex().upper(),
    "quoted-printable": lambda v: quopri.encodestring(("é" * 20 + " " + v + " " + "é" * 9).encode()),
    "reversed": lambda v: v[::-1],
    "UTF-16": lambda v: v.encode("utf-16"),
    "UTF-16, the other end first": lambda v: v.encode("utf-16-be"),
    "md5": lambda v: hashlib.md5(v.encode()).hexdigest(),
    "sha1": lambda v: hashlib.sha1(v.encode()).hexdigest().upper(),
    "sha256": lambda v: hashlib.sha256(v.encode()).hexdigest(),
    "sha256, base64": lambda v: base64.b64encode(hashlib.sha256(v.encode()).digest()),
    "sha256, base64 for URLs": lambda v: base64.urlsafe_b64encode(hashlib.sha256(v.encode()).digest()).rstrip(b"="),
    "sha512": lambda v: hashlib.sha512(v.encode()).hexdigest(),
    "pickle": lambda v: pickle.dumps({"to": v}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("field", FIELDS)
def test_a_canary_is_known_again_in_each_form(flock: Canaries, field: str, form: str) -> None:
    """A leak would go unseen because a library in between encodes, escapes or hashes."""
    leaked = FORMS[form](flock.of(field)[0])
    assert fields(flock.search(leaked)) == [field]


WRITTEN: dict[str, tuple[str, Callable[[str], str | bytes]]] = {
    "national": ("phone", lambda v: v[2:]),
    "with punctuation": ("phone", lambda v: f"({v[2:5]}) {v[5:8]}-{v[8:]}"),
    "international, spaced": ("phone", lambda v: f"+1 {v[2:5]} {v[5:8]} {v[8:10]} {v[10:]}"),
    "00": ("phone", lambda v: "00" + v[1:]),
    "tel URI": ("phone", lambda v: f"tel:{v}"),
    "hash without plus": ("phone", lambda v: hashlib.sha256(v[1:].encode()).hexdigest()),
    "hash of national": ("phone", lambda v: hashlib.sha256(v[2:].encode()).hexdigest()),
    "digits reversed": ("phone", lambda v: v[1:][::-1]),
    "local part": ("email", lambda v: v.split("@")[0]),
    "another domain": ("email", lambda v: v.replace("@example.com", "@masked.invalid")),
    "dots dropped, hashed": (
        "email",
        lambda v: hashlib.sha256((v.split("@")[0].replace(".", "") + "@example.com").encode()).hexdigest(),
    ),
    "normalised, hashed": ("email", lambda v: hashlib.md5(v.upper().lower().strip().encode()).hexdigest()),
    "German date": ("born", lambda v: date.fromisoformat(v).strftime("%d.%m.%Y")),
    "American date": ("born", lambda v: date.fromisoformat(v).strftime("%m/%d/%Y")),
    "date in words": ("born", lambda v: date.fromisoformat(v).strftime("%d %B %Y").lstrip("0")),
    "date repr": ("born", lambda v: repr(date.fromisoformat(v))),
    "compact date": ("born", lambda v: v.replace("-", "")),
    "a moment of that day": ("born", lambda v: f"{v}T00:00:00Z"),
    "no hyphens": ("token", lambda v: v.replace("-", "")),
    "raw bytes": ("token", lambda v: b"\0" + UUID(v).bytes),
    "urn": ("token", lambda v: UUID(v).urn),
    "raw bytes, base64": ("token", lambda v: base64.b64encode(UUID(v).bytes)),
    "thousands": ("number", lambda v: f"{int(v):,}"),
    "thousands, German": ("number", lambda v: f"{int(v):,}".replace(",", ".")),
    "in JSON": ("number", lambda v: json.dumps({"n": int(v)})),
    "a part": ("secret", lambda v: v.removeprefix("canary-")),
    "rot13 is not": ("secret", lambda v: v + codecs.encode(v, "rot13")),
}


@pytest.mark.parametrize("form", WRITTEN)
def test_a_canary_is_known_again_as_people_write_it(flock: Canaries, form: str) -> None:
    """A formatted number, or one matched by its hash, would go unseen: it is how it happened in 2019."""
    field, leak = WRITTEN[form]
    assert fields(flock.search(leak(of(flock, field)))) == [f"Account.{field}"]


def test_what_is_found_says_which_how_and_where(flock: Canaries) -> None:
    """The developer would know that something leaked, and not what to mend."""
    value = of(flock, "email")
    (found,) = flock.search(b"to: " + base64.b64encode(value.encode()), place="outbox")
    assert (found.field, found.value, found.form, found.place) == ("Account.email", value, "base64", "outbox")
    assert found.offset is not None
    assert found.offset >= 4
    assert "to: " in found.excerpt
    assert str(found).startswith(f"Account.email ({value}), base64, in outbox at byte {found.offset}: ")


def test_each_place_is_told_once_and_each_person_apart() -> None:
    """The report would repeat itself, or blame the wrong person's row."""
    canaries = Canaries()
    canaries.plant(Account)
    canaries.plant(Account)
    one, two = canaries.of("Account.email")
    found = canaries.search({"a": f"{one} {one}", "b": [two]})
    assert [(each.value, each.place) for each in found] == [(one, "dict['a']"), (two, "dict['b'][0]")]


# --- Nothing found ---------------------------------------------------------------------------------------------------


def test_nothing_is_found_in_what_is_not_a_leak(flock: Canaries) -> None:
    """Tests would fail for no reason, and canaries would be turned off."""
    random.seed(7)
    noise = random.randbytes(1 << 20)
    digits = "".join(random.choices("0123456789", k=1 << 18))
    other = Canaries()
    other.plant(Account)
    log = "\n".join(
        f"2026-11-24T16:{n // 60:02}:{n % 60:02}.{n:06} INFO [{n}] +1202555{n:04} user{n}@example.com 1,000,{n:03} "
        f"{UUID(int=n)} {hashlib.sha256(str(n).encode()).hexdigest()}"
        for n in range(2000)
    )
    for text in (noise, digits, log, noise.hex(), base64.b64encode(noise), repr(other.planted)):
        found = flock.search(text)
        assert found == [], found
    assert flock.search("", b"", None, 7, [], {}, object()) == []


def test_a_number_inside_a_longer_one_is_not_it(flock: Canaries) -> None:
    """An identifier that happens to hold the digits would be taken for a leak."""
    number, born = of(flock, "number"), of(flock, "born").replace("-", "")
    assert flock.search(f"1{number} {number}0 9{born} {born}7") == []


def test_sealed_values_are_not_opened_and_no_leak(flock: Canaries) -> None:
    """Searching would itself be a read that is recorded, and every model would be reported."""
    account = flock.plant(Account)
    box = Sealed.of(flock.watch("a box's content", "box"), TAG)
    with captured() as seen:
        assert flock.search(account, [account], {"a": account}, repr(account), box, vars(account)) == []
    assert seen.denials == seen.reads == []
    with purpose_scope(SECURITY), captured() as seen:
        assert flock.search(account) == []
    assert seen.reads == []


def test_the_canaries_themselves_are_no_leak(flock: Canaries) -> None:
    """An exception's frames hold the fixture, and every one of them would be reported."""
    assert flock.search([flock], {"canaries": flock, "first": flock.planted[0]}) == []


def test_nothing_planted_or_nothing_there_is_an_error(tmp_path: Path, flock: Canaries) -> None:
    """A test that looks for nothing, or in nothing, would pass for ever."""
    with pytest.raises(CanaryError, match="No canary was planted"):
        Canaries().search("text")
    with pytest.raises(CanaryError, match="does not exist"):
        flock.search(tmp_path / "absent")
    with pytest.raises(TypeError, match="used up"):
        flock.search(iter(["text"]))
    with pytest.raises(TypeError, match=r"Response\.json shows nothing by itself"):
        flock.search(httpx.Response(200).json)


# --- Objects ---------------------------------------------------------------------------------------------------------


@dataclass
class Row:
    to: Any


class Slotted:
    __slots__ = ("__hidden", "to")

    def __init__(self, to: Any) -> None:
        self.to = to
        self.__hidden = 1


class Loud:
    def __init__(self, to: str) -> None:
        self._show = to.encode("utf-16")

    def __repr__(self) -> str:
        return f"Loud({self._show.decode('utf-16')})"


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError

    def __init__(self, to: str) -> None:
        self.to = to


@pytest.mark.parametrize(
    "wrap",
    [
        lambda v: [v],
        lambda v: {v: 1},
        lambda v: {1: {2: (v,)}},
        lambda v: {frozenset([v])},
        lambda v: deque([v]),
        lambda v: Row(v),
        lambda v: Slotted([v]),
        lambda v: Loud(v),
        lambda v: Broken(v),
        lambda v: bytearray(v.encode()),
        lambda v: memoryview(v.encode()),
        lambda v: Path(v),
        lambda v: [ValueError(v)],
        lambda v: httpx.Response(200, text=v),
    ],
)
def test_objects_are_looked_into(flock: Canaries, wrap: Callable[[str], Any]) -> None:
    """A value would be safe from the search one layer down."""
    assert fields(flock.search([wrap(of(flock, "secret"))])) == ["Account.secret"]
    assert flock.search([wrap("harmless")]) == []


def test_what_a_validator_copied_beside_the_seal_is_found() -> None:
    """The escape that the core cannot close would not be found by what is there to find it (R10)."""

    class Leaky(PurposeModel):
        model_config = ConfigDict(extra="allow")

        phone: Annotated[str, TAG]
        search_key: str = ""
        _cache: str = PrivateAttr("")

        @model_validator(mode="after")
        def _copies(self) -> Leaky:
            object.__getattribute__(self, "__dict__")["search_key"] = self.__dict__["phone"][-10:]
            self._cache = self.__dict__["phone"]
            assert self.__pydantic_extra__ is not None
            self.__pydantic_extra__["also"] = self.__dict__["phone"]
            return self

    canaries = Canaries()
    leaky = canaries.plant(Leaky)
    with captured() as seen:
        places = {each.place for each in canaries.search(leaky)}
    assert {"Leaky.search_key", "Leaky._cache", "Leaky.also"} <= places
    assert seen.denials == []


def test_a_mock_is_looked_into(flock: Canaries) -> None:
    """What a service gave to the mock of another could not be searched: a mock has every attribute there is."""
    client = Mock()
    client.post("/track", json={"to": of(flock, "email")})
    assert set(fields(flock.search(client))) == {"Account.email"}
    assert flock.search(Mock()) == []


def test_a_loop_ends(flock: Canaries) -> None:
    """Searching would not end where objects refer to one another."""
    one: list[Any] = []
    one.append({"self": one})
    assert flock.search(one) == []


# --- Responses -------------------------------------------------------------------------------------------------------


def test_responses_headers_and_bodies(flock: Canaries) -> None:
    """A header or a redirect would carry the value out unseen."""
    email = of(flock, "email")
    redirect = httpx.Response(302, headers={"location": f"/next?{urllib.parse.urlencode({'to': email})}"})
    response = httpx.Response(
        200, headers=[("set-cookie", f"id={email}"), ("x-safe", "1")], json={"to": email}, history=[redirect]
    )
    assert [each.place for each in flock.search(response)] == [
        "Response, header set-cookie",
        "Response, before the redirect, header location",
        "Response, body",
    ]
    assert flock.search(httpx.Response(200, json={"phone": "<sealed>"})) == []
    packed = httpx.Response(200, content=gzip.compress(email.encode()))
    assert [each.place for each in flock.search(packed, place="export")] == ["export, body, unpacked"]


def test_starlette_and_requests_responses(flock: Canaries) -> None:
    """Other frameworks' responses would be searched by their repr alone."""
    from requests import Response as Requested
    from starlette.responses import JSONResponse, StreamingResponse

    assert flock.search(JSONResponse({"to": of(flock, "email")}))[0].place == "JSONResponse, body"
    requested = Requested()
    requested._content = of(flock, "phone").encode()
    assert flock.search(requested)[0].place == "Response, body"
    with pytest.raises(TypeError, match="hand over the bytes"):
        flock.search(StreamingResponse(iter([b""])))


# --- Exceptions ------------------------------------------------------------------------------------------------------


def raised(run: Callable[[], Any]) -> BaseException:
    try:
        run()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_exceptions_all_that_hangs_on_them(flock: Canaries) -> None:
    """An error tracker shows arguments, notes and chained errors; the search would look at the message alone."""
    value = of(flock, "secret")

    def cause() -> None:
        try:
            raise KeyError(value)
        except KeyError as error:
            raise ValueError("harmless") from error

    def context() -> None:
        try:
            raise KeyError(value)
        except KeyError:
            raise ValueError("harmless") from None

    noted = ValueError("harmless")
    noted.__notes__ = [f"while sending to {value}"]  # type: ignore[attr-defined]
    holding = ValueError("harmless")
    holding.request = {"to": value}  # type: ignore[attr-defined]
    silent = type("Silent", (ValueError,), {"__str__": lambda self: "harmless", "__repr__": lambda self: "Silent()"})
    places = {
        error: [each.place for each in flock.search(error)]
        for error in (ValueError(value), raised(cause), raised(context), noted, holding, silent({"to": value}))
    }
    assert list(places.values()) == [
        ["ValueError, message"],
        ["ValueError, cause, KeyError, message"],
        ["ValueError, context, KeyError, message"],
        ["ValueError, note 0"],
        ["ValueError, request['to']"],
        ["Silent, args[0]['to']"],
    ]
    assert flock.search(raised(lambda: 1 / 0)) == []


def test_exception_groups_and_validation_errors(flock: Canaries) -> None:
    """A group's members, and the inputs of a plain model's errors, are sent to trackers too."""

    class Plain(BaseModel):
        to: int

    value = of(flock, "secret")
    problem = raised(lambda: Plain(to=value))  # type: ignore[arg-type]
    assert isinstance(problem, ValidationError)
    assert flock.search(problem)

    class Group(Exception):
        exceptions = (ValueError(value),)

    assert flock.search(Group("harmless"))[0].place == "Group, member 0, ValueError, message"
    assert flock.search(raised(lambda: TypeAdapter(Account).validate_python({"phone": value}))) == []


def test_frames_variables_count_where_asked(flock: Canaries) -> None:
    """An error tracker that sends variables would send the value; and a test's own variables are no leak."""
    value = of(flock, "secret")

    def send(to: str) -> None:
        raise ConnectionError("no route")

    error = raised(lambda: send(value))
    assert flock.search(error) == []
    assert "ConnectionError, variable to of send()" in [each.place for each in flock.search(error, frames=True)]


def test_a_denial_holds_nothing(flock: Canaries) -> None:
    """The library's own errors would be a leak, with the frames that they were raised through (R7)."""
    account = flock.plant(Account)
    error = raised(lambda: account.phone)
    assert isinstance(error, PurposeViolation)
    assert flock.search(error) == []
    assert flock.search(error, frames=True) == []


# --- Files -----------------------------------------------------------------------------------------------------------


def test_files_in_folders(flock: Canaries, tmp_path: Path) -> None:
    """An export, or a name that was made of the address, would stay behind unseen."""
    value = of(flock, "email")
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "export.csv").write_text(f"id,email\n7,{value}\n", encoding="utf-8")
    (tmp_path / "safe.txt").write_text("nothing", encoding="utf-8")
    (tmp_path / f"{value}.eml").write_text("", encoding="utf-8")
    (tmp_path / "of" / value).mkdir(parents=True)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "round").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    places = [(each.place, each.offset) for each in flock.search(tmp_path)]
    assert sorted(places) == [
        (f"file {Path('a', 'b', 'export.csv')}", len("id,email\n7,")),
        (f"the name of file {value}.eml", 0),
        (f"the name of folder {Path('of', value)}", 0),
    ]


def test_packed_files(flock: Canaries, tmp_path: Path) -> None:
    """A rotated log is packed, and a spreadsheet is an archive."""
    value = of(flock, "phone").encode() * 3
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(value))
    (tmp_path / "b.bz2").write_bytes(bz2.compress(value))
    (tmp_path / "c.xz").write_bytes(lzma.compress(value))
    with zipfile.ZipFile(tmp_path / "d.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sheet1.xml", value)
    (tmp_path / "broken.gz").write_bytes(gzip.compress(value)[:15])
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 no archive")
    assert [each.place for each in flock.search(tmp_path)] == [
        "file app.log.1.gz, unpacked",
        "file b.bz2, unpacked",
        "file c.xz, unpacked",
        "file d.xlsx, member sheet1.xml",
    ]


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le"])
def test_a_database_file(flock: Canaries, tmp_path: Path, encoding: str) -> None:
    """The service's database is where most of it lies."""
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.execute(f"PRAGMA encoding = '{encoding}'")
    connection.execute("CREATE TABLE audience (who TEXT)")
    connection.execute("INSERT INTO audience VALUES (?)", (of(flock, "secret"),))
    connection.commit()
    connection.close()
    assert fields(flock.search(tmp_path / "shop.db")) == ["Account.secret"]


def test_a_large_file_is_read_in_parts(flock: Canaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that lies across two parts would be missed, or its place told wrongly."""
    value, edge = of(flock, "secret").removeprefix("canary-").encode(), 1 << 16
    monkeypatch.setattr("purposebind.integrations.canaries.files._PART", edge)
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.write(b"x" * (edge - 4) + value)
        file.seek(3 * edge)
        file.write(b"y" * 9)
    (found,) = flock.search(path)
    assert found.offset == edge - 4


def test_a_file_that_cannot_be_read_is_said(flock: Canaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would pass for one in which nothing was found."""
    path = tmp_path / "locked"
    path.write_text("x", encoding="utf-8")

    def refused(self: Path, *args: Any, **options: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(CanaryError, match="cannot be searched for canaries: Permission denied"):
        flock.search(tmp_path)


# --- Allowing --------------------------------------------------------------------------------------------------------


def test_what_is_allowed_is_not_reported(flock: Canaries, tmp_path: Path) -> None:
    """A message that is sent to its owner rightly would have to fail the test, or everything be allowed."""
    (tmp_path / "outbox.txt").write_text(f"{of(flock, 'phone')} {of(flock, 'email')}", encoding="utf-8")
    flock.allow("Account.phone", place="file outbox*")
    assert fields(flock.search(tmp_path)) == ["Account.email"]
    assert fields(flock.search(f"sent {of(flock, 'phone')}")) == ["Account.phone"]
    flock.allow(place="file *")
    assert flock.search(tmp_path) == []
    flock.allow("Account.*")
    assert flock.search(of(flock, "phone")) == []
    with pytest.raises(TypeError, match="without either"):
        flock.allow()


def test_check_fails_with_the_report(flock: Canaries) -> None:
    """The failure would not say what leaked."""
    flock.check("harmless")
    with pytest.raises(CanarySurfaced, match=r"A leak canary surfaced .*\n  Account\.phone \(\+1") as caught:
        flock.check(f"to {of(flock, 'phone')}")
    assert isinstance(caught.value, AssertionError)
    assert fields(caught.value.found) == ["Account.phone"]


# --- Watching --------------------------------------------------------------------------------------------------------


@contextmanager
def surfacing(canaries: Canaries, *folders: Path) -> Iterator[list[str]]:
    """The places where canaries surfaced while the block ran."""
    places: list[str] = []
    try:
        with canaries.watching(*folders):
            yield places
    except CanarySurfaced as error:
        places += [each.place.rpartition(", ")[2] for each in error.found]


def test_log_records_are_watched(flock: Canaries) -> None:
    """A line that a handler writes to a file, or ships, is nowhere else to be seen in a test."""
    log = logging.getLogger("shop.sms")
    value = of(flock, "secret")
    with surfacing(flock) as places:
        log.warning("to %s", value)
        log.warning(f"to {value}")
        log.warning("harmless", extra={"to": {"deep": [value]}})
        log.warning("harmless %(a)s", {"a": 1, "b": value})
        log.handle(logging.makeLogRecord({"name": "received", "msg": value, "levelno": 30}))
        try:
            raise ValueError(value)
        except ValueError:
            log.exception("harmless")
    assert places == ["message", "message", "extra['to']['deep'][0]", "args['b']", "message", "message"]


def test_a_log_record_is_told_by_logger_level_and_line(flock: Canaries) -> None:
    """Nobody would find the line that logs it."""
    place = r"log shop\.sms WARNING, test_canaries_search\.py:\d+, message"
    with pytest.raises(CanarySurfaced, match=place), flock.watching():
        logging.getLogger("shop.sms").warning(of(flock, "phone"))


def test_a_log_call_that_fails_is_watched_and_fails_as_before(flock: Canaries) -> None:
    """Watching would hide a mistake, or the mistake hide a leak: logging prints such arguments."""
    log = logging.Logger("alone")  # noqa: LOG001
    handler = logging.StreamHandler(io.StringIO())
    problems: list[Any] = []
    handler.handleError = problems.append  # type: ignore[method-assign, assignment]
    log.addHandler(handler)
    with surfacing(flock) as places:
        log.warning("needs a number: %d", of(flock, "secret"))
    assert places == ["message"]
    assert len(problems) == 1


def test_loggers_that_do_not_propagate_are_watched(flock: Canaries, tmp_path: Path) -> None:
    """A logger with a handler of its own, as a web server's, would not be seen at the root."""
    log = logging.Logger("alone")  # noqa: LOG001
    log.propagate = False
    stream = io.StringIO()
    log.addHandler(logging.StreamHandler(stream))
    with surfacing(flock) as places:
        log.error(of(flock, "phone"))
    assert places == ["message"]
    assert of(flock, "phone") in stream.getvalue()


def test_what_is_not_emitted_is_no_leak(flock: Canaries) -> None:
    """A filter that takes the value out, or a level that keeps the line back, would be blamed."""
    log = logging.getLogger("quiet")
    log.setLevel(logging.ERROR)

    def withheld(record: logging.LogRecord) -> bool:
        record.msg, record.args = "withheld", ()
        return True

    log.addFilter(withheld)
    with surfacing(flock) as places:
        log.warning(of(flock, "phone"))
        log.error(of(flock, "phone"))
    log.removeFilter(withheld)
    assert places == []


def test_warnings_are_watched_and_still_shown(flock: Canaries) -> None:
    """A warning goes to standard error, or to a log; and whoever records them would miss them."""
    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        with surfacing(flock) as places:
            warnings.warn(f"slow: {of(flock, 'email')}", UserWarning, stacklevel=1)
            warnings.warn("harmless", UserWarning, stacklevel=1)
    assert [place.partition(":")[0] for place in places] == ["test_canaries_search.py"]
    assert len(recorded) == 2


def test_folders_are_searched_at_the_end(flock: Canaries, tmp_path: Path) -> None:
    """What is written last would be missed."""
    with surfacing(flock, tmp_path) as places:
        (tmp_path / "export").write_text(of(flock, "phone"), encoding="utf-8")
    assert places == ["file export"]
    with pytest.raises(CanaryError, match="does not exist"), flock.watching(tmp_path / "misspelt"):
        pass


def test_watching_ends_and_leaves_nothing_behind(flock: Canaries) -> None:
    """Logging would be slower for the rest of the run, or a later block be blamed for an earlier one."""
    before = logging.Logger.callHandlers, warnings.showwarning
    with pytest.raises(ZeroDivisionError), flock.watching():
        logging.getLogger().warning(of(flock, "phone"))
        1 / 0
    assert (logging.Logger.callHandlers, warnings.showwarning) == before
    with flock.watching():
        pass
    with pytest.raises(CanarySurfaced), flock.watching(), flock.watching():
        logging.getLogger().warning(of(flock, "phone"))
    assert (logging.Logger.callHandlers, warnings.showwarning) == before
