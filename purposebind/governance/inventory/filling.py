"""What code cannot tell and people write down: who is responsible, whose data it is, who receives it.

It stands in a TOML file. What is missing there is shown as to be filled in, and never made up.

What this module keeps:

- The file is read whole or not at all. A name in it that the code does not have is an error: it would be lost.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from purposebind import PurposeError

__all__ = ["BASES", "Basis", "Filled", "InventoryError", "Party", "PurposeTold", "filled", "library"]

Basis = Literal["consent", "contract", "legal obligation", "vital interests", "public interest", "legitimate interests"]
"""The legal bases of GDPR article 6(1)."""
BASES: Final = ("consent", "contract", "legal obligation", "vital interests", "public interest", "legitimate interests")

_BY_NAME: Final = {
    "purposes": '[purposes."security.two_factor"]',
    "data_subjects": "\"billing.payer\" = 'customers'",
    "data_categories": "\"Account.phone\" = 'contact data'",
}
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_STRICT: Final = ConfigDict(extra="forbid", frozen=True)


class InventoryError(PurposeError):
    """A record of processing that cannot be written."""


class Party(BaseModel):
    """Who somebody is, and how to reach them.

    Attributes:
        name: The name.
        contact: An address, a telephone number, an e-mail address: what there is.
    """

    model_config = _STRICT

    name: _Text
    contact: _Text | None = None


class PurposeTold(BaseModel):
    """What people say of the processing for one purpose; None: nothing yet.

    Attributes:
        legal_basis: Why it is lawful, where the tags do not ask for consent.
        recipients: Who receives the data; an empty list: nobody.
        transfers: Third countries and international organisations that it goes to, with the safeguards; an empty list:
            none.
        time_limits: When the data is erased, where the tags do not say.
    """

    model_config = _STRICT

    legal_basis: Basis | None = None
    recipients: tuple[_Text, ...] | None = None
    transfers: tuple[_Text, ...] | None = None
    time_limits: _Text | None = None


class Filled(BaseModel):
    """What the file says.

    Attributes:
        namespace: The IRI under which the record's own concepts are in JSON-LD; ends with ``/``, ``#`` or ``:``.
        controller: Who is responsible.
        joint_controllers: With whom.
        representative: Who represents them in the Union.
        data_protection_officer: Whom to ask.
        data_subjects: Whose data a model holds, by the model: ``Account = "customers"``.
        data_categories: What kind of data a field is, by the field: ``"Account.phone" = "user.contact.phone_number"``.
        purposes: The rest, by purpose.
        security_measures: What protects the data, beside what this library does.
    """

    model_config = _STRICT

    namespace: Annotated[str, StringConstraints(pattern=r"^https?://[^\s<>\"{}|\\^`]+[/#:]$")] | None = None
    controller: Party | None = None
    joint_controllers: tuple[Party, ...] = ()
    representative: Party | None = None
    data_protection_officer: Party | None = None
    data_subjects: dict[str, _Text] = Field(default_factory=dict)
    data_categories: dict[str, _Text] = Field(default_factory=dict)
    purposes: dict[str, PurposeTold] = Field(default_factory=dict)
    security_measures: tuple[_Text, ...] = ()

    def require_known(self, name: str, purposes: Iterable[str], models: Iterable[str], fields: Iterable[str]) -> None:
        """Refuse names that the code does not have.

        Args:
            name: What errors call the file.
            purposes: The names of the purposes.
            models: Those of the models and classes.
            fields: Those of the fields.

        Raises:
            InventoryError: One is not among them; the message suggests the nearest.
        """
        for table, given, known, what in (
            ("purposes", self.purposes, set(purposes), "purpose is declared"),
            ("data_subjects", self.data_subjects, set(models), "model with a tagged field is"),
            ("data_categories", self.data_categories, set(fields), "tagged field is"),
        ):
            for one in given:
                if one not in known:
                    near = difflib.get_close_matches(one, sorted(known), 1, 0.5)
                    hint = f" Did you mean {near[0]!r}?" if near else " Take it out, or name the package that has it."
                    raise InventoryError(f"{name}, [{table}]: no {what} called {one!r}.{hint}")


def filled(text: str, name: str) -> Filled:
    """Read the file.

    Args:
        text: Its TOML.
        name: What errors call it.

    Raises:
        InventoryError: It is no TOML, has a key that is none, or a value of another kind.
    """
    toml = library("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        document: Any = toml.loads(text)
    except toml.TOMLDecodeError as error:
        raise InventoryError(f"{name} is not TOML ({error}). Mend it there.") from None
    try:
        return Filled.model_validate(document)
    except ValidationError as error:
        raise InventoryError(f"{name}, at {_told(error)}") from None


def library(name: str) -> Any:
    """Return a library of the extra ``governance``, which nothing else here needs.

    Raises:
        InventoryError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise InventoryError(
            f"This needs {name}, which is not installed. Install it with: pip install 'purposebind[governance]'"
        ) from None


def _told(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    place = [str(part) for part in first["loc"]]
    if len(place) > 1 and place[0] in _BY_NAME and isinstance(first["input"], dict):  # TOML takes a dot for a table
        return f"{'.'.join(place)}: a name with a dot in it stands in quotes, such as {_BY_NAME[place[0]]}."
    if first["type"] == "extra_forbidden":
        model: Any = {"purposes": PurposeTold}.get(place[0], Party) if len(place) > 1 else Filled
        known = sorted(model.model_fields)
        near = difflib.get_close_matches(place[-1], known, 1, 0.6)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
        return f"{'.'.join(place)}: there is no such key; {hint}"
    if first["type"] == "literal_error":
        return f"{'.'.join(place)}: {first['input']!r} is no legal basis of GDPR article 6(1): {', '.join(BASES)}."
    if first["type"] == "string_pattern_mismatch":
        return f"{'.'.join(place)}: {first['input']!r} is no IRI that ends with / or #, such as https://example.org/privacy#"
    return f"{'.'.join(place)}: {first['msg'][:1].lower()}{first['msg'][1:]}."
