"""Celery with real parts: worker processes, and a Redis server as broker and result backend that is read through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from celery import Celery, chain, chord, current_app
from real_parts import need

need("redis-server")

from celery_app import ACCOUNT, Account, make_app  # noqa: E402
from celery_worker import Worker  # noqa: E402
from cryptography.fernet import Fernet  # noqa: E402
from purposes import ADVERTISING, SECRET, SECURITY  # noqa: E402
from redis_server import RedisServer  # noqa: E402

from purposebind import AllowedFor, NoActivePurpose, PurposeError, PurposeViolation, Sealed, purpose_scope  # noqa: E402
from purposebind.receiving import names_to_send  # noqa: E402

OLD_KEY, KEY, FOREIGN_KEY = (Fernet.generate_key() for _ in range(3))
SECRET_BYTES = SECRET.encode()
PLAIN_PARTS = (SECRET_BYTES, SECRET_BYTES.strip(b"+"), SECRET_BYTES.hex().encode())


class Service(NamedTuple):
    """A broker, a worker, and the app that sends to it."""

    app: Celery
    server: RedisServer
    worker: Worker

    def assert_sealed(self) -> None:
        """Look through all that was ever sent to Redis, and all that the worker logged."""
        ever = self.server.ever_sent()
        assert b"__type__" in ever or b"Parcel" in ever, "nothing was sealed at all"
        for part in PLAIN_PARTS:
            assert part not in ever
            assert part.decode() not in self.worker.log()


def sender(server: RedisServer, keys: list[bytes]) -> Celery:
    app = make_app(server.url, server.url, keys, accept_content=["json", "pickle"])
    app.set_current()
    return app


@pytest.fixture(scope="module", params=["prefork", "threads"])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    before = current_app._get_current_object()
    with RedisServer() as server:
        app = sender(server, [KEY])
        with Worker(server.url, [KEY, OLD_KEY], "-P", request.param, "-c", "1") as worker:
            yield Service(app, server, worker)
        app.close()
        before.set_current()


# --- What travels ----------------------------------------------------------------------------------------------------


def test_what_waits_in_the_broker_is_sealed() -> None:
    """R1: a queue is read by whoever may read the broker, and is written to its disk."""
    before = current_app._get_current_object()
    with RedisServer() as server:
        app = sender(server, [KEY])
        box = Sealed.of(SECRET, AllowedFor(SECURITY))
        secure = app.signature("secure", (ACCOUNT,), immutable=True)
        with purpose_scope(SECURITY):
            results = {
                "task": app.tasks["secure"].delay(ACCOUNT),
                "keyword": app.tasks["secure"].apply_async(kwargs={"account": ACCOUNT}),
                "by name": app.send_task("secure", (ACCOUNT,)),
                "base": app.tasks["bound"].delay(ACCOUNT),
                "class": app.tasks["by_class"].delay(ACCOUNT),
                "pickle": app.send_task("secure", (ACCOUNT,), serializer="pickle"),
                "compressed": app.tasks["secure"].apply_async((ACCOUNT,), compression="zlib"),
                "later": app.tasks["secure"].apply_async((ACCOUNT,), countdown=1),
                "nested": app.tasks["deep"].delay({"accounts": [ACCOUNT, {"box": box}]}),
                "pydantic": app.tasks["pydantic"].delay(ACCOUNT),
                "chain": chain(secure, app.signature("give_back", (ACCOUNT,), immutable=True), secure).apply_async(),
                "chord": chord([secure, secure], secure).apply_async(),
                "link": secure.clone().set(link=[secure], link_error=[app.signature("on_error", (ACCOUNT,))]).delay(),
                "starmap": app.tasks["secure"].starmap([(ACCOUNT,), (ACCOUNT,)]).apply_async(),
            }
        waiting = server.stored()
        assert waiting.count(b"__type__") > len(results)
        for part in PLAIN_PARTS:
            assert part not in waiting
        assert b"<sealed: security>" in waiting  # in the headers that tell what the arguments are
        with Worker(server.url, [KEY], "-P", "prefork", "-c", "1") as worker:
            got = {name: result.get(timeout=30) for name, result in results.items()}
            results.clear()
            service = Service(app, server, worker)
            service.assert_sealed()
        assert type(got.pop("pydantic")) is Account
        assert got.pop("base") == ["read", "read"]
        assert got.pop("nested") == ["read", "Sealed"]
        assert got.pop("starmap") == ["read", "read"]
        assert set(got.values()) == {"read"}
        kept = server.stored()
        for part in PLAIN_PARTS:
            assert part not in kept
        app.close()
        before.set_current()


def test_what_is_in_the_broker_would_be_found() -> None:
    """A search that finds nothing, whatever there is, would let everything pass."""
    with RedisServer() as server:
        app = Celery("plain", broker=server.url, set_as_current=False)
        app.send_task("plain", (SECRET,), argsrepr="", ignore_result=True)
        assert SECRET_BYTES in server.stored()
        assert SECRET_BYTES in server.ever_sent()
        app.close()
    with RedisServer() as server:
        app = Celery("plain", broker=server.url, set_as_current=False)
        app.send_task("plain", (SECRET,), argsrepr="", ignore_result=True, compression="zlib")
        assert SECRET_BYTES in server.stored()
        assert SECRET_BYTES in server.ever_sent()
        app.close()


def test_results_are_sealed(service: Service) -> None:
    """R1: a result stands in the backend for a day, and goes over the wire to whoever waits for it."""
    one = service.app.tasks["give_back"].delay(ACCOUNT).get(timeout=30)
    many = service.app.tasks["give_many"].delay(ACCOUNT).get(timeout=30)
    together = chord(
        [service.app.signature("give_back", (ACCOUNT,))] * 2, service.app.signature("collect")
    ).apply_async()
    passed_on = chain(service.app.signature("give_back", (ACCOUNT,)), service.app.signature("secure")).apply_async()
    assert together.get(timeout=30) == ["read", "read"]
    assert passed_on.get(timeout=30) == "read"
    with pytest.raises(NoActivePurpose):
        one.phone
    with purpose_scope(SECURITY):
        assert (one.phone, many["boxes"][0].open()) == (SECRET, SECRET)
    service.assert_sealed()


def test_failures_show_nothing(service: Service) -> None:
    """R7: an exception is stored, logged, and sent in an event, with its text and its traceback."""
    denied = service.app.tasks["denied"].delay(ACCOUNT)
    failed = service.app.tasks["fate"].delay(ACCOUNT, "fail")
    with pytest.raises(PurposeViolation) as caught:
        denied.get(timeout=30)
    assert caught.value.field == "Account.phone"
    assert caught.value.active == (ADVERTISING,)
    with pytest.raises(Exception, match="the order is gone"):
        failed.get(timeout=30)
    service.assert_sealed()


def test_a_foreign_key_fails_the_task_and_an_old_one_does_not(service: Service) -> None:
    """R1: a message that cannot be opened would be dropped by the worker, and its sender would wait for ever."""
    old, foreign = sender(service.server, [OLD_KEY]), sender(service.server, [FOREIGN_KEY])
    try:
        assert old.tasks["secure"].delay(ACCOUNT).get(timeout=30) == "read"
        with pytest.raises(PurposeError, match="A sealed value cannot be opened"):
            foreign.tasks["secure"].delay(ACCOUNT).get(timeout=30)
    finally:
        service.app.set_current()
        old.close()
        foreign.close()


# --- What may be read ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("under", "outcome"), [(None, "read"), (SECURITY, "read"), (ADVERTISING, "PurposeViolation")])
def test_what_a_message_was_sent_under_narrows_all_that_follows(service: Service, under: Any, outcome: str) -> None:
    """R4: retries, links, chains and chords are published by the worker, which has no caller."""
    app = service.app
    secure = app.signature("secure", (ACCOUNT,), immutable=True)
    first = app.signature("bare_state", immutable=True)
    retry = app.signature("fate", (ACCOUNT, "retry"), immutable=True)
    auto = app.signature("auto", (ACCOUNT,), immutable=True)

    def send() -> list[Any]:
        return [
            chain(first, first, secure).apply_async(),
            chord([first, first], secure).apply_async(),
            chord([first, chain(first, first)], chain(first, secure)).apply_async(),
            secure.apply_async(countdown=0.1),
            retry.apply_async(),
            auto.apply_async(),
            app.tasks["silent"].delay(ACCOUNT),
        ]

    if under is None:
        results = send()
    else:
        with purpose_scope(under):
            results = send()
    *canvases, retried, auto_retried, silent = [result.get(timeout=30) for result in results]
    assert canvases == [outcome] * 4
    assert f"retry: {outcome}" in retried
    assert auto_retried["seen"] == outcome
    assert auto_retried["sent"] == sorted({"security", *([under.name] if under else [])})
    assert silent == "NoActivePurpose"
    service.assert_sealed()


def test_nothing_is_left_behind_in_a_worker(service: Service) -> None:
    """R5: this worker has one process, or one thread: what a task leaves is there for the next."""
    fates = ["done", "retry", "replace", "ignore", "reject", "fail"]
    for what in fates:
        for under in (SECURITY, ADVERTISING):
            with purpose_scope(under):
                service.app.tasks["fate"].delay(ACCOUNT, what)
    state = service.app.tasks["bare_state"].delay().get(timeout=30)
    assert (state["active"], state["sent"]) == ([], [])
    assert state["left"] == "the user's own", "nothing ran before in this context, so nothing was shown"
    assert names_to_send() == ()


@pytest.mark.parametrize("errback", ["on_error", "old_on_error"])
@pytest.mark.parametrize(("under", "active"), [(ADVERTISING, "advertising,security"), (None, "security")])
def test_errbacks_are_narrowed(service: Service, errback: str, under: Any, active: str) -> None:
    """R4: old-style errbacks are published by the worker, new ones run in it, outside of any task."""
    failing = service.app.signature("fate", (ACCOUNT, "fail")).set(link_error=[service.app.signature(errback)])
    if under is None:
        result = failing.apply_async()
    else:
        with purpose_scope(under):
            result = failing.apply_async()
    assert service.server.told(f"errback-{result.id}") == active


@pytest.mark.parametrize("service", ["prefork"], indirect=True)  # threads have no time limits
@pytest.mark.parametrize("errback", ["on_error", "old_on_error"])
def test_a_hard_time_limit_narrows_still_and_leaves_nothing(service: Service, errback: str) -> None:
    """R4, R5: the process of the task is killed, and the worker's main process does what is left to do."""
    hanging = service.app.signature("fate", (ACCOUNT, "hang")).set(link_error=[service.app.signature(errback)])
    with purpose_scope(ADVERTISING):
        result = hanging.apply_async(time_limit=1)
    assert service.server.told(f"hanging-{result.id}") == "now"
    assert "unacked" in service.server.names()
    for part in PLAIN_PARTS:
        assert part not in service.server.stored()
    assert service.server.told(f"errback-{result.id}") == "advertising,security"
    state = service.app.tasks["bare_state"].delay().get(timeout=30)
    assert (state["active"], state["sent"]) == ([], [])
    service.assert_sealed()


