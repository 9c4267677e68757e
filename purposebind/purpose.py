"""Purposes: what personal data may be used for, as a tree of dotted names.

A purpose is declared once, in code, and is the same object everywhere in the process. Two relations stand between
purposes, and both are declared by people and can be reviewed:

- *inclusion*: ``security`` includes ``security.two_factor`` (R2 reads it: a field allowed for the one is allowed for
  the other, never the other way round);
- *handover*: work done for ``orders`` may become work done for ``shipping`` (R4 reads it: the only way to leave a
  purpose from inside).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from typing_extensions import Self

from .errors import UNRECOGNIZED, PolicyError
from .identifiers import Identifiers, identifiers
from .sites import Site, caller

__all__ = ["Handover", "Purpose", "is_purpose_name", "require_purposes"]

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")


@dataclass(frozen=True)
class Handover:
    """A declared way out of one purpose into another (R4).

    Attributes:
        source: The purpose that may be left, with all its descendants.
        target: The purpose that may be entered instead, with all its descendants.
        reason: Why this is right, for the person who reviews it.
        site: Where it was declared.
    """

    source: Purpose
    target: Purpose
    reason: str
    site: Site


class Purpose:
    """A purpose that personal data is collected and used for.

    The term and its meaning are those of GDPR article 5(1)(b), "purpose limitation". A purpose is immutable, hashable,
    ordered by its name, and unique: declaring it again with the same description returns the same object.

    Args:
        name: Parts of lower-case letters, digits and underscores, joined by dots. The parent of a dotted name must have
            been declared before; `child` is the usual way to write one.
        description: What the purpose means, in words that the data subject was told.
        dpv: What it is called in the W3C Data Privacy Vocabulary: a term such as ``"Advertising"``, an IRI, or several.
        fides: The data use of fideslang that it is, such as ``"marketing.advertising"``, or several.
        iab: The purpose of IAB's Transparency and Consent Framework that it is, 1 to 11, ``"special 1"`` to
            ``"special 3"``, or several.

    Raises:
        PolicyError: The name is malformed, its parent is unknown, it was declared with another description or other
            identifiers, or an identifier is not written as such a thing is.

    Example:
        >>> security = Purpose("security", "Keep accounts safe")
        >>> two_factor = security.child("two_factor", "Send a login code")
        >>> two_factor
        Purpose('security.two_factor')
        >>> security.includes(two_factor), two_factor.includes(security)
        (True, False)
    """

    __slots__ = ("__weakref__", "ancestors", "description", "identifiers", "name", "parent")

    name: str
    """The dotted name, such as ``security.two_factor``."""
    description: str
    """What the purpose means."""
    parent: Purpose | None
    """The purpose that includes this one, or None."""
    ancestors: frozenset[Purpose]
    """This purpose and every purpose that includes it."""
    identifiers: Identifiers
    """What others call it; an ancestor's identifiers are not its own."""

    _declared: ClassVar[dict[str, Purpose]] = {}
    _handovers: ClassVar[dict[tuple[Purpose, Purpose], Handover]] = {}

    def __new__(
        cls,
        name: str,
        description: str,
        *,
        dpv: str | Iterable[str] = (),
        fides: str | Iterable[str] = (),
        iab: int | str | Iterable[int | str] = (),
    ) -> Self:
        if not isinstance(name, str) or not isinstance(description, str):
            raise TypeError("Purpose(name, description) takes two strings")
        if not is_purpose_name(name):
            raise PolicyError(
                f"{name!r} is not a purpose name: write parts of a-z, 0-9 and _, each starting with a letter, joined "
                "by dots, such as 'security' or 'security.two_factor'."
            )
        if not description.strip():
            raise PolicyError(f"Purpose {name!r} needs a description: what was the data subject told it is for?")
        parent_name, _, _ = name.rpartition(".")
        parent = cls._declared.get(parent_name)
        if parent_name and parent is None:
            raise PolicyError(
                f"Purpose {name!r} has no parent yet: declare {parent_name!r} first, then call its .child(...)."
            )
        called = identifiers(dpv, fides, iab, of=name)
        self = super().__new__(cls)
        set_once = object.__setattr__
        set_once(self, "name", name)
        set_once(self, "description", description)
        set_once(self, "identifiers", called)
        set_once(self, "parent", parent)
        set_once(self, "ancestors", frozenset((self, *(parent.ancestors if parent else ()))))
        known = cls._declared.setdefault(name, self)  # one step, so that two threads declare one object
        if known.description != description:
            raise PolicyError(
                f"Purpose {name!r} is declared already, with another description: {known.description!r}, now "
                f"{description!r}. Import the first declaration, or choose another name."
            )
        if called and known.identifiers != called:
            raise PolicyError(
                f"Purpose {name!r} is declared already, with other identifiers: {known.identifiers}, now {called}. "
                "Write them in one place, or leave them out in the others."
            )
        return known  # type: ignore[return-value]  # Purpose is final in practice; a subclass shares the registry

    def child(
        self,
        name: str,
        description: str,
        *,
        dpv: str | Iterable[str] = (),
        fides: str | Iterable[str] = (),
        iab: int | str | Iterable[int | str] = (),
    ) -> Purpose:
        """Declare a purpose that this one includes.

        Args:
            name: One part, without a dot.
            description: What the narrower purpose means.
            dpv: As for `Purpose`, and so are the others.
            fides: The same.
            iab: The same.

        Raises:
            PolicyError: As for `Purpose`, and where `name` holds a dot.

        Example:
            >>> Purpose("billing", "Charge for orders").child("invoices", "Send the invoice").name
            'billing.invoices'
        """
        if not isinstance(name, str):
            raise TypeError(f"A child's name is a string; got {type(name).__name__}.")
        if "." in name:
            raise PolicyError(f"{name!r} is more than one part: a child's name has no dot.")
        return Purpose(f"{self.name}.{name}", description, dpv=dpv, fides=fides, iab=iab)

    @classmethod
    def find(cls, name: str) -> Purpose:
        """Return the purpose declared under `name`.

        Raises:
            PolicyError: None is; the message suggests the nearest name.

        Example:
            >>> Purpose("support", "Answer the customer's questions") is Purpose.find("support")
            True
        """
        try:
            return cls._declared[name]
        except KeyError:
            near = _nearest(str(name))
            suggestion = f" Did you mean {near!r}?" if near else ""
            raise PolicyError(f"No purpose {name!r} is declared.{suggestion}") from None

    @classmethod
    def declared(cls) -> tuple[Purpose, ...]:
        """Return every purpose declared so far, ordered by name."""
        return tuple(sorted(cls._declared.copy().values()))

    def includes(self, other: Purpose) -> bool:
        """Return whether `other` is this purpose or a descendant of it (R2).

        Example:
            >>> ads = Purpose("ads", "Choose ads")
            >>> ads.includes(ads)
            True
        """
        (other,) = require_purposes((other,))
        return self in other.ancestors

    def may_hand_over_to(self, other: Purpose, *, reason: str) -> Handover:
        """Declare that work for this purpose may go on as work for `other` (R4).

        Args:
            other: The purpose that may be entered from inside this one, or from inside a descendant of it. It covers
                its own descendants too.
            reason: Why, for whoever reviews the declaration.

        Returns:
            The handover. Declaring it again with the same reason returns the first.

        Raises:
            PolicyError: The reason is missing, or the handover stands already with another one.

        Example:
            >>> orders = Purpose("orders", "Take the order")
            >>> shipping = Purpose("shipping", "Bring the parcel")
            >>> orders.may_hand_over_to(shipping, reason="A parcel needs an address").reason
            'A parcel needs an address'
        """
        (other,) = require_purposes((other,))
        if not isinstance(reason, str) or not reason.strip():
            raise PolicyError(
                f"A handover from {self.name} to {other.name} needs a reason: it is what a reviewer will read."
            )
        if self.name == UNRECOGNIZED:
            raise PolicyError(
                f"{UNRECOGNIZED!r} stands for purposes that this process does not know: nothing can be handed over by "
                "them. Declare the purpose that is meant, in this process too."
            )
        handover = Handover(self, other, reason, caller(1))
        known = Purpose._handovers.setdefault((self, other), handover)
        if known.reason != reason:
            raise PolicyError(
                f"{self.name} may hand over to {other.name} already, for another reason: {known.reason!r} (declared at "
                f"{known.site})."
            )
        for forget in _on_handover:
            forget()
        return known

    @classmethod
    def handovers(cls) -> tuple[Handover, ...]:
        """Return every handover that is declared, ordered by the names of its two purposes."""
        return tuple(sorted(cls._handovers.values(), key=lambda one: (one.source, one.target)))

    def handover_to(self, other: Purpose) -> Handover | None:
        """Return the handover by which `other` may be entered from inside this purpose, or None.

        It may be declared by this purpose or an ancestor, for `other` or an ancestor of it. The nearest one is
        returned: nearest to this purpose first, then to `other`.
        """
        (other,) = require_purposes((other,))
        source: Purpose | None = self
        while source is not None:
            target: Purpose | None = other
            while target is not None:
                handover = Purpose._handovers.get((source, target))
                if handover is not None:
                    return handover
                target = target.parent
            source = source.parent
        return None

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"A purpose cannot be changed: {self.name}.{name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"A purpose cannot be changed: {self.name}.{name}")

    def __lt__(self, other: object) -> bool:
        return self.name < other.name if isinstance(other, Purpose) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self.name <= other.name if isinstance(other, Purpose) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self.name > other.name if isinstance(other, Purpose) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self.name >= other.name if isinstance(other, Purpose) else NotImplemented

    def __repr__(self) -> str:
        return f"Purpose({self.name!r})"

    def __str__(self) -> str:
        return self.name

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # By declaration, oldest ancestor first: a process that declared it otherwise refuses the pickle.
        return _declare, tuple(
            (p.name, p.description, vars(p.identifiers)) if p.identifiers else (p.name, p.description)
            for p in sorted(self.ancestors)
        )


