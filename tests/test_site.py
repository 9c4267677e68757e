"""The documentation as a site: it says what docs/ says, leaves no page out, and leads nowhere that is not there."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from built_site import ROOT, SiteError, SitePage, build, parsed
from markdown_it import MarkdownIt

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
BUILT_FROM = [".ci", "docs", "tests", "README.md", "LICENSE"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; not to build it is the first thing that can go wrong."""
    out = tmp_path_factory.mktemp("site") / "out"
    build(ROOT, out)
    return out


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the site is built from, to be changed."""
    for name in BUILT_FROM:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / "copy" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / "copy" / name)
    return tmp_path / "copy"


def of(page: Path) -> Path:
    """Where the site has a page of the repository."""
    return Path() if page == ROOT / "README.md" else page.relative_to(DOCS).with_suffix("")


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


# --- What it says ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_a_page_says_what_it_says_where_the_repository_is_shown(page: Path, site: Path) -> None:
    """The two read markdown by different rules: a list would run into its paragraph, a comment would show its code."""
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    shown = SitePage(markdown.render(page.read_text(encoding="utf-8")), article=False)
    assert parsed(site / of(page) / "index.html").text == shown.text, (
        "write it so that both read it alike: an empty line before a list, four spaces before what is inside an item"
    )
    assert len(shown.text) > 50


def test_a_linked_file_of_the_source_is_shown_as_it_is(site: Path) -> None:
    """A reader of the benchmarks who follows the link to their source would find an error, or another file."""
    linked = re.findall(r"\]\(\.\./(tests/[^)]+\.py)\)", (DOCS / "benchmarks.md").read_text(encoding="utf-8"))
    assert linked
    for name in linked:
        shown = (site / "source" / name / "index.html").read_text(encoding="utf-8")
        code = re.search(r"<pre>.*?<code>(.*?)</code></pre>", shown, re.DOTALL)
        assert code is not None
        text = html.unescape(re.sub(r"<[^>]+>", "", code[1]))
        assert text.rstrip("\n") == (ROOT / name).read_text(encoding="utf-8").rstrip("\n")


def test_a_linked_folder_of_the_source_is_shown_with_all_its_files(site: Path) -> None:
    """The guide that walks through a service points at its two states: a missing file would hide a step."""
    for state in ("before", "after"):
        folder = ROOT / "tests" / "service" / state / "shop"
        shown = parsed(site / "source" / folder.relative_to(ROOT) / "index.html")
        files = {path.name for path in folder.glob("*.py")}
        assert "__init__.py" in files
        assert {f"<h2><code>{name}" for name in files} <= set(re.sub("<h2> +", "<h2>", " ".join(shown.text)).split())


def test_search_finds_pages_and_not_the_source(site: Path) -> None:
    """Who searches for a name would get test code before the page that explains it."""
    entries = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]
    places = {entry["location"].partition("#")[0] for entry in entries}
    assert {f"{of(page).as_posix()}/" for page in PAGES[1:]} <= places
    assert not [place for place in places if place.startswith("source/")]


# --- Where it leads --------------------------------------------------------------------------------------------------


def test_the_sections_come_in_their_order(site: Path) -> None:
    """Somebody new has to meet the tutorial before the reference."""
    assert parsed(site / "index.html").tabs == [
        "Home",
        "Tutorial",
        "How-to guides",
        "Explanation",
        "Reference",
        "Decision records",
        "Changelog",
        "Benchmarks",
        "Mutation testing",
    ]


def test_each_page_is_in_the_navigation(site: Path) -> None:
    """A page in no menu is found by nobody who does not know of it."""
    reached = {link.rstrip("/") for link in parsed(site / "index.html").navigation if not link.startswith("#")}
    assert reached - {"adr"} == {of(page).as_posix() for page in PAGES}


def test_every_link_leads_somewhere(site: Path) -> None:
    """mkdocs looks at the links that it wrote itself; those of the theme, and of raw HTML, are nobody's else."""
    pages = {path: parsed(path) for path in site.rglob("*.html") if path.name != "404.html"}
    assert len(pages) > len(PAGES)
    followed = 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                assert parts.scheme in {"https", "mailto"}, f"{path}: {link}"
                continue
            assert not parts.netloc, f"{path}: {link}"
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_relative_to(site.resolve()), f"{path}: {link} leads out of the site"
            assert target.is_file(), f"{path}: {link}"
            if parts.fragment and target.suffix == ".html":
                assert unquote(parts.fragment) in pages[target].ids, f"{path}: {link}"
            followed += 1
    assert followed > 1000


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    """Whoever reads about keeping personal data would be made known to another company by reading."""
    for path in site.rglob("*.html"):
        found = re.findall(
            r"<(?:script|img|iframe|link|source)\b[^>]*?(?:src|href)=[\"']?(?:https?:)?//[^>]*>", path.read_text()
        )
        assert not [one for one in found if 'rel="canonical"' not in one], path
    for path in site.rglob("*.css"):
        assert not re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//[^)]*", path.read_text(encoding="utf-8")), path


