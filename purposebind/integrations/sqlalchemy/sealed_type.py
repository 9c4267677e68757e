"""`SealedType`: a column's type whose values come sealed out of the database, and go unsealed into it.

What this module keeps:

- **R1** What a result holds is boxed as it is fetched; what is written is taken out of its box at the driver's door,
  and neither is a read. A value that becomes part of a statement's text is one.
- **R7** A value that its type cannot convert is not quoted.
- **R8** A box is not written into a column that allows more than it does. What it was collected for, and until when it
  is retained, goes along with it, in the columns that say so of its row, or it is not written.
- **R9** An engine without a guard gives no results of such columns: its statements would be weighed by nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.type_api import to_instance
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

from purposebind import AllowedFor, PolicyError, Sealed
from purposebind.holding import anothers, binding, boxer, collection, contents, expires
from purposebind.policy import Policy

__all__ = ["GUARDED", "NOTHING", "ROUNDED", "Kept", "NotOfItsType", "Row", "SealedType", "policy_of", "unsaid"]

GUARDED = "_purposebind_guarded"
"""The attribute that marks the dialect of a guarded engine."""


NOTHING = Policy(())
"""What nobody may read."""


@dataclass(frozen=True)
class Row:
    """The columns of a row, by their keys, that say of its tagged column what the tag leaves open.

    Attributes:
        column: The tagged column.
        companion: The one that says what the value was collected for, or None.
        collected_at: The one that says when, or None.
        subject: The one that says whose it is; empty where another table says it, None where nothing does.
    """

    column: str = ""
    companion: str | None = None
    collected_at: str | None = None
    subject: str | None = None


class Kept:
    """A box on its way into a column, whose row has been found to say all that the box does."""

    __slots__ = ("box",)

    def __init__(self, box: Sealed[Any]) -> None:
        self.box = box


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
        self.row = Row()

    @property
    def policy(self) -> Policy:
        """What the column's values may be used for."""
        return self.binding.policy

    @property
    def certain(self) -> Policy:
        """What each of them may be used for: nothing, where each row says what its value was collected for."""
        return self.policy if self.row.companion is None else self.policy.join(NOTHING)

    @property
    def alone(self) -> Policy:
        """What each of them may be used for where its row is not known: nothing that a time or a person decides."""
        if self.policy.retain is not None:
            return self.certain.join(NOTHING)
        return self.certain.join(Policy(self.policy.unconditional)) if self.policy.consent else self.certain

    @property
    def varies(self) -> bool:
        """Whether what a value may be used for hangs on other columns of its row."""
        return self.row.companion is not None or self.policy.retain is not None

    def named(self, field: str) -> SealedType:
        """Return the same type for a column that errors call `field`."""
        made = SealedType(self.impl_instance, self.policy, field)
        made.row = self.row
        return made

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        if not getattr(dialect, GUARDED, False):
            raise PolicyError(
                f"{self.binding.field} comes from an engine that has no guard, so that statements could use it for "
                "anything. Guard the engine where it is made: "
                "purposebind.integrations.sqlalchemy.guard(engine, metadata)."
            )
        return boxer(self.binding, self.impl_instance.result_processor(dialect, coltype))

    def bind_processor(self, dialect: Dialect) -> Any:
        field, convert = self.binding.field, self.impl_instance.bind_processor(dialect)
        guarded = getattr(dialect, GUARDED, False)

        def unsealed(value: Any) -> Any:
            problem: Exception | None = None
            try:
                if type(value) is Kept:
                    value, _ = contents(value.box)
                elif type(value) is Sealed:
                    problem = self.unkept(value)
                    if problem is not None and self.varies and not guarded:
                        problem = PolicyError(
                            f"{problem}\n  - Guard the engine: without a guard no row is made to say it."
                        )
                    value, _ = contents(value)
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

    def asking(self, processor: Any, *, writing: bool) -> Any:
        """Return a bind processor for a value that is not written as it is: what is in a box is read there.

        Args:
            processor: The type's own.
            writing: Whether the statement writes. What it makes of the value may then be kept, and the box may not be.
        """

        def asked(value: Any) -> Any:
            if type(value) is Sealed:
                problem = self.unkept(value) if writing else None
                if problem is not None:
                    raise problem
                value = value.open()
            return processor(value)

        return asked

    def unkept(
        self, box: Sealed[Any], companion: Policy | None = None, until: float | None = None, person: Any = None
    ) -> Exception | None:
        """Return why a box may not be written into the column, or None where its row says all that the box does (R8).

        Args:
            box: The box.
            companion: What the row says that the value was collected for.
            until: Until when it is retained, by what the row says; None where it does not say.
            person: Whose the row says it is.
        """
        _, source = contents(box)
        collected, said = collection(box), self.policy if companion is None else self.policy.join(companion)
        lost = collected is not None and (companion is None or companion.allows_more_than(collected))
        if lost:
            return PolicyError(_uncollected(self, source))
        if said is not source.policy and said.allows_more_than(source.policy):
            return _wider(source, self.binding.field, self.policy)
        sooner = expires(box) if self.policy.retain is not None else None
        if sooner is not None and (until is None or until > sooner + ROUNDED):
            return PolicyError(_renewing(self, source))
        if self.row.subject is not None and anothers(box, person):
            return PolicyError(_anothers(self, source))
        return None

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


