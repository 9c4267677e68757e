"""``purposebind suggest``, ``simulate`` and ``coverage``: a roll-out, from no tag to enforcement.

They need the extra ``governance``; what asks a ledger needs ``ledger``, and sample rows need ``presidio``. All of them
exit with 2 where there is no answer. ``simulate --fail-on-break`` and ``coverage --min`` exit with 1 where there is
one, and it is not as it should be.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from purposebind import PurposeError

from .ledger_options import LedgerPaths, SinceOption, UntilOption, answered, fail, moment_of, note
from .writing import replace, tell

if TYPE_CHECKING:
    from types import ModuleType

    from purposebind.governance import Lock
    from purposebind.governance.adoption import Field, Patch, Proposal
    from purposebind.governance.adoption.proposing import Use

__all__ = ["coverage", "simulate", "suggest"]

_Packages = Annotated[list[str], typer.Argument(metavar="PACKAGE...", help="Packages with models. They are imported.")]
_Form = Annotated[str, typer.Option("--form", metavar="FORM", help="How to tell it: text, markdown or json.")]
_Accepted = Annotated[
    list[str] | None,
    typer.Option(
        "--accept",
        metavar="NAME",
        help="What somebody has looked at, by the name that the answer gives it, such as Account.handle. May be given "
        "several times.",
    ),
]


def suggest(
    package: _Packages,
    ledger: LedgerPaths = None,
    sample: Annotated[
        list[str] | None,
        typer.Option(
            "--sample",
            metavar="FILE:MODEL",
            help="Rows of a model, as .csv or .jsonl, to look at with Presidio's patterns. May be given several times.",
        ),
    ] = None,
    patch: Annotated[
        Path | None,
        typer.Option("--patch", metavar="FILE", help="Write the proposals as a patch, for git apply or patch -p1."),
    ] = None,
    widen: Annotated[
        bool, typer.Option("--widen", help="Put widenings of tags that are there into the patch, too.")
    ] = False,
    accept: _Accepted = None,
    form: _Form = "text",
) -> None:
    """Find fields that look personal and carry no tag, and propose tags for a person to review.

    It goes by types and names, by sample rows, by the tags beside a field, and by what a ledger saw of its use. No file
    of the package's is changed, and what allows more than a tag that is there is called a widening.
    """
    from purposebind.governance.adoption.telling_proposals import SUGGESTIONS

    _require_form(form, SUGGESTIONS)
    if widen and patch is None:
        fail("--widen is about the patch: say where to write it, with --patch FILE.")
    with _told():
        from purposebind.governance.adoption import fields_of, propose, suspects

        modules = _imported(package)
        fields = fields_of(*package)
        uses = _uses(ledger, fields)
        proposals = propose(suspects(fields, _sampled(sample or [], fields), accept or ()), fields, uses)
        made = _patched(proposals, modules, patch, widen)
    _note_unused(accept or [], {one.label for one in fields})
    tell(SUGGESTIONS[form](proposals, _without_subject(proposals, fields), made))
    if patch is not None and made is not None:
        _tell_patch(patch, made)


def simulate(
    package: Annotated[
        list[str] | None,
        typer.Argument(metavar="PACKAGE...", help="Packages with tables.  [default: those of the lock]"),
    ] = None,
    lock: Annotated[
        Path, typer.Option("--lock", metavar="FILE", help="The policy to try, as purposebind lock writes it.")
    ] = Path("purposes.lock"),
    ledger: LedgerPaths = None,
    since: SinceOption = None,
    until: UntilOption = None,
    fail_on_break: Annotated[
        bool, typer.Option("--fail-on-break", help="Exit with 1 where a recorded read would be refused.")
    ] = False,
    form: _Form = "text",
) -> None:
    """Replay a ledger against a policy that is proposed: which code would break, and how many people it concerns.

    A read that was let through, and would be refused if the policy were enforced, breaks. What needs the person's
    consent is told apart, for the ledger does not know who gave it.
    """
    from purposebind.governance.adoption.telling_replays import REPLAYS

    _require_form(form, REPLAYS)
    proposed = _lock(lock)
    span = {"since": moment_of(since, "--since"), "until": moment_of(until, "--until")}
    with answered(ledger, None) as opened:
        from purposebind.governance.adoption import replay
        from purposebind.governance.adoption.asking import Asked
        from purposebind.governance.adoption.fields import names_of
        from purposebind.governance.circles import refuse_circles

        from .ledger_commands import _incomplete

        refuse_circles(proposed.handovers)
        names: dict[str, list[str]] = {}
        if package or proposed.tables:
            _imported(package or list(proposed.packages))
            names = names_of(*(package or proposed.packages))
        with Asked(opened.folders) as asked:
            found = replay(asked, proposed, names, **span)
        notes = _incomplete(opened)
    if not found.reads:
        fail("The ledger recorded no read there: nothing can be replayed, and nothing is known to break.")
    for text in notes:
        note(text)
    tell(REPLAYS[form](found))
    if fail_on_break and any(row.outcome == "refused" for row in found.rows):
        raise typer.Exit(1)


def coverage(
    package: _Packages,
    app: Annotated[
        list[str] | None,
        typer.Option(
            "--app",
            metavar="MODULE:NAME",
            help="An application of FastAPI, Starlette or Celery outside the packages. May be given several times.",
        ),
    ] = None,
    least: Annotated[
        list[str] | None,
        typer.Option(
            "--min",
            metavar="PERCENT",
            help="Exit with 1 where a share is below: 80 for all of them, or fields=100 for one. May be given several "
            "times.",
        ),
    ] = None,
    accept: _Accepted = None,
    form: _Form = "text",
) -> None:
    """Tell how far a roll-out is: the fields with tags, and the routes, tasks and functions with purposes.

    Fields are a share of those that have a tag or look personal, routes and tasks of all, and functions of those with
    tagged data in their types. What was looked at is accepted by name, and is no part of a share.
    """
    from purposebind.governance.adoption.telling_coverage import COVERAGES

    _require_form(form, COVERAGES)
    wanted = _least(least or [])
    with _told():
        from purposebind.governance.adoption import coverage_of, fields_of

        modules = _imported(package)
        found = coverage_of(fields_of(*package), modules, [_app(one) for one in app or ()], accept or ())
    for name in found.accepted:
        note(f"--accept {name}: nothing of that name is missing. Take it away.")
    if wanted and not any(one.total for one in found.shares):
        fail(f"There is nothing in {', '.join(package)} to have a share of: is it the right package?")
    tell(COVERAGES[form](found))
    below = found.below(wanted)
    if below:
        told = ", ".join(f"{one.kind} (at least {_percent(wanted[one.kind])} %)" for one in below)
        print(f"\nBelow what was asked for: {told}.", file=sys.stderr)
        raise typer.Exit(1)


# --- What they have in common ----------------------------------------------------------------------------------------


@contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except PurposeError as error:
        fail(str(error))


def _require_form(form: str, forms: Any) -> None:
    if form not in forms:
        fail(f"--form {form}: there are {', '.join(forms)}.")


def _imported(packages: Sequence[str]) -> list[ModuleType]:
    """The modules of packages; handovers among them that lead in a circle are refused."""
    from purposebind import Purpose
    from purposebind.governance.circles import refuse_circles
    from purposebind.governance.importing import imported

    _find_here()
    modules = imported(*packages)
    refuse_circles((one.source.name, one.target.name) for one in Purpose.handovers())
    return modules


def _find_here() -> None:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does: the service's package is often in the folder it is run from


def _lock(path: Path) -> Lock:
    from .lock_commands import _read

    return _read(path)


# --- suggest ---------------------------------------------------------------------------------------------------------


def _uses(ledger: list[Path] | None, fields: Sequence[Field]) -> dict[str, list[Use]] | None:
    if not ledger:
        return None
    with answered(ledger, None) as opened:
        from purposebind.governance.adoption.asking import Asked
        from purposebind.governance.adoption.proposing import uses_in

        with Asked(opened.folders) as asked:
            return uses_in(asked, fields)


def _sampled(samples: Sequence[str], fields: Sequence[Field]) -> dict[tuple[str, str], str]:
    """What sample rows say of fields, by the qualified name of the class and the field's name."""
    from purposebind.governance.adoption.sampling import SampleError, read_sample, recognised

    found: dict[tuple[str, str], str] = {}
    for one in samples:
        file, _, model = one.rpartition(":")
        if not file or not model:
            raise SampleError(f"--sample {one}: write the file and its model, such as rows.jsonl:Account.")
        owners = {
            f"{field.module}.{field.owner.__qualname__}": field.owner
            for field in fields
            if f".{field.module}.{field.owner.__qualname__}".endswith(f".{model}")
        }
        if not owners:
            raise SampleError(f"--sample {one}: the packages have no model called {model}.")
        seen = recognised(read_sample(Path(file)))
        for field in fields:
            name = f"{field.module}.{field.owner.__qualname__}"
            told = next((seen[key] for key in (field.name, *field.aliases) if key in seen), None)
            if name in owners and told is not None:
                found[name, field.name] = told
    return found


