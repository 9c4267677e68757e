"""Celery, in this process: what a task may read, by what it states and by what its message was sent under."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import celery_app
import pytest
from celery import Celery, beat, chain, chord, current_app, group, signals
from celery_app import ACCOUNT, Account, make_app
from celery_delivery import deliver, published
from cryptography.fernet import Fernet
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR

from purposebind import (
    NoActivePurpose,
    PolicyError,
    Purpose,
    PurposeError,
    PurposeViolation,
    active_purposes,
    purpose_scope,
)
from purposebind.integrations.celery import install
from purposebind.receiving import names_to_send

KEY = Fernet.generate_key()
HEADER = "purposebind_purposes"


@pytest.fixture
def app() -> Iterator[Celery]:
    app = make_app("memory://", "cache+memory://", [KEY], task_default_queue=uuid.uuid4().hex)
    celery_app.handled.clear()
    before = current_app._get_current_object()
    app.set_current()  # as in a worker: what is published there may not know its app
    yield app
    before.set_current()
    assert names_to_send() == ()
    app.close()


def send(app: Celery, name: str, *args: Any, **options: Any) -> Any:
    return app.tasks[name].apply_async(args, **options)


# --- What a task may read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "under", "outcome"),
    [
        ("secure", None, "read"),
        ("secure", SECURITY, "read"),
        ("secure", TWO_FACTOR, "read"),
        ("secure", ADVERTISING, "PurposeViolation"),
        ("advertise", None, "PurposeViolation"),
        ("advertise", SECURITY, "PurposeViolation"),
        ("silent", None, "NoActivePurpose"),
        ("silent", SECURITY, "NoActivePurpose"),
        ("decorated", None, "read"),
        ("decorated", ADVERTISING, "PurposeViolation"),
        ("by_class", None, "read"),
        ("by_class", ADVERTISING, "PurposeViolation"),
        ("bound", None, ["read", "read"]),
        ("bound", ADVERTISING, ["PurposeViolation", "PurposeViolation"]),
    ],
)
@pytest.mark.parametrize("how", ["delivered", "applied", "always eager"])
def test_a_task_reads_what_it_states_narrowed_by_its_sender(
    app: Celery, name: str, under: Any, outcome: object, how: str
) -> None:
    """R2, R3, R4: a job could use data for what its sender was not allowed to, or for nothing that anybody stated."""
    app.conf.task_always_eager = how == "always eager"
    scope = purpose_scope(under) if under else None
    if scope:
        scope.__enter__()
    try:
        result = app.tasks[name].apply((ACCOUNT,)) if how == "applied" else send(app, name, ACCOUNT)
    finally:
        if scope:
            scope.__exit__(None, None, None)
    deliver(app)
    assert result.get(timeout=5) == outcome


def test_a_shared_task_and_a_single_purpose(app: Celery) -> None:
    """R2: a library's tasks, made for whichever app there is, would have no purpose; `purposes=P` would mean none."""
    from celery import shared_task

    name = uuid.uuid4().hex

    def body(account: Account) -> str:
        return celery_app.seen(account)

    shared_task(name=name, purposes=SECURITY)(body)
    result = app.send_task(name, (ACCOUNT,))
    assert name in app.tasks
    deliver(app)
    assert result.get(timeout=5) == "read"


@pytest.mark.parametrize("wrong", ["security", ("security",), (3,)])
def test_purposes_are_purposes(app: Celery, wrong: Any) -> None:
    """R9: a task that names a purpose in a string would run, and be denied, in production only."""
    with pytest.raises(TypeError, match="A purpose is a Purpose object"):
        app.task(name=uuid.uuid4().hex, purposes=wrong, shared=False, lazy=False)(celery_app.seen)


def test_called_as_a_function_a_task_runs_in_its_callers_scope(app: Celery) -> None:
    """R4: a plain call is no message; what the caller may do, the function may, and the caller's purpose stays."""
    with purpose_scope(SECURITY):
        assert app.tasks["silent"](ACCOUNT) == "read"
    with purpose_scope(ADVERTISING):
        assert app.tasks["secure"](ACCOUNT) == "PurposeViolation"


