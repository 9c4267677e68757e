"""`Sealed`: a box around a value that may be moved anywhere and opened only where its policy allows.

What this module keeps:

- **R1** Copying the box, and putting it anywhere, is not a read. Everything that would make the value, or a fact about
  it, reachable is: opening, mapping, equality, order, hash, truth, length, iteration, pickling, serialization.
- **R6** Representations never reveal and never raise.
- **R8** What is derived from boxes is boxed with the join of their policies.

The value stands in a slot that no listing of attributes shows. A model's guards and serializers read it directly on
their hot path; everything else goes through `admit`.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Generic, TypeVar, cast, get_args, overload

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, SchemaSerializer, ValidationError, core_schema

from . import config
from .enforcement import Binding, admit
from .errors import PolicyError
from .joining import joined, owner, sooner, until_of
from .policy import Policy
from .redaction import leaves, redacted
from .scope import current_frame
from .subjects import BoxedSubject, resolved
from .tags import WRAP, AllowedFor, claim_policy, field_label, purposes_in_schema

__all__ = ["Marker", "Sealed", "ask", "open_box", "seal"]

T = TypeVar("T")
R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


class Sealed(Generic[T]):
    """A box around a value of type `T`, open only for the purposes of its policy.

    In any pydantic model, dataclass or TypedDict, write ``Annotated[Sealed[str], AllowedFor(PURPOSE)]``: validation
    takes a plain value, or a box, and gives a box. By hand, use `Sealed.of`.

    Example:
        >>> from purposebind import AllowedFor, Purpose, purpose_scope
        >>> recall = Purpose("recall", "Warn about a faulty product")
        >>> box = Sealed.of("+46 70 123 45 67", AllowedFor(recall))
        >>> box
        <sealed: recall>
        >>> with purpose_scope(recall):
        ...     box.open()
        '+46 70 123 45 67'
    """

    __slots__ = ("_purposebind_binding", "_purposebind_subject", "_purposebind_until", "_purposebind_value")

    _purposebind_binding: Binding
    _purposebind_subject: Any
    _purposebind_until: float  # when its retention is over; not there where there is none
    _purposebind_value: Any
    __pydantic_serializer__: ClassVar[SchemaSerializer]

    @staticmethod
    def of(value: R, tag: AllowedFor) -> Sealed[R]:
        """Return `value` in a box with the policy of `tag`. It is collected now, where the tag says ``retain=``."""
        if not isinstance(tag, AllowedFor):
            raise TypeError("Sealed.of(value, AllowedFor(...)) takes a tag")
        until = None if tag.policy.retain is None else time.time() + tag.policy.retain.total_seconds()
        collected = None if isinstance(value, Sealed) else current_frame().collected
        return seal(value, Binding("Sealed", tag.policy).collected_for(collected), until=until)

    def __init_subclass__(cls) -> None:
        raise TypeError("Sealed has no subclasses: what looks for a box would take one for something open")

    @property
    def policy(self) -> Policy:
        """What the value may be used for. Asking is not a read."""
        return _binding(self).policy

    def open(self) -> T:
        """Return the value.

        Raises:
            PurposeViolation: An active purpose is not covered by the policy, or no purpose is active.
        """
        return cast("T", open_box(self))

    def map(self, function: Callable[[T], R]) -> Sealed[R]:
        """Return what `function` makes of the value, in a box with the same policy (R8). The function reads the value.

        Raises:
            PurposeViolation: As for `open`.
        """
        return Sealed.join(function, self)

    @overload
    @staticmethod
    def join(function: Callable[[A], R], box: Sealed[A], /) -> Sealed[R]: ...
    @overload
    @staticmethod
    def join(function: Callable[[A, B], R], one: Sealed[A], two: Sealed[B], /) -> Sealed[R]: ...
    @overload
    @staticmethod
    def join(function: Callable[[A, B, C], R], one: Sealed[A], two: Sealed[B], three: Sealed[C], /) -> Sealed[R]: ...
    @overload
    @staticmethod
    def join(
        function: Callable[..., R],
        one: Sealed[Any],
        two: Sealed[Any],
        three: Sealed[Any],
        four: Sealed[Any],
        /,
        *more: Sealed[Any],
    ) -> Sealed[R]: ...
    @staticmethod
    def join(function: Callable[..., R], /, *boxes: Sealed[Any]) -> Sealed[R]:
        """Return what `function` makes of the values of `boxes`, in a box that opens only where each of them would.

        Raises:
            PurposeViolation: One of the boxes may not be read here.
            TypeError: No box is given, or something that is none.

        Example:
            >>> from purposebind import AllowedFor, Purpose, purpose_scope
            >>> parts = Purpose("parts", "Order spare parts")
            >>> first, last = (Sealed.of(name, AllowedFor(parts)) for name in ("Ada", "Lovelace"))
            >>> with purpose_scope(parts):
            ...     Sealed.join("{} {}".format, first, last).open()
            'Ada Lovelace'
        """
        if not boxes or not all(isinstance(box, Sealed) for box in boxes):
            raise TypeError("Sealed.join(function, *boxes) takes one Sealed or more")
        for box in boxes:
            ask(box)
        binding, subject, until = joined(boxes)
        return seal(function(*(box._purposebind_value for box in boxes)), binding, subject, until)

    def __repr__(self) -> str:  # R6, here and in the next two
        return repr(self._purposebind_value) if config.current.revealing else _marker(self)

    def __str__(self) -> str:
        return str(self._purposebind_value) if config.current.revealing else _marker(self)

    def __format__(self, spec: str) -> str:
        return format(self._purposebind_value, spec) if config.current.revealing else _marker(self)

    def __dir__(self) -> list[str]:
        return [name for name in object.__dir__(self) if not name.startswith("_purposebind_")]

    def __eq__(self, other: object) -> bool:
        return bool(open_box(self) == open_box(other))

    def __ne__(self, other: object) -> bool:
        return bool(open_box(self) != open_box(other))

    def __lt__(self, other: Any) -> bool:
        return bool(open_box(self) < open_box(other))

    def __le__(self, other: Any) -> bool:
        return bool(open_box(self) <= open_box(other))

    def __gt__(self, other: Any) -> bool:
        return bool(open_box(self) > open_box(other))

    def __ge__(self, other: Any) -> bool:
        return bool(open_box(self) >= open_box(other))

    def __hash__(self) -> int:
        return hash(open_box(self))

    def __bool__(self) -> bool:
        return bool(open_box(self))

    def __len__(self) -> int:
        return len(open_box(self))

    def __iter__(self) -> Iterator[Any]:
        return iter(open_box(self))

    def __contains__(self, item: object) -> bool:
        return open_box(item) in open_box(self)

    def __copy__(self) -> Sealed[T]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Sealed[T]:
        binding, subject = self._purposebind_binding, self._purposebind_subject
        if type(subject) is BoxedSubject:  # the copy's box stands for the person in the copy
            subject = copy.deepcopy(subject, memo)
        return seal(copy.deepcopy(self._purposebind_value, memo), binding, subject, until_of(self))

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _pickled(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return _pickled(self)

    def __getstate__(self) -> object:
        return _pickled(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        binding = Binding(field_label(handler), claim_policy())
        if binding.policy.retain is not None:
            raise PolicyError(
                f"{binding.field}: retain= on a Sealed in an annotation would begin anew at each validation. Tag the "
                "field of a PurposeModel that has a CollectedAt field; or make the box by hand, with Sealed.of."
            )
        (inner,) = get_args(source) or (Any,)
        schema = handler.generate_schema(inner)

        def validate(value: Any, validate_inner: core_schema.ValidatorFunctionWrapHandler) -> Sealed[Any]:
            bound, subject, until, problem = binding, None, None, None
            if type(value) is Sealed:  # moved from elsewhere: it stays as narrow as it was (R8)
                bound, subject, until = joined((value,), binding)
                value = value._purposebind_value
            else:
                bound = binding.collected_for(current_frame().collected)
            try:
                return seal(validate_inner(value), bound, subject, until)
            except ValidationError as error:
                problem = redacted(
                    error, shows_input=lambda line: False, secrets=lambda line: leaves((line["input"], value))
                )
            value = None  # not in the locals of the traceback either
            raise problem  # R7: outside the except block, or the plaintext error would be chained to it

        def serialize(box: Any) -> Any:
            if type(box) is not Sealed:  # put there without validation
                admit(binding)
            return open_box(box)

        return core_schema.no_info_wrap_validator_function(
            validate,
            schema,
            metadata={WRAP: True, "pydantic_js_annotation_functions": [purposes_in_schema(binding.policy)]},
            serialization=core_schema.plain_serializer_function_ser_schema(serialize, return_schema=schema),
        )


class Marker:
    """Stands in a representation for what it must not show."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def seal(value: R, binding: Binding, subject: Any = None, until: float | None = None) -> Sealed[R]:
    """Return `value` in a box bound to `binding`.

    Args:
        value: What goes in. The contents of a box are put into a new one, which is as narrow as both (R8).
        binding: The field it belongs to, and its policy.
        subject: Whose data it is, if known.
        until: When its retention is over, in seconds since 1970, if there is one. A box's own stays, if that is sooner.
    """
    if isinstance(value, Sealed):
        moved: Sealed[Any] = value
        binding, source, own = joined((moved,), binding)
        return seal(moved._purposebind_value, binding, owner(binding.policy, source, subject), sooner(own, until))
    box: Sealed[R] = Sealed()
    box._purposebind_value = value
    box._purposebind_binding = binding
    box._purposebind_subject = BoxedSubject(subject) if type(subject) is Sealed else subject
    if until is not None:
        box._purposebind_until = until
    return box


