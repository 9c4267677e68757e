"""Purposes and denials on spans, with the official SDK."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Annotated, Literal

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode
from purposes import ADVERTISING, SECRET, TWO_FACTOR

from purposebind import AllowedFor, PurposeModel, PurposeViolation, SubjectId, configure, purpose_scope
from purposebind.integrations.opentelemetry import PurposeSpanProcessor, denied

PERSON = 7731998878
"""A person's number that occurs nowhere else."""


class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]


ACCOUNT = Account(id=PERSON, phone=SECRET)


class Traces:
    """A provider of this test's own, and the spans that ended in it."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(PurposeSpanProcessor())
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")

    @property
    def ended(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.exporter.get_finished_spans()}


@pytest.fixture
def traces() -> Iterator[Traces]:
    made = Traces()
    yield made
    assert made.provider.force_flush()
    made.provider.shutdown()


def test_spans_carry_the_active_purposes(traces: Traces) -> None:
    """Nobody could tell from a trace for what the code ran."""
    with traces.tracer.start_as_current_span("before"):
        with purpose_scope(TWO_FACTOR), purpose_scope(ADVERTISING), traces.tracer.start_as_current_span("inside"):
            pass
        traces.tracer.start_span("after").end()
    attributes = {name: dict(span.attributes or {}) for name, span in traces.ended.items()}
    assert attributes == {
        "before": {},
        "inside": {"purposebind.purposes": ("advertising", "security.two_factor")},
        "after": {},
    }


@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_a_denial_is_an_event_of_the_span(traces: Traces, mode: Literal["enforce", "observe"]) -> None:
    """A denial deep in a request would not be seen in its trace; or the trace would be one more place with the data."""
    with (
        configure(on_violation=denied, mode=mode),
        traces.tracer.start_as_current_span("work"),
        purpose_scope(ADVERTISING),
        contextlib.suppress(PurposeViolation),
    ):
        ACCOUNT.phone
    span = traces.ended["work"]
    (event,) = span.events
    assert event.name == "purposebind.denial"
    found = dict(event.attributes or {})
    assert found.pop("code.line.number")
    assert found == {
        "purposebind.field": "Account.phone",
        "purposebind.purposes": ("advertising",),
        "purposebind.allowed": ("security.two_factor",),
        "purposebind.decision": "denied" if mode == "enforce" else "observed",
        "purposebind.reason": "not allowed",
        "code.file.path": __file__,
        "code.function.name": "test_a_denial_is_an_event_of_the_span",
    }
    assert span.status.status_code is StatusCode.UNSET
    assert SECRET not in span.to_json()
    assert str(PERSON) not in span.to_json()


def test_a_violation_that_leaves_the_span_is_recorded_without_the_value(traces: Traces) -> None:
    """OpenTelemetry writes an exception's text and traceback into the span."""
    with (
        configure(on_violation=denied),
        purpose_scope(ADVERTISING),
        pytest.raises(PurposeViolation),
        traces.tracer.start_as_current_span("work"),
    ):
        ACCOUNT.phone
    span = traces.ended["work"]
    assert [event.name for event in span.events] == ["purposebind.denial", "exception"]
    assert span.status.status_code is StatusCode.ERROR, "OpenTelemetry's own doing"
    assert SECRET not in span.to_json()
    assert str(PERSON) not in span.to_json()


def test_without_a_recording_span_a_denial_is_a_denial() -> None:
    """A service that is not traced, or a request that is not sampled, would fail in the hook."""
    unsampled = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    with configure(on_violation=denied), purpose_scope(ADVERTISING):
        for span in (trace.INVALID_SPAN, unsampled.get_tracer("test").start_span("work")):
            with trace.use_span(span), pytest.raises(PurposeViolation):
                ACCOUNT.phone
    unsampled.shutdown()


BLOCKED = """
import sys
for name in sys.argv[1:]:
    sys.modules[name] = None
try:
    import purposebind.integrations.opentelemetry as module
except Exception as error:
    print(type(error).__name__, error, error.__cause__ or error.__suppress_context__)
else:
    print(module.PurposeSpanProcessor.__mro__[1:])
"""


def _blocked(*names: str) -> str:
    done = subprocess.run([sys.executable, "-c", BLOCKED, *names], capture_output=True, text=True, check=True)
    return done.stdout


def test_a_missing_extra_is_named() -> None:
    """The user would see a ModuleNotFoundError of a package whose relation to this one they have to guess."""
    said = _blocked("opentelemetry")
    assert said.startswith("PurposeError ")
    assert "pip install 'purposebind[otel]'" in said


def test_the_api_alone_will_do() -> None:
    """The extra installs no SDK: a service that only propagates would not start."""
    assert _blocked("opentelemetry.sdk", "opentelemetry.sdk.trace") == "(<class 'object'>,)\n"
