"""What one lock allows that another does not.

What this module keeps:

- **R8** What widens is told apart from what narrows by the rule that holds for tags in code: a purpose covers itself
  and its descendants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .changes import Change, Kind, compare_tags
from .lock import Lock, Model, Tag
from .moving import compare_models, moved_to

__all__ = ["compare"]


def compare(old: Lock, new: Lock) -> list[Change]:
    """Return what changed from `old` to `new`, widenings first.

    Example:
        >>> before = Lock(("shop",), {"ads": "Advertise", "login": "Log in"}, gates={"shop.rows": Tag(("login",))})
        >>> after = Lock(("shop",), before.purposes, gates={"shop.rows": Tag(("ads", "login"))})
        >>> [str(change) for change in compare(before, after)]
        ['rows(): +ads (was login)']
    """
    changes = [
        *_packages(old.packages, new.packages),
        *_purposes(old.purposes, new.purposes),
        *compare_models(old.models, _with_plain(old.models, new.models, new.plain), "field"),
        *compare_models(old.tables, _with_plain(old.tables, new.tables, new.plain), "column"),
        *_gates(old.gates, new.gates),
        *_handovers(old.handovers, new.handovers),
        *_counted(old.break_glass, new.break_glass, "opens break_glass"),
        *_counted(old.late_handovers, new.late_handovers, "declares a handover when it runs"),
        *_observing(old, new),
    ]
    order = {"widening": 0, "narrowing": 1, "other": 2}
    return sorted(changes, key=lambda change: (order[change.kind], change.subject, change.where, change.text))


def _purposes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield Change("other", name, "", "the purpose is gone")
        elif name not in old:
            yield Change("other", name, "", f"a new purpose: {new[name]}")
        elif old[name] != new[name]:  # each tag that names it says something else now
            yield Change("widening", name, "", f"means something else: {new[name]!r} (was {old[name]!r})")


def _gates(old: Mapping[str, Tag], new: Mapping[str, Tag]) -> Iterator[Change]:
    for key in sorted(old.keys() | new.keys()):
        where, _, name = key.partition(":") if ":" in key else key.rpartition(".")
        subject = f"{name}()"
        if key not in new:
            yield Change("widening", subject, where, f"asks for no purpose any more, or is gone (was {old[key]})")
        elif key not in old:
            yield Change("narrowing", subject, where, f"asks for a purpose now ({new[key]})")
        else:
            yield from compare_tags(subject, where, old[key], new[key])


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


def _counted(old: Mapping[str, int], new: Mapping[str, int], does: str) -> Iterator[Change]:
    for key in sorted(old.keys() | new.keys()):
        where, _, name = key.partition(":")
        was, now = old.get(key, 0), new.get(key, 0)
        if was != now:
            kind: Kind = "widening" if now > was else "narrowing"
            yield Change(kind, f"{name}()", where, f"{does} {_times(now)} (was {_times(was)})")


def _observing(old: Lock, new: Lock) -> Iterator[Change]:
    functions = [{key: number for key, number in one.observing.items() if ":" in key} for one in (old, new)]
    yield from _counted(functions[0], functions[1], "may turn to observe mode")
    classes = [{key for key in one.observing if ":" not in key} for one in (old, new)]
    moved = dict(moved_to(old.models, new.models))
    for key in sorted(classes[0] | classes[1]):
        where, _, name = key.rpartition(".")
        if key not in classes[0] and moved.get(key) not in classes[0]:
            held = key in old.models or key in moved  # a model that is new has promised nothing so far
            yield Change(
                "widening" if held else "other", name, where, "only observes: what its tags refuse is let through"
            )
        elif key not in classes[1] and key in new.models:
            yield Change("narrowing", name, where, "enforces its tags now")


def _packages(old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
    for one in old:
        if not any(f"{one}.".startswith(f"{whole}.") for whole in new):
            yield Change("widening", one, "", "is not looked at any more: what it declares is held to nothing")


def _with_plain(
    old: Mapping[str, Model], new: Mapping[str, Model], plain: Mapping[str, tuple[str, ...]]
) -> Mapping[str, Model]:
    """What is there, with what had tags and has lost them all."""
    return {**{key: Model(untagged=plain[key]) for key in old if key in plain}, **new}


def _times(number: int) -> str:
    return {0: "nowhere", 1: "once"}.get(number, f"{number} times")
