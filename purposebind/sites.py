"""Where something happened in the code, kept cheaply and shown as ``file:line``.

A site is kept as a code object and an instruction offset, which cost nothing to take; the line is worked out when
somebody asks.
"""

from __future__ import annotations

import os.path
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Final

__all__ = ["WHOLE_FUNCTION", "Site", "caller", "outside_frame", "pass_over"]

WHOLE_FUNCTION: Final = -1
"""The offset of a site that is a function, not an instruction in it; its line is where the function starts."""

_passed_over: dict[str, bool] = {}
_lines: dict[tuple[int, int], tuple[int, CodeType]] = {}
_AT_MOST: Final = 4096
"""How many lines are remembered."""
_CORE = os.path.dirname(os.path.abspath(__file__))
_libraries: list[str] = []
_bridges: list[Callable[[], FrameType | None]] = []


class Site:
    """A place in the code: ``str(site)`` is ``file:line in function``.

    Attributes:
        file: The file's path, as the code object has it.
        line: The line, counted from 1.
        function: The qualified name of the function, as far as this version of Python knows it.

    Example:
        >>> def here():
        ...     return caller(0)
        >>> here().function
        'here'
    """

    __slots__ = ("_code", "_offset", "_restored")

    def __init__(self, code: CodeType | None, offset: int, restored: tuple[str, int, str] = ("", 0, "")) -> None:
        self._code = code
        self._offset = offset
        self._restored = restored  # from another process, where the code object stayed behind

    @property
    def file(self) -> str:
        return self._restored[0] if self._code is None else self._code.co_filename

    @property
    def line(self) -> int:
        if self._code is None:
            return self._restored[1]
        if self._offset == WHOLE_FUNCTION:
            return self._code.co_firstlineno
        where = (id(self._code), self._offset)  # hashing a code object costs more than looking for the line
        known = _lines.get(where)
        if known is None:
            if len(_lines) >= _AT_MOST:
                _lines.clear()
            known = _lines[where] = (_line(self._code, self._offset), self._code)  # kept, so that its id stays its own
        return known[0]

    @property
    def function(self) -> str:
        if self._code is None:
            return self._restored[2]
        return getattr(self._code, "co_qualname", self._code.co_name)

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"

    def __repr__(self) -> str:
        return f"<Site {self}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Site) and (self.file, self.line) == (other.file, other.line)

    def __hash__(self) -> int:
        return hash((self.file, self.line))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.file, self.line, self.function)


def _line(code: CodeType, offset: int) -> int:
    for start, end, line in code.co_lines():
        if start <= offset < end and line is not None:
            return line
    return code.co_firstlineno


def _restore(file: str, line: int, function: str) -> Site:
    return Site(None, WHOLE_FUNCTION, (file, line, function))


def caller(depth: int) -> Site:
    """Return the site `depth` calls above the caller of this function, 0 being the caller itself."""
    frame = sys._getframe(depth + 1)
    return Site(frame.f_code, frame.f_lasti)


def outside_frame(frame: FrameType | None) -> FrameType | None:
    """Return the nearest frame at or above `frame` that belongs to no library that reads for others.

    These are this package's core, pydantic, and what `pass_over` was told of.
    """
    found = _outside(frame)
    if found is None:
        for bridge in _bridges:
            found = found or _outside(bridge())
    return found


def _outside(frame: FrameType | None) -> FrameType | None:
    while frame is not None:
        file = frame.f_code.co_filename
        passed_over = _passed_over.get(file)
        if passed_over is None:
            passed_over = os.path.dirname(file) == _CORE or f"{os.sep}pydantic{os.sep}" in file
            passed_over = passed_over or file.startswith(tuple(_libraries))
            _passed_over[file] = passed_over
        if not passed_over:
            return frame
        frame = frame.f_back
    return None


def pass_over(*folders: str, bridge: Callable[[], FrameType | None] | None = None) -> None:
    """Name libraries that read for their callers: a site is where they were called, and not in them.

    Args:
        folders: Those of their packages; or what the names of the code that they make begin with: ``"<sqlalchemy"``.
        bridge: Where no frame is left, returns the one to go on from, or None: a greenlet has a stack of its own.
    """
    _libraries.extend(one if one.startswith("<") else os.path.join(one, "") for one in folders)
    _passed_over.clear()
    if bridge is not None:
        _bridges.append(bridge)
