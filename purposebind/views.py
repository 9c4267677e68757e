"""Views of a model: just the fields that some purposes may see, as a model of its own.

What this module keeps:

- **R2** A field is in the view if each of the purposes is covered by its tag, and none by its ``never=``; an untagged
  one always is. The view's fields keep their tags: making a view allows nothing.
- A read of a view's field is a read of the model's, in errors and in the ledger.
- **R8** What is inside, in nested models, is viewed likewise.
"""

from __future__ import annotations

import threading
import types
import typing
from typing import Any

from pydantic import BaseModel, create_model, field_serializer

from .describing import field_tags
from .errors import PolicyError
from .policy import decide
from .purpose import Purpose, require_purposes

__all__ = ["view_of"]

_ANNOTATED: Any = typing.Annotated
_UNION: Any = typing.Union
_making = threading.RLock()
_views: dict[tuple[Any, frozenset[Purpose]], Any] = {}


def view_of(cls: Any, purposes: tuple[Purpose, ...], base: Any) -> Any:
    """Return the view of `cls` for `purposes`, a subclass of `base`; the same one each time.

    Raises:
        PolicyError: No purpose is given, or the model says by itself how it is serialized.
        TypeError: A string or something else is given where a `Purpose` is meant.
    """
    if not purposes:
        raise PolicyError(f"{cls.__name__}.visible_to() names no purpose: who is to see it?")
    chosen = frozenset(require_purposes(purposes))
    made: dict[Any, Any] = {}
    with _making:
        view = _view(cls, chosen, base, made)
        names = {one.__name__: one for one in made.values()}
        for one in made.values():
            if not one.__pydantic_complete__:  # it refers to one that was not made yet
                one.model_rebuild(_types_namespace=names)
        _views.update(((model, chosen), one) for model, one in made.items())
    return view


def _view(cls: Any, purposes: frozenset[Purpose], base: Any, made: dict[Any, Any]) -> Any:
    """Return the view of one model, and note it in `made`; until it is made, a reference to it."""
    known = _views.get((cls, purposes))
    if known is not None:
        return known
    if not cls.__pydantic_complete__:
        cls.model_rebuild()
    if cls.__pydantic_decorators__.model_serializers:
        raise PolicyError(
            f"{cls.__name__} says by a model_serializer how it is shown, so which fields a view would show cannot be "
            f"known. Write the response model for {_names(purposes)} by hand."
        )
    name = f"{cls.__name__}For{''.join(part.title() for part in _names(purposes).replace('.', '_').split('_'))}"
    made[cls] = typing.ForwardRef(name)
    tags = field_tags(cls)
    shown = {
        n: info for n, info in cls.__pydantic_fields__.items() if n not in tags or decide(tags[n], purposes).allowed
    }
    fields = {n: (_viewed(info.annotation, purposes, base, made), info) for n, info in shown.items()}
    make: Any = create_model
    view = make(
        name,
        __base__=_with_config(cls, base),
        __module__=cls.__module__,
        __doc__=f"What {_names(purposes)} may see of `{cls.__name__}`.",
        __validators__=_serializers(cls, shown.keys()),
        **fields,
    )
    made[cls] = view
    return view


def _with_config(cls: Any, base: Any) -> Any:
    # By name: an instance has no attribute of the alias's name.
    config = {**cls.model_config, "from_attributes": True, "validate_by_name": True}
    # Its fields go by the names of the model's own: who asks who read Account.phone asks for both.
    own = {"model_config": config, "__module__": cls.__module__, "__purpose_name__": cls.__name__}
    return type(base)(base.__name__, (base,), own)


def _viewed(annotation: Any, purposes: frozenset[Purpose], base: Any, made: dict[Any, Any]) -> Any:
    """`annotation` with a view in place of each model in it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not issubclass(annotation, base):
            return annotation
        return made.get(annotation) or _view(annotation, purposes, base, made)
    arguments = typing.get_args(annotation)
    if not arguments or typing.get_origin(annotation) is typing.Literal:
        return annotation
    viewed = tuple(_viewed(one, purposes, base, made) for one in arguments)
    if viewed == arguments:
        return annotation
    origin: Any = typing.get_origin(annotation)
    if origin is typing.Annotated:
        origin, viewed = _ANNOTATED, (viewed[0], *annotation.__metadata__)
    elif origin is types.UnionType:
        origin = _UNION
    return origin[viewed]


def _serializers(cls: Any, names: Any) -> dict[str, Any]:
    """The field serializers of `cls` for the fields that are shown."""
    found: dict[str, Any] = {}
    for name, decorator in cls.__pydantic_decorators__.field_serializers.items():
        info = decorator.info
        kept = [field for field in info.fields if field in names or field == "*"]
        if kept:
            function = getattr(decorator.func, "__func__", decorator.func)
            options = {"mode": info.mode, "return_type": info.return_type, "when_used": info.when_used}
            decorate: Any = field_serializer
            found[name] = decorate(*kept, **options, check_fields=False)(function)
    return found


def _names(purposes: frozenset[Purpose]) -> str:
    return "_".join(sorted(purpose.name for purpose in purposes))
