"""Runs something and interrupts it at one of its steps: it is killed, or told by the system that the step failed."""

from __future__ import annotations

import os
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

STEPS = ("open", "write", "fsync", "rename", "ftruncate", "unlink", "rmdir", "mkdir")
"""The functions of `os` whose calls are the steps."""


class _Steps:
    """Stands in for functions of `os`, and does something at one call of all."""

    def __init__(self, at: int, then: Callable[[str, Any, tuple[Any, ...]], None]) -> None:
        self.at = at
        self.then = then
        self.done = 0

    def wrapped(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **keywords: Any) -> Any:
            self.done += 1
            if self.done == self.at + 1:
                self.then(name, function, arguments)
            return function(*arguments, **keywords)

        return step


@contextmanager
def _patched(steps: _Steps, names: tuple[str, ...] = STEPS) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setattr(os, name, steps.wrapped(name, getattr(os, name)))
        yield


def _die(name: str, function: Any, arguments: tuple[Any, ...]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_in_the_middle(name: str, function: Any, arguments: tuple[Any, ...]) -> None:
    if name == "write":
        function(arguments[0], arguments[1][: len(arguments[1]) // 2])
    os.kill(os.getpid(), signal.SIGKILL)


def killed(action: Callable[[], object], at: int, *, in_the_middle: bool = False) -> bool:
    """Run `action` in a process that kills itself before its step `at`, and return whether it came to that.

    Args:
        action: What is run.
        at: Which step, from 0.
        in_the_middle: Whether a write is half done before.
    """
    process = in_a_process(lambda: _run(action, at, in_the_middle))
    _, status = os.waitpid(process, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert status == 0, "it failed, see above"
    return False


def _run(action: Callable[[], object], at: int, in_the_middle: bool) -> None:
    with _patched(_Steps(at, _die_in_the_middle if in_the_middle else _die)):
        action()


def in_a_process(action: Callable[[], object]) -> int:
    """Run `action` in a process of its own, and return its id; its status is 0 if nothing was raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # about threads, which the child does not use
        process = os.fork()
    if process:
        return process
    try:
        action()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


@contextmanager
def failing(at: int, error: int, *, short: bool = False) -> Iterator[_Steps]:
    """Have step `at` fail, and every later step that makes or writes something succeed.

    Args:
        at: Which step, from 0.
        error: The number of the error.
        short: Whether a write writes a half and says so, instead of failing.
    """

    def fail(name: str, function: Any, arguments: tuple[Any, ...]) -> None:
        raise OSError(error, os.strerror(error))

    steps = _Steps(at, fail)
    with _patched(steps, (*STEPS, "pread")):
        if short:
            write = os.write

            def half(descriptor: int, data: bytes) -> int:
                try:
                    return write(descriptor, data)
                except OSError:
                    return write(descriptor, data[: len(data) // 2])

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(os, "write", half)
                yield steps
        else:
            yield steps