@pytest.mark.parametrize("service", ["prefork"], indirect=True)
def test_a_process_that_is_killed_leaves_nothing(service: Service) -> None:
    """R5: what the process leaves to its successor, and its main process says of it, is nothing of the task's."""
    ending = service.app.signature("fate", (ACCOUNT, "kill")).set(link_error=[service.app.signature("on_error")])
    with purpose_scope(ADVERTISING):
        result = ending.apply_async()
    assert service.server.told(f"errback-{result.id}") == "advertising,security"
    state = service.app.tasks["bare_state"].delay().get(timeout=30)
    assert (state["active"], state["sent"]) == ([], [])
    service.assert_sealed()


def test_what_the_worker_tells_of_itself_is_sealed(service: Service) -> None:
    """R1: `celery inspect` sends what is scheduled, arguments and all, through the broker."""
    later = service.app.tasks["secure"].apply_async((ACCOUNT,), countdown=600)
    service.app.tasks["bare_state"].delay().get(timeout=30)  # so that the one before was received
    inspect = service.app.control.inspect(timeout=30, limit=1)
    scheduled = [entry for entries in (inspect.scheduled() or {}).values() for entry in entries]
    assert [entry["request"]["id"] for entry in scheduled] == [later.id]
    assert SECRET not in repr(scheduled)
    service.assert_sealed()
    later.revoke()
