"""`require_purposes` and OpenAPI: which routes carry tagged data, and what each says it is for."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Form, Query, WebSocket
from fastapi_calls import Account, an_account, an_app, call, get, started
from purposes import ADVERTISING, RECOVERY, SECURITY, TWO_FACTOR
from pydantic import BaseModel, Field, TypeAdapter
from pydantic_core import PydanticSerializationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from purposebind import AllowedFor, PolicyError, Purpose, PurposeModel, Sealed
from purposebind.integrations.fastapi import for_purpose, install, require_purposes

DESK = Purpose("fastapi_routes_desk", "Answer who calls")
DESK.may_hand_over_to(RECOVERY, reason="Whoever is locked out calls")


class Parent(BaseModel):
    accounts: list[Account]


@dataclass
class Holder:
    account: Account


def complaint(app: Any) -> str:
    """What the start-up says; empty if it says nothing."""
    require_purposes(app)
    try:
        started(app)
    except PolicyError as error:
        return str(error)
    return ""


def no_endpoint() -> None: ...


def takes(account: Account) -> None: ...


def takes_a_query(account: Annotated[Account, Query()]) -> None: ...


def takes_a_form(account: Annotated[Account, Form()]) -> None: ...


def takes_one_of_two(body: Parent | None = None) -> None: ...


def answers() -> Account:
    return an_account()


def answers_with_many() -> dict[str, list[Parent]]:
    return {}


def answers_by_itself() -> JSONResponse:
    return JSONResponse({})


def depends(account: Annotated[Account, Depends(an_account)]) -> None: ...


def depends_on_what_depends(_: Annotated[None, Depends(depends)]) -> None: ...


def takes_a_box(number: Annotated[Sealed[str], AllowedFor(TWO_FACTOR)]) -> None: ...


class Collecting:
    def __init__(self, account: Account) -> None: ...


def depends_on_a_class(_: Annotated[Collecting, Depends()]) -> None: ...


CARRYING = [
    takes,
    takes_a_query,
    takes_a_form,
    takes_one_of_two,
    answers,
    answers_with_many,
    depends,
    depends_on_what_depends,
    depends_on_a_class,
    takes_a_box,
]


@pytest.mark.parametrize("endpoint", CARRYING, ids=lambda endpoint: endpoint.__name__)
def test_a_route_that_carries_tags_states_a_purpose(endpoint: Any) -> None:
    """A route for which nobody decided what its data is used for would go into service."""
    app = FastAPI()
    app.post("/it")(endpoint)
    said = complaint(app)
    assert "POST /it" in said
    assert "Account.phone" in said or "Sealed" in said
    stated = FastAPI()
    stated.post("/it", dependencies=[Depends(for_purpose(TWO_FACTOR))])(endpoint)
    assert complaint(stated) == ""
    decorated = FastAPI()
    decorated.post("/it")(for_purpose(TWO_FACTOR)(endpoint))
    assert complaint(decorated) == ""


def test_response_models_count_whatever_the_endpoint_says() -> None:
    """A route whose response model is tagged, and whose function says nothing, would pass."""
    for options in (
        {"response_model": Account},
        {"response_model": list[Account] | None},
        {"response_model": Account.visible_to(TWO_FACTOR)},
        {"responses": {404: {"model": Account}}},
    ):
        app = FastAPI()
        app.get("/it", **options)(no_endpoint)
        assert "GET /it (with Account" in complaint(app)


def test_what_carries_no_tags_needs_no_purpose() -> None:
    """An app could not have a health check without stating a purpose for it."""
    app = FastAPI()
    app.get("/health")(no_endpoint)
    app.get("/response")(answers_by_itself)
    app.get("/view", response_model=Account.visible_to(ADVERTISING))(no_endpoint)
    assert complaint(app) == ""


def test_every_route_is_named_once_with_where_it_is() -> None:
    """Whoever adopts this would start the service once for each route that is still to be done."""
    app, router, inner = FastAPI(), APIRouter(prefix="/people"), APIRouter(prefix="/deep")
    mounted, below = FastAPI(), FastAPI()
    inner.put("/it")(takes)
    router.include_router(inner)
    router.get("/it")(answers)
    app.include_router(router, prefix="/v1")
    app.include_router(router, prefix="/v2", dependencies=[Depends(for_purpose(TWO_FACTOR))])
    mounted.get("/it")(answers)
    below.delete("/it")(takes)
    mounted.mount("/below", below)
    app.mount("/mounted", mounted)
    app.mount("/starlette", Starlette(routes=[Mount("/group", routes=[Route("/it", _starlette)])]))

    @app.websocket("/socket")
    async def socket(socket: WebSocket, account: Annotated[Account, Query()]) -> None: ...

    @app.websocket("/stated")
    @for_purpose(TWO_FACTOR)
    async def stated(socket: WebSocket, account: Annotated[Account, Query()]) -> None: ...

    named = [line.split(" (with")[0].strip() for line in complaint(app).splitlines() if " (with" in line]
    assert sorted(named) == [
        "DELETE /mounted/below/it",
        "GET /mounted/it",
        "GET /v1/people/it",
        "GET/HEAD /starlette/group/it",
        "PUT /v1/people/deep/it",
        "WEBSOCKET /socket",
    ]


def _starlette(request: Request) -> Account:
    raise NotImplementedError


def test_the_apps_purpose_is_every_routes_and_no_mounted_apps() -> None:
    """An app would have to state its purpose for each route; what is mounted would be overlooked."""
    app, mounted = FastAPI(dependencies=[Depends(for_purpose(TWO_FACTOR))]), FastAPI()
    app.get("/it")(answers)
    mounted.get("/it")(answers)
    app.mount("/mounted", mounted)
    assert [line for line in complaint(app).splitlines() if "/it" in line] == ["  GET /mounted/it (with Account.phone)"]


def test_the_start_up_fails_as_a_server_expects_it() -> None:
    """A server would go on without a lifespan, and serve."""
    app = FastAPI()
    require_purposes(app)
    app.get("/late")(answers)  # declared after it
    sent: list[Any] = []

    async def main() -> None:
        async def receive() -> Any:
            return {"type": "lifespan.startup"}

        async def send(message: Any) -> None:
            sent.append(message)

        await app({"type": "lifespan", "state": {}}, receive, send)

    with pytest.raises(PolicyError, match="GET /late"):
        asyncio.run(main())
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    with pytest.raises(PolicyError, match="GET /late"):  # where a server runs no lifespan
        call(app, "/late")
    with pytest.raises(PolicyError, match="GET /late"):
        call(app, "/nowhere")


def test_the_apps_own_lifespan_runs() -> None:
    """An app that opens its database at start-up would not."""
    happened: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        happened.append("started")
        yield {"pool": 5}
        happened.append("stopped")

    app = FastAPI(lifespan=lifespan)
    install(app)
    require_purposes(app)
    app.get("/")(no_endpoint)
    assert [message["type"] for message in started(app)] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert happened == ["started", "stopped"]
    assert get(app).status_code == 200


def test_a_starlette_app_is_checked_too() -> None:
    """A route that FastAPI did not make would pass, whatever its function says that it returns."""
    app = Starlette(routes=[Route("/it", _starlette)])
    assert "GET/HEAD /it (with Account.phone)" in complaint(app)
    assert complaint(Starlette(routes=[Route("/it", for_purpose(TWO_FACTOR)(_starlette))])) == ""


# --- OpenAPI ---------------------------------------------------------------------------------------------------------


def test_openapi_says_what_each_operation_is_for() -> None:
    """Whoever reads the API's documentation could not see what it uses data for."""
    app = an_app(SECURITY)
    router = APIRouter(prefix="/people/{number:int}", dependencies=[Depends(for_purpose(DESK))])
    router.get("/desk")(answers)
    for of_method in (router.put, router.post):
        of_method("/recovery", dependencies=[Depends(for_purpose(RECOVERY))])(no_endpoint)
    app.include_router(router)
    app.include_router(router, prefix="/ads", dependencies=[Depends(for_purpose(ADVERTISING))])

    @app.get("/two_factor")
    @for_purpose(TWO_FACTOR)
    def decorated() -> None: ...

    app.get("/hidden", include_in_schema=False)(no_endpoint)
    mounted = FastAPI()
    mounted.get("/two_factor")(no_endpoint)
    app.mount("/mounted", mounted)
    shown = {
        f"{method} {path}": operation.get("x-purposes")
        for path, item in app.openapi()["paths"].items()
        for method, operation in item.items()
    }
    assert shown == {
        "get /people/{number}/desk": [DESK.name, SECURITY.name],
        "put /people/{number}/recovery": [RECOVERY.name],
        "post /people/{number}/recovery": [RECOVERY.name],
        "get /ads/people/{number}/desk": [ADVERTISING.name, DESK.name, SECURITY.name],
        "put /ads/people/{number}/recovery": [ADVERTISING.name, RECOVERY.name],
        "post /ads/people/{number}/recovery": [ADVERTISING.name, RECOVERY.name],
        "get /two_factor": [TWO_FACTOR.name],
    }
    assert get(app, "/openapi.json").json() == app.openapi()
    assert get(app, "/docs").status_code == 200


