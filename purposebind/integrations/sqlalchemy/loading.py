"""What is loaded into an entity's tagged attribute, sealed also where the result did not come so.

What this module keeps:

- **R1** An entity is sealed at rest whatever its columns were loaded from: a column asked for beside it, a text, a
  subquery with columns of another type. Where the result comes sealed, which is nearly always, nothing is done.
- **R8** What an expression makes of tagged columns is as narrow as all of them, also where a query says which
  expression (`with_expression`); its row is not known, so what hangs on a row is not allowed. What a row says that a
  value was collected for is loaded with the value, whatever else is loaded, or the value with it later.
- **R1** A statement that was let pass is worked out in Python too, by SQLAlchemy, for the entities that are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import ColumnProperty, evaluator
from sqlalchemy.sql import visitors
from sqlalchemy.sql.selectable import TextualSelect

from purposebind import Sealed
from purposebind.holding import binding, boxed, boxer, narrow, unsealed
from purposebind.policy import Policy

from .collected_type import purposes_in
from .moving import comes_sealed
from .rows import one_row
from .sealed_type import NOTHING, SealedType, policy_of

__all__ = ["derived_policy", "evaluate_open", "load_whole", "seal_expressed", "seal_loading"]


def derived_policy(expression: Any) -> Policy | None:
    """Return what an expression of SQL may be used for: what all tagged columns in it may; None where there is none."""
    found: Policy | None = None
    waiting, seen = [expression], {id(expression)}
    while waiting:
        for part in visitors.iterate(waiting.pop()):
            policy = policy_of(part)
            if policy is not None:
                kind: Any = part
                policy = kind.type.alone
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
            companion = self._companion(adapter, kwargs.get("check_for_adapt", False))
            if companion is not None:
                context._append_dedupe_col_collection(companion, kwargs["column_collection"])

    def create_row_processor(
        self, context: Any, query_entity: Any, path: Any, mapper: Any, result: Any, adapter: Any, populators: Any
    ) -> None:
        quick = populators["quick"]
        before = len(quick)
        super().create_row_processor(context, query_entity, path, mapper, result, adapter, populators)
        bound = self._bound(context, path)
        for place in reversed(range(before, len(quick))):
            key, getter = quick[place]
            ready = comes_sealed(result, getter) and type(self)._as_declared
            if bound is not None and not ready:
                getter = _sealing(getter, bound)
            if _has_companion(self):
                companion = None if _is_text(context) else self._companion(adapter)
                said = None if companion is None else result._getter(companion, False)
                if said is None and context.refresh_state is None:  # it is loaded when it is asked for
                    del quick[place]
                    populators["expire"].append((key, True))
                    continue
                getter = _narrowing(getter, said)
            quick[place] = (key, getter)

    _as_declared = True
    """Whether what comes sealed comes as narrow as it is to be."""

    def _bound(self, context: Any, path: Any) -> Any:
        kind: Any = self.columns[0].type
        return kind.binding

    def _companion(self, adapter: Any, check: bool = False) -> Any:
        """The column that says what the property's was collected for, where this query has that, or None."""
        if not _has_companion(self):
            return None
        column: Any = self.columns[0]
        companion = column.table.c[column.type.row.companion]
        if not adapter:
            return companion
        found = adapter.adapt_check_present(companion) if check else adapter.columns[companion]
        return found if found is not None and one_row(adapter.columns[column], found) else None


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


def _is_text(context: Any) -> bool:
    """Whether a query's rows come from a text that says itself which column is which."""
    return isinstance(getattr(context.query, "element", None), TextualSelect)


def _has_companion(prop: Any) -> bool:
    kind = prop.columns[0].type
    return type(prop)._as_declared and isinstance(kind, SealedType) and kind.row.companion is not None


def _sealing(getter: Any, bound: Any) -> Any:
    put = boxer(bound)

    def sealed(row: Any) -> Any:
        value = getter(row)
        return boxed(value, bound) if type(value) is Sealed else put(value)

    return sealed


def _narrowing(getter: Any, said: Any) -> Any:
    def narrowed(row: Any) -> Any:
        box = getter(row)
        if type(box) is Sealed:
            purposes = NOTHING if said is None else purposes_in(said(row))
            if purposes is not None:
                narrow(box, purposes)
        return box

    return narrowed


def load_whole(mapper: Any) -> None:
    """Have a few attributes of a subclass be loaded by a whole query, where one of them has a companion.

    SQLAlchemy makes a smaller one of its own there, of the columns of these attributes alone.
    """
    plain = mapper._optimized_get_statement

    def statement(state: Any, attribute_names: Any) -> Any:
        props = (state.mapper.attrs.get(name) for name in attribute_names)
        if any(isinstance(prop, _Sealing) and _has_companion(prop) for prop in props):
            return None
        return plain(state, attribute_names)

    mapper._optimized_get_statement = statement


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
