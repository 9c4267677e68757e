"""`SealedType`: a column's type whose values come sealed out of the database, and go unsealed into it.

What this module keeps:

- **R1** What a result holds is boxed as it is fetched; what is written is taken out of its box at the driver's door,
  and neither is a read. A value that becomes part of a statement's text is one.
- **R7** A value that its type cannot convert is not quoted.
- **R8** A box is not written into a column that allows more than it does.
- **R9** An engine without a guard gives no results of such columns: its statements would be weighed by nobody.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.type_api import to_instance
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

from purposebind import AllowedFor, PolicyError, Sealed
from purposebind.holding import binding, boxer, contents
from purposebind.policy import Policy

__all__ = ["GUARDED", "NotOfItsType", "SealedType", "policy_of"]

GUARDED = "_purposebind_guarded"
"""The attribute that marks the dialect of a guarded engine."""


class NotOfItsType(TypeError):
    """A value is none of its column's type: said without the value."""


class SealedType(TypeDecorator[Any]):
    """The type of a tagged column: what `impl` is, sealed.

    On a declarative class, ``Mapped[Annotated[str, AllowedFor(P)]]`` says the same.

    Args:
        impl: The type of the values, such as ``String(20)``.
        tag: What they may be used for.
        field: The column's name in errors; without it, its table's and its own.

    Raises:
        PolicyError: `tag` is no tag.

    Example:
        >>> from sqlalchemy import Column, Integer, MetaData, String, Table
        >>> from purposebind import AllowedFor, Purpose
        >>> parking = Purpose("parking", "Find the owner of a car")
        >>> car = Table(
        ...     "car", MetaData(), Column("id", Integer), Column("plate", SealedType(String, AllowedFor(parking)))
        ... )
        >>> policy_of(car.c.plate)
        <Policy parking>
    """

    impl = NullType
    cache_ok = True

    def __init__(
        self, impl: type[TypeEngine[Any]] | TypeEngine[Any], tag: AllowedFor | Policy, field: str = ""
    ) -> None:
        policy = tag.policy if isinstance(tag, AllowedFor) else tag
        if not isinstance(policy, Policy):
            raise PolicyError("SealedType(String, AllowedFor(...)) takes a column's type and a tag.")
        inner = to_instance(impl)
        if isinstance(inner, SealedType):
            policy, inner = policy.join(inner.policy), inner.impl_instance
        self.impl = inner  # type: ignore[assignment]  # as TypeDecorator itself does
        self.tag = policy
        self.field = field
        self.binding = binding(field or "A column", policy)

    @property
    def policy(self) -> Policy:
        """What the column's values may be used for."""
        return self.binding.policy

    def named(self, field: str) -> SealedType:
        """Return the same type for a column that errors call `field`."""
        return SealedType(self.impl_instance, self.policy, field)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        if not getattr(dialect, GUARDED, False):
            raise PolicyError(
                f"{self.binding.field} comes from an engine that has no guard, so that statements could use it for "
                "anything. Guard the engine where it is made: "
                "purposebind.integrations.sqlalchemy.guard(engine, metadata)."
            )
        return boxer(self.binding, self.impl_instance.result_processor(dialect, coltype))

    def bind_processor(self, dialect: Dialect) -> Any:
        policy, field, convert = self.policy, self.binding.field, self.impl_instance.bind_processor(dialect)

        def unsealed(value: Any) -> Any:
            problem: Exception | None = None
            try:
                if type(value) is Sealed:
                    value, source = contents(value)
                    if source.policy is not policy and policy.widens(source.policy):
                        problem = _wider(source, field, policy)
                if problem is None:
                    return value if convert is None else convert(value)
            except Exception as error:
                problem = NotOfItsType(f"The value for {field} is none of its column's type ({type(error).__name__})")
            finally:
                del value  # a traceback shows the locals of this function (R7)
            raise problem  # outside the except block, or the error that quotes would be chained to it

        return unsealed

    def literal_processor(self, dialect: Dialect) -> Any:
        convert = self.impl_instance.literal_processor(dialect)
        if convert is None:
            return None

        def written(value: Any) -> str:
            return convert(value.open() if type(value) is Sealed else value)

        return written

    def asking(self, processor: Any) -> Any:
        """Return a bind processor for a value that is not written into the column: what is in a box is read there."""

        def asked(value: Any) -> Any:
            return processor(value.open() if type(value) is Sealed else value)

        return asked

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        """The type of a value that stands beside the column: as the type inside says, an interval beside a date."""
        if type(value) is Sealed:
            return self
        kind = self.impl_instance.coerce_compared_value(op, value)
        return self if kind is self.impl_instance or kind._type_affinity is self.impl_instance._type_affinity else kind

    def compare_values(self, x: Any, y: Any) -> bool:
        """Whether a flush may leave the column out: by value only where both came from it, else by identity."""
        if type(x) is not Sealed or type(y) is not Sealed:
            return x is y
        (one, of), (other, from_) = contents(x), contents(y)
        same = of is from_ and self.impl_instance.compare_values(one, other)
        del one, other
        return x is y or same

    def __repr__(self) -> str:
        return f"SealedType({self.impl_instance!r}, {self.policy})"


def _wider(source: Any, field: str, policy: Policy) -> PolicyError:
    return PolicyError(
        f"{source.field} may not be written into {field}: it is allowed for {source.policy}, and the column for "
        f"{policy}, which is more. Narrow the tag of the column, or have whoever owns the data widen the other."
    )


def policy_of(column: ColumnElement[Any] | TypeEngine[Any] | Any) -> Policy | None:
    """Return what a column may be used for, or None where it has no tag.

    Args:
        column: A column, an attribute of a mapped class, or a type.
    """
    kind = column if isinstance(column, TypeEngine) else getattr(column, "type", None)
    return kind.policy if isinstance(kind, SealedType) else None
