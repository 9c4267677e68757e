"""`PurposePropagator`: the purposes in force go along with what is sent, and narrow the work where it arrives.

What this module keeps:

- **R4** What is sent is what is in force: after a handover the purpose that was left is sent no more, whatever baggage
  came in with the work. Where none is in force, what came in goes on to the next service as it came.
- A member that code has set by hand never takes the place of the purposes in force.
- Ours is the first member: where a propagator cuts baggage to W3C's limits, it cuts at the end.
"""

from __future__ import annotations

from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)

from purposebind.receiving import names_to_send, received

from .member import HEADER, MEMBER, is_member, names_in, names_in_headers, written

__all__ = ["PurposePropagator", "received_purposes"]


class PurposePropagator(TextMapPropagator):
    """A W3C baggage propagator that sends purposes along. It takes the place of `W3CBaggagePropagator`.

    Other members of the baggage travel as they do there. What is received stands in the baggage of the context, and
    narrows nothing by itself: `ReceivedPurposes` or `received_purposes` does.

    Example:
        >>> from opentelemetry.propagators.composite import CompositePropagator
        >>> from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        >>> from purposebind import Purpose, purpose_scope
        >>> propagator = CompositePropagator([TraceContextTextMapPropagator(), PurposePropagator()])
        >>> headers = {}
        >>> with purpose_scope(Purpose("returns", "Take a parcel back")):
        ...     propagator.inject(headers)
        >>> headers
        {'baggage': 'purposebind.purposes=returns'}
    """

    def __init__(self) -> None:
        self._baggage = W3CBaggagePropagator()

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        """Return `context` with the carrier's baggage; all purposes in it stand in one member."""
        context = self._baggage.extract(carrier, context, getter)
        names = names_in_headers(getter.get(carrier, HEADER) or ())
        return _with_member(names, context) if names else context

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        """Write the baggage of `context` into the carrier, with the purposes in force."""
        names = names_to_send() or names_in(v for k, v in baggage.get_all(context).items() if is_member(k))
        self._baggage.inject(carrier, _with_member(names, context) if names else context, setter)

    @property
    def fields(self) -> set[str]:
        """The headers that `inject` writes."""
        return self._baggage.fields


def received_purposes(context: Context | None = None) -> received:
    """Run a block for work that came with baggage, on top of the purposes it was sent under.

    For what `ReceivedPurposes` does not serve: messages of a queue, gRPC, other servers.

    Args:
        context: What `PurposePropagator.extract` returned; by default the current context.

    Example:
        >>> from purposebind import Purpose, active_purposes, purpose_scope
        >>> grocery, delivery = Purpose("grocery", "Sell food"), Purpose("delivery", "Bring the parcel")
        >>> message = {"baggage": "purposebind.purposes=grocery"}
        >>> with received_purposes(PurposePropagator().extract(message)), purpose_scope(delivery):
        ...     sorted(active_purposes())
        [Purpose('delivery'), Purpose('grocery')]
    """
    found = names_in(value for key, value in baggage.get_all(context).items() if is_member(key))
    return received(sorted(found), origin="its baggage")


def _with_member(names: frozenset[str] | tuple[str, ...], context: Context | None) -> Context:
    """`context` with the member for `names` before all others, and no other way of writing it."""
    others = [(key, value) for key, value in baggage.get_all(context).items() if not is_member(key)]
    context = baggage.set_baggage(MEMBER, written(names), baggage.clear(context))
    for key, value in others:
        context = baggage.set_baggage(key, value, context)
    return context
