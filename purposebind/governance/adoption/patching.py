"""Proposals as a patch: a unified diff of the packages' own text, for ``git apply`` or ``patch -p1``.

What this module keeps:

- Nothing is changed: a patch is read by a person, who changes it, and applies it.
- **R8** A widening is in the patch only where it was asked for, and is called one in the line above it.
- What cannot be patched is told, with the reason; it is never left out without a word.
"""

from __future__ import annotations

import ast
import difflib
import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from pydantic import BaseModel

from purposebind import Purpose, PurposeModel
from purposebind.describing import field_tags
from purposebind.governance.lock import LockError
from purposebind.policy import Policy

from .bases import broken_by, with_base
from .fields import Field
from .proposing import Proposal
from .spelling import Speller, Spelling, binds, imported_as
from .suspecting import PLACEHOLDER, PLACEHOLDER_MEANING

__all__ = ["Patch", "patch_of"]

_NAME: Final = PLACEHOLDER.upper()
_NOT_DECIDED: Final = (
    "# Of fields that nobody has decided on. No code is run for this: each read of one is a violation.\n"
)
_KEEP: Final = "Keep what people were told, and take this comment away."


@dataclass(frozen=True)
class Patch:
    """A patch, and what is not in it.

    Attributes:
        text: The unified diff; empty where there is nothing to change.
        fields: How many fields it tags.
        left_out: The fields that it does not tag, and why.
    """

    text: str
    fields: int
    left_out: tuple[tuple[str, str], ...]


def patch_of(
    proposals: Iterable[Proposal], modules: Sequence[ModuleType], folder: Path, *, widen: bool = False
) -> Patch:
    """Return the proposals as a patch, to be applied in a folder.

    Args:
        proposals: What to propose.
        modules: The modules of the packages.
        folder: Where the patch is to be applied.
        widen: Also let tags that are there allow more.

    Raises:
        LockError: libcst is not installed.
    """
    speller = Speller(modules)
    bases: dict[Any, tuple[Any, ...]] = {}
    parts: list[str] = []
    left_out: list[tuple[str, str]] = []
    done = 0
    for module in sorted(modules, key=lambda one: one.__name__):
        of_module = [one for one in proposals if one.field.module == module.__name__]
        wanted = [one for one in of_module if (widen or one.kind != "widening") and not _stays(one)]
        if wanted:
            diff, tagged, refused = _Patching(module, folder, speller, bases).patched(wanted)
            parts.append(diff)
            done += tagged
            left_out += refused
    return Patch("".join(filter(None, parts)), done, tuple(left_out))


