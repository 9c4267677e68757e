"""The key by which people are hashed: made once, for its owner alone, and never a wrong one in its place."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from purposebind.ledger import Key, Ledger, LedgerError
from purposebind.ledger.key import KEY_VARIABLE

GOOD = "ab" * 32


def test_it_is_made_on_first_use_for_its_owner_alone_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Others could find people in the ledger, or the key would be lost because nobody knew that there is one."""
    before = os.umask(0)
    try:
        with caplog.at_level(logging.WARNING, "purposebind"), Ledger(tmp_path / "ledger") as ledger:
            ledger.recorder()
            ledger.recorder()
    finally:
        os.umask(before)
    path = tmp_path / "ledger.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert re.fullmatch(r"[0-9a-f]{64}\n", path.read_text())
    assert [record.getMessage() for record in caplog.records] == [
        f"made the ledger key {path}: keep a copy, without it nobody can be looked up"
    ]
    assert path.read_text().strip() not in caplog.text
    assert not any(path.read_bytes().strip() in file.read_bytes() for file in (tmp_path / "ledger").rglob("*.seg"))


RACE = """
import logging, os, sys
from pathlib import Path
from purposebind.ledger import Key
logging.basicConfig(stream=sys.stderr)
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
sys.stdout.write(Key.load(Path(sys.argv[1]), create=True).id)
"""


def test_twenty_processes_that_begin_at_once_make_one_key(tmp_path: Path) -> None:
    """Two services would hash people by different keys, and one person would be counted twice, for ever."""
    path = tmp_path / "a" / "folder" / "key"
    command = [sys.executable, "-c", RACE, str(path)]
    pipe = subprocess.PIPE
    started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(20)]
    for one in started:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in started:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    told = [one.communicate() for one in started]
    assert [one.returncode for one in started] == [0] * 20, told
    assert {out for out, _ in told} == {Key.load(path).id}
    assert sum(err.count("made the ledger key") for _, err in told) == 1
    assert [file.name for file in path.parent.iterdir()] == ["key"], "half-made keys are left"


def test_the_environment_comes_first_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container with a read-only disk could not record, or a key would lie about that nobody uses."""
    monkeypatch.setenv(KEY_VARIABLE, GOOD)
    with Ledger(tmp_path / "ledger") as ledger:
        ledger.recorder()
    assert Key.load(tmp_path / "nowhere").id == Key(bytes.fromhex(GOOD)).id
    assert not (tmp_path / "ledger.key").exists()


@pytest.mark.parametrize("text", ["", "ab", "x" * 64, GOOD + "00", GOOD[:-1], "é" * 64])
@pytest.mark.parametrize("place", ["file", "environment"])
def test_what_is_no_key_is_refused_and_not_shown(
    text: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People would be hashed by half a key, or the error would put the rest of it into a log."""
    path = tmp_path / "key"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    if place == "environment":
        monkeypatch.setenv(KEY_VARIABLE, text)
    with pytest.raises(LedgerError) as caught:
        Key.load(path, create=True)
    assert (KEY_VARIABLE if place == "environment" else str(path)) in str(caught.value)
    assert "64 hexadecimal digits" in str(caught.value)
    assert len(text) < 10 or text not in str(caught.value)
    assert path.read_text(encoding="utf-8") == text, "it was overwritten"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_key_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    """Whoever has an account on the machine could look people up."""
    path = tmp_path / "key"
    path.write_text(GOOD)
    path.chmod(mode)
    with pytest.raises(LedgerError, match=f"chmod 600 {path}"):
        Key.load(path)


def test_a_key_that_is_not_there_is_made_for_writers_alone(tmp_path: Path) -> None:
    """A question would make a key by which nobody was ever hashed, and find nobody."""
    with pytest.raises(LedgerError, match="There is no key at"):
        Key.load(tmp_path / "key")
    assert not (tmp_path / "key").exists()
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match="cannot be"):
        Key.load(tmp_path / "file" / "key", create=True)


def test_no_representation_shows_the_key() -> None:
    """It would stand in a log, and everybody who reads that could find people in the ledger."""
    key = Key(bytes.fromhex(GOOD))
    assert GOOD[:8] not in repr(key) + str(key) + key.id
    with pytest.raises(LedgerError) as caught:
        Key(b"secret")
    assert "secret" not in str(caught.value)
