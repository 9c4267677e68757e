"""A scope lives in its own block and nowhere else (R5)."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    Purpose,
    PurposeError,
    Sealed,
    active_purposes,
    purpose_scope,
)
from purposebind import scope as scope_module
from purposebind.errors import Reason
from purposebind.frames import open_frames
from purposebind.scope import current_frame, taken_handovers

P = Purpose("life_p", "P")
Q = Purpose("life_q", "Q")
R = Purpose("life_r", "R")
IN_P = frozenset({P})
NOTHING: frozenset[Purpose] = frozenset()
BOX = Sealed.of("secret", AllowedFor(P, Q, R))


@pytest.fixture(autouse=True)
def _outside() -> Generator[None, None, None]:
    scope_module._frame.set(scope_module.OUTSIDE)  # whatever a failing test left behind
    before = set(open_frames())
    yield
    gc.collect()
    assert active_purposes() == NOTHING
    assert set(open_frames()) <= before


def refused(reason: Reason | None = None) -> bool:
    """Whether a read is refused here for want of a purpose, and nothing is active."""
    with pytest.raises(NoActivePurpose) as caught:
        BOX.open()
    assert active_purposes() == NOTHING
    assert taken_handovers() == ()
    assert reason is None or caught.value.reason is reason
    return True


def reads(*purposes: Purpose) -> bool:
    assert active_purposes() == set(purposes)
    return BOX.open() == "secret"


class TestTasks:
    def test_create_task_inside_and_within(self) -> None:
        """Work handed to a task inside the block would be refused while the block is open."""

        async def main() -> None:
            async def child() -> bool:
                await asyncio.sleep(0)
                return reads(P)

            with purpose_scope(P):
                assert await asyncio.create_task(child())
                assert all(await asyncio.gather(child(), child()))
                reads(P)

        asyncio.run(main())

    def test_a_task_that_outlives_the_block(self) -> None:
        """A background task started by a login would go on reading for two-factor after the login is over."""

        async def main() -> None:
            left, started = asyncio.Event(), asyncio.Event()

            async def child() -> None:
                reads(P)
                started.set()
                await left.wait()
                refused(Reason.SCOPE_CLOSED)
                with purpose_scope(Q):
                    reads(Q)  # it stands on nothing: the block it came from is over
                refused(Reason.SCOPE_CLOSED)

            with purpose_scope(P):
                task = asyncio.create_task(child())
                await started.wait()
                reads(P)
            refused(Reason.NO_SCOPE)
            left.set()
            await task

        asyncio.run(main())

    def test_a_task_that_starts_after_the_block(self) -> None:
        """A task scheduled at the end of the block, and run after it, would read in it."""

        async def main() -> None:
            async def child() -> bool:
                return refused(Reason.SCOPE_CLOSED)

            with purpose_scope(P):
                task = asyncio.create_task(child())
            assert await task

        asyncio.run(main())

    def test_a_task_that_outlives_the_inner_of_two_blocks(self) -> None:
        """A task would fall back to the purposes of a block that it was not made for."""

        async def main() -> None:
            left, started = asyncio.Event(), asyncio.Event()

            async def child() -> None:
                started.set()
                await left.wait()
                refused(Reason.SCOPE_CLOSED)
                with purpose_scope(R):
                    reads(P, R)  # the outer block is still open: what is entered here stands on it
                refused(Reason.SCOPE_CLOSED)

            with purpose_scope(P):
                with purpose_scope(Q):
                    task = asyncio.create_task(child())
                    await started.wait()
                left.set()
                await task
                reads(P)

        asyncio.run(main())

    def test_a_tasks_own_scope_outlives_the_block_around_it(self) -> None:
        """A task's own block would end because somebody else's did, or be widened by its end."""

        async def main() -> None:
            left, started = asyncio.Event(), asyncio.Event()

            async def child() -> None:
                with purpose_scope(Q):
                    started.set()
                    await left.wait()
                    reads(P, Q)  # fixed on entry
                refused(Reason.SCOPE_CLOSED)

            with purpose_scope(P):
                task = asyncio.create_task(child())
                await started.wait()
            left.set()
            await task

        asyncio.run(main())

    def test_a_tasks_scope_is_not_its_parents(self) -> None:
        """What a task enters would show in the code that started it."""

        async def main() -> None:
            entered, checked = asyncio.Event(), asyncio.Event()

            async def child() -> None:
                with purpose_scope(Q):
                    entered.set()
                    await checked.wait()

            with purpose_scope(P):
                task = asyncio.create_task(child())
                await entered.wait()
                reads(P)
                checked.set()
                await task
                reads(P)

        asyncio.run(main())

    def test_task_group(self) -> None:
        """Structured concurrency would lose the scope, or keep it."""
        if not hasattr(asyncio, "TaskGroup"):
            pytest.skip("TaskGroup is new in Python 3.11")

        async def main() -> None:
            async def child() -> None:
                reads(P)
                await asyncio.sleep(0)
                reads(P)

            async with asyncio.TaskGroup() as group:
                with purpose_scope(P):
                    inside = asyncio.Event()

                    async def outlives() -> None:
                        await inside.wait()
                        refused(Reason.SCOPE_CLOSED)

                    group.create_task(outlives())
                    async with asyncio.TaskGroup() as inner:
                        inner.create_task(child())
                        inner.create_task(child())
                inside.set()
            refused()

        asyncio.run(main())

    def test_to_thread(self) -> None:
        """to_thread keeps the context: the thread would be refused inside the block, or read after it."""

        async def main() -> None:
            with purpose_scope(P):
                assert await asyncio.to_thread(reads, P)
                left, started = threading.Event(), threading.Event()

                def outlives() -> bool:
                    reads(P)
                    started.set()
                    assert left.wait(10)
                    return refused(Reason.SCOPE_CLOSED)

                task = asyncio.create_task(asyncio.to_thread(outlives))
                assert await asyncio.get_running_loop().run_in_executor(None, started.wait, 10)
            left.set()
            assert await task

        asyncio.run(main())

    @pytest.mark.parametrize("how", ["call_soon", "call_later", "call_soon_threadsafe", "add_done_callback"])
    def test_callbacks(self, how: str) -> None:
        """A callback registered in the block would read after it."""

        async def main() -> None:
            loop = asyncio.get_running_loop()

            def schedule(call: Callable[[], None]) -> None:
                if how == "call_later":
                    loop.call_later(0, call)
                elif how == "add_done_callback":
                    future = loop.create_future()
                    future.add_done_callback(lambda _: call())
                    future.set_result(None)
                else:
                    getattr(loop, how)(call)

            inside: asyncio.Future[bool] = loop.create_future()
            after: asyncio.Future[bool] = loop.create_future()

            def report(future: asyncio.Future[bool], check: Callable[[], bool]) -> None:
                try:
                    future.set_result(check())
                except BaseException as error:
                    future.set_exception(error)

            with purpose_scope(P):
                schedule(partial(report, inside, partial(reads, P)))
                assert await inside
                schedule(partial(report, after, partial(refused, Reason.SCOPE_CLOSED)))
            assert await after

        asyncio.run(main())

    def test_anyio(self) -> None:
        """anyio's task groups and threads would lose the scope, or keep it."""
        anyio = pytest.importorskip("anyio")
        to_thread = pytest.importorskip("anyio.to_thread")

        async def main() -> None:
            async with anyio.create_task_group() as group:
                left = anyio.Event()

                async def outlives() -> None:
                    await left.wait()
                    refused(Reason.SCOPE_CLOSED)

                async def child() -> None:
                    reads(P)

                with purpose_scope(P):
                    group.start_soon(outlives)
                    async with anyio.create_task_group() as inner:
                        inner.start_soon(child)
                    assert await to_thread.run_sync(reads, P)
                    async with purpose_scope(Q):
                        reads(P, Q)
                left.set()
            refused()

        anyio.run(main)


