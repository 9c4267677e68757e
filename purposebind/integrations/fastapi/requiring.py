"""`require_purposes`: no service starts with a route that carries tagged data and says for what."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from purposebind import PolicyError, PurposeError

from .routes import operations

__all__ = ["require_purposes"]


def require_purposes(app: Starlette) -> None:
    """Have the start-up of `app` fail where a route's models carry tags and the route states no purpose.

    The routes are looked at when the app starts, those of included routers and mounted apps too, so it does not matter
    where this is called; and before the first request, for a server that runs no lifespan. What counts is what types
    say: what a route takes, its response model, its return annotation, and the same of its dependencies.

    Args:
        app: A FastAPI or Starlette application that has not started.

    Raises:
        PurposeError: The application is running already.
        PolicyError: At start-up: a route states no purpose. Each of them is named.

    Example:
        >>> from fastapi import FastAPI
        >>> app = FastAPI()
        >>> require_purposes(app)
    """
    if app.middleware_stack is not None:
        raise PurposeError("require_purposes(app) comes before the start-up that it is to fail")
    around = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(running: Any) -> AsyncGenerator[Any]:
        _check(app)
        async with around(running) as state:
            yield state

    app.router.lifespan_context = lifespan
    build: Any = app.build_middleware_stack
    app.build_middleware_stack = lambda: _Unchecked(app, build())  # type: ignore[method-assign]


class _Unchecked:
    """An app before its first request: there it is checked, where no lifespan was run, and this is not needed again."""

    def __init__(self, app: Starlette, built: ASGIApp) -> None:
        self._app = app
        self._built = built

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            _check(self._app)
            if self._app.middleware_stack is self:
                self._app.middleware_stack = self._built
        await self._built(scope, receive, send)


def _check(app: Starlette) -> None:
    found = []
    for operation in operations(app):
        carried = () if operation.stated else operation.carried()
        if carried:
            found.append(f"  {'/'.join(operation.methods)} {operation.path} (with {', '.join(carried)})")
    if found:
        raise PolicyError(
            "These routes have to do with tagged data, and state no purpose:\n" + "\n".join(found) + "\nWays out:\n"
            "  - state it for the route: @for_purpose(...) under @app.get(...);\n"
            "  - or for its router or app: dependencies=[Depends(for_purpose(...))]."
        )
