"""The errors, as one tree. They carry what happened as attributes, never a value, and their text teaches the fix.

- **R7** No error holds the value that was asked for: a violation is made from names and places alone.
- **R12** A denial looks like a denial: no class here is an `AttributeError`, `KeyError`, `LookupError` or `ValueError`,
  so that ``hasattr``, ``getattr(..., default)``, ``from_attributes`` and ``match`` cannot turn one into "absent".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .purpose import Purpose
    from .sites import Site

__all__ = [
    "UNRECOGNIZED",
    "NoActivePurpose",
    "NotRecorded",
    "PolicyError",
    "PurposeError",
    "PurposeViolation",
    "Reason",
    "chained",
]

UNRECOGNIZED: Final = "unrecognized"
"""The name of the purpose that stands for those which a process received and does not know."""


_FACTS = (
    "field",
    "reason",
    "allowed",
    "never",
    "consent",
    "collected",
    "active",
    "sites",
    "culprits",
    "site",
    "detail",
    "where",
)


class Reason(Enum):
    """Why a read was refused."""

    NOT_ALLOWED = "not allowed"
    """An active purpose is covered by none of the purposes that the tag allows."""
    NEVER = "never allowed"
    """An active purpose is covered by the tag's ``never=``."""
    NO_SCOPE = "no scope"
    """No scope was ever opened here."""
    SCOPE_CLOSED = "scope closed"
    """The scope that was in force here is over: its block was left."""
    GENERATOR = "generator"
    """The read is in a generator, which runs in the scope of whoever drives it, and nobody's is open."""
    OTHER_THREAD = "other thread"
    """The scopes open now are other threads'; a thread starts with none."""
    NO_CONSENT = "no consent"
    """It is allowed with the data subject's consent, and she has not given it, or whether she has cannot be told."""
    RETENTION_OVER = "retention over"
    """The time for which it is retained is over, or when it began cannot be told."""
    NOT_RECORDED = "not recorded"
    """It is allowed, and the ledger that records every read cannot record it."""


def chained(
    error: BaseException,
    *,
    suppressed: bool = False,
    past: Callable[[BaseException], bool] = lambda error: True,
) -> Iterator[BaseException]:
    """Yield `error`, what it groups, and what it was raised from or while handling, each once, the nearest first.

    Args:
        error: An exception, or a group.
        suppressed: Follow what ``from None`` hides too.
        past: Whether to look behind an exception.

    Example:
        >>> try:
        ...     raise LookupError from KeyError()
        ... except LookupError as error:
        ...     [type(one).__name__ for one in chained(error)]
        ['LookupError', 'KeyError']
    """
    waiting: deque[BaseException] = deque([error])
    seen: set[int] = set()
    while waiting:
        found = waiting.popleft()
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        if past(found):
            waiting += _grouped(found)
            context = found.__context__ if suppressed or not found.__suppress_context__ else None
            waiting += [one for one in (found.__cause__, context) if one is not None]


def _grouped(error: BaseException) -> Iterator[BaseException]:
    """What a group holds: the language's, its backport's, and those of trio and anyio before."""
    try:
        members = getattr(error, "exceptions", ())
    except Exception:  # somebody's property
        return
    if isinstance(members, (list, tuple)):
        yield from (member for member in members if isinstance(member, BaseException))


class PurposeError(Exception):
    """The base of every error of this library."""


class PolicyError(PurposeError):
    """A purpose, tag or handover is declared in a way that protects nothing, contradicts itself or widens a policy."""


