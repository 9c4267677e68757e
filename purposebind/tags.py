"""Tags: `AllowedFor` and `SubjectId`, what they mean to pydantic, and where they may stand.

What this module keeps:

- **R9** A tag that protects nothing is refused. pydantic asks a tag for its schema wherever the tag stands; in a
  `PurposeModel` the schema is marked, for the model to find, around a `Sealed` the box takes the policy, and anywhere
  else a `PolicyError` names the two ways out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from . import config
from .errors import PolicyError
from .policy import Policy
from .purpose import Purpose, require_purposes

__all__ = [
    "MARK",
    "WRAP",
    "AllowedFor",
    "FieldTag",
    "SubjectId",
    "claim_policy",
    "field_label",
    "field_tag",
    "purposes_in_schema",
]

MARK = "purposebind_policy"
"""The key under which a schema's metadata holds the policy of the tag around it, until its model has taken note."""

WRAP = "purposebind_wrap"
"""The key under which a schema's metadata says that what is inside is sealed on the way in."""

_building = threading.local()


class AllowedFor:
    """The tag: ``Annotated[str, AllowedFor(TWO_FACTOR)]`` on a field of a `PurposeModel`, or around a `Sealed`.

    Args:
        purposes: The purposes for which the field may be read; each covers its descendants.
        never: Purposes for which it may not, though one of `purposes` includes them.

    Raises:
        PolicyError: No purpose is given, or `never` leaves none of them.
        TypeError: A string or something else is given where a `Purpose` is meant.

    Example:
        >>> accounts = Purpose("accounts", "Run the account")
        >>> survey = accounts.child("survey", "Ask how we do")
        >>> AllowedFor(accounts, never=[survey])
        AllowedFor(accounts, never=[accounts.survey])
    """

    __slots__ = ("policy",)

    policy: Policy
    """The tag as a policy, in normal form."""

    def __init__(self, *purposes: Purpose, never: Iterable[Purpose] = ()) -> None:
        if not purposes:
            raise PolicyError("AllowedFor() names no purpose: nobody could ever read the field. Name at least one.")
        if isinstance(never, (Purpose, str)):
            raise TypeError("never= takes a list of purposes, such as never=[ADVERTISING].")
        allowed = require_purposes(purposes)
        refused = require_purposes(tuple(never))
        for purpose in allowed:
            if any(p.includes(purpose) for p in refused):
                raise PolicyError(
                    f"AllowedFor contradicts itself: {purpose.name} is allowed and never allowed at once. "
                    "Take it out of one of the two."
                )
        object.__setattr__(self, "policy", Policy(allowed, refused))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("A tag cannot be changed; make another AllowedFor.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("A tag cannot be changed; make another AllowedFor.")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        claims: list[_Claim] = _building.__dict__.setdefault("claims", [])
        claims.append(claim := _Claim(self.policy))
        try:
            schema = handler(source)
        finally:
            claims.pop()
        if claim.taken:
            return schema
        owner = _owner(handler)
        if not getattr(owner, "__purpose_model__", False):
            raise PolicyError(_protects_nothing(self, owner, handler))
        metadata: dict[str, Any] = cast("dict[str, Any]", schema).setdefault("metadata", {})
        known = metadata.get(MARK)
        metadata[MARK] = self.policy if known is None else known.join(self.policy)
        return schema

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AllowedFor) and self.policy is other.policy

    def __hash__(self) -> int:
        return hash(self.policy)

    def __repr__(self) -> str:
        allowed = ", ".join(p.name for p in sorted(self.policy.allowed))
        never = ", ".join(p.name for p in sorted(self.policy.never))
        return f"AllowedFor({allowed}, never=[{never}])" if never else f"AllowedFor({allowed})"

    def __copy__(self) -> AllowedFor:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> AllowedFor:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _tag, (tuple(sorted(self.policy.allowed)), tuple(sorted(self.policy.never)))


