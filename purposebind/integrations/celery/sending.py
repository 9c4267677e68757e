"""What is sent: a message carries the purposes it is sent under, and tagged values only as parcels.

What this module keeps:

- **R4** Each message of the app carries the names of the purposes in force where it is published, and so do the
  signatures inside it. A retry carries what the original did, whatever scope it is asked for in.
- **R1** Tagged values are sealed before any serializer sees them, and a serializer runs where nothing may be read. So
  one that finds a tagged value at a depth where nobody looked is refused.
"""

from __future__ import annotations

import functools
from typing import Any

from purposebind.receiving import names_to_send, received

from .naming import HEADER, in_headers, sent_under, stamped
from .parcels import Keyring

__all__ = ["sending"]


def sending(base: Any, keys: Any) -> Any:
    """Return a subclass of an app's class of ``app.amqp``, through which it publishes every task message.

    Args:
        base: The class that the app has.
        keys: Returns the app's keyring.
    """

    class Sending(base):  # type: ignore[misc]
        @property
        def send_task_message(self) -> Any:  # a property: what the base caches under the name may not shadow it
            return functools.partial(_send, self.app, keys(), super().send_task_message)

    Sending.__name__ = Sending.__qualname__ = base.__name__
    return Sending


def _send(
    app: Any, keys: Keyring, send: Any, producer: Any, name: str, message: Any, *args: Any, **options: Any
) -> Any:
    message_headers, properties, body, sent_event = message
    names = _names(app, message_headers, body, options.get("headers"))
    headers = {key: value for key, value in (options.get("headers") or {}).items() if key != HEADER}
    if names:
        headers[HEADER] = list(names)
    message_headers.pop(HEADER, None)
    serializer = options.get("serializer") or app.conf.task_serializer
    if isinstance(body, dict):  # protocol 1
        body = {key: _follower(item, names) if key in _FOLLOWING else item for key, item in body.items()}
        body = keys.packed(body, serializer)
    else:
        arguments, keywords, embedded = body
        embedded = {key: _follower(item, names) for key, item in embedded.items()}
        body = (
            keys.packed(list(arguments), serializer),
            keys.packed(keywords, serializer),
            keys.packed(embedded, serializer),
        )
    sealed = type(message)(message_headers, properties, body, sent_event)
    with received(names_to_send(), origin=f"publishing task {name}"):  # grants nothing (R3)
        return send(producer, name, sealed, *args, **{**options, "headers": headers})


_FOLLOWING = frozenset(("callbacks", "errbacks", "chain", "chord"))


def _follower(signature: Any, names: tuple[str, ...]) -> Any:
    return stamped(signature, names) if signature and names else signature


def _names(app: Any, headers: Any, body: Any, extra: Any) -> tuple[str, ...]:
    facts = body if isinstance(body, dict) else headers
    task = app.current_worker_task
    if task is not None:
        request = task.request
        if facts.get("id") == request.id and (facts.get("retries") or 0) > (request.retries or 0):
            return sent_under(request)
    return tuple(sorted({*names_to_send(), *in_headers(extra), *in_headers(headers)}))
