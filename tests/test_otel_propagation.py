"""Purposes in W3C baggage: what is sent, what is received, and that no header ever widens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context, attach, detach
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from purposes import ADVERTISING, SECURITY, TWO_FACTOR

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    Purpose,
    PurposeModel,
    PurposeViolation,
    active_purposes,
    purpose_scope,
)
from purposebind.integrations.opentelemetry import MEMBER, PurposePropagator, ReceivedPurposes, received_purposes
from purposebind.receiving import UNRECOGNIZED, names_to_send, received

SUPPORT = Purpose("otel_support", "Answer the customer's questions")
REFUNDS = Purpose("otel_refunds", "Pay back")
SUPPORT.may_hand_over_to(REFUNDS, reason="The customer asked for the money")

ALL = (SECURITY, TWO_FACTOR, ADVERTISING, SUPPORT, REFUNDS)


class Account(PurposeModel):
    a: Annotated[str, AllowedFor(SECURITY)] = "a"
    b: Annotated[str, AllowedFor(TWO_FACTOR)] = "b"
    c: Annotated[str, AllowedFor(ADVERTISING)] = "c"
    d: Annotated[str, AllowedFor(SUPPORT, REFUNDS)] = "d"
    e: Annotated[str, AllowedFor(ADVERTISING, SUPPORT)] = "e"


ACCOUNT = Account()


def sent(context: Context | None = None) -> dict[str, str]:
    headers: dict[str, str] = {}
    PurposePropagator().inject(headers, context)
    return headers


def arrived(*headers: str) -> Context:
    return PurposePropagator().extract({"baggage": list(headers)}, Context())


def readable() -> set[str]:
    found = set()
    for name in Account.model_fields:
        try:
            getattr(ACCOUNT, name)
        except PurposeViolation:
            continue
        found.add(name)
    return found


# --- Sending ---------------------------------------------------------------------------------------------------------


def test_the_purposes_in_force_are_sent() -> None:
    """The next service would read for its own purpose what was asked for under another."""
    assert sent() == {}
    with purpose_scope(TWO_FACTOR), purpose_scope(ADVERTISING):
        assert sent() == {"baggage": "purposebind.purposes=advertising~security.two_factor"}
    assert sent() == {}


def test_what_was_received_is_sent_on_and_what_was_handed_over_is_not() -> None:
    """A service that only passes requests on would widen them; one that was handed the work would narrow for ever."""
    with received_purposes(arrived(f"{MEMBER}=otel_support")):
        assert sent() == {"baggage": f"{MEMBER}=otel_support"}
        with purpose_scope(ADVERTISING):
            assert sent() == {"baggage": f"{MEMBER}=advertising~otel_support"}
        with purpose_scope(REFUNDS):
            assert sent(arrived(f"{MEMBER}=otel_support")) == {"baggage": f"{MEMBER}=otel_refunds"}


def test_a_service_in_which_nothing_is_in_force_passes_on_what_came() -> None:
    """A gateway without purposes of its own would cut the chain."""
    came = arrived(f"other=1,{MEMBER}=otel_support,{MEMBER}=advertising")
    assert sent(came) == {"baggage": f"{MEMBER}=advertising~otel_support,other=1"}


@pytest.mark.parametrize("key", [MEMBER, MEMBER.upper(), f" {MEMBER} "])
def test_a_member_set_by_hand_does_not_take_the_place_of_ours(key: str) -> None:
    """Code that sets baggage, or a library that copies it from a request, would widen what the next service reads."""
    with purpose_scope(SUPPORT):
        assert sent(baggage.set_baggage(key, "advertising")) == {"baggage": f"{MEMBER}=otel_support"}


def test_other_members_are_kept() -> None:
    """Turning purposes on would lose the tenant that other services read from baggage."""
    context = baggage.set_baggage("tenant", "Zoë & Co", baggage.set_baggage("b", 2))
    with purpose_scope(SUPPORT):
        headers = sent(context)
    assert headers["baggage"].startswith(f"{MEMBER}=otel_support,")
    read = baggage.get_all(W3CBaggagePropagator().extract(headers, Context()))
    assert read == {MEMBER: "otel_support", "tenant": "Zoë & Co", "b": "2"}
    assert sent(context) == {"baggage": "b=2,tenant=Zo%C3%AB+%26+Co"}, "as without us"


@pytest.mark.parametrize("many", [{f"k{n}": "v" for n in range(400)}, {f"k{n}": "v" * 3000 for n in range(5)}])
def test_full_baggage_loses_others_before_ours(many: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    """Where there is too much for the header, the propagator drops members without a word to the receiver."""
    context = Context()
    for key, value in many.items():
        context = baggage.set_baggage(key, value, context)
    with purpose_scope(SUPPORT), caplog.at_level(logging.CRITICAL):
        header = sent(context)["baggage"]
    assert header.split(",")[0] == f"{MEMBER}=otel_support"
    with received_purposes(arrived(header)):
        assert names_to_send() == ("otel_support",)


def test_what_only_passes_through_full_baggage_is_not_lost(caplog: pytest.LogCaptureFixture) -> None:
    """A gateway that adds members of its own would push the sender's purposes over the edge."""
    context = W3CBaggagePropagator().extract({"baggage": f"{MEMBER.title()}=otel_support"}, Context())
    for number in range(400):
        context = baggage.set_baggage(f"k{number}", "v", baggage.set_baggage(MEMBER, "advertising", context))
    with caplog.at_level(logging.CRITICAL):
        assert sent(context)["baggage"].split(",")[0] == f"{MEMBER}=advertising~otel_support"


