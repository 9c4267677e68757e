"""The documentation as a site: building it as `.ci/run` does, and reading a page of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

__all__ = ["ROOT", "SiteError", "SitePage", "build", "parsed"]

ROOT = Path(__file__).resolve().parent.parent

_EMPTY = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"}
_BLOCKS = {"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "li", "ol", "p", "pre", "table", "td", "th", "tr", "ul"}
_INLINE = {"a", "code", "em", "strong"}
_LEADING = {"a": "href", "img": "src", "link": "href", "script": "src", "iframe": "src", "source": "src"}


class SiteError(Exception):
    """The site was not built; the message is what mkdocs said."""


def build(root: Path, out: Path) -> None:
    """Build the site of the repository in `root` into `out`, with warnings as errors."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]  # with --quiet as well, mkdocs counts no warnings
    done = subprocess.run(
        [*command, "--config-file", str(root / ".ci" / "site" / "mkdocs.yml"), "--site-dir", str(out)],
        cwd=out.parent,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SiteError(done.stdout + done.stderr)


class SitePage(HTMLParser):
    """What stands in a page: its ids, where it leads, and its text with the tags that give it structure."""

    def __init__(self, html: str, *, article: bool) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.navigation: list[str] = []
        self.tabs: list[str] = []
        self._inside = not article
        self._open: list[tuple[str, bool, str]] = []
        self._parts: list[str] = []
        self.feed(html)

    @property
    def text(self) -> list[str]:
        """The words of the article, and its tags."""
        return re.sub("<pre> *<code>", "<pre>", "".join(self._parts)).split()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        kind = found.get("class", "")
        self.ids.update({found["id"]} if "id" in found else ())
        leads_to = found.get(_LEADING.get(tag, ""))
        if leads_to is not None:
            self.links.append(leads_to)
            if "md-nav__link" in kind and any("md-nav--primary" in one for _, _, one in self._open):
                self.navigation.append(leads_to)
        if tag == "article":
            self._inside = True
        apart = tag in {"button", "nav", "script", "style"} or kind == "headerlink"
        if tag not in _EMPTY:
            self._open.append((tag, apart, kind))
        self._put(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "article":
            self._inside = False
        while tag not in _EMPTY and any(tag == one for one, _, _ in self._open):
            if self._open.pop()[0] == tag:
                break
        if tag in _BLOCKS:
            self._put("")

    def handle_data(self, data: str) -> None:
        if self._is_told:
            self._parts.append(data.replace("<", "&lt;"))
        if self._open and any("md-tabs__link" in kind for _, _, kind in self._open) and data.strip():
            self.tabs.append(data.strip())

    @property
    def _is_told(self) -> bool:
        return self._inside and not any(apart for _, apart, _ in self._open)

    def _put(self, tag: str) -> None:
        if self._is_told and tag in _INLINE:
            self._parts.append(f"<{tag}>")
        elif self._is_told and (tag in _BLOCKS or tag in {"", "img"}):
            self._parts.append(f" <{tag}> " if tag else " ")


def parsed(path: Path) -> SitePage:
    """Read a page of a built site."""
    return SitePage(path.read_text(encoding="utf-8"), article=True)
