"""Boxes in objects of other libraries: an entity's attributes, a row's columns.

What this module keeps:

- **R1** What such an object holds sealed is asked for like a model's field when it is read, and for nothing else.
- **R7** What cannot be converted is not quoted.
- **R8** A value that is moved from one holder to another is as narrow as both say.
- **R9** `unsealed` and `contents` reveal without a question. They are for code that hands a value on to where it is
  kept, such as a database's parameters, and to nobody else.

For the integrations with databases, and for your own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .config import Mode
from .enforcement import Binding, admit
from .guards import bound
from .policy import Policy
from .sealed import Sealed, ask
from .subjects import BoxedSubject, Subject

__all__ = ["asked", "binding", "boxed", "boxer", "contents", "is_somebodys", "opened", "settle", "tell", "unsealed"]


def binding(field: str, policy: Policy, mode: Mode | None = None) -> Binding:
    """Return what binds a holder's field to its policy.

    Args:
        field: The field's name in errors, such as ``"Account.phone"``.
        policy: What it may be used for.
        mode: The mode of its holder, or None for the configured one.
    """
    return Binding(field, policy, mode)


def boxed(value: Any, binding: Binding, subject: Any = None) -> Any:
    """Return `value` as a holder keeps it: absence bare, a box as narrow as it was and as `binding` is, all else boxed.

    Args:
        value: A plain value, or a box.
        binding: The field, and its policy.
        subject: Whose data it is, if known: a plain value, or a box where the `SubjectId` is tagged itself.
    """
    return bound(value, binding, subject)


def boxer(binding: Binding, convert: Callable[[Any], Any] | None = None) -> Callable[[Any], Any]:
    """Return a function that boxes plain values, in few steps: for what boxes thousands. None stays bare.

    Args:
        binding: The field.
        convert: What is done to each value before.
    """

    def put(value: Any) -> Any:
        if convert is not None:
            problem: Exception | None = None
            try:
                value = convert(value)  # its errors quote the value
            except Exception as error:
                problem = ValueError(f"What is stored for {binding.field} is not of its type ({type(error).__name__}).")
            if problem is not None:
                del value  # a traceback shows the locals of this function (R7)
                raise problem
        if value is None:
            return None
        box: Sealed[Any] = Sealed()
        box._purposebind_value = value
        box._purposebind_binding = binding
        box._purposebind_subject = None
        return box

    return put


def unsealed(value: Any) -> Any:
    """Return what is in `value`, if it is a box, without asking; or else `value`. Not for anybody who reads it."""
    return value._purposebind_value if type(value) is Sealed else value


def contents(box: Sealed[Any]) -> tuple[Any, Binding]:
    """Return what is in a box, without asking, and what it is bound to. Not for anybody who reads it."""
    return box._purposebind_value, box._purposebind_binding


def settle(values: dict[str, Any], bindings: Mapping[str, Binding], subject: str | None) -> None:
    """Box what `values` holds open, and say of each box whose data it is, where that is not known.

    Args:
        values: An object's attributes.
        bindings: Those that are tagged.
        subject: The name of the one marked `SubjectId`, or None.
    """
    person = values.get(subject) if subject is not None else None
    if type(person) is Sealed:
        if person._purposebind_subject is None:
            person._purposebind_subject = Subject.ITSELF
        person = BoxedSubject(person)
    for name, binding in bindings.items():
        value = values.get(name)
        if type(value) is Sealed:
            if value._purposebind_subject is None:
                value._purposebind_subject = person
        elif value is not None:
            values[name] = bound(value, binding, person)


def is_somebodys(box: Sealed[Any]) -> bool:
    """Whether a box knows whose data it holds."""
    return box._purposebind_subject is not None


def tell(box: Sealed[Any], person: Any) -> None:
    """Tell a box whose data it holds.

    Args:
        box: The box.
        person: The value of the `SubjectId`, or its box, which may be `box` itself; None where it is not known.
    """
    box._purposebind_subject = (
        Subject.ITSELF if person is box else BoxedSubject(person) if type(person) is Sealed else person
    )


def asked(binding: Binding, subject: Any = None) -> None:
    """Ask for a field that holds nothing, or is not in a box yet: absence is read too.

    Raises:
        PurposeViolation: It may not be read here.
    """
    admit(binding, subject)


def opened(box: Sealed[Any]) -> Any:
    """Return what is in `box`, to code that reads it.

    Raises:
        PurposeViolation: It may not be read here.
    """
    ask(box)
    return box._purposebind_value
