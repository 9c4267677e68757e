"""`purposebind suggest --sample`: what rows hold, by Presidio's patterns; no model, no network, no value told."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from adoption_packages import Workspace

MODELS = """\
from typing import Annotated
from pydantic import BaseModel, Field
from purposebind import AllowedFor, PurposeModel
from .purposes import SECURITY

class Row(BaseModel):
    contact: str
    reach: str = Field(alias="reachAt")
    pay: str | None = None
    ref: str = ""
    note: str = ""
    many: int = 0

class Account(PurposeModel):
    contact: Annotated[str, AllowedFor(SECURITY)]
    other: str
"""
ROWS = [
    {
        "contact": "ada.lovelace@example.org",
        "reachAt": "+1 415 555 2671",
        "pay": "DE89370400440532013000",
        "ref": "A-17",
        "note": "call again",
        "many": 12,
    },
    {
        "contact": "grace@example.com",
        "reachAt": "+49 30 901820",
        "pay": None,
        "ref": "B-18",
        "note": "2 boxes",
        "many": 4,
    },
]
SEEN = """\
  Row.contact  (shop.models:7)
    e-mail addresses: in 2 of 2 sample values, by Presidio's EmailRecognizer
    proposed: security: as Account.contact

Fields that look personal, and of which no use is known:
  Row.reach  (shop.models:8)
    phone numbers: in 2 of 2 sample values, by Presidio's PhoneRecognizer
  Row.pay  (shop.models:9)
    IBANs: in the only sample value, by Presidio's IbanRecognizer

"""
_OFFLINE = """
import socket, sys
def refuse(*a, **k): raise SystemExit("asked the network")
socket.socket.connect = socket.getaddrinfo = refuse
from purposebind.cli import main
main()
"""


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "w", models=MODELS)
    (made.folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    with (made.folder / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(ROWS[0]))
        writer.writeheader()
        writer.writerows(ROWS)
    return made


@pytest.mark.parametrize("file", ["rows.jsonl", "rows.csv"])
def test_sample_rows_tell_what_names_do_not(shop: Workspace, file: str) -> None:
    """R7: a list of findings with people's addresses in it would be sent round by mail."""
    done = shop.run("suggest", "shop", "--sample", f"{file}:Row", code=_OFFLINE)
    assert done.returncode == 0, done.stderr
    assert SEEN in done.stdout
    assert "Row.ref" not in done.stdout
    assert "Row.note" not in done.stdout
    assert "Row.many" not in done.stdout
    assert "  Account." not in done.stdout, "rows of one model say nothing of another"
    for row in ROWS:
        for value in (row["contact"], row["reachAt"], row["ref"], "lovelace"):
            assert str(value) not in done.stdout + done.stderr


def test_a_field_that_is_tagged_is_not_proposed_again(shop: Workspace) -> None:
    """What is done would be on the list of what is to do."""
    done = shop.run("suggest", "shop", "--sample", "rows.csv:shop.models.Account")
    assert done.stdout == "No field looks personal and carries no tag.\n"


BAD = [
    ("rows.jsonl", b"", "write the file and its model, such as rows.jsonl:Account"),
    ("rows.jsonl:Nobody", b"", "the packages have no model called Nobody"),
    ("rows.xlsx:Row", b"", "rows.xlsx is neither .csv nor .jsonl"),
    ("gone.csv:Row", b"", "There is no gone.csv"),
    ("bad.jsonl:Row", b'{"contact": "x"}\nada@example.org\n', "bad.jsonl, line 2: this is no JSON object"),
    ("bad.jsonl:Row", b'["ada@example.org"]\n', "bad.jsonl, line 1: this is no JSON object"),
    ("bad.jsonl:Row", b"[" * 100_000, "bad.jsonl, line 1: this is no JSON object"),
    ("bad.csv:Row", b"contact\n\xff\xfe\n", "bad.csv is not written in UTF-8"),
    ("bad.csv:Row", b"contact\n" + b"x" * 200_000, "bad.csv, line 1: this is no CSV"),
    ("bad.csv:Row", b"", "bad.csv holds no row"),
]


@pytest.mark.parametrize(("option", "content", "said"), BAD, ids=[said for _, _, said in BAD])
def test_bad_rows_are_told_without_a_value(shop: Workspace, option: str, content: bytes, said: str) -> None:
    """R7: the line that cannot be read is somebody's."""
    if option.startswith("bad"):
        (shop.folder / option.partition(":")[0]).write_bytes(content)
    before = shop.files()
    done = shop.run("suggest", "shop", "--sample", option, "--patch", "x.patch")
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "ada@example.org" not in done.stderr
    assert shop.files() == before


def test_without_presidio_the_error_says_what_to_install(shop: Workspace) -> None:
    """Whoever asks for it has to guess which of three packages is meant."""
    code = "import sys; sys.modules['presidio_analyzer'] = None; from purposebind.cli import main; main()"
    done = shop.run("suggest", "shop", "--sample", "rows.csv:Row", code=code)
    assert done.returncode == 2
    assert done.stderr == (
        "Sample rows need presidio-analyzer, which is not installed. Install it with: "
        "pip install 'purposebind[presidio]'\n"
    )
