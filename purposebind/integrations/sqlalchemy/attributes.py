"""Guarded attributes of entities, and what their instances hold.

What this module keeps:

- **R1** Reading a tagged attribute is a read, of absence too. Loading, setting, flushing, merging, refreshing, expiring
  and pickling an entity is none.
- **R8** What a value was collected for, and when, goes with it: an entity's boxes say what its row says, and the row
  what they say.
- **R6** What an entity holds is sealed, so no listing of its ``__dict__`` reveals.
- **R10** Validators of the mapping (``@validates``) see the value that is set.
"""

from __future__ import annotations

import copy
import reprlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.orm import InstanceState, InstrumentedAttribute
from sqlalchemy.orm.attributes import get_attribute, instance_dict, instance_state
from sqlalchemy.orm.base import NO_VALUE
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.elements import Null

from purposebind import PolicyError, Sealed
from purposebind.holding import (
    anothers,
    asked,
    binding,
    boxed,
    collected_here,
    date,
    deadline,
    expires,
    is_settled,
    is_somebodys,
    opened,
    renewed,
    settle,
    tell,
)

from .rows import in_utc, storing
from .sealed_type import ROUNDED

if TYPE_CHECKING:
    from purposebind.enforcement import Binding

__all__ = ["ExpressedAttribute", "GuardedAttribute", "held", "show_sealed", "watch_instances"]

_get: Any = InstrumentedAttribute.__get__


# In the place of SQLAlchemy's own. It has no docstring: SQLAlchemy shows the column's.
class GuardedAttribute(InstrumentedAttribute[Any]):  # pyright: ignore[reportIncompatibleVariableOverride]
    __slots__ = ()
    inherit_cache = True

    def __get__(self, instance: Any, owner: Any) -> Any:
        value = _get(self, instance, owner)
        if instance is None:
            return value
        if type(value) is Sealed:
            if not is_settled(value):  # said here: a listener to each load would cost more than the sealing
                _settle(instance, value)
            return opened(value)
        del value  # a refusal's traceback shows our locals (R7)
        state, bound = instance_state(instance), _binding(self)
        watched = state.manager.info.get(_WATCHED)
        subject = _loaded(instance, None if watched is None else watched.subject)
        time = _loaded(instance, watched.collected) if watched is not None and bound.policy.retain is not None else None
        asked(bound, subject, deadline(time, bound.policy))
        return _get(self, instance, owner)


# Of a property whose expression each query says: it is sealed where that is made of tagged columns.
class ExpressedAttribute(InstrumentedAttribute[Any]):  # pyright: ignore[reportIncompatibleVariableOverride]
    __slots__ = ()
    inherit_cache = True

    def __get__(self, instance: Any, owner: Any) -> Any:
        value = _get(self, instance, owner)
        if type(value) is not Sealed:
            return value
        if not is_settled(value):
            _settle(instance, value)
        return opened(value)


def held(instance: Any, name: str) -> Any:
    """Return what an entity holds under an attribute, sealed as it is; loaded where it is not there. Not a read."""
    value = get_attribute(instance, name)
    if type(value) is Sealed and not is_settled(value):
        _settle(instance, value)
    return value


def _settle(instance: Any, box: Sealed[Any]) -> None:
    """Tell a box of an entity what it does not know: whose data it holds, and until when."""
    watched = instance_state(instance).manager.info.get(_WATCHED)
    if watched is None:
        return
    conditional = box.policy.conditional  # then it is worth a query
    if watched.subject is not None and not is_somebodys(box):
        tell(box, _loaded(instance, watched.subject) if conditional else instance_dict(instance).get(watched.subject))
    if watched.collected is not None and not is_settled(box):
        date(box, _loaded(instance, watched.collected))


def _loaded(instance: Any, name: str | None) -> Any:
    """What an entity holds under an attribute, loaded where the database has it and the entity does not."""
    state = instance_state(instance)
    if name is None:
        return None
    if name in state.dict or state.key is None:
        return state.dict.get(name)
    return get_attribute(instance, name)


def _binding(attribute: Any) -> Binding:
    found: Binding = attribute.comparator.prop.columns[0].type.binding
    return found


_WATCHED = "purposebind"


