"""`requires_purpose`: for data-access functions whose results carry no tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from types import TracebackType
from typing import Any, TypeVar

from .callables import wrap
from .enforcement import Binding, admit
from .policy import Policy
from .purpose import Purpose
from .tags import AllowedFor

__all__ = ["requires_purpose"]

_F = TypeVar("_F", bound="Callable[..., Any] | staticmethod[..., Any] | classmethod[Any, ..., Any] | property")


class _Check:
    __slots__ = ("_binding",)

    def __init__(self, binding: Binding) -> None:
        self._binding = binding

    def __enter__(self) -> None:
        admit(self._binding)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        pass


class requires_purpose:
    """Lets a function be called only where a field ``AllowedFor`` the same purposes could be read (R2, R3).

    For functions whose results carry no tags: rows of a driver, the answer of another service. The check is made at
    each call, and for a generator at each step. It enters no scope. Kinds of callable as for `purpose_scope`.

    Args:
        purposes: The purposes for which the data may be read; each covers its descendants.
        never: As for `AllowedFor`.

    Raises:
        PolicyError: No purpose is given.
        TypeError: A string or something else is given where a `Purpose` is meant.
        PurposeViolation: On calling the function, where the active purposes are not covered.

    Example:
        >>> from purposebind import Purpose, purpose_scope
        >>> returns = Purpose("returns", "Take parcels back")
        >>> @requires_purpose(returns)
        ... def addresses():
        ...     return ["1 Main Street"]
        >>> with purpose_scope(returns):
        ...     len(addresses())
        1
    """

    __slots__ = ("_tag",)

    def __init__(self, *purposes: Purpose, never: Iterable[Purpose] = ()) -> None:
        self._tag = AllowedFor(*purposes, never=never)

    @property
    def policy(self) -> Policy:
        """What it asks for."""
        return self._tag.policy

    def __call__(self, function: _F) -> _F:
        check = _Check(Binding(f"{_name(function)}()", self._tag.policy))
        return wrap(function, lambda code: check, closing=lambda code: nullcontext())  # closing hands out nothing

    def __repr__(self) -> str:
        return repr(self._tag).replace("AllowedFor", "requires_purpose", 1)


def _name(function: Any) -> str:
    for part in ("__func__", "fget", "func"):  # a classmethod's, a property's, a partial's
        function = getattr(function, part, None) or function
    return getattr(function, "__qualname__", None) or type(function).__qualname__
