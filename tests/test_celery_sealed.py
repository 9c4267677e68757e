"""Celery, in this process: tagged data travels sealed, arrives sealed, and shows nowhere in between."""

from __future__ import annotations

import json
import logging
import pickle
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import celery_app
import pytest
from celery import Celery, Task, chain, chord, current_app
from celery_app import ACCOUNT, Account, Basket, Household, make_app
from celery_delivery import deliver, published
from cryptography.fernet import Fernet
from kombu import serialization
from kombu.exceptions import EncodeError
from purposes import ADVERTISING, SECRET, SECURITY, TWO_FACTOR

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    PolicyError,
    PurposeError,
    PurposeModel,
    PurposeViolation,
    Sealed,
    configure,
    purpose_scope,
)
from purposebind.integrations.celery import install

KEY, OTHER_KEY = Fernet.generate_key(), Fernet.generate_key()


@pytest.fixture
def make(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[..., Celery]]:
    """Makes apps; whatever is logged meanwhile may not show the secret."""
    caplog.set_level(logging.DEBUG)
    before = current_app._get_current_object()
    made = []

    def make(keys: Any = (KEY,), **settings: Any) -> Celery:
        settings.setdefault("task_default_queue", uuid.uuid4().hex)
        app = make_app("memory://", "cache+memory://", keys, **settings)
        app.set_current()
        made.append(app)
        return app

    yield make
    before.set_current()
    for app in made:
        app.close()
    assert SECRET not in caplog.text


@pytest.fixture
def app(make: Callable[..., Celery]) -> Celery:
    return make()


def stored(app: Celery, task_id: str) -> bytes:
    """What the result backend keeps of a task."""
    kept: Any = app.backend.get(app.backend.get_key_for_task(task_id)) or b""
    return kept.encode() if isinstance(kept, str) else kept


def everything(app: Celery, run: list[Any]) -> bytes:
    """What a broker and a result backend were given: headers, bodies, and results as they are stored."""
    found = []
    for message in run:
        found += [repr(message.headers).encode(), repr(message.properties).encode(), message.body]
        found.append(stored(app, message.headers["id"]))
    text = b"\n".join(bytes(part) for part in found)
    assert b"__type__" in text or b"Parcel" in text, "nothing was sealed at all"
    return text


# --- Arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("serializer", ["json", "pickle"])
def test_arguments_travel_sealed_and_arrive_as_their_own_class(make: Any, serializer: str) -> None:
    """R1: whoever reads the broker, or a dump of it, would read what no purpose was ever stated for."""
    app = make(task_serializer=serializer, accept_content=["json", "pickle"])
    box = Sealed.of(SECRET, AllowedFor(SECURITY))
    nested = {"accounts": [ACCOUNT, {"box": box}], "pair": (ACCOUNT, [box])}
    with purpose_scope(SECURITY):  # where a read would be allowed, and nobody asked for one
        results = [
            app.tasks["secure"].delay(ACCOUNT),
            app.tasks["secure"].apply_async(kwargs={"account": ACCOUNT}),
            app.send_task("secure", [ACCOUNT]),
            app.signature("secure").delay(ACCOUNT),
            app.tasks["deep"].delay(nested),
            app.tasks["bound"].delay(ACCOUNT),
        ]
    run = deliver(app)
    assert SECRET.encode() not in everything(app, run)
    assert [result.get(timeout=5) for result in results[:4]] == ["read"] * 4
    assert results[4].get(timeout=5) == ["read", "Sealed"]
    assert results[5].get(timeout=5) == ["read", "read"]


def test_what_is_sent_stays_as_it_was(app: Celery) -> None:
    """The sender would find its own list full of ciphertext after it was sent."""
    arguments = [ACCOUNT, {"boxes": [Sealed.of(SECRET, AllowedFor(SECURITY))]}]
    before = [arguments[0], arguments[1], arguments[1]["boxes"][0]]  # type: ignore[index]
    link = app.signature("secure", (ACCOUNT,), immutable=True)
    with purpose_scope(SECURITY):
        app.tasks["bare_state"].apply_async(arguments, link=[link])
    assert arguments[0] is before[0]
    assert arguments[1]["boxes"][0] is before[2]  # type: ignore[index]
    assert link.args[0] is ACCOUNT
    assert "headers" not in link.options


