"""A worker in this process, for an app whose broker is in memory: it runs what is queued, as a pool's process would."""

from __future__ import annotations

import contextlib
from queue import Empty
from typing import Any

from celery import Celery
from celery.app.trace import trace_task_ret
from celery.exceptions import Reject
from kombu.message import Message

__all__ = ["deliver", "published"]


def published(app: Celery) -> list[Message]:
    """Take the messages that wait, oldest first."""
    found = []
    with app.connection_for_read() as connection:
        simple = connection.SimpleQueue(app.conf.task_default_queue)
        try:
            while True:
                message = simple.get(block=False)
                message.ack()
                found.append(message)
        except Empty:
            pass
        finally:
            simple.close()
    return found


def deliver(app: Celery, *messages: Message) -> list[Message]:
    """Run `messages`, or those that wait, and what they send in turn; return all that were run, in order."""
    run: list[Message] = []
    queue = app.conf.task_default_queue
    waiting = list(messages) or published(app)
    while waiting:
        for message in waiting:
            request: dict[str, Any] = {**message.headers, "delivery_info": {"routing_key": queue, "exchange": ""}}
            body = (message.body, message.content_type, message.content_encoding)
            with contextlib.suppress(Reject):
                trace_task_ret(message.headers["task"], message.headers["id"], request, *body, app=app)
            run.append(message)
        waiting = published(app)
    return run
