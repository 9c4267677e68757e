"""`purpose_scope` as the decorator of every kind of callable: each runs in its scope, and looks as it did (R5)."""

from __future__ import annotations

import abc
import asyncio
import functools
import gc
import inspect
import sys
import types
import weakref
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest

from purposebind import NoActivePurpose, Purpose, active_purposes, purpose_scope
from purposebind import scope as scope_module

P = Purpose("call_p", "P")
Q = Purpose("call_q", "Q")
IN_P = frozenset({P})
NOTHING: frozenset[Purpose] = frozenset()
scope = purpose_scope(P)


def where(*args: Any, **kwargs: Any) -> frozenset[Purpose]:
    return active_purposes()


@pytest.fixture(autouse=True)
def _outside() -> Generator[None, None, None]:
    scope_module._frame.set(scope_module.OUTSIDE)  # whatever a failing test left behind
    yield
    assert active_purposes() == NOTHING


class TestFunctions:
    def test_arguments_result_and_scope(self) -> None:
        """A decorated function would get or return something else, or run outside its scope."""

        @scope
        def function(a: int, /, b: int, *rest: int, c: int = 3, **more: int) -> Any:
            return active_purposes(), a, b, rest, c, more

        assert function(1, 2, 9, c=4, d=5) == (IN_P, 1, 2, (9,), 4, {"d": 5})
        assert function(1, b=2) == (IN_P, 1, 2, (), 3, {})

    def test_exceptions_pass(self) -> None:
        """A failed call would leave its purpose to whoever comes next (R5)."""
        error = LookupError()

        @scope
        def function() -> None:
            raise error

        with pytest.raises(LookupError) as caught:
            function()
        assert caught.value is error

    def test_recursion(self) -> None:
        """The inner return would end the outer call's scope (R5)."""

        @scope
        def function(n: int) -> list[frozenset[Purpose]]:
            return [active_purposes(), *(function(n - 1) if n else []), active_purposes()]

        assert function(3) == [IN_P] * 8

    def test_inside_another_scope(self) -> None:
        """A decorated helper would shake off its caller's purpose (R4, the confused deputy)."""
        with purpose_scope(Q):
            assert scope(where)() == {P, Q}
            assert active_purposes() == {Q}

    def test_stacked(self) -> None:
        """Of two decorators only one would count (R4)."""
        assert scope(purpose_scope(Q)(where))() == {P, Q}

    def test_lambda_and_builtin(self) -> None:
        """A callback given as a lambda or a C function would be refused or run outside the scope."""
        assert scope(lambda: active_purposes())() == IN_P
        assert scope(len)([1, 2]) == 2
        assert scope(max)(1, 5, key=lambda n: len(active_purposes()) * n) == 5
        seen: list[frozenset[Purpose]] = []
        assert scope(sorted)([1], key=lambda n: seen.append(active_purposes()) or n) == [1]
        assert seen == [IN_P]

    def test_the_scope_is_not_changed_by_decorating(self) -> None:
        """A scope used as a decorator could not be used in a `with` any more."""
        mine = purpose_scope(P)
        decorated = mine(where)
        with mine:
            assert decorated() == IN_P
            assert active_purposes() == IN_P
        assert decorated() == IN_P


def plain(a: int, *, b: str = "x") -> int:
    """Plain."""
    return a


async def coroutine(a: int, *, b: str = "x") -> int:
    """Coroutine."""
    return a


def generator(a: int, *, b: str = "x") -> Generator[int, None, None]:
    """Generator."""
    yield a


async def async_generator(a: int, *, b: str = "x") -> AsyncGenerator[int, None]:
    """Async generator."""
    yield a


