"""`carry` takes the scope along, for as long as its block is open and not longer (R5)."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    Purpose,
    PurposeViolation,
    Sealed,
    active_purposes,
    carry,
    purpose_scope,
)
from purposebind import entering as entering_module
from purposebind import scope as scope_module
from purposebind.errors import Reason
from purposebind.scope import taken_handovers

P = Purpose("carry_p", "P")
PP = P.child("p", "P.P")
Q = Purpose("carry_q", "Q")
R = Purpose("carry_r", "R")
IN_P = frozenset({P})
NOTHING: frozenset[Purpose] = frozenset()
BOX = Sealed.of("secret", AllowedFor(P))


@pytest.fixture(autouse=True)
def _outside() -> Generator[None, None, None]:
    scope_module._frame.set(scope_module.OUTSIDE)  # whatever a failing test left behind
    yield
    assert active_purposes() == NOTHING


def in_thread(function: Callable[..., Any], *args: Any) -> Any:
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(function, *args).result(20)


def closed() -> Reason:
    assert active_purposes() == NOTHING
    with pytest.raises(NoActivePurpose) as caught:
        BOX.open()
    return caught.value.reason


class TestCarrying:
    def test_to_threads(self) -> None:
        """A thread pool could not be used from inside a scope."""
        with purpose_scope(P):
            assert in_thread(active_purposes) == NOTHING
            assert in_thread(carry(active_purposes)) == IN_P
            assert in_thread(carry(BOX.open)) == "secret"
            seen: list[frozenset[Purpose]] = []
            thread = threading.Thread(target=carry(lambda: seen.append(active_purposes())))
            thread.start()
            thread.join(10)
            timer = threading.Timer(0, carry(lambda: seen.append(active_purposes())))
            timer.start()
            timer.join(10)
            assert seen == [IN_P, IN_P]
            with ThreadPoolExecutor(2) as executor:
                assert list(executor.map(carry(lambda n: (n, active_purposes())), [1, 2])) == [(1, IN_P), (2, IN_P)]

    def test_to_an_executor_of_a_loop(self) -> None:
        """run_in_executor would lose the scope even where it is meant to go along."""

        async def main() -> None:
            with purpose_scope(P):
                assert await asyncio.get_running_loop().run_in_executor(None, carry(active_purposes)) == IN_P

        asyncio.run(main())

    def test_the_thread_keeps_nothing(self) -> None:
        """The next job on the worker would run in the carried scope."""
        with ThreadPoolExecutor(1) as executor, purpose_scope(P):
            assert executor.submit(carry(active_purposes)).result(10) == IN_P
            assert executor.submit(active_purposes).result(10) == NOTHING

            def fails() -> None:
                raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                executor.submit(carry(fails)).result(10)
            assert executor.submit(active_purposes).result(10) == NOTHING

    def test_the_innermost_scope_is_carried(self) -> None:
        """Only the outer of two purposes would go along: the thread could read more than the block (R2)."""
        with purpose_scope(P), purpose_scope(Q):
            assert in_thread(carry(active_purposes)) == {P, Q}
            with pytest.raises(PurposeViolation):
                in_thread(carry(BOX.open))

    def test_what_is_current_when_carry_is_called_counts(self) -> None:
        """A function carried early would pick up scopes opened later."""
        with purpose_scope(P):
            carried = carry(active_purposes)
            with purpose_scope(Q):
                assert in_thread(carried) == IN_P

    def test_looks(self) -> None:
        """A framework would not see what a carried function takes, or of which kind it is."""

        def function(a: int, *, b: str = "x") -> int:
            """Doc."""
            return a

        async def coroutine() -> None: ...

        with purpose_scope(P):
            assert inspect.signature(carry(function)) == inspect.signature(function)
            assert (carry(function).__name__, carry(function).__doc__) == ("function", "Doc.")
            assert carry(function)(3) == 3
            assert inspect.iscoroutinefunction(carry(coroutine))
            assert carry(functools.partial(function, 4))() == 4

    def test_with_no_scope_nothing_changes(self) -> None:
        """Library code that always carries would fail, or shut its callers' scopes out, when there is none to carry."""

        def function() -> frozenset[Purpose]:
            return active_purposes()

        carried = carry(function)
        assert carried() == NOTHING
        assert in_thread(carried) == NOTHING
        with purpose_scope(P):
            assert carried() == IN_P

    def test_a_string_or_class_is_refused(self) -> None:
        """The mistake would show in another thread, where nobody looks."""
        with purpose_scope(P):
            with pytest.raises(TypeError):
                carry("function")  # type: ignore[type-var]
            with pytest.raises(TypeError):
                carry(dict)  # type: ignore[arg-type]


