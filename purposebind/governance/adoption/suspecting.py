"""Which fields look personal and carry no tag: by their types, their names, and sample rows. Each with its reason.

What this module keeps:

- **R7** A reason names the field, its type, or how many rows; never a value.
- The same code gives the same findings, in the same order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from purposebind.policy import Policy

from .fields import Field
from .kinds import category_of, is_sealed, names_in, nests, telling_type
from .words import meaning_of

__all__ = ["PLACEHOLDER", "PLACEHOLDER_MEANING", "Suspect", "is_placeholder", "reason_for", "suspects"]

PLACEHOLDER: Final = "unreviewed"
"""The name of the purpose of fields that nobody has decided on. No code states it: each read of such a field is a
violation, which a ledger records with the purpose that the code was running for."""
PLACEHOLDER_MEANING: Final = "Not decided: nobody has said yet what people were told"


@dataclass(frozen=True)
class Suspect:
    """A field that looks personal.

    Attributes:
        field: The field.
        reason: Why, in words.
    """

    field: Field
    reason: str


def suspects(
    fields: Iterable[Field], sampled: Mapping[tuple[str, str], str] | None = None, accepted: Collection[str] = ()
) -> list[Suspect]:
    """Return the fields that look personal and have no tag, or one for nothing but the placeholder.

    A field that a subclass declares anew takes over the tag, and is not told again.

    Args:
        fields: All fields.
        sampled: What sample rows say of fields, by the qualified name of the class and the field's name.
        accepted: The fields that somebody has looked at, such as ``"Account.handle"``.
    """
    found: list[Suspect] = []
    for field in fields:
        if (field.policy is not None and not is_placeholder(field.policy)) or field.label in accepted:
            continue
        reason = reason_for(field) or (sampled or {}).get((f"{field.module}.{field.owner.__qualname__}", field.name))
        if field.policy is not None:
            found.append(Suspect(field, f"its tag says {PLACEHOLDER}, which is no decision"))
        elif reason and not field.settled and not is_sealed(field.annotation):
            found.append(Suspect(field, reason))
    told = {(one.field.owner, one.field.name) for one in found}
    return [one for one in found if not any((base, one.field.name) in told for base in one.field.owner.__mro__[1:])]


def reason_for(field: Field) -> str:
    """Return why a field looks personal, by its type and name; empty where it does not."""
    if nests(field.annotation):
        return ""
    type_ = telling_type(field.annotation, field.metadata)
    if type_ is not None:
        name, what = type_
        return f"{what}: its type is {name}"
    category = category_of(field.annotation)
    model = field.owner.__name__
    for name in (field.name, *field.aliases):
        meaning = meaning_of(name, category, model)
        if meaning is not None:
            also = "" if name == field.name else f", as {name}"
            return f"{meaning.what}: it is called {meaning.words}{also}"
    for name in names_in(field.annotation):
        meaning = meaning_of(name, category)
        if meaning is not None:
            return f"{meaning.what}: its type is called {name}"
    return ""


def is_placeholder(policy: Policy) -> bool:
    """Return whether a tag allows nothing but what was not decided."""
    return {purpose.name for purpose in policy.allowed} == {PLACEHOLDER}
