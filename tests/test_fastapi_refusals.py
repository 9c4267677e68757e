"""What a client of a FastAPI app is told of a refusal, and of a request that is not valid; and what the log is told."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import anyio
import pytest
from fastapi import APIRouter, BackgroundTasks, Body, Depends, FastAPI, Form, HTTPException, Query, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from fastapi_calls import Account, an_account, an_app, call, called, get, got, websocket
from purposes import ADVERTISING, SECRET, TWO_FACTOR
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticSerializationError
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Route

from purposebind import AllowedFor, PurposeError, PurposeModel, PurposeViolation, Sealed, SubjectId, configure
from purposebind.integrations.fastapi import for_purpose, install
from purposebind.ledger import Ledger

PROBLEM = {
    "type": "about:blank",
    "title": "Forbidden",
    "status": 403,
    "detail": "The data that this request is about may not be used for this purpose.",
}
INTERNALS = ("Account", "phone", "advertising", "two_factor", "purpose_scope", ".py", SECRET, SECRET[-7:])


class Contact(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    handle: str
    phone: str


def read() -> str:
    return an_account().phone


def caught() -> PurposeViolation:
    try:
        read()
    except PurposeViolation as violation:
        return violation
    raise AssertionError("it was read")


class Wrapped(Exception):
    """What an application may make of a refusal."""


# --- The ways in which a violation leaves an endpoint ----------------------------------------------------------------


def bare() -> None:
    read()


def raised_from() -> None:
    try:
        read()
    except PurposeViolation as violation:
        raise Wrapped(str(violation)) from violation


def raised_while_handling() -> None:
    try:
        read()
    except Exception as error:
        raise Wrapped(f"failed: {error}")  # noqa: B904


def as_http_exception() -> None:
    try:
        read()
    except Exception as error:
        raise HTTPException(500, detail=str(error)) from error


def as_http_exception_of_a_status() -> None:
    try:
        read()
    except Exception as error:
        raise HTTPException(418, detail=str(error)) from error


def twice_wrapped() -> None:
    try:
        as_http_exception()
    except HTTPException as error:
        raise LookupError from error


def from_attributes() -> None:
    Contact.model_validate(an_account())


def adapter_attributes() -> None:
    TypeAdapter(Contact).validate_python(an_account())


def dumped_by_an_adapter() -> None:
    TypeAdapter(list[Account]).dump_json([an_account()])


def dumped_in_python() -> None:
    TypeAdapter(dict[str, Account]).dump_python({"": an_account()})


def pickled_text() -> None:
    raise PydanticSerializationError(f"Error serializing to JSON: NoActivePurpose: {caught()}")


async def in_a_task_group() -> None:
    async def one() -> None:
        read()

    async with anyio.create_task_group() as group:
        group.start_soon(one)
        group.start_soon(anyio.sleep, 60)


async def in_nested_task_groups() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(in_a_task_group)
        group.start_soon(one_wrapped)


async def one_wrapped() -> None:
    as_http_exception()


async def gathered() -> None:
    await asyncio.gather(asyncio.to_thread(read), asyncio.sleep(0))


WAYS = [
    bare,
    raised_from,
    raised_while_handling,
    as_http_exception,
    as_http_exception_of_a_status,
    twice_wrapped,
    from_attributes,
    adapter_attributes,
    dumped_by_an_adapter,
    dumped_in_python,
    pickled_text,
    in_a_task_group,
    in_nested_task_groups,
    gathered,
]
each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


def refused(app: Any, path: str = "/", **options: Any) -> None:
    """Assert that the answer tells of a refusal, and of nothing else."""
    response = get(app, path, **options)
    assert response.status_code == 403
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == PROBLEM
    told = response.text + str(response.headers)
    assert not [word for word in INTERNALS if word in told]


@each_way
@pytest.mark.parametrize("where", ["endpoint", "dependency", "after yield", "Starlette", "status handler"])
def test_a_violation_is_a_403_however_it_is_wrapped(way: Any, where: str, caplog: pytest.LogCaptureFixture) -> None:
    """A client would be told names and places of the service, or an operator that the service is broken (R12)."""
    app: Any = an_app(ADVERTISING)
    if where == "Starlette":
        app = Starlette()
        install(app)
        app.router.routes.append(Route("/", _with_request(way)))
    elif where == "dependency":
        app.get("/", dependencies=[Depends(way)])(lambda: None)
    elif where == "after yield":

        async def dependency() -> AsyncIterator[None]:
            try:
                yield
            except KeyError as error:
                raise LookupError from error

        app.get("/", dependencies=[Depends(dependency)])(way)
    else:
        app.get("/")(way)
    if where == "status handler":

        async def teapot(request: Request, error: Any) -> PlainTextResponse:
            return PlainTextResponse(str(error.detail), 418)

        app.add_exception_handler(418, teapot)
        app.add_exception_handler(Wrapped, teapot)
    with caplog.at_level(logging.ERROR, "purposebind"):
        refused(app)
    (record,) = [one for one in caplog.records if one.name == "purposebind"]
    said = record.getMessage()
    assert "Account.phone may not be read" in said
    assert "allowed for  security.two_factor" in said
    assert "Ways out:" in said
    assert said.startswith("GET / refused (403): " if where != "Starlette" else "GET ")
    assert SECRET not in caplog.text


def _with_request(way: Any) -> Any:
    async def endpoint(request: Request) -> None:
        done = way()
        if done is not None:
            await done

    return endpoint


@pytest.mark.parametrize("model", [Account, Contact, None], ids=str)
@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
def test_a_refused_serialization_is_a_403(model: Any, sync: bool) -> None:
    """What FastAPI makes of a response that may not be shown would be a 500, or an empty page."""
    app = an_app(ADVERTISING)

    async def endpoint() -> Any:
        return an_account()

    app.get("/", response_model=model)(an_account if sync else endpoint)
    refused(app)


def test_a_refusal_is_recorded(tmp_path: Path) -> None:
    """Nobody could say afterwards how many requests tried to read what they may not, and whose data it was."""
    app = an_app(ADVERTISING)
    app.get("/", response_model=Account)(an_account)
    app.get("/bare")(in_a_task_group)
    app.get("/contact", response_model=Contact)(an_account)
    told: list[Any] = []
    with Ledger(tmp_path / "ledger") as ledger, configure(ledger=ledger, on_violation=told.append):
        for path in ("/", "/bare", "/contact"):
            refused(app, path)
        found = ledger.affected(field="Account.phone", decision="denied")
    assert (found.people, found.reads) == (1, 3)
    assert [denial.subject for denial in told] == [7, 7, 7]


def test_what_is_no_violation_is_left_alone() -> None:
    """Installing this would change what an app answers to errors that have nothing to do with it."""
    app = an_app(ADVERTISING)

    class Ours(Exception):
        pass

    def a_group() -> Exception:
        error = LookupError()
        error.exceptions = [Ours()]  # type: ignore[attr-defined]  # as the groups of Python 3.11 and of its backport
        return error

    @app.exception_handler(Ours)
    def handler(request: Request, error: Ours) -> PlainTextResponse:
        return PlainTextResponse("ours", 409)

    @app.get("/{kind}")
    async def endpoint(kind: str) -> None:
        if kind == "from_none":
            try:
                read()
            except PurposeViolation:
                raise HTTPException(404) from None
        raise {"ours": Ours(), "http": HTTPException(402, "pay"), "group": a_group()}.get(kind, LookupError())

    assert get(app, "/from_none").status_code == 404, "said to be no denial any more"
    assert (get(app, "/ours").status_code, get(app, "/ours").text) == (409, "ours")
    assert get(app, "/http").json() == {"detail": "pay"}
    assert get(app, "/group").status_code == get(app, "/other").status_code == 500
    assert get(app, "/nowhere/at/all").json() == {"detail": "Not Found"}
    with pytest.raises(LookupError):
        call(app, "/other")


def test_an_app_may_answer_for_violations_itself() -> None:
    """A service with a format of its own for errors could not use it."""
    app = an_app(ADVERTISING)
    app.get("/")(bare)

    @app.exception_handler(PurposeViolation)
    async def handler(request: Request, error: PurposeViolation) -> JSONResponse:
        return JSONResponse({"code": "E17", "reason": error.reason.value}, 451)

    assert get(app).status_code == 451
    assert get(app).json() == {"code": "E17", "reason": "not allowed"}


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_violation_in_middleware_is_a_403_too(order: str) -> None:
    """Middleware that reads an account would answer 500, or tell what it is about."""
    app = FastAPI()
    app.get("/")(lambda: "never")

    async def dispatch(request: Request, call_next: Any) -> Any:
        if request.url.path == "/":
            read()
        return await call_next(request)

    if order == "before":
        app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    install(app)
    if order == "after":
        app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    refused(app)


def test_middleware_sees_the_403_as_a_response() -> None:
    """Whatever adds headers to responses (CORS) or counts them would see an exception instead."""
    app = an_app(ADVERTISING)
    app.get("/")(bare)

    async def dispatch(request: Request, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["x-seen"] = str(response.status_code)
        return response

    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    assert get(app).headers["x-seen"] == "403"


def test_a_violation_in_an_exception_handler_is_a_403() -> None:
    """A handler that says whose request failed would answer with a refusal's text, or with 500."""
    app = an_app(TWO_FACTOR)

    @app.get("/")
    async def endpoint() -> None:
        raise Wrapped

    @app.exception_handler(Wrapped)
    async def handler(request: Request, error: Wrapped) -> PlainTextResponse:
        return PlainTextResponse(read())

    refused(app)


