"""What a purpose and a tagged model cost a FastAPI request: ratios to the same app without, in one run.

    python -m tests.benchmarks.fastapi_request [--seconds 20]

The app has one endpoint, which returns a model of four fields as its response model does. One app has none of this
library in it; the other states a purpose for all routes, has everything installed, and two of its model's fields are
tagged. They take turns, so that what slows the machine down slows both; the ratio is the median of the turns' ratios.

A request is what httpx asks an app for and gets back, in one process and without a socket: what a socket, a network and
an endpoint that does something take would only make the ratio smaller. The last lines leave the client out as well: an
ASGI call of an app that does nothing, of which this is the largest share that it can be.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this checkout is measured, whatever is installed
sys.path.insert(0, str(Path(__file__).resolve().parent))

import httpx
import typer
from fastapi import Depends, FastAPI
from figures import ACCOUNTS, PURPOSE, record

from purposebind.integrations.fastapi import for_purpose, install, require_purposes

LIMIT = 1.15
_IN_A_TURN = 0.05
"""How many seconds an app has in a turn, roughly."""
_ENDPOINTS = ("GET, async endpoint", "GET, sync endpoint", "POST, body and response")


def main(seconds: Annotated[float, typer.Option(help="How long to measure, in all.")] = 20) -> None:
    """Measure a FastAPI request with a tagged model against the same app without."""
    plain, tagged = _app(ACCOUNTS.plain, stating=False), _app(ACCOUNTS.tagged, stating=True)
    share = seconds / len(_ENDPOINTS) / 2
    print("| Request | Through | Without | Ratio | Within |\n|---|---|---|---|---|")
    within = True
    for through, way in (("httpx", _by_httpx), ("nothing but ASGI", _by_asgi)):
        for number, name in enumerate(_ENDPOINTS):
            base, ratio = asyncio.run(_compared([way(app, number) for app in (plain, tagged)], share))
            judged = through == "httpx"
            within = within and (ratio <= LIMIT or not judged)
            verdict = ("yes" if ratio <= LIMIT else "**no**") if judged else "-"
            print(f"| {name} | {through} | {base * 1e6:.0f} µs | {ratio:.2f} | {verdict} |")
    print(f"\nAt most {LIMIT} was wanted of a request.")
    if not within:
        raise typer.Exit(1)


def _app(model: Any, *, stating: bool) -> FastAPI:
    app = FastAPI(dependencies=[Depends(for_purpose(PURPOSE))] if stating else [])
    if stating:
        install(app)
        require_purposes(app)
    values = record(1)

    async def endpoint() -> Any:
        return model(**values)

    def sync_endpoint() -> Any:
        return model(**values)

    async def body(account: Any) -> Any:
        return account

    body.__annotations__["account"] = model
    app.get("/0", response_model=model)(endpoint)
    app.get("/1", response_model=model)(sync_endpoint)
    app.post("/2", response_model=model)(body)
    return app


def _by_httpx(app: FastAPI, number: int) -> Callable[[], Awaitable[object]]:
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
    if number == 2:
        return lambda: _checked(client.post("/2", json=record(1)))
    return lambda: _checked(client.get(f"/{number}"))


async def _checked(asked: Awaitable[httpx.Response]) -> None:
    assert (await asked).status_code == 200


def _by_asgi(app: FastAPI, number: int) -> Callable[[], Awaitable[object]]:
    body = ACCOUNTS.plain(**record(1)).model_dump_json().encode()
    headers = [(b"host", b"test"), (b"content-type", b"application/json")]
    request = {"type": "http.request", "body": body if number == 2 else b"", "more_body": False}

    async def receive() -> Any:
        return request

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200

    async def call() -> None:
        scope = {
            "type": "http",
            "method": "POST" if number == 2 else "GET",
            "path": f"/{number}",
            "query_string": b"",
            "headers": headers,
        }
        await app(scope, receive, send)

    return call


async def _compared(calls: list[Callable[[], Awaitable[object]]], seconds: float) -> tuple[float, float]:
    """Return the seconds of the first of two calls, and how many times as long the second takes."""
    many = max(1, round(_IN_A_TURN / await _timed(calls[0], 20)))
    await _timed(calls[1], many)
    turns: list[list[float]] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until or len(turns) < 3:
        order = calls if len(turns) % 2 else calls[::-1]  # whoever goes first has the warmer or the colder machine
        took = [await _timed(one, many) for one in order]
        turns.append(took if order is calls else took[::-1])
    return statistics.median(turn[0] for turn in turns), statistics.median(turn[1] / turn[0] for turn in turns)


async def _timed(call: Callable[[], Awaitable[object]], many: int) -> float:
    started = time.perf_counter()
    for _ in range(many):
        await call()
    return (time.perf_counter() - started) / many


if __name__ == "__main__":
    typer.run(main)