class TestLooks:
    KINDS = (
        inspect.isfunction,
        inspect.iscoroutinefunction,
        asyncio.iscoroutinefunction if sys.version_info < (3, 12) else inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
        callable,
    )

    @pytest.mark.parametrize("function", [plain, coroutine, generator, async_generator], ids=lambda f: f.__name__)
    def test_name_doc_signature_and_kind(self, function: Callable[..., Any]) -> None:
        """A web framework would not see the parameters, or call a coroutine as though it were a function."""
        wrapped = scope(function)
        assert wrapped is not function
        for name in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__"):
            assert getattr(wrapped, name) == getattr(function, name)
        assert inspect.signature(wrapped) == inspect.signature(function)
        assert inspect.unwrap(wrapped) is function
        assert inspect.getdoc(wrapped) == inspect.getdoc(function)
        assert inspect.getsourcelines(wrapped) == inspect.getsourcelines(function)
        for kind in self.KINDS:
            assert kind(wrapped) == kind(function)

    def test_attributes_are_kept(self) -> None:
        """A route or a task registered on the function would be lost."""

        def function() -> None: ...

        function.route = "/login"  # type: ignore[attr-defined]
        assert scope(function).route == "/login"  # type: ignore[attr-defined]

    def test_partial_and_object(self) -> None:
        """A web framework would not see what a partial or a callable object takes."""
        partial = functools.partial(plain, 1)
        assert inspect.signature(scope(partial)) == inspect.signature(partial)

        class Task:
            """A task."""

            def __call__(self, a: int, *, b: str = "x") -> Any:
                return active_purposes(), a, b

        task = Task()
        assert inspect.signature(scope(task)) == inspect.signature(task)
        assert scope(task).__doc__ == "A task."
        assert scope(task)(1, b="y") == (IN_P, 1, "y")

    def test_abstract_methods_stay_abstract(self) -> None:
        """A class could be instantiated without the method that it must have."""

        class Base(abc.ABC):
            @scope
            @abc.abstractmethod
            def method(self) -> None: ...

            @scope
            @property
            @abc.abstractmethod
            def prop(self) -> int: ...

            @scope
            @classmethod
            @abc.abstractmethod
            def made(cls) -> None: ...

        assert Base.__abstractmethods__ == {"method", "prop", "made"}


class TestCoroutines:
    def test_scope_before_between_and_after_awaits(self) -> None:
        """After the first await the coroutine would run for nothing, or its caller for its purpose (R5)."""
        seen = []

        @scope
        async def work() -> str:
            seen.append(active_purposes())
            await asyncio.sleep(0)
            seen.append(active_purposes())
            return "done"

        async def main() -> None:
            made = work()
            assert active_purposes() == NOTHING
            assert await made == "done"
            assert active_purposes() == NOTHING
            with pytest.raises(ZeroDivisionError):
                await scope(fail)()
            assert active_purposes() == NOTHING

        async def fail() -> None:
            await asyncio.sleep(0)
            raise ZeroDivisionError

        asyncio.run(main())
        assert seen == [IN_P, IN_P]

    def test_made_in_one_scope_and_awaited_in_another(self) -> None:
        """A coroutine made in a security scope would take it along to the advertising code that awaits it (R5)."""

        async def main() -> None:
            with purpose_scope(Q):
                made = scope(asyncwhere)()
            assert await made == IN_P
            made = scope(asyncwhere)()
            with purpose_scope(Q):
                assert await made == {P, Q}

        async def asyncwhere() -> frozenset[Purpose]:
            return active_purposes()

        asyncio.run(main())

    def test_other_tasks_do_not_run_in_it(self) -> None:
        """While one request awaits, every other request would run for its purpose (R5)."""

        async def main() -> None:
            inside, go = asyncio.Event(), asyncio.Event()

            @scope
            async def one() -> None:
                inside.set()
                await go.wait()
                assert active_purposes() == IN_P

            async def two() -> frozenset[Purpose]:
                await inside.wait()
                seen = active_purposes()
                go.set()
                return seen

            assert (await asyncio.gather(one(), two()))[1] == NOTHING

        asyncio.run(main())

    def test_cancelled(self) -> None:
        """A cancelled coroutine would run its clean-up outside its scope, or leave the scope behind (R5)."""
        seen = []

        async def main() -> None:
            inside = asyncio.Event()

            @scope
            async def work() -> None:
                inside.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    seen.append(active_purposes())

            async def caller() -> None:
                try:
                    await work()
                finally:
                    seen.append(active_purposes())

            task = asyncio.create_task(caller())
            await inside.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert seen == [IN_P, NOTHING]

    def test_never_awaited(self) -> None:
        """A coroutine that is made and closed would leave its scope open."""
        scope(coroutine)(1).close()
        assert active_purposes() == NOTHING

    def test_coroutine_of_types_coroutine(self) -> None:
        """A generator-based coroutine would lose the right to be awaited."""

        @scope
        @types.coroutine
        def old() -> Generator[Any, Any, frozenset[Purpose]]:
            yield from asyncio.sleep(0).__await__()
            return active_purposes()

        async def main() -> None:
            assert await old() == IN_P
            assert active_purposes() == NOTHING

        asyncio.run(main())