class _Watched:
    """What is done to the instances of one class."""

    def __init__(
        self, bindings: dict[str, Binding], subject: str | None, collected: str | None, kept: dict[str, str]
    ) -> None:
        self.bindings = bindings
        self.collected = collected
        self.kept = kept
        # What was assigned is told apart from what was loaded: see SealedType.compare_values.
        self.assigned = {key: binding(one.field, one.policy, one.mode) for key, one in bindings.items()}
        self.subject = subject

    def loaded(self, state: Any, context: Any) -> None:
        settle(state.dict, self.bindings, self.subject, self.collected)

    def refreshed(self, state: Any, context: Any, attributes: Iterable[str] | None) -> None:
        if context is None:  # an UPDATE that was worked out in Python
            self._unsure(state, attributes)
        if self.collected is not None and (attributes is None or self.collected in attributes):
            self._time(state, state.dict.get(self.collected))
        settle(state.dict, self.bindings, self.subject, self.collected)

    def returned(self, state: Any, context: Any, attributes: Iterable[str] | None) -> None:
        """A flush took over what the database made of a column."""
        self._unsure(state, attributes)
        settle(state.dict, self.bindings, self.subject)  # no time yet: what is written to another table has none

    def _unsure(self, state: Any, attributes: Iterable[str] | None) -> None:
        """Have what came without its companion be loaded with it."""
        unsure = {*self.kept, *self.kept.values()}.intersection(attributes or ())
        if unsure:
            state._expire_attributes(state.dict, unsure)

    def inserting(self, mapper: Any, connection: Any, state: Any) -> None:
        storing(state, self.bindings, self.kept, self.collected, self.subject, new=True)

    def updating(self, mapper: Any, connection: Any, state: Any) -> None:
        storing(state, self.bindings, self.kept, self.collected, self.subject, new=False)

    def stored(self, mapper: Any, connection: Any, state: Any) -> None:
        settle(state.dict, self.bindings, self.subject, self.collected)

    def setting(self, key: str) -> Callable[..., Any]:
        bound, subject, collected = self.assigned[key], self.subject, self.collected

        def set_(state: Any, value: Any, old: Any, initiator: Any) -> Any:
            if value is None or value is NO_VALUE:
                return value
            if isinstance(value, ClauseElement) or hasattr(value, "__clause_element__"):
                if collected_here() is not None and not isinstance(value, Null):
                    raise PolicyError(
                        f"{bound.field} is set to an expression of SQL in a collected_for block: what it is made of is "
                        "not known, so that its row cannot say what for. Set a value, or do it outside of the block."
                    )
                return value  # it is written into the statement, and weighed there
            person = state.dict.get(subject) if subject is not None else None
            ready = type(value) is Sealed and value.policy is bound.policy and bound.policy.retain is None
            if ready and (person is None or not anothers(value, person)):
                return value
            until = deadline(state.dict.get(collected or ""), bound.policy)
            return boxed(value, bound, person, until)

        return set_

    def told(self, state: Any, value: Any, old: Any, initiator: Any) -> Any:
        """The `SubjectId` was set: what was set before it is that person's."""
        settle(
            {**{key: state.dict.get(key) for key in self.bindings}, initiator.key: value}, self.bindings, self.subject
        )
        return value

    def timed(self, state: Any, value: Any, old: Any, initiator: Any) -> Any:
        """The time of collection was set. Where there was one, what is retained is retained from then on."""
        value, before = in_utc(value), state.dict.get(initiator.key)
        self._time(state, value, anew=state.key is not None or before is not None, before=before)
        return value

    def _time(self, state: Any, value: Any, *, anew: bool = False, before: Any = None) -> None:
        """Have what is retained be retained from a time on: anew, or for no longer than it was.

        Args:
            state: The entity's state.
            value: The time.
            anew: Whether for longer, too, what was set here; what the database has is.
            before: The time so far. What is older than that was moved here, and stays as old as it is.
        """
        for key, bound in self.assigned.items():
            box = state.dict.get(key)
            if type(box) is Sealed and bound.policy.retain is not None:  # a new box: others may hold this one
                made, own, row = renewed(box, value), expires(box), deadline(before, bound.policy)
                longer = anew and (own is None or (row is not None and own > row - ROUNDED))
                has = state.key is not None and key not in state.committed_state
                state.dict[key] = made if longer or has else boxed(box, bound, None, expires(made))

    def pickled(self, state: Any, saved: dict[str, Any]) -> None:
        """Leave out what the database has: it is loaded anew. What it does not have yet is pickled as a model is."""
        gone = self.left_out(state)
        if gone:
            saved["expired_attributes"] = set(saved.get("expired_attributes", ())) | gone
        if "committed_state" in saved:
            saved["committed_state"] = {
                key: NO_VALUE if type(value) is Sealed else value for key, value in saved["committed_state"].items()
            }

    def left_out(self, state: Any) -> set[str]:
        if state.key is None:
            return set()
        return {key for key in self.bindings if key in state.dict and key not in state.committed_state}