def _patched(
    proposals: Sequence[Proposal], modules: Sequence[ModuleType], path: Path | None, widen: bool
) -> Patch | None:
    from purposebind.governance.adoption import patch_of

    return None if path is None else patch_of(proposals, modules, Path.cwd(), widen=widen)


def _tell_patch(path: Path, made: Patch) -> None:
    if not made.text:
        note(f"There is nothing to patch: {path} was not written.")
        return
    try:
        replace(path, made.text)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}")
    fields = "1 field" if made.fields == 1 else f"{made.fields} fields"
    note(f"{path}: tags for {fields}. Make each what people were told; then apply it, with: git apply {path}")


def _without_subject(proposals: Sequence[Proposal], fields: Sequence[Field]) -> list[str]:
    """The models with proposals in which no field says whose data it is."""
    says = {field.owner for field in fields if field.settled}
    owners = {one.field.owner for one in proposals}
    return sorted({owner.__name__ for owner in owners if says.isdisjoint(owner.__mro__)})


def _note_unused(accepted: Sequence[str], known: set[str]) -> None:
    for name in accepted:
        if name not in known:
            note(f"--accept {name}: there is no such field. Take it away.")


# --- coverage --------------------------------------------------------------------------------------------------------


def _least(options: Sequence[str]) -> dict[str, Fraction]:
    from purposebind.governance.adoption.covering import KINDS

    wanted: dict[str, Fraction] = {}
    for one in sorted(options, key=lambda option: "=" in option):  # what is said of one kind goes before
        kind, _, number = one.rpartition("=")
        try:
            percent = Fraction(number.strip().removesuffix("%").strip())
        except (ValueError, ZeroDivisionError):
            fail(f"--min {one}: write a percentage, such as 80, or fields=100.")
        if not 0 <= percent <= 100:
            fail(f"--min {one}: a percentage is between 0 and 100.")
        if kind and kind not in KINDS:
            fail(f"--min {one}: there are {', '.join(KINDS)}.")
        wanted.update({kind: percent} if kind else dict.fromkeys(KINDS, percent))
    return wanted


def _percent(number: Fraction) -> str:
    return f"{float(number):g}"


def _app(place: str) -> Any:
    """The application that the command line names."""
    from purposebind.governance.importing import imported

    _find_here()
    name, _, path = place.partition(":")
    if not name or not path:
        raise PurposeError(f"--app {place}: write the module and the application's name, such as shop.main:app.")
    imported(name)
    found: Any = importlib.import_module(name)
    for part in path.split("."):
        found = getattr(found, part, None)
    kinds = [
        getattr(sys.modules.get(module), kind, None)
        for module, kind in (("starlette.applications", "Starlette"), ("celery.app.base", "Celery"))
    ]
    if not isinstance(found, tuple(kind for kind in kinds if kind is not None)):
        raise PurposeError(
            f"--app {place} is no application of FastAPI, Starlette or Celery. Where a function makes it, name a "
            "module that calls the function."
        )
    return found