class TestThreads:
    def test_new_threads_start_with_none(self) -> None:
        """Work handed to a pool would run for the purposes of whoever happened to start it."""
        results: list[bool] = []
        with purpose_scope(P):
            thread = threading.Thread(target=lambda: results.append(refused(Reason.OTHER_THREAD)))
            thread.start()
            thread.join(10)
            timer = threading.Timer(0, lambda: results.append(refused(Reason.OTHER_THREAD)))
            timer.start()
            timer.join(10)
            with ThreadPoolExecutor(1) as executor:
                results.append(executor.submit(refused, Reason.OTHER_THREAD).result(10))
                results.extend(executor.map(lambda _: refused(Reason.OTHER_THREAD), [0]))
        assert results == [True] * 4

    def test_run_in_executor(self) -> None:
        """As above, from asynchronous code."""

        async def main() -> None:
            with purpose_scope(P):
                assert await asyncio.get_running_loop().run_in_executor(None, refused, Reason.OTHER_THREAD)
                reads(P)

        asyncio.run(main())

    def test_a_pools_thread_keeps_nothing(self) -> None:
        """The second job on a worker thread would run for the first one's purposes."""
        with ThreadPoolExecutor(1) as executor:
            assert executor.submit(purpose_scope(P)(reads), P).result(10)
            assert executor.submit(refused, Reason.NO_SCOPE).result(10)

    def test_threads_do_not_see_each_other(self) -> None:
        """Two requests on two threads would run for each other's purposes."""
        barrier = threading.Barrier(2)

        def request(purpose: Purpose) -> bool:
            with purpose_scope(purpose):
                barrier.wait(10)
                found = reads(purpose)
                barrier.wait(10)
            return found and refused()

        with ThreadPoolExecutor(2) as executor:
            for future in [executor.submit(request, P), executor.submit(request, Q)]:
                assert future.result(20)


