"""What a client is told of a refusal: that there was one, and nothing else. The log is told all of it.

What this module keeps:

- **R7** A response holds neither a value nor a name of the service's: no field, no purpose, no place in the code.
- **R12** However a violation is wrapped, the client is told the same.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .finding import violation_in

__all__ = ["Refusing", "refusing"]

_logger = logging.getLogger("purposebind")

_PROBLEM: Final = {
    "type": "about:blank",
    "title": "Forbidden",
    "status": 403,
    "detail": "The data that this request is about may not be used for this purpose.",
}
"""After RFC 9457. "about:blank": the status says what kind of problem it is."""
_POLICY_VIOLATION: Final = 1008
"""The code with which a websocket is closed, after RFC 6455."""
_TOLD: Final = "purposebind.refused"
"""Where the ASGI scope says that the log was told."""


class Refusing:
    """Makes a violation that nobody handled a response. Stands inside and outside of the app's other middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] in _BEGINNINGS
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            said = violation_in(error)
            if said is None:
                raise
            if begun:  # too late for another one; the server ends the connection, as for any error
                _tell(scope, said, "after the response had begun")
                raise
        else:
            return
        if scope["type"] == "websocket":
            _tell(scope, said, "the connection was closed")
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": ""})
        else:
            await _refusal(scope, said)(scope, receive, send)


_BEGINNINGS: Final = frozenset(("http.response.start", "websocket.close", "websocket.http.response.start"))


def refusing(handler: Callable[..., Any], prepared: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Return an exception handler that answers for a violation, and has `handler` answer for everything else.

    Args:
        handler: One of the app's.
        prepared: Called with the connection and the exception, returns what `handler` is given of it.
    """
    awaited = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)

    async def handle(connection: Any, error: Exception) -> Any:
        said = violation_in(error)
        if said is not None:
            if connection.scope["type"] == "http":
                return _refusal(connection.scope, said)
            _tell(connection.scope, said, "the connection was closed")
            return await connection.close(code=_POLICY_VIOLATION)
        given = prepared(connection, error)
        return await (handler(connection, given) if awaited else run_in_threadpool(handler, connection, given))

    return handle


def _refusal(scope: Scope, said: str) -> Response:
    _tell(scope, said, "403")
    headers = {"cache-control": "no-store"}
    return JSONResponse(_PROBLEM, 403, headers=headers, media_type="application/problem+json")


def _tell(scope: Scope, said: str, answered: str) -> None:
    """Log a refusal, once for each request. Of the request its route: its path may hold somebody's data."""
    if scope.get(_TOLD):
        return
    scope[_TOLD] = True
    route = getattr(scope.get("route"), "path", "(no route)")
    _logger.error("%s %s refused (%s): %s", scope.get("method", "WEBSOCKET"), route, answered, said)
