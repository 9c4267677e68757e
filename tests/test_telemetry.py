"""The OpenTelemetry sink: what it sends, what it never sends, and that it stands in nobody's way.

It is tested with the official SDK and exporters, over gRPC against a receiver on the published protos, and over HTTP
against one that nobody here wrote.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from oteltap import OtelTapHttpProtobufReceiver, OtelTapHttpProtobufReceiverSettings
from otlp_receiver import Receiver
from purposes import ADVERTISING, SECRET, TWO_FACTOR

from purposebind import (
    AllowedFor,
    NoActivePurpose,
    PurposeModel,
    PurposeViolation,
    SubjectId,
    configure,
    purpose_scope,
)
from purposebind.break_glass import break_glass
from purposebind.ledger import Ledger
from purposebind.ledger.telemetry import OpenTelemetrySink

PERSON = 7731998877
"""A person's number that occurs nowhere else."""
SECONDS = 30


class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]
    email: Annotated[str, AllowedFor(TWO_FACTOR)] = ""


class Sdk:
    """The official SDK, with its providers made for one sink and not for the process."""

    def __init__(self, reader: MetricReader, logs: Any = None, **options: Any) -> None:
        self.loggers = LoggerProvider(shutdown_on_exit=False)
        if logs is not None:
            self.loggers.add_log_record_processor(BatchLogRecordProcessor(logs))
        self.meters = MeterProvider([reader], shutdown_on_exit=False)
        self.sink = OpenTelemetrySink(self.loggers, self.meters, **options)

    def flush(self) -> None:
        assert self.loggers.force_flush()
        assert self.meters.force_flush()

    def shutdown(self) -> None:
        self.loggers.shutdown()
        self.meters.shutdown()


def listening(sink: OpenTelemetrySink, **settings: Any) -> Any:
    return configure(on_violation=sink.denied, on_read=sink.read, **settings)


def use(account: Account) -> None:
    """Three reads that are allowed, two that are refused, one that is observed."""
    with purpose_scope(TWO_FACTOR):
        assert account.phone == account.phone == SECRET
        assert account.email == ""
    with purpose_scope(ADVERTISING), pytest.raises(PurposeViolation):
        account.phone
    with pytest.raises(NoActivePurpose):
        account.phone
    with configure(mode="observe"), purpose_scope(ADVERTISING):
        assert account.phone == SECRET


COUNTS = {
    ("Account.phone", "security.two_factor", "allowed"): 2,
    ("Account.email", "security.two_factor", "allowed"): 1,
    ("Account.phone", "advertising", "denied"): 1,
    ("Account.phone", "none", "denied"): 1,
    ("Account.phone", "advertising", "observed"): 1,
}


def plain(attributes: Iterable[Any]) -> dict[str, Any]:
    """The attributes of a message of OTLP."""
    found = {}
    for each in attributes:
        kind = each.value.WhichOneof("value")
        value = getattr(each.value, kind)
        found[each.key] = [item.string_value for item in value.values] if kind == "array_value" else value
    return found


def counts_of(metric: Any) -> dict[tuple[str, ...], int]:
    found = {}
    for point in metric.sum.data_points:
        attributes = plain(point.attributes)
        assert list(attributes) == ["purposebind.field", "purposebind.purpose", "purposebind.decision"]
        found[tuple(attributes.values())] = point.as_int
    return found


def check_logs(records: list[Any]) -> None:
    """Hold log records of OTLP against what `use` did."""
    assert [record.event_name for record in records] == ["purposebind.denial"] * 3
    assert {record.severity_text for record in records} == {"WARN"}
    assert [record.body.string_value for record in records] == [
        "Account.phone for advertising: refused",
        "Account.phone for no purpose: refused",
        "Account.phone for advertising: observed and let through",
    ]
    first, unscoped, observed = (plain(record.attributes) for record in records)
    assert first.pop("code.line.number") > 0
    assert first == {
        "purposebind.field": "Account.phone",
        "purposebind.purposes": ["advertising"],
        "purposebind.allowed": ["security.two_factor"],
        "purposebind.decision": "denied",
        "purposebind.reason": first["purposebind.reason"],
        "code.file.path": __file__,
        "code.function.name": "use",
    }
    assert unscoped["purposebind.purposes"] == []
    assert observed["purposebind.decision"] == "observed"


