"""Sentry: what an event holds of the code's variables, with the real SDK and a transport that keeps what is sent."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import pytest
import sentry_sdk
from purposes import ADVERTISING, SECRET, TWO_FACTOR
from sentry_sdk import integrations as sentry_integrations
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.integrations.threading import ThreadingIntegration
from sentry_sdk.transport import Transport

from purposebind import AllowedFor, PurposeModel, PurposeViolation, Sealed, SubjectId, configure, purpose_scope
from purposebind.integrations.sentry import (
    before_breadcrumb,
    before_send,
    before_send_log,
    before_send_transaction,
)
from purposebind.integrations.sentry import hooks as hooks_module

PERSON = 7731998879
"""A person's number that occurs nowhere else."""
PLAIN = "ada@lovelace.example"
"""What no tagged field holds."""
HOOKS: dict[str, Any] = {
    "before_send": before_send,
    "before_send_transaction": before_send_transaction,
    "before_send_log": before_send_log,
    "before_breadcrumb": before_breadcrumb,
}


class Account(PurposeModel):
    id: Annotated[int, SubjectId] = PERSON
    phone: Annotated[str, AllowedFor(TWO_FACTOR)] = SECRET
    born: Annotated[int, AllowedFor(TWO_FACTOR)] = 1984


class Captured(Transport):
    """Keeps what would be sent."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.envelopes: list[Envelope] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)

    @property
    def text(self) -> str:
        return "\n".join(envelope.serialize().decode() for envelope in self.envelopes)

    @property
    def events(self) -> list[dict[str, Any]]:
        items = [item for envelope in self.envelopes for item in envelope.items]
        return [json.loads(item.get_bytes()) for item in items if item.type in ("event", "transaction", "log")]


class Sentry:
    """The SDK with a client of one test's own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Integrations patch the standard library, once for a process: what they patch is put back afterwards.
        for owner, name in (
            (logging.Logger, "callHandlers"),
            (threading.Thread, "start"),
            (threading.Thread, "run"),
            (concurrent.futures.ThreadPoolExecutor, "submit"),
        ):
            monkeypatch.setattr(owner, name, getattr(owner, name))
        for name in ("_processed_integrations", "_installed_integrations"):
            monkeypatch.setattr(sentry_integrations, name, set(getattr(sentry_integrations, name)))
        self.clients: list[sentry_sdk.Client] = []

    def init(self, **options: Any) -> Captured:
        client = sentry_sdk.Client(
            dsn="https://key@sentry.invalid/1",
            transport=Captured,
            **{
                "default_integrations": False,
                "auto_enabling_integrations": False,
                "integrations": [LoggingIntegration(), ThreadingIntegration(propagate_scope=True)],
                "include_local_variables": True,
                "enable_backpressure_handling": False,
                "auto_session_tracking": False,
                **HOOKS,
                **options,
            },
        )
        self.clients.append(client)
        sentry_sdk.get_isolation_scope().set_client(client)
        assert isinstance(client.transport, Captured)
        return client.transport


@pytest.fixture
def sentry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sentry]:
    made = Sentry(monkeypatch)
    with sentry_sdk.isolation_scope() as scope:
        scope.clear()
        yield made
        for client in made.clients:
            client.close(timeout=0)
    assert not sentry_sdk.get_client().is_active(), "the SDK is left as it was"


@pytest.fixture
def logger() -> logging.Logger:
    return logging.getLogger("purposebind_sentry_test")


def dial(account: Account, *, message: str = "no line") -> None:
    with purpose_scope(TWO_FACTOR):
        phone = account.phone
        digits = list(phone)  # noqa: F841
        again = False  # noqa: F841
        nothing = None  # noqa: F841
        raise OSError(message + (phone if message.endswith(" ") else ""))


def variables(event: Mapping[str, Any], function: str = "dial") -> dict[str, Any]:
    found = [
        frame["vars"]
        for error in event["exception"]["values"]
        for frame in error["stacktrace"]["frames"]
        if frame["function"] == function
    ]
    return found[-1]


# --- Frames ----------------------------------------------------------------------------------------------------------


def test_without_the_hook_the_values_are_sent(sentry: Sentry) -> None:
    """The tests below would prove nothing if Sentry sent no variables."""
    sent = sentry.init(before_send=None)
    try:
        dial(Account())
    except OSError:
        sentry_sdk.capture_exception()
    assert f"'{SECRET}'" in variables(sent.events[0])["phone"]