@pytest.mark.parametrize("serializer", ["json", "pickle"])
def test_models_around_tagged_ones_are_sealed_whole(make: Any, serializer: str) -> None:
    """R1: a plain pydantic model or dataclass dumps what it holds, tagged or not."""
    app = make(task_serializer=serializer, accept_content=["json", "pickle"])

    @app.task(name="around", purposes=(SECURITY,), shared=False)
    def around(basket: Basket, household: Household) -> list[str]:
        assert (type(basket), type(household)) == (Basket, Household)
        return [celery_app.seen(basket.owner), celery_app.seen(household.owner)]

    with purpose_scope(SECURITY):
        result = around.delay(Basket(ACCOUNT), Household(name="Home", owner=ACCOUNT))
    run = deliver(app)
    assert SECRET.encode() not in everything(app, run)
    assert result.get(timeout=5) == ["read", "read"]


@pytest.mark.parametrize("serializer", ["yaml", "msgpack"])
@pytest.mark.parametrize("by", ["app", "call"])
def test_serializers_that_cannot_are_refused(make: Any, serializer: str, by: str) -> None:
    """R1: they would fail with the value's text in the error, or write it."""
    app = make() if by == "call" else make(task_serializer=serializer)
    options = {"serializer": serializer} if by == "call" else {}
    with purpose_scope(SECURITY), pytest.raises(PolicyError, match="Send it with serializer='json'") as caught:
        app.send_task("secure", (ACCOUNT,), **options)
    assert SECRET not in str(caught.value)
    assert not published(app)


class Drawer:
    """An object of the user's that no walk looks into."""

    def __init__(self, account: Account) -> None:
        self.account = account


def test_a_pickle_of_something_around_a_tagged_value_is_refused(make: Any) -> None:
    """R1: in a scope that allows the read, pickle would write the value in plain."""
    app = make(accept_content=["json", "pickle"])
    for value in (Drawer(ACCOUNT), [Drawer(ACCOUNT)], {"box": Drawer(Sealed.of(SECRET, AllowedFor(SECURITY)))}):  # type: ignore[arg-type]
        with purpose_scope(SECURITY), pytest.raises(EncodeError, match="pickled inside of something else") as caught:
            app.send_task("secure", (value,), serializer="pickle")
        assert SECRET not in str(caught.value)
    assert not published(app)


def test_a_serializer_of_the_users_reads_nothing(app: Celery) -> None:
    """R1, R3: it would dump models in the scope of whoever sends, where that allows it."""

    def dump(value: Any) -> bytes:
        return json.dumps(value, default=lambda item: item.account.phone).encode()

    serialization.register("of_the_users", dump, json.loads, "application/x-users", "utf-8")
    try:
        with purpose_scope(SECURITY), pytest.raises(EncodeError) as caught:
            app.send_task("secure", (Drawer(ACCOUNT),), serializer="of_the_users")
        assert SECRET not in str(caught.value)
    finally:
        serialization.unregister("of_the_users")


def test_links_bodies_and_chains_hold_sealed_arguments(app: Celery) -> None:
    """R1: the arguments of what follows stand in the first message, under other names."""
    last = app.signature("secure", (ACCOUNT,), {}, immutable=True)
    keyword = app.signature("secure", (), {"account": ACCOUNT}, immutable=True)
    first = app.signature("bare_state", immutable=True)
    canvases = [
        first.clone().set(link=[last, keyword], link_error=[app.signature("on_error", (ACCOUNT,))]),
        chain(first, last, keyword, last, app=app),
        chord([last, keyword], last, app=app),
        chain(first, chord([last, first], keyword, app=app), last, app=app),
    ]
    for canvas in canvases:
        with purpose_scope(SECURITY):
            canvas.apply_async()
        run = deliver(app)
        assert SECRET.encode() not in everything(app, run)
        found = [app.AsyncResult(m.headers["id"]).get(timeout=5) for m in run if m.headers["task"] == "secure"]
        assert found
        assert set(found) == {"read"}


