"""A statement taken apart by the rules of its own database, before any parser sees it.

What this module keeps: what a comment, a literal and a name are is decided here, as PostgreSQL and SQLite decide it
(comments nest in one and not in the other, a backslash means something in ``E''`` only, ``[phone]`` is a name in
SQLite, a name ends after 63 bytes in PostgreSQL). A literal's content goes no further.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from .catalog import Dialect

__all__ = ["Kind", "Token", "Unreadable", "folded", "lex", "render", "statements"]


class Unreadable(Exception):
    """A text that cannot be weighed. Its one argument says why, in words without any value of the text."""


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    QUOTED = "quoted"
    STRING = "string"
    NUMBER = "number"
    PARAMETER = "parameter"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Token:
    """One token.

    Attributes:
        kind: What it is.
        text: A name in lower case, an operator, a small number; a literal's text is only kept in SQLite, where it may
            be a name.
        written: A name as it was written, for the parser.
        joined: Whether it follows the one before without a space.
    """

    kind: Kind
    text: str
    written: str = ""
    joined: bool = False

    @property
    def is_name(self) -> bool:
        """Whether it may name something."""
        return self.kind is Kind.WORD or self.kind is Kind.QUOTED


_LONGEST_NAME: Final = 63
_DEEPEST: Final = 200

_LETTER: Final = r"[A-Za-z_\x80-\U0010ffff]"
_REST: Final = r"[A-Za-z0-9_$\x80-\U0010ffff]"
_NUMBER: Final = r"(?P<number>0[xX][0-9a-fA-F_]+|(?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?)"
_POSTGRESQL: Final = re.compile(
    r"(?P<space>[ \t\n\r\f\v]+|--[^\n\r]*)"
    r"|(?P<comment>/\*)"
    r"|(?P<string>[eE]'(?:[^'\\]|\\.|'')*'|(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*')"
    r"|(?P<strange>[uU]&\")"
    r"|(?P<quoted>\"(?:[^\"]|\"\")+\")"
    rf"|(?P<dollar>\$(?:{_LETTER}[A-Za-z0-9_\x80-\U0010ffff]*)?\$)"
    rf"|(?P<parameter>\$\d+|%[sbt](?!{_REST})|%\([^()]*\)[sbt](?!{_REST})|(?<![:\w\]]):(?={_LETTER}){_REST}+)"
    rf"|(?P<word>{_LETTER}{_REST}*)"
    rf"|{_NUMBER}"
    r"|(?P<operator>::|:=|%%|[-+*/<>=~!@#%^&|?,.;:()\[\]])",
    re.DOTALL,
)
_SQLITE: Final = re.compile(
    r"(?P<space>[ \t\n\r\f]+|--[^\n]*|/\*.*?(?:\*/|\Z))"
    r"|(?P<string>[xX]?'(?:[^']|'')*')"
    r"|(?P<quoted>\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`|\[[^\]]*\])"
    rf"|(?P<parameter>\?\d*|[:@$#]{_REST}+(?:::{_REST}+)*(?:\([^)\s]*\))?)"
    rf"|(?P<word>{_LETTER}{_REST}*)"
    rf"|{_NUMBER}"
    r"|(?P<operator>[-+*/<>=~!%&|,.;()])",
    re.DOTALL,
)
_SMALL: Final = re.compile(r"\d{1,3}\Z")


def lex(text: str, dialect: Dialect) -> list[Token]:
    """Take a text apart.

    Raises:
        Unreadable: It holds what the database would not read, or what this module does not.
    """
    if "\0" in text:
        raise Unreadable("it holds a NUL character")
    pattern = _POSTGRESQL if dialect == "postgresql" else _SQLITE
    tokens: list[Token] = []
    position, depth, brackets, joined = 0, 0, 0, False
    while position < len(text):
        match = pattern.match(text, position)
        if match is None:
            raise Unreadable("it holds a quote that is not closed, or a character that SQL does not know")
        kind, found = match.lastgroup, match.group()
        position = match.end()
        if kind == "space":
            joined = False
            continue
        if kind == "comment":
            position, joined = _past_comment(text, match.start()), False
            continue
        if kind == "dollar":
            end = text.find(found, position)
            if end < 0:
                raise Unreadable("it holds a dollar quote that is not closed")
            position, kind = end + len(found), "string"
        elif kind == "strange":
            position, kind, found = _past_escaped_name(text, match.start())
        elif kind == "string" and found[0] in "uU" and (escape := _UESCAPE.match(text, position)):
            position = escape.end()
        elif kind == "parameter" and brackets and found[0] == ":":  # a slice: x[1:n]
            position, kind, found = match.start() + 1, "operator", ":"
        if kind == "operator":
            brackets += (found == "[") - (found == "]")
            depth += (found in "([") - (found in ")]")
            if depth > _DEEPEST:
                raise Unreadable("it is nested too deep. Write it in several statements")
        tokens.append(_token(str(kind), found, joined, dialect))
        joined = True
    return tokens


def _past_comment(text: str, start: int) -> int:
    """PostgreSQL's comments nest."""
    depth = 0
    for match in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if match.group() == "/*" else -1
        if not depth:
            return match.end()
    raise Unreadable("it holds a comment that is not closed")


