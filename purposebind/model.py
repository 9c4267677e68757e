"""`PurposeModel`: a pydantic model whose tagged fields are sealed at rest.

What this module keeps is that pydantic's own doors lead through the boundary: **R1** equality, iteration, hash,
copies and the ways raw values could be put back; **R6** representations; **R12** denials that pydantic wrapped. What
happens at the boundary is in `purposebind.boundary`; how a class gets one, in `purposebind.schema`.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticSerializationError
from typing_extensions import Self

from . import config
from .boundary import Boundary, Marker
from .declaration import check_declaration, could_be_tagged
from .enforcement import pending_violation
from .entry import NOT_SELF, own_validator, refuse_alias_use, validate
from .guards import DerivedProperty, field_guard, is_open
from .schema import bind, bind_early
from .sealed import open_box
from .tags import WRAP

if TYPE_CHECKING:
    from pydantic import ConfigDict
    from pydantic.config import ExtraValues
    from typing_extensions import Unpack

__all__ = ["PurposeModel"]


def _redenied(method: Any) -> Any:
    """Wrap one of pydantic's ways out, so that a denial inside it leaves as a denial (R12)."""

    @functools.wraps(method)
    def way_out(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except PydanticSerializationError as error:
            denial = pending_violation(error)
            if denial is None:
                raise
        raise denial

    return way_out


def _bind(cls: Any, boundary: Boundary | None) -> None:
    cls.__purpose_boundary__ = boundary
    if boundary is not None:
        _put_guards(cls, boundary)


def _put_guards(cls: Any, boundary: Boundary) -> None:
    for name, binding in boundary.bindings.items():
        field = cls.__pydantic_fields__.get(name)
        setattr(cls, name, field_guard(name, binding, field.deprecation_message if field is not None else None))


class PurposeModel(BaseModel):
    """A pydantic model that binds its tagged fields to their purposes.

    Use it as `pydantic.BaseModel`, and tag fields with `AllowedFor`. After validation a tagged value is sealed:
    reading the attribute, dumping, comparing, hashing, iterating and pickling the model need an active purpose that
    the tag allows. Copying it and passing it on do not.

    Class keywords:
        purpose_mode: ``"observe"`` or ``"enforce"``: the mode of this class and its subclasses, whatever is configured.

    Raises:
        PolicyError: At class definition: a tag protects nothing (R9), widens an inherited one (R8), or stands on a
            ClassVar or a private attribute; or two fields are marked `SubjectId`.
        PurposeViolation: On reading, where an active purpose is not covered.

    Example:
        >>> from typing import Annotated
        >>> from purposebind import AllowedFor, Purpose, PurposeModel, purpose_scope
        >>> notices = Purpose("notices", "Tell customers what changes")
        >>> class Customer(PurposeModel):
        ...     name: str
        ...     email: Annotated[str, AllowedFor(notices)]
        >>> customer = Customer(name="Ada", email="ada@example.com")
        >>> customer
        Customer(name='Ada', email=<sealed: notices>)
        >>> with purpose_scope(notices):
        ...     customer.email
        'ada@example.com'
    """

    __slots__ = ("_purposebind_values",)

    if TYPE_CHECKING:
        __purpose_model__: ClassVar[bool] = True
        __purpose_boundary__: ClassVar[Boundary | None] = None
        __purpose_subject__: ClassVar[str | None] = None
        __purpose_mode__: ClassVar[config.Mode | None] = None

        def __init_subclass__(
            cls, *, purpose_mode: config.Mode | None = None, **kwargs: Unpack[ConfigDict]
        ) -> None: ...

    else:
        # Not annotated: pydantic would list them among the class variables of every model.
        __purpose_model__ = True
        __purpose_boundary__ = None
        __purpose_subject__ = None
        __purpose_mode__ = None

        def __init_subclass__(cls, *, purpose_mode: config.Mode | None = None, **kwargs: Any) -> None:
            cls.__purpose_boundary__ = None
            if purpose_mode is not None:
                cls.__purpose_mode__ = config.check_mode(purpose_mode, "purpose_mode")
            super().__init_subclass__(**kwargs)

        @classmethod
        def __pydantic_init_subclass__(cls, *, purpose_mode: config.Mode | None = None, **kwargs: Any) -> None:
            super().__pydantic_init_subclass__(**kwargs)
            for name, attribute in list(vars(cls).items()):
                if isinstance(attribute, functools.cached_property) and not isinstance(attribute, DerivedProperty):
                    setattr(cls, name, DerivedProperty(attribute))
            check_declaration(cls)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler, /) -> CoreSchema:
        schema = handler(cls)
        target = handler.resolve_ref_schema(schema)
        if WRAP not in target.get("metadata", ()):
            _bind(cls, bind(cls, target, handler.resolve_ref_schema))
        return schema

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        super().__pydantic_on_complete__()
        boundary = cls.__purpose_boundary__
        if boundary is not None and boundary.cls is cls:
            _put_guards(cls, boundary)  # again: pydantic puts a descriptor of its own on a deprecated field
            own_validator(cls)

    # In. Each of these fetches its validator itself: a deferred build looks at the frame of its caller's caller.

    if not TYPE_CHECKING:

        def __init__(self, /, **data: Any) -> None:
            __tracebackhide__ = True
            try:
                validated = validate(
                    type(self), own_validator(type(self)).validate_python, data, {"self_instance": self}
                )
            finally:
                del data  # a traceback shows the locals of this function (R7)
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
            way = own_validator(cls).validate_python
            options = {
                "strict": strict,
                "extra": extra,
                "from_attributes": from_attributes,
                "context": context,
                "by_alias": by_alias,
                "by_name": by_name,
            }
            try:
                return validate(cls, way, obj, options)
            finally:
                del obj

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
            options = {"strict": strict, "extra": extra, "context": context, "by_alias": by_alias, "by_name": by_name}
            try:
                return validate(cls, way, json_data, options, from_json=True)
            finally:
                del json_data

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
            options = {"strict": strict, "extra": extra, "context": context, "by_alias": by_alias, "by_name": by_name}
            try:
                return validate(cls, way, obj, options)
            finally:
                del obj

        @classmethod
        def model_construct(cls, *args: Any, **kwargs: Any) -> Self:
            if not cls.__pydantic_complete__ and cls.__purpose_boundary__ is None and could_be_tagged(cls):
                if not cls.__pydantic_fields_complete__:
                    cls.model_rebuild(_parent_namespace_depth=3)  # or it raises: nothing could be sealed
                else:
                    _bind(cls, bind_early(cls))
            return _sealed(super().model_construct(*args, **kwargs))

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
            _sealed(self)

    # Moving: not a read (R1).

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, sealed as this is; `update` is sealed too. Not a read."""
        copied = super().model_copy(update=update, deep=deep)
        return copied if is_open(self) else _sealed(copied)

    def __copy__(self) -> Self:
        copied = super().__copy__()
        return copied if is_open(self) else _sealed(copied)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        copied = super().__deepcopy__(memo)
        return copied if is_open(self) else _sealed(copied)

    def __getstate__(self) -> dict[Any, Any]:
        if not is_open(self):
            _sealed(self)  # what was put into __dict__ behind our back too
        return super().__getstate__()

    # Out: reads (R1), and denials that stay denials (R12).

    if not TYPE_CHECKING:
        model_dump = _redenied(BaseModel.model_dump)
        model_dump_json = _redenied(BaseModel.model_dump_json)

        def copy(self, **options: Any) -> Self:
            boundary = self.__purpose_boundary__
            if boundary is None or is_open(self):
                return super().copy(**options)
            return boundary.resealed(super(PurposeModel, boundary.opened(self)).copy(**options), self)

        def _iter(self, **options: Any) -> Any:
            return super(PurposeModel, self if is_open(self) else _sealed(self))._iter(**options)

        def __iter__(self) -> Generator[tuple[str, Any], None, None]:
            boundary = self.__purpose_boundary__
            for name, value in super().__iter__():
                if boundary is not None and name in boundary.bindings:
                    yield name, getattr(self, name)
                else:
                    yield name, value if name in self.__pydantic_fields__ else open_box(value)

        def __eq__(self, other: object) -> bool:
            if not isinstance(other, BaseModel) or _origin(self) is not _origin(other):
                return super().__eq__(other)
            return BaseModel.__eq__(_read_whole(self), _read_whole(other))

        __hash__ = None

    def __repr_args__(self) -> Any:
        boundary = self.__purpose_boundary__
        if boundary is None:
            yield from super().__repr_args__()
            return
        for name, value in list(self.__dict__.items()):  # R6
            field = self.__pydantic_fields__.get(name)
            if field is not None and field.repr:
                shown = boundary.shown_as(name, value)
                yield name, shown if shown is not self else self.__repr_recursion__(shown)
        yield from (getattr(self, "__pydantic_extra__", None) or {}).items()
        for name, computed in self.__pydantic_computed_fields__.items():
            if computed.repr:  # computing it could read, and reveal
                yield name, getattr(self, name) if config.current.revealing else Marker("<computed>")


def _sealed(model: Any) -> Any:
    boundary = model.__purpose_boundary__
    if boundary is not None:
        boundary.seal(model)
    return model


def _origin(model: BaseModel) -> Any:
    return model.__pydantic_generic_metadata__["origin"] or model.__class__


def _read_whole(model: Any) -> Any:
    boundary: Boundary | None = getattr(model, "__purpose_boundary__", None)
    if boundary is None or is_open(model):
        return model
    boundary.admit_all(model)
    return boundary.opened(model)