class PurposeViolation(PurposeError):
    """Tagged data was about to be read for a purpose that its tag does not cover.

    Attributes:
        field: What was read, such as ``"Account.phone"`` or the name of a function under `requires_purpose`.
        allowed: The purposes that the tag allows, ordered by name.
        never: The purposes that it refuses, ordered by name.
        consent: The purposes of `allowed` for which the data subject has to consent, ordered by name.
        collected: What the value was collected for, ordered by name, where that was said. `allowed` is no more.
        active: The purposes that were active, ordered by name; empty where no scope was.
        sites: Where each scope in force was entered, outermost first, as (purpose, site).
        culprits: The active purposes that are not covered, ordered by name.
        reason: Why, as a `Reason`.
        site: Where the read is, or None where no Python frame outside the library was found.
        detail: What more is known of a lost scope, a consent or a time, in words.
        where: What reads it, in words, where that is no code: ``"WHERE of a SQL statement"``. Empty otherwise.

    Example:
        >>> try:
        ...     raise NoActivePurpose(field="Account.phone", reason=Reason.NO_SCOPE)
        ... except PurposeViolation as violation:
        ...     violation.field
        'Account.phone'
    """

    def __init__(
        self,
        *,
        field: str,
        reason: Reason,
        allowed: Sequence[Purpose] = (),
        never: Sequence[Purpose] = (),
        consent: Sequence[Purpose] = (),
        collected: Sequence[Purpose] = (),
        active: Sequence[Purpose] = (),
        sites: Sequence[tuple[Purpose, Site]] = (),
        culprits: Sequence[Purpose] = (),
        site: Site | None = None,
        detail: str = "",
        where: str = "",
    ) -> None:
        super().__init__(field, reason.value)
        self.field = field
        self.reason = reason
        self.allowed = tuple(allowed)
        self.never = tuple(never)
        self.consent = tuple(consent)
        self.collected = tuple(collected)
        self.active = tuple(active)
        self.sites = tuple(sites)
        self.culprits = tuple(culprits)
        self.site = site
        self.detail = detail
        self.where = where

    def __str__(self) -> str:
        return "\n".join((self._headline(), *self._facts(), *self._ways_out()))

    def _headline(self) -> str:
        return f"{self.field} may not be read for {_names(self.active)}."

    def _facts(self) -> list[str]:
        facts = []
        if self.site is not None:
            facts.append(f"  read at      {self.site}")
        if self.where:
            facts.append(f"  read in      {self.where}")
        facts.append(f"  allowed for  {self._allowed()}" + (f", never {_names(self.never)}" if self.never else ""))
        if self.consent:
            facts.append(f"  on consent   {_names(self.consent)}")
        if self.collected:
            facts.append(f"  collected    for {_names(self.collected)}")
        for number, (purpose, site) in enumerate(self.sites):
            label = "active" if number == 0 else ""
            facts.append(f"  {label:<11}  {purpose} (entered at {site})")
        facts.append(f"  because      {self._because()}")
        return facts

    def _allowed(self) -> str:
        if self._free():
            return _names(self._free())
        if self.consent:
            return "nothing without consent"
        if self.collected:
            return "nothing: it was collected for what its tag does not allow"
        return "nothing: its sources have no purpose in common"

    def _free(self) -> list[Purpose]:
        """What it is allowed for without anybody's consent."""
        return [one for one in self.allowed if not any(asked.includes(one) for asked in self.consent)]

    def _because(self) -> str:
        if self.reason in (Reason.NO_CONSENT, Reason.RETENTION_OVER):
            return self.detail
        if self.reason is Reason.NEVER:
            return f"the tag says never for {_names(self.culprits)}"
        verb = "is" if len(self.culprits) == 1 else "are"
        return f"{_names(self.culprits)} {verb} not covered by what it is allowed for"

    def _ways_out(self) -> list[str]:
        owner = f"  - change the tag on {self.field}, together with whoever owns the data."
        if self.collected:
            owner = f"  - ask the data subject: what was collected for {_names(self.collected)} stays bound to that."
        if not self.allowed:
            return ["Ways out:", owner]
        if self.reason in (Reason.NO_CONSENT, Reason.RETENTION_OVER):
            return ["Ways out:", *_CONDITIONS[self.reason], owner]
        wanted = (self._free() or self.allowed)[0].name
        unknown = [p for p in self.culprits if p.name == UNRECOGNIZED]
        if unknown:
            return [
                "Ways out:",
                "  - declare, in this process too, the purposes that the work was sent under; the log names them.",
            ]
        others = [p for p in self.culprits if not any(p.includes(allowed) for allowed in self.allowed)]
        lines = ["Ways out:"]
        if self.reason is Reason.NOT_ALLOWED and len(others) < len(self.culprits):
            narrower = next(a for a in self.allowed for p in self.culprits if p.includes(a)).name
            lines.append(
                f"  - narrow the scope to what is allowed: with purpose_scope(Purpose.find({narrower!r})): ..."
            )
        if others or self.reason is Reason.NEVER:
            lines += [
                f"  - do this read outside {_names(others or self.culprits)}, in a scope of its own:",
                f"      with purpose_scope(Purpose.find({wanted!r})): ...",
            ]
        for left in others if self.reason is Reason.NOT_ALLOWED else ():
            lines += [
                f"  - if {left} work rightly becomes {wanted} work here, declare the handover:",
                f"      Purpose.find({left.name!r}).may_hand_over_to(Purpose.find({wanted!r}), reason=...)",
            ]
        return [*lines, owner]

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), vars(self).copy())