_UESCAPE: Final = re.compile(r"\s*uescape\s*'([^0-9a-fA-F+'\"\s])'", re.IGNORECASE)
_ESCAPED: Final = re.compile(r'[uU]&"((?:[^"]|"")+)"')


def _past_escaped_name(text: str, start: int) -> tuple[int, str, str]:
    """Read ``U&"\\0070hone"``, with the UESCAPE that may follow: where it ends, and the name as others write it."""
    match = _ESCAPED.match(text, start)
    if match is None:
        raise Unreadable("it holds a quote that is not closed")
    escape = _UESCAPE.match(text, match.end())
    sign = re.escape(escape[1] if escape else "\\")
    broken = Unreadable("it holds a name in Unicode escapes that cannot be read. Write the name as it is")

    def character(found: re.Match[str]) -> str:
        code = found[1] or found[2]
        if code is None and found[3] is None:
            raise broken
        try:
            return chr(int(code, 16)) if code else found[3]
        except (ValueError, OverflowError):
            raise broken from None

    pattern = rf"{sign}(?:([0-9a-fA-F]{{4}})|\+([0-9a-fA-F]{{6}})|({sign})|)"
    name = re.sub(pattern, character, match[1].replace('""', '"'))
    if "\0" in name or any("\ud800" <= one <= "\udfff" for one in name):
        raise broken
    return (escape or match).end(), "quoted", '"' + name.replace('"', '""') + '"'


def _token(kind: str, found: str, joined: bool, dialect: Dialect) -> Token:
    if kind == "word":
        written = _shortened(found, dialect)
        return Token(Kind.WORD if written.isascii() else Kind.QUOTED, written.lower(), written, joined)
    if kind == "quoted":
        quote = found[-1]
        written = found[1:-1] if quote == "]" else found[1:-1].replace(quote * 2, quote)
        written = _shortened(written, dialect)
        return Token(Kind.QUOTED, written.lower(), written, joined)
    if kind == "string":
        content = found[1:-1].replace("''", "'") if dialect == "sqlite" and found[0] == "'" else ""
        return Token(Kind.STRING, content.lower(), content, joined)
    if kind == "number":
        return Token(Kind.NUMBER, found if _SMALL.match(found) else "1000", joined=joined)
    if kind == "parameter":
        return Token(Kind.PARAMETER, "?", joined=joined)
    return Token(Kind.OPERATOR, "%" if found == "%%" else found, joined=joined)


def _shortened(name: str, dialect: Dialect) -> str:
    if dialect == "sqlite" or len(name) <= _LONGEST_NAME // 4:
        return name
    return name.encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore")