def test_openapi_says_nothing_where_nothing_was_stated() -> None:
    """A document would change for routes that have nothing to do with purposes."""
    app, before = an_app(), FastAPI()
    for each in (app, before):
        each.get("/")(no_endpoint)
    assert app.openapi() == before.openapi()


class Tagged(PurposeModel):
    number: Annotated[str, AllowedFor(TWO_FACTOR, never=[])]
    optional: Annotated[str, AllowedFor(SECURITY, never=[RECOVERY])] | None = None
    several: Annotated[list[str], AllowedFor(TWO_FACTOR)] = Field(default=[])
    plain: int = 0


def test_openapi_says_what_each_field_is_for_in_both_directions() -> None:
    """Whoever calls the API could not see what a number that they send is used for."""
    app = an_app()

    @app.post("/")
    def endpoint(sent: Tagged) -> list[Tagged]:
        return [sent]

    @app.get("/query")
    def query(sent: Annotated[Tagged, Query()]) -> None: ...

    document = app.openapi()
    schemas = [schema for name, schema in document["components"]["schemas"].items() if name.startswith("Tagged")]
    assert schemas
    for schema in schemas:
        fields = schema["properties"]
        assert fields["number"]["x-purposes"] == fields["several"]["x-purposes"] == [TWO_FACTOR.name]
        assert fields["optional"]["x-purposes"] == [SECURITY.name]
        assert fields["optional"]["x-purposes-never"] == [RECOVERY.name]
        assert "x-purposes" not in fields["plain"]
    (number, *_) = document["paths"]["/query"]["get"]["parameters"]
    assert number["name"] == "number"
    assert number["schema"]["x-purposes"] == [TWO_FACTOR.name]
    assert json.dumps(document)


@pytest.mark.parametrize("field", ["number", "optional", "several"])
def test_what_fastapi_makes_of_a_tagged_field_lets_nothing_through(field: str) -> None:
    """FastAPI makes an adapter of each field, to describe it; what is validated with it would be open (R9)."""
    info = Tagged.model_fields[field]
    kind: Any = info.annotation
    for item in info.metadata:
        kind = Annotated[kind, item]
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    given = ["1"] if field == "several" else "1"
    assert adapter.json_schema()
    for use in (adapter.validate_python, adapter.dump_python, adapter.dump_json):
        with pytest.raises((PolicyError, PydanticSerializationError), match="would protect nothing"):
            use(given)  # type: ignore[operator]
