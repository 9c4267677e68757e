"""The choke point: every road to a tagged value asks `admit`, which goes scope, policy, record, open.

Attribute, serializer, pickle, comparison, `Sealed.open`, `requires_purpose`: all of them. So what is true here is
true for every road:

- **R2**, **R3** are decided by `decide`, in one place.
- **R7** What is refused is described by names and places; the value never comes here.
- **R11** Observing differs from enforcing in the last step alone: record and warn, instead of raise.

A grant is remembered (in the active set, shared by its frames) only while nobody is told of reads; with a ledger every
read passes `admit`.
"""

from __future__ import annotations

import dataclasses
import logging
import sys
import threading
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

from . import config, scope
from .conditions import settled
from .errors import NoActivePurpose, PurposeViolation, Reason
from .frames import DEAD, Frame, open_frames
from .pending import refuse
from .policy import Decision, Policy, decide
from .purpose import Purpose
from .recording import private_subject, record_denial, record_read
from .sites import Site, outside_frame

__all__ = ["Binding", "Denial", "Read", "admit"]

_logger = logging.getLogger("purposebind")
_warned: set[tuple[str, frozenset[Purpose], str]] = set()
_here = threading.local()
_SUSPENDS: Final = 0x20 | 0x200  # CO_GENERATOR, CO_ASYNC_GENERATOR


@dataclass(frozen=True, eq=False)
class Binding:
    """A field bound to its policy.

    Attributes:
        field: The field's name as errors show it, such as ``"Account.phone"``.
        policy: What it may be used for.
        mode: The mode of its model, or None for the configured one.
        where: What reads it, in words, where that is no code, such as ``"WHERE of a SQL statement"``.
        collected: What the value was collected for, or None where nobody said. `policy` is as narrow.
        of: The binding of the field's values whatever they were collected for, or None if this is that.
    """

    field: str
    policy: Policy
    mode: config.Mode | None = None
    where: str = ""
    collected: Policy | None = None
    of: Binding | None = None
    _narrowed: dict[Policy, Binding] = dataclasses.field(default_factory=dict, init=False, repr=False)

    def collected_for(self, purposes: Policy | None) -> Binding:
        """Return the binding of values of the field that were collected for `purposes`, one object for each."""
        if purposes is None:
            return self
        known = self._narrowed.get(purposes)
        if known is None:
            collected = purposes if self.collected is None else self.collected.join(purposes)
            made = dataclasses.replace(self, policy=self.policy.join(purposes), collected=collected, of=self.of or self)
            known = self._narrowed.setdefault(purposes, made)
        return known

    def __setstate__(self, state: dict[str, Any]) -> None:  # of a pickle made before bindings could be narrowed
        vars(self).update({"_narrowed": {}, **state})

    def __reduce__(self) -> tuple[Any, ...]:
        return Binding, (self.field, self.policy, self.mode, self.where, self.collected)


@dataclass(frozen=True)
class Denial:
    """A read that was refused, or would have been in enforce mode. What `on_violation` hooks are called with.

    Attributes:
        field: What was read, such as ``"Account.phone"``.
        allowed: The purposes its tag allows, ordered by name.
        active: The purposes that were active.
        reason: Why it was refused.
        site: Where the read is, or None where no Python frame outside the library was found.
        enforced: Whether the violation was raised, not only observed.
        subject: The value of the model's `SubjectId` field, or None; where that field is tagged itself, a digest that
            is the same for the same person in this process.
        violation: The error, as it was or would have been raised.
    """

    field: str
    allowed: tuple[Purpose, ...]
    active: frozenset[Purpose]
    reason: Reason
    site: Site | None
    enforced: bool
    subject: Any = dataclasses.field(repr=False)
    violation: PurposeViolation = dataclasses.field(repr=False)


@dataclass(frozen=True)
class Read:
    """A read that was let through. What `on_read` recorders are called with.

    Attributes:
        field: What was read.
        active: The purposes that were active.
        subject: As in `Denial`.
        frame: The scope it happened in; its identity is the activity.
    """

    field: str
    active: frozenset[Purpose]
    subject: Any = dataclasses.field(repr=False)
    frame: Frame = dataclasses.field(repr=False)


