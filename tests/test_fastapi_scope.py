"""What a route's purposes cover in FastAPI: dependencies, endpoint and serialization, and nothing that comes after."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi_calls import Account, an_account, an_app, call, called, get, got, names, websocket
from purposes import ADVERTISING, RECOVERY, SECRET, SECURITY, TWO_FACTOR
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from purposebind import (
    NoActivePurpose,
    PolicyError,
    Purpose,
    PurposeError,
    PurposeViolation,
    active_purposes,
    configure,
    purpose_scope,
)
from purposebind.integrations.fastapi import for_purpose, install
from purposebind.receiving import received

BILLING = Purpose("fastapi_billing", "Send the bill")
SECURITY_DESK = Purpose("fastapi_desk", "Answer who calls")
SECURITY_DESK.may_hand_over_to(TWO_FACTOR, reason="Whoever calls is sent a code")


class Contact(BaseModel):
    """A plain response model, which reads a tagged one by its attributes."""

    handle: str
    phone: str


# --- Where it is stated ----------------------------------------------------------------------------------------------


def test_an_app_a_router_and_a_route_state_purposes_one_inside_the_other() -> None:
    """A route would run for more, or for less, than what was stated on the way to it (R4)."""
    app = an_app(SECURITY)
    outer = APIRouter(prefix="/outer", dependencies=[Depends(for_purpose(BILLING))])
    inner = APIRouter(prefix="/inner", dependencies=[Depends(for_purpose(TWO_FACTOR))])

    @app.get("/")
    async def top() -> list[str]:
        return names()

    @inner.get("/", dependencies=[Depends(for_purpose(ADVERTISING))])
    async def deep() -> list[str]:
        return names()

    outer.include_router(inner)
    app.include_router(outer)
    app.include_router(inner, prefix="/again", dependencies=[Depends(for_purpose(SECURITY_DESK))])
    assert get(app).json() == [SECURITY.name]
    assert get(app, "/outer/inner/").json() == sorted([BILLING.name, TWO_FACTOR.name, ADVERTISING.name])
    assert get(app, "/again/inner/").json() == sorted([TWO_FACTOR.name, ADVERTISING.name]), "handed over"


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_the_decorator_states_it_for_the_whole_request(kind: str) -> None:
    """A decorated endpoint would return an account, and its serialization, after the function, would be refused."""
    app = an_app()
    seen: list[list[str]] = []

    def dependency() -> Account:
        seen.append(names())
        return an_account()

    if kind == "async":

        @app.get("/")
        @for_purpose(TWO_FACTOR)
        async def endpoint(account: Annotated[Account, Depends(dependency)]) -> Account:
            assert account.phone == SECRET
            return account

    else:

        @app.get("/")
        @for_purpose(TWO_FACTOR)
        def endpoint(account: Annotated[Account, Depends(dependency)]) -> Account:
            assert account.phone == SECRET
            return account

    assert get(app).json() == {"id": 7, "handle": "ada", "phone": SECRET}
    assert seen == [[TWO_FACTOR.name]]
    shown = app.openapi()["paths"]["/"]["get"]
    assert "parameters" not in shown, "what asks for the scope is nobody's parameter"


def test_decorators_stand_one_inside_the_other() -> None:
    """Two decorators would be one, and the narrower purpose lost, or the route not start at all."""
    app = an_app()

    @app.get("/{number}")
    @for_purpose(SECURITY_DESK)
    @for_purpose(TWO_FACTOR)
    async def endpoint(number: int, q: str = "none") -> list[str]:
        return [*names(), str(number), q]

    assert get(app, "/5?q=x").json() == [TWO_FACTOR.name, "5", "x"], "entered from the outside to the inside"


def test_a_decorated_endpoint_can_be_called_by_itself() -> None:
    """A unit test of an endpoint, which calls the function, would find it without its purpose."""

    @for_purpose(TWO_FACTOR)
    def plain(account: Account) -> str:
        """Say the number."""
        return account.phone

    @for_purpose(TWO_FACTOR)
    async def coroutine(account: Account) -> str:
        return account.phone

    @for_purpose(TWO_FACTOR)
    def generator(account: Account) -> Iterator[str]:
        yield account.phone

    @for_purpose(TWO_FACTOR)
    async def stream(account: Account) -> AsyncIterator[str]:
        yield account.phone

    async def collected() -> list[str]:
        return [item async for item in stream(an_account())]

    assert plain(an_account()) == asyncio.run(coroutine(an_account())) == SECRET
    assert [*generator(an_account()), *asyncio.run(collected())] == [SECRET, SECRET]
    assert plain.__doc__ == "Say the number."
    assert active_purposes() == frozenset()


def test_starlette_endpoints_are_decorated_too() -> None:
    """An app without FastAPI could not state a purpose at all."""

    @for_purpose(TWO_FACTOR)
    async def endpoint(request: Request) -> JSONResponse:
        return JSONResponse(an_account().model_dump(mode="json"))

    class Methods:
        @for_purpose(TWO_FACTOR)
        def get(self, request: Request) -> JSONResponse:
            return JSONResponse([an_account().phone])

    def refused(request: Request) -> JSONResponse:
        return JSONResponse(an_account().phone)

    app = Starlette(routes=[Route("/", endpoint), Route("/class", Methods().get), Route("/refused", refused)])
    install(app)
    assert get(app).json()["phone"] == SECRET
    assert get(app, "/class").json() == [SECRET]
    assert get(app, "/refused").status_code == 403


def test_what_states_nothing_is_refused() -> None:
    """A typing mistake would be an app that protects nothing, or one that answers 422 to everybody."""
    with pytest.raises(PolicyError, match="names no purpose"):
        for_purpose()
    with pytest.raises(TypeError):
        for_purpose("security")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="is a class"):
        for_purpose(SECURITY)(Account)
    assert repr(for_purpose(SECURITY, BILLING)) == "for_purpose(security, fastapi_billing)"


def test_an_error_names_the_line_that_stated_the_purpose() -> None:
    """Whoever is on call would be told that the scope was entered somewhere in this library."""
    stated = Depends(for_purpose(ADVERTISING))
    app = FastAPI(dependencies=[stated])
    caught: list[PurposeViolation] = []

    @app.get("/")
    async def endpoint() -> None:
        try:
            an_account().phone
        except PurposeViolation as violation:
            caught.append(violation)

    get(app)
    ((purpose, site),) = caught[0].sites
    assert purpose is ADVERTISING
    assert site.file == __file__
    assert "stated = Depends(for_purpose(ADVERTISING))" in _lines(site.file)[site.line - 1]


def _lines(path: str) -> list[str]:
    with open(path, encoding="utf-8") as source:
        return source.read().splitlines()


# --- What it covers --------------------------------------------------------------------------------------------------


def test_dependencies_declared_after_it_are_covered_and_those_before_it_are_not() -> None:
    """A purpose stated late would be one that earlier code had without stating it."""
    seen: dict[str, list[str]] = {}

    def noting(name: str) -> Callable[[], None]:
        def dependency() -> None:
            seen[name] = names()

        return dependency

    async def below() -> None:
        seen["sub-dependency"] = names()

    def sync(_: Annotated[None, Depends(below)]) -> None:
        seen["sync"] = names()

    def sync_yield() -> Iterator[None]:
        seen["sync yield"] = names()
        yield

    async def async_yield() -> AsyncIterator[None]:
        seen["async yield"] = names()
        yield

    class Object:
        def __init__(self) -> None:
            seen["class"] = names()

    app = FastAPI(dependencies=[Depends(noting("before")), Depends(for_purpose(TWO_FACTOR))])

    @app.get("/", dependencies=[Depends(sync), Depends(sync_yield), Depends(async_yield), Depends(Object)])
    def endpoint(_: Annotated[None, Depends(noting("parameter"))]) -> list[str]:
        return names()

    assert get(app).json() == [TWO_FACTOR.name]
    assert seen.pop("before") == []
    assert len(seen) == 6
    assert set(map(tuple, seen.values())) == {(TWO_FACTOR.name,)}


def test_a_purpose_may_be_stated_by_a_dependency_of_a_dependency() -> None:
    """A dependency that reads for a purpose could not say so itself."""

    def number(_: Annotated[bool, Depends(for_purpose(TWO_FACTOR))]) -> str:
        return an_account().phone

    app = FastAPI()

    @app.get("/")
    def endpoint(phone: Annotated[str, Depends(number)]) -> list[str]:
        return [phone, *names()]

    assert get(app).json() == [SECRET, TWO_FACTOR.name]


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
@pytest.mark.parametrize("model", [Account, Contact, list[Account], dict[str, Any], None], ids=str)
def test_the_response_is_serialized_in_the_scope(sync: bool, model: Any) -> None:
    """An endpoint that returns an account, as FastAPI's endpoints do, would always be refused; or never be."""
    several = model == list[Account]
    result = {"account": an_account()} if model == dict[str, Any] else [an_account()] if several else an_account()
    for purpose, status in ((TWO_FACTOR, 200), (ADVERTISING, 403), (None, 403)):
        app = an_app(*([purpose] if purpose else []))

        async def endpoint() -> Any:
            return result

        def sync_endpoint() -> Any:
            return result

        app.get("/", response_model=model)(sync_endpoint if sync else endpoint)
        response = get(app)
        assert response.status_code == status
        assert (SECRET in response.text) is (status == 200)


