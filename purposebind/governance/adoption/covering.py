"""How far a roll-out is: the fields that have tags, and the routes, tasks and functions that state purposes.

What each share is a share of:

========== ============================================================================================================
kind       of what
========== ============================================================================================================
fields     the fields that have a tag, or look personal. One that is tagged for the placeholder has none
routes     the routes of FastAPI's and Starlette's applications, without those that show the documentation
tasks      the tasks of Celery's applications, without Celery's own
functions  the functions whose parameters or results carry tagged data, and those that state a purpose; without those of
           models, routes and tasks. One that is used by what states a purpose, and states none, runs for that
========== ============================================================================================================

Not all that is missing is wrong. It is told by name, and what somebody has looked at is accepted by name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from types import ModuleType
from typing import Any, Final, Literal

from .fields import Field
from .kinds import is_sealed
from .reaching import reached_from
from .stating import Function, functions_of, routes_of, tasks_of
from .suspecting import is_placeholder, suspects

__all__ = ["KINDS", "Coverage", "KindOfShare", "Share", "coverage_of", "tenths"]

KindOfShare = Literal["fields", "routes", "tasks", "functions"]
KINDS: Final[tuple[KindOfShare, ...]] = ("fields", "routes", "tasks", "functions")


@dataclass(frozen=True)
class Share:
    """How many of something are as they should be.

    Attributes:
        kind: Of what.
        covered: How many are.
        missing: The others, and where they are.
    """

    kind: KindOfShare
    covered: int
    missing: tuple[tuple[str, str], ...]

    @property
    def total(self) -> int:
        """How many there are."""
        return self.covered + len(self.missing)

    @property
    def percent(self) -> Fraction | None:
        """The share, exactly; None where there is nothing to share."""
        return Fraction(100 * self.covered, self.total) if self.total else None


@dataclass(frozen=True)
class Coverage:
    """How far a roll-out is.

    Attributes:
        shares: The share of each kind.
        accepted: Names that were accepted and are not missing: they can be taken away.
        untold: Functions of which the types name what is not there while the program runs.
    """

    shares: tuple[Share, ...]
    accepted: tuple[str, ...]
    untold: tuple[str, ...]

    def below(self, least: dict[str, Fraction]) -> list[Share]:
        """Return the shares that are below what is asked for; there is none of nothing."""
        return [
            one
            for one in self.shares
            if one.kind in least and one.percent is not None and one.percent < least[one.kind]
        ]


def coverage_of(
    fields: Iterable[Field], modules: Iterable[ModuleType], apps: Iterable[Any], accepted: Collection[str] = ()
) -> Coverage:
    """Return how far the roll-out of some packages is.

    Args:
        fields: Their fields.
        modules: Their modules.
        apps: Applications beside those that the modules hold.
        accepted: The names of what is missing and somebody has looked at.
    """
    listed, code = list(fields), list(modules)
    routes = routes_of(code, apps)
    tasks = tasks_of(code, apps)
    elsewhere = {one.function for one in (*routes, *tasks) if one.function}
    functions = [one for one in functions_of(code) if one.name not in elsewhere]
    stating = [one for one in (*routes, *tasks, *functions) if one.states]
    reached = reached_from({name for one in stating for name in (one.name, one.function, *one.uses)}, code)
    functions = [replace(one, states=one.states or one.name in reached) for one in functions]
    found = (
        _fields(listed),
        _share("routes", routes),
        _share("tasks", tasks),
        _share("functions", [one for one in functions if one.concerned]),
    )
    names = {name for share in found for name, _ in share.missing}
    shares = tuple(
        Share(one.kind, one.covered, tuple(miss for miss in one.missing if miss[0] not in accepted)) for one in found
    )
    return Coverage(
        shares,
        tuple(sorted(set(accepted) - names)),
        tuple(sorted(one.name for one in functions if one.untold)),
    )


def tenths(percent: Fraction) -> str:
    """Return a percentage with one digit, never rounded up: 99.96 is not all.

    Example:
        >>> tenths(Fraction(9996, 100)), tenths(Fraction(100))
        ('99.9', '100.0')
    """
    whole = percent * 10 // 1
    return f"{whole // 10}.{whole % 10}"


def _fields(fields: list[Field]) -> Share:
    missing = [(one.field.label, f"{one.field.module}:{one.field.line}") for one in suspects(fields)]
    covered = sum(
        (one.policy is not None and not is_placeholder(one.policy))
        or (one.policy is None and is_sealed(one.annotation))
        for one in fields
    )
    return Share("fields", covered, tuple(missing))


def _share(kind: KindOfShare, found: Iterable[Function]) -> Share:
    listed = list(found)
    missing = sorted((one.name, one.where) for one in listed if not one.states)
    return Share(kind, len(listed) - len(missing), tuple(missing))