def test_a_denial_says_what_the_message_was_sent_under(app: Celery) -> None:
    """R3: whoever reads the error in the worker's log would look for a purpose that the worker never entered."""
    with purpose_scope(SECURITY):
        result = send(app, "denied", ACCOUNT)
    deliver(app)
    with pytest.raises(PurposeViolation) as caught:
        result.get(timeout=5)
    assert {purpose.name for purpose in caught.value.active} == {"advertising", "security"}
    assert caught.value.field == "Account.phone"
    assert "advertising" in str(caught.value)


# --- Headers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "outcome"),
    [
        ([], "read"),
        (["security"], "read"),
        (["advertising"], "PurposeViolation"),
        (["from.another.release"], "PurposeViolation"),
        (["security", "from.another.release"], "PurposeViolation"),
        ("security", "PurposeViolation"),
        ([3], "PurposeViolation"),
        ({"security": 1}, "PurposeViolation"),
        (True, "PurposeViolation"),
        (None, "read"),
    ],
)
def test_a_header_narrows_or_denies_and_never_widens(app: Celery, header: Any, outcome: str) -> None:
    """R2: what is in a header may be anybody's text, or another release's: it could grant, or be passed over."""
    result = send(app, "secure", ACCOUNT)
    silent = send(app, "silent", ACCOUNT)
    messages = published(app)
    for message in messages:
        message.headers[HEADER] = header
    deliver(app, *messages)
    assert result.get(timeout=5) == outcome
    assert silent.get(timeout=5) != "read"


def test_a_producer_without_the_library_narrows_nothing(app: Celery) -> None:
    """R3: a service that is not changed yet could send no more jobs, or ones that may read anything."""
    plain = Celery("plain", broker="memory://", backend="cache+memory://", set_as_current=False)
    plain.conf.task_default_queue = app.conf.task_default_queue
    result = plain.send_task("state")
    bare = plain.send_task("bare_state")
    assert not any(HEADER in message.headers for message in deliver(app))
    assert app.AsyncResult(result.id).get(timeout=5) == {"active": ["security"], "sent": ["security"]}
    assert app.AsyncResult(bare.id).get(timeout=5)["active"] == []


@pytest.mark.parametrize("protocol", [1, 2])
def test_headers_of_the_callers_own_do_not_replace_ours(app: Celery, protocol: int) -> None:
    """R4: a sender that sets headers would send its purposes away, or grant itself fewer."""
    app.conf.task_protocol = protocol
    with purpose_scope(ADVERTISING):
        send(app, "bare_state", headers={"mine": 1, HEADER: ["security"]})
    (message,) = published(app)
    assert message.headers["mine"] == 1
    assert message.headers[HEADER] == ["advertising", "security"]


def test_protocol_1_is_narrowed_too(app: Celery) -> None:
    """R1, R4: the old protocol keeps everything in the body, and would go past what looks at headers and arguments."""
    from celery.worker.strategy import proto1_to_proto2

    app.conf.task_protocol = 1
    with purpose_scope(ADVERTISING):
        send(app, "secure", ACCOUNT, link=app.signature("secure", (ACCOUNT,), immutable=True))
    (message,) = published(app)
    assert SECRET.encode() not in message.body
    body, headers, _, _ = proto1_to_proto2(message, message.payload)
    args, kwargs, embed = body
    context = {**headers, **embed, "args": args, "kwargs": kwargs, "delivery_info": {}}
    from celery.app.trace import trace_task

    trace_task(app.tasks["secure"], headers["id"], args, kwargs, context, app=app)
    assert app.AsyncResult(headers["id"]).get(timeout=5) == "PurposeViolation"
    (linked,) = published(app)
    assert linked.headers[HEADER] == ["advertising"]


# --- What follows from a message -------------------------------------------------------------------------------------


