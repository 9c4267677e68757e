"""purposebind: personal data stays bound to the purposes it was collected for, while a service runs."""

from .config import configure
from .entering import carry, purpose_scope
from .errors import NoActivePurpose, PolicyError, PurposeError, PurposeViolation
from .model import PurposeModel
from .purpose import Purpose
from .requirement import requires_purpose
from .root_model import PurposeRootModel
from .scope import active_purposes
from .sealed import Sealed
from .tags import AllowedFor, SubjectId

__all__ = [
    "AllowedFor",
    "NoActivePurpose",
    "PolicyError",
    "Purpose",
    "PurposeError",
    "PurposeModel",
    "PurposeRootModel",
    "PurposeViolation",
    "Sealed",
    "SubjectId",
    "active_purposes",
    "carry",
    "configure",
    "purpose_scope",
    "requires_purpose",
]
