"""`purposebind inventory`: the record of processing activities, from the tags that are enforced and from a ledger."""

# ruff: noqa: E501  # the tables of cases read best a line each

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from inventory_shop import MODELS, PURPOSES, RECORD, Shop, masked
from markdown_it import MarkdownIt
from rdflib import DCTERMS, RDF, SKOS, XSD, BNode, Graph, Literal, Namespace, URIRef

from purposebind import Purpose
from purposebind.governance.inventory import FORMS, Filled, InventoryError, filled
from purposebind.governance.inventory.declaring import DeclaredField
from purposebind.governance.inventory.fides import _keys
from purposebind.governance.inventory.happening import Count, Happened, Usage
from purposebind.governance.inventory.jsonld import _duration
from purposebind.governance.inventory.record import Activity, Line, Record, _of_purpose
from purposebind.governance.inventory.vocabularies import DATA_USES, unknown_terms
from purposebind.policy import Policy, decide

ANSWERS = Path(__file__).parent / "inventory_answers"
DPV = Namespace("https://w3id.org/dpv#")
OURS = Namespace("urn:purposebind:terms:")
SHOP = "urn:purposebind:shop:"
REMARK = "surveys: fideslang 3.1.4 has no data use 'shop.surveys'."


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The shop, with four months of its ledger. Nothing changes it."""
    shop = Shop(tmp_path_factory.mktemp("inventory"))
    shop.record_months()
    return shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"__pycache__"}


# --- What is written -------------------------------------------------------------------------------------------------

LEDGER = ("--ledger", "ledger")
TOLD = ("--record", "record.toml")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("bare.txt", ()),
        ("bare.md", ("--form", "markdown")),
        ("table.txt", LEDGER),
        ("record.md", (*LEDGER, *TOLD, "--form", "markdown")),
        ("record.csv", (*LEDGER, *TOLD, "--form", "csv")),
        ("record.jsonld", (*LEDGER, *TOLD, "--form", "jsonld")),
        ("record.yml", (*LEDGER, *TOLD, "--form", "fides")),
    ],
)
def test_the_record_is_what_the_code_and_the_ledger_say(recorded: Shop, name: str, arguments: tuple[str, ...]) -> None:
    """What a regulator is shown would lack something, or say something else, after a change that nobody looked at."""
    done = recorded.run("shop", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == REMARK
    assert masked(done.stdout) == (ANSWERS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("table.txt", LEDGER),
        ("record.md", (*LEDGER, *TOLD, "--form", "markdown")),
        ("record.csv", (*LEDGER, *TOLD, "--form", "csv")),
        ("record.jsonld", (*LEDGER, *TOLD, "--form", "jsonld")),
        ("record.yml", (*LEDGER, *TOLD, "--form", "fides")),
    ],
)
def test_a_file_holds_what_is_printed(recorded: Shop, tmp_path: Path, name: str, arguments: tuple[str, ...]) -> None:
    """The file that is sent away would differ from what was read on the screen."""
    out = tmp_path / "record"
    out.write_text("an older one")
    done = recorded.run("shop", *arguments, "--output", str(out))
    assert (done.returncode, done.stdout) == (0, f"{out}: 8 purposes, 8 tagged fields, columns and functions.\n")
    assert masked(out.read_text(encoding="utf-8")) == (ANSWERS / name).read_text(encoding="utf-8")
    assert files(tmp_path) == {"record"}


def rows_of(shop: Shop, *arguments: str) -> list[dict[str, str]]:
    done = shop.run("shop", *arguments, "--form", "csv")
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


RANDOM_YEAR = """
import json, random, sys
from collections import Counter, defaultdict
from purposebind import Purpose, PurposeModel, PurposeViolation, configure, purpose_scope
from purposebind.ledger import Ledger
from shop.models import Account, Order
from shop.purposes import *
from datetime import datetime, timezone

