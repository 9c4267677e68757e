"""What type checkers see of `Sealed`. Checked by mypy and pyright, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypedDict

from typing_extensions import assert_type

from purposebind import AllowedFor, Purpose, Sealed

SECURITY = Purpose("security", "Keep accounts safe")


@dataclass
class Login:
    code: Annotated[Sealed[str], AllowedFor(SECURITY)]


class Row(TypedDict):
    code: Annotated[Sealed[str], AllowedFor(SECURITY)]


def repeat(text: str, times: int) -> bytes:
    return (text * times).encode()


def boxes_know_what_they_hold(text: Sealed[str], number: Sealed[int], login: Login, row: Row) -> None:
    assert_type(text.open(), str)
    assert_type(number.open(), int)
    assert_type(login.code.open(), str)
    assert_type(row["code"].open(), str)


def derived_boxes_hold_what_was_derived(text: Sealed[str], number: Sealed[int]) -> None:
    assert_type(text.map(len), Sealed[int])
    assert_type(text.map(str.encode).map(len), Sealed[int])
    assert_type(Sealed.join(repeat, text, number), Sealed[bytes])


def mistakes(text: Sealed[str], number: Sealed[int]) -> None:
    text.open().bit_length()  # type: ignore[attr-defined]
    number.map(len)  # type: ignore[arg-type]
    Sealed.join(repeat, number, text)  # type: ignore[arg-type]
    number = text  # type: ignore[assignment]