def statements(tokens: list[Token]) -> list[list[Token]]:
    """Return the statements that semicolons part, without the empty ones."""
    found: list[list[Token]] = [[]]
    for token in tokens:
        if token.kind is Kind.OPERATOR and token.text == ";":
            found.append([])
        else:
            found[-1].append(token)
    return [one for one in found if one]


_BEFORE_A_NAME: Final = frozenset({"from", "join", "into", "update", "table", "as"})


def _named(tokens: list[Token]) -> list[Token]:
    """SQLite takes a literal for a name where only a name can stand."""
    kept = list(tokens)
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else None
        if token.kind is Kind.STRING and (
            _is(tokens, index + 1, ".")
            or _is(tokens, index - 1, ".")
            or (before is not None and before.kind is Kind.WORD and before.text in _BEFORE_A_NAME)
        ):
            kept[index] = Token(Kind.QUOTED, token.text, token.written)
    return kept


def render(tokens: list[Token], dialect: Dialect) -> str:
    """Write tokens for the parser: names as they are, a mark for each literal and parameter."""
    parameter = "$1" if dialect == "postgresql" else "?"
    parts: list[str] = []
    before: Token | None = None
    for token in tokens:
        operators = before is not None and before.kind is Kind.OPERATOR and token.kind is Kind.OPERATOR
        tight = (
            operators and token.joined and token.text not in "(),." and before is not None and before.text not in "(),."
        )
        parts.append(("" if tight else " ") + _written(token, parameter))
        before = token
    return "".join(parts)


def _written(token: Token, parameter: str) -> str:
    if token.kind is Kind.QUOTED:
        return '"' + token.written.replace('"', '""') + '"'
    if token.kind is Kind.STRING:
        return "'a'"
    if token.kind is Kind.PARAMETER:
        return parameter
    return token.written or token.text


def folded(tokens: list[Token], dialect: Dialect) -> list[Token]:
    """Return tokens as they are to be read.

    A run of parameters in ``IN (?, ?, ...)`` and rows of ``VALUES`` that look alike are there once: what they
    hold is not looked at, and a thousand of them take their time to parse. SQLite's literals in the place of a name
    are names.
    """
    if dialect == "sqlite" and any(one.kind is Kind.STRING for one in tokens):
        tokens = _named(tokens)
    kept: list[Token] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        kept.append(token)
        index += 1
        if token.kind is Kind.WORD and token.text == "in" and _is(tokens, index, "("):
            end = index + 1
            while end + 1 < len(tokens) and tokens[end].kind is Kind.PARAMETER and _is(tokens, end + 1, ","):
                end += 2
            if end > index + 1 and tokens[end].kind is Kind.PARAMETER:
                kept.append(tokens[index])
                index = end
        elif token.kind is Kind.WORD and token.text == "values" and _is(tokens, index, "("):
            first = _row(tokens, index)
            if first is None:
                continue
            shape = [(one.kind, one.text) for one in tokens[index:first]]
            kept.extend(tokens[index:first])
            index = first
            while _is(tokens, index, ","):
                row = tokens[index + 1 : index + 1 + len(shape)]
                if [(one.kind, one.text) for one in row] != shape:
                    break
                index += 1 + len(shape)
    return kept


def _row(tokens: list[Token], start: int) -> int | None:
    """Where a row of parameters ends, casts included: ``(?, $2::VARCHAR)``."""
    for index in range(start + 1, len(tokens)):
        token = tokens[index]
        if token.kind is Kind.OPERATOR and token.text == ")":
            return index + 1
        if token.kind not in (Kind.PARAMETER, Kind.WORD) and token.text not in (",", "::"):
            return None
        if token.kind is Kind.WORD and not _is(tokens, index - 1, "::"):
            return None
    return None


def _is(tokens: list[Token], index: int, operator: str) -> bool:
    return 0 <= index < len(tokens) and tokens[index].kind is Kind.OPERATOR and tokens[index].text == operator
