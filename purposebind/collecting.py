"""The ways into a model: `Collecting`, the half of `PurposeModel` that takes values in.

What this module keeps:

- **R7** An error that leaves an entry point was cleaned, and the input is not among the locals of its traceback.
- **R10** Validation is collection: pydantic works on plain values, and the moment it ends, what is tagged is sealed.
  So is what comes in without validation: by `model_construct`, assignment and unpickling.

Each entry point fetches its validator itself: a deferred build looks at the frame of its caller's caller.
"""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ValidationError
from typing_extensions import Self

from . import config
from .boundary import Boundary
from .declaration import could_be_tagged
from .entry import NOT_SELF, incoming, own_validator, recovery, refuse_alias_use, sealed
from .guards import field_guard, is_open
from .schema import bind_early

if TYPE_CHECKING:
    from pydantic.config import ExtraValues

__all__ = ["Collecting", "put_boundary", "put_guards", "sealed_model"]


def put_boundary(cls: Any, boundary: Boundary | None) -> None:
    """Give `cls` its boundary, and the guards that stand before its tagged fields."""
    cls.__purpose_boundary__ = boundary
    if boundary is not None:
        put_guards(cls, boundary)


def put_guards(cls: Any, boundary: Boundary) -> None:
    """Put a guard before each tagged field of `cls`."""
    for name, binding in boundary.bindings.items():
        field = cls.__pydantic_fields__.get(name)
        setattr(cls, name, field_guard(name, binding, field.deprecation_message if field is not None else None))


def sealed_model(model: Any) -> Any:
    """Seal `model`, if its class has something to seal, and return it."""
    boundary = model.__purpose_boundary__
    if boundary is not None:
        boundary.seal(model)
    return model


class Collecting(BaseModel):
    """The half of `PurposeModel` that takes values in."""

    __slots__ = ("_purposebind_person", "_purposebind_values")

    if TYPE_CHECKING:
        __purpose_model__: ClassVar[bool] = True
        __purpose_boundary__: ClassVar[Boundary | None] = None
        __purpose_subject__: ClassVar[str | None] = None
        __purpose_collected__: ClassVar[str | None] = None
        __purpose_mode__: ClassVar[config.Mode | None] = None

    else:
        # Not annotated: pydantic would list them among the class variables of every model.
        __purpose_model__ = True
        __purpose_boundary__ = None
        __purpose_subject__ = None
        __purpose_collected__ = None
        __purpose_mode__ = None

        def __init__(self, /, **data: Any) -> None:
            __tracebackhide__ = True
            cls = self.__class__
            boundary = cls.__purpose_boundary__
            own = boundary is not None and boundary.cls is cls and boundary.direct is not None
            way = boundary.direct if own else own_validator(cls).validate_python
            recover = None
            if own and boundary.opening:
                recover = boundary.again(data)
            try:
                validated = way(data, self_instance=self) if recover is None else None
            except ValidationError as error:
                recover = recovery(cls, error, data)
            else:
                if own and validated is self:
                    boundary.seal(self)
                    return
                if recover is None:
                    sealed(cls, validated, data)
            finally:
                del data  # a traceback shows the locals of this function (R7)
            if recover is not None:
                validated = recover(functools.partial(way, self_instance=self))
            if validated is not self:
                warnings.warn(NOT_SELF, stacklevel=2)

        __init__.__pydantic_base_init__ = True

        @classmethod
        def model_validate(
            cls,
            obj: Any,
            *,
            strict: bool | None = None,
            extra: ExtraValues | None = None,
            from_attributes: bool | None = None,
            context: Any | None = None,
            by_alias: bool | None = None,
            by_name: bool | None = None,
        ) -> Self:
            __tracebackhide__ = True
            if by_alias is False and by_name is not True:
                refuse_alias_use()
            boundary = cls.__purpose_boundary__
            own = boundary is not None and boundary.cls is cls and boundary.direct is not None
            way = boundary.direct if own else own_validator(cls).validate_python
            recover = boundary.again(obj) if own and boundary.opening else None
            try:
                result = recover or way(
                    obj if type(obj) is dict else incoming(cls, obj),
                    strict=strict,
                    extra=extra,
                    from_attributes=from_attributes,
                    context=context,
                    by_alias=by_alias,
                    by_name=by_name,
                )
            except ValidationError as error:
                recover = recovery(cls, error, obj)
            else:
                if own and type(result) is cls and type(obj) is dict:
                    boundary.seal(result)
                    return result
                if recover is None:
                    return sealed(cls, result, obj)
            finally:
                del obj  # a traceback shows the locals of this function (R7)
            return recover(
                functools.partial(
                    way,
                    strict=strict,
                    extra=extra,
                    from_attributes=from_attributes,
                    context=context,
                    by_alias=by_alias,
                    by_name=by_name,
                )
            )

        @classmethod
        def model_validate_json(
            cls,
            json_data: str | bytes | bytearray,
            *,
            strict: bool | None = None,
            extra: ExtraValues | None = None,
            context: Any | None = None,
            by_alias: bool | None = None,
            by_name: bool | None = None,
        ) -> Self:
            __tracebackhide__ = True
            if by_alias is False and by_name is not True:
                refuse_alias_use()
            way = own_validator(cls).validate_json
            try:
                result = way(json_data, strict=strict, extra=extra, context=context, by_alias=by_alias, by_name=by_name)
            except ValidationError as error:
                recover = recovery(cls, error, json_data, is_json=True)
            else:
                return sealed(cls, result, json_data)
            finally:
                del json_data  # a traceback shows the locals of this function (R7)
            return recover(
                functools.partial(way, strict=strict, extra=extra, context=context, by_alias=by_alias, by_name=by_name)
            )

        @classmethod
        def model_validate_strings(
            cls,
            obj: Any,
            *,
            strict: bool | None = None,
            extra: ExtraValues | None = None,
            context: Any | None = None,
            by_alias: bool | None = None,
            by_name: bool | None = None,
        ) -> Self:
            __tracebackhide__ = True
            if by_alias is False and by_name is not True:
                refuse_alias_use()
            way = own_validator(cls).validate_strings
            try:
                result = way(
                    incoming(cls, obj), strict=strict, extra=extra, context=context, by_alias=by_alias, by_name=by_name
                )
            except ValidationError as error:
                recover = recovery(cls, error, obj)
            else:
                return sealed(cls, result, obj)
            finally:
                del obj  # a traceback shows the locals of this function (R7)
            return recover(
                functools.partial(way, strict=strict, extra=extra, context=context, by_alias=by_alias, by_name=by_name)
            )

        @classmethod
        def model_construct(cls, *args: Any, **kwargs: Any) -> Self:
            if not cls.__pydantic_complete__ and cls.__purpose_boundary__ is None and could_be_tagged(cls):
                if not cls.__pydantic_fields_complete__:
                    cls.model_rebuild(_parent_namespace_depth=3)  # or it raises: nothing could be sealed
                else:
                    put_boundary(cls, bind_early(cls))
            return sealed_model(super().model_construct(*args, **kwargs))

        def __setattr__(self, name: str, value: Any) -> None:
            boundary = self.__purpose_boundary__
            if boundary is None or is_open(self):
                super().__setattr__(name, value)
                return
            try:
                boundary.assign(self, name, value, super().__setattr__)
            finally:
                del value

        def __setstate__(self, state: dict[Any, Any]) -> None:
            super().__setstate__(state)
            sealed_model(self)
