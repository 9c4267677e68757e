"""What is loaded into an entity's tagged attribute, sealed also where the result did not come so.

What this module keeps:

- **R1** An entity is sealed at rest whatever its columns were loaded from: a column asked for beside it, a text, a
  subquery with columns of another type. Where the result comes sealed, which is nearly always, nothing is done.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import ColumnProperty

from purposebind.holding import boxed

from .moving import comes_sealed

__all__ = ["seal_loading"]


def seal_loading(prop: Any) -> None:
    """Have what is loaded by a property of a tagged column be sealed."""
    kind = type(prop)
    if issubclass(kind, _Sealing):
        return
    if kind not in _known:
        _known[kind] = type(kind.__name__, (_Sealing, kind), {"__slots__": (), "inherit_cache": True})
    prop.__class__ = _known[kind]


_known: dict[type[Any], type[Any]] = {}


class _Sealing(ColumnProperty[Any]):
    """Comes before the class of a property."""

    __slots__ = ()
    inherit_cache = True

    def setup(self, context: Any, query_entity: Any, path: Any, adapter: Any, **kwargs: Any) -> None:
        super().setup(context, query_entity, path, adapter, **kwargs)
        noted = kwargs.get("memoized_populators", {})
        if hasattr(noted.get(self), "type"):  # a column noted here is taken out of a row without asking the property
            del noted[self]

    def create_row_processor(
        self, context: Any, query_entity: Any, path: Any, mapper: Any, result: Any, adapter: Any, populators: Any
    ) -> None:
        quick = populators["quick"]
        before = len(quick)
        super().create_row_processor(context, query_entity, path, mapper, result, adapter, populators)
        for place in range(before, len(quick)):
            key, getter = quick[place]
            if not comes_sealed(result, getter):
                quick[place] = (key, self._sealing(getter))

    def _sealing(self, getter: Any) -> Any:
        binding = self.columns[0].type.binding  # type: ignore[attr-defined]

        def sealed(row: Any) -> Any:
            return boxed(getter(row), binding)

        return sealed
