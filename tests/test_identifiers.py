"""What purposes are called in the vocabularies of others: DPV, fideslang, IAB TCF."""

from __future__ import annotations

import enum
import pickle
from typing import Any

import pytest

from purposebind import PolicyError, Purpose
from purposebind.identifiers import Identifiers

COUNT = iter(range(10_000))


def declared(**given: Any) -> Purpose:
    """A purpose that no other test has."""
    return Purpose(f"ident_{next(COUNT)}", "Of these tests", **given)


class Term(str, enum.Enum):
    ADS = "Advertising"


class Tcf(enum.IntEnum):
    PROFILE = 3


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, Identifiers()),
        ({"dpv": "Advertising"}, Identifiers(dpv=("Advertising",))),
        ({"dpv": "dpv:Advertising"}, Identifiers(dpv=("Advertising",))),
        ({"dpv": "https://w3id.org/dpv#Advertising"}, Identifiers(dpv=("Advertising",))),
        ({"dpv": Term.ADS}, Identifiers(dpv=("Advertising",))),
        ({"dpv": ["Marketing", "dpv:Advertising", "Marketing"]}, Identifiers(dpv=("Advertising", "Marketing"))),
        (
            {"dpv": "https://w3id.org/dpv/sector/health#PatientCare"},
            Identifiers(dpv=("https://w3id.org/dpv/sector/health#PatientCare",)),
        ),
        ({"fides": "marketing.advertising"}, Identifiers(fides=("marketing.advertising",))),
        ({"fides": ("sales", "marketing")}, Identifiers(fides=("marketing", "sales"))),
        ({"iab": 3}, Identifiers(iab=(3,))),
        ({"iab": (11, 4, 4, 1)}, Identifiers(iab=(1, 4, 11))),
        ({"iab": ["special 3", 2, "special 1"]}, Identifiers(iab=(2, "special 1", "special 3"))),
        ({"iab": Tcf.PROFILE}, Identifiers(iab=(3,))),
        ({"iab": range(1, 4)}, Identifiers(iab=(1, 2, 3))),
    ],
    ids=repr,
)
def test_identifiers_are_kept_in_one_form(given: dict[str, Any], kept: Identifiers) -> None:
    """Two spellings of one term would be two terms in a record that others read."""
    found = declared(**given).identifiers
    assert found == kept
    for values in (found.dpv, found.fides, found.iab):
        assert isinstance(values, tuple)
        assert {type(value) for value in values} <= {str, int}  # an enumeration's member would be pickled by its class


@pytest.mark.parametrize(
    ("given", "way"),
    [
        ({"dpv": ""}, "dpv='' is not a term of the Data Privacy Vocabulary"),
        ({"dpv": "advertising"}, "dpv='advertising' is not a term"),
        ({"dpv": "Direct Marketing"}, "or a whole IRI"),
        ({"dpv": "dpv:"}, "is not a term"),
        ({"dpv": "dpv:dpv:Advertising"}, "is not a term"),
        ({"dpv": "Advertising\n"}, "is not a term"),
        ({"dpv": "pd:Email"}, "is not a term"),
        ({"dpv": "https://example.org/a b"}, "is not a term"),
        ({"dpv": 'https://example.org/">x'}, "is not a term"),
        ({"dpv": "https://example.org/\u202egnp"}, "is not a term"),
        ({"dpv": "javascript:alert(1)"}, "is not a term"),
        ({"dpv": ["Advertising", ""]}, "is not a term"),
        ({"fides": "Marketing"}, "fides='Marketing' is not a data use of fideslang"),
        ({"fides": "marketing."}, "is not a data use"),
        ({"fides": "marketing..advertising"}, "such as 'marketing.advertising'"),
        ({"fides": "marketing/advertising"}, "is not a data use"),
        ({"fides": "marketing\n"}, "is not a data use"),
        ({"fides": ""}, "is not a data use"),
        ({"iab": 0}, "iab=0 is not a purpose of the TCF, 1 to 11, or a special purpose, 'special 1' to 'special 3'"),
        ({"iab": 12}, "iab=12"),
        ({"iab": -1}, "iab=-1"),
        ({"iab": "3"}, "iab='3'"),
        ({"iab": "special 4"}, "iab='special 4'"),
        ({"iab": "special ٣"}, "is not a purpose of the TCF"),
        ({"iab": (3, 99)}, "iab=99"),
    ],
    ids=repr,
)
def test_what_is_no_identifier_is_refused(given: dict[str, Any], way: str) -> None:
    """A slip of the pen would stand in the record of processing, and nobody would find the purpose by its term."""
    before = Purpose.declared()
    with pytest.raises(PolicyError) as caught:
        Purpose("ident_refused", "Of these tests", **given)
    assert way in str(caught.value)
    assert "ident_refused" in str(caught.value)
    assert Purpose.declared() == before


