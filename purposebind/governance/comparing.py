"""What one lock allows that another does not.

What this module keeps:

- **R8** What widens is told apart from what narrows by the rule that holds for tags in code: a purpose covers itself
  and its descendants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

from .lock import Lock, Model, Tag

__all__ = ["Change", "Kind", "compare", "widened"]

Kind = Literal["widening", "narrowing", "other"]


@dataclass(frozen=True)
class Change:
    """One difference between two locks.

    Attributes:
        kind: ``"widening"``: personal data may be used for more than before. ``"narrowing"``: for less. ``"other"``.
        subject: What changed, such as ``"Account.phone"``.
        where: Where it is declared: a module, or empty.
        text: How, in words.
    """

    kind: Kind
    subject: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}"


def compare(old: Lock, new: Lock) -> list[Change]:
    """Return what changed from `old` to `new`, widenings first.

    Example:
        >>> before = Lock(("shop",), {"ads": "Advertise", "login": "Log in"}, gates={"shop.rows": Tag(("login",))})
        >>> after = Lock(("shop",), before.purposes, gates={"shop.rows": Tag(("ads", "login"))})
        >>> [str(change) for change in compare(before, after)]
        ['rows(): +ads (was login)']
    """
    changes = [
        *_purposes(old.purposes, new.purposes),
        *_models(old.models, new.models, "field"),
        *_models(old.tables, new.tables, "column"),
        *_gates(old.gates, new.gates),
        *_handovers(old.handovers, new.handovers),
        *_emergencies(old.break_glass, new.break_glass),
    ]
    order = {"widening": 0, "narrowing": 1, "other": 2}
    return sorted(changes, key=lambda change: (order[change.kind], change.subject, change.where, change.text))


def widened(old: Tag, new: Tag) -> list[str]:
    """Return the purposes that `new` permits and `old` did not, or not without consent (as `Policy.widens` has it)."""
    added = {purpose for purpose in new.allowed if not _covered(purpose, old.allowed)}
    for stricter, own in ((old.never, new.never), (old.consent, (*new.consent, *new.never))):
        for one, allowed in product(stricter, new.allowed):
            overlap = _deeper(one, allowed)
            if overlap is not None and not _covered(overlap, own):
                added.add(overlap)
    return sorted(added)


def _covered(purpose: str, by: Iterable[str]) -> bool:
    return any(purpose == one or purpose.startswith(f"{one}.") for one in by)


def _deeper(one: str, other: str) -> str | None:
    if _covered(one, (other,)):
        return one
    return other if _covered(other, (one,)) else None


def _purposes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield Change("other", name, "", "the purpose is gone")
        elif name not in old:
            yield Change("other", name, "", f"a new purpose: {new[name]}")
        elif old[name] != new[name]:  # each tag that names it says something else now
            yield Change("widening", name, "", f"means something else: {new[name]!r} (was {old[name]!r})")


def _tag(subject: str, where: str, old: Tag, new: Tag) -> Iterator[Change]:
    more = [f"{one} without consent" if _asked(one, old) else f"+{one}" for one in widened(old, new)]
    less = [f"{one} with consent alone" if _asked(one, new) else f"-{one}" for one in widened(new, old)]
    if _longer(new, old):
        more.append(f"for {new.retain}" if new.retain else "for any time")
    if _longer(old, new):
        less.append(f"for {new.retain} alone")
    if more:
        yield Change("widening", subject, where, f"{', '.join(more)} (was {old})")
    if less:
        yield Change("narrowing", subject, where, f"{', '.join(less)} (now {new})")


def _asked(purpose: str, tag: Tag) -> bool:
    """Whether a tag allows a purpose with consent."""
    return _covered(purpose, tag.consent) and _covered(purpose, tag.allowed) and not _covered(purpose, tag.never)


def _longer(one: Tag, other: Tag) -> bool:
    return other.time is not None and (one.time is None or one.time > other.time)


def _models(old: Mapping[str, Model], new: Mapping[str, Model], kind: str) -> Iterator[Change]:
    moved = dict(_moved(old, new))
    for now_at, was_at in moved.items():
        where, _, name = now_at.rpartition(".") if kind == "field" else ("", "", now_at)
        for field, tag in sorted(old[was_at].tagged.items()):
            text = f"the {'model' if kind == 'field' else 'table'} is moved, and was {was_at} ({tag})"
            yield Change("other", f"{name}.{field}", where, text)
    old = {key: one for key, one in old.items() if key not in moved.values()} | {n: old[o] for n, o in moved.items()}
    for key in sorted(old.keys() | new.keys()):
        where, _, name = key.rpartition(".") if kind == "field" else ("", "", key)
        before, after = old.get(key, Model()), new.get(key, Model())
        for one in sorted({*before.collected, *after.collected} if key in old and key in new else ()):
            if one not in after.collected:
                yield Change("widening", f"{name}.{one}", where, "what values were collected for is kept no more")
            elif one not in before.collected:
                yield Change("narrowing", f"{name}.{one}", where, "what values were collected for is kept now")
        for one in sorted({*before.tagged, *after.tagged, *before.untagged, *after.untagged}):
            subject = f"{name}.{one}"
            was, now = before.tagged.get(one), after.tagged.get(one)
            if was is not None and now is not None:
                yield from _tag(subject, where, was, now)
            elif was is not None and one in after.untagged:
                yield Change("widening", subject, where, f"has no tag any more (was {was})")
            elif was is not None:
                yield Change("other", subject, where, f"the {kind} is gone (was {was})")
            elif now is not None and one in before.untagged:
                yield Change("narrowing", subject, where, f"has a tag now ({now})")
            elif now is not None:
                yield Change("other", subject, where, f"a new {kind} ({now})")
            elif key in old and key in new and one not in before.untagged:
                yield Change("other", subject, where, f"a new {kind} without a tag, beside tagged ones")


def _moved(old: Mapping[str, Model], new: Mapping[str, Model]) -> Iterator[tuple[str, str]]:
    """The models that are there under another name, which would hide what they were held to: the new and the old one.

    One is taken for another that is gone where it has the same name in another module, or else the same tagged fields.
    """
    gone = [key for key in sorted(old) if key not in new]
    for key in sorted(new.keys() - old.keys()):
        named = [one for one in gone if one.rpartition(".")[2] == key.rpartition(".")[2]]
        alike = [one for one in gone if old[one].tagged.keys() == new[key].tagged.keys()]
        if named or alike:
            was = (named or alike)[0]
            gone.remove(was)
            yield key, was


def _gates(old: Mapping[str, Tag], new: Mapping[str, Tag]) -> Iterator[Change]:
    for key in sorted(old.keys() | new.keys()):
        where, _, name = key.partition(":") if ":" in key else key.rpartition(".")
        subject = f"{name}()"
        if key not in new:
            yield Change("widening", subject, where, f"asks for no purpose any more, or is gone (was {old[key]})")
        elif key not in old:
            yield Change("narrowing", subject, where, f"asks for a purpose now ({new[key]})")
        else:
            yield from _tag(subject, where, old[key], new[key])


def _handovers(old: Mapping[tuple[str, str], str], new: Mapping[tuple[str, str], str]) -> Iterator[Change]:
    for source, target in sorted(old.keys() | new.keys()):
        subject = f"{source} -> {target}"
        was, now = old.get((source, target)), new.get((source, target))
        if was is None:
            yield Change("widening", subject, "", f"a new handover, because: {now}")
        elif now is None:
            yield Change("narrowing", subject, "", "the handover is gone")
        elif was != now:
            yield Change("other", subject, "", f"the handover has another reason: {now} (was {was})")


def _emergencies(old: Mapping[str, int], new: Mapping[str, int]) -> Iterator[Change]:
    for key in sorted(old.keys() | new.keys()):
        where, _, name = key.partition(":")
        was, now = old.get(key, 0), new.get(key, 0)
        if now > was:
            yield Change("widening", f"{name}()", where, f"opens break_glass {_times(now)} (was {_times(was)})")
        elif now < was:
            yield Change("narrowing", f"{name}()", where, f"opens break_glass {_times(now)} (was {_times(was)})")


def _times(number: int) -> str:
    return {0: "nowhere", 1: "once"}.get(number, f"{number} times")
