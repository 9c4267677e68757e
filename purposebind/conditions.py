"""What a policy allows on conditions: the data subject's consent, and the time since the value was collected.

What this module keeps:

- What is not known denies: a person, a consent, a time of collection.
- **R7** What is said of a denial names no person.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from .answers import StoreFailed, consents
from .errors import Reason
from .frames import Frame
from .policy import Decision, Policy, duration
from .recording import identity

__all__ = ["settled"]


def settled(decision: Decision, policy: Policy, frame: Frame, subject: Any, until: float | None) -> Decision:
    """Return what becomes of a read that is allowed on conditions.

    Args:
        decision: What `decide` said: allowed.
        policy: The policy of what is read.
        frame: The scope of the read.
        subject: Whose data it is, or None where that is not known.
        until: When it may be read no more, in seconds since 1970; None where that is not known.
    """
    if policy.retain is not None and (until is None or not time.time() < until):
        detail = (
            "when it was collected is not known here, and it is retained from then on"
            if until is None
            else f"it was retained for {duration(policy.retain)} from its collection, which are over"
        )
        return Decision(False, Reason.RETENTION_OVER, detail=detail)
    if not decision.consent:
        return decision
    denied = Decision(False, Reason.NO_CONSENT, decision.consent)
    if subject is None:
        return replace(denied, detail="whose data it is is not known here, and consent is a person's own")
    try:
        given = consents(frame, identity(subject), decision.consent, policy)
    except StoreFailed as failure:
        return replace(denied, detail=str(failure))
    if given:
        return decision
    names = ", ".join(purpose.name for purpose in decision.consent)
    return replace(denied, detail=f"the data subject does not consent to {names}")
