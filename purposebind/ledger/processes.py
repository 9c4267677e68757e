"""A recorder and its process: what becomes of it when the process is forked, and when it ends.

While a process is forked nobody is in the middle of recording, and nothing can be written to a segment until parent and
child are told apart: other libraries' hooks run before ours in the child, and what they read would overwrite what the
parent writes.
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .recorder import Recorder

__all__ = ["watch_over"]

_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()
_one_fork = threading.RLock()  # two at once would take the recorders' locks in different orders
_forking: list[Recorder] = []


def watch_over(recorder: Recorder) -> None:
    """Have a recorder told when its process is forked, and closed when its process ends."""
    _recorders.add(recorder)


def _before() -> None:
    _one_fork.acquire()
    for recorder in list(_recorders):
        recorder.hold()
        _forking.append(recorder)


def _in_parent() -> None:
    while _forking:
        _forking.pop().go_on()
    _one_fork.release()


def _in_child() -> None:
    global _one_fork
    _one_fork = threading.RLock()
    _forking.clear()
    for recorder in list(_recorders):
        recorder.forked()


def _close_all() -> None:
    for recorder in list(_recorders):
        recorder.close()


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
atexit.register(_close_all)