def test_a_users_own_json_hook_is_not_asked(app: Celery) -> None:
    """R1: kombu asks a value for `__json__` before it looks at its type, in the scope of whoever sends."""

    class Open(PurposeModel):
        phone: Account

        def __json__(self) -> Any:
            return self.phone.phone

    global OpenInModule
    Open.__qualname__ = "OpenInModule"
    OpenInModule = Open
    with purpose_scope(SECURITY):
        app.send_task("bare_state", (Open(phone=ACCOUNT),))
    (message,) = deliver(app)
    assert SECRET.encode() not in message.body


# --- Results ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("serializer", ["json", "pickle"])
@pytest.mark.parametrize("extended", [False, True])
def test_results_are_kept_sealed_and_arrive_sealed(make: Any, serializer: str, extended: bool) -> None:
    """R1: the result backend keeps them for a day; extended results keep the arguments too."""
    app = make(result_serializer=serializer, result_extended=extended, accept_content=["json", "pickle"])
    one, many = app.tasks["give_back"].delay(ACCOUNT), app.tasks["give_many"].delay(ACCOUNT)
    run = deliver(app)
    assert SECRET.encode() not in everything(app, run)
    account = one.get(timeout=5)
    assert type(account) is Account
    with pytest.raises(NoActivePurpose):
        account.phone
    found = many.get(timeout=5)
    assert (type(found["one"]), type(found["basket"]), found["plain"]) == (Account, Basket, 3)
    with purpose_scope(SECURITY):
        assert account.phone == found["boxes"][0].open() == found["boxes"][1][0].phone == SECRET


@pytest.mark.parametrize("serializer", ["json", "pickle"])
def test_a_result_goes_on_to_the_next_task_sealed(make: Any, serializer: str) -> None:
    """R1: the worker publishes it, as an argument of a link, and collects it for a chord's body."""
    app = make(task_serializer=serializer, result_serializer=serializer, accept_content=["json", "pickle"])
    give = app.signature("give_back", (ACCOUNT,), immutable=True)
    canvases = [
        (chain(give, app.signature("secure"), app=app), "read"),
        (chord([give, give], app.signature("collect"), app=app), ["read", "read"]),
        (give.clone().set(link=[app.signature("secure")]), "read"),
    ]
    for canvas, expected in canvases:
        canvas.apply_async()
        run = deliver(app)
        assert SECRET.encode() not in everything(app, run)
        assert app.AsyncResult(run[-1].headers["id"]).get(timeout=5) == expected


@pytest.mark.parametrize("serializer", ["json", "pickle"])
def test_a_denial_is_the_result_itself(make: Any, serializer: str) -> None:
    """R7, R12: who asks for the result would get an exception of some other kind, or one with the value in it."""
    app = make(result_serializer=serializer, accept_content=["json", "pickle"])
    result = app.tasks["denied"].delay(ACCOUNT)
    run = deliver(app)
    assert SECRET.encode() not in everything(app, run)
    with pytest.raises(PurposeViolation) as caught:
        result.get(timeout=5)
    denial = caught.value
    assert type(denial) is PurposeViolation
    assert (denial.field, denial.allowed, denial.active) == ("Account.phone", (SECURITY,), (ADVERTISING,))
    assert denial.site is not None
    assert denial.site.function.endswith("denied") or denial.site.line > 0
    assert "celery_app.py" in str(denial)


def test_a_denial_that_was_stored_by_somebody_else_is_no_denial(app: Celery) -> None:
    """Whoever can write results could have an error of ours say what they like, or raise where it is built."""
    for message in ([], [{}], ["x"], [{"field": 1}], None, [{"field": "a", "reason": "?", "detail": "", "site": 3}]):
        kept = {"exc_type": "PurposeViolation", "exc_module": "purposebind.errors", "exc_message": message}
        assert isinstance(app.backend.exception_to_python(kept), Exception)


def test_a_users_exception_keeps_its_models_sealed(app: Celery) -> None:
    """R7: `raise ValueError(account)` is stored with its arguments."""
    result = app.tasks["fate"].delay(ACCOUNT, "fail")
    run = deliver(app)
    assert SECRET.encode() not in everything(app, run)
    with pytest.raises(
        Exception, match=r"ValueError\('the order is gone', Account\(id=7, phone=<sealed: security>\)\)"
    ):
        result.get(timeout=5)