def test_variables_keep_their_names_and_kinds(sentry: Sentry) -> None:
    """A phone number that was read for a login code would be kept by another company for ninety days."""
    sent = sentry.init()
    account = Account()
    try:
        dial(account)
    except OSError:
        sentry_sdk.capture_exception()
    (event,) = sent.events
    assert variables(event) == {
        "account": "<Account>",
        "phone": "<str>",
        "digits": "<list>",
        "message": "<str>",
        "again": "False",
        "nothing": "None",
    }
    assert SECRET not in sent.text
    assert str(PERSON) not in sent.text
    frame = event["exception"]["values"][0]["stacktrace"]["frames"][-1]
    assert frame["function"] == "dial"
    assert "raise OSError" in frame["context_line"], "the code is still there to be looked at"


def test_chained_exceptions_are_cleaned_too(sentry: Sentry) -> None:
    """Most errors arrive wrapped, and the frame that read the value is the inner one's."""
    sent = sentry.init()
    try:
        try:
            try:
                dial(Account(), message="cannot dial ")
            except OSError:
                raise LookupError("second")  # noqa: B904
        except LookupError as error:
            raise RuntimeError("third") from error
    except RuntimeError:
        sentry_sdk.capture_exception()
    assert [error["type"] for error in sent.events[0]["exception"]["values"]] == [
        "OSError",
        "LookupError",
        "RuntimeError",
    ]
    assert "cannot dial <sealed: security.two_factor>" in sent.text
    assert SECRET not in sent.text


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the language has no exception groups before 3.11")
def test_exception_groups_are_cleaned_too(sentry: Sentry) -> None:
    """A task group raises what each of its tasks had read."""
    sent = sentry.init()

    async def work(account: Account) -> None:
        await asyncio.sleep(0)
        dial(account, message="cannot dial ")

    async def both() -> None:
        async with asyncio.TaskGroup() as group:  # type: ignore[attr-defined]
            group.create_task(work(Account()))
            group.create_task(work(Account()))

    try:
        asyncio.run(both())
    except Exception:
        sentry_sdk.capture_exception()
    assert sent.text.count("cannot dial <sealed: security.two_factor>") >= 2
    assert variables(sent.events[0])["phone"] == "<str>"
    assert SECRET not in sent.text