class TestCopiedContexts:
    def test_run_within_and_after(self) -> None:
        """A saved context would be a key to the scope for ever."""
        with purpose_scope(P):
            context = contextvars.copy_context()
            assert context.run(reads, P)
        assert context.run(refused, Reason.SCOPE_CLOSED)
        with purpose_scope(Q):
            assert context.run(refused, Reason.SCOPE_CLOSED)
            reads(Q)

    def test_what_is_entered_in_a_copy_stays_there(self) -> None:
        """A scope entered in a copied context would be in force outside it."""
        context = contextvars.copy_context()
        scope = purpose_scope(P)
        context.run(scope.__enter__)
        refused(Reason.NO_SCOPE)
        assert context.run(reads, P)
        context.run(scope.__exit__, None, None, None)
        assert context.run(refused, Reason.NO_SCOPE)

    def test_the_inner_frame_of_a_copy_falls_back_to_no_dead_one(self) -> None:
        """Leaving a block in a copy would bring back the one around it, which is over."""
        inner = purpose_scope(Q)
        with purpose_scope(P):
            context = contextvars.copy_context()
            context.run(inner.__enter__)
        assert context.run(reads, P, Q)
        context.run(inner.__exit__, None, None, None)
        assert context.run(refused, Reason.SCOPE_CLOSED)

    def test_a_callback_that_arms_itself_again_does_not_grow(self) -> None:
        """A timer that re-arms itself inside its block would hold one more frame at each tick, until memory is gone."""
        lengths = []

        async def main() -> None:
            loop = asyncio.get_running_loop()
            done = loop.create_future()

            def tick(left: int) -> None:
                with purpose_scope(P):
                    length, node = 0, current_frame()
                    while node is not None:
                        length, node = length + 1, node.parent
                    lengths.append(length)
                    if left:
                        loop.call_soon(tick, left - 1)
                    else:
                        done.set_result(None)

            tick(200)
            await done

        asyncio.run(main())
        assert len(lengths) == 201
        assert max(lengths) < 10


