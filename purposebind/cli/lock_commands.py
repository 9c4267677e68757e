"""``purposebind lock``, ``check`` and ``diff``: the policy in a file, held against the code.

They need the extra ``governance``. ``check`` exits with 1 where the code allows more than the lock, and all of them
exit with 2 where there is no answer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from purposebind import PurposeError

from .ledger_options import fail
from .writing import replace, tell

if TYPE_CHECKING:
    from purposebind.governance import Change, Lock

__all__ = ["check", "diff", "lock"]

_NAME: Final = Path("purposes.lock")

_Held = Annotated[Path, typer.Option("--lock", metavar="FILE", help="The lock.")]
_Form = Annotated[str, typer.Option("--form", metavar="FORM", help="How to tell it: text, markdown or json.")]


def lock(
    package: Annotated[
        list[str], typer.Argument(metavar="PACKAGE...", help="Packages with models. They are imported.")
    ],
    held: _Held = _NAME,
) -> None:
    """Write down what the code may use personal data for, in a file that people review.

    Commit it: `purposebind check` then tells when the code allows more.
    """
    gathered = _gathered(package)
    try:
        replace(held, str(gathered))
    except PurposeError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{held} cannot be written: {error.strerror}")
    tagged = sum(len(one.tagged) for one in (*gathered.models.values(), *gathered.tables.values()))
    tell(f"{held}: {tagged} tagged fields and columns, {len(gathered.purposes)} purposes.")


def check(
    package: Annotated[
        list[str] | None,
        typer.Argument(metavar="PACKAGE...", help="Packages with models.  [default: those of the lock]"),
    ] = None,
    held: _Held = _NAME,
    form: _Form = "text",
) -> None:
    """Hold the code against the lock.

    Exits with 1 where personal data may be used for more than the lock says. What narrows and what is new is told, and
    passes; writing the lock anew records it.
    """
    known = _read(held)
    changes = _told(known, _gathered(package or list(known.packages)), form, f"The code allows what {held} says.")
    if any(one.kind == "widening" for one in changes):
        print(
            f"\nThe code allows more than {held} says. Have whoever answers for the data read this; then write the "
            "lock anew, with purposebind lock, and commit it with the change.",
            file=sys.stderr,
        )
        raise typer.Exit(1)


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A lock.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="A later one.")],
    form: _Form = "text",
) -> None:
    """Tell what a lock allows that an older one does not, for a pull request."""
    _told(_read(old), _read(new), form, "Both allow the same.")


def _told(old: Lock, new: Lock, form: str, same: str) -> Sequence[Change]:
    from purposebind.governance import compare
    from purposebind.governance.telling import FORMS

    if form not in FORMS:
        fail(f"--form {form}: there are {', '.join(FORMS)}.")
    changes = compare(old, new)
    tell(same if form == "text" and not changes else FORMS[form](changes))
    return changes


def _read(path: Path) -> Lock:
    try:
        from purposebind.governance import Lock

        return Lock.parse(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        fail(f"There is no {path}. Write it with: purposebind lock PACKAGE")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path} cannot be read: {error}")
    except PurposeError as error:
        fail(str(error))


def _gathered(packages: list[str]) -> Lock:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does: the service's package is often in the folder it is run from
    try:
        from purposebind.governance import gather

        return gather(*packages)
    except PurposeError as error:
        fail(str(error))