def outcomes(app: Celery, name: str, messages: list[Any]) -> list[Any]:
    return [app.AsyncResult(m.headers["id"]).get(timeout=5) for m in messages if m.headers["task"] == name]


def test_links_chains_chords_and_groups_are_narrowed_to_the_end(app: Celery) -> None:
    """R4: a worker publishes them, and has no caller; each would run for its own purposes alone."""
    last = app.signature("secure", (ACCOUNT,), immutable=True)
    first = app.signature("bare_state", immutable=True)
    canvases = {
        "link": first.clone().set(link=[last.clone().set(link=[last.clone()])]),
        "chain": chain(first, last, last, last, app=app),
        "chord": chord([first, first], last, app=app),
        "chord in a chain": chain(first, group(last, last, app=app), last, app=app),
        "chain in a chord": chord([chain(first, last, app=app), first], chain(last, last, app=app), app=app),
        "group": group(chain(first, last, app=app), last, app=app),
    }
    for name, canvas in canvases.items():
        for under, expected in ((ADVERTISING, "PurposeViolation"), (SECURITY, "read")):
            with purpose_scope(under):
                canvas.clone().apply_async()
            run = deliver(app)
            found = outcomes(app, "secure", run)
            assert found, name
            assert set(found) == {expected}, name
            assert all(message.headers[HEADER] == [under.name] for message in run), name


def test_a_signature_is_not_stamped_for_the_next_sender(app: Celery) -> None:
    """R4: a signature that is made once and sent often would gather the purposes of all who ever sent it."""
    last = app.signature("secure", (ACCOUNT,), immutable=True)
    first = app.signature("bare_state", immutable=True).set(link=[last])
    with purpose_scope(ADVERTISING):
        first.apply_async()
    deliver(app)
    first.apply_async()
    assert outcomes(app, "secure", deliver(app)) == ["read"]


def test_a_link_that_is_published_in_the_middle_of_nothing_is_narrowed(app: Celery) -> None:
    """R4: after a hard time limit the worker's main process publishes errbacks, with no task and no scope anywhere."""
    from celery.app.task import Context

    errbacks = [app.signature("old_on_error"), app.signature("on_error"), app.signature("on_error", immutable=False)]
    with purpose_scope(ADVERTISING):
        send(app, "secure", ACCOUNT, link_error=errbacks)
    (message,) = published(app)
    args, kwargs, embed = message.payload
    request = Context({**message.headers, **embed, "args": args, "kwargs": kwargs, "delivery_info": {}})
    app.backend.mark_as_failure(request.id, RuntimeError("killed"), request=request)
    assert app.backend.get(f"errback-{request.id}") == "advertising,security"
    (old,) = deliver(app)
    assert old.headers[HEADER] == ["advertising"]
    assert app.backend.get(f"errback-{request.id}") == "advertising,security"


@pytest.mark.parametrize("errback", ["on_error", "old_on_error"])
@pytest.mark.parametrize(("under", "active"), [(ADVERTISING, "advertising,security"), (None, "security")])
def test_errbacks_run_for_their_own_purpose_under_their_senders(
    app: Celery, errback: str, under: Any, active: str
) -> None:
    """R4: old-style errbacks are published by the worker, new ones called by it: both without any task's scope."""
    signature = app.signature("fate", (ACCOUNT, "fail")).set(link_error=[app.signature(errback)])
    if under is None:
        result = signature.apply_async()
    else:
        with purpose_scope(under):
            result = signature.apply_async()
    deliver(app)
    assert app.backend.get(f"errback-{result.id}") == active


