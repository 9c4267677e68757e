"""`for_purpose`: how a route states what its requests are for.

What this module keeps:

- **R5** The scope is entered while dependencies are solved, in the task that handles the request, so that it is seen
  by the dependencies declared after it, by the endpoint and by what serializes the response, in threads too. It is
  left when the response is made and before the first byte of it is sent: what runs after that (a background task, a
  streaming body, the code after a dependency's yield) is another piece of work, and states its own.
- A websocket is a conversation, not a request: a dependency of an app or router does not open a scope for as long as
  it lasts. The decorator does, for its endpoint alone.

FastAPI leaves a dependency's own context manager after the response is sent, unless it is declared with
``scope="function"``. What it has left those with since 0.121 is an exit stack in the request, and here the scope is
put on that stack: an async generator would do the same, at the price of a quarter of a request.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from types import FrameType, FunctionType
from typing import Annotated, Any, Final, TypeVar, overload

from fastapi import Depends
from fastapi.requests import HTTPConnection

from purposebind import PolicyError, Purpose, PurposeError, purpose_scope

from .decorating import decorated

__all__ = ["for_purpose", "stated_by"]

_F = TypeVar("_F", bound=Callable[..., Any])

_STACK: Final = "fastapi_function_astack"
_AS_DEPENDENCY: Final = inspect.Signature(
    [inspect.Parameter("connection", inspect.Parameter.KEYWORD_ONLY, annotation=HTTPConnection)]
)


class for_purpose:
    """Runs a request for `purposes`: a dependency for an app, a router or a path operation, and a decorator.

    It covers the dependencies declared after it, the endpoint and the response's serialization, and ends there.
    Several on the way to one endpoint are entered one inside the other, the app's first.

    As a decorator it stands under ``@app.get(...)``. It is then the first of the endpoint's own dependencies; where
    the endpoint is called directly (by a test, by Starlette), and for a generator or websocket endpoint, it runs the
    function as `purpose_scope` does.

    Args:
        purposes: What the request is for. Several mean one inside the other.

    Raises:
        PolicyError: No purpose is given.
        TypeError: A string or something else is given where a `Purpose` is meant.

    Example:
        >>> from fastapi import Depends, FastAPI
        >>> from purposebind import Purpose
        >>> billing = Purpose("billing", "Send the bill")
        >>> app = FastAPI(dependencies=[Depends(for_purpose(billing))])
        >>> reminders = billing.child("reminders", "Remind of a bill")
        >>> @app.get("/reminders")
        ... @for_purpose(reminders)
        ... def remind() -> list[str]:
        ...     return ["Ada"]
    """

    def __init__(self, *purposes: Purpose) -> None:
        if not purposes:
            raise PolicyError("for_purpose() names no purpose: what are these requests for?")
        self._scope = purpose_scope(*purposes)
        self._enter = _entering(sys._getframe(1))
        self.purposes = self._scope.purposes
        self.__signature__ = _AS_DEPENDENCY  # what FastAPI asks for; the class itself keeps its own

    @overload
    def __call__(self, function: _F, /) -> _F: ...
    @overload
    def __call__(self, /, *, connection: HTTPConnection) -> Awaitable[bool]: ...
    def __call__(self, function: Any = None, /, *, connection: Any = None) -> Any:
        if function is None:
            return self._open(connection)
        return decorated(function, self._scope, self, Annotated[bool, Depends(self)])

    async def _open(self, connection: HTTPConnection) -> bool:
        """Enter the scope for the rest of this request's handling; say whether there is a request."""
        scope = connection.scope
        if scope["type"] != "http":
            return False
        stack = scope.get(_STACK)
        if not isinstance(stack, AsyncExitStack):
            raise PurposeError("for_purpose() needs FastAPI 0.121 or later: pip install 'purposebind[fastapi]'")
        self._enter(self._scope)
        stack.push(self._scope)
        return True

    def __repr__(self) -> str:
        return f"for_purpose({', '.join(purpose.name for purpose in self.purposes)})"


def _as_coroutine_function(function: Any) -> None:
    """Say of a plain function that what it returns is to be awaited, so that FastAPI does not run it in a thread."""
    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(function)
    else:
        import asyncio.coroutines

        function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]


_as_coroutine_function(for_purpose.__call__)


def _entering(caller: FrameType) -> Callable[[purpose_scope], object]:
    """Return what enters a scope where `caller` stands: errors and the ledger name the line that stated the purpose."""
    enter: Any = lambda scope: scope.__enter__()  # noqa: E731 - on one line, so that its first line is the only one
    code = caller.f_code
    place: dict[str, Any] = {
        "co_filename": code.co_filename,
        "co_firstlineno": caller.f_lineno,
        "co_name": code.co_name,
    }
    if sys.version_info >= (3, 11):
        place["co_qualname"] = code.co_qualname
    return FunctionType(enter.__code__.replace(**place), {})


def stated_by(endpoint: Any) -> for_purpose | None:
    """Return the `for_purpose` that decorates `endpoint`, outermost if there are several; or None."""
    found = getattr(endpoint, "__for_purpose__", None)
    return found if isinstance(found, for_purpose) else None
