"""A live view in OpenTelemetry: a log record for each denial, and a counter of reads. Needs the extra ``otel``.

It is no ledger: exporters drop what they cannot send, and people cannot be counted by it, for they are not in it. The
ledger is what is exact, and records beside it.

What this module keeps:

- Names only: of fields, purposes, places in the code. No value, and no person, in whatever form.
- Bounded cardinality: at most so many combinations of names are told apart; what comes later is counted under
  ``other``, so that the sums stay right.
- Whatever the SDK does, a denial stays a denial, a read goes on, and the program runs.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from .errors import LedgerError

try:
    from opentelemetry._logs import LoggerProvider, SeverityNumber, get_logger
    from opentelemetry.metrics import MeterProvider, get_meter
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "opentelemetry":
        raise
    raise LedgerError(
        "The OpenTelemetry sink needs opentelemetry-api, which is not installed. Install it with: "
        "pip install 'purposebind[otel]'"
    ) from None

from purposebind.integrations.opentelemetry.attributes import DENIAL, attributes_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from purposebind import Purpose
    from purposebind.enforcement import Denial, Read

__all__ = ["OpenTelemetrySink"]

_logger = logging.getLogger("purposebind")

_SCOPE: Final = "purposebind"
_READS: Final = "purposebind.reads"
_OTHER: Final = "other"
_NONE: Final = "none"
"""Stands where no purpose was active."""


class OpenTelemetrySink:
    """Sends denials and counts of reads to OpenTelemetry.

    Denials are log records of severity ``WARN`` with the event name ``purposebind.denial``. Reads are counted by
    ``purposebind.reads``, with the attributes ``purposebind.field``, ``purposebind.purpose`` (the active purposes,
    ordered by name and joined by commas) and ``purposebind.decision``: ``allowed``, ``denied``, ``observed`` or
    ``break_glass``.

    Args:
        logger_provider: Where log records go; by default the global one.
        meter_provider: Where counts go; by default the global one.
        limit: How many combinations of field, purpose and decision are told apart.

    Raises:
        ValueError: `limit` is negative.

    Example:
        >>> from purposebind import configure
        >>> sink = OpenTelemetrySink()
        >>> with configure(on_violation=sink.denied, on_read=sink.read):
        ...     pass
    """

    def __init__(
        self,
        logger_provider: LoggerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        *,
        limit: int = 1000,
    ) -> None:
        if limit < 0:
            raise ValueError(f"limit= is a number of combinations, not {limit!r}")
        self._limit = limit
        self._known: dict[tuple[str, frozenset[Purpose], str], dict[str, str]] = {}
        self._lock = threading.Lock()
        self._failed: set[str] = set()
        self._log = get_logger(_SCOPE, logger_provider=logger_provider)
        self._reads = get_meter(_SCOPE, meter_provider=meter_provider).create_counter(
            _READS, unit="{read}", description="Reads of tagged fields, let through or refused"
        )

    def read(self, read: Read, /) -> None:
        """Count a read that was let through: for ``on_read=``."""
        try:
            decision = "break_glass" if read.frame.in_emergency else "allowed"
            self._reads.add(1, self._attributes(read.field, read.active, decision))
        except Exception as error:
            self._note("a read was not counted", error)

    def denied(self, denial: Denial, /) -> None:
        """Count and tell of a denial, enforced or observed: for ``on_violation=``."""
        decision = "denied" if denial.enforced else "observed"
        try:
            self._reads.add(1, self._attributes(denial.field, denial.active, decision))
        except Exception as error:
            self._note("a denial was not counted", error)
        try:
            self._tell(denial)
        except Exception as error:
            self._note("a denial was not told", error)

    def _tell(self, denial: Denial) -> None:
        active = _names(denial.active)
        for_what = f"for {', '.join(active)}" if active else "for no purpose"
        done = "refused" if denial.enforced else "observed and let through"
        self._log.emit(
            severity_number=SeverityNumber.WARN,
            severity_text="WARN",
            body=f"{denial.field} {for_what}: {done}",
            attributes=attributes_of(denial),
            event_name=DENIAL,
        )

    def _attributes(self, field: str, active: frozenset[Purpose], decision: str) -> dict[str, str]:
        """The attributes of a count: those of `other` where too many are told apart already."""
        known = self._known.get((field, active, decision))
        if known is not None:
            return known
        with self._lock:
            if len(self._known) < self._limit:
                known = _counted(field, ",".join(_names(active)) or _NONE, decision)
                return self._known.setdefault((field, active, decision), known)
        self._note(f"more than {self._limit} combinations of field, purpose and decision; the others are one", None)
        return _counted(_OTHER, _OTHER, decision)

    def _note(self, what: str, error: Exception | None) -> None:
        """Say once what went wrong; the error by its kind alone, for its text may quote anything."""
        if what not in self._failed:
            self._failed.add(what)
            kind = f" ({type(error).__name__})" if error is not None else ""
            _logger.warning("OpenTelemetry: %s%s", what, kind)


def _names(purposes: Iterable[Purpose]) -> list[str]:
    return sorted(purpose.name for purpose in purposes)


def _counted(field: str, purpose: str, decision: str) -> dict[str, str]:
    return {"purposebind.field": field, "purposebind.purpose": purpose, "purposebind.decision": decision}
