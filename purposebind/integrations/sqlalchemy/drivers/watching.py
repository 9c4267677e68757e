"""What the drivers share: the check, the classes that ask it, what was let through, and what asks for itself."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn, TypeAlias
from weakref import WeakKeyDictionary

from purposebind import PolicyError

__all__ = ["Check", "Watching", "by_itself", "clearing", "itself", "passes", "refuse_road", "turned", "turns"]

Check: TypeAlias = Callable[[Any, str], object]
"""Called with None and a statement, before the driver sees it; raises to refuse.

Where it returns something true, what the database says of the statement's failure may quote a tagged value.
"""

passes: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
"""What was checked above a sync driver: the one text that each of these cursors may run next, once."""

_turns: WeakKeyDictionary[Any, int] = WeakKeyDictionary()

_cleared: ContextVar[tuple[Any, str] | None] = ContextVar("purposebind_driver_cleared", default=None)
_itself: ContextVar[bool] = ContextVar("purposebind_driver_itself", default=False)


class Watching:
    """The watch over one engine's connections: its check, and the subclasses that were made to ask it."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self.cursor_class: Any = None  # of the sqlite3 module in use
        self._classes: dict[tuple[Any, type], type] = {}
        self._made: set[type] = set()

    def weigh(self, statement: Any) -> bool:
        """Ask about a statement that the caller is about to hand to the driver; tell whether its errors may quote."""
        if not isinstance(statement, str):
            raise PolicyError(
                f"A statement given to a raw cursor is a {type(statement).__name__}, whose text cannot be read before"
                " it runs. Give it as a str, with placeholders for values."
            )
        return not _itself.get() and bool(self.check(None, statement))

    def let(self, cursor: Any, statement: Any) -> bool | None:
        """Ask about it, as `weigh` does, unless this very text was let through for this very cursor: then None."""
        if isinstance(statement, str) and passes.get(cursor) == statement:
            del passes[cursor]
            return None
        return self.weigh(statement)

    def let_on(self, connection: Any, statement: Any) -> bool | None:
        """Ask about it, unless this very text was cleared for this very connection, in this context: then None."""
        cleared = _cleared.get()
        if cleared is not None and cleared[0] is connection and cleared[1] == statement:
            return None
        return self.weigh(statement)

    def made(self, cls: type) -> bool:
        """Tell whether instances of `cls` are watched by this watch, if by another one as well."""
        return cls in self._made or not self._made.isdisjoint(cls.__mro__)

    def subclass(self, base: type, making: Callable[[Watching, Any], Any]) -> type:
        """Return the subclass of `base` that `making` writes; one for each base, with its base's name."""
        if self.made(base):
            return base
        key = (making, base)
        cls = self._classes.get(key)
        if cls is None:
            cls = making(self, base)
            # What people see in tracebacks and logs, and what other libraries look for, is the driver's class.
            cls.__name__, cls.__qualname__, cls.__module__ = base.__name__, base.__qualname__, base.__module__
            self._classes[key] = cls
            self._made.add(cls)
        return cls

    def turn(self, thing: Any, making: Callable[[Watching, Any], Any]) -> Any:
        """Make `thing` an instance of the watched subclass of its class, in place."""
        cls = self.subclass(type(thing), making)
        if type(thing) is not cls:
            try:
                thing.__class__ = cls
            except TypeError:
                raise PolicyError(
                    f"A {type(thing).__module__}.{type(thing).__qualname__} cannot be watched, so the statements it"
                    " runs would go unchecked. Leave its making to the driver, or make it of a class written in Python"
                    " that inherits from the driver's."
                ) from None
        return thing


@contextmanager
def itself(own: bool = True) -> Generator[None]:
    """In the block, statements are the driver's or the dialect's own; or, inside such a block, are not."""
    token = _itself.set(own)
    try:
        yield
    finally:
        _itself.reset(token)


@contextmanager
def clearing(connection: Any, statement: str) -> Generator[None]:
    """In the block, this text may run on this connection of a driver: it was checked above it."""
    token = _cleared.set((connection, statement))
    try:
        yield
    finally:
        _cleared.reset(token)


def turned(connection: Any) -> None:
    """Note that something ran on a driver's connection below SQLAlchemy: a transaction may have ended there."""
    _turns[connection] = _turns.get(connection, 0) + 1


def turns(connection: Any) -> int:
    """Return how often something has run on a driver's connection below SQLAlchemy, transactions included."""
    return _turns.get(connection, 0)


def by_itself(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function whose statements are all its own."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with itself():
            return function(*args, **kwargs)

    return run


def refuse_road(method: str, what: str) -> NoReturn:
    """Refuse a way to data that no statement leads along."""
    raise PolicyError(
        f"{method} of a guarded engine's connection was called: it {what}, and no statement says which columns, so it"
        " cannot be checked. Read with a statement in a purpose's scope, or use a connection of your own, made without"
        " this engine, where the purpose of the whole copy has been settled."
    )