def unsaid(kind: SealedType, collected: Policy, companion: Policy | None) -> Exception | None:
    """Return why a plain value that is collected for something may not be written into a column, or None (R8).

    Args:
        kind: The column's type.
        collected: What it is collected for.
        companion: What its row says of that.
    """
    if companion is not None and not companion.allows_more_than(collected):
        return None
    return PolicyError(_uncollected(kind, kind.binding.collected_for(collected)))


def _uncollected(kind: SealedType, source: Any) -> str:
    said = ", ".join(sorted(purpose.name for purpose in source.collected.allowed)) or "nothing"
    attribute = kind.binding.field.rpartition(".")[2]
    if kind.row.companion is None:
        ways = (
            "  - give the table a column that says what each row was collected for:\n"
            f"      {attribute}_collected_for = mapped_column(CollectedFor({attribute!r}), nullable=True);\n"
            "  - or seal it outside of collected_for, if its tag alone is to say what it is for."
        )
    else:
        ways = (
            "  - set the attribute of an entity, and let its session write it;\n"
            f"  - or write {kind.row.companion} in the same statement, for each row: values({kind.row.companion}="
            '["..."]).'
        )
    what = "A value" if source.field == kind.binding.field else source.field
    return (
        f"{what} may not be written into {kind.binding.field}: it was collected for {said}, "
        "and the row would not say so: whatever the column allows, now or once its tag is another, would be allowed.\n"
        f"Ways out:\n{ways}"
    )


def _renewing(kind: SealedType, source: Any) -> str:
    by = kind.row.collected_at or "the column marked CollectedAt"
    return (
        f"{source.field} may not be written into {kind.binding.field}: it was collected earlier than its row would "
        f"say, and would be kept for longer than its tag allows.\nWays out:\n  - write {by} with it, in the same "
        "statement, as it was where the value comes from;\n"
        "  - or collect the value anew, and write what was given then."
    )


def _anothers(kind: SealedType, source: Any) -> str:
    way = f"  - write {kind.row.subject} with it, in the same statement, as it is where the value comes from;\n"
    return (
        f"{source.field} may not be written into {kind.binding.field}: reading it hangs on the consent of the person "
        "whose it is, and the row would not say that it is hers: somebody else would be asked.\nWays out:\n"
        f"{way if kind.row.subject else ''}"
        "  - set the attribute of an entity that is the same person's, and let its session write it;\n"
        "  - or collect the value anew, of whose row it is."
    )


ROUNDED = 0.001
"""How many seconds a database may lose of a time."""


def policy_of(column: ColumnElement[Any] | TypeEngine[Any] | Any) -> Policy | None:
    """Return what a column may be used for, or None where it has no tag.

    Args:
        column: A column, an attribute of a mapped class, or a type.
    """
    kind = column if isinstance(column, TypeEngine) else getattr(column, "type", None)
    return kind.policy if isinstance(kind, SealedType) else None