chance = random.Random(sys.argv[1])
now = datetime.now(timezone.utc)
accounts = [Account(id=n, since=now, handle="h", phone="1", email="e") for n in range(12)]
orders = [Order(customer=n, address="a", iban="i") for n in range(7)]
purposes = [SECURITY, TWO_FACTOR, ORDERS, SHIPPING, SURVEYS]
counts, people = Counter(), defaultdict(set)
with Ledger("ledger") as ledger:
    for _ in range(400):
        several = chance.sample(purposes, chance.choice([1, 1, 2]))
        mode = chance.choice(["enforce", "observe"])
        field, one = chance.choice([("phone", accounts), ("email", accounts), ("address", orders), ("iban", orders)])
        one = chance.choice(one)
        with configure(ledger=ledger, mode=mode), purpose_scope(*several):
            from purposebind import active_purposes
            active = sorted(purpose.name for purpose in active_purposes())
            from purposebind.describing import field_tags
            from purposebind.policy import decide
            allowed = decide(field_tags(type(one))[field], active_purposes()).allowed
            try:
                getattr(one, field)
            except PurposeViolation:
                word = "denied"
                assert not allowed
            else:
                word = "allowed" if allowed else "observed"
        who = one.id if isinstance(one, Account) else one.customer
        for purpose in active:
            key = f"{purpose} {type(one).__name__}.{field} {word}"
            counts[key] += 1
            people[key].add(who)
print(json.dumps({key: [counts[key], len(people[key])] for key in counts}))
"""


@pytest.mark.parametrize("seed", ["1", "2"])
def test_counts_are_those_of_what_was_done(shop: Shop, seed: str) -> None:
    """A record that counts by another rule than the reads themselves would mislead whoever answers for the data."""
    done = shop.python(RANDOM_YEAR, seed)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[int]] = {}
    for row in rows_of(shop, *LEDGER):
        for word, columns in (("allowed", ""), ("observed", "observed_"), ("denied", "denied_")):
            reads, people = (int(row[f"{columns}{what}"] or 0) for what in ("reads", "people"))
            if reads:
                found[f"{row['purpose']} {row['field']} {word}"] = [reads, people]
    expected = json.loads(done.stdout)
    assert {word.split()[-1] for word in expected} == {"allowed", "observed", "denied"}
    assert found == expected


# --- JSON-LD, in DPV's terms -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def graph(recorded: Shop) -> Graph:
    done = recorded.run("shop", *LEDGER, *TOLD, "--form", "jsonld")
    assert done.returncode == 0, done.stderr
    return Graph().parse(data=done.stdout, format="json-ld")


def named(*parts: str) -> URIRef:
    return URIRef(SHOP + "/".join(parts))


def test_a_process_has_its_purpose_in_dpvs_words(graph: Graph) -> None:
    """Whoever asks a company's records for advertising would not find it."""
    ads = named("process", "advertising%20with%20consent")
    assert set(graph.subjects(DPV.hasPurpose, DPV.Advertising)) == {ads}
    assert (ads, RDF.type, DPV.Process) in graph
    assert set(graph.objects(ads, DPV.hasPersonalData)) == {named("data", "shop.models", "Account.email")}
    assert (ads, DPV.hasLegalBasis, DPV.Consent) in graph
    assert (named("record"), DPV.hasProcess, ads) in graph
    orders = named("process", "orders")
    assert (orders, DPV.hasLegalBasis, DPV.Contract) in graph
    assert set(graph.objects(named("process", "shipping"), DPV.hasPurpose)) == {
        named("purpose", "shipping"),
        DPV.DeliveryOfGoods,
        URIRef("https://shop.example/words#Parcels"),
    }
    assert set(graph.objects(named("process", "security"), DPV.hasLegalBasis)) == set()  # nobody has said


def test_purposes_without_a_term_are_concepts_below_what_includes_them(graph: Graph) -> None:
    """They would hang in the air: nobody who knows DPV could tell what they are."""
    assert (named("purpose", "orders"), SKOS.broader, DPV.Purpose) in graph
    assert (named("purpose", "security.two_factor"), SKOS.broader, named("purpose", "security")) in graph
    assert (named("purpose", "security"), SKOS.broader, DPV.EnforceSecurity) in graph
    for concept in graph.objects(None, DPV.hasPurpose):
        if str(concept).startswith(SHOP):
            assert (concept, RDF.type, DPV.Purpose) in graph
            assert DPV.Purpose in set(graph.transitive_objects(concept, SKOS.broader)) or any(
                str(above).startswith(str(DPV)) for above in graph.transitive_objects(concept, SKOS.broader)
            )
    identifiers = set(map(str, graph.objects(named("purpose", "advertising"), DPV.hasIdentifier)))
    assert identifiers == {"fideslang:marketing.advertising", "IAB TCF purpose 3", "IAB TCF purpose 4"}
    assert set(map(str, graph.objects(named("purpose", "security"), DPV.hasIdentifier))) == {
        "fideslang:essential.service.security",
        "IAB TCF special purpose 1",
    }