def test_purposes_that_do_not_fit_are_sent_as_one_that_nobody_knows(caplog: pytest.LogCaptureFixture) -> None:
    """A member over 4096 bytes is dropped, and the receiver would be narrowed by nothing."""
    long = [Purpose(f"otel_long_{n}_{'x' * 200}", "Fill the header") for n in range(30)]
    with purpose_scope(*long):
        headers = sent()
    assert headers == {"baggage": f"{MEMBER}=unrecognized"}
    assert "too long to send" in caplog.text
    with received_purposes(arrived(headers["baggage"])), purpose_scope(SECURITY):
        assert readable() == set()


def test_it_is_a_member_of_a_composite() -> None:
    """The usual way to set up propagation would not work, or trace contexts would be lost."""
    propagator = CompositePropagator([TraceContextTextMapPropagator(), PurposePropagator()])
    assert propagator.fields == {"traceparent", "tracestate", "baggage"}
    span = NonRecordingSpan(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1)))
    headers: dict[str, str] = {}
    with purpose_scope(SUPPORT):
        propagator.inject(headers, set_span_in_context(span))
    assert set(headers) == {"traceparent", "baggage"}
    context = propagator.extract(headers, Context())
    assert get_current_span(context).get_span_context().trace_id == 1
    assert baggage.get_baggage(MEMBER, context) == "otel_support"


def test_behind_the_standard_one_it_has_the_last_word() -> None:
    """OTEL_PROPAGATORS=tracecontext,baggage,purposebind would send the baggage that came in, instead of ours."""
    propagator = CompositePropagator([W3CBaggagePropagator(), PurposePropagator()])
    headers: dict[str, str] = {}
    with purpose_scope(SUPPORT):
        propagator.inject(headers, arrived(f"tenant=7,{MEMBER}=advertising"))
    assert headers == {"baggage": f"{MEMBER}=otel_support,tenant=7"}


# --- Receiving -------------------------------------------------------------------------------------------------------


def test_received_purposes_narrow_and_grant_nothing() -> None:
    """A header would open what no code has stated a purpose for, or would be ignored."""
    with received_purposes(arrived(f"{MEMBER}=otel_support")):
        assert active_purposes() == frozenset()
        assert readable() == set()
        with pytest.raises(NoActivePurpose):
            ACCOUNT.d
        with purpose_scope(ADVERTISING):
            assert readable() == {"e"}, "c is for advertising alone"
        with purpose_scope(REFUNDS):
            assert readable() == {"d"}, "handed over"
    with received_purposes(Context()), purpose_scope(ADVERTISING):
        assert readable() == {"c", "e"}


