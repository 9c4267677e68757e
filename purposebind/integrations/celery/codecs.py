"""kombu's codecs: what reaches them as a tagged value leaves them as a parcel.

What this module keeps:

- **R1** Wherever kombu serialises, for whichever app, JSON and pickle never hold a tagged value. Most are parcels by
  then; eager tasks and some result backends have kombu serialise what it was never shown before.

The codecs are the process's, and the keys are an app's. A codec is not told for which app it works: a task that is sent
says so (`serialising`). Elsewhere it takes the keys of the only app that has some, or of the current one, and refuses
where neither is known.
"""

from __future__ import annotations

import io
import pickle
import weakref
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from celery import current_app  # type: ignore[import-untyped]
from kombu import serialization
from kombu.utils import json as kombu_json

from purposebind import PolicyError, PurposeModel, PurposeRootModel, Sealed

from .parcels import Keyring, Parcel, carries_tags, no_key, packed

__all__ = ["keyrings", "register", "serialising"]

keyrings: weakref.WeakKeyDictionary[Any, Keyring] = weakref.WeakKeyDictionary()
"""The apps of this process that were installed into, and their keys."""

_MARK: Final = "purposebind"
_sending: ContextVar[Keyring | None] = ContextVar("purposebind_celery_keyring", default=None)


def register() -> None:
    """Have kombu's codecs know parcels. It changes nothing for values without tags."""
    make: Any = Parcel  # what comes out is not of the type that went in
    kombu_json.register_type(Parcel, _MARK, lambda parcel: parcel.token, make)
    for kind in (Sealed, PurposeModel, PurposeRootModel):
        kombu_json.register_type(kind, _MARK, lambda value: _keyring().parcel(value).token, make)
    register_codec: Any = serialization.register  # untyped
    register_codec("pickle", _pickled, None, "application/x-python-serialize", "binary")


@contextmanager
def serialising(keyring: Keyring) -> Generator[None, None, None]:
    """Have what kombu serialises in this block sealed with the keys of one app."""
    before = _sending.get()
    _sending.set(keyring)
    try:
        yield
    finally:
        _sending.set(before)


def _keyring() -> Keyring:
    stated = _sending.get()
    if stated is not None:
        return stated
    found = list(keyrings.values())
    if len(found) == 1:
        return found[0]
    keyring = keyrings.get(current_app._get_current_object()) if found else None
    if keyring is None:
        raise PolicyError(no_key("A value", "the app that sends it"))
    return keyring


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if carries_tags(value):
            raise PolicyError(
                f"{type(value).__qualname__} holds tagged data, and is pickled inside of something else. Send it by "
                "itself, or in a list, tuple or dict, so that it can be sealed."
            )
        return NotImplemented


def _pickled(value: Any) -> bytes:
    out = io.BytesIO()
    _Pickler(out, serialization.pickle_protocol).dump(packed(value, lambda item: _keyring().parcel(item)))
    return out.getvalue()
