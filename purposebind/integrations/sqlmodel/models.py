"""`PurposeSQLModel`: SQLModel's model whose tagged fields are sealed at rest.

What this module keeps:

- **R1** A table model is sealed from the moment it exists, whoever made it; ``model_validate`` and
  ``sqlmodel_update`` take over what the other model holds sealed, and that is not a read.
- **R7** What SQLModel validates leaves no input among the locals of a traceback.
- **R8** What was taken over is as narrow as it was.
- **R10** While a table model is built, its ``model_post_init`` and validators see plain values.
"""

# No annotations of the future: the example's would be texts, of which SQLModel makes no columns.
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError
from sqlalchemy.orm.attributes import manager_of_class, set_attribute
from sqlalchemy.orm.base import DEFAULT_STATE_ATTR
from sqlmodel import SQLModel
from typing_extensions import Self

from purposebind import PurposeModel
from purposebind.describing import field_tags
from purposebind.entities import assigned, born_sealed, close, differ_openly, is_open, kept_narrow, open_up

from .tables import TableMetaclass, is_mapped, is_table
from .taking import ABSENT, held, is_source, taken

if TYPE_CHECKING:
    from typing import Literal

__all__ = ["PurposeSQLModel"]


class PurposeSQLModel(PurposeModel, SQLModel, metaclass=TableMetaclass):  # pyright: ignore[reportGeneralTypeIssues]  # its only slot is __weakref__
    """A `SQLModel` that binds its tagged fields to their purposes: a table model with ``table=True``, or a data model.

    Use it as `SQLModel`, and tag fields with `AllowedFor`. Guard the engine as `purposebind.integrations.sqlalchemy`
    says, so that statements are uses too.

    Class keywords:
        purpose_mode: As for `PurposeModel`.

    Raises:
        PolicyError: At class definition, as for `PurposeModel`; or a tag stands on a primary key, or on a foreign key.

    Example:
        >>> from typing import Annotated
        >>> from purposebind import AllowedFor, Purpose, purpose_scope
        >>> from sqlmodel import Field
        >>> letters = Purpose("letters", "Write to our members")
        >>> class Member(PurposeSQLModel, table=True):
        ...     id: int | None = Field(default=None, primary_key=True)
        ...     address: Annotated[str, AllowedFor(letters)]
        >>> member = Member(address="12 Sea Road")
        >>> member
        Member(address=<sealed: letters>, id=None)
        >>> with purpose_scope(letters):
        ...     member.address
        '12 Sea Road'
    """

    if TYPE_CHECKING:
        # What SQLModel says of itself, in the words of the two bases.
        def __init_subclass__(
            cls,
            *,
            table: bool = ...,
            registry: Any = ...,
            purpose_mode: Literal["enforce", "observe"] | None = ...,
            **kwargs: Any,
        ) -> None: ...

        @classmethod
        def model_validate(
            cls,
            obj: Any,
            *,
            strict: bool | None = None,
            extra: Any = None,
            from_attributes: bool | None = None,
            context: Any | None = None,
            by_alias: bool | None = None,
            by_name: bool | None = None,
            update: dict[str, Any] | None = None,
        ) -> Self: ...

        def sqlmodel_update(
            self,
            obj: dict[str, Any] | BaseModel,
            *,
            update: dict[str, Any] | None = None,
            exclude_unset: bool = False,
        ) -> Self: ...

    else:

        def __init_subclass__(cls, **kwargs: Any) -> None:
            super().__init_subclass__(purpose_mode=vars(cls).get("__purpose_keyword__"), **kwargs)

        def __new__(cls, *args: Any, **kwargs: Any) -> Self:
            model = super().__new__(cls)
            if is_table(cls):
                born_sealed(model)  # SQLAlchemy fills it with what is sealed by type
            return model

        def __init__(__pydantic_self__, **data: Any) -> None:  # a field may be called self
            __tracebackhide__ = True
            self = __pydantic_self__
            try:
                if not is_table(type(self)):
                    super().__init__(**data)
                    return
                untouched = self.__pydantic_fields_set__
                open_up(self)
                try:
                    SQLModel.__init__(self, **data)
                finally:
                    # Else SQLModel.model_validate goes on with it, and the boundary seals what it validates.
                    if data or self.__pydantic_fields_set__ is not untouched:
                        close(self)
            finally:
                del data

        __init__.__pydantic_base_init__ = True

        @classmethod
        def model_validate(cls, obj: Any, *, update: dict[str, Any] | None = None, **options: Any) -> Self:
            """Validate, as SQLModel does; a model or entity is taken over sealed, and that is not a read.

            Args:
                obj: A mapping, a model, an entity, or another object with attributes.
                update: What to take instead, by the names of the fields.
                options: As for ``BaseModel.model_validate``; a table model takes those that SQLModel takes.

            Raises:
                ValidationError: Without values.
            """
            __tracebackhide__ = True
            given = {name: value for name, value in options.items() if value is not None}
            source, boxes, related = obj, {}, update or {}
            try:
                if is_source(obj):
                    obj, boxes = taken(cls, obj, related)
                elif update and isinstance(obj, dict):
                    obj = {**obj, **update}
                if isinstance(obj, dict):
                    update = None  # it is in there
                if is_table(cls) or update:
                    model = SQLModel.model_validate.__func__(cls, obj, update=update, **given)
                else:
                    model = super().model_validate(obj, **given)
            except ValidationError as error:
                problem = error.with_traceback(None)
            else:
                kept_narrow(model, boxes)
                if source is not obj and is_mapped(cls):
                    _relate(model, source, related)
                return model
            finally:
                del obj, update, source, boxes, related
            raise problem

        @classmethod
        def model_construct(cls, *args: Any, **kwargs: Any) -> Self:
            model = super().model_construct(*args, **kwargs)
            if is_mapped(cls):  # or what reads an attribute finds no entity
                manager_of_class(cls).setup_instance(model)
            return model

        def sqlmodel_update(
            self, obj: Any, *, update: dict[str, Any] | None = None, exclude_unset: bool = False
        ) -> Self:
            """Set the fields of this model to those of `obj`; a model's are taken over sealed, and that is not a read.

            Args:
                obj: A mapping, or a model.
                update: What to take instead, by the names of the fields.
                exclude_unset: Whether to leave out what was not given to `obj`. SQLModel's users write
                    ``obj.model_dump(exclude_unset=True)``, which is a read.
            """
            __tracebackhide__ = True
            try:
                if not isinstance(obj, BaseModel):
                    return super().sqlmodel_update(obj, update=update)
                ours, left = field_tags(type(self)), dict(update or {})
                for name in type(obj).model_fields:
                    if name in left:
                        setattr(self, name, left.pop(name))
                    elif not exclude_unset or name in obj.model_fields_set:
                        value = held(obj, name) if name in ours else ABSENT
                        setattr(self, name, getattr(obj, name) if value is ABSENT else value)
                return super().sqlmodel_update({}, update=left)
            finally:
                del obj, update

        def __setattr__(self, name: str, value: Any) -> None:
            __tracebackhide__ = True
            try:
                if not (
                    self.model_config.get("validate_assignment")
                    and name in type(self).__pydantic_fields__
                    and is_mapped(type(self))
                    and not is_open(self)
                    and self.__purpose_boundary__ is not None
                ):
                    super().__setattr__(name, value)
                    return
                for key, valid in assigned(self, name, value, DEFAULT_STATE_ATTR).items():
                    set_attribute(self, key, valid)
                    self.__pydantic_fields_set__.add(key)
            finally:
                del value

        def __eq__(self, other: object) -> bool:
            if self is other:
                return True
            if is_mapped(type(self)) and (_are_of_two_rows(self, other) or differ_openly(self, other)):
                return False  # as when SQLAlchemy looks for an entity in a list: no tagged field is needed to say so
            return super().__eq__(other)

        __hash__ = None


def _are_of_two_rows(model: Any, other: Any) -> bool:
    keys = [
        getattr(vars(one).get(DEFAULT_STATE_ATTR), "key", None) for one in (model, other) if hasattr(one, "__dict__")
    ]
    return None not in keys and len(set(keys)) == 2


def _relate(model: Any, source: Any, update: dict[str, Any]) -> None:
    """Have `model` be related to what `source` is related to, as SQLModel does."""
    for name in type(model).__sqlmodel_relationships__:
        value = update[name] if name in update else getattr(source, name, ABSENT)
        if value is not ABSENT:
            setattr(model, name, value)
