"""Purposes and denials on spans.

What this module keeps: names only, of fields, purposes and places in the code. No value, and no person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import get_current_span

from purposebind import active_purposes

from .attributes import DENIAL, PURPOSES, attributes_of

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span, SpanProcessor

    from purposebind.enforcement import Denial
else:
    try:
        from opentelemetry.sdk.trace import SpanProcessor
    except ModuleNotFoundError:  # the extra has the API alone; without the SDK there is nothing to add a processor to
        SpanProcessor = object

__all__ = ["PurposeSpanProcessor", "denied"]


class PurposeSpanProcessor(SpanProcessor):
    """Puts the active purposes on each span that starts, as ``purposebind.purposes``, ordered by name.

    A span that starts before the scope is entered, such as a server's, does not have them. Add it to the provider
    before the processor that exports.

    Example:
        >>> from opentelemetry.sdk.trace import TracerProvider
        >>> from purposebind import Purpose, purpose_scope
        >>> provider = TracerProvider(shutdown_on_exit=False)
        >>> provider.add_span_processor(PurposeSpanProcessor())
        >>> with purpose_scope(Purpose("refunds", "Pay back")):
        ...     provider.get_tracer("shop").start_span("pay").attributes["purposebind.purposes"]
        ('refunds',)
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Put them on `span`."""
        active = active_purposes()
        if active:
            span.set_attribute(PURPOSES, sorted(purpose.name for purpose in active))

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return that nothing is left to send. Older SDKs say otherwise, and then flush no exporter behind it."""
        return True


def denied(denial: Denial, /) -> None:
    """Put a denial on the current span, as the event ``purposebind.denial``: for ``on_violation=``.

    The span's status is left as it is: whether a denial makes the operation fail is for the code that handles it.

    Example:
        >>> from purposebind import configure
        >>> with configure(on_violation=denied):
        ...     pass
    """
    span = get_current_span()
    if not span.is_recording():
        return
    span.add_event(DENIAL, attributes_of(denial))
