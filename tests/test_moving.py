"""Sealed values move to another process encrypted, and arrive sealed."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap
import threading
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from cryptography.fernet import Fernet, InvalidToken

from purposebind import AllowedFor, NoActivePurpose, Purpose, PurposeModel, Sealed, SubjectId, configure, purpose_scope
from purposebind.moving import pack, unpack

LETTERS = Purpose("moving_letters", "Write letters")
VISITS = Purpose("moving_visits", "Come by")
KEY = Fernet(Fernet.generate_key())


class Home(PurposeModel):
    street: Annotated[str, AllowedFor(LETTERS, VISITS)]


class Person(PurposeModel):
    id: Annotated[int, SubjectId]
    name: str
    phone: Annotated[str | None, AllowedFor(VISITS)] = None
    pets: Annotated[list[str], AllowedFor(VISITS)]
    home: Home


@dataclass
class Letter:
    to: Person
    text: Sealed[str]


def person() -> Person:
    return Person(id=7, name="Ada", phone="+46701234567", pets=["Kit"], home=Home(street="1 Main Street"))


def moved(value: Any) -> Any:
    return unpack(pack(value, KEY.encrypt), KEY.decrypt)


def test_a_model_arrives_as_it_was_and_nothing_was_read() -> None:
    """A queue would be a road out of the model's purposes, or an end to its type."""
    reads: list[Any] = []
    with configure(on_read=reads.append, on_violation=reads.append):
        came = moved({"people": [person()]})["people"][0]
    assert reads == []
    assert type(came) is Person
    with pytest.raises(NoActivePurpose):
        _ = came.phone
    with purpose_scope(VISITS):
        assert came == person()
        assert (came.phone, came.pets, came.home.street) == ("+46701234567", ["Kit"], "1 Main Street")


def test_whose_data_it_is_comes_along() -> None:
    """What a worker reads would be counted as nobody's."""
    people: list[Any] = []
    came = moved(person())
    with configure(on_read=lambda read: people.append(read.subject)), purpose_scope(VISITS):
        assert came.phone
        assert came.home.street
    assert people == [7, 7]


def test_boxes_move_in_whatever_holds_them() -> None:
    """A box in a dataclass would be refused, and be opened to get it through."""
    box = Sealed.of("Dear Ada", AllowedFor(LETTERS))
    came = moved(Letter(person(), box))
    assert came.text.policy is box.policy
    with purpose_scope(LETTERS):
        assert came.text.open() == "Dear Ada"


def test_plaintext_is_seen_by_the_function_that_encrypts_and_nobody_else() -> None:
    """R1: what is handed to encrypt= is the one road out, and a search for `pack` finds it."""
    seen: list[bytes] = []

    def encrypt(data: bytes) -> bytes:
        seen.append(data)
        return KEY.encrypt(data)

    data = pack(person(), encrypt)
    assert b"+46701234567" in seen[0]
    assert b"+46701234567" not in data
    with pytest.raises(NoActivePurpose):
        pickle.dumps(person())


def test_another_key_opens_nothing() -> None:
    """Whoever can write to the queue could have a worker run code."""
    other = Fernet(Fernet.generate_key())
    data = pack(person(), KEY.encrypt)
    with pytest.raises(InvalidToken):
        unpack(data, other.decrypt)
    with pytest.raises(InvalidToken):
        unpack(data[:-4] + b"AAAA", KEY.decrypt)


def test_what_cannot_be_moved_is_named_without_a_value() -> None:
    """R7: the error of pickle shows what it could not pickle, and its traceback the model."""
    home = Home.model_construct(street=threading.Lock())
    with pytest.raises(TypeError, match="A Home cannot be moved: pickling it failed with") as caught:
        pack(home, KEY.encrypt)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_it_is_as_narrow_as_both_ends_say(tmp_path: Any) -> None:
    """R8: an old worker would open what the newer sender has narrowed, or the other way round."""
    key = Fernet.generate_key()
    model = """
        from typing import Annotated
        from cryptography.fernet import Fernet
        from purposebind import AllowedFor, Purpose, PurposeModel, PurposeViolation, purpose_scope
        from purposebind.moving import pack, unpack
        A, B, C = (Purpose(name, name) for name in "abc")
        class Record(PurposeModel):
            __module__ = "__main__"
            value: Annotated[str, AllowedFor(%s)]
        key = Fernet(%r)
    """
    sends = textwrap.dedent(model % ("A, B", key)) + (
        "import sys; sys.stdout.buffer.write(pack(Record(value='secret'), key.encrypt))"
    )
    receives = textwrap.dedent(model % ("B, C", key)) + textwrap.dedent(
        """
        import sys
        record = unpack(sys.stdin.buffer.read(), key.decrypt)
        for purpose in (A, B, C):
            with purpose_scope(purpose):
                try:
                    print(purpose, record.value)
                except PurposeViolation:
                    print(purpose, "refused")
        """
    )
    sent = subprocess.run([sys.executable, "-c", sends], capture_output=True, check=True).stdout
    came = subprocess.run([sys.executable, "-c", receives], input=sent, capture_output=True, check=True).stdout
    assert came.decode().split("\n") == ["a refused", "b secret", "c refused", ""]