def test_people_recipients_and_time_limits(graph: Graph) -> None:
    """The record would lack what article 30(1) asks for."""
    (controller,) = graph.objects(named("record"), DPV.hasDataController)
    assert str(graph.value(controller, DPV.hasName)) == "Shop | Ltd"
    assert (named("process", "orders"), DPV.hasDataController, controller) in graph
    (officer,) = graph.objects(named("record"), DPV.hasDataProtectionOfficer)
    assert str(graph.value(officer, DPV.hasContact)) == "dpo@shop.example"
    (subject,) = graph.objects(named("process", "advertising%20with%20consent"), DPV.hasDataSubject)
    assert (subject, SKOS.prefLabel, Literal("Our customers")) in graph
    (recipient,) = graph.objects(named("process", "advertising%20with%20consent"), DPV.hasRecipient)
    assert str(graph.value(recipient, DPV.hasName)) == "Ad platform Inc."
    (onward,) = graph.objects(named("process", "orders"), DPV.hasRecipient)
    assert (onward, DPV.hasPurpose, named("purpose", "shipping")) in graph
    (limit,) = graph.objects(named("process", "security.two_factor"), DPV.hasStorageCondition)
    assert set(graph.objects(limit, DPV.isApplicableFor)) == {named("data", "shop.models", "Account.phone")}
    (length,) = graph.objects(limit, DPV.hasDuration)
    (value,) = graph.objects(length, RDF.value)
    assert value == Literal("P90D", datatype=XSD.duration)
    measures = set(graph.objects(named("process", "orders"), DPV.hasTechnicalOrganisationalMeasure))
    assert {str(graph.value(measure, DCTERMS.description)) for measure in measures} > {"Backups are encrypted"}


def test_what_happened_is_beside_what_is_declared(graph: Graph) -> None:
    """Data that was read for what nobody declared would not be in the record."""
    happened = named("happened", "advertising", "Account.phone")
    assert int(str(graph.value(happened, OURS.observedReads))) == 5
    assert int(str(graph.value(happened, OURS.observedPeople))) == 5
    assert int(str(graph.value(happened, OURS.deniedReads))) == 5
    first = graph.value(happened, OURS.firstRead)
    assert isinstance(first, Literal)
    assert (first.datatype, first.toPython().isoformat()[:16]) == (XSD.dateTime, "2026-03-09T20:00")
    assert (named("process", "security"), OURS.used, Literal(False)) in graph
    assert (named("process", "orders"), OURS.used, Literal(True)) in graph
    emergency = named("happened", "no-purpose", "Account.email")
    assert int(str(graph.value(emergency, OURS.breakGlassReads))) == 1
    assert set(graph.objects(emergency, DPV.hasPurpose)) == set()


# Each of them was looked up in version 2.3.
KNOWN = {
    "Advertising", "Consent", "Contract", "CrossBorderTransfer", "DataController", "DataProcessingRecord",
    "DataProtectionOfficer", "DataSubject", "DeliveryOfGoods", "EnforceSecurity", "LegalObligation",
    "LegitimateInterest", "PersonalData", "PersonalDataProcess", "Process", "PublicInterest", "Purpose", "Recipient",
    "Representative", "StorageCondition", "StorageDuration", "TechnicalOrganisationalMeasure", "TemporalDuration",
    "UsageControl", "VitalInterest", "hasContact", "hasDataController", "hasDataProtectionOfficer", "hasDataSubject",
    "hasDuration", "hasIdentifier", "hasJointDataControllers", "hasLegalBasis", "hasName", "hasPersonalData",
    "hasProcess", "hasProcessing", "hasPurpose", "hasRecipient", "hasRecordOfActivity", "hasRepresentative",
    "hasStorageCondition", "hasTechnicalOrganisationalMeasure", "isApplicableFor",
}  # fmt: skip


def test_only_terms_that_dpv_has(graph: Graph) -> None:
    """A term that is made up means nothing to anybody."""
    used = {str(node)[len(DPV) :] for triple in graph for node in triple if str(node).startswith(str(DPV))}
    assert used <= KNOWN
    described = set(graph.subjects())
    for triple in graph:
        for node in triple:
            if str(node).startswith(SHOP) or isinstance(node, BNode):
                assert node in described, f"{node} is said nothing of"


