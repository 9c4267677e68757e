"""What OpenTelemetry is told of a denial, on spans and in log records alike: names, and places in the code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from purposebind.enforcement import Denial

__all__ = ["DENIAL", "PURPOSES", "attributes_of"]

PURPOSES: Final = "purposebind.purposes"
DENIAL: Final = "purposebind.denial"
"""The name of the event."""


def attributes_of(denial: Denial) -> dict[str, Any]:
    """Return the attributes of a denial."""
    attributes: dict[str, Any] = {
        "purposebind.field": denial.field,
        PURPOSES: sorted(purpose.name for purpose in denial.active),
        "purposebind.allowed": sorted(purpose.name for purpose in denial.allowed),
        "purposebind.decision": "denied" if denial.enforced else "observed",
        "purposebind.reason": denial.reason.value,
    }
    if denial.site is not None:
        attributes["code.file.path"] = denial.site.file
        attributes["code.line.number"] = denial.site.line
        attributes["code.function.name"] = denial.site.function
    return attributes
