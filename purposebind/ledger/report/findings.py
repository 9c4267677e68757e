"""The top of the page: the sentences that a reader must not miss, and the numbers beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from .page import Chain, Completeness, Figure, Finding
from .words import counted, number

if TYPE_CHECKING:
    from purposebind.ledger.results import Affected

__all__ = ["figures", "findings"]


def findings(
    affected: Mapping[str, Affected], emergencies: int, completeness: Completeness, chains: Sequence[Chain]
) -> tuple[Finding, ...]:
    """Return what must not be missed, the gravest first.

    Args:
        affected: Who was affected, by state; ``"read"`` for all whose data was handed out.
        emergencies: How often break-glass was used.
        completeness: What is missing.
        chains: The state of each ledger's chain.
    """
    found = [*_chains(chains), *_observed(affected["observed"]), *_missing(completeness)]
    if emergencies:
        times = "once" if emergencies == 1 else f"{number(emergencies)} times"
        more = f"Data of {_people(affected['emergency'])} was read in it."
        found.append(Finding("warn", f"Break-glass was used {times}.", more, "break-glass"))
    found += _refused(affected["refused"])
    found += _unknown(_unknown_reads(affected))
    order = {"bad": 0, "warn": 1, "good": 2}
    return tuple(sorted(found, key=lambda finding: order[finding.level]))


def _chains(chains: Sequence[Chain]) -> Iterator[Finding]:
    for chain in chains:
        if not chain.ok:
            yield Finding(
                "bad",
                "The ledger was altered or damaged: what this page says cannot be relied on.",
                f"First problem: {chain.first}",
                "chain",
            )
    if all(chain.ok for chain in chains):
        anchored = all(chain.anchored for chain in chains)
        more = "It agrees with the anchor that was kept elsewhere." if anchored else "It was checked without an anchor."
        yield Finding("good", "The ledger's chain holds: no altered or missing part was found.", more, "chain")


def _observed(affected: Affected) -> Iterator[Finding]:
    if not affected.reads:
        yield Finding(
            "good",
            "Nothing was let through that its declaration does not allow.",
            "Each read outside its purposes was refused, or there was none.",
            "denials",
        )
        return
    yield Finding(
        "bad",
        f"Data of {_people(affected)} was read for a purpose that it was not collected for.",
        f"{counted(affected.reads, 'read was', 'reads were')} let through, because the system was set to report such "
        "reads and not to stop them.",
        "denials",
    )


def _refused(affected: Affected) -> Iterator[Finding]:
    if affected.reads:
        yield Finding(
            "good",
            f"{counted(affected.reads, 'read was', 'reads were')} refused.",
            f"Code asked for data of {_people(affected)} for a purpose that it was not collected for, and did not get "
            "it.",
            "denials",
        )


def _missing(completeness: Completeness) -> Iterator[Finding]:
    if completeness.lost:
        more = "The service was set to go on when the ledger failed. The true numbers may be larger."
        yield Finding("warn", f"{completeness.lost} could not be recorded.", more, "complete")
    if completeness.broken:
        more = "All whole records are counted. Each broken one is listed."
        yield Finding("warn", f"{completeness.broken} found.", more, "complete")


def _unknown(reads: int) -> Iterator[Finding]:
    if reads:
        yield Finding(
            "warn",
            f"{counted(reads, 'read names', 'reads name')} no person.",
            "Nobody is counted for them: the true numbers of people may be larger.",
            "unknown",
        )


def _unknown_reads(affected: Mapping[str, Affected]) -> int:
    """Those that were handed out, and those that were refused."""
    return affected["read"].unknown_reads + affected["refused"].unknown_reads


def figures(affected: Mapping[str, Affected], emergencies: int, chains: Sequence[Chain]) -> tuple[Figure, ...]:
    """Return the numbers at the top of the page."""
    read, observed, refused, emergency = (affected[name] for name in ("read", "observed", "refused", "emergency"))
    unknown = _unknown_reads(affected)
    times = counted(emergencies, "emergency", "emergencies")
    holds = all(chain.ok for chain in chains)
    return (
        _figure("used", "People whose data was read", read, "in all, for any purpose", "matrix"),
        _figure("observed", "Read for a purpose it was not collected for", observed, "let through", "denials"),
        _figure("refused", "Asked for, and refused", refused, "not handed out", "denials"),
        _figure("emergency", "Read with break-glass", emergency, f"in {times}", "break-glass"),
        Figure(
            "",
            "Reads of a person who is not known",
            number(unknown),
            "read" if unknown == 1 else "reads",
            "counted apart, for nobody",
            "unknown",
        ),
        Figure(
            "",
            "The ledger's chain",
            "Holds" if holds else "Broken",
            "",
            "no part altered or missing" if holds else "do not rely on it",
            "chain",
        ),
    )


def _figure(state: str, title: str, affected: Affected, note: str, target: str) -> Figure:
    unit = "person" if affected.people == 1 else "people"
    reads = counted(affected.reads, "read", "reads")
    return Figure(state, title, number(affected.people), unit, f"{reads}, {note}", target)


def _people(affected: Affected) -> str:
    known = counted(affected.people, "person", "people")
    if not affected.unknown_reads:
        return known
    return f"{known} or more" if affected.people else "people who are not known"