class TestOutOfOrder:
    def test_the_outer_left_first(self) -> None:
        """Two blocks closed in the wrong order would bring one of them back to life."""
        one, two = purpose_scope(P), purpose_scope(Q)
        one.__enter__()
        two.__enter__()
        one.__exit__(None, None, None)
        reads(P, Q)  # fixed on entry
        two.__exit__(None, None, None)
        assert refused(Reason.NO_SCOPE)

    def test_the_middle_of_three(self) -> None:
        """As above, with a block around both."""
        with purpose_scope(R):
            one, two = purpose_scope(P), purpose_scope(Q)
            one.__enter__()
            two.__enter__()
            one.__exit__(None, None, None)
            reads(P, Q, R)
            with purpose_scope(P):
                reads(P, Q, R)
            two.__exit__(None, None, None)
            reads(R)
        assert refused(Reason.NO_SCOPE)

    def test_the_same_object_twice(self) -> None:
        """The exits of a shared scope would take the wrong entry."""
        scope, other = purpose_scope(P), purpose_scope(Q)
        scope.__enter__()
        other.__enter__()
        scope.__enter__()
        other.__exit__(None, None, None)
        reads(P, Q)
        scope.__exit__(None, None, None)
        reads(P)
        scope.__exit__(None, None, None)
        assert refused(Reason.NO_SCOPE)

    def test_two_context_managers_driven_crosswise(self) -> None:
        """Two resources released in the order they were taken would revive the first one's scope."""

        @contextlib.contextmanager
        def within(purpose: Purpose) -> Iterator[None]:
            with purpose_scope(purpose):
                yield

        one, two = within(P), within(Q)
        one.__enter__()
        two.__enter__()
        one.__exit__(None, None, None)
        reads(P, Q)
        two.__exit__(None, None, None)
        assert refused(Reason.NO_SCOPE)

    def test_the_handover_stays_on_record(self) -> None:
        """Work that left its purpose by a handover would have no record of it once the block between is closed (R4)."""
        source, target = Purpose("life_ho_a", "A"), Purpose("life_ho_b", "B")
        handover = source.may_hand_over_to(target, reason="Because")
        with purpose_scope(source):
            one, two = purpose_scope(target), purpose_scope(Q)
            one.__enter__()
            two.__enter__()
            assert taken_handovers() == (handover,)
            one.__exit__(None, None, None)
            assert active_purposes() == {target, Q}
            assert taken_handovers() == (handover,)
            two.__exit__(None, None, None)
            assert active_purposes() == {source}


