"""How the tests of the FastAPI integration call an app: by httpx, and by ASGI messages of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI
from purposes import SECRET, TWO_FACTOR
from starlette.types import ASGIApp

from purposebind import AllowedFor, Purpose, PurposeModel, SubjectId, active_purposes
from purposebind.integrations.fastapi import for_purpose, install

__all__ = ["Account", "an_account", "an_app", "call", "called", "get", "got", "names", "started", "websocket"]


class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    handle: str
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]


def an_account() -> Account:
    return Account(id=7, handle="ada", phone=SECRET)


def names() -> list[str]:
    """The names of the purposes active here."""
    return sorted(purpose.name for purpose in active_purposes())


def an_app(*purposes: Purpose, **options: Any) -> FastAPI:
    """An app that states `purposes`, with everything installed."""
    stated = [Depends(for_purpose(*purposes))] if purposes else []
    app = FastAPI(dependencies=stated, **options)
    install(app)
    return app


def get(app: Any, path: str = "/", **options: Any) -> httpx.Response:
    return asyncio.run(got(app, path, **options))


async def got(app: Any, path: str = "/", **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(options.pop("method", "GET"), path, **options)


def call(app: ASGIApp, path: str = "/", kind: str = "http", messages: Sequence[Any] = ()) -> list[Any]:
    return asyncio.run(called(app, path, kind, messages))


async def called(
    app: ASGIApp, path: str = "/", kind: str = "http", messages: Sequence[Any] = (), sent: list[Any] | None = None
) -> list[Any]:
    """Call an app in this very task and context, as a server does, and return what it sent; errors come through."""
    sent = [] if sent is None else sent
    waiting = [
        *messages,
        {"type": "http.request"} if kind == "http" else {"type": "websocket.disconnect", "code": 1000},
    ]
    scope = {"type": kind, "method": "GET", "path": path, "query_string": b"", "headers": [], "subprotocols": []}
    if kind != "http":
        del scope["method"]

    async def receive() -> Any:
        if not waiting:
            await asyncio.Event().wait()  # the client stays
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def websocket(app: ASGIApp, path: str, *texts: str) -> list[Any]:
    """Open a websocket, send `texts` and return the messages that came back."""
    sending = [{"type": "websocket.connect"}, *({"type": "websocket.receive", "text": text} for text in texts)]
    return call(app, path, "websocket", sending)


def started(app: ASGIApp) -> list[Any]:
    """Run the start-up and the shutdown of an app, as a server does, and return what it said to them."""
    said: list[Any] = []
    asking = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> Any:
        return asking.pop(0)

    async def send(message: Any) -> None:
        said.append(message)

    async def main() -> None:
        await app({"type": "lifespan", "state": {}}, receive, send)

    asyncio.run(main())
    return said
