"""Services that call one another over a socket, with the clients' own instrumentation: purposes arrive, and narrow."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Annotated, Any

import aiohttp
import httpx
import pytest
import requests
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from otel_service import served
from purposes import SECRET
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from purposebind import AllowedFor, Purpose, PurposeModel, PurposeViolation, purpose_scope
from purposebind.integrations.opentelemetry import PurposePropagator, ReceivedPurposes
from purposebind.receiving import names_to_send

SUPPORT = Purpose("otel_support", "Answer the customer's questions")
REFUNDS = Purpose("otel_refunds", "Pay back")
MARKETING = Purpose("otel_marketing", "Choose who sees an offer")
SUPPORT.may_hand_over_to(REFUNDS, reason="The customer asked for the money")


class Account(PurposeModel):
    phone: Annotated[str, AllowedFor(MARKETING, REFUNDS)] = SECRET


ACCOUNT = Account()


# --- The service that is called --------------------------------------------------------------------------------------


def refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PurposeViolation)
    return JSONResponse({"refused": [purpose.name for purpose in error.active]}, 403)


async def audience(request: Request) -> JSONResponse:
    with purpose_scope(MARKETING):
        return JSONResponse({"phone": ACCOUNT.phone})


def audience_in_a_thread(request: Request) -> JSONResponse:
    with purpose_scope(MARKETING):
        return JSONResponse({"phone": ACCOUNT.phone})


async def refund(request: Request) -> JSONResponse:
    with purpose_scope(REFUNDS):
        return JSONResponse({"phone": ACCOUNT.phone})


async def unstated(request: Request) -> JSONResponse:
    return JSONResponse({"phone": ACCOUNT.phone})


async def sent(request: Request) -> JSONResponse:
    await asyncio.sleep(0)
    return JSONResponse({"sent": names_to_send(), "asked": request.query_params.get("asked")})


async def streamed(request: Request) -> StreamingResponse:
    @purpose_scope(MARKETING)
    async def body() -> Any:
        try:
            yield ACCOUNT.phone
        except PurposeViolation:
            yield "refused"

    return StreamingResponse(body())


class Later:
    """What a background task of the service found."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.sent: tuple[str, ...] = ()

    def run(self) -> None:
        with purpose_scope(MARKETING):
            self.sent = names_to_send()
        self.done.set()


async def with_a_task(request: Request) -> JSONResponse:
    return JSONResponse({}, background=BackgroundTask(request.app.state.later.run))


def callee() -> Starlette:
    routes = (audience, audience_in_a_thread, refund, unstated, sent, streamed, with_a_task)
    return Starlette(
        routes=[Route(f"/{endpoint.__name__}", endpoint) for endpoint in routes],
        exception_handlers={PurposeViolation: refused},
    )


# --- Clients ---------------------------------------------------------------------------------------------------------

Reply = tuple[int, Any]
Headers = dict[str, str] | None


def by_httpx(url: str, headers: Headers = None) -> Reply:
    with httpx.Client(headers=headers) as client:
        response = client.get(url)
    return response.status_code, response.json()


def by_async_httpx(url: str, headers: Headers = None) -> Reply:
    async def get() -> Reply:
        async with httpx.AsyncClient(headers=headers) as client:
            response = await client.get(url)
        return response.status_code, response.json()

    return asyncio.run(get())


def by_requests(url: str, headers: Headers = None) -> Reply:
    with requests.Session() as session:
        response = session.get(url, headers=headers, timeout=30)
    return response.status_code, response.json()


def by_aiohttp(url: str, headers: Headers = None) -> Reply:
    async def get() -> Reply:
        async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as response:
            return response.status, await response.json()

    return asyncio.run(get())


Client = Callable[..., Reply]
CLIENTS = [by_httpx, by_async_httpx, by_requests, by_aiohttp]


@pytest.fixture
def instrumented() -> Iterator[None]:
    """The clients as a service has them: instrumented, with ours among the propagators."""
    before = get_global_textmap()
    set_global_textmap(CompositePropagator([TraceContextTextMapPropagator(), PurposePropagator()]))
    instrumentors: list[Any] = [HTTPXClientInstrumentor(), RequestsInstrumentor(), AioHttpClientInstrumentor()]
    for each in instrumentors:
        each.instrument()
    yield
    for each in instrumentors:
        each.uninstrument()
    set_global_textmap(before)


def traced(app: Any) -> Any:
    return OpenTelemetryMiddleware(app)


SERVERS = {
    "alone": ReceivedPurposes,
    "inside OpenTelemetry's": lambda app: traced(ReceivedPurposes(app)),
    "outside OpenTelemetry's": lambda app: ReceivedPurposes(traced(app)),
}


@contextmanager
def service(around: Callable[[Any], Any] = ReceivedPurposes) -> Iterator[str]:
    with served(around(callee())) as address:
        yield address