class TestExitedWrongly:
    def test_exited_twice(self) -> None:
        """A second exit would take away the block around it, or pass unnoticed."""
        scope = purpose_scope(P)
        with purpose_scope(Q):
            with scope:
                pass
            with pytest.raises(PurposeError, match="not open"):
                scope.__exit__(None, None, None)
            reads(Q)
        assert refused(Reason.NO_SCOPE)

    def test_exited_by_hand_inside_its_own_block(self) -> None:
        """Code would close its scope early and go on in it, or take the outer block along when its own ends."""
        scope = purpose_scope(P)
        with purpose_scope(Q):
            with pytest.raises(PurposeError, match="not open"), scope:
                scope.__exit__(None, None, None)
                reads(Q)
            reads(Q)
        assert refused(Reason.NO_SCOPE)

    def test_never_entered(self) -> None:
        """A misused exit would pass unnoticed."""
        with pytest.raises(PurposeError, match="not open"):
            purpose_scope(P).__exit__(None, None, None)
        with purpose_scope(P):
            with pytest.raises(PurposeError, match="not open"):
                purpose_scope(P).__exit__(None, None, None)
            reads(P)

    def test_an_error_in_flight_is_not_masked(self) -> None:
        """The error that matters would be hidden behind one about scopes."""
        error = ZeroDivisionError("the real one")
        scope = purpose_scope(P)
        with pytest.raises(ZeroDivisionError) as caught, scope:
            scope.__exit__(None, None, None)
            raise error
        assert caught.value is error
        assert caught.value.__context__ is None
        assert scope.__exit__(ZeroDivisionError, error, None) is None  # never swallowed either

    def test_closed_in_another_context(self) -> None:
        """A framework that runs the two halves of a block in two contexts would leave a scope open for ever."""
        scope = purpose_scope(P)
        opening = contextvars.copy_context()
        opening.run(scope.__enter__)
        assert opening.run(reads, P)
        with pytest.raises(PurposeError, match=r"(?s)purpose_scope\(life_p\).*another context"):
            contextvars.copy_context().run(scope.__exit__, None, None, None)
        assert opening.run(refused, Reason.SCOPE_CLOSED)

    def test_closed_in_a_context_that_holds_an_older_block_of_the_same_scope(self) -> None:
        """A scope shared at module level would stay open for ever, because the closing context once was in it too."""
        scope = purpose_scope(P)
        with scope:
            closing = contextvars.copy_context()
        opening = contextvars.copy_context()
        opening.run(scope.__enter__)
        try:
            with pytest.raises(PurposeError):
                closing.run(scope.__exit__, None, None, None)
            assert opening.run(refused, Reason.SCOPE_CLOSED)
        finally:
            opening.run(scope.__exit__, KeyError, KeyError(), None)

    def test_closed_in_another_thread(self) -> None:
        """As above, with a thread pool."""
        scope = purpose_scope(P)
        scope.__enter__()
        reads(P)
        with ThreadPoolExecutor(1) as executor, pytest.raises(PurposeError, match="another context"):
            executor.submit(scope.__exit__, None, None, None).result(10)
        assert refused(Reason.SCOPE_CLOSED)
        with pytest.raises(PurposeError, match="not open"):
            scope.__exit__(None, None, None)  # its own end is late, and says so
        assert refused(Reason.NO_SCOPE)  # but nothing of it is left here

    def test_closed_elsewhere_inside_an_open_block(self) -> None:
        """After the mishap the block around would be unusable, though it is still open."""
        with purpose_scope(Q):
            scope = purpose_scope(P)
            with pytest.raises(PurposeError, match="not open"), scope:
                with ThreadPoolExecutor(1) as executor, pytest.raises(PurposeError, match="another context"):
                    executor.submit(scope.__exit__, None, None, None).result(10)
                refused(Reason.SCOPE_CLOSED)
            reads(Q)

    def test_closed_in_another_task(self) -> None:
        """A stream's scope, opened in one task and closed in another, would stay open for the first."""

        async def stream() -> AsyncGenerator[int, None]:
            with purpose_scope(P).across_yields():
                yield 1

        async def main() -> None:
            first_done = asyncio.Event()
            made = stream()

            async def opens() -> None:
                await made.__anext__()
                reads(P)
                await first_done.wait()
                refused(Reason.SCOPE_CLOSED)

            task = asyncio.create_task(opens())
            await asyncio.sleep(0)
            with pytest.raises(PurposeError, match="another context"):
                await made.__anext__()
            first_done.set()
            await task
            refused()

        asyncio.run(main())

    def test_aclose_in_another_task_masks_nothing(self) -> None:
        """Closing a stream from another task would fail in the middle of the clean-up."""

        async def stream() -> AsyncGenerator[int, None]:
            with purpose_scope(P).across_yields():
                yield 1

        async def main() -> None:
            made = stream()
            checked = asyncio.Event()

            async def opens() -> None:
                await made.__anext__()
                await checked.wait()
                refused(Reason.SCOPE_CLOSED)

            task = asyncio.create_task(opens())
            await asyncio.sleep(0)
            await made.aclose()
            checked.set()
            await task

        asyncio.run(main())

    def test_a_mistaken_exit_of_a_shared_object_fails_closed(self) -> None:
        """Which of several blocks of one object was left cannot be known: one of them would outlive its end (R5)."""
        scope = purpose_scope(P)
        inside, mistaken = threading.Event(), threading.Event()

        def other() -> None:
            with pytest.raises(PurposeError, match="not open"), scope:
                inside.set()
                assert mistaken.wait(10)
                assert refused(Reason.SCOPE_CLOSED)

        with ThreadPoolExecutor(1) as executor:
            future = executor.submit(other)
            assert inside.wait(10)
            with pytest.raises(PurposeError, match="another context"):
                scope.__exit__(None, None, None)
            mistaken.set()
            future.result(10)


