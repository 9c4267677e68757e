"""What the site has and docs/ has not: the README as its start page, and a page for each file that the pages link to.

The pages are written to be read where the repository is shown. There a link may lead out of docs/, to a file of the
source or to a folder. On the site it leads to a page with that file, as it was when the site was built; a folder of the
source becomes a page with its files, and a folder of docs/ a page with links to its pages.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from mkdocs.structure.files import File, InclusionLevel

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

__all__ = ["on_files", "on_page_markdown", "on_post_page"]

_ROOT: Final = Path(__file__).resolve().parent.parent.parent
_DOCS: Final = _ROOT / "docs"
_START: Final = _ROOT / "README.md"

# A link, or code or a comment, in which what looks like a link is none.
_TOKEN: Final = re.compile(
    r"^ *(?P<fence>`{3,}).*?^ *(?P=fence)`*$"
    r"|<!--.*?-->"
    r"|(?P<before>\[(?P<text>(?:`[^`\n]*`|[^\]`])*)\]\()(?P<link>[^)\s#]+)"
    r"|(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)",
    re.MULTILINE | re.DOTALL,
)
_DIALOG: Final = 'data-md-component="search" role="dialog"'
_HEADING: Final = re.compile(r"^# (.+)$", re.MULTILINE)
_LANGUAGES: Final = {".py": "python", ".toml": "toml", ".yml": "yaml", ".sql": "sql", ".sh": "sh"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are in no file of docs/."""
    files.append(_made(config, "index.md", _START.read_text(encoding="utf-8"), InclusionLevel.INCLUDED))
    pages = [_START, *(_DOCS / file.src_uri for file in files.documentation_pages() if file.generated_by is None)]
    named = {target: text for page in reversed(pages) for target, text in _targets(page)}
    for target, text in sorted(named.items()):
        place = _place(target)
        if files.get_file_from_path(place) is not None:
            continue
        if target.is_dir() and target.is_relative_to(_DOCS):
            files.append(_made(config, place, _contents(target, text), InclusionLevel.INCLUDED))
        else:
            files.append(_made(config, place, _source(target), InclusionLevel.NOT_IN_NAV))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let the links lead to where things are on the site."""
    if page.file.generated_by is not None and page.file.src_uri != "index.md":
        return markdown
    written = _START if page.file.src_uri == "index.md" else _DOCS / page.file.src_uri

    def led(found: re.Match[str]) -> str:
        target = _target(written, found["link"])
        if target is None:
            return found[0]
        start = os.path.dirname(page.file.src_uri) or "."
        return found["before"] + Path(os.path.relpath(_place(target), start)).as_posix()

    return _TOKEN.sub(led, markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Name the theme's search dialog, which has no name that a screen reader could say."""
    return output.replace(_DIALOG, f'{_DIALOG} aria-label="Search"')


def _made(config: MkDocsConfig, place: str, text: str, inclusion: InclusionLevel) -> File:
    return File.generated(config, place, content=text, inclusion=inclusion)


def _targets(page: Path) -> Iterator[tuple[Path, str]]:
    """What the links of a page lead to in the repository, and what they say."""
    for found in _TOKEN.finditer(page.read_text(encoding="utf-8")):
        target = _target(page, found["link"])
        if target is not None:
            yield target, found["text"]


def _target(page: Path, link: str | None) -> Path | None:
    """The file or folder of the repository that a link leads to; what is none is left for mkdocs to complain about."""
    target = (page.parent / unquote(link)).resolve() if link else None
    return target if target and _ROOT in target.parents and target.exists() else None


def _place(target: Path) -> str:
    """Where the site has a file or folder of the repository."""
    if target == _START:
        return "index.md"
    if target.is_relative_to(_DOCS) and target.suffix != ".py":
        if target.is_dir():
            target /= "README.md" if (target / "README.md").exists() else "index.md"
        return target.relative_to(_DOCS).as_posix()
    return f"source/{target.relative_to(_ROOT).as_posix()}.md"


def _contents(folder: Path, title: str) -> str:
    """A page that lists the pages of a folder of docs/; its title is what the link to it says."""
    listed = [f"# {title}", ""]
    for page in sorted(folder.glob("*.md")):
        heading = _HEADING.search(page.read_text(encoding="utf-8"))
        listed.append(f"- [{heading[1] if heading else page.stem}]({page.name})")
    return "\n".join([*listed, ""])


def _source(target: Path) -> str:
    """A page that shows a file, or the files of a folder."""
    name = target.relative_to(_ROOT).as_posix()
    parts = ["---\nsearch:\n  exclude: true\n---\n", f"# `{name}`\n"]
    for path in [target] if target.is_file() else sorted(_texts(target)):
        if path != target:
            parts.append(f"## `{path.relative_to(target).as_posix()}`\n")
        text = path.read_text(encoding="utf-8").rstrip("\n")
        fence = "`" * max(3, *(len(ticks) + 1 for ticks in re.findall("`+", text)), 3)
        parts.append(f"{fence}{_LANGUAGES.get(path.suffix, 'text')}\n{text}\n{fence}\n")
    return "\n".join(parts)


def _texts(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.relative_to(folder).parts):
            with suppress(UnicodeDecodeError):
                path.read_text(encoding="utf-8")
                yield path