def counted(reader: Any) -> dict[tuple[Any, ...], Any]:
    data = reader.get_metrics_data()
    if data is None:
        return {}
    ((metric,),) = (scope.metrics for resource in data.resource_metrics for scope in resource.scope_metrics)
    return {tuple((point.attributes or {}).values()): point.value for point in metric.data.data_points}


# --- What arrives ----------------------------------------------------------------------------------------------------


def test_over_grpc(tmp_path: Path) -> None:
    """A team's collector would get nothing, or what it cannot read; or somebody's data."""
    with Receiver() as receiver:
        reader = PeriodicExportingMetricReader(GrpcMetrics(endpoint=receiver.endpoint, insecure=True))
        sdk = Sdk(reader, GrpcLogs(endpoint=receiver.endpoint, insecure=True))
        with listening(sdk.sink):
            use(Account(id=PERSON, phone=SECRET))
        sdk.flush()
        (metric,) = receiver.metrics
        assert (metric.name, metric.unit, metric.sum.is_monotonic) == ("purposebind.reads", "{read}", True)
        assert counts_of(metric) == COUNTS
        check_logs(receiver.logs)
        sdk.shutdown()
    sent = b"".join(receiver.raw)
    assert b"Account.phone" in sent
    assert SECRET.encode() not in sent
    assert str(PERSON).encode() not in sent


def test_over_http() -> None:
    """A receiver that others wrote reads the standard more strictly than the one in these tests."""

    async def run() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        async with OtelTapHttpProtobufReceiver(OtelTapHttpProtobufReceiverSettings(http_port=port)) as receiver:
            logs: list[Any] = []
            arrived = [
                asyncio.ensure_future(
                    receiver.await_metric(lambda metric: metric.name == "purposebind.reads", SECONDS)
                ),
                asyncio.ensure_future(
                    receiver.await_log(lambda log: bool(logs.append(log)) or len(logs) == 3, SECONDS)
                ),
            ]
            await asyncio.sleep(0)
            url = f"http://127.0.0.1:{port}/v1"
            reader = PeriodicExportingMetricReader(HttpMetrics(endpoint=f"{url}/metrics"))
            sdk = Sdk(reader, HttpLogs(endpoint=f"{url}/logs"))
            with listening(sdk.sink):
                use(Account(id=PERSON, phone=SECRET))
            await asyncio.to_thread(sdk.flush)
            metric, _ = await asyncio.gather(*arrived)
            assert counts_of(metric) == COUNTS
            check_logs(logs)
            for message in (metric, *logs):
                assert SECRET not in str(message)
                assert str(PERSON) not in str(message)
            await asyncio.to_thread(sdk.shutdown)

    asyncio.run(run())


def test_a_denial_belongs_to_its_trace() -> None:
    """Whoever follows a failed request through its trace would not find why it failed."""
    with Receiver() as receiver:
        sdk = Sdk(InMemoryMetricReader(), GrpcLogs(endpoint=receiver.endpoint, insecure=True))
        tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
        with listening(sdk.sink), tracer.start_as_current_span("request") as span, pytest.raises(NoActivePurpose):
            Account(id=1, phone=SECRET).phone
        sdk.flush()
        (record,) = receiver.logs
        assert int.from_bytes(record.trace_id, "big") == span.get_span_context().trace_id
        sdk.shutdown()


def test_together_with_the_ledger(tmp_path: Path) -> None:
    """A team would have to choose between what is live and what is exact."""
    reader = InMemoryMetricReader()
    sdk = Sdk(reader)
    with Ledger(tmp_path / "ledger") as ledger, listening(sdk.sink, ledger=ledger):
        use(Account(id=PERSON, phone=SECRET))
        with break_glass("INC-1: look", by="Ada"), purpose_scope(ADVERTISING):
            assert Account(id=PERSON, phone=SECRET).phone == SECRET
    counts = {**COUNTS, ("Account.phone", "advertising", "break_glass"): 1}
    assert counted(reader) == counts
    with Ledger(tmp_path / "ledger") as ledger:
        cells = {(cell.field, cell.purpose or "none", cell.decision): cell.reads for cell in ledger.matrix()}
    assert cells == counts
    sdk.shutdown()