def test_an_eager_result_that_is_stored_is_sealed(make: Any) -> None:
    """R1: an eager task publishes nothing, and may store its result all the same, in its caller's scope."""
    app = make(task_always_eager=True, task_store_eager_result=True)
    with purpose_scope(SECURITY):
        result = app.tasks["give_back"].delay(ACCOUNT)
    assert b"__type__" in stored(app, result.id)
    assert SECRET.encode() not in stored(app, result.id)
    assert type(app.AsyncResult(result.id).get(timeout=5)) is Account


def test_progress_is_kept_sealed(app: Celery) -> None:
    """R1: a task may store what it has so far, in a state and with contents of its own."""

    @app.task(name="progresses", bind=True, purposes=(SECURITY,), shared=False)
    def progresses(self: Any, account: Account) -> bool:
        self.update_state(state="HALFWAY", meta={"account": account})
        kept.append(stored(app, self.request.id))
        return type(app.AsyncResult(self.request.id).info["account"]) is Account

    kept: list[bytes] = []
    result = progresses.delay(ACCOUNT)
    deliver(app)
    assert result.get(timeout=5) is True
    assert b"__type__" in kept[0]
    assert SECRET.encode() not in kept[0]


def test_an_app_without_the_keys_gets_nothing_that_looks_like_a_value(app: Celery) -> None:
    """R1: a process that reads results and was forgotten would take ciphertext for the value, or show it."""
    result = app.tasks["give_back"].delay(ACCOUNT)
    deliver(app)
    plain = Celery("plain", broker="memory://", backend="cache+memory://", set_as_current=False)
    got = plain.AsyncResult(result.id).get(timeout=5)
    assert repr(got) == "<sealed, on its way>"
    with pytest.raises(PurposeError, match="still on its way"):
        got.phone
    plain.close()


# --- pydantic=True ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("under", [None, SECURITY])
@pytest.mark.parametrize("name", ["pydantic", "pydantic_household"])
@pytest.mark.parametrize("how", ["delivered", "always eager", "called"])
def test_pydantic_tasks_dump_nothing_tagged(app: Celery, under: Any, name: str, how: str) -> None:
    """R1: Celery dumps arguments where the sender may read, and return values where the task may."""
    app.conf.task_always_eager = how == "always eager"
    task = app.tasks[name]
    if how == "always eager" and name == "pydantic_household" and not hasattr(Task, "_dump_pydantic_arguments"):
        with pytest.raises(EncodeError):  # before Celery 5.7 an eager task takes no plain model at all
            task.delay(Household(name="Home", owner=ACCOUNT))
        return
    value = ACCOUNT if name == "pydantic" else Household(name="Home", owner=ACCOUNT)
    scope = purpose_scope(under or TWO_FACTOR)
    if under:
        with scope:
            result = task(value) if how == "called" else task.delay(value)
    else:
        result = task(value) if how == "called" else task.delay(value)
    if how == "delivered":
        run = deliver(app)
        (message,) = run
        assert SECRET.encode() not in everything(app, run)
        assert "<sealed: security>" in message.headers["argsrepr"]
    got = result if how == "called" else result.get(timeout=5)
    assert type(got) is type(value)
    with pytest.raises(NoActivePurpose):
        (got if name == "pydantic" else got.owner).phone


def test_a_plain_pydantic_task_works_as_before(app: Celery) -> None:
    """Tasks that have nothing to do with tags would return models where their callers expect dictionaries."""
    from pydantic import BaseModel

    class Plain(BaseModel):
        size: int

    def plain(plain: Any) -> Any:
        return Plain(size=plain.size + 1)

    plain.__annotations__ = {"plain": Plain, "return": Plain}
    app.task(name="plain", pydantic=True, shared=False)(plain)
    result = app.tasks["plain"].delay({"size": 1})
    (message,) = deliver(app)
    assert b'{"size": 1}' in message.body
    assert result.get(timeout=5) == {"size": 2}


