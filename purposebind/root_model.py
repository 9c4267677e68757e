"""`PurposeRootModel`: a root model whose root may be tagged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import RootModel
from pydantic_core import PydanticUndefined

from .entry import own_validator, validate
from .model import PurposeModel

__all__ = ["PurposeRootModel"]

_RootT = TypeVar("_RootT")


class PurposeRootModel(PurposeModel, RootModel[_RootT], Generic[_RootT]):
    """`pydantic.RootModel` with a root that may be tagged.

    Example:
        >>> from typing import Annotated
        >>> from purposebind import AllowedFor, Purpose, purpose_scope
        >>> from purposebind.root_model import PurposeRootModel
        >>> rescue = Purpose("rescue", "Find people at sea")
        >>> class Position(PurposeRootModel[Annotated[str, AllowedFor(rescue)]]):
        ...     pass
        >>> Position("54.1N 12.2E")
        Position(root=<sealed: rescue>)
    """

    if not TYPE_CHECKING:

        def __init__(self, /, root: Any = PydanticUndefined, **data: Any) -> None:
            __tracebackhide__ = True
            if data:
                if root is not PydanticUndefined:
                    raise ValueError(
                        '"RootModel.__init__" accepts either a single positional argument or arbitrary keyword '
                        "arguments"
                    )
                root = data
            try:
                validate(type(self), own_validator(type(self)).validate_python, root, {"self_instance": self})
            finally:
                del root, data

        __init__.__pydantic_base_init__ = True

        def __repr_args__(self) -> Any:
            boundary = self.__purpose_boundary__
            value = self.__dict__["root"]
            yield "root", value if boundary is None else boundary.shown_as("root", value)