@pytest.mark.parametrize(("under", "outcome"), [(ADVERTISING, "PurposeViolation"), (SECURITY, "read"), (None, "read")])
def test_a_retry_keeps_the_header_of_the_first(app: Celery, under: Any, outcome: str) -> None:
    """R4: a retry is asked for in whatever scope the task is in; it would narrow from one to the next, or widen."""
    if under is None:
        result = send(app, "fate", ACCOUNT, "retry")
        header = None
    else:
        header = [under.name]
        with purpose_scope(under):
            result = send(app, "fate", ACCOUNT, "retry")
    first, second = deliver(app)
    assert first.headers.get(HEADER) == second.headers.get(HEADER) == header
    assert f"retry: {outcome}" in result.get(timeout=5)
    assert SECRET.encode() not in second.body


def test_a_retry_with_headers_of_its_own_is_narrowed_still(app: Celery) -> None:
    """R4: `retry(headers=...)` replaces the headers that Celery would send again."""

    @app.task(name="own_headers", bind=True, purposes=(SECURITY,), shared=False)
    def own_headers(self: Any, account: Account) -> str:
        if not self.request.retries:
            raise self.retry(countdown=0, headers={"mine": 1})
        return celery_app.seen(account)

    with purpose_scope(ADVERTISING):
        result = send(app, "own_headers", ACCOUNT)
    deliver(app)
    assert result.get(timeout=5) == "PurposeViolation"


def test_autoretry_and_replace_stay_under_the_sender(app: Celery) -> None:
    """R4: Celery wraps such a task's body once more, and publishes from outside of ours."""
    with purpose_scope(ADVERTISING):
        again = send(app, "auto", ACCOUNT)
        replaced = send(app, "fate", ACCOUNT, "replace")
        forwarded = send(app, "forward", ACCOUNT)
    run = deliver(app)
    assert again.get(timeout=5) == {
        "seen": "PurposeViolation",
        "active": ["advertising", "security"],
        "sent": ["advertising", "security"],
    }
    assert replaced.get(timeout=5) == "PurposeViolation"
    assert app.AsyncResult(forwarded.get(timeout=5)).get(timeout=5) == "PurposeViolation"
    assert all("advertising" in message.headers[HEADER] for message in run)


@pytest.mark.parametrize("made", ["map", "starmap", "chunks"])
def test_mapped_tasks_state_their_purposes_and_are_narrowed(app: Celery, made: str) -> None:
    """R3, R4: they are called one after the other inside a task of Celery's own, which states no purpose."""
    secure, silent = app.tasks["secure"], app.tasks["silent"]
    for task, under, expected in (
        (secure, SECURITY, "read"),
        (secure, ADVERTISING, "PurposeViolation"),
        (silent, SECURITY, "NoActivePurpose"),
    ):
        canvas = {
            "map": lambda task: task.map([ACCOUNT, ACCOUNT]),
            "starmap": lambda task: task.starmap([(ACCOUNT,), (ACCOUNT,)]),
            "chunks": lambda task: task.chunks([(ACCOUNT,), (ACCOUNT,)], 2),
        }[made](task)
        with purpose_scope(under):
            canvas.apply_async()
        (message,) = deliver(app)
        assert SECRET.encode() not in message.body
        assert app.AsyncResult(message.headers["id"]).get(timeout=5) == [expected, expected]


def test_unlocked_chords_are_narrowed(app: Celery) -> None:
    """R4: where the result backend cannot count, a task of Celery's own polls, and publishes the chord's body."""
    body = app.signature("secure", (ACCOUNT,), immutable=True)
    header = [send(app, "bare_state"), send(app, "bare_state")]
    deliver(app)
    with purpose_scope(ADVERTISING):
        app.backend.fallback_chord_unlock(app.GroupResult(uuid.uuid4().hex, header), body, countdown=0)
    run = deliver(app)
    assert [message.headers["task"] for message in run] == ["celery.chord_unlock", "secure"]
    assert outcomes(app, "secure", run) == ["PurposeViolation"]


# --- Handlers, signals, what is left behind --------------------------------------------------------------------------


def test_handlers_run_for_the_tasks_purposes_under_its_senders(app: Celery) -> None:
    """R4: `on_success` and the like are outside of the task's body: they would be denied, or not narrowed."""
    send(app, "by_class", ACCOUNT)
    deliver(app)
    with purpose_scope(ADVERTISING):
        send(app, "by_class", ACCOUNT)
    deliver(app)
    assert celery_app.handled == [("on_success", "read"), ("on_success", "PurposeViolation")]