class TestKinds:
    def test_coroutine(self) -> None:
        """An async function handed to another loop would lose its scope."""

        async def work() -> list[frozenset[Purpose]]:
            seen = [active_purposes()]
            await asyncio.sleep(0)
            return [*seen, active_purposes()]

        with purpose_scope(P):
            carried = carry(work)
            assert in_thread(lambda: asyncio.run(carried())) == [IN_P, IN_P]
        assert asyncio.run(carried()) == [NOTHING, NOTHING]

    def test_generator(self) -> None:
        """A carried generator would leak to its consumer, or lose its scope after the first step."""

        def steps() -> Generator[frozenset[Purpose], None, None]:
            while True:
                yield active_purposes()

        with purpose_scope(P):
            made = carry(steps)()

            def consume() -> list[frozenset[Purpose]]:
                return [next(made), active_purposes(), next(made), active_purposes()]

            assert in_thread(consume) == [IN_P, NOTHING, IN_P, NOTHING]
        assert next(made) == NOTHING  # the block is closed
        made.close()

    def test_async_generator(self) -> None:
        """As above, for an async generator."""

        async def steps() -> AsyncGenerator[frozenset[Purpose], None]:
            while True:
                await asyncio.sleep(0)
                yield active_purposes()

        async def main() -> None:
            with purpose_scope(P):
                made = carry(steps)()
                task = asyncio.create_task(consume(made))
                assert await task == [IN_P, IN_P]
                assert await made.__anext__() == IN_P
            assert await made.__anext__() == NOTHING
            await made.aclose()

        async def consume(made: AsyncGenerator[frozenset[Purpose], None]) -> list[frozenset[Purpose]]:
            return [await made.__anext__(), await made.__anext__()]

        asyncio.run(main())

    def test_methods(self) -> None:
        """A bound method or callable object could not be carried."""

        class Service:
            def method(self) -> Any:
                return self, active_purposes()

            def __call__(self) -> Any:
                return active_purposes()

        service = Service()
        with purpose_scope(P):
            assert in_thread(carry(service.method)) == (service, IN_P)
            assert in_thread(carry(service)) == IN_P