class FieldTag(AllowedFor):
    """The tag of a model's field, in the model's own record of it, which frameworks read.

    FastAPI makes an adapter of each field of a model that a route names, to describe it, and never validates with it.
    Such an adapter describes, and lets nothing through (R9).
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:  # typing makes one Annotated of two with equal tags
        return isinstance(other, FieldTag) and self.policy is other.policy

    def __hash__(self) -> int:
        return hash((FieldTag, self.policy))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if _owner(handler) is not None:
            return super().__get_pydantic_core_schema__(source, handler)
        why = _protects_nothing(self, None, handler)

        def refuse(*args: Any) -> NoReturn:
            raise PolicyError(why)

        schema = handler(source)
        return core_schema.no_info_wrap_validator_function(
            refuse,
            schema,
            serialization=core_schema.wrap_serializer_function_ser_schema(refuse, schema=schema),
            metadata={"pydantic_js_functions": [purposes_in_schema(self.policy)]},
        )


def field_tag(item: Any) -> Any:
    """Return `item`, a field's metadata; a tag as the field's own."""
    if type(item) is not AllowedFor:
        return item
    tag = object.__new__(FieldTag)
    object.__setattr__(tag, "policy", item.policy)
    return tag


def _tag(allowed: tuple[Purpose, ...], never: tuple[Purpose, ...]) -> AllowedFor:
    return AllowedFor(*allowed, never=never)


class SubjectId:
    """Marks the field that identifies the data subject: ``id: Annotated[int, SubjectId]``.

    A model has at most one. Its value goes with every recorded read and denial, so that the people concerned can be
    counted; it never goes into an error.
    """

    __slots__ = ()


def purposes_in_schema(policy: Policy) -> Callable[[CoreSchema, GetJsonSchemaHandler], JsonSchemaValue]:
    """Return what has the JSON schema of a tagged value say what the value is for."""

    def with_purposes(schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = handler(schema)
        if config.current.revealing:
            return described
        purposes = {"x-purposes": [p.name for p in sorted(policy.allowed)]}
        if policy.never:
            purposes["x-purposes-never"] = [p.name for p in sorted(policy.never)]
        return {**described, **purposes}

    return with_purposes


class _Claim:
    """A tag whose schema is being made, for a `Sealed` inside it to take the policy from."""

    __slots__ = ("policy", "taken")

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.taken = False


def claim_policy() -> Policy:
    """Return the policy of the tags around the `Sealed` whose schema is being made.

    Raises:
        PolicyError: There is none: the box would protect nothing (R9).
    """
    claims: list[_Claim] = _building.__dict__.get("claims", [])
    if not claims:
        raise PolicyError("Sealed without a tag protects nothing: write Annotated[Sealed[str], AllowedFor(PURPOSE)].")
    policy = claims[0].policy
    for claim in claims:
        claim.taken = True
        policy = policy.join(claim.policy)
    return policy


def field_label(handler: GetCoreSchemaHandler) -> str:
    """Return the name of the field whose schema is being made, as errors show it."""
    owner = _owner(handler)
    return f"{owner.__name__ if owner else 'Sealed'}.{handler.field_name}" if handler.field_name else "Sealed"


def _owner(handler: GetCoreSchemaHandler) -> type | None:
    """The model, dataclass or TypedDict whose schema is being made, or None for a bare adapter."""
    stack = getattr(getattr(handler, "_generate_schema", None), "model_type_stack", None)
    return stack.get() if stack is not None else None


def _protects_nothing(tag: AllowedFor, owner: type | None, handler: GetCoreSchemaHandler) -> str:
    name = handler.field_name
    if owner is None:
        place = "outside any model (a bare TypeAdapter or a function's argument)"
    else:
        place = f"on {owner.__name__}.{name}" if name else f"in {owner.__name__}"
    return (
        f"{tag!r} {place} would protect nothing: the value would stay open. Two ways out:\n"
        "  - inherit from PurposeModel and tag the field itself;\n"
        "  - or keep the value in a box: Annotated[Sealed[str], AllowedFor(...)]."
    )