def admit(binding: Binding, subject: Any = None, until: float | None = None) -> None:
    """Let a read pass, or refuse it.

    Args:
        binding: What is read.
        subject: Whose data it is, if known.
        until: When its retention is over, in seconds since 1970, if that is known and there is one.

    Raises:
        PurposeViolation: The active purposes are not covered, in enforce mode (R2).
        NoActivePurpose: No purpose is active, in enforce mode (R3).
    """
    frame = scope.current_frame()
    policy = binding.policy
    if policy in frame.granted:
        return
    active = frame.entry.active
    remembering: set[Any] | None = active.granted
    if frame.granted is DEAD or policy not in active.decided:
        decision = decide(policy, frame.active)
        emergency = frame.in_emergency and config.current.ledger is not None  # what is not recorded is no emergency's
        final = not (decision.consent or policy.retain is not None)
        if not final:
            remembering = None if decision.consent else active.timed
            if decision.allowed and not emergency:  # in which nobody is asked
                decision = settled(decision, policy, frame, subject, until)
        if decision.allowed:
            if final:
                active.decided.add(policy)
        elif not emergency:
            _refuse(binding, frame, decision, subject)
            if frame.notes is not None:
                frame.notes.append((binding, subject, until))
            return
    if frame.notes is not None:
        frame.notes.append((binding, subject, until))
    current = config.current
    if current.ledger is not None:
        record_read(current.ledger, binding, subject, frame)
        if not frame.watched and not current.on_read:
            frame.record = current.ledger.shortcut(frame)
            if frame.granted is DEAD or config.current is not current:  # since just now, by another thread
                frame.record = None
    if current.on_read:
        read = Read(binding.field, frame.active, private_subject(subject), frame)
        for hook in current.on_read:
            hook(read)
    elif current.ledger is None and frame.granted is active.granted and remembering is not None:
        remembering.add(policy)
        if config.current.sees_reads:  # since just now, by another thread
            remembering.discard(policy)


def _refuse(binding: Binding, frame: Frame, decision: Decision, subject: Any) -> None:
    reader = outside_frame(sys._getframe())
    unscoped = decision.reason is Reason.NO_SCOPE
    reason, detail = _how_lost(frame, reader) if unscoped else (decision.reason, decision.detail)
    assert reason is not None
    facts: dict[str, Any] = {
        "field": binding.field,
        "reason": reason,
        "allowed": tuple(sorted(binding.policy.allowed)),
        "never": tuple(sorted(binding.policy.never)),
        "consent": tuple(sorted(binding.policy.consent)),
        "collected": tuple(sorted(binding.collected.allowed)) if binding.collected is not None else (),
        "active": tuple(sorted(frame.active)),
        "sites": scope.entered(frame) if frame.alive else [],
        "culprits": decision.culprits,
        "site": Site(reader.f_code, reader.f_lasti) if reader is not None else None,
        "detail": detail,
        "where": binding.where,
    }
    kind = NoActivePurpose if unscoped else PurposeViolation
    mode = binding.mode or config.current.mode
    if unscoped and binding.mode is None and config.current.unscoped == "observe":
        mode = "observe"
    enforced = mode == "enforce"
    violation = kind(**facts)
    denial = Denial(
        field=binding.field,
        allowed=violation.allowed,
        active=frame.active,
        reason=reason,
        site=violation.site,
        subject=private_subject(subject),
        enforced=enforced,
        violation=violation,
    )
    del reader  # a frame that held itself would keep its caller's values
    if config.current.ledger is not None:
        record_denial(config.current.ledger, denial, subject, frame)
    _tell(denial)
    if not enforced:
        _warn_once(violation)  # R11: the one difference
        return
    del denial
    try:
        refuse(violation, facts)
    finally:  # else the error, its traceback and this frame would hold one another
        del violation


def _how_lost(frame: Frame, reader: FrameType | None) -> tuple[Reason, str]:
    while frame.notes is not None and not frame.entry.purposes and frame.parent is not None:
        frame = frame.parent  # a frame of ours, made to note what is read
    if not frame.alive:
        names = ", ".join(p.name for p in frame.entry.purposes)
        block = f"scope of {names}" if names else f"{type(frame.owner).__name__} block"
        return Reason.SCOPE_CLOSED, (
            f"the {block}, entered at {frame.site}, is over: this code outlived its block "
            "(a task, thread, callback or generator made inside it)"
        )
    if frame.entry.active.origin:
        names = ", ".join(sorted(purpose.name for purpose in frame.entry.active.purposes))
        return Reason.NO_SCOPE, (
            f"this work was received with {frame.entry.active.origin} under {names}, which narrows what it may read "
            "and allows nothing: it has to state a purpose of its own"
        )
    if reader is not None and reader.f_code.co_flags & _SUSPENDS:
        return Reason.GENERATOR, (
            f"{reader.f_code.co_name}() is a generator: it runs in the scope of whoever drives it, not in the one "
            "where it was made, and its driver is in none"
        )
    others = open_frames()
    thread = threading.current_thread()
    if others and thread is not threading.main_thread():
        return Reason.OTHER_THREAD, (
            f"the thread {thread.name!r} is in no scope, and a thread starts with none (open elsewhere: "
            f"{', '.join(sorted({p.name for other in others for p in other.entry.purposes}))})"
        )
    return Reason.NO_SCOPE, ""


def _tell(denial: Denial) -> None:
    if getattr(_here, "telling", False):  # a hook that reads tagged data is refused like anyone, but not told again
        return
    _here.telling = True
    try:
        for hook in config.current.on_violation:
            try:
                hook(denial)
            except KeyboardInterrupt:
                raise
            except BaseException:
                _logger.exception("an on_violation hook failed; the denial of %s stands", denial.field)
    finally:
        _here.telling = False


def _warn_once(violation: PurposeViolation) -> None:
    key = (violation.field, frozenset(violation.active), str(violation.site))
    if key not in _warned:
        _warned.add(key)
        _logger.warning("observed, not enforced: %s", violation)
