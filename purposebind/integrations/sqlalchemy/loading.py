"""What is loaded into an entity's tagged attribute, sealed also where the result did not come so.

What this module keeps:

- **R1** An entity is sealed at rest whatever its columns were loaded from: a column asked for beside it, a text, a
  subquery with columns of another type. Where the result comes sealed, which is nearly always, nothing is done.
- **R8** What an expression makes of tagged columns is as narrow as all of them, also where a query says which
  expression (`with_expression`).
- **R1** A statement that was let pass is worked out in Python too, by SQLAlchemy, for the entities that are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import ColumnProperty, evaluator
from sqlalchemy.sql import visitors

from purposebind.holding import binding, boxed, unsealed
from purposebind.policy import Policy

from .moving import comes_sealed
from .sealed_type import policy_of

__all__ = ["derived_policy", "evaluate_open", "seal_expressed", "seal_loading"]


def derived_policy(expression: Any) -> Policy | None:
    """Return what an expression of SQL may be used for: what all tagged columns in it may; None where there is none."""
    found: Policy | None = None
    waiting, seen = [expression], {id(expression)}
    while waiting:
        for part in visitors.iterate(waiting.pop()):
            policy = policy_of(part)
            if policy is not None:
                found = policy if found is None else found.join(policy)
            for origin in getattr(part, "proxy_set", ()):  # what a column of a subquery stands for
                if id(origin) not in seen:
                    seen.add(id(origin))
                    waiting.append(origin)
    return found


def seal_loading(prop: Any) -> None:
    """Have what is loaded by a property of a tagged column be sealed."""
    _made(prop, _Sealing)


def seal_expressed(prop: Any, policy: Policy | None) -> None:
    """Have what is loaded by a property be sealed where a query says that it is made of tagged columns.

    Args:
        prop: A property of ``query_expression()``.
        policy: What its own tag and what is declared for it say.
    """
    if policy is not None:
        prop.info[_TAG] = policy
    _made(prop, _Expressed)


_TAG = "purposebind_policy"


def _made(prop: Any, sealing: type[Any]) -> None:
    kind = type(prop)
    if issubclass(kind, _Sealing):
        return
    if (sealing, kind) not in _known:
        _known[sealing, kind] = type(kind.__name__, (sealing, kind), {"__slots__": (), "inherit_cache": True})
    prop.__class__ = _known[sealing, kind]


_known: dict[tuple[type[Any], type[Any]], type[Any]] = {}


if TYPE_CHECKING:
    _Property = ColumnProperty[Any]
else:
    _Property = object  # or the classes made of it would not fit the properties


class _Sealing(_Property):
    """Comes before the class of a property."""

    __slots__ = ()
    inherit_cache = True

    def setup(self, context: Any, query_entity: Any, path: Any, adapter: Any, **kwargs: Any) -> None:
        super().setup(context, query_entity, path, adapter, **kwargs)
        noted = kwargs.get("memoized_populators", {})
        # A column noted there is taken out of a row without asking the property.
        if hasattr(noted.get(self), "type") and self._bound(context, path) is not None:
            del noted[self]

    def create_row_processor(
        self, context: Any, query_entity: Any, path: Any, mapper: Any, result: Any, adapter: Any, populators: Any
    ) -> None:
        quick = populators["quick"]
        before = len(quick)
        super().create_row_processor(context, query_entity, path, mapper, result, adapter, populators)
        bound = self._bound(context, path)
        for place in range(before, len(quick)):
            key, getter = quick[place]
            if bound is not None and not (comes_sealed(result, getter) and type(self)._as_declared):
                quick[place] = (key, _sealing(getter, bound))

    _as_declared = True
    """Whether what comes sealed comes as narrow as it is to be."""

    def _bound(self, context: Any, path: Any) -> Any:
        kind: Any = self.columns[0].type
        return kind.binding


class _Expressed(_Sealing):
    """Comes before the class of a property whose expression is said by a query."""

    __slots__ = ()
    inherit_cache = True

    _as_declared = False

    def _bound(self, context: Any, path: Any) -> Any:
        option: Any = self._get_context_loader(context, path)
        said = option._extra_criteria if option is not None else ()
        if not said:
            return None  # what is declared for it is sealed by its type
        policy, declared = derived_policy(said[0]), self.info.get(_TAG)
        if policy is not None and declared is not None:
            policy = policy.join(declared)
        policy = policy or declared
        return None if policy is None else binding(f"{self.parent.class_.__name__}.{self.key}", policy)


def _sealing(getter: Any, bound: Any) -> Any:
    def sealed(row: Any) -> Any:
        return boxed(getter(row), bound)

    return sealed


def evaluate_open() -> None:
    """Have SQLAlchemy work out with what is in boxes which entities an UPDATE or DELETE changes, and to what.

    The statement has been let pass then. With the boxes it would find other entities than the database.
    """
    compiler: Any = evaluator._EvaluatorCompiler
    plain = compiler.visit_column

    def visit_column(self: Any, clause: Any) -> Any:
        get = plain(self, clause)
        return get if policy_of(clause) is None else lambda entity: unsealed(get(entity))

    compiler.visit_column = visit_column
