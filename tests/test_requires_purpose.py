"""`requires_purpose`: callable where a field with the same tag could be read, and nowhere else (R2, R3, R4)."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import pytest

from purposebind import (
    NoActivePurpose,
    PolicyError,
    Purpose,
    PurposeViolation,
    active_purposes,
    configure,
    purpose_scope,
    requires_purpose,
)
from purposebind.errors import Reason

P = Purpose("req_p", "P")
PP = P.child("child", "P.child")
PN = P.child("never", "P.never")
Q = Purpose("req_q", "Q")
needs = requires_purpose(P)


@needs
def rows(n: int = 1, *, k: str = "x") -> list[Any]:
    """The rows."""
    return [n, k, active_purposes()]


class TestDecision:
    def test_covered(self) -> None:
        """A data-access function could not be called for its own purpose, or not for a narrower one (R2)."""
        with purpose_scope(P):
            assert rows(2, k="y") == [2, "y", {P}]  # it enters no scope
        with purpose_scope(PP):
            assert rows() == [1, "x", {PP}]

    def test_not_covered(self) -> None:
        """Rows would be handed to advertising because they carry no tags (R2)."""
        with purpose_scope(Q), pytest.raises(PurposeViolation) as caught:
            rows()
        assert caught.value.field == "rows()"
        assert caught.value.reason is Reason.NOT_ALLOWED
        assert caught.value.active == caught.value.culprits == (Q,)
        assert caught.value.allowed == (P,)
        with purpose_scope(P, Q), pytest.raises(PurposeViolation):
            rows()

    def test_an_ancestor_does_not_do(self) -> None:
        """A function for two-factor would be open to all of security (R2)."""
        narrow = requires_purpose(PP)(lambda: 1)
        with purpose_scope(P), pytest.raises(PurposeViolation):
            narrow()

    def test_no_scope(self) -> None:
        """A script without a scope would read everything (R3)."""
        with pytest.raises(NoActivePurpose):
            rows()

    def test_never(self) -> None:
        """An exception to the purpose would not count for functions (R2)."""
        careful = requires_purpose(P, never=[PN])(lambda: 1)
        with purpose_scope(P):
            assert careful() == 1
        with purpose_scope(PN), pytest.raises(PurposeViolation) as caught:
            careful()
        assert caught.value.reason is Reason.NEVER
        assert caught.value.never == (PN,)

    def test_any_of_several_purposes(self) -> None:
        """A function for two purposes could be called for neither."""
        either = requires_purpose(P, Q)(lambda: 1)
        for purposes in ([P], [Q], [P, Q]):
            with purpose_scope(*purposes):
                assert either() == 1

    def test_it_does_not_run_when_refused(self) -> None:
        """The query would be sent before the refusal."""
        ran = []
        guarded = needs(lambda: ran.append(1))
        with pytest.raises(NoActivePurpose):
            guarded()
        assert ran == []

    def test_a_grant_does_not_outlive_its_scope(self) -> None:
        """The second call would pass because the first one did (R3, R5)."""
        with purpose_scope(P):
            rows()
            rows()
        with pytest.raises(NoActivePurpose):
            rows()

    def test_under_a_scope_of_its_own(self) -> None:
        """A function that opens its own scope outside the check would call itself allowed (R4): that is its right
        where nobody else's purpose is active, and not where one is."""
        own = purpose_scope(P)(needs(lambda: 1))
        assert own() == 1
        with purpose_scope(Q), pytest.raises(PurposeViolation):
            own()

    def test_modes(self) -> None:
        """Observing would refuse, or not tell (R11)."""
        told: list[Any] = []
        with configure(mode="observe", on_violation=told.append):
            assert rows()[0] == 1
        assert [(d.field, d.enforced, d.reason) for d in told] == [("rows()", False, Reason.NO_SCOPE)]


class TestDeclaring:
    def test_bad_arguments(self) -> None:
        """A check for nothing would let nobody in, or everybody."""
        with pytest.raises(PolicyError):
            requires_purpose()
        with pytest.raises(PolicyError):
            requires_purpose(P, never=[P])
        with pytest.raises(TypeError, match="req_p"):
            requires_purpose("req_p")
        with pytest.raises(TypeError):
            needs(dict)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            needs(5)  # type: ignore[type-var]

    def test_looks(self) -> None:
        """Frameworks would not see what the function takes."""
        assert str(inspect.signature(rows)).startswith("(n: 'int' = 1, *, k: 'str' = 'x')")
        assert (rows.__name__, rows.__doc__) == ("rows", "The rows.")
        assert repr(needs) == "requires_purpose(req_p)"
        assert repr(requires_purpose(P, never=[PN])) == "requires_purpose(req_p, never=[req_p.never])"