class TestGenerators:
    def test_each_step_in_scope_and_the_consumer_out_of_it(self) -> None:
        """Whoever consumes a generator would run in its scope at every yield (R5)."""
        inside, outside = [], []

        @scope
        def numbers() -> Generator[int, None, None]:
            for n in range(3):
                inside.append(active_purposes())
                yield n
            inside.append(active_purposes())

        for n in numbers():
            outside.append((n, active_purposes()))  # noqa: PERF401
        assert inside == [IN_P] * 4
        assert outside == [(0, NOTHING), (1, NOTHING), (2, NOTHING)]

    def test_it_runs_inside_whatever_drives_it(self) -> None:
        """A generator made in one scope would carry it into another (R5)."""

        @scope
        def steps() -> Generator[frozenset[Purpose], None, None]:
            while True:
                yield active_purposes()

        with purpose_scope(Q):
            made = steps()
            assert next(made) == {P, Q}
        assert next(made) == IN_P
        with purpose_scope(Q):
            assert next(made) == {P, Q}
            assert active_purposes() == {Q}
        made.close()

    def test_send_and_return(self) -> None:
        """What is sent in would be lost, or the result of `yield from`."""

        @scope
        def adder() -> Generator[int, int, str]:
            total = 0
            while total < 10:
                total += yield total
                assert active_purposes() == IN_P
            return f"total {total}"

        made = adder()
        assert next(made) == 0
        assert made.send(4) == 4
        assert active_purposes() == NOTHING
        with pytest.raises(StopIteration) as stop:
            made.send(6)
        assert stop.value.value == "total 10"

        def outer() -> Generator[int, int, str]:
            result = yield from adder()
            assert active_purposes() == NOTHING
            return result + "!"

        made = outer()
        next(made)
        with pytest.raises(StopIteration) as stop:
            made.send(11)
        assert stop.value.value == "total 11!"

    def test_yield_from_a_decorated_generator_inside_one(self) -> None:
        """Two scopes on two levels would end up in the wrong order after some yields (R5)."""

        @purpose_scope(Q)
        def inner() -> Generator[frozenset[Purpose], None, None]:
            yield active_purposes()
            yield active_purposes()

        @scope
        def outer() -> Generator[frozenset[Purpose], None, None]:
            yield active_purposes()
            yield from inner()
            yield active_purposes()

        seen = []
        for item in outer():
            seen.append((item, active_purposes()))  # noqa: PERF401
        assert seen == [(IN_P, NOTHING), ({P, Q}, NOTHING), ({P, Q}, NOTHING), (IN_P, NOTHING)]

    def test_falsy_values_are_sent_and_yielded(self) -> None:
        """A zero or None would be taken for "nothing"."""

        @scope
        def echo() -> Generator[Any, Any, Any]:
            got = yield None
            while True:
                got = yield got

        made = echo()
        assert next(made) is None
        for value in (0, "", None, False, ()):
            assert made.send(value) == value
        made.close()

    def test_throw(self) -> None:
        """An exception thrown in would come out unhandled, or be handled outside the scope."""
        caught = []

        @scope
        def handles() -> Generator[str, None, str]:
            try:
                yield "first"
            except KeyError as error:
                caught.append((error, active_purposes()))
            yield "second"
            return "end"

        made = handles()
        next(made)
        error = KeyError("thrown")
        assert made.throw(error) == "second"
        assert caught == [(error, IN_P)]
        assert active_purposes() == NOTHING
        with pytest.raises(ValueError, match="not handled") as raised:
            made.throw(ValueError("not handled"))
        assert raised.value.__context__ is None
        with pytest.raises(StopIteration):
            next(made)

    def test_throw_base_exceptions(self) -> None:
        """Ctrl-C inside a step would be swallowed or turned into something else."""
        made = scope(generator)(1)
        next(made)
        with pytest.raises(KeyboardInterrupt):
            made.throw(KeyboardInterrupt())

    def test_throw_before_the_first_step(self) -> None:
        """The generator would run although it was told not to."""
        ran = []

        @scope
        def never() -> Generator[None, None, None]:
            ran.append(1)
            yield

        made = never()
        with pytest.raises(KeyError):
            made.throw(KeyError())
        assert ran == []

    def test_exceptions_inside(self) -> None:
        """An exception in the third step would leave the scope to the consumer (R5)."""

        @scope
        def fails() -> Generator[int, None, None]:
            yield 1
            raise ZeroDivisionError

        made = fails()
        next(made)
        with pytest.raises(ZeroDivisionError):
            next(made)
        assert active_purposes() == NOTHING
        with pytest.raises(StopIteration):
            next(made)

    def test_stop_iteration_inside_is_a_runtime_error(self) -> None:
        """A StopIteration raised by mistake would silently end the generator (PEP 479)."""

        @scope
        def stops() -> Generator[int, None, None]:
            yield 1
            raise StopIteration

        made = stops()
        next(made)
        with pytest.raises(RuntimeError, match="StopIteration"):
            next(made)

    def test_close_runs_the_clean_up_in_scope(self) -> None:
        """A cursor's clean-up would be refused the data it needs, or its file stay open."""
        seen = []

        @scope
        def cleans() -> Generator[int, None, None]:
            try:
                yield 1
            finally:
                seen.append(active_purposes())

        made = cleans()
        next(made)
        made.close()
        assert seen == [IN_P]
        made.close()
        assert seen == [IN_P]
        with pytest.raises(StopIteration):
            next(made)
        cleans().close()  # never started: nothing to clean
        assert seen == [IN_P]

    def test_close_of_a_generator_that_will_not(self) -> None:
        """A generator that yields while it is closed would go on unnoticed."""

        @scope
        def stubborn() -> Generator[int, None, None]:
            try:
                yield 1
            except GeneratorExit:
                yield 2

        made = stubborn()
        next(made)
        with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
            made.close()
        assert active_purposes() == NOTHING

    def test_close_of_a_generator_that_raises(self) -> None:
        """An error in the clean-up would be lost."""

        @scope
        def fails() -> Generator[int, None, None]:
            try:
                yield 1
            finally:
                raise ZeroDivisionError

        made = fails()
        next(made)
        with pytest.raises(ZeroDivisionError):
            made.close()

    @pytest.mark.skipif(sys.version_info < (3, 13), reason="close() returns a value since Python 3.13")
    def test_close_returns_what_the_generator_returns(self) -> None:
        """On Python 3.13 the result of a generator that is closed early would be lost."""

        @scope
        def returns() -> Generator[int, None, str]:
            try:
                yield 1
            except GeneratorExit:
                return "closed early"
            return "end"

        made = returns()
        next(made)
        assert made.close() == "closed early"

    def test_collected(self) -> None:
        """A generator dropped half-way would not clean up, or clean up outside its scope, or leave the scope behind."""
        seen = []

        @scope
        def cleans() -> Generator[int, None, None]:
            try:
                yield 1
            finally:
                seen.append(active_purposes())

        made = cleans()
        next(made)
        gone = weakref.ref(made)
        del made
        gc.collect()
        assert gone() is None
        assert seen == [IN_P]
        with purpose_scope(Q):
            made = cleans()
            next(made)
            del made
            gc.collect()
            assert active_purposes() == {Q}
        assert seen == [IN_P, {P, Q}]

    def test_two_interleaved(self) -> None:
        """Two reports written side by side would end up in each other's purpose (R5)."""

        @scope
        def one() -> Generator[frozenset[Purpose], None, None]:
            yield active_purposes()
            yield active_purposes()

        @purpose_scope(Q)
        def two() -> Generator[frozenset[Purpose], None, None]:
            yield active_purposes()
            yield active_purposes()

        pairs = list(zip(one(), two(), strict=False))
        assert pairs == [(IN_P, {Q}), (IN_P, {Q})]

    def test_wrapped_iterables_are_driven_lazily(self) -> None:
        """A generator of a million rows would be read at once."""
        ran = []

        @scope
        def rows() -> Generator[int, None, None]:
            for n in range(3):
                ran.append(n)
                yield n

        made = rows()
        assert ran == []
        next(made)
        assert ran == [0]
        made.close()

    def test_what_was_yielded_is_let_go(self) -> None:
        """Each paused generator would keep the last row of personal data alive after its consumer dropped it."""

        class Row:
            pass

        @scope
        def rows() -> Generator[Row, None, None]:
            yield Row()
            yield Row()

        made = rows()
        row = weakref.ref(next(made))
        gc.collect()
        assert row() is None
        made.close()


