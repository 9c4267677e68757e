"""The record as a manifest of fides: resources of fideslang, in YAML.

What this module keeps:

- A purpose that names no data use becomes one of its own: below the one that its ancestor names, or else below
  ``purposebind``. A key of the default taxonomy is never declared anew.
- What nobody has said is left out: a data category that is not known is ``user``, the root of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from purposebind import Purpose
from purposebind.policy import duration

from .filling import Basis, library
from .happening import Usage
from .parts import Part, parts
from .record import Line, Record, owner
from .rows import status
from .sound import sound
from .vocabularies import DATA_SUBJECTS, DATA_USES

__all__ = ["to_fides"]

_ROOT: Final = "purposebind"
_CATEGORY: Final = "user"
_IS_CATEGORY: Final = re.compile(r"(user|system)(\.[a-z][a-z0-9_]*)*")
_NO_KEY: Final = re.compile(r"[^a-zA-Z0-9_.<>-]+")
_HEADING: Final = (
    "# Written by `purposebind inventory` from the tags that the code enforces: change these, not this file.\n"
)
_BASES: Final[dict[Basis, str]] = {
    "consent": "Consent",
    "contract": "Contract",
    "legal obligation": "Legal obligations",
    "vital interests": "Vital interests",
    "public interest": "Public interest",
    "legitimate interests": "Legitimate interests",
}
_Node = dict[str, Any]


def to_fides(record: Record) -> str:
    """Return the record as a manifest of fides.

    Raises:
        InventoryError: PyYAML is not installed.
    """
    yaml = library("yaml")
    purposes = [activity.purpose for activity in record.activities if activity.purpose is not None]
    manifest = {
        "data_use": list(_data_uses(purposes)),
        "data_subject": list(_data_subjects(record)),
        "dataset": list(_datasets(record)),
        "system": [_system(record)],
    }
    written: str = yaml.safe_dump(
        sound({key: value for key, value in manifest.items() if value}), sort_keys=False, allow_unicode=True, width=120
    )
    return _HEADING + written


# --- What it is for --------------------------------------------------------------------------------------------------


def _keys(purpose: Purpose) -> tuple[str, ...]:
    """The data uses that a purpose is."""
    if purpose.identifiers.fides:
        return purpose.identifiers.fides
    parent = purpose.parent
    if parent is None:
        return (f"{_ROOT}.{purpose.name}",)
    if parent.identifiers.fides:  # by its whole name, which no default taxonomy has
        return (f"{parent.identifiers.fides[0]}.{purpose.name.replace('.', '-')}",)
    return (f"{_keys(parent)[0]}.{purpose.name.rpartition('.')[2]}",)


def _data_uses(purposes: Iterable[Purpose]) -> Iterator[_Node]:
    """Those that the default taxonomy does not have, each after the one that it is below."""
    described = {key: purpose for purpose in purposes for key in _keys(purpose)}
    needed = {
        ".".join(parts_[: length + 1])
        for parts_ in (key.split(".") for key in described)
        for length in range(len(parts_))
    }
    for key in sorted(needed - DATA_USES):
        purpose, parent = described.get(key), key.rpartition(".")[0]
        found: _Node = {"fides_key": key, "name": purpose.name if purpose is not None else key}
        if purpose is not None:
            found["description"] = purpose.description
        elif key == _ROOT:
            found["description"] = "Purposes that the code declares, and that name no data use of fideslang"
        yield {**found, "parent_key": parent} if parent else found


# --- Whose data, and what --------------------------------------------------------------------------------------------


def _subjects(record: Record, lines: Iterable[Line]) -> list[str]:
    told = record.filled.data_subjects
    return sorted({_key(told[one]) for one in {owner(line.field) for line in lines} if one in told})


def _data_subjects(record: Record) -> Iterator[_Node]:
    """Those that the default taxonomy does not have."""
    for name in sorted(set(record.filled.data_subjects.values())):
        if _key(name) not in DATA_SUBJECTS:
            yield {"fides_key": _key(name), "name": name}


def _key(text: str) -> str:
    return _NO_KEY.sub("_", text.strip()).strip("_") or "_"


def _category(record: Record, line: Line) -> str:
    told = record.filled.data_categories.get(line.field, "")
    return told if _IS_CATEGORY.fullmatch(told) else _CATEGORY


def _datasets(record: Record) -> Iterator[_Node]:
    collections: dict[tuple[str, str], dict[str, _Node]] = {}
    for activity in record.activities:
        assert activity.purpose is not None or not activity.data
        for line in activity.data:
            if not owner(line.field):
                continue  # a function is no part of a dataset
            fields = collections.setdefault((line.where, owner(line.field)), {})
            name = line.field.rpartition(".")[2]
            field = fields.setdefault(
                name, {"name": name, "data_categories": [_category(record, line)], "data_uses": []}
            )
            assert activity.purpose is not None
            field["data_uses"] = sorted({*field["data_uses"], *_keys(activity.purpose)})
    several = [model for _, model in collections]
    if collections:
        yield {
            "fides_key": _system_key(record),
            "name": ", ".join(record.packages),
            "description": "The tagged fields of the code's models and tables",
            "collections": [
                {"name": _collection(where, model, several), "fields": [fields[name] for name in sorted(fields)]}
                for (where, model), fields in sorted(collections.items())
            ],
        }


def _collection(where: str, model: str, several: list[str]) -> str:
    """A model's name; with its module where there are several of it. In a key a dot means something else."""
    return _key(model if several.count(model) == 1 else f"{where}-{model}").replace(".", "-")