def test_what_is_left_out_of_the_response_is_not_read() -> None:
    """A route that shows no number would have to state a purpose for it."""
    app = an_app(ADVERTISING)

    class Own(JSONResponse):
        pass

    @app.get("/exclude", response_model_exclude={"phone"}, response_model=Account)
    async def exclude() -> Account:
        return an_account()

    @app.get("/include", response_model_include={"handle"}, response_model=Account, response_class=Own)
    async def include() -> Account:
        return an_account()

    view = Account.visible_to(ADVERTISING)

    @app.get("/view", response_model=view)
    def visible() -> Account:
        return an_account()

    @app.get("/views", response_model=list[view])  # type: ignore[valid-type]
    async def all_visible() -> Any:
        return [an_account()]

    assert get(app, "/exclude").json() == {"id": 7, "handle": "ada"}
    assert get(app, "/include").json() == {"handle": "ada"}
    assert get(app, "/view").json() == {"id": 7, "handle": "ada"}
    assert get(app, "/views").json() == [{"id": 7, "handle": "ada"}]


def test_a_view_shows_what_its_purpose_may_see() -> None:
    """A response model made for a purpose would show less than that purpose may see, or nothing."""
    app = an_app(TWO_FACTOR)
    app.get("/", response_model=Account.visible_to(TWO_FACTOR))(an_account)
    assert get(app).json() == {"id": 7, "handle": "ada", "phone": SECRET}
    other = an_app(ADVERTISING)
    other.get("/", response_model=Account.visible_to(TWO_FACTOR))(an_account)
    assert get(other).status_code == 403, "a view allows nothing"