def test_a_handler_whose_request_is_not_known_reads_nothing(app: Celery) -> None:
    """R3: the main process calls `on_retry` for a task that ran elsewhere, and cannot tell who sent it."""
    app.tasks["by_class"].on_success("read", "id", [ACCOUNT], {})
    assert celery_app.handled == [("on_success", "PurposeViolation")]


FATES = ["done", "retry", "replace", "ignore", "reject", "fail", "exit"]


@pytest.mark.parametrize("what", FATES)
@pytest.mark.parametrize("under", [SECURITY, ADVERTISING])
def test_nothing_is_left_behind(app: Celery, what: str, under: Any) -> None:
    """R5: the next task in this process would run for the purposes of the last one."""

    def worker() -> None:
        with purpose_scope(under):
            send(app, "fate", ACCOUNT, what)
        assert names_to_send() == ()
        try:
            deliver(app)
        except SystemExit:
            assert what == "exit"
        before.append(names_to_send())
        assert active_purposes() == frozenset()
        result = send(app, "bare_state")
        deliver(app)
        states.append(result.get(timeout=5))

    before: list[Any] = []
    states: list[Any] = []
    copy_context().run(worker)
    assert before == [()]
    assert states == [{"active": [], "sent": [], "left": "the user's own"}]  # what a user sets in a task does stay


def test_a_scope_that_a_task_forgot_to_leave_ends_with_it(app: Celery) -> None:
    """R5: one `__enter__` without its `__exit__` would be the purpose of every later task of that process."""

    @app.task(name="forgets", purposes=(SECURITY,), shared=False)
    def forgets() -> None:
        purpose_scope(TWO_FACTOR).__enter__()

    expected = {"forgets": None, "silent": "NoActivePurpose", "secure": "read"}
    for name in ("forgets", "bare_state", "silent", "secure"):
        result = send(app, name, *([ACCOUNT] if name in ("silent", "secure") else []))
        deliver(app)
        assert active_purposes() == frozenset()
        assert names_to_send() == ()
        found = result.get(timeout=5)
        if name == "bare_state":
            assert (found["active"], found["sent"]) == ([], [])
        else:
            assert found == expected[name]


def test_a_worker_that_was_started_in_a_scope_grants_nothing_by_it(app: Celery) -> None:
    """R3, R5: a pool's process is a copy of the one that was forked, with its scope, for as long as it lives."""
    results = [send(app, name, ACCOUNT) for name in ("silent", "secure")]
    with purpose_scope(SECURITY):
        deliver(app)
    assert [result.get(timeout=5) for result in results] == ["NoActivePurpose", "read"]
    result = send(app, "secure", ACCOUNT)
    with purpose_scope(ADVERTISING):
        deliver(app)
    assert result.get(timeout=5) == "PurposeViolation"


def test_a_handover_is_taken_across_a_message(app: Celery) -> None:
    """R4 (b): work that rightly becomes other work would be denied as soon as it goes through a queue."""
    taking = Purpose("celery_orders", "Take the order")
    taking.may_hand_over_to(SECURITY, reason="An order is checked for fraud")
    with purpose_scope(taking):
        result = send(app, "secure", ACCOUNT)
        state = send(app, "state")
    deliver(app)
    assert result.get(timeout=5) == "read"
    assert state.get(timeout=5) == {"active": ["security"], "sent": ["security"]}