def test_what_a_thread_died_of_is_cleaned_too(sentry: Sentry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentry reports threads by itself, from inside of them."""
    sent = sentry.init()
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    thread = threading.Thread(target=dial, args=(Account(),), kwargs={"message": "cannot dial "})
    thread.start()
    thread.join()
    (event,) = sent.events
    assert variables(event)["phone"] == "<str>"
    assert event["exception"]["values"][0]["value"] == "cannot dial <sealed: security.two_factor>"
    assert SECRET not in sent.text


def test_the_stack_of_a_message_is_cleaned_too(sentry: Sentry, logger: logging.Logger) -> None:
    """With `attach_stacktrace` every message brings the frames of whoever sent it."""
    sent = sentry.init(attach_stacktrace=True)

    def send(account: Account) -> None:
        with purpose_scope(TWO_FACTOR):
            phone = account.phone
            sentry_sdk.capture_message(f"no answer from {phone}")
            logger.error("no answer from %s", phone)
            logger.error("with its stack", stack_info=True)

    send(Account())
    assert SECRET not in sent.text
    assert len(sent.events) == 3
    for event in sent.events:
        (thread,) = event["threads"]["values"]
        (frame,) = (frame for frame in thread["stacktrace"]["frames"] if frame["function"] == "send")
        assert frame["vars"] == {"account": "<Account>", "phone": "<str>", "logger": "<Logger>"}
    assert sent.events[0]["message"] == "no answer from <sealed: security.two_factor>"


def test_a_model_in_the_exception_or_in_a_caller_is_enough(sentry: Sentry) -> None:
    """The function that fails often has nothing but the plain value."""
    sent = sentry.init()

    def fail(phone: str, **more: Any) -> None:
        error = OSError(f"cannot dial {phone}")
        vars(error).update(more)
        raise error

    def report() -> None:
        try:
            fail(SECRET)
        except OSError:
            sentry_sdk.capture_exception()

    account = Account()
    report()
    assert sent.events[0]["exception"]["values"][0]["value"] == "cannot dial <sealed: security.two_factor>"
    del account
    sealed = AllowedFor(TWO_FACTOR)

    def failure(*arguments: Any, **attributes: Any) -> Exception:
        made = OSError(f"cannot dial {SECRET}", *arguments)
        vars(made).update(attributes)
        return made

    def early() -> Exception:
        try:
            fail(SECRET, box=Sealed.of(SECRET, sealed))
        except OSError as error:
            return error
        raise AssertionError

    for make in (
        lambda: failure(Sealed.of(SECRET, sealed)),
        lambda: failure(box=Sealed.of(SECRET, sealed)),
        lambda: _caused(failure(), early()),
    ):
        try:
            raise make()
        except OSError:
            sentry_sdk.capture_exception()
    assert len(sent.events) == 4
    assert sent.text.count("cannot dial <sealed: security.two_factor>") >= 4
    assert SECRET not in sent.text


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def test_a_model_in_the_log_record_is_enough(sentry: Sentry, logger: logging.Logger) -> None:
    """The line that quotes the value names the model as its extra, and the function holds neither."""
    sent = sentry.init()
    logger.error(f"cannot dial {SECRET}", extra={"account": Account()})
    assert sent.events[0]["logentry"]["formatted"] == "cannot dial <sealed: security.two_factor>"
    assert SECRET not in sent.text


# --- The rest of an event --------------------------------------------------------------------------------------------


def test_what_logging_sends_is_cleaned(sentry: Sentry, logger: logging.Logger) -> None:
    """By default every `logger.error` is an event, with its arguments, its extras and the lines before it."""
    sent = sentry.init(integrations=[LoggingIntegration(level=logging.INFO, event_level=logging.ERROR)])

    def work(account: Account) -> None:
        with purpose_scope(TWO_FACTOR):
            phone = account.phone
        logger.info("dialling %s", phone, extra={"to": phone, "urgent": True})
        logger.error("cannot dial %s for %s", phone, 7, extra={"to": phone, "urgent": True, "account": account})
        try:
            dial(account)
        except OSError:
            logger.exception("cannot dial")

    previous, propagates = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        work(Account())
    finally:
        logger.setLevel(previous)
        logger.propagate = propagates
    assert SECRET not in sent.text
    first, second = sent.events
    assert first["logentry"] == {
        "message": "cannot dial %s for %s",
        "formatted": "cannot dial <sealed: security.two_factor> for 7",
        "params": ["<withheld>", "<withheld>"],
    }
    assert first["extra"] == {"to": "<withheld>", "urgent": True, "account": "<withheld>"}
    (crumb,) = first["breadcrumbs"]["values"]
    assert crumb["message"] == "dialling <sealed: security.two_factor>"
    assert crumb["data"] == {"to": "<withheld>", "urgent": True}
    assert variables(second)["phone"] == "<str>"


def test_a_breadcrumb_is_cleaned_when_it_is_made(sentry: Sentry, logger: logging.Logger) -> None:
    """When the event is sent, the model that an earlier line quotes is long out of reach."""
    sent = sentry.init(integrations=[LoggingIntegration(level=logging.WARNING, event_level=None)])

    def work(account: Account, hostile: Any) -> None:
        with purpose_scope(TWO_FACTOR):
            logger.warning("dialling %s", account.phone)
            sentry_sdk.add_breadcrumb(message=f"dialled {account.phone}")

    work(Account(), Hostile())
    sentry_sdk.capture_message("failed")
    assert [crumb["message"] for crumb in sent.events[0]["breadcrumbs"]["values"]] == [
        "dialling <sealed: security.two_factor>",
        "dialled <sealed: security.two_factor>",
    ]


def test_texts_with_odd_characters_are_cleaned(sentry: Sentry) -> None:
    """A message with a zero byte in it, as from a parser of binary data, would go unscrubbed."""
    sent = sentry.init()
    account = Account()
    sentry_sdk.capture_message(f"got \0 for {SECRET}")
    assert sent.events[0]["message"] == "got \0 for <sealed: security.two_factor>"
    assert account


def test_what_came_in_with_a_request_is_withheld(sentry: Sentry) -> None:
    """The body of a request is what tagged fields are validated from: it arrives before there is any model."""
    sent = sentry.init()

    def as_an_integration_does(event: Any, hint: Any) -> Any:
        event["request"] = {
            "method": "POST",
            "url": f"https://shop.example/accounts/{SECRET}?to={PLAIN}",
            "query_string": f"to={PLAIN}",
            "data": {"phone": PLAIN, "nested": [PLAIN]},
            "cookies": {"session": PLAIN},
            "headers": {"Cookie": PLAIN, "Authorization": PLAIN, "User-Agent": "curl", "X-Phone": SECRET},
            "env": {"REMOTE_ADDR": "127.0.0.1"},
            "something_new": PLAIN,
        }
        return event

    account = Account()
    with sentry_sdk.new_scope() as scope:
        scope.add_event_processor(as_an_integration_does)
        sentry_sdk.capture_message("failed")
    assert sent.events[0]["request"] == {
        "method": "POST",
        "url": "https://shop.example/accounts/<sealed: security.two_factor>",
        "query_string": "<withheld>",
        "data": "<withheld>",
        "cookies": "<withheld>",
        "headers": {
            "Cookie": "<withheld>",
            "Authorization": "<withheld>",
            "User-Agent": "curl",
            "X-Phone": "<withheld>",
        },
        "env": {"REMOTE_ADDR": "127.0.0.1"},
        "something_new": "<withheld>",
    }
    assert account


def test_what_was_put_on_the_scope_is_cleaned(sentry: Sentry) -> None:
    """Contexts, extras and breadcrumbs are where code puts what it wants to see later: whole accounts."""
    sent = sentry.init()
    account = Account()
    with sentry_sdk.new_scope() as scope:
        scope.set_context("account", {"phone": SECRET, "email": PLAIN, SECRET: 1, "admin": False})
        scope.set_extra("account", {"nested": [{"email": PLAIN}]})
        scope.set_extra("size", 12)
        scope.set_tag("to", SECRET)
        scope.set_tag("born", 1984)
        scope.set_tag("shop", "north")
        scope.set_user({"id": "7", "phone": SECRET})
        scope.fingerprint = ["dial", SECRET]
        sentry_sdk.add_breadcrumb(
            type="http", category="http", data={"url": PLAIN, "method": "GET", "status_code": 503}
        )
        sentry_sdk.capture_message("failed")
    (event,) = sent.events
    sealed = "<sealed: security.two_factor>"
    assert event["contexts"]["account"] == {
        "phone": "<withheld>",
        "email": "<withheld>",
        sealed: "<withheld>",
        "admin": False,
    }
    assert event["extra"] == {"account": "<withheld>", "size": "<withheld>"}
    assert event["tags"] == {"to": sealed, "born": sealed, "shop": "north", "purposebind.purposes": "none"}
    assert event["user"] == {"id": "7", "phone": sealed}
    assert event["fingerprint"] == ["dial", sealed]
    (crumb,) = event["breadcrumbs"]["values"]
    assert crumb["data"] == {"url": "<withheld>", "method": "GET", "status_code": 503}
    assert SECRET not in sent.text
    assert PLAIN not in sent.text
    assert account


def test_what_sentry_has_to_read_stays(sentry: Sentry) -> None:
    """A year of birth stands in every date, and maybe in a line number: the event would be refused by the server."""
    sent = sentry.init(release="shop@1984", environment="1984")
    accounts = [Account(born=born, phone="line") for born in range(1, 3000)]
    sentry_sdk.add_breadcrumb(message="born in 1984")
    try:
        raise ValueError("born in 1984")
    except ValueError:
        sentry_sdk.capture_exception()
    (event,) = sent.events
    assert len(event["event_id"]) == 32
    assert len(event["contexts"]["trace"]["trace_id"]) == 32
    assert event["timestamp"][10] == "T"
    assert (event["release"], event["environment"], event["platform"]) == ("shop@1984", "1984", "python")
    (error,) = event["exception"]["values"]
    assert isinstance(error["stacktrace"]["frames"][-1]["lineno"], int)
    (crumb,) = event["breadcrumbs"]["values"]
    assert crumb["timestamp"][10] == "T"
    assert error["value"] == "born in <sealed: security.two_factor>"
    assert accounts


# --- Purposes --------------------------------------------------------------------------------------------------------


def test_events_say_for_which_purposes_the_code_ran(sentry: Sentry) -> None:
    """Nobody could find the errors of one kind of work."""
    sent = sentry.init()
    with purpose_scope(TWO_FACTOR), purpose_scope(ADVERTISING):
        sentry_sdk.capture_message("inside")
    sentry_sdk.capture_message("outside")
    assert [event["tags"]["purposebind.purposes"] for event in sent.events] == [
        "advertising,security.two_factor",
        "none",
    ]


def test_a_violation_is_described_wherever_it_is_in_the_chain(sentry: Sentry) -> None:
    """It is reported after its scope has ended, as the cause of what a framework raised."""
    sent = sentry.init()
    try:
        try:
            with purpose_scope(ADVERTISING):
                Account().phone
        except PurposeViolation as error:
            raise RuntimeError("the job failed") from error
    except RuntimeError:
        sentry_sdk.capture_exception()
    (event,) = sent.events
    assert event["tags"]["purposebind.purposes"] == "advertising"
    described = event["contexts"]["purposebind"]
    assert described.pop("site").startswith(__file__)
    assert described == {
        "field": "Account.phone",
        "purposes": "advertising",
        "allowed": "security.two_factor",
        "reason": "not allowed",
    }
    assert SECRET not in sent.text


def test_tags_may_be_pairs() -> None:
    """Sentry allows both forms, and older SDKs use the other one."""
    event: Any = before_send({"tags": [["shop", "north"]]}, None)  # type: ignore[typeddict-item]
    assert event["tags"] == [["shop", "north"], ["purposebind.purposes", "none"]]


# --- What it does to others ------------------------------------------------------------------------------------------


def test_it_goes_together_with_a_hook_of_ones_own(sentry: Sentry) -> None:
    """A service that drops some events, and marks others, would have to choose."""

    def mine(event: Any, hint: Any) -> Any:
        if "ignore" in str(hint.get("exc_info", ("",))[1]):
            return None
        event.setdefault("extra", {})["seen"] = SECRET
        return before_send(event, hint)

    sent = sentry.init(before_send=mine)
    for message in ("ignore this", "keep this"):
        try:
            dial(Account(), message=message)
        except OSError:
            sentry_sdk.capture_exception()
    (event,) = sent.events
    assert event["extra"]["seen"] == "<withheld>"


def test_cleaning_is_no_read_and_needs_no_scope(sentry: Sentry) -> None:
    """An error report would be counted as a use of the person's data, or would be refused."""
    sent = sentry.init()
    told: list[Any] = []
    account = Account()
    with configure(on_read=told.append, on_violation=told.append):
        try:
            raise ValueError(f"cannot dial {SECRET}")
        except ValueError:
            sentry_sdk.capture_exception()
    assert told == []
    assert "cannot dial <sealed" in sent.text
    assert account


class Hostile:
    """An object that does not stand being looked at."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(SECRET)

    def __repr__(self) -> str:
        raise RuntimeError(SECRET)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError(SECRET)

    __hash__ = None  # type: ignore[assignment]


class Lazy(Mapping[str, Any]):
    """A mapping that does something when it is read, and fails."""

    def __getitem__(self, key: str) -> Any:
        raise ConnectionError(SECRET)

    def __iter__(self) -> Iterator[str]:
        raise ConnectionError(SECRET)

    def __len__(self) -> int:
        return 1


def test_an_object_that_cannot_be_looked_at_costs_neither_the_event_nor_the_cleaning(sentry: Sentry) -> None:
    """Frames hold anything: proxies, sessions, half-made objects. An event that is dropped is an error nobody sees."""
    sent = sentry.init()

    def work(account: Account, hostile: Any, lazy: Any) -> None:
        raise ValueError(f"cannot dial {SECRET}")

    try:
        work(Account(), Hostile(), Lazy())
    except ValueError:
        sentry_sdk.capture_exception()
    (event,) = sent.events
    assert variables(event, "work") == {"account": "<Account>", "hostile": "<Hostile>", "lazy": "<Lazy>"}
    assert SECRET not in sent.text


def test_an_event_that_cannot_be_cleaned_is_sent_without_what_it_holds(
    sentry: Sentry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sentry drops an event whose hook raises; and to send it as it is would be worse."""
    sent = sentry.init()

    def broken(hint: Any) -> Any:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(hooks_module, "scrubbing", broken)
    monkeypatch.setattr(hooks_module, "near", broken)
    sentry_sdk.add_breadcrumb(message=SECRET, data={"to": SECRET}, level="info")
    try:
        dial(Account(), message="cannot dial ")
    except OSError:
        sentry_sdk.capture_exception()
    assert before_breadcrumb({"message": SECRET, "level": "info"}, {}) == {"level": "info"}
    (event,) = sent.events
    assert event["message"] == "OSError (withheld: cleaning the event failed with RuntimeError)"
    assert "exception" not in event
    assert event["level"] == "error"
    assert SECRET not in sent.text


def test_an_event_is_not_changed() -> None:
    """A hook that is called with an event of somebody else's would spoil it for them."""
    event: Any = {"extra": {"to": SECRET}, "tags": {"shop": "north"}}
    before_send(event, {})
    assert event == {"extra": {"to": SECRET}, "tags": {"shop": "north"}}


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"exception": None, "request": None, "breadcrumbs": None, "contexts": None, "extra": None, "logentry": None},
        {"exception": [{"stacktrace": None}], "breadcrumbs": [{"data": SECRET}], "threads": {"values": []}},
        {"request": SECRET, "contexts": SECRET, "extra": SECRET, "breadcrumbs": SECRET, "tags": {}},
        {"stacktrace": {"frames": [None, {}, {"vars": [SECRET]}, {"vars": {"x": SECRET}}]}},
        {"logentry": {"params": {"to": SECRET}}, "spans": [None, {"data": None}], "contexts": {"trace": None}},
        {"contexts": {"mine": SECRET, "response": {"body": SECRET}}, "_meta": {"extra": {SECRET: {}}}},
    ],
)
def test_events_of_any_form_are_cleaned(odd: Any) -> None:
    """SDKs and integrations differ in what they leave out; the hook would raise, or pass on what it does not expect."""
    assert SECRET not in json.dumps(before_send(odd, None))
    assert "withheld: cleaning" not in json.dumps(before_send(odd, None))