# --- What fails the build --------------------------------------------------------------------------------------------


def _append(place: str, text: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        with (root / place).open("a", encoding="utf-8") as file:
            file.write(f"\n{text}\n")

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_append("docs/how-to/celery.md", "[x](gone.md)"), "gone.md"),
        (_append("docs/how-to/celery.md", "[x](fastapi.md#gone)"), "#gone"),
        (_append("docs/how-to/celery.md", "[x](#gone)"), "#gone"),
        (_append("docs/how-to/celery.md", "![x](../gone.png)"), "gone.png"),
        (_append("docs/how-to/celery.md", "[x](/how-to/fastapi/)"), "/how-to/fastapi/"),
        (_append("docs/benchmarks.md", "[x](../tests/benchmarks/gone.py)"), "gone.py"),
        (_append("README.md", "[x](docs/gone.md)"), "gone.md"),
        (_append("README.md", "[x](docs/tutorial.md#gone)"), "#gone"),
        (_append("docs/how-to/celery.md", "[x](../../)"), "../../"),
        (_append("docs/how-to/.nav.yml", "  - gone.md"), "gone.md"),
    ],
    ids=[
        "page",
        "anchor",
        "own anchor",
        "picture",
        "absolute",
        "source",
        "readme",
        "readme anchor",
        "whole repository",
        "navigation",
    ],
)
def test_what_leads_nowhere_fails_the_build(change: Callable[[Path], None], told: str, copy: Path) -> None:
    """A warning that fails nothing is read by nobody, and the site goes out with the broken link."""
    change(copy)
    with pytest.raises(SiteError, match=re.escape(told)):
        build(copy, copy.parent / "out")


def test_a_new_page_needs_no_list(copy: Path) -> None:
    """Whoever adds a page would have to know of a second file to change, and forget it."""
    new = ["how-to/brand-new.md", "explanation/brand-new.md", "adr/9999-brand-new.md", "brand-new.md"]
    for name in new:
        (copy / "docs" / name).write_text(f"# About {name}\n\nText.\n", encoding="utf-8")
    build(copy, copy.parent / "out")
    home = parsed(copy.parent / "out" / "index.html")
    assert {f"{name.removesuffix('.md')}/" for name in new} <= set(home.navigation)
    assert home.tabs[-1] == "About brand-new.md"
    assert "9999-brand-new/" in parsed(copy.parent / "out" / "adr" / "index.html").links


def test_links_in_code_stay_as_they_are(copy: Path) -> None:
    """An example about markdown would show a path of the site, and not what the reader has to write."""
    page = copy / "docs" / "how-to" / "celery.md"
    links = {
        "```text\n[in a block](../../README.md)\n```": "[in a block](../../README.md)",
        "- x\n\n    ```text\n    [in a list](../../README.md)\n    ```": "[in a list](../../README.md)",
        "`[in a line](../../README.md)`": "[in a line](../../README.md)",
        "``a ` and [in ticks](../../README.md)``": "[in ticks](../../README.md)",
        "<!-- [in a comment](../../gone.md) -->": "",
        "`a` [`b[c]`](../../README.md) and [`d`](../../README.md#modes)": '<a href="../../">',
        '[with a title](../../LICENSE "Apache")': '<a href="../../source/LICENSE/" title="Apache">',
    }
    _append("docs/how-to/celery.md", "\n\n".join(links))(copy)
    build(copy, copy.parent / "out")
    shown = (copy.parent / "out" / "how-to" / "celery" / "index.html").read_text(encoding="utf-8")
    for link in links.values():
        assert link in shown
    assert '<a href="../../#modes"><code>d</code></a>' in shown
    assert page.read_text(encoding="utf-8").count("README.md") == 6


def test_a_folder_that_has_a_page_is_that_page(copy: Path) -> None:
    """Two pages would be written to one place, and whichever comes last would be shown."""
    (copy / "docs" / "adr" / "README.md").write_text("# How we decide\n\nIn writing.\n", encoding="utf-8")
    build(copy, copy.parent / "out")
    assert "In writing." in " ".join(parsed(copy.parent / "out" / "adr" / "index.html").text)


def test_the_site_can_be_made_for_an_address(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is published, search engines have to be told which address is the page's own."""
    monkeypatch.setenv("SITE_URL", "https://docs.example/purposebind/")
    build(copy, copy.parent / "out")
    shown = (copy.parent / "out" / "tutorial" / "index.html").read_text(encoding="utf-8")
    assert '<link rel="canonical" href="https://docs.example/purposebind/tutorial/">' in shown
