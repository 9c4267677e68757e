"""`install`: an app whose refusals and validation errors tell nothing, and whose OpenAPI says what routes are for."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException, WebSocketException
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp

from purposebind import PurposeError, PurposeViolation

from .refusing import Refusing, refusing
from .routes import PARTS, mounted_apps, operations
from .withholding import withheld

__all__ = ["install"]

_installed: WeakSet[Any] = WeakSet()
_SERVER_ERRORS = frozenset((500, Exception))


def install(app: Starlette) -> None:
    """Have `app`, a FastAPI or Starlette application, answer for purposes.

    - A violation, however wrapped, becomes a 403 ``application/problem+json`` that tells neither a value nor a name;
      the logger ``purposebind`` is told the whole message. A websocket is closed with 1008. A handler that the app has
      for `PurposeViolation` itself is left to answer for it.
    - A 422 about a part of the request that may hold tagged data echoes nothing of it.
    - OpenAPI shows ``x-purposes`` on the operations that state purposes.

    It holds for middleware and handlers added later too, and for the apps that are mounted when this one starts.
    Doing it twice is doing it once.

    Raises:
        PurposeError: The application is running already.

    Example:
        >>> from fastapi import FastAPI
        >>> app = FastAPI()
        >>> install(app)
    """
    if app in _installed:
        return
    if app.middleware_stack is not None:
        raise PurposeError("install(app) comes before the first request: the app is running already, without it")
    _installed.add(app)
    build: Any = app.build_middleware_stack

    def build_middleware_stack() -> ASGIApp:
        """Build it with what refuses inside and outside of all that was added until now."""
        for inner in mounted_apps(app):
            if inner.middleware_stack is None:
                install(inner)
        added, handlers = app.user_middleware, app.exception_handlers
        app.user_middleware = [Middleware(Refusing), *added, Middleware(Refusing)] if added else [Middleware(Refusing)]
        app.exception_handlers = _refusing(app, handlers)
        try:
            built: ASGIApp = build()
        finally:
            app.user_middleware, app.exception_handlers = added, handlers
        return built

    app.build_middleware_stack = build_middleware_stack  # type: ignore[method-assign]
    if hasattr(app, "openapi"):
        _describe(app)


def _refusing(app: Starlette, handlers: Any) -> dict[Any, Any]:
    """The app's exception handlers, each made to answer for violations; those for violations themselves as they are."""
    collecting = _Collecting(app)
    own = ExceptionMiddleware(app.router)  # Starlette's, for where the app has none
    every = {HTTPException: own.http_exception, WebSocketException: own.websocket_exception, **handlers}
    return {
        key: handler
        if key in _SERVER_ERRORS or (isinstance(key, type) and issubclass(key, PurposeViolation))
        else refusing(handler, collecting.prepared)
        for key, handler in every.items()
    }


class _Collecting:
    """In which parts of a request the routes of an app take tagged data."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._parts: dict[int, frozenset[str]] = {}

    def prepared(self, connection: Any, error: Any) -> Any:
        """Return `error` as a handler may see it."""
        if not isinstance(error, (RequestValidationError, WebSocketRequestValidationError)):
            return error
        return withheld(error, self._of(connection.scope.get("route")), connection.query_params.values())

    def _of(self, route: Any) -> frozenset[str]:
        if id(route) not in self._parts:  # asked for the first time, or added since
            self._parts = {}
            for operation in operations(self._app):  # a router included twice has its routes twice
                key = id(operation.route)
                self._parts[key] = self._parts.get(key, frozenset()) | operation.collecting()
        return self._parts.get(id(route), frozenset(PARTS))  # of what is not known, nothing is shown


def _describe(app: Any) -> None:
    openapi = app.openapi

    def described() -> dict[str, Any]:
        """Return the OpenAPI schema, with ``x-purposes`` on the operations that state purposes."""
        schema: dict[str, Any] = openapi()
        for operation in operations(app):
            if operation.mounted:
                continue
            shown = schema.get("paths", {}).get(operation.path_format, {})
            active = [purpose.name for purpose in operation.active]
            for method in operation.methods:
                if active and method.lower() in shown:
                    shown[method.lower()]["x-purposes"] = active
        return schema

    app.openapi = described
