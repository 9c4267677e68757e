"""Boxes in objects of other libraries: an entity's attributes, a row's columns.

What this module keeps:

- **R1** What such an object holds sealed is asked for like a model's field when it is read, and for nothing else.
- **R7** What cannot be converted is not quoted.
- **R8** A value that is moved from one holder to another is as narrow as both say. What it was collected for, and until
  when it is retained, a holder that keeps that elsewhere tells its box when it is loaded.
- **R9** `unsealed` and `contents` reveal without a question. They are for code that hands a value on to where it is
  kept, such as a database's parameters, and to nobody else.

For the integrations with databases, and for your own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import retaining
from .config import Mode
from .enforcement import Binding, admit
from .guards import bound
from .joining import same_person, until_of
from .policy import Policy
from .recording import identity
from .scope import current_frame
from .sealed import Sealed, ask, seal
from .subjects import BoxedSubject, Subject, resolved

__all__ = [
    "anothers",
    "asked",
    "binding",
    "boxed",
    "boxer",
    "collected_here",
    "collection",
    "contents",
    "date",
    "deadline",
    "expires",
    "is_settled",
    "is_somebodys",
    "narrow",
    "opened",
    "renewed",
    "settle",
    "tell",
    "unowned",
    "unsealed",
]


def binding(field: str, policy: Policy, mode: Mode | None = None) -> Binding:
    """Return what binds a holder's field to its policy.

    Args:
        field: The field's name in errors, such as ``"Account.phone"``.
        policy: What it may be used for.
        mode: The mode of its holder, or None for the configured one.
    """
    return Binding(field, policy, mode)


def boxed(value: Any, binding: Binding, subject: Any = None, until: float | None = None) -> Any:
    """Return `value` as a holder keeps it: absence bare, a box as narrow as it was and as `binding` is, all else boxed.

    Args:
        value: A plain value, or a box. A plain value is collected here.
        binding: The field, and its policy.
        subject: Whose data it is, if known: a plain value, or a box where the `SubjectId` is tagged itself.
        until: When its retention is over, as `deadline` says, if that is known. A box's own stays, if that is sooner.
    """
    return bound(value, binding, subject, until)


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


def collection(box: Sealed[Any]) -> Policy | None:
    """Return what the value in a box was collected for, or None where nobody said."""
    collected: Policy | None = box._purposebind_binding.collected
    return collected


def collected_here() -> Policy | None:
    """Return what a plain value that is taken in here is collected for: what the `collected_for` blocks around say."""
    return current_frame().collected


def narrow(box: Sealed[Any], purposes: Policy) -> None:
    """Have a box that was just made, and that nobody has yet, hold what was collected for `purposes`."""
    box._purposebind_binding = box._purposebind_binding.collected_for(purposes)


def deadline(collected: Any, policy: Policy) -> float | None:
    """Return when the retention of a value is over, in seconds since 1970; None where that is not known.

    Args:
        collected: When it was collected: a `datetime`, for UTC if it has no time zone, or a `date`.
        policy: What it may be used for.
    """
    return retaining.retained_until(collected, policy)


def expires(box: Sealed[Any]) -> float | None:
    """Return when the retention of what is in a box is over; None where there is none, or it is not known."""
    return until_of(box)


def renewed(box: Sealed[Any], collected: Any) -> Sealed[Any]:
    """Return what is in a box in another one, whose retention is counted from a time that was said anew."""
    binding = box._purposebind_binding
    until = retaining.retained_until(collected, binding.policy)
    return seal(box._purposebind_value, binding, box._purposebind_subject, until)


def settle(
    values: dict[str, Any], bindings: Mapping[str, Binding], subject: str | None, collected: str | None = None
) -> None:
    """Box what `values` holds open, and say of each box what is not known: whose data it is, and until when.

    Args:
        values: An object's attributes.
        bindings: Those that are tagged.
        subject: The name of the one marked `SubjectId`, or None.
        collected: The name of the one marked `CollectedAt`, or None.
    """
    time = values.get(collected) if collected is not None else None
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
            values[name] = value = bound(value, binding, person)
        if time is not None and type(value) is Sealed:
            date(value, time)


def is_somebodys(box: Sealed[Any]) -> bool:
    """Whether a box knows whose data it holds."""
    return box._purposebind_subject is not None


def anothers(box: Sealed[Any], person: Any) -> bool:
    """Whether reading what is in a box hangs on the consent of somebody else than `person`, who could not give it (R8).

    A box that does not know its person is whoever's it is given to.

    Args:
        box: The box.
        person: The value of the `SubjectId` of where it is put, or its box; None where that is not known.
    """
    known = box._purposebind_subject
    if known is None or not box._purposebind_binding.policy.consent:
        return False
    theirs = BoxedSubject(person) if type(person) is Sealed else person
    return known is Subject.SHARED or not same_person(identity(resolved(known, box)), identity(theirs))


def unowned(box: Sealed[Any]) -> Sealed[Any]:
    """Return what is in a box in another one, that does not know whose it is: for where that is kept elsewhere."""
    return seal(box._purposebind_value, box._purposebind_binding, None, until_of(box))


def is_settled(box: Sealed[Any]) -> bool:
    """Whether a box knows whose data it holds, and until when it may be read."""
    return is_somebodys(box) and _has_deadline(box)


def _has_deadline(box: Sealed[Any]) -> bool:
    return box._purposebind_binding.policy.retain is None or until_of(box) is not None


def tell(box: Sealed[Any], person: Any) -> None:
    """Tell a box whose data it holds.

    Args:
        box: The box.
        person: The value of the `SubjectId`, or its box, which may be `box` itself; None where it is not known.
    """
    box._purposebind_subject = (
        Subject.ITSELF if person is box else BoxedSubject(person) if type(person) is Sealed else person
    )


def date(box: Sealed[Any], collected: Any) -> None:
    """Tell a box that does not know until when it may be read when its value was collected.

    Args:
        box: The box.
        collected: When: a `datetime` or a `date`. Anything else tells nothing.
    """
    if not _has_deadline(box):
        until = retaining.retained_until(collected, box._purposebind_binding.policy)
        if until is not None:
            box._purposebind_until = until


def asked(binding: Binding, subject: Any = None, until: float | None = None) -> None:
    """Ask for a field that holds nothing, or is not in a box yet: absence is read too.

    Args:
        binding: The field.
        subject: Whose data it is, if known.
        until: When its retention is over, if there is one and that is known.

    Raises:
        PurposeViolation: It may not be read here.
    """
    admit(binding, subject, until)


def opened(box: Sealed[Any]) -> Any:
    """Return what is in `box`, to code that reads it.

    Raises:
        PurposeViolation: It may not be read here.
    """
    ask(box)
    return box._purposebind_value
