"""Values that travel sealed: encrypted for one app, and opened where that app's keys are.

What this module keeps:

- **R1** Tagged values leave as parcels: what a broker, a result backend and a pool's pipe carry is ciphertext.
- **R6** The representation of a parcel, which goes into headers, events and logs, is that of the sealed value.
- Whoever cannot open a parcel gets an error that says so, and never something that looks like a value.

A parcel is opened where a task begins and where a result is read, and not where a message is decoded: the main process
of a worker passes it on to its pool as it came.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NoReturn, cast

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import BaseModel

from purposebind import PolicyError, PurposeError, Sealed
from purposebind.describing import declared_tags
from purposebind.moving import pack, unpack

__all__ = ["Keyring", "Parcel", "carries_tags", "no_key", "packed"]

_UNFIT = frozenset(("yaml", "msgpack"))
"""Serializers that know no types of others: nothing could be marked as a parcel in what they write."""


class Parcel:
    """A value on its way, encrypted. It can be passed on as it is, and shows nothing."""

    __slots__ = ("shown", "token")

    def __init__(self, token: str, shown: str = "<sealed, on its way>") -> None:
        self.token = token
        self.shown = shown

    def __repr__(self) -> str:
        return self.shown

    def __reduce__(self) -> tuple[Any, ...]:
        return Parcel, (self.token,)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # what libraries ask of any object
            raise AttributeError(name)
        raise PurposeError(
            "This value is still on its way: it is opened when a task begins, and when a result is read, of an app "
            "with purposebind.integrations.celery.install(app, keys=[...])."
        )


class Keyring:
    """The keys of one app: the first encrypts, all decrypt.

    Args:
        app_name: How errors name the app.
        keys: Fernet keys, as ``Fernet.generate_key()`` makes them. None of them: tagged values cannot travel.

    Raises:
        TypeError: `keys` is a single key.
        PolicyError: One is no Fernet key.
    """

    def __init__(self, app_name: str, keys: Sequence[bytes]) -> None:
        if isinstance(keys, (str, bytes)):
            raise TypeError("install(app, keys=[...]) takes a list of keys: the first encrypts, all decrypt")
        self.app_name = app_name
        problem = None
        fernets = []
        for number, key in enumerate(keys):
            try:
                fernets.append(Fernet(key))
            except (TypeError, ValueError):
                problem = number
        if problem is not None:  # outside the except block: what is chained there may quote the key
            raise PolicyError(
                f"keys[{problem}] is no Fernet key. Make one with: python -c "
                "'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
            )
        self._fernet = MultiFernet(fernets) if fernets else None

    def parcel(self, value: Any, serializer: str = "json") -> Parcel:
        """Return `value` as a parcel. It is not a read.

        Raises:
            PolicyError: There is no key, or what `serializer` writes cannot carry a parcel.
        """
        what = type(value).__qualname__
        if serializer in _UNFIT:
            raise PolicyError(
                f"{what} holds tagged data, and cannot be sent with serializer={serializer!r}, which knows no sealed "
                "values. Send it with serializer='json', or send an identifier and look the data up in the task."
            )
        if self._fernet is None:
            raise PolicyError(no_key(what, self.app_name))
        return Parcel(pack(value, self._fernet.encrypt).decode("ascii"), repr(value))

    def packed(self, value: Any, serializer: str = "json") -> Any:
        """Return `value` with what holds tagged data replaced by parcels, in lists, tuples and dicts too.

        Where there is nothing to replace it is `value` itself.
        """
        return packed(value, lambda item: self.parcel(item, serializer))

    def opened(self, value: Any) -> Any:
        """Return `value` with its parcels opened, in lists, tuples and dicts too: sealed, as their own class.

        Raises:
            PurposeError: One cannot be opened.
        """
        return _replaced(value, lambda item: self._open(item) if type(item) is Parcel else item)

    def _open(self, parcel: Parcel) -> Any:
        problem = f"no key is configured for {self.app_name}"
        if self._fernet is not None:
            try:
                return unpack(parcel.token.encode("ascii"), self._fernet.decrypt)
            except InvalidToken:
                problem = f"it was altered on its way, or sealed with a key that {self.app_name} does not have"
            except Exception as error:  # its text may quote what is inside
                problem = f"this process cannot make of it what was sent ({type(error).__name__})"
        raise PurposeError(
            f"A sealed value cannot be opened: {problem}. Sender and receiver need a key in common, in "
            "purposebind.integrations.celery.install(app, keys=[...]), and the same models and purposes."
        )


def packed(value: Any, parcel: Callable[[Any], Parcel]) -> Any:
    """Return `value` with what holds tagged data replaced by what `parcel` makes of it."""
    return _replaced(value, lambda item: parcel(item) if carries_tags(item) else item)


def no_key(what: str, where: str) -> str:
    """Return what to say where `what` was to be sent and there is no key to seal it with."""
    return (
        f"{what} holds tagged data, and no key is configured to seal it with for {where}. Configure one, the same in "
        "every process of the app: purposebind.integrations.celery.install(app, keys=[key]), with a key made by "
        "cryptography.fernet.Fernet.generate_key()."
    )


def carries_tags(value: Any) -> bool:
    """Whether `value` is a sealed value, or a model or dataclass that declares tagged fields, at whatever depth."""
    kind = type(value)
    if kind is Sealed:
        return True
    return (isinstance(value, BaseModel) or dataclasses.is_dataclass(kind)) and _declares_tags(cast("Hashable", kind))


@functools.lru_cache(maxsize=4096)
def _declares_tags(kind: Hashable) -> bool:
    return bool(declared_tags(kind))


def _replaced(value: Any, replace: Callable[[Any], Any]) -> Any:
    """Return `value` with its items replaced; the same object, and the same containers, where nothing is."""
    if isinstance(value, Mapping):
        if not isinstance(value, dict):
            return value
        changed = {key: _replaced(item, replace) for key, item in value.items()}
        return changed if any(changed[key] is not item for key, item in value.items()) else value
    if isinstance(value, (list, tuple)):
        items = [_replaced(item, replace) for item in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        make: Callable[[list[Any]], Any] = getattr(value, "_make", tuple if isinstance(value, tuple) else list)
        return make(items)
    return replace(value)
