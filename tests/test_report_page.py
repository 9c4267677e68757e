"""The report in a real browser: what it says, that it can be used by everybody, and that nothing leaves it.

`python tests/test_report_page.py docs/report.png` makes the picture of it in the documentation.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Playwright, Route, expect, sync_playwright
from real_parts import need
from report_example import DECLARED, MADE, START, Script, write_hostile, write_shop

from purposebind.ledger import Ledger, LedgerError
from purposebind.ledger.report import build, render

if TYPE_CHECKING:
    from purposebind.ledger.report import Report

CHROMIUM = need("chromium")

Open = Callable[..., Page]


def start(playwright: Playwright) -> Browser:
    """Start the browser; one that root runs has no sandbox."""
    options = ["--no-sandbox"] if os.getuid() == 0 else []
    return playwright.chromium.launch(executable_path=CHROMIUM, args=options)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = start(playwright)
        yield started
        started.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the example's ledger."""
    folder = tmp_path_factory.mktemp("shop") / "ledger"
    write_shop(folder)
    return folder


@pytest.fixture(scope="module")
def report(shop: Path) -> Report:
    with Ledger(shop) as ledger:
        return build(ledger, DECLARED, made=MADE)


@pytest.fixture(scope="module")
def file(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(report, tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page about a ledger in which every text that somebody can choose is an attack."""
    folder = tmp_path_factory.mktemp("hostile")
    declared = write_hostile(folder / "<img src=x onerror=pwned=1>")
    with Ledger(folder / "<img src=x onerror=pwned=1>") as ledger:
        return written(build(ledger, declared, made=MADE), folder)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty")
    write_shop(folder / "ledger", months=0)
    with Ledger(folder / "ledger") as ledger:
        return written(build(ledger, made=MADE), folder)


def written(report: Report, folder: Path) -> Path:
    path = folder / "report.html"
    path.write_text(render(report), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Opens pages, and fails the test if one asks for anything, or complains on its console."""
    complaints: list[str] = []
    contexts = []

    def visit(path: Path, **options: Any) -> Page:
        context = browser.new_context(**{"reduced_motion": "reduce", **options})
        contexts.append(context)

        def only_the_page(route: Route) -> None:
            if route.request.url == path.as_uri():
                route.continue_()
            else:
                complaints.append(f"asked for {route.request.url}")
                route.abort()

        context.route("**/*", only_the_page)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("request", lambda request: request.url == path.as_uri() or complaints.append(request.url))
        page.on("websocket", lambda socket: complaints.append(socket.url))
        page.goto(path.as_uri())
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []


def rows(page: Page) -> list[str]:
    """The fields in the matrix that are shown, from above."""
    return [text.replace("\n", "") for text in page.locator("#fields tbody tr:visible > th").all_inner_texts()]


def columns(page: Page) -> list[str]:
    return page.locator("#fields thead th:visible").all_inner_texts()[1:]


def cell(page: Page, field: str, purpose: str) -> Locator:
    return page.locator(f'#fields td[data-text="{field} {purpose}"]')


def marks(place: Locator) -> list[str]:
    return [re.sub(r"\s+", " ", text) for text in place.locator(".mark").all_inner_texts()]


# --- What it says ----------------------------------------------------------------------------------------------------


def test_the_page_says_what_the_ledger_says(opened: Open, file: Path, shop: Path) -> None:
    """A regulator reads this page, and no other; a number that differs from the ledger's is a false statement."""
    page = opened(file)
    with Ledger(shop) as ledger:
        observed, matrix = ledger.affected(decision="observed"), ledger.matrix()
        denials, handovers = ledger.denials(), ledger.handovers()
    assert page.locator(".figure .value").all_inner_texts()[1].split() == [f"{observed.people:,}", "people"]
    expect(page.locator(".finding").first).to_contain_text(
        f"Data of {observed.people:,} people was read for a purpose that it was not collected for."
    )
    labels = {"allowed": "Read", "observed": "Let through", "denied": "Refused", "break_glass": "Break-glass"}
    assert len(matrix) > 12
    for one in matrix:
        said = marks(cell(page, one.field, one.purpose or "no purpose"))
        label = labels[one.decision]
        number = f"{one.people:,}" if one.people else f"{one.unknown_reads:,} reads, person unknown"
        assert any(text.startswith(label) and f" {number} " in f"{text} " for text in said), (one, said)
    unknown = sum(one.unknown_reads for one in matrix)  # none of them in work for two purposes
    assert page.locator(".figure .value").all_inner_texts()[4].split() == [f"{unknown:,}", "reads"]
    expect(page.locator("#glance")).to_contain_text(f"{unknown:,} reads name no person.")
    assert page.locator("#denials tbody tr").count() == len(denials)
    assert page.locator("#handovers tbody tr").count() == len(handovers)
    expect(page.locator("#break-glass")).to_contain_text("INC-1234: restore login")
    expect(page.locator("#break-glass")).to_contain_text("Grace Hopper")
    expect(page.locator("#chain")).to_contain_text("The chain holds")


def test_a_cell_says_declared_used_denied_never_used(opened: Open, file: Path) -> None:
    """What was declared and never used should be taken out; what was used and not declared should not have happened."""
    page = opened(file)
    assert marks(cell(page, "Account.birthday", "age_check")) == ["Declared, never read"]
    assert marks(cell(page, "Account.email", "security")) == ["Declared, never read"]
    assert marks(cell(page, "Account.email", "security.training")) == ["Ruled out"]
    assert marks(cell(page, "Account.email", "security.two_factor")) == ["Allowed, never read part of security"]
    assert marks(cell(page, "Account.birthday", "analytics")) == ["Refused 30 people"]
    (outdated,) = marks(cell(page, "Order.items", "analytics"))
    assert re.fullmatch(r"Read, not declared today [\d,]+ people", outdated)
    observed, refused = marks(cell(page, "Account.phone", "advertising"))
    assert re.fullmatch(r"Let through [\d,]+ people", observed)
    assert refused == "Refused 1 person"
    assert cell(page, "Account.phone", "news").inner_text().strip() == "not declared, not asked for"


def test_a_cell_leads_to_the_code_behind_it_and_back(opened: Open, file: Path) -> None:
    """Who sees a wrong read asks at once which code did it."""
    page = opened(file)
    link = cell(page, "Account.phone", "advertising").get_by_role("link")
    link.click()
    group = page.locator("tbody:target")
    expect(group).to_contain_text("Account.phone for advertising")
    expect(group).to_contain_text("/srv/shop/shop/audience.py:41 in match_audience")
    expect(group).to_be_in_viewport()
    group.get_by_role("link", name="back to the cell").click()
    expect(page.locator("td:target")).to_have_attribute("data-text", "Account.phone advertising")
    expect(page.locator("td:target")).to_be_in_viewport()


def test_every_link_leads_somewhere(opened: Open, file: Path) -> None:
    """A link that does nothing looks like something to hide."""
    page = opened(file)
    targets = page.eval_on_selector_all("a", "links => links.map(link => link.getAttribute('href'))")
    assert len(targets) > 40
    for target in set(targets):
        assert target.startswith("#")
        expect(page.locator(f"[id='{target[1:]}']")).to_have_count(1)
    ids = page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))


