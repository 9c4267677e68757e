"""The record as JSON-LD, in terms of the W3C Data Privacy Vocabulary (DPV) 2.3.

What this module keeps:

- It says what its prefixes mean, and needs no network to be read.
- A purpose is a concept of its own, below the terms that it names, or else below what includes it. A process has both
  as its purpose, so that whoever asks for ``dpv:Advertising`` finds it.
- What happened stands in terms of this library, since DPV has none for counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import quote

from purposebind import Purpose
from purposebind.identifiers import DPV_NAMESPACE

from .filling import Basis, Party
from .parts import Part, limits, parts
from .record import Activity, Line, Record, owner
from .sound import sound

__all__ = ["to_jsonld"]

_CONTEXT: Final = {
    "dpv": DPV_NAMESPACE,
    "dcterms": "http://purl.org/dc/terms/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "purposebind": "urn:purposebind:terms:",
}
_BASES: Final[dict[Basis, str]] = {
    "consent": "dpv:Consent",
    "contract": "dpv:Contract",
    "legal obligation": "dpv:LegalObligation",
    "vital interests": "dpv:VitalInterest",
    "public interest": "dpv:PublicInterest",
    "legitimate interests": "dpv:LegitimateInterest",
}
_NO_PURPOSE: Final = "no-purpose"  # as no purpose is called
_Node = dict[str, Any]


def to_jsonld(record: Record) -> str:
    """Return the record as JSON-LD."""
    nodes = _Nodes(record)
    document = {"@context": _CONTEXT, "@graph": list(nodes.all())}
    return json.dumps(sound(document), indent=2, ensure_ascii=False) + "\n"


class _Nodes:
    """The nodes of the graph of one record."""

    def __init__(self, record: Record) -> None:
        self._record = record
        # Named after the packages: two services with a purpose of one name do not mean the same by it.
        self._base = record.filled.namespace or f"urn:purposebind:{quote('+'.join(record.packages), safe='+')}:"

    def all(self) -> Iterator[_Node]:
        yield self._whole()
        yield from self._measures()
        for activity in self._record.activities:
            if activity.purpose is not None:
                yield self._concept(activity.purpose)
        for activity in self._record.activities:
            yield from self._processes(activity)
        yield from self._fields()
        yield from self._subjects()

    def _id(self, *parts: str) -> str:
        return self._base + "/".join(quote(part, safe="", errors="backslashreplace") for part in parts)

    def _ref(self, *parts: str) -> _Node:
        return {"@id": self._id(*parts)}

    # --- Who and what ------------------------------------------------------------------------------------------------

    def _whole(self) -> _Node:
        record, filled = self._record, self._record.filled
        found: _Node = {"@id": self._id("record"), "@type": "dpv:DataProcessingRecord"}
        found["dcterms:title"] = f"Record of processing activities of {', '.join(record.packages)}"
        if filled.controller is not None:
            found["dpv:hasDataController"] = {
                **self._ref("controller"),
                **_party(filled.controller, "dpv:DataController"),
            }
        if filled.joint_controllers:
            found["dpv:hasJointDataControllers"] = [
                _party(one, "dpv:DataController") for one in filled.joint_controllers
            ]
        if filled.representative is not None:
            found["dpv:hasRepresentative"] = _party(filled.representative, "dpv:Representative")
        if filled.data_protection_officer is not None:
            officer = _party(filled.data_protection_officer, "dpv:DataProtectionOfficer")
            found["dpv:hasDataProtectionOfficer"] = officer
        found["dpv:hasProcess"] = [
            self._ref("process", part.name) for activity in record.activities for part in parts(activity)
        ]
        found["dpv:hasTechnicalOrganisationalMeasure"] = self._each_measure()
        return {key: value for key, value in found.items() if value != []}

    def _each_measure(self) -> list[_Node]:
        return [self._ref("measure", str(number)) for number, _ in enumerate(self._record.measures(), 1)]

    def _measures(self) -> Iterator[_Node]:
        own = len(self._record.measures()) - len(self._record.filled.security_measures)
        for number, text in enumerate(self._record.measures(), 1):
            kind = "dpv:UsageControl" if number <= own else "dpv:TechnicalOrganisationalMeasure"
            yield {**self._ref("measure", str(number)), "@type": kind, "dcterms:description": text}

    def _concept(self, purpose: Purpose) -> _Node:
        called = purpose.identifiers
        broader: list[_Node] = [{"@id": _term(term)} for term in called.dpv]
        if purpose.parent is not None:
            broader.append(self._ref("purpose", purpose.parent.name))
        found: _Node = {
            **self._ref("purpose", purpose.name),
            "@type": ["dpv:Purpose", "skos:Concept"],
            "skos:prefLabel": purpose.name,
            "skos:definition": purpose.description,
            "skos:broader": broader or [{"@id": "dpv:Purpose"}],
        }
        others = [f"fideslang:{use}" for use in called.fides]
        others += [f"IAB TCF {_tcf(one)}" for one in called.iab]
        return {**found, "dpv:hasIdentifier": others} if others else found

    # --- What is done with it ----------------------------------------------------------------------------------------

    def _processes(self, activity: Activity) -> Iterator[_Node]:
        for part in parts(activity):
            yield self._process(part)
        yield from self._happened(activity)

    def _process(self, part: Part) -> _Node:
        activity, purpose = part.activity, part.activity.purpose
        assert purpose is not None  # nothing may be read for one that nobody declared
        found: _Node = {
            **self._ref("process", part.name),
            "@type": ["dpv:Process", "dpv:PersonalDataProcess"],
            "dcterms:title": part.name,
            "dcterms:description": purpose.description,
            "dpv:hasPurpose": [
                self._ref("purpose", activity.name),
                *({"@id": _term(term)} for term in purpose.identifiers.dpv),
            ],
            "dpv:hasPersonalData": [self._field(line) for line in part.lines],
            "dpv:hasDataSubject": [self._ref("data-subject", one) for one in _owners(part.lines)],
            "dpv:hasRecipient": [*self._recipients(activity)],
            "dpv:hasStorageCondition": [*self._storage(part)],
            "dpv:hasRecordOfActivity": [
                self._ref("happened", activity.name or _NO_PURPOSE, line.field)
                for line in part.lines
                if line.usage is not None
            ],
        }
        found["dpv:hasTechnicalOrganisationalMeasure"] = self._each_measure()
        if self._record.filled.controller is not None:
            found["dpv:hasDataController"] = self._ref("controller")
        if part.basis is not None:
            found["dpv:hasLegalBasis"] = {"@id": _BASES[part.basis]}
        if activity.told.transfers:
            found["dpv:hasProcessing"] = [
                {"@type": "dpv:CrossBorderTransfer", "dcterms:description": text} for text in activity.told.transfers
            ]
        if activity.used is not None:
            found["purposebind:used"] = activity.used
        return {key: value for key, value in found.items() if value != []}

    def _recipients(self, activity: Activity) -> Iterator[_Node]:
        for name in activity.told.recipients or ():
            yield {"@type": "dpv:Recipient", "dpv:hasName": name}
        for target, reason in activity.handovers:
            yield {
                "@type": "dpv:Recipient",
                "dcterms:title": f"work for {target}",
                "dcterms:description": reason,
                "dpv:hasPurpose": self._ref("purpose", target),
            }

    def _storage(self, part: Part) -> Iterator[_Node]:
        for time, lines in limits(part).items():
            yield {
                "@type": "dpv:StorageDuration",
                "dpv:hasDuration": {"@type": "dpv:TemporalDuration", "rdf:value": _duration(time)},
                "dpv:isApplicableFor": [self._field(line) for line in lines],
            }
        if part.activity.told.time_limits is not None:
            yield {"@type": "dpv:StorageCondition", "dcterms:description": part.activity.told.time_limits}

    def _happened(self, activity: Activity) -> Iterator[_Node]:
        for line in activity.lines:
            usage = line.usage
            if usage is None:
                continue
            found: _Node = {
                **self._ref("happened", activity.name or _NO_PURPOSE, line.field),
                "@type": "dpv:DataProcessingRecord",
                "dpv:hasPersonalData": self._field(line),
            }
            if activity.purpose is not None:
                found["dpv:hasPurpose"] = self._ref("purpose", activity.name)
            elif activity.name:
                found["dcterms:title"] = activity.name
            for word, count in (
                ("allowed", usage.allowed),
                ("observed", usage.observed),
                ("breakGlass", usage.emergency),
                ("denied", usage.denied),
            ):
                found[f"purposebind:{word}Reads"] = count.reads
                found[f"purposebind:{word}People"] = count.people
            if usage.first is not None and usage.last is not None:
                found["purposebind:firstRead"], found["purposebind:lastRead"] = (
                    _moment(usage.first),
                    _moment(usage.last),
                )
            yield found

    # --- Data and people ---------------------------------------------------------------------------------------------

    def _field(self, line: Line) -> _Node:
        return self._ref("data", *([line.where] if line.where else []), line.field)

    def _fields(self) -> Iterator[_Node]:
        categories = self._record.filled.data_categories
        every = {(line.where, line.field): line for one in self._record.activities for line in one.lines}
        for _, line in sorted(every.items()):
            found: _Node = {**self._field(line), "@type": "dpv:PersonalData", "skos:prefLabel": line.field}
            if line.where:
                found["dcterms:source"] = line.where
            if line.field in categories:
                found["dcterms:subject"] = categories[line.field]
            yield found

    def _subjects(self) -> Iterator[_Node]:
        told = self._record.filled.data_subjects
        for one in _owners(line for activity in self._record.activities for line in activity.data):
            label = {"skos:prefLabel": told[one]} if one in told else {}
            yield {
                **self._ref("data-subject", one),
                "@type": "dpv:DataSubject",
                **label,
                "dcterms:description": f"Whoever {one} holds data of",
            }


def _owners(lines: Iterable[Line]) -> list[str]:
    return sorted({owner(line.field) for line in lines} - {""})


def _party(party: Party, kind: str) -> _Node:
    found: _Node = {"@type": kind, "dpv:hasName": party.name}
    return {**found, "dpv:hasContact": party.contact} if party.contact is not None else found


def _term(term: str) -> str:
    return term if ":" in term else f"dpv:{term}"


def _tcf(one: int | str) -> str:
    return one.replace("special", "special purpose") if isinstance(one, str) else f"purpose {one}"


def _duration(time: timedelta) -> _Node:
    """A length of time as XML Schema writes it."""
    seconds = (
        f"{time.seconds}.{time.microseconds:06}".rstrip("0").rstrip(".") if time.microseconds else f"{time.seconds}"
    )
    written = f"P{time.days}D" if seconds == "0" else f"P{time.days}DT{seconds}S"
    return {"@type": "xsd:duration", "@value": written}


def _moment(moment: datetime) -> _Node:
    text = moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    return {"@type": "xsd:dateTime", "@value": text}