@pytest.mark.parametrize(
    "given",
    [
        {"dpv": None},
        {"dpv": 5},
        {"dpv": b"Advertising"},
        {"dpv": ["Advertising", 5]},
        {"dpv": {"Advertising": 1}},
        {"fides": None},
        {"fides": 3},
        {"iab": None},
        {"iab": True},
        {"iab": 3.0},
        {"iab": [3, None]},
        {"iab": b"\x03\x04"},
    ],
    ids=repr,
)
def test_what_is_of_another_type_is_refused(given: dict[str, Any]) -> None:
    """True would be TCF purpose 1, and bytes a list of numbers."""
    before = Purpose.declared()
    with pytest.raises(TypeError, match=r"ident_typed.*takes .*got"):
        Purpose("ident_typed", "Of these tests", **given)
    assert Purpose.declared() == before


def test_a_child_has_its_own_and_not_its_parents() -> None:
    """A narrower purpose would be reported under words that its author never chose."""
    parent = declared(dpv="EnforceSecurity", fides="essential.service.security", iab="special 1")
    plain = parent.child("plain", "Of these tests")
    own = parent.child("own", "Of these tests", dpv="IdentityAuthentication", fides=["essential"], iab=[1])
    assert not plain.identifiers
    assert own.identifiers == Identifiers(("IdentityAuthentication",), ("essential",), (1,))


def test_declaring_again() -> None:
    """Two modules that declare one purpose would break each other, or the second one's words would silently be lost."""
    first = declared(dpv=["Marketing", "Advertising"], iab=3)
    assert Purpose(first.name, "Of these tests") is first
    assert Purpose(first.name, "Of these tests", dpv=["dpv:Advertising", "Marketing"], iab=(3,)) is first
    with pytest.raises(PolicyError) as caught:
        Purpose(first.name, "Of these tests", dpv="Advertising", iab=3)
    assert f"Purpose {first.name!r} is declared already, with other identifiers: DPV Advertising, Marketing; " in str(
        caught.value
    )
    assert "IAB TCF 3, now DPV Advertising; IAB TCF 3." in str(caught.value)
    assert first.identifiers == Identifiers(dpv=("Advertising", "Marketing"), iab=(3,))
    plain = declared()
    with pytest.raises(PolicyError, match="other identifiers: none, now fideslang sales"):
        Purpose(plain.name, "Of these tests", fides="sales")
    with pytest.raises(PolicyError, match="another description"):
        Purpose(first.name, "Something else", dpv="Advertising")


def test_identifiers_cannot_be_changed() -> None:
    """A reviewed word would be replaced by an assignment."""
    purpose = declared(dpv="Advertising")
    kept = purpose.identifiers
    with pytest.raises(AttributeError):
        purpose.identifiers = Identifiers()
    with pytest.raises(AttributeError):
        purpose.identifiers.dpv = ()  # type: ignore[misc]
    assert purpose.identifiers is kept
    assert kept.dpv == ("Advertising",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_keeps_identity(protocol: int) -> None:
    """A policy that went through a queue would allow a purpose that is not the one in force (R2)."""
    purpose = declared(dpv="Advertising", iab=(3, "special 1")).child("part", "Of these tests", fides="sales")
    assert pickle.loads(pickle.dumps(purpose, protocol)) is purpose


def test_a_pickle_brings_its_identifiers_where_the_purpose_is_unknown() -> None:
    """A worker's record would lack what the service's has."""
    purpose = declared(dpv="Advertising", iab=(3, "special 1")).child("part", "Of these tests", fides="sales")
    sent = pickle.dumps(purpose)
    kept = {one: Purpose._declared.pop(one.name) for one in purpose.ancestors}
    try:
        received = pickle.loads(sent)
        assert received is not purpose
        assert received.identifiers == purpose.identifiers
        assert received.parent.identifiers == Identifiers(dpv=("Advertising",), iab=(3, "special 1"))
    finally:
        Purpose._declared.update({one.name: one for one in kept})


def test_a_pickle_is_taken_where_the_purpose_is_called_something_else() -> None:
    """While a deployment adds an identifier, old workers would refuse each message of new ones."""
    purpose = declared(dpv="Advertising")
    sent = pickle.dumps(purpose)
    Purpose._declared.pop(purpose.name)
    for given in ({}, {"dpv": "Marketing"}):
        try:
            here = Purpose(purpose.name, "Of these tests", **given)
            assert pickle.loads(sent) is here
        finally:
            Purpose._declared.pop(purpose.name)
    Purpose(purpose.name, "Measure something else")
    with pytest.raises(PolicyError, match="another description"):
        pickle.loads(sent)
    Purpose._declared[purpose.name] = purpose


def test_a_pickle_without_identifiers_is_as_it_was() -> None:
    """A process with the version before this one could not read it."""
    purpose = declared()
    assert purpose.__reduce__()[1] == ((purpose.name, "Of these tests"),)