def test_pictures_say_in_words_what_they_show(opened: Open, file: Path) -> None:
    """A picture without words is nothing to somebody who cannot see it."""
    page = opened(file)
    for kind in ("Read", "Let through", "Refused", "Break-glass"):
        bars = page.get_by_role("img", name=f"{kind}, over time")
        assert re.search(r"[\d,]+ reads? in all; most people: .+ 2026: ", bars.locator("desc").text_content() or "")
        assert bars.locator("rect").count() >= 1
    flow = page.get_by_role("img", name="Purposes left, and purposes entered instead")
    expect(flow.locator("desc")).to_contain_text("orders to billing: 90 activities")
    assert page.locator("#timeline tbody tr").count() == page.locator("#timeline svg rect").count()
    page.get_by_text("The same as a table").click()
    expect(page.locator("#timeline tbody tr").first).to_be_visible()


def test_an_empty_ledger_has_a_page(opened: Open, empty: Path) -> None:
    """The first thing that many a reader tries is a ledger that nobody has written to yet."""
    page = opened(empty)
    expect(page.locator("#matrix")).to_contain_text("Nothing was read, and nothing is declared.")
    expect(page.locator("#filter")).to_have_count(0)
    assert axe(page) == []


def test_bad_news_about_the_ledger_comes_first(opened: Open, tmp_path: Path) -> None:
    """Figures from a ledger that was altered are no evidence, and that has to be said before they are read."""
    folder = tmp_path / "ledger"
    write_shop(folder, customers=300, months=1)
    script = Script(folder, START + timedelta(days=40), 9)
    script.work(START + timedelta(days=40), ["news"], "news.py:20 in send_news", {"Account.email": range(30)})
    script.lose(START + timedelta(days=41), 1_204)
    torn = script.put()
    torn.write_bytes(torn.read_bytes() + b"\x01torn" * 10)
    (closed,) = (folder / "closed").iterdir()
    content = bytearray(closed.read_bytes())
    content[-30] ^= 1
    closed.write_bytes(content)
    with Ledger(folder) as ledger:
        page = opened(written(build(ledger, made=MADE), tmp_path))
        first = ledger.verify().problems[0]
    findings = page.locator(".finding")
    expect(findings.first).to_contain_text("Serious The ledger was altered or damaged")
    expect(findings.first).to_contain_text(f"First problem: {first}")
    expect(page.locator("#chain")).to_contain_text("The chain is broken")
    expect(page.locator("#chain .first")).to_contain_text(str(first))
    expect(page.locator(".figure").last).to_contain_text("Broken")
    expect(page.locator("#glance")).to_contain_text("1,204 reads could not be recorded.")
    expect(page.locator("#complete")).to_contain_text(
        "1,204 reads could not be recorded, between 12 Apr 2026 06:00 and"
    )
    assert page.locator("#complete tbody tr").count() >= 1
    expect(page.locator("#complete")).to_contain_text("broken record")
    assert axe(page) == []