def test_a_response_class_of_ones_own_is_covered() -> None:
    """A response rendered by another library would be refused, or would not be checked."""

    class Lines(JSONResponse):
        media_type = "text/plain"

        def render(self, content: Any) -> bytes:
            return "\n".join(f"{key}={value}" for key, value in content.items()).encode()

    app = an_app(TWO_FACTOR)
    app.get("/", response_class=Lines, response_model=Account)(an_account)
    assert f"phone={SECRET}" in get(app).text
    refusing = an_app(ADVERTISING)
    refusing.get("/", response_class=Lines, response_model=Account)(an_account)
    assert get(refusing).status_code == 403


def test_a_response_built_in_the_endpoint_is_built_in_its_scope() -> None:
    """An endpoint that makes its own response would be a way round, or be refused what its route states."""
    app = an_app(TWO_FACTOR)

    @app.get("/")
    async def endpoint() -> JSONResponse:
        return JSONResponse(an_account().model_dump(mode="json"))

    assert get(app).json()["phone"] == SECRET


# --- Where it ends ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
@pytest.mark.parametrize("decorated", [False, True], ids=["dependency", "decorator"])
def test_a_background_task_states_its_own_purpose(sync: bool, decorated: bool) -> None:
    """What a request leaves to be done later would be done for the request's purpose, whatever it is (R5)."""
    happened: list[Any] = []

    def read(account: Account) -> None:
        try:
            happened.append(account.phone)
        except NoActivePurpose as violation:
            happened.append(violation.field)

    async def read_later(account: Account) -> None:
        read(account)

    @purpose_scope(RECOVERY)
    def own(account: Account) -> None:
        happened.append(names())

    app = an_app(*([] if decorated else [TWO_FACTOR]))

    def endpoint(tasks: BackgroundTasks) -> Account:
        tasks.add_task(read if sync else read_later, an_account())
        tasks.add_task(own, an_account())
        return an_account()

    app.get("/")(for_purpose(TWO_FACTOR)(endpoint) if decorated else endpoint)
    assert get(app).json()["phone"] == SECRET
    assert happened == ["Account.phone", [RECOVERY.name]]


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
def test_a_streamed_body_states_its_own_purpose(sync: bool) -> None:
    """A body is sent for as long as the client likes; all that time it would be read for the route's purpose (R5)."""

    def said(account: Account) -> str:
        try:
            return account.phone
        except NoActivePurpose as violation:
            return violation.field

    async def body() -> AsyncIterator[str]:
        yield said(an_account())

    def sync_body() -> Iterator[str]:
        yield said(an_account())

    app = an_app(TWO_FACTOR)
    streamed = sync_body if sync else body

    @app.get("/")
    def endpoint() -> StreamingResponse:
        return StreamingResponse(streamed())

    @app.get("/own")
    async def own() -> StreamingResponse:
        return StreamingResponse(purpose_scope(TWO_FACTOR)(streamed)())

    assert get(app).text == "Account.phone"
    assert get(app, "/own").text == SECRET