def test_a_tagged_value_that_no_type_tells_of_is_not_dumped(app: Celery) -> None:
    """R1: a plain model with a field of type `Any` declares nothing, and would be dumped with what it holds."""
    from pydantic import BaseModel

    class Envelope(BaseModel):
        content: Any

    def unknown(envelope: Any) -> Any:
        return Envelope(content=ACCOUNT)

    unknown.__annotations__ = {"envelope": Envelope, "return": Envelope}
    app.task(name="unknown", pydantic=True, purposes=(SECURITY,), shared=False)(unknown)
    with purpose_scope(SECURITY), pytest.raises(EncodeError) as caught:
        app.tasks["unknown"].delay(Envelope(content=ACCOUNT))
    assert SECRET not in str(caught.value)
    result = app.tasks["unknown"].delay({"content": 1})
    (message,) = deliver(app)
    assert SECRET.encode() not in stored(app, message.headers["id"])
    with pytest.raises(Exception, match=r"Account\.phone may not be read"):  # as pydantic wraps it
        result.get(timeout=5)


def test_observing_does_not_open_what_travels(app: Celery) -> None:
    """R11: a roll-out would begin by writing to the broker what is kept from it in the end."""
    with configure(mode="observe", unscoped="observe"), purpose_scope(SECURITY):
        app.tasks["pydantic"].delay(ACCOUNT)
        app.tasks["give_many"].delay(ACCOUNT)
        run = deliver(app)
    assert SECRET.encode() not in everything(app, run)


# --- Keys ------------------------------------------------------------------------------------------------------------


def test_without_a_key_nothing_leaves(make: Any) -> None:
    """R1: the default could be to send it in plain."""
    app = make(keys=[])
    for send in (
        lambda: app.tasks["secure"].delay(ACCOUNT),
        lambda: app.send_task("secure", (), {"account": [ACCOUNT]}),
        lambda: app.tasks["pydantic"].delay(ACCOUNT),
        lambda: app.tasks["bare_state"].apply_async(link=app.signature("secure", (ACCOUNT,))),
    ):
        with purpose_scope(SECURITY), pytest.raises(PolicyError, match=r"install\(app, keys=\[key\]\)") as caught:
            send()
        assert SECRET not in str(caught.value)
    assert not published(app)
    state = app.tasks["state"].delay()
    assert len(deliver(app)) == 1
    assert state.get(timeout=5)["active"] == ["security"]  # what has no tags goes on as before


def test_a_result_without_a_key_is_a_failure(make: Any) -> None:
    """R1: the worker could store it in plain, or lose it without a word."""
    app = make(keys=[])

    @app.task(name="returns", purposes=(SECURITY,), shared=False)
    def returns() -> Account:
        return ACCOUNT

    result = returns.delay()
    with pytest.warns(RuntimeWarning, match="Exception raised outside body"):
        deliver(app)
    with pytest.raises(PolicyError, match="no key is configured"):
        result.get(timeout=5)


def test_keys_are_changed_one_side_at_a_time(make: Any) -> None:
    """A key could never be changed without losing what is on its way."""
    queue = uuid.uuid4().hex
    old = make(keys=[KEY], task_default_queue=queue)
    result = old.tasks["give_back"].delay(ACCOUNT)
    new = make(keys=[OTHER_KEY, KEY], task_default_queue=queue)
    deliver(new)
    assert type(new.AsyncResult(result.id).get(timeout=5)) is Account
    with pytest.raises(PurposeError, match="a key that app 'shop' does not have"):
        old.AsyncResult(result.id).get(timeout=5)
    install(old, keys=[KEY, OTHER_KEY])
    old.backend._cache.clear()
    assert type(old.AsyncResult(result.id).get(timeout=5)) is Account


@pytest.mark.parametrize("how", ["altered", "foreign", "plain pickle", "empty", "no text"])
def test_what_cannot_be_opened_fails_closed(app: Celery, how: str) -> None:
    """R1: a message that somebody altered, or made, could run code in the worker, or arrive as something else."""
    pickled = pickle.dumps(ACCOUNT.id)
    token = {
        "altered": lambda token: token[:-8] + "AAAAAAA=",
        "foreign": lambda token: Fernet(OTHER_KEY).encrypt(pickled).decode(),
        "plain pickle": lambda token: pickled.hex(),
        "empty": lambda token: "",
        "no text": lambda token: "\u00e9",
    }[how]
    result = app.tasks["secure"].delay(ACCOUNT)
    (message,) = published(app)
    args, kwargs, embed = json.loads(message.body)
    args[0]["__value__"] = token(args[0]["__value__"])
    message.body = json.dumps([args, kwargs, embed])
    deliver(app, message)
    with pytest.raises(PurposeError, match="A sealed value cannot be opened") as caught:
        result.get(timeout=5)
    assert "install(app, keys=[...])" in str(caught.value)


