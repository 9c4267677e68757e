"""Tasks: each runs for the purposes that it states, on top of those that its message was sent under.

What this module keeps:

- **R2**, **R3** The body of a task, and its handlers, run for ``purposes=`` of the task. A task that states none may
  read nothing, whatever its message says; called directly, as a function, it runs in its caller's scope.
- **R4** They stand on what the message was sent under. So does everything else in the task's run: Celery publishes
  links, the rest of a chain and a chord's body from there.
- **R5** What is entered for a task is left after it, whatever becomes of it.

Every task passes through the registry of its app, whatever its class and however it is declared. There it is given a
``run`` of its own; the classes of users stay as they are.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import weakref
from collections.abc import Callable
from typing import Any, Final

from celery.app import base as celery_app  # type: ignore[import-untyped]

from purposebind import Purpose, PurposeError, purpose_scope
from purposebind.receiving import UNRECOGNIZED, names_to_send, received

from .codecs import serialising
from .naming import sent_under
from .parcels import Keyring, carries_tags

__all__ = ["begin", "end", "guarding"]

_HANDLERS: Final = ("before_start", "on_success", "on_failure", "on_retry", "after_return")

_open: weakref.WeakKeyDictionary[Any, received] = weakref.WeakKeyDictionary()
"""What is entered for each request that runs."""


def guarding(base: Any, keys: Callable[[], Keyring]) -> Any:
    """Return a subclass of an app's class of task registry, that sees to every task of the app."""

    class Guarding(base):  # type: ignore[misc]
        def __setitem__(self, name: str, task: Any) -> None:
            _guard(task, keys)
            super().__setitem__(name, task)

    Guarding.__name__ = Guarding.__qualname__ = base.__name__
    return Guarding


def begin(task: Any, args: Any, kwargs: Any, keys: Keyring) -> None:
    """Enter what the task's message was sent under, for the whole of the task's run, and open its arguments.

    What is in force here already, as where a task runs eagerly, narrows too and grants nothing. Arguments that cannot
    be opened are left for the task's body to refuse: this is called from a signal.
    """
    request = task.request
    block = received({*names_to_send(), *sent_under(request)}, origin=_origin(task))
    block.__enter__()
    _open[request] = block
    with contextlib.suppress(PurposeError):
        if isinstance(args, list):
            args[:] = keys.opened(args)
        kwargs.update(keys.opened(kwargs))


def end(task: Any) -> None:
    """Leave what `begin` entered."""
    block = _open.pop(task.request, None)
    if block is not None:
        block.__exit__(None, None, None)


def _guard(task: Any, keys: Callable[[], Keyring]) -> None:
    """Have a task run for its purposes.

    Raises:
        PolicyError, TypeError: Its ``purposes`` are no purposes.
    """
    if getattr(task.__dict__.get("run"), "_purposebind_keys", None) is keys:
        return
    scope = _scope(task)
    task.run = _Within(task, "run", scope, keys).function()
    for name in _HANDLERS:
        setattr(task, name, _Within(task, name, scope, keys).function())
    task.apply_async = _sent(task, keys)
    dump = getattr(task, "_dump_pydantic_arguments", None)
    if dump is not None:
        task._dump_pydantic_arguments = functools.partial(_dumped, dump, keys)


def _scope(task: Any) -> purpose_scope | None:
    stated: Any = getattr(task, "purposes", None)
    if stated is None:
        return None
    purposes: tuple[Any, ...] = (stated,) if isinstance(stated, (Purpose, str)) else tuple(stated)
    return purpose_scope(*purposes) if purposes else None


def _sent(task: Any, keys: Callable[[], Keyring]) -> Callable[..., Any]:
    """The task's ``apply_async``, which says with whose keys: an eager task is serialised, and never published."""
    own = task.__dict__.get("apply_async")

    @functools.wraps(task.apply_async)
    def apply_async(*args: Any, **kwargs: Any) -> Any:
        with serialising(keys()):
            return type(task).apply_async(task, *args, **kwargs) if own is None else own(*args, **kwargs)

    return apply_async