def test_what_the_scheduler_sends_runs_for_its_own_purpose(app: Celery) -> None:
    """R3: beat sends from a process where nobody has a purpose; its tasks would be denied, or free of any."""
    app.conf.beat_schedule = {
        name: {"task": name, "schedule": 3600.0, "args": (ACCOUNT,)} for name in ("secure", "silent", "advertise")
    }
    scheduler = beat.Scheduler(app, lazy=True)
    scheduler.setup_schedule()
    results = {
        name: scheduler.apply_async(entry, producer=None)
        for name, entry in scheduler.schedule.items()
        if name in app.conf.beat_schedule
    }
    deliver(app)
    assert {name: result.get(timeout=5) for name, result in results.items()} == {
        "secure": "read",
        "silent": "NoActivePurpose",
        "advertise": "PurposeViolation",
    }


def test_a_header_that_is_applied_narrows_too(app: Celery) -> None:
    """R4: a test that applies a task as a message would bring it has to see what a worker would do."""
    assert app.tasks["secure"].apply((ACCOUNT,), headers={HEADER: ["advertising"]}).get() == "PurposeViolation"


def test_stamps_of_the_users_own_travel_beside_ours(app: Celery) -> None:
    """R4: stamped signatures take another way through Celery's headers."""
    last = app.signature("secure", (ACCOUNT,), immutable=True)
    canvas = chain(app.signature("bare_state", immutable=True), last, app=app)
    canvas.stamp(tenant="north")
    with purpose_scope(ADVERTISING):
        canvas.apply_async()
    run = deliver(app)
    assert outcomes(app, "secure", run) == ["PurposeViolation"]
    assert all(message.headers["stamps"]["tenant"] for message in run)


