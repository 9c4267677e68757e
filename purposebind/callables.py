"""Wrapping each kind of callable so that something is entered around every step of it.

A function runs in one step; a coroutine function in one step that may be suspended; a generator runs a step for each
value, and must not stay entered while it is suspended at a yield (R5). classmethods, staticmethods, properties and
the like are taken apart and put together again. Signature, name and doc are kept.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager
from types import AsyncGeneratorType, CodeType, CoroutineType, GeneratorType
from typing import Any, NamedTuple, TypeAlias, TypeVar

from .sites import outside_frame

__all__ = ["Step", "wrap"]

Step: TypeAlias = "Callable[[CodeType], AbstractContextManager[object]]"
_F = TypeVar("_F")


def wrap(function: _F, step: Step, closing: Step | None = None) -> _F:
    """Return `function` with ``step(code)`` entered around each of its steps.

    Args:
        function: A function, coroutine function, generator, async generator, method, classmethod, staticmethod,
            property, cached property, partial, or object with ``__call__``. A coroutine or generator that a plain
            function returns is run in steps too.
        step: Called at each step with the code object that stands for the function; its result is entered and left.
        closing: The same for the step in which a generator is closed; `step` without it.

    Raises:
        TypeError: `function` is a class, a coroutine or generator already running, or cannot be called.
    """
    return _wrap(function, _Steps(step, closing or step))  # type: ignore[no-any-return]


class _Steps(NamedTuple):
    run: Step
    close: Step


def _wrap(function: Any, steps: _Steps) -> Any:
    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(_wrap(function.__func__, steps))
    if isinstance(function, property):
        parts = (function.fget, function.fset, function.fdel)
        wrapped = [part and _wrap(part, steps) for part in parts]
        return type(function)(wrapped[0], wrapped[1], wrapped[2], function.__doc__)
    if isinstance(function, functools.cached_property):
        return type(function)(_wrap(function.func, steps))
    if isinstance(function, functools.partialmethod):
        return functools.partialmethod(_wrap(function.func, steps), *function.args, **function.keywords)
    if isinstance(function, type):
        raise TypeError(f"{function.__name__} is a class; decorate the methods that read, not the class.")
    if isinstance(function, (CoroutineType, GeneratorType, AsyncGeneratorType)):
        raise TypeError(f"{function!r} has been called already; decorate the function, not what calling it returned.")
    if not callable(function):
        raise TypeError(f"A {type(function).__name__} cannot be called, so it cannot be run in a scope.")
    return _wrap_callable(function, steps)


def _wrap_callable(function: Callable[..., Any], steps: _Steps) -> Callable[..., Any]:
    inner = _body(function)
    code = _code_of(inner)

    if inspect.isasyncgenfunction(inner):

        @functools.wraps(function)
        async def async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            source = function(*args, **kwargs)
            advance = _unobserved(source)
            given, thrown = None, None
            items: list[Any] = []
            while True:
                try:
                    with steps.run(code):
                        items.append(await (advance(given) if thrown is None else source.athrow(thrown)))
                except StopAsyncIteration:
                    return
                given, thrown, advance = None, None, source.asend
                try:
                    given = yield items.pop()  # not by name: what was yielded is the consumer's to keep or drop
                except GeneratorExit:
                    with steps.close(code):
                        await source.aclose()
                    raise
                except BaseException as error:
                    thrown = error

        return async_generator

    awaited = bool(code.co_flags & inspect.CO_ITERABLE_COROUTINE)  # one of types.coroutine's
    if inspect.isgeneratorfunction(inner) and not awaited:

        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            source = function(*args, **kwargs)
            given, thrown = None, None
            items: list[Any] = []
            while True:
                try:
                    with steps.run(code):
                        items.append(source.send(given) if thrown is None else source.throw(thrown))
                except StopIteration as stop:
                    return stop.value
                given, thrown = None, None
                try:
                    given = yield items.pop()
                except GeneratorExit:
                    with steps.close(code):
                        result: Any = source.close()  # a value, from Python 3.13 on
                    if result is not None:
                        return result
                    raise
                except BaseException as error:
                    thrown = error

        return generator

    if awaited or inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with steps.run(code):
                return await function(*args, **kwargs)

        return coroutine

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        with steps.run(code):
            result = function(*args, **kwargs)
        return _in_steps(result, steps, code) if type(result) in _UNSTARTED else result

    return plain


_UNSTARTED = frozenset((CoroutineType, GeneratorType, AsyncGeneratorType))


def _in_steps(started: Any, steps: _Steps, code: CodeType) -> Any:
    """What a plain function returned and will run later: its body is to run in the steps, not outside of them."""
    if isinstance(started, CoroutineType):

        async def coroutine() -> Any:
            with steps.run(code):
                return await started

        return coroutine()
    if isinstance(started, GeneratorType):

        def generator() -> Generator[Any, Any, Any]:
            return (yield from started)

        return _wrap_callable(generator, steps)()

    async def async_generator() -> AsyncGenerator[Any, Any]:
        async for item in started:
            yield item

    return _wrap_callable(async_generator, steps)()


def _code_of(inner: Any) -> CodeType:
    """The code object that stands for a function; for one that has none, where it was decorated."""
    code = getattr(inspect.unwrap(inner), "__code__", None)
    if code is None:
        frame = outside_frame(sys._getframe())
        code = frame.f_code if frame is not None else _code_of.__code__
    return code


def _unobserved(source: AsyncGenerator[Any, Any]) -> Callable[[Any], Awaitable[Any]]:
    """Return the first ``asend`` of `source`, hidden from the event loop.

    The loop notes each async generator at its first step and closes it at shutdown. It is to close the wrapper alone,
    which closes the source inside a step.
    """

    def advance(given: Any) -> Awaitable[Any]:
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(None, None)
        try:
            return source.asend(given)
        finally:
            sys.set_asyncgen_hooks(*hooks)

    return advance


def _body(function: Any) -> Any:
    """Return what will run when `function` is called: under partials, bound methods, and an object's ``__call__``."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif inspect.ismethod(function):
            function = function.__func__
        elif inspect.isroutine(function):
            return function
        else:
            called = inspect.getattr_static(type(function), "__call__", None)
            return getattr(called, "__func__", called) if inspect.isroutine(called) else function
