"""The lock: what code declares, as sorted TOML that a person reads in a diff.

What this module keeps:

- A lock is read whole or not at all: what it does not know is an error that says what to do, never a guess.
- The same declarations give the same text, on every machine.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from purposebind import PurposeError
from purposebind.purpose import is_purpose_name

__all__ = ["Lock", "LockError", "Model", "Tag"]

_VERSION: Final = 1
_HEADING: Final = (
    "# What this code may use personal data for. Written by `purposebind lock`: do not edit, change the tags.\n"
    "# A reviewer reads each added purpose, handover and emergency here as a change of the policy.\n\n"
)


class LockError(PurposeError):
    """A lock that cannot be read, or code whose policy cannot be written down."""


@dataclass(frozen=True, order=True)
class Tag:
    """What a tag says, by the names of purposes.

    Attributes:
        allowed: Those that it allows, in order.
        never: Those that it rules out, in order.
    """

    allowed: tuple[str, ...]
    never: tuple[str, ...] = ()

    def __str__(self) -> str:
        words = ", ".join(self.allowed) or "nothing"
        return f"{words}, never {', '.join(self.never)}" if self.never else words


@dataclass(frozen=True)
class Model:
    """A class or table, by its fields or columns.

    Attributes:
        tagged: The tags, by name.
        untagged: The names of all others, in order.
    """

    tagged: Mapping[str, Tag] = field(default_factory=dict[str, Tag])
    untagged: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lock:
    """What some packages declare.

    Attributes:
        packages: Their names.
        purposes: What each purpose means, by its name.
        models: The models that have a tag, by module and name.
        tables: The tables that have a tag, by their name in the database.
        gates: The functions under `requires_purpose`, by module and name.
        handovers: The reasons of handovers, by the names of the two purposes.
        break_glass: How often each function opens `break_glass`, by module and name.
    """

    packages: tuple[str, ...]
    purposes: Mapping[str, str] = field(default_factory=dict[str, str])
    models: Mapping[str, Model] = field(default_factory=dict[str, Model])
    tables: Mapping[str, Model] = field(default_factory=dict[str, Model])
    gates: Mapping[str, Tag] = field(default_factory=dict[str, Tag])
    handovers: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    break_glass: Mapping[str, int] = field(default_factory=dict[str, int])

    def __str__(self) -> str:
        """The lock as TOML."""
        document: dict[str, Any] = {"version": _VERSION, "packages": list(self.packages)}
        document["purposes"] = dict(sorted(self.purposes.items()))
        document["handovers"] = [
            {"from": source, "to": target, "reason": reason}
            for (source, target), reason in sorted(self.handovers.items())
        ]
        for name, models in (("models", self.models), ("tables", self.tables)):
            document[name] = {key: _of_model(model) for key, model in sorted(models.items())}
        document["gates"] = {key: _of_tag(tag) for key, tag in sorted(self.gates.items())}
        document["break_glass"] = dict(sorted(self.break_glass.items()))
        written: str = _library("tomli_w").dumps(
            {key: value for key, value in document.items() if value not in ({}, [])}
        )
        return _HEADING + written

    @staticmethod
    def parse(text: str, name: str = "purposes.lock") -> Lock:
        """Read a lock.

        Args:
            text: Its TOML.
            name: What errors call it.

        Raises:
            LockError: It is no lock, of a newer version, or names a purpose that it does not declare.
        """
        toml = _library("tomllib" if sys.version_info >= (3, 11) else "tomli")
        try:
            document = toml.loads(text)
        except toml.TOMLDecodeError as error:
            raise LockError(
                f"{name} is not TOML ({error}). It may hold the marks of a merge: solve them, or write it anew with "
                "purposebind lock."
            ) from None
        version = document.get("version")
        if not isinstance(version, int):
            raise LockError(f"{name} is no lock of purposebind: it has no version. Write one with purposebind lock.")
        if version > _VERSION:
            raise LockError(
                f"{name} is of version {version}, and this purposebind knows {_VERSION}: install the one that wrote it."
            )
        try:
            lock = _of(document)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LockError(
                f"{name} is not as purposebind lock writes it (at {error}). Write it anew with purposebind lock."
            ) from None
        _require_declared(lock, name)
        return lock


def _library(name: str) -> Any:
    """A library of the extra, which nothing else here needs."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise LockError(
            f"A lock needs {name}, which is not installed. Install it with: pip install 'purposebind[governance]'"
        ) from None


def _of(document: dict[str, Any]) -> Lock:
    return Lock(
        packages=tuple(map(_text, document["packages"])),
        purposes={_text(key): _text(value) for key, value in document.get("purposes", {}).items()},
        models={key: _model(value) for key, value in document.get("models", {}).items()},
        tables={key: _model(value) for key, value in document.get("tables", {}).items()},
        gates={key: _tag(value) for key, value in document.get("gates", {}).items()},
        handovers={
            (_text(one["from"]), _text(one["to"])): _text(one["reason"]) for one in document.get("handovers", ())
        },
        break_glass={key: int(value) for key, value in document.get("break_glass", {}).items()},
    )


def _model(value: dict[str, Any]) -> Model:
    tagged = {key: _tag(tag) for key, tag in value["tagged"].items()}
    return Model(tagged, tuple(map(_text, value.get("untagged", ()))))


def _tag(value: dict[str, Any]) -> Tag:
    return Tag(tuple(map(_text, value["allowed"])), tuple(map(_text, value.get("never", ()))))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(repr(value))
    return value


def _of_model(model: Model) -> dict[str, Any]:
    tagged = {key: _of_tag(tag) for key, tag in sorted(model.tagged.items())}
    return {"untagged": list(model.untagged), "tagged": tagged} if model.untagged else {"tagged": tagged}


def _of_tag(tag: Tag) -> dict[str, Any]:
    return {"allowed": list(tag.allowed), **({"never": list(tag.never)} if tag.never else {})}


def _require_declared(lock: Lock, name: str) -> None:
    tags = [*lock.gates.items()]
    tags += [
        (f"{PurePosixPath(key).name}.{field}", tag)
        for models in (lock.models, lock.tables)
        for key, model in models.items()
        for field, tag in model.tagged.items()
    ]
    named = [(what, purpose) for what, tag in tags for purpose in (*tag.allowed, *tag.never)]
    named += [("a handover", purpose) for pair in lock.handovers for purpose in pair]
    for what, purpose in named:
        if purpose not in lock.purposes:
            wrong = "no purpose's name" if not is_purpose_name(purpose) else "not among its purposes"
            raise LockError(
                f"{name} names {purpose!r} for {what}, which is {wrong}. Write it anew with purposebind lock."
            )
