"""A receiver of OTLP over gRPC, on the published protos: what arrives is kept, whole."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc

__all__ = ["Receiver"]


class Receiver:
    """Listens on a free port of this machine, while its block is open.

    Attributes:
        endpoint: Where exporters are to send.
        logs: The log records that arrived.
        metrics: The metrics that arrived.
        raw: All that arrived, as bytes.
    """

    def __init__(self) -> None:
        self.logs: list[Any] = []
        self.metrics: list[Any] = []
        self.raw: list[bytes] = []
        self._server = grpc.server(ThreadPoolExecutor(2))
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server(_Logs(self), self._server)
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(_Metrics(self), self._server)
        self.endpoint = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> Receiver:
        self._server.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.stop(None).wait()


class _Logs(logs_service_pb2_grpc.LogsServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(self, request: Any, context: Any) -> Any:
        self._receiver.raw.append(request.SerializeToString())
        for resource in request.resource_logs:
            for scope in resource.scope_logs:
                self._receiver.logs.extend(scope.log_records)
        return logs_service_pb2.ExportLogsServiceResponse()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(self, request: Any, context: Any) -> Any:
        self._receiver.raw.append(request.SerializeToString())
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                self._receiver.metrics.extend(scope.metrics)
        return metrics_service_pb2.ExportMetricsServiceResponse()
