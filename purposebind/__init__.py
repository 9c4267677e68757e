"""purposebind: personal data stays bound to the purposes it was collected for, while a service runs."""

from .config import configure
from .errors import NoActivePurpose, PolicyError, PurposeError, PurposeViolation
from .model import PurposeModel
from .purpose import Purpose
from .requirement import requires_purpose
from .scope import active_purposes, carry, purpose_scope
from .sealed import Sealed
from .tags import AllowedFor, SubjectId

__all__ = [
    "AllowedFor",
    "NoActivePurpose",
    "PolicyError",
    "Purpose",
    "PurposeError",
    "PurposeModel",
    "PurposeViolation",
    "Sealed",
    "SubjectId",
    "active_purposes",
    "carry",
    "configure",
    "purpose_scope",
    "requires_purpose",
]