def test_a_generator_endpoint_is_a_streamed_body() -> None:
    """An endpoint that yields would be read for the route's purpose for as long as the client likes."""
    app = an_app(TWO_FACTOR)

    def said() -> str:
        try:
            return an_account().phone
        except NoActivePurpose as violation:
            return violation.field

    @app.get("/", response_class=StreamingResponse, response_model=None)
    async def endpoint() -> AsyncIterator[str]:
        yield said()

    @app.get("/own", response_class=StreamingResponse, response_model=None)
    @for_purpose(TWO_FACTOR)
    async def own() -> AsyncIterator[str]:
        yield said()
        yield str(names())

    async def direct(function: Any) -> str:
        return "".join([item async for item in function()])

    if "Account" in get(app).text:  # before FastAPI streamed them, such endpoints could not be served
        assert get(app).text == "Account.phone"
        assert get(app, "/own").text == f"{SECRET}['{TWO_FACTOR.name}']"
    assert asyncio.run(direct(own)) == f"{SECRET}['{TWO_FACTOR.name}']"


@pytest.mark.parametrize("scope", ["function", "request"])
def test_code_after_a_yield_runs_in_the_scope_only_before_the_response_is_sent(scope: Any) -> None:
    """What closes a dependency after the response is another piece of work, whose purpose nobody stated."""
    seen: list[list[str]] = []

    async def dependency() -> AsyncIterator[None]:
        yield
        seen.append(names())

    def sync() -> Iterator[None]:
        yield
        seen.append(names())

    app = an_app(TWO_FACTOR)

    @app.get("/")
    async def endpoint(
        one: Annotated[None, Depends(dependency, scope=scope)], two: Annotated[None, Depends(sync, scope=scope)]
    ) -> None: ...

    assert get(app).status_code == 200
    assert seen == [[TWO_FACTOR.name] if scope == "function" else []] * 2


