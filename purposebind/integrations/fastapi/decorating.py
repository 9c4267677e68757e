"""An endpoint that states its own purpose: its signature asks FastAPI for the scope, before all else."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from typing import Any

from purposebind import purpose_scope

__all__ = ["decorated", "signature_of"]


def decorated(function: Any, scope: purpose_scope, stating: object, asked: Any) -> Any:
    """Return `function`, run in `scope`.

    Args:
        function: What `purpose_scope` can decorate.
        scope: The scope.
        stating: What is to be found as the endpoint's ``__for_purpose__``.
        asked: The annotation that has FastAPI enter the scope before the endpoint's dependencies. Its value, True,
            tells that it did; without it the function is run in the scope here.
    """
    scoped: Any = scope(function)
    if isinstance(function, (staticmethod, classmethod, property)):
        return scoped
    signature = signature_of(function)
    name = f"_for_purpose_{sum(one.startswith('_for_purpose_') for one in signature.parameters)}"

    wrapper: Any
    if inspect.isasyncgenfunction(scoped):  # a stream: its steps run after the response has begun

        @functools.wraps(function)
        async def async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            kwargs.pop(name, None)
            async with aclosing(scoped(*args, **kwargs)) as items:
                async for item in items:
                    yield item

        wrapper = async_generator
    elif inspect.isgeneratorfunction(scoped):

        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            kwargs.pop(name, None)
            return (yield from scoped(*args, **kwargs))

        wrapper = generator
    elif inspect.iscoroutinefunction(scoped):

        @functools.wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            return await (function if kwargs.pop(name, False) else scoped)(*args, **kwargs)

        wrapper = coroutine
    else:

        @functools.wraps(function)
        def plain(*args: Any, **kwargs: Any) -> Any:
            return (function if kwargs.pop(name, False) else scoped)(*args, **kwargs)

        wrapper = plain
    wrapper.__signature__ = _asking(signature, name, asked)
    wrapper.__for_purpose__ = stating
    return wrapper


def signature_of(function: Any) -> inspect.Signature:
    """Return the signature of `function`, with its annotations evaluated where they can be."""
    try:
        return inspect.signature(function, eval_str=True)
    except NameError:  # a name of a local, or under TYPE_CHECKING: FastAPI knows what to do about it
        return inspect.signature(function)


def _asking(signature: inspect.Signature, name: str, asked: Any) -> inspect.Signature:
    """Return `signature` with one parameter more, the first: FastAPI solves dependencies in order."""
    parameters = list(signature.parameters.values())
    before_all = bool(parameters) and parameters[0].kind is inspect.Parameter.POSITIONAL_ONLY
    kind = inspect.Parameter.POSITIONAL_ONLY if before_all else inspect.Parameter.POSITIONAL_OR_KEYWORD
    return signature.replace(parameters=[inspect.Parameter(name, kind, annotation=asked), *parameters])
