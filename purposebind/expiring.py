"""Lets go of what has become too old, by a thread of its own: what is read often then needs no look at the clock.

Whoever relies on something until a time may have it taken away at half of that time, so that how long it takes to
switch to this thread does not count. Where threads are not the system's own (gevent's) nothing is let go, and nothing
may be relied on without a look at the clock.
"""

from __future__ import annotations

import _thread
import os
import threading
import time
from types import BuiltinFunctionType
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

__all__ = ["Perishable", "let_go_at"]

_SOONEST: Final = 0.05
"""What is to be let go sooner than in so many seconds is not worth a thread's while."""


_LONGEST: Final = 3600.0


class Perishable(Protocol):
    """What is let go."""

    def let_go(self) -> object:
        """Rely on nothing any more. Called in another thread; quick, and raises nothing."""


def let_go_at(due: float, what: Perishable) -> bool:
    """Have ``what.let_go()`` called at `due`, in seconds of the monotonic clock.

    Returns:
        Whether it will be. Not where it is due too soon, or where no thread of the system's can be had.
    """
    if due - time.monotonic() < _SOONEST or not _system_threads():
        return False
    return _keeper.take(due, what)


def _system_threads() -> bool:
    return isinstance(_thread.start_new_thread, BuiltinFunctionType)  # gevent and eventlet put their own there


class _Keeper:
    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._held: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        self._running = False

    def take(self, due: float, what: Perishable) -> bool:
        with self._wake:
            if not self._running:
                try:
                    threading.Thread(target=self._run, name="purposebind-expiring", daemon=True).start()
                except RuntimeError:  # no more threads, or the interpreter is going down
                    return False
                self._running = True
            self._held[what] = due
            self._wake.notify()
        return True

    def _run(self) -> None:
        while True:
            for what in self._due():
                what.let_go()  # not under our lock: it takes one of its own, which whoever asks us may hold

    def _due(self) -> list[Any]:
        """Wait, and return what is to be let go, which may be nothing."""
        with self._wake:
            now = time.monotonic()
            due = [what for what, at in list(self._held.items()) if at <= now]
            for what in due:
                del self._held[what]
            if not due:
                self._wake.wait(min(*self._held.values(), now + _LONGEST, now + _LONGEST) - now)
            return due


def _forked() -> None:
    """The thread is not here. Whoever relies on something has to let it go in the child, too."""
    global _keeper
    _keeper = _Keeper()


_keeper = _Keeper()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
