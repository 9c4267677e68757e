"""What type checkers see of scopes: a decorated callable keeps its type. Checked by mypy and pyright, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

from typing_extensions import ParamSpec, assert_type

from purposebind import Purpose, carry, purpose_scope, requires_purpose

P = ParamSpec("P")
R = TypeVar("R")

SECURITY = Purpose("security", "Keep accounts safe")
TWO_FACTOR = SECURITY.child("two_factor", "Send a login code")


# --- purpose_scope ---------------------------------------------------------------------------------------------------


@purpose_scope(SECURITY)
def function(number: int, *, text: str = "") -> bytes:
    return text.encode() * number


@purpose_scope(SECURITY, TWO_FACTOR)
async def coroutine(number: int) -> str:
    return str(number)


@purpose_scope(SECURITY)
def generator(number: int) -> Iterator[str]:
    yield str(number)


@purpose_scope(SECURITY)
async def async_generator(number: int) -> AsyncIterator[str]:
    yield str(number)


class Service:
    @purpose_scope(SECURITY)
    def method(self, number: int) -> str:
        return str(number)

    @purpose_scope(SECURITY)
    async def async_method(self, number: int) -> str:
        return str(number)

    @classmethod
    @purpose_scope(SECURITY)
    def class_method(cls, number: int) -> str:
        return str(number)

    @purpose_scope(SECURITY)
    @classmethod
    def class_method_outside(cls, number: int) -> str:
        return str(number)

    @staticmethod
    @purpose_scope(SECURITY)
    def static_method(number: int) -> str:
        return str(number)

    @purpose_scope(SECURITY)
    @staticmethod
    def static_method_outside(number: int) -> str:
        return str(number)

    @property
    @purpose_scope(SECURITY)
    def prop(self) -> str:
        return ""


def decorated_callables_keep_their_type(service: Service) -> None:
    assert_type(function(1, text=""), bytes)
    assert_type(generator(1), Iterator[str])
    assert_type(async_generator(1), AsyncIterator[str])
    assert_type(service.method(1), str)
    assert_type(Service.class_method(1), str)
    assert_type(Service.class_method_outside(1), str)
    assert_type(Service.static_method(1), str)
    assert_type(Service.static_method_outside(1), str)
    assert_type(service.prop, str)
    assert_type(purpose_scope(SECURITY)(service.method)(1), str)
    assert_type(purpose_scope(SECURITY)(partial(function, 1)), partial[bytes])


async def decorated_coroutines_keep_their_type(service: Service) -> None:
    assert_type(await coroutine(1), str)
    assert_type(await service.async_method(1), str)
    async for item in async_generator(1):
        assert_type(item, str)


def decorators_can_be_stacked(wrapped: Callable[P, R]) -> Callable[P, R]:
    return purpose_scope(SECURITY)(requires_purpose(SECURITY)(wrapped))


async def blocks() -> None:
    with purpose_scope(SECURITY):
        pass
    async with purpose_scope(SECURITY, TWO_FACTOR):
        pass


# A scope swallows no exception: the code after its block is reached only through it.
def a_block_that_returns() -> int:
    with purpose_scope(SECURITY):
        return 1


# --- requires_purpose ------------------------------------------------------------------------------------------------


@requires_purpose(SECURITY)
def rows(number: int, *, text: str = "") -> list[tuple[int, str]]:
    return [(number, text)]


@requires_purpose(SECURITY)
async def async_rows(number: int) -> list[str]:
    return [str(number)]


@requires_purpose(SECURITY)
def row_by_row(number: int) -> Iterator[str]:
    yield str(number)


@requires_purpose(SECURITY)
async def async_row_by_row(number: int) -> AsyncIterator[str]:
    yield str(number)


class Store:
    @requires_purpose(SECURITY)
    def method(self, number: int) -> str:
        return str(number)

    @property
    @requires_purpose(SECURITY)
    def prop(self) -> str:
        return ""


async def guarded_callables_keep_their_type(store: Store) -> None:
    assert_type(rows(1, text=""), list[tuple[int, str]])
    assert_type(await async_rows(1), list[str])
    assert_type(row_by_row(1), Iterator[str])
    assert_type(async_row_by_row(1), AsyncIterator[str])
    assert_type(store.method(1), str)
    assert_type(store.prop, str)


# --- carry -----------------------------------------------------------------------------------------------------------


def carried_callables_keep_their_type(executor: Executor) -> None:
    assert_type(carry(function)(1, text=""), bytes)
    assert_type(carry(generator)(1), Iterator[str])
    assert_type(executor.submit(carry(function), 1, text="").result(), bytes)


async def carried_coroutines_keep_their_type() -> None:
    assert_type(await carry(coroutine)(1), str)


def carry_keeps_a_parameter_list(wrapped: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    return carry(wrapped)


# --- Mistakes --------------------------------------------------------------------------------------------------------


def mistakes(executor: Executor) -> None:
    purpose_scope("security")  # type: ignore[arg-type]
    requires_purpose("security")  # type: ignore[arg-type]
    purpose_scope(SECURITY)(1)  # type: ignore[type-var]
    carry(1)  # type: ignore[type-var]
    function("1")  # type: ignore[arg-type]
    function(1, other=2)  # type: ignore[call-arg]
    rows()  # type: ignore[call-arg]
    carry(function)("1")  # type: ignore[arg-type]
    executor.submit(carry(function), "1")  # type: ignore[arg-type]