class TestKinds:
    def test_coroutine(self) -> None:
        """A coroutine function would be checked where it is made, not where it runs."""
        ran = []

        @needs
        async def work() -> int:
            ran.append(1)
            return 5

        async def main() -> None:
            with purpose_scope(P):
                assert await work() == 5
                made = work()
            with pytest.raises(NoActivePurpose):
                await made
            with purpose_scope(Q), pytest.raises(PurposeViolation):
                await work()

        asyncio.run(main())
        assert ran == [1]
        assert inspect.iscoroutinefunction(work)

    def test_generator_at_every_step(self) -> None:
        """A cursor opened for security would go on giving rows to advertising."""
        given = []

        @needs
        def cursor() -> Generator[int, None, None]:
            for n in range(9):
                given.append(n)
                yield n

        made = cursor()  # nothing is read yet
        with purpose_scope(P):
            assert next(made) == 0
            assert next(made) == 1
        with purpose_scope(Q), pytest.raises(PurposeViolation):
            next(made)
        assert given == [0, 1]
        with pytest.raises(NoActivePurpose):
            next(cursor())
        assert given == [0, 1]
        assert inspect.isgeneratorfunction(cursor)

    def test_async_generator_at_every_step(self) -> None:
        """As above, for an async cursor."""
        given = []

        @needs
        async def cursor() -> AsyncGenerator[int, None]:
            for n in range(9):
                given.append(n)
                yield n

        async def main() -> None:
            made = cursor()
            with purpose_scope(P):
                assert await made.__anext__() == 0
            with purpose_scope(Q), pytest.raises(PurposeViolation):
                await made.__anext__()
            assert given == [0]

        asyncio.run(main())
        assert inspect.isasyncgenfunction(cursor)

    def test_closing_a_cursor_is_no_read(self) -> None:
        """A cursor that is closed after its scope would stay open, and the clean-up fail with a violation."""
        closed = []

        @needs
        def cursor() -> Generator[int, None, None]:
            try:
                yield 1
            finally:
                closed.append("sync")

        @needs
        async def async_cursor() -> AsyncGenerator[int, None]:
            try:
                yield 1
            finally:
                closed.append("async")

        with purpose_scope(P):
            made = cursor()
            next(made)
        made.close()
        assert closed == ["sync"]

        async def main() -> None:
            with purpose_scope(P):
                made = async_cursor()
                await made.__anext__()
            await made.aclose()

        asyncio.run(main())
        assert closed == ["sync", "async"]

    def test_methods_and_the_like(self) -> None:
        """A repository class could not be guarded, or only half of it."""

        class Repository:
            @needs
            def method(self) -> Any:
                return self

            @needs
            @classmethod
            def outer(cls) -> Any:
                return cls

            @classmethod
            @needs
            def inner(cls) -> Any:
                return cls

            @needs
            @staticmethod
            def static() -> int:
                return 1

            @needs
            @property
            def prop(self) -> int:
                return 2

            @needs
            @functools.cached_property
            def cached(self) -> int:
                return 3

            part = needs(functools.partialmethod(method))

        repository = Repository()
        calls = {
            "method": lambda: repository.method() is repository,
            "outer": lambda: Repository.outer() is Repository,
            "inner": lambda: Repository.inner() is Repository,
            "static": lambda: Repository.static() == 1,
            "prop": lambda: repository.prop == 2,
            "part": lambda: repository.part() is repository,
            "cached": lambda: repository.cached == 3,
        }
        for name, call in calls.items():
            with pytest.raises(NoActivePurpose) as caught:
                call()
            if name != "part":
                assert caught.value.field.endswith(f"Repository.{name}()")
            with purpose_scope(Q), pytest.raises(PurposeViolation):
                call()
            with purpose_scope(P):
                assert call()

    def test_partials_and_objects(self) -> None:
        """A partial or a callable object would pass unchecked."""

        class Query:
            def __call__(self) -> int:
                return 4

        for function in (functools.partial(len, "four"), Query(), functools.lru_cache(lambda: 4)):
            guarded = needs(function)
            with pytest.raises(NoActivePurpose):
                guarded()
            with purpose_scope(P):
                assert guarded() == 4
            with pytest.raises(NoActivePurpose):
                guarded()

    def test_the_site_is_the_callers(self) -> None:
        """The message would point into the library instead of at the call."""
        with pytest.raises(NoActivePurpose) as caught:
            rows()
        site = caught.value.site
        assert site is not None
        assert site.file == __file__
        assert "rows()" in Path(__file__).read_text(encoding="utf-8").splitlines()[site.line - 1]
