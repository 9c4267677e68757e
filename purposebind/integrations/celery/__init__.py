"""Celery: purposes hold across tasks, and tagged data travels sealed. Needs the extra ``celery``.

What this package keeps:

- **R2**, **R3** A task runs for the purposes that it states, and a message grants nothing.
- **R4** A message carries the purposes that it was sent under. On receipt they only narrow.
- **R5** Nothing stays open in a worker after a task.
- **R1** What goes to the broker and to the result backend is encrypted, and arrives sealed. That is not a read.

Which of Celery's seams is used for what: the class of ``app.amqp`` for what is sent (`sending`), the app's backends for
results (`results`), its task registry for each task, of whatever class (`tasks`), and kombu's registered types for what
goes through its codecs (`codecs`). None of them is a signal where something could go wrong:
Celery logs what a signal's receiver raises, and goes on.
"""

from __future__ import annotations

from purposebind import PurposeError

try:
    import celery  # type: ignore[import-untyped]
    import cryptography.fernet as fernet
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in ("celery", "cryptography"):
        raise
    raise PurposeError(
        f"The Celery integration needs {error.name}, which is not installed. Install it with: "
        "pip install 'purposebind[celery]'"
    ) from None

from .installing import install

__all__ = ["install"]

del celery, fernet