def test_a_scope_that_outlives_an_emergency_is_no_emergency(tmp_path: Path) -> None:
    """The alert would go on ringing for work that is ordinary, and the ledger would say otherwise."""
    reader = InMemoryMetricReader()
    sdk = Sdk(reader)
    with Ledger(tmp_path / "ledger") as ledger, listening(sdk.sink, ledger=ledger):
        emergency, scope = break_glass("INC-1: look", by="Ada"), purpose_scope(TWO_FACTOR)
        emergency.__enter__()
        scope.__enter__()
        emergency.__exit__(None, None, None)
        assert Account(id=PERSON, phone=SECRET).phone == SECRET
        scope.__exit__(None, None, None)
    assert counted(reader) == {("Account.phone", "security.two_factor", "allowed"): 1}
    with Ledger(tmp_path / "ledger") as ledger:
        assert [(cell.decision, cell.reads) for cell in ledger.matrix()] == [("allowed", 1)]
    sdk.shutdown()


# --- What is bounded -------------------------------------------------------------------------------------------------


def test_cardinality_is_bounded_and_sums_stay_right(caplog: pytest.LogCaptureFixture) -> None:
    """Models made in a loop would fill the collector with series, and its bill."""
    reader = InMemoryMetricReader()
    sdk = Sdk(reader, limit=3)
    with listening(sdk.sink), purpose_scope(TWO_FACTOR):
        for number in range(10):
            made = type(f"Made{number}", (Account,), {})
            assert made(id=1, phone=SECRET).phone == SECRET
    found = counted(reader)
    assert sum(found.values()) == 10
    assert len(found) == 4
    assert found["other", "other", "allowed"] == 7
    assert len([record for record in caplog.records if "combinations" in record.message]) == 1
    sdk.shutdown()


def test_a_limit_below_nothing_is_refused() -> None:
    """It would look like a setting, and turn the sink into one that counts everything as other."""
    with pytest.raises(ValueError, match="limit="):
        OpenTelemetrySink(limit=-1)


# --- What it does not disturb ----------------------------------------------------------------------------------------


class Broken:
    """A provider, meter, instrument and logger, of which everything fails when it is used."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def get_meter(self, *_: Any, **__: Any) -> Any:
        return self

    get_logger = create_counter = get_meter

    def add(self, *_: Any, **__: Any) -> None:
        raise self._error

    emit = add


@pytest.mark.parametrize("error", [RuntimeError(SECRET), RecursionError(), MemoryError(), ValueError(SECRET)], ids=repr)
def test_a_broken_sdk_hides_no_denial_and_stops_no_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    """An outage of the monitoring would be one of the service; or the rule would stop holding with it."""
    broken: Any = Broken(error)
    sink = OpenTelemetrySink(broken, broken)
    with Ledger(tmp_path / "ledger") as ledger, listening(sink, ledger=ledger), caplog.at_level(logging.DEBUG):
        use(Account(id=PERSON, phone=SECRET))
        use(Account(id=PERSON, phone=SECRET))
        told = [record.getMessage() for record in caplog.records if "OpenTelemetry" in record.getMessage()]
        assert len(told) == 3, "each kind of failure is said once"
        assert SECRET not in caplog.text
    with Ledger(tmp_path / "ledger") as ledger:
        assert ledger.affected().reads == 2 * sum(COUNTS.values())


def test_an_exporter_without_a_collector_holds_nobody_up() -> None:
    """Each read would wait for the timeout of a collector that is being restarted."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        reader = PeriodicExportingMetricReader(HttpMetrics(endpoint=f"{nowhere}/metrics", timeout=1))
        sdk = Sdk(reader, HttpLogs(endpoint=f"{nowhere}/logs", timeout=1))
        with ExitStack() as stack:
            stack.callback(sdk.shutdown)
            with listening(sdk.sink):
                for _ in range(100):
                    use(Account(id=PERSON, phone=SECRET))


def test_without_an_sdk_it_does_nothing() -> None:
    """A library that uses the API alone would fail in a service that has no SDK."""
    with listening(OpenTelemetrySink()):
        use(Account(id=PERSON, phone=SECRET))


def test_the_api_missing_says_what_to_install() -> None:
    """Whoever reads `No module named opentelemetry` installs a package that only sounds right."""
    program = "import sys; sys.modules['opentelemetry'] = None; import purposebind.ledger.telemetry"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "pip install 'purposebind[otel]'" in done.stderr.splitlines()[-1]
