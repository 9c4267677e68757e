"""What the annotations of a mapped class say of its attributes.

What this module keeps:

- **R9** A tag in an annotation that cannot be read is refused, and a column whose annotation cannot be read is known as
  one that may have a tag.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Column
from sqlalchemy.orm import declared_attr
from typing_extensions import TypeAliasType

from purposebind import AllowedFor, PolicyError

__all__ = ["UNREAD", "declared", "label_of", "metadata", "noted"]

UNREAD = "purposebind_unread"
"""In a column's ``info``: the text of an annotation that could not be read when its class was made."""


def metadata(annotation: Any, owner: type[Any]) -> Iterator[Any]:
    """Yield what stands in ``Annotated`` anywhere in an annotation.

    Raises:
        NameError: It is a text, and names what is not there.
    """
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        module = sys.modules.get(owner.__module__)
        names = dict(vars(module)) if module else {}
        annotation = eval(annotation, names, dict(vars(owner)))  # as SQLAlchemy does
        yield from metadata(annotation, owner)
        return
    if isinstance(annotation, TypeAliasType) or type(annotation).__name__ == "TypeAliasType":
        yield from metadata(annotation.__value__, owner)
        return
    yield from getattr(annotation, "__metadata__", ())
    if hasattr(annotation, "__supertype__"):
        yield from metadata(annotation.__supertype__, owner)
    for part in typing.get_args(annotation):
        if (
            not isinstance(part, AllowedFor)
            and part is not annotation
            and typing.get_origin(annotation) is not typing.Literal
        ):
            yield from metadata(part, owner)
        if typing.get_origin(annotation) is typing.Annotated:
            break


_returned: WeakKeyDictionary[type[Any], dict[str, Any]] = WeakKeyDictionary()
"""What a mapped class's own functions with `declared_attr` return: mapping puts attributes in their place."""


def noted(mapper: Any, cls: type[Any]) -> None:
    _returned[cls] = {key: one for key in vars(cls) if (one := _return_of(vars(cls)[key])) is not None}


def _return_of(value: Any) -> Any:
    made = getattr(value, "fget", None) if isinstance(value, declared_attr) else None
    return getattr(getattr(made, "__func__", made), "__annotations__", {}).get("return")


def _annotation(owner: type[Any], key: str) -> Any:
    found = vars(owner).get("__annotations__", {}).get(key)
    if found is None:
        found = _return_of(vars(owner).get(key)) or _returned.get(owner, {}).get(key)
    return found


def declared(cls: type[Any], key: str, column: Any) -> list[Any]:
    """What the annotations of an attribute say, those of base classes and mixins too."""
    found: list[Any] = []
    for owner in cls.__mro__:
        annotation = _annotation(owner, key)
        if annotation is None:
            continue
        try:
            found += metadata(annotation, owner)
        except Exception:
            if "AllowedFor" in str(annotation):
                raise PolicyError(
                    f"The tag of {owner.__name__}.{key} cannot be read: its annotation names something that is not "
                    "there while the program runs. Import it outside of `if TYPE_CHECKING:`, and define it in the "
                    "module."
                ) from None
            if isinstance(column, Column):
                column.info[UNREAD] = f"{owner.__module__}.{owner.__qualname__}.{key}"
    return found


def label_of(cls: type[Any], key: str) -> str:
    """The name of a mapped attribute in errors."""
    return f"{cls.__name__}.{key}"