class TestBareWithInGenerators:
    """R5: a `with` in a generator's frame would leave the scope with its consumer at each yield."""

    def check(self, error: PurposeError, name: str) -> None:
        text = str(error)
        assert name in text
        assert __file__ in text
        assert "@contextmanager" in text
        assert "@purpose_scope(life_p)" in text
        assert "across_yields" in text
        assert active_purposes() == NOTHING

    def test_generator(self) -> None:
        """The consumer would run in the scope without having asked."""

        def leaky() -> Iterator[int]:
            with purpose_scope(P):
                yield 1

        with pytest.raises(PurposeError) as caught:
            next(leaky())
        self.check(caught.value, "leaky()")

    def test_async_generator(self) -> None:
        """As above, for both kinds of with."""

        async def leaky() -> AsyncIterator[int]:
            with purpose_scope(P):
                yield 1

        async def leaky_too() -> AsyncIterator[int]:
            async with purpose_scope(P):
                yield 1

        async def main() -> None:
            for function in (leaky, leaky_too):
                with pytest.raises(PurposeError) as caught:
                    await function().__anext__()
                self.check(caught.value, f"{function.__name__}()")

        asyncio.run(main())

    def test_exit_stack(self) -> None:
        """An ExitStack would be a way round."""

        def leaky() -> Iterator[int]:
            with contextlib.ExitStack() as stack:
                stack.enter_context(purpose_scope(P))
                yield 1

        async def leaky_too() -> AsyncIterator[int]:
            async with contextlib.AsyncExitStack() as stack:
                await stack.enter_async_context(purpose_scope(P))
                yield 1

        async def leaky_three() -> AsyncIterator[int]:
            async with contextlib.AsyncExitStack() as stack:
                stack.enter_context(purpose_scope(P))
                yield 1

        with pytest.raises(PurposeError) as caught:
            next(leaky())
        self.check(caught.value, "leaky()")

        async def main() -> None:
            for function in (leaky_too, leaky_three):
                with pytest.raises(PurposeError) as caught:
                    await function().__anext__()
                self.check(caught.value, f"{function.__name__}()")

        asyncio.run(main())

    def test_yield_from(self) -> None:
        """A generator delegated to would be a way round."""

        def leaky() -> Iterator[int]:
            with purpose_scope(P):
                yield 1

        def outer() -> Iterator[int]:
            yield from leaky()

        with pytest.raises(PurposeError) as caught:
            next(outer())
        self.check(caught.value, "leaky()")

    def test_generator_expression_and_list(self) -> None:
        """Consuming it at once does not make the with right."""

        def leaky() -> Iterator[int]:
            with purpose_scope(P):
                yield 1

        with pytest.raises(PurposeError):
            list(leaky())
        with pytest.raises(PurposeError):
            sum(n for n in leaky())

    def test_a_context_manager_used_in_a_bare_generator(self) -> None:
        """A helper made with @contextmanager would be a way round."""

        @contextlib.contextmanager
        def within() -> Iterator[None]:
            with purpose_scope(P):
                yield

        @contextlib.contextmanager
        def deeper() -> Iterator[None]:
            with within():
                yield

        def leaky(manager: Any) -> Iterator[int]:
            with manager():
                yield 1

        def stacked(manager: Any) -> Iterator[int]:
            with contextlib.ExitStack() as stack:
                stack.enter_context(manager())
                yield 1

        for manager in (within, deeper):
            for function in (leaky, stacked):
                with pytest.raises(PurposeError) as caught:
                    next(function(manager))
                assert f"{function.__name__}()" in str(caught.value)
                assert active_purposes() == NOTHING

    def test_an_async_context_manager_used_in_a_bare_async_generator(self) -> None:
        """As above, with @asynccontextmanager."""

        @contextlib.asynccontextmanager
        async def within() -> AsyncIterator[None]:
            async with purpose_scope(P):
                yield

        async def leaky() -> AsyncIterator[int]:
            async with within():
                yield 1

        async def stacked() -> AsyncIterator[int]:
            async with contextlib.AsyncExitStack() as stack:
                await stack.enter_async_context(within())
                yield 1

        async def main() -> None:
            for function in (leaky, stacked):
                with pytest.raises(PurposeError) as caught:
                    await function().__anext__()
                assert f"{function.__name__}()" in str(caught.value)
                assert active_purposes() == NOTHING

        asyncio.run(main())

    def test_in_a_decorated_generator_too(self) -> None:
        """The decorator would make an inner with look safe, and it leaks all the same."""

        @purpose_scope(Q)
        def leaky() -> Iterator[int]:
            with purpose_scope(P):
                yield 1

        with pytest.raises(PurposeError) as caught:
            next(leaky())
        self.check(caught.value, "leaky()")

    def test_a_function_called_by_a_generator_is_fine(self) -> None:
        """Generators could not call code that opens scopes."""

        def helper() -> frozenset[Purpose]:
            with purpose_scope(P):
                return active_purposes()

        def generator() -> Iterator[frozenset[Purpose]]:
            yield helper()
            yield active_purposes()

        assert list(generator()) == [IN_P, NOTHING]

    def test_coroutines_are_fine(self) -> None:
        """A coroutine suspends too, but its event loop keeps its context to itself."""

        async def main() -> None:
            with purpose_scope(P):
                await asyncio.sleep(0)
                reads(P)

        asyncio.run(main())