def _origin(task: Any) -> str:
    return f"the message of task {task.name}"


class _Within:
    """One function of a task, looked up when it is called: annotations and patches may still change it."""

    def __init__(self, task: Any, name: str, scope: purpose_scope | None, keys: Callable[[], Keyring]) -> None:
        self._task = task
        self._name = name
        self._scope = scope
        self._keys = keys
        self._own = task.__dict__.get(name)
        self._made: tuple[Any, Any] = (None, None)

    def function(self) -> Callable[..., Any]:
        @functools.wraps(self._found())
        def within(*args: Any, **kwargs: Any) -> Any:
            return self._call(args, kwargs)

        within._purposebind_keys = self._keys  # type: ignore[attr-defined]
        return within

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        request = self._task.request
        args, kwargs = self._opened(args, kwargs)
        if not request.called_directly:
            names = sent_under(request)
        elif self._name == "run":
            names = ()
        else:  # by a worker's main process, for a task that ran elsewhere: what it was sent under is not known
            names = (UNRECOGNIZED.name,)
        with received(names, origin=_origin(self._task)):
            result = self._scoped()(*args, **kwargs)
        return result.value if type(result) is _Held else result

    def _opened(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        keys = self._keys()
        try:
            return keys.opened(args), keys.opened(kwargs)
        except PurposeError:
            if self._name == "run":
                raise
            return args, kwargs  # a handler is told of the failure, with what the message held

    def _found(self) -> Any:
        return self._raw().__get__(self._task, type(self._task)) if self._own is None else self._own

    def _raw(self) -> Any:
        return inspect.getattr_static(type(self._task), self._name)

    def _scoped(self) -> Callable[..., Any]:
        raw = self._raw() if self._own is None else self._own
        known, scoped = self._made
        if known is not raw:
            inner = _of_pydantic(raw) if self._name == "run" else None
            scoped = self._found()
            if inner is not None:
                _hold(inner, self._scope)
            elif self._scope is not None:
                scoped = self._scope(scoped)
            self._made = (raw, scoped)
        return scoped  # type: ignore[no-any-return]


class _Held:
    """What a task returned that holds tagged data, hidden from Celery's pydantic wrapper, which would dump it."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def _of_pydantic(function: Any) -> Any:
    """Return the cell in which Celery's wrapper for ``pydantic=True`` keeps the user's function, if it is one.

    The wrapper dumps what the function returned. It does so inside of ``run``, and offers no seam; so the scope is put
    around the user's function alone, in its cell, and the wrapper runs where nothing may be read.
    """
    seen = getattr(function, "__func__", function)
    while seen is not None:
        code = getattr(seen, "__code__", None)
        if code is not None and code.co_filename == celery_app.__file__ and "task_fun" in code.co_freevars:
            return seen.__closure__[code.co_freevars.index("task_fun")]
        seen = getattr(seen, "__wrapped__", None)
    return None


def _hold(cell: Any, scope: purpose_scope | None) -> None:
    function = cell.cell_contents
    if getattr(function, "_purposebind_held", False):
        return
    scoped = function if scope is None else scope(function)

    @functools.wraps(function)
    def held(*args: Any, **kwargs: Any) -> Any:
        result = scoped(*args, **kwargs)
        return _Held(result) if carries_tags(result) else result

    held._purposebind_held = True  # type: ignore[attr-defined]
    cell.cell_contents = held


def _dumped(dump: Any, keys: Callable[[], Keyring], args: Any, kwargs: Any, **options: Any) -> Any:
    """Seal what holds tagged data before Celery dumps pydantic arguments, and have the dump read nothing else."""
    with received(names_to_send(), origin="publishing"):  # grants nothing (R3)
        return dump(keys().packed(args), keys().packed(kwargs), **options)
