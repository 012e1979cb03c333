"""The library's pages in a real Chromium: list, search, notes, comparison, deletion, all with keys alone."""

from __future__ import annotations

import os
import shutil
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright, expect

from latemiles.session.home import Home
from latemiles.session.library_pages import LibraryPages, problem_page
from latemiles.store import Store
from latemiles.web.library import create_library_app
from reference.axe import grave_findings
from reference.made_up_library import make_library
from reference.page_server import serving

CHROMIUM = os.environ.get("LATEMILES_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}
NEWEST, OLDEST = "20260918-064000", "20260824-064000"

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="needs Chromium; set LATEMILES_CHROMIUM"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium():
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def library(tmp_path_factory):
    """Address of a served library."""
    home = Home(tmp_path_factory.mktemp("library"))
    make_library(home, runs=8)
    with Store(home.store) as store:
        pages = LibraryPages(home, store)
        app = create_library_app(pages.pages, pages.actions, problem_page=problem_page)
        async with serving(app) as port:
            yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def opened(chromium, library, path, size, **more):
    """A page, and the list of all that went wrong in it or left this machine."""
    troubles = []
    context = await chromium.new_context(viewport=size, **more)
    page = await context.new_page()
    page.on("console", lambda m: troubles.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: troubles.append(str(e)))
    page.on("request", lambda r: troubles.append(r.url) if not r.url.startswith((library, "data:")) else None)
    await page.goto(library + path)
    try:
        yield page, troubles
    finally:
        await context.close()


PAGES = (
    "/",
    f"/run/{NEWEST}",
    f"/delete/{NEWEST}",
    f"/compare?run={OLDEST}&run={NEWEST}",
    "/trends",
    "/standing",
    "/exercise",
)


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), (DESK, "light")], ids=["phone", "desk"])
async def test_every_page_holds_before_axe_and_never_scrolls_sideways(chromium, library, size, scheme):
    async with opened(chromium, library, "/", size, color_scheme=scheme) as (page, troubles):
        for path in PAGES:
            await page.goto(library + path)
            assert await grave_findings(page, contrast=path == "/") == []
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert "Not a medical device" in await page.inner_text("footer")
            heights = await page.evaluate(
                "[...document.querySelectorAll('nav a, button, .button, input')]"
                ".filter(e => !['checkbox', 'hidden'].includes(e.type))"
                ".map(e => e.getBoundingClientRect().height)"
            )
            assert min(heights) >= 38
        assert troubles == []


async def test_a_run_is_searched_opened_and_given_words_with_keys_alone(chromium, library):
    async with opened(chromium, library, "/", DESK) as (page, troubles):
        assert await page.locator("tbody tr").count() == 8
        await page.focus("#search")
        await page.keyboard.type("clip loose")
        await page.keyboard.press("Enter")
        await expect(page.locator("tbody tr")).to_have_count(1)
        await page.keyboard.press("Tab")
        await page.locator("tbody a").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_contain_text("sensor moved")
        await page.focus("#notes")
        await page.keyboard.press("Control+a")
        await page.keyboard.type("clip <b>mended</b>")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_have_text("Saved.")
        await expect(page.locator("#notes")).to_have_value("clip <b>mended</b>")
        await page.goto(f"{library}/?search=mended")
        assert "clip <b>mended</b>" in await page.inner_text("tbody tr")
        assert troubles == []


async def test_two_ticked_runs_stand_side_by_side_the_older_one_first(chromium, library):
    async with opened(chromium, library, "/", DESK) as (page, troubles):
        await page.get_by_role("checkbox").first.check()
        await page.get_by_role("checkbox").last.check()
        await page.get_by_role("button", name="Compare two").click()
        heads = await page.locator("h2").all_inner_texts()
        assert heads[0].startswith("Mon 24 Aug 2026")
        assert heads[1].startswith("Fri 18 Sep 2026")
        assert await page.get_by_role("img").count() == 2
        # Coloured where it is beyond the band; before that a line like any other.
        assert await page.locator("path.c-line").count() == 2
        assert await page.locator("path.c-change").count() == 2
        await page.locator("h2 a").first.click()
        assert page.url == f"{library}/report/{OLDEST}"
        assert troubles == []


async def test_deletion_is_asked_for_twice_and_then_done(chromium, library):
    name = "20260831-064000"
    async with opened(chromium, library, f"/run/{name}", PHONE) as (page, troubles):
        await page.get_by_role("link", name="Delete").click()
        await page.get_by_role("link", name="Keep it").click()
        await page.get_by_role("link", name="Delete").click()
        await page.get_by_role("button", name="Delete for good").click()
        await expect(page.get_by_role("status")).to_contain_text("was deleted")
        assert await page.locator(f'a[href="/run/{name}"]').count() == 0
        assert troubles == []
        await page.goto(f"{library}/run/{name}")
        await expect(page.locator("h1")).to_have_text("That did not work.")


async def test_exercises_are_begun_and_noted_in_the_browser_and_seen_in_the_trends(chromium, library):
    async with opened(chromium, library, "/exercise", PHONE) as (page, troubles):
        await page.fill("#name", "hip <hike>")
        await page.fill("#first_day", "2026-10-20")
        await page.get_by_role("button", name="Begin").click()
        await expect(page.get_by_role("status")).to_have_text("The block begins.")
        await page.fill("#did_words", "2 x 15")
        await page.get_by_role("button", name="Note it").click()
        await expect(page.get_by_role("status")).to_have_text("Noted.")
        await expect(page.locator("h1")).to_contain_text("Hip <hike>: since 20 October 2026")
        await expect(page.locator("h1")).to_contain_text("1 session noted")
        await page.get_by_role("link", name="Trends").click()
        await expect(page.locator(".log")).to_contain_text("Exercises begin: hip <hike>")
        assert troubles == []