class TestAllowedInGenerators:
    def test_contextmanager(self) -> None:
        """A with under @contextmanager is how scopes are composed, and would be refused."""
        log = []

        @contextlib.contextmanager
        def within() -> Iterator[str]:
            with purpose_scope(P):
                log.append(active_purposes())
                try:
                    yield "value"
                finally:
                    log.append(active_purposes())

        @contextlib.contextmanager
        def deeper() -> Iterator[str]:
            with within() as value, purpose_scope(Q):
                yield value

        with within() as value:
            assert value == "value"
            reads(P)
        assert refused()
        with deeper():
            reads(P, Q)
        with contextlib.ExitStack() as stack:
            stack.enter_context(within())
            reads(P)
        with pytest.raises(ZeroDivisionError), within():
            raise ZeroDivisionError
        assert set(log) == {IN_P}

        @within()
        def function() -> bool:
            return reads(P)

        assert function()
        assert refused()

    def test_exit_stack_in_a_context_manager(self) -> None:
        """A context manager that collects its resources in an ExitStack would be refused."""

        @contextlib.contextmanager
        def within() -> Iterator[None]:
            with contextlib.ExitStack() as stack:
                stack.enter_context(purpose_scope(P))
                yield

        with within():
            reads(P)
        assert refused()

    def test_asynccontextmanager_and_stacks(self) -> None:
        """An application's lifespan, written with @asynccontextmanager, would be refused."""

        @contextlib.asynccontextmanager
        async def within() -> AsyncIterator[None]:
            async with purpose_scope(P):
                yield

        @contextlib.asynccontextmanager
        async def sync_within() -> AsyncIterator[None]:
            with purpose_scope(Q):
                async with within():
                    yield

        async def main() -> None:
            async with within():
                await asyncio.sleep(0)
                reads(P)
            async with sync_within():
                reads(P, Q)
            refused()
            async with contextlib.AsyncExitStack() as stack:
                await stack.enter_async_context(within())
                stack.enter_context(purpose_scope(R))
                await stack.enter_async_context(purpose_scope(Q))
                reads(P, Q, R)
            refused()

        asyncio.run(main())

    def test_exit_stack_in_a_function(self) -> None:
        """The usual way of opening a variable number of scopes would be refused."""
        with contextlib.ExitStack() as stack:
            for purpose in (P, Q):
                stack.enter_context(purpose_scope(purpose))
            reads(P, Q)
        assert refused()

    def test_across_yields(self) -> None:
        """A pytest fixture could not open a scope for its test."""

        def fixture() -> Iterator[None]:
            with purpose_scope(P).across_yields():
                yield

        made = fixture()
        next(made)
        reads(P)
        with pytest.raises(StopIteration):
            next(made)
        assert refused()

        async def async_fixture() -> AsyncIterator[None]:
            async with purpose_scope(P).across_yields():
                yield

        async def main() -> None:
            made = async_fixture()
            await made.__anext__()
            reads(P)
            with pytest.raises(StopAsyncIteration):
                await made.__anext__()
            refused()

        asyncio.run(main())

    def test_across_yields_collected(self) -> None:
        """A fixture that is dropped half-way would leave its scope to whoever comes next."""

        def fixture() -> Iterator[None]:
            with purpose_scope(P).across_yields():
                yield

        made = fixture()
        next(made)
        reads(P)
        del made
        gc.collect()
        assert refused(Reason.NO_SCOPE)