def test_without_an_argument_it_is_the_current_context() -> None:
    """A consumer that attached the context of its message would not be narrowed by it."""
    token = attach(arrived(f"{MEMBER}=otel_support"))
    try:
        with received_purposes():
            assert names_to_send() == ("otel_support",)
    finally:
        detach(token)


NARROWER = [
    ([f"{MEMBER}=otel_support,{MEMBER}=advertising"], {"otel_support", "advertising"}),
    ([f"{MEMBER}=advertising", f"{MEMBER}=otel_support"], {"otel_support", "advertising"}),
    ([f"{MEMBER}=otel_support,{MEMBER}="], {"otel_support", "unrecognized"}),
    ([f"{MEMBER}=otel_support~advertising"], {"otel_support", "advertising"}),
    ([f"{MEMBER}=otel_support%2Cadvertising"], {"otel_support", "advertising"}),
    ([f"{MEMBER}=otel_support%7Eadvertising"], {"otel_support", "advertising"}),
    ([f"{MEMBER}=otel_support;expires=soon"], {"otel_support"}),
    ([f"{MEMBER}=otel_support%3Badvertising"], {"unrecognized"}),
    ([f" \t{MEMBER} \t= \totel_support \t"], {"otel_support"}),
    ([f"{MEMBER.upper()}=otel_support"], {"otel_support"}),
    (["purposebind%2Epurposes=otel_support"], {"otel_support"}),
    (["%70urposebind.purposes=otel%5Fsupport"], {"otel_support"}),
    ([f"{MEMBER}=OTEL_SUPPORT"], {"unrecognized"}),
    ([f"{MEMBER}=%"], {"unrecognized"}),
    ([f"{MEMBER}=otel_support%00"], {"unrecognized"}),
    ([f"{MEMBER}=otel%ZZsupport"], {"unrecognized"}),
    ([f"{MEMBER}=otel_support+advertising"], {"unrecognized"}),
    ([f"{MEMBER}=öffentlich"], {"unrecognized"}),
    ([MEMBER], {"unrecognized"}),
    ([f"{MEMBER};x=1"], {"unrecognized"}),
    ([f"{MEMBER}=~~,"], {"unrecognized"}),
    ([f"{MEMBER}=no.such.purpose"], {"no.such.purpose"}),
    ([f"{MEMBER}=otel_support==advertising"], {"unrecognized"}),
    (["x=1," * 5000 + f"{MEMBER}=otel_support"], {"otel_support"}),
    ([f"x={'y' * 20_000},{MEMBER}=otel_support"], {"otel_support"}),
    (["", ",,,", "=", f"=;,{MEMBER}=otel_support"], {"otel_support"}),
    ([f"{MEMBER}=" + "~".join(f"undeclared{n}" for n in range(2000))], {"unrecognized"}),
]


@pytest.mark.parametrize(("headers", "names"), NARROWER, ids=range(len(NARROWER)))
@pytest.mark.filterwarnings("ignore")
def test_whatever_a_header_says_all_of_it_counts(headers: list[str], names: set[str]) -> None:
    """A member that is written twice, oddly, behind thousands of others or in a second header would be overlooked."""
    context = arrived(*headers)
    member = baggage.get_baggage(MEMBER, context)
    assert set(str(member).split("~")) == names
    # A name that is not declared here goes on as it is: the next service may know it.
    known = {name if name in {p.name for p in Purpose.declared()} else UNRECOGNIZED.name for name in names}
    for block in (received_purposes(context), _by_the_middleware(headers)):
        with block:
            assert set(names_to_send()) == known


