"""The lock: what code declares, as sorted TOML that a person reads in a diff.

What this module keeps:

- A lock is read whole or not at all: what it does not know is an error that says what to do, never a guess.
- The same declarations give the same text, on every machine.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any, Final

from purposebind import PurposeError
from purposebind.policy import Policy, duration
from purposebind.purpose import is_purpose_name

__all__ = ["Lock", "LockError", "Model", "Tag"]

_VERSION: Final = 1
_COUNTS: Final = ("break_glass", "observing", "late_handovers")
_TIME: Final = re.compile(r"(?:(\d+) days?)?(?:(?:^|, )(\d+):(\d\d):(\d\d(?:\.\d+)?))?")
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
        allowed: Those that it allows, with or without consent, in order.
        never: Those that it rules out, in order.
        consent: Those for which the data subject has to consent, in order.
        retain: How long after its collection it may be read; empty where that is not said.
    """

    allowed: tuple[str, ...]
    never: tuple[str, ...] = ()
    consent: tuple[str, ...] = ()
    retain: str = ""

    def __str__(self) -> str:
        free = [one for one in self.allowed if not any(f"{one}.".startswith(f"{asked}.") for asked in self.consent)]
        parts = [", ".join(free) or ("" if self.consent else "nothing")]
        for words, purposes in (("with consent", self.consent), ("never", self.never)):
            parts += [f"{words} {', '.join(purposes)}"] if purposes else []
        parts += [f"for {self.retain}"] if self.retain else []
        return ", ".join(part for part in parts if part)

    @staticmethod
    def of(policy: Policy) -> Tag:
        """Return what a policy says as a tag."""
        allowed, never, consent = (
            tuple(sorted(one.name for one in part)) for part in (policy.allowed, policy.never, policy.consent)
        )
        return Tag(allowed, never, consent, "" if policy.retain is None else duration(policy.retain))

    @property
    def time(self) -> timedelta | None:
        """How long it may be read, or None where that is not said."""
        return _time(self.retain) if self.retain else None


@dataclass(frozen=True)
class Model:
    """A class or table, by its fields or columns.

    Attributes:
        tagged: The tags, by name.
        untagged: The names of all others, in order.
        collected: The names of those columns of a table that keep what others were collected for.
    """

    tagged: Mapping[str, Tag] = field(default_factory=dict[str, Tag])
    untagged: tuple[str, ...] = ()
    collected: tuple[str, ...] = ()


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
        observing: How often each function may turn to observe mode, by module and name; and the models that only
            observe.
        late_handovers: How often each function declares a handover that is not known before it runs.
        plain: The fields of classes and tables without a tag, where they are known. They are not written: they only
            tell that what had tags has lost them all.
    """

    packages: tuple[str, ...]
    purposes: Mapping[str, str] = field(default_factory=dict[str, str])
    models: Mapping[str, Model] = field(default_factory=dict[str, Model])
    tables: Mapping[str, Model] = field(default_factory=dict[str, Model])
    gates: Mapping[str, Tag] = field(default_factory=dict[str, Tag])
    handovers: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    break_glass: Mapping[str, int] = field(default_factory=dict[str, int])
    observing: Mapping[str, int] = field(default_factory=dict[str, int])
    late_handovers: Mapping[str, int] = field(default_factory=dict[str, int])
    plain: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, "tuple[str, ...]"], compare=False)

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
        for name in _COUNTS:
            document[name] = dict(sorted(getattr(self, name).items()))
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
    _require_known(
        document,
        {"version", "packages", "purposes", "models", "tables", "gates", "handovers", *_COUNTS},
    )
    return Lock(
        packages=tuple(map(_text, document["packages"])),
        purposes={_text(key): _text(value) for key, value in document.get("purposes", {}).items()},
        models={key: _model(value) for key, value in document.get("models", {}).items()},
        tables={key: _model(value) for key, value in document.get("tables", {}).items()},
        gates={key: _tag(value) for key, value in document.get("gates", {}).items()},
        handovers={
            (_text(one["from"]), _text(one["to"])): _text(one["reason"]) for one in document.get("handovers", ())
        },
        break_glass=_counts(document.get("break_glass", {})),
        observing=_counts(document.get("observing", {})),
        late_handovers=_counts(document.get("late_handovers", {})),
    )


def _counts(value: dict[str, Any]) -> dict[str, int]:
    return {key: int(number) for key, number in value.items()}


def _model(value: dict[str, Any]) -> Model:
    _require_known(value, {"tagged", "untagged", "collected"})
    tagged = {key: _tag(tag) for key, tag in value["tagged"].items()}
    untagged, collected = (tuple(map(_text, value.get(key, ()))) for key in ("untagged", "collected"))
    return Model(tagged, untagged, collected)


def _tag(value: dict[str, Any]) -> Tag:
    _require_known(value, {"allowed", "never", "with_consent", "retain"})
    lists = (value.get(key, ()) for key in ("never", "with_consent"))
    never, consent = (tuple(map(_text, one)) for one in lists)
    tag = Tag(tuple(map(_text, value["allowed"])), never, consent, _text(value.get("retain", "")))
    tag.time  # noqa: B018  # or it is written as no time is
    return tag


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(repr(value))
    return value


def _of_model(model: Model) -> dict[str, Any]:
    tagged = {key: _of_tag(tag) for key, tag in sorted(model.tagged.items())}
    lists = {"untagged": list(model.untagged), "collected": list(model.collected)}
    return {**{key: names for key, names in lists.items() if names}, "tagged": tagged}


def _of_tag(tag: Tag) -> dict[str, Any]:
    facts = {"with_consent": list(tag.consent), "never": list(tag.never), "retain": tag.retain}
    return {"allowed": list(tag.allowed), **{key: fact for key, fact in facts.items() if fact}}


def _time(text: str) -> timedelta:
    written = _TIME.fullmatch(text)
    if written is None:
        raise ValueError(f"retain = {text!r}")
    days, hours, minutes, seconds = (float(part or 0) for part in written.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _require_known(value: dict[str, Any], keys: set[str]) -> None:
    """What is not known may say that less is allowed: it is not passed over."""
    for key in value.keys() - keys:
        raise ValueError(repr(key))


def _require_declared(lock: Lock, name: str) -> None:
    tags = [*lock.gates.items()]
    tags += [
        (f"{PurePosixPath(key).name}.{field}", tag)
        for models in (lock.models, lock.tables)
        for key, model in models.items()
        for field, tag in model.tagged.items()
    ]
    named = [(what, purpose) for what, tag in tags for purpose in (*tag.allowed, *tag.never, *tag.consent)]
    named += [("a handover", purpose) for pair in lock.handovers for purpose in pair]
    for what, purpose in named:
        if purpose not in lock.purposes:
            wrong = "no purpose's name" if not is_purpose_name(purpose) else "not among its purposes"
            raise LockError(
                f"{name} names {purpose!r} for {what}, which is {wrong}. Write it anew with purposebind lock."
            )