# --- Transactions and logs -------------------------------------------------------------------------------------------


def test_transactions_are_cleaned(sentry: Sentry) -> None:
    """Spans have queries and addresses in their data, and are sampled in far greater number than errors."""
    sent = sentry.init(traces_sample_rate=1.0)
    account = Account()
    with purpose_scope(TWO_FACTOR), sentry_sdk.start_transaction(op="task", name="work") as root:
        root.set_data("db.params", [SECRET])
        with sentry_sdk.start_span(op="http.client", name=f"GET /{SECRET}") as span:
            span.set_data("url", f"https://shop.example/{SECRET}?q={PLAIN}")
            span.set_data("http.query", PLAIN)
            span.set_data("rows", 12)
    (event,) = sent.events
    assert event["type"] == "transaction"
    assert event["tags"]["purposebind.purposes"] == "security.two_factor"
    (child,) = event["spans"]
    assert child["data"]["url"] == "https://shop.example/<sealed: security.two_factor>"
    assert child["data"]["http.query"] == "<withheld>"
    assert child["data"]["rows"] == 12
    assert SECRET not in sent.text
    assert PLAIN not in sent.text
    assert account


def test_logs_are_sent_without_their_arguments(sentry: Sentry, logger: logging.Logger) -> None:
    """Sentry's logs keep each argument of a message apart, to be searched for."""
    sent = sentry.init(enable_logs=True)
    with purpose_scope(TWO_FACTOR):
        logger.warning("login of %s", PLAIN)
    sentry_sdk.get_client().flush(timeout=5)
    (log,) = (item for event in sent.events for item in event.get("items", []))
    attributes = {key: value["value"] for key, value in log["attributes"].items()}
    assert attributes["sentry.message.parameter.0"] == "<withheld>"
    assert attributes["purposebind.purposes"] == "security.two_factor"
    assert log["body"] == f"login of {PLAIN}", "the message is sent as it was logged: the page says so"


def test_it_needs_nothing_of_sentrys() -> None:
    """An update of the SDK would break the hooks at import, and with them the start of the service."""
    code = (
        "import sys; sys.modules['sentry_sdk'] = None; import purposebind.integrations.sentry as s; print(*s.__all__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {hook.__name__ for hook in HOOKS.values()}
