"""Moving sealed values to another process, encrypted: for queues, caches and stores between processes of one service.

What this module keeps:

- **R1** Moving a value while it stays sealed is not a read. What leaves here is encrypted, and what comes back is
  sealed, with the policy that it had; plaintext is in this module's hands, and those of the function that encrypts, and
  nowhere else.
- **R8** What comes back into a field is as narrow as both ends say.

Pickle does the work, as it does for `multiprocessing`: whatever can be pickled can be moved, and arrives as its own
class. Unpickling runs code, so the encryption has to authenticate: who has no key can make nothing that `unpack` would
open. Fernet, of the package ``cryptography``, does.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

from .joining import until_of
from .sealed import Sealed, seal

__all__ = ["pack", "unpack"]

_PROTOCOL = 4  # what every supported version of Python reads


class _Moving(pickle.Pickler):
    """Pickles boxes by what is in them, without asking: the pickle is encrypted before anybody sees it."""

    def reducer_override(self, value: Any) -> Any:
        if type(value) is Sealed:
            binding, subject = value._purposebind_binding, value._purposebind_subject
            return seal, (value._purposebind_value, binding, subject, until_of(value))
        return NotImplemented


def pack(value: Any, encrypt: Callable[[bytes], bytes]) -> bytes:
    """Return `value`, with the sealed values in it, encrypted. It is not a read.

    Args:
        value: Anything that can be pickled: a model, a `Sealed`, a list of them.
        encrypt: Encrypts and authenticates, such as ``Fernet(key).encrypt``.

    Raises:
        TypeError: Something in `value` cannot be pickled.

    Example:
        >>> from cryptography.fernet import Fernet
        >>> from purposebind import AllowedFor, Purpose, Sealed
        >>> box = Sealed.of("+46 70 123 45 67", AllowedFor(Purpose("callbacks", "Call back")))
        >>> key = Fernet(Fernet.generate_key())
        >>> unpack(pack(box, key.encrypt), key.decrypt)
        <sealed: callbacks>
    """
    out = io.BytesIO()
    problem = None
    try:
        _Moving(out, _PROTOCOL).dump(value)
    except Exception as error:  # its text, and its traceback, may show what it could not pickle (R7)
        problem = type(error).__name__
    if problem is not None:
        raise TypeError(f"A {type(value).__qualname__} cannot be moved: pickling it failed with {problem}")
    return encrypt(out.getvalue())


def unpack(data: bytes, decrypt: Callable[[bytes], bytes]) -> Any:
    """Return what `pack` made `data` of, sealed as it was.

    Args:
        data: What `pack` returned, maybe in another process.
        decrypt: Decrypts, and raises where `data` was not encrypted by a key it knows; what it raises is raised here.
    """
    return pickle.loads(decrypt(data))