def test_the_pool_is_handed_ciphertext(app: Celery) -> None:
    """R1: a worker's main process decodes a message and pickles it to its pool, where nothing may be read or shown."""
    app.tasks["secure"].delay(ACCOUNT)
    (message,) = published(app)
    args, _, _ = message.payload
    assert repr(args) == "[<sealed, on its way>]"
    handed = pickle.dumps(args)
    assert SECRET.encode() not in handed
    assert pickle.loads(handed)[0].token == args[0].token
    with pytest.raises(PurposeError, match="still on its way"):
        args[0].phone
    assert not hasattr(args[0], "__len__")


def test_two_apps_of_a_process_have_two_keys(make: Any) -> None:
    """An app would send what only another app's workers can open; or open what another app's sender made."""
    one, other = make(keys=[KEY]), make(keys=[OTHER_KEY])
    for app, key, foreign in ((one, KEY, OTHER_KEY), (other, OTHER_KEY, KEY)):
        result = app.tasks["give_back"].delay(ACCOUNT)
        (message,) = published(app)
        token = json.loads(message.body)[0][0]["__value__"]
        assert Fernet(key).decrypt(token)
        deliver(app, message)
        assert type(result.get(timeout=5)) is Account
        message.body = message.body.replace(token.encode(), Fernet(foreign).encrypt(Fernet(key).decrypt(token)))
        message.headers["id"] = uuid.uuid4().hex
        deliver(app, message)
        with pytest.raises(PurposeError, match="does not have"):
            app.AsyncResult(message.headers["id"]).get(timeout=5)
        app.conf.task_always_eager = True
        assert type(app.tasks["give_back"].delay(ACCOUNT).get()) is Account
        app.conf.task_always_eager = False


def test_an_app_that_nothing_was_installed_into_sends_nothing_tagged() -> None:
    """R1: its keys are nobody's; and kombu's codecs, which are the whole process's, could pick some."""
    plain = Celery("plain", broker="memory://", set_as_current=False)
    apps = [Celery(name, broker="memory://", set_as_current=False) for name in ("one", "two")]
    for app in apps:
        install(app, keys=[Fernet.generate_key()])
    for serializer in ("json", "pickle"):
        with purpose_scope(SECURITY), pytest.raises(EncodeError, match="no key is configured"):
            plain.send_task("secure", (ACCOUNT,), serializer=serializer)


def test_what_has_no_tags_is_serialised_as_before(make: Any) -> None:
    """Messages to services without the library would become unreadable to them."""
    app = make(accept_content=["json", "pickle"])

    @dataclass
    class Plain:
        size: int

    for serializer in ("json", "pickle"):
        app.send_task("bare_state", ([1, (2, 3)], {"a": b"x"}), serializer=serializer)
    one, two = published(app)
    assert json.loads(one.body)[0] == [[1, [2, 3]], {"a": {"__type__": "bytes", "__value__": "x"}}]
    assert pickle.loads(two.body)[0] == [[1, (2, 3)], {"a": b"x"}]
    assert Plain(1) == Plain(1)


# --- Installing without the extra ------------------------------------------------------------------------------------

MISSING = """
import sys
sys.modules[sys.argv[1]] = None
try:
    import purposebind.integrations.celery
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("package", ["celery", "cryptography"])
def test_a_missing_extra_says_how_to_get_it(package: str) -> None:
    """`No module named 'cryptography'` tells a reader nothing of the extra that brings it."""
    done = subprocess.run([sys.executable, "-c", MISSING, package], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("PurposeError"), done.stdout + done.stderr
    assert "pip install 'purposebind[celery]'" in done.stdout