def open_box(value: Any) -> Any:
    """Return what is in `value` if it is a box and may be read here, or else `value` itself.

    Raises:
        PurposeViolation: It may not be read here.
    """
    if type(value) is not Sealed:
        return value
    ask(value)
    return value._purposebind_value


def ask(box: Sealed[Any]) -> None:
    """Ask whether what is in `box` may be read here.

    Raises:
        PurposeViolation: It may not.
    """
    frame = current_frame()
    binding = _binding(box)
    if binding.policy in frame.granted:
        return
    if frame.record is None or not frame.record(box):
        admit(binding, resolved(box._purposebind_subject, box), until_of(box))


def _binding(box: Sealed[Any]) -> Binding:
    try:
        return box._purposebind_binding
    except AttributeError:
        raise TypeError("An empty box: make one with Sealed.of(value, AllowedFor(...))") from None


def _pickled(box: Sealed[Any]) -> tuple[Any, ...]:
    return seal, (open_box(box), box._purposebind_binding, box._purposebind_subject, until_of(box))


def _marker(box: Sealed[Any]) -> str:
    return f"<sealed: {box.policy}>"


Sealed.__pydantic_serializer__ = SchemaSerializer(
    core_schema.any_schema(serialization=core_schema.plain_serializer_function_ser_schema(open_box))
)
del Sealed.__slots__  # so that what lists slots does not list the value
