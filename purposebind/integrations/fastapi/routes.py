"""The routes of an app, those of included routers and mounted apps too: what each states, and what its types carry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import Context
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import routing
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Host, Mount, WebSocketRoute

from purposebind import Purpose, active_purposes, purpose_scope
from purposebind.describing import declared_tags

from .decorating import signature_of
from .stating import for_purpose, stated_by

__all__ = ["PARTS", "Operation", "mounted_apps", "operations"]

PARTS: Final = ("path", "query", "header", "cookie", "body")
"""The parts of a request that FastAPI reads parameters from, as the location of a validation error names them."""

# Since included routers keep their routes to themselves, FastAPI says how to see them as they are served.
_served: Callable[[Any], Any] = getattr(routing, "iter_route_contexts", iter)


@dataclass(frozen=True)
class Operation:
    """A route as it is served.

    Attributes:
        path: Its path, with the prefixes of what it is mounted in.
        methods: Its methods, ordered; ``WEBSOCKET`` for a websocket.
        route: What the request's ASGI scope has as its route.
        mounted: Whether it is a mounted app's.
    """

    path: str
    methods: tuple[str, ...]
    route: BaseRoute
    mounted: bool
    _served: Any

    @property
    def path_format(self) -> str:
        """Its path as OpenAPI has it, without converters."""
        return getattr(self._served, "path_format", None) or self.path

    @property
    def stated(self) -> tuple[Purpose, ...]:
        """The purposes that the route states, in the order in which they are entered."""
        if self.methods == ("WEBSOCKET",) or self._dependant is None:
            found = stated_by(self._endpoint)
            return found.purposes if found is not None else ()
        return tuple(_stated(self._dependant))

    @property
    def active(self) -> tuple[Purpose, ...]:
        """The purposes that are active in its endpoint, ordered by name."""
        stated = self.stated
        return tuple(sorted(Context().run(purpose_scope(*stated)(active_purposes)))) if stated else ()

    def carried(self) -> tuple[str, ...]:
        """Return the tagged fields that its types carry: what it is sent, what it answers, what it depends on."""
        responses = [answer.get("model") for answer in (getattr(self._served, "responses", None) or {}).values()]
        named = (getattr(self._served, name, None) for name in ("response_model", "stream_item_type"))
        annotations = [*named, *responses, *_hints(self._endpoint)]
        for dependant in _each(self._dependant):
            annotations += _hints(dependant.call)
            annotations += [kind for part in PARTS for kind in _sent(dependant, part)]
        return tuple(sorted(declared_tags(*annotations)))

    def collecting(self) -> frozenset[str]:
        """Return the parts of a request in which the route takes tagged data."""
        dependants = list(_each(self._dependant))
        return frozenset(
            part for part in PARTS if declared_tags(*(kind for each in dependants for kind in _sent(each, part)))
        )

    @property
    def _endpoint(self) -> Any:
        return getattr(self._served, "endpoint", None)

    @property
    def _dependant(self) -> Any:
        return getattr(self._served, "dependant", None)


def operations(app: Any, prefix: str = "", *, mounted: bool = False) -> Iterator[Operation]:
    """Yield the routes of `app`, an application or router.

    Args:
        app: What has ``routes``.
        prefix: Where it is mounted.
        mounted: Whether it is.
    """
    for served in _served(app.routes):
        route = getattr(served, "original_route", served)
        if isinstance(route, (Mount, Host)):
            yield from operations(served, prefix + getattr(served, "path", ""), mounted=True)
        elif getattr(served, "endpoint", None) is not None:
            path = prefix + (getattr(served, "path", None) or "")
            if isinstance(route, WebSocketRoute):
                methods: tuple[str, ...] = ("WEBSOCKET",)
            else:
                methods = tuple(sorted(getattr(served, "methods", None) or ()))
            yield Operation(path, methods, route, mounted, served)


def mounted_apps(app: Any) -> Iterator[Starlette]:
    """Yield the applications that are mounted in `app`, under whatever middleware; not those mounted in these."""
    for served in _served(app.routes):
        if isinstance(getattr(served, "original_route", served), (Mount, Host)):
            inner = served.app
            while inner is not None and not isinstance(inner, Starlette):
                if getattr(inner, "routes", None):
                    yield from mounted_apps(inner)
                inner = getattr(inner, "app", None)
            if inner is not None:
                yield inner


def _each(dependant: Any) -> Iterator[Any]:
    """Yield what FastAPI calls for a route, in the order in which it calls it: the endpoint comes last."""
    if dependant is not None:
        for part in dependant.dependencies:
            yield from _each(part)
        yield dependant


def _stated(dependant: Any) -> Iterator[Purpose]:
    for each in _each(dependant):
        if isinstance(each.call, for_purpose):
            yield from each.call.purposes


def _sent(dependant: Any, part: str) -> Iterator[Any]:
    for field in getattr(dependant, f"{part}_params"):
        kind: Any = field.field_info.annotation
        for item in field.field_info.metadata:
            kind = Annotated[kind, item]
        yield kind


def _hints(call: Any) -> list[Any]:
    """The annotations of what `call` takes and returns."""
    if call is None or isinstance(call, for_purpose):
        return []
    try:
        signature = signature_of(call)
    except (TypeError, ValueError):  # not written in Python
        return []
    return [*(one.annotation for one in signature.parameters.values()), signature.return_annotation]