# --- One hop ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("instrumented")
@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("call", CLIENTS, ids=lambda call: call.__name__)
def test_a_purpose_narrows_the_service_that_is_called(call: Client, server: str) -> None:
    """Support asks the marketing service, which reads for marketing what support may not have."""

    with service(SERVERS[server]) as address:
        assert call(f"{address}/audience") == (200, {"phone": SECRET}), "nobody's purpose narrows it"
        with purpose_scope(SUPPORT):
            denied = 403, {"refused": ["otel_marketing", "otel_support"]}
            assert call(f"{address}/audience") == denied
            assert call(f"{address}/audience_in_a_thread") == denied
            assert call(f"{address}/refund") == (200, {"phone": SECRET}), "a declared handover"
            assert call(f"{address}/unstated") == (403, {"refused": []}), "a header grants nothing"
        assert call(f"{address}/audience") == (200, {"phone": SECRET}), "nothing is left in the server"


@pytest.mark.usefixtures("instrumented")
def test_a_streamed_body_and_a_background_task_are_narrowed_too() -> None:
    """What a service does after its response has begun would be a way round."""
    app = callee()
    app.state.later = Later()
    with served(ReceivedPurposes(app)) as address, purpose_scope(SUPPORT), httpx.Client() as client:
        assert client.get(f"{address}/streamed").text == "refused"
        assert client.get(f"{address}/with_a_task").status_code == 200
        assert app.state.later.done.wait(30)
    assert app.state.later.sent == ("otel_marketing", "otel_support")


@pytest.mark.usefixtures("instrumented")
def test_a_purpose_that_the_other_service_does_not_know_denies(caplog: pytest.LogCaptureFixture) -> None:
    """A service that was deployed before the purpose was declared would read as if nobody had sent one."""
    with service() as address, httpx.Client() as client:
        response = client.get(f"{address}/audience", headers={"baggage": "purposebind.purposes=not.yet.known"})
    assert response.json() == {"refused": ["otel_marketing", "unrecognized"]}
    assert "'not.yet.known'" in caplog.text


@pytest.mark.usefixtures("instrumented")
@pytest.mark.parametrize("call", CLIENTS, ids=lambda call: call.__name__)
def test_a_header_that_is_passed_on_by_hand_does_not_replace_ours(call: Client) -> None:
    """Services copy the headers of a request to the next one; its sender would choose the purposes."""
    forged = {"baggage": "purposebind.purposes=otel_marketing"}

    with service() as address, purpose_scope(SUPPORT):
        assert call(f"{address}/sent", forged)[1]["sent"] == ["otel_support"]


# --- More hops -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("instrumented")
@pytest.mark.parametrize("middleware", [ReceivedPurposes, traced], ids=["ReceivedPurposes", "OpenTelemetry's alone"])
def test_a_service_in_the_middle_passes_purposes_on(middleware: Callable[[Any], Any]) -> None:
    """A gateway without a purpose of its own, or without our middleware, would wash the sender's away."""
    with service() as last:

        async def gateway(request: Request) -> JSONResponse:
            async with httpx.AsyncClient() as client:
                response = await client.get(f"{last}/audience")
            return JSONResponse(response.json(), response.status_code)

        middle = Starlette(routes=[Route("/", gateway)])
        with served(middleware(middle)) as address, purpose_scope(SUPPORT), httpx.Client() as client:
            assert client.get(address).json() == {"refused": ["otel_marketing", "otel_support"]}


@pytest.mark.usefixtures("instrumented")
def test_after_a_handover_the_next_service_is_asked_for_the_new_purpose() -> None:
    """Work that was rightly handed over would be refused one service further on."""
    with service() as last:

        async def handed_over(request: Request) -> JSONResponse:
            async with httpx.AsyncClient() as client:
                with purpose_scope(REFUNDS):
                    return JSONResponse((await client.get(f"{last}/sent")).json())

        middle = Starlette(routes=[Route("/", handed_over)])
        with served(traced(ReceivedPurposes(middle))) as address, purpose_scope(SUPPORT), httpx.Client() as client:
            assert client.get(address).json()["sent"] == ["otel_refunds"]


@pytest.mark.usefixtures("instrumented")
def test_requests_at_once_do_not_see_one_anothers_purposes() -> None:
    """Under load one customer's request would be narrowed, or not narrowed, by another's."""
    purposes = [SUPPORT, REFUNDS, MARKETING, None]

    def ask(number: int) -> tuple[Any, Any]:
        purpose = purposes[number % len(purposes)]

        def get() -> Any:
            reply = client.get(f"{address}/sent", params={"asked": number}).json()
            assert reply["asked"] == str(number)
            return reply["sent"]

        if purpose is None:
            return [], get()
        with purpose_scope(purpose):
            return [purpose.name], get()

    with (
        service(SERVERS["inside OpenTelemetry's"]) as address,
        httpx.Client(timeout=60) as client,
        ThreadPoolExecutor(16) as pool,
    ):
        for wanted, found in pool.map(ask, range(200)):
            assert found == wanted