class TestDeath:
    def test_called_after_the_block(self) -> None:
        """A function put into a queue in the block would read for its purpose for ever."""
        with purpose_scope(P):
            carried = carry(closed)
        assert carried() is Reason.SCOPE_CLOSED
        assert in_thread(carried) is Reason.SCOPE_CLOSED
        with purpose_scope(P):
            assert carried() is Reason.SCOPE_CLOSED  # another block, although for the same purpose

    def test_the_block_closes_while_it_runs(self) -> None:
        """A long job would read for the block's purpose after the block is over."""
        inside, left = threading.Event(), threading.Event()

        def job() -> tuple[Any, ...]:
            before = active_purposes(), BOX.open()
            inside.set()
            assert left.wait(10)
            return (*before, closed(), active_purposes())

        with ThreadPoolExecutor(1) as executor:
            with purpose_scope(P):
                future = executor.submit(carry(job))
                assert inside.wait(10)
                assert BOX.open() == "secret"
            left.set()
            assert future.result(10) == (IN_P, "secret", Reason.SCOPE_CLOSED, NOTHING)
            assert executor.submit(closed).result(10) is Reason.NO_SCOPE

    def test_several_run_while_the_block_closes(self) -> None:
        """Only some of the jobs of a closed block would stop reading."""
        count = 5
        barrier, left = threading.Barrier(count + 1), threading.Event()

        def job() -> Reason:
            assert active_purposes() == IN_P
            barrier.wait(10)
            assert left.wait(10)
            return closed()

        with ThreadPoolExecutor(count) as executor:
            with purpose_scope(P):
                futures = [executor.submit(carry(job)) for _ in range(count)]
                barrier.wait(10)
            left.set()
            assert [f.result(10) for f in futures] == [Reason.SCOPE_CLOSED] * count

    @pytest.mark.parametrize("earlier", [0, 1, 4])
    @pytest.mark.parametrize("kind", ["with", "decorator"])
    def test_whenever_a_job_starts_or_ends_while_the_block_closes(self, kind: str, earlier: int) -> None:
        """A job that starts, or ends, at the very moment the block is left would go on reading, or save another job.

        At each line that leaving the block runs, one more job starts in another thread and stays, and one ends.
        """
        jobs: list[tuple[threading.Event, threading.Event, Any]] = []
        outcomes: list[frozenset[Purpose]] = []
        lines = 0

        def job(inside: threading.Event, go: threading.Event) -> frozenset[Purpose]:
            inside.set()
            assert go.wait(10)
            return active_purposes()

        def start(carried: Callable[..., Any]) -> None:
            inside, go = threading.Event(), threading.Event()
            jobs.append((inside, go, executor.submit(carried, inside, go)))
            assert inside.wait(10)

        def end(place: int) -> None:
            _, go, future = jobs.pop(place)
            go.set()
            future.result(10)  # in the block it may see either

        def on_line(frame: Any, event: str, arg: object) -> Any:
            nonlocal lines
            if frame.f_code.co_filename not in (scope_module.__file__, entering_module.__file__):
                return None
            if event == "line" and leaving and lines < 40:
                lines += 1
                start(carried)
                if len(jobs) > earlier + 1:
                    end(0)
            return on_line

        def body() -> None:
            nonlocal carried, leaving
            carried = carry(job)
            for _ in range(earlier):
                start(carried)
            leaving = True

        carried: Any = None
        leaving = False
        with ThreadPoolExecutor(60) as executor:
            tracing = sys.gettrace()
            sys.settrace(on_line)
            try:
                if kind == "with":
                    with purpose_scope(P):
                        body()
                else:
                    purpose_scope(P)(body)()
            finally:
                leaving = False
                sys.settrace(tracing)
            for _, go, future in jobs:
                go.set()
                outcomes.append(future.result(10))
        assert lines > 0
        assert outcomes == [NOTHING] * len(outcomes)
        assert len(outcomes) == earlier + 1

    def test_whenever_two_jobs_start_at_once(self) -> None:
        """Of two jobs that start at the same moment one would be forgotten, and go on reading after the block.

        At each line that starting one job runs, another one starts in another thread.
        """
        go, lines = threading.Event(), 0

        def job(inside: threading.Event) -> frozenset[Purpose]:
            inside.set()
            assert go.wait(10)
            return active_purposes()

        def start_one_more(frame: Any, event: str, arg: object) -> Any:
            nonlocal lines
            if frame.f_code.co_filename not in (scope_module.__file__, entering_module.__file__):
                return None
            if event == "line" and not go.is_set() and lines < 40:
                lines += 1
                inside = threading.Event()
                futures.append(executor.submit(carried, inside))
                assert inside.wait(10)
            return start_one_more

        def traced(inside: threading.Event) -> frozenset[Purpose]:
            tracing = sys.gettrace()
            sys.settrace(start_one_more)
            try:
                return carried(inside)
            finally:
                sys.settrace(tracing)

        futures: list[Future[frozenset[Purpose]]] = []
        with ThreadPoolExecutor(60) as executor:
            with purpose_scope(P):
                carried = carry(job)
                first_inside = threading.Event()
                first = executor.submit(traced, first_inside)
                assert first_inside.wait(20)
            go.set()
            outcomes = [future.result(10) for future in [first, *futures]]
        assert len(outcomes) > 2
        assert outcomes == [NOTHING] * len(outcomes)

    def test_a_scope_of_its_own_inside(self) -> None:
        """What the job enters by itself would end, or widen, when the block it came from closes."""
        inside, left = threading.Event(), threading.Event()

        def job() -> list[frozenset[Purpose]]:
            seen = []
            with purpose_scope(Q):
                seen.append(active_purposes())
                inside.set()
                assert left.wait(10)
                seen.append(active_purposes())
            seen.append(active_purposes())
            with purpose_scope(R):
                seen.append(active_purposes())
            return seen

        with ThreadPoolExecutor(1) as executor:
            with purpose_scope(P):
                future = executor.submit(carry(job))
                assert inside.wait(10)
            left.set()
            assert future.result(10) == [{P, Q}, {P, Q}, NOTHING, {R}]

    def test_carried_out_of_a_dead_scope(self) -> None:
        """Code that outlived its block would revive it by carrying."""
        with purpose_scope(P):
            context = contextvars.copy_context()
        carried = context.run(carry, closed)
        assert carried() is Reason.SCOPE_CLOSED
        assert in_thread(carried) is Reason.SCOPE_CLOSED

    def test_the_outer_block_closing_first(self) -> None:
        """Leaving out of order would end, or widen, what was carried out of the inner block."""
        outer, inner = purpose_scope(P), purpose_scope(Q)
        outer.__enter__()
        inner.__enter__()
        carried = carry(active_purposes)
        outer.__exit__(None, None, None)
        assert in_thread(carried) == {P, Q}
        inner.__exit__(None, None, None)
        assert in_thread(carried) == NOTHING

    def test_the_block_closed_in_another_context(self) -> None:
        """What was carried out of a block that a framework closed elsewhere would go on reading."""
        scope = purpose_scope(P)
        opening = contextvars.copy_context()
        opening.run(scope.__enter__)
        carried = opening.run(carry, active_purposes)
        assert in_thread(carried) == IN_P
        in_thread(scope.__exit__, KeyError, KeyError(), None)
        assert in_thread(carried) == NOTHING


