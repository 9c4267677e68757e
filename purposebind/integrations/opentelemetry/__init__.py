"""OpenTelemetry: purposes travel with a request to the next service, and stand on spans. Needs the extra ``otel``.

- `PurposePropagator` sends the purposes in force along, as W3C baggage.
- `ReceivedPurposes` and `received_purposes` narrow by them what the receiver may read.
- `PurposeSpanProcessor` puts them on spans, and `denied` puts denials there.

How to set it up is in ``docs/how-to/opentelemetry.md``. Metrics and log records of denials are sent by
`purposebind.ledger.telemetry`, which can be used beside it.
"""

from purposebind import PurposeError

try:
    from .asgi import ReceivedPurposes
    from .member import MEMBER
    from .propagation import PurposePropagator, received_purposes
    from .spans import PurposeSpanProcessor, denied
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "opentelemetry":
        raise
    raise PurposeError(
        "purposebind.integrations.opentelemetry needs opentelemetry-api, which is not installed. Install it with: "
        "pip install 'purposebind[otel]'"
    ) from None

__all__ = [
    "MEMBER",
    "PurposePropagator",
    "PurposeSpanProcessor",
    "ReceivedPurposes",
    "denied",
    "received_purposes",
]