class TestShutdown:
    def test_generators_interleaved_and_closed_in_the_wrong_order(self) -> None:
        """Two decorated generators closed first to last would bring the first one's scope back."""

        @purpose_scope(P)
        def one() -> Iterator[int]:
            yield 1
            yield 2

        @purpose_scope(Q)
        def two() -> Iterator[int]:
            yield 1
            yield 2

        first, second = one(), two()
        next(first)
        next(second)
        first.close()
        assert refused(Reason.NO_SCOPE)
        next(second)
        second.close()
        assert refused(Reason.NO_SCOPE)

    def test_a_task_made_in_a_generators_step(self) -> None:
        """A task started between two yields would run in the generator's scope after the step is over."""

        async def main() -> None:
            async def child() -> bool:
                return refused(Reason.SCOPE_CLOSED)

            @purpose_scope(P)
            def steps() -> Iterator[asyncio.Task[bool]]:
                yield asyncio.create_task(child())

            for task in steps():
                assert await task

        asyncio.run(main())

    def test_a_task_made_in_a_decorated_coroutine(self) -> None:
        """As above, for a coroutine."""

        async def main() -> None:
            async def child() -> bool:
                return refused(Reason.SCOPE_CLOSED)

            @purpose_scope(P)
            async def work() -> asyncio.Task[bool]:
                return asyncio.create_task(child())

            assert await (await work())

        asyncio.run(main())

    def test_a_read_remembered_in_the_block_is_forgotten_after_it(self) -> None:
        """A grant cached in the block would be good for the tasks that outlive it."""
        with purpose_scope(P):
            context = contextvars.copy_context()
            assert BOX.open() == BOX.open() == "secret"
            assert context.run(BOX.open) == "secret"
        with purpose_scope(P):
            assert BOX.open() == "secret"  # the same set of purposes is in force elsewhere
            assert context.run(refused, Reason.SCOPE_CLOSED)
