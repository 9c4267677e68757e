"""The manifest of fides, read by fideslang itself, which wants an older pydantic: in an environment of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
from inventory_shop import PURPOSES, Shop

from purposebind.governance.inventory.vocabularies import DATA_SUBJECTS, DATA_USES, FIDESLANG_VERSION

READ = """
import json, sys
from fideslang import DEFAULT_TAXONOMY
from fideslang.manifests import load_yaml_into_dict
from fideslang.models import Taxonomy
from fideslang.parse import load_manifests_into_taxonomy
from fideslang.relationships import get_referenced_missing_keys

read = load_manifests_into_taxonomy(load_yaml_into_dict(sys.argv[1]))
both = {name: [*getattr(DEFAULT_TAXONOMY, name), *getattr(read, name)] for name in Taxonomy.model_fields}
keys = [use.fides_key for use in both["data_use"]]
print(json.dumps({
    "read": read.model_dump(mode="json"),
    "missing": sorted(get_referenced_missing_keys(Taxonomy(**both))),
    "twice": sorted({key for key in keys if keys.count(key) > 1}),
}))
"""
LISTS = """
import json
from fideslang import DEFAULT_TAXONOMY
lists = (DEFAULT_TAXONOMY.data_use, DEFAULT_TAXONOMY.data_subject)
print(json.dumps([[one.fides_key for one in each] for each in lists]))
"""


@pytest.fixture(scope="module")
def fideslang(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has fideslang, and nothing of ours."""
    folder = tmp_path_factory.mktemp("fideslang") / "venv"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "-q", f"fideslang=={FIDESLANG_VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return python


def run(python: Path, code: str, *arguments: str) -> Any:
    command = [str(python), "-I", "-W", "error", "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def manifest(shop: Shop, *arguments: str) -> str:
    out = shop.folder / "manifest.yml"
    done = shop.run("shop", *arguments, "--form", "fides", "--output", str(out))
    assert done.returncode == 0, done.stderr
    return str(out)


def test_fideslang_reads_what_was_meant(tmp_path: Path, fideslang: Path) -> None:
    """The file could not be pushed to a fides server; or would, and mean something else there."""
    shop = Shop(tmp_path)
    shop.record_months()
    found = run(fideslang, READ, manifest(shop, "--ledger", "ledger", "--record", "record.toml"))
    assert (found["missing"], found["twice"]) == ([], [])
    (system,) = found["read"]["system"]
    declared = {one["name"]: one for one in system["privacy_declarations"]}
    ads = declared["advertising with consent"]
    assert (ads["data_use"], ads["legal_basis_for_processing"]) == ("marketing.advertising", "Consent")
    assert (ads["data_subjects"], ads["third_parties"]) == (["Our_customers"], "Ad platform Inc.")
    assert declared["security.two_factor"]["retention_period"] == "Account.phone: 90 days"
    assert (system["legal_name"], system["does_international_transfers"]) == ("Shop | Ltd", True)
    assert system["meta"]["purposebind"]["advertising"]["iab_tcf"] == [3, 4]
    (dataset,) = found["read"]["dataset"]
    account = next(one for one in dataset["collections"] if one["name"] == "Account")
    assert [(one["name"], one["data_categories"]) for one in account["fields"]] == [
        ("email", ["user"]),
        ("phone", ["user.contact.phone_number"]),
    ]


def test_whatever_purposes_are_called(tmp_path: Path, fideslang: Path) -> None:
    """A purpose's name that is also a data use's, or another type's in YAML, would break the file or the taxonomy."""
    shop = Shop(tmp_path)
    names = ["marketing", "no", "null", "on", "user", "system", "purposebind", "y2_k"]
    more = [f'Purpose("{name}", "{name}: - # | > no").child("advertising", "true")' for name in names]
    more.append('Purpose("sell", "1", fides="sales").child("x", "~", fides="own.use.of.ours").child("y", "=")')
    shop.write("purposes", "\n".join([PURPOSES, *more]))
    every = "*(p for p in Purpose.declared() if p.name != 'surveys')"
    shop.change("models", "AllowedFor(ORDERS)]\n\nclass Letter", f"AllowedFor({every})]\n\nclass Letter")
    shop.change("models", "from purposebind import", "from purposebind import Purpose,")
    found = run(fideslang, READ, manifest(shop))
    assert (found["missing"], found["twice"]) == ([], [])
    uses = {one["fides_key"]: one for one in found["read"]["data_use"]}
    assert uses["purposebind.no.advertising"]["description"] == "true"
    assert uses["purposebind.null"]["description"] == "null: - # | > no"
    assert uses["own.use.of.ours.sell-x-y"]["parent_key"] == "own.use.of.ours"
    assert not uses.keys() & DATA_USES


def test_the_lists_are_fideslangs(fideslang: Path) -> None:
    """A data use of fideslang would be declared anew, and a slip of the pen be taken for one."""
    uses, subjects = run(fideslang, LISTS)
    assert sorted(uses) == sorted(DATA_USES)
    assert sorted(subjects) == sorted(DATA_SUBJECTS)


def test_it_is_no_pydantic_of_ours(fideslang: Path) -> None:
    """The tests above would hold for a fideslang that nobody can install beside the service."""
    version = run(fideslang, "import json, pydantic; print(json.dumps(pydantic.VERSION))")
    assert tuple(map(int, version.split(".")[:2])) < (2, 13)
    assert not str(fideslang).startswith(sys.prefix)
