"""The hot path in: sealing an instance.

One function for each class, compiled once for its fields; it runs for every instance that is validated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import MISSING

from .enforcement import Binding
from .frames import COLLECTING
from .guards import bound
from .inheriting import hand_down
from .policy import Policy
from .retaining import retained_until
from .scope import current_frame
from .sealed import Sealed, seal
from .subjects import BoxedSubject, Subject

__all__ = ["sealer"]

_AS_IT_IS = frozenset((type(None), type(MISSING), Sealed))  # absence stays bare (R1)


_ENTER = """\
def seal_model(model):
    if collecting and (collected := current_frame().collected) is not None:
        return seal_collected(model, collected)
    values = model.__dict__
    subject = subject_of(values)
    try:
"""
_COLLECTED = """\
    if collecting and (collected := current_frame().collected) is not None:
        return seal_collected(model, collected)
"""
_FIELD = """\
        value = values[name_{0}]
        kind = type(value)
        if kind is not str and kind in as_it_is:  # nearly all are strings, and one comparison costs less
            if kind is Sealed and (source := value._purposebind_binding) is not of_{0} and source.of is not of_{0}:
                values[name_{0}] = seal(value, of_{0}, subject)  # moved from elsewhere
        else:
            values[name_{0}] = box = Sealed()
            box._purposebind_value = value
            box._purposebind_binding = binding_{0}
            box._purposebind_subject = subject
"""
_DEADLINE = "retained_until(values.get(collected_at), of_{0}.policy)"
_LEAVE = """\
        pass
    except KeyError:  # a field that is not there at all, after model_construct or del: the others, and again
        return seal_present(model)
    forget_derived(values)
    hand_down_all(values, subject)
    say_so(model, values)
"""


def sealer(
    cls: Any,
    bindings: Mapping[str, Binding],
    subject_field: str | None,
    derived: frozenset[str],
    reaching: frozenset[str] = frozenset(),
    collected_field: str | None = None,
    collected: Policy | None = None,
) -> Callable[[Any], None]:
    """Return the function that seals an instance, written out for the fields of `cls`.

    A loop over the fields costs a tenth of the whole, so the function is compiled with a passage for each. No name of
    the class's goes into its text.

    Args:
        cls: The class.
        bindings: Its tagged fields and what each is bound to, by name.
        subject_field: The name of its `SubjectId` field, or None.
        derived: The names of its cached properties.
        reaching: The fields that may hold something sealed inside.
        collected_field: The name of its `CollectedAt` field, or None.
        collected: What the values are collected for, in the function for a `collected_for` block.
    """
    subject_binding = bindings.get(subject_field) if subject_field is not None else None

    def subject_of(values: dict[str, Any]) -> Any:
        subject = values.get(subject_field) if subject_field is not None else None
        if subject_binding is not None and subject_field is not None and subject is not None:
            if type(subject) is not Sealed:  # before it goes into the others' boxes
                subject = values[subject_field] = bound(subject, subject_binding, Subject.ITSELF)
            subject._purposebind_subject = Subject.ITSELF
        return BoxedSubject(subject) if type(subject) is Sealed else subject

    def seal_present(model: Any) -> None:
        present = {name: binding for name, binding in bindings.items() if name in model.__dict__}
        sealer(cls, present, subject_field, derived, reaching, collected_field, collected)(model)

    def seal_collected(model: Any, purposes: Policy) -> None:
        function = variants.get(purposes)
        if function is None:
            function = sealer(cls, bindings, subject_field, derived, reaching, collected_field, purposes)
            variants[purposes] = function
        function(model)

    def hand_down_all(values: dict[str, Any], subject: Any) -> None:
        for name in reaching:
            hand_down(values.get(name), subject)

    def forget_derived(values: dict[str, Any]) -> None:
        for name in derived & values.keys():  # a validator computed it from plain values: again, and noted
            if type(values[name]) is not Sealed:
                del values[name]

    variants: dict[Policy, Callable[[Any], None]] = {}
    text = _ENTER
    for number, binding in enumerate(bindings.values()):
        text += _FIELD.format(number)
        if binding.policy.retain is not None:
            text = text.replace(f", of_{number}, subject)", f", of_{number}, subject, {_DEADLINE.format(number)})")
            text += f"            box._purposebind_until = {_DEADLINE.format(number)}\n"
    text += _LEAVE
    if collected is not None:
        text = text.replace(_COLLECTED, "")
    if subject_field is None:
        text = text.replace("subject_of(values)", "None")
    if not reaching:
        text = text.replace("    hand_down_all(values, subject)\n", "")
    if not derived:
        text = text.replace("    forget_derived(values)\n", "")
    scope: dict[str, Any] = {
        "Sealed": Sealed,
        "as_it_is": _AS_IT_IS,
        "collected_at": collected_field,
        "collecting": COLLECTING,
        "current_frame": current_frame,
        "retained_until": retained_until,
        "forget_derived": forget_derived,
        "hand_down_all": hand_down_all,
        "say_so": cls._purposebind_values.__set__,
        "seal": seal,
        "seal_collected": seal_collected,
        "seal_present": seal_present,
        "subject_of": subject_of,
    }
    for number, (name, binding) in enumerate(bindings.items()):
        scope[f"name_{number}"] = name
        scope[f"of_{number}"] = binding
        scope[f"binding_{number}"] = binding.collected_for(collected)
    exec(compile(text, __file__, "exec"), scope)
    seal_model: Callable[[Any], None] = scope["seal_model"]
    return seal_model
