"""A FastAPI app on a real server, for tests and for the command that shows it under load.

Each route returns what is in force at each place of a request: in a sync and an async dependency, in the endpoint, and
while the response is serialized, where a tagged model says it. A background task notes what it sees.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Annotated, Any

import uvicorn
from fastapi import BackgroundTasks, Depends, FastAPI
from pydantic import field_serializer

from purposebind import AllowedFor, Purpose, PurposeModel, SubjectId, active_purposes
from purposebind.integrations.fastapi import for_purpose, install, require_purposes

__all__ = ["KINDS", "PURPOSES", "READABLE", "expected", "serving", "the_app"]

READABLE = Purpose("load_readable", "Read what is tagged, under load")
PURPOSES = [*(READABLE.child(f"p{number}", "One of several") for number in range(4)), Purpose("load_other", "Refused")]
"""What requests are for; the last one may not read."""
KINDS = ["async", "sync", "mixed"]


class Seen(PurposeModel):
    id: Annotated[int, SubjectId]
    places: list[list[str]]
    phone: Annotated[str, AllowedFor(READABLE)]

    @field_serializer("phone")
    def and_while_serialized(self, phone: str) -> str:
        return f"{phone} {','.join(_names())}"


def _names() -> list[str]:
    return sorted(purpose.name for purpose in active_purposes())


async def a_dependency() -> list[str]:
    await asyncio.sleep(0)
    return _names()


def a_sync_dependency() -> list[str]:
    return _names()


_One = Annotated[list[str], Depends(a_dependency)]
_Two = Annotated[list[str], Depends(a_sync_dependency)]


def the_app() -> FastAPI:
    """The app, with everything installed. What background tasks saw is in ``app.state.afterwards``."""
    app = FastAPI()
    install(app)
    require_purposes(app)
    afterwards = app.state.afterwards = set[tuple[str, ...]]()

    def note() -> None:
        afterwards.add(tuple(_names()))

    for purpose in PURPOSES:
        stated = [Depends(for_purpose(purpose))]

        @app.get(f"/async/{purpose.name}/{{number}}", dependencies=stated)
        async def of_async(number: int, one: _One, two: _Two, tasks: BackgroundTasks) -> Seen:
            tasks.add_task(note)
            await asyncio.sleep(0)
            return Seen(id=number, places=[one, two, _names()], phone=f"+1555{number}")

        @app.get(f"/sync/{purpose.name}/{{number}}", dependencies=stated)
        def of_sync(number: int, one: _One, two: _Two, tasks: BackgroundTasks) -> Seen:
            tasks.add_task(note)
            return Seen(id=number, places=[one, two, _names()], phone=f"+1555{number}")

        @app.get(f"/mixed/{purpose.name}/{{number}}")
        @for_purpose(purpose)
        async def of_mixed(number: int, two: _Two, one: _One, tasks: BackgroundTasks) -> Seen:
            tasks.add_task(note)
            here, there = await asyncio.gather(a_dependency(), asyncio.to_thread(a_sync_dependency))
            return Seen(id=number, places=[one, two, here, there], phone=f"+1555{number}")

    return app


def expected(kind: str, purpose: Purpose, number: int) -> tuple[int, Any]:
    """Return the status and the body that are right for a request."""
    if purpose is PURPOSES[-1]:
        return 403, None
    places = [[purpose.name]] * (4 if kind == "mixed" else 3)
    return 200, {"id": number, "places": places, "phone": f"+1555{number} {purpose.name}"}


@contextlib.contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve `app` by uvicorn on a socket of this machine, in a thread; yields its URL."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    # A busy machine may leave a connection alone for longer than the 5 s after which uvicorn closes it under a request.
    config = uvicorn.Config(app, log_level="critical", lifespan="on", ws="none", timeout_keep_alive=600)
    started = threading.Event()

    class Told(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started.set()

    server = Told(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        if not started.wait(30):
            raise TimeoutError("the server did not start")
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
