"""`install`: puts the parts into an app."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import signals  # type: ignore[import-untyped]

from . import tasks
from .codecs import keyrings, register
from .parcels import Keyring
from .results import kept
from .sending import sending

__all__ = ["install"]


def install(app: Any, *, keys: Sequence[bytes]) -> None:
    """Have purposes hold across the tasks of a Celery app, and tagged data travel sealed.

    Call it where the app is made, in every process that sends to it, works for it or reads its results. A task then
    states its purposes with the option ``purposes=``. Calling it again changes the keys.

    Args:
        app: The app. Others in the same process stay as they are.
        keys: Fernet keys. The first encrypts, and all decrypt: to change keys, put the new one first, and take the old
            one away when what was sent with it has been read. Without any, tagged data cannot be sent.

    Raises:
        TypeError: `keys` is a single key.
        PolicyError: One of them is no Fernet key.

    Example:
        >>> from celery import Celery
        >>> from cryptography.fernet import Fernet
        >>> from purposebind import Purpose, active_purposes
        >>> billing = Purpose("billing", "Send the invoice")
        >>> app = Celery("shop", broker="memory://", set_as_current=False)
        >>> install(app, keys=[Fernet.generate_key()])
        >>> @app.task(purposes=(billing,))
        ... def invoice():
        ...     return [purpose.name for purpose in active_purposes()]
        >>> invoice.apply().get()
        ['billing']
    """
    keyring = Keyring(f"app {app.main or 'without a name'!r}", keys)
    installed = app in keyrings
    keyrings[app] = keyring
    if installed:
        return

    def current_keys() -> Keyring:
        return keyrings[app]

    app.amqp_cls = sending(_class_of(app.amqp_cls), current_keys)
    app.__dict__.pop("amqp", None)
    # Two things are put in place of others, for Celery takes no class for them, or takes it only where an app is made.
    make_backend = app._get_backend
    app._get_backend = lambda: kept(make_backend(), current_keys)
    if app._backend is not None:
        kept(app._backend, current_keys)
    app._tasks.__class__ = tasks.guarding(type(app._tasks), current_keys)
    for name, task in list(app._tasks.items()):
        app._tasks[name] = task
    register()
    signals.task_prerun.connect(_begin, weak=False, dispatch_uid="purposebind")
    signals.task_postrun.connect(_end, weak=False, dispatch_uid="purposebind")


def _class_of(name: Any) -> Any:
    from celery.utils.imports import symbol_by_name  # type: ignore[import-untyped]

    return symbol_by_name(name)


def _begin(*, task: Any, args: Any, kwargs: Any, **_: Any) -> None:
    keyring = keyrings.get(task.app)
    if keyring is not None:
        tasks.begin(task, args, kwargs, keyring)


def _end(*, task: Any, **_: Any) -> None:
    if task.app in keyrings:
        tasks.end(task)
