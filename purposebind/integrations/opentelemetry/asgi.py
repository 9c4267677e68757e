"""`ReceivedPurposes`: the purposes that a request was sent under narrow what its handling may read.

What this module keeps:

- The header is read here, so that it makes no difference whether OpenTelemetry's own instrumentation of the server is
  there, outside or inside of this, or how its propagators are set up.
- **R3** The header grants nothing: an endpoint that states no purpose reads nothing, whatever was sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from purposebind.receiving import received

from .member import HEADER, names_in_headers

__all__ = ["ReceivedPurposes"]

_Scope: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_App: TypeAlias = Callable[[_Scope, _Receive, _Send], Awaitable[None]]

_NAME = HEADER.encode()


class ReceivedPurposes:
    """ASGI middleware for HTTP and websockets: for Starlette, FastAPI, Litestar, Quart, Django and others.

    Args:
        app: The application, or the next middleware.

    Example:
        >>> async def app(scope, receive, send): ...
        >>> app = ReceivedPurposes(app)  # Starlette and FastAPI: app.add_middleware(ReceivedPurposes)
    """

    def __init__(self, app: _App) -> None:
        self.app = app

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Serve one request, or one websocket."""
        headers = scope.get("headers") if scope["type"] in ("http", "websocket") else None
        names = names_in_headers(value.decode("latin-1") for name, value in headers or () if name.lower() == _NAME)
        if not names:
            await self.app(scope, receive, send)
            return
        with received(sorted(names), origin="the request's baggage"):
            await self.app(scope, receive, send)