def test_a_namespace_of_their_own(shop: Shop) -> None:
    """Two services' records could not be put into one graph without their purposes becoming one."""
    (shop.folder / "record.toml").write_text('namespace = "https://shop.example/privacy#"\n')
    done = shop.run("shop", *TOLD, "--form", "jsonld")
    found = Graph().parse(data=done.stdout, format="json-ld")
    assert (URIRef("https://shop.example/privacy#purpose/orders"), RDF.type, DPV.Purpose) in found
    assert "urn:purposebind:shop" not in done.stdout


@given(st.timedeltas(timedelta(microseconds=1), timedelta(days=99_999)))
def test_a_length_of_time_is_what_it_was(time: timedelta) -> None:
    """A retention of 36 hours would be written as one of a day."""
    written = _duration(time)
    matched = re.fullmatch(r"P(\d+)D(?:T(\d+(?:\.\d+)?)S)?", written["@value"])
    assert matched is not None, written
    assert timedelta(days=int(matched[1]), seconds=float(matched[2] or 0)) == time


# --- fides -----------------------------------------------------------------------------------------------------------


def test_data_uses_are_fideslangs_or_own_ones_below_them(recorded: Shop) -> None:
    """Somebody's taxonomy would be overwritten, or a purpose lost in it."""
    manifest = yaml.safe_load(recorded.run("shop", "--form", "fides").stdout)
    own = {use["fides_key"]: use for use in manifest["data_use"]}
    assert not own.keys() & DATA_USES
    for key, use in own.items():
        assert use.get("parent_key", "") == key.rpartition(".")[0]
        assert not use.get("parent_key") or use["parent_key"] in own.keys() | DATA_USES
    declared = {(one["name"], one["data_use"]) for one in manifest["system"][0]["privacy_declarations"]}
    assert declared == {
        ("advertising with consent", "marketing.advertising"),
        ("orders", "purposebind.orders"),
        ("security", "essential.service.security"),
        ("security.two_factor", "essential.service.security.security-two_factor"),
        ("shipping", "purposebind.shipping"),
    }
    assert {use for _, use in declared} <= own.keys() | DATA_USES
    assert {
        category for one in manifest["system"][0]["privacy_declarations"] for category in one["data_categories"]
    } == {"user"}
    assert manifest["system"][0]["meta"]["purposebind"]["advertising"] == {"dpv": ["Advertising"], "iab_tcf": [3, 4]}


def test_no_two_purposes_become_one_data_use() -> None:
    """What may be done for the one would read as allowed for the other."""
    one = Purpose("invkey_a", "A", fides="sales")
    both = one.child("b", "AB")
    other = Purpose("invkey_a_b", "A_B", fides="sales")
    every = [both.child("c", "ABC"), both, one.child("b_c", "AB_C"), other.child("c", "A_BC"), Purpose("invkey_x", "X")]
    every += [every[-1].child("marketing", "M"), Purpose("invkey", "K"), one.child("invkey_a", "AA")]
    keys = [key for purpose in every for key in _keys(purpose)]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & DATA_USES


# --- What may be read: the rule itself -------------------------------------------------------------------------------

ROOT = Purpose("invrule", "Of these tests")
A, B = ROOT.child("a", "Of these tests"), ROOT.child("b", "Of these tests")
TREE = [ROOT, A, B, A.child("x", "Of these tests"), Purpose("invother", "Of these tests")]
sets = st.lists(st.sampled_from(TREE), unique=True)


@given(sets, sets, sets)
def test_what_is_in_the_record_is_what_a_read_is_decided_by(allowed: Any, never: Any, asked: Any) -> None:
    """R2: the record would tell a regulator that data may be used for what the code refuses, or the other way round."""
    policy = Policy([*allowed, *asked], never, asked)
    field = DeclaredField("Model.field", "module", policy)
    for purpose in TREE:
        decision = decide(policy, frozenset((purpose,)))
        lines = _of_purpose(purpose, [field], None, None).data
        assert bool(lines) is decision.allowed
        assert [line.consent for line in lines] == ([bool(decision.consent)] if decision.allowed else [])


# --- What is looked into ---------------------------------------------------------------------------------------------


def test_a_field_that_is_not_tagged_or_not_in_the_packages_is_not_in_the_record(shop: Shop) -> None:
    """The record would name what is no personal data, or belongs to somebody else's service."""
    shop.write("empty", "")
    fields = {row["field"] for row in rows_of(shop)}
    assert "Account.phone" in fields
    assert "Account.handle" not in fields
    done = shop.run("shop.empty", "--form", "csv")
    assert done.returncode == 0
    assert "The code declares no purpose." not in done.stdout
    assert list(csv.reader(io.StringIO(done.stdout)))[1:] == []


