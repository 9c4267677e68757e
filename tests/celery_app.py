"""The app that Celery's tests send to. Workers load it (`celery -A celery_app worker`); other tests make their own.

A worker gets the broker's address and the keys from the environment.
"""

from __future__ import annotations

import functools
import os
import signal
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated, Any

from celery import Celery, Task
from celery.exceptions import Ignore, Reject
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR
from pydantic import BaseModel

from purposebind import AllowedFor, PurposeModel, Sealed, SubjectId, active_purposes, purpose_scope
from purposebind.integrations.celery import install
from purposebind.receiving import names_to_send


class Account(PurposeModel):
    """What travels."""

    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(SECURITY)]


class Household(BaseModel):
    """A plain model around a tagged one."""

    name: str
    owner: Account


@dataclass
class Basket:
    """No model at all, around a tagged one."""

    owner: Account


class Other(Task):
    """A base class that knows nothing of the app's own, and has a `__call__` of its own."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        assert all(type(value) is not str for value in args)
        return super().__call__(*args, **kwargs)


ACCOUNT = Account(id=7, phone=SECRET)
left_behind: ContextVar[str] = ContextVar("left_behind", default="")
handled: list[tuple[str, Any]] = []
"""What handlers and errbacks of this process saw."""


def state() -> dict[str, Any]:
    """What is in force here, in words that any serializer knows."""
    return {"active": sorted(p.name for p in active_purposes()), "sent": list(names_to_send())}


def seen(account: Any) -> str:
    """Whether the phone can be read here, in a word that is not the phone."""
    assert type(account) is Account, type(account)
    try:
        return "read" if account.phone == SECRET else "another"
    except Exception as error:
        return type(error).__name__


def tell(app: Celery, key: str, text: str) -> None:
    """Leave a word in the result backend, and in a list of Redis's, where a test can wait for it."""
    app.backend.set(key, text)
    push = getattr(app.backend.client, "rpush", None)
    if push is not None:
        push(f"told-{key}", text)


def make_app(broker: str, backend: str, keys: list[bytes], **settings: Any) -> Celery:
    """Return an app with all the tasks that the tests send."""
    app = Celery("shop", broker=broker, backend=backend, set_as_current=False)
    install(app, keys=keys)
    app.conf.update(
        broker_transport_options={"visibility_timeout": 600},
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        worker_send_task_events=True,
        task_send_sent_event=True,
        **settings,
    )
    add_tasks(app)
    add_fates(app)
    return app


def add_tasks(app: Celery) -> None:
    """Tasks by what they read and return."""
    task = functools.partial(app.task, shared=False)  # a shared one would be every other app's of the process, too

    @task(name="secure", purposes=(SECURITY,))
    def secure(account: Account, *more: Any) -> str:
        return seen(account)

    @task(name="advertise", purposes=(ADVERTISING,))
    def advertise(account: Account, *more: Any) -> str:
        return seen(account)

    @task(name="silent")
    def silent(account: Account, *more: Any) -> str:
        return seen(account)

    @task(name="bound", bind=True, base=Other, purposes=(TWO_FACTOR,))
    def bound(self: Task, account: Account) -> list[str]:
        assert self.request.args == [account] or self.request.args == (account,)
        return [seen(account), seen(self.request.args[0])]

    @task(name="decorated")
    @purpose_scope(SECURITY)
    def decorated(account: Account) -> str:
        return seen(account)

    @task(name="give_back", purposes=(SECURITY,))
    def give_back(account: Account, *more: Any) -> Account:
        return account

    @task(name="give_many", purposes=(SECURITY,))
    def give_many(account: Account) -> dict[str, Any]:
        box = Sealed.of(SECRET, AllowedFor(SECURITY))
        return {"one": account, "boxes": [box, (account,)], "basket": Basket(account), "plain": 3}

    @task(name="deep", purposes=(SECURITY,))
    def deep(nested: Any) -> list[str]:
        return [seen(nested["accounts"][0]), type(nested["accounts"][1]["box"]).__name__]

    @task(name="pydantic", pydantic=True, purposes=(SECURITY,))
    def with_pydantic(account: Account) -> Account:
        assert seen(account) == "read"
        return account

    @task(name="pydantic_household", pydantic=True, purposes=(SECURITY,))
    def household(household: Household) -> Household:
        assert type(household) is Household
        assert seen(household.owner) == "read"
        return household

    @task(name="collect", purposes=(SECURITY,))
    def collect(accounts: list[Account]) -> list[str]:
        return [seen(account) for account in accounts]

    @task(name="state", bind=True, purposes=(SECURITY,))
    def tell_state(self: Task, *ignored: Any) -> dict[str, Any]:
        return state()

    @task(name="bare_state")
    def bare_state(*ignored: Any) -> dict[str, Any]:
        return {**state(), "left": left_behind.get()}

    @task(name="forward", bind=True, purposes=(SECURITY,))
    def forward(self: Task, account: Account) -> str:
        return str(app.tasks["secure"].delay(account).id)

    class ByClass(Task):
        name = "by_class"
        purposes = (SECURITY,)

        def run(self, account: Account) -> str:
            return seen(account)

        def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
            handled.append(("on_success", seen(args[0])))

    app.register_task(ByClass())


def add_fates(app: Celery) -> None:
    """Tasks by what becomes of them."""
    task = functools.partial(app.task, shared=False)

    @task(name="fate", bind=True, purposes=(SECURITY,), max_retries=2, acks_late=True)
    def fate(self: Task, account: Account, what: str) -> str:
        left_behind.set("the user's own")
        if what == "retry" and self.request.retries < 1:
            with purpose_scope(ADVERTISING):  # the scope it is asked for in is nobody's business
                raise self.retry(countdown=0)
        if what == "replace":
            raise self.replace(app.signature("secure", (account,)))
        if what == "ignore":
            raise Ignore
        if what == "reject":
            raise Reject(requeue=False)
        if what == "fail":
            raise ValueError("the order is gone", account)
        if what == "exit":
            raise SystemExit
        if what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "hang":
            tell(app, f"hanging-{self.request.id}", "now")
            time.sleep(600)
        return f"{what}: {seen(account)}, {len(self.request.headers or {})}"

    @task(name="denied", purposes=(ADVERTISING,))
    def denied(account: Account) -> str:
        return account.phone

    @task(name="auto", bind=True, purposes=(SECURITY,), autoretry_for=(OSError,), default_retry_delay=0)
    def auto(self: Task, account: Account) -> dict[str, Any]:
        if self.request.retries < 1:
            raise OSError
        return {"seen": seen(account), **state()}

    @task(name="on_error", purposes=(SECURITY,))
    def on_error(request: Any, error: Any, traceback: Any) -> None:
        tell(app, f"errback-{request.id}", ",".join(state()["active"]) or "nothing")

    @task(name="old_on_error", purposes=(SECURITY,))
    def old_on_error(task_id: str) -> None:
        tell(app, f"errback-{task_id}", ",".join(state()["active"]) or "nothing")


if "PURPOSEBIND_TEST_BROKER" in os.environ:
    _url = os.environ["PURPOSEBIND_TEST_BROKER"]
    _keys = [key.encode() for key in os.environ["PURPOSEBIND_TEST_KEYS"].split(",")]
    app = make_app(_url, _url, _keys, accept_content=["json", "pickle"])
