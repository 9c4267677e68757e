"""The FastAPI integration on a real server: uvicorn on a socket, httpx as its client."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi_calls import Account, an_account, an_app
from fastapi_service import KINDS, PURPOSES, expected, serving, the_app
from purposes import ADVERTISING, SECRET, TWO_FACTOR
from starlette.responses import StreamingResponse

import purposebind
from purposebind import NoActivePurpose
from purposebind.integrations.fastapi import install

TESTS = Path(__file__).parent


def test_no_request_sees_anothers_purpose() -> None:
    """One request would read for another's purpose: 200 at a time, sync and async, over connections that are kept."""
    app = the_app()
    asked = [(KINDS[n % 3], PURPOSES[n % 5], n) for n in range(400)]

    async def main(url: str) -> list[Any]:
        answers: list[Any] = []
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as client:

            async def ask(kind: str, purpose: Any, number: int) -> Any:
                answer = await client.get(f"/{kind}/{purpose.name}/{number}")
                return answer.status_code, answer.json() if answer.status_code == 200 else None

            for start in range(0, len(asked), 200):
                answers += await asyncio.gather(*(ask(*one) for one in asked[start : start + 200]))
        return answers

    with serving(app) as url:
        answers = asyncio.run(main(url))
    wrong = [(one, answer) for one, answer in zip(asked, answers, strict=True) if answer != expected(*one)]
    assert wrong == []
    assert app.state.afterwards == {()}, "what runs after the response is in no scope"


def test_a_refusal_over_a_socket() -> None:
    """What a server adds to a response, or does with an exception, would tell more than the app does."""
    app = an_app(ADVERTISING)
    app.get("/", response_model=Account)(an_account)
    with serving(app) as url:
        response = httpx.get(url)
    assert response.status_code == 403
    assert response.headers["content-type"] == "application/problem+json"
    assert set(response.json()) == {"type", "title", "status", "detail"}
    assert SECRET not in response.text + str(response.headers)


def test_a_streamed_body_over_a_socket_is_in_no_scope() -> None:
    """With a server's own way to send a body, its steps would be in the scope of the request."""
    app = an_app(TWO_FACTOR)

    async def body() -> Any:
        for _ in range(3):
            try:
                yield an_account().phone
            except NoActivePurpose:
                yield "refused "

    @app.get("/")
    async def endpoint() -> StreamingResponse:
        assert an_account().phone
        return StreamingResponse(body())

    with serving(app) as url:
        assert httpx.get(url).text == "refused " * 3


def test_a_client_that_leaves_leaves_nothing_behind() -> None:
    """The next request on the same worker would run for the purpose of the one that was abandoned."""
    app = an_app()
    waiting, seen = asyncio.Event(), the_app()
    app.mount("/rest", seen)

    @app.get("/waits")
    async def waits() -> None:
        waiting.set()
        await asyncio.sleep(0.2)

    with serving(app) as url:
        for _ in range(3):
            with pytest.raises(httpx.ReadTimeout):
                httpx.get(f"{url}/waits", timeout=0.05)
        answer = httpx.get(f"{url}/rest/sync/{PURPOSES[0].name}/5")
    assert (answer.status_code, answer.json()) == expected("sync", PURPOSES[0], 5)


SERVICE = """
import sys
sys.path.insert(0, {tests!r})
from fastapi import FastAPI
from fastapi_calls import Account
from purposebind.integrations.fastapi import require_purposes

app = FastAPI()
require_purposes(app)

@app.get("/people/{{number}}")
def person(number: int) -> Account: ...
"""


def test_uvicorn_does_not_start_a_service_with_a_route_that_states_nothing(tmp_path: Path) -> None:
    """A deployment would go through, and nobody would read the warning."""
    (tmp_path / "service.py").write_text(SERVICE.format(tests=str(TESTS)), encoding="utf-8")
    command = [sys.executable, "-m", "uvicorn", "service:app", "--port", "0"]
    package = str(Path(purposebind.__file__).parents[1])  # wherever these tests have it from
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([package, os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0
    assert "Application startup failed" in done.stderr
    assert "GET /people/{number} (with Account.phone)" in done.stderr


def test_a_plain_app_is_served_as_before() -> None:
    """An app without tags would be slower to answer, or answer differently, only for having this installed."""
    app = FastAPI()
    app.get("/")(lambda: {"hello": "world"})
    install(app)
    with serving(app) as url:
        assert httpx.get(url).json() == {"hello": "world"}