def test_fields_wherever_a_tag_is_enforced(shop: Shop) -> None:
    """A tagged field would be missing because of where it stands."""
    shop.write(
        "more",
        """\
from dataclasses import dataclass
from typing import Annotated, Generic, TypedDict, TypeVar
from purposebind import PurposeRootModel
from .models import *
T = TypeVar("T")

class Admin(Account):
    pin: Annotated[str, AllowedFor(SECURITY)]

class Page(PurposeModel, Generic[T]):
    items: list[T]
    note: Annotated[str, AllowedFor(ORDERS)]

@dataclass
class Parcel:
    label: Annotated[Sealed[str], AllowedFor(SHIPPING)]

class Row(TypedDict):
    cell: Annotated[Sealed[str], AllowedFor(SHIPPING)]

class Shelf:
    @requires_purpose(ORDERS)
    def orders(self): ...

class Pin(PurposeRootModel[Annotated[str, AllowedFor(SECURITY)]]): ...

class Basket(PurposeModel):
    account: Account
    total: Annotated[int, AllowedFor(ORDERS)]

View = Account.visible_to(TWO_FACTOR)
""",
    )
    found = {(row["purpose"], row["field"]) for row in rows_of(shop) if row["where"] == "shop.more"}
    assert found == {
        ("advertising", "Admin.email"),
        ("orders", "Basket.total"),
        ("orders", "Page.note"),
        ("orders", "Shelf.orders()"),
        ("security", "Admin.email"),
        ("security", "Admin.pin"),
        ("security", "Pin.root"),
        ("security.two_factor", "Admin.email"),
        ("security.two_factor", "Admin.phone"),
        ("security.two_factor", "Admin.pin"),
        ("security.two_factor", "Pin.root"),
        ("shipping", "Parcel.label"),
        ("shipping", "Row.cell"),
    }
    counted = [(row["purpose"], row["field"]) for row in rows_of(shop) if row["field"] == "Account.phone"]
    assert counted == [("security.two_factor", "Account.phone")]  # the view's is the same field


def test_what_cannot_be_looked_into_is_told(shop: Shop) -> None:
    """A dataclass of nobody's interest would keep a service from having a record; or a tag would be missed in silence."""
    shop.write(
        "more",
        "from __future__ import annotations\nfrom dataclasses import dataclass\n\n@dataclass\nclass Tool:\n    x: NotThere\n\n"
        "@dataclass\nclass Odd:\n    x: 1 / 0\n",
    )
    done = shop.run("shop", "--form", "markdown")
    assert done.returncode == 0
    for text in (done.stderr, done.stdout.replace("\\", "")):
        assert "What shop.more.Tool declares is not known" in text
        assert "shop.more.Odd cannot be looked into (ZeroDivisionError)." in text


def test_two_models_of_one_name(shop: Shop) -> None:
    """Each would be reported with the reads of both, and nothing would say so."""
    shop.record_months()
    shop.write("more", MODELS)
    done = shop.run("shop", *LEDGER, "--form", "fides")
    assert done.returncode == 0, done.stderr
    assert "Account.phone is in shop.models and shop.more: a ledger tells them as one" in done.stderr
    names = [one["name"] for one in yaml.safe_load(done.stdout)["dataset"][0]["collections"]]
    assert sorted(names) == sorted({*names})
    assert {"shop-models-Account", "shop-more-Account", "Person"} <= {*names}


def test_words_that_no_vocabulary_has_are_told() -> None:
    """A slip of the pen would stand in the record."""
    purposes = [
        Purpose("invword_a", "A", dpv=["Advertizing", "https://example.org/#Anything"], fides="marketing.advertizing"),
        Purpose("invword_b", "B", dpv=["Purpose", "Marketing"], fides="sales", iab=3),
        Purpose("invword_c", "C", dpv="Zzzzzzzz"),
    ]
    assert list(unknown_terms(purposes)) == [
        "invword_a: DPV 2.3 has no purpose 'Advertizing'. Did you mean 'Advertising'?",
        "invword_a: fideslang 3.1.4 has no data use 'marketing.advertizing'. Did you mean 'marketing.advertising'?",
        "invword_c: DPV 2.3 has no purpose 'Zzzzzzzz'.",
    ]


# --- Words that would do something -----------------------------------------------------------------------------------

