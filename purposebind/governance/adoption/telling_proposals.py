"""How proposals are told: text for people, Markdown for a pull request, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from .markdown import code, table
from .patching import Patch
from .proposing import Proposal

__all__ = ["SUGGESTIONS"]

_KINDS: Final = {
    "tag": "Fields that look personal and carry no tag",
    "undecided": "Fields that look personal, and of which no use is known",
    "widening": "Fields that were used for more than their tags allow: tagging that is a widening",
}


def _suggested(proposals: Sequence[Proposal], nobody: Sequence[str], patch: Patch | None) -> str:
    parts: list[str] = []
    for kind, title in _KINDS.items():
        found = [one for one in proposals if one.kind == kind]
        lines = [line for one in found for line in _proposal(one)]
        if lines:
            parts.append("\n".join([f"{title}:", *lines]))
    if nobody:
        parts.append(
            "Nothing in these says whose data it is. Mark that with SubjectId, or a ledger counts no people:\n"
            f"  {', '.join(nobody)}"
        )
    if patch is not None and patch.left_out:
        parts.append("\n".join(["Not in the patch:", *(f"  {field}: {why}" for field, why in patch.left_out)]))
    return "\n\n".join(parts) or "No field looks personal and carries no tag."


def _proposal(one: Proposal) -> Iterable[str]:
    yield f"  {one.field.label}  ({_where(one)})"
    if one.reason:
        yield f"    {one.reason}"
    if one.kind != "undecided" or one.seen:
        yield f"    {_tag(one)}: {one.source}"
    for use in one.seen:
        if use.sites:
            yield f"      {use}: {', '.join(use.sites)}"
    if one.unknown:
        yield f"    left out, for the code declares no such purpose: {', '.join(one.unknown)}"


def _tag(one: Proposal) -> str:
    if one.kind == "widening":
        return f"WIDENING by {', '.join(one.added)} (was {one.field.policy})"
    return f"proposed: {one.policy}" if one.policy is not None else "to decide"


def _where(one: Proposal) -> str:
    return f"{one.field.module}:{one.field.line}" if one.field.line else one.field.module


def _suggested_markdown(proposals: Sequence[Proposal], nobody: Sequence[str], patch: Patch | None) -> str:
    parts: list[str] = []
    for kind, title in _KINDS.items():
        found = [one for one in proposals if one.kind == kind]
        if found:
            rows = [
                [code(one.field.label), code(_where(one)), one.reason, f"{_tag(one)}: {one.source}"] for one in found
            ]
            parts.append(f"### {title}\n\n{table(['Field', 'Where', 'Why', 'Proposal'], rows)}")
    if nobody:
        parts.append(f"No field says whose data it is in: {', '.join(map(code, nobody))}.")
    if patch is not None and patch.left_out:
        rows = [[code(field), why] for field, why in patch.left_out]
        parts.append(f"### Not in the patch\n\n{table(['Field', 'Why'], rows)}")
    return "\n\n".join(parts) or "No field looks personal and carries no tag."


def _suggested_json(proposals: Sequence[Proposal], nobody: Sequence[str], patch: Patch | None) -> str:
    told: dict[str, Any] = {"proposals": [_proposal_json(one) for one in proposals], "without_subject": list(nobody)}
    if patch is not None:
        told["left_out"] = [{"field": field, "why": why} for field, why in patch.left_out]
    return json.dumps(told, indent=2)


def _proposal_json(one: Proposal) -> dict[str, Any]:
    policy = one.policy
    return {
        "kind": one.kind,
        "field": one.field.label,
        "module": one.field.module,
        "line": one.field.line,
        "reason": one.reason,
        "allowed": [] if policy is None else sorted(purpose.name for purpose in policy.allowed),
        "tag": None if policy is None else str(policy),
        "was": None if one.field.policy is None else str(one.field.policy),
        "added": list(one.added),
        "source": one.source,
        "undeclared": list(one.unknown),
        "seen": [
            {"purpose": use.purpose or None, "people": use.people, "reads": use.reads, "sites": list(use.sites)}
            for use in one.seen
        ],
    }


SUGGESTIONS: Final[Mapping[str, Callable[[Sequence[Proposal], Sequence[str], Patch | None], str]]] = {
    "text": _suggested,
    "markdown": _suggested_markdown,
    "json": _suggested_json,
}
"""How proposals are told, by the name of the form: with the models that name no person, and the patch."""