class _Patching:
    """Patches one module.

    Args:
        module: The module.
        folder: Where the patch is to be applied.
        speller: Knows the names of purposes.
        bases: The bases of classes that are changed, in the modules before this one too.
    """

    def __init__(self, module: ModuleType, folder: Path, speller: Speller, bases: dict[Any, tuple[Any, ...]]) -> None:
        try:
            from . import editing
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "libcst":
                raise
            raise LockError(
                "A patch needs libcst, which is not installed. Install it with: pip install 'purposebind[governance]'"
            ) from None
        self._editing = editing
        self._module = module
        self._folder = folder
        self._speller = speller
        self._plan = editing.Plan()
        self._bases = bases
        self._missing = ""

    def patched(self, proposals: Sequence[Proposal]) -> tuple[str, int, list[tuple[str, str]]]:
        """Return the diff, how many fields it tags, and what was left out."""
        left_out: list[tuple[str, str]] = []
        path = self._path()
        planned: list[Proposal] = []
        for one in proposals:
            reason = "its text is not in this folder" if path is None else self._planned(one)
            if reason:
                left_out.append((one.field.label, reason))
            else:
                planned.append(one)
        if path is None or not planned:
            return "", 0, left_out
        try:
            before, after, done = self._editing.edited(
                path.read_bytes(), self._plan, self._editing.resolver(vars(self._module))
            )
            ast.parse(after)
        except (OSError, UnicodeDecodeError, self._editing.Unreadable) as error:
            return "", 0, [*left_out, *((one.field.label, f"its text: {_told(error)}") for one in planned)]
        left_out += [
            (one.field.label, "its annotation is not written as this command can change it")
            for one in planned
            if (one.field.owner.__qualname__, one.field.name) not in done
        ]
        return _diff(before, after, path.relative_to(self._folder).as_posix()), len(done), left_out

    def _path(self) -> Path | None:
        file = getattr(self._module, "__file__", None)
        path = Path(file).resolve() if file else None
        return path if path and path.suffix == ".py" and path.is_relative_to(self._folder) else None

    def _planned(self, proposal: Proposal) -> str:
        """Put a proposal into the plan, or return why not."""
        field = proposal.field
        reason = _no_place(field)
        if reason:
            return reason
        anew = field.policy is not None
        reason = _contradicted(proposal)
        if reason:
            return reason
        base = None if anew else self._base(field)
        if isinstance(base, str):
            return base
        tag = self._tag(proposal.policy, field)
        if not tag:
            return f"no name for {self._missing} can be imported there"
        place = field.owner.__qualname__, field.name
        mapped = field.kind == "table"
        self._plan.edits[place] = self._editing.Edit(
            tag, _comment(proposal, self._editing.TODO), mapped and not anew, anew
        )
        if not anew:
            self._plan.annotated = self._import("typing", "Annotated", field.line)
        if base is not None:
            module, name, replaces = base
            self._bases[field.owner] = with_base(field.owner, _object(module, name), replaces)
            self._plan.bases[field.owner.__qualname__] = (self._import(module, name, field.line), replaces)
        if mapped and not anew:
            self._plan.imports.append(Spelling("", "purposebind.integrations.sqlalchemy"))
        return ""

    def _base(self, field: Field) -> tuple[str, str, Any] | str | None:
        """The base that a field's class needs, and which it takes the place of; why there is none; None: it has it."""
        if field.kind == "table":
            return None
        owner = field.owner
        if issubclass(owner, PurposeModel) or any(base in self._bases for base in owner.__mro__):
            return None
        if field.kind != "sqlmodel":
            broken = broken_by({**self._bases, owner: with_base(owner, PurposeModel, BaseModel)})
            if broken:
                return (
                    f"with PurposeModel as its base the bases of {broken} have no order: name PurposeModel last there"
                )
            return "purposebind", "PurposeModel", BaseModel
        from sqlmodel import SQLModel

        if SQLModel not in owner.__bases__:
            return "its class inherits from one of SQLModel that is elsewhere: have that inherit from PurposeSQLModel"
        return "purposebind.integrations.sqlmodel", "PurposeSQLModel", SQLModel

    def _tag(self, policy: Policy | None, field: Field) -> str:
        """The tag as it is written in the module; empty where a purpose in it cannot be."""
        line = field.line if field.policy is None else field.line + 1
        allowed_for = self._import("purposebind", "AllowedFor", line)
        if policy is None:
            return f"{allowed_for}({self._placeholder(line)})"
        parts: list[str] = []
        for name, purposes in (("", policy.unconditional), ("with_consent", policy.consent), ("never", policy.never)):
            spelled = [self._spelled(one, line) for one in sorted(purposes)]
            if "" in spelled:
                return ""
            if spelled:
                parts.append(f"{name}=[{', '.join(spelled)}]" if name else ", ".join(spelled))
        if policy.retain is not None:
            parts.append(f"retain={self._time(policy.retain, line)}")
        return f"{allowed_for}({', '.join(parts)})"

    def _time(self, time: timedelta, line: int) -> str:
        made = self._import("datetime", "timedelta", line)
        if time == timedelta(days=time.days):
            return f"{made}(days={time.days})"
        return f"{made}(seconds={time.total_seconds():g})"

    def _spelled(self, purpose: Purpose, line: int) -> str:
        found = self._speller.spelled(purpose, self._module, line)
        if found is None:
            self._missing = purpose.name
            return ""
        if found.module:
            self._plan.imports.append(found)
        return found.text

    def _placeholder(self, line: int) -> str:
        known = next((one for one in Purpose.declared() if one.name == PLACEHOLDER), None)
        found = None if known is None else self._speller.spelled(known, self._module, line)
        if found is not None:
            if found.module:
                self._plan.imports.append(found)
            return found.text
        name = _NAME if _NAME not in vars(self._module) else f"_{_NAME}"
        meaning = PLACEHOLDER_MEANING if known is None else known.description
        made = self._import("purposebind", "Purpose", line)
        self._plan.declared = f"{_NOT_DECIDED}{name} = {made}({_quoted(PLACEHOLDER)}, {_quoted(meaning)})\n"
        return name

    def _import(self, module: str, name: str, line: int) -> str:
        """The name by which something is known in the module, with an import where it is not bound there."""
        held = vars(self._module).get(name)
        if held is not None and held is _object(module, name) and binds(self._module, name, line):
            return name
        __import__(module)
        found = imported_as(name, module, self._module)
        self._plan.imports.append(found)
        return found.text


