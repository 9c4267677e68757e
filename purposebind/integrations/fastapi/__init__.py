"""FastAPI and Starlette: a request runs for the purposes that its route states. Needs the extra ``fastapi``.

`for_purpose` states them, `install` makes a refusal a response that tells nothing, and `require_purposes` fails the
start-up of an app that has a route with tagged data and without a purpose.
"""

from __future__ import annotations

from purposebind import PurposeError

try:
    import fastapi as _fastapi
except ModuleNotFoundError as error:
    if error.name != "fastapi":
        raise
    raise PurposeError(
        "The FastAPI integration needs fastapi, which is not installed. Install it with: "
        "pip install 'purposebind[fastapi]'"
    ) from None

from .installing import install
from .requiring import require_purposes
from .stating import for_purpose

__all__ = ["for_purpose", "install", "require_purposes"]

del _fastapi
