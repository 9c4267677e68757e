"""Passwords are kept as salted hashes."""

import hashlib
import secrets

ROUNDS = 10_000


def hashed(password: str, salt: str | None = None) -> str:
    salt = salt or secrets.token_hex(8)
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), ROUNDS)
    return f"{salt}${digest.hex()}"


def matches(password: str, stored: str) -> bool:
    return secrets.compare_digest(hashed(password, stored.partition("$")[0]), stored)
