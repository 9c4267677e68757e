"""Sentry: an event says for which purposes the code ran, and does not hold what its frames held.

Sentry sends the local variables of each frame of a traceback, as text. After ``phone = account.phone`` that is a phone
number. Give these functions to ``sentry_sdk.init`` under their own names, or call them last in your own:

- `before_send` for errors and messages, `before_send_transaction` for transactions, `before_send_log` for logs,
  `before_breadcrumb` for breadcrumbs, at the time when they are made.

These are plain functions, and import nothing of Sentry's. The extra ``sentry`` installs a version that they are tested
with. What stays in an event and what does not is in ``docs/how-to/logs-and-errors.md``.
"""

from .hooks import before_breadcrumb, before_send, before_send_log, before_send_transaction

__all__ = ["before_breadcrumb", "before_send", "before_send_log", "before_send_transaction"]