def _by_the_middleware(headers: Iterable[str]) -> received:
    """What the middleware enters for these headers."""
    entered: list[received] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        entered.append(received(names_to_send(), origin="the test"))

    request = {
        "type": "http",
        "headers": [(b"Baggage", header.encode("latin-1", "replace")) for header in headers],
    }
    asyncio.run(ReceivedPurposes(app)(request, None, None))  # type: ignore[arg-type]
    return entered[0]


MEMBERS = st.sampled_from([*(p.name for p in ALL), "", "no.such", "*", "%2A", "security%2Etwo_factor", "unrecognized"])
WRITTEN = st.builds(
    lambda key, names, between: f"{key}={between.join(names)}",
    st.sampled_from([MEMBER, MEMBER.upper(), "purposebind%2epurposes", f"{MEMBER} ", "other"]),
    st.lists(MEMBERS, max_size=4),
    st.sampled_from(["~", "%7E", ",", "%2C", ";", "+", "="]),
)
HEADERS = st.lists(st.one_of(st.lists(WRITTEN, max_size=4).map(",".join), st.text(max_size=60)), max_size=3)


@given(headers=HEADERS, scopes=st.lists(st.sampled_from(ALL), min_size=1, max_size=3))
def test_no_header_ever_widens(headers: list[str], scopes: list[Purpose]) -> None:
    """Whoever can send a request could read what the code's own purpose does not allow."""
    logging.disable(logging.CRITICAL)
    try:
        with purpose_scope(*scopes):
            without = readable()
        for block in (received_purposes(arrived(*headers)), _by_the_middleware(headers)):
            with block:
                assert readable() == set()
                with purpose_scope(*scopes):
                    assert readable() <= without
    finally:
        logging.disable(logging.NOTSET)


# --- The middleware --------------------------------------------------------------------------------------------------


def run(middleware: Any, kind: str, headers: list[tuple[bytes, bytes]]) -> list[tuple[str, ...]]:
    seen: list[tuple[str, ...]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        seen.append(names_to_send())

    scope = {"type": kind, "headers": headers, "method": "GET", "path": "/", "query_string": b"", "scheme": "http"}
    asyncio.run(middleware(app)(scope, None, None))
    return [*seen, names_to_send()]


HEADER = [(b"x", b"1"), (b"BAGGAGE", f"{MEMBER}=otel_support".encode())]


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_requests_and_websockets_are_narrowed_and_nothing_is_left(kind: str) -> None:
    """A websocket would be a way round, or one request's purposes would narrow the next."""
    assert run(ReceivedPurposes, kind, HEADER) == [("otel_support",), ()]
    assert run(ReceivedPurposes, kind, []) == [(), ()]
    assert run(lambda app: ReceivedPurposes(ReceivedPurposes(app)), kind, HEADER) == [("otel_support",), ()]


def test_a_lifespan_passes() -> None:
    """The application would not start."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(ReceivedPurposes(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]


def test_an_error_in_the_application_leaves_nothing() -> None:
    """After one failed request the server's task would stay narrowed."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise OSError

    async def serve() -> tuple[str, ...]:
        with pytest.raises(OSError):
            await ReceivedPurposes(app)({"type": "http", "headers": HEADER}, None, None)  # type: ignore[arg-type]
        return names_to_send()

    assert asyncio.run(serve()) == ()


def test_a_getter_of_ones_own_is_asked() -> None:
    """Messages of a queue have headers of their own form, and would not be read."""

    class Pairs(Getter[list[tuple[str, bytes]]]):
        def get(self, carrier: list[tuple[str, bytes]], key: str) -> list[str] | None:
            return [value.decode() for name, value in carrier if name == key] or None

        def keys(self, carrier: list[tuple[str, bytes]]) -> list[str]:
            return [name for name, _ in carrier]

    context = PurposePropagator().extract([("baggage", f"{MEMBER}=otel_support".encode())], Context(), Pairs())
    assert baggage.get_baggage(MEMBER, context) == "otel_support"
    assert PurposePropagator().extract([], Context(), Pairs()) == Context()
