"""Other ways to write the same statement: case, quotes, escapes, comments, white space.

The database reads through all of them; whoever reads the text has to read it as the database does.
"""

from __future__ import annotations

import random
import re

from .relations import TABLES, VIEWS, Dialect

__all__ = ["disguised"]

_TOKEN = re.compile(r"""(?s)([EU]&?'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"[^"]*"|\$(\w*)\$.*?\$\2\$|\w+|\s+|.)""")
_NAMES = {c for r in (*TABLES, *VIEWS) for c in r.columns} | {r.name for r in (*TABLES, *VIEWS)}

_BLANKS: dict[Dialect, tuple[str, ...]] = {
    "sqlite": ("/**/", "/* /* */ ", "--x\n", "\t", "\n", "/* ' */", '--"\n', "\f", "/*+ id */", "/*!1*/", " "),
    "postgresql": (
        "/**/",
        "/* /* */ */",
        "--x\n",
        "\t",
        "\n",
        "/* ' */",
        '--"\n',
        "\f",
        "/*+ id */",
        "/* -- */",
        "--/*\n",
    ),
}


def disguised(sql: str, dialect: Dialect, seed: int, share: float = 0.25) -> str:
    """Return `sql`, written differently."""
    rng = random.Random(seed)
    written: list[str] = []
    before = ""
    for match in _TOKEN.finditer(sql):
        token = match[0]
        if token.isspace() and rng.random() < share:
            token = rng.choice(_BLANKS[dialect])
        elif token in _NAMES and rng.random() < share:
            token = _name(token, dialect, rng, after_dot=before == ".")
        elif token.isupper() and token.isalpha() and rng.random() < share:
            token = token.lower()
        written.append(token)
        before = match[0]
    return "".join(written)


def _name(name: str, dialect: Dialect, rng: random.Random, after_dot: bool) -> str:
    options = [name.upper(), name.title(), f'"{name}"']
    if dialect == "sqlite":
        options += [f"[{name}]", f"`{name}`", f'"{name.upper()}"']
        if after_dot:
            options.append(f"'{name}'")
    else:
        first, rest = name[0], name[1:]
        options += [
            f'U&"\\{ord(first):04x}{rest}"',
            f'U&"\\+{ord(first):06x}{rest}"',
            f"U&\"!{ord(first):04x}{rest}\" UESCAPE '!'",
        ]
    return rng.choice(options)
