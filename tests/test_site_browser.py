"""The documentation's site in a real browser: it asks nothing of other servers, and can be used by everybody."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from axe_playwright_python.sync_playwright import Axe
from built_site import ROOT, build
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright
from real_parts import need

CHROMIUM = need("chromium")

# Each has something that others have not: an example in Python, commands and a picture, tables of links, tables without
# a head, and a file of the source.
PLACES = [
    "",
    "how-to/answer-a-regulator/",
    "reference/cli/",
    "explanation/threat-model/",
    "source/tests/service/after/shop/",
]
# The theme draws the button that copies an example in a landmark of its own, and all of them have the same name.
THEIRS = {"landmark-unique"}


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the built site is served."""
    out = tmp_path_factory.mktemp("site") / "out"
    build(ROOT, out)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(out))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        options = ["--no-sandbox"] if os.getuid() == 0 else []
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield started
        started.close()


def opened(browser: Browser, address: str, scheme: str = "light", width: int = 1280) -> tuple[Page, list[str]]:
    """A page that reaches the site alone, and what it wanted from elsewhere or complained about."""
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": 900}
    )
    wrong: list[str] = []

    def only_ours(route: Route) -> None:
        if route.request.url.startswith((address, "data:", "blob:")):
            route.continue_()
        else:
            wrong.append(route.request.url)
            route.abort()

    context.route("**/*", only_ours)
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("response", lambda response: wrong.append(response.url) if response.status >= 400 else None)
    return page, wrong


@pytest.mark.parametrize("place", PLACES)
def test_a_page_asks_nothing_of_another_server(place: str, browser: Browser, address: str) -> None:
    """Whoever reads about keeping personal data would be made known to another company by reading."""
    page, wrong = opened(browser, address)
    page.goto(address + place)
    page.wait_for_load_state("networkidle")
    assert wrong == []
    assert page.context.cookies() == []


def test_search_finds_a_page(browser: Browser, address: str) -> None:
    """The search runs in the browser; without the index, or with the worker from elsewhere, it finds nothing."""
    page, wrong = opened(browser, address)
    page.goto(address)
    page.get_by_role("textbox", name="Search").click()
    page.get_by_role("textbox", name="Search").fill("break_glass")
    expect(page.locator(".md-search-result__link").first).to_be_visible(timeout=60_000)  # it reads the index first
    page.locator(".md-search-result__link").first.click()
    page.wait_for_url(lambda url: url != address)
    assert wrong == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 400)])
@pytest.mark.parametrize("place", PLACES)
def test_axe_finds_nothing(place: str, scheme: str, width: int, browser: Browser, address: str) -> None:
    """Comments in examples too pale to read, links that only a colour tells apart, a page wider than a telephone."""
    page, _ = opened(browser, address, scheme, width)
    page.goto(address + place)
    page.wait_for_load_state("networkidle")
    found = {(one["id"], node["html"]) for one in Axe().run(page).response["violations"] for node in one["nodes"]}
    assert sorted(one for one in found if one[0] not in THEIRS) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