def test_a_part_of_the_time_can_be_asked_for(opened: Open, shop: Path, tmp_path: Path) -> None:
    """A regulator asks about the months in question, and "never read" then means: in these."""
    until = START + timedelta(days=30)
    with Ledger(shop) as ledger:
        page = opened(written(build(ledger, DECLARED, until=until, made=MADE), tmp_path))
        people = ledger.affected(decision="allowed", until=until).people
    expect(page.locator("header")).to_contain_text("until 1 Apr 2026 06:00 UTC")
    expect(page.locator("#glance")).to_contain_text("Nothing was let through")
    expect(page.locator(".figure").first).to_contain_text(f"{people:,}")
    assert marks(cell(page, "Account.phone", "security.two_factor"))[0].startswith("Read ")
    expect(page.locator("#matrix")).to_contain_text("Only what happened until 1 Apr 2026 06:00 UTC is counted")
    assert "advertising" not in columns(page)


def test_ledgers_of_a_fleet_are_one_page(opened: Open, tmp_path: Path) -> None:
    """Each machine has its ledger, and a person on two of them is one person."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        write_shop(folder, customers=300)
    with Ledger(*folders) as ledger:
        page = opened(written(build(ledger, DECLARED, made=MADE), tmp_path))
        with pytest.raises(LedgerError, match="anchor"):
            build(ledger, anchor=f"0:{64 * '0'}")
    expect(page.locator(".figure").first).to_contain_text("300")
    assert page.locator("#chain article").count() == 2
    expect(page.locator("#chain")).to_contain_text(f"The chain holds: {folders[1]}")


# --- Using it --------------------------------------------------------------------------------------------------------


def test_filtering_with_the_mouse(opened: Open, file: Path) -> None:
    """In a service with hundreds of fields nobody finds the one that matters by scrolling."""
    page = opened(file)
    status = page.get_by_role("status")
    expect(status).to_have_text("6 fields shown.")
    page.get_by_label("Field or purpose contains").fill("phone adv")
    assert rows(page) == ["Account.phone"]
    assert columns(page) == ["advertising"]
    expect(status).to_contain_text("1 of 6 fields shown")
    assert page.locator("#sites tbody:visible .group").all_inner_texts()[0].startswith("Account.phone for advertising")
    assert page.locator("#sites tbody:visible").count() == 1
    page.get_by_role("button", name="Clear").click()
    assert len(rows(page)) == 6
    for label in ("Let through", "Refused", "Break-glass", "Read"):
        page.locator(".choice", has_text=re.compile(f"^{label}$")).click()
    assert rows(page) == ["Account.birthday", "Account.email"]
    assert "age_check" in columns(page)
    assert "advertising" not in columns(page)
    expect(cell(page, "Account.email", "security").locator(".mark")).to_be_visible()
    expect(cell(page, "Account.email", "news").locator(".mark")).not_to_be_visible()
    page.locator(".choice", has_text="Never read").click()
    expect(page.get_by_text("Nothing matches.")).to_be_visible()
    expect(page.locator("#fields")).not_to_be_visible()


def test_filtering_with_the_keyboard(opened: Open, file: Path) -> None:
    """Not everybody who has to read this page can use a mouse."""
    page = opened(file)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the fields and purposes")).to_be_focused()
    expect(page.get_by_text("Skip to the fields and purposes")).to_be_in_viewport()
    page.keyboard.press("Enter")
    search = page.get_by_label("Field or purpose contains")
    for _ in range(4):
        page.keyboard.press("Tab")
        if search.evaluate("field => field === document.activeElement"):
            break
    page.keyboard.type("iban")
    assert rows(page) == ["Order.iban"]
    page.keyboard.press("Escape")
    assert len(rows(page)) == 6
    page.keyboard.press("Tab")  # "Let through", and the others after it
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.get_by_role("checkbox", name="Read", exact=True)).not_to_be_checked()
    expect(page.get_by_role("checkbox", name="Read", exact=True)).to_be_focused()
    assert "Order.address" not in rows(page)
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # Clear
    assert len(rows(page)) == 6
    page.keyboard.press("Tab")
    expect(page.locator("#matrix .scroll")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.hash").startswith("#code-")
    page.keyboard.press("Enter")
    expect(page.locator("tbody:target")).to_be_in_viewport()


def test_what_has_the_focus_can_be_seen(opened: Open, file: Path) -> None:
    """Without a visible focus the keyboard is a walk in the dark; nor may the bar at the top cover it."""
    page = opened(file)
    for _ in range(45):
        page.keyboard.press("Tab")
        outline, top, bar = page.evaluate(
            """() => {
                const at = document.activeElement;
                const shown = at.type === "checkbox" ? at.nextElementSibling : at;
                const bar = document.querySelector(".contents");
                const below = bar.contains(at) || at.className === "skip" ? 0 : bar.getBoundingClientRect().bottom;
                return [getComputedStyle(shown).outlineStyle, at.getBoundingClientRect().bottom, below];
            }"""
        )
        assert outline == "solid"
        assert top > bar


def test_the_fields_can_be_put_in_another_order(opened: Open, file: Path) -> None:
    """The gravest must be found first, however its name begins."""
    page = opened(file)
    assert rows(page) == sorted(rows(page))
    page.get_by_label("Order of fields").select_option("gravest first")
    assert rows(page)[:2] == ["Account.email", "Account.phone"] or rows(page)[:2] == ["Account.phone", "Account.email"]
    page.get_by_label("Order of fields").select_option("most people first")
    most = page.eval_on_selector_all(
        "#fields tbody tr", "rows => rows.map(r => Math.max(...[...r.cells].slice(1).map(c => +c.dataset.people)))"
    )
    assert most == sorted(most, reverse=True)
    page.get_by_role("button", name="Clear").click()
    assert rows(page) == sorted(rows(page))


@pytest.mark.parametrize("key", ["Enter", "Space", "click"])
def test_a_table_can_be_sorted(opened: Open, file: Path, key: str) -> None:
    """Numbers sorted as words put 9 after 1,204."""
    page = opened(file)
    heading = page.locator("#denials th", has_text="People")

    def press() -> list[int]:
        button = heading.get_by_role("button")
        if key == "click":
            button.click()
        else:
            button.focus()
            page.keyboard.press(key)
        return [int(text.replace(",", "")) for text in page.locator("#denials td:nth-child(6)").all_inner_texts()]

    first = press()
    expect(heading).to_have_attribute("aria-sort", "descending")
    assert first == sorted(first, reverse=True)
    assert press() == sorted(first)
    expect(heading).to_have_attribute("aria-sort", "ascending")
    assert len(set(first)) > 2
    page.locator("#denials th", has_text="Field").get_by_role("button").click()
    fields = page.locator("#denials td:nth-child(2)").all_inner_texts()
    assert fields == sorted(fields)
    expect(heading).not_to_have_attribute("aria-sort", re.compile("."))


def test_a_link_into_what_the_filter_hides_shows_it(opened: Open, file: Path) -> None:
    """A link sent to a colleague must lead to the code, whatever they had typed before."""
    page = opened(file)
    target = cell(page, "Order.iban", "billing").get_by_role("link").get_attribute("href")
    page.get_by_label("Field or purpose contains").fill("phone")
    page.evaluate(f"location.hash = '{target}'")
    expect(page.locator("tbody:target")).to_be_visible()
    assert len(rows(page)) == 6


def test_it_works_without_javascript(opened: Open, file: Path) -> None:
    """A mail gateway or a careful reader strips scripts; the evidence has to be there all the same."""
    page = opened(file, java_script_enabled=False)
    assert page.locator("#fields tbody tr:visible").count() == 6
    expect(page.locator("#filter")).not_to_be_visible()
    expect(page.locator("th button")).to_have_count(0)
    expect(cell(page, "Account.phone", "advertising").locator(".mark").first).to_be_visible()
    cell(page, "Account.phone", "advertising").get_by_role("link").click()
    expect(page.locator("tbody:target")).to_be_in_viewport()
    page.get_by_text("The same as a table").click()
    expect(page.locator("#timeline tbody tr").first).to_be_visible()


# --- How it looks ----------------------------------------------------------------------------------------------------


def axe(page: Page, part: str | None = None) -> list[str]:
    """What axe-core objects to, by all of its rules."""
    found = Axe().run(page, context=part, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{one['id']}: {one['help']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
def test_axe_finds_nothing(opened: Open, file: Path, scheme: str, width: int) -> None:
    """Public bodies may not accept a page that parts of their staff cannot read."""
    page = opened(file, color_scheme=scheme, viewport={"width": width, "height": 900})
    page.get_by_text("The same as a table").click()
    assert axe(page) == []
    page.get_by_label("Field or purpose contains").fill("phone")
    page.locator(".choice", has_text="Never read").click()
    assert axe(page, "#matrix") == []


def luminance(page: Page, what: str) -> float:
    """How light a colour of the page's body is, from 0 to 1."""
    color: str = page.evaluate(f"getComputedStyle(document.body).{what}")
    return sum(int(part) for part in re.findall(r"\d+", color)[:3]) / 765