HOSTILE = "=cmd|' /C calc'!A0 | <img src=x onerror=x> [x](javascript:x) `x` \u202e\x1b[31m \ud800\n# Heading\n---"


def hostile(field: str) -> Record:
    purpose = Purpose("invhostile", HOSTILE)
    told = Filled.model_validate(
        {
            "controller": {"name": HOSTILE.replace("\ud800", ""), "contact": "-1"},
            "data_subjects": {"M": "| x |\n# y"},
            "purposes": {"invhostile": {"recipients": ["\n- @x"], "transfers": ["1. x"], "time_limits": "+1"}},
        }
    )
    usage = Usage(Count(3, 2, 1), denied=Count(1))
    lines = (Line(field, "module", True, retain=timedelta(days=1), usage=usage), Line(f"N.{HOSTILE}", usage=usage))
    activities = (
        Activity("invhostile", purpose, lines, (("invhostile", HOSTILE),), told.purposes["invhostile"], True),
        Activity(HOSTILE, None, lines[1:], used=True),
    )
    return Record(("shop",), told, activities, Happened({}, None, None), remarks=(HOSTILE,))


def test_what_others_wrote_stays_text() -> None:
    """A reader of the record would be shown, or their spreadsheet would run, what somebody put into a description."""
    written = {form: write(hostile("M.x")) for form, write in FORMS.items()}
    for text in written.values():
        text.encode()  # a lone surrogate could not be written at all
        assert "\u202e" not in text
        assert "\x1b" not in text
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(written["markdown"])
    every = [one for token in tokens for one in (token, *(token.children or ()))]
    kinds = {token.type for token in every}
    assert not kinds & {
        "html_block",
        "html_inline",
        "link_open",
        "image",
        "hr",
        "ordered_list_open",
        "code_block",
        "fence",
    }
    assert {"table_open", "heading_open", "bullet_list_open", "code_inline"} <= kinds
    headings = [after.content for token, after in itertools.pairwise(tokens) if token.type == "heading_open"]
    assert len(headings) == 6
    assert headings[:3] == ["Record of processing activities", "Purposes", "`invhostile`"]
    assert headings[4:] == ["Security measures", "To be checked"]
    facts = [token.content for token in tokens if token.level == 3 and token.type == "inline"]
    assert "Recipients: \\- @x" in facts  # nothing closes the list it is in
    json.loads(written["jsonld"])
    assert yaml.safe_load(written["fides"])["system"][0]["legal_address"] == "-1"


def test_a_spreadsheet_runs_nothing(shop: Shop) -> None:
    """Opening the file would run a command on the machine of whoever answers for data protection."""
    formulas = {"=1+1", "+1", "-1", "@SUM(A1)", "\\t=1"}
    more = "\n".join(
        f'Purpose("formula{number}", "{text}").may_hand_over_to(ORDERS, reason="{text}")'
        for number, text in enumerate(formulas)
    )
    shop.write("purposes", PURPOSES + more)
    (shop.folder / "record.toml").write_text(
        '[purposes.orders]\nrecipients = ["=1+1"]\ntransfers = ["@x"]\ntime_limits = "-1"\n'
    )
    cells = [cell for row in rows_of(shop, *TOLD) for cell in row.values()]
    assert {cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))} == set()
    assert {"'=1+1", "'@x", "'-1"} <= set(cells)


# --- Bad input -------------------------------------------------------------------------------------------------------


def write_record(text: str) -> Callable[[Shop], None]:
    def write(shop: Shop) -> None:
        (shop.folder / "record.toml").write_text(text)

    return write


def spoil(shop: Shop) -> None:
    (shop.folder / "record.toml").write_bytes(b"\xff\xfe")


