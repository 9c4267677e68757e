"""Models and tables, compared: also those that have another name now, which would hide what they were held to.

What this module keeps:

- **R8** A new name is no way round the review. What is gone is held against what is new beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from itertools import product
from typing import Literal

from .changes import Change, allows_more, compare_tags
from .lock import Model, Tag

__all__ = ["compare_models", "moved_to"]


def compare_models(
    old: Mapping[str, Model], new: Mapping[str, Model], kind: Literal["field", "column"]
) -> Iterator[Change]:
    """Yield what changed in models or tables, by their names."""
    moved = list(moved_to(old, new))
    before = {key: one for key, one in old.items() if key not in {was for _, was in moved}}
    for now, was in moved:
        takers = [one for one, source in moved if source == was]
        held = {  # of a model that was split, each part is held to what it took
            field: tag
            for field, tag in old[was].tagged.items()
            if now == next((one for one in takers if field in _names(new[one])), takers[0])
        }
        before[now] = Model(held, old[was].untagged, old[was].collected)
        where, name = _placed(now, kind)
        for field, tag in sorted(held.items()):
            text = f"the {'model' if kind == 'field' else 'table'} is moved, and was {was} ({tag})"
            yield Change("other", f"{name}.{field}", where, text)
    for key in sorted(before.keys() | new.keys()):
        yield from _compare(key, before.get(key), new.get(key), kind)


def moved_to(old: Mapping[str, Model], new: Mapping[str, Model]) -> Iterator[tuple[str, str]]:
    """Yield the models that are there under another name: the new and the old one.

    One is taken for another that is gone where it has the same name in another module; or else the same tagged fields;
    or else some of them, tagged or not, that no other has taken.
    """
    left = {key: set(old[key].tagged) for key in sorted(old) if key not in new}
    waiting = sorted(new.keys() - old.keys())
    for alike in (_same_name, _same_fields, _some_fields):
        for key in [*waiting]:
            found = [was for was in left if left[was] and alike(key, was, new[key], old[was], left[was])]
            if found:
                was = max(found, key=lambda one: len(left[one] & _names(new[key])))
                left[was] -= _names(new[key])
                waiting.remove(key)
                yield key, was


def _same_name(key: str, was: str, now: Model, old: Model, left: set[str]) -> bool:
    return key.rpartition(".")[2] == was.rpartition(".")[2]


def _same_fields(key: str, was: str, now: Model, old: Model, left: set[str]) -> bool:
    return now.tagged.keys() == old.tagged.keys()


def _some_fields(key: str, was: str, now: Model, old: Model, left: set[str]) -> bool:
    return bool(left & _names(now))


def _names(model: Model) -> set[str]:
    return {*model.tagged, *model.untagged}


def _placed(key: str, kind: str) -> tuple[str, str]:
    where, _, name = key.rpartition(".") if kind == "field" else ("", "", key)
    return where, name


def _compare(key: str, old: Model | None, new: Model | None, kind: str) -> Iterator[Change]:
    where, name = _placed(key, kind)
    before, after = old or Model(), new or Model()
    known = old is not None and new is not None
    if known:
        for one in sorted({*before.collected} ^ {*after.collected}):
            if one in before.collected:
                yield Change("widening", f"{name}.{one}", where, "what values were collected for is kept no more")
            else:
                yield Change("narrowing", f"{name}.{one}", where, "what values were collected for is kept now")
    renamed = _renamed(before, after) if known else {}
    for one in sorted({*before.tagged, *after.tagged, *before.untagged, *after.untagged}):
        subject = f"{name}.{one}"
        was, now = before.tagged.get(one), after.tagged.get(one)
        if one in renamed:
            gone = before.tagged[renamed[one]]
            text = f"a new {kind} {f'({now})' if now is not None else 'without a tag'}"
            yield Change(
                "widening", subject, where, f"{text}, and {renamed[one]} is gone (was {gone}): is it the same?"
            )
        elif was is not None and now is not None:
            yield from compare_tags(subject, where, was, now)
        elif was is not None and one in after.untagged:
            yield Change("widening", subject, where, f"has no tag any more (was {was})")
        elif was is not None:
            yield Change("other", subject, where, f"the {kind} is gone (was {was})")
        elif now is not None and one in before.untagged:
            yield Change("narrowing", subject, where, f"has a tag now ({now})")
        elif now is not None:
            yield Change("other", subject, where, f"a new {kind} ({now})")
        elif known and one not in before.untagged:
            yield Change("other", subject, where, f"a new {kind} without a tag, beside tagged ones")


def _renamed(old: Model, new: Model) -> dict[str, str]:
    """The new fields that may be ones which are gone, and would allow more: the new name, and the old one."""
    gone = sorted(old.tagged.keys() - _names(new))
    added = sorted(_names(new) - _names(old))
    alike = sorted(product(added, gone), key=lambda pair: -SequenceMatcher(None, *pair).ratio())
    found: dict[str, str] = {}
    for more in (False, True):  # first those that are explained by a field which allowed as much
        for one, was in alike:
            if one in added and was in gone and _allows_more(old.tagged[was], new.tagged.get(one)) is more:
                added.remove(one)
                gone.remove(was)
                if more:
                    found[one] = was
    return found


def _allows_more(old: Tag, new: Tag | None) -> bool:
    return new is None or allows_more(old, new)