# --- The system ------------------------------------------------------------------------------------------------------


def _system_key(record: Record) -> str:
    return _key("-".join(record.packages))


def _system(record: Record) -> _Node:
    filled = record.filled
    found: _Node = {"fides_key": _system_key(record), "name": ", ".join(record.packages), "system_type": "Service"}
    if filled.controller is not None:
        found["legal_name"] = filled.controller.name
        if filled.controller.contact is not None:
            found["legal_address"] = filled.controller.contact
    if filled.data_protection_officer is not None:
        officer = filled.data_protection_officer
        found["dpo"] = ", ".join(filter(None, (officer.name, officer.contact)))
    if filled.joint_controllers:
        found["joint_controller_info"] = "; ".join(
            ", ".join(filter(None, (one.name, one.contact))) for one in filled.joint_controllers
        )
    if any(one.told.transfers for one in record.activities):
        found["does_international_transfers"] = True
    found["data_security_practices"] = " ".join(record.measures())
    found["privacy_declarations"] = [
        declaration
        for activity in record.activities
        for part in parts(activity)
        for declaration in _declarations(record, part)
    ]
    if any(owner(line.field) for one in record.activities for line in one.data):
        found["dataset_references"] = [_system_key(record)]
    meta = dict(_meta(record))
    return {**found, "meta": {"purposebind": meta}} if meta else found


def _declarations(record: Record, part: Part) -> Iterator[_Node]:
    told, purpose = part.activity.told, part.activity.purpose
    assert purpose is not None
    for use in _keys(purpose):
        found: _Node = {
            "name": part.name,
            "data_use": use,
            "data_categories": sorted({_category(record, line) for line in part.lines}),
            "data_subjects": _subjects(record, part.lines),
        }
        if part.basis is not None:
            found["legal_basis_for_processing"] = _BASES[part.basis]
            found["flexible_legal_basis_for_processing"] = False
        kept = _kept(part)
        if kept:
            found["retention_period"] = kept
        if told.recipients:
            found["data_shared_with_third_parties"] = True
            found["third_parties"] = "; ".join(told.recipients)
        yield found


def _kept(part: Part) -> str:
    times = {line.retain for line in part.lines}
    if len(times) == 1 and None not in times:
        return " ".join(duration(time) for time in times if time is not None)
    each = [f"{line.field}: {duration(line.retain)}" for line in part.lines if line.retain is not None]
    return "; ".join([*each, *([part.activity.told.time_limits] if part.activity.told.time_limits else [])])


def _meta(record: Record) -> Iterator[tuple[str, _Node]]:
    """What fideslang has no place for, by purpose."""
    for activity in record.activities:
        found: _Node = {}
        if activity.purpose is not None:
            called = activity.purpose.identifiers
            found |= {"dpv": list(called.dpv)} if called.dpv else {}
            found |= {"iab_tcf": list(called.iab)} if called.iab else {}
        if activity.handovers:
            found["handed_over_to"] = dict(activity.handovers)
        happened = {line.field: _happened(line, line.usage) for line in activity.lines if line.usage is not None}
        if happened:
            found["happened"] = happened
        if found:
            yield activity.name or "(none)", found


def _happened(line: Line, usage: Usage) -> _Node:
    found: _Node = {"status": status(line)}
    for word, count in (
        ("allowed", usage.allowed),
        ("observed", usage.observed),
        ("break_glass", usage.emergency),
        ("denied", usage.denied),
    ):
        if count.reads:
            found[word] = {"reads": count.reads, "people": count.people}
    if usage.first is not None and usage.last is not None:
        found["first"], found["last"] = usage.first.isoformat(), usage.last.isoformat()
    return found