def test_it_is_light_or_dark_as_the_reader_likes(opened: Open, file: Path) -> None:
    """White on a dark desk hurts."""
    light, dark = (opened(file, color_scheme=scheme) for scheme in ("light", "dark"))
    assert luminance(light, "backgroundColor") > 0.9 > 0.3 > luminance(light, "color")
    assert luminance(dark, "backgroundColor") < 0.2 < 0.8 < luminance(dark, "color")


def test_it_prints(opened: Open, file: Path) -> None:
    """Files in court are paper: what can only be clicked or scrolled to is lost there."""
    page = opened(file, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert luminance(page, "backgroundColor") == 1
    for control in ("#filter", ".contents", ".skip", ".back"):
        expect(page.locator(control).first).not_to_be_visible()
    expect(page.locator("#timeline tbody tr").last).to_be_visible()
    expect(page.locator("#fields")).to_be_visible()
    assert page.eval_on_selector_all(
        ".scroll", "all => all.every(one => getComputedStyle(one).overflowX === 'visible')"
    )
    printed = page.pdf(prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) > 3


@pytest.mark.parametrize("width", [320, 390, 768])
def test_it_fits_a_narrow_screen(opened: Open, file: Path, width: int) -> None:
    """On a telephone a page that is wider than the screen hides its numbers; a table scrolls by itself."""
    page = opened(file, viewport={"width": width, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    box = page.locator("#matrix .scroll")
    wider = box.evaluate("one => { one.scrollLeft = 1e6; return one.scrollLeft; }")
    assert wider > 0
    heading = page.locator("#fields tbody th").first.bounding_box()
    assert heading is not None
    assert heading["x"] >= 0  # stays in view, so that the numbers keep their names


def test_no_name_is_too_long(opened: Open, hostile: Path) -> None:
    """One name without an end would push all that stands beside it off the screen."""
    page = opened(hostile, viewport={"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_states_are_told_without_colour(opened: Open, file: Path) -> None:
    """One man in twelve does not see the difference between this red and this green."""
    page = opened(file, forced_colors="active")
    for state in page.locator("#fields .mark").all():
        assert state.locator("svg use").count() == 1
        assert state.inner_text().strip()
    shapes = page.eval_on_selector_all(".key use", "all => all.map(one => one.getAttribute('href'))")
    assert len(shapes) == len(set(shapes)) >= 7


# --- What it must never do -------------------------------------------------------------------------------------------


def test_nothing_that_others_wrote_is_markup(opened: Open, hostile: Path) -> None:
    """Whoever names a field or gives a reason for an emergency would run a script in front of the regulator."""
    page = opened(hostile)
    assert page.evaluate("window.pwned") is None
    expect(page.locator("script")).to_have_count(1)
    expect(page.locator("style")).to_have_count(1)
    for element in ("img", "iframe", "object", "form:not(#filter)", "link", "base", "body b[onclick]"):
        expect(page.locator(element)).to_have_count(0)
    attributes = page.eval_on_selector_all("*", "all => all.flatMap(one => one.getAttributeNames())")
    assert not [name for name in attributes if name.startswith("on") or name == "style"]
    text = page.locator("body").inner_text()
    for section in ("matrix", "code", "denials", "handovers", "break-glass", "unknown", "chain"):
        expect(page.locator(f"#{section}")).to_contain_text("<img src=x onerror=pwned=1>")
    assert "\u202e" not in text
    assert "\\u202e" in text
    assert axe(page) == []


def test_a_script_that_is_not_ours_does_not_run(browser: Browser, file: Path) -> None:
    """Should something slip through the escaping one day, the policy has to stop it."""
    page = browser.new_page()
    page.goto(file.as_uri())
    page.evaluate(
        """() => {
            window.stopped = [];
            document.addEventListener("securitypolicyviolation", (event) => stopped.push(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "window.pwned = 1";
            document.body.append(script);
            const style = document.createElement("style");
            style.textContent = "body { display: none }";
            document.body.append(style);
            const image = new Image();
            image.src = "https://example.invalid/x.png";
            document.body.append(image);
            document.body.insertAdjacentHTML("beforeend", "<b style='color: red' onclick='pwned = 1' id='b'>b</b>");
            document.getElementById("b").click();
        }"""
    )
    page.wait_for_function("stopped.length >= 5")
    assert page.evaluate("window.pwned") is None
    assert set(page.evaluate("stopped")) == {
        "script-src-elem",
        "style-src-elem",
        "img-src",
        "style-src-attr",
        "script-src-attr",
    }
    expect(page.locator("body")).to_be_visible()
    page.close()


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as name, sync_playwright() as running:
        place = Path(name)
        write_shop(place / "ledger")
        with Ledger(place / "ledger") as answers:
            answered = replace(build(answers, DECLARED, made=MADE), ledgers=("/var/lib/shop/ledger",))
        picture = start(running).new_page(viewport={"width": 1280, "height": 2150}, device_scale_factor=0.75)
        picture.goto(written(answered, place).as_uri())
        picture.screenshot(path=sys.argv[1])
