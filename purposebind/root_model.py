"""`PurposeRootModel`: a root model whose root may be tagged."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import RootModel, ValidationError
from pydantic_core import PydanticUndefined

from .entry import incoming, own_validator, recovery, sealed
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
            way = own_validator(self.__class__).validate_python
            try:
                result = way(incoming(self.__class__, root), self_instance=self)
            except ValidationError as error:
                recover = recovery(self.__class__, error, root)
            else:
                sealed(self.__class__, result, root)
                return
            finally:
                del root, data  # a traceback shows the locals of this function (R7)
            recover(functools.partial(way, self_instance=self))

        __init__.__pydantic_base_init__ = True

        def __repr_args__(self) -> Any:
            boundary = self.__purpose_boundary__
            value = self.__dict__.get("root")  # absent where validation failed half way
            yield "root", value if boundary is None else boundary.shown_as("root", value)