def _stays(proposal: Proposal) -> bool:
    """Whether a field has the placeholder already, and nothing more is known of it."""
    return proposal.kind == "undecided" and proposal.field.policy is not None


def _no_place(field: Field) -> str:
    if "<locals>" in field.owner.__qualname__ or not field.line:
        return "its class is not written at the top of a module"
    if field.kind == "dataclass":
        return "a tag in a dataclass protects nothing: make it a PurposeModel, or the field a Sealed[...]"
    if field.kind == "root":
        return "it is the root of a model: inherit from PurposeRootModel, and tag the root"
    if field.key:
        return "it is a key, which SQLAlchemy has to read: keep what is personal in a column beside it"
    if field.kind == "table" and importlib.util.find_spec("sqlglot") is None:
        return "tags of tables need an extra: pip install 'purposebind[sqlalchemy]'"
    return ""


def _contradicted(proposal: Proposal) -> str:
    """Why a tag could not stand: a class above says less, or one below more (R8)."""
    field, policy = proposal.field, proposal.policy
    for base in field.owner.__mro__[1:]:
        above = field_tags(base).get(field.name)
        if above is not None and policy is not None and policy.allows_more_than(above):
            return f"{base.__name__}, which its class inherits from, allows less ({above})"
    waiting = list(field.owner.__subclasses__())
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        below = field_tags(cls).get(field.name)
        if below is not None and below is not field.policy and (policy is None or below.allows_more_than(policy)):
            return f"{cls.__name__}, which inherits from its class, has a tag that allows more ({below})"
    return ""


def _object(module: str, name: str) -> Any:
    return getattr(__import__(module, fromlist=[name]), name, None)


def _comment(proposal: Proposal, todo: str) -> str:
    if proposal.kind == "undecided":
        return f"{todo} So far {proposal.source}." if proposal.seen else todo
    if proposal.kind == "widening":
        added = ", ".join(proposal.added)
        return f"WIDENING by {added}: {proposal.source}. Were people told? {_KEEP}"
    return f"Suggested: {proposal.source}. {_KEEP}"


def _diff(before: str, after: str, name: str) -> str:
    old, new = (_lines(text) for text in (before, after))
    tail = "\t\n" if " " in name else "\n"  # as git writes a name with a space
    made = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
    return "".join(_ended(line, tail) for line in made)


def _lines(text: str) -> list[str]:
    """The lines, with their ends: none but line feeds end one, to patch and to git."""
    lines = text.split("\n")
    return [*(f"{line}\n" for line in lines[:-1]), *([lines[-1]] if lines[-1] else [])]


def _ended(line: str, tail: str) -> str:
    if line.startswith(("--- a/", "+++ b/")) and line.endswith("\n"):
        return f"{line[:-1]}{tail}"
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _quoted(text: str) -> str:
    """Text in double quotes, as most write it."""
    return f'"{text}"' if text.isprintable() and not set(text) & {'"', "\\"} else repr(text)


def _told(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
