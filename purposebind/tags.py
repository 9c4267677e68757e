"""Tags: `AllowedFor`, `SubjectId` and `CollectedAt`, what they mean to pydantic, and where they may stand.

What this module keeps:

- **R9** A tag that protects nothing is refused. pydantic asks a tag for its schema wherever the tag stands; in a
  `PurposeModel` the schema is marked, for the model to find, around a `Sealed` the box takes the policy, and anywhere
  else a `PolicyError` names the two ways out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
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
    "CollectedAt",
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
        with_consent: Purposes for which it may be read where the data subject consents to them (`configure(consent=)`),
            whether or not one of `purposes` includes them.
        retain: How long after its collection the field may be read, for whatever purpose. The model says by a
            `CollectedAt` field when that was.

    Raises:
        PolicyError: No purpose is given, `never` or `with_consent` contradicts one of them, or `retain` is no time.
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

    def __init__(
        self,
        *purposes: Purpose,
        never: Iterable[Purpose] = (),
        with_consent: Iterable[Purpose] = (),
        retain: timedelta | None = None,
    ) -> None:
        allowed = require_purposes(purposes)
        refused = _listed("never", never)
        asked = _listed("with_consent", with_consent)
        if not allowed and not asked:
            raise PolicyError("AllowedFor() names no purpose: nobody could ever read the field. Name at least one.")
        for named, covering, what in (
            ((*allowed, *asked), refused, "allowed and never allowed"),
            (allowed, asked, "allowed, and allowed with consent alone,"),
        ):
            for purpose in named:
                if any(p.includes(purpose) for p in covering):
                    raise PolicyError(
                        f"AllowedFor contradicts itself: {purpose.name} is {what} at once. Take it out of one of the "
                        "two."
                    )
        if retain is not None and not isinstance(retain, timedelta):
            raise TypeError(f"retain= takes a timedelta, such as timedelta(days=90), not {type(retain).__name__}.")
        if retain is not None and retain <= timedelta():
            raise PolicyError("retain= is no time at all: nobody could ever read the field.")
        object.__setattr__(self, "policy", Policy((*allowed, *asked), refused, asked, retain))

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
        policy = self.policy
        parts = [p.name for p in sorted(policy.unconditional)]
        for name, purposes in (("with_consent", policy.consent), ("never", policy.never)):
            if purposes:
                parts.append(f"{name}=[{', '.join(p.name for p in sorted(purposes))}]")
        if policy.retain is not None:
            parts.append(f"retain={policy.retain!r}")
        return f"AllowedFor({', '.join(parts)})"

    def __copy__(self) -> AllowedFor:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> AllowedFor:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        sets = (self.policy.unconditional, self.policy.never, self.policy.consent)
        return _tag, (*(tuple(sorted(one)) for one in sets), self.policy.retain)


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


def _tag(
    allowed: tuple[Purpose, ...],
    never: tuple[Purpose, ...],
    consent: tuple[Purpose, ...] = (),
    retain: timedelta | None = None,
) -> AllowedFor:
    return AllowedFor(*allowed, never=never, with_consent=consent, retain=retain)


def _listed(name: str, purposes: Iterable[Purpose]) -> tuple[Purpose, ...]:
    if isinstance(purposes, (Purpose, str)):
        raise TypeError(f"{name}= takes a list of purposes, such as {name}=[ADVERTISING].")
    return require_purposes(tuple(purposes))


class CollectedAt:
    """Marks the field that says when a record was collected: ``collected_at: Annotated[datetime, CollectedAt]``.

    A model whose tags say ``retain=`` has exactly one, without a tag. Its value is a `datetime` (one without a time
    zone is taken for UTC) or a `date`; where it is neither, what is retained may not be read.
    """

    __slots__ = ()


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
        purposes: dict[str, Any] = {"x-purposes": [p.name for p in sorted(policy.allowed)]}
        if policy.never:
            purposes["x-purposes-never"] = [p.name for p in sorted(policy.never)]
        if policy.consent:
            purposes["x-purposes-with-consent"] = [p.name for p in sorted(policy.consent)]
        if policy.retain is not None:
            purposes["x-retained-for-seconds"] = policy.retain.total_seconds()
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