def show_sealed(cls: Any, shown: Iterable[str], tagged: frozenset[str]) -> None:
    """Have the representation that was generated for a mapped class show its tagged attributes sealed (R6).

    Args:
        cls: A dataclass, or one of attrs.
        shown: The attributes that it shows.
        tagged: Those that are tagged.
    """
    names = tuple(shown)

    def __repr__(self: Any) -> str:
        parts: list[str] = []
        for name in names:
            value = instance_dict(self).get(name, ...) if name in tagged else getattr(self, name)
            parts.append(f"{name}={value!r}")
        return f"{type(self).__qualname__}({', '.join(parts)})"

    cls.__repr__ = reprlib.recursive_repr()(__repr__)


def watch_instances(
    cls: Any, bindings: dict[str, Binding], subject: str | None, collected: str | None, kept: dict[str, str]
) -> None:
    """Have what instances of a mapped class hold be sealed, whatever put it there.

    Args:
        cls: The class.
        bindings: Its tagged attributes.
        subject: The attribute marked `SubjectId`, or None.
        collected: The attribute marked `CollectedAt`, or None.
        kept: The attributes that say what tagged ones were collected for, by the names of those.
    """
    manager = cls.__mapper__.class_manager
    if _WATCHED in manager.info:
        return
    watched = _Watched(bindings, subject, collected, kept)
    manager.info[_WATCHED] = watched
    event.listen(cls, "refresh", watched.refreshed, raw=True)
    event.listen(cls, "refresh_flush", watched.returned, raw=True)
    event.listen(cls, "after_insert", watched.stored, raw=True)
    asks = subject is not None and any(one.policy.consent for one in bindings.values())
    if kept or collected is not None or asks:
        event.listen(cls, "before_insert", watched.inserting, raw=True)
        event.listen(cls, "before_update", watched.updating, raw=True)
        event.listen(cls, "after_update", watched.stored, raw=True)
    if collected is not None:
        event.listen(cls, "load", watched.loaded, raw=True)
        event.listen(getattr(cls, collected), "set", watched.timed, retval=True, raw=True)
    event.listen(cls, "pickle", watched.pickled, raw=True)
    for key in bindings:
        attribute = getattr(cls, key)
        event.listen(attribute, "set", watched.setting(key), retval=True, raw=True)
        _commit_sealed(attribute.impl)
    if subject is not None and subject not in bindings:
        event.listen(getattr(cls, subject), "set", watched.told, retval=True, raw=True)
    if getattr(cls, "__getstate__", None) is getattr(object, "__getstate__", None):
        cls.__getstate__ = _getstate
        for name, copied in (("__copy__", _copy), ("__deepcopy__", _deepcopy)):
            if not hasattr(cls, name):
                setattr(cls, name, copied)


def _commit_sealed(impl: Any) -> None:
    """Have `set_committed_value`, which tells nobody, seal what it sets."""
    kind = type(impl)
    if "_purposebind" in vars(kind):
        return
    if kind not in _committing:

        def set_committed_value(self: Any, state: Any, dict_: Any, value: Any) -> Any:
            bound = state.manager.info[_WATCHED].bindings[self.key]
            return kind.set_committed_value(self, state, dict_, boxed(value, bound))

        body = {"__slots__": (), "_purposebind": True, "set_committed_value": set_committed_value}
        _committing[kind] = type(kind.__name__, (kind,), body)
    impl.__class__ = _committing[kind]


_committing: dict[type[Any], type[Any]] = {}


# A copy keeps what a pickle leaves out: the boxes stay in this process.
def _copy(self: Any) -> Any:
    made = _empty(self)
    made.__dict__.update(self.__dict__)
    return made


def _deepcopy(self: Any, memo: dict[int, Any]) -> Any:
    made = memo[id(self)] = _empty(self)
    made.__dict__.update(copy.deepcopy(self.__dict__, memo))
    state: Any = made._sa_instance_state
    state.expired_attributes -= made.__dict__.keys()
    return made


def _empty(entity: Any) -> Any:
    cls: Any = type(entity)
    return cls.__new__(cls)


def _getstate(self: Any) -> dict[str, Any]:
    state: InstanceState[Any] = self._sa_instance_state
    watched = state.manager.info.get(_WATCHED)
    gone = watched.left_out(state) if watched is not None else ()
    return {key: value for key, value in self.__dict__.items() if key not in gone}
