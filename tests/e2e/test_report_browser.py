"""The report in a real browser: readable on a screen, a phone and paper, and silent on the network."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from latemiles.report import render_report
from reference.made_up_analysis import PLANS, empty_run, made_up_run

playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = os.environ.get("LATEMILES_CHROMIUM", "/usr/bin/chromium")
ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
NAMES = [*(n for n in PLANS if n not in ("four_hours", "small", "no_standing")), "empty"]

SEEN = "[...document.querySelectorAll('svg[role=img] text')].filter(t => t.getBoundingClientRect().width)"
CUT_OFF = f"""() => {SEEN}.filter(t => {{
    const b = t.getBoundingClientRect(), s = t.ownerSVGElement.getBoundingClientRect();
    return b.left < s.left - 1 || b.right > s.right + 1 || b.top < s.top - 1;
}}).map(t => t.textContent)"""
TOO_SMALL = f"""() => {SEEN}.filter(t =>
    parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a < 11.7).map(t => t.textContent)"""
COVERED = f"""() => {{
    const words = {SEEN}, out = [];
    for (const a of words) for (const b of words) {{
        if (a === b || a.ownerSVGElement !== b.ownerSVGElement) continue;
        const p = a.getBoundingClientRect(), q = b.getBoundingClientRect();
        if (Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1
            && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 5)
            out.push(a.textContent + ' on ' + b.textContent);
    }}
    return out;
}}"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="needs Chromium; set LATEMILES_CHROMIUM"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield chromium
        chromium.close()


@pytest.mark.parametrize("name", NAMES)
def test_every_page_is_quiet_whole_and_no_wider_than_the_screen(browser, tmp_path: Path, name: str) -> None:
    run = empty_run() if name == "empty" else made_up_run(name)
    file = tmp_path / "report.html"
    file.write_text(render_report(run, units="mile"), encoding="utf-8")
    page = browser.new_page(viewport={"width": 390, "height": 844})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    for width in (390, 320, 700, 900):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
    assert said == []
    assert all(url.startswith(("file:", "data:")) for url in asked)
    page.close()


def test_the_answer_is_the_first_heading_and_its_change_is_set_apart(browser) -> None:
    page = browser.new_page(viewport={"width": 900, "height": 900})
    page.set_content(render_report(made_up_run("half_marathon"), units="mile"))
    assert re.fullmatch(
        r"Your pelvis tipped 2\.\d degrees further forward from mile 7\.3\.",
        page.locator("h1").inner_text().replace("\n", " "),
    )
    assert page.locator("h1 em").inner_text().startswith("2.")
    assert page.locator("h1").count() == 1
    page.close()


def test_one_hero_is_shown_and_it_is_the_one_for_the_width(browser) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_content(render_report(made_up_run("half_marathon"), units="mile"))
    hero = page.locator("figure.fig").first
    assert hero.locator("svg.narrow").is_visible()
    assert not hero.locator("svg.wide").is_visible()
    page.set_viewport_size({"width": 900, "height": 900})
    assert hero.locator("svg.wide").is_visible()
    assert not hero.locator("svg.narrow").is_visible()
    page.emulate_media(media="print")
    assert hero.locator("svg.wide").is_visible()
    page.close()


@pytest.mark.parametrize("width", [390, 900])
@pytest.mark.parametrize(
    "name", ["half_marathon", "backwards", "cannot_separate", "on_the_spot", "raw_change", "no_thigh"]
)
def test_no_word_in_a_chart_is_cut_off_covered_or_too_small(browser, name: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_content(render_report(made_up_run(name), units="metric"))
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(TOO_SMALL) == []
    assert page.evaluate(COVERED) == []
    page.close()


def test_the_table_of_the_splits_is_seen_whole_on_a_desk(browser) -> None:
    page = browser.new_page(viewport={"width": 900, "height": 900})
    page.set_content(render_report(made_up_run("half_marathon"), units="mile"))
    wider = "[...document.querySelectorAll('table')].filter(t => t.scrollWidth > t.parentElement.clientWidth)"
    assert page.evaluate(f"{wider}.length") == 0
    page.close()


def test_a_report_of_four_hours_is_small_and_opens_at_once(browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(render_report(made_up_run("four_hours"), units="mile"), encoding="utf-8")
    assert file.stat().st_size < 3_000_000
    page = browser.new_page(viewport={"width": 900, "height": 900})
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.goto(file.as_uri())
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    told = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
    # Processor seconds: a clock on the wall would measure the machine's other work.
    assert told["ThreadTime"] < 1.0
    page.close()


def test_it_prints_on_a4(browser) -> None:
    page = browser.new_page()
    page.set_content(render_report(made_up_run("half_marathon"), units="mile"))
    pdf = page.pdf(prefer_css_page_size=True)
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 7
    assert re.search(rb"/MediaBox\s*\[0 0 59[45]\.?\d* 84[12]\.?\d*\]", pdf)
    page.close()


def test_dark_screens_get_dark_paper_and_print_stays_white(browser) -> None:
    page = browser.new_page(color_scheme="dark")
    page.set_content(render_report(made_up_run("no_change")))
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(15, 20, 25)"
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    page.close()
