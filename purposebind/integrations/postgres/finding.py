"""What `check` finds: one record for each thing that is not as the tags say."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is not as the tags say, or that goes round the column grants.

    Attributes:
        kind: What it is: ``"role"``, ``"grant"``, ``"login"``, ``"view"``, ``"function"``, ...
        subject: What it is about: the name of a role, or of a table or view with its schema. `check` leaves out what it
            is told to accept by this name.
        detail: What is wrong and what it means, in words.
        remedy: The way out.

    Example:
        >>> print(Finding("role", "shop:billing", "does not exist.", "Apply the DDL."))
        role shop:billing: does not exist. Apply the DDL.
    """

    kind: str
    subject: str
    detail: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}: {self.detail} {self.remedy}"
