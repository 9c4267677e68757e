"""purposebind: personal data stays bound to the purposes it was collected for, while a service runs."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .collection import collected_for
    from .config import configure
    from .entering import carry, purpose_scope
    from .errors import NoActivePurpose, PolicyError, PurposeError, PurposeViolation
    from .model import PurposeModel
    from .purpose import Purpose
    from .requirement import requires_purpose
    from .root_model import PurposeRootModel
    from .scope import active_purposes
    from .sealed import Sealed
    from .tags import AllowedFor, CollectedAt, SubjectId

__all__ = [
    "AllowedFor",
    "CollectedAt",
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
    "collected_for",
    "configure",
    "purpose_scope",
    "requires_purpose",
]

_HOMES = {
    "AllowedFor": "tags",
    "CollectedAt": "tags",
    "NoActivePurpose": "errors",
    "PolicyError": "errors",
    "Purpose": "purpose",
    "PurposeError": "errors",
    "PurposeModel": "model",
    "PurposeRootModel": "root_model",
    "PurposeViolation": "errors",
    "Sealed": "sealed",
    "SubjectId": "tags",
    "active_purposes": "scope",
    "carry": "entering",
    "collected_for": "collection",
    "configure": "config",
    "purpose_scope": "entering",
    "requires_purpose": "requirement",
}


def __getattr__(name: str) -> Any:
    """Import a public name's module when it is asked for first, as pydantic does.

    pytest loads the plugin wherever this package is installed, also for suites that never use it.
    """
    from importlib import import_module

    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return [*globals(), *(name for name in __all__ if name not in globals())]
