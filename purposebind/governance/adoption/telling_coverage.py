"""How coverage is told: text for people, Markdown for a pull request, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from .covering import Coverage, Share, tenths
from .markdown import code, table

__all__ = ["COVERAGES"]

_SHARES: Final = {
    "fields": "with a tag, of those that have one or look personal",
    "routes": "with a purpose, of all",
    "tasks": "with a purpose, of all",
    "functions": "with a purpose, their own or a caller's, of those with tagged data in their types",
}


def _covered(coverage: Coverage) -> str:
    lines = [f"{one.kind:<10}{_share(one)}" for one in coverage.shares]
    parts = ["\n".join(lines)]
    parts += [
        "\n".join([f"{_MISSING[one.kind]}:", *(f"  {name}  ({where})" for name, where in one.missing)])
        for one in coverage.shares
        if one.missing
    ]
    if coverage.untold:
        parts.append("\n".join(["Their types cannot be told:", *(f"  {name}" for name in coverage.untold)]))
    return "\n\n".join(parts)


_MISSING: Final = {
    "fields": "Fields without a tag",
    "routes": "Routes without a purpose",
    "tasks": "Tasks without a purpose",
    "functions": "Functions without a purpose, their own or a caller's",
}


def _share(one: Share) -> str:
    if one.percent is None:
        return "  none"
    return f"{tenths(one.percent):>6} %  {one.covered:,} of {one.total:,} {_SHARES[one.kind]}"


def _covered_markdown(coverage: Coverage) -> str:
    rows = [
        [
            one.kind,
            f"{tenths(one.percent)} %" if one.percent is not None else "none",
            f"{one.covered:,}",
            f"{one.total:,}",
        ]
        for one in coverage.shares
    ]
    parts = [table(["What", "Share", "With", "Of"], rows)]
    for one in coverage.shares:
        if one.missing:
            listed = table(["What", "Where"], [[code(name), code(where)] for name, where in one.missing])
            parts.append(f"### {_MISSING[one.kind]}\n\n{listed}")
    return "\n\n".join(parts)


def _covered_json(coverage: Coverage) -> str:
    told = {
        one.kind: {
            "covered": one.covered,
            "total": one.total,
            "percent": None if one.percent is None else float(tenths(one.percent)),
            "missing": [{"name": name, "where": where} for name, where in one.missing],
        }
        for one in coverage.shares
    }
    return json.dumps({**told, "untold": list(coverage.untold)}, indent=2)


COVERAGES: Final[Mapping[str, Callable[[Coverage], str]]] = {
    "text": _covered,
    "markdown": _covered_markdown,
    "json": _covered_json,
}
"""How coverage is told, by the name of the form."""