def test_a_websocket_states_its_own_purpose() -> None:
    """A conversation of hours would be held for the app's purpose, without saying so."""
    app = an_app(TWO_FACTOR)

    @app.websocket("/quiet")
    async def quiet(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_json(names())
        with purpose_scope(RECOVERY):
            await socket.send_json(names())
        await socket.close()

    @app.websocket("/decorated")
    @for_purpose(TWO_FACTOR)
    async def decorated(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_json(names())
        await socket.close()

    said = [message["text"] for message in websocket(app, "/quiet") if message["type"] == "websocket.send"]
    assert said == ["[]", f'["{RECOVERY.name}"]']
    assert websocket(app, "/decorated")[1]["text"] == f'["{TWO_FACTOR.name}"]'


def test_a_task_that_outlives_the_request_is_in_no_scope() -> None:
    """A task started by an endpoint would read for the request's purpose long after it (R5)."""
    app = an_app(TWO_FACTOR)
    tasks: list[asyncio.Task[Any]] = []

    async def outlive(over: asyncio.Event) -> list[str]:
        inside = names()
        await over.wait()
        return [*inside, "then", *names()]

    async def main() -> list[str]:
        over = asyncio.Event()

        @app.get("/")
        async def endpoint() -> None:
            tasks.append(asyncio.create_task(outlive(over)))
            await asyncio.sleep(0)

        await got(app, "/")
        over.set()
        found: list[str] = await tasks[0]
        return found

    assert asyncio.run(main()) == [TWO_FACTOR.name, "then"]


def test_the_scope_is_left_whatever_happens() -> None:
    """An error, a client that left or a request that waits would leave a purpose behind for the next one."""
    app = an_app(TWO_FACTOR)
    waiting = asyncio.Event()

    @app.get("/fails")
    async def fails() -> None:
        raise LookupError

    @app.get("/invalid")
    async def invalid(number: int) -> None: ...

    @app.get("/waits")
    async def waits() -> None:
        waiting.set()
        await asyncio.Event().wait()

    async def after(path: str) -> list[str]:
        """Handle a request and return what is in force in the same context afterwards."""
        with contextlib.suppress(LookupError):
            await called(app, path)
        return names()

    async def cancelled() -> list[str]:
        kept: list[list[str]] = []

        async def task() -> None:
            try:
                await called(app, "/waits")
            finally:
                kept.append(names())

        running = asyncio.create_task(task())
        await waiting.wait()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        return kept[0]

    assert asyncio.run(after("/fails")) == asyncio.run(after("/invalid")) == asyncio.run(cancelled()) == []


# --- Together with others --------------------------------------------------------------------------------------------


def test_concurrent_requests_do_not_see_each_others_purposes() -> None:
    """One request would read for another's purpose. 200 at a time, sync and async, mixed purposes."""
    app = an_app()
    purposes = [TWO_FACTOR, RECOVERY, ADVERTISING, BILLING]
    for purpose in purposes:

        async def dependency() -> list[str]:
            await asyncio.sleep(0)
            return names()

        def sync_dependency() -> list[str]:
            return names()

        @app.get(f"/async/{purpose.name}", dependencies=[Depends(for_purpose(purpose))])
        async def endpoint(
            one: Annotated[list[str], Depends(dependency)], two: Annotated[list[str], Depends(sync_dependency)]
        ) -> list[list[str]]:
            await asyncio.sleep(0)
            return [one, two, names()]

        @app.get(f"/sync/{purpose.name}")
        @for_purpose(purpose)
        def sync_endpoint(
            one: Annotated[list[str], Depends(dependency)], two: Annotated[list[str], Depends(sync_dependency)]
        ) -> list[list[str]]:
            return [one, two, names()]

    async def main() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            asked = [(kind, purpose) for _ in range(25) for kind in ("async", "sync") for purpose in purposes]
            answers = await asyncio.gather(*(client.get(f"/{kind}/{purpose.name}") for kind, purpose in asked))
        for (_, purpose), answer in zip(asked, answers, strict=True):
            assert answer.json() == [[purpose.name]] * 3

    asyncio.run(main())


def test_received_purposes_narrow_a_request() -> None:
    """A request sent for advertising would be served for security, and the caller's purpose forgotten (R4)."""
    app = an_app(TWO_FACTOR)
    app.get("/", response_model=Account)(an_account)

    class Received:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            sent = dict(scope.get("headers", ())).get(b"x-for", b"").decode().split()
            with received(sent, origin="a request"):
                await self.app(scope, receive, send)

    @app.get("/names", response_model=list[str])
    def endpoint() -> list[str]:
        return names()

    app.add_middleware(Received)
    assert get(app).json()["phone"] == SECRET
    assert get(app, headers={"x-for": ADVERTISING.name}).status_code == 403
    assert get(app, headers={"x-for": "nobody knows it"}).status_code == 403
    assert get(app, headers={"x-for": SECURITY.name}).json()["phone"] == SECRET, "refined by two_factor"
    assert get(app, "/names", headers={"x-for": ADVERTISING.name}).json() == [ADVERTISING.name, TWO_FACTOR.name]


def test_it_works_inside_base_http_middleware() -> None:
    """An app with the commonest kind of middleware, which runs it in another task, would lose its purposes."""
    app = an_app(TWO_FACTOR)
    app.get("/", response_model=Account)(an_account)
    seen: list[list[str]] = []

    async def dispatch(request: Request, call_next: Any) -> Any:
        response = await call_next(request)
        seen.append(names())
        return response

    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    assert get(app).json()["phone"] == SECRET
    assert seen == [[]]


def test_a_dependency_that_is_overridden_states_nothing() -> None:
    """A test that replaces the purpose would find the data open instead of refused."""
    stating = for_purpose(TWO_FACTOR)
    app = FastAPI(dependencies=[Depends(stating)])
    install(app)
    app.get("/", response_model=Account)(an_account)
    app.dependency_overrides[stating] = lambda: None
    assert get(app).status_code == 403
    app.dependency_overrides = {stating: for_purpose(RECOVERY)}
    assert get(app).status_code == 403
    app.dependency_overrides = {}
    assert get(app).status_code == 200


def test_a_scope_of_ones_own_in_a_sync_dependency_is_told_apart() -> None:
    """A dependency that opens a scope in a thread would look as if the endpoint ran in it."""
    app = an_app()

    def opening() -> Iterator[None]:
        with purpose_scope(TWO_FACTOR).across_yields():
            yield

    @app.get("/", dependencies=[Depends(opening)])
    def endpoint() -> list[str]:
        return names()

    with pytest.raises(PurposeError, match="closed in another context"):
        call(app)


def test_observe_mode_lets_requests_through() -> None:
    """An app that is being adopted would answer 403 from its first day (R11)."""
    app = an_app(ADVERTISING)
    app.get("/", response_model=Account)(an_account)
    told: list[Any] = []
    with configure(mode="observe", on_violation=told.append):
        assert get(app).json()["phone"] == SECRET
    assert {denial.enforced for denial in told} == {False}


def test_a_mounted_app_is_in_its_own_scope() -> None:
    """An app's dependencies are not those of what is mounted in it; a purpose would be thought to be stated."""
    app, inner = an_app(TWO_FACTOR), FastAPI()
    inner.get("/", response_model=Account)(an_account)
    inner.get("/stated", response_model=Account, dependencies=[Depends(for_purpose(TWO_FACTOR))])(an_account)
    app.mount("/inner", inner)
    assert get(app, "/inner/").status_code == 403
    assert get(app, "/inner/stated").json()["phone"] == SECRET


def test_an_older_fastapi_is_named() -> None:
    """With a FastAPI that cannot end the scope in time, it would stay open while the response is sent."""

    async def main() -> None:
        connection = Request({"type": "http", "method": "GET", "path": "/", "headers": []})
        await for_purpose(TWO_FACTOR)(connection=connection)

    with pytest.raises(PurposeError, match=r"0\.121 or later"):
        asyncio.run(main())
