"""The key by which people are hashed: without it, nobody is found in a ledger.

A person is the BLAKE2s hash of the key and the text of their `SubjectId`, 128 bits wide. The same key gives the same
hash in every process, so that people can be counted across them; another key gives hashes that have nothing to do with
these.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from .errors import LedgerError

__all__ = ["KEY_VARIABLE", "Key", "subject_text"]

_logger = logging.getLogger("purposebind")

KEY_VARIABLE: Final = "PURPOSEBIND_LEDGER_KEY"
"""The environment variable that may hold the key, as 64 hexadecimal digits."""
_KEY_BYTES: Final = 32
_PERSON_BYTES: Final = 16


class Key:
    """A key.

    Args:
        secret: 32 bytes.

    Attributes:
        blank: Returns a new hash object, to be updated with a person's text.
        id: Names the key without telling it: 16 hexadecimal digits. Segments say by which key they were written.

    Raises:
        LedgerError: `secret` has another length.

    Example:
        >>> key = Key(bytes(32))
        >>> key.person(123) == key.person("123") != key.person(124)
        True
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != _KEY_BYTES:
            raise LedgerError(
                f"A ledger key has {_KEY_BYTES} bytes ({2 * _KEY_BYTES} hexadecimal digits), this one {len(secret)}"
            )
        # The key and then the text, in one block. BLAKE2's own keyed mode gives the key a block to itself, which takes
        # half as long again; it needs no more than this to be a keyed hash: nothing can be appended to what it hashed.
        blank = hashlib.blake2s(secret, digest_size=_PERSON_BYTES, person=b"pb pers")
        self.blank: Callable[[], Any] = blank.copy
        self._secret = secret
        self.id = hashlib.blake2b(key=secret, digest_size=8, person=b"pb key id").hexdigest()

    @classmethod
    def load(cls, path: Path, *, create: bool = False, environment: bool = True) -> Key:
        """Return the key in the environment variable `KEY_VARIABLE`, or else the one in the file `path`.

        Args:
            path: A file with 64 hexadecimal digits.
            create: Make the file, with mode 0600, and say so, where there is none.
            environment: Whether the variable is looked at: not where somebody named the file.

        Raises:
            LedgerError: There is no key, or it is not one; or others than its owner may read the file.
        """
        text = os.environ.get(KEY_VARIABLE) if environment else None
        if text is not None:
            return cls._parsed(text, f"the environment variable {KEY_VARIABLE}")
        try:
            return cls._read(path)
        except FileNotFoundError:
            if not create:
                raise LedgerError(
                    f"There is no key at {path}. Without it people can be counted and not looked up. Give the file's "
                    f"path, or the key itself in {KEY_VARIABLE}."
                ) from None
        return cls._made(path)

    @classmethod
    def _read(cls, path: Path) -> Key:
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise LedgerError(f"The ledger key cannot be read: {error.strerror}: {path}") from None
        if mode & 0o077:
            raise LedgerError(f"Others may read the ledger key {path}: chmod 600 {path}")
        return cls._parsed(text, str(path))

    @classmethod
    def _made(cls, path: Path) -> Key:
        secret = secrets.token_bytes(_KEY_BYTES)
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="ascii") as file:
                file.write(secret.hex() + "\n")
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(fresh, path)  # unlike a rename this never replaces the key that another process has just made
            finally:
                os.unlink(fresh)
        except FileExistsError:
            return cls._read(path)
        except OSError as error:
            raise LedgerError(f"The ledger key cannot be made: {error.strerror}: {path}") from None
        _logger.warning("made the ledger key %s: keep a copy, without it nobody can be looked up", path)
        return cls(secret)

    @classmethod
    def _parsed(cls, text: str, where: str) -> Key:
        try:
            secret = bytes.fromhex(text.strip())
        except ValueError:
            secret = b""
        if len(secret) != _KEY_BYTES:
            raise LedgerError(f"There is no ledger key in {where}: {2 * _KEY_BYTES} hexadecimal digits are wanted")
        return cls(secret)

    def person(self, subject: Any) -> bytes:
        """Return the 16 bytes that stand for the person whose `SubjectId` is `subject`."""
        hasher = self.blank()
        hasher.update(subject_text(subject).encode("utf-8", "surrogatepass"))
        digest: bytes = hasher.digest()
        return digest

    def sign(self, message: bytes) -> str:
        """Return a keyed hash of `message`, 64 hexadecimal digits, by which its author is known to hold the key."""
        return hashlib.blake2b(message, key=self._secret, digest_size=32, person=b"pb sign").hexdigest()

    def __repr__(self) -> str:
        return f"<Key {self.id}>"


def subject_text(subject: Any) -> str:
    """Return the text by which a subject is known, the same for subjects that are equal.

    Numbers that are equal have one text, whatever their type: 1 and 1.0. A string is its own text, so that what a
    person types on the command line finds them.

    Example:
        >>> subject_text(7), subject_text("7")
        ('7', '7')
    """
    if isinstance(subject, str):
        return str.__str__(subject)
    if isinstance(subject, (bytes, bytearray)):
        return repr(bytes(subject))  # not compared to a number, nor made a text: `python -bb` refuses both
    try:
        whole = int(subject)
        if whole == subject:
            return str(whole)
    except (TypeError, ValueError, ArithmeticError):
        pass
    return str(subject)
