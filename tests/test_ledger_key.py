"""The key that people are hashed by: which one is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from purposebind.ledger import Key, Ledger, LedgerError
from purposebind.ledger.key import KEY_VARIABLE

NAMED, BESIDE, IN_ENVIRONMENT = (bytes([number]) * 32 for number in (1, 2, 3))


def written(path: Path, secret: bytes) -> Path:
    path.write_text(secret.hex(), encoding="ascii")
    path.chmod(0o600)
    return path


def used(ledger: Ledger) -> str:
    with ledger:
        return ledger.recorder()._key.id


def test_the_file_that_is_named_is_the_one_that_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An investigator who names last year's key would look people up by this year's, and find nobody."""
    named = written(tmp_path / "named", NAMED)
    written(tmp_path / "ledger.key", BESIDE)
    monkeypatch.setenv(KEY_VARIABLE, IN_ENVIRONMENT.hex())
    assert used(Ledger(tmp_path / "ledger", key=named)) == Key(NAMED).id
    assert used(Ledger(tmp_path / "ledger", key=Key(BESIDE))) == Key(BESIDE).id
    assert used(Ledger(tmp_path / "ledger")) == Key(IN_ENVIRONMENT).id
    monkeypatch.delenv(KEY_VARIABLE)
    assert used(Ledger(tmp_path / "ledger")) == Key(BESIDE).id


def test_a_file_that_is_named_and_missing_is_not_replaced_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped path would be answered with another key's people."""
    monkeypatch.setenv(KEY_VARIABLE, IN_ENVIRONMENT.hex())
    (tmp_path / "ledger").mkdir()
    with pytest.raises(LedgerError, match="no key at"):
        Ledger(tmp_path / "ledger", key=tmp_path / "missing").subject(7)