def test_a_mounted_app_answers_alike() -> None:
    """What is mounted would answer 500 for the very same refusal."""
    app, inner, innermost = an_app(), FastAPI(), FastAPI()
    inner.get("/")(bare)
    innermost.get("/")(as_http_exception)
    inner.mount("/more", innermost)
    app.mount("/inner", inner)
    refused(app, "/inner/")
    refused(app, "/inner/more/")


@pytest.mark.parametrize("kind", ["background", "stream", "sync stream"])
def test_too_late_for_a_403_the_connection_ends_and_the_log_is_told(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A refusal after the response had begun would be noticed by nobody."""
    app = an_app(TWO_FACTOR)

    async def stream() -> AsyncIterator[str]:
        yield "begun"
        yield read()

    def sync_stream() -> Iterator[str]:
        yield "begun"
        yield read()

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> Any:
        if kind == "background":
            tasks.add_task(read)
            return {}
        return StreamingResponse(stream() if kind == "stream" else sync_stream())

    sent: list[Any] = []
    with caplog.at_level(logging.ERROR, "purposebind"), pytest.raises(BaseException) as raised:
        asyncio.run(called(app, sent=sent))
    assert "Account.phone may not be read" in str(raised.value) + str(getattr(raised.value, "exceptions", ""))
    assert sent[0]["status"] == 200
    assert SECRET.encode() not in b"".join(message.get("body", b"") for message in sent)
    (record,) = [one for one in caplog.records if one.name == "purposebind"]
    assert "refused (after the response had begun): Account.phone may not be read" in record.getMessage()


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("way", [bare, as_http_exception, in_a_task_group], ids=lambda way: way.__name__)
def test_a_websocket_is_closed(accepted: bool, way: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A refusal would look like a crash, or be told to whoever is at the other end."""
    app = an_app()

    @app.websocket("/")
    async def endpoint(socket: WebSocket) -> None:
        if accepted:
            await socket.accept()
        done = way()
        if done is not None:
            await done

    with caplog.at_level(logging.ERROR, "purposebind"):
        sent = websocket(app, "/")
    assert sent[-1] == {"type": "websocket.close", "code": 1008, "reason": ""}
    assert "WEBSOCKET / refused (the connection was closed): Account.phone may not be read" in caplog.text


def test_the_log_names_the_route_and_not_the_path(caplog: pytest.LogCaptureFixture) -> None:
    """A path may hold somebody's number, and the log would keep it."""
    app = an_app()
    app.get("/people/{number}")(lambda number: read())
    with caplog.at_level(logging.ERROR, "purposebind"):
        refused(app, f"/people/{SECRET}")
    assert "GET /people/{number} refused" in caplog.text
    assert SECRET not in caplog.text


# --- 422 -------------------------------------------------------------------------------------------------------------

VALUE = "+15550100200"
"""Part of invalid requests; nothing of it may come back."""


class Signup(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]
    age: Annotated[int, AllowedFor(TWO_FACTOR)] = 0


class Plain(BaseModel):
    """Beside the tagged model in a union, or around it."""

    name: str
    phone: str = ""

    @model_validator(mode="before")
    @classmethod
    def quote(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("quote"):
            raise ValueError(f"not good: {given}")
        return given


class Around(BaseModel):
    account: Signup
    note: str


def routes() -> FastAPI:
    app = an_app()
    seen = app.state.seen = []

    @app.post("/one")
    def one(account: Signup) -> None: ...

    @app.post("/union")
    def union(account: Signup | Plain) -> None: ...

    @app.post("/around")
    def around(body: Around) -> None: ...

    @app.post("/several")
    def several(account: Signup, other: Plain, note: Annotated[str, Body()]) -> None: ...

    @app.post("/list")
    def many(accounts: list[Signup]) -> None: ...

    @app.post("/dict")
    def named(accounts: dict[str, Signup]) -> None: ...

    @app.post("/boxed")
    def boxed(number: Annotated[Annotated[Sealed[int], AllowedFor(TWO_FACTOR)], Body(embed=True)]) -> None: ...

    def collecting(account: Signup) -> Signup:
        return account

    @app.post("/dependency")
    def dependency(account: Annotated[Signup, Depends(collecting)], page: int = 0) -> None: ...

    @app.get("/query")
    def query(account: Annotated[Signup, Query()]) -> None: ...

    @app.post("/form")
    def form(account: Annotated[Signup, Form()]) -> None: ...

    @app.post("/plain")
    def plain(body: Plain, page: int = 0) -> None: ...

    seen.clear()
    return app


BODIES: list[Any] = [
    {"phone": VALUE},
    {"id": "x", "phone": VALUE},
    {"id": 1, "phone": [VALUE]},
    {"id": 1, "phone": VALUE, "age": VALUE},
    {"id": 1, "phone": "1", "age": {"x": VALUE}},
    VALUE,
    [VALUE],
    {"account": {"phone": VALUE}},
    {"account": VALUE},
    {"account": {"id": 1, "phone": VALUE}},
    {"account": {"id": 1, "phone": VALUE}, "other": {"phone": VALUE, "quote": True}, "note": 5},
    [{"phone": VALUE}, {"id": 1, "phone": VALUE, "age": VALUE}],
    {"x": {"phone": VALUE}},
    {"phone": VALUE, "quote": True},
    {"number": VALUE},
    None,
]


@pytest.mark.parametrize("path", ["/one", "/union", "/around", "/several", "/list", "/dict", "/boxed", "/dependency"])
@pytest.mark.parametrize("handler", ["default", "of the app's own"])
def test_a_422_never_echoes_what_was_sent(path: str, handler: str) -> None:
    """A number sent with a mistake beside it would come back, and stay in a client's log, or on a screenshot (R7)."""
    app = routes()
    if handler != "default":  # as FastAPI's documentation has it

        @app.exception_handler(RequestValidationError)
        async def own(request: Request, error: RequestValidationError) -> JSONResponse:
            return JSONResponse({"detail": error.errors(), "body": error.body, "text": str(error)}, 422)

    invalid = 0
    for body in BODIES:
        texts = [json.dumps(body), json.dumps(body)[:-1]]
        for text, kind in [(text, kind) for text in texts for kind in ("application/json", "text/plain")]:
            response = get(app, path, method="POST", content=text, headers={"content-type": kind})
            invalid += response.status_code == 422
            assert "5550100200" not in response.text
            for line in response.json()["detail"] if response.status_code == 422 else ():
                assert line["loc"]
                assert line["msg"]
                assert line["type"]
    assert invalid > len(BODIES)


def test_a_422_of_a_query_or_form_never_echoes_what_was_sent() -> None:
    """Models are filled from queries and forms too, and an error about one would hold all of it."""
    app = routes()
    for values in ({"phone": VALUE}, {"id": "x", "phone": VALUE}, {"id": "1", "phone": VALUE, "age": f"x{VALUE}"}):
        for path, options in (("/query", {"params": values}), ("/form", {"data": values, "method": "POST"})):
            response = get(app, path, **options)
            assert response.status_code == 422
            assert "5550100200" not in response.text


def test_a_422_says_what_is_wrong() -> None:
    """A client that sent a wrong request would not find out what to change."""
    app = routes()
    response = get(app, "/one", method="POST", json={"id": "x", "phone": VALUE})
    assert response.json()["detail"] == [
        {
            "type": "int_parsing",
            "loc": ["body", "id"],
            "msg": "Input should be a valid integer, unable to parse string as an integer",
            "input": "<withheld>",
        }
    ]
    missing = get(app, "/one", method="POST").json()["detail"]
    assert [(line["type"], line["input"]) for line in missing] == [("missing", None)]
    broken = get(app, "/one", method="POST", content="{", headers={"content-type": "application/json"}).json()
    assert [(line["type"], line["loc"]) for line in broken["detail"]] == [("json_invalid", ["body", 1])]


def test_a_422_without_tagged_data_is_fastapis() -> None:
    """Every client of an app would see other errors than before, though nothing that it sends is tagged."""
    plain = {"page": "many"}
    app, before = routes(), FastAPI()

    @before.post("/plain")
    def endpoint(body: Plain, page: int = 0) -> None: ...

    options: Any = {"method": "POST", "json": {"phone": 5}, "params": plain}
    assert get(app, "/plain", **options).json() == get(before, "/plain", **options).json()
    kept = get(app, "/dependency", method="POST", json={"id": 1, "phone": "1"}, params=plain).json()["detail"]
    assert [line["input"] for line in kept] == ["many"], "the query holds no tagged data; the body does"


def test_a_websocket_of_tagged_data_is_not_told_what_it_sent() -> None:
    """The reason why a websocket is closed is a text that is sent back and logged."""
    app = an_app()

    @app.websocket("/")
    async def endpoint(socket: WebSocket, account: Annotated[Signup, Query()]) -> None: ...

    scope = {"type": "websocket", "path": "/", "query_string": b"phone=%2B15550100200", "headers": []}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    assert sent[-1]["code"] == 1008
    assert "5550100200" not in str(sent)


# --- Installing ------------------------------------------------------------------------------------------------------


def test_installing_twice_is_installing_once(caplog: pytest.LogCaptureFixture) -> None:
    """An app made by a function that others call too would log each refusal twice."""
    app = an_app()
    install(app)
    app.get("/")(bare)
    with caplog.at_level(logging.ERROR, "purposebind"):
        refused(app)
    assert len([one for one in caplog.records if one.name == "purposebind"]) == 1


def test_installing_too_late_is_refused() -> None:
    """Somebody would believe that refusals tell nothing, in an app that was built without it."""
    app = FastAPI()
    app.get("/")(lambda: None)
    get(app)
    with pytest.raises(PurposeError, match="before the first request"):
        install(app)


def test_without_it_nothing_is_let_through() -> None:
    """An app that forgot `install` would show the data; it is to show an error."""
    app = FastAPI(dependencies=[Depends(for_purpose(ADVERTISING))])
    app.get("/", response_model=Account)(an_account)
    assert get(app).status_code == 500
    assert SECRET not in get(app).text


def test_concurrent_refusals_are_told_apart() -> None:
    """A refusal in one request would be the answer to another one."""
    app = an_app()
    app.get("/may", dependencies=[Depends(for_purpose(TWO_FACTOR))], response_model=Account)(an_account)
    app.get("/may_not", dependencies=[Depends(for_purpose(ADVERTISING))], response_model=Account)(an_account)
    app.get("/contact", dependencies=[Depends(for_purpose(TWO_FACTOR))], response_model=Contact)(an_account)
    app.get("/no_contact", dependencies=[Depends(for_purpose(ADVERTISING))], response_model=Contact)(an_account)

    async def main() -> list[int]:
        paths = ["/may", "/may_not", "/contact", "/no_contact"] * 25
        return [one.status_code for one in await asyncio.gather(*(got(app, path) for path in paths))]

    assert asyncio.run(main()) == [200, 403, 200, 403] * 25


def test_errors_of_pydantic_that_are_no_violations_stay_what_they_are() -> None:
    """A broken response would look like a refusal, and whoever is on call would look for a purpose."""
    app = an_app(TWO_FACTOR)
    app.get("/", response_model=Contact)(lambda: {"handle": 5})

    @app.get("/serialized")
    async def endpoint() -> None:
        TypeAdapter(object).dump_json(object())

    with pytest.raises(Exception, match="validation error"):
        asyncio.run(called(app))
    with pytest.raises(PydanticSerializationError):
        asyncio.run(called(app, "/serialized"))
    with pytest.raises(ValidationError):
        Contact.model_validate({})


def test_a_422_in_an_included_or_mounted_router_is_told_apart_too() -> None:
    """Only the routes of the app itself would be kept from echoing, or all of a larger app's errors would change."""
    app, router, mounted = an_app(), APIRouter(prefix="/router"), FastAPI()
    for each in (router, mounted):

        @each.post("/tagged")
        def tagged(account: Signup | Plain) -> None: ...

        @each.post("/plain")
        def plain(body: Plain) -> None: ...

    app.include_router(router)
    app.mount("/mounted", mounted)
    for prefix in ("/router", "/mounted"):
        hidden = get(app, f"{prefix}/tagged", method="POST", json={"phone": VALUE})
        assert hidden.status_code == 422
        assert "5550100200" not in hidden.text
        shown = get(app, f"{prefix}/plain", method="POST", json={"phone": "plain"})
        assert shown.json()["detail"][0]["input"] == {"phone": "plain"}


def test_a_violation_in_a_validator_is_a_403() -> None:
    """A request model that looks something up would answer 422, and say what it looked up."""
    app = an_app(ADVERTISING)

    class Looking(BaseModel):
        name: str

        @model_validator(mode="after")
        def look_up(self) -> "Looking":
            read()
            return self

    @app.post("/")
    def endpoint(body: Looking) -> None: ...

    refused(app, method="POST", json={"name": "Ada"})