class NoActivePurpose(PurposeViolation):
    """Tagged data was about to be read where no purpose is active (R3).

    Example:
        >>> print(NoActivePurpose(field="Account.phone", reason=Reason.NO_SCOPE))
        Account.phone may not be read: no purpose is active here.
          allowed for  nothing: its sources have no purpose in common
          because      no scope was opened
        Ways out:
          - change the tag on Account.phone, together with whoever owns the data.
    """

    def _headline(self) -> str:
        return f"{self.field} may not be read: no purpose is active here."

    def _because(self) -> str:
        return self.detail or "no scope was opened"

    def _ways_out(self) -> list[str]:
        owner = f"  - change the tag on {self.field}, together with whoever owns the data."
        if not self.allowed:
            return ["Ways out:", owner]
        wanted = (self._free() or self.allowed)[0].name
        scope = f"purpose_scope(Purpose.find({wanted!r}))"
        if self.reason is Reason.GENERATOR:
            first = [f"  - decorate the generator, so that each of its steps is in scope: @{scope}"]
        elif self.reason is Reason.OTHER_THREAD:
            first = ["  - take the scope along to this thread: executor.submit(carry(fn), ...)"]
        elif self.reason is Reason.SCOPE_CLOSED:
            first = [f"  - read before the block is left, or state the purpose of this work: with {scope}: ..."]
        else:
            first = [f"  - open a scope here: with {scope}: ..."]
        if self.reason is not Reason.NO_SCOPE and self.reason is not Reason.SCOPE_CLOSED:
            first.append(f"  - or open a scope here: with {scope}: ...")
        return ["Ways out:", *first, owner]


class NotRecorded(PurposeViolation):
    """Tagged data was about to be read, rightly, and the ledger could not record it.

    Example:
        >>> print(NotRecorded(field="Account.phone", reason=Reason.NOT_RECORDED, detail="no space left on device"))
        Account.phone may not be read: the ledger cannot record the read.
          because      no space left on device
        Ways out:
          - mend the ledger: reads go through again as soon as it can be written;
          - or let reads through unrecorded, counted and warned about: configure(on_ledger_failure="continue").
    """

    def _headline(self) -> str:
        return f"{self.field} may not be read: the ledger cannot record the read."

    def _facts(self) -> list[str]:
        read_at = [f"  read at      {self.site}"] if self.site is not None else []
        return [*read_at, f"  because      {self.detail}"]

    def _ways_out(self) -> list[str]:
        return [
            "Ways out:",
            "  - mend the ledger: reads go through again as soon as it can be written;",
            '  - or let reads through unrecorded, counted and warned about: configure(on_ledger_failure="continue").',
        ]


_CONDITIONS: Final = {
    Reason.NO_CONSENT: (
        "  - read the data of those who consent alone: configure(consent=...) says who is asked, and its",
        "    consenting(subjects, purpose) tells who they are;",
        "  - ask the data subject, and record what she says there.",
    ),
    Reason.RETENTION_OVER: (
        "  - erase what is kept for too long;",
        "  - where it is not too long: the model's CollectedAt field says when it was collected; SQL cannot ask it.",
    ),
}


def _names(purposes: Sequence[Purpose]) -> str:
    return ", ".join(str(purpose) for purpose in purposes)


def _restore(cls: type[PurposeViolation], state: dict[str, Any]) -> PurposeViolation:
    facts = {name: state.pop(name) for name in _FACTS if name in state}
    violation = cls(**facts)
    vars(violation).update(state)  # notes, and what others added
    return violation