_on_handover: list[Any] = []  # what remembers the outcome of entering a scope, and must forget it


def _declare(*declarations: tuple[Any, ...]) -> Purpose:
    return [_received(*one) for one in declarations][-1]


def _received(name: str, description: str, called: Mapping[str, Any] | None = None) -> Purpose:
    try:
        return Purpose(name, description, **(called or {}))
    except PolicyError:  # declared here with other identifiers: these hold, since the description is what it means
        return Purpose(name, description)


def _nearest(name: str) -> str | None:
    return next(iter(difflib.get_close_matches(name, Purpose._declared, cutoff=0.5)), None)


def is_purpose_name(text: str) -> bool:
    """Return whether `text` is written as a purpose's name is, whether or not one is declared under it."""
    return _NAME.fullmatch(text) is not None


def require_purposes(purposes: tuple[object, ...]) -> tuple[Purpose, ...]:
    """Return `purposes`, having made sure that each is a `Purpose`.

    Raises:
        TypeError: One is a string or something else; for a string the message suggests the nearest declared name.
    """
    for purpose in purposes:
        if isinstance(purpose, str):
            near = _nearest(purpose)
            found = f", such as Purpose.find({near!r})" if near else ""
            raise TypeError(f"A purpose is a Purpose object{found}; got the string {purpose!r}.")
        if not isinstance(purpose, Purpose):
            raise TypeError(f"A purpose is a Purpose object; got {type(purpose).__name__}.")
    return purposes  # type: ignore[return-value]  # just checked
