"""`PurposeModel`: a pydantic model whose tagged fields are sealed at rest.

What this module keeps is that pydantic's own doors lead through the boundary: **R1** equality, iteration, hash,
copies and the ways raw values could be put back; **R6** representations; **R12** denials that pydantic wrapped. What
happens at the boundary is in `purposebind.boundary`; how a class gets one, in `purposebind.schema`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticSerializationError
from typing_extensions import Self

from . import config
from .boundary import Boundary
from .collecting import Collecting, put_boundary, put_guards, sealed_model
from .declaration import check_declaration
from .entry import own_validator
from .errors import PolicyError
from .guards import DerivedProperty, is_open
from .pending import pending_violation
from .roads import replaced_schema
from .schema import bind, declares_tags
from .sealed import Marker, open_box
from .tags import WRAP
from .views import view_of

if TYPE_CHECKING:
    from pydantic import ConfigDict
    from typing_extensions import Unpack

    from .purpose import Purpose

__all__ = ["PurposeModel"]


_WARNINGS = "Pydantic serializer warnings:"
_IN_OUR_FUNCTION = f"Error calling function `{Boundary.serialize.__name__}`: "


def _way_out(method: Any, plainly: Callable[[Any], Any]) -> Any:
    """Wrap one of pydantic's ways out, so that a denial inside it leaves as a denial (R12).

    Args:
        method: ``model_dump`` or ``model_dump_json`` of `BaseModel`.
        plainly: What it comes to without arguments.
    """

    @functools.wraps(method)
    def way_out(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs) if args or kwargs else plainly(self)
        except PydanticSerializationError as error:
            problem: Exception | None = pending_violation(error)
            withholds = self.__purpose_boundary__ is not None and not config.current.revealing
            if problem is None and withholds and _WARNINGS in str(error):
                problem = PydanticSerializationError(f"{_WARNINGS} a value is not of its field's type")  # R7: not which
            if problem is None and str(error).startswith(_IN_OUR_FUNCTION) and isinstance(error.__cause__, Exception):
                problem = error.__cause__  # pydantic's own, or the user's, as it was before it passed through ours
            if problem is None:
                raise
        raise problem

    return way_out


def _bound_schema(cls: Any, schema: CoreSchema, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Put the boundary of `cls` into the definition of its model, wherever in `schema` that is."""
    target: Any = schema
    while target["type"] != "model":
        if target["type"] == "definition-ref":
            target = handler.resolve_ref_schema(target)
        if WRAP in target.get("metadata", ()):
            return schema
        if target["type"] == "model" or _is_definition(target):
            break
        if "schema" not in target:  # not a model's schema at all; what that means for tags is said on completion
            return schema
        target = target["schema"]
    put_boundary(cls, bind(cls, target, handler.resolve_ref_schema))
    return schema


def _is_definition(schema: Any) -> bool:
    return "ref" in schema


def _binding_hook(own_hook: Any) -> Any:
    function = getattr(own_hook, "__func__", own_hook)

    @functools.wraps(function)
    def hook(cls: Any, source: Any, handler: GetCoreSchemaHandler, /) -> CoreSchema:
        return _bound_schema(cls, function(cls, source, handler), handler)

    return classmethod(hook)


class PurposeModel(Collecting):
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

    if TYPE_CHECKING:

        def __init_subclass__(
            cls, *, purpose_mode: config.Mode | None = None, **kwargs: Unpack[ConfigDict]
        ) -> None: ...

    else:

        def __init_subclass__(cls, *, purpose_mode: config.Mode | None = None, **kwargs: Any) -> None:
            cls.__purpose_boundary__ = None
            own_hook = cls.__dict__.get("__get_pydantic_core_schema__")
            if own_hook is not None:  # it may not call super(), and is to protect all the same (R9)
                cls.__get_pydantic_core_schema__ = _binding_hook(own_hook)
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
        return _bound_schema(cls, handler(cls), handler)

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        super().__pydantic_on_complete__()
        boundary = cls.__purpose_boundary__
        if boundary is not None and boundary.cls is cls:
            put_guards(cls, boundary)  # again: pydantic puts a descriptor of its own on a deprecated field
            own_validator(cls)
        elif declares_tags(cls):
            raise PolicyError(replaced_schema(cls))

    @classmethod
    def visible_to(cls, *purposes: Purpose) -> type[PurposeModel]:
        """Return a model with just the fields that `purposes` may see: a response model, for one.

        Untagged fields are in it, and those whose tag allows each of the purposes; nested models are viewed likewise.
        The fields keep their tags, so reading them needs a scope as before. It validates from an instance of this
        model, which reads what it shows (``from_attributes``).

        Raises:
            PolicyError: No purpose is given, or the model has a ``model_serializer``.

        Example:
            >>> from typing import Annotated
            >>> from purposebind import AllowedFor, Purpose, PurposeModel
            >>> door, mail = Purpose("door", "Bring it to the door"), Purpose("mail", "Write letters")
            >>> class Resident(PurposeModel):
            ...     name: str
            ...     phone: Annotated[str, AllowedFor(door)]
            >>> list(Resident.visible_to(mail).model_fields)
            ['name']
        """
        if not cls.__pydantic_complete__:
            cls.model_rebuild(_parent_namespace_depth=3)  # names are those of whoever calls this
        return cast("type[PurposeModel]", view_of(cls, purposes, PurposeModel))

    # Moving: not a read (R1).

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, sealed as this is; `update` is sealed too. Not a read."""
        copied = super().model_copy(update=update, deep=deep)
        if update and not is_open(self):
            sealed_model(copied)
            boundary = self.__purpose_boundary__
            if boundary is not None:
                boundary.renew(copied, *update)
        return copied

    def __copy__(self) -> Self:
        copied = super().__copy__()
        return copied if is_open(self) else sealed_model(copied)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        copied = super().__deepcopy__(memo)
        return copied if is_open(self) else sealed_model(copied)

    def __getstate__(self) -> dict[Any, Any]:
        if not is_open(self):
            sealed_model(self)  # what was put into __dict__ behind our back too
        return super().__getstate__()

    # Out: reads (R1), and denials that stay denials (R12).

    if not TYPE_CHECKING:
        model_dump = _way_out(
            BaseModel.model_dump,
            lambda model: model.__pydantic_serializer__.to_python(model),
        )
        model_dump_json = _way_out(
            BaseModel.model_dump_json,
            lambda model: model.__pydantic_serializer__.to_json(model).decode(),
        )

        def copy(self, **options: Any) -> Self:
            boundary = self.__purpose_boundary__
            if boundary is None or is_open(self):
                return super().copy(**options)
            return boundary.resealed(super(PurposeModel, boundary.opened(self)).copy(**options), self)

        def _iter(self, **options: Any) -> Any:
            return super(PurposeModel, self if is_open(self) else sealed_model(self))._iter(**options)

        def __iter__(self) -> Generator[tuple[str, Any], None, None]:
            boundary = self.__purpose_boundary__
            if boundary is not None and not is_open(self):
                boundary.seal(self)  # what was put there behind our back too
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


def _origin(model: BaseModel) -> Any:
    return model.__pydantic_generic_metadata__["origin"] or model.__class__


def _read_whole(model: Any) -> Any:
    boundary: Boundary | None = getattr(model, "__purpose_boundary__", None)
    if boundary is None or is_open(model):
        return model
    boundary.admit_all(model)
    return boundary.opened(model)