BAD: list[tuple[Callable[[Shop], None], tuple[str, ...], str]] = [
    (lambda shop: None, ("no_such_package",), "no_such_package cannot be imported (ModuleNotFoundError"),
    (lambda shop: shop.write("broken", "def x(:\n"), ("shop",), "shop.broken cannot be imported (SyntaxError"),
    (lambda shop: shop.write("broken", "from .models import *\nclass Late(PurposeModel):\n    x: 'Missing'\n"), ("shop",), "shop.broken.Late is not finished"),
    (lambda shop: shop.write("broken", "from .purposes import *\nSECURITY.may_hand_over_to(ORDERS, reason='x')\nORDERS.may_hand_over_to(SECURITY, reason='x')\n"), ("shop",), "Handovers lead in a circle: orders -> security -> orders"),
    (lambda shop: shop.write("broken", "from purposebind import Purpose\nPurpose('orders', 'Take the order', dpv='orders')\n"), ("shop",), "dpv='orders' is not a term of the Data Privacy Vocabulary, such as 'Advertising'"),
    (lambda shop: shop.write("broken", "from .purposes import *\nPurpose('orders', 'Take the order', dpv='DeliveryOfGoods')\n"), ("shop",), "'orders' is declared already, with other identifiers: none, now DPV DeliveryOfGoods"),
    (lambda shop: None, ("shop", "--form", "xml"), "--form xml: there are table, markdown, csv, jsonld, fides."),
    (lambda shop: None, ("shop", "--ledger", "nowhere"), "nowhere"),
    (lambda shop: None, ("shop", "--record", "nothing.toml"), "There is no nothing.toml. Leave --record out to see what has to be filled in."),
    (lambda shop: None, ("shop", "--record", "shop"), "shop cannot be read"),
    (spoil, ("shop", *TOLD), "record.toml cannot be read"),
    (write_record("x = "), ("shop", *TOLD), "record.toml is not TOML"),
    (write_record("contoller = 1"), ("shop", *TOLD), "record.toml, at contoller: there is no such key; did you mean 'controller'?"),
    (write_record("[zzz]"), ("shop", *TOLD), "record.toml, at zzz: there is no such key; there are controller, data_categories,"),
    (write_record("[controller]\nname = 'x'\nfone = '1'"), ("shop", *TOLD), "at controller.fone: there is no such key; there are contact, name."),
    (write_record("[controller]\ncontact = 'x'"), ("shop", *TOLD), "at controller.name: field required."),
    (write_record("[controller]\nname = ' '"), ("shop", *TOLD), "at controller.name: string should have at least 1 character."),
    (write_record("[purposes.orders]\nlegal_basis = 'we like to'"), ("shop", *TOLD), "'we like to' is no legal basis of GDPR article 6(1): consent, contract, legal obligation,"),
    (write_record("[purposes.orders]\nrecipents = []"), ("shop", *TOLD), "at purposes.orders.recipents: there is no such key; did you mean 'recipients'?"),
    (write_record("[purposes.security.two_factor]\nlegal_basis = 'contract'"), ("shop", *TOLD), "at purposes.security.two_factor: a name with a dot in it stands in quotes, such as [purposes.\"security.two_factor\"]."),
    (write_record("[data_categories]\nAccount.phone = 'x'"), ("shop", *TOLD), "at data_categories.Account: a name with a dot in it stands in quotes"),
    (write_record("[data_subjects]\nAccount = 5"), ("shop", *TOLD), "at data_subjects.Account: input should be a valid string."),
    (write_record("purposes = 1"), ("shop", *TOLD), "at purposes: input should be a valid dictionary."),
    (write_record("[[controller]]\nname = 'x'"), ("shop", *TOLD), "at controller: input should be a valid dictionary"),
    (write_record("[purposes.order]\nrecipients = []"), ("shop", *TOLD), "record.toml, [purposes]: no purpose is declared called 'order'. Did you mean 'orders'?"),
    (write_record("[data_subjects]\nAcount = 'x'"), ("shop", *TOLD), "[data_subjects]: no model with a tagged field is called 'Acount'. Did you mean 'Account'?"),
    (write_record("[data_categories]\n'Account.handle' = 'x'"), ("shop", *TOLD), "[data_categories]: no tagged field is called 'Account.handle'."),
    (write_record("namespace = 'javascript:x'"), ("shop", *TOLD), "at namespace: 'javascript:x' is no IRI that ends with / or #"),
    (lambda shop: None, ("shop", "--output", "no/such/folder/x.md"), "no/such/folder/x.md cannot be written: No such file"),
    (lambda shop: None, ("shop", "--output", "shop"), "shop cannot be written: Is a directory"),
    (lambda shop: None, (), "Missing argument 'PACKAGE...'"),
]  # fmt: skip


@pytest.mark.parametrize(("break_", "arguments", "said"), BAD, ids=[f"{number}" for number in range(len(BAD))])
def test_bad_input_is_told_with_the_way_out(
    shop: Shop, break_: Callable[[Shop], Any], arguments: tuple[str, ...], said: str
) -> None:
    """Half a record would be taken for a whole one."""
    break_(shop)
    before = files(shop.folder)
    done = shop.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
    assert files(shop.folder) == before


