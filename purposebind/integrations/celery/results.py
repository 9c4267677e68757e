"""Results: return values are kept as parcels, and denials as themselves.

What this module keeps:

- **R1** What is stored of a tagged return value, of extended results and of exceptions' arguments is ciphertext.
- **R12** A denial in a task is a denial for whoever asks for its result, and holds no value.
- **R4** Errbacks run, and are published, under what the failed task was sent under; in a worker's main process too, as
  after a hard time limit.
"""

from __future__ import annotations

import functools
from typing import Any, Final

from purposebind import Purpose, PurposeViolation
from purposebind.errors import NoActivePurpose, NotRecorded, Reason
from purposebind.receiving import received
from purposebind.sites import WHOLE_FUNCTION, Site

from .naming import in_headers, sent_under

__all__ = ["kept"]

_DENIALS: Final = {kind.__name__: kind for kind in (PurposeViolation, NoActivePurpose, NotRecorded)}
_PURPOSES: Final = ("allowed", "never", "active", "culprits")


def kept(backend: Any, keys: Any) -> Any:
    """Return a backend of an app, which from here on keeps tagged values as parcels.

    Args:
        backend: Made and connected already, or just made.
        keys: Returns the app's keyring.
    """
    kind: Any = type(backend)
    backend.__class__ = _keeping(kind, keys)
    return backend


@functools.lru_cache(maxsize=256)
def _keeping(base: Any, keys: Any) -> Any:
    """Return a subclass of a backend's class that keeps tagged values as parcels."""

    class Keeping(base):  # type: ignore[misc]
        def encode_result(self, result: Any, state: str) -> Any:
            return super().encode_result(keys().packed(result, self.serializer), state)

        def encode(self, data: Any) -> Any:
            return super().encode(keys().packed(data, self.serializer))

        def meta_from_decoded(self, meta: Any) -> Any:
            return super().meta_from_decoded(keys().opened(meta))

        def prepare_exception(self, exc: Any, serializer: Any = None) -> Any:
            prepared = super().prepare_exception(exc, serializer)
            if isinstance(exc, PurposeViolation) and isinstance(prepared, dict):
                prepared["exc_message"] = [_written(exc)]
            return prepared

        def exception_to_python(self, exc: Any) -> Any:
            denial = _denial(exc)
            return super().exception_to_python(exc) if denial is None else denial

        def mark_as_failure(self, task_id: Any, exc: Any, *args: Any, request: Any = None, **options: Any) -> Any:
            if len(args) > 1:  # traceback, request
                request = args[1]
            else:
                options["request"] = request
            with received(sent_under(request), origin=f"the failure of task {task_id}"):
                return super().mark_as_failure(task_id, exc, *args, **options)

        def chord_error_from_stack(self, callback: Any, exc: Any = None) -> Any:
            names = in_headers(callback.options.get("headers"))
            with received(names, origin="the failure of a chord"):
                return super().chord_error_from_stack(callback, exc=exc)

    Keeping.__name__ = Keeping.__qualname__ = base.__name__
    return Keeping


def _written(denial: PurposeViolation) -> dict[str, Any]:
    """The facts of a denial, for serializers that know no exceptions: names and places, as there is nothing else."""
    return {
        "field": denial.field,
        "reason": denial.reason.value,
        "detail": denial.detail,
        "where": denial.where,
        "site": _place(denial.site),
        "sites": [[purpose.name, _place(site)] for purpose, site in denial.sites],
        **{name: [purpose.name for purpose in getattr(denial, name)] for name in _PURPOSES},
    }


def _denial(exc: Any) -> PurposeViolation | None:
    if not isinstance(exc, dict) or exc.get("exc_module") != PurposeViolation.__module__:
        return None
    kind, message = _DENIALS.get(exc.get("exc_type", "")), exc.get("exc_message")
    if kind is None or not isinstance(message, (list, tuple)) or len(message) != 1 or not isinstance(message[0], dict):
        return None
    facts: dict[str, Any] = message[0]
    known = {purpose.name: purpose for purpose in Purpose.declared()}
    try:
        purposes: dict[str, Any] = {key: [known[name] for name in facts[key] if name in known] for key in _PURPOSES}
        return kind(
            field=str(facts["field"]),
            reason=Reason(facts["reason"]),
            detail=str(facts["detail"]),
            where=str(facts.get("where", "")),
            site=_site(facts["site"]),
            sites=[(known[name], place) for name, at in facts["sites"] if name in known and (place := _site(at))],
            **purposes,
        )
    except (KeyError, TypeError, ValueError):  # of another version: Celery makes what it can of it
        return None


def _place(site: Site | None) -> list[Any] | None:
    return None if site is None else [site.file, site.line, site.function]


def _site(place: Any) -> Site | None:
    if place is None:
        return None
    file, line, function = place
    return Site(None, WHOLE_FUNCTION, (str(file), int(line), str(function)))