class TestAsyncGenerators:
    def test_each_step_in_scope_and_the_consumer_out_of_it(self) -> None:
        """Whoever consumes an async generator would run in its scope at every yield (R5)."""
        inside, outside = [], []

        @scope
        async def numbers() -> AsyncGenerator[int, None]:
            for n in range(3):
                inside.append(active_purposes())
                await asyncio.sleep(0)
                inside.append(active_purposes())
                yield n

        async def main() -> None:
            async for n in numbers():
                outside.append((n, active_purposes()))  # noqa: PERF401
            assert active_purposes() == NOTHING

        asyncio.run(main())
        assert inside == [IN_P] * 6
        assert outside == [(0, NOTHING), (1, NOTHING), (2, NOTHING)]

    def test_asend_and_athrow(self) -> None:
        """What is sent or thrown in would be lost."""
        caught = []

        @scope
        async def echo() -> AsyncGenerator[Any, Any]:
            got: Any = "first"
            while True:
                try:
                    got = yield got
                    assert active_purposes() == IN_P
                except KeyError as error:
                    caught.append((error, active_purposes()))
                    got = "caught"

        async def main() -> None:
            made = echo()
            assert await made.__anext__() == "first"
            for value in (1, 0, None, ""):
                assert await made.asend(value) == value
                assert active_purposes() == NOTHING
            error = KeyError()
            assert await made.athrow(error) == "caught"
            assert caught == [(error, IN_P)]
            with pytest.raises(ZeroDivisionError):
                await made.athrow(ZeroDivisionError())
            with pytest.raises(StopAsyncIteration):
                await made.__anext__()
            assert active_purposes() == NOTHING

        asyncio.run(main())

    def test_aclose(self) -> None:
        """The clean-up would not be run, or outside the scope."""
        seen = []

        @scope
        async def cleans() -> AsyncGenerator[int, None]:
            try:
                yield 1
            finally:
                seen.append(active_purposes())
                await asyncio.sleep(0)
                seen.append(active_purposes())

        async def main() -> None:
            made = cleans()
            await made.__anext__()
            await made.aclose()
            assert active_purposes() == NOTHING
            await made.aclose()
            with pytest.raises(StopAsyncIteration):
                await made.__anext__()
            await cleans().aclose()

        asyncio.run(main())
        assert seen == [IN_P, IN_P]

    def test_aclose_from_another_task(self) -> None:
        """A stream closed by the server when its client went away would fail, or run for nothing (R5)."""
        seen = []

        @scope
        async def cleans() -> AsyncGenerator[int, None]:
            try:
                yield 1
            finally:
                seen.append(active_purposes())

        async def main() -> None:
            made = cleans()
            await asyncio.create_task(made.__anext__())  # type: ignore[arg-type]

            async def close() -> None:
                with purpose_scope(Q):
                    await made.aclose()
                    assert active_purposes() == {Q}

            await asyncio.create_task(close())
            assert active_purposes() == NOTHING

        asyncio.run(main())
        assert seen == [{P, Q}]

    def test_steps_from_different_tasks(self) -> None:
        """A stream read by a pool of workers would run for the first worker's purpose (R5)."""

        @scope
        async def steps() -> AsyncGenerator[frozenset[Purpose], None]:
            while True:
                yield active_purposes()

        async def main() -> None:
            made = steps()

            async def step(*purposes: Purpose) -> frozenset[Purpose]:
                if purposes:
                    with purpose_scope(*purposes):
                        return await made.__anext__()
                return await made.__anext__()

            assert await asyncio.create_task(step(Q)) == {P, Q}
            assert await asyncio.create_task(step()) == IN_P
            await made.aclose()

        asyncio.run(main())

    def test_abandoned_and_finalised_by_the_loop(self) -> None:
        """A stream whose consumer broke off would not clean up before the loop closes."""
        seen = []
        kept = []

        @scope
        async def cleans(keep: bool) -> AsyncGenerator[int, None]:
            try:
                yield 1
            finally:
                await asyncio.sleep(0)
                seen.append(active_purposes())

        async def main() -> None:
            errors: list[dict[str, Any]] = []
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
            async for _ in cleans(False):
                break
            gc.collect()
            for _ in range(5):
                await asyncio.sleep(0)
            assert seen == [IN_P]
            made = cleans(True)
            kept.append(made)  # left for the loop's shutdown
            await made.__anext__()
            assert errors == []

        asyncio.run(main())
        assert seen == [IN_P, IN_P]

    def test_exceptions_inside(self) -> None:
        """A failing stream would leave its scope to its consumer (R5)."""

        @scope
        async def fails() -> AsyncGenerator[int, None]:
            yield 1
            raise ZeroDivisionError

        async def main() -> None:
            with pytest.raises(ZeroDivisionError):
                async for _ in fails():
                    assert active_purposes() == NOTHING
            assert active_purposes() == NOTHING

        asyncio.run(main())

    def test_cancelled_in_the_middle_of_a_step(self) -> None:
        """A cancelled consumer would be left in the generator's scope (R5)."""
        seen = []

        async def main() -> None:
            inside = asyncio.Event()

            @scope
            async def waits() -> AsyncGenerator[int, None]:
                try:
                    inside.set()
                    await asyncio.Event().wait()
                    yield 1
                finally:
                    seen.append(active_purposes())

            async def consumer() -> None:
                try:
                    async for _ in waits():
                        pass
                finally:
                    seen.append(active_purposes())

            task = asyncio.create_task(consumer())
            await inside.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert seen == [IN_P, NOTHING]

    def test_what_was_yielded_is_let_go(self) -> None:
        """Each paused stream would keep the last row of personal data alive after its consumer dropped it."""

        class Row:
            pass

        @scope
        async def rows() -> AsyncGenerator[Row, None]:
            yield Row()
            yield Row()

        async def main() -> None:
            made = rows()
            row = weakref.ref(await made.__anext__())
            gc.collect()
            assert row() is None
            await made.aclose()

        asyncio.run(main())