class TestInsideAnotherScope:
    def test_it_runs_under_both(self) -> None:
        """A function carried out of a security scope would open it for the advertising code that calls it (R5)."""

        def call(carried: Callable[[], Any]) -> Any:
            with purpose_scope(Q):
                return carried()

        with purpose_scope(P):
            assert in_thread(call, carry(active_purposes)) == {P, Q}
            with pytest.raises(PurposeViolation) as caught:
                in_thread(call, carry(BOX.open))
            assert set(caught.value.active) == {P, Q}
            with purpose_scope(Q):
                assert carry(active_purposes)() == {P, Q}

    def test_nothing_is_refined_or_handed_over(self) -> None:
        """Being called from a broader or handed-over scope would shed one of the two purposes (R5)."""
        source, target = Purpose("carry_ho_a", "A"), Purpose("carry_ho_b", "B")
        source.may_hand_over_to(target, reason="Because")

        def call(carried: Callable[[], Any], purpose: Purpose) -> Any:
            with purpose_scope(purpose):
                return carried()

        with purpose_scope(P):
            assert in_thread(call, carry(active_purposes), PP) == {P, PP}
        with purpose_scope(PP):
            assert in_thread(call, carry(active_purposes), P) == {P, PP}
        with purpose_scope(source):
            assert in_thread(call, carry(active_purposes), target) == {source, target}
        with purpose_scope(target):
            assert in_thread(call, carry(active_purposes), source) == {source, target}

    def test_called_in_its_own_block(self) -> None:
        """Carrying where it is not needed would change something."""
        with purpose_scope(P):
            assert carry(active_purposes)() == IN_P
            assert active_purposes() == IN_P

    def test_a_carried_function_inside_another(self) -> None:
        """Two carried functions, one in the other, would lose one of the two scopes."""
        with purpose_scope(P):
            inner = carry(active_purposes)

            def outer() -> Any:
                return active_purposes(), inner(), carry(active_purposes)(), active_purposes()

            def elsewhere() -> Any:
                with purpose_scope(Q):
                    carried = carry(outer)
                    return in_thread(carried)

            assert in_thread(elsewhere) == ({Q}, {P, Q}, {Q}, {Q})

    def test_carried_again_out_of_a_carried_call(self) -> None:
        """A chain of jobs would outlive the block that the first one came from."""
        handed: list[Callable[[], Any]] = []

        def first() -> Any:
            handed.append(carry(active_purposes))
            return in_thread(handed[0])

        with purpose_scope(P):
            assert in_thread(carry(first)) == IN_P
            assert in_thread(handed[0]) == NOTHING  # the call it was carried out of is over
        assert in_thread(handed[0]) == NOTHING

    def test_carried_twice(self) -> None:
        """Carrying what is carried already would count it twice or not at all."""
        with purpose_scope(P):
            once = carry(active_purposes)
            with purpose_scope(Q):
                twice = carry(once)
                assert in_thread(twice) == {P, Q}
            assert in_thread(twice) == IN_P or in_thread(twice) == NOTHING
            assert in_thread(once) == IN_P

    def test_the_callers_block_closes_while_it_runs(self) -> None:
        """Work would go on under half of its purposes."""

        async def main() -> None:
            inside, left = asyncio.Event(), asyncio.Event()

            async def job() -> tuple[frozenset[Purpose], frozenset[Purpose]]:
                before = active_purposes()
                inside.set()
                await left.wait()
                return before, active_purposes()

            with purpose_scope(P):
                carried = carry(job)
                token = contextvars.copy_context()
                with purpose_scope(Q):
                    task = asyncio.ensure_future(carried())
                    await inside.wait()
                left.set()
                assert await task == ({P, Q}, {P, Q})
                assert token.run(active_purposes) == IN_P

        asyncio.run(main())


def test_the_handover_goes_along() -> None:
    """A job would run for what a handover led to, and nobody could see by whose leave (R4)."""
    source, target = Purpose("carry_rec_a", "A"), Purpose("carry_rec_b", "B")
    handover = source.may_hand_over_to(target, reason="Because")
    with purpose_scope(source), purpose_scope(target):
        assert in_thread(carry(lambda: (active_purposes(), taken_handovers()))) == ({target}, (handover,))


def test_where_the_scope_was_entered_goes_along() -> None:
    """The error in the worker thread would not say where its scope comes from."""
    other = Sealed.of("other", AllowedFor(R))
    with purpose_scope(P):
        line = sys._getframe().f_lineno - 1
        with pytest.raises(PurposeViolation) as caught:
            in_thread(carry(other.open))
    assert [(p, s.file, s.line) for p, s in caught.value.sites] == [(P, __file__, line)]
