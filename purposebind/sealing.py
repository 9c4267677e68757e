"""The hot path in: sealing an instance.

One function for each class, made once, with what it needs in its closure; it runs for every instance that is validated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import MISSING

from .enforcement import Binding
from .guards import bound
from .sealed import Sealed, seal

__all__ = ["sealer"]

_AS_IT_IS = frozenset((type(None), type(MISSING), Sealed))  # absence stays bare (R1)


def sealer(
    cls: Any, bindings: Mapping[str, Binding], subject_field: str | None, derived: frozenset[str]
) -> Callable[[Any], None]:
    """Return the function that seals an instance: the hot path in."""
    fields = tuple(bindings.items())
    subject_binding = bindings.get(subject_field) if subject_field is not None else None
    say_so = cls._purposebind_values.__set__
    new_box: Callable[[], Sealed[Any]] = Sealed
    as_it_is = _AS_IT_IS

    def seal_model(model: Any) -> None:
        values = model.__dict__
        subject = None
        if subject_field is not None:
            subject = values.get(subject_field)
            if subject_binding is not None and subject is not None and type(subject) is not Sealed:
                subject = values[subject_field] = bound(subject, subject_binding, None)  # before it goes into others
        try:
            for name, binding in fields:
                value = values[name]
                if type(value) in as_it_is:
                    if type(value) is Sealed and value._purposebind_binding is not binding:  # moved from elsewhere
                        values[name] = seal(value, binding, subject)
                    continue
                values[name] = box = new_box()
                box._purposebind_value = value
                box._purposebind_binding = binding
                box._purposebind_subject = subject
        except KeyError:  # a field that is not there at all, after model_construct or del: the others, and again
            present = {name: binding for name, binding in fields if name in values}
            sealer(cls, present, subject_field, derived)(model)
            return
        if derived:
            for name in derived & values.keys():  # a validator computed it from plain values: again, and noted
                if type(values[name]) is not Sealed:
                    del values[name]
        say_so(model, values)

    return seal_model