class TestMethods:
    def test_every_kind_of_method(self) -> None:
        """A class would lose its scope, or its method its binding, depending on the order of two decorators."""

        class Service:
            @scope
            def method(self, n: int) -> Any:
                return self, n, active_purposes()

            @scope
            @classmethod
            def outer_class(cls, n: int) -> Any:
                return cls, n, active_purposes()

            @classmethod
            @scope
            def inner_class(cls, n: int) -> Any:
                return cls, n, active_purposes()

            @scope
            @staticmethod
            def outer_static(n: int) -> Any:
                return n, active_purposes()

            @staticmethod
            @scope
            def inner_static(n: int) -> Any:
                return n, active_purposes()

            @scope
            async def coroutine(self, n: int) -> Any:
                return self, n, active_purposes()

            @scope
            @classmethod
            async def class_coroutine(cls, n: int) -> Any:
                return cls, n, active_purposes()

            @scope
            def generator(self, n: int) -> Generator[Any, None, None]:
                yield self, n, active_purposes()

            @scope
            @staticmethod
            def static_generator(n: int) -> Generator[Any, None, None]:
                yield n, active_purposes()

            @scope
            async def async_generator(self, n: int) -> AsyncGenerator[Any, None]:
                yield self, n, active_purposes()

        class Special(Service):
            pass

        service = Special()
        assert service.method(1) == (service, 1, IN_P)
        assert Special.method(service, 1) == (service, 1, IN_P)
        for owner in (service, Special):
            assert owner.outer_class(1) == (Special, 1, IN_P)
            assert owner.inner_class(1) == (Special, 1, IN_P)
            assert owner.outer_static(1) == (1, IN_P)
            assert owner.inner_static(1) == (1, IN_P)
            assert list(owner.static_generator(1)) == [(1, IN_P)]
        assert list(service.generator(1)) == [(service, 1, IN_P)]

        async def main() -> None:
            assert await service.coroutine(1) == (service, 1, IN_P)
            assert await service.class_coroutine(1) == (Special, 1, IN_P)
            assert [item async for item in service.async_generator(1)] == [(service, 1, IN_P)]

        asyncio.run(main())
        assert isinstance(vars(Service)["outer_class"], classmethod)
        assert isinstance(vars(Service)["outer_static"], staticmethod)
        assert inspect.iscoroutinefunction(Service.class_coroutine)
        assert str(inspect.signature(service.outer_class)).startswith("(n")

    def test_bound_method(self) -> None:
        """A callback registered as a bound method would lose its object."""

        class Service:
            def method(self, n: int) -> Any:
                return self, n, active_purposes()

            async def coroutine(self) -> Any:
                return active_purposes()

            def generator(self) -> Generator[Any, None, None]:
                yield active_purposes()

            @classmethod
            def made(cls) -> Any:
                return cls, active_purposes()

        service = Service()
        assert scope(service.method)(3) == (service, 3, IN_P)
        assert scope(Service.made)() == (Service, IN_P)
        assert inspect.iscoroutinefunction(scope(service.coroutine))
        assert asyncio.run(scope(service.coroutine)()) == IN_P
        assert next(scope(service.generator)()) == IN_P

    def test_property(self) -> None:
        """Setting or deleting a property would run outside the scope that reading it has."""
        seen = []

        class Service:
            @property
            def value(self) -> frozenset[Purpose]:
                """The value."""
                return active_purposes()

            @value.setter
            def value(self, new: object) -> None:
                seen.append((new, active_purposes()))

            @value.deleter
            def value(self) -> None:
                seen.append(("gone", active_purposes()))

            value = scope(value)

            @scope
            @property
            def read_only(self) -> frozenset[Purpose]:
                """Only read."""
                return active_purposes()

            @property
            @scope
            def inner(self) -> frozenset[Purpose]:
                return active_purposes()

            @scope
            @property
            def extended(self) -> frozenset[Purpose]:
                return active_purposes()

            @extended.setter
            def extended(self, new: object) -> None:
                seen.append((new, active_purposes()))

        service = Service()
        assert service.value == service.read_only == service.inner == service.extended == IN_P
        service.value = 5
        del service.value
        assert seen == [(5, IN_P), ("gone", IN_P)]
        service.extended = 6
        assert seen[2:] == [(6, NOTHING)]  # a part added later was not decorated
        with pytest.raises(AttributeError):
            service.read_only = 1  # type: ignore[misc]
        assert Service.value.__doc__ == "The value."
        assert Service.read_only.__doc__ == "Only read."
        assert isinstance(Service.value, property)

    def test_cached_property(self) -> None:
        """A cached property would be computed outside the scope, or at every access."""
        calls = []

        class Service:
            @scope
            @functools.cached_property
            def value(self) -> frozenset[Purpose]:
                """The value."""
                calls.append(1)
                return active_purposes()

            @functools.cached_property
            @scope
            def inner(self) -> frozenset[Purpose]:
                return active_purposes()

        service = Service()
        assert service.value == service.value == IN_P
        assert service.inner == IN_P
        assert calls == [1]
        assert Service.value.__doc__ == "The value."
        assert vars(service)["value"] == IN_P

    def test_partialmethod(self) -> None:
        """A partial method would lose its object or its scope."""

        class Service:
            def method(self, n: int, *, k: int = 0) -> Any:
                return self, n, k, active_purposes()

            bound = scope(functools.partialmethod(method, 7, k=8))
            inner = functools.partialmethod(scope(method), 7)

        service = Service()
        assert service.bound() == (service, 7, 8, IN_P)
        assert service.bound(k=1) == (service, 7, 1, IN_P)
        assert service.inner(k=2) == (service, 7, 2, IN_P)


