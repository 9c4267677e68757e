"""Sample rows, and what Presidio's pattern recognisers see in them. Needs the extra ``presidio``.

What this module keeps:

- No model is loaded or downloaded, and nothing is asked of the network: the recognisers go by patterns and checksums.
- **R7** What is told of a column is what it holds and in how many rows, never a value; so are errors.
"""

from __future__ import annotations

import csv
import importlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from purposebind import PurposeError

__all__ = ["MOST_ROWS", "Sample", "SampleError", "read_sample", "recognised"]

MOST_ROWS: Final = 1_000
"""How many rows of a file are looked at, from its beginning."""

# Those whose patterns are of people, and say so by themselves or by a checksum; with the least share of values that
# makes a column theirs. Any number of the right length may pass for a phone number; nothing passes for an address.
_RECOGNISERS: Final = {
    "EmailRecognizer": ("e-mail addresses", 0.1),
    "PhoneRecognizer": ("phone numbers", 0.5),
    "IbanRecognizer": ("IBANs", 0.1),
    "CreditCardRecognizer": ("payment cards", 0.3),
    "IpRecognizer": ("IP addresses", 0.3),
    "UsSsnRecognizer": ("US social security numbers", 0.3),
    "UsItinRecognizer": ("US taxpayer numbers", 0.3),
    "UkNinoRecognizer": ("UK national insurance numbers", 0.3),
    "NhsRecognizer": ("NHS numbers", 0.5),
    "EsNifRecognizer": ("Spanish NIFs", 0.3),
    "EsNieRecognizer": ("Spanish NIEs", 0.3),
    "ItFiscalCodeRecognizer": ("Italian fiscal codes", 0.3),
    "PlPeselRecognizer": ("Polish PESELs", 0.5),
    "FiPersonalIdentityCodeRecognizer": ("Finnish personal identity codes", 0.3),
    "InAadhaarRecognizer": ("Indian Aadhaar numbers", 0.5),
    "InPanRecognizer": ("Indian PANs", 0.5),
    "SgFinRecognizer": ("Singaporean FINs", 0.5),
}
_LEAST_SCORE: Final = 0.4


class SampleError(PurposeError):
    """Sample rows that cannot be read, or nothing to look at them with."""


@dataclass(frozen=True)
class Sample:
    """The values of a file's columns.

    Attributes:
        columns: The texts in each column, empty ones left out.
    """

    columns: Mapping[str, list[str]]


def read_sample(path: Path) -> Sample:
    """Read the first rows of a file: JSON objects, one a line, or CSV with a line of names.

    Raises:
        SampleError: It cannot be read. The message holds no value.
    """
    if path.suffix.lower() not in (".csv", ".jsonl", ".ndjson"):
        raise SampleError(f"{path} is neither .csv nor .jsonl: sample rows are in one of these.")
    columns: dict[str, list[str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _of_csv(file, path) if path.suffix.lower() == ".csv" else _of_lines(file, path)
            for _, row in zip(range(MOST_ROWS), rows, strict=False):
                for name, value in row.items():
                    columns.setdefault(name, []).extend(_texts(value))
    except FileNotFoundError:
        raise SampleError(f"There is no {path}.") from None
    except UnicodeDecodeError:
        raise SampleError(f"{path} is not written in UTF-8.") from None
    except OSError as error:
        raise SampleError(f"{path} cannot be read: {error.strerror}") from None
    if not columns:
        raise SampleError(f"{path} holds no row.")
    return Sample(columns)


def _of_csv(file: Iterable[str], path: Path) -> Iterator[Mapping[str, Any]]:
    reader = csv.DictReader(file)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise SampleError(f"{path}, line {reader.line_num}: this is no CSV.") from None
        yield {name: value for name, value in row.items() if isinstance(name, str) and isinstance(value, str)}


def _of_lines(file: Iterable[str], path: Path) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise SampleError(f"{path}, line {number}: this is no JSON object. Each line of it is one row.") from None
        yield row


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, (str, int)):
        text = str(value).strip()
        if text:
            yield text
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def recognised(sample: Sample) -> dict[str, str]:
    """Return what the columns hold that is personal, in words, by their names.

    Raises:
        SampleError: Presidio is not installed.
    """
    recognisers = list(_recognisers())
    found: dict[str, str] = {}
    for name, values in sample.columns.items():
        best: tuple[float, str] = (0.0, "")
        for recogniser, what, least in recognisers:
            many = sum(_is_in(recogniser, value) for value in values)
            share = many / len(values) if values else 0.0
            if share >= least and share > best[0]:
                seen = f"{many:,} of {len(values):,} sample values" if len(values) > 1 else "the only sample value"
                best = share, f"{what}: in {seen}, by Presidio's {type(recogniser).__name__}"
        if best[1]:
            found[name] = best[1]
    return found


def _is_in(recogniser: Any, text: str) -> bool:
    results = recogniser.analyze(text, recogniser.supported_entities, None)
    return any(one.score >= _LEAST_SCORE for one in results or ())


def _recognisers() -> Iterator[tuple[Any, str, float]]:
    try:
        domains: Any = importlib.import_module("tldextract")
        predefined: Any = importlib.import_module("presidio_analyzer.predefined_recognizers")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("presidio_analyzer", "tldextract"):
            raise
        raise SampleError(
            "Sample rows need presidio-analyzer, which is not installed. Install it with: "
            "pip install 'purposebind[presidio]'"
        ) from None
    # Presidio has it fetch the list of domains where none is cached. It comes with one.
    offline = domains.TLDExtract(suffix_list_urls=(), cache_dir=None)
    for name, (what, least) in _RECOGNISERS.items():
        kind: Any = getattr(predefined, name, None)
        if kind is None:  # of another version
            continue
        made = kind()
        if name == "EmailRecognizer":
            made.validate_result = lambda text: offline(text).fqdn != ""
        yield made, what, least