def test_threads_do_not_see_one_another(app: Celery) -> None:
    """R5: two jobs at once in a pool of threads would narrow, or widen, one another."""
    both = threading.Barrier(2, timeout=10)

    @app.task(name="meet", bind=True, purposes=(SECURITY,), shared=False)
    def meet(self: Any, account: Account) -> str:
        both.wait()
        found = celery_app.seen(account)
        both.wait()
        return found

    with purpose_scope(ADVERTISING):
        narrowed = send(app, "meet", ACCOUNT)
    free = send(app, "meet", ACCOUNT)
    threads = [threading.Thread(target=deliver, args=(app, message)) for message in published(app)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (narrowed.get(timeout=5), free.get(timeout=5)) == ("PurposeViolation", "read")


def test_a_failing_receiver_of_a_signal_opens_nothing(app: Celery) -> None:
    """R3: Celery logs what a receiver raises and goes on; a task would run without what was to be entered for it."""

    def fail(**_: Any) -> None:
        raise RuntimeError("a receiver of the user's")

    signals.task_prerun.connect(fail)
    signals.before_task_publish.connect(fail)
    try:
        with purpose_scope(ADVERTISING):
            result = send(app, "secure", ACCOUNT)
        deliver(app)
        assert result.get(timeout=5) == "PurposeViolation"
    finally:
        signals.task_prerun.disconnect(fail)
        signals.before_task_publish.disconnect(fail)


def test_without_its_signals_a_task_is_narrowed_all_the_same(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    """R4: a test suite that takes all receivers away, to be quiet, would take the narrowing with them."""
    monkeypatch.setattr(signals.task_prerun, "receivers", [])
    monkeypatch.setattr(signals.task_postrun, "receivers", [])
    with purpose_scope(ADVERTISING):
        result = send(app, "secure", ACCOUNT)
    deliver(app)
    assert result.get(timeout=5) == "PurposeViolation"


# --- Eager -----------------------------------------------------------------------------------------------------------


def test_eager_canvases_are_narrowed_by_the_caller(app: Celery) -> None:
    """R4: no message is published; the caller's context would be inherited with all that it may read."""
    app.conf.task_always_eager = True
    first = app.signature("silent", (ACCOUNT,), immutable=True)
    last = app.signature("secure", (ACCOUNT,), immutable=True)
    for canvas in (chain(first, last, app=app), chord([first, first], last, app=app)):
        with purpose_scope(ADVERTISING):
            assert canvas.apply_async().get() == "PurposeViolation"
            assert active_purposes() == {ADVERTISING}
        with purpose_scope(SECURITY):
            assert canvas.apply_async().get() == "read"
    with purpose_scope(SECURITY):
        assert first.apply().get() == "NoActivePurpose"


def test_eager_handover_and_retry(app: Celery) -> None:
    """R4: an eager retry runs inside of the first try."""
    with purpose_scope(ADVERTISING):
        assert "PurposeViolation" in app.tasks["fate"].apply((ACCOUNT, "retry")).get()
    assert names_to_send() == ()


def test_an_eager_error_is_the_denial_itself(app: Celery) -> None:
    """R12: a test suite that runs tasks eagerly has to see the denial, and not what wraps it."""
    app.conf.update(task_always_eager=True, task_eager_propagates=True)
    with pytest.raises(PurposeViolation):
        send(app, "denied", ACCOUNT)
    with purpose_scope(SECURITY), pytest.raises(PurposeViolation):
        send(app, "denied", ACCOUNT)


# --- Installing ------------------------------------------------------------------------------------------------------


def test_tasks_that_were_there_before_are_seen_to() -> None:
    """R4: the order of two lines in a service's start-up would decide whether its jobs are narrowed."""
    app = Celery("late", broker="memory://", backend="cache+memory://", set_as_current=False)
    app.conf.task_default_queue = uuid.uuid4().hex

    def body(account: Account) -> str:
        return celery_app.seen(account)

    app.task(name="pending", purposes=(SECURITY,), shared=False)(body)
    app.task(name="evaluated", purposes=(SECURITY,), shared=False, lazy=False)(body)
    assert app.amqp
    assert app.backend
    install(app, keys=[KEY])
    install(app, keys=[KEY])
    for name in ("pending", "evaluated"):
        free = send(app, name, ACCOUNT)
        with purpose_scope(ADVERTISING):
            narrowed = send(app, name, ACCOUNT)
        deliver(app)
        assert (free.get(timeout=5), narrowed.get(timeout=5)) == ("read", "PurposeViolation")
    app.close()


def test_annotations_of_a_tasks_run_stay_in_force() -> None:
    """A service that annotates its tasks in its settings would find its annotations gone."""

    def around(run: Any) -> Any:
        return lambda self, *args: ["around", run(*args)]  # Celery makes a method of it

    annotations = {"annotated": {"@run": around}}
    queue = uuid.uuid4().hex
    app = make_app("memory://", "cache+memory://", [KEY], task_default_queue=queue, task_annotations=annotations)

    @app.task(name="annotated", purposes=(SECURITY,), shared=False)
    def annotated(account: Account) -> str:
        return celery_app.seen(account)

    result = send(app, "annotated", ACCOUNT)
    deliver(app)
    assert result.get(timeout=5) == ["around", "read"]
    app.close()


def test_another_app_of_the_process_stays_as_it_is(app: Celery) -> None:
    """One app's purposes would reach into another's, whose tasks were never told of them."""
    other = Celery("other", broker="memory://", backend="cache+memory://", set_as_current=False)
    other.conf.task_default_queue = uuid.uuid4().hex

    @other.task(name="add", shared=False)
    def add(one: int, two: int) -> int:
        return one + two

    with purpose_scope(ADVERTISING):
        result = add.delay(1, 2)
    (message,) = deliver(other)
    assert HEADER not in message.headers
    assert result.get(timeout=5) == 3
    other.close()


def test_keys_are_fernet_keys() -> None:
    """A password taken for a key would fail at the first message; and an error that quotes it would print it."""
    app = Celery("keys", broker="memory://", set_as_current=False)
    with pytest.raises(PolicyError, match=r"keys\[1\] is no Fernet key") as caught:
        install(app, keys=[KEY, b"hunter2"])
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None
    with pytest.raises(TypeError, match="takes a list of keys"):
        install(app, keys=KEY)  # type: ignore[arg-type]


def test_errors_are_of_the_librarys_tree() -> None:
    """R12: code that catches the library's errors would miss these."""
    assert issubclass(NoActivePurpose, PurposeError)