def test_a_ledger_without_reads(shop: Shop) -> None:
    """A service that was deployed this morning could not have a record; or would be said to use what it never did."""
    assert shop.python("from purposebind.ledger import Ledger\nLedger('ledger').recorder()").returncode == 0
    done = shop.run("shop", *LEDGER, "--form", "markdown")
    assert done.returncode == 0, done.stderr
    assert "The ledger holds no read and no refusal." in done.stdout
    assert {row["status"] for row in rows_of(shop, *LEDGER)} == {"never used", "nothing may be read for it"}


def test_a_ledger_that_is_broken_says_so_in_the_record(shop: Shop) -> None:
    """Counts that are too low would be sent away as exact ones."""
    shop.record_months()
    for segment in sorted((shop.folder / "ledger").rglob("*.seg")):
        data = bytearray(segment.read_bytes())
        data[-40] ^= 0xFF
        segment.write_bytes(bytes(data))
    done = shop.run("shop", *LEDGER, "--form", "markdown")
    assert done.returncode == 0, done.stderr
    for text in (done.stdout, done.stderr):
        assert "The counts may be too low: 7 records of the ledger are broken." in text


def test_without_the_extra_the_way_out_is_told(shop: Shop) -> None:
    """Somebody without PyYAML would get a traceback, or an empty file."""
    code = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"yaml", "tomllib", "tomli", "duckdb", "jinja2", "numpy", "sqlglot", "sqlalchemy"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
from purposebind.cli import main
main()
"""
    (shop.package / "tables.py").unlink()
    for arguments, missing in ((("--form", "fides", "--output", "x.yml"), "yaml"), (TOLD, "tom")):
        done = shop.python(code, "inventory", "shop", *arguments)
        assert done.returncode == 2
        assert re.search(
            rf"This needs {missing}\w*, which is not installed. Install it with: pip install 'purposebind\[governance\]'",
            done.stderr,
        )
        assert not (shop.folder / "x.yml").exists()
    for form in ("table", "csv", "markdown", "jsonld"):
        done = shop.python(code, "inventory", "shop", "--form", form)
        assert done.returncode == 0, done.stderr
    done = shop.python(code, "inventory", "shop", *LEDGER)
    assert done.returncode == 2
    assert "pip install 'purposebind[ledger]'" in done.stderr


@pytest.mark.parametrize("form", ["table", "csv", "markdown", "jsonld", "fides"])
def test_a_terminal_that_cannot_show_it(shop: Shop, form: str) -> None:
    """A description with an umlaut would be a traceback where the terminal has an old encoding."""
    shop.change("purposes", "Take the order", "Ma\u00dfe pr\u00fcfen")
    code = "import sys; sys.stdout.reconfigure(encoding='ascii'); from purposebind.cli import main; main()"
    done = shop.python(code, "inventory", "shop", "--form", form)
    if form == "table":  # it shows no descriptions
        assert done.returncode == 0, done.stderr
        return
    assert (done.returncode, done.stdout) == (2, "")
    assert "Standard output is ascii, and the record is not. Write it to a file, with --output." in done.stderr
    done = shop.python(code, "inventory", "shop", "--form", form, "--output", "record")
    assert done.returncode == 0, done.stderr
    assert "Ma\u00dfe pr\u00fcfen" in (shop.folder / "record").read_text(encoding="utf-8")


def test_what_people_wrote_is_read_whole() -> None:
    """A part of it would be dropped in silence."""
    told = filled(RECORD, "record.toml")
    assert told.controller is not None
    assert told.controller.contact == "1 Main Street, Dublin"
    assert told.purposes["orders"].recipients == ()
    assert told.purposes["advertising"].time_limits is None
    assert filled("", "empty") == Filled()
    with pytest.raises(InventoryError, match="x, at purposes"):
        filled("purposes = 1", "x")


def test_the_record_is_the_same_each_time(recorded: Shop, tmp_path: Path) -> None:
    """A record under version control would change without a change."""
    for name in ("shop", "ledger"):
        shutil.copytree(recorded.folder / name, tmp_path / name)
    for name in ("ledger.key", "record.toml"):
        shutil.copy(recorded.folder / name, tmp_path / name)
    other = Shop.__new__(Shop)
    other.folder, other.package = tmp_path, tmp_path / "shop"
    for form in ("csv", "jsonld"):
        arguments = ("shop", *LEDGER, *TOLD, "--form", form)
        assert recorded.run(*arguments).stdout == other.run(*arguments).stdout
