"""Handovers that lead in a circle: purposes which are one in all but name."""

from __future__ import annotations

from collections.abc import Iterable

from .lock import LockError

__all__ = ["refuse_circles"]


def refuse_circles(handovers: Iterable[tuple[str, str]]) -> None:
    """Refuse handovers by which work can leave a purpose and come back as the same.

    Args:
        handovers: The names of the two purposes of each.

    Raises:
        LockError: There is a circle.

    Example:
        >>> refuse_circles([("orders", "shipping"), ("orders", "billing")])
    """
    ways: dict[str, list[str]] = {}
    for source, target in sorted(handovers):
        ways.setdefault(source, []).append(target)
    done: set[str] = set()

    def walk(purpose: str, path: tuple[str, ...]) -> None:
        if purpose in path:
            circle = " -> ".join((*path[path.index(purpose) :], purpose))
            raise LockError(
                f"Handovers lead in a circle: {circle}. Whoever is in one of these purposes may enter all of them, so "
                "they are one purpose in all but name. Take one handover away, or make them one."
            )
        if purpose not in done:
            for target in ways.get(purpose, ()):
                walk(target, (*path, purpose))
            done.add(purpose)

    for purpose in ways:
        walk(purpose, ())