class TestPartialsAndObjects:
    @pytest.mark.parametrize("nested", [False, True])
    def test_partials_of_each_kind(self, nested: bool) -> None:
        """A partial of a coroutine would be called and never awaited in scope; of a generator, leak at each yield."""

        def partial(function: Callable[..., Any]) -> Any:
            made = functools.partial(function, 1)
            return functools.partial(made, b="y") if nested else made

        def function(a: int, *, b: str = "x") -> Any:
            return a, active_purposes()

        async def coroutine(a: int, *, b: str = "x") -> Any:
            await asyncio.sleep(0)
            return a, active_purposes()

        def generator(a: int, *, b: str = "x") -> Generator[Any, None, None]:
            yield a, active_purposes()

        async def async_generator(a: int, *, b: str = "x") -> AsyncGenerator[Any, None]:
            yield a, active_purposes()

        assert scope(partial(function))() == (1, IN_P)
        assert list(scope(partial(generator))()) == [(1, IN_P)]

        async def main() -> None:
            assert await scope(partial(coroutine))() == (1, IN_P)
            assert [x async for x in scope(partial(async_generator))()] == [(1, IN_P)]

        asyncio.run(main())
        assert inspect.iscoroutinefunction(scope(partial(coroutine)))
        assert inspect.isgeneratorfunction(scope(partial(generator)))
        assert inspect.isasyncgenfunction(scope(partial(async_generator)))

    def test_objects_with_call_of_each_kind(self) -> None:
        """A task object with an async `__call__` would run outside its scope."""

        class Sync:
            def __call__(self) -> Any:
                return active_purposes()

        class Async:
            async def __call__(self) -> Any:
                await asyncio.sleep(0)
                return active_purposes()

        class Gen:
            def __call__(self) -> Generator[Any, None, None]:
                yield active_purposes()

        class AsyncGen:
            async def __call__(self) -> AsyncGenerator[Any, None]:
                yield active_purposes()

        class Static:
            @staticmethod
            async def __call__() -> Any:
                return active_purposes()

        assert scope(Sync())() == IN_P
        assert list(scope(Gen())()) == [IN_P]

        async def main() -> None:
            assert await scope(Async())() == IN_P
            assert await scope(Static())() == IN_P
            assert [x async for x in scope(AsyncGen())()] == [IN_P]
            assert await scope(functools.partial(Async()))() == IN_P

        asyncio.run(main())
        for made, kind in ((Async(), inspect.iscoroutinefunction), (Gen(), inspect.isgeneratorfunction)):
            assert kind(scope(made))

    def test_lru_cache(self) -> None:
        """A cached function would lose its cache, or be computed outside the scope."""
        calls = []

        @scope
        @functools.lru_cache
        def cached(n: int) -> frozenset[Purpose]:
            """Cached."""
            calls.append(n)
            return active_purposes()

        assert cached(1) == cached(1) == IN_P
        assert calls == [1]
        assert (cached.__name__, cached.__doc__) == ("cached", "Cached.")
        assert cached.__wrapped__.cache_info().hits == 1  # type: ignore[attr-defined]

        @functools.lru_cache
        @scope
        def outside(n: int) -> frozenset[Purpose]:
            return active_purposes()

        assert outside(1) == outside(1) == IN_P
        assert outside.cache_info().hits == 1

    def test_singledispatch(self) -> None:
        """A dispatched function would not dispatch any more, or not take new types."""

        @scope
        @functools.singledispatch
        def show(value: object) -> Any:
            return "object", active_purposes()

        @show.register  # type: ignore[attr-defined]
        def _(value: int) -> Any:
            return "int", active_purposes()

        assert show("x") == ("object", IN_P)
        assert show(1) == ("int", IN_P)

    def test_decorators_of_others(self) -> None:
        """A decorator in between that keeps the name would hide that the function is a coroutine."""

        def logged(function: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(function)
            async def inner(*args: Any) -> Any:
                return await function(*args)

            return inner

        @scope
        @logged
        async def work() -> frozenset[Purpose]:
            return active_purposes()

        assert asyncio.run(work()) == IN_P


class TestRefused:
    def test_a_class(self) -> None:
        """Decorating a class would put a scope around its constructor only, and look as if it covered its methods."""
        with pytest.raises(TypeError, match="class"):
            scope(dict)  # type: ignore[arg-type]

    def test_what_is_running_already(self) -> None:
        """Decorating the result of a call would do nothing."""
        made = coroutine(1)
        with pytest.raises(TypeError, match="called already"):
            scope(made)  # type: ignore[type-var]
        made.close()
        with pytest.raises(TypeError, match="called already"):
            scope(generator(1))  # type: ignore[type-var]
        with pytest.raises(TypeError, match="called already"):
            scope(async_generator(1))  # type: ignore[type-var]

    @pytest.mark.parametrize("thing", [None, 5, "text"])
    def test_what_cannot_be_called(self, thing: object) -> None:
        """The mistake would show at the first call instead of at the definition."""
        with pytest.raises(TypeError):
            scope(thing)  # type: ignore[type-var]

    def test_a_purpose_is_no_scope(self) -> None:
        """`@TWO_FACTOR` would be a puzzle."""
        with pytest.raises(TypeError):
            P(where)  # type: ignore[operator]


def test_no_scope_reaches_a_plain_call_after_all_of_this() -> None:
    """Some decorated step above would have left its scope behind."""
    from purposebind import AllowedFor, Sealed

    with pytest.raises(NoActivePurpose):
        Sealed.of(1, AllowedFor(P)).open()
